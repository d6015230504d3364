"""Flat and sharp minima: where descent with small and with large batches comes to rest, and what p is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim._seeds import child
from shld_sim.diagnostics import largest_eigenvalue
from shld_sim.learning.experiments.signals import Signals, measured_descent, odds_of_batches
from shld_sim.learning.networks import Perceptron, SquaredError
from shld_sim.learning.optimisers import Descent
from shld_sim.learning.tasks import comparison

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Minimum:
    """Where a training came to rest.

    Attributes
    ----------
    batch : int or None
        Examples per step; None for all of them.
    loss : ndarray, shape (m,)
        Loss of all examples to learn from at each stage.
    train_accuracy, test_accuracy : float
        Shares of labels found at the end.
    lmax : float
        Largest eigenvalue of the Hessian of the loss of all examples at the end.
    trace : float
        Its trace, estimated with random signs.
    signals : Signals
        Signal and noise of one example at each stage.
    sizes : tuple of int
        Sizes of the batches whose odds were measured.
    odds : ndarray, shape (k,)
        Odds ``p/(1 - p)`` of batches drawn at the end, one for each size.
    """

    batch: int | None
    loss: Array
    train_accuracy: float
    test_accuracy: float
    lmax: float
    trace: float
    signals: Signals
    sizes: tuple[int, ...]
    odds: Array

    @property
    def gap(self) -> float:
        """Generalisation gap: share of labels found among the examples less that among the tests."""
        return self.train_accuracy - self.test_accuracy


def flatness(
    batch: int | None = None,
    *,
    eta: float = 0.1,
    steps: int = 400,
    stages: int = 10,
    sizes: Sequence[int] = (2, 32, 512),
    draws: Sequence[int] = (8000, 1000, 1000),
    probes: int = 16,
    n_symbols: int = 16,
    train_fraction: float = 0.4,
    embedding: int = 8,
    hidden: int = 32,
    seed: int | np.random.SeedSequence = 0,
) -> Minimum:
    """Train a perceptron to compare integers with a given size of batch and measure the minimum that it reaches.

    Trainings with the same seed have the same task and the same first parameters; step and number of steps are the same, so
    that only the noise of the batches differs. The loss is half the squared error, whose Hessian does not vanish with the loss.

    Parameters
    ----------
    batch : int, optional
        Examples per step, drawn with replacement; all of them if not given.
    eta : float
        Step, positive.
    steps : int
        Number of steps, a multiple of ``stages``.
    stages : int
        The gradients are measured at the beginning and at so many equally distant steps.
    sizes : sequence of int
        Sizes of batches that are drawn at the end, to measure their odds.
    draws : sequence of int
        Batches drawn of each size.
    probes : int
        Vectors of random signs for the trace.
    n_symbols, train_fraction : int, float
        Of the task, `comparison`.
    embedding, hidden : int
        Size of the `Perceptron`.
    seed : int or numpy.random.SeedSequence
        Seed of task, first parameters and batches.

    Returns
    -------
    Minimum
        Sharpness, accuracies and gradients at the end.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    N. S. Keskar, D. Mudigere, J. Nocedal, M. Smelyanskiy, P. T. P. Tang, "On large-batch training for deep learning:
    generalization gap and sharp minima", ICLR 2017, arXiv:1609.04836. M. F. Hutchinson, Communications in Statistics 18 (1989)
    1059 (trace with random signs).
    """
    probes = _checks.integer("probes", probes)
    task = comparison(n_symbols, train_fraction, child(seed, 0))
    network = Perceptron(n_symbols, task.n_outputs, embedding, (hidden,), loss_function=SquaredError())
    walk, draw = np.random.default_rng(child(seed, 2)), np.random.default_rng(child(seed, 3))
    start = network.initial(child(seed, 1))
    theta, losses, found, last = measured_descent(
        network, task, start, Descent(eta), steps, stages, batch=batch, rng=walk
    )

    def product(v: Array) -> Array:
        return network.hessian_vector_product(theta, v, task.inputs, task.targets)

    signs = draw.choice([-1.0, 1.0], (probes, theta.size))
    return Minimum(
        batch,
        losses,
        network.accuracy(theta, task.inputs, task.targets),
        network.accuracy(theta, task.test_inputs, task.test_targets),
        largest_eigenvalue(product, theta.size, steps=20).value,
        float(np.mean([z @ product(z) for z in signs])),  # E z.H z = tr H
        found,
        tuple(sizes),
        odds_of_batches(last, sizes, draws, draw),
    )
