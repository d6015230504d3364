"""Where does descent with a fixed step stop sharpening -- and where is that edge when the gradients are noisy?

Equations: on a quadratic descent with the step eta is stable for eta lmax < 2. With a batch of B examples drawn at random the
gradient has the mean mu and the covariance S/B, p = |mu|^2/E|g|^2, and to second order the loss of all examples falls on
average iff eta < eta* = 2|mu|^2/(mu.H mu + tr(H S)/B), which is at least 2p/lmax. One states that training at the edge of
stability keeps Gamma = |mu|^2/(tr S/B) above 1, that is p > 1/2.

Expected:
1. With all examples at every step the largest curvature rises until eta lmax is about 2, whatever eta, and hovers there
   (progressive sharpening, Cohen et al. 2021).
2. The loss then no longer falls at every step, but goes on falling in the long run.
3. With batches of 8 the sufficient condition eta lmax < 2p is violated from the start, and nothing happens: it only bounds.
   The loss settles where the exact edge eta* is about eta; p is far below 1/2, and Gamma far below 1.
4. Over a step of f eta* the loss changes by 4f(f - 1) times the gain of the best step, f = 1/2, as long as the second order
   is enough: exactly for small f, nearly up to f = 1, too little beyond.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shld_sim import plotting
from shld_sim.learning import experiments

FIGURES = Path(__file__).resolve().parents[1] / "figures"
COLORS = [plotting.PALETTE[name] for name in ("blue", "vermilion", "green", "orange", "purple", "sky")]
MULTIPLES = (0.02, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def full(axes: np.ndarray, numbers: dict, quick: bool) -> None:
    """Descend with all examples and three steps, and draw curvature and loss."""
    sharp, losses = axes
    steps = 1000 if quick else 2000
    for eta, color in zip((0.2, 0.3, 0.4), COLORS, strict=False):
        run = experiments.edge_of_stability(eta, steps=steps, every=40, seed=1)
        late = run.steps > steps // 2
        label = f"eta = {eta}"
        numbers[f"eta lmax, early, {label}"] = float(eta * run.lmax[(run.steps > 0) & (run.steps <= 100)].min())
        numbers[f"eta lmax, second half, {label}"] = float(eta * run.lmax[late].mean())
        every_ten = np.diff(run.loss[len(run.loss) // 2 :])
        numbers[f"share of tens of steps over which the loss rises, {label}"] = float((every_ten > 0).mean())
        numbers[f"loss at the end over loss at half, {label}"] = float(run.loss[-1] / run.loss[len(run.loss) // 2])
        sharp.plot(run.steps, eta * run.lmax, lw=1.5, color=color, label=label)
        losses.plot(10 * np.arange(len(run.loss)), run.loss, lw=1.2, color=color, label=label)
    sharp.axhline(2.0, ls="--", color="#404040")
    sharp.set_ylim(0, 4)
    losses.set_yscale("log")
    plotting.finish(sharp, "step", "eta lmax", "1. All examples: curvature rises to 2/eta")
    plotting.finish(losses, "step", "loss", "2. All examples: the loss at the edge")


def noisy(axes: np.ndarray, numbers: dict, quick: bool) -> None:
    """Descend with batches, and draw the edges and what steps of several sizes do there."""
    edges, parabola = axes
    eta, batch, seeds = 0.2, 8, 4 if quick else 10
    runs = [
        experiments.edge_of_stability(
            eta, batch, steps=1000, every=100, draws=100 if quick else 200, multiples=MULTIPLES, seed=seed
        )
        for seed in range(1, seeds + 1)
    ]
    steps = runs[0].steps

    def middle(values: list[np.ndarray]) -> np.ndarray:
        return np.exp(np.mean(np.log(values), axis=0))

    edges.plot(steps, middle([eta / r.bound for r in runs]), "s-", ms=4, color=COLORS[1], label="eta lmax/(2p)")
    edges.plot(steps, middle([eta / r.threshold for r in runs]), "o-", ms=4, color=COLORS[0], label="eta/eta*")
    edges.plot(steps, middle([batch * r.signals.C for r in runs]), "^:", ms=4, color=COLORS[2], label="Gamma")
    edges.axhline(1.0, ls="--", color="#404040")
    edges.set_yscale("log")
    plotting.finish(edges, "step", "ratio, mean of runs", "3. Batches of 8: where is the edge?")
    late = steps >= 500
    numbers["Gamma, second half, batches of 8"] = float(np.mean([batch * r.signals.C[late] for r in runs]))
    numbers["p, second half, batches of 8"] = float(np.mean([r.p[late] for r in runs]))
    numbers["eta/eta*, second half, geometric mean"] = float(middle([eta / r.threshold[late] for r in runs]).mean())
    numbers["eta lmax/(2p), second half, geometric mean"] = float(middle([eta / r.bound[late] for r in runs]).mean())
    numbers["smallest eta* lmax/(2p)"] = float(min((r.threshold / r.bound).min() for r in runs))
    trials = np.concatenate([r.trials[late, :, 0] for r in runs])
    f, line = np.array(MULTIPLES), np.linspace(0.0, 2.1, 100)
    parabola.plot(line, 4 * line * (line - 1), color="#404040", label="second order, 4f(f - 1)")
    by_run = np.array([r.trials[late, :, 0].mean(axis=0) for r in runs])
    spread = by_run.std(axis=0, ddof=1) / np.sqrt(len(runs))
    parabola.errorbar(f, by_run.mean(axis=0), 5 * spread, fmt="o", ms=5, color=COLORS[0], label="measured, 5 errors")
    parabola.axhline(0.0, lw=0.8, color="0.6")
    parabola.set_ylim(-1.6, 9.5)
    plotting.finish(
        parabola, "step over eta*, f", "change of the loss/gain of the best step", "4. One step, batches of 8"
    )
    small = trials[:, 0] / (4 * f[0] * (f[0] - 1))
    numbers["change over 0.02 eta*, over second order"] = (*mean_of(small), 1.0)
    for j, name in ((2, "eta*/2"), (4, "eta*"), (6, "2 eta*")):
        numbers[f"change over {name}, in best gains"] = float(by_run[:, j].mean())


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 2, size=(13.0, 9.0))
    full(axes[0], numbers, quick)
    noisy(axes[1], numbers, quick)
    plotting.save(fig, out_dir / "23_edge_of_stability.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:64s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:64s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
