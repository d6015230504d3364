"""Two and three coordinates: a network of cells with exponentially fitted jump rates, in detailed balance with Gibbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shld_sim.grid.boundaries import Boundary
from shld_sim.grid.chain import Array
from shld_sim.grid.generator import Landscape, bernoulli, work_per_turn
from shld_sim.grid.links import Links, product_links
from shld_sim.grid.mesh import Grid
from shld_sim.grid.sparse import SparseChain


@dataclass(frozen=True, eq=False)
class Network(SparseChain):
    """Chain of ``dX = -grad V dt + sqrt(2 D) dW`` on the cells of a product grid.

    Parameters
    ----------
    landscape : Landscape
        The potential and ``D``.
    grid : Grid
        Two axes or more.
    boundary : tuple of (str, str)
        Kinds of the low and the high end of every axis.
    """

    landscape: Landscape = field(kw_only=True)
    potential: Array = field(kw_only=True, repr=False)

    def energy(self) -> tuple[Array, float]:
        return self.potential, self.landscape.D

    def _rise(self) -> Callable[[NDArray[np.int64], Array], Array]:
        return lambda cells, points: (self.landscape.energy(points) - self.potential[cells]) / self.landscape.D


def network(landscape: Landscape, grid: Grid, boundary: Boundary) -> Network:
    r"""Return the chain with the Scharfetter-Gummel rate ``D / (h w_i) B((V_j - V_i) / D)`` from a cell to each neighbour.

    ``h`` is the distance of the centres and ``w`` the width of the cell along the link, so that
    ``vol_i exp(-V(x_i) / D)`` is in detailed balance link by link. An absorbing end is a Dirichlet point on the face of the
    box. Along a periodic axis the potential must repeat, up to a tilt, which makes a current.

    Raises
    ------
    ValueError
        If the potential is not finite in the box, or not periodic (up to a tilt) along a periodic axis.
    """
    points = grid.points.reshape(grid.size, grid.dim)
    V, D = landscape.energy(points), landscape.D
    index = np.unravel_index(np.arange(grid.size), grid.shape)
    inner, exits, tilted = [], [], False
    for axis, (kinds, side, x, w) in enumerate(zip(boundary, grid.sides, grid.axes, grid.widths, strict=True)):
        wrap, n = kinds[0] == "periodic", len(x)
        i, j = product_links(grid.shape, axis, wrap)
        rise = V[j] - V[i]
        distance = np.diff(x, append=x[0] + side.high - side.low)[index[axis][i]]
        along = np.zeros((1, grid.dim), dtype=np.int64)
        along[0, axis] = 1
        if wrap:
            work = work_per_turn(landscape, points, along[0] * (side.high - side.low), V)
            rise[index[axis][i] == n - 1] += work
            tilted |= work != 0.0
        uphill, downhill = bernoulli(rise / D)
        forward, backward = D / distance * uphill / w[index[axis][i]], D / distance * downhill / w[index[axis][j]]
        inner.append((i, j, forward, backward, np.repeat(along, i.size, axis=0)))
        for kind, last, end, outward in ((kinds[0], 0, side.low, -along), (kinds[1], n - 1, side.high, along)):
            if kind == "absorbing":
                cell = np.flatnonzero(index[axis] == last)
                face = points[cell].copy()
                face[:, axis] = end
                out, _ = bernoulli((landscape.energy(face) - V[cell]) / D)
                exits.append((cell, D / (abs(end - x[last]) * w[last]) * out, np.repeat(outward, cell.size, axis=0)))
    links = Links.gathered(grid.size, grid.dim, inner, exits)
    weights = None if tilted else grid.volumes.ravel() * np.exp(-(V - V.min()) / D)
    rings = tuple(kinds[0] == "periodic" for kinds in boundary)
    return Network(grid, links, rings, weights, landscape=landscape, potential=V)
