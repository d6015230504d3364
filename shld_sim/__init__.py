"""shld_sim: a laboratory for stochastic dynamics. State an equation once; simulate it, solve it, check it."""

from shld_sim._version import __version__
from shld_sim.models import Langevin, LevyFlight
from shld_sim.potentials import *  # noqa: F403
from shld_sim.schedules import Cosine, Exponential, Logarithmic, Schedule, Table
