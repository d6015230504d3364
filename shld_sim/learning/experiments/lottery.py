"""Lottery tickets: train, keep the largest weights, wind back to the beginning and train again; against random tickets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim._seeds import child
from shld_sim.learning.experiments.signals import Signals, measured_descent, odds_of_batches
from shld_sim.learning.networks import Network, Perceptron
from shld_sim.learning.optimisers import Descent
from shld_sim.learning.tasks import Task, comparison

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Ticket:
    """A network of which some weights are left out, trained.

    Attributes
    ----------
    kept : int
        Parameters that are there.
    train_accuracy, test_accuracy : float
        Shares of labels found at the end.
    loss : ndarray, shape (m,)
        Loss of all examples to learn from at each stage.
    signals : Signals
        Signal and noise of one example at each stage, in the parameters that are there.
    odds : ndarray, shape (k,)
        Odds ``p/(1 - p)`` of batches drawn at the end, one for each of the sizes asked for.
    """

    kept: int
    train_accuracy: float
    test_accuracy: float
    loss: Array
    signals: Signals
    odds: Array


@dataclass(frozen=True, eq=False)
class Lottery:
    """Three trainings from the same first parameters.

    Attributes
    ----------
    keep : float
        Share of the weights of every layer in a ticket.
    batch : int
        Examples per step.
    sizes : tuple of int
        Sizes of the batches whose odds were measured.
    full : Ticket
        The whole network.
    winning : Ticket
        Its weights that were largest at the end of that training, wound back to their first values and trained again.
    random : Ticket
        As many weights of every layer chosen at random, with the same first values, trained likewise.
    """

    keep: float
    batch: int
    sizes: tuple[int, ...]
    full: Ticket
    winning: Ticket
    random: Ticket


def lottery(
    keep: float = 0.2,
    *,
    eta: float = 0.5,
    batch: int = 32,
    steps: int = 200,
    stages: int = 10,
    sizes: Sequence[int] = (2, 32, 512),
    draws: Sequence[int] = (8000, 1000, 1000),
    n_symbols: int = 20,
    train_fraction: float = 0.4,
    embedding: int = 8,
    hidden: int = 32,
    seed: int | np.random.SeedSequence = 0,
) -> Lottery:
    """Draw a winning and a random ticket for the comparison of integers, and measure accuracies and gradients of both.

    Parameters
    ----------
    keep : float
        Share of the weights of every layer that a ticket keeps, in (0, 1); biases are kept.
    eta : float
        Step, positive.
    batch : int
        Examples per step, drawn with replacement.
    steps : int
        Steps of each training, a multiple of ``stages``.
    stages : int
        The gradients are measured at the beginning and at so many equally distant steps.
    sizes : sequence of int
        Sizes of batches that are drawn at the end, to measure their odds.
    draws : sequence of int
        Batches drawn of each size.
    n_symbols, train_fraction : int, float
        Of the task, `comparison`.
    embedding, hidden : int
        Size of the `Perceptron`; its loss is the cross-entropy.
    seed : int or numpy.random.SeedSequence
        Seed of task, first parameters, batches and the random ticket.

    Returns
    -------
    Lottery
        The three trainings.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    J. Frankle, M. Carbin, "The lottery ticket hypothesis: finding sparse, trainable neural networks", ICLR 2019,
    arXiv:1803.03635.
    """
    keep = _checks.probability("keep", keep)
    task = comparison(n_symbols, train_fraction, child(seed, 0))
    network = Perceptron(n_symbols, task.n_outputs, embedding, (hidden,))
    start, chance = network.initial(child(seed, 1)), np.random.default_rng(child(seed, 2))

    def trained(part: int, mask: Array) -> tuple[Array, Ticket]:
        rng = np.random.default_rng(child(seed, part))
        theta, losses, found, last = measured_descent(
            network, task, start, Descent(eta), steps, stages, batch=batch, rng=rng, mask=mask
        )
        odds = odds_of_batches(last, sizes, draws, np.random.default_rng(child(seed, part + 10)))
        right = _accuracies(network, task, theta)
        return theta, Ticket(int(mask.sum()), *right, losses, found, odds)

    end, full = trained(3, np.ones_like(start))
    winning = trained(4, ticket(network, np.abs(end), keep))[1]
    random = trained(5, ticket(network, chance.random(len(start)), keep))[1]
    return Lottery(keep, batch, tuple(sizes), full, winning, random)


def ticket(network: Network, score: Array, keep: float) -> Array:
    """Return a mask that keeps the weights of highest score, the same share of every layer, and all biases.

    Parameters
    ----------
    network : Network
        Its parts named ``bias...`` are kept.
    score : ndarray, shape (n_parameters,)
        Score of every parameter.
    keep : float
        Share of the weights that are kept, in (0, 1); one of each layer at least.

    Returns
    -------
    ndarray, shape (n_parameters,)
        1 for parameters that are kept, else 0.
    """
    mask = np.zeros(network.n_parameters)
    parts = network.views(mask)
    for name, values in network.views(score).items():
        if name.startswith("bias"):
            parts[name][:] = 1.0
        else:
            best = np.argsort(values, axis=None)[::-1][: max(1, round(keep * values.size))]
            parts[name].reshape(-1)[best] = 1.0
    return mask


def _accuracies(network: Network, task: Task, theta: Array) -> tuple[float, float]:
    return (
        network.accuracy(theta, task.inputs, task.targets),
        network.accuracy(theta, task.test_inputs, task.test_targets),
    )
