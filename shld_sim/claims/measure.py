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


def mean_of_runs(values: Array, unit: float = 0.0) -> tuple[float, float]:
    """Return the mean of a few normal values and a standard error of which five are as improbable as five of a known one.

    With n values the interval of level 1 - 6e-7 is ``t s/sqrt(n)`` to each side, where t is Student's quantile with n - 1 degrees
    of freedom: 12.4 in place of 5 for n = 10, 7.4 for n = 20, 5.6 for n = 60. The standard error returned is a fifth of that. The
    standard deviation s is never taken to be less than ``unit``, the step in which the values are counted.
    """
    from scipy.stats import norm, t

    n = len(values)
    spread = max(float(values.std(ddof=1)), unit)
    return float(values.mean()), spread / math.sqrt(n) * float(t.isf(norm.sf(Z), n - 1)) / Z
