"""Exit times and committors against quadrature, closed forms and independent references."""

import numpy as np
import pytest
from scipy.integrate import cumulative_simpson, quad

from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, TiltedDoubleWell, Washboard

# Mean first-passage times from -1 to 0 (saddle) and to 1 (other minimum): nested Gauss-Legendre quadrature, 30 digits,
# agreeing with a stiff ODE to 2e-13 (reference ids dw.mfpt, h1.mfpt).
REFERENCE = {
    (0.25, 0.03): (9739.570990579650, 19485.81802005474),
    (0.25, 0.1): (30.82130247266569, 66.26862636491788),
    (1.0, 0.1): (12762.67562715001, 25527.09136429246),
    (1.0, 1.0): (1.435859267008809, 3.569434159127013),
}


@pytest.mark.parametrize(("height", "D"), REFERENCE)
def test_double_well_converges_to_the_reference_at_second_order(height, D):
    for end, reference in zip((0.0, 1.0), REFERENCE[height, D]):
        errors, values = [], []
        for n in (200, 400, 800):
            fp = FokkerPlanck(Langevin(DoubleWell(height), D), Grid(-2.5, 2.5, n))
            values.append(fp.mean_exit_time((-np.inf, end), x0=-1.0))
            errors.append(abs(values[-1] / reference - 1))
        np.testing.assert_allclose(np.log2(errors[0] / errors[1]), 2.0, atol=0.25)
        np.testing.assert_allclose(np.log2(errors[1] / errors[2]), 2.0, atol=0.1)
        assert abs((4 * values[2] - values[1]) / 3 / reference - 1) < 0.02 * errors[1]


def test_design_example_to_four_digits():
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.1), Grid(-2.5, 2.5, 400))
    time = fp.mean_exit_time((-np.inf, 0.0), x0=-1.0)
    assert isinstance(time, float)
    assert abs(time / 30.82130247266569 - 1) < 1e-4
    profile = fp.mean_exit_time((-np.inf, 0.0))
    assert profile.shape == (400,)
    assert (profile[fp.grid.x > 0] == 0.0).all() and (profile[fp.grid.x < 0] > 0.0).all()


@pytest.mark.parametrize("end", [0.1, 0.1004, 0.103, 0.10625, 0.1099, 0.1125])
def test_an_end_inside_a_cell_costs_nothing(end):
    """The error, 1.1e-4 at dx = 0.0125, is that of the interior and does not depend on where the end falls."""

    def outer(y):
        return np.exp(V(y) / D) / D * quad(lambda z: np.exp(-V(z) / D), -2.5, y, epsabs=0, epsrel=1e-10)[0]

    V, D = DoubleWell(), 0.1
    exact = quad(outer, -0.8123, end, epsabs=0, epsrel=1e-9)[0]
    fp = FokkerPlanck(Langevin(V, D), Grid(-2.5, 2.5, 400))
    assert fp.mean_exit_time((-np.inf, end), x0=-0.8123) == pytest.approx(exact, rel=1.3e-4)


def test_brownian_exit_times():
    """(x - a)(b - x) / 2D, exact at the cell centres of a parabola; mirrored, one-sided, and through the box's ends."""
    D = 0.8
    fp = FokkerPlanck(Langevin(Polynomial([0.0, 0.0]), D), Grid(-1.0, 1.0, 50))
    x = fp.grid.x
    for a, b in ((-0.5, 0.5), (-0.513, 0.777), (-1.0, 1.0)):
        exact = np.where((x > a) & (x < b), (x - a) * (b - x) / (2 * D), 0.0)
        np.testing.assert_allclose(fp.mean_exit_time((a, b)), exact, atol=1e-13)
    one_sided = np.where(x < 0.3, (0.3 - x) * (2.3 + x) / (2 * D), 0.0)  # reflected at -1
    np.testing.assert_allclose(fp.mean_exit_time((-np.inf, 0.3)), one_sided, atol=1e-13)
    for start in (-1.0, -0.4321, 0.2999):  # from a point, the wall itself among them
        exact = (0.3 - start) * (2.3 + start) / (2 * D)
        assert fp.mean_exit_time((-np.inf, 0.3), start) == pytest.approx(exact, rel=1e-12)
    right = FokkerPlanck(Langevin(Harmonic(), D), Grid(-5.0, 5.0, 100))
    np.testing.assert_allclose(
        right.mean_exit_time((-np.inf, 0.33)), right.mean_exit_time((-0.33, np.inf))[::-1], rtol=1e-12
    )


def test_an_absorbing_box_is_an_exit_and_agrees_with_the_survival():
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.3), Grid(-1.5, 0.5, 40), "absorbing")
    profile = fp.mean_exit_time((-np.inf, np.inf))
    # T solves L^T T = -1 with the same matrix, so it is the time integral of the survival on the grid, to rounding
    np.testing.assert_allclose(fp.generator.T @ profile, -1.0, atol=1e-10)


