"""A chain cut at the boundaries of sets: links that cross one end there, at the crossing, within a cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shld_sim.domains import Domain
from shld_sim.grid.generator import bernoulli
from shld_sim.grid.links import Links, Whole
from shld_sim.grid.mesh import Grid

Array = NDArray[np.float64]
ON_BOUNDARY = 1e-9  # a cell centre closer to a boundary than this, in units of a link, is on it


@dataclass(frozen=True, eq=False)
class Side:
    """What a path must not enter: a set, or the complement of one.

    Attributes
    ----------
    domain : Domain
        The set.
    leaving : bool
        Whether paths run inside of it and stop when they leave; else they run outside and stop when they enter.
    """

    domain: Domain
    leaving: bool

    def gap(self, points: Array) -> Array:
        """Return a function of points, shape ``(..., dim)``, that is positive where paths run."""
        distance = self.domain._distance(points)
        return np.asarray(distance if self.leaving else -distance)


@dataclass(frozen=True, eq=False)
class Cut:
    """A chain on the cells where paths run.

    Attributes
    ----------
    links : Links
        The chain with the same numbering of cells; nothing is linked to cells that are not active.
    active : ndarray of bool, shape (N,)
        The cells where paths run.
    beyond : ndarray of int, shape (N,)
        The number of the side that a cell which is not active lies beyond, else -1.
    into : ndarray of int, shape (M,)
        For every exit of ``links`` the number of the side that is met there, -1 for the end of the box.
    """

    links: Links
    active: NDArray[np.bool_]
    beyond: Whole
    into: Whole

    def rate_into(self, side: int) -> Array:
        """Return the rate at which every cell meets a side, shape ``(N,)``."""
        chosen = self.into == side
        return np.bincount(self.links.exit_cell[chosen], self.links.exit_rate[chosen], self.links.size).astype(
            np.float64
        )


class Crossings(NamedTuple):
    """Ways out of cells through a side.

    Attributes
    ----------
    cell : ndarray of int, shape (M,)
        From which cell.
    rate : ndarray, shape (M,)
        At which rate, for cells of their own width.
    step : ndarray of int, shape (M, dim)
        In which direction, in cells.
    into : ndarray of int, shape (M,)
        Through which side.
    reach : ndarray, shape (M,)
        Distance from the cell centre to the boundary.
    """

    cell: Whole
    rate: Array
    step: Whole
    into: Whole
    reach: Array


def cut(
    links: Links,
    grid: Grid,
    wrap: tuple[bool, ...],
    sides: Sequence[Side],
    *,
    fitted: bool,
    rise: Callable[[Whole, Array], Array] | None = None,
) -> Cut:
    r"""Return the chain that ends where a path meets one of the sides.

    A link from a cell inside to one beyond is cut where it meets the boundary, a fraction ``theta`` of its length away.
    From its two rates follow the diffusivity and the drop of potential along it; the rate to the Dirichlet point is that of
    the exponentially fitted flux over the fraction,

    ``a / (theta h w) B(theta u)``,  ``exp(u) = rate(j -> i) w_j / (rate(i -> j) w_i)``,

    or with the true rise of the potential over that way in place of ``theta u``, where it is known.

    Parameters
    ----------
    links : Links
        The chain in the box.
    grid : Grid
        Its cells.
    wrap : tuple of bool
        Which axes close to a ring.
    sides : sequence of Side
        What paths must not enter.
    fitted : bool
        Replace the width ``w`` of a cut cell by half the distance between its neighbouring points (Shortley and Weller):
        small errors. Without, the rates stay in detailed balance with the weights of the cells and fluxes balance
        exactly (Gibou). Second order both.
    rise : callable, optional
        ``rise(cells, points)`` returns ``(V(point) - V(cell)) / D`` of points in, or just beyond, the box.

    References
    ----------
    Shortley & Weller, J. Appl. Phys. 9 (1938) 334; Gibou, Fedkiw, Cheng & Kang, J. Comput. Phys. 176 (2002) 205.
    """
    points = grid.points.reshape(grid.size, grid.dim)
    index = np.stack(np.unravel_index(np.arange(grid.size), grid.shape), axis=1)
    near = ON_BOUNDARY * min(float(width.min()) for width in grid.widths)
    gaps = np.stack([side.gap(points) for side in sides])
    active: NDArray[np.bool_] = np.asarray(np.all(gaps > near, axis=0))
    nearest = np.argmin(gaps, axis=0)
    found = [
        _across(links, grid, points, sides, active, nearest, rise, outward=True),
        _across(links, grid, points, sides, active, nearest, rise, outward=False),
    ]
    for axis in range(grid.dim):
        for sign in (-1, 1) if not wrap[axis] else ():
            found.append(
                _at_the_end(links, grid, points, sides, active & _last(grid, index, axis, sign), axis, sign, near, rise)
            )
    out = Crossings(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    kept = active[links.exit_cell] & ~np.isin(_key(links.exit_cell, links.exit_step), _key(out.cell, out.step))
    inner = active[links.tail] & active[links.head]
    scale = np.ones((grid.size, grid.dim + 1))  # the last column is for links that go along no axis
    if fitted:
        width = np.stack([w[i] for w, i in zip(grid.widths, index.T, strict=True)], axis=1)
        axis_of = _axis(out.step)
        straight = axis_of >= 0
        cell, axes = out.cell[straight], axis_of[straight]
        # half the way to the boundary takes the place of the half of the cell on that side
        np.add.at(scale, (cell, axes), 0.5 * out.reach[straight] / width[cell, axes] - 0.5)
        scale = 1.0 / scale
    tail, head, along = links.tail[inner], links.head[inner], _axis(links.step[inner])
    exits = links.exit_cell[kept], links.exit_rate[kept], links.exit_step[kept]
    ended = Links.gathered(
        links.size,
        grid.dim,
        [
            (
                tail,
                head,
                links.forward[inner] * scale[tail, along],
                links.backward[inner] * scale[head, along],
                links.step[inner],
            )
        ],
        [
            (exits[0], exits[1] * scale[exits[0], _axis(exits[2])], exits[2]),
            (out.cell, out.rate * scale[out.cell, _axis(out.step)], out.step),
        ],
    )
    into = np.concatenate([np.full(int(kept.sum()), -1), out.into])
    return Cut(ended, active, np.where(active, -1, nearest), into)


def fraction_rate(out: Array, back: Array, theta: Array, rise: Array | None = None) -> Array:
    """Return the rate over the first fraction ``theta`` of a link: ``a / (theta h w) B(theta u)``.

    ``out`` is the rate over all of it and ``back`` that of the return, times ``w_j / w_i``; ``rise`` takes the place of
    ``theta u``. A one-way link is pure advection, whose rate does not depend on the distance.
    """
    rate = out.copy()
    both = (out > 0.0) & (back > 0.0)
    u = np.log(back[both]) - np.log(out[both])
    conductance = out[both] / bernoulli(u)[0]  # a / (h w)
    rate[both] = conductance / theta[both] * bernoulli(theta[both] * u if rise is None else rise[both])[0]
    return rate


def _axis(step: Whole) -> Whole:
    """Return the axis along which a step goes, -1 when it is not along one."""
    moved = step != 0
    return np.where(moved.sum(axis=1) == 1, np.argmax(moved, axis=1), -1)


def _key(cell: Whole, step: Whole) -> Whole:
    """Return a number for every cell and direction."""
    dim = step.shape[1]
    return np.asarray(cell * 3**dim + (np.sign(step) + 1) @ 3 ** np.arange(dim))


def _last(grid: Grid, index: Whole, axis: int, sign: int) -> NDArray[np.bool_]:
    """Return which cells are at an end of the box."""
    return np.asarray(index[:, axis] == (0 if sign < 0 else grid.shape[axis] - 1))


def _across(
    links: Links,
    grid: Grid,
    points: Array,
    sides: Sequence[Side],
    active: NDArray[np.bool_],
    nearest: Whole,
    rise: Callable[[Whole, Array], Array] | None,
    *,
    outward: bool,
) -> Crossings:
    """Return the crossings on links whose tail (or head) alone is active."""
    inside, beyond = (links.tail, links.head) if outward else (links.head, links.tail)
    out, back = (links.forward, links.backward) if outward else (links.backward, links.forward)
    chosen = active[inside] & ~active[beyond]
    cell, other, step = inside[chosen], beyond[chosen], links.step[chosen] * (1 if outward else -1)
    span = points[other] - points[cell]
    for axis, side in enumerate(grid.sides):
        seam = span[:, axis] * step[:, axis] < 0.0
        span[seam, axis] += np.sign(step[seam, axis]) * (side.high - side.low)
    into = nearest[other]
    theta = _fraction(grid, sides, into, points[cell], span)
    volumes = grid.volumes.ravel()
    climb = None if rise is None else rise(cell, points[cell] + theta[:, None] * span)
    rate = fraction_rate(out[chosen], back[chosen] * volumes[other] / volumes[cell], theta, climb)
    return Crossings(cell, rate, step, into, theta * np.linalg.norm(span, axis=1))


def _at_the_end(
    links: Links,
    grid: Grid,
    points: Array,
    sides: Sequence[Side],
    last: NDArray[np.bool_],
    axis: int,
    sign: int,
    near: float,
    rise: Callable[[Whole, Array], Array] | None,
) -> Crossings:
    """Return the crossings between the last cell centres and the end of the box that they look at.

    The diffusivity, and the slope of the potential unless it is known, are those between the last two centres.
    """
    x, edges = grid.axes[axis], grid.edge_axes[axis]
    cell = np.flatnonzero(last)
    face = points[cell].copy()
    face[:, axis] = edges[0] if sign < 0 else edges[-1]
    gaps = np.stack([side.gap(face) for side in sides])
    met = gaps.min(axis=0) <= near
    cell, into, span = cell[met], np.argmin(gaps, axis=0)[met], (face - points[cell])[met]
    theta = _fraction(grid, sides, into, points[cell], span)
    reach = theta * np.abs(span[:, axis])
    climb = None if rise is None else rise(cell, points[cell] + theta[:, None] * span)
    length = abs(float(x[1] - x[0] if sign < 0 else x[-1] - x[-2]))
    out, back = _inward(links, grid, axis, sign)
    step = np.zeros((cell.size, grid.dim), dtype=np.int64)
    step[:, axis] = sign
    return Crossings(cell, fraction_rate(back[cell], out[cell], reach / length, climb), step, into, reach)


def _inward(links: Links, grid: Grid, axis: int, sign: int) -> tuple[Array, Array]:
    """Return the rate from every cell to its neighbour against ``sign``, and the rate back times the ratio of volumes."""
    rates, volumes = np.zeros((2, links.size)), grid.volumes.ravel()
    along = _axis(links.step) == axis
    for inside, other, to, fro, s in (
        (links.tail, links.head, links.forward, links.backward, 1),
        (links.head, links.tail, links.backward, links.forward, -1),
    ):
        chosen = along & (s * links.step[:, axis] == -sign)
        rates[0, inside[chosen]] = to[chosen]
        rates[1, inside[chosen]] = fro[chosen] * volumes[other[chosen]] / volumes[inside[chosen]]
    return rates[0], rates[1]


def _fraction(grid: Grid, sides: Sequence[Side], into: Whole, start: Array, span: Array) -> Array:
    """Return the fraction of ``span`` at which the function of the side changes sign, by bisection."""
    low, high = np.array([side.low for side in grid.sides]), np.array([side.high for side in grid.sides])
    theta = np.ones(len(start))
    for number, side in enumerate(sides):
        rows = np.flatnonzero(into == number)
        inside, beyond = np.zeros(rows.size), np.ones(rows.size)
        for _ in range(50 if rows.size else 0):
            middle = 0.5 * (inside + beyond)
            at = start[rows] + middle[:, None] * span[rows]
            at = np.where((at < low) | (at > high), low + np.mod(at - low, high - low), at)  # over the seam of a ring
            positive = side.gap(at) > 0.0
            inside, beyond = np.where(positive, middle, inside), np.where(positive, beyond, middle)
        theta[rows] = np.maximum(0.5 * (inside + beyond), ON_BOUNDARY)
    return theta
