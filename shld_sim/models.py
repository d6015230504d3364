"""The stochastic differential equations: a potential and its noise, stated once for simulation, grid and theory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from shld_sim import _checks
from shld_sim.potentials import Potential
from shld_sim.schedules import Schedule

COMPONENTS = ("isotropic", "independent")


@dataclass(frozen=True)
class Langevin:
    r"""Overdamped Langevin equation :math:`dX = -\nabla V(X)\,dt + \sqrt{2D}\,dW`.

    Its density obeys :math:`\partial_t p = \nabla\cdot(p \nabla V) + D \Delta p` and settles to the Gibbs law
    :math:`e^{-V/D}/Z` where that can be normalised.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``.
    D : float or Schedule
        Diffusion coefficient, positive; a schedule makes it a function of time.

    Examples
    --------
    >>> import shld_sim as shld
    >>> shld.Langevin(shld.DoubleWell(), D=0.1)
    Langevin(potential=DoubleWell(height=0.25, width=1.0), D=0.1)
    """

    potential: Potential
    D: float | Schedule

    def __post_init__(self) -> None:
        _check_potential(self.potential)
        object.__setattr__(self, "D", _strength("D", self.D))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.potential.dim


@dataclass(frozen=True)
class LevyFlight:
    r"""Stable equation :math:`dX = -\nabla V(X)\,dt + \sigma\,dL`, :math:`E e^{i k\cdot L_t} = e^{-t|k|^\alpha}`.

    At :math:`\alpha = 2` the noise has variance :math:`2\sigma^2 t` per coordinate, so ``sigma = sqrt(D)`` gives
    `Langevin`.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``.
    alpha : float
        Stability index, ``0 < alpha <= 2``.
    sigma : float or Schedule
        Noise scale, positive; a schedule makes it a function of time.
    components : {"isotropic", "independent"}
        In more than one dimension: a rotation-invariant stable vector, or independent stable coordinates with
        :math:`E e^{i k\cdot L_t} = e^{-t \sum_i |k_i|^\alpha}`.
    """

    potential: Potential
    alpha: float
    sigma: float | Schedule
    components: str = "isotropic"

    def __post_init__(self) -> None:
        _check_potential(self.potential)
        object.__setattr__(self, "alpha", _checks.stability_index("alpha", self.alpha))
        object.__setattr__(self, "sigma", _strength("sigma", self.sigma))
        _checks.one_of("components", self.components, COMPONENTS)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.potential.dim


Model = Langevin | LevyFlight
M = TypeVar("M", Langevin, LevyFlight)


def noise_strength(model: Model) -> float | Schedule:
    """Return the strength of the noise of ``model``: ``D`` or ``sigma``."""
    return model.D if isinstance(model, Langevin) else model.sigma


def require(model: object, kind: type[M], dim: int | None = None) -> M:
    """Return ``model`` if it is a ``kind`` with constant noise (and ``dim`` coordinates); raise otherwise."""
    if not isinstance(model, kind):
        raise TypeError(f"model must be a {kind.__name__}, got {model!r}")
    if dim is not None and model.dim != dim:
        raise ValueError(f"model must have {dim} coordinate{'s' * (dim > 1)}, got {model.dim}: {model!r}")
    strength = noise_strength(model)
    if isinstance(strength, Schedule):
        name = "D" if isinstance(model, Langevin) else "sigma"
        raise ValueError(f"{name} must be constant here, got the schedule {strength!r}")
    return model


def _check_potential(potential: object) -> None:
    if not isinstance(potential, Potential):
        raise TypeError(f"potential must be a Potential, got {potential!r}")


def _strength(name: str, value: float | Schedule) -> float | Schedule:
    return value if isinstance(value, Schedule) else _checks.positive(name, value)
