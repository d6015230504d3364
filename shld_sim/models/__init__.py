"""The stochastic differential equations: a potential and its noise, stated once for simulation, grid and theory."""

from shld_sim.models.additive import Langevin, LevyFlight, Underdamped, noise_strength, require
from shld_sim.models.diffusion import Diffusion
from shld_sim.models.label_noise import LabelNoise
from shld_sim.models.preconditioned import Preconditioned

Model = Langevin | LevyFlight | Underdamped | Diffusion

__all__ = [
    "Diffusion",
    "LabelNoise",
    "Langevin",
    "LevyFlight",
    "Model",
    "Preconditioned",
    "Underdamped",
    "noise_strength",
    "require",
]
