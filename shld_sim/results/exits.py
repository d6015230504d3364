"""First passages: which paths left, when and how, with rates, survival and intervals that know of censoring."""

from __future__ import annotations

import dataclasses
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.domains import Domain
from shld_sim.models import Model
from shld_sim.results.archives import (
    describe_model,
    describe_set,
    read_archive,
    rebuild_model,
    rebuild_set,
    write_archive,
)
from shld_sim.results.status import Status

Array = NDArray[np.float64]
EXITS_FORMAT = "shld_sim exits 1"


@dataclass(frozen=True, eq=False)
class Exits:
    """First passages out of a domain.

    Attributes
    ----------
    times : ndarray
        Exit times, shape ``(n_paths,)``; NaN for paths that did not leave.
    censored : ndarray of bool
        True for the paths that had not left when they were last seen.
    exposure : ndarray
        Time each path was watched: its exit time, or the time at which it was last seen.
    side : ndarray of int8
        In one dimension 1 for an exit above the start, by the upper end of an interval, -1 for one below; 0 for no exit and
        in more dimensions.
    place : ndarray
        Position at the exit, shape ``(n_paths,)`` for ``dim == 1``, else ``(n_paths, dim)``; the last position for censored
        paths. With bridge correction it lies on the boundary: along the boundary it is interpolated between the ends of
        the step, which leaves out a variance of at most D dt/2 in each direction (a quarter of the variance of the step).
        Else it is the point behind the boundary where the path landed.
    model, domain, dt, t_max, scheme, bridge, seed, interrupted, version
        How they were made. ``bridge`` tells that some boundary was watched between the steps.
    which : ndarray of int8
        Number of the exit, -1 for none: first the targets are counted in their order, then the faces of the domain, which
        are ``2 i`` and ``2 i + 1`` for the lower and upper end of coordinate i of an interval or a `Box`, and 0 of others.
    targets : tuple of sets
        The sets that stopped paths that entered them.
    """

    times: Array
    censored: NDArray[np.bool_]
    exposure: Array
    side: NDArray[np.int8]
    place: Array
    model: Model
    domain: Domain | tuple[float, float] | None
    dt: float
    t_max: float
    scheme: str
    bridge: bool
    seed: dict[str, Any]
    interrupted: bool
    version: str
    which: NDArray[np.int8] = dataclasses.field(default_factory=lambda: np.empty(0, np.int8))
    targets: tuple[Domain, ...] = ()

    def __post_init__(self) -> None:
        if self.which.size == 0:  # of an interval it follows from the side
            object.__setattr__(self, "which", np.where(self.side == 0, -1, self.side > 0).astype(np.int8))

    @property
    def status(self) -> NDArray[np.uint8]:
        """`Status` of each path: ``EXITED`` or ``CENSORED``."""
        return np.where(self.censored, Status.CENSORED, Status.EXITED).astype(np.uint8)

    def _uncensored(self, what: str) -> Array:
        if self.censored.any():
            raise ValueError(
                f"{what} needs every path to leave, but {int(self.censored.sum())} of {len(self.times)} are censored "
                f"(t_max={self.t_max:g}): raise t_max, or use rate(), which counts them as exposure"
            )
        return self.times

    def mean(self) -> float:
        """Return the mean exit time; raises ValueError when paths are censored."""
        return float(self._uncensored("mean()").mean())

    def stderr(self) -> float:
        """Return the standard error of the mean exit time; raises ValueError when paths are censored."""
        times = self._uncensored("stderr()")
        if len(times) < 2:
            raise ValueError(f"stderr() needs at least 2 paths, got {len(times)}")
        return float(times.std(ddof=1) / math.sqrt(len(times)))

    def rate(self) -> float:
        """Return the maximum-likelihood rate, exits per exposure, of an exponential law with censoring."""
        total = float(self.exposure.sum())
        if total == 0.0:
            raise ValueError("rate() needs paths that were watched for some time, got total exposure 0")
        return float((~self.censored).sum()) / total

    def rate_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the rate from the law of the number of exits.

        With n exits in total exposure E, the bounds are the quantiles chi2(2n)/(2E) and chi2(2n + 2)/(2E); with no exit
        the lower one is 0.

        Parameters
        ----------
        level : float
            Coverage.

        Returns
        -------
        tuple of float
            Lower and upper bound.
        """
        from scipy.stats import chi2

        tail = 0.5 * (1.0 - _checks.probability("level", level))
        self.rate()
        n, total = int((~self.censored).sum()), float(self.exposure.sum())
        low = chi2.ppf(tail, 2 * n) / (2.0 * total) if n else 0.0
        return float(low), float(chi2.isf(tail, 2 * n + 2) / (2.0 * total))

    def fraction(self, which: int) -> float:
        """Return the share of exit number ``which`` among the paths that left."""
        hits, left = self._hits(which)
        return hits / left

    def fraction_interval(self, which: int, level: float = 0.95) -> tuple[float, float]:
        """Return Wilson's confidence interval of the probability of exit number ``which``.

        Its bounds are the probabilities p with ``(hits - n p)^2 = z^2 n p (1 - p)``, z the normal quantile.

        Parameters
        ----------
        which : int
            Number of the exit, as in ``which``.
        level : float
            Coverage.

        Returns
        -------
        tuple of float
            Lower and upper bound.
        """
        from scipy.stats import norm

        hits, n = self._hits(which)
        z = float(norm.isf(0.5 * (1.0 - _checks.probability("level", level))))
        middle = (hits + 0.5 * z * z) / (n + z * z)
        half = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + 0.25 * z * z)
        return max(0.0, middle - half), min(1.0, middle + half)

    def _hits(self, which: int) -> tuple[int, int]:
        which, left = _checks.integer("which", which, 0), ~self.censored
        if not left.any():
            raise ValueError(f"fractions need at least one exit, got {len(left)} censored paths")
        return int((self.which[left] == which).sum()), int(left.sum())

    def survival(self, t: ArrayLike | None = None, level: float = 0.95) -> Survival:
        """Return the survival function P(tau > t) of Kaplan and Meier, which takes censored paths into account.

        Parameters
        ----------
        t : array_like, optional
            Times. Default: 0 and then the time of every path, in ascending order.
        level : float
            Coverage of the interval at each time.

        Returns
        -------
        Survival
            ``t``, ``value``, ``low``, ``high``: bounds by Greenwood's formula for the logarithm. After the last path has
            left, the value and the lower bound are 0 and the upper bound is the one before.
        """
        from scipy.stats import norm

        z = float(norm.isf(0.5 * (1.0 - _checks.probability("level", level))))
        times, value, spread = kaplan_meier(self.exposure, self.censored)
        with np.errstate(over="ignore", invalid="ignore"):
            low = np.where(value > 0.0, value * np.exp(-z * spread), 0.0)
            high = np.minimum(1.0, value * np.exp(z * spread))
        high = np.where(value > 0.0, high, high[value > 0.0][-1])
        if t is None:
            return Survival(times, value, low, high)
        wanted = _checks.finite_array("t", t)
        if (wanted < 0.0).any():
            raise ValueError(f"t must not be negative, got {float(wanted.min())!r}")
        at = np.searchsorted(times, wanted, side="right") - 1
        return Survival(wanted, value[at], low[at], high[at])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the exits to ``path`` (NumPy's .npz), whole or not at all.

        Parameters
        ----------
        path : str or path-like
            File to write; an existing one is replaced.
        """
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        arrays = {name: settings.pop(name) for name in _EXIT_ARRAYS}
        settings["model"] = describe_model(self.model)
        settings["domain"] = describe_set(self.domain)
        settings["targets"] = [describe_set(item) for item in self.targets]
        write_archive(Path(path), {"format": EXITS_FORMAT, **settings}, arrays)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        model: Model | None = None,
        domain: Domain | None = None,
        targets: tuple[Domain, ...] | None = None,
    ) -> Exits:
        """Read exits that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.
        model : Langevin or LevyFlight, optional
            The equation, needed when its potential is the user's own: functions are not stored.
        domain : Region, optional
            The domain, needed when it is a `Region`, for the same reason.
        targets : tuple of sets, optional
            The targets, needed when a `Region` is among them.

        Returns
        -------
        Exits
            Equal to those saved.

        Raises
        ------
        ValueError
            If the file does not hold exits, or needs an argument, or the argument is not the one of the file.
        """
        header, arrays = read_archive(path, EXITS_FORMAT)
        if header is None or not set(_EXIT_ARRAYS) <= set(arrays):
            raise ValueError(f"path must be a file written by Exits.save, got {os.fspath(path)!r}")
        header["model"] = rebuild_model(header["model"], model)
        header["domain"] = rebuild_set("domain", header["domain"], domain)
        given = targets or (None,) * len(header["targets"])
        if len(given) != len(header["targets"]):
            raise ValueError(f"targets must be the {len(header['targets'])} sets of the file, got {len(given)}")
        header["targets"] = tuple(rebuild_set("targets", a, b) for a, b in zip(header["targets"], given, strict=True))
        return cls(**header, **arrays)

    def __repr__(self) -> str:
        left = int((~self.censored).sum())
        flags = ", interrupted" if self.interrupted else ""
        how = [f"left {self.domain}"] if self.domain is not None else []
        how += [f"entered {self.targets}"] if self.targets else []
        return f"<Exits: {left} of {len(self.times)} paths {' or '.join(how)}, dt={self.dt:g}{flags}: {self.model!r}>"


