"""Optimisers and training: formulas, stationary laws, the same bits after any interruption, and grokking itself."""

import copy
import pickle

import naive
import numpy as np
import pytest

import shld_sim as shld
from shld_sim import learning

OPTIMISERS = {
    "descent": lambda: learning.Descent(0.1),
    "momentum": lambda: learning.Descent(shld.Cosine(0.2, 0.01, 30.0), 0.9, weight_decay=0.01),
    "adamw": lambda: learning.AdamW(learning.WarmUp(0.01, 10), 0.1),
    "langevin": lambda: learning.LangevinDescent(0.1, shld.Exponential(0.1, 0.01, 30.0), seed=5),
    "harmonic": lambda: learning.HarmonicDescent(0.1, 0.02, dt=0.1, momentum=0.5, warm_up=2, threshold=1e3, seed=5),
}


@pytest.fixture(params=OPTIMISERS)
def optimiser(request):
    return OPTIMISERS[request.param]()


def moved(optimiser, steps, theta, seed=0):
    """Steps with random gradients: the gradient of each step depends on its number."""
    for _ in range(steps):
        g = np.random.default_rng([seed, optimiser.n_steps]).standard_normal(theta.shape)
        theta = optimiser.step(theta, g)
    return theta


def test_a_pickle_continues_to_the_same_bits(optimiser):
    start = np.arange(4.0)
    other = copy.deepcopy(optimiser)
    whole = moved(optimiser, 20, start)
    theta = moved(other, 13, start)
    theta, other = pickle.loads(pickle.dumps((theta, other)))
    assert np.array_equal(moved(other, 7, theta), whole)
    assert other.n_steps == 20
    assert np.array_equal(start, np.arange(4.0))


def test_a_lost_memory_is_noticed():
    """A new optimiser in place of the pickled one does not give the same bits: the test above can fail."""
    for name in ("momentum", "adamw", "langevin", "harmonic"):
        whole = moved(OPTIMISERS[name](), 20, np.arange(4.0))
        first, second = OPTIMISERS[name](), OPTIMISERS[name]()
        theta = moved(first, 13, np.arange(4.0))
        second.n_steps = 13
        assert not np.array_equal(moved(second, 7, theta), whole)


def test_descent_with_momentum():
    """theta'' = (1 + beta - eta lam) theta' - beta theta on a quadratic."""
    eta, beta, lam, optimiser = 0.3, 0.8, 1.5, learning.Descent(0.3, 0.8)
    theta, path = np.array([2.0]), [2.0]
    for _ in range(10):
        theta = optimiser.step(theta, lam * theta)
        path.append(theta[0])
    expected = [2.0, 2.0 - eta * lam * 2.0]
    for _ in range(9):
        expected.append((1.0 + beta - eta * lam) * expected[-1] - beta * expected[-2])
    np.testing.assert_allclose(path, expected, rtol=1e-12, atol=1e-14)


def test_weight_decay_of_descent():
    theta = learning.Descent(0.1, weight_decay=0.5).step(np.array([2.0]), np.array([3.0]))
    assert theta[0] == pytest.approx(2.0 - 0.1 * 3.0 - 0.1 * 0.5 * 2.0, rel=1e-15)


def test_adamw_is_its_algorithm():
    rng = np.random.default_rng(1)
    start, gradients = rng.standard_normal(5), rng.standard_normal((30, 5))
    optimiser, theta = learning.AdamW(0.02, 0.3, (0.8, 0.95), 1e-6), start
    for g in gradients:
        theta = optimiser.step(theta, g)
    np.testing.assert_allclose(theta, naive.adamw(start, gradients, 0.02, 0.3, 0.8, 0.95, 1e-6), rtol=1e-12)


