"""What simulations return: Ensemble, Exits and RareExit, with all that is needed to reproduce, continue, save and judge them."""

from shld_sim.results.ensemble import Ensemble
from shld_sim.results.exits import Exits, Survival
from shld_sim.results.rare import RareExit
from shld_sim.results.status import DivergenceError, Status

__all__ = ["DivergenceError", "Ensemble", "Exits", "RareExit", "Status", "Survival"]
