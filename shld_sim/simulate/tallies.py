"""Compiled sums along paths: one value after the other for each path, so that pieces of work do not change a bit."""

from __future__ import annotations

from numba import njit

TILE = 8  # columns taken together: a cache line of values


@njit(cache=True, nogil=True)
def moments(values, low, high, n, means, squares):  # type: ignore[no-untyped-def]
    """Take the columns low <= i < high of ``values``, shape (rows, m), into the averages of n earlier rows.

    ``squares`` are the sums of squared deviations from the averages.
    """
    for r in range(values.shape[0]):
        share = 1.0 / (n + r + 1)
        for i in range(low, high):
            # Welford: m_n = m_(n-1) + (v - m_(n-1))/n,  s_n = s_(n-1) + (v - m_(n-1)) (v - m_n)
            change = values[r, i] - means[i]
            means[i] += change * share
            squares[i] += change * (values[r, i] - means[i])


@njit(cache=True, nogil=True)
def histogram(values, low, high, edges, even, counts):  # type: ignore[no-untyped-def]
    """Count the columns low <= i < high of ``values`` in ``counts``, shape (m, bins); those outside, and NaN, nowhere.

    Where the edges are ``even``, each within a bin of its place among equal ones, the bin is guessed and then corrected.
    """
    bins = edges.size - 1
    scale = bins / (edges[bins] - edges[0])
    for start in range(low, high, TILE):
        for r in range(values.shape[0]):
            for i in range(start, min(start + TILE, high)):
                v = values[r, i]
                if not (v >= edges[0] and v <= edges[bins]):
                    continue
                if even:
                    a = min(int((v - edges[0]) * scale), bins - 1)
                    while v < edges[a]:
                        a -= 1
                    while a < bins - 1 and v >= edges[a + 1]:
                        a += 1
                else:
                    a, b = 0, bins
                    while b - a > 1:
                        middle = (a + b) // 2
                        if v >= edges[middle]:
                            a = middle
                        else:
                            b = middle
                counts[i, a] += 1
