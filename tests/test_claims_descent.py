"""Planted errors in the claims on double descent: each must turn the verdict, and the statements could have held."""

import dataclasses

import numpy as np
import pytest

from shld_sim import theory, verify
from shld_sim.claims.registry import Run
from shld_sim.learning import experiments

SHLD, PHASE = "shld.double-descent", "phase.double-descent"


@pytest.fixture(autouse=True)
def fewer_data_sets(monkeypatch):
    """A quarter of the quick runs: the planted errors are larger than what the ledger must see."""
    monkeypatch.setattr(Run, "pick", lambda self, name, quick, full: max(quick // 4, 4))


def checked(id):
    return verify(only=id, quick=True, figures=False, progress=False)[id]


def outcomes(tests):
    return [str(test.outcome) for test in tests]


@pytest.mark.parametrize("id", [SHLD, PHASE])
def test_nothing_fails_of_the_corrected_forms_and_nothing_holds_of_the_statements(id):
    found = checked(id)
    assert "fails" not in outcomes(found.corrected)
    assert "fails" in outcomes(found.stated) and "holds" not in outcomes(found.stated)


def test_noise_a_fifth_too_strong_is_noticed(monkeypatch):
    right = experiments.double_descent
    monkeypatch.setattr(
        experiments, "double_descent", lambda *given, noise, **more: right(*given, noise=1.2 * noise, **more)
    )
    assert str(checked(SHLD).verdict) == "refuted"


WRONG = {
    # a limit of many examples, a standard deviation for a variance, a length left out, half of the bound
    "ridgeless_excess": (SHLD, lambda n, N, noise: noise**2 * N / n),
    "fresh_signal_share": (SHLD, lambda R, N, noise: R / ((N + 2) * R + N * noise)),
    "final_signal_share": (SHLD, lambda x, right=theory.final_signal_share: right(x) * np.mean(np.sum(x * x, axis=1))),
    "signal_share_bound": (PHASE, lambda x, right=theory.signal_share_bound: 0.5 * right(x)),
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_wrong_formula_does_not_pass(name, monkeypatch):
    id, wrong = WRONG[name]
    monkeypatch.setattr(theory, name, wrong)
    assert str(checked(id).verdict) == "refuted"


def test_a_dip_would_be_found(monkeypatch):
    """A tenth of C where n = N, of the examples learned from and of fresh ones, and an error that rises again."""
    right = experiments.double_descent

    def dipped(*given, **more):
        found = right(*given, **more)
        at, late = found.n_samples == 100, found.n_samples == 168
        part = np.where(at, 0.1, 1.0)
        # beyond the threshold as before it
        C = np.where(found.n_samples > 100, found.C_during[:, :1], found.C_during) * part
        return dataclasses.replace(
            found, C_during=C, C_fresh=found.C_fresh * part, test_error=found.test_error * np.where(late, 10.0, 1.0)
        )

    monkeypatch.setattr(experiments, "double_descent", dipped)
    assert set(outcomes(checked(SHLD).stated)) == {"holds"}


def test_a_share_of_one_half_would_be_found(monkeypatch):
    right = experiments.double_descent

    def balanced(*given, **more):
        found = right(*given, **more)
        return dataclasses.replace(
            found, p_during=np.full_like(found.p_during, 0.5), p_fresh=np.full_like(found.p_fresh, 0.5)
        )

    monkeypatch.setattr(experiments, "double_descent", balanced)
    assert set(outcomes(checked(PHASE).stated)) == {"holds"}
