"""Planted errors in the claims on Levy dynamics: each must turn the verdict."""

import dataclasses

import numpy as np
import pytest

from shld_sim import diagnostics, theory, verify
from shld_sim.claims import levy
from shld_sim.models import Diffusion


def verdict(id):
    return str(verify(only=id, quick=True, figures=False, progress=False)[id].verdict)


def test_another_alpha_in_the_plane_is_noticed(monkeypatch):
    right = levy.simulate
    monkeypatch.setattr(
        levy,
        "simulate",
        lambda model, *args, **more: right(dataclasses.replace(model, alpha=model.alpha + 0.1), *args, **more),
    )
    assert verdict("levy.sde") == "refuted"


def test_independent_components_do_not_pass_as_isotropic_noise(monkeypatch):
    right = levy.simulate
    monkeypatch.setattr(
        levy,
        "simulate",
        lambda model, *args, **more: right(dataclasses.replace(model, components="independent"), *args, **more),
    )
    assert verdict("levy.sde") == "refuted"


def test_noise_a_fifth_too_strong_is_noticed_in_the_plane(monkeypatch):
    right = levy.simulate
    monkeypatch.setattr(
        levy, "simulate", lambda model, *args, **more: right(dataclasses.replace(model, sigma=1.2), *args, **more)
    )
    assert verdict("levy.sde") == "refuted"


@pytest.mark.parametrize("change", [{"alpha": 0.1}, {"sigma": 0.1}], ids=["alpha + 0.1", "noise x 1.2"])
def test_paths_of_another_noise_do_not_obey_the_fractional_equation(change, monkeypatch):
    right = levy.simulate

    def moved(model, *args, **more):
        values = {name: min(getattr(model, name) + shift, 2.0) for name, shift in change.items()}
        return right(dataclasses.replace(model, **values), *args, **more)

    monkeypatch.setattr(levy, "simulate", moved)
    assert verdict("levy.fractional-fp") == "refuted"


def test_a_squared_noise_scale_does_not_pass_for_every_alpha(monkeypatch):
    """D_a = sigma^2 in the place of sigma^alpha."""
    right = levy.FokkerPlanck

    def squared(model, grid):
        return right(dataclasses.replace(model, sigma=model.sigma ** (2.0 / model.alpha)), grid)

    monkeypatch.setattr(levy, "FokkerPlanck", squared)
    assert verdict("levy.fractional-fp") == "refuted"


@pytest.mark.parametrize(
    ("id", "more", "factor"),
    [("levy.consolidation", 0.0, 1.2), ("levy.consolidation", 0.1, 1.0), ("levy.tail-index", 0.1, 1.0)],
    ids=["consolidation, noise x 1.2", "consolidation, alpha + 0.1", "tail-index, alpha + 0.1"],
)
def test_another_alpha_or_scale_of_the_noise_is_noticed(id, more, factor, monkeypatch):
    right = levy._stable
    monkeypatch.setattr(levy, "_stable", lambda rng, alpha, size: factor * right(rng, min(alpha + more, 2.0), size))
    assert verdict(id) == "refuted"


WRONG = {
    # a formula without its correction, or the tool of the statement in the place of the better one
    "levy.tail-index": (theory, "block_sum_limit", lambda sd, mean_log, block: 2.0),
    "levy.consolidation": (theory, "downhill_probability", lambda ratio, alpha: theory.stable_cdf(ratio, 2.0)),
    "levy.stability-margin": (
        diagnostics,
        "largest_eigenvalue",
        lambda H, steps, seed, right=diagnostics.power_iteration: dataclasses.replace(
            (found := right(H, seed=seed)), interval=(found.value, found.value + found.residual**2)
        ),
    ),
    "levy.metric-rate": (
        diagnostics,
        "kernel_distance",
        lambda before, after, scale_free=False: abs(
            diagnostics.tangent_kernel(after).log_det - diagnostics.tangent_kernel(before).log_det
        ),
    ),
    "levy.curvature": (
        theory,
        "geodesic_exit_time",
        lambda r, K, D, right=theory.geodesic_exit_time: right(r, 2.0 * np.asarray(K), D),  # the scalar curvature
    ),
}


@pytest.mark.parametrize(
    "id", [pytest.param(id, marks=pytest.mark.slow) if id == "levy.curvature" else id for id in WRONG]
)
def test_a_wrong_formula_does_not_pass_as_the_corrected_one(id, monkeypatch):
    module, name, wrong = WRONG[id]
    monkeypatch.setattr(module, name, wrong)
    assert verdict(id) == "refuted"


@pytest.mark.slow
def test_stratonovich_noise_is_not_brownian_motion_on_the_surface(monkeypatch):
    monkeypatch.setattr(
        levy, "Diffusion", lambda *args, **more: Diffusion(*args, interpretation="stratonovich", **more)
    )
    assert verdict("levy.curvature") == "refuted"


@pytest.mark.slow
def test_noise_a_fifth_too_strong_on_the_surface_is_noticed(monkeypatch):
    monkeypatch.setattr(
        levy,
        "Diffusion",
        lambda drift, noise, params, dim: Diffusion(drift, noise, params=tuple(1.2 * p for p in params), dim=dim),
    )
    assert verdict("levy.curvature") == "refuted"


@pytest.mark.slow
def test_another_alpha_of_jumps_on_the_surface_is_noticed(monkeypatch):
    right = levy._stable_exits
    monkeypatch.setattr(levy, "_stable_exits", lambda rng, k, r, alpha, dt, n: right(rng, k, r, alpha + 0.1, dt, n))
    assert verdict("levy.curvature") == "refuted"


def test_a_tracker_with_another_margin_is_noticed(monkeypatch):
    """2 eta - lmax, as another of the documents types it."""

    class Typed(diagnostics.CriticalityTracker):
        def update(self, gradient_norm, lmax, rho):
            return super().update(gradient_norm, lmax + 2.0 / self.eta - 2.0 * self.eta, rho)

    monkeypatch.setattr(diagnostics, "CriticalityTracker", Typed)
    assert verdict("levy.criticality") == "refuted"
