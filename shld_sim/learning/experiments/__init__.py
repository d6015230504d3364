"""Experiments with networks: many trainings under one question, as arrays."""

from shld_sim.learning.experiments.prompting import Prompting, Seed, prompting

__all__ = ["Prompting", "Seed", "prompting"]
