"""Does friction help a particle over a barrier, or hinder it?

Equation: dX = P dt, dP = -(V'(X) + gamma P) dt + sqrt(2 gamma D) dW, V = x^4/4 - x^2/2 + 1/4, D = 0.05 (barrier 5 D). The grid
solves Kramers' equation for the density in phase space; half of its spectral gap is the rate from well to well.

Expected: both. Without friction the energy never changes and no path escapes: the rate grows with gamma. With strong friction
the path diffuses over the barrier, at a rate proportional to 1/gamma. In between is Kramers' turnover, here at
gamma = 0.4. Simulation agrees with the grid; Kramers' formula of 1940 is right from gamma = 1 on, up to O(D/dE) = 8 %, and four
times too large at gamma = 0.03, where the correction of Melnikov and Meshkov leaves 20 %.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
V, D = shld.DoubleWell(), 0.05


def gap(friction: float, n: int) -> float:
    """Return the rate of relaxation between the wells, from the grid."""
    box = shld.Grid((-1.8, 1.8, n), (-1.4, 1.4, 4 * n // 5))
    fp = shld.FokkerPlanck(shld.Underdamped(V, D, friction), box)
    return float(fp.eigenvalues(2)[1].real)


def simulated_rate(friction: float, rate: float, n_paths: int, seed: int) -> tuple[float, float]:
    """Return rate and standard error from the share of paths that are still, or again, in the left well at two times."""
    dt = 0.1
    steps = math.ceil(max(250.0, 0.25 / rate) / dt)  # motion within a well has died
    model = shld.Underdamped(V, D, friction)
    run = shld.simulate(model, -1.0, dt, n_steps=3 * steps, n_paths=n_paths, save_every=steps, seed=seed)
    # E sign(X_t) = -c exp(-2 k t): the ratio of two times does not know c
    early, late = np.sign(run.x[-3]), np.sign(run.x[-1])
    duration = 2.0 * steps * dt
    spread = (late / late.mean() - early / early.mean()).std() / math.sqrt(n_paths)
    return 0.5 * math.log(early.mean() / late.mean()) / duration, 0.5 * spread / duration


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    n_paths = 2_000 if quick else 8_000
    frictions = (0.1, 0.4, 1.0, 10.0) if quick else (0.03, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 1.0, 2.0, 4.0, 10.0, 20.0)
    tried = (0.1, 1.0, 10.0) if quick else (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
    numbers: dict = {}

    # more cells where the layer along the separatrix, as wide as sqrt(gamma), is thin
    grid = {g: 0.5 * gap(g, 80 if quick else 180 if g < 0.1 else 120) for g in sorted({*frictions, *tried})}
    simulated = {g: simulated_rate(g, grid[g], n_paths, seed=i) for i, g in enumerate(tried)}
    for g, (rate, error) in simulated.items():
        numbers[f"rate, friction = {g:g}"] = (rate, error, grid[g])
    for g in (min(frictions), 1.0, 10.0):
        model = shld.Underdamped(V, D, g)
        strong = shld.theory.underdamped_kramers_rate(model, -1.0, 0.0, depopulation=False)
        numbers[f"Kramers / grid, friction = {g:g}"] = strong / grid[g]
        corrected = shld.theory.underdamped_kramers_rate(model, -1.0, 0.0)
        numbers[f"Melnikov-Meshkov / grid, friction = {g:g}"] = corrected / grid[g]
    numbers["friction of the largest rate"] = max(grid, key=lambda g: grid[g])

    fig, (left, right) = plotting.new_figure(1, 2, size=(12.5, 4.8))
    draw_rates(left, grid, simulated)
    draw_fate(right, 0.1, 80 if quick else 160)
    plotting.save(fig, out_dir / "09_underdamped_turnover.png")
    return numbers


def draw_rates(ax, grid: dict, simulated: dict) -> None:
    """Draw the rate against friction, with its formulas."""
    gamma = np.geomspace(0.012, 45.0, 120)
    strong, turnover = (
        np.array(
            [
                shld.theory.underdamped_kramers_rate(shld.Underdamped(V, D, g), -1.0, 0.0, depopulation=flag)
                for g in gamma.tolist()
            ]
        )
        for flag in (False, True)
    )
    transition_state = math.sqrt(2.0) / (2.0 * math.pi) * math.exp(-0.25 / D)
    # half of those that reach the top come back: k = gamma S/(2 D) of that, S = 4/3 the action of a round at the barrier
    weak = 0.5 * gamma * (4.0 / 3.0) / D * transition_state
    colour = plotting.PALETTE
    ax.axhline(transition_state, ls=":", lw=1.5, color="0.6", label="transition state theory")
    ax.plot(gamma, weak, ls="-.", lw=1.5, color=colour["purple"], label=r"energy diffusion, $\propto\gamma$")
    ax.plot(
        gamma, transition_state / gamma, ls="--", lw=1.5, color=colour["sky"], label=r"overdamped, $\propto 1/\gamma$"
    )
    ax.plot(gamma, strong, lw=2.0, color=colour["vermilion"], label="Kramers 1940")
    ax.plot(gamma, turnover, lw=2.0, color=colour["blue"], label="Melnikov-Meshkov 1986")
    ax.plot(list(grid), list(grid.values()), "s", ms=8, mfc="none", mew=1.5, color=colour["green"], label="gap/2, grid")
    rates, errors = np.array(list(simulated.values())).T
    ax.errorbar(
        list(simulated), rates, errors, fmt="o", ms=4, capsize=3, color=colour["orange"], label="simulated", zorder=4
    )
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(gamma[0], gamma[-1])
    ax.set_ylim(1.0e-5, 4e-3)
    plotting.finish(ax, r"friction $\gamma$", r"rate $k$ out of a well", "Kramers' turnover, barrier 5 D", legend=False)
    ax.legend(frameon=False, fontsize=10, loc="lower left")


def draw_fate(ax, friction: float, n: int) -> None:
    """Draw where a path will settle, over phase space: the slowest left eigenfunction, scaled to 0 and 1 in the wells."""
    fp = shld.FokkerPlanck(shld.Underdamped(V, D, friction), shld.Grid((-1.8, 1.8, n), (-1.4, 1.4, 4 * n // 5)))
    # right eigenfunction over the stationary law, with the momentum reversed: paths run backwards are as likely
    slow = (fp.eigenfunctions(2)[1].real / fp.steady_state())[:, ::-1]
    x, p = fp.grid.axes
    slow /= slow[np.argmin(np.abs(x - 1.0)), len(p) // 2]
    drawn = ax.pcolormesh(
        x, p, 0.5 + 0.5 * slow.T, cmap="coolwarm", vmin=0.0, vmax=1.0, shading="gouraud", rasterized=True
    )
    turn = math.sqrt(2.0) * np.sin(np.linspace(-0.5 * math.pi, 0.5 * math.pi, 401))
    edge = np.sqrt(np.maximum(2.0 * (V(np.array(0.0)) - V(turn)), 0.0))
    ax.plot(np.r_[turn, turn[::-1]], np.r_[edge, -edge[::-1]], color="black", lw=1.2)
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.85)
    bar.set_label("probability to settle in the right well", fontsize=12)
    ax.set_xlim(-1.7, 1.7)
    ax.set_ylim(-1.05, 1.05)
    plotting.finish(
        ax, "position x", "momentum p", rf"Where a path ends, $\gamma$ = {friction:g}; line: energy of the barrier"
    )


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:40s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:40s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
