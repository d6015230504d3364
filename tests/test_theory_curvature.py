"""Exits on curved surfaces, rates of jumps, the limit of block sums: against quadrature, series and other formulas."""

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_bvp

from shld_sim import LevyFlight, QuadraticForm, theory


@pytest.mark.parametrize("k", [0.5, 2.0, 20.0])
def test_hyperbolic_exit_time_solves_the_radial_equation(k):
    """The double integral T = int_0^r (1/(D sinh ks)) int_0^s sinh(ku) du ds."""
    r, D = 1.3, 0.7
    inner = quad(lambda s: (np.cosh(k * s) - 1.0) / (k * np.sinh(k * s)) if s > 0 else 0.0, 0.0, r, epsabs=1e-13)[0]
    assert theory.geodesic_exit_time(r, -(k**2), D) == pytest.approx(inner / D, rel=1e-10)


def test_spherical_exit_time_solves_the_radial_equation():
    k, r = 1.1, 1.2

    def slope(s, y):
        return np.array([y[1], -1.0 - y[1] * k / np.tan(k * np.maximum(s, 1e-9))])

    s = np.linspace(1e-6, r, 60)
    found = solve_bvp(slope, lambda a, b: np.array([a[1], b[0]]), s, np.array([(r**2 - s**2) / 4, -s / 2]), tol=1e-8)
    assert theory.geodesic_exit_time(r, k**2, 1.0) == pytest.approx(found.y[0, 0], rel=1e-5)


def test_exit_time_is_continuous_through_flat_space():
    K = np.array([-1e-5, -1e-6, -1e-12, 0.0, 1e-12, 1e-6, 1e-5])
    T = theory.geodesic_exit_time(2.0, K, 0.5, 1.0)
    assert T[3] == pytest.approx((4.0 - 1.0) / 2.0, rel=1e-14)
    # T = (r^2 - r0^2)/(4D) + K (r^4 - r0^4)/(96 D) + ...: from ln cosh h = h^2/2 - h^4/12
    np.testing.assert_allclose(T, T[3] + K * (16.0 - 1.0) / 48.0, rtol=1e-9)


def test_rate_grows_linearly_with_curvature():
    assert theory.geodesic_exit_time(1.0, -(200.0**2), 2.0) == pytest.approx(1.0 / 400.0, rel=0.01)  # r/(D k)


def test_exit_time_refuses_what_it_cannot():
    with pytest.raises(ValueError, match=r"radius must be below pi/sqrt\(curvature\)"):
        theory.geodesic_exit_time(3.2, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"start must be at most radius = 1\.0, got 2\.0"):
        theory.geodesic_exit_time(1.0, -1.0, 1.0, 2.0)


@pytest.mark.parametrize("alpha", [0.7, 1.0, 1.5])
def test_getoor_in_the_plane_and_on_the_line(alpha):
    assert theory.getoor_mean_exit_time(0.3, 1.0, alpha, dim=1) == pytest.approx(
        0.91 ** (alpha / 2) / math.gamma(1 + alpha)
    )
    # d = 2, by the duplication formula of Gamma alone: 1/(2^alpha Gamma(1 + alpha/2)^2)
    assert theory.getoor_mean_exit_time(0.0, 1.0, alpha, dim=2) == pytest.approx(
        1.0 / (2.0**alpha * math.gamma(1 + alpha / 2) ** 2), rel=1e-13
    )
    assert theory.getoor_mean_exit_time(0.0, 1.0, 2.0, dim=3) == pytest.approx(1.0 / 6.0)  # Brownian: r^2/(2 d D)


@pytest.mark.parametrize("alpha", [0.5, 1.2, 1.8])
def test_jump_rate_is_the_tail_of_the_levy_measure(alpha):
    """|k|^alpha = int (1 - cos k.z) nu(dz) at |k| = 1, with nu's density from the rate; in one dimension and two."""
    line = LevyFlight(QuadraticForm([1.0]), alpha, 1.0)
    c = alpha * theory.jump_rate(line, 1.0)  # density of |z| is c z^-(1 + alpha)

    def exponent(mean_cosine):
        def bend(z):  # (1 - cos)/z^2, constant near 0
            return (1 - mean_cosine(max(z, 1e-4))) / max(z, 1e-4) ** 2

        near = quad(bend, 0, 1, weight="alg", wvar=(1 - alpha, 0))[0]
        far = quad(lambda z: -mean_cosine(z) * z ** (-1 - alpha), 1, 400, epsabs=1e-10, limit=4000)[0] + 1 / alpha
        return near + far

    from scipy.special import j0

    assert c * exponent(np.cos) == pytest.approx(1.0, abs=2e-3)
    plane = LevyFlight(QuadraticForm([1.0, 1.0]), alpha, 1.0)
    assert alpha * theory.jump_rate(plane, 1.0) * exponent(j0) == pytest.approx(1.0, abs=2e-3)
    apart = LevyFlight(QuadraticForm([1.0, 1.0]), alpha, 1.0, components="independent")
    assert theory.jump_rate(apart, 3.0) == pytest.approx(2.0 * theory.jump_rate(line, 3.0))
    assert theory.jump_rate(LevyFlight(QuadraticForm([1.0]), 2.0, 1.0), 3.0) == 0.0
    with pytest.raises(ValueError, match="r must be positive, got 0"):
        theory.jump_rate(line, 0.0)


def test_limit_of_block_sums():
    normal = -0.5 * (np.euler_gamma + math.log(2.0))  # E ln|Z|
    assert theory.block_sum_limit(1.0, normal, 100) == pytest.approx(2.0)
    assert theory.block_sum_limit(math.sqrt(2.0), -np.euler_gamma, 100) == pytest.approx(1.777, abs=1e-3)  # Laplace
    assert theory.block_sum_limit(1.0, 5.0, 4) == math.inf


def test_downhill_probability():
    assert theory.downhill_probability(1.0, 1.0) == pytest.approx(0.75)
    assert theory.downhill_probability(1.0, 2.0) == pytest.approx(0.5 * math.erfc(-0.5))
