"""Random streams: known answers, words bit for bit, starts that depend on seed and path alone, and their statistics."""

import math

import compiled
import naive
import numpy as np
import pytest
from scipy import stats

from shld_sim.engine import streams, variates

FALSE_ALARM = 5.7e-7  # two-sided probability of 5 standard errors
MASK = 2**64 - 1


# -- known answers ----------------------------------------------------------------------------------------------------


def python_xoshiro(state, n):
    """The reference program of Blackman and Vigna (2019) in Python integers; it made XOSHIRO below."""
    rotl = lambda x, k: ((x << k) | (x >> (64 - k))) & MASK
    s, words = list(state), []
    for _ in range(n):
        words.append((rotl((s[0] + s[3]) & MASK, 23) + s[0]) & MASK)
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
    return words


def python_splitmix(seed, n):
    """The reference program of SplitMix64 in Python integers; it made SPLITMIX below."""
    words = []
    for i in range(1, n + 1):
        z = (seed + i * 0x9E3779B97F4A7C15) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        words.append(z ^ (z >> 31))
    return words


# The first five are also those printed by the authors' C program for this state.
XOSHIRO = [
    41943041,
    58720359,
    3588806011781223,
    3591011842654386,
    9228616714210784205,
    9973669472204895162,
    14011001112246962877,
    12406186145184390807,
    15849039046786891736,
    10450023813501588000,
]
# Published with SplitMix64 for seed 1234567.
SPLITMIX = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]
# start_word(key0, key1, path, w) for the keys 1, 2 and the paths 0 and 10^12, from naive.start_words.
STARTS = {
    0: [7755854262740567548, 9787839334247058293, 5963989034082177508, 2344483485675687029],
    1000000000000: [16083161896752503704, 2142327411200997690, 14193247377637400867, 2573544832695988227],
}


def test_xoshiro_known_answers():
    assert python_xoshiro([1, 2, 3, 4], 10) == XOSHIRO
    generator = naive.Streams([[1, 2, 3, 4]])
    assert [int(generator.word()[0]) for _ in range(10)] == XOSHIRO
    states = np.array([[1, 2, 3, 4]], np.uint64)
    assert compiled.words(states, 10)[:, 0].tolist() == XOSHIRO


def test_splitmix_known_answers():
    assert python_splitmix(1234567, 5) == SPLITMIX
    inputs = [(1234567 + i * naive.GOLDEN) & MASK for i in range(1, 6)]
    assert naive.mix(inputs).tolist() == SPLITMIX


def test_start_words_known_answers():
    for path, expected in STARTS.items():
        assert naive.start_words(1, 2, [path])[0].tolist() == expected
        states = np.empty((1, 4), np.uint64)
        streams.start_states(np.uint64(1), np.uint64(2), path, states)
        assert states[0].tolist() == expected


# -- kernels against naive --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**100 + 17])
def test_words_bit_for_bit(seed):
    states = compiled.start(seed, 300)
    generator = naive.Streams.of(seed, np.arange(300))
    np.testing.assert_array_equal(states, generator.states)
    words = compiled.words(states, 50)
    np.testing.assert_array_equal(words, [generator.word() for _ in range(50)])
    np.testing.assert_array_equal(states, generator.states)


def test_uniforms_bit_for_bit_and_in_range():
    words = np.concatenate([compiled.words(compiled.start(3, 1000), 20).ravel(), naive.u64([0, 4095, 4096, MASK])])
    closed = compiled.mapped(streams.unit_open_zero)(words)
    opened = compiled.mapped(streams.unit_open)(words)
    np.testing.assert_array_equal(closed, naive.unit_open_zero(words))
    np.testing.assert_array_equal(opened, naive.unit_open(words))
    assert closed.max() == 1.0 and closed.min() == 2.0**-52
    assert opened.min() == 2.0**-53 and opened.max() == 1.0 - 2.0**-53


# -- starts -----------------------------------------------------------------------------------------------------------


def test_starts_depend_on_seed_and_path_alone():
    all_at_once = compiled.start(11, 1000)
    np.testing.assert_array_equal(compiled.start(11, 10, first=990), all_at_once[990:])
    np.testing.assert_array_equal(compiled.start(np.random.SeedSequence(11), 1000), all_at_once)
    assert not (compiled.start(12, 1000) == all_at_once).any()
    child, other = np.random.SeedSequence(11).spawn(2)
    assert not (compiled.start(child, 1000) == compiled.start(other, 1000)).any()


@pytest.mark.parametrize("seed", [0, 5])
def test_a_million_paths_share_no_word(seed):
    states = compiled.start(seed, 1_000_000)
    for w in range(4):
        assert (np.diff(np.sort(states[:, w])) > 0).all()
    assert not (states == 0).all(axis=1).any()


