"""Sets that paths leave or enter: intervals, balls, half-spaces, boxes, and regions given by a function."""

from __future__ import annotations

import functools
import inspect
import math
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._compile import OPTIONS, fingerprint, plain, prepared, specialised
from shld_sim.potentials import base, evaluate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Wall:
    """What a kernel needs of the boundary of a set: functions phi > 0 where paths run, <= 0 where they have left.

    ``kind`` names the kernel's function, ``function`` is the user's own, ``params`` the numbers both need; ``count`` phis
    are made. ``distance`` tells that they are signed distances.
    """

    kind: str
    params: tuple[Any, ...]
    count: int
    distance: bool
    function: Callable[..., Any] | None = None


class Domain:
    """A set in ``dim`` dimensions: `Interval`, `Ball`, `HalfSpace`, `Box` or `Region`."""

    dim: int

    def distance(self, x: ArrayLike) -> Array:
        """Return the signed distance to the boundary, positive inside.

        Parameters
        ----------
        x : array_like
            Points, shape ``(...)`` for ``dim == 1``, else ``(..., dim)``.

        Returns
        -------
        ndarray
            Shape ``(...)``. For a `Region`, the value of its function.
        """
        points = _checks.points("x", x, self.dim)
        return self._distance(points[..., None] if self.dim == 1 else points)

    def contains(self, x: ArrayLike) -> NDArray[np.bool_]:
        """Return whether points, shape ``(...)`` for ``dim == 1``, else ``(..., dim)``, lie inside (not on the boundary)."""
        return self.distance(x) > 0.0

    def _distance(self, x: Array) -> Array:
        raise NotImplementedError

    def wall(self, entered: bool) -> Wall:
        """Return the boundary as a kernel meets it: of a set to leave, or of one to be ``entered``."""
        raise NotImplementedError

    def onto(self, x: Array, face: int) -> Array:
        """Return points near the boundary, shape ``(n, dim)``, moved onto its ``face`` (-1: the whole boundary)."""
        raise NotImplementedError


