"""Extrapolation to cells of width zero: reference digits, honest errors, and what must be flagged."""

import warnings

import numpy as np
import pytest
from scipy.integrate import quad

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid, Refined
from shld_sim.grid.refinement import romberg
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, Potential, Prinz, TiltedDoubleWell

# First six non-zero eigenvalues of -L in the double well height ((x^2 - 1)^2): singular values of sqrt(D)(d/dx + V'/2D) in
# scaled Hermite functions, two bases; 11 digits (the first) to 13.
EIGENVALUES = {
    (0.25, 0.03): [0.0001026970305823, 0.8787857348403, 1.370114734776, 1.582076491221, 1.96345208629, 2.541033560268],
    (0.25, 0.05): [0.002776140636573, 0.8222471245007, 1.314155318672, 1.780921344226, 2.455046059594, 3.268224379345],
    (0.25, 0.1): [0.033545287308, 0.9273721026076, 1.680263767388, 2.5958205757, 3.733984956735, 5.04226633907],
    (1.0, 0.1): [7.83570919987e-05, 3.616972468413, 5.818107354344, 6.407603859987, 7.492440195699, 9.617087097076],
    (1.0, 0.2): [0.01110456254629, 3.288988498003, 5.256621274686, 7.123685376904, 9.820184238375, 13.07289751738],
    (1.0, 0.25): [0.02977959330945, 3.31039406412, 5.51224029789, 7.911478343602, 11.14593030244, 14.95053804751],
    (1.0, 0.5): [0.2272733010087, 4.078279891769, 7.604028342382, 11.95144225554, 17.24628869168, 23.29705442127],
    (1.0, 1.0): [0.7486816723484, 6.004113670851, 11.66069555767, 18.64314678141, 26.87045526882, 36.16483393807],
}
# Prinz potential, D = 1, reflecting box [-2, 2]: sine-DVR of the Schroedinger form in three boxes; 10 digits and more.
PRINZ = [1.198993851767, 7.888502087797, 15.36139281649, 82.08166601835, 94.93269295768, 132.6241764274]
# The gap alone: power iteration of the integral operator f -> (1/D) int_0^x e^{V/D} int_y^inf e^{-V/D} f of the odd
# functions, composite Gauss-Legendre of 14 nodes on 40 and on 60 panels, 30 digits (mpmath); the two agree to 20 digits.
GAPS = {
    (0.25, 0.0125): 9.0965142493130157936e-10,
    (0.25, 0.01): 6.1546501759069340e-12,
    (1.0, 0.05): 3.6386056997252063e-9,
}
# Mean times from -1 to the saddle 0 and to the other minimum 1: nested Gauss-Legendre quadrature, 30 digits, agreeing with a
# stiff ODE to 2e-13.
EXIT_TIMES = {
    (0.25, 0.03): (9739.570990579650, 19485.81802005474),
    (0.25, 0.05): (361.9037595009244, 729.6706919423228),
    (0.25, 0.1): (30.82130247266569, 66.26862636491788),
    (1.0, 0.1): (12762.67562715001, 25527.09136429246),
    (1.0, 0.2): (90.47593987523109, 182.4176729855807),
    (1.0, 0.25): (33.94574428767981, 69.26364476083628),
    (1.0, 0.5): (4.606539613107103, 10.25857006718418),
    (1.0, 1.0): (1.435859267008809, 3.569434159127013),
}


def check(found, exact, rtol=1e-8):
    """Digits, the expected order, and an error that covers the true one (but for the digits of the reference, 1e-11)."""
    exact = np.asarray(exact)
    assert found.regular
    np.testing.assert_allclose(found.value, exact, rtol=rtol)
    assert (np.abs(found.value - exact) <= found.error + 1e-11 * np.abs(exact)).all()
    assert (found.error <= 1e-6 * np.abs(exact)).all()  # and says something


@pytest.mark.parametrize(("height", "D"), EIGENVALUES)
def test_eigenvalues_of_the_double_well(height, D):
    fp = FokkerPlanck(Langevin(DoubleWell(height), D), Grid(-3.0, 3.0, 300))
    found = fp.refined(lambda fp: fp.eigenvalues(7))
    assert isinstance(found, Refined) and found.cells == (300, 600, 1200) and found.values.shape == (3, 7)
    assert found.value[0] == 0.0 == found.error[0] and np.isnan(found.order[0])
    np.testing.assert_allclose(found.order[1:], 2.0, atol=0.01)
    check(fp.refined(lambda fp: fp.eigenvalues(7)[1:], levels=4), EIGENVALUES[height, D], rtol=1e-10)


