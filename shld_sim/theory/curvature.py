"""Brownian motion on a surface of constant curvature: the mean time to leave a geodesic disc."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks


def geodesic_exit_time(radius: float, curvature: ArrayLike, D: float, start: float = 0.0) -> Any:
    r"""Return :math:`(2/(D k^2)) \ln[\cosh(k r/2)/\cosh(k r_0/2)]`, the mean exit time from a geodesic disc of radius r.

    For the generator D times the Laplace-Beltrami operator on the surface of curvature :math:`K = -k^2`; ``cos`` and the
    opposite sign for :math:`K = +k^2`, and :math:`(r^2 - r_0^2)/(4D)` for K = 0. The radial equation is
    :math:`D (\sinh(k\rho)\,T')'/\sinh(k\rho) = -1` with T bounded at 0 and 0 at r (integrated once:
    :math:`T' = -\tanh(k\rho/2)/(D k)`). For :math:`k r \gg 1` the time is :math:`r/(D k)`: the rate grows with the square
    root of the curvature, not with its exponential.

    Parameters
    ----------
    radius : float
        Geodesic radius r, length; for positive curvature below ``pi/sqrt(K)``.
    curvature : array_like
        Gaussian curvature K, 1/length**2; half of the scalar curvature.
    D : float
        Diffusion coefficient, length**2/time.
    start : float
        Geodesic distance of the start from the centre, at most ``radius``.

    Returns
    -------
    float or ndarray
        Mean exit times, shape of ``curvature``.

    Raises
    ------
    ValueError
        If a parameter is out of range.

    References
    ----------
    Grigor'yan, Bull. Amer. Math. Soc. 36 (1999) 135, section 3 (model manifolds).
    """
    r, D, r0 = _checks.positive("radius", radius), _checks.positive("D", D), _checks.nonnegative("start", start)
    if r0 > r:
        raise ValueError(f"start must be at most radius = {r!r}, got {r0!r}")
    K = _checks.finite_array("curvature", curvature)
    if np.any(K * r**2 >= math.pi**2):
        raise ValueError(f"radius must be below pi/sqrt(curvature) on a sphere, got {r!r} for {float(K.max())!r}")

    def climb(rho: float) -> Any:
        """Return ``int_0^rho tanh(k s/2)/k ds = (2/k^2) ln cosh(k rho/2)``, continued to K >= 0."""
        h = 0.5 * np.sqrt(np.abs(K)) * rho
        small = h < 1e-3
        safe = np.where(small, 1.0, h)
        # ln cosh h = h + ln((1 + e^(-2h))/2); on the sphere -ln cos h; near 0 both are h^2/2 -+ h^4/12
        curved = np.where(K < 0.0, safe + np.log1p(0.5 * np.expm1(-2.0 * safe)), -np.log(np.abs(np.cos(safe))))
        return 0.5 * rho**2 * np.where(small, 0.5 + np.sign(K) * h**2 / 12.0, curved / safe**2)

    return ((climb(r) - climb(r0)) / D)[()]
