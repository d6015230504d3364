"""Linear systems of a sparse chain: what leaves, arrives or is waited for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from shld_sim.grid.links import Links

Array = NDArray[np.float64]


class Elimination:
    """Factors of ``A = -L + diag(extra)`` on the active cells of a chain.

    Parameters
    ----------
    links : Links
        The chain; links of cells that are not active must have rate 0.
    extra : ndarray, shape (N,), or float
        Rates of leaving for good besides the exits, not negative.
    active : ndarray of bool, shape (N,), optional
        The cells that take part; the solutions are 0 elsewhere.
    """

    def __init__(
        self, links: Links, shape: tuple[int, ...], wrap: tuple[bool, ...], extra: Any = 0.0, active: Any = None
    ) -> None:
        self.cells = np.arange(links.size) if active is None else np.flatnonzero(active)
        A = -links.matrix() + sparse.diags_array(np.broadcast_to(np.asarray(extra, dtype=float), (links.size,)))
        A = sparse.csc_array(A)[self.cells][:, self.cells]
        self.lu = splu(A, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        self.size = links.size

    def backward(self, g: Array) -> Array:
        """Return ``T`` of ``(rates out of i) T_i = g_i + sum_j rate(i -> j) T_j``, shape ``(N,)``."""
        out = np.zeros(self.size)
        out[self.cells] = self.lu.solve(g[self.cells], trans="T")
        return out

    def forward(self, g: Array) -> Array:
        """Return ``m`` of ``(rates out of i) m_i = g_i + sum_j rate(j -> i) m_j``, shape ``(N,)``."""
        out = np.zeros(self.size)
        out[self.cells] = self.lu.solve(g[self.cells])
        return out
