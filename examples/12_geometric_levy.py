"""Does gradient noise jump, and what do the dials of a Levy tracker -- tail index, margin, curvature -- really read?

Equations: dX = -grad V dt + sigma dL with E exp(ik.L_t) = exp(-t|k|^alpha); the jumps have the measure |z|^-(d + alpha) dz. One
reads the tail index alpha off gradients, the margin S = 2/eta - lmax off the Hessian, and states that in negative curvature
R paths escape at a rate exp(sqrt|R|).

Expected:
1. Isotropic noise has E cos(k.L) = exp(-1) for |k| = 1 in every direction; independent stable coordinates have
   exp(-|cos a|^alpha - |sin a|^alpha), and jump along the axes.
2. Sums of blocks give alpha < 2 for data with all their moments: 1/alpha = 1/2 + (ln sd - 0.635 - E ln|X|)/ln m. Coordinates that
   are normal, of unequal scale, give 0.85, and 2 once they are sorted. Maximum likelihood finds alpha of stable data.
3. Hill's estimate is flat in k where there is a power law. Ten of 100 values, as one reads, have an error of a third.
4. Five power steps find 11/12 of lmax of a spectrum even on [0, 1]; Lanczos' iteration finds it, with a bound.
5. On the hyperbolic plane of curvature -k^2 the mean time to leave a disc of radius r is (2/(D k^2)) ln cosh(kr/2): the rate
   grows as k, not as exp(k).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import diagnostics, plotting, theory

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def stable(alpha: float, n: int, seed: int) -> np.ndarray:
    """Return n stable numbers of unit scale: a free path over unit time."""
    model = shld.LevyFlight(shld.Harmonic(1e-12), alpha, 1.0)
    return shld.simulate(model, 0.0, 1.0, n_steps=1, n_paths=n, seed=seed).final


def directions(ax, numbers: dict, quick: bool) -> None:
    """Draw E cos(k.L) against the direction of k for both kinds of noise."""
    alpha, n = 1.2, 50_000 if quick else 400_000
    angles, line = np.radians([0, 15, 30, 45, 60, 75, 90]), np.linspace(0, np.pi / 2, 91)
    laws = {
        "isotropic": np.ones_like,
        "independent": lambda a: np.abs(np.cos(a)) ** alpha + np.abs(np.sin(a)) ** alpha,
    }
    for i, (kind, exponent) in enumerate(laws.items()):
        model = shld.LevyFlight(shld.QuadraticForm([1e-12, 1e-12]), alpha, 1.0, components=kind)
        x = shld.simulate(model, [0.0, 0.0], 1.0, n_steps=1, n_paths=n, seed=i).final
        found = np.array([mean_of(np.cos(x @ [np.cos(a), np.sin(a)])) for a in angles])
        color = plotting.PALETTE[("blue", "vermilion")[i]]
        ax.plot(np.degrees(line), np.exp(-exponent(line)), color=color, label=kind)
        ax.errorbar(np.degrees(angles), found[:, 0], 5 * found[:, 1], fmt="o", ms=5, color=color)
        numbers[f"E cos(k.L), {kind}, axis"] = (*found[0], math.exp(-float(exponent(angles[0]))))
        numbers[f"E cos(k.L), {kind}, diagonal"] = (*found[3], math.exp(-float(exponent(angles[3]))))
    plotting.finish(ax, "direction of k, degrees", r"$E\,\cos(k\cdot L)$, |k| = 1", "1. Which stable noise?")


def block_sums(ax, numbers: dict, quick: bool) -> None:
    """Draw the index by sums of blocks and by maximum likelihood, of data with known tails."""
    rng, m = np.random.default_rng(2), 100
    n = m * (1000 if quick else 10_000)
    scales = rng.standard_normal((n // 500, 500)) * np.geomspace(0.01, 100, 500)
    gamma = float(np.euler_gamma)
    data = {
        "stable, 1.5": (stable(1.5, n, 5), 1.5),
        "Student, 5": (rng.standard_t(5, n), theory.block_sum_limit(math.sqrt(5 / 3), 0.5 * (math.log(5) - 8 / 3), m)),
        "Laplace": (rng.laplace(size=n), theory.block_sum_limit(math.sqrt(2), -gamma, m)),
        "unequal scales": (rng.permutation(scales.ravel()), None),
        "sorted": (scales.T.ravel(), 2.0),
    }
    for y, (name, (x, exact)) in enumerate(data.items()):
        sums = diagnostics.block_sum(x, m)
        ax.errorbar(sums.alpha, y, xerr=5 * sums.stderr, fmt="o", color=plotting.PALETTE["blue"])
        if exact is None:
            numbers[f"alpha by block sums, {name}"] = sums.alpha
        else:
            ax.plot(exact, y, "|", ms=22, mew=2, color=plotting.PALETTE["vermilion"])
            # the first Edgeworth term of the sums, kurtosis/(12 m) in E ln|Y|, is at most 6/1200
            numbers[f"alpha by block sums, {name}"] = (sums.alpha, sums.stderr + 0.001, exact)
    fit = diagnostics.stable_likelihood(data["stable, 1.5"][0])
    numbers["alpha by likelihood, stable, 1.5"] = (fit.alpha, fit.stderr, 1.5)
    ax.plot(fit.alpha, 0.0, "D", ms=6, mfc="none", color=plotting.PALETTE["green"], label="likelihood")
    ax.plot([], [], "o", color=plotting.PALETTE["blue"], label="sums of 100")
    ax.plot([], [], "|", ms=14, mew=2, color=plotting.PALETTE["vermilion"], label="formula")
    ax.set(yticks=range(len(data)), yticklabels=list(data), ylim=(len(data) - 0.5, -0.5))
    plotting.finish(ax, "tail index", "", "2. An index for data without one")


def hill_plots(ax, numbers: dict, quick: bool) -> None:
    """Draw Hill's estimate against the number of values it uses."""
    n, rng = 10_000, np.random.default_rng(3)
    for i, (name, x) in enumerate({"stable, 1.5": stable(1.5, n, 6), "Laplace": rng.laplace(size=n)}.items()):
        color = plotting.PALETTE[("blue", "orange")[i]]
        plot = diagnostics.hill_plot(x)
        ax.plot(plot.k, plot.alpha, color=color, label=name)
        ax.fill_between(plot.k, plot.low, plot.high, color=color, alpha=0.25, lw=0)
    few = np.array([diagnostics.hill(row).alpha for row in stable(1.5, 100_000, 7).reshape(-1, 100)])
    numbers["error of Hill's estimate, 10 of 100"] = float(few.std())
    pareto = rng.random((400 if quick else 4000, 100)) ** (-1 / 1.5)
    inverse = np.array([1.0 / diagnostics.hill(row).alpha for row in pareto])  # without bias: mean of exponentials
    numbers["1/alpha by Hill, Pareto"] = (*mean_of(inverse), 1 / 1.5)
    ax.errorbar(10, few.mean(), few.std(), fmt="s", color=plotting.PALETTE["vermilion"], label="10 of 100")
    ax.axhline(1.5, ls=":", color="#404040")
    ax.set(xscale="log", ylim=(0, 8))
    plotting.finish(ax, "largest values used", "Hill's estimate", "3. Is there a power law?")


