"""The empirical tangent kernel of a model: logarithm of its determinant, its rate, and how far two kernels are apart."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TangentKernel:
    """``rho``, the sum of the logarithms of the eigenvalues of the tangent kernel above a cut.

    Attributes
    ----------
    log_det : float
        rho.
    interval : tuple of float
        rho with its rounding error: eigenvalues carry an absolute error ``m eps l_1``.
    rank : int
        Eigenvalues above the cut.
    eigenvalues : ndarray
        All eigenvalues of the smaller Gram matrix, falling.
    cut : float
        The cut. An eigenvalue that crosses it changes rho by ``ln cut``, without any jump of the kernel.
    """

    log_det: float
    interval: tuple[float, float]
    rank: int
    eigenvalues: Array
    cut: float


@dataclass(frozen=True)
class MetricRate:
    """Rate of change of ``rho``.

    Attributes
    ----------
    value : float
        ``(rho_2 - rho_1)/dt``.
    interval : tuple of float
        With the rounding errors of both.
    rank_change : int
        Change of the number of eigenvalues above the cut. Where it is not 0 the rate is made by the cut, not by the kernel.
    critical : bool
        ``|value| > tau``, the document's rule.
    state : str
        Its names: ``"expanding"`` above tau, ``"contracting"`` below -tau, else ``"lazy"``.
    """

    value: float
    interval: tuple[float, float]
    rank_change: int
    critical: bool
    state: str


def tangent_kernel(jacobian: ArrayLike, cut: float = 1e-6) -> TangentKernel:
    """Return ``rho = ln det G`` with ``G = J J^T`` from the eigenvalues of G above a cut.

    J J^T and J^T J have the same eigenvalues other than 0: they are the squared singular values of J, taken here without
    forming either matrix.

    Parameters
    ----------
    jacobian : array_like, shape (m, d)
        Derivatives of m outputs by d parameters; the document takes up to 32 outputs.
    cut : float
        Eigenvalues below it are left out.

    Returns
    -------
    TangentKernel
        rho, its rounding interval, rank and eigenvalues.

    Raises
    ------
    ValueError
        If ``jacobian`` is no matrix, not finite, or has no eigenvalue above the cut.

    References
    ----------
    Jacot, Gabriel and Hongler, NeurIPS (2018) (the kernel).
    """
    J, bound = _checks.finite_array("jacobian", jacobian), _checks.positive("cut", cut)
    if J.ndim != 2 or not J.size:
        raise ValueError(f"jacobian must have shape (m, d), got {J.shape}")
    singular = np.linalg.svd(J, compute_uv=False)
    values = np.asarray(singular**2, dtype=np.float64)
    above = values[values > bound]
    if not len(above):
        raise ValueError(f"jacobian must have a squared singular value above cut = {bound!r}, got {float(values[0])!r}")
    rho = float(np.log(above).sum())
    # a singular value s carries an error of about eps s_1 min(m, d), its squared logarithm 2 eps s_1 min(m, d)/s
    error = float(np.sum(2.0 * len(values) * np.finfo(float).eps * singular[0] / np.sqrt(above)))
    return TangentKernel(rho, (rho - error, rho + error), len(above), values, bound)


def metric_rate(before: TangentKernel, after: TangentKernel, dt: float = 1.0, *, tau: float = 0.5) -> MetricRate:
    """Return ``(rho_2 - rho_1)/dt`` and the document's verdict ``|rate| > tau``.

    rho is the sum of as many logarithms as there are outputs, so that the rate grows with their number; scaling the outputs
    by c adds ``2 m ln c`` to rho. See `kernel_distance`.

    Parameters
    ----------
    before, after : TangentKernel
        Kernels of the same outputs at two times.
    dt : float
        Time between them.
    tau : float
        Threshold of the document, .5.

    Returns
    -------
    MetricRate
        Rate, interval, change of the rank, verdict.

    Raises
    ------
    ValueError
        If ``dt`` or ``tau`` is not positive, or the cuts differ.
    """
    step, threshold = _checks.positive("dt", dt), _checks.positive("tau", tau)
    if before.cut != after.cut:
        raise ValueError(f"before and after must have the same cut, got {before.cut!r} and {after.cut!r}")
    value = (after.log_det - before.log_det) / step
    error = 0.5 * (np.ptp(before.interval) + np.ptp(after.interval)) / step
    state = "expanding" if value > threshold else "contracting" if value < -threshold else "lazy"
    interval = (value - float(error), value + float(error))
    return MetricRate(value, interval, after.rank - before.rank, abs(value) > threshold, state)


def kernel_distance(before: ArrayLike, after: ArrayLike, *, scale_free: bool = False) -> float:
    """Return ``sqrt(sum_i ln(l_i)^2)`` with l_i the eigenvalues of ``G_1^-1 G_2``: how far two tangent kernels are apart.

    The geodesic distance of positive matrices. It is 0 iff the kernels are equal, while ``rho_2 - rho_1 = sum_i ln l_i`` is 0
    for many that differ; ``|rho_2 - rho_1| <= sqrt(m)`` times the distance. With ``scale_free`` the mean of the logarithms is
    taken out: 0 iff the kernels are proportional, that is, for outputs in another unit.

    Parameters
    ----------
    before, after : array_like, shape (m, d)
        Jacobians of the same m outputs, of rank m.
    scale_free : bool
        Whether a common factor of the kernel counts as no change.

    Returns
    -------
    float
        Distance, without unit.

    Raises
    ------
    ValueError
        If the numbers of outputs differ or a kernel is singular to working accuracy.

    References
    ----------
    Bhatia, Positive Definite Matrices, Princeton (2007), chapter 6.
    """
    from scipy.linalg import solve_triangular

    first, second = (_checks.finite_array(n, v) for n, v in (("before", before), ("after", after)))
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise ValueError(f"before and after must have shape (m, d) with the same m, got {first.shape}, {second.shape}")
    # J = L Q: with triangular L_1, L_2 the eigenvalues of G_1^-1 G_2 are the squared singular values of L_1^-1 L_2
    lower = [np.asarray(np.linalg.qr(J.T, mode="r")).T for J in (first, second)]
    for name, L in zip(("before", "after"), lower, strict=True):
        size = np.linalg.svd(L, compute_uv=False)
        if L.shape[0] != L.shape[1] or size[-1] <= 1e-13 * size[0]:
            raise ValueError(f"{name} must have rank m = {len(first)}: the outputs depend on each other")
    logs = 2.0 * np.log(np.linalg.svd(solve_triangular(lower[0], lower[1], lower=True), compute_uv=False))
    if scale_free:
        logs = logs - logs.mean()
    return math.sqrt(float(logs @ logs))
