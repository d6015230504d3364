"""Planted errors in the claims on phase transitions: each must turn the verdict."""

import dataclasses

import pytest

from shld_sim import diagnostics, theory, verify
from shld_sim.claims import phase


def verdict(id):
    return str(verify(only=id, quick=True, figures=False, progress=False)[id].verdict)


@pytest.mark.parametrize(
    "id",
    [
        "phase.edge",
        "phase.intelligence",
        "phase.bound",
        "phase.lyapunov",
        "phase.pl",
        "phase.decision-guide",
        "phase.adaptive-lr",
    ],
)
def test_noise_a_fifth_too_strong_is_noticed(id, monkeypatch):
    right = phase._changes
    monkeypatch.setattr(phase, "_changes", lambda V, x, eta, root, pairs, rng: right(V, x, eta, 1.2 * root, pairs, rng))
    assert verdict(id) == "refuted"


WRONG = {
    # the stated formula in the place of the corrected one, a factor dropped, or a bound a fifth too large
    "phase.edge": (theory, "step_threshold", lambda mean, S, H, right=theory.step_threshold: 1.2 * right(mean, S, H)),
    "phase.bound": (theory, "progress_factor", lambda eta, p, pl, lmax: theory.claimed_progress_factor(eta, p, pl)),
    "phase.pl": (theory, "progress_factor", lambda eta, p, pl, lmax: 1 - eta * pl * (2 - eta * lmax)),
    "phase.lyapunov": (theory, "energy_generator", theory.energy_generator_as_stated),
    "phase.intelligence": (theory, "noisy_margin", lambda p, eta, lmax: 2 / eta - lmax),
    "phase.invariance": (theory, "metric_consolidation", lambda mean, S, G: theory.gradient_consolidation(mean, S)),
    "phase.pruning": (
        theory,
        "pruned_consolidation_ratio",
        lambda mean, S, kept: theory.pruned_consolidation_ratio_as_stated(mean, kept),
    ),
    "phase.hypothesis-test": (
        theory,
        "descent_probability",
        lambda C, d, right=theory.descent_probability: right(C, 1),
    ),
    "phase.information": (
        theory,
        "gaussian_information",
        lambda snr, right=theory.gaussian_information: 2 * right(snr),
    ),
    "phase.early-stopping": (diagnostics, "best_step_factor", lambda p, eta, lmax: p),
}


@pytest.mark.parametrize("id", list(WRONG))
def test_a_wrong_formula_does_not_pass_as_the_corrected_one(id, monkeypatch):
    module, name, wrong = WRONG[id]
    monkeypatch.setattr(module, name, wrong)
    assert verdict(id) == "refuted"


def test_the_biased_ratio_does_not_pass_as_the_estimate(monkeypatch):
    right = diagnostics.consolidation

    def biased(g):
        found = right(g)
        return dataclasses.replace(found, C=found.plug_in)

    monkeypatch.setattr(diagnostics, "consolidation", biased)
    assert verdict("phase.consolidation") == "refuted"


def test_intervals_at_eighty_per_cent_are_noticed(monkeypatch):
    right = diagnostics.consolidation
    monkeypatch.setattr(diagnostics, "consolidation", lambda g: right(g, confidence=0.8))
    assert verdict("phase.consolidation") == "refuted"


def test_another_bound_of_the_guide_is_noticed(monkeypatch):
    """A row from p = .55 is not the document's: the statement has one more failing test."""
    moved = tuple(dataclasses.replace(row, low=0.55) if row.low == 0.5 else row for row in diagnostics.GUIDE)
    monkeypatch.setattr(diagnostics, "GUIDE", moved)
    result = verify(only="phase.decision-guide", quick=True, figures=False, progress=False)["phase.decision-guide"]
    assert [str(t.outcome) for t in result.stated[:4]] == ["holds", "fails", "holds", "holds"]
