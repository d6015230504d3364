"""Which exit kernel moves a model, and what it is told of the equation, the walls and the starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim.domains import Wall
from shld_sim.models import Diffusion, Langevin, LevyFlight, Model, Underdamped
from shld_sim.simulate import arguments

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ExitPlan:
    """How a kernel makes the exits of a model: the compiled ``run`` and what it is told."""

    run: Callable[..., bool]
    params: tuple[Any, ...]
    alpha: float
    amplitude: float
    boundary: tuple[Any, ...]  # the arguments between ``params`` and ``keys``
    faces: int  # walls that are counted; 0 for the two ends of the one-dimensional kernel
    beginning: Array  # the starts as the kernel takes them
    width: int  # numbers that the kernel moves per path


def exit_plan(
    model: Model,
    scheme: str,
    dt: float,
    start: Array,
    p0: ArrayLike | None,
    walls: Sequence[Wall],
    bridged: Sequence[bool],
    interval: tuple[float, float] | None,
    words: NDArray[np.uint64] | None,
) -> ExitPlan:
    """Return the plan for paths that begin at ``start``, shape (n_paths, dim).

    ``interval`` is the domain where that is all there is. ``words`` are the generators of all paths at their start, for a
    model with momenta, which takes its first ones from them.
    """
    from shld_sim.engine import exits, exits_nd

    dim = model.dim
    amplitude = float(arguments.amplitude(model, 0.0))
    keyed = tuple((wall.kind, wall.function, wall.distance, wall.count) for wall in walls)
    nested: tuple[Any, ...] = ()
    for wall in reversed(walls):
        nested = (wall.params, nested)
    faces, skip = sum(wall.count for wall in walls), 0
    # the bridge needs 2/(s^2 dt), s^2 = 2 D or, where the noise depends on the place, found by the kernel
    inverse = 2.0 / dt if isinstance(model, Diffusion) else 1.0 / (model.D * dt) if any(bridged) else math.inf  # type: ignore[union-attr, operator]
    rates = [inverse if on else exits.NOT_BRIDGED for wall, on in zip(walls, bridged) for _ in range(wall.count)]
    run: Callable[..., bool]
    params: tuple[Any, ...]
    alpha, beginning = 2.0, start
    if isinstance(model, Diffusion):
        width = max(dim, model.noise_dim)
        beginning = np.hstack([start, np.zeros((len(start), width - dim))])
        fixed = (model.form, dim, model.noise_dim, scheme)
        run, params = exits_nd.diffusion_exits(model.drift, model.noise, *fixed, keyed), model.params
        amplitude = math.sqrt(dt)
    elif isinstance(model, Underdamped):
        functions, width = model.potential.functions, 3 * dim
        momenta = arguments.first_momenta(model, p0, len(start), words, False, after=exits.TAKEN)  # type: ignore[arg-type]
        assert momenta is not None
        skip = 0 if p0 is not None else dim + dim % 2
        beginning = np.hstack([start, momenta, np.zeros_like(start)])
        run = exits_nd.inertial_exits(functions.gradient, functions.vector, dim, keyed)
        params = arguments.baoab_params(model, dt)
        amplitude *= arguments.baoab_unit(model, dt)
    else:
        functions, width = model.potential.functions, dim
        kind, alpha, unit = arguments.noise_kind(model, dt)
        flow = functions.flow if scheme == "split" else None
        params, amplitude = model.potential.params, amplitude * unit
        if interval is not None:
            run = exits.exit_kernel(functions.gradient, flow, kind, scheme)
            boundary = interval, inverse if bridged[0] else exits.NOT_BRIDGED
            return ExitPlan(run, params, alpha, amplitude, boundary, 0, start[:, 0], width)
        run = exits_nd.exit_kernel(functions.gradient, flow, functions.vector, dim, kind, scheme, keyed)
    return ExitPlan(run, params, alpha, amplitude, (nested, np.array(rates), skip), faces, beginning, width)


def bridged(model: Model, scheme: str, bridge: bool | None, walls: Sequence[Wall]) -> list[bool]:
    """Return for each wall whether unseen crossings are taken into account."""
    possible = isinstance(model, Diffusion) or (isinstance(model, Langevin) and scheme == "euler")
    if bridge and isinstance(model, Underdamped):
        raise ValueError("bridge must be False with inertia: between two steps a path hardly strays, got True")
    if bridge and not possible:
        raise ValueError("bridge must be False unless the noise is Gaussian and the scheme 'euler', got True")
    if bridge and not all(wall.distance for wall in walls):
        raise ValueError("bridge must be False for a Region unless its function is a distance_function, got True")
    return [possible and bridge is not False and wall.distance for wall in walls]


def order_of_error(model: Model, bridged: Sequence[bool]) -> float:
    """Return the order of the time-step error of mean exit times."""
    if all(bridged) or isinstance(model, Underdamped):
        return 1.0
    return min(1.0, 1.0 / model.alpha) if isinstance(model, LevyFlight) else 0.5
