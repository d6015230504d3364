"""Experiments on small networks: each a function of a few settings and a seed that returns what it measured."""

from shld_sim.learning.experiments.double_descent import DoubleDescent, double_descent, isotropic_features
from shld_sim.learning.experiments.escape import Escape, chain_escape_steps, escape, escape_barriers, sine_unit
from shld_sim.learning.experiments.grokking import Grokking, grokking
from shld_sim.learning.experiments.label_noise import LabelNoise, label_noise
from shld_sim.learning.experiments.prompting import Prompting, Seed, prompting
from shld_sim.learning.experiments.scaling import BatchScaling, batch_scaling

__all__ = [
    "BatchScaling",
    "DoubleDescent",
    "Escape",
    "Grokking",
    "LabelNoise",
    "Prompting",
    "Seed",
    "batch_scaling",
    "chain_escape_steps",
    "double_descent",
    "escape",
    "escape_barriers",
    "grokking",
    "isotropic_features",
    "label_noise",
    "prompting",
    "sine_unit",
]
