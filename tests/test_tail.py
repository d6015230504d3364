"""Tail indices: against direct evaluations, their coverage, and data that imitate heavy tails."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import chdtri

from shld_sim import diagnostics, theory
from shld_sim.diagnostics import stable_fits


def stable(rng, alpha, size):
    u, e = math.pi * (rng.random(size) - 0.5), rng.standard_exponential(size)
    return np.sin(alpha * u) / np.cos(u) ** (1 / alpha) * (np.cos((1 - alpha) * u) / e) ** (1 / alpha - 1)


FITS = [diagnostics.stable_quantiles, diagnostics.stable_characteristic, diagnostics.stable_likelihood]


def test_hill_by_hand():
    found = diagnostics.hill([-8.0, 1.0, 4.0, 0.5, 2.0], 2)
    assert found.alpha == pytest.approx(2.0 / (math.log(8.0 / 2.0) + math.log(4.0 / 2.0)))
    assert (found.n, found.used, found.method) == (5, 2, "hill")
    # 2 k alpha/estimate is chi-square with 2k degrees of freedom
    assert found.interval[0] == pytest.approx(found.alpha * chdtri(4, 0.975) / 4)
    assert (found.clipped(), found.clipped(0.5, 0.9)) == (1.1, 0.9)


def test_hill_interval_covers_at_its_level():
    """Exact for a Pareto law: 4000 intervals at 90 %."""
    rng = np.random.default_rng(3)
    held = [
        f.interval[0] <= 1.7 <= f.interval[1]
        for f in (diagnostics.hill(row, 10, confidence=0.9) for row in rng.random((4000, 40)) ** (-1 / 1.7))
    ]
    assert abs(np.mean(held) - 0.9) < 5 * math.sqrt(0.09 / 4000)
    wrong = [
        f.interval[0] <= 1.7 <= f.interval[1]
        for f in (diagnostics.hill(row, 10, confidence=0.9) for row in rng.random((4000, 40)) ** (-1 / 1.7 * 1.2))
    ]
    assert np.mean(wrong) < 0.9 - 5 * math.sqrt(0.09 / 4000)  # another index is noticed


def test_hill_plot_is_hill_for_each_k():
    x = np.random.default_rng(4).standard_cauchy(500)
    plot = diagnostics.hill_plot(x, [5, 20, 100])
    for k, alpha, low, high in zip(plot.k, plot.alpha, plot.low, plot.high, strict=True):
        one = diagnostics.hill(x, int(k))
        assert (alpha, low, high) == pytest.approx((one.alpha, *one.interval))
    assert len(diagnostics.hill_plot(x).k) > 30


@pytest.mark.parametrize("alpha", [0.7, 1.0, 1.5, 1.8])
@pytest.mark.parametrize("fit", FITS, ids=lambda f: f.__name__)
def test_stable_fits_find_alpha_and_scale(fit, alpha):
    x = 3.0 * stable(np.random.default_rng(5), alpha, 20_000) + 1.0
    found = fit(x)
    assert abs(found.alpha - alpha) < 5 * found.stderr
    assert found.interval[0] < found.alpha < found.interval[1]
    half = 0.5 * math.log(found.scale_interval[1] / found.scale_interval[0])
    assert abs(math.log(found.scale / 3.0)) < 5 / 1.96 * half
    assert abs(found.location - 1.0) < 0.2
    worse = fit(3.0 * stable(np.random.default_rng(5), alpha + 0.1, 20_000))
    assert abs(worse.alpha - alpha) > 2 * worse.stderr  # alpha + 0.1 is noticed


@pytest.mark.parametrize("fit", FITS, ids=lambda f: f.__name__)
def test_intervals_of_fits_cover_at_their_level(fit):
    """300 fits of 400 data at 95 %: binomial standard error 0.013, and 0.02 for the normal limit."""
    rng = np.random.default_rng(6)
    held = [f.interval[0] <= 1.4 <= f.interval[1] for f in (fit(stable(rng, 1.4, 400)) for _ in range(300))]
    assert abs(np.mean(held) - 0.95) < 5 * 0.0126 + 0.02


def test_likelihood_is_the_largest():
    """Nelder and Mead on the exact density find the same maximum."""
    x = stable(np.random.default_rng(7), 1.6, 500)
    middle = np.median(x)

    def cost(theta):
        return -np.log(theory.stable_pdf(x - middle, theta[0], math.exp(theta[1]))).sum()

    best = minimize(cost, [1.5, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9})
    found = diagnostics.stable_likelihood(x)
    assert found.alpha == pytest.approx(best.x[0], abs=2e-3)  # a fortieth of the standard error
    assert math.log(found.scale) == pytest.approx(best.x[1], abs=2e-3)
    # the ends of the interval lie chi-square/2 below the maximum
    for end in found.interval:
        inner = minimize(lambda s, a=end: cost([a, s[0]]), [best.x[1]], method="Nelder-Mead", options={"fatol": 1e-9})
        assert inner.fun - best.fun == pytest.approx(0.5 * chdtri(1, 0.05), abs=0.05)


def test_tabulated_density_is_exact():
    u = np.linspace(0.001, 20.0, 997)
    for alpha in (0.5, 0.98, 1.5, 1.9, float(stable_fits._LATTICE[100])):
        exact = np.log(theory.stable_pdf(np.sinh(u), alpha))
        np.testing.assert_allclose(stable_fits._log_density(alpha)(u), exact, atol=1e-4)


def test_normal_data_have_index_two():
    x = np.random.default_rng(8).standard_normal(5000)
    for fit in FITS[1:]:
        found = fit(x)
        assert found.alpha > 1.99 and found.interval[1] == 2.0
        assert found.scale == pytest.approx(math.sqrt(0.5), rel=0.05)


def test_block_sums_by_hand_and_for_stable_data():
    found = diagnostics.block_sum([1.0, 2.0, 3.0, 5.0], 2)
    gain = [math.log(3.0 / math.sqrt(2.0)), math.log(8.0 / math.sqrt(15.0))]
    assert 1.0 / found.alpha == pytest.approx(np.mean(gain) / math.log(2.0))
    assert diagnostics.block_sum([1.0, 2.0, -3.0, 3.1], 2).alpha == math.inf  # sums below their parts
    x = stable(np.random.default_rng(9), 1.3, 200_000)
    found = diagnostics.block_sum(x, 100)
    assert abs(found.alpha - 1.3) < 5 * found.stderr


def test_a_shuffle_tells_unequal_scales():
    rng = np.random.default_rng(10)
    x = (rng.standard_normal((200, 100)) * np.geomspace(0.01, 100, 100)).T.ravel()
    ordered = diagnostics.shuffle_check(x, 50, draws=40)
    assert ordered.observed == pytest.approx(2.0, abs=0.35)
    assert ordered.interval[1] < 1.2 and ordered.p_value < 0.05
    assert diagnostics.shuffle_check(rng.permutation(x), 50, draws=40).p_value > 0.05


def test_scale_mixture_explains_unequal_scales_and_not_cauchy_data():
    rng = np.random.default_rng(11)
    x = rng.standard_normal((50, 40)) * np.geomspace(0.1, 10, 40)
    assert diagnostics.scale_mixture_null(x, diagnostics.hill, draws=40).p_value > 0.05
    heavy = diagnostics.scale_mixture_null(rng.standard_cauchy((50, 40)), diagnostics.hill, draws=40)
    assert heavy.p_value < 0.05 and heavy.observed < heavy.interval[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.hill([1.0, 2.0, 3.0], 3), "k must be below the number of values, 3, got 3"),
        (lambda: diagnostics.hill([1.0, 1.0, 1.0, 1.0]), "values must differ among the largest"),
        (lambda: diagnostics.hill([0.0, 0.0, 0.0, 1.0], 2), "values must not be zero among the 3 largest"),
        (lambda: diagnostics.stable_likelihood(np.ones(5)), "values must be 20 numbers or more, got 5"),
        (lambda: diagnostics.stable_quantiles(np.ones(50)), "values must not be equal in their middle half"),
        (lambda: diagnostics.stable_characteristic(np.ones(50)), "values must not be equal in their middle half"),
        (lambda: diagnostics.stable_likelihood([math.nan] * 30), "values must be finite"),
        (
            lambda: diagnostics.block_sum(np.ones(10), 6),
            "block must be at most half of the number of values, 10, got 6",
        ),
        (lambda: diagnostics.block_sum(np.zeros(10), 2), "values must not be zero, nor the sums of blocks"),
        (lambda: diagnostics.scale_mixture_null(np.ones(4), diagnostics.hill), r"values must have shape \(n, d\)"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_hills_estimate_can_tell():
    """Shares of falls and the scatter of ln alpha from 10 of 100 Pareto numbers; with the law of k = 5 they would not fit."""
    rng, n = np.random.default_rng(31), 4000
    a, b = (
        np.array([diagnostics.hill(x).alpha for x in rng.random((n, 100)) ** (-1.0 / alpha)]) for alpha in (1.5, 1.0)
    )
    fell, error = (b < a).mean(), 0.5 / np.sqrt(n)
    assert fell == pytest.approx(theory.hill_fall_probability(1.5, 1.0), abs=5 * error)
    assert abs(fell - theory.hill_fall_probability(1.5, 1.0, 5)) > 5 * error
    spread, relative = (
        np.log(a).std(),
        np.sqrt(1.25 / (2 * n)),
    )  # the kurtosis of ln chi^2 is near that of a normal number
    assert spread == pytest.approx(theory.hill_log_spread(), rel=5 * relative)
    assert abs(spread / theory.hill_log_spread(5) - 1.0) > 5 * relative
    assert theory.hill_fall_probability(1.3, 1.3) == pytest.approx(0.5)
    assert theory.hill_log_spread(1) == pytest.approx(np.pi / np.sqrt(6.0))  # a Gumbel number
