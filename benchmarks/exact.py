"""Exact densities that the grids are compared with: the double well by its spectrum in Hermite functions, the harmonic well."""

from __future__ import annotations

import numpy as np

SIZE, KEPT, SCALE = 240, 160, 0.3  # functions for the matrices, functions kept, their width: for D about 0.1


def double_well(x: np.ndarray, t: float, D: float, nodes: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Density at ``x`` and time ``t`` in V = x^4/4 - x^2/2, from the masses ``weights`` at ``nodes``.

    The Schroedinger form ``D d^2/dx^2 - (V'^2/(4 D) - V''/2)`` is exact in the basis.
    """

    def functions(y: np.ndarray) -> np.ndarray:
        z = y / SCALE
        h = np.empty((SIZE, y.size))
        h[0] = np.exp(-0.5 * z**2) / np.sqrt(SCALE * np.sqrt(np.pi))
        h[1] = np.sqrt(2.0) * z * h[0]
        for k in range(2, SIZE):
            h[k] = np.sqrt(2.0 / k) * z * h[k - 1] - np.sqrt((k - 1.0) / k) * h[k - 2]
        return h[:KEPT]

    def energy(y: np.ndarray) -> np.ndarray:
        return 0.25 * y**4 - 0.5 * y**2

    k = np.arange(1.0, SIZE)
    X = SCALE * (np.diag(np.sqrt(k / 2.0), 1) + np.diag(np.sqrt(k / 2.0), -1))
    P = (np.diag(np.sqrt(k / 2.0), 1) - np.diag(np.sqrt(k / 2.0), -1)) / SCALE  # d/dx
    X2 = X @ X
    force = X2 @ X - X
    H = -D * P @ P + force @ force / (4.0 * D) - 0.5 * (3.0 * X2 - np.eye(SIZE))
    values, Q = np.linalg.eigh(H[:KEPT, :KEPT])
    overlap = Q.T @ functions(nodes) * np.exp(energy(nodes) / (2.0 * D)) @ weights
    return np.exp(-energy(x) / (2.0 * D)) * ((np.exp(-values * t) * overlap) @ (Q.T @ functions(x)))


def harmonic(x: np.ndarray, t: float, D: float, mean: float, variance: float) -> np.ndarray:
    """Density at ``x`` and time ``t`` in V = x^2/2, from a Gaussian."""
    mean = mean * np.exp(-t)
    variance = D + (variance - D) * np.exp(-2.0 * t)
    return np.exp(-((x - mean) ** 2) / (2.0 * variance)) / np.sqrt(2.0 * np.pi * variance)
