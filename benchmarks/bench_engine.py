"""Time the engine against a loop a user would write, vectorised NumPy, and the same algorithm in C, all in one run.

Prints CPU nanoseconds per path-step (medians of interleaved repeats) and ratios. The C yardstick is built when a C compiler
is found; everything else needs only what shld_sim installs. Options: ``--repeat N``, ``--only WORD``.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numba import njit

import shld_sim as shld

HERE = Path(__file__).resolve().parent
PATHS = 10_240
Timer = Callable[[], float]


def cpu(work: Callable[[], object], steps: float) -> float:
    """CPU nanoseconds per path-step of one call."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / steps * 1e9


def wall(work: Callable[[], object], steps: float) -> float:
    """Wall nanoseconds per path-step of one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / steps * 1e9


# -- what others would write ------------------------------------------------------------------------------------------


@njit
def numba_loop(rng, x, n_steps, dt, amplitude):
    """The loop a user would write: Numba over Generator.standard_normal."""
    for i in range(x.size):
        y = x[i]
        for _ in range(n_steps):
            y -= (y * y * y - y) * dt - amplitude * rng.standard_normal()
        x[i] = y


@njit
def numba_exits(rng, times, dt, amplitude):
    """Early-exit loop from -1 to 0, double well."""
    for i in range(times.size):
        y, n = -1.0, 0
        while y < 0.0:
            y -= (y * y * y - y) * dt - amplitude * rng.standard_normal()
            n += 1
        times[i] = n * dt


def numpy_loop(rng, x, n_steps, dt, amplitude):
    """Vectorised over paths."""
    for _ in range(n_steps):
        x -= (x * x * x - x) * dt - amplitude * rng.standard_normal(x.size)


def numpy_stable(rng, x, n_steps, dt, amplitude, alpha):
    """Vectorised Chambers-Mallows-Stuck in a harmonic well."""
    for _ in range(n_steps):
        v = np.pi * (rng.random(x.size) - 0.5)
        w = rng.standard_exponential(x.size)
        noise = np.sin(alpha * v) / np.cos(v) ** (1 / alpha) * (np.cos((1 - alpha) * v) / w) ** ((1 - alpha) / alpha)
        x += amplitude * noise - x * dt


def scipy_stable(x, n_steps, dt, amplitude, alpha):
    """SciPy's levy_stable in the same loop."""
    from scipy.stats import levy_stable

    for _ in range(n_steps):
        x += amplitude * levy_stable.rvs(alpha, 0.0, size=x.size) - x * dt


class Yardstick:
    """The C program, built once; None where there is no compiler."""

    def __init__(self) -> None:
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        self.program = None
        if compiler:
            self.folder = tempfile.TemporaryDirectory()
            program = str(Path(self.folder.name) / "yardstick")
            flags = ["-O3", "-march=native", "-ffast-math", str(HERE / "yardstick.c"), "-o", program, "-lm"]
            for extra in (["-mprefer-vector-width=512"], []):  # a flag that not every compiler knows
                if subprocess.run([compiler, *extra, *flags], capture_output=True, check=False).returncode == 0:
                    self.program = program
                    break

    def timer(self, kind: str, n_steps: int) -> Timer | None:
        if self.program is None:
            return None
        command = [self.program, kind, str(PATHS), str(n_steps)]
        return lambda: float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0])


# -- the table ---------------------------------------------------------------------------------------------------------


def table(title: str, timers: dict[str, Timer | None], repeat: int) -> dict[str, float]:
    """Run the timers in turn, print their medians and ratios to the first, and return the medians."""
    present = {name: timer for name, timer in timers.items() if timer is not None}
    for timer in present.values():
        timer()  # compile, and warm up
    found: dict[str, list[float]] = {name: [] for name in present}
    for _ in range(repeat):
        for name, timer in present.items():
            found[name].append(timer())
    medians = {name: statistics.median(values) for name, values in found.items()}
    first = next(iter(medians.values()))
    print(f"\n{title}")
    print(f"  {'':44} {'ns':>8} {'min':>8} {'max':>8}  ratio to first")
    for name, value in medians.items():
        print(f"  {name:44} {value:8.2f} {min(found[name]):8.2f} {max(found[name]):8.2f}  {value / first:8.2f}")
    return medians


