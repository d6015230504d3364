"""Evolution of a sparse chain in time: the Poisson series while it is short, then rational steps that grow."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import eval_laguerre, roots_laguerre

from shld_sim.grid.elimination import Elimination
from shld_sim.grid.evolution import poisson_weights
from shld_sim.grid.links import Links

Array = NDArray[np.float64]
Factors = Callable[[Links, float], Elimination]

JUMPS = 512.0  # mean number of jumps in the shortest rational step
ORDER = 12
GAMMA = 1.0 / float(
    roots_laguerre(ORDER)[0][4]
)  # L_12(1/gamma) = 0: R(infinity) = 0; of its roots the best for |R| <= 1
TOLERANCE = 1e-10  # of one rational step, in total variation, per unit of the probability that is left
NOTHING = 1e-280  # probability that counts as none
MEMORY = 1.5e9  # bytes of factors kept
SECONDS_PER_JUMP = 1.2e-9  # measured: one link in one term of the series
SECONDS_PER_FLOP = 0.5e-9  # measured: elimination
SECONDS_PER_SOLVE = 1.5e-7  # measured: one solution, per cell

# exp(z) = sum_n (L_n - L_{n-1})(1/gamma) (1 - u)^n,  u = 1 / (1 - gamma z): the terms up to n = 12
_L = eval_laguerre(np.arange(ORDER + 1), 1.0 / GAMMA)
COEFFICIENTS = np.concatenate([_L[:1], np.diff(_L)])


def evolve(links: Links, factors: Factors, m0: Array, times: Array, dim: int = 2) -> Array:
    r"""Return ``exp(L t) m0`` at every time, shape ``(len(times), N)``, never negative.

    While ``t max(outflow)`` is moderate the Poisson series of uniformisation is summed: no subtraction, relative accuracy
    in every element. Beyond that ``R(h L)`` takes over, the rational approximation of ``exp(h L)`` of order 12 with the
    one pole ``1 / (gamma h)``: ``R(infinity) = 0``, ``|R| <= 1`` on the negative axis and ``<= 1 + 1e-6`` in the left half
    plane. Its factor ``u = (1 - gamma h L)^{-1}`` is itself a positive, conserving map. A step ``2 h`` is tried against two
    of ``h``; their difference in total variation must stay below `TOLERANCE`. Since ``exp(L t)`` contracts and commutes
    with the local error, a length once good stays good: steps only grow. Negative elements, of the size of the
    tolerance, are put to 0 and the mass restored.

    Parameters
    ----------
    links : Links
        The chain.
    factors : callable
        ``factors(links, s)`` returns the factors of ``s - L``.
    m0 : ndarray, shape (N,)
        Non-negative.
    times : ndarray, shape (k,)
        Non-negative, in any order.
    dim : int
        Number of coordinates; for the estimate of costs alone.

    References
    ----------
    Jensen, Skand. Aktuarietidskr. 36 (1953) 87; Noersett, BIT 14 (1974) 317; Hairer & Wanner, Solving Ordinary
    Differential Equations II, section IV.6.
    """
    out = np.empty((times.size, m0.size))
    order = np.argsort(times, kind="stable")
    jumps = float(links.outflow.max(initial=0.0))
    total = float(m0.sum())
    if jumps == 0.0 or total == 0.0:
        out[:] = m0
        return out
    series = _Series(links, jumps)
    longest = jumps * float(times.max(initial=0.0))
    rational = _Rational(links, factors, JUMPS / jumps) if longest > _worth(links, dim, longest) else None
    state, now = np.array(m0, dtype=np.float64), 0.0
    for index in order:
        gap = float(times[index]) - now
        if rational is None:
            state = series(state, gap)
        elif gap > 0.0:
            first = min(gap, max(4.0 * rational.base - now, 0.0))  # let a point start spread over its neighbours
            state = series(state, first)
            state, rest = rational(state, gap - first)
            state = series(state, rest)
        now = float(times[index])
        out[index] = state
    return out


def _worth(links: Links, dim: int, jumps: float) -> float:
    """Return the number of jumps from which rational steps cost less than the series."""
    n = float(links.size)
    flops = 20.0 * n**1.5 if dim == 2 else 50.0 * n**2
    level = SECONDS_PER_FLOP * flops + 5 * ORDER * SECONDS_PER_SOLVE * n
    return max(math.log2(max(jumps / JUMPS, 2.0)) * level / (SECONDS_PER_JUMP * (2 * links.tail.size + n)), 1e3)


class _Series:
    """``exp(L t) = sum_k Poisson(k; Lambda t) P^k``, ``P = 1 + L / Lambda``."""

    def __init__(self, links: Links, jumps: float) -> None:
        to, source = np.concatenate([links.head, links.tail]), np.concatenate([links.tail, links.head])
        rate = np.concatenate([links.forward, links.backward])
        order = np.argsort(to, kind="stable")
        self.source, self.rate = source[order], rate[order] / jumps
        self.first = np.concatenate([[0], np.cumsum(np.bincount(to, minlength=links.size))])
        self.stay = np.maximum((jumps - links.outflow) / jumps, 0.0)
        self.kill = links.kill / jumps
        self.jumps = jumps

    def __call__(self, state: Array, t: float) -> Array:
        mean = self.jumps * t
        if mean <= 0.0:
            return state
        first, weights = poisson_weights(mean)
        out = np.zeros(state.size)
        gone = _poisson_sum(state, first, weights, self.source, self.rate, self.first, self.stay, self.kill, out)
        reached = out.sum() + gone
        return out * (state.sum() / reached) if reached > 0.0 else out


class _Rational:
    """Steps ``base 2^level`` of the rational approximation, the level rising as far as the tolerance allows."""

    def __init__(self, links: Links, factors: Factors, base: float) -> None:
        self.links, self.factors, self.base = links, factors, base
        self.kept: OrderedDict[int, Elimination] = OrderedDict()
        self.level = 0  # known to be good
        self.wait = 0  # steps before the next attempt at a longer one
        self.conserving = not links.exit_rate.any()

    def __call__(self, state: Array, t: float) -> tuple[Array, float]:
        """Return the state after ``t`` less a rest shorter than the shortest step, and that rest."""
        while t >= self.base:
            fits = int(math.log2(t / self.base))
            if not state.any():
                return state, 0.0  # everything has left
            if self.wait <= 0 and self.level + 1 <= fits:
                state, t = self._attempt(state, t)
                continue
            level = min(self.level, fits)
            state = self._positive(self._step(state, level), state)
            t -= self.base * 2.0**level
            self.wait -= level == self.level
        return state, max(t, 0.0)

    def _attempt(self, state: Array, t: float) -> tuple[Array, float]:
        """Take two steps of the good length and compare with one of twice the length."""
        two = self._step(self._step(state, self.level), self.level)
        one = self._step(state, self.level + 1)
        # two short steps tell the error of the long one; of the short ones, 2^12 times less
        good = float(np.abs(one - two).sum()) <= TOLERANCE * float(state.sum())
        t -= self.base * 2.0 ** (self.level + 1)
        self.level += good
        self.wait = 0 if good else 2
        return self._positive(two, state), t

    def _step(self, state: Array, level: int) -> Array:
        h = self.base * 2.0**level
        shift = 1.0 / (GAMMA * h)
        factor = self._factor(level, shift)
        term, out = state, COEFFICIENTS[0] * state
        for coefficient in COEFFICIENTS[1:]:
            term = term - shift * factor.forward(term)
            out += coefficient * term
        return out

    def _factor(self, level: int, shift: float) -> Elimination:
        if level in self.kept:
            self.kept.move_to_end(level)
            return self.kept[level]
        made = self.factors(self.links, shift)
        while self.kept and sum(f.nbytes for f in self.kept.values()) + made.nbytes > MEMORY:
            self.kept.popitem(last=False)
        self.kept[level] = made
        return made

    def _positive(self, state: Array, before: Array) -> Array:
        """Put negative elements to 0 and restore the mass."""
        total = float(before.sum()) if self.conserving else float(state.sum())
        state = np.maximum(state, 0.0)
        mass = float(state.sum())
        return state * (total / mass) if mass > NOTHING else np.zeros_like(state)


@njit(cache=True, error_model="numpy")
def _poisson_sum(state, first, weights, source, rate, start, stay, kill, out):  # type: ignore[no-untyped-def]
    """Add ``sum_k weights[k - first] P^k state`` to ``out`` and return the same sum of what has left."""
    n = state.size
    p, q = state.copy(), np.empty(n)
    gone = left = 0.0
    for k in range(first + weights.size):
        if k >= first:
            w = weights[k - first]
            for i in range(n):
                out[i] += w * p[i]
            gone += w * left
        for i in range(n):
            v = stay[i] * p[i]
            for e in range(start[i], start[i + 1]):
                v += rate[e] * p[source[e]]
            left += kill[i] * p[i]
            q[i] = v if v > 1e-250 else 0.0  # subnormal numbers would be slow
        p, q = q, p
    return gone
