"""When does a network that has learned sums by heart understand them -- and do C and p of its gradients foretell it?

Equations: f_q(a, b) = (1/N) sum_k V_qk (U_ak + W_bk)^2 learns a + b mod p from 45 % of all pairs, by plain descent on half
the squared error: no noise, no momentum, nothing that regularises (Gromov 2023, arXiv:2301.02679). For an example drawn at
random, C = |mu|^2/tr S with mean mu and covariance S of its gradient, p = C/(1 + C); a batch of b has C b times larger.
One states that C is about 8 before the network understands and falls below 1 some 200 epochs ahead, and that p > 1/2 if and
only if it learns.

Expected:
1. All examples are known by heart within a thousand steps, when the tests are still no better than guessed; the tests follow
   several times later. Meanwhile the test loss rises above that of an output of nothing, 1/2.
2. C of an example is small from the first step on: about 0.01 of random weights, a few 1e-4 when all is known by heart, and
   falling slowly and smoothly from there on. p is never near 1/2 while the network learns, and nothing in C marks the hour
   when it understands. Estimated from 64 examples C cannot be told from 0: its error is of the order 1e-3.
3. Waves grow in the weights. Of random ones the strongest of the m = (p - 1)/2 frequencies has the share H_m/m of the power
   (H_m is the harmonic sum), at the end about half. The weights that are known to add are waves, and their output at the sum
   is 1 on average.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shld_sim import diagnostics, learning, plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
SEEDS = (0, 1)
COLORS = ("blue", "vermilion")


def shares(network: learning.QuadraticNetwork, theta: np.ndarray) -> np.ndarray:
    """Return the share of the strongest frequency in the power of every column of U, W and V^T, the mean left out."""
    w = network.views(theta)
    columns = np.concatenate([*w["first"].transpose(0, 2, 1), w["second"].T])
    power = np.abs(np.fft.rfft(columns, axis=1)[:, 1:]) ** 2
    return power.max(axis=1) / power.sum(axis=1)


def watch_waves(moment: learning.Moment) -> dict[str, float]:
    """Record the mean share of the strongest frequency."""
    return {"share": float(shares(moment.network, moment.theta).mean())}


def measured(values: np.ndarray, theory: float) -> tuple[float, float, float]:
    """Return mean, standard error and theory."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), theory


def known(numbers: dict, p: int, width: int) -> None:
    """Compare first weights, the estimate of C and the known weights with what theory says of them."""
    network, task = learning.QuadraticNetwork(p, width), learning.modular_addition(p, 0.5)
    theta, rng, m = network.initial(7), np.random.default_rng(8), (p - 1) // 2
    numbers["share of the strongest frequency, random"] = measured(
        shares(network, theta), float((1 / np.arange(1, m + 1)).sum()) / m
    )
    mean, square = network.gradient_moments(theta, task.inputs, task.targets)
    found = []
    for _ in range(40):
        chosen = rng.integers(len(task.inputs), size=64)
        found.append(
            diagnostics.consolidation(network.per_sample_gradients(theta, task.inputs[chosen], task.targets[chosen])).C
        )
    numbers["C of random weights, 64 examples"] = measured(np.array(found), float(mean @ mean / (square - mean @ mean)))
    x, y = np.array([[3, p - 1]]), 2
    outputs = [network.outputs(network.addition_weights(seed), x)[0, y] for seed in range(50)]
    numbers["output at the sum, known weights"] = measured(np.array(outputs), 1.0)
    numbers["accuracy, known weights"] = network.accuracy(
        network.addition_weights(), task.test_inputs, task.test_targets
    )


def learn(numbers: dict, axes: np.ndarray, p: int, width: int, fraction: float, steps: int) -> None:
    """Train from each seed and draw accuracies, losses, C and waves."""
    right, losses, ratio, waves = axes.ravel()
    every = 50
    watches = (
        learning.consolidation_watch(4 * every, None),
        learning.consolidation_watch(4 * every, 64),
        learning.Watch(watch_waves, every),
    )
    for seed, color in zip(SEEDS, (plotting.PALETTE[name] for name in COLORS), strict=True):
        task, network = learning.modular_addition(p, fraction, seed), learning.QuadraticNetwork(p, width)
        run = learning.train(
            network,
            task,
            learning.Descent(width / 4),
            steps,
            seed=seed,
            every=every,
            callbacks=watches,
            goal=0.98,
        )
        heart, half, understood = run.first_step(1.0, "train"), run.first_step(0.5), run.first_step(0.95)
        name = f"seed {seed}"
        numbers[f"step with all examples right, {name}"] = heart
        numbers[f"step with half of the tests right, {name}"] = half
        numbers[f"step with 95 % of the tests right, {name}"] = understood
        numbers[f"tests right when all examples are, {name}"] = float(run.test_accuracy[run.steps == heart][0])
        numbers[f"largest test loss, {name}"] = float(run.test_loss.max())
        C, p_all, share = run.watched["C all"], run.watched["p all"], run.watched["share"]
        for what, step in (("start", 0), ("by heart", heart), ("half right", half), ("95 % right", understood)):
            numbers[f"C, {what}, {name}"] = float(np.interp(step, C.steps, C.values))
        numbers[f"largest p, {name}"] = float(p_all.values.max())
        numbers[f"share of the strongest frequency, end, {name}"] = float(share.values[-1])
        right.plot(run.steps, run.train_accuracy, ls="--", lw=2, color=color)
        right.plot(run.steps, run.test_accuracy, lw=2, color=color, label=name)
        losses.plot(run.steps, run.train_loss, ls="--", lw=2, color=color)
        losses.plot(run.steps, run.test_loss, lw=2, color=color, label=name)
        ratio.plot(C.steps, C.values, lw=2, color=color, label=f"{name}, all examples")
        if seed == SEEDS[0]:
            estimate, high = run.watched["C"], run.watched["C high"]
            ratio.plot(estimate.steps, high.values, ls=":", lw=1.5, color=color, label="64 examples, upper end")
            seen = estimate.values > 0
            ratio.plot(
                estimate.steps[seen], estimate.values[seen], "o", ms=5, color=color, label="64 examples, positive"
            )
        waves.plot(share.steps, share.values, lw=2, color=color, label=name)
        for ax in (ratio, waves):
            ax.axvline(heart, ls="--", lw=1, color=color)
            ax.axvline(understood, lw=1, color=color)
    losses.axhline(0.5, lw=1, color="#404040")
    losses.set_yscale("log")
    ratio.set(yscale="log", ylim=(1e-5, 0.5))
    random = numbers["share of the strongest frequency, random"][2]
    waves.axhline(random, lw=1, color="#404040", label="random")
    waves.set_ylim(0, 0.8)
    plotting.finish(right, "step", "share of sums right", f"1. a + b mod {p}: examples (dashed), tests")
    plotting.finish(losses, "step", "loss", "2. Loss; an output of nothing has 1/2")
    plotting.finish(ratio, "step", "C of an example", "3. Signal and noise; all examples, 95 % of tests right")
    plotting.finish(waves, "step", "share of strongest frequency", "4. Waves in the weights")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    p, width, fraction, steps = (31, 128, 0.55, 6000) if quick else (47, 200, 0.45, 8000)
    known(numbers, p, width)
    fig, axes = plotting.new_figure(2, 2, size=(13.0, 9.0))
    learn(numbers, axes, p, width, fraction, steps)
    plotting.save(fig, out_dir / "14_grokking.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:48s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:48s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
