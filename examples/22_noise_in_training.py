"""What does the noise of minibatches do in training: which law does it keep, where does it let out, which solution does it like?

Equations: theta' = theta - eta g_B, g_B the mean gradient of B examples of a data set, nothing added.
(a) |theta - c_i|^2/2: D_eff = eta^2 sigma^2/B is stated, and that eta ~ sqrt(B) keeps the dynamics.
(b) f(u) = sin(theta u) learns sin(3u) from theta = 0, a poor minimum that plain descent does not leave.
(c) f(x) = W2 W1 x with labels that are noisy at every visit; W2^T W2 - W1 W1^T changes by -eta^2 (W2^T G G^T W2 - W1 G^T G W1^T).

Expected:
1. Drawn with replacement, the mean square of the random part of a step is eta^2 sigma^2/B; the variance that is kept is eta
   sigma^2/(B (2 - eta)): the square-root rule keeps the first, the linear rule the second. D = eta sigma^2/(2B) comes out of
   gradients (eta Var/2) and of the path (quadratic variation without drift); Var/2 and Var(path)/T are something else.
2. In epochs, each example once, the noise of an epoch adds up to zero: for epochs shorter than the memory 1/eta the variance
   is less by the factor (eta n/B)^2/12.
3. The time to escape is exponential in B/eta, ln T ~ W B/eta, with a prefactor that depends on the step. The diffusion with
   the same variance has too low a barrier W, at every step: rare escapes are made of the tails of the gradients. The law of the
   chain itself is met.
4. Label noise of numbers makes x^2 - y^2 fall by eta^2 E e^2 a step, so that descent ends balanced, where gradient descent
   keeps what it has. With d inputs and k outputs it ends at |W1|^2/|W2|^2 = d/k, where the Hessian has the least trace, not at 1.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from shld_sim import plotting, theory
from shld_sim.learning import experiments

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def rules(ax, numbers: dict, quick: bool) -> None:
    """Draw the noise of a step and the variance that is kept against the batch, under two rules for the step."""
    B = np.geomspace(1, 64, 100)
    for name, power, color in (("square root", 0.5, "vermilion"), ("linear", 1.0, "blue")):
        pairs = [(0.02 * b**power, b) for b in ((1, 16) if quick else (1, 4, 16, 64))]
        found = experiments.batch_scaling(pairs, data_sets=24 if quick else 64, dim=10, n_samples=1024, seed=1)
        kept = [theory.descent_variance(1.0, 1.0, 0.02 * b**power, b) / 0.02 for b in B]
        ax.plot(B, kept, lw=2, color=plotting.PALETTE[color], label=f"variance kept, {name} rule")
        ax.plot(
            B,
            0.02 * B ** (2 * power - 1),
            "--",
            lw=2,
            color=plotting.PALETTE[color],
            label=f"noise of a step, {name} rule",
        )
        for i, (eta, b) in enumerate(pairs):
            value, error = mean_of(found.variance[i])
            numbers[f"variance, {name}, B = {b}"] = (value, error, theory.descent_variance(1.0, 1.0, eta, b))
            ax.errorbar(b, value / 0.02, 5 * error / 0.02, fmt="o", ms=6, color=plotting.PALETTE[color])
            value, error = mean_of(found.per_step[i])
            numbers[f"noise of a step, {name}, B = {b}"] = (value, error, eta**2 / b)
            ax.errorbar(b, value / 0.02, 5 * error / 0.02, fmt="s", ms=5, mfc="none", color=plotting.PALETTE[color])
        if name == "linear":
            names = ("gradients, as stated", "the path, as stated", "gradients", "the path")
            for j, what in enumerate(names):
                value, error = mean_of(found.D[j, 1])
                truth = (value, error, pairs[1][0] / (2 * pairs[1][1]))
                numbers[f"D from {what}"] = value if "stated" in what else truth
    ax.set(xscale="log", yscale="log", ylim=(8e-3, 10))
    plotting.finish(
        ax,
        "batch B",
        r"mean square$/(\eta_1\sigma^2)$",
        r"1. $\eta = \eta_1\sqrt{B}$ or $\eta = \eta_1 B$, $\eta_1 = 0.02$: what is kept?",
        legend=False,
    )
    ax.legend(frameon=False, fontsize=9, ncols=2, loc="upper left")


def epochs(ax, numbers: dict, quick: bool) -> None:
    """Draw the variance in epochs over that of independent draws, against the length of an epoch in memories."""
    n = 64 if quick else 256
    line = np.geomspace(0.05, 30, 100)
    for B, color in ((1, "blue"), (n // 16, "orange")):
        lengths = (0.5, 2.0, 10.0) if quick else (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
        pairs = [(length * B / n, B) for length in lengths]
        drawn = experiments.batch_scaling(
            pairs,
            n_samples=n,
            order="epochs",
            data_sets=24 if quick else 60,
            dim=10,
            length=15 if quick else 30,
            seed=2,
        )
        for i, (eta, b) in enumerate(pairs):
            value, error = mean_of(drawn.variance[i])
            exact, free = (
                theory.shuffled_descent_variance(1.0, 1.0, eta, b, n),
                theory.descent_variance(1.0, 1.0, eta, b),
            )
            numbers[f"variance in epochs, B = {b}, eta n/B = {lengths[i]:g}"] = (value, error, exact)
            ax.errorbar(lengths[i], value / free, 5 * error / free, fmt="o", ms=6, color=plotting.PALETTE[color])
        law = [
            theory.shuffled_descent_variance(1.0, 1.0, t * B / n, B, n)
            / theory.descent_variance(1.0, 1.0, t * B / n, B)
            for t in line[line * B / n < 1.5]
        ]
        ax.plot(line[line * B / n < 1.5], law, lw=2, color=plotting.PALETTE[color], label=f"exact, B = {B}, n = {n}")
    ax.plot(line, line**2 / 12, ":", lw=1.5, color=plotting.PALETTE["black"], label=r"$(\eta n/B)^2/12$")
    ax.axhline(1.0, ls="--", lw=1, color=plotting.PALETTE["black"], label="independent draws")
    ax.set(xscale="log", yscale="log", ylim=(1e-3, 3))
    plotting.finish(
        ax,
        r"length of an epoch, $\eta n/B$",
        "variance/that of independent draws",
        "2. Batches from epochs are quieter",
    )


def escapes(ax, numbers: dict, quick: bool) -> None:
    """Draw the time to escape against B/eta."""
    runs = 60 if quick else 400
    colors = {1: "blue", 2: "green", 4: "orange"}
    pairs = [(0.2, 1), (0.25, 1), (0.3, 1), (0.4, 1), (0.3, 2), (0.4, 2), (0.6, 2), (0.6, 4), (0.8, 4)]
    if not quick:
        pairs += [(0.15, 1)]
    found = experiments.escape([*pairs, (0.3, 0)], runs=runs, max_steps=5000 if quick else 50_000, seed=0)
    for B, color in colors.items():
        chosen = found.batch == B
        time, error = found.eta * found.mean_steps, found.eta * found.stderr
        ax.errorbar(
            B / found.eta[chosen],
            time[chosen],
            5 * error[chosen],
            fmt="o",
            ms=6,
            color=plotting.PALETTE[color],
            label=f"batches of {B}",
        )
    for eta in (0.2, 0.3, 0.4):
        i = int(np.flatnonzero((found.eta == eta) & (found.batch == 1))[0])
        exact = experiments.chain_escape_steps(found.task, eta)
        numbers[f"steps to escape, eta = {eta}, B = 1"] = (found.mean_steps[i], found.stderr[i], exact)
        numbers[f"steps to escape by diffusion, eta = {eta}, B = 1"] = float(found.diffusion_steps[i])
    etas = np.geomspace(0.12, 0.5, 8 if quick else 16)
    law = [eta * experiments.chain_escape_steps(found.task, float(eta), 500) for eta in etas]
    ax.plot(1 / etas, law, lw=2, color=plotting.PALETTE["blue"], label="exact, batches of 1")
    order = np.argsort(found.batch[:-1] / found.eta[:-1])
    ratio, diffusion = (found.batch / found.eta)[:-1][order], (found.eta * found.diffusion_steps)[:-1][order]
    ax.plot(ratio, diffusion, "--", lw=2, color=plotting.PALETTE["vermilion"], label="diffusion of the same variance")
    numbers["barrier by diffusion"], numbers["barrier, exact"] = experiments.escape_barriers(found.task)
    numbers["escapes without noise"] = int((found.escaped[-1] >= 0).sum())
    ax.set(yscale="log", ylim=(25, 700))
    plotting.finish(ax, r"$B/\eta$", r"time to escape, $\eta$ times steps", "3. Out of a poor minimum: a sine unit")


def labels(ax, numbers: dict, quick: bool) -> None:
    """Draw the ratio of the layers along descents with and without noise on the labels."""
    runs, eta, start = (60, 0.02, (0.5, 2.0)) if quick else (400, 0.01, (0.5, 2.0))
    steps = int(2 / eta**2)
    every = steps // 80
    for shape, name, color in (((1, 1, 1), "numbers", "blue"), ((6, 1, 2), "6 inputs, 2 outputs", "vermilion")):
        d, _, k = shape
        run = experiments.label_noise(shape, eta=eta, steps=steps, runs=runs, start=start, every=every, seed=3)
        ratio = np.log(run.first / run.second).mean(axis=1)
        ax.plot(run.steps * eta**2, ratio, lw=2, color=plotting.PALETTE[color], label=f"label noise, {name}")
        # the function is learned in some ten steps of time, in which |W2|^2 - |W1|^2 hardly changes
        gap = start[1] ** 2 - start[0] ** 2
        flow = theory.label_noise_sizes(0.5 * (gap + math.sqrt(gap**2 + 4)), d, k, eta**2, run.steps)
        label = "slow flow, theory" if d == 1 else None
        ax.plot(run.steps * eta**2, -2 * np.log(flow), "--", lw=1.5, color=plotting.PALETTE["black"], label=label)
        numbers[f"largest defect of the identity, {name}"] = run.defect
        if d == 1:
            logs = np.log(np.abs(run.imbalance[2:41]))
            rates = -(logs[-1] - logs[0]) / (run.steps[40] - run.steps[2]) / eta**2
            # E e^2 = 1 + what is left of the residual
            rates = rates - run.error[2:41].mean(axis=0) * np.mean(run.inputs**4)
            numbers["rate of the imbalance/eta^2, numbers"] = (*mean_of(rates), 1.0)
    quiet = experiments.label_noise(
        (6, 1, 2), eta=eta, noise=0.0, batch=200, steps=steps, runs=10, start=start, every=every, seed=3
    )
    ratio = np.log(quiet.first / quiet.second).mean(axis=1)
    ax.plot(quiet.steps * eta**2, ratio, lw=2, color=plotting.PALETTE["green"], label="gradient descent")
    numbers["imbalance left, gradient descent"] = float((quiet.imbalance[-1] / quiet.imbalance[0]).mean())
    ends = []
    for step, seed in ((0.04, 4), (0.02, 5)) if quick else ((0.03, 4), (0.015, 5)):
        run = experiments.label_noise(
            (6, 1, 2), eta=step, steps=int(2 / step**2), runs=runs, start=(1, 1), every=50, seed=seed
        )
        late = slice(3 * len(run.steps) // 4, None)
        ends.append(np.log(run.first[late].mean(axis=0) / run.second[late].mean(axis=0)))
    # to zero step
    numbers["ln |W1|^2/|W2|^2 at the end, 6 inputs, 2 outputs"] = (*mean_of(2 * ends[1] - ends[0]), math.log(3.0))
    ax.axhline(math.log(3.0), ls=":", lw=1.2, color=plotting.PALETTE["vermilion"])
    ax.axhline(0.0, ls=":", lw=1.2, color=plotting.PALETTE["blue"])
    ax.text(0.02, math.log(3.0) + 0.08, "d/k = 3", fontsize=10, color=plotting.PALETTE["vermilion"])
    ax.text(0.02, 0.08, "balanced", fontsize=10, color=plotting.PALETTE["blue"])
    ax.set_ylim(-3.5, 3.5)
    plotting.finish(
        ax,
        r"$\eta^2\sigma^2$ times steps",
        r"$\ln(|W_1|^2/|W_2|^2)$",
        "4. Label noise moves along the solutions",
        legend=False,
    )
    ax.legend(frameon=False, fontsize=10, ncols=2, loc="upper left")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 2, size=(13.0, 9.0))
    for ax, draw in zip(axes.ravel(), (rules, epochs, escapes, labels), strict=True):
        draw(ax, numbers, quick)
    plotting.save(fig, out_dir / "22_noise_in_training.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:52s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:52s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
