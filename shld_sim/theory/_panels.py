"""Quadrature: Gauss-Legendre panels that resolve exp(+-V/D), adaptive integrals, and cubature on boxes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

Array = NDArray[np.float64]
Function = Callable[[Array], Array]

ORDER = 16  # nodes per panel
_SPREAD = 2.0  # largest change of V/D inside one panel
_MOST_PANELS = 200_000


class _Rule(NamedTuple):
    nodes: Array  # (n,) on [-1, 1]
    weights: Array  # (n,)
    to_legendre: Array  # (n, n): nodal values -> Legendre coefficients
    running: Array  # (n, n): nodal values -> integrals from -1 to each node


@lru_cache(maxsize=8)
def gauss_legendre(order: int = ORDER) -> _Rule:
    """Return nodes, weights and the integration matrix of the Gauss-Legendre rule on [-1, 1]."""
    nodes, weights = legendre.leggauss(order)
    degree = np.arange(order)
    to_legendre = (degree[:, None] + 0.5) * legendre.legvander(nodes, order - 1).T * weights
    return _Rule(nodes, weights, to_legendre, _antiderivatives(nodes, order) @ to_legendre)


def _antiderivatives(s: Array, order: int) -> Array:
    """Return ``int_{-1}^s P_k = (P_{k+1}(s) - P_{k-1}(s))/(2k + 1)`` for k < order, shape ``s.shape + (order,)``."""
    values = legendre.legvander(s, order)
    result = np.empty(np.shape(s) + (order,))
    result[..., 0] = 1.0 + s
    result[..., 1:] = (values[..., 2:] - values[..., :-2]) / (2.0 * np.arange(1, order) + 1.0)
    return result


class Panels:
    """Consecutive panels ``edges[i] .. edges[i+1]`` with Gauss nodes; ``nodes`` has shape ``(panels, ORDER)``."""

    def __init__(self, edges: Array) -> None:
        self.edges = edges
        self.half = 0.5 * np.diff(edges)
        self.nodes = 0.5 * (edges[1:] + edges[:-1])[:, None] + self.half[:, None] * gauss_legendre().nodes

    def integrals(self, values: Array) -> Array:
        """Integrate nodal ``values`` over each panel: shape ``(panels,)``."""
        return self.half * (values @ gauss_legendre().weights)

    def running(self, values: Array) -> Array:
        """Integrate nodal ``values`` from the left end of each panel to each node: shape ``(panels, ORDER)``."""
        return self.half[:, None] * (values @ gauss_legendre().running.T)

    def locate(self, x: Array) -> NDArray[np.intp]:
        """Return the index of the panel that holds each ``x``."""
        return np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, self.half.size - 1)

    def left_part(self, values: Array, x: Array) -> Array:
        """Integrate nodal ``values`` from the left end of the panel that holds ``x`` up to ``x``."""
        i = self.locate(x)
        s = (x - 0.5 * (self.edges[i] + self.edges[i + 1])) / self.half[i]
        coefficients = values @ gauss_legendre().to_legendre.T
        return self.half[i] * np.sum(_antiderivatives(np.clip(s, -1.0, 1.0), ORDER) * coefficients[i], axis=-1)


def resolve(energy: Function, D: float, breaks: Array, ceiling: float = np.inf) -> Panels:
    """Return panels between ``breaks`` on which ``exp(V/D)`` and ``exp(-V/D)`` are polynomials to rounding.

    A panel is halved while V/D changes by more than 2 in it or the last Legendre coefficients of ``exp(+-V/D)`` stand
    above rounding; panels on which V exceeds ``ceiling`` are left alone. Raises ValueError when V/D changes too much
    for this to be sensible.
    """
    rule = gauss_legendre()
    breaks = np.unique(breaks)
    edges = np.concatenate([np.linspace(a, b, 5)[:-1] for a, b in itertools.pairwise(breaks)] + [breaks[-1:]])
    floor = 1e-12 * (breaks[-1] - breaks[0])
    left, right = edges[:-1], edges[1:]
    kept = [breaks[-1:]]
    while left.size:
        middle, half = 0.5 * (left + right), 0.5 * (right - left)
        x = np.concatenate([left[:, None], middle[:, None] + half[:, None] * rule.nodes, right[:, None]], axis=1)
        v = energy(x) / D
        spread = np.ptp(v, axis=1)
        if not np.all(np.isfinite(spread)):
            raise ValueError(f"potential must be finite between {breaks[0]:g} and {breaks[-1]:g}")
        if left.size + sum(part.size for part in kept) > _MOST_PANELS:
            raise ValueError(
                f"D must not be so small that V/D varies by {np.ptp(v):.3g} or more "
                f"between {breaks[0]:g} and {breaks[-1]:g}, got {D!r}"
            )
        rough = spread > _SPREAD
        relative = np.where(rough[:, None], 0.0, v[:, 1:-1] - 0.5 * (v.max(axis=1) + v.min(axis=1))[:, None])
        noise = 1e-13 + 8.0 * np.finfo(float).eps * np.abs(v).max(axis=1)
        for sign in (1.0, -1.0):
            c = np.abs(np.exp(sign * relative) @ rule.to_legendre.T)
            rough |= c[:, -2:].max(axis=1) > noise * c[:, 0]
        rough &= (right - left > floor) & (v.min(axis=1) <= ceiling / D)
        kept.append(left[~rough])
        left, middle, right = left[rough], middle[rough], right[rough]
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    return Panels(np.sort(np.concatenate(kept)))


def integrate(function: Function, edges: Array, rtol: float = 1e-13, depth: int = 44) -> float:
    """Integrate ``function`` over the panels ``edges`` by adaptive halving, relative to the integral of its modulus."""
    rule = gauss_legendre()

    def panel_integrals(left: Array, right: Array) -> tuple[Array, Array]:
        half = 0.5 * (right - left)
        values = function(0.5 * (left + right)[:, None] + half[:, None] * rule.nodes)
        return half * (values @ rule.weights), half * (np.abs(values) @ rule.weights)

    left, right = edges[:-1], edges[1:]
    whole, size = panel_integrals(left, right)
    scale = float(size.sum())
    total = 0.0
    for level in range(depth):
        middle = 0.5 * (left + right)
        first, first_size = panel_integrals(left, middle)
        second, second_size = panel_integrals(middle, right)
        scale = max(scale, float(first_size.sum() + second_size.sum()))
        rough = np.abs(first + second - whole) > rtol * scale
        if level == depth - 1:
            rough[:] = False
        total += float((first + second)[~rough].sum())
        left, middle, right = left[rough], middle[rough], right[rough]
        whole = np.concatenate([first[rough], second[rough]])
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
        if not left.size:
            break
    return total


def cubature(function: Function, low: Array, high: Array, rtol: float) -> float:
    """Integrate ``function`` of points ``(..., d)`` over a box, d = 2 or 3, by tensor Gauss rules on an adaptive tree.

    A cell is split in ``2**d`` until the sum over its children moves by less than ``rtol`` of the whole; the children
    are what is summed, so the true error is far below ``rtol``.
    """
    d = low.size
    order, start = {2: (12, 8), 3: (8, 5)}[d]
    nodes, weights = legendre.leggauss(order)
    grid = np.stack(np.meshgrid(*[nodes] * d, indexing="ij"), axis=-1).reshape(-1, d)
    weight = np.prod(np.stack(np.meshgrid(*[weights] * d, indexing="ij"), axis=-1), axis=-1).ravel()
    corner = np.stack(np.meshgrid(*[(0.0, 1.0)] * d, indexing="ij"), axis=-1).reshape(-1, d)
    block = max(1, 500_000 // weight.size)

    def cell_integrals(origin: Array, width: Array) -> Array:
        parts = []
        for i in range(0, len(origin), block):
            o, w = origin[i : i + block, None, :], width[i : i + block, None, :]
            parts.append(np.prod(0.5 * w[:, 0], axis=-1) * (function(o + 0.5 * w * (1.0 + grid)) @ weight))
        return np.concatenate(parts)

    steps = np.stack(np.meshgrid(*[np.arange(start)] * d, indexing="ij"), axis=-1).reshape(-1, d)
    width = np.broadcast_to((high - low) / start, steps.shape)
    origin = low + steps * width
    whole = cell_integrals(origin, width)
    total, scale = 0.0, float(np.abs(whole).sum())
    for _ in range(30):
        child_width = np.repeat(0.5 * width, len(corner), axis=0)
        child_origin = np.repeat(origin, len(corner), axis=0) + np.tile(corner, (len(origin), 1)) * child_width
        child = cell_integrals(child_origin, child_width)
        sums = child.reshape(-1, len(corner)).sum(axis=1)
        scale = max(scale, float(np.abs(sums).sum()))
        rough = np.abs(sums - whole) > rtol * scale
        total += float(sums[~rough].sum())
        again = np.repeat(rough, len(corner))
        origin, width, whole = child_origin[again], child_width[again], child[again]
        if not len(origin):
            return total
        if len(origin) > 300_000:
            break
    raise ValueError("function must be smoother: the cubature did not converge on 300000 cells")
