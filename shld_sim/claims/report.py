"""Write a ledger as Markdown, JSON and pictures, beside the page for reading that `page` makes."""

from __future__ import annotations

import os
from pathlib import Path

from shld_sim.claims.ledger import Ledger, Result, cell, headline_cells, shown, what_matters
from shld_sim.claims.page import POWER, page, power
from shld_sim.claims.registry import Table
from shld_sim.claims.rules import EDITION, RELATIONS, Test

RULES = (
    "The verdicts follow from rules, the same for every claim. An interval is 5 standard errors plus a bound on the numerical "
    "error to each side. What matters is a tenth of the scale, or half the distance to a rival; no claim chooses it. A "
    "prediction fails when it lies outside the interval, holds when it lies inside an interval no wider to each side than "
    "what matters, and is undecided otherwise. A claim is supported when all tests of its statement hold; when one fails it "
    "is corrected if all tests of a corrected form hold, inconclusive if one of these is undecided, and refuted otherwise. "
    f"The random numbers are new in every edition of the rules; this is edition {EDITION}."
)


def write(ledger: Ledger, directory: str | os.PathLike[str]) -> str:
    """Write ``index.html``, ``report.md``, ``ledger.json`` and one SVG per claim; return the path of the page."""
    home = Path(directory)
    home.mkdir(parents=True, exist_ok=True)
    lines = _summary(ledger)
    for result in ledger.results:
        name = ""
        if result.picture:
            name = result.claim.id.replace(".", "-") + ".svg"
            (home / name).write_text(result.picture, encoding="utf-8")
        lines += _section(result, name)
    (home / "ledger.json").write_text(ledger.to_json() + "\n", encoding="utf-8")
    (home / "report.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    index = home / "index.html"
    index.write_text(page(ledger, RULES), encoding="utf-8")
    return str(index)


def _summary(ledger: Ledger) -> list[str]:
    lines = [
        "# What the claims come to",
        "",
        f"{ledger.summary()}. Made by shld_sim {ledger.version}.",
        "",
        "| id | claim | measured (± interval) | as stated | verdict | s |",
        "|---|---|---|---|---|---|",
    ]
    for result in ledger.results:
        measured, expected = headline_cells(result)
        anchor = result.claim.id.replace(".", "")
        lines.append(
            f"| [{result.claim.id}](#{anchor}) | {result.claim.title} | {measured.replace('+-', '±')} | {expected} | "
            f"**{result.verdict}** | {result.seconds:.1f} |"
        )
    return [*lines, "", RULES, "", "## Power", "", POWER, "", *_markdown_table(power(ledger))]


def _section(result: Result, figure: str) -> list[str]:
    claim = result.claim
    lines = ["", f"## {claim.id}", "", f"**{claim.title}** ({claim.document}): **{result.verdict}**", ""]
    for name, text, formula in (
        ("As stated", claim.statement, claim.formula),
        ("Corrected", claim.corrected, claim.corrected_formula),
        ("Where", claim.definitions, ""),
        ("Source", claim.source, ""),
    ):
        if text:
            lines += [f"{name}: {text}", ""]
        if formula:
            lines += [f"$${line}$$" for line in formula.splitlines()] + [""]
    lines += ["Measured and decided by: " + claim.rule, ""]
    if result.error:
        return [*lines, "The check crashed:", "", "```", result.error.rstrip(), "```"]
    for heading, tests in (("As stated", result.stated), ("Corrected form", result.corrected)):
        if tests:
            lines += [
                f"| {heading} | measured | interval ± | predicted | what matters | always seen | outcome |",
                "|---|---|---|---|---|---|---|",
            ]
            lines += [_test_row(test) for test in tests]
            lines.append("")
    for table in result.tables:
        lines += _markdown_table(table)
    if result.parameters:
        rows = tuple((name, shown(quick), shown(full)) for name, (quick, full) in result.parameters.items())
        lines += _markdown_table(Table("Parameters", ("", "quick", "full"), rows))
    if figure:
        lines += [f"![{claim.title}]({figure})", ""]
    lines += [f"A test of this claim fails by chance with probability {result.false_alarm:.1e} at most.", ""]
    return [*lines, f"Reproduce: `shld-sim verify --only {claim.id}`"]


def _test_row(test: Test) -> str:
    return (
        f"| {test.label} | {test.value:.6g} | {test.half_width:.2g} | {RELATIONS[test.relation]} {test.bound:.6g} | "
        f"{what_matters(test)} | {test.detects:.2g} | {test.outcome} |"
    )


def _markdown_table(table: Table) -> list[str]:
    return [
        f"{table.title}:",
        "",
        "| " + " | ".join(table.columns) + " |",
        "|" + "---|" * len(table.columns),
        *("| " + " | ".join(cell(value) for value in row) + " |" for row in table.rows),
        "",
    ]
