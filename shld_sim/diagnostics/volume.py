"""Volume of a union of sets: exact for cells, boxes and balls in one and two dimensions, Monte Carlo with an error above."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from shld_sim import _checks

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Volume:
    """Volume of a union of sets.

    Attributes
    ----------
    value : float
        The volume, or its estimate without bias.
    stderr : float
        Standard error; 0 for an exact value.
    samples : int
        Points that were drawn; 0 for an exact value.
    """

    value: float
    stderr: float
    samples: int


def union_of_cells(inside: ArrayLike, volumes: ArrayLike = 1.0) -> Volume:
    """Return the volume of the union of sets that are made of cells of a grid, exactly.

    Parameters
    ----------
    inside : array_like of bool, shape (n, ...)
        Which cells belong to each of the n sets.
    volumes : array_like
        Volume of a cell: one number, or one per cell, shape ``(...)``.

    Returns
    -------
    Volume
        Exact.

    Raises
    ------
    ValueError
        If ``inside`` has no axis of the sets, or a volume is negative.
    """
    masks, size = np.asarray(inside, dtype=bool), _checks.finite_array("volumes", volumes)
    if masks.ndim < 1:
        raise ValueError("inside must have the sets on its first axis, got a number")
    if size.min(initial=0.0) < 0.0:
        raise ValueError(f"volumes must not be negative, got {float(size.min())!r}")
    covered = masks.any(axis=0)
    return Volume(float(np.where(covered, np.broadcast_to(size, covered.shape), 0.0).sum()), 0.0, 0)


def union_of_boxes(
    low: ArrayLike, high: ArrayLike, *, samples: int = 10_000, seed: int | np.random.SeedSequence = 0
) -> Volume:
    """Return the volume of the union of boxes with sides along the axes.

    Parameters
    ----------
    low, high : array_like, shape (n,) for intervals, else (n, d)
        Lower and upper ends, ``low <= high``.
    samples : int
        Points that are drawn for d > 2.
    seed : int or numpy.random.SeedSequence
        Seed, for d > 2.

    Returns
    -------
    Volume
        Exact for d = 1 (sorted ends) and d = 2 (the grid of all ends); above by Monte Carlo, with a relative standard error
        of at most ``sqrt((n - 1)/samples)`` (Karp and Luby).

    Raises
    ------
    ValueError
        If the shapes do not fit or an end is on the wrong side.

    References
    ----------
    R. M. Karp, M. Luby, N. Madras, "Monte-Carlo approximation algorithms for enumeration problems", J. Algorithms 10
    (1989) 429.
    """
    a, b = _checks.finite_array("low", low), _checks.finite_array("high", high)
    if a.shape != b.shape or a.ndim not in (1, 2) or a.size == 0:
        raise ValueError(f"low and high must have the same shape (n,) or (n, d), got {a.shape} and {b.shape}")
    if np.any(a > b):
        raise ValueError("low must not exceed high")
    a, b = a.reshape(len(a), -1), b.reshape(len(b), -1)
    if a.shape[1] > 2:

        def draw(rng: np.random.Generator, which: NDArray[np.intp]) -> Array:
            return a[which] + (b - a)[which] * rng.random((len(which), a.shape[1]))

        def holds(i: int, x: Array) -> NDArray[np.bool_]:
            return np.all((x >= a[i]) & (x <= b[i]), axis=1)

        return _karp_luby(np.prod(b - a, axis=1), draw, holds, _checks.integer("samples", samples, 2), seed)
    # Every side lies on a line of the grid of all ends: a cell is covered as a whole or not at all.
    ends = [np.unique(np.concatenate([a[:, k], b[:, k]])) for k in range(a.shape[1])]
    covered = np.zeros([max(len(e) - 1, 0) for e in ends], dtype=bool)
    for i in range(len(a)):
        covered[tuple(slice(*np.searchsorted(e, (a[i, k], b[i, k]))) for k, e in enumerate(ends))] = True
    size = np.diff(ends[0])
    if len(ends) == 2:
        size = size[:, None] * np.diff(ends[1])
    return Volume(float(size[covered].sum()), 0.0, 0)


def union_of_balls(
    centres: ArrayLike, radii: ArrayLike, *, samples: int = 10_000, seed: int | np.random.SeedSequence = 0
) -> Volume:
    """Return the volume of the union of balls.

    Parameters
    ----------
    centres : array_like, shape (n,) for intervals, else (n, d)
        Centres.
    radii : array_like
        Radii, one for all or shape (n,), not negative.
    samples : int
        Points that are drawn for d > 2.
    seed : int or numpy.random.SeedSequence
        Seed, for d > 2.

    Returns
    -------
    Volume
        Exact for d = 1 and for discs in the plane (Green's theorem along the arcs that no other disc covers); above by
        Monte Carlo as in `union_of_boxes`.

    Raises
    ------
    ValueError
        If the shapes do not fit or a radius is negative.
    """
    c = _checks.finite_array("centres", centres)
    if c.ndim not in (1, 2) or c.size == 0:
        raise ValueError(f"centres must have shape (n,) or (n, d), got {c.shape}")
    c = c.reshape(len(c), -1)
    try:
        r = np.broadcast_to(_checks.finite_array("radii", radii), (len(c),)).astype(np.float64)
    except ValueError:
        raise ValueError(f"radii must be one number or one for each of the {len(c)} balls, got {radii!r}") from None
    if r.min() < 0.0:
        raise ValueError(f"radii must not be negative, got {float(r.min())!r}")
    d = c.shape[1]
    if d == 1:
        return union_of_boxes(c[:, 0] - r, c[:, 0] + r)
    if d == 2:
        return Volume(_area_of_discs(c, r), 0.0, 0)

    def draw(rng: np.random.Generator, which: NDArray[np.intp]) -> Array:
        z = rng.standard_normal((len(which), d))
        length = rng.random(len(which)) ** (1.0 / d) / np.sqrt((z * z).sum(axis=1))
        return c[which] + (r[which] * length)[:, None] * z

    def holds(i: int, x: Array) -> NDArray[np.bool_]:
        return ((x - c[i]) ** 2).sum(axis=1) <= r[i] ** 2

    unit = math.exp(0.5 * d * math.log(math.pi) - float(gammaln(0.5 * d + 1.0)))
    return _karp_luby(unit * r**d, draw, holds, _checks.integer("samples", samples, 2), seed)


def _area_of_discs(c: Array, r: Array) -> float:
    """Return the area of a union of discs: half the integral of x dy - y dx along its boundary."""
    gap = np.sqrt(((c[:, None] - c[None]) ** 2).sum(axis=-1))
    n, area, full = len(c), 0.0, 2.0 * math.pi
    for i in range(n):
        # arcs of circle i inside the others; of equal discs the first counts
        inside = [j for j in range(n) if j != i and gap[i, j] <= r[j] - r[i]]
        if r[i] == 0.0 or any(r[j] > r[i] or gap[i, j] > 0.0 or j < i for j in inside):
            continue
        arcs: list[tuple[float, float]] = []
        for j in range(n):
            if j == i or gap[i, j] == 0.0 or not abs(r[i] - r[j]) < gap[i, j] < r[i] + r[j]:
                continue
            middle = math.atan2(c[j, 1] - c[i, 1], c[j, 0] - c[i, 0])
            cosine = (r[i] ** 2 + gap[i, j] ** 2 - r[j] ** 2) / (2.0 * r[i] * gap[i, j])
            half = math.acos(min(max(cosine, -1.0), 1.0))
            start = (middle - half) % full
            arcs += [(start, start + 2.0 * half)] if start + 2.0 * half <= full else [(start, full)]
            if start + 2.0 * half > full:
                arcs.append((0.0, start + 2.0 * half - full))
        at = 0.0
        for low, high in [*sorted(arcs), (full, full)]:
            if low > at:
                # r^2 (b - a) + r (c_x (sin b - sin a) - c_y (cos b - cos a))
                turn = c[i, 0] * (math.sin(low) - math.sin(at)) - c[i, 1] * (math.cos(low) - math.cos(at))
                area += 0.5 * float(r[i] ** 2 * (low - at) + r[i] * turn)
            at = max(at, high)
    return area


def _karp_luby(
    sizes: Array,
    draw: Callable[[np.random.Generator, NDArray[np.intp]], Array],
    holds: Callable[[int, Array], NDArray[np.bool_]],
    samples: int,
    seed: int | np.random.SeedSequence,
) -> Volume:
    """Return the volume of a union: sum of the volumes times the mean of 1/(number of sets that hold a point).

    The point is uniform in a set that is chosen with a probability proportional to its volume.
    """
    total = float(sizes.sum())
    if total == 0.0:
        return Volume(0.0, 0.0, 0)
    rng = np.random.default_rng(seed)
    which = rng.choice(len(sizes), size=samples, p=sizes / total)
    x = draw(rng, which)
    times = np.zeros(samples)
    for i in range(len(sizes)):
        times += holds(i, x) | (which == i)  # rounding may put a point just outside its own set
    weight = total / times
    return Volume(float(weight.mean()), float(weight.std(ddof=1)) / math.sqrt(samples), samples)
