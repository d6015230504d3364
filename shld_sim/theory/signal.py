"""Signal and noise of a gradient in closed form: C and p, what charts and pruning do to them, tests and information."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

from shld_sim import _checks
from shld_sim.theory.edge import matrix, vector


def gradient_consolidation(mean: ArrayLike, covariance: ArrayLike) -> float:
    """Return ``C = |mu|^2/tr S`` of a gradient with mean ``mu`` and covariance ``S``.

    Invariant under similarities of the parameters alone; see `metric_consolidation`.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean gradient ``mu``.
    covariance : array_like, shape (d, d), (d,) or ()
        Covariance ``S``; a vector is a diagonal, a number is a multiple of the identity.

    Returns
    -------
    float
        C, dimensionless.

    Raises
    ------
    ValueError
        If the shapes do not fit, ``S`` is not symmetric or its trace is not positive.
    """
    mu = vector("mean", mean)
    return float(mu @ mu) / _trace("covariance", np.trace(matrix("covariance", covariance, len(mu))))


def metric_consolidation(mean: ArrayLike, covariance: ArrayLike, metric: ArrayLike) -> float:
    """Return ``mu^T G^-1 mu/tr(G^-1 S)``: C measured with a metric G of the parameters, the same in every chart.

    In new parameters phi with ``J = d theta/d phi`` gradients become ``J^T g``, ``S`` becomes ``J^T S J`` and ``G`` becomes
    ``J^T G J``; the two quadratic forms do not change.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean gradient ``mu``.
    covariance : array_like, shape (d, d), (d,) or ()
        Covariance ``S``.
    metric : array_like, shape (d, d), (d,) or ()
        Metric ``G``, positive definite.

    Returns
    -------
    float
        C, dimensionless.

    Raises
    ------
    ValueError
        As `gradient_consolidation`, or if G is not positive definite.

    References
    ----------
    S. Amari, "Natural gradient works efficiently in learning", Neural Computation 10 (1998) 251.
    """
    mu = vector("mean", mean)
    S, G = matrix("covariance", covariance, len(mu)), matrix("metric", metric, len(mu))
    if float(np.linalg.eigvalsh(G)[0]) <= 0.0:
        raise ValueError(f"metric must be positive definite, got {metric!r}")
    return float(mu @ np.linalg.solve(G, mu)) / _trace("covariance", np.trace(np.linalg.solve(G, S)))


def pruned_consolidation_ratio(mean: ArrayLike, covariance: ArrayLike, kept: ArrayLike) -> float:
    """Return ``(|mu_sub|^2/|mu|^2)(tr S/tr S_sub)``, C of the parameters kept over C of all.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean gradient ``mu``.
    covariance : array_like, shape (d, d), (d,) or ()
        Covariance ``S``.
    kept : array_like of bool, shape (d,)
        Which parameters are kept.

    Returns
    -------
    float
        Ratio.

    Raises
    ------
    ValueError
        As `gradient_consolidation`, if nothing is kept, or if the mean is zero.
    """
    mu, chosen = _kept(mean, kept)
    S = np.diag(matrix("covariance", covariance, len(mu)))
    inside, outside = mu[chosen], float(mu @ mu)
    if outside == 0.0:
        raise ValueError("mean must not be zero: C of all parameters vanishes")
    return float(inside @ inside) / outside * _trace("covariance", S.sum()) / _trace("covariance", S[chosen].sum())


def pruned_consolidation_ratio_as_stated(mean: ArrayLike, kept: ArrayLike) -> float:
    """Return ``(d/d_kept) |mu|^2/|mu_sub|^2``: the ratio of C after and before pruning as the document states it.

    **It is wrong**: the norms stand upside down, so that pruning what carries the signal would raise C. See
    `pruned_consolidation_ratio`, which is ``(d/d_kept) |mu_sub|^2/|mu|^2`` for isotropic noise.

    Parameters
    ----------
    mean : array_like, shape (d,)
        Mean gradient ``mu``.
    kept : array_like of bool, shape (d,)
        Which parameters are kept.

    Returns
    -------
    float
        The claimed ratio.

    Raises
    ------
    ValueError
        If the shapes differ, nothing is kept, or the kept part of the mean is zero.
    """
    mu, chosen = _kept(mean, kept)
    inside = mu[chosen]
    if not np.any(inside):
        raise ValueError("mean must not vanish on the kept parameters")
    return len(mu) / len(inside) * float(mu @ mu) / float(inside @ inside)


def descent_probability(C: ArrayLike, d: int) -> Any:
    """Return ``P(g . mu > 0) = Phi(sqrt(C d))`` for normal noise with ``S = s^2 I``: a step of small size goes downhill.

    ``g . mu`` is normal with mean ``|mu|^2`` and variance ``s^2 |mu|^2``, and ``C = |mu|^2/(d s^2)``.

    Parameters
    ----------
    C : array_like
        ``|mu|^2/tr S``, not negative.
    d : int
        Dimension.

    Returns
    -------
    float or ndarray
        Probability, shape of ``C``; 1/2 at C = 0.

    Raises
    ------
    ValueError
        If C is negative or d is not a positive whole number.
    """
    ratio = _checks.finite_array("C", C)
    if np.any(ratio < 0.0):
        raise ValueError(f"C must not be negative, got {float(ratio.min())!r}")
    return ndtr(np.sqrt(ratio * _checks.integer("d", d)))[()]


def gaussian_information(snr: ArrayLike) -> float:
    """Return ``sum_i ln(1 + snr_i)/2`` nats: mutual information of a normal signal and the same in normal noise.

    One term per independent direction, ``snr_i`` the variance of the signal over that of the noise. No signal of the same
    variances carries more.

    Parameters
    ----------
    snr : array_like
        Signal-to-noise ratios, not negative.

    Returns
    -------
    float
        Mutual information, nats.

    Raises
    ------
    ValueError
        If a ratio is negative.

    References
    ----------
    C. E. Shannon, "A mathematical theory of communication", Bell System Technical Journal 27 (1948) 623, theorem 17.
    """
    ratio = _checks.finite_array("snr", snr)
    if np.any(ratio < 0.0):
        raise ValueError(f"snr must not be negative, got {float(ratio.min())!r}")
    return 0.5 * math.fsum(np.log1p(ratio).ravel())


def _kept(mean: ArrayLike, kept: ArrayLike) -> tuple[Any, Any]:
    mu, chosen = vector("mean", mean), np.asarray(kept)
    if chosen.dtype != bool or chosen.shape != mu.shape or not chosen.any():
        raise ValueError(f"kept must be {len(mu)} truth values, at least one of them true, got {kept!r}")
    return mu, chosen


def _trace(name: str, value: Any) -> float:
    if not value > 0.0:
        raise ValueError(f"{name} must have a positive trace, got {float(value)!r}")
    return float(value)
