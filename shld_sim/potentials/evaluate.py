"""Evaluate scalar functions on rows of points: compiled loops over functions that do not apply to whole arrays."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from shld_sim._compile import specialised


@functools.lru_cache(maxsize=256)
def compiled_rows(function: Callable[..., Any], dim: int, gradient: bool, vector: bool) -> Callable[..., None]:
    """Return ``rows(x, params, out)`` that applies ``function`` to each row of ``x``, shape ``(n, dim)``.

    Raises
    ------
    ValueError
        When Numba cannot compile ``function``; the message keeps the line of its report that names the cause.
    """
    rows = _make_rows(function, dim, gradient, vector)

    @functools.wraps(rows)
    def explained(x: Any, params: Any, out: Any) -> None:
        from numba.core.errors import NumbaError

        try:
            rows(x, params, out)
        except NumbaError as error:
            which = "gradient" if gradient else "energy"
            raise ValueError(f"{which} does not compile: {_cause(error)}") from error

    return explained


def _make_rows(function: Callable[..., Any], dim: int, gradient: bool, vector: bool) -> Callable[..., None]:
    from numba.extending import register_jitable

    style = "vector" if vector else dim
    template = (GRADIENT_ROWS if gradient else ENERGY_ROWS)[style]
    return specialised(template, {"error_model": "numpy", "nogil": True}, function=register_jitable(function))  # type: ignore[no-any-return]


# In the templates, ``function`` is a global name that `specialised` fills in.


def _energy_1(key):
    def rows(x, params, out):
        key  # noqa: B018
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n, 0], params)  # noqa: F821

    return rows


def _energy_2(key):
    def rows(x, params, out):
        key  # noqa: B018
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n, 0], x[n, 1], params)  # noqa: F821

    return rows


def _energy_3(key):
    def rows(x, params, out):
        key  # noqa: B018
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n, 0], x[n, 1], x[n, 2], params)  # noqa: F821

    return rows


def _energy_vector(key):
    def rows(x, params, out):
        key  # noqa: B018
        for n in range(x.shape[0]):
            out[n, 0] = function(x[n], params)  # noqa: F821

    return rows


def _gradient_2(key):
    def rows(x, params, out):
        key  # noqa: B018
        for n in range(x.shape[0]):
            out[n, 0], out[n, 1] = function(x[n, 0], x[n, 1], params)  # noqa: F821

    return rows


def _gradient_3(key):
    def rows(x, params, out):
        key  # noqa: B018
        for n in range(x.shape[0]):
            out[n, 0], out[n, 1], out[n, 2] = function(x[n, 0], x[n, 1], x[n, 2], params)  # noqa: F821

    return rows


def _gradient_vector(key):
    def rows(x, params, out):
        key  # noqa: B018
        for n in range(x.shape[0]):
            function(x[n], out[n], params)  # noqa: F821

    return rows


ENERGY_ROWS = {1: _energy_1, 2: _energy_2, 3: _energy_3, "vector": _energy_vector}
GRADIENT_ROWS = {1: _energy_1, 2: _gradient_2, 3: _gradient_3, "vector": _gradient_vector}


def _cause(error: Exception) -> str:
    """Return the line of a Numba report that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for line in lines:
        if line.startswith(("Untyped global name", "No implementation", "Unknown attribute", "Use of unsupported")):
            return line
    return lines[min(1, len(lines) - 1)] if lines else type(error).__name__
