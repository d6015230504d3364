"""Points of a sweep: what is asked for, its canonical text, and the seed that follows from it."""

from __future__ import annotations

import functools
import hashlib
import inspect
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from shld_sim import _checks
from shld_sim._compile import plain
from shld_sim._seeds import child


def points_of(parameters: Any) -> tuple[list[dict[str, Any]], dict[str, list[Any]] | None]:
    """Return the points in order, and the axes of a grid."""
    if isinstance(parameters, Mapping):
        lists = {}
        for name, axis in parameters.items():
            listed = axis.ndim > 0 if isinstance(axis, np.ndarray) else isinstance(axis, Sequence)
            if not listed or isinstance(axis, (str, bytes)):
                raise TypeError(f"parameters[{name!r}] must be a list of values, got {axis!r}")
            lists[name] = axis.tolist() if isinstance(axis, np.ndarray) else list(axis)
        points = [dict(zip(lists, combination, strict=True)) for combination in itertools.product(*lists.values())]
        axes: dict[str, list[Any]] | None = lists
    elif isinstance(parameters, Sequence) and all(isinstance(point, Mapping) for point in parameters):
        axes, points = None, [dict(point) for point in parameters]
    else:
        raise TypeError(f"parameters must be a dict of lists or a list of dicts, got {parameters!r}")
    if not points or not any(points):
        raise ValueError(f"parameters must hold at least one point, got {parameters!r}")
    for point in points:
        for name in point:
            if not isinstance(name, str):
                raise TypeError(f"parameters must have names, got {name!r}")
    return points, axes


def canonical_key(point: Mapping[str, Any]) -> str:
    """Return a point as JSON, the same for equal numbers of any type and any order of names."""
    return json.dumps({name: _plain_value(name, point[name]) for name in sorted(point)}, separators=(",", ":"))


def _plain_value(name: str, value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain_value(name, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain_value(name, value[key]) for key in sorted(value)}
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    raise TypeError(
        f"{name} must be a number, a string, None, or a list or dict of these, got {value!r}: "
        "make other objects inside the function"
    )


def seed_sequence(seed: Any) -> np.random.SeedSequence:
    return (
        seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(_checks.integer("seed", seed, 0))
    )


def plain_entropy(seed: np.random.SeedSequence) -> Any:
    return [int(e) for e in seed.entropy] if isinstance(seed.entropy, Sequence) else int(seed.entropy)  # type: ignore[arg-type]


def point_seed(root: np.random.SeedSequence, key: str) -> np.random.SeedSequence:
    """Return the seed of the point with canonical ``key``: a child of ``root`` numbered by the key's digest."""
    words = np.frombuffer(hashlib.sha256(key.encode()).digest(), "<u4")
    return child(root, *map(int, words))


def takes_seed(function: Callable[..., Any], points: list[dict[str, Any]]) -> bool:
    """Check that the points fit the function; return whether it takes a seed that they do not give."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    given = ["seed" in point for point in points]
    if any(given) and not all(given):
        raise ValueError("parameters must give a seed at all points or at none")
    taken = signature.parameters.get("seed")
    seeded = taken is not None and taken.kind is not inspect.Parameter.POSITIONAL_ONLY and not given[0]
    for point in points:
        try:
            signature.bind(**point, **({"seed": None} if seeded else {}))
        except TypeError as error:
            raise TypeError(f"parameters must fit {name_of(function)}{signature}, got {point!r}: {error}") from None
    return seeded


def name_of(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, functools.partial) else plain(function)
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))
