"""First passages out of a domain or into targets: validate, run the exit kernels in pieces, return Exits."""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._progress import Progress
from shld_sim._seeds import child
from shld_sim._version import __version__
from shld_sim._work import Pace, Team, thread_count
from shld_sim.domains import Domain, Interval, Wall, as_domain
from shld_sim.models import Diffusion, Model, Underdamped, require
from shld_sim.results import DivergenceError, Exits
from shld_sim.results.archives import describe_seed
from shld_sim.simulate import arguments, exit_plans

Array = NDArray[np.float64]


def first_passage(
    model: Model,
    x0: ArrayLike,
    domain: Domain | tuple[float, float] | None = None,
    dt: float | None = None,
    n_paths: int | None = None,
    t_max: float = math.inf,
    *,
    targets: Domain | Sequence[Domain | tuple[float, float]] | None = None,
    p0: ArrayLike | None = None,
    seed: int | np.random.SeedSequence = 0,
    scheme: str | None = None,
    bridge: bool | None = None,
    n_threads: int | None = None,
    progress: bool | None = None,
) -> Exits:
    r"""Simulate the first passage of paths out of a domain, or into one of several targets.

    Between two monitored points at distances ``a`` and ``b`` from a wall with normal ``n``, a Gaussian path touches the wall
    unseen with probability

    .. math:: \exp\left(-\frac{2 a b}{s^2 \Delta t}\right), \qquad s = |B^T n|, \qquad s^2 = 2 D \text{ for } Langevin.

    With ``bridge`` this is taken into account, and the moment of the touch is drawn from its exact law, so that exits of
    Brownian motion through a plane have no time-step error. For curved walls, drifts, and noise that depends on the place,
    of which the value at the start of the step is used [1]_ [2]_, mean exit times have one of :math:`O(\Delta t)`. Without
    the bridge exits are late by :math:`O(\sqrt{\Delta t})`.

    Parameters
    ----------
    model : Langevin, LevyFlight, Underdamped or Diffusion
        The equation; D and sigma constant. The domain of `Underdamped` is one of positions.
    x0 : array_like
        Start, one for all paths or one each, shape ``(n_paths,)`` for ``dim == 1``, else ``(n_paths, dim)``; inside the
        domain and outside the targets.
    domain : tuple of float, Interval, Ball, HalfSpace, Box or Region, optional
        Paths stop when they leave it. ``(low, high)`` is an interval.
    dt : float
        Time step; to be given.
    n_paths : int, optional
        Number of paths. Default: as many as ``x0`` has, else 1.
    t_max : float
        Paths still running at this time are censored.
    targets : sequence of sets, optional
        Paths stop when they enter one of them; ``which`` of the result tells the one.
    p0 : array_like, optional
        For `Underdamped`: the first momenta, as in `simulate`.
    seed : int or numpy.random.SeedSequence
        As in `simulate`.
    scheme : {"euler", "split", "baoab", "heun"}, optional
        As in `simulate`.
    bridge : bool, optional
        Brownian-bridge correction. Default: on for `Diffusion`, and for `Langevin` with "euler", except at the walls of a
        `Region` without distance function. It does not exist for stable noise, whose discrete monitoring makes exits late,
        nor with inertia.
    n_threads, progress
        As in `simulate`.

    Returns
    -------
    Exits
        ``times``, ``censored``, ``side``, ``which``, ``place`` per path; ``mean()``, ``stderr()``, ``rate()``,
        ``rate_interval()``, ``fraction()``, ``survival()``.

    Notes
    -----
    With the bridge a wall counts as flat. The mean exit time of Brownian motion from the centre of a ball of radius R is
    then wrong by less than 0.15 % for ``sqrt(2 D dt) <= 0.2 R`` in two to five dimensions; at twice
    that step by 6 % in five (``benchmarks/bench_balls.py``). A jump or step that ends behind several walls counts for the first
    one on the straight line.

    With inertia paths are looked at after each step: their position is differentiable and hardly strays in between, so that
    exits are late by dt/2 on average, and by O(dt^(5/4)) for those that cross slowly and turn back within a step. For
    strong friction the walls of an `Underdamped` particle seem 1.46 sqrt(D)/friction farther away than those of a
    `Langevin` one [3]_.

    Ctrl-C returns what was done, with ``interrupted=True``: paths that had not left are censored at the time at which they
    were last seen.

    References
    ----------
    .. [1] E. Gobet, Stoch. Process. Appl. 87, 167 (2000).
    .. [2] R. Mannella, Phys. Lett. A 254, 257 (1999).
    .. [3] T. W. Marshall, E. J. Watson, J. Phys. A 18, 3531 (1985).

    Examples
    --------
    >>> import shld_sim as shld
    >>> model = shld.Langevin(shld.DoubleWell(), D=0.2)
    >>> exits = shld.first_passage(model, x0=-1.0, domain=(-float("inf"), 0.0), dt=0.01, n_paths=100, seed=1)
    >>> bool(exits.censored.any())
    False
    """
    arguments.check_model(model, arguments.MODELS)
    if not isinstance(model, Diffusion):
        require(model, type(model))  # type: ignore[type-var]
    sets = _sets(model.dim, domain, targets)
    start = arguments.starts(model, x0, n_paths)
    _check_starts(sets, start)
    if dt is None:
        raise TypeError("dt must be given, the time step")
    dt = _checks.positive("dt", dt)
    if not t_max > 0:
        raise ValueError(f"t_max must be positive, got {t_max!r}")
    limit = 2**62 if math.isinf(t_max) else arguments.whole_steps("t_max", _checks.positive("t_max", t_max), dt)
    scheme = arguments.scheme_of(model, scheme)
    walls = [item.wall(entered) for _, item, entered in sets]
    bridged = exit_plans.bridged(model, scheme, bridge, walls)

    from shld_sim.engine import exits, streams

    keys = streams.keys(arguments.seed_of(seed))
    generators = None
    if isinstance(model, Underdamped):
        generators = np.zeros((len(start), 4), np.uint64)
        streams.start_states(*keys, 0, generators)
    elif p0 is not None:
        raise ValueError(f"p0 must be None for a model without momenta, got {p0!r}")
    alone = len(sets) == 1 and isinstance(sets[0][1], Interval) and not sets[0][2]
    interval = (sets[0][1].low, sets[0][1].high) if alone else None  # type: ignore[attr-defined]
    plan = exit_plans.exit_plan(model, scheme, dt, start, p0, walls, bridged, interval, generators)
    (count, dim), faces, width = start.shape, plan.faces, plan.width
    out, status = np.full((count, dim + 2), np.nan), np.zeros(count, np.uint8)
    team_size = max(1, min(thread_count(n_threads), count // exits.B))
    calls, held = [], []
    bounds = np.linspace(0, count, team_size + 1).astype(np.int64)
    pace = Pace(4096)
    for first, end in itertools.pairwise(bounds):
        lanes, words = np.zeros((width + faces + 2) * exits.B), np.zeros(4 * exits.B, np.uint64)
        lanes[: width * exits.B] = np.repeat(plan.beginning[0], exits.B)
        lanes[width * exits.B :] = 1.0
        path, age = np.full(exits.B, -1), np.zeros(exits.B, np.int64)
        held.append((lanes, path, age))
        fixed = (lanes, words, path, age, np.array([first, end]), plan.beginning, dt, plan.alpha, plan.amplitude)
        calls.append((fixed, (plan.params, *plan.boundary, keys, limit)))

    def piece(call: tuple[Any, Any], budget: int) -> bool:
        return bool(plan.run(*call[0], *call[1], budget, out, status))

    working = calls
    with Team(team_size) as team, Progress(count, "first passage", progress) as bar:
        while working and not team.interrupted:
            budget = pace.begin()
            more = team.run([functools.partial(piece, call, budget) for call in working])
            pace.end()
            working = [call for call, unfinished in zip(working, more, strict=True) if unfinished]
            bar.update(int((status != exits.RUNNING).sum()))
            failure = _failed_exit(working, out, status == exits.EXITED, dt, dim, width)
            if failure is not None:
                raise DivergenceError(*failure, dt, arguments.stable_step(model, start), scheme)
    if team.interrupted:
        warnings.warn("interrupted: paths that had not left are censored where they were last seen", stacklevel=2)
    exposure = np.nan_to_num(out[:, 0])
    place = np.where((status == exits.RUNNING)[:, None], start, out[:, 1 : 1 + dim])
    for lanes, path, age in held:  # paths under way, when the run was interrupted
        running = path >= 0
        exposure[path[running]] = age[running] * dt
        place[path[running]] = lanes[: dim * exits.B].reshape(dim, -1).T[running]
    left = status == exits.EXITED
    if faces == 0:
        side = np.nan_to_num(out[:, 2]).astype(np.int8)
        which = np.where(side == 0, -1, side > 0).astype(np.int8)
    else:
        which = np.where(left, out[:, 1 + dim], -1.0).astype(np.int8)
        _move_onto_walls(place, which, sets, walls, bridged)
        side = np.zeros(count, np.int8)
        if dim == 1:
            side[left] = np.sign(place[left] - start[left])[:, 0].astype(np.int8)
    return Exits(
        times=np.where(left, out[:, 0], np.nan),
        censored=~left,
        exposure=exposure,
        side=side,
        place=place[:, 0] if dim == 1 else place,
        model=model,
        domain=sets[-1][1] if isinstance(domain, Domain) else None if domain is None else tuple(map(float, domain)),  # type: ignore[arg-type]
        dt=dt,
        t_max=float(t_max),
        scheme=scheme,
        bridge=any(bridged),
        seed=describe_seed(arguments.seed_of(seed)),
        interrupted=team.interrupted,
        version=__version__,
        which=which,
        targets=tuple(item for _, item, entered in sets if entered),
    )


def _sets(dim: int, domain: Any, targets: Any) -> list[tuple[str, Domain, bool]]:
    """Return (argument, set, whether paths stop by entering it) for each target and then the domain."""
    if domain is None and targets is None:
        raise TypeError("give domain, the set to leave, or targets, the sets to enter")
    found: list[tuple[str, Domain, bool]] = []
    if targets is not None:
        if not isinstance(targets, Domain | Sequence):
            raise TypeError(f"targets must be a list of sets, got {targets!r}")
        listed = [targets] if isinstance(targets, Domain) else list(targets)
        if not listed:
            raise ValueError("targets must hold at least one set, got none")
        found += [(f"targets[{i}]", as_domain(f"targets[{i}]", item, dim), True) for i, item in enumerate(listed)]
    if domain is not None:
        found.append(("domain", as_domain("domain", domain, dim), False))
    total = sum(item.wall(entered).count for _, item, entered in found)
    if total > 127:
        raise ValueError(f"domain and targets must have at most 127 walls together, got {total}")
    return found


def _check_starts(sets: list[tuple[str, Domain, bool]], start: Array) -> None:
    points = start[:, 0] if start.shape[1] == 1 else start
    for name, item, entered in sets:
        value = item.distance(points)
        wrong = ~(value < 0.0) & ~(value == 0.0) if entered else ~(value > 0.0)
        if entered and item.wall(True).distance:
            wrong |= value == 0.0
        if wrong.any():
            got = points[wrong][0].tolist()
            shown = f"({item.low!r}, {item.high!r})" if isinstance(item, Interval) else repr(item)
            raise ValueError(f"x0 must lie {'outside' if entered else 'inside'} {name}={shown}, got {got!r}")


def _move_onto_walls(
    place: Array, which: NDArray[np.int8], sets: list[tuple[str, Domain, bool]], walls: list[Wall], bridged: list[bool]
) -> None:
    """Move the places of exits through bridged walls from the straight line between two points onto the wall."""
    first = 0
    for (_, item, _), wall, on in zip(sets, walls, bridged, strict=True):
        for face in range(wall.count if on else 0):
            rows = which == first + face
            place[rows] = item.onto(place[rows], face if wall.count > 1 else -1)
        first += wall.count


def _failed_exit(
    working: list[tuple[Any, Any]], out: Array, left: NDArray[np.bool_], dt: float, dim: int, width: int
) -> tuple[int, float] | None:
    """Return the number and time of a path that is not finite, in its lane or where it seems to have left."""
    bad = left & ~np.isfinite(out).all(axis=1)
    if bad.any():
        path = int(np.argmax(bad))
        if np.isfinite(out[path, : 1 + dim]).all():
            raise ValueError(
                f"inside, the function of a Region, must return numbers, got NaN about x={out[path, 1 : 1 + dim]}"
            )
        return path, float(np.nan_to_num(out[path, 0]))
    for fixed, _ in working:
        lanes, _, path_in, age = fixed[:4]
        bad = (path_in >= 0) & ~np.isfinite(lanes[: width * len(path_in)].reshape(width, -1)).all(axis=0)
        if bad.any():
            i = int(np.argmax(bad))
            return int(path_in[i]), float(age[i] * dt)
    return None


class Extrapolation(NamedTuple):
    """A mean exit time extrapolated to dt = 0.

    Attributes
    ----------
    value : float
        The mean exit time.
    stderr : float
        Its standard error.
    table : dict
        ``dt``, ``mean``, ``stderr`` and ``fitted``, arrays; ``order``, the exponents; ``slopes``, their coefficients;
        ``p_value``, the probability of deviations as large, NaN when there are as many step sizes as unknowns.
    """

    value: float
    stderr: float
    table: dict[str, Any]


def extrapolate_exit_time(
    model: Model,
    x0: ArrayLike,
    domain: Domain | tuple[float, float] | None = None,
    dts: Sequence[float] = (),
    n_paths: int = 10_000,
    *,
    targets: Domain | Sequence[Domain | tuple[float, float]] | None = None,
    order: float | Sequence[float] | None = None,
    seed: int | np.random.SeedSequence = 0,
    scheme: str | None = None,
    bridge: bool | None = None,
    n_threads: int | None = None,
    progress: bool | None = None,
) -> Extrapolation:
    r"""Estimate the mean exit time in the limit of a small time step from simulations at several steps.

    :math:`T(\Delta t) = T + \sum_k c_k \Delta t^{p_k}` is fitted by weighted least squares to independent simulations. Paths
    that are watched at multiples of dt only are late by a term of order 1/alpha (stable noise, alpha > 1) or 1/2 (Gaussian
    noise without bridge correction); with it, with inertia, and for alpha <= 1, the order is 1.

    Parameters
    ----------
    model : Langevin, LevyFlight, Underdamped or Diffusion
        The equation; D and sigma constant.
    x0 : array_like
        Start, as in `first_passage`.
    domain, dts, n_paths
        The domain as in `first_passage`; two or more time steps; number of paths at each.
    targets : sequence of sets, optional
        As in `first_passage`.
    order : float or sequence of float, optional
        Exponents ``p_k``, fewer than there are steps. Default: the one above.
    seed : int or numpy.random.SeedSequence
        As in `simulate`; every step size has its own stream.
    scheme, bridge, n_threads, progress
        As in `first_passage`.

    Returns
    -------
    Extrapolation
        ``value``, ``stderr`` and ``table``; unpacks like a tuple.

    Warns
    -----
    UserWarning
        If with more steps than unknowns chi-square has a probability below 1e-4: take smaller steps or another order.

    Examples
    --------
    >>> import shld_sim as shld
    >>> flight = shld.LevyFlight(shld.Polynomial([0.0, 0.0]), alpha=1.5, sigma=1.0)
    >>> value, stderr, table = shld.extrapolate_exit_time(flight, 0.0, (-1.0, 1.0), [0.02, 0.0025], 2000, seed=1)
    >>> abs(value - 0.752) < 5 * stderr
    True
    """
    from scipy.stats import chi2

    arguments.check_model(model, arguments.MODELS)
    steps = np.array([_checks.positive(f"dts[{i}]", dt) for i, dt in enumerate(dts)])
    if len(set(steps.tolist())) != len(steps) or len(steps) < 2:
        raise ValueError(f"dts must hold at least two different time steps, got {list(dts)!r}")
    if order is None:
        walls = [item.wall(entered) for _, item, entered in _sets(model.dim, domain, targets)]
        order = exit_plans.order_of_error(
            model, exit_plans.bridged(model, arguments.scheme_of(model, scheme), bridge, walls)
        )
    orders = np.array([_checks.positive("order", p) for p in np.atleast_1d(np.asarray(order, dtype=object))])
    if not len(set(orders.tolist())) == len(orders) < len(steps):
        raise ValueError(f"order must hold different exponents, fewer than the {len(steps)} of dts, got {order!r}")
    root = arguments.seed_of(seed)
    means, errors = np.empty(len(steps)), np.empty(len(steps))
    for i, dt in enumerate(steps):
        own = child(root, i)
        exits = first_passage(
            model, x0, domain, float(dt), n_paths, targets=targets, seed=own, scheme=scheme, bridge=bridge,
            n_threads=n_threads, progress=progress,
        )  # fmt: skip
        means[i], errors[i] = exits.mean(), exits.stderr()
    scaled = np.column_stack([np.ones(len(steps)), *((steps / steps.max()) ** p for p in orders)])
    covariance = np.linalg.inv(scaled.T @ (scaled / errors[:, None] ** 2))
    solution = covariance @ (scaled.T @ (means / errors**2))
    fitted = scaled @ solution
    freedom = len(steps) - 1 - len(orders)
    p_value = float(chi2.sf((((means - fitted) / errors) ** 2).sum(), freedom)) if freedom else math.nan
    if p_value < 1e-4:
        warnings.warn(
            f"mean exit times do not follow order {orders.tolist()} in dt (chi-square probability {p_value:.1g}): "
            "take smaller steps or give another order",
            stacklevel=2,
        )
    table = {"dt": steps, "mean": means, "stderr": errors, "fitted": fitted, "order": tuple(orders.tolist())}
    slopes = solution[1:] / steps.max() ** orders
    return Extrapolation(
        float(solution[0]), float(math.sqrt(covariance[0, 0])), {**table, "slopes": slopes, "p_value": p_value}
    )
