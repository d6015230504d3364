"""Sweep a function over parameters on any concurrent.futures executor: own seeds, a store that continues, no lost points."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import inspect
import io
import itertools
import json
import os
import pickle
import queue
import signal
import sys
import threading
import traceback
import types
import uuid
import warnings
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim._compile import plain
from shld_sim._progress import Progress
from shld_sim._version import __version__
from shld_sim._work import thread_count

FORMAT = "shld_sim sweep 1"
HEADER = "sweep.json"
WINDOW = 10_000  # points handed to a given executor at a time

__all__ = ["PointError", "SweepResult", "sweep"]


@dataclass(frozen=True)
class PointError:
    """Why a point of a sweep has no value.

    Attributes
    ----------
    kind : str
        Type of the last exception.
    message : str
        Its message.
    attempts : int
        How often the point was tried.
    traceback : str
        Traceback in the worker; empty when the worker died.
    """

    kind: str
    message: str
    attempts: int
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message} (tried {self.attempts} times)"


@dataclass(frozen=True, eq=False)
class SweepResult:
    """Values of a function over parameters. Iteration gives pairs ``(parameters, value)``.

    Attributes
    ----------
    parameters : tuple of dict
        The points, in order; the last name of a grid changes fastest.
    values : tuple
        What the function returned at each point; None where there is no value.
    errors : dict of int to PointError
        Points that failed: number of the point to the reason.
    interrupted : bool
        True when Ctrl-C ended the sweep; the points done are kept.
    axes : dict of list, or None
        The lists that span the grid; None for a list of points.
    function : str
        Name of the function.
    seed : dict or None
        Entropy and spawn key of the sweep's seed; None when the function takes none.
    version : str
        Version of shld_sim.
    """

    parameters: tuple[dict[str, Any], ...]
    values: tuple[Any, ...]
    errors: dict[int, PointError]
    interrupted: bool
    axes: dict[str, list[Any]] | None
    function: str
    seed: dict[str, Any] | None
    version: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis of the grid; for a list of points, their number."""
        return (len(self.parameters),) if self.axes is None else tuple(len(axis) for axis in self.axes.values())

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Any]]:
        return iter(zip(self.parameters, self.values, strict=True))

    def table(self) -> dict[str, NDArray[Any]]:
        """Return columns: each parameter, then each value (named "value" unless the function returns a dict).

        Returns
        -------
        dict of str to ndarray
            Each of shape ``(n, ...)`` for ``n`` points; NaN where there is no value.
        """
        names = list(dict.fromkeys(name for point in self.parameters for name in point))
        columns = {name: _column([point.get(name) for point in self.parameters]) for name in names}
        return {**columns, **{name: self._values_of(name) for name in self._value_names()}}

    def array(self, name: str = "value") -> NDArray[Any]:
        """Return one column with the shape of the grid.

        Parameters
        ----------
        name : str
            A key of the dict that the function returns, a parameter, or "value" when it returns no dict.

        Returns
        -------
        ndarray
            Shape ``shape + (shape of one value)``; NaN where there is no value.
        """
        table = self.table()
        _checks.one_of("name", name, table)
        return table[name].reshape(self.shape + table[name].shape[1:])

    def _value_names(self) -> list[str]:
        names: dict[str, None] = {}
        for value in self.values:
            if value is not None:
                names.update(dict.fromkeys(value if isinstance(value, dict) else ["value"]))
        return list(names) or ["value"]

    def _values_of(self, name: str) -> NDArray[Any]:
        found = {}
        for i, value in enumerate(self.values):
            if isinstance(value, dict):
                if name in value:
                    found[i] = np.asarray(value[name])
            elif value is not None and name == "value":
                found[i] = np.asarray(value)
        shapes = {value.shape for value in found.values()}
        if len(shapes) > 1:
            raise ValueError(f"{name} must have one shape at all points to make a column, got {sorted(shapes)}")
        kind = np.result_type(*found.values(), *([np.float64] if len(found) < len(self.values) else []))
        out = np.full((len(self.values), *(shapes or {()}).pop()), 0 if kind.kind in "biu" else np.nan, kind)
        for i, value in found.items():
            out[i] = value
        return out

    def __repr__(self) -> str:
        done = sum(value is not None for value in self.values)
        flags = (f", {len(self.errors)} failed" if self.errors else "") + (", interrupted" if self.interrupted else "")
        return f"<SweepResult of {self.function}: {done} of {len(self)} points done{flags}>"


