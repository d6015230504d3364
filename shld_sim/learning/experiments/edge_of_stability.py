"""The edge of stability: descent sharpens the loss until 2/eta, and noise makes the edge lie at 2p/eta or a little above it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks, theory
from shld_sim._seeds import child
from shld_sim.diagnostics import largest_eigenvalue
from shld_sim.learning.experiments.signals import Signals, descend, signals
from shld_sim.learning.networks import Network, Perceptron, SquaredError
from shld_sim.learning.optimisers import Descent
from shld_sim.learning.tasks import Task, graph_distance

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EdgeOfStability:
    r"""A descent with a fixed step, and at m of its steps what decides whether the loss falls.

    Attributes
    ----------
    eta : float
        Step.
    batch : int or None
        Examples per step, drawn with replacement; None for all of them.
    loss : ndarray, shape (steps // 10 + 1,)
        Loss of all examples at the beginning and after every ten steps.
    steps : ndarray of int, shape (m,)
        Steps made where the following was measured.
    lmax : ndarray, shape (m,)
        Largest eigenvalue of the Hessian of the loss of all examples, by Lanczos' iteration.
    p : ndarray, shape (m,)
        ``p`` of the gradient of this step; 1 without batches.
    signals : Signals
        Signal and noise of one example.
    bound : ndarray, shape (m,)
        ``2p/lmax``: below it the expected loss falls.
    threshold : ndarray, shape (m,)
        ``eta* = 2 |mu|^2/(mu.H mu + tr(H S))``: to second order the expected loss falls iff the step is below it. Infinite
        where the second order does not oppose.
    predicted : ndarray, shape (m,)
        Expected change of the loss over the step ``eta`` to second order.
    change : ndarray, shape (m, 2)
        The change measured, mean over ``draws`` batches drawn for it, and its standard error; without batches the change
        itself, and 0.
    multiples : tuple of float
        Steps tried at each of these parameters, in units of ``eta*``.
    trials : ndarray, shape (m, k, 2)
        Change of the loss measured over these steps, and its standard error, in units of the gain of the best step to second
        order, ``eta* |mu|^2/4``. To second order a step of ``f eta*`` has ``4f(f - 1)``. ``nan`` where ``eta*`` is infinite.
    """

    eta: float
    batch: int | None
    loss: Array
    steps: NDArray[np.int64]
    lmax: Array
    p: Array
    signals: Signals
    bound: Array
    threshold: Array
    predicted: Array
    change: Array
    multiples: tuple[float, ...]
    trials: Array


def edge_of_stability(
    eta: float = 0.2,
    batch: int | None = None,
    *,
    steps: int = 1000,
    every: int = 50,
    after: int = 0,
    draws: int = 200,
    multiples: tuple[float, ...] = (0.5, 1.0, 2.0),
    n_nodes: int = 12,
    embedding: int = 4,
    hidden: int = 16,
    seed: int | np.random.SeedSequence = 0,
) -> EdgeOfStability:
    r"""Descend with a fixed step on half the squared error of a small perceptron, and watch the edge of stability.

    On a quadratic descent is stable for ``eta lmax < 2``. Networks sharpen until they are there, and hover. With batches the
    expected loss falls for ``eta lmax < 2p``, and to second order exactly for
    :math:`\eta < \eta^* = 2|\mu|^2/(\mu^T H\mu + \mathrm{tr}(H S))`.

    Parameters
    ----------
    eta : float
        Step, positive.
    batch : int, optional
        Examples per step; all of them if not given.
    steps : int
        Number of steps.
    every : int
        Steps between measurements.
    after : int
        Step of the first measurement.
    draws : int
        Batches drawn for the mean change of the loss at each of them.
    multiples : tuple of float
        Further steps whose change is measured, in units of ``eta*``.
    n_nodes : int
        The task is the distance in a ring of so many nodes with a third as many chords.
    embedding, hidden : int
        Size of the `Perceptron`.
    seed : int or numpy.random.SeedSequence
        Seed of task, first parameters and batches.

    Returns
    -------
    EdgeOfStability
        The course of the descent.

    Raises
    ------
    ValueError
        If an argument is out of range.
    FloatingPointError
        If the parameters leave the finite numbers.

    References
    ----------
    J. M. Cohen, S. Kaur, Y. Li, J. Z. Kolter, A. Talwalkar, "Gradient descent on neural networks typically occurs at the edge of
    stability", ICLR 2021, arXiv:2103.00065.
    """
    eta, every, draws = (
        _checks.positive("eta", eta),
        _checks.integer("every", every),
        _checks.integer("draws", draws, 2),
    )
    steps, after = _checks.integer("steps", steps), _checks.integer("after", after, 0)
    if after > steps:
        raise ValueError(f"after must be at most steps = {steps}, got {after}")
    size = None if batch is None else _checks.integer("batch", batch)
    task = graph_distance(n_nodes, n_nodes // 3, 0.5, child(seed, 0))
    network = Perceptron(n_nodes, task.n_outputs, embedding, (hidden,), loss_function=SquaredError())
    walk, measure = np.random.default_rng(child(seed, 2)), np.random.default_rng(child(seed, 3))
    start, loss, rows, places, each = network.initial(child(seed, 1)), [], [], [], []
    for k, theta in descend(network, task, start, Descent(eta), steps, batch=size, rng=walk):
        if k % 10 == 0:
            loss.append(network.loss(theta, task.inputs, task.targets))
        if k >= after and (k - after) % every == 0:
            each.append(network.per_sample_gradients(theta, task.inputs, task.targets))
            rows.append(_measured(network, task, theta, each[-1], size, eta, multiples, draws, measure))
            places.append(k)
    lmax, threshold, predicted, change, trials = (np.array(column) for column in zip(*rows, strict=True))
    found = signals(places, each)
    p = np.ones(len(rows)) if size is None else found.p(size)
    course = np.array(loss), found.steps, lmax, p, found
    return EdgeOfStability(eta, size, *course, 2.0 * p / lmax, threshold, predicted, change, tuple(multiples), trials)


def _measured(
    network: Network,
    task: Task,
    theta: Array,
    each: Array,
    batch: int | None,
    eta: float,
    multiples: tuple[float, ...],
    draws: int,
    rng: np.random.Generator,
) -> tuple[float, float, float, tuple[float, float], Array]:
    """Return lmax, eta*, and predicted and measured changes of the loss at these parameters."""

    def product(v: Array) -> Array:
        return network.hessian_vector_product(theta, v, task.inputs, task.targets)

    lmax = largest_eigenvalue(product, theta.size, steps=30).value
    # mu and S lie in the space of the gradients of single examples: H is needed there only
    basis = np.linalg.svd(each, full_matrices=False)[2]
    H = basis @ np.array([product(v) for v in basis]).T
    H, inside = 0.5 * (H + H.T), each @ basis.T
    mu = inside.mean(axis=0)
    S = np.zeros_like(H) if batch is None else np.cov(inside.T, bias=True) / batch
    threshold = theory.step_threshold(mu, S, H)
    g = each.mean(axis=0)[None] if batch is None else each[rng.integers(len(each), size=(draws, batch))].mean(axis=1)

    loss = network.loss(theta, task.inputs, task.targets)

    def change(step: float) -> tuple[float, float]:
        values = np.array([network.loss(theta - step * v, task.inputs, task.targets) for v in g]) - loss
        return float(values.mean()), 0.0 if batch is None else float(values.std(ddof=1) / np.sqrt(draws))

    trials = np.full((len(multiples), 2), np.nan)
    if np.isfinite(threshold):
        trials = np.array([change(f * threshold) for f in multiples]) / (0.25 * threshold * float(mu @ mu))
    return lmax, threshold, theory.one_step_change(mu, S, H, eta), change(eta), trials
