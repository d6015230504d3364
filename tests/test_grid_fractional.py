"""Stable noise on a grid: rates, ends, products, stationary laws, exits and evolution against closed forms and paths."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import stable_generator, zeta_below_one
from scipy import linalg
from scipy.special import betainc, gamma, hyp1f1
from scipy.stats import chi2

from shld_sim import theory
from shld_sim.grid import FokkerPlanck, Grid, extrapolate, fractional_solvers
from shld_sim.grid import fractional_operator as lattice
from shld_sim.grid.fractional import StableChain
from shld_sim.models import Langevin, LevyFlight
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, QuadraticForm, Quartic, Washboard
from shld_sim.schedules import Exponential
from shld_sim.simulate import first_passage, simulate

FREE = QuadraticForm([0.0])
CLOSED = ("reflecting", "reflecting")


def flight(V, alpha, sigma, low, high, n, boundary="reflecting"):
    return FokkerPlanck(LevyFlight(V, alpha=alpha, sigma=sigma), Grid(low, high, n), boundary)


# -- rates ----


@pytest.mark.parametrize("s", [-0.999, -0.5, 0.0, 0.3, 0.9, 0.999])
def test_zeta(s):
    assert lattice.riemann_zeta(s) == pytest.approx(zeta_below_one(s), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0, 1.5, 1.9, 1.999, 2.0])
def test_rates_are_positive_and_have_the_symbol(alpha):
    w = lattice.lattice_rates(alpha, 100_000)
    assert (w > 0.0).all() if alpha < 2.0 else (w[0] == 1.0 and not w[1:].any())
    theta = np.array([0.05, 0.4, 2.0])
    k = np.arange(1.0, w.size + 1.0)
    beyond = lattice.lattice_tails(alpha, w.size + 1)[-1]
    symbol = 2.0 * (w * (1.0 - np.cos(np.outer(theta, k)))).sum(axis=1) + 2.0 * beyond
    expected = theta**alpha * (1.0 + lattice.symbol_excess(theta, alpha))
    # what is left is cos(k theta) summed from 1e5 on
    np.testing.assert_allclose(symbol, expected, rtol=1e-10, atol=3.0 * w[-1] / theta.min())
    small = np.array([1e-3, 1e-2])
    slope = np.diff(np.log(np.abs(lattice.symbol_excess(small, alpha)))) / np.log(10.0)
    assert slope[0] == pytest.approx(4.0 - alpha, abs=0.01)


def test_rates_join_the_three_point_laplacian():
    w = lattice.lattice_rates(2.0 - 1e-6, 5)
    np.testing.assert_allclose(w, [1.0, 0.0, 0.0, 0.0, 0.0], atol=2e-6)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 1.8])
def test_order_of_the_operator(alpha):
    """-(-d2)^(a/2) exp(-x^2) = -4^(a/2) Gamma((1+a)/2)/sqrt(pi) 1F1((1+a)/2; 1/2; -x^2): error O(h^(4 - alpha))."""
    errors = []
    for n in (80, 160, 320, 640):
        fp = flight(FREE, alpha, 1.0, -10.0, 10.0, n)
        x = fp.grid.x
        exact = (
            -(4.0 ** (alpha / 2)) * gamma((1 + alpha) / 2) / math.sqrt(math.pi) * hyp1f1((1 + alpha) / 2, 0.5, -(x**2))
        )
        middle = np.abs(x) < 3.0
        errors.append(np.abs(fp.generator @ np.exp(-(x**2)) - exact)[middle].max())
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    assert slopes[-1] == pytest.approx(4.0 - alpha, abs=0.1)
    assert errors[-1] < 5e-4
    # planted error: without the addition to the nearest neighbour it is 2 - alpha
    plain = [near_missing(alpha, n) for n in (160, 320)]
    assert abs(np.log2(plain[0] / plain[1]) - (4.0 - alpha)) > 1.0


def near_missing(alpha, n):
    """Error of the plain rates c / k^(1 + alpha) on exp(-x^2) at 0."""
    h = 20.0 / n
    k = np.arange(1, 200_000)
    w = lattice.jump_density(alpha) * (k * 1.0) ** (-1 - alpha) * h**-alpha
    found = 2.0 * (w * np.expm1(-((k * h) ** 2))).sum() - 2.0 * h**-alpha * lattice.lattice_tails(alpha, 200_000)[-1]
    return abs(found + 4.0 ** (alpha / 2) * gamma((1 + alpha) / 2) / math.sqrt(math.pi))


@pytest.mark.parametrize("alpha", [0.4, 1.0, 1.7])
def test_generator_against_the_naive_one(alpha):
    chain = StableChain(DoubleWell(), alpha, 0.3, Grid(-2.5, 3.0, 64), CLOSED)
    naive = stable_generator(DoubleWell(), chain.grid.x, alpha, 0.3, min(lattice.WIDEST, 64 // lattice.SHARE))
    np.testing.assert_allclose(chain.operator.matrix(), naive, rtol=1e-10, atol=1e-10 * np.abs(naive).max())
    plain = stable_generator(DoubleWell(), chain.grid.x, alpha, 0.3, 1)
    assert np.abs(naive - plain).max() > 1e-3 * np.abs(naive).max()  # jumps are left out


coefficient = st.floats(-3.0, 3.0)


@st.composite
def chains(draw):
    """A chain in a random quartic, with random noise, size and ends."""
    alpha, sigma = draw(st.floats(0.05, 2.0)), 10.0 ** draw(st.floats(-2.0, 1.0))
    n, V = draw(st.integers(2, 90)), Polynomial([draw(coefficient) for _ in range(5)])
    ends = tuple(draw(st.sampled_from(["reflecting", "absorbing"])) for _ in range(2))
    return StableChain(V, alpha, sigma, Grid(-2.0, 2.0 + draw(st.floats(0.0, 3.0)), n), ends)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(chains(), st.integers(0, 2**32 - 1))
def test_positive_rates_conserved_mass_and_fast_products(chain, seed):
    L = chain.operator.matrix()
    size = np.abs(L.diagonal()).max()
    assert (L[~np.eye(len(L), dtype=bool)] >= 0.0).all()
    columns = L.sum(axis=0)
    assert (columns <= 1e-13 * size).all()
    if chain.conserving:
        assert np.abs(columns).max() <= 1e-13 * size
    x = np.random.default_rng(seed).standard_normal(len(L))
    np.testing.assert_allclose(chain.generator @ x, L @ x, atol=1e-13 * size * np.abs(x).max() * len(x) ** 0.5)
    np.testing.assert_allclose(chain.generator.T @ x, L.T @ x, atol=1e-13 * size * np.abs(x).max() * len(x) ** 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # random boxes do cut the law
        p = chain.evolve(np.eye(len(L))[0], np.array([0.0, 0.1, 3.0]))
    assert (p >= 0.0).all()
    assert (p.sum(axis=1) <= 1.0 + 1e-12).all()
    if chain.conserving:
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(chains(), st.floats(-1.0, 1.0), st.floats(0.1, 1.0))
def test_any_end_leaves_positive_rates(chain, low, width):
    grid = chain.grid
    part = chain._part(low, low + width * (grid.high - low), required=False)
    if part is not None and part.operator.cells.size:
        L = part.operator.matrix()
        size = np.abs(L.diagonal()).max()
        assert (L[~np.eye(len(L), dtype=bool)] >= 0.0).all()
        assert (L.sum(axis=0) <= 1e-13 * size).all()


def test_blocks_are_sums_of_the_matrix():
    for chain in (
        StableChain(DoubleWell(), 1.3, 0.4, Grid(-2.0, 2.0, 70), ("reflecting", "absorbing")),
        StableChain(Washboard(1.0, 4.0, 0.3), 1.3, 0.4, Grid(-2.0, 2.0, 70), ("periodic", "periodic")),
    ):
        starts = np.arange(0, 70, 8)
        stops = np.minimum(starts + 8, 70)
        P = np.array([[(a <= i < b) / (b - a) for a, b in zip(starts, stops)] for i in range(70)])
        expected = (P > 0).T @ chain.operator.matrix() @ P
        np.testing.assert_allclose(chain.operator.blocks(starts, stops), expected, atol=1e-11 * np.abs(expected).max())


# -- alpha = 2 ----


@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
def test_alpha_2_is_langevin(boundary):
    V = DoubleWell() if boundary == "reflecting" else Washboard(1.0, 4.0, 0.3)
    grid, kinds = Grid(-2.0, 2.0, 60), (boundary, boundary)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        gaussian = FokkerPlanck(Langevin(V, 0.16), grid, boundary)
        same = FokkerPlanck(LevyFlight(V, alpha=2.0, sigma=0.4), grid, boundary)
    L = gaussian.generator.toarray()
    np.testing.assert_allclose(same.generator.toarray(), L, rtol=1e-13)  # D = 0.4^2 rounds
    np.testing.assert_allclose(StableChain(V, 2.0, 0.4, grid, kinds).operator.matrix(), L, atol=1e-12 * np.abs(L).max())


def test_alpha_joins_2_continuously():
    """All answers, in proportion to 2 - alpha."""
    ask = [
        lambda fp: fp.mean_exit_time((-np.inf, 0.03), x0=-1.0),
        lambda fp: fp.survival((-np.inf, 0.03), -1.0, 3.0),
        lambda fp: fp.eigenvalues(3)[1],
        lambda fp: fp.committor((-1.2, -0.8), (0.8, 1.2))[210],
        lambda fp: fp.steady_state()[250],
        lambda fp: fp.propagate(-1.0, 0.7)[180],
        lambda fp: FokkerPlanck(fp.model, Grid(-2.0, 1.0, 150), "absorbing").mean_exit_time(None, x0=-1.0),
    ]
    gaussian, near, nearer = (flight(DoubleWell(), alpha, 0.4, -4.0, 4.0, 400) for alpha in (2.0, 1.998, 1.999))
    for question in ask:
        limit = question(gaussian)
        first, second = question(near) / limit - 1.0, question(nearer) / limit - 1.0
        assert abs(second) < 5e-3
        # the rest is the end of the domain: the Gaussian solver takes it to second order in another way
        assert abs(first - 2.0 * second) < 2e-4


# -- stationary laws ----

# Quartic well x^4/4: (alpha, sigma) -> E x^2, p(0). alpha = 1: closed form, sigma^(2/3) and 1/(pi sigma^(1/3)); others: exact 0F2
# solution of phi''' = sigma^alpha k^(alpha-1) phi, 15 digits, agreeing with a backward shooting of that equation to 1e-13.
QUARTIC = {
    (1.0, 1.0): (1.0, 0.318309886183791),
    (1.0, 0.5): (0.629960524947437, 0.401045325992599),
    (1.0, 2.0): (1.587401051968199, 0.252642724090014),
    (1.5, 1.0): (0.768822796086683, 0.366985685166904),
    (1.5, 0.5): (0.424424593516343, 0.493926104359453),
    (1.8, 1.0): (0.704337131477534, 0.382909038255752),
}


def moments(fp):
    """E x^2 and p(0) of the whole line."""
    p = fp.steady_state()
    assert p.min() >= 0.0
    assert fp.grid.integrate(p) == pytest.approx(1.0, abs=1e-14)
    inside = 1.0 - fp.mass_beyond(p)
    square = np.square
    return inside * fp.mean(p, square) + fp.mass_beyond(p, square), inside * p[fp.grid.size // 2]


@pytest.mark.parametrize(("alpha", "sigma"), QUARTIC)
def test_quartic_well(alpha, sigma):
    """Extrapolated from three grids: first order in the tail, where small jumps no longer pay for the drift, second inside."""
    sizes, box = ((501, 1001, 2001), 16.0) if alpha > 1.0 else ((1001, 1999, 3999), 8.0)
    fps = [flight(Quartic(), alpha, sigma, -box, box, n) for n in sizes]
    widths = [fp.grid.dx for fp in fps]
    found = np.array([moments(fp) for fp in fps])
    limit = extrapolate(found, widths, (1.0, 2.0) if alpha == 1.0 else (2.0, 3.0))
    np.testing.assert_allclose(limit.value[0], QUARTIC[alpha, sigma][0], rtol=1e-4)
    np.testing.assert_allclose(extrapolate(found[:, 1], widths, (2.0, 3.0)).value, QUARTIC[alpha, sigma][1], rtol=3e-5)


@pytest.mark.parametrize("alpha", [0.3, 0.5, 1.0, 1.5, 1.8])
def test_quartic_density_and_mass_beyond(alpha):
    """Second order; what is beyond the box is known to a relative part of itself."""
    errors = []
    for n in (500, 1000):
        fp = flight(Quartic(), alpha, 1.0, -10.0, 10.0, n)
        p = fp.steady_state()
        beyond = fp.mass_beyond(p)
        exact = theory.quartic_stable_density(fp.model)(fp.grid.x)
        near = np.abs(fp.grid.x) < 3.0
        errors.append(np.abs((1.0 - beyond) * p - exact)[near].max())
    # below alpha = 1 the drift's numerical diffusion is paid for by ever longer jumps
    assert errors[1] < 2e-3 if alpha < 1.0 else errors[1] < 4e-4
    assert errors[0] / errors[1] > (2.0 if alpha < 1.0 else 3.2)
    outside = 2.0 * float(theory.quartic_stable_cdf(fp.model)(-10.0))
    assert beyond == pytest.approx(outside, rel=2e-3)
    assert fp.mass_beyond() == beyond
    assert fp.chain.cut() == pytest.approx(outside, rel=0.05)


@pytest.mark.parametrize("alpha", [0.8, 1.2, 1.5, 1.8])
def test_harmonic_well(alpha):
    """The stable law of scale sigma (1/(alpha k))^(1/alpha), whose density at 0 is Gamma(1 + 1/alpha)/(pi scale)."""
    sigma, k = 0.5, 1.0
    at_zero = gamma(1 + 1 / alpha) / math.pi / (sigma * (alpha * k) ** (-1 / alpha))
    found, widths = [], []
    box = 40.0 if alpha > 1.0 else 160.0
    for n in (1001, 1501, 1999):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # 1 per cent is beyond the box for alpha = 0.8
            fp = flight(Harmonic(k), alpha, sigma, -box, box, n * (3 if alpha < 1.0 else 1))
        p = fp.steady_state()
        found.append((1.0 - fp.mass_beyond(p)) * p[fp.grid.size // 2])
        widths.append(fp.grid.dx)
    tolerance = 1e-4 if alpha > 1.0 else 2e-3
    assert extrapolate(found, widths, (2.0, 3.0)).value == pytest.approx(at_zero, rel=tolerance)


def test_a_box_that_is_too_small_is_reported():
    fp = flight(Harmonic(), 1.0, 0.5, -4.0, 4.0, 200)
    for ask in (fp.steady_state, lambda: fp.propagate(0.0, 1.0)):
        with pytest.warns(UserWarning, match="lies beyond the box") as caught:
            ask()
        assert caught[0].filename == __file__
    exact = 2.0 * float(theory.harmonic_stable_cdf(fp.model)(-4.0))
    assert fp.mass_beyond() == pytest.approx(exact, rel=exact)
    assert flight(FREE, 1.0, 0.5, -4.0, 4.0, 50).mass_beyond() == np.inf


def test_many_cells_by_iteration():
    """Above 2000 cells GMRES; the same equations, so the same answers as from their factors."""
    sizes = fractional_solvers.DENSE
    V, n = DoubleWell(), 3001
    for alpha in (0.6, 1.5, 1.9):
        fp = flight(V, alpha, 0.2, -6.0, 6.0, n)
        p = fp.steady_state()
        T = fp.mean_exit_time((-np.inf, 0.01))
        L = fp.chain.operator.matrix()
        assert np.abs(L @ p).max() < 1e-9 * np.abs(L.diagonal() * p).max()
        part = fp.chain._part(-np.inf, 0.01).operator
        cells = part.cells
        exact = np.linalg.solve(-part.matrix().T, np.ones(cells.size))
        np.testing.assert_allclose(T[cells][:-1], exact[:-1], rtol=1e-7)
    assert n > sizes


def test_what_is_not_solved_is_refused(monkeypatch):
    monkeypatch.setattr(fractional_solvers, "DENSE", 10)
    fp = flight(DoubleWell(), 1.5, 0.2, -6.0, 6.0, 100)
    monkeypatch.setattr(fractional_solvers.Resolvent, "_preconditioned", lambda self, r: np.ones_like(r))
    with pytest.raises(RuntimeError, match="was not solved: relative residual"):
        fp.steady_state()


# -- exits ----


@pytest.mark.parametrize("alpha", [0.3, 0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 1.95])
@pytest.mark.parametrize(("low", "high", "n"), [(-1.23, 1.1, 301), (-1.0, 1.0, 240), (-1.4, 1.004, 288)])
def test_getoor(alpha, low, high, n):
    """(L^2 - x^2)^(alpha/2)/(Gamma(1 + alpha) sigma^alpha), wherever the ends fall within a cell."""
    fp = flight(FREE, alpha, 1.3, low, high, n)
    for x0, tolerance in ((0.0, 2e-5), (0.5, 4e-5), (-0.9, 3e-4)):
        assert fp.mean_exit_time((-1.0, 1.0), x0=x0) == pytest.approx(
            theory.getoor_mean_exit_time(x0, 1.0, alpha, 1.3), rel=tolerance
        )
    profile = fp.mean_exit_time((-1.0, 1.0))
    assert ((profile > 0.0) == (np.abs(fp.grid.x) < 1.0)).all()


@pytest.mark.parametrize("alpha", [0.5, 1.5])
def test_ends_are_of_second_order(alpha):
    errors = []
    for n in (40, 80, 160, 320):
        fp = flight(FREE, alpha, 1.0, -1.125, 1.125, 9 * n // 8)  # the ends are 1/2 from the last cells
        errors.append(fp.mean_exit_time((-1.0, 1.0), x0=0.1) / theory.getoor_mean_exit_time(0.1, 1.0, alpha) - 1.0)
    slopes = np.log2(np.array(errors[:-1]) / errors[1:])
    np.testing.assert_allclose(slopes[1:], 2.0, atol=0.15)


def test_a_moved_end_can_fail():
    """Planted error: without the extra rate the end is delta = 0.85 cells away instead of 1/2."""
    fp = flight(FREE, 1.5, 1.0, -1.0, 1.0, 240, "absorbing")
    part = fp.chain._part(-1.0, 1.0).operator
    free = part.restricted(part.inside, np.zeros(240), (False, False))
    T = np.linalg.solve(-free.matrix().T, np.ones(240))
    exact = theory.getoor_mean_exit_time(fp.grid.x[120], 1.0, 1.5)
    assert abs(T[120] / exact - 1.0) > 1e-3
    assert fp.mean_exit_time(None)[120] == pytest.approx(exact, rel=1e-5)


# From -1 out of (-inf, 0) in the double well x^4/4 - x^2/2, alpha = 1.5: finite elements and collocation on graded meshes,
# extrapolated, agreeing to 5e-9.
EXITS = {0.1: 131.7693453, 0.05: 411.8588211, 0.02: 1716.6598619}


@pytest.mark.parametrize("sigma", EXITS)
def test_exit_from_the_double_well(sigma):
    sizes = (720, 1080, 1440) if sigma > 0.03 else (1800, 2700, 3600)
    found, widths = [], []
    for n in sizes:
        fp = flight(DoubleWell(), 1.5, sigma, -8.0, 1.0, n)
        found.append(fp.mean_exit_time((-np.inf, 0.0), x0=-1.0))
        widths.append(fp.grid.dx)
    assert found[-1] == pytest.approx(EXITS[sigma], rel=1e-4)
    limit = extrapolate(found, widths, (2.0,))
    assert limit.value == pytest.approx(EXITS[sigma], rel=3e-5)
    assert abs(limit.value - EXITS[sigma]) < limit.error


def test_coming_down_from_infinity():
    """In a superlinear well the time tends to a constant far away; the reflecting end stands for what is beyond."""
    fp = flight(DoubleWell(), 1.5, 0.3, -20.0, 0.5, 2050)
    near, far, end = (fp.mean_exit_time((-np.inf, 0.0), x0=x0) for x0 in (-5.0, -15.0, -20.0))
    # from -15 to -5 the drift takes (1/25 - 1/225)/2 = 0.018
    assert far - near == pytest.approx(0.5 * (1 / 25 - 1 / 225), rel=0.1)
    assert end - far == pytest.approx(0.5 * (1 / 225 - 1 / 400), rel=0.1)
    wider = flight(DoubleWell(), 1.5, 0.3, -40.0, 0.5, 4050).mean_exit_time((-np.inf, 0.0), x0=-1.0)
    assert fp.mean_exit_time((-np.inf, 0.0), x0=-1.0) == pytest.approx(wider, rel=1e-5)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 1.8])
def test_exit_places_and_committor(alpha):
    """Blumenthal, Getoor & Ray (1961): density outside (-1, 1); integrated, the probability to leave on the right."""
    fp = flight(FREE, alpha, 1.0, -3.0, 3.0, 900)
    x0 = float(fp.grid.x[500])
    places = fp.exit_places((-1.0, 1.0), x0)
    assert places.probability.sum() + places.below + places.above == pytest.approx(1.0, abs=1e-10)
    assert places.occupation.sum() == pytest.approx(theory.getoor_mean_exit_time(x0, 1.0, alpha), rel=1e-5)
    y = np.array([-7.0, -2.5, -1.2, 1.1, 1.5, 2.9, 40.0])
    law = math.sin(math.pi * alpha / 2) / math.pi * ((1 - x0**2) / (y**2 - 1)) ** (alpha / 2) / np.abs(x0 - y)
    np.testing.assert_allclose(places.density(y), law, rtol=1e-3)  # 0.1 is 15 cells
    right = betainc(alpha / 2, alpha / 2, 0.5 * (1 + x0))
    assert places.probability[fp.grid.x > 1].sum() + places.above == pytest.approx(right, rel=2e-5)
    q = fp.committor((-np.inf, -1.0), (1.0, np.inf))
    inner = np.abs(fp.grid.x) < 0.95
    np.testing.assert_allclose(q[inner], betainc(alpha / 2, alpha / 2, 0.5 * (1 + fp.grid.x[inner])), atol=2e-4)
    assert (q[fp.grid.x > 1] == 1.0).all() and (q[fp.grid.x < -1] == 0.0).all()
    with pytest.raises(ValueError, match="y must lie outside"):
        places.density(0.5)


def test_committor_counts_jumps_over_a_set():
    """Between two wells: a set may be jumped over, so the committor does not tend to its value on the near side."""
    fp = flight(DoubleWell(), 0.7, 0.3, -6.0, 6.0, 600)
    q = fp.committor((-1.2, -0.8), (0.8, 1.2))
    assert (q >= 0.0).all() and (q <= 1.0).all()
    np.testing.assert_allclose(q + q[::-1], 1.0, atol=1e-10)  # symmetry
    rest = fp.grid.x > 1.25
    assert 0.0 < q[rest].min() < 1.0
    # the chain's own equation, with rates of the full matrix
    L = fp.chain.operator.matrix()
    free = fp.grid.x[(fp.grid.x > -0.7) & (fp.grid.x < 0.7)]
    middle = np.flatnonzero(np.isin(fp.grid.x, free))
    assert np.abs((L.T @ q)[middle]).max() < 1e-10 * np.abs(L.diagonal()).max()


def test_survival_integrates_to_the_mean_time():
    fp = flight(DoubleWell(), 1.3, 0.5, -4.0, 2.0, 300)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    T = fp.mean_exit_time((-1.7, 0.33), x0=float(fp.grid.x[150]))
    s = 0.5 * (nodes + 1.0)
    t = 12.0 * T * s**3
    alive = fp.survival((-1.7, 0.33), float(fp.grid.x[150]), t)
    assert (np.diff(alive) <= 1e-12).all() and alive[0] <= 1.0
    # t = 12 T s^3, and what is left after it: e^-12
    assert np.sum(alive * 0.5 * weights * 36.0 * T * s**2) == pytest.approx(T, rel=2e-5)
    assert fp.survival((-np.inf, np.inf), 0.0, 3.0) == 1.0


@pytest.mark.parametrize(("alpha", "order"), [(0.8, 1.0), (1.5, 1.8)])
def test_exits_with_a_drift_across_the_end(alpha, order):
    """The order falls to 1 below alpha = 1, where the drift rules at the end; extrapolated, it is what paths do."""
    model = LevyFlight(Polynomial([0.0, 1.0]), alpha=alpha, sigma=0.7)
    fps = [FokkerPlanck(model, Grid(-1.25, 1.25, n)) for n in (250, 500, 1000)]
    T = [fp.mean_exit_time((-1.0, 1.0), x0=0.1) for fp in fps]
    assert np.log2((T[1] - T[0]) / (T[2] - T[1])) == pytest.approx(order, abs=0.15)
    limit = extrapolate(T, [fp.grid.dx for fp in fps], (order,))
    exits = first_passage(model, 0.1, (-1.0, 1.0), 1e-3, 10_000, seed=2)
    assert abs(exits.mean() - limit.value) < 5.0 * exits.stderr()
    assert abs(1.1 * exits.mean() - limit.value) > 5.0 * exits.stderr()  # 10 per cent would be seen


# -- evolution ----


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5, 1.9])
def test_both_exponentials_agree_with_expm(alpha):
    fp = flight(DoubleWell(), alpha, 0.5, -5.0, 5.0, 120)
    L, m0 = fp.chain.operator.matrix(), fp._initial(0.6)
    t = np.array([3.0, 0.0, 1e-3, 0.2, 0.21])
    exact = np.array([linalg.expm(L * s) @ m0 for s in t])
    squared = fractional_solvers._by_squaring(L, m0, t)
    stepped = fractional_solvers._by_steps(fp.chain.operator, m0, t)
    np.testing.assert_allclose(squared, exact, atol=1e-11)
    np.testing.assert_allclose(stepped, exact, atol=1e-7)
    np.testing.assert_allclose(fp.propagate(0.6, t) * fp.grid.dx, squared, rtol=1e-11, atol=1e-300)


def test_free_motion_is_stable():
    """p(x, t) is the stable density of scale sigma t^(1/alpha), once the start has spread over many cells."""
    alpha, sigma, t = 1.5, 0.7, np.array([0.5, 1.0])
    fp = flight(FREE, alpha, sigma, -30.0, 30.0, 1000)
    x0 = float(fp.grid.x[500])
    near = np.abs(fp.grid.x) < 5.0
    for p, time in zip(fp.propagate(x0, t), t):
        exact = theory.stable_pdf(fp.grid.x - x0, alpha, sigma * time ** (1 / alpha))
        np.testing.assert_allclose(p[near], exact[near], atol=1.5e-3 * exact.max())


def test_relaxation_in_a_harmonic_well():
    """From 0 the law at t is stable of scale sigma ((1 - e^(-alpha k t))/(alpha k))^(1/alpha)."""
    alpha, sigma, k, t = 1.7, 0.6, 1.2, 0.8
    fp = flight(Harmonic(k), alpha, sigma, -12.0, 12.0, 999)
    scale = sigma * ((1.0 - math.exp(-alpha * k * t)) / (alpha * k)) ** (1 / alpha)
    p = fp.propagate(0.0, t)
    exact = theory.stable_pdf(fp.grid.x, alpha, scale)
    np.testing.assert_allclose(p, exact, atol=2e-3 * exact.max())


def test_many_cells_in_time():
    """1200 cells in steps, 600 squared: second order apart."""
    coarse, fine = (flight(DoubleWell(), 1.4, 0.4, -6.0, 6.0, n) for n in (600, 1200))
    start = lambda x: np.exp(-8.0 * (x + 1.0) ** 2)
    few, many = (fp.propagate(start, np.array([0.3, 2.0])) for fp in (coarse, fine))
    assert many.min() >= 0.0
    np.testing.assert_allclose(many.sum(axis=1) * fine.grid.dx, 1.0, rtol=1e-13)
    np.testing.assert_allclose(many.reshape(2, 600, 2).mean(axis=2), few, atol=1.5e-3 * few.max())


def test_spectrum():
    """Of the matrix; in a harmonic well the rates are n k, whatever the noise."""
    fp = flight(Harmonic(1.0), 1.6, 0.5, -8.0, 8.0, 300)
    values, psi = fp.eigenvalues(4), fp.eigenfunctions(3)
    exact = np.sort_complex(-np.linalg.eigvals(fp.chain.operator.matrix()))[:4]
    assert values[0] == 0.0
    np.testing.assert_allclose(values[1:], exact[1:], rtol=1e-7)
    assert values[1] == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(-(fp.generator @ psi.T).T, values[:3, None] * psi, atol=1e-7)
    np.testing.assert_allclose(psi[0], fp.steady_state() / fp.steady_state().sum() / fp.grid.dx, atol=1e-9)


def test_ring():
    """One period and seven of a tilted washboard are the same; symmetric jumps carry nothing around by themselves."""
    small, large = (
        flight(Washboard(1.0, 2.0, 0.7), 1.5, 0.6, -half, half, 30 * int(half) * 2, "periodic") for half in (1.0, 7.0)
    )
    p, q = small.steady_state(), large.steady_state()
    np.testing.assert_allclose(7.0 * q[:60], p, rtol=1e-10)
    J = small.current(p)
    np.testing.assert_allclose(J, J[0], rtol=1e-9)
    np.testing.assert_allclose(7.0 * large.current(q)[0], J[0], rtol=1e-9)
    # of the force alone: -V' averaged over p
    force = -small.model.potential.gradient(small.grid.x)
    assert J[0] == pytest.approx(float((force * p).mean()), rel=2e-2)
    flat = flight(Washboard(1.0, 2.0, 0.0), 1.5, 0.6, -1.0, 1.0, 60, "periodic")
    assert np.abs(flat.current(flat.steady_state())).max() < 1e-12


def test_current_of_a_row():
    fp = flight(DoubleWell(), 1.2, 0.5, -3.0, 3.0, 200)
    assert np.abs(fp.current(fp.steady_state())).max() < 1e-10
    p = fp.propagate(-1.0, 0.5)
    J = fp.current(p)
    np.testing.assert_allclose(-np.diff(J) / fp.grid.dx, fp.generator @ p, atol=1e-9)
    leaky = flight(DoubleWell(), 1.2, 0.5, -3.0, 3.0, 200, "absorbing")
    J = leaky.current(p)
    assert J[0] < 0.0 < J[-1]
    assert J[-1] - J[0] == pytest.approx(-float((leaky.generator @ p).sum()) * leaky.grid.dx, rel=1e-9)


# -- against paths ----

FALSE_ALARM = 1e-6


def misfit(x, p, grid):
    """Chi-square of a sample against probabilities of about 20 bins, divided by its quantile: above 1 once in a million."""
    cumulative = np.cumsum(p) * grid.dx
    edges = grid.edges[1 + np.searchsorted(cumulative, np.arange(1, 20) / 20)]
    edges = np.unique(edges)
    at = np.interp(edges, grid.edges[1:], cumulative)
    expected = len(x) * np.diff(np.concatenate([[0.0], at, [cumulative[-1]]]))
    counts = np.bincount(np.searchsorted(edges, x), minlength=edges.size + 1)
    return float(np.sum((counts - expected) ** 2 / expected)) / chi2.ppf(1.0 - FALSE_ALARM, edges.size)


@pytest.mark.parametrize("alpha", [0.8, 1.5])
def test_paths_follow_the_density(alpha):
    sigma, times = 0.5, np.array([0.4, 1.6])
    fp = flight(DoubleWell(), alpha, sigma, -10.0, 10.0, 599)
    x0 = float(fp.grid.x[270])
    p = fp.propagate(x0, times)

    def sample(model):
        # flows and jumps in turn: the error of the law is O(dt), 1e-3 here, below what 40000 paths can see
        return simulate(model, x0, dt=1e-3, t_end=1.6, save_every=400, n_paths=40_000, seed=5, scheme="split")

    run = sample(fp.model)
    for time, density in zip(times, p):
        x = run.x[int(np.argmin(np.abs(run.t - time)))]
        assert misfit(x, density, fp.grid) < 1.0
    assert misfit(run.x[int(np.argmin(np.abs(run.t - 0.8)))], p[1], fp.grid) > 1.0
    for wrong in (LevyFlight(DoubleWell(), alpha + 0.1, sigma), LevyFlight(DoubleWell(), alpha, 1.2 * sigma)):
        assert misfit(sample(wrong).final, p[1], fp.grid) > 1.0


def test_paths_leave_where_they_should():
    """Shares of exits in four places, five standard errors; sigma does not matter without drift, alpha and V do."""
    alpha, sigma, n = 1.5, 0.7, 20_000
    fp = flight(DoubleWell(), alpha, sigma, -12.0, 12.0, 1800)
    x0 = float(fp.grid.x[840])
    places = fp.exit_places((-1.5, 0.5), x0)
    x, q = fp.grid.x, places.probability
    low, high = (float(fp.grid.edges[np.argmin(np.abs(fp.grid.edges - y))]) for y in (-2.5, 1.0))
    regions = [(-np.inf, low), (low, -1.5), (0.5, high), (high, np.inf)]
    shares = [q[(x > a) & (x < b)].sum() + places.below * (a < -12.0) + places.above * (b > 12.0) for a, b in regions]
    assert sum(shares) == pytest.approx(1.0, abs=1e-9)

    def distance(model):
        exits = first_passage(model, x0, (-1.5, 0.5), 5e-4, n, seed=7)
        found = [np.mean((exits.place > a) & (exits.place < b)) for a, b in regions]
        return np.array([(f - s) / math.sqrt(s * (1 - s) / n) for f, s in zip(found, shares)]), exits

    z, exits = distance(fp.model)
    # a path that returns within a step is not seen; at this dt 20000 paths cannot tell
    assert np.abs(z).max() < 5.0
    assert exits.mean() == pytest.approx(places.occupation.sum(), abs=5.0 * exits.stderr())
    assert np.abs(distance(LevyFlight(DoubleWell(), alpha + 0.1, sigma))[0]).max() > 5.0


# -- what is refused ----


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (
            lambda: FokkerPlanck(LevyFlight(Harmonic(), 1.5, 1.0), Grid.stretched(-5.0, 5.0, 50)),
            ValueError,
            "one width",
        ),
        (
            lambda: flight(Harmonic(), 1.5, Exponential(1.0, 0.1, 5.0), -5.0, 5.0, 50),
            ValueError,
            "sigma must be constant",
        ),
        (
            lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).mean_exit_time((-np.inf, np.inf)),
            ValueError,
            "an end in",
        ),
        (lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).mean_exit_time((6.0, 7.0)), ValueError, "overlap the box"),
        (lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).mean_exit_time((0.04, 0.06)), ValueError, "cell centre"),
        (lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).committor((-1, 0), (-0.5, 1)), ValueError, "not overlap"),
        (lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).committor((-9, -6), (0, 1)), ValueError, "a must overlap"),
        (
            lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).exit_places((0, 1), 2.0),
            ValueError,
            "start must lie",
        ),
        (lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).exit_places(None, 2.0), ValueError, "an end in"),
        (lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).free_energy(np.full(50, 0.1)), TypeError, "Gibbs law"),
        (
            lambda: flight(Harmonic(), 1.5, 0.1, -5.0, 5.0, 50).entropy_production(np.full(50, 0.1)),
            TypeError,
            "entropy production",
        ),
        (lambda: flight(Harmonic(), 2.0, 0.1, -5.0, 5.0, 50).mass_beyond(), TypeError, "alpha < 2"),
        (
            lambda: flight(Washboard(1.0, 2.0), 1.5, 0.1, -1.0, 1.0, 50, "periodic").mean_exit_time((-0.5, 0.5)),
            ValueError,
            "periodic",
        ),
    ],
)
def test_refusals(make, error, match):
    with pytest.raises(error, match=match):
        make()


# -- extrapolation ----


def test_extrapolation_of_known_and_of_fitted_powers():
    h = np.array([0.1, 0.4, 0.2])
    exact = extrapolate(3.0 + 2.0 * h**1.5 - 4.0 * h**2, h, (1.5, 2.0))
    assert exact.value == pytest.approx(3.0, abs=1e-12)
    assert exact.error > 0.0
    fitted = extrapolate(3.0 + 2.0 * h**1.37, h)
    assert fitted.value == pytest.approx(3.0, abs=1e-10)
    assert fitted.error == pytest.approx(2.0 * 0.1**1.37, rel=1e-9)
    many = extrapolate(np.array([[1.0 + x**2, 2.0 - x**2] for x in h]), h, (2.0,))
    np.testing.assert_allclose(many.value, [1.0, 2.0])
    assert extrapolate([1.0, 1.0, 1.0], h).value == 1.0


@pytest.mark.parametrize(
    ("values", "widths", "exponents", "match"),
    [
        ([1.0, 2.0], [0.1, 0.2], (2.0, 3.0), "3 grids"),
        ([1.0, 2.0], [0.1, 0.1], (2.0,), "all different"),
        ([1.0, 2.0], [0.1], (2.0,), "one entry per width"),
        ([1.0, 2.0, 1.0], [0.1, 0.2, 0.4], None, "approach a limit"),
        ([1.0, 2.0], [0.1, 0.2], None, "at least 3 numbers"),
        ([1.0, 2.0], [0.1, 0.2], (0.0,), "exponents must be positive"),
    ],
)
def test_extrapolation_refuses(values, widths, exponents, match):
    with pytest.raises(ValueError, match=match):
        extrapolate(values, widths, exponents)
