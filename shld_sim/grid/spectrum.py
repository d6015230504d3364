"""Spectrum of the generator: relaxation rates and modes, small ones to high relative accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from shld_sim.grid.generator import Rates

Array = NDArray[np.float64]

LAPACK = (
    0.1  # measured: eigenvectors of eigh_tridiagonal are exact for a perturbation of this share of eps |L|, or less
)
SLOW = 48  # modes that are made with relative accuracy


def golub_kahan(rates: Rates) -> Array:
    r"""Return the off-diagonal of the tridiagonal matrix, of diagonal 0, whose eigenvalues are ``+-sqrt(eig(-L))``.

    ``-L`` is similar to ``C^T C``, where row ``e`` of ``C`` belongs to the edge between two cells ``i, i + 1`` and
    holds ``sqrt(right_i), -sqrt(left_{i+1})``; an absorbing end adds a row with the single element
    ``sqrt(exit rate)``. Interleaving edges and cells makes ``[[0, C^T], [C, 0]]`` tridiagonal. Every element fixes
    the singular values of ``C`` to relative rounding, so an eigenvalue of 1e-9 beside one of 1e6 keeps its digits.

    Returns
    -------
    ndarray
        ``2 n - 2`` elements, plus one per absorbing end. Reversible chains that are not rings.

    References
    ----------
    Demmel & Kahan, SIAM J. Sci. Stat. Comput. 11 (1990) 873; Heida, Kantner & Stephan, ESAIM: M2AN 55 (2021) 3017
    (square-root and Scharfetter-Gummel schemes).
    """
    inner = np.sqrt(np.column_stack([rates.right[:-1], rates.left[1:]])).ravel()
    before = [np.sqrt(rates.exit_left)] if rates.exit_left else []
    after = [np.sqrt(rates.exit_right)] if rates.exit_right else []
    return np.concatenate([before, inner, after])


def eigenvalues(rates: Rates, L: sparse.csc_array, k: int) -> NDArray[Any]:
    """Return the ``k`` smallest eigenvalues of ``-L``, ascending (in the real part on a tilted ring)."""
    return _ring_eigenvalues(rates, L)[:k] if rates.periodic else _bisected(rates, k)


def _bisected(rates: Rates, k: int) -> Array:
    """Return the ``k`` smallest eigenvalues of ``-L`` on a row, from the singular values of its factor."""
    n = rates.energy.size
    off = golub_kahan(rates)
    positive = (off.size + 1) // 2  # of the off.size + 1 eigenvalues, this many are positive: the rest mirror them
    zero = n - positive
    wanted = k - zero
    if wanted <= 0:
        return np.zeros(k)
    top = off.size + 1 - positive
    sigma = linalg.eigh_tridiagonal(
        np.zeros(off.size + 1),
        off,
        eigvals_only=True,
        select="i",
        select_range=(top, top + wanted - 1),
        lapack_driver="stebz",
        tol=1e-300,  # bisect down to relative, not absolute, rounding
    )
    return np.concatenate([np.zeros(zero), sigma**2])


def eigenfunctions(rates: Rates, k: int) -> Array:
    """Return the first ``k`` unit eigenvectors of the symmetrised ``-L``, shape ``(k, n)``."""
    main = rates.outflow
    off = -np.sqrt(rates.right[:-1] * rates.left[1:])
    if rates.periodic:
        S = np.diag(main) + np.diag(off, 1) + np.diag(off, -1)
        S[0, -1] -= np.sqrt(rates.right[-1] * rates.left[0])
        S[-1, 0] = S[0, -1]
        return np.asarray(linalg.eigh(S, subset_by_index=(0, k - 1))[1].T)
    return np.asarray(linalg.eigh_tridiagonal(main, off, select="i", select_range=(0, k - 1))[1].T)


@dataclass(frozen=True, eq=False)
class Modes:
    """All modes of a reversible row of cells: ``exp(L t) m = r Q exp(-lambda t) Q^T (m / r)``.

    Attributes
    ----------
    root : ndarray, shape (n,)
        ``r``, square roots of the stationary probabilities (of the closed box).
    values : ndarray, shape (n,)
        ``lambda``, ascending, of small relative error; 0 exactly when the ends conserve probability.
    vectors : ndarray, shape (n, n)
        ``Q^T``, orthogonal, modes in rows; the first is ``r`` when the ends conserve probability.
    slow : int
        How many of the first were made with relative accuracy.
    """

    root: Array
    values: Array
    vectors: Array
    slow: int

    def evolve(self, m0: Array, times: Array) -> tuple[Array, Array]:
        """Return ``exp(L t) m0``, shape ``(len(times), n)``, and the relative error of ``exp(L t) m0 / r`` as a vector.

        Rounding makes ``Q`` that of a matrix perturbed by ``E``, which mixes modes ``i, j`` by ``E_ij
        (exp(-lambda_i t) - exp(-lambda_j t)) / (lambda_j - lambda_i)``, most where they are neighbours. Among the slow modes
        ``E_ij`` is about ``eps sqrt(lambda_j lambda_max)``, elsewhere a measured share of ``eps lambda_max``. The stationary mode
        is exact.
        """
        y = np.divide(m0, self.root, out=np.zeros_like(m0), where=m0 > 0.0)
        shares = self.vectors @ y
        decay = np.exp(-np.multiply.outer(times, self.values))
        later = (decay * shares) @ self.vectors
        eps, top = float(np.finfo(float).eps), float(self.values[-1])
        first = 1 if self.values[0] == 0.0 else 0
        values, decay, shares = self.values[first:], decay[:, first:], np.abs(shares[first:])
        gaps, apart = np.diff(values), -np.diff(decay, axis=1)
        mixed = np.divide(apart, gaps, out=times[:, None] * decay[:, :-1], where=gaps > 1e-12 * top)
        size = eps * np.where(np.arange(gaps.size) < self.slow - 1 - first, np.sqrt(values[1:] * top), LAPACK * top)
        error = ((size * np.maximum(shares[1:], shares[:-1]) * mixed) ** 2).sum(axis=1) ** 0.5
        fast = max(float(self.values[self.slow]), 1e-200) if self.slow < self.values.size else np.inf
        error += eps * (4.0 + LAPACK * top / fast * decay[:, 0]) * float(np.sqrt(y @ y))
        return self.root * later, error / np.maximum(np.sqrt((later**2).sum(axis=1)), 1e-300)


def amplification(root: Array, m0: Array) -> float:
    """Return by how much rounding grows in `Modes.evolve` at most: ``max r |m0 / r|``, infinite for an impossible start."""
    started = m0 > 0.0
    if not (root[started] > 1e-140).all():
        return float("inf")
    return float(root.max() * np.linalg.norm(m0[started] / root[started]))


def modes(rates: Rates) -> Modes:
    """Return all modes of a reversible row of cells that is not a ring."""
    n = rates.energy.size
    off = -np.sqrt(rates.right[:-1] * rates.left[1:])
    values, columns = linalg.eigh_tridiagonal(rates.outflow, off, lapack_driver="stevd")
    Q = columns.T
    weights = rates.weights
    root = np.sqrt(weights / weights.sum())
    first = 0
    if rates.conserving:
        # (1 - 2 w w^T) Q^T has r as its first row up to a sign, and is orthogonal however close the next eigenvalue is
        w = Q @ root
        w[0] += np.copysign(1.0, w[0])
        w /= np.linalg.norm(w)
        Q -= np.multiply.outer(w, 2.0 * w @ Q)
        Q[0], values[0], first = root, 0.0, 1
    # -L ~ C^T C with C as in `golub_kahan`: among the slow modes lambda = |C q|^2 and the mixing are taken from the singular
    # values of C Q, sums of differences, where q^T L q would cancel
    slow = min(n, SLOW)
    q = Q[first:slow]
    ends = np.sqrt(rates.exit_left) * q[:, :1], np.sqrt(rates.exit_right) * q[:, -1:]
    flow = np.sqrt(rates.right[:-1]) * q[:, :-1] - np.sqrt(rates.left[1:]) * q[:, 1:]
    _, sigma, turn = linalg.svd(np.hstack([ends[0], flow, ends[1]]).T, full_matrices=False)
    Q[first:slow], values[first:slow] = turn[::-1] @ q, sigma[::-1] ** 2
    tiny = int(np.searchsorted(values[:slow], 1e-6 * values[-1]))
    if tiny > first:
        values[:tiny] = _bisected(rates, tiny)
    return Modes(root, np.maximum.accumulate(values), Q, slow)


def _ring_eigenvalues(rates: Rates, L: sparse.csc_array) -> NDArray[Any]:
    """Return all eigenvalues of ``-L`` on a ring: singular values of the dense factor, or complex when tilted."""
    if not rates.reversible:
        values = -linalg.eigvals(L.toarray())
        values = values[np.lexsort((values.imag, values.real))]
        values[0] = 0.0  # the stationary law, exactly
        return np.asarray(values)
    C = np.diag(np.sqrt(rates.right))  # row e: the edge from cell e to e + 1
    C -= np.roll(np.diag(np.sqrt(rates.left)), -1, axis=0)
    sigma = np.sort(linalg.svd(C, compute_uv=False))
    sigma[0] = 0.0  # the Gibbs weights, exactly
    return np.asarray(sigma**2)
