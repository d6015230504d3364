"""Time and accuracy of the fractional Fokker-Planck solver: products, solutions and steps in time against the number of cells.

Run as ``python benchmarks/bench_fractional.py``; ``--quick`` leaves out 100,000 cells. Times are CPU seconds of one thread (set
``OMP_NUM_THREADS=1`` for comparable ones).
"""

from __future__ import annotations

import argparse
import math

import numpy as np
from common import heading, seconds

import shld_sim as shld
from shld_sim.grid import extrapolate

# From -1 out of (-inf, 0), double well, alpha = 1.5: finite elements on graded meshes, extrapolated, 8 digits.
EXITS = {0.1: 131.7693453, 0.05: 411.8588211, 0.02: 1716.6598662}


def speed(sizes: list[int]) -> None:
    """Print seconds for each task and number of cells."""
    V = shld.DoubleWell()
    print("CPU seconds                alpha    " + "".join(f"{n:>12,d}" for n in sizes))
    rows: dict[tuple[str, float], list[float]] = {}
    for alpha in (0.7, 1.5, 1.9):
        for n in sizes:
            model = shld.LevyFlight(V, alpha=alpha, sigma=0.3)
            build, fp = seconds(lambda model=model, n=n: shld.FokkerPlanck(model, shld.Grid(-8.0, 8.0, n)))
            m = np.full(n, 1.0 / n)
            fp.generator @ m
            repeats = max(3, 300_000 // n)
            products, _ = seconds(lambda fp=fp, m=m, r=repeats: [fp.generator @ m for _ in range(r)])
            steady, _ = seconds(fp.steady_state)
            exit_time, _ = seconds(lambda fp=fp: fp.mean_exit_time((-np.inf, 0.0), x0=-1.0))
            tasks = {
                "assembly": build,
                "product": products / repeats,
                "steady state": steady,
                "mean exit time": exit_time,
            }
            if n <= 10_000:
                tasks["propagate to t = 1"] = seconds(lambda fp=fp: fp.propagate(-1.0, 1.0))[0]
            for task, spent in tasks.items():
                rows.setdefault((task, alpha), []).append(spent)
    for (task, alpha), spent in sorted(rows.items(), key=lambda row: (list(rows).index(row[0]) % 5, row[0][1])):
        print(f"{task:26s} {alpha:5.1f}    " + "".join(f"{s:12.3g}" for s in spent))


def accuracy() -> None:
    """Print relative errors against closed forms and references."""
    print("\nrelative error             alpha  sigma        cells      error   extrapolated")

    def line(name: str, alpha: float, sigma: float, n: int, error: float, limit: float | None = None) -> None:
        print(
            f"{name:26s} {alpha:5.2f}  {sigma:5.2f} {n:12,d} {error:10.1e}"
            + ("" if limit is None else f" {limit:14.1e}")
        )

    for alpha in (0.5, 1.0, 1.5, 1.8):
        model = shld.LevyFlight(shld.QuadraticForm([0.0]), alpha=alpha, sigma=1.0)
        fp = shld.FokkerPlanck(model, shld.Grid(-1.23, 1.1, 401))
        exact = shld.theory.getoor_mean_exit_time(0.5, 1.0, alpha)
        line("free exit (Getoor)", alpha, 1.0, 401, fp.mean_exit_time((-1.0, 1.0), x0=0.5) / exact - 1.0)
    for alpha in (0.5, 1.0, 1.5, 1.8):
        model = shld.LevyFlight(shld.Quartic(), alpha=alpha, sigma=1.0)
        found, widths = [], []
        for n in (501, 1001, 2001):
            fp = shld.FokkerPlanck(model, shld.Grid(-12.0, 12.0, n))
            p = fp.steady_state()
            found.append((1.0 - fp.mass_beyond(p)) * p[n // 2])
            widths.append(fp.grid.dx)
        exact = shld.theory.quartic_density_at_zero(model)
        limit = extrapolate(found, widths, (2.0, 3.0)).value
        line("quartic well, p(0)", alpha, 1.0, 2001, found[-1] / exact - 1.0, limit / exact - 1.0)
    for alpha in (1.2, 1.5, 1.8):
        model = shld.LevyFlight(shld.Harmonic(), alpha=alpha, sigma=0.5)
        found, widths = [], []
        for n in (1001, 1501, 1999):
            fp = shld.FokkerPlanck(model, shld.Grid(-40.0, 40.0, n))
            p = fp.steady_state()
            found.append((1.0 - fp.mass_beyond(p)) * p[n // 2])
            widths.append(fp.grid.dx)
        exact = math.gamma(1.0 + 1.0 / alpha) / math.pi / shld.theory.harmonic_stable_scale(model)
        limit = extrapolate(found, widths, (2.0, 3.0)).value
        line("harmonic well, p(0)", alpha, 0.5, 1999, found[-1] / exact - 1.0, limit / exact - 1.0)
    for sigma, exact in EXITS.items():
        model = shld.LevyFlight(shld.DoubleWell(), alpha=1.5, sigma=sigma)
        found, widths = [], []
        for n in (1800, 2700, 3600):
            fp = shld.FokkerPlanck(model, shld.Grid(-8.0, 1.0, n))
            found.append(fp.mean_exit_time((-np.inf, 0.0), x0=-1.0))
            widths.append(fp.grid.dx)
        limit = extrapolate(found, widths, (2.0,)).value
        line("double well, -1 -> 0", 1.5, sigma, 3600, found[-1] / exact - 1.0, limit / exact - 1.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out 100,000 cells")
    quick = parser.parse_args().quick
    heading()
    speed([1_000, 10_000] if quick else [1_000, 10_000, 100_000])
    accuracy()
