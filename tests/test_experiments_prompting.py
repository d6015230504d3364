"""Trainings with and without prompting as arrays: pairs, records, and what was never reached."""

import numpy as np
import pytest

from shld_sim import learning
from shld_sim.diagnostics import effective_frequencies, effective_rank, fourier_concentration
from shld_sim.learning.experiments import prompting


def sums(seed):
    return learning.modular_addition(7, 0.7, seed)


@pytest.fixture(scope="module")
def pair():
    return tuple(prompting(sums, weight, (3, 4), steps=40, every=20) for weight in (1.0, 0.0))


def test_records(pair):
    for found in pair:
        assert found.steps.tolist() == [0, 20, 40]
        for name in ("train_accuracy", "test_accuracy", "gap", "rank", "frequencies", "concentration"):
            assert getattr(found, name).shape == (2, 3)
        for i, run in enumerate(found.trainings):
            E = found.embeddings[i]
            assert E.shape == (7, 16)
            assert found.gap[i, -1] == learning.symmetry_gap(run.network, run.theta, run.task)
            numbers = effective_rank(E), effective_frequencies(E), fourier_concentration(E)
            assert (found.rank[i, -1], found.frequencies[i, -1], found.concentration[i, -1]) == numbers


def test_a_seed_gives_a_pair_and_another_seed_another(pair):
    """The same split and first weights with and without; no two seeds share them."""
    with_it, without = pair
    for a, b in zip(with_it.trainings, without.trainings, strict=True):
        np.testing.assert_array_equal(a.task.inputs, b.task.inputs)
    np.testing.assert_array_equal(with_it.rank[:, 0], without.rank[:, 0])
    assert not np.array_equal(with_it.trainings[0].task.inputs, with_it.trainings[1].task.inputs)
    assert with_it.rank[0, 0] != with_it.rank[1, 0]
    assert (with_it.gap[:, -1] < without.gap[:, -1]).all()
    assert with_it.trainings[0].objective == learning.SymmetryPrompting(1.0, 128)
    assert without.trainings[0].objective is None


def test_what_was_never_reached_is_nan(pair):
    with_it, without = pair
    assert np.isnan(without.first_steps(1.0)).all()
    assert without.first_steps(0.9, "train").tolist() == [20.0, 20.0]
    assert with_it.first_steps(0.0).tolist() == [0.0, 0.0]


def test_relations_and_other_parts():
    found = prompting(
        lambda seed: learning.comparison(6, 0.7, seed),
        0.5,
        [np.random.SeedSequence(1)],
        kind="relations",
        samples=8,
        steps=2,
        every=1,
        batch=10,
        network=lambda task: learning.Perceptron(task.n_symbols, task.n_outputs, 4, (8,)),
        optimiser=learning.AdamW(0.01),
    )
    assert found.embeddings[0].shape == (6, 4)
    assert found.trainings[0].batch == 10


def test_errors_of_prompting_experiments():
    with pytest.raises(ValueError, match="seeds must name one training at least, got none"):
        prompting(sums, 1.0, ())
    with pytest.raises(ValueError, match="kind must be one of 'mirror', 'relations', got 'swap'"):
        prompting(sums, 1.0, (1,), kind="swap")
    with pytest.raises(ValueError, match="weight must not be negative, got -1"):
        prompting(sums, -1.0, (1,))
