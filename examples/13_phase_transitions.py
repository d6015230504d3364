"""Does a network learn if and only if p > 1/2 -- and what does p tell about the step?

Equations: a stochastic gradient g has the mean mu and the covariance S; C = |mu|^2/tr S and p = C/(1 + C). A step
x' = x - eta g in the well L = |x|^2/2 changes the loss by -eta |mu|^2 (1 - eta/(2p)) on average (curvature 1). One states
"learning if and only if p > 1/2", and a rule that multiplies the step by .1, .5, 1, 1.5 or 2 as p crosses .4, .5, .6, .75.

Expected:
1. From n gradients the squared mean over the summed variance is C + 1/n on average; less T/n in the numerator it is C.
2. The loss falls if and only if eta < 2p, fastest at eta = p: p is the factor by which noise shrinks the edge of
   stability. p > 1/2 is the threshold at eta = 1 alone.
3. Descent with a fixed step loses signal until 2p = eta, whatever the step, and stays there: E|mu|^2/E|g|^2 = eta/2
   exactly. So p falls below 1/2 in every run with eta < 1, and long before the loss has settled.
4. The step p/lam makes the loss fall on and on if p is known. The estimate from 20 gradients has the error sqrt(2/d) = 0.3 in
   C of their mean, so that p is not seen below 0.1: used at once it leaves a floor, averaged over five steps a
   lower one. The rule, from a base step 1, doubles the step where noise is small and makes the loss rise.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import diagnostics, plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
DIM = 20


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def estimate(ax, numbers: dict, quick: bool) -> None:
    """Draw the two estimates of C against the number of gradients."""
    rng, C, repeats = np.random.default_rng(1), 0.2, 400 if quick else 4000
    mu, counts = np.full(DIM, np.sqrt(C)), np.array([5, 10, 20, 40, 80])  # noise 1 per coordinate: tr S = 20
    found = {"plug-in": [], "unbiased": []}
    for n in counts:
        made = [diagnostics.consolidation(mu + rng.standard_normal((n, DIM))) for _ in range(repeats)]
        # normal noise: T/d is chi-square over its degrees k, E 1/T = k/((k - 2) d)
        k = DIM * (n - 1)
        for name, values, exact in (
            ("plug-in", [e.plug_in for e in made], (C + 1 / n) * k / (k - 2)),
            ("unbiased", [e.C for e in made], (C + 1 / n) * k / (k - 2) - 1 / n),
        ):
            value, error = mean_of(np.array(values))
            found[name].append((value, error))
            numbers[f"C, {name}, n = {n}"] = (value, error, exact)
        if n == 20:
            inside = np.array([e.interval[0] <= C <= e.interval[1] for e in made])
            numbers["share of 95 % intervals with C, n = 20"] = float(inside.mean())
    for name, color in (("plug-in", "vermilion"), ("unbiased", "blue")):
        value, error = np.array(found[name]).T
        ax.errorbar(counts, value, 5 * error, fmt="o", ms=6, color=plotting.PALETTE[color], label=name)
    line = np.linspace(4, 90, 200)
    ax.plot(line, C + 1 / line, color=plotting.PALETTE["vermilion"], label="C + 1/n")
    ax.axhline(C, color=plotting.PALETTE["blue"], label="C")
    ax.set(xscale="log", ylim=(0.1, 0.5))
    plotting.finish(ax, "gradients n", "estimate of C", "1. How strong is the signal?")


def one_step(ax, numbers: dict, quick: bool) -> None:
    """Draw the change of the loss over one step against the step."""
    rng, pairs = np.random.default_rng(2), 4000 if quick else 40_000
    V, x = shld.QuadraticForm(np.ones(DIM)), np.full(DIM, 1 / np.sqrt(DIM))  # |mu| = 1
    line = np.linspace(0.0, 2.0, 200)
    for p, color in ((0.3, "blue"), (0.5, "green"), (0.8, "vermilion")):
        S = (1 - p) / (p * DIM)
        ax.plot(
            line, shld.theory.one_step_change(x, S, 1.0, line), lw=2, color=plotting.PALETTE[color], label=f"p = {p}"
        )
        for part in (0.5, 1.0, 1.5, 2.0):
            eta = part * p
            z = np.sqrt(S) * rng.standard_normal((pairs, DIM))
            change, error = mean_of(0.5 * (V(x - eta * (x + z)) + V(x - eta * (x - z))) - V(x))
            name = f"change at eta = {eta:.2g}, p = {p}"
            numbers[name] = (change, error, shld.theory.one_step_change(x, S, 1.0, eta))
            ax.errorbar(eta, change, 5 * error, fmt="o", ms=6, color=plotting.PALETTE[color])
    ax.axhline(0.0, lw=1, color="#404040")
    ax.set_ylim(-0.5, 0.5)
    plotting.finish(ax, r"step $\eta\lambda$", r"change of the loss$/|\mu|^2$", "2. When does a step help?")


def fixed_steps(ax, numbers: dict, quick: bool) -> None:
    """Draw p along descents with fixed steps."""
    rng, paths, steps = np.random.default_rng(3), 400 if quick else 4000, 150
    for eta, color in ((0.1, "blue"), (0.4, "green"), (0.8, "orange"), (1.6, "vermilion")):
        x, curve = np.full((paths, DIM), 20.0), []
        for _ in range(steps):
            signal = np.sum(x * x, axis=1)
            curve.append(float(signal.mean()))
            x -= eta * (x + rng.standard_normal(x.shape))
        p = np.array(curve) / (np.array(curve) + DIM)
        value, error = mean_of(np.sum(x * x, axis=1))
        # after k steps E|x|^2 = (1 - eta)^(2k) |x_0|^2 + eta d (1 - (1 - eta)^(2k))/(2 - eta)
        left = (1 - eta) ** (2 * steps)
        exact = left * 400 * DIM + eta * DIM * (1 - left) / (2 - eta)
        numbers[f"p at the end, eta = {eta}"] = (
            value / (value + DIM),
            error * DIM / (value + DIM) ** 2,
            exact / (exact + DIM),
        )
        ax.plot(p, lw=2, color=plotting.PALETTE[color], label=rf"$\eta\lambda$ = {eta}")
        ax.axhline(eta / 2, ls=":", lw=1.2, color=plotting.PALETTE[color])
    ax.axhline(0.5, lw=1, color="#404040", label="1/2, as stated")
    ax.set_ylim(0, 1.75)
    plotting.finish(ax, "step", r"$E|\mu|^2/E|g|^2$", r"3. Fixed steps end at $2p = \eta\lambda$ (dotted)")


def share(C: float) -> float:
    """Return p = C/(1 + C), 0 where the estimate of C is negative."""
    return max(C, 0.0) / (1.0 + max(C, 0.0))


def adapted_steps(ax, numbers: dict, quick: bool) -> None:
    """Draw the loss of descents whose step follows p: known, estimated, averaged."""
    rng, paths, n, steps = np.random.default_rng(4), 25 if quick else 200, 20, 60
    for name, color in (
        ("fixed, 0.2", "green"),
        ("rule, base 1", "vermilion"),
        ("p, 20 gradients", "orange"),
        ("p, averaged", "purple"),
        ("p, known", "blue"),
    ):
        losses = np.empty((paths, steps + 1))
        for i in range(paths):
            x, signal, noise = np.full(DIM, 2.0), None, None
            for k in range(steps + 1):
                losses[i, k] = 0.5 * x @ x
                g = x + 4.0 * rng.standard_normal((n, DIM))  # the step takes their mean, whose C is n times larger
                if name == "fixed, 0.2":
                    eta = 0.2
                elif name == "p, known":
                    eta = share(n * (x @ x) / (16.0 * DIM))
                else:
                    now = diagnostics.consolidation(g)
                    signal = now.signal if signal is None else 0.8 * signal + 0.2 * now.signal
                    noise = now.noise if noise is None else 0.8 * noise + 0.2 * now.noise
                    p = share(n * signal / noise if name == "p, averaged" else now.with_batch(n).C)
                    eta = diagnostics.step_factor(p) if name == "rule, base 1" else p
                x = x - eta * g.mean(axis=0)
        numbers[f"loss after {steps} steps, {name}"] = float(losses[:, -1].mean())
        ax.plot(losses.mean(axis=0), lw=2, color=plotting.PALETTE[color], label=name)
    ax.set(yscale="log", ylim=(0.08, 1e6))
    plotting.finish(ax, "step", "mean loss", r"4. Steps $\eta\lambda$ by p")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 2, size=(13.0, 9.0))
    for ax, draw in zip(axes.ravel(), (estimate, one_step, fixed_steps, adapted_steps), strict=True):
        draw(ax, numbers, quick)
    plotting.save(fig, out_dir / "13_phase_transitions.png")
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
