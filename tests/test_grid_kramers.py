"""The Kramers equation in phase space: what it keeps, closed forms, spectral gaps, exits, simulation."""

import math
import os
import warnings

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import chi2

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid, signed

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))
D = 0.05

# Spectral gap of x^4/4 - x^2/2 at D = 0.05, by friction. Independent: Hermite functions in x and p, two truncations; the
# digits they share. At 0.03 they share two.
GAPS = {
    0.1: 0.0014919,
    0.3: 0.002253827780403278,
    1.0: 0.0017853501976255797,
    3.0: 0.0008530783730813375,
    10.0: 0.0002753719511880176,
    30.0: 9.245383709225179e-05,
}


def well(friction, n=100, m=75, end=2.0):
    return FokkerPlanck(shld.Underdamped(shld.DoubleWell(), D, friction), Grid((-end, end, n), (-1.5, 1.5, m)))


def harmonic(friction=0.7, k=1.3, D=0.4, n=64):
    s = math.sqrt(D)
    box = Grid((-6.5 * s / math.sqrt(k), 6.5 * s / math.sqrt(k), n), (-6.5 * s, 6.5 * s, n))
    return FokkerPlanck(shld.Underdamped(shld.Harmonic(k), D, friction), box)


# -- what is kept ----


@pytest.mark.parametrize("boundary", [["reflecting", "reflecting"], ["periodic", "reflecting"]])
def test_gibbs_and_mass_to_rounding(boundary):
    """In a box that cuts the law in half as well: walls send paths back, and the ring closes."""
    V = shld.Washboard(0.3, 2.0) if boundary[0] == "periodic" else shld.Polynomial([0.0, 0.4, -0.5, 0.0, 0.25])
    fp = FokkerPlanck(shld.Underdamped(V, 0.1, 0.4), Grid((-1.0, 1.0, 24), (-2.0, 2.0, 30)), boundary)
    p, (x, q) = fp.steady_state(), np.moveaxis(fp.grid.points, -1, 0)
    exact = np.exp(-(V(x) + 0.5 * q * q) / 0.1)
    np.testing.assert_allclose(p, exact / fp.grid.integrate(exact), rtol=1e-12)
    L = fp.generator
    assert np.abs(L @ fp.chain.stationary()).max() <= 1e-14 * np.abs(L.data).max() * fp.chain.stationary().max()
    assert np.abs(L.sum(axis=0)).max() <= 1e-13 * np.abs(L.data).max()
    later = fp.propagate(p, np.array([0.3, 50.0, 5000.0]))
    np.testing.assert_allclose(later, np.broadcast_to(p, later.shape), atol=1e-11 * p.max())
    bump = fp.propagate(
        lambda z: np.exp(-((z[..., 0] - 0.3) ** 2 + z[..., 1] ** 2) / 0.04), np.array([0.0, 2.0, 400.0])
    )
    np.testing.assert_allclose(fp.grid.integrate(bump), 1.0, atol=1e-12)
    np.testing.assert_allclose(bump[-1], p, atol=1e-4 * p.max())


def test_the_bracket_is_antisymmetric_and_the_rest_is_not_positive():
    part = well(0.3, 30, 24, 1.5).chain.strip
    A = part.matrix.toarray()
    skew = A - well(1e-12, 30, 24, 1.5).chain.strip.matrix.toarray()  # friction alone
    np.testing.assert_allclose(skew, skew.T, atol=1e-11)
    assert np.linalg.eigvalsh(0.5 * (A + A.T)).max() <= 1e-11 * np.abs(A).max()


def test_no_false_slow_modes():
    """Without the damping of cell-long waves a mode at 0.8 of the gap appears: their potential is upside down."""
    found = well(1.0).eigenvalues(3)
    assert found[2].real > 200.0 * found[1].real


