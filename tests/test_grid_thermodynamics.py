"""Free energy, entropy production and currents: the H-theorem, Gibbs as minimiser, and the tilted washboard."""

import numpy as np
import pytest
from scipy.integrate import quad

from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, TiltedDoubleWell, Washboard


@pytest.fixture(scope="module")
def fp():
    return FokkerPlanck(Langevin(TiltedDoubleWell(), D=0.15), Grid(-2.5, 2.5, 120))


def test_gibbs_minimises_the_free_energy(fp):
    V, D, dx = TiltedDoubleWell(), 0.15, fp.grid.dx
    gibbs = fp.steady_state()
    lowest = -D * np.log(np.exp(-V(fp.grid.x) / D).sum() * dx)
    assert fp.free_energy(gibbs) == pytest.approx(lowest, abs=1e-14)
    rng = np.random.default_rng(1)
    for _ in range(20):
        p = gibbs * np.exp(0.1 * rng.standard_normal(gibbs.size))
        p /= p.sum() * dx
        relative_entropy = np.sum(p * np.log(p / gibbs)) * dx
        assert fp.free_energy(p) - lowest == pytest.approx(D * relative_entropy, abs=1e-13)  # and this is positive
    assert np.isfinite(fp.free_energy(fp.propagate(-1.0, 0.0)))  # 0 ln 0 = 0


def test_h_theorem(fp):
    """dF/dt = sum_i (V_i + D ln p_i + D) (L p)_i dx = -D sigma on the grid, and F falls along every solution."""
    D, dx = 0.15, fp.grid.dx
    V = TiltedDoubleWell()(fp.grid.x)
    for p in fp.propagate(0.4, np.array([0.1, 0.3, 1.0, 5.0, 30.0])):
        slope = np.sum((V + D * np.log(p) + D) * (fp.generator @ p)) * dx
        sigma = fp.entropy_production(p)
        assert sigma > 0.0
        # L p, of size 1e-2 .. 10, is rounded to eps |L| p = 1e-16 * 1e3 per cell, times V + D ln p <= 10
        assert slope == pytest.approx(-D * sigma, rel=1e-11, abs=1e-11)
    F = [fp.free_energy(p) for p in fp.propagate(0.4, np.linspace(0.0, 40.0, 81))]
    assert (np.diff(F) < 0.0).all()
    # and the difference quotient of F itself: relative error (h rate)^2, rates of order one at t = 1
    before, now, after = fp.propagate(0.4, 1.0 + 1e-3 * np.array([-1.0, 0.0, 1.0]))
    slope = (fp.free_energy(after) - fp.free_energy(before)) / 2e-3
    assert slope == pytest.approx(-D * fp.entropy_production(now), rel=1e-4)


def test_entropy_production_is_the_integral_of_the_current_squared(fp):
    p = fp.propagate(lambda x: np.exp(-((x - 0.2) ** 2)), 0.3)
    J = fp.current(p)[1:-1]
    middle = 0.5 * (p[1:] + p[:-1])
    integral = np.sum(J**2 / middle) * fp.grid.dx / 0.15
    assert fp.entropy_production(p) == pytest.approx(integral, rel=2e-2)  # logarithmic against arithmetic mean: O(dx^2)


def test_current_is_conserved_and_vanishes_at_equilibrium(fp):
    p = fp.propagate(0.4, 0.7)
    J = fp.current(p)
    assert J.shape == (121,) and J[0] == 0.0 == J[-1]
    np.testing.assert_allclose(-np.diff(J) / fp.grid.dx, fp.generator @ p, atol=1e-11)  # dp/dt = -dJ/dx
    gibbs = fp.steady_state()
    # terms right_i p_i dx of size D p / dx = 4 cancel
    assert np.abs(fp.current(gibbs)).max() < 1e-13
    assert fp.entropy_production(gibbs) < 1e-24


def test_current_through_absorbing_ends():
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.2), Grid(-1.2, 1.4, 60), "absorbing")
    p = fp.propagate(0.1, 0.5)
    J = fp.current(p)
    assert J[0] < 0.0 < J[-1]
    np.testing.assert_allclose(-np.diff(J) / fp.grid.dx, fp.generator @ p, atol=1e-11)
    for refused in (fp.steady_state, lambda: fp.entropy_production(p)):
        with pytest.raises(ValueError, match="absorbing"):
            refused()


def stratonovich_current(V, D, length, work):
    r"""Return ``J = D (1 - exp(W/D)) / int_0^L e^{-V(x)/D} int_x^{x+L} e^{V(y)/D} dy dx``, ``W = V(x + L) - V(x)``.

    From ``D d/dx(p e^{V/D}) = -J e^{V/D}`` over a period, with ``p`` of unit integral: Stratonovich, Topics in the
    Theory of Random Noise II (1967); Risken, The Fokker-Planck Equation, section 11.3.
    """
    inner = lambda x: quad(lambda y: np.exp((V(y) - V(x)) / D), x, x + length, epsabs=0, epsrel=1e-11)[0]
    return D * (1 - np.exp(work / D)) / quad(inner, 0.0, length, epsabs=0, epsrel=1e-10)[0]


@pytest.mark.parametrize(("tilt", "D"), [(-0.3, 0.3), (0.5, 0.2), (-2.0, 0.1)])
def test_tilted_washboard(tilt, D):
    V, length = Washboard(1.0, 2 * np.pi, tilt), 2 * np.pi
    work = tilt * length
    exact = stratonovich_current(V, D, length, work)
    errors = []
    for n in (200, 400):
        fp = FokkerPlanck(Langevin(V, D), Grid(0.0, length, n), "periodic")
        p = fp.steady_state()
        J = fp.current(p)
        np.testing.assert_allclose(J, J.mean(), atol=1e-12)  # constant around the ring
        assert J[0] == J[-1]
        assert fp.entropy_production(p) == pytest.approx(-J.mean() * work / D, rel=1e-11)
        np.testing.assert_allclose(fp.propagate(0.5, 1e5), p, atol=1e-11)
        errors.append(abs(J.mean() / exact - 1))
    assert errors[1] < 2e-3
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)


def test_untilted_ring_is_gibbs():
    V, D = Washboard(1.0, 2 * np.pi), 0.3
    fp = FokkerPlanck(Langevin(V, D), Grid(0.0, 4 * np.pi, 128), "periodic")  # two periods
    weight = np.exp(-V(fp.grid.x) / D)
    np.testing.assert_allclose(fp.steady_state(), weight / weight.sum() / fp.grid.dx, rtol=1e-13)
    assert np.abs(fp.current(fp.steady_state())).max() < 1e-14


def test_mean(fp):
    p = fp.steady_state()
    assert isinstance(fp.mean(p, lambda x: x), float)
    assert fp.mean(p, 1.0) == pytest.approx(1.0, abs=1e-14)
    assert fp.mean(np.stack([p, p]), fp.grid.x).shape == (2,)
    for bad, match in ((np.ones(3), "f must"), (lambda x: x * np.nan, "f must be finite")):
        with pytest.raises(ValueError, match=match):
            fp.mean(p, bad)
    with pytest.raises(ValueError, match="p must"):
        fp.mean(np.ones(3), 1.0)
    with pytest.raises(ValueError, match="p must not be negative"):
        fp.free_energy(-p)
