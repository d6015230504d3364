"""Symmetry prompting: gradients against finite differences, divergences against loops, the same bits after a stop."""

import dataclasses
import math

import numpy as np
import pytest

from shld_sim import learning

TASKS = {
    "mirror of a sum": (learning.modular_addition(5, 0.6, seed=1), "mirror"),
    "mirror of an order": (learning.comparison(6, 0.6, seed=1), "mirror"),
    "relations of an order": (learning.comparison(6, 0.6, seed=1), "relations"),
    "relations of distances": (learning.graph_distance(7, 1, 0.6, seed=1), "relations"),
}
TERMS = {
    "divergence": dict(weight=0.7),
    "nuclear norm": dict(weight=0.0, nuclear=0.3),
    "smooth nuclear norm": dict(weight=0.0, nuclear=0.3, smoothing=1.0),
    "entropy": dict(weight=0.0, entropy=0.4),
    "Lipschitz": dict(weight=0.0, lipschitz=0.2),
    "all together": dict(weight=0.7, nuclear=0.3, entropy=-0.4, lipschitz=0.2),
}


def network_of(task, hidden=(6, 5)):
    return learning.Perceptron(task.n_symbols, task.n_outputs, 4, hidden, spread=1.0)


def value(objective, network, task, theta, seed=3):
    return objective.loss_and_gradient(network, task, theta, task.inputs, task.targets, np.random.default_rng(seed))


def worst(objective, network, task, theta, h=1e-6):
    """Largest difference between the gradient and central differences, in units of the largest component."""
    _, g = value(objective, network, task, theta)
    numeric = np.empty_like(g)
    for i in range(len(theta)):
        step = h * np.eye(1, len(theta), i)[0]
        numeric[i] = value(objective, network, task, theta + step)[0] - value(objective, network, task, theta - step)[0]
    return np.abs(g - numeric / (2 * h)).max() / np.abs(g).max()


@pytest.mark.parametrize("term", list(TERMS))
@pytest.mark.parametrize("name", list(TASKS))
def test_gradient_against_finite_differences(name, term):
    """The divergence in the kind of the task; no unit of the network is within h of its kink for this seed."""
    task, kind = TASKS[name]
    network = network_of(task)
    objective = learning.SymmetryPrompting(**{"samples": 5, "kind": kind, **TERMS[term]})
    assert worst(objective, network, task, network.initial(2)) < 1e-7


def test_a_wrong_gradient_is_noticed(monkeypatch):
    """The derivative of one side of the divergence alone."""
    import shld_sim.learning.prompting as prompting

    right = prompting.symmetric_divergence

    def one_sided(first, second):
        values, by_first, by_second = right(first, second)
        return values, by_first, 0.0 * by_second

    monkeypatch.setattr(prompting, "symmetric_divergence", one_sided)
    task, kind = TASKS["mirror of a sum"]
    network = network_of(task)
    assert worst(learning.SymmetryPrompting(0.7, 5, kind), network, task, network.initial(2)) > 1e-3


def softmax(f):
    e = np.exp(f - f.max())
    return e / e.sum()


def test_divergence_against_loops():
    rng = np.random.default_rng(0)
    f, g = rng.standard_normal((2, 6, 4))
    values, _, _ = learning.symmetric_divergence(f, g)
    for i in range(6):
        p, q = softmax(f[i]), softmax(g[i])
        kl = sum(p[c] * math.log(p[c] / q[c]) + q[c] * math.log(q[c] / p[c]) for c in range(4))
        assert values[i] == pytest.approx(kl, rel=1e-12)
    same, by_first, by_second = learning.symmetric_divergence(f, f + 3.0)
    assert np.abs(same).max() < 1e-12 and np.abs(by_first).max() < 1e-12 and np.abs(by_second).max() < 1e-12
    far, by_first, _ = learning.symmetric_divergence(np.array([[900.0, 0.0]]), np.array([[0.0, 900.0]]))
    assert far[0] == pytest.approx(1800.0) and np.isfinite(by_first).all()


