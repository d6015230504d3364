"""Stable laws, quartic stationary laws and stable exit times against independent values, limits and identities."""

import itertools
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import cauchy, norm

from shld_sim import DoubleWell, Harmonic, Langevin, LevyFlight, MexicanHat, Quartic, theory

# alpha, x, density, P(X > x): inversion on a rotated contour (arg k = min(pi/2, pi/(4 alpha))), mpmath 30 digits
STABLE = [
    (0.3, 0.05, 0.744318929848749, 0.4331492420998062),
    (0.3, 0.7, 0.07684028778567296, 0.3056374992146328),
    (0.3, 2.5, 0.02007175652898078, 0.2388400602431052),
    (0.3, 9.0, 0.004707935451271146, 0.1792989644850617),
    (0.3, 40.0, 0.0007992699774766766, 0.123875385117011),
    (0.5, 0.05, 0.5709498040057021, 0.4694128888056456),
    (0.5, 0.7, 0.1243222514111677, 0.3022322486737663),
    (0.5, 2.5, 0.02985147829710786, 0.1968600815616278),
    (0.5, 9.0, 0.005625689218837002, 0.11651906539753),
    (0.5, 40.0, 0.0006939206710564918, 0.05923061967502741),
    (0.9, 0.05, 0.3336975140305452, 0.4832743936764544),
    (0.9, 0.7, 0.2013594197496333, 0.3041664092649807),
    (0.9, 2.5, 0.0419564501703174, 0.1336303859070819),
    (0.9, 9.0, 0.004421405974368701, 0.0454431544395192),
    (0.9, 40.0, 0.0002703685234438499, 0.01208299763588688),
    (1.2, 0.05, 0.298979798521209, 0.4850363381335222),
    (1.2, 0.7, 0.2294179436594866, 0.3081489613292472),
    (1.2, 2.5, 0.04706410218510655, 0.09903331681701846),
    (1.2, 9.0, 0.002792282780011856, 0.02044891716894003),
    (1.2, 40.0, 0.0001006626465771628, 0.003339224954710663),
    (1.5, 0.05, 0.2870876466729175, 0.4856367818632474),
    (1.5, 0.7, 0.2407841984924548, 0.310206828554753),
    (1.5, 2.5, 0.05114889453067177, 0.07181073526438441),
    (1.5, 9.0, 0.001387678742435211, 0.007846332336334556),
    (1.5, 40.0, 2.994400986052224e-5, 0.0007934794516098435),
    (1.8, 0.05, 0.2828692838344195, 0.485849887154746),
    (1.8, 0.7, 0.24672301842831, 0.3105850373342146),
    (1.8, 2.5, 0.05576827320659614, 0.05027145212437349),
    (1.8, 9.0, 0.0004119430965149053, 0.001898403662358612),
    (1.8, 40.0, 5.442520681920322e-6, 0.0001203421945313931),
    (1.95, 0.05, 0.2820672447285035, 0.4858905998696987),
    (1.95, 0.7, 0.2489099939094718, 0.3104046678620323),
    (1.95, 2.5, 0.05828573273336558, 0.04130341807173586),
    (1.95, 9.0, 8.64778593105615e-5, 0.0003659146961777489),
    (1.95, 40.0, 9.039919486308713e-7, 1.846790065862624e-5),
]


@pytest.mark.parametrize("alpha, x, density, survival", STABLE)
def test_stable_law_against_thirty_digit_inversion(alpha, x, density, survival):
    # 1e-11 relative, tails included: 1e-16 in each term, amplified by x^(1 + alpha/2) at the ends of the middle range
    assert theory.stable_pdf(x, alpha) == pytest.approx(density, rel=1e-11)
    assert theory.stable_pdf(-x, alpha) == pytest.approx(density, rel=1e-11)
    assert theory.stable_cdf(-x, alpha) == pytest.approx(survival, rel=1e-11)
    assert theory.stable_cdf(x, alpha) == pytest.approx(1.0 - survival, rel=1e-14)


def test_closed_forms():
    x = np.array([-7.0, -0.3, 0.0, 1.0, 4.0])
    np.testing.assert_allclose(theory.stable_pdf(x, 2.0, 1.5), norm.pdf(x, scale=1.5 * math.sqrt(2.0)), rtol=1e-13)
    np.testing.assert_allclose(theory.stable_cdf(x, 2.0, 1.5), norm.cdf(x, scale=1.5 * math.sqrt(2.0)), rtol=1e-12)
    np.testing.assert_allclose(theory.stable_pdf(x, 1.0, 1.5), cauchy.pdf(x, scale=1.5), rtol=1e-13)
    np.testing.assert_allclose(theory.stable_cdf(x, 1.0, 1.5), cauchy.cdf(x, scale=1.5), rtol=1e-13)


