"""Gibbs laws: partition functions, averages and distribution functions against independent 15-digit values."""

import numpy as np
import pytest
from scipy.special import ive

from shld_sim import (
    DoubleWell,
    Harmonic,
    Langevin,
    MexicanHat,
    MuellerBrown,
    Polynomial,
    Prinz,
    QuadraticForm,
    RescalingValley,
    RingOfWells,
    Rosenbrock,
    TiltedDoubleWell,
    Washboard,
    theory,
)

QUARTIC_WELL = Polynomial([0.0, 0.0, -0.5, 0.0, 0.25])  # x^4/4 - x^2/2: minimum -1/4, as in the references

# D, Z, E x^2, E x^4, E V, E V'': 24-point Gauss-Legendre on 60 panels with 30 digits, agreeing with the trapezoidal
# rule and with the Bessel closed form to 1e-29.
REFERENCE = [
    (0.02, 136759.403590797508, 0.978530154620681056, 0.998530154620681056, -0.239632538655170264, 1.93559046386204317),
    (0.05, 123.785301994823676, 0.936833940411833922, 0.986833940411833922, -0.221708485102958481, 1.81050182123550177),
    (0.1, 15.1701961737019658, 0.871362908042049830, 0.971362908042049830, -0.192840727010512458, 1.61408872412614949),
    (0.25, 5.36516023783456889, 0.832745487128380072, 1.08274548712838007, -0.145686371782095018, 1.49823646138514022),
    (1.0, 3.90513716985730125, 1.04179729648715595, 2.04179729648715595, -0.0104493241217889880, 2.12539188946146786),
]


@pytest.mark.parametrize("D, z, x2, x4, energy, curvature", REFERENCE)
def test_double_well_against_thirty_digit_quadrature(D, z, x2, x4, energy, curvature):
    model = Langevin(QUARTIC_WELL, D)
    # 1e-13: rounding of exp(V/D) with |V|/D up to 100, times 16-digit arithmetic
    assert theory.partition_function(model) == pytest.approx(z, rel=1e-13)
    assert theory.gibbs_expectation(model, lambda x: x**2) == pytest.approx(x2, rel=1e-13)
    assert theory.gibbs_expectation(model, lambda x: x**4) == pytest.approx(x4, rel=1e-13)
    assert theory.gibbs_expectation(model, QUARTIC_WELL) == pytest.approx(energy, rel=1e-13)
    assert theory.gibbs_expectation(model, QUARTIC_WELL.laplacian) == pytest.approx(curvature, rel=1e-13)
    assert abs(theory.gibbs_expectation(model, lambda x: x)) < 1e-13


def test_steep_double_well():
    # h1.gibbs.D=0.1 (V = (x^2 - 1)^2), same provenance
    model = Langevin(DoubleWell(height=1.0), 0.1)
    assert theory.partition_function(model) == pytest.approx(0.572534061678912297, rel=1e-13)
    assert theory.gibbs_expectation(model, lambda x: x**2) == pytest.approx(0.972522758201354599, rel=1e-13)


@pytest.mark.parametrize("D", [1e-6, 1e-3, 0.1, 10.0, 1e6])
def test_partition_function_is_the_bessel_closed_form(D):
    # int exp(-(x^4/4 - x^2/2)/D) = (pi/2) e^u (I_{-1/4}(u) + I_{1/4}(u)), u = 1/(8 D); ive carries the factor e^{-u}
    u = 0.125 / D
    log_z = np.log(0.5 * np.pi * (ive(-0.25, u) + ive(0.25, u))) + 2.0 * u
    # V itself is rounded: a relative 1e-16 of V/D = 1/(4 D)
    assert theory.log_partition_function(Langevin(QUARTIC_WELL, D)) == pytest.approx(log_z, rel=1e-14, abs=1e-13)


def test_density_is_normalised_and_proportional_to_the_boltzmann_factor():
    model = Langevin(TiltedDoubleWell(), 0.05)
    p = theory.gibbs_density(model)
    x = np.linspace(-3.0, 3.0, 20_001)  # the trapezoidal rule is exact to rounding on a smooth decaying density
    assert p(x).sum() * (x[1] - x[0]) == pytest.approx(1.0, abs=1e-12)
    assert np.log(p(0.7) / p(-0.2)) == pytest.approx((model.potential(-0.2) - model.potential(0.7)) / 0.05, rel=1e-12)
    assert p(0.3).shape == ()
    assert p(np.zeros((2, 3))).shape == (2, 3)


@pytest.mark.parametrize("potential, D", [(TiltedDoubleWell(), 0.05), (Prinz(), 0.5), (Harmonic(3.0), 1e-4)])
def test_cdf_against_the_average_of_an_indicator(potential, D):
    model = Langevin(potential, D)
    cdf = theory.gibbs_cdf(model)
    x = np.array([-0.8, -0.01, 0.0, 0.02, 0.9])
    direct = [theory.gibbs_expectation(model, lambda y, c=c: np.where(y <= c, 1.0, 0.0)) for c in x]
    np.testing.assert_allclose(cdf(x), direct, rtol=0, atol=1e-10)  # the jump of the indicator limits the average
    np.testing.assert_allclose(cdf([-1e9, 1e9]), [0.0, 1.0], rtol=0, atol=1e-15)


