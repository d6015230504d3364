"""State-dependent noise: Euler-Maruyama (Ito) and Heun (Stratonovich) steps of dX = b(X) dt + B(X) dW in lanes.

``drift`` and ``noise`` are the user's; ``push`` turns what ``noise`` returns and M numbers of a step into B dW, ``change``
puts it together with the drift. States are padded to ``d >= M`` numbers, so that the noise of step j begins at ``z[j d B]``.

References
----------
P. E. Kloeden, E. Platen, Numerical Solution of Stochastic Differential Equations (1992), chapters 10 and 15.
W. Ruemelin, SIAM J. Numer. Anal. 19, 604 (1982): Heun's method.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from shld_sim._compile import rebound, specialised
from shld_sim.engine import ensemble, inertial, variates
from shld_sim.engine.elementary import inline, vectorisable, wide_vectors
from shld_sim.engine.transpose import TILE
from shld_sim.engine.variates import B

FEW_B = 8  # lanes of a block where one lane is much work

# -- B dW: a row of B times the M numbers w[i], w[B + i], ... ----


@inline
def dot_1(row, w, i):
    return row[0] * w[i]


@inline
def dot_2(row, w, i):
    return row[0] * w[i] + row[1] * w[B + i]


@inline
def dot_3(row, w, i):
    return row[0] * w[i] + row[1] * w[B + i] + row[2] * w[2 * B + i]


@inline
def dot_4(row, w, i):
    return row[0] * w[i] + row[1] * w[B + i] + row[2] * w[2 * B + i] + row[3] * w[3 * B + i]


def push_number(n, w, i):
    return n * w[i]


def push_1(n, w, i):
    return dot(n, w, i)


def push_2(n, w, i):
    return dot(n[0], w, i), dot(n[1], w, i)


def push_3(n, w, i):
    return dot(n[0], w, i), dot(n[1], w, i), dot(n[2], w, i)


def push_diagonal_2(n, w, i):
    return n[0] * w[i], n[1] * w[B + i]


def push_diagonal_3(n, w, i):
    return n[0] * w[i], n[1] * w[B + i], n[2] * w[2 * B + i]


# Above three dimensions: coordinate c of B dW, with the numbers w[0], w[1], ... of a path


def push_matrix(n, w, c):
    k = 0.0
    for m in range(M):
        k += n[c, m] * w[m]
    return k


def push_diagonal(n, w, c):
    return n[c] * w[c]


def room_matrix():
    return np.empty((DIM, M))


def room_diagonal():
    return np.empty(DIM)


# -- b(x) dt + B(x) dW, of lane i ----


def change_1(x, w, i, dt, amplitude, params):
    return drift(x, params) * dt + amplitude * push(noise(x, params), w, i)


def change_2(x1, x2, w, i, dt, amplitude, params):
    b1, b2 = drift(x1, x2, params)
    k1, k2 = push(noise(x1, x2, params), w, i)
    return b1 * dt + amplitude * k1, b2 * dt + amplitude * k2


def change_3(x1, x2, x3, w, i, dt, amplitude, params):
    b1, b2, b3 = drift(x1, x2, x3, params)
    k1, k2, k3 = push(noise(x1, x2, x3, params), w, i)
    return b1 * dt + amplitude * k1, b2 * dt + amplitude * k2, b3 * dt + amplitude * k3


def change_vector(x, w, n, dt, amplitude, params, f):
    """Write the change of the vector x into f; ``n`` is room for B."""
    drift(x, f, params)
    noise(x, n, params)
    for c in range(DIM):
        f[c] = f[c] * dt + amplitude * push(n, w, c)


# -- Euler-Maruyama: x + b(x) dt + B(x) dW ----


def euler_1(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        y[i] = y[i] + change(y[i], w, i, dt, amplitude, params)


def euler_2(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2 = y[i], y[B + i]
        f1, f2 = change(x1, x2, w, i, dt, amplitude, params)
        y[i], y[B + i] = x1 + f1, x2 + f2


def euler_3(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2, x3 = y[i], y[B + i], y[2 * B + i]
        f1, f2, f3 = change(x1, x2, x3, w, i, dt, amplitude, params)
        y[i], y[B + i], y[2 * B + i] = x1 + f1, x2 + f2, x3 + f3


@inline
def packed(i, c, d):
    """Return the place of coordinate c of lane i where the coordinates of a path lie side by side."""
    return i * d + c


def gathered(z, first, w):
    """Set ``w[i M + c] = z[first + c B + i]`` for the eight lanes i of a tile and the M numbers c of a step."""
    for c in range(M):
        for i in range(TILE):
            w[i * M + c] = z[first + c * B + i]


def euler_vector(y, v, z, j, dt, amplitude, d, params):
    """The coordinates of a path lie side by side: coordinate c of lane i is ``y[i d + c]``."""
    f, w, n = v[:DIM], v[d : d + TILE * M], room()
    for low in range(0, B, TILE):
        gathered(z, j * d * B + low, w)
        for i in range(TILE):
            x = y[(low + i) * d : (low + i) * d + DIM]
            change(x, w[i * M : (i + 1) * M], n, dt, amplitude, params, f)
            for c in range(DIM):
                x[c] += f[c]


# -- Heun: x + (f + g)/2 with the change f at x and the change g at x + f, on the same dW ----


def heun_1(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x = y[i]
        f = change(x, w, i, dt, amplitude, params)
        y[i] = x + 0.5 * (f + change(x + f, w, i, dt, amplitude, params))


def heun_2(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2 = y[i], y[B + i]
        f1, f2 = change(x1, x2, w, i, dt, amplitude, params)
        g1, g2 = change(x1 + f1, x2 + f2, w, i, dt, amplitude, params)
        y[i], y[B + i] = x1 + 0.5 * (f1 + g1), x2 + 0.5 * (f2 + g2)


def heun_3(y, v, z, j, dt, amplitude, d, params):
    wide_vectors()
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2, x3 = y[i], y[B + i], y[2 * B + i]
        f1, f2, f3 = change(x1, x2, x3, w, i, dt, amplitude, params)
        g1, g2, g3 = change(x1 + f1, x2 + f2, x3 + f3, w, i, dt, amplitude, params)
        y[i], y[B + i], y[2 * B + i] = x1 + 0.5 * (f1 + g1), x2 + 0.5 * (f2 + g2), x3 + 0.5 * (f3 + g3)


def heun_vector(y, v, z, j, dt, amplitude, d, params):
    f, w, n = v[:DIM], v[d : d + TILE * M], room()
    u, g = np.empty(DIM), np.empty(DIM)
    for low in range(0, B, TILE):
        gathered(z, j * d * B + low, w)
        for i in range(TILE):
            x, dw = y[(low + i) * d : (low + i) * d + DIM], w[i * M : (i + 1) * M]
            change(x, dw, n, dt, amplitude, params, f)
            for c in range(DIM):
                u[c] = x[c] + f[c]
            change(u, dw, n, dt, amplitude, params, g)
            for c in range(DIM):
                x[c] += 0.5 * (f[c] + g[c])


# -- Kernels: ``form`` says what noise returns, "number", "rows" or "diagonal"; above three dimensions it writes, into a
# matrix ("vector") or into the diagonal ----


@functools.lru_cache(maxsize=256)
def diffusion_kernel(
    drift: Callable[..., Any],
    noise: Callable[..., Any],
    form: str,
    dim: int,
    m: int,
    scheme: str,
    given: bool,
    boundary: str = "",
) -> Callable[..., None]:
    """Return the compiled ``run`` of scheme "euler" or "heun"; it moves states of ``max(dim, m)`` numbers.

    A ``boundary`` is that of `engine.ensemble`.
    """
    width, vector, size = max(dim, m), dim > 3, lanes(dim, m)
    advance = diffusion_step(drift, noise, form, dim, m, scheme, size)
    block = {"B": size, "place": packed} if vector else {}
    if boundary:
        advance = ensemble.walled(advance, boundary, **block)
    if not vector:
        return inertial.kernel(advance, width, m, given)
    if m == 1 and not given:
        fill, drawn = ensemble.inlined(inertial.fill_pairs, WIDTH=width, B=size), 2
    else:
        each = ensemble.inlined(variates.fill_given if given else variates.fill_normal, B=size)
        fill, drawn = ensemble.inlined(inertial.fill_rows, WIDTH=width, M=m, fill=each, B=size), 1
    names = {"fill": fill, "advance": advance, "DRAWN": drawn, **block}
    return specialised(ensemble._template, ensemble.OPTIONS, **names)  # type: ignore[no-any-return]


def lanes(dim: int, m: int) -> int:
    """Return the number of paths of a block; a block that is not full costs as much as a full one."""
    if dim <= 3:
        return B
    return ensemble.LONG_B if dim * m <= 1000 else FEW_B


def diffusion_step(
    drift: Callable[..., Any], noise: Callable[..., Any], form: str, dim: int, m: int, scheme: str, size: int
) -> Callable[..., None]:
    """Return the step of a block of ``size`` lanes with the user's functions built in; above three dimensions in path order."""
    vector = dim > 3
    names = {"drift": vectorisable(drift, vector), "noise": vectorisable(noise, vector), "push": _push(form, dim, m)}
    if not vector:
        change = ensemble.inlined(globals()[f"change_{dim}"], **names)
        return ensemble.inlined(globals()[f"{scheme}_{dim}"], change=change, M=m)
    change = ensemble.inlined(change_vector, **names, DIM=dim)
    room = ensemble.inlined(room_diagonal if form == "diagonal" else room_matrix, DIM=dim, M=m)
    names = {"change": change, "room": room, "gathered": ensemble.inlined(gathered, M=m, B=size)}
    return ensemble.inlined(globals()[f"{scheme}_vector"], **names, DIM=dim, M=m, B=size)


