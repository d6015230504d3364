"""The fractional Laplacian on a lattice: positive jump rates, the drift beside them, and products by fast Fourier transform."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, sparse
from scipy.special import gamma, zeta

from shld_sim.grid.generator import bernoulli

Array = NDArray[np.float64]

WIDEST = 64  # cells: the longest jump that numerical diffusion may stand in for
SHARE = 16  # ... and at most this fraction of the box


def jump_density(alpha: float) -> float:
    """Return ``c`` of the jump density ``c / |z|^(1 + alpha)`` of the stable process with symbol ``|k|^alpha``."""
    # c = Gamma(1 + alpha) sin(pi alpha / 2) / pi
    return float(gamma(1.0 + alpha) * math.sin(0.5 * math.pi * alpha) / math.pi) if alpha < 2.0 else 0.0


def riemann_zeta(s: float) -> float:
    """Return Riemann's zeta function for real ``s > -8``, ``s != 1``, by the Euler-Maclaurin sum; error below 1e-13."""
    N = 16
    total = float(np.sum(np.arange(1.0, N) ** -s)) + N ** (1.0 - s) / (s - 1.0) + 0.5 * N**-s
    rising = s
    for j, b in enumerate((1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510), start=1):
        total += b / math.factorial(2 * j) * rising * N ** (1.0 - s - 2 * j)
        rising *= (s + 2 * j - 1.0) * (s + 2 * j)
    return total


@lru_cache(maxsize=64)
def near_rate(alpha: float) -> float:
    """Return what the nearest neighbour gets beyond its jump density, ``-c zeta(alpha - 1) > 0``; 1 at ``alpha = 2``."""
    return -jump_density(alpha) * riemann_zeta(alpha - 1.0) if alpha < 2.0 else 1.0


def lattice_rates(alpha: float, n: int) -> Array:
    r"""Return the rates ``w_1, ..., w_n`` to jump by ``k`` cells of width 1: positive, with symbol ``|theta|^alpha``.

    The plain rates ``c / k^(1 + alpha)`` have, by the series of the polylogarithm,

    ``sum_k 2 w_k (1 - cos k theta) = |theta|^alpha + c zeta(alpha - 1) theta^2 - c zeta(alpha - 3) theta^4 / 12 + ...``

    Since ``zeta(alpha - 1) < 0`` below ``alpha = 2``, the term in ``theta^2`` is cancelled by a *positive* addition
    ``-c zeta(alpha - 1)`` to ``w_1``. For cells of width ``h`` and noise of strength ``sigma`` the rates are
    ``(sigma / h)^alpha w_k``; what remains is of the order ``h^(4 - alpha)``. At ``alpha = 2``: ``w_1 = 1``, the
    three-point Laplacian.

    References
    ----------
    Huang & Oberman, SIAM J. Numer. Anal. 52 (2014) 3056, positive rates of order ``3 - alpha``; Duo, van Wyk & Zhang,
    J. Comput. Phys. 355 (2018) 233, order 2. The correction by the zeta function is ours.
    """
    w = jump_density(alpha) * np.arange(1.0, n + 1.0) ** (-1.0 - alpha)
    w[0] += near_rate(alpha)
    return np.asarray(w)


def lattice_tails(alpha: float, n: int) -> Array:
    """Return ``sum_{k >= j} w_k`` for ``j = 1, ..., n``: Hurwitz's zeta function."""
    tails = jump_density(alpha) * zeta(1.0 + alpha, np.arange(1.0, n + 1.0))
    tails[0] += near_rate(alpha)
    return np.asarray(tails)


def ring_rates(alpha: float, n: int) -> Array:
    """Return the rates ``sum_m w_|k + m n|``, ``k = 1, ..., n - 1``, of jumps on a ring of ``n`` cells."""
    k = np.arange(1.0, n)
    w = jump_density(alpha) * n ** (-1.0 - alpha) * (zeta(1.0 + alpha, k / n) + zeta(1.0 + alpha, 1.0 - k / n))
    w[0] += near_rate(alpha)
    w[-1] += near_rate(alpha)
    return np.asarray(w)


