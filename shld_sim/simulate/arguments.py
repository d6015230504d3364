"""What the simulators ask of their arguments, and what a model and a step mean for the kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks, _work
from shld_sim.models import Diffusion, Langevin, LevyFlight, Model, Underdamped, noise_strength
from shld_sim.potentials.evaluate import cause, compiled_rows
from shld_sim.schedules import Schedule

Array = NDArray[np.float64]
SCHEMES: tuple[str, ...] = ("euler", "split")


OVERDAMPED = (Langevin, LevyFlight)
MODELS = (*OVERDAMPED, Underdamped, Diffusion)


def check_model(model: object, kinds: tuple[type, ...] = OVERDAMPED) -> None:
    if not isinstance(model, kinds):
        *names, last = (f"a{'n' * (k.__name__[0] in 'AEIOU')} {k.__name__}" for k in kinds)
        raise TypeError(f"model must be {', '.join(names)} or {last}, got {model!r}")


def scheme_of(model: Model, scheme: str | None) -> str:
    default, allowed = "euler", SCHEMES
    if isinstance(model, LevyFlight):
        default = "split"
    elif isinstance(model, Underdamped):
        default, allowed = "baoab", ("baoab",)
    elif isinstance(model, Diffusion):
        ito = model.interpretation == "ito"
        default, other = ("euler", "heun") if ito else ("heun", "euler")
        if scheme == other:
            kinds = ("Stratonovich", "an Ito equation", "to_stratonovich()")
            kinds = kinds if ito else ("Ito", "a Stratonovich equation", "to_ito()")
            raise ValueError(
                f"scheme must be {default!r} for {kinds[1]}, got {other!r}, which solves {kinds[0]} equations: "
                f"simulate model.{kinds[2]} with it"
            )
        allowed = (default,)
    return default if scheme is None else _checks.one_of("scheme", scheme, allowed)


def seed_of(seed: int | np.random.SeedSequence) -> int | np.random.SeedSequence:
    if isinstance(seed, np.random.SeedSequence):
        return seed
    return _checks.integer("seed", seed, 0)


BOUNDARIES = ("reflecting", "periodic", "absorbing")
Box = tuple[tuple[float, float], ...] | None


@dataclass(frozen=True)
class Plan:
    """How a kernel makes the steps of a model: the compiled ``run`` and what it is told."""

    run: Callable[..., None]
    params: tuple[Any, ...]
    alpha: float
    unit: float  # size of a standard increment of the noise over dt
    lanes: int  # paths of a block
    state_dim: int  # numbers that the kernel moves per path: the coordinates, then the momenta if there are any


def ensemble_plan(model: Model, scheme: str, dt: float, given: bool, boundary: str = "", box: Box = None) -> Plan:
    """Return the plan of an ensemble; with ``given`` increments the noise is copied, not drawn."""
    from shld_sim.engine import ensemble

    if isinstance(model, Diffusion):
        from shld_sim.engine import diffusion

        fixed = (model.form, model.dim, model.noise_dim, scheme, given, boundary)
        run = diffusion.diffusion_kernel(model.drift, model.noise, *fixed)
        width = max(model.dim, model.noise_dim)
        params = model.params if box is None else (model.params, np.array(box))
        lanes = diffusion.lanes(model.dim, model.noise_dim)
        return Plan(run, params, 2.0, 1.0 if given else math.sqrt(dt), lanes, width)
    functions = model.potential.functions
    if isinstance(model, Underdamped):
        from shld_sim.engine import inertial

        run = inertial.inertial_kernel(functions.gradient, functions.vector, model.dim, given, boundary)
        unit = baoab_unit(model, dt) / (math.sqrt(dt) if given else 1.0)
        params = baoab_params(model, dt, box)
        params = (params, params[2]) if boundary == "absorbing" else params
        return Plan(run, params, 2.0, unit, ensemble.B, 2 * model.dim)
    kind, alpha, unit = ("given", 2.0, 1.0) if given else noise_kind(model, dt)
    flow = functions.flow if scheme == "split" else None
    run = ensemble.ensemble_kernel(functions.gradient, flow, functions.vector, model.dim, kind, scheme, boundary)
    params = model.potential.params if box is None else (model.potential.params, np.array(box))
    return Plan(run, params, alpha, unit, ensemble.LONG_B if functions.vector else ensemble.B, model.dim)


def baoab_params(model: Underdamped, dt: float, box: Box = None) -> tuple[Any, ...]:
    """Return what `inertial.baoab` is told: the potential's parameters, e^(-friction dt), and the walls."""
    ends = np.tile([-math.inf, math.inf], (model.dim, 1)) if box is None else np.array(box)
    return model.potential.params, math.exp(-model.friction * dt), ends


def baoab_unit(model: Underdamped, dt: float) -> float:
    """Return the size of the noise of the momenta over dt, in units of `amplitude`."""
    # Friction and noise over dt exactly: p -> c p + sqrt(D (1 - c^2)) N, c = e^(-friction dt); N = dW/sqrt(dt) if given
    return math.sqrt(-math.expm1(-2.0 * model.friction * dt) / (2.0 * model.friction))


