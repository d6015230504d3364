"""What every grid solver is: a Markov chain on cells whose law approximates that of the equation."""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim.domains import Domain
from shld_sim.grid.mesh import Grid
from shld_sim.grid.refinement import EVEN

Array = NDArray[np.float64]


class Chain(abc.ABC):
    """Chain on the ``N`` cells of a grid, in C order; everything is in probabilities per cell, not densities.

    Attributes
    ----------
    grid : Grid
        The cells.
    generator : scipy.sparse array or LinearOperator, shape (N, N)
        ``L`` in ``dm/dt = L m``. Off-diagonals are not negative where the solver says so; columns sum to minus the rate
        at which a cell is left for good.
    conserving : bool
        Whether no probability can leave the box.
    reversible : bool
        Whether the chain is in detailed balance with its stationary law (of the closed box).
    signed : bool
        Whether off-diagonals, and so densities, may be negative.
    orders : tuple of float
        Powers of the cell width in the error of what it computes, ascending.
    """

    grid: Grid
    generator: Any
    conserving: bool
    reversible: bool
    signed: bool = False
    orders: tuple[float, ...] = EVEN

    @property
    def coordinates(self) -> int:
        """Number of coordinates of the sets of exit problems."""
        return self.grid.dim

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.grid.size

    @property
    def volumes(self) -> Array:
        """Volume of every cell, shape ``(N,)``."""
        return self.grid.volumes.ravel()

    @property
    def points(self) -> Array:
        """Cell centres, shape ``(N, dim)``."""
        return self.grid.points.reshape(self.size, self.grid.dim)

    @abc.abstractmethod
    def stationary(self) -> Array:
        """Return the probabilities with ``L m = 0`` and sum 1; with exits, those of the closed box if it is known."""

    @abc.abstractmethod
    def evolve(self, m0: Array, times: Array) -> Array:
        """Return ``exp(L t) m0`` at every time (in any order), shape ``(len(times), N)``."""

    @abc.abstractmethod
    def eigenvalues(self, k: int) -> NDArray[Any]:
        """Return the ``k`` eigenvalues of ``-L`` that are smallest in the real part, ascending."""

    @abc.abstractmethod
    def eigenfunctions(self, k: int) -> NDArray[Any]:
        """Return right eigenvectors of ``-L`` as probabilities per cell, shape ``(k, N)``, in the order of `eigenvalues`.

        Of a reversible chain they are normalised to ``sum_i psi_i^2 / pi_i = 1``.
        """

    @abc.abstractmethod
    def exit_time(self, domain: Domain | None) -> Array:
        """Return the mean time to leave ``domain`` (None: the box) from every cell, 0 for cells outside of it."""

    @abc.abstractmethod
    def committor(self, a: Domain, b: Domain) -> Array:
        """Return the probability to reach ``b`` before ``a`` from every cell: 0 in ``a``, 1 in ``b``."""

    @abc.abstractmethod
    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        """Return the probability to be still in ``domain`` (None: the box) at every time, shape ``(len(times),)``."""

    def interpolate(self, values: Array, x0: Array, domain: Domain | None) -> float:
        """Return ``values`` of `exit_time` at the point ``x0``, shape ``(dim,)``, in ``domain``; 0 on its boundary."""
        raise TypeError(
            f"{type(self).__name__} must define interpolate(values, x0, domain) or exit_time_from(domain, x0)"
        )

    def exit_time_from(self, domain: Domain | None, x0: Array) -> float:
        """Return the mean time to leave ``domain`` from the point ``x0``, shape ``(dim,)``."""
        return self.interpolate(self.exit_time(domain), x0, domain)

    def exit_shares(self, domain: Domain | None, x0: Array | None) -> Array:
        """Return the probabilities to leave by each end: shape ``(2,)`` from ``x0``, ``(2, N)`` from every cell."""
        raise TypeError(f"shares of the two ends need one coordinate, got the solver {type(self).__name__}")

    def survival_from(self, domain: Domain | None, x0: Array, m0: Array, times: Array) -> Array:
        """Return `survival` from the point ``x0``, which is ``m0`` on the cells; a chain may do better than with ``m0``."""
        return self.survival(domain, m0, times)

    def exit_density(self, domain: Domain | None, x0: Array | None, m0: Array, times: Array) -> Array:
        """Return the probability per unit time to leave by each end, from ``m0``, or from ``x0`` if it is a point.

        Shape ``(len(times), 2)``.
        """
        raise TypeError(f"a density of exit times needs one coordinate, got the solver {type(self).__name__}")

    @abc.abstractmethod
    def current(self, m: Array) -> Array:
        """Return the probability current: through the edges, ``(n + 1,)``, in one dimension, else ``(*shape, dim)``."""

    @abc.abstractmethod
    def flows(self, m: Array) -> tuple[Array, Array]:
        """Return the probability per unit time that goes to and fro over every edge between two cells."""

    def reactive(self, a: Domain, b: Domain) -> tuple[Array, float]:
        """Return the current of the stationary paths that come from ``a`` and go to ``b``, and how many per unit time.

        The current has the shape of that of `current`.
        """
        raise TypeError(f"a reactive current needs a chain of near jumps, got the solver {type(self).__name__}")

    def energy(self) -> tuple[Array, float]:
        """Return ``V`` at the cell centres, shape ``(N,)``, and ``D``, where ``exp(-V/D)`` is the stationary density."""
        raise TypeError(f"a free energy needs a model with a Gibbs law, got the solver {type(self).__name__}")
