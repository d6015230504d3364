"""Simulate a model: ensembles of paths, their continuation, and first passages. Validate, run kernels, return results."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._progress import Progress
from shld_sim._version import __version__
from shld_sim._work import Pace, Team, thread_count
from shld_sim.models import Langevin, LevyFlight, Model, noise_strength, require
from shld_sim.results import DivergenceError, Ensemble, Exits, Status, describe_seed
from shld_sim.schedules import Schedule

Array = NDArray[np.float64]
SCHEMES = ("euler", "split")


def simulate(
    model: Model,
    x0: ArrayLike,
    dt: float,
    t_end: float | None = None,
    n_paths: int | None = None,
    *,
    seed: int | np.random.SeedSequence = 0,
    save_every: int | None = None,
    n_steps: int | None = None,
    scheme: str | None = None,
    noise: ArrayLike | None = None,
    on_divergence: str = "raise",
    n_threads: int | None = None,
    progress: bool | None = None,
) -> Ensemble:
    r"""Simulate paths of a stochastic differential equation.

    Scheme ``"euler"`` (Euler-Maruyama) makes the step

    .. math:: X_{n+1} = X_n - \nabla V(X_n)\,\Delta t + \xi_n, \qquad \xi_n = \sqrt{2 D \Delta t}\,N_n
        \quad\text{or}\quad \sigma\,\Delta t^{1/\alpha} L_n,

    scheme ``"split"`` makes :math:`X_{n+1} = \Phi_{\Delta t}(X_n + \xi_n)`, where :math:`\Phi` is the flow of
    :math:`x' = -\nabla V(x)`: exact where the potential knows it, otherwise computed to a relative 1e-7 by a
    Runge-Kutta pair with step control.

    Parameters
    ----------
    model : Langevin or LevyFlight
        The equation. Where its noise is a schedule, each step uses the value at its beginning.
    x0 : array_like
        Start: one point for all paths, or one per path, shape ``(n_paths,)`` or ``(n_paths, dim)``.
    dt : float
        Time step.
    t_end : float, optional
        Length of the run, a whole number of steps. Give this or ``n_steps``.
    n_paths : int, optional
        Number of paths. Default: as many as ``x0`` has, else 1.
    seed : int or numpy.random.SeedSequence
        Path i draws from its own stream, a function of the seed and i alone. The result is the same bit for bit for any
        number of threads and of other paths, and whether or not the run was continued by `resume`.
    save_every : int, optional
        Keep time 0, every so many steps, and the end. Default: the end only.
    n_steps : int, optional
        Number of steps, instead of ``t_end``.
    scheme : {"euler", "split"}, optional
        Default: "euler" for Gaussian noise. "split" for stable noise, where Euler-Maruyama explodes in wells steeper
        than quadratic.
    noise : array_like, optional
        Increments of W, or L, over the steps, shape ``(n_steps, n_paths)`` or ``(n_steps, n_paths, dim)``, in place of
        random numbers: of standard deviation ``sqrt(dt)`` per coordinate, or scale ``dt**(1/alpha)``.
    on_divergence : {"raise", "mark"}
        What to do when a path leaves the finite numbers: raise `DivergenceError`, or mark its status and go on.
    n_threads : int, optional
        Default: the processors available.
    progress : bool, optional
        Show progress on stderr. Default: on a terminal, for runs longer than two seconds.

    Returns
    -------
    Ensemble
        ``t`` (n_saved,), ``x`` (n_saved, n_paths[, dim]), ``final``, and the settings.

    Raises
    ------
    ValueError, TypeError
        For an argument that makes no sense; the message names it.
    MemoryError
        Before anything is allocated, if the saved paths would not fit.
    DivergenceError
        If a path leaves the finite numbers and ``on_divergence="raise"``.

    Notes
    -----
    For additive noise Euler-Maruyama has strong and weak order 1 [1]_. A split step ends with the flow, so that stationary
    tails in a steep well are too thin by O(dt); the law half a flow earlier is right to O(dt^2).

    Ctrl-C ends the run after the piece of work under way and returns what was done, with ``interrupted=True``.

    References
    ----------
    .. [1] P. E. Kloeden, E. Platen, Numerical Solution of Stochastic Differential Equations (1992), chapter 10.

    Examples
    --------
    >>> import shld_sim as shld
    >>> model = shld.Langevin(shld.Harmonic(), D=0.5)
    >>> run = shld.simulate(model, x0=0.0, dt=0.01, t_end=1.0, n_paths=3, seed=1)
    >>> run.final.shape
    (3,)
    """
    _check_model(model)
    dt = _checks.positive("dt", dt)
    scheme = _scheme(model, scheme)
    _checks.one_of("on_divergence", on_divergence, ("raise", "mark"))
    given = None if noise is None else _given_noise(model, noise)
    if given is not None and n_steps is None and t_end is None:
        n_steps = len(given)
    steps = _step_count(dt, t_end, n_steps)
    start = _starts(model, x0, n_paths if given is None or n_paths is not None else given.shape[1])
    if given is not None and given.shape[:2] != (steps, len(start)):
        raise ValueError(
            f"noise must hold {steps} steps of {len(start)} paths, got {given.shape[0]} steps of {given.shape[1]}"
        )
    if save_every is not None:
        save_every = _checks.integer("save_every", save_every)
    described = None if given is not None else describe_seed(_seed(seed))
    states = np.zeros((len(start), 4), np.uint64)
    if given is None:
        from shld_sim.engine import streams

        streams.start_states(*streams.keys(_seed(seed)), 0, states)
    begin = Ensemble(
        t=np.zeros(1),
        x=_outward(start[None], model.dim),
        status=np.zeros(len(start), np.uint8),
        model=model,
        dt=dt,
        n_steps=0,
        scheme=scheme,
        save_every=save_every,
        seed=described,
        words=states,
        interrupted=False,
        version=__version__,
    )
    return _advance(begin, steps, given, on_divergence, n_threads, progress)


def resume(
    run: Ensemble,
    t_end: float | None = None,
    *,
    n_steps: int | None = None,
    on_divergence: str = "raise",
    n_threads: int | None = None,
    progress: bool | None = None,
) -> Ensemble:
    """Continue an ensemble, with the same bits as a run that was never stopped.

    Parameters
    ----------
    run : Ensemble
        What to continue; it is left as it is.
    t_end : float, optional
        New end, counted from time 0. Give this or ``n_steps``.
    n_steps : int, optional
        New number of steps, counted from time 0.
    on_divergence, n_threads, progress
        As in `simulate`.

    Returns
    -------
    Ensemble
        The whole run, from time 0.
    """
    if not isinstance(run, Ensemble):
        raise TypeError(f"run must be an Ensemble, got {run!r}")
    if run.seed is None:
        raise ValueError("run must have random noise of its own to be continued, got one made with noise=")
    steps = _step_count(run.dt, t_end, n_steps)
    if steps < run.n_steps:
        raise ValueError(
            f"{'n_steps' if t_end is None else 't_end'} must not be before the end of the run, "
            f"step {run.n_steps} at t={run.n_steps * run.dt:g}; got step {steps}"
        )
    _checks.one_of("on_divergence", on_divergence, ("raise", "mark"))
    return _advance(run, steps, None, on_divergence, n_threads, progress)


def first_passage(
    model: Model,
    x0: ArrayLike,
    domain: tuple[float, float],
    dt: float,
    n_paths: int | None = None,
    t_max: float = math.inf,
    *,
    seed: int | np.random.SeedSequence = 0,
    scheme: str | None = None,
    bridge: bool | None = None,
    n_threads: int | None = None,
    progress: bool | None = None,
) -> Exits:
    r"""Simulate the first passage of paths out of an interval.

    Between two monitored points ``v`` and ``w`` of a Gaussian path a boundary ``b`` is touched unseen with probability
    :math:`\exp(-(v - b)(w - b)/(D \Delta t))`. With ``bridge`` this is taken into account, and the moment of the touch is
    drawn from its exact law, so that exits of Brownian motion have no time-step error; without, exit times are late by
    :math:`O(\sqrt{\Delta t})`.

    Parameters
    ----------
    model : Langevin or LevyFlight
        The equation, one-dimensional, with constant noise.
    x0 : array_like
        Start, one for all paths or shape ``(n_paths,)``, inside the domain.
    domain : tuple of float
        ``(low, high)``; one end may be infinite.
    dt : float
        Time step.
    n_paths : int, optional
        Number of paths. Default: as many as ``x0`` has, else 1.
    t_max : float
        Paths still inside at this time are censored.
    seed : int or numpy.random.SeedSequence
        As in `simulate`.
    scheme : {"euler", "split"}, optional
        As in `simulate`.
    bridge : bool, optional
        Brownian-bridge correction. Default: on for `Langevin` and "euler"; it does not exist for stable noise, whose
        discrete monitoring makes exits late.
    n_threads, progress
        As in `simulate`.

    Returns
    -------
    Exits
        ``times``, ``censored``, ``side``, ``place`` per path; ``mean()``, ``stderr()``, ``rate()``,
        ``rate_interval()``.

    Notes
    -----
    Ctrl-C returns what was done, with ``interrupted=True``: paths that had not left are censored at the time at which they
    were last seen.

    References
    ----------
    .. [1] E. Gobet, Stoch. Process. Appl. 87, 167 (2000).

    Examples
    --------
    >>> import shld_sim as shld
    >>> model = shld.Langevin(shld.DoubleWell(), D=0.2)
    >>> exits = shld.first_passage(model, x0=-1.0, domain=(-float("inf"), 0.0), dt=0.01, n_paths=100, seed=1)
    >>> bool(exits.censored.any())
    False
    """
    _check_model(model)
    require(model, Langevin if isinstance(model, Langevin) else LevyFlight, dim=1)  # type: ignore[type-var]
    low, high = _checks.interval("domain", domain)
    if math.isinf(low) and math.isinf(high):
        raise ValueError(f"domain must have a finite end, got ({low!r}, {high!r})")
    start = _starts(model, x0, n_paths)[:, 0]
    outside = (start <= low) | (start >= high)
    if outside.any():
        raise ValueError(f"x0 must lie inside domain=({low!r}, {high!r}), got {float(start[outside][0])!r}")
    dt = _checks.positive("dt", dt)
    if not t_max > 0:
        raise ValueError(f"t_max must be positive, got {t_max!r}")
    limit = 2**62 if math.isinf(t_max) else _whole_steps("t_max", _checks.positive("t_max", t_max), dt)
    scheme = _scheme(model, scheme)
    gaussian = isinstance(model, Langevin)
    if bridge is None:
        bridge = gaussian and scheme == "euler"
    if bridge and not (gaussian and scheme == "euler"):
        raise ValueError("bridge must be False unless the noise is Gaussian and the scheme 'euler', got True")

    from shld_sim.engine import exits, streams

    functions = model.potential.functions
    kind, alpha, unit = _noise_kind(model, dt)
    amplitude = unit * float(_amplitude(model, 0.0))
    run = exits.exit_kernel(functions.gradient, functions.flow if scheme == "split" else None, kind, scheme)
    rate = 1.0 / (model.D * dt) if bridge else exits.NOT_BRIDGED  # type: ignore[union-attr, operator]
    count = len(start)
    out, status = np.full((count, 3), np.nan), np.zeros(count, np.uint8)
    keys = streams.keys(_seed(seed))
    team_size = max(1, min(thread_count(n_threads), count // exits.B))
    calls, held = [], []
    bounds = np.linspace(0, count, team_size + 1).astype(np.int64)
    pace = Pace(4096)
    for first, end in itertools.pairwise(bounds):
        lanes, words = np.full(3 * exits.B, start[0]), np.zeros(4 * exits.B, np.uint64)
        path, age = np.full(exits.B, -1), np.zeros(exits.B, np.int64)
        held.append((lanes, path, age))
        fixed = (lanes, words, path, age, np.array([first, end]), start, dt, alpha, amplitude)
        calls.append((fixed, (model.potential.params, (low, high), rate, keys, limit)))

    def piece(call: tuple[Any, Any], budget: int) -> bool:
        return bool(run(*call[0], *call[1], budget, out, status))

    working = calls
    with Team(team_size) as team, Progress(count, "first passage", progress) as bar:
        while working and not team.interrupted:
            budget = pace.begin()
            more = team.run([functools.partial(piece, call, budget) for call in working])
            pace.end()
            working = [call for call, unfinished in zip(working, more, strict=True) if unfinished]
            bar.update(int((status != exits.RUNNING).sum()))
            failure = _failed_exit(working, out, status == exits.EXITED, dt)
            if failure is not None:
                raise DivergenceError(*failure, dt, _stable_step(model, start[:, None]), scheme)
    if team.interrupted:
        warnings.warn("interrupted: paths that had not left are censored where they were last seen", stacklevel=2)
    exposure, place = np.nan_to_num(out[:, 0]), np.where(status == exits.RUNNING, start, out[:, 1])
    for lanes, path, age in held:  # paths under way, when the run was interrupted
        running = path >= 0
        exposure[path[running]], place[path[running]] = age[running] * dt, lanes[: exits.B][running]
    left = status == exits.EXITED
    return Exits(
        times=np.where(left, out[:, 0], np.nan),
        censored=~left,
        exposure=exposure,
        side=np.nan_to_num(out[:, 2]).astype(np.int8),
        place=place,
        model=model,
        domain=(low, high),
        dt=dt,
        t_max=float(t_max),
        scheme=scheme,
        bridge=bool(bridge),
        seed=describe_seed(_seed(seed)),
        interrupted=team.interrupted,
        version=__version__,
    )


# -- driving the ensemble kernel ----


def _advance(
    run: Ensemble, n_steps: int, given: Array | None, on_divergence: str, n_threads: int | None, progress: bool | None
) -> Ensemble:
    """Return ``run`` continued to step ``n_steps``."""
    from shld_sim.engine import ensemble

    model, dim, dt = run.model, run.model.dim, run.dt
    functions = model.potential.functions
    kind, alpha, unit = _noise_kind(model, dt) if given is None else ("given", 2.0, 1.0)
    kernel = ensemble.ensemble_kernel(
        functions.gradient,
        functions.flow if run.scheme == "split" else None,
        functions.vector,
        dim,
        kind,
        run.scheme,
    )
    every = run.save_every
    # Rows that stay: a run that ended between two saved steps kept its last row only for being the end.
    old = 0 if every is None else run.n_steps // every + 1
    fresh = 0 if every is None else n_steps // every + 1 - old
    ends = 1 if every is None else int(n_steps % every > 0)
    n_saved = old + fresh + ends
    what = f"{n_saved} saved times of {run.n_paths} paths"
    _check_memory(what, n_saved * run.n_paths * dim * 8, "take a larger save_every or fewer paths")
    paths = np.empty((n_saved, run.n_paths, dim))
    paths[:old] = _inward(run.x, dim)[:old]
    saved = paths[old : old + fresh]
    state, words, status = _inward(run.final[None], dim)[0].copy(), run.words.copy(), run.status.copy()
    source = np.zeros((1, 1, dim)) if given is None else given
    cuts = _cuts(run.n_paths, thread_count(n_threads), ensemble.B)
    pace = Pace(max(2, 2_000_000 // max(1, run.n_paths * dim)))
    done, row = run.n_steps, 0

    def advance(low: int, high: int, first: int, amplitudes: Array, rows: Array) -> None:
        """Move the paths low <= i < high from step ``first`` on, one step per amplitude, and write the kept ``rows``."""
        increments = source if given is None else source[first : first + len(amplitudes)]
        fixed = (dt, alpha, model.potential.params, increments)
        kernel(state, words, low, high, amplitudes, *fixed, first, rows, every if len(rows) else 0)

    with Team(len(cuts)) as team, Progress(n_steps - done, "simulate", progress) as bar:
        while done < n_steps and not team.interrupted:
            count = min(pace.begin(), n_steps - done)
            new = 0 if every is None else (done + count) // every - done // every
            amplitudes = np.broadcast_to(unit * _amplitude(model, dt * np.arange(done, done + count)), count).copy()
            before = state.copy(), words.copy()
            rows = saved[row : row + new]
            team.run([functools.partial(advance, low, high, done, amplitudes, rows) for low, high in cuts])
            pace.end()
            bad = ~np.isfinite(state).all(axis=1) & (status != Status.DIVERGED)
            if bad.any() and on_divergence == "raise":
                path = int(np.argmax(bad))
                good, failed = 0, count
                while failed - good > 1:  # bisect for the step, from the start of the piece
                    middle = (good + failed) // 2
                    state[path], words[path] = before[0][path], before[1][path]
                    advance(path, path + 1, done, amplitudes[:middle], saved[:0])
                    good, failed = (middle, failed) if np.isfinite(state[path]).all() else (good, middle)
                raise DivergenceError(
                    path, (done + failed) * dt, dt, _stable_step(model, _inward(run.final[None], dim)[0]), run.scheme
                )
            status[bad] = Status.DIVERGED
            done, row = done + count, row + new
            bar.update(done - run.n_steps)
    if team.interrupted:
        warnings.warn(f"interrupted at t={done * dt:g}: resume() continues the run", stacklevel=3)
    steps = [] if every is None else list(range(0, (old + row) * every, every))
    if every is None or done % every:
        paths[len(steps)] = state
        steps.append(done)
    return dataclasses.replace(
        run,
        t=dt * np.array(steps),
        x=_outward(paths[: len(steps)], dim),
        status=status,
        n_steps=done,
        words=words,
        interrupted=team.interrupted,
    )


def _stable_step(model: Model, x: Array) -> float:
    """Return 2/lambda_max at the largest curvature among (up to 1000 of) the starts ``x``."""
    points = x[np.isfinite(x).all(axis=1)][:1000]
    hessian = model.potential.hessian(points if model.dim > 1 else points[:, 0])
    eigenvalues = np.linalg.eigvalsh(hessian) if model.dim > 1 else hessian
    largest = float(np.max(np.abs(eigenvalues), initial=0.0))
    return 2.0 / largest if largest > 0 else math.inf


def _cuts(n_paths: int, n_threads: int, block: int) -> list[tuple[int, int]]:
    """Return ranges of paths, one per thread, cut between blocks."""
    blocks = -(-n_paths // block)
    edges = np.unique(np.linspace(0, blocks, min(n_threads, blocks) + 1).astype(int)) * block
    return [(int(a), int(min(b, n_paths))) for a, b in itertools.pairwise(edges)]


def _failed_exit(
    working: list[tuple[Any, Any]], out: Array, left: NDArray[np.bool_], dt: float
) -> tuple[int, float] | None:
    """Return the number and time of a path that is not finite, in its lane or where it seems to have left."""
    bad = left & ~np.isfinite(out).all(axis=1)
    if bad.any():
        path = int(np.argmax(bad))
        return path, float(np.nan_to_num(out[path, 0]))
    for fixed, _ in working:
        lanes, _, path_in, age = fixed[:4]
        bad = (path_in >= 0) & ~np.isfinite(lanes[: len(path_in)])
        if bad.any():
            i = int(np.argmax(bad))
            return int(path_in[i]), float(age[i] * dt)
    return None


# -- arguments ----


def _check_model(model: object) -> None:
    if not isinstance(model, (Langevin, LevyFlight)):
        raise TypeError(f"model must be a Langevin or a LevyFlight, got {model!r}")


def _scheme(model: Model, scheme: str | None) -> str:
    if scheme is None:
        return "euler" if isinstance(model, Langevin) else "split"
    return _checks.one_of("scheme", scheme, SCHEMES)


def _seed(seed: int | np.random.SeedSequence) -> int | np.random.SeedSequence:
    if isinstance(seed, np.random.SeedSequence):
        return seed
    return _checks.integer("seed", seed, 0)


def _noise_kind(model: Model, dt: float) -> tuple[str, float, float]:
    """Return the kernel's kind of noise, alpha, and the size of a standard increment over dt."""
    if isinstance(model, Langevin):
        return "normal", 2.0, math.sqrt(dt)
    if model.alpha == 2.0:  # a stable number of index 2 is sqrt(2) times a normal one
        return "normal", 2.0, math.sqrt(2.0 * dt)
    kind = "isotropic" if model.components == "isotropic" else "stable"
    return kind, model.alpha, dt ** (1.0 / model.alpha)


