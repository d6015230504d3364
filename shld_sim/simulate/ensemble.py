"""Ensembles of paths and their continuation: validate, run the kernel in pieces, return an Ensemble."""

from __future__ import annotations

import dataclasses
import functools
import os
import time
import warnings
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._progress import Progress
from shld_sim._version import __version__
from shld_sim._work import Pace, Team, cuts, thread_count
from shld_sim.models import Model
from shld_sim.records import Statistic
from shld_sim.results import DivergenceError, Ensemble, Status
from shld_sim.results.archives import describe_seed
from shld_sim.simulate import arguments, recording
from shld_sim.simulate.recording import Recorder, Wishes

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
    p0: ArrayLike | None = None,
    box: ArrayLike | None = None,
    boundary: str | None = None,
    on_divergence: str = "raise",
    n_threads: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
    statistics: Statistic | Iterable[Statistic] | None = None,
    time_limit: float | None = None,
    target_stderr: float | None = None,
) -> Ensemble:
    r"""Simulate paths of a stochastic differential equation.

    Scheme ``"euler"`` (Euler-Maruyama) makes the step

    .. math:: X_{n+1} = X_n - \nabla V(X_n)\,\Delta t + \xi_n, \qquad \xi_n = \sqrt{2 D \Delta t}\,N_n
        \quad\text{or}\quad \sigma\,\Delta t^{1/\alpha} L_n,

    scheme ``"split"`` makes :math:`X_{n+1} = \Phi_{\Delta t}(X_n + \xi_n)`, where :math:`\Phi` is the flow of
    :math:`x' = -\nabla V(x)`: exact where the potential knows it, otherwise computed to a relative 1e-7 by
    the Runge-Kutta pair of Dormand and Prince with step control.

    Scheme ``"baoab"`` [2]_ splits a step of `Underdamped` into half a kick, half a drift, friction and noise together
    exactly, half a drift and half a kick: :math:`P \mathrel{-}= \nabla V\,\Delta t/2,\ X \mathrel{+}= P\,\Delta t/2,\
    P = e^{-\gamma \Delta t} P + \sqrt{D (1 - e^{-2\gamma \Delta t})}\,N`, and back.

    A `Diffusion` in the sense of Ito makes Euler's step with :math:`\xi_n = B(X_n)\,\Delta W`, one in the sense of
    Stratonovich Heun's, scheme ``"heun"``: with Euler's step as a trial :math:`U`, it takes the mean of the drifts and of the
    noises at :math:`X_n` and :math:`U`. Strong orders 1/2, and 1 for noise that commutes.

    Parameters
    ----------
    model : Langevin, LevyFlight, Underdamped or Diffusion
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
    scheme : {"euler", "split", "baoab", "heun"}, optional
        Default: "euler" for Gaussian noise, "heun" for a `Diffusion` in the sense of Stratonovich, "baoab" for
        `Underdamped`. "split" for stable noise, where Euler-Maruyama explodes in wells steeper than quadratic.
    noise : array_like, optional
        Increments of W, or L, over the steps, shape ``(n_steps, n_paths)`` or ``(n_steps, n_paths, dim)`` (of a `Diffusion`,
        the number of its Wiener processes for ``dim``), in place of random numbers: of standard deviation ``sqrt(dt)`` per
        coordinate, or scale ``dt**(1/alpha)``.
    p0 : array_like, optional
        For `Underdamped`: the first momenta, given as ``x0`` is. Default: drawn from the Maxwell law N(0, D) with the first
        numbers of each path's own stream; needed along with ``noise``.
    box : array_like, optional
        Walls for the position: one pair ``(low, high)`` for all coordinates, or one per coordinate.
    boundary : {"reflecting", "periodic", "absorbing"}, optional
        What happens beyond the walls of ``box`` after each step, a jump included: the path is folded back as if by
        mirrors; comes in on the other side; or stays where it is for good, with status ``EXITED``. With inertia a mirror
        also turns the momentum round, within the step; see Notes.
    on_divergence : {"raise", "mark"}
        What to do when a path leaves the finite numbers: raise `DivergenceError`, or mark its status and go on.
    n_threads : int, optional
        Default: the processors available.
    progress : bool, optional
        Show progress on stderr. Default: on a terminal, for runs longer than two seconds.
    store : str or path-like, optional
        New file that takes the saved paths as they are made, when they are more than fits into memory: an array of NumPy's
        .npy, shape ``(n_saved, n_paths)`` or ``(n_saved, n_paths, dim)``, momenta after the coordinates. About every ten
        seconds the state is written beside it, as ``store + ".state.npz"``. After a kill, the same call, or `resume` of
        ``Ensemble.open(store)``, goes on from there to the same bits; the file of another run is refused.
    statistics : Moments or Histogram or list, optional
        What to accumulate over time and paths while running; no paths are kept for it. See ``Ensemble.statistics``.
    time_limit : float, optional
        Seconds after which the run ends, when the piece of work under way is done.
    target_stderr : float, optional
        End the run when the standard error of the mean falls below this, for the one `Moments` among the ``statistics``
        (all coordinates), whose ``burn_in`` must be positive. ``t_end`` stays the latest end.

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
    OSError
        Before anything is written, if the saved paths would not fit on the disk of ``store``.
    DivergenceError
        If a path leaves the finite numbers and ``on_divergence="raise"``.

    Notes
    -----
    For additive noise Euler-Maruyama has strong and weak order 1 [1]_. A split step ends with the flow, so that stationary
    tails in a steep well are too thin by O(dt); the law half a flow earlier is right to O(dt^2).

    A folded path is reflected along the coordinate: no probability flows through the wall, and `Langevin` and `Preconditioned`
    keep the Gibbs law on the box, where :math:`B B^T` is diagonal at it. Averages are then wrong by O(dt) [3]_, and the
    density by O(sqrt(dt)) within about one step of the wall. Heun's trial point is not folded: drift and noise are asked
    for somewhat beyond the walls. With inertia the free flights of "baoab" are between mirrors, or on the ring, exactly, so
    that walls cost no order; V is asked for in the box only.

    Ctrl-C, like the two limits, ends the run after the piece of work under way, some tenths of a second, and returns what
    was done; ``stopped`` names the reason, and `resume` continues. Where the run ends then depends on the machine, the
    paths up to there do not. Ending at ``target_stderr`` favours moments at which the error is underestimated: the true
    standard error is a little above the target, the more so the fewer the paths.

    References
    ----------
    .. [1] P. E. Kloeden, E. Platen, Numerical Solution of Stochastic Differential Equations (1992), chapter 10.
    .. [2] B. Leimkuhler, C. Matthews, Appl. Math. Res. Express 2013, 34.
    .. [3] M. Bossy, E. Gobet, D. Talay, J. Appl. Probab. 41, 877 (2004): the folded Euler scheme.

    Examples
    --------
    >>> import shld_sim as shld
    >>> model = shld.Langevin(shld.Harmonic(), D=0.5)
    >>> run = shld.simulate(model, x0=0.0, dt=0.01, t_end=1.0, n_paths=3, seed=1)
    >>> run.final.shape
    (3,)
    """
    arguments.check_model(model, arguments.MODELS)
    dt = _checks.positive("dt", dt)
    scheme = arguments.scheme_of(model, scheme)
    wishes = Wishes(on_divergence, n_threads, progress, time_limit, target_stderr)
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
    kind, walls = arguments.walls(model, box, boundary, start)
    momenta = arguments.first_momenta(model, p0, len(start), states, given is not None)
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
        momenta=None if momenta is None else arguments.outward(momenta[None], model.dim),
        statistics=recording.blank(recording.asked(statistics), model, start),
        boundary=kind,
        box=walls,
    )
    found = None if store is None else recording.earlier(os.fspath(store), begin)
    if found is not None and found.n_steps > steps:
        raise ValueError(f"store holds this run up to step {found.n_steps}, beyond step {steps}: open it instead")
    return _advance(found or begin, steps, given, wishes, store)


