"""Landscapes: the Potential type and a library of potentials with known minima, saddles and Hessians."""

from shld_sim.potentials.base import Potential
from shld_sim.potentials.geometric import GeometricLoss
from shld_sim.potentials.many import MexicanHat, QuadraticForm
from shld_sim.potentials.planar import MuellerBrown, RescalingValley, RingOfWells, Rosenbrock
from shld_sim.potentials.rugged import Prinz, Washboard
from shld_sim.potentials.wells import DoubleWell, Harmonic, Polynomial, Quartic, TiltedDoubleWell

__all__ = [
    "DoubleWell",
    "GeometricLoss",
    "Harmonic",
    "MexicanHat",
    "MuellerBrown",
    "Polynomial",
    "Potential",
    "Prinz",
    "QuadraticForm",
    "Quartic",
    "RescalingValley",
    "RingOfWells",
    "Rosenbrock",
    "TiltedDoubleWell",
    "Washboard",
]
