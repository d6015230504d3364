"""Experiments with small networks: exact laws behind them, and that the same seed gives the same numbers."""

import dataclasses

import numpy as np
import pytest

from shld_sim import theory
from shld_sim.learning import Descent, Linear, Perceptron, experiments, random_features
from shld_sim.learning.experiments.lottery import ticket
from shld_sim.learning.experiments.signals import descend


def same(a, b):
    """Whether two results agree in every bit."""
    for field in dataclasses.fields(a):
        x, y = getattr(a, field.name), getattr(b, field.name)
        if dataclasses.is_dataclass(x):
            if not same(x, y):
                return False
        elif not np.array_equal(np.asarray(x), np.asarray(y), equal_nan=x is not None):
            return False
    return True


SHORT = [
    lambda seed: experiments.edge_of_stability(batch=4, steps=20, every=10, draws=20, seed=seed),
    lambda seed: experiments.lottery(steps=20, stages=2, draws=(20, 20, 20), seed=seed),
    lambda seed: experiments.flatness(8, steps=20, stages=2, draws=(20, 20, 20), seed=seed),
]


@pytest.mark.parametrize("short", SHORT, ids=["edge", "lottery", "flatness"])
def test_the_seed_decides_every_bit(short):
    assert same(short(3), short(3))
    assert not same(short(3), short(4))
    with pytest.raises(dataclasses.FrozenInstanceError):
        short(3).batch = 1


# -- signal and noise ----


def made(n=30, d=5, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)) * np.arange(1, d + 1) + 0.5


def test_signals_are_mean_and_covariance():
    g = made()
    found = experiments.signals([7], [g])
    assert found.signal[0] == pytest.approx(float(g.mean(axis=0) @ g.mean(axis=0)))
    assert found.noise[0] == pytest.approx(float(np.trace(np.cov(g.T, bias=True))))
    assert found.p(4)[0] / (1 - found.p(4)[0]) == pytest.approx(4 * found.C[0])


@pytest.mark.parametrize("seed", range(6))
def test_odds_of_drawn_batches_grow_with_their_size(seed):
    """Odds p/(1 - p) = B C_1; of batches half as large they are not."""
    g, sizes, draws = made(seed=seed), (2, 4, 32), 4000
    parts = [experiments.odds_of_batches(g, sizes, (draws,) * 3, np.random.default_rng([seed, i])) for i in range(10)]
    ratio = np.array(parts) / (np.array(sizes) * experiments.signals([0], [g]).C)
    error = ratio.std(axis=0, ddof=1) / np.sqrt(10)
    assert (
        np.abs(ratio.mean(axis=0) - 1.0) < 5 * error + 2.0 / draws
    ).all()  # E 1/x exceeds 1/E x by the variance of x
    assert (np.abs(ratio.mean(axis=0) - 0.5) > 5 * error + 2.0 / draws).all()


def test_what_is_left_out_stays_out():
    task, network = random_features(20, 6), Linear(6, spread=1.0)
    mask = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    walk = descend(
        network, task, network.initial(1), Descent(0.5), 30, batch=4, rng=np.random.default_rng(0), mask=mask
    )
    path = np.array([theta for _, theta in walk])
    assert len(path) == 31
    assert (path[:, mask == 0.0] == 0.0).all()
    assert (np.diff(path, axis=0)[:, mask == 1.0] != 0.0).any(axis=0).all()


# -- edge of stability ----


@pytest.fixture(scope="module")
def full():
    return experiments.edge_of_stability(0.4, steps=600, every=50, seed=1)


@pytest.fixture(scope="module")
def noisy():
    return experiments.edge_of_stability(0.2, 8, steps=300, every=50, draws=200, multiples=(0.02, 0.5, 2.0), seed=1)


def test_descent_sharpens_to_the_edge(full):
    sharp = full.eta * full.lmax
    assert sharp[1:4].max() < 1.6
    assert np.abs(sharp[-4:] - 2.0).max() < 0.3
    assert (full.p == 1.0).all() and (full.change[:, 1] == 0.0).all()
    assert full.loss[-1] < 0.1 * full.loss[0]


def test_the_sufficient_edge_is_below_the_exact_one(full, noisy):
    for run in (full, noisy):
        assert (run.threshold >= run.bound * (1 - 1e-6)).all()
    assert (noisy.p < 1.0).all() and np.isfinite(noisy.threshold).all()


def test_short_steps_follow_the_second_order(noisy):
    """4f(f - 1) best gains at f = 0.02; without the noise in eta* it would be missed."""
    value, error = noisy.trials[:, 0].T
    rest = value / (4 * 0.02 * 0.98) + 1.0
    assert (np.abs(rest) < 5 * error / (4 * 0.02 * 0.98) + 0.02).all()
    assert (np.abs(2.0 * rest - 1.0) > 0.1).all()
    for j, sign in ((1, -1.0), (2, 1.0)):  # eta*/2 and 2 eta*
        change, error = noisy.trials[:, j].T
        assert sign * change.mean() > 5 * np.linalg.norm(error) / len(error)


def test_a_threshold_that_forgets_the_noise_is_noticed(monkeypatch):
    right = theory.step_threshold
    monkeypatch.setattr(theory, "step_threshold", lambda mu, S, H: right(mu, 0.0 * S, H))
    run = experiments.edge_of_stability(0.2, 8, steps=300, every=50, draws=200, multiples=(0.5,), seed=1)
    assert (run.trials[1:, 0, 0] - 5 * run.trials[1:, 0, 1] > 0.0).any()


# -- tickets ----


def test_tickets_keep_the_largest_of_every_layer():
    network = Perceptron(5, 2, 4, (6,))
    score = np.random.default_rng(0).random(network.n_parameters)
    parts, values = network.views(ticket(network, score, 0.25)), network.views(score)
    for name, part in parts.items():
        if name.startswith("bias"):
            assert (part == 1.0).all()
        else:
            assert part.sum() == round(0.25 * part.size)
            assert values[name][part == 1.0].min() > values[name][part == 0.0].max()


def test_winning_tickets_learn_more_than_random_ones():
    found = [experiments.lottery(stages=1, draws=(10, 10, 10), seed=seed) for seed in range(4)]
    for one in found:
        assert one.winning.kept == one.random.kept < 0.3 * one.full.kept
        assert one.full.train_accuracy > 0.95
    assert np.mean([one.winning.loss[-1] for one in found]) < np.mean([one.random.loss[-1] for one in found])
    assert np.mean([one.winning.test_accuracy - one.random.test_accuracy for one in found]) > 0.0


# -- minima ----


def test_small_batches_find_flatter_minima_from_the_same_start():
    small, large = (experiments.flatness(batch, stages=1, draws=(10, 10, 10), seed=2) for batch in (8, None))
    assert small.loss[0] == large.loss[0]
    assert small.lmax < large.lmax
    assert small.trace > small.lmax and large.trace > large.lmax
    assert small.gap == small.train_accuracy - small.test_accuracy
    assert large.signals.C[-1] < 0.1 * large.signals.C[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: experiments.edge_of_stability(-0.1), "eta must be positive"),
        (lambda: experiments.edge_of_stability(steps=10, after=11), "after must be at most steps = 10, got 11"),
        (lambda: experiments.lottery(1.0), "keep must lie"),
        (lambda: experiments.lottery(steps=15), "steps must be a multiple of stages = 10, got 15"),
        (lambda: experiments.flatness(steps=15), "steps must be a multiple of stages = 10, got 15"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
