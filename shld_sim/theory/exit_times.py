"""Exact exit times and exit probabilities of one-dimensional Langevin dynamics, by quadrature."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.models import Langevin, require
from shld_sim.potentials import Potential
from shld_sim.theory._panels import Function, Panels, resolve
from shld_sim.theory._strength import strength
from shld_sim.theory.gibbs import breakpoints, support

Array = NDArray[np.float64]

_START = 60.0  # a reflecting end at infinity is replaced by the point 60 D above the start: relative error exp(-60)
_WALL = 80.0  # a finite end is moved inwards to where V stands 80 D above every way to the other end


def mean_exit_time(model: Langevin, x0: ArrayLike, domain: tuple[float, float]) -> Any:
    """Return the mean time ``E tau`` to leave ``domain = (a, b)`` from ``x0``, exactly, in one dimension.

    ``a = -inf``:  ``T(x) = (1/D) int_x^b dy e^{V(y)/D} int_{-inf}^y dz e^{-V(z)/D}`` (mirrored for ``b = inf``).
    Both ends finite: ``T(x) = (1/D) int_a^b G(x, z) e^{-V(z)/D} dz`` with ``G = S(x ^ z)(S(b) - S(x v z))/S(b)``,
    ``S(x) = int_a^x e^{V/D}``.

    The inner integrals are carried from panel to panel as ``J(y) = e^{V(y)/D} int^y e^{-V/D}``: only positive terms
    are added and no exponential of V/D itself is formed, so barriers of hundreds of D are safe. Relative error
    about 1e-13, plus rounding of V times ``max|V|/D``.

    Parameters
    ----------
    model : Langevin
        One-dimensional overdamped dynamics with constant D.
    x0 : array_like, shape (...)
        Starting points inside the domain (on its ends the time is 0).
    domain : tuple of float
        ``(a, b)``; one end may be infinite, where the potential must confine.

    Returns
    -------
    float or ndarray, shape (...)
        Mean exit times, in the time unit of the model.

    Raises
    ------
    ValueError
        If the domain does not contain ``x0``, both its ends are infinite, V does not confine at an infinite end, or
        the time exceeds the range of floating point.

    References
    ----------
    Gardiner, Stochastic Methods, 4th ed., Springer 2009, section 5.5. Kramers, Physica 7 (1940) 284.
    """
    require(model, Langevin, dim=1)
    low, high = _checks.interval("domain", domain)
    x = _inside(x0, low, high)
    potential, D = model.potential, strength(model)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isinf(low) and np.isinf(high):
            raise ValueError(f"domain must have a finite end, got ({low!r}, {high!r})")
        if np.isinf(low) or np.isinf(high):
            sign = 1.0 if np.isinf(low) else -1.0
            level = float(np.max(potential(x.ravel()))) + _START * D
            reach = support(potential, D, level, "low" if sign > 0.0 else "high")
            start = reach[0] if sign > 0.0 else -reach[1]
            end = sign * (high if sign > 0.0 else low)
            breaks = breakpoints(potential, *sorted((sign * start, sign * end)))
            panels = resolve(lambda y: potential(sign * y), D, np.sort(sign * breaks))
            times = _one_sided(lambda y: potential(sign * y), D, panels, sign * x)
        else:
            near = _without_walls(potential, D, x, low, high)
            panels = resolve(potential, D, breakpoints(potential, *near))
            times = _two_sided(potential, D, panels, x)
    if not np.all(np.isfinite(times)):
        raise ValueError(f"D must be larger: the mean exit time from ({low!r}, {high!r}) overflows, got {D!r}")
    return float(times) if np.ndim(times) == 0 else times


def exit_probability(model: Langevin, x0: ArrayLike, domain: tuple[float, float]) -> Any:
    """Return ``P(leave (a, b) through b) = int_a^x e^{V/D} / int_a^b e^{V/D}`` from ``x0`` (the 1-D committor).

    Parameters
    ----------
    model : Langevin
        One-dimensional overdamped dynamics with constant D.
    x0 : array_like, shape (...)
        Starting points inside the domain.
    domain : tuple of float
        ``(a, b)``, both finite.

    Returns
    -------
    float or ndarray, shape (...)
        Probabilities in [0, 1]; relative error about 1e-13 also where they are tiny.

    Raises
    ------
    ValueError
        If the domain is not finite or does not contain ``x0``.

    References
    ----------
    Gardiner, Stochastic Methods, 4th ed., Springer 2009, section 5.5.
    """
    require(model, Langevin, dim=1)
    low, high = _checks.interval("domain", domain)
    if np.isinf(low) or np.isinf(high):
        raise ValueError(f"domain must have finite ends, got ({low!r}, {high!r})")
    x = _inside(x0, low, high)
    potential, D = model.potential, strength(model)
    up, _ = _committors(potential, D, resolve(potential, D, breakpoints(potential, low, high)), x)
    return float(up) if np.ndim(up) == 0 else up


def _inside(x0: ArrayLike, low: float, high: float) -> Array:
    x = _checks.finite_array("x0", x0)
    bad = (x < low) | (x > high)
    if np.any(bad):
        raise ValueError(f"domain must contain x0={float(x[bad][0])!r}, got ({low!r}, {high!r})")
    return x


def _without_walls(potential: Potential, D: float, x: Array, low: float, high: float) -> tuple[float, float]:
    """Return the domain without outer walls so high that a path leaves through them with probability exp(-80)."""
    if not x.size:
        return low, high
    z = np.union1d(np.linspace(low, high, 4001), x.ravel())
    v = potential(z) / D
    first, last = np.searchsorted(z, (x.min(), x.max()))
    below = np.flatnonzero(v <= v[first:].max() + _WALL)
    above = np.flatnonzero(v <= v[: last + 1].max() + _WALL)
    return float(z[max(below[0] - 1, 0)]), float(z[min(above[-1] + 1, z.size - 1)])


def _carried(energy: Function, D: float, panels: Panels, sign: float) -> Array:
    """Return ``J(y) = e^{sV(y)/D} int_left^y e^{-sV(z)/D} dz`` at the nodes, s = sign, from the left-most edge on."""
    v = sign * energy(panels.nodes) / D
    edge = sign * energy(panels.edges) / D
    left = edge[:-1, None]
    local = np.exp(v - left) * panels.running(np.exp(left - v))
    ends = panels.integrals(np.exp(edge[1:, None] - v))  # J at the right edge, from this panel alone
    growth = np.exp(np.diff(edge))
    carried = np.zeros(panels.half.size)
    j = 0.0
    for i in range(carried.size):  # J(right) = e^{V(right) - V(left)} J(left) + this panel
        carried[i] = j
        j = growth[i] * j + ends[i]
    return np.exp(v - left) * carried[:, None] + local


def _one_sided(energy: Function, D: float, panels: Panels, x: Array) -> Array:
    """Mean time from x up to the last edge, reflecting far to the left."""
    inner = _carried(energy, D, panels, 1.0)
    pieces = panels.integrals(inner)
    after = np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])
    return np.asarray(np.maximum(after[panels.locate(x)] - panels.left_part(inner, x), 0.0) / D)


def _committors(energy: Function, D: float, panels: Panels, x: Array) -> tuple[Array, Array]:
    """Return the probabilities to leave through the last and through the first edge."""
    v = energy(panels.nodes)
    scale = np.exp((v - v.max()) / D)
    pieces = panels.integrals(scale)
    before = np.concatenate([[0.0], np.cumsum(pieces)])
    after = np.concatenate([np.cumsum(pieces[::-1])[::-1], [0.0]])
    i, part = panels.locate(x), panels.left_part(scale, x)
    up = np.clip((before[i] + part) / before[-1], 0.0, 1.0)
    down = np.clip((after[i + 1] + (pieces[i] - part)) / before[-1], 0.0, 1.0)
    return up, down


def _two_sided(energy: Function, D: float, panels: Panels, x: Array) -> Array:
    """Mean time from x to either end: each half of the Green's function is a carried integral times a committor."""
    up, down = _committors(energy, D, panels, x)
    mirrored = Panels(-panels.edges[::-1])
    from_left = _carried(energy, D, panels, -1.0)  # e^{-V(z)/D} S(z)
    from_right = _carried(lambda y: energy(-y), D, mirrored, -1.0)  # e^{-V(z)/D} (S(b) - S(z)) at -z
    left = _up_to(panels, from_left, x)
    right = _up_to(mirrored, from_right, -x)
    return np.asarray((down * left + up * right) / D)


def _up_to(panels: Panels, values: Array, x: Array) -> Array:
    """Integrate nodal ``values`` from the first edge to x."""
    before = np.concatenate([[0.0], np.cumsum(panels.integrals(values))])
    return np.asarray(before[panels.locate(x)] + panels.left_part(values, x))
