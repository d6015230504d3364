"""Correlations, exit laws, and the densities of the grid against simulated histograms."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, TiltedDoubleWell, Washboard


@pytest.fixture(scope="module")
def fp():
    return FokkerPlanck(Langevin(TiltedDoubleWell(), 0.15), Grid(-2.5, 2.5, 150))


# -- autocorrelation ----


def test_autocorrelation_is_the_expansion_in_modes(fp):
    t = np.array([0.0, 0.1, 1.0, 7.0, 300.0])
    f, g = (lambda x: x), (lambda x: np.exp(x))
    psi, rates = fp.eigenfunctions(150), fp.eigenvalues(150)
    a, b = fp.mean(psi, f), fp.mean(psi, g)
    for second, right in ((None, a), (g, b)):
        expected = np.exp(-np.multiply.outer(t, rates[1:])) @ (a * right)[1:]
        np.testing.assert_allclose(fp.autocorrelation(f, t, second), expected, atol=1e-12)
    np.testing.assert_allclose(fp.autocorrelation(f, t, g), fp.autocorrelation(g, t, f), atol=1e-12)  # reversible
    pi = fp.steady_state()
    assert fp.autocorrelation(f, 0.0) == pytest.approx(fp.mean(pi, lambda x: x**2) - fp.mean(pi, f) ** 2, abs=1e-13)
    assert isinstance(fp.autocorrelation(fp.grid.x, 1.0), float)
    assert abs(fp.autocorrelation(3.0, 1.0)) < 1e-13 and abs(fp.autocorrelation(f, 1e6)) < 1e-14


def test_autocorrelation_of_the_harmonic_well():
    """D/k exp(-k t), and 2 (D/k)^2 exp(-2 k t) for x^2."""
    k, D, t = 1.5, 0.4, np.array([0.0, 0.5, 2.0])
    fp = FokkerPlanck(Langevin(Harmonic(k), D), 800)
    np.testing.assert_allclose(fp.autocorrelation(lambda x: x, t), D / k * np.exp(-k * t), rtol=2e-3)
    exact = 2 * (D / k) ** 2 * np.exp(-2 * k * t)
    np.testing.assert_allclose(fp.autocorrelation(lambda x: x**2, t), exact, rtol=2e-3)
    limit = fp.refined(lambda fp: fp.autocorrelation(lambda x: x, t[1:]), levels=3)
    np.testing.assert_allclose(limit.value, D / k * np.exp(-k * t[1:]), rtol=1e-10)


def test_a_ring_with_a_current_has_no_symmetric_correlation():
    fp = FokkerPlanck(Langevin(Washboard(0.5, 2 * np.pi, -1.0), 0.3), Grid(0.0, 2 * np.pi, 60), "periodic")
    there = fp.autocorrelation(np.sin, 0.7, np.cos)
    back = fp.autocorrelation(np.cos, 0.7, np.sin)
    assert abs(there - back) > 0.1
    # E f(X_0) g(X_t) from every start: the backward equation, by the transposed generator
    from scipy.linalg import expm

    pi = fp.steady_state() * fp.grid.volumes
    later = expm(fp.generator.toarray().T * 0.7) @ np.cos(fp.grid.x)
    assert there == pytest.approx(pi @ (np.sin(fp.grid.x) * later) - (pi @ np.sin(fp.grid.x)) * (pi @ later), abs=1e-11)


# -- exits ----


def test_exit_distribution():
    model, domain = Langevin(TiltedDoubleWell(), 0.1), (-0.7, 0.9)
    fp = FokkerPlanck(model, Grid(-2.5, 2.5, 400))
    profile = fp.exit_distribution(domain)
    inside = (fp.grid.x > domain[0]) & (fp.grid.x < domain[1])
    assert profile.shape == (2, 400) and (profile[:, ~inside] == 0.0).all()
    np.testing.assert_allclose(profile.sum(axis=0)[inside], 1.0, atol=1e-13)
    up = shld.theory.exit_probability(model, fp.grid.x[inside], domain)
    np.testing.assert_allclose(profile[1, inside], up, atol=1e-4)
    assert fp.exit_distribution(domain, 0.2)[1] == pytest.approx(
        shld.theory.exit_probability(model, 0.2, domain), abs=5e-5
    )
    spread = fp.exit_distribution(domain, lambda x: np.exp(-4.0 * x**2))
    p0 = fp.propagate(lambda x: np.exp(-4.0 * x**2), 0.0)
    np.testing.assert_allclose(spread, fp.grid.integrate(p0 * profile), rtol=1e-12)
    one_way = fp.exit_distribution((-np.inf, 0.3), -1.0)
    np.testing.assert_allclose(one_way, [0.0, 1.0], atol=1e-14)
    deep = FokkerPlanck(Langevin(DoubleWell(), 0.005), Grid(-1.5, 1.5, 600)).exit_distribution((-1.2, 1.0), -0.9)[1]
    # exp((V(-1.2) - V(0)) / D) ~ 4e-18: probabilities keep their digits
    exact = shld.theory.exit_probability(Langevin(DoubleWell(), 0.005), -0.9, (-1.2, 1.0))
    assert deep == pytest.approx(exact, rel=2e-3) and deep < 1e-12
    with pytest.raises(ValueError, match="p0 must lie in the domain"):
        fp.exit_distribution(domain, 1.0)
    with pytest.raises(ValueError, match="end in the box"):
        fp.exit_distribution(None)


def test_exit_density_is_the_derivative_of_the_survival(fp):
    domain, start = (-0.9, 0.65), lambda x: np.exp(-8.0 * (x - 0.1) ** 2) * (np.abs(x) < 0.3)
    t = np.array([0.02, 0.1, 0.5, 2.0])
    density = fp.exit_density(domain, start, t)
    assert density.shape == (4, 2) and (density >= 0.0).all()
    h = 1e-4
    slope = (fp.survival(domain, start, t + h) - fp.survival(domain, start, t - h)) / (2 * h)
    np.testing.assert_allclose(density.sum(axis=1), -slope, rtol=3e-4, atol=1e-10)  # (h / t)^2, times 5 at t = 0.02
    # all leaves: the integral over time is the exit distribution of the start, on the same cells
    late = np.linspace(0.0, 60.0, 6001)
    shares = np.trapezoid(fp.exit_density(domain, start, late), late, axis=0)
    p0 = fp.propagate(start, 0.0)
    expected = fp.grid.integrate(p0 * fp.exit_distribution(domain))
    np.testing.assert_allclose(shares, expected, atol=2e-5)  # trapezoids of width 0.01
    assert fp.exit_density(domain, 0.1, 0.3).shape == (2,)
    np.testing.assert_array_equal(fp.exit_density((0.001, 0.002), 0.0, t), np.zeros((4, 2)))  # no cell centre inside


def test_survival_against_brownian_motion():
    """Free motion in (-1, 1), cut from a wider box off the edges of cells: the sine series; and its mean, the exit time."""
    D, t = 0.5, np.array([0.0, 0.2, 1.0, 3.0])
    fp = FokkerPlanck(Langevin(Polynomial([0.0, 0.0]), D), Grid(-1.513, 1.487, 300))
    k = np.arange(60)
    terms = 4 / np.pi * (-1.0) ** k / (2 * k + 1) * np.exp(-D * np.multiply.outer(t, ((2 * k + 1) * np.pi / 2) ** 2))
    survival = fp.survival((-1.0, 1.0), 0.0, t)
    np.testing.assert_allclose(survival[1:], terms.sum(axis=1)[1:], atol=1e-4)
    assert survival[0] == pytest.approx(1.0, abs=1e-14)
    limit = fp.refined(lambda fp: fp.survival((-1.0, 1.0), 0.0, t[1:]), levels=4)
    np.testing.assert_allclose(limit.value, terms.sum(axis=1)[1:], rtol=1e-10)
    fluxes = fp.refined(lambda fp: fp.exit_density((-1.0, 1.0), 0.0, 1.0), levels=4)
    rates = D * ((2 * k + 1) * np.pi / 2) ** 2
    np.testing.assert_allclose(fluxes.value, 0.5 * (rates * terms[2]).sum(), rtol=1e-9)  # by symmetry half at each end
    for outside in (-1.2, 1.0):  # has left, or leaves at once
        np.testing.assert_array_equal(fp.survival((-1.0, 1.0), outside, t[1:]), 0.0)
        np.testing.assert_array_equal(fp.exit_density((-1.0, 1.0), outside, t[1:]), 0.0)
    late = np.linspace(0.0, 12.0, 4801)
    mean = np.trapezoid(fp.survival((-1.0, 1.0), 0.0, late), late)
    assert mean == pytest.approx(1.0 / (2 * D), abs=2e-4)


# -- histograms ----

FALSE_ALARM = 1e-6  # per comparison


def p_value(x, fp, p):
    """Pearson's chi-square of paths in ten bins made of whole cells, each expecting 50 paths or more."""
    below = np.cumsum(p * fp.grid.volumes)
    cuts = np.unique(np.searchsorted(below, np.linspace(0.0, 1.0, 21)[1:-1]))
    shares = np.diff(np.r_[0.0, below[cuts], below[-1]])
    counts = np.histogram(x, np.r_[-np.inf, fp.grid.edges[cuts + 1], np.inf])[0]
    assert (shares * x.size > 50.0).all()
    return stats.chi2.sf(((counts - x.size * shares) ** 2 / (x.size * shares)).sum(), len(shares) - 1)


