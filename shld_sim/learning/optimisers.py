"""Optimisers that are told the gradient: descent with momentum, AdamW, Langevin; and learning rates that warm up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.schedules import Schedule

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WarmUp(Schedule):
    r"""Rise from ``start`` times ``after`` at step 0 in a straight line to ``after`` at step ``duration``, then ``after``.

    Parameters
    ----------
    after : float or Schedule
        What follows, e.g. `Cosine`; the number of the step is its time, from the beginning of the warm-up.
    duration : float
        Steps of the warm-up, positive.
    start : float
        Factor at step 0, in (0, 1).
    """

    after: float | Schedule
    duration: float
    start: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "after", strength("after", self.after))
        object.__setattr__(self, "duration", _checks.positive("duration", self.duration))
        object.__setattr__(self, "start", _checks.probability("start", self.start))

    def __call__(self, t: Any) -> Array:
        """Return the value at steps ``t``, with the shape of ``t``."""
        time = np.asarray(t, dtype=float)
        rise = self.start + (1.0 - self.start) * np.clip(time / self.duration, 0.0, 1.0)
        return rise * (self.after(time) if isinstance(self.after, Schedule) else self.after)


class Optimiser:
    """Something with a `step`. What it remembers are plain attributes: a copy or a pickle continues to the same bits.

    Attributes
    ----------
    learning_rate : float or Schedule
        ``eta``; a schedule is called with the number of the step, from 0.
    n_steps : int
        Steps made.
    """

    learning_rate: float | Schedule
    n_steps: int = 0

    def step(self, theta: Array, gradient: Array) -> Array:
        """Return the parameters after a step; ``theta`` is left as it is.

        Parameters
        ----------
        theta : ndarray
            Parameters.
        gradient : ndarray, of the same shape
            Gradient of the loss, exact or of a batch.

        Returns
        -------
        ndarray
            New parameters.

        Raises
        ------
        ValueError
            If the shapes differ, or are not those of the step before.
        FloatingPointError
            If the parameters leave the finite numbers.
        """
        if np.shape(gradient) != np.shape(theta):
            raise ValueError(f"gradient must have the shape of theta, {np.shape(theta)}, got {np.shape(gradient)}")
        eta = self.rate
        with np.errstate(over="ignore", invalid="ignore"):
            new = self._moved(theta, gradient, eta)
        if not np.isfinite(new).all():
            raise FloatingPointError(
                f"theta left the finite numbers at step {self.n_steps} with learning_rate={eta:.6g}: "
                "learning_rate must be below 2/(largest curvature)"
            )
        self.n_steps += 1
        return new

    @property
    def rate(self) -> float:
        """Learning rate of the next step."""
        return at_step(self.learning_rate, self.n_steps)

    def _moved(self, theta: Array, g: Array, eta: float) -> Array:
        raise TypeError(f"{type(self).__name__} must define _moved(theta, g, eta)")

    def _memory(self, name: str, theta: Array) -> Array:
        """Return the array of this name, zeros at first, and see that its shape is that of the parameters."""
        held = getattr(self, name)
        if held is None:
            held = np.zeros_like(theta)
            setattr(self, name, held)
        if held.shape != theta.shape:
            raise ValueError(f"theta must keep its shape {held.shape} from step to step, got {theta.shape}")
        return held

    def __repr__(self) -> str:
        public = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in public.items())})"


class Descent(Optimiser):
    r"""Gradient descent, with or without momentum: :math:`v' = \beta v - \eta g,\ \theta' = \theta + v' - \eta w\theta`.

    With gradients of batches it is stochastic gradient descent.

    Parameters
    ----------
    learning_rate : float or Schedule
        ``eta``, positive. In a well of curvature ``lam`` descent is stable for ``eta lam < 2 (1 + beta)``.
    momentum : float
        ``beta``, 0 <= beta < 1. Slow descent goes as with the step ``eta/(1 - beta)``.
    weight_decay : float
        ``w``, not negative.
    """

    def __init__(self, learning_rate: float | Schedule, momentum: float = 0.0, weight_decay: float = 0.0) -> None:
        self.learning_rate = strength("learning_rate", learning_rate)
        self.momentum = fraction("momentum", momentum)
        self.weight_decay = _checks.nonnegative("weight_decay", weight_decay)
        self.n_steps = 0
        self._velocity: Array | None = None

    def _moved(self, theta: Array, g: Array, eta: float) -> Array:
        if self.momentum == 0.0:
            v = -eta * g
        else:
            # v' = beta v - eta g
            v = self._memory("_velocity", theta)
            v *= self.momentum
            v -= eta * g
        # theta' = theta + v' - eta w theta
        return theta * (1.0 - eta * self.weight_decay) + v


class AdamW(Optimiser):
    r"""Descent in units of the gradient's own size, with decay of the weights apart from it.

    .. math:: m' = \beta_1 m + (1 - \beta_1) g,\quad s' = \beta_2 s + (1 - \beta_2) g^2,\quad
       \theta' = \theta - \eta\Bigl(\frac{\hat m}{\sqrt{\hat s} + \epsilon} + w\theta\Bigr)

    with :math:`\hat m = m'/(1 - \beta_1^{k+1})` and :math:`\hat s = s'/(1 - \beta_2^{k+1})` at step k, from 0.

    Parameters
    ----------
    learning_rate : float or Schedule
        ``eta``, positive: about the change of a parameter in a step.
    weight_decay : float
        ``w``, not negative.
    betas : tuple of float
        ``beta_1`` and ``beta_2``, in [0, 1).
    epsilon : float
        Positive.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019, arXiv:1711.05101, algorithm 2.
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 1e-3,
        weight_decay: float = 0.01,
        betas: tuple[float, float] = (0.9, 0.999),
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate = strength("learning_rate", learning_rate)
        self.weight_decay = _checks.nonnegative("weight_decay", weight_decay)
        first, second = betas
        self.betas = fraction("betas", first), fraction("betas", second)
        self.epsilon = _checks.positive("epsilon", epsilon)
        self.n_steps = 0
        self._mean: Array | None = None
        self._square: Array | None = None

    def _moved(self, theta: Array, g: Array, eta: float) -> Array:
        m, s, (b1, b2) = self._memory("_mean", theta), self._memory("_square", theta), self.betas
        m *= b1
        m += (1.0 - b1) * g
        s *= b2
        s += (1.0 - b2) * g * g
        m_hat, s_hat = m / (1.0 - b1 ** (self.n_steps + 1)), s / (1.0 - b2 ** (self.n_steps + 1))
        # theta' = theta - eta (m^/(sqrt s^ + e) + w theta)
        return theta - eta * (m_hat / (np.sqrt(s_hat) + self.epsilon) + self.weight_decay * theta)


