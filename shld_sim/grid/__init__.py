"""Grid solvers: the Fokker-Planck equation on cells, its spectrum, exit problems and thermodynamics."""

from shld_sim.grid.covering import covering
from shld_sim.grid.fokker_planck import FokkerPlanck
from shld_sim.grid.mesh import Edges, Grid, Stretched, Uniform
from shld_sim.grid.refinement import Refined

__all__ = ["Edges", "FokkerPlanck", "Grid", "Refined", "Stretched", "Uniform", "covering"]
