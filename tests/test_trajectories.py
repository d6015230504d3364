"""Drift and diffusion from trajectories: exact moments of known processes, coverage, slow formulas, errors they must notice."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

import shld_sim as shld
from shld_sim import diagnostics

K, D = 1.0, 0.5


def ou(rng, dt, n, m, D=D, k=K):
    """Paths of dx = -k x dt + sqrt(2 D) dW by the exact transition, in equilibrium; shape (n, m)."""
    a = math.exp(-k * dt)
    x, s = np.empty((n, m)), math.sqrt(D / k * (1.0 - a * a))
    x[0] = math.sqrt(D / k) * rng.standard_normal(m)
    for i in range(1, n):
        x[i] = a * x[i - 1] + s * rng.standard_normal(m)
    return x


def exact(dt, order):
    """What drift/x and D of the process above become when moments over dt, or dt and 2 dt, stand for derivatives."""
    drift, noise = (
        (lambda t: -(1.0 - math.exp(-K * t)) / t),
        (lambda t: D * (1.0 - math.exp(-2.0 * K * t)) / (2.0 * K * t)),
    )
    return tuple(f(dt) if order == 1 else 2.0 * f(dt) - f(2.0 * dt) for f in (drift, noise))


EDGES = np.linspace(-1.5, 1.5, 13)


def chi2_misfit(value, error, expected):
    """How far the sum of squared deviations lies from its expectation, in its standard deviations (values nearly independent)."""
    z = ((value - expected) / error).ravel()
    return (float((z**2).sum()) - z.size) / math.sqrt(2.0 * z.size)


def by_loops(x, dt, edges, order):
    """The estimates of `drift_diffusion` in one dimension, one increment after the other."""
    found = []
    for low, high in pairwise(edges):
        start = [(i, p) for i in range(len(x) - 2) for p in range(x.shape[1]) if low <= x[i, p] < high]
        one = [x[i + 1, p] - x[i, p] for i, p in start]
        two = [x[i + 2, p] - x[i, p] for i, p in start]
        mean_one, mean_two, n = np.mean(one), np.mean(two), len(start)
        if order == 1:
            f = [d / dt for d in one]
            g = [(d - mean_one) ** 2 / (2 * dt) for d in one]
        else:
            f = [2 * d / dt - e / (2 * dt) for d, e in zip(one, two)]
            g = [(d - mean_one) ** 2 / dt - (e - mean_two) ** 2 / (4 * dt) for d, e in zip(one, two)]
        errors = []
        for values in (f, g):
            rest = dict(zip(start, values - np.mean(values)))
            total = sum(r * r for r in rest.values())
            if order == 2:
                both = total + 2 * sum(r * rest.get((i + 1, p), 0.0) for (i, p), r in rest.items())
                total = both if both > 0.1 * total else total
            errors.append(math.sqrt(total / (n * (n - 1))))
        where = np.mean([x[i, p] for i, p in start])
        found.append((where, np.mean(f), errors[0], np.mean(g) * n / (n - 1), errors[1], n))
    return np.array(found).T


@pytest.mark.parametrize("order", [1, 2])
def test_against_loops(order):
    x, edges = ou(np.random.default_rng(0), 0.1, 150, 3), np.linspace(-1.0, 1.0, 5)
    e = diagnostics.drift_diffusion(x, 0.1, edges, order=order)
    expected = by_loops(x, 0.1, edges, order)
    for value, column in zip((e.x, e.drift, e.drift_stderr, e.D, e.D_stderr, e.count), expected):
        np.testing.assert_allclose(value, column, rtol=1e-10)
    low, high = e.drift_interval
    np.testing.assert_allclose(high - low, 2 * 1.959963984540054 * e.drift_stderr)
    np.testing.assert_allclose(np.mean(e.D_interval, axis=0), e.D)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("kernel", [False, True])
def test_moments_of_a_known_process(order, kernel):
    """Each estimate at a coarse step has its exact mean, and errors of the size it says; other noise is noticed."""
    rng, dt, repeats = np.random.default_rng(1), 0.1, 40
    slope, noise = exact(dt, order)
    x = ou(rng, dt, 1000, 10 * repeats).reshape(1000, repeats, 10)
    louder = ou(rng, dt, 1000, 10, D=2.0 * D)  # a factor sqrt 2 in the noise

    def estimate(paths):
        if kernel:
            return diagnostics.drift_diffusion_kernel(paths, dt, np.linspace(-1.0, 1.0, 5), 0.3, order=order)
        return diagnostics.drift_diffusion(paths, dt, EDGES, order=order)

    found = [estimate(x[:, i]) for i in range(repeats)]
    places = found[0].x.size
    for values, errors, expected in (
        ([e.drift for e in found], [e.drift_stderr for e in found], [slope * e.x for e in found]),
        ([e.D for e in found], [e.D_stderr for e in found], noise),
    ):
        z = (np.array(values) - np.array(expected)) / np.array(errors)
        assert np.abs(z.mean(axis=0)).max() < 5.0 / math.sqrt(repeats)
        # spread of z: errors that left out the covariance of neighbours would be off by a third and more at order 2
        assert abs(z.std() - 1.0) < 5.0 / math.sqrt(2.0 * repeats * places) + 0.05  # errors are estimates themselves
        inside = float((np.abs(z) < 1.959963984540054).mean())
        assert abs(inside - 0.95) < 5.0 * math.sqrt(0.95 * 0.05 / z.size) + 0.01
    wrong = estimate(louder)
    assert np.mean((wrong.D - noise) / wrong.D_stderr) > 5.0


def test_the_step_counts_in_first_order_and_not_in_second():
    rng, dt = np.random.default_rng(2), 0.1
    x = ou(rng, dt, 4000, 50)
    off = {order: diagnostics.drift_diffusion(x, dt, EDGES, order=order) for order in (1, 2)}
    weight = off[1].count / off[1].count.sum()
    bias = {order: float(weight @ e.D) / D - 1.0 for order, e in off.items()}
    error = math.sqrt(2.5 / off[1].count.sum())
    assert abs(bias[1] + 0.094) < 5.0 * error and abs(bias[2] + 0.0121) < 5.0 * error  # -k dt and -4/3 (k dt)^2
    assert not abs(bias[1]) < 5.0 * error


def test_double_well_from_simulate():
    """Paths as `simulate` returns them, with a drift that is not linear."""
    V = shld.DoubleWell()
    run = shld.simulate(shld.Langevin(V, 0.25), -1.0, 2e-3, 40.0, 100, seed=3, save_every=10)
    e = diagnostics.drift_diffusion(run.x, 0.02, np.linspace(-1.3, 1.3, 14))
    expected = -V.gradient(e.x)
    assert abs(chi2_misfit(e.drift, e.drift_stderr, expected)) < 5.0
    assert abs(chi2_misfit(e.D, e.D_stderr, 0.25)) < 5.0
    assert chi2_misfit(e.D, e.D_stderr, 0.25 * 1.2**2) > 5.0
    assert chi2_misfit(e.drift, e.drift_stderr, -expected) > 5.0
    same = diagnostics.drift_diffusion_kernel(run.x, 0.02, [-1.0, 0.0, 0.5], 0.15)
    assert abs(chi2_misfit(same.drift, same.drift_stderr, -V.gradient(same.x))) < 5.0
    assert abs(chi2_misfit(same.D, same.D_stderr, 0.25)) < 5.0


def test_diffusion_that_depends_on_the_position():
    """Ito: the drift is the one of the equation, without D'."""
    rng, dt, fine = np.random.default_rng(4), 0.02, 10
    x, kept = np.zeros(200), []
    for i in range(2000 * fine):
        x = x - x * (dt / fine) + np.sqrt(2.0 * (0.2 + 0.1 * x * x) * dt / fine) * rng.standard_normal(x.size)
        if i % fine == 0:
            kept.append(x)
    e = diagnostics.drift_diffusion(np.array(kept), dt, np.linspace(-0.9, 0.9, 10))
    assert abs(chi2_misfit(e.D, e.D_stderr, 0.2 + 0.1 * e.x**2)) < 5.0
    assert abs(chi2_misfit(e.drift, e.drift_stderr, -e.x)) < 5.0
    assert chi2_misfit(e.D, e.D_stderr, 0.2 + 0.1 * np.mean(e.x**2)) > 5.0
    assert chi2_misfit(e.drift, e.drift_stderr, -1.2 * e.x) > 5.0  # -x - D'


