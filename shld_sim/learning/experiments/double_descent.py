"""Double descent: errors, and C and p of gradients, of least squares on random features around n = N."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._seeds import child
from shld_sim.learning.tasks import Task, random_features

Array = NDArray[np.float64]
KINDS = ("relu", "isotropic")


@dataclass(frozen=True, eq=False)
class DoubleDescent:
    """Errors, and C and p of the gradient of one example, for pairs of numbers of examples and of features.

    Attributes
    ----------
    n_samples, features : ndarray of int, shape (m,)
        Numbers n of examples and N of features.
    train_error, test_error : ndarray, shape (m,)
        Mean squared errors at the minimum (of least norm): of the targets learned from, and of the function on new inputs.
    C, p : ndarray, shape (m,)
        ``|mu|^2/tr S`` and ``C/(1 + C)`` of one of the examples learned from, after the last of ``steps``.
    C_fresh, p_fresh : ndarray, shape (m,)
        The same of an example that was not learned from, with a target as noisy, at the minimum: estimated from the inputs of
        the test, ``|mu|^2`` without bias.
    steps : ndarray of int, shape (s,)
        Stages of training: steps of descent from zero with the learning rate 1/lmax.
    C_during, p_during : ndarray, shape (s, m)
        C and p at each stage.
    train_error_during, test_error_during : ndarray, shape (s, m)
        Errors at each stage.
    noise : float
        Standard deviation of the noise on the targets.
    kind : str
        Kind of the features.
    seed : int or numpy.random.SeedSequence
        Seed of features, teacher and examples.
    """

    n_samples: NDArray[np.int64]
    features: NDArray[np.int64]
    train_error: Array
    test_error: Array
    C: Array
    p: Array
    C_fresh: Array
    p_fresh: Array
    steps: NDArray[np.int64]
    C_during: Array
    p_during: Array
    train_error_during: Array
    test_error_during: Array
    noise: float
    kind: str
    seed: int | np.random.SeedSequence


def double_descent(
    n_samples: ArrayLike,
    features: ArrayLike,
    *,
    seed: int | np.random.SeedSequence = 0,
    noise: float = 0.5,
    kind: str = "relu",
    dim: int = 20,
    steps: Sequence[int] = (1, 10, 100, 1000, 10_000),
    n_test: int = 1000,
) -> DoubleDescent:
    r"""Fit a linear teacher with random features, for several n and N, and follow C and p of gradients on the way.

    Descent on :math:`\frac{1}{2n}|X\theta - y|^2` from zero is known in the singular vectors of X: after k steps
    :math:`u_j\cdot r = -(1 - \eta\lambda_j)^k\,u_j\cdot y` is left of the residual :math:`r = X\theta - y`, with
    :math:`\lambda_j = s_j^2/n`. The gradient of an example is :math:`r_i x_i`, so that for one drawn at random
    :math:`p = |X^T r|^2/(n\sum r_i^2|x_i|^2)`, C = p/(1 - p): exact for every k, however late. It ends at
    `Linear.least_squares`.

    Parameters
    ----------
    n_samples, features : int or array_like of int
        Numbers n, 2 at least, and N, broadcast against each other: one data set, of which the first n examples are taken.
    seed : int or numpy.random.SeedSequence
        Seed of features, teacher and examples: a data set.
    noise : float
        Standard deviation of the noise on the targets, not negative; the teacher has length 1.
    kind : {"relu", "isotropic"}
        Features as of `random_features`, or of `isotropic_features`.
    dim : int
        Dimension of the inputs of ``"relu"``.
    steps : sequence of int
        Stages at which C, p and errors are recorded, ascending.
    n_test : int
        Number of new examples.

    Returns
    -------
    DoubleDescent
        Arrays over the pairs (n, N).

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range.

    References
    ----------
    M. Belkin, D. Hsu, S. Ma, S. Mandal, PNAS 116 (2019) 15849. T. Hastie et al., Annals of Statistics 50 (2022) 949.
    """
    _checks.one_of("kind", kind, KINDS)
    stages = [_checks.integer("steps", k, 0) for k in steps]
    if not stages or stages != sorted(set(stages)):
        raise ValueError(f"steps must be whole numbers in ascending order, got {steps!r}")
    pairs = np.broadcast_arrays(np.atleast_1d(n_samples), np.atleast_1d(features))
    if pairs[0].ndim != 1:
        raise ValueError(f"n_samples and features must be numbers or lists of them, got shapes {pairs[0].shape}")
    sizes = [(_checks.integer("n_samples", n, 2), _checks.integer("features", N)) for n, N in zip(*pairs, strict=True)]
    errors, found = np.random.default_rng(child(seed, 6)).standard_normal(n_test), []
    most = {N: max(n for n, other in sizes if other == N) for _, N in sizes}
    tasks = {
        N: random_features(n, N, dim=dim, noise=noise, n_test=n_test, seed=seed)
        if kind == "relu"
        else isotropic_features(n, N, noise=noise, n_test=n_test, seed=seed)
        for N, n in most.items()
    }
    for n, N in sizes:
        task = tasks[N]
        learned, new = (task.inputs[:n], task.targets[:n, 0]), (task.test_inputs, task.test_targets[:, 0])
        p, train, test, theta = _fit(*learned, *new, stages)
        fresh = _fresh_share(new[0], new[0] @ theta - new[1] - noise * errors)
        found.append((p, train, test, (*(_mean_square(x @ theta - y) for x, y in (learned, new)), fresh)))
    p_all, train_all, test_all, ends = (np.array(column).T for column in zip(*found, strict=True))
    C, (train_error, test_error, p_fresh) = p_all / (1.0 - p_all), ends
    n_all, N_all = np.array(sizes, dtype=np.int64).T
    return DoubleDescent(
        n_samples=n_all,
        features=N_all,
        train_error=train_error,
        test_error=test_error,
        C=C[-1],
        p=p_all[-1],
        C_fresh=p_fresh / (1.0 - p_fresh),
        p_fresh=p_fresh,
        steps=np.array(stages, dtype=np.int64),
        C_during=C,
        p_during=p_all,
        train_error_during=train_all,
        test_error_during=test_all,
        noise=float(noise),
        kind=kind,
        seed=seed,
    )


def isotropic_features(
    n: int, n_features: int, *, noise: float = 0.1, n_test: int = 1000, seed: int | np.random.SeedSequence = 0
) -> Task:
    r"""Return regression on independent standard normal features, for a linear teacher of length 1 in all of them.

    Here the errors of `Linear.least_squares` are known at every size: `theory.ridgeless_excess`.

    Parameters
    ----------
    n : int
        Number of examples to learn from.
    n_features : int
        Number N of features.
    noise : float
        Standard deviation of the noise on the targets, not negative; those of the tests have none.
    n_test : int
        Number of examples to be tested on.
    seed : int or numpy.random.SeedSequence
        Seed of teacher and examples; more examples are added to the same ones.

    Returns
    -------
    Task
        Inputs of shape (n, N), targets of shape (n, 1).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n, N = _checks.integer("n", n), _checks.integer("n_features", n_features)
    n_test, noise = _checks.integer("n_test", n_test), _checks.nonnegative("noise", noise)
    beta = np.random.default_rng(child(seed, 0)).standard_normal(N)
    beta /= np.linalg.norm(beta)
    (x, xi), (test_x, _) = (
        (
            np.random.default_rng(child(seed, part)).standard_normal((size, N)),
            np.random.default_rng(child(seed, part + 1)).standard_normal(size),
        )
        for part, size in ((2, n), (4, n_test))
    )
    y, test_y = x @ beta + noise * xi, test_x @ beta
    return Task(f"{N} independent features", x, y[:, None], test_x, test_y[:, None], 0, 1)


