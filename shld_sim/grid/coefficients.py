"""Drift and diffusion matrix of a general model at many points: compiled loops over the user's two functions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim._compile import prepared, specialised
from shld_sim.models import Diffusion
from shld_sim.potentials.evaluate import cause

Array = NDArray[np.float64]


def coefficients(model: Diffusion, points: Array) -> tuple[Array, Array]:
    """Return the drift, shape ``(n, dim)``, and ``A = B B^T / 2``, ``(n, dim, dim)``, at ``points``, ``(n, dim)``.

    The drift is that of the model, in its own interpretation. Values that are not finite are returned as they are.
    """
    points = np.ascontiguousarray(points)
    b, B = np.empty((len(points), model.dim)), np.zeros((len(points), model.dim, model.noise_dim))
    rows = _rows(model.drift, model.noise, f"{model.form}_{model.dim}")
    try:
        with np.errstate(all="ignore"):
            rows(points, model.params, b, B)
    except Exception as error:  # Numba lets errors of many types through, its own and Python's
        raise ValueError(f"drift or noise does not compile or fails: {cause(error)}") from error
    with np.errstate(over="ignore", invalid="ignore"):
        return b, 0.5 * np.einsum("nij,nkj->nik", B, B)


@functools.lru_cache(maxsize=256)
def _rows(drift: Callable[..., Any], noise: Callable[..., Any], form: str) -> Any:
    from numba.extending import register_jitable

    made = {"drift": prepared(drift, register_jitable), "noise": prepared(noise, register_jitable)}
    return specialised(TEMPLATES[form], {"error_model": "numpy", "nogil": True}, **made)


# In the templates, ``drift`` and ``noise`` are global names that `specialised` fills in.


def _number_1(key):
    def rows(x, params, b, B):
        key
        for n in range(x.shape[0]):
            b[n, 0] = drift(x[n, 0], params)
            B[n, 0, 0] = noise(x[n, 0], params)

    return rows


def _rows_1(key):
    def rows(x, params, b, B):
        key
        for n in range(x.shape[0]):
            b[n, 0] = drift(x[n, 0], params)
            B[n, 0, :] = np.array(noise(x[n, 0], params))

    return rows


def _diagonal_2(key):
    def rows(x, params, b, B):
        key
        for n in range(x.shape[0]):
            b[n, 0], b[n, 1] = drift(x[n, 0], x[n, 1], params)
            B[n, 0, 0], B[n, 1, 1] = noise(x[n, 0], x[n, 1], params)

    return rows


def _rows_2(key):
    def rows(x, params, b, B):
        key
        for n in range(x.shape[0]):
            b[n, 0], b[n, 1] = drift(x[n, 0], x[n, 1], params)
            first, second = noise(x[n, 0], x[n, 1], params)
            B[n, 0, :], B[n, 1, :] = np.array(first), np.array(second)

    return rows


def _diagonal_3(key):
    def rows(x, params, b, B):
        key
        for n in range(x.shape[0]):
            b[n, 0], b[n, 1], b[n, 2] = drift(x[n, 0], x[n, 1], x[n, 2], params)
            B[n, 0, 0], B[n, 1, 1], B[n, 2, 2] = noise(x[n, 0], x[n, 1], x[n, 2], params)

    return rows


def _rows_3(key):
    def rows(x, params, b, B):
        key
        for n in range(x.shape[0]):
            b[n, 0], b[n, 1], b[n, 2] = drift(x[n, 0], x[n, 1], x[n, 2], params)
            first, second, third = noise(x[n, 0], x[n, 1], x[n, 2], params)
            B[n, 0, :], B[n, 1, :], B[n, 2, :] = np.array(first), np.array(second), np.array(third)

    return rows


TEMPLATES: dict[str, Any] = {
    "number_1": _number_1,
    "rows_1": _rows_1,
    "diagonal_2": _diagonal_2,
    "rows_2": _rows_2,
    "diagonal_3": _diagonal_3,
    "rows_3": _rows_3,
}
