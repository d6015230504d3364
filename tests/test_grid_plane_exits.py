"""Exits, committors and reactive currents in the plane and in space: closed forms, orders, balances."""

import numpy as np
import pytest
from scipy.integrate import quad, simpson
from scipy.special import jn_zeros

import shld_sim as shld
from shld_sim import theory
from shld_sim.domains import Ball, Box, HalfSpace, Region
from shld_sim.grid import FokkerPlanck, Grid, Stretched
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, MuellerBrown, Potential, TiltedDoubleWell

pytestmark = pytest.mark.filterwarnings("ignore:the box ends at")

FLAT = Potential(energy=lambda x, y, p: 0.0 * x, gradient=lambda x, y, p: (0.0 * x, 0.0 * y), params=(), dim=2)
SPACE = Potential(
    energy=lambda x, y, z, p: 0.0 * x, gradient=lambda x, y, z, p: (0.0 * x, 0.0 * y, 0.0 * z), params=(), dim=3
)
OUTSIDE = dict(inside=lambda x, y, p: (x - p[0]) ** 2 + (y - p[1]) ** 2 - p[2] ** 2, dim=2)


def brownian(n, D=0.7, boundary="reflecting"):
    return FokkerPlanck(Langevin(FLAT, D), Grid((-1.2, 1.3, n), (-1.25, 1.15, n + 3)), boundary)


def slopes(errors):
    return np.log2(np.abs(errors[:-1]) / np.abs(errors[1:]))


# -- exit times ----


@pytest.mark.parametrize("n", [17, 40])
@pytest.mark.parametrize("center", [(0.0, 0.0), (0.031, -0.047)])
def test_disc(n, center):
    """(R^2 - r^2) / 4D is a quadratic, for which the scheme is exact, wherever the circle cuts the cells."""
    R, D = 0.913, 0.7
    fp = brownian(n)
    r2 = ((fp.grid.points - np.array(center)) ** 2).sum(axis=-1)
    exact = np.where(r2 < R * R, (R * R - r2) / (4.0 * D), 0.0)
    np.testing.assert_allclose(fp.mean_exit_time(Ball(center, R)), exact, atol=1e-13)
    region = Region(lambda x, y, p: (p[2] ** 2 - (x - p[0]) ** 2 - (y - p[1]) ** 2) ** 3, params=(*center, R), dim=2)
    np.testing.assert_allclose(fp.mean_exit_time(region), exact, atol=1e-12)
    # interpolated: exact where a block of cells around the point lies inside, nearly so at the edge
    for x0, error in ((0.2, 1e-13), (0.85, 3e-3), (0.9129, 1e-4)):
        point = np.array(center) + x0 * np.array([0.6, 0.8])
        assert fp.mean_exit_time(Ball(center, R), x0=point) == pytest.approx((R * R - x0**2) / 4 / D, abs=error)


def test_ball_in_space():
    fp = FokkerPlanck(Langevin(SPACE, 0.4), Grid((-1.0, 1.0, 20), (-1.0, 1.0, 21), (-1.0, 1.1, 22)))
    r2 = ((fp.grid.points - np.array([0.0, 0.0, 0.05])) ** 2).sum(axis=-1)
    exact = np.maximum(0.81 - r2, 0.0) / (6.0 * 0.4)
    np.testing.assert_allclose(fp.mean_exit_time(Ball((0.0, 0.0, 0.05), 0.9)), exact, atol=1e-13)


def test_harmonic_ball_of_thirty_cells():
    """30^3 cells; the radial double integral T = int_r^R e^{k s^2/2D} / (D s^2) int_0^s u^2 e^{-k u^2/2D} du ds."""
    k, D, R, found = 1.0, 0.5, 1.4, []

    def outer(s):
        return np.exp(k * s * s / 2 / D) / (D * s * s) * quad(lambda u: u * u * np.exp(-k * u * u / 2 / D), 0.0, s)[0]

    for n in (15, 30):
        fp = FokkerPlanck(Langevin(shld.QuadraticForm((k, k, k)), D), Grid(*[(-1.6, 1.6, n)] * 3))
        found.append(fp.mean_exit_time(Ball((0.0, 0.0, 0.0), R), x0=(0.3, 0.0, 0.0)))
    exact = quad(outer, 0.3, R)[0]
    assert found[1] == pytest.approx(exact, rel=5e-3)
    assert (4.0 * found[1] - found[0]) / 3.0 == pytest.approx(exact, rel=1e-3)


