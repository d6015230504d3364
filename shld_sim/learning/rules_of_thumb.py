"""Rules of thumb of the document on learning dynamics: barriers, escape times, names for values of C, advice on the step."""

from __future__ import annotations

import math

from shld_sim import _checks


def barrier_estimate(loss: float, target: float) -> float:
    """Return ``max(target - loss, 0)``, the height that is to be climbed from ``loss`` to ``target``.

    Parameters
    ----------
    loss : float
        Loss now.
    target : float
        Loss at the barrier. The loss at another minimum, which the document takes as well, says nothing of what lies between.

    Returns
    -------
    float
        Height, not negative.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return max(_checks.number("target", target) - _checks.number("loss", loss), 0.0)


def escape_time(barrier: float, D: float, minimum: float, saddle: float) -> float:
    """Return ``2 pi/sqrt(a |b|) exp(dE/D)``, the mean time to pass a barrier, from curvatures alone.

    Eyring and Kramers in one dimension; steps are time over ``learning_rate``, and D is the temperature of the learner.
    `theory.eyring_kramers_rate` takes a model, in any dimension, and checks the points.

    Parameters
    ----------
    barrier : float
        Height ``dE``, not negative; the formula needs ``dE >> D``.
    D : float
        Temperature, positive.
    minimum, saddle : float
        Curvatures ``a > 0`` at the minimum and ``b < 0`` at the saddle.

    Returns
    -------
    float
        Time.

    Raises
    ------
    ValueError
        If an argument is out of range or the time too large for a float.
    """
    a, b = _checks.positive("minimum", minimum), _checks.number("saddle", saddle)
    if b >= 0.0:
        raise ValueError(f"saddle must be a negative curvature, got {saddle!r}")
    # 2 pi/sqrt(a |b|) exp(dE/D)
    return 2.0 * math.pi / math.sqrt(-a * b) * escape_time_as_stated(barrier, D)


def escape_time_as_stated(barrier: float, D: float) -> float:
    """Return ``exp(dE/D)``: the escape time as the document states it. **It is not a time**; see `escape_time`.

    Parameters
    ----------
    barrier : float
        Height ``dE``, not negative.
    D : float
        Noise, positive.

    Returns
    -------
    float
        ``exp(dE/D)``.

    Raises
    ------
    ValueError
        If an argument is out of range or the value too large for a float.
    """
    exponent = _checks.nonnegative("barrier", barrier) / _checks.positive("D", D)
    if exponent > 700.0:
        raise ValueError(f"barrier must be at most 700 D for its exponential to be representable, got {exponent:.6g} D")
    return math.exp(exponent)


def regime(C: float) -> str:
    """Return the document's name for a value of C: deterministic, transitional, critical or diffusive.

    Above 10, from 1 to 10, about 1, below 1. The document gives "about 1" no width; a tenth to either side is taken. The value
    of C depends on the unit of the loss, and so does the name.

    Parameters
    ----------
    C : float
        Consolidation ratio, not negative.

    Returns
    -------
    str
        The name.

    Raises
    ------
    ValueError
        If C is negative.
    """
    value = _checks.nonnegative("C", C)
    if abs(value - 1.0) <= 0.1:
        return "critical"
    return "diffusive" if value < 1.0 else "transitional" if value <= 10.0 else "deterministic"


def step_advice(C: float) -> float:
    """Return the factor by which the document would change the step: 1.5 below C = .5, .7 above 20, else 1.

    Parameters
    ----------
    C : float
        Consolidation ratio, not negative.

    Returns
    -------
    float
        Factor on the step.

    Raises
    ------
    ValueError
        If C is negative.
    """
    value = _checks.nonnegative("C", C)
    return 1.5 if value < 0.5 else 0.7 if value > 20.0 else 1.0
