"""Chains on a product grid whose jumps reach near cells only: everything that a sparse generator can answer."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shld_sim.domains import Domain
from shld_sim.grid import cuts, modes, steps
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.cuts import Cut, Side
from shld_sim.grid.elimination import Elimination
from shld_sim.grid.links import Links, vector_field
from shld_sim.grid.mesh import Grid


@dataclass(frozen=True, eq=False)
class SparseChain(Chain):
    """Chain given by its links, reversible or not.

    Parameters
    ----------
    grid : Grid
        The cells.
    links : Links
        The jumps between cells, and out of the box.
    wrap : tuple of bool
        For every axis, whether its last cell is next to its first.
    weights : ndarray, shape (N,), optional
        Probabilities of the cells, up to a factor, with which the closed box is in detailed balance. None if there is
        no detailed balance; the chain is then not `reversible` and the stationary law is computed.
    """

    grid: Grid
    links: Links
    wrap: tuple[bool, ...]
    weights: Array | None = None
    generator: sparse.csc_array = field(init=False, repr=False)
    _found: list[Any] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "generator", self.links.matrix())

    @property
    def conserving(self) -> bool:  # type: ignore[override]
        """Whether no probability can leave the box."""
        return not self.links.exit_rate.any()

    @property
    def reversible(self) -> bool:  # type: ignore[override]
        """Whether there is detailed balance in the closed box."""
        return self.weights is not None

    @cached_property
    def _stationary(self) -> Array:
        if self.weights is not None:
            return np.asarray(self.weights / self.weights.sum())
        return self._elimination(self.links.without_exits(), singular=True).null()

    def stationary(self) -> Array:
        return self._stationary.copy()

    def evolve(self, m0: Array, times: Array) -> Array:
        return steps.evolve(self.links, self._elimination, m0, times, self.grid.dim)

    def eigenvalues(self, k: int) -> NDArray[Any]:
        values, vectors = self._modes(k)
        if self.reversible and self.conserving:
            self._warn_of_walls(values, vectors)
        return values.copy()

    def eigenfunctions(self, k: int) -> NDArray[Any]:
        return self._modes(k)[1].copy()

    def exit_time(self, domain: Domain | None) -> Array:
        part = self._part(domain)
        return self._elimination(part.links, active=part.active).backward(part.active.astype(np.float64))

    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        part = self._part(domain)

        def factors(links: Links, extra: float) -> Elimination:
            return self._elimination(links, extra, active=part.active)

        alive = np.where(part.active, m0, 0.0)
        return np.asarray(steps.evolve(part.links, factors, alive, times, self.grid.dim).sum(axis=1))

    def committor(self, a: Domain, b: Domain) -> Array:
        part = self._between(self.links, a, b)
        return self._reach(part, 1)

    def reactive(self, a: Domain, b: Domain) -> tuple[Array, float]:
        """Return the current of the stationary paths that come from ``a`` and go to ``b``, and how many per unit time.

        The flux over a link is that of the paths that were last in ``a`` and will be next in ``b``,
        ``pi_i r_ij q-_i q+_j - pi_j r_ji q-_j q+_i``, with the committor ``q+`` and ``q-``, the probability to come from
        ``a``; ``q- = 1 - q+`` in detailed balance, where the flux is ``pi_i r_ij (q+_j - q+_i)``.

        References
        ----------
        E & Vanden-Eijnden, J. Stat. Phys. 123 (2006) 503; Metzner, Schuette & Vanden-Eijnden, Multiscale Model. Simul. 7
        (2009) 1192.
        """
        pi = self._stationary
        part = self._between(self.links, a, b)
        links = part.links
        ahead = self._reach(part, 1)
        if self.reversible:
            behind, from_a = np.where(part.active, 1.0 - ahead, 0.0), links.exit_rate
            net = pi[links.tail] * links.forward * (ahead[links.head] - ahead[links.tail])
        else:
            past = self._between(self._reversed(), a, b)
            behind, from_a = self._reach(past, 0), past.links.exit_rate
            net = pi[links.tail] * links.forward * behind[links.tail] * ahead[links.head]
            net -= pi[links.head] * links.backward * behind[links.head] * ahead[links.tail]
        cell = links.exit_cell
        leaving = np.where(part.into == 1, pi[cell] * links.exit_rate * behind[cell], 0.0)
        leaving -= np.where(part.into == 0, pi[cell] * from_a * ahead[cell], 0.0)
        return vector_field(self.grid, links, net, leaving), float(pi @ (part.rate_into(1) * behind))

    def interpolate(self, values: Array, x0: Array, domain: Domain | None) -> float:
        """Interpolate by cubics in every coordinate, from cells of the domain on either side of the point.

        Where there are none, near edges of the domain, values are divided by the distance to the boundary first, which leaves
        a smooth function, and what linear interpolation makes of it is multiplied by that of the point.
        """
        for cells, _, shares in self._around(x0, 4, (0, 1, -1)):
            if (values[cells] > 0.0).all():
                return float(shares @ values[cells])
        assert domain is not None  # else all values are positive
        cells, corners, shares = next(self._around(x0, 2, (0,)))
        inside = values[cells] > 0.0
        if not inside.any():
            away = np.where(values > 0.0, ((self.points - x0) ** 2).sum(axis=1), np.inf)
            cells = np.array([np.argmin(away)])
            corners, shares, inside = self.points[cells], np.ones(1), np.array([True])
        slope = np.where(inside, values[cells] / np.where(inside, domain._distance(corners), 1.0), 0.0)
        return float(domain._distance(x0[None])[0] * (shares @ slope) / (shares @ inside))

    def current(self, m: Array) -> Array:
        leaving = self.links.exit_rate * m[self.links.exit_cell]
        return vector_field(self.grid, self.links, self.links.net(m), leaving)

    def flows(self, m: Array) -> tuple[Array, Array]:
        return self.links.forward * m[self.links.tail], self.links.backward * m[self.links.head]

    # -- helpers ----

    def _rise(self) -> Callable[[NDArray[np.int64], Array], Array] | None:
        """Return ``rise(cells, points)``, ``(V(point) - V(cell)) / D`` of a potential of the drift, or None."""
        return None

    def _elimination(self, links: Links, extra: float = 0.0, **options: Any) -> Elimination:
        return Elimination(links, self.grid.shape, self.wrap, extra=extra, **options)

    def _modes(self, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return and keep the slowest modes."""
        if self._found and len(self._found[0][0]) >= k:
            values, vectors = self._found[0]
            return values[:k], vectors[:k]

        def pinned(cell: int | None) -> Elimination:
            active = None if cell is None else np.arange(self.size) != cell
            return self._elimination(self.links, active=active)

        solve = modes.reversible_modes if self.reversible else modes.general_modes
        found = solve(self.links, self._stationary, pinned, k)
        self._found[:] = [found]
        return found

    def _warn_of_walls(self, values: Array, vectors: Array) -> None:
        """Warn of modes that live at a reflecting end of the box where the stationary law does not."""
        grid = self.grid
        weight = np.divide(vectors**2, self._stationary, out=np.zeros_like(vectors), where=self._stationary > 0.0)
        weight = weight.reshape(-1, *grid.shape)
        for axis, side in enumerate(grid.sides):
            if self.wrap[axis]:
                continue
            for name, edge in (("low", 0), ("high", -1)):
                layers = weight.take(edge, axis + 1).reshape(len(values), -1).sum(axis=1) * grid.shape[axis]
                gibbs = self._stationary.reshape(grid.shape).take(edge, axis).sum() * grid.shape[axis]
                # layers: the weight of the last layer of cells, relative to an even spread
                wrong = np.flatnonzero((layers > 0.1) & (gibbs < 0.01))
                if wrong.size:
                    warnings.warn(
                        f"eigenvalue {wrong[0]} depends on where the box ends: its mode has noticeable weight at the wall "
                        f"{name}={getattr(side, name)!r} of coordinate {axis}, where the stationary law has none. Unless a "
                        "wall is meant there, use a wider Grid or trust the eigenvalues before it only",
                        UserWarning,
                        stacklevel=4,
                    )

    def _part(self, domain: Domain | None) -> Cut:
        """Return the chain that ends where paths leave the domain."""
        if domain is None:
            if self.conserving:
                raise ValueError("domain must have an end in the box or at an absorbing end of it, got the whole box")
            nowhere = np.full(self.size, -1)
            return Cut(self.links, nowhere < 0, nowhere, np.full(self.links.exit_cell.size, -1))
        part = cuts.cut(self.links, self.grid, self.wrap, [Side(domain, leaving=True)], fitted=True, rise=self._rise())
        if not part.active.any():
            raise ValueError(f"domain must contain a cell centre of the box, got {domain!r}")
        if not part.links.exit_rate.any():
            raise ValueError(f"domain must have an end in the box or at an absorbing end of it, got {domain!r}")
        return part

    def _between(self, links: Links, a: Domain, b: Domain) -> Cut:
        """Return the chain that ends where paths enter ``a`` (side 0) or ``b`` (side 1)."""
        inside = [domain._distance(self.points) > 0.0 for domain in (a, b)]
        for name, domain, cells in (("a", a, inside[0]), ("b", b, inside[1])):
            if not cells.any():
                raise ValueError(f"{name} must contain a cell centre of the box, got {domain!r}")
        if (inside[0] & inside[1]).any():
            raise ValueError(f"a and b must not overlap, got a={a!r}, b={b!r}")
        sides = [Side(a, leaving=False), Side(b, leaving=False)]
        return cuts.cut(
            links, self.grid, self.wrap, sides, fitted=False, rise=self._rise() if links is self.links else None
        )

    def _reach(self, part: Cut, side: int) -> Array:
        """Return the probability to end at a side."""
        q = np.where(part.beyond == side, 1.0, 0.0)
        if part.active.any():
            solved = self._elimination(part.links, active=part.active).backward(part.rate_into(side))
            q = np.where(part.active, np.minimum(solved, 1.0), q)
        return np.asarray(q)

    def _reversed(self) -> Links:
        """Return the stationary chain run backwards: rates ``pi_j r_ji / pi_i``."""
        links, pi = self.links, self._stationary
        ratio = np.divide(pi[links.head], pi[links.tail], out=np.zeros(links.tail.size), where=pi[links.tail] > 0.0)
        other = np.divide(pi[links.tail], pi[links.head], out=np.zeros(links.tail.size), where=pi[links.head] > 0.0)
        return replace(links, forward=links.backward * ratio, backward=links.forward * other)

    def _around(
        self, x0: Array, count: int, shifts: tuple[int, ...]
    ) -> Iterator[tuple[NDArray[np.int64], Array, Array]]:
        """Yield blocks of ``count`` cells per axis around a point, the middle one first: cells, centres, Lagrange shares."""
        grid = self.grid
        options = []
        for x, side, wrap, c in zip(grid.axes, grid.sides, self.wrap, x0, strict=True):
            n, length, nodes = len(x), side.high - side.low, min(count, len(x))
            found: dict[int, tuple[NDArray[np.int64], Array, Array]] = {}
            for shift in shifts:
                first = int(np.searchsorted(x, c)) - nodes // 2 + shift
                first = first if wrap else min(max(first, 0), n - nodes)
                index = np.arange(first, first + nodes)
                at = x[index % n] + index // n * length
                shares = [np.prod([(c - other) / (here - other) for other in at if other != here]) for here in at]
                found.setdefault(first, (index % n, at, np.array(shares)))
            options.append(list(found.values()))
        for axes in product(*options):
            cells = np.ravel_multi_index(np.meshgrid(*(axis[0] for axis in axes), indexing="ij"), grid.shape).ravel()
            corners = np.stack(np.meshgrid(*(axis[1] for axis in axes), indexing="ij"), axis=-1).reshape(-1, grid.dim)
            yield cells, corners, np.asarray(reduce(np.multiply.outer, [axis[2] for axis in axes])).ravel()
