"""Exit times, committors and barrier rates against 12-digit references and limits."""

import numpy as np
import pytest

from shld_sim import DoubleWell, Harmonic, Langevin, MuellerBrown, Polynomial, TiltedDoubleWell, Washboard, theory

QUARTIC_WELL = Polynomial([0.0, 0.0, -0.5, 0.0, 0.25])

# height, D, time from -1 to 0, time from -1 to +1, Eyring-Kramers rate, rate as stated: nested Gauss-Legendre with 30
# digits (two panel counts agree to 1e-30), confirmed by a stiff ODE solver to 1e-13.
REFERENCE = [
    (0.25, 0.03, 9739.570990579650, 19485.81802005474, 5.41021403816574e-5, 7.65119806811529e-5),
    (0.25, 0.05, 361.9037595009244, 729.6706919423228, 0.00151657090516961, 0.00214475514239131),
    (0.25, 0.1, 30.82130247266569, 66.26862636491788, 0.0184756158932074, 0.0261284665693698),
    (1.0, 0.1, 12762.67562715001, 25527.09136429246, 4.08742975175517e-5, 5.78049859017946e-5),
    (1.0, 0.2, 90.47593987523109, 182.4176729855807, 0.00606628362067846, 0.00857902056956524),
    (1.0, 1.0, 1.435859267008809, 3.569434159127013, 0.331207863265408, 0.468398652194553),
]


@pytest.mark.parametrize("height, D, to_saddle, to_far, rate, stated", REFERENCE)
def test_double_well_times_and_rates(height, D, to_saddle, to_far, rate, stated):
    model = Langevin(DoubleWell(height=height), D)
    assert theory.mean_exit_time(model, -1.0, (-np.inf, 0.0)) == pytest.approx(to_saddle, rel=1e-13)
    assert theory.mean_exit_time(model, -1.0, (-np.inf, 1.0)) == pytest.approx(to_far, rel=1e-13)
    assert theory.mean_exit_time(model, 1.0, (-1.0, np.inf)) == pytest.approx(to_far, rel=1e-13)
    assert theory.eyring_kramers_rate(model, -1.0, 0.0) == pytest.approx(rate, rel=1e-13)
    assert theory.kramers_rate_as_stated(model, -1.0, 0.0) == pytest.approx(stated, rel=1e-13)


def test_arrhenius_ratio():
    # kramers.arrhenius, D = 0.1: 66.26862636491788/exp(2.5) = 5.43966010397 (12 digits)
    model = Langevin(DoubleWell(), 0.1)
    ratio = theory.mean_exit_time(model, -1.0, (-np.inf, 1.0)) / theory.arrhenius_time(model, -1.0, 0.0)
    assert ratio == pytest.approx(5.43966010397, rel=1e-11)


def test_eyring_kramers_is_the_limit_at_high_barriers():
    # barrier/D = 25, 50, 100: the relative correction is O(D) and halves with D
    gaps = []
    for D in (0.01, 0.005, 0.0025):
        model = Langevin(DoubleWell(), D)
        time = theory.mean_exit_time(model, -1.0, (-np.inf, 1.0))
        gaps.append(time * theory.eyring_kramers_rate(model, -1.0, 0.0) - 1.0)
    assert 0.0 < gaps[2] < 0.005
    np.testing.assert_allclose(np.array(gaps[:-1]) / np.array(gaps[1:]), 2.0, rtol=0.05)


def test_eyring_kramers_on_mueller_brown():
    # mb.ek.D=15, 13 digits, 30-digit Newton for the critical points
    V = MuellerBrown()
    model = Langevin(V, 15.0)
    A, C, B = V.minima()
    AC, CB = V.saddles()
    for minimum, saddle, rate in (
        (A, AC, 0.21664646014145),
        (C, AC, 7.7721581115437),
        (C, CB, 61.869097748828),
        (B, CB, 22.265534898718),
    ):
        assert theory.eyring_kramers_rate(model, minimum, saddle) == pytest.approx(rate, rel=1e-10)