def test_two_coordinates():
    """A rotating drift and correlated noise; exact transition by many small steps."""
    rng, dt, fine = np.random.default_rng(5), 0.05, 20
    A, B = np.array([[-1.0, 2.0], [-2.0, -1.0]]), np.array([[0.6, 0.0], [0.4, 0.5]])
    x, kept = np.zeros((300, 2)), []
    for i in range(600 * fine):
        x = x + x @ A.T * (dt / fine) + math.sqrt(dt / fine) * rng.standard_normal(x.shape) @ B.T
        if i % fine == 0:
            kept.append(x)
    points = np.array(kept)
    e = diagnostics.drift_diffusion(points, dt, [np.linspace(-0.6, 0.6, 5), np.linspace(-0.5, 0.5, 4)], dim=2)
    assert e.x.shape == e.drift.shape == (4, 3, 2) and e.D.shape == (4, 3, 2, 2) and e.count.shape == (4, 3)
    np.testing.assert_array_equal(e.D, e.D.swapaxes(-1, -2))
    # what is left of the second order in dt: -2/3 dt^2 A^3 x, and as much of D
    slope = (2.0 * (expm(A, dt) - np.eye(2)) - 0.5 * (expm(A, 2 * dt) - np.eye(2))) / dt
    assert abs(chi2_misfit(e.drift, e.drift_stderr, e.x @ slope.T)) < 5.0
    assert chi2_misfit(e.drift, e.drift_stderr, e.x @ slope) > 5.0  # rotating the other way
    matrix = 0.5 * B @ B.T
    for i, j in ((0, 0), (0, 1), (1, 1)):
        assert np.abs(e.D[..., i, j] - matrix[i, j]).max() < 5.0 * e.D_stderr[..., i, j].max() + 0.02 * matrix[i, i]
    assert np.abs(e.D[..., 0, 1]).min() > 5.0 * e.D_stderr[..., 0, 1].max()
    whole = diagnostics.drift_diffusion(points, dt, 1, dim=2, order=1)
    assert whole.D.shape == (1, 1, 2, 2)