@pytest.mark.parametrize(("factor", "fits"), [(1.0, True), (1.2, False)])
def test_langevin_variance(factor, fits):
    """T/(lam (1 - eta lam/2)) on lam x^2/2, also for a large step; noise times 1.2 does not pass."""
    lam, eta, T, n = 2.0, 0.4, 0.3, 20_000
    optimiser, x = learning.LangevinDescent(eta, T * factor**2, seed=3), np.zeros(n)
    for _ in range(60):
        x = optimiser.step(x, lam * x)
    assert (abs(x.var() / (T / (lam * (1 - eta * lam / 2))) - 1.0) < 5 * np.sqrt(2 / n)) == fits


def test_warm_up():
    rate = learning.WarmUp(shld.Cosine(1.0, 0.2, 100.0), 10)
    assert rate(0.0) == pytest.approx(0.1)
    assert rate(5.0) == pytest.approx(0.55 * shld.Cosine(1.0, 0.2, 100.0)(5.0))
    assert rate(50.0) == pytest.approx(0.6)
    assert learning.WarmUp(2.0, 10)(np.array([0, 10, 30])).tolist() == [0.2, 2.0, 2.0]
    optimiser = learning.Descent(learning.WarmUp(2.0, 10))
    assert optimiser.rate == pytest.approx(0.2)
    optimiser.n_steps = 10
    assert optimiser.rate == 2.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: learning.Descent(0.0), "learning_rate must be positive, got 0"),
        (lambda: learning.Descent(0.1, 1.0), r"momentum must lie in \[0, 1\), got 1.0"),
        (lambda: learning.AdamW(0.1, betas=(0.9, 1.0)), r"betas must lie in \[0, 1\), got 1.0"),
        (lambda: learning.LangevinDescent(0.1, -1.0), "temperature must be positive, got -1"),
        (lambda: learning.WarmUp(0.1, 0), "duration must be positive, got 0"),
        (lambda: learning.Descent(0.1).step(np.ones(2), np.ones(3)), r"shape of theta, \(2,\), got \(3,\)"),
    ],
)
def test_errors_of_optimisers(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parameters_keep_their_shape():
    optimiser = learning.AdamW()
    optimiser.step(np.ones(2), np.ones(2))
    with pytest.raises(ValueError, match=r"keep its shape \(2,\) from step to step, got \(3,\)"):
        optimiser.step(np.ones(3), np.ones(3))


def test_divergence_is_told():
    optimiser, theta = learning.Descent(3.0), np.ones(1)
    with pytest.raises(FloatingPointError, match="learning_rate=3: learning_rate must be below 2/"):
        for _ in range(2000):
            theta = optimiser.step(theta, theta)


# -- training ---------------------------------------------------------------------------------------------------------

TASK = learning.modular_addition(7, 0.6)
NETWORK = learning.QuadraticNetwork(7, 12)
WATCHES = (learning.consolidation_watch(4, 5), learning.consolidation_watch(6, None))


def same(one, other):
    """Whether two trainings hold the same bits."""
    arrays = ("theta", "steps", "train_loss", "test_loss", "train_accuracy", "test_accuracy")
    return (
        one.n_steps == other.n_steps
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
        and one.watched.keys() == other.watched.keys()
        and all(np.array_equal(series.steps, other.watched[name].steps) for name, series in one.watched.items())
        and all(np.array_equal(series.values, other.watched[name].values) for name, series in one.watched.items())
    )


@pytest.mark.parametrize("batch", [None, 8])
@pytest.mark.parametrize("cut", [12, 17])  # on a record, and between two
def test_resume_gives_the_same_bits(optimiser, batch, cut, tmp_path):
    settings = dict(batch=batch, seed=3, every=4, callbacks=WATCHES)
    whole = learning.train(NETWORK, TASK, optimiser, 30, **settings)
    assert optimiser.n_steps == 0  # a copy was used
    part = learning.train(NETWORK, TASK, optimiser, cut, **settings)
    path = part.save(tmp_path / "run.pickle")
    done = learning.resume(learning.Training.load(path), 30 - cut, callbacks=WATCHES)
    assert same(whole, done)
    assert same(whole, learning.resume(part, 30 - cut, callbacks=WATCHES))  # and `part` has not changed
    assert whole.steps.tolist() == [0, 4, 8, 12, 16, 20, 24, 28]
    assert whole.watched["C all"].steps.tolist() == [0, 6, 12, 18, 24, 30]
    assert not same(whole, learning.train(NETWORK, TASK, optimiser, 30, **{**settings, "seed": 4}))


def test_a_kill_between_two_checkpoints(tmp_path):
    class Killed(Exception):
        pass

    def kill(moment):
        if moment.step == 25:
            raise Killed

    optimiser, path = learning.AdamW(0.01), tmp_path / "run.pickle"
    settings = dict(batch=8, every=5, checkpoint=path, checkpoint_every=10)
    with pytest.raises(Killed):
        learning.train(NETWORK, TASK, optimiser, 40, callbacks=[learning.Watch(kill, 1)], **settings)
    found = learning.Training.load(path)
    assert found.n_steps == 20
    done = learning.resume(found, 20, checkpoint=path)
    assert same(done, learning.train(NETWORK, TASK, optimiser, 40, batch=8, every=5))
    assert same(done, learning.Training.load(path))


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    run = learning.train(NETWORK, TASK, learning.Descent(0.1), 2)
    path = run.save(tmp_path / "run.pickle")

    def fail(thing, file):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(pickle, "dump", fail)
    with pytest.raises(OSError, match="disk full"):
        learning.resume(run, 1).save(path)
    monkeypatch.undo()
    assert same(learning.Training.load(path), run)
    assert list(tmp_path.iterdir()) == [path]


def test_files_of_others_are_refused(tmp_path):
    path = tmp_path / "x"
    for content in (b"", b"nonsense", pickle.dumps([1, 2])):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"path must be a file written by Training\.save"):
            learning.Training.load(path)