def resume(
    run: Ensemble,
    t_end: float | None = None,
    *,
    n_steps: int | None = None,
    on_divergence: str = "raise",
    n_threads: int | None = None,
    progress: bool | None = None,
    store: str | os.PathLike[str] | None = None,
    statistics: Statistic | Iterable[Statistic] | None = None,
    time_limit: float | None = None,
    target_stderr: float | None = None,
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
    store : str or path-like, optional
        New file for the whole run, as in `simulate`. Default: the store of the run, which goes on in its file.
    statistics : Moments or Histogram or list, optional
        Those of the run, once more; needed when observables are among them and the run was read from a file.
    time_limit, target_stderr
        As in `simulate`; the time counts from this call.

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
    wishes = Wishes(on_divergence, n_threads, progress, time_limit, target_stderr)
    if statistics is not None:
        run = dataclasses.replace(run, statistics=recording.given_again(run.statistics, statistics))
    return _advance(run, steps, None, wishes, run.store if store is None else store)


def _advance(
    run: Ensemble, n_steps: int, given: Array | None, wishes: Wishes, store: str | os.PathLike[str] | None
) -> Ensemble:
    """Return ``run`` continued to step ``n_steps``."""
    begun = time.monotonic()
    model, dim, dt = run.model, run.model.dim, run.dt
    aim = recording.check_target(wishes.target_stderr, run.statistics)
    path = None if store is None else os.fspath(store)
    plan = arguments.ensemble_plan(model, run.scheme, dt, given is not None, run.boundary, run.box)
    state, words, status = recording.end_state(run, plan.state_dim), run.words.copy(), run.status.copy()
    source = np.zeros((1, 1, dim)) if given is None else given
    threads = thread_count(wishes.n_threads)
    # more ranges than threads: a processor that others slow down then holds up less
    ranges = cuts(run.n_paths, 1 if threads == 1 else 4 * threads, plan.lanes)
    pace = Pace(max(2, 2_000_000 // max(1, run.n_paths * dim)))
    done, stopped = run.n_steps, ""
    recorder = Recorder(run, n_steps, plan.state_dim, path)

    def advance(low: int, high: int, first: int, amplitudes: Array, rows: Array) -> None:
        """Move the paths low <= i < high from step ``first`` on, one step per amplitude, and write the ``rows``."""
        increments = source if given is None else source[first : first + len(amplitudes)]
        fixed = (dt, plan.alpha, plan.params, increments)
        plan.run(state, words, low, high, amplitudes, *fixed, first, rows, recorder.stride if len(rows) else 0)

    def here() -> Ensemble:
        """Return the run as it stands, without its rows."""
        return dataclasses.replace(
            run,
            status=status,
            n_steps=done,
            words=words,
            interrupted=stopped == "interrupted",
            stopped=stopped,
            statistics=recorder.records(status),
        )

    shown = Progress(n_steps - done, "simulate", wishes.progress)
    with recorder, Team(min(threads, len(ranges))) as team, shown as bar:
        recorder.checkpoint(here(), state, n_steps)
        while done < n_steps and not stopped:
            count = recorder.limit(done, min(pace.begin(), n_steps - done))
            amplitudes = np.broadcast_to(
                plan.unit * arguments.amplitude(model, dt * np.arange(done, done + count)), count
            ).copy()
            before = state.copy(), words.copy()
            rows = recorder.rows(done, count)
            team.run([functools.partial(advance, low, high, done, amplitudes, rows) for low, high in ranges])
            bad = ~np.isfinite(state).all(axis=1) & (status != Status.DIVERGED)
            if bad.any() and wishes.on_divergence == "raise":
                path_number = int(np.argmax(bad))
                good, failed = 0, count
                while failed - good > 1:  # bisect for the step, from the start of the piece
                    middle = (good + failed) // 2
                    state[path_number], words[path_number] = before[0][path_number], before[1][path_number]
                    advance(path_number, path_number + 1, done, amplitudes[:middle], rows[:0])
                    good, failed = (middle, failed) if np.isfinite(state[path_number]).all() else (good, middle)
                starts = arguments.inward(run.final[None], dim)[0]
                stable = arguments.stable_step(model, starts)
                raise DivergenceError(path_number, (done + failed) * dt, dt, stable, run.scheme)
            status[bad] = Status.DIVERGED
            if run.boundary == "absorbing":
                low, high = np.array(run.box).T
                place = state[:, :dim]
                status[((place <= low) | (place >= high)).any(axis=1)] = Status.EXITED
            recorder.take(done, rows, team, ranges)
            done += count
            pace.end()
            bar.update(done - run.n_steps)
            if team.interrupted:
                stopped = "interrupted"
            elif done < n_steps and wishes.time_limit is not None and time.monotonic() - begun >= wishes.time_limit:
                stopped = "time_limit"
            elif done < n_steps and aim is not None and recorder.reached(aim, wishes.target_stderr, status):
                stopped = "target_stderr"
            elif recorder.due():
                recorder.checkpoint(here(), state, n_steps)
        if team.interrupted:
            stopped = "interrupted"
        out = recorder.finished(here(), state, n_steps)
    if stopped == "interrupted":
        warnings.warn(f"interrupted at t={done * dt:g}: resume() continues the run", stacklevel=3)
    return out
