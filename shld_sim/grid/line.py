"""One coordinate: a row of cells, tridiagonal and solved without subtractions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shld_sim.domains import Box, Domain, Interval
from shld_sim.grid import evolution, exits, spectrum, thermodynamics
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.generator import Landscape, Rates, assemble, matrix
from shld_sim.grid.mesh import Grid


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

    def stationary(self) -> Array:
        return thermodynamics.stationary(self.rates)

    def evolve(self, m0: Array, times: Array) -> Array:
        return evolution.evolve(self.rates, m0, times)

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

    def committor(self, a: Domain, b: Domain) -> Array:
        sets = self._ends("a", a), self._ends("b", b)
        return exits.committor(self.rates, self.grid, self.landscape, *sets)

    def reactive(self, a: Domain, b: Domain) -> tuple[Array, float]:
        sets = self._ends("a", a), self._ends("b", b)
        return exits.reactive(self.rates, self.grid, self.landscape, *sets)

    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        """Evolve the segment as a chain of its own, from the part of ``m0`` in it."""
        part = exits.segment(self.rates, self.grid, self.landscape, *self._ends("domain", domain))
        if part is None:
            return np.zeros(len(times))
        energy, width = self.rates.energy[part.cells], self.rates.width[part.cells]
        killed = Rates(
            part.right, part.left, part.out_left, part.out_right, energy, self.rates.D, width, work=0.0, periodic=False
        )
        return np.asarray(evolution.evolve(killed, m0[part.cells], times).sum(axis=1))

    def interpolate(self, values: Array, x0: Array, domain: Domain | None) -> float:
        """Interpolate linearly between the cell centres and the ends of the domain."""
        low, high = self._ends("domain", domain)
        part = exits.segment(self.rates, self.grid, self.landscape, low, high)
        assert part is not None  # values were made on it
        inside = values[part.cells]
        ends = (0.0 if part.out_left else inside[0]), (0.0 if part.out_right else inside[-1])
        return float(np.interp(x0[0], np.r_[part.low, part.x, part.high], np.r_[ends[0], inside, ends[1]]))

    def current(self, m: Array) -> Array:
        return thermodynamics.current(self.rates, m)

    def flows(self, m: Array) -> tuple[Array, Array]:
        return self.rates.right * m, np.roll(self.rates.left * m, -1)

    def energy(self) -> tuple[Array, float]:
        return self.rates.energy, self.rates.D

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
