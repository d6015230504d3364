"""Exact laws of linear dynamics: the Ornstein-Uhlenbeck process and what a finite time step makes of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks


def ornstein_uhlenbeck_moments(k: float, D: float, x0: ArrayLike, t: ArrayLike) -> tuple[Any, Any]:
    """Return mean ``x0 e^{-kt}`` and variance ``(D/k)(1 - e^{-2kt})`` of ``dX = -k X dt + sqrt(2D) dW``.

    Parameters
    ----------
    k : float
        Stiffness, 1/time; zero gives free diffusion (variance ``2 D t``) and below zero an unstable point.
    D : float
        Diffusion constant, length**2/time.
    x0 : array_like
        Starting point, length.
    t : array_like
        Time, not negative; broadcast against ``x0``.

    Returns
    -------
    mean, variance : float or ndarray
        Of the Gaussian law at time t.

    Raises
    ------
    ValueError
        If D is not positive or t is negative.

    References
    ----------
    Uhlenbeck and Ornstein, Phys. Rev. 36 (1930) 823.
    """
    k, D = _checks.number("k", k), _checks.positive("D", D)
    start, time = _checks.finite_array("x0", x0), _checks.finite_array("t", t)
    if np.any(time < 0.0):
        raise ValueError(f"t must not be negative, got {float(time.min())!r}")
    variance = 2.0 * D * time if k == 0.0 else -(D / k) * np.expm1(-2.0 * k * time)
    return (start * np.exp(-k * time))[()], np.asarray(variance)[()]


def euler_variance(k: float, D: float, dt: float) -> float:
    """Return ``D/(k (1 - k dt/2))``, the stationary variance of ``x' = x - k x dt + sqrt(2 D dt) xi``.

    From ``v = (1 - k dt)^2 v + 2 D dt``. Euler-Maruyama is too wide by the factor ``1/(1 - k dt/2)``.

    Parameters
    ----------
    k : float
        Stiffness, 1/time.
    D : float
        Diffusion constant, length**2/time.
    dt : float
        Time step, below ``2/k``.

    Returns
    -------
    float
        Variance, length**2.

    Raises
    ------
    ValueError
        If an argument is not positive or the chain has no stationary law (``k dt >= 2``).
    """
    k, D, dt = _checks.positive("k", k), _checks.positive("D", D), _stable_step(k, dt)
    return D / (k * (1.0 - 0.5 * k * dt))


def descent_variance(k: float, noise: float, eta: float, batch: float = 1.0, momentum: float = 0.0) -> float:
    """Return ``eta s^2 (1 + beta)/(B k (1 - beta)(2 (1 + beta) - eta k))``, stationary variance of noisy gradient descent.

    The chain is ``v' = beta v - eta (k x + s xi/sqrt(B))``, ``x' = x + v'``, on the loss ``k x^2/2``; with momentum 0 it
    is ``eta s^2/(B k (2 - eta k))``. To first order in eta it is ``eta s^2/(2 B k (1 - beta))``, that of a Langevin
    equation with ``D = eta s^2/(2 B (1 - beta))``: a function of ``eta/B``.

    Parameters
    ----------
    k : float
        Curvature.
    noise : float
        Standard deviation ``s`` of the gradient of one example.
    eta : float
        Step, 1/curvature, below ``2 (1 + beta)/k``.
    batch : float
        Number B of examples per step, drawn independently.
    momentum : float
        ``beta``, 0 <= beta < 1.

    Returns
    -------
    float
        Variance of x, length**2.

    Raises
    ------
    ValueError
        If an argument is not positive, ``momentum`` lies outside [0, 1) or the chain has no stationary law.

    References
    ----------
    S. Mandt, M. D. Hoffman, D. M. Blei, JMLR 18 (2017) 134 (to first order); Q. Li, C. Tai, W. E, JMLR 20 (2019) 40. The
    exact form follows from the three equations of the second moments of x and v.
    """
    k, noise, eta = _checks.positive("k", k), _checks.positive("noise", noise), _checks.positive("eta", eta)
    batch, beta = _checks.positive("batch", batch), _checks.nonnegative("momentum", momentum)
    if beta >= 1.0:
        raise ValueError(f"momentum must lie in [0, 1), got {beta!r}")
    if eta * k >= 2.0 * (1.0 + beta):
        raise ValueError(f"eta must be below 2 (1 + momentum)/k = {2.0 * (1.0 + beta) / k!r}, got {eta!r}")
    return eta * noise**2 * (1.0 + beta) / (batch * k * (1.0 - beta) * (2.0 * (1.0 + beta) - eta * k))


def shuffled_descent_variance(k: float, noise: float, eta: float, batch: int, n: int) -> float:
    r"""Return the variance of descent on ``k x^2/2`` at the end of an epoch that goes through n examples once, in random order.

    With M = n/B batches an epoch, q = 1 - eta k, the variance :math:`\sigma_B^2 = \frac{s^2}{B}\frac{n - B}{n - 1}` of a batch,

    .. math:: \mathrm{Var}\,x = \frac{\eta^2\sigma_B^2}{1 - q^{2M}}\,\frac{M A - S^2}{M - 1},\quad
       A = \frac{1 - q^{2M}}{1 - q^2},\quad S = \frac{1 - q^M}{1 - q}:

    the noise of an epoch adds up to zero, its parts have the covariance :math:`-\sigma_B^2/(M - 1)`. For epochs much longer than
    the memory, eta k M >> 1, it is `descent_variance`; for eta k M << 1 it is less by the factor :math:`(\eta k M)^2/12`.

    Parameters
    ----------
    k : float
        Curvature.
    noise : float
        Standard deviation ``s`` of the gradients of all n examples (with 1/n in its definition).
    eta : float
        Step, below ``2/k``.
    batch : int
        Examples B per step; divides n, and is less.
    n : int
        Number of examples.

    Returns
    -------
    float
        Variance of x over orders, length**2.

    Raises
    ------
    ValueError
        If an argument is out of range or n is not a multiple of the batch.

    References
    ----------
    The quadratic case of M. Kuehn, B. Rosenow, "Correlated noise in epoch-based stochastic gradient descent", 2023,
    arXiv:2306.05300; here from the covariance of draws without replacement.
    """
    k, noise, eta = _checks.positive("k", k), _checks.positive("noise", noise), _checks.positive("eta", eta)
    B, n = _checks.integer("batch", batch), _checks.integer("n", n, 2)
    if n % B or n == B:
        raise ValueError(f"batch must divide n = {n} into two or more batches, got {batch!r}")
    if eta * k >= 2.0:
        raise ValueError(f"eta must be below 2/k = {2.0 / k!r}, got {eta!r}")
    M, q = n // B, 1.0 - eta * k
    weights = q ** np.arange(M)
    A, S = float(weights @ weights), float(weights.sum())
    # M A - S^2 = M sum (q^j - mean)^2, without cancellation
    spread = M * float(np.sum((weights - S / M) ** 2))
    part = noise**2 / B * (n - B) / (n - 1)
    return eta**2 * part * spread / ((M - 1) * A * (1.0 - q * q))


def euler_stable_scale(k: float, alpha: float, sigma: float, dt: float) -> float:
    """Return ``sigma (dt/(1 - |1 - k dt|^alpha))^(1/alpha)``, stationary scale of the Euler chain with stable noise.

    The chain is ``x' = (1 - k dt) x + sigma dt^(1/alpha) xi``, ``E e^{iq xi} = e^{-|q|^alpha}``; its stationary law is
    ``E e^{iqX} = e^{-|scale q|^alpha}``. At ``alpha = 2`` the variance is ``2 scale^2``.

    Parameters
    ----------
    k : float
        Stiffness, 1/time.
    alpha : float
        Stability index in (0, 2].
    sigma : float
        Noise strength, length/time**(1/alpha).
    dt : float
        Time step, below ``2/k``.

    Returns
    -------
    float
        Scale, length.

    Raises
    ------
    ValueError
        If an argument is out of range or the chain has no stationary law (``k dt >= 2``).
    """
    k, sigma, dt = _checks.positive("k", k), _checks.positive("sigma", sigma), _stable_step(k, dt)
    alpha = _checks.stability_index("alpha", alpha)
    kept = k * dt if k * dt >= 1.0 else 1.0 - k * dt  # 1 - |kept|^alpha without cancellation for small k dt
    log_kept = math.log1p(-k * dt) if k * dt < 1.0 else math.log(kept - 1.0) if kept > 1.0 else -math.inf
    return float(sigma * (dt / -math.expm1(alpha * log_kept)) ** (1.0 / alpha))


def split_stable_scale(k: float, alpha: float, sigma: float, dt: float) -> float:
    """Return ``sigma e^{-k dt} (dt/(1 - e^{-alpha k dt}))^(1/alpha)``, stationary scale of the split scheme.

    The chain is ``x' = e^{-k dt} (x + sigma dt^(1/alpha) xi)``: the noise step, then the drift's own flow. It exists
    for every ``dt`` and is too narrow by ``1 - k dt/2`` to first order. (Observed after the noise step instead,
    the scale lacks the factor ``e^{-k dt}`` and is too wide by as much.)

    Parameters
    ----------
    k : float
        Stiffness, 1/time.
    alpha : float
        Stability index in (0, 2].
    sigma : float
        Noise strength, length/time**(1/alpha).
    dt : float
        Time step.

    Returns
    -------
    float
        Scale, length: ``E e^{iqX} = e^{-|scale q|^alpha}``.

    Raises
    ------
    ValueError
        If an argument is not positive or alpha not in (0, 2].
    """
    k, sigma, dt = _checks.positive("k", k), _checks.positive("sigma", sigma), _checks.positive("dt", dt)
    alpha = _checks.stability_index("alpha", alpha)
    return float(sigma * math.exp(-k * dt) * (dt / -math.expm1(-alpha * k * dt)) ** (1.0 / alpha))


def _stable_step(k: float, dt: float) -> float:
    dt = _checks.positive("dt", dt)
    if k * dt >= 2.0:
        raise ValueError(f"dt must be below 2/k = {2.0 / k!r}, got {dt!r}")
    return dt
