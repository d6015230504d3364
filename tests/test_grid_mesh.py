"""The grid and the construction of a Fokker-Planck problem: geometry, the generator, and what is refused."""

import pickle
import warnings

import numpy as np
import pytest

from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.grid.generator import bernoulli
from shld_sim.grid.mesh import Stretched
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, Quartic, Washboard

WELL = Langevin(DoubleWell(), D=0.1)


def test_grid_geometry():
    grid = Grid(-2.5, 2.5, 400)
    assert grid == Grid((-2.5, 2.5, 400)) == pickle.loads(pickle.dumps(grid))
    assert (grid.dim, grid.shape, grid.dx) == (1, (400,), 0.0125)
    assert grid.axes[0] is grid.x
    assert grid.x.shape == (400,)
    assert grid.edges.shape == (401,)
    assert grid.edges[0] == -2.5 and grid.edges[-1] == 2.5
    np.testing.assert_array_equal(grid.x, -grid.x[::-1])  # exactly antisymmetric: symmetric problems stay symmetric
    np.testing.assert_allclose(0.5 * (grid.edges[1:] + grid.edges[:-1]), grid.x, atol=4e-16)  # ulp of 2.5
    assert eval(repr(grid)) == grid


def test_axes_of_other_kinds():
    grid = Grid.stretched(-50.0, 20.0, 300, centre=1.0, width=0.5)
    assert not grid.uniform and grid.edges[0] == -50.0 and grid.edges[-1] == 20.0
    u = np.diff(np.arcsinh((grid.edges - 1.0) / 0.5))
    np.testing.assert_allclose(u, u[0], rtol=1e-9)
    np.testing.assert_allclose(grid.refined(3).edges[::3], grid.edges, rtol=1e-12, atol=1e-12)
    given = Grid(np.array([0.0, 0.1, 0.3, 1.0]))
    assert given == pickle.loads(pickle.dumps(given)) and given.shape == (3,)
    np.testing.assert_allclose(given.refined().edges, [0.0, 0.05, 0.1, 0.2, 0.3, 0.65, 1.0])
    assert given.integrate(np.ones(3)) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="uniform grids; use widths"):
        _ = given.dx


def test_planes():
    grid = Grid((-2.0, 2.0, 40), Stretched(0.0, 9.0, 30))
    assert (grid.dim, grid.shape, grid.size) == (2, (40, 30), 1200)
    assert grid.points.shape == (40, 30, 2) and grid.volumes.shape == (40, 30)
    np.testing.assert_array_equal(grid.points[7, 11], [grid.axes[0][7], grid.axes[1][11]])
    # the integral of x^2 y over the box, exact up to the cells' own x^2: 16/3 (1 - dx^2/16...) times 81/2
    x, y = grid.points[..., 0], grid.points[..., 1]
    assert grid.integrate(x**2 * y) == pytest.approx(16 / 3 * 40.5, rel=1e-3)
    assert grid.integrate(np.stack([x**0, 2 * x**0])).tolist() == pytest.approx([36.0, 72.0])
    assert Grid((-1, 1, 4), (0, 1, 5)).dx == (0.5, 0.2)
    with pytest.raises(ValueError, match="one coordinate"):
        _ = grid.x


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((-1.0, 1.0, 1), ValueError, "empty grid"),
        ((-1.0, 1.0, 0), ValueError, "empty grid"),
        ((1.0, 1.0, 10), ValueError, "low=1.0, high=1.0"),
        ((np.nan, 1.0, 10), ValueError, "low"),
        ((0.0, np.inf, 10), ValueError, "high"),
        ((0.0, 1.0, 2.5), TypeError, "n must be"),
        ((0.0, 1.0), TypeError, "low, high, n"),
        ((), TypeError, "low, high, n"),
        (((0.0, 1.0, 4), (0.0, 1.0)), TypeError, "array of edges"),
        ((np.array([0.0, 1.0]),), ValueError, "at least 3"),
        ((np.array([0.0, 1.0, 0.5]),), ValueError, "increase, got 1.0 before 0.5 at index 2"),
    ],
)
def test_grid_refuses(arguments, error, match):
    with pytest.raises(error, match=match):
        Grid(*arguments)


