"""Linear multiplicative noise: almost-sure and mean-square exponents, in continuous time and for the discrete chain."""

from __future__ import annotations

import math

from scipy.special import dawsn, digamma

from shld_sim import _checks
from shld_sim.theory._panels import gauss_legendre


def almost_sure_exponent(lam: float, s: float) -> float:
    """Return ``-(lam + s^2/2)``, the almost sure rate ``lim ln|X_t|/t`` of ``dX = -lam X dt + s X dW`` (Ito).

    Parameters
    ----------
    lam : float
        Restoring rate, 1/time (any sign).
    s : float
        Noise strength, 1/time**(1/2), not negative.

    Returns
    -------
    float
        Exponent, 1/time; below 0 every path decays.

    Raises
    ------
    ValueError
        If ``s`` is negative.
    """
    lam, s = _checks.number("lam", lam), _checks.nonnegative("s", s)
    return -(lam + 0.5 * s * s)


def mean_square_exponent(lam: float, s: float) -> float:
    """Return ``-2 lam + s^2``, the rate of ``E X_t^2 = x0^2 e^{(-2 lam + s^2) t}`` for ``dX = -lam X dt + s X dW``.

    Parameters
    ----------
    lam : float
        Restoring rate, 1/time (any sign).
    s : float
        Noise strength, 1/time**(1/2), not negative.

    Returns
    -------
    float
        Exponent, 1/time; below 0 iff `gamma_linear` exceeds 1.

    Raises
    ------
    ValueError
        If ``s`` is negative.
    """
    lam, s = _checks.number("lam", lam), _checks.nonnegative("s", s)
    return -2.0 * lam + s * s


def gamma_linear(lam: float, s: float) -> float:
    """Return ``Gamma_H = 2 lam/s^2`` of ``dX = -lam X dt + s X dW``: ``V = lam x^2/2``, ``D_s = s^2 x^2/2``.

    The same at every x. The document's own ``Gamma = |V'|^2/D_s`` is ``lam`` times this.

    Parameters
    ----------
    lam : float
        Restoring rate, 1/time (any sign).
    s : float
        Noise strength, 1/time**(1/2), positive.

    Returns
    -------
    float
        Ratio of drift to diffusion, dimensionless.

    Raises
    ------
    ValueError
        If ``s`` is not positive.
    """
    lam, s = _checks.number("lam", lam), _checks.positive("s", s)
    return 2.0 * lam / (s * s)


def kesten_tail_exponent(lam: float, s: float) -> float:
    """Return ``kappa = 1 + 2 lam/s^2`` in ``P(|X| > x) ~ x^-kappa`` for ``dX = -lam X dt + s X dW + sqrt(2 D0) dW'``.

    From the stationary density ``p ~ (D0 + s^2 x^2/2)^(-1 - lam/s^2)``, whatever ``D0 > 0``. The variance is finite
    iff ``kappa > 2``, that is ``Gamma_H > 1``.

    Parameters
    ----------
    lam : float
        Restoring rate, 1/time, above ``-s^2/2``.
    s : float
        Multiplicative noise strength, 1/time**(1/2), positive.

    Returns
    -------
    float
        Tail exponent of the distribution function.

    Raises
    ------
    ValueError
        If ``s`` is not positive or there is no stationary law (``lam <= -s^2/2``).

    References
    ----------
    Kesten, Acta Math. 131 (1973) 207 (for the discrete recursion).
    """
    lam, s = _checks.number("lam", lam), _checks.positive("s", s)
    if lam <= -0.5 * s * s:
        raise ValueError(f"lam must exceed -s^2/2 = {-0.5 * s * s!r} for a stationary law, got {lam!r}")
    return 1.0 + 2.0 * lam / (s * s)


def chain_almost_sure_exponent(eta: float, lam: float, s: float) -> float:
    """Return ``E ln|1 - eta(lam + s xi)|``, the almost sure rate per step of ``x' = (1 - eta(lam + s xi)) x``.

    ``xi`` is standard Gaussian.

    With ``m = 1 - eta lam``, ``r = eta s``, ``w = |m|/(sqrt(2) r)``:
    ``E ln|m + r xi| = ln r + (ln 2 + psi(1/2))/2 + 2 int_0^w F(v) dv``, F the Dawson integral (from the Poisson mixture
    of the noncentral chi-square law, differentiated in its parameter); for ``w > 8`` the asymptotic series
    ``ln|m| - sum_n (2n-1)!!/(2n) (r/m)^(2n)``. Absolute error about 1e-15.

    Parameters
    ----------
    eta : float
        Step, time.
    lam : float
        Curvature, 1/time (any sign).
    s : float
        Standard deviation of the curvature noise, 1/time, not negative.

    Returns
    -------
    float
        Exponent per step; below 0 every path decays. ``-inf`` when ``s == 0`` and ``eta lam == 1``.

    Raises
    ------
    ValueError
        If ``eta`` is not positive or ``s`` is negative.
    """
    eta, lam, s = _checks.positive("eta", eta), _checks.number("lam", lam), _checks.nonnegative("s", s)
    m, r = abs(1.0 - eta * lam), eta * s
    if r == 0.0:
        return math.log(m) if m > 0.0 else -math.inf
    w = m / (math.sqrt(2.0) * r)
    if w > 8.0:
        total, term = 0.0, 1.0
        for n in range(1, 20):  # term = (2n-1)!! (r/m)^(2n), falling up to n ~ w^2 > 64
            term *= (2 * n - 1) * (r / m) ** 2
            total += term / (2 * n)
        return math.log(m) - total
    rule = gauss_legendre(64)
    dawson = 0.5 * w * float(rule.weights @ dawsn(0.5 * w * (1.0 + rule.nodes)))
    return math.log(r) + 0.5 * (math.log(2.0) + float(digamma(0.5))) + 2.0 * dawson


