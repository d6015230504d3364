"""Sweep a function over parameters on any concurrent.futures executor: own seeds, a store that continues, no lost points."""

from shld_sim.sweep.driver import sweep
from shld_sim.sweep.result import PointError, SweepResult

__all__ = ["PointError", "SweepResult", "sweep"]
