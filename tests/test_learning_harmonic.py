"""The optimiser of the document: a slow twin, windows that close, its temperature, and the exact law of its escapes."""

import math

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from shld_sim import Cosine, DoubleWell, HarmonicLearner, Langevin, MexicanHat, QuadraticForm, Quartic, learning, theory
from shld_sim.theory import boosted

V = DoubleWell()


def gradient(x):
    return V.gradient(x[:, 0])[:, None]


def naive(theta, eta, D, dt, beta, boost, window, warm_up, rule, n_steps, seed, threshold=0.5):
    """One learner, in the words of the document."""
    rng, v, factor, left, seen = np.random.default_rng(seed), np.zeros_like(theta), 1.0, 0, []
    for k in range(n_steps):
        g = V.gradient(theta[0]) * np.ones(1)
        C = float(g @ g) / (D * factor * len(theta))
        if k > warm_up and threshold > C and boost > 1.0:
            if rule == "restored" and left == 0:
                factor, left = boost, window
            elif rule == "as written":
                factor, left = factor * boost, window
        v = beta * v - eta * g + math.sqrt(2.0 * D * factor * dt) * rng.standard_normal(len(theta))
        seen.append((D * factor, C))
        theta = theta + v
        left = max(left - 1, 0)
        if rule == "restored" and left == 0:
            factor = 1.0
    return theta, np.array(seen)


@pytest.mark.parametrize(
    ("rule", "boost", "beta", "n"),
    [("restored", 1.0, 0.0, 200), ("restored", 5.0, 0.6, 300), ("as written", 2.0, 0.0, 32)],
)
def test_slow_twin(rule, boost, beta, n):
    settings = {"boost": boost, "window": 7, "warm_up": 20, "rule": rule}
    learner = HarmonicLearner([-0.7], 0.05, 0.03, dt=0.05, momentum=beta, seed=4, **settings)
    record = learner.run(lambda x: V.gradient(x), n)
    theta, seen = naive(np.array([-0.7]), 0.05, 0.03, 0.05, beta, boost, 7, 20, rule, n, 4)
    np.testing.assert_allclose(record.final, theta, rtol=1e-10)
    np.testing.assert_allclose(record.D, seen[:, 0], rtol=1e-10)
    np.testing.assert_allclose(record.C, seen[:, 1], rtol=1e-10)
    if boost > 1.0:
        assert (record.D > 0.03 * 1.5).any()


@pytest.mark.parametrize(("rule", "beta"), [("restored", 0.0), ("restored", 0.6), ("as written", 0.3)])
def test_the_optimiser_of_train_makes_the_same_steps(rule, beta):
    settings = {"boost": 3.0, "window": 7, "warm_up": 10, "rule": rule, "dt": 0.05, "momentum": beta, "seed": 4}
    learner, n = HarmonicLearner([-0.7], 0.05, 0.03, **settings), 40 if rule == "restored" else 20
    record = learner.run(lambda x: V.gradient(x), n)
    descent, theta, noises = learning.HarmonicDescent(0.05, 0.03, **settings), np.array([-0.7]), []
    for k in range(n):
        assert np.array_equal(theta, record.theta[k])
        theta = descent.step(theta, V.gradient(theta))
        noises.append((descent.D, descent.C))
    assert np.array_equal(theta, record.final)
    assert np.array_equal(noises, np.stack([record.D, record.C], 1))
    assert max(record.D) > 0.03


def test_training_with_raised_noise_comes_down_again():
    """On a network: C falls below the threshold as the loss does, the noise is raised, and each time restored."""
    task = learning.modular_addition(7, seed=0)
    network, seen = learning.QuadraticNetwork(7, 20), []
    optimiser = learning.HarmonicDescent(5.0, 1e-6, boost=5.0, threshold=10.0, warm_up=5, seed=1)
    theta = network.initial(0)
    for _ in range(200):
        _, g = network.loss_and_gradient(theta, task.inputs, task.targets)
        theta = optimiser.step(theta, g)
        seen.append(optimiser.D)
    assert set(np.round(np.array(seen) / 1e-6, 9)) == {1.0, 5.0}
    raised = np.flatnonzero(np.diff(np.r_[0, np.array(seen) > 2e-6, 0].astype(int)))
    assert ((raised[1::2] - raised[::2])[:-1] % 10 == 0).all()