def test_bernoulli_is_accurate_from_tiny_to_huge():
    u = np.array([0.0, 1e-300, -1e-12, 1e-8, 1.0, -1.0, 30.0, 700.0, 1e6, -1e6])
    plus, minus = bernoulli(u)
    # series u/(e^u - 1) = 1 - u/2 + u^2/12 at small u; exact values elsewhere
    expected = [1.0, 1.0, 1 + 5e-13, 1 - 5e-9, 1 / np.expm1(1.0), -1 / np.expm1(-1.0), 30 / np.expm1(30.0)]
    np.testing.assert_allclose(plus[:7], expected, rtol=4e-16)
    np.testing.assert_allclose(plus[7:], [700 * np.exp(-700.0), 0.0, 1e6], rtol=4e-16)
    np.testing.assert_allclose(minus - plus, u, rtol=4e-16, atol=4e-16)  # B(-u) - B(u) = u


@pytest.mark.parametrize("boundary", ["reflecting", "absorbing", ("absorbing", "reflecting"), "periodic"])
def test_generator_is_one(boundary):
    if boundary == "periodic":
        fp = FokkerPlanck(Langevin(Washboard(period=1.0), D=0.2), Grid(0.0, 1.0, 40), boundary)
    else:
        fp = FokkerPlanck(WELL, Grid(-2.5, 2.5, 40), boundary)
    L = fp.generator.toarray()
    assert fp.generator.format == "csc"
    assert (L - np.diag(np.diag(L)) >= 0.0).all()
    leak = L.sum(axis=0)
    rounding = 1e-15 * np.abs(np.diag(L))  # three terms per column
    assert (np.abs(leak[1:-1]) <= rounding[1:-1]).all()
    assert (leak[0] < -rounding[0]) == (boundary in ("absorbing", ("absorbing", "reflecting")))
    assert (leak[-1] < -rounding[-1]) == (boundary == "absorbing")


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: FokkerPlanck(DoubleWell(), Grid(-2, 2, 40)), TypeError, "model must be a Langevin"),
        (lambda: FokkerPlanck(WELL, (-2, 2, 40)), TypeError, "grid must be a Grid"),
        (lambda: FokkerPlanck(WELL, Grid(-2, 2, 40), "open"), ValueError, "boundary must be one of"),
        (lambda: FokkerPlanck(WELL, Grid(-2, 2, 40), ("reflecting", "periodic")), ValueError, r"boundary\[1\]"),
        (lambda: FokkerPlanck(WELL, Grid(-2, 2, 40), 3), TypeError, "pair"),
        (lambda: FokkerPlanck(WELL, Grid(-2, 3, 40), "periodic"), ValueError, "period"),
        (lambda: FokkerPlanck(Langevin(Washboard(period=1.0), 1.0), Grid(0, 1, 2), "periodic"), ValueError, "3 cells"),
        (lambda: FokkerPlanck(Langevin(Quartic(1.0), 1.0), Grid(-1e100, 1e100, 40)), ValueError, "finite in the box"),
    ],
)
def test_construction_refuses(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_a_box_that_cuts_the_gibbs_law_is_reported():
    with pytest.warns(UserWarning, match=r"low=-1\.5.*wider Grid"):
        FokkerPlanck(WELL, Grid(-1.5, 2.5, 100))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FokkerPlanck(WELL, Grid(-2.5, 2.5, 100))
        FokkerPlanck(Langevin(Harmonic(), 1.0), Grid(-1.0, 1.0, 100), "absorbing")
        FokkerPlanck(Langevin(Washboard(period=1.0), 1.0), Grid(0.0, 1.0, 100), "periodic")
