"""Small networks with gradients written by hand: one flat vector of parameters, named views, losses as objects."""

from shld_sim.learning.networks.base import Network
from shld_sim.learning.networks.linear import Bowl, Linear, Product
from shld_sim.learning.networks.losses import CrossEntropy, Loss, SquaredError
from shld_sim.learning.networks.perceptron import Perceptron
from shld_sim.learning.networks.quadratic import QuadraticNetwork

__all__ = [
    "Bowl",
    "CrossEntropy",
    "Linear",
    "Loss",
    "Network",
    "Perceptron",
    "Product",
    "QuadraticNetwork",
    "SquaredError",
]
