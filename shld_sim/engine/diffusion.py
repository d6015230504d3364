"""State-dependent noise: Euler-Maruyama (Ito) and Heun (Stratonovich) steps of dX = b(X) dt + B(X) dW in lanes.

``drift`` and ``noise`` are the user's; ``push`` turns what ``noise`` returns and M numbers of a step into B dW. States
are padded to ``d >= M`` numbers, so that the noise of step j begins at ``z[j d B]``.

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
from shld_sim.engine import ensemble, inertial
from shld_sim.engine.elementary import inline, vectorisable
from shld_sim.engine.variates import B

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


# -- Euler-Maruyama: x + b(x) dt + B(x) dW ----


def euler_1(y, v, z, j, dt, amplitude, d, params):
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x = y[i]
        y[i] = x + drift(x, params) * dt + amplitude * push(noise(x, params), w, i)


def euler_2(y, v, z, j, dt, amplitude, d, params):
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2 = y[i], y[B + i]
        b1, b2 = drift(x1, x2, params)
        k1, k2 = push(noise(x1, x2, params), w, i)
        y[i] = x1 + b1 * dt + amplitude * k1
        y[B + i] = x2 + b2 * dt + amplitude * k2


def euler_3(y, v, z, j, dt, amplitude, d, params):
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2, x3 = y[i], y[B + i], y[2 * B + i]
        b1, b2, b3 = drift(x1, x2, x3, params)
        k1, k2, k3 = push(noise(x1, x2, x3, params), w, i)
        y[i] = x1 + b1 * dt + amplitude * k1
        y[B + i] = x2 + b2 * dt + amplitude * k2
        y[2 * B + i] = x3 + b3 * dt + amplitude * k3


def euler_vector(y, v, z, j, dt, amplitude, d, params):
    x, b, n = np.empty(DIM), np.empty(DIM), np.empty((DIM, M))
    for i in range(B):
        for c in range(DIM):
            x[c] = y[c * B + i]
        drift(x, b, params)
        noise(x, n, params)
        for c in range(DIM):
            k = 0.0
            for m in range(M):
                k += n[c, m] * z[(j * d + m) * B + i]
            y[c * B + i] = x[c] + b[c] * dt + amplitude * k


# -- Heun: x + (b(x) + b(u)) dt/2 + (B(x) + B(u)) dW/2 with the Euler step u = x + b(x) dt + B(x) dW ----


def heun_1(y, v, z, j, dt, amplitude, d, params):
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x = y[i]
        f = drift(x, params) * dt + amplitude * push(noise(x, params), w, i)
        u = x + f
        y[i] = x + 0.5 * (f + drift(u, params) * dt + amplitude * push(noise(u, params), w, i))


def heun_2(y, v, z, j, dt, amplitude, d, params):
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2 = y[i], y[B + i]
        b1, b2 = drift(x1, x2, params)
        k1, k2 = push(noise(x1, x2, params), w, i)
        f1, f2 = b1 * dt + amplitude * k1, b2 * dt + amplitude * k2
        u1, u2 = x1 + f1, x2 + f2
        b1, b2 = drift(u1, u2, params)
        k1, k2 = push(noise(u1, u2, params), w, i)
        y[i] = x1 + 0.5 * (f1 + b1 * dt + amplitude * k1)
        y[B + i] = x2 + 0.5 * (f2 + b2 * dt + amplitude * k2)


def heun_3(y, v, z, j, dt, amplitude, d, params):
    w = z[j * d * B : (j * d + M) * B]
    for i in range(B):
        x1, x2, x3 = y[i], y[B + i], y[2 * B + i]
        b1, b2, b3 = drift(x1, x2, x3, params)
        k1, k2, k3 = push(noise(x1, x2, x3, params), w, i)
        f1, f2, f3 = b1 * dt + amplitude * k1, b2 * dt + amplitude * k2, b3 * dt + amplitude * k3
        u1, u2, u3 = x1 + f1, x2 + f2, x3 + f3
        b1, b2, b3 = drift(u1, u2, u3, params)
        k1, k2, k3 = push(noise(u1, u2, u3, params), w, i)
        y[i] = x1 + 0.5 * (f1 + b1 * dt + amplitude * k1)
        y[B + i] = x2 + 0.5 * (f2 + b2 * dt + amplitude * k2)
        y[2 * B + i] = x3 + 0.5 * (f3 + b3 * dt + amplitude * k3)


def heun_vector(y, v, z, j, dt, amplitude, d, params):
    x, b, n = np.empty(DIM), np.empty(DIM), np.empty((DIM, M))
    f = np.empty(DIM)
    for i in range(B):
        for c in range(DIM):
            x[c] = y[c * B + i]
        drift(x, b, params)
        noise(x, n, params)
        for c in range(DIM):
            k = 0.0
            for m in range(M):
                k += n[c, m] * z[(j * d + m) * B + i]
            f[c] = b[c] * dt + amplitude * k
            x[c] += f[c]
        drift(x, b, params)
        noise(x, n, params)
        for c in range(DIM):
            k = 0.0
            for m in range(M):
                k += n[c, m] * z[(j * d + m) * B + i]
            y[c * B + i] += 0.5 * (f[c] + b[c] * dt + amplitude * k)


# -- Kernels: ``form`` says what noise returns, "number", "rows", "diagonal" or "vector" (it writes a matrix) ----


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
    advance = diffusion_step(drift, noise, form, dim, m, scheme)
    advance = ensemble.walled(advance, boundary) if boundary else advance
    return inertial.kernel(advance, max(dim, m), m, given)


def diffusion_step(
    drift: Callable[..., Any], noise: Callable[..., Any], form: str, dim: int, m: int, scheme: str
) -> Callable[..., None]:
    """Return the step of a block of lanes with the user's functions built in."""
    vector = form == "vector"
    names = {"drift": vectorisable(drift, vector), "noise": vectorisable(noise, vector), "M": m}
    template = globals()[f"{scheme}_vector" if vector else f"{scheme}_{dim}"]
    names |= {"DIM": dim} if vector else {"push": _push(form, dim, m)}
    return ensemble.inlined(template, **names)


def _push(form: str, dim: int, m: int) -> Callable[..., Any]:
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


@functools.lru_cache(maxsize=256)
def noise_matrices(noise: Callable[..., Any], form: str, dim: int, m: int) -> Callable[..., Any]:
    """Return ``matrices(x, params)``, the values of B at points x, shape (n, dim): an array (n, dim, m)."""
    template, names = _matrix_template(noise, form, dim, m)
    run = specialised(template, {"error_model": "numpy"}, **names)

    def matrices(x, params):
        out = np.full((len(x), dim, m), np.nan)
        run(np.ascontiguousarray(x), params, np.zeros(m * B), out)
        return out

    return matrices


def matrix_rows(noise: Callable[..., Any], form: str, dim: int, m: int) -> Callable[..., None]:
    """Return the function ``rows(x, params, w, out)`` of `noise_matrices` for a kernel: ``w`` is room for m B zeros."""
    template, names = _matrix_template(noise, form, dim, m)
    draft = template("")
    return rebound(draft, {**draft.__globals__, **names}, draft.__closure__)


def _matrix_template(
    noise: Callable[..., Any], form: str, dim: int, m: int
) -> tuple[Callable[..., Any], dict[str, Any]]:
    vector = form == "vector"
    names = {"noise": vectorisable(noise, vector), "M": m}
    names |= {} if vector else {"push": _push(form, dim, m)}
    return globals()[f"_matrices_{'vector' if vector else dim}"], names
