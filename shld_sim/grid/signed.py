"""Evolution and spectrum of a stable matrix that is not a Markov chain: Taylor series, rational Krylov spaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse
from scipy.sparse import linalg as sparse_linalg

Array = NDArray[np.float64]

ORDER, REACH = 12, 3.2  # of the Taylor polynomial, and the |A| h up to which it is stable in the left half plane
DIRECT = 6_000.0  # |A| t up to which the series is summed at once
TOLERANCE = 1e-12  # of the Krylov space, relative to the norm of the state
LARGEST = 60  # vectors of the Krylov space
DISCS = 10  # to be searched for eigenvalues, at most


def evolve(A: sparse.csc_array, start: Array, times: Array) -> Array:
    r"""Return ``exp(A t) start`` at every time (in any order), for ``A`` whose symmetric part is not positive.

    Short times by Taylor's polynomial. For long ones, once fast modes have died, in the Krylov space of
    ``(1 - tau A)^{-1}``, which holds the slow modes; if that does not converge, the series goes on for twice as long.

    Parameters
    ----------
    A : sparse array, shape (N, N)
        The generator, in a basis in which it does not increase the norm.
    start : ndarray, shape (N,)
        State at time 0.
    times : ndarray, shape (m,)
        Non-negative times.

    Returns
    -------
    ndarray, shape (m, N)
        Error about 1e-12 of the norm in what changes more slowly than a quarter of the largest rate; the fastest parts,
        which cells do not resolve, are damped as they should be to 1e-3.

    References
    ----------
    Hochbruck & Lubich, SIAM J. Numer. Anal. 34 (1997) 1911; van den Eshof & Hochbruck, SIAM J. Sci. Comput. 27 (2006)
    1438 (shift and invert).
    """
    out = np.empty((times.size, start.size))
    rows = sparse.csr_array(A)
    speed = float(abs(rows).sum(axis=1).max())
    state, now = start, 0.0
    for index in np.argsort(times, kind="stable"):
        end, head = float(times[index]), DIRECT
        while speed * (end - now) > DIRECT:
            state, now = _series(rows, state, head / speed, speed), now + head / speed
            head *= 2.0
            later = _slow(A, state, end - now) if end > now else None
            if later is not None:
                state, now = later, end
        if end > now:
            state, now = _series(rows, state, end - now, speed), end
        out[index] = state
    return out


def _series(A: sparse.csr_array, state: Array, t: float, speed: float) -> Array:
    """Return ``exp(A t) state`` by steps of Taylor's polynomial."""
    steps = max(int(np.ceil(speed * t / REACH)), 1)
    for _ in range(steps):
        term = state
        state = state.copy()
        for k in range(1, ORDER + 1):
            term = (A @ term) * (t / steps / k)
            state += term
    return state


def _slow(A: sparse.csc_array, state: Array, t: float) -> Array | None:
    """Return ``exp(A t) state`` from the Krylov space of ``(1 - tau A)^{-1}``, or None if it does not converge."""
    size = float(np.linalg.norm(state))
    if size == 0.0:
        return state
    tau = 0.1 * t
    inverse = sparse_linalg.splu(sparse.csc_array(sparse.eye_array(state.size) - tau * A))
    V = np.empty((LARGEST + 1, state.size))
    V[0] = state / size
    H = np.zeros((LARGEST + 1, LARGEST))
    before = np.zeros(0)
    for j in range(LARGEST):
        w = inverse.solve(V[j])
        for _ in range(2):  # twice is enough
            share = V[: j + 1] @ w
            w -= share @ V[: j + 1]
            H[: j + 1, j] += share
        H[j + 1, j] = np.linalg.norm(w)
        if H[j + 1, j] <= 1e-15:  # the space is invariant
            return np.asarray(size * _projected(H[: j + 1, : j + 1], tau, t) @ V[: j + 1])
        V[j + 1] = w / H[j + 1, j]
        if j % 5 == 4:
            now = _projected(H[: j + 1, : j + 1], tau, t)
            change = np.append(now[: before.size] - before, now[before.size :])
            if before.size and float(np.linalg.norm(change)) <= TOLERANCE:
                return np.asarray(size * now @ V[: j + 1])
            before = now
    return None


def _projected(H: Array, tau: float, t: float) -> Array:
    """Return ``exp(t (1 - H^{-1}) / tau) e_1``."""
    return np.asarray(linalg.expm((t / tau) * (np.eye(len(H)) - np.linalg.inv(H)))[:, 0])


def rightmost(
    A: sparse.csc_array, k: int, scale: float, frequency: float, damping: float, smooth: Callable[[NDArray[Any]], bool]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ``k`` eigenvalues of ``-A`` smallest in the real part, ascending, and unit vectors, shape ``(k, N)``.

    Those next to ``-scale`` are found first, by shift and invert. Among them may be too few that oscillate: discs about the
    imaginary axis are searched one above the other, until one holds none that belongs to the list.

    Parameters
    ----------
    A : sparse array, shape (N, N)
        Real.
    k : int
        How many.
    scale : float
        Positive, of the size of the eigenvalues.
    frequency : float
        Distance of the first disc from what is known.
    damping : float
        Real part below which nothing oscillates.
    smooth : callable
        Whether an eigenvector counts.
    """
    n = A.shape[0]
    wanted = min(2 * k + 10, n - 2)
    options = {"k": wanted, "ncv": min(max(4 * wanted, 60), n - 1), "v0": np.random.default_rng(0).standard_normal(n)}
    values, vectors = sparse_linalg.eigs(A, sigma=scale, **options)
    radius = float(np.abs(values - scale).max())
    found = [(-value, vector) for value, vector in zip(values, vectors.T, strict=True) if smooth(vector)]
    tiny = 1e-7 * frequency
    # the last pair may have been cut in two
    alone = [(v, f) for v, f in found if abs(v.imag) > tiny and all(abs(v.conjugate() - w) > tiny for w, _ in found)]
    found = _sorted(found + [(value.conjugate(), vector.conj()) for value, vector in alone])
    last = found[:k][-1][0].real
    # up to this height on the imaginary axis, all with a real part below the last are known
    top = float(np.sqrt(max(radius**2 - (scale + last) ** 2, 0.0)))
    for _ in range(DISCS if last >= damping else 0):
        centre = 1j * (top + 0.5 * frequency)
        values, vectors = sparse_linalg.eigs(A.astype(np.complex128), sigma=centre, **options)
        radius = float(np.abs(values - centre).max())
        values = -values
        inside = [
            (value, vector)
            for value, vector in zip(values, vectors.T, strict=True)
            if value.real <= last and value.imag < -tiny and smooth(vector)
        ]
        if not inside:
            break
        new = [mode for mode in inside if all(abs(mode[0] - other) > tiny for other, _ in found)]
        found = _sorted(found + new + [(value.conjugate(), vector.conj()) for value, vector in new])
        last = found[:k][-1][0].real
        top = centre.imag + float(np.sqrt(max(radius**2 - last**2, 0.0)))
    return np.array([value for value, _ in found[:k]]), np.array([vector for _, vector in found[:k]])


def _sorted(modes: list[tuple[complex, NDArray[Any]]]) -> list[tuple[complex, NDArray[Any]]]:
    """Return the modes in the order of the real parts; pairs that are conjugate up to rounding side by side."""
    return sorted(modes, key=lambda mode: (round(mode[0].real, 10), mode[0].imag))
