"""Evolution in time: the matrix exponential of the cell chain, acting on probabilities, by three routes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from shld_sim.grid import spectrum
from shld_sim.grid.generator import Rates
from shld_sim.grid.spectrum import Modes, amplification

Array = NDArray[np.float64]

BASE_JUMPS = 16.0  # mean number of jumps in the first dense factor, exp(L h) with outflow h = 16
FLUSH = 1e-150  # smaller elements of a dense factor are dropped: their products would be subnormal, and slow
SECONDS_PER_CELL_JUMP = 0.25e-9  # measured: one term of the series, per cell
SECONDS_PER_FLOP = 0.02e-9  # measured: dense product
SECONDS_PER_MODE = 30e-9  # measured: all eigenvectors, per cell and mode
ACCURACY = 1e-11  # of the modes, relative to the solution, in the norm of the sum of m^2 / pi
SERIES_FIRST = 20.0  # jumps per cell that are left to the series before the modes: a sixth of their price
BIG = 100.0  # amplification of rounding at which the series goes ahead of the modes
HOPELESS = 1e6  # and at which modes are of no use


def evolve(rates: Rates, p0: Array, times: Array, modes: Callable[[], Modes] | None = None) -> Array:
    r"""Return ``p(t) = exp(L t) p0`` at every time, by the cheapest of three ways that is accurate.

    1. *Series.* With ``Lambda = max outflow`` and the non-negative ``P = 1 + L / Lambda`` (uniformisation),
    ``exp(L t) = sum_k Poisson(k; Lambda t) P^k``, summed from one time to the next while ``Lambda t`` is moderate.
    2. *Modes* of the symmetrised generator, for reversible rows and long times. They subtract: rounding errors grow
    by ``max sqrt(pi_i / pi_j)`` over the cells ``j`` of the start, and where slow modes are close to one another. So they are
    used while an estimate of the error, made for every time, is below 1e-11 of the solution; early times are left to
    the series, and a start of little weight, high on a wall, is first moved by it. What rounding takes below zero is
    put at 1e-30 of the stationary law.
    3. *Squaring* of the dense ``exp(L h)``, ``Lambda h = 16``, every binary digit of ``t / h`` applied as it becomes available.

    Series and squaring have no subtraction anywhere: all terms are non-negative, so results are, and rounding stays
    relative to each element. Mass that leaves through an absorbing end is collected in one more state: the extended
    chain conserves probability, and each factor is scaled to do so exactly, which is what keeps rounding from
    accumulating over many squarings.

    Parameters
    ----------
    rates : Rates
        The cell chain.
    p0 : ndarray, shape (n,)
        Non-negative initial probabilities per cell.
    times : ndarray, shape (m,)
        Non-negative times, in any order.
    modes : callable, optional
        Returns the `Modes` of ``rates``, kept by the caller; None computes them here.

    Returns
    -------
    ndarray, shape (m, n)
        Non-negative; every row sums to ``sum(p0)`` to rounding when the ends conserve probability. The Poisson
        series is cut where its weights are below 1e-18.

    References
    ----------
    Jensen, Skand. Aktuarietidskr. 36 (1953) 87; Fox & Glynn, Commun. ACM 31 (1988) 440; on squaring non-negative
    exponentials, Xue & Ye, Math. Comp. 82 (2013) 1577; on the symmetrised generator, Risken, The Fokker-Planck Equation,
    section 5.4.
    """
    n = p0.size
    if not p0.any():
        return np.zeros((times.size, n))
    jumps = float(rates.outflow.max())
    longest = float(times.max(initial=0.0)) * jumps
    levels = max(math.log2(max(longest / BASE_JUMPS, 1.0)), 1.0)
    series = SECONDS_PER_CELL_JUMP * n * (longest + 50.0 * times.size)
    dense = SECONDS_PER_FLOP * 2.0 * (n + 1.0) ** 3 * levels
    spectral = SECONDS_PER_MODE * n * n
    reversible = rates.reversible and not rates.periodic
    if series > min(spectral, dense) and reversible:
        return _by_modes(rates, p0, times, modes, jumps)
    method = _by_series if series <= dense else _by_squaring
    return method(rates, np.append(p0, 0.0), times, jumps)[:, :-1]


def _by_modes(rates: Rates, p0: Array, times: Array, modes: Callable[[], Modes] | None, jumps: float) -> Array:
    """Return ``p`` at ``times``, shape ``(m, n)``: early by the series, then by the modes where accurate, else by squaring."""
    n = p0.size
    ahead = SERIES_FIRST * n / jumps
    early = times <= ahead
    out = np.empty((times.size, n))
    todo = ~early
    pi = rates.weights / rates.weights.sum()
    root = np.sqrt(pi)
    start, since = p0, 0.0
    if amplification(root, start) > BIG:
        moved = _by_series(rates, np.append(p0, 0.0), np.append(times[early], ahead), jumps)[:, :-1]
        out[early], start, since = moved[:-1], moved[-1], ahead
    elif early.any():
        out[early] = _by_series(rates, np.append(p0, 0.0), times[early], jumps)[:, :-1]
    if todo.any() and amplification(root, start) < HOPELESS:
        known = spectrum.modes(rates) if modes is None else modes()
        m, error = known.evolve(start, times[todo] - since)
        m = np.maximum(m, 1e-30 * pi)
        if rates.conserving:
            m *= (p0.sum() / m.sum(axis=1))[:, None]
        good = error <= ACCURACY
        chosen = np.flatnonzero(todo)[good]
        out[chosen] = m[good]
        todo[chosen] = False
    if todo.any():
        out[todo] = _by_squaring(rates, np.append(p0, 0.0), times[todo], jumps)[:, :-1]
    return out


def poisson_weights(mean: float) -> tuple[int, Array]:
    """Return ``first`` and the weights ``exp(-m) m^k / k!``, ``k = first, first + 1, ...``, that sum to one.

    Built by the ratio of neighbours outwards from the mode, so large ``mean`` costs no accuracy (Fox & Glynn 1988).
    """
    mode = int(mean)
    spread = 9.5 * math.sqrt(mean)
    first = max(0, math.floor(mean - spread - 10.0))
    last = math.ceil(mean + spread + 25.0)
    down = np.cumprod(np.arange(mode, first, -1.0) / mean)[::-1] if mode > first else np.empty(0)
    up = np.cumprod(mean / np.arange(mode + 1.0, last + 1.0))
    weights = np.concatenate([down, [1.0], up])
    weights /= weights.sum()
    kept = np.flatnonzero(weights > 1e-40)
    return first + int(kept[0]), weights[kept[0] : kept[-1] + 1]


def _by_series(rates: Rates, state: Array, times: Array, jumps: float) -> Array:
    """Return the extended states at ``times``, shape ``(m, n + 1)``, by the Poisson series between sorted times."""
    out = np.empty((times.size, state.size))
    chain = _padded(rates, jumps)
    now, total = 0.0, state.sum()
    for index in np.argsort(times, kind="stable"):
        mean = jumps * (float(times[index]) - now)
        if mean > 0.0:
            state = _series(state, poisson_weights(mean), chain)
            state *= total / state.sum()
        now = float(times[index])
        out[index] = state
    return out


def _by_squaring(rates: Rates, state: Array, times: Array, jumps: float) -> Array:
    """Return the extended states at ``times``, shape ``(m, n + 1)``, by squaring a dense factor."""
    chain = _padded(rates, jumps)
    total = state.sum()
    step = BASE_JUMPS / jumps
    whole = [int(t // step) for t in times]
    first = np.empty((state.size, times.size))
    for column, (t, count) in enumerate(zip(times, whole, strict=True)):
        mean = max(jumps * (float(t) - count * step), 0.0)
        first[:, column] = _series(state, poisson_weights(mean), chain) if mean > 0.0 else state
    Q = np.empty((state.size, state.size), order="F")
    base = poisson_weights(BASE_JUMPS)
    for column, unit in enumerate(np.eye(state.size)):
        Q[:, column] = _series(unit, base, chain)
    out = first
    while True:
        Q[Q < FLUSH] = 0.0
        Q /= Q.sum(axis=0)
        chosen = [column for column, count in enumerate(whole) if count & 1]
        if chosen:
            out[:, chosen] = Q @ out[:, chosen]
        whole = [count >> 1 for count in whole]
        if not any(whole):
            break
        Q = Q @ Q
    return np.ascontiguousarray((out * (total / out.sum(axis=0))).T)


def _padded(rates: Rates, jumps: float) -> tuple[Array, Array, Array, float, float]:
    """Return the probabilities of ``P = 1 + L / jumps``, with one cyclic ghost cell at either end."""
    right, left = rates.right / jumps, rates.left / jumps
    stay = np.maximum((jumps - rates.outflow) / jumps, 0.0)
    return (
        np.pad(stay, 1),
        np.pad(right, 1, mode="wrap"),
        np.pad(left, 1, mode="wrap"),
        rates.exit_left / jumps,
        rates.exit_right / jumps,
    )


def _series(state: Array, poisson: tuple[int, Array], chain: tuple[Array, Array, Array, float, float]) -> Array:
    """Return ``sum_k Poisson(k) P^k state`` on the extended state, shape ``(n + 1,)``."""
    first, weights = poisson
    out = np.zeros_like(state)
    _poisson_sum(np.ascontiguousarray(state), first, weights, *chain, out)
    return out


@njit(cache=True, error_model="numpy")
def _poisson_sum(state, first, weights, stay, right, left, exit_left, exit_right, out):  # type: ignore[no-untyped-def]
    """Accumulate ``sum_k weights[k - first] P^k state`` into ``out``; the last element collects what left the box."""
    n = state.size - 1
    p = np.empty(n + 2)
    q = np.empty(n + 2)
    p[1 : n + 1] = state[:n]
    gone = state[n]
    for k in range(first + weights.size):
        if k >= first:
            w = weights[k - first]
            for i in range(n):
                out[i] += w * p[i + 1]
            out[n] += w * gone
        p[0] = p[n]
        p[n + 1] = p[1]
        gone += exit_left * p[1] + exit_right * p[n]
        for i in range(1, n + 1):
            v = stay[i] * p[i] + right[i - 1] * p[i - 1] + left[i + 1] * p[i + 1]
            q[i] = v if v > 1e-250 else 0.0  # subnormal numbers would be slow
        p, q = q, p
