"""The experiment that groks: that it does, that it is the same every time, and what it records against slow twins."""

import numpy as np
import pytest

from shld_sim import diagnostics, learning
from shld_sim.learning.experiments import grokking


def kept(one):
    """Whether all was known by heart long before it was understood, with tests no better than guessed."""
    heart = one.by_heart
    guessed = one.test_accuracy[one.steps == heart][0]
    return one.grokked and one.understood > 2.5 * heart and guessed < 0.15 and one.train_accuracy[-1] > 0.98


@pytest.mark.parametrize("seed", [0, 1])
def test_it_groks(seed):
    one = grokking(every=20, seed=seed)
    assert kept(one)
    assert len(one.jumps) > 0
    # the loss of the tests rises above that of an output of nothing, 1/2, before it falls
    assert one.test_loss.max() > 0.5 > one.test_loss[-1]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_it_groks_at_full_size(seed):
    assert kept(grokking(31, 128, 0.5, steps=4000, every=100, seed=seed))


def test_the_same_seed_gives_the_same_bits():
    settings = dict(p=7, width=16, batch=16, steps=30, after=0.0, every=10)
    one = grokking(**settings, seed=3)
    assert grokking(**settings, seed=3) is one
    grokking.cache_clear()
    again, other = grokking(**settings, seed=3), grokking(**settings, seed=4)
    assert again is not one
    for name in ("test_accuracy", "norms", "C", "C_estimate", "lmax", "rho", "alpha_noise", "phi"):
        assert np.array_equal(getattr(one, name), getattr(again, name), equal_nan=True), name
    assert not np.array_equal(one.norms, other.norms)
    with pytest.raises(ValueError, match="read-only"):
        one.C[0] = 1.0


def test_what_is_recorded_at_the_start():
    """Against all gradients, the whole Hessian, and the definition of rho."""
    one = grokking(7, 16, batch=16, steps=30, after=0.0, every=10, seed=3)
    task, network = learning.modular_addition(7, 0.65, 3), learning.QuadraticNetwork(7, 16)
    assert network.n_parameters == one.n_parameters
    run = learning.train(
        network,
        task,
        learning.Descent(one.eta),
        1,
        batch=one.batch,
        seed=3,
        callbacks=[learning.Watch(lambda m: dict(slowly(m, one.batch)), 1)],
    )
    for name, values in (("norms", one.norms), ("C", one.C)):
        assert run.watched[name].values[0] == pytest.approx(values[0], rel=1e-10)
    top = run.watched["lmax"].values[0]
    assert one.lmax[0] == pytest.approx(top, rel=0.02) and one.lmax[0] <= top * (1 + 1e-9)
    assert one.S[one.at] == pytest.approx(2.0 / one.eta - one.lmax)
    assert one.S_p == pytest.approx(2.0 * one.C / (1.0 + one.C) / one.eta - one.lmax)
    assert np.array_equal(one.rate[1:], np.diff(one.rho)) and np.isnan(one.rate[0])
    assert one.C_plug_in - one.C_estimate == pytest.approx(one.batch / 32)


def slowly(moment, batch):
    """Names and numbers of the same quantities the slow way."""
    network, task, theta = moment.network, moment.task, moment.theta
    each = network.per_sample_gradients(theta, task.inputs, task.targets)
    H = [network.hessian_vector_product(theta, v, task.inputs, task.targets) for v in np.eye(theta.size)]
    spread = ((each - each.mean(axis=0)) ** 2).sum() / len(each)
    yield "norms", float(np.linalg.norm(moment.gradient))
    yield "C", batch * float((each.mean(axis=0) ** 2).sum() / spread)
    yield "lmax", float(np.linalg.eigvalsh(np.array(H))[-1])


def test_rho_is_that_of_the_outputs():
    """ln det of J J^T with J by differences of outputs."""
    import sys

    module = sys.modules["shld_sim.learning.experiments.grokking"]
    task, network = learning.modular_addition(7, 0.65, 3), learning.QuadraticNetwork(7, 16)
    meter, theta, h = module._Meter(network, task, 16, 3), network.initial(5), 1e-5
    rows = np.arange(len(meter.probes))

    def outputs(t):
        return network.outputs(t, meter.probes)[rows, meter.places]

    J = np.array([(outputs(theta + h * e) - outputs(theta - h * e)) / (2 * h) for e in np.eye(theta.size)]).T
    assert meter.log_det(theta) == pytest.approx(diagnostics.tangent_kernel(J).log_det, abs=1e-5)


def test_another_unit_of_the_loss():
    """The tracker, given the gradients and curvatures of c times the loss, says the same as `conditions_in`."""
    one, seen = grokking(every=20, seed=1), 0
    assert np.array_equal(one.conditions_in(1.0), one.conditions)
    curvature = 2.0 / one.eta - one.S
    for c in (300.0, 1000.0):
        tracker = diagnostics.CriticalityTracker(one.eta / c, dim=one.n_parameters)
        states = [tracker.update(*v) for v in zip(c * one.norms, c * curvature, one.rho)]
        assert np.array_equal(np.array([s.conditions for s in states]), one.conditions_in(c))
        seen += one.conditions_in(c)[:, 0].sum()
    assert seen > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(every=0), "every must be at least 1, got 0"),
        (dict(after=-1.0), "after must not be negative"),
        (dict(p=5, batch=100), "batch must be at most 16, the number of examples, got 100"),
        (dict(learning_rate=0.0), "learning_rate must be positive"),
    ],
)
def test_errors(change, message):
    with pytest.raises(ValueError, match=message):
        grokking(**change)