def expm(A, t):
    """exp of the matrix above: a rotation that decays."""
    c, s = math.cos(2.0 * t), math.sin(2.0 * t)
    return math.exp(-t) * np.array([[c, s], [-s, c]])


def test_kernel_by_least_squares():
    x, dt, place, h = ou(np.random.default_rng(6), 0.1, 300, 2), 0.1, 0.4, 0.5
    e = diagnostics.drift_diffusion_kernel(x, dt, [place], h, order=1)
    start, step = x[:-2].ravel(), (x[1:-1] - x[:-2]).ravel()
    near = np.abs(start - place) < h
    root = np.sqrt(1.0 - ((start[near] - place) / h) ** 2)
    design = np.stack([np.ones(near.sum()), start[near] - place], axis=1)
    (value, slope), *_ = np.linalg.lstsq(design * root[:, None], step[near] / dt * root, rcond=None)
    assert e.drift[0] == pytest.approx(value, rel=1e-9) and e.count[0] == near.sum()
    rest = (step[near] - dt * design @ [value, slope]) ** 2 / (2.0 * dt)
    (middle, _), *_ = np.linalg.lstsq(design * root[:, None], rest * root, rcond=None)
    assert 0.0 < e.D[0] / middle - 1.0 < 3.0 / near.sum() * 4.0  # freedom taken by the drift
    far = diagnostics.drift_diffusion_kernel(x, dt, [50.0], h)
    assert np.isnan(far.drift[0]) and np.isnan(far.D[0]) and far.count[0] == 0


def test_bins_with_few_points_say_nothing():
    e = diagnostics.drift_diffusion(ou(np.random.default_rng(7), 0.1, 400, 1), 0.1, [-9.0, -8.0, 0.0, 1.0])
    assert np.isnan(e.drift[0]) and np.isnan(e.D[0]) and np.isnan(e.D_stderr[0]) and e.count[0] == 0
    assert np.isfinite(e.D[1:]).all()
    assert diagnostics.drift_diffusion(ou(np.random.default_rng(7), 0.1, 400, 1)[:, 0], 0.1, 5).x.shape == (5,)


