"""shld-sim figures: the teaching pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shld_sim.cli.escape import COLUMNS, draw_escape, escape_row
from shld_sim.cli.output import OK

if TYPE_CHECKING:
    from shld_sim import Potential


def figures(arguments: Any) -> int:
    from shld_sim import plotting

    home = Path(arguments.out)
    home.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        print(plotting.save(draw(), home / f"{name}.png", dpi=100), flush=True)
    return OK


def _figure_potential() -> Any:
    """Two landscapes, with paths of the second."""
    from shld_sim import DoubleWell, Langevin, MuellerBrown, plotting, simulate

    fig, (left, right) = plotting.new_figure(1, 2, size=(9.6, 3.9))
    plotting.potential(DoubleWell(), left)
    left.set_title("double well", fontsize=13, loc="left")
    model = Langevin(MuellerBrown(), D=15.0)
    run = simulate(model, x0=(0.62, 0.03), dt=1e-4, t_end=0.3, n_paths=2, seed=3, save_every=10)
    plotting.paths(run, right, n=1)
    right.set_title("Mueller-Brown, D = 15", fontsize=13, loc="left")
    return fig


def _figure_ensemble() -> Any:
    """An ensemble that starts at one point of the double well, against the Fokker-Planck equation."""
    from shld_sim import DoubleWell, FokkerPlanck, Grid, Langevin, plotting, simulate

    model = Langevin(DoubleWell(), D=0.1)
    run = simulate(model, x0=-1.0, dt=0.005, t_end=100.0, n_paths=20_000, seed=1, save_every=100)
    fp = FokkerPlanck(model, Grid(-2.5, 2.5, 500))
    fig, axes = plotting.new_figure(1, 3, size=(12.0, 3.8), sharey=True)
    for ax, t in zip(axes, (0.5, 10.0, 100.0), strict=True):
        i = int(np.argmin(np.abs(run.t - t)))
        plotting.histogram(run.x[i], ax, 50, range=(-2.0, 2.0), label="20 000 paths")
        plotting.density(fp.grid, fp.propagate(-1.0, t), ax, color="black", lw=1.5, label="Fokker-Planck")
        plotting.finish(ax, "x", "p(x, t)" if ax is axes[0] else "", f"t = {t:g}", legend=ax is axes[0])
        ax.set_xlim(-2.0, 2.0)
        if ax is not axes[0] and ax.get_legend():
            ax.get_legend().remove()
    return fig


def _figure_escape() -> Any:
    """Escape rates of the double well by five routes."""
    from shld_sim import DoubleWell

    columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
    for i, ratio in enumerate((2.0, 3.0, 4.0, 5.0, 6.0)):
        row = escape_row(DoubleWell(), -1.0, 0.0, 0.25 / ratio, 4000, 0.01, (0, i))
        if row is None:
            raise KeyboardInterrupt
        for name, value in row.items():
            columns[name].append(value)
    return draw_escape(columns)


def _figure_levy() -> Any:
    """Cauchy noise in a quartic well: the bimodal stationary density and its tail."""
    from shld_sim import LevyFlight, Quartic, plotting, simulate, theory

    model = LevyFlight(Quartic(), alpha=1.0, sigma=1.0)
    dt = 0.002
    run = simulate(model, x0=0.0, dt=dt, t_end=8.0, n_paths=50_000, seed=1)
    x = run.final / np.sqrt(1.0 - dt * run.final**2)  # half a step of the flow back: symmetric, second order in dt
    cdf = theory.quartic_stable_cdf(model)
    fig, (left, right) = plotting.new_figure(1, 2, size=(11.0, 4.4))
    plotting.histogram(x, left, 70, range=(-3.5, 3.5), reference=theory.quartic_stable_density(model))
    plotting.tails(x, right, reference=lambda y: 2.0 * cdf(-y))
    return fig


def _figure_gamma() -> Any:
    """The uncertainty product under Gibbs, and the two thresholds of linear multiplicative noise."""
    from shld_sim import DoubleWell, Harmonic, Langevin, Quartic, plotting, theory

    colors = plotting.PALETTE
    fig, (left, right) = plotting.new_figure(1, 2, size=(11.0, 4.4))
    D = np.geomspace(0.02, 2.0, 40)
    wells: list[tuple[str, Potential, str]] = [
        ("harmonic", Harmonic(), "blue"),
        ("quartic", Quartic(), "green"),
        ("double well", DoubleWell(), "vermilion"),
    ]
    for name, well, color in wells:
        product = [theory.uncertainty_product(Langevin(well, D=float(d))) / d for d in D]
        left.plot(D, product, lw=2, color=colors[color], label=name)
    left.axhline(0.5, ls="--", color="#404040", lw=1.5)
    left.annotate("as stated: 1/2", (0.02, 0.53), va="bottom", fontsize=11, color="#404040")
    left.set_xscale("log")
    left.set_yscale("log")
    plotting.finish(left, "D", "sd(x) sd(V') / D", "Gibbs law: never below 1")
    ratio = np.linspace(0.2, 3.0, 200)  # Gamma_H = 2 lam/s^2 at lam = 1
    noise = np.sqrt(2.0 / ratio)
    right.plot(ratio, [theory.almost_sure_exponent(1.0, float(s)) for s in noise], lw=2, color=colors["blue"])
    right.plot(
        ratio, [0.5 * theory.mean_square_exponent(1.0, float(s)) for s in noise], lw=2, color=colors["vermilion"]
    )
    right.axhline(0.0, color="#404040", lw=1)
    right.axvline(1.0, ls=":", color="#404040", lw=1.5)
    right.annotate("root mean square", (1.1, 0.9), fontsize=12, color=colors["vermilion"])
    right.annotate("almost every path", (1.1, -3.0), fontsize=12, color=colors["blue"])
    right.set_ylim(-5.0, 3.0)
    plotting.finish(right, r"$\Gamma_H = 2\lambda/s^2$", r"growth rate / $\lambda$", r"$dX = -\lambda X dt + sX dW$")
    return fig


FIGURES: dict[str, Callable[[], Any]] = {
    "potential": _figure_potential,
    "ensemble": _figure_ensemble,
    "escape": _figure_escape,
    "levy": _figure_levy,
    "gamma": _figure_gamma,
}