def sinc_spectrum(V, D, low, high, n, k):
    """Eigenvalues of the Schroedinger form -D d^2/dx^2 + V'^2/4D - V''/2 in sinc functions at n points."""
    x, h = np.linspace(low, high, n, retstep=True)
    j = np.subtract.outer(np.arange(n), np.arange(n))
    kinetic = D / h**2 * np.where(j == 0, np.pi**2 / 3, 2.0 * (-1.0) ** j / np.where(j == 0, 1, j) ** 2)
    return np.linalg.eigvalsh(kinetic + np.diag(V.gradient(x) ** 2 / (4 * D) - V.hessian(x) / 2))[:k]


def test_eigenvalues_of_the_tilted_double_well():
    V, D = TiltedDoubleWell(tilt=0.15), 0.1
    exact = sinc_spectrum(V, D, -2.4, 2.4, 160, 5)
    np.testing.assert_allclose(exact, sinc_spectrum(V, D, -2.5, 2.5, 200, 5), rtol=2e-11, atol=1e-12)
    found = FokkerPlanck(Langevin(V, D), 300).refined(lambda fp: fp.eigenvalues(5), levels=4)
    np.testing.assert_allclose(found.value, exact, rtol=1e-9, atol=1e-12)


def test_prinz_is_stiff():
    fp = FokkerPlanck(Langevin(Prinz(), 1.0), Grid(-2.0, 2.0, 500))
    check(fp.refined(lambda fp: fp.eigenvalues(7)[1:], levels=4), PRINZ, rtol=1e-9)


@pytest.mark.parametrize(("height", "D"), GAPS)
def test_gaps_of_1e_9_beside_eigenvalues_of_one(height, D):
    fp = FokkerPlanck(Langevin(DoubleWell(height), D), Grid(-1.9, 1.9, 300))
    found = fp.refined(lambda fp: fp.eigenvalues(3)[1:], levels=4)
    assert found.regular and found.value[1] > 0.5
    assert found.value[0] == pytest.approx(GAPS[height, D], rel=1e-10)
    assert abs(found.value[0] - GAPS[height, D]) <= found.error[0]
    # Kramers' rate: lambda_1 = sqrt(V''(1)|V''(0)|)/pi exp(-height/D) (1 - 3/2 * D/(4 height) + O(D^2)) from
    # T(-1 -> 0) = (pi/sqrt 2) e^{dE/D} (1 + 3 D/(8 height) ...)
    kramers = 4.0 * np.sqrt(2.0) * height / np.pi * np.exp(-height / D)
    assert found.value[0] / kramers == pytest.approx(1.0 - 3.0 * D / (8.0 * height), abs=(D / height) ** 2 * 2)


@pytest.mark.parametrize(("height", "D"), EXIT_TIMES)
def test_exit_times_of_the_double_well(height, D):
    fp = FokkerPlanck(Langevin(DoubleWell(height), D), Grid(-2.5, 2.5, 200))
    for end, exact in zip((0.0, 1.0), EXIT_TIMES[height, D]):
        check(fp.refined(lambda fp, b=end: fp.mean_exit_time((-np.inf, b), x0=-1.0), levels=4), exact, rtol=1e-11)


@pytest.mark.parametrize(
    ("V", "D", "grid"),
    [
        (TiltedDoubleWell(), 0.1, Grid(-2.5, 2.5, 200)),
        (DoubleWell(), 0.03, Grid.stretched(-2.5, 2.5, 200, centre=0.1, width=0.7)),
        (Prinz(), 1.0, Grid(-2.0, 2.0, 400)),
    ],
)
@pytest.mark.parametrize(
    ("domain", "x0"),
    [
        ((-np.inf, 1 / np.pi), -np.sqrt(0.7)),
        ((-1 / np.e, np.sqrt(0.6)), 0.1234567),
        ((-0.98, np.inf), 0.3),
        ((0.1, 0.1 + 1e-3), 0.1 + 1e-3 / np.pi),  # a twentieth of a cell
    ],
)
def test_ends_and_starts_anywhere(V, D, grid, domain, x0):
    model = Langevin(V, D)
    fp = FokkerPlanck(model, grid)
    exact = shld.theory.mean_exit_time(model, x0, domain)
    check(fp.refined(lambda fp: fp.mean_exit_time(domain, x0), levels=4), exact, rtol=1e-10)
    if np.isfinite(domain).all():
        shares = fp.refined(lambda fp: fp.exit_distribution(domain, x0), levels=4)
        up = shld.theory.exit_probability(model, x0, domain)
        check(shares, [1.0 - up, up], rtol=1e-10)


