"""Evaluate scalar functions on rows of points: compiled loops over functions that do not apply to whole arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from shld_sim._compile import OPTIONS, prepared, specialised


@functools.lru_cache(maxsize=256)
def compiled_rows(function: Callable[..., Any], dim: int, gradient: bool, vector: bool) -> Callable[..., None]:
    """Return ``rows(x, params, out)`` that applies ``function`` to each row of ``x``, shape ``(n, dim)``.

    Raises
    ------
    ValueError
        When Numba cannot compile ``function``, or the compiled function raises; the message keeps the line of the
        report that names the cause.
    """
    which = "gradient" if gradient else "energy"
    rows = _make_rows(function, dim, gradient, vector)

    @functools.wraps(rows)
    def explained(x: Any, params: Any, out: Any) -> None:
        # Numba lets errors of many types through, its own and Python's
        before = len(rows.signatures)
        try:
            rows(x, params, out)
        except Exception as error:
            problem = "failed" if 0 < before == len(rows.signatures) else "does not compile"
            raise ValueError(f"{which} {problem}: {cause(error)}") from error

    return explained


def _make_rows(function: Callable[..., Any], dim: int, gradient: bool, vector: bool) -> Any:
    from numba.extending import register_jitable

    template = (GRADIENT_ROWS if gradient else ENERGY_ROWS)["vector" if vector else dim]
    return specialised(template, OPTIONS, function=prepared(function, register_jitable))


# In the templates, ``function`` is a global name that `specialised` fills in.


def _energy_1(key):
    def rows(x, params, out):
        key
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n, 0], params)

    return rows


def _energy_2(key):
    def rows(x, params, out):
        key
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n, 0], x[n, 1], params)

    return rows


def _energy_3(key):
    def rows(x, params, out):
        key
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n, 0], x[n, 1], x[n, 2], params)

    return rows


def _energy_vector(key):
    def rows(x, params, out):
        key
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n], params)

    return rows


def _gradient_2(key):
    def rows(x, params, out):
        key
        for n in range(x.shape[0]):
            out[n, 0], out[n, 1] = function(x[n, 0], x[n, 1], params)

    return rows


def _gradient_3(key):
    def rows(x, params, out):
        key
        for n in range(x.shape[0]):
            out[n, 0], out[n, 1], out[n, 2] = function(x[n, 0], x[n, 1], x[n, 2], params)

    return rows


def _gradient_vector(key):
    def rows(x, params, out):
        key
        for n in range(x.shape[0]):
            function(x[n], out[n], params)

    return rows


ENERGY_ROWS = {1: _energy_1, 2: _energy_2, 3: _energy_3, "vector": _energy_vector}
GRADIENT_ROWS = {1: _energy_1, 2: _gradient_2, 3: _gradient_3, "vector": _gradient_vector}


def cause(error: Exception) -> str:
    """Return in one line what is wrong: the innermost cause of a Numba report, or type and message of another error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    starts = [i for i, line in enumerate(lines[:-1]) if "Failed in nopython mode pipeline" in line]
    if not starts:
        return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    line, *rest = lines[starts[-1] + 1 :]
    if line.startswith("No implementation of function") and rest and rest[0].startswith(">>> "):
        return f"No implementation of {rest[0][4:]}"  # the call and the types of its arguments
    return line
