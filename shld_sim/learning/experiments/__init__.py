"""Experiments on small networks: each a function of a few settings and a seed that returns what it measured."""

from shld_sim.learning.experiments.double_descent import DoubleDescent, double_descent, isotropic_features
from shld_sim.learning.experiments.edge_of_stability import EdgeOfStability, edge_of_stability
from shld_sim.learning.experiments.escape import Escape, chain_escape_steps, escape, escape_barriers, sine_unit
from shld_sim.learning.experiments.flatness import Minimum, flatness
from shld_sim.learning.experiments.grokking import Grokking, grokking
from shld_sim.learning.experiments.label_noise import LabelNoise, label_noise
from shld_sim.learning.experiments.lottery import Lottery, Ticket, lottery
from shld_sim.learning.experiments.prompting import Prompting, Seed, prompting
from shld_sim.learning.experiments.scaling import BatchScaling, batch_scaling
from shld_sim.learning.experiments.signals import Signals, odds_of_batches, signals

__all__ = [
    "BatchScaling",
    "DoubleDescent",
    "EdgeOfStability",
    "Escape",
    "Grokking",
    "LabelNoise",
    "Lottery",
    "Minimum",
    "Signals",
    "Ticket",
    "Prompting",
    "Seed",
    "batch_scaling",
    "chain_escape_steps",
    "double_descent",
    "edge_of_stability",
    "escape",
    "escape_barriers",
    "flatness",
    "grokking",
    "isotropic_features",
    "label_noise",
    "lottery",
    "odds_of_batches",
    "signals",
    "prompting",
    "sine_unit",
]
