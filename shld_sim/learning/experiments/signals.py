"""Descent that can be watched at every step, and signal and noise of its gradients: what batches of any size make of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.learning.networks import Network
from shld_sim.learning.optimisers import Optimiser
from shld_sim.learning.tasks import Task

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Signals:
    r"""Signal :math:`|\mu|^2` and noise :math:`\mathrm{tr}\,S` of the gradient of one example, at several stages of a training.

    The examples of a batch are drawn from all those to learn from, with replacement: the noise of B of them is exactly
    :math:`\mathrm{tr}\,S/B`, so that :math:`C_B = B\,C_1`. No sampling enters these numbers.

    Attributes
    ----------
    steps : ndarray of int, shape (m,)
        Steps made.
    signal : ndarray, shape (m,)
        Squared norm of the mean gradient.
    noise : ndarray, shape (m,)
        Summed variance of the gradient of one example.
    """

    steps: NDArray[np.int64]
    signal: Array
    noise: Array

    @property
    def C(self) -> Array:
        """Consolidation ratio of one example, shape (m,)."""
        return self.signal / self.noise

    def p(self, batch: float) -> Array:
        """Return ``p = B C_1/(1 + B C_1)`` of batches of ``batch`` examples at every stage.

        Parameters
        ----------
        batch : float
            Size B of the batch.

        Returns
        -------
        ndarray, shape (m,)
            p.
        """
        return batch * self.signal / (batch * self.signal + self.noise)


def signals(steps: Sequence[int], gradients: Sequence[Array]) -> Signals:
    """Return the signals of gradients of all examples, taken at several stages.

    Parameters
    ----------
    steps : sequence of int
        Steps made at each stage.
    gradients : sequence of ndarray, shape (n, d)
        Gradients of all examples at each stage.

    Returns
    -------
    Signals
        Squared norm of the mean gradient and trace of the covariance at each stage.
    """
    means = [g.mean(axis=0) for g in gradients]
    noise = [float(((g - m) ** 2).sum() / len(g)) for g, m in zip(gradients, means, strict=True)]
    return Signals(np.array(steps, np.int64), np.array([float(m @ m) for m in means]), np.array(noise))


def odds_of_batches(gradients: Array, sizes: Sequence[int], draws: Sequence[int], rng: np.random.Generator) -> Array:
    """Return ``|mu|^2/E|g_B - mu|^2`` of batches that are really drawn, with replacement.

    Parameters
    ----------
    gradients : ndarray, shape (n, d)
        Gradients of all examples.
    sizes : sequence of int
        Sizes B of batches.
    draws : sequence of int
        Batches drawn of each size.
    rng : numpy.random.Generator
        Draws them.

    Returns
    -------
    ndarray, shape (len(sizes),)
        Odds p/(1 - p) of each size.
    """
    n, mu = len(gradients), gradients.mean(axis=0)
    rest = gradients - mu
    gram, found = rest @ rest.T, []
    for size, count in zip(sizes, draws, strict=True):
        if size * size < n:
            # |g_B - mu|^2 is the mean of (g_i - mu).(g_j - mu) over all i and j of the batch
            i = rng.integers(n, size=(count, size))
            square = float(gram[i[:, :, None], i[:, None, :]].mean())
        else:
            # the same with weights w_i, which tell how often example i is in the batch, over its size
            i = rng.integers(n, size=(count, size)) + n * np.arange(count)[:, None]
            w = np.bincount(i.ravel(), minlength=n * count).reshape(count, n) / size
            square = float(((w @ gram) * w).sum() / count)
        found.append(float(mu @ mu) / square)
    return np.array(found)


def descend(
    network: Network,
    task: Task,
    theta: Array,
    optimiser: Optimiser,
    steps: int,
    *,
    batch: int | None,
    rng: np.random.Generator,
    mask: Array | None = None,
) -> Iterator[tuple[int, Array]]:
    """Yield steps made and parameters, before the first step and after every one.

    Parameters
    ----------
    network, task : Network, Task
        What is trained, and on what.
    theta : ndarray, shape (n_parameters,)
        First parameters.
    optimiser : Optimiser
        Makes the steps.
    steps : int
        Number of steps.
    batch : int or None
        Examples per step, drawn with replacement; None for all of them.
    rng : numpy.random.Generator
        Draws the batches.
    mask : ndarray, shape (n_parameters,), optional
        1 for a parameter that is there, 0 for one that is not: it stays zero.

    Yields
    ------
    tuple of int and ndarray
        Steps made and parameters.
    """
    x, y = task.inputs, task.targets
    there: Any = 1.0 if mask is None else mask
    theta = theta * there
    yield 0, theta
    for k in range(steps):
        chosen = slice(None) if batch is None else rng.integers(len(x), size=batch)
        theta = optimiser.step(theta, network.gradient(theta, x[chosen], y[chosen]) * there)
        yield k + 1, theta


def measured_descent(
    network: Network,
    task: Task,
    start: Array,
    optimiser: Optimiser,
    steps: int,
    stages: int,
    *,
    batch: int | None,
    rng: np.random.Generator,
    mask: Array | None = None,
) -> tuple[Array, Array, Signals, Array]:
    """Train by `descend`, and measure losses and gradients of all examples at the beginning and at equally distant steps.

    Parameters
    ----------
    network, task, start, optimiser, batch, rng, mask
        As for `descend`.
    steps : int
        Number of steps, a multiple of ``stages``.
    stages : int
        Number of measurements after the first.

    Returns
    -------
    theta : ndarray, shape (n_parameters,)
        Parameters at the end.
    losses : ndarray, shape (stages + 1,)
        Mean loss of all examples.
    found : Signals
        Signal and noise of one example.
    last : ndarray, shape (n, n_parameters)
        Gradients of all examples at the end.

    Raises
    ------
    ValueError
        If ``steps`` is no multiple of ``stages``.
    """
    stages = _checks.integer("stages", stages)
    if _checks.integer("steps", steps) % stages:
        raise ValueError(f"steps must be a multiple of stages = {stages}, got {steps}")
    there: Any = 1.0 if mask is None else mask
    places, losses, each = [], [], []
    for k, theta in descend(network, task, start, optimiser, steps, batch=batch, rng=rng, mask=mask):
        if k % (steps // stages) == 0:
            places.append(k)
            losses.append(network.loss(theta, task.inputs, task.targets))
            each.append(network.per_sample_gradients(theta, task.inputs, task.targets) * there)
    return theta, np.array(losses), signals(places, each), each[-1]
