"""Linear systems and exponentials of the stable generator: dense when small, else Krylov spaces with fast products."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse import linalg as splinalg

from shld_sim.grid.fractional_operator import StableOperator

Array = NDArray[np.float64]

DENSE = 2000  # cells up to which a matrix is stored and factored
BAND = 16  # neighbours on either side that the preconditioner treats exactly
BLOCKS = 800  # size of its coarse problem
TOLERANCE = 1e-11  # relative residual of an iterative solution; worse than 1e-8 is refused


class Resolvent:
    """Solver of ``(shift - L) x = b``, or of its transpose, on the cells inside.

    Up to `DENSE` cells by LU factors. Above, GMRES with products by fast Fourier transform and a preconditioner of two
    levels: the chain of `BLOCKS` blocks of cells for the long jumps, LU factors of the band around the diagonal for the
    short ones and the drift.

    Parameters
    ----------
    operator : StableOperator
        ``L``.
    shift : float
        Not negative (1/time).
    transposed : bool
        Whether to solve ``(shift - L^T) x = b``.
    restart : ndarray, shape (n,), optional
        Probabilities ``v``: solve with ``shift - L + rate v 1^T`` instead, the chain that restarts from ``v``.
    rate : float
        Rate of these restarts.
    """

    def __init__(
        self,
        operator: StableOperator,
        shift: float = 0.0,
        transposed: bool = False,
        restart: Array | None = None,
        rate: float = 0.0,
    ) -> None:
        self.operator, self.shift, self.transposed, self.rate = operator, shift, transposed, rate
        self.restart = None if restart is None else restart[operator.cells]
        m = operator.cells.size
        if m <= DENSE:
            A = -operator.matrix()
            A[np.diag_indices_from(A)] += shift
            if self.restart is not None:
                A += rate * self.restart[:, None]
            self._factors = linalg.lu_factor(A, overwrite_a=True)
        else:
            self._precondition()

    def solve(self, b: Array) -> Array:
        """Return ``x``, shape ``(n,)``, zero outside."""
        cells = self.operator.cells
        x = np.zeros(self.operator.size)
        if cells.size <= DENSE:
            x[cells] = linalg.lu_solve(self._factors, b[cells], trans=int(self.transposed))
            return x
        m = cells.size
        A = splinalg.LinearOperator((m, m), matvec=self._product, dtype=np.float64)
        M = splinalg.LinearOperator((m, m), matvec=self._preconditioned, dtype=np.float64)
        size = float(np.linalg.norm(b[cells]))
        if size == 0.0:
            return x
        found, _ = splinalg.gmres(A, b[cells], rtol=TOLERANCE, atol=0.0, restart=80, maxiter=6, M=M)
        residual = float(np.linalg.norm(b[cells] - self._product(found))) / size
        if not residual <= 1e-8:
            raise RuntimeError(
                f"the linear system of {m} cells was not solved: relative residual {residual:.1e} after 480 iterations; "
                f"use a finer grid, or one of at most {DENSE} cells, which is solved directly"
            )
        x[cells] = found
        return x

    def _product(self, x: Array) -> Array:
        full = np.zeros(self.operator.size)
        full[self.operator.cells] = x
        L = self.operator.backward if self.transposed else self.operator.forward
        y = self.shift * x - L(full)[self.operator.cells]
        if self.restart is not None:
            y += self.rate * (self.restart @ x if self.transposed else self.restart * x.sum())
        return np.asarray(y)

    def _precondition(self) -> None:
        """Factor the band and the chain of blocks."""
        operator, cells = self.operator, self.operator.cells
        m = cells.size
        band = -operator.band(BAND)
        band.setdiag(band.diagonal() + self.shift)
        self._band = splinalg.splu(band, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        # runs of neighbouring cells, each cut into blocks
        breaks = np.flatnonzero(np.diff(cells) > 1) + 1
        width = -(-m // BLOCKS)
        starts, stops = [], []
        for run in np.split(cells, breaks):
            cuts = np.append(np.arange(run[0], run[-1] + 1, width), run[-1] + 1)
            starts.append(cuts[:-1])
            stops.append(cuts[1:])
        first, last = np.concatenate(starts), np.concatenate(stops)
        self._sizes = (last - first).astype(np.float64)
        coarse = -operator.blocks(first, last)
        coarse[np.diag_indices_from(coarse)] += self.shift
        self._offsets = np.concatenate([[0], np.cumsum(self._sizes)[:-1]]).astype(np.intp)
        if self.restart is not None:
            coarse += self.rate * np.add.reduceat(self.restart, self._offsets)[:, None]
        self._coarse = linalg.lu_factor(coarse)

    def _preconditioned(self, r: Array) -> Array:
        repeats = self._sizes.astype(np.intp)
        gathered = np.add.reduceat(r, self._offsets)
        if self.transposed:
            z = np.repeat(linalg.lu_solve(self._coarse, gathered / self._sizes, trans=1), repeats)
        else:
            z = np.repeat(linalg.lu_solve(self._coarse, gathered) / self._sizes, repeats)
        rest = r - self._product(z)
        return np.asarray(z + self._band.solve(rest, trans="T" if self.transposed else "N"))


def exponential(operator: StableOperator, m0: Array, times: Array, tolerance: float = 1e-12) -> Array:
    r"""Return ``exp(L t) m0`` at every time, shape ``(len(times), n)``.

    From the Krylov space of ``(1 - gamma L)^-1`` (shift-and-invert Arnoldi): ``gamma = t/10`` serves all times of one
    octave, and some 30 solutions give all digits however stiff the chain is. A time that does not converge is reached in
    two halves.

    Raises
    ------
    RuntimeError
        If the result is not a probability to ``1e-9``.

    References
    ----------
    van den Eshof & Hochbruck, SIAM J. Sci. Comput. 27 (2006) 1438; Moret & Novati, BIT 44 (2004) 595.
    """
    out = np.empty((len(times), operator.size))
    start = np.where(operator.inside, m0, 0.0)
    octaves: dict[int, list[int]] = {}
    for row, t in enumerate(times):
        if t > 0.0:
            octaves.setdefault(int(np.floor(np.log2(t))), []).append(row)
        else:
            out[row] = start
    for octave, rows in octaves.items():
        out[rows] = _octave(operator, start, times[rows], 2.0**octave, tolerance, 6)
    worst = float(np.maximum(-out, 0.0).sum(axis=1).max(initial=0.0))
    if worst > 1e-9 * max(float(start.sum()), 1e-300):
        raise RuntimeError(f"internal error in grid.fractional_solvers: negative probability {worst:.1e}")
    return np.maximum(out, 0.0)


def _octave(operator: StableOperator, m0: Array, times: Array, scale: float, tolerance: float, halvings: int) -> Array:
    """Return ``exp(L t) m0`` for times between ``scale`` and twice that."""
    gamma = 0.1 * scale
    resolvent = Resolvent(operator, shift=1.0 / gamma)
    found = _arnoldi(lambda x: resolvent.solve(x) / gamma, m0, times, gamma, tolerance)
    if found is not None:
        return found
    if halvings == 0:
        raise RuntimeError(f"exp(L t) did not converge for t = {times!r}: use a finer grid")
    half = _octave(operator, m0, np.array([0.5 * scale]), 0.5 * scale, tolerance, halvings - 1)[0]
    out = np.empty((times.size, m0.size))
    for row, t in enumerate(times):
        rest = t - 0.5 * scale
        octave = 2.0 ** np.floor(np.log2(rest))
        out[row] = _octave(operator, half, np.array([rest]), octave, tolerance, halvings - 1)[0]
    return out


def _arnoldi(
    solve: Callable[[Array], Array], m0: Array, times: Array, gamma: float, tolerance: float, most: int = 60
) -> Array | None:
    """Return ``exp(L t) m0`` from the Krylov space of ``solve = (1 - gamma L)^-1``, or None when 60 vectors do not do."""
    size = float(np.linalg.norm(m0))
    if size == 0.0:
        return np.zeros((times.size, m0.size))
    V = np.zeros((most + 1, m0.size))
    H = np.zeros((most + 1, most))
    V[0] = m0 / size
    before: Array | None = None
    for j in range(most):
        w = solve(V[j])
        for _ in range(2):  # Gram-Schmidt, twice
            overlap = V[: j + 1] @ w
            w -= overlap @ V[: j + 1]
            H[: j + 1, j] += overlap
        H[j + 1, j] = np.linalg.norm(w)
        closed = H[j + 1, j] < 1e-14 * np.abs(H[: j + 1, j]).max()
        if closed or j % 4 == 3:
            inner = (np.eye(j + 1) - np.linalg.inv(H[: j + 1, : j + 1])) / gamma
            weights = np.array([size * linalg.expm(t * inner)[:, 0] for t in times])
            now = weights @ V[: j + 1]
            if closed or (before is not None and np.abs(now - before).sum(axis=1).max() < tolerance * np.abs(m0).sum()):
                return np.asarray(now)
            before = now
        V[j + 1] = w / H[j + 1, j]
    return None
