"""Between Ito and Stratonovich: the drift of one reading made from that of the other, for the kernels to compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]
STEP = 1e-4  # of central differences, relative to max(1, |x|): error about 1e-9 of the third derivative


def width(x: Any) -> Any:
    """Return how far a central difference about ``x`` looks to either side."""
    return STEP * max(1.0, abs(x))


def _dot_1(a: Any, b: Any) -> Any:
    return a[0] * b[0]


def _dot_2(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1]


def _dot_3(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _dot_4(a: Any, b: Any) -> Any:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]


DOT = {1: _dot_1, 2: _dot_2, 3: _dot_3, 4: _dot_4}


def shifted_drift(
    drift: Function, noise: Function, form: str, dim: int, m: int, factor: float, slope: Function | None
) -> Function:
    """Return drift + factor c with c_i = sum_jk B_jk d_j B_ik; factor 1/2 leads to Ito, -1/2 to Stratonovich."""
    if slope is not None:
        made = {1: _given_1, 2: _given_2, 3: _given_3}.get(dim, _given_vector)
        return made(drift, noise, slope, factor)
    if form == "vector":
        return _shifted_vector(drift, noise, dim, m, factor)
    if dim > 3:
        return _shifted_diagonal(drift, noise, factor)
    dot = DOT[m]
    rows = noise if form == "rows" else _as_rows(noise, form, dim)
    return {1: _shifted_1, 2: _shifted_2, 3: _shifted_3}[dim](drift, rows, dot, factor)


# -- With the derivatives of a diagonal B given: c_i = B_i d_i B_i ----


def _given_1(drift: Function, noise: Function, slope: Function, factor: float) -> Function:
    def shifted(x: Any, p: Any) -> Any:
        return drift(x, p) + factor * noise(x, p) * slope(x, p)

    return shifted


def _given_2(drift: Function, noise: Function, slope: Function, factor: float) -> Function:
    def shifted(x: Any, y: Any, p: Any) -> Any:
        b, n, s = drift(x, y, p), noise(x, y, p), slope(x, y, p)
        return b[0] + factor * n[0] * s[0], b[1] + factor * n[1] * s[1]

    return shifted


def _given_3(drift: Function, noise: Function, slope: Function, factor: float) -> Function:
    def shifted(x: Any, y: Any, z: Any, p: Any) -> Any:
        b, n, s = drift(x, y, z, p), noise(x, y, z, p), slope(x, y, z, p)
        return b[0] + factor * n[0] * s[0], b[1] + factor * n[1] * s[1], b[2] + factor * n[2] * s[2]

    return shifted


def _given_vector(drift: Function, noise: Function, slope: Function, factor: float) -> Function:
    def shifted(x: Any, out: Any, p: Any) -> None:
        n, s = np.empty(x.shape[0]), np.empty(x.shape[0])
        drift(x, out, p)
        noise(x, n, p)
        slope(x, s, p)
        for i in range(x.shape[0]):
            out[i] += factor * n[i] * s[i]

    return shifted


# -- By central differences ----


def _as_rows(noise: Function, form: str, dim: int) -> Function:
    def number(x: Any, p: Any) -> Any:
        return (noise(x, p),)

    def diagonal_2(x: Any, y: Any, p: Any) -> Any:
        a, b = noise(x, y, p)
        return (a, 0.0), (0.0, b)

    def diagonal_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        a, b, c = noise(x, y, z, p)
        return (a, 0.0, 0.0), (0.0, b, 0.0), (0.0, 0.0, c)

    made: dict[int, Function] = {1: number, 2: diagonal_2, 3: diagonal_3}
    return made[dim]


def _shifted_1(drift: Function, noise: Function, dot: Function, factor: float) -> Function:
    def shifted(x: Any, p: Any) -> Any:
        h, n = width(x), noise(x, p)
        return drift(x, p) + factor * (dot(n, noise(x + h, p)) - dot(n, noise(x - h, p))) / (2.0 * h)

    return shifted


def _shifted_2(drift: Function, noise: Function, dot: Function, factor: float) -> Function:
    def shifted(x: Any, y: Any, p: Any) -> Any:
        b1, b2 = drift(x, y, p)
        n1, n2 = noise(x, y, p)
        h, k = width(x), width(y)
        e1, e2 = noise(x + h, y, p)
        w1, w2 = noise(x - h, y, p)
        u1, u2 = noise(x, y + k, p)
        d1, d2 = noise(x, y - k, p)
        c1 = (dot(n1, e1) - dot(n1, w1)) / (2.0 * h) + (dot(n2, u1) - dot(n2, d1)) / (2.0 * k)
        c2 = (dot(n1, e2) - dot(n1, w2)) / (2.0 * h) + (dot(n2, u2) - dot(n2, d2)) / (2.0 * k)
        return b1 + factor * c1, b2 + factor * c2

    return shifted


def _shifted_3(drift: Function, noise: Function, dot: Function, factor: float) -> Function:
    def along(n: Any, ahead: Any, behind: Any, h: Any) -> Any:
        r = 0.5 / h
        a1, a2, a3 = ahead
        c1, c2, c3 = behind
        return r * (dot(n, a1) - dot(n, c1)), r * (dot(n, a2) - dot(n, c2)), r * (dot(n, a3) - dot(n, c3))

    def shifted(x: Any, y: Any, z: Any, p: Any) -> Any:
        b1, b2, b3 = drift(x, y, z, p)
        n1, n2, n3 = noise(x, y, z, p)
        h, k, l = width(x), width(y), width(z)
        s1, s2, s3 = along(n1, noise(x + h, y, z, p), noise(x - h, y, z, p), h)
        t1, t2, t3 = along(n2, noise(x, y + k, z, p), noise(x, y - k, z, p), k)
        u1, u2, u3 = along(n3, noise(x, y, z + l, p), noise(x, y, z - l, p), l)
        return b1 + factor * (s1 + t1 + u1), b2 + factor * (s2 + t2 + u2), b3 + factor * (s3 + t3 + u3)

    return shifted


def _shifted_vector(drift: Function, noise: Function, dim: int, m: int, factor: float) -> Function:
    def shifted(x: Any, out: Any, p: Any) -> None:
        drift(x, out, p)
        n, ahead, behind = np.empty((dim, m)), np.empty((dim, m)), np.empty((dim, m))
        noise(x, n, p)
        u = x.copy()
        for j in range(dim):
            h = width(x[j])
            u[j] = x[j] + h
            noise(u, ahead, p)
            u[j] = x[j] - h
            noise(u, behind, p)
            u[j] = x[j]
            for i in range(dim):
                for k in range(m):
                    out[i] += factor * n[j, k] * (ahead[i, k] - behind[i, k]) / (2.0 * h)

    return shifted


def _shifted_diagonal(drift: Function, noise: Function, factor: float) -> Function:
    def shifted(x: Any, out: Any, p: Any) -> None:
        drift(x, out, p)
        n, ahead, behind = np.empty(x.shape[0]), np.empty(x.shape[0]), np.empty(x.shape[0])
        noise(x, n, p)
        u = x.copy()
        for i in range(x.shape[0]):
            h = width(x[i])
            u[i] = x[i] + h
            noise(u, ahead, p)
            u[i] = x[i] - h
            noise(u, behind, p)
            u[i] = x[i]
            out[i] += factor * n[i] * (ahead[i] - behind[i]) / (2.0 * h)

    return shifted