def test_neighbouring_starts_differ_in_half_their_bits():
    # 256 bits of 10^5 pairs: the fraction of ones in the differences has standard error 1/(2 sqrt(256e5))
    states = compiled.start(4, 100_001)
    share = np.bitwise_count(states[1:] ^ states[:-1]).mean() / 64 if hasattr(np, "bitwise_count") else 0.5
    assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(256e5)


# -- statistics -------------------------------------------------------------------------------------------------------


def normals(seed, n_steps, n_paths):
    return compiled.filled(variates.fill_normal_1d, compiled.start(seed, n_paths), n_steps, 1)[:, :, 0]


def normal_alarms(z):
    """Which checks of independent standard normal numbers z, shape (n_steps, n_paths), fail at 5 standard errors."""
    n = z.size
    found = []
    if stats.kstest(z.ravel(), "norm").pvalue < FALSE_ALARM:
        found.append("law")
    # E z^k and its variance E z^2k - (E z^k)^2, with E z^2k = (2k - 1)!!
    for k, mean, second in ((1, 0.0, 1.0), (2, 1.0, 3.0), (3, 0.0, 15.0), (4, 3.0, 105.0)):
        if abs((z**k).mean() - mean) > 5 * math.sqrt((second - mean * mean) / n):
            found.append(f"moment {k}")
    for x in (3.0, 4.0):
        expected = n * 2 * stats.norm.sf(x)
        if abs((np.abs(z) > x).sum() - expected) > 5 * math.sqrt(expected) + 5:
            found.append(f"tail {x}")
    # The product of independent z, and of their squares less 1, has mean 0 and variance 1, and 4.
    for name, one, other in (
        ("neighbours", z[:, 1:], z[:, :-1]),
        ("steps", z[1:], z[:-1]),
        ("far", z[:, 512:], z[:, :-512]),
    ):
        if abs((one * other).mean()) > 5 / math.sqrt(one.size):
            found.append(f"correlation of {name}")
        if abs(((one**2 - 1) * (other**2 - 1)).mean()) > 5 * 2 / math.sqrt(one.size):
            found.append(f"correlation of squares of {name}")
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_normals(seed):
    assert normal_alarms(normals(seed, 100, 4000)) == []


def test_planted_errors_are_found():
    z = normals(1, 100, 4000)
    assert {"law", "moment 2", "tail 3.0"} <= set(normal_alarms(1.2 * z))
    assert "moment 1" in normal_alarms(z + 0.02)
    mixed = z.copy()
    mixed[:, 1:] = 0.02 * z[:, :-1] + math.sqrt(1 - 0.02**2) * z[:, 1:]
    assert "correlation of neighbours" in normal_alarms(mixed)
    doubled = z.copy()
    doubled[1::2] = np.abs(z[1::2]) * np.sign(z[::2])
    assert "correlation of steps" in normal_alarms(doubled)
    # streams that start where their neighbour's first pair ends, the mistake of seeding by consecutive states
    states = compiled.start(1, 1)
    overlapping = np.empty((4000, 4), np.uint64)
    for i in range(4000):
        overlapping[i] = states[0]
        compiled.words(states, 2)
    shifted = compiled.filled(variates.fill_normal_1d, overlapping, 100, 1)[:, :, 0]
    np.testing.assert_array_equal(shifted[2:, :-1], shifted[:-2, 1:])
    assert normal_alarms(shifted) != []


def test_pairs_are_independent():
    # the two numbers of one Box-Muller pair: squares and products, and the angle
    z = normals(6, 200, 2000)
    one, other = z[0::2].ravel(), z[1::2].ravel()
    assert stats.kstest(np.arctan2(other, one), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > FALSE_ALARM
    assert stats.kstest(one**2 + other**2, stats.expon(scale=2).cdf).pvalue > FALSE_ALARM
    # the twin: one number of the pair scaled by 1.2
    assert stats.kstest(np.arctan2(1.2 * other, one), stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue < FALSE_ALARM


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_many_normals(seed):
    z = normals(seed, 200, 100_000)
    assert normal_alarms(z) == []
    for x in (5.0, 5.5):  # 11 and 0.8 numbers expected
        expected = z.size * 2 * stats.norm.sf(x)
        assert abs((np.abs(z) > x).sum() - expected) < 5 * math.sqrt(expected) + 5
    cells = np.histogram(stats.norm.cdf(z), 4096, (0.0, 1.0))[0]
    assert stats.chisquare(cells).pvalue > FALSE_ALARM