@pytest.mark.parametrize(("start", "seed"), [(-1.0, 1), (0.25, 2)])
def test_simulated_histograms(start, seed):
    """20 bins, 20,000 paths, at four times: each comparison rejects with probability 1e-6 when grid and paths agree.

    The step 2e-3 moves probabilities by O(dt) = 0.1 per cent, a tenth of the scatter of a bin; the grid by 1e-4.
    """
    model = Langevin(TiltedDoubleWell(), 0.15)
    fp = FokkerPlanck(model, Grid(-2.5, 2.5, 1000))
    times = np.array([0.2, 1.0, 4.0, 12.0])
    p = fp.propagate(start, times)
    run = shld.simulate(model, start, dt=2e-3, t_end=12.0, n_paths=20_000, seed=seed, save_every=100)
    rows = [int(np.argmin(np.abs(run.t - t))) for t in times]
    np.testing.assert_allclose(run.t[rows], times, atol=1e-9)
    values = [p_value(run.x[row], fp, density) for row, density in zip(rows, p)]
    assert min(values) > FALSE_ALARM
    # planted errors: noise times 1.2, and the density of another time
    loud = shld.simulate(
        Langevin(TiltedDoubleWell(), 0.15 * 1.44), start, dt=2e-3, t_end=1.0, n_paths=20_000, seed=seed
    )
    assert p_value(loud.final, fp, p[1]) < FALSE_ALARM
    assert p_value(run.x[rows[1]], fp, p[2]) < FALSE_ALARM


def test_relaxation_between_a_quadrature_and_the_modes(fp):
    """E x at late times is the Gibbs mean plus one mode; the mean itself by quadrature."""
    V, D = fp.model.potential, 0.15
    weight = lambda x: np.exp(-float(V(np.array(x))) / D)
    Z = quad(weight, -2.5, 2.5, epsabs=0)[0]
    mean = quad(lambda x: x * weight(x), -2.5, 2.5, epsabs=0)[0] / Z
    found = fp.refined(lambda fp: fp.mean(fp.steady_state(), lambda x: x), levels=4)
    assert found.value == pytest.approx(mean, abs=1e-11)
    rate, psi = fp.eigenvalues(2)[1], fp.eigenfunctions(2)[1]
    t = np.array([12.0, 20.0])  # the next mode is exp(-8) smaller, or less
    p0, pi = fp.propagate(-1.0, 0.0), fp.steady_state()
    expected = fp.mean(pi, fp.grid.x) + np.exp(-rate * t) * fp.mean(psi, fp.grid.x) * fp.grid.integrate(p0 * psi / pi)
    np.testing.assert_allclose(fp.relaxation(lambda x: x, -1.0, t), expected, atol=1e-5)
