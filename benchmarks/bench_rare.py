"""Rare exits: how often the intervals cover the exact value, how wide they are, and what they cost beside waiting.

Double well, from the minimum -1 to the saddle 0 (mean times) and from -0.9 before -1 (probabilities), against quadrature.
Options: ``--seeds N`` and ``--first K``, ``--ratios R ...``, the arguments of `rare_exit`, and ``--planar`` for the
Mueller-Brown surface against direct simulation.
"""

from __future__ import annotations

import argparse
import math
from functools import partial

import numpy as np
from common import heading, seconds

import shld_sim as shld
from shld_sim import theory

BARRIER = 0.25
SADDLE = (-math.inf, 0.0)


def well(ratio: float) -> shld.Langevin:
    return shld.Langevin(shld.DoubleWell(height=BARRIER), BARRIER / ratio)


class Score:
    """Estimates of one number from many seeds, with their intervals."""

    def __init__(self, exact: float) -> None:
        self.exact = exact
        self.logs: list[float] = []  # of estimate over exact value
        self.errors: list[float] = []  # relative
        self.inside: list[bool] = []

    def add(self, estimate: float, error: float, interval: tuple[float, float]) -> None:
        self.logs.append(math.log(estimate / self.exact))
        self.errors.append(error / estimate)
        self.inside.append(interval[0] <= self.exact <= interval[1])

    def row(self) -> str:
        """Covered, of these, error stated, scatter between seeds, and the mean log error with its own."""
        n, scatter = len(self.logs), float(np.std(self.logs))
        stated, bias = float(np.sqrt(np.mean(np.square(self.errors)))), float(np.mean(self.logs))
        return (
            f"{sum(self.inside):5d} /{n:4d} {stated:8.4f} {scatter:8.4f} {bias:+9.4f} +-{scatter / math.sqrt(n):7.4f}"
        )

    def least(self) -> int:
        """Fewest covered of twenty seeds that follow each other."""
        blocks = [sum(self.inside[i : i + 20]) for i in range(0, len(self.inside) - 19, 20)]
        return min(blocks, default=sum(self.inside))


def coverage(options: argparse.Namespace) -> None:
    arguments = {name: getattr(options, name) for name in ("dt", "n_replicas", "n_runs")}
    seeds = range(options.first, options.first + options.seeds)
    print(f"\n{arguments}, seeds {seeds.start} to {seeds.stop - 1}, intervals of 95 %")
    print(
        "stated: relative error by the result; scatter, bias: of the logarithms of the estimates over the exact value"
    )
    print(
        "barrier/D  what       exact   covered   stated  scatter      bias         least of 20  path-steps  waiting takes"
    )
    for ratio in options.ratios:
        model = well(ratio)
        times = Score(float(theory.mean_exit_time(model, -1.0, SADDLE)))
        chances = Score(float(theory.exit_probability(model, -0.9, (-1.0, 0.0))))
        cost, waiting, spent = [], [], 0.0
        for seed in seeds:
            rest = {"home": -1.0, "seed": seed, "progress": False, **arguments}
            taken, exits = seconds(partial(shld.rare_exit, model, -1.0, 0.0, **rest))
            spent += taken
            times.add(exits.mean(), exits.stderr(), exits.interval())
            cost.append(exits.cost)
            # n exponential times give their mean to 1/sqrt(n), and take n E T/dt steps
            waiting.append(times.exact / options.dt / times.errors[-1] ** 2)
            exits = shld.rare_exit(model, -0.9, 0.0, **rest)
            chances.add(exits.probability(), exits.probability_stderr(), exits.probability_interval())
        steps = f"{np.mean(cost):11.2e} {np.mean(waiting):11.2e} = {np.mean(waiting) / np.mean(cost):.1e} x"
        print(f"{ratio:9g}  E T {times.exact:12.4g} {times.row()} {times.least():8d} {spent / len(seeds):9.2f} {steps}")
        print(f"{ratio:9g}  p   {chances.exact:12.4g} {chances.row()} {chances.least():8d}", flush=True)


def step(options: argparse.Namespace) -> None:
    """The error of the time step, where it can be seen: it goes with dt^2."""
    print("\nMean time over the exact value, 1000 replicas, 200 runs, by time step")
    for ratio in (options.ratios[0], options.ratios[-1]):
        exact = float(theory.mean_exit_time(well(ratio), -1.0, SADDLE))
        for dt in (0.32, 0.16, 0.08, 0.04):
            settings = {"dt": dt, "n_replicas": 1000, "n_runs": 200, "seed": options.first, "progress": False}
            exits = shld.rare_exit(well(ratio), -1.0, 0.0, home=-1.0, **settings)
            error = exits.stderr() / exact
            print(
                f"  barrier/D = {ratio:4g}, dt = {dt:4g}: {exits.mean() / exact - 1.0:+.4f} +- {error:.4f}", flush=True
            )


