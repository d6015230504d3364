"""Simulate a model: ensembles of paths, their continuation, and first passages."""

from shld_sim.simulate.ensemble import resume, simulate
from shld_sim.simulate.passage import extrapolate_exit_time, first_passage

__all__ = ["extrapolate_exit_time", "first_passage", "resume", "simulate"]
