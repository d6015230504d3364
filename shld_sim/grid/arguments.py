"""What users pass to `FokkerPlanck`, checked and turned into cells: densities, starts, times, domains, observables."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from shld_sim import _checks
from shld_sim.domains import Domain, as_domain
from shld_sim.grid.boundaries import Boundary
from shld_sim.grid.chain import Array
from shld_sim.grid.mesh import Grid


def times(t: Any) -> tuple[Array, bool]:
    """Return the times as a vector, and whether one number was given."""
    array = _checks.finite_array("t", t)
    if array.ndim > 1:
        raise ValueError(f"t must be a number or one-dimensional, got shape {array.shape}")
    if (array < 0.0).any():
        raise ValueError(f"t must not be negative, got {float(array.min())!r}")
    return np.atleast_1d(array), array.ndim == 0


def domain(grid: Grid, name: str, value: Any, coordinates: int) -> Domain | None:
    """Return ``value`` as a domain of so many coordinates, or of all; None for the whole box."""
    if value is None or (coordinates == 1 and not isinstance(value, Domain) and _everything(name, value)):
        return None
    return as_set(grid, name, value, coordinates)


def as_set(grid: Grid, name: str, value: Any, coordinates: int) -> Domain:
    """Return ``value`` as a domain of the first ``coordinates`` of the grid, or of all."""
    whole = isinstance(value, Domain) and value.dim == grid.dim
    return as_domain(name, value, grid.dim if whole else coordinates)


def start(grid: Grid, name: str, value: Any, inside: Domain | None) -> Array:
    """Return a point in the box and in the closure of a domain, shape ``(dim,)``."""
    point = _checks.points(name, value, grid.dim).reshape(-1)
    if point.shape != (grid.dim,):
        raise ValueError(f"{name} must be one point of {grid.dim} coordinates, got {value!r}")
    in_box = all(side.low <= c <= side.high for side, c in zip(grid.sides, point, strict=True))
    if not in_box or (inside is not None and float(inside._distance(point[None, : inside.dim])[0]) < 0.0):
        where = "" if inside is None else f"the domain {inside!r} and in "
        raise ValueError(f"{name} must lie in {where}the box ({grid.low!r}, {grid.high!r}), got {value!r}")
    return point


def density(grid: Grid, name: str, p: Any, signed: bool = False) -> Array:
    """Return ``p`` as an array on the cells, not negative but for errors of a ``signed`` solver, or raise naming ``name``."""
    array = _checks.finite_array(name, p)
    if array.shape != grid.shape:
        raise ValueError(f"{name} must have shape {grid.shape}, one value per cell, got {array.shape}")
    allowed = 1e-3 * float(array.max()) if signed else 0.0
    if (array < -allowed).any():
        raise ValueError(f"{name} must not be negative, got {float(array.min())!r}")
    return array


def observable(grid: Grid, name: str, f: Any) -> Array:
    """Return the values of a function, or given values, on the cells; a number may stand for a constant."""
    values = _checks.finite_array(name, f(grid.points) if callable(f) else f)
    if values.shape not in ((), grid.shape):
        raise ValueError(f"{name} must give one value per cell, shape {grid.shape}, got {values.shape}")
    return values


def is_point(grid: Grid, p0: Any) -> bool:
    """Return whether ``p0`` is a point rather than a density."""
    return not callable(p0) and np.shape(p0) == (() if grid.dim == 1 else (grid.dim,))


def initial(grid: Grid, kinds: Boundary, p0: Any, signed: bool = False) -> Array:
    """Return the initial probabilities of the cells, shape ``(N,)``."""
    if callable(p0):
        values = density(grid, "p0", p0(grid.points), signed)
        mass = grid.integrate(values)
        if mass <= 0.0:
            raise ValueError("p0 must have probability in the box, got 0 at every cell centre")
        return (values * grid.volumes / mass).ravel()
    if is_point(grid, p0):
        return _point(grid, kinds, p0)
    values = density(grid, "p0", p0, signed)
    mass = grid.integrate(values)
    if abs(mass - 1.0) > 1e-6:
        raise ValueError(f"p0 must integrate to 1 on the grid, got {mass!r}")
    return (values * grid.volumes).ravel()


def _point(grid: Grid, kinds: Boundary, x0: Any) -> Array:
    """Return unit mass at ``x0``, shared multilinearly by the nearest cell centres."""
    near = [
        _neighbours(axis, side.low, side.high, float(c), kind == ("periodic", "periodic"))
        for axis, side, c, kind in zip(grid.axes, grid.sides, start(grid, "p0", x0, None), kinds, strict=True)
    ]
    m = np.zeros(grid.shape)
    for corner in product((0, 1), repeat=grid.dim):
        cell = tuple(n[0][side] for n, side in zip(near, corner, strict=True))
        m[cell] += float(np.prod([n[1][side] for n, side in zip(near, corner, strict=True)]))
    return m.ravel()


def _everything(name: str, value: Any) -> bool:
    """Return whether a pair is the whole line."""
    low, high = _checks.interval(name, value)
    return bool(np.isinf(low) and np.isinf(high))


def _neighbours(
    x: Array, low: float, high: float, c: float, periodic: bool
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Return the cells to the left and right of ``c`` and the shares of a unit mass there that keep its mean."""
    right = int(np.searchsorted(x, c, side="right"))
    if 0 < right < x.size:
        share = (c - x[right - 1]) / (x[right] - x[right - 1])
        return (right - 1, right), (1.0 - share, share)
    if not periodic:
        edge = min(right, x.size - 1)
        return (edge, edge), (1.0, 0.0)
    beyond = c - x[-1] if right else c + high - low - x[-1]
    share = beyond / (x[0] + high - low - x[-1])
    return (x.size - 1, 0), (1.0 - share, share)
