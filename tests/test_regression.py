"""Least squares around n = N: errors against exact formulas, C and p of gradients against real descents, limits and bounds."""

import math

import numpy as np
import pytest

from shld_sim import diagnostics, learning, theory
from shld_sim.learning.experiments import double_descent, isotropic_features


@pytest.mark.parametrize(("kind", "n", "N"), [("relu", 20, 15), ("isotropic", 15, 24)])
def test_the_stages_are_those_of_a_training(kind, n, N):
    """Descent by `train` with the step 1/lmax; C and p from all gradients; the end from `Linear.least_squares`."""
    make = learning.random_features if kind == "relu" else isotropic_features
    task, network = make(n, N, noise=0.5, seed=3), learning.Linear(N)
    top = float(np.linalg.eigvalsh(task.inputs.T @ task.inputs / n)[-1])
    run = learning.train(
        network,
        task,
        learning.Descent(1.0 / top),
        60,
        every=20,
        callbacks=[learning.consolidation_watch(20, None)],
    )
    found = double_descent(n, N, kind=kind, noise=0.5, seed=3, steps=(0, 20, 40, 60))
    np.testing.assert_allclose(found.C_during[:, 0], run.watched["C all"].values, rtol=1e-9)
    np.testing.assert_allclose(found.p_during[:, 0], run.watched["p all"].values, rtol=1e-9)
    np.testing.assert_allclose(found.train_error_during[:, 0], 2 * run.train_loss, rtol=1e-9)
    np.testing.assert_allclose(found.test_error_during[:, 0], 2 * run.test_loss, rtol=1e-9)
    theta = network.least_squares(task.inputs, task.targets)
    assert found.test_error[0] == pytest.approx(2 * network.loss(theta, task.test_inputs, task.test_targets), rel=1e-9)
    assert found.train_error[0] == pytest.approx(2 * network.loss(theta, task.inputs, task.targets), abs=1e-12)
    assert found.C[0] == found.C_during[-1, 0] and found.p[0] == found.p_during[-1, 0]


def test_fresh_examples_are_those_of_the_estimator():
    """p of new examples is that of `diagnostics.consolidation`, from their gradients one by one."""
    found = double_descent(30, 20, kind="isotropic", noise=0.5, seed=4, n_test=200)
    task, network = isotropic_features(30, 20, noise=0.5, n_test=200, seed=4), learning.Linear(20)
    xi = np.random.default_rng(np.random.SeedSequence(4, spawn_key=(6,))).standard_normal((200, 1))
    g = network.per_sample_gradients(
        network.least_squares(task.inputs, task.targets), task.test_inputs, task.test_targets + 0.5 * xi
    )
    known = diagnostics.consolidation(g)
    assert found.p_fresh[0] == pytest.approx(known.signal / np.mean(np.sum(g * g, axis=1)), rel=1e-9)
    assert found.C_fresh[0] == pytest.approx(found.p_fresh[0] / (1 - found.p_fresh[0]), rel=1e-12)


def mean_excess(n, N, noise, sets, seed):
    """Mean and standard error of |theta - beta|^2 for data made here, by the pseudo-inverse."""
    rng, found = np.random.default_rng(seed), np.empty(sets)
    for i in range(sets):
        x, beta = rng.standard_normal((n, N)), rng.standard_normal(N)
        beta *= 2.0 / np.linalg.norm(beta)
        theta = np.linalg.pinv(x) @ (x @ beta + noise * rng.standard_normal(n))
        found[i] = np.sum((theta - beta) ** 2)
    return found.mean(), found.std(ddof=1) / math.sqrt(sets)


CASES = [(40, 20, 0.7), (20, 40, 0.7), (20, 40, 0.0), (30, 24, 1.0), (10, 5, 1.0)]


@pytest.mark.parametrize(("n", "N", "noise"), CASES)
def test_excess_error_is_exact_at_every_size(n, N, noise):
    value, error = mean_excess(n, N, noise, 1000, 5)
    assert abs(value - theory.ridgeless_excess(n, N, noise, 2.0)) < 5 * error


def test_another_denominator_would_be_noticed():
    """The limit of large sizes, n - N for n - N - 1, is not the mean at n = 30, N = 24."""
    value, error = mean_excess(30, 24, 1.0, 1000, 5)
    assert abs(value - 24 / (30 - 24)) > 5 * error


def test_excess_error_at_the_threshold():
    assert theory.ridgeless_excess(50, 50, 0.1) == theory.ridgeless_excess(51, 50, 0.1) == math.inf
    assert theory.ridgeless_excess(50, 50, 0.0) == 0.0
    assert theory.ridgeless_excess(49, 50, 0.0, 3.0) == pytest.approx(9.0 / 50)


