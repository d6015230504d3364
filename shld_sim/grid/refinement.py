"""Refinement: a number computed on grids of halved cells, extrapolated to cells of width zero, with its error."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROUNDING = 32.0 * float(np.finfo(float).eps)  # differences below this share of the number say nothing
MARGIN = 0.5  # by which an observed order may miss the expected one
EVEN = tuple(2.0 * k for k in range(1, 9))  # powers of the cell width in the error of a central scheme


@dataclass(frozen=True, eq=False)
class Refined:
    """A number in the limit of small cells; made by `FokkerPlanck.refined`.

    Parameters
    ----------
    value : float or ndarray
        Extrapolated; where the observed order is too low, what the finest grid gives.
    error : float or ndarray
        Estimate of ``|value - limit|``, of the shape of ``value``: twice the last step of the extrapolation, so about twice
        the error without that step, and pessimistic; never below rounding. A power that the values do not follow is
        not eliminated: then the error is the last difference of the column before, or more.
    values : ndarray, shape (levels, ...)
        On every grid, coarse to fine.
    cells : tuple
        Cells of every grid: numbers in one dimension, else shapes.
    order : float or ndarray
        Observed order of convergence of ``values``; nan with fewer than three levels, or where the differences are rounding.
    regular : bool
        Whether no observed order is lower than expected.
    """

    value: Any
    error: Any
    values: NDArray[Any]
    cells: tuple[Any, ...]
    order: Any
    regular: bool

    def __repr__(self) -> str:
        return f"Refined(value={self.value!r}, error={self.error!r}, cells={self.cells!r}, order={self.order!r})"


def romberg(
    values: NDArray[Any], orders: Sequence[float] = EVEN, ratio: float = 2.0
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    r"""Return limit, error, observed order and regularity of ``A(h) = A + c_1 h^{p_1} + c_2 h^{p_2} + ...``.

    Parameters
    ----------
    values : ndarray, shape (levels, ...)
        ``A(h), A(h / ratio), A(h / ratio^2), ...``, at least two.
    orders : sequence of float
        The powers ``p_1 < p_2 < ...``, at least ``levels - 1``.
    ratio : float
        Of two widths that follow each other, larger than 1.

    Returns
    -------
    limit, error, order, regular : ndarray, shape (...)
        As in `Refined`, for every element by itself.

    References
    ----------
    Richardson, Phil. Trans. R. Soc. A 210 (1911) 307; Romberg, K. Norske Vidensk. Selsk. Forh. 28 (1955) 30; on the
    observed order, Roache, J. Fluids Eng. 116 (1994) 405.
    """
    column = values
    floor = ROUNDING * np.abs(values).max(axis=0)
    limit, error = values[-1], np.full(floor.shape, np.inf)
    order, expected = np.full(floor.shape, np.nan), np.ones(floor.shape, dtype=bool)
    for k, power in enumerate(orders[: len(values) - 1]):
        moves = np.abs(np.diff(column, axis=0))
        last = moves[-1]
        q = np.full(floor.shape, np.nan)
        before = last
        if len(moves) > 1:
            seen = (last > floor) & (moves[-2] > 0.0)
            q[seen] = np.log(moves[-2][seen] / last[seen]) / np.log(ratio)
            before = moves[-2] / ratio**power
        if k == 0:
            order = q
        # order q instead of p: what is missing from the last value is its last move over ratio^q - 1; twice that,
        # as the order is not sharp
        slow = expected & (q < power - MARGIN)
        missing = 2.0 * np.maximum(last, before) / (ratio ** np.clip(q, 0.5, 1.0) - 1.0)
        error = np.where(slow, missing, error)
        expected &= ~slow
        # A_{k+1}(h) = A_k(h) + (A_k(h) - A_k(ratio h)) / (ratio^p_k - 1) is free of h^p_k
        correction = np.diff(column, axis=0) / (ratio**power - 1.0)
        column = column[1:] + correction
        guess = np.where(q > power + MARGIN, last, 2.0 * np.abs(correction[-1]))
        limit, error = np.where(expected, column[-1], limit), np.where(expected, guess, error)
    return limit, np.maximum(error, floor), order, ~(order < orders[0] - MARGIN)


def refined(values: Sequence[Any], cells: tuple[Any, ...], orders: Sequence[float]) -> Refined:
    """Return the `Refined` of what was found on grids of halved cells, and warn where it does not converge as expected."""
    arrays = [np.asarray(value) for value in values]
    if not all(np.issubdtype(array.dtype, np.number) for array in arrays):
        raise TypeError(f"quantity must return a number or an array of numbers, got {values[0]!r}")
    if any(array.shape != arrays[0].shape for array in arrays):
        shapes = [array.shape for array in arrays]
        raise ValueError(f"quantity must return the same shape on every grid, not values per cell, got {shapes}")
    stack = np.stack([array.astype(np.result_type(array, np.float64)) for array in arrays])
    if not np.isfinite(stack).all():
        raise ValueError(f"quantity must be finite on every grid, got {stack.tolist()!r}")
    limit, error, order, regular = romberg(stack, orders)
    if not regular.all():
        worst = float(np.nanmin(order))
        warnings.warn(
            f"refined: the values converge at the observed order {worst:.2f}, expected {orders[0]:g}; where that is so, "
            "the value of the finest grid is returned and the error is a guess: refine further, or state orders=",
            UserWarning,
            stacklevel=3,
        )
    plain = limit.ndim == 0
    return Refined(
        limit.item() if plain else limit,
        float(error) if plain else error,
        stack,
        cells,
        float(order) if plain else order,
        bool(regular.all()),
    )
