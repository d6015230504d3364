"""The drift alone over a step, x' = -grad V(x): in closed form, or to a tolerance by the pair of Dormand and Prince.

Where it is computed, all lanes of a block try the whole step side by side; those whose error is too large go alone, with step
control. ``B``, ``DIM``, ``flow``, ``gradient``, ``slope``, ``slopes``, ``trial``, ``descend`` and ``move_lane`` are global names
that the kernel's maker fills in.

References
----------
J. R. Dormand, P. J. Prince, J. Comput. Appl. Math. 6, 19 (1980), table 2.
"""

from __future__ import annotations

import math

from shld_sim.engine.elementary import wide_vectors
from shld_sim.engine.memory import window

B = 128
TOLERANCE = 1e-7  # of one descent, relative to 1 + |x|
MAX_SUBSTEPS = 20_000
ROWS = 10  # of numbers that a trial needs: start, end, seven slopes, error


def dormand_prince(rows, size, h, v, params):
    """Make one step h of fifth order for ``size`` numbers.

    ``rows[:size]`` is the start and ``rows[2 size : 3 size]`` its slope. Written are the end, ``rows[size : 2 size]``, its slope,
    ``rows[8 size : 9 size]``, and the errors over 1 + |x|, ``rows[9 size : 10 size]``. One array, its rows at distances that the
    compiler knows, keeps the loops vectorised.
    """
    wide_vectors()
    end = window(rows, size, size)
    for k in range(size):
        rows[size + k] = rows[k] - h * (1.0 / 5.0 * rows[2 * size + k])
    slopes(end, window(rows, 3 * size, size), v, params)
    for k in range(size):
        rows[size + k] = rows[k] - h * (3.0 / 40.0 * rows[2 * size + k] + 9.0 / 40.0 * rows[3 * size + k])
    slopes(end, window(rows, 4 * size, size), v, params)
    for k in range(size):
        total = 44.0 / 45.0 * rows[2 * size + k] - 56.0 / 15.0 * rows[3 * size + k] + 32.0 / 9.0 * rows[4 * size + k]
        rows[size + k] = rows[k] - h * total
    slopes(end, window(rows, 5 * size, size), v, params)
    for k in range(size):
        total = 19372.0 / 6561.0 * rows[2 * size + k] - 25360.0 / 2187.0 * rows[3 * size + k]
        total += 64448.0 / 6561.0 * rows[4 * size + k] - 212.0 / 729.0 * rows[5 * size + k]
        rows[size + k] = rows[k] - h * total
    slopes(end, window(rows, 6 * size, size), v, params)
    for k in range(size):
        total = 9017.0 / 3168.0 * rows[2 * size + k] - 355.0 / 33.0 * rows[3 * size + k]
        total += 46732.0 / 5247.0 * rows[4 * size + k] + 49.0 / 176.0 * rows[5 * size + k]
        total -= 5103.0 / 18656.0 * rows[6 * size + k]
        rows[size + k] = rows[k] - h * total
    slopes(end, window(rows, 7 * size, size), v, params)
    for k in range(size):
        total = 35.0 / 384.0 * rows[2 * size + k] + 500.0 / 1113.0 * rows[4 * size + k]
        total += 125.0 / 192.0 * rows[5 * size + k] - 2187.0 / 6784.0 * rows[6 * size + k]
        total += 11.0 / 84.0 * rows[7 * size + k]
        rows[size + k] = rows[k] - h * total
    slopes(end, window(rows, 8 * size, size), v, params)
    for k in range(size):
        total = 71.0 / 57600.0 * rows[2 * size + k] - 71.0 / 16695.0 * rows[4 * size + k]
        total += 71.0 / 1920.0 * rows[5 * size + k] - 17253.0 / 339200.0 * rows[6 * size + k]
        total += 22.0 / 525.0 * rows[7 * size + k] - 1.0 / 40.0 * rows[8 * size + k]
        rows[9 * size + k] = abs(h * total) / (1.0 + abs(rows[k]))


