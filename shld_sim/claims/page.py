"""The ledger as one HTML page that needs no other file: for screens of any width, keyboards, readers and paper."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

from shld_sim.claims.ledger import Ledger, Result, cell, headline_cells, shown, what_matters
from shld_sim.claims.registry import Table
from shld_sim.claims.rules import RELATIONS, Test, Verdict, headline

# Verdicts in the order of the summary: a mark that does not need colour, and what the verdict means.
MARKS = {
    Verdict.REFUTED: ("✗", "the statement fails, and no corrected form holds"),
    Verdict.CORRECTED: ("≈", "the statement fails, and a corrected form holds"),
    Verdict.SUPPORTED: ("✓", "the statement holds"),
    Verdict.INCONCLUSIVE: ("?", "the intervals are too wide to decide"),
    Verdict.CRASHED: ("!", "the check did not finish"),
}

POWER = (
    "The test of each claim that sees least, of those that did not fail. A deviation that is “always seen” makes the test "
    "fail with probability 0.9999. For a test of equality that holds it is no more than twice what matters."
)

STYLE = """
:root { --ink: #1b1b1b; --soft: #5a5a5a; --line: #d5d5d5; --paper: #fff; --wash: #f5f6f8; --link: #0b5394; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; color: var(--ink); background: var(--paper); font: 17px/1.55 Georgia, "Times New Roman", serif; }
main, header, footer { max-width: 54rem; margin: 0 auto; padding: 0 1.1rem; overflow-wrap: break-word; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 2rem 0 .6rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 0 0 .3rem; }
h3 { font-size: 1.02rem; margin: 1.3rem 0 .3rem; }
a { color: var(--link); } a:focus-visible, [tabindex]:focus-visible, summary:focus-visible { outline: 3px solid #e69f00;
  outline-offset: 2px; }
.skip { position: absolute; left: -999rem; } .skip:focus { left: .5rem; top: .5rem; background: #fff; padding: .4rem; }
.lead, .meta, figcaption, .note { color: var(--soft); } .meta, figcaption, .note { font-size: .9rem; }
code, pre { font-family: Consolas, "DejaVu Sans Mono", monospace; font-size: .85em; }
pre { white-space: pre-wrap; background: var(--wash); padding: .6rem .8rem; margin: .4rem 0; }
section.claim { border-top: 1px solid var(--line); padding: 1.6rem 0 1.2rem; }
.verdict { font: bold .85rem/1 Arial, sans-serif; padding: .3em .6em; border: 2px solid; border-radius: .3em;
  white-space: nowrap; display: inline-block; }
.refuted { color: #9c2a00; } .corrected { color: #7a4f00; } .supported { color: #00604a; }
.inconclusive { color: #4a4a4a; } .crashed { color: #000; }
.scroll { overflow-x: auto; margin: .5rem 0; }
table { border-collapse: collapse; font: .84rem/1.35 Arial, sans-serif; min-width: 60%; }
caption { text-align: left; font-weight: bold; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); }
td { min-width: 4rem; } td.s { white-space: nowrap; }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.formula { overflow-x: auto; padding: .3rem 0; } .formula img { vertical-align: middle; }
figure { margin: 1rem 0; } figure img { max-width: 100%; height: auto; }
details { margin: .6rem 0; } summary { cursor: pointer; }
@media (max-width: 34rem) { body { font-size: 16px; } h1 { font-size: 1.5rem; } }
@media print { body { font-size: 10.5pt; } .skip, .top { display: none; } section.claim { break-inside: auto; }
  figure, tr, .formula { break-inside: avoid; } h2, h3 { break-after: avoid; } a { color: inherit; text-decoration: none; }
  .scroll { overflow: visible; } main, header, footer { max-width: none; } }
"""


def page(ledger: Ledger, rules: str) -> str:
    """Return the page of a ledger.

    Parameters
    ----------
    ledger : Ledger
        What to show.
    rules : str
        How verdicts come about, in words.

    Returns
    -------
    str
        HTML.
    """
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Ledger of claims: {escape(ledger.summary())}</title>\n<style>{STYLE}</style>\n</head>\n<body id='top'>",
            '<a class="skip" href="#claims">Skip to the claims</a>',
            *_head(ledger, rules),
            '<main id="claims">',
            *(_section(result) for result in ledger.results),
            "</main>",
            f'<footer><p class="note">Made by shld_sim {escape(ledger.version)}. The same numbers are in ledger.json.</p>'
            "</footer>\n</body>\n</html>\n",
        ]
    )


def power(ledger: Ledger) -> Table:
    """Return the weakest test of each claim, by what it would have seen of what matters."""
    rows = []
    for result in ledger.results:
        if test := result.weakest:
            seen, ratio = f"{test.detects:.2g}", f"{test.detects / test.resolution:.2g}"
            rows.append((result.claim.id, test.label, seen, what_matters(test), ratio))
    return Table("Power", ("id", "test", "always seen", "what matters", "ratio"), tuple(rows))


def _head(ledger: Ledger, rules: str) -> list[str]:
    out = [
        "<header>",
        "<h1>What the claims come to</h1>",
        f'<p class="lead">{escape(ledger.summary())}.</p>',
        f"<p>{escape(rules)}</p>",
        '<nav aria-label="Claims by verdict">',
    ]
    for verdict, (_, meaning) in MARKS.items():
        chosen = [result for result in ledger.results if result.verdict is verdict]
        if not chosen:
            continue
        out.append(f"<h2>{_badge(verdict)} <small>{len(chosen)}: {escape(meaning)}</small></h2>")
        rows = []
        for result in chosen:
            measured, expected = headline_cells(result)
            link = f'<a href="#{escape(result.claim.id)}">{escape(result.claim.id)}</a>'
            rows.append((_Raw(link), result.claim.title, measured.replace("+-", "±"), expected))
        out.append(_table(f"Claims {verdict}", ("id", "claim", "measured", "as stated"), rows, visible=False))
    table = power(ledger)
    out += ["</nav>", f"<details><summary>{table.title}</summary>\n<p>{POWER}</p>"]
    return [*out, _table(table.title, table.columns, table.rows, visible=False), "</details>", "</header>"]


def _section(result: Result) -> str:
    claim = result.claim
    out = [
        f'<section class="claim" id="{escape(claim.id)}" aria-labelledby="{escape(claim.id)}-title">',
        f'<h2 id="{escape(claim.id)}-title">{escape(_capital(claim.title))}</h2>',
        f'<p class="meta"><code>{escape(claim.id)}</code> {_badge(result.verdict)} {escape(claim.source or claim.document)}</p>',
        f"<h3>As stated</h3>\n<p>{escape(claim.statement)}</p>",
        *_formulas(claim.formula),
    ]
    if claim.definitions:
        out.append(f'<p class="note">{escape(claim.definitions)}</p>')
    if claim.corrected:
        out += [f"<h3>Corrected</h3>\n<p>{escape(claim.corrected)}</p>", *_formulas(claim.corrected_formula)]
        out.append(f"<details><summary>Derivation</summary><pre>{escape(claim.derivation)}</pre></details>")
    out.append(f"<h3>Measured and decided by</h3>\n<p>{escape(claim.rule)}</p>")
    if result.error:
        out.append(f"<h3>The check crashed</h3>\n<pre>{escape(result.error.rstrip())}</pre>")
    if result.picture:
        data = base64.b64encode(result.picture.encode()).decode()
        label = f"Figure: {claim.title}. {_in_words(result)}"
        out.append(
            f'<figure><img src="data:image/svg+xml;base64,{data}" alt="{escape(label, quote=True)}">'
            f"<figcaption>{escape(_in_words(result))}</figcaption></figure>"
        )
    for heading, tests in (
        ("Tests of the statement", result.stated),
        ("Tests of the corrected form", result.corrected),
    ):
        if tests:
            columns = ("quantity", "measured", "± interval", "predicted", "what matters", "always seen", "outcome")
            out.append(_table(heading, columns, map(_test_cells, tests)))
    out += [_table(table.title, table.columns, table.rows) for table in result.tables]
    if result.parameters:
        rows = [(name, shown(quick), shown(full)) for name, (quick, full) in result.parameters.items()]
        out.append(_table("Parameters", ("", "quick", "full"), rows))
    chance = f"{result.false_alarm:.0e}" if result.false_alarm else "0"
    out += [
        f'<p class="note">Probability that a test fails although its prediction is true: at most {chance}. Deviations under '
        "“always seen” make a test fail with probability 0.9999.</p>",
        f"<p>Reproduce: <code>shld-sim verify --only {escape(claim.id)}</code></p>",
        '<p class="top"><a href="#top">Back to the top</a></p>',
        "</section>",
    ]
    return "\n".join(out)


def _in_words(result: Result) -> str:
    if not result.stated:
        return f"Verdict: {result.verdict}."
    measured, expected = headline_cells(result)
    label = headline(result.stated).label
    return f"{_capital(label)}: measured {measured.replace('+-', '±')}, as stated {expected}; {result.verdict}."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _formulas(tex: str) -> list[str]:
    """Return one picture per line of TeX, with the TeX as its text."""
    if not tex:
        return []
    from shld_sim import plotting  # Matplotlib loads when something is drawn

    out = []
    for line in tex.splitlines():
        data = base64.b64encode(plotting.formula_svg(line).encode()).decode()
        text = escape(line, quote=True)
        out.append(f'<p class="formula"><img src="data:image/svg+xml;base64,{data}" alt="{text}"></p>')
    return out


def _badge(verdict: Verdict) -> str:
    mark, _ = MARKS[verdict]
    return f'<span class="verdict {verdict}"><span aria-hidden="true">{mark}</span> {verdict}</span>'


def _test_cells(test: Test) -> tuple[object, ...]:
    predicted = f"{RELATIONS[test.relation]} {test.bound:.6g}"
    return (
        test.label,
        test.value,
        f"{test.half_width:.2g}",
        predicted,
        what_matters(test),
        f"{test.detects:.2g}",
        str(test.outcome),
    )


class _Raw(str):
    """Text that is HTML already."""


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], visible: bool = True) -> str:
    """Return a table that scrolls by itself where it is wider than the page."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    name = escape(title, quote=True)
    caption = f"<caption>{escape(title)}</caption>" if visible else ""
    return (
        f'<div class="scroll" role="region" aria-label="{name}" tabindex="0"><table>{caption}'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _cell(value: object) -> str:
    if isinstance(value, _Raw):
        return f"<td>{value}</td>"
    if isinstance(value, str):
        return f"<td{' class=s' if len(value) < 16 else ''}>{escape(value)}</td>"
    return f'<td class="n">{escape(cell(value))}</td>'