def _amplitude(model: Model, t: Any) -> Array:
    """Return what multiplies dW or dL at times ``t``: sqrt(2 D) or sigma."""
    strength = noise_strength(model)
    value = strength(t) if isinstance(strength, Schedule) else np.asarray(strength, dtype=np.float64)
    if not (np.all(np.isfinite(value)) and np.all(value >= 0)):
        name = "D" if isinstance(model, Langevin) else "sigma"
        raise ValueError(f"{name} must stay finite and not negative, got {value!r} from {strength!r}")
    return np.sqrt(2.0 * value) if isinstance(model, Langevin) else value


def _step_count(dt: float, t_end: float | None, n_steps: int | None) -> int:
    if (t_end is None) == (n_steps is None):
        raise TypeError("give t_end or n_steps, one of them")
    if t_end is None:
        return _checks.integer("n_steps", n_steps, 0)
    return _whole_steps("t_end", _checks.nonnegative("t_end", t_end), dt)


def _whole_steps(name: str, t: float, dt: float) -> int:
    """Return the number of steps in a time that must be a whole number of them."""
    steps = round(t / dt)
    if abs(steps * dt - t) > 1e-9 * max(dt, t):
        raise ValueError(f"{name} must be a whole number of steps dt={dt:g}, got {t!r}: {t / dt:.6g} steps")
    return steps


