"""A model on a grid with its solver: what every question to the Fokker-Planck equation starts from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.domains import Domain
from shld_sim.grid import arguments
from shld_sim.grid.boundaries import checked_boundary
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.covering import covering
from shld_sim.grid.fractional import StableChain
from shld_sim.grid.mesh import Grid
from shld_sim.grid.solvers import chain_of
from shld_sim.models import Diffusion, Model, Preconditioned, Underdamped

Set = Domain | tuple[float, float]


@dataclass(frozen=True, eq=False)
class Problem:
    """Model, grid and boundary, with the chain that solves them; `FokkerPlanck` says what they may be."""

    model: Model
    grid: Any
    boundary: Any = "reflecting"
    chain: Chain = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.grid, int | np.integer) and not isinstance(self.grid, bool):
            object.__setattr__(self, "grid", covering(self.model, int(self.grid)))
        if not isinstance(self.grid, Grid):
            raise TypeError(f"grid must be a Grid or a number of cells, got {self.grid!r}")
        kinds = checked_boundary(self.boundary, self.grid)
        object.__setattr__(self, "chain", chain_of(self.model, self.grid, kinds))

    @property
    def generator(self) -> Any:
        """The matrix ``L`` in ``dm/dt = L m``."""
        return self.chain.generator

    # -- arguments ----

    def _overdamped(self, what: str) -> None:
        if isinstance(self.model, Diffusion | Underdamped) and not isinstance(self.model, Preconditioned):
            raise TypeError(f"{what} needs a model with a Gibbs law of its positions, got {self.model!r}")

    def _stable(self, what: str) -> StableChain:
        if not isinstance(self.chain, StableChain):
            raise TypeError(f"{what} needs a LevyFlight with alpha < 2, got {self.model!r}")
        return self.chain

    def _conserving(self, what: str) -> None:
        if not self.chain.conserving:
            raise ValueError(f"{what} needs ends that conserve probability, got boundary {self.boundary!r}")

    def _count(self, k: int) -> int:
        k = _checks.integer("k", k)
        if k > self.grid.size:
            raise ValueError(f"k must not exceed the number of cells, {self.grid.size}, got {k}")
        return k

    def _domain(self, name: str, value: Any) -> Domain | None:
        """Return ``value`` as a domain; None for the whole box."""
        return arguments.domain(self.grid, name, value, self.chain.coordinates)

    def _set(self, name: str, value: Any) -> Domain:
        """Return ``value`` as a domain of positions, or of all coordinates of the grid."""
        return arguments.as_set(self.grid, name, value, self.chain.coordinates)

    def _start(self, name: str, value: Any, inside: Domain | None) -> Array:
        return arguments.start(self.grid, name, value, inside)

    def _as_point(self, p0: Any) -> Array | None:
        """Return a start that is a point, shape ``(dim,)``; None for a density."""
        return self._start("p0", p0, None) if arguments.is_point(self.grid, p0) else None

    def _contains(self, inside: Domain | None, point: Array) -> bool:
        return inside is None or bool(inside._distance(point[None, : inside.dim])[0] >= 0.0)

    def _density(self, name: str, p: Any) -> Array:
        return arguments.density(self.grid, name, p, self.chain.signed)

    def _initial(self, p0: Any) -> Array:
        return arguments.initial(self.grid, checked_boundary(self.boundary, self.grid), p0, self.chain.signed)

    def _density_of(self, m: NDArray[Any]) -> NDArray[Any]:
        """Return the densities of probabilities per cell, the cells on the last axis of ``m``."""
        return np.asarray(m / self.chain.volumes).reshape(*m.shape[:-1], *self.grid.shape)
