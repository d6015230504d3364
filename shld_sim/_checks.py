"""Argument checks shared by every public function: one line that names the argument, the value and what is right."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def number(name: str, value: Any) -> float:
    """Return ``value`` as a finite float, or raise naming ``name``."""
    if isinstance(value, float):  # nothing to look at: rules on single measurements are called millions of times
        result = float(value)
    else:
        array = np.asarray(value)
        if array.shape != () or not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
            raise TypeError(f"{name} must be a number, got {value!r}")
        result = float(array)
    if not math.isfinite(result):
        raise ValueError(f"{name} must be a finite number, got {result!r}")
    return result


def positive(name: str, value: Any) -> float:
    """Return ``value`` as a float larger than zero, or raise naming ``name``."""
    result = number(name, value)
    if result <= 0.0:
        raise ValueError(f"{name} must be positive, got {result!r}")
    return result


def nonnegative(name: str, value: Any) -> float:
    """Return ``value`` as a float that is not below zero, or raise naming ``name``."""
    result = number(name, value)
    if result < 0.0:
        raise ValueError(f"{name} must not be negative, got {result!r}")
    return result


def integer(name: str, value: Any, minimum: int = 1) -> int:
    """Return ``value`` as an int of at least ``minimum``, or raise naming ``name``."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        if not (isinstance(value, numbers.Real) and float(value).is_integer()):
            raise TypeError(f"{name} must be a whole number, got {value!r}")
    result = int(value)
    if result < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {result!r}")
    return result


def stability_index(name: str, value: Any) -> float:
    """Return a stability index ``0 < alpha <= 2``, or raise naming ``name``."""
    result = number(name, value)
    if not 0.0 < result <= 2.0:
        raise ValueError(f"{name} must lie in (0, 2], got {result!r}")
    return result


def probability(name: str, value: Any) -> float:
    """Return a probability or confidence level in the open interval (0, 1), or raise naming ``name``."""
    result = number(name, value)
    if not 0.0 < result < 1.0:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {result!r}")
    return result


def one_of(name: str, value: Any, options: Iterable[str]) -> str:
    """Return ``value`` if it is one of ``options``, or raise naming ``name`` and the options."""
    choices = tuple(options)
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return str(value)


def finite_array(name: str, value: Any) -> NDArray[np.float64]:
    """Return ``value`` as a float64 array without NaN or infinity, or raise naming ``name``."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an array of numbers, got {value!r}") from None
    bad = ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        at = f" at index {where[0] if len(where) == 1 else where}" if where else ""
        raise ValueError(f"{name} must be finite, got {float(array[where])!r}{at}")
    return array


def points(name: str, value: Any, dim: int) -> NDArray[np.float64]:
    """Return ``value`` as finite points: ``(...)`` when ``dim == 1``, else ``(..., dim)``; or raise naming ``name``."""
    array = finite_array(name, value)
    if dim > 1 and (array.ndim == 0 or array.shape[-1] != dim):
        raise ValueError(f"{name} must have {dim} coordinates on its last axis, got shape {array.shape}")
    return array


def interval(name: str, value: Any) -> tuple[float, float]:
    """Return ``(low, high)`` with ``low < high``, infinite ends allowed, or raise naming ``name``."""
    try:
        low, high = (float(end) for end in value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a pair (low, high), got {value!r}") from None
    if not low < high:  # also catches NaN
        raise ValueError(f"{name} must be (low, high) with low < high, got ({low!r}, {high!r})")
    return low, high
