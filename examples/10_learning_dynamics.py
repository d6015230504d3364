"""What does noise do for learning: which step, which batch, when to raise it and when to lower it?

Equations: descent x' = x - eta g with a noisy gradient g, and the "stochastic harmonic learning" optimiser theta' = theta - eta
grad V + sqrt(2 D dt) xi, which raises D tenfold for ten steps where C = |grad V|^2/(D d) < 1/2. One states: the best step is
2D/lmax; eta ~ sqrt(B) keeps the dynamics when the batch B grows; the raised noise gets 95 % of the runs out of a well
within 100 steps where 90 % were stuck for 5000; start hot and cool.

Expected:
1. The best step is p/lambda, p = |mu|^2/E|g|^2 the share of signal: it falls with noise, 2D/lmax grows.
2. The stationary variance is eta s^2/(B lambda (2 - eta lambda)): it is eta/B that keeps it, up to 1/(1 - eta lambda/2).
3. What the optimiser samples has the temperature D dt/eta. At D = 0.03 (dE/D = 8) the rule lets 14 % out in 5000 steps, ten
   times the noise for good nearly all: the rule raises the noise at the bottom and at the top, and not on the slope between.
   The exact law of the chain says both. As written the rule multiplies again at every step; 95 % leave because D grows
   ten-thousandfold.
4. A constant D that is tuned to barrier and time finds the deeper well as often as any cooling does, but ends warm: the mean
   loss at the end is lower after cooling, whatever the constant.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import diagnostics, plotting, theory

FIGURES = Path(__file__).resolve().parents[1] / "figures"
DIM = 20


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def best_steps(ax, numbers: dict, quick: bool) -> None:
    """Draw the step that lowers the mean loss most, against the share of signal."""
    rng, pairs = np.random.default_rng(1), 10_000 if quick else 100_000
    x, curvature = np.full(DIM, 1 / np.sqrt(DIM)), 1.0  # |mu| = 1
    p = np.linspace(0.05, 0.98, 100)
    ax.plot(p, p / curvature, lw=2, color=plotting.PALETTE["blue"], label=r"$p/\lambda$")
    ax.plot(p, (1 - p) / (p * DIM), ":", lw=2, color=plotting.PALETTE["vermilion"], label=r"$2D/\lambda$, as stated")
    for share in (0.1, 0.3, 0.5, 0.7, 0.9):
        g = x + np.sqrt((1 - share) / (share * DIM)) * rng.standard_normal((pairs, DIM))
        # the mean change -eta x.g + eta^2 |g|^2/2 is lowest at E x.g/E|g|^2
        signal, size = g @ x, np.sum(g * g, axis=1)
        best = float(signal.mean() / size.mean())
        error = mean_of(signal - best * size)[1] / float(size.mean())
        numbers[f"best step, p = {share}"] = (best, error, theory.best_step(x, (1 - share) / (share * DIM), 1.0))
        D = diagnostics.diffusion_from_gradients_as_stated(g[:1000])
        numbers[f"2D/lmax, p = {share}"] = 2.0 * D
        ax.errorbar(share, best, 5 * error, fmt="o", ms=6, color=plotting.PALETTE["blue"])
    ax.set(yscale="log", ylim=(2e-3, 2))
    plotting.finish(ax, "share of signal p", "step", "1. Which step is best?")


def batches(ax, numbers: dict, quick: bool) -> None:
    """Draw the stationary variance against the batch size under two rules for the step."""
    rng, paths = np.random.default_rng(2), 10_000 if quick else 100_000
    B = np.geomspace(1, 20, 60)
    for name, power, color in (("square root", 0.5, "vermilion"), ("linear", 1.0, "blue")):
        line = [theory.descent_variance(1.0, 1.0, 0.05 * b**power, b) for b in B]
        ax.plot(B, line, lw=2, color=plotting.PALETTE[color], label=rf"{name} rule, $\eta \sim B^{{{power:g}}}$")
        for b in (1, 4, 16):
            eta, x = 0.05 * b**power, np.zeros(paths)
            for _ in range(int(8 / eta)):
                x -= eta * (x + rng.standard_gamma(b, paths) / b - 1.0)  # skewed: the law of g hardly matters
            value, error = mean_of(x * x)
            numbers[f"variance, {name}, B = {b}"] = (value, error, theory.descent_variance(1.0, 1.0, eta, b))
            ax.errorbar(b, value, 5 * error, fmt="o", ms=6, color=plotting.PALETTE[color])
    ax.axhline(0.05 / 1.95, ls=":", lw=1.2, color="#404040", label="unchanged")
    ax.set(xscale="log", ylim=(0, 0.06))
    plotting.finish(ax, "batch size B", "stationary variance", "2. Which step for a larger batch?")


def escapes(ax, numbers: dict, quick: bool) -> None:
    """Draw the share of learners that have left the well, with the exact law of their chain."""
    V, n, steps = shld.DoubleWell(), 500 if quick else 5000, 1000
    for i, (name, settings, color) in enumerate(
        (
            ("D", {"D": 0.03}, "purple"),
            ("10 D where C < 1/2", {"D": 0.03, "boost": 10.0}, "green"),
            ("10 D for good", {"D": 0.3}, "blue"),
        )
    ):
        law = 1.0 - theory.descent_survival(V, -1.0, (-2.7, 0.0), 0.01, n_steps=5000, **settings)
        learner = shld.HarmonicLearner(np.full((n, 1), -1.0), 0.01, dt=0.01, seed=i, **settings)
        stopped = learner.run(lambda x: V.gradient(x[:, 0])[:, None], steps, stop=lambda x: x[:, 0] > 0).stopped
        ax.plot(np.arange(1, 5001), law[1:], lw=2, color=plotting.PALETTE[color], label=name)
        for k in (100, 300, 1000):
            share = float(np.mean((stopped > 0) & (stopped <= k)))
            error = float(np.sqrt(max(law[k] * (1 - law[k]), 1 / n) / n))
            numbers[f"out after {k} steps, {name}"] = (share, error, float(law[k]))
            ax.errorbar(k, share, 5 * error, fmt="o", ms=5, color=plotting.PALETTE[color])
        numbers[f"out after 5000 steps, {name}"] = float(law[-1])
    wild = shld.HarmonicLearner(np.full((n, 1), -1.0), 0.01, 0.03, dt=0.01, boost=10.0, rule="as written", seed=9)
    stopped = wild.run(lambda x: V.gradient(x[:, 0])[:, None], 150, stop=lambda x: x[:, 0] > 0).stopped
    at = np.arange(52, 151, 2)
    curve = [np.mean((stopped > 0) & (stopped <= k)) for k in at]
    ax.plot(at, curve, "x:", ms=4, color=plotting.PALETTE["vermilion"], label="the rule as written")
    numbers["out after 150 steps, as written"] = float(curve[-1])
    numbers["log10 of the factor on D, as written"] = float(np.log10(wild.D[stopped > 0] / 0.03).mean())
    ax.set(xscale="log", xlim=(1, 6000), ylim=(-0.03, 1.05))
    plotting.finish(ax, "step", "share out of the well", "3. Raise the noise where C is small?")


def cooling(ax, numbers: dict, quick: bool) -> None:
    """Draw the mean loss at the end against constant D, and after cooling."""
    V, length, paths = shld.TiltedDoubleWell(tilt=0.1), 200.0, 4000 if quick else 40_000
    deep, start = float(V(np.min(V.minima()))), float(np.max(V.minima()))
    grid = shld.Grid(-2.6, 2.6, 260)
    constants = np.geomspace(0.02, 0.5, 16)
    losses = []
    for D in constants:
        solver = shld.FokkerPlanck(shld.Langevin(V, float(D)), grid)
        losses.append(float(solver.mean(solver.propagate(start, length), V)) - deep)
    ax.plot(constants, losses, lw=2, color="#404040", label="constant D")
    numbers["lowest mean loss, constant D"] = min(losses)
    for i, (name, schedule, color) in enumerate(
        (
            ("cosine", shld.Cosine(0.3, 0.02, length), "orange"),
            ("exponential", shld.Exponential(0.3, 0.02, length), "blue"),
        )
    ):
        model = shld.Langevin(V, schedule)
        x = shld.simulate(model, start, 0.01, length, paths, seed=i).final
        solver = shld.FokkerPlanck(model, grid)
        exact = float(solver.mean(solver.propagate(start, length), V)) - deep
        value, error = mean_of(V(x) - deep)
        numbers[f"mean loss, {name}"] = (value, error, exact)
        ax.axhline(value, ls="--", lw=2, color=plotting.PALETTE[color], label=f"{name}, 0.3 to 0.02")
    ax.set(xscale="log", ylim=(0, 0.25))
    plotting.finish(ax, "constant D", "mean loss at the end", "4. Cool down?")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 2, size=(13.0, 9.0))
    for ax, draw in zip(axes.ravel(), (best_steps, batches, escapes, cooling), strict=True):
        draw(ax, numbers, quick)
    plotting.save(fig, out_dir / "10_learning_dynamics.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:44s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:44s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
