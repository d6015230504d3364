"""How long does a path stay in a well when nobody can wait for it?

Equation: dX = -V'(X) dt + sqrt(2 D) dW, V = x^4/4 - x^2/2 + 1/4, from the minimum -1 to the saddle 0 (barrier 1/4).

Expected: the mean time grows as exp(dE/D), to 2e11 at dE/D = 25, and so does the cost of waiting for exits. Adaptive
multilevel splitting keeps replicas climbing: those that climb least are killed and replaced by copies of the others, and
the probability to reach the saddle before falling home is the product of the shares that survive. Its relative variance
is -log(p)/N for N replicas, so the cost to a given error grows about as the square of dE/D. Both must agree with the
double integral within their intervals wherever they can be made.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
DOMAIN = (-np.inf, 0.0)
BARRIER = 0.25


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    dt, n_replicas, n_runs, n_paths = (0.02, 100, 16, 400) if quick else (0.01, 250, 40, 1000)
    split_at = (4.0, 10.0, 25.0) if quick else (2.0, 3.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0, 22.5, 25.0)
    wait_at = (2.0, 4.0) if quick else (2.0, 3.0, 4.0, 5.0, 6.0)
    numbers: dict = {}

    def model(ratio: float) -> shld.Langevin:
        return shld.Langevin(shld.DoubleWell(height=BARRIER), D=BARRIER / ratio)

    def exact(ratio: float) -> float:
        return float(shld.theory.mean_exit_time(model(ratio), -1.0, DOMAIN))

    splits, waits = [], []
    for i, ratio in enumerate(split_at):
        exits = shld.rare_exit(model(ratio), -1.0, 0.0, home=-1.0, dt=dt, n_replicas=n_replicas, n_runs=n_runs, seed=i)
        splits.append(exits)
        numbers[f"T by splitting, dE/D = {ratio:g}"] = (exits.mean(), exits.stderr(), exact(ratio))
    for i, ratio in enumerate(wait_at):
        exits = shld.first_passage(model(ratio), -1.0, DOMAIN, dt, n_paths, seed=100 + i)
        waits.append(exits)
        numbers[f"T by waiting, dE/D = {ratio:g}"] = (exits.mean(), exits.stderr(), exact(ratio))
    numbers["path-steps of splitting, dE/D = 25"] = float(splits[-1].cost)
    numbers["path-steps of waiting, dE/D = 25"] = splits[-1].direct_cost()

    # to one relative error everywhere: the cost of either goes with the square of its inverse
    aim = 0.05
    work = [s.cost * (s.stderr() / s.mean() / aim) ** 2 for s in splits]
    curve = np.linspace(2.0, 25.0, 93)
    times = np.array([exact(ratio) for ratio in curve])
    fig, (left, middle, right) = plotting.new_figure(1, 3, size=(14.6, 4.5))
    blue, orange = plotting.PALETTE["blue"], plotting.PALETTE["orange"]

    left.plot(curve, times, color="black", lw=1.5, label="exact (quadrature)")
    for results, at, marker, color, label in (
        (waits, wait_at, "s", orange, "waiting for exits"),
        (splits, split_at, "o", blue, "splitting"),
    ):
        mean = np.array([r.mean() for r in results])
        left.plot(at, mean, marker, color=color, ms=7, mfc="none" if marker == "s" else color, mew=1.5, label=label)
        ratio = mean / np.array([exact(r) for r in at])
        spread = np.array([r.stderr() / r.mean() for r in results])
        low, high = (np.array([r.interval()[k] / r.mean() for r in splits]) for k in (0, 1))
        bars = (1.0 - low, high - 1.0) if marker == "o" else (1.96 * spread, 1.96 * spread)
        shift = 0.0 if marker == "o" else 0.25
        middle.errorbar(
            np.array(at) + shift, ratio, np.array(bars) * ratio, fmt=marker, ms=6, capsize=3, color=color,
            mfc="none" if marker == "s" else color, mew=1.5, label=label,
        )  # fmt: skip
    left.set_yscale("log")
    plotting.finish(left, r"barrier $\Delta E/D$", "mean time from -1 to the saddle", "Time to the saddle")
    middle.axhline(1.0, color="black", lw=1.2)
    edges = [abs(edge / exact(r) - 1.0) for s, r in zip(splits, split_at) for edge in s.interval()]
    top = max(0.2, 1.15 * max(edges))
    middle.set_ylim(1.0 - top, 1.0 + top)
    plotting.finish(middle, r"barrier $\Delta E/D$", "measured / exact", "95 % intervals")

    right.plot(curve, times / dt / aim**2, color=orange, lw=2, label=r"waiting: $T/(\Delta t\,\epsilon^2)$")
    right.plot(split_at, work, "o-", color=blue, lw=2, ms=6, label="splitting, measured")
    right.set_yscale("log")
    for seconds, name, x, side in ((60.0, "a minute", 25.0, "right"), (3.156e7, "a year", 2.0, "left")):
        right.axhline(1e8 * seconds, color="0.6", lw=1.0, ls=":")
        right.text(x, 1.4e8 * seconds, f"{name} at $10^8$ steps/s", fontsize=10, color="0.35", ha=side)
    plotting.finish(right, r"barrier $\Delta E/D$", "path-steps", "Cost of 5 % relative error")
    plotting.save(fig, out_dir / "21_rare_events.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:36s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:36s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
