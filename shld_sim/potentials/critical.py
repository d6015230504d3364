"""Find the critical points of a landscape: minima and index-one saddles, by search and Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks

if TYPE_CHECKING:
    from shld_sim.potentials.base import Potential

Array = NDArray[np.float64]


def as_box(box: Any, dim: int) -> tuple[tuple[float, float], ...]:
    """Return ``box`` as one ``(low, high)`` pair per coordinate; a single pair serves all coordinates."""
    if isinstance(box, str) or np.ndim(box) not in (1, 2):
        raise TypeError(f"box must be a pair (low, high), or one per coordinate, got {box!r}")
    pairs = [box] if np.ndim(box) == 1 else list(box)
    out = tuple(_checks.interval("box", pair) for pair in pairs)
    if len(out) == 1:
        out *= dim
    if len(out) != dim:
        raise ValueError(f"box must give one (low, high) pair or {dim} of them, got {len(out)}")
    if not np.isfinite(out).all():
        raise ValueError(f"box must be finite, got {out}")
    return out


def search(potential: Potential, box: tuple[tuple[float, float], ...]) -> tuple[Array, Array]:
    """Return ``(minima, saddles)`` in ``box``: sign changes of V' in one dimension, Newton from a lattice in two."""
    if potential.dim == 1:
        return _search_line(potential, *box[0])
    if potential.dim == 2:
        starts = np.stack(np.meshgrid(*(np.linspace(low, high, 25) for low, high in box)), axis=-1).reshape(-1, 2)
        return classify(potential, polish(potential, starts, box))
    raise ValueError(f"minima and saddles are searched for up to dim=2, got dim={potential.dim}: give them")


def _search_line(potential: Potential, low: float, high: float) -> tuple[Array, Array]:
    from scipy.optimize import brentq

    # An odd number of cells of irregular width: critical points at round numbers do not fall on a node.
    x = low + (high - low) * np.linspace(0.0, 1.0, 4098) ** 1.0001
    slope = potential.gradient(x)
    change = np.flatnonzero(np.sign(slope[:-1]) * np.sign(slope[1:]) < 0)
    change = np.union1d(change, np.flatnonzero(slope[:-1] == 0.0))
    roots = []
    for i in change:
        if slope[i] == 0.0:
            roots.append(x[i])
        else:
            roots.append(brentq(lambda z: float(potential.gradient(z)), x[i], x[i + 1], xtol=1e-15, rtol=1e-15))
    found = np.array(sorted(roots), dtype=np.float64)
    curvature = potential.hessian(found)
    return found[curvature > 0], found[curvature < 0]


def polish(potential: Potential, starts: Array, box: tuple[tuple[float, float], ...]) -> Array:
    """Return the distinct zeros of the gradient in ``box`` that Newton's method reaches from ``starts``."""
    x = np.array(starts, dtype=np.float64)
    low, high = np.array(box).T
    reach = 0.1 * (high - low)
    for _ in range(60):
        x = x[np.isfinite(x).all(axis=1)]
        gradient, hessian = potential.gradient(x), potential.hessian(x)
        regular = np.abs(np.linalg.det(hessian)) > 1e-12 * np.maximum(1.0, np.abs(hessian).max(axis=(1, 2)) ** 2)
        x, gradient, hessian = x[regular], gradient[regular], hessian[regular]
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        x = x - np.clip(step, -reach, reach)
        x = x[((x > low - 2 * reach) & (x < high + 2 * reach)).all(axis=1)]
    size = np.linalg.norm(potential.gradient(x), axis=1)
    scale = np.abs(potential.hessian(x)).max(axis=(1, 2), initial=0.0)
    x = x[(size <= 1e-9 * np.maximum(1.0, scale)) & (x >= low).all(axis=1) & (x <= high).all(axis=1)]
    distinct: list[Array] = []
    for point in x:
        if all(np.linalg.norm(point - other) > 1e-6 for other in distinct):
            distinct.append(point)
    return np.array(distinct, dtype=np.float64).reshape(-1, potential.dim)


def classify(potential: Potential, points: Array) -> tuple[Array, Array]:
    """Split critical ``points``, shape ``(m, d)``, into minima and index-one saddles, each in lexicographic order."""
    points = points[np.lexsort(points.T[::-1])]
    negative = (np.linalg.eigvalsh(potential.hessian(points)) < 0).sum(axis=1)
    return points[negative == 0], points[negative == 1]
