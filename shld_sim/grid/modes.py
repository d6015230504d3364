"""Slowest modes of a sparse chain: Lanczos on the inverse of the generator, rates from sums without a subtraction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse.linalg import LinearOperator, eigs, eigsh

from shld_sim.grid.elimination import Elimination
from shld_sim.grid.links import Links

Array = NDArray[np.float64]
Pinned = Callable[[int | None], Elimination]

DENSE = 300  # cells up to which, and the share of all modes from which, dense matrices are taken
SHARE = 0.1
FAST = 1e-2  # share of the largest rate from which the eigenvalues of the dense matrix are good as they are
TINY = 1e-10  # where sqrt(pi) is smaller, relative to its maximum, a mode is not looked at but continued


def reversible_modes(links: Links, pi: Array, pinned: Pinned, k: int) -> tuple[Array, Array]:
    r"""Return the ``k`` smallest eigenvalues of ``-L`` and eigenvectors with ``sum_i psi_i^2 / pi_i = 1``, shape ``(k, N)``.

    With ``psi = pi f`` the eigenvalue is the quotient of Rayleigh as a sum over links,

    ``lambda = [sum_links pi_i r_ij (f_i - f_j)^2 + sum_exits pi_i k_i f_i^2] / sum_i pi_i f_i^2``,

    all of whose terms are non-negative: a rate of 1e-9 beside others of 1e6 keeps its digits. The vectors come from
    Lanczos' method for the inverse of ``-L`` on the functions of mean zero, made by stopping the paths at the most
    probable cell.

    Parameters
    ----------
    links : Links
        The chain.
    pi : ndarray, shape (N,)
        Stationary probabilities of the closed box.
    pinned : callable
        ``pinned(cell)`` returns the factors of ``-L`` where paths stop at a cell, ``pinned(None)`` without.
    k : int
        How many.
    """
    closed = not links.exit_rate.any()
    root = np.sqrt(pi)
    visible = root > TINY * root.max()
    root_inverse = np.where(visible, 1.0 / np.where(visible, root, 1.0), 0.0)
    factor = pinned(int(np.argmax(pi)) if closed else None)

    def inverse(g: Array) -> Array:
        if closed:
            g = g - pi @ g
        f = factor.backward(g)
        return np.asarray(f - pi @ f if closed else f)

    def apply(y: Array) -> Array:
        return np.asarray(root * inverse(root_inverse * y))

    wanted, n, fastest = k - closed, int(visible.sum()), 2.0 * float(links.outflow.max())
    if wanted <= 0:
        slow, rows = np.empty(0), np.empty((0, pi.size))
    elif n <= DENSE or wanted > SHARE * n:
        slow, rows = _dense(links, closed, wanted)
    else:
        operator = LinearOperator((pi.size, pi.size), matvec=apply, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(pi.size) * root
        inverses, vectors = eigsh(operator, k=wanted, which="LM", v0=start, tol=1e-12, ncv=max(2 * wanted + 1, 24))
        slow, rows = 1.0 / np.sort(inverses)[::-1], vectors.T[np.argsort(-inverses)]
    rates: list[float] = []
    modes: list[Array] = []
    functions: list[Array] = []
    for rate, y in zip(slow, rows, strict=True):
        if rate > FAST * fastest:  # the matrix tells it well enough, also where the stationary law vanishes
            rates.append(float(rate))
            modes.append(root * y)
            continue
        f = inverse(root_inverse * y)  # once more: what is not of the mode shrinks
        for other in functions:
            f = f - (pi @ (other * f)) * other
        f = f / np.sqrt(pi @ (f * f))
        functions.append(f)
        rates.append(_rate(links, pi, f))
        modes.append(pi * f)
    if closed:
        rates.insert(0, 0.0)
        modes.insert(0, pi)
    order = np.argsort(rates, kind="stable")
    return np.array(rates)[order], np.array(modes)[order]


def _rate(links: Links, pi: Array, f: Array) -> float:
    """Return the quotient of Rayleigh of a function with ``sum_i pi_i f_i^2 = 1``."""
    difference = f[links.tail] - f[links.head]
    flow = 0.5 * (pi[links.tail] * links.forward + pi[links.head] * links.backward)
    lost = pi[links.exit_cell] * links.exit_rate
    return float(flow @ (difference * difference) + lost @ (f[links.exit_cell] ** 2))


def _dense(links: Links, closed: bool, wanted: int) -> tuple[Array, Array]:
    """Return the smallest eigenvalues of the symmetric matrix and rows ``sqrt(pi) f``, the constant left out."""
    S = np.diag(links.outflow)
    symmetric = np.sqrt(links.forward * links.backward)
    np.add.at(S, (links.tail, links.head), -symmetric)
    np.add.at(S, (links.head, links.tail), -symmetric)
    values, vectors = linalg.eigh(S, subset_by_index=(int(closed), wanted + closed - 1))
    return values, vectors.T


def general_modes(links: Links, pi: Array, pinned: Pinned, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return ``k`` eigenvalues of ``-L``, ascending in the real part, and right eigenvectors, shape ``(k, N)``.

    Of a chain without detailed balance. Those nearest to 0 are found by Arnoldi's method for the inverse, a few more than
    asked for, and sorted: modes of small real and large imaginary part may be missed.
    """
    closed = not links.exit_rate.any()
    n = pi.size
    more = k + 6
    if n <= DENSE or more > SHARE * n:
        values, vectors = linalg.eig(-links.matrix().toarray())
        rows = vectors.T
        order = np.lexsort((values.imag, values.real))[:k]
        values, rows = values[order], rows[order]
        if closed:
            values[0], rows[0] = 0.0, pi
    else:
        factor = pinned(int(np.argmax(pi)) if closed else None)

        def apply(m: Array) -> Array:
            if closed:
                m = m - pi * m.sum()
            m = factor.forward(m)
            return np.asarray(m - pi * m.sum() if closed else m)

        operator = LinearOperator((n, n), matvec=apply, dtype=np.float64)
        start = np.random.default_rng(0).standard_normal(n) * pi
        found, vectors = eigs(operator, k=more - closed, which="LM", v0=start, tol=1e-12, ncv=max(2 * more + 1, 30))
        values, rows = 1.0 / found, vectors.T
        if closed:
            values, rows = np.r_[0.0, values], np.concatenate([pi[None], rows])
        order = np.lexsort((values.imag, values.real))[:k]
        values, rows = values[order], rows[order]
    size = np.sqrt((np.abs(rows) ** 2 / np.maximum(pi, 1e-300)).sum(axis=1, keepdims=True))
    return values, rows / size