def _column(values: list[Any]) -> NDArray[Any]:
    """Return parameters as an array: of numbers or strings where that is possible, else of objects."""
    with contextlib.suppress(ValueError):
        column = np.asarray(values)
        if column.dtype.kind in "biufcU":
            return column
    column = np.empty(len(values), object)
    for i, value in enumerate(values):
        column[i] = value
    return column


def sweep(
    function: Callable[..., Any],
    parameters: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    *,
    seed: int | np.random.SeedSequence = 0,
    executor: Executor | None = None,
    store: str | os.PathLike[str] | None = None,
    retries: int = 1,
    progress: bool | None = None,
) -> SweepResult:
    """Evaluate ``function(**point)`` at every point of a grid or list of parameters, on many processes or machines.

    Parameters
    ----------
    function : callable
        Returns a number, an array, or a dict of them. To reach other processes it must stand at the top level of a
        module or script. Leave ``n_threads=1`` to simulations inside it: the processors are taken by the points.
    parameters : dict of lists, or list of dicts
        A dict spans the grid of all combinations, the last name changing fastest; a list gives the points. Values are
        numbers, strings, None, or lists of them.
    seed : int or numpy.random.SeedSequence
        A function with an argument ``seed`` that ``parameters`` do not give receives a `numpy.random.SeedSequence` made
        from this seed and the point's parameters alone: the same bits in any order, beside any other points, on any
        executor.
    executor : concurrent.futures.Executor, optional
        Where to work; it is left open. ``Client.get_executor()`` of Dask, ``MPIPoolExecutor`` of mpi4py and
        ``ThreadPoolExecutor`` will do. Default: one process per processor available, ended with the sweep.
    store : str or path-like, optional
        Directory that keeps each point as soon as it is finished. A sweep of the same function, seed and version with
        the same store takes up what is there, also after it was killed.
    retries : int
        How often a point is tried again after an exception or the death of its worker.
    progress : bool, optional
        Show progress on stderr. Default: on a terminal, for work longer than two seconds.

    Returns
    -------
    SweepResult
        ``values``, ``table()``, ``array(name)``; ``errors`` of the points that failed.

    Raises
    ------
    TypeError, ValueError
        For a function that cannot be sent, parameters that do not fit it, or a store of another function.
    RuntimeError
        If the worker processes cannot start.

    Notes
    -----
    The processes of the default executor are started by "spawn": a fork would copy locks that other threads hold (Numba,
    BLAS and tqdm have threads) and may hang. A script must therefore call `sweep` under ``if __name__ == "__main__":``.

    When a worker of the default executor dies, the points under way beside it are run again, each alone; only a point
    whose own worker dies then has used up an attempt.

    Ctrl-C returns what was done, with ``interrupted=True``.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import shld_sim as shld
    >>> with ThreadPoolExecutor(2) as pool:
    ...     result = shld.sweep(pow, [{"base": 2, "exp": 3}, {"base": 3, "exp": 2}], executor=pool)
    >>> result.values
    (8, 9)
    """
    if not callable(function):
        raise TypeError(f"function must be callable, got {function!r}")
    if executor is not None and not (hasattr(executor, "submit") and hasattr(executor, "shutdown")):
        raise TypeError(f"executor must be a concurrent.futures.Executor, got {executor!r}")
    retries = _checks.integer("retries", retries, 0)
    points, axes = _points(parameters)
    keys = [canonical_key(point) for point in points]
    if len(set(keys)) < len(keys):
        repeated = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise ValueError(f"parameters must hold each point once, got {repeated} twice")
    seeded = _takes_seed(function, points)
    root = _seed_sequence(seed)
    described = {"entropy": _plain_entropy(root), "spawn_key": list(map(int, root.spawn_key))} if seeded else None
    keeper = None if store is None else Store(store, function, described)
    name = _name(function)
    values: dict[int, Any] = {}
    if keeper is not None:
        found = {i: keeper.read(key) for i, key in enumerate(keys)}
        values = {i: value for i, value in found.items() if value is not None}
    calls = {}
    for i, (point, key) in enumerate(zip(points, keys, strict=True)):
        if i not in values:
            calls[i] = {**point, "seed": point_seed(root, key)} if seeded else point

    def done(i: int, value: Any) -> None:
        values[i] = value
        if keeper is not None:
            keeper.write(keys[i], value)

    interrupted, errors = False, {}
    if calls:
        with Progress(len(points), f"sweep {name}", progress) as bar:
            run = _Run(function, calls, done, executor, retries, lambda: bar.update(len(values) + len(run.errors)))
            interrupted = run.go()
            errors = dict(sorted(run.errors.items()))
    if interrupted:
        warnings.warn(f"interrupted: {len(values)} of {len(points)} points are done", stacklevel=2)
    return SweepResult(
        parameters=tuple(dict(point) for point in points),
        values=tuple(values.get(i) for i in range(len(points))),
        errors=errors,
        interrupted=interrupted,
        axes=axes,
        function=name,
        seed=described,
        version=__version__,
    )


