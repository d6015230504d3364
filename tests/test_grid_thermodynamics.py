"""Free energy, entropy production and currents: the H-theorem, Gibbs as minimiser, and the tilted washboard."""

import numpy as np
import pytest
from scipy.integrate import quad

from shld_sim.grid import FokkerPlanck, Grid, thermodynamics
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, TiltedDoubleWell, Washboard


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


def test_a_planted_error_breaks_the_h_theorem(fp):
    """Half the noise in F, or the arithmetic mean in sigma: dF/dt = -D sigma fails by far more than rounding."""
    D, dx, p = 0.15, fp.grid.dx, fp.propagate(0.4, 0.3)
    V = TiltedDoubleWell()(fp.grid.x)
    slope = lambda D: np.sum((V + D * np.log(p) + D) * (fp.generator @ p)) * dx
    assert slope(D) == pytest.approx(-D * fp.entropy_production(p), rel=1e-11)
    assert slope(0.5 * D) != pytest.approx(-D * fp.entropy_production(p), rel=1e-2)
    arithmetic = np.sum(fp.current(p)[1:-1] ** 2 / (0.5 * (p[1:] + p[:-1]))) * dx / D
    assert slope(D) != pytest.approx(-D * arithmetic, rel=1e-5)


def test_fisher_information(fp):
    """Relative to Gibbs: -D^2 I = dF/dt; for a Gaussian in a harmonic well, int p (x/s^2 - k x/D)^2 = s^2 (1/s^2 - k/D)^2."""
    D, dx = 0.15, fp.grid.dx
    p = fp.propagate(0.4, 0.7)
    slope = np.sum((TiltedDoubleWell()(fp.grid.x) + D * np.log(p)) * (fp.generator @ p)) * dx
    assert slope == pytest.approx(-(D**2) * fp.fisher_information(p), rel=1e-11)
    assert fp.fisher_information(fp.steady_state()) < 1e-23
    k, s = 1.3, 0.4
    errors = []
    for n in (200, 400):
        well = FokkerPlanck(Langevin(Harmonic(k), 0.5), Grid(-5.0, 5.0, n))
        gauss = well.propagate(lambda x: np.exp(-(x**2) / (2 * s**2)), 0.0)
        errors.append(well.fisher_information(gauss) / (s**2 * (1 / s**2 - k / 0.5) ** 2) - 1)
    assert abs(errors[1]) < 2e-3 and errors[0] / errors[1] == pytest.approx(4.0, abs=0.1)


def test_detailed_balance(fp):
    assert fp.detailed_balance() < 1e-12
    stretched = FokkerPlanck(Langevin(DoubleWell(), 0.01), Grid.stretched(-2.5, 2.5, 90))
    assert stretched.detailed_balance() < 1e-11  # V / D up to 800, rounded
    flat = FokkerPlanck(Langevin(Washboard(1e-9, 2.0, -0.3), 0.1), Grid(0.0, 2.0, 50), "periodic")
    assert flat.detailed_balance() == pytest.approx(1 - np.exp(-0.3 * 0.04 / 0.1), rel=1e-6)  # B(u) / B(-u) = exp(-u)


def gaussian(fp, s, mean=0.0):
    return fp.propagate(lambda x: np.exp(-((x - mean) ** 2) / (2 * s**2)), 0.0)


def test_uncertainty_products():
    """Gibbs: sd(x) sd(V') >= D, equal in a harmonic well; a Gaussian of width s there: k s^2, without a bound (it is stated
    as D/2); sd(x) sqrt(E |D d ln p|^2) >= D for all, equal for Gaussians.
    """
    D, k = 0.3, 1.7
    well = FokkerPlanck(Langevin(Harmonic(k), D), Grid(-4.0, 4.0, 800))
    gibbs = well.steady_state()
    assert well.uncertainty_product(gibbs) == pytest.approx(D, rel=1e-12)
    for s in (0.15, 0.6):
        p = gaussian(well, s, 0.2)
        assert well.uncertainty_product(p) == pytest.approx(k * s**2, rel=1e-8)  # the box cuts exp(-20) at most
        assert well.cramer_rao_product(p) == pytest.approx(D, rel=(well.grid.dx / s) ** 2 / 4)
    assert well.uncertainty_product(gaussian(well, 0.15)) < 0.5 * D
    # 0.1614 and 0.8714: variance of V' and of x under Gibbs at D = 0.1, 24-point Gauss-Legendre, 15 digits
    double = FokkerPlanck(Langevin(DoubleWell(), 0.1), 800)
    exact = np.sqrt(0.161408872412614949 * 0.871362908042049830)
    assert double.uncertainty_product(double.steady_state()) == pytest.approx(exact, rel=1e-6)
    assert double.cramer_rao_product(double.steady_state()) == pytest.approx(exact, rel=1e-3)  # d ln p = -V'/D


def test_cramer_rao_holds_exactly_on_the_grid(fp):
    """For any density on equal cells that vanishes at the ends: random ones, coarse ones, along a relaxation."""
    rng = np.random.default_rng(4)
    small = FokkerPlanck(Langevin(Harmonic(), 0.25), Grid(-3.0, 3.0, 12))
    for _ in range(200):
        p = rng.exponential(size=12) ** 3
        p[[0, -1]] = 1e-30
        p /= p.sum() * small.grid.dx
        assert small.cramer_rao_product(p) >= 0.25
    products = [fp.cramer_rao_product(p) for p in fp.propagate(-1.0, np.geomspace(0.05, 100.0, 12))]
    assert min(products) > 0.15 and fp.cramer_rao_product(fp.propagate(0.4, 0.0)) == np.inf
    plane = Grid((-3.0, 3.0, 40), (-2.0, 2.0, 30))
    wide = np.exp(-0.5 * plane.axes[0][:, None] ** 2 / 0.25 - 0.5 * plane.axes[1] ** 2 / 0.09)
    # E |grad ln p|^2 = 1/0.25 + 1/0.09 for the Gaussian
    assert thermodynamics.score_information(plane, wide) == pytest.approx(1 / 0.25 + 1 / 0.09, rel=0.02)
    assert thermodynamics.total_variance(plane, wide, plane.points) == pytest.approx(0.34, rel=1e-6)


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
