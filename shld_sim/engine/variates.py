"""Fill blocks of lanes with random variates: standard normals and symmetric alpha-stable numbers, scalar and isotropic.

Every function here has the signature ``fill(z, s, n, d, alpha, source, step)``. It writes ``n`` steps of noise for a block
of B lanes, ``z[(j d + c) B + i]`` for step j, coordinate c and lane i, and advances the lanes' generators
``s[w B + i]``. A path takes its words in the order step, coordinate, so what it gets does not depend on the block it
sits in. The block z has one spare row of B numbers behind it.

References
----------
G. E. P. Box, M. E. Muller, Ann. Math. Stat. 29, 610 (1958).
J. M. Chambers, C. L. Mallows, B. W. Stuck, J. Am. Stat. Assoc. 71, 340 (1976).
M. Kanter, Ann. Probab. 3, 697 (1975): positive stable variates.
"""

from __future__ import annotations

import math

import numpy as np

from shld_sim.engine.elementary import (
    exp_bounded,
    inline,
    log_positive,
    sin_half,
    sincos_turns,
    wide_vectors,
)
from shld_sim.engine.streams import next_word, unit_open, unit_open_zero

B = 128  # lanes of a block
LARGEST = 340.0  # stable numbers end at e^340, so that their squares are finite: at alpha = 0.1 one in 10^14 is cut


@inline
def normal_pair(word1, word2):
    """Return two independent standard normal numbers (Box-Muller) from two words."""
    radius = math.sqrt(-2.0 * log_positive(unit_open_zero(word1)))
    sine, cosine = sincos_turns(word2)
    return radius * cosine, radius * sine


@inline
def _sin_pi(u):
    """Return sin(pi u) for 0 <= u <= 1, accurate relative to its value."""
    return sin_half(math.pi * (u if u < 0.5 else 1.0 - u))


@inline
def symmetric_stable(word1, word2, alpha):
    """Return a number with E exp(ikL) = exp(-|k|^alpha) (Chambers-Mallows-Stuck) from two words."""
    # L = sin(alpha V)/cos(V)^(1/alpha) (cos((1 - alpha) V)/W)^((1 - alpha)/alpha), V = pi (u - 1/2), W exponential
    w = -log_positive(unit_open_zero(word1)) + 1e-300
    u = unit_open(word2)
    v = math.pi * (u - 0.5)
    a = alpha * v
    size = abs(a)
    sine = sin_half(size if size < 0.5 * math.pi else math.pi - size)
    sine = sine if a > 0.0 else -sine
    cos_v = _sin_pi(u)
    cos_rest = sin_half(0.5 * math.pi - abs((1.0 - alpha) * v))
    inverse = 1.0 / alpha
    power = (1.0 - alpha) * inverse * log_positive(cos_rest / w) - inverse * log_positive(cos_v)
    return sine * exp_bounded(power if power < LARGEST else LARGEST)


@inline
def positive_stable(word1, word2, a):
    """Return a number with E exp(-sA) = exp(-s^a), 0 < a < 1 (Kanter), from two words."""
    # A = sin(aU)/sin(U)^(1/a) (sin((1 - a)U)/W)^((1 - a)/a), U uniform on (0, pi), W exponential
    w = -log_positive(unit_open_zero(word1)) + 1e-300
    u = unit_open(word2)
    inverse = 1.0 / a
    power = (1.0 - a) * inverse * log_positive(_sin_pi((1.0 - a) * u) / w) - inverse * log_positive(_sin_pi(u))
    return _sin_pi(a * u) * exp_bounded(power if power < LARGEST else LARGEST)


@inline
def fill_normal_1d(z, s, n, d, alpha, source, step):
    """Write standard normal numbers, two steps from two words; ``n`` is even, and so is the step they begin with."""
    wide_vectors()
    for j in range(0, n, 2):
        pair = z[j * B : (j + 2) * B]  # a slice with constant offsets, so that the compiler sees the stores apart
        for i in range(B):
            word1, p, q, r, t = next_word(s[i], s[B + i], s[2 * B + i], s[3 * B + i])
            word2, p, q, r, t = next_word(p, q, r, t)
            s[i], s[B + i], s[2 * B + i], s[3 * B + i] = p, q, r, t
            pair[i], pair[B + i] = normal_pair(word1, word2)


@inline
def fill_normal(z, s, n, d, alpha, source, step):
    """Write standard normal numbers, two coordinates from two words; in odd dimensions the last one is dropped."""
    wide_vectors()
    for j in range(n):
        for c in range(0, d, 2):
            # In odd dimensions the last pair's second number falls on the next step's place, or on the spare row behind
            # the block, and is overwritten.
            pair = z[(j * d + c) * B : (j * d + c + 2) * B]
            for i in range(B):
                word1, p, q, r, t = next_word(s[i], s[B + i], s[2 * B + i], s[3 * B + i])
                word2, p, q, r, t = next_word(p, q, r, t)
                s[i], s[B + i], s[2 * B + i], s[3 * B + i] = p, q, r, t
                pair[i], pair[B + i] = normal_pair(word1, word2)


@inline
def fill_stable(z, s, n, d, alpha, source, step):
    """Write independent symmetric stable numbers, one from two words."""
    wide_vectors()
    for j in range(n * d):
        for i in range(B):
            word1, p, q, r, t = next_word(s[i], s[B + i], s[2 * B + i], s[3 * B + i])
            word2, p, q, r, t = next_word(p, q, r, t)
            s[i], s[B + i], s[2 * B + i], s[3 * B + i] = p, q, r, t
            z[j * B + i] = symmetric_stable(word1, word2, alpha)


@inline
def fill_isotropic(z, s, n, d, alpha, source, step):
    """Write isotropic stable vectors sqrt(2A) N: A positive alpha/2-stable from two words, then the normal numbers N."""
    wide_vectors()
    radius = np.empty(B)
    for j in range(n):
        for i in range(B):
            word1, p, q, r, t = next_word(s[i], s[B + i], s[2 * B + i], s[3 * B + i])
            word2, p, q, r, t = next_word(p, q, r, t)
            s[i], s[B + i], s[2 * B + i], s[3 * B + i] = p, q, r, t
            radius[i] = math.sqrt(2.0 * positive_stable(word1, word2, 0.5 * alpha))
        fill_normal(z[j * d * B :], s, 1, d, alpha, source, step)
        for c in range(d):
            row = z[(j * d + c) * B : (j * d + c + 1) * B]
            for i in range(B):
                row[i] *= radius[i]


@inline
def fill_given(z, s, n, d, alpha, source, step):
    """Copy increments that the caller drew, ``source[step, lane, coordinate]``; absent steps and lanes get zero."""
    for j in range(n):
        for c in range(d):
            for i in range(B):
                inside = step + j < source.shape[0] and i < source.shape[1]
                z[(j * d + c) * B + i] = source[step + j, i, c] if inside else 0.0


def drawn_steps(fill, d):
    """Return how many steps one draw of ``fill`` serves: 2 for pairs of normals in one dimension."""
    return 2 if fill is fill_normal_1d else 1
