"""Do winning lottery tickets and flat minima have a p of their own -- or does the batch size decide?

Equations: for a batch of B examples drawn at random p = |mu|^2/E|g_B|^2 = B C_1/(1 + B C_1) with C_1 = |mu|^2/tr S of one
example. One states p = .65-.70 of winning tickets and .35-.40 of random subnetworks as sparse; p about .75 at flat minima, which
small batches find, .52 at sharp ones, and a correlation of .87 between p and minus the generalisation gap.

Expected:
1. Winning tickets (the fifth of the weights that was largest after training, wound back and trained again) understand more
   than random ones. In batches of 32 both have a p near .2 during training, and nothing tells them apart.
2. Odds p/(1 - p) are proportional to the batch size: drawn batches of 2, 32 and 512 lie on B C_1. Any p can be had.
3. Small batches stop at flatter minima, by the largest curvature, and there p is larger: not because they are flat, but because
   the noise keeps the loss, hence |mu|, from falling. Of all examples at every step little |mu| is left, and p is near 0.
4. p and the generalisation gap hardly correlate.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shld_sim import plotting
from shld_sim.learning import experiments

FIGURES = Path(__file__).resolve().parents[1] / "figures"
SIZES = (2, 32, 512)
COLORS = {
    name: plotting.PALETTE[color]
    for name, color in (
        ("winning", "blue"),
        ("random", "vermilion"),
        ("whole network", "black"),
        ("batches of 8", "green"),
        ("all examples", "purple"),
    )
}


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def law(ax, numbers: dict, name: str, label: str, marker: str, found: list) -> None:
    """Draw odds of drawn batches over their size, and compare them with B C_1."""
    C, odds = np.array([f.signals.C[-1] for f in found]), np.array([f.odds for f in found])
    sizes = np.geomspace(1.0, 1000.0, 100)
    ax.plot(sizes, np.median(sizes[:, None] * C / (1 + sizes[:, None] * C), axis=1), color=COLORS[name], label=label)
    ax.plot(SIZES, np.median(odds / (1 + odds), axis=0), marker, ms=6, color=COLORS[name])
    for size, column in zip(SIZES, odds.T, strict=True):
        numbers[f"odds over B C_1, {name}, B = {size}"] = (*mean_of(column / (size * C)), 1.0)


def tickets(axes: np.ndarray, numbers: dict, runs: int) -> None:
    """Draw p along the training of tickets, and p of batches of any size at its end."""
    course, sizes = axes
    found = [experiments.lottery(sizes=SIZES, seed=seed) for seed in range(runs)]
    kinds = {
        "winning": [f.winning for f in found],
        "random": [f.random for f in found],
        "whole network": [f.full for f in found],
    }
    for name, low, high in (("winning", 0.65, 0.70), ("random", 0.35, 0.40)):
        course.axhspan(low, high, color=COLORS[name], alpha=0.2, lw=0)
    for name, trained in kinds.items():
        p = np.array([t.signals.p(32) for t in trained])
        course.plot(trained[0].signals.steps, p.mean(axis=0), "o-", ms=4, color=COLORS[name], label=name)
        numbers[f"p of batches of 32, mean of the training, {name}"] = float(p.mean())
        numbers[f"test accuracy, {name}"] = float(np.mean([t.test_accuracy for t in trained]))
    course.set_ylim(0, 1)
    plotting.finish(course, "step", "p, batches of 32", "1. Tickets in training; bands: as stated")
    for (name, trained), marker in zip(list(kinds.items())[:2], "os", strict=True):
        law(sizes, numbers, name, f"{name} tickets", marker, trained)


def minima(axes: np.ndarray, numbers: dict, runs: int, sizes) -> None:
    """Draw p against curvature, and the generalisation gap against p."""
    curvature, gap = axes
    last, gaps, lmax = [], [], []
    for (name, batch), marker in zip((("batches of 8", 8), ("all examples", None)), "^v", strict=True):
        found = [experiments.flatness(batch, stages=1, sizes=SIZES, seed=seed) for seed in range(runs)]
        law(sizes, numbers, name, f"minima, {name}", marker, found)
        last.append([m.signals.p(32)[-1] for m in found])
        gaps.append([m.gap for m in found])
        lmax.append([m.lmax for m in found])
        curvature.plot(lmax[-1], last[-1], marker, ms=6, color=COLORS[name], label=name)
        gap.plot(last[-1], -np.array(gaps[-1]), marker, ms=6, color=COLORS[name], label=name)
        numbers[f"lmax, {name}"] = float(np.mean(lmax[-1]))
        numbers[f"trace of the Hessian, {name}"] = float(np.mean([m.trace for m in found]))
        numbers[f"loss, {name}"] = float(np.mean([m.loss[-1] for m in found]))
        numbers[f"p of batches of 32, {name}"] = float(np.mean(last[-1]))
        numbers[f"generalisation gap, {name}"] = float(np.mean(gaps[-1]))
    numbers["correlation of p and minus the gap"] = float(np.corrcoef(np.ravel(last), -np.ravel(gaps))[0, 1])
    numbers["correlation of p and ln lmax"] = float(np.corrcoef(np.ravel(last), np.log(np.ravel(lmax)))[0, 1])
    for level, name in ((0.75, "flat, as stated"), (0.52, "sharp, as stated")):
        curvature.axhline(level, ls=":", color="#404040")
        curvature.text(max(map(max, lmax)), level + 0.02, name, ha="right")
    curvature.set_ylim(-0.03, 1)
    plotting.finish(curvature, "largest curvature", "p, batches of 32", "3. Minima of small and of large batches")
    plotting.finish(gap, "p, batches of 32", "minus generalisation gap", "4. Does p foretell the gap?")
    sizes.set(xscale="log", ylim=(0, 1))
    plotting.finish(sizes, "size of the batch", "p at the end, median", "2. Drawn batches on B C_1/(1 + B C_1)")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 2, size=(13.0, 9.0))
    tickets(axes[0], numbers, 4 if quick else 16)
    minima(axes[1], numbers, 4 if quick else 24, axes[0, 1])
    plotting.save(fig, out_dir / "24_tickets_and_flat_minima.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:56s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:56s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
