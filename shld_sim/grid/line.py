"""One coordinate: a row of cells, tridiagonal and solved without subtractions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shld_sim.domains import Box, Domain, Interval
from shld_sim.grid import evolution, exits, spectrum, thermodynamics
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.generator import Landscape, Rates, assemble, matrix
from shld_sim.grid.mesh import Edges, Grid
from shld_sim.grid.refinement import EVEN
from shld_sim.grid.spectrum import Modes


@dataclass(frozen=True, eq=False)
class Line(Chain):
    """Chain of a reversible diffusion between neighbouring cells of a row or a ring.

    Parameters
    ----------
    landscape : Landscape
        The equation.
    grid : Grid
        One axis.
    boundary : (str, str)
        Kinds of the left and the right end.
    """

    landscape: Landscape
    grid: Grid
    boundary: tuple[str, str]
    rates: Rates = field(init=False, repr=False)
    generator: sparse.csc_array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rates = assemble(self.landscape, self.grid, self.boundary)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "generator", matrix(rates))

    @property
    def conserving(self) -> bool:  # type: ignore[override]
        """Whether no probability can leave the box."""
        return self.rates.conserving

    @property
    def reversible(self) -> bool:  # type: ignore[override]
        """Whether there is detailed balance: not on a tilted ring."""
        return self.rates.reversible

    @cached_property
    def modes(self) -> Modes:
        """All modes, made when first needed; reversible rows only."""
        return spectrum.modes(self.rates)

    @property
    def orders(self) -> tuple[float, ...]:  # type: ignore[override]
        """Even powers of the cell width; where the widths of neighbours differ by a jump, the odd ones above 2 too."""
        return tuple(float(k) for k in range(2, 10)) if isinstance(self.grid.sides[0], Edges) else EVEN

    def stationary(self) -> Array:
        return thermodynamics.stationary(self.rates)

    def evolve(self, m0: Array, times: Array) -> Array:
        return evolution.evolve(self.rates, m0, times, lambda: self.modes)

    def eigenvalues(self, k: int) -> NDArray[Any]:
        return spectrum.eigenvalues(self.rates, self.generator, k)

    def eigenfunctions(self, k: int) -> Array:
        if not self.reversible:
            raise ValueError("eigenfunctions need detailed balance, got a tilted potential with boundary 'periodic'")
        return np.asarray(spectrum.eigenfunctions(self.rates, k) * np.sqrt(self.stationary()))

    def exit_time(self, domain: Domain | None) -> Array:
        part, times = exits.mean_exit_time(self.rates, self.grid, self.landscape, *self._ends("domain", domain))
        whole = np.zeros(self.size)
        whole[part.cells] = times
        return whole

    def exit_time_from(self, domain: Domain | None, x0: Array) -> float:
        """Solve on a mesh that has the ends of the domain and ``x0`` among its nodes."""
        ends = self._ends("domain", domain)
        return exits.mean_exit_time_from(self.grid, self.landscape, self.boundary, *ends, float(x0[0]))

    def exit_shares(self, domain: Domain | None, x0: Array | None) -> Array:
        ends = self._ends("domain", domain)
        if x0 is None:
            return exits.exit_shares_profile(self.rates, self.grid, self.landscape, *ends)
        return exits.exit_shares_from(self.grid, self.landscape, self.boundary, *ends, float(x0[0]))

    def committor(self, a: Domain, b: Domain) -> Array:
        sets = self._ends("a", a), self._ends("b", b)
        return exits.committor(self.rates, self.grid, self.landscape, *sets)

    def reactive(self, a: Domain, b: Domain) -> tuple[Array, float]:
        sets = self._ends("a", a), self._ends("b", b)
        return exits.reactive(self.rates, self.grid, self.landscape, *sets)

    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        found = self._inside(domain, m0)
        return np.zeros(len(times)) if found is None else evolution.evolve(*found, times).sum(axis=1)

    def survival_from(self, domain: Domain | None, x0: Array, m0: Array, times: Array) -> Array:
        found = self._inside_from(domain, x0)
        return np.zeros(len(times)) if found is None else evolution.evolve(*found, times).sum(axis=1)

    def exit_density(self, domain: Domain | None, x0: Array | None, m0: Array, times: Array) -> Array:
        found = self._inside(domain, m0) if x0 is None else self._inside_from(domain, x0)
        if found is None:
            return np.zeros((len(times), 2))
        m = evolution.evolve(*found, times)
        return np.stack([found[0].exit_left * m[:, 0], found[0].exit_right * m[:, -1]], axis=1)

    def current(self, m: Array) -> Array:
        return thermodynamics.current(self.rates, m)

    def flows(self, m: Array) -> tuple[Array, Array]:
        return self.rates.right * m, np.roll(self.rates.left * m, -1)

    def energy(self) -> tuple[Array, float]:
        return self.rates.energy, self.rates.D

    def _inside(self, domain: Domain | None, m0: Array) -> tuple[Rates, Array] | None:
        """Return the chain of the cells in a domain and the start there; None when it holds no cell centre."""
        part = exits.segment(self.rates, self.grid, self.landscape, *self._ends("domain", domain))
        if part is None:
            return None
        return exits.killed(part, self.rates.D, self.rates.energy[part.cells]), m0[part.cells]

    def _inside_from(self, domain: Domain | None, x0: Array) -> tuple[Rates, Array] | None:
        """Return a chain on the mesh aligned with the ends of a domain and ``x0``, and the start; None on an absorbing end."""
        ends = self._ends("domain", domain)
        part, node = exits.aligned_start(self.grid, self.landscape, self.boundary, *ends, float(x0[0]))
        if node < 0:
            return None
        return exits.killed(part, self.rates.D, self.landscape.energy(part.x)), np.eye(1, part.x.size, node)[0]

    def _ends(self, name: str, domain: Domain | None) -> tuple[float, float]:
        """Return the ends of an interval; a ring is refused because an interval and its complement look alike there."""
        if self.rates.periodic:
            raise ValueError(f"{name}: exit problems need a box with ends, got boundary 'periodic'")
        if domain is None:
            return -np.inf, np.inf
        if isinstance(domain, Interval):
            return domain.low, domain.high
        if isinstance(domain, Box):
            return domain.low[0], domain.high[0]
        raise TypeError(f"{name} must be an interval in one dimension, got {domain!r}")