def walls(model: Model, box: Any, boundary: str | None, start: Array) -> tuple[str, Box]:
    """Return the checked boundary and box: one pair of walls per coordinate, around all starts."""
    if box is None and boundary is None:
        return "", None
    if box is None or boundary is None:
        raise TypeError(f"box and boundary go together, got box={box!r}, boundary={boundary!r}")
    _checks.one_of("boundary", boundary, BOUNDARIES)
    pairs = [box] if np.ndim(box) == 1 else list(box)
    if len(pairs) not in (1, model.dim):
        raise ValueError(f"box must give one pair (low, high) or {model.dim} of them, got {len(pairs)}")
    out = tuple(_checks.interval("box", pair) for pair in pairs) * (model.dim if len(pairs) == 1 else 1)
    low, high = np.array(out).T
    if boundary == "periodic" and not np.isfinite(out).all():
        raise ValueError(f"box must be finite for a periodic boundary, got {out}")
    if not ((start >= low) & (start <= high)).all():
        raise ValueError(
            f"x0 must lie inside box={out}, got {start[~((start >= low) & (start <= high)).all(axis=1)][0]}"
        )
    return boundary, out


def noise_kind(model: Langevin | LevyFlight, dt: float) -> tuple[str, float, float]:
    """Return the kernel's kind of noise, alpha, and the size of a standard increment over dt."""
    if isinstance(model, Langevin):
        return "normal", 2.0, math.sqrt(dt)
    if model.alpha == 2.0:  # a stable number of index 2 is sqrt(2) times a normal one
        return "normal", 2.0, math.sqrt(2.0 * dt)
    kind = "isotropic" if model.components == "isotropic" else "stable"
    return kind, model.alpha, dt ** (1.0 / model.alpha)


def amplitude(model: Model, t: Any) -> Array:
    """Return what multiplies dW or dL at times ``t``: sqrt(2 D), sqrt(2 friction D) or sigma."""
    if isinstance(model, Diffusion):
        return np.ones(np.shape(t))
    strength = noise_strength(model)
    value = strength(t) if isinstance(strength, Schedule) else np.asarray(strength, dtype=np.float64)
    if not (np.all(np.isfinite(value)) and np.all(value >= 0)):
        name = "sigma" if isinstance(model, LevyFlight) else "D"
        raise ValueError(f"{name} must stay finite and not negative, got {value!r} from {strength!r}")
    if isinstance(model, LevyFlight):
        return value
    return np.sqrt(2.0 * (model.friction if isinstance(model, Underdamped) else 1.0) * value)


def step_count(dt: float, t_end: float | None, n_steps: int | None) -> int:
    if (t_end is None) == (n_steps is None):
        raise TypeError("give t_end or n_steps, one of them")
    if t_end is None:
        return _checks.integer("n_steps", n_steps, 0)
    return whole_steps("t_end", _checks.nonnegative("t_end", t_end), dt)


def whole_steps(name: str, t: float, dt: float) -> int:
    """Return the number of steps in a time that must be a whole number of them."""
    steps = round(t / dt)
    if abs(steps * dt - t) > 1e-9 * max(dt, t):
        raise ValueError(f"{name} must be a whole number of steps dt={dt:g}, got {t!r}: {t / dt:.6g} steps")
    return steps


def starts(model: Model, x0: ArrayLike, n_paths: int | None) -> Array:
    """Return the starts of all paths, shape (n_paths, dim)."""
    start = _checks.points("x0", x0, model.dim)
    each = start.ndim == (1 if model.dim == 1 else 2)
    if start.ndim > (1 if model.dim == 1 else 2):
        raise ValueError(f"x0 must be one point or one per path, got shape {start.shape}")
    if n_paths is not None:
        n_paths = _checks.integer("n_paths", n_paths)
        if each and len(start) != n_paths:
            raise ValueError(f"x0 must hold n_paths={n_paths} points, got {len(start)}")
    count = n_paths or (len(start) if each else 1)
    if each and len(start) == 0:
        raise ValueError("x0 must hold at least one point, got none")
    # position, its copies and the generator of each path
    _work.check_memory(f"{count} paths", count * (32 * model.dim + 96), "take fewer paths at a time")
    if isinstance(model, Diffusion):
        _check_diffusion(model, start.reshape(-1, model.dim))
        return np.broadcast_to(start.reshape(-1, model.dim), (count, model.dim)).copy()
    slope = model.potential.gradient(start)
    if not np.isfinite(slope).all():
        raise ValueError(f"potential must have a finite gradient at x0, got {slope!r}")
    return np.broadcast_to(start.reshape(-1, model.dim), (count, model.dim)).copy()


