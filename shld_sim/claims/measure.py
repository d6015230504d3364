"""Numbers that every document's checks need: means and shares with standard errors, chi-square as a normal score."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shld_sim.claims.rules import Z

Array = NDArray[np.float64]


def mean(values: Array) -> tuple[float, float]:
    """Return the mean of independent values and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def share(inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the share of true values and its standard error, never less than that of a single one."""
    p = float(inside.mean())
    return p, math.sqrt(max(p * (1.0 - p), 1.0 / len(inside)) / len(inside))


def mean_share(values: Array) -> tuple[float, float]:
    """Return the mean of shares of independent runs and its standard error, never less than one run could change it."""
    spread = float(values.var(ddof=1)) if len(values) > 1 else 1.0
    return float(values.mean()), math.sqrt(max(spread, 1.0 / len(values)) / len(values))


def normal_score(chi2_value: float, degrees: int) -> float:
    """Return the standard normal number that a chi-square value is as extreme as."""
    from scipy.stats import chi2, norm

    return float(-norm.ppf(max(chi2.sf(chi2_value, degrees), 1e-300)))


def mean_of_runs(values: Array) -> tuple[float, float]:
    """Return the mean of a few independent runs and an error of it, five of which have the coverage of five normal ones.

    It is the standard error times the ratio of Student's quantile to the normal one: 1.6 for 16 runs, 1.2 for 48.
    """
    from scipy.stats import norm, t

    value, error = mean(values)
    return value, error * float(t.isf(norm.sf(Z), len(values) - 1)) / Z