def _ends(low: Any, high: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        ends = [np.atleast_1d(np.asarray(end, dtype=np.float64)) for end in (low, high)]
    except (TypeError, ValueError):
        raise TypeError(f"low and high must be lists of numbers, got {low!r} and {high!r}") from None
    if ends[0].shape != ends[1].shape or ends[0].ndim != 1 or ends[0].size == 0:
        raise ValueError(f"low and high must have one number per coordinate each, got {low!r} and {high!r}")
    if not (ends[0] < ends[1]).all():  # also catches NaN
        raise ValueError(f"low must lie below high in every coordinate, got {low!r} and {high!r}")
    if np.isinf(ends).all():
        raise ValueError(f"low and high must have a finite end, got {low!r} and {high!r}")
    return tuple(ends[0].tolist()), tuple(ends[1].tolist())


def _point(name: str, value: Any) -> tuple[float, ...]:
    array = np.atleast_1d(_checks.finite_array(name, value))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be a list of numbers, one per coordinate, got {value!r}")
    return tuple(array.tolist())


@dataclass(frozen=True)
class Box(Domain):
    """Box :math:`l_i < x_i < h_i` along the axes, a strip or a quadrant when ends are infinite.

    Paths leave it by one of its faces: number ``2 i`` is the lower end of coordinate ``i``, ``2 i + 1`` the upper.

    Parameters
    ----------
    low, high : array_like of float
        Ends, one per coordinate; some may be infinite, not all.
    """

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __post_init__(self) -> None:
        low, high = _ends(self.low, self.high)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of coordinates."""
        return len(self.low)

    def _distance(self, x: Array) -> Array:
        # Outside, the distance to the nearest point of the box; inside, to the nearest face.
        beyond = np.maximum(np.subtract(self.low, x), np.subtract(x, self.high))
        outside = np.sqrt((np.maximum(beyond, 0.0) ** 2).sum(axis=-1))
        return np.where(outside > 0.0, -outside, -beyond.max(axis=-1))

    def wall(self, entered: bool) -> Wall:
        params = (np.array(self.low), np.array(self.high))
        return Wall("box_outside", params, 1, True) if entered else Wall("box", params, 2 * self.dim, True)

    def onto(self, x: Array, face: int) -> Array:
        low, high = np.array(self.low), np.array(self.high)
        out = np.clip(x, low, high)
        if face >= 0:
            out[:, face // 2] = (low, high)[face % 2][face // 2]
            return out
        rows = np.flatnonzero(((out > low) & (out < high)).all(axis=1))  # inside: to the nearest face
        gaps = np.concatenate([out[rows] - low, high - out[rows]], axis=1)
        nearest = np.argmin(gaps, axis=1)
        out[rows, nearest % self.dim] = np.concatenate([low, high])[nearest]
        return out


@dataclass(frozen=True)
class Interval(Domain):
    """Interval :math:`l < x < h`, which may also be written as the pair ``(l, h)``.

    Parameters
    ----------
    low, high : float
        Ends; one of them may be infinite.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        low, high = _checks.interval("interval", (self.low, self.high))
        if math.isinf(low) and math.isinf(high):
            raise ValueError(f"interval must have a finite end, got ({low!r}, {high!r})")
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of coordinates: 1."""
        return 1

    def _distance(self, x: Array) -> Array:
        return Box((self.low,), (self.high,))._distance(x)

    def wall(self, entered: bool) -> Wall:
        return Box((self.low,), (self.high,)).wall(entered)

    def onto(self, x: Array, face: int) -> Array:
        return Box((self.low,), (self.high,)).onto(x, face)


@dataclass(frozen=True)
class Ball(Domain):
    """Ball :math:`|x - c| < R`.

    Parameters
    ----------
    center : array_like of float
        ``c``, one number per coordinate.
    radius : float
        ``R``, positive.
    """

    center: tuple[float, ...]
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", _point("center", self.center))
        object.__setattr__(self, "radius", _checks.positive("radius", self.radius))

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of coordinates."""
        return len(self.center)

    def _distance(self, x: Array) -> Array:
        return self.radius - np.linalg.norm(x - np.array(self.center), axis=-1)

    def wall(self, entered: bool) -> Wall:
        return Wall("ball", (np.array(self.center), self.radius, -1.0 if entered else 1.0), 1, True)

    def onto(self, x: Array, face: int) -> Array:
        away = x - np.array(self.center)
        return np.array(self.center) + self.radius / np.linalg.norm(away, axis=-1, keepdims=True) * away


@dataclass(frozen=True)
class HalfSpace(Domain):
    r"""Half-space :math:`n\cdot x < b`.

    Parameters
    ----------
    normal : array_like of float
        ``n``, pointing out of the set; of any length but zero.
    offset : float
        ``b``.
    """

    normal: tuple[float, ...]
    offset: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "normal", _point("normal", self.normal))
        object.__setattr__(self, "offset", _checks.number("offset", self.offset))
        if not any(self.normal):
            raise ValueError(f"normal must not be zero, got {self.normal!r}")

    @property
    def dim(self) -> int:  # type: ignore[override]
        """Number of coordinates."""
        return len(self.normal)

    def _unit(self) -> tuple[Array, float]:
        length = math.hypot(*self.normal)
        return np.array(self.normal) / length, self.offset / length

    def _distance(self, x: Array) -> Array:
        normal, offset = self._unit()
        return offset - x @ normal

    def wall(self, entered: bool) -> Wall:
        normal, offset = self._unit()
        sign = -1.0 if entered else 1.0
        return Wall("half_space", (sign * normal, sign * offset), 1, True)

    def onto(self, x: Array, face: int) -> Array:
        return x + self._distance(x)[:, None] * self._unit()[0]


