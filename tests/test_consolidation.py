"""C, p and the noise scale from gradients: bias, coverage, agreement with slow formulas, errors."""

import math

import numpy as np
import pytest
from scipy import stats

from shld_sim.diagnostics import Consolidation, consolidation, consolidation_two_batches


def gradients(C, n, d, rng, scale=None, along=0):
    """n normal gradients whose true ratio is C: standard deviations ``scale``, mean along one axis."""
    scale = np.ones(d) if scale is None else scale
    mean = np.zeros(d)
    mean[along] = math.sqrt(C * np.sum(scale**2))
    return mean + scale * rng.standard_normal((n, d))


def naive(g):
    """Plug-in, unbiased signal and noise by their definitions: averages of products of different gradients."""
    n = len(g)
    signal = np.mean([g[i] @ g[j] for i in range(n) for j in range(n) if i != j])
    noise = np.trace(np.atleast_2d(np.cov(g.T)))
    mean = g.mean(axis=0)
    return mean @ mean / noise, signal, noise


@pytest.mark.parametrize(("n", "d"), [(3, 1), (7, 1), (5, 4), (12, 40)])
def test_against_the_definitions(n, d):
    g = gradients(0.7, n, d, np.random.default_rng(n * d))
    found = consolidation(g)
    plug_in, signal, noise = naive(g)
    assert (found.plug_in, found.signal, found.noise) == pytest.approx((plug_in, signal, noise), rel=1e-10)
    assert pytest.approx(signal / noise, rel=1e-10, abs=1e-12) == found.C
    assert (found.n, found.confidence) == (n, 0.95)


def test_jackknife_leaves_out_one_gradient_after_the_other():
    g = gradients(6.0, 9, 3, np.random.default_rng(2), scale=np.array([1.0, 2.0, 0.5]))
    n, found = len(g), consolidation(g, confidence=0.9)
    values = np.array([np.divide(*naive(np.delete(g, i, axis=0))[1:]) for i in range(n)])
    assert found.stderr == pytest.approx(math.sqrt((n - 1) * values.var()), rel=1e-9)
    roots, root = np.sqrt(values + 1 / n), math.sqrt(found.plug_in)
    reach = stats.t.ppf(0.95, n - 1) * math.sqrt((n - 1) * roots.var())
    assert found.interval == pytest.approx(((root - reach) ** 2 - 1 / n, (root + reach) ** 2 - 1 / n), rel=1e-9)


def test_isotropic_interval_by_the_definition_of_noncentral_f():
    """The ends are the C at which so large, or so small, a ratio has probability 2.5 %, here by simulation of that law."""
    n, d = 8, 3
    found = consolidation(gradients(6.0, n, d, np.random.default_rng(5)), noise="isotropic")  # far from the cut at 0
    rng, m = np.random.default_rng(6), 400_000
    for C, below in zip(found.interval, (0.975, 0.025), strict=True):
        middle = rng.standard_normal((m, d))
        middle[:, 0] += math.sqrt(n * d * C)
        ratio = (middle**2).sum(axis=1) / d / (rng.chisquare((n - 1) * d, m) / ((n - 1) * d))
        assert abs(np.mean(ratio < n * found.plug_in) - below) < 5 * math.sqrt(0.025 * 0.975 / m)


def estimates(C, n, d, repeats, seed, noise="any", scale=None, along=0):
    rng = np.random.default_rng(seed)
    return [consolidation(gradients(C, n, d, rng, scale, along), noise=noise) for _ in range(repeats)]


@pytest.mark.parametrize("C", [0.0, 0.5, 4.0])
def test_plug_in_is_biased_by_one_over_n_and_the_others_are_not(C):
    n, d = 10, 20
    found = estimates(C, n, d, 1000, 11, noise="isotropic")
    excess = (n - 1) * d / ((n - 1) * d - 2)  # E 1/T for normal noise
    for values, expected in (
        ([e.plug_in for e in found], (C + 1 / n) * excess),
        ([e.C for e in found], C),
        ([e.signal / d for e in found], C),
        ([e.noise / d for e in found], 1.0),
    ):
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 5 * error
    plug_in = [e.plug_in for e in found]
    assert np.mean(plug_in) - C > 5 * np.std(plug_in) / math.sqrt(len(plug_in))  # the same test refuses the plug-in


