"""Assembly of the generator: jump rates between neighbouring cells, exponentially fitted to the Gibbs weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shld_sim.grid.mesh import Grid

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rates:
    """Jump rates of a row of cells: ``dm_i/dt = right_{i-1} m_{i-1} + left_{i+1} m_{i+1} - (all rates out of i) m_i``.

    Attributes
    ----------
    right, left : ndarray, shape (n,)
        Rates from a cell to its right and left neighbour (1/time). Cyclic: ``right[-1]`` and ``left[0]`` close the
        ring, and are zero unless the box is periodic.
    exit_left, exit_right : float
        Rates out of the box from the first and the last cell; zero unless that end is absorbing.
    energy : ndarray, shape (n,)
        The potential of the stationary density ``exp(-energy/D)`` at the cell centres.
    D : float
        The noise strength (units of the energy).
    width : ndarray, shape (n,)
        Widths of the cells.
    work : float
        ``V(x + length) - V(x)`` of a periodic box, zero when the chain is reversible.
    periodic : bool
        Whether the last cell is the left neighbour of the first.
    """

    right: Array
    left: Array
    exit_left: float
    exit_right: float
    energy: Array
    D: float
    width: Array
    work: float
    periodic: bool

    @property
    def outflow(self) -> Array:
        """Total rate out of every cell, shape ``(n,)``."""
        total: Array = self.right + self.left
        total[0] += self.exit_left
        total[-1] += self.exit_right
        return total

    @property
    def conserving(self) -> bool:
        """Whether no probability can leave the box."""
        return self.exit_left == 0.0 == self.exit_right

    @property
    def reversible(self) -> bool:
        """Whether the chain is in detailed balance with its `weights`."""
        return self.work == 0.0

    @property
    def weights(self) -> Array:
        """Gibbs weights of the cells, ``width exp(-(V - min V) / D)``."""
        return np.asarray(self.width * np.exp(-(self.energy - self.energy.min()) / self.D))


def bernoulli(u: Array) -> tuple[Array, Array]:
    r"""Return ``B(u)`` and ``B(-u)`` of the Bernoulli function ``B(u) = u / (exp(u) - 1)``.

    Evaluated as ``|u| / (1 - exp(-|u|))``, times ``exp(-|u|)`` on the positive side, so that it neither cancels at
    small nor overflows at large ``|u|`` and ``B(u) = exp(-u) B(-u)`` holds to rounding.

    References
    ----------
    Scharfetter & Gummel, IEEE Trans. Electron Devices 16 (1969) 64; Chang & Cooper, J. Comput. Phys. 6 (1970) 1.
    """
    a = np.abs(u)
    downhill = np.divide(a, -np.expm1(-a), out=np.ones_like(a), where=a > 0.0)
    uphill = downhill * np.exp(-a)
    return np.where(u > 0.0, uphill, downhill), np.where(u > 0.0, downhill, uphill)


@dataclass(frozen=True, eq=False)
class Landscape:
    """What fixes a reversible diffusion on the line: ``J = -a exp(-V/D) d/dx (p exp(V/D))``.

    Attributes
    ----------
    potential : callable
        ``V`` on an array of points.
    D : float
        Noise strength (units of ``V``).
    mobility : callable, optional
        ``a / D`` on an array of points; None for 1.
    unreachable : callable, optional
        ``unreachable(x, end)``: whether no path from ``x`` ever arrives at ``end``; None if all can.
    """

    potential: Callable[[Array], Any]
    D: float
    mobility: Callable[[Array], Any] | None = None
    unreachable: Callable[[float, float], bool] | None = None

    def energy(self, x: Array) -> Array:
        """Return the potential at ``x`` as floats, or raise when it is not finite there."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = np.asarray(self.potential(x), dtype=np.float64)
        bad = ~np.isfinite(values)
        if bad.any():
            at = x[np.argmax(bad)].tolist()
            raise ValueError(f"model.potential must be finite in the box, got {values[bad][0]!r} at x = {at!r}")
        return values

    def diffusivity(self, x: Array) -> Array:
        """Return ``a`` at ``x``."""
        factor = np.ones_like(x) if self.mobility is None else np.asarray(self.mobility(x), dtype=np.float64)
        return self.D * factor

    def crossing(self, x: float, end: float) -> float:
        """Return ``a / h B((V(end) - V(x)) / D)``, ``h = |end - x|``: the rate across an end, times a width."""
        if self.unreachable is not None and self.unreachable(x, end):
            return 0.0
        V, a = self.energy(np.array([x, end])), self.diffusivity(np.array([0.5 * (x + end)]))
        return float(a[0] / abs(end - x) * bernoulli(np.diff(V) / self.D)[0][0])


