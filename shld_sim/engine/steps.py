"""One step of a block of lanes: Euler-Maruyama, and noise followed by the drift's own flow.

Every template here makes ``advance(y, v, z, j, dt, amplitude, d, params)``, which moves a block of B lanes by step j of
the noise block z. Coordinate c of lane i is ``y[c B + i]`` unless said otherwise; ``v`` is room for helpers. ``B``,
``DIM``, ``ROWS``, ``gradient`` and ``flow_lanes`` are global names that the kernel's maker fills in.
"""

from __future__ import annotations

import math

import numpy as np

from shld_sim.engine.elementary import wide_vectors
from shld_sim.engine.memory import window
from shld_sim.engine.transpose import TILE, euler_tile, padded

B = 128

# -- Euler-Maruyama: x + dx, dx = -grad V(x) dt + amplitude z ----


# Rows are cut out of y and z first: an index that the compiler knows to lie inside its row keeps the loop vectorised.


def euler_1(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    row = z[j * B : (j + 1) * B]
    for i in range(B):
        y[i] = y[i] - gradient(y[i], params) * dt + amplitude * row[i]


def euler_2(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    rows = z[2 * j * B : 2 * (j + 1) * B]
    for i in range(B):
        gx, gy = gradient(y[i], y[B + i], params)
        y[i] = y[i] - gx * dt + amplitude * rows[i]
        y[B + i] = y[B + i] - gy * dt + amplitude * rows[B + i]


def euler_3(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    rows = z[3 * j * B : 3 * (j + 1) * B]
    for i in range(B):
        gx, gy, gz = gradient(y[i], y[B + i], y[2 * B + i], params)
        y[i] = y[i] - gx * dt + amplitude * rows[i]
        y[B + i] = y[B + i] - gy * dt + amplitude * rows[B + i]
        y[2 * B + i] = y[2 * B + i] - gz * dt + amplitude * rows[2 * B + i]


def euler_vector(y, v, z, j, dt, amplitude, d, params):
    """The coordinates of a path lie side by side: coordinate c of lane i is ``y[i padded(d) + c]``."""
    d = DIM if DIM > 0 else d  # a number that the compiler knows, where the kernel's maker knows it
    width = padded(d)
    for low in range(0, B, TILE):
        for i in range(TILE):
            gradient(window(y, (low + i) * width, d), window(v, i * width, d), params)
        for c in range(0, width, TILE):
            euler_tile(y, v, z, low * width + c, c, width, (j * d + c) * B + low, B, dt, amplitude)


# -- Split: x -> flow(x + amplitude z, dt), the drift alone, by one of `flows` ----


def split(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    size = (DIM if DIM > 0 else d) * B  # a number that the compiler knows, where the kernel's maker knows it
    rows = window(v, (TILE + 2) * padded(d), ROWS * size)
    noise = z[j * size : (j + 1) * size]
    for k in range(size):
        rows[k] = y[k] + amplitude * noise[k]
    flow_lanes(rows, v, d, dt, params)
    for k in range(size):
        y[k] = rows[size + k]


# -- Walls: a step, and then what happens beyond them. ``params`` is (the step's own, walls of shape (coordinates, 2)) ----


def bounded(y, v, z, j, dt, amplitude, d, params):
    own, walls = params
    advance(y, v, z, j, dt, amplitude, d, own)
    for c in range(walls.shape[0]):
        low, high = walls[c, 0], walls[c, 1]
        for i in range(B):
            k = place(i, c, d)
            y[k] = confined(y[k], low, high)


def absorbed(y, v, z, j, dt, amplitude, d, params):
    """A path that has come to lie on or beyond a wall stays where it is."""
    own, walls = params
    before = y.copy()
    advance(y, v, z, j, dt, amplitude, d, own)
    for i in range(B):
        gone = False
        for c in range(walls.shape[0]):
            x = before[place(i, c, d)]
            gone = gone or x <= walls[c, 0] or x >= walls[c, 1]
        if gone:
            for c in range(y.size // B):
                y[place(i, c, d)] = before[place(i, c, d)]


def reflected(x, low, high):
    """Return x folded back into [low, high] like light between two mirrors; one of them may be infinitely far."""
    width = high - low
    if width == math.inf:
        return 2.0 * low - x if x < low else (2.0 * high - x if x > high else x)
    t = (x - low) / (2.0 * width)
    t = t - np.floor(t)
    return low + 2.0 * width * (t if t < 0.5 else 1.0 - t)


def wrapped(x, low, high):
    """Return the point of [low, high) that differs from x by a whole number of periods."""
    t = (x - low) / (high - low)
    return low + (high - low) * (t - np.floor(t))
