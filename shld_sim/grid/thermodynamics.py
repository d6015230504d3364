"""Thermodynamics of densities on the grid: stationary law, currents, free energy and entropy production."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from shld_sim.grid.generator import Rates, gibbs_weights

Array = NDArray[np.float64]


def stationary(rates: Rates, dx: float) -> Array:
    """Return the density with ``L p = 0`` and unit integral: Gibbs when reversible, else a ring with a current."""
    w = gibbs_weights(rates.energy, rates.D) if rates.reversible else ring_weights(rates)
    return np.asarray(w / (w.sum() * dx))


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


def current(rates: Rates, p: Array, dx: float) -> Array:
    r"""Return the flux ``J = -V' p - D dp/dx`` through the edges: ``dx (right_i p_i - left_{i+1} p_{i+1})``."""
    flux = np.zeros(p.size + 1)
    flux[1:] = rates.right * p - np.roll(rates.left * p, -1)
    flux[0] = flux[-1]  # the closing edge of a ring; zero in a box
    flux[0] -= rates.exit_left * p[0]
    flux[-1] += rates.exit_right * p[-1]
    return flux * dx


def free_energy(rates: Rates, p: Array, dx: float) -> float:
    """Return ``F = sum_i (V_i p_i + D p_i ln p_i) dx``."""
    return float(dx * (np.dot(rates.energy, p) + rates.D * xlogy(p, p).sum()))


def entropy_production(rates: Rates, p: Array, dx: float) -> float:
    r"""Return ``sum over edges (f - b) ln(f / b)``, ``f = right_i p_i dx``, ``b = left_{i+1} p_{i+1} dx``.

    This is ``(1/D) int J^2 / p dx`` with the logarithmic mean of ``p`` (Schnakenberg's form), every term of
    which is non-negative, and for which ``dF/dt = -D sigma`` holds exactly on the grid.
    """
    forward = rates.right * p * dx
    backward = np.roll(rates.left * p, -1) * dx
    both = (forward > 0.0) & (backward > 0.0)
    f, b = forward[both], backward[both]
    one_way = np.maximum(forward, backward)[~both]
    if (one_way > 1e-18 * (forward.sum() + backward.sum())).any():
        return float("inf")
    return float(np.sum((f - b) * (np.log(f) - np.log(b))))
