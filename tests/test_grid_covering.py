"""The box that holds a Gibbs law, light tails and heavy ones; second order on stretched and on given cells."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid, covering
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, Potential, Prinz, Quartic, TiltedDoubleWell, Washboard


def student(nu, D=1.0):
    """``D (nu + 1)/2 ln(1 + x^2)``: the Gibbs law is Student's, of nu degrees of freedom and scale nu^(-1/2)."""
    return Potential(
        energy=lambda x, p: p[0] * np.log(1.0 + x * x),
        gradient=lambda x, p: 2.0 * p[0] * x / (1.0 + x * x),
        params=(0.5 * D * (nu + 1.0),),
    )


def outside(model, low, high):
    """Gibbs probability outside of the box, by quadrature in pieces."""
    V, D = model.potential, model.D
    lowest = float(V(np.linspace(low, high, 20001)).min())
    weight = lambda x: np.exp(-(float(V(np.array(x))) - lowest) / D)
    width = high - low
    inside = sum(quad(weight, low + k * width / 40, low + (k + 1) * width / 40, epsabs=0)[0] for k in range(40))
    tails = quad(weight, low - 0.3 * width, low, epsabs=0)[0], quad(weight, high, high + 0.3 * width, epsabs=0)[0]
    return tails[0] / inside, tails[1] / inside


