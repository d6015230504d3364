"""A network is told that a + b = b + a: does it understand sums modulo p sooner, and where does it put the numbers?

Equation: the loss is the cross-entropy of the examples and w times the symmetric divergence between the predictions for (a, b)
and (b, a), J = sum_c (p_c - q_c)(ln p_c - ln q_c), here w = 1 with 128 pairs drawn at every step. 70 % of all pairs are examples.
Embeddings of Z_p are sums of waves, E_a = sum_k u_k cos(2 pi k a/p) + v_k sin(2 pi k a/p); one frequency k is a closed circle.

Expected:
1. With weight decay both kinds of networks understand in the end. Prompting closes the gap J from the first step on, long
   before the examples are known by heart -- which takes longer with it. Whether the tests come sooner differs from seed to seed.
2. Without weight decay and prompting nothing is understood. Prompting hands over the labels of mirror images: of the tests,
   (1 - 1/p) n/(p^2 - 1) have theirs among the n examples, and all of these become right. No term of the loss holds the others:
   most of them stay wrong.
3. First embeddings have the frequencies of random rows: the entropy of their shares is psi(m d + 1) - psi(d + 1) on average,
   m = (p - 1)/2. Embeddings that are understood have few: not one circle but several, each closed and round.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from shld_sim import diagnostics, learning, plotting, theory
from shld_sim.learning.experiments import Prompting, prompting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
KINDS = ("prompted", "without")
COLORS = {"prompted": plotting.PALETTE["blue"], "without": plotting.PALETTE["vermilion"]}


def measured(values: np.ndarray, expected: float) -> tuple[float, float, float]:
    """Return mean, standard error and theory."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))), expected


def by_image(found: Prompting, p: int) -> np.ndarray:
    """Return for each training: share of tests whose mirror image is an example, and shares right of these and of the others."""
    rows = []
    for run in found.trainings:
        task = run.task
        right = run.network.outputs(run.theta, task.test_inputs).argmax(axis=1) == task.test_targets
        known = np.isin(task.test_inputs @ [1, p], task.inputs @ [p, 1])
        rows.append((known.mean(), right[known].mean(), right[~known].mean()))
    return np.array(rows)


def curves(ax: Any, found: dict[str, Prompting], values: str) -> None:
    """Draw every training and the mean of each kind."""
    for kind, each in found.items():
        y = getattr(each, values)
        ax.plot(each.steps, y.T, lw=0.8, alpha=0.45, color=COLORS[kind])
        middle = np.exp(np.log(y).mean(axis=0)) if values in ("gap", "frequencies") else y.mean(axis=0)
        ax.plot(each.steps, middle, lw=3, color=COLORS[kind], label=kind)


