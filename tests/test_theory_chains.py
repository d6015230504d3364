"""Linear chains, energy bounds, uncertainty products, drift-diffusion ratios and multiplicative noise."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from shld_sim import (
    DoubleWell,
    Harmonic,
    Langevin,
    MexicanHat,
    MuellerBrown,
    Polynomial,
    QuadraticForm,
    RescalingValley,
    Washboard,
    theory,
)

# -- chains -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "k, dt, variance",
    # em.ou.*: 1/(k(1 - k dt/2)) by the fixed point of the variance recursion, 15 digits
    [(1, 0.1, 1.0526315789473684), (1, 0.01, 1.0050251256281406), (2, 0.1, 0.5555555555555556), (4, 0.25, 0.5)],
)
def test_euler_variance(k, dt, variance):
    assert theory.euler_variance(k, 1.0, dt) == pytest.approx(variance, rel=1e-14)
    # alpha = 2: variance 2 scale^2 with sigma^2 = D
    assert 2.0 * theory.euler_stable_scale(k, 2.0, 1.0, dt) ** 2 == pytest.approx(variance, rel=1e-13)


@pytest.mark.parametrize("alpha, dt, scale", [(2.0, 0.1, 0.3627381250550059), (2.0, 0.01, 0.3544406025041677)])
def test_euler_stable_scale_against_the_explicit_series(alpha, dt, scale):
    # levy.ou.alpha=2.0, k = 1, sigma = 0.5: explicit series sum, 14 digits
    assert theory.euler_stable_scale(1.0, alpha, 0.5, dt) == pytest.approx(scale, rel=1e-13)


@pytest.mark.parametrize("alpha", [0.7, 1.5, 2.0])
@pytest.mark.parametrize("dt", [0.3, 1.0, 1.7])
def test_stable_scales_are_fixed_points(alpha, dt):
    k, sigma = 0.9, 0.4
    noise = sigma**alpha * dt
    euler = theory.euler_stable_scale(k, alpha, sigma, dt)
    assert abs(1.0 - k * dt) ** alpha * euler**alpha + noise == pytest.approx(euler**alpha, rel=1e-13)
    split = theory.split_stable_scale(k, alpha, sigma, dt)
    assert math.exp(-alpha * k * dt) * (split**alpha + noise) == pytest.approx(split**alpha, rel=1e-13)


def test_stable_scales_tend_to_the_continuous_one():
    exact = 0.5 * (1.0 / 1.5) ** (1.0 / 1.5)  # sigma (1/(alpha k))^(1/alpha)
    for dt in (1e-3, 1e-6):  # the first-order terms are +-k dt/2 and +(alpha-1) k dt/(2 alpha)
        assert theory.euler_stable_scale(1.0, 1.5, 0.5, dt) == pytest.approx(exact, rel=dt)
        assert theory.split_stable_scale(1.0, 1.5, 0.5, dt) / exact - 1.0 == pytest.approx(-0.5 * dt, rel=2e-3)
    assert theory.euler_stable_scale(1.0, 1.5, 0.5, 1.0) == pytest.approx(0.5, rel=1e-15)  # k dt = 1: no memory


def test_ornstein_uhlenbeck_moments():
    mean, variance = theory.ornstein_uhlenbeck_moments(2.0, 0.3, [1.0, -2.0], 0.7)
    np.testing.assert_allclose(mean, np.array([1.0, -2.0]) * math.exp(-1.4), rtol=1e-15)
    assert variance == pytest.approx(0.15 * (1.0 - math.exp(-2.8)), rel=1e-14)
    assert theory.ornstein_uhlenbeck_moments(0.0, 0.3, 1.0, 0.7) == (1.0, pytest.approx(0.42, rel=1e-15))


# -- bounds -----------------------------------------------------------------------------------------------------------

# ou.meanV: k, x0, D, t, exact energy, claimed bound, corrected bound; explicit sums, 12 digits
ENERGY = [
    ([10.0], [0.0], 1.0, 5.0, 0.5, 0.1, 0.5),
    ([3.0, 30.0], [1.0, 1.0], 0.5, 1.0, 0.5030984402208329, 1.1548199614030883, 5.028505650031663),
    ([1.0, 100.0], [0.0, 0.0], 1.0, 0.01, 0.442233021728316, 2.0, 1.9801326693244747),
    ([1.0, 100.0], [1.0, 1.0], 1.0, 1.0, 1.0, 20.577911779157837, 93.30090347978766),
    ([1.0, 1.0, 1.0], [2.0, 0.0, 1.0], 0.2, 0.7, 0.8425133206715343, 1.8414632594785239, 0.8425133206715343),
    ([100.0, 100.0], [0.0, 0.0], 0.1, 1.0, 0.1, 0.002, 0.1),
]


@pytest.mark.parametrize("k, x0, D, t, exact, claimed, corrected", ENERGY)
def test_energy_bounds(k, x0, D, t, exact, claimed, corrected):
    gap, d = 0.5 * float(np.dot(k, np.square(x0))), len(k)
    assert theory.quadratic_energy(k, x0, D, t) == pytest.approx(exact, rel=1e-12)
    assert theory.claimed_energy_bound(gap, min(k), D, d, t) == pytest.approx(claimed, rel=1e-12)
    bound = theory.corrected_energy_bound(gap, min(k), max(k), D, d, t)
    assert bound == pytest.approx(corrected, rel=1e-12)
    assert bound >= exact * (1.0 - 1e-14)


def test_claimed_bound_fails_exactly_above_stiffness_two():
    for k, fails in ((1.9, False), (2.1, True)):
        energy = theory.quadratic_energy([k], [0.0], 1.0, 50.0)
        assert (energy > theory.claimed_energy_bound(0.0, k, 1.0, 1, 50.0)) is np.bool_(fails)


def test_stationary_bound_holds_for_a_landscape_of_two_stiffnesses():
    # V'' = kappa inside |x| < a, 1 outside; the worst a (convex.stationary_meanV, kappa = 100): 0.8833472782423923 D
    kappa, a = 100.0, 0.03361587931477977

    def V(x):
        y = abs(x)
        return 0.5 * kappa * y**2 if y < a else 0.5 * kappa * a**2 + kappa * a * (y - a) + 0.5 * (y - a) ** 2

    z = quad(lambda x: math.exp(-V(x)), 0.0, 12.0, points=[a], epsabs=1e-13)[0]
    mean = quad(lambda x: V(x) * math.exp(-V(x)), 0.0, 12.0, points=[a], epsabs=1e-13)[0] / z
    assert mean == pytest.approx(0.8833472782423923, rel=1e-8)
    assert mean <= theory.stationary_energy_bound(1.0, kappa, 1.0, 1) == pytest.approx(0.995, rel=1e-15)
    assert theory.stationary_energy_bound(3.0, 3.0, 0.2, 5) == pytest.approx(0.5, rel=1e-15)  # D d/2 when isotropic


# -- uncertainty ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "D, ratio",
    # uncertainty.table: 30-digit quadrature, 12 digits given
    [
        (0.001, 44.66528737916),
        (0.02, 9.731478910950),
        (0.1, 3.750276049163),
        (1.0, 1.488028065736),
        (1e6, 1.171010377726),
    ],
)
def test_uncertainty_under_gibbs(D, ratio):
    product = theory.uncertainty_product(Langevin(DoubleWell(), D))
    assert product / D == pytest.approx(ratio, rel=1e-12)
    assert product >= theory.uncertainty_bound(D)


def test_uncertainty_is_sharp_in_a_quadratic_and_fails_for_other_densities():
    assert theory.uncertainty_product(Langevin(Harmonic(7.0), 0.2)) == pytest.approx(0.2, rel=1e-13)
    # uncertainty.counterexample: N(1, 0.1^2) in the double well at D = 0.1, 12 digits
    product = theory.gaussian_uncertainty_product(DoubleWell(), 1.0, 0.1)
    assert product == pytest.approx(0.020740057859128785, rel=1e-12)
    assert product < 0.5 * 0.1  # below the claim
    assert theory.gaussian_uncertainty_product(Harmonic(), 0.0, 0.1) == pytest.approx(0.01, rel=1e-13)
    assert theory.cramer_rao_product(1.0, 1.0, 0.1, 0.1) == pytest.approx(0.1, rel=1e-13)  # equality for a Gaussian


def test_cramer_rao_of_a_mixture():
    w, m, s = np.array([0.3, 0.7]), np.array([-1.0, 0.8]), np.array([0.5, 0.2])
    x = np.linspace(-8.0, 4.0, 200_001)  # trapezoidal rule: exact to rounding
    p = (w * norm.pdf(x[:, None], m, s)).sum(axis=1)
    slope = (-w * (x[:, None] - m) / s**2 * norm.pdf(x[:, None], m, s)).sum(axis=1)
    h = x[1] - x[0]
    mean = h * np.sum(p * x)
    keep = p > 1e-250
    fisher = h * np.sum(slope[keep] ** 2 / p[keep])
    expected = 0.4 * math.sqrt(h * np.sum(p * (x - mean) ** 2) * fisher)
    assert theory.cramer_rao_product(2.0 * w, m, s, 0.4) == pytest.approx(expected, rel=1e-11)
    assert expected > 0.4


# -- drift and diffusion ----------------------------------------------------------------------------------------------


def test_generator_is_the_ito_drift_of_the_energy():
    # E V(x - grad V h + sqrt(2 D_s h) xi) by Gauss-Hermite, exact for this polynomial V; its slope at h = 0
    V, x = RescalingValley(), np.array([0.7, 1.9])
    D = np.array([[0.5, 0.2], [0.2, 0.3]])
    root = np.linalg.cholesky(2.0 * D)
    nodes, weights = np.polynomial.hermite_e.hermegauss(8)
    xi = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1)
    w = np.outer(weights, weights) / (2.0 * np.pi)

    def energy(h):
        return float(np.sum(w * V(x - V.gradient(x) * h + math.sqrt(h) * xi @ root.T)))

    h = 1e-3  # third-order one-sided differences: truncation h^3
    slope = (-11.0 * V(x) + 18.0 * energy(h) - 9.0 * energy(2 * h) + 2.0 * energy(3 * h)) / (6.0 * h)
    assert theory.energy_generator(V, x, D) == pytest.approx(slope, abs=1e-5)
    assert abs(theory.energy_generator_as_stated(V, x, D) - slope) > 0.1


def test_shapes_of_the_diffusion():
    V, x = MuellerBrown(), np.random.default_rng(1).normal(size=(4, 3, 2))
    full = theory.energy_generator(V, x, 0.5 * np.eye(2))
    assert full.shape == (4, 3)
    for same in (
        0.5,
        [0.5, 0.5],
        np.full((4, 3), 0.5),
        np.full((4, 3, 2), 0.5),
        np.broadcast_to(np.eye(2) / 2, (4, 3, 2, 2)),
    ):
        np.testing.assert_allclose(theory.energy_generator(V, x, same), full, rtol=1e-14)
    line = theory.energy_generator(DoubleWell(), np.zeros(3), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(line, [-0.1, -0.2, -0.3], rtol=1e-14)  # V''(0) = -1


def test_ratios_and_the_generator_change_sign_together():
    V, x = DoubleWell(), np.linspace(-2.0, 2.0, 41)
    x = x[V.hessian(x) > 0.1]
    falling = theory.energy_generator(V, x, 0.3) < 0.0
    np.testing.assert_array_equal(falling, theory.gamma_hessian(V, x, 0.3) > 1.0)
    assert np.any(falling != (theory.gamma(V, x, 0.3) > 1.0))
    np.testing.assert_allclose(theory.gamma(V, x, 0.3), theory.consolidation_ratio(Langevin(V, 0.3), x), rtol=1e-14)
    # linear multiplicative noise: gamma_linear everywhere
    k, s, y = 1.7, 0.6, np.array([-2.0, 0.5])
    np.testing.assert_allclose(
        theory.gamma_hessian(Harmonic(k), y, 0.5 * s**2 * y**2), theory.gamma_linear(k, s), rtol=1e-14
    )


def test_consolidation_scales_with_the_loss():
    base, scaled = Langevin(DoubleWell(), 0.1), Langevin(DoubleWell(height=0.75), 0.3)  # V -> 3V, D -> 3D
    assert theory.mean_curvature(scaled) == pytest.approx(3.0 * theory.mean_curvature(base), rel=1e-13)
    assert theory.mean_curvature(Langevin(QuadraticForm([1.0, 3.0]), 0.1)) == pytest.approx(2.0, rel=1e-9)


# -- multiplicative noise ---------------------------------------------------------------------------------------------


def test_linear_multiplicative_exponents():
    # mult.gbm: lam = 1, s = 2 converges almost surely although Gamma_H = 0.5
    assert theory.almost_sure_exponent(1.0, 2.0) == -3.0
    assert theory.mean_square_exponent(1.0, 2.0) == 2.0
    assert theory.gamma_linear(1.0, 2.0) == 0.5
    assert theory.almost_sure_exponent(-1.0, 1.0) == 0.5
    # mult.kesten: density (D0 + s^2 x^2/2)^(-1 - lam/s^2): P(|X| > x) falls by 2^-kappa per doubling
    lam, s = 0.8, 1.3

    def density(x):
        return (0.5 + 0.5 * s * s * x * x) ** (-1.0 - lam / s**2)

    above = [quad(lambda u, r=r: r * density(r * u), 1.0, np.inf, epsabs=0.0)[0] for r in (1e4, 2e4)]
    assert math.log2(above[0] / above[1]) == pytest.approx(theory.kesten_tail_exponent(lam, s), rel=1e-6)


@pytest.mark.parametrize(
    "eta, lam, s, exponent",
    # mult.sgd: adaptive quadrature around the logarithmic singularity, 12 digits; the last lies at Gamma = 95
    [
        (0.5, 1.0, 1.0, -0.9016429989946396),
        (1.0, 1.0, 1.0, -0.6351814227307391),
        (1.5, 1.0, 1.0, -0.17517450374262528),
        (1.9, 1.0, 0.1, -0.12943951733318004),
        (2.5, 1.0, 0.1, 0.39093394729114056),
        (2.1, 1.0, 0.1, 0.0759366462888522),
    ],
)
def test_chain_exponent(eta, lam, s, exponent):
    assert theory.chain_almost_sure_exponent(eta, lam, s) == pytest.approx(exponent, rel=1e-12)


@pytest.mark.parametrize("w", [0.0, 1e-3, 1.0, 4.0, 7.99, 8.01, 30.0])
def test_chain_exponent_by_quadrature(w):
    # eta = 1, s = 1/(sqrt(2) w) |m|: split at the singularity
    m, r = (1.0, 1.0 / (math.sqrt(2.0) * w)) if w else (0.0, 1.0)
    root = -m / r

    def f(x):
        return norm.pdf(x) * math.log(abs(m + r * x)) if x != root else 0.0

    cuts = sorted({-12.0, 0.0, 12.0, *([root] if abs(root) < 12.0 else [])})
    expected = sum(quad(f, a, b, epsabs=1e-12, limit=200)[0] for a, b in itertools.pairwise(cuts))
    assert theory.chain_almost_sure_exponent(1.0, 1.0 - m, r) == pytest.approx(
        expected, abs=1e-9
    )  # quad at the singularity


def test_chain_mean_square():
    assert theory.chain_mean_square_factor(2.1, 1.0, 0.1) == pytest.approx(1.2541, rel=1e-14)  # mult.sgd
    edge = theory.chain_mean_square_threshold(1.0, 0.1)
    assert edge == pytest.approx(1.9801980198019802, rel=1e-15)
    assert theory.chain_mean_square_factor(edge, 1.0, 0.1) == pytest.approx(1.0, rel=1e-14)
    assert theory.chain_almost_sure_exponent(0.5, 1.0, 0.0) == math.log(0.5)
    assert theory.chain_almost_sure_exponent(1.0, 1.0, 0.0) == -math.inf


WELL = DoubleWell()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: theory.euler_variance(1.0, 0.1, 2.0), r"dt must be below 2/k = 2.0, got 2.0"),
        (lambda: theory.euler_stable_scale(1.0, 1.5, 0.1, 3.0), "dt must be below"),
        (lambda: theory.split_stable_scale(1.0, 2.5, 0.1, 0.1), r"alpha must lie in \(0, 2\], got 2.5"),
        (lambda: theory.ornstein_uhlenbeck_moments(1.0, -0.1, 0.0, 1.0), "D must be positive, got -0.1"),
        (lambda: theory.ornstein_uhlenbeck_moments(1.0, 0.1, 0.0, -1.0), "t must not be negative"),
        (lambda: theory.claimed_energy_bound(-1.0, 1.0, 1.0, 1, 0.0), "V0_gap must not be negative"),
        (lambda: theory.corrected_energy_bound(1.0, 2.0, 1.0, 1.0, 1, 0.0), "lmax must be at least lmin = 2.0"),
        (lambda: theory.stationary_energy_bound(2.0, 1.0, 1.0, 1), "lmax must be at least"),
        (lambda: theory.quadratic_energy([1.0, -1.0], [0.0, 0.0], 1.0, 0.0), "eigenvalues must be"),
        (lambda: theory.quadratic_energy([1.0, 1.0], [0.0], 1.0, 0.0), "x0 must have the shape"),
        (lambda: theory.uncertainty_bound(0.0), "D must be positive"),
        (lambda: theory.uncertainty_product(Langevin(Washboard(), 0.1)), "potential must not be periodic"),
        (lambda: theory.gaussian_uncertainty_product(MexicanHat(2), 0.0, 1.0), "potential must be one-dimensional"),
        (lambda: theory.cramer_rao_product([1.0, -1.0], [0, 1], [1, 1], 1.0), "weights must be positive"),
        (lambda: theory.cramer_rao_product([1.0, 1.0], [0], [1, 1], 1.0), "means and sds must have the shape"),
        (lambda: theory.energy_generator(WELL, [0.0, 1.0], [1.0, 1.0, 1.0]), "diffusion must be a number"),
        (lambda: theory.energy_generator_as_stated(WELL, 0.0, -1.0), "diffusion must not be negative"),
        (lambda: theory.gamma(WELL, 0.0, 0.0), "diffusion must have a positive trace"),
        (lambda: theory.gamma_hessian(WELL, 0.0, 0.0), "diffusion must not be zero along"),
        (lambda: theory.energy_generator(MexicanHat(2), [0.0, 1.0], [[1.0, 1.0], [0.0, 1.0]]), "symmetric"),
        (lambda: theory.consolidation_ratio(Langevin(MexicanHat(2), 0.1), 0.0), "x must have 2 coordinates"),
        (lambda: theory.mean_curvature(Langevin(Polynomial([0.0, 1.0]), 0.1)), "potential must confine"),
        (lambda: theory.almost_sure_exponent(1.0, -1.0), "s must not be negative"),
        (lambda: theory.mean_square_exponent(1.0, -1.0), "s must not be negative"),
        (lambda: theory.gamma_linear(1.0, 0.0), "s must be positive"),
        (lambda: theory.kesten_tail_exponent(-1.0, 1.0), "lam must exceed"),
        (lambda: theory.chain_almost_sure_exponent(0.0, 1.0, 1.0), "eta must be positive"),
        (lambda: theory.chain_mean_square_factor(-1.0, 1.0, 1.0), "eta must be positive"),
        (lambda: theory.chain_mean_square_threshold(0.0, 1.0), "lam must be positive"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()