def test_the_bias_of_the_plug_in_is_one_over_n():
    """For n from 5 to 80, skew and heavy-tailed gradients of unequal variances: the excess is 1/n, and nothing is left of it."""
    rng, d, C, repeats = np.random.default_rng(12), 60, 0.1, 400
    scale = np.geomspace(1.0, 3.0, d) ** 0.5
    mean = np.sqrt(C * (scale**2).sum() / d) * np.ones(d)
    excess, left, errors = [], [], []
    sizes = np.array([5, 10, 20, 40, 80])
    for n in sizes:
        noise = rng.standard_gamma(2.0, (repeats, n, d)) - 2.0  # variance 2, skewness sqrt 2
        found = [consolidation(mean + scale * rows / math.sqrt(2.0)) for rows in noise]
        plug_in = np.array([e.plug_in for e in found])
        excess.append(plug_in.mean() - C)
        left.append(np.mean([e.C for e in found]) - C)
        errors.append(plug_in.std() / math.sqrt(repeats))
    excess, left, errors = np.array(excess), np.array(left), np.array(errors)
    allowed = 5 * errors + 0.1 / sizes  # what is left: tr S^2/(n (tr S)^2) and (1 + nC) 2/(n^2 d), relative to C + 1/n
    assert (np.abs(excess - 1.0 / sizes) < allowed).all() and (np.abs(left) < allowed).all()
    assert (excess > allowed).all()  # the same test refuses the plug-in at every n


def covered(found, C):
    return np.mean([e.interval[0] <= C + 1e-12 and e.interval[1] >= C for e in found])


@pytest.mark.parametrize("C", [0.0, 0.2, 1.0, 5.0])
def test_exact_interval_covers_as_often_as_it_says(C):
    m = 400
    share = covered(estimates(C, 6, 4, m, 21, noise="isotropic"), C)
    # at C = 0 the lower end always covers
    assert abs(share - (0.975 if C == 0.0 else 0.95)) < 5 * math.sqrt(0.05 * 0.95 / m)


@pytest.mark.parametrize(
    ("n", "d", "ratio", "along"), [(20, 2, 1.0, 0), (20, 10, 100.0, 9), (20, 10, 100.0, 0), (50, 30, 10.0, 29)]
)
@pytest.mark.parametrize("C", [0.0, 0.2, 1.0, 5.0])
def test_general_interval_covers(C, n, d, ratio, along):
    """Noise of unequal variances, mean along the noisiest or the quietest direction."""
    m = 400
    share = covered(estimates(C, n, d, m, 31, scale=np.geomspace(1.0, ratio, d) ** 0.5, along=along), C)
    assert share > 0.93 - 5 * math.sqrt(0.07 * 0.93 / m)


def test_an_interval_around_the_plug_in_misses():
    """Planted error: with n = 20 and C small the bias of the plug-in is larger than its spread in many dimensions."""
    found = estimates(0.02, 20, 400, 100, 41)
    shifted = [e.interval[0] + 1 / 20 <= 0.02 <= e.interval[1] + 1 / 20 for e in found]
    assert covered(found, 0.02) > 0.8
    assert np.mean(shifted) < 0.2


def test_two_batches_of_one_and_n_are_the_same_estimate():
    g = gradients(0.4, 15, 6, np.random.default_rng(3))
    norms = (g**2).sum(axis=1)
    two = consolidation_two_batches(norms, np.full(15, (g.mean(axis=0) ** 2).sum()), (1, 15))
    one = consolidation(g)
    assert (two.C, two.signal, two.noise, two.plug_in) == pytest.approx((one.C, one.signal, one.noise, one.plug_in))