def test_a_start_a_billionth_from_the_end():
    """T = (b - x0)(1/D) e^{V(b)/D} int_{-inf}^b e^{-V/D}, to a relative 1e-9 V'/D."""
    V, D, end = DoubleWell(), 0.1, 0.2
    start = end - 1e-9
    fp = FokkerPlanck(Langevin(V, D), Grid(-2.5, 2.5, 200))
    weight = quad(lambda z: np.exp((V(end) - V(z)) / D), -3.0, end, epsabs=0, epsrel=1e-12)[0]
    found = fp.refined(lambda fp: fp.mean_exit_time((-np.inf, end), start), levels=4)
    assert found.value == pytest.approx((end - start) * weight / D, rel=1e-8)


def test_a_start_on_the_boundary_and_ends_of_the_box():
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.1), Grid(-2.0, 1.3, 60), ("reflecting", "absorbing"))
    assert fp.mean_exit_time((-np.inf, 0.0), x0=0.0) == 0.0
    assert fp.mean_exit_time(None, x0=1.3) == 0.0
    np.testing.assert_array_equal(fp.exit_distribution((-0.5, 0.5), -0.5), [1.0, 0.0])
    np.testing.assert_array_equal(fp.exit_distribution((-0.5, 0.5), 0.5), [0.0, 1.0])
    np.testing.assert_allclose(fp.exit_distribution(None, -0.3), [0.0, 1.0], atol=1e-14)
    box = fp.refined(lambda fp: fp.mean_exit_time(None, x0=-0.3), levels=4)
    # reflecting at -2, where V/D is 25 above the well: the time of the half-line to exp(-20)
    check(box, shld.theory.mean_exit_time(fp.model, -0.3, (-np.inf, 1.3)), rtol=1e-9)


def test_grids_of_given_edges_have_odd_orders_too():
    rng = np.random.default_rng(1)
    edges = np.linspace(-2.5, 2.5, 151)
    edges[1:-1] += rng.uniform(-0.01, 0.01, 149)
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.1), Grid(edges))
    exact = np.array(EIGENVALUES[0.25, 0.1][:3])
    found = fp.refined(lambda fp: fp.eigenvalues(4)[1:], levels=4)
    check(found, exact, rtol=2e-9)
    even = fp.refined(lambda fp: fp.eigenvalues(4)[1:], levels=4, orders=(2, 4, 6))
    assert (np.abs(even.value - exact) > 1e-8 * exact).all()  # the wrong powers
    assert (np.abs(even.value - exact) <= even.error).all()  # are noticed


# -- the extrapolation by itself ----


def series(powers, coefficients, levels, h=0.3):
    widths = h / 2.0 ** np.arange(levels)
    return 1.7 + sum(c * widths**p for p, c in zip(powers, coefficients))


def test_powers_that_are_named_are_removed():
    for powers in ((2, 4, 6), (1, 2, 3), (0.5, 1.5, 2.5)):
        limit, error, order, regular = romberg(series(powers, (0.3, -0.2, 0.1), 4), powers)
        assert limit == pytest.approx(1.7, abs=1e-13)
        assert regular and order == pytest.approx(powers[0], abs=0.2)
        assert error >= abs(limit - 1.7)


@pytest.mark.parametrize("levels", [2, 3, 4, 5])
def test_errors_cover_in_general(levels):
    """Random smooth errors: the estimate covers the true one; pessimistic, but not by more than the last power removed."""
    rng = np.random.default_rng(levels)
    powers = (2, 4, 6, 8, 10, 12)
    values = np.stack([series(powers, c, levels) for c in rng.uniform(-1.0, 1.0, (300, 6))], axis=1)
    limit, error, _, regular = romberg(values, powers)
    covered = np.abs(limit - 1.7) <= error
    # a last correction that is near zero by accident cannot be seen: the share of such coefficients, of order h^2 / 2
    assert covered.mean() >= 1.0 - 0.3**2 / 2.0
    assert regular.mean() > 0.9
    assert np.median(error) < 0.5 * 0.3 ** (2 * (levels - 1)) + 1e-12


