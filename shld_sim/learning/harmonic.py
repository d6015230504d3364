"""The optimiser "stochastic harmonic learning": noisy descent whose noise is raised where C is small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.learning.optimisers import Optimiser, at_step, fraction, strength
from shld_sim.schedules import Schedule

Array = NDArray[np.float64]
RULES = ("restored", "as written")


@dataclass(frozen=True)
class NoiseRule:
    """When the noise is raised, by what, for how long, and what comes after; see `HarmonicLearner`.

    Parameters
    ----------
    boost, threshold, window, warm_up, rule
        As of `HarmonicLearner`.
    """

    boost: float = 1.0
    threshold: float = 0.5
    window: int = 10
    warm_up: int = 50
    rule: str = "restored"

    def __post_init__(self) -> None:
        object.__setattr__(self, "boost", _checks.number("boost", self.boost))
        if self.boost < 1.0:
            raise ValueError(f"boost must be at least 1, got {self.boost!r}")
        object.__setattr__(self, "threshold", _checks.nonnegative("threshold", self.threshold))
        object.__setattr__(self, "window", _checks.integer("window", self.window))
        object.__setattr__(self, "warm_up", _checks.integer("warm_up", self.warm_up, -1))
        _checks.one_of("rule", self.rule, RULES)

    def raised(self, C: Array, step: int, factor: Array, left: Any) -> tuple[Array, Any]:
        """Return the factors on D, and how many steps their windows last, for a step with these C."""
        low = (self.threshold > C) & (step > self.warm_up) & (self.boost > 1.0)
        if self.rule == "restored":
            low &= left == 0
            factor = np.where(low, self.boost, factor)
        else:
            factor = np.where(low, factor * self.boost, factor)
        return factor, np.where(low, self.window, left)

    def closed(self, factor: Array, left: Any) -> tuple[Array, Any]:
        """Return factors and windows after the step."""
        left = np.maximum(left - 1, 0)
        return (np.where(left == 0, 1.0, factor) if self.rule == "restored" else factor), left


def consolidation_ratio(g: Array, D: Any) -> Array:
    """Return ``C = |grad|^2/(D d)`` of gradients in rows."""
    with np.errstate(over="ignore"):
        # C = |grad|^2/(D d)
        return np.asarray(np.einsum("ij,ij->i", g, g) / (D * g.shape[1]))


def kicked(v: Array, g: Array, xi: Array, eta: float, momentum: float, D: Array, dt: float) -> Array:
    """Return ``v' = beta v - eta g + sqrt(2 D dt) xi`` for learners in rows."""
    # v' = beta v - eta g + sqrt(2 D dt) xi
    return np.asarray(momentum * v - eta * g + np.sqrt(2.0 * D * dt)[:, None] * xi)


