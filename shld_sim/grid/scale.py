"""General diffusions on the line: every one has a potential in which it is reversible."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from shld_sim.grid.coefficients import coefficients
from shld_sim.grid.generator import Landscape
from shld_sim.grid.mesh import Grid
from shld_sim.models import Diffusion, Preconditioned

Array = NDArray[np.float64]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
RELATIVE, ABSOLUTE = 1e-12, 1e-14  # tolerances of the integral over a panel; the exponent of a density has no unit
LEVELS = 60  # halvings of a panel: a jump of the drift needs 50, a pole any number
PANELS = 200_000  # at most, of one level


def landscape(model: Diffusion, grid: Grid) -> Landscape:
    r"""Return the potential and mobility of ``dX = b dt + B dW``: with ``a = |B|^2 / 2``,

    ``J = b p - (a p)' = -a exp(-Phi) d/dx (p exp(Phi))``, ``Phi = ln a - int b/a dx`` (Ito); the stationary density is
    ``exp(-Phi)``. In Stratonovich's sense the Ito drift is ``b + a'/2``, so that ``Phi = (ln a)/2 - int b/a dx``: no
    derivative of the noise is needed. With a metric, ``Phi = V/D`` and ``a = D M``.

    Raises
    ------
    ValueError
        If drift or noise is not finite, or the noise vanishes, inside the box; at its ends it may vanish.

    References
    ----------
    Karlin & Taylor, A Second Course in Stochastic Processes (1981), chapter 15 (scale and speed).
    """

    def strength(x: Array) -> Array:
        return coefficients(model, x[:, None])[1][:, 0, 0]

    _check(model, grid)
    if isinstance(model, Preconditioned):
        # a = D M, that is sqrt(2 D M)^2 / 2
        D = float(model.params[2])
        return Landscape(model.potential, D, lambda x: strength(x) / D)
    share = 1.0 if model.interpretation == "ito" else 0.5
    return Landscape(_Scale(model, share, grid.x), 1.0, strength, lambda x, end: _unreachable(model, x, end))


@dataclass(frozen=True, eq=False)
class _Scale:
    """``Phi`` on arrays of points, zero integral at the first of the ascending ``knots``."""

    model: Diffusion
    share: float
    knots: Array

    @cached_property
    def _sums(self) -> Array:
        return np.append(0.0, np.cumsum(integrals(self._ratio, self.knots[:-1], self.knots[1:])))

    def __call__(self, x: Array) -> Array:
        near = np.clip(np.searchsorted(self.knots, x, side="right") - 1, 0, self.knots.size - 1)
        drop = self._sums[near] + integrals(self._ratio, self.knots[near], x)
        a = coefficients(self.model, x[:, None])[1][:, 0, 0]
        with np.errstate(divide="ignore"):
            return np.asarray(self.share * np.log(a) - drop)

    def _ratio(self, x: Array) -> Array:
        b, A = coefficients(self.model, x[:, None])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(b[:, 0] / A[:, 0, 0])


def integrals(f: Callable[[Array], Array], low: Array, high: Array) -> Array:
    """Return ``int f dx`` from each ``low`` to its ``high`` (either order), by halving panels until halves agree.

    Raises
    ------
    ValueError
        If a panel does not converge: ``f`` has a pole in it.
    """
    total = np.zeros(low.shape)
    owner = np.flatnonzero(low != high)
    low, high = low[owner], high[owner]
    whole, size = _gauss(f, low, high)
    for _ in range(LEVELS):
        if not 0 < owner.size <= PANELS:
            break
        middle = 0.5 * (low + high)
        left, size_left = _gauss(f, low, middle)
        right, size_right = _gauss(f, middle, high)
        halves, size_halves = left + right, size_left + size_right
        good = np.abs(halves - whole) <= RELATIVE * size_halves + ABSOLUTE
        good &= np.abs(size_halves - size) <= 0.05 * size_halves + ABSOLUTE  # not so when two poles cancel
        np.add.at(total, owner[good], halves[good])
        bad = ~good
        owner = np.tile(owner[bad], 2)
        low, high = np.append(low[bad], middle[bad]), np.append(middle[bad], high[bad])
        whole, size = np.append(left[bad], right[bad]), np.append(size_left[bad], size_right[bad])
    if owner.size:
        raise ValueError(f"drift / noise^2 must have an integral in the box, got a pole near x = {float(low[0])!r}")
    return total


def _gauss(f: Callable[[Array], Array], low: Array, high: Array) -> tuple[Array, Array]:
    """Return the integrals of ``f`` and of ``|f|`` over the panels by Gauss and Legendre's rule."""
    half = 0.5 * (high - low)
    x = 0.5 * (low + high)[:, None] + half[:, None] * NODES
    values = f(x.ravel()).reshape(x.shape) * WEIGHTS
    return half * values.sum(axis=1), np.abs(half) * np.abs(values).sum(axis=1)


def _check(model: Diffusion, grid: Grid) -> None:
    """Raise unless drift and noise are finite and there is noise at the cell centres and the edges inside the box."""
    x = np.sort(np.concatenate([grid.x, grid.edges[1:-1]]))
    b, A = coefficients(model, x[:, None])
    for name, values in (("drift", b[:, 0]), ("noise", A[:, 0, 0])):
        bad = ~np.isfinite(values)
        if bad.any():
            raise ValueError(
                f"{name} must be finite in the box, got {float(values[bad][0])!r} at x = {float(x[bad][0])!r}"
            )
    still = A[:, 0, 0] <= 0.0
    if still.any():
        raise ValueError(
            f"noise must not vanish inside the box, got 0 at x = {float(x[still][0])!r}: let the box end there"
        )


def _unreachable(model: Diffusion, x: float, end: float) -> bool:
    """Return whether there is no noise at ``end``; raise unless paths that start at ``x`` then cannot reach it.

    They cannot when drift and noise vanish at least in proportion to the distance: its logarithm has bounded coefficients.
    """
    if coefficients(model, np.array([[end]]))[1][0, 0, 0] != 0.0:
        return False
    distance = abs(x - end) * np.array([1e-2, 1e-4, 1e-6])
    b, A = coefficients(model, (end + np.sign(x - end) * distance)[:, None])
    for slope in (np.abs(b[:, 0]) / distance, np.sqrt(A[:, 0, 0]) / distance):
        if not slope[2] <= 2.0 * slope[0]:
            raise ValueError(
                f"noise vanishes at x = {end!r}, where paths may arrive because drift or noise is not in proportion to the "
                "distance: let the box or the domain end a little inside"
            )
    return True
