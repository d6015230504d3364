"""Write a ledger as a Markdown report with figures, and as JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from shld_sim.claims.registry import Table
from shld_sim.claims.rules import RELATIONS, Test

if TYPE_CHECKING:
    from shld_sim.claims.ledger import Ledger, Result


def write(ledger: Ledger, directory: str | os.PathLike[str]) -> str:
    """Write ``report.md``, ``ledger.json`` and one PNG per claim; return the path of the report."""
    home = Path(directory)
    home.mkdir(parents=True, exist_ok=True)
    lines = _summary(ledger)
    for result in ledger.results:
        lines += _section(result, _draw(result, home))
    (home / "ledger.json").write_text(ledger.to_json() + "\n", encoding="utf-8")
    report = home / "report.md"
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(report)


def _draw(result: Result, home: Path) -> str:
    """Draw the figure of a result; return its file name, or an empty string when it has none."""
    if result.evidence is None or result.evidence.figure is None:
        return ""
    from shld_sim import plotting

    name = result.claim.id.replace(".", "-") + ".png"
    figure, ax = plotting.new_figure()
    ax.set_prop_cycle(color=[color for name, color in plotting.PALETTE.items() if name != "black"])
    result.evidence.figure(ax)
    title = ax.get_title()
    ax.set_title("")
    plotting.finish(ax, title=title)
    plotting.save(figure, home / name)
    return name


def _summary(ledger: Ledger) -> list[str]:
    from shld_sim.claims.ledger import with_interval
    from shld_sim.claims.rules import headline

    size = "quick" if ledger.quick else "full"
    counts = ", ".join(f"{n} {verdict}" for verdict, n in ledger.counts().items())
    lines = [
        "# What the claims come to",
        "",
        f"{len(ledger.results)} claims: {counts}. Made by shld_sim {ledger.version}, {size} run, seed {ledger.seed}.",
        "",
        "| id | claim | measured (± interval) | as stated | verdict | s |",
        "|---|---|---|---|---|---|",
    ]
    for result in ledger.results:
        if result.evidence is None:
            measured = expected = ""
        else:
            test = headline(result.evidence.stated)
            measured = with_interval(test).replace("+-", "±")
            expected = f"{RELATIONS[test.relation]} {test.bound:.5g}"
        anchor = result.claim.id.replace(".", "")
        lines.append(
            f"| [{result.claim.id}](#{anchor}) | {result.claim.title} | {measured} | {expected} | "
            f"**{result.verdict}** | {result.seconds:.1f} |"
        )
    return [
        *lines,
        "",
        "The verdicts follow from rules that were fixed before the measurements: an interval is 5 standard errors plus a",
        "bound on the numerical error to each side; a prediction *fails* when it lies outside, *holds* when it lies inside",
        "an interval that is narrower than the stated resolution, and is *undecided* otherwise. A claim is *supported* when",
        "all tests of its statement hold; when one fails it is *corrected* if all tests of a corrected form hold, otherwise",
        "*refuted*.",
    ]


def _section(result: Result, figure: str) -> list[str]:
    claim = result.claim
    lines = ["", f"## {claim.id}", "", f"**{claim.title}** ({claim.document}): **{result.verdict}**", ""]
    lines += ["As stated: " + claim.statement, ""]
    if claim.corrected:
        lines += ["Corrected: " + claim.corrected, ""]
    lines += ["Measured and decided by: " + claim.rule, ""]
    if result.evidence is None:
        return [*lines, "The check crashed:", "", "```", result.error.rstrip(), "```"]
    for name, tests in (("As stated", result.evidence.stated), ("Corrected form", result.evidence.corrected)):
        if tests:
            lines += [
                f"| {name} | measured | interval ± | predicted | resolution | outcome |",
                "|---|---|---|---|---|---|",
            ]
            lines += [_test_row(test) for test in tests]
            lines.append("")
    for table in result.evidence.tables:
        lines += _markdown_table(table)
    if figure:
        lines += [f"![{claim.title}]({figure})", ""]
    return [*lines, f"Reproduce: `shld-sim verify --only {claim.id}`"]


def _test_row(test: Test) -> str:
    resolution = f"{test.resolution:.2g}" if test.resolution else ""
    return (
        f"| {test.label} | {test.value:.6g} | {test.half_width:.2g} | {RELATIONS[test.relation]} {test.bound:.6g} | "
        f"{resolution} | {test.outcome} |"
    )


def _markdown_table(table: Table) -> list[str]:
    def cell(value: object) -> str:
        return f"{value:.5g}" if isinstance(value, float) else str(value)

    return [
        f"{table.title}:",
        "",
        "| " + " | ".join(table.columns) + " |",
        "|" + "---|" * len(table.columns),
        *("| " + " | ".join(cell(value) for value in row) + " |" for row in table.rows),
        "",
    ]