def square(x, y, a, D):
    """Series of sines for the mean time to leave (-a, a)^2."""
    k = np.arange(1, 80, 2)
    sx, sy = np.sin(k * np.pi * (x + a) / 2 / a) / k, np.sin(k * np.pi * (y + a) / 2 / a) / k
    return float((16 / np.pi**2 * np.outer(sx, sy) / (D * np.pi**2 / 4 / a**2 * np.add.outer(k**2, k**2))).sum())


@pytest.mark.parametrize("a", [0.93, 1.0])
def test_square_at_second_order(a):
    D, errors = 0.7, []
    for n in (16, 32, 64):
        fp = FokkerPlanck(
            Langevin(FLAT, D), Grid((-1.0, 1.0, n), (-1.0, 1.0, n)), "absorbing" if a == 1.0 else "reflecting"
        )
        domain = None if a == 1.0 else Box((-a, -a), (a, a))
        errors.append(fp.mean_exit_time(domain, x0=(0.1, -0.2)) / square(0.1, -0.2, a, D) - 1.0)
    np.testing.assert_allclose(slopes(errors), 2.0, atol=0.3)
    assert abs(errors[-1]) < 1e-3


def test_half_space_and_walls():
    """Reflecting at -1.2: ((b + 1.2)^2 - (x + 1.2)^2) / 2D, also with an end between the last centre and the wall."""
    D = 0.7
    fp = brownian(30)
    x = fp.grid.points[..., 0]
    for b in (0.777, 1.29, 1.3):
        exact = np.where(x < b, ((b + 1.2) ** 2 - (x + 1.2) ** 2) / 2 / D, 0.0)
        np.testing.assert_allclose(fp.mean_exit_time(HalfSpace((2.0, 0.0), 2.0 * b)), exact, rtol=1e-11, atol=1e-12)
    # along a ring nothing changes
    ring = brownian(30, boundary=["reflecting", "periodic"])
    np.testing.assert_allclose(ring.mean_exit_time(HalfSpace((1.0, 0.0), b)), exact, rtol=1e-11, atol=1e-12)


def test_strip_is_the_line():
    """x alone counts: the times of the row of cells, up to 1e27, on stretched cells."""
    D = 0.25 / 60.0
    V = Potential(
        energy=lambda x, y, p: 0.25 * (x * x - 1.0) ** 2 + 0.5 * y * y,
        gradient=lambda x, y, p: (x * (x * x - 1.0), y),
        params=(),
        dim=2,
    )
    axis = Stretched(-1.5, 1.5, 40, centre=0.0, width=0.5)
    plane = FokkerPlanck(Langevin(V, D), Grid(axis, (-0.4, 0.4, 8)))
    line = FokkerPlanck(Langevin(DoubleWell(0.25), D), Grid(axis))
    domain = HalfSpace((1.0, 0.0), 0.0123)
    expected = line.mean_exit_time((-np.inf, 0.0123))
    assert expected.max() > 1e26
    found = plane.mean_exit_time(domain)
    np.testing.assert_allclose(found, np.tile(expected[:, None], 8), rtol=1e-10)


def test_survival_in_a_disc():
    """The slowest mode decays with j_0^2 D / R^2; the integral over all times is the mean exit time."""
    R, D = 0.9, 0.7
    fp = brownian(40)
    rate = jn_zeros(0, 1)[0] ** 2 * D / R**2
    s = fp.survival(Ball((0.0, 0.0), R), (0.0, 0.0), [0.0, 1.0, 2.0, 3.0])
    assert s[0] == pytest.approx(1.0)
    np.testing.assert_allclose(np.log(s[1:-1] / s[2:]), rate, rtol=2e-3)
    t = np.linspace(0.0, 2.0, 81)
    alive = fp.survival(Ball((0.0, 0.0), R), (0.0, 0.0), t)
    whole = simpson(alive, x=t) + alive[-1] / rate
    assert whole == pytest.approx(fp.mean_exit_time(Ball((0.0, 0.0), R), x0=(0.0, 0.0)), rel=3e-3)
    assert fp.survival(Ball((0.0, 0.0), R), (1.1, 0.0), 1.0) == 0.0


