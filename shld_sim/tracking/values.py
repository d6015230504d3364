"""What a log can hold (numbers, text, arrays, tensors), and the same as JSON that loses nothing, NaN and infinity included."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

RESERVED = ("step", "time")


def plain(name: str, value: Any) -> Any:
    """Return a value as bool, int, float, str or ndarray of numbers, or raise naming ``name``."""
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    array = as_array(name, value)
    return array.item() if array.shape == () else array


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return numbers as an array, tensors that carry a gradient or lie on a device included, or raise naming ``name``."""
    for step in ("detach", "cpu"):  # as PyTorch has them
        method = getattr(value, step, None)
        if callable(method):
            value = method()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        widen = getattr(value, "float", None)  # NumPy has no bfloat16
        if not callable(widen):
            raise TypeError(f"{name} must be a number, text or an array of numbers, got {_short(value)}") from error
        array = np.asarray(widen())
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be a number, text or an array of numbers, got {_short(value)}")
    return array.astype(np.float64) if array.dtype.kind == "f" and array.dtype.itemsize > 8 else array


def encoded(value: Any) -> Any:
    """Return what `plain` returned as something JSON can say; numbers it has no word for become ``{"float": "nan"}``."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    if isinstance(value, np.ndarray):
        numbers = value.tolist() if np.isfinite(value).all() else _named(value.tolist())
        return {"array": numbers, "shape": list(value.shape), "dtype": value.dtype.name}
    return value


def decoded(value: Any) -> Any:
    """Undo `encoded`; raise ValueError, KeyError or TypeError for anything else."""
    if isinstance(value, dict):
        if "float" in value:
            return float(value["float"])
        numbers = np.array(value["array"], dtype=object).reshape(value["shape"])
        return numbers.astype(value["dtype"])
    if isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"no value of a log: {_short(value)}")


def encoded_tree(name: str, value: Any) -> Any:
    """Return metadata (values, None, and lists and dicts of them) as JSON can say them, or raise naming the entry."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [encoded_tree(name, entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(key): encoded_tree(f"{name}[{str(key)!r}]", entry) for key, entry in value.items()}
    return encoded(plain(name, value))


def decoded_tree(value: Any) -> Any:
    """Undo `encoded_tree`."""
    if isinstance(value, list):
        return [decoded_tree(entry) for entry in value]
    if isinstance(value, dict) and value.keys() not in ({"float"}, {"array", "shape", "dtype"}):
        return {name: decoded_tree(entry) for name, entry in value.items()}
    return None if value is None else decoded(value)


def line(record: dict[str, Any]) -> bytes:
    """Return a record as one line of JSON."""
    return json.dumps(record, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def _named(numbers: Any) -> Any:
    if isinstance(numbers, list):
        return [_named(entry) for entry in numbers]
    return numbers if math.isfinite(numbers) else repr(numbers)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
