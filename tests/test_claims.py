"""The ledger: its rules, its verdicts, and that planted errors change the verdicts they should change."""

import json
import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shld_sim import theory
from shld_sim.claims import Evidence, Outcome, Run, Test, Verdict, decide, registry, verify
from shld_sim.claims.ledger import with_interval
from shld_sim.claims.registry import Claim, claim, select
from shld_sim.claims.rules import headline

# What mathematics expects of each claim; the ledger must find it by measuring.
EXPECTED = {
    "shld.master-equation": "supported",
    "shld.langevin": "supported",
    "shld.gibbs": "supported",
    "shld.kramers": "corrected",
    "shld.escape-time": "corrected",
    "shld.uncertainty": "corrected",
    "shld.convergence": "corrected",
    "shld.consolidation": "corrected",
    "shld.learning-rate": "corrected",
    "shld.d-eff": "corrected",
    "shld.estimate-d": "corrected",
    "shld.noise-assisted-escape": "corrected",
    "shld.optimizer": "corrected",
    "shld.entropy-sign": "corrected",
    "shld.natural-gradient": "corrected",
    "shld.momentum": "corrected",
    "shld.annealing": "refuted",
    "shld.grokking": "refuted",
    "shld.double-descent": "corrected",
    "shld.high-dim": "supported",
    "sdsd.gamma": "corrected",
    "sdsd.generator": "corrected",
    "sdsd.almost-sure": "corrected",
    "sdsd.null-recurrent": "corrected",
    "sdsd.symmetry-collapse": "corrected",
    "sdsd.density": "corrected",
    "sdsd.sgd-gamma": "corrected",
    "sdsd.phenomena": "corrected",
    "levy.sde": "supported",
    "levy.stationary": "supported",
    "levy.fractional-fp": "supported",
    "levy.first-passage": "supported",
    "levy.consolidation": "corrected",
    "levy.tail-index": "corrected",
    "levy.stability-margin": "corrected",
    "levy.metric-rate": "corrected",
    "levy.criticality": "corrected",
    "levy.precursor": "refuted",
    "levy.rare-alignment": "refuted",
    "levy.tail-drop": "corrected",
    "levy.curvature": "corrected",
    "phase.consolidation": "corrected",
    "phase.edge": "corrected",
    "phase.intelligence": "corrected",
    "phase.bound": "corrected",
    "phase.lyapunov": "corrected",
    "phase.invariance": "corrected",
    "phase.pruning": "corrected",
    "phase.hypothesis-test": "corrected",
    "phase.information": "corrected",
    "phase.pl": "corrected",
    "phase.decision-guide": "corrected",
    "phase.early-stopping": "corrected",
    "phase.adaptive-lr": "corrected",
    "phase.double-descent": "corrected",
    "phase.lottery": "corrected",
    "phase.flatness": "corrected",
    "sym.loss": "supported",
    "sym.stages": "refuted",
    "sym.circle": "corrected",
    "sym.tasks": "corrected",
    "sym.speedup": "corrected",
}
# Checks of five seconds and more: with the slow tests, and in every run of the ledger.
LONG = {
    *("shld.langevin", "shld.momentum", "shld.grokking", "levy.tail-index", "levy.precursor", "levy.rare-alignment"),
    *("levy.tail-drop", "levy.curvature", "sym.stages", "sym.circle", "sym.tasks", "sym.speedup"),
}
PROMPT = {id: verdict for id, verdict in EXPECTED.items() if id not in LONG}
ARGUMENTS = sys.modules["shld_sim.simulate.arguments"]  # the package attribute `simulate` is the function
HOLDS, FAILS, UNDECIDED = Outcome.HOLDS, Outcome.FAILS, Outcome.UNDECIDED


# -- rules ----


