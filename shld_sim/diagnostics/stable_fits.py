"""Fits of the symmetric stable law: McCulloch's quantiles, the characteristic function, maximum likelihood."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline
from scipy.special import chdtri, ndtri

from shld_sim import _checks
from shld_sim.diagnostics.tail import LARGEST, TailIndex, sample
from shld_sim.theory import stable_pdf, stable_ppf

Array = NDArray[np.float64]
SMALLEST = 0.5  # index that fits look for
KNOTS = 0.008  # distance of the knots of ln p in asinh|x|
# Values of alpha at which the likelihood is computed: near 2 its scale is 2 - alpha, the weight of the tail.
_LATTICE = np.concatenate([np.linspace(0.5, 1.9, 71), 2.0 - 0.1 * 0.8 ** np.arange(1, 50), [2.0]])


@dataclass(frozen=True)
class StableFit(TailIndex):
    """A symmetric stable law ``E e^{ik(X - location)} = exp(-|scale k|^alpha)`` fitted to data.

    Attributes
    ----------
    alpha : float
        Index, in (0, 2].
    interval : tuple of float
        Confidence interval of alpha, for independent data of a symmetric stable law.
    stderr : float
        Standard error of alpha.
    method : str
        Name of the estimator.
    n, used : int
        Number of data.
    confidence : float
        Level of the intervals.
    scale : float
        Scale, in the unit of the data.
    scale_interval : tuple of float
        Confidence interval of the scale.
    location : float
        The median of the data, or the value given.
    """

    scale: float
    scale_interval: tuple[float, float]
    location: float


def stable_quantiles(values: ArrayLike, *, location: float | None = None, confidence: float = 0.95) -> StableFit:
    """Fit a symmetric stable law by quantiles: alpha from ``(q_.95 - q_.05)/(q_.75 - q_.25)``, the scale from ``q_.75 - q_.25``.

    McCulloch's estimator for symmetric data; its tables are computed here from `theory.stable_ppf`. Standard errors come
    from the joint normal limit of sample quantiles, ``cov(q_i, q_j) = u_i (1 - u_j)/(n p_i p_j)``, at the fitted law.

    Parameters
    ----------
    values : array_like
        Data of any shape, 20 or more.
    location : float, optional
        Centre of the law; reported, not needed by the fit. Default: the median.
    confidence : float
        Level of the intervals, in (0, 1).

    Returns
    -------
    StableFit
        alpha in [0.5, 2], scale and intervals.

    Raises
    ------
    ValueError
        If there are fewer than 20 data, they are not finite, or half of them are equal.

    References
    ----------
    McCulloch, Commun. Statist. Simul. 15 (1986) 1109.
    """
    x, level = sample(values), _checks.probability("confidence", confidence)
    middle = float(np.median(x)) if location is None else _checks.number("location", location)
    shares = np.array([0.05, 0.25, 0.75, 0.95])
    q = np.quantile(x, shares)
    if q[2] == q[1]:
        raise ValueError("values must not be equal in their middle half: q_.75 = q_.25")
    alphas, ratios, widths, densities = _mcculloch()
    ratio = (q[3] - q[0]) / (q[2] - q[1])
    # ratios fall with alpha
    alpha = float(np.interp(-ratio, -ratios, alphas))
    scale = float((q[2] - q[1]) / np.interp(alpha, alphas, widths))
    # delta method: d alpha = d ratio/ratio'(alpha); ln scale = ln(q_.75 - q_.25) - ln width(alpha)
    slope = float(CubicSpline(alphas, ratios)(alpha, 1))
    spread = float(CubicSpline(alphas, np.log(widths))(alpha, 1))
    outer, inner_density = (float(np.interp(alpha, alphas, row)) / scale for row in densities)
    p = np.array([outer, inner_density, inner_density, outer])
    covariance = np.minimum.outer(shares, shares) * (1.0 - np.maximum.outer(shares, shares)) / np.outer(p, p) / len(x)
    inner = np.array([0.0, -1.0, 1.0, 0.0]) / (q[2] - q[1])
    to_alpha = ratio * (np.array([-1.0, 0.0, 0.0, 1.0]) / (q[3] - q[0]) - inner) / slope
    to_scale = inner - spread * to_alpha
    errors = [math.sqrt(float(v @ covariance @ v)) for v in (to_alpha, to_scale)]
    return _wald(alpha, scale, errors, middle, "quantiles", len(x), level)


def stable_characteristic(values: ArrayLike, *, location: float | None = None, confidence: float = 0.95) -> StableFit:
    """Fit a symmetric stable law by regression of ``ln(-ln phi(k)) = alpha ln k + alpha ln scale`` on ln k.

    phi is the mean of ``cos(k (x - location))`` at ten wave numbers from 0.1 to 1 over a first scale, the interquartile range
    over two. The covariance of phi is exact, ``(phi(k + q) + phi(k - q))/2 - phi(k) phi(q)`` over n at the fitted law; with it
    as weight the regression is nearly as good as maximum likelihood, and it gives the standard errors.

    Parameters
    ----------
    values : array_like
        Data of any shape, 20 or more.
    location : float, optional
        Centre of the law. Default: the median.
    confidence : float
        Level of the intervals, in (0, 1).

    Returns
    -------
    StableFit
        alpha in [0.5, 2], scale and intervals.

    Raises
    ------
    ValueError
        If there are fewer than 20 data, they are not finite, or half of them are equal.

    References
    ----------
    Koutrouvelis, J. Am. Stat. Assoc. 75 (1980) 918; Kogon and Williams, in A Practical Guide to Heavy Tails (1998), 311.
    """
    x, level = sample(values), _checks.probability("confidence", confidence)
    middle = float(np.median(x)) if location is None else _checks.number("location", location)
    unit = 0.5 * float(np.subtract(*np.quantile(x, [0.75, 0.25])))
    if unit == 0.0:
        raise ValueError("values must not be equal in their middle half: q_.75 = q_.25")
    k = np.linspace(0.1, 1.0, 10)
    phi = np.array([np.cos(wave / unit * (x - middle)).mean() for wave in k])
    phi = np.clip(phi, 1e-3, 1.0 - 1e-9)
    y, design = np.log(-np.log(phi)), np.stack([np.log(k), np.ones_like(k)], axis=1)
    alpha, offset = np.linalg.lstsq(design, y, rcond=None)[0]
    for _ in range(2):  # the weights once from the first fit, once from the second
        alpha = float(np.clip(alpha, SMALLEST, LARGEST))
        rate = math.exp(offset)

        def model(wave: Array, alpha: float = alpha, rate: float = rate) -> Array:
            return np.asarray(np.exp(-rate * np.abs(wave) ** alpha))

        fitted = model(k)
        covariance = 0.5 * (model(np.add.outer(k, k)) + model(np.subtract.outer(k, k))) - np.outer(fitted, fitted)
        gain = 1.0 / (fitted * np.log(fitted))  # d ln(-ln phi)/d phi
        weight = np.linalg.pinv(covariance * np.outer(gain, gain) / len(x), rcond=1e-6, hermitian=True)
        inverse = np.linalg.inv(design.T @ weight @ design)
        alpha, offset = inverse @ (design.T @ weight @ y)
    alpha = float(np.clip(alpha, SMALLEST, LARGEST))
    scale = unit * math.exp(offset / alpha)
    to_scale = np.array([-offset / alpha**2, 1.0 / alpha])
    errors = [math.sqrt(float(inverse[0, 0])), math.sqrt(float(to_scale @ inverse @ to_scale))]
    return _wald(alpha, scale, errors, middle, "characteristic", len(x), level)


def stable_likelihood(values: ArrayLike, *, location: float | None = None, confidence: float = 0.95) -> StableFit:
    """Fit a symmetric stable law by maximum likelihood in alpha and scale.

    The interval of alpha is that of the profile likelihood: all alpha with ``2 (max l - max_scale l(alpha))`` below the
    quantile of chi-square with one degree of freedom. It knows the end at alpha = 2, where it is conservative. The density
    is `theory.stable_pdf`, tabulated in ``asinh x`` at 121 values of alpha, .02 apart and ever closer towards 2; between them
    the profile is a cubic spline. The location, by symmetry, is independent of alpha and scale to first order, so that the
    median will do.

    Parameters
    ----------
    values : array_like
        Data of any shape, 20 or more.
    location : float, optional
        Centre of the law. Default: the median.
    confidence : float
        Level of the intervals, in (0, 1).

    Returns
    -------
    StableFit
        alpha in [0.5, 2], scale and intervals. ``stderr`` is the width of the interval over that of a normal one.

    Raises
    ------
    ValueError
        If there are fewer than 20 data, they are not finite, or half of them are equal.

    References
    ----------
    DuMouchel, Ann. Statist. 1 (1973) 948; Nolan, in Levy Processes (2001), 379.
    """
    x, level = sample(values), _checks.probability("confidence", confidence)
    middle = float(np.median(x)) if location is None else _checks.number("location", location)
    first, size = stable_quantiles(x), np.abs(x - middle)
    allowed = 0.5 * float(chdtri(1, 1.0 - level))
    # profile: lattice point -> largest log likelihood at its alpha, ln scale where it is
    start = int(np.argmin(np.abs(_LATTICE - first.alpha)))
    stride = min(max(int(first.stderr / 0.04), 1), 4)  # few data have a wide and smooth profile
    made = {start: _best_scale(size, float(_LATTICE[start]), math.log(first.scale))}
    for sign, end in ((-1, 0), (1, len(_LATTICE) - 1)):
        j, beyond = start, 0
        while j != end and beyond < 3:  # three points outside the interval, for the spline
            last, j = j, min(max(j + sign * stride, 0), len(_LATTICE) - 1)
            made[j] = _best_scale(size, float(_LATTICE[j]), made[last][1])
            best = max(value for value, _ in made.values())
            beyond = beyond + 1 if made[j][0] < best - allowed else 0
    where = np.array(sorted(made))
    profile, scales = (np.array([made[j][i] for j in where]) for i in range(2))
    log_likelihood, ln_scale = CubicSpline(where, profile), CubicSpline(where, scales)
    turns = log_likelihood.derivative().roots(extrapolate=False)
    tried = np.concatenate([where[[0, -1]], turns[np.isfinite(turns)]])
    top = float(tried[np.argmax(log_likelihood(tried))])
    crossed = log_likelihood.solve(float(log_likelihood(top)) - allowed, extrapolate=False)
    left, right = crossed[crossed < top], crossed[crossed > top]
    spots = (float(left[-1]) if len(left) else float(where[0]), float(right[0]) if len(right) else float(where[-1]))
    alpha, low, high = (float(np.interp(spot, np.arange(len(_LATTICE)), _LATTICE)) for spot in (top, *spots))
    log_scale = float(ln_scale(top))
    z = float(ndtri(0.5 * (1.0 + level)))
    stderr = (high - low) / (2.0 * z) if alpha < LARGEST else (high - low) / z
    # var ln scale = its variance at fixed alpha + (d ln scale/d alpha)^2 var alpha, for a quadratic log likelihood
    tilt = float(ln_scale(spots[1]) - ln_scale(spots[0])) / max(high - low, 1e-12)
    bend = _log_likelihood(size, float(_LATTICE[round(top)]), log_scale)[2]
    spread = math.hypot(1.0 / math.sqrt(-bend), tilt * stderr)
    scale = math.exp(log_scale)
    ends = scale * math.exp(-z * spread), scale * math.exp(z * spread)
    return StableFit(alpha, (low, high), stderr, "likelihood", len(x), len(x), level, scale, ends, middle)


@lru_cache(maxsize=1)
def _mcculloch() -> tuple[Array, Array, Array, Array]:
    """Return alphas from 0.5 to 2 and, at unit scale, (q_.95 - q_.05)/(q_.75 - q_.25), q_.75 - q_.25, p(q_.95), p(q_.75)."""
    # computed at 20 Chebyshev points: the polynomial through their logarithms is right to 4e-7 (quantiles), 5e-6 (densities)
    nodes = 0.5 * (SMALLEST + LARGEST) + 0.5 * (LARGEST - SMALLEST) * np.cos(np.pi * np.arange(20) / 19)
    quantiles = np.array([stable_ppf([0.95, 0.75], float(alpha)) for alpha in nodes])
    densities = np.array([stable_pdf(q, float(alpha)) for q, alpha in zip(quantiles, nodes, strict=True)])
    alphas = np.linspace(SMALLEST, LARGEST, 301)
    quantiles, densities = (
        np.exp([Chebyshev.fit(nodes, column, 19)(alphas) for column in np.log(known).T]).T
        for known in (quantiles, densities)
    )
    return alphas, quantiles[:, 0] / quantiles[:, 1], 2.0 * quantiles[:, 1], densities.T


@lru_cache(maxsize=len(_LATTICE))
def _log_density(alpha: float) -> CubicSpline:
    """Return ln p of the unit stable law as a spline in u = asinh|x|; for alpha = 2 it is exact and not needed."""
    u = np.arange(0.0, 24.0, KNOTS)
    values = np.log(stable_pdf(np.sinh(u), alpha))
    return CubicSpline(u, values, bc_type=((1, 0.0), (1, -(1.0 + alpha))))  # even at 0; x^-(1 + alpha) far out


def _log_likelihood(size: Array, alpha: float, log_scale: float) -> tuple[float, float, float]:
    """Return the log likelihood of |x| and its first two derivatives with respect to ln scale."""
    y = size * math.exp(-log_scale)
    n = len(size)
    if alpha == 2.0:  # ln p = -y^2/4 - ln(4 pi)/2
        total = float(y @ y)
        return -0.25 * total - n * (0.5 * math.log(4.0 * math.pi) + log_scale), 0.5 * total - n, -total
    u, log_p = np.arcsinh(y), _log_density(alpha)
    inside = u < 23.9
    v = np.where(inside, u, 23.9)
    # the knots are equally spaced: the cubic of each value and its derivatives, without a search
    place = (v / KNOTS).astype(np.intp)
    c3, c2, c1, c0 = log_p.c[:, place]
    h = v - KNOTS * place
    value = c0 + h * (c1 + h * (c2 + h * c3)) - (1.0 + alpha) * (u - v)
    slope, bend = c1 + h * (2.0 * c2 + h * 3.0 * c3), 2.0 * c2 + h * 6.0 * c3
    # d u/d ln scale = -y/sqrt(1 + y^2) = -tanh u, and its derivative
    turn = np.tanh(u)
    first = -slope * turn
    second = np.where(inside, bend, 0.0) * turn**2 + slope * turn * (1.0 - turn**2)
    return float(value.sum()) - n * log_scale, float(first.sum()) - n, float(second.sum())


def _best_scale(size: Array, alpha: float, start: float) -> tuple[float, float]:
    """Return the largest log likelihood at this alpha and its ln scale, by Newton's iteration with bounded steps."""
    log_scale = start
    for _ in range(60):
        value, first, second = _log_likelihood(size, alpha, log_scale)
        step = -first / second if second < 0.0 else math.copysign(0.5, first)
        step = min(max(step, -1.0), 1.0)
        if abs(step) < 1e-6:
            break
        log_scale += step
    return value, log_scale


def _wald(
    alpha: float, scale: float, errors: list[float], middle: float, method: str, n: int, level: float
) -> StableFit:
    z = float(ndtri(0.5 * (1.0 + level)))
    interval = max(alpha - z * errors[0], 0.0), min(alpha + z * errors[0], LARGEST)
    scales = scale * math.exp(-z * errors[1]), scale * math.exp(z * errors[1])
    return StableFit(alpha, interval, errors[0], method, n, n, level, scale, scales, middle)