def test_batches_visit_every_example_once_an_epoch():
    task, seen = learning.noisy_product(10, 1.0, seed=1), []

    def note(moment):
        # one example a step: its target is the product less the derivative by the output, here theta is never moved
        seen.append(round(float(moment.theta.prod() - moment.gradient[0] / moment.theta[1]), 9))

    learning.train(
        learning.Product(2), task, learning.Descent(1e-12), 29, batch=1, every=100, callbacks=[learning.Watch(note, 1)]
    )
    epochs = np.array(seen).reshape(3, 10)
    assert all(np.array_equal(np.sort(epoch), np.sort(task.targets[:, 0].round(9))) for epoch in epochs)
    assert not np.array_equal(epochs[0], epochs[1])


def test_descent_on_a_bowl_is_known():
    """theta_k = c + (1 - eta lam)^k (theta_0 - c), with c the mean of the centres; the loss of the record follows."""
    lam = np.array([1.0, 4.0])
    task, network = learning.noisy_quadratic(lam, 0.3, 50), learning.Bowl((1.0, 4.0))
    run = learning.train(network, task, learning.Descent(0.1), 20, theta=[1.0, -1.0], every=10)
    c = task.targets.mean(axis=0) / np.sqrt(lam)
    expected = c + (1 - 0.1 * lam) ** 20 * (np.array([1.0, -1.0]) - c)
    np.testing.assert_allclose(run.theta, expected, rtol=1e-12)
    assert run.train_loss[-1] == pytest.approx(network.loss(expected, task.inputs, task.targets), rel=1e-12)
    assert run.test_loss[-1] == pytest.approx(network.loss(expected, task.test_inputs, task.test_targets), rel=1e-12)
    assert run.train_accuracy is None
    with pytest.raises(ValueError, match="task must have labels"):
        run.first_step()


