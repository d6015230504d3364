"""How long does a path stay in its well, and which formula says so?

Equation: dX = -V'(X) dt + sqrt(2 D) dW, V = x^4/4 - x^2/2 + 1/4, from the minimum -1 to the saddle 0 (barrier 1/4).

Expected: four routes agree -- the double integral for the mean exit time T, the backward equation on a grid, the
spectral gap (rate lambda_1/2 over the barrier, as D -> 0), simulation. The rate *to the other side* is 1/(2T): at the
saddle half of the paths turn back. The formulas: "omega0/(2 pi) exp(-dE/D)" is too large by sqrt(V''(-1)/|V''(0)|) =
sqrt(2) however small D is; Eyring-Kramers, sqrt(V''(-1)|V''(0)|)/(2 pi) exp(-dE/D), tends to the exact rate;
"tau = exp(dE/D)" lacks the factor 2 pi/sqrt(2) = 4.44 (and the unit).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
DOMAIN = (-np.inf, 0.0)


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    n_paths, dt = (1_000, 0.005) if quick else (4_000, 0.0025)
    ratios = (2.0, 3.5, 5.0) if quick else (2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0)
    numbers: dict = {}
    table: dict[str, list[float]] = {
        name: [] for name in ("D", "exact", "kramers", "eyring_kramers", "gap", "simulated", "stderr")
    }
    stated = []
    shown = None
    for i, ratio in enumerate(ratios):
        D = 0.25 / ratio
        model = shld.Langevin(shld.DoubleWell(), D=D)
        fp = shld.FokkerPlanck(model, shld.Grid(-3.0, 3.0, 1500))
        exits = shld.first_passage(model, -1.0, DOMAIN, dt, n_paths, seed=i)
        T, error = exits.mean(), exits.stderr()
        exact = shld.theory.mean_exit_time(model, -1.0, DOMAIN)
        numbers[f"T(-1 -> 0), dE/D = {ratio:g}"] = (T, error, exact)
        numbers[f"  grid / exact, dE/D = {ratio:g}"] = fp.mean_exit_time(DOMAIN, x0=-1.0) / exact
        table["D"].append(D)
        table["exact"].append(0.5 / exact)
        table["kramers"].append(shld.theory.kramers_rate_as_stated(model, -1.0, 0.0))
        table["eyring_kramers"].append(shld.theory.eyring_kramers_rate(model, -1.0, 0.0))
        table["gap"].append(0.5 * float(fp.eigenvalues(2)[1]))
        table["simulated"].append(0.5 / T)
        table["stderr"].append(0.5 * error / T**2)
        stated.append(1.0 / shld.theory.arrhenius_time(model, -1.0, 0.0))
        if ratio == 5.0:
            shown = exits
    numbers["as stated / exact, smallest D"] = table["kramers"][-1] / table["exact"][-1]
    numbers["Eyring-Kramers / exact, smallest D"] = table["eyring_kramers"][-1] / table["exact"][-1]
    numbers["gap / exact, smallest D"] = table["gap"][-1] / table["exact"][-1]
    numbers["exp(-dE/D) / exact, smallest D"] = stated[-1] / table["exact"][-1]

    fig, (left, middle, right) = plotting.new_figure(1, 3, size=(14.0, 4.4))
    plotting.exit_times(shown, left)
    left.set_title("D = 0.05, from -1 to 0", fontsize=13, loc="left")
    middle.plot(
        1.0 / np.array(table["D"]), stated, ":", lw=1.8, color=plotting.PALETTE["purple"], label=r"$e^{-\Delta E/D}$"
    )
    plotting.escape(table, middle)
    plotting.escape(table, right, relative=True)
    right.get_legend().remove()
    right.set_ylim(0.9, 1.7)
    plotting.save(fig, out_dir / "03_kramers_escape.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:36s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:36s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
