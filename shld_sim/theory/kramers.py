"""Rates over a barrier at small noise: Arrhenius, the formula as stated, and Eyring-Kramers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.models import Langevin, require
from shld_sim.potentials import Potential
from shld_sim.theory._strength import strength

Array = NDArray[np.float64]


def kramers_rate_as_stated(model: Langevin, minimum: ArrayLike, saddle: ArrayLike) -> float:
    """Return ``omega0/(2 pi) exp(-dE/D)`` with ``omega0 = V''(minimum)``: the formula as the document states it.

    **It is wrong**: the curvature of the saddle is missing. The flux over the barrier is limited by the width of its
    top, so the prefactor is the *geometric mean* ``sqrt(V''(a)|V''(b)|)`` of both curvatures (`eyring_kramers_rate`).
    The error does not vanish as D -> 0: the ratio is ``sqrt(V''(a)/|V''(b)|)``, e.g. sqrt(2) in the double well.

    Parameters
    ----------
    model : Langevin
        One-dimensional overdamped dynamics with constant D.
    minimum, saddle : float
        The bottom of the well and the top of the barrier.

    Returns
    -------
    float
        Rate per unit time.

    Raises
    ------
    ValueError
        If d is not 1, ``minimum`` is not a minimum, ``saddle`` is not a maximum, or it is not higher.
    """
    require(model, Langevin, dim=1)
    barrier, well, _ = _passage(model, minimum, saddle)
    return float(well[0]) / (2.0 * math.pi) * math.exp(-barrier / strength(model))


def eyring_kramers_rate(model: Langevin, minimum: ArrayLike, saddle: ArrayLike) -> float:
    """Return ``|lambda_-|/(2 pi) sqrt(det H_a/|det H_b|) exp(-dE/D)``, the rate out of a well over one saddle.

    ``H_a, H_b`` are the Hessians at minimum and saddle, ``lambda_-`` the negative eigenvalue of ``H_b``. In 1-D it
    is ``sqrt(V''(a)|V''(b)|)/(2 pi) exp(-dE/D)``. It counts passages *to the other side*: the mean time to the saddle
    itself is half of 1/rate. Relative error O(D) for ``D << dE`` (5 to 20 % at ``dE/D`` from 10 to 2).

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D, any dimension.
    minimum, saddle : array_like, shape () when d == 1, else (d,)
        A minimum and an index-1 saddle of V.

    Returns
    -------
    float
        Rate per unit time.

    Raises
    ------
    ValueError
        If ``minimum`` is not a minimum, ``saddle`` is not a saddle with exactly one descending direction, or the
        saddle is not higher than the minimum.

    References
    ----------
    Kramers, Physica 7 (1940) 284. Langer, Ann. Phys. 54 (1969) 258. Bovier, Eckhoff, Gayrard and Klein, J. Eur. Math.
    Soc. 6 (2004) 399.
    """
    require(model, Langevin)
    barrier, well, top = _passage(model, minimum, saddle)
    log_ratio = float(np.sum(np.log(well)) - np.sum(np.log(np.abs(top))))
    return abs(float(top[0])) / (2.0 * math.pi) * math.exp(0.5 * log_ratio - barrier / strength(model))


def arrhenius_time(model: Langevin, minimum: ArrayLike, saddle: ArrayLike) -> float:
    """Return ``exp(dE/D)``: the escape time as the document states it, without a prefactor.

    It is not a time (no unit) and off by ``1/(rate prefactor)``: the double well's mean passage time tends to
    ``2 pi/sqrt(2) = 4.44`` times this as D -> 0.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D.
    minimum, saddle : array_like, shape () when d == 1, else (d,)
        A minimum and an index-1 saddle of V.

    Returns
    -------
    float
        ``exp((V(saddle) - V(minimum))/D)``, dimensionless.

    Raises
    ------
    ValueError
        As `eyring_kramers_rate`, or if the value exceeds the range of floating point.
    """
    require(model, Langevin)
    barrier, _, _ = _passage(model, minimum, saddle)
    exponent = barrier / strength(model)
    if exponent > 709.0:
        raise ValueError(f"D must be larger for exp(dE/D) to be representable (dE/D = {exponent:.6g}), got {model.D!r}")
    return math.exp(exponent)


def _passage(model: Langevin, minimum: ArrayLike, saddle: ArrayLike) -> tuple[float, Array, Array]:
    """Return the barrier and the ascending Hessian eigenvalues at minimum and saddle, after checking both."""
    potential = model.potential
    well = _critical("minimum", potential, minimum)
    top = _critical("saddle", potential, saddle)
    if well[0] <= 0.0:
        raise ValueError(f"minimum must be a minimum of V, got {minimum!r} with Hessian eigenvalues {well.tolist()}")
    if not (top[0] < 0.0 and np.all(top[1:] > 0.0)):
        raise ValueError(f"saddle must have one negative Hessian eigenvalue, got {saddle!r} with {top.tolist()}")
    energies = [float(potential(np.asarray(point, dtype=np.float64))) for point in (minimum, saddle)]
    if energies[1] <= energies[0]:
        raise ValueError(f"saddle must lie higher than minimum, got V = {energies[1]!r} and {energies[0]!r}")
    return energies[1] - energies[0], well, top


def _critical(name: str, potential: Potential, point: Any) -> Array:
    """Return the ascending Hessian eigenvalues at a critical point, or raise naming ``name``."""
    x = _checks.points(name, point, potential.dim)
    if x.shape != (() if potential.dim == 1 else (potential.dim,)):
        raise ValueError(f"{name} must be one point in {potential.dim} dimensions, got shape {x.shape}")
    gradient = np.atleast_1d(potential.gradient(x))
    hessian = np.asarray(potential.hessian(x), dtype=np.float64).reshape(potential.dim, potential.dim)
    # A point typed with six digits is fine: the gradient there is about 1e-6 |H| |x|.
    scale = float(np.abs(hessian).max()) * (1.0 + float(np.abs(x).max()))
    if float(np.abs(gradient).max()) > 1e-5 * scale:
        raise ValueError(f"{name} must be a critical point of V, got {point!r} with gradient {gradient.tolist()}")
    return np.asarray(np.linalg.eigvalsh(hessian), dtype=np.float64)
