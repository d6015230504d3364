"""The exit kernel: first passage out of an interval, with lanes refilled as paths leave.

Between two monitored points a Gaussian path may touch a boundary b and come back. Given its ends v and w, a step of
Brownian motion with variance 2 D dt touches b with probability exp(-(v - b)(w - b)/(D dt)). Instead of drawing for every
step, a path draws one uniform number U at its start and leaves at the first step at which its probability of not having
touched, given its points so far, falls below U: the same law, one number a path. The moment inside the step is then drawn
from the first-passage law of the bridge: t/(dt - t) is inverse Gaussian with mean |v - b|/|w - b| and shape
(v - b)^2/(2 D dt).

References
----------
E. Gobet, Stoch. Process. Appl. 87, 167 (2000): the bridge correction.
J. R. Michael, W. R. Schucany, R. W. Haas, Am. Stat. 30, 88 (1976): inverse Gaussian numbers.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from shld_sim._compile import specialised
from shld_sim.engine import flows, variates
from shld_sim.engine.elementary import exp_bounded, inline, vectorisable, wide_vectors
from shld_sim.engine.ensemble import OPTIONS, inlined, lanes_flow, noise_fill
from shld_sim.engine.memory import doubles
from shld_sim.engine.memory import words as memory_words
from shld_sim.engine.streams import next_word, start_word, unit_open
from shld_sim.engine.variates import normal_pair

B = variates.B
STEPS = 8  # steps between two looks at which lanes have left
NOT_BRIDGED = 1e300  # stands for 1/(D dt): a step touches a boundary only by ending on or beyond it
RUNNING, EXITED, CENSORED = 0, 1, 2
TAKEN = 4  # words of a path's stream before its noise


@inline
def start_lane(i, path, key0, key1, s):
    """Start the stream of ``path`` in lane i and return the path's uniform number U; four words are taken."""
    a, b, c, d = (
        start_word(key0, key1, path, 0),
        start_word(key0, key1, path, 1),
        start_word(key0, key1, path, 2),
        start_word(key0, key1, path, 3),
    )
    word, a, b, c, d = next_word(a, b, c, d)
    for _ in range(TAKEN - 1):
        _, a, b, c, d = next_word(a, b, c, d)
    s[i], s[B + i], s[2 * B + i], s[3 * B + i] = a, b, c, d
    return unit_open(word)


@inline
def moment_of_touch(before, after, rate, path, key0, key1):
    """Return the fraction of a step at which a bridge first touches a boundary at distances ``before`` and ``after``.

    ``rate`` is 1/(D dt). Uses the second to fourth word of the path's stream.
    """
    a, b, c, d = (
        start_word(key0, key1, path, 0),
        start_word(key0, key1, path, 1),
        start_word(key0, key1, path, 2),
        start_word(key0, key1, path, 3),
    )
    _, a, b, c, d = next_word(a, b, c, d)
    word1, a, b, c, d = next_word(a, b, c, d)
    word2, a, b, c, d = next_word(a, b, c, d)
    word3, a, b, c, d = next_word(a, b, c, d)
    normal, _ = normal_pair(word1, word2)
    shape = 0.5 * rate * before * before
    square = normal * normal
    if after <= 1e-12 * before:  # infinite mean: the Levy law shape/N^2
        y = shape / square
        return y / (1.0 + y)
    mean = before / after
    # the smaller root of the quadratic, written without cancellation
    half = mean * square / (2.0 * shape)
    y = mean / (1.0 + half + math.sqrt(half * half + 2.0 * half))
    if unit_open(word3) > mean / (mean + y):
        y = mean * mean / y
    return y / (1.0 + y)


@inline
def distance_product(v, w, low, high):
    """Return the smaller of (v - low)(w - low) and (high - v)(high - w)."""
    below = (v - low) * (w - low)
    above = (high - v) * (high - w)
    return below if below < above else above


@inline
def touch_probability(product, rate):
    """Return exp(-rate product), and 1 once the path has ended on or beyond a boundary."""
    exponent = -rate * product
    return exp_bounded(exponent if exponent < 0.0 else 0.0)


# A step that touches with a probability below exp(-37) leaves the probability of having stayed as it is, to the last bit.
# So a vectorised pass moves the lanes and notes how near each came; the few that came near are then looked at one by one.
NEGLIGIBLE = -37.0


def advance_euler(x, jumped, near, z, j, dt, amplitude, low, high, rate, params):
    """One Euler step of every lane from row j of ``x`` to row j + 1."""
    wide_vectors()
    ahead = x[j * B : (j + 2) * B]
    row = z[j * B : (j + 1) * B]
    for i in range(B):
        v = ahead[i]
        w = v - gradient(v, params) * dt + amplitude * row[i]
        ahead[B + i] = w
        exponent = -rate * distance_product(v, w, low, high)
        near[i] = near[i] if exponent <= near[i] else exponent


