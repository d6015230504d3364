"""Symmetric stable laws, and the stationary laws of stable motion in a harmonic and in a quartic well."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc, gamma, gammaincc, gammaln, loggamma, ndtri

from shld_sim import _checks
from shld_sim.models import LevyFlight, require
from shld_sim.potentials import Potential
from shld_sim.theory._mellin import SymmetricLaw
from shld_sim.theory._strength import strength

Array = NDArray[np.float64]

_SMALLEST_STABLE = 0.3  # below it the law spans more decades than the expansions cover
_SMALLEST_QUARTIC = 0.1
_PROBES = np.array([-1.7, -0.6, 0.4, 1.0, 2.3])  # generic points to recognise a potential by its gradient


def stable_pdf(x: ArrayLike, alpha: float, scale: float = 1.0) -> Any:
    """Return the density ``p(x) = (1/pi) int_0^inf cos(kx) exp(-(scale k)^alpha) dk`` of the symmetric stable law.

    The law has ``E e^{ikX} = exp(-|scale k|^alpha)``: ``alpha = 2`` is the Gaussian of variance ``2 scale^2``,
    ``alpha = 1`` the Cauchy law. Closed forms there; else a Mellin-Barnes integral between convergent or asymptotic
    series at 0 and in the tail (`_mellin.SymmetricLaw`). Relative error below 1e-10 for alpha from 0.3 to 2, tails
    included; a million points take about a quarter of a second.

    Parameters
    ----------
    x : array_like
        Points.
    alpha : float
        Stability index in [0.3, 2].
    scale : float
        Scale, in the unit of ``x``.

    Returns
    -------
    float or ndarray
        Density per unit of ``x``.

    Raises
    ------
    ValueError
        If alpha is outside [0.3, 2] or ``scale`` not positive.

    References
    ----------
    Zolotarev, One-dimensional Stable Distributions, AMS 1986 (Mellin transforms and series).
    """
    alpha, scale = _index(alpha), _checks.positive("scale", scale)
    return (_stable_pdf(np.abs(_checks.finite_array("x", x)) / scale, alpha) / scale)[()]


def stable_cdf(x: ArrayLike, alpha: float, scale: float = 1.0) -> Any:
    """Return ``P(X <= x)`` of the symmetric stable law ``E e^{ikX} = exp(-|scale k|^alpha)``.

    Method as `stable_pdf`; the lower tail keeps its relative accuracy, so use ``stable_cdf(-x)`` for ``P(X > x)``.

    Parameters
    ----------
    x : array_like
        Points.
    alpha : float
        Stability index in [0.3, 2].
    scale : float
        Scale, in the unit of ``x``.

    Returns
    -------
    float or ndarray
        Probabilities; absolute error below 1e-12.

    Raises
    ------
    ValueError
        If alpha is outside [0.3, 2] or ``scale`` not positive.
    """
    alpha, scale = _index(alpha), _checks.positive("scale", scale)
    points = _checks.finite_array("x", x)
    return _from_survival(points, _stable_survival(np.abs(points) / scale, alpha))


def stable_ppf(q: ArrayLike, alpha: float, scale: float = 1.0) -> Any:
    """Return the quantile x with ``P(X <= x) = q`` of the symmetric stable law ``E e^{ikX} = exp(-|scale k|^alpha)``.

    Newton's iteration with bisection on `stable_cdf`.

    Parameters
    ----------
    q : array_like
        Probabilities, strictly between 0 and 1.
    alpha : float
        Stability index in [0.3, 2].
    scale : float
        Scale.

    Returns
    -------
    float or ndarray
        Quantiles, in the unit of ``scale``; relative error about 1e-12 (absolute near the median).

    Raises
    ------
    ValueError
        If a probability is outside (0, 1), alpha outside [0.3, 2] or ``scale`` not positive.
    """
    alpha, scale = _index(alpha), _checks.positive("scale", scale)
    probability = _checks.finite_array("q", q)
    if np.any((probability <= 0.0) | (probability >= 1.0)):
        raise ValueError(f"q must lie strictly between 0 and 1, got {q!r}")
    target = np.minimum(probability, 1.0 - probability).ravel()  # P(X > |x|)
    if alpha == 2.0:
        x = -math.sqrt(2.0) * ndtri(target)
    elif alpha == 1.0:
        x = 1.0 / np.tan(math.pi * target)
    else:
        low, high = np.zeros_like(target), np.ones_like(target)
        while np.any(short := _stable_survival(high, alpha) > target):
            low[short] = high[short]
            high[short] *= 4.0
        x = 0.5 * (low + high)
        for _ in range(100):
            excess = _stable_survival(x, alpha) - target
            low, high = np.where(excess > 0.0, x, low), np.where(excess > 0.0, high, x)
            new = x + excess / _stable_pdf(x, alpha)
            new = np.where((new > low) & (new < high), new, 0.5 * (low + high))
            moved = np.abs(new - x) > 1e-14 * x + 1e-300
            x = new
            if not np.any(moved):
                break
    signed = np.where(probability < 0.5, -1.0, 1.0) * x.reshape(probability.shape)
    return (scale * np.where(probability == 0.5, 0.0, signed))[()]


def harmonic_stable_scale(model: LevyFlight) -> float:
    """Return ``sigma (1/(alpha k))^(1/alpha)``, the stationary scale of ``dX = -k X dt + sigma dL``.

    The stationary law is stable: ``E e^{iqX} = exp(-|scale q|^alpha)``.

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, harmonic potential ``k x^2/2``, constant sigma.

    Returns
    -------
    float
        Scale, length.

    Raises
    ------
    ValueError
        If the potential is not ``k x^2/2`` with ``k > 0``.

    References
    ----------
    Jespersen, Metzler and Fogedby, Phys. Rev. E 59 (1999) 2736.
    """
    require(model, LevyFlight, dim=1)
    k = _coefficient(model.potential, 1, "Harmonic")
    return float(strength(model) * (model.alpha * k) ** (-1.0 / model.alpha))


def harmonic_stable_density(model: LevyFlight) -> Callable[[ArrayLike], Any]:
    """Return the stationary density of ``dX = -k X dt + sigma dL``: `stable_pdf` with `harmonic_stable_scale`.

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, harmonic potential, constant sigma.

    Returns
    -------
    callable
        ``p(x)`` on arrays of any shape, per length.

    Raises
    ------
    ValueError
        If the potential is not ``k x^2/2``, or alpha is below 0.3.
    """
    scale = harmonic_stable_scale(model)
    alpha = _index(model.alpha)
    return lambda x: stable_pdf(x, alpha, scale)


def harmonic_stable_cdf(model: LevyFlight) -> Callable[[ArrayLike], Any]:
    """Return the stationary distribution function of ``dX = -k X dt + sigma dL``, fit for `scipy.stats.kstest`.

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, harmonic potential, constant sigma.

    Returns
    -------
    callable
        ``F(x)`` on arrays of any shape.

    Raises
    ------
    ValueError
        If the potential is not ``k x^2/2``, or alpha is below 0.3.
    """
    scale = harmonic_stable_scale(model)
    alpha = _index(model.alpha)
    return lambda x: stable_cdf(x, alpha, scale)


def quartic_stable_density(model: LevyFlight) -> Callable[[ArrayLike], Any]:
    """Return the stationary density of ``dX = -a X^3 dt + sigma dL`` for every alpha.

    Its characteristic function solves ``a phi''' = sigma^alpha k^(alpha-1) phi``. With ``m = alpha + 2``,
    ``q = sigma^alpha/(a m^3)`` the Mellin transform is (ours; normalised by phi(0) = 1, with phi'(0) = 0)

        int_0^inf k^(s-1) phi dk = C q^(-u) Gamma(u) Gamma(u + 1/m) Gamma(u + 2/m) sin(pi(u + 1/m)),  u = s/m,
        C = Gamma(1 - 1/m)/(pi m Gamma(2/m)),

    inverted as in `stable_pdf`. ``alpha = 1``, ``a = 1``: ``sigma/(pi (x^4 - sigma^(2/3) x^2 + sigma^(4/3)))``;
    ``alpha = 2``: the Gibbs law with ``D = sigma^2``. Bimodal for every alpha < 2; tails ``x^(-alpha-3)``. Relative
    error below 1e-11.

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, ``V = a x^4/4``, constant sigma.

    Returns
    -------
    callable
        ``p(x)`` on arrays of any shape, per length.

    Raises
    ------
    ValueError
        If the potential is not ``a x^4/4`` with ``a > 0``, or alpha is below 0.1.

    References
    ----------
    Chechkin, Klafter, Gonchar, Metzler and Tanatarov, Phys. Rev. E 67 (2003) 010102(R) (alpha = 1, bimodality).
    """
    scale, alpha = _quartic_scale(model), _index(model.alpha, _SMALLEST_QUARTIC)

    def density(x: ArrayLike) -> Any:
        y = np.abs(_checks.finite_array("x", x)) / scale
        if alpha == 2.0:
            p = np.exp(-(y**4) / 256.0) / (8.0 * gamma(1.25))  # in units of q^(1/4): sigma^2 = 64
        elif alpha == 1.0:  # in units of q^(1/3): sigma = 27
            p = 27.0 / (math.pi * (y**4 - 9.0 * y**2 + 81.0))
        else:
            p = _apply(_quartic_law(alpha).pdf, y)
        return (p / scale)[()]

    return density


def quartic_stable_cdf(model: LevyFlight) -> Callable[[ArrayLike], Any]:
    """Return the stationary distribution function of ``dX = -a X^3 dt + sigma dL``; see `quartic_stable_density`.

    The lower tail keeps its relative accuracy: ``P(|X| > x) = 2 F(-x)``.

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, ``V = a x^4/4``, constant sigma.

    Returns
    -------
    callable
        ``F(x)`` on arrays of any shape; absolute error below 1e-12.

    Raises
    ------
    ValueError
        If the potential is not ``a x^4/4`` with ``a > 0``, or alpha is below 0.1.
    """
    scale, alpha = _quartic_scale(model), _index(model.alpha, _SMALLEST_QUARTIC)

    def cdf(x: ArrayLike) -> Any:
        points = _checks.finite_array("x", x)
        y = np.abs(points) / scale
        upper = 0.5 * gammaincc(0.25, y**4 / 256.0) if alpha == 2.0 else _apply(_quartic_law(alpha).survival, y)
        return _from_survival(points, upper)

    return cdf


def quartic_second_moment(model: LevyFlight) -> float:
    """Return ``E X^2 = 2 q^(2/m) G(1-1/m) G(1-2/m)/(G(1+1/m) G(1+2/m))`` of the quartic stationary law.

    ``m = alpha + 2``, ``q = sigma^alpha/(a m^3)``, G the Gamma function. Finite for every alpha: the tail is
    ``x^(-alpha-3)``. At ``alpha = 1``, ``a = 1`` it is ``sigma^(2/3)``.

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, ``V = a x^4/4``, constant sigma.

    Returns
    -------
    float
        Second moment, length**2.

    Raises
    ------
    ValueError
        If the potential is not ``a x^4/4`` with ``a > 0``.
    """
    scale = _quartic_scale(model)
    return _unit_second_moment(model.alpha + 2.0) * scale**2


def quartic_density_at_zero(model: LevyFlight) -> float:
    """Return ``p(0) = q^(-1/m) G(3/m)/(m G(2/m) sin(pi/m) G(1-2/m))`` of the quartic stationary law.

    ``m = alpha + 2``, ``q = sigma^alpha/(a m^3)``, G the Gamma function.

    Parameters
    ----------
    model : LevyFlight
        One-dimensional, ``V = a x^4/4``, constant sigma.

    Returns
    -------
    float
        Density at 0, per length.

    Raises
    ------
    ValueError
        If the potential is not ``a x^4/4`` with ``a > 0``.
    """
    scale = _quartic_scale(model)
    m = model.alpha + 2.0
    p = gamma(3.0 / m) / (m * gamma(2.0 / m) * math.sin(math.pi / m) * gamma(1.0 - 2.0 / m))
    return float(p) / scale


@lru_cache(maxsize=64)
def _stable_law(alpha: float) -> SymmetricLaw:
    n = np.arange(1, 61)  # exp(-k^alpha) = sum_n (-1)^n k^(n alpha)/n!
    return SymmetricLaw(
        log_phi=lambda s: loggamma(s / alpha) - math.log(alpha),
        sine=np.ones_like,
        sector=math.pi / (2.0 * alpha),
        gap=alpha,
        powers=np.asarray(alpha * n, dtype=np.float64),
        log_size=-gammaln(n + 1.0),
        sign=np.asarray((-1.0) ** n, dtype=np.float64),
    )


@lru_cache(maxsize=64)
def _quartic_law(alpha: float) -> SymmetricLaw:
    """The law in units of ``q^(1/m)``; phi = 0F2(; 1-1/m, 1-2/m; k^m) - (E X^2/2) k^2 0F2(; 1+1/m, 1+2/m; k^m)."""
    m = alpha + 2.0
    log_c = gammaln(1.0 - 1.0 / m) - gammaln(2.0 / m) - math.log(math.pi * m)
    j = np.arange(40)

    def log_series(sign: float) -> Array:
        b, c = 1.0 + sign / m, 1.0 + 2.0 * sign / m
        return np.asarray(gammaln(b) + gammaln(c) - gammaln(j + 1.0) - gammaln(j + b) - gammaln(j + c))

    powers = np.stack([m * j, m * j + 2.0], axis=1).ravel()
    log_size = np.stack([log_series(-1.0), log_series(1.0) + math.log(0.5 * _unit_second_moment(m))], axis=1).ravel()
    sign = np.tile([1.0, -1.0], j.size)
    return SymmetricLaw(
        log_phi=lambda s: log_c + loggamma(s / m) + loggamma((s + 1.0) / m) + loggamma((s + 2.0) / m),
        sine=lambda s: np.sin(math.pi * (s + 1.0) / m),
        sector=math.pi / (2.0 * m),
        gap=m,
        powers=powers[2:],  # k^0 and k^2 leave nothing in the tail
        log_size=log_size[2:],
        sign=sign[2:],
    )


def _unit_second_moment(m: float) -> float:
    top, bottom = gamma(1.0 - 1.0 / m) * gamma(1.0 - 2.0 / m), gamma(1.0 + 1.0 / m) * gamma(1.0 + 2.0 / m)
    return float(2.0 * top / bottom)


def _stable_pdf(x: Array, alpha: float) -> Array:
    if alpha == 2.0:
        return np.asarray(np.exp(-0.25 * x**2) / math.sqrt(4.0 * math.pi))
    if alpha == 1.0:
        return np.asarray(1.0 / (math.pi * (1.0 + x**2)))
    return _apply(_stable_law(alpha).pdf, x)


def _stable_survival(x: Array, alpha: float) -> Array:
    """Return ``P(X > x)`` at unit scale for ``x >= 0``."""
    if alpha == 2.0:
        return np.asarray(0.5 * erfc(0.5 * x))
    if alpha == 1.0:
        return np.asarray(np.arctan2(1.0, x) / math.pi)
    return _apply(_stable_law(alpha).survival, x)


def _apply(function: Callable[[Array], Array], x: Array) -> Array:
    return function(x.ravel()).reshape(x.shape)


def _from_survival(x: Array, upper: Array) -> Any:
    return np.where(x > 0.0, 1.0 - upper, upper)[()]


def _index(alpha: float, smallest: float = _SMALLEST_STABLE) -> float:
    alpha = _checks.stability_index("alpha", alpha)
    if alpha < smallest:
        raise ValueError(f"alpha must be at least {smallest} for this law, got {alpha!r}")
    return alpha


def _coefficient(potential: Potential, power: int, name: str) -> float:
    """Return c if ``V' = c x^power`` with ``c > 0``, else raise."""
    c = float(potential.gradient(1.0))
    expected = c * _PROBES**power
    if c <= 0.0 or not np.allclose(potential.gradient(_PROBES), expected, rtol=1e-12, atol=0.0):
        raise ValueError(f"potential must be {name} (V' = c x**{power}, c > 0), got {potential!r}")
    return c


def _quartic_scale(model: LevyFlight) -> float:
    """Return ``q^(1/m) = (sigma^alpha/(a m^3))^(1/m)``, ``m = alpha + 2``: the unit of length of the quartic law."""
    require(model, LevyFlight, dim=1)
    a = _coefficient(model.potential, 3, "Quartic")
    m = model.alpha + 2.0
    return float((strength(model) ** model.alpha / (a * m**3)) ** (1.0 / m))
