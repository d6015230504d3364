"""At which ratio of drift to diffusion does a system stop converging -- and in which sense?

Equations: dX = -lam X dt + s X dW (Ito); its chain x' = (1 - eta (lam + s xi)) x; and dX = -grad V dt + sqrt(2 D) dW in
the anisotropic well V = (4 x^2 + y^2)/2. With Gamma = |grad V|^2/tr D_s and Gamma_H = |grad V|^2/tr(D_s H) one states
"convergence if and only if Gamma > 1".

Expected:
1. Almost every path of the linear equation decays, at rate -(lam + s^2/2), however strong the noise; its mean square
   grows at -2 lam + s^2, positive if and only if Gamma_H = 2 lam/s^2 < 1. So Gamma_H = 1 divides convergence in mean
   square from the lack of it, and says nothing about paths.
2. The chain has thresholds of its own: the mean square decays for eta < 2 lam/(lam^2 + s^2), almost every path for
   eta below a larger value; beyond it paths diverge, although Gamma_H does not depend on eta.
3. The mean energy of the additive equation changes at the rate -|grad V|^2 + tr(D H): it vanishes at Gamma_H = 1
   exactly. There Gamma = tr H/d = 2.5, not 1. (Measured over one Euler step, 1/(1 - dt c/2) with c = g.Hg/g.g.)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.optimize import brentq

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    theory, colors = shld.theory, plotting.PALETTE
    n = 50_000 if quick else 1_000_000
    numbers: dict = {}
    fig, (left, middle, right) = plotting.new_figure(1, 3, size=(14.0, 4.5))

    # 1. The linear equation, by its exact solution X_t = exp(-(lam + s^2/2) t + s W_t).
    lam, t = 1.0, 0.25
    line = np.linspace(0.25, 4.0, 200)
    left.plot(line, [theory.almost_sure_exponent(lam, np.sqrt(2 * lam / g)) for g in line], lw=2, color=colors["blue"])
    left.plot(
        line,
        [0.5 * theory.mean_square_exponent(lam, np.sqrt(2 * lam / g)) for g in line],
        lw=2,
        color=colors["vermilion"],
    )
    for ratio in (0.6, 1.0, 2.0, 3.5):
        s = float(np.sqrt(2.0 * lam / ratio))
        x = np.exp(-(lam + 0.5 * s * s) * t + s * np.sqrt(t) * rng.standard_normal(n))
        path, error = mean_of(np.log(x) / t)
        numbers[f"almost sure exponent, Gamma_H = {ratio:g}"] = (path, error, theory.almost_sure_exponent(lam, s))
        left.errorbar(ratio, path, error, fmt="o", ms=6, capsize=3, color=colors["blue"])
        square, error = mean_of(x * x)
        numbers[f"E X^2 at t = 1/4, Gamma_H = {ratio:g}"] = (
            square,
            error,
            float(np.exp(theory.mean_square_exponent(lam, s) * t)),
        )
        left.errorbar(
            ratio,
            0.5 * np.log(square) / t,
            0.5 * error / square / t,
            fmt="o",
            ms=6,
            capsize=3,
            color=colors["vermilion"],
        )
    left.axhline(0.0, lw=1, color="#404040")
    left.axvline(1.0, ls=":", lw=1.5, color="#404040")
    left.annotate("root mean square", (1.15, 0.35), fontsize=12, color=colors["vermilion"])
    left.annotate("almost every path", (1.15, -2.6), fontsize=12, color=colors["blue"])
    left.set_ylim(-4.2, 2.2)
    plotting.finish(left, r"$\Gamma_H = 2\lambda/s^2$", r"growth rate / $\lambda$", r"$dX = -\lambda X\,dt + s X\,dW$")

    # 2. The chain: growth per step against the step.
    s = 0.5
    edge = theory.chain_mean_square_threshold(lam, s)
    paths_edge = brentq(lambda eta: theory.chain_almost_sure_exponent(eta, lam, s), edge, 4.0)
    numbers["eta at which the mean square stops decaying"] = edge
    numbers["eta at which paths stop decaying"] = float(paths_edge)
    line = np.linspace(0.1, 2.6, 250)
    middle.plot(line, [theory.chain_almost_sure_exponent(eta, lam, s) for eta in line], lw=2, color=colors["blue"])
    middle.plot(
        line,
        [0.5 * np.log(theory.chain_mean_square_factor(eta, lam, s)) for eta in line],
        lw=2,
        color=colors["vermilion"],
    )
    for eta in (0.5, 1.2, edge, 1.9, 2.4):
        factor = 1.0 - eta * (lam + s * rng.standard_normal(n))
        path, error = mean_of(np.log(np.abs(factor)))
        numbers[f"chain, almost sure, eta = {eta:g}"] = (path, error, theory.chain_almost_sure_exponent(eta, lam, s))
        middle.errorbar(eta, path, error, fmt="o", ms=6, capsize=3, color=colors["blue"])
        square, error = mean_of(factor**2)
        numbers[f"chain, mean square, eta = {eta:g}"] = (square, error, theory.chain_mean_square_factor(eta, lam, s))
        middle.errorbar(
            eta, 0.5 * np.log(square), 0.5 * error / square, fmt="o", ms=6, capsize=3, color=colors["vermilion"]
        )
    middle.axhline(0.0, lw=1, color="#404040")
    for place in (edge, paths_edge):
        middle.axvline(place, ls=":", lw=1.5, color="#404040")
    middle.set_ylim(-1.95, 0.9)
    middle.annotate("root mean square", (0.15, 0.25), fontsize=12, color=colors["vermilion"])
    middle.annotate("almost every path", (0.15, -1.75), fontsize=12, color=colors["blue"])
    plotting.finish(middle, r"step $\eta$ (in $1/\lambda$)", "growth per step", r"chain, $s = \lambda/2$")

    # 3. Energy change over one step, with pairs of opposite increments, which cancel the term linear in the noise.
    V = shld.QuadraticForm([4.0, 1.0])
    D, dt, pairs = 0.1, 0.001, 4_000 if quick else 40_000
    model = shld.Langevin(V, D=D)
    unit = np.array([0.25, 1.0])  # H unit = (1, 1)
    c = 2.5  # g.Hg/g.g for g = (1, 1)
    ratios, changes, errors = np.linspace(0.2, 2.0, 10), [], []
    for ratio in ratios:
        x0 = unit * np.sqrt(0.5 * ratio * D * 5.0)  # |grad V|^2 = ratio D tr H
        assert np.isclose(theory.gamma_hessian(V, x0, D), ratio)
        half = np.sqrt(dt) * rng.standard_normal((1, pairs, 2))
        end = shld.simulate(model, x0, dt, n_steps=1, noise=np.concatenate([half, -half], axis=1)).final
        rate = 0.5 * (V(end[:pairs]) + V(end[pairs:])) - V(x0)
        change, error = mean_of(rate / dt)
        changes.append(change)
        errors.append(error)
        exact = float(theory.energy_generator(V, x0, D)) + 0.5 * dt * c * ratio * D * 5.0
        numbers[f"d E[V]/dt, Gamma_H = {ratio:.2g}"] = (change, error, exact)
    slope, offset = np.polyfit(ratios, changes, 1)
    zero = -offset / slope
    spread = (
        float(np.mean(errors))
        / abs(slope)
        / np.sqrt(len(ratios))
        * np.sqrt(1 + ((zero - ratios.mean()) / ratios.std()) ** 2)
    )
    numbers["Gamma_H at the zero"] = (float(zero), float(spread), 1.0 / (1.0 - 0.5 * dt * c))
    numbers["Gamma at the zero"] = float(zero) * 5.0 / 2.0
    right.errorbar(
        ratios, changes, errors, fmt="o", ms=6, capsize=3, color=colors["orange"], label="one step, measured"
    )
    stated = [float(theory.energy_generator_as_stated(V, unit * np.sqrt(0.5 * g * D * 5.0), D)) for g in ratios]
    right.plot(ratios, D * 5.0 * (1.0 - ratios), lw=2, color=colors["blue"], label=r"$-|\nabla V|^2 + {\rm tr}\,(D H)$")
    right.plot(ratios, stated, "--", lw=2, color=colors["vermilion"], label=r"as stated, $-|\nabla V|^2 + {\rm tr}\,D$")
    right.axhline(0.0, lw=1, color="#404040")
    right.axvline(1.0, ymax=0.68, ls=":", lw=1.5, color="#404040")
    right.set_ylim(-0.9, 0.8)
    plotting.finish(right, r"$\Gamma_H$  ($\Gamma = 2.5\,\Gamma_H$)", r"$d\,E[V]/dt$", r"$V = (4x^2 + y^2)/2$")
    plotting.save(fig, out_dir / "05_gamma_threshold.png")
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