_EXIT_ARRAYS = ("times", "censored", "exposure", "side", "place", "which")


class Survival(NamedTuple):
    """P(tau > t) at times t, with an interval for each: ``t``, ``value``, ``low``, ``high``, arrays of one shape."""

    t: Array
    value: Array
    low: Array
    high: Array


def kaplan_meier(exposure: Array, censored: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Return times, 0 and then in ascending order those at which paths were last seen, P(tau > t), and its relative error.

    Of paths seen last at the same time, those that left come before those that were censored.

    References
    ----------
    E. L. Kaplan, P. Meier, J. Am. Stat. Assoc. 53, 457 (1958).
    M. Greenwood, Rep. Public Health Med. Subj. 33 (1926).
    """
    order = np.lexsort((censored, exposure))
    gone = ~np.asarray(censored)[order]
    at_risk = np.arange(len(gone), 0, -1)
    # S(t) = prod (1 - 1/n_i);  Var S/S^2 = sum 1/(n_i (n_i - 1))
    survival = np.cumprod(1.0 - gone / at_risk)
    spread = np.sqrt(np.cumsum(gone / (at_risk * np.maximum(at_risk - 1.0, 1.0))))
    t, survival, spread = (
        np.concatenate([[first], a]) for first, a in ((0.0, exposure[order]), (1.0, survival), (0.0, spread))
    )
    return np.asarray(t), np.asarray(survival), np.asarray(spread)