def margins(ax, numbers: dict, quick: bool) -> None:
    """Draw lmax by power and by Lanczos' iteration against the number of products with the Hessian."""
    H, counts = np.linspace(0.0, 1.0, 300), np.array([2, 5, 10, 20, 30, 40, 60, 80])

    def product(v):
        return H * v

    tries = range(10 if quick else 40)
    found = np.array(
        [[diagnostics.power_iteration(product, 300, steps=int(m), seed=i).value for m in counts] for i in tries]
    )
    lanczos = [diagnostics.largest_eigenvalue(product, 300, steps=int(m), seed=1) for m in counts]
    ax.errorbar(
        counts + 1,
        found.mean(axis=0),
        found.std(axis=0),
        fmt="s",
        ms=5,
        color=plotting.PALETTE["vermilion"],
        label="power",
    )
    ax.plot(counts, [e.value for e in lanczos], "o", color=plotting.PALETTE["blue"], label="Lanczos")
    upper = np.array([e.interval[1] for e in lanczos])
    shown = upper < 1.25
    ax.plot(counts[shown], upper[shown], color=plotting.PALETTE["blue"], label="upper bound")
    ax.axhline(1.0, ls=":", color="#404040")
    value, error = mean_of(found[:, 1])
    numbers["lmax by five power steps"] = (
        value,
        error + 1 / 300,
        11 / 12,
    )  # the ratio of two sums over 300 eigenvalues
    numbers["lmax by 80 Lanczos products"] = lanczos[-1].value
    numbers["its upper bound"] = lanczos[-1].interval[1]
    plotting.finish(ax, "products with the Hessian", r"$\lambda_{max}$", "4. How near is the edge?")


def still(x, y, p):
    """No drift."""
    return 0.0, 0.0


def frozen(x, y, p):
    """Square root of the inverse metric of the Poincare disc, times sqrt(2 D) k/2."""
    b = p[0] * (1.0 - x * x - y * y)
    return (b, 0.0), (0.0, b)


def curvature(ax, numbers: dict, quick: bool) -> None:
    """Draw the rate of escape from a geodesic disc against the curvature."""
    n, D, r = 2000 if quick else 20_000, 1.0, 1.0
    for k in (1.0, 3.0, 6.0, 10.0):
        model = shld.Diffusion(still, frozen, params=(math.sqrt(2 * D) * k / 2,), dim=2)
        dt, disc = 0.001 / (2 * D * k**2), shld.Ball((0.0, 0.0), math.tanh(k * r / 2))
        exits = shld.first_passage(model, [0.0, 0.0], disc, dt, n, seed=int(k))
        exact = float(theory.geodesic_exit_time(r, -(k**2), D))
        # 2 D k^2 dt = 0.1 % is the size of the error by the step
        numbers[f"T, k = {k:g}"] = (exits.mean(), exits.stderr() + 0.001 * exact, exact)
        ax.errorbar(
            k, 1 / exits.mean(), 5 * exits.stderr() / exits.mean() ** 2, fmt="o", color=plotting.PALETTE["blue"]
        )
    line = np.linspace(0.05, 11, 200)
    rate = 1 / theory.geodesic_exit_time(r, -(line**2), D)
    ax.plot(line, rate, color=plotting.PALETTE["blue"], label="exact")
    ax.plot(line, rate[0] * np.exp(line), "--", color=plotting.PALETTE["vermilion"], label="exp(k), as stated")
    ax.set(yscale="log", ylim=(3, 100))
    plotting.finish(ax, "k, curvature $-k^2$", "rate of escape", "5. Does curvature drive paths out?")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 3, size=(15.0, 8.6))
    panels = (directions, block_sums, hill_plots, margins, curvature)
    for ax, draw in zip(axes.ravel(), panels, strict=False):
        draw(ax, numbers, quick)
    fig.delaxes(axes[1, 2])
    plotting.save(fig, out_dir / "12_geometric_levy.png")
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