def test_step_and_run_are_the_same_and_learners_share_nothing_but_the_seed():
    one = HarmonicLearner([0.3, -0.2], 0.1, 0.02, dt=0.1, seed=9)
    other = HarmonicLearner([0.3, -0.2], 0.1, 0.02, dt=0.1, seed=9)
    well = QuadraticForm([1.0, 3.0])
    record = one.run(well.gradient, 50, loss=well, save_every=10)
    for _ in range(50):
        other.step(well.gradient(other.theta))
    assert np.array_equal(one.theta, other.theta) and np.array_equal(record.final, one.theta)
    assert record.steps.tolist() == [0, 10, 20, 30, 40]
    assert record.theta.shape == (5, 2) and record.loss.shape == record.C.shape == (5,)
    assert record.loss[0] == pytest.approx(float(well(np.array([0.3, -0.2]))))
    assert record.stopped == -1


def test_a_window_closes_and_restores_to_the_bit():
    learner = HarmonicLearner([0.0], 0.1, 0.3, dt=0.1, boost=5.0, window=4, warm_up=2, seed=1)
    noise = []
    for k in range(12):
        learner.step([0.0 if k in (3, 4) else 100.0])
        noise.append(learner.D)  # of the next step
    assert noise == [0.3] * 3 + [1.5] * 3 + [0.3] * 6  # step 3 opens it, and steps 3 to 6 are raised
    written = HarmonicLearner([0.0], 0.1, 0.3, dt=0.1, boost=5.0, window=4, warm_up=2, rule="as written", seed=1)
    for k in range(12):
        written.step([0.0 if k in (3, 4) else 100.0])
    assert pytest.approx(0.3 * 25.0) == written.D  # twice multiplied, never restored


def test_schedules_and_temperature():
    learner = HarmonicLearner([1.0], Cosine(0.2, 0.1, 100), 0.01, dt=1.0, momentum=0.5)
    assert learner.temperature == pytest.approx(0.01 / (0.2 * 0.5))
    learner.run(lambda x: x, 100)
    assert learner.temperature == pytest.approx(0.01 / (0.1 * 0.5))
    assert HarmonicLearner([0.0]).temperature == pytest.approx(1.0)  # the document's defaults


@pytest.mark.parametrize("beta", [0.0, 0.7])
def test_descent_variance(beta):
    k, s, eta, batch = 1.5, 0.8, 0.4, 3.0
    # second moments of (x, v) by Lyapunov's equation, scipy
    step = np.array([[1.0 - eta * k, beta], [-eta * k, beta]])
    push = eta * s / math.sqrt(batch) * np.ones(2)
    exact = solve_discrete_lyapunov(step, np.outer(push, push))[0, 0]
    assert theory.descent_variance(k, s, eta, batch, beta) == pytest.approx(exact, rel=1e-12)
    n = 20_000
    learner = HarmonicLearner(
        np.zeros((n, 1)), eta, 0.5 * (eta * s) ** 2 / batch, momentum=beta, seed=3
    )  # 2 D dt = eta^2 s^2/B
    x = learner.run(QuadraticForm([k]).gradient, 80, save_every=80).final[:, 0]
    value, error = np.mean(x**2), np.std(x**2) / math.sqrt(n)
    assert abs(value - exact) < 5.0 * error
    assert not abs(1.44 * value - exact) < 5.0 * 1.44 * error
    with pytest.raises(ValueError, match="eta must be below 2"):
        theory.descent_variance(1.0, 1.0, 2.0 * (1.0 + beta), momentum=beta)


@pytest.mark.parametrize("window", [1, 10])
def test_survival_of_the_boosted_chain(window):
    rule = {"boost": 10.0, "window": window, "warm_up": 20}
    law = theory.descent_survival(V, -1.0, (-3.0, 0.0), 0.05, 0.05, 200, **rule)
    n = 4000
    learner = HarmonicLearner(np.full((n, 1), -1.0), 0.05, 0.05, dt=0.05, seed=11, **rule)
    stopped = learner.run(gradient, 200, stop=lambda x: x[:, 0] > 0.0, save_every=200).stopped
    other = theory.descent_survival(V, -1.0, (-3.0, 0.0), 0.05, 0.05, 200, **{**rule, "boost": 14.4})
    for k in (30, 100, 200):
        share = np.mean((stopped < 0) | (stopped > k))
        error = math.sqrt(law[k] * (1.0 - law[k]) / n)
        assert abs(share - law[k]) < 5.0 * error
    assert not abs(share - other[200]) < 5.0 * error
    assert law[0] == 1.0 and np.all(np.diff(law) < 1e-12)