def _fit(x: Array, y: Array, test_x: Array, test_y: Array, stages: Sequence[int]) -> tuple[Array, Array, Array, Array]:
    """Return p and the mean squared errors of training and test after each number of steps, and the minimum of least norm."""
    u, s, v = np.linalg.svd(x, full_matrices=False)
    rank = int(np.sum(s > s[0] * max(x.shape) * np.finfo(float).eps))
    u, s, v = u[:, :rank], s[:rank], v[:rank]
    aims = u.T @ y
    out_of_reach = y - u @ aims if rank < len(x) else np.zeros_like(y)
    lengths = np.sum(x * x, axis=1)
    with np.errstate(divide="ignore"):
        rate = np.log1p(-((s / s[0]) ** 2))  # ln(1 - eta lambda), eta = 1/lambda_max
    found = []
    for k in stages:
        decay = k * rate if k else np.zeros_like(rate)
        # theta_k = sum_j v_j (1 - (1 - eta lambda_j)^k) (u_j y)/s_j
        theta = v.T @ (-np.expm1(decay) * aims / s)
        train, test = u @ (np.exp(decay) * aims) + out_of_reach, test_x @ theta - test_y
        # p is a ratio: where all residuals die, their size does not matter
        top = 0.0 if rank < len(x) else float(decay.max())
        left = aims * (np.exp(decay - top) if np.isfinite(top) else 1.0)
        r = u @ left + out_of_reach
        # p = |X^T r|^2/(n sum r_i^2 |x_i|^2)
        share = float(np.sum((s * left) ** 2) / (len(x) * (r * r @ lengths)))
        found.append((share, _mean_square(train), _mean_square(test)))
    p, train_errors, test_errors = np.array(found).T
    return p, train_errors, test_errors, v.T @ (aims / s)


def _fresh_share(x: Array, r: Array) -> float:
    """Return p of examples with residuals r, of which the parameters know nothing."""
    square, total, m = float(r * r @ np.sum(x * x, axis=1)), x.T @ r, len(x)
    # |mu|^2 without bias: (|sum g|^2 - sum |g|^2)/(m (m - 1)), over E|g|^2
    return float(total @ total - square) / (square * (m - 1))


def _mean_square(values: Array) -> float:
    return float(np.mean(values**2))
