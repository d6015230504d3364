"""Langevin dynamics with inertia: the Kramers equation in phase space, on cells of position and momentum."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.interpolate import RectBivariateSpline

from shld_sim.domains import Box, Domain, Interval
from shld_sim.grid import signed
from shld_sim.grid.boundaries import Boundary
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.mesh import Grid
from shld_sim.grid.phase_space import Strip, strip
from shld_sim.models import Underdamped, require

STEEPEST = 8.0  # of V, in units of D, from cell to cell
NEGATIVE = 1e-3  # of the largest density: more below zero than this is worth a warning


@dataclass(frozen=True, eq=False)
class Kramers(Chain):
    r"""``dm/dt = -{m, H} + gamma d/dp (p m + D dm/dp)``, ``H = V(x) + p^2/2``: fourth order, Gibbs and mass kept exactly.

    Not a Markov chain: off-diagonals of the matrix are negative, see `phase_space`. Densities are positive as far as they
    are accurate; `evolve` warns where they are not, and clips nothing. A start narrower than a few cells is not resolved until
    friction has spread it. Exit times and committors oscillate where they jump, next to the separatrix of weak friction
    and beyond it, and mean nothing at energies of more than 30 D, where no path goes. Errors of exit times fall between first
    and second order, because the time vanishes as the sixth root of the distance from the end: one in a thousand on 100
    columns.

    Parameters
    ----------
    model : Underdamped
        One coordinate, constant ``D``.
    grid : Grid
        The axes of position and momentum.
    boundary : tuple
        Kinds of the ends of the two axes.
    """

    model: Underdamped
    grid: Grid
    boundary: Boundary
    strip: Strip = field(init=False, repr=False)
    generator: sparse.csc_array = field(init=False, repr=False)

    reversible = False
    signed = True
    coordinates = 1
    orders = (4.0, 5.0, 6.0, 7.0, 8.0)  # of the spectrum; exit times are of no clean order

    def __post_init__(self) -> None:
        model = require(self.model, Underdamped, dim=1)
        _check(model, self.grid, self.boundary)
        whole = strip(model, self.grid, self.boundary[0])
        object.__setattr__(self, "strip", whole)
        object.__setattr__(self, "generator", whole.generator())

    @property
    def conserving(self) -> bool:  # type: ignore[override]
        """Whether no probability can leave the box."""
        return "absorbing" not in self.boundary[0]

    def stationary(self) -> Array:
        weights = self.strip.gibbs()
        return np.asarray(weights / weights.sum())

    def evolve(self, m0: Array, times: Array) -> Array:
        m = self.strip.evolve(m0, times)
        worst = m.min(axis=1) / m.max(axis=1, initial=1e-300)
        if worst.min(initial=0.0) < -NEGATIVE:
            at = int(np.argmin(worst))
            warnings.warn(
                f"the density at t = {float(times[at])!r} falls to {worst[at]:.1e} of its maximum below zero: use smaller "
                "cells, or a start that is wider than they are",
                UserWarning,
                stacklevel=3,
            )
        return m

    def eigenvalues(self, k: int) -> NDArray[Any]:
        values = self._modes(k)[0]
        if self.conserving:
            values[0] = 0.0  # Gibbs, exactly
        return values

    def eigenfunctions(self, k: int) -> NDArray[Any]:
        return np.sqrt(self.stationary()) * self._modes(k)[1]

    def _modes(self, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        # frequencies that matter are multiples of that at the bottom: <V''> = <V'^2>/D
        m = self.stationary()
        slope = self.model.potential.gradient(self.points[:, 0])
        frequency = float(np.sqrt(np.dot(m, slope * slope) / self._D))
        scale = 3.0 * frequency**2 / (frequency + self.model.friction)  # slower than the well if overdamped

        def smooth(f: NDArray[Any]) -> bool:
            """Return whether a mode is not a wave of two cells along x, as the damping of these leaves some."""
            table = np.abs(np.diff(f.reshape(self.grid.shape), axis=0)) ** 2
            return bool(table.sum() < (np.abs(f) ** 2).sum())

        # oscillations die at half of the friction, or faster
        return signed.rightmost(self.strip.matrix, k, scale, frequency, 0.25 * self.model.friction, smooth)

    def exit_time(self, domain: Domain | None) -> Array:
        part = self._cut("domain", domain)
        if not part.open:
            raise ValueError(f"domain must have an end in the box or at an absorbing end of it, got {domain!r}")
        return part.whole(part.backward(-np.ones(part.size)))

    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        part = self._cut("domain", domain)
        return np.asarray(part.evolve(np.where(part.inside, m0[part.cells], 0.0), times).sum(axis=1))

    def committor(self, a: Domain, b: Domain) -> Array:
        sets = [(*self._ends("a", a), 0.0), (*self._ends("b", b), 1.0)]
        (low, middle, left), (upper, high, right) = sorted(sets)
        if middle > upper:
            raise ValueError(f"a and b must not overlap, got a={a!r}, b={b!r}")
        x = self.points[:, 0]
        q = np.where((x >= low) & (x <= middle), left, 0.0) + np.where((x >= upper) & (x <= high), right, 0.0)
        side = self.grid.sides[0]
        for ends, values in (
            ((-np.inf, low), (0.0, left)),
            ((middle, upper), (left, right)),
            ((high, np.inf), (right, 0.0)),
        ):
            if ends[0] < side.high and ends[1] > side.low and ends[0] < ends[1]:
                part = self._strip("a, b", *ends)
                arriving = sum(value * rate for value, rate in zip(values, part.rates, strict=True))
                q += part.whole(part.backward(-np.asarray(arriving)))
        return q

    def interpolate(self, values: Array, x0: Array, domain: Domain | None) -> float:
        """Interpolate by cubic splines on the columns of the domain, and beyond the last of them to its end."""
        part = self._cut("domain", domain)
        inside = part.inside.reshape(-1, self.grid.shape[1])[:, 0]
        table = values.reshape(self.grid.shape)[part.columns][inside]
        x, p = self.grid.axes[0][part.columns][inside], self.grid.axes[1]
        near = RectBivariateSpline(x, p, table)
        at = float(np.clip(x0[0], x[0], x[-1]))
        slope = float(near(at, x0[1], dx=1)[0, 0])
        return float(near(at, x0[1])[0, 0]) + slope * (float(x0[0]) - at)

    def current(self, m: Array) -> Array:
        """Return ``(p rho, -(V' + gamma p) rho - gamma D d rho/dp)`` at the cell centres."""
        part, p = self.strip, self.grid.axes[1]
        rho = m.reshape(self.grid.shape) / np.prod(self.grid.dx)
        force = -self.model.potential.gradient(self.grid.axes[0])[:, None]
        # -gamma (p rho + D d rho/dp) = -gamma D W d(rho/W)/dp: zero for Gibbs
        friction = -self.model.friction * self._D * part.slope(rho)
        return np.stack([p * rho, force * rho + friction], axis=-1)

    def flows(self, m: Array) -> tuple[Array, Array]:
        raise TypeError(f"flows to and fro need a model without inertia, got {self.model!r}")

    def energy(self) -> tuple[Array, float]:
        x, p = self.points.T
        return np.asarray(self.model.potential(x) + 0.5 * p * p), self._D

    @property
    def _D(self) -> float:
        return float(self.model.D)  # type: ignore[arg-type]

    def _cut(self, name: str, domain: Domain | None) -> Strip:
        return self.strip if domain is None else self._strip(name, *self._ends(name, domain))

    def _strip(self, name: str, low: float, high: float) -> Strip:
        side = self.grid.sides[0]
        if "periodic" in self.boundary[0]:
            raise ValueError(f"{name}: exit problems need a box with ends, got boundary 'periodic'")
        if low >= side.high or high <= side.low:
            raise ValueError(f"{name} must overlap the box ({side.low!r}, {side.high!r}), got ({low!r}, {high!r})")
        return strip(self.model, self.grid, self.boundary[0], low, high, name)

    def _ends(self, name: str, domain: Domain) -> tuple[float, float]:
        """Return the ends in x of a domain that does not depend on p."""
        if isinstance(domain, Interval):
            return domain.low, domain.high
        if isinstance(domain, Box) and (domain.low[1:], domain.high[1:]) == ((-np.inf,), (np.inf,)):
            return domain.low[0], domain.high[0]
        raise TypeError(f"{name} must be an interval of x, whatever the momentum, got {domain!r}")


def _check(model: Underdamped, grid: Grid, boundary: Boundary) -> None:
    """Raise unless the box suits the equation; warn when it cuts the Gibbs law in p or holds it on too few cells."""
    if grid.dim != 2:
        raise ValueError(f"grid must have an axis for x and one for the momentum, got {grid!r}")
    if not grid.uniform:
        raise ValueError(f"grid must have axes of equal cells for a model with inertia, got {grid!r}")
    if min(grid.shape) < 8:
        raise ValueError(f"grid must have at least 8 cells along x and along the momentum, got {grid!r}")
    low, high = grid.sides[1].low, grid.sides[1].high
    if abs(low + high) > 1e-9 * high:
        raise ValueError(f"grid must have a momentum axis symmetric about 0, got ({low!r}, {high!r})")
    if boundary[1] != ("reflecting", "reflecting"):
        raise ValueError(f"boundary must be 'reflecting' for the momentum, got {boundary[1]!r}")
    if boundary[0][0] == "periodic":
        side, x = grid.sides[0], grid.axes[0]
        turn = model.potential(x + (side.high - side.low)) - model.potential(x)
        if np.abs(turn).max() > 1e-8 * float(np.ptp(model.potential(x))):
            raise ValueError(
                f"boundary 'periodic' needs a potential of period {side.high - side.low!r} without tilt when there is inertia, "
                f"got V(x + period) - V(x) up to {float(np.abs(turn).max())!r}"
            )
    rise = float(np.abs(np.diff(model.potential(grid.axes[0]))).max() / model.D)  # type: ignore[operator]
    if rise > STEEPEST:
        _warn(
            f"V rises by up to {rise:.0f} D from cell to cell, which makes the matrix stiff: use a smaller box or smaller cells"
        )
    deviation = float(np.sqrt(model.D))  # type: ignore[arg-type]
    if high < 5.0 * deviation:
        _warn(
            f"the box ends at p={high!r}, only {high / deviation:.1f} standard deviations of the momentum: use 6 or more"
        )
    if grid.dx[1] > 0.6 * deviation:
        _warn(f"cells of the momentum are {grid.dx[1] / deviation:.1f} of its standard deviation wide: use 0.3 or less")


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=8)
