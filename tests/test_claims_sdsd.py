"""Planted errors in the claims on symmetry and dimension: each must turn the verdict."""

import dataclasses
import math
import sys

import pytest

from shld_sim import diagnostics, theory, verify
from shld_sim.claims import sdsd
from shld_sim.models import Diffusion

ARGUMENTS = sys.modules["shld_sim.simulate.arguments"]


def verdict(id):
    return str(verify(only=id, quick=True, figures=False, progress=False)[id].verdict)


LINEAR = ["sdsd.gamma", "sdsd.almost-sure", "sdsd.null-recurrent"]


@pytest.mark.parametrize("id", LINEAR)
def test_linear_noise_a_fifth_too_strong_is_noticed(id, monkeypatch):
    right = sdsd._linear
    monkeypatch.setattr(sdsd, "_linear", lambda lam, s, D0=0.0: right(lam, 1.2 * s, 1.44 * D0))
    assert verdict(id) == "refuted"


@pytest.mark.parametrize("id", LINEAR[:2])  # the mean return time of the third would be infinite
def test_linear_noise_in_the_sense_of_stratonovich_is_noticed(id, monkeypatch):
    monkeypatch.setattr(sdsd, "Diffusion", lambda *args: Diffusion(*args, interpretation="stratonovich"))
    assert verdict(id) == "refuted"


@pytest.mark.parametrize("id", ["sdsd.generator", "sdsd.symmetry-collapse", "sdsd.density"])
def test_noise_a_fifth_too_strong_is_noticed(id, monkeypatch):
    right = ARGUMENTS.amplitude
    monkeypatch.setattr(ARGUMENTS, "amplitude", lambda model, t: 1.2 * right(model, t))
    assert verdict(id) == "refuted"


WRONG = [
    # the stated formula in the place of the corrected one, a term dropped or of the wrong sign
    ("sdsd.gamma", theory, "gamma_hessian", theory.gamma),
    ("sdsd.null-recurrent", theory, "return_probability", lambda lam, s, ratio: ratio ** -(2 * lam / s**2)),
    ("sdsd.null-recurrent", theory, "mean_return_time", lambda lam, s, D0, x0: math.log(1 + abs(x0)) / lam),
    # isotropic noise turns the direction in d - 1 dimensions, not in d
    ("sdsd.symmetry-collapse", theory, "direction_coherence", lambda d, D, t: math.exp(-d * D * t)),
    ("sdsd.symmetry-collapse", theory, "imbalance_factor", lambda h, e: 1 - h * e**2),
    ("sdsd.symmetry-collapse", theory, "imbalance_decay", lambda s, t: math.exp(-(s**2) * t / 2)),
    ("sdsd.density", theory, "diffusing_union_volume", lambda n, D, t, right=theory.diffusing_union_volume: right(n, 0.5 * D, t)),
    ("sdsd.density", theory, "observable_generator", lambda f, V, x, D: -f.gradient(x) @ V.gradient(x) + D * len(x)),
]  # fmt: skip


@pytest.mark.parametrize(("id", "module", "name", "wrong"), WRONG, ids=[f"{row[0]}-{row[2]}" for row in WRONG])
def test_a_wrong_formula_does_not_pass_as_the_corrected_one(id, module, name, wrong, monkeypatch):
    monkeypatch.setattr(module, name, wrong)
    assert verdict(id) == "refuted"


def test_a_radius_that_does_not_feel_the_dimension_is_noticed(monkeypatch):
    """The law exp(-V(r)/D) without r^(d-1)."""
    density = theory.radial_density

    def flat(model):
        right = density(model)
        scale = sum(right(r) / r**4 for r in (0.4 + 0.001 * k for k in range(1300))) * 0.001
        return lambda r: right(r) / r**4 / scale

    monkeypatch.setattr(theory, "radial_density", flat)
    assert verdict("sdsd.symmetry-collapse") == "refuted"


def test_entropy_of_cells_without_correction_of_the_law_is_noticed(monkeypatch):
    """A law on half of the cells is not the uniform one."""
    right = diagnostics.cell_entropy
    monkeypatch.setattr(diagnostics, "cell_entropy", lambda counts: right(counts.reshape(-1, 2).sum(axis=1)))
    assert verdict("sdsd.symmetry-collapse") == "refuted"


def test_overlaps_counted_twice_are_noticed(monkeypatch):
    """Volumes that are added up do not rise under diffusion: the statement is not refuted any more."""
    monkeypatch.setattr(diagnostics, "union_of_balls", lambda c, r: diagnostics.Volume(math.pi, 0.0, 0))
    result = verify(only="sdsd.density", quick=True, figures=False, progress=False)["sdsd.density"]
    assert str(result.verdict) == "supported"


def test_the_biased_ratio_does_not_pass_as_the_estimate(monkeypatch):
    right = diagnostics.consolidation

    def biased(g):
        found = right(g)
        return dataclasses.replace(found, C=found.plug_in)

    monkeypatch.setattr(diagnostics, "consolidation", biased)
    assert verdict("sdsd.sgd-gamma") == "refuted"


def test_intervals_at_eighty_per_cent_are_noticed(monkeypatch):
    right = diagnostics.consolidation
    monkeypatch.setattr(diagnostics, "consolidation", lambda g: right(g, confidence=0.8))
    assert verdict("sdsd.sgd-gamma") == "refuted"
