"""A chain cut at the boundaries of sets: links that cross one end there, at the crossing, within a cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        return distance if self.leaving else -distance


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
        return np.bincount(self.links.exit_cell[chosen], self.links.exit_rate[chosen], self.links.size)


def cut(links: Links, grid: Grid, sides: Sequence[Side], *, fitted: bool) -> Cut:
    r"""Return the chain that ends where a path meets one of the sides.

    A link from a cell inside to one beyond is cut where it meets the boundary, a fraction ``theta`` of its length away.
    From its two rates follow the diffusivity and the drop of potential along it; the rate to the Dirichlet point is that of
    the exponentially fitted flux over the fraction,

    ``a / (theta h w) B(theta u)``,  ``exp(u) = rate(j -> i) w_j / (rate(i -> j) w_i)``.

    Parameters
    ----------
    links : Links
        The chain in the box.
    grid : Grid
        Its cells.
    sides : sequence of Side
        What paths must not enter.
    fitted : bool
        Replace the width ``w`` of a cut cell by half the distance between its neighbouring points (Shortley and Weller):
        small errors. Without, the rates stay in detailed balance with the weights of the cells and fluxes balance
        exactly (Gibou). Second order both.

    References
    ----------
    Shortley & Weller, J. Appl. Phys. 9 (1938) 334; Gibou, Fedkiw, Cheng & Kang, J. Comput. Phys. 176 (2002) 205.
    """
    points = grid.points.reshape(grid.size, grid.dim)
    index = np.stack(np.unravel_index(np.arange(grid.size), grid.shape), axis=1)
    near = np.array([width.min() for width in grid.widths]).min() * ON_BOUNDARY
    gaps = np.stack([side.gap(points) for side in sides])
    active = (gaps > near).all(axis=0)
    nearest = np.argmin(gaps, axis=0)  # of a cell that is not active: the side that it lies beyond
    width = np.stack([w[i] for w, i in zip(grid.widths, index.T, strict=True)], axis=1)

    inner = active[links.tail] & active[links.head]
    half = [
        _crossings(links, grid, index, active, nearest, sides, outward=True),
        _crossings(links, grid, index, active, nearest, sides, outward=False),
        _ends(links, grid, index, points, active, sides, near),
    ]
    cell, rate, step, into, theta, axis, length = (np.concatenate(parts) for parts in zip(*half, strict=True))
    kept = active[links.exit_cell] & ~_replaced(links, cell, step, into, theta, axis)
    scale = np.ones_like(width)
    if fitted:
        straight = axis >= 0
        c, a = cell[straight], axis[straight]
        # the half of the cell on that side gives place to half the way to the boundary
        np.add.at(scale, (c, a), (0.5 * theta[straight] * length[straight]) / width[c, a] - 0.5)
        scale = 1.0 / scale
    direction = _direction(links.step)
    forward, backward = links.forward[inner].copy(), links.backward[inner].copy()
    tail, head, along = links.tail[inner], links.head[inner], direction[inner]
    forward *= np.where(along >= 0, scale[tail, along], 1.0)
    backward *= np.where(along >= 0, scale[head, along], 1.0)
    rate = rate * np.where(axis >= 0, scale[cell, axis], 1.0)
    exit_axis = _direction(links.exit_step)[kept]
    exit_rate = links.exit_rate[kept] * np.where(exit_axis >= 0, scale[links.exit_cell[kept], exit_axis], 1.0)
    parts = Links(
        links.size,
        tail,
        head,
        forward,
        backward,
        links.step[inner],
        np.concatenate([links.exit_cell[kept], cell]),
        np.concatenate([exit_rate, rate]),
        np.concatenate([links.exit_step[kept], step]),
    )
    return Cut(parts, active, np.where(active, -1, nearest), np.concatenate([np.full(int(kept.sum()), -1), into]))


def fraction_rate(out: Array, back: Array, theta: Array) -> Array:
    """Return the rate over the first fraction ``theta`` of a link: ``a / (theta h w) B(theta u)``.

    ``out`` is the rate over all of it and ``back`` that of the return, times ``w_j / w_i``; a one-way link is pure
    advection, whose rate does not depend on the distance.
    """
    rate = out.copy()
    both = (out > 0.0) & (back > 0.0)
    u = np.log(back[both]) - np.log(out[both])
    conductance = out[both] / bernoulli(u)[0]  # a / (h w)
    rate[both] = conductance / theta[both] * bernoulli(theta[both] * u)[0]
    return rate


def _direction(step: Whole) -> Whole:
    """Return the axis along which a step goes, -1 when it is not along one."""
    moved = step != 0
    return np.where(moved.sum(axis=1) == 1, np.argmax(moved, axis=1), -1)


def _crossings(links, grid, index, active, nearest, sides, *, outward):  # type: ignore[no-untyped-def]
    """Return cell, rate, step, side, fraction, axis and length of the links that leave from tail (or head) alone."""
    inside, beyond = (links.tail, links.head) if outward else (links.head, links.tail)
    chosen = active[inside] & ~active[beyond]
    cell, other, step = inside[chosen], beyond[chosen], links.step[chosen] * (1 if outward else -1)
    out, back = (links.forward, links.backward) if outward else (links.backward, links.forward)
    volumes = grid.volumes.ravel()
    start = np.stack([x[i] for x, i in zip(grid.axes, index[cell].T, strict=True)], axis=1)
    span = np.stack([x[i] for x, i in zip(grid.axes, index[other].T, strict=True)], axis=1) - start
    for a, side in enumerate(grid.sides):  # over the seam of a ring
        against = span[:, a] * step[:, a] < 0.0
        span[against, a] += step[against, a] * (side.high - side.low)
    into = nearest[other]
    theta = _fraction(grid, sides, into, start, span)
    rate = fraction_rate(out[chosen], back[chosen] * volumes[other] / volumes[cell], theta)
    return cell, rate, step, into, theta, _direction(step), np.linalg.norm(span, axis=1)


def _ends(links, grid, index, points, active, sides, near):  # type: ignore[no-untyped-def]
    """Return the same for cells at an end of the box whose outer face lies beyond a side."""
    found = []
    direction = _direction(links.step)
    for axis, (x, edges) in enumerate(zip(grid.axes, grid.edge_axes, strict=True)):
        closed = (direction == axis) & (np.abs(index[links.tail, axis] - index[links.head, axis]) > 1)
        if closed.any():
            continue  # a ring has no ends
        for end, inward, sign in ((0, 1, -1), (len(x) - 1, len(x) - 2, 1)):
            cell = np.flatnonzero(active & (index[:, axis] == end))
            face = np.full((cell.size, 1), edges[0] if sign < 0 else edges[-1])
            ahead = points[cell].copy()
            ahead[:, [axis]] = face
            gaps = np.stack([side.gap(ahead) for side in sides])
            into = np.argmin(gaps, axis=0)
            beyond = gaps.min(axis=0) <= near
            cell, into, span = cell[beyond], into[beyond], (ahead - points[cell])[beyond]
            if cell.size == 0:
                continue
            theta = _fraction(grid, sides, into, points[cell], span)
            distance = theta * abs(float(span[0, axis]))
            length = abs(float(x[inward] - x[end]))
            out, back = _inward_rates(links, grid, cell, axis, sign, direction)
            # mirrored: the drop of potential towards the end is minus that towards the neighbour within
            rate = fraction_rate(back, out, distance / length)
            step = np.zeros((cell.size, grid.dim), dtype=np.int64)
            step[:, axis] = sign
            found.append(
                (cell, rate, step, into, distance / length, np.full(cell.size, axis), np.full(cell.size, length))
            )
    if not found:
        none, no = np.zeros(0, dtype=np.int64), np.zeros(0)
        return none, no, np.zeros((0, grid.dim), dtype=np.int64), none, no, none, no
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def _inward_rates(links, grid, cell, axis, sign, direction):  # type: ignore[no-untyped-def]
    """Return the rates from end cells to their neighbour within, and back times the ratio of volumes."""
    out, back, volumes = np.zeros(links.size), np.zeros(links.size), grid.volumes.ravel()
    for inside, other, to, fro, s in (
        (links.tail, links.head, links.forward, links.backward, 1),
        (links.head, links.tail, links.backward, links.forward, -1),
    ):
        chosen = (direction == axis) & (s * links.step[:, axis] == -sign)
        out[inside[chosen]] = to[chosen]
        back[inside[chosen]] = fro[chosen] * volumes[other[chosen]] / volumes[inside[chosen]]
    return out[cell], back[cell]


def _replaced(links, cell, step, into, theta, axis):  # type: ignore[no-untyped-def]
    """Return which exits of the box lie behind a cut of the same cell and direction."""
    dim = links.step.shape[1]
    key = lambda c, s: c * 3**dim + (s + 1) @ 3 ** np.arange(dim)  # noqa: E731
    return np.isin(key(links.exit_cell, links.exit_step), key(cell, np.clip(step, -1, 1)))


def _fraction(grid: Grid, sides: Sequence[Side], into: Whole, start: Array, span: Array) -> Array:
    """Return the fraction of ``span`` at which the function of the side changes sign, by bisection."""
    theta = np.ones(len(start))
    low, high = np.array([side.low for side in grid.sides]), np.array([side.high for side in grid.sides])
    for number, side in enumerate(sides):
        rows = np.flatnonzero(into == number)
        if rows.size == 0:
            continue

        def gap(t: Array, side: Side = side, rows: Whole = rows) -> Array:
            at = start[rows] + t[:, None] * span[rows]
            return side.gap(low + np.mod(at - low, high - low) if np.any((at < low) | (at > high)) else at)

        inside, beyond = np.zeros(rows.size), np.ones(rows.size)
        for _ in range(50):
            middle = 0.5 * (inside + beyond)
            positive = gap(middle) > 0.0
            inside, beyond = np.where(positive, middle, inside), np.where(positive, beyond, middle)
        theta[rows] = np.maximum(0.5 * (inside + beyond), ON_BOUNDARY)
    return theta
