"""First passages out of a domain: validate, run the exit kernel in pieces, return Exits."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._progress import Progress
from shld_sim._version import __version__
from shld_sim._work import Pace, Team, thread_count
from shld_sim.models import Langevin, LevyFlight, Model, require
from shld_sim.results import DivergenceError, Exits, describe_seed
from shld_sim.simulate import arguments

Array = NDArray[np.float64]


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
    arguments.check_model(model)
    require(model, Langevin if isinstance(model, Langevin) else LevyFlight, dim=1)  # type: ignore[type-var]
    low, high = _checks.interval("domain", domain)
    if math.isinf(low) and math.isinf(high):
        raise ValueError(f"domain must have a finite end, got ({low!r}, {high!r})")
    start = arguments.starts(model, x0, n_paths)[:, 0]
    outside = (start <= low) | (start >= high)
    if outside.any():
        raise ValueError(f"x0 must lie inside domain=({low!r}, {high!r}), got {float(start[outside][0])!r}")
    dt = _checks.positive("dt", dt)
    if not t_max > 0:
        raise ValueError(f"t_max must be positive, got {t_max!r}")
    limit = 2**62 if math.isinf(t_max) else arguments.whole_steps("t_max", _checks.positive("t_max", t_max), dt)
    scheme = arguments.scheme_of(model, scheme)
    gaussian = isinstance(model, Langevin)
    if bridge is None:
        bridge = gaussian and scheme == "euler"
    if bridge and not (gaussian and scheme == "euler"):
        raise ValueError("bridge must be False unless the noise is Gaussian and the scheme 'euler', got True")

    from shld_sim.engine import exits, streams

    functions = model.potential.functions
    kind, alpha, unit = arguments.noise_kind(model, dt)
    amplitude = unit * float(arguments.amplitude(model, 0.0))
    run = exits.exit_kernel(functions.gradient, functions.flow if scheme == "split" else None, kind, scheme)
    rate = 1.0 / (model.D * dt) if bridge else exits.NOT_BRIDGED  # type: ignore[union-attr, operator]
    count = len(start)
    out, status = np.full((count, 3), np.nan), np.zeros(count, np.uint8)
    keys = streams.keys(arguments.seed_of(seed))
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
                raise DivergenceError(*failure, dt, arguments.stable_step(model, start[:, None]), scheme)
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
        seed=describe_seed(arguments.seed_of(seed)),
        interrupted=team.interrupted,
        version=__version__,
    )


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