def beside_waiting(options: argparse.Namespace) -> None:
    """CPU time of both where both can be had."""
    print("\nMean time at barrier/D = 6, CPU seconds to a relative error of 5 %")
    model, dt = well(6.0), options.dt
    exact = float(theory.mean_exit_time(model, -1.0, SADDLE))
    rest = {"seed": options.first, "progress": False}
    for _ in range(2):  # the first round compiles
        splitting, exits = seconds(lambda: shld.rare_exit(model, -1.0, 0.0, home=-1.0, dt=dt, **rest))
        waiting, waited = seconds(lambda: shld.first_passage(model, -1.0, SADDLE, dt, 1000, **rest))
    for name, result, steps, spent in (
        ("splitting", exits, exits.cost, splitting),
        ("waiting", waited, float(waited.exposure.sum() / dt), waiting),
    ):
        error = result.stderr() / result.mean()
        print(
            f"  {name:10} {result.mean() / exact:7.3f} of the exact value, error {error:.3f}: {spent / steps * 1e9:5.1f} ns per "
            f"path-step, {spent * (error / 0.05) ** 2:8.3f} s"
        )


def along(x, y, p):
    """Progress on the way of Mueller-Brown, from its deepest minimum (0) to the other end (9)."""
    w0 = math.exp(-10.0 * ((x + 0.558) ** 2 + (y - 1.442) ** 2))
    w1 = math.exp(-10.0 * ((x + 0.70) ** 2 + (y - 1.17) ** 2))
    w2 = math.exp(-10.0 * ((x + 0.80) ** 2 + (y - 0.90) ** 2))
    w3 = math.exp(-10.0 * ((x + 0.822) ** 2 + (y - 0.624) ** 2))
    w4 = math.exp(-10.0 * ((x + 0.58) ** 2 + (y - 0.55) ** 2))
    w5 = math.exp(-10.0 * ((x + 0.32) ** 2 + (y - 0.52) ** 2))
    w6 = math.exp(-10.0 * ((x + 0.05) ** 2 + (y - 0.467) ** 2))
    w7 = math.exp(-10.0 * ((x - 0.212) ** 2 + (y - 0.293) ** 2))
    w8 = math.exp(-10.0 * ((x - 0.42) ** 2 + (y - 0.16) ** 2))
    w9 = math.exp(-10.0 * ((x - 0.623) ** 2 + (y - 0.028) ** 2))
    total = w0 + w1 + w2 + w3 + w4 + w5 + w6 + w7 + w8 + w9 + 1e-300
    return (w1 + 2 * w2 + 3 * w3 + 4 * w4 + 5 * w5 + 6 * w6 + 7 * w7 + 8 * w8 + 9 * w9) / total


def short_of_target(x, y, p):
    return 8.0 - along(x, y, p)


def planar(options: argparse.Namespace) -> None:
    print("\nMueller-Brown, mean time from the deepest minimum into the other basin, intervals of 95 %")
    region = shld.Region(short_of_target, dim=2)
    for D, n_paths, dt in ((15.0, 1000, 2e-5), (12.0, 300, 2e-5)):
        model = shld.Langevin(shld.MuellerBrown(), D)
        start = model.potential.minima()[0]
        settings = {"home": 0.8, "coordinate": along, "dt": dt, "n_replicas": 400, "n_runs": 32}
        exits = shld.rare_exit(model, start, 8.0, seed=options.first, progress=False, **settings)
        waited = shld.first_passage(model, start, region, dt, n_paths, seed=options.first, progress=False)
        low, high = exits.interval()
        mean, error = waited.mean(), waited.stderr()
        print(
            f"  D = {D:4g}: splitting {exits.mean():9.4g} in [{low:.4g}, {high:.4g}], {exits.cost:.1e} path-steps; waiting "
            f"{mean:9.4g} in [{mean - 1.96 * error:.4g}, {mean + 1.96 * error:.4g}], {waited.exposure.sum() / dt:.1e}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="number of seeds (default 20)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--ratios", type=float, nargs="+", default=[10.0, 15.0, 20.0, 25.0], help="barrier over D")
    parser.add_argument("--dt", type=float, default=0.02)
    parser.add_argument("--n-replicas", type=int, default=200)
    parser.add_argument("--n-runs", type=int, default=32)
    parser.add_argument("--step", action="store_true", help="the error of the time step too (minutes)")
    parser.add_argument("--planar", action="store_true", help="Mueller-Brown beside direct simulation too (minutes)")
    options = parser.parse_args()
    heading()
    coverage(options)
    beside_waiting(options)
    if options.step:
        step(options)
    if options.planar:
        planar(options)


if __name__ == "__main__":
    main()