# -- All lanes: coordinate c of lane i goes from ``rows[c B + i]`` to ``rows[(d + c) B + i]`` ----


def exact_lanes(rows, v, d, dt, params):
    """One coordinate whose flow is known in closed form."""
    wide_vectors()
    for i in range(B):
        rows[B + i] = flow(rows[i], dt, params)


def computed_lanes(rows, v, d, dt, params):
    """A trial step side by side, and again alone where that is not accurate enough; ``rows`` has room for `ROWS` d B numbers."""
    wide_vectors()
    size = DIM * B
    slopes(window(rows, 0, size), window(rows, 2 * size, size), v, params)
    trial(rows, size, dt, v, params)
    bad = 0
    for k in range(size):
        bad += 0 if rows[9 * size + k] <= TOLERANCE else 1  # of NaN as well
    if bad == 0:
        return
    for i in range(B):
        good = True
        for c in range(DIM):
            good = good and rows[9 * size + c * B + i] <= TOLERANCE
        if not good:
            move_lane(rows, i, v, DIM, dt, params)


def single_lanes(rows, v, d, dt, params):
    """One lane after the other: in many dimensions."""
    for i in range(B):
        move_lane(rows, i, v, d, dt, params)


def move_lane(rows, i, v, d, dt, params):
    for c in range(d):
        v[c] = rows[c * B + i]
    descend(v, d, dt, params)
    for c in range(d):
        rows[(d + c) * B + i] = v[c]


# -- One path ----


def descend_alone(v, d, dt, params):
    """Move the point v[:d] over dt, in place, with step control; v has room for `ROWS` d numbers.

    After a long jump the gradient is huge and the first substeps tiny; they grow geometrically as the path relaxes, so a
    superlinear well costs a number of substeps that is logarithmic in the size of the jump.
    """
    slope(window(v, 0, d), window(v, 2 * d, d), params)
    t, h = 0.0, dt
    for _ in range(MAX_SUBSTEPS):
        h = min(h, dt - t)
        trial(v, d, h, v, params)
        error = 0.0
        for c in range(9 * d, 10 * d):
            error = max(error, v[c])
            if v[c] - v[c] != 0.0:  # not finite: the trial step left the numbers
                error = math.inf
        if error <= TOLERANCE:
            t += h
            for c in range(d):
                v[c] = v[d + c]
                v[2 * d + c] = v[8 * d + c]
            if t >= dt:
                return
        if error < math.inf:
            h *= min(4.0, max(0.1, 0.8 * (TOLERANCE / (error + 1e-300)) ** 0.2))
        else:
            h *= 0.01
    for c in range(d):
        v[c] = math.nan  # reported as a diverged path


# The gradient at one point: of functions of coordinates, and of vectors


def slope_1(x, out, params):
    out[0] = gradient(x[0], params)


def slope_2(x, out, params):
    out[0], out[1] = gradient(x[0], x[1], params)


def slope_3(x, out, params):
    out[0], out[1], out[2] = gradient(x[0], x[1], x[2], params)


def slope_vector(x, out, params):
    gradient(x, out, params)


def slopes_alone(x, out, v, params):
    slope(x, out, params)


# The gradient in all lanes


def slopes_1(x, out, v, params):
    wide_vectors()
    for i in range(B):
        out[i] = gradient(x[i], params)


def slopes_2(x, out, v, params):
    wide_vectors()
    for i in range(B):
        out[i], out[B + i] = gradient(x[i], x[B + i], params)


def slopes_3(x, out, v, params):
    wide_vectors()
    for i in range(B):
        out[i], out[B + i], out[2 * B + i] = gradient(x[i], x[B + i], x[2 * B + i], params)


def slopes_vector(x, out, v, params):
    point, along = window(v, 0, DIM), window(v, DIM, DIM)
    for i in range(B):
        for c in range(DIM):
            point[c] = x[c * B + i]
        gradient(point, along, params)
        for c in range(DIM):
            out[c * B + i] = along[c]
