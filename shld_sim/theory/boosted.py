"""Exact law of noisy descent whose noise is raised where C is small, on an interval: how many are still inside after n steps."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.potentials import Potential

Array = NDArray[np.float64]


def descent_survival(
    potential: Potential,
    x0: float,
    domain: tuple[float, float],
    eta: float,
    D: float,
    n_steps: int,
    *,
    dt: float | None = None,
    boost: float = 1.0,
    threshold: float = 0.5,
    window: int = 10,
    warm_up: int = 50,
) -> Array:
    r"""Return the probability that the chain :math:`x' = x - \eta V'(x) + \sqrt{2 D\,dt}\,\xi` is inside after 0, 1, ... steps.

    D is multiplied by ``boost`` for ``window`` steps wherever :math:`V'^2/D` lies below ``threshold`` after the step number
    ``warm_up`` and no window is open. The pairs (position, steps left in the window) are a Markov chain with Gaussian
    transitions; its densities are carried from step to step by Gauss-Legendre quadrature, with panels that end where the
    ratio crosses the threshold: no error of a time step, for it is the chain's own law.

    Parameters
    ----------
    potential : Potential
        One-dimensional landscape.
    x0 : float
        Start, inside the domain.
    domain : tuple of float
        ``(low, high)``, finite; a chain is out when it stands beyond after a step. Put the end that does not matter where
        it is never reached.
    eta : float
        Step.
    D : float
        Noise before any boost.
    n_steps : int
        Number of steps.
    dt : float, optional
        Time per step in the amplitude of the noise. Default: ``eta``, which makes D the temperature.
    boost, threshold, window, warm_up : float, float, int, int
        The rule; ``boost = 1`` is none.

    Returns
    -------
    ndarray, shape (n_steps + 1,)
        Probability to be inside at the time of each step up to this one; 1 at first.

    Raises
    ------
    ValueError
        If an argument is out of range, or the domain is so wide for the noise that more than 4000 nodes would be needed.
    """
    if potential.dim != 1:
        raise ValueError(f"potential must have 1 coordinate, got {potential.dim}: {potential!r}")
    low, high = _checks.interval("domain", domain)
    start, eta, D = _checks.number("x0", x0), _checks.positive("eta", eta), _checks.positive("D", D)
    if not (math.isfinite(low) and math.isfinite(high) and low < start < high):
        raise ValueError(f"domain must be finite and hold x0 = {start!r}, got ({low!r}, {high!r})")
    n_steps, window = _checks.integer("n_steps", n_steps, 0), _checks.integer("window", window)
    dt = eta if dt is None else _checks.positive("dt", dt)
    boost = _checks.number("boost", boost)
    if boost < 1.0:
        raise ValueError(f"boost must be at least 1, got {boost!r}")
    width = math.sqrt(2.0 * D * dt)
    x, weights = _nodes(potential, low, high, width, threshold * D if boost > 1.0 else -1.0)
    place = np.concatenate([[start], x])
    slope = np.asarray(potential.gradient(place))
    calm = _kernel(place - eta * slope, x, width) * weights
    if boost == 1.0:
        return _without(calm, n_steps)
    wild = _kernel(place - eta * slope, x, width * math.sqrt(boost)) * weights
    raised = slope**2 / D < threshold
    mixed = np.where(raised[:, None], 0.0, calm), np.where(raised[:, None], wild, 0.0)
    # mass at each node, for 0 ... window - 1 steps left; row 0 of the kernels is the start, left after the first step
    mass = np.zeros((window, len(place)))
    mass[0, 0] = 1.0
    inside = np.ones(n_steps + 1)
    for k in range(n_steps):
        new = np.zeros_like(mass)
        if k > warm_up:
            new[0, 1:] = mass[0] @ mixed[0]
            new[window - 1, 1:] += mass[0] @ mixed[1]
        else:
            new[0, 1:] = mass[0] @ calm
        if window > 1:
            new[:-1, 1:] += mass[1:] @ wild
        mass = new
        inside[k + 1] = mass.sum()
    return inside


def _without(kernel: Array, n_steps: int) -> Array:
    """Return the probabilities to be inside when the noise is constant."""
    inside, mass = np.ones(n_steps + 1), kernel[0]
    for k in range(n_steps):
        inside[k + 1] = mass.sum()
        mass = mass @ kernel[1:]
    return inside


def _kernel(mean: Array, x: Array, width: float) -> Array:
    """Return the density at x of a normal variable with that mean and width, shape (means, x)."""
    return np.exp(-0.5 * ((x - mean[:, None]) / width) ** 2) / (width * math.sqrt(2.0 * math.pi))


def _nodes(potential: Potential, low: float, high: float, width: float, level: float) -> tuple[Array, Array]:
    """Return nodes and weights of panels that end where ``V'^2`` crosses the level, about two nodes to a width."""
    from scipy.optimize import brentq

    def excess(x: Any) -> Any:
        return potential.gradient(x) ** 2 - level

    fine = np.linspace(low, high, 2001)
    cuts = [low, high]
    if level > 0.0:
        sign = np.sign(excess(fine))
        for i in np.flatnonzero(sign[1:] != sign[:-1]):
            cuts.append(float(brentq(excess, fine[i], fine[i + 1], xtol=1e-14)))
    ends = np.unique(cuts)
    counts = [16 + math.ceil(2.0 * (b - a) / width) for a, b in itertools.pairwise(ends.tolist())]
    if sum(counts) > 4000:
        raise ValueError(f"domain must be narrower for noise of width {width:.6g} a step: {sum(counts)} nodes needed")
    x, weights = [], []
    for (a, b), n in zip(itertools.pairwise(ends.tolist()), counts, strict=True):
        s, w = np.polynomial.legendre.leggauss(n)
        x.append(a + 0.5 * (b - a) * (s + 1.0))
        weights.append(0.5 * (b - a) * w)
    nodes = np.concatenate(x)
    return nodes, np.concatenate(weights)


def mean_exit_steps(potential: Potential, x0: float, domain: tuple[float, float], eta: float, D: float) -> float:
    r"""Return the mean number of steps that the chain :math:`x' = x - \eta V'(x) + \sqrt{2 D \eta}\,\xi` takes to leave.

    From :math:`T = 1 + K T` with the Gaussian kernel K on Gauss-Legendre nodes. As ``eta`` falls, ``eta T`` tends to the mean
    exit time of the equation, from above: the chain is watched at steps only.

    Parameters
    ----------
    potential : Potential
        One-dimensional landscape.
    x0 : float
        Start, inside the domain.
    domain : tuple of float
        ``(low, high)``, finite.
    eta : float
        Step.
    D : float
        Temperature.

    Returns
    -------
    float
        Mean number of steps.

    Raises
    ------
    ValueError
        As `descent_survival`.
    """
    low, high = _checks.interval("domain", domain)
    start, eta, noise = _checks.number("x0", x0), _checks.positive("eta", eta), _checks.positive("D", D)
    if potential.dim != 1 or not (math.isfinite(low) and math.isfinite(high) and low < start < high):
        raise ValueError(f"domain must be a finite interval about x0 = {start!r} on the line, got ({low!r}, {high!r})")
    width = math.sqrt(2.0 * noise * eta)
    x, weights = _nodes(potential, low, high, width, -1.0)
    place = np.concatenate([[start], x])
    kernel = _kernel(place - eta * np.asarray(potential.gradient(place)), x, width) * weights
    later = np.linalg.solve(np.eye(len(x)) - kernel[1:], np.ones(len(x)))
    return float(1.0 + kernel[0] @ later)
