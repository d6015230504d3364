"""How does an ensemble that starts in one well of a double well come to rest?

Equation: dX = -V'(X) dt + sqrt(2 D) dW with V = x^4/4 - x^2/2 + 1/4, D = 0.1, X(0) = -1.

Expected: at every time the histogram of the paths agrees with the density p(x, t) that the Fokker-Planck equation
dp/dt = d/dx (V' p + D dp/dx) gives on a grid. The density first spreads in its well (time 1/V''(-1) = 1/2), then leaks
over the barrier (time 1/lambda_1 = 30) and settles to the Gibbs law exp(-V/D)/Z, of mean 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    n_paths, dt, times = (5_000, 0.005, (0.5, 10.0, 100.0)) if quick else (50_000, 0.004, (0.4, 4.0, 20.0, 300.0))
    model = shld.Langevin(shld.DoubleWell(), D=0.1)
    run = shld.simulate(
        model, x0=-1.0, dt=dt, t_end=times[-1], n_paths=n_paths, seed=1, save_every=round(times[0] / dt)
    )
    fp = shld.FokkerPlanck(model, shld.Grid(-2.5, 2.5, 1000))
    densities = fp.propagate(-1.0, np.array(times))
    gibbs = shld.theory.gibbs_density(model)

    numbers: dict = {"1/lambda_1": 1.0 / float(fp.eigenvalues(2)[1])}
    fig, axes = plotting.new_figure(2, 2, size=(9.0, 6.6), sharex=True, sharey=True)
    for ax, t, p in zip(axes.flat, times, densities):
        x = run.x[np.argmin(np.abs(run.t - t))]
        for name, f in (("E x", lambda x: x), ("E x^2", np.square), ("P(x > 0)", lambda x: 1.0 * (x > 0))):
            values = f(x)
            numbers[f"{name} at t={t:g}"] = (
                float(values.mean()),
                float(values.std(ddof=1) / np.sqrt(n_paths)),
                fp.mean(p, f),
            )
        plotting.histogram(x, ax, 50, range=(-2.0, 2.0), label="simulated")
        plotting.density(fp.grid, p, ax, color="black", lw=1.5, label="Fokker-Planck")
        plotting.density(fp.grid, gibbs, ax, color="#808080", lw=1.2, ls="--", label="Gibbs")
        plotting.finish(ax, "x", "p(x, t)", f"t = {t:g}", legend=False)
        ax.set_xlim(-2.0, 2.0)
    for ax in axes.flat[: len(times)]:
        if ax.get_legend():
            ax.get_legend().remove()
        ax.label_outer()
    for ax in axes.flat[len(times) :]:
        ax.set_axis_off()
    plotting.finish(axes.flat[0])
    plotting.save(fig, out_dir / "01_double_well.png")

    x = run.final
    numbers["E x^2 at the end, Gibbs"] = (
        float(np.mean(x**2)),
        float(np.std(x**2) / np.sqrt(n_paths)),
        shld.theory.gibbs_expectation(model, np.square),
    )
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
