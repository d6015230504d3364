"""Experiments on small networks: each a function of a few settings and a seed that returns what it measured."""

from shld_sim.learning.experiments.double_descent import DoubleDescent, double_descent, isotropic_features

__all__ = [
    "DoubleDescent",
    "double_descent",
    "isotropic_features",
]
