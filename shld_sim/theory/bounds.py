"""Convergence in a strongly convex landscape: the claimed energy bound, the corrected one, and the exact quadratic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks


def claimed_energy_bound(V0_gap: float, lmin: float, D: float, d: int, t: ArrayLike) -> Any:
    """Return ``(V0 - V*) e^{-lmin t} + D d/lmin``: the bound as the document states it, for ``Hess V >= lmin``.

    **It is wrong**: the energy floor of a quadratic is ``D d/2`` whatever its stiffness, so the bound fails at large t
    for every quadratic with ``lmin > 2`` (``D d/lmin`` is not even an energy). See `corrected_energy_bound`.

    Parameters
    ----------
    V0_gap : float
        ``V(x0) - V*``, energy.
    lmin : float
        Lower bound of the Hessian eigenvalues.
    D : float
        Diffusion constant.
    d : int
        Dimension.
    t : array_like
        Time, not negative.

    Returns
    -------
    float or ndarray
        The claimed bound on ``E V(X_t) - V*``.

    Raises
    ------
    ValueError
        If ``V0_gap`` or ``t`` is negative or ``lmin``, ``D`` or ``d`` not positive.
    """
    gap, lmin, D, d, time = _arguments(V0_gap, lmin, D, d, t, "V0_gap")
    return (gap * np.exp(-lmin * time) + D * d / lmin)[()]


def corrected_energy_bound(gap: float, lmin: float, lmax: float, D: float, d: int, t: ArrayLike) -> Any:
    """Return ``gap e^{-2 lmin t} + (D d lmax/(2 lmin)) (1 - e^{-2 lmin t})``, a bound on ``E V(X_t) - V*``.

    For ``lmin <= Hess V <= lmax``. Derivation (ours): Ito gives ``d/dt E V = -E|grad V|^2 + D E lap V``. Strong
    convexity gives ``|grad V|^2 >= 2 lmin (V - V*)``, and ``lap V <= d lmax``; Gronwall finishes. It is attained by the
    isotropic quadratic, ``lmin == lmax``. For large t and ``lmax >> lmin``, `stationary_energy_bound` is sharper.

    Parameters
    ----------
    gap : float
        ``V(x0) - V*``, energy.
    lmin, lmax : float
        Bounds of the Hessian eigenvalues, ``0 < lmin <= lmax``.
    D : float
        Diffusion constant.
    d : int
        Dimension.
    t : array_like
        Time, not negative.

    Returns
    -------
    float or ndarray
        The bound.

    Raises
    ------
    ValueError
        If ``gap`` or ``t`` is negative, ``lmin``, ``D`` or ``d`` is not positive, or ``lmax < lmin``.
    """
    gap, lmin, D, d, time = _arguments(gap, lmin, D, d, t, "gap")
    lmax = _upper(lmin, lmax)
    return (gap * np.exp(-2.0 * lmin * time) - 0.5 * D * d * (lmax / lmin) * np.expm1(-2.0 * lmin * time))[()]


def stationary_energy_bound(lmin: float, lmax: float, D: float, d: int) -> float:
    """Return ``D d (1 - lmin/(2 lmax))``, a bound on the Gibbs average of ``V - V*`` for ``lmin <= Hess V <= lmax``.

    Derivation (ours): for convex V with ``Hess V <= lmax``, ``V - V* <= grad V.(x - x*) - |grad V|^2/(2 lmax)``.
    Integrating by parts under Gibbs, ``E grad V.(x - x*) = D d`` and ``E|grad V|^2 = D E lap V >= D d lmin``.
    Equality for the isotropic quadratic: ``D d/2``.

    Parameters
    ----------
    lmin, lmax : float
        Bounds of the Hessian eigenvalues, ``0 < lmin <= lmax``.
    D : float
        Diffusion constant.
    d : int
        Dimension.

    Returns
    -------
    float
        The bound, energy.

    Raises
    ------
    ValueError
        If ``lmin``, ``D`` or ``d`` is not positive or ``lmax < lmin``.
    """
    lmin, D, d = _checks.positive("lmin", lmin), _checks.positive("D", D), _checks.integer("d", d)
    return D * d * (1.0 - 0.5 * lmin / _upper(lmin, lmax))


def quadratic_energy(eigenvalues: ArrayLike, x0: ArrayLike, D: float, t: ArrayLike) -> Any:
    """Return ``E V(X_t) = sum_i [k_i x_i^2 e^{-2 k_i t}/2 + (D/2)(1 - e^{-2 k_i t})]`` for ``V = sum_i k_i x_i^2/2``.

    Tends to ``D d/2``, the same for every stiffness.

    Parameters
    ----------
    eigenvalues : array_like, shape (d,)
        Stiffnesses ``k_i > 0``.
    x0 : array_like, shape (d,)
        Starting point in the eigenbasis.
    D : float
        Diffusion constant.
    t : array_like
        Time, not negative.

    Returns
    -------
    float or ndarray
        Exact mean energy, shape of ``t``.

    Raises
    ------
    ValueError
        If a stiffness or D is not positive, t is negative, or the shapes differ.
    """
    k = np.atleast_1d(_checks.finite_array("eigenvalues", eigenvalues))
    x = np.atleast_1d(_checks.finite_array("x0", x0))
    D, time = _checks.positive("D", D), _time(t)
    if k.ndim != 1 or np.any(k <= 0.0):
        raise ValueError(f"eigenvalues must be a list of positive numbers, got {eigenvalues!r}")
    if x.shape != k.shape:
        raise ValueError(f"x0 must have the shape of eigenvalues, {k.shape}, got {x.shape}")
    exponent = -2.0 * k * time[..., None]
    return np.sum(0.5 * k * x**2 * np.exp(exponent) - 0.5 * D * np.expm1(exponent), axis=-1)[()]


def _arguments(gap: float, lmin: float, D: float, d: int, t: Any, name: str) -> tuple[float, float, float, int, Any]:
    gap, lmin = _checks.nonnegative(name, gap), _checks.positive("lmin", lmin)
    return gap, lmin, _checks.positive("D", D), _checks.integer("d", d), _time(t)


def _time(t: ArrayLike) -> Any:
    time = _checks.finite_array("t", t)
    if np.any(time < 0.0):
        raise ValueError(f"t must not be negative, got {float(time.min())!r}")
    return time


def _upper(lmin: float, lmax: float) -> float:
    lmax = _checks.number("lmax", lmax)
    if lmax < lmin:
        raise ValueError(f"lmax must be at least lmin = {lmin!r}, got {lmax!r}")
    return lmax
