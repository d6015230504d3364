"""How does a double well relax, and do spectrum, Fokker-Planck equation and simulation tell the same story?

Equation: dX = -V'(X) dt + sqrt(2 D) dW, V = x^4/4 - x^2/2 + 1/4, D = 0.1; dp/dt = L p, -L psi_j = lambda_j psi_j.

Expected:
1. The eigenvalues, extrapolated to cells of width zero, agree with those found in Hermite functions to ten digits. The first is
   the slow exchange between the wells, an order of magnitude below the second.
2. From x = -1, E x falls at the rate lambda_1 and E x^2, which both wells share, at the rate lambda_2:
   E f(X_t) = sum_j exp(-lambda_j t) (int f psi_j) psi_j(-1)/pi(-1). The sum over modes, `propagate` and 20,000 simulated
   paths agree.
3. The free energy F = int (V p + D p ln p) falls at all times, and dF/dt = -D^2 I with the Fisher information I relative to
   Gibbs (H-theorem): fast while p fills its well, then at the rate 2 lambda_1.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
D = 0.1
START = -1.0
# singular values of sqrt(D)(d/dx + V'/2D) in scaled Hermite functions, 12 digits
HERMITE = (0.033545287308, 0.9273721026076, 1.680263767388, 2.5958205757, 3.733984956735)


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    n_paths, dt = (4_000, 0.01) if quick else (20_000, 0.0025)
    colors = plotting.PALETTE
    numbers: dict = {}
    model = shld.Langevin(shld.DoubleWell(), D=D)
    fp = shld.FokkerPlanck(model, shld.Grid(-2.5, 2.5, 401))
    fig, (left, middle, right) = plotting.new_figure(1, 3, size=(14.5, 4.6))

    # 1. The spectrum.
    found = fp.refined(lambda fp: fp.eigenvalues(6), levels=4)
    for j, exact in enumerate(HERMITE, start=1):
        # the digits of the reference are 12; the estimate of the error is twice the last step of the extrapolation
        numbers[f"lambda_{j}"] = (found.value[j], found.error[j] + 1e-12 * exact, exact)
    rates, psi = fp.eigenvalues(6), fp.eigenfunctions(6)
    plotting.eigenfunctions(fp.grid, psi[:5], found.value[:5], left)
    left.set_xlim(-2.0, 2.0)
    left.set_xticks([-2, -1, 0, 1, 2])
    left.set_title(r"eigenfunctions $\psi_j$, and rates to six digits", fontsize=13, loc="left")

    # 2. Relaxation by three routes.
    t = np.linspace(0.0, 12.0, 121)
    run = shld.simulate(model, START, dt, t_end=12.0, n_paths=n_paths, seed=6, save_every=round(0.1 / dt))
    pi = fp.steady_state()
    all_rates, all_psi = fp.eigenvalues(60), fp.eigenfunctions(60)
    overlap = fp.grid.integrate(fp.propagate(START, 0.0) * all_psi / pi)  # psi_j(-1) / pi(-1)
    curves = (("E x", "E x", lambda x: x, "blue"), ("E x^2", r"E $x^2$", lambda x: x**2, "vermilion"))
    for name, label, f, color in curves:
        settled = fp.mean(pi, f)
        solved = fp.relaxation(f, START, t)
        modes = np.exp(-np.multiply.outer(t, all_rates)) @ (overlap * fp.mean(all_psi, f))
        sample = f(run.x)
        mean, error = sample.mean(axis=1), sample.std(axis=1, ddof=1) / np.sqrt(n_paths)
        numbers[f"{name}: modes - propagate, t >= 0.1"] = float(np.abs(modes - solved)[1:].max())
        for time in (1.0, 3.0, 10.0):
            row = int(np.argmin(np.abs(run.t - time)))
            exact = float(fp.relaxation(f, START, time))
            numbers[f"{name} at t = {time:g}"] = (float(mean[row]), float(error[row]), exact)
        middle.plot(t, np.abs(solved - settled), lw=3, color=colors[color], label=f"{label}, propagate")
        middle.plot(t[1:], np.abs(modes - settled)[1:], "--", lw=1.4, color="black")
        away = np.abs(mean - settled)
        shown = np.flatnonzero((np.arange(len(run.t)) % 8 == 4) & (away > 3 * error))
        middle.errorbar(
            run.t[shown], away[shown], 2 * error[shown], fmt="o", ms=5.5, capsize=3, color=colors[color], mfc="white"
        )
    middle.plot([], [], "--", lw=1.4, color="black", label="sum over 60 modes")
    middle.errorbar([], [], [], fmt="o", ms=5.5, color="#404040", mfc="white", label=f"{n_paths:,} paths")
    middle.annotate(r"$e^{-\lambda_1 t}$", (8.0, 0.95), fontsize=14, color=colors["blue"])
    middle.annotate(r"$e^{-\lambda_2 t}$", (3.6, 0.01), fontsize=14, color=colors["vermilion"])
    middle.set_yscale("log")
    middle.set_ylim(1e-5, 4.0)
    plotting.finish(middle, "t", "distance of the mean from Gibbs", "from x = -1, three routes")
    middle.legend(frameon=False, fontsize=11, loc="lower left")

    # 3. The H-theorem.
    times = np.geomspace(0.05, 150.0, 80)
    densities = fp.propagate(START, times)
    lowest = fp.free_energy(pi)
    F = np.array([fp.free_energy(p) - lowest for p in densities])
    information = np.array([fp.fisher_information(p) for p in densities])
    before, now, after = fp.propagate(START, 2.0 + 1e-3 * np.array([-1.0, 0.0, 1.0]))
    slope = (fp.free_energy(after) - fp.free_energy(before)) / 2e-3
    # the central difference is off by h^2 F''' / 6, relative (h rate)^2 / 6 with rates of up to lambda_4 = 2.6
    numbers["dF/dt at t = 2"] = (slope, 2e-6 * abs(slope), -(D**2) * fp.fisher_information(now))
    numbers["F falls at all times"] = float((np.diff(F) < 0.0).all())
    late = times > 60.0
    numbers["late rate of F / 2 lambda_1"] = float(-np.polyfit(times[late], np.log(F[late]), 1)[0] / (2 * rates[1]))
    right.plot(times, F, lw=2, color=colors["blue"], label=r"$F - F_{\rm Gibbs}$")
    right.plot(times, D**2 * information, lw=2, color=colors["vermilion"], label=r"$-dF/dt = D^2 I$")
    tail = times > 8.0
    right.plot(
        times[tail], 1.9 * F[-1] * np.exp(-2 * rates[1] * (times[tail] - times[-1])), "--", lw=1.5, color="#404040",
        label=r"$\propto e^{-2\lambda_1 t}$",
    )  # fmt: skip
    right.set_xscale("log")
    right.set_yscale("log")
    right.set_ylim(1e-7, 3.0)
    plotting.finish(right, "t", "free energy, and its loss per time", "H-theorem")
    right.legend(frameon=False, fontsize=11, loc="lower left")
    plotting.save(fig, out_dir / "06_spectrum_and_relaxation.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:36s} {value[0]:16.12g} +- {value[1]:<9.2g} theory {value[2]:.12g}")
        else:
            print(f"{name:36s} {value:16.6g}")


if __name__ == "__main__":
    show(main())
