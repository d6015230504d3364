"""Noise of constant size: Langevin equations, overdamped and with inertia, and Levy flights."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
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
        check_potential(self.potential)
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
    beta : float
        Skewness of the noise. Only 0, symmetric noise, is known here; anything else is refused.
    """

    potential: Potential
    alpha: float
    sigma: float | Schedule
    components: str = "isotropic"
    beta: InitVar[float] = 0.0

    def __post_init__(self, beta: float) -> None:
        if beta != 0.0:
            raise ValueError(f"beta must be 0: skewed stable noise is not supported, got {beta!r}")
        check_potential(self.potential)
        object.__setattr__(self, "alpha", _checks.stability_index("alpha", self.alpha))
        object.__setattr__(self, "sigma", _strength("sigma", self.sigma))
        _checks.one_of("components", self.components, COMPONENTS)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.potential.dim


@dataclass(frozen=True)
class Underdamped:
    r"""Langevin equation with inertia :math:`dX = P\,dt,\ dP = -(\nabla V(X) + \gamma P)\,dt + \sqrt{2\gamma D}\,dW`.

    The mass is 1 and ``D`` the temperature: the stationary law is :math:`e^{-(V + |p|^2/2)/D}/Z`. For strong friction X
    follows `Langevin` with time slowed down by :math:`\gamma`.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``.
    D : float or Schedule
        Temperature, positive; a schedule makes it a function of time.
    friction : float
        ``gamma``, 1/time, positive.

    Examples
    --------
    >>> import shld_sim as shld
    >>> model = shld.Underdamped(shld.DoubleWell(), D=0.1, friction=0.5)
    >>> run = shld.simulate(model, x0=-1.0, dt=0.1, t_end=5.0, n_paths=4, seed=1)
    >>> run.x.shape, run.p.shape
    ((1, 4), (1, 4))
    """

    potential: Potential
    D: float | Schedule
    friction: float

    def __post_init__(self) -> None:
        check_potential(self.potential)
        object.__setattr__(self, "D", _strength("D", self.D))
        object.__setattr__(self, "friction", _checks.positive("friction", self.friction))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.potential.dim


M = TypeVar("M", Langevin, LevyFlight, Underdamped)


def noise_strength(model: Langevin | LevyFlight | Underdamped) -> float | Schedule:
    """Return the strength of the noise of ``model``: ``D`` or ``sigma``."""
    return model.sigma if isinstance(model, LevyFlight) else model.D


def require(model: object, kind: type[M], dim: int | None = None) -> M:
    """Return ``model`` if it is a ``kind`` with constant noise (and ``dim`` coordinates); raise otherwise."""
    if not isinstance(model, kind):
        raise TypeError(f"model must be a {kind.__name__}, got {model!r}")
    if dim is not None and model.dim != dim:
        raise ValueError(f"model must have {dim} coordinate{'s' * (dim > 1)}, got {model.dim}: {model!r}")
    strength = noise_strength(model)
    if isinstance(strength, Schedule):
        name = "sigma" if isinstance(model, LevyFlight) else "D"
        raise ValueError(f"{name} must be constant here, got the schedule {strength!r}")
    return model


def check_potential(potential: object) -> None:
    """Raise unless the argument ``potential`` is one."""
    if not isinstance(potential, Potential):
        raise TypeError(f"potential must be a Potential, got {potential!r}")


def _strength(name: str, value: float | Schedule) -> float | Schedule:
    return value if isinstance(value, Schedule) else _checks.positive(name, value)