@dataclass(frozen=True, eq=False, repr=False)
class Region(Domain):
    """The points at which a function is positive.

    Parameters
    ----------
    inside : callable
        Scalar function that Numba can compile, positive inside: ``inside(x, p)`` in one dimension, ``inside(x, y, p)`` and
        ``inside(x, y, z, p)`` in two and three, ``inside(x, p)`` with a vector ``x`` above.
    params : tuple of float or array
        Passed to it as ``p``.
    dim : int
        Number of coordinates.
    distance_function : bool
        Whether ``inside`` is the signed distance to the boundary (near it at least), so that crossings between two steps
        can be taken into account.

    Raises
    ------
    ValueError
        If the function does not compile, takes the wrong number of arguments, or fails.

    Examples
    --------
    >>> import shld_sim as shld
    >>> ellipse = shld.Region(lambda x, y, p: 1.0 - (x / p[0])**2 - (y / p[1])**2, params=(2.0, 1.0), dim=2)
    >>> bool(ellipse.contains([1.5, 0.5]))
    True
    """

    inside: Callable[..., Any]
    params: tuple[Any, ...] = ()
    dim: int = 1
    distance_function: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "dim", _checks.integer("dim", self.dim))
        object.__setattr__(self, "params", base._parameters(self.params))
        function = plain(self.inside)
        if not isinstance(function, types.FunctionType):
            raise TypeError(f"inside must be a function made by def, lambda or numba.njit, got {function!r}")
        expected = [*"xyz"[: self.dim if self.dim <= 3 else 1], "p"]
        got = list(inspect.signature(function).parameters)
        if len(got) != len(expected):
            raise ValueError(
                f"inside must take ({', '.join(expected)}) for dim={self.dim}, got a function of ({', '.join(got)})"
            )
        self._distance(np.zeros((1, self.dim)))

    def _distance(self, x: Array) -> Array:
        flat = np.ascontiguousarray(x.reshape(-1, self.dim))
        out = np.full((len(flat), 1), np.nan)
        try:
            _rows(plain(self.inside), self.dim)(flat, self.params, out)
        except Exception as error:  # Numba lets errors of many types through, its own and Python's
            raise ValueError(f"inside does not compile or fails: {evaluate.cause(error)}") from error
        return out.reshape(x.shape[:-1])

    def wall(self, entered: bool) -> Wall:
        sign = -1.0 if entered else 1.0
        return Wall("region", (self.params, sign), 1, self.distance_function, plain(self.inside))

    def onto(self, x: Array, face: int) -> Array:
        x = x.copy()
        for _ in range(3):  # x - phi grad phi/|grad phi|^2
            phi, slope = self._distance(x), np.empty_like(x)
            for c in range(self.dim):
                h = 1e-6 * np.eye(self.dim)[c] * np.maximum(1.0, np.abs(x[:, c : c + 1]))
                slope[:, c] = (self._distance(x + h) - self._distance(x - h)) / (2.0 * h[:, c])
            x -= (phi / np.maximum((slope * slope).sum(axis=-1), 1e-300))[:, None] * slope
        return x

    def _identity(self) -> tuple[Any, ...]:
        params = tuple((p.shape, *p.ravel().tolist()) if isinstance(p, np.ndarray) else p for p in self.params)
        return self.dim, params, self.distance_function, fingerprint(self.inside)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __repr__(self) -> str:
        name = getattr(plain(self.inside), "__name__", "?")
        flag = ", distance_function=True" if self.distance_function else ""
        return f"Region(inside={name}, params={self.params!r}, dim={self.dim}{flag})"


@functools.lru_cache(maxsize=256)
def _rows(function: Callable[..., Any], dim: int) -> Any:
    """Return compiled ``rows(x, params, out)`` that applies ``function`` to each row of ``x``."""
    from numba.extending import register_jitable

    template = evaluate.ENERGY_ROWS[dim if dim <= 3 else "vector"]
    return specialised(template, OPTIONS, function=prepared(function, register_jitable))


def as_domain(name: str, value: Any, dim: int) -> Domain:
    """Return ``value``, a set or a pair (low, high), as a set of ``dim`` dimensions, or raise naming ``name``."""
    if not isinstance(value, Domain):
        if not (isinstance(value, Sequence | np.ndarray) and len(value) == 2 and all(map(np.isscalar, value))):
            raise TypeError(
                f"{name} must be a pair (low, high), an Interval, Ball, HalfSpace, Box or Region, got {value!r}"
            )
        low, high = _checks.interval(name, value)
        if math.isinf(low) and math.isinf(high):
            raise ValueError(f"{name} must have a finite end, got ({low!r}, {high!r})")
        value = Interval(low, high)
    if value.dim != dim:
        raise ValueError(f"{name} must have {dim} coordinate{'s' * (dim > 1)}, as the model, got {value!r}")
    return value
