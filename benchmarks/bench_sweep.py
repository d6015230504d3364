"""What a sweep costs besides the work: time per point on each executor, bytes per point, start of a process, storing.

Prints wall milliseconds, for a function that does nothing, and nanoseconds per path-step of one that simulates. Sections are
chosen by ``--only WORD``; the last one needs `distributed`, ``mpi`` also mpi4py and ``mpiexec``, and is left out otherwise.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pickle
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim.sweep.points import canonical_key, point_seed

WORKERS = 2


def nothing(D, piece, seed):
    """Three numbers, as a simulation would return them."""
    return {"n": 10_000, "sum": 1.0 * piece, "squares": D}


def ends(D, piece, n_steps, seed):
    """A piece of a large run: sums of the ends of its paths."""
    model = shld.Langevin(shld.DoubleWell(), D)
    run = shld.simulate(model, -1.0, 1e-3, n_steps=n_steps, n_paths=10_240, seed=seed, n_threads=1, progress=False)
    return {"n": run.n_paths, "sum": float(run.final.sum()), "squares": float(np.square(run.final).sum())}


def per_point(executor: Executor | None, points: int, repeat: int, store: str | None = None) -> float:
    """Wall milliseconds per point, median; an own pool is started beforehand in each repeat and not counted."""
    taken = []
    for i in range(repeat + 1):
        grid = {"D": [0.1], "piece": list(range(i * points, (i + 1) * points))}
        where = None if store is None else f"{store}/{i}"
        begin = time.perf_counter()
        result = shld.sweep(nothing, grid, executor=executor, store=where, progress=False)
        taken.append((time.perf_counter() - begin) / points * 1e3)
        assert not result.errors
    return statistics.median(taken[1:])


def own_pool(repeat: int) -> tuple[float, float]:
    """Seconds to start the default pool, and milliseconds per point, from sweeps of two lengths."""
    few, many = 2, 2002
    times = {}
    for points in (few, many):
        taken = []
        for _ in range(repeat):
            begin = time.perf_counter()
            shld.sweep(nothing, {"D": [0.1], "piece": list(range(points))}, progress=False)
            taken.append(time.perf_counter() - begin)
        times[points] = statistics.median(taken)
    return times[few], (times[many] - times[few]) / (many - few) * 1e3


def tasks(repeat: int) -> None:
    print(f"\nWall milliseconds per point of a function that does nothing, {WORKERS} workers (median of {repeat})")
    seconds, milliseconds = own_pool(repeat)
    print(f"  {'own pool of processes':44} {milliseconds:8.2f}   and {seconds:.1f} s for its start and end")
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        print(f"  {'a given ProcessPoolExecutor':44} {per_point(pool, 1000, repeat):8.2f}")
    with ThreadPoolExecutor(WORKERS) as pool:
        print(f"  {'a given ThreadPoolExecutor':44} {per_point(pool, 1000, repeat):8.2f}")
        with tempfile.TemporaryDirectory() as folder:
            stored = per_point(pool, 1000, repeat, folder)
        print(f"  {'the same with a store on the local disk':44} {stored:8.2f}")
    if importlib.util.find_spec("distributed") is None:
        print("  distributed is not installed: Dask is left out")
        return
    from distributed import Client, LocalCluster

    options = dict(n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        print(f"  {'Dask LocalCluster':44} {per_point(client.get_executor(), 500, repeat):8.2f}")


def travel(repeat: int) -> None:
    """What a task and a result weigh, as the executors pickle them."""
    from shld_sim.sweep.workers import call

    point = {"D": 0.1, "piece": 17}
    seeded = {**point, "seed": point_seed(np.random.SeedSequence(1), canonical_key(point))}
    result = call(nothing, seeded, os.getpid(), "label")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        shld.sweep(nothing, {"D": [0.1], "piece": [17]}, executor=pool, store=folder, progress=False)
        stored = sum(path.stat().st_size for path in Path(folder).glob("*.npz"))
    print("\nBytes per point")
    print(
        f"  task: function by name, parameters, seed     {len(pickle.dumps((call, nothing, seeded, 0, 'x' * 40))):8d}"
    )
    print(f"  result: three numbers                        {len(pickle.dumps(result)):8d}")
    print(f"  the same in the store                        {stored:8d}")


def work(repeat: int) -> None:
    print(f"\nWall nanoseconds per path-step of points of 10,240 paths in the double well, {WORKERS} workers")
    for n_steps, points in ((2_000, 24), (20_000, 6), (100_000, 4)):
        with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
            grid = {"D": [0.1], "n_steps": [n_steps]}
            shld.sweep(ends, {**grid, "piece": list(range(-2 * WORKERS, 0))}, executor=pool, progress=False)  # compiled
            begin = time.perf_counter()
            shld.sweep(ends, {**grid, "piece": list(range(points))}, executor=pool, progress=False)
            spent = (time.perf_counter() - begin) / points
        ns = spent * WORKERS / (n_steps * 10_240) * 1e9
        print(f"  {n_steps:7d} steps, {spent * WORKERS:6.2f} s a point: {ns:6.2f} on each worker")


def start(repeat: int) -> None:
    code = (
        "import shld_sim as shld\n"
        "shld.simulate(shld.Langevin(shld.DoubleWell(), 0.1), -1.0, 1e-3, n_steps=1000, n_paths=1000)\n"
    )
    print("\nSeconds from the start of an interpreter to the end of a first simulate")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for name, times in (("nothing compiled", 1), ("compiled code on the disk", repeat)):
            taken = []
            for _ in range(times):
                begin = time.perf_counter()
                subprocess.run([sys.executable, "-c", code], check=True, env=environment)
                taken.append(time.perf_counter() - begin)
            print(f"  {name:44} {statistics.median(taken):8.2f}")


RUN = """
import time
import shld_sim as shld
from bench_sweep import nothing
from mpi4py.futures import MPIPoolExecutor

if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        for points in (100, 1000):
            begin = time.perf_counter()
            grid = {"D": [0.1], "piece": list(range(points))}
            result = shld.sweep(nothing, grid, seed=points, executor=pool, progress=False)
            taken = (time.perf_counter() - begin) / points * 1e3
            assert not result.errors
    print(f"  {'MPIPoolExecutor, mpiexec -n 2 (one worker)':44} {taken:8.2f}")
"""


def mpi(repeat: int) -> None:
    print("\nThe same over MPI")
    if importlib.util.find_spec("mpi4py") is None or shutil.which("mpiexec") is None:
        print("  mpi4py or mpiexec is not installed: left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "run.py"
        script.write_text(RUN, encoding="utf-8")
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = ["mpiexec", "-n", "2", sys.executable, "-m", "mpi4py.futures", str(script)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})


SECTIONS = {f.__name__: f for f in (work, tasks, travel, start, mpi)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3, help="repeats (default 3)")
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    options = parser.parse_args()
    print(f"shld_sim {shld.__version__}, Python {platform.python_version()}, {os.cpu_count()} processors")
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            section(options.repeat)


if __name__ == "__main__":
    main()
