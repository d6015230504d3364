"""Watchers that end a training or change its step."""

import numpy as np
import pytest

import shld_sim as shld
from shld_sim import learning
from shld_sim.diagnostics import EarlyStop, step_factor

TASK = learning.noisy_quadratic([1.0, 1.0], noise=1.0, n=200, seed=1)
BOWL = learning.Bowl((1.0, 1.0))
BATCH = 4


def trained(watch, steps=400, start=30.0, eta=0.05, **more):
    optimiser = learning.Descent(eta)
    return learning.train(
        BOWL, TASK, optimiser, steps, batch=BATCH, theta=[start, start], every=50, callbacks=[watch], **more
    )


def test_a_training_ends_when_noise_wins():
    """From far away p is near 1; at the minimum it is near 0: the rule ends it there, after the p that it needs, not before."""
    run = trained(learning.early_stop_watch(BATCH, every=5, samples=100, rule=EarlyStop(patience=10, falling=1000)))
    p = run.watched["p"].values
    assert p[0] > 0.9 and p[-1] < 0.45
    assert 50 < run.n_steps < 400 and run.n_steps == run.watched["p"].steps[-1]
    # either ten in a row below .45, or an interval below 1/2
    never = trained(learning.early_stop_watch(10**9, every=5, samples=100, rule=EarlyStop(falling=1000)), steps=200)
    assert never.n_steps == 200  # with batches so large p stays 1: the size counts


def test_an_ended_training_is_what_it_would_have_been():
    ended = trained(learning.early_stop_watch(BATCH, every=5, samples=100))
    free = learning.train(BOWL, TASK, learning.Descent(0.05), ended.n_steps, batch=BATCH, theta=[30.0, 30.0], every=50)
    assert np.array_equal(ended.theta, free.theta)
    assert learning.resume(ended, 7).n_steps == ended.n_steps + 7


def test_the_step_follows_p():
    run = trained(learning.adaptive_step_watch(BATCH, every=5, samples=100), steps=300)
    p, rates = run.watched["p"].values, run.watched["learning rate"].values
    assert rates == pytest.approx([0.05 * step_factor(value) for value in p])
    assert {0.1, 0.005} <= set(np.round(rates, 12))  # doubled at first, a tenth at the end
    assert run.optimiser.learning_rate == rates[-1]
    same = trained(learning.adaptive_step_watch(BATCH, every=5, samples=100, factor=lambda p: 1.0), steps=300)
    plain = learning.train(BOWL, TASK, learning.Descent(0.05), 300, batch=BATCH, theta=[30.0, 30.0], every=50)
    assert np.array_equal(same.theta, plain.theta) and not np.array_equal(run.theta, plain.theta)


def test_without_noise_p_is_one():
    task = learning.noisy_quadratic([1.0, 1.0], noise=1e-300, n=20, seed=1)
    watch = learning.adaptive_step_watch(1, every=10, samples=5)
    run = learning.train(BOWL, task, learning.Descent(0.05), 20, theta=[3.0, 3.0], callbacks=[watch])
    assert (run.watched["p"].values == 1.0).all()


def test_errors():
    with pytest.raises(TypeError, match="optimiser must have a number for its learning rate to be steered"):
        learning.train(
            BOWL,
            TASK,
            learning.Descent(shld.Cosine(0.1, 0.01, 10.0)),
            10,
            callbacks=[learning.adaptive_step_watch(BATCH)],
        )
    with pytest.raises(ValueError, match="samples must be"):
        learning.early_stop_watch(BATCH, samples=2)
