"""How minibatch noise scales with step and batch: its size per step, the law it keeps, and estimates of its D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks, diagnostics
from shld_sim._seeds import child
from shld_sim.learning.networks import Bowl
from shld_sim.learning.tasks import noisy_quadratic

Array = NDArray[np.float64]
ORDERS = ("replacement", "epochs")


@dataclass(frozen=True, eq=False)
class BatchScaling:
    """Minibatch noise for pairs (step, batch), one row a data set; everything in units of the data set's own variance.

    Attributes
    ----------
    eta : ndarray, shape (m,)
        Steps.
    batch : ndarray of int, shape (m,)
        Examples per step.
    per_step : ndarray, shape (m, data sets)
        Mean square, over steps and coordinates, of a step less its mean, over the variance of one example: ``eta^2/B`` as stated.
    variance : ndarray, shape (m, data sets)
        Mean square distance from the minimum in each coordinate, over the variance of one example; at the ends of epochs if
        there are epochs.
    after : ndarray, shape (m, data sets)
        Mean over coordinates of the way to the minimum that is left when ``examples`` examples have been seen.
    examples : int
        Number of examples after which ``after`` is taken.
    D : ndarray, shape (4, m, data sets)
        Estimates of D, over the variance of one example, in this order: from gradients as stated (half their variance), from the
        path as stated (its variance over its length), from gradients (``eta Var/2``), from the path (quadratic variation
        without drift). In time of one a step for the two as stated, of eta a step for the others.
    order : str
        How batches are drawn.
    n_samples : int
        Examples of a data set.
    curvature : float
        Curvature in every direction.
    seed : int or numpy.random.SeedSequence
        Seed of data and batches.
    """

    eta: Array
    batch: NDArray[np.int64]
    per_step: Array
    variance: Array
    after: Array
    examples: int
    D: Array
    order: str
    n_samples: int
    curvature: float
    seed: int | np.random.SeedSequence


def batch_scaling(
    settings: Sequence[tuple[float, int]],
    *,
    n_samples: int = 512,
    dim: int = 20,
    curvature: float = 1.0,
    data_sets: int = 32,
    order: str = "replacement",
    start: float = 10.0,
    examples: int = 64,
    length: float = 40.0,
    seed: int | np.random.SeedSequence = 0,
) -> BatchScaling:
    r"""Descend on a `Bowl` with minibatches of its examples, for several steps and batch sizes.

    A step is :math:`\theta' = \theta - \eta g_B`, with the mean gradient :math:`g_B` of B examples. One states that it makes
    noise of :math:`D = \eta^2\sigma^2/B` and that :math:`\eta \sim \sqrt B` keeps the dynamics. With draws with replacement the
    mean square of the random part of a step is just that; the law it keeps is `theory.descent_variance`, a function of
    :math:`\eta/B` for small steps. With epochs, each example once in a random order, the noise of an epoch adds up to zero:
    `theory.shuffled_descent_variance`.

    Parameters
    ----------
    settings : sequence of (float, int)
        Pairs of step and batch size.
    n_samples : int
        Examples of a data set; with epochs every batch size must divide it.
    dim : int
        Number of parameters.
    curvature : float
        Curvature in every direction.
    data_sets : int
        Number of data sets, each with its own run for each pair.
    order : {"replacement", "epochs"}
        How batches are drawn.
    start : float
        First distance from the minimum in every coordinate, in standard deviations of one example.
    examples : int
        Number of examples seen when ``after`` is taken; a multiple of every batch size.
    length : float
        Length of the run from which averages are taken, in units of ``1/(eta curvature)``, and at least four epochs; half as
        much goes before.
    seed : int or numpy.random.SeedSequence
        Seed of data and batches.

    Returns
    -------
    BatchScaling
        Measurements.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.
    """
    _checks.one_of("order", order, ORDERS)
    n, d, lam = (
        _checks.integer("n_samples", n_samples, 3),
        _checks.integer("dim", dim),
        _checks.positive("curvature", curvature),
    )
    pairs = [(_checks.positive("eta", eta), _checks.integer("batch", B)) for eta, B in settings]
    sets, first, length = (
        _checks.integer("data_sets", data_sets),
        _checks.number("start", start),
        _checks.positive("length", length),
    )
    for eta, B in pairs:
        if eta * lam >= 2.0:
            raise ValueError(f"eta must be below 2/curvature = {2.0 / lam!r}, got {eta!r}")
        if order == "epochs" and n % B:
            raise ValueError(f"batch must divide n_samples = {n}, got {B}")
        if examples % B:
            raise ValueError(f"examples must be a multiple of every batch, got {examples} for a batch of {B}")
    network = Bowl((lam,) * d)
    tasks = [noisy_quadratic(network.curvatures, 1.0, n, seed=child(seed, i)) for i in range(sets)]
    # the gradients of all examples at theta = 0: a gradient at theta is lam theta more
    at_zero = np.stack([network.per_sample_gradients(np.zeros(d), t.inputs, t.targets) for t in tasks])
    middle, scale = at_zero.mean(axis=1), at_zero.std(axis=1)
    noise = (at_zero - middle[:, None]) / scale[:, None]  # every coordinate in its own units, from the minimum
    found = [
        _run(noise, eta, B, lam, first, order, examples, length, np.random.default_rng(child(seed, sets + i)))
        for i, (eta, B) in enumerate(pairs)
    ]
    per_step, variance, after, D = (np.array(column) for column in zip(*found, strict=True))
    return BatchScaling(
        np.array([eta for eta, _ in pairs]),
        np.array([B for _, B in pairs], dtype=np.int64),
        per_step,
        variance,
        after,
        examples,
        D.transpose(1, 0, 2),
        order,
        n,
        lam,
        seed,
    )


def _run(
    noise: Array,
    eta: float,
    B: int,
    lam: float,
    start: float,
    order: str,
    examples: int,
    length: float,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array, Array]:
    """Return size per step, variance, what is left of the start, and four estimates of D, for every data set."""
    sets, n, d = noise.shape
    epoch = n // B
    steps = int(np.ceil(length / (eta * lam)))
    if order == "epochs":
        steps = epoch * max(-(-steps // epoch), 4)
    before = -(-steps // 2)
    if order == "epochs":
        before = epoch * -(-before // epoch)
    rows = np.arange(sets)[:, None]
    x, path, random = np.full((sets, d), start), np.empty((steps + 1, sets, d)), np.empty((steps, sets, d))
    after = np.ones(sets)
    for k in range(before + steps):
        if order == "replacement":
            chosen = rng.integers(n, size=(sets, B))
        else:
            if k % epoch == 0:
                orders = rng.permuted(np.tile(np.arange(n), (sets, 1)), axis=1)
            chosen = orders[:, k % epoch * B : (k % epoch + 1) * B]
        g = noise[rows, chosen].mean(axis=1)
        if k >= before:
            path[k - before], random[k - before] = x, g
        # x' = x - eta (lam x + noise of the batch)
        x = x - eta * (lam * x + g)
        if (k + 1) * B == examples:
            after = x.mean(axis=1) / start
    path[-1] = x
    seen = path[:: epoch if order == "epochs" else 1]
    estimates = np.array(
        [
            (
                diagnostics.diffusion_from_gradients_as_stated(random[:, i]),
                diagnostics.diffusion_from_variance_as_stated(path[1:, i], dim=d),
                diagnostics.diffusion_from_gradients(random[:, i], eta, noise="any").D,
                diagnostics.diffusion_constant(path[:, i], eta, dim=d, drift=-lam * path[:, i], noise="any").D,
            )
            for i in range(sets)
        ]
    )
    return (eta * eta * random**2).mean(axis=(0, 2)), (seen**2).mean(axis=(0, 2)), after, estimates.T
