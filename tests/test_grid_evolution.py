"""Evolution on the grid: exact in time, never negative, mass conserved, second order in space."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.linalg import expm

from shld_sim.grid import FokkerPlanck, Grid, evolution, spectrum
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, Potential, Prinz, Quartic, TiltedDoubleWell, Washboard

coefficient = st.floats(-3.0, 3.0)


@st.composite
def problems(draw):
    """A Fokker-Planck problem with a random quartic or washboard, random noise, size and conserving boundary."""
    D = 10.0 ** draw(st.floats(-2.0, 1.0))
    n = draw(st.integers(5, 40))
    if draw(st.booleans()):
        V, boundary = Polynomial([draw(coefficient) for _ in range(5)]), "reflecting"
    else:
        V, boundary = Washboard(draw(st.floats(0.1, 3.0)), 4.0, draw(coefficient)), "periodic"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # random boxes do cut the Gibbs law
        return FokkerPlanck(Langevin(V, D), Grid(-2.0, 2.0, n), boundary)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(problems(), st.floats(-2.0, 2.0), st.floats(-6.0, 6.0))
def test_positive_and_conserving(fp, start, exponent):
    p = fp.propagate(start, 10.0**exponent)
    assert (p >= 0.0).all()
    assert abs(p.sum() * fp.grid.dx - 1.0) <= 1e-12


@settings(max_examples=40, deadline=None, derandomize=True)
@given(problems())
def test_steady_state_does_not_move(fp):
    p = fp.steady_state()
    assert abs(p.sum() * fp.grid.dx - 1.0) <= 1e-14
    rounding = 1e-11 * np.abs(fp.generator.diagonal()).max() * p.max()
    assert np.abs(fp.generator @ p).max() <= rounding
    # rounding of the steps: relative 1e-16 each, 1e5 of them at most before dense factors take over
    np.testing.assert_allclose(fp.propagate(p, 10.0), p, atol=1e-10 * p.max())


def test_gibbs_to_rounding():
    V, D = DoubleWell(), 0.03
    fp = FokkerPlanck(Langevin(V, D), Grid(-2.5, 2.5, 300))
    weight = np.exp(-V(fp.grid.x) / D)
    # the exponent, at most 230 where V / D is largest, is rounded to 1 part in 2^53
    np.testing.assert_allclose(fp.steady_state(), weight / (weight.sum() * fp.grid.dx), rtol=1e-13)


@pytest.mark.parametrize("boundary", ["reflecting", "absorbing", ("absorbing", "reflecting"), "periodic"])
@pytest.mark.parametrize("t", [1e-6, 0.01, 1.0, 30.0])
def test_both_evaluations_agree_with_expm(boundary, t):
    if boundary == "periodic":
        fp = FokkerPlanck(Langevin(Washboard(1.0, 2.0, 0.7), D=0.3), Grid(-1.0, 1.0, 30), boundary)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fp = FokkerPlanck(Langevin(DoubleWell(), D=0.2), Grid(-1.5, 1.5, 30), boundary)
    p0 = fp.propagate(-0.4, 0.0)
    exact = expm(fp.generator.toarray() * t) @ p0
    # scipy's scaling and squaring itself loses about eps * |L| t = 1e-16 * 400 * 30
    np.testing.assert_allclose(fp.propagate(p0, t), exact, atol=1e-11 * exact.max())
    jumps = float(fp.chain.rates.outflow.max())
    for method in (evolution._by_series, evolution._by_squaring):
        p = method(fp.chain.rates, np.append(p0, 0.0), np.array([t]), jumps)[0]
        np.testing.assert_allclose(p[:-1], exact, atol=1e-11 * exact.max())
        assert abs(p.sum() - p0.sum()) <= 1e-13 * p0.sum()  # with what has left


def test_both_evaluations_agree_on_slow_escape():
    """Survival near one after 1e5 time units and 1e8 jumps: 1e-10 although each jump rounds to 1e-16."""
    fp = FokkerPlanck(Langevin(DoubleWell(), D=0.02), Grid(-2.0, 0.0, 40), ("reflecting", "absorbing"))
    rate = fp.eigenvalues(1)[0]
    t = np.array([2e4, 1e5])
    survival = fp.propagate(-1.0, t).sum(axis=1) * fp.grid.dx
    assert 0.1 < survival[1] < survival[0] < 0.99
    # the start is not quite the slow mode: a common factor, which the ratio cancels
    assert survival[1] / survival[0] == pytest.approx(np.exp(-rate * 8e4), abs=1e-10)


def test_mass_survives_any_number_of_jumps():
    """1e6 jumps in the series and 2^75 in the squared factors: without rescaling, 1e-16 a jump adds up."""
    fp = FokkerPlanck(Langevin(DoubleWell(), D=0.1), Grid(-2.5, 2.5, 50))
    steady, jumps = fp.steady_state(), float(fp.chain.rates.outflow.max())
    for method, count in ((evolution._by_series, 1e6), (evolution._by_squaring, 2.0**75)):
        p = method(fp.chain.rates, np.append(fp.propagate(-1.0, 0.0), 0.0), np.array([count / jumps]), jumps)[0, :-1]
        assert abs(p.sum() * fp.grid.dx - 1.0) <= 1e-14
        np.testing.assert_allclose(p, steady, atol=1e-11)


LONG = np.geomspace(0.05, 1e5, 13)
FAR_STARTS = [
    (DoubleWell(), 0.1, Grid(-3.0, 3.0, 200), "reflecting", -1.0),
    (
        DoubleWell(),
        0.1,
        Grid(-3.0, 3.0, 200),
        "reflecting",
        2.9,
    ),  # exp(-135) of the Gibbs weight: moved by the series first
    (DoubleWell(), 0.03, Grid(-2.5, 2.5, 150), "reflecting", 0.0),
    (DoubleWell(1.0), 0.05, Grid(-2.0, 2.0, 150), "reflecting", -1.0),  # a gap of 4e-9
    (DoubleWell(1.0), 0.05, Grid(-2.0, 0.0, 100), ("reflecting", "absorbing"), -1.0),
    (TiltedDoubleWell(), 0.1, Grid.stretched(-2.5, 2.5, 150), ("absorbing", "reflecting"), 0.3),
    (
        Prinz(),
        0.1,
        Grid(-1.6, 1.6, 150),
        "reflecting",
        -0.75,
    ),  # two slow modes beside one another: left to the squaring
]


@pytest.mark.parametrize(("V", "D", "grid", "boundary", "start"), FAR_STARTS)
def test_modes_agree_with_squaring(V, D, grid, boundary, start, monkeypatch):
    fp = FokkerPlanck(Langevin(V, D), grid, boundary)
    rates, m0 = fp.chain.rates, fp._initial(start)
    exact = evolution._by_squaring(rates, np.append(m0, 0.0), LONG, rates.outflow.max())[:, :-1]
    monkeypatch.setattr(evolution, "SECONDS_PER_MODE", 0.0)  # the modes are always the cheapest
    found = evolution._by_modes(rates, m0, LONG, None, rates.outflow.max())
    assert (found >= 0.0).all()
    assert (np.abs(found - exact).max(axis=1) <= 1e-12 * exact.max(axis=1)).all()
    np.testing.assert_allclose(found.sum(axis=1), exact.sum(axis=1), rtol=1e-12)


def test_modes_are_an_orthogonal_basis_with_small_eigenvalues_to_relative_rounding():
    rates = FokkerPlanck(Langevin(DoubleWell(1.0), 0.05), Grid(-2.0, 2.0, 120)).chain.rates
    modes = spectrum.modes(rates)
    np.testing.assert_allclose(modes.vectors @ modes.vectors.T, np.eye(120), atol=1e-13)
    np.testing.assert_array_equal(modes.vectors[0], modes.root)
    np.testing.assert_allclose(modes.values[:40], spectrum._bisected(rates, 40), rtol=1e-12)
    assert 1e-9 < modes.values[1] < 1e-8 and modes.values[0] == 0.0


def test_the_error_estimate_of_the_modes_can_refuse():
    """Slow modes close to one another are mixed by rounding: the estimate says so, and the answer is refused."""
    fp = FokkerPlanck(Langevin(Prinz(), 0.1), Grid(-1.6, 1.6, 150))
    rates, m0 = fp.chain.rates, fp._initial(-0.75)
    t = np.array([1.0, 1e6])
    modes = spectrum.modes(rates)
    m, bound = modes.evolve(m0, t)
    exact = evolution._by_squaring(rates, np.append(m0, 0.0), t, rates.outflow.max())[:, :-1]
    live = modes.root > 1e-100
    size = lambda p: np.linalg.norm(p[:, live] / modes.root[live], axis=1)
    missed = size(m - exact) / size(exact)
    assert (missed <= bound).all()
    assert bound[0] < evolution.ACCURACY < bound[1]
    # and the cells of a start without weight amplify without end
    assert spectrum.amplification(np.array([1.0, 1e-150]), np.array([0.0, 1.0])) == np.inf
    assert spectrum.amplification(np.array([0.8, 0.6]), np.array([0.5, 0.5])) == pytest.approx(
        0.8 * np.hypot(5 / 8, 5 / 6)
    )


def test_heavy_tails_are_left_to_the_squaring():
    """Rates over thirty powers of ten: nearly all modes are slow beside the fastest, and the estimate refuses them."""
    V = Potential(
        energy=lambda x, p: p[0] * np.log(1.0 + x * x),
        gradient=lambda x, p: 2.0 * p[0] * x / (1.0 + x * x),
        params=(1.5,),
    )
    fp = FokkerPlanck(Langevin(V, 1.0), 120)
    t = np.array([0.1, 10.0, 1e5])
    m0 = fp._initial(0.3)
    exact = evolution._by_squaring(fp.chain.rates, np.append(m0, 0.0), t, fp.chain.rates.outflow.max())[:, :-1]
    np.testing.assert_allclose(fp.chain.evolve(m0, t), exact, atol=1e-12)


def test_gibbs_to_rounding_at_long_times():
    """Element by element, over 100 powers of ten; and nothing is made of no probability at all."""
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.1), Grid(-3.0, 3.0, 512))
    np.testing.assert_allclose(fp.propagate(-1.0, 2000.0), fp.steady_state(), rtol=1e-12)
    np.testing.assert_array_equal(fp.chain.evolve(np.zeros(512), np.array([1.0, 1e6])), np.zeros((2, 512)))


def test_many_times_at_once_in_any_order():
    fp = FokkerPlanck(Langevin(DoubleWell(), D=0.1), Grid(-2.5, 2.5, 60))
    t = np.array([5.0, 0.0, 1e5, 0.3, 5.0])
    together = fp.propagate(0.3, t)
    assert together.shape == (5, 60)
    np.testing.assert_array_equal(together[1], fp.propagate(0.3, 0.0))
    for row, time in zip(together, t):
        np.testing.assert_allclose(row, fp.propagate(0.3, time), atol=1e-11)


@pytest.mark.parametrize("n", [50, 100, 200])
def test_ornstein_uhlenbeck_mean_and_variance(n):
    """Mean x0 exp(-k t), variance D/k (1 - exp(-2 k t)): errors O(dx^2), the constants bounded by scale over D/k."""
    k, D, x0, t = 1.5, 0.4, 0.8, np.array([0.1, 0.7, 3.0])
    fp = FokkerPlanck(Langevin(Harmonic(k), D), Grid(-4.0, 4.0, n))
    p = fp.propagate(x0, t)
    mean = fp.mean(p, lambda x: x)
    variance = fp.mean(p, fp.grid.x**2) - mean**2
    dx2 = fp.grid.dx**2
    # SG replaces D by D (u/2) coth(u/2) = D (1 + u^2/12), u = V' dx / D: relative (V'/D)^2 dx^2 / 12, |V'| <= 1.2 here;
    # the shared start adds at most dx^2 / 4 to the variance
    np.testing.assert_allclose(mean, x0 * np.exp(-k * t), atol=0.5 * dx2)
    np.testing.assert_allclose(variance, D / k * (1 - np.exp(-2 * k * t)), atol=0.8 * dx2)


def test_huge_walls_do_no_harm():
    """V at the ends is 2.5e6 D and the wall's rates 1e7: no overflow, and the particle slides down."""
    fp = FokkerPlanck(Langevin(Quartic(1.0), D=1e-3), Grid(-10.0, 10.0, 400))
    p = fp.propagate(9.9, np.array([1e-3, 1.0, 100.0]))
    assert np.isfinite(p).all()
    # dx/dt = -x^3 from 9.9: x(1) = (9.9^-2 + 2)^(-1/2); dx = .05 and numerical diffusion uphill cost 2 per cent
    assert fp.mean(p, fp.grid.x)[1] == pytest.approx((9.9**-2 + 2.0) ** -0.5, rel=0.03)
    assert np.isfinite(fp.eigenvalues(3)).all()


