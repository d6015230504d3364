"""The constant noise strength of a model that `shld_sim.models.require` has let through."""

from __future__ import annotations

from shld_sim.models import Langevin, LevyFlight, Underdamped, noise_strength


def strength(model: Langevin | LevyFlight | Underdamped) -> float:
    """Return D or sigma as a float; schedules were refused before by `require`."""
    value = noise_strength(model)
    if not isinstance(value, float):
        raise TypeError(f"the noise of {model!r} must be constant here")
    return value
