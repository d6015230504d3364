"""Langevin dynamics with a metric that depends on the state and leaves the Gibbs law as it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks
from shld_sim._compile import plain
from shld_sim.models.additive import check_potential
from shld_sim.models.conversion import width
from shld_sim.models.diffusion import Diffusion
from shld_sim.models.functions import Array, check_point, numbers_of, rows_of, tried
from shld_sim.potentials import Potential
from shld_sim.potentials.base import _parameters

Function = Callable[..., Any]


class Preconditioned(Diffusion):
    r"""Langevin equation with a metric :math:`dX = -M \nabla V\,dt + D\,\nabla\cdot M\,dt + \sqrt{2 D M}\,dW` (Ito).

    ``M(x)`` is the inverse of the metric, symmetric and positive definite, and :math:`\sqrt{M}` its Cholesky factor. The
    drift :math:`D\,\nabla\cdot M`, with :math:`(\nabla\cdot M)_i = \sum_j \partial_j M_{ij}`, makes the stationary law the
    Gibbs law :math:`e^{-V/D}/Z` for every M [1]_; without it, it is :math:`e^{-V/D}/M` in one dimension.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``.
    D : float
        Diffusion coefficient, positive.
    metric_inverse : callable
        ``M``, a function that Numba can compile. In one dimension ``metric_inverse(x, p)`` returns a number;
        ``metric_inverse(x, y, p)`` and ``metric_inverse(x, y, z, p)`` return a tuple of the numbers on the diagonal of M, or
        the whole of it as a tuple of rows; above three dimensions M is diagonal, and ``metric_inverse(x, out, p)`` writes
        the diagonal into the vector ``out``. Where M is not positive definite, paths become NaN.
    params : tuple of float or array
        Passed to ``metric_inverse`` and ``derivative`` as ``p``.
    derivative : callable, optional
        The vector :math:`\nabla\cdot M`: ``M'(x, p)``, in two and three dimensions a tuple, above written into ``out``. For a
        diagonal M its entries are :math:`\partial_i M_{ii}`, for a full one :math:`\sum_j \partial_j M_{ij}`. Default:
        central differences, relative error about 1e-8, which cost ``2 dim`` calls of ``metric_inverse`` at each step: in
        hundreds of dimensions write it down.
    check_at : array_like, optional
        Point at which M and its derivative are checked. Default: 0.5 for every coordinate.

    Raises
    ------
    ValueError, TypeError
        If M is not symmetric or not positive definite at that point, if ``derivative`` disagrees with differences of M
        there, or if a function takes or returns the wrong number of values.

    References
    ----------
    .. [1] M. Girolami, B. Calderhead, J. R. Stat. Soc. B 73, 123 (2011); Y.-A. Ma, T. Chen, E. Fox, NeurIPS (2015).

    Examples
    --------
    >>> import shld_sim as shld
    >>> shld.Preconditioned(shld.DoubleWell(), 0.1, lambda x, p: 1.0 / (1.0 + x * x)).interpretation
    'ito'

    Fast along the valley :math:`y = x^2`, slow across it:

    >>> def along(x, y, p):
    ...     a, b = 1.0, 2.0 * x
    ...     return (p[0] + a * a, a * b), (a * b, p[0] + b * b)
    >>> shld.Preconditioned(shld.Rosenbrock(), 0.1, along, params=(0.01,)).form
    'rows'
    """

    def __init__(
        self,
        potential: Potential,
        D: float,
        metric_inverse: Callable[..., Any],
        params: Sequence[Any] = (),
        *,
        derivative: Callable[..., Any] | None = None,
        check_at: ArrayLike | None = None,
    ) -> None:
        check_potential(potential)
        dim, D, params = potential.dim, _checks.positive("D", D), _parameters(params)
        point = check_point(check_at, dim)
        metric = plain(metric_inverse)
        matrix, full = _checked_metric(tried("metric_inverse", metric, point, params), point)
        slope = None if derivative is None else plain(derivative)
        if slope is not None:
            _check_derivative(slope, metric, full, point, params, np.abs(matrix).max())
        drift, noise = equation(_gradient(potential), metric, slope, dim, full)
        given = {"potential": potential, "D": D, "metric_inverse": metric_inverse, "params": params}
        given |= {} if derivative is None else {"derivative": derivative}
        given |= {} if check_at is None else {"check_at": point.tolist()}
        form = "number" if dim == 1 else "rows" if full else "diagonal"
        self._state(drift, noise, (potential.params, params, D), dim, "ito", form, dim, given)


def _checked_metric(value: Any, point: Array) -> tuple[Array, bool]:
    """Return M at a point, as its diagonal or as a matrix, and whether it is a matrix; raise if it is no such thing."""
    dim, at = len(point), f"at x={point.tolist()!s:.80}"
    rows = rows_of(value, dim) if dim in (2, 3) else None
    if rows is not None and len(rows[0]) == dim:
        matrix = np.array(rows, dtype=np.float64)
        if not np.allclose(matrix, matrix.T, rtol=1e-10, atol=0.0):
            raise ValueError(f"metric_inverse must return a symmetric matrix, got {value!r} {at}")
        if not np.isfinite(matrix).all() or not np.linalg.eigvalsh(matrix)[0] > 0.0:
            raise ValueError(f"metric_inverse must be positive definite, got {value!r} {at}")
        return matrix, True
    if dim in (2, 3) and (not isinstance(value, tuple) or any(isinstance(v, tuple) for v in value)):
        raise ValueError(
            f"metric_inverse must return a tuple of {dim} numbers, the diagonal of M, "
            f"or of {dim} rows of {dim} numbers, got {value!r}"
        )
    diagonal = np.array(numbers_of("metric_inverse", value, dim) if dim <= 3 else value, dtype=np.float64)
    if not (np.isfinite(diagonal) & (diagonal > 0.0)).all():
        k = int(np.argmin(np.isfinite(diagonal) & (diagonal > 0.0)))
        which = "metric_inverse" if dim == 1 else f"metric_inverse[{k}]"
        raise ValueError(f"{which} must be positive, got {float(diagonal[k])!r} {at}")
    return diagonal, False


def _check_derivative(
    slope: Function, metric: Function, full: bool, point: Array, params: tuple[Any, ...], size: float
) -> None:
    """Raise where ``slope`` disagrees with central differences of M; of many coordinates, at sixteen."""
    dim = len(point)
    value = tried("derivative", slope, point, params)
    got = np.array(numbers_of("derivative", value, dim) if dim <= 3 else value, dtype=np.float64)
    along = range(dim) if dim <= 16 else np.linspace(0, dim - 1, 16).astype(int)
    expected = np.full(dim, np.nan)
    for j in along if not full else range(dim):
        h = np.zeros(dim)
        h[j] = width(point[j])
        ahead, behind = (np.asarray(tried("metric_inverse", metric, x, params)) for x in (point + h, point - h))
        change = np.atleast_1d(ahead - behind) / (2.0 * h[j])
        if full:  # column j of M adds d_j M_ij to each entry i
            expected = np.where(np.isnan(expected), 0.0, expected) + change[:, j]
        else:
            expected[j] = change[j]
    known = ~np.isnan(expected)
    wrong = known & ~(np.abs(got - expected) <= 1e-5 * (np.abs(expected) + size))
    if wrong.any():
        i = int(np.argmax(wrong))
        which = "derivative" if dim == 1 else f"derivative[{i}]"
        raise ValueError(
            f"{which} disagrees with differences of metric_inverse at x={point.tolist()!s:.80}: "
            f"got {got[i]:.8g}, expected {expected[i]:.8g}"
        )


def _gradient(potential: Potential) -> Function:
    """Return the gradient as a function of coordinates, up to three, also where the potential writes it into a vector."""
    gradient = potential.functions.gradient

    def gradient_2(x: Any, y: Any, p: Any) -> Any:
        out = np.empty(2)
        gradient(np.array((x, y)), out, p)
        return out[0], out[1]

    def gradient_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        out = np.empty(3)
        gradient(np.array((x, y, z)), out, p)
        return out[0], out[1], out[2]

    if potential.functions.vector and potential.dim <= 3:
        return gradient_2 if potential.dim == 2 else gradient_3
    return gradient


# -- Drift and noise; p holds the parameters of V, those of M, and D ----


def equation(
    gradient: Function, metric: Function, slope: Function | None, dim: int, full: bool
) -> tuple[Function, Function]:
    """Return the drift -M grad V + D div M and the noise sqrt(2 D M); ``slope`` gives div M."""
    if dim > 3:
        return _equation_vector(gradient, metric, slope or _divergence_vector(metric))
    divergences = {1: _divergence_1, 2: _full_divergence_2 if full else _divergence_2}
    divergence = slope or divergences.get(dim, _full_divergence_3 if full else _divergence_3)(metric)
    if dim == 1:
        return _equation_1(gradient, metric, divergence)
    if dim == 2:
        return _equation_2(gradient, metric, divergence, *((_times_2, _cholesky_2) if full else (_each_2, _roots_2)))
    return _equation_3(gradient, metric, divergence, *((_times_3, _cholesky_3) if full else (_each_3, _roots_3)))


def _equation_1(gradient: Function, metric: Function, divergence: Function) -> tuple[Function, Function]:
    def drift(x: Any, p: Any) -> Any:
        return -metric(x, p[1]) * gradient(x, p[0]) + p[2] * divergence(x, p[1])

    def noise(x: Any, p: Any) -> Any:
        return math.sqrt(2.0 * p[2] * metric(x, p[1]))

    return drift, noise


def _equation_2(
    gradient: Function, metric: Function, divergence: Function, times: Function, root: Function
) -> tuple[Function, Function]:
    def drift(x: Any, y: Any, p: Any) -> Any:
        g1, g2 = times(metric(x, y, p[1]), gradient(x, y, p[0]))
        d1, d2 = divergence(x, y, p[1])
        return p[2] * d1 - g1, p[2] * d2 - g2

    def noise(x: Any, y: Any, p: Any) -> Any:
        return root(metric(x, y, p[1]), 2.0 * p[2])

    return drift, noise


def _equation_3(
    gradient: Function, metric: Function, divergence: Function, times: Function, root: Function
) -> tuple[Function, Function]:
    def drift(x: Any, y: Any, z: Any, p: Any) -> Any:
        g1, g2, g3 = times(metric(x, y, z, p[1]), gradient(x, y, z, p[0]))
        d1, d2, d3 = divergence(x, y, z, p[1])
        return p[2] * d1 - g1, p[2] * d2 - g2, p[2] * d3 - g3

    def noise(x: Any, y: Any, z: Any, p: Any) -> Any:
        return root(metric(x, y, z, p[1]), 2.0 * p[2])

    return drift, noise


def _equation_vector(gradient: Function, metric: Function, divergence: Function) -> tuple[Function, Function]:
    def drift(x: Any, out: Any, p: Any) -> None:
        m, d = np.empty(x.shape[0]), np.empty(x.shape[0])
        gradient(x, out, p[0])
        metric(x, m, p[1])
        divergence(x, d, p[1])
        for i in range(x.shape[0]):
            out[i] = p[2] * d[i] - m[i] * out[i]

    def noise(x: Any, out: Any, p: Any) -> None:
        metric(x, out, p[1])
        for i in range(x.shape[0]):
            out[i] = math.sqrt(2.0 * p[2] * out[i])

    return drift, noise


# -- M times a vector, and the root of s M: of a diagonal, and of a matrix the lower triangle L of s M = L L^T ----


def _each_2(m: Any, g: Any) -> Any:
    return m[0] * g[0], m[1] * g[1]


def _each_3(m: Any, g: Any) -> Any:
    return m[0] * g[0], m[1] * g[1], m[2] * g[2]


def _roots_2(m: Any, s: Any) -> Any:
    return math.sqrt(s * m[0]), math.sqrt(s * m[1])


def _roots_3(m: Any, s: Any) -> Any:
    return math.sqrt(s * m[0]), math.sqrt(s * m[1]), math.sqrt(s * m[2])


def _times_2(m: Any, g: Any) -> Any:
    a, b = m
    return a[0] * g[0] + a[1] * g[1], b[0] * g[0] + b[1] * g[1]


def _times_3(m: Any, g: Any) -> Any:
    a, b, c = m
    return (
        a[0] * g[0] + a[1] * g[1] + a[2] * g[2],
        b[0] * g[0] + b[1] * g[1] + b[2] * g[2],
        c[0] * g[0] + c[1] * g[1] + c[2] * g[2],
    )


def _cholesky_2(m: Any, s: Any) -> Any:
    a, b = m
    l11 = math.sqrt(s * a[0])
    l21 = s * b[0] / l11
    return (l11, 0.0), (l21, math.sqrt(s * b[1] - l21 * l21))


def _cholesky_3(m: Any, s: Any) -> Any:
    a, b, c = m
    l11 = math.sqrt(s * a[0])
    l21, l31 = s * b[0] / l11, s * c[0] / l11
    l22 = math.sqrt(s * b[1] - l21 * l21)
    l32 = (s * c[1] - l31 * l21) / l22
    return (l11, 0.0, 0.0), (l21, l22, 0.0), (l31, l32, math.sqrt(s * c[2] - l31 * l31 - l32 * l32))


# -- (div M)_i = sum_j d_j M_ij by central differences ----


def _divergence_1(metric: Function) -> Function:
    def divergence(x: Any, p: Any) -> Any:
        h = width(x)
        return (metric(x + h, p) - metric(x - h, p)) / (2.0 * h)

    return divergence


def _divergence_2(metric: Function) -> Function:
    def divergence(x: Any, y: Any, p: Any) -> Any:
        h, k = width(x), width(y)
        return (
            (metric(x + h, y, p)[0] - metric(x - h, y, p)[0]) / (2.0 * h),
            (metric(x, y + k, p)[1] - metric(x, y - k, p)[1]) / (2.0 * k),
        )

    return divergence


def _divergence_3(metric: Function) -> Function:
    def divergence(x: Any, y: Any, z: Any, p: Any) -> Any:
        h, k, l = width(x), width(y), width(z)
        return (
            (metric(x + h, y, z, p)[0] - metric(x - h, y, z, p)[0]) / (2.0 * h),
            (metric(x, y + k, z, p)[1] - metric(x, y - k, z, p)[1]) / (2.0 * k),
            (metric(x, y, z + l, p)[2] - metric(x, y, z - l, p)[2]) / (2.0 * l),
        )

    return divergence


def _full_divergence_2(metric: Function) -> Function:
    def divergence(x: Any, y: Any, p: Any) -> Any:
        h, k = width(x), width(y)
        r, s = 0.5 / h, 0.5 / k
        e1, e2 = metric(x + h, y, p)
        w1, w2 = metric(x - h, y, p)
        u1, u2 = metric(x, y + k, p)
        d1, d2 = metric(x, y - k, p)
        return r * (e1[0] - w1[0]) + s * (u1[1] - d1[1]), r * (e2[0] - w2[0]) + s * (u2[1] - d2[1])

    return divergence


def _full_divergence_3(metric: Function) -> Function:
    def divergence(x: Any, y: Any, z: Any, p: Any) -> Any:
        h, k, l = width(x), width(y), width(z)
        r, s, t = 0.5 / h, 0.5 / k, 0.5 / l
        e1, e2, e3 = metric(x + h, y, z, p)
        w1, w2, w3 = metric(x - h, y, z, p)
        n1, n2, n3 = metric(x, y + k, z, p)
        s1, s2, s3 = metric(x, y - k, z, p)
        u1, u2, u3 = metric(x, y, z + l, p)
        d1, d2, d3 = metric(x, y, z - l, p)
        return (
            r * (e1[0] - w1[0]) + s * (n1[1] - s1[1]) + t * (u1[2] - d1[2]),
            r * (e2[0] - w2[0]) + s * (n2[1] - s2[1]) + t * (u2[2] - d2[2]),
            r * (e3[0] - w3[0]) + s * (n3[1] - s3[1]) + t * (u3[2] - d3[2]),
        )

    return divergence


def _divergence_vector(metric: Function) -> Function:
    def divergence(x: Any, out: Any, p: Any) -> None:
        u, m = x.copy(), np.empty(x.shape[0])
        for i in range(x.shape[0]):
            h = width(x[i])
            u[i] = x[i] + h
            metric(u, m, p)
            ahead = m[i]
            u[i] = x[i] - h
            metric(u, m, p)
            u[i] = x[i]
            out[i] = (ahead - m[i]) / (2.0 * h)

    return divergence