# -- parameters and seeds ---------------------------------------------------------------------------------------------


def _points(parameters: Any) -> tuple[list[dict[str, Any]], dict[str, list[Any]] | None]:
    """Return the points in order, and the axes of a grid."""
    if isinstance(parameters, Mapping):
        lists = {}
        for name, axis in parameters.items():
            listed = axis.ndim > 0 if isinstance(axis, np.ndarray) else isinstance(axis, Sequence)
            if not listed or isinstance(axis, (str, bytes)):
                raise TypeError(f"parameters[{name!r}] must be a list of values, got {axis!r}")
            lists[name] = axis.tolist() if isinstance(axis, np.ndarray) else list(axis)
        points = [dict(zip(lists, combination, strict=True)) for combination in itertools.product(*lists.values())]
        axes: dict[str, list[Any]] | None = lists
    elif isinstance(parameters, Sequence) and all(isinstance(point, Mapping) for point in parameters):
        axes, points = None, [dict(point) for point in parameters]
    else:
        raise TypeError(f"parameters must be a dict of lists or a list of dicts, got {parameters!r}")
    if not points or not any(points):
        raise ValueError(f"parameters must hold at least one point, got {parameters!r}")
    for point in points:
        for name in point:
            if not isinstance(name, str):
                raise TypeError(f"parameters must have names, got {name!r}")
    return points, axes


def canonical_key(point: Mapping[str, Any]) -> str:
    """Return a point as JSON, the same for equal numbers of any type and any order of names."""
    return json.dumps({name: _plain_value(name, point[name]) for name in sorted(point)}, separators=(",", ":"))


def _plain_value(name: str, value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain_value(name, item) for item in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain_value(name, value[key]) for key in sorted(value)}
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    raise TypeError(
        f"{name} must be a number, a string, None, or a list or dict of these, got {value!r}: "
        "make other objects inside the function"
    )


def _seed_sequence(seed: Any) -> np.random.SeedSequence:
    return (
        seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(_checks.integer("seed", seed, 0))
    )


def _plain_entropy(seed: np.random.SeedSequence) -> Any:
    return [int(e) for e in seed.entropy] if isinstance(seed.entropy, Sequence) else int(seed.entropy)  # type: ignore[arg-type]


def point_seed(root: np.random.SeedSequence, key: str) -> np.random.SeedSequence:
    """Return the seed of the point with canonical ``key``: a child of ``root`` numbered by the key's digest."""
    words = np.frombuffer(hashlib.sha256(key.encode()).digest(), "<u4")
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *map(int, words)))