def test_circle():
    model = Langevin(Washboard(amplitude=1.0, period=2.0 * np.pi), 0.3)
    # amplitude (1 - cos) or cos: Z = e^{shift} 2 pi I_0(1/D); the shift cancels against V at its minimum
    lowest = float(model.potential(model.potential.minima()[0]))
    expected = 2.0 * np.pi * ive(0, 1.0 / 0.3) * np.exp(-lowest / 0.3)
    assert theory.partition_function(model) == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(theory.gibbs_cdf(model)([-np.pi, np.pi]), [0.0, 1.0], atol=1e-13)


@pytest.mark.parametrize(
    "potential, D, rel",
    [
        (DoubleWell(), 0.03, 1e-12),
        (TiltedDoubleWell(), 0.1, 1e-12),
        (Prinz(), 0.3, 1e-12),
        (RingOfWells(5), 0.2, 1e-9),  # 2-D cubature
        (MuellerBrown(), 15.0, 1e-9),
        (Rosenbrock(), 0.5, 1e-9),
        (MexicanHat(2), 0.1, 1e-9),
        (MexicanHat(3), 0.1, 1e-7),  # 3-D cubature
    ],
)
def test_average_consolidation_is_the_mean_curvature(potential, D, rel):
    model = Langevin(potential, D)
    average = theory.gibbs_expectation(model, lambda x: theory.consolidation_ratio(model, x))
    assert average == pytest.approx(theory.mean_curvature(model), rel=rel)


def test_partition_functions_in_two_and_three_dimensions_have_closed_forms():
    # Rosenbrock: Gaussian in y given x, so Z = pi D/sqrt(b); the hat: radial one-dimensional integrals
    assert theory.partition_function(Langevin(Rosenbrock(1.0, 100.0), 0.5)) == pytest.approx(np.pi * 0.05, rel=1e-10)
    r = np.linspace(0.0, 6.0, 60_001)
    boltzmann = np.exp(-0.25 * (r**2 - 1.0) ** 2 / 0.1)
    for d, area in ((2, 2.0 * np.pi * r), (3, 4.0 * np.pi * r**2)):
        # trapezoidal rule, h = 1e-4: its end-point error h^2/12 * 2 pi e^{-2.5} = 4e-10 at d = 2
        radial = float(np.sum(area * boltzmann) * (r[1] - r[0]))
        assert theory.partition_function(Langevin(MexicanHat(d), 0.1)) == pytest.approx(radial, rel=1e-9)


def test_quadratic_forms_in_any_dimension():
    k = np.geomspace(0.5, 50.0, 12)
    model = Langevin(QuadraticForm(k), 0.3)
    assert theory.log_partition_function(model) == pytest.approx(0.5 * np.sum(np.log(2.0 * np.pi * 0.3 / k)), rel=1e-13)
    assert theory.gibbs_density(model)(np.zeros(12)) == pytest.approx(
        np.prod(np.sqrt(k / (2.0 * np.pi * 0.3))), rel=1e-12
    )
    assert theory.mean_curvature(model) == pytest.approx(k.mean(), rel=1e-14)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: theory.partition_function(Langevin(Polynomial([0.0, 1.0]), 0.1)), "potential must confine"),
        (lambda: theory.partition_function(Langevin(QUARTIC_WELL, 1e-4)), "D must be larger for Z"),
        (lambda: theory.gibbs_density(Langevin(RescalingValley(), 0.1)), "potential must confine"),
        (lambda: theory.gibbs_density(Langevin(Washboard(tilt=0.1), 0.1)), "potential must not be tilted"),
        (lambda: theory.gibbs_density(Langevin(MexicanHat(4), 0.1)), "at most 3 dimensions, got 4"),
        (lambda: theory.gibbs_density(Langevin(QuadraticForm([1.0, -1.0]), 0.1)), "potential must confine"),
        (lambda: theory.gibbs_expectation(Langevin(Harmonic(), 0.1), lambda x: x[:1]), "function must return shape"),
        (lambda: theory.gibbs_expectation(Langevin(Harmonic(), 0.1), lambda x: x * np.inf), "function must be finite"),
        (lambda: theory.gibbs_cdf(Langevin(MexicanHat(2), 0.1)), "1 coordinate"),
        (lambda: theory.gibbs_cdf(Langevin(Washboard(), 0.1))(4.0), "x must lie within half a period"),
        (lambda: theory.log_partition_function(Langevin(QuadraticForm([1.0, 0.0]), 0.1)), "potential must confine"),
    ],
)
def test_messages(call, message):
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match=message):
        call()
