"""Run the checks and keep their results: the Ledger, its terminal table and its JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from shld_sim import _checks
from shld_sim._version import __version__
from shld_sim.claims.registry import Claim, Evidence, Run, select
from shld_sim.claims.rules import RELATIONS, Test, Verdict, decide, headline

FORMAT = "shld_sim ledger 1"


@dataclass(frozen=True)
class Result:
    """Outcome of one check.

    Attributes
    ----------
    claim : Claim
        What was checked.
    verdict : Verdict
        What the rule makes of the evidence.
    evidence : Evidence or None
        Tests, tables and figure; None when the check crashed.
    seconds : float
        Wall time.
    error : str
        Traceback of a crash; else empty.
    """

    claim: Claim
    verdict: Verdict
    evidence: Evidence | None
    seconds: float
    error: str = ""

    @property
    def decided(self) -> bool:
        """Whether the check came to a verdict."""
        return self.verdict not in (Verdict.INCONCLUSIVE, Verdict.CRASHED)


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

    def table(self) -> str:
        """Return the table for a terminal: id, claim, measured interval, expected, verdict, seconds."""
        rows = [("id", "claim", "measured (+- interval)", "as stated", "verdict", "s")]
        for result in self.results:
            if result.evidence is None:
                measured, expected = result.error.strip().splitlines()[-1][:48], ""
            else:
                test = headline(result.evidence.stated)
                measured, expected = with_interval(test), f"{RELATIONS[test.relation]} {short(test.bound)}"
            seconds = f"{result.seconds:.1f}"
            rows.append((result.claim.id, result.claim.title, measured, expected, str(result.verdict), seconds))
        widths = [max(len(row[i]) for row in rows) for i in range(6)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines.insert(1, "  ".join("-" * width for width in widths))
        total = sum(result.seconds for result in self.results)
        summary = ", ".join(f"{n} {verdict}" for verdict, n in self.counts().items())
        size = "quick" if self.quick else "full"
        stop = " (interrupted)" if self.interrupted else ""
        lines.append(f"\n{len(self.results)} claims: {summary}; {size}, seed {self.seed}, {total:.0f} s{stop}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the figures as JSON values."""
        return {
            "format": FORMAT,
            "version": self.version,
            "quick": self.quick,
            "seed": self.seed,
            "interrupted": self.interrupted,
            "passed": self.passed,
            "results": [_result_dict(result) for result in self.results],
        }

    def to_json(self) -> str:
        """Return `as_dict` as JSON text."""
        return json.dumps(self.as_dict(), indent=1, allow_nan=False, default=_plain)

    def write_report(self, directory: str | os.PathLike[str]) -> str:
        """Write ``report.md``, ``ledger.json`` and the figures into ``directory``.

        Parameters
        ----------
        directory : str or path-like
            Made if it does not exist; files of an earlier report are replaced.

        Returns
        -------
        str
            Path of the Markdown report.
        """
        from shld_sim.claims.report import write

        return write(self, directory)


def verify(
    only: str | Iterable[str] | None = None,
    *,
    quick: bool = False,
    seed: int = 0,
    progress: bool | None = None,
) -> Ledger:
    """Check claims and return the ledger of their verdicts.

    Parameters
    ----------
    only : str or iterable of str, optional
        Ids of claims, or patterns such as ``"levy.*"``. Default: all.
    quick : bool
        Use parameters that end within a minute. The rules are the same.
    seed : int
        Seed; each claim draws from streams of its own.
    progress : bool, optional
        Name the claim under way on stderr. Default: on a terminal.

    Returns
    -------
    Ledger
        Results; ``passed`` says whether every claim came to a verdict. Ctrl-C returns the results so far.

    Raises
    ------
    ValueError
        If ``only`` matches no claim.
    """
    seed = _checks.integer("seed", seed, 0)
    chosen = select(only)
    shown = sys.stderr.isatty() if progress is None else progress
    results: list[Result] = []
    try:
        for i, claim in enumerate(chosen):
            if shown:
                sys.stderr.write(f"\r\x1b[K[{i + 1}/{len(chosen)}] {claim.id}")
                sys.stderr.flush()
            results.append(_check(claim, Run(claim.id, quick, seed)))
    except KeyboardInterrupt:
        return Ledger(tuple(results), quick, seed, interrupted=True)
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
    return Ledger(tuple(results), quick, seed)


def _check(claim: Claim, run: Run) -> Result:
    start = time.perf_counter()
    try:
        evidence = claim.check(run)
        verdict = decide(evidence.stated, evidence.corrected)
    except Exception:
        return Result(claim, Verdict.CRASHED, None, time.perf_counter() - start, traceback.format_exc())
    return Result(claim, verdict, evidence, time.perf_counter() - start)


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


def _result_dict(result: Result) -> dict[str, Any]:
    claim, evidence = result.claim, result.evidence
    out: dict[str, Any] = {
        "id": claim.id,
        "title": claim.title,
        "document": claim.document,
        "statement": claim.statement,
        "corrected_form": claim.corrected,
        "rule": claim.rule,
        "verdict": str(result.verdict),
        "seconds": round(result.seconds, 3),
        "error": result.error,
        "tests": [],
        "tables": [],
    }
    if evidence is not None:
        for role, tests in (("stated", evidence.stated), ("corrected", evidence.corrected)):
            for test in tests:
                out["tests"].append(
                    {
                        "role": role,
                        **dataclasses.asdict(test),
                        "half_width": test.half_width,
                        "outcome": str(test.outcome),
                    }
                )
        out["tables"] = [dataclasses.asdict(table) for table in evidence.tables]
    return out


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