@pytest.mark.parametrize("alpha", [1.0 - 1e-9, 1.0 + 1e-9])
def test_nothing_special_happens_beside_cauchy(alpha):
    x = np.geomspace(1e-3, 1e3, 200)  # d p/d alpha is O(p ln x)
    np.testing.assert_allclose(theory.stable_pdf(x, alpha), theory.stable_pdf(x, 1.0), rtol=2e-8)
    np.testing.assert_allclose(theory.stable_cdf(-x, alpha), theory.stable_cdf(-x, 1.0), rtol=2e-8)


@pytest.mark.parametrize("alpha", [0.5, 0.8, 1.3, 1.7, 1.95])
def test_density_is_the_derivative_of_the_distribution_and_the_value_at_zero_is_gamma(alpha):
    # 12-point Gauss rule between neighbours on a fine geometric grid that straddles the three expansions
    x = np.geomspace(1e-3, 60.0, 400)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(x)
    mass = half * (theory.stable_pdf(0.5 * (x[1:] + x[:-1])[:, None] + half[:, None] * nodes, alpha) @ weights)
    np.testing.assert_allclose(mass, -np.diff(theory.stable_cdf(-x, alpha)), rtol=0, atol=1e-13)
    assert theory.stable_pdf(0.0, alpha) == pytest.approx(math.gamma(1.0 + 1.0 / alpha) / math.pi, rel=1e-14)
    assert theory.stable_cdf(0.0, alpha) == 0.5


def test_absolute_moment():
    # levy.ou: E|X| = 2 scale Gamma(1 - 1/alpha)/pi; tail beyond R by its leading terms through the distribution
    alpha, R = 1.5, 1e5
    # E|X| = 2 int_0^inf P(X > x) dx; beyond R, P = c x^-alpha + O(x^-2alpha)
    c = math.gamma(alpha) * math.sin(0.5 * math.pi * alpha) / math.pi
    grid = [0.0, *np.geomspace(1e-2, R, 60)]
    nodes, weights = np.polynomial.legendre.leggauss(20)
    body = sum(
        0.5 * (b - a) * float(theory.stable_cdf(-(0.5 * (a + b) + 0.5 * (b - a) * nodes), alpha) @ weights)
        for a, b in itertools.pairwise(grid)
    )
    total = 2.0 * (body + c * R ** (1.0 - alpha) / (alpha - 1.0))
    assert total == pytest.approx(2.0 * math.gamma(1.0 - 1.0 / alpha) / math.pi, rel=1e-9)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.4, 2.0])
def test_quantiles_invert_the_distribution(alpha):
    q = np.array([[1e-8, 1e-3, 0.2], [0.5, 0.9, 1.0 - 1e-3]])
    x = theory.stable_ppf(q, alpha, 2.5)
    np.testing.assert_allclose(theory.stable_cdf(x, alpha, 2.5), q, rtol=1e-11)
    assert x.shape == q.shape
    assert x[1, 0] == 0.0


@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0])
def test_harmonic_stationary_law(alpha):
    # levy.ou: scale sigma (1/(alpha k))^(1/alpha); k = 1, sigma = 0.5, alpha = 2: 0.3535533905932738
    model = LevyFlight(Harmonic(2.0), alpha, 0.5)
    scale = theory.harmonic_stable_scale(model)
    assert scale == pytest.approx(0.5 * (1.0 / (2.0 * alpha)) ** (1.0 / alpha), rel=1e-14)
    x = np.array([-1.0, 0.0, 0.4])
    np.testing.assert_array_equal(theory.harmonic_stable_density(model)(x), theory.stable_pdf(x, alpha, scale))
    np.testing.assert_array_equal(theory.harmonic_stable_cdf(model)(x), theory.stable_cdf(x, alpha, scale))
    if alpha == 2.0:
        gibbs = theory.gibbs_density(Langevin(Harmonic(2.0), 0.25))
        np.testing.assert_allclose(theory.harmonic_stable_density(model)(x), gibbs(x), rtol=1e-12)


# levy.quartic: exact 0F2 solution with Gauss-Legendre Fourier inversion, 12 digits; x = 0, .25, .5, .75, 1, 1.5, 2, 3
AT = np.array([0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0])
QUARTIC = [
    (
        (1.5, 1.0),
        (0.768822796086683, 0.74621479319040, 0.98568235571118, 0.199471140200716),
        "0.36698568516690 0.37382626540262 0.38706430609098 0.38104911344960 "
        "0.31725769491719 0.088333483722692 0.015746368734190 0.0017599708738928",
    ),
    (
        (1.5, 0.5),
        (0.424424593516343, 0.90874910615051, 0.99578609073999, 0.0705236979434695),
        "0.49392610435945 0.50947012260977 0.52130661427554 0.42187649458737 "
        "0.20034429747636 0.020047339242598 0.0041114173499274 0.00055958766552741",
    ),
    (
        (1.8, 1.0),
        (0.704337131477534, 0.74506325230009, 0.99342483476579, 0.0916138548990571),
        "0.38290903825575 0.38489635089058 0.38523828748956 0.36714929910361 "
        "0.30899491714336 0.10073500123612 0.010404851837927 0.00063058112566971",
    ),
]