@pytest.mark.parametrize(
    ("value", "stderr", "relation", "scale", "numerical", "outcome"),
    [
        (1.04, 0.01, "equals", 0.6, 0.0, HOLDS),
        (1.06, 0.01, "equals", 0.6, 0.0, FAILS),
        (1.06, 0.01, "equals", 0.7, 0.02, HOLDS),
        (1.04, 0.01, "equals", 0.4, 0.0, UNDECIDED),  # the interval is too long to have seen what matters
        (0.94, 0.01, "at least", 0.1, 0.0, FAILS),
        (0.96, 0.01, "at least", 0.1, 0.0, UNDECIDED),
        (1.06, 0.01, "at least", 0.1, 0.0, HOLDS),
        (1.01, 0.01, "at least", 0.5, 0.0, HOLDS),
        (1.06, 0.01, "at most", 0.1, 0.0, FAILS),
        (1.02, 0.01, "at most", 0.1, 0.0, UNDECIDED),
        (0.94, 0.01, "at most", 0.1, 0.0, HOLDS),
        (1.0, 0.0, "at least", None, 0.0, HOLDS),
    ],
)
def test_outcomes(value, stderr, relation, scale, numerical, outcome):
    test = Test("q", value, 1.0, stderr, relation, scale, None, numerical)
    assert test.outcome is outcome


def test_what_matters_follows_from_the_prediction():
    """A tenth of its scale, or half the way to a rival; no check has a say in it."""
    assert Test("q", 1.0, -4.0).resolution == pytest.approx(0.4)
    assert Test("q", 1.0, 0.0, scale=2.0).resolution == pytest.approx(0.2)
    assert Test("q", 1.0, 1.0, rival=0.5).resolution == 0.25
    with pytest.raises(ValueError, match="scale of test 'q' must be given and positive"):
        Test("q", 1.0, 0.0)
    with pytest.raises(ValueError, match=r"scale and rival of test 'q' exclude each other, got 1\.0 and 0\.5"):
        Test("q", 1.0, 1.0, scale=1.0, rival=0.5)


def made(outcome):
    """A test with the wanted outcome."""
    return {
        HOLDS: Test("h", 1.0, 1.0, 0.01),
        FAILS: Test("f", 2.0, 1.0, 0.01),
        UNDECIDED: Test("u", 1.0, 1.0, 0.1),
    }[outcome]


@pytest.mark.parametrize(
    ("stated", "corrected", "verdict"),
    [
        ([HOLDS, HOLDS], [], Verdict.SUPPORTED),
        ([HOLDS, HOLDS], [FAILS], Verdict.SUPPORTED),
        ([HOLDS, UNDECIDED], [], Verdict.INCONCLUSIVE),
        ([HOLDS, FAILS], [], Verdict.REFUTED),
        ([FAILS, UNDECIDED], [HOLDS], Verdict.CORRECTED),
        ([FAILS], [HOLDS, FAILS], Verdict.REFUTED),
        ([FAILS], [UNDECIDED, FAILS], Verdict.REFUTED),
        ([FAILS], [HOLDS, UNDECIDED], Verdict.INCONCLUSIVE),
    ],
)
def test_verdicts(stated, corrected, verdict):
    assert decide([made(o) for o in stated], [made(o) for o in corrected]) is verdict


def test_rules_refuse_nonsense():
    with pytest.raises(ValueError, match=r"stderr of test 'q' must be finite and not negative, got -1\.0"):
        Test("q", 1.0, 1.0, -1.0)
    with pytest.raises(ValueError, match=r"value of test 'q' must be finite and not negative, got nan"):
        Test("q", math.nan, 1.0)
    with pytest.raises(ValueError, match="relation must be one of"):
        Test("q", 1.0, 1.0, relation="near")
    with pytest.raises(ValueError, match="at least one test"):
        decide([])


def test_false_alarms_and_power_of_equality():
    """10^6 normal measurements of the truth: about 0.6 leave 5 standard errors. At 2 x resolution all but as few are seen."""
    z = np.random.default_rng(3).standard_normal(1_000_000)
    shifted = [Test("q", float(v), 0.0, 1.0, scale=50.0) for v in (z.min(), z.max())]
    assert sum(t.outcome is FAILS for t in shifted) <= 1
    moved = z + 10.0
    assert (moved <= 5.0).sum() <= 8  # mean 0.29


