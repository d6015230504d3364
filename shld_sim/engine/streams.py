"""Random streams: one xoshiro256++ generator per path, whose start is a function of the seed and the path's number alone.

References
----------
D. Blackman, S. Vigna, ACM Trans. Math. Softw. 47, 36 (2021): xoshiro256++.
G. L. Steele, D. Lea, C. H. Flood, OOPSLA (2014): SplitMix64, whose finaliser spreads the seeds.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from shld_sim.engine.elementary import ONE_BITS, U, as_double, inline

GOLDEN = 0x9E3779B97F4A7C15


@inline
def mix(z):
    """Return the SplitMix64 finaliser of z: a bijection of 64-bit words."""
    z = (z ^ (z >> U(30))) * U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> U(27))) * U(0x94D049BB133111EB)
    return z ^ (z >> U(31))


@inline
def start_word(key0, key1, path, w):
    """Return word w of the first state of a path: no two paths of a seed share a word in the same place."""
    z = mix(key0 + U(path) * U(GOLDEN))
    return mix(z ^ mix(key1 + U(w) * U(GOLDEN)))


@inline
def _rotl(x, k):
    return (x << U(k)) | (x >> U(64 - k))


@inline
def next_word(a, b, c, d):
    """Return the next word of xoshiro256++ and the new state."""
    word = _rotl(a + d, 23) + a
    t = b << U(17)
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= t
    d = _rotl(d, 45)
    return word, a, b, c, d


@inline
def unit_open_zero(word):
    """Return a uniform number in (0, 1], a multiple of 2^-52."""
    return 2.0 - as_double((word >> U(12)) | U(ONE_BITS))


@inline
def unit_open(word):
    """Return a uniform number in (0, 1), an odd multiple of 2^-53."""
    return as_double((word >> U(12)) | U(ONE_BITS)) - (1.0 - 1.1102230246251565e-16)


@njit(cache=True)
def start_states(key0, key1, first, words):
    """Fill ``words``, shape (n, 4), with the first states of the paths first, first + 1, ..."""
    for i in range(words.shape[0]):
        for w in range(4):
            words[i, w] = start_word(key0, key1, first + i, w)


def keys(seed: int | np.random.SeedSequence) -> tuple[np.uint64, np.uint64]:
    """Return the two words of a seed that the streams of its paths start from."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    key0, key1 = sequence.generate_state(2, np.uint64)
    return key0, key1