# ---- measurement noise ----


@pytest.mark.parametrize("s", [0.0, 0.3])
def test_measurement_noise_does_not_count_as_diffusion(s):
    rng, dt, repeats = np.random.default_rng(8), 0.1, 800
    walk = np.cumsum(math.sqrt(2.0 * D * dt) * rng.standard_normal((401, repeats)), axis=0)
    x = walk + s * rng.standard_normal(walk.shape)
    found = [diagnostics.noisy_diffusion_constant(x[:, i], dt) for i in range(repeats)]
    z = np.array([(e.D - D) / e.stderr for e in found])
    w = np.array([(e.variance - s * s) / e.variance_stderr for e in found])
    for values in (z, w):
        assert abs(values.mean()) < 5.0 / math.sqrt(repeats) + 0.05  # errors go with the estimates: skew
        assert abs(values.std() - 1.0) < 5.0 / math.sqrt(2.0 * repeats)
    inside = np.mean([e.interval[0] <= D <= e.interval[1] for e in found])
    assert abs(inside - 0.95) < 5.0 * math.sqrt(0.95 * 0.05 / repeats)
    plain = diagnostics.diffusion_constant(x, dt)
    assert abs(plain.D - D - s * s / dt) < 5.0 * 1.5 * plain.stderr  # the noise as if it were motion
    whole = diagnostics.noisy_diffusion_constant(x, dt)
    assert abs(whole.D - D) < 5.0 * whole.stderr
    assert not abs(whole.D - 2.0 * D) < 5.0 * whole.stderr
    plane = diagnostics.noisy_diffusion_constant(x.reshape(401, -1, 2), dt, dim=2)
    assert (plane.D, plane.stderr, plane.n) == pytest.approx((whole.D, whole.stderr, whole.n), rel=1e-12)


# ---- Ornstein-Uhlenbeck ----


def test_the_likelihood_is_the_largest():
    x, dt = ou(np.random.default_rng(9), 0.3, 60, 4) + 2.0, 0.3
    e = diagnostics.fit_ornstein_uhlenbeck(x, dt)

    def log_likelihood(k, center, D):
        a = math.exp(-k * dt)
        return norm.logpdf(x[1:], center + a * (x[:-1] - center), math.sqrt(D / k * (1.0 - a * a))).sum()

    best = log_likelihood(e.k, e.center, e.D)
    assert e.log_likelihood == pytest.approx(best, rel=1e-10) and e.n == 59 * 4
    for i, factor in ((0, 1.01), (0, 0.99), (1, 1.01), (1, 0.99), (2, 1.01), (2, 0.99)):
        moved = [e.k, e.center, e.D]
        moved[i] *= factor
        assert log_likelihood(*moved) < best


@pytest.mark.parametrize(("dt", "n"), [(0.1, 1001), (1.0, 301)])
def test_intervals_of_a_known_process_cover(dt, n):
    rng, repeats = np.random.default_rng(10), 800
    x = ou(rng, dt, n, repeats) - 1.0
    found = [diagnostics.fit_ornstein_uhlenbeck(x[:, i], dt) for i in range(repeats)]
    allowed = 5.0 * math.sqrt(0.95 * 0.05 / repeats)
    for name, true, wrong in (("k", K, 2.0 * K), ("center", -1.0, 0.0), ("D", D, 2.0 * D)):
        ends = np.array([getattr(e, f"{name}_interval") for e in found])
        assert abs(np.mean((ends[:, 0] <= true) & (true <= ends[:, 1])) - 0.95) < allowed
        assert np.mean((ends[:, 0] <= wrong) & (wrong <= ends[:, 1])) < 0.5  # the noise sqrt 2 too strong, and the like
    k, bias = (np.array([getattr(e, name) for e in found]) for name in ("k", "k_bias"))
    error = k.std() / math.sqrt(repeats)
    assert abs((k - bias).mean() - K) < 5.0 * error
    if dt == 0.1:
        assert (k.mean() - K) > 5.0 * error  # 4/T


