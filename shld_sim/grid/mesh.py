"""The box and its cells: where a grid solver keeps its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Uniform:
    """Axis of ``n`` cells of one width.

    Parameters
    ----------
    low, high : float
        Ends, ``low < high``.
    n : int
        Number of cells, at least 2.
    """

    low: float
    high: float
    n: int

    def __post_init__(self) -> None:
        _set_ends(self)
        object.__setattr__(self, "n", _cells(self.n))

    def edges(self) -> Array:
        """Return the ``n + 1`` edges."""
        return _blend(self.low, self.high, np.arange(0.0, self.n + 1.0), float(self.n))

    def centres(self) -> Array:
        """Return the ``n`` cell centres."""
        return _blend(self.low, self.high, np.arange(1.0, 2.0 * self.n, 2.0), 2.0 * self.n)

    def split(self, factor: int) -> Uniform:
        """Return the axis with every cell cut into ``factor``."""
        return Uniform(self.low, self.high, factor * self.n)


@dataclass(frozen=True)
class Stretched:
    r"""Axis of ``n`` cells that widen away from a centre: edges :math:`c + w \sinh u`, ``u`` equidistant.

    Cells are about :math:`w\,\Delta u` wide within ``w`` of the centre and grow in proportion to the distance beyond it, so
    that a far end costs a number of cells that is logarithmic in its distance.

    Parameters
    ----------
    low, high : float
        Ends, ``low < high``.
    n : int
        Number of cells, at least 2.
    centre : float
        ``c``, where the cells are narrowest.
    width : float
        ``w``, positive: the size of the region of nearly equal cells.
    """

    low: float
    high: float
    n: int
    centre: float = 0.0
    width: float = 1.0

    def __post_init__(self) -> None:
        _set_ends(self)
        object.__setattr__(self, "n", _cells(self.n))
        object.__setattr__(self, "centre", _checks.number("centre", self.centre))
        object.__setattr__(self, "width", _checks.positive("width", self.width))

    def edges(self) -> Array:
        """Return the ``n + 1`` edges."""
        ends = np.arcsinh((np.array([self.low, self.high]) - self.centre) / self.width)
        u = _blend(float(ends[0]), float(ends[1]), np.arange(0.0, self.n + 1.0), float(self.n))
        x = self.centre + self.width * np.sinh(u)
        x[0], x[-1] = self.low, self.high
        return x

    def centres(self) -> Array:
        """Return the ``n`` cell centres, midway between the edges."""
        return _midpoints(self.edges())

    def split(self, factor: int) -> Stretched:
        """Return the axis with ``factor`` times as many cells."""
        return Stretched(self.low, self.high, factor * self.n, self.centre, self.width)


@dataclass(frozen=True)
class Edges:
    """Axis of cells between given edges.

    Parameters
    ----------
    values : array_like of float
        The edges, increasing, at least three.
    """

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        array = _checks.finite_array("edges", self.values)
        if array.ndim != 1 or array.size < 3:
            raise ValueError(f"edges must be a list of at least 3 numbers (2 cells), got shape {array.shape}")
        if not (np.diff(array) > 0.0).all():
            at = int(np.argmin(np.diff(array) > 0.0))
            a, b = array[at : at + 2].tolist()
            raise ValueError(f"edges must increase, got {a!r} before {b!r} at index {at + 1}")
        object.__setattr__(self, "values", tuple(array.tolist()))

    def __repr__(self) -> str:
        return f"Edges(<{len(self.values)} from {self.values[0]!r} to {self.values[-1]!r}>)"

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.values) - 1

    @property
    def low(self) -> float:
        """Lower end."""
        return self.values[0]

    @property
    def high(self) -> float:
        """Upper end."""
        return self.values[-1]

    def edges(self) -> Array:
        """Return the ``n + 1`` edges."""
        return np.array(self.values)

    def centres(self) -> Array:
        """Return the ``n`` cell centres, midway between the edges."""
        return _midpoints(self.edges())

    def split(self, factor: int) -> Edges:
        """Return the axis with every cell cut into ``factor`` equal ones."""
        x = self.edges()
        parts = x[:-1, None] + np.diff(x)[:, None] * np.arange(factor) / factor
        return Edges(tuple(np.append(parts.ravel(), x[-1]).tolist()))


Axis = Uniform | Stretched | Edges


@dataclass(frozen=True, init=False, repr=False)
class Grid:
    """Box of cells, the product of one axis per coordinate.

    Parameters
    ----------
    *axes : (float, float, int), Uniform, Stretched, Edges or ndarray
        ``(low, high, n)`` for ``n`` cells of one width, at least 2; an array of ``n + 1`` edges; or an axis made before.
        One uniform axis may be written ``Grid(low, high, n)``. Units are those of the coordinates.

    Attributes
    ----------
    sides : tuple of Uniform, Stretched or Edges
        The axes.
    multiple : int
        Into how many each cell has been cut by `refined`; two grids that differ in this alone are equal.

    Raises
    ------
    TypeError
        If an axis is not made of two numbers and a whole number.
    ValueError
        If an end is not finite, ``low >= high``, there are fewer than two cells, or edges do not increase.

    Examples
    --------
    >>> grid = Grid(-2.5, 2.5, 400)
    >>> grid.dim, grid.shape, grid.dx
    (1, (400,), 0.0125)
    >>> plane = Grid((-2, 2, 200), (-1, 3, 100))
    >>> plane.shape, plane.points.shape
    ((200, 100), (200, 100, 2))
    """

    sides: tuple[Axis, ...]
    multiple: int = field(default=1, compare=False)

    def __init__(self, *axes: Any) -> None:
        if len(axes) == 3 and all(np.ndim(entry) == 0 and not isinstance(entry, Axis) for entry in axes):
            axes = (axes,)
        if not axes:
            raise TypeError("Grid needs an axis as low, high, n, got nothing")
        object.__setattr__(self, "sides", tuple(_axis(axis) for axis in axes))
        object.__setattr__(self, "multiple", 1)

    def __repr__(self) -> str:
        def shown(side: Axis) -> str:
            return f"({side.low!r}, {side.high!r}, {side.n!r})" if isinstance(side, Uniform) else repr(side)

        inside = ", ".join(map(shown, self.sides))
        return f"Grid{inside}" if self.dim == 1 and isinstance(self.sides[0], Uniform) else f"Grid({inside})"

    @classmethod
    def stretched(cls, low: float, high: float, n: int, *, centre: float = 0.0, width: float = 1.0) -> Grid:
        """Return a one-dimensional grid whose cells widen away from ``centre``, see `Stretched`.

        Parameters
        ----------
        low, high : float
            Ends.
        n : int
            Number of cells.
        centre : float
            Where the cells are narrowest.
        width : float
            Size of the region of nearly equal cells.
        """
        return cls(Stretched(low, high, n, centre, width))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.sides)

    @property
    def shape(self) -> tuple[int, ...]:
        """Cells along every axis; the shape of a density."""
        return tuple(side.n for side in self.sides)

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.prod(self.shape))

    @property
    def uniform(self) -> bool:
        """Whether the cells along every axis have one width."""
        return all(isinstance(side, Uniform) for side in self.sides)

    @property
    def low(self) -> Any:
        """Lower end of the box: a number in one dimension, else a tuple."""
        return self.sides[0].low if self.dim == 1 else tuple(side.low for side in self.sides)

    @property
    def high(self) -> Any:
        """Upper end of the box: a number in one dimension, else a tuple."""
        return self.sides[0].high if self.dim == 1 else tuple(side.high for side in self.sides)

    @property
    def dx(self) -> Any:
        """Width of a cell: a number in one dimension, else a tuple; uniform grids only, see `widths` and `volumes`."""
        if not self.uniform:
            raise ValueError(f"dx exists for uniform grids; use widths, volumes or integrate(p), got {self!r}")
        widths = tuple((side.high - side.low) / side.n for side in self.sides)
        return widths[0] if self.dim == 1 else widths

    @cached_property
    def axes(self) -> tuple[Array, ...]:
        """Cell centres along every axis (read-only)."""
        return tuple(_frozen(side.centres()) for side in self.sides)

    @cached_property
    def edge_axes(self) -> tuple[Array, ...]:
        """Cell edges along every axis, ``n + 1`` each (read-only)."""
        return tuple(_frozen(side.edges()) for side in self.sides)

    @cached_property
    def widths(self) -> tuple[Array, ...]:
        """Cell widths along every axis (read-only)."""
        return tuple(
            _frozen(np.full(side.n, (side.high - side.low) / side.n) if isinstance(side, Uniform) else np.diff(edges))
            for side, edges in zip(self.sides, self.edge_axes, strict=True)
        )

    @property
    def x(self) -> Array:
        """Cell centres of a one-dimensional grid, shape ``(n,)`` (read-only)."""
        return self._only(self.axes)

    @property
    def edges(self) -> Array:
        """Cell edges of a one-dimensional grid, shape ``(n + 1,)`` (read-only); the outer two are the ends of the box."""
        return self._only(self.edge_axes)

    @cached_property
    def volumes(self) -> Array:
        """Length, area or volume of every cell, shape ``shape`` (read-only)."""
        return _frozen(np.asarray(reduce(np.multiply.outer, self.widths)).reshape(self.shape))

    @cached_property
    def points(self) -> Array:
        """Cell centres as points: shape ``(n,)`` in one dimension, else ``(*shape, dim)`` (read-only)."""
        if self.dim == 1:
            return self.axes[0]
        return _frozen(np.stack(np.meshgrid(*self.axes, indexing="ij"), axis=-1))

    def integrate(self, values: ArrayLike) -> Any:
        """Return the integral over the box of values at the cell centres, ``sum_i f_i vol_i``.

        Parameters
        ----------
        values : array_like, shape (..., *shape)
            The cells on the last axes.

        Returns
        -------
        float or ndarray
            Shape ``(...)``.
        """
        array = np.asarray(values)
        if array.shape[array.ndim - self.dim :] != self.shape:
            raise ValueError(f"values must have the cells {self.shape} on the last axes, got shape {array.shape}")
        result = (array * self.volumes).sum(axis=tuple(range(array.ndim - self.dim, array.ndim)))
        return float(result) if np.ndim(result) == 0 and not np.iscomplexobj(result) else result

    def refined(self, factor: int = 2) -> Grid:
        """Return the grid of the same box with ``factor`` times as many cells along every axis.

        Parameters
        ----------
        factor : int
            At least 1.
        """
        factor = _checks.integer("factor", factor)
        finer = Grid(*(side.split(factor) for side in self.sides))
        object.__setattr__(finer, "multiple", factor * self.multiple)
        return finer

    def _only(self, axes: tuple[Array, ...]) -> Array:
        if self.dim > 1:
            raise ValueError(f"x and edges exist for one coordinate; use axes, edge_axes or points, got {self!r}")
        return axes[0]


def _axis(given: Any) -> Axis:
    """Return a checked axis."""
    if isinstance(given, Axis):
        return given
    if isinstance(given, np.ndarray) and given.ndim == 1:
        return Edges(tuple(given.tolist()))
    if np.ndim(given) != 1 or len(given) != 3:
        raise TypeError(f"Grid needs an axis as low, high, n or an array of edges, got {given!r}")
    return Uniform(*given)


def _set_ends(axis: Any) -> None:
    """Check and keep ``low`` and ``high``."""
    low, high = _checks.number("low", axis.low), _checks.number("high", axis.high)
    if not low < high:
        raise ValueError(f"low must be smaller than high, got low={low!r}, high={high!r}")
    object.__setattr__(axis, "low", low)
    object.__setattr__(axis, "high", high)


def _cells(n: Any) -> int:
    n = _checks.integer("n", n, minimum=-(2**62))
    if n < 2:
        raise ValueError(f"n must be at least 2 cells (empty grid), got {n}")
    return n


def _blend(low: float, high: float, k: Array, n: float) -> Array:
    """Return ``(low (n - k) + high k) / n``, exactly antisymmetric when ``low == -high``."""
    return np.asarray((low * (n - k) + high * k) / n)


def _midpoints(edges: Array) -> Array:
    return np.asarray(0.5 * (edges[1:] + edges[:-1]))


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array
