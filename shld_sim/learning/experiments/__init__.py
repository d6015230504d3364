"""Experiments with networks: many trainings under one question, as arrays."""

from shld_sim.learning.experiments.prompting import Prompting, prompting

__all__ = ["Prompting", "prompting"]
