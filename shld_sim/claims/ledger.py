"""What the checks came to: results, the Ledger, its terminal table and its JSON."""

from __future__ import annotations

import dataclasses
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shld_sim._version import __version__
from shld_sim.claims.registry import Claim, Table
from shld_sim.claims.rules import RELATIONS, SHARE, Outcome, Test, Verdict, headline

FORMAT = "shld_sim ledger 3"


@dataclass(frozen=True)
class Result:
    """Outcome of one check.

    Attributes
    ----------
    claim : Claim
        What was checked.
    verdict : Verdict
        What the rule makes of the tests.
    stated, corrected : tuple of Test
        Tests of the statement and of the corrected form.
    tables : tuple of Table
        The numbers behind them.
    picture : str
        The figure as SVG; empty when there is none.
    parameters : dict
        Name of each parameter to its value in quick and in full runs.
    seconds : float
        Wall time.
    error : str
        Traceback of a crash; else empty.
    """

    claim: Claim
    verdict: Verdict
    stated: tuple[Test, ...] = ()
    corrected: tuple[Test, ...] = ()
    tables: tuple[Table, ...] = ()
    picture: str = field(default="", repr=False)
    parameters: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""

    @property
    def decided(self) -> bool:
        """Whether the check came to a verdict."""
        return self.verdict not in (Verdict.INCONCLUSIVE, Verdict.CRASHED)

    @property
    def false_alarm(self) -> float:
        """Bound on the probability that a test fails although its prediction is true."""
        return sum(test.false_alarm for test in (*self.stated, *self.corrected))

    @property
    def weakest(self) -> Test | None:
        """The test that sees least, by ``detects`` over ``resolution``, of those that did not fail; None if all did."""
        left = [test for test in (*self.stated, *self.corrected) if test.outcome is not Outcome.FAILS]
        return max(left, key=lambda test: test.detects / test.resolution, default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the figure as JSON values."""
        claim = self.claim
        tests = [("stated", test) for test in self.stated] + [("corrected", test) for test in self.corrected]
        return {
            "id": claim.id,
            "title": claim.title,
            "document": claim.document,
            "source": claim.source,
            "statement": claim.statement,
            "formula": claim.formula,
            "definitions": claim.definitions,
            "corrected_form": claim.corrected,
            "corrected_formula": claim.corrected_formula,
            "derivation": claim.derivation,
            "rule": claim.rule,
            "parameters": [
                {"name": name, "quick": shown(quick), "full": shown(full)}
                for name, (quick, full) in self.parameters.items()
            ],
            "verdict": str(self.verdict),
            "false_alarm": self.false_alarm,
            "seconds": round(self.seconds, 3),
            "error": self.error,
            "tests": [
                {
                    "role": role,
                    **dataclasses.asdict(test),
                    "resolution": test.resolution,
                    "half_width": test.half_width,
                    "detects": test.detects,
                    "outcome": str(test.outcome),
                }
                for role, test in tests
            ],
            "tables": [dataclasses.asdict(table) for table in self.tables],
        }


@dataclass(frozen=True)
class Ledger:
    """Results of all checks of a run.

    Attributes
    ----------
    results : tuple of Result
        In the order of the documents.
    quick : bool
        Whether the small parameters were used.
    seed : int
        Seed of the run.
    interrupted : bool
        True when the run was stopped; the results so far are kept.
    version : str
        Version of shld_sim.
    """

    results: tuple[Result, ...]
    quick: bool
    seed: int
    interrupted: bool = False
    version: str = __version__

    @property
    def passed(self) -> bool:
        """Whether every check ran and came to a verdict, whichever."""
        return not self.interrupted and all(result.decided for result in self.results)

    def __getitem__(self, id: str) -> Result:
        for result in self.results:
            if result.claim.id == id:
                return result
        raise KeyError(id)

    def counts(self) -> dict[str, int]:
        """Return how many claims got each verdict."""
        found = Counter(result.verdict for result in self.results)
        return {verdict.value: found[verdict] for verdict in Verdict if found[verdict]}

    def summary(self) -> str:
        """Return one line: how many claims got each verdict, and how they were checked."""
        counts = ", ".join(f"{n} {verdict}" for verdict, n in self.counts().items())
        stop = " (interrupted)" if self.interrupted else ""
        return f"{len(self.results)} claims: {counts}; {'quick' if self.quick else 'full'}, seed {self.seed}{stop}"

    def table(self) -> str:
        """Return the table for a terminal: id, claim, measured interval, expected, verdict, seconds."""
        rows = [("id", "claim", "measured (+- interval)", "as stated", "verdict", "s")]
        for result in self.results:
            measured, expected = headline_cells(result)
            seconds = f"{result.seconds:.1f}"
            rows.append((result.claim.id, result.claim.title, measured, expected, str(result.verdict), seconds))
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        total = sum(result.seconds for result in self.results)
        lines.append(f"\n{self.summary()}, {total:.0f} s of checks")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the figures as JSON values; ``docs/ledger.schema.json`` describes them."""
        return {
            "format": FORMAT,
            "version": self.version,
            "quick": self.quick,
            "seed": self.seed,
            "interrupted": self.interrupted,
            "passed": self.passed,
            "results": [result.as_dict() for result in self.results],
        }

    def to_json(self) -> str:
        """Return `as_dict` as JSON text."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False, default=plain_value)

    def write_report(self, directory: str | os.PathLike[str]) -> str:
        """Write ``index.html``, ``report.md``, ``ledger.json`` and the figures into ``directory``.

        Parameters
        ----------
        directory : str or path-like
            Made if it does not exist; files of an earlier report are replaced.

        Returns
        -------
        str
            Path of ``index.html``, which needs no other file.
        """
        from shld_sim.claims import report

        return report.write(self, directory)


def headline_cells(result: Result) -> tuple[str, str]:
    """Return what was measured and what the statement predicts, in a few characters each."""
    if not result.stated:
        return result.error.strip().splitlines()[-1][:48], ""
    test = headline(result.stated)
    return with_interval(test), f"{RELATIONS[test.relation]} {short(test.bound)}"


def cell(value: object) -> str:
    """Return an entry of a table in at most five significant digits."""
    return short(value) if isinstance(value, float) else str(value)


def short(value: float) -> str:
    """Return a number in at most five significant digits."""
    return f"{value:.5g}"


def with_interval(test: Test) -> str:
    """Return a test's value and interval, rounded to two digits of the interval."""
    half = test.half_width
    if half == 0.0 or half < 1e-9 * abs(test.value):
        return short(test.value)
    digits = max(0, 1 - int(np.floor(np.log10(half))))
    if digits > 8:
        return f"{test.value:.6g} +- {half:.1e}"
    return f"{test.value:.{digits}f} +- {half:.{digits}f}"


def what_matters(test: Test) -> str:
    """Return the resolution of a test and where it comes from."""
    if test.rival is not None:
        return f"{test.resolution:.2g}, half way to {short(test.rival)}"
    return f"{test.resolution:.2g}, a tenth of {short(test.resolution / SHARE)}"


def shown(value: Any) -> str:
    """Return a parameter as a reader writes it: 20,000 and not 20000; lists with commas."""
    if isinstance(value, tuple | list):
        return ", ".join(map(shown, value))
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return f"{int(value):,}"
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def plain_value(value: Any) -> Any:
    """Return a NumPy number as Python's own, for `json.dumps`."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
