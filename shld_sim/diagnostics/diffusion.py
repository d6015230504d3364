"""The diffusion constant D of ``dx = b dt + sqrt(2D) dW`` from trajectories or gradients: right estimators, and two as stated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from shld_sim import _checks

Array = NDArray[np.float64]
NOISES = ("isotropic", "any")


@dataclass(frozen=True)
class DiffusionEstimate:
    """A diffusion constant, estimated, with its interval.

    Attributes
    ----------
    D : float
        Estimate, length**2/time.
    interval : tuple of float
        Confidence interval of D.
    stderr : float
        Standard error of D.
    n : int
        Number of increments, or of gradients.
    confidence : float
        Confidence level of the interval.
    """

    D: float
    interval: tuple[float, float]
    stderr: float
    n: int
    confidence: float


def diffusion_constant(
    x: ArrayLike,
    dt: float,
    *,
    dim: int = 1,
    drift: ArrayLike | None = None,
    noise: str = "isotropic",
    confidence: float = 0.95,
) -> DiffusionEstimate:
    """Estimate D from the quadratic variation of trajectories, ``sum |dx|^2/(2 d T)``.

    With steps ``dx = b dt + sqrt(2 D dt) xi`` its mean is ``D + dt E|b|^2/(2d)``: the drift counts less the shorter the
    step, confinement does not matter. Where the drift is known, ``sum |dx - b dt|^2/(2 d T)`` has no bias at any step.
    In equilibrium ``E|b|^2/d`` is D times the mean curvature; for Euler's chain in a well k the plain sum has the
    mean ``D/(1 - k dt/2)``.

    Parameters
    ----------
    x : array_like, shape (n + 1, ...) when dim == 1, else (n + 1, ..., dim)
        Points at equal intervals along one or several trajectories; time is the first axis, n >= 2.
    dt : float
        Time between two points.
    dim : int
        Number d of coordinates.
    drift : array_like, optional
        ``b`` at the beginning of each step, shape (n, ...) or that of ``x``, whose last time is then not used.
    noise : {"isotropic", "any"}
        ``"isotropic"``: normal noise, equal in all coordinates: ``n d`` times the estimate over D is chi-square with ``n d``
        degrees of freedom, and the interval is exact where the drift vanishes or is given. ``"any"``: D is ``tr/d`` of the
        diffusion matrix, and the interval is normal, from the spread of the independent ``|dx|^2``.
    confidence : float
        Level of the interval, in (0, 1).

    Returns
    -------
    DiffusionEstimate
        Estimate and interval; ``n`` counts the increments of all trajectories.

    Raises
    ------
    ValueError
        If the shapes do not fit, there are fewer than two increments, or an argument is out of range.

    References
    ----------
    B. L. S. Prakasa Rao, Statistical Inference for Diffusion Type Processes (1999).
    """
    dim, dt = _checks.integer("dim", dim), _checks.positive("dt", dt)
    level = _checks.probability("confidence", confidence)
    _checks.one_of("noise", noise, NOISES)
    points = _checks.points("x", x, dim)
    if points.ndim == 0 or (dim > 1 and points.ndim == 1) or len(points) < 3:
        raise ValueError(f"x must hold at least three points in time on its first axis, got shape {points.shape}")
    steps = np.diff(points, axis=0)
    if drift is not None:
        b = _checks.finite_array("drift", drift)
        if b.shape == points.shape:
            b = b[:-1]
        if b.shape != steps.shape:
            raise ValueError(f"drift must have the shape of the steps, {steps.shape}, or of x, got {b.shape}")
        steps = steps - b * dt
    squares = (steps**2 if dim == 1 else np.sum(steps**2, axis=-1)).ravel() / (2.0 * dim * dt)
    return _estimate(squares, squares.size * dim, noise, level)


def diffusion_from_gradients(
    gradients: ArrayLike, eta: float, *, noise: str = "isotropic", confidence: float = 0.95
) -> DiffusionEstimate:
    """Estimate D of steps ``x' = x - eta g`` with noisy gradients g, ``eta Var(g)/2`` per coordinate.

    A step moves x at random by ``eta^2 Var(g)`` and takes the time ``eta`` (so that the drift is ``-grad L``): with
    ``2 D eta = eta^2 Var(g)``, ``D = eta tr S/(2d)``.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        Independent gradients at one point, one a row, n >= 3, of the minibatches that are used.
    eta : float
        Step size; it is the unit of time as well.
    noise : {"isotropic", "any"}
        As in `diffusion_constant`; chi-square with ``(n - 1) d`` degrees of freedom.
    confidence : float
        Level of the interval, in (0, 1).

    Returns
    -------
    DiffusionEstimate
        Estimate and interval, for time in steps times ``eta``.

    Raises
    ------
    ValueError
        If the shape is not (n, d) with n >= 3 or an argument is out of range.

    References
    ----------
    S. Mandt, M. D. Hoffman, D. M. Blei, "Stochastic gradient descent as approximate Bayesian inference", JMLR 18 (2017) 134.
    """
    g = _rows(gradients)
    eta, level = _checks.positive("eta", eta), _checks.probability("confidence", confidence)
    _checks.one_of("noise", noise, NOISES)
    n, d = g.shape
    squares = 0.5 * eta * np.sum((g - g.mean(axis=0)) ** 2, axis=1) / d * (n / (n - 1))
    return _estimate(squares, (n - 1) * d, noise, level)


def diffusion_from_gradients_as_stated(gradients: ArrayLike) -> float:
    """Return ``Var(minibatch gradients)/2`` per coordinate: the document's first estimator.

    **It is not a diffusion constant** unless the step is 1: gradients know nothing of it. See `diffusion_from_gradients`.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        Gradients, one a row, n >= 3.

    Returns
    -------
    float
        Half of the sample variance, mean over coordinates.

    Raises
    ------
    ValueError
        If the shape is not (n, d) with n >= 3.
    """
    return 0.5 * float(_rows(gradients).var(axis=0, ddof=1).mean())


def diffusion_from_variance_as_stated(x: ArrayLike, *, dim: int = 1) -> float:
    """Return ``Var(theta_1 ... theta_T)/T`` per coordinate: the document's second estimator, in time of one a step.

    **It is wrong**: a free path has the mean ``D (1 + 1/T)/3`` instead of D and scatters by its own size however long it
    is; for a confined path it falls to 0 as ``1/T``. See `diffusion_constant`.

    Parameters
    ----------
    x : array_like, shape (T, ...) when dim == 1, else (T, ..., dim)
        Points along one or several trajectories, time first, T >= 2.
    dim : int
        Number of coordinates.

    Returns
    -------
    float
        Sample variance over time divided by T, mean over coordinates and trajectories.

    Raises
    ------
    ValueError
        If there are fewer than two points in time.
    """
    points = _checks.points("x", x, _checks.integer("dim", dim))
    if points.ndim == 0 or (dim > 1 and points.ndim == 1) or len(points) < 2:
        raise ValueError(f"x must hold at least two points in time on its first axis, got shape {points.shape}")
    return float(points.var(axis=0, ddof=1).mean()) / len(points)


def _rows(gradients: ArrayLike) -> Array:
    g = _checks.finite_array("gradients", gradients)
    if g.ndim != 2 or g.shape[0] < 3 or g.shape[1] < 1:
        raise ValueError(f"gradients must have shape (n, d) with n >= 3 gradients as rows, got {g.shape}")
    return g


def _estimate(squares: Array, degrees: int, noise: str, level: float) -> DiffusionEstimate:
    """Return the mean of ``squares`` with its interval: chi-square with that many degrees of freedom, or normal."""
    from scipy.stats import chi2

    n, D = squares.size, float(squares.mean())
    if noise == "isotropic":
        ends = degrees * D / chi2.ppf([0.5 * (1.0 + level), 0.5 * (1.0 - level)], degrees)
        return DiffusionEstimate(D, (float(ends[0]), float(ends[1])), D * math.sqrt(2.0 / degrees), n, level)
    stderr = float(squares.std(ddof=1)) / math.sqrt(n)
    reach = float(ndtri(0.5 * (1.0 + level))) * stderr
    return DiffusionEstimate(D, (max(D - reach, 0.0), D + reach), stderr, n, level)
