"""Do signal and noise, the edge of stability, the tangent kernel or heavy tails warn of the hour when a network understands?

Equations: theta' = theta - eta g with g the gradient of a batch of 32, on a + b mod p; nothing that regularises. Along the run
C = |mu|^2/tr S of a batch and p = C/(1 + C); S = 2/eta - lmax and S_p = 2p/eta - lmax; rho = ln det J J^T of 32 outputs; Hill's
index alpha of the last 100 gradient norms; C_a = |g|^2/(2 D_a d) with D_a = (sigma_a/|g|)^alpha, and
Phi = exp(-[(C_a - 1)^2/(2 s1^2) + S^2/(2 s2^2) + (|rate of rho| - 1)^2/(2 s3^2)]). A jump: the tests right go up by more than 5 %
within 10 steps. One states that C falls from 8 to below 1 before a network groks, and that steps with C_a in [.8, 1.2], S in
[-.1, .1] and |rate| > .5 come 10 to 50 steps before a jump with probability above 0.7.

Expected:
1. All is known by heart when the tests are no better than guessed; they follow several times later, in jumps.
2. C of a batch is least, below 0.2, while all is being learned by heart, and rises to about 1 as the network understands, p to
   about 1/2. There they stay: no fall from 8 to below 1. (Without batches, with a smaller step, C only falls: example 14.)
3. S falls nearly to 0 while the network understands, the edge of stability, and stays there. But S has the unit of
   the loss, here so small that the band [-.1, .1] holds all of it. S_p is below 0 nearly always, and the loss goes down all the
   same: S_p > 0 is enough for that, not necessary.
4. rho moves most while all is learned by heart. No step has C_a near 1, which is four decades too small in the unit of this loss;
   the tracker is never critical, and every jump comes without a warning.
5. Hill's index of the norms is about 20, with jumps of its own where a large norm leaves the window: they have no heavy tail, and
   the tracker's cut to 1.9 hides that. A stable law fitted to the noise of single examples has an index just below 2.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shld_sim import diagnostics, plotting, theory
from shld_sim.learning.experiments import Grokking, grokking

FIGURES = Path(__file__).resolve().parents[1] / "figures"
SEEDS = (0, 1)


def known(numbers: dict, quick: bool) -> None:
    """Compare the statistics with what they must be on numbers made for it."""
    rng, n = np.random.default_rng(17), 2000 if quick else 20_000
    # conditions that have nothing to do with each other
    runs = list(rng.random((60, 500, 3)) < 0.3)
    found = diagnostics.alignment(runs, seed=rng)
    low, high = found.ratio_interval
    numbers["joint/product, independent conditions"] = found.ratio, (high - low) / 3.92, 1.0
    # a signal at 1 % of the steps is at one of 41 lags before an event with probability 1 - 0.99^41
    shares = []
    for _ in range(n // 100):
        signal = np.flatnonzero(rng.random(2000) < 0.01)
        shares.append(diagnostics.precursors(signal, np.arange(100, 2000, 100), (0, 1999), draws=10).share)
    error = float(np.std(shares, ddof=1) / np.sqrt(len(shares)))
    numbers["events preceded, random signal"] = float(np.mean(shares)), error, 1.0 - 0.99**41
    # from 100 numbers with a tail of index 1.5, and 100 with 1.2
    a, b = (
        np.array([diagnostics.hill(x).alpha for x in rng.random((n, 100)) ** (-1.0 / alpha)]) for alpha in (1.5, 1.2)
    )
    share = float((b < a).mean())
    numbers["Hill's estimate falls, 1.5 to 1.2"] = (
        share,
        float(np.sqrt(share * (1.0 - share) / n)),
        theory.hill_fall_probability(1.5, 1.2),
    )


def measure(numbers: dict, one: Grokking) -> None:
    """Note what happened in a run."""
    name, heart, end = f"seed {one.seed}", one.by_heart, one.understood
    numbers[f"step with all examples right, {name}"] = heart
    numbers[f"step with 95 % of the tests right, {name}"] = end
    numbers[f"tests right when all examples are, {name}"] = float(one.test_accuracy[one.steps == heart][0])
    way = one.at / end
    numbers[f"smallest C, {name}"] = float(one.C.min())
    numbers[f"C, 60 to 80 % of the way, {name}"] = float(np.exp(np.log(one.C[(way >= 0.6) & (way <= 0.8)]).mean()))
    numbers[f"C, after, {name}"] = float(np.exp(np.log(one.C[way >= 1.0]).mean()))
    numbers[f"plug-in less unbiased C, {name}"] = float((one.C_plug_in - one.C_estimate).mean()), 1e-9, one.batch / 32
    numbers[f"largest C_a, {name}"] = float(np.nanmax(one.C_a))
    numbers[f"smallest index of Hill, {name}"] = float(np.nanmin(one.alpha_hill))
    numbers[f"jumps, {name}"] = len(one.jumps)
    critical = np.flatnonzero(one.conditions.all(axis=1))
    numbers[f"critical steps, {name}"] = len(critical)
    if len(one.jumps):
        found = diagnostics.precursors(critical, one.jumps, (0, len(one.norms) - 1))
        numbers[f"jumps preceded, {name}"] = found.share
        numbers[f"p-value, {name}"] = found.p_value


def draw(axes: np.ndarray, one: Grokking) -> None:
    """Draw a run."""
    right, ratio, margin, kernel, index, nearness = axes.ravel()
    blue, red, green, grey = (*(plotting.PALETTE[name] for name in ("blue", "vermilion", "green")), "#404040")
    every = np.arange(len(one.norms))
    right.plot(one.steps, one.train_accuracy, "--", lw=1.5, color=grey, label="examples")
    right.plot(one.steps, one.test_accuracy, lw=2, color=blue, label="tests")
    ratio.plot(one.at, one.C, lw=2, color=blue, label="C, all examples")
    ratio.plot(one.at, one.C_plug_in, ".", ms=4, color=red, label="C, plug-in of 32")
    ratio.plot(one.at, one.p_success, "--", lw=1.5, color=green, label="p")
    ratio.set(yscale="log", ylim=(0.03, 30.0))
    margin.plot(every, one.S, lw=2, color=blue, label="S")
    margin.plot(one.at, one.S_p, "--", lw=1.5, color=green, label="S_p")
    margin.axhline(0.0, lw=1, color=grey)
    kernel.plot(every, one.rho, lw=2, color=blue, label="rho")
    index.plot(every, one.alpha_hill, lw=1.5, color=blue, label="norms, Hill")
    index.plot(one.at, one.alpha_noise, lw=2, color=green, label="noise, stable fit")
    index.plot(every, one.alpha, "--", lw=2, color=red, label="norms, cut to [1.1, 1.9]")
    index.set(yscale="log", ylim=(1.0, 300.0))
    nearness.plot(every, one.C_a, lw=1, color=blue, label="C_a")
    nearness.plot(every, one.phi, lw=1, color=red, label="Phi")
    nearness.axhspan(0.8, 1.2, color="0.8", label="band of C_a")
    nearness.set(yscale="log", ylim=(1e-8, 1e5))
    for ax in axes.ravel():
        for step in one.jumps:
            ax.axvline(step, lw=0.6, ls=":", color=grey, zorder=0)
    plotting.finish(right, "step", "share of sums right", f"1. a + b mod {one.p}; dotted: jumps")
    plotting.finish(ratio, "step", "C of a batch, p", "2. Signal and noise")
    plotting.finish(margin, "step", "curvature", "3. Margins of stability")
    plotting.finish(kernel, "step", "rho", "4. Tangent kernel")
    plotting.finish(index, "step", "tail index", "5. Tails of the gradient")
    plotting.finish(nearness, "step", "C_a, Phi", "6. How near to critical")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    known(numbers, quick)
    for seed in SEEDS:
        p, width, fraction, every = (19, 64, 0.65, 20) if quick else (31, 128, 0.5, 10)
        one = grokking(p, width, fraction, steps=4000, every=every, seed=seed)
        measure(numbers, one)
        fig, axes = plotting.new_figure(3, 2, size=(13.0, 12.0))
        draw(axes, one)
        plotting.save(fig, out_dir / f"17_precursors_{seed}.png")
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
