"""Rare exits: probabilities and mean times that direct simulation cannot reach, by adaptive multilevel splitting."""

from __future__ import annotations

import functools
import inspect
import math
import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._compile import plain
from shld_sim._progress import Progress
from shld_sim._seeds import child
from shld_sim._version import __version__
from shld_sim._work import Pace, Team, thread_count
from shld_sim.engine import splitting, streams
from shld_sim.models import Langevin, require
from shld_sim.potentials.evaluate import compiled_rows
from shld_sim.results import DivergenceError, RareExit
from shld_sim.results.archives import describe_seed
from shld_sim.simulate import arguments

__all__ = ["rare_exit"]

Array = NDArray[np.float64]
PILOT = 50_000  # steps of the path that places the surface
LARGEST_PIECE = 10_000_000  # steps between two looks at Ctrl-C
EXTREME = 2**20  # number of the stream of the loops, far beyond those of the replicas


def rare_exit(
    model: Langevin,
    x0: ArrayLike,
    target: float,
    *,
    home: float,
    coordinate: Callable[..., Any] | None = None,
    params: Sequence[float] = (),
    surface: float | None = None,
    dt: float,
    n_replicas: int = 200,
    n_kill: int = 1,
    n_runs: int = 32,
    seed: int | np.random.SeedSequence = 0,
    n_threads: int | None = None,
    progress: bool | None = None,
) -> RareExit:
    r"""Estimate how long a path takes to a far target, or how likely it gets there before it falls home, however rare.

    Home is the set :math:`A = \{\xi \le a\}` and the target :math:`B = \{\xi \ge b\}` of a coordinate :math:`\xi`. From
    ``x0`` between them the result has the probability to reach B before A. From ``x0`` in A it has the mean time to B too:
    with a surface :math:`\Sigma = \{\xi \ge s\}` just outside A,

    .. math:: E T = E T_{x_0 \to \Sigma} + (1/p - 1)\,E[T_{\Sigma \to A \to \Sigma}] + E[T_{\Sigma \to B} | B\ \text{before}\ A],

    where p, the probability to reach B before A, starts from the law of the points at which a path that goes to and fro
    between A and :math:`\Sigma` enters :math:`\Sigma`. Each run samples that law by simulating ``n_replicas`` loops, and p
    by multilevel splitting [1]_: of N replicas those with the lowest maxima of :math:`\xi`, K of them, are killed, ties
    included, and each is replaced by a survivor cut at its first point above the killing level and continued afresh, until
    fewer than ``n_kill`` have not reached B. Then :math:`\hat p = \prod (1 - K_i/N)\, N_B/N` is unbiased for every N,
    every ``n_kill`` and every coordinate; the coordinate decides the variance.

    Parameters
    ----------
    model : Langevin
        The equation, with constant D.
    x0 : array_like
        Start: one point, in A for the mean time, between A and B for the probability.
    target : float
        Level b of the target.
    home : float
        Level a of home. In one dimension, without ``coordinate``, home and target are positions and either may be larger.
    coordinate : callable, optional
        Scalar function that Numba can compile, in the style of a potential's energy: ``coordinate(x, p)``,
        ``coordinate(x, y, p)``, ... It should grow along the way from home to target. Default, in one dimension: the
        position, with Brownian bridges between steps.
    params : sequence of float
        Passed to ``coordinate`` as ``p``.
    surface : float, optional
        Level s of the surface between home and target. Default: where a path that starts at ``x0`` is a tenth of its
        time, or half its spread beyond home.
    dt : float
        Time step.
    n_replicas : int
        Replicas per run.
    n_kill : int
        How many to kill in a round, at least.
    n_runs : int
        Independent runs, from which the intervals come.
    seed : int or numpy.random.SeedSequence
        Each replica's branches have streams of their own, functions of (seed, run, replica, branch): the result is the
        same bit for bit for any number of threads.
    n_threads : int, optional
        Default: the processors available.
    progress : bool, optional
        As in `simulate`.

    Returns
    -------
    RareExit
        ``mean()``, ``interval()``, ``probability()``, ``probability_interval()``, ``cost`` and the values of all runs.

    Raises
    ------
    ValueError, TypeError
        For an argument that makes no sense; the message names it.
    DivergenceError
        If a path leaves the finite numbers.

    Notes
    -----
    Steps are Heun's, of second weak order. The relative variance of a run is about ``-log(p)/n_replicas``, and that of
    the result this over ``n_runs``. Steps in one dimension are filled in by bridges, and branches start on the
    killing level itself, so that ends may stand anywhere, also on a saddle. With a ``coordinate`` the chain alone counts:
    it sees the target late, by about ``0.58 sqrt(2 D dt) |grad xi|``, which does not matter when b lies beyond the saddle.
    Where A and :math:`\Sigma` stand does not bias the mean time; in more than one dimension some loops are left out before the
    entries are used. A path that reaches B while the loops are made starts again from ``x0``. A walk in a well between home and
    target is as long as that well holds it. Where the coordinate grows off the way as well, the estimate stays unbiased but a
    few runs carry it, and the intervals are too narrow when none of them was met: compare two coordinates, or more replicas.

    ``benchmarks/bench_rare.py`` prints how often the intervals cover, their width, and the cost beside direct simulation.

    Ctrl-C returns the runs that were finished, with ``interrupted=True``.

    References
    ----------
    .. [1] C.-E. Brehier, M. Gazeau, L. Goudenege, T. Lelievre, M. Rousset, Ann. Appl. Probab. 26, 3559 (2016).
    .. [2] F. Cerou, A. Guyader, T. Lelievre, D. Pommier, J. Chem. Phys. 134, 054108 (2011): mean times.

    Examples
    --------
    >>> import shld_sim as shld
    >>> model = shld.Langevin(shld.DoubleWell(), D=0.01)
    >>> exits = shld.rare_exit(model, -1.0, 0.0, home=-1.0, dt=0.02, n_replicas=50, n_runs=4, seed=1)
    >>> exits.probability() < 1e-9
    True
    """
    require(model, Langevin)
    dim, potential = model.dim, model.potential
    start = _checks.points("x0", x0, dim)
    if start.ndim != (0 if dim == 1 else 1):
        raise ValueError(f"x0 must be one point, got shape {start.shape}")
    start = np.array(start.reshape(dim))
    a, b = _checks.number("home", home), _checks.number("target", target)
    dt = _checks.positive("dt", dt)
    n_replicas = _checks.integer("n_replicas", n_replicas, 2)
    n_kill = _checks.integer("n_kill", n_kill)
    if n_kill >= n_replicas:
        raise ValueError(f"n_kill must be below n_replicas={n_replicas}, got {n_kill}")
    n_runs = _checks.integer("n_runs", n_runs)
    seed = arguments.seed_of(seed)
    sign = 1.0
    if coordinate is None:
        if dim != 1:
            raise ValueError(f"coordinate must be given for a model with {dim} coordinates, got None")
        if a == b:
            raise ValueError(f"target must differ from home={a!r}, got {b!r}")
        sign = 1.0 if b > a else -1.0
        values: tuple[Any, ...] = (sign,)
        level = sign * float(start[0])
    else:
        if a >= b:
            raise ValueError(f"target must lie above home={a!r} in the coordinate, got {b!r}")
        values = tuple(_checks.number(f"params[{i}]", value) for i, value in enumerate(params))
        coordinate = plain(coordinate)
        level = _coordinate_at(coordinate, start, values, potential.functions.vector)
    a, b = sign * a, sign * b
    if level >= b:
        raise ValueError(f"x0 must lie before target={target!r}, got {x0!r} with coordinate {sign * level!r}")
    between = level > a
    if surface is not None:
        s = sign * _checks.number("surface", surface)
        if between:
            raise ValueError(f"surface must be None when x0={x0!r} lies between home and target, got {surface!r}")
        if not a < s < b:
            raise ValueError(f"surface must lie between home={home!r} and target={target!r}, got {surface!r}")

    D = float(model.D)  # type: ignore[arg-type]
    loops, split = splitting.splitting_kernels(
        potential.functions.gradient, coordinate, potential.functions.vector, dim
    )
    motion = (dt, math.sqrt(2.0 * D * dt), 1.0 / (D * dt), potential.params, values)
    runs: list[_Run] = []
    cost = 0
    if between:
        s = math.nan
    elif surface is None:
        pilot = _Run(start, 1, loops, split, motion, streams.keys(child(seed, n_runs)), (a, b, b), 1)
        seen = np.empty(PILOT)
        pilot.loop_piece(2 * PILOT, seen)
        pilot.check(start, dt, model)
        s = max(float(np.quantile(seen, 0.9)), a + 0.5 * float(seen.std()))
        s = min(s, 0.5 * (a + b))
        cost = PILOT
    for i in range(n_runs):
        keys = streams.keys(child(seed, i))
        runs.append(_Run(start, n_replicas, loops, split, motion, keys, (a, s, b), n_kill))
    n_threads = min(thread_count(n_threads), n_runs)
    queues = [runs[i::n_threads] for i in range(n_threads)]
    finished = 0
    pace = Pace(200_000)
    with Team(n_threads) as team, Progress(n_runs, "rare exit", progress) as bar:
        while finished < n_runs and not team.interrupted:
            budget = min(pace.begin(), LARGEST_PIECE)
            team.run([functools.partial(_advance, queue, budget) for queue in queues if queue])
            pace.end()
            for run in runs:
                run.check(start, dt, model)
            finished = sum(run.over for run in runs)
            bar.update(finished)
    if team.interrupted:
        warnings.warn(f"interrupted: {finished} of {n_runs} runs were finished and are kept", stacklevel=2)
    done = [run for run in runs if run.over]
    return RareExit(
        probabilities=np.array([run.probability() for run in done]),
        loops=np.array([run.loop_time() for run in done]),
        reactive=np.array([run.reactive_time() for run in done]),
        first=np.array([run.first_time() for run in done]),
        cost=cost + sum(run.spent() for run in runs),
        rounds=np.array([run.state[splitting.ROUNDS] for run in done], dtype=np.int64),
        surface=sign * s,
        model=model,
        x0=start[0] if dim == 1 else start,
        home=float(home),
        target=float(target),
        dt=dt,
        n_replicas=n_replicas,
        n_kill=n_kill,
        seed=describe_seed(seed),
        interrupted=team.interrupted,
        version=__version__,
    )


