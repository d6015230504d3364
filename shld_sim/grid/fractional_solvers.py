"""Linear systems and exponentials of the stable generator: dense when small, else Krylov spaces with fast products."""

from __future__ import annotations

import math
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
RARE = 0.1  # rate of jumps out of the band, beside the shift, up to which the preconditioner is the band alone
SQUARED = 1000  # cells up to which exponentials are squared as matrices
VECTORS = 40  # size of the Krylov space of a step in time
STEP_ERROR = 1e-7  # of a step in time, in probability
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
        # rows of functions, not of probabilities, are divided by the rate out of their cell: all are then of one size
        scale = 1.0 / self._outflow if self.transposed else np.ones(cells.size)
        found, residual, floor = _gmres(
            lambda y: scale * self._product(y),
            lambda r: self._preconditioned(r / scale),
            scale * b[cells],
            self._outflow * scale,
        )
        if not residual <= max(1e-8, 10.0 * floor):
            raise RuntimeError(
                f"the linear system of {cells.size} cells was not solved: relative residual {residual:.1e}; use a finer grid, "
                f"or one of at most {DENSE} cells, which is solved directly"
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
        self._outflow = self.shift + operator.total + operator.kill[cells] - operator.local.diagonal()[cells]
        width = -(-m // BLOCKS)
        reach = min(max(BAND, operator.reach, width // 3), operator.size - 1)
        band = -operator.band(reach)
        band.setdiag(band.diagonal() + self.shift)
        self._band = splinalg.splu(band, permc_spec="NATURAL", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        # jumps out of the band that are rare beside the shift, as in short steps in time, need no second level
        far = operator.total - 2.0 * float(operator.rates[:reach].sum())
        self._two_levels = self.restart is not None or far > RARE * self.shift
        if not self._two_levels:
            return
        # runs of neighbouring cells, each cut into blocks
        breaks = np.flatnonzero(np.diff(cells) > 1) + 1
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
        trans = "T" if self.transposed else "N"
        if not self._two_levels:
            return np.asarray(self._band.solve(r, trans=trans))
        repeats = self._sizes.astype(np.intp)
        gathered = np.add.reduceat(r, self._offsets)
        if self.transposed:
            z = np.repeat(linalg.lu_solve(self._coarse, gathered / self._sizes, trans=1), repeats)
        else:
            z = np.repeat(linalg.lu_solve(self._coarse, gathered) / self._sizes, repeats)
        rest = r - self._product(z)
        return np.asarray(z + self._band.solve(rest, trans=trans))


def _gmres(
    product: Callable[[Array], Array], precondition: Callable[[Array], Array], b: Array, size: Array, most: int = 200
) -> tuple[Array, float, float]:
    """Solve ``product(x) = b`` by GMRES, preconditioned from the right so that the residual is the true one.

    ``size`` is that of the diagonal: rounding alone leaves a residual of about ``1e-16 |size x|``, below which it makes no
    sense to go.

    Returns
    -------
    x : ndarray
    residual, floor : float
        The residual reached and the one due to rounding, relative to ``b``.

    References
    ----------
    Saad & Schultz, SIAM J. Sci. Stat. Comput. 7 (1986) 856.
    """
    whole = float(np.linalg.norm(b))
    x: Array = np.zeros_like(b)
    floor = 0.0
    if whole == 0.0:
        return x, 0.0, 0.0
    r: Array = b
    residual = 1.0
    for _ in range(3):  # a fresh start from the true residual, where rounding has spoilt the recursion
        V: list[Array] = [np.asarray(r / np.linalg.norm(r))]
        H = np.zeros((most + 1, most))
        target = max(TOLERANCE, floor) / residual
        y: Array = np.zeros(0)
        for j in range(most):
            w = product(precondition(V[j]))
            for _ in range(2):  # Gram-Schmidt, twice
                for i, v in enumerate(V):
                    overlap = float(v @ w)
                    w -= overlap * v
                    H[i, j] += overlap
            H[j + 1, j] = np.linalg.norm(w)
            right = np.zeros(j + 2)
            right[0] = 1.0
            y = np.asarray(np.linalg.lstsq(H[: j + 2, : j + 1], right, rcond=None)[0])
            left = float(np.linalg.norm(right - H[: j + 2, : j + 1] @ y))
            if left <= target or H[j + 1, j] == 0.0:
                break
            V.append(np.asarray(w / H[j + 1, j]))
        combined = np.zeros_like(b)
        for c, v in zip(y, V):
            combined += c * v
        x += float(np.linalg.norm(r)) * precondition(combined)
        r = b - product(x)
        residual = float(np.linalg.norm(r)) / whole
        floor = 1e-15 * float(np.linalg.norm(size * x)) / whole
        if residual <= 2.0 * max(TOLERANCE, floor):
            break
    return x, residual, floor


def exponential(operator: StableOperator, m0: Array, times: Array) -> Array:
    """Return ``exp(L t) m0`` at every time, shape ``(len(times), n)``, never negative.

    Up to `SQUARED` cells from non-negative matrices alone, exact to rounding; above in steps, to `STEP_ERROR`.
    """
    start = np.where(operator.inside, m0, 0.0)
    if operator.cells.size <= SQUARED:
        out = np.zeros((len(times), operator.size))
        out[:, operator.cells] = _by_squaring(operator.matrix(), start[operator.cells], times)
        return out
    return _by_steps(operator, start, times)


def _by_squaring(L: Array, m0: Array, times: Array) -> Array:
    """Return ``exp(L t) m0`` without a subtraction: ``exp(L h)`` from its Poisson series, squared again and again.

    ``L = Lambda (P - 1)`` with a non-negative ``P``. What leaves the chain is collected in one more state, so that the
    columns of every power sum to one and can be scaled to.

    References
    ----------
    Jensen, Skand. Aktuarietidskr. 36 (1953) 87; Xue & Ye, Math. Comp. 82 (2013) 1577.
    """
    n = m0.size
    jumps = float(-L.diagonal().min())
    P = np.zeros((n + 1, n + 1))
    P[:n, :n] = L / jumps
    P[np.arange(n), np.arange(n)] += 1.0
    P[n, n] = 1.0
    np.maximum(P, 0.0, out=P)  # the largest outflow leaves a 0 with a rounding error
    P[n, :n] = np.maximum(1.0 - P[:n, :n].sum(axis=0), 0.0)
    state, step = np.append(m0, 0.0), 0.5 / jumps
    whole = [int(t // step) for t in times]
    out = np.empty((n + 1, len(times)))
    for column, (t, count) in enumerate(zip(times, whole, strict=True)):
        out[:, column] = _poisson(P, state, max(jumps * (float(t) - count * step), 0.0))
    if any(whole):
        P2 = P @ P
        P3, P4 = P2 @ P, P2 @ P2
        # exp(1/2 (P - 1)) to the power 15 of P, in four groups of four
        c = [0.5**k / math.factorial(k) for k in range(16)]
        Q = np.zeros_like(P)
        for group in (12, 8, 4, 0):
            Q = P4 @ Q if group < 12 else Q
            Q += c[group + 1] * P + c[group + 2] * P2 + c[group + 3] * P3
            Q[np.diag_indices_from(Q)] += c[group]
        while True:
            Q /= Q.sum(axis=0)
            chosen = [column for column, count in enumerate(whole) if count & 1]
            if chosen:
                out[:, chosen] = Q @ out[:, chosen]
            whole = [count >> 1 for count in whole]
            if not any(whole):
                break
            Q = Q @ Q
    out *= state.sum() / out.sum(axis=0)
    return np.ascontiguousarray(out[:n].T)


def _poisson(P: Array, state: Array, mean: float) -> Array:
    """Return ``sum_k exp(-mean) mean^k / k! P^k state`` for a mean of at most about 1."""
    term, total = state, state.copy()
    for k in range(1, 18):
        term = P @ term * (mean / k)
        total += term
    return np.asarray(total * math.exp(-mean))


def _by_steps(operator: StableOperator, m0: Array, times: Array) -> Array:
    r"""Return ``exp(L t) m0`` in steps that grow as the solution gets smoother.

    Within a step ``tau``, the Krylov space of ``(1 - gamma L)^-1``, ``gamma = tau/10``, holds the solution at all times
    (shift-and-invert Arnoldi): convergence does not depend on how stiff the chain is. A step that needs more than
    `VECTORS` vectors is cut to a quarter.

    References
    ----------
    van den Eshof & Hochbruck, SIAM J. Sci. Comput. 27 (2006) 1438; Moret & Novati, BIT 44 (2004) 595.
    """
    out = np.empty((len(times), operator.size))
    order = np.argsort(times, kind="stable")
    state, now, resolvents = m0, 0.0, dict[float, Resolvent]()
    end = float(times.max(initial=0.0))
    tau = 4.0 ** math.floor(math.log(end / 100.0, 4.0)) if end > 0.0 else 1.0
    done, growth = 0, 4.0
    while done < order.size:
        due = [int(row) for row in order[done:] if times[row] - now <= tau]
        if due and times[due[-1]] == now:
            out[due] = state
            done += len(due)
            continue
        targets = np.array([times[row] - now for row in due] + [tau])
        gamma = 0.1 * tau
        if gamma not in resolvents:
            resolvents = {gamma: Resolvent(operator, shift=1.0 / gamma)}
        solve = resolvents[gamma].solve
        found = _arnoldi(lambda x, solve=solve, gamma=gamma: solve(x) / gamma, state, targets, gamma)  # type: ignore[misc]
        if found is None:
            tau, growth = 0.25 * tau, 2.0
            if tau < 1e-15 * end:
                raise RuntimeError(f"exp(L t) did not converge at t = {now!r}: use a finer grid")
            continue
        worst = float(np.maximum(-found, 0.0).sum(axis=1).max())
        if worst > 100.0 * STEP_ERROR * float(m0.sum()):
            raise RuntimeError(f"exp(L t) became negative at t = {now!r} by {worst:.1e}: use a finer grid")
        found = np.maximum(found, 0.0)
        out[due] = found[:-1]
        done += len(due)
        state, now, tau = found[-1], now + tau, growth * tau
        growth = 4.0
    return out


def _arnoldi(solve: Callable[[Array], Array], m0: Array, times: Array, gamma: float) -> Array | None:
    """Return ``exp(L t) m0`` from the Krylov space of ``solve = (1 - gamma L)^-1``, or None when it converges too slowly."""
    size = float(np.linalg.norm(m0))
    if size == 0.0:
        return np.zeros((times.size, m0.size))
    V = np.zeros((VECTORS + 1, m0.size))
    H = np.zeros((VECTORS + 1, VECTORS))
    V[0] = m0 / size
    before: Array | None = None
    last = math.inf
    for j in range(VECTORS):
        w = solve(V[j])
        for _ in range(2):  # Gram-Schmidt, twice
            overlap = V[: j + 1] @ w
            w -= overlap @ V[: j + 1]
            H[: j + 1, j] += overlap
        H[j + 1, j] = np.linalg.norm(w)
        closed = H[j + 1, j] < 1e-14 * np.abs(H[: j + 1, j]).max()
        if closed or j % 3 == 2:
            inner = (np.eye(j + 1) - np.linalg.inv(H[: j + 1, : j + 1])) / gamma
            weights = np.array([size * linalg.expm(t * inner)[:, 0] for t in times])
            now = weights @ V[: j + 1]
            if before is not None:
                change = float(np.abs(now - before).sum(axis=1).max()) / float(m0.sum())
                if change < STEP_ERROR:
                    return np.asarray(now)
                # at this pace the error cannot come down in time
                if j > 10 and change * (change / last) ** ((VECTORS - 1 - j) / 3) > 10.0 * STEP_ERROR:
                    return None
                last = change
            if closed:
                return np.asarray(now)
            before = now
        V[j + 1] = w / H[j + 1, j]
    return None