def test_consolidation_watch():
    """Estimates from 40 examples scatter around C of all of them; with a biased estimate they would not."""
    theta, seen = NETWORK.initial(1), []
    for seed in range(200):
        run = learning.train(
            NETWORK,
            TASK,
            learning.Descent(1e-9),
            1,
            theta=theta,
            seed=seed,
            callbacks=[learning.consolidation_watch(9, 40)],
        )
        seen.append(run.watched["C"].values[0])
    run = learning.train(
        NETWORK, TASK, learning.Descent(1e-9), 1, theta=theta, callbacks=[learning.consolidation_watch(9, None)]
    )
    exact = run.watched["C all"].values[0]
    G = NETWORK.per_sample_gradients(theta, TASK.inputs, TASK.targets)
    assert exact == pytest.approx((G.mean(axis=0) ** 2).sum() / G.var(axis=0).sum(), rel=1e-10)
    assert run.watched["p all"].values[0] == pytest.approx(exact / (1 + exact), rel=1e-12)
    error = np.std(seen) / np.sqrt(200)
    assert abs(np.mean(seen) - exact) < 5 * error < 0.5 / 40  # the plug-in estimate is 1/40 larger
    # all gradients the same: no noise, no C
    quiet = learning.train(
        learning.Product(2),
        learning.noisy_product(5),
        learning.Descent(0.1),
        1,
        callbacks=[learning.consolidation_watch(1, 3), learning.consolidation_watch(1, None)],
    )
    assert quiet.watched == {}


def test_goal_ends_a_run():
    run = learning.train(NETWORK, TASK, learning.Descent(1e-6), 50, theta=NETWORK.addition_weights(), goal=0.0, every=7)
    assert run.n_steps == 0 and run.steps.tolist() == [0]


@pytest.mark.parametrize("task", [learning.comparison(16), learning.graph_distance(24, 0, 0.7)], ids=lambda t: t.name)
def test_a_perceptron_generalises(task):
    """Order and distances on a ring from part of the pairs: better than the commonest label by five standard errors."""
    network = learning.Perceptron(task.n_symbols, task.n_outputs, 16, (64,), spread=0.1)
    optimiser = learning.AdamW(learning.WarmUp(0.01, 20), 0.5)
    run = learning.train(network, task, optimiser, 1500, batch=64, every=1500)
    guess, m = np.bincount(task.test_targets).max() / len(task.test_targets), len(task.test_targets)
    assert run.train_accuracy[-1] > 0.99
    assert run.test_accuracy[-1] > guess + 5 * np.sqrt(guess * (1 - guess) / m)


def test_grokking():
    """Plain descent, squared loss, nothing that regularises: all is learned by heart, and much later understood."""
    seed = 1
    task, network = learning.modular_addition(31, 0.55, seed=seed), learning.QuadraticNetwork(31, 128)
    run = learning.train(network, task, learning.Descent(32.0), 6000, seed=seed, every=50, goal=0.95)
    learned, understood = run.first_step(1.0, "train"), run.first_step(0.95)
    assert learned is not None and understood is not None
    assert understood > 2.5 * learned
    assert run.test_accuracy[run.steps == learned][0] < 0.1
    # the loss of the tests rises above that of an output of nothing, 1/2, before it falls
    assert run.test_loss.max() > 0.5 > run.test_loss[-1]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (dict(batch=30), ValueError, "batch must be at most 29, the number of examples, got 30"),
        (dict(theta=np.ones(3)), ValueError, r"theta must have shape \(252,\), got \(3,\)"),
        (dict(every=0), ValueError, "every must be at least 1, got 0"),
        (dict(callbacks=[print]), TypeError, r"callbacks must be Watch\(function, every, samples\), got <built-in"),
    ],
)
def test_errors_of_training(change, error, message):
    with pytest.raises(error, match=message):
        learning.train(NETWORK, TASK, learning.Descent(0.1), 3, **change)


def test_more_errors_of_training():
    with pytest.raises(ValueError, match="goal is an accuracy and needs a task with labels"):
        learning.train(learning.Product(2), learning.noisy_product(5), learning.Descent(0.1), 3, goal=0.9)
    with pytest.raises(ValueError, match="samples must be at least 3, got 2"):
        learning.consolidation_watch(10, 2)
    with pytest.raises(FloatingPointError, match="theta left the finite numbers"):
        learning.train(NETWORK, TASK, learning.Descent(1e6), 100)
