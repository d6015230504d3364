"""Optimisers as objects with a `step` and a `run`, and the rules that steer them."""

from shld_sim.learning.harmonic import (
    HarmonicLearner,
    LearningRecord,
    barrier_estimate,
    escape_time,
    escape_time_as_stated,
    regime,
    step_advice,
)

__all__ = [
    "HarmonicLearner",
    "LearningRecord",
    "barrier_estimate",
    "escape_time",
    "escape_time_as_stated",
    "regime",
    "step_advice",
]