def draw_circle(ax: Any, embedding: np.ndarray, frequency: int) -> None:
    """Draw the symbols in the plane of a frequency, coloured by their phase and joined in its order."""
    seen = diagnostics.circle(embedding, frequency)
    p = len(embedding)
    way = np.append(seen.order, seen.order[0])
    ax.plot(*seen.points[way].T, lw=1, color="0.6", zorder=1)
    phase = frequency * np.arange(p) % p
    ax.scatter(*seen.points.T, c=phase, cmap="twilight", s=330, edgecolor="0.3", zorder=2)
    for a, (x, y) in enumerate(seen.points):
        dark = 0.2 < phase[a] / p < 0.8
        ax.text(x, y, str(a), ha="center", va="center", fontsize=10, color="white" if dark else "black", zorder=3)
    ax.set_aspect("equal", "datalim")
    ax.margins(0.12)


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    p, steps, seeds = (23, 200, range(3)) if quick else (31, 800, range(5))
    numbers: dict = {}

    def train(weight: float, decay: float) -> Prompting:
        optimiser = learning.AdamW(0.03, decay)
        return prompting(
            lambda seed: learning.modular_addition(p, 0.7, seed), weight, seeds, steps=steps, optimiser=optimiser
        )

    decayed = dict(zip(KINDS, (train(1.0, 2.0), train(0.0, 2.0)), strict=True))
    bare = dict(zip(KINDS, (train(1.0, 0.0), train(0.0, 0.0)), strict=True))
    first = decayed["prompted"]
    d, n = first.embeddings[0].shape[1], len(first.trainings[0].task.inputs)
    random = theory.random_frequency_entropy(p, d)
    numbers["entropy of the frequencies, first embedding"] = measured(np.log(first.frequencies[:, 0]), random)
    numbers["share of the strongest frequency, first embedding"] = measured(
        first.concentration[:, 0], theory.random_concentration(p, d)
    )
    known = (1.0 - 1.0 / p) * n / (p**2 - 1.0)
    numbers["share of tests with their image among the examples"] = measured(by_image(first, p)[:, 0], known)
    for decay, pair in ((2, decayed), (0, bare)):
        for kind, found in pair.items():
            name = f"{kind}, decay {decay}"
            _, image, other = by_image(found, p).mean(axis=0)
            numbers[f"tests right, {name}"] = float(found.test_accuracy[:, -1].mean())
            numbers[f"tests right, image known, {name}"], numbers[f"tests right, others, {name}"] = image, other
            numbers[f"gap, {name}"] = float(found.gap[:, -1].mean())
            numbers[f"frequencies, {name}"] = float(np.exp(np.log(found.frequencies[:, -1]).mean()))
            numbers[f"step with 95 % of the examples right, {name}"] = float(
                np.median(found.first_steps(0.95, "train"))
            )
    best = max(first.embeddings, key=diagnostics.fourier_concentration)
    order = np.argsort(diagnostics.fourier_shares(best))[::-1] + 1
    for place, k in enumerate(order[:2], 1):
        seen = diagnostics.circle(best, int(k))
        numbers[f"circle {place}: turns"], numbers[f"circle {place}: roundness"] = seen.winding, seen.roundness

    fig, axes = plotting.new_figure(2, 3, size=(18.0, 11.0))
    (right, gap, frequencies), (images, one, two) = axes
    curves(right, decayed, "test_accuracy")
    right.set_ylim(0, 1.03)
    plotting.finish(right, "step", "tests right", f"1. a + b mod {p}, weight decay 2")
    curves(gap, decayed, "gap")
    gap.set_yscale("log")
    plotting.finish(gap, "step", "symmetry gap J (nats)", "2. What a + b and b + a differ by")
    curves(frequencies, decayed, "frequencies")
    frequencies.axhline(np.exp(random), ls="--", lw=1.5, color="0.3", label="random rows")
    frequencies.set(yscale="log", ylim=(1.5, 20), yticks=(2, 3, 5, 10, 15), yticklabels=("2", "3", "5", "10", "15"))
    frequencies.minorticks_off()
    plotting.finish(frequencies, "step", "frequencies in the embedding", "3. From all frequencies to a few")
    curves(images, bare, "test_accuracy")
    images.axhline(known, ls="--", lw=1.5, color="0.3", label="tests with image known")
    images.set_ylim(0, 1.03)
    plotting.finish(images, "step", "tests right", "4. No weight decay: mirror images, little more")
    for ax, place in ((one, 0), (two, 1)):
        k = int(order[place])
        draw_circle(ax, best, k)
        share = diagnostics.fourier_shares(best)[k - 1]
        plotting.finish(ax, "", "", f"{5 + place}. Embedding, plane of k = {k}: {100 * share:.0f} % of the power")
        ax.set_axis_off()
    plotting.save(fig, out_dir / "18_symmetry_prompting.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:58s} {value[0]:10.5g} +- {value[1]:<8.2g} theory {value[2]:.5g}")
        else:
            print(f"{name:58s} {value:10.5g}")


if __name__ == "__main__":
    show(main())
