"""Fits of trajectories: how often the intervals of 95 % of the Ornstein-Uhlenbeck fit hold the truth, by length."""

from __future__ import annotations

import argparse
import math

import numpy as np
from common import heading

from shld_sim.diagnostics import fit_ornstein_uhlenbeck

D, DT = 0.5, 0.1


def walks(k: float, steps: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Exact trajectories of ``dX = -k X dt + sqrt(2 D) dW``, at rest at first; from 0 for k = 0. One a column."""
    a = math.exp(-k * DT)
    scale = math.sqrt(D / k * (1.0 - a * a)) if k else math.sqrt(2.0 * D * DT)
    x = np.empty((steps + 1, count))
    x[0] = rng.standard_normal(count) * (math.sqrt(D / k) if k else 0.0)
    for i in range(steps):
        x[i + 1] = a * x[i] + scale * rng.standard_normal(count)
    return x


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--walks", type=int, default=2000, help="trajectories per line (default 2000)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    heading()
    rng = np.random.default_rng(options.seed)
    print(f"\nShare of intervals of 95 % that hold the truth, {options.walks} trajectories, dt = {DT:g}")
    print(f"{'k':>5} {'k T':>6} {'of k':>8} {'of D':>8} {'of the mean':>12}")
    for k, steps in ((1.0, 100), (1.0, 1000), (0.1, 10_000), (0.0, 1000)):
        held = np.zeros(3)
        for path in walks(k, steps, options.walks, rng).T:
            fit = fit_ornstein_uhlenbeck(path, DT)
            for j, (interval, truth) in enumerate(
                ((fit.k_interval, k), (fit.D_interval, D), (fit.center_interval, 0.0))
            ):
                held[j] += interval[0] <= truth <= interval[1]
        k_share, D_share, mean_share = held / options.walks
        mean_text = f"{mean_share:12.3f}" if k else f"{'none':>12}"  # a free path has no mean
        print(f"{k:5g} {k * steps * DT:6g} {k_share:8.3f} {D_share:8.3f} {mean_text}", flush=True)


if __name__ == "__main__":
    main()
