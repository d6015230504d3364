"""Numerical errors of Euler's chain on the line: the chain's own law by quadrature, and its bias at rest to first order."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import theory
from shld_sim.models import Langevin

Array = NDArray[np.float64]


def bias_at_rest(model: Langevin, function: Callable[[Array], Any], dt: float) -> float:
    """Return twice the first-order bias of a mean under the stationary law of Euler's chain, ``2 |dt Cov(f, g)|``.

    One step changes the mean of f by ``dt L f + dt^2 A f``, ``A f = b^2 f''/2 + D b f''' + D^2 f''''/2``, with b = -V'. A
    density ``p (1 + dt g)``, p that of Gibbs, is stationary if ``D (p g')' = -A* p = (D/2) (b' p)''``, hence
    ``g' = (b'' + b b'/D)/2`` and ``g = V'^2/(4D) - V''/2`` up to a constant. Twice, for the orders beyond.

    Parameters
    ----------
    model : Langevin
        One-dimensional dynamics with constant D.
    function : callable
        The observable f.
    dt : float
        Step of the chain.
    """
    V, D = model.potential, float(model.D)  # type: ignore[arg-type]

    def shift(x: Array) -> Any:
        return np.asarray(V.gradient(x)) ** 2 / (4.0 * D) - 0.5 * np.asarray(V.hessian(x)).reshape(np.shape(x))

    f, g = (theory.gibbs_expectation(model, h) for h in (function, shift))
    both = theory.gibbs_expectation(model, lambda x: np.asarray(function(x)) * shift(x))
    return 2.0 * dt * abs(float(both) - float(f) * float(g))


def law(
    drift: Callable[[Array], Any], noise: Callable[[Array], Any], x: Array, start: ArrayLike, dt: float, n_steps: int
) -> Array:
    """Return the probabilities that Euler's chain gives the nodes x after some steps: rows of its transition matrix.

    The trapezoidal rule is exact to rounding where a step is wider than about 1.5 nodes.

    Parameters
    ----------
    drift, noise : callable
        ``b`` and ``B`` of ``x' = x + b dt + B sqrt(dt) xi``.
    x : ndarray, shape (n,)
        Equally spaced nodes, over all of the law.
    start : array_like, shape () or (k,)
        First points.
    dt : float
        Step.
    n_steps : int
        Number of steps.

    Returns
    -------
    ndarray, shape (k, n)
    """

    def kernel(y: Array) -> Array:
        width = (np.asarray(noise(y)) * math.sqrt(dt) + np.zeros_like(y))[:, None]
        z = (x - (y + np.asarray(drift(y)) * dt)[:, None]) / width
        return np.asarray(np.exp(-0.5 * z * z) * ((x[1] - x[0]) / math.sqrt(2.0 * math.pi)) / width)

    first = kernel(np.atleast_1d(np.asarray(start, dtype=float)))
    return np.asarray(first @ np.linalg.matrix_power(kernel(x), n_steps - 1))


def step_error(model: Langevin, x: Array, start: ArrayLike, dt: float, n_steps: int) -> Array:
    """Return the law of Euler's chain at nodes less that with twice the step, at the same time, shape (starts, nodes)."""
    D = float(model.D)  # type: ignore[arg-type]
    one, two = (
        law(lambda y: -model.potential.gradient(y), lambda y: math.sqrt(2.0 * D), x, start, h, n)
        for h, n in ((dt, n_steps), (2.0 * dt, n_steps // 2))
    )
    return np.asarray(one - two)
