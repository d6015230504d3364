"""Kernels of adaptive multilevel splitting: loops around the home set, then replicas that are killed and branched.

A walk is a Heun chain, x + (f(x) + f(x + f(x) dt + N)) dt/2 + N with N = sqrt(2 D dt) times normals: of second weak order
for additive noise. It ends at or below the level ``low`` of its coordinate (code LOW), at or above ``high`` (HIGH), above
``stop`` (ABOVE), or with the budget.

On a line with the coordinate x or -x a step is filled in by a Brownian bridge: the maximum of the bridge from v to w is
(v + w + sqrt((w - v)^2 - 4 D dt log U))/2, and a walk ends on the level itself. Otherwise the chain alone counts.

A replica is its start, its stream and its highest level. A branch needs the first point of its parent above the killing
level: the parent's walk is repeated from its start, from the same stream, so that no trajectory is kept. Kernels are
compiled without fast-math, so that a repeated walk is the same walk bit for bit.

References
----------
C.-E. Brehier, M. Gazeau, L. Goudenege, T. Lelievre, M. Rousset, Ann. Appl. Probab. 26, 3559 (2016).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from shld_sim._compile import specialised
from shld_sim.engine.elementary import U, exp_bounded, inline, log_positive, vectorisable
from shld_sim.engine.ensemble import inlined, point_slope
from shld_sim.engine.streams import next_word, start_word, unit_open, unit_open_zero
from shld_sim.engine.variates import normal_pair

STRICT = {"error_model": "numpy", "nogil": True}
RUNNING, LOW, HIGH, ABOVE, FAILED = 0, 1, 2, 3, 4  # how a walk ends
TIME, TOP, SPARE, HAS_SPARE = 0, 1, 2, 3  # numbers of a walk, besides its point
BRANCH_BITS = 40  # stream number: replica * 2^40 + branch
NEVER = 40.0  # a bridge whose exponent is larger does not touch
LARGEST = 1e150  # points beyond count as not finite

# ---- state of the loops: integers and sums ----
STAGE, COUNT, WALKING, LOOPS, SPENT, SEEN = 0, 1, 2, 3, 4, 5
SINCE, LOOP_SUM, LOOP_COUNT, START_SUM, START_COUNT = 0, 1, 2, 3, 4
# ---- state of the splitting ----
PHASE, ITEM, MODE, KILLED, ROUNDS, PARENT, STEPS = 0, 1, 2, 3, 4, 5, 6
INITIAL, SELECT, BRANCH, DONE = 0, 1, 2, 3  # phases
FREE, REPEAT, FRESH = 0, 1, 2  # modes
WEIGHT, KILL_LEVEL = 0, 1


@inline
def begin_walk(f, words, time, top, replica, branch, key0, key1):
    """Start the stream (replica, branch) and return its first word, which chooses the parent."""
    path = (U(replica) << U(BRANCH_BITS)) + U(branch)
    a, b, c, d = (
        start_word(key0, key1, path, 0),
        start_word(key0, key1, path, 1),
        start_word(key0, key1, path, 2),
        start_word(key0, key1, path, 3),
    )
    word, a, b, c, d = next_word(a, b, c, d)
    words[0], words[1], words[2], words[3] = a, b, c, d
    f[TIME], f[TOP], f[HAS_SPARE] = time, top, 0.0
    return word


@inline
def take_word(words):
    """Return the next word of a walk's stream."""
    word, a, b, c, d = next_word(words[0], words[1], words[2], words[3])
    words[0], words[1], words[2], words[3] = a, b, c, d
    return word


@inline
def take_normal(f, words):
    """Return the next standard normal number of a walk; every other one was kept from the pair before."""
    if f[HAS_SPARE] > 0.0:
        f[HAS_SPARE] = 0.0
        return f[SPARE]
    word1 = take_word(words)
    word2 = take_word(words)
    first, f[SPARE] = normal_pair(word1, word2)
    f[HAS_SPARE] = 1.0
    return first


@inline
def touch_fraction(before, after, rate, words):
    """Return when, as a fraction of a step, a bridge first touches a level at distances ``before`` and ``after``.

    t/(1 - t) is inverse Gaussian with mean before/after and shape before^2 rate/2, rate = 1/(D dt); see `exits`.
    """
    normal, _ = normal_pair(take_word(words), take_word(words))
    uniform = unit_open(take_word(words))
    if before <= 0.0:
        return 0.0
    shape = 0.5 * rate * before * before
    square = normal * normal
    if after <= 1e-12 * before:
        y = shape / square
        return y / (1.0 + y)
    mean = before / after
    half = mean * square / (2.0 * shape)
    y = mean / (1.0 + half + math.sqrt(half * half + 2.0 * half))
    if uniform > mean / (mean + y):
        y = mean * mean / y
    return y / (1.0 + y)


@inline
def bridge_touches(product, rate, words):
    """Return whether a bridge with distances of the given product touches a level: probability exp(-rate product)."""
    exponent = rate * product
    if exponent >= NEVER:
        return False
    return unit_open(take_word(words)) < exp_bounded(-exponent)


