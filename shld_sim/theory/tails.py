"""Large jumps of stable noise, what the block-sum estimator of a tail index converges to, and what Hill's can tell apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks
from shld_sim.models import LevyFlight, require
from shld_sim.theory._strength import strength
from shld_sim.theory.stable import stable_cdf


def jump_rate(model: LevyFlight, r: ArrayLike) -> Any:
    """Return the number of jumps per time longer than r, ``c sigma^alpha r^-alpha``.

    Isotropic noise has the jump measure ``(alpha/S) c sigma^alpha |z|^-(d + alpha) dz`` with S the area of the unit sphere and
    ``c = 2^alpha Gamma((d + alpha)/2)/(Gamma(d/2) Gamma(1 - alpha/2))``. Independent components jump along the axes, one at a
    time: d times the c of one dimension, ``2 Gamma(alpha) sin(pi alpha/2)/pi``. ``P(|X_t| > r) -> t jump_rate`` for large r.

    Parameters
    ----------
    model : LevyFlight
        Constant sigma; the potential does not matter.
    r : array_like
        Lengths, positive.

    Returns
    -------
    float or ndarray
        Rates, 1/time; 0 for alpha = 2.

    Raises
    ------
    ValueError
        If a length is not positive.

    References
    ----------
    Samorodnitsky and Taqqu, Stable Non-Gaussian Random Processes (1994), theorem 2.3.1 and section 2.5.
    """
    require(model, LevyFlight)
    lengths = _checks.finite_array("r", r)
    if np.any(lengths <= 0.0):
        raise ValueError(f"r must be positive, got {float(lengths.min())!r}")
    alpha, each = model.alpha, model.components == "independent"
    d = 1 if each else model.dim
    if alpha == 2.0:
        c = 0.0
    else:
        c = 2.0**alpha * math.gamma(0.5 * (d + alpha)) / (math.gamma(0.5 * d) * math.gamma(1.0 - 0.5 * alpha))
    return ((model.dim if each else 1) * c * (strength(model) / lengths) ** alpha)[()]


def block_sum_limit(sd: float, mean_log: float, block: int) -> float:
    """Return the alpha that `diagnostics.block_sum` finds in data with a variance, for blocks whose sums are normal.

    ``1/alpha = (E ln|Y| - E ln|X|)/ln m`` with ``E ln|Y| = ln(sqrt(m) sd) - (gamma_E + ln 2)/2``, so that

        1/alpha = 1/2 + (ln sd - (gamma_E + ln 2)/2 - E ln|X|)/ln m.

    The bracket is 0 for normal data and positive for a mixture of normal laws of unequal scale (Jensen); it goes away no
    faster than 1/ln m.

    Parameters
    ----------
    sd : float
        Standard deviation of X, whose mean is 0.
    mean_log : float
        ``E ln|X|``.
    block : int
        m, data in a block.

    Returns
    -------
    float
        alpha; infinite where 1/alpha is not positive.

    Raises
    ------
    ValueError
        If ``sd`` is not positive or ``block`` below 2.
    """
    m = _checks.integer("block", block, 2)
    gap = math.log(_checks.positive("sd", sd)) - 0.5 * (float(np.euler_gamma) + math.log(2.0))
    inverse = 0.5 + (gap - _checks.number("mean_log", mean_log)) / math.log(m)
    return 1.0 / inverse if inverse > 0.0 else math.inf


def downhill_probability(ratio: ArrayLike, alpha: float) -> Any:
    """Return ``F_alpha(ratio)``, the probability that a gradient with stable noise points down the slope.

    A noisy gradient ``mu + s xi`` with ``E e^{ikxi} = e^{-|k|^alpha}`` along mu has the sign of mu with this probability; it
    depends on the ratio ``mu/s`` alone, in any unit. At 1 it is 3/4 for alpha = 1 and 0.760 for alpha = 2.

    Parameters
    ----------
    ratio : array_like
        ``mu/s``, signal over the scale of the noise.
    alpha : float
        Stability index in [0.3, 2].

    Returns
    -------
    float or ndarray
        Probabilities.

    Raises
    ------
    ValueError
        If alpha is outside [0.3, 2].
    """
    return stable_cdf(ratio, alpha)


def hill_fall_probability(before: float, after: float, k: int = 10) -> float:
    """Return the probability that Hill's estimate from k values falls when the index falls from ``before`` to ``after``.

    Where the tail is a power law the estimate is ``2 k alpha/chi^2_2k``, and of two independent ones the second is smaller iff
    ``F < before/after``, with F of the F law with 2k and 2k degrees of freedom. It is 1/2 when nothing falls.

    Parameters
    ----------
    before, after : float
        Tail indices, positive.
    k : int
        Number of the largest values: 10 in the document, of 100.

    Returns
    -------
    float
        Probability.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    from scipy.special import fdtr

    ratio = _checks.positive("before", before) / _checks.positive("after", after)
    count = _checks.integer("k", k)
    return float(fdtr(2 * count, 2 * count, ratio))


def hill_log_spread(k: int = 10) -> float:
    """Return the standard deviation of the logarithm of Hill's estimate from k values of a power law, ``sqrt(psi'(k))``.

    ``ln(chi^2_2k)`` has the variance of the trigamma function at k; about ``1/sqrt(k)``.

    Parameters
    ----------
    k : int
        Number of the largest values.

    Returns
    -------
    float
        Standard deviation.

    Raises
    ------
    ValueError
        If k is not positive.
    """
    from scipy.special import polygamma

    return math.sqrt(float(polygamma(1, _checks.integer("k", k))))
