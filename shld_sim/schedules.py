"""Noise that changes in time: cosine, exponential, logarithmic and tabulated schedules for D and sigma."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]


class Schedule:
    """A positive function of time; call it with times to get the noise strength."""

    def __call__(self, t: ArrayLike) -> Array:
        """Return the value at times ``t``, with the shape of ``t``."""
        raise TypeError(f"{type(self).__name__} must define __call__(t)")


@dataclass(frozen=True)
class Cosine(Schedule):
    r"""Half a cosine from ``start`` to ``end``: :math:`e + (s - e)(1 + \cos(\pi t/T))/2`, then constant.

    Parameters
    ----------
    start, end : float
        Values at time 0 and from ``duration`` on, positive.
    duration : float
        ``T``, positive.
    """

    start: float
    end: float
    duration: float

    def __post_init__(self) -> None:
        for name in ("start", "end", "duration"):
            object.__setattr__(self, name, _checks.positive(name, getattr(self, name)))

    def __call__(self, t: ArrayLike) -> Array:
        """Return the value at times ``t``, with the shape of ``t``."""
        phase = np.clip(np.asarray(t, dtype=float) / self.duration, 0.0, 1.0)
        return self.end + 0.5 * (self.start - self.end) * (1.0 + np.cos(np.pi * phase))


@dataclass(frozen=True)
class Exponential(Schedule):
    r"""Geometric from ``start`` to ``end``: :math:`s\,(e/s)^{t/T}`, then constant.

    Parameters
    ----------
    start, end : float
        Values at time 0 and from ``duration`` on, positive.
    duration : float
        ``T``, positive.
    """

    start: float
    end: float
    duration: float

    def __post_init__(self) -> None:
        for name in ("start", "end", "duration"):
            object.__setattr__(self, name, _checks.positive(name, getattr(self, name)))

    def __call__(self, t: ArrayLike) -> Array:
        """Return the value at times ``t``, with the shape of ``t``."""
        phase = np.clip(np.asarray(t, dtype=float) / self.duration, 0.0, 1.0)
        return self.start * (self.end / self.start) ** phase


@dataclass(frozen=True)
class Logarithmic(Schedule):
    r"""Slow annealing :math:`s\,\ln 2/\ln(2 + t/T)`, which falls by half at :math:`t = 2T`.

    Parameters
    ----------
    start : float
        Value at time 0, positive.
    scale : float
        Time scale ``T``, positive.

    References
    ----------
    S. Geman, C.-R. Hwang, SIAM J. Control Optim. 24, 1031 (1986).
    """

    start: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("start", "scale"):
            object.__setattr__(self, name, _checks.positive(name, getattr(self, name)))

    def __call__(self, t: ArrayLike) -> Array:
        """Return the value at times ``t``, with the shape of ``t``."""
        return self.start * np.log(2.0) / np.log(2.0 + np.asarray(t, dtype=float) / self.scale)


@dataclass(frozen=True)
class Table(Schedule):
    """Linear interpolation of ``values`` given at ``times``, constant outside.

    Parameters
    ----------
    times : sequence of float
        Ascending.
    values : sequence of float
        As many, positive.
    """

    times: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        times, values = _checks.finite_array("times", self.times), _checks.finite_array("values", self.values)
        if times.ndim != 1 or times.shape != values.shape or len(times) == 0:
            raise ValueError(f"times and values must be lists of equal length, got {times.shape} and {values.shape}")
        if (np.diff(times) <= 0).any():
            raise ValueError(f"times must ascend, got {times.tolist()}")
        if (values <= 0).any():
            raise ValueError(f"values must be positive, got {values.tolist()}")
        object.__setattr__(self, "times", tuple(times.tolist()))
        object.__setattr__(self, "values", tuple(values.tolist()))

    def __call__(self, t: ArrayLike) -> Array:
        """Return the value at times ``t``, with the shape of ``t``."""
        return np.interp(np.asarray(t, dtype=float), self.times, self.values)
