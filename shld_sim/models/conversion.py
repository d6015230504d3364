"""Drifts made from other functions, compiled by the kernels: between Ito and Stratonovich, and preconditioned Langevin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]
STEP = 1e-4  # of central differences, relative to max(1, |x|): error about 1e-9 of the third derivative


def _width(x: Any) -> Any:
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

        def given(x: Any, p: Any) -> Any:
            return drift(x, p) + factor * noise(x, p) * slope(x, p)

        return given
    if form == "vector":
        return _shifted_vector(drift, noise, dim, m, factor)
    dot = DOT[m]
    rows = noise if form == "rows" else _as_rows(noise, form, dim)
    return {1: _shifted_1, 2: _shifted_2, 3: _shifted_3}[dim](drift, rows, dot, factor)


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
        h, n = _width(x), noise(x, p)
        return drift(x, p) + factor * (dot(n, noise(x + h, p)) - dot(n, noise(x - h, p))) / (2.0 * h)

    return shifted


def _shifted_2(drift: Function, noise: Function, dot: Function, factor: float) -> Function:
    def shifted(x: Any, y: Any, p: Any) -> Any:
        b1, b2 = drift(x, y, p)
        n1, n2 = noise(x, y, p)
        h, k = _width(x), _width(y)
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
        h, k, l = _width(x), _width(y), _width(z)
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
            h = _width(x[j])
            u[j] = x[j] + h
            noise(u, ahead, p)
            u[j] = x[j] - h
            noise(u, behind, p)
            u[j] = x[j]
            for i in range(dim):
                for k in range(m):
                    out[i] += factor * n[j, k] * (ahead[i, k] - behind[i, k]) / (2.0 * h)

    return shifted


# -- Preconditioned Langevin: p holds the parameters of V, those of M, and D ----


def preconditioned(gradient: Function, metric: Function, slope: Function | None, dim: int) -> tuple[Function, Function]:
    """Return the drift -M grad V + D div M and the noise sqrt(2 D M) for a diagonal M; ``slope`` gives the d_i M_i."""
    divergence = slope or {1: _divergence_1, 2: _divergence_2, 3: _divergence_3}[dim](metric)

    def drift_1(x: Any, p: Any) -> Any:
        return -metric(x, p[1]) * gradient(x, p[0]) + p[2] * divergence(x, p[1])

    def noise_1(x: Any, p: Any) -> Any:
        return math.sqrt(2.0 * p[2] * metric(x, p[1]))

    def drift_2(x: Any, y: Any, p: Any) -> Any:
        g1, g2 = gradient(x, y, p[0])
        m1, m2 = metric(x, y, p[1])
        d1, d2 = divergence(x, y, p[1])
        return -m1 * g1 + p[2] * d1, -m2 * g2 + p[2] * d2

    def noise_2(x: Any, y: Any, p: Any) -> Any:
        m1, m2 = metric(x, y, p[1])
        return math.sqrt(2.0 * p[2] * m1), math.sqrt(2.0 * p[2] * m2)

    def drift_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        g1, g2, g3 = gradient(x, y, z, p[0])
        m1, m2, m3 = metric(x, y, z, p[1])
        d1, d2, d3 = divergence(x, y, z, p[1])
        return -m1 * g1 + p[2] * d1, -m2 * g2 + p[2] * d2, -m3 * g3 + p[2] * d3

    def noise_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        m1, m2, m3 = metric(x, y, z, p[1])
        return math.sqrt(2.0 * p[2] * m1), math.sqrt(2.0 * p[2] * m2), math.sqrt(2.0 * p[2] * m3)

    made: dict[int, tuple[Function, Function]] = {1: (drift_1, noise_1), 2: (drift_2, noise_2), 3: (drift_3, noise_3)}
    return made[dim]


def _divergence_1(metric: Function) -> Function:
    def divergence(x: Any, p: Any) -> Any:
        h = _width(x)
        return (metric(x + h, p) - metric(x - h, p)) / (2.0 * h)

    return divergence


def _divergence_2(metric: Function) -> Function:
    def divergence(x: Any, y: Any, p: Any) -> Any:
        h, k = _width(x), _width(y)
        return (
            (metric(x + h, y, p)[0] - metric(x - h, y, p)[0]) / (2.0 * h),
            (metric(x, y + k, p)[1] - metric(x, y - k, p)[1]) / (2.0 * k),
        )

    return divergence


def _divergence_3(metric: Function) -> Function:
    def divergence(x: Any, y: Any, z: Any, p: Any) -> Any:
        h, k, l = _width(x), _width(y), _width(z)
        return (
            (metric(x + h, y, z, p)[0] - metric(x - h, y, z, p)[0]) / (2.0 * h),
            (metric(x, y + k, z, p)[1] - metric(x, y - k, z, p)[1]) / (2.0 * k),
            (metric(x, y, z + l, p)[2] - metric(x, y, z - l, p)[2]) / (2.0 * l),
        )

    return divergence


# -- Label noise on V = f^2/2: p holds the noise strength ----


def valley_drift(x: Any, y: Any, p: Any) -> Any:
    """Return -f grad f with f = x y - 1."""
    f = x * y - 1.0
    return -f * y, -f * x


def valley_noise(x: Any, y: Any, p: Any) -> Any:
    """Return s grad f with f = x y - 1, driven by one Wiener process."""
    return (p[0] * y,), (p[0] * x,)
