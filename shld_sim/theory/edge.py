"""One noisy gradient step on a quadratic: the mean change of the loss, where it changes sign, the best step, the rate.

A step ``x' = x - eta g`` has a gradient with mean ``mu`` (the gradient of the loss L) and covariance ``S``; ``C = |mu|^2/tr S``
and ``p = C/(1 + C) = |mu|^2/E|g|^2``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]


def one_step_change(mean: ArrayLike, covariance: ArrayLike, hessian: ArrayLike, eta: ArrayLike) -> Any:
    """Return ``E L(x - eta g) - L(x) = -eta |mu|^2 + (eta^2/2)(mu^T H mu + tr(H S))``.

    Exact for a quadratic L, whatever the law of g; else the first two orders in eta. For H = lam I it is
    ``-eta |mu|^2 (1 - eta lam/(2p))``.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean gradient ``mu``.
    covariance : array_like, shape (d, d), (d,) or ()
        Covariance ``S`` of the gradient; a vector is a diagonal, a number is a multiple of the identity.
    hessian : array_like, shape (d, d), (d,) or ()
        Hessian ``H`` of the loss, likewise.
    eta : array_like
        Step, 1/curvature.

    Returns
    -------
    float or ndarray
        Change of the loss, shape of ``eta``.

    Raises
    ------
    ValueError
        If the shapes do not fit or a matrix is not symmetric.

    References
    ----------
    L. Bottou, F. E. Curtis, J. Nocedal, "Optimization methods for large-scale machine learning", SIAM Review 60 (2018)
    223, lemma 4.2; McCandlish et al., arXiv:1812.06162, section 2.2.
    """
    gain, cost = _terms(mean, covariance, hessian)
    step = _checks.finite_array("eta", eta)
    return (-step * gain + 0.5 * step**2 * cost)[()]


def step_threshold(mean: ArrayLike, covariance: ArrayLike, hessian: ArrayLike) -> float:
    """Return ``2 |mu|^2/(mu^T H mu + tr(H S))``, the step below which the mean loss falls.

    For H = lam I it is ``2p/lam``: noise shrinks the edge of stability ``2/lam`` by the factor p. For a general H with
    largest eigenvalue lmax it is at least ``2p/lmax``.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean gradient ``mu``.
    covariance : array_like, shape (d, d), (d,) or ()
        Covariance ``S``.
    hessian : array_like, shape (d, d), (d,) or ()
        Hessian ``H``.

    Returns
    -------
    float
        Step; infinite where the second-order term does not oppose, ``mu^T H mu + tr(H S) <= 0``.

    Raises
    ------
    ValueError
        As `one_step_change`.
    """
    gain, cost = _terms(mean, covariance, hessian)
    return 2.0 * gain / cost if cost > 0.0 else math.inf


def best_step(mean: ArrayLike, covariance: ArrayLike, hessian: ArrayLike) -> float:
    """Return ``|mu|^2/(mu^T H mu + tr(H S))``, the step that lowers the mean loss most; ``p/lam`` for H = lam I.

    It gains ``|mu|^2/2`` times itself.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean gradient ``mu``.
    covariance : array_like, shape (d, d), (d,) or ()
        Covariance ``S``.
    hessian : array_like, shape (d, d), (d,) or ()
        Hessian ``H``.

    Returns
    -------
    float
        Step; infinite where `step_threshold` is.

    Raises
    ------
    ValueError
        As `one_step_change`.

    References
    ----------
    McCandlish et al., arXiv:1812.06162, section 2.2: ``eps_max/(1 + B_noise/B)``.
    """
    return 0.5 * step_threshold(mean, covariance, hessian)


def noisy_margin(p: float, eta: float, lmax: float) -> float:
    """Return ``S_p = 2p/eta - lmax``: where it is positive the mean loss falls, whatever the Hessian below lmax.

    Without noise, p = 1, it is the margin ``2/eta - lmax`` of the edge of stability. For H = lmax I it decides: the mean
    loss falls iff it is positive.

    Parameters
    ----------
    p : float
        ``p = C/(1 + C)`` of the gradient, in (0, 1].
    eta : float
        Step, 1/curvature.
    lmax : float
        Largest eigenvalue of the Hessian.

    Returns
    -------
    float
        Margin, curvature.

    Raises
    ------
    ValueError
        If p lies outside (0, 1] or ``eta`` is not positive.
    """
    return 2.0 * _share(p) / _checks.positive("eta", eta) - _checks.number("lmax", lmax)


def claimed_progress_factor(eta: float, p: float, pl: float) -> float:
    """Return ``1 - eta (p/(1 - p)) pl``: the bound on ``E[L' - L*]/(L - L*)`` as the document states it.

    **It is wrong**: it falls below 0 as C = p/(1 - p) grows, and it knows no largest step. See `progress_factor`.

    Parameters
    ----------
    eta : float
        Step, 1/curvature.
    p : float
        ``p = C/(1 + C)``, in (0, 1).
    pl : float
        Polyak-Lojasiewicz constant, ``|grad L|^2 >= 2 pl (L - L*)``; the smallest curvature of a quadratic.

    Returns
    -------
    float
        The claimed factor per step.

    Raises
    ------
    ValueError
        If ``eta`` or ``pl`` is not positive or p lies outside (0, 1).
    """
    p = _checks.probability("p", p)
    return 1.0 - _checks.positive("eta", eta) * p / (1.0 - p) * _checks.positive("pl", pl)


def progress_factor(eta: float, p: float, pl: float, lmax: float) -> float:
    """Return ``1 - eta pl (2 - eta lmax/p)``, a bound on ``E[L' - L*]/(L - L*)`` for ``eta lmax <= 2p``.

    Derivation (ours): ``E L' - L <= -eta |mu|^2 + eta^2 lmax E|g|^2/2 = -eta |mu|^2 (1 - eta lmax/(2p))``, since
    ``E|g|^2 = |mu|^2/p``; and ``|mu|^2 >= 2 pl (L - L*)``. Equality for H = lam I. At the best step, ``p/lmax``, it is
    ``1 - p pl/lmax``.

    Parameters
    ----------
    eta : float
        Step, 1/curvature.
    p : float
        ``p = C/(1 + C)``, in (0, 1].
    pl : float
        Polyak-Lojasiewicz constant, ``|grad L|^2 >= 2 pl (L - L*)``.
    lmax : float
        Largest eigenvalue of the Hessian, at least ``pl``.

    Returns
    -------
    float
        The factor per step.

    Raises
    ------
    ValueError
        If ``eta`` or ``pl`` is not positive, p lies outside (0, 1], ``lmax < pl``, or ``eta lmax > 2p``, where the loss
        need not fall.

    References
    ----------
    H. Karimi, J. Nutini, M. Schmidt, "Linear convergence of gradient and proximal-gradient methods under the
    Polyak-Lojasiewicz condition", 2016, arXiv:1608.04636.
    """
    eta, pl, p = _checks.positive("eta", eta), _checks.positive("pl", pl), _share(p)
    high = _checks.number("lmax", lmax)
    if high < pl:
        raise ValueError(f"lmax must be at least pl = {pl!r}, got {high!r}")
    if eta * high > 2.0 * p * (1.0 + 1e-12):
        raise ValueError(f"eta must be at most 2p/lmax = {2.0 * p / high:.6g}, got {eta!r}")
    return 1.0 - eta * pl * (2.0 - eta * high / p)


def _share(p: float) -> float:
    value = _checks.number("p", p)
    if not 0.0 < value <= 1.0:
        raise ValueError(f"p must lie in (0, 1], got {value!r}")
    return value


def _terms(mean: ArrayLike, covariance: ArrayLike, hessian: ArrayLike) -> tuple[float, float]:
    """Return ``|mu|^2`` and ``mu^T H mu + tr(H S)``."""
    mu = vector("mean", mean)
    S, H = matrix("covariance", covariance, len(mu)), matrix("hessian", hessian, len(mu))
    return float(mu @ mu), float(mu @ H @ mu + np.sum(H * S))


def vector(name: str, value: ArrayLike) -> Array:
    """Return ``value`` as a vector, or raise naming ``name``."""
    array = np.atleast_1d(_checks.finite_array(name, value))
    if array.ndim != 1:
        raise ValueError(f"{name} must be a vector, got shape {array.shape}")
    return array


def matrix(name: str, value: ArrayLike, d: int) -> Array:
    """Return ``value`` (a number, a diagonal or a matrix) as a symmetric matrix, or raise naming ``name``."""
    array = _checks.finite_array(name, value)
    if array.ndim == 0:
        return float(array) * np.eye(d)
    if array.shape == (d,):
        return np.diag(array)
    if array.shape != (d, d):
        raise ValueError(f"{name} must be a number, ({d},) or ({d}, {d}), got shape {array.shape}")
    if np.abs(array - array.T).max() > 1e-12 * np.abs(array).max():
        raise ValueError(f"{name} must be symmetric, got {value!r}")
    return array