def chain_mean_square_factor(eta: float, lam: float, s: float) -> float:
    """Return ``(1 - eta lam)^2 + eta^2 s^2``, the factor of ``E x^2`` per step of ``x' = (1 - eta(lam + s xi)) x``.

    Parameters
    ----------
    eta : float
        Step, time.
    lam : float
        Curvature, 1/time (any sign).
    s : float
        Standard deviation of the curvature noise, 1/time, not negative.

    Returns
    -------
    float
        Factor per step; below 1 the mean square decays.

    Raises
    ------
    ValueError
        If ``eta`` is not positive or ``s`` is negative.
    """
    eta, lam, s = _checks.positive("eta", eta), _checks.number("lam", lam), _checks.nonnegative("s", s)
    return (1.0 - eta * lam) ** 2 + (eta * s) ** 2


def chain_mean_square_threshold(lam: float, s: float) -> float:
    """Return ``2 lam/(lam^2 + s^2)``, the step below which the mean square of the chain decays.

    Parameters
    ----------
    lam : float
        Curvature, 1/time, positive.
    s : float
        Standard deviation of the curvature noise, 1/time, not negative.

    Returns
    -------
    float
        Largest step, time; ``2/lam`` without noise.

    Raises
    ------
    ValueError
        If ``lam`` is not positive or ``s`` is negative.
    """
    lam, s = _checks.positive("lam", lam), _checks.nonnegative("s", s)
    return 2.0 * lam / (lam * lam + s * s)


def return_probability(lam: float, s: float, ratio: float) -> float:
    """Return the probability that a path of ``dX = -lam X dt + s X dW`` (Ito) started at x ever reaches ``ratio x``.

    ``ln X`` is a Brownian motion with drift ``-(lam + s^2/2)`` and variance ``s^2`` a unit of time, so that upwards it is
    ``ratio^-(1 + 2 lam/s^2)`` where the drift points down, and 1 where it does not. Below, likewise with the drift up.

    Parameters
    ----------
    lam : float
        Restoring rate, 1/time (any sign).
    s : float
        Noise strength, 1/time**(1/2), positive.
    ratio : float
        Level over start, positive.

    Returns
    -------
    float
        Probability; 1 for both directions, recurrence, only at ``2 lam/s^2 = -1``.

    Raises
    ------
    ValueError
        If ``s`` or ``ratio`` is not positive.
    """
    kappa = 1.0 + gamma_linear(lam, s)
    return min(1.0, math.exp(-kappa * math.log(_checks.positive("ratio", ratio))))


def mean_return_time(lam: float, s: float, D0: float, x0: float) -> float:
    """Return the mean time from x0 to 0 of ``dX = -lam X dt + s X dW + sqrt(2 D0) dB`` (Ito).

    With ``kappa = 1 + 2 lam/s^2`` and ``sinh U = s |x0|/sqrt(2 D0)`` it is
    ``(2/s^2) int_0^U dv int_0^inf dw (cosh v/cosh(v + w))^kappa``; finite iff kappa > 0. At ``2 lam = s^2`` it is
    ``(U + (1 - exp(-2U))/2)/s^2``.

    Parameters
    ----------
    lam : float
        Restoring rate, 1/time, above ``-s^2/2``.
    s : float
        Multiplicative noise strength, 1/time**(1/2), positive.
    D0 : float
        Additive noise strength, length**2/time, positive.
    x0 : float
        Start, length.

    Returns
    -------
    float
        Mean time; relative error about 1e-9.

    Raises
    ------
    ValueError
        If ``s`` or ``D0`` is not positive, or ``lam <= -s^2/2``, where the mean is infinite.
    """
    from scipy.integrate import quad

    kappa = kesten_tail_exponent(lam, s)
    far = math.asinh(s * abs(_checks.number("x0", x0)) / math.sqrt(2.0 * _checks.positive("D0", D0)))

    def log_ratio(v: float, w: float) -> float:
        # ln(cosh v/cosh(v + w)) for v, w >= 0
        return -w + math.log1p(math.exp(-2.0 * v)) - math.log1p(math.exp(-2.0 * (v + w)))

    def inner(v: float) -> float:
        return float(quad(lambda w: math.exp(kappa * log_ratio(v, w)), 0.0, math.inf, epsabs=0.0, epsrel=1e-10)[0])

    return 2.0 / s**2 * float(quad(inner, 0.0, far, epsabs=0.0, epsrel=1e-10)[0]) if far > 0.0 else 0.0