def test_headline_is_the_test_that_says_most():
    assert headline([made(HOLDS), made(UNDECIDED), made(FAILS)]).label == "f"
    assert headline([made(HOLDS), made(UNDECIDED)]).label == "u"


@pytest.mark.parametrize(
    ("value", "half", "shown"),
    [
        (1.23456, 0.0, "1.2346"),
        (1.23456, 0.012, "1.235 +- 0.012"),
        (123.4, 25.0, "123 +- 25"),
        (1.0, 1e-9, "1 +- 1.0e-09"),
    ],
)
def test_intervals_are_rounded_to_their_size(value, half, shown):
    assert with_interval(Test("q", value, 1.0, numerical=half)) == shown


# -- registry ----


def test_registry_holds_the_expected_claims():
    assert [c.id for c in registry()] == list(EXPECTED)
    for c in registry():
        assert all((c.title, c.statement, c.rule, c.document, c.check.__doc__)), c.id


def test_no_claim_of_the_documents_is_missing():
    text = (Path(__file__).resolve().parents[1] / "docs" / "claims.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z]+\.[^|]*) \|", text, re.MULTILINE)
    listed = [entry.strip() for row in rows for entry in row.split(",")]
    assert len(listed) == len(set(listed)) > 60
    assert sorted(c.id for c in registry()) == sorted(listed)


