"""Drift and diffusion of ``dx = f(x) dt + sqrt(2 D(x)) dW`` from trajectories: conditional moments, and a constant D under noise.

Conditional moments of increments over a time dt are not f and D but, in one dimension (Ito),
``E[dx|x]/dt = f + dt/2 (f f' + D f'') + ...`` and ``Var[dx|x]/(2 dt) = D + dt/2 (f D' + 2 D f' + D D'') + ...``. The terms in dt
are removed by the increments over 2 dt, with twice the bias, without any derivative.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from shld_sim import _checks
from shld_sim.diagnostics.diffusion import DiffusionEstimate

Array = NDArray[np.float64]
FEWEST = 10  # increments of a bin, below which nothing is said


@dataclass(frozen=True, eq=False)
class DriftDiffusion:
    """Drift and diffusion as functions of the position, estimated, with standard errors.

    Attributes
    ----------
    x : ndarray, shape (m,), or (m1, ..., md, d)
        Where: mean of the points of each bin, or the places asked for.
    drift : ndarray, shape (m,), or (m1, ..., md, d)
        f, length/time; nan where a bin holds fewer than ten increments.
    drift_stderr : ndarray, shape of ``drift``
        Standard errors.
    D : ndarray, shape (m,), or (m1, ..., md, d, d)
        Diffusion, or diffusion matrix, length**2/time.
    D_stderr : ndarray, shape of ``D``
        Standard errors.
    count : ndarray of int, shape (m,), or (m1, ..., md)
        Increments used at each place.
    dt : float
        Time between two points.
    order : int
        Order of the bias in dt.
    confidence : float
        Level of the intervals.
    """

    x: Array
    drift: Array
    drift_stderr: Array
    D: Array
    D_stderr: Array
    count: NDArray[np.int64]
    dt: float
    order: int
    confidence: float

    @property
    def drift_interval(self) -> tuple[Array, Array]:
        """Ends of the pointwise confidence intervals of the drift."""
        reach = _quantile(self.confidence) * self.drift_stderr
        return self.drift - reach, self.drift + reach

    @property
    def D_interval(self) -> tuple[Array, Array]:
        """Ends of the pointwise confidence intervals of the diffusion."""
        reach = _quantile(self.confidence) * self.D_stderr
        return self.D - reach, self.D + reach


@dataclass(frozen=True)
class NoisyDiffusion(DiffusionEstimate):
    """A diffusion constant, and the size of the noise with which positions were measured.

    Attributes
    ----------
    D : float
        Estimate, length**2/time.
    interval : tuple of float
        Confidence interval of D.
    stderr : float
        Standard error of D.
    n : int
        Number of increments.
    confidence : float
        Confidence level of the interval.
    variance : float
        Variance of the measurement noise of a coordinate, length**2; it may come out negative where there is none.
    variance_stderr : float
        Its standard error.
    """

    variance: float
    variance_stderr: float


def drift_diffusion(
    x: ArrayLike,
    dt: float,
    bins: int | ArrayLike | Sequence[ArrayLike] = 20,
    *,
    dim: int = 1,
    order: int = 2,
    confidence: float = 0.95,
) -> DriftDiffusion:
    """Estimate f and D in bins: means of ``dx/dt`` and of ``(dx - f dt)^2/(2 dt)`` over the increments that begin there.

    With ``order=2`` they are twice these means less those of increments over 2 dt, whose bias is twice as large: what is left is
    of the second order in dt, at up to 1.6 times the standard error. A bin of width w adds errors of the order w^2. Errors are
    those of martingale increments, with the covariance of neighbours where increments overlap; points need not be independent.

    Parameters
    ----------
    x : array_like, shape (n, ...) when dim == 1, else (n, ..., dim)
        Points at equal intervals along one or several trajectories, time first, as in ``Ensemble.x``; n >= 3.
    dt : float
        Time between two points.
    bins : int or array_like, or a sequence of them, one a coordinate
        Number of bins between the 1 % and 99 % quantiles of the points, or edges.
    dim : int
        Number d of coordinates.
    order : {1, 2}
        Order of the bias in dt.
    confidence : float
        Level of the intervals.

    Returns
    -------
    DriftDiffusion
        Estimates and standard errors.

    Raises
    ------
    ValueError
        If the shapes do not fit or an argument is out of range.

    References
    ----------
    R. Friedrich, J. Peinke, M. Sahimi, M. R. R. Tabar, Phys. Rep. 506 (2011) 87; for the bias M. Ragwitz, H. Kantz, Phys. Rev.
    Lett. 87 (2001) 254501, and J. Gottschall, J. Peinke, New J. Phys. 10 (2008) 083034.
    """
    points, order = _points(x, dim, order)
    dt, level = _checks.positive("dt", dt), _checks.probability("confidence", confidence)
    if dim == 1:
        points = points[..., None]
    first, second = points[1:-1] - points[:-2], points[2:] - points[:-2]
    at = points[:-2]
    edges = _edges(at.reshape(-1, dim), bins)
    shape = tuple(len(edge) - 1 for edge in edges)
    cell = _cells(at, edges, shape)
    size = math.prod(shape)
    count = np.bincount(cell[cell >= 0], minlength=size)
    enough = count >= FEWEST
    safe = np.maximum(count, 1)

    def mean(values: Array) -> Array:
        """Mean over each cell, nan where there are too few."""
        inside = cell >= 0
        return np.where(enough, np.bincount(cell[inside], values[inside], size) / safe, np.nan)

    def stderr(values: Array, middle: Array) -> Array:
        """Standard error of `mean`, with the covariance of values that follow one another in one cell."""
        rest = np.where(cell >= 0, values - middle[cell], 0.0)
        square = np.bincount(cell[cell >= 0], rest[cell >= 0] ** 2, size)
        if order == 2:
            pair = (cell[1:] == cell[:-1]) & (cell[1:] >= 0)
            both = square + 2.0 * np.bincount(cell[1:][pair], (rest[1:] * rest[:-1])[pair], size)
            square = np.where(both > 0.1 * square, both, square)
        return np.where(enough, np.sqrt(square / safe / np.maximum(count - 1, 1)), np.nan)

    def combined(one: Array, two: Array) -> Array:
        """Value of an increment over dt, or twice it less that over 2 dt."""
        return one if order == 1 else 2.0 * one - two

    drift, drift_error = np.empty((size, dim)), np.empty((size, dim))
    D, D_error = np.empty((size, dim, dim)), np.empty((size, dim, dim))
    bessel = count / np.maximum(count - 1, 1)
    rest_one, rest_two = np.empty_like(first), np.empty_like(second)
    for i in range(dim):
        one, two = mean(first[..., i]), mean(second[..., i])
        rest_one[..., i], rest_two[..., i] = first[..., i] - one[cell], second[..., i] - two[cell]
        values = combined(first[..., i] / dt, second[..., i] / (2.0 * dt))
        drift[:, i] = mean(values)
        drift_error[:, i] = stderr(values, drift[:, i])
        for j in range(i + 1):
            values = combined(
                rest_one[..., i] * rest_one[..., j] / (2.0 * dt), rest_two[..., i] * rest_two[..., j] / (4.0 * dt)
            )
            middle = mean(values)
            D[:, i, j] = D[:, j, i] = bessel * middle
            D_error[:, i, j] = D_error[:, j, i] = stderr(values, middle)
    where = np.stack([mean(at[..., i]) for i in range(dim)], axis=-1)
    if dim == 1:
        return DriftDiffusion(
            where[:, 0], drift[:, 0], drift_error[:, 0], D[:, 0, 0], D_error[:, 0, 0], count, dt, order, level
        )
    return DriftDiffusion(
        where.reshape(*shape, dim),
        drift.reshape(*shape, dim),
        drift_error.reshape(*shape, dim),
        D.reshape(*shape, dim, dim),
        D_error.reshape(*shape, dim, dim),
        count.reshape(shape),
        dt,
        order,
        level,
    )


def drift_diffusion_kernel(
    x: ArrayLike, dt: float, at: ArrayLike, bandwidth: float, *, order: int = 2, confidence: float = 0.95
) -> DriftDiffusion:
    """Estimate f and D at given places by local linear regression with the kernel ``1 - u^2``, u the distance over the bandwidth.

    A slope is fitted at each place along with the value, so that a slope of f or of the density of points adds no bias; what is
    left is of the order ``bandwidth^2 f''``. Else as `drift_diffusion`.

    Parameters
    ----------
    x : array_like, shape (n, ...)
        Points in one dimension at equal intervals along one or several trajectories, time first; n >= 3.
    dt : float
        Time between two points.
    at : array_like, shape (m,)
        Places.
    bandwidth : float
        Half the width of the kernel, a length.
    order : {1, 2}
        Order of the bias in dt.
    confidence : float
        Level of the intervals.

    Returns
    -------
    DriftDiffusion
        Estimates and standard errors.

    Raises
    ------
    ValueError
        If the shapes do not fit or an argument is out of range.

    References
    ----------
    D. Lamouroux, K. Lehnertz, Phys. Lett. A 373 (2009) 3507; J. Fan, I. Gijbels, Local Polynomial Modelling (1996), chapter 3.
    """
    points, order = _points(x, 1, order)
    dt, level = _checks.positive("dt", dt), _checks.probability("confidence", confidence)
    width, places = _checks.positive("bandwidth", bandwidth), _checks.finite_array("at", at)
    if places.ndim != 1 or not len(places):
        raise ValueError(f"at must be a list of places, got shape {places.shape}")
    # path after path, so that what follows in time follows in memory
    paths = points.reshape(len(points), -1).T
    start, one, two = (
        part.ravel() for part in (paths[:, :-2], paths[:, 1:-1] - paths[:, :-2], paths[:, 2:] - paths[:, :-2])
    )
    length = paths.shape[1] - 2
    found = np.full((4, len(places)), np.nan)
    count = np.zeros(len(places), np.int64)
    for j, place in enumerate(places):
        chosen = np.flatnonzero(np.abs(start - place) < width)
        count[j] = len(chosen)
        u = (start[chosen] - place) / width
        if len(chosen) < FEWEST or np.ptp(u) == 0.0:
            continue
        weight = 1.0 - u**2
        design = np.stack([np.ones_like(u), u])
        # rows of the smoother: value and slope at the place
        rows = np.linalg.solve((design * weight) @ design.T, design * weight)
        follows = (np.diff(chosen) == 1) & (chosen[1:] % length != 0)
        first, second = one[chosen], two[chosen]
        values = first / dt if order == 1 else (2.0 * first - 0.5 * second) / dt
        found[0, j], found[1, j] = _smoothed(rows, design, values, follows, order)
        rest_one, rest_two = (v - (rows @ v) @ design for v in (first, second))
        values = rest_one**2 / (2.0 * dt)
        if order == 2:
            values = 2.0 * values - rest_two**2 / (4.0 * dt)
        D, found[3, j] = _smoothed(rows, design, values, follows, order)
        found[2, j] = D / (1.0 - float((rows[0] ** 2).sum()))
    drift, drift_error, D_found, D_error = found
    return DriftDiffusion(places, drift, drift_error, D_found, D_error, count, dt, order, level)


def noisy_diffusion_constant(x: ArrayLike, dt: float, *, dim: int = 1, confidence: float = 0.95) -> NoisyDiffusion:
    """Estimate D of a free diffusion whose positions were measured with independent errors, and their variance ``s^2``.

    With increments ``dx``, ``E dx_k^2 = 2 D dt + 2 s^2`` and ``E dx_k dx_(k+1) = -s^2``, so that
    ``D = mean(dx_k^2)/(2 dt) + mean(dx_k dx_(k+1))/dt`` has no bias, where the plain quadratic variation is ``s^2/dt`` too large.
    A confinement k counts as in `diffusion_constant` as long as ``k dt`` is small.

    Parameters
    ----------
    x : array_like, shape (n + 1, ...) when dim == 1, else (n + 1, ..., dim)
        Measured points at equal intervals along one or several trajectories, time first; n >= 2.
    dt : float
        Time between two points.
    dim : int
        Number of coordinates, all with the same D and noise.
    confidence : float
        Level of the interval, which is normal: it needs many increments.

    Returns
    -------
    NoisyDiffusion
        D, the variance of the noise, and standard errors.

    Raises
    ------
    ValueError
        If the shapes do not fit or an argument is out of range.

    References
    ----------
    C. L. Vestergaard, P. C. Blainey, H. Flyvbjerg, Phys. Rev. E 89 (2014) 022726.
    """
    points, _ = _points(x, dim, 1)
    dt, level = _checks.positive("dt", dt), _checks.probability("confidence", confidence)
    steps = np.diff(points, axis=0)
    length, n = len(steps), steps.size
    square, neighbour = float((steps**2).mean()), float((steps[1:] * steps[:-1]).mean())
    D, variance = 0.5 * square / dt + neighbour / dt, -neighbour
    # normal increments with variance a = 2 D dt + 2 s^2 and neighbours' covariance -s^2: variances of means of products
    a, c, pairs = square, neighbour, n * (length - 1) / length
    var_square = (2.0 * a**2 + 4.0 * c**2) / n
    var_neighbour = (a**2 + 3.0 * c**2) / pairs
    both = 4.0 * a * c / n
    stderr = math.sqrt(max(0.25 * var_square + var_neighbour + both, 0.0)) / dt
    reach = _quantile(level) * stderr
    return NoisyDiffusion(D, (max(D - reach, 0.0), D + reach), stderr, n, level, variance, math.sqrt(var_neighbour))


def _points(x: ArrayLike, dim: int, order: int) -> tuple[Array, int]:
    dim = _checks.integer("dim", dim)
    points = _checks.points("x", x, dim)
    if points.ndim == 0 or (dim > 1 and points.ndim == 1) or len(points) < 3:
        raise ValueError(f"x must hold at least three points in time on its first axis, got shape {points.shape}")
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    return points, order


def _edges(points: Array, bins: int | ArrayLike | Sequence[ArrayLike]) -> list[Array]:
    """Return ascending edges for every coordinate."""
    dim = points.shape[1]
    if dim == 1:
        each: list[ArrayLike] = [bins]  # type: ignore[list-item]
    else:
        each = [bins] * dim if isinstance(bins, numbers.Real) else list(bins)  # type: ignore[arg-type, list-item]
        if len(each) != dim:
            raise ValueError(f"bins must be a number or one entry for each of {dim} coordinates, got {len(each)}")
    found = []
    for i, entry in enumerate(each):
        if np.ndim(entry) == 0:
            number = _checks.integer("bins", entry)
            low, high = np.quantile(points[:, i], [0.01, 0.99])
            if low == high:
                raise ValueError(f"x must vary, got {float(low)!r} nearly everywhere")
            found.append(np.linspace(low, high, number + 1))
            continue
        edges = _checks.finite_array("bins", entry)
        if edges.ndim != 1 or len(edges) < 2 or (np.diff(edges) <= 0.0).any():
            raise ValueError(f"bins must be ascending edges, got {entry!r}")
        found.append(edges)
    return found


def _cells(points: Array, edges: list[Array], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the number of the cell of each point, -1 outside all."""
    cell = np.zeros(points.shape[:-1], np.int64)
    inside = np.ones(points.shape[:-1], bool)
    for i, edge in enumerate(edges):
        k = np.searchsorted(edge, points[..., i], side="right") - 1
        inside &= (k >= 0) & (k < shape[i])
        cell = cell * shape[i] + np.clip(k, 0, shape[i] - 1)
    return np.where(inside, cell, -1)


def _smoothed(rows: Array, design: Array, values: Array, follows: NDArray[np.bool_], order: int) -> tuple[float, float]:
    """Return the value at the place and its standard error, with the covariance of values that follow one another."""
    fit = rows @ values
    part = rows[0] * (values - fit @ design)
    variance = float((part**2).sum())
    if order == 2:
        both = variance + 2.0 * float((part[1:] * part[:-1])[follows].sum())
        variance = both if both > 0.1 * variance else variance
    return float(fit[0]), math.sqrt(variance)


def _quantile(level: float) -> float:
    return float(ndtri(0.5 * (1.0 + level)))
