"""Label noise on a linear network of two layers: which of its equivalent solutions stochastic gradient descent ends at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim._seeds import child

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """Sizes of the two layers along descents with noisy labels.

    Attributes
    ----------
    steps : ndarray of int, shape (m,)
        Steps made at each record, from 0.
    first, second : ndarray, shape (m, runs)
        Squared norms ``|W1|^2`` and ``|W2|^2`` of the layers.
    imbalance : ndarray, shape (m, runs)
        ``|W2|^2 - |W1|^2``, which gradient flow keeps.
    error : ndarray, shape (m, runs)
        ``|W2 W1 - A|^2``, the error of the function.
    defect : float
        Largest deviation of a step from the exact change of the imbalance matrix, over its size: of ten runs, the steps after
        each record.
    inputs : ndarray, shape (n, d)
        Inputs of the examples.
    shape : tuple of int
        Numbers of inputs, hidden units and outputs.
    eta, noise : float
        Step, and standard deviation of the noise on the labels.
    batch : int
        Examples per step.
    seed : int or numpy.random.SeedSequence
        Seed of data, starts, batches and labels.
    """

    steps: NDArray[np.int64]
    first: Array
    second: Array
    imbalance: Array
    error: Array
    defect: float
    inputs: Array
    shape: tuple[int, int, int]
    eta: float
    noise: float
    batch: int
    seed: int | np.random.SeedSequence


def label_noise(
    shape: tuple[int, int, int] = (1, 1, 1),
    *,
    eta: float = 0.02,
    noise: float = 1.0,
    steps: int = 5000,
    batch: int = 1,
    runs: int = 100,
    n_samples: int = 200,
    start: tuple[float, float] = (0.5, 2.0),
    every: int = 100,
    seed: int | np.random.SeedSequence = 0,
) -> LabelNoise:
    r"""Train :math:`f(x) = W_2 W_1 x` on a teacher A of rank one and length one, with labels that are noisy at every visit.

    A step is :math:`W_1' = W_1 - \eta W_2^T G,\ W_2' = W_2 - \eta G W_1^T` with :math:`G = \frac1B\sum_b e_b x_b^T`,
    :math:`e = W_2 W_1 x - A x - \sigma\xi`. The imbalance :math:`\Delta = W_2^T W_2 - W_1 W_1^T` changes by
    `theory.imbalance_change`, exactly; with one unit in all layers, by the factor :math:`1 - \eta^2 e^2 x^2`. Where the
    function is learned :math:`E\,G G^T = \sigma^2 d\,I/B,\ E\,G^T G = \sigma^2 k\,I/B`, so that noise drives
    :math:`d\,W_2^T W_2 \to k\,W_1 W_1^T`: the layers end balanced if there are as many outputs k as inputs d.

    Parameters
    ----------
    shape : tuple of int
        Numbers of inputs d, hidden units, outputs k.
    eta : float
        Step, positive.
    noise : float
        Standard deviation of the noise on the labels, not negative; with 0 and ``batch=n_samples`` it is gradient descent.
    steps : int
        Steps.
    batch : int
        Examples per step, drawn with replacement; all of them, each once, if it is ``n_samples``.
    runs : int
        Runs with their own starts, batches and labels.
    n_samples : int
        Examples; their inputs are rotated and scaled such that their mean square matrix is the unit matrix.
    start : tuple of float
        Norms of the first and the second layer at the start; directions are random.
    every : int
        Steps between records.
    seed : int or numpy.random.SeedSequence
        Seed of data, starts, batches and labels.

    Returns
    -------
    LabelNoise
        Record.

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.
    FloatingPointError
        If a run leaves the finite numbers.

    References
    ----------
    S. Arora, N. Cohen, E. Hazan, ICML 2018, arXiv:1802.06509 (balance is kept); G. Blanc et al., COLT 2020, arXiv:1904.09080, and
    Z. Li, T. Wang, S. Arora, ICLR 2022, arXiv:2110.06914 (label noise lowers the trace of the Hessian).
    """
    d, hidden, k = (_checks.integer("shape", size) for size in shape)
    eta, sigma = _checks.positive("eta", eta), _checks.nonnegative("noise", noise)
    steps, every = _checks.integer("steps", steps), _checks.integer("every", every)
    batch, runs, n = (
        _checks.integer("batch", batch),
        _checks.integer("runs", runs),
        _checks.integer("n_samples", n_samples),
    )
    if n < d:
        raise ValueError(f"n_samples must be at least {d}, the number of inputs, got {n}")
    if batch > n:
        raise ValueError(f"batch must be at most {n}, the number of examples, got {batch}")
    lengths = tuple(_checks.positive("start", value) for value in start)
    data, rng = (np.random.default_rng(child(seed, part)) for part in (0, 1))
    # X^T X = n I
    x = np.linalg.qr(data.standard_normal((n, d)))[0] * np.sqrt(n)
    A = np.outer(*(v / np.linalg.norm(v) for v in (data.standard_normal(k), data.standard_normal(d))))
    y = x @ A.T
    W1, W2 = (
        w * (length / np.linalg.norm(w, axis=(1, 2), keepdims=True))
        for w, length in zip(
            (rng.standard_normal((runs, hidden, d)), rng.standard_normal((runs, k, hidden))), lengths, strict=True
        )
    )
    records, defect = [], 0.0
    for step in range(steps + 1):
        recorded = step % every == 0
        if recorded:
            with np.errstate(over="ignore", invalid="ignore"):
                sizes = [np.sum(w * w, axis=(1, 2)) for w in (W1, W2, W2 @ W1 - A)]
            if not np.isfinite(sizes).all():
                raise FloatingPointError(
                    f"a run left the finite numbers by step {step}: eta must be smaller, got {eta!r}"
                )
            records.append((step, *sizes))
        if step == steps:
            break
        chosen = np.tile(np.arange(n), (runs, 1)) if batch == n else rng.integers(n, size=(runs, batch))
        xb, yb = x[chosen], y[chosen]
        with np.errstate(over="ignore", invalid="ignore"):
            # e = W2 W1 x - A x - s xi, G = mean of e x^T
            e = xb @ (W2 @ W1).transpose(0, 2, 1) - yb
            if sigma:
                e -= sigma * rng.standard_normal(e.shape)
            G = e.transpose(0, 2, 1) @ xb / batch
            new1, new2 = W1 - eta * W2.transpose(0, 2, 1) @ G, W2 - eta * G @ W1.transpose(0, 2, 1)
        if recorded:
            defect = max(defect, _defect(W1[:10], W2[:10], new1[:10], new2[:10], G[:10], eta))
        W1, W2 = new1, new2
    at, first, second, error = (np.array(column) for column in zip(*records, strict=True))
    return LabelNoise(at, first, second, second - first, error, defect, x, (d, hidden, k), eta, sigma, batch, seed)


def _defect(W1: Array, W2: Array, new1: Array, new2: Array, G: Array, eta: float) -> float:
    """Return the largest deviation of the new imbalance from the exact one, over the size of the layers."""
    from shld_sim.theory import imbalance_change

    worst = 0.0
    for a, b, a_new, b_new, g in zip(W1, W2, new1, new2, G, strict=True):
        found = (b_new.T @ b_new - a_new @ a_new.T) - (b.T @ b - a @ a.T)
        scale = np.sum(a_new**2) + np.sum(b_new**2) + np.sum(a**2) + np.sum(b**2)
        worst = max(worst, float(np.abs(found - imbalance_change(a, b, g, eta)).max() / scale))
    return worst
