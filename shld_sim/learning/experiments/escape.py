"""Escape from a poor minimum by the noise of minibatches: one sine unit that has to find a frequency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from shld_sim import _checks
from shld_sim._seeds import child
from shld_sim.learning.tasks import Task
from shld_sim.theory import tabulated_exit_time

Array = NDArray[np.float64]
WALL = 2.0  # a run is out when it has passed this frequency: well behind the barrier near 1
LEFT = -3.0  # tables begin here, twice the height of the barrier or more above the poor minimum


@dataclass(frozen=True, eq=False)
class Escape:
    """Escapes of one unit for pairs (step, batch), all on one data set.

    Attributes
    ----------
    eta : ndarray, shape (m,)
        Steps.
    batch : ndarray of int, shape (m,)
        Examples per step, drawn with replacement; 0 stands for all of them, without chance.
    escaped : ndarray of int, shape (m, runs)
        Step at which a run was out, -1 if it was not by ``max_steps``.
    mean_steps, stderr : ndarray, shape (m,)
        Mean number of steps, by maximum likelihood of an exponential law if some runs did not get out (infinite if none did),
        and its standard error.
    diffusion_steps : ndarray, shape (m,)
        The same by the diffusion approximation on this data set; infinite without noise.
    task : Task
        The data set.
    max_steps : int
        Steps after which a run was given up.
    seed : int or numpy.random.SeedSequence
        Seed of data and batches.
    """

    eta: Array
    batch: NDArray[np.int64]
    escaped: NDArray[np.int64]
    mean_steps: Array
    stderr: Array
    diffusion_steps: Array
    task: Task
    max_steps: int
    seed: int | np.random.SeedSequence


def sine_unit(theta: ArrayLike, task: Task) -> tuple[Array, Array, Array]:
    r"""Return loss, gradient and variance of the gradient of :math:`f(u) = \sin(\theta u)` with half the squared error.

    Parameters
    ----------
    theta : array_like, shape (m,)
        Frequencies.
    task : Task
        Inputs u and targets, shape (n, 1).

    Returns
    -------
    loss, gradient, variance : ndarray, shape (m,)
        Means over the examples, and the variance over the examples of the gradient of one.

    Raises
    ------
    ValueError
        If ``theta`` is not finite.
    """
    losses, gradients = _unit(
        np.atleast_1d(_checks.finite_array("theta", theta))[:, None], task.inputs[:, 0], task.targets[:, 0]
    )
    return losses.mean(axis=1), gradients.mean(axis=1), gradients.var(axis=1)


def escape(
    settings: Sequence[tuple[float, int]],
    *,
    n_samples: int = 200,
    frequency: float = 3.0,
    noise: float = 0.3,
    runs: int = 100,
    max_steps: int = 20_000,
    seed: int | np.random.SeedSequence = 0,
) -> Escape:
    r"""Start a sine unit at 0, where it is silent, and count the steps until minibatch noise has carried it over the barrier.

    For :math:`y = \sin(\omega u) + \text{noise}\,\xi` with normal u the loss of :math:`\sin(\theta u)` has a good minimum at the
    frequency and a poor one near 0, where the unit says nothing; gradient descent stays there. In time t = eta times the
    number of steps minibatches make it :math:`d\theta = -L'\,dt + \sqrt{\eta S(\theta)/B}\,dW` (Ito), S the variance of the
    gradient of one example: the mean exit time is then `theory.tabulated_exit_time`, a function of eta/B. That is right for
    the variance and not for the tails of the noise, of which rare escapes are made, however small the step: see
    `escape_barriers`. For batches of one `chain_escape_steps` is exact.

    Parameters
    ----------
    settings : sequence of (float, int)
        Pairs of step and batch size; 0 for all examples.
    n_samples : int
        Number of examples.
    frequency : float
        What has to be found, above 2.5 and at most 4.
    noise : float
        Standard deviation of the noise on the targets, not negative.
    runs : int
        Runs for each pair.
    max_steps : int
        Steps after which a run is given up.
    seed : int or numpy.random.SeedSequence
        Seed of data and batches.

    Returns
    -------
    Escape
        Steps until out, and prediction.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    References
    ----------
    Z. Xie, I. Sato, M. Sugiyama, ICLR 2021, arXiv:2002.03495 (escape as a diffusion with D = eta S/(2B)).
    """
    n, runs, limit = (
        _checks.integer("n_samples", n_samples, 10),
        _checks.integer("runs", runs, 2),
        _checks.integer("max_steps", max_steps),
    )
    omega, sigma = _checks.number("frequency", frequency), _checks.nonnegative("noise", noise)
    if not 2.5 < omega <= 4.0:
        raise ValueError(
            f"frequency must be above 2.5 and at most 4, so that 2 lies between the minima, got {frequency!r}"
        )
    pairs = [(_checks.positive("eta", eta), _checks.integer("batch", B, 0)) for eta, B in settings]
    data = np.random.default_rng(child(seed, 0))
    u = data.standard_normal((n, 1))
    y, test = np.sin(omega * u) + sigma * data.standard_normal((n, 1)), data.standard_normal((n, 1))
    task = Task("one frequency", u, y, test, np.sin(omega * test), 0, 1)
    grid = np.linspace(LEFT, WALL, 2001)
    _, slope, variance = sine_unit(grid, task)
    found = []
    for i, (eta, B) in enumerate(pairs):
        # without chance all runs are one
        out = np.resize(
            _escaped(task, eta, B, runs if B else 1, limit, np.random.default_rng(child(seed, 1 + i))), runs
        )
        gone = out >= 0
        total, k = float(np.where(gone, out, limit).sum()), int(gone.sum())
        mean = total / k if k else np.inf
        error = float(out.std(ddof=1)) / np.sqrt(runs) if k == runs else mean / np.sqrt(k) if k else np.inf
        times = tabulated_exit_time(grid, -slope, eta * variance / B) if B else np.full(grid.shape, np.inf)
        found.append((out, mean, error, float(np.interp(0.0, grid, times)) / eta if B else np.inf))
    escaped, means, errors, predicted = (np.array(column) for column in zip(*found, strict=True))
    eta_all, B_all = np.array([eta for eta, _ in pairs]), np.array([B for _, B in pairs], dtype=np.int64)
    return Escape(eta_all, B_all, escaped, means, errors, predicted, task, limit, seed)


def escape_barriers(task: Task) -> tuple[float, float]:
    r"""Return the barriers W in :math:`\ln T \sim (B/\eta) W` out of the poor minimum: by diffusion, and exactly.

    .. math:: W_{\mathrm{diffusion}} = \int \frac{2 L'}{S}\,d\theta,\qquad
       W = \int q\,d\theta,\quad \frac1n\sum_i e^{-q g_i(\theta)} = 1,\ q > 0,

    both over the slope from the minimum to the top. The step does not appear: :math:`q \approx 2L'/S` up to the third
    cumulant of the gradients, which does not become less important with smaller steps.

    Parameters
    ----------
    task : Task
        Data set, as in `Escape`.

    Returns
    -------
    diffusion, exact : float
        Barriers; in units of B/eta.

    Raises
    ------
    ValueError
        If no slope rises between 0 and the wall.

    References
    ----------
    M. I. Freidlin, A. D. Wentzell, Random Perturbations of Dynamical Systems, 3rd ed., Springer 2012, chapter 5.
    """
    grid = np.linspace(-0.5, WALL, 1001)
    _, slope, variance = sine_unit(grid, task)
    bottom = int(np.argmin(np.where(grid < 0.7, sine_unit(grid, task)[0], np.inf)))
    falls = np.flatnonzero(slope[bottom + 1 :] < 0.0)
    if len(falls) == 0 or falls[0] == 0:
        raise ValueError("task must have a barrier between 0 and the wall, the loss rises or falls all the way")
    up = slice(bottom + 1, bottom + 1 + int(falls[0]))
    _, g = _unit(grid[up, None], task.inputs[:, 0], task.targets[:, 0])
    q = np.array([_tilt(each) for each in g])
    width = grid[1] - grid[0]
    return float(np.sum(2.0 * slope[up] / variance[up]) * width), float(np.sum(q) * width)


def chain_escape_steps(task: Task, eta: float, cells: int = 1000) -> float:
    r"""Return the mean number of steps until a sine unit that starts at 0 is out, for batches of one, exactly but for the grid.

    :math:`T(\theta) = 1 + \frac1n\sum_i T(\theta - \eta g_i(\theta))` below the wall and T = 0 behind it, solved on a grid with
    linear interpolation: error of second order in the spacing.

    Parameters
    ----------
    task : Task
        Data set, as in `Escape`.
    eta : float
        Step, positive.
    cells : int
        Number of intervals of the grid.

    Returns
    -------
    float
        Mean number of steps.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    eta, cells = _checks.positive("eta", eta), _checks.integer("cells", cells, 10)
    grid = np.linspace(LEFT, WALL, cells + 1)
    _, g = _unit(grid[:, None], task.inputs[:, 0], task.targets[:, 0])
    to = np.maximum(grid[:, None] - eta * g, LEFT)
    place = (to - LEFT) / (WALL - LEFT) * cells
    low = np.minimum(place.astype(np.int64), cells - 1)
    part = place - low
    P, rows = np.zeros((cells + 1, cells + 1)), np.broadcast_to(np.arange(cells + 1)[:, None], low.shape)
    inside = to < WALL
    for column, weight in ((low, 1.0 - part), (low + 1, part)):
        np.add.at(P, (rows[inside], column[inside]), weight[inside] / g.shape[1])
    # T = 1 + P T below the wall
    T = np.linalg.solve(np.eye(cells) - P[:-1, :-1], np.ones(cells))
    return float(np.interp(0.0, grid, np.append(T, 0.0)))


def _unit(theta: Array, u: Array, y: Array) -> tuple[Array, Array]:
    """Return loss and gradient of each example."""
    r = np.sin(theta * u) - y
    # d/dtheta (sin(theta u) - y)^2/2 = (sin(theta u) - y) u cos(theta u)
    return 0.5 * r * r, r * u * np.cos(theta * u)


def _tilt(g: Array) -> float:
    """Return the q > 0 with ``mean exp(-q g) = 1``, for numbers of positive mean, some of them negative."""

    def excess(q: float) -> float:
        return float(np.log(np.mean(np.exp(-q * g))))

    high = 2.0 * float(g.mean() / g.var())
    while excess(high) <= 0.0:
        high *= 2.0
    low = high
    while excess(low) >= 0.0:
        low *= 0.5
    return float(brentq(excess, low, high, xtol=1e-12))


def _escaped(task: Task, eta: float, B: int, runs: int, limit: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the step at which each run was first out, -1 if never."""
    u, y = task.inputs[:, 0], task.targets[:, 0]
    out, active, theta = np.full(runs, -1, dtype=np.int64), np.arange(runs), np.zeros(runs)
    for step in range(1, limit + 1):
        if B:
            chosen = rng.integers(len(u), size=(len(theta), B))
            g = _unit(theta[:, None], u[chosen], y[chosen])[1].mean(axis=1)
        else:
            g = _unit(theta[:, None], u, y)[1].mean(axis=1)
        theta = theta - eta * g
        gone = theta >= WALL
        if gone.any():
            out[active[gone]] = step
            active, theta = active[~gone], theta[~gone]
            if not len(active):
                break
    return out
