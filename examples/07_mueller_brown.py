"""Which way does a path cross the Mueller-Brown surface, and how often?

Equation: dX = -grad V(X) dt + sqrt(2 D) dW in the plane, three wells A (deepest, top left), C and B (right) along a
curved valley; D = 15, a seventh of the higher barrier. Everything is read off one generator on a grid.

Expected: the slowest eigenvalue is 1.55442 (two finite-volume schemes, extrapolated). Its mode has one
sign in A and the other in B and C: exchange over the upper saddle, where it changes, as the committor between A and B does.
The current D pi grad q follows the valley and is the same through every section: the rate k.
Then lambda_1 = k / (pi_A pi_B) and T(B -> A) = pi_B / k, nearly, which simulated paths confirm. The chain of three
Eyring-Kramers rates gives 2.13 at D = 15, too much by a third, and is approached as D -> 0, with an error of order D.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
BOX = (-2.0, 1.5), (-0.9, 2.5)
LAMBDA = 1.5544181154827987  # D = 15: two finite-volume schemes in this box, extrapolated, agree to its first digits
RADIUS = 0.2  # of the sets around the minima


def problem(D: float, n: int) -> shld.FokkerPlanck:
    """Return the equation on n x n cells; at D = 15 a weight of 1e-5 of the maximum is left where the box ends."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the box ends at")
        return shld.FokkerPlanck(shld.Langevin(shld.MuellerBrown(), D), shld.Grid(*((*side, n) for side in BOX)))


def slowest(D: float, n: int) -> tuple[float, float]:
    """Return lambda_1 without its error of second order in the cell width, and the size of that error on n x n cells."""
    coarse, fine = (float(problem(D, m).eigenvalues(2)[1]) for m in (n // 2, n))
    return (4.0 * fine - coarse) / 3.0, abs(fine - coarse) / 3.0


def eyring_kramers(D: float) -> float:
    """Return the slowest eigenvalue of the chain A - C - B with Eyring-Kramers rates."""
    model = shld.Langevin(shld.MuellerBrown(), D)
    (A, C, B), (upper, lower) = model.potential.minima(), model.potential.saddles()
    rates = np.zeros((3, 3))
    for i, j, well, saddle in ((0, 1, A, upper), (1, 0, C, upper), (1, 2, C, lower), (2, 1, B, lower)):
        rates[i, j] = shld.theory.eyring_kramers_rate(model, well, saddle)
    return float(np.sort(np.linalg.eigvals(np.diag(rates.sum(axis=1)) - rates).real)[1])


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    D, n, n_paths, dt = (15.0, 120, 300, 2e-5) if quick else (15.0, 240, 2000, 1e-5)
    temperatures = np.array([15.0, 7.0] if quick else [15.0, 12.0, 10.0, 8.0, 7.0, 6.0, 5.0, 4.0])
    numbers: dict = {}

    fp = problem(D, n)
    V, model, pi = shld.MuellerBrown(), fp.model, fp.steady_state()
    A, _, B = V.minima()
    a, b = shld.Ball(A, RADIUS), shld.Ball(B, RADIUS)
    rates = [slowest(d, n) for d in temperatures]
    numbers["lambda_1, D = 15"] = (rates[0][0], 0.1 * rates[0][1], LAMBDA)  # fourth order is left
    q, k = fp.committor(a, b), fp.reactive_rate(a, b)
    J = fp.reactive_current(a, b)
    share = fp.mean(pi, q)
    numbers["pi_B"], numbers["k"] = share, k
    numbers["k / (pi_A pi_B) / lambda_1"] = k / (share * (1.0 - share)) / rates[0][0]
    # the flux through sections between the sets, from the vectors at the cell centres
    x = fp.grid.axes[0]
    flux = (J[..., 0] * fp.grid.widths[1]).sum(axis=1)[(x > A[0] + 0.25) & (x < B[0] - 0.25)]
    numbers["spread of the flux between sections"] = float(np.ptp(flux) / k)
    exits = shld.first_passage(model, B, dt=dt, n_paths=n_paths, targets=[a], seed=7)
    numbers["T(B -> A), simulated"] = (exits.mean(), exits.stderr(), share / k)
    ratio = np.array([rate / eyring_kramers(d) for d, (rate, _) in zip(temperatures, rates, strict=True)])
    for d, r in zip(temperatures, ratio, strict=True):
        numbers[f"lambda_1 / Eyring-Kramers, D = {d:g}"] = float(r)

    seen = 30.0 - V(fp.grid.points)  # positive where paths come; far beyond the density underflows
    psi = fp.eigenfunctions(2)[1] / np.maximum(pi, 1e-250)
    psi *= np.sign(fp.mean(pi, psi * q))  # positive in b
    fig, axes = plotting.new_figure(2, 3, size=(16.0, 8.8))
    view = (-1.65, 1.25), (-0.6, 2.2)
    plotting.potential(V, axes[0, 0], box=view)
    plotting.density_map(fp.grid, pi, axes[0, 1])
    plotting.mode_map(fp.grid, psi, axes[0, 2], where=seen)
    plotting.committor_map(fp.grid, q, axes[1, 0], where=seen)
    plotting.current_map(fp.grid, J, axes[1, 1], arrows=34)
    titles = (
        "landscape",
        f"Gibbs density, D = {D:g}",
        f"slowest mode, $\\lambda_1$ = {rates[0][0]:.4f}",
        "probability to reach B before A",
        f"current from A to B, k = {k:.4f}",
    )
    for ax, title in zip(axes.flat, titles, strict=False):
        ax.set_title(title, fontsize=13, loc="left")
        ax.set_aspect("equal")
        ax.set_xlim(*view[0])
        ax.set_ylim(*view[1])
    for ax in axes.flat[2:5]:
        for center, name in ((A, "A"), (B, "B")):
            angle = np.linspace(0.0, 2.0 * np.pi, 100)
            ax.plot(center[0] + RADIUS * np.cos(angle), center[1] + RADIUS * np.sin(angle), color="black", lw=1.0)
            box = dict(boxstyle="circle,pad=0.15", facecolor="white", edgecolor="none", alpha=0.8)
            ax.text(*center, name, ha="center", va="center", fontsize=12, bbox=box, zorder=4)
    last = axes[1, 2]
    last.plot(temperatures, ratio, "o-", color=plotting.PALETTE["blue"], label="grid / Eyring-Kramers")
    last.axhline(1.0, color="#404040", lw=1.0, ls="--")
    last.set_xlim(0.0, 15.8)
    last.set_ylim(0.7, 1.02)
    plotting.finish(last, "D", r"$\lambda_1$ / Eyring-Kramers", legend=False)
    last.set_title("tends to 1, with an error of order D", fontsize=13, loc="left")
    plotting.save(fig, out_dir / "07_mueller_brown.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:38s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:38s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
