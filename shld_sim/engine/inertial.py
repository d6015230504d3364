"""Inertial dynamics: BAOAB steps of positions and momenta in lanes, and the Maxwell law of the first momenta.

The lanes of `engine.ensemble` hold the positions and behind them the momenta, ``y[(d + c) B + i]``.

References
----------
B. Leimkuhler, C. Matthews, Appl. Math. Res. Express 2013, 34: BAOAB.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba import njit

from shld_sim._compile import specialised
from shld_sim.engine import ensemble, variates
from shld_sim.engine.elementary import vectorisable
from shld_sim.engine.streams import next_word
from shld_sim.engine.variates import B, normal_pair

# -- Noise for states that are not as long as the noise: step j of the block begins at z[j WIDTH B] ----


def fill_pairs(z, s, n, d, alpha, source, step):
    """Write one standard normal number per step, two steps from two words; ``n`` is even."""
    for j in range(0, n, 2):
        pair = z[j * WIDTH * B : ((j + 1) * WIDTH + 1) * B]
        for i in range(B):
            word1, p, q, r, t = next_word(s[i], s[B + i], s[2 * B + i], s[3 * B + i])
            word2, p, q, r, t = next_word(p, q, r, t)
            s[i], s[B + i], s[2 * B + i], s[3 * B + i] = p, q, r, t
            pair[i], pair[WIDTH * B + i] = normal_pair(word1, word2)


def fill_rows(z, s, n, d, alpha, source, step):
    """Write M numbers per step."""
    for j in range(n):
        fill(z[j * WIDTH * B :], s, 1, M, alpha, source, step + j)


def kernel(advance: Callable[..., Any], width: int, m: int, given: bool) -> Callable[..., None]:
    """Return the compiled ``run`` of `engine.ensemble` for states of ``width`` >= ``m`` numbers and ``m`` normal ones a step."""
    pairs = m == 1 and not given
    if pairs:
        fill = ensemble.inlined(fill_pairs, WIDTH=width)
    else:
        fill = ensemble.inlined(
            fill_rows, WIDTH=width, M=m, fill=variates.fill_given if given else variates.fill_normal
        )
    return specialised(  # type: ignore[no-any-return]
        ensemble._template, ensemble.OPTIONS, fill=fill, advance=advance, DRAWN=2 if pairs else 1
    )


# -- BAOAB: half a kick, half a drift, friction and noise exactly, half a drift, half a kick ----
#
# B: p -= grad V dt/2    A: x += p dt/2    O: p = e^(-friction dt) p + amplitude z
# ``params`` holds the potential's parameters and e^(-friction dt).


def baoab_1(y, v, z, j, dt, amplitude, d, params):
    inner, decay = params
    h = 0.5 * dt
    row = z[2 * j * B : (2 * j + 1) * B]
    for i in range(B):
        p = y[B + i] - h * gradient(y[i], inner)
        x = y[i] + h * p
        p = decay * p + amplitude * row[i]
        x += h * p
        y[i] = x
        y[B + i] = p - h * gradient(x, inner)


def baoab_2(y, v, z, j, dt, amplitude, d, params):
    inner, decay = params
    h = 0.5 * dt
    rows = z[4 * j * B : (4 * j + 2) * B]
    for i in range(B):
        x1, x2 = y[i], y[B + i]
        g1, g2 = gradient(x1, x2, inner)
        p1, p2 = y[2 * B + i] - h * g1, y[3 * B + i] - h * g2
        x1, x2 = x1 + h * p1, x2 + h * p2
        p1, p2 = decay * p1 + amplitude * rows[i], decay * p2 + amplitude * rows[B + i]
        x1, x2 = x1 + h * p1, x2 + h * p2
        g1, g2 = gradient(x1, x2, inner)
        y[i], y[B + i] = x1, x2
        y[2 * B + i], y[3 * B + i] = p1 - h * g1, p2 - h * g2


def baoab_vector(y, v, z, j, dt, amplitude, d, params):
    inner, decay = params
    h, n = 0.5 * dt, d // 2
    x, g = v[:n], v[n : 2 * n]
    for i in range(B):
        for c in range(n):
            x[c] = y[c * B + i]
        slope(x, g, inner)
        for c in range(n):
            p = y[(n + c) * B + i] - h * g[c]
            x[c] += h * p
            p = decay * p + amplitude * z[(j * d + c) * B + i]
            x[c] += h * p
            y[c * B + i], y[(n + c) * B + i] = x[c], p
        slope(x, g, inner)
        for c in range(n):
            y[(n + c) * B + i] -= h * g[c]


@functools.lru_cache(maxsize=256)
def inertial_kernel(gradient: Callable[..., Any], vector: bool, dim: int, given: bool) -> Callable[..., None]:
    """Return the compiled ``run`` of BAOAB for a potential's gradient; it moves states of ``2 dim`` numbers."""
    from shld_sim.engine import steps

    slope = vectorisable(gradient, vector)
    if dim <= 2 and not vector:
        advance = ensemble.inlined(baoab_1 if dim == 1 else baoab_2, gradient=slope)
    else:
        style = "vector" if vector else str(dim)
        inner = ensemble.inlined(getattr(steps, f"slope_{style}"), gradient=slope)
        advance = ensemble.inlined(baoab_vector, slope=inner)
    return kernel(advance, 2 * dim, dim, given)


@njit(cache=True)
def maxwell(words, deviation, out):
    """Fill ``out``, shape (n, d), with normal numbers of standard ``deviation``, two from two words of each path."""
    n, d = out.shape
    for i in range(n):
        p, q, r, t = words[i, 0], words[i, 1], words[i, 2], words[i, 3]
        for c in range(0, d, 2):
            word1, p, q, r, t = next_word(p, q, r, t)
            word2, p, q, r, t = next_word(p, q, r, t)
            first, second = normal_pair(word1, word2)
            out[i, c] = deviation * first
            if c + 1 < d:
                out[i, c + 1] = deviation * second
        words[i, 0], words[i, 1], words[i, 2], words[i, 3] = p, q, r, t