@pytest.mark.parametrize("kind", ["relu", "isotropic"])
def test_p_never_exceeds_its_bound_and_tends_to_its_limit(kind):
    make = learning.random_features if kind == "relu" else isotropic_features
    steps = (0, 1, 10, 100, 10**3, 10**6)
    found = double_descent([20, 30, 60], 40, kind=kind, seed=6, steps=steps)
    inputs = [make(n, 40, noise=0.5, seed=6).inputs for n in (20, 30, 60)]
    bounds = np.array([theory.signal_share_bound(x) for x in inputs])
    assert (found.p_during <= bounds).all()
    assert theory.final_signal_share(inputs[0]) == pytest.approx(found.p[0], rel=1e-6)
    assert found.p[2] < 1e-100 or kind == "relu"  # with more examples than features it dies
    assert found.p[2] < 1e-3 * found.p[0]


def test_the_bound_is_reached():
    """Residuals along the first eigenvector: p is the bound."""
    x = np.random.default_rng(7).standard_normal((12, 30))
    lengths = np.linalg.norm(x, axis=1)
    w = np.linalg.svd(x / lengths[:, None])[0][:, 0]
    g = (w / lengths)[:, None] * x
    assert np.sum(g.mean(axis=0) ** 2) / np.mean(np.sum(g * g, axis=1)) == pytest.approx(theory.signal_share_bound(x))


def test_examples_without_features_do_not_count_for_the_bound():
    """A row of zeros has no gradient: p falls with the number of examples, and so does the bound."""
    x = np.random.default_rng(7).standard_normal((12, 5))
    more = np.vstack([x, np.zeros((4, 5))])
    assert theory.signal_share_bound(more) == pytest.approx(theory.signal_share_bound(x) * 12 / 16)


def test_fresh_share_of_a_known_error():
    """g = (x.delta - s xi) x by simulation; a factor N for N + 2 would be noticed."""
    rng, delta, noise, m = np.random.default_rng(8), np.array([0.6, 0.0, 0.8]), 0.5, 400_000
    x = rng.standard_normal((m, 3))
    r = x @ delta - noise * rng.standard_normal(m)
    square = r * r * np.sum(x * x, axis=1)
    error = square.std(ddof=1) / math.sqrt(m) / square.mean()
    # |mu|^2 = |delta|^2 = 1, exactly; E|g|^2 is measured
    assert abs(1.0 / square.mean() / theory.fresh_signal_share(1.0, 3, noise) - 1.0) < 5 * error
    assert abs(1.0 / square.mean() * (3 + 3 * noise**2) - 1.0) > 5 * error


def test_edges_of_the_spectrum():
    """Against one large matrix; fluctuations of the edge are of the order n^(-2/3)."""
    x = np.random.default_rng(9).standard_normal((800, 200))
    low, high = theory.marchenko_pastur_edges(800, 200)
    values = np.linalg.eigvalsh(x.T @ x / 800)
    assert values[0] == pytest.approx(low, abs=5 * 800 ** (-2 / 3))
    assert values[-1] == pytest.approx(high, abs=5 * 800 ** (-2 / 3))
    assert (low, high) == (0.25, 2.25)


def test_features_that_are_not_independent_are_no_trouble():
    """One-dimensional inputs: two directions for any number of ReLU features."""
    found = double_descent([2, 5, 40], 10, dim=1, seed=1)
    assert all(np.isfinite(v).all() for v in (found.C_during, found.p_during, found.test_error, found.C_fresh))
    assert (found.test_error[1:] < 1.0).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "cosine"}, "kind must be one of 'relu', 'isotropic', got 'cosine'"),
        ({"steps": (10, 1)}, "steps must be whole numbers in ascending order"),
        ({"steps": ()}, "steps must be whole numbers in ascending order"),
        ({"noise": -1.0}, r"noise must not be negative, got -1\.0"),
        ({"n_samples": 1}, "n_samples must be at least 2, got 1"),
        ({"n_samples": [[3]]}, "n_samples and features must be numbers or lists of them"),
    ],
)
def test_double_descent_refuses_nonsense(arguments, message):
    with pytest.raises(ValueError, match=message):
        double_descent(**{"n_samples": 10, "features": 5, **arguments})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.ridgeless_excess(0, 3, 1.0), "n must be at least 1"),
        (
            lambda: theory.fresh_signal_share(-0.1, 3, 1.0),
            r"excess must be positive, or zero where there is noise, got -0\.1",
        ),
        (lambda: theory.signal_share_bound(np.zeros((3, 2))), "must have shape .* and not be zero"),
        (lambda: theory.final_signal_share(np.ones((3, 2))), r"inputs must have fewer rows than columns, got \(3, 2\)"),
        (lambda: theory.marchenko_pastur_edges(0, 2), "n must be at least 1"),
    ],
)
def test_theory_refuses_nonsense(call, message):
    with pytest.raises(ValueError, match=message):
        call()
