"""Experiments with minibatches: noise by step and batch, escapes, label noise; each against exact laws and a planted error."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from shld_sim import DoubleWell, Langevin, learning, theory
from shld_sim.learning.experiments import (
    batch_scaling,
    chain_escape_steps,
    escape,
    escape_barriers,
    label_noise,
    sine_unit,
)

ONE = (1, 1, 1)


def deviation(values, expected):
    """Deviation of a mean from what is expected, in standard errors."""
    return (np.mean(values) - expected) / (np.std(values, ddof=1) / math.sqrt(len(values)))


# -- step and batch ----


@pytest.fixture(scope="module")
def drawn():
    return batch_scaling(((0.1, 1), (0.4, 4), (0.8, 16)), n_samples=256, data_sets=40, seed=5)


def test_noise_per_step_is_as_stated(drawn):
    for i, (eta, B) in enumerate(zip(drawn.eta, drawn.batch, strict=True)):
        assert abs(deviation(drawn.per_step[i], eta**2 / B)) < 5
        assert abs(deviation(drawn.per_step[i], 1.44 * eta**2 / B)) > 5


def test_what_is_kept_is_the_variance_of_the_chain(drawn):
    for i, (eta, B) in enumerate(zip(drawn.eta, drawn.batch, strict=True)):
        exact = theory.descent_variance(1.0, 1.0, eta, int(B))
        assert abs(deviation(drawn.variance[i], exact)) < 5
        assert abs(deviation(drawn.variance[i], 1.44 * exact)) > 5
        assert abs(deviation(drawn.after[i], (1 - eta) ** (64 // B))) < 5


def test_two_estimates_of_D_are_right_and_two_are_not(drawn):
    for i, (eta, B) in enumerate(zip(drawn.eta, drawn.batch, strict=True)):
        right = eta / (2 * B)
        assert all(abs(deviation(drawn.D[j, i], right)) < 5 for j in (2, 3))
        assert all(abs(deviation(drawn.D[j, i], right)) > 5 for j in (0, 1))
        assert abs(deviation(drawn.D[0, i], 1 / (2 * B))) < 5  # half a variance, whatever the step


@pytest.mark.parametrize(("eta", "B", "n"), [(0.05, 1, 64), (0.1, 4, 64), (0.02, 8, 64), (0.5, 32, 64)])
def test_epochs_have_less_variance(eta, B, n):
    """Against the law for shuffled epochs; that of independent draws does not fit."""
    found = batch_scaling(((eta, B),), n_samples=n, data_sets=60, order="epochs", examples=64, length=60, seed=6)
    exact = theory.shuffled_descent_variance(1.0, 1.0, eta, B, n)
    assert abs(deviation(found.variance[0], exact)) < 5
    assert abs(deviation(found.variance[0], theory.descent_variance(1.0, 1.0, eta, B))) > 5


def test_shuffled_variance_by_all_orders():
    """Four examples one by one: the mean over the 24 orders of an epoch, iterated until nothing changes."""
    from itertools import permutations

    c, eta, k = np.array([1.0, -2.0, 0.5, 0.5]), 0.3, 1.5
    q = 1 - eta * k
    pushes = np.array([sum(-eta * e * q ** (3 - j) for j, e in enumerate(order)) for order in permutations(c)])
    assert abs(pushes.mean()) < 1e-12
    exact = np.mean(pushes**2) / (1 - q**8)
    assert theory.shuffled_descent_variance(k, math.sqrt(np.mean(c**2)), eta, 1, 4) == pytest.approx(exact, rel=1e-12)


def test_limits_of_the_shuffled_variance():
    long, short = (theory.shuffled_descent_variance(1.0, 2.0, eta, 1, 100_000) for eta in (0.1, 1e-7))
    assert long == pytest.approx(theory.descent_variance(1.0, 2.0, 0.1), rel=1e-3)
    assert short == pytest.approx(theory.descent_variance(1.0, 2.0, 1e-7) * 0.01**2 / 12, rel=0.01)


def test_a_run_in_epochs_is_that_of_train():
    """The spread at the end of epochs of `train`, one parameter at a time, has the same law."""
    task, network = learning.noisy_quadratic([1.0], 1.0, 16, seed=1), learning.Bowl((1.0,))
    middle, scale = task.targets.mean(), task.targets.std()
    ends = []
    for seed in range(60):
        run = learning.train(network, task, learning.Descent(0.1), 64, batch=2, seed=seed, theta=[middle], every=64)
        ends.append((run.theta[0] - middle) ** 2 / scale**2)
    exact = theory.shuffled_descent_variance(1.0, 1.0, 0.1, 2, 16)
    left = 1 - 0.9**128  # 64 steps from the minimum
    assert abs(deviation(ends, left * exact)) < 5
    assert abs(deviation(ends, theory.descent_variance(1.0, 1.0, 0.1, 2))) > 5


# -- escapes ----


def test_tabulated_times_are_those_of_the_quadrature():
    V = DoubleWell()
    x = np.linspace(-3.0, 0.0, 4001)
    found = theory.tabulated_exit_time(x, -V.gradient(x), np.full(x.shape, 2 * 0.05))
    exact = theory.mean_exit_time(Langevin(V, 0.05), -1.0, (-np.inf, 0.0))
    assert np.interp(-1.0, x, found) == pytest.approx(exact, rel=1e-5)
    assert found[-1] == 0.0


def test_tabulated_times_with_noise_that_depends_on_the_place():
    """dX = m X dt + s X dW (Ito) from a mirror at 1 to e: ln X is Brownian with the drift m - s^2/2, not m (Stratonovich)."""
    m, s, x = 0.3, 0.5, np.exp(np.linspace(0.0, 1.0, 4001))

    def exact(drift):
        return 1 / drift - s * s / (2 * drift**2) * -math.expm1(-2 * drift / s**2)

    found = theory.tabulated_exit_time(x, m * x, s * s * x * x)[0]
    assert found == pytest.approx(exact(m - s * s / 2), rel=1e-5)
    assert abs(found / exact(m) - 1) > 0.05


def test_the_sine_unit_has_the_slope_of_its_loss():
    task = escape(((0.4, 1),), runs=2, max_steps=10, seed=1).task
    theta = np.linspace(-2.0, 4.0, 7)
    loss, slope, _ = sine_unit(theta, task)
    up, down = (sine_unit(theta + h, task)[0] for h in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (up - down) / 2e-5, atol=1e-8)
    u, y = task.inputs[:, 0], task.targets[:, 0]
    one = (np.sin(2.0 * u) - y) * u * np.cos(2.0 * u)
    assert sine_unit([2.0], task)[2][0] == pytest.approx(np.mean((one - one.mean()) ** 2))
    assert loss[theta == 3.0] < loss[theta == 0.0] < loss[theta == 1.0]


@pytest.fixture(scope="module")
def escapes():
    return escape(((0.3, 1), (0.4, 2), (0.3, 4), (0.3, 0)), runs=300, max_steps=1500, seed=3)


def test_escapes_follow_the_exact_law_of_the_chain(escapes):
    exact = chain_escape_steps(escapes.task, 0.3)
    assert abs(escapes.mean_steps[0] - exact) < 5 * escapes.stderr[0]
    assert chain_escape_steps(escapes.task, 0.3, 2000) == pytest.approx(exact, rel=2e-3)
    # another step, or the diffusion that has the same variance, would be noticed
    assert abs(escapes.mean_steps[0] - chain_escape_steps(escapes.task, 0.27)) > 5 * escapes.stderr[0]
    assert escapes.mean_steps[0] - escapes.diffusion_steps[0] > 5 * escapes.stderr[0]


def test_no_escape_without_noise_and_few_with_little(escapes):
    assert (escapes.escaped[3] == -1).all() and escapes.mean_steps[3] == escapes.diffusion_steps[3] == np.inf
    lost = escapes.escaped[2] < 0
    assert lost.any()
    k, total = (~lost).sum(), np.where(lost, 1500, escapes.escaped[2]).sum()
    assert escapes.mean_steps[2] == pytest.approx(total / k)
    assert escapes.stderr[2] == pytest.approx(total / k**1.5)


def test_the_exact_barrier_is_the_slope_of_the_exact_law(escapes):
    """ln T against 1/eta: the tails of the gradients count, at every step; the barrier of the diffusion is too low."""
    diffusion, exact = escape_barriers(escapes.task)
    etas = np.array([0.04, 0.05, 0.06])
    logs = np.log([eta * chain_escape_steps(escapes.task, eta) for eta in etas])
    slopes = np.diff(logs) / np.diff(1 / etas)
    # the prefactor of an exit at a distance behind the top changes slowly: about eta/2 of ln T a unit of 1/eta
    assert abs(slopes[0] - exact) < 0.03 < slopes[0] - diffusion


# -- label noise ----


def test_imbalance_changes_by_the_formula():
    rng = np.random.default_rng(1)
    W1, W2, G = rng.standard_normal((3, 4)), rng.standard_normal((2, 3)), rng.standard_normal((2, 4))
    new1, new2 = W1 - 0.1 * W2.T @ G, W2 - 0.1 * G @ W1.T
    change = (new2.T @ new2 - new1 @ new1.T) - (W2.T @ W2 - W1 @ W1.T)
    np.testing.assert_allclose(theory.imbalance_change(W1, W2, G, 0.1), change, atol=1e-12)
    x, y, e = 0.3, 1.7, 0.9
    scalar = theory.imbalance_change([[x]], [[y]], [[e]], 0.1)[0, 0]
    assert scalar == pytest.approx((theory.imbalance_factor(0.1, e) - 1.0) * (y * y - x * x))


@pytest.mark.parametrize(("d", "k", "start"), [(1, 1, 4.0), (6, 2, 4.0), (2, 6, 0.1), (3, 3, 1.0)])
def test_slow_flow_solves_its_equation(d, k, start):
    def flow(t, z):
        return -2 * 0.01 * z * (d * z - 4 * k) / (z + 4)

    times = np.array([0.0, 1.0, 10.0, 100.0])
    z = solve_ivp(flow, (0, 100), [start**2], rtol=1e-11, atol=1e-13, t_eval=times).y[0]
    np.testing.assert_allclose(theory.label_noise_sizes(start, d, k, 0.01, times, 2.0), np.sqrt(z), rtol=1e-8)
    assert theory.label_noise_sizes(start, d, k, 0.01, 1e6, 2.0) ** 2 == pytest.approx(4 * k / d)


def test_numbers_are_those_of_the_product_network():
    """One step of everything at once, without noise, is a step of `train` on `Product`."""
    run = label_noise(ONE, eta=0.05, noise=0.0, steps=3, batch=10, n_samples=10, runs=1, every=1, seed=2)
    a, b = np.sqrt(run.first[:, 0]), np.sqrt(run.second[:, 0])
    sign = 1.0 if run.error[0, 0] < 1.0 else -1.0  # of the product, against a teacher of length one
    task, network = learning.noisy_product(10), learning.Product()
    made = learning.train(network, task, learning.Descent(0.05), 3, theta=[a[0], sign * b[0]], every=1)
    np.testing.assert_allclose(np.abs(made.theta), [a[-1], b[-1]], rtol=1e-12)


@pytest.mark.parametrize("shape", [ONE, (5, 3, 2)])
def test_every_step_keeps_the_identity_and_gradient_flow_the_imbalance(shape):
    noisy = label_noise(shape, steps=200, every=1, runs=5, seed=1)
    assert noisy.defect < 1e-14
    errors = []
    for eta in (4e-3, 2e-3):
        quiet = label_noise(shape, eta=eta, noise=0.0, batch=100, n_samples=100, steps=int(8 / eta), runs=5, seed=1)
        assert (quiet.error[-1] < 1e-3).all()
        errors.append(np.abs(quiet.imbalance[-1] - quiet.imbalance[0]).max())
    assert errors[1] < 0.02
    assert errors[1] / errors[0] == pytest.approx(0.5, abs=0.05)  # of the order of the step


def test_a_wrong_sign_is_a_defect(monkeypatch):
    right = theory.imbalance_change
    monkeypatch.setattr(theory, "imbalance_change", lambda *given: -right(*given))
    assert label_noise((5, 3, 2), steps=5, every=1, runs=2, seed=1).defect > 1e-6


def test_numbers_decay_by_the_residuals_they_used():
    """The mean of ln of the imbalance falls by eta^2 E e^2 a step where the function is learned: e is noise and residual."""
    run = label_noise(ONE, eta=0.01, steps=2000, every=500, runs=200, seed=4)
    logs = np.log(np.abs(run.imbalance[1:]))
    rates = -(logs[-1] - logs[0]) / 1500 / 0.01**2
    # E (e x)^2 = 1 + E r^2 x^4, with the residual r x from the records; -ln(1 - z) is z to 1e-3
    rates -= run.error[1:].mean(axis=0) * np.mean(run.inputs**4)
    assert abs(deviation(rates, 1.0)) < 5
    assert abs(deviation(rates, 1.2)) > 5


@pytest.mark.parametrize("shape", [(6, 1, 2), (6, 3, 2), (2, 2, 6)])
def test_layers_end_balanced_only_if_outputs_are_as_many_as_inputs(shape):
    """d |W2|^2 = k |W1|^2 in the end, up to the step: extrapolated from two steps."""
    d, _, k = shape
    logs = []
    for eta, seed in ((0.03, 1), (0.015, 2)):
        run = label_noise(
            shape, eta=eta, steps=int(4 / (eta**2 * min(d, k))), runs=60, every=50, start=(1, 1), seed=seed
        )
        late = slice(len(run.steps) * 3 // 4, None)
        logs.append(np.log(run.first[late].mean(axis=0) / run.second[late].mean(axis=0)))
    ends = 2 * logs[1] - logs[0]
    assert abs(deviation(ends, math.log(d / k))) < 5
    assert abs(deviation(ends, 0.0)) > 5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batch_scaling(((2.0, 1),)), r"eta must be below 2/curvature = 2\.0, got 2\.0"),
        (lambda: batch_scaling(((0.1, 3),), order="epochs"), "batch must divide n_samples = 512, got 3"),
        (lambda: batch_scaling(((0.1, 3),)), "examples must be a multiple of every batch, got 64 for a batch of 3"),
        (lambda: batch_scaling(((0.1, 1),), order="sorted"), "order must be one of 'replacement', 'epochs'"),
        (lambda: escape(((0.1, 1),), frequency=1.0), r"frequency must be above 2\.5 .* got 1\.0"),
        (lambda: escape(((0.1, -1),)), "batch must be at least 0, got -1"),
        (lambda: label_noise((300, 1, 1)), "n_samples must be at least 300, the number of inputs, got 200"),
        (lambda: label_noise(batch=201), "batch must be at most 200, the number of examples, got 201"),
        (lambda: theory.shuffled_descent_variance(1.0, 1.0, 0.1, 3, 8), "batch must divide n = 8"),
        (lambda: theory.shuffled_descent_variance(1.0, 1.0, 2.0, 1, 8), r"eta must be below 2/k = 2\.0, got 2\.0"),
        (lambda: theory.tabulated_exit_time([0, 1], [0, 0], [1, 0]), r"variance must be positive, got 0\.0"),
        (lambda: theory.tabulated_exit_time([1, 0], [0, 0], [1, 1]), "x must ascend"),
        (lambda: theory.tabulated_exit_time([0, 1], [0], [1, 1]), "x, drift, variance must be lists of one length"),
        (lambda: theory.imbalance_change(np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), 0.1), "must have shapes"),
        (lambda: theory.label_noise_sizes(0.0, 1, 1, 1.0, 1.0), r"second must be positive, got 0\.0"),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_steps_that_explode_are_reported():
    with pytest.raises(FloatingPointError, match=r"eta must be smaller, got 5\.0"):
        label_noise(ONE, eta=5.0, steps=200)


def test_results_depend_on_the_seed_alone():
    for make in (
        lambda seed: batch_scaling(((0.5, 2),), n_samples=32, data_sets=2, seed=seed).variance,
        lambda seed: escape(((0.4, 1),), runs=3, max_steps=50, seed=seed).task.inputs,
        lambda seed: label_noise(ONE, steps=20, every=10, runs=2, seed=seed).first,
    ):
        np.testing.assert_array_equal(make(7), make(np.random.SeedSequence(7)))
        assert (make(7) != make(8)).any()