def test_sources_name_the_section_that_lists_the_claim():
    text = (Path(__file__).resolve().parents[1] / "docs" / "claims.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## ([A-F])\. (.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    for c in registry():
        letter = re.search(r"; sections? ([A-F])( and F)? of docs/claims\.md$", c.source).group(1)
        assert c.source.startswith(c.document) and c.id in sections[letter], c.source


def test_select_by_pattern():
    assert [c.id for c in select("levy.*")] == [id for id in EXPECTED if id.startswith("levy.")]
    assert [c.id for c in select(["shld.gibbs", "sdsd.ge*"])] == ["shld.gibbs", "sdsd.generator"]
    with pytest.raises(ValueError, match=r"only must name claims or patterns such as 'levy\.\*', got 'shld.kramer'"):
        verify(only="shld.kramer")


def test_claims_cannot_be_registered_twice_or_without_a_document():
    with pytest.raises(ValueError, match=r"id must be new, got 'shld\.gibbs'"):
        claim("shld.gibbs", "t", statement="s", rule="r")(lambda run: Evidence([]))
    with pytest.raises(ValueError, match=r"id must begin with one of shld, sdsd, levy, phase, sym, got 'other\.x'"):
        claim("other.x", "t", statement="s", rule="r")(lambda run: Evidence([]))


def test_seeds_depend_on_the_claim_and_the_seed_alone():
    a, b = Run("shld.gibbs", True, 1), Run("shld.gibbs", False, 1)
    assert a.generator(0).random() == b.generator(0).random()
    others = [Run("shld.gibbs", True, 2).generator(0), Run("sdsd.generator", True, 1).generator(0), a.generator(1)]
    assert a.generator(0).random() not in [g.random() for g in others]


# -- the ledger ----


@pytest.fixture(scope="module")
def ledger():
    return verify(only=list(PROMPT), quick=True, seed=0, progress=False)


def test_every_claim_gets_its_verdict(ledger):
    assert {r.claim.id: str(r.verdict) for r in ledger.results} == PROMPT, ledger.table()
    assert ledger.passed


def test_every_claim_says_what_it_rests_on(ledger):
    for result in ledger.results:
        assert 0.0 <= result.false_alarm < 1e-4, result.claim.id
        assert result.parameters and result.claim.source, result.claim.id
        assert bool(result.claim.corrected) == bool(result.corrected), result.claim.id
        assert result.claim.derivation.count("\n") > 1 or not result.claim.corrected, result.claim.id
        assert result.picture.startswith("<?xml"), result.claim.id


def test_table_names_every_claim(ledger):
    lines = ledger.table().splitlines()
    assert lines[0].split()[:2] == ["id", "claim"]
    for id, verdict in PROMPT.items():
        assert any(line.startswith(id) and verdict in line for line in lines)
    assert max(map(len, lines)) <= 132
    counts = [f"{list(PROMPT.values()).count(v)} {v}" for v in ("supported", "corrected", "refuted")]
    assert f"{len(PROMPT)} claims: {', '.join(counts)}; quick, seed 0, " in lines[-1]


def test_json_holds_every_number(ledger):
    data = json.loads(ledger.to_json())
    assert data["format"] == "shld_sim ledger 3"
    assert data["passed"] is True
    for entry in data["results"]:
        assert entry["verdict"] == PROMPT[entry["id"]]
        assert any(t["role"] == "stated" for t in entry["tests"])
        for t in entry["tests"]:
            again = Test(
                t["label"], t["value"], t["bound"], t["stderr"], t["relation"], t["scale"], t["rival"], t["numerical"]
            )
            assert str(again.outcome) == t["outcome"]
            assert again.resolution == t["resolution"]


def test_report_has_a_section_and_a_figure_for_every_claim(ledger, tmp_path):
    path = ledger.write_report(tmp_path / "report")
    text = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert path.endswith("index.html")
    for id in PROMPT:
        assert f"## {id}" in text
        picture = tmp_path / "report" / f"{id.replace('.', '-')}.svg"
        assert "<svg" in picture.read_text(encoding="utf-8")
        assert f"({picture.name})" in text
    assert json.loads((tmp_path / "report" / "ledger.json").read_text())["results"]


def test_a_crash_is_reported_and_the_others_go_on(monkeypatch):
    def broken(run):
        raise RuntimeError("no such well")

    known = {
        "shld.gibbs": Claim("shld.gibbs", "t", "s", "r", broken),
        "shld.escape-time": select("shld.escape-time")[0],
    }
    monkeypatch.setattr("shld_sim.claims.running.select", lambda only: tuple(known[id] for id in only or known))
    ledger = verify(quick=True, progress=False)
    assert [str(r.verdict) for r in ledger.results] == ["crashed", "corrected"]
    assert not ledger.passed
    assert "RuntimeError: no such well" in ledger.table()
    assert "no such well" in ledger.results[0].error


def test_interruption_keeps_what_was_done(tmp_path):
    """A real Ctrl-C, while the second check sleeps."""
    script = tmp_path / "script.py"
    script.write_text(
        "import time\n"
        "import shld_sim.claims.running as running\n"
        "from shld_sim.claims.registry import Claim, select\n"
        "def stop(run):\n"
        "    print('asleep', flush=True)\n"
        "    time.sleep(3)\n"
        "    raise AssertionError\n"
        "known = {'shld.escape-time': select('shld.escape-time')[0], 'shld.gibbs': Claim('shld.gibbs', 't', 's', 'r', stop)}\n"
        "running.select = lambda only: tuple(known[id] for id in only or known)\n"
        "ledger = running.verify(quick=True, progress=False)\n"
        "print([r.claim.id for r in ledger.results], ledger.interrupted, ledger.passed)\n",
        encoding="utf-8",
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "asleep\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[0] == "['shld.escape-time'] True False\n"


def test_processes_and_a_store_change_no_number(ledger, tmp_path, monkeypatch):
    wanted = ["shld.escape-time", "sdsd.generator"]
    apart = verify(only=wanted, quick=True, jobs=2, store=tmp_path, progress=False)
    for result in apart.results:
        together = ledger[result.claim.id]
        assert (result.stated, result.corrected, result.picture) == (
            together.stated,
            together.corrected,
            together.picture,
        )
        assert result.parameters == together.parameters
    again = verify(only=wanted, quick=True, store=tmp_path, progress=False)
    assert again.to_json() == apart.to_json()  # with the seconds that it took: nothing was done again
    monkeypatch.setattr("shld_sim.claims.running.code_digest", lambda: "other code")
    anew = verify(only=wanted, quick=True, store=tmp_path, progress=False)
    assert [r.seconds for r in anew.results] != [r.seconds for r in apart.results]


def test_verdict_does_not_depend_on_what_else_is_checked(ledger):
    alone = verify(only="sdsd.generator", quick=True, progress=False)["sdsd.generator"]
    together = ledger["sdsd.generator"]
    assert [t.value for t in alone.stated] == [t.value for t in together.stated]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 5])