@lru_cache(maxsize=64)
def lattice_end(alpha: float) -> tuple[float, float]:
    r"""Return ``delta`` and ``g``: where the walk with rates ``w_k`` feels an absorbing end, and how to move it.

    On the half-line of cells ``0, 1, 2, ...`` with everything beyond absorbing, the harmonic function grows like
    ``(j + delta)^(alpha/2)``: the end lies ``delta`` cells beyond the last one. Killing that cell at the extra rate ``r``
    moves it to ``theta = delta - r g / (1 + r g)``, so every end between ``delta - 1`` and ``delta`` can be had, and none
    of them costs an error of first order. Both follow from the factors ``psi = |G|^2`` of the symbol (Wiener & Hopf): with
    ``f = ln(psi / |2 sin(theta/2)|^alpha)`` on ``(0, pi)``,

    ``delta = (1 + alpha/2) / 2 - (1 / 4 pi) int f / sin^2(theta/2) dtheta``,   ``g = exp(-(1 / pi) int f dtheta)``.

    At ``alpha = 2`` they are 1 and 1, and ``r = 1/theta - 1`` is the rule of Shortley & Weller. The extra rate is ours.

    References
    ----------
    Spitzer, Principles of Random Walk (1964), sections 17-19; Zoia, Rosso & Kardar, Phys. Rev. E 76 (2007) 021116.
    """
    nodes, weights = np.polynomial.legendre.leggauss(100)
    s = 0.5 * (nodes + 1.0)
    theta, weights = math.pi * s**4, 0.5 * weights * math.pi * 4.0 * s**3  # f has a power of theta at 0
    f = np.log1p(symbol_excess(theta, alpha)) - alpha * np.log(np.sinc(0.5 * theta / math.pi))
    delta = 0.5 + 0.25 * alpha - float(np.sum(weights * f / np.sin(0.5 * theta) ** 2)) / (4.0 * math.pi)
    return delta, math.exp(-float(np.sum(weights * f)) / math.pi)


def symbol_excess(theta: Array, alpha: float) -> Array:
    """Return ``sum_k 2 w_k (1 - cos k theta) / theta^alpha - 1`` for ``0 < theta <= pi``, without cancellation."""
    c, near = jump_density(alpha), near_rate(alpha)
    total = np.zeros_like(theta)
    for j in range(2, 40):
        s = alpha + 1.0 - 2.0 * j  # zeta(s) from zeta(1 - s): Riemann's functional equation
        reflected = 2.0**s * math.pi ** (s - 1.0) * math.sin(0.5 * math.pi * s) * gamma(1.0 - s) * zeta(1.0 - s)
        total += (-1) ** (j + 1) * 2.0 * (c * reflected + near) * theta ** (2 * j - alpha) / math.factorial(2 * j)
    return total


def drift_rates(rise: Array, w: Array, n: int, ring: bool) -> sparse.csr_array:
    r"""Return the matrix of the drift, to be added to that of the jumps: columns sum to zero, all rates stay non-negative.

    The nearest-neighbour rate ``w_1`` becomes ``w_1 B(u)`` downstream and ``w_1 B(-u)`` upstream, ``u = rise / (w_1 h^2)``
    being the rise of the potential over an edge (Scharfetter & Gummel). This carries the drift exactly and adds the
    diffusion ``h^2 w_1 (u/2 coth(u/2) - 1)``: central where ``u`` is small, upwind where it is large, and then of first
    order only. But a diffusion is what the small jumps are on the scale of the lattice: the surplus takes their place.
    Between cells ``k = 2, 3, ...`` apart, jumps are left out until their ``h^2 sum k^2 w_k`` has paid for it, which keeps
    second order, every rate non-negative, and the Fokker-Planck form (jumps are left out in pairs, to and fro).

    Parameters
    ----------
    rise : ndarray, shape (n - 1,) or (n,) on a ring
        ``(V_{i+1} - V_i) / h^2``, the drift over an edge in units of a rate.
    w : ndarray
        Rates ``w_1, w_2, ...`` (1/time), as many as may be left out.
    n : int
        Number of cells.
    ring : bool
        Whether the last cell is the left neighbour of the first.
    """
    downhill, uphill = bernoulli(rise / w[0])
    right, left = w[0] * (downhill - 1.0), w[0] * (uphill - 1.0)  # beyond the rate of the jumps
    surplus = 0.5 * (right + left)
    diagonal = np.zeros(n)
    rows, columns, values = [], [], []

    def add(first: NDArray[Any], k: int, ahead: Array, back: Array) -> None:
        """Add rates from cells ``first`` to ``first + k`` and back."""
        other = (first + k) % n
        diagonal[first] -= ahead
        diagonal[other] -= back
        rows.extend([other, first])
        columns.extend([first, other])
        values.extend([ahead, back])

    add(np.arange(rise.size), 1, right, left)
    paid = 0.0
    for k in range(2, w.size + 1):
        # midway between the two cells: on an edge for odd k, in a cell for even k
        back = (k - 1) // 2
        if ring:
            at = np.roll(surplus, -back)
            at = at if k % 2 else 0.5 * (at + np.roll(at, -1))
        else:
            at = surplus[back : n - 1 - back] if k % 2 else 0.5 * (surplus[:-1] + surplus[1:])[back : n - 2 - back]
        gone = np.minimum(np.maximum(at - paid, 0.0) / (k * k), w[k - 1])
        paid += k * k * w[k - 1]
        first = np.flatnonzero(gone)
        if first.size == 0:
            break
        add(first, k, -gone[first], -gone[first])
    rows.append(np.arange(n))
    columns.append(np.arange(n))
    values.append(diagonal)
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array(sparse.coo_array(entries, shape=(n, n)))


