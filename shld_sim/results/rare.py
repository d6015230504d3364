"""Rare exits that were estimated: probability, mean time and their intervals, from independent runs of splitting."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.models import Langevin

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RareExit:
    """What `rare_exit` found: independent runs, and the estimates made of them.

    Attributes
    ----------
    probabilities : ndarray
        Probability to reach the target before home, one unbiased estimate per run, shape ``(n_runs,)``.
    loops : ndarray
        Mean time from surface to home and back to the surface, per run; NaN if ``x0`` lies between home and target.
    reactive : ndarray
        Mean time from the surface to the target, of the paths that reach it before home, per run.
    first : ndarray
        Time from ``x0`` to the surface, per run; NaN if ``x0`` lies between home and target.
    cost : int
        Path-steps spent, repeated ones, loops and pilot included.
    rounds : ndarray
        Killing rounds per run.
    surface : float
        Where the probabilities start: a level of the coordinate, or NaN when they start from ``x0``.
    model, x0, home, target, dt, n_replicas, n_kill, seed, interrupted, version
        How they were made; ``home`` and ``target`` as given.
    """

    probabilities: Array
    loops: Array
    reactive: Array
    first: Array
    cost: int
    rounds: NDArray[np.int64]
    surface: float
    model: Langevin
    x0: Array
    home: float
    target: float
    dt: float
    n_replicas: int
    n_kill: int
    seed: dict[str, Any]
    interrupted: bool
    version: str

    def probability(self) -> float:
        """Return the probability to reach the target before home, the mean of the runs."""
        self._need(1, "probability()")
        return float(self.probabilities.mean())

    def probability_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the probability.

        Parameters
        ----------
        level : float
            Least coverage.

        Returns
        -------
        tuple of float
            Lower and upper bound, ``p exp(-+ z u)`` as in `interval`.
        """
        self._need(2, "probability_interval()")
        error = max(self._jackknife(self._log_probability), self._ideal())
        return self._interval(self._log_probability, error, level)

    def probability_stderr(self) -> float:
        """Return the standard error of the probability, not below that of ideal splitting; see `interval`."""
        self._need(2, "probability_stderr()")
        scatter = float(self.probabilities.std(ddof=1) / math.sqrt(len(self.probabilities)))
        return max(scatter, self.probability() * self._ideal())

    def mean(self) -> float:
        """Return the mean time ``E T = E T_first + (1/p - 1) E T_loop + E T_reactive`` from ``x0`` to the target."""
        return math.exp(self._log_time(self._all("mean()")))

    def rate(self) -> float:
        """Return ``1/mean()``."""
        return 1.0 / self.mean()

    def stderr(self) -> float:
        """Return the standard error of the mean time: the jackknife over runs, not below that of ideal splitting."""
        self._all("stderr()")
        self._need(2, "stderr()")
        return self.mean() * self._log_time_error()

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the mean time.

        Runs scatter nearly log-normally, so the interval is made for the logarithm: ``T exp(-+ z u)`` with the normal quantile z
        and the upper limit u, at the same ``level``, of the error of log T, ``u = s sqrt((n-1)/q)`` with the lower quantile q of
        chi-square with n - 1 degrees of freedom for n runs. That is a tolerance interval: wider than Student's, by 22 % for 32
        runs, because the scatter of few runs is more often too small than too large when rare runs carry the mean.

        The jackknife over the runs alone would make s too small just when p is: runs that all missed the few large values
        agree with each other. But no splitting does better than the ideal one, whose estimate of p by N replicas has
        ``var log p = -log(p)/N`` [1]_; so s is the larger of the jackknife and of what follows from this for ``n_runs`` runs
        and from the scatter of the loops. The interval is therefore wide rather than narrow: it covers more often than
        ``level`` says where splitting is near the ideal, as with a good coordinate.

        Parameters
        ----------
        level : float
            Least coverage.

        Returns
        -------
        tuple of float
            Lower and upper bound. The error of the time step is not in it.

        References
        ----------
        .. [1] F. Cerou, B. Delyon, A. Guyader, M. Rousset, SIAM/ASA J. Uncertain. Quantif. 7, 1 (2019): the asymptotic
           variance of adaptive splitting is at least ``-p**2 log(p)``, and reaches it with the committor.
        """
        self._all("interval()")
        self._need(2, "interval()")
        return self._interval(self._log_time, self._log_time_error(), level)

    def direct_cost(self) -> float:
        """Return the path-steps that direct simulation would take to the relative error of `mean`, or of the probability.

        Exit times are nearly exponential: n paths give the mean to ``1/sqrt(n)`` for ``n E T/dt`` steps. For a
        probability, ``(1 - p)/(p n)`` is the relative variance, and steps are counted as if a path took as long as here.
        """
        if math.isnan(self.surface):
            relative = self.probability_stderr() / self.probability()
            steps = self.cost / max(1, len(self.probabilities) * self.n_replicas)
            return (1.0 / self.probability() - 1.0) / relative**2 * steps
        return self.mean() / self.dt * (self.mean() / self.stderr()) ** 2

    def _need(self, n_runs: int, what: str) -> None:
        if len(self.probabilities) < n_runs:
            raise ValueError(f"{what} needs at least {n_runs} finished runs, got {len(self.probabilities)}")
        if not self.probabilities.any():
            raise ValueError(f"{what} needs a run that reached the target: all replicas died, raise n_replicas")

    def _all(self, what: str) -> NDArray[np.intp]:
        if math.isnan(self.surface):
            raise ValueError(f"{what} needs x0 at home, but the runs started between home and target: {self.x0!r}")
        self._need(1, what)
        return np.arange(len(self.probabilities))

    def _log_probability(self, runs: NDArray[np.intp]) -> float:
        with np.errstate(divide="ignore"):
            return float(np.log(self.probabilities[runs].mean()))

    def _log_time(self, runs: NDArray[np.intp], p: Array | None = None) -> float:
        p = self.probabilities[runs] if p is None else p[runs]
        with np.errstate(divide="ignore"):
            # E T = E T_first + (1/p - 1) E T_loop + E T_reactive
            weight = float(p.mean())
            reactive = float((p * self.reactive[runs]).sum() / p.sum()) if weight > 0.0 else 0.0
            waiting = (1.0 / weight - 1.0) * float(self.loops[runs].mean()) if weight > 0.0 else math.inf
            return math.log(float(self.first[runs].mean()) + waiting + reactive)

    def _jackknife(self, statistic: Callable[[NDArray[np.intp]], float]) -> float:
        """Return the jackknife standard error of ``statistic`` over the runs."""
        n = len(self.probabilities)
        every = np.arange(n)
        without = np.array([statistic(np.delete(every, i)) for i in range(n)])
        if not np.isfinite(without).all():  # all but one run died out
            return math.inf
        return math.sqrt((n - 1) * float(without.var()))

    def _ideal(self) -> float:
        """Return the least standard error that log p can have."""
        # fixed levels passed with probabilities q have var log p = sum (1 - q)/(q N) >= sum -log(q)/N = -log(p)/N
        return math.sqrt(-math.log(self.probability()) / (self.n_replicas * len(self.probabilities)))

    def _log_time_error(self) -> float:
        p = np.full(len(self.probabilities), self.probability())
        # d log T/d log p = -T_loop/(p T), and beside it the scatter of the times at this p
        share = float(self.loops.mean()) / (p[0] * self.mean())
        times = self._jackknife(functools.partial(self._log_time, p=p))
        return max(self._jackknife(self._log_time), math.hypot(share * self._ideal(), times))

    def _interval(
        self, statistic: Callable[[NDArray[np.intp]], float], error: float, level: float
    ) -> tuple[float, float]:
        from scipy.stats import chi2, norm

        miss = 1.0 - _checks.probability("level", level)
        n = len(self.probabilities)
        upper = error * math.sqrt((n - 1) / float(chi2.ppf(miss, n - 1)))
        centre, half = statistic(np.arange(n)), float(norm.isf(0.5 * miss)) * upper
        return math.exp(centre - half), math.exp(centre + half) if half < 700.0 else math.inf

    def __repr__(self) -> str:
        flags = ", interrupted" if self.interrupted else ""
        p = f"p={self.probabilities.mean():.3g}, " if len(self.probabilities) else ""
        return (
            f"<RareExit: {p}{len(self.probabilities)} runs of {self.n_replicas} replicas, "
            f"{self.cost:.2g} path-steps, dt={self.dt:g}{flags}: {self.model!r}>"
        )