# -- committors and currents ----


def annulus(n):
    """Committor between concentric circles: ln(r / r1) / ln(r2 / r1)."""
    center, r1, r2, D = (0.03, -0.05), 0.3, 0.95, 0.7
    fp = brownian(n, D)
    a, b = Ball(center, r1), Region(**OUTSIDE, params=(*center, r2))
    offset = fp.grid.points - np.array(center)
    r = np.sqrt((offset**2).sum(axis=-1))
    exact = np.clip(np.log(r / r1) / np.log(r2 / r1), 0.0, 1.0)
    rate = 2.0 * np.pi * D / np.log(r2 / r1) / (2.5 * 2.4)
    return fp, a, b, offset, r, exact, rate


def test_concentric_circles_at_second_order():
    errors = []
    for n in (20, 40, 80):
        fp, a, b, offset, r, exact, rate = annulus(n)
        middle = (r > 0.5) & (r < 0.7)
        J = (fp.reactive_current(a, b) * offset).sum(axis=-1) / r
        errors.append(
            [
                np.abs(fp.committor(a, b) - exact).max(),
                fp.reactive_rate(a, b) / rate - 1.0,
                np.abs(J * 2.0 * np.pi * r / rate - 1.0)[middle].max(),
            ]
        )
    errors = np.array(errors)
    np.testing.assert_allclose(slopes(errors).mean(axis=0), 2.0, atol=0.3)
    assert (np.abs(errors[-1]) < 2e-3).all()


def test_committors_mirror():
    fp, a, b, *_ = annulus(31)
    q = fp.committor(a, b)
    assert q.min() == 0.0 and q.max() == 1.0
    np.testing.assert_allclose(q + fp.committor(b, a), 1.0, atol=1e-13)
    assert fp.reactive_rate(a, b) == pytest.approx(fp.reactive_rate(b, a), rel=1e-12)
    np.testing.assert_allclose(fp.reactive_current(a, b), -fp.reactive_current(b, a), atol=1e-13)


def through_columns(fp, J):
    """Flux through every column of cells: the mean of that through its two sides."""
    return (J[..., 0] * fp.grid.widths[1]).sum(axis=1)


@pytest.mark.parametrize("tilt", [0.0, 0.4])
def test_what_flows_out_of_a_flows_into_b(tilt):
    """Through every section between the sets passes the same, the reactive rate; with a drift along the ring too."""
    V = Potential(
        energy=lambda x, y, p: p[0] * np.cos(2.0 * x) + 0.5 * y * y - p[1] * x,
        gradient=lambda x, y, p: (-2.0 * p[0] * np.sin(2.0 * x) - p[1], y),
        params=(0.5, tilt),
        dim=2,
    )
    boundary = ["periodic", "reflecting"] if tilt else "reflecting"
    fp = FokkerPlanck(Langevin(V, 0.4), Grid((0.0, 2.0 * np.pi, 48), (-3.2, 3.2, 40)), boundary)
    a, b = Ball((1.6, 0.1), 0.6), Ball((4.7, 0.0), 0.7)
    J, rate = fp.reactive_current(a, b), fp.reactive_rate(a, b)
    flux = through_columns(fp, J)
    x = fp.grid.axes[0]
    between, beyond = flux[(x > 2.4) & (x < 3.8)], flux[(x > 5.6) | (x < 0.8)]
    np.testing.assert_allclose(between, between[0], rtol=1e-9)
    np.testing.assert_allclose(beyond, beyond[0], rtol=1e-9, atol=1e-14)
    # without detailed balance what is lost at the cut cells is of second order
    assert between[0] - beyond[0] == pytest.approx(rate, rel=5e-3 if tilt else 1e-9)
    assert fp.reactive_rate(b, a) == pytest.approx(rate, rel=5e-3 if tilt else 1e-9)
    assert rate > 0.0 and (tilt or abs(beyond[0]) < 1e-14)


