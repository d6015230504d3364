"""Whether the functions of a user's potential take and return what they should, and whether the gradient is the gradient."""

from __future__ import annotations

import inspect
import numbers
import types
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

if TYPE_CHECKING:
    from shld_sim.potentials.base import Potential

Array = NDArray[np.float64]


def extrapolated(slope: Callable[[Array], Array], step: Array) -> Array:
    """Return ``(4 slope(h/2) - slope(h))/3``: the second-order error of a central difference cancels."""
    return (4.0 * slope(step / 2) - slope(step)) / 3.0


def check_arguments(potential: Potential) -> None:
    """Raise unless the two functions take as many arguments as ``dim`` asks for."""
    dim = potential.dim
    names = "xyz"[:dim] if dim <= 3 else "x"
    for which, expected in (
        ("energy", [*names, "p"]),
        ("gradient", [*names, "p"] if dim <= 3 else ["x", "out", "p"]),
    ):
        function = getattr(potential.functions, which)
        if not isinstance(function, types.FunctionType):
            raise TypeError(f"{which} must be a function made by def, lambda or numba.njit, got {function!r}")
        got = list(inspect.signature(function).parameters)
        if len(got) != len(expected):
            raise ValueError(
                f"{which} must take ({', '.join(expected)}) for dim={dim}, got a function of ({', '.join(got)})"
            )


def check_gradient(potential: Potential, check_at: ArrayLike | None) -> None:
    """Compare ``gradient`` with finite differences of ``energy``; raise where they disagree."""
    dim = potential.dim
    if check_at is None:
        points = np.random.default_rng(20).uniform(-2.0, 2.0, (24, dim))
    else:
        points = _checks.points("check_at", check_at, dim).reshape(-1, dim)
    object.__setattr__(potential, "_check_points", points if dim > 1 else points[:, 0])
    if not potential.functions.vector:
        _check_returns(potential, points[0])
    x = points if dim > 1 else points[:, 0]
    energy, gradient = potential(x), potential.gradient(x).reshape(-1, dim)
    for which, values in (("energy", energy), ("gradient", gradient)):
        bad = ~np.isfinite(values.reshape(len(points), -1)).all(axis=1)
        if bad.any():
            at = points[bad][0].tolist() if dim > 1 else float(points[bad][0, 0])
            raise ValueError(
                f"{which} must be finite, got {values[bad][0]} at x={at}; "
                "pass check_at= with points where the potential is defined"
            )
    step = 1e-3 * np.maximum(1.0, np.abs(points))
    coordinates = range(dim) if dim <= 16 else np.linspace(0, dim - 1, 16).astype(int)
    for i in coordinates:

        def slope(h: Array, i: int = int(i)) -> Array:
            ahead, behind = points.copy(), points.copy()
            ahead[:, i] += h
            behind[:, i] -= h
            both = [potential(z if dim > 1 else z[:, 0]) for z in (ahead, behind)]
            return (both[0] - both[1]) / (2 * h)

        expected = extrapolated(slope, step[:, i])
        # Differencing V loses eps |V| / h; beyond that the two must agree to 1e-5 of the size of the gradient.
        allowed = 1e-5 * (1e-3 + np.abs(expected) + np.abs(gradient).max(axis=1)) + 1e-11 * np.abs(energy)
        wrong = ~(np.abs(gradient[:, i] - expected) <= allowed)
        if wrong.any():
            k = int(np.argmax(wrong))
            at = points[k].tolist() if dim > 1 else float(points[k, 0])
            which = f"gradient[{int(i)}]" if dim > 1 else "gradient"
            raise ValueError(
                f"{which} disagrees with finite differences of energy at x={at}: "
                f"got {gradient[k, i]:.8g}, expected {expected[k]:.8g}"
            )


def _check_returns(potential: Potential, point: Array) -> None:
    """Raise unless ``energy`` returns one number and ``gradient`` returns ``dim`` of them."""
    at = float(point[0]) if potential.dim == 1 else point.tolist()
    for which, count in (("energy", 1), ("gradient", potential.dim)):
        try:
            with np.errstate(all="ignore"):  # a bad value is reported by itself
                value = getattr(potential.functions, which)(*map(float, point), potential.params)
        except Exception as error:  # the user's own function failed: say where, keep its message
            hint = ""
            if isinstance(error, ArithmeticError | ValueError):
                hint = "; pass check_at= with points where the potential is defined"
            raise ValueError(f"{which} failed at x={at}: {type(error).__name__}: {error}{hint}") from error
        values = value if isinstance(value, tuple) and count > 1 else (value,)
        if len(values) != count or not all(isinstance(v, numbers.Real) for v in values):
            expected = "a number" if count == 1 else f"a tuple of {count} numbers"
            raise ValueError(f"{which} must return {expected} for dim={potential.dim}, got {value!r}")