def test_long_times_keep_their_digits():
    """Barrier 250 D: T about 1e109, against the Eyring-Kramers formula; the solver must not cancel."""
    fp = FokkerPlanck(Langevin(DoubleWell(), 1e-3), Grid(-2.5, 2.5, 2000))
    time = fp.mean_exit_time((-np.inf, 0.0), x0=-1.0)
    # Eyring-Kramers pi / sqrt(2) exp(250) times the correction 1 + O(D): 1 + 1.5 D at most (dw.mfpt: 5 % at D = .03),
    # grid error (V'' dx^2 / D) / 12 = 1e-3
    assert time == pytest.approx(np.pi / np.sqrt(2.0) * np.exp(250.0), rel=4e-3)


@pytest.mark.parametrize(("a", "b"), [((-np.inf, -1.0), (1.0, np.inf)), ((0.2501, 0.31), (-1.3, -0.512))])
def test_committor_is_the_scale_function(a, b):
    V, D = TiltedDoubleWell(), 0.2
    fp = FokkerPlanck(Langevin(V, D), Grid(-2.5, 2.5, 250))
    q = fp.committor(a, b)
    swapped = fp.committor(b, a)
    np.testing.assert_allclose(q + swapped, 1.0, atol=1e-12)
    low, high = (a[1], b[0]) if a[0] < b[0] else (b[1], a[0])
    y = np.linspace(low, high, 4001)
    scale = cumulative_simpson(np.exp(V(y) / D), x=y, initial=0.0)
    x = fp.grid.x
    inside = (x > low) & (x < high)
    exact = np.interp(x[inside], y, scale / scale[-1])
    found = (q if a[0] < b[0] else swapped)[inside]
    assert np.abs(found - exact).max() < 4e-4  # (V'/D)^2 dx^2 / 24 with |V'| <= .5: 1e-4, and the ends
    assert (q[(x >= a[0]) & (x <= a[1])] == 0.0).all() and (q[(x >= b[0]) & (x <= b[1])] == 1.0).all()
    if a[0] > b[0]:  # beyond the targets only the nearer can be reached
        assert (q[x > a[1]] == 0.0).all()
        np.testing.assert_allclose(q[x < b[0]], 1.0, atol=1e-12)


def test_committor_with_targets_thinner_than_a_cell_and_absorbing_ends():
    fp = FokkerPlanck(Langevin(Polynomial([0.0, 0.0]), 1.0), Grid(-1.0, 1.0, 40), "absorbing")
    x = fp.grid.x
    q = fp.committor((-0.2601, -0.26), (0.263, 0.2631))
    middle = (x > -0.26) & (x < 0.263)
    np.testing.assert_allclose(q[middle], (x[middle] + 0.26) / 0.523, atol=1e-13)
    right = (
        x > 0.2631
    )  # killed at 1: linear from 1 down to 0 there; the end cell is half a cell from its Dirichlet point
    np.testing.assert_allclose(q[right], (1 - x[right]) / (1 - 0.2631), atol=1e-13)


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda fp: fp.mean_exit_time((-np.inf, 0.0), x0=0.5), ValueError, "x0 must lie in the domain"),
        (lambda fp: fp.mean_exit_time((-np.inf, 0.0), x0=-3.0), ValueError, "x0 must lie"),
        (lambda fp: fp.mean_exit_time((3.0, 4.0)), ValueError, "domain must overlap"),
        (lambda fp: fp.mean_exit_time((-np.inf, np.inf)), ValueError, "domain must have an end"),
        (lambda fp: fp.mean_exit_time((-5.0, 5.0)), ValueError, "domain must have an end"),
        (lambda fp: fp.mean_exit_time((0.001, 0.002)), ValueError, "cell centre"),
        (lambda fp: fp.mean_exit_time((1.0, 0.0)), ValueError, "low < high"),
        (lambda fp: fp.mean_exit_time(0.0), TypeError, "pair"),
        (lambda fp: fp.committor((-1.0, 0.5), (0.0, 1.0)), ValueError, "overlap"),
        (lambda fp: fp.committor((-4.0, -3.0), (0.0, 1.0)), ValueError, "a must overlap the box"),
        (lambda fp: fp.committor(-1.0, 1.0), TypeError, "a must be a pair"),
    ],
)
def test_exits_refuse(call, error, match):
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.1), Grid(-2.5, 2.5, 100))
    with pytest.raises(error, match=match):
        call(fp)


def test_rings_have_no_exit():
    fp = FokkerPlanck(Langevin(Washboard(period=1.0), 0.1), Grid(0.0, 1.0, 100), "periodic")
    with pytest.raises(ValueError, match="periodic"):
        fp.mean_exit_time((0.2, 0.5))
    with pytest.raises(ValueError, match="periodic"):
        fp.committor((0.2, 0.5), (0.6, 0.7))