@pytest.mark.parametrize("C", [0.0, 0.05, 1.0])
def test_two_batches_are_unbiased_and_cover(C):
    """Nested batches of 4 and 32 examples, 40 repeats, d = 25."""
    rng, d, m = np.random.default_rng(51), 25, 300
    found = []
    for _ in range(m):
        g = gradients(C, 40 * 32, d, rng).reshape(40, 8, 4, d).mean(axis=2)
        small, large = (g[:, 0] ** 2).sum(axis=-1), (g.mean(axis=1) ** 2).sum(axis=-1)
        found.append(consolidation_two_batches(small, large, (4, 32)))
    signal, noise = np.array([e.signal for e in found]) / d, np.array([e.noise for e in found]) / d
    assert abs(signal.mean() - C) < 5 * signal.std() / math.sqrt(m)
    assert abs(noise.mean() - 1.0) < 5 * noise.std() / math.sqrt(m)
    assert covered(found, C) > 0.93 - 5 * math.sqrt(0.07 * 0.93 / m)


def test_a_batch_multiplies_c():
    g = gradients(0.5, 40_000, 3, np.random.default_rng(8))
    one, sixteen = consolidation(g), consolidation(g.reshape(-1, 16, 3).mean(axis=1))
    assert abs(one.with_batch(16).C - sixteen.C) < 5 * sixteen.stderr
    assert abs(one.noise_scale - 2.0) < 5 * one.stderr * 4.0


def test_p_odds_and_noise_scale():
    found = Consolidation(3.0, (1.0, math.inf), 0.5, 3.1, 6.0, 2.0, 10, 0.95)
    assert (found.p, found.p_interval, found.odds, found.noise_scale) == (0.75, (0.5, 1.0), 3.0, 1 / 3)
    hidden = Consolidation(-0.1, (0.0, 0.2), 0.5, 0.0, -0.2, 2.0, 10, 0.95)
    assert (hidden.p, hidden.odds, hidden.noise_scale) == (0.0, 0.0, math.inf)


def test_charts_of_a_known_sample():
    """E g = (1, 0), covariance I: C = 1/2; 0.00990099 in (10 a, b), 0.990099 in (a, 10 b), 1/2 after a similarity (by hand)."""
    square = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) * math.sqrt(
        0.75
    )  # covariance I with n - 1 = 3
    g = np.array([1.0, 0.0]) + square
    for chart, expected in (
        ([[1.0, 0.0], [0.0, 1.0]], 0.5),
        ([[10.0, 0.0], [0.0, 1.0]], 0.009900990099009903),
        ([[1.0, 0.0], [0.0, 10.0]], 0.9900990099009901),
        ([[7.0, 0.0], [0.0, 7.0]], 0.5),
    ):
        assert consolidation(g @ np.linalg.inv(np.array(chart))).plug_in == pytest.approx(expected, rel=1e-12)


def test_errors_name_the_argument():
    g = np.eye(4)
    with pytest.raises(
        ValueError, match=r"gradients must have shape \(n, d\) with n >= 3 gradients as rows, got \(2, 4\)"
    ):
        consolidation(g[:2])
    with pytest.raises(ValueError, match="gradients must differ from one another"):
        consolidation(np.ones((5, 2)))
    with pytest.raises(ValueError, match="noise must be one of 'any', 'isotropic', got 'normal'"):
        consolidation(g, noise="normal")
    with pytest.raises(ValueError, match=r"confidence must lie strictly between 0 and 1, got 95\.0"):
        consolidation(g, confidence=95.0)
    with pytest.raises(ValueError, match=r"\(n - 1\) d > 4"):
        consolidation([[1.0], [2.0], [4.0]], noise="isotropic")
    with pytest.raises(ValueError, match=r"sizes must be \(low, high\) with low < high, got \(8\.0, 2\.0\)"):
        consolidation_two_batches([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], (8, 2))
    with pytest.raises(ValueError, match="take more repeats"):
        consolidation_two_batches([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], (2, 8))
    with pytest.raises(ValueError, match="squared norms, not negative"):
        consolidation_two_batches([1.0, 1.0, -1.0], [1.0, 2.0, 3.0], (2, 8))
