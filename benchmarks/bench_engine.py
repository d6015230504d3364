"""Time the engine against a loop a user would write, vectorised NumPy, and the same algorithm in C, all in one run.

Prints CPU nanoseconds per path-step and their ratios, and beside each target whether it is met. The ratios are those of the
least times of interleaved repeats: what else a machine does only adds to a time. The C yardstick is built when a C compiler
is found; everything else needs only what shld_sim installs. Options: ``--repeat N``, ``--only WORD``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from common import choose, heading, seconds
from numba import njit

import shld_sim as shld

HERE = Path(__file__).resolve().parent
PATHS = 10_240
Timer = Callable[[], float]


def per_step(work: Callable[[], object], steps: float, clock: Callable[[], float] = time.process_time) -> float:
    """Nanoseconds per path-step of one call."""
    return seconds(work, clock)[0] / steps * 1e9


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


# -- the table, and the targets ----------------------------------------------------------------------------------------


def table(title: str, timers: dict[str, Timer | None], repeat: int) -> dict[str, float]:
    """Run the timers in turn, print their times and the ratios to the first, and return the least times."""
    present = {name: timer for name, timer in timers.items() if timer is not None}
    for timer in present.values():
        timer()  # compile, and warm up
    found: dict[str, list[float]] = {name: [] for name in present}
    for _ in range(repeat):
        for name, timer in present.items():
            found[name].append(timer())
    least = {name: min(values) for name, values in found.items()}
    first = next(iter(least.values()))
    print(f"\n{title}")
    print(f"  {'':44} {'ns, min':>8} {'median':>8} {'max':>8}  ratio to first")
    for name, value in least.items():
        print(f"  {name:44} {value:8.2f} {np.median(found[name]):8.2f} {max(found[name]):8.2f}  {value / first:8.2f}")
    return least


class Targets:
    """Prints whether the targets are met, and counts them."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self.count = 0

    def most(self, what: str, value: float, limit: float, unit: str = "x") -> None:
        self._judge(what, f"{value:.2f}{unit}", f"<= {limit:g}{unit}", value <= limit)

    def least(self, what: str, value: float, limit: float, unit: str = "x") -> None:
        self._judge(what, f"{value:.2f}{unit}", f">= {limit:g}{unit}", value >= limit)

    def _judge(self, what: str, found: str, wanted: str, met: bool) -> None:
        self.count += 1
        self.missed += [] if met else [what]
        print(f"  {what:54} {found:>8}   target {wanted}: {'met' if met else 'missed'}")


def library(model, x0, dt, n_steps, n_paths=PATHS, clock=time.process_time, n_threads=1, **options) -> Timer:
    """Time `simulate`, per path-step."""

    def work() -> object:
        return shld.simulate(
            model, x0, dt, n_steps=n_steps, n_paths=n_paths, seed=1, n_threads=n_threads, progress=False, **options
        )

    return lambda: per_step(work, n_paths * n_steps, clock)