def _check_diffusion(model: Diffusion, points: Array) -> None:
    """Raise unless the two functions compile and are finite at the first 1000 ``points``."""
    from shld_sim.engine import diffusion

    # a matrix in 2000 dimensions takes 32 MB
    entries = model.dim * (1 if model.form == "diagonal" else model.noise_dim)
    points = np.ascontiguousarray(points[: max(1, min(1000, 2**24 // entries))])
    drift = np.empty_like(points)
    try:
        compiled_rows(model.drift, model.dim, True, model.dim > 3)(points, model.params, drift)
    except ValueError as error:
        raise ValueError(str(error).replace("gradient", "drift", 1)) from error
    try:
        noise = diffusion.noise_matrices(model.noise, model.form, model.dim, model.noise_dim)(points, model.params)
    except Exception as error:  # Numba lets errors of many types through, its own and Python's
        raise ValueError(f"noise does not compile: {cause(error)}") from error
    for name, values in (("drift", drift), ("noise", noise)):
        bad = ~np.isfinite(values.reshape(len(points), -1)).all(axis=1)
        if bad.any():
            at = points[bad][0].tolist() if model.dim > 1 else float(points[bad][0, 0])
            raise ValueError(f"{name} must be finite at x0, got {values[bad][0].tolist()!s:.400} at x={at!s:.400}")


def first_momenta(
    model: Model, p0: ArrayLike | None, count: int, words: NDArray[np.uint64], given: bool, after: int = 0
) -> Array | None:
    """Return the momenta at time 0, shape (count, dim), or None for a model without.

    When they are drawn, ``words`` move on, first by ``after`` words that serve something else.
    """
    if not isinstance(model, Underdamped):
        if p0 is not None:
            raise ValueError(f"p0 must be None for a model without momenta, got {p0!r}")
        return None
    if p0 is None:
        if given:
            raise ValueError("p0 must be given along with noise=: no random numbers are drawn, got None")
        from shld_sim.engine import inertial

        out = np.empty((count, model.dim))
        temperature = 0.5 / model.friction * float(amplitude(model, 0.0)) ** 2
        inertial.maxwell(words, math.sqrt(temperature), out, after)
        return out
    momenta = _checks.points("p0", p0, model.dim)
    one = () if model.dim == 1 else (model.dim,)
    if momenta.shape not in (one, (count, *one)):
        raise ValueError(f"p0 must be one momentum or one for each of {count} paths, got shape {momenta.shape}")
    return np.broadcast_to(momenta.reshape(-1, model.dim), (count, model.dim)).copy()


def given_noise(model: Model, noise: ArrayLike) -> Array:
    dim = model.noise_dim if isinstance(model, Diffusion) else model.dim
    increments = _checks.points("noise", noise, dim)
    if increments.ndim != (2 if dim == 1 else 3):
        shape = "(n_steps, n_paths)" if dim == 1 else f"(n_steps, n_paths, {dim})"
        raise ValueError(f"noise must have shape {shape}, got {increments.shape}")
    return np.ascontiguousarray(increments.reshape(*increments.shape[:2], dim))


def inward(x: Array, dim: int) -> Array:
    """Return public paths with a coordinate axis, also in one dimension."""
    return x[..., None] if dim == 1 else x


def outward(x: Array, dim: int) -> Array:
    """Return paths without the coordinate axis in one dimension."""
    return x[..., 0] if dim == 1 else x


def joined(model: Model, x: Array, momenta: Array | None, state_dim: int) -> Array:
    """Return public paths and momenta as states of the kernel, ``(..., state_dim)``; what is left over is 0."""
    state = np.zeros((*(x.shape if model.dim == 1 else x.shape[:-1]), state_dim))
    state[..., : model.dim] = inward(x, model.dim)
    if momenta is not None:
        state[..., model.dim : 2 * model.dim] = inward(momenta, model.dim)
    return state


def parted(model: Model, states: Array) -> tuple[Array, Array | None]:
    """Return the public paths and momenta (None for a model without) of states of the kernel."""
    dim = model.dim
    if states.shape[-1] == dim:
        return outward(states, dim), None
    x = np.ascontiguousarray(outward(states[..., :dim], dim))
    if not isinstance(model, Underdamped):
        return x, None
    return x, np.ascontiguousarray(outward(states[..., dim:], dim))


def stable_step(model: Model, x: Array) -> float:
    """Return the largest stable step at the largest curvature among (up to 1000 of) the starts ``x``.

    That is ``2/lambda_max``, or ``2/sqrt(lambda_max)`` with inertia.
    """
    if isinstance(model, Diffusion):
        return math.nan  # not known
    # a Hessian in 2000 dimensions takes 32 MB
    points = x[np.isfinite(x).all(axis=1)][: max(1, min(1000, 2**22 // model.dim**2))]
    hessian = model.potential.hessian(points if model.dim > 1 else points[:, 0])
    eigenvalues = np.linalg.eigvalsh(hessian) if model.dim > 1 else hessian
    largest = float(np.max(np.abs(eigenvalues), initial=0.0))
    if isinstance(model, Underdamped):
        largest = math.sqrt(largest)
    return 2.0 / largest if largest > 0 else math.inf