def test_kinds_of_initial_condition():
    fp = FokkerPlanck(Langevin(DoubleWell(), D=0.1), Grid(-2.5, 2.5, 100))
    x, dx = fp.grid.x, fp.grid.dx
    for point in (-1.0, 0.0123, 2.4, x[7]):
        p = fp.propagate(point, 0.0)
        assert np.count_nonzero(p) <= 2
        assert fp.mean(p, lambda y: y) == pytest.approx(point, abs=1e-14)
    assert fp.propagate(2.5, 0.0)[-1] == pytest.approx(1 / dx)
    bump = lambda y: 3.0 * np.exp(-(y**2))
    np.testing.assert_allclose(fp.propagate(bump, 0.0), bump(x) / trapezoid(bump(x), x), rtol=1e-2)
    assert fp.propagate(bump, 0.0).sum() * dx == pytest.approx(1.0, abs=1e-15)
    almost = fp.steady_state() * (1 + 5e-7)
    assert fp.propagate(almost, 1.0).sum() * dx == pytest.approx(1 + 5e-7, abs=1e-12)  # not renormalised


@pytest.mark.parametrize(
    ("p0", "t", "error", "match"),
    [
        (2.6, 1.0, ValueError, "p0 must lie in the box"),
        (np.nan, 1.0, ValueError, "p0"),
        (np.ones(99), 1.0, ValueError, r"p0 must have shape \(100,\)"),
        (np.ones(100), 1.0, ValueError, "p0 must integrate to 1"),
        (np.linspace(-0.1, 0.5, 100), 1.0, ValueError, "p0 must not be negative"),
        (lambda x: 0.0 * x, 1.0, ValueError, "p0 must have probability"),
        ("left", 1.0, TypeError, "p0"),
        (0.0, -1.0, ValueError, "t must not be negative"),
        (0.0, np.inf, ValueError, "t must be finite"),
        (0.0, np.ones((2, 2)), ValueError, "t must be a number"),
    ],
)
def test_propagate_refuses(p0, t, error, match):
    fp = FokkerPlanck(Langevin(DoubleWell(), D=0.1), Grid(-2.5, 2.5, 100))
    with pytest.raises(error, match=match):
        fp.propagate(p0, t)