@pytest.mark.parametrize("q", [0.5, 0.8, 1.0, 1.3])
def test_a_lower_order_is_flagged_and_its_error_covers(q):
    values = series((q, 2, 4), (0.3, 0.4, -0.2), 4)
    limit, error, order, regular = romberg(values)
    assert not regular
    assert order == pytest.approx(q, abs=0.2)
    assert limit == values[-1]
    assert abs(limit - 1.7) <= error


def test_noise_is_not_taken_for_convergence():
    rng = np.random.default_rng(3)
    values = 1.0 + 1e-3 * rng.standard_normal((4, 200))
    limit, error, _, _ = romberg(values)
    assert (np.abs(limit - 1.0) <= 4.0 * error).mean() > 0.95
    exact = np.full((3, 2), [0.0, 3.0])
    limit, error, order, regular = romberg(exact)
    assert regular.all() and np.isnan(order).all()
    np.testing.assert_array_equal(limit, [0.0, 3.0])
    assert error[1] > 0.0  # never below rounding


def test_a_kink_is_flagged():
    """V = |x| to the power 1: on cells whose centres pass the kink unevenly the error is of order 1 or jumps."""
    V = Potential(energy=lambda x, p: abs(x - p[0]), gradient=lambda x, p: np.sign(x - p[0]), params=(0.1234567,))
    fp = FokkerPlanck(Langevin(V, 0.5), Grid(-18.0, 18.0, 90))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = fp.refined(lambda fp: fp.mean(fp.steady_state(), lambda x: x**2))
    exact = 2 * 0.5**2 + 0.1234567**2  # variance of Laplace's law of scale D
    assert abs(found.value - exact) <= found.error
    assert found.regular or "observed order" in str(caught[0].message)


def test_where_a_point_falls_within_a_cell_is_flagged():
    """A point start is shared by two cells: its variance grows by theta (1 - theta) dx^2 with theta any number."""
    fp = FokkerPlanck(Langevin(Harmonic(), 0.1), Grid(-3.0, 3.0, 60))
    start = 0.05  # the centre of a cell, then half-way between two: 0, dx^2 / 16, dx^2 / 64
    variance = lambda fp: fp.mean(fp.propagate(start, 0.0), lambda x: (x - start) ** 2)
    with pytest.warns(UserWarning, match="observed order"):
        found = fp.refined(variance)
    assert not found.regular
    assert abs(found.value) <= found.error


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda fp: fp.refined(3.0), TypeError, "quantity must be a function"),
        (lambda fp: fp.refined(lambda fp: fp.steady_state()), ValueError, "same shape on every grid"),
        (lambda fp: fp.refined(lambda fp: "a"), TypeError, "quantity must return"),
        (lambda fp: fp.refined(lambda fp: np.nan), ValueError, "quantity must be finite"),
        (lambda fp: fp.refined(lambda fp: 1.0, levels=1), ValueError, "levels must be at least 2"),
        (lambda fp: fp.refined(lambda fp: 1.0, levels=20), ValueError, "orders must be 19 or more"),
        (lambda fp: fp.refined(lambda fp: 1.0, orders=(2.0,)), ValueError, "orders must be 2 or more"),
        (lambda fp: fp.refined(lambda fp: 1.0, orders=(4.0, 2.0)), ValueError, "ascending"),
    ],
)
def test_refined_refuses(call, error, match):
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.2), Grid(-2.5, 2.5, 20))
    with pytest.raises(error, match=match):
        call(fp)


def test_scalars_and_repr():
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.2), Grid(-2.5, 2.5, 50))
    found = fp.refined(lambda fp: fp.eigenvalues(2)[1])
    assert isinstance(found.value, float) and isinstance(found.error, float) and isinstance(found.order, float)
    assert repr(found).startswith("Refined(value=0.13")
    assert fp.grid.refined(2).refined(3).multiple == 6 and fp.grid.refined(6) == fp.grid.refined(2).refined(3)