def in_lane_order(y, v, z, j, dt, amplitude, d, params):
    """The step ``advance`` of path order, of lanes that lie side by side."""
    rows = np.empty(d * B)
    for i in range(B):
        for c in range(d):
            rows[i * d + c] = y[c * B + i]
    advance(rows, v, z, j, dt, amplitude, d, params)
    for i in range(B):
        for c in range(d):
            y[c * B + i] = rows[i * d + c]


def _push(form: str, dim: int, m: int) -> Callable[..., Any]:
    if dim > 3:
        return inline(push_diagonal) if form == "diagonal" else ensemble.inlined(push_matrix, M=m)
    if form == "rows":
        return ensemble.inlined(globals()[f"push_{dim}"], dot=globals()[f"dot_{m}"])
    return inline(push_number if form == "number" else globals()[f"push_diagonal_{dim}"])


# -- The matrix B at rows of points, column by column: push by the unit vectors ``w`` ----


def _matrices_1(key):
    def rows(x, params, w, out):
        key
        for n in range(x.shape[0]):
            value = noise(x[n, 0], params)
            for m in range(M):
                w[m * B] = 1.0
                out[n, 0, m] = push(value, w, 0)
                w[m * B] = 0.0

    return rows


def _matrices_2(key):
    def rows(x, params, w, out):
        key
        for n in range(x.shape[0]):
            value = noise(x[n, 0], x[n, 1], params)
            for m in range(M):
                w[m * B] = 1.0
                out[n, 0, m], out[n, 1, m] = push(value, w, 0)
                w[m * B] = 0.0

    return rows


