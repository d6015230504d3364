"""Exit problems on a row of cells: mean exit times and committors, from the backward equation without a subtraction."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shld_sim.grid.generator import Landscape, Rates, bernoulli
from shld_sim.grid.mesh import Grid

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Segment:
    """The cells whose centres lie in an interval, as a chain killed at the interval's ends.

    Attributes
    ----------
    cells : slice
        The cells of the grid that belong to it.
    x, right, left, width : ndarray, shape (m,)
        Cell centres, jump rates inside the segment (1/time; zero across its ends) and widths.
    out_left, out_right : float
        Rates at which the first and the last cell leave the segment (0 at a reflecting end).
    low, high : float
        The ends, clipped to the box.
    """

    cells: slice
    x: Array
    right: Array
    left: Array
    width: Array
    out_left: float
    out_right: float
    low: float
    high: float


def segment(rates: Rates, grid: Grid, landscape: Landscape, low: float, high: float) -> Segment | None:
    r"""Return the chain on ``(low, high)``, or None when no cell centre lies inside.

    An end beyond the box (``low < grid.low``) is the end of the box with its own boundary condition. An end in the
    box is a Dirichlet point at its true place, a distance ``theta`` from the nearest cell centre inside: the rate
    across it is ``a / (theta w) B((V(end) - V(x_i)) / D)``, and in the width ``w`` of the last cell ``theta / 2`` takes the
    place of the half beyond the centre (Shortley & Weller), so that second order does not depend on where the end falls
    within a cell.
    """
    x, edges, n = grid.x, grid.edges, grid.size
    first = int(np.searchsorted(x - 1e-9 * rates.width, low, side="right"))  # a centre closer than this is on the end
    last = int(np.searchsorted(x + 1e-9 * rates.width, high, side="left"))
    if first >= last:
        return None
    cells = slice(first, last)
    right, left = rates.right[cells].copy(), rates.left[cells].copy()
    left[0] = right[-1] = 0.0
    width = rates.width[cells].copy()
    out_left, out_right = (rates.exit_left if first == 0 else 0.0), (rates.exit_right if last == n else 0.0)
    if low >= grid.low:
        out_left = landscape.crossing(x[first], low)
        width[0] += 0.5 * (x[first] - low) - (x[first] - edges[first])
    if high <= grid.high:
        out_right = landscape.crossing(x[last - 1], high)
        width[-1] += 0.5 * (high - x[last - 1]) - (edges[last] - x[last - 1])
    if low >= grid.low:
        out_left /= width[0]
    if high <= grid.high:
        out_right /= width[-1]
    right *= rates.width[cells] / width
    left *= rates.width[cells] / width
    return Segment(cells, x[cells], right, left, width, out_left, out_right, max(low, grid.low), min(high, grid.high))


def aligned(
    grid: Grid, landscape: Landscape, boundary: tuple[str, str], low: float, high: float, x0: float
) -> tuple[Segment, int]:
    r"""Return a chain on ``(low, high)`` with nodes on its ends and on ``x0``, and the number of the node ``x0``.

    The other nodes are the edges that the grid had before `Grid.refined`, but for those next to an end or to ``x0``; the
    intervals between them are cut into ``grid.multiple`` equal parts. A node stands for half an interval to either side.
    Under refinement the mesh keeps its shape, so that the error of what is found at ``x0`` has an expansion in even powers
    of the width wherever the ends and ``x0`` lie. Nodes at absorbing ends are left out: a path there has left. So are those
    at ends where the noise vanishes, which nothing crosses.
    """
    ends = max(low, grid.low), min(high, grid.high)
    x = _nodes(grid, np.unique([ends[0], x0, ends[1]]))
    h, n = np.diff(x), x.size
    width = 0.5 * (np.r_[0.0, h] + np.r_[h, 0.0])
    still = landscape.diffusivity(x[[0, -1]]) <= 0.0
    V = np.pad(landscape.energy(x[int(still[0]) : n - int(still[1])]), still.astype(int).tolist(), mode="edge")
    # J = -a exp(-V/D) d/dx (p exp(V/D)) between two nodes, as in `assemble`
    across = landscape.diffusivity(0.5 * (x[1:] + x[:-1])) / h
    uphill, downhill = bernoulli(np.diff(V) / landscape.D)
    right, left = np.r_[across * uphill, 0.0] / width, np.r_[0.0, across * downhill] / width
    first = 1 if low >= grid.low or boundary[0] == "absorbing" else 0
    last = n - 1 if high <= grid.high or boundary[1] == "absorbing" else n
    out_left, out_right = (left[1] if first else 0.0), (right[n - 2] if last < n else 0.0)
    if still[0]:
        out_left = landscape.crossing(x[1], x[0]) if first else 0.0  # 0, or raises
        left[1], right[1] = 0.0, right[1] * width[1] / (width[1] + width[0])
        width[1] += width[0]
        first = 1
    if still[1]:
        out_right = landscape.crossing(x[-2], x[-1]) if last < n else 0.0
        right[-2], left[-2] = 0.0, left[-2] * width[-2] / (width[-2] + width[-1])
        width[-2] += width[-1]
        last = n - 1
    kept = slice(first, last)
    right, left = right[kept].copy(), left[kept].copy()
    left[0] = right[-1] = 0.0
    part = Segment(kept, x[kept], right, left, width[kept], float(out_left), float(out_right), *ends)
    return part, int(np.searchsorted(part.x, x0))


def _nodes(grid: Grid, fixed: Array) -> Array:
    """Return the nodes of `aligned`: the fixed ones and the old edges between them, each interval cut into as many parts."""
    edges = grid.edges[:: grid.multiple]
    parts = []
    for a, b in itertools.pairwise(fixed):
        inside = edges[(edges > a) & (edges < b)]
        if inside.size:
            near = 0.25 * np.diff(edges).min()
            inside = inside[(inside - a > near) & (b - inside > near)]
        base = np.r_[a, inside, b] if inside.size > 2 else np.linspace(a, b, 5)
        steps = np.arange(grid.multiple) / grid.multiple
        parts.append((base[:-1, None] + np.diff(base)[:, None] * steps).ravel())
    return np.append(np.concatenate(parts), fixed[-1])


def mean_exit_time(rates: Rates, grid: Grid, landscape: Landscape, low: float, high: float) -> tuple[Segment, Array]:
    """Solve ``right_i (T_{i+1} - T_i) + left_i (T_{i-1} - T_i) - (rate out) T_i = -1`` in the domain ``(low, high)``.

    Returns
    -------
    Segment, ndarray of shape (m,)
        The cells of the domain and the times from their centres.
    """
    part = _whole_segment(rates, grid, landscape, low, high)
    _leaves(part, low, high)
    return part, solve_killed(part, np.ones(part.x.size), "domain")


def mean_exit_time_from(
    grid: Grid, landscape: Landscape, boundary: tuple[str, str], low: float, high: float, x0: float
) -> float:
    """Solve the equation of `mean_exit_time` on the mesh `aligned` with ``x0``."""
    part, node = aligned_start(grid, landscape, boundary, low, high, x0)
    _leaves(part, low, high)
    return 0.0 if node < 0 else float(solve_killed(part, np.ones(part.x.size), "domain")[node])


def exit_shares(part: Segment) -> Array:
    """Return the probabilities to leave through the low and through the high end from every cell, shape ``(2, m)``."""
    both = []
    for at, out in ((0, part.out_left), (-1, part.out_right)):
        source = np.zeros(part.x.size)
        source[at] = out
        both.append(np.minimum(solve_killed(part, source, "domain"), 1.0))
    return np.stack(both)


def exit_shares_from(
    grid: Grid, landscape: Landscape, boundary: tuple[str, str], low: float, high: float, x0: float
) -> Array:
    """Return `exit_shares` from ``x0``, on the mesh `aligned` with it."""
    part, node = aligned_start(grid, landscape, boundary, low, high, x0)
    _leaves(part, low, high)
    if node < 0:
        return np.array([1.0, 0.0]) if x0 == part.low else np.array([0.0, 1.0])
    return np.asarray(exit_shares(part)[:, node])


def exit_shares_profile(rates: Rates, grid: Grid, landscape: Landscape, low: float, high: float) -> Array:
    """Return `exit_shares` from every cell of the grid, 0 outside the domain, shape ``(2, n)``."""
    part = _whole_segment(rates, grid, landscape, low, high)
    _leaves(part, low, high)
    both = np.zeros((2, grid.size))
    both[:, part.cells] = exit_shares(part)
    return both


def killed(part: Segment, D: float, energy: Array) -> Rates:
    """Return the chain of a segment, with the potential at its points."""
    return Rates(part.right, part.left, part.out_left, part.out_right, energy, D, part.width, work=0.0, periodic=False)


def _whole_segment(rates: Rates, grid: Grid, landscape: Landscape, low: float, high: float) -> Segment:
    """Return `segment`, or raise when there is none."""
    _overlaps(grid, low, high)
    part = segment(rates, grid, landscape, low, high)
    if part is None:
        width = float(rates.width[int(np.clip(np.searchsorted(grid.x, low), 0, grid.size - 1))])
        raise ValueError(f"domain must contain a cell centre (dx = {width!r}), got ({low!r}, {high!r})")
    return part


def aligned_start(
    grid: Grid, landscape: Landscape, boundary: tuple[str, str], low: float, high: float, x0: float
) -> tuple[Segment, int]:
    """Return `aligned`, with -1 for the node of a start on an absorbing end."""
    _overlaps(grid, low, high)
    part, node = aligned(grid, landscape, boundary, low, high, x0)
    return part, node if node < part.x.size and part.x[node] == x0 else -1


def _overlaps(grid: Grid, low: float, high: float) -> None:
    if low >= grid.high or high <= grid.low:
        raise ValueError(f"domain must overlap the box ({grid.low!r}, {grid.high!r}), got ({low!r}, {high!r})")


def _leaves(part: Segment, low: float, high: float) -> None:
    if part.out_left == 0.0 == part.out_right:
        raise ValueError(f"domain must have an end in the box or at an absorbing end of it, got ({low!r}, {high!r})")


def committor(rates: Rates, grid: Grid, landscape: Landscape, a: tuple[float, float], b: tuple[float, float]) -> Array:
    """Solve ``right_i (q_{i+1} - q_i) + left_i (q_{i-1} - q_i) = 0`` with ``q = 0`` on ``a`` and ``q = 1`` on ``b``."""
    for name, (low, high) in (("a", a), ("b", b)):
        if low >= grid.high or high <= grid.low:
            raise ValueError(f"{name} must overlap the box ({grid.low!r}, {grid.high!r}), got ({low!r}, {high!r})")
    if max(a[0], b[0]) < min(a[1], b[1]):
        raise ValueError(f"a and b must not overlap, got a={a!r}, b={b!r}")
    lower, upper = sorted([(*a, 0.0), (*b, 1.0)])
    x = grid.x
    q = np.where((x >= b[0]) & (x <= b[1]), 1.0, 0.0)
    gaps = (
        (-np.inf, lower[0], 0.0, lower[2]),
        (lower[1], upper[0], lower[2], upper[2]),
        (upper[1], np.inf, upper[2], 0.0),
    )
    for low, high, at_low, at_high in gaps:
        part = segment(rates, grid, landscape, low, high) if low < high else None
        if part is None:
            continue
        source = np.zeros(part.x.size)
        source[0] += part.out_left * at_low
        source[-1] += part.out_right * at_high
        q[part.cells] = np.minimum(solve_killed(part, source, "a, b"), 1.0)
    return q


def reactive(
    rates: Rates, grid: Grid, landscape: Landscape, a: tuple[float, float], b: tuple[float, float]
) -> tuple[Array, float]:
    """Return the flux of the stationary paths from ``a`` to ``b`` through the edges, shape ``(n + 1,)``, and their rate.

    Between the sets the flux is one number, ``a pi dq/dx``, taken where ``q`` rises from 0; elsewhere there is none.
    """
    q = committor(rates, grid, landscape, a, b)
    low, high = min(a[1], b[1]), max(a[0], b[0])
    part = segment(rates, grid, landscape, low, high) if low < high else None
    if part is None:
        raise ValueError(f"a and b must have a cell centre between them, got a={a!r}, b={b!r}")
    cell, end = (part.cells.start, low) if a[0] < b[0] else (part.cells.stop - 1, high)
    weights = rates.weights
    density = weights[cell] / weights.sum() / rates.width[cell]
    rate = float(density * landscape.crossing(grid.x[cell], end) * q[cell])
    between = (grid.edges >= low) & (grid.edges <= high)
    return np.where(between, rate if a[0] < b[0] else -rate, 0.0), rate


def solve_killed(part: Segment, source: Array, name: str) -> Array:
    """Solve ``(right_i + left_i + out_i) T_i = source_i + right_i T_{i+1} + left_i T_{i-1}`` without subtraction.

    Elimination in the manner of Grassmann, Taksar & Heyman: instead of the diagonal, the rate ``k`` at which the cell
    is lost through eliminated neighbours is carried, so a mean time of 1e20 keeps all its digits.

    References
    ----------
    Grassmann, Taksar & Heyman, Oper. Res. 33 (1985) 1107; Alfa, Xue & Ye, Math. Comp. 71 (2002) 217.
    """
    m = source.size
    right, left = part.right.tolist(), part.left.tolist()
    k, g = [0.0] * m, source.tolist()
    k[0] += part.out_left
    k[-1] += part.out_right
    for i in range(m - 1):
        lost = right[i] + k[i]
        if lost == 0.0:
            raise ValueError(f"{name}: the mean time to leave exceeds the floating-point range near x = {part.x[i]!r}")
        k[i + 1] += left[i + 1] * (k[i] / lost)
        g[i + 1] += left[i + 1] * (g[i] / lost)
    if k[-1] == 0.0:
        raise ValueError(f"{name}: the mean time to leave exceeds the floating-point range")
    T = [0.0] * m
    T[-1] = g[-1] / k[-1]
    for i in range(m - 2, -1, -1):
        T[i] = (g[i] + right[i] * T[i + 1]) / (right[i] + k[i])
    return np.array(T)
