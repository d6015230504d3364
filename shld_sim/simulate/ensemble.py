"""Ensembles of paths and their continuation: validate, run the kernel in pieces, return an Ensemble."""

from __future__ import annotations

import dataclasses
import functools
import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks, _work
from shld_sim._progress import Progress
from shld_sim._version import __version__
from shld_sim._work import Pace, Team, cuts, thread_count
from shld_sim.models import Model
from shld_sim.results import DivergenceError, Ensemble, Status, describe_seed
from shld_sim.simulate import arguments

Array = NDArray[np.float64]


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
    arguments.check_model(model)
    dt = _checks.positive("dt", dt)
    scheme = arguments.scheme_of(model, scheme)
    _checks.one_of("on_divergence", on_divergence, ("raise", "mark"))
    given = None if noise is None else arguments.given_noise(model, noise)
    if given is not None and n_steps is None and t_end is None:
        n_steps = len(given)
    steps = arguments.step_count(dt, t_end, n_steps)
    start = arguments.starts(model, x0, n_paths if given is None or n_paths is not None else given.shape[1])
    if given is not None and given.shape[:2] != (steps, len(start)):
        raise ValueError(
            f"noise must hold {steps} steps of {len(start)} paths, got {given.shape[0]} steps of {given.shape[1]}"
        )
    if save_every is not None:
        save_every = _checks.integer("save_every", save_every)
    described = None if given is not None else describe_seed(arguments.seed_of(seed))
    states = np.zeros((len(start), 4), np.uint64)
    if given is None:
        from shld_sim.engine import streams

        streams.start_states(*streams.keys(arguments.seed_of(seed)), 0, states)
    begin = Ensemble(
        t=np.zeros(1),
        x=arguments.outward(start[None], model.dim),
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
    steps = arguments.step_count(run.dt, t_end, n_steps)
    if steps < run.n_steps:
        raise ValueError(
            f"{'n_steps' if t_end is None else 't_end'} must not be before the end of the run, "
            f"step {run.n_steps} at t={run.n_steps * run.dt:g}; got step {steps}"
        )
    _checks.one_of("on_divergence", on_divergence, ("raise", "mark"))
    return _advance(run, steps, None, on_divergence, n_threads, progress)


def _advance(
    run: Ensemble, n_steps: int, given: Array | None, on_divergence: str, n_threads: int | None, progress: bool | None
) -> Ensemble:
    """Return ``run`` continued to step ``n_steps``."""
    model, dim, dt = run.model, run.model.dim, run.dt
    plan = arguments.ensemble_plan(model, run.scheme, dt, given is not None)
    every = run.save_every
    # Rows that stay: a run that ended between two saved steps kept its last row only for being the end.
    old = 0 if every is None else run.n_steps // every + 1
    fresh = 0 if every is None else n_steps // every + 1 - old
    ends = 1 if every is None else int(n_steps % every > 0)
    n_saved = old + fresh + ends
    what = f"{n_saved} saved times of {run.n_paths} paths"
    _work.check_memory(what, n_saved * run.n_paths * dim * 8, "take a larger save_every or fewer paths")
    paths = np.empty((n_saved, run.n_paths, dim))
    paths[:old] = arguments.inward(run.x, dim)[:old]
    saved = paths[old : old + fresh]
    state, words, status = arguments.inward(run.final[None], dim)[0].copy(), run.words.copy(), run.status.copy()
    source = np.zeros((1, 1, dim)) if given is None else given
    ranges = cuts(run.n_paths, thread_count(n_threads), plan.lanes)
    pace = Pace(max(2, 2_000_000 // max(1, run.n_paths * dim)))
    done, row = run.n_steps, 0

    def advance(low: int, high: int, first: int, amplitudes: Array, rows: Array) -> None:
        """Move the paths low <= i < high from step ``first`` on, one step per amplitude, and write the kept ``rows``."""
        increments = source if given is None else source[first : first + len(amplitudes)]
        fixed = (dt, plan.alpha, plan.params, increments)
        plan.run(state, words, low, high, amplitudes, *fixed, first, rows, every if len(rows) else 0)

    with Team(len(ranges)) as team, Progress(n_steps - done, "simulate", progress) as bar:
        while done < n_steps and not team.interrupted:
            count = min(pace.begin(), n_steps - done)
            new = 0 if every is None else (done + count) // every - done // every
            amplitudes = np.broadcast_to(
                plan.unit * arguments.amplitude(model, dt * np.arange(done, done + count)), count
            ).copy()
            before = state.copy(), words.copy()
            rows = saved[row : row + new]
            team.run([functools.partial(advance, low, high, done, amplitudes, rows) for low, high in ranges])
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
                    path,
                    (done + failed) * dt,
                    dt,
                    arguments.stable_step(model, arguments.inward(run.final[None], dim)[0]),
                    run.scheme,
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
        x=arguments.outward(paths[: len(steps)], dim),
        status=status,
        n_steps=done,
        words=words,
        interrupted=team.interrupted,
    )