def test_rate_on_the_line():
    """k = D / (Z int e^{V/D}) between the sets, at second order, and the current is k between them, 0 elsewhere."""
    V, D = TiltedDoubleWell(0.25, 1.0, 0.05), 0.05
    Z = quad(lambda x: np.exp(-V(x) / D), -2.5, 2.5, points=[-1.0, 0.0, 1.0])[0]
    exact = D / Z / quad(lambda x: np.exp(V(x) / D), -0.73, 0.81)[0]
    a, b, errors = (-np.inf, -0.73), (0.81, np.inf), []
    for n in (100, 200, 400):
        fp = FokkerPlanck(Langevin(V, D), Grid(-2.5, 2.5, n))
        errors.append(fp.reactive_rate(a, b) / exact - 1.0)
    np.testing.assert_allclose(slopes(errors), 2.0, atol=0.1)
    J, rate = fp.reactive_current(a, b), fp.reactive_rate(a, b)
    edges = fp.grid.edges
    np.testing.assert_array_equal(J, np.where((edges >= -0.73) & (edges <= 0.81), rate, 0.0))
    np.testing.assert_allclose(fp.reactive_current(b, a), -J, rtol=1e-12)
    # D pi q' in the middle of the cells
    q, pi = fp.committor(a, b), fp.steady_state()
    half = 200
    slope = (q[half] - q[half - 1]) / fp.grid.dx * D * np.sqrt(pi[half] * pi[half - 1])
    assert slope == pytest.approx(rate, rel=1e-3)


def test_mueller_brown_rates():
    """lambda_1 = k / (pi_A pi_B) and T(B -> A) = pi_B / k up to e^{-barrier/D}; Eyring and Kramers within 15 per cent."""
    V, D = MuellerBrown(), 7.0
    A, C, B = V.minima()
    fp = FokkerPlanck(Langevin(V, D), Grid((-2.0, 1.5, 140), (-0.9, 2.5, 140)))
    a, b = Ball(A, 0.2), Ball(B, 0.2)
    k, share = fp.reactive_rate(a, b), fp.mean(fp.steady_state(), fp.committor(a, b))
    assert k / (share * (1.0 - share)) == pytest.approx(fp.eigenvalues(2)[1], rel=2e-3)
    T = fp.mean_exit_time(Region(**OUTSIDE, params=(*A, 0.2)), x0=B)
    assert abs(T * k / share - 1.0) < 1e-3
    # the chain A - C - B of Eyring-Kramers rates: mean time from B to A
    model, (upper, lower) = Langevin(V, D), V.saddles()

    def rate(minimum, saddle):
        return theory.eyring_kramers_rate(model, minimum, saddle)

    to_c, back, on = rate(B, lower), rate(C, lower), rate(C, upper)
    assert abs(T * to_c / (1.0 + (back + to_c) / on) - 1.0) < 0.2


# -- arguments ----


def test_refused():
    fp = brownian(12)
    everything = Region(lambda x, y, p: 1.0 + 0.0 * x, dim=2)
    for domain, match in (
        (None, "must have an end in the box"),
        (everything, "must have an end in the box"),
        (Ball((5.0, 5.0), 1.0), "must contain a cell centre"),
        (Ball((0.0, 0.0, 0.0), 1.0), "must have 2 coordinates"),
        ((0.0, 1.0), "must have 2 coordinates"),
    ):
        with pytest.raises(ValueError, match=match):
            fp.mean_exit_time(domain)
    with pytest.raises(ValueError, match="x0 must lie in the domain"):
        fp.mean_exit_time(Ball((0.0, 0.0), 0.5), x0=(0.6, 0.0))
    with pytest.raises(ValueError, match="a and b must not overlap"):
        fp.committor(Ball((0.0, 0.0), 0.5), Ball((0.3, 0.0), 0.5))
    with pytest.raises(ValueError, match="b must contain a cell centre"):
        fp.committor(Ball((0.0, 0.0), 0.5), Ball((4.0, 0.0), 0.5))
    with pytest.raises(ValueError, match="reactive current needs ends that conserve"):
        brownian(12, boundary="absorbing").reactive_rate(Ball((0.5, 0.0), 0.3), Ball((-0.5, 0.0), 0.3))
    with pytest.raises(ValueError, match="a and b must have a cell centre between them"):
        FokkerPlanck(Langevin(Harmonic(), 1.0), Grid(-5.0, 5.0, 20)).reactive_rate((-1.0, 0.0), (0.1, 1.0))
