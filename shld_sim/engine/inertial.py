"""Inertial dynamics: BAOAB steps of positions and momenta in lanes, and the Maxwell law of the first momenta.

The lanes of `engine.ensemble` hold the N positions and behind them the momenta, ``y[(N + c) B + i]``.

References
----------
B. Leimkuhler, C. Matthews, Appl. Math. Res. Express 2013, 34: BAOAB.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

from shld_sim._compile import specialised
from shld_sim.engine import ensemble, variates
from shld_sim.engine.elementary import vectorisable, wide_vectors
from shld_sim.engine.steps import wrapped
from shld_sim.engine.streams import next_word
from shld_sim.engine.variates import B, normal_pair

# -- Noise for states that are not as long as the noise: step j of the block begins at z[j WIDTH B] ----


def fill_pairs(z, s, n, d, alpha, source, step):
    """Write one standard normal number per step, two steps from two words; ``n`` is even."""
    wide_vectors()
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


def noise_rows(width: int, m: int, given: bool) -> tuple[Callable[..., None], int]:
    """Return the filler of ``m`` normal numbers a step in rows of ``width`` >= ``m``, and how many steps a draw serves."""
    if m == 1 and not given:
        return ensemble.inlined(fill_pairs, WIDTH=width), 2
    fill = variates.fill_given if given else variates.fill_normal
    return ensemble.inlined(fill_rows, WIDTH=width, M=m, fill=fill), 1


def kernel(advance: Callable[..., Any], width: int, m: int, given: bool, **names: Any) -> Callable[..., None]:
    """Return the compiled ``run`` of `engine.ensemble` for states of ``width`` >= ``m`` numbers and ``m`` normal ones a step."""
    fill, drawn = noise_rows(width, m, given)
    names |= {"fill": fill, "advance": advance, "DRAWN": drawn}
    return specialised(ensemble._template, ensemble.OPTIONS, **names)  # type: ignore[no-any-return]


# -- BAOAB: half a kick, half a drift, friction and noise exactly, half a drift, half a kick ----
#
# B: p -= grad V dt/2    A: x += p dt/2    O: p = e^(-friction dt) p + amplitude z
#
# Behind the N positions and N momenta of a lane lie the N slopes at its position: those at the end of a step are those at
# the start of the next, so that a step computes them once. They are always computed by the same loop over the positions
# in memory, so that they come out the same to the last bit wherever a run is cut.
# ``params`` holds the potential's parameters, e^(-friction dt), and the walls, shape (N, 2); where these absorb, it is
# (that, the walls), as `steps.absorbed` asks.


def baoab(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    inner, decay, walls = params
    h = 0.5 * dt
    for c in range(N):
        x, p, g = y[c * B : (c + 1) * B], y[(N + c) * B : (N + c + 1) * B], y[(2 * N + c) * B : (2 * N + c + 1) * B]
        kick = z[(j * d + c) * B : (j * d + c + 1) * B]
        low, high = walls[c, 0], walls[c, 1]
        for i in range(B):
            there, speed = fly(x[i], p[i] - h * g[i], h, low, high)
            x[i], p[i] = fly(there, decay * speed + amplitude * kick[i], h, low, high)
    slopes(y, v, d, inner)
    for c in range(N):
        p, g = y[(N + c) * B : (N + c + 1) * B], y[(2 * N + c) * B : (2 * N + c + 1) * B]
        for i in range(B):
            p[i] -= h * g[i]


def first_slopes(y, v, d, params):
    slopes(y, v, d, params[0])


def first_slopes_absorbed(y, v, d, params):
    slopes(y, v, d, params[0][0])


def slopes_1(y, v, d, params):
    wide_vectors()
    x, g = y[:B], y[2 * B : 3 * B]
    for i in range(B):
        g[i] = gradient(x[i], params)


def slopes_2(y, v, d, params):
    wide_vectors()
    x, g = y[: 2 * B], y[4 * B : 6 * B]
    for i in range(B):
        g[i], g[B + i] = gradient(x[i], x[B + i], params)


def slopes_3(y, v, d, params):
    wide_vectors()
    x, g = y[: 3 * B], y[6 * B : 9 * B]
    for i in range(B):
        g[i], g[B + i], g[2 * B + i] = gradient(x[i], x[B + i], x[2 * B + i], params)


def slopes_vector(y, v, d, params):
    x, g = v[:N], v[N : 2 * N]
    for i in range(B):
        for c in range(N):
            x[c] = y[c * B + i]
        gradient(x, g, params)
        for c in range(N):
            y[(2 * N + c) * B + i] = g[c]


# -- Free flight over a time h: anywhere, between mirrors that turn the momentum round, or on a ring. All are exact, so that
# a step with walls keeps what a step without has: it is symmetric and preserves volume. ----


def fly_free(x, p, h, low, high):
    return x + h * p, p


def fly_reflected(x, p, h, low, high):
    x += h * p
    width = high - low
    if width == math.inf:
        return (2.0 * low - x, -p) if x < low else ((2.0 * high - x, -p) if x > high else (x, p))
    t = (x - low) / (2.0 * width)
    t = t - np.floor(t)
    return (low + 2.0 * width * t, p) if t <= 0.5 else (low + 2.0 * width * (1.0 - t), -p)


def fly_wrapped(x, p, h, low, high):
    return wrapped(x + h * p, low, high), p


FLY = {"": fly_free, "absorbing": fly_free, "reflecting": fly_reflected, "periodic": fly_wrapped}


def baoab_step(
    gradient: Callable[..., Any], vector: bool, dim: int, boundary: str = ""
) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the step of a block of lanes, and what computes the slopes that the first step of a block needs."""
    style = globals()[f"slopes_{'vector' if vector else dim}"]
    inner = ensemble.inlined(style, gradient=vectorisable(gradient, vector), N=dim)
    fly = ensemble.inlined(FLY[boundary], **({"wrapped": ensemble.inlined(wrapped)} if boundary == "periodic" else {}))
    step = ensemble.inlined(baoab, fly=fly, slopes=inner, N=dim)
    if boundary == "absorbing":
        return ensemble.walled(step, boundary), ensemble.inlined(first_slopes_absorbed, slopes=inner)
    return step, ensemble.inlined(first_slopes, slopes=inner)


@functools.lru_cache(maxsize=256)
def inertial_kernel(
    gradient: Callable[..., Any], vector: bool, dim: int, given: bool, boundary: str = ""
) -> Callable[..., None]:
    """Return the compiled ``run`` of BAOAB for a potential's gradient; it moves states of ``2 dim`` numbers."""
    advance, prepare = baoab_step(gradient, vector, dim, boundary)
    return kernel(advance, 2 * dim, dim, given, prepare=prepare, BEHIND=dim)


@njit(cache=True)
def maxwell(words, deviation, out, after):
    """Fill ``out``, shape (n, d), with normal numbers of standard ``deviation``, two from two words of each path.

    Before them, ``after`` words are passed over.
    """
    n, d = out.shape
    for i in range(n):
        p, q, r, t = words[i, 0], words[i, 1], words[i, 2], words[i, 3]
        for _ in range(after):
            _, p, q, r, t = next_word(p, q, r, t)
        for c in range(0, d, 2):
            word1, p, q, r, t = next_word(p, q, r, t)
            word2, p, q, r, t = next_word(p, q, r, t)
            first, second = normal_pair(word1, word2)
            out[i, c] = deviation * first
            if c + 1 < d:
                out[i, c + 1] = deviation * second
        words[i, 0], words[i, 1], words[i, 2], words[i, 3] = p, q, r, t