@pytest.mark.parametrize("law, values, density", QUARTIC)
def test_quartic_law(law, values, density):
    model = LevyFlight(Quartic(), *law)
    second, within_one, within_two, tail = values
    p, cdf = theory.quartic_stable_density(model), theory.quartic_stable_cdf(model)
    np.testing.assert_allclose(p(AT), np.array(density.split(), dtype=float), rtol=1e-12)  # 13-digit reference
    assert cdf(1.0) - cdf(-1.0) == pytest.approx(within_one, abs=1e-13)
    assert cdf(2.0) - cdf(-2.0) == pytest.approx(within_two, abs=1e-13)
    assert theory.quartic_second_moment(model) == pytest.approx(second, rel=1e-13)
    assert p(0.0) == pytest.approx(theory.quartic_density_at_zero(model), rel=1e-13)
    # next term of the tail is O(x^-2)
    assert p(1e5) * 1e5 ** (3.0 + law[0]) == pytest.approx(tail, rel=1e-9)


def test_quartic_law_at_cauchy_and_gauss():
    x = np.array([0.0, 0.1, 0.56, 1.0, 3.0, 50.0])
    s = 0.5
    p = theory.quartic_stable_density(LevyFlight(Quartic(), 1.0, s))
    closed = s / (np.pi * (x**4 - s ** (2 / 3) * x**2 + s ** (4 / 3)))
    np.testing.assert_allclose(p(x), closed, rtol=1e-13)
    near = theory.quartic_stable_density(LevyFlight(Quartic(), 1.0 + 1e-9, s))  # the general route, d/d alpha = O(ln x)
    np.testing.assert_allclose(near(x), closed, rtol=1e-7)
    assert theory.quartic_second_moment(LevyFlight(Quartic(), 1.0, s)) == pytest.approx(s ** (2 / 3), rel=1e-14)
    gauss = LevyFlight(Quartic(), 2.0, s)
    gibbs = Langevin(Quartic(), s * s)
    y = np.array([-1.0, -0.2, 0.0, 0.7, 1.5])
    np.testing.assert_allclose(theory.quartic_stable_density(gauss)(y), theory.gibbs_density(gibbs)(y), rtol=1e-12)
    np.testing.assert_allclose(theory.quartic_stable_cdf(gauss)(y), theory.gibbs_cdf(gibbs)(y), rtol=0, atol=1e-13)


@pytest.mark.parametrize("alpha", [0.4, 0.9, 1.0, 1.6, 1.98])
def test_quartic_law_is_consistent_for_every_alpha_and_stiffness(alpha):
    model = LevyFlight(Quartic(3.0), alpha, 0.7)
    p, cdf = theory.quartic_stable_density(model), theory.quartic_stable_cdf(model)
    mass, _ = quad(p, 0.0, 3.0, epsabs=1e-13, epsrel=1e-13, limit=300)
    assert mass == pytest.approx(cdf(3.0) - 0.5, abs=1e-11)
    # the stationary flux balance at order k^2 of the characteristic function gives the second moment
    inside, _ = quad(lambda x: x**2 * p(x), 0.0, 50.0, epsabs=1e-13, limit=800, points=[0.5, 1.0, 3.0])
    tail = p(50.0) * 50.0**3 / alpha  # int_R x^2 C x^(-3-alpha) dx, next term O(R^-2)
    assert 2.0 * (inside + tail) == pytest.approx(theory.quartic_second_moment(model), rel=1e-3 * 50.0**-alpha + 1e-9)
    # scaling: x -> (sigma^alpha/a)^(1/(alpha+2)) x
    length = (0.7**alpha / 3.0) ** (1.0 / (alpha + 2.0))
    unit = theory.quartic_stable_density(LevyFlight(Quartic(), alpha, 1.0))
    np.testing.assert_allclose(p(length * AT) * length, unit(AT), rtol=1e-12)
    if alpha < 1.9:  # bimodal: higher beside the origin than at it
        assert p(0.3 * length) > p(0.0)


