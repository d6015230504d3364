"""Estimators that watch a run: arrays in, numbers with intervals out."""

from shld_sim.diagnostics.consolidation import Consolidation, consolidation, consolidation_two_batches
from shld_sim.diagnostics.diffusion import (
    DiffusionEstimate,
    diffusion_constant,
    diffusion_from_gradients,
    diffusion_from_gradients_as_stated,
    diffusion_from_variance_as_stated,
)
from shld_sim.diagnostics.phases import (
    GUIDE,
    Advice,
    EarlyStop,
    Phase,
    advice,
    best_step_factor,
    intelligence,
    intelligence_as_stated,
    phase,
    step_factor,
)

__all__ = [
    "GUIDE",
    "Advice",
    "Consolidation",
    "DiffusionEstimate",
    "EarlyStop",
    "Phase",
    "advice",
    "best_step_factor",
    "consolidation",
    "consolidation_two_batches",
    "diffusion_constant",
    "diffusion_from_gradients",
    "diffusion_from_gradients_as_stated",
    "diffusion_from_variance_as_stated",
    "intelligence",
    "intelligence_as_stated",
    "phase",
    "step_factor",
]
