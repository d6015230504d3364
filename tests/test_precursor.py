"""Precursors and conditions that hold together: synthetic signals with known answers, coverage, and planted errors."""

import numpy as np
import pytest

from shld_sim import diagnostics

SPAN = (0, 1999)


# -- jumps ----


def test_jumps_of_a_staircase():
    steps = np.arange(0, 100, 2)
    accuracy = np.where(steps >= 30, 0.2, 0.0) + np.where(steps >= 60, 0.04, 0.0) + np.where(steps >= 80, 0.06, 0.0)
    # the rise at 30 is seen from 20 on, that of 0.04 at 60 is too small, that at 80 is seen from 70 on
    assert diagnostics.jumps(steps, accuracy).tolist() == [20, 70]
    assert diagnostics.jumps(steps, accuracy, rise=0.03).tolist() == [20, 50, 70]
    assert diagnostics.jumps(steps, accuracy, within=2).tolist() == [28, 78]


def test_jumps_do_not_overlap_and_must_exceed_the_rise():
    steps = np.arange(0, 101, 5)
    assert diagnostics.jumps(steps, steps / 100.0, rise=0.09).tolist() == list(range(0, 91, 10))
    assert len(diagnostics.jumps(steps, steps / 128.0, rise=10.0 / 128.0)) == 0
    assert len(diagnostics.jumps(steps, 1.0 - steps / 100.0)) == 0


# -- precursors ----


def test_which_events_are_preceded():
    events, signal = [100, 200, 300, 400], [51, 190, 295, 349, 500]
    found = diagnostics.precursors(signal, events, (0, 600))  # lags 49, 10, 5, 51
    assert found.preceded.tolist() == [True, True, False, False]
    assert found.share == 0.5
    wider = diagnostics.precursors(signal, events, (0, 600), lags=(5, 51))
    assert wider.preceded.all() and wider.beyond_chance == pytest.approx(1.0)
    low, high = wider.interval
    assert low == pytest.approx(0.025**0.25) and high == 1.0  # k = n: x^n = 0.025


def test_no_signal_precedes_nothing():
    for null in ("shift", "lag"):
        found = diagnostics.precursors([], [100, 500], SPAN, null=null)
        assert (found.share, found.expected, found.p_value, found.beyond_chance) == (0.0, 0.0, 1.0, 0.0)


def test_a_signal_that_is_always_on_says_nothing():
    found = diagnostics.precursors(np.arange(2000), [100, 500], SPAN)
    assert (found.share, found.expected, found.p_value, found.beyond_chance) == (1.0, 1.0, 1.0, 0.0)


def test_expected_share_of_a_random_signal():
    """One signal in 2000 steps: a shift puts it before an event at 41 of the 1999 others."""
    found = diagnostics.precursors([700], [720], SPAN, draws=20_000)
    assert found.expected == pytest.approx(40 / 1999, abs=5 * np.sqrt(0.02 / 20_000))
    lag = diagnostics.precursors([700], [720], SPAN, null="lag", draws=20_000)
    assert lag.expected == pytest.approx(41 / 721, abs=5 * np.sqrt(0.057 / 20_000))


def p_values(rng, lead, n=200, null="shift", bursts=6):
    """p-values of bursts of a signal, some of which come ``lead`` steps before an event; None: anywhere."""
    found = []
    for _ in range(n):
        events = np.sort(rng.integers(200, 1900, size=6))
        starts = rng.integers(0, 1960, size=bursts) if lead is None else events - lead
        signal = np.unique((starts[:, None] + np.arange(8)).ravel())
        found.append(diagnostics.precursors(signal, events, SPAN, null=null, draws=199, seed=rng).p_value)
    return np.array(found)


def test_p_values_are_honest_and_see_what_is_there():
    """Without a relation P(p <= x) <= x, five standard errors allowed; a lead of 30 steps is seen, one of 90 is not."""
    rng = np.random.default_rng(1)
    found = p_values(rng, None)
    for level in (0.05, 0.2, 0.5):
        assert (found <= level).mean() <= level + 5 * np.sqrt(level * (1 - level) / len(found))
    assert np.median(p_values(rng, 30, 40)) <= 0.05  # a shift of a few steps changes nothing
    assert np.median(p_values(rng, 90, 40)) > 0.1


def test_a_uniform_lag_finds_precursors_where_there_are_none():
    """The document's null has one signal an event; twenty bursts of eight steps are before it more often than that."""
    found = p_values(np.random.default_rng(6), None, null="lag", bursts=20)
    assert (found <= 0.05).mean() > 0.05 + 5 * np.sqrt(0.05 * 0.95 / len(found))