def test_current():
    fp = harmonic()
    p, x = fp.steady_state(), fp.grid.points
    J = fp.current(p)
    exact = np.stack([x[..., 1] * p, -1.3 * x[..., 0] * p], axis=-1)
    np.testing.assert_allclose(J, exact, atol=1e-12 * np.abs(exact).max())
    # a hotter law: dissipation -gamma (1 - T'/T) p rho
    hot = np.exp(-(1.3 * x[..., 0] ** 2 + x[..., 1] ** 2) / (2.0 * 0.5))
    hot /= fp.grid.integrate(hot)
    exact = (-1.3 * x[..., 0] - 0.7 * x[..., 1] * (1.0 - 0.4 / 0.5)) * hot
    np.testing.assert_allclose(fp.current(hot)[..., 1], exact, atol=2e-3 * np.abs(exact).max())


# -- the harmonic oscillator ----


@pytest.mark.parametrize("friction", [0.7, 5.0])
def test_harmonic_spectrum(friction):
    """Sums n mu_1 + m mu_2 of mu = gamma/2 +- sqrt(gamma^2/4 - k); fourth order."""
    k = 1.3
    root = np.sqrt(complex(0.25 * friction**2 - k))
    mu = 0.5 * friction - root, 0.5 * friction + root
    sums = np.array([n * mu[0] + m * mu[1] for n in range(6) for m in range(6)])
    exact = sums[np.lexsort((sums.imag, np.round(sums.real, 9)))][:6]
    errors = []
    for n in (32, 64):
        found = harmonic(friction, n=n).eigenvalues(6)
        errors.append(np.abs(found[:, None] - exact).min(axis=1).max())
        assert found[0] == 0.0 and (np.diff(found.real) > -1e-9).all()
    assert errors[1] < 2e-3 * abs(exact[5]) and errors[0] / errors[1] > 11.0


def test_no_oscillating_mode_is_missed():
    """At weak friction the tenth by real part is about the hundredth in size: against all eigenvalues of the matrix."""
    fp = FokkerPlanck(shld.Underdamped(shld.DoubleWell(), D, 0.1), Grid((-1.6, 1.6, 26), (-1.2, 1.2, 20)))
    every = -np.linalg.eigvals(fp.chain.strip.matrix.toarray())
    every = np.sort(every.real)
    np.testing.assert_allclose(fp.eigenvalues(10).real, every[:10], atol=1e-9)


def test_harmonic_mean_and_covariance():
    """From a point the law is Gaussian: mean e^(-M t) x0, covariance C - e^(-M t) C e^(-M t)^T, C = D diag(1/k, 1)."""
    fp, x0 = harmonic(n=96), np.array([0.9, -0.5])
    M, C = np.array([[0.0, -1.0], [1.3, 0.7]]), 0.4 * np.diag([1.0 / 1.3, 1.0])
    times = np.array([2.0, 0.8, 60.0])  # in any order; the last in the Krylov space
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a point is narrower than the cells
        found = fp.propagate(x0, times)
    for p, t in zip(found, times, strict=True):
        E = expm(-M * t)
        mean = np.array([fp.mean(p, lambda z, i=i: z[..., i]) for i in (0, 1)])
        np.testing.assert_allclose(mean, E @ x0, atol=2e-5)
        second = np.array([[fp.mean(p, lambda z, i=i, j=j: z[..., i] * z[..., j]) for i in (0, 1)] for j in (0, 1)])
        exact = C - E @ C @ E.T
        # the point itself is shared by four cells: h^2/4 at most
        np.testing.assert_allclose(second - np.outer(mean, mean), exact, atol=0.3 * max(fp.grid.dx) ** 2)