def walk_line(x, f, words, room, stop, low, high, dt, amplitude, rate, params, q, budget):
    """Walk on a line, the steps filled in by bridges. Returns the code and the number of steps."""
    sign = q[0]
    v = sign * x[0]
    for n in range(budget):
        noise = amplitude * take_normal(f, words)
        slope(x, room, params)
        g = sign * room[0]
        x[0] = sign * (v - g * dt + noise)
        slope(x, room, params)
        w = v - 0.5 * (g + sign * room[0]) * dt + noise
        if not abs(w) < LARGEST:
            return FAILED, n + 1
        if w <= low or bridge_touches((v - low) * (w - low), rate, words):
            x[0] = sign * low
            f[TIME] += dt * touch_fraction(v - low, abs(w - low), rate, words)
            return LOW, n + 1
        top = f[TOP]
        if w >= top or rate * (top - v) * (top - w) < NEVER:
            log_u = log_positive(unit_open_zero(take_word(words)))
            peak = 0.5 * (v + w + math.sqrt((w - v) * (w - v) - 4.0 * log_u / rate))
            if peak > stop:
                x[0] = sign * stop
                f[TIME] += 0.5 * dt
                return ABOVE, n + 1
            if peak >= high:
                x[0] = sign * high
                f[TIME] += dt * touch_fraction(high - v, abs(high - w), rate, words)
                f[TOP] = math.inf
                return HIGH, n + 1
            f[TOP] = peak if peak > top else top
        f[TIME] += dt
        v = w
        x[0] = sign * v
    return RUNNING, budget


def walk_chain(x, f, words, room, stop, low, high, dt, amplitude, rate, params, q, budget):
    """Walk in any dimension, seen at the times of the chain. Returns the code and the number of steps."""
    d = x.size
    g, h, y, noise = room[:d], room[d : 2 * d], room[2 * d : 3 * d], room[3 * d : 4 * d]
    for n in range(budget):
        slope(x, g, params)
        for c in range(d):
            noise[c] = amplitude * take_normal(f, words)
            y[c] = x[c] - g[c] * dt + noise[c]
        slope(y, h, params)
        for c in range(d):
            x[c] = x[c] - 0.5 * (g[c] + h[c]) * dt + noise[c]
        level = place(x, q)
        if not abs(level) < LARGEST:
            return FAILED, n + 1
        f[TIME] += dt
        if level <= low:
            return LOW, n + 1
        f[TOP] = level if level > f[TOP] else f[TOP]
        if level > stop:
            return ABOVE, n + 1
        if level >= high:
            f[TOP] = math.inf
            return HIGH, n + 1
    return RUNNING, budget


def _loops_template(key):
    def run(
        s, sums, entries, levels, x0, x, f, words, skip, stream, ends, dt, amplitude, rate, params, q, keys, budget
    ):
        """Go home -> surface -> home ... until ``entries`` is full of points on the surface; True when it is.

        The first ``skip`` entries are left out. ``ends`` = (home, surface, target). A path that reaches the target starts
        anew from ``x0``. ``levels`` gets the coordinate where the path is every step of a pilot run, if it has room.
        """
        key
        home, surface, target = ends
        room = np.empty(4 * x.size)
        key0, key1 = keys
        used = 0
        if s[WALKING] == 0:
            x[:] = x0
            begin_walk(f, words, 0.0, surface, stream, 0, key0, key1)
            s[WALKING] = 1
        while used < budget and s[COUNT] < entries.shape[0] and s[SEEN] < max(levels.size, 1):
            pilot = levels.size > 0
            up = s[STAGE] != 1
            low = -math.inf if up else home
            high = (target if pilot else surface) if up else target
            count = 1 if pilot else budget - used
            code, n = walk(x, f, words, room, math.inf, low, high, dt, amplitude, rate, params, q, count)
            used += n
            if code == FAILED:
                s[WALKING] = -1
                return True
            if pilot:
                if code == HIGH:
                    x[:] = x0
                f[TOP] = target
                levels[s[SEEN]] = place(x, q)
                s[SEEN] += 1
            elif code == HIGH and up:  # an entry: it ends a loop, unless the path came from x0
                if s[STAGE] == 0:
                    sums[START_SUM] += f[TIME] - sums[SINCE]
                    sums[START_COUNT] += 1.0
                elif s[LOOPS] > skip:
                    sums[LOOP_SUM] += f[TIME] - sums[SINCE]
                    sums[LOOP_COUNT] += 1.0
                sums[SINCE] = f[TIME]
                if s[LOOPS] >= skip:
                    entries[s[COUNT], :] = x
                    s[COUNT] += 1
                s[LOOPS] += 1
                s[STAGE] = 1
                f[TOP] = place(x, q)
                if f[TOP] >= target:  # the step to the surface went on to the target
                    x[:] = x0
                    s[STAGE] = 0
                    f[TOP] = surface
            elif code == HIGH:
                x[:] = x0
                s[STAGE] = 0
                sums[SINCE] = f[TIME]
                f[TOP] = surface
            elif code == LOW:
                s[STAGE] = 2
                f[TOP] = surface
        s[SPENT] += used
        return s[COUNT] >= entries.shape[0] or (levels.size > 0 and s[SEEN] >= levels.size)

    return run


