"""Largest eigenvalue of a Hessian known by its products with vectors, with a bound, and the margin of stability 2/eta - lmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]
Product = Callable[[Array], ArrayLike]


@dataclass(frozen=True)
class TopEigenvalue:
    """Largest eigenvalue of a symmetric matrix, estimated, with bounds.

    Attributes
    ----------
    value : float
        Rayleigh quotient of ``vector``; never above lmax, rounding aside.
    residual : float
        ``|H v - value v|``: some eigenvalue, not necessarily the largest, lies this close.
    interval : tuple of float
        ``(value, upper)``; the upper end holds with probability ``confidence`` over the random start, and is infinite where
        nothing can be said.
    smallest : float
        Smallest Ritz value, an upper bound of the smallest eigenvalue; ``nan`` for power iteration.
    vector : ndarray, shape (d,)
        Approximate eigenvector of length 1.
    products : int
        Products with the Hessian that were spent.
    method : str
        ``"lanczos"`` or ``"power"``.
    confidence : float
        Probability with which the upper end of the interval holds.
    """

    value: float
    residual: float
    interval: tuple[float, float]
    smallest: float
    vector: Array
    products: int
    method: str
    confidence: float


@dataclass(frozen=True)
class Margin:
    """Margin of stability ``S = 2/eta - lmax``.

    Attributes
    ----------
    value : float
        S, a curvature.
    interval : tuple of float
        Interval of S from that of lmax.
    eta : float
        Step, 1/curvature.
    band : str
        What the document calls this value: ``"stable"`` (S > .5), ``"edge"`` (|S| <= .1), ``"diverging"`` (S < 0), else
        ``"none"``. S has the unit of the loss, so that these bands move with it; see ``relative``.
    """

    value: float
    interval: tuple[float, float]
    eta: float
    band: str

    @property
    def relative(self) -> float:
        """``eta S = 2 - eta lmax``, the same number in every unit of the loss."""
        return self.eta * self.value

    @property
    def stable(self) -> bool | None:
        """Whether descent on the quadratic decays (S > 0); None where the interval holds 0 inside."""
        low, high = self.interval
        if low > 0.0:
            return True
        return False if high < 0.0 else None


def largest_eigenvalue(
    hessian: Product | ArrayLike, dim: int | None = None, *, steps: int = 30, seed: Any = 0, confidence: float = 0.999
) -> TopEigenvalue:
    """Estimate the largest eigenvalue by Lanczos' iteration, every new vector made orthogonal to all earlier ones.

    After m products from a random start the largest Ritz value theta lies below lmax by at most ``e (lmax - lmin)`` except
    with probability ``1.648 sqrt(d) exp(-(2m - 1) sqrt(e))``; the same at the other end gives
    ``lmax <= theta + e (theta - theta_min)/(1 - 2e)``, of which ``interval`` is made (each end at half the risk).

    Parameters
    ----------
    hessian : callable or array_like, shape (d, d)
        ``hessian(v)`` returns H v; or the symmetric matrix H.
    dim : int, optional
        d; needed with a callable.
    steps : int
        Products to spend, at most d; fewer if the Krylov space ends before.
    seed : int or numpy.random.SeedSequence
        Seed of the start, a uniformly distributed direction.
    confidence : float
        Probability with which the upper end of the interval holds.

    Returns
    -------
    TopEigenvalue
        Estimate, residual and interval.

    Raises
    ------
    ValueError
        If H is no symmetric matrix, ``dim`` is missing, or a product has another shape or is not finite.

    References
    ----------
    Kuczynski and Wozniakowski, SIAM J. Matrix Anal. Appl. 13 (1992) 1094 (theorem 4.2, for Lanczos' iteration).
    """
    product, d = _operator(hessian, dim)
    level, most = _checks.probability("confidence", confidence), min(_checks.integer("steps", steps), d)
    basis, diagonal, beside = np.zeros((most, d)), np.zeros(most), np.zeros(most)
    v, size = _direction(d, seed), 0.0
    for j in range(most):
        basis[j] = v
        w = product(v)
        diagonal[j] = float(v @ w)
        size = max(size, float(np.linalg.norm(w)))
        for _ in range(2):  # twice is enough
            w = w - basis[: j + 1].T @ (basis[: j + 1] @ w)
        beside[j] = float(np.linalg.norm(w))
        ended = beside[j] <= 1e-13 * size * math.sqrt(d)  # an invariant subspace: the Ritz values are eigenvalues
        if ended or j + 1 == most:
            break
        v = w / beside[j]
    m = j + 1
    values, vectors = np.linalg.eigh(np.diag(diagonal[:m]) + np.diag(beside[: m - 1], 1) + np.diag(beside[: m - 1], -1))
    theta, lowest = float(values[-1]), float(values[0])
    rounding = 1e-14 * d * max(abs(theta), abs(lowest))
    residual = float(beside[m - 1] * abs(vectors[-1, -1])) + rounding
    if ended or m == d:
        upper = theta + rounding
    else:
        e = (math.log(2.0 * 1.648 * math.sqrt(d) / (1.0 - level)) / (2 * m - 1)) ** 2
        upper = theta + e * (theta - lowest) / (1.0 - 2.0 * e) if e < 0.5 else math.inf
    vector = vectors[:, -1] @ basis[:m]
    return TopEigenvalue(theta, residual, (theta - rounding, upper), lowest, vector, m, "lanczos", level)


def power_iteration(
    hessian: Product | ArrayLike, dim: int | None = None, *, steps: int = 5, seed: Any = 0
) -> TopEigenvalue:
    """Estimate the largest eigenvalue by power iteration, as the document does with five steps.

    ``v <- H v/|H v|``, then the Rayleigh quotient. It finds the eigenvalue of largest absolute value, from below, with a
    relative error ``(l_2/l_1)^(2 steps)`` times what the random start leaves to the other eigenvectors: with many of them
    five steps underestimate it by tens of per cent. Use `largest_eigenvalue`.

    Parameters
    ----------
    hessian : callable or array_like, shape (d, d)
        ``hessian(v)`` returns H v; or the symmetric matrix H.
    dim : int, optional
        d; needed with a callable.
    steps : int
        Number of iterations.
    seed : int or numpy.random.SeedSequence
        Seed of the start.

    Returns
    -------
    TopEigenvalue
        Estimate and residual; nothing bounds it from above, so that the interval ends at infinity.

    Raises
    ------
    ValueError
        As `largest_eigenvalue`.
    """
    product, d = _operator(hessian, dim)
    v, count = _direction(d, seed), _checks.integer("steps", steps)
    for _ in range(count):
        w = product(v)
        size = float(np.linalg.norm(w))
        if size == 0.0:
            break
        v = w / size
    w = product(v)
    value = float(v @ w)
    residual = float(np.linalg.norm(w - value * v))
    return TopEigenvalue(value, residual, (value, math.inf), math.nan, v, count + 1, "power", 1.0)


def stability_margin(eta: float, lmax: TopEigenvalue | float) -> Margin:
    """Return ``S = 2/eta - lmax``: gradient descent with step eta on a quadratic decays iff S > 0.

    Parameters
    ----------
    eta : float
        Step, 1/curvature, positive.
    lmax : TopEigenvalue or float
        Largest eigenvalue of the Hessian of the whole loss; a number counts as exact.

    Returns
    -------
    Margin
        S with its interval and the band of the document.

    Raises
    ------
    ValueError
        If ``eta`` is not positive.
    """
    edge = 2.0 / _checks.positive("eta", eta)
    if isinstance(lmax, TopEigenvalue):
        value, (low, high) = edge - lmax.value, lmax.interval
    else:
        low = high = _checks.number("lmax", lmax)
        value = edge - low
    band = "stable" if value > 0.5 else "edge" if abs(value) <= 0.1 else "diverging" if value < 0.0 else "none"
    return Margin(value, (edge - high, edge - low), float(eta), band)


def _operator(hessian: Product | ArrayLike, dim: int | None) -> tuple[Callable[[Array], Array], int]:
    if callable(hessian):
        if dim is None:
            raise ValueError("dim must be given with a function for the products, got None")
        d, function = _checks.integer("dim", dim), hessian
    else:
        matrix = _checks.finite_array("hessian", hessian)
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
            raise ValueError(f"hessian must be a square matrix or a function, got shape {matrix.shape}")
        if np.abs(matrix - matrix.T).max() > 1e-10 * np.abs(matrix).max():
            raise ValueError("hessian must be symmetric")
        d, function = len(matrix), matrix.dot

    def product(v: Array) -> Array:
        w = _checks.finite_array("hessian(v)", function(v))
        if w.shape != (d,):
            raise ValueError(f"hessian(v) must have shape ({d},), got {w.shape}")
        return w

    return product, d


def _direction(d: int, seed: Any) -> Array:
    v = np.random.default_rng(seed).standard_normal(d)
    return np.asarray(v / np.linalg.norm(v))
