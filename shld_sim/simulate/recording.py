"""Where the rows of a run go, into memory, a file or running statistics, and what ends the run before its time."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks, _work, records
from shld_sim.models import Model
from shld_sim.records import Histogram, HistogramRecord, Moments, MomentsRecord, Record, Statistic
from shld_sim.results import Ensemble, Status, stores
from shld_sim.simulate import arguments

Array = NDArray[np.float64]
BUFFER = 2**20  # bytes of rows made at a time for a file or for statistics
CHECKPOINT = 10.0  # seconds between two states written beside a store


@dataclasses.dataclass(frozen=True)
class Wishes:
    """What a run should do besides moving its paths, and when it should stop."""

    on_divergence: str
    n_threads: int | None
    progress: bool | None
    time_limit: float | None
    target_stderr: float | None

    def __post_init__(self) -> None:
        _checks.one_of("on_divergence", self.on_divergence, ("raise", "mark"))
        for name in ("time_limit", "target_stderr"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _checks.positive(name, getattr(self, name)))


# -- running statistics ----


class Tally:
    """Sums of one statistic, path by path."""

    def __init__(self, record: Record, model: Model, dt: float) -> None:
        self.start, self.dim = record, model.dim
        self.statistic, self.n = record.statistic, record.n_samples
        self.every = self.statistic.every
        self.begin = max(1, math.ceil(self.statistic.burn_in / dt - 1e-9))
        if isinstance(self.statistic, Histogram):
            self.edges = np.array(self.statistic.edges)
            equal = np.linspace(self.edges[0], self.edges[-1], len(self.edges))
            self.even = bool((np.abs(self.edges - equal) <= equal[1] - equal[0]).all())
        names = [field.name for field in dataclasses.fields(record)[2:] if field.name != "kept"]
        self.sums = {name: getattr(record, name).copy() for name in names}

    def take(self, x: Array, team: _work.Team, ranges: list[tuple[int, int]]) -> None:
        """Add the positions at some times, shape (times, n_paths, dim), each range of paths in a thread."""
        if not len(x):
            return
        f = self.statistic.observable
        values = x if f is None else np.array([observed(f, arguments.outward(row, self.dim)) for row in x])
        flat = np.ascontiguousarray(values.reshape(len(x), -1))
        each = flat.shape[1] // x.shape[1]
        team.run([functools.partial(self._add, flat, low * each, high * each) for low, high in ranges])
        self.n += len(x)

    def _add(self, values: Array, low: int, high: int) -> None:
        """Add the columns low <= i < high of ``values``."""
        from shld_sim.simulate import tallies

        if isinstance(self.statistic, Moments):
            sums = (self.sums[name].reshape(-1) for name in ("path_means", "path_squares"))
            tallies.moments(values, low, high, self.n, *sums)
        else:
            tallies.histogram(values, low, high, self.edges, self.even, self.sums["counts"])

    def record(self, status: NDArray[np.uint8]) -> Record:
        """Return the record of the paths that have not diverged."""
        kept = status != Status.DIVERGED
        return dataclasses.replace(self.start, n_samples=self.n, kept=kept, **self.sums)


def observed(f: records.Observable, x: Array) -> Array:
    """Return the values of an observable, one per path."""
    values = np.asarray(f(x))
    if values.shape != (len(x),) or not (np.issubdtype(values.dtype, np.number) or values.dtype == bool):
        raise ValueError(f"observable must return {len(x)} numbers, one per path, got {values!r:.80}")
    if np.iscomplexobj(values):
        raise ValueError(f"observable must return real numbers, got {values!r:.80}")
    return values.astype(np.float64)


def asked(statistics: Any) -> tuple[Statistic, ...]:
    """Return the argument ``statistics`` as a tuple."""
    if statistics is None:
        return ()
    several = tuple(statistics) if isinstance(statistics, Iterable) else (statistics,)
    for statistic in several:
        if not isinstance(statistic, (Moments, Histogram)):
            raise TypeError(f"statistics must be Moments, a Histogram or a list of them, got {statistic!r}")
    return several


def blank(statistics: tuple[Statistic, ...], model: Model, start: Array) -> tuple[Record, ...]:
    """Return records without samples for paths that begin at ``start``, shape (n_paths, dim)."""
    n, kept = len(start), np.ones(len(start), bool)
    out: list[Record] = []
    for statistic in statistics:
        if statistic.observable is not None:
            observed(statistic.observable, arguments.outward(start, model.dim))
        if isinstance(statistic, Moments):
            sums = np.zeros(n if model.dim == 1 or statistic.observable is not None else (n, model.dim))
            out.append(MomentsRecord(statistic, 0, sums, sums, kept))
            continue
        if model.dim > 1 and statistic.observable is None:
            raise ValueError(f"observable must be given for a Histogram in {model.dim} dimensions, got None")
        bins = len(statistic.edges) - 1
        _work.check_memory(f"histograms of {n} paths in {bins} bins", 16 * n * bins, "take fewer bins or paths")
        out.append(HistogramRecord(statistic, 0, np.zeros((n, bins), np.int64), kept))
    return tuple(out)


def given_again(old: tuple[Record, ...], statistics: Any) -> tuple[Record, ...]:
    """Return the records ``old`` with the functions of ``statistics``, which must otherwise be the same."""
    new = asked(statistics)
    if [records.describe(s) for s in new] != [records.describe(r.statistic) for r in old]:
        raise ValueError(f"statistics must be those of the run, {[r.statistic for r in old]!r}; got {list(new)!r}")
    return tuple(dataclasses.replace(r, statistic=s) for r, s in zip(old, new))  # type: ignore[arg-type]


def check_target(target_stderr: float | None, old: tuple[Record, ...]) -> int | None:
    """Return the number of the statistic whose standard error may end the run."""
    if target_stderr is None:
        return None
    moments = [i for i, record in enumerate(old) if isinstance(record.statistic, Moments)]
    if len(moments) != 1:
        raise ValueError(f"target_stderr needs exactly one Moments among the statistics, got {len(moments)}")
    if old[moments[0]].kept.size < 2:
        raise ValueError("target_stderr needs at least 2 paths, got 1")
    if old[moments[0]].statistic.burn_in == 0.0:
        raise ValueError("target_stderr needs burn_in > 0, got 0: paths with a common start agree at first by no merit")
    return moments[0]


# -- the store ----


class Store:
    """Writes rows to a file that np.load can read, and beside it the state from which a killed run goes on."""

    def __init__(self, path: str, n_paths: int, width: int, start: str, new: bool) -> None:
        self.path, self.start, self.shape = path, start, (n_paths, width)
        self.row_bytes = n_paths * width * 8
        self.partial = path + ".partial" if new else None  # a store has a state from the moment it bears its name
        self.file = os.fdopen(os.open(self.partial or path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            lock(self.file, path)
        except BaseException:
            self.file.close()
            raise
        if new:
            self.file.truncate(0)
        self.last, self.cost = time.monotonic(), 0.0

    def write(self, row: int, rows: Array) -> None:
        """Write rows from number ``row`` on: the first columns of the states."""
        if len(rows):
            self.file.seek(stores.NPY_HEADER + row * self.row_bytes)
            self.file.write(np.ascontiguousarray(rows[..., : self.shape[1]]).data.cast("B"))

    def due(self) -> bool:
        """Return whether it is time for a checkpoint; they may take a twentieth of the time."""
        return time.monotonic() - self.last > max(CHECKPOINT, 20.0 * self.cost)

    def checkpoint(self, run: Ensemble, state: Array, planned: int) -> None:
        """Write what has been done: the last row, the header of the file, then the state beside it."""
        begun = time.monotonic()
        rows, extra = stores.row_count(run.n_steps, run.save_every)
        if extra:
            self.write(rows, state[None])
        self.file.seek(0)
        self.file.write(stores.npy_header(rows + extra, *self.shape))
        self.file.flush()
        os.fsync(self.file.fileno())
        stores.write_checkpoint(self.path, run, state[:, : self.shape[1]], planned, self.start)
        if self.partial is not None:
            os.replace(self.partial, self.path)
            self.partial = None
        self.last = time.monotonic()
        self.cost = self.last - begun

    def finish(self, run: Ensemble, state: Array, planned: int) -> None:
        """Write what has been done and drop what an earlier kill may have left behind it."""
        self.checkpoint(run, state, planned)
        self.file.truncate(stores.NPY_HEADER + sum(stores.row_count(run.n_steps, run.save_every)) * self.row_bytes)

    def close(self) -> None:
        """Let go of the file; one that never got a state is removed."""
        self.file.close()
        if self.partial is not None:
            os.unlink(self.partial)


def lock(file: Any, path: str) -> None:
    """Keep a second process from writing to ``file``, where the system can."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"store must not be in use, got {path!r}, which another run is writing") from None
    except OSError:  # a file system without locks
        return


