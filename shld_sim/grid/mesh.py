"""The box and its cells: where a grid solver keeps its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks


@dataclass(frozen=True, init=False, repr=False)
class Grid:
    """Uniform cells ``x_i = low + (i + 1/2) dx``, ``dx = (high - low) / n``, ``i = 0 .. n - 1``.

    Parameters
    ----------
    *axes : float, float, int
        One axis, as ``Grid(low, high, n)`` or ``Grid((low, high, n))``: the ends of the box (units of the
        coordinate, ``low < high``) and the number of cells, at least 2.

    Attributes
    ----------
    sides : tuple of (float, float, int)
        The axes as given, one triple each.

    Raises
    ------
    TypeError
        If an axis is not made of two numbers and a whole number.
    ValueError
        If an end is not finite, ``low >= high``, there are fewer than two cells, or there is more than one axis.

    Examples
    --------
    >>> grid = Grid(-2.5, 2.5, 400)
    >>> grid.dim, grid.shape, grid.dx
    (1, (400,), 0.0125)
    """

    sides: tuple[tuple[float, float, int], ...]

    def __init__(self, *axes: Any) -> None:
        if len(axes) == 3 and all(np.ndim(entry) == 0 for entry in axes):
            axes = (axes,)
        if not axes or any(np.ndim(axis) != 1 or len(axis) != 3 for axis in axes):
            raise TypeError(f"Grid needs an axis as low, high, n, got {axes!r}")
        if len(axes) > 1:
            raise ValueError(f"Grid supports one axis (low, high, n), got {len(axes)}")
        object.__setattr__(self, "sides", tuple(_axis(*axis) for axis in axes))

    def __repr__(self) -> str:
        return f"Grid({', '.join(map(repr, self.sides[0]))})"

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.sides)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along every axis; the shape of a density."""
        return tuple(n for _, _, n in self.sides)

    @property
    def low(self) -> float:
        """Lower end of the box."""
        return self.sides[0][0]

    @property
    def high(self) -> float:
        """Upper end of the box."""
        return self.sides[0][1]

    @property
    def dx(self) -> float:
        """Width of a cell."""
        low, high, n = self.sides[0]
        return (high - low) / n

    @cached_property
    def axes(self) -> tuple[NDArray[np.float64], ...]:
        """Cell centres along every axis (read-only)."""
        return tuple(_blend(low, high, np.arange(1.0, 2.0 * n, 2.0), 2.0 * n) for low, high, n in self.sides)

    @property
    def x(self) -> NDArray[np.float64]:
        """Cell centres, shape ``(n,)`` (read-only)."""
        return self.axes[0]

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """Cell edges, shape ``(n + 1,)`` (read-only); the first and last are the ends of the box."""
        low, high, n = self.sides[0]
        return _blend(low, high, np.arange(0.0, n + 1.0), float(n))


def _axis(low: Any, high: Any, n: Any) -> tuple[float, float, int]:
    """Return a checked ``(low, high, n)``."""
    low, high = _checks.number("low", low), _checks.number("high", high)
    if not low < high:
        raise ValueError(f"low must be smaller than high, got low={low!r}, high={high!r}")
    n = _checks.integer("n", n, minimum=-(2**62))
    if n < 2:
        raise ValueError(f"n must be at least 2 cells (empty grid), got {n}")
    return low, high, n


def _blend(low: float, high: float, k: NDArray[np.float64], n: float) -> NDArray[np.float64]:
    """Return ``(low (n - k) + high k) / n``, exactly antisymmetric when ``low == -high``."""
    points: NDArray[np.float64] = (low * (n - k) + high * k) / n
    points.flags.writeable = False
    return points
