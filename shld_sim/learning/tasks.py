"""What is to be learned: sums modulo p, the order of integers, distances in a graph, random features, quadratics with noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._seeds import child

Array = NDArray[np.float64]
Mirror = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True, eq=False)
class Task:
    """Examples to learn from and examples to be tested on; the arrays are read-only.

    Attributes
    ----------
    name : str
        What the task is.
    inputs : ndarray, shape (n, ...)
        One example a row: symbols (int) or features.
    targets : ndarray, shape (n,) or (n, k)
        Labels (int) or values.
    test_inputs : ndarray, shape (m, ...)
        Examples to be tested on.
    test_targets : ndarray, shape (m,) or (m, k)
        Their labels or values.
    n_symbols : int
        Number of symbols of which inputs are made; 0 for features.
    n_outputs : int
        Number of labels, or of values per example.
    mirror : callable or None
        A symmetry, ``mirror(inputs, targets) -> (inputs, targets)``: examples that are true if and only if these are.
    relations : ndarray of int, shape (m, 3), or None
        Triples (a, b, c) such that what holds for (a, b) and (b, c) decides (a, c): b between a and c.
    composition : ndarray of int, shape (n_outputs, n_outputs), or None
        Label of (a, c) for each label of (a, b) and each of (b, c), in a triple of ``relations``; -1 where the two exclude each
        other. Every label occurs.
    """

    name: str
    inputs: Any
    targets: Any
    test_inputs: Any
    test_targets: Any
    n_symbols: int
    n_outputs: int
    mirror: Mirror | None = None
    relations: NDArray[np.int64] | None = None
    composition: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for name in ("inputs", "targets", "test_inputs", "test_targets", "relations", "composition"):
            value = getattr(self, name)
            if value is not None:
                value = np.array(value)
                value.flags.writeable = False
                object.__setattr__(self, name, value)
        table, k = self.composition, self.n_outputs
        if table is not None and (
            table.shape != (k, k) or not np.array_equal(np.union1d(table, [-1]), np.arange(-1, k))
        ):
            raise ValueError(f"composition must be a table of {k} times {k} in which every label occurs, got {table}")

    def __repr__(self) -> str:
        return f"Task({self.name!r}, {len(self.inputs)} examples, {len(self.test_inputs)} to test)"

    @property
    def has_labels(self) -> bool:
        """Whether targets are labels, so that there is an accuracy."""
        return bool(self.targets.ndim == 1 and np.issubdtype(self.targets.dtype, np.integer))


def swap(inputs: Any, targets: Any) -> tuple[Any, Any]:
    """Exchange the two symbols of an example and keep the target: a + b = b + a, d(a, b) = d(b, a).

    Parameters
    ----------
    inputs : ndarray, shape (n, 2)
        Symbols.
    targets : ndarray, shape (n,)
        Labels.

    Returns
    -------
    inputs : ndarray, shape (n, 2)
        Symbols exchanged.
    targets : ndarray, shape (n,)
        Labels as they were.
    """
    return inputs[:, ::-1], targets


def swap_and_negate(inputs: Any, targets: Any) -> tuple[Any, Any]:
    """Exchange the two symbols of an example and negate the label 0 or 1: a < b if and only if not b < a, for different a, b.

    Parameters
    ----------
    inputs : ndarray, shape (n, 2)
        Symbols.
    targets : ndarray, shape (n,)
        Labels, 0 or 1.

    Returns
    -------
    inputs : ndarray, shape (n, 2)
        Symbols exchanged.
    targets : ndarray, shape (n,)
        Labels negated.
    """
    return inputs[:, ::-1], 1 - targets


def modular_addition(p: int, train_fraction: float = 0.5, seed: int | np.random.SeedSequence = 0) -> Task:
    """Return the task to find ``a + b mod p`` for all p^2 pairs of symbols, split at random.

    Parameters
    ----------
    p : int
        Number of symbols, 2 at least.
    train_fraction : float
        Share of the pairs to learn from, in (0, 1).
    seed : int or numpy.random.SeedSequence
        Seed of the split.

    Returns
    -------
    Task
        Labels 0 ... p - 1; ``mirror`` is `swap`.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Examples
    --------
    >>> from shld_sim import learning
    >>> learning.modular_addition(31, 0.55)
    Task('a + b mod 31', 528 examples, 433 to test)
    """
    p = _checks.integer("p", p, 2)
    pairs = _pairs(p)
    return _split(f"a + b mod {p}", pairs, pairs.sum(axis=1) % p, (p, p), train_fraction, seed, mirror=swap)


def comparison(n: int, train_fraction: float = 0.5, seed: int | np.random.SeedSequence = 0) -> Task:
    """Return the task to decide ``a < b`` for all pairs of different symbols 0 ... n - 1, split at random.

    Parameters
    ----------
    n : int
        Number of symbols, 3 at least.
    train_fraction : float
        Share of the pairs to learn from, in (0, 1).
    seed : int or numpy.random.SeedSequence
        Seed of the split.

    Returns
    -------
    Task
        Labels 1 for a < b, else 0; ``mirror`` is `swap_and_negate`; ``relations`` are all a < b < c (transitivity).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n = _checks.integer("n", n, 3)
    pairs = _pairs(n)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    a, b, c = np.indices((n, n, n)).reshape(3, -1)
    relations = np.stack([a, b, c], axis=1)[(a < b) & (b < c)]
    labels = (pairs[:, 0] < pairs[:, 1]).astype(np.int64)
    more = {"mirror": swap_and_negate, "relations": relations, "composition": np.array([[0, -1], [-1, 1]])}
    return _split(f"a < b < {n}", pairs, labels, (n, 2), train_fraction, seed, **more)


