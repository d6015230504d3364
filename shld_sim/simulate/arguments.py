"""What the simulators ask of their arguments, and what a model and a step mean for the kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks, _work
from shld_sim.models import Langevin, LevyFlight, Model, noise_strength
from shld_sim.schedules import Schedule

Array = NDArray[np.float64]
SCHEMES = ("euler", "split")


def check_model(model: object) -> None:
    if not isinstance(model, (Langevin, LevyFlight)):
        raise TypeError(f"model must be a Langevin or a LevyFlight, got {model!r}")


def scheme_of(model: Model, scheme: str | None) -> str:
    if scheme is None:
        return "euler" if isinstance(model, Langevin) else "split"
    return _checks.one_of("scheme", scheme, SCHEMES)


def seed_of(seed: int | np.random.SeedSequence) -> int | np.random.SeedSequence:
    if isinstance(seed, np.random.SeedSequence):
        return seed
    return _checks.integer("seed", seed, 0)


@dataclass(frozen=True)
class Plan:
    """How a kernel makes the steps of a model: the compiled ``run`` and what it is told."""

    run: Callable[..., None]
    params: tuple[Any, ...]
    alpha: float
    unit: float  # size of a standard increment of the noise over dt
    lanes: int  # paths of a block


def ensemble_plan(model: Model, scheme: str, dt: float, given: bool) -> Plan:
    """Return the plan of an ensemble; with ``given`` increments the noise is copied, not drawn."""
    from shld_sim.engine import ensemble

    functions = model.potential.functions
    kind, alpha, unit = ("given", 2.0, 1.0) if given else noise_kind(model, dt)
    flow = functions.flow if scheme == "split" else None
    run = ensemble.ensemble_kernel(functions.gradient, flow, functions.vector, model.dim, kind, scheme)
    return Plan(run, model.potential.params, alpha, unit, ensemble.B)


def noise_kind(model: Model, dt: float) -> tuple[str, float, float]:
    """Return the kernel's kind of noise, alpha, and the size of a standard increment over dt."""
    if isinstance(model, Langevin):
        return "normal", 2.0, math.sqrt(dt)
    if model.alpha == 2.0:  # a stable number of index 2 is sqrt(2) times a normal one
        return "normal", 2.0, math.sqrt(2.0 * dt)
    kind = "isotropic" if model.components == "isotropic" else "stable"
    return kind, model.alpha, dt ** (1.0 / model.alpha)


def amplitude(model: Model, t: Any) -> Array:
    """Return what multiplies dW or dL at times ``t``: sqrt(2 D) or sigma."""
    strength = noise_strength(model)
    value = strength(t) if isinstance(strength, Schedule) else np.asarray(strength, dtype=np.float64)
    if not (np.all(np.isfinite(value)) and np.all(value >= 0)):
        name = "D" if isinstance(model, Langevin) else "sigma"
        raise ValueError(f"{name} must stay finite and not negative, got {value!r} from {strength!r}")
    return np.sqrt(2.0 * value) if isinstance(model, Langevin) else value


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
    slope = model.potential.gradient(start)
    if not np.isfinite(slope).all():
        raise ValueError(f"potential must have a finite gradient at x0, got {slope!r}")
    return np.broadcast_to(start.reshape(-1, model.dim), (count, model.dim)).copy()


def given_noise(model: Model, noise: ArrayLike) -> Array:
    increments = _checks.points("noise", noise, model.dim)
    if increments.ndim != (2 if model.dim == 1 else 3):
        shape = "(n_steps, n_paths)" if model.dim == 1 else f"(n_steps, n_paths, {model.dim})"
        raise ValueError(f"noise must have shape {shape}, got {increments.shape}")
    return np.ascontiguousarray(increments.reshape(*increments.shape[:2], model.dim))


def inward(x: Array, dim: int) -> Array:
    """Return public paths with a coordinate axis, also in one dimension."""
    return x[..., None] if dim == 1 else x


def outward(x: Array, dim: int) -> Array:
    """Return paths without the coordinate axis in one dimension."""
    return x[..., 0] if dim == 1 else x


def stable_step(model: Model, x: Array) -> float:
    """Return 2/lambda_max at the largest curvature among (up to 1000 of) the starts ``x``."""
    points = x[np.isfinite(x).all(axis=1)][:1000]
    hessian = model.potential.hessian(points if model.dim > 1 else points[:, 0])
    eigenvalues = np.linalg.eigvalsh(hessian) if model.dim > 1 else hessian
    largest = float(np.max(np.abs(eigenvalues), initial=0.0))
    return 2.0 / largest if largest > 0 else math.inf