def test_same_verdicts_of_all_claims_for_six_seeds(seed):
    found = verify(quick=True, seed=seed, progress=False)
    assert {r.claim.id: str(r.verdict) for r in found.results} == EXPECTED, found.table()


# -- planted errors ----


def verdict(id):
    return str(verify(only=id, quick=True, progress=False)[id].verdict)


@pytest.mark.parametrize(
    "id",
    [
        "shld.master-equation",
        "shld.gibbs",
        "shld.kramers",
        "shld.escape-time",
        "shld.uncertainty",
        "shld.consolidation",
    ],
)
def test_noise_a_fifth_too_strong_is_noticed(id, monkeypatch):
    right = ARGUMENTS.amplitude
    monkeypatch.setattr(ARGUMENTS, "amplitude", lambda model, t: 1.2 * right(model, t))
    assert verdict(id) == "refuted"


def test_noise_switched_off_is_noticed(monkeypatch):
    right = ARGUMENTS.amplitude
    monkeypatch.setattr(ARGUMENTS, "amplitude", lambda model, t: 1e-9 * right(model, t))
    assert verdict("shld.master-equation") == "refuted"
    assert verdict("levy.stationary") == "refuted"


@pytest.mark.parametrize("id", ["levy.stationary", "levy.first-passage"])
def test_a_wrong_alpha_is_noticed(id, monkeypatch):
    right = ARGUMENTS.noise_kind

    def wrong(model, dt):
        kind, alpha, unit = right(model, dt)
        return kind, alpha + 0.1, unit

    monkeypatch.setattr(ARGUMENTS, "noise_kind", wrong)
    assert verdict(id) == "refuted"


@pytest.mark.parametrize("id", ["shld.master-equation", "levy.stationary"])
def test_a_wrong_power_of_dt_is_noticed(id, monkeypatch):
    right = ARGUMENTS.noise_kind

    def wrong(model, dt):
        kind, alpha, unit = right(model, dt)
        return kind, alpha, unit**1.1

    monkeypatch.setattr(ARGUMENTS, "noise_kind", wrong)
    assert verdict(id) == "refuted"


@pytest.mark.parametrize(
    ("id", "right", "wrong"),
    [
        ("shld.kramers", "eyring_kramers_rate", "kramers_rate_as_stated"),
        ("shld.convergence", "corrected_energy_bound", "claimed_energy_bound"),
        ("sdsd.generator", "energy_generator", "energy_generator_as_stated"),
    ],
)
def test_the_stated_formula_does_not_pass_as_the_corrected_one(id, right, wrong, monkeypatch):
    if id == "shld.convergence":
        monkeypatch.setattr(
            theory, right, lambda gap, low, high, D, d, t: theory.claimed_energy_bound(gap, low, D, d, t)
        )
    else:
        monkeypatch.setattr(theory, right, getattr(theory, wrong))
    assert verdict(id) == "refuted"


def test_a_mean_square_exponent_with_the_wrong_sign_is_noticed(monkeypatch):
    monkeypatch.setattr(theory, "mean_square_exponent", lambda lam, s: -2 * lam - s**2)
    assert verdict("sdsd.almost-sure") == "refuted"