@pytest.mark.parametrize("name", list(TASKS))
def test_gap_against_loops(name):
    """Predictions for one example at a time, compared as the symmetry says in words."""
    task, kind = TASKS[name]
    network = network_of(task)
    theta = network.initial(4)

    def predicted(a, b):
        return softmax(network.outputs(theta, np.array([[a, b]]))[0])

    found = []
    if kind == "mirror":
        for a, b in np.concatenate([task.inputs, task.test_inputs]):
            p, q = predicted(a, b), predicted(b, a)
            found.append((p, q[::-1] if "order" in name else q))
    else:
        for a, b, c in task.relations:
            p, q = predicted(a, b), predicted(b, c)
            composed = np.zeros(task.n_outputs)
            for i in range(task.n_outputs):
                for j in range(task.n_outputs):
                    if "order" in name and i == j:
                        composed[i] += p[i] * q[j]
                    if "distances" in name and i + j < task.n_outputs:
                        composed[i + j] += p[i] * q[j]
            found.append((predicted(a, c), composed / composed.sum()))
    naive = np.mean([((p - q) * np.log(p / q)).sum() for p, q in found])
    assert learning.symmetry_gap(network, theta, task, kind) == pytest.approx(naive, rel=1e-10)


class Table:
    """A network that knows: outputs are 40 at a label and 0 elsewhere."""

    def __init__(self, labels, k):
        self.labels, self.k = labels, k

    def outputs(self, theta, x):
        return 40.0 * np.eye(self.k)[[self.labels[tuple(row)] for row in x]]


@pytest.mark.parametrize("name", list(TASKS))
def test_the_truth_has_no_gap_and_an_error_has(name):
    task, kind = TASKS[name]
    x, y = np.concatenate([task.inputs, task.test_inputs]), np.concatenate([task.targets, task.test_targets])
    labels = {tuple(a): int(b) for a, b in zip(x, y, strict=True)}
    assert learning.symmetry_gap(Table(labels, task.n_outputs), None, task, kind) < 1e-12
    one = (0, 2)
    labels[one] = (labels[one] + 1) % task.n_outputs
    assert learning.symmetry_gap(Table(labels, task.n_outputs), None, task, kind) > 0.1


def test_a_network_with_equal_slots_commutes():
    task, _ = TASKS["mirror of a sum"]
    network = network_of(task, (6,))
    theta = network.initial(5)
    assert learning.symmetry_gap(network, theta, task) > 0.01
    w = network.views(theta)["weight1"]
    w[:, 4:] = w[:, :4]
    assert learning.symmetry_gap(network, theta, task) < 1e-12


@pytest.mark.parametrize("name", ["mirror of a sum", "relations of distances"])
def test_sampled_symmetries_have_the_mean_of_all(name):
    """Mean over draws against all symmetries, by five standard errors; a weight a tenth too large is noticed."""
    task, kind = TASKS[name]
    network = network_of(task)
    theta = network.initial(6)
    everything, _ = value(learning.SymmetryPrompting(1.0, None, kind), network, task, theta)
    plain = network.loss(theta, task.inputs, task.targets)
    drawn = np.array([value(learning.SymmetryPrompting(1.0, 4, kind), network, task, theta, s)[0] for s in range(600)])
    error = drawn.std(ddof=1) / np.sqrt(len(drawn))
    assert error > 0.0
    assert abs(drawn.mean() - everything) < 5 * error
    assert 0.1 * (everything - plain) > 5 * error


@pytest.mark.parametrize(("name", "rows"), [("mirror of a sum", 1), ("relations of an order", 3)])
def test_cost_is_linear_in_the_symmetries(name, rows, monkeypatch):
    task, kind = TASKS[name]
    network, seen = network_of(task), []
    right = learning.Perceptron._forward
    monkeypatch.setattr(
        learning.Perceptron, "_forward", lambda self, ready, x, room: seen.append(len(x)) or right(self, ready, x, room)
    )
    theta = network.initial(0)
    for m in (1, 2, 4, 8):
        seen.clear()
        value(learning.SymmetryPrompting(1.0, m, kind), network, task, theta)
        assert seen == [len(task.inputs) + rows * m]


