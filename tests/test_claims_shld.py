"""Planted errors in the claims on learning dynamics: each must turn the verdict."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from shld_sim import Diffusion, FokkerPlanck, HarmonicLearner, diagnostics, theory, verify
from shld_sim.claims import euler, shld
from shld_sim.claims.registry import select

ARGUMENTS = sys.modules["shld_sim.simulate.arguments"]  # the package attribute `simulate` is the function


MOMENTUM = pytest.param("shld.momentum", marks=pytest.mark.slow)


def verdict(id):
    return str(verify(only=id, quick=True, figures=False, progress=False)[id].verdict)


@pytest.mark.parametrize("id", ["shld.entropy-sign", "shld.natural-gradient", MOMENTUM, "shld.high-dim"])
def test_noise_a_fifth_too_strong_is_noticed(id, monkeypatch):
    right = ARGUMENTS.amplitude
    monkeypatch.setattr(ARGUMENTS, "amplitude", lambda model, t: 1.2 * right(model, t))
    if id == "shld.natural-gradient":  # there the noise is a function of the place
        kinds = shld.Preconditioned
        monkeypatch.setattr(shld, "Preconditioned", lambda V, D, *args, **more: kinds(V, 1.44 * D, *args, **more))
    assert verdict(id) == "refuted"


@pytest.mark.parametrize("id", ["shld.noise-assisted-escape", "shld.optimizer"])
def test_learners_with_noise_a_fifth_too_strong_are_noticed(id, monkeypatch):
    class Hot(HarmonicLearner):
        def __init__(self, theta, *args, dt=1.0, **more):
            super().__init__(theta, *args, dt=1.44 * dt, **more)

    monkeypatch.setattr(shld, "HarmonicLearner", Hot)
    assert verdict(id) == "refuted"


def test_gradients_with_noise_a_fifth_too_strong_are_noticed(monkeypatch):
    best, descend = shld._best_step, shld._minibatch_descent
    monkeypatch.setattr(shld, "_best_step", lambda V, x, spread, *more: best(V, x, 1.2 * spread, *more))
    monkeypatch.setattr(
        shld, "_minibatch_descent", lambda lam, eta, batch, *more: descend(lam, eta, batch / 1.44, *more)
    )
    assert verdict("shld.learning-rate") == "refuted"
    assert verdict("shld.d-eff") == "refuted"


WRONG = {
    # the stated formula in the place of the corrected one, or a factor dropped
    "shld.learning-rate": ("best_step", lambda mean, S, H: 2.0 * np.max(S) / np.max(H)),
    "shld.d-eff": ("descent_variance", lambda k, s, eta, B: eta**2 * s**2 / B),
    "shld.momentum": (
        "underdamped_kramers_rate",
        lambda model, a, b: theory.eyring_kramers_rate(shld.Langevin(model.potential, model.D), a, b) / model.friction,
    ),
    "shld.optimizer": ("descent_variance", lambda k, s, eta, momentum=0.0: eta * s**2 / k / (2.0 - eta * k)),
    "shld.natural-gradient": (
        "metric_consolidation_ratio",
        lambda model, x, M: theory.consolidation_ratio(model, x),
    ),
}


@pytest.mark.parametrize("id", [MOMENTUM if id == "shld.momentum" else id for id in WRONG])
def test_a_wrong_formula_does_not_pass_as_the_corrected_one(id, monkeypatch):
    name, wrong = WRONG[id]
    monkeypatch.setattr(theory, name, wrong)
    assert verdict(id) == "refuted"


def test_the_stated_estimates_do_not_pass_as_the_corrected_ones(monkeypatch):
    right = diagnostics.diffusion_from_gradients
    with monkeypatch.context() as patch:
        patch.setattr(diagnostics, "diffusion_from_gradients", lambda g, eta: right(g, 1.0))
        assert verdict("shld.estimate-d") == "refuted"
    plain = diagnostics.diffusion_constant
    with monkeypatch.context() as patch:
        patch.setattr(diagnostics, "diffusion_constant", lambda x, dt, drift: plain(x, dt))
        assert verdict("shld.estimate-d") == "refuted"
    monkeypatch.setattr(
        diagnostics, "diffusion_constant", lambda x, dt, drift: plain(x, dt, drift=drift, confidence=0.8)
    )
    assert verdict("shld.estimate-d") == "refuted"


@pytest.mark.parametrize("kind", ["without the drift", "Stratonovich"])
def test_a_metric_without_its_ito_drift_is_noticed(kind, monkeypatch):
    right = shld.Preconditioned

    def wrong(V, D, metric_inverse, *, derivative):
        if kind == "without the drift":
            return Diffusion(shld._natural_drift, shld._natural_noise, (1.0, D), interpretation="ito")
        model = right(V, D, metric_inverse, derivative=derivative)
        return Diffusion(model.drift, model.noise, model.params, interpretation="stratonovich")

    monkeypatch.setattr(shld, "Preconditioned", wrong)
    assert verdict("shld.natural-gradient") == "refuted"


def test_plus_entropy_is_noticed(monkeypatch):
    """F = E V + D S in the place of E V - D S: then Gibbs is not its minimum, nor does it fall."""
    right = FokkerPlanck.free_energy
    monkeypatch.setattr(
        FokkerPlanck, "free_energy", lambda self, p: 2.0 * float(self.mean(p, self.model.potential)) - right(self, p)
    )
    assert verdict("shld.entropy-sign") != "corrected"


def test_annealing_is_supported_where_no_constant_noise_does_as_well(monkeypatch):
    """The rule can say either: with a best constant D that finds nothing, cooling does better."""
    right = shld._ends
    monkeypatch.setattr(shld, "_ends", lambda *args: (0.0, right(*args)[1]))
    assert verdict("shld.annealing") == "supported"


@pytest.mark.parametrize(("factor", "agrees"), [(1.0, True), (1.2, False)])
def test_cooled_paths_are_where_the_grid_says(factor, agrees, monkeypatch):
    right = ARGUMENTS.amplitude
    monkeypatch.setattr(ARGUMENTS, "amplitude", lambda model, t: factor * right(model, t))
    (table,) = verify(only="shld.annealing", quick=True, figures=False, progress=False)["shld.annealing"].tables
    V = shld.TiltedDoubleWell(tilt=0.1)
    top, start, grid = float(V.saddles()[0]), float(max(V.minima())), shld.Grid(-2.6, 2.6, 260)
    found = []
    for name, D in (("cosine", shld.Cosine(0.3, 0.02, 50.0)), ("constant 0.3", 0.3)):
        share, error = next(row[2:4] for row in table.rows if row[:2] == (50.0, name))
        exact = shld._ends(shld.Langevin(V, D), grid, top, start, 50.0)[0]
        found.append(abs(share - exact) < 5 * error + 0.005)  # 0.005: Euler's bias at dt = 0.01
    # the share hardly depends on the noise near its best; at 0.3 it is 1/(1 + exp(-0.2/D)), .047 lower with 1.44 D
    assert all(found) == agrees


def test_a_window_that_restores_nothing_is_noticed(monkeypatch):
    class Written(HarmonicLearner):
        def __init__(self, theta, *args, rule="restored", **more):
            super().__init__(theta, *args, rule="as written", **more)

    monkeypatch.setattr(shld, "HarmonicLearner", Written)
    assert verdict("shld.optimizer") in ("refuted", "crashed")


@pytest.mark.slow
def test_a_wrong_law_of_the_boosted_chain_is_noticed(monkeypatch):
    right = theory.descent_survival

    def wrong(*args, **more):
        return right(*args, **{**more, "window": 1})

    monkeypatch.setattr(theory, "descent_survival", wrong)
    result = verify(only="shld.noise-assisted-escape", quick=True, figures=False, progress=False)
    tests = {t.label: str(t.outcome) for t in result["shld.noise-assisted-escape"].corrected}
    assert tests["out by step 150, dt = 1, boost"] == "fails"


@pytest.mark.slow
def test_an_error_of_order_one_half_is_noticed(monkeypatch):
    right, rng = shld.simulate, np.random.default_rng(0)

    def wrong(model, x0, dt, *args, noise=None, **more):
        if noise is None:  # the Brownian paths themselves
            return right(model, x0, dt, *args, **more)
        final = right(model, x0, dt, noise=noise).final
        return SimpleNamespace(final=final + 0.2 * dt**0.5 * rng.standard_normal(final.shape))

    monkeypatch.setattr(shld, "simulate", wrong)
    assert verdict("shld.langevin") == "refuted"


# -- numerical errors ----


@pytest.mark.parametrize("k", [0.5, 2.0])
def test_law_of_the_chain_has_its_exact_moments(k):
    D, dt, n, start = 0.3, 0.1, 7, 0.8
    x = np.linspace(-6.0, 6.0, 601)
    p = euler.law(lambda y: -k * y, lambda y: np.sqrt(2.0 * D), x, [start, -start], dt, n)
    a = 1.0 - k * dt
    mean, variance = start * a**n, theory.euler_variance(k, D, dt) * (1.0 - a ** (2 * n))
    np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(p @ x, [mean, -mean], rtol=1e-12)
    np.testing.assert_allclose(p @ x**2, variance + mean**2, rtol=1e-12)


def test_step_error_is_the_law_less_that_of_twice_the_step():
    k, D, dt = 1.0, 0.3, 0.05
    x = np.linspace(-6.0, 6.0, 601)
    found = euler.step_error(shld.Langevin(shld.Harmonic(k), D), x, 0.5, dt, 400)[0] @ x**2
    assert found == pytest.approx(theory.euler_variance(k, D, dt) - theory.euler_variance(k, D, 2 * dt), rel=1e-8)


@pytest.mark.parametrize(("power", "D"), [(2, 0.25), (4, 0.1), (6, 0.25)])
def test_bias_at_rest_is_twice_the_first_order(power, D):
    model, dt = shld.Langevin(shld.DoubleWell(), D), 1 / 256

    def f(x):
        return x**power

    x = np.linspace(-3.0, 3.0, 301)
    chain = euler.law(lambda y: -model.potential.gradient(y), lambda y: np.sqrt(2.0 * D), x, 0.5, dt, 2**13)[0]
    exact = abs(float(chain @ f(x)) - float(theory.gibbs_expectation(model, f)))
    assert exact == pytest.approx(0.5 * euler.bias_at_rest(model, f, dt), rel=0.05, abs=3 * dt**2)
    assert euler.bias_at_rest(shld.Langevin(shld.Harmonic(2.0), D), np.square, dt) == pytest.approx(D * dt)


def test_every_claim_says_its_formula_and_defines_its_words():
    for claim in select("shld.*"):
        assert claim.formula and claim.definitions, claim.id
        assert bool(claim.corrected) == bool(claim.corrected_formula), claim.id
        if claim.corrected:
            assert len(claim.derivation.splitlines()) > 2, claim.id
