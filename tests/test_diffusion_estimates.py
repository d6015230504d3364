"""Estimates of the diffusion constant: exact laws of random walks and of Euler's chain, coverage, and errors they must notice."""

import math

import numpy as np
import pytest

from shld_sim import diagnostics

D, DT = 0.3, 0.02


def walks(rng, n, m, d=1):
    shape = (n, m) if d == 1 else (n, m, d)
    steps = math.sqrt(2.0 * D * DT) * rng.standard_normal(shape)
    return np.concatenate([np.zeros((1, *shape[1:])), np.cumsum(steps, axis=0)])


def held(rng, k, n, m):
    x = np.zeros((n + 1, m))
    for i in range(n):
        x[i + 1] = x[i] - k * x[i] * DT + math.sqrt(2.0 * D * DT) * rng.standard_normal(m)
    return x


def test_a_path_by_hand():
    # squares 1, 4, 9: 14/(2 * 3 * 0.5)
    found = diagnostics.diffusion_constant([0.0, 1.0, 3.0, 0.0], 0.5)
    assert pytest.approx(14.0 / 3.0, rel=1e-14) == found.D
    assert found.n == 3 and found.stderr == pytest.approx(found.D * math.sqrt(2.0 / 3.0))
    # chi-square quantiles with 3 degrees, 0.025 and 0.975: 0.2157952826, 9.3484036045 (tables)
    assert found.interval == pytest.approx((3 * found.D / 9.3484036045, 3 * found.D / 0.2157952826), rel=1e-9)
    two = diagnostics.diffusion_constant([[0.0, 0.0], [3.0, 4.0], [3.0, 4.0]], 1.0, dim=2)
    assert pytest.approx(25.0 / (2 * 2 * 2), rel=1e-14) == two.D
    assert diagnostics.diffusion_constant([0.0, 1.0, 3.0], 1.0, drift=[1.0, 2.0]).D == 0.0
    # sample variance of 0, 1, 2 is 1, over 3
    assert diagnostics.diffusion_from_variance_as_stated([0.0, 1.0, 2.0]) == pytest.approx(1.0 / 3.0)


@pytest.mark.parametrize(("d", "noise"), [(1, "isotropic"), (3, "isotropic"), (3, "any")])
def test_intervals_hold_the_constant(d, noise):
    rng, repeats = np.random.default_rng(5), 800
    paths = walks(rng, 200, repeats, d)
    found = [diagnostics.diffusion_constant(paths[:, i], DT, dim=d, noise=noise) for i in range(repeats)]
    inside = np.mean([e.interval[0] <= D <= e.interval[1] for e in found])
    assert abs(inside - 0.95) < 5.0 * math.sqrt(0.95 * 0.05 / repeats)
    mean = np.mean([e.D for e in found])
    error = D * math.sqrt(2.0 / (200 * d * repeats))
    assert abs(mean - D) < 5.0 * error
    assert not abs(mean - 1.2**2 * D) < 5.0 * error  # noise a fifth too strong


def test_confinement_and_drift():
    rng, k = np.random.default_rng(6), 10.0
    x = held(rng, k, 2000, 400)[500:]
    plain = diagnostics.diffusion_constant(x, DT)
    exact = diagnostics.diffusion_constant(x, DT, drift=-k * x)
    # E dx^2 = 2 D dt + (k dt)^2 Var x on Euler's chain: D/(1 - k dt/2); increments hardly depend on one another
    assert abs(plain.D - D / (1.0 - 0.5 * k * DT)) < 5.0 * 1.2 * plain.stderr
    assert abs(exact.D - D) < 5.0 * exact.stderr
    assert not abs(plain.D - D) < 5.0 * plain.stderr


