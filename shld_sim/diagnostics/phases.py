"""Rules on p, C and the intelligence coefficient I as the document states them: phases, guide, early stop, step factor."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from shld_sim import _checks


class Phase(StrEnum):
    """Phase of learning by p and I. The bands of the document leave gaps: there it is ``NONE``."""

    EXPLORATION = "exploration"
    TRANSITION = "transition"
    GENERALISATION = "generalisation"
    DIVERGENCE = "divergence"
    NONE = "none"


@dataclass(frozen=True)
class Advice:
    """A row of the decision guide.

    Attributes
    ----------
    state : str
        What the document calls this band.
    action : str
        What it advises.
    low, high : float
        The band: ``low <= p < high``.
    factor : float
        Factor of the step by the document's rule for an adaptive step.
    """

    state: str
    action: str
    low: float
    high: float
    factor: float


GUIDE = (
    Advice("failing", "stop, change hyper-parameters", 0.0, 0.4, 0.1),
    Advice("sub-threshold", "lower the step, enlarge the batch", 0.4, 0.5, 0.5),
    Advice("critical", "watch closely", 0.5, 0.6, 1.0),
    Advice("learning", "continue", 0.6, 0.75, 1.5),
    Advice("strong", "raise the step or stop early", 0.75, 1.0, 2.0),
)


def advice(p: float) -> Advice:
    """Return the row of the decision guide for p, as the document states it: bands from .40, .50, .60 and .75.

    The document reads p without the step. 1/2 is the threshold of progress at ``eta lmax = 1`` only: for any other step
    read the guide at ``best_step_factor(p, eta, lmax)``.

    Parameters
    ----------
    p : float
        ``p = C/(1 + C)``, in [0, 1].

    Returns
    -------
    Advice
        A row of ``GUIDE``; a bound belongs to the band above it.

    Raises
    ------
    ValueError
        If p lies outside [0, 1].
    """
    value = _unit("p", p)
    return next(row for row in reversed(GUIDE) if value >= row.low)


def step_factor(p: float) -> float:
    """Return the factor of the step by p as the document states it: x.1 below .4, x.5 below .5, x1 below .6, x1.5 below .75, x2.

    **It does not do what it promises**: where ``eta lmax = 1``, the step at which "p > 1/2" is the threshold of progress,
    the factors 1.5 and 2 make the expected loss rise for p from .6 to .75 and from .75 up. See `best_step_factor`.

    Parameters
    ----------
    p : float
        ``p = C/(1 + C)``, in [0, 1].

    Returns
    -------
    float
        Factor of the step.

    Raises
    ------
    ValueError
        If p lies outside [0, 1].
    """
    return advice(p).factor


def best_step_factor(p: float, eta: float, lmax: float) -> float:
    """Return ``p/(eta lmax)``, the factor from the step ``eta`` to the best one, ``p/lmax``, where the curvature is ``lmax``.

    The expected loss falls iff it exceeds 1/2. Where curvatures differ, ``p/lmax`` is a safe step: the expected loss falls.

    Parameters
    ----------
    p : float
        ``p = C/(1 + C)`` of the gradient of the step, in [0, 1].
    eta : float
        Step, 1/curvature.
    lmax : float
        Curvature, the largest eigenvalue of the Hessian, positive.

    Returns
    -------
    float
        Factor of the step.

    Raises
    ------
    ValueError
        If p lies outside [0, 1] or ``eta`` or ``lmax`` is not positive.
    """
    return _unit("p", p) / (_checks.positive("eta", eta) * _checks.positive("lmax", lmax))


def intelligence(p: float, eta: float, lmax: float, d: float, alpha: float) -> float:
    """Return ``I = p S/d_H`` with the margin ``S = 2/eta - lmax`` and ``d_H = min(d, alpha)``.

    It has the unit of a curvature, so that bands such as .1 and .5 move when the loss is measured in another unit.

    Parameters
    ----------
    p : float
        ``p = C/(1 + C)``, in [0, 1].
    eta : float
        Step, 1/curvature.
    lmax : float
        Largest eigenvalue of the Hessian.
    d : float
        Dimension of the parameters.
    alpha : float
        Tail index of the gradient noise, which the document takes for the dimension of the trajectory.

    Returns
    -------
    float
        I, curvature.

    Raises
    ------
    ValueError
        If p lies outside [0, 1] or ``eta``, ``d`` or ``alpha`` is not positive.
    """
    return _unit("p", p) * (2.0 / _checks.positive("eta", eta) - _checks.number("lmax", lmax)) / _dimension(d, alpha)


def intelligence_as_stated(p: float, eta: float, lmax: float, d: float, alpha: float) -> float:
    """Return ``I = p S/d_H`` with ``S = 2 eta - lmax`` as the document types it.

    **It is wrong**: a step is an inverse curvature, so that the two terms of S have different units. See `intelligence`.

    Parameters
    ----------
    p : float
        ``p = C/(1 + C)``, in [0, 1].
    eta : float
        Step, 1/curvature.
    lmax : float
        Largest eigenvalue of the Hessian.
    d : float
        Dimension of the parameters.
    alpha : float
        Tail index of the gradient noise.

    Returns
    -------
    float
        I.

    Raises
    ------
    ValueError
        If p lies outside [0, 1] or ``eta``, ``d`` or ``alpha`` is not positive.
    """
    return _unit("p", p) * (2.0 * _checks.positive("eta", eta) - _checks.number("lmax", lmax)) / _dimension(d, alpha)


def phase(p: float, intelligence: float, about: float = 0.05) -> Phase:
    """Return the phase by the bands of the document.

    Divergence where I < 0; exploration where p < .5 and I < .1; transition where p is about .5 and .1 <= I < .5;
    generalisation where p > .5 and I > .5.

    Parameters
    ----------
    p : float
        ``p = C/(1 + C)``, in [0, 1].
    intelligence : float
        The coefficient I.
    about : float
        How far from .5 is "about .5"; the document does not say.

    Returns
    -------
    Phase
        ``NONE`` where no band applies.

    Raises
    ------
    ValueError
        If p lies outside [0, 1], I is not a number or ``about`` is negative.
    """
    p, I, about = _unit("p", p), _checks.number("intelligence", intelligence), _checks.nonnegative("about", about)
    if I < 0.0:
        return Phase.DIVERGENCE
    if p < 0.5 and I < 0.1:
        return Phase.EXPLORATION
    if abs(p - 0.5) <= about and 0.1 <= I < 0.5:
        return Phase.TRANSITION
    return Phase.GENERALISATION if p > 0.5 and I > 0.5 else Phase.NONE


class EarlyStop:
    """The document's rule for an early stop; it sees one measurement after the other.

    Reasons to stop: p below ``low`` for ``patience`` measurements in a row; C smaller than the time before for ``falling``
    measurements in a row; the interval of p entirely below 1/2; I < 0.

    Parameters
    ----------
    low : float
        Bound for p.
    patience : int
        Measurements in a row below it.
    falling : int
        Falls of C in a row.
    """

    def __init__(self, low: float = 0.45, patience: int = 10, falling: int = 20) -> None:
        self.low = _checks.probability("low", low)
        self.patience, self.falling = _checks.integer("patience", patience), _checks.integer("falling", falling)
        self._below = self._falls = 0
        self._last = math.nan

    def __repr__(self) -> str:
        return f"EarlyStop(low={self.low!r}, patience={self.patience!r}, falling={self.falling!r})"

    def update(
        self, p: float, *, p_interval: tuple[float, float] | None = None, intelligence: float | None = None
    ) -> tuple[str, ...]:
        """Take a measurement and return the reasons to stop, none when there are none.

        Parameters
        ----------
        p : float
            ``p = C/(1 + C)``, in [0, 1]. C rises and falls with it.
        p_interval : tuple of float, optional
            Confidence interval of p.
        intelligence : float, optional
            The coefficient I.

        Returns
        -------
        tuple of str
            Of ``"p low"``, ``"C falling"``, ``"interval below 1/2"`` and ``"I negative"``.
        """
        p = _unit("p", p)
        self._below = self._below + 1 if p < self.low else 0
        self._falls = self._falls + 1 if p < self._last else 0
        self._last = p
        found = {
            "p low": self._below >= self.patience,
            "C falling": self._falls >= self.falling,
            "interval below 1/2": p_interval is not None and p_interval[1] < 0.5,
            "I negative": intelligence is not None and intelligence < 0.0,
        }
        return tuple(reason for reason, holds in found.items() if holds)


def _unit(name: str, value: float) -> float:
    number = _checks.number(name, value)
    if not 0.0 <= number <= 1.0:
        raise ValueError(f"{name} must lie in [0, 1], got {number!r}")
    return number


def _dimension(d: float, alpha: float) -> float:
    return min(_checks.positive("d", d), _checks.positive("alpha", alpha))
