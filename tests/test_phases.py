"""The document's rules on p, C and I: every row at its bounds, the gaps of the bands, histories."""

import math

import pytest

from shld_sim.diagnostics import (
    GUIDE,
    EarlyStop,
    Phase,
    advice,
    best_step_factor,
    intelligence,
    intelligence_as_stated,
    phase,
    step_factor,
)

BELOW = 1e-12


@pytest.mark.parametrize(
    ("p", "state", "factor"),
    [
        (0.0, "failing", 0.1),
        (0.4 - BELOW, "failing", 0.1),
        (0.4, "sub-threshold", 0.5),
        (0.5 - BELOW, "sub-threshold", 0.5),
        (0.5, "critical", 1.0),
        (0.6 - BELOW, "critical", 1.0),
        (0.6, "learning", 1.5),
        (0.75 - BELOW, "learning", 1.5),
        (0.75, "strong", 2.0),
        (1.0, "strong", 2.0),
    ],
)
def test_guide_and_step_factor_at_their_bounds(p, state, factor):
    assert advice(p).state == state
    assert step_factor(p) == factor


def test_guide_has_no_gap_and_its_bounds_in_c_are_those_of_the_document():
    assert [row.low for row in GUIDE] == [0.0, *(row.high for row in GUIDE[:-1])]
    assert [round(row.low / (1 - row.low), 2) for row in GUIDE[1:]] == [0.67, 1.0, 1.5, 3.0]
    assert GUIDE[-1].high == 1.0


@pytest.mark.parametrize(
    ("p", "I", "expected"),
    [
        (0.3, 0.05, Phase.EXPLORATION),
        (0.3, 0.0, Phase.EXPLORATION),
        (0.3, -0.01, Phase.DIVERGENCE),
        (0.9, -0.01, Phase.DIVERGENCE),
        (0.5, 0.1, Phase.TRANSITION),
        (0.46, 0.49, Phase.TRANSITION),
        (0.54, 0.3, Phase.TRANSITION),
        (0.6, 0.51, Phase.GENERALISATION),
        (0.6, 0.5, Phase.NONE),  # the gaps of the document
        (0.6, 0.05, Phase.NONE),
        (0.3, 0.3, Phase.NONE),
        (0.5, 0.6, Phase.NONE),
    ],
)
def test_phases(p, I, expected):
    assert phase(p, I) is expected


@pytest.mark.parametrize(
    ("eta", "lmax", "margin", "typed", "stable"),
    [
        # |1 - eta lmax| < 1 decides; 2/eta - lmax and 2 eta - lmax by hand
        (0.01, 150.0, 50.0, -149.98, True),
        (0.01, 250.0, -50.0, -249.98, False),
        (0.1, 19.0, 1.0, -18.8, True),
        (3.0, 1.0, -1 / 3, 5.0, False),
        (1.0, 1.5, 0.5, 0.5, True),
    ],
)
def test_intelligence(eta, lmax, margin, typed, stable):
    assert intelligence(0.6, eta, lmax, 100.0, 1.5) == pytest.approx(0.6 * margin / 1.5)
    assert intelligence(0.6, eta, lmax, 1.0, 1.5) == pytest.approx(0.6 * margin)
    assert intelligence_as_stated(0.6, eta, lmax, 100.0, 1.5) == pytest.approx(0.6 * typed / 1.5)
    assert (margin > 0) == stable == (abs(1 - eta * lmax) < 1)


def test_best_step_factor_leads_to_the_best_step():
    assert 0.3 * best_step_factor(0.6, 0.3, 4.0) == pytest.approx(0.15)
    assert best_step_factor(0.5, 1.0, 1.0) == 0.5


def test_early_stop_counts_in_a_row():
    rule = EarlyStop()
    assert [rule.update(0.44) for _ in range(9)] == [()] * 9
    assert rule.update(0.45) == ()  # not below: the count begins again
    assert [rule.update(0.44) for _ in range(9)] == [()] * 9
    assert rule.update(0.44) == ("p low",)


def test_early_stop_sees_a_falling_c():
    rule = EarlyStop()
    series = [0.9 - 0.01 * i for i in range(21)]
    assert [rule.update(p) for p in series[:-1]] == [()] * 20
    assert rule.update(series[-1]) == ("C falling",)
    assert rule.update(series[-1]) == ()  # as high as before


def test_early_stop_by_interval_and_by_intelligence():
    rule = EarlyStop()
    assert rule.update(0.6, p_interval=(0.4, 0.5), intelligence=0.0) == ()
    assert rule.update(0.6, p_interval=(0.4, 0.49), intelligence=-1e-9) == ("interval below 1/2", "I negative")
    assert repr(EarlyStop(patience=3)) == "EarlyStop(low=0.45, patience=3, falling=20)"


def test_errors_name_the_argument():
    for call in (advice, step_factor, EarlyStop().update):
        with pytest.raises(ValueError, match=r"p must lie in \[0, 1\], got 1\.5"):
            call(1.5)
    with pytest.raises(ValueError, match="p must be a finite number, got nan"):
        phase(math.nan, 0.1)
    with pytest.raises(ValueError, match=r"eta must be positive, got 0\.0"):
        intelligence(0.5, 0.0, 1.0, 10, 1.5)
    with pytest.raises(ValueError, match=r"patience must be at least 1, got 0"):
        EarlyStop(patience=0)
