"""2^30 variates: equidistribution, serial pairs, neighbouring streams, moments and tails of the random numbers. Slow."""

import functools
import math

import compiled
import numpy as np
import pytest
from scipy import stats

from shld_sim._compile import specialised
from shld_sim.engine import variates
from shld_sim.engine.ensemble import OPTIONS

pytestmark = pytest.mark.slow

PATHS, TOTAL = 4096, 2**30
CELLS = 4096  # of the normal histogram, of equal probability
BOUND = 5.0  # standard errors, or the normal score of a chi-square


def score(counts, expected):
    """How many standard normal deviations a chi-square is worth."""
    chi2, degrees = float(((counts - expected) ** 2 / expected).sum()), counts.size - 1
    return float(stats.norm.isf(stats.chi2.sf(chi2, degrees)))


def _count_template(key):
    def run(words, high, low, serial, cross):
        """Count the top and the low 16 bits, pairs of top bytes in succession and of neighbouring streams."""
        key  # noqa: B018
        n, m = words.shape
        for j in range(n):
            for i in range(m):
                w = words[j, i]
                high[w >> np.uint64(48)] += 1
                low[w & np.uint64(0xFFFF)] += 1
                if j % 2 == 1:
                    serial[((words[j - 1, i] >> np.uint64(56)) << np.uint64(8)) | (w >> np.uint64(56))] += 1
                if i % 2 == 1:
                    cross[((words[j, i - 1] >> np.uint64(56)) << np.uint64(8)) | (w >> np.uint64(56))] += 1

    return run


@functools.cache
def counter():
    return specialised(_count_template, OPTIONS)


@pytest.mark.parametrize("seed", [1, 2])
def test_words(seed):
    states = compiled.start(seed, PATHS)
    high, low, serial, cross = (np.zeros(2**16, np.int64) for _ in range(4))
    rows = 512
    for _ in range(TOTAL // (PATHS * rows)):
        counter()(compiled.words(states, rows), high, low, serial, cross)
    found = {
        "top 16 bits": score(high, TOTAL / 2**16),
        "low 16 bits": score(low, TOTAL / 2**16),
        "successive bytes": score(serial, TOTAL / 2**17),
        "bytes of neighbouring streams": score(cross, TOTAL / 2**17),
    }
    assert all(abs(value) < BOUND for value in found.values()), found


def test_a_bit_that_leans_by_a_five_hundredth_is_seen():
    counts = np.random.default_rng(1).poisson(TOTAL / 2**16, 2**16).astype(float)
    assert abs(score(counts, TOTAL / 2**16)) < BOUND
    counts *= np.where(np.arange(2**16) < 2**15, 1.002, 0.998)
    assert score(counts, TOTAL / 2**16) > BOUND


def normal_scores(draw, total, chunk):
    """Scores of moments, correlation between neighbouring paths, tails and cells of ``total`` numbers from ``draw()``."""
    edges = stats.norm.ppf(np.arange(1, CELLS) / CELLS)
    cells = np.zeros(CELLS, np.int64)
    powers, product, pairs = np.zeros(5), 0.0, 0
    tails = dict.fromkeys((3.0, 4.0, 5.0, 6.0), 0)
    for _ in range(total // chunk):
        z = draw()
        square = z * z
        powers += [z.size, z.sum(), square.sum(), (square * z).sum(), (square * square).sum()]
        product += float((z[:, ::2] * z[:, 1::2]).sum())
        pairs += z.size // 2
        cells += np.bincount(np.searchsorted(edges, z.ravel()), minlength=CELLS)
        for x in tails:
            tails[x] += int((np.abs(z) > x).sum())
    n = powers[0]
    # variances of z, z^2, z^3, z^4 under the normal law: 1, 2, 15, 96
    found = {
        f"E z^{k}": (powers[k] / n - m) / math.sqrt(v / n) for k, m, v in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96))
    }
    found["neighbouring paths"] = product / math.sqrt(pairs)
    for x, count in tails.items():
        expected = 2 * n * stats.norm.sf(x)
        found[f"|z| > {x:g}"] = (count - expected) / math.sqrt(expected)
    found["cells"] = score(cells, n / CELLS)
    return found


def test_normals():
    states = compiled.start(3, 1024)
    found = normal_scores(lambda: compiled.filled(variates.fill_normal_1d, states, 1024, 1)[..., 0], TOTAL, 2**20)
    assert all(abs(value) < BOUND for value in found.values()), found


def test_normals_a_thousandth_too_wide_are_seen():
    rng = np.random.default_rng(5)
    right = normal_scores(lambda: rng.standard_normal((1024, 1024)), 2**26, 2**20)
    wide = normal_scores(lambda: 1.001 * rng.standard_normal((1024, 1024)), 2**26, 2**20)
    assert all(abs(value) < BOUND for value in right.values()), right
    assert abs(wide["E z^2"]) > BOUND
