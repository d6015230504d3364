"""Noise that changes in time: an implicit stepper with error control for the row of cells of a schedule D(t)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shld_sim.domains import Domain
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.generator import Landscape, bernoulli
from shld_sim.grid.mesh import Edges, Grid
from shld_sim.grid.refinement import EVEN
from shld_sim.schedules import Cosine, Exponential, Schedule, Table

# SDIRK of order 4 with 5 stages, gamma = 1/4, L-stable, the last stage being the step; the comparison is of order 3.
GAMMA = 0.25
NODES = np.array([1 / 4, 3 / 4, 11 / 20, 1 / 2, 1.0])
STAGES = np.array(
    [
        [1 / 4, 0.0, 0.0, 0.0, 0.0],
        [1 / 2, 1 / 4, 0.0, 0.0, 0.0],
        [17 / 50, -1 / 25, 1 / 4, 0.0, 0.0],
        [371 / 1360, -137 / 2720, 15 / 544, 1 / 4, 0.0],
        [25 / 24, -49 / 48, 125 / 16, -85 / 12, 1 / 4],
    ]
)
COMPARISON = np.array([59 / 48, -17 / 96, 225 / 32, -85 / 12, 0.0])
ORDER = 4
RTOL = 1e-8


@dataclass(frozen=True, eq=False)
class Driven(Chain):
    r"""Row of cells whose jump rates change with ``D(t)``: Scharfetter-Gummel rates, stepped implicitly.

    ``dm/dt = L(D(t)) m`` with the rates of `generator.assemble` at every instant, by the L-stable, diagonally implicit
    Runge-Kutta method of order 4 of Hairer and Wanner with its comparison of order 3. A step is taken when the total
    variation of the difference of the two, and the probability below zero, are at most ``rtol``; then what is below zero is
    set to zero and the mass that the step must have is restored. Steps end where the schedule has a kink.

    Parameters
    ----------
    landscape : Landscape
        The equation; its ``D`` is that of time 0.
    schedule : Schedule
        ``D(t)``.
    grid : Grid
        One axis.
    boundary : (str, str)
        Kinds of the left and the right end; not periodic.
    rtol : float
        Bound of the error of one step, in total variation, per unit of probability.

    References
    ----------
    Hairer & Wanner, Solving Ordinary Differential Equations II, 2nd ed., Springer 1996, table 6.5.
    """

    landscape: Landscape
    schedule: Schedule
    grid: Grid
    boundary: tuple[str, str]
    rtol: float = RTOL

    reversible = False

    def __post_init__(self) -> None:
        if self.boundary[0] == "periodic":
            raise ValueError("boundary must be 'reflecting' or 'absorbing' when D changes in time, got 'periodic'")
        self.landscape.energy(self.grid.x)

    @property
    def conserving(self) -> bool:  # type: ignore[override]
        """Whether no probability can leave the box."""
        return "absorbing" not in self.boundary

    @property
    def orders(self) -> tuple[float, ...]:  # type: ignore[override]
        """As those of `Line`."""
        return tuple(float(k) for k in range(2, 10)) if isinstance(self.grid.sides[0], Edges) else EVEN

    @property
    def generator(self) -> Any:  # type: ignore[override]
        """Refused: it is another one at every instant."""
        self._refuse()

    def evolve(self, m0: Array, times: Array) -> Array:
        """Step from time 0 through all ``times``."""
        across, drops = self._mesh()
        width = self.grid.widths[0]
        kinks = _kinks(self.schedule)
        ends = np.union1d(times, kinks[(kinks > 0.0) & (kinks < times.max(initial=0.0))])
        out = np.empty((times.size, m0.size))
        out[times == 0.0] = m0
        m, now, step = m0, 0.0, np.inf
        for end in ends[ends > 0.0]:
            m, step = self._advance(m, now, float(end), step, across, drops, width)
            now = float(end)
            out[times == end] = m
        return out

    def _advance(
        self, m: Array, now: float, end: float, step: float, across: Array, drops: Array, width: Array
    ) -> tuple[Array, float]:
        """Return the state at ``end`` and the length of the step to try next."""
        if not np.isfinite(step):  # a step in which the fastest cell is left about once
            right, left = _rates(float(self.schedule(now)), across, drops, width)
            step = 1.0 / float((right[1:] + left[:-1]).max())
        while now < end:
            h = min(step, end - now)
            if end - now - h < 1e-3 * h:
                h = end - now
            D = np.asarray(self.schedule(now + NODES * h), dtype=np.float64)
            rates = [_rates(float(d), across, drops, width) for d in D]
            right, left = np.stack([r for r, _ in rates]), np.stack([l for _, l in rates])
            new, difference = _step(m, h, right, left, STAGES, COMPARISON)
            before = float(m.sum())
            error = max(difference, float(-new[new < 0.0].sum())) / (self.rtol * before) if before > 0.0 else 0.0
            if error <= 1.0:
                total = float(new.sum())
                new = np.maximum(new, 0.0)
                new *= (before if self.conserving else total) / new.sum() if total > 0.0 else 0.0
                m, now = new, end if h == end - now else now + h
            # the difference is of order h^4; 0.2 .. 5 keep the steps from jumping about
            step = h * min(5.0, max(0.2, 0.9 * max(error, 1e-10) ** (-1.0 / ORDER)))
        return m, step

    def _mesh(self) -> tuple[Array, Array]:
        """Return what the rates across the ``n + 1`` edges are made of: ``1/h`` (0 at a closed end), and drops of V."""
        grid, landscape = self.grid, self.landscape
        points = np.r_[grid.low, grid.x, grid.high]
        V = np.r_[0.0, landscape.energy(grid.x), 0.0]
        open_ends = tuple(kind == "absorbing" for kind in self.boundary)
        if open_ends[0]:
            V[0] = landscape.energy(points[:1])[0]
        if open_ends[1]:
            V[-1] = landscape.energy(points[-1:])[0]
        across = landscape.diffusivity(grid.edges) / landscape.D / np.diff(points)
        across[0] *= open_ends[0]
        across[-1] *= open_ends[1]
        return across, np.diff(V)

    def _refuse(self) -> NoReturn:
        raise ValueError(
            f"this needs a constant D, got {self.schedule!r}: with a schedule there are propagate, relaxation and mean; "
            "freeze the noise by Langevin(V, D=number) for the rest"
        )

    def stationary(self) -> Array:
        self._refuse()

    def eigenvalues(self, k: int) -> NDArray[Any]:
        self._refuse()

    def eigenfunctions(self, k: int) -> NDArray[Any]:
        self._refuse()

    def exit_time(self, domain: Domain | None) -> Array:
        self._refuse()

    def committor(self, a: Domain, b: Domain) -> Array:
        self._refuse()

    def survival(self, domain: Domain | None, m0: Array, times: Array) -> Array:
        self._refuse()

    def exit_shares(self, domain: Domain | None, x0: Array | None) -> Array:
        self._refuse()

    def exit_density(self, domain: Domain | None, x0: Array | None, m0: Array, times: Array) -> Array:
        self._refuse()

    def current(self, m: Array) -> Array:
        self._refuse()

    def flows(self, m: Array) -> tuple[Array, Array]:
        self._refuse()

    def energy(self) -> tuple[Array, float]:
        self._refuse()


def _kinks(schedule: Schedule) -> Array:
    """Return the times at which a known schedule is not smooth."""
    if isinstance(schedule, Table):
        return np.array(schedule.times)
    return np.array([schedule.duration] if isinstance(schedule, Cosine | Exponential) else [])


def _rates(D: float, across: Array, drops: Array, width: Array) -> tuple[Array, Array]:
    """Return the rates over the ``n + 1`` edges to the right, out of the cell on the left of it, and to the left."""
    uphill, downhill = bernoulli(drops / D)
    padded = np.r_[1.0, width, 1.0]
    return D * across * uphill / padded[:-1], D * across * downhill / padded[1:]


@njit(cache=True, error_model="numpy")
def _step(m, h, right, left, stages, comparison):  # type: ignore[no-untyped-def]
    """Return one step of ``dm/dt = L m`` and the total variation between it and the comparison.

    ``right[s, e]`` and ``left[s, e]`` are the rates over edge ``e`` (left of cell ``e``) at stage ``s``.
    """
    n, count = m.size, comparison.size
    gains = np.empty((count, n))  # h L Y of every stage
    base, state, upper = np.empty(n), np.empty(n), np.empty(n)
    gamma = stages[0, 0]
    g = gamma * h
    for s in range(count):
        for i in range(n):
            base[i] = m[i]
            for j in range(s):
                base[i] += stages[s, j] * gains[j, i]
        # (1 - gamma h L) Y = base: an M-matrix whose columns sum to 1 or more, so that no pivots are exchanged
        lower, before = 0.0, 0.0
        for i in range(n):
            arrived = lower * state[i - 1] if i > 0 else 0.0
            pivot = 1.0 + g * (right[s, i + 1] + left[s, i]) - lower * before
            state[i] = (base[i] + arrived) / pivot
            before = g * left[s, i + 1] / pivot
            upper[i] = before
            lower = g * right[s, i + 1]
        for i in range(n - 2, -1, -1):
            state[i] += upper[i] * state[i + 1]
        for i in range(n):
            gains[s, i] = (state[i] - base[i]) / gamma
    difference = 0.0
    for i in range(n):
        d = 0.0
        for j in range(count):
            d += (stages[count - 1, j] - comparison[j]) * gains[j, i]
        difference += abs(d)
    return state, difference