def advance_split(x, jumped, near, z, j, dt, amplitude, low, high, rate, params):
    """One split step, noise and then the flow; ``jumped`` keeps where the noise alone led."""
    wide_vectors()
    rows, v = doubles(ROWS * B), doubles(flows.ROWS)
    ahead = x[j * B : (j + 2) * B]
    row = z[j * B : (j + 1) * B]
    landed = jumped[j * B : (j + 1) * B]
    for i in range(B):
        u = ahead[i] + amplitude * row[i]
        landed[i] = u
        # a path that has left stays where it landed: the flow from where it was takes its place, and is not used
        rows[i] = u if distance_product(ahead[i], u, low, high) > 0.0 else ahead[i]
    flow_lanes(rows, v, 1, dt, params)
    for i in range(B):
        before, u = ahead[i], landed[i]
        jump = distance_product(before, u, low, high)
        w = rows[B + i] if jump > 0.0 else u
        ahead[B + i] = w
        drift = distance_product(before, w, low, high)
        exponent = -rate * (jump if jump < drift else drift)
        near[i] = near[i] if exponent <= near[i] else exponent


@inline
def step_of_exit(x, jumped, i, stay, level, low, high, rate):
    """Return the first of the steps made at which lane i left (STEPS: none) and its probability of having stayed."""
    for j in range(STEPS):
        v, w = x[j * B + i], x[(j + 1) * B + i]
        product = distance_product(v, w, low, high)
        if JUMPS:
            jump = distance_product(v, jumped[j * B + i], low, high)
            product = jump if jump < product else product
        stay *= 1.0 - touch_probability(product, rate)
        if stay < level:
            return j, stay
    return STEPS, stay


JUMPS = False  # whether a step has a landing point between its ends


def _template(key):
    def run(
        lanes, words, path, age, todo, x0, dt, alpha, amplitude, params, ends, rate, keys, limit, budget, out, status
    ):
        """Advance the lanes by at most ``budget`` steps each, or until every path is done.

        ``lanes`` holds, one after the other, the B positions, survival probabilities and levels; ``words`` their
        generators; ``path`` the path in each lane (-1: none); ``age`` its steps. ``todo`` = (next, end) numbers the
        paths still to start. For a path that is done, ``out`` gets the row (time, place, side) and ``status`` its state.
        """
        key
        wide_vectors()
        low, high = ends
        key0, key1 = keys
        s = memory_words(4 * B)
        s[:] = words
        x = doubles((STEPS + 1) * B)
        z = doubles((STEPS + 1) * B)
        jumped = doubles(STEPS * B)
        stay, level = lanes[B : 2 * B].copy(), lanes[2 * B : 3 * B].copy()
        near = doubles(B)
        source = np.empty((1, 1, 1))
        for i in range(B):
            x[i] = lanes[i]
        made = 0
        active = 0
        for i in range(B):
            active += path[i] >= 0
        while made < budget and (active > 0 or todo[0] < todo[1]):
            for i in range(B):
                if path[i] < 0 and todo[0] < todo[1]:
                    path[i] = todo[0]
                    todo[0] += 1
                    active += 1
                    age[i] = 0
                    x[i] = x0[path[i] % x0.size]
                    stay[i] = 1.0
                    level[i] = start_lane(i, path[i], key0, key1, s)
            for i in range(B):
                near[i] = NEGLIGIBLE
            fill(z, s, STEPS, 1, alpha, source, 0)
            for j in range(STEPS):
                advance(x, jumped, near, z, j, dt, amplitude, low, high, rate, params)
            made += STEPS
            for i in range(B):
                x_end = x[STEPS * B + i]
                if path[i] >= 0:
                    j = STEPS
                    if not near[i] <= NEGLIGIBLE:  # also when it is not a number: such a path is sent to the driver
                        j, stay[i] = exit_step(x, jumped, i, stay[i], level[i], low, high, rate)
                    gone = j < STEPS and age[i] + j + 1 <= limit
                    if gone:
                        v, w = x[j * B + i], x[(j + 1) * B + i]
                        upper = (high - v) * (high - w) < (v - low) * (w - low)
                        edge = high if upper else low
                        time, place = (age[i] + j + 1) * dt, w
                        if rate < NOT_BRIDGED:
                            part = moment_of_touch(abs(v - edge), abs(w - edge), rate, path[i], key0, key1)
                            time, place = (age[i] + j + part) * dt, edge
                        out[path[i], 0], out[path[i], 1], out[path[i], 2] = time, place, 1.0 if upper else -1.0
                        status[path[i]] = EXITED
                    elif age[i] + STEPS >= limit:
                        k = limit - age[i]
                        out[path[i], 0], out[path[i], 1], out[path[i], 2] = limit * dt, x[k * B + i], 0.0
                        status[path[i]] = CENSORED
                    if gone or age[i] + STEPS >= limit:
                        path[i] = -1
                        active -= 1
                        x_end = x0[0]
                    age[i] += STEPS
                x[i] = x_end
        words[:] = s
        for i in range(B):
            lanes[i], lanes[B + i], lanes[2 * B + i] = x[i], stay[i], level[i]
        return active > 0 or todo[0] < todo[1]

    return run


@functools.lru_cache(maxsize=256)
def exit_kernel(
    gradient: Callable[..., Any], flow: Callable[..., Any] | None, noise: str, scheme: str
) -> Callable[..., bool]:
    """Return the compiled ``run`` for a one-dimensional potential, a kind of noise and a scheme ("euler" or "split")."""
    if scheme == "euler":
        advance = inlined(advance_euler, gradient=vectorisable(gradient))
    else:
        advance = inlined(advance_split, **lanes_flow(gradient, flow, False, 1, B))
    exit_step = inlined(step_of_exit, JUMPS=scheme != "euler")
    fill = noise_fill(noise, 1)
    return specialised(_template, OPTIONS, fill=fill, advance=advance, exit_step=exit_step)  # type: ignore[no-any-return]