def digest(state: Array) -> str:
    """Return what tells one start of all paths from another."""
    return hashlib.sha256(state.tobytes()).hexdigest()


def earlier(path: str, run: Ensemble) -> Ensemble | None:
    """Return the run of an existing store if it is ``run``, which is at time 0; None where there is none."""
    if not os.path.lexists(path):
        return None
    if run.seed is None:
        raise ValueError(f"store must be a new file for a run with noise=, got {path!r}")
    if not os.path.exists(stores.state_path(path)):
        raise ValueError(f"store must be a new file or the store of this run, got {path!r}, which is neither")
    found, first = stores.open_store(path, run.model, "store")
    for name in ("dt", "scheme", "save_every", "seed", "n_paths", "boundary", "box"):
        if getattr(found, name) != getattr(run, name):
            other = f"with {name}={getattr(found, name)!r} instead of {getattr(run, name)!r}"
            raise ValueError(f"store must be a new file or the store of this run, got {path!r}: a run {other}")
    if first != digest(states(run, 0, width_of(run))):
        raise ValueError(f"store must be a new file or the store of this run, got {path!r}: a run from another x0")
    return dataclasses.replace(found, statistics=given_again(found.statistics, [r.statistic for r in run.statistics]))


# -- rows ----


class Recorder:
    """Takes the rows of each piece of work to where they belong."""

    def __init__(self, run: Ensemble, n_steps: int, width: int, path: str | None) -> None:
        """Make room for the run continued to ``n_steps``, in states of ``width`` numbers per path."""
        self.every, self.dt, self.dim = run.save_every, run.dt, run.model.dim
        self.tallies = tallies = [Tally(record, run.model, run.dt) for record in run.statistics]
        # Rows that stay: a run that ended between two saved steps kept its last row only for being the end.
        self.old = stores.row_count(run.n_steps, self.every)[0]
        total = sum(stores.row_count(n_steps, self.every))
        self.row = self.old
        self.stride = math.gcd(*([] if self.every is None else [self.every]), *(t.every for t in tallies))
        size = run.n_paths * width * 8
        self.buffer: Array | None = None
        self.store: Store | None = None
        what, advice = f"{total} saved times of {run.n_paths} paths", "take a larger save_every or fewer paths"
        if path is None:
            _work.check_memory(what, total * size, advice)
            self.paths = np.empty((total, run.n_paths, width))
            if self.old:
                self.paths[: self.old] = arguments.joined(run.model, run.x, run.momenta, width)[: self.old]
        else:
            new = total - (self.old if path == run.store else 0)
            _work.check_disk(what, path, (new + 4) * size, advice)  # and the state beside the rows, old and new
        if tallies or path is not None:
            most = 1 if self.stride == 0 else max(1, (n_steps - run.n_steps) // self.stride)
            self.buffer = np.empty((max(1, min(most, BUFFER // size)), run.n_paths, width))
        self.store = store_of(run, path)

    def limit(self, done: int, count: int) -> int:
        """Return how many of the ``count`` steps after step ``done`` the buffer has room for."""
        if self.buffer is None or self.stride == 0:
            return count
        return min(count, (done // self.stride + len(self.buffer) + 1) * self.stride - 1 - done)

    def rows(self, done: int, count: int) -> Array:
        """Return the room for the rows that ``count`` steps after step ``done`` write, one each ``stride`` steps."""
        new = 0 if self.stride == 0 else (done + count) // self.stride - done // self.stride
        return self.paths[self.row : self.row + new] if self.buffer is None else self.buffer[:new]

    def take(self, done: int, rows: Array, team: _work.Team, ranges: list[tuple[int, int]]) -> None:
        """Take the rows written by the steps after step ``done`` to where they belong."""
        if self.every is not None:
            chosen = rows if self.buffer is None else self._picked(done, rows, self.every, 0)
            if self.store is not None:
                self.store.write(self.row, chosen)
            elif self.buffer is not None:
                self.paths[self.row : self.row + len(chosen)] = chosen
            self.row += len(chosen)
        for tally in self.tallies:
            tally.take(self._picked(done, rows, tally.every, tally.begin)[..., : self.dim], team, ranges)

    def _picked(self, done: int, rows: Array, every: int, begin: int) -> Array:
        """Return the rows of the steps from ``begin`` on that are multiples of ``every``."""
        first = -(-max(done + 1, begin) // every) * every
        return rows[first // self.stride - done // self.stride - 1 :: every // self.stride]

    def records(self, status: NDArray[np.uint8]) -> tuple[Record, ...]:
        """Return the statistics so far."""
        return tuple(tally.record(status) for tally in self.tallies)

    def reached(self, aim: int, target: float | None, status: NDArray[np.uint8]) -> bool:
        """Return whether the standard error of statistic number ``aim`` is below the target."""
        record = self.tallies[aim].record(status)
        return target is not None and isinstance(record, MomentsRecord) and bool(np.all(record.stderr < target))

    def due(self) -> bool:
        """Return whether it is time for a checkpoint."""
        return self.store is not None and self.store.due()

    def checkpoint(self, run: Ensemble, state: Array, planned: int) -> None:
        """Write down how far the run has come, where there is a store."""
        if self.store is not None:
            self.store.checkpoint(run, state, planned)

    def finished(self, run: Ensemble, state: Array, planned: int) -> Ensemble:
        """Return the run with its rows."""
        if self.store is not None:
            self.store.finish(run, state, planned)
            return dataclasses.replace(stores.open_store(self.store.path, run.model)[0], statistics=run.statistics)
        rows, extra = stores.row_count(run.n_steps, self.every)
        if extra:
            self.paths[rows] = state
        x, momenta = arguments.parted(run.model, self.paths[: rows + extra])
        times: Array = stores.saved_steps(run.n_steps, self.every) * np.float64(self.dt)
        return dataclasses.replace(run, t=times, x=x, momenta=momenta, last=None, store=None)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *error: object) -> None:
        if self.store is not None:
            self.store.close()


def store_of(run: Ensemble, path: str | None) -> Store | None:
    """Return the open store that ``run`` continues or begins, with its rows so far."""
    if path is None:
        return None
    if run.seed is None:
        raise ValueError(f"store needs random noise of the run's own, to go on after a kill; got noise= and {path!r}")
    width = width_of(run)
    if path == run.store:
        store = Store(path, run.n_paths, width, "", new=False)  # locked: nobody moves it on from here
        found, store.start = stores.open_store(path, run.model)
        if found.n_steps != run.n_steps:
            store.close()
            raise ValueError(
                f"run must be where its store is, step {found.n_steps}, got step {run.n_steps}: open the store again"
            )
        return store
    if os.path.lexists(path):
        raise ValueError(f"store must be a new file, or that of the run continued, got {path!r}")
    if not Path(path).resolve().parent.is_dir():
        raise FileNotFoundError(f"store must lie in an existing directory, got {path!r}")
    rows = stores.row_count(run.n_steps, run.save_every)[0]
    known = run.n_steps == 0 or rows > 0
    store = Store(path, run.n_paths, width, digest(states(run, 0, width)) if known else "", new=True)
    for i in range(rows):
        store.write(i, states(run, i, width)[None])
    return store


def width_of(run: Ensemble) -> int:
    """Return how many numbers per path a row of a store holds."""
    return run.model.dim * (1 if run.momenta is None else 2)


def states(run: Ensemble, row: int, width: int) -> Array:
    """Return a saved row of a run as states of the kernel, shape (n_paths, width)."""
    return arguments.joined(run.model, run.x[row], None if run.momenta is None else run.momenta[row], width)


def end_state(run: Ensemble, width: int) -> Array:
    """Return the states at the end of a run, shape (n_paths, width)."""
    if run.last is None:
        return states(run, -1, width)
    out = np.zeros((run.n_paths, width))
    out[:, : run.last.shape[1]] = run.last
    return out
