"""Rates over a barrier at small noise: Arrhenius, the formula as stated, Eyring-Kramers, and Kramers with inertia."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import quad
from scipy.optimize import brentq

from shld_sim import _checks
from shld_sim.models import Langevin, Underdamped, require
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


def underdamped_kramers_rate(
    model: Underdamped, minimum: float, saddle: float, *, depopulation: bool = True, returning: bool = True
) -> float:
    r"""Return Kramers' rate out of a well of a particle with inertia, corrected for weak friction.

    .. math:: k = \frac{\lambda}{\omega_b}\,\frac{\omega_0}{2\pi}\,e^{-\Delta E/D}\,\Upsilon, \qquad
        \lambda = \sqrt{\gamma^2/4 + \omega_b^2} - \gamma/2,

    with :math:`\omega_0^2 = V''` at the minimum and :math:`\omega_b^2 = |V''|` at the saddle. Weak friction does not
    replace the energy of those that leave: with the loss over one round along the barrier, :math:`\delta = \gamma S/D`,
    :math:`S = 2\int\sqrt{2(V_b - V)}\,dx`,

    .. math:: \Upsilon = A(\delta)\ \text{or}\ \frac{A(\delta) A(\delta')}{A(\delta + \delta')}, \qquad
        \ln A(\delta) = \frac{1}{2\pi}\int_{-\infty}^\infty \ln\bigl(1 - e^{-\delta(y^2 + 1/4)}\bigr)
        \frac{dy}{y^2 + 1/4},

    the latter when a second well, of action :math:`S'`, lies beyond the saddle and sends paths back. For strong friction the
    rate is that of `eyring_kramers_rate` over :math:`\gamma`; for weak friction it falls as :math:`\delta`.

    Parameters
    ----------
    model : Underdamped
        One-dimensional dynamics with inertia and constant D.
    minimum, saddle : float
        The bottom of the well and the top of the barrier.
    depopulation : bool
        Whether to include :math:`\Upsilon`; without, Kramers' formula for moderate to strong friction.
    returning : bool
        Whether another well lies beyond the saddle. Otherwise what has passed is gone.

    Returns
    -------
    float
        Rate per unit time. Relative errors are of order ``D/dE``, at the turnover of order ``sqrt(D/dE)``.

    Raises
    ------
    ValueError
        If d is not 1, ``minimum`` is not a minimum, ``saddle`` is not a maximum, or it is not higher; if a well is not
        bounded by a wall as high as the saddle.

    References
    ----------
    Kramers, Physica 7 (1940) 284, eq. 25. Melnikov and Meshkov, J. Chem. Phys. 85 (1986) 1018. Pollak, Grabert and
    Haenggi, J. Chem. Phys. 91 (1989) 4073. Haenggi, Talkner and Borkovec, Rev. Mod. Phys. 62 (1990) 251.
    """
    require(model, Underdamped, dim=1)
    barrier, well, top = _passage(model, minimum, saddle)
    D, gamma, omega_b = strength(model), model.friction, math.sqrt(-float(top[0]))
    # sqrt(gamma^2/4 + omega_b^2) - gamma/2 without cancellation
    transmission = omega_b / (math.sqrt(0.25 * gamma**2 + omega_b**2) + 0.5 * gamma)
    rate = transmission * math.sqrt(float(well[0])) / (2.0 * math.pi) * math.exp(-barrier / D)
    if not depopulation:
        return rate
    away = math.copysign(1.0, minimum - saddle)
    loss = gamma / D * _action(model.potential, saddle, away, abs(minimum - saddle))
    if not returning:
        return rate * math.exp(_log_depopulation(loss))
    other = gamma / D * _action(model.potential, saddle, -away, abs(minimum - saddle))
    return rate * math.exp(_log_depopulation(loss) + _log_depopulation(other) - _log_depopulation(loss + other))


def _action(potential: Potential, saddle: float, away: float, scale: float) -> float:
    """Return ``2 int sqrt(2 (V(saddle) - V)) dx`` over the well on one side of a saddle."""
    V = lambda x: float(potential(np.asarray(x)))  # noqa: E731
    height, step, reach = V(saddle), 0.02 * scale, 0.1 * scale
    while V(saddle + away * (reach + step)) < height:
        reach += step
        step *= 1.05
        if not reach < 1e6 * scale:
            raise ValueError(
                f"saddle must belong to a well with a wall as high on its other side, got {saddle!r}: pass returning=False "
                "if it is the far side that is open"
            )
    turn = float(brentq(lambda r: V(saddle + away * r) - height, reach, reach + step, xtol=1e-14 * reach, rtol=1e-14))
    # r = turn (1 - s^2): smooth at the turning point, where the momentum is a root
    s, weights = np.polynomial.legendre.leggauss(200)
    s, weights = 0.5 * (s + 1.0), 0.5 * weights
    r = turn * (1.0 - s * s)
    momentum = np.sqrt(np.maximum(2.0 * (height - potential(saddle + away * r)), 0.0))
    return float(2.0 * np.sum(weights * momentum * 2.0 * turn * s))


def _log_depopulation(loss: float) -> float:
    """Return ``(1/2 pi) int ln(1 - exp(-loss (y^2 + 1/4))) / (y^2 + 1/4) dy``; ``y = tan(angle)/2``."""

    def integrand(angle: float) -> float:
        return math.log(-math.expm1(-0.25 * loss / math.cos(angle) ** 2))

    # beyond the last split the exponent exceeds 2500 and the integrand is 0
    return 2.0 / math.pi * float(quad(integrand, 0.0, math.acos(min(0.01 * math.sqrt(loss), 1.0)), limit=400)[0])


def _passage(model: Langevin | Underdamped, minimum: ArrayLike, saddle: ArrayLike) -> tuple[float, Array, Array]:
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