class HarmonicDescent(Optimiser):
    r"""The equation of `HarmonicLearner` as an optimiser of `train`: noise that is raised where C is small.

    .. math:: v' = \beta v - \eta\,g + \sqrt{2 D\,dt}\,\xi,\quad \theta' = \theta + v',\quad C = |g|^2/(D d)

    The defaults are the document's, with its boost. Then the temperature ``D dt/eta`` is 1, which few networks stand;
    ``dt = learning_rate`` makes it D. ``C`` and ``D`` are those of the last step.

    Parameters
    ----------
    learning_rate, D, dt, momentum, boost, threshold, window, warm_up, rule, seed
        As of `HarmonicLearner`.

    Examples
    --------
    >>> from shld_sim import learning
    >>> descent = learning.HarmonicDescent(0.1, D=1e-4, dt=0.1)
    >>> task = learning.noisy_quadratic([1.0, 4.0], noise=0.1)
    >>> run = learning.train(learning.Bowl((1.0, 4.0)), task, descent, 100, every=50)
    >>> bool(run.test_loss[-1] < 0.03), run.optimiser.D in (1e-4, 5e-4)
    (True, True)
    """

    def __init__(
        self,
        learning_rate: float | Schedule = 0.01,
        D: float | Schedule = 0.01,
        *,
        dt: float = 1.0,
        momentum: float = 0.0,
        boost: float = 5.0,
        threshold: float = 0.5,
        window: int = 10,
        warm_up: int = 50,
        rule: str = "restored",
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        self.learning_rate = strength("learning_rate", learning_rate)
        self.base = strength("D", D)
        self.dt = _checks.positive("dt", dt)
        self.momentum = fraction("momentum", momentum)
        self.noise = NoiseRule(boost, threshold, window, warm_up, rule)
        self.n_steps = 0
        self.C = float("nan")
        self.D = at_step(self.base, 0)
        self._rng = np.random.default_rng(seed)
        self._velocity: Array | None = None
        self._factor, self._left = np.ones(1), np.zeros(1, np.int64)

    def _moved(self, theta: Array, g: Array, eta: float) -> Array:
        row, base = np.reshape(g, (1, -1)), at_step(self.base, self.n_steps)
        C = consolidation_ratio(row, base * self._factor)
        factor, left = self.noise.raised(C, self.n_steps, self._factor, self._left)
        D = base * factor
        v = self._memory("_velocity", theta)
        xi = self._rng.standard_normal(row.shape)
        v[...] = kicked(v.reshape(1, -1), row, xi, eta, self.momentum, D, self.dt).reshape(v.shape)
        self._factor, self._left = self.noise.closed(factor, left)
        self.C, self.D = float(C[0]), float(D[0])
        return theta + v


@dataclass(frozen=True)
class LearningRecord:
    """What a run of `HarmonicLearner` saw: one entry per saved step, before the step was made.

    Attributes
    ----------
    steps : ndarray, shape (n_saved,)
        Numbers of the steps, from 0.
    theta : ndarray, shape (n_saved, d) or (n_saved, n, d)
        Parameters.
    C : ndarray, shape (n_saved,) or (n_saved, n)
        Consolidation ratio ``|grad|^2/(D d)`` with the D in force before the step.
    D : ndarray, shape (n_saved,) or (n_saved, n)
        Noise with which the step was made.
    loss : ndarray, shape (n_saved,) or (n_saved, n), or None
        Loss, if the run was given one.
    final : ndarray, shape (d,) or (n, d)
        Parameters after the last step, or where a learner stopped.
    stopped : ndarray of int, shape () or (n,)
        Number of steps after which each learner stopped; -1 where it did not.
    """

    steps: NDArray[np.int64]
    theta: Array
    C: Array
    D: Array
    loss: Array | None
    final: Array
    stopped: NDArray[np.int64]


class HarmonicLearner:
    r"""Noisy descent :math:`v' = \beta v - \eta\,g + \sqrt{2 D\,dt}\,\xi,\ \theta' = \theta + v'`, with noise that adapts to C.

    With momentum 0 it is the document's :math:`\theta' = \theta - \eta g + \sqrt{2 D\,dt}\,\xi`. The ratio
    :math:`C = |g|^2/(D d)` is taken before each step; where it is below ``threshold`` after the step number ``warm_up``, D is
    multiplied by ``boost`` for ``window`` steps, beginning with this one.

    Rule ``"restored"``: while a window lasts nothing is added, and after it D is exactly what it was. Rule ``"as written"``
    is the document's: D is multiplied at *every* step with C below the threshold, also within a window, and what a window
    restores is the multiplied value, so that D never comes down again.

    **The temperature is not D**: the noise of a step is :math:`2 D\,dt` while the drift is :math:`\eta g`, so that slow descent
    samples :math:`e^{-V/T}` with :math:`T = D\,dt/(\eta(1 - \beta))` (`temperature`). With the document's defaults
    (``dt = 1``, ``learning_rate = .01``, ``D = .01``) it is 1, a hundred times D; ``dt = learning_rate`` makes it D.

    Parameters
    ----------
    theta : array_like, shape (d,) or (n, d)
        First parameters of one learner, or of n independent ones, each with its own noise and windows.
    learning_rate : float or Schedule
        ``eta``, positive; a schedule is called with the number of the step, `Cosine` for cosine annealing.
    D : float or Schedule
        Noise before any boost, positive.
    dt : float
        Time per step in the amplitude of the noise.
    momentum : float
        ``beta``, 0 <= beta < 1.
    boost : float
        Factor on D, at least 1; 1 leaves the noise alone. The document has 5, in its escape experiment 10.
    threshold : float
        Value of C below which the noise is raised.
    window : int
        Steps for which it stays raised.
    warm_up : int
        Number of the last step at which it is not yet raised.
    rule : {"restored", "as written"}
        See above.
    seed : int or numpy.random.SeedSequence
        Seed of the noise.

    Raises
    ------
    ValueError, TypeError
        For an argument that makes no sense; the message names it.

    Examples
    --------
    >>> import shld_sim as shld
    >>> V = shld.QuadraticForm([1.0, 2.0])
    >>> learner = shld.HarmonicLearner([1.0, 1.0], learning_rate=0.1, D=0.01, dt=0.1, boost=5.0)
    >>> record = learner.run(V.gradient, 200, loss=V)
    >>> record.theta.shape, float(learner.D) in (0.01, 0.05)
    ((200, 2), True)
    """

    def __init__(
        self,
        theta: ArrayLike,
        learning_rate: float | Schedule = 0.01,
        D: float | Schedule = 0.01,
        *,
        dt: float = 1.0,
        momentum: float = 0.0,
        boost: float = 1.0,
        threshold: float = 0.5,
        window: int = 10,
        warm_up: int = 50,
        rule: str = "restored",
        seed: int | np.random.SeedSequence = 0,
    ) -> None:
        start = _checks.finite_array("theta", theta)
        if start.ndim not in (1, 2) or start.size == 0:
            raise ValueError(f"theta must have shape (d,) or (n, d), got {start.shape}")
        self._theta = np.atleast_2d(start).copy()
        self._single = start.ndim == 1
        self.learning_rate = strength("learning_rate", learning_rate)
        self.base = strength("D", D)
        self.dt = _checks.positive("dt", dt)
        self.momentum = fraction("momentum", momentum)
        self.noise = NoiseRule(boost, threshold, window, warm_up, rule)
        self.n_steps = 0
        self._rng = np.random.default_rng(seed)
        self._velocity = np.zeros_like(self._theta)
        self._factor = np.ones(len(self._theta))
        self._left = np.zeros(len(self._theta), np.int64)  # steps until the window closes
        self._C = np.full(len(self._theta), np.nan)
        self._used = np.full(len(self._theta), np.nan)

    @property
    def theta(self) -> Array:
        """Parameters now, shape (d,) or (n, d)."""
        return (self._theta[0] if self._single else self._theta).copy()

    @property
    def D(self) -> Any:
        """Noise in force before the next step, boost included, a float or shape (n,)."""
        return self._outward(at_step(self.base, self.n_steps) * self._factor)

    @property
    def C(self) -> Any:
        """Consolidation ratio seen by the last step, a float or shape (n,); NaN before the first."""
        return self._outward(self._C)

    @property
    def temperature(self) -> Any:
        """``D dt/(eta (1 - beta))``: slow descent with this noise samples the Gibbs law of this temperature."""
        return self.D * self.dt / (at_step(self.learning_rate, self.n_steps) * (1.0 - self.momentum))

    def step(self, gradient: ArrayLike) -> Array:
        """Make one step with a gradient and return the new parameters.

        Parameters
        ----------
        gradient : array_like, shape (d,) or (n, d)
            Gradient of the loss at ``theta``, exact or noisy.

        Returns
        -------
        ndarray
            ``theta``, shape (d,) or (n, d).

        Raises
        ------
        ValueError
            If the gradient has another shape than ``theta`` or is not finite.
        FloatingPointError
            If the parameters leave the finite numbers.
        """
        g = _checks.finite_array("gradient", gradient)
        expected = self._theta.shape[1:] if self._single else self._theta.shape
        if g.shape != expected:
            raise ValueError(f"gradient must have the shape of theta, {expected}, got {g.shape}")
        self._advance(np.atleast_2d(g), slice(None))
        return self.theta

    def run(
        self,
        gradient: Callable[[Array], ArrayLike],
        n_steps: int,
        *,
        loss: Callable[[Array], ArrayLike] | None = None,
        stop: Callable[[Array], ArrayLike] | None = None,
        save_every: int = 1,
    ) -> LearningRecord:
        """Make many steps and return what was seen.

        Parameters
        ----------
        gradient : callable
            ``gradient(theta)`` for parameters of shape (d,), or (m, d) for the m learners that still run.
        n_steps : int
            Number of steps.
        loss : callable, optional
            ``loss(theta)``, called where a step is saved.
        stop : callable, optional
            ``stop(theta)`` is asked after each step; a learner for which it is true stays where it is.
        save_every : int
            Keep step 0 and every so many steps after it.

        Returns
        -------
        LearningRecord
            Parameters, C, D and loss before each saved step, and the end.

        Raises
        ------
        ValueError, TypeError
            For an argument or a gradient that makes no sense.
        FloatingPointError
            If parameters leave the finite numbers.
        """
        n_steps, save_every = _checks.integer("n_steps", n_steps), _checks.integer("save_every", save_every)
        stopped = np.full(len(self._theta), -1, np.int64)
        active = np.arange(len(self._theta))
        kept: list[tuple[Any, ...]] = []
        for k in range(n_steps):
            if len(active) == 0 and self._single:
                break
            before = self._theta.copy() if k % save_every == 0 else None
            if len(active):
                here = self._theta[0] if self._single else self._theta[active]
                g = _checks.finite_array("gradient(theta)", gradient(here))
                if g.shape != here.shape:
                    raise ValueError(f"gradient(theta) must have shape {here.shape}, got {g.shape}")
                self._advance(np.atleast_2d(g), active)
            else:
                self.n_steps += 1
            if before is not None:
                value = None if loss is None else np.asarray(loss(before[0] if self._single else before), np.float64)
                kept.append((k, before, self._C.copy(), self._used.copy(), value))
            if stop is not None and len(active):
                there = self._theta[0] if self._single else self._theta[active]
                done = np.broadcast_to(np.asarray(stop(there), bool), len(active))
                stopped[active[done]] = k + 1
                active = active[~done]
        steps, thetas, ratios, noises, losses = zip(*kept, strict=True)
        shown = [np.array(column)[:, 0] if self._single else np.array(column) for column in (thetas, ratios, noises)]
        return LearningRecord(
            steps=np.array(steps, np.int64),
            theta=shown[0],
            C=shown[1],
            D=shown[2],
            loss=None if loss is None else np.array(losses),
            final=self.theta,
            stopped=stopped[0] if self._single else stopped,
        )

    def _outward(self, values: Array) -> Any:
        return float(values[0]) if self._single else values.copy()

    def _advance(self, g: Array, rows: Any) -> None:
        """Make a step of the learners ``rows`` with their gradients, one a row of ``g``."""
        base, eta = at_step(self.base, self.n_steps), at_step(self.learning_rate, self.n_steps)
        factor, left = self._factor[rows], self._left[rows]
        C = consolidation_ratio(g, base * factor)
        factor, left = self.noise.raised(C, self.n_steps, factor, left)
        D = base * factor
        # numbers are drawn for all, whoever has stopped
        xi = self._rng.standard_normal(self._theta.shape)[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            v = kicked(self._velocity[rows], g, xi, eta, self.momentum, D, self.dt)
            theta = self._theta[rows] + v
        if not np.isfinite(theta).all():
            raise FloatingPointError(
                f"theta left the finite numbers at step {self.n_steps} with learning_rate={eta:.6g} and D up to "
                f"{float(D.max()):.6g}: learning_rate must be below 2/(largest curvature)"
                + ("; the rule 'as written' lets D grow without end" if self.noise.rule == "as written" else "")
            )
        factor, left = self.noise.closed(factor, left)
        self._theta[rows], self._velocity[rows] = theta, v
        self._factor[rows], self._left[rows] = factor, left
        self._C[rows], self._used[rows] = C, D
        self.n_steps += 1