def test_free_motion_leaves_an_interval():
    flat = Polynomial([0.0, 0.0, 1e-300])
    x = np.array([-1.0, -0.5, 0.2, 0.9, 1.0])
    model = Langevin(flat, 0.7)
    np.testing.assert_allclose(theory.mean_exit_time(model, x, (-1.0, 1.0)), (1.0 - x**2) / 1.4, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(theory.exit_probability(model, x, (-1.0, 1.0)), 0.5 * (1.0 + x), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("domain", [(-1.5, 0.9), (-np.inf, 0.9), (-0.7, np.inf), (-1.7, 2.0)])
def test_mean_exit_time_solves_the_backward_equation(domain):
    # D T'' - V' T' = -1, by sixth-order differences: truncation and rounding 1e-10 T/h^2
    model = Langevin(TiltedDoubleWell(), 0.1)
    h, x = 0.01, np.array([-0.6, 0.0, 0.4, 0.8])
    T = np.array([theory.mean_exit_time(model, x + i * h, domain) for i in range(-3, 4)])
    first = np.array([-1.0, 9.0, -45.0, 0.0, 45.0, -9.0, 1.0]) @ T / (60.0 * h)
    second = np.array([2.0, -27.0, 270.0, -490.0, 270.0, -27.0, 2.0]) @ T / (180.0 * h * h)
    residual = 0.1 * second - model.potential.gradient(x) * first + 1.0
    assert np.abs(residual).max() < 1e-6 * max(1.0, float(T.max()))
    ends = [end for end in domain if np.isfinite(end)]
    np.testing.assert_allclose(theory.mean_exit_time(model, ends, domain), 0.0, atol=1e-11)


def test_exit_probability_solves_its_equation_and_stays_accurate_when_tiny():
    model = Langevin(Harmonic(), 0.01)
    # from 0 to 1 (V = 1/2 = 50 D) against -0.1: the ratio of two Dawson-like integrals, by mpmath-free Simpson
    x = np.linspace(-0.1, 1.0, 2_000_001)
    scale = np.exp((0.5 * x**2 - 0.5) / 0.01)
    weights = np.full(x.size, 2.0)
    weights[1::2], weights[[0, -1]] = 4.0, 1.0
    whole = weights @ scale
    upto = x <= 0.0
    y = x[: upto.sum()]
    part = np.trapezoid(scale[: y.size], y) / (whole * (x[1] - x[0]) / 3.0)
    assert theory.exit_probability(model, 0.0, (-0.1, 1.0)) == pytest.approx(part, rel=1e-9)
    assert part < 1e-18


def test_far_walls_do_not_matter_and_do_not_overflow():
    model = Langevin(DoubleWell(), 0.001)  # barrier 250 D; wall at -5 144000 D high
    open_end = theory.mean_exit_time(model, [-1.0, -0.5], (-np.inf, 0.0))
    # 1e-10: V/D = 144000 is rounded to 3e-11
    np.testing.assert_allclose(theory.mean_exit_time(model, [-1.0, -0.5], (-5.0, 0.0)), open_end, rtol=1e-10)


def test_only_the_infinite_end_has_to_confine():
    # tilted washboard: the mean time per period of Stratonovich, int_0^L dx int_{x-L}^x dz e^{(V(x)-V(z))/D}
    # / (D (1 - e^{-F L/D})), by the periodic trapezoidal rule, exact to rounding
    D, F, L = 0.5, 0.3, 2.0 * np.pi
    model = Langevin(Washboard(tilt=-F), D)
    times = theory.mean_exit_time(model, [0.0, L], (-np.inf, 2.0 * L))
    n = 200
    x = np.arange(n) * L / n
    wave = model.potential(x) + F * x
    z, w = np.polynomial.legendre.leggauss(60)
    back = 0.5 * L * (1.0 + z)
    inner = np.exp(-(model.potential(x[:, None] - back) + F * (x[:, None] - back)) / D - F * back / D) @ w * 0.5 * L
    period = np.mean(np.exp(wave / D) * inner) * L / (D * (1.0 - np.exp(-F * L / D)))
    assert times[0] - times[1] == pytest.approx(period, rel=1e-11)
    # and a cubic metastable well, V = x^3/3 - x, left through its barrier at -1
    cubic = Langevin(Polynomial([0.0, -1.0, 0.0, 1.0 / 3.0]), 0.05)
    rate = theory.eyring_kramers_rate(cubic, 1.0, -1.0)
    assert theory.mean_exit_time(cubic, 1.0, (-2.5, np.inf)) * rate == pytest.approx(1.0, abs=0.05)


def test_descent_from_far_above():
    # from -3 at D = 0.01 (V/D = 1600): the time to reach -1 is that of the drift, int dx/|V'|, plus O(1)
    model = Langevin(DoubleWell(), 0.01)
    times = theory.mean_exit_time(model, [-3.0, -2.0], (-np.inf, -1.5))
    # dx/dt = -(x^3 - x): t = (1/2) ln((1 - 1/x0^2)^-1 (1 - 1/x1^2)) reversed; noise changes it by O(D)
    flow = 0.5 * np.log((1.0 - 1.0 / 9.0) / (1.0 - 1.0 / 2.25)), 0.5 * np.log((1.0 - 0.25) / (1.0 - 1.0 / 2.25))
    np.testing.assert_allclose(times, flow, rtol=0.02)


DW = Langevin(DoubleWell(), 0.1)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: theory.mean_exit_time(DW, 1.0, (-np.inf, 0.0)), r"domain must contain x0=1.0, got \(-inf, 0.0\)"),
        (lambda: theory.mean_exit_time(DW, 1.0, (-np.inf, np.inf)), "domain must have a finite end"),
        (lambda: theory.mean_exit_time(DW, 1.0, (2.0, 0.0)), "low < high"),
        (lambda: theory.mean_exit_time(Langevin(Polynomial([0, 1.0]), 0.1), 0.0, (-np.inf, 1.0)), "must confine"),
        (lambda: theory.mean_exit_time(Langevin(DoubleWell(), 1e-4), -1.0, (-np.inf, 0.0)), "D must be larger"),
        (lambda: theory.exit_probability(DW, 0.0, (-np.inf, 1.0)), "domain must have finite ends"),
        (lambda: theory.exit_probability(DW, 3.0, (-1.0, 1.0)), "domain must contain x0=3.0"),
        (lambda: theory.eyring_kramers_rate(DW, 0.0, 0.0), "minimum must be a minimum"),
        (lambda: theory.eyring_kramers_rate(DW, -1.0, 1.0), "saddle must have one negative"),
        (lambda: theory.eyring_kramers_rate(DW, -0.8, 0.0), "minimum must be a critical point"),
        (lambda: theory.eyring_kramers_rate(DW, [-1.0], 0.0), "minimum must be one point"),
        (lambda: theory.kramers_rate_as_stated(DW, 0.0, 0.0), "minimum must be a minimum"),
        (lambda: theory.arrhenius_time(Langevin(DoubleWell(), 1e-4), -1.0, 0.0), "D must be larger"),
        (lambda: theory.kramers_rate_as_stated(Langevin(MuellerBrown(), 1.0), [0, 0], [0, 0]), "1 coordinate"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()
