"""`sweep`: check what is asked for, take up what the store has, run the rest."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from shld_sim import _checks
from shld_sim._progress import Progress
from shld_sim._version import __version__
from shld_sim.sweep.points import (
    canonical_key,
    name_of,
    plain_entropy,
    point_seed,
    points_of,
    seed_sequence,
    takes_seed,
)
from shld_sim.sweep.result import SweepResult
from shld_sim.sweep.runner import Run
from shld_sim.sweep.store import Store


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
    points, axes = points_of(parameters)
    keys = [canonical_key(point) for point in points]
    if len(set(keys)) < len(keys):
        repeated = next(key for i, key in enumerate(keys) if key in keys[:i])
        raise ValueError(f"parameters must hold each point once, got {repeated} twice")
    seeded = takes_seed(function, points)
    root = seed_sequence(seed)
    described = {"entropy": plain_entropy(root), "spawn_key": list(map(int, root.spawn_key))} if seeded else None
    keeper = None if store is None else Store(store, function, described)
    name = name_of(function)
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
            run = Run(function, calls, done, executor, retries, lambda: bar.update(len(values) + len(run.errors)))
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
