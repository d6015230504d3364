"""Tail index of heavy-tailed data from order statistics: Hill's estimator, its plot, and the block sums of the literature.

A tail index is a property of a law, P(|X| > x) ~ x^-alpha. Four questions hide behind one number: whether the data have such a
tail at all (`hill_plot`), which index it has (`hill`), which stable law fits if the law is stable (`stable_fits`), and
whether the order of the data or unequal scales imitate it (`tail_nulls`). `block_sum` is the estimator of the literature on
gradient noise; it is right for stable data alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtri, ndtri

from shld_sim import _checks

Array = NDArray[np.float64]
LARGEST = 2.0  # the index of a stable law at most


@dataclass(frozen=True)
class TailIndex:
    """A tail index with its interval.

    Attributes
    ----------
    alpha : float
        Estimate.
    interval : tuple of float
        Confidence interval of alpha under the assumption of the estimator, named in its docstring.
    stderr : float
        Standard error under the same assumption.
    method : str
        Name of the estimator.
    n : int
        Number of data.
    used : int
        Number of them, or of their blocks, that the estimate rests on.
    confidence : float
        Level of the interval.
    """

    alpha: float
    interval: tuple[float, float]
    stderr: float
    method: str
    n: int
    used: int
    confidence: float

    def clipped(self, low: float = 1.1, high: float = 1.9) -> float:
        """Return alpha cut to [low, high], as the document on Levy dynamics does: no datum can then contradict it."""
        return min(max(self.alpha, low), high)


@dataclass(frozen=True)
class HillPlot:
    """Hill's estimate for many numbers of order statistics: a flat stretch is what a power law looks like.

    Attributes
    ----------
    k : ndarray of int, shape (m,)
        Numbers of the largest values used.
    alpha : ndarray, shape (m,)
        Estimates.
    low, high : ndarray, shape (m,)
        Ends of the pointwise confidence intervals.
    n : int
        Number of data.
    confidence : float
        Level of the intervals.
    """

    k: NDArray[np.int64]
    alpha: Array
    low: Array
    high: Array
    n: int
    confidence: float


def hill(values: ArrayLike, k: int | None = None, *, confidence: float = 0.95) -> TailIndex:
    """Return Hill's estimate ``alpha = k/sum_{i<=k} ln(x_(i)/x_(k+1))`` from the k + 1 largest absolute values.

    Where ``P(|X| > x)`` is exactly ``c x^-alpha`` above ``x_(k+1)``, ``2 k alpha/estimate`` is chi-square with 2k degrees of
    freedom, from which the interval comes: about ``+- 2 alpha/sqrt(k)``. It says nothing of the bias by a tail that is not
    a power law there; look at `hill_plot`.

    Parameters
    ----------
    values : array_like
        Data of any shape; signs are dropped, zeros refused among the largest.
    k : int, optional
        Number of the largest values, 2 <= k < n. Default: the largest tenth, as the document has it.
    confidence : float
        Level of the interval, in (0, 1).

    Returns
    -------
    TailIndex
        Estimate, interval and standard error ``alpha/sqrt(k)``.

    Raises
    ------
    ValueError
        If k is out of range, data are not finite, or the largest values are equal or zero.

    References
    ----------
    Hill, Ann. Statist. 3 (1975) 1163.
    """
    size, level = _sizes(values), _checks.probability("confidence", confidence)
    count = _count(k, len(size))
    largest = -np.sort(-np.partition(size, len(size) - count - 1)[-count - 1 :])
    alpha = _hills(largest, np.array([count]))[0]
    low, high = _hill_interval(alpha, count, level)
    return TailIndex(
        float(alpha), (float(low), float(high)), float(alpha) / math.sqrt(count), "hill", len(size), count, level
    )


def hill_plot(values: ArrayLike, k: ArrayLike | None = None, *, confidence: float = 0.95) -> HillPlot:
    """Return Hill's estimate against the number k of the largest values it uses.

    Parameters
    ----------
    values : array_like
        Data of any shape; signs are dropped.
    k : array_like of int, optional
        Numbers of the largest values. Default: fifty between 5 and half of n, evenly on a logarithmic scale.
    confidence : float
        Level of the pointwise intervals, as in `hill`.

    Returns
    -------
    HillPlot
        Estimates and intervals.

    Raises
    ------
    ValueError
        As `hill`.
    """
    size, level = _sizes(values), _checks.probability("confidence", confidence)
    n = len(size)
    wanted = np.geomspace(min(5, n // 2), max(n // 2, 2), 50) if k is None else _checks.finite_array("k", k).ravel()
    counts = np.unique(wanted.astype(np.int64))
    for end in (int(counts[0]), int(counts[-1])):
        _count(end, n)
    alpha = _hills(-np.sort(-size), counts)
    low, high = _hill_interval(alpha, counts, level)
    return HillPlot(counts, alpha, low, high, n, level)


def block_sum(values: ArrayLike, block: int | None = None, *, confidence: float = 0.95) -> TailIndex:
    """Return ``1/alpha = (mean ln|Y| - mean ln|X|)/ln m`` with Y the sums of m consecutive values.

    For a stable law centred at 0 ``Y = m^(1/alpha) X`` in law, and the estimate is right. **For any other law it is not**: where
    all moments exist Y is nearly normal and ``1/alpha = 1/2 + (ln sd X - (0.5772 + ln 2)/2 - E ln|X|)/ln m``, below 2 for all
    data more peaked than the normal, however light their tail; see `theory.block_sum_limit`. The order of the data matters.

    Parameters
    ----------
    values : array_like
        Data of any shape, in the order of the array, centred at 0; the rest of an incomplete block is left out.
    block : int, optional
        m, 2 <= m <= n/2. Default: the square root of n.
    confidence : float
        Level of the interval: that of the mean over independent blocks.

    Returns
    -------
    TailIndex
        Estimate and interval; ``used`` is the number of blocks.

    Raises
    ------
    ValueError
        If ``block`` is out of range, data are not finite, or a value or sum is zero.

    References
    ----------
    Mohammadi, Mohammadpour and Ogata, Metrika 78 (2015) 549; Simsekli, Sagun and Gurbuzbalaban, ICML (2019).
    """
    x, level = _checks.finite_array("values", values).ravel(), _checks.probability("confidence", confidence)
    m = _block(block, len(x))
    parts = x[: len(x) // m * m].reshape(-1, m)
    gains = _log_gain(parts)
    inverse, error = float(gains.mean()), float(gains.std(ddof=1)) / math.sqrt(len(gains))
    z = float(ndtri(0.5 * (1.0 + level)))
    low, high = inverse - z * error, inverse + z * error
    interval = 1.0 / high if high > 0.0 else math.inf, 1.0 / low if low > 0.0 else math.inf
    alpha = 1.0 / inverse if inverse > 0.0 else math.inf
    return TailIndex(alpha, interval, error * alpha**2, "block_sum", len(x), len(parts), level)


def sample(values: ArrayLike) -> Array:
    """Return the values as a flat array, or say why they are no sample to judge a tail by."""
    x = _checks.finite_array("values", values).ravel()
    if len(x) < 20:
        raise ValueError(f"values must be 20 numbers or more, got {len(x)}")
    return x


def _sizes(values: ArrayLike) -> Array:
    size = np.abs(_checks.finite_array("values", values)).ravel()
    if len(size) < 3:
        raise ValueError(f"values must be 3 numbers or more, got {len(size)}")
    return size


def _count(k: int | None, n: int) -> int:
    count = max(2, n // 10) if k is None else _checks.integer("k", k, 2)
    if count >= n:
        raise ValueError(f"k must be below the number of values, {n}, got {count}")
    return count


def _hills(largest: Array, counts: NDArray[np.int64]) -> Array:
    """Return Hill's estimates from values sorted downwards."""
    if largest[counts[-1]] <= 0.0:
        raise ValueError(f"values must not be zero among the {int(counts[-1]) + 1} largest")
    logs = np.log(largest[: counts[-1] + 1])
    total = np.cumsum(logs)[counts - 1] - counts * logs[counts]
    if np.any(total <= 0.0):
        raise ValueError("values must differ among the largest: the logarithms of their ratios add up to 0")
    return np.asarray(counts / total)


def _hill_interval(alpha: Any, count: Any, level: float) -> tuple[Any, Any]:
    ends = [chdtri(2 * count, 0.5 * (1.0 + sign * level)) / (2 * count) for sign in (1.0, -1.0)]
    return alpha * ends[0], alpha * ends[1]


def _block(block: int | None, n: int) -> int:
    m = max(2, math.isqrt(n)) if block is None else _checks.integer("block", block, 2)
    if 2 * m > n:
        raise ValueError(f"block must be at most half of the number of values, {n}, got {m}")
    return m


def _log_gain(parts: Array) -> Array:
    """Return (ln|sum| - mean ln|x|)/ln m of each block."""
    sums = np.abs(parts.sum(axis=1))
    if not (parts.all() and sums.all()):
        raise ValueError("values must not be zero, nor the sums of blocks: their logarithms are averaged")
    return np.asarray((np.log(sums) - np.log(np.abs(parts)).mean(axis=1)) / math.log(parts.shape[1]))