def _splitting_template(key):
    def run(
        s, v, level, start, began, ended, branch, killed, alive, x, f, words, n_kill, ends, dt, amplitude, rate, params,
        q, keys, budget,
    ):  # fmt: skip
        """Kill and branch the replicas for about ``budget`` steps; True when the run is over.

        ``level``, ``start``, ``began``, ``ended``, ``branch`` hold each replica's highest level (inf: it reached the
        target), the point and the time at which its own walk began, the time at which it ended, and its stream.
        """
        key
        low, high = ends
        key0, key1 = keys
        n_replicas = level.size
        room = np.empty(4 * x.size)
        used = 0
        while used < budget and s[PHASE] != DONE:
            if s[PHASE] == SELECT:
                z = level.min() if n_kill == 1 else np.partition(level, n_kill - 1)[n_kill - 1]
                if z == math.inf:
                    s[PHASE] = DONE
                    break
                dead = 0
                for i in range(n_replicas):
                    if level[i] <= z:  # all of them: ties would otherwise survive at the level they died at
                        killed[dead] = i
                        dead += 1
                    else:
                        alive[i - dead] = i
                v[WEIGHT] *= 1.0 - dead / n_replicas
                v[KILL_LEVEL] = z
                s[KILLED], s[ITEM] = dead, 0
                s[ROUNDS] += 1
                s[PHASE] = BRANCH
                used += 1
                if dead == n_replicas:
                    s[PHASE] = DONE
                    break
            r = s[ITEM] if s[PHASE] == INITIAL else killed[s[ITEM]]
            stop = math.inf
            moving = True
            if s[MODE] == FREE and s[PHASE] == INITIAL:
                x[:] = start[r]
                begin_walk(f, words, 0.0, place(x, q), r, 0, key0, key1)
                s[MODE] = FRESH
                if f[TOP] >= high:
                    f[TOP] = math.inf
                    moving = False
            elif s[MODE] == FREE:
                word = begin_walk(f, words, 0.0, 0.0, r, branch[r] + 1, key0, key1)
                survivors = n_replicas - s[KILLED]
                s[PARENT] = alive[min(int(unit_open(word) * survivors), survivors - 1)]
                p = s[PARENT]
                x[:] = start[p]
                begin_walk(f, words, began[p], place(x, q), p, branch[p], key0, key1)
                s[MODE] = REPEAT
                moving = f[TOP] <= v[KILL_LEVEL]
            code = RUNNING
            if moving:
                stop = v[KILL_LEVEL] if s[MODE] == REPEAT else math.inf
                code, n = walk(x, f, words, room, stop, low, high, dt, amplitude, rate, params, q, budget - used)
                used += n
                if code == FAILED or (s[MODE] == REPEAT and code in (LOW, HIGH)):
                    s[PHASE] = -code
                    s[STEPS] += used
                    return True
            if moving and code == RUNNING:
                break
            if s[MODE] == REPEAT:
                branch[r] += 1
                start[r, :] = x
                began[r] = f[TIME]
                top = place(x, q)
                begin_walk(f, words, began[r], top, r, branch[r], key0, key1)
                s[MODE] = FRESH
                if top < high:
                    continue
                f[TOP] = math.inf
            level[r], ended[r] = f[TOP], f[TIME]
            s[MODE] = FREE
            s[ITEM] += 1
            if s[ITEM] == (n_replicas if s[PHASE] == INITIAL else s[KILLED]):
                s[PHASE] = SELECT
        s[STEPS] += used
        return s[PHASE] == DONE

    return run


# The coordinate on vectors


def place_line(x, q):
    return q[0] * x[0]


def place_1(x, q):
    return coordinate(x[0], q)


def place_2(x, q):
    return coordinate(x[0], x[1], q)


def place_3(x, q):
    return coordinate(x[0], x[1], x[2], q)


def place_vector(x, q):
    return coordinate(x, q)


@functools.lru_cache(maxsize=256)
def splitting_kernels(
    gradient: Callable[..., Any], coordinate: Callable[..., Any] | None, vector: bool, dim: int
) -> tuple[Callable[..., bool], Callable[..., bool]]:
    """Return the compiled loops and splitting for a gradient and a coordinate; None stands for q[0] x on a line."""
    style, slope = "vector" if vector else str(dim), point_slope(gradient, vector, dim)
    if coordinate is None:
        place, walk = inline(place_line), inlined(walk_line, slope=slope)
    else:
        place = inlined(globals()[f"place_{style}"], coordinate=vectorisable(coordinate, vector))
        walk = inlined(walk_chain, slope=slope, place=place)
    return (
        specialised(_loops_template, STRICT, walk=walk, place=place),
        specialised(_splitting_template, STRICT, walk=walk, place=place),
    )
