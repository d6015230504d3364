"""Draw potentials, densities, paths, exits and tails on a given axes: results as they look, never how they are made."""

from shld_sim.plotting.densities import density, histogram, tails
from shld_sim.plotting.landscapes import paths, potential
from shld_sim.plotting.lines import committor, current, eigenfunctions, exit_profile, survival
from shld_sim.plotting.maps import committor_map, current_map, density_map, mode_map
from shld_sim.plotting.rates import escape, exit_times
from shld_sim.plotting.style import PALETTE, finish, formula_svg, new_figure, save, svg
from shld_sim.plotting.trainings import show_now, training, window

__all__ = [
    "PALETTE",
    "committor",
    "committor_map",
    "current",
    "current_map",
    "density",
    "density_map",
    "eigenfunctions",
    "escape",
    "exit_profile",
    "exit_times",
    "finish",
    "formula_svg",
    "histogram",
    "mode_map",
    "new_figure",
    "paths",
    "potential",
    "save",
    "show_now",
    "survival",
    "svg",
    "tails",
    "training",
    "window",
]
