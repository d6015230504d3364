"""Running statistics: what is accumulated along the paths of an ensemble, and the records that come of it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]
Observable = Callable[[Array], Any]


@dataclass(frozen=True)
class Moments:
    """Mean and variance over time and paths, for ``simulate(statistics=...)``.

    Parameters
    ----------
    every : int
        Sample after each so many steps.
    burn_in : float
        Time before which nothing is sampled; time 0 never is.
    observable : callable, optional
        Function of the positions at one time, ``(n_paths,)`` or ``(n_paths, dim)``, that returns ``(n_paths,)`` numbers,
        each from its own path. Default: the coordinates.
    """

    every: int = 1
    burn_in: float = 0.0
    observable: Observable | None = None

    def __post_init__(self) -> None:
        _check_sampling(self)


@dataclass(frozen=True)
class Histogram:
    """Density over time and paths, for ``simulate(statistics=...)``.

    Parameters
    ----------
    edges : array_like
        Edges of the bins, increasing; a bin holds its lower edge, the last one its upper edge too.
    every, burn_in, observable
        As in `Moments`; in more than one dimension an observable must be given.
    """

    edges: tuple[float, ...]
    every: int = 1
    burn_in: float = 0.0
    observable: Observable | None = None

    def __init__(
        self, edges: ArrayLike, every: int = 1, burn_in: float = 0.0, observable: Observable | None = None
    ) -> None:
        array = _checks.finite_array("edges", edges)
        if array.ndim != 1 or len(array) < 2 or not (np.diff(array) > 0).all():
            raise ValueError(f"edges must be two or more increasing numbers, got {edges!r:.80}")
        for name, value in (("edges", tuple(array.tolist())), ("every", every), ("burn_in", burn_in)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "observable", observable)
        _check_sampling(self)


Statistic = Moments | Histogram


def _check_sampling(statistic: Statistic) -> None:
    object.__setattr__(statistic, "every", _checks.integer("every", statistic.every))
    object.__setattr__(statistic, "burn_in", _checks.nonnegative("burn_in", statistic.burn_in))
    if statistic.observable is not None and not callable(statistic.observable):
        raise TypeError(f"observable must be a function of the positions, got {statistic.observable!r}")


@dataclass(frozen=True, eq=False)
class MomentsRecord:
    """Moments of a run. Paths are independent: standard errors come from the spread of the averages of the paths.

    They are right however long the paths remember, and NaN for fewer than two paths or without samples. Diverged paths
    are left out.

    Attributes
    ----------
    statistic : Moments
        What was asked for.
    n_samples : int
        Samples of each path.
    path_means : ndarray
        Average of each path, ``(n_paths,)``, or ``(n_paths, dim)`` for the coordinates in more than one dimension.
    path_squares : ndarray
        Sum of the squared deviations of each path from its average, of the same shape.
    kept : ndarray of bool
        The paths that count: not diverged.
    """

    statistic: Moments
    n_samples: int
    path_means: Array
    path_squares: Array
    kept: NDArray[np.bool_]

    @property
    def mean(self) -> Any:
        """Mean over time and paths: a number, or ``(dim,)``."""
        return _average(self.path_means[self.kept] if self.n_samples else self.path_means[:0])[0]

    @property
    def stderr(self) -> Any:
        """Standard error of `mean`."""
        return _average(self.path_means[self.kept] if self.n_samples else self.path_means[:0])[1]

    @property
    def variance(self) -> Any:
        """Variance over time and paths: a number, or ``(dim,)``."""
        return _average(self._squares())[0]

    @property
    def variance_stderr(self) -> Any:
        """Standard error of `variance`."""
        return _average(self._squares())[1]

    def _squares(self) -> Array:
        """Return the mean squared deviation of each path from the common mean."""
        if self.n_samples == 0:
            return self.path_means[:0]
        means = self.path_means[self.kept]
        deviations: Array = self.path_squares[self.kept] / self.n_samples + (means - self.mean) ** 2
        return deviations

    def __repr__(self) -> str:
        what = f"{self.n_samples} samples of {int(self.kept.sum())} paths"
        return f"<Moments of {what}: mean={self.mean}, stderr={self.stderr}, variance={self.variance}>"


@dataclass(frozen=True, eq=False)
class HistogramRecord:
    """Histogram of a run. Paths are independent: standard errors come from the spread of the densities of the paths.

    They are right however long the paths remember, and NaN for fewer than two paths or without samples. Diverged paths
    are left out.

    Attributes
    ----------
    statistic : Histogram
        What was asked for.
    n_samples : int
        Samples of each path.
    counts : ndarray of int64
        Samples of each path in each bin, ``(n_paths, n_bins)``.
    kept : ndarray of bool
        The paths that count: not diverged.
    """

    statistic: Histogram
    n_samples: int
    counts: NDArray[np.int64]
    kept: NDArray[np.bool_]

    @property
    def edges(self) -> Array:
        """Edges of the bins, ``(n_bins + 1,)``."""
        return np.array(self.statistic.edges)

    @property
    def density(self) -> Array:
        """Probability density in the bins; its integral is the share of the samples that fell inside."""
        return _average(self._densities())[0]  # type: ignore[no-any-return]

    @property
    def stderr(self) -> Array:
        """Standard errors of `density`."""
        return _average(self._densities())[1]  # type: ignore[no-any-return]

    def _densities(self) -> Array:
        counts = self.counts[self.kept] if self.n_samples else self.counts[:0]
        densities: Array = counts / (max(1, self.n_samples) * np.diff(self.edges))
        return densities

    def __repr__(self) -> str:
        what = f"{self.n_samples} samples of {int(self.kept.sum())} paths"
        return f"<Histogram of {what} in {self.counts.shape[1]} bins from {self.edges[0]:g} to {self.edges[-1]:g}>"


Record = MomentsRecord | HistogramRecord


def _average(values: Array) -> tuple[Any, Any]:
    """Return mean and standard error over the first axis, of independent rows."""
    n = len(values)
    nothing = np.full(values.shape[1:], np.nan)[()]
    mean = values.mean(axis=0)[()] if n > 0 else nothing
    return mean, values.std(axis=0, ddof=1)[()] / math.sqrt(n) if n > 1 else nothing


# -- on disk: a header of JSON values, and arrays ----


@dataclass(frozen=True)
class Unstored:
    """Stands for an observable that was not stored: functions are not."""

    name: str

    def __call__(self, x: Array) -> Any:
        raise ValueError(f"statistics= must be given again to continue: the observable {self.name!r} is not stored")


def describe(statistic: Statistic) -> dict[str, Any]:
    """Return what was asked for as JSON values; a function counts by its name."""
    out = {field.name: getattr(statistic, field.name) for field in dataclasses.fields(statistic)}
    f = out["observable"]
    if f is not None:
        out["observable"] = f.name if isinstance(f, Unstored) else getattr(f, "__qualname__", type(f).__qualname__)
    return {"kind": type(statistic).__name__, **out}


def pack(records: tuple[Record, ...]) -> tuple[list[dict[str, Any]], dict[str, NDArray[Any]]]:
    """Return the records as JSON values and arrays."""
    header, arrays = [], {}
    for i, record in enumerate(records):
        header.append({**describe(record.statistic), "n_samples": record.n_samples})
        for field in dataclasses.fields(record)[2:]:
            arrays[f"statistics_{i}_{field.name}"] = getattr(record, field.name)
    return header, arrays


def unpack(header: list[dict[str, Any]], arrays: Any) -> tuple[Record, ...]:
    """Return the records that `pack` described."""
    out: list[Record] = []
    for i, description in enumerate(header):
        settings = dict(description)
        made, recorded = {"Moments": (Moments, MomentsRecord), "Histogram": (Histogram, HistogramRecord)}[
            settings.pop("kind")
        ]
        n_samples = settings.pop("n_samples")
        if settings["observable"] is not None:
            settings["observable"] = Unstored(settings["observable"])
        names = [field.name for field in dataclasses.fields(recorded)[2:]]
        out.append(recorded(made(**settings), n_samples, **{name: arrays[f"statistics_{i}_{name}"] for name in names}))
    return tuple(out)
