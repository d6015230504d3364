"""Exit times of stable motion: free motion from an interval (Getoor) and from a well at small noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks
from shld_sim.models import LevyFlight, require
from shld_sim.theory._strength import strength


def getoor_mean_exit_time(x: ArrayLike, half_width: float, alpha: float, sigma: float = 1.0, dim: int = 1) -> Any:
    """Return ``(L^2 - x^2)^(alpha/2)/(Gamma(1 + alpha) sigma^alpha)``: mean time of ``x + sigma L_t`` to leave (-L, L).

    No drift, ``E e^{ik.L_t} = e^{-t|k|^alpha}``. Out of a ball of radius L in d dimensions, isotropic noise, the
    constant 1/Gamma(1 + alpha) is ``Gamma(d/2)/(2^alpha Gamma(1 + alpha/2) Gamma((d + alpha)/2))``.

    Parameters
    ----------
    x : array_like
        Starting points, ``|x| <= half_width``; in more than one dimension distances from the centre.
    half_width : float
        L, length.
    alpha : float
        Stability index in (0, 2].
    sigma : float
        Noise strength, length/time**(1/alpha).
    dim : int
        Number of coordinates d.

    Returns
    -------
    float or ndarray
        Mean exit times.

    Raises
    ------
    ValueError
        If a point lies outside the interval or ball or a parameter is out of range.

    References
    ----------
    Getoor, Trans. Amer. Math. Soc. 101 (1961) 75.
    """
    L, sigma = _checks.positive("half_width", half_width), _checks.positive("sigma", sigma)
    alpha, points = _checks.stability_index("alpha", alpha), _checks.finite_array("x", x)
    if np.any(np.abs(points) > L):
        worst = float(points.ravel()[np.argmax(np.abs(points))])
        raise ValueError(f"x must lie within half_width = {L!r} of 0, got {worst!r}")
    d = _checks.integer("dim", dim)
    spread = 2.0**alpha * math.gamma(1.0 + 0.5 * alpha) * math.gamma(0.5 * (d + alpha)) / math.gamma(0.5 * d)
    return (((L - points) * (L + points)) ** (0.5 * alpha) / (spread * sigma**alpha))[()]


def imkeller_pavlyukevich_time(model: LevyFlight, x0: float, domain: tuple[float, float]) -> float:
    """Return ``alpha/(c_alpha sigma^alpha (l_1^-alpha + l_2^-alpha))``, the mean exit time from a well as sigma -> 0.

    ``c_alpha = Gamma(1 + alpha) sin(pi alpha/2)/pi`` is the jump density at 1, ``l_1 = x0 - a``, ``l_2 = b - x0``. One
    jump of the noise carries the path out of ``(a, b)`` from the minimum ``x0`` it rests at; such jumps come at rate
    ``int_{|z| > l} c_alpha sigma^alpha |z|^{-1-alpha} dz`` (ours for two sides). With one side at infinity:
    ``pi l^alpha/(Gamma(alpha) sin(pi alpha/2) sigma^alpha)``. No barrier height enters. Too long by 20 % at sigma = 0.1
    and 3 % at 0.02 in the double well (alpha = 1.5).

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, constant sigma, ``alpha < 2``.
    x0 : float
        The minimum of the well the path sits in.
    domain : tuple of float
        ``(a, b)`` around ``x0``; one end may be infinite.

    Returns
    -------
    float
        Mean exit time to leading order.

    Raises
    ------
    ValueError
        If ``alpha == 2`` (no jumps), ``x0`` is not a minimum inside the domain, or both ends are infinite.

    References
    ----------
    Imkeller and Pavlyukevich, Stoch. Process. Appl. 116 (2006) 611.
    """
    require(model, LevyFlight, dim=1)
    low, high = _checks.interval("domain", domain)
    start, alpha = _checks.number("x0", x0), model.alpha
    if alpha >= 2.0:
        raise ValueError(f"alpha must lie in (0, 2): Gaussian noise has no jumps, got {alpha!r}")
    if not low < start < high:
        raise ValueError(f"domain must contain x0={start!r}, got ({low!r}, {high!r})")
    if math.isinf(low) and math.isinf(high):
        raise ValueError(f"domain must have a finite end, got ({low!r}, {high!r})")
    slope, curvature = float(model.potential.gradient(start)), float(model.potential.hessian(start))
    if curvature < 0.0 or abs(slope) > 1e-5 * (curvature + 1e-3) * (1.0 + abs(start)):
        raise ValueError(f"x0 must be a minimum of V, got {start!r} with V' = {slope:.3g}, V'' = {curvature:.3g}")
    jump_density = math.gamma(1.0 + alpha) * math.sin(0.5 * math.pi * alpha) / math.pi * strength(model) ** alpha
    return alpha / (jump_density * ((start - low) ** -alpha + (high - start) ** -alpha))
