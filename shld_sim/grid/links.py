"""Jump rates of a chain on a product grid: one entry per link between two cells, one per way out of the box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shld_sim.grid.mesh import Grid

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Links:
    """Links between cells of a grid that are near one another, and exits.

    Attributes
    ----------
    size : int
        Number of cells ``N``.
    tail, head : ndarray of int, shape (E,)
        The two cells of a link; a pair of cells has one link, or none.
    forward, backward : ndarray, shape (E,)
        Rates of the jumps from tail to head and back (1/time), not negative.
    step : ndarray of int, shape (E, dim)
        Cells from tail to head along every axis; over the seam of a periodic axis too.
    exit_cell : ndarray of int, shape (M,)
        Cells from which probability leaves for good; a cell may occur more than once.
    exit_rate : ndarray, shape (M,)
        Rates at which it does (1/time).
    exit_step : ndarray of int, shape (M, dim)
        Where to: the outward direction, in cells.
    """

    size: int
    tail: Whole
    head: Whole
    forward: Array
    backward: Array
    step: Whole
    exit_cell: Whole
    exit_rate: Array
    exit_step: Whole

    @classmethod
    def gathered(
        cls,
        size: int,
        dim: int,
        inner: Sequence[tuple[Whole, Whole, Array, Array, Whole]],
        exits: Sequence[tuple[Whole, Array, Whole]] = (),
    ) -> Links:
        """Return the links of several lists: (tail, head, forward, backward, step) and (exit_cell, exit_rate, exit_step)."""
        none, steps = np.zeros(0, dtype=np.int64), np.zeros((0, dim), dtype=np.int64)
        within = (none, none, np.zeros(0), np.zeros(0), steps)
        beyond = (none, np.zeros(0), steps)
        tail, head, forward, backward, step = (np.concatenate(parts) for parts in zip(within, *inner, strict=True))
        cell, rate, outward = (np.concatenate(parts) for parts in zip(beyond, *exits, strict=True))
        return cls(size, tail, head, forward, backward, step, cell, rate, outward)

    @property
    def kill(self) -> Array:
        """Total rate out of the box from every cell, shape ``(N,)``."""
        return np.bincount(self.exit_cell, self.exit_rate, self.size).astype(np.float64)

    @property
    def outflow(self) -> Array:
        """Total rate out of every cell, shape ``(N,)``."""
        to = np.bincount(self.tail, self.forward, self.size)
        return np.asarray(to + np.bincount(self.head, self.backward, self.size) + self.kill)

    def net(self, m: Array) -> Array:
        """Return the net probability per unit time over every link, tail to head."""
        return np.asarray(self.forward * m[self.tail] - self.backward * m[self.head])

    def matrix(self) -> sparse.csc_array:
        """Return the generator ``L`` of ``dm/dt = L m``, ``(N, N)``; its column sums, minus the exit rates, are verified."""
        cell = np.arange(self.size)
        rows = np.concatenate([self.head, self.tail, cell])
        columns = np.concatenate([self.tail, self.head, cell])
        outflow = self.outflow
        values = np.concatenate([self.forward, self.backward, -outflow])
        if not np.isfinite(values).all():
            raise RuntimeError("internal error in grid.links: a jump rate is not finite")
        if min(self.forward.min(initial=0.0), self.backward.min(initial=0.0), self.exit_rate.min(initial=0.0)) < 0.0:
            raise RuntimeError("internal error in grid.links: a jump rate is negative")
        L = sparse.csc_array(sparse.coo_array((values, (rows, columns)), shape=(self.size, self.size)))
        L.eliminate_zeros()
        if (np.abs(np.asarray(L.sum(axis=0)).ravel() + self.kill) > 1e-14 * outflow).any():
            raise RuntimeError("internal error in grid.links: a column does not sum to minus its exit rate")
        return L

    def without_exits(self) -> Links:
        """Return the chain of the closed box."""
        inner = (self.tail, self.head, self.forward, self.backward, self.step)
        return Links.gathered(self.size, self.step.shape[1], [inner])


def product_links(shape: tuple[int, ...], axis: int, wrap: bool) -> tuple[Whole, Whole]:
    """Return the cells ``tail`` and ``head = tail + 1`` along an axis, in C order; a ring closes if ``wrap``."""
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    n = shape[axis]
    tail = cells if wrap else cells.take(range(n - 1), axis)
    head = np.roll(cells, -1, axis) if wrap else cells.take(range(1, n), axis)
    return tail.ravel(), head.ravel()


def vector_field(grid: Grid, links: Links, net: Array, leaving: Array) -> Array:
    """Return the current density at the cell centres, shape ``(*shape, dim)``.

    Parameters
    ----------
    grid : Grid
        The cells.
    links : Links
        Where the probability flows.
    net : ndarray, shape (E,)
        Net probability per unit time over every link, tail to head.
    leaving : ndarray, shape (M,)
        The same through every exit.
    """
    # Half of what passes either face of a cell, per area of the face: (1 / 2 vol) sum over links of flux * step * width.
    volumes = grid.volumes.ravel()
    field = np.empty((grid.size, grid.dim))
    for axis, width in enumerate(grid.widths):
        along = links.step[:, axis] * net
        total = np.bincount(links.tail, along, links.size) + np.bincount(links.head, along, links.size)
        total += np.bincount(links.exit_cell, links.exit_step[:, axis] * leaving, links.size)
        index = np.unravel_index(np.arange(grid.size), grid.shape)[axis]
        field[:, axis] = 0.5 * total * width[index] / volumes
    return field.reshape(*grid.shape, grid.dim)