@pytest.mark.parametrize("V", [DoubleWell(), TiltedDoubleWell(tilt=0.2), Harmonic(3e-5), Quartic(100.0), Prinz()])
@pytest.mark.parametrize("D", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("tail", [1e-16, 1e-4])
def test_what_is_left_outside_is_the_tail_asked_for(V, D, tail):
    model = Langevin(V, D)
    grid = covering(model, 50, tail)
    assert grid.shape == (50,) and grid.uniform
    left, right = outside(model, grid.low, grid.high)
    assert left <= 0.5 * tail and right <= 0.5 * tail
    # rounded outwards by a tenth of the box at most, which is less than a factor of two of x - centre
    smaller = outside(model, grid.low + 0.2 * (grid.high - grid.low), grid.high)[0]
    assert smaller > 0.5 * tail


def test_symmetric_boxes_and_far_wells():
    assert covering(Langevin(DoubleWell(), 0.1), 400) == Grid(-2.2, 2.2, 400)
    far = Potential(
        energy=lambda x, p: 50.0 * (x - 1e4) ** 2, gradient=lambda x, p: 100.0 * (x - 1e4), check_at=[1e4, 1e4 + 1]
    )
    grid = covering(Langevin(far, 1.0), 100)  # sd 0.1, 1e4 away from where one would look
    assert 10000 - 1.2 < grid.low < 10000 - 0.8 and 10000 + 0.8 < grid.high < 10000 + 1.2
    twins = Polynomial([0.0, 0.0, -5000.0, 0.0, 0.25])  # wells of width 0.01 at +-100
    grid = covering(Langevin(twins, 1.0), 100)
    assert grid.low == -grid.high and 100 < grid.high < 111


@pytest.mark.parametrize("nu", [1.0, 2.5])
def test_heavy_tails_take_stretched_cells(nu):
    model = Langevin(student(nu), 1.0)
    law = stats.t(nu, scale=nu**-0.5)
    errors = []
    for n in (200, 400, 800):
        fp = FokkerPlanck(model, n)
        assert not fp.grid.uniform and law.cdf(fp.grid.low) < 0.5e-16 and law.sf(fp.grid.high) < 0.5e-16
        p = fp.steady_state()
        assert fp.grid.integrate(p) == pytest.approx(1.0, abs=1e-13)
        middle = fp.grid.edges[1:-1]
        below = np.cumsum(p * fp.grid.volumes)[:-1]
        errors.append(np.abs(below - law.cdf(middle)).max())
        far = (middle < -50.0) & (middle > 1e-3 * fp.grid.low)  # in the tail the error is relative
        assert np.abs(below / law.cdf(middle) - 1.0)[far].max() < 3000.0 / n**2
    np.testing.assert_allclose(np.log2(np.divide(errors[:-1], errors[1:])), 2.0, atol=0.1)


def test_mean_exit_time_into_a_heavy_tail():
    """Free of the potential: from 0 to 1e5 in Cauchy's law of scale 1, T = int (1 + y^2)(pi/2 + atan y) dy / D."""
    fp = FokkerPlanck(Langevin(student(1.0), 1.0), 300)
    exact = quad(lambda y: (1 + y**2) * (np.pi / 2 + np.arctan(y)), 0.0, 1e5, epsabs=0, epsrel=1e-12, limit=500)[0]
    found = fp.refined(lambda fp: fp.mean_exit_time((-np.inf, 1e5), x0=0.0), levels=4)
    assert found.regular
    assert found.value == pytest.approx(exact, rel=1e-8)
    assert abs(found.value - exact) <= found.error + 1e-12 * exact


@pytest.mark.parametrize(
    "make",
    [
        lambda n: Grid.stretched(-3.0, 3.0, n, centre=-0.3, width=0.6),
        lambda n: Grid(Grid(-3.0, 3.0, 50).edges + 0.03 * np.sin(40.0 * Grid(-3.0, 3.0, 50).edges)).refined(n // 50),
    ],
    ids=["stretched", "edges"],
)
def test_second_order_on_unequal_cells(make):
    """Eigenvalues, exit times, committor and evolution all converge with slope 2; the Gibbs law is exact."""
    model = Langevin(TiltedDoubleWell(), 0.15)
    found = []
    misses = []
    for factor in (1, 2, 4, 8):
        fp = FokkerPlanck(model, make(100).refined(factor))
        weight = fp.grid.volumes * np.exp(-model.potential(fp.grid.x) / 0.15)
        np.testing.assert_allclose(fp.steady_state() * fp.grid.volumes, weight / weight.sum(), rtol=1e-12, atol=1e-200)
        p = fp.propagate(lambda x: np.exp(-2.0 * (x + 0.5) ** 2), 0.7)
        inside = np.abs(fp.grid.x) < 1.0
        q = fp.committor((-np.inf, -1.0), (1.0, np.inf))[inside]
        misses.append(np.abs(q - shld.theory.exit_probability(model, fp.grid.x[inside], (-1.0, 1.0))).max())
        found.append(
            [
                *fp.eigenvalues(3)[1:],
                fp.mean_exit_time((-np.inf, 0.1), x0=-0.9),
                fp.mean(p, lambda x: x**2),
            ]
        )
    moves = np.abs(np.diff(found, axis=0))
    slopes = np.log2(moves[:-1] / moves[1:])
    np.testing.assert_allclose(slopes[-1], 2.0, atol=0.15)
    assert np.log2(misses[0] / misses[-1]) / 3.0 == pytest.approx(2.0, abs=0.15)
    exact = shld.theory.mean_exit_time(model, -0.9, (-np.inf, 0.1))
    assert found[-1][2] == pytest.approx(exact, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "error", "match"),
    [
        (Langevin(Washboard(), 1.0), ValueError, "confines.*low end"),
        (Langevin(Polynomial([0.0, 1.0]), 1.0), ValueError, "confines.*low end"),
        (Langevin(Polynomial([0.0, -1.0, 0.0, 0.0]), 1.0), ValueError, "confines.*high end"),
        (Langevin(student(-0.5), 1.0), ValueError, "confines"),
        (Langevin(student(0.5), 1.0), ValueError, "tail must be larger"),
        (Langevin(DoubleWell(), shld.Cosine(0.1, 0.2, 1.0)), ValueError, "constant"),
        (Langevin(shld.MuellerBrown(), 10.0), ValueError, "1 coordinate"),
        (shld.LevyFlight(DoubleWell(), 1.5, 0.3), TypeError, "must be a Langevin"),
    ],
)
def test_refused(model, error, match):
    with pytest.raises(error, match=match):
        FokkerPlanck(model, 100)


def test_arguments():
    model = Langevin(DoubleWell(), 0.1)
    assert FokkerPlanck(model, np.int64(50)).grid == covering(model, 50)
    for bad in (True, 50.0, "50"):
        with pytest.raises(TypeError, match="a Grid or a number of cells"):
            FokkerPlanck(model, bad)
    with pytest.raises(ValueError, match="at least 2"):
        FokkerPlanck(model, 1)
    with pytest.raises(ValueError, match="tail"):
        covering(model, 50, 0.0)
