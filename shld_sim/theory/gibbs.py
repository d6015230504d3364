"""The stationary (Gibbs) law exp(-V/D)/Z of overdamped Langevin dynamics: density, Z, distribution, averages."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.models import Langevin, require
from shld_sim.potentials import Potential
from shld_sim.theory._panels import Panels, cubature, integrate, resolve
from shld_sim.theory._strength import strength

Array = NDArray[np.float64]

_DROP = 100.0  # the law is cut where V stands this many D above its minimum: exp(-100) = 4e-44
_RTOL = {2: 1e-12, 3: 1e-9}  # of the cubature, by dimension
_FAR = 1e8  # largest distance scanned
_OUTWARD = np.geomspace(1e-6, _FAR, 1500)


def support(
    potential: Potential, D: float, level: float | None = None, end: str = "both"
) -> tuple[float, float, float]:
    """Return the smallest scanned interval outside which ``V > level``, and that level (100 D above the minimum).

    The scan goes outwards to a distance 1e8; ``end`` ("low", "high" or "both") is where V has to rise. Raises
    ValueError if V does not rise so far: then ``exp(-V/D)`` is not integrable (or has tails too heavy to be cut).
    """
    minima = potential.minima()
    centre = float(minima[np.argmin(potential(minima))]) if minima.size else 0.0
    x = np.concatenate([centre - _OUTWARD[::-1], [centre], centre + _OUTWARD, minima])
    with np.errstate(over="ignore", invalid="ignore"):
        v = np.asarray(potential(x), dtype=np.float64)
    x, v = x[np.argsort(x)], v[np.argsort(x)]
    top = float(np.nanmin(v)) + _DROP * D if level is None else level
    inside = np.flatnonzero(~(v > top))
    first, last = max(int(inside[0]) - 1, 0), min(int(inside[-1]) + 1, x.size - 1)
    open_low, open_high = inside[0] == 0 and end != "high", inside[-1] == x.size - 1 and end != "low"
    if not math.isfinite(top) or open_low or open_high:
        raise ValueError(f"potential must confine: exp(-V/D) is not integrable for {potential!r} at D={D!r}")
    return float(x[first]), float(x[last]), top


def breakpoints(potential: Potential, low: float, high: float) -> Array:
    """Return ``low``, ``high`` and the minima of a 1-D potential that lie between them, ascending."""
    minima = potential.minima()
    return np.unique(np.concatenate([[low, high], minima[(minima > low) & (minima < high)]]))


def _line(model: Langevin) -> tuple[Panels, Array, float, float]:
    """Return panels, ``exp(-(V - Vmin)/D)`` at their nodes, its integral and Vmin; one period if V is periodic."""
    potential, D = model.potential, strength(model)
    if potential.period is None:
        low, high, ceiling = support(potential, D)
    else:
        low, high, ceiling = -0.5 * potential.period, 0.5 * potential.period, math.inf
        ends = potential(np.array([low, high]))
        if abs(ends[1] - ends[0]) > 1e-9 * (1.0 + np.abs(ends).max()):
            raise ValueError(f"potential must not be tilted: {potential!r} has no Gibbs law")
    panels = resolve(potential, D, breakpoints(potential, low, high), ceiling)
    v = potential(panels.nodes)
    lowest = float(v.min())
    weight = np.exp(-(v - lowest) / D)
    return panels, weight, float(panels.integrals(weight).sum()), lowest


def quadratic_form(potential: Potential) -> tuple[Array, Array] | None:
    """Return ``(centre, H)`` if ``grad V = H (x - centre)`` at probe points, else None."""
    d = potential.dim
    hessian = np.asarray(potential.hessian(np.zeros(d)), dtype=np.float64)
    slope = np.asarray(potential.gradient(np.zeros(d)), dtype=np.float64)
    probes = 2.0 * np.cos(np.arange(1.0, 6.0)[:, None] * np.arange(1.0, d + 1.0) + 0.3)  # five generic points
    expected = probes @ hessian + slope
    if not np.allclose(potential.gradient(probes), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max()):
        return None
    if np.linalg.eigvalsh(hessian).min() <= 0.0:
        raise ValueError(f"potential must confine: the Hessian of {potential!r} is not positive definite")
    return np.asarray(-np.linalg.solve(hessian, slope), dtype=np.float64), hessian


def _box(potential: Potential, D: float) -> tuple[Array, Array, float]:
    """Return the corners of a box on whose faces V stands 100 D above its minimum, and that minimum (2-D, 3-D)."""
    d = potential.dim
    minima = potential.minima()
    seeds = np.concatenate([minima, np.zeros((1, d))]) if not len(minima) else minima
    low, high = seeds.min(axis=0) - 0.1, seeds.max(axis=0) + 0.1
    lowest = float(np.min(potential(seeds)))
    count = {2: 4001, 3: 161}[d]
    while True:
        grown = False
        for axis in range(d):
            others = [np.linspace(low[j], high[j], count) for j in range(d) if j != axis]
            plane = np.stack(np.meshgrid(*others, indexing="ij"), axis=-1)
            for end, sign in ((low, -1.0), (high, 1.0)):
                smallest = _lowest_on(potential, np.insert(plane, axis, end[axis], axis=-1), axis)
                lowest = min(lowest, smallest)
                if smallest < lowest + _DROP * D:
                    end[axis] += 0.15 * sign * (high[axis] - low[axis])
                    grown = True
        if not grown:
            return low, high, lowest
        if float(np.max(high - low)) > 1e4 or not math.isfinite(lowest):
            raise ValueError(f"potential must confine: exp(-V/D) is not integrable for {potential!r} at D={D!r}")


def _lowest_on(potential: Potential, face: Array, axis: int) -> float:
    """Return the minimum of V on a grid of a face, zooming in so that a narrow valley is not stepped over."""
    spacing = np.array([np.ptp(face[..., j]) / (face.shape[0] - 1) for j in range(face.shape[-1])])
    offsets = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 21)] * face.shape[-1], indexing="ij"), axis=-1)
    offsets = np.unique(np.where(np.arange(face.shape[-1]) == axis, 0.0, offsets).reshape(-1, face.shape[-1]), axis=0)
    v = potential(face)
    for _ in range(8):
        best = face.reshape(-1, face.shape[-1])[int(np.nanargmin(v))]
        face = best + spacing * offsets
        v, spacing = potential(face), spacing / 10.0
    return float(np.nanmin(v))


def _space(model: Langevin) -> tuple[Array, Array, float, float]:
    """Return the box, ``log int exp(-(V - Vmin)/D)`` and Vmin in two or three dimensions."""
    potential, D = model.potential, strength(model)
    low, high, lowest = _box(potential, D)
    total = cubature(lambda x: np.exp(-(potential(x) - lowest) / D), low, high, _RTOL[potential.dim])
    return low, high, math.log(total), lowest


def log_partition_function(model: Langevin) -> float:
    """Return ``log Z``, ``Z = int exp(-V(x)/D) dx`` over the line, the space, or one period.

    Safe where Z itself would overflow. 1-D: Gauss-Legendre panels, relative error of Z about 1e-14. 2-D and 3-D:
    adaptive cubature (about 1e-10 and 1e-8). Quadratic forms of any dimension: ``Z = (2 pi D)^(d/2) det(H)^(-1/2)
    exp(-V*/D)``.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D.

    Returns
    -------
    float
        Logarithm of the integral, in nats; Z has the unit length**d.

    Raises
    ------
    ValueError
        If ``exp(-V/D)`` is not integrable, the potential is tilted on a circle, or d > 3 and it is not quadratic.
    """
    require(model, Langevin)
    potential, D = model.potential, strength(model)
    if potential.dim == 1:
        _, _, total, lowest = _line(model)
        return math.log(total) - lowest / D
    quadratic = quadratic_form(potential)
    if quadratic is not None:
        centre, hessian = quadratic
        log_det = float(np.linalg.slogdet(hessian)[1])
        return 0.5 * potential.dim * math.log(2.0 * math.pi * D) - 0.5 * log_det - float(potential(centre)) / D
    _at_most_three(potential)
    _, _, log_total, lowest = _space(model)
    return log_total - lowest / D


def partition_function(model: Langevin) -> float:
    """Return ``Z = int exp(-V(x)/D) dx``; see `log_partition_function` for the method and its errors.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D.

    Returns
    -------
    float
        Z, in units of length**d.

    Raises
    ------
    ValueError
        As `log_partition_function`, or if Z exceeds the range of floating point.
    """
    log_z = log_partition_function(model)
    if log_z > 709.0:
        raise ValueError(f"D must be larger for Z to be representable (log Z = {log_z:.6g}), got {strength(model)!r}")
    return math.exp(log_z)


def gibbs_density(model: Langevin) -> Callable[[ArrayLike], Any]:
    """Return the stationary density ``p(x) = exp(-V(x)/D)/Z`` as a function of x.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D; on a circle the density is normalised over one period.

    Returns
    -------
    callable
        ``p(x)`` for ``x`` of shape ``(...)`` when d == 1, else ``(..., d)``; values per length**d.

    Raises
    ------
    ValueError
        As `log_partition_function`.

    References
    ----------
    Risken, The Fokker-Planck Equation, 2nd ed., Springer 1996, chapter 5.
    """
    log_z = log_partition_function(model)
    potential, D = model.potential, strength(model)

    def density(x: ArrayLike) -> Any:
        return np.exp(-np.asarray(potential(_checks.points("x", x, potential.dim))) / D - log_z)

    return density


def gibbs_expectation(model: Langevin, function: Callable[[Array], Any]) -> float:
    """Return ``E f(X) = int f(x) exp(-V(x)/D) dx / Z`` for d = 1, 2 or 3.

    1-D: adaptive to 1e-13 of ``E|f|`` (about 1e-11 where f jumps); 2-D, 3-D: about 1e-10, 1e-8 for smooth f.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D.
    function : callable
        ``f(x)`` on arrays: ``(...)`` to ``(...)`` when d == 1, else ``(..., d)`` to ``(...)``.

    Returns
    -------
    float
        The average, in the unit of f.

    Raises
    ------
    ValueError
        As `log_partition_function`; if d > 3; if f does not keep the shape of the points or is not finite.
    """
    require(model, Langevin)
    potential, D = model.potential, strength(model)

    def values(x: Array) -> Array:
        shape = x.shape if potential.dim == 1 else x.shape[:-1]
        f = np.asarray(function(x), dtype=np.float64)
        if f.shape not in (shape, ()):
            raise ValueError(f"function must return shape {shape} for points {x.shape}, got {f.shape}")
        if not np.all(np.isfinite(f)):
            raise ValueError("function must be finite on the support of the Gibbs law")
        return np.broadcast_to(f, shape)

    if potential.dim == 1:
        panels, _, total, lowest = _line(model)
        return integrate(lambda x: values(x) * np.exp(-(potential(x) - lowest) / D), panels.edges) / total
    _at_most_three(potential)
    low, high, log_total, lowest = _space(model)
    rtol = _RTOL[potential.dim]
    integral = cubature(lambda x: values(x) * np.exp(-(potential(x) - lowest) / D), low, high, rtol)
    return integral / math.exp(log_total)


def gibbs_cdf(model: Langevin) -> Callable[[ArrayLike], Any]:
    """Return the distribution function ``F(x) = int_{-inf}^x exp(-V/D)/Z`` of the 1-D Gibbs law.

    On a circle F counts from minus half a period and x must lie in that period. Absolute error below 1e-13.

    Parameters
    ----------
    model : Langevin
        One-dimensional overdamped dynamics with constant D.

    Returns
    -------
    callable
        ``F(x)`` for ``x`` of any shape, values in [0, 1]: fit for `scipy.stats.kstest`.

    Raises
    ------
    ValueError
        If d is not 1, or as `log_partition_function`.
    """
    require(model, Langevin, dim=1)
    panels, weight, total, _ = _line(model)
    start = np.concatenate([[0.0], np.cumsum(panels.integrals(weight))])

    def cdf(x: ArrayLike) -> Any:
        points = _checks.finite_array("x", x)
        if model.potential.period is not None and np.any(np.abs(points) > 0.5 * model.potential.period):
            raise ValueError(f"x must lie within half a period ({0.5 * model.potential.period!r}) of 0, got {x!r}")
        inside = np.clip(points, panels.edges[0], panels.edges[-1])
        return np.clip((start[panels.locate(inside)] + panels.left_part(weight, inside)) / total, 0.0, 1.0)

    return cdf


def _at_most_three(potential: Potential) -> None:
    if potential.dim > 3:
        raise ValueError(f"potential must be quadratic or have at most 3 dimensions, got {potential.dim}")
