"""Tasks: what is asked is true, splits are clean, symmetries and relations hold."""

import pickle

import numpy as np
import pytest

from shld_sim import learning


def whole(task):
    """All examples, those to learn from first."""
    return np.concatenate([task.inputs, task.test_inputs]), np.concatenate([task.targets, task.test_targets])


def test_sums():
    task = learning.modular_addition(11, 0.4, seed=3)
    x, y = whole(task)
    assert len(task.inputs) == 48 and len(x) == len(np.unique(x, axis=0)) == 121
    assert np.array_equal(y, [(int(a) + int(b)) % 11 for a, b in x])
    assert task.has_labels and task.n_symbols == task.n_outputs == 11
    other = learning.modular_addition(11, 0.4, seed=4)
    assert not np.array_equal(task.inputs, other.inputs)
    assert np.array_equal(task.inputs, learning.modular_addition(11, 0.4, seed=np.random.SeedSequence(3)).inputs)


def test_order():
    task = learning.comparison(9, 0.5)
    x, y = whole(task)
    assert len(x) == 72 and np.array_equal(y, x[:, 0] < x[:, 1])
    less = {(a, b) for (a, b), label in zip(x.tolist(), y) if label}
    assert len(task.relations) == 84  # 9 choose 3
    assert all((a, b) in less and (b, c) in less and (a, c) in less for a, b, c in task.relations.tolist())


def test_distances():
    ring = learning.graph_distance(8, 0)
    x, y = whole(ring)
    assert np.array_equal(y, [min((a - b) % 8, (b - a) % 8) for a, b in x])
    assert ring.n_outputs == 5
    # with chords: against Floyd and Warshall's three loops over the edges, which are the pairs at distance 1
    task = learning.graph_distance(10, 3, seed=2)
    x, y = whole(task)
    assert (y == 1).sum() == 2 * 13
    d = np.where(np.eye(10) == 1, 0.0, np.inf)
    for (a, b), label in zip(x, y):
        if label == 1:
            d[a, b] = 1
    for k in range(10):
        for i in range(10):
            for j in range(10):
                d[i, j] = min(d[i, j], d[i, k] + d[k, j])
    assert np.array_equal(y, d[x[:, 0], x[:, 1]])
    a, b, c = task.relations.T
    assert np.array_equal(d[a, c], d[a, b] + d[b, c])
    assert all(len({*triple}) == 3 for triple in task.relations.tolist())
    assert len(a) == sum(
        d[i, k] == d[i, j] + d[j, k] for i in range(10) for j in range(10) for k in range(10) if len({i, j, k}) == 3
    )
    path = learning.graph_distance(3, edges=[(0, 1), (1, 2)])
    assert sorted(path.relations.tolist()) == [[0, 1, 2], [2, 1, 0]]


@pytest.mark.parametrize(
    "task", [learning.modular_addition(7), learning.comparison(7), learning.graph_distance(8, 2)], ids=lambda t: t.name
)
def test_mirror_is_a_symmetry(task):
    x, y = whole(task)
    true = {tuple(pair): label for pair, label in zip(x.tolist(), y.tolist())}
    mirrored, labels = task.mirror(x, y)
    assert all(true[tuple(pair)] == label for pair, label in zip(mirrored.tolist(), labels.tolist()))
    assert not np.array_equal(mirrored, x)
    back = task.mirror(mirrored, labels)
    assert np.array_equal(back[0], x) and np.array_equal(back[1], y)


def test_random_features():
    small, large = (learning.random_features(n, 30, dim=5, noise=0.2, seed=1) for n in (40, 4000))
    assert np.array_equal(small.inputs, large.inputs[:40]) and np.array_equal(small.targets, large.targets[:40])
    assert np.array_equal(small.test_inputs, large.test_inputs)
    assert not large.has_labels and large.inputs.min() == 0.0
    # a normal x with |beta| = 1: the variance of the targets is 1 + noise^2, of the tests 1; standard error sqrt(2/n)
    assert abs(large.targets.var() / 1.04 - 1.0) < 5 * np.sqrt(2 / 4000)
    assert abs(large.test_targets.var() - 1.0) < 5 * np.sqrt(2 / 1000)
    assert abs(large.targets.var() / (1.04 * 1.2**2) - 1.0) > 5 * np.sqrt(2 / 4000)


def test_double_descent():
    """The test error of the shortest interpolation peaks where there are as many examples as features."""
    network, errors = learning.Linear(40), {}
    for n in (10, 40, 200):
        found = []
        for seed in range(5):
            task = learning.random_features(n, 40, noise=0.5, seed=seed)
            theta = network.least_squares(task.inputs, task.targets)
            found.append(network.loss(theta, task.test_inputs, task.test_targets))
        errors[n] = np.median(found)
    assert errors[40] > 5 * errors[10] and errors[40] > 5 * errors[200]


def test_noisy_quadratic():
    """Mean lam theta and covariance lam^2 s^2 of single gradients, so that C = |mu|^2/tr S is known."""
    lam, s, theta = np.array([1.0, 4.0]), np.array([2.0, 0.5]), np.array([1.0, 1.0])
    task = learning.noisy_quadratic(lam, s, n=4000, seed=1)
    g = learning.Bowl(tuple(lam)).per_sample_gradients(theta, task.inputs, task.targets)
    assert (np.abs(g.mean(axis=0) - lam * theta) < 5 * lam * s / np.sqrt(4000)).all()
    assert (np.abs(g.var(axis=0) / (lam * s) ** 2 - 1.0) < 5 * np.sqrt(2 / 4000)).all()
    assert (np.abs(g.var(axis=0) / (1.2 * lam * s) ** 2 - 1.0) > 5 * np.sqrt(2 / 4000)).all()


def test_noisy_product():
    task = learning.noisy_product(4000, 0.3, target=2.0, seed=1)
    assert abs(task.targets.mean() - 2.0) < 5 * 0.3 / np.sqrt(4000)
    assert task.test_targets.tolist() == [[2.0]]


def test_tasks_are_read_only_and_pickle():
    task = learning.comparison(5)
    with pytest.raises(ValueError, match="read-only"):
        task.inputs[0, 0] = 1
    same = pickle.loads(pickle.dumps(task))
    assert np.array_equal(same.inputs, task.inputs) and same.mirror is task.mirror
    assert repr(task) == "Task('a < b < 5', 10 examples, 10 to test)"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: learning.modular_addition(1), "p must be at least 2, got 1"),
        (lambda: learning.modular_addition(5, 1.0), "train_fraction must lie strictly between 0 and 1, got 1"),
        (
            lambda: learning.modular_addition(5, 0.01),
            "train_fraction must leave examples on both sides of the 25, got 0.01",
        ),
        (lambda: learning.graph_distance(6, 10), "chords must be at most 9 for 6 nodes, got 10"),
        (lambda: learning.graph_distance(4, edges=[(0, 1), (2, 3)]), "no way from 0 to 2"),
        (lambda: learning.graph_distance(3, edges=[(0, 3)]), "edges must join nodes 0 to 2, got 0 to 3"),
        (lambda: learning.graph_distance(3, edges=[0.5]), "edges must be whole numbers"),
        (lambda: learning.noisy_quadratic([1.0, 0.0]), "curvatures must be a list of positive numbers"),
        (lambda: learning.noisy_quadratic([1.0, 1.0], [1.0] * 3), "noise must be one number or 2"),
        (lambda: learning.random_features(0, 5), "n must be at least 1, got 0"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
