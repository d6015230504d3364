"""Linear systems of a sparse chain, by nested dissection and without a subtraction."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shld_sim.grid.links import Links

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

LEAF = 48  # boxes of so few cells are eliminated at once
PANEL = 24  # pivots eliminated one by one before the rest of a front is updated by a matrix product


@dataclass(frozen=True, eq=False)
class Plan:
    """Order of elimination: fronts from the leaves to the root, each with the cells it eliminates and those it touches.

    Attributes
    ----------
    cells : ndarray of int
        For every front its pivots, then its border: the cells next to it that are eliminated later.
    start, pivots, border : ndarray of int, shape (F,)
        Where a front begins in ``cells``, and how many of either kind it has.
    children : ndarray of int, shape (F,)
        How many of the fronts just finished are its children.
    front : ndarray of int, shape (N,)
        The front in which a cell is eliminated; -1 if it takes no part.
    """

    cells: Whole
    start: Whole
    pivots: Whole
    border: Whole
    children: Whole
    front: Whole


class Elimination:
    r"""Factors of ``A = -L + diag(extra)`` on the active cells of a chain.

    Cells are eliminated from the chain one by one; the jumps through a cell that is gone become jumps between those
    that are left, ``r_ij += r_in r_nj / s_n``, where the rate of leaving ``s_n`` is summed from the rates that are left,
    never subtracted. All numbers are non-negative and carry relative accuracy, so mean times of ``1e20`` beside rates of
    ``1e8`` keep their digits. Nested dissection (separators a cell or two thick, dense fronts) does this with ``O(n^3)``
    operations and ``O(n^2 log n)`` numbers on an ``n x n`` grid.

    Parameters
    ----------
    links : Links
        The chain. Cells that are not active end a path.
    shape : tuple of int
        Cells along every axis.
    wrap : tuple of bool
        Which axes close to a ring.
    extra : float or ndarray, shape (N,)
        Rates of leaving for good besides the exits, not negative.
    active : ndarray of bool, shape (N,), optional
        The cells that take part; the solutions are 0 elsewhere.
    singular : bool
        Nothing ever leaves: for `null` alone.

    Raises
    ------
    ValueError
        If a cell cannot be left: the mean time to do so exceeds the floating-point range.

    References
    ----------
    Grassmann, Taksar & Heyman, Oper. Res. 33 (1985) 1107; Alfa, Xue & Ye, Math. Comp. 71 (2002) 217; George, SIAM J.
    Numer. Anal. 10 (1973) 345 (nested dissection); Duff & Reid, ACM TOMS 9 (1983) 302 (fronts).
    """

    def __init__(
        self,
        links: Links,
        shape: tuple[int, ...],
        wrap: tuple[bool, ...],
        *,
        extra: float | Array = 0.0,
        active: NDArray[np.bool_] | None = None,
        singular: bool = False,
    ) -> None:
        reach = tuple(int(np.abs(links.step[:, axis]).max(initial=1)) for axis in range(len(shape)))
        straight = bool(((links.step != 0).sum(axis=1) <= 1).all())
        here = np.ones(links.size, dtype=np.bool_) if active is None else active
        self.plan = (
            _whole_plan(shape, wrap, reach, straight) if active is None else dissect(shape, wrap, reach, straight, here)
        )
        plan = self.plan
        self.size, self.singular = links.size, singular
        kill = links.kill + extra
        np.add.at(kill, links.tail, np.where(here[links.head], 0.0, links.forward))
        np.add.at(kill, links.head, np.where(here[links.tail], 0.0, links.backward))
        kept = here[links.tail] & here[links.head] & ((links.forward > 0.0) | (links.backward > 0.0))
        tail, head, forward, backward = (
            array[kept] for array in (links.tail, links.head, links.forward, links.backward)
        )
        # every link from the side of both of its cells, sorted by the cell
        order = np.argsort(np.concatenate([tail, head]), kind="stable")
        neighbour = np.concatenate([head, tail])[order]
        out = np.concatenate([forward, backward])[order]
        back = np.concatenate([backward, forward])[order]
        counts = np.bincount(np.concatenate([tail, head]), minlength=links.size)
        first = np.concatenate([[0], np.cumsum(counts)])
        full = plan.pivots + plan.border
        self.upper_at = np.concatenate([[0], np.cumsum(plan.pivots * full)])
        self.lower_at = np.concatenate([[0], np.cumsum(plan.pivots * plan.border)])
        self.upper, self.lower = np.empty(self.upper_at[-1]), np.empty(self.lower_at[-1])
        self.leave = np.zeros(links.size)
        stuck = _factorise(
            *(plan.cells, plan.start, plan.pivots, plan.border, plan.children, plan.front),
            *(neighbour, out, back, first, kill, _stack_size(plan), singular),
            *(self.upper, self.upper_at, self.lower, self.lower_at, self.leave),
        )
        if stuck >= 0:
            at = tuple(int(i) for i in np.unravel_index(stuck, shape))
            raise ValueError(f"the mean time to leave exceeds the floating-point range near cell {at}: D is too small")

    @property
    def nbytes(self) -> int:
        """Memory of the factors."""
        return self.upper.nbytes + self.lower.nbytes

    def backward(self, g: Array) -> Array:
        """Return ``T`` of ``(rates out of i) T_i = g_i + sum_j rate(i -> j) T_j``, shape ``(N,)``."""
        return self._solve(g, _solve_backward)

    def forward(self, g: Array) -> Array:
        """Return ``m`` of ``(rates out of i) m_i = g_i + sum_j rate(j -> i) m_j``, shape ``(N,)``."""
        return self._solve(g, _solve_forward)

    def null(self) -> Array:
        """Return the probabilities with ``L m = 0`` and sum 1 of a closed chain."""
        for last in (1.0, 1e-250):  # the weight of the cell eliminated last; that of others may be much larger
            m = np.zeros(self.size)
            m[self.plan.cells[self.plan.start[-1] + self.plan.pivots[-1] - 1]] = last
            m = self._solve(m, _solve_null)
            total = m.sum()
            if np.isfinite(total):
                return np.asarray(m / total)
        raise ValueError("model: the stationary law spans more than the floating-point range")

    def _solve(self, g: Array, kernel: Any) -> Array:
        plan = self.plan
        x = np.where(plan.front >= 0, g, 0.0)
        kernel(
            *(plan.cells, plan.start, plan.pivots, plan.border),
            *(self.upper, self.upper_at, self.lower, self.lower_at, self.leave, x),
        )
        return x


# -- the order ----


@lru_cache(maxsize=4)
def _whole_plan(shape: tuple[int, ...], wrap: tuple[bool, ...], reach: tuple[int, ...], straight: bool) -> Plan:
    return dissect(shape, wrap, reach, straight, np.ones(int(np.prod(shape)), dtype=np.bool_))


def dissect(
    shape: tuple[int, ...], wrap: tuple[bool, ...], reach: tuple[int, ...], straight: bool, active: NDArray[np.bool_]
) -> Plan:
    """Return the order of nested dissection of a grid whose links reach ``reach`` cells along every axis.

    Parameters
    ----------
    shape : tuple of int
        Cells along every axis.
    wrap : tuple of bool
        Which axes close to a ring.
    reach : tuple of int
        Cells that a link spans at most along every axis.
    straight : bool
        Whether every link goes along one axis.
    active : ndarray of bool, shape (N,)
        The cells that take part.
    """
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    fronts: list[tuple[Whole, Whole, int]] = []

    def product(indices: list[Whole]) -> Whole:
        flat = indices[0] * strides[0]
        for index, stride in zip(indices[1:], strides[1:], strict=True):
            flat = (flat[:, None] + index * stride).ravel()
        return flat[active[flat]]

    def ring(box: list[tuple[int, int]]) -> Whole:
        """Return the cells beside a box that are linked to it: every one belongs to a separator cut before."""
        inside, beside = [], []
        for axis, (low, high) in enumerate(box):
            inside.append(np.arange(low, high))
            if high - low == shape[axis]:
                beside.append(np.zeros(0, dtype=np.int64))
                continue
            around = np.r_[low - reach[axis] : low, high : high + reach[axis]]
            around = np.unique(around % shape[axis]) if wrap[axis] else around[(around >= 0) & (around < shape[axis])]
            beside.append(around[(around < low) | (around >= high)])
        parts = []
        for axis in range(len(box)):
            # the axes before this one within the box; those after it also beyond, unless links go along axes only
            after = inside[axis + 1 :]
            if not straight:
                after = [np.concatenate([i, b]) for i, b in zip(inside, beside, strict=True)][axis + 1 :]
            parts.append(product([*inside[:axis], beside[axis], *after]))
        return np.concatenate(parts)

    def visit(box: list[tuple[int, int]]) -> None:
        lengths = [high - low for low, high in box]
        closed = [wrap[axis] and lengths[axis] == shape[axis] for axis in range(len(box))]
        splittable = [
            axis for axis in range(len(box)) if lengths[axis] > (reach[axis] if closed[axis] else 2 * reach[axis])
        ]
        children = 0
        if np.prod(lengths) > LEAF and splittable:
            axis = max(splittable, key=lambda axis: (closed[axis], lengths[axis]))
            low, high = box[axis]
            if closed[axis]:  # open the ring first
                wall = (low, low + reach[axis])
                rest = [(low + reach[axis], high)]
            else:
                middle = (low + high - reach[axis]) // 2
                wall = (middle, middle + reach[axis])
                rest = [(low, middle), (middle + reach[axis], high)]
            for part in rest:
                before = len(fronts)
                visit([*box[:axis], part, *box[axis + 1 :]])
                children += len(fronts) > before
            box_of_pivots = [*box[:axis], wall, *box[axis + 1 :]]
        else:
            box_of_pivots = box
        own = product([np.arange(low, high) for low, high in box_of_pivots])
        if own.size or children:
            fronts.append((own, ring(box), children))

    visit([(0, n) for n in shape])
    pivots = np.array([len(own) for own, _, _ in fronts], dtype=np.int64)
    border = np.array([len(beside) for _, beside, _ in fronts], dtype=np.int64)
    cells = np.concatenate([part for own, beside, _ in fronts for part in (own, beside)])
    front = np.full(active.size, -1, dtype=np.int64)
    front[np.concatenate([own for own, _, _ in fronts])] = np.repeat(np.arange(len(fronts)), pivots)
    start = np.concatenate([[0], np.cumsum(pivots + border)[:-1]])
    return Plan(cells, start, pivots, border, np.array([c for _, _, c in fronts], dtype=np.int64), front)


def _stack_size(plan: Plan) -> int:
    """Return how many numbers the finished fronts that wait for their parent take at most."""
    waiting: list[int] = []
    most = now = 0
    for border, children in zip(plan.border.tolist(), plan.children.tolist(), strict=True):
        for _ in range(children):
            now -= waiting.pop()
        waiting.append(border * border)
        now += border * border
        most = max(most, now)
    return most


# -- the numbers ----


@njit(cache=True, error_model="numpy")
def _factorise(  # type: ignore[no-untyped-def]
    cells,
    start,
    pivots,
    border,
    children,
    front,
    neighbour,
    out,
    back,
    first,
    kill,
    stack_size,
    singular,
    upper,
    upper_at,
    lower,
    lower_at,
    leave,
):
    """Eliminate all cells; fill ``upper`` (rates to what is left), ``lower`` (rates from it over s_n) and ``leave`` (s_n).

    Return a cell that cannot be left, or -1. ``kill`` is overwritten.
    """
    count = len(pivots)
    largest = 0
    for k in range(count):
        largest = max(largest, pivots[k] + border[k])
    work = np.empty(largest * largest)
    stack = np.empty(stack_size)
    top = 0
    waiting = np.empty(count, dtype=np.int64)  # numbers of the fronts on the stack
    high = 0
    where = np.empty(len(front), dtype=np.int64)
    for k in range(count):
        p, b = pivots[k], border[k]
        f = p + b
        own = cells[start[k] : start[k] + f]
        F = work[: f * f].reshape(f, f)
        F[:] = 0.0
        for i in range(f):
            where[own[i]] = i
        for i in range(p):
            for e in range(first[own[i]], first[own[i] + 1]):
                if front[neighbour[e]] >= k:
                    j = where[neighbour[e]]
                    F[i, j] += out[e]
                    if j >= p:
                        F[j, i] += back[e]
        for _ in range(children[k]):
            high -= 1
            child = waiting[high]
            size = border[child]
            top -= size * size
            S = stack[top : top + size * size].reshape(size, size)
            begin = start[child] + pivots[child]
            for i in range(size):
                row = where[cells[begin + i]]
                for j in range(size):
                    F[row, where[cells[begin + j]]] += S[i, j]
        for low in range(0, p, PANEL):
            end = min(low + PANEL, p)
            for n in range(low, end):
                s = kill[own[n]]
                for j in range(n + 1, f):
                    s += F[n, j]
                leave[own[n]] = s
                if not s > 0.0:
                    if singular and k == count - 1 and n == p - 1:
                        continue
                    return own[n]
                share = kill[own[n]]
                for i in range(n + 1, f):
                    F[i, n] /= s
                    kill[own[i]] += F[i, n] * share
                for i in range(n + 1, end):
                    factor = F[i, n]
                    if factor > 0.0:
                        for j in range(n + 1, f):
                            F[i, j] += factor * F[n, j]
                for i in range(end, f):
                    factor = F[i, n]
                    if factor > 0.0:
                        for j in range(n + 1, end):
                            F[i, j] += factor * F[n, j]
            if end < f:
                _add_product(F, low, end)
        upper[upper_at[k] : upper_at[k + 1]] = F[:p].ravel()
        lower[lower_at[k] : lower_at[k + 1]] = F[p:, :p].copy().ravel()
        stack[top : top + b * b] = F[p:, p:].copy().ravel()
        top += b * b
        waiting[high] = k
        high += 1
    return -1


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def _add_product(F, low, end):  # type: ignore[no-untyped-def]
    """Add ``F[end:, low:end] @ F[low:end, end:]`` to ``F[end:, end:]``: on one core, where threads would cost more."""
    f = len(F)
    n = low
    while n + 8 <= end:
        for i in range(end, f):
            a, b, c, d = F[i, n], F[i, n + 1], F[i, n + 2], F[i, n + 3]
            p, q, r, s = F[i, n + 4], F[i, n + 5], F[i, n + 6], F[i, n + 7]
            for j in range(end, f):
                one = a * F[n, j] + b * F[n + 1, j] + c * F[n + 2, j] + d * F[n + 3, j]
                two = p * F[n + 4, j] + q * F[n + 5, j] + r * F[n + 6, j] + s * F[n + 7, j]
                F[i, j] += one + two
        n += 8
    for m in range(n, end):
        for i in range(end, f):
            factor = F[i, m]
            for j in range(end, f):
                F[i, j] += factor * F[m, j]


@njit(cache=True, error_model="numpy")
def _solve_backward(cells, start, pivots, border, upper, upper_at, lower, lower_at, leave, x):  # type: ignore[no-untyped-def]
    """Solve for mean values on what is left of the path, in place."""
    count = len(pivots)
    for k in range(count):
        p, b = pivots[k], border[k]
        own = cells[start[k] : start[k] + p + b]
        U = upper[upper_at[k] : upper_at[k + 1]].reshape(p, p + b)
        W = lower[lower_at[k] : lower_at[k + 1]].reshape(b, p)
        g = x[own]
        for i in range(1, p):
            total = g[i]
            for n in range(i):
                total += U[i, n] * g[n]
            g[i] = total
        for i in range(p):
            x[own[i]] = g[i]
        for i in range(b):
            total = g[p + i]
            for n in range(p):
                total += W[i, n] * g[n]
            x[own[p + i]] = total
    for k in range(count - 1, -1, -1):
        p, b = pivots[k], border[k]
        own = cells[start[k] : start[k] + p + b]
        U = upper[upper_at[k] : upper_at[k + 1]].reshape(p, p + b)
        g = x[own]
        for n in range(p - 1, -1, -1):
            total = g[n]
            for j in range(n + 1, p + b):
                total += U[n, j] * g[j]
            g[n] = total / leave[own[n]]
            x[own[n]] = g[n]


@njit(cache=True, error_model="numpy")
def _solve_forward(cells, start, pivots, border, upper, upper_at, lower, lower_at, leave, x):  # type: ignore[no-untyped-def]
    """Solve for mean sojourns, in place."""
    count = len(pivots)
    for k in range(count):
        p, b = pivots[k], border[k]
        own = cells[start[k] : start[k] + p + b]
        U = upper[upper_at[k] : upper_at[k + 1]].reshape(p, p + b)
        g = x[own]
        for n in range(p):
            g[n] /= leave[own[n]]
            factor = g[n]
            if factor != 0.0:
                for j in range(n + 1, p + b):
                    g[j] += factor * U[n, j]
        for i in range(p + b):
            x[own[i]] = g[i]
    _solve_null(cells, start, pivots, border, upper, upper_at, lower, lower_at, leave, x)


@njit(cache=True, error_model="numpy")
def _solve_null(cells, start, pivots, border, upper, upper_at, lower, lower_at, leave, x):  # type: ignore[no-untyped-def]
    """Add to every cell what arrives from cells eliminated later, in place."""
    for k in range(len(pivots) - 1, -1, -1):
        p, b = pivots[k], border[k]
        own = cells[start[k] : start[k] + p + b]
        U = upper[upper_at[k] : upper_at[k + 1]].reshape(p, p + b)
        W = lower[lower_at[k] : lower_at[k + 1]].reshape(b, p)
        g = x[own]
        for i in range(b):
            factor = g[p + i]
            if factor != 0.0:
                for n in range(p):
                    g[n] += W[i, n] * factor
        for i in range(p - 1, -1, -1):
            factor = g[i]
            if factor != 0.0:
                for n in range(i):
                    g[n] += U[i, n] * factor
        for n in range(p):
            x[own[n]] = g[n]