def test_paths_of_simulate_are_fitted_together():
    run = shld.simulate(shld.Langevin(shld.Harmonic(2.0), 0.3), 0.0, 1e-3, 20.0, 100, seed=11, save_every=50)
    e = diagnostics.fit_ornstein_uhlenbeck(run.x, 0.05)
    assert e.k_interval[0] < 2.0 < e.k_interval[1] and e.D_interval[0] < 0.3 < e.D_interval[1]
    assert e.k_interval[1] / e.k_interval[0] < 1.2 and e.D_interval[1] / e.D_interval[0] < 1.05


def test_no_confinement_and_no_correlation():
    walks = np.cumsum(np.random.default_rng(12).standard_normal((1000, 400)), axis=0)
    ends = np.array([diagnostics.fit_ornstein_uhlenbeck(walk, 1.0).k_interval for walk in walks.T])
    # the law of the estimate is not normal at k = 0: 0.87 and 0.06, as the docstring says, of 2000 other walks
    assert abs(np.mean((ends[:, 0] < 0.0) & (ends[:, 1] > 0.0)) - 0.87) < 5.0 * math.sqrt(0.87 * 0.13 / 400)
    assert abs(np.mean(ends[:, 0] > 0.0) - 0.06) < 5.0 * math.sqrt(0.06 * 0.94 / 400)
    white = diagnostics.fit_ornstein_uhlenbeck(np.random.default_rng(13).standard_normal(1000), 1.0)
    assert white.k_interval[1] == math.inf and white.n == 999


x1, x2 = np.arange(30.0) % 7, np.arange(60.0).reshape(30, 2) % 7


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.drift_diffusion([1.0, 2.0], 0.1), r"x must hold at least three points.*\(2,\)"),
        (lambda: diagnostics.drift_diffusion(x1, 0.0), "dt must be positive, got 0"),
        (lambda: diagnostics.drift_diffusion(x1, 0.1, order=3), "order must be 1 or 2, got 3"),
        (lambda: diagnostics.drift_diffusion(x1, 0.1, 0), "bins must be at least 1, got 0"),
        (lambda: diagnostics.drift_diffusion(x1, 0.1, [1.0, 1.0]), r"bins must be ascending edges, got \[1.0, 1.0\]"),
        (lambda: diagnostics.drift_diffusion(x1, 0.1, confidence=2), "confidence must lie strictly"),
        (lambda: diagnostics.drift_diffusion(np.ones(9), 0.1), "x must vary, got 1.0"),
        (lambda: diagnostics.drift_diffusion([0.0, math.nan, 1.0], 0.1), r"x must be finite, got nan at index 1"),
        (lambda: diagnostics.drift_diffusion(x1, 0.1, dim=2), "x must have 2 coordinates"),
        (lambda: diagnostics.drift_diffusion(x2, 0.1, [3], dim=2), "bins must be a number or one entry for each of 2"),
        (lambda: diagnostics.drift_diffusion_kernel(x1, 0.1, 0.0, 1.0), r"at must be a list of places, got shape \(\)"),
        (lambda: diagnostics.drift_diffusion_kernel(x1, 0.1, [0.0], 0.0), "bandwidth must be positive, got 0"),
        (lambda: diagnostics.drift_diffusion_kernel(x1, 0.1, [0.0], 1.0, order=0), "order must be 1 or 2, got 0"),
        (lambda: diagnostics.noisy_diffusion_constant([0.0, 1.0], 0.1), "x must hold at least three points"),
        (lambda: diagnostics.fit_ornstein_uhlenbeck(np.arange(8.0), 0.1), "x must hold eight increments or more"),
        (lambda: diagnostics.fit_ornstein_uhlenbeck(np.ones(20), 0.1), "x must vary, got 1.0 everywhere"),
        (lambda: diagnostics.fit_ornstein_uhlenbeck(0.5 ** np.arange(20.0), 0.1), "x must be random"),
        (lambda: diagnostics.fit_ornstein_uhlenbeck(x1, -0.1), "dt must be positive, got -0.1"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