def test_survival_against_the_mean_and_the_equation():
    steps = boosted.mean_exit_steps(V, -1.0, (-2.5, 0.0), 0.01, 0.1)
    law = theory.descent_survival(V, -1.0, (-2.5, 0.0), 0.01, 0.1, 40_000)
    assert law.sum() == pytest.approx(steps, rel=1e-4)  # E N = sum P(N > n); 5e-5 are left
    finer = [
        0.25 * 0.01 * 4 * steps,
        *(e * theory.mean_exit_steps(V, -1.0, (-2.5, 0.0), e, 0.1) for e in (2.5e-3, 6e-4)),
    ]
    exact = float(theory.mean_exit_time(Langevin(V, 0.1), -1.0, (-math.inf, 0.0)))
    assert abs(finer[2] / exact - 1.0) < abs(finer[1] / exact - 1.0) + 5e-3
    assert finer[2] == pytest.approx(exact, rel=0.02)  # watched at steps: O(sqrt(eta))


def test_helpers():
    assert learning.barrier_estimate(0.2, 0.5) == pytest.approx(0.3)
    assert learning.barrier_estimate(0.5, 0.2) == 0.0
    time = learning.escape_time(0.25, 0.05, 2.0, -1.0)
    assert time * theory.eyring_kramers_rate(Langevin(V, 0.05), -1.0, 0.0) == pytest.approx(1.0, rel=1e-12)
    assert learning.escape_time_as_stated(0.25, 0.05) == pytest.approx(math.exp(5.0))
    assert [learning.regime(C) for C in (0.2, 1.0, 5.0, 30.0)] == [
        "diffusive",
        "critical",
        "transitional",
        "deterministic",
    ]
    assert [learning.step_advice(C) for C in (0.4, 0.5, 20.0, 21.0)] == [1.5, 1.0, 1.0, 0.7]


def test_the_metric_ratio_is_the_same_in_every_chart():
    rng, hat = np.random.default_rng(2), Langevin(MexicanHat(2), 0.2)
    A, x, M = rng.standard_normal((2, 2)) + 2 * np.eye(2), np.array([0.4, 1.1]), np.array([[2.0, 0.3], [0.3, 0.5]])
    g = hat.potential.gradient(x)
    there = np.linalg.solve(A.T, g)
    exact = there @ (A @ M @ A.T) @ there / (2 * 0.2)
    assert theory.metric_consolidation_ratio(hat, x, M) == pytest.approx(exact, rel=1e-12)
    assert theory.metric_consolidation_ratio(hat, x, 1.0) == pytest.approx(theory.consolidation_ratio(hat, x))
    line = theory.metric_consolidation_ratio(Langevin(Quartic(), 0.5), np.array([1.0, 2.0]), np.array([0.5, 0.1]))
    assert line == pytest.approx([1.0, 0.1 * 64 / 0.5])
    with pytest.raises(ValueError, match="metric_inverse must not be negative"):
        theory.metric_consolidation_ratio(hat, x, -1.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: HarmonicLearner(0.0), ValueError, "theta must have shape"),
        (lambda: HarmonicLearner([0.0], 0.0), ValueError, "learning_rate must be positive"),
        (lambda: HarmonicLearner([0.0], momentum=1.0), ValueError, r"momentum must lie in \[0, 1\)"),
        (lambda: HarmonicLearner([0.0], boost=0.5), ValueError, "boost must be at least 1"),
        (lambda: HarmonicLearner([0.0], rule="other"), ValueError, "rule must be one of"),
        (lambda: HarmonicLearner([0.0]).step([1.0, 2.0]), ValueError, "gradient must have the shape of theta"),
        (
            lambda: HarmonicLearner([0.0]).run(lambda x: np.zeros(2), 1),
            ValueError,
            r"gradient\(theta\) must have shape",
        ),
        (lambda: HarmonicLearner([1.0], 3.0).run(lambda x: x, 2000), FloatingPointError, "theta left the finite"),
        (
            lambda: theory.descent_survival(V, 1.0, (-2.0, 0.0), 0.01, 0.1, 9),
            ValueError,
            "domain must be finite and hold",
        ),
        (lambda: theory.descent_survival(V, -1.0, (-2.0, 0.0), 1e-8, 0.1, 9), ValueError, "domain must be narrower"),
        (lambda: learning.escape_time(0.1, 0.1, 1.0, 1.0), ValueError, "saddle must be a negative curvature"),
        (lambda: learning.regime(-1.0), ValueError, "C must not be negative"),
    ],
)
def test_refusals(call, error, message):
    with pytest.raises(error, match=message):
        call()
