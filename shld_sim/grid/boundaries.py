"""Boundary conditions of the box, by name, for every end of every axis."""

from __future__ import annotations

from typing import Any

from shld_sim import _checks
from shld_sim.grid.mesh import Grid

ENDS = ("reflecting", "absorbing")
Boundary = tuple[tuple[str, str], ...]


def checked_boundary(boundary: Any, grid: Grid) -> Boundary:
    """Return the kinds of the low and the high end of every axis, or raise naming ``boundary``.

    A name stands for all ends; in one dimension a pair names the two ends; in more, each entry is that of one axis: a name
    or a pair.
    """
    if isinstance(boundary, str) or grid.dim == 1:
        kinds: Boundary = (_ends("boundary", boundary),) * grid.dim
    else:
        if not isinstance(boundary, tuple | list) or len(boundary) != grid.dim:
            raise TypeError(
                f"boundary must be a name or a list of {grid.dim} entries, one per coordinate, got {boundary!r}"
            )
        kinds = tuple(_ends(f"boundary[{i}]", entry) for i, entry in enumerate(boundary))
    for (kind, _), n in zip(kinds, grid.shape, strict=True):
        if kind == "periodic" and n < 3:
            raise ValueError(f"grid must have at least 3 cells when boundary is 'periodic', got {n}")
    return kinds


def _ends(name: str, value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        kind = _checks.one_of(name, value, (*ENDS, "periodic"))
        return kind, kind
    try:
        low, high = value
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a name or a pair (low, high), got {value!r}") from None
    return _checks.one_of(f"{name}[0]", low, ENDS), _checks.one_of(f"{name}[1]", high, ENDS)