def library(model, x0, dt, n_steps, n_paths=PATHS, clock=cpu, n_threads=1, **options) -> Timer:
    """Time `simulate`, per path-step."""

    def work() -> object:
        return shld.simulate(
            model, x0, dt, n_steps=n_steps, n_paths=n_paths, seed=1, n_threads=n_threads, progress=False, **options
        )

    return lambda: clock(work, n_paths * n_steps)


def gauss(c: Yardstick, repeat: int) -> None:
    D, dt, n = 0.1, 1e-3, 10_000
    model, amplitude = shld.Langevin(shld.DoubleWell(), D), np.sqrt(2 * D * dt)
    rng = np.random.default_rng(1)
    table(
        "Gaussian ensemble, double well",
        {
            "shld_sim": library(model, -1.0, dt, n),
            "C yardstick": c.timer("gauss", n),
            "Numba loop over Generator.standard_normal": lambda: cpu(
                lambda: numba_loop(rng, np.full(PATHS, -1.0), n // 50, dt, amplitude), PATHS * n / 50
            ),
            "NumPy, vectorised over paths": lambda: cpu(
                lambda: numpy_loop(rng, np.full(PATHS, -1.0), n // 200, dt, amplitude), PATHS * n / 200
            ),
        },
        repeat,
    )
    many = 4 * n
    table(
        "Threads (wall clock)",
        {f"{k} thread{'s' * (k > 1)}": library(model, -1.0, dt, many, clock=wall, n_threads=k) for k in (1, 2)},
        repeat,
    )


def stable(c: Yardstick, repeat: int) -> None:
    alpha, dt, n = 1.5, 1e-3, 2000
    model, amplitude = shld.LevyFlight(shld.Harmonic(), alpha, 1.0), dt ** (1 / 1.5)
    rng = np.random.default_rng(1)
    table(
        "Stable ensemble, alpha = 1.5, harmonic well",
        {
            "shld_sim, euler": library(model, 0.0, dt, n, scheme="euler"),
            "shld_sim, split": library(model, 0.0, dt, n, scheme="split"),
            "C yardstick": c.timer("stable", n),
            "NumPy, Chambers-Mallows-Stuck": lambda: cpu(
                lambda: numpy_stable(rng, np.zeros(PATHS), n // 80, dt, amplitude, alpha), PATHS * n / 80
            ),
            "SciPy levy_stable.rvs": lambda: cpu(
                lambda: scipy_stable(np.zeros(PATHS), n // 400, dt, amplitude, alpha), PATHS * n / 400
            ),
        },
        repeat,
    )


def planes(c: Yardstick, repeat: int) -> None:
    table(
        "More dimensions, per path-step",
        {
            "C yardstick, 1-D": c.timer("gauss", 10_000),
            "Mueller-Brown, 2-D": library(shld.Langevin(shld.MuellerBrown(), 15.0), [0.6, 0.0], 1e-5, 2000),
            "rescaling valley, 2-D": library(shld.Langevin(shld.RescalingValley(), 0.1), [1.0, 1.0], 1e-3, 2000),
            "Underdamped double well (BAOAB)": library(shld.Underdamped(shld.DoubleWell(), 0.1, 1.0), -1.0, 0.05, 5000),
        },
        repeat,
    )
    d = 100
    model = shld.Langevin(shld.QuadraticForm(np.ones(d)), 0.1)
    one = library(shld.Langevin(shld.Harmonic(), 0.1), 0.0, 1e-3, 10_000)
    many = library(model, np.zeros(d), 1e-3, 1000, n_paths=1024)
    table("Quadratic form, per coordinate", {"d = 1": one, f"d = {d}": lambda: many() / d}, repeat)


def passages(c: Yardstick, repeat: int) -> None:
    D, dt, n = 0.1, 1e-3, 20_000
    model, amplitude = shld.Langevin(shld.DoubleWell(), D), np.sqrt(2 * D * dt)
    rng = np.random.default_rng(1)

    def ours() -> float:
        start = time.process_time()
        exits = shld.first_passage(model, -1.0, (-np.inf, 0.0), dt, n, seed=1, n_threads=1, progress=False)
        return (time.process_time() - start) / (exits.exposure.sum() / dt) * 1e9

    def loop() -> float:
        times = np.empty(n // 20)
        start = time.process_time()
        numba_exits(rng, times, dt, amplitude)
        return (time.process_time() - start) / (times.sum() / dt) * 1e9

    table(
        "First passage, double well, D = 0.1, per path-step simulated",
        {
            "shld_sim ensemble, no exits": library(model, -1.0, dt, 10_000),
            "shld_sim first_passage, bridge on": ours,
            "Numba loop with early exit, no bridge": loop,
        },
        repeat,
    )


MEMORY = """
import resource, shld_sim as shld
shld.simulate(shld.Langevin(shld.DoubleWell(), 0.1), -1.0, 1e-3, n_steps={n}, n_paths=2000, n_threads=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def growth(c: Yardstick, repeat: int) -> None:
    print("\nPeak memory of a process that keeps the end only, MiB")
    for n in (10_000, 100_000):
        out = subprocess.run([sys.executable, "-c", MEMORY.format(n=n)], capture_output=True, text=True, check=True)
        print(f"  n_steps = {n:7d} {float(out.stdout):8.1f}")
    model = shld.Langevin(shld.DoubleWell(), 0.1)
    timers = {f"{p} paths x {n} steps": library(model, -1.0, 1e-3, n, p) for p, n in
              ((1, 2_000_000), (128, 200_000), (10_240, 2000), (102_400, 200), (10_240, 20_000))}  # fmt: skip
    table("Shape of the run", timers, repeat)


OWN = """
import shld_sim as shld
def energy(x, p): return 0.25 * x**4 - 0.5 * x**2
def gradient(x, p): return x**3 - x
"""
STARTS = {
    "import shld_sim": "import shld_sim",
    "first simulate, library potential": "import shld_sim as shld\nV = shld.DoubleWell()\n",
    "first simulate, potential of a script": OWN + "V = shld.Potential(energy, gradient)\n",
}
GO = "shld.simulate(shld.Langevin(V, 0.1), -1.0, 1e-3, n_steps=1000, n_paths=1000)\n"


def start(c: Yardstick, repeat: int) -> None:
    print("\nSeconds from the start of the interpreter: cold (nothing compiled), then a second process")
    for name, code in STARTS.items():
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "script.py"
            script.write_text(code + (GO if "simulate" in name else "\n"), encoding="utf-8")
            environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
            times = []
            for _ in range(1 + repeat):
                begin = time.perf_counter()
                subprocess.run([sys.executable, str(script)], check=True, env=environment)
                times.append(time.perf_counter() - begin)
            print(f"  {name:44} {times[0]:6.2f} {statistics.median(times[1:]):6.2f}")


SECTIONS = {f.__name__: f for f in (gauss, stable, planes, passages, growth, start)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="interleaved repeats (default 5)")
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    options = parser.parse_args()
    print(f"shld_sim {shld.__version__}, Python {platform.python_version()}, NumPy {np.__version__}, {machine()}")
    yardstick = Yardstick()
    if yardstick.program is None:
        print("no C compiler: the yardstick is left out")
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            section(yardstick, options.repeat)


def machine() -> str:
    """Name of the processor, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