class LangevinDescent(Optimiser):
    r"""Descent with noise of a temperature, :math:`\theta' = \theta - \eta g + \sqrt{2\eta T}\,\xi`.

    With exact gradients and small steps it samples :math:`e^{-L/T}`; on :math:`\lambda x^2/2` the variance is exactly
    :math:`T/(\lambda(1 - \eta\lambda/2))`. Of n examples with the mean loss L, T = 1/n samples the Bayesian posterior.

    Parameters
    ----------
    learning_rate : float or Schedule
        ``eta``, positive: a step of time.
    temperature : float or Schedule
        ``T``, positive, in units of the loss.
    seed : int or numpy.random.SeedSequence
        Seed of the noise.
    """

    def __init__(
        self,
        learning_rate: float | Schedule,
        temperature: float | Schedule,
        *,
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        self.learning_rate = strength("learning_rate", learning_rate)
        self.temperature = strength("temperature", temperature)
        self.n_steps = 0
        self._rng = np.random.default_rng(seed)

    def _moved(self, theta: Array, g: Array, eta: float) -> Array:
        T = at_step(self.temperature, self.n_steps)
        # theta' = theta - eta g + sqrt(2 eta T) xi
        return theta - eta * g + np.sqrt(2.0 * eta * T) * self._rng.standard_normal(np.shape(theta))


def strength(name: str, value: float | Schedule) -> float | Schedule:
    """Return a positive number or a schedule, or say what is wrong with it."""
    return value if isinstance(value, Schedule) else _checks.positive(name, value)


def at_step(value: float | Schedule, step: int) -> float:
    """Return a number, or what a schedule says for this step."""
    return float(value(float(step))) if isinstance(value, Schedule) else value


def fraction(name: str, value: float) -> float:
    """Return a number in [0, 1), or say what is wrong with it."""
    result = _checks.nonnegative(name, value)
    if result >= 1.0:
        raise ValueError(f"{name} must lie in [0, 1), got {value!r}")
    return result
