"""The exit kernel in any dimension: first passage through walls, functions phi > 0 of the place where a path runs.

As in `exits`, lanes are refilled as paths leave, and one uniform number per path decides at which step it has touched a
wall unseen. Where phi is the signed distance to the wall, a step of Brownian motion from phi(v) to phi(w) with variance
2 D dt in each direction touches it with probability exp(-phi(v) phi(w)/(D dt)): exact for a plane, and for a curved wall
up to terms that change exit times by O(dt). Walls count as independent of each other.

A wall is ``measure(y, d, p, phi)``: it writes phi at the B points of a block, coordinate c of lane i in ``y[c B + i]``.
Several walls, with their parameters nested as (p1, (p2, (... ()))), are chained into one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import register_jitable

from shld_sim._compile import rebound, specialised
from shld_sim.engine import steps
from shld_sim.engine.elementary import vectorisable
from shld_sim.engine.ensemble import OPTIONS, descent, inlined, noise_fill
from shld_sim.engine.exits import (
    CENSORED,
    EXITED,
    NOT_BRIDGED,
    RUNNING,
    STEPS,
    B,
    moment_of_touch,
    start_lane,
    touch_probability,
)
from shld_sim.engine.memory import doubles

__all__ = ["CENSORED", "EXITED", "NOT_BRIDGED", "RUNNING", "B", "exit_kernel"]

# -- walls ----


def ball(y, d, p, phi):
    """p = (center, radius, 1 to leave or -1 to enter)."""
    for i in range(B):
        phi[i] = 0.0
    for c in range(d):
        row = y[c * B : (c + 1) * B]
        center = p[0][c]
        for i in range(B):
            phi[i] += (row[i] - center) * (row[i] - center)
    for i in range(B):
        phi[i] = p[2] * (p[1] - math.sqrt(phi[i]))


def half_space(y, d, p, phi):
    """p = (unit normal that points out, offset)."""
    for i in range(B):
        phi[i] = p[1]
    for c in range(d):
        row = y[c * B : (c + 1) * B]
        slope = p[0][c]
        for i in range(B):
            phi[i] -= slope * row[i]


def box(y, d, p, phi):
    """The 2 d faces of a box to leave, p = (low, high)."""
    for c in range(d):
        row = y[c * B : (c + 1) * B]
        low, high = p[0][c], p[1][c]
        faces = phi[2 * c * B : (2 * c + 2) * B]
        for i in range(B):
            faces[i] = row[i] - low
            faces[B + i] = high - row[i]


def box_outside(y, d, p, phi):
    """The distance from a box to enter, p = (low, high); inside it, minus that to the nearest face."""
    for i in range(B):
        square, largest = 0.0, -math.inf
        for c in range(d):
            v = y[c * B + i]
            beyond = max(p[0][c] - v, v - p[1][c])
            largest = beyond if beyond > largest else largest
            square += beyond * beyond if beyond > 0.0 else 0.0
            if v - v != 0.0:
                square = math.nan
        phi[i] = math.sqrt(square) if square != 0.0 else largest


def signed(value, sign, distance):
    """Return phi from the value of a user's function, of which only the sign counts unless it is a distance."""
    value = 1.0 * value
    if distance or value - value != 0.0:
        return sign * value
    return sign if value > 0.0 else -sign


def region_1(y, d, p, phi):
    """p = (parameters of the user's function, 1 to leave or -1 to enter)."""
    for i in range(B):
        phi[i] = signed(inside(y[i], p[0]), p[1], DISTANCE)


def region_2(y, d, p, phi):
    for i in range(B):
        phi[i] = signed(inside(y[i], y[B + i], p[0]), p[1], DISTANCE)


def region_3(y, d, p, phi):
    for i in range(B):
        phi[i] = signed(inside(y[i], y[B + i], y[2 * B + i], p[0]), p[1], DISTANCE)


def region_vector(y, d, p, phi):
    point = np.empty(d)
    for i in range(B):
        for c in range(d):
            point[c] = y[c * B + i]
        phi[i] = signed(inside(point, p[0]), p[1], DISTANCE)


def no_wall(y, d, p, phi):
    pass


def chained(y, d, p, phi):
    first(y, d, p[0], phi)
    rest(y, d, p[1], phi[FACES * B :])


# -- steps: ``row`` holds the points of the lanes and gets the next ones ----


def step_euler(row, phi, v, z, j, dt, amplitude, d, params, walls):
    advance(row, v, z, j, dt, amplitude, d, params)


