"""Chains on a product grid whose jumps reach near cells only: everything that a sparse generator can answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
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
        return steps.evolve(self.links, self._elimination, m0, times)

    def eigenvalues(self, k: int) -> NDArray[Any]:
        return self._modes(k)[0]

    def eigenfunctions(self, k: int) -> NDArray[Any]:
        return self._modes(k)[1]

    def exit_time(self, domain: Domain | None) -> Array:
        part = self._part(domain)
        return self._elimination(part.links, active=part.active).backward(part.active.astype(np.float64))

    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        part = self._part(domain)

        def factors(links: Links, extra: float) -> Elimination:
            return self._elimination(links, extra, active=part.active)

        alive = np.where(part.active, m0, 0.0)
        return np.asarray(steps.evolve(part.links, factors, alive, times).sum(axis=1))

    def committor(self, a: Domain, b: Domain) -> Array:
        part = self._between(a, b)
        return self._reach(part, b)

    def reactive_flux(self, a: Domain, b: Domain) -> tuple[Array, float]:
        """Return the current density of the paths from ``a`` to ``b``, shape ``(*shape, dim)``, and their rate.

        The flux over a link is that of the stationary chain restricted to paths that came last from ``a`` and go next to
        ``b``, ``pi_i r_ij q-_i q+_j - pi_j r_ji q-_j q+_i``, where ``q+`` is the committor and ``q-`` that of the chain
        reversed in time.
        """
        raise NotImplementedError

    def interpolate(self, values: Array, x0: Array, domain: Domain | None) -> float:
        raise NotImplementedError

    def current(self, m: Array) -> Array:
        leaving = self.links.exit_rate * m[self.links.exit_cell]
        return vector_field(self.grid, self.links, self.links.net(m), leaving)

    def flows(self, m: Array) -> tuple[Array, Array]:
        return self.links.forward * m[self.links.tail], self.links.backward * m[self.links.head]
