"""Walls in any dimension: functions phi > 0 of the place where a path runs, and the noise across them.

A wall is ``measure(y, d, p, phi)``: it writes phi at the B points of a block, coordinate c of lane i in ``y[c B + i]``.
Several walls, with their parameters nested as (p1, (p2, (... ()))), are chained into one.

Where phi is a distance and the noise B dW depends on the place, ``across(y, d, p, b, out)`` writes |B^T n|^2 for each
phi, the variance per time of the motion across the wall; n is the unit vector along grad phi and ``b[i]`` the matrix B at
the point of lane i.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from shld_sim.engine.elementary import vectorisable
from shld_sim.engine.ensemble import called, inlined
from shld_sim.engine.variates import B

Wall = tuple[str, Callable[..., Any] | None, bool, int]  # kind, the user's function, whether a distance, number of phis

# -- distances ----


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


# -- the noise across ----


def across_one(y, d, p, b, out):
    n = np.empty(d)
    for i in range(B):
        normal(y, i, d, p, n)
        length, spread, total = 0.0, 0.0, 0.0
        for c in range(d):
            length += n[c] * n[c]
        for m in range(b.shape[2]):
            along = 0.0
            for c in range(d):
                along += n[c] * b[i, c, m]
                total += b[i, c, m] * b[i, c, m]
            spread += along * along
        out[i] = spread / length if length > 0.0 else total  # at the centre of a ball no direction is the nearest


def across_box(y, d, p, b, out):
    for c in range(d):
        for i in range(B):
            spread = 0.0
            for m in range(b.shape[2]):
                spread += b[i, c, m] * b[i, c, m]
            out[2 * c * B + i] = spread
            out[(2 * c + 1) * B + i] = spread


def across_nothing(y, d, p, b, out):
    for i in range(B):
        out[i] = 1.0


def chained_across(y, d, p, b, out):
    first(y, d, p[0], b, out)
    rest(y, d, p[1], b, out[FACES * B :])


def no_wall_across(y, d, p, b, out):
    pass


# A vector n along grad phi at the point of lane i, of either sign and any length


def normal_ball(y, i, d, p, n):
    for c in range(d):
        n[c] = y[c * B + i] - p[0][c]


def normal_half_space(y, i, d, p, n):
    for c in range(d):
        n[c] = p[0][c]


def normal_box_outside(y, i, d, p, n):
    for c in range(d):
        v = y[c * B + i]
        n[c] = v - max(p[0][c], min(v, p[1][c]))


def differences(y, i, d, p, n):
    """Central differences of a user's distance."""
    point = np.empty(d)
    for c in range(d):
        point[c] = y[c * B + i]
    for c in range(d):
        v = point[c]
        h = 1e-6 * max(1.0, abs(v))
        point[c] = v + h
        n[c] = evaluated(point, p[0])
        point[c] = v - h
        n[c] = (n[c] - evaluated(point, p[0])) / (2.0 * h)
        point[c] = v


def evaluated_1(x, p):
    return 1.0 * inside(x[0], p)


def evaluated_2(x, p):
    return 1.0 * inside(x[0], x[1], p)


def evaluated_3(x, p):
    return 1.0 * inside(x[0], x[1], x[2], p)


def evaluated_vector(x, p):
    return 1.0 * inside(x, p)


# -- walls put together ----


WALLS = {"ball": ball, "half_space": half_space, "box": box, "box_outside": box_outside}
NORMALS = {"ball": normal_ball, "half_space": normal_half_space, "box_outside": normal_box_outside}


def measure_of(walls: tuple[Wall, ...], dim: int) -> Callable[..., None]:
    """Return the measure of all walls, with the users' functions built in."""
    measure = called(no_wall)
    for kind, function, distance, faces in reversed(walls):
        if function is None:
            first = inlined(WALLS[kind])
        else:
            style = {1: region_1, 2: region_2, 3: region_3}.get(dim, region_vector)
            inside = vectorisable(function, dim > 3)
            first = inlined(style, inside=inside, DISTANCE=distance, signed=inlined(signed))
        measure = called(chained, first=first, rest=measure, FACES=faces)
    return measure


def across_of(walls: tuple[Wall, ...], dim: int) -> Callable[..., None]:
    """Return what writes the noise across all walls; 1 for those whose distance is not known."""
    across = called(no_wall_across)
    for kind, function, distance, faces in reversed(walls):
        if not distance:
            first = called(across_nothing)
        elif kind == "box":
            first = called(across_box)
        elif function is None:
            first = called(across_one, normal=inlined(NORMALS[kind]))
        else:
            style = {1: evaluated_1, 2: evaluated_2, 3: evaluated_3}.get(dim, evaluated_vector)
            evaluated = inlined(style, inside=vectorisable(function, dim > 3))
            first = called(across_one, normal=inlined(differences, evaluated=evaluated))
        across = called(chained_across, first=first, rest=across, FACES=faces)
    return across
