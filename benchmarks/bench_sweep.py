"""What a sweep costs besides the work: time per point on each executor, bytes per point, start of a process, storing.

Prints CPU times, which other work on the machine changes little, and wall times, which it does. Sections are chosen by
``--only WORD``. Dask is left out where `distributed` is not installed, and MPI where mpi4py or ``mpiexec`` is not.
"""

from __future__ import annotations

import importlib.util
import os
import pickle
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
from common import choose, heading, seconds

import shld_sim as shld
from shld_sim.sweep.points import canonical_key, point_seed

WORKERS = 2


def nothing(D, piece, seed):
    """Three numbers, as a simulation would return them."""
    return {"n": 10_000, "sum": 1.0 * piece, "squares": D}


def ends(D, piece, n_steps, seed):
    """A piece of a large run: sums of the ends of its paths, and what they cost."""
    model = shld.Langevin(shld.DoubleWell(), D)
    options = {"n_steps": n_steps, "n_paths": 10_240, "seed": seed, "n_threads": 1, "progress": False}
    spent, run = seconds(lambda: shld.simulate(model, -1.0, 1e-3, **options))
    return {"sum": float(run.final.sum()), "squares": float(np.square(run.final).sum()), "seconds": spent}


def clocks() -> np.ndarray:
    """Wall seconds, and CPU seconds of this process."""
    return np.array([time.perf_counter(), time.process_time()])


def per_point(executor: Executor, points: int, repeat: int, store: str | None = None) -> np.ndarray:
    """Milliseconds per point, wall and CPU of the sweeping process, medians; the first sweep does not count."""
    taken = []
    for i in range(repeat + 1):
        grid = {"D": [0.1], "piece": list(range(i * points, (i + 1) * points))}
        where = None if store is None else f"{store}/{i}"
        begin = clocks()
        result = shld.sweep(nothing, grid, executor=executor, store=where, progress=False)
        taken.append((clocks() - begin) / points * 1e3)
        assert not result.errors
    return np.median(taken[1:], axis=0)


def own_pool(repeat: int) -> np.ndarray:
    """Milliseconds per point of the default executor, without its start and end: the difference of two sweeps."""
    few, many = 2, 10_002
    medians = {}
    for points in (few, many):
        taken = []
        for _ in range(repeat):
            begin = clocks()
            shld.sweep(nothing, {"D": [0.1], "piece": list(range(points))}, progress=False)
            taken.append(clocks() - begin)
        medians[points] = np.median(taken, axis=0)
    return (medians[many] - medians[few]) / (many - few) * 1e3


def row(name: str, times: np.ndarray) -> None:
    print(f"  {name:44} {times[0]:8.2f} {times[1]:8.2f}")


def tasks(repeat: int) -> None:
    print(f"\nMilliseconds per point of a function that does nothing, {WORKERS} workers (median of {repeat})")
    print(f"  {'':44} {'wall':>8} {'CPU of the process that sweeps':>8}")
    row("own pool of processes", own_pool(repeat))
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        row("a given ProcessPoolExecutor", per_point(pool, 1000, repeat))
    with ThreadPoolExecutor(WORKERS) as pool:
        row("a given ThreadPoolExecutor", per_point(pool, 1000, repeat))
        with tempfile.TemporaryDirectory() as folder:
            row("the same with a store on the local disk", per_point(pool, 1000, repeat, folder))
    if importlib.util.find_spec("distributed") is None:
        print("  distributed is not installed: Dask is left out")
        return
    from distributed import Client, LocalCluster

    options = dict(n_workers=WORKERS, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50)
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        row("Dask LocalCluster, scheduler included", per_point(client.get_executor(), 500, repeat))


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
    print(f"\nPoints of 10,240 paths in the double well, {WORKERS} workers: CPU nanoseconds per path-step")
    for n_steps in (2_000, 20_000, 100_000):
        with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
            grid = {"D": [0.1], "n_steps": [n_steps], "piece": list(range(2 * WORKERS + 4))}
            result = shld.sweep(ends, grid, executor=pool, progress=False)
        seconds = float(np.median(result.array("seconds")))  # the first ones compile
        print(f"  {n_steps:7d} steps: {seconds / (n_steps * 10_240) * 1e9:6.2f}   ({seconds:.2f} s a point)")


def start(repeat: int) -> None:
    code = (
        "import time, shld_sim as shld\n"
        "shld.simulate(shld.Langevin(shld.DoubleWell(), 0.1), -1.0, 1e-3, n_steps=1000, n_paths=1000)\n"
        "print(time.process_time())\n"
    )
    print("\nCPU seconds from the start of an interpreter to the end of a first simulate")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        for name, times in (("nothing compiled", 1), ("compiled code on the disk", repeat)):
            taken = []
            for _ in range(times):
                command = [sys.executable, "-c", code]
                answer = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
                taken.append(float(answer.stdout))
            print(f"  {name:44} {statistics.median(taken):8.2f}")


RUN = """
from bench_sweep import per_point, row
from mpi4py.futures import MPIPoolExecutor

if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        row("MPIPoolExecutor, mpiexec -n 2 (one worker)", per_point(pool, 1000, {repeat}))
"""


def mpi(repeat: int) -> None:
    print("\nThe same over MPI, milliseconds per point, wall and CPU of the process that sweeps (it polls)")
    if importlib.util.find_spec("mpi4py") is None or shutil.which("mpiexec") is None:
        print("  mpi4py or mpiexec is not installed: left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "run.py"
        script.write_text(RUN.format(repeat=repeat), encoding="utf-8")
        path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
        command = ["mpiexec", "-n", "2", sys.executable, "-m", "mpi4py.futures", str(script)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})


SECTIONS = {f.__name__: f for f in (work, tasks, travel, start, mpi)}


def main() -> None:
    sections, repeat = choose(__doc__, SECTIONS, 3)
    heading()
    print(f"{os.cpu_count()} processors")
    for section in sections:
        section(repeat)


if __name__ == "__main__":
    main()
