"""The exit kernels of every model in any dimension: first passage through the walls of `engine.walls`.

As in `exits`, lanes are refilled as paths leave, and one uniform number per path decides at which step it has touched a
wall unseen. Where phi is the signed distance to the wall, a step of Brownian motion from phi(v) to phi(w) touches it with
probability exp(-2 phi(v) phi(w)/(s^2 dt)), where s^2 dt is the variance of phi over the step: by reflection, the density
of going from a = phi(v) to -b is exp(-(a + b)^2/(2 s^2 dt)), that of going to b is exp(-(a - b)^2/(2 s^2 dt)), and the
probability is their ratio. It is exact for a plane, and for a curved wall up to terms that change exit times by O(dt).
Walls count as independent of each other.

For dX = b dt + B dW with the unit normal n, s = |B^T n|; for constant noise s^2 = 2 D. Where B depends on the place it is
taken at the start of the step, as Euler's step takes it. Close to the wall that is wrong by O(sqrt dt), relatively, of a
correction that is itself O(sqrt dt): again O(dt). With inertia the place is differentiable, there is no bridge, and walls
are looked at after each step: exits are late by dt/2.

References
----------
E. Gobet, Stoch. Process. Appl. 87, 167 (2000): the bridge for state-dependent noise frozen at the start of a step.
R. Mannella, Phys. Lett. A 254, 257 (1999): absorbing boundaries and optimal stopping in a stochastic differential equation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from shld_sim._compile import specialised
from shld_sim.engine import diffusion, flows, inertial, steps
from shld_sim.engine.elementary import inline, vectorisable, wide_vectors
from shld_sim.engine.ensemble import OPTIONS, called, inlined, lanes_flow, noise_fill, nothing
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
from shld_sim.engine.streams import next_word
from shld_sim.engine.walls import Wall, across_of, measure_of

__all__ = ["CENSORED", "EXITED", "NOT_BRIDGED", "RUNNING", "B", "diffusion_exits", "exit_kernel", "inertial_exits"]

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
    rows = doubles(ROWS * d * B)
    for n in range(d * B):
        rows[n] = row[n]
        row[n] += amplitude * z[j * d * B + n]
    measure(row, d, walls, phi)
    for i in range(B):
        if is_inside(phi, i):  # the flow of the others, from where they were, is not used
            for c in range(d):
                rows[c * B + i] = row[c * B + i]
    flow_lanes(rows, v, d, dt, params)
    for i in range(B):
        if is_inside(phi, i):
            for c in range(d):
                row[c * B + i] = rows[(d + c) * B + i]


@inline
def is_inside(phi, i):
    """Return whether all phis of lane i are positive."""
    lowest = math.inf
    for k in range(phi.size // B):
        lowest = phi[k * B + i] if not phi[k * B + i] >= lowest else lowest
    return lowest > 0.0


# -- the rate 2/(s^2 dt) of the bridge: one number for each phi, or where LOCAL one for each phi and lane ----

LOCAL = False
prepare = nothing  # computes what the first step of a path needs in the rows behind its state


def one_rate(y, points, w, b, d, params, walls, rates, local):
    pass


def rate_of_place(y, points, w, b, d, params, walls, rates, local):
    """Write rates/|B^T n|^2, at most NOT_BRIDGED, at the points of a block; ``rates`` holds 2/dt, or NOT_BRIDGED."""
    for i in range(B):
        for c in range(d):
            points[i, c] = y[c * B + i]
    matrices(points, params, w, b)
    across(y, d, walls, b, local)
    for k in range(rates.size):
        rate = rates[k]
        for i in range(B):
            value = rate / local[k * B + i]
            local[k * B + i] = NOT_BRIDGED if rate >= NOT_BRIDGED or value > NOT_BRIDGED else value


def wall_of_exit(before, after, rates, local, i):
    """Return the wall through which lane i left: of those it ended behind, the first on the straight line; else the
    one it touched most likely."""
    wall, best, outside = 0, math.inf, False
    for k in range(before.size // B):
        a, b = before[k * B + i], after[k * B + i]
        if b - b != 0.0 and b != math.inf:
            return -1  # not a number
        if b <= 0.0:
            part = a / (a - b)
            if not outside or part < best:
                wall, best, outside = k, part, True
        elif not outside:
            exponent = (local[k * B + i] if LOCAL else rates[k]) * a * b
            if exponent < best:
                wall, best = k, exponent
    return wall


def _template(key):
    def run(
        lanes, words, path, age, todo, x0, dt, alpha, amplitude, params, walls, rates, skip, keys, limit, budget, out,
        status,
    ):  # fmt: skip
        """Advance the lanes by at most ``budget`` steps each, or until every path is done.

        ``lanes`` holds, one after the other, the d B numbers of the states, coordinates first, the phis of all walls, the
        survival probabilities and the levels. ``rates`` has 1/(D dt) for each phi, with LOCAL 2/dt, or NOT_BRIDGED. The
        noise of a path begins ``skip`` words later than in `exits`. For a path that is done, ``out`` gets the row (time,
        place, wall), the wall being -1 for none and NaN for a phi that is not a number. Everything else is as in `exits`;
        the place at a bridged wall is the point of the straight line at the moment of the touch.
        """
        key
        wide_vectors()
        key0, key1 = keys
        d, n, n_walls = x0.shape[1], out.shape[1] - 2, rates.size
        x = doubles((STEPS + 1) * d * B)
        phi = doubles((STEPS + 1) * n_walls * B)
        z = doubles((STEPS * d + 1) * B)
        v = np.empty(flows.ROWS * d)
        room = doubles(n_walls * B)
        local = doubles((STEPS if LOCAL else 0) * n_walls * B)
        points, matrix, unit = np.empty((B, n)), np.zeros((B, n, COLUMNS)), np.zeros(COLUMNS * B)
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
                    for _ in range(skip):
                        p, q, r, t = words[i], words[B + i], words[2 * B + i], words[3 * B + i]
                        _, words[i], words[B + i], words[2 * B + i], words[3 * B + i] = next_word(p, q, r, t)
            if started > 0:
                prepare(x[: d * B], v, d, params)
                measure(x[: d * B], n, walls, room)
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
                now = local[j * n_walls * B : (j + 1) * n_walls * B]
                find_rates(row, points, unit, matrix, n, params, walls, rates, now)
                step(row, after, v, z, j, dt, amplitude, d, params, walls)
                measure(row, n, walls, after)
                for k in range(n_walls):
                    here, there, rate = before[k * B : (k + 1) * B], after[k * B : (k + 1) * B], rates[k]
                    own = now[k * B : (k + 1) * B]
                    for i in range(B):
                        touched = touch_probability(here[i] * there[i], own[i] if LOCAL else rate)
                        stay[i] = stay[i] * (1.0 - touched)
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
                        now = local[j * n_walls * B : (j + 1) * n_walls * B]
                        k = wall_of_exit(before, after, rates, now, i)
                        time, part = (age[i] + j + 1) * dt, 1.0
                        if k >= 0 and rates[k] < NOT_BRIDGED:
                            near, far = abs(before[k * B + i]), abs(after[k * B + i])
                            rate = now[k * B + i] if LOCAL else rates[k]
                            part = moment_of_touch(near, far, rate, path[i], key0, key1)
                            time = (age[i] + j + part) * dt
                        for c in range(n):
                            a, b = x[(j * d + c) * B + i], x[((j + 1) * d + c) * B + i]
                            out[path[i], 1 + c] = a + part * (b - a) if part < 1.0 else b
                        out[path[i], 0], out[path[i], 1 + n] = time, float(k) if k >= 0 else math.nan
                        status[path[i]] = EXITED
                    elif age[i] + STEPS >= limit:
                        k = limit - age[i]
                        for c in range(n):
                            out[path[i], 1 + c] = x[(k * d + c) * B + i]
                        out[path[i], 0], out[path[i], 1 + n] = limit * dt, -1.0
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


@functools.lru_cache(maxsize=256)
def exit_kernel(
    gradient: Callable[..., Any],
    flow: Callable[..., Any] | None,
    vector: bool,
    dim: int,
    noise: str,
    scheme: str,
    walls: tuple[Wall, ...],
) -> Callable[..., bool]:
    """Return the compiled ``run`` for a potential, a kind of noise, a scheme ("euler" or "split") and walls.

    States are ``dim`` numbers. A wall is (kind, the user's function or None, whether that is a distance, number of phis).
    """
    measure = measure_of(walls, dim)
    if scheme == "euler":
        style = euler_vector if vector else getattr(steps, f"euler_{dim}")
        step = called(step_euler, advance=inlined(style, gradient=vectorisable(gradient, vector)))
    else:
        step = called(step_split, measure=measure, **lanes_flow(gradient, flow, vector, dim, B))
    return _kernel(noise_fill(noise, dim), step, measure)


@functools.lru_cache(maxsize=256)
def inertial_exits(
    gradient: Callable[..., Any], vector: bool, dim: int, walls: tuple[Wall, ...]
) -> Callable[..., bool]:
    """Return the compiled ``run`` of BAOAB: states of ``3 dim`` numbers, positions, momenta, and room for the slopes."""
    advance, first = inertial.baoab_step(gradient, vector, dim)
    fill, _ = inertial.noise_rows(3 * dim, dim, False)
    return _kernel(fill, called(step_euler, advance=advance), measure_of(walls, dim), prepare=called(first))


@functools.lru_cache(maxsize=256)
def diffusion_exits(
    drift: Callable[..., Any],
    noise: Callable[..., Any],
    form: str,
    dim: int,
    m: int,
    scheme: str,
    walls: tuple[Wall, ...],
) -> Callable[..., bool]:
    """Return the compiled ``run`` for noise that depends on the place: states of ``max(dim, m)`` numbers."""
    advance = diffusion.diffusion_step(drift, noise, form, dim, m, scheme, B)
    advance = inlined(diffusion.in_lane_order, advance=advance) if dim > 3 else advance
    fill, _ = inertial.noise_rows(max(dim, m), m, False)
    matrices = called(diffusion.matrix_rows(noise, form, dim, m))
    rates = called(rate_of_place, matrices=matrices, across=across_of(walls, dim))
    step = called(step_euler, advance=advance)
    return _kernel(fill, step, measure_of(walls, dim), find_rates=rates, LOCAL=True, COLUMNS=m)


def _kernel(
    fill: Callable[..., None], step: Callable[..., None], measure: Callable[..., None], **names: Any
) -> Callable[..., bool]:
    names = {"find_rates": called(one_rate), "LOCAL": False, "COLUMNS": 0, **names}
    exit_wall = called(wall_of_exit, LOCAL=names["LOCAL"])
    names |= {"fill": fill, "step": step, "measure": measure, "wall_of_exit": exit_wall}
    return specialised(_template, OPTIONS, **names)  # type: ignore[no-any-return]
