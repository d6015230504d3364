"""The numbers that a tracker makes of gradients, step and curvature, each by its function of `diagnostics`."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import theory
from shld_sim.diagnostics import (
    Consolidation,
    TopEigenvalue,
    advice,
    best_step_factor,
    consolidation,
    hill,
    intelligence,
    largest_eigenvalue,
    phase,
    stability_margin,
)
from shld_sim.tracking.values import as_array

Array = NDArray[np.float64]
FEWEST = 20  # norms of the window before there is a tail index


@dataclass(frozen=True)
class Settings:
    """How `Measures` measures; see `Tracker`."""

    batch: float
    confidence: float
    window: int
    products: int
    dim: int | None


class Measures:
    """Derived numbers of one step after the other; it keeps the norms of the noise for the tail index."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._norms: deque[float] = deque(maxlen=settings.window)
        self._eta = self._lmax = math.nan  # the last known, by which the guide is read

    def of(self, gradients: Any, learning_rate: Any, curvature: Any, hvp: Any) -> dict[str, Any]:
        """Return names and numbers for what was given; a run that has left the finite numbers gives NaN, not an error."""
        found: dict[str, Any] = {}
        dim = self.settings.dim
        p = ends = None
        if gradients is not None:
            rows = _rows(gradients)
            dim = rows.shape[1]
            p, ends = self._signal(rows, found)
        eta = None if learning_rate is None else _scalar("learning_rate", learning_rate)
        if eta is not None:
            if eta < 0.0 or eta == math.inf:
                raise ValueError(f"learning_rate must be a finite number not below zero, got {eta!r}")
            found["learning_rate"] = self._eta = eta
        lmax = self._eigenvalue(curvature, hvp, dim)
        if lmax is not None:
            found["lmax"], (found["lmax low"], found["lmax high"]) = lmax
            self._lmax = lmax[0]
        if eta and lmax is not None and math.isfinite(eta):  # a step of 0, in a warm-up, has no margin
            self._margins(eta, lmax, p, ends, dim, found)
        if p is not None and ends is not None and math.isfinite(p):
            row, low, high = (advice(self._guided(value)) for value in (p, *ends))
            found.update({"state": row.state, "action": row.action, "state low": low.state, "state high": high.state})
        return found

    def _signal(self, rows: Array, found: dict[str, Any]) -> tuple[float, tuple[float, float]]:
        """Put C, p, Gamma, the noise scale and the tail index into ``found``; return p and its interval."""
        if not np.isfinite(rows).all():
            found.update({"C": math.nan, "p": math.nan})
            return math.nan, (math.nan, math.nan)
        if (rows == rows[0]).all():  # without noise
            signal = float(rows[0] @ rows[0])
            C = math.inf if signal else math.nan
            p = 1.0 if signal else math.nan
            found.update({"C": C, "p": p, "signal": signal, "noise": 0.0})
            return p, (p, p)
        row = consolidation(rows, confidence=self.settings.confidence)
        step = row.with_batch(self.settings.batch)
        found.update({"C": step.C, "C low": step.interval[0], "C high": step.interval[1], "p": step.p})
        found["p low"], found["p high"] = step.p_interval
        found.update({"Gamma": row.plug_in, "noise scale": row.noise_scale, "signal": row.signal, "noise": row.noise})
        self._tail(rows, row, found)
        return step.p, step.p_interval

    def _tail(self, rows: Array, row: Consolidation, found: dict[str, Any]) -> None:
        """Put Hill's index of the norms of the noise of the last rows into ``found``, once there are enough."""
        self._norms.extend(np.linalg.norm(rows - rows.mean(axis=0), axis=1).tolist())
        norms = np.sort(self._norms)
        if len(norms) >= FEWEST and norms[-1] > norms[-len(norms) // 10 - 1] > 0.0:  # Hill's largest tenth must differ
            tail = hill(norms, confidence=self.settings.confidence)
            found["alpha"], (found["alpha low"], found["alpha high"]) = tail.alpha, tail.interval

    def _guided(self, p: float) -> float:
        """Return the number at which the guide is read: ``min(1, p/(eta lmax))`` where both are known, else p."""
        if self._eta > 0.0 and 0.0 < self._lmax < math.inf:
            return min(1.0, best_step_factor(p, self._eta, self._lmax))
        return p

    def _eigenvalue(self, curvature: Any, hvp: Any, dim: int | None) -> tuple[float, tuple[float, float]] | None:
        """Return the largest eigenvalue and its interval, from a number, a `TopEigenvalue` or products with vectors."""
        if curvature is not None and hvp is not None:
            raise ValueError("curvature and hvp say the same: give one of them")
        if hvp is not None:
            if not callable(hvp):
                raise TypeError(f"hvp must be a function of a vector, got {hvp!r}")
            if dim is None:
                raise ValueError("hvp needs gradients beside it, or Tracker(dim=...), the number of parameters")
            try:
                curvature = largest_eigenvalue(_product(hvp), dim, steps=self.settings.products)
            except _NotFiniteError:
                return math.nan, (math.nan, math.nan)
        if curvature is None:
            return None
        if isinstance(curvature, TopEigenvalue):
            return curvature.value, curvature.interval
        value = _scalar("curvature", curvature)
        return value, (value, value)

    def _margins(
        self,
        eta: float,
        lmax: tuple[float, tuple[float, float]],
        p: float | None,
        ends: tuple[float, float] | None,
        dim: int | None,
        found: dict[str, Any],
    ) -> None:
        """Put the margins with and without noise and, where p is known, I and the phase into ``found``."""
        value, (low, high) = lmax
        if not math.isfinite(value):
            found["S"] = math.nan
            return
        found["S"] = stability_margin(eta, value).value
        found["S low"] = stability_margin(eta, high).value if math.isfinite(high) else -math.inf
        found["S high"] = stability_margin(eta, low).value
        if p is None or ends is None or not math.isfinite(p):
            return
        found["S_p"] = _noisy_margin(p, eta, value)
        found["S_p low"] = _noisy_margin(ends[0], eta, high) if math.isfinite(high) else -math.inf
        found["S_p high"] = _noisy_margin(ends[1], eta, low)
        if value > 0.0:
            found["p needed"] = 0.5 * eta * value  # S_p = 0
        alpha = found.get("alpha", 2.0)
        found["I"] = intelligence(p, eta, value, float(dim or 1), alpha)
        found["phase"] = str(phase(p, found["I"]))


class _NotFiniteError(ArithmeticError):
    """A product with the Hessian is not finite."""


def _product(hvp: Callable[[Array], Any]) -> Callable[[Array], Array]:
    def product(v: Array) -> Array:
        w = as_array("hvp(v)", hvp(v)).astype(np.float64).ravel()
        if not np.isfinite(w).all():
            raise _NotFiniteError
        return w

    return product


def _noisy_margin(p: float, eta: float, lmax: float) -> float:
    return theory.noisy_margin(max(p, sys.float_info.min), eta, lmax)  # p = 0 in the limit


def _rows(gradients: Any) -> Array:
    """Return gradients as rows, whatever shape the parameters have."""
    if isinstance(gradients, (list, tuple)):
        rows = [_row(gradient) for gradient in gradients]
        if len({row.shape for row in rows}) > 1:
            raise ValueError(f"gradients must be of one size, got sizes {sorted({row.size for row in rows})}")
        array = np.array(rows, dtype=np.float64)
    else:
        array = as_array("gradients", gradients).astype(np.float64)
    if array.ndim < 2 or array.shape[0] < 3 or array[0].size == 0:
        raise ValueError(
            f"gradients must hold three or more gradients, one a row, of examples or batches, got shape {array.shape}"
        )
    return array.reshape(len(array), -1)


def _row(gradient: Any) -> Array:
    """Return one gradient as a vector; it may be a list of the parts that belong to weights, biases, ..."""
    if isinstance(gradient, (list, tuple)) and gradient:
        return np.concatenate([as_array("gradients", part).astype(np.float64).ravel() for part in gradient])
    array = as_array("gradients", gradient).astype(np.float64)
    return array.ravel() if array.ndim else array


def _scalar(name: str, value: Any) -> float:
    """Return a single number, which need not be finite, or raise naming ``name``."""
    array = as_array(name, value)
    if array.shape != ():
        raise TypeError(f"{name} must be a single number, got shape {array.shape}")
    return float(array)


__all__ = ["Measures", "Settings"]
