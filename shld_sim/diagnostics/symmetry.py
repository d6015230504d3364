"""Symmetry groups as arrays of matrices or functions, orbits of points, and the entropy H_G over an orbit.

The document on symmetry and dimension adds to the loss an entropy H_G "over group orbits" without a formula. Here H_G of a
point x is the entropy of a point drawn uniformly from its orbit, g x with g uniform in the group, seen with a resolution w:
0 for a fixed point, ln(|G|/|stabiliser|) when the resolution tells all points of the orbit apart. H_G of a law is its mean.
How evenly a *law* is spread over an orbit is another entropy: that of counts in cells of the orbit, `cell_entropy`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from shld_sim import _checks

Array = NDArray[np.float64]
Group = ArrayLike | Sequence[Callable[[Array], ArrayLike]]


def permutations(n: int, block: int = 1) -> Array:
    """Return all orders of n groups of coordinates, as matrices of shape ``(n!, n block, n block)``; the first is 1.

    Parameters
    ----------
    n : int
        Number of things that are permuted, at most 7.
    block : int
        Coordinates of each: 2 for n points in the plane.

    Returns
    -------
    ndarray
        Orthogonal matrices.

    Raises
    ------
    ValueError
        If ``n`` exceeds 7.
    """
    n, block = _checks.integer("n", n), _checks.integer("block", block)
    if n > 7:
        raise ValueError(f"n must be at most 7, as there are n! orders, got {n}")
    orders = np.array(list(itertools.permutations(range(n))))
    return np.kron(np.eye(n)[orders], np.eye(block)) if block > 1 else np.eye(n)[orders]


def sign_flips(n: int) -> Array:
    """Return all changes of sign of n coordinates, as diagonal matrices of shape ``(2^n, n, n)``; the first is 1.

    Parameters
    ----------
    n : int
        Number of coordinates, at most 12.

    Returns
    -------
    ndarray
        Orthogonal matrices.

    Raises
    ------
    ValueError
        If ``n`` exceeds 12.
    """
    n = _checks.integer("n", n)
    if n > 12:
        raise ValueError(f"n must be at most 12, as there are 2^n changes of sign, got {n}")
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    return signs[:, :, None] * np.eye(n)


def rotations(n: int) -> Array:
    """Return the n rotations of the plane by multiples of ``2 pi/n``, shape ``(n, 2, 2)``; the first is 1.

    Parameters
    ----------
    n : int
        Order of the group.

    Returns
    -------
    ndarray
        Rotation matrices.
    """
    angle = 2.0 * math.pi * np.arange(_checks.integer("n", n)) / n
    c, s = np.cos(angle), np.sin(angle)
    return np.moveaxis(np.array([[c, -s], [s, c]]), -1, 0)


def random_rotations(dim: int, n: int, seed: int | np.random.SeedSequence = 0) -> Array:
    """Return n independent rotations of ``dim`` dimensions, uniform (Haar measure), shape ``(n, dim, dim)``.

    Parameters
    ----------
    dim : int
        Dimension, at least 2.
    n : int
        How many.
    seed : int or numpy.random.SeedSequence
        Seed.

    Returns
    -------
    ndarray
        Orthogonal matrices of determinant 1.

    References
    ----------
    F. Mezzadri, "How to generate random matrices from the classical compact groups", Notices AMS 54 (2007) 592.
    """
    dim, n = _checks.integer("dim", dim, 2), _checks.integer("n", n)
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, dim, dim)))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    q[:, :, 0] *= np.linalg.det(q)[:, None]
    return q


def rescalings(factors: ArrayLike) -> Array:
    """Return the matrices ``diag(c, 1/c)``, shape ``(n, 2, 2)``: the symmetry of `RescalingValley`.

    Parameters
    ----------
    factors : array_like, shape (n,)
        ``c``, not 0.

    Returns
    -------
    ndarray
        Matrices of determinant 1.

    Raises
    ------
    ValueError
        If a factor is 0.
    """
    c = np.atleast_1d(_checks.finite_array("factors", factors))
    if np.any(c == 0.0):
        raise ValueError("factors must not be 0")
    return np.stack([c, 1.0 / c], axis=-1)[..., None] * np.eye(2)


def orbit(points: ArrayLike, group: Group) -> Array:
    """Return the images ``g x`` of points under the elements of a group.

    Parameters
    ----------
    points : array_like, shape (..., d)
        Points; the axis of the coordinates is there for d = 1 too.
    group : array_like, shape (m, d, d), or sequence of m callables
        Matrices, or functions that take the points and return points of the same shape. For an infinite group a sample.

    Returns
    -------
    ndarray, shape (m, ..., d)
        The images, element after element.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    x = _checks.finite_array("points", points)
    if x.ndim < 1:
        raise ValueError("points must have their coordinates on the last axis, got a number")
    if isinstance(group, Sequence) and len(group) > 0 and all(callable(g) for g in group):
        images = [_checks.finite_array(f"group[{i}](points)", g(x.copy())) for i, g in enumerate(group)]  # type: ignore[operator]
        for i, image in enumerate(images):
            if image.shape != x.shape:
                raise ValueError(f"group[{i}] must return points of shape {x.shape}, got {image.shape}")
        return np.array(images)
    matrices = _checks.finite_array("group", group)
    d = x.shape[-1]
    if matrices.ndim != 3 or matrices.shape[1:] != (d, d) or len(matrices) == 0:
        raise ValueError(f"group must be matrices of shape (m, {d}, {d}) or functions, got shape {matrices.shape}")
    return np.einsum("mij,...j->m...i", matrices, x)