def _takes_seed(function: Callable[..., Any], points: list[dict[str, Any]]) -> bool:
    """Check that the points fit the function; return whether it takes a seed that they do not give."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return False
    given = ["seed" in point for point in points]
    if any(given) and not all(given):
        raise ValueError("parameters must give a seed at all points or at none")
    taken = signature.parameters.get("seed")
    seeded = taken is not None and taken.kind is not inspect.Parameter.POSITIONAL_ONLY and not given[0]
    for point in points:
        try:
            signature.bind(**point, **({"seed": None} if seeded else {}))
        except TypeError as error:
            raise TypeError(f"parameters must fit {_name(function)}{signature}, got {point!r}: {error}") from None
    return seeded


def _name(function: Callable[..., Any]) -> str:
    inner = function.func if isinstance(function, functools.partial) else plain(function)
    return str(getattr(inner, "__qualname__", type(inner).__qualname__))


# -- in the workers ---------------------------------------------------------------------------------------------------


def _call(function: Callable[..., Any], arguments: dict[str, Any], home: int, attempt: str) -> tuple[str, Any]:
    """Return ("value", value) or ("error", (kind, message, traceback)). ``attempt`` makes every call a different one."""
    with _deaf_to_interrupts() if os.getpid() != home else contextlib.nullcontext():
        try:
            return "value", _plain_result(function(**arguments))
        except (Exception, SystemExit) as error:
            return "error", (type(error).__name__, str(error), traceback.format_exc())


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Leave Ctrl-C, which a terminal sends to all its processes, to the process that sweeps.

    Otherwise a simulation would end early and pass for a finished one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _plain_result(value: Any) -> Any:
    """Return what the function returned as Python numbers, arrays, or a dict of them."""
    if isinstance(value, Mapping):
        if not value or not all(isinstance(name, str) for name in value):
            raise TypeError(f"function must return a dict with names as keys, got {value!r}")
        return {name: _plain_number(item) for name, item in value.items()}
    return _plain_number(value)


def _plain_number(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"function must return a number, an array or a dict of them, got {value!r}")
    return array.item() if array.ndim == 0 else array


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _load(blob: bytes) -> str:
    """Try in a worker whether it finds the function; return what is wrong."""
    try:
        pickle.loads(blob)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


class FromFile:
    """A function of a file that no import would find, as of a script loaded by its path; workers load the file too."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name

    def __call__(self, **arguments: Any) -> Any:
        return getattr(_module_of(self.path), self.name)(**arguments)


