"""Spectrum of the generator: relaxation rates and modes, small ones to high relative accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from shld_sim.grid.generator import Rates

Array = NDArray[np.float64]


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
    n = rates.energy.size
    if rates.periodic:
        return _ring_eigenvalues(rates, L)[:k]
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
