"""Estimators that watch a run: arrays in, numbers with intervals out."""

from shld_sim.diagnostics.consolidation import Consolidation, consolidation, consolidation_two_batches
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
    "EarlyStop",
    "Phase",
    "advice",
    "best_step_factor",
    "consolidation",
    "consolidation_two_batches",
    "intelligence",
    "intelligence_as_stated",
    "phase",
    "step_factor",
]