@dataclass(frozen=True)
class OrbitEntropy:
    """Entropy H_G over group orbits: the mean over points, with its interval.

    Attributes
    ----------
    value : float
        Mean of ``each``, nats.
    interval : tuple of float
        Normal confidence interval of the mean over the law of the points; of no width for a single point.
    stderr : float
        Standard error of ``value``; 0 for a single point.
    each : ndarray, shape (n,)
        H_G of each point, between 0 and ``ln m``.
    elements : int
        Number m of elements of the group.
    confidence : float
        Level of the interval.
    """

    value: float
    interval: tuple[float, float]
    stderr: float
    each: Array
    elements: int
    confidence: float


def orbit_entropy(points: ArrayLike, group: Group, width: float = 0.0, *, confidence: float = 0.95) -> OrbitEntropy:
    r"""Return the entropy of a point drawn uniformly from the orbit of x, seen with a resolution ``width``, mean over points.

    Without width, exact for a finite group: the Shannon entropy of the distinct images, :math:`\ln(|G|/|G_x|)` with the
    stabiliser :math:`G_x`. With a width w every image is blurred to a Gaussian, and it is the Renyi entropy of order two of
    the orbit-averaged density above that of one Gaussian,

    .. math:: H_G(x) = -\ln \frac{1}{m^2} \sum_{g, h} \exp\Bigl(-\frac{|g x - h x|^2}{4 w^2}\Bigr),

    which is smooth in x and tends to the former as w goes to 0. For a sample of m elements of an infinite group it is
    at most :math:`\ln m`.

    Parameters
    ----------
    points : array_like, shape (d,) or (n, d)
        Points, independent of one another for the interval to hold.
    group : array_like, shape (m, d, d), or sequence of m callables
        As for `orbit`.
    width : float
        Resolution ``w``, not negative. At 0, images closer than 1e-9 times their distance from the origin are the same.
    confidence : float
        Level of the interval, in (0, 1).

    Returns
    -------
    OrbitEntropy
        Mean, interval, and the entropy of each point.

    Raises
    ------
    ValueError
        If the shapes do not fit or the width is negative.
    """
    x = _checks.finite_array("points", points)
    if x.ndim not in (1, 2) or x.size == 0:
        raise ValueError(f"points must have shape (d,) or (n, d), got {x.shape}")
    width, level = _checks.nonnegative("width", width), _checks.probability("confidence", confidence)
    images = np.moveaxis(orbit(np.atleast_2d(x), group), 0, 1)
    m = images.shape[1]
    each = np.empty(len(images))
    for k, image in enumerate(images):
        # at most 1e7 numbers at a time
        rows = max(1, 10_000_000 // (m * image.shape[1]))
        tolerance = 1e-18 * max(float((image * image).sum(axis=1).max()), 1e-300)
        seen = np.empty(m)
        for start in range(0, m, rows):
            gap = ((image[start : start + rows, None] - image[None]) ** 2).sum(axis=-1)
            near = gap <= tolerance if width == 0.0 else np.exp(-0.25 * gap / width**2)
            seen[start : start + rows] = near.mean(axis=1)
        each[k] = -np.log(seen).mean() if width == 0.0 else -math.log(seen.mean())
    each = np.maximum(each, 0.0)
    stderr = float(each.std(ddof=1) / math.sqrt(len(each))) if len(each) > 1 else 0.0
    reach, value = float(ndtri(0.5 * (1.0 + level))) * stderr, float(each.mean())
    return OrbitEntropy(value, (value - reach, value + reach), stderr, each, m, level)


@dataclass(frozen=True)
class CellEntropy:
    """Entropy of a law over cells, from counts.

    Attributes
    ----------
    value : float
        Estimate, nats.
    interval : tuple of float
        Normal confidence interval, within 0 and ``ln k`` for k cells.
    stderr : float
        Standard error.
    n : int
        Number of samples.
    confidence : float
        Level of the interval.
    """

    value: float
    interval: tuple[float, float]
    stderr: float
    n: int
    confidence: float


def cell_entropy(counts: ArrayLike, *, confidence: float = 0.95) -> CellEntropy:
    r"""Estimate the entropy :math:`-\sum_i p_i \ln p_i` of a law over k cells from independent samples.

    The frequencies give too little on average, by (k - 1)/(2 n) to leading order, which is added (Miller and Madow).

    Parameters
    ----------
    counts : array_like of int, shape (k,)
        Samples in each cell: of an orbit, say, to see how evenly a law is spread over it.
    confidence : float
        Level of the interval, in (0, 1).

    Returns
    -------
    CellEntropy
        Estimate and interval: to leading order the variance is ``Var(ln p)/n + (k - 1)/(2 n^2)``, the second term being that
        of the uniform law, where the first vanishes. By chance the estimate may exceed ``ln k``.

    Raises
    ------
    ValueError
        If there are no samples or a count is negative.

    References
    ----------
    L. Paninski, "Estimation of entropy and mutual information", Neural Computation 15 (2003) 1191.
    """
    count, level = _checks.finite_array("counts", counts), _checks.probability("confidence", confidence)
    n = float(count.sum())
    if count.ndim != 1 or n < 1.0 or count.min() < 0.0:
        raise ValueError(f"counts must be a list of numbers of samples, not negative and not all 0, got {counts!r}")
    p = count[count > 0.0] / n
    plug_in, k = float(-(p * np.log(p)).sum()), len(count)
    value = plug_in + 0.5 * (len(p) - 1) / n
    # frequencies alone scatter by (k - 1)/n in Var(ln p)
    variance = max(float((p * np.log(p) ** 2).sum()) - plug_in**2 - (k - 1) / n, 0.0) / n + 0.5 * (k - 1) / n**2
    stderr = math.sqrt(variance)
    reach, top = float(ndtri(0.5 * (1.0 + level))) * stderr, math.log(k)
    return CellEntropy(
        value, (min(max(value - reach, 0.0), top), max(min(value + reach, top), 0.0)), stderr, int(n), level
    )
