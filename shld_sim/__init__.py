"""shld_sim: a laboratory for stochastic dynamics. State an equation once; simulate it, solve it, check it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from shld_sim._version import __version__
from shld_sim.domains import Ball, Box, HalfSpace, Interval, Region
from shld_sim.models import Diffusion, LabelNoise, Langevin, LevyFlight, Preconditioned, Underdamped
from shld_sim.potentials import (
    DoubleWell,
    GeometricLoss,
    Harmonic,
    MexicanHat,
    MuellerBrown,
    Polynomial,
    Potential,
    Prinz,
    QuadraticForm,
    Quartic,
    RescalingValley,
    RingOfWells,
    Rosenbrock,
    TiltedDoubleWell,
    Washboard,
)
from shld_sim.records import Histogram, HistogramRecord, Moments, MomentsRecord
from shld_sim.results import DivergenceError, Ensemble, Exits, RareExit, Status
from shld_sim.schedules import Cosine, Exponential, Logarithmic, Schedule, Table
from shld_sim.simulate import extrapolate_exit_time, first_passage, resume, simulate
from shld_sim.sweep import SweepResult, sweep

if TYPE_CHECKING:
    from shld_sim import diagnostics, learning, plotting, theory
    from shld_sim.claims import Ledger, verify
    from shld_sim.grid import FokkerPlanck, Grid
    from shld_sim.learning import HarmonicLearner
    from shld_sim.rare import rare_exit

# Names that are loaded on first use, and the modules they come from.
_LAZY = {
    "FokkerPlanck": "shld_sim.grid",
    "Grid": "shld_sim.grid",
    "HarmonicLearner": "shld_sim.learning",
    "Ledger": "shld_sim.claims",
    "verify": "shld_sim.claims",
    "diagnostics": "shld_sim.diagnostics",
    "learning": "shld_sim.learning",
    "plotting": "shld_sim.plotting",
    "rare_exit": "shld_sim.rare",
    "theory": "shld_sim.theory",
}

__all__ = [
    "Ball",
    "Box",
    "Cosine",
    "Diffusion",
    "DivergenceError",
    "DoubleWell",
    "Ensemble",
    "Exits",
    "Exponential",
    "FokkerPlanck",
    "GeometricLoss",
    "Grid",
    "HalfSpace",
    "Harmonic",
    "HarmonicLearner",
    "Histogram",
    "HistogramRecord",
    "Interval",
    "LabelNoise",
    "Langevin",
    "Ledger",
    "LevyFlight",
    "Logarithmic",
    "MexicanHat",
    "Moments",
    "MomentsRecord",
    "MuellerBrown",
    "Polynomial",
    "Potential",
    "Preconditioned",
    "Prinz",
    "QuadraticForm",
    "Quartic",
    "Region",
    "RareExit",
    "RescalingValley",
    "RingOfWells",
    "Rosenbrock",
    "Schedule",
    "Status",
    "SweepResult",
    "Table",
    "TiltedDoubleWell",
    "Underdamped",
    "Washboard",
    "__version__",
    "diagnostics",
    "extrapolate_exit_time",
    "first_passage",
    "learning",
    "plotting",
    "rare_exit",
    "resume",
    "simulate",
    "sweep",
    "theory",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'shld_sim' has no attribute {name!r}")
    module = importlib.import_module(_LAZY[name])
    value = module if _LAZY[name].endswith(f".{name}") else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
