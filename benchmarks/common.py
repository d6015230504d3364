"""What the benchmarks share: a clock, the heading, the options, the table of times and errors, packages that may be missing."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import shld_sim as shld

Work = Callable[[], Any]
OTHERS = {"py-pde": "pde", "fipy": "fipy", "fplanck": "fplanck"}  # distribution: module
SLOW = 1.0  # works that take more seconds are not repeated


def seconds(work: Work, clock: Callable[[], float] = time.process_time) -> tuple[float, Any]:
    """Seconds of one call (CPU, unless another clock is given), and what it returned."""
    start = clock()
    found = work()
    return clock() - start, found


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def fplanck() -> ModuleType:
    """Import fplanck, whose version 0.2 was written for NumPy 1."""
    if not hasattr(np, "product"):
        vars(np)["product"] = np.prod
    import fplanck

    return fplanck


def explicit_steps(problem: Callable[[], tuple[Any, Any]], end: float, dt: float) -> Work:
    """Solve ``problem() -> (equation, start)`` of py-pde by Euler's steps, keeping what the first call has compiled."""
    kept: list[Any] = []

    def work() -> np.ndarray:
        import pde

        if not kept:
            equation, start = problem()
            kept[:] = pde.EulerSolver(equation).make_stepper(start, dt), start
        state = kept[1].copy()
        kept[0](state, 0.0, end)
        return np.asarray(state.data)

    return work


def heading() -> None:
    """Print what runs, and on what."""
    print(f"shld_sim {shld.__version__} of {Path(shld.__file__).parent}")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {machine()}")


def others() -> None:
    """Print the packages of the extra ``bench`` that are there."""
    there = [f"{name} {importlib.metadata.version(name)}" for name, module in OTHERS.items() if has(module)]
    print("others: " + (", ".join(there) or "none installed (pip install 'shld_sim[bench]')"))


def machine() -> str:
    """Name of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def choose(doc: str, sections: dict[str, Callable], repeat: int, what: str = "repeats") -> tuple[list[Callable], int]:
    """Read ``--only`` and ``--repeat``: the sections to run, and how often."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=repeat, help=f"{what} (default {repeat})")
    parser.add_argument("--only", choices=sections, help="one section")
    options = parser.parse_args()
    return [section for name, section in sections.items() if options.only in (None, name)], options.repeat


def compare(title: str, works: dict[str, Work | None], errors: dict[str, Callable], repeat: int) -> None:
    """Run the works in turn; print CPU milliseconds, ratios of medians to the first work, and the errors of each result.

    The first call, which may compile, stands apart.
    """
    present = {name: work for name, work in works.items() if work is not None}
    first = {name: seconds(work) for name, work in present.items()}
    times: dict[str, list[float]] = {name: [] for name in present}
    for turn in range(repeat):
        for name, work in present.items():
            if turn == 0 or times[name][0] < SLOW:
                times[name].append(seconds(work)[0])
    print(f"\n{title}")
    columns = "  ".join(f"{name:>10}" for name in errors)
    print(f"  {'':44} {'first, ms':>9} {'ms':>9} {'min':>9} {'ratio':>7}  {columns}")
    unit = statistics.median(next(iter(times.values())))
    for name, values in times.items():
        middle = statistics.median(values)
        row = "  ".join(f"{error(first[name][1]):10.1e}" for error in errors.values())
        clocks = f"{first[name][0] * 1e3:9.2f} {middle * 1e3:9.2f} {min(values) * 1e3:9.2f}"
        print(f"  {name:44} {clocks} {middle / unit:7.2f}  {row}", flush=True)
    for name in [name for name in works if name not in present]:
        print(f"  {name:44} not installed")