def _starts(model: Model, x0: ArrayLike, n_paths: int | None) -> Array:
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
    _check_memory(f"{count} paths", count * (32 * model.dim + 96), "take fewer paths at a time")
    slope = model.potential.gradient(start)
    if not np.isfinite(slope).all():
        raise ValueError(f"potential must have a finite gradient at x0, got {slope!r}")
    return np.broadcast_to(start.reshape(-1, model.dim), (count, model.dim)).copy()


def _given_noise(model: Model, noise: ArrayLike) -> Array:
    increments = _checks.points("noise", noise, model.dim)
    if increments.ndim != (2 if model.dim == 1 else 3):
        shape = "(n_steps, n_paths)" if model.dim == 1 else f"(n_steps, n_paths, {model.dim})"
        raise ValueError(f"noise must have shape {shape}, got {increments.shape}")
    return np.ascontiguousarray(increments.reshape(*increments.shape[:2], model.dim))


def _inward(x: Array, dim: int) -> Array:
    """Return public paths with a coordinate axis, also in one dimension."""
    return x[..., None] if dim == 1 else x


def _outward(x: Array, dim: int) -> Array:
    """Return paths without the coordinate axis in one dimension."""
    return x[..., 0] if dim == 1 else x


def _check_memory(what: str, size: int, advice: str) -> None:
    """Raise MemoryError when ``size`` bytes are more than the machine has free."""
    free = _free_memory()
    if free is not None and size > 0.9 * free:
        raise MemoryError(f"{what} take {size / 2**30:.1f} GiB, but {free / 2**30:.1f} GiB are free: {advice}")


def _free_memory() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
