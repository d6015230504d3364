"""The rules that turn measurements into verdicts. They are fixed here, before any measurement, and know nothing of physics.

A check compares measured quantities with predictions. Each comparison is a `Test`: a value, its standard error, a bound on
its numerical error, and the prediction. Its interval is ``value +- (5 stderr + numerical)``; a normal quantity leaves it
with probability 6e-7 (`Test.false_alarm`), so that a claim of a hundred tests gets a false verdict less than once in 1e4
runs. A deviation of `Test.detects` is seen with probability 1 - 1e-4.

No check chooses the deviation that matters, its *resolution*: it is a tenth of the scale of the prediction for every test of
every claim, or half the distance to a rival where laws are told apart by a number. The scale is the prediction itself, or,
where that is 0 or a probability, what the quantity would be if the effect were there, said with the test: 1 for a
probability, a logarithm or a correlation, the gain of the best step for a change of the loss. The rival is for exponents and
orders: order 1/2 for order 1. Sample sizes follow from it: ``n >= (5 sd/(resolution - numerical))^2``.

The outcome of a test is

* ``equals``: *fails* if the prediction lies outside the interval; otherwise *holds* if the interval is no wider than the
  resolution to each side (so that a deviation of twice the resolution would have been seen), else *undecided*;
* ``at least``: *fails* if the whole interval lies below the bound; *holds* if it lies above the bound less the resolution;
  else *undecided*. ``at most`` likewise.

A claim brings tests of what the document states and, where there is one, of a corrected form. The verdict is

* *supported* if every test of the statement holds;
* if a test of the statement fails: *corrected* if there is a corrected form and all its tests hold, *inconclusive* if one
  of them is undecided, else *refuted*;
* *inconclusive* otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

Z = 5.0  # standard errors to each side of an interval
SEEN = 3.719  # standard errors that a normal quantity exceeds with probability 1e-4
SHARE = 0.1  # of the scale of a prediction: the deviation that matters
HONEST = 0.925  # least coverage of an interval of 95 % that counts as one: it misses half as often again
EDITION = 3  # of these rules; another edition draws other random numbers, none that were seen when it was written


class Outcome(StrEnum):
    """What a test says about a prediction."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


class Verdict(StrEnum):
    """What the tests say about a claim; ``crashed`` when a check did not finish."""

    SUPPORTED = "supported"
    CORRECTED = "corrected"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    CRASHED = "crashed"


RELATIONS = {"equals": "=", "at least": ">=", "at most": "<="}


@dataclass(frozen=True)
class Test:
    """A measured quantity against a prediction.

    Parameters
    ----------
    label : str
        What was measured.
    value : float
        The measurement.
    bound : float
        The prediction.
    stderr : float
        Standard error of the value; 0 for a computed number.
    relation : {"equals", "at least", "at most"}
        What the prediction says of the value.
    scale : float, optional
        Size of the quantity, of which a tenth matters. Default: the size of the prediction, which must not be 0 then.
    rival : float, optional
        Another value, from which the prediction must be told apart: half the distance to it is what matters.
    numerical : float
        Bound on the error of the computation: time step, grid, quadrature.
    """

    __test__ = False  # not a test of the test suite

    label: str
    value: float
    bound: float
    stderr: float = 0.0
    relation: str = "equals"
    scale: float | None = None
    rival: float | None = None
    numerical: float = 0.0

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise ValueError(f"relation must be one of {', '.join(map(repr, RELATIONS))}, got {self.relation!r}")
        for name in ("value", "bound", "stderr", "scale", "rival", "numerical"):
            if getattr(self, name) is None:
                continue
            number = float(getattr(self, name))
            object.__setattr__(self, name, number)
            if not math.isfinite(number) or (name in ("stderr", "scale", "numerical") and number < 0):
                raise ValueError(f"{name} of test {self.label!r} must be finite and not negative, got {number!r}")
        if self.scale is not None and self.rival is not None:
            raise ValueError(
                f"scale and rival of test {self.label!r} exclude each other, got {self.scale} and {self.rival}"
            )
        if self.resolution == 0.0:
            raise ValueError(f"scale of test {self.label!r} must be given and positive: nothing else says what matters")

    @property
    def resolution(self) -> float:
        """Deviation that matters: half the distance to the rival, else a tenth of the scale."""
        if self.rival is not None:
            return 0.5 * abs(self.bound - self.rival)
        return SHARE * (abs(self.bound) if self.scale is None else self.scale)

    @property
    def half_width(self) -> float:
        """Half the width of the interval, ``5 stderr + numerical``."""
        return Z * self.stderr + self.numerical

    @property
    def false_alarm(self) -> float:
        """Probability that the test fails although the prediction is true; 0 for a computed number."""
        if self.stderr == 0.0:
            return 0.0
        one_side = 0.5 * math.erfc(Z / math.sqrt(2.0))
        return 2.0 * one_side if self.relation == "equals" else one_side

    @property
    def detects(self) -> float:
        """Deviation from the prediction that makes the test fail with probability 1 - 1e-4 at least."""
        return (Z + SEEN) * self.stderr + 2.0 * self.numerical

    @property
    def outcome(self) -> Outcome:
        """What the test says, by the rule above."""
        half, slack = self.half_width, 1e-12 * max(abs(self.value), abs(self.bound))
        if self.relation == "equals":
            if abs(self.value - self.bound) > half + slack:
                return Outcome.FAILS
            return Outcome.HOLDS if half <= self.resolution + slack else Outcome.UNDECIDED
        above = (self.value - self.bound) * (1.0 if self.relation == "at least" else -1.0)
        if above + half < -slack:
            return Outcome.FAILS
        return Outcome.HOLDS if above - half >= -self.resolution - slack else Outcome.UNDECIDED


def decide(stated: Sequence[Test], corrected: Sequence[Test] = ()) -> Verdict:
    """Return the verdict that the tests of a statement and of its corrected form give.

    Parameters
    ----------
    stated : sequence of Test
        Tests of the statement, at least one.
    corrected : sequence of Test
        Tests of the corrected form; none when there is no such form.

    Returns
    -------
    Verdict
        By the rule at the head of this module.
    """
    if not stated:
        raise ValueError("a claim must bring at least one test of its statement, got none")
    said = [test.outcome for test in stated]
    if Outcome.FAILS in said:
        better = [test.outcome for test in corrected]
        if Outcome.FAILS not in better and Outcome.UNDECIDED in better:
            return Verdict.INCONCLUSIVE
        return Verdict.CORRECTED if better and Outcome.FAILS not in better else Verdict.REFUTED
    return Verdict.INCONCLUSIVE if Outcome.UNDECIDED in said else Verdict.SUPPORTED


def headline(stated: Sequence[Test]) -> Test:
    """Return the test of the statement that says most: the first that fails, else is undecided, else the first."""
    for wanted in (Outcome.FAILS, Outcome.UNDECIDED):
        for test in stated:
            if test.outcome is wanted:
                return test
    return stated[0]
