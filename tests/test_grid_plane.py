"""Two and three coordinates: Gibbs exact, positive and conserving, spectra, factorised and simulated problems."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import expm

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid, Stretched, steps
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, MexicanHat, MuellerBrown, Potential, QuadraticForm

# Small boxes are enough to compare solvers; the warning has its own test.
pytestmark = pytest.mark.filterwarnings("ignore:the box ends at")
FALSE_ALARM = 5.7e-7  # of two-sided 5 sigma

# The slowest eigenvalue of the Mueller-Brown surface in the box (-2, 1.5) x (-0.9, 2.5): two finite-volume schemes,
# extrapolated in the cell width, agree to these digits.
MUELLER_BROWN = {15.0: 1.5544181154827987, 7.0: 0.0132208526, 5.0: 0.000307703512}


def _sum_energy(x, y, p):
    return p[0] * (x**2 - 1.0) ** 2 + 0.5 * p[1] * y * y


def _sum_gradient(x, y, p):
    return 4.0 * p[0] * x * (x**2 - 1.0), p[1] * y


def _wavy_energy(x, y, p):
    return p[0] * np.cos(x + p[1]) * np.cos(y) + p[2] * np.sin(x - y) + p[3] * np.cos(2.0 * x) - p[4] * x


def _wavy_gradient(x, y, p):
    gx = -p[0] * np.sin(x + p[1]) * np.cos(y) + p[2] * np.cos(x - y) - 2.0 * p[3] * np.sin(2.0 * x) - p[4]
    return gx, -p[0] * np.cos(x + p[1]) * np.sin(y) - p[2] * np.cos(x - y)


def double_well_times_harmonic(height=0.25, k=2.0):
    return Potential(energy=_sum_energy, gradient=_sum_gradient, params=(height, k), dim=2)


def wavy(*params):
    return Potential(energy=_wavy_energy, gradient=_wavy_gradient, params=params, dim=2)


def mueller_brown(D, n):
    return FokkerPlanck(Langevin(MuellerBrown(), D), Grid((-2.0, 1.5, n), (-0.9, 2.5, n)))


def richardson(coarse, fine):
    return (4.0 * fine - coarse) / 3.0


@st.composite
def problems(draw):
    """A random wavy landscape in a box of random cells: walls, rings, or a ring with a tilt along it."""
    number = st.floats(-2.0, 2.0)
    tilt = draw(st.sampled_from([0.0, 0.7]))
    V, D = wavy(*(draw(number) for _ in range(4)), tilt), 10.0 ** draw(st.floats(-1.5, 1.0))
    shape = draw(st.integers(3, 14)), draw(st.integers(3, 14))
    boundary = ["periodic" if tilt else draw(st.sampled_from(["reflecting", "periodic"])) for _ in range(2)]
    boundary[1] = draw(st.sampled_from(["reflecting", "periodic"]))
    axes = [
        np.concatenate([[0.0], np.cumsum(draw(st.lists(st.floats(0.2, 1.0), min_size=n, max_size=n)))]) for n in shape
    ]
    axes = [2.0 * np.pi * edges / edges[-1] for edges in axes]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return FokkerPlanck(Langevin(V, D), Grid(*axes), boundary)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems(), st.floats(0.0, 6.0), st.floats(0.0, 6.0), st.floats(-5.0, 7.0))
def test_positive_and_conserving(fp, x, y, exponent):
    L = fp.generator.toarray()
    assert (L - np.diag(np.diag(L)) >= 0.0).all()
    assert (np.abs(L.sum(axis=0)) <= 1e-14 * np.abs(np.diag(L))).all()
    p = fp.propagate((x, y), [0.0, 10.0**exponent])
    assert (p >= 0.0).all()
    np.testing.assert_allclose(fp.grid.integrate(p), 1.0, rtol=1e-12)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_steady_state(fp):
    p = fp.steady_state()
    m = (p * fp.grid.volumes).ravel()
    assert (p > 0.0).all() and abs(m.sum() - 1.0) < 1e-13
    assert (np.abs(fp.generator @ m) <= 1e-12 * np.abs(fp.generator.diagonal()) * m).all()
    if fp.chain.reversible:
        weight = np.exp(-fp.model.potential(fp.grid.points) / fp.model.D)
        np.testing.assert_allclose(p, weight / fp.grid.integrate(weight), rtol=1e-12)
        assert np.abs(fp.current(p)).max() <= 1e-12 * np.abs(fp.generator.diagonal()).max()
        assert fp.entropy_production(p) <= 1e-20 * np.abs(fp.generator.diagonal()).max()
    else:
        # sigma = work per unit time over D, with the current through any section of the ring
        J = (fp.current(p)[..., 0] * fp.grid.widths[1]).sum(axis=1)
        rounding = 1e-12 * np.abs(fp.generator.diagonal()).max()
        np.testing.assert_allclose(J, J[0], rtol=1e-9, atol=rounding)
        work = J[0] * 2.0 * np.pi * 0.7 / fp.model.D
        assert fp.entropy_production(p) == pytest.approx(work, rel=1e-8, abs=rounding / fp.model.D)


def test_free_energy_falls_at_the_rate_of_entropy_production():
    fp = FokkerPlanck(Langevin(wavy(1.0, 0.3, 0.5, 0.2, 0.0), 0.4), Grid((0.0, 6.0, 20), (0.0, 5.0, 18)))
    p, h = fp.propagate((2.0, 2.0), 0.3), 1e-4
    F = [fp.free_energy(fp.propagate(p, t)) for t in (0.0, h, 2.0 * h)]
    slope = (4.0 * F[1] - 3.0 * F[0] - F[2]) / (2.0 * h)
    assert slope == pytest.approx(-0.4 * fp.entropy_production(p), rel=1e-4)


@pytest.mark.parametrize("boundary", ["reflecting", "absorbing", ["periodic", ("absorbing", "reflecting")]])
@pytest.mark.parametrize("rational", [False, True])
def test_propagation_agrees_with_expm(boundary, rational, monkeypatch):
    if rational:
        monkeypatch.setattr(steps, "_worth", lambda *_: 0.0)
    fp = FokkerPlanck(
        Langevin(wavy(1.0, 0.3, 0.5, 0.2, 0.0), 0.3), Grid((0.0, 2 * np.pi, 12), (0.0, 5.0, 13)), boundary
    )
    m0 = (fp.propagate((2.2, 3.1), 0.0) * fp.grid.volumes).ravel()
    times = np.array([100.0, 0.0, 1e-3, 1.0, 10.0])
    found = fp.propagate((2.2, 3.1), times) * fp.grid.volumes
    for t, m in zip(times, found):
        exact = expm(fp.generator.toarray() * t) @ m0
        assert np.abs(m.ravel() - exact).sum() <= 1e-9 * max(exact.sum(), 1e-3)


def test_stiff_and_long():
    """Rates up to 1e8, times from 1e-9 to 1e9: positive, conserving, and Gibbs in the end."""
    V = QuadraticForm((1.0, 1e7))
    fp = FokkerPlanck(Langevin(V, 0.5), Grid((-4.5, 4.5, 24), (-0.00142, 0.00142, 40)))
    assert np.abs(fp.generator.diagonal()).max() > 1e8
    p = fp.propagate((1.0, 0.0004), [1e-9, 1e-4, 0.3, 1e9])
    assert (p >= 0.0).all()
    np.testing.assert_allclose(fp.grid.integrate(p), 1.0, rtol=1e-12)
    np.testing.assert_allclose(p[-1], fp.steady_state(), atol=1e-10 * p[-1].max())
    # in between, the mean of x is that of one coordinate alone
    line = FokkerPlanck(Langevin(Harmonic(1.0), 0.5), Grid(-4.5, 4.5, 24))
    x = fp.grid.axes[0]
    mean = fp.mean(p[2], x[:, None] + np.zeros(fp.grid.shape))
    assert mean == pytest.approx(line.relaxation(lambda x: x, 1.0, 0.3), rel=1e-8)


def test_everything_leaves():
    fp = FokkerPlanck(Langevin(wavy(1.0, 0.0, 0.0, 0.0, 0.0), 1.0), Grid((0.0, 3.0, 10), (0.0, 3.0, 10)), "absorbing")
    assert fp.survival(None, (1.0, 1.0), 1e6) == 0.0


# -- spectra ----


def test_harmonic_spectrum_at_second_order():
    """Eigenvalues are sums n_1 k_1 + n_2 k_2."""
    k, D = (1.0, 1.7), 0.3
    exact = np.sort(np.add.outer(k[0] * np.arange(6), k[1] * np.arange(6)).ravel())[:7]
    found = []
    for n in (24, 48, 96):
        fp = FokkerPlanck(Langevin(QuadraticForm(k), D), Grid((-4.0, 4.0, n), (-3.2, 3.2, n + 4)))
        found.append(fp.eigenvalues(7))
    assert found[0][0] == 0.0
    errors = np.abs(np.array(found) - exact)[:, 1:]
    np.testing.assert_allclose(np.log2(errors[1] / errors[2]), 2.0, atol=0.15)
    np.testing.assert_allclose(richardson(found[1], found[2])[1:], exact[1:], rtol=2e-3)
    psi, pi = fp.eigenfunctions(7), fp.steady_state()
    overlaps = np.einsum("ixy,jxy,xy->ij", psi, psi / pi, fp.grid.volumes)
    np.testing.assert_allclose(overlaps, np.eye(7), atol=1e-9)
    # the second is linear in x, the third in y
    x, y = np.moveaxis(fp.grid.points, -1, 0)
    near = pi > 1e-3 * pi.max()
    np.testing.assert_allclose((psi[1] / pi)[near], (x / np.sqrt(D / k[0]))[near], atol=0.02)
    np.testing.assert_allclose((psi[2] / pi)[near], (y / np.sqrt(D / k[1]))[near], atol=0.02)


@pytest.mark.parametrize("boundary", ["reflecting", "absorbing", ["periodic", ("absorbing", "reflecting")], "periodic"])
@pytest.mark.parametrize("n", [7, 22])
@pytest.mark.filterwarnings("ignore:eigenvalue")
def test_modes_of_small_and_larger_chains(boundary, n):
    """Against the dense matrix; all of them on few cells, where the density of the corner is 1e-70."""
    D = 0.05 if n == 7 else 0.8
    fp = FokkerPlanck(
        Langevin(wavy(2.0, 0.3, 0.5, 0.2, 0.0), D), Grid((0.0, 2 * np.pi, n), (0.0, 2 * np.pi, n)), boundary
    )
    L = fp.generator.toarray()
    k = n * n if n == 7 else 12
    exact = np.sort(-np.linalg.eigvals(L).real)[:k]
    values, psi = fp.eigenvalues(k), fp.eigenfunctions(k).reshape(k, -1) * fp.grid.volumes.ravel()
    np.testing.assert_allclose(values, exact, atol=1e-11 * np.abs(L).max(), rtol=1e-8)
    np.testing.assert_allclose(L @ psi.T, -psi.T * values, atol=1e-10 * np.abs(L).max() * np.abs(psi).max())


def test_sums_of_potentials_factorise():
    """V(x) + W(y): eigenvalues add and densities multiply, on stretched cells and with an absorbing end."""
    D, ends = 0.2, [("absorbing", "reflecting"), "reflecting"]
    axes = Stretched(-1.9, 1.9, 26, width=1.0), (-2.0, 2.0, 20)
    plane = FokkerPlanck(Langevin(double_well_times_harmonic(), D), Grid(*axes), ends)
    lines = [
        FokkerPlanck(Langevin(V, D), Grid(axis), end)
        for V, axis, end in ((DoubleWell(0.25), axes[0], ends[0]), (Harmonic(2.0), Grid(*axes[1]).edges, ends[1]))
    ]
    sums = np.sort(np.add.outer(*(fp.eigenvalues(15) for fp in lines)).ravel())
    np.testing.assert_allclose(plane.eigenvalues(8), sums[:8], rtol=1e-10)
    p = plane.propagate((-0.5, 0.4), [0.3, 20.0])
    for t, density in zip((0.3, 20.0), p):
        product = np.multiply.outer(lines[0].propagate(-0.5, t), lines[1].propagate(0.4, t))
        np.testing.assert_allclose(density, product, atol=1e-9 * product.max())


def test_small_eigenvalues_beside_large_ones():
    """A barrier of 32 D, stiff across: 1e-14 beside 1e7, to ten digits the value of the row of cells."""
    height, D = 0.25, 0.25 / 32.0
    line = FokkerPlanck(Langevin(DoubleWell(height), D), Grid(-1.9, 1.9, 60)).eigenvalues(2)
    V = double_well_times_harmonic(height, 1e5)
    plane = FokkerPlanck(Langevin(V, D), Grid((-1.9, 1.9, 60), (-0.0018, 0.0018, 24)))
    found = plane.eigenvalues(3)
    assert found[1] < 1e-13 and np.abs(plane.generator.diagonal()).max() > 1e5
    assert found[1] == pytest.approx(line[1], rel=1e-10)


def test_mueller_brown():
    """Slowest rate at D = 15 to 1e-5, at lower D to 2e-5; the next ones are those of the box, and that is said."""
    for D, n in ((15.0, 60), (7.0, 80), (5.0, 80)):
        found = [mueller_brown(D, m).eigenvalues(2)[1] for m in (n, 2 * n)]
        assert richardson(*found) == pytest.approx(MUELLER_BROWN[D], rel=2e-5)
    with pytest.warns(UserWarning, match="depends on where the box ends") as said:
        mueller_brown(15.0, 60).eigenvalues(3)
    assert any("eigenvalue 2" in str(w.message) and "low=-2.0 of coordinate 0" in str(w.message) for w in said)
    with pytest.warns(UserWarning, match="the box ends at") as said:
        mueller_brown(15.0, 30)
    assert any("low=-2.0 of coordinate 0" in str(w.message) for w in said) and said[0].filename == __file__


def test_angle_of_the_mexican_hat():
    """The slowest mode turns the angle: rate D E(1/r^2) up to O(D^2), twice."""
    D, found = 0.02, []
    for n in (60, 120):
        fp = FokkerPlanck(Langevin(MexicanHat(dim=2), D), Grid((-1.9, 1.9, n), (-1.9, 1.9, n)))
        values = fp.eigenvalues(3)
        assert values[2] == pytest.approx(values[1], rel=1e-9)
        found.append(values[1])
    r2 = (fp.grid.points**2).sum(axis=-1)
    assert richardson(*found) == pytest.approx(D * fp.mean(fp.steady_state(), 1.0 / r2), rel=2e-3)


def test_tilted_ring_times_a_wall():
    """Without detailed balance: complex pairs, those of the ring plus those of the other coordinate."""
    k, D = 1.0, 0.6
    V = Potential(
        energy=lambda x, y, p: p[0] * np.cos(x) - p[1] * x + 0.5 * p[2] * y * y,
        gradient=lambda x, y, p: (-p[0] * np.sin(x) - p[1], p[2] * y),
        params=(1.0, 0.5, k),
        dim=2,
    )
    W = Potential(
        energy=lambda x, p: p[0] * np.cos(x) - p[1] * x,
        gradient=lambda x, p: -p[0] * np.sin(x) - p[1],
        params=(1.0, 0.5),
    )
    axes = (0.0, 2.0 * np.pi, 24), (-4.3, 4.3, 26)
    plane = FokkerPlanck(Langevin(V, D), Grid(*axes), ["periodic", "reflecting"])
    ring = FokkerPlanck(Langevin(W, D), Grid(*axes[0]), "periodic")
    row = FokkerPlanck(Langevin(Harmonic(k), D), Grid(*axes[1]))
    sums = np.add.outer(ring.eigenvalues(7), row.eigenvalues(4)).ravel()
    sums = sums[np.lexsort((sums.imag, sums.real.round(9)))]
    found = plane.eigenvalues(6)
    np.testing.assert_allclose(found, sums[:6], rtol=1e-9, atol=1e-12)
    psi = plane.eigenfunctions(6).reshape(6, -1)
    np.testing.assert_allclose(plane.generator @ psi.T, -psi.T * found, atol=1e-9 * np.abs(psi).max())
    np.testing.assert_allclose(
        plane.steady_state(), np.multiply.outer(ring.steady_state(), row.steady_state()), rtol=1e-9
    )


def test_three_coordinates():
    k, D = (1.0, 2.0, 3.5), 0.5
    rows = [(-4.2, 4.2, 18), (-3.0, 3.0, 17), (-2.3, 2.3, 16)]
    fp = FokkerPlanck(Langevin(QuadraticForm(k), D), Grid(*rows))
    lines = [FokkerPlanck(Langevin(Harmonic(ki), D), Grid(*row)) for ki, row in zip(k, rows)]
    sums = np.add.outer(np.add.outer(*(fp.eigenvalues(5) for fp in lines[:2])), lines[2].eigenvalues(5))
    np.testing.assert_allclose(fp.eigenvalues(5), np.sort(sums.ravel())[:5], rtol=1e-9)
    p = fp.propagate((1.0, 0.5, -0.5), 0.4)
    assert p.shape == (18, 17, 16) and fp.grid.integrate(p) == pytest.approx(1.0, abs=1e-13)
    for axis, (line, x0) in enumerate(zip(lines, (1.0, 0.5, -0.5))):
        x = np.moveaxis(fp.grid.points, -1, 0)[axis]
        assert fp.mean(p, x) == pytest.approx(line.relaxation(lambda x: x, x0, 0.4), rel=1e-9)
    assert fp.current(p).shape == (18, 17, 16, 3)


# -- against simulation ----


def accepts_cells(x, grid, density, blocks=9):
    """Chi-square of blocks of cells with at least 100 expected paths; the rest is one more bin."""
    edges = [axis[:: max(1, n // blocks)] for axis, n in zip(grid.edge_axes, grid.shape)]
    mass = density * grid.volumes
    for axis, axis_edges in enumerate(edges):
        starts = np.searchsorted(grid.edge_axes[axis], axis_edges[:-1])
        mass = np.add.reduceat(mass, starts, axis=axis)
    expected, observed = len(x) * mass.ravel(), np.histogramdd(x, edges)[0].ravel()
    many = expected > 100.0
    expected = np.append(expected[many], len(x) - expected[many].sum())
    observed = np.append(observed[many], len(x) - observed[many].sum())
    score = ((observed - expected) ** 2 / expected).sum()
    return stats.chi2.sf(score, len(expected) - 1) >= FALSE_ALARM


def test_histogram_of_simulated_paths():
    """False alarm 5.7e-7; errors of dt and of the cells, below 1e-3 of p, shift chi-square by less than 0.1."""
    V, D, start = double_well_times_harmonic(), 0.2, (-0.6, 0.5)
    fp = FokkerPlanck(Langevin(V, D), Grid((-2.4, 2.4, 180), (-2.0, 2.0, 180)))
    density = fp.propagate(start, 1.0)
    starts = np.tile(start, (20_000, 1))
    run, louder = (shld.simulate(Langevin(V, d), starts, 2e-3, t_end=1.0, seed=5).final for d in (D, 1.44 * D))
    assert accepts_cells(run, fp.grid, density)
    assert not accepts_cells(louder, fp.grid, density)
    assert not accepts_cells(run, fp.grid, fp.propagate(start, 2.0))
    assert not accepts_cells(run[:, ::-1], fp.grid, density)


# -- arguments ----


def test_refused():
    V = wavy(1.0, 0.3, 0.5, 0.2, 0.4)
    with pytest.raises(ValueError, match="2"):
        FokkerPlanck(Langevin(V, 1.0), Grid(0.0, 1.0, 10))
    with pytest.raises(ValueError, match="boundary 'periodic' needs a potential of period"):
        FokkerPlanck(Langevin(V, 1.0), Grid((0.0, 6.0, 10), (0.0, 6.0, 10)), "periodic")
    with pytest.raises(ValueError, match=r"finite in the box, got .* at x = \["):
        steep = Potential(
            energy=lambda x, y, p: 1.0 / (x - 0.5) ** 2 + y, gradient=lambda x, y, p: (-2.0 / (x - 0.5) ** 3, 1.0 + 0.0 * y),
            params=(), dim=2, check_at=[0.2, 0.2],
        )  # fmt: skip
        FokkerPlanck(Langevin(steep, 1.0), Grid((0.0, 1.0, 5), (0.0, 1.0, 5)))
    with pytest.raises(ValueError, match="at most 3 axes"):
        FokkerPlanck(Langevin(QuadraticForm((1.0,) * 4), 1.0), Grid(*[(-1.0, 1.0, 4)] * 4))
