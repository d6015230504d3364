"""Does a signal precede an event? Shares of events with a signal before them, against chance; conditions that hold together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

from shld_sim import _checks

Array = NDArray[np.float64]
Steps = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Precursors:
    """Share of events that a signal precedes, against signals at other times.

    Attributes
    ----------
    share : float
        Events with a signal at one of the lags, over events.
    interval : tuple of float
        Clopper-Pearson interval of the share, for independent events; those of one run are not: take the share of each of
        many runs and the scatter between them where it matters.
    preceded : ndarray of bool, shape (events,)
        Which events have a signal before them.
    null : ndarray, shape (draws,)
        Shares under the null hypothesis, sorted.
    p_value : float
        Probability of a share at least as large under the null hypothesis, the one observed counted among the draws.
    method : str
        ``"shift"`` or ``"lag"``.
    confidence : float
        Level of the interval.
    """

    share: float
    interval: tuple[float, float]
    preceded: NDArray[np.bool_]
    null: Array
    p_value: float
    method: str
    confidence: float

    @property
    def expected(self) -> float:
        """Mean share under the null hypothesis."""
        return float(self.null.mean())

    @property
    def beyond_chance(self) -> float:
        """``(share - expected)/(1 - expected)``: 0 by chance, 1 if every event is preceded; 0 where chance does it always."""
        if self.expected == 1.0:
            return 0.0
        return (self.share - self.expected) / (1.0 - self.expected)


@dataclass(frozen=True)
class Alignment:
    """Probability that conditions hold together, against the product of their probabilities.

    Attributes
    ----------
    joint : float
        Share of steps at which all of them hold.
    joint_interval : tuple of float
        Its interval; (0, 0) where they never do, which resampling cannot see beyond.
    marginals : tuple of float
        Share of steps at which each holds.
    product : float
        Product of the marginals: the joint probability of independent conditions.
    product_interval : tuple of float
        Its interval.
    ratio : float
        ``joint/product``; nan where the product is 0.
    ratio_interval : tuple of float
        Its interval, from those draws in which the product is not 0.
    blocks : int
        Number of runs, or of blocks, that were resampled.
    confidence : float
        Level of the intervals.
    """

    joint: float
    joint_interval: tuple[float, float]
    marginals: tuple[float, ...]
    product: float
    product_interval: tuple[float, float]
    ratio: float
    ratio_interval: tuple[float, float]
    blocks: int
    confidence: float


def jumps(steps: ArrayLike, accuracy: ArrayLike, rise: float = 0.05, within: int = 10) -> Steps:
    """Return the steps at which the accuracy jumps: up by more than ``rise`` at a record no more than ``within`` steps later.

    Jumps do not overlap: the next one begins ``within`` steps later at the earliest, so that a long rise is several jumps.

    Parameters
    ----------
    steps : array_like of int, shape (n,)
        Steps of the records, rising.
    accuracy : array_like, shape (n,)
        Accuracies.
    rise : float
        Least rise, not reached by a jump itself.
    within : int
        Steps that it may take.

    Returns
    -------
    ndarray of int
        Steps at which jumps begin, that is, of the last record before the rise that the rule needs.

    Raises
    ------
    ValueError
        If the shapes differ, steps do not rise, or an argument is out of range.

    Examples
    --------
    >>> from shld_sim import diagnostics
    >>> diagnostics.jumps([0, 5, 10, 15, 20, 25], [0.0, 0.0, 0.1, 0.1, 0.1, 0.1]).tolist()
    [0]
    """
    t, a = _steps("steps", steps), _checks.finite_array("accuracy", accuracy)
    if t.shape != a.shape:
        raise ValueError(f"steps and accuracy must have the same shape, got {t.shape} and {a.shape}")
    if np.any(np.diff(t) <= 0):
        raise ValueError("steps must rise")
    least, reach = _checks.positive("rise", rise), _checks.integer("within", within)
    ends, found = np.searchsorted(t, t + reach, side="right"), []
    free = t[0] if len(t) else 0
    for i, end in enumerate(ends):
        if t[i] >= free and a[i:end].max() - a[i] > least:
            found.append(t[i])
            free = t[i] + reach
    return np.array(found, dtype=np.int64)


def precursors(
    signal: ArrayLike,
    events: ArrayLike,
    span: tuple[int, int],
    *,
    lags: tuple[int, int] = (10, 50),
    null: str = "shift",
    draws: int = 1000,
    seed: Any = 0,
    confidence: float = 0.95,
) -> Precursors:
    """Return the share of events that a signal precedes by one of the lags, and what chance would give.

    Parameters
    ----------
    signal : array_like of int, shape (m,)
        Steps at which the signal is on; there may be none.
    events : array_like of int, shape (n,)
        Steps of events, one or more.
    span : tuple of int
        First and last step at which a signal could have been seen.
    lags : tuple of int
        Smallest and largest ``event - signal`` that counts.
    null : {"shift", "lag"}
        ``"shift"``: the signal is shifted by a random number of steps around the span, which keeps its clusters: exact where
        neither signal nor events have a place of their own in the span, and never much below (high - low)/span, the part of
        the shifts that leaves all lags in range. ``"lag"``, the document's null: every event has one signal, at a lag from 0
        to its distance from the beginning of the span, all equally probable; none where there is no signal.
    draws : int
        Draws of the null hypothesis.
    seed : int or numpy.random.SeedSequence
        Seed of the draws.
    confidence : float
        Level of the interval, in (0, 1).

    Returns
    -------
    Precursors
        Share, interval, null hypothesis, p-value.

    Raises
    ------
    ValueError
        If there is no event, or a step lies outside the span, or an argument is out of range.

    Examples
    --------
    >>> from shld_sim import diagnostics
    >>> found = diagnostics.precursors([80, 500], [100, 300, 520], (0, 1000))
    >>> round(found.share, 3), found.preceded.tolist()
    (0.667, [True, False, True])
    """
    on, at = np.unique(_steps("signal", signal)), _steps("events", events)
    first, last = (_checks.integer("span", end, 0) for end in span)
    low, high = (_checks.integer("lags", lag, 0) for lag in lags)
    level, n = _checks.probability("confidence", confidence), _checks.integer("draws", draws, 10)
    _checks.one_of("null", null, ("shift", "lag"))
    if first >= last or low > high:
        raise ValueError(f"span and lags must be in order, got {span!r} and {lags!r}")
    if not len(at):
        raise ValueError("events must be one step or more, got none")
    for name, values in (("signal", on), ("events", at)):
        if len(values) and (values.min() < first or values.max() > last):
            raise ValueError(f"{name} must lie in span = {span!r}, got {values.min()} to {values.max()}")
    rng, length = np.random.default_rng(seed), last - first + 1
    preceded = _preceded(on, at, low, high)
    if null == "shift":
        moves = rng.integers(1, length, size=n)
        drawn = [_preceded(np.sort(first + (on - first + move) % length), at, low, high).mean() for move in moves]
        shares = np.sort(np.array(drawn, dtype=float))
    else:
        lag = np.floor(rng.random((n, len(at))) * (at - first + 1))
        shares = np.sort(((lag >= low) & (lag <= high)).mean(axis=1) * bool(len(on)))
    k, m = int(preceded.sum()), len(at)
    share = k / m
    # to 1e-9: shares are fractions with the same denominator
    p_value = (1 + int((shares >= share - 1e-9).sum())) / (n + 1)
    # Clopper-Pearson
    tail = 0.5 * (1.0 - level)
    ends = (
        float(betaincinv(k, m - k + 1, tail)) if k else 0.0,
        float(betaincinv(k + 1, m - k, 1.0 - tail)) if k < m else 1.0,
    )
    return Precursors(share, ends, preceded, shares, p_value, null, level)


def alignment(
    conditions: NDArray[np.bool_] | Sequence[NDArray[np.bool_]],
    block: int | None = None,
    *,
    draws: int = 1000,
    seed: Any = 0,
    confidence: float = 0.95,
) -> Alignment:
    """Return the probability that conditions hold together, and the product of the probabilities of each.

    Intervals are percentiles of a bootstrap that draws whole runs, or blocks of successive steps: neighbouring steps are not
    independent, and to draw single steps makes intervals too narrow.

    Parameters
    ----------
    conditions : ndarray of bool, shape (n, k), or sequence of such
        Whether each of k conditions holds at each of n steps; of one run or of several.
    block : int, optional
        Successive steps in a block, several times their correlation time. Default: whole runs, two or more.
    draws : int
        Draws of the bootstrap.
    seed : int or numpy.random.SeedSequence
        Seed of the draws.
    confidence : float
        Level of the intervals, in (0, 1).

    Returns
    -------
    Alignment
        Joint probability, product, their ratio.

    Raises
    ------
    ValueError
        If shapes are wrong or there are fewer than two runs or blocks.

    References
    ----------
    Kunsch, Ann. Statist. 17 (1989) 1217 (blocks).
    """
    runs = [conditions] if isinstance(conditions, np.ndarray) else [np.asarray(run) for run in conditions]
    for run in runs:
        if run.ndim != 2 or run.dtype != bool or not run.size or run.shape[1] != runs[0].shape[1]:
            raise ValueError(f"conditions must be true or false, of shape (n, k), got {run.dtype} {run.shape}")
    n, level = _checks.integer("draws", draws, 10), _checks.probability("confidence", confidence)
    # a row for each block: steps, steps with each condition, steps with all of them
    rows = [np.column_stack([np.ones(len(run)), run, run.all(axis=1)]).astype(float) for run in runs]
    whole = np.array([row.sum(axis=0) for row in rows])
    counts, picked = whole, len(whole)
    if block is not None:
        size = _checks.integer("block", block)
        sums = [np.cumsum(np.vstack([np.zeros(row.shape[1]), row]), axis=0) for row in rows]
        counts = np.concatenate([total[size:] - total[:-size] for total in sums])
        picked = sum(len(row) for row in rows) // size
    if picked < 2 or len(counts) < 2:
        raise ValueError(f"conditions must make two runs or blocks or more, got {min(picked, len(counts))}")
    joint, marginals, product = _together(whole.sum(axis=0))
    rng = np.random.default_rng(seed)
    drawn = counts[rng.integers(len(counts), size=(n, picked))].sum(axis=1)
    joints, _, products = _together(drawn)
    tails = [0.5 * (1.0 - level), 0.5 * (1.0 + level)]

    def ends(values: Array) -> tuple[float, float]:
        low, high = np.quantile(values, tails)
        return float(low), float(high)

    seen = products > 0.0
    nothing = (float("nan"), float("nan"))
    return Alignment(
        float(joint),
        ends(joints),
        tuple(float(m) for m in marginals),
        float(product),
        ends(products),
        float(joint / product) if product > 0.0 else float("nan"),
        ends(joints[seen] / products[seen]) if product > 0.0 else nothing,
        picked,
        level,
    )


def _together(counts: Array) -> tuple[Any, Array, Any]:
    """Return joint probability, marginals and their product from sums over steps, on the last axis."""
    marginals = counts[..., 1:-1] / counts[..., :1]
    return counts[..., -1] / counts[..., 0], marginals, marginals.prod(axis=-1)


def _preceded(signal: Steps, events: Steps, low: int, high: int) -> NDArray[np.bool_]:
    """Return whether a signal, in rising order, lies between ``event - high`` and ``event - low``."""
    begin, end = np.searchsorted(signal, events - high, "left"), np.searchsorted(signal, events - low, "right")
    return np.asarray(end > begin)


def _steps(name: str, values: ArrayLike) -> Steps:
    found = np.asarray(values)
    if found.ndim != 1 or (found.size and not np.issubdtype(found.dtype, np.integer)):
        raise ValueError(f"{name} must be a list of whole numbers, got {found.dtype} {found.shape}")
    return found.astype(np.int64)