def graph_distance(
    n_nodes: int = 20,
    chords: int = 5,
    train_fraction: float = 0.5,
    seed: int | np.random.SeedSequence = 0,
    *,
    edges: ArrayLike | None = None,
) -> Task:
    """Return the task to find the number of edges between all pairs of nodes of a small graph, split at random.

    Parameters
    ----------
    n_nodes : int
        Number of nodes, 3 at least.
    chords : int
        The graph is a ring with so many random chords; 0 leaves the ring.
    train_fraction : float
        Share of the pairs to learn from, in (0, 1).
    seed : int or numpy.random.SeedSequence
        Seed of the chords and of the split.
    edges : array_like of int, shape (m, 2), optional
        Edges of a connected graph, in place of ring and chords.

    Returns
    -------
    Task
        Labels are distances; ``mirror`` is `swap`; ``relations`` are all triples of different nodes with b on a shortest path,
        ``d(a, c) = d(a, b) + d(b, c)`` (triangle equality).

    Raises
    ------
    ValueError
        If an argument is out of range or the graph is not connected.
    """
    from scipy.sparse.csgraph import shortest_path

    n, chords = _checks.integer("n_nodes", n_nodes, 3), _checks.integer("chords", chords, 0)
    rng = np.random.default_rng(child(seed, 1))
    if edges is None:
        free = np.array([(i, j) for i in range(n) for j in range(i + 2, n) if (i, j) != (0, n - 1)]).reshape(-1, 2)
        if chords > len(free):
            raise ValueError(f"chords must be at most {len(free)} for {n} nodes, got {chords}")
        ring = np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)
        links = np.concatenate([ring, free[rng.choice(len(free), chords, replace=False)]]) if len(free) else ring
    else:
        links = np.asarray(edges)
        if links.ndim != 2 or links.shape[1] != 2 or not np.issubdtype(links.dtype, np.integer):
            raise ValueError(f"edges must be whole numbers of shape (m, 2), got {links.dtype} {links.shape}")
        if links.size and (links.min() < 0 or links.max() >= n):
            raise ValueError(f"edges must join nodes 0 to {n - 1}, got {links.min()} to {links.max()}")
    joined = np.zeros((n, n))
    joined[links[:, 0], links[:, 1]] = 1.0
    far = shortest_path(joined, directed=False, unweighted=True)
    if not np.isfinite(far).all():
        raise ValueError(f"edges must join all {n} nodes: there is no way from 0 to {int(np.argmax(far[0]))}")
    d = far.astype(np.int64)
    a, b, c = np.indices((n, n, n)).reshape(3, -1)
    between = (d[a, c] == d[a, b] + d[b, c]) & (a != b) & (b != c) & (a != c)
    pairs = _pairs(n)
    size = n, int(d.max()) + 1
    relations = np.stack([a, b, c], axis=1)[between]
    labels = d[pairs[:, 0], pairs[:, 1]]
    name = f"distance in a graph of {n} nodes"
    sums = np.add.outer(np.arange(size[1]), np.arange(size[1]))
    more = {"mirror": swap, "relations": relations, "composition": np.where(sums < size[1], sums, -1)}
    return _split(name, pairs, labels, size, train_fraction, seed, **more)


