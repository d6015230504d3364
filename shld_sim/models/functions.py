"""What users' functions take and return, tried at one point when a model is made."""

from __future__ import annotations

import inspect
import numbers
import types
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]
AT_HAND = {"drift", "noise", "metric_inverse", "derivative"}  # functions of models that know check_at


def check_point(check_at: ArrayLike | None, dim: int) -> Array:
    """Return the point at which functions are tried, shape (dim,)."""
    point = _checks.points("check_at", np.full(dim, 0.5) if check_at is None else check_at, dim).reshape(-1)
    if point.shape != (dim,):
        raise ValueError(f"check_at must be one point of {dim} coordinates, got {check_at!r}")
    return point


def tried(name: str, function: Any, point: Array, params: tuple[Any, ...], *, call: bool = True) -> Any:
    """Return the value of a user's function at a point; above three dimensions what it wrote into a vector of NaN.

    With ``call=False`` only its arguments are looked at, and the value is None.
    """
    dim = len(point)
    expected = [*"xyz"[:dim], "p"] if dim <= 3 else ["x", "out", "p"]
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{name} must be a function made by def, lambda or numba.njit, got {function!r}")
    got = list(inspect.signature(function).parameters)
    if len(got) != len(expected):
        raise ValueError(
            f"{name} must take ({', '.join(expected)}) for dim={dim}, got a function of ({', '.join(got)})"
        )
    if not call:
        return None
    try:
        with np.errstate(all="ignore"):
            if dim <= 3:
                return function(*map(float, point), params)
            out = np.full(dim, np.nan)
            function(point.copy(), out, params)
            return out
    except Exception as error:  # the user's own function failed: say where, keep its message
        hint = "; pass check_at= with a point where it is defined" if name in AT_HAND else ""
        raise ValueError(f"{name} failed at x={point.tolist()}: {type(error).__name__}: {error}{hint}") from error


def numbers_of(name: str, value: Any, count: int) -> tuple[Any, ...]:
    """Return the ``count`` numbers that a user's function returned; raise if it did not."""
    values = value if isinstance(value, tuple) and count > 1 else (value,)
    if len(values) != count or not all(isinstance(v, numbers.Real) for v in values):
        expected = "a number" if count == 1 else f"a tuple of {count} numbers"
        raise ValueError(f"{name} must return {expected}, got {value!r}")
    return values


def rows_of(value: Any, count: int) -> tuple[tuple[Any, ...], ...] | None:
    """Return ``value`` if it is a tuple of ``count`` tuples of numbers, all as long; None otherwise."""
    if not (isinstance(value, tuple) and len(value) == count and all(isinstance(row, tuple) for row in value)):
        return None
    if len({len(row) for row in value}) != 1 or not all(isinstance(v, numbers.Real) for row in value for v in row):
        return None
    return value


def noise_form(value: Any, dim: int, diagonal: bool, noise_dim: int | None) -> tuple[str, int]:
    """Return what a noise function returns, as the engine calls it, and the number of Wiener processes."""
    m = None if noise_dim is None else _checks.integer("noise_dim", noise_dim)
    if dim > 3 and not diagonal:
        return "vector", m or dim
    if dim == 1 and isinstance(value, numbers.Real):
        form, found = "number", 1
    elif diagonal:
        if dim <= 3:
            numbers_of("noise", value, dim)
        form, found = "diagonal", dim
    else:
        rows = rows_of((value,) if dim == 1 else value, dim)
        if rows is None or not 1 <= len(rows[0]) <= 4:
            one = "a number or a tuple of 1 to 4 numbers"
            several = f"a tuple of {dim} rows, each a tuple of 1 to 4 numbers, all as long"
            hint = "" if dim == 1 else f"; pass diagonal=True to return {dim} numbers"
            raise ValueError(f"noise must return {one if dim == 1 else several}, got {value!r}{hint}")
        form, found = "rows", len(rows[0])
    if m not in (None, found):
        what = "the dimension, for diagonal noise" if form == "diagonal" else "what noise returns"
        raise ValueError(f"noise_dim must be {found}, {what}, got {m}")
    return form, found