def gauss(c: Yardstick, targets: Targets, repeat: int) -> None:
    D, dt, n = 0.1, 1e-3, 10_000
    model, amplitude = shld.Langevin(shld.DoubleWell(), D), np.sqrt(2 * D * dt)
    rng = np.random.default_rng(1)
    times = table(
        "Gaussian ensemble, double well",
        {
            "shld_sim": library(model, -1.0, dt, n),
            "C yardstick": c.timer("gauss", n),
            "Numba loop over Generator.standard_normal": lambda: per_step(
                lambda: numba_loop(rng, np.full(PATHS, -1.0), n // 50, dt, amplitude), PATHS * n / 50
            ),
            "NumPy, vectorised over paths": lambda: per_step(
                lambda: numpy_loop(rng, np.full(PATHS, -1.0), n // 200, dt, amplitude), PATHS * n / 200
            ),
        },
        repeat,
    )
    ours = times["shld_sim"]
    if "C yardstick" in times:
        targets.most("over the C yardstick", ours / times["C yardstick"], 1.3)
    targets.least("faster than the Numba loop", times["Numba loop over Generator.standard_normal"] / ours, 4.0)
    one, two = (library(model, -1.0, dt, 4 * n, clock=time.perf_counter, n_threads=k) for k in (1, 2))
    clocks = table("Threads (wall clock)", {"1 thread": one, "2 threads": two}, repeat)
    targets.least("two threads faster than one", clocks["1 thread"] / clocks["2 threads"], 1.8)


def stable(c: Yardstick, targets: Targets, repeat: int) -> None:
    alpha, dt, n = 1.5, 1e-3, 2000
    model, amplitude = shld.LevyFlight(shld.Harmonic(), alpha, 1.0), dt ** (1 / 1.5)
    rng = np.random.default_rng(1)
    times = table(
        "Stable ensemble, alpha = 1.5, harmonic well",
        {
            "shld_sim, euler": library(model, 0.0, dt, n, scheme="euler"),
            "shld_sim, split": library(model, 0.0, dt, n, scheme="split"),
            "C yardstick": c.timer("stable", n),
            "NumPy, Chambers-Mallows-Stuck": lambda: per_step(
                lambda: numpy_stable(rng, np.zeros(PATHS), n // 80, dt, amplitude, alpha), PATHS * n / 80
            ),
            "SciPy levy_stable.rvs": lambda: per_step(
                lambda: scipy_stable(np.zeros(PATHS), n // 400, dt, amplitude, alpha), PATHS * n / 400
            ),
        },
        repeat,
    )
    ours = times["shld_sim, euler"]
    if "C yardstick" in times:
        targets.most("over the C yardstick", ours / times["C yardstick"], 1.3)
    targets.least("faster than NumPy", times["NumPy, Chambers-Mallows-Stuck"] / ours, 5.0)
    targets.most("split over euler", times["shld_sim, split"] / ours, 1.2)


def flows(c: Yardstick, targets: Targets, repeat: int) -> None:
    alpha, dt, n = 1.5, 1e-2, 1000
    own = shld.Potential(lambda x, p: 0.25 * x * x * x * x - 0.5 * x * x, lambda x, p: x * x * x - x)
    wells = {
        "double well, flow in closed form": (shld.DoubleWell(), -1.0),
        "double well of a user, flow computed": (own, -1.0),
        "rescaling valley, 2-D, computed": (shld.RescalingValley(), [1.0, 1.0]),
        "Mexican hat, vectors, 2-D, computed": (shld.MexicanHat(), [1.0, 0.0]),
    }
    models = {name: (shld.LevyFlight(V, alpha, 0.1), x0) for name, (V, x0) in wells.items()}
    times = table(
        "Stable noise and then the drift's flow (split), alpha = 1.5, dt = 0.01",
        {name: library(model, x0, dt, n) for name, (model, x0) in models.items()},
        repeat,
    )
    exact, computed = list(times.values())[:2]
    targets.most("computed flow over that in closed form", computed / exact, 5.0)


def planes(c: Yardstick, targets: Targets, repeat: int) -> None:
    times = table(
        "More dimensions, per path-step",
        {
            "C yardstick, 1-D": c.timer("gauss", 10_000),
            "Mueller-Brown, 2-D": library(shld.Langevin(shld.MuellerBrown(), 15.0), [0.6, 0.0], 1e-5, 2000),
            "rescaling valley, 2-D": library(shld.Langevin(shld.RescalingValley(), 0.1), [1.0, 1.0], 1e-3, 2000),
            "Underdamped double well (BAOAB)": library(shld.Underdamped(shld.DoubleWell(), 0.1, 1.0), -1.0, 0.05, 5000),
        },
        repeat,
    )
    if "C yardstick, 1-D" in times:
        targets.most("Mueller-Brown over the C yardstick", times["Mueller-Brown, 2-D"] / times["C yardstick, 1-D"], 8.0)
    one = library(shld.Langevin(shld.Harmonic(), 0.1), 0.0, 1e-3, 10_000)
    long = {f"d = {d}": coordinates(shld.QuadraticForm(np.ones(d)), d) for d in (4, 10, 100, 1000)}
    coupled = {"Mexican hat, d = 100": coordinates(shld.MexicanHat(100), 100)}
    times = table("Quadratic form, per coordinate", {"d = 1": one, **long, **coupled}, 2 * repeat)
    targets.most("d = 100 over d = 1, per coordinate", times["d = 100"] / times["d = 1"], 1.5)


def coordinates(potential, d: int) -> Timer:
    """Time `simulate` per coordinate of a path-step, in d dimensions from (0.1, ...)."""
    n_paths = 1024
    timer = library(shld.Langevin(potential, 0.1), np.full(d, 0.1), 1e-3, max(100, 100_000 // d), n_paths=n_paths)
    return lambda: timer() / d


def passages(c: Yardstick, targets: Targets, repeat: int) -> None:
    D, dt, n = 0.1, 1e-3, 20_000
    model, amplitude = shld.Langevin(shld.DoubleWell(), D), np.sqrt(2 * D * dt)
    rng = np.random.default_rng(1)

    def ours() -> float:
        spent, exits = seconds(
            lambda: shld.first_passage(model, -1.0, (-np.inf, 0.0), dt, n, seed=1, n_threads=1, progress=False)
        )
        return spent / (exits.exposure.sum() / dt) * 1e9

    def loop() -> float:
        times = np.empty(n // 20)
        spent, _ = seconds(lambda: numba_exits(rng, times, dt, amplitude))
        return spent / (times.sum() / dt) * 1e9

    times = table(
        "First passage, double well, D = 0.1, per path-step simulated",
        {
            "shld_sim ensemble, no exits": library(model, -1.0, dt, 10_000),
            "shld_sim first_passage, bridge on": ours,
            "Numba loop with early exit, no bridge": loop,
        },
        repeat,
    )
    plain, bridged, early = times.values()
    targets.most("first passage over the plain ensemble", bridged / plain, 2.0)
    targets.least("faster than the Numba loop with early exit", early / bridged, 3.0)


MEMORY = """
import resource, shld_sim as shld
shld.simulate(shld.Langevin(shld.DoubleWell(), 0.1), -1.0, 1e-3, n_steps={n}, n_paths=2000, n_threads=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def growth(c: Yardstick, targets: Targets, repeat: int) -> None:
    print("\nPeak memory of a process that keeps the end only, MiB")
    peaks = []
    for n in (1000, 10_000, 100_000):  # the first fills the disk cache, so that none of the others compiles
        out = subprocess.run([sys.executable, "-c", MEMORY.format(n=n)], capture_output=True, text=True, check=True)
        peaks.append(float(out.stdout))
    for n, peak in zip((10_000, 100_000), peaks[1:], strict=True):
        print(f"  n_steps = {n:7d} {peak:8.1f}")
    targets.most("memory of ten times the steps", peaks[2] / peaks[1], 1.1)
    model = shld.Langevin(shld.DoubleWell(), 0.1)
    table(
        "Time against the number of paths, 2000 steps",
        {f"{p:7d} paths": library(model, -1.0, 1e-3, 2000, p) for p in (102_400, 10_240, 1024, 128, 1)},
        repeat,
    )
    table(
        "Time against the number of steps, 1024 paths",
        {f"{n:7d} steps": library(model, -1.0, 1e-3, n, 1024) for n in (200_000, 20_000, 2000, 200)},
        repeat,
    )


OWN = """
import shld_sim as shld
def energy(x, p): return 0.25 * x**4 - 0.5 * x**2
def gradient(x, p): return x**3 - x
"""
STARTS = {
    "import shld_sim": ("import shld_sim", 0.3),
    "first simulate, library potential": ("import shld_sim as shld\nV = shld.DoubleWell()\n", 2.5),
    "first simulate, potential of a script": (OWN + "V = shld.Potential(energy, gradient)\n", 2.5),
}
GO = "shld.simulate(shld.Langevin(V, 0.1), -1.0, 1e-3, n_steps=1000, n_paths=1000)\n"


def start(c: Yardstick, targets: Targets, repeat: int) -> None:
    print("\nSeconds from the start of the interpreter: nothing compiled yet; then the quickest of later processes")
    for name, (code, limit) in STARTS.items():
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "script.py"
            script.write_text(code + (GO if "simulate" in name else "\n"), encoding="utf-8")
            environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
            times = []
            for _ in range(1 + repeat):
                command = [sys.executable, str(script)]
                run = partial(subprocess.run, command, check=True, env=environment)
                times.append(seconds(run, time.perf_counter)[0])
            print(f"  {name:44} {times[0]:6.2f} {min(times[1:]):6.2f}")
            targets.most(f"{name}, second process", min(times[1:]), limit, " s")


SECTIONS = {f.__name__: f for f in (gauss, stable, flows, planes, passages, growth, start)}


def main() -> None:
    sections, repeat = choose(__doc__, SECTIONS, 5, "interleaved repeats")
    heading()
    yardstick, targets = Yardstick(), Targets()
    if yardstick.program is None:
        print("no C compiler: the yardstick and its targets are left out")
    for section in sections:
        section(yardstick, targets, repeat)
    missed = f"; missed: {', '.join(targets.missed)}" if targets.missed else ""
    print(f"\n{targets.count - len(targets.missed)} of {targets.count} targets met{missed}")


if __name__ == "__main__":
    main()
