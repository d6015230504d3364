"""What a sweep returns: points, values, reasons of failure, and tables of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks


@dataclass(frozen=True)
class PointError:
    """Why a point of a sweep has no value.

    Attributes
    ----------
    kind : str
        Type of the last exception.
    message : str
        Its message.
    attempts : int
        How often the point was tried.
    traceback : str
        Traceback in the worker; empty when the worker died.
    """

    kind: str
    message: str
    attempts: int
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message} (tried {self.attempts} times)"


@dataclass(frozen=True, eq=False)
class SweepResult:
    """Values of a function over parameters. Iteration gives pairs ``(parameters, value)``.

    Attributes
    ----------
    parameters : tuple of dict
        The points, in order; the last name of a grid changes fastest.
    values : tuple
        What the function returned at each point; None where there is no value.
    errors : dict of int to PointError
        Points that failed: number of the point to the reason.
    interrupted : bool
        True when Ctrl-C ended the sweep; the points done are kept.
    axes : dict of list, or None
        The lists that span the grid; None for a list of points.
    function : str
        Name of the function.
    seed : dict or None
        Entropy and spawn key of the sweep's seed; None when the function takes none.
    version : str
        Version of shld_sim.
    """

    parameters: tuple[dict[str, Any], ...]
    values: tuple[Any, ...]
    errors: dict[int, PointError]
    interrupted: bool
    axes: dict[str, list[Any]] | None
    function: str
    seed: dict[str, Any] | None
    version: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis of the grid; for a list of points, their number."""
        return (len(self.parameters),) if self.axes is None else tuple(len(axis) for axis in self.axes.values())

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        return iter(zip(self.parameters, self.values, strict=True))

    def table(self) -> dict[str, NDArray[Any]]:
        """Return columns: each parameter, then each value (named "value" unless the function returns a dict).

        Returns
        -------
        dict of str to ndarray
            Each of shape ``(n, ...)`` for ``n`` points; NaN where there is no value.
        """
        names = list(dict.fromkeys(name for point in self.parameters for name in point))
        columns = {name: _column([point.get(name) for point in self.parameters]) for name in names}
        return {**columns, **{name: self._values_of(name) for name in self._value_names()}}

    def array(self, name: str = "value") -> NDArray[Any]:
        """Return one column with the shape of the grid.

        Parameters
        ----------
        name : str
            A key of the dict that the function returns, a parameter, or "value" when it returns no dict.

        Returns
        -------
        ndarray
            Shape ``shape + (shape of one value)``; NaN where there is no value.
        """
        table = self.table()
        _checks.one_of("name", name, table)
        return table[name].reshape(self.shape + table[name].shape[1:])

    def _value_names(self) -> list[str]:
        names: dict[str, None] = {}
        for value in self.values:
            if value is not None:
                names.update(dict.fromkeys(value if isinstance(value, dict) else ["value"]))
        return list(names) or ["value"]

    def _values_of(self, name: str) -> NDArray[Any]:
        found = {}
        for i, value in enumerate(self.values):
            if isinstance(value, dict):
                if name in value:
                    found[i] = np.asarray(value[name])
            elif value is not None and name == "value":
                found[i] = np.asarray(value)
        shapes = {value.shape for value in found.values()}
        if len(shapes) > 1:
            raise ValueError(f"{name} must have one shape at all points to make a column, got {sorted(shapes)}")
        kind = np.result_type(*found.values(), *([np.float64] if len(found) < len(self.values) else []))
        out = np.full((len(self.values), *(shapes or {()}).pop()), 0 if kind.kind in "biu" else np.nan, kind)
        for i, value in found.items():
            out[i] = value
        return out

    def __repr__(self) -> str:
        done = sum(value is not None for value in self.values)
        flags = (f", {len(self.errors)} failed" if self.errors else "") + (", interrupted" if self.interrupted else "")
        return f"<SweepResult of {self.function}: {done} of {len(self)} points done{flags}>"


def _column(values: list[Any]) -> NDArray[Any]:
    """Return parameters as an array: of numbers or strings where that is possible, else of objects."""
    with contextlib.suppress(ValueError):
        column = np.asarray(values)
        if column.dtype.kind in "biufcU":
            return column
    column = np.empty(len(values), object)
    for i, value in enumerate(values):
        column[i] = value
    return column
