"""Stable noise in one dimension: the fractional Fokker-Planck equation as a chain with long jumps."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import linalg as splinalg

from shld_sim import _checks
from shld_sim.domains import Box, Domain, Interval
from shld_sim.grid import fractional_operator as lattice
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.fractional_operator import StableOperator
from shld_sim.grid.fractional_solvers import DENSE, Resolvent, exponential
from shld_sim.grid.generator import Landscape, bernoulli, work_per_turn
from shld_sim.grid.mesh import Grid

MARGIN = 1e-9  # of a cell: an end closer than this to where it cannot be is there


@dataclass(frozen=True, eq=False)
class ExitPlaces:
    """Where a path is when it has left a domain.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Cell centres.
    probability : ndarray, shape (n,)
        Probability to be in each cell right after the exit; 0 for cells inside. Cells next to the domain take what leaves
        through its ends.
    below, above : float
        Probability to be beyond the box. Everything sums to 1.
    occupation : ndarray, shape (n,)
        Mean time spent in each cell before the exit; their sum is the mean exit time.
    alpha, sigma : float
        The noise.
    domain : (float, float)
        Ends of the domain; infinite where there is none.
    """

    x: Array
    probability: Array
    below: float
    above: float
    occupation: Array
    alpha: float
    sigma: float
    domain: tuple[float, float]

    def density(self, y: ArrayLike) -> Any:
        r"""Return the density of the first point outside, ``sum_j g_j c sigma^alpha / |y - x_j|^(1 + alpha)``.

        Parameters
        ----------
        y : array_like
            Points outside the domain, in the box or not.

        Returns
        -------
        float or ndarray
            Per length. Of second order in the cell width at a distance from the domain that is large beside it; closer than a
            few cells use ``probability``, which also has what the drift carries out.

        Raises
        ------
        ValueError
            If a point lies in the domain.
        """
        points = _checks.finite_array("y", y)
        low, high = self.domain
        if np.any((points > low) & (points < high)):
            raise ValueError(f"y must lie outside the domain ({low!r}, {high!r}), got {y!r}")
        inside = self.occupation > 0.0
        distance = np.abs(points.ravel()[:, None] - self.x[inside])
        with np.errstate(divide="ignore"):
            kernel = distance ** (-1.0 - self.alpha)
        flux = lattice.jump_density(self.alpha) * self.sigma**self.alpha * (kernel @ self.occupation[inside])
        return flux.reshape(points.shape)[()]


@dataclass(frozen=True, eq=False)
class _Part:
    """The chain on the cells between two ends.

    ``low`` and ``high`` are the absorbing ends, None where the box reflects; ``through`` are the rates at which the first
    and the last cell are left through them, beyond the jumps of the lattice.
    """

    operator: StableOperator
    low: float | None
    high: float | None
    through: tuple[float, float]


@dataclass(frozen=True, eq=False)
class StableChain(Chain):
    r"""Chain of ``dX = -V' dt + sigma dL`` on a row or a ring of equal cells.

    Its law solves ``dp/dt = d/dx (V' p) - sigma^alpha (-d^2/dx^2)^(alpha/2) p`` to second order in the cell width ``h`` where
    ``|V'| h / 2`` is at most the diffusion due to jumps of up to `fractional_operator.WIDEST` cells, and to first order
    beyond, that is in the far tail of a steep well. Exits are of second order wherever the ends fall in a cell, if no drift
    crosses them; with drift the order is 1 for ``alpha <= 1`` and rises to 2 with alpha (1.3 at 1.2, 1.8 at 1.5): a layer at
    the end is not smooth. Jumps beyond a reflecting end stop in the last cell, and the drift brings them back.

    Parameters
    ----------
    potential : Potential
        ``V``.
    alpha : float
        Stability index, ``0 < alpha <= 2``.
    sigma : float
        Noise scale.
    grid : Grid
        One axis of equal cells.
    boundary : (str, str)
        Kinds of the left and the right end.
    """

    potential: Any
    alpha: float
    sigma: float
    grid: Grid
    boundary: tuple[str, str]
    operator: StableOperator = field(init=False, repr=False)
    generator: splinalg.LinearOperator = field(init=False, repr=False)
    _drift_out: tuple[float, float] = field(init=False, repr=False)
    orders = (2.0, 3.0, 4.0)

    def __post_init__(self) -> None:
        grid = self.grid
        if not grid.uniform:
            raise ValueError(f"grid must have cells of one width for stable noise, got {grid!r}")
        n, h, ring = grid.size, grid.dx, self.boundary[0] == "periodic"
        scale = (self.sigma / h) ** self.alpha
        # the ends of the box: the potential there, not beyond
        landscape = Landscape(self.potential, 1.0)
        V = landscape.energy(grid.x)
        rise = np.diff(V) / h**2
        if ring:
            work = work_per_turn(landscape, grid.x, grid.high - grid.low, V)
            rise = np.append(rise, (V[0] + work - V[-1]) / h**2)
            rates = scale * np.append(lattice.ring_rates(self.alpha, n), 0.0)
            beyond, total = np.zeros((2, n)), float(rates.sum())
        else:
            rates = scale * lattice.lattice_rates(self.alpha, n)
            tails = scale * lattice.lattice_tails(self.alpha, n)
            beyond, total = np.array([tails, tails[::-1]]), 2.0 * float(tails[0])
        spared = scale * lattice.lattice_rates(self.alpha, max(1, min(lattice.WIDEST, n // lattice.SHARE)))
        local = lattice.drift_rates(rise, spared, n, ring)
        up = 2.0 * (landscape.energy(np.array([grid.low, grid.high])) - V[[0, -1]]) / h**2
        out = spared[0] * (bernoulli(up / spared[0])[0] - 1.0)
        object.__setattr__(self, "_drift_out", (float(out[0]), float(out[1])))
        every = np.ones(n, dtype=bool)
        whole = StableOperator(rates, total, local, beyond, (not ring, not ring), np.zeros(n), every, ring)
        object.__setattr__(self, "operator", whole)
        object.__setattr__(self, "operator", self._part(-np.inf, np.inf).operator)
        L = splinalg.LinearOperator(
            (n, n),
            matvec=lambda m: self.operator.forward(m.ravel()),
            rmatvec=lambda f: self.operator.backward(f.ravel()),
            dtype=np.float64,
        )
        object.__setattr__(self, "generator", L)

    @property
    def conserving(self) -> bool:  # type: ignore[override]
        """Whether no probability can leave the box."""
        return "absorbing" not in self.boundary

    @property
    def reversible(self) -> bool:  # type: ignore[override]
        """False: jumps and drift do not balance one another."""
        return False

    # -- densities ----

    def stationary(self) -> Array:
        m = self.settled()
        self._warn_of_cut(self.beyond(m))
        return m

    def settled(self) -> Array:
        """Solve ``(r v 1^T - L) m = r v``: the chain that restarts from ``v`` at a rate ``r`` that turns out not to matter."""
        n = self.size
        closed = self.operator.restricted(np.ones(n, dtype=bool), np.zeros(n), self._closed)
        start = np.full(n, 1.0 / n)
        rate = self._slow_rate()
        m = np.maximum(Resolvent(closed, restart=start, rate=rate).solve(rate * start), 0.0)
        return np.asarray(m / m.sum())

    def evolve(self, m0: Array, times: Array) -> Array:
        """Return the law at every time; what an iterative solution leaves out of the balance is put back."""
        self._warn_of_cut(self.cut())
        m = exponential(self.operator, m0, times)
        if self.conserving:
            m *= m0.sum() / m.sum(axis=1, keepdims=True)
        return m

    def beyond(self, m: Array, f: Any = None) -> float:
        r"""Return the integral of ``f p`` over what lies beyond the reflecting ends of the box, ``f = 1`` by default.

        Beyond the box a path that a jump has carried there slides back, so in the steady state the jumps over ``y`` equal the
        drift back, ``|V'(y)| p(y) = (c sigma^alpha / alpha) E |y - X|^(-alpha)``. Jumps that come back are not counted: the
        relative error is about the result itself. The whole line has the mass ``1``, so ``m`` counts ``1 - beyond(m)``.
        """
        x = self.grid.x
        middle = float(m @ x) / float(m.sum())
        nodes, weights = np.polynomial.legendre.leggauss(80)
        s = 0.5 * (nodes + 1.0)
        total, integral = 0.0, 0.0
        for end, side, landing in ((self.grid.low, -1.0, self._closed[0]), (self.grid.high, 1.0, self._closed[1])):
            if not landing:
                continue
            reach = side * (end - middle)
            # distance from the middle r = reach / s^4, from the end of the box to infinity
            r, dr = reach / s**4, 4.0 * reach / s**5 * 0.5 * weights
            y = middle + side * r
            with np.errstate(over="ignore", invalid="ignore"):
                slope = side * self.potential.gradient(y)
            if not (slope > 0.0).all():
                return math.inf
            distance = np.maximum(side * (y[:, None] - x), 0.5 * r[:, None])
            jumps = self._jump_rate(distance) @ m
            total += float(np.sum(dr * jumps / slope))
            if f is not None:
                integral += float(np.sum(dr * jumps / slope * f(y)))
        mass = float(m.sum())
        return (total if f is None else integral) / (mass + total) * mass

    def cut(self) -> float:
        """Return a first estimate of the probability beyond the box, from ``p ~ c sigma^alpha / (alpha |x|^alpha |V'|)``."""
        V = Landscape(self.potential, 1.0).energy(self.grid.x)
        m = np.zeros(self.size)
        m[int(np.argmin(V))] = 1.0
        return self.beyond(m)

    def _warn_of_cut(self, beyond: float) -> None:
        if 1e-2 < beyond < math.inf:
            warnings.warn(
                f"about {beyond:.1g} of the probability lies beyond the box ({self.grid.low!r}, {self.grid.high!r}): densities "
                "are those of paths in the box; use a wider Grid, or correct by mass_beyond",
                UserWarning,
                stacklevel=4,
            )

    # -- spectrum ----

    def eigenvalues(self, k: int) -> NDArray[Any]:
        return self._modes(k)[0]

    def eigenfunctions(self, k: int) -> NDArray[Any]:
        """Return right eigenvectors, ``sum_i |psi_i| = 1``."""
        psi = self._modes(k)[1]
        return np.asarray(psi / np.abs(psi).sum(axis=1, keepdims=True))

    # -- exits ----

    def exit_time(self, domain: Domain | None) -> Array:
        part = self._part(*self._ends("domain", domain))
        if part.low is None and part.high is None:
            raise ValueError(f"domain must have an end in the box or at an absorbing end of it, got {domain!r}")
        times = Resolvent(part.operator, transposed=True).solve(np.where(part.operator.inside, 1.0, 0.0))
        if not (times >= 0.0).all():
            raise ValueError(f"domain {domain!r}: the mean time to leave exceeds what rounding allows")
        return self._within(part, times)

    def committor(self, a: Domain, b: Domain) -> Array:
        sets = sorted([(*self._ends("a", a), 0.0), (*self._ends("b", b), 1.0)])
        for name, (low, high) in (("a", self._ends("a", a)), ("b", self._ends("b", b))):
            if low >= self.grid.high or high <= self.grid.low:
                raise ValueError(
                    f"{name} must overlap the box ({self.grid.low!r}, {self.grid.high!r}), got ({low!r}, {high!r})"
                )
        (low1, high1, value1), (low2, high2, value2) = sets
        if low2 < high1:
            raise ValueError(f"a and b must not overlap, got a={a!r}, b={b!r}")
        x, n = self.grid.x, self.size
        target = np.where(x < 0.5 * (high1 + low2), value1, value2)
        inside, kill, into = np.zeros(n, dtype=bool), np.zeros(n), np.zeros(n)
        landing = [self._closed[0], self._closed[1]]
        gaps = ((-np.inf, low1, 0.0, value1), (high1, low2, value1, value2), (high2, np.inf, value2, 0.0))
        for low, high, at_low, at_high in gaps:
            if not (low < high and low < self.grid.high and high > self.grid.low):
                continue
            part = self._part(low, high, required=False)
            if part is None:
                continue
            cells = part.operator.cells
            inside |= part.operator.inside
            kill += part.operator.kill
            into[cells[0]] += part.through[0] * at_low
            into[cells[-1]] += part.through[1] * at_high
        chain = self.operator.restricted(inside, kill, (landing[0], landing[1]))
        reached = np.where(inside, 0.0, target)
        open_chain = self.operator.restricted(np.ones(n, dtype=bool), np.zeros(n), (landing[0], landing[1]))
        source = np.where(inside, open_chain.backward(reached) + into, 0.0)
        q = np.clip(Resolvent(chain, transposed=True).solve(source), 0.0, 1.0) if inside.any() else np.zeros(n)
        q = np.where(inside, q, target)
        for low, high, value in sets:
            q = np.where((x >= low) & (x <= high), value, q)
        return np.asarray(q)

    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        part = self._part(*self._ends("domain", domain), required=False)
        if part is None:
            return np.zeros(len(times))
        if part.low is None and part.high is None:
            return np.full(len(times), m0.sum())
        m = exponential(part.operator, self._within(part, m0), times)
        return np.asarray(np.minimum(m.sum(axis=1), m0.sum()))

    def interpolate(self, values: Array, x0: Array, domain: Domain | None) -> float:
        """Interpolate ``T`` divided by ``distance^(alpha/2)`` to the ends, which is smooth, between four cells."""
        part, at = self._part(*self._ends("domain", domain)), float(x0[0])
        x = self.grid.x

        def shape(y: Any) -> Any:
            out = np.ones_like(y, dtype=np.float64)
            for end, side in ((part.low, 1.0), (part.high, -1.0)):
                if end is not None:
                    out = out * np.maximum(side * (y - end), 0.0) ** (0.5 * self.alpha)
            return out

        good = np.flatnonzero(part.operator.inside & (shape(x) > 0.0))
        place = int(np.clip(np.searchsorted(x[good], at) - 2, 0, max(good.size - 4, 0)))
        near = good[place : place + 4]
        ratio = values[near] / shape(x[near])
        t = (at - x[near[0]]) / self.grid.dx
        total = 0.0
        for i in range(near.size):  # Lagrange
            others = np.delete(np.arange(near.size), i)
            total += ratio[i] * float(np.prod((t - others) / (i - others)))
        return float(total * shape(np.array(at)))

    def exit_places(self, domain: Domain | None, m0: Array) -> ExitPlaces:
        """Return where paths from ``m0`` are right after they have left the domain."""
        low, high = self._ends("domain", domain)
        part = self._part(low, high)
        if part.low is None and part.high is None:
            raise ValueError(f"domain must have an end in the box or at an absorbing end of it, got {domain!r}")
        operator = part.operator
        start = self._within(part, m0)
        if not start.sum() > 0.0:
            raise ValueError(f"the start must lie in the domain ({low!r}, {high!r})")
        occupation = np.maximum(Resolvent(operator).solve(start / start.sum()), 0.0)
        landed = np.where(operator.inside, 0.0, operator.arrivals(occupation))
        outside = [0.0, 0.0]
        first, last = operator.cells[[0, -1]]
        through = part.through[0] * occupation[first], part.through[1] * occupation[last]
        for end, cell, gone in ((0, first - 1, through[0]), (1, last + 1, through[1])):
            if 0 <= cell < self.size:
                landed[cell] += gone
                outside[end] = float(operator.beyond[end] @ occupation)
            else:
                outside[end] = gone + (0.0 if operator.landing[end] else float(operator.beyond[end] @ occupation))
        return ExitPlaces(self.grid.x, landed, outside[0], outside[1], occupation, self.alpha, self.sigma, (low, high))

    # -- currents ----

    def current(self, m: Array) -> Array:
        """Return what crosses every edge, jumps over it included, from ``dm/dt = -dJ``."""
        change = self.operator.forward(m)
        if self.boundary[0] != "periodic":
            kill = self.operator.kill
            out = 0.0 if self._closed[0] else float(self.operator.beyond[0] @ m + kill[0] * m[0])
            return np.asarray(-out - np.concatenate([[0.0], np.cumsum(change)]))
        J = -np.concatenate([[0.0], np.cumsum(change)])
        # symmetric jumps carry nothing around the ring on average; what carries is the drift
        n, local = self.size, self.operator.local.tocoo()
        rows, columns = local.coords
        ahead = (rows - columns + n // 2) % n - n // 2
        carried = float(np.sum(ahead * local.data * m[columns])) / n
        return np.asarray(J + carried - J[:-1].mean())

    def flows(self, m: Array) -> tuple[Array, Array]:
        raise TypeError("the entropy production is defined for Gaussian noise here, got stable noise, alpha < 2")

    # -- parts of the chain ----

    @property
    def _closed(self) -> tuple[bool, bool]:
        """Whether jumps beyond the low and the high end of the box stop there."""
        return self.boundary[0] == "reflecting", self.boundary[1] == "reflecting"

    def _ends(self, name: str, domain: Domain | None) -> tuple[float, float]:
        if self.boundary[0] == "periodic":
            raise ValueError(f"{name}: exit problems need a box with ends, got boundary 'periodic'")
        if domain is None:
            return -np.inf, np.inf
        if isinstance(domain, Interval):
            return domain.low, domain.high
        if isinstance(domain, Box):
            return domain.low[0], domain.high[0]
        raise TypeError(f"{name} must be an interval in one dimension, got {domain!r}")

    def _part(self, low: float, high: float, required: bool = True) -> Any:
        """Return the chain killed at the ends, see `fractional_operator.lattice_end`; None when it has no cell.

        An end beyond the box is the end of the box with its own boundary condition.
        """
        grid, n = self.grid, self.size
        x, h = grid.x, grid.dx
        if self.boundary[0] == "periodic":
            return _Part(self.operator, None, None, (0.0, 0.0))
        if low >= grid.high or high <= grid.low:
            raise ValueError(f"domain must overlap the box ({grid.low!r}, {grid.high!r}), got ({low!r}, {high!r})")
        delta, g = lattice.lattice_end(self.alpha)
        ends = [low, high]
        for end, edge in ((0, grid.low), (1, grid.high)):
            if (ends[end] < edge, ends[end] > edge)[end]:
                ends[end] = edge if not self._closed[end] else (-np.inf, np.inf)[end]
        # cells that lie less than 1 - delta beyond an end still belong to the chain
        slack = (1.0 - delta - MARGIN) * h
        inside = (x > ends[0] - slack) & (x < ends[1] + slack)
        cells = np.flatnonzero(inside)
        if cells.size == 0:
            if required:
                raise ValueError(f"domain must contain a cell centre (dx = {h!r}), got ({low!r}, {high!r})")
            return None
        kill, through = np.zeros(n), [0.0, 0.0]
        for end, cell, side in ((0, cells[0], -1.0), (1, cells[-1], 1.0)):
            if math.isinf(ends[end]):
                continue
            theta = side * (ends[end] - x[cell]) / h
            # r = (delta - theta) / (1 - delta + theta) / g
            through[end] = (self.sigma / h) ** self.alpha * max(delta - theta, 0.0) / (1.0 - delta + theta) / g
            if cell in (0, n - 1):
                through[end] += self._drift_out[end]
            kill[cell] += through[end]
        landing = math.isinf(ends[0]), math.isinf(ends[1])
        operator = self.operator.restricted(inside, kill, landing)
        low_end, high_end = (None if math.isinf(end) else end for end in ends)
        return _Part(operator, low_end, high_end, (through[0], through[1]))

    def _within(self, part: _Part, values: Array) -> Array:
        """Return ``values`` at the cells whose centres lie between the ends, 0 elsewhere."""
        x = self.grid.x
        low = -np.inf if part.low is None else part.low
        high = np.inf if part.high is None else part.high
        return np.where((x > low) & (x < high), values, 0.0)

    def _jump_rate(self, distance: Array) -> Array:
        """Return the rate of jumps farther than ``distance`` to one side, ``c sigma^alpha / (alpha distance^alpha)``."""
        return np.asarray(lattice.jump_density(self.alpha) / self.alpha * (self.sigma / distance) ** self.alpha)

    def _slow_rate(self) -> float:
        """Return the rate of jumps as long as the box: a natural small rate."""
        return (self.sigma / (self.grid.high - self.grid.low)) ** self.alpha

    def _modes(self, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return eigenvalues and eigenvectors by inverse iteration (ARPACK), all of them from the matrix when it is small."""
        n = self.size
        if n < 40 or (n <= DENSE and k > min(n // 4, 40)):
            values, vectors = np.linalg.eig(-self.operator.matrix())
        else:
            shift = self._slow_rate()
            resolvent = Resolvent(self.operator, shift=shift)
            inverse = splinalg.LinearOperator((n, n), matvec=resolvent.solve, dtype=np.float64)
            found = splinalg.eigs(inverse, k=min(k + 4, n - 2), v0=np.ones(n), ncv=min(n, max(2 * k + 20, 40)))
            values, vectors = 1.0 / found[0] - shift, found[1]
        order = np.lexsort((values.imag, values.real))[:k]
        values, vectors = values[order], vectors.T[order]
        if self.conserving:
            values[0] = 0.0
        # a real matrix: phases are turned so that real modes are real
        turned = vectors * np.exp(-1j * np.angle(vectors[np.arange(k), np.argmax(np.abs(vectors), axis=1)]))[:, None]
        if np.abs(values.imag).max() <= 1e-9 * np.abs(values).max() and np.abs(turned.imag).max() < 1e-6:
            return values.real, turned.real
        return values, turned