def random_features(
    n: int,
    n_features: int,
    *,
    dim: int = 20,
    noise: float = 0.1,
    n_test: int = 1000,
    seed: int | np.random.SeedSequence = 0,
) -> Task:
    r"""Return regression on random features :math:`\phi_j(x) = \max(a_j\cdot x, 0)/\sqrt{N}` of normal x, for a linear teacher.

    Targets are :math:`y = \beta\cdot x + \text{noise}\,\xi` with :math:`|\beta| = 1`; those of the tests have no noise, so that
    the test loss is the error of the function. The features and the teacher depend on the seed alone, not on ``n``: more
    examples are added to the same ones.

    Parameters
    ----------
    n : int
        Number of examples to learn from.
    n_features : int
        Number N of features; the test error of `Linear.least_squares` peaks where n = N.
    dim : int
        Dimension of x.
    noise : float
        Standard deviation of the noise, not negative.
    n_test : int
        Number of examples to be tested on.
    seed : int or numpy.random.SeedSequence
        Seed of features, teacher and examples.

    Returns
    -------
    Task
        Inputs are the features, shape (n, N); targets have shape (n, 1).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n, N, dim = (_checks.integer(*pair) for pair in (("n", n), ("n_features", n_features), ("dim", dim)))
    n_test, noise = _checks.integer("n_test", n_test), _checks.nonnegative("noise", noise)
    beta = np.random.default_rng(child(seed, 0)).standard_normal(dim)
    beta /= np.linalg.norm(beta)
    a = np.random.default_rng(child(seed, 1)).standard_normal((N, dim)) / np.sqrt(dim)

    def make(part: int, size: int, strength: float) -> tuple[Array, Array]:
        x = np.random.default_rng(child(seed, part)).standard_normal((size, dim))
        xi = np.random.default_rng(child(seed, part + 1)).standard_normal(size)
        # phi = max(a x, 0)/sqrt N, y = beta x + noise xi
        return np.maximum(x @ a.T, 0.0) / np.sqrt(N), (x @ beta + strength * xi)[:, None]

    (x, y), (test_x, test_y) = make(2, n, noise), make(4, n_test, 0.0)
    return Task(f"{N} random features", x, y, test_x, test_y, 0, 1)


def noisy_quadratic(
    curvatures: Sequence[float],
    noise: float | Sequence[float] = 1.0,
    n: int = 1000,
    *,
    n_test: int = 1000,
    seed: int | np.random.SeedSequence = 0,
) -> Task:
    r"""Return examples for a `Bowl`: centres :math:`c_i = \text{noise}_i\,\xi_i`, as targets :math:`\sqrt{\lambda_i}\,c_i`.

    Parameters
    ----------
    curvatures : sequence of float
        ``lambda``, positive; those of the `Bowl`.
    noise : float or sequence of float
        Standard deviation of the centres, in every direction or in each.
    n : int
        Number of examples to learn from.
    n_test : int
        Number of examples to be tested on.
    seed : int or numpy.random.SeedSequence
        Seed of the centres.

    Returns
    -------
    Task
        Inputs without columns, targets of shape (n, d).

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    lam, n, n_test = (
        _checks.finite_array("curvatures", curvatures),
        _checks.integer("n", n),
        _checks.integer("n_test", n_test),
    )
    if lam.ndim != 1 or len(lam) == 0 or (lam <= 0.0).any():
        raise ValueError(f"curvatures must be a list of positive numbers, got {curvatures!r}")
    scale = _checks.finite_array("noise", noise)
    if scale.shape not in ((), lam.shape) or (scale < 0.0).any():
        raise ValueError(f"noise must be one number or {len(lam)}, none of them negative, got {noise!r}")
    y, test_y = (
        np.sqrt(lam) * scale * np.random.default_rng(child(seed, part)).standard_normal((size, len(lam)))
        for part, size in enumerate((n, n_test))
    )
    return Task("noisy quadratic", np.empty((n, 0)), y, np.empty((n_test, 0)), test_y, 0, len(lam))


def noisy_product(
    n: int = 1000, noise: float = 0.0, *, target: float = 1.0, seed: int | np.random.SeedSequence = 0
) -> Task:
    r"""Return examples for a `Product`: inputs 1 and targets :math:`\text{target} + \text{noise}\,\xi`, tests without noise.

    Parameters
    ----------
    n : int
        Number of examples.
    noise : float
        Standard deviation of the noise on the labels, not negative.
    target : float
        What the product should be.
    seed : int or numpy.random.SeedSequence
        Seed of the noise.

    Returns
    -------
    Task
        Inputs and targets of shape (n, 1); one example to be tested on.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n, noise, target = _checks.integer("n", n), _checks.nonnegative("noise", noise), _checks.number("target", target)
    y = target + noise * np.random.default_rng(seed).standard_normal((n, 1))
    return Task("product of numbers", np.ones((n, 1)), y, np.ones((1, 1)), np.full((1, 1), target), 0, 1)


def _pairs(n: int) -> NDArray[np.int64]:
    return np.indices((n, n)).reshape(2, -1).T.astype(np.int64)


def _split(name: str, x: Any, y: Any, sizes: tuple[int, int], fraction: float, seed: Any, **rest: Any) -> Task:
    share = _checks.probability("train_fraction", fraction)
    n = int(share * len(x))
    if n == 0 or n == len(x):
        raise ValueError(f"train_fraction must leave examples on both sides of the {len(x)}, got {fraction!r}")
    order = np.random.default_rng(child(seed, 0)).permutation(len(x))
    # in the order of the symbols, so that rows of tables are met in turn
    train, test = np.sort(order[:n]), np.sort(order[n:])
    return Task(name, x[train], y[train], x[test], y[test], *sizes, **rest)
