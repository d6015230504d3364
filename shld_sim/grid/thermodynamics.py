"""Thermodynamics of densities on the grid: stationary law, currents, free energy and entropy production."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from shld_sim.grid.generator import Rates
from shld_sim.grid.mesh import Grid

Array = NDArray[np.float64]


def stationary(rates: Rates) -> Array:
    """Return the probabilities with ``L m = 0`` and unit sum: Gibbs when reversible, else a ring with a current."""
    w = rates.weights if rates.reversible else ring_weights(rates)
    return np.asarray(w / w.sum())


def ring_weights(rates: Rates) -> Array:
    """Return the null vector of a ring of cells, up to a factor, by elimination without subtraction.

    Cells are removed one by one, from the last; each leaves its flux to its left neighbour and to cell 0, whose
    direct links are the only fill-in. The numbering starts at the bottom of the potential relieved of its tilt.

    References
    ----------
    Grassmann, Taksar & Heyman, Oper. Res. 33 (1985) 1107.
    """
    n = rates.energy.size
    relieved = rates.energy - rates.work * np.arange(n) / n
    start = int(np.argmin(relieved))
    right, left = np.roll(rates.right, -start).tolist(), np.roll(rates.left, -start).tolist()
    to_zero, from_zero = right[-1], left[0]  # links between cell 0 and the last cell not yet removed
    share = [0.0] * n
    source = [0.0] * n
    for i in range(n - 1, 1, -1):
        lost = left[i] + to_zero
        source[i] = from_zero / lost  # per unit weight of cell 0
        share[i] = right[i - 1] / lost  # per unit weight of cell i - 1
        to_zero, from_zero = right[i - 1] * (to_zero / lost), from_zero * (left[i] / lost)
    w = [1.0] * n
    w[1] = (right[0] + from_zero) / (left[1] + to_zero)
    for i in range(2, n):
        w[i] = source[i] + share[i] * w[i - 1]
    return np.roll(np.array(w), start)


def current(rates: Rates, m: Array) -> Array:
    r"""Return the flux ``J = -V' p - D dp/dx`` through the edges: ``right_i m_i - left_{i+1} m_{i+1}``."""
    flux = np.zeros(m.size + 1)
    flux[1:] = rates.right * m - np.roll(rates.left * m, -1)
    flux[0] = flux[-1]  # the closing edge of a ring; zero in a box
    flux[0] -= rates.exit_left * m[0]
    flux[-1] += rates.exit_right * m[-1]
    return flux


def free_energy(energy: Array, D: float, p: Array, volumes: Array) -> float:
    """Return ``F = sum_i (V_i p_i + D p_i ln p_i) vol_i``."""
    filled = np.maximum(p, 0.0)  # with inertia, errors of the solution may be negative: they have no entropy
    return float(np.dot(volumes, energy * p + D * xlogy(filled, filled)))


def entropy_production(forward: Array, backward: Array) -> float:
    r"""Return ``sum over edges (f - b) ln(f / b)`` for the probability flows ``f`` and ``b`` to and fro over every edge.

    This is ``(1/D) int J^2 / p dx`` with the logarithmic mean of ``p`` (Schnakenberg's form), every term of
    which is non-negative, and for which ``dF/dt = -D sigma`` holds exactly on the grid.
    """
    both = (forward > 0.0) & (backward > 0.0)
    f, b = forward[both], backward[both]
    one_way = np.maximum(forward, backward)[~both]
    if (one_way > 1e-18 * (forward.sum() + backward.sum())).any():
        return float("inf")
    return float(np.sum((f - b) * (np.log(f) - np.log(b))))


def imbalance(forward: Array, backward: Array) -> float:
    """Return the largest ``|f - b| / max(f, b)`` over the edges with a flow above 1e-200."""
    larger = np.maximum(forward, backward)
    seen = larger > 1e-200
    return float((np.abs(forward - backward)[seen] / larger[seen]).max(initial=0.0))


def total_variance(grid: Grid, p: Array, values: Array) -> float:
    """Return ``sum_i Var(v_i)`` of values on the cells, shape ``shape`` or ``(*shape, k)``, under the density ``p``."""
    weight = (p * grid.volumes / grid.integrate(p)).ravel()
    columns = values.reshape(weight.size, -1)
    return float(weight @ ((columns - weight @ columns) ** 2).sum(axis=1))


def score_information(grid: Grid, p: Array) -> float:
    r"""Return ``int |grad p|^2 / p``, of unit mass: the sum over edges of ``area (p_j - p_i)(ln p_j - ln p_i) / h``.

    With the logarithmic mean of ``p``, which is not larger than the arithmetic one: therefore Cramer and Rao's inequality holds
    on equal cells as it does on the line. Infinite next to an empty cell.
    """
    p = p / grid.integrate(p)
    total = 0.0
    for axis, x in enumerate(grid.axes):
        q = np.moveaxis(p, axis, 0)
        area = np.moveaxis(grid.volumes, axis, 0)[0] / grid.widths[axis][0]
        step = np.diff(x).reshape(-1, *(1,) * (q.ndim - 1))
        a, b = q[:-1], q[1:]
        both = (a > 0.0) & (b > 0.0)
        edge = np.broadcast_to(area / step, a.shape)
        if (np.maximum(a, b)[~both] * (edge * step**2)[~both] > 1e-18).any():
            return float("inf")
        total += float(np.sum((b - a)[both] * np.log(b[both] / a[both]) * edge[both]))
    return total