def assemble(landscape: Landscape, grid: Grid, boundary: tuple[str, str]) -> Rates:
    r"""Return the Scharfetter-Gummel rates ``i -> i+1``: ``a/(h w_i) B(u)``, ``i+1 -> i``: ``a/(h w_{i+1}) B(-u)``.

    Here ``u = (V(x_{i+1}) - V(x_i)) / D``, ``a`` is the diffusivity on the edge between the cells, ``h`` the distance of
    their centres and ``w`` their width, so that ``w_i exp(-V(x_i)/D)`` is in detailed balance edge by edge. An absorbing end
    is a Dirichlet point on the box edge: ``a/(h w_i) B((V(edge) - V(x_i)) / D)`` with its distance ``h`` from the last
    centre. A periodic box may carry a tilt: the last potential difference is taken over the period.

    Raises
    ------
    ValueError
        If the potential is not finite in the box, or not periodic (up to a tilt) in a periodic box.
    """
    x, width, n = grid.x, grid.widths[0], grid.size
    V, D = landscape.energy(x), landscape.D
    a = landscape.diffusivity(grid.edges)
    right, left = np.zeros(n), np.zeros(n)
    across = a[1:-1] / np.diff(x)
    uphill, downhill = bernoulli(np.diff(V) / D)
    right[:-1], left[1:] = across * uphill / width[:-1], across * downhill / width[1:]
    work = exit_left = exit_right = 0.0
    periodic = boundary[0] == "periodic"
    if periodic:
        work = work_per_turn(landscape, x, grid.high - grid.low, V)
        if abs(a[-1] - a[0]) > 1e-8 * a[0]:
            raise ValueError(f"boundary 'periodic' needs the same noise at both ends, got a = {a[[0, -1]].tolist()}")
        across_end = float(a[0]) / (x[0] - grid.low + grid.high - x[-1])
        uphill, downhill = bernoulli(np.array([(V[0] + work - V[-1]) / D]))
        right[-1], left[0] = across_end * float(uphill[0]) / width[-1], across_end * float(downhill[0]) / width[0]
    else:
        if boundary[0] == "absorbing":
            exit_left = landscape.crossing(x[0], grid.low) / float(width[0])
        if boundary[1] == "absorbing":
            exit_right = landscape.crossing(x[-1], grid.high) / float(width[-1])
    return Rates(right, left, exit_left, exit_right, V, D, width, work, periodic)


def matrix(rates: Rates) -> sparse.csc_array:
    """Return the generator ``L`` of ``dp/dt = L p``, ``(n, n)`` with non-negative off-diagonals.

    Column sums are zero, or minus the exit rate next to an absorbing end. Both, and the stationarity of the Gibbs
    weights, are verified here.
    """
    n = rates.energy.size
    cell = np.arange(n)
    rows = np.concatenate([(cell + 1) % n, (cell - 1) % n, cell])
    values = np.concatenate([rates.right, rates.left, -rates.outflow])
    L = sparse.csc_array(sparse.coo_array((values, (rows, np.tile(cell, 3))), shape=(n, n)))
    L.eliminate_zeros()
    _verify(L, rates)
    return L


def work_per_turn(landscape: Landscape, x: Array, period: float | Array, V: Array) -> float:
    """Return ``V(x + period) - V(x)``, zero when below rounding; raise unless it is the same for all points ``x``."""
    turn = landscape.energy(x + period) - V
    scale = float(np.ptp(V) + np.abs(turn).max())
    if np.ptp(turn) > 1e-8 * scale:
        raise ValueError(
            f"boundary 'periodic' needs a potential of period {float(np.max(period))!r} (up to a tilt), "
            f"got V(x + period) - V(x) between {turn.min()!r} and {turn.max()!r}"
        )
    work = float(np.median(turn))
    return work if abs(work) > 1e-11 * scale + 1e-14 * float(np.abs(V).max()) else 0.0


def _verify(L: sparse.csc_array, rates: Rates) -> None:
    """Raise when the generator is not one: a guard against changes of the assembly, never expected to fire."""
    coo = L.tocoo()
    if not np.isfinite(coo.data).all():
        raise RuntimeError("internal error in grid.generator: a jump rate is not finite")
    if (coo.data[coo.coords[0] != coo.coords[1]] < 0.0).any():
        raise RuntimeError("internal error in grid.generator: an off-diagonal element is negative")
    outflow = rates.outflow
    sums = np.asarray(L.sum(axis=0)).ravel()
    sums[0] += rates.exit_left
    sums[-1] += rates.exit_right
    if (np.abs(sums) > 1e-14 * outflow).any():
        raise RuntimeError("internal error in grid.generator: a column does not sum to minus its exit rate")
    if rates.reversible:
        w = rates.weights
        flow, back = rates.right * w, np.roll(rates.left * w, -1)
        deep = (w > 1e-200) & (np.roll(w, -1) > 1e-200)
        rounding = 1e-11 + 1e-15 * float(np.abs(rates.energy[w > 1e-200]).max()) / rates.D
        if (np.abs(flow - back) > rounding * np.maximum(flow, back))[deep].any():
            raise RuntimeError("internal error in grid.generator: the Gibbs weights are not in detailed balance")
