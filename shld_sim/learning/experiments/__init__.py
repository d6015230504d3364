"""Experiments with small networks: each is a function of its settings and a seed, and returns what it measured."""

from shld_sim.learning.experiments.edge_of_stability import EdgeOfStability, edge_of_stability
from shld_sim.learning.experiments.flatness import Minimum, flatness
from shld_sim.learning.experiments.lottery import Lottery, Ticket, lottery
from shld_sim.learning.experiments.signals import Signals, odds_of_batches, signals

__all__ = [
    "EdgeOfStability",
    "Lottery",
    "Minimum",
    "Signals",
    "Ticket",
    "edge_of_stability",
    "flatness",
    "lottery",
    "odds_of_batches",
    "signals",
]
