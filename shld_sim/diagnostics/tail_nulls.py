"""Two checks of a tail index: the order of the data shuffled, and a Gaussian mixture of scales with no heavy tail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.diagnostics.tail import TailIndex, block_sum

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NullComparison:
    """An index of data against the same index of data drawn under a null hypothesis.

    Attributes
    ----------
    observed : float
        The index of the data.
    null : ndarray, shape (draws,)
        The index of each draw, sorted.
    interval : tuple of float
        Central part of ``null`` with the share ``confidence`` of the draws.
    p_value : float
        Two-sided: ``2 min(share below, share above)``, the data counted among the draws, so that it is exact, if
        conservative, for exchangeable draws.
    confidence : float
        Level of the interval.
    """

    observed: float
    null: Array
    interval: tuple[float, float]
    p_value: float
    confidence: float


def shuffle_check(
    values: ArrayLike, block: int | None = None, *, draws: int = 200, seed: Any = 0, confidence: float = 0.95
) -> NullComparison:
    """Compare `block_sum` of the data in their order with that of shuffled data.

    The tail of a law does not depend on the order; `block_sum` does. If the order matters the data are not independent with
    one law, and no index of them all means anything.

    Parameters
    ----------
    values : array_like
        Data, in their order.
    block : int, optional
        As in `block_sum`.
    draws : int
        Number of shuffles.
    seed : int or numpy.random.SeedSequence
        Seed of the shuffles.
    confidence : float
        Level of the interval.

    Returns
    -------
    NullComparison
        The index as given, the indices of the shuffled data, and the exact p-value of a permutation test.

    Raises
    ------
    ValueError
        As `block_sum`.
    """
    x, rng = _checks.finite_array("values", values).ravel(), np.random.default_rng(seed)
    observed = block_sum(x, block).alpha
    null = [block_sum(rng.permutation(x), block).alpha for _ in range(_checks.integer("draws", draws, 10))]
    return _compared(observed, null, confidence)


def scale_mixture_null(
    values: ArrayLike,
    estimator: Callable[[Array], TailIndex],
    *,
    draws: int = 100,
    seed: Any = 0,
    confidence: float = 0.95,
) -> NullComparison:
    """Compare the index of pooled data with that of normal data whose coordinates have the same unequal scales.

    Coordinates of a gradient differ in scale by decades; pooled they look heavy-tailed though each is normal. Each draw
    replaces the column j by normal numbers with its mean and standard deviation. An index within the null interval is
    explained by the scales alone.

    Parameters
    ----------
    values : array_like, shape (n, d)
        n data of d coordinates, n >= 3.
    estimator : callable
        ``estimator(pooled)`` of this module, e.g. `hill` or `stable_likelihood`; gets the array row by row.
    draws : int
        Number of draws of the null.
    seed : int or numpy.random.SeedSequence
        Seed of the draws.
    confidence : float
        Level of the interval.

    Returns
    -------
    NullComparison
        The index of the data and of the draws. The scales are estimated, so that the p-value is approximate.

    Raises
    ------
    ValueError
        If ``values`` is no (n, d) array with n >= 3, or the estimator refuses the data.
    """
    x = _checks.finite_array("values", values)
    if x.ndim != 2 or len(x) < 3:
        raise ValueError(f"values must have shape (n, d) with n >= 3, got {x.shape}")
    rng, middle, scale = np.random.default_rng(seed), x.mean(axis=0), x.std(axis=0, ddof=1)
    observed = estimator(x.ravel()).alpha
    null = [
        estimator((middle + scale * rng.standard_normal(x.shape)).ravel()).alpha
        for _ in range(_checks.integer("draws", draws, 10))
    ]
    return _compared(observed, null, confidence)


def _compared(observed: float, null: list[float], confidence: float) -> NullComparison:
    level, drawn = _checks.probability("confidence", confidence), np.sort(np.array(null))
    ends = np.quantile(drawn, [0.5 * (1.0 - level), 0.5 * (1.0 + level)])
    below, above = (1 + int((drawn <= observed).sum())), (1 + int((drawn >= observed).sum()))
    p_value = min(1.0, 2.0 * min(below, above) / (len(drawn) + 1))
    return NullComparison(observed, drawn, (float(ends[0]), float(ends[1])), p_value, level)