@pytest.mark.parametrize(
    "alpha, at_zero, at_half",
    # Getoor's formula, checked by applying the fractional generator to it (mpmath, 12 digits)
    [
        (0.5, 1.12837916709551, 1.05007513580866),
        (1.0, 1.00000000000000, 0.866025403784439),
        (1.5, 0.752252778063675, 0.606261162328465),
        (2.0, 0.5, 0.375),
    ],
)
def test_getoor(alpha, at_zero, at_half):
    np.testing.assert_allclose(theory.getoor_mean_exit_time([0.0, 0.5], 1.0, alpha), [at_zero, at_half], rtol=1e-14)
    # self-similarity T(cx, cL, sigma) = (c/sigma)^alpha T(x, L, 1)
    scaled = theory.getoor_mean_exit_time(1.5, 3.0, alpha, 0.2)
    assert scaled == pytest.approx(at_half * 15.0**alpha, rel=1e-13)
    if alpha == 2.0:  # the Gaussian limit is sigma^2 = D
        flat = Langevin(Harmonic(1e-12), 0.04)
        assert scaled == pytest.approx(theory.mean_exit_time(flat, 1.5, (-3.0, 3.0)), rel=1e-9)


@pytest.mark.parametrize(
    "sigma, time", [(0.1, 158.5330919042404), (0.05, 448.3992973118342), (0.02, 1772.4538509055158)]
)
def test_imkeller_pavlyukevich(sigma, time):
    # levy.exit.*, closed form evaluated independently (13 digits)
    model = LevyFlight(DoubleWell(), 1.5, sigma)
    one = theory.imkeller_pavlyukevich_time(model, -1.0, (-np.inf, 0.0))
    assert one == pytest.approx(time, rel=1e-13)
    # two equal sides: twice the rate; a far side: no change
    assert theory.imkeller_pavlyukevich_time(model, -1.0, (-2.0, 0.0)) == pytest.approx(0.5 * one, rel=1e-13)
    assert theory.imkeller_pavlyukevich_time(model, -1.0, (-1e9, 0.0)) == pytest.approx(one, rel=1e-12)


HARMONIC, QUARTIC_MODEL = LevyFlight(Harmonic(), 1.5, 0.3), LevyFlight(Quartic(), 1.5, 0.3)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: theory.stable_pdf(0.0, 2.5), r"alpha must lie in \(0, 2\], got 2.5"),
        (lambda: theory.stable_pdf(0.0, 0.2), "alpha must be at least 0.3"),
        (lambda: theory.stable_cdf(np.nan, 1.5), "x must be finite"),
        (lambda: theory.stable_cdf(0.0, 1.5, -1.0), "scale must be positive, got -1.0"),
        (lambda: theory.stable_ppf(1.0, 1.5), "q must lie strictly between 0 and 1"),
        (lambda: theory.harmonic_stable_scale(QUARTIC_MODEL), "potential must be Harmonic"),
        (lambda: theory.harmonic_stable_density(QUARTIC_MODEL), "potential must be Harmonic"),
        (lambda: theory.harmonic_stable_cdf(QUARTIC_MODEL), "potential must be Harmonic"),
        (lambda: theory.quartic_stable_density(HARMONIC), "potential must be Quartic"),
        (lambda: theory.quartic_stable_cdf(HARMONIC), "potential must be Quartic"),
        (lambda: theory.quartic_second_moment(HARMONIC), "potential must be Quartic"),
        (lambda: theory.quartic_density_at_zero(HARMONIC), "potential must be Quartic"),
        (lambda: theory.quartic_stable_density(LevyFlight(Quartic(), 0.05, 1.0)), "alpha must be at least 0.1"),
        (lambda: theory.harmonic_stable_scale(LevyFlight(MexicanHat(2), 1.5, 1.0)), "1 coordinate"),
        (lambda: theory.getoor_mean_exit_time(1.5, 1.0, 1.5), "x must lie within half_width = 1.0 of 0, got 1.5"),
        (lambda: theory.getoor_mean_exit_time(0.0, 1.0, 0.0), "alpha must lie in"),
        (
            lambda: theory.imkeller_pavlyukevich_time(LevyFlight(DoubleWell(), 2.0, 0.1), -1.0, (-2, 0)),
            "alpha must lie",
        ),
        (lambda: theory.imkeller_pavlyukevich_time(HARMONIC, 0.0, (-np.inf, np.inf)), "domain must have a finite end"),
        (lambda: theory.imkeller_pavlyukevich_time(HARMONIC, 1.0, (-1.0, 0.5)), "domain must contain x0=1.0"),
        (lambda: theory.imkeller_pavlyukevich_time(HARMONIC, 0.3, (-1.0, 0.5)), "x0 must be a minimum of V"),
    ],
)
def test_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_gaussian_model_is_refused():
    with pytest.raises(TypeError, match="LevyFlight"):
        theory.harmonic_stable_scale(Langevin(Harmonic(), 0.1))
