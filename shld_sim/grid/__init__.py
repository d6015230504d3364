"""Grid solvers: the Fokker-Planck equation on cells, its spectrum, exit problems and thermodynamics."""

from shld_sim.grid.covering import covering
from shld_sim.grid.extrapolation import Limit, extrapolate
from shld_sim.grid.fokker_planck import FokkerPlanck
from shld_sim.grid.fractional import ExitPlaces
from shld_sim.grid.mesh import Edges, Grid, Stretched, Uniform
from shld_sim.grid.refinement import Refined

__all__ = [
    "Edges",
    "ExitPlaces",
    "FokkerPlanck",
    "Grid",
    "Limit",
    "Refined",
    "Stretched",
    "Uniform",
    "covering",
    "extrapolate",
]
