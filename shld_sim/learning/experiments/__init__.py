"""Experiments with networks that several claims and examples share: trained once, recorded densely, the same for a seed."""

from shld_sim.learning.experiments.grokking import Grokking, grokking

__all__ = ["Grokking", "grokking"]