def test_evolution_against_expm():
    fp = FokkerPlanck(shld.Underdamped(shld.DoubleWell(), D, 0.4), Grid((-1.5, 1.5, 24), (-1.2, 1.2, 18)))
    start = fp.propagate(lambda z: np.exp(-((z[..., 0] + 1.0) ** 2 + z[..., 1] ** 2) / 0.1), 0.0)
    m0 = (start * fp.grid.volumes).ravel()
    times = np.array([1.7, 1500.0, 40.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # far too few cells
        found = fp.propagate(start, times)
    A, root = fp.chain.strip.matrix, fp.chain.strip.root()
    for p, t in zip(found, times, strict=True):
        exact = root * (expm(A.toarray() * t) @ (m0 / root))
        np.testing.assert_allclose((p * fp.grid.volumes).ravel(), exact, atol=1e-9 * exact.max())
    f = expm(A.toarray() * 20.0) @ np.random.default_rng(1).standard_normal(A.shape[0])
    np.testing.assert_allclose(signed._slow(A, f, 30.0), expm(A.toarray() * 30.0) @ f, atol=1e-11 * np.linalg.norm(f))


# -- the double well ----


@pytest.mark.parametrize("friction", GAPS)
def test_gap_of_the_double_well(friction):
    """The mode shapes narrow to the separatrix as sqrt(gamma): the weakest friction needs the most cells."""
    n, m = (140, 112) if friction == 0.1 else (90, 72)
    fp = FokkerPlanck(shld.Underdamped(shld.DoubleWell(), D, friction), Grid((-1.8, 1.8, n), (-1.4, 1.4, m)))
    assert fp.eigenvalues(2)[1].real == pytest.approx(GAPS[friction], rel=1e-4)


@pytest.mark.slow
def test_gap_at_very_weak_friction():
    """gamma = 0.03 against Hermite functions in p, 400 of them, on a staggered grid in x, extrapolated: 6.26875e-4."""
    values = [well(0.03, n, 4 * n // 5).eigenvalues(2)[1].real for n in (160, 240)]
    # the error is between fourth and fifth order, of the damping of short waves
    ratio = (240 / 160) ** 4.5
    assert (ratio * values[1] - values[0]) / (ratio - 1.0) == pytest.approx(6.26875e-4, rel=1e-4)


def test_modes_of_the_double_well():
    fp = well(1.0, 80, 64)
    modes = fp.eigenfunctions(3)
    values = fp.eigenvalues(3)
    for psi, value in zip(modes, values, strict=True):
        m = (psi * fp.grid.volumes).ravel()
        np.testing.assert_allclose(fp.generator @ m, -value * m, atol=1e-8 * np.abs(m).max())
    pi = fp.steady_state()
    np.testing.assert_allclose(fp.grid.integrate(np.abs(modes) ** 2 / pi), 1.0, rtol=1e-8)
    np.testing.assert_allclose(np.abs(modes[0]), pi, rtol=1e-6, atol=1e-9 * pi.max())


def test_decay_with_the_gap():
    fp = well(3.0, 64, 48)
    gap = fp.eigenvalues(2)[1].real
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        left = fp.relaxation(lambda z: np.where(z[..., 0] < 0.0, 1.0, 0.0), (-1.0, 0.0), np.array([200.0, 1000.0]))
    assert math.log((left[0] - 0.5) / (left[1] - 0.5)) / 800.0 == pytest.approx(gap, rel=1e-6)


# -- exits ----


def test_exit_time_at_strong_friction():
    """The overdamped time to a boundary that is Milne's length, |zeta(1/2)| sqrt(D)/gamma, further away; next O(1/gamma^2).

    G. Sorensen's extrapolation length 1.4603545: M. Burschka, U. Titulaer, J. Stat. Phys. 25 (1981) 569.
    """
    friction = 30.0
    fp = well(friction, 160, 96)
    length = 1.4603545 * math.sqrt(D) / friction
    exact = friction * shld.theory.mean_exit_time(shld.Langevin(shld.DoubleWell(), D), -1.0, (-np.inf, length))
    found = fp.mean_exit_time((-np.inf, 0.0), (-1.0, 0.0))
    assert found == pytest.approx(exact, rel=1e-3)
    # planted: the boundary where it stands is 4 % off
    wrong = friction * shld.theory.mean_exit_time(shld.Langevin(shld.DoubleWell(), D), -1.0, (-np.inf, 0.0))
    assert abs(found / wrong - 1.0) > 0.03


def test_exit_times_converge_wherever_the_end_falls():
    """One in a thousand of many more cells, for an end anywhere within a cell; an end of the box is an end like others."""
    reference = {0.0: 941.07, 0.01: 956.07, 0.02: 970.29, 0.03: 983.71}  # 360 x 271 cells
    fp = well(1.0)
    for end, value in reference.items():
        assert fp.mean_exit_time((-np.inf, end), (-1.0, 0.0)) == pytest.approx(value, rel=1e-3)
    box = FokkerPlanck(fp.model, Grid((-2.0, 0.0, 50), (-1.5, 1.5, 75)), [("reflecting", "absorbing"), "reflecting"])
    assert box.mean_exit_time(None, (-1.0, 0.0)) == pytest.approx(
        fp.mean_exit_time((-np.inf, 0.0), (-1.0, 0.0)), rel=1e-9
    )
    t = np.array([300.0, 900.0])
    survival = fp.survival((-np.inf, 0.0), (-1.0, 0.1), t)
    np.testing.assert_allclose(box.grid.integrate(box.propagate((-1.0, 0.1), t)), survival, rtol=1e-9)
    assert box.eigenvalues(1)[0].real == pytest.approx(math.log(survival[0] / survival[1]) / 600.0, rel=1e-6)


def test_exits_and_committor_agree_with_each_other():
    fp = well(0.5, 80, 64)
    T = fp.mean_exit_time((-1.3, 0.4))
    x, p = np.moveaxis(fp.grid.points, -1, 0)
    inside = (x > -1.3) & (x < 0.4)
    assert (T[~inside] == 0.0).all() and (T[inside & (np.abs(p) < 1.0)] > 0.0).all()
    # int survival dt = T, from a smooth start
    start = lambda z: np.exp(-((z[..., 0] + 0.6) ** 2 + z[..., 1] ** 2) / 0.02)
    nodes, weights = np.polynomial.legendre.leggauss(50)
    alive = fp.survival((-1.3, 0.4), start, np.r_[10.0 * (nodes + 1.0), 20.0 + 90.0 * (nodes + 1.0), 200.0, 250.0])
    rate = math.log(alive[-2] / alive[-1]) / 50.0
    time = 10.0 * (weights @ alive[:50]) + 90.0 * (weights @ alive[50:100]) + alive[100] / rate
    assert time == pytest.approx(fp.mean(fp.propagate(start, 0.0), T), rel=1e-6)
    q = fp.committor((-1.2, -0.8), (0.8, 1.2))
    assert (q[(x > -1.2) & (x < -0.8)] == 0.0).all() and (q[(x > 0.8) & (x < 1.2)] == 1.0).all()
    between = (np.abs(x) < 0.8) & (np.abs(p) < 0.8)
    assert (q[between] > -5e-3).all() and (q[between] < 1.0 + 5e-3).all()
    # mirror the path: q(x, p) + q(-x, -p) = 1
    np.testing.assert_allclose((q + q[::-1, ::-1])[between], 1.0, atol=1e-9)
    row = q[40]
    assert (np.diff(row[23:41]) > 0.0).all() and row[20] < 0.3 < 0.7 < row[43]  # momentum decides


# -- simulation ----


def test_histogram_of_simulated_paths():
    """Chi-square over cells of x and p at a false-alarm rate of 1e-6; with noise times 1.2 it fails."""
    t, edges = 3.0, (np.array([-2.0, -1.2, -0.9, -0.6, -0.2, 2.0]), np.array([-1.5, -0.25, 0.0, 0.25, 1.5]))
    model = shld.Underdamped(shld.DoubleWell(), D, 0.5)
    run = shld.simulate(model, x0=-0.6, p0=0.3, dt=0.02, t_end=t, n_paths=20_000, seed=SEED)
    counts = np.histogram2d(run.final, run.p[-1], bins=edges)[0]

    def statistic(D):
        fp = FokkerPlanck(shld.Underdamped(shld.DoubleWell(), D, 0.5), Grid((-2.0, 2.0, 80), (-1.5, 1.5, 84)))
        m = fp.propagate((-0.6, 0.3), t) * fp.grid.volumes
        cuts = [np.round((e[:-1] - e[0]) / h).astype(int) for e, h in zip(edges, fp.grid.dx, strict=True)]
        expected = 20_000 * np.add.reduceat(np.add.reduceat(m, cuts[0], axis=0), cuts[1], axis=1)
        return float(((counts - expected) ** 2 / expected).sum())

    assert counts.sum() == 20_000
    assert statistic(D) < chi2.isf(1e-6, 19)
    assert statistic(1.2**2 * D) > chi2.isf(1e-6, 19)


# -- refusals ----


@pytest.mark.parametrize(
    ("grid", "boundary", "match"),
    [
        (Grid(-2.0, 2.0, 50), "reflecting", "an axis for x and one for the momentum"),
        (Grid((-2.0, 2.0, 50), np.linspace(-1.5, 1.5, 41)), "reflecting", "axes of equal cells"),
        (Grid((-2.0, 2.0, 50), (-1.5, 1.0, 41)), "reflecting", "symmetric about 0"),
        (Grid((-2.0, 2.0, 50), (-1.5, 1.5, 6)), "reflecting", "at least 8 cells"),
        (Grid((-2.0, 2.0, 50), (-1.5, 1.5, 40)), ["reflecting", "absorbing"], "'reflecting' for the momentum"),
        (Grid((-9.0, 9.0, 90), (-1.5, 1.5, 40)), "reflecting", "energies above 600 D"),
        (Grid((-2.0, 1.0, 50), (-1.5, 1.5, 40)), ["periodic", "reflecting"], "potential of period 3.0"),
    ],
)
def test_refused_boxes(grid, boundary, match):
    with warnings.catch_warnings(), pytest.raises(ValueError, match=match):
        warnings.simplefilter("ignore", UserWarning)
        FokkerPlanck(shld.Underdamped(shld.DoubleWell(), D, 1.0), grid, boundary)


def test_refused_questions():
    fp = well(1.0, 60, 48)
    with pytest.raises(ValueError, match="domain must have an end in the box"):
        fp.mean_exit_time((-np.inf, 3.0))
    with pytest.raises(ValueError, match=r"domain must leave room for 8 columns .* got 6 of them"):
        fp.mean_exit_time((-0.2, 0.2))
    with pytest.raises(TypeError, match="interval of x, whatever the momentum"):
        fp.mean_exit_time(shld.Ball([0.0, 0.0], 0.5))
    with pytest.raises(TypeError, match="need a model without inertia"):
        fp.entropy_production(fp.steady_state())
    assert fp.mean_exit_time(shld.Box([-np.inf, -np.inf], [0.0, np.inf]), (-1.0, 0.0)) == pytest.approx(
        fp.mean_exit_time((-np.inf, 0.0), (-1.0, 0.0))
    )
    V = fp.model.potential
    free = fp.free_energy(fp.steady_state())
    x, p = np.moveaxis(fp.grid.points, -1, 0)
    assert free == pytest.approx(-D * math.log(fp.grid.integrate(np.exp(-(V(x) + 0.5 * p * p) / D))), rel=1e-12)


def test_warnings():
    model = shld.Underdamped(shld.DoubleWell(), D, 0.1)
    with pytest.warns(UserWarning, match="4.0 standard deviations of the momentum"):
        FokkerPlanck(model, Grid((-2.0, 2.0, 60), (-0.9, 0.9, 32)))
    with pytest.warns(UserWarning, match="0.8 of its standard deviation"):
        FokkerPlanck(model, Grid((-2.0, 2.0, 60), (-1.5, 1.5, 17)))
    with pytest.warns(UserWarning, match="V rises by up to 10 D from cell to cell"):
        well(1.0, 40, 48)
    fp = well(0.1, 60, 48)
    with pytest.warns(UserWarning, match=r"density at t = 1.0 falls to -.* of its maximum below zero"):
        fp.propagate((-1.0, 0.5), 1.0)