def _advance(queue: list[_Run], budget: int) -> None:
    """Advance the first of the runs in the queue, and those behind it as it ends, by about ``budget`` steps."""
    while queue and budget > 0:
        before = queue[0].spent()
        if queue[0].piece(budget):
            run = queue.pop(0)
            budget -= run.spent() - before
        else:
            budget -= max(1, queue[0].spent() - before)


class _Run:
    """One independent run: its loops, then its replicas, advanced in pieces."""

    def __init__(
        self,
        x0: Array,
        n_replicas: int,
        loops: Callable[..., bool],
        split: Callable[..., bool],
        motion: tuple[Any, ...],
        keys: tuple[np.uint64, np.uint64],
        levels: tuple[float, float, float],
        n_kill: int,
    ) -> None:
        n, dim = n_replicas, len(x0)
        self.x0, self.loops, self.split, self.motion, self.keys = x0, loops, split, motion, keys
        self.levels, self.n_kill = levels, n_kill
        self.looping = not math.isnan(levels[1])
        # on a line every entry is the same point; elsewhere their law needs some loops to settle
        self.skip = 0 if dim == 1 else 10 + n // 10
        self.count, self.sums, self.entries = np.zeros(6, np.int64), np.zeros(5), np.tile(x0, (n, 1))
        self.walk = np.zeros(dim), np.zeros(4), np.zeros(4, np.uint64)
        self.state, self.weight = np.zeros(7, np.int64), np.array([1.0, -math.inf])
        self.level, self.began, self.ended = np.zeros(n), np.zeros(n), np.zeros(n)
        self.branch, self.killed, self.alive = (np.zeros(n, np.int64) for _ in range(3))
        self.over = False

    def piece(self, budget: int) -> bool:
        """Advance by about ``budget`` steps; True when the run is over or has failed."""
        if self.looping:
            self.looping = not self.loop_piece(budget, np.empty(0))
            return bool(self.count[splitting.WALKING] < 0)
        low, high = self.levels[0], self.levels[2]
        replicas = (self.level, self.entries, self.began, self.ended, self.branch, self.killed, self.alive)
        self.over = bool(
            self.split(
                *(self.state, self.weight, *replicas, *self.walk, self.n_kill, (low, high)),
                *(*self.motion, self.keys, budget),
            )
        )
        return self.over

    def loop_piece(self, budget: int, seen: Array) -> bool:
        fixed = (seen, self.x0, *self.walk, self.skip, EXTREME, self.levels)
        return bool(self.loops(self.count, self.sums, self.entries, *fixed, *self.motion, self.keys, budget))

    def check(self, x0: Array, dt: float, model: Langevin) -> None:
        """Raise if the run has failed."""
        if self.count[splitting.WALKING] < 0 or self.state[splitting.PHASE] == -splitting.FAILED:
            stable = arguments.stable_step(model, x0[None])
            raise DivergenceError(
                int(self.state[splitting.ITEM]), float(self.walk[1][splitting.TIME]), dt, stable, "heun"
            )
        if self.state[splitting.PHASE] < 0:
            raise RuntimeError("a parent's walk could not be repeated: please report this")

    def spent(self) -> int:
        return int(self.count[splitting.SPENT] + self.state[splitting.STEPS])

    def probability(self) -> float:
        """Return the product of (1 - K/N) times the share of replicas that reached the target."""
        return float(self.weight[splitting.WEIGHT] * np.isinf(self.level).mean())

    def reactive_time(self) -> float:
        arrived = np.isinf(self.level)
        return float(self.ended[arrived].mean()) if arrived.any() else 0.0

    def loop_time(self) -> float:
        if math.isnan(self.levels[1]):
            return math.nan
        number = self.sums[splitting.LOOP_COUNT]
        return float(self.sums[splitting.LOOP_SUM] / number) if number else 0.0

    def first_time(self) -> float:
        number = self.sums[splitting.START_COUNT]
        return float(self.sums[splitting.START_SUM] / number) if number else math.nan


def _coordinate_at(coordinate: Any, x0: Array, params: tuple[float, ...], vector: bool) -> float:
    """Return the coordinate at ``x0``, or raise if it is not a function of points that Numba can compile."""
    if not isinstance(coordinate, types.FunctionType):
        raise TypeError(f"coordinate must be a function made by def, lambda or numba.njit, got {coordinate!r}")
    expected = [*("x" if vector else "xyz"[: len(x0)]), "p"]
    got = list(inspect.signature(coordinate).parameters)
    if len(got) != len(expected):
        raise ValueError(f"coordinate must take ({', '.join(expected)}), got a function of ({', '.join(got)})")
    out = np.full((1, 1), np.nan)
    try:
        compiled_rows(coordinate, len(x0), False, vector)(x0[None], params, out)
    except ValueError as error:
        raise ValueError(str(error).replace("energy", "coordinate", 1)) from error
    if not np.isfinite(out[0, 0]):
        raise ValueError(f"coordinate must be finite at x0={x0.tolist()}, got {out[0, 0]}")
    return float(out[0, 0])
