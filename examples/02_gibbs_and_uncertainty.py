"""Is the stationary law exp(-V/D)/Z, and does sd(x) sd(V') >= D/2 hold for every density?

Equation: dX = -V'(X) dt + sqrt(2 D) dW, and its Euler chain x' = x - V'(x) dt + sqrt(2 D dt) xi.

Expected:
1. The law of the equation is Gibbs, the law of the chain is off by O(dt): in V = k x^2/2 its variance is exactly
   D/(k (1 - k dt/2)), infinite at dt = 2/k.
2. Under the Gibbs law Cov(x, V') = D, so sd(x) sd(V') >= D -- twice the bound as stated -- with equality only where
   V' is linear: 1 in the harmonic well, 1.170 in the quartic well at every D, more in the double well.
3. For an arbitrary density there is no bound at all: a Gaussian of width s in the harmonic well has the product k s^2,
   which passes below D/2 as soon as s^2 < D/(2k).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def product_of(x: np.ndarray, potential: shld.Potential) -> tuple[float, float]:
    """Return sd(x) sd(V'(x)) with its standard error, from the scatter of 40 groups of paths."""
    groups = x.reshape(40, -1)
    products = groups.std(axis=1, ddof=1) * potential.gradient(groups).std(axis=1, ddof=1)
    whole = float(x.std(ddof=1) * potential.gradient(x).std(ddof=1))
    return whole, float(products.std(ddof=1) / np.sqrt(len(groups)))


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    n_paths = 8_000 if quick else 40_000
    numbers: dict = {}
    colors = plotting.PALETTE
    fig, (left, middle, right) = plotting.new_figure(1, 3, size=(13.5, 4.3))

    # 1. The Euler chain in the harmonic well.
    k, D = 1.0, 0.5
    steps = (0.1, 0.25, 0.5, 1.0, 1.5)
    measured, errors = [], []
    for i, dt in enumerate(steps):
        run = shld.simulate(
            shld.Langevin(shld.Harmonic(k), D=D), 0.0, dt, n_steps=max(40, int(12 / dt)), n_paths=n_paths, seed=i
        )
        variance = float(run.final.var(ddof=1))
        measured.append(variance)
        errors.append(variance * np.sqrt(2.0 / n_paths))  # of a Gaussian sample
        numbers[f"Euler variance, k dt = {k * dt:g}"] = (variance, errors[-1], shld.theory.euler_variance(k, D, dt))
    line = np.linspace(0.01, 1.6, 200)
    left.plot(
        line, [shld.theory.euler_variance(k, D, h) for h in line], lw=2, color=colors["blue"], label="chain, exact"
    )
    left.axhline(D / k, ls="--", lw=1.5, color="#404040", label="Gibbs, D/k")
    left.errorbar(steps, measured, errors, fmt="o", ms=5, capsize=3, color=colors["orange"], label="simulated")
    left.set_ylim(0.0, 2.6)
    plotting.finish(left, "k dt", "variance", "Euler chain, harmonic well, D = 0.5")

    # 2. The product under the Gibbs law.
    strengths = np.geomspace(0.03, 3.0, 40)
    wells = {
        "harmonic": (shld.Harmonic(), "blue"),
        "quartic": (shld.Quartic(), "green"),
        "double well": (shld.DoubleWell(), "vermilion"),
    }
    for j, (name, (well, color)) in enumerate(wells.items()):
        exact = [shld.theory.uncertainty_product(shld.Langevin(well, D=float(d))) / d for d in strengths]
        middle.plot(strengths, exact, lw=2, color=colors[color], label=name)
        for i, d in enumerate((0.1, 1.0)):
            model = shld.Langevin(well, D=d)
            start = np.where(np.arange(n_paths) % 2, 1.0, -1.0) * (1.0 if name == "double well" else d**0.25)
            run = shld.simulate(
                model, start, dt=0.002, t_end=12.0, seed=100 + 10 * j + i
            )  # half the paths in each well
            value, error = product_of(run.final, well)
            numbers[f"sd(x) sd(V'), {name}, D = {d:g}"] = (value, error, shld.theory.uncertainty_product(model))
            middle.errorbar(d, value / d, error / d, fmt="o", ms=5, capsize=3, color=colors[color])
    middle.axhline(0.5, ls="--", lw=1.5, color="#404040")
    middle.annotate("as stated: D/2", (0.03, 0.53), va="bottom", fontsize=11, color="#404040")
    middle.set_xscale("log")
    middle.set_yscale("log")
    plotting.finish(middle, "D", "sd(x) sd(V') / D", "Gibbs law")

    # 3. A narrow Gaussian, D = 1, k = 1.
    widths = np.geomspace(0.2, 2.0, 60)
    products = [shld.theory.gaussian_uncertainty_product(shld.Harmonic(), 0.0, float(s)) for s in widths]
    right.plot(widths, products, lw=2, color=colors["blue"], label=r"Gaussian of width s: $s^2$")
    right.axhline(0.5, ls="--", lw=1.5, color="#404040", label="as stated: at least D/2")
    below = widths[np.array(products) < 0.5]
    right.axvspan(widths[0], below[-1], color=colors["vermilion"], alpha=0.12, lw=0)
    right.annotate("violated", (0.22, 0.9), fontsize=12, color=colors["vermilion"])
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_xlim(widths[0], widths[-1])
    plotting.finish(right, "s", "sd(x) sd(V')", "any density, harmonic well, D = 1")
    s = 0.5
    sample = s * np.random.default_rng(5).standard_normal(n_paths)
    value, error = product_of(sample, shld.Harmonic())
    numbers["Gaussian of width 1/2, bound D/2 = 0.5"] = (
        value,
        error,
        shld.theory.gaussian_uncertainty_product(shld.Harmonic(), 0.0, s),
    )
    plotting.save(fig, out_dir / "02_gibbs_and_uncertainty.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:42s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:42s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
