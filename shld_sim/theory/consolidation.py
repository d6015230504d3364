"""Drift against diffusion: the energy generator, the ratios Gamma and C, and the mean curvature C equals on average."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.models import Langevin, require
from shld_sim.potentials import Potential
from shld_sim.theory._strength import strength
from shld_sim.theory.gibbs import gibbs_expectation, quadratic_form

Array = NDArray[np.float64]


def energy_generator(potential: Potential, x: ArrayLike, diffusion: ArrayLike) -> Any:
    """Return ``(generator V)(x) = -|grad V|^2 + tr(D_s H)``, the drift of the energy ``d E[V(X_t)]/dt``.

    By Ito's formula; ``H`` is the Hessian of V.

    Parameters
    ----------
    potential : Potential
        The landscape, d dimensions.
    x : array_like, shape (...) when d == 1, else (..., d)
        Points.
    diffusion : array_like
        ``D_s`` of ``dX = -grad V dt + sqrt(2 D_s) dW`` (Ito). One for all points: a number (times the identity), shape
        (d,) (a diagonal) or (d, d) (a symmetric matrix); or one per point: shape (...), (..., d) or (..., d, d). A
        shape that fits both ways is read as one for all points.

    Returns
    -------
    float or ndarray, shape (...)
        One value per point, energy/time.

    Raises
    ------
    ValueError
        If ``diffusion`` has another shape, is negative or not symmetric.
    """
    points, D = _arguments(potential, x, diffusion)
    return (-_drift(potential, points) + _curvature_trace(potential, points, D))[()]


def observable_generator(observable: Potential, potential: Potential, x: ArrayLike, diffusion: ArrayLike) -> Any:
    """Return ``-grad f.grad V + tr(D_s Hess f)``, the mean rate of change of f along ``dX = -grad V dt + sqrt(2 D_s) dW``.

    With f = V it is `energy_generator`.

    Parameters
    ----------
    observable : Potential
        f, a function of the same d coordinates.
    potential : Potential
        The landscape V, d dimensions.
    x : array_like, shape (...) when d == 1, else (..., d)
        Points.
    diffusion : array_like
        ``D_s``, as in `energy_generator`.

    Returns
    -------
    float or ndarray, shape (...)
        Unit of f per time, one value per point.

    Raises
    ------
    ValueError
        If the dimensions differ, or as `energy_generator`.
    """
    if observable.dim != potential.dim:
        raise ValueError(f"observable must have the {potential.dim} dimensions of potential, got {observable.dim}")
    points, D = _arguments(potential, x, diffusion)
    product = observable.gradient(points) * potential.gradient(points)
    falls = product if potential.dim == 1 else product.sum(axis=-1)
    return (-falls + _curvature_trace(observable, points, D))[()]


def energy_generator_as_stated(potential: Potential, x: ArrayLike, diffusion: ArrayLike) -> Any:
    """Return ``-|grad V|^2 + tr D_s``: the energy drift as the document states it.

    **It is wrong** unless the Hessian is the identity on the range of ``D_s``: the Hessian is missing and the two terms
    have different units. See `energy_generator`.

    Parameters
    ----------
    potential : Potential
        The landscape, d dimensions.
    x : array_like, shape (...) when d == 1, else (..., d)
        Points.
    diffusion : array_like
        ``D_s`` of ``dX = -grad V dt + sqrt(2 D_s) dW`` (Ito). One for all points: a number (times the identity), shape
        (d,) (a diagonal) or (d, d) (a symmetric matrix); or one per point: shape (...), (..., d) or (..., d, d). A
        shape that fits both ways is read as one for all points.

    Returns
    -------
    float or ndarray, shape (...)
        One value per point.

    Raises
    ------
    ValueError
        If ``diffusion`` has another shape, is negative or not symmetric.
    """
    points, D = _arguments(potential, x, diffusion)
    return (-_drift(potential, points) + _trace(potential, D))[()]


def gamma(potential: Potential, x: ArrayLike, diffusion: ArrayLike) -> Any:
    """Return ``Gamma(x) = |grad V|^2/tr D_s``, drift over diffusion as the document defines it.

    Its value 1 is critical only where the Hessian is the identity; see `gamma_hessian`.

    Parameters
    ----------
    potential : Potential
        The landscape, d dimensions.
    x : array_like, shape (...) when d == 1, else (..., d)
        Points.
    diffusion : array_like
        ``D_s`` of ``dX = -grad V dt + sqrt(2 D_s) dW`` (Ito). One for all points: a number (times the identity), shape
        (d,) (a diagonal) or (d, d) (a symmetric matrix); or one per point: shape (...), (..., d) or (..., d, d). A
        shape that fits both ways is read as one for all points.

    Returns
    -------
    float or ndarray, shape (...)
        One value per point.

    Raises
    ------
    ValueError
        If ``diffusion`` has another shape, is negative or not symmetric or its trace is zero.
    """
    points, D = _arguments(potential, x, diffusion)
    total = _trace(potential, D)
    if np.any(total <= 0.0):
        raise ValueError("diffusion must have a positive trace at every point, got 0")
    return (_drift(potential, points) / total)[()]


def gamma_hessian(potential: Potential, x: ArrayLike, diffusion: ArrayLike) -> Any:
    """Return ``Gamma_H(x) = |grad V|^2/tr(D_s H)``; where ``tr(D_s H) > 0`` the mean energy falls iff it exceeds 1.

    Where ``tr(D_s H) < 0`` the ratio is negative and the energy falls in any case.

    Parameters
    ----------
    potential : Potential
        The landscape, d dimensions.
    x : array_like, shape (...) when d == 1, else (..., d)
        Points.
    diffusion : array_like
        ``D_s`` of ``dX = -grad V dt + sqrt(2 D_s) dW`` (Ito). One for all points: a number (times the identity), shape
        (d,) (a diagonal) or (d, d) (a symmetric matrix); or one per point: shape (...), (..., d) or (..., d, d). A
        shape that fits both ways is read as one for all points.

    Returns
    -------
    float or ndarray, shape (...)
        One value per point, dimensionless.

    Raises
    ------
    ValueError
        If ``diffusion`` has another shape, is negative or not symmetric or ``tr(D_s H)`` is zero.
    """
    points, D = _arguments(potential, x, diffusion)
    total = _curvature_trace(potential, points, D)
    if np.any(total == 0.0):
        raise ValueError("diffusion must not be zero along the curvature: tr(D_s H) = 0 leaves Gamma_H undefined")
    return (_drift(potential, points) / total)[()]


def consolidation_ratio(model: Langevin, x: ArrayLike) -> Any:
    """Return ``C(x) = |grad V(x)|^2/(D d)``.

    Its Gibbs average is `mean_curvature`, so "C = 1" has no universal meaning: it moves when the loss is rescaled.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D.
    x : array_like, shape (...) when d == 1, else (..., d)
        Points.

    Returns
    -------
    float or ndarray, shape (...)
        One value per point, in the unit of a curvature.

    Raises
    ------
    ValueError
        If ``x`` is not finite or has the wrong number of coordinates.
    """
    require(model, Langevin)
    potential = model.potential
    return (_drift(potential, _checks.points("x", x, potential.dim)) / (strength(model) * potential.dim))[()]


def metric_consolidation_ratio(model: Langevin, x: ArrayLike, metric_inverse: ArrayLike) -> Any:
    """Return ``grad V . M grad V/(D d)`` with the inverse ``M = G^-1`` of a metric: the ratio C, the same in every chart.

    In coordinates ``y = f(x)`` with the Jacobian J the gradient is ``J^-T grad V`` and M becomes ``J M J^T``: the quadratic
    form stays. With M the identity it is `consolidation_ratio`, which does change. Its Gibbs average is
    ``E[div(M grad V)]/d``.

    Parameters
    ----------
    model : Langevin
        The landscape V and constant D.
    x : array_like, shape (...) when d == 1, else (..., d)
        Points.
    metric_inverse : array_like
        M, symmetric and positive definite: a number, shape (d,) (a diagonal) or (d, d), or one per point: shape (...), (..., d)
        or (..., d, d). A shape that fits both ways is read as one for all points.

    Returns
    -------
    float or ndarray, shape (...)
        One value per point.

    Raises
    ------
    ValueError
        If ``metric_inverse`` has another shape, is negative or not symmetric.
    """
    require(model, Langevin)
    points, M = _arguments(model.potential, x, metric_inverse, "metric_inverse")
    g = np.asarray(model.potential.gradient(points))
    form = M * g**2 if model.dim == 1 else np.einsum("...i,...ij,...j->...", g, M, g)
    return (form / (strength(model) * model.dim))[()]


def mean_curvature(model: Langevin) -> float:
    """Return ``E_Gibbs[lap V]/d``, which equals the Gibbs average of `consolidation_ratio`.

    Integration by parts: ``E|grad V|^2 = D E lap V``. For a quadratic form of any dimension, ``tr H/d``.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D.

    Returns
    -------
    float
        Mean curvature, accurate as `gibbs_expectation`.

    Raises
    ------
    ValueError
        As `gibbs_expectation`.
    """
    require(model, Langevin)
    potential = model.potential
    if potential.dim > 3 and quadratic_form(potential) is not None:
        return float(potential.laplacian(np.zeros(potential.dim))) / potential.dim
    return gibbs_expectation(model, potential.laplacian) / potential.dim


def _arguments(
    potential: Potential, x: ArrayLike, diffusion: ArrayLike, name: str = "diffusion"
) -> tuple[Array, Array]:
    """Return the points and the matrix ``name`` as something that broadcasts with their shape: ``(...)``, or ``(..., d, d)``."""
    d = potential.dim
    points = _checks.points("x", x, d)
    D = _checks.finite_array(name, diffusion)
    batch = points.shape if d == 1 else points.shape[:-1]
    if D.ndim == 0 or (d == 1 and D.shape == batch):
        kind = "number"
    elif d > 1 and D.shape == (d, d):
        kind = "matrix"
    elif D.shape == (d,):
        kind = "diagonal"
    elif d == 1 and D.shape == (1, 1):
        kind, D = "number", D[0, 0]
    elif d > 1 and D.shape == (*batch, d, d):
        kind = "matrix"
    elif d > 1 and D.shape == (*batch, d):
        kind = "diagonal"
    elif D.shape == batch:
        kind = "number"
    else:
        raise ValueError(f"{name} must be a number, ({d},), ({d}, {d}) or one per point {batch}, got {D.shape}")
    smallest: Any = D
    if kind == "matrix":
        size = float(np.abs(D).max())
        if np.abs(D - np.swapaxes(D, -1, -2)).max() > 1e-12 * size:
            raise ValueError(f"{name} must be a symmetric matrix, got {diffusion!r}")
        smallest = np.linalg.eigvalsh(D) + 1e-12 * size
    if np.any(smallest < 0.0):
        raise ValueError(f"{name} must not be negative, got {float(smallest.min())!r}")
    if d == 1:
        return points, np.broadcast_to(D.reshape(()) if D.size == 1 else D, batch)
    if kind == "number":
        D = D[..., None, None] * np.eye(d)
    elif kind == "diagonal":
        D = D[..., None] * np.eye(d)
    return points, np.broadcast_to(D, (*batch, d, d))


def _drift(potential: Potential, x: Array) -> Array:
    gradient = np.asarray(potential.gradient(x))
    return gradient**2 if potential.dim == 1 else np.sum(gradient**2, axis=-1)


def _trace(potential: Potential, D: Array) -> Array:
    return D if potential.dim == 1 else np.trace(D, axis1=-2, axis2=-1)


def _curvature_trace(potential: Potential, x: Array, D: Array) -> Array:
    hessian = np.asarray(potential.hessian(x))
    return D * hessian if potential.dim == 1 else np.sum(D * hessian, axis=(-2, -1))  # both symmetric