@dataclass(frozen=True, eq=False)
class StableOperator:
    """Generator ``L`` of jumps and drift on ``n`` cells, with products in ``O(n log n)``.

    Attributes
    ----------
    rates : ndarray, shape (n,)
        Jump rates ``w_1, ..., w_n`` (1/time); on a ring the first ``n - 1`` count.
    total : float
        Rate of all jumps out of a cell.
    local : csr_array, shape (n, n)
        Drift and what is left out for it, see `drift_rates`.
    beyond : ndarray, shape (2, n)
        Rates to jump beyond the low and the high end.
    landing : (bool, bool)
        Whether such jumps end in the outermost cell; else they leave for good.
    kill : ndarray, shape (n,)
        Further rates to leave for good.
    inside : ndarray of bool, shape (n,)
        The cells of the chain; all others are outside, and absorb.
    ring : bool
        Whether the cells form a ring.
    """

    rates: Array
    total: float
    local: sparse.csr_array
    beyond: Array
    landing: tuple[bool, bool]
    kill: Array
    inside: NDArray[np.bool_]
    ring: bool

    @property
    def size(self) -> int:
        """Number of cells, inside or not."""
        return self.inside.size

    @cached_property
    def cells(self) -> NDArray[np.intp]:
        """Numbers of the cells inside."""
        return np.flatnonzero(self.inside)

    @cached_property
    def reach(self) -> int:
        """Distance of the farthest cells between which the drift has left out jumps."""
        rows, columns = self.local.tocoo().coords
        apart = np.abs(rows - columns)
        return int((np.minimum(apart, self.size - apart) if self.ring else apart).max(initial=0))

    def restricted(self, inside: NDArray[np.bool_], kill: Array, landing: tuple[bool, bool]) -> StableOperator:
        """Return the chain that stops when it leaves the cells ``inside``."""
        return replace(self, inside=inside, kill=kill, landing=landing)

    def forward(self, m: Array) -> Array:
        """Return ``L m`` for probabilities per cell, zero outside."""
        x = np.where(self.inside, m, 0.0)
        y = self._jumps(x) + self.local @ x - (self.total + self.kill) * x
        for end, cell in ((0, 0), (1, -1)):
            if self.landing[end]:
                y[cell] += self.beyond[end] @ x
        return np.where(self.inside, y, 0.0)

    def backward(self, f: Array) -> Array:
        """Return ``L^T f`` for functions of the cell, zero outside."""
        x = np.where(self.inside, f, 0.0)
        y = self._jumps(x) + self._local_transposed @ x - (self.total + self.kill) * x
        for end, cell in ((0, 0), (1, -1)):
            if self.landing[end]:
                y += self.beyond[end] * x[cell]
        return np.where(self.inside, y, 0.0)

    def arrivals(self, m: Array) -> Array:
        """Return the rates at which probability ``m`` inside arrives in every cell by jumps and drift, its own losses left out.

        On cells outside the chain this is where it lands.
        """
        x = np.where(self.inside, m, 0.0)
        return np.asarray(np.maximum(self._jumps(x) + self._off_diagonal @ x, 0.0))

    def matrix(self) -> Array:
        """Return ``L`` on the cells inside as a dense matrix."""
        n, cells = self.size, self.cells
        column = np.zeros(n)
        column[1:] = self.rates[: n - 1]
        lag = np.abs(cells[:, None] - cells[None, :])
        L = column[lag]
        L[np.diag_indices_from(L)] = -(self.total + self.kill[cells])
        L += self.local[cells][:, cells].toarray()
        for end, cell in ((0, 0), (1, n - 1)):
            if self.landing[end] and self.inside[cell]:
                L[int(np.searchsorted(cells, cell))] += self.beyond[end][cells]
        return np.asarray(L)

    def band(self, width: int) -> sparse.csc_array:
        """Return the part of ``L`` within ``width`` of the diagonal, on the cells inside, with the full diagonal."""
        n, cells = self.size, self.cells
        reach = min(width, n - 1)
        offsets = range(-reach, reach + 1)
        rows = [np.full(n, self.rates[abs(k) - 1]) if k else -(self.total + self.kill) for k in offsets]
        jumps = sparse.csr_array(sparse.dia_array((np.array(rows), list(offsets)), shape=(n, n)))
        return sparse.csc_array((jumps + self.local)[cells][:, cells])

    def blocks(self, starts: NDArray[np.intp], stops: NDArray[np.intp]) -> Array:
        """Return the chain of blocks ``[start, stop)`` of cells inside, each with its probability spread evenly.

        Entry ``(I, J)`` is ``sum_{i in I, j in J} L_ij / |J|``. The sums of jump rates are second differences of a function
        of the distance.
        """
        n = self.size
        even = np.zeros(2 * n + 1)  # rate as a function of the lag -n ... n
        even[n + 1 :], even[:n] = self.rates, self.rates[::-1]
        if self.ring:
            even[n + 1 : 2 * n] = self.rates[: n - 1]
            even[1:n] = self.rates[: n - 1][::-1]
            even[0] = even[-1] = 0.0
        twice = np.concatenate([[0.0, 0.0], np.cumsum(np.cumsum(even))])  # second difference at m + 1: even at m

        def lags(a: NDArray[np.intp], b: NDArray[np.intp]) -> Array:
            return np.asarray(twice[a[:, None] - b[None, :] + n + 1])

        sums = lags(stops, starts) - lags(starts, starts) - lags(stops, stops) + lags(starts, stops)
        sizes = stops - starts
        owner = np.full(n, -1)
        for block, (start, stop) in enumerate(zip(starts, stops, strict=True)):
            owner[start:stop] = block
        kept = owner >= 0
        gather = sparse.csr_array(
            (np.ones(int(kept.sum())), (owner[kept], np.flatnonzero(kept))), shape=(starts.size, n)
        )
        sums += (gather @ self.local @ gather.T).toarray()
        sums[np.diag_indices_from(sums)] -= sizes * self.total + gather @ self.kill
        for end, cell in ((0, 0), (1, n - 1)):
            if self.landing[end] and owner[cell] >= 0:
                sums[owner[cell]] += gather @ self.beyond[end]
        return np.asarray(sums / sizes)

    @cached_property
    def _spectrum(self) -> tuple[int, NDArray[np.complex128]]:
        """Length and transform of the circulant that holds the jumps."""
        n = self.size
        if self.ring:
            return n, fft.rfft(np.concatenate([[0.0], self.rates[: n - 1]]))
        length = int(fft.next_fast_len(2 * n - 1, real=True))
        column = np.zeros(length)
        column[1:n] = self.rates[: n - 1]
        column[length - n + 1 :] = self.rates[: n - 1][::-1]
        return length, fft.rfft(column)

    def _jumps(self, x: Array) -> Array:
        """Return ``sum_{k != 0} w_|k| x_{i+k}``."""
        length, spectrum = self._spectrum
        return np.asarray(fft.irfft(spectrum * fft.rfft(x, length), length)[: x.size])

    @cached_property
    def _local_transposed(self) -> sparse.csr_array:
        return sparse.csr_array(self.local.T)

    @cached_property
    def _off_diagonal(self) -> sparse.csr_array:
        return sparse.csr_array(self.local - sparse.diags_array(self.local.diagonal()))
