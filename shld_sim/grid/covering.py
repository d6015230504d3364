"""The box of a model: where its Gibbs law lives, found from the potential, and a grid on it."""

from __future__ import annotations

import math

import numpy as np

from shld_sim import _checks
from shld_sim.grid.chain import Array
from shld_sim.grid.mesh import Grid
from shld_sim.models import Langevin, Model, require

FAR = 1e20  # largest distance scanned
OUTWARD = np.geomspace(1e-8, FAR, 1400)  # five per cent from one to the next
HEAVY = 10.0  # box over the interval that holds all but 1e-4 of the law, above which the cells are stretched


def covering(model: Model, n: int, tail: float = 1e-16) -> Grid:
    """Return a grid of ``n`` cells on the box outside of which the Gibbs probability ``exp(-V/D)/Z`` is below ``tail``.

    The ends are rounded outwards to two digits of the box. Where the law has heavy tails, so that the box is more than ten
    times as wide as what holds all but 1e-4 of it, the cells are `Stretched`: equal within the quartiles, and in proportion to
    the distance beyond. That is the whole line for all purposes: an end at 1e8 costs few cells.

    Parameters
    ----------
    model : Langevin
        One coordinate and a constant ``D``; the potential must confine.
    n : int
        Number of cells, at least 2.
    tail : float
        Probability outside, on both sides together.

    Returns
    -------
    Grid

    Raises
    ------
    TypeError
        If the model is not a `Langevin`.
    ValueError
        If the model has more coordinates or a schedule, or ``exp(-V/D)`` is not integrable, or so heavy that a probability of
        ``tail`` lies beyond a distance 1e20.

    Examples
    --------
    >>> from shld_sim.models import Langevin
    >>> from shld_sim.potentials import DoubleWell
    >>> covering(Langevin(DoubleWell(), D=0.1), 400)
    Grid(-2.2, 2.2, 400)
    """
    model = require(model, Langevin, dim=1)
    tail = _checks.probability("tail", tail)
    x, left, right = _tails(model)
    low, high = _crossing(x, left, 0.5 * tail), _crossing(-x[::-1], right[::-1], 0.5 * tail)
    low, high = _outwards(low, -high)
    inner = [_crossing(x, left, q) for q in (0.5e-4, 0.25, 0.5, 0.75, 1.0 - 0.5e-4)]
    if high - low <= HEAVY * (inner[4] - inner[0]):
        return Grid(low, high, n)
    width = 0.5 * (inner[3] - inner[1])
    return Grid.stretched(low, high, n, centre=width * round(inner[2] / width, 6) + 0.0, width=width)


def _tails(model: Langevin) -> tuple[Array, Array, Array]:
    """Return scanned points and the Gibbs probabilities to the left and to the right of them."""
    minima = np.atleast_1d(model.potential.minima())
    centres = minima if minima.size else np.zeros(1)
    for _ in range(20):  # towards a well that the library of minima does not know, forty times closer with every turn
        x, u = _scan(model, centres)
        lowest = x[np.argmin(u)]
        if lowest in centres:
            break
        centres = np.append(centres, lowest)
    for end, at in ((0, slice(1, 60)), (-1, slice(-60, -1))):
        # beyond the last point exp(-u) falls as a power a of the distance, or faster: a > 1, or there is no law
        finite = np.isfinite(u[end])
        rise = (u[end] - u[at].min()) / math.log(abs(x[end] / x[at][np.argmin(u[at])])) if finite else math.inf
        if not rise > 1.0:
            side = "low" if end == 0 else "high"
            raise ValueError(
                f"model must have a potential that confines: exp(-V/D) is not integrable at the {side} end, got {model!r}; "
                "pass a Grid"
            )
    weight = np.exp(-u)
    # the logarithm of the weight is linear between the points, but for rounding: the integral of the exponential
    drop = np.abs(np.diff(np.where(np.isinf(u), 1e300, u)))
    mean = np.maximum(weight[1:], weight[:-1]) * np.divide(
        -np.expm1(-drop), drop, out=np.ones_like(drop), where=drop > 0
    )
    mass = mean * np.diff(x)
    total = mass.sum()
    return x, np.append(0.0, np.cumsum(mass)) / total, np.append(np.cumsum(mass[::-1])[::-1], 0.0) / total


def _scan(model: Langevin, centres: Array) -> tuple[Array, Array]:
    """Return points at all distances from the centres, and ``V/D`` there above its minimum."""
    x = np.unique(np.concatenate([c + sign * OUTWARD for c in centres for sign in (-1.0, 1.0)] + [centres]))
    with np.errstate(over="ignore", invalid="ignore"):
        u = np.asarray(model.potential(x), dtype=np.float64) / float(model.D)  # type: ignore[arg-type]
    u = np.where(np.isnan(u), np.inf, u)
    return x, u - u.min()


def _crossing(x: Array, below: Array, level: float) -> float:
    """Return where the probability below ``x``, ascending, passes ``level``; logarithmic between the points."""
    i = int(np.searchsorted(below, level))
    if i < 2:
        raise ValueError(f"tail must be larger: a probability of {level!r} lies beyond a distance of {FAR:g}")
    if below[i - 1] == 0.0:
        return float(x[i - 1])
    share = math.log(level / below[i - 1]) / math.log(below[i] / below[i - 1])
    return float(x[i - 1] + share * (x[i] - x[i - 1]))


def _outwards(low: float, high: float) -> tuple[float, float]:
    """Return the ends rounded outwards to a tenth of the power of ten below their distance."""
    unit = 10.0 ** math.floor(math.log10(high - low) - 1.0)
    digits = max(0, -math.floor(math.log10(unit)))
    return round(math.floor(low / unit) * unit, digits), round(math.ceil(high / unit) * unit, digits)