def test_the_interval_of_the_share_covers():
    rng, held = np.random.default_rng(2), 0
    for _ in range(300):
        n = 20
        events = 100 * (1 + np.arange(n))
        signal = events[rng.random(n) < 0.7] - 30
        low, high = diagnostics.precursors(signal, events, (0, 2100), draws=10).interval
        held += low <= 0.7 <= high
    assert held / 300 >= 0.95 - 5 * np.sqrt(0.05 * 0.95 / 300)


# -- alignment ----


def chain(rng, n, runs, keep, share=0.3, k=2):
    """Conditions that stay as they are for a geometric time, mean 1/(1 - keep), each independent of the others."""
    held = np.empty((runs, n, k), dtype=bool)
    now = rng.random((runs, k)) < share
    for t in range(n):
        held[:, t] = now
        now = np.where(rng.random((runs, k)) < keep, now, rng.random((runs, k)) < share)
    return held


def test_alignment_of_known_conditions():
    a = np.array([1, 1, 0, 0, 1, 0, 0, 0], dtype=bool)
    b = np.array([1, 0, 1, 0, 1, 0, 0, 0], dtype=bool)
    found = diagnostics.alignment(np.column_stack([a, b]), block=2)
    assert (found.joint, found.marginals, found.product) == (0.25, (0.375, 0.375), 0.140625)
    assert found.ratio == pytest.approx(16 / 9)
    never = diagnostics.alignment([np.zeros((5, 3), bool), np.zeros((4, 3), bool)])
    assert (never.joint, never.product, never.joint_interval) == (0.0, 0.0, (0.0, 0.0)) and np.isnan(never.ratio)


def covered(rng, block, keep, times):
    joint = ratio = 0
    for held in chain(rng, 3000, times, keep):
        found = diagnostics.alignment(held, block, draws=200, seed=rng)
        joint += found.joint_interval[0] <= 0.09 <= found.joint_interval[1]
        ratio += found.ratio_interval[0] <= 1.0 <= found.ratio_interval[1]
    return joint / times, ratio / times


def test_blocks_cover_and_single_steps_do_not():
    """Correlation time 10: blocks of 100 steps cover the joint probability, blocks of one step, the planted error, do not."""
    rng, slack = np.random.default_rng(3), 5 * np.sqrt(0.09 * 0.91 / 100)
    assert min(covered(rng, 100, 0.9, 100)) >= 0.91 - slack
    assert covered(rng, 1, 0.9, 100)[0] < 0.91 - slack


def test_runs_cover():
    rng, held, times = np.random.default_rng(4), 0, 150
    for _ in range(times):
        found = diagnostics.alignment(list(chain(rng, 200, 30, 0.95)), draws=200, seed=rng)
        held += found.joint_interval[0] <= 0.09 <= found.joint_interval[1]
    assert held / times >= 0.93 - 5 * np.sqrt(0.07 * 0.93 / times)


def test_dependent_conditions_are_told_from_independent_ones():
    rng = np.random.default_rng(5)
    held = chain(rng, 400, 20, 0.9)
    found = diagnostics.alignment(list(held))
    assert found.ratio_interval[0] <= 1.0 <= found.ratio_interval[1]
    held[..., 1] |= held[..., 0]
    tied = diagnostics.alignment(list(held))
    assert tied.ratio_interval[0] > 1.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.jumps([0, 2, 2], [0, 0, 1.0]), "steps must rise"),
        (lambda: diagnostics.jumps([0, 2], [0.0]), "steps and accuracy must have the same shape"),
        (lambda: diagnostics.jumps([0.5], [0.0]), "steps must be a list of whole numbers"),
        (lambda: diagnostics.precursors([], [], SPAN), "events must be one step or more, got none"),
        (lambda: diagnostics.precursors([2000], [5], SPAN), r"signal must lie in span = \(0, 1999\), got 2000 to 2000"),
        (lambda: diagnostics.precursors([1], [5], (9, 3)), r"span and lags must be in order, got \(9, 3\)"),
        (lambda: diagnostics.precursors([1], [5], SPAN, null="none"), "null must be one of"),
        (lambda: diagnostics.alignment(np.ones((4, 2))), r"conditions must be true or false, of shape \(n, k\)"),
        (lambda: diagnostics.alignment(np.ones((4, 2), bool)), "two runs or blocks or more, got 1"),
        (lambda: diagnostics.alignment(np.ones((4, 2), bool), block=3), "two runs or blocks or more, got 1"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
