"""Claims that need trained networks: what would support them, and that planted errors change the verdicts they should change."""

import math

import numpy as np
import pytest

from shld_sim import theory
from shld_sim.claims import Outcome, verify
from shld_sim.claims.measure import mean_of_runs
from shld_sim.learning import experiments
from shld_sim.learning.experiments import Lottery, Minimum, Signals, Ticket

SIZES = np.array([2, 32, 512])


def result(id, quick=True):
    return verify(only=id, quick=quick, figures=False, progress=False)[id]


def failed(found):
    """Labels of the tests of the corrected form that fail."""
    return [test.label for test in found.corrected if test.outcome is Outcome.FAILS]


# -- few runs ----


def test_errors_of_few_runs_are_students():
    """Five of these errors are left as often as five normal ones; of four runs, five plain ones far more often."""
    z = np.random.default_rng(1).standard_normal((200_000, 4))
    value, error = mean_of_runs(z[0])
    assert value == pytest.approx(z[0].mean())
    assert error > 20 * z[0].std(ddof=1) / 2.0
    t = np.abs(z.mean(axis=1)) / (z.std(axis=1, ddof=1) / 2.0)
    widened = error / (z[0].std(ddof=1) / 2.0)
    assert (t > 5.0 * widened).sum() <= 3  # mean 0.11
    assert (t > 5.0).mean() > 0.01


# -- trainings that were never made, with any p ----


def signals(p, rng, spread=0.02, m=11):
    """Signals of batches of 32 with about this p at every stage."""
    p = np.clip(p + spread * rng.standard_normal(m), 0.01, 0.99)
    return Signals(np.arange(m), p / (32.0 * (1.0 - p)), np.ones(m))


def lottery(winning, random, factor=1.0):
    """Return a lottery whose tickets have these p, and whose drawn batches have ``factor`` times the odds that they should."""

    def draw(**settings):
        rng = np.random.default_rng(settings["seed"])

        def ticket(p, right):
            s = signals(p, rng)
            odds = factor * SIZES * s.C[-1] * (1.0 + 0.01 * rng.standard_normal(3))
            return Ticket(100, 1.0, right + 0.01 * rng.standard_normal(), np.ones(11), s, odds)

        return Lottery(0.2, 32, tuple(SIZES), ticket(0.2, 0.9), ticket(winning, 0.85), ticket(random, 0.75))

    return draw


@pytest.mark.parametrize(
    ("winning", "random", "factor", "verdict"),
    [
        (0.675, 0.375, 1.0, "supported"),
        (0.675, 0.375, 1.2, "supported"),  # nothing is wrong with the statement
        (0.2, 0.2, 1.0, "corrected"),
        (0.675, 0.55, 1.0, "corrected"),
        (0.2, 0.2, 1.2, "refuted"),  # drawn batches do not follow B C_1
    ],
)
def test_lottery(winning, random, factor, verdict, monkeypatch):
    monkeypatch.setattr(experiments, "lottery", lottery(winning, random, factor))
    assert str(result("phase.lottery").verdict) == verdict


def flatness(small, large, slope=1.0, factor=1.0, sharper=1.5):
    """Return minima with these p, whose gap falls with p by ``slope``, whose drawn batches have ``factor`` times the odds."""

    def reach(batch, **settings):
        rng = np.random.default_rng([settings["seed"].spawn_key[-1], batch or 0])
        s = signals(small if batch else large, rng, m=2)
        s.signal[0] = 1.0  # p near 1 at the beginning
        odds = factor * SIZES * s.C[-1] * (1.0 + 0.01 * rng.standard_normal(3))
        right = 0.7 + 0.2 * slope * s.p(32)[-1] + 0.013 * rng.standard_normal()
        lmax = (10.0 if batch else 10.0 * sharper) * math.exp(0.05 * rng.standard_normal())
        return Minimum(batch, np.exp(rng.standard_normal(2)), 1.0, right, lmax, 6.0 * lmax, s, tuple(SIZES), odds)

    return reach


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        ({"small": 0.75, "large": 0.52}, "supported"),
        ({"small": 0.45, "large": 0.02}, "corrected"),
        ({"small": 0.75, "large": 0.52, "slope": -1.0}, "corrected"),  # the wrong sign of the correlation
        ({"small": 0.75, "large": 0.52, "sharper": 0.5}, "corrected"),  # small batches reach the sharp ones
        ({"small": 0.45, "large": 0.02, "factor": 1.2}, "refuted"),
    ],
)
def test_flatness(settings, verdict, monkeypatch):
    monkeypatch.setattr(experiments, "flatness", flatness(**settings))
    # as many pairs as in full: the correlation of 32 has too large an error to support anything
    assert str(result("phase.flatness", quick=False).verdict) == verdict


# -- phenomena ----


@pytest.fixture(scope="module")
def edge():
    return experiments.edge_of_stability(0.2, 8, steps=100, after=60, every=20, draws=100, multiples=(0.5, 2.0), seed=1)


@pytest.fixture
def same_edge(monkeypatch, edge):
    """Tickets that were never trained, and one run at the edge for all."""
    monkeypatch.setattr(experiments, "lottery", lottery(0.2, 0.2))
    monkeypatch.setattr(experiments, "edge_of_stability", lambda *a, **settings: edge)


def test_a_threshold_that_forgets_the_noise_is_noticed(monkeypatch):
    monkeypatch.setattr(experiments, "lottery", lottery(0.2, 0.2))
    right = theory.step_threshold
    monkeypatch.setattr(theory, "step_threshold", lambda mu, S, H: right(mu, 0.0 * S, H))
    found = result("sdsd.phenomena")
    assert str(found.verdict) == "refuted"
    assert "change over eta*/2, worst of the runs" in failed(found)


def test_batches_with_too_much_noise_are_noticed(monkeypatch, same_edge):
    right = experiments.odds_of_batches
    monkeypatch.setattr(experiments, "odds_of_batches", lambda *a: right(*a) / 1.2)
    found = result("sdsd.phenomena")
    assert str(found.verdict) == "refuted"
    assert len(failed(found)) == 3
    assert all("odds over B C_1 at the peak" in label for label in failed(found))


def test_the_labels_of_the_collapse_are_not_exchangeable(monkeypatch, same_edge):
    """A training that is looked at the wrong way round, collapsed at memory and not at understanding, fails both tests."""
    from shld_sim.claims import sdsd

    right = sdsd._grokking
    monkeypatch.setattr(sdsd, "_grokking", lambda seed: (lambda run, left: (run, left[::-1]))(*right(seed)))
    found = result("sdsd.phenomena")
    orbit = [test.outcome for test in found.stated if "orbit variance" in test.label]
    assert len(orbit) == 2 and Outcome.HOLDS not in orbit