def test_nothing_asked_for_is_the_loss_of_the_network():
    task, _ = TASKS["mirror of a sum"]
    network = network_of(task)
    loss, g = value(learning.SymmetryPrompting(0.0), network, task, network.initial(1))
    plain, gradient = network.loss_and_gradient(network.initial(1), task.inputs, task.targets)
    assert loss == pytest.approx(plain, rel=1e-12)
    np.testing.assert_allclose(g, gradient, rtol=1e-10, atol=1e-14)


def test_training_with_an_objective_stops_and_goes_on_to_the_same_bits(tmp_path):
    task, kind = TASKS["relations of distances"]
    network, prompting = network_of(task), learning.SymmetryPrompting(1.0, 6, kind, nuclear=1e-3)
    through = learning.train(network, task, learning.AdamW(0.01), 20, batch=8, seed=3, every=5, objective=prompting)
    part = learning.train(network, task, learning.AdamW(0.01), 13, batch=8, seed=3, every=5, objective=prompting)
    part.save(tmp_path / "run")
    back = learning.Training.load(tmp_path / "run")
    assert back.objective == prompting
    again = learning.resume(back, 7)
    np.testing.assert_array_equal(again.theta, through.theta)
    plain = learning.train(network, task, learning.AdamW(0.01), 20, batch=8, seed=3, every=5)
    assert not np.array_equal(plain.theta, through.theta)


def test_prompting_makes_a_network_commute():
    """Without it the gap grows as the network learns its examples; with it, it is a hundred times smaller."""
    task = learning.modular_addition(11, 0.6, seed=2)
    network, gaps = learning.Perceptron(11, 11, 8, (32,)), []
    for objective in (None, learning.SymmetryPrompting(1.0, 32)):
        run = learning.train(network, task, learning.AdamW(0.01), 200, seed=2, objective=objective)
        assert run.train_accuracy[-1] > 0.95
        gaps.append(learning.symmetry_gap(network, run.theta, task))
    assert gaps[1] < 0.1 * gaps[0]


def test_errors_of_prompting():
    task, _ = TASKS["mirror of a sum"]
    network = network_of(task)
    theta = network.initial(0)
    with pytest.raises(ValueError, match="weight must not be negative, got -1"):
        learning.SymmetryPrompting(-1.0)
    with pytest.raises(ValueError, match="kind must be one of 'mirror', 'relations', got 'swap'"):
        learning.SymmetryPrompting(kind="swap")
    with pytest.raises(ValueError, match="task must have relations and their composition"):
        value(learning.SymmetryPrompting(kind="relations"), network, task, theta)
    with pytest.raises(ValueError, match="task must have a mirror"):
        value(learning.SymmetryPrompting(), network, dataclasses.replace(task, mirror=None), theta)
    with pytest.raises(ValueError, match="task must have labels for predictions"):
        learning.symmetry_gap(learning.Product(2), np.ones(4), learning.noisy_product(4))
    squared = dataclasses.replace(network, loss_function=learning.SquaredError())
    with pytest.raises(ValueError, match=r"network must have the loss CrossEntropy\(\), got SquaredError"):
        value(learning.SymmetryPrompting(), squared, task, theta)
    other = learning.QuadraticNetwork(5, 4, loss_function=learning.CrossEntropy())
    for term in ("nuclear", "lipschitz"):
        with pytest.raises(ValueError, match=f"{term} needs a network with"):
            value(learning.SymmetryPrompting(0.0, **{term: 1.0}), other, task, other.initial(0))
    with pytest.raises(ValueError, match=r"function must return slopes of shape \(15, 5\), got \(15, 1\)"):
        network.value_and_gradient(theta, task.inputs, lambda F: (0.0, F[:, :1]))
    with pytest.raises(ValueError, match="composition must be a table of 5 times 5 in which every label occurs"):
        dataclasses.replace(task, composition=np.zeros((5, 5), np.int64))