def _matrices_3(key):
    def rows(x, params, w, out):
        key
        for n in range(x.shape[0]):
            value = noise(x[n, 0], x[n, 1], x[n, 2], params)
            for m in range(M):
                w[m * B] = 1.0
                out[n, 0, m], out[n, 1, m], out[n, 2, m] = push(value, w, 0)
                w[m * B] = 0.0

    return rows


def _matrices_vector(key):
    def rows(x, params, w, out):
        key
        for n in range(x.shape[0]):
            noise(x[n], out[n], params)

    return rows


def _matrices_from_diagonal(key):
    def rows(x, params, w, out):
        key
        diagonal = np.empty(x.shape[1])
        for n in range(x.shape[0]):
            noise(x[n], diagonal, params)
            for c in range(x.shape[1]):
                out[n, c, c] = diagonal[c]

    return rows


@functools.lru_cache(maxsize=256)
def noise_matrices(noise: Callable[..., Any], form: str, dim: int, m: int) -> Callable[..., Any]:
    """Return ``matrices(x, params)``, the values of B at points x, shape (n, dim): an array (n, dim, m).

    Above three dimensions a diagonal B stays a diagonal: (n, dim).
    """
    template, names = _matrix_template(noise, form, dim, m)
    run = specialised(template, ensemble.OPTIONS, **names)
    shape = (dim,) if dim > 3 and form == "diagonal" else (dim, m)

    def matrices(x, params):
        out = np.full((len(x), *shape), np.nan)
        run(np.ascontiguousarray(x), params, np.zeros(m * B), out)
        return out

    return matrices


def matrix_rows(noise: Callable[..., Any], form: str, dim: int, m: int) -> Callable[..., None]:
    """Return the function ``rows(x, params, w, out)`` of `noise_matrices` for a kernel, with ``out`` of shape (n, dim, m).

    ``w`` is room for m B zeros.
    """
    template, names = _matrix_template(noise, form, dim, m)
    draft = (_matrices_from_diagonal if dim > 3 and form == "diagonal" else template)("")
    return rebound(draft, {**draft.__globals__, **names}, draft.__closure__)


def _matrix_template(
    noise: Callable[..., Any], form: str, dim: int, m: int
) -> tuple[Callable[..., Any], dict[str, Any]]:
    vector = dim > 3
    names = {"noise": vectorisable(noise, vector), "M": m}
    names |= {} if vector else {"push": _push(form, dim, m)}
    return globals()[f"_matrices_{'vector' if vector else dim}"], names