def test_the_variance_over_time_is_a_third_or_nothing():
    rng, T, m = np.random.default_rng(7), 100, 20_000
    steps = np.cumsum(math.sqrt(2.0 * D) * rng.standard_normal((T, m)), axis=0)
    values = steps.var(axis=0, ddof=1) / T
    assert diagnostics.diffusion_from_variance_as_stated(steps) == pytest.approx(values.mean(), rel=1e-12)
    error = values.std() / math.sqrt(m)
    assert abs(values.mean() - D * (1.0 + 1.0 / T) / 3.0) < 5.0 * error
    assert not abs(values.mean() - D) < 5.0 * error


def test_gradients():
    rng, eta, s = np.random.default_rng(8), 0.1, np.array([1.0, 2.0])
    g = np.array([3.0, -1.0]) + s * rng.standard_normal((20_000, 2))
    exact = eta * float(np.mean(s**2)) / 2.0
    for noise in ("isotropic", "any"):
        found = diagnostics.diffusion_from_gradients(g, eta, noise=noise)
        # variances 1 and 4: the sum of squares has the variance 2 (1 + 16), not 2 * 4 * 2.5^2/2
        error = exact * math.sqrt(2.0 * 17.0 / 25.0 / 20_000)
        assert abs(found.D - exact) < 5.0 * error
    assert found.stderr == pytest.approx(error, rel=0.1)
    assert diagnostics.diffusion_from_gradients_as_stated(g) == pytest.approx(found.D / eta, rel=1e-12)


@pytest.mark.parametrize("noise", ["isotropic", "any"])
def test_intervals_from_gradients_cover(noise):
    rng, eta, repeats = np.random.default_rng(9), 0.1, 800
    s = np.array([1.0, 1.0, 1.0]) if noise == "isotropic" else np.array([1.0, 2.0, 3.0])
    n, exact = (10 if noise == "isotropic" else 100), eta * float(np.mean(s**2)) / 2.0  # one is exact, one for large n
    g = 5.0 + s * rng.standard_normal((repeats, n, 3))
    found = [diagnostics.diffusion_from_gradients(rows, eta, noise=noise) for rows in g]

    def held(value):
        return np.mean([e.interval[0] <= value <= e.interval[1] for e in found])

    allowed = 5.0 * math.sqrt(0.95 * 0.05 / repeats)
    assert abs(held(exact) - 0.95) < allowed
    assert not abs(held(2.0 * exact) - 0.95) < allowed
    values = np.array([e.D for e in found])
    error = values.std() / math.sqrt(repeats)
    assert abs(values.mean() - exact) < 5.0 * error
    if n == 10:  # a variance over n would be 1/n too small
        assert not abs(0.9 * values.mean() - exact) < 5.0 * error


def test_intervals_with_a_known_drift_cover():
    rng, k, repeats = np.random.default_rng(10), 10.0, 600
    x = held(rng, k, 150, repeats)
    found = [diagnostics.diffusion_constant(x[:, i], DT, drift=-k * x[:, i]) for i in range(repeats)]
    inside = np.mean([e.interval[0] <= D <= e.interval[1] for e in found])
    assert abs(inside - 0.95) < 5.0 * math.sqrt(0.95 * 0.05 / repeats)
    blind = np.mean([e.interval[0] <= 1.3 * D <= e.interval[1] for e in found])
    assert not abs(blind - 0.95) < 5.0 * math.sqrt(0.95 * 0.05 / repeats)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.diffusion_constant([0.0, 1.0], 1.0), "x must hold at least three points"),
        (lambda: diagnostics.diffusion_constant([0.0, 1.0, 2.0], 0.0), "dt must be positive"),
        (lambda: diagnostics.diffusion_constant(np.zeros((4, 3)), 1.0, dim=2), "x must have 2 coordinates"),
        (lambda: diagnostics.diffusion_constant([0.0, 1.0, 2.0], 1.0, drift=[1.0]), "drift must have the shape"),
        (lambda: diagnostics.diffusion_constant([0.0, 1.0, 2.0], 1.0, noise="normal"), "noise must be one of"),
        (lambda: diagnostics.diffusion_from_gradients([[1.0], [2.0]], 1.0), "gradients must have shape"),
        (lambda: diagnostics.diffusion_from_variance_as_stated([1.0]), "x must hold at least two points"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
