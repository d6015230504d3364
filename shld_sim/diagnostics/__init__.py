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
from shld_sim.diagnostics.symmetry import (
    CellEntropy,
    OrbitEntropy,
    cell_entropy,
    orbit,
    orbit_entropy,
    permutations,
    random_rotations,
    rescalings,
    rotations,
    sign_flips,
)
from shld_sim.diagnostics.volume import Volume, union_of_balls, union_of_boxes, union_of_cells

__all__ = [
    "GUIDE",
    "Advice",
    "CellEntropy",
    "Consolidation",
    "EarlyStop",
    "OrbitEntropy",
    "Phase",
    "Volume",
    "advice",
    "best_step_factor",
    "cell_entropy",
    "consolidation",
    "consolidation_two_batches",
    "intelligence",
    "intelligence_as_stated",
    "orbit",
    "orbit_entropy",
    "permutations",
    "phase",
    "random_rotations",
    "rescalings",
    "rotations",
    "sign_flips",
    "step_factor",
    "union_of_balls",
    "union_of_boxes",
    "union_of_cells",
]