def euler_vector(y, v, z, j, dt, amplitude, d, params):
    """`steps.euler_1` to `steps.euler_3` for a gradient on vectors, lanes side by side."""
    point, slope = v[:d], v[d : 2 * d]
    for i in range(B):
        for c in range(d):
            point[c] = y[c * B + i]
        gradient(point, slope, params)
        for c in range(d):
            y[c * B + i] = point[c] - slope[c] * dt + amplitude * z[(j * d + c) * B + i]


def step_split(row, phi, v, z, j, dt, amplitude, d, params, walls):
    """Noise and then the flow; a path that has left by its jump stays where it landed."""
    for n in range(d * B):
        row[n] += amplitude * z[j * d * B + n]
    measure(row, d, walls, phi)
    for i in range(B):
        lowest = math.inf
        for k in range(phi.size // B):
            lowest = phi[k * B + i] if not phi[k * B + i] >= lowest else lowest
        if lowest > 0.0:
            for c in range(d):
                v[c] = row[c * B + i]
            relax(v, d, dt, params)
            for c in range(d):
                row[c * B + i] = v[c]


def relax_exactly(v, d, dt, params):
    v[0] = flow(v[0], dt, params)


def wall_of_exit(before, after, i):
    """Return the wall through which lane i left: of those it ended behind, the first on the straight line; else the
    one it came nearest to."""
    wall, best, outside = 0, math.inf, False
    for k in range(before.size // B):
        a, b = before[k * B + i], after[k * B + i]
        if b - b != 0.0 and b != math.inf:
            return -1  # not a number
        if b <= 0.0:
            part = a / (a - b)
            if not outside or part < best:
                wall, best, outside = k, part, True
        elif not outside and a * b < best:
            wall, best = k, a * b
    return wall


def _template(key):
    def run(
        lanes, words, path, age, todo, x0, dt, alpha, amplitude, params, walls, rates, keys, limit, budget, out, status
    ):
        """Advance the lanes by at most ``budget`` steps each, or until every path is done.

        ``lanes`` holds, one after the other, the d B coordinates, the phis of all walls, the survival probabilities and
        the levels. ``rates`` has 1/(D dt) for each phi, or NOT_BRIDGED. For a path that is done, ``out`` gets the row
        (time, place, wall), the wall being -1 for none and NaN for a phi that is not a number. Everything else is as in
        `exits`; the place at a bridged wall is the point of the straight line at the moment of the touch.
        """
        key
        key0, key1 = keys
        d, n_walls = x0.shape[1], rates.size
        x = doubles((STEPS + 1) * d * B)
        phi = doubles((STEPS + 1) * n_walls * B)
        z = doubles((STEPS * d + 1) * B)
        v = np.empty(6 * d)
        room = doubles(n_walls * B)
        x[: d * B] = lanes[: d * B]
        phi[: n_walls * B] = lanes[d * B : (d + n_walls) * B]
        stay, level = lanes[(d + n_walls) * B : (d + n_walls + 1) * B].copy(), lanes[(d + n_walls + 1) * B :].copy()
        leave = doubles(B)
        source = np.empty((1, 1, 1))
        made = 0
        active = 0
        for i in range(B):
            active += path[i] >= 0
        while made < budget and (active > 0 or todo[0] < todo[1]):
            started = 0
            for i in range(B):
                if path[i] < 0 and todo[0] < todo[1]:
                    path[i] = todo[0]
                    todo[0] += 1
                    active += 1
                    started += 1
                    age[i] = 0
                    for c in range(d):
                        x[c * B + i] = x0[path[i] % x0.shape[0], c]
                    stay[i] = 1.0
                    level[i] = start_lane(i, path[i], key0, key1, words)
            if started > 0:
                measure(x[: d * B], d, walls, room)
                for i in range(B):
                    if path[i] >= 0 and age[i] == 0:
                        for k in range(n_walls):
                            phi[k * B + i] = room[k * B + i]
            for i in range(B):
                leave[i] = 1e9
            fill(z, words, STEPS, d, alpha, source, 0)
            for j in range(STEPS):
                row = x[(j + 1) * d * B : (j + 2) * d * B]
                row[:] = x[j * d * B : (j + 1) * d * B]
                before = phi[j * n_walls * B : (j + 1) * n_walls * B]
                after = phi[(j + 1) * n_walls * B : (j + 2) * n_walls * B]
                step(row, after, v, z, j, dt, amplitude, d, params, walls)
                measure(row, d, walls, after)
                for k in range(n_walls):
                    here, there, rate = before[k * B : (k + 1) * B], after[k * B : (k + 1) * B], rates[k]
                    for i in range(B):
                        stay[i] = stay[i] * (1.0 - touch_probability(here[i] * there[i], rate))
                for i in range(B):
                    when = float(j) if stay[i] < level[i] else leave[i]
                    leave[i] = when if when < leave[i] else leave[i]
            made += STEPS
            for i in range(B):
                idle = path[i] < 0
                if path[i] >= 0:
                    j = int(leave[i]) if leave[i] < STEPS else STEPS
                    gone = j < STEPS and age[i] + j + 1 <= limit
                    if gone:
                        before = phi[j * n_walls * B : (j + 1) * n_walls * B]
                        after = phi[(j + 1) * n_walls * B : (j + 2) * n_walls * B]
                        k = wall_of_exit(before, after, i)
                        time, part = (age[i] + j + 1) * dt, 1.0
                        if k >= 0 and rates[k] < NOT_BRIDGED:
                            near, far = abs(before[k * B + i]), abs(after[k * B + i])
                            part = moment_of_touch(near, far, rates[k], path[i], key0, key1)
                            time = (age[i] + j + part) * dt
                        for c in range(d):
                            a, b = x[(j * d + c) * B + i], x[((j + 1) * d + c) * B + i]
                            out[path[i], 1 + c] = a + part * (b - a) if part < 1.0 else b
                        out[path[i], 0], out[path[i], 1 + d] = time, float(k) if k >= 0 else math.nan
                        status[path[i]] = EXITED
                    elif age[i] + STEPS >= limit:
                        k = limit - age[i]
                        for c in range(d):
                            out[path[i], 1 + c] = x[(k * d + c) * B + i]
                        out[path[i], 0], out[path[i], 1 + d] = limit * dt, -1.0
                        status[path[i]] = CENSORED
                    if gone or age[i] + STEPS >= limit:
                        path[i] = -1
                        active -= 1
                        idle = True
                    age[i] += STEPS
                for c in range(d):
                    x[c * B + i] = x0[0, c] if idle else x[(STEPS * d + c) * B + i]
                for k in range(n_walls):
                    phi[k * B + i] = 1.0 if idle else phi[(STEPS * n_walls + k) * B + i]
        lanes[: d * B] = x[: d * B]
        lanes[d * B : (d + n_walls) * B] = phi[: n_walls * B]
        lanes[(d + n_walls) * B : (d + n_walls + 1) * B] = stay
        lanes[(d + n_walls + 1) * B :] = level
        return active > 0 or todo[0] < todo[1]

    return run


WALLS = {"ball": ball, "half_space": half_space, "box": box, "box_outside": box_outside}


def _wall(kind: str, function: Callable[..., Any] | None, distance: bool, dim: int) -> Callable[..., Any]:
    """Return the measure of one wall, with the user's function built in."""
    if function is None:
        return inlined(WALLS[kind])
    style = {1: region_1, 2: region_2, 3: region_3}.get(dim, region_vector)
    return inlined(style, inside=vectorisable(function, dim > 3), DISTANCE=distance, signed=inlined(signed))


def called(function: Callable[..., Any], **names: Any) -> Callable[..., Any]:
    """Return a copy of ``function``, which works on whole blocks, with the global ``names`` filled in, to be called."""
    return register_jitable(rebound(function, {**function.__globals__, **names}))  # type: ignore[no-any-return]


@functools.lru_cache(maxsize=256)
def exit_kernel(
    gradient: Callable[..., Any],
    flow: Callable[..., Any] | None,
    vector: bool,
    dim: int,
    noise: str,
    scheme: str,
    walls: tuple[tuple[str, Callable[..., Any] | None, bool, int], ...],
) -> Callable[..., bool]:
    """Return the compiled ``run`` for a potential, a kind of noise, a scheme ("euler" or "split") and walls.

    A wall is (kind, the user's function or None, whether that is a distance, number of phis).
    """
    measure = called(no_wall)
    for kind, function, distance, faces in reversed(walls):
        measure = called(chained, first=_wall(kind, function, distance, dim), rest=measure, FACES=faces)
    if scheme == "euler":
        style = euler_vector if vector else getattr(steps, f"euler_{dim}")
        step = called(step_euler, advance=inlined(style, gradient=vectorisable(gradient, vector)))
    elif flow is not None:
        step = called(step_split, measure=measure, relax=inlined(relax_exactly, flow=vectorisable(flow)))
    else:
        step = called(step_split, measure=measure, relax=descent(gradient, vector, dim))
    return specialised(  # type: ignore[no-any-return]
        _template,
        OPTIONS,
        fill=noise_fill(noise, dim),
        step=step,
        measure=measure,
        wall_of_exit=called(wall_of_exit),
    )