@functools.cache
def _module_of(path: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"_sweep_{Path(path).stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _portable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function``, or a stand-in, that pickle can send to other processes."""
    try:
        pickle.dumps(function)
        return function
    except Exception as error:
        code = getattr(plain(function), "__code__", None)
        name = getattr(function, "__qualname__", "")
        if code is not None and name.isidentifier() and name != "<lambda>" and os.path.isfile(code.co_filename):
            if function.__module__ not in sys.modules:
                return FromFile(os.path.abspath(code.co_filename), name)
        raise TypeError(
            f"function must be defined at the top level of a module or script to reach other processes, got "
            f"{_name(function)}: give it a name there by def, or use a ThreadPoolExecutor ({error})"
        ) from None


# -- in the process that sweeps ---------------------------------------------------------------------------------------


class _Run:
    """Hands points to an executor, takes their results as they come, and gives failed ones another chance."""

    def __init__(
        self,
        function: Callable[..., Any],
        calls: dict[int, dict[str, Any]],
        done: Callable[[int, Any], None],
        executor: Executor | None,
        retries: int,
        tick: Callable[[], None],
    ) -> None:
        from concurrent.futures import ProcessPoolExecutor

        self.own = executor is None
        self.function = _portable(function) if self.own or isinstance(executor, ProcessPoolExecutor) else function
        self.calls, self.done, self.retries, self.tick = calls, done, retries, tick
        self.errors: dict[int, PointError] = {}
        self.attempts = dict.fromkeys(calls, 0)
        self.waiting, self.alone = deque(calls), deque[int]()
        self.outstanding: dict[Future[Any], int] = {}
        self.arrived: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self.workers = min(thread_count(None), len(calls))
        self.executor = executor
        self.label = uuid.uuid4().hex

    def go(self) -> bool:
        """Run to the end; return whether Ctrl-C ended it before."""
        finished = False
        try:
            with _interrupts_raise():
                try:
                    self._loop()
                    finished = True
                    return False
                except KeyboardInterrupt:
                    for future in list(self.outstanding):
                        future.cancel()
                    for future in self._finished():
                        self._take(future)
                    return True
        finally:
            if not finished:
                for future in self.outstanding:
                    future.cancel()
            if self.own and self.executor is not None:
                self._close(self.executor, finished)

    def _loop(self) -> None:
        if self.executor is None:
            self.executor = self._pool()
        while self.waiting or self.alone or self.outstanding:
            # Few points are under way in the own pool, so that it is known which ones a dying worker may have killed.
            room = 1 if self.alone else self.workers if self.own else WINDOW
            source = self.alone or self.waiting
            if source and len(self.outstanding) < room:
                self._submit(source)
                with contextlib.suppress(queue.Empty):
                    while True:
                        self._receive(self.arrived.get_nowait())
            elif self.outstanding:
                self._receive(self.arrived.get())

    def _submit(self, source: deque[int]) -> None:
        assert self.executor is not None
        i = source[0]
        label = f"{self.label}-{i}-{self.attempts[i]}"
        try:
            future = self.executor.submit(_call, self.function, self.calls[i], os.getpid(), label)
        except BrokenExecutor as error:
            self._broken(error)
            return
        source.popleft()
        self.outstanding[future] = i
        future.add_done_callback(self.arrived.put)

    def _receive(self, future: Future[Any]) -> None:
        if future not in self.outstanding:
            return
        error = None if future.cancelled() else future.exception()
        if isinstance(error, BrokenExecutor):
            self._broken(error)
        else:
            self._take(future)

    def _take(self, future: Future[Any]) -> None:
        """Record what became of a point."""
        i = self.outstanding[future]
        try:
            kind, result = future.result()
        except Exception as error:  # lost on the way: the executor's own trouble
            kind, result = "error", (type(error).__name__, str(error), "")
        if kind == "value":
            self.done(i, result)
        else:
            self._failed(i, *result)
        del self.outstanding[future]
        self.tick()

    def _finished(self) -> list[Future[Any]]:
        """Return the calls that have come back and wait to be taken."""
        return [f for f in self.outstanding if f.done() and not f.cancelled() and f.exception() is None]

    def _failed(self, i: int, kind: str, message: str, trace: str) -> None:
        self.attempts[i] += 1
        if self.attempts[i] <= self.retries:
            (self.alone if kind == "BrokenProcessPool" else self.waiting).append(i)
        else:
            self.errors[i] = PointError(kind, message, self.attempts[i], trace)

    def _broken(self, error: BrokenExecutor) -> None:
        """A worker died and took the executor with it: start another, and find out whose fault it was."""
        wait(self.outstanding, timeout=60.0)
        for future in self._finished():
            self._take(future)
        suspects = list(self.outstanding.values())
        self.outstanding.clear()
        message = "a worker process ended abruptly (killed, out of memory, or os._exit)"
        if not self.own:
            for i in [*suspects, *self.alone, *self.waiting]:
                self.attempts[i] += 1
                reason = f"the given executor is broken, {error}"
                self.errors[i] = PointError(type(error).__name__, reason, self.attempts[i])
            self.alone.clear()
            self.waiting.clear()
            self.tick()
            return
        if len(suspects) == 1:
            self._failed(suspects[0], "BrokenProcessPool", message, "")
        else:
            self.alone.extend(suspects)
        self.tick()
        assert self.executor is not None
        self._close(self.executor, False)
        self.executor = self._pool() if self.alone or self.waiting else None

    def _pool(self) -> Executor:
        """Return a pool whose workers have been seen to start and to find the function."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.workers, context, _ignore_interrupts)
        try:
            with _interrupts_wait():
                trial = pool.submit(_load, pickle.dumps(self.function))
            problem = trial.result()
        except BrokenExecutor:
            self._close(pool, False)
            raise RuntimeError(
                'worker processes cannot start: a script must call sweep under `if __name__ == "__main__":`, '
                "and its top level must run in a worker without errors"
            ) from None
        except BaseException:
            self._close(pool, False)
            raise
        if problem:
            self._close(pool, True)
            raise TypeError(f"function must be one that worker processes can import, got {self.function!r}: {problem}")
        return pool

    def _close(self, pool: Executor, finished: bool) -> None:
        processes = dict(getattr(pool, "_processes", None) or {})
        pool.shutdown(wait=finished, cancel_futures=True)
        if not finished:  # points under way are given up
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                process.join(5.0)


@contextlib.contextmanager
def _interrupts_raise() -> Iterator[None]:
    """Let Ctrl-C raise here, also while a simulation in this thread would rather end by itself and return a part."""
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Block Ctrl-C for a moment: processes started meanwhile stay deaf to it, from their first instruction on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# -- the store --------------------------------------------------------------------------------------------------------


class Store:
    """A directory with a header, ``sweep.json``, and one file per finished point; every file is whole or absent."""

    def __init__(
        self, folder: str | os.PathLike[str], function: Callable[..., Any], seed: dict[str, Any] | None
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        header = {
            "format": FORMAT,
            "version": __version__,
            "function": _name(function),
            "fingerprint": function_digest(function),
            "seed": seed,
        }
        path = self.folder / HEADER
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            strangers = [entry.name for entry in self.folder.iterdir() if not entry.name.endswith(".partial")]
            if strangers:
                raise ValueError(
                    f"store must be an empty directory or one that sweep made, got {str(folder)!r} with {strangers[0]!r}"
                ) from None
            self._replace(path, json.dumps(header, indent=1).encode())
            return
        except ValueError:
            found = {}
        different = [key for key in header if not isinstance(found, dict) or found.get(key) != header[key]]
        if different:
            key = different[0]
            was = found.get(key) if isinstance(found, dict) else None
            what = "code of the function" if key == "fingerprint" else key
            raise ValueError(
                f"store must be of this sweep, got {str(folder)!r}, whose {what} is another "
                f"({str(was)[:60]!r}, now {str(header[key])[:60]!r}): give a new directory"
            )

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"

    def _replace(self, path: Path, data: bytes) -> None:
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
        try:
            partial.write_bytes(data)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def write(self, key: str, value: Any) -> None:
        """Keep the value of the point with canonical ``key``."""
        entries = value if isinstance(value, dict) else {"": value}
        header = {"key": key, "names": list(entries), "dict": isinstance(value, dict)}
        arrays: dict[str, Any] = {f"v{i}": np.asarray(entry) for i, entry in enumerate(entries.values())}
        buffer = io.BytesIO()
        np.savez(buffer, header=np.array(json.dumps(header)), **arrays)
        self._replace(self._path(key), buffer.getvalue())

    def read(self, key: str) -> Any:
        """Return the value of a point, or None when it is not there or not readable."""
        try:
            with open(self._path(key), "rb") as raw, np.load(raw, allow_pickle=False) as file:
                header = json.loads(str(file["header"][()]))
                if header["key"] != key:
                    return None
                entries = {name: _plain_number(file[f"v{i}"]) for i, name in enumerate(header["names"])}
            return entries if header["dict"] else entries[""]
        except (FileNotFoundError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None


def function_digest(function: Callable[..., Any]) -> str:
    """Return a digest of the function's code and of what it names in its own module, not of the libraries it calls."""
    digest = hashlib.sha256()
    if isinstance(function, functools.partial):
        digest.update(repr((function.args, sorted(function.keywords.items()))).encode())
        return digest.hexdigest() + function_digest(function.func)
    start = plain(function)
    if not isinstance(start, types.FunctionType):
        start = vars(type(start)).get("__call__", start)
    todo: list[Any] = [start]
    seen: set[int] = set()
    while todo:
        value = plain(todo.pop())
        if not isinstance(value, types.FunctionType) or id(value) in seen:
            continue
        seen.add(id(value))
        digest.update(repr((value.__defaults__, sorted((value.__kwdefaults__ or {}).items()))).encode())
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        named = {f"cell {i}": cell for i, cell in enumerate(cells)}
        codes = [value.__code__]
        for code in codes:
            digest.update(code.co_code + repr(code.co_names).encode())
            for constant in code.co_consts:
                if isinstance(constant, types.CodeType):
                    codes.append(constant)
                else:
                    digest.update(_shown(constant).encode())
            named.update({name: value.__globals__[name] for name in code.co_names if name in value.__globals__})
        for name in sorted(named):
            other = plain(named[name])
            if isinstance(other, types.FunctionType) and other.__module__ == start.__module__:
                todo.append(other)
            digest.update(f"{name}={_shown(other)};".encode())
    return digest.hexdigest()


def _shown(value: Any) -> str:
    """Return a text for a value that is the same in every process."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{value.tobytes().hex()}"
    if isinstance(value, (set, frozenset)):
        return f"set{sorted(map(_shown, value))}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({','.join(map(_shown, value))})"
    if isinstance(value, dict):
        return f"dict({','.join(f'{_shown(k)}:{_shown(v)}' for k, v in value.items())})"
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        return repr(value)
    return str(getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__)))
