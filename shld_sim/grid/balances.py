"""Questions about a density: currents, means, free energy, entropy production, information, detailed balance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shld_sim import _checks
from shld_sim.grid import arguments, thermodynamics
from shld_sim.grid.chain import Array
from shld_sim.grid.problem import Problem


class Balances(Problem):
    """What `FokkerPlanck` answers about a given density."""

    def mass_beyond(self, p: Array | None = None, f: Callable[[Array], Any] | None = None) -> float:
        r"""Return the probability beyond the reflecting ends of the box, or the integral of ``f`` over it; stable noise.

        In the steady state the jumps over a point ``y`` beyond the box equal the drift back,
        ``|V'(y)| p(y) = Gamma(alpha) sin(pi alpha/2) / pi sigma^alpha E |y - X|^(-alpha)``, relative error about the mass itself.
        Of the whole line, ``E f = (1 - mass_beyond(p)) mean(p, f) + mass_beyond(p, f)``.

        Parameters
        ----------
        p : ndarray, shape (n,), optional
            Density at the cell centres. Default: the steady state. Of other densities it is right where the drift back is fast.
        f : callable, optional
            Function of an array of points. Default: 1.

        Returns
        -------
        float
            Infinite where the potential does not confine.

        Raises
        ------
        TypeError
            If the noise is Gaussian: the box then cuts the Gibbs law.
        """
        chain = self._stable("mass_beyond")
        return chain.beyond(chain.settled() if p is None else self._density("p", p) * chain.volumes, f)

    def current(self, p: Array) -> Array:
        """Return the flux ``J = -V' p - D dp/dx``, positive to the right.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.

        Returns
        -------
        ndarray
            In one dimension through the cell edges, shape ``(n + 1,)``; else the vector at the cell centres, shape
            ``(*shape, dim)``.
        """
        return self.chain.current(self._density("p", p).ravel() * self.chain.volumes)

    def free_energy(self, p: Array) -> float:
        """Return ``F = int (V p + D p ln p) dx``; the Gibbs density minimises it, at ``-D ln int exp(-V/D) dx``.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.
        """
        energy, D = self.chain.energy()
        return thermodynamics.free_energy(energy, D, self._density("p", p).ravel(), self.chain.volumes)

    def entropy_production(self, p: Array) -> float:
        """Return ``sigma = (1/D) int J^2 / p dx >= 0``, a rate (1/time, entropy in units of ``k_B``).

        Without tilt and with conserving ends ``dF/dt = -D sigma`` exactly on the grid (H-theorem). In the steady
        state of a tilted ring ``sigma = -J (V(x + period) - V(x)) / D > 0``. Infinite when a cell with probability
        has an empty neighbour, as at a point start.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.

        Raises
        ------
        ValueError
            If an end is absorbing: a one-way step has no finite entropy production.
        """
        self._conserving("the entropy production")
        flows = self.chain.flows(self._density("p", p).ravel() * self.chain.volumes)
        return thermodynamics.entropy_production(*flows)

    def fisher_information(self, p: Array) -> float:
        """Return ``I = int p |d/dx ln(p / pi)|^2 dx`` with the Gibbs density ``pi``; 0 for ``p = pi`` alone.

        On the grid it is ``sigma / D`` of `entropy_production`, so ``dF/dt = -D^2 I`` holds exactly there. Where noise depends on
        the state the integrand has the factor ``a(x) / D``.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.

        Raises
        ------
        TypeError
            If the model has no Gibbs law.
        ValueError
            If an end is absorbing.
        """
        return self.entropy_production(p) / self.chain.energy()[1]

    def detailed_balance(self) -> float:
        """Return the largest relative difference of the stationary flows to and fro over an edge, in [0, 1].

        Rounding for a chain in detailed balance; 1 where a step is never undone. Edges over which less than 1e-200 flows
        do not count.

        Raises
        ------
        ValueError
            If an end is absorbing.
        """
        self._conserving("detailed balance")
        return thermodynamics.imbalance(*self.chain.flows(self.chain.stationary()))

    def cramer_rao_product(self, p: Array) -> float:
        """Return ``sd(x) sqrt(E |D d/dx ln p|^2)``, at least ``D`` for every smooth density, with equality for Gaussians.

        In ``d`` dimensions ``sd(x)^2`` is the sum of the variances, and the bound ``D d``. On equal cells the bound holds
        exactly when ``p`` vanishes at the ends of the box.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Density at the cell centres. The product is infinite when a cell with probability has an empty neighbour.

        Raises
        ------
        TypeError
            If the model has no potential and constant ``D``.
        """
        self._overdamped("the product of Cramer and Rao")
        density, D = self._density("p", p), self.chain.energy()[1]
        spread = thermodynamics.total_variance(self.grid, density, self.grid.points)
        return float(D * np.sqrt(spread * thermodynamics.score_information(self.grid, density)))

    def uncertainty_product(self, p: Array) -> float:
        """Return ``sd(x) sd(V'(x))``: at least ``D`` for the Gibbs density, without a bound for others.

        In ``d`` dimensions ``sd^2`` is the sum of the variances of the coordinates, and the bound ``D d``. For a bound
        that every density obeys see `cramer_rao_product`.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Density at the cell centres.

        Raises
        ------
        TypeError
            If the model has no potential and constant ``D``.
        """
        self._overdamped("the uncertainty product")
        density = self._density("p", p)
        self.chain.energy()
        force = self.model.potential.gradient(self.grid.points)
        spreads = [thermodynamics.total_variance(self.grid, density, v) for v in (self.grid.points, force)]
        return float(np.sqrt(spreads[0] * spreads[1]))

    def mean(self, p: Array, f: Any) -> Any:
        """Return ``E f = sum_i f(x_i) p_i vol_i`` for a function or its values.

        Parameters
        ----------
        p : ndarray, shape (*shape) or (m, *shape)
            Densities, the cells on the last axes.
        f : callable, float or ndarray of shape (*shape)
            What to average: a function of the cell centres, shape ``(n,)`` or ``(*shape, dim)``, or its values there.

        Returns
        -------
        float, or ndarray of shape (m,)
        """
        grid = self.grid
        density = _checks.finite_array("p", p)
        if density.shape[density.ndim - grid.dim :] != grid.shape:
            shape = " x ".join(map(str, grid.shape))
            raise ValueError(f"p must have {shape} cells on its last axis, got shape {density.shape}")
        return grid.integrate(density * arguments.observable(grid, "f", f))
