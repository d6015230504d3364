"""What changes when the noise makes jumps?

Equation: dX = -V'(X) dt + sigma dL, with L symmetric alpha-stable, E exp(ikL_t) = exp(-t |k|^alpha).

Expected:
1. In the quartic well x^4/4 with Cauchy noise (alpha = 1, sigma = 1) the stationary density is
   1/(pi (1 - x^2 + x^4)): two peaks in a potential with one minimum, and a tail P(|X| > x) ~ 2/(3 pi x^3).
2. The density is bimodal for every alpha < 2 (p(peak) > p(0)), less and less so towards alpha = 2.
3. The explicit Euler scheme explodes: one jump beyond sqrt(2/dt) suffices, and these come at rate
   2 sigma/(pi sqrt(2/dt)), so that about 1 - exp(-rate t) of the paths are lost. The split scheme loses none.
4. Exit times follow a power law in sigma and know no barrier height. Free motion leaves (-1, 1) after
   1/(Gamma(1 + alpha) sigma^alpha) on average (Getoor); a path leaves the left half of the double well after
   pi/(Gamma(alpha) sin(pi alpha/2) sigma^alpha) as sigma -> 0 (Imkeller and Pavlyukevich).

The split scheme ends each step with the flow of x' = -V'(x). Seen half a flow earlier the chain is symmetric in time
and its law has an error O(dt^2) instead of O(dt); in the quartic well this means x -> x/sqrt(1 - dt x^2).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def share(hits: np.ndarray) -> tuple[float, float]:
    """Return the share of true values and its binomial standard error."""
    p = float(hits.mean())
    return p, float(np.sqrt(p * (1.0 - p) / hits.size))


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    colors = list(plotting.PALETTE.values())
    fig, axes = plotting.new_figure(2, 2, size=(9.0, 6.8))
    (upper_left, upper_right), (lower_left, lower_right) = axes

    # 1. Cauchy noise in the quartic well.
    cauchy = shld.LevyFlight(shld.Quartic(), alpha=1.0, sigma=1.0)
    n_paths, dt = (20_000, 0.005) if quick else (200_000, 0.001)
    run = shld.simulate(cauchy, 0.0, dt=dt, t_end=8.0, n_paths=n_paths, seed=1)
    x = run.final / np.sqrt(1.0 - dt * run.final**2)  # half a flow back
    density, cdf = shld.theory.quartic_stable_density(cauchy), shld.theory.quartic_stable_cdf(cauchy)
    for edge in (1.0, 3.0):
        numbers[f"P(|X| > {edge:g})"] = (*share(np.abs(x) > edge), 2.0 * float(cdf(-edge)))
    numbers["P(|X| < 0.3)"] = (*share(np.abs(x) < 0.3), float(cdf(0.3) - cdf(-0.3)))
    plotting.histogram(x, upper_left, 70, range=(-3.5, 3.5), reference=density)
    upper_left.set_title(r"quartic well, $\alpha = 1$", fontsize=13, loc="left")
    plotting.tails(x, upper_right, reference=lambda y: 2.0 * cdf(-y))
    upper_right.set_title(r"its tail, $\propto x^{-3}$", fontsize=13, loc="left")

    # 2. Bimodality for every alpha.
    line = np.linspace(-2.5, 2.5, 801)
    for alpha, color in zip((0.5, 1.0, 1.5, 1.9, 2.0), colors):
        p = shld.theory.quartic_stable_density(shld.LevyFlight(shld.Quartic(), alpha=alpha, sigma=1.0))
        values = p(line)
        numbers[f"p(peak) / p(0), alpha = {alpha:g}"] = float(values.max() / p(0.0))
        if alpha != 1.9:  # hardly to be told from 2
            lower_left.plot(
                line, values, lw=2, color=color, label=rf"$\alpha$ = {alpha:g}" + " (Gibbs)" * (alpha == 2.0)
            )
    lower_left.set_ylim(0.0, 0.65)
    plotting.finish(lower_left, "x", "p(x)", "quartic well, theory", legend=False)
    lower_left.legend(frameon=False, fontsize=11, ncols=2, loc="upper center")

    # 3. Euler explodes, the split scheme does not.
    coarse, t_end, many = 0.01, 10.0, 2_000 if quick else 20_000
    for scheme in ("euler", "split"):
        crowd = shld.simulate(
            cauchy, 0.0, dt=coarse, t_end=t_end, n_paths=many, seed=2, scheme=scheme, on_divergence="mark"
        )
        lost, error = share(crowd.status == shld.Status.DIVERGED)
        numbers[f"share lost, {scheme}"] = lost
        numbers[f"share lost, {scheme}, standard error"] = error
    numbers["share lost, estimate"] = 1.0 - float(np.exp(-2.0 / (np.pi * np.sqrt(2.0 / coarse)) * t_end))

    # 4. Mean exit times.
    alpha = 1.5
    free = shld.LevyFlight(shld.QuadraticForm([0.0]), alpha=alpha, sigma=1.0)
    exits = shld.first_passage(free, 0.0, (-1.0, 1.0), 2e-4 if quick else 2e-5, 1_000 if quick else 4_000, seed=3)
    numbers["free exit from (-1, 1), Getoor"] = (
        exits.mean(),
        exits.stderr(),
        float(shld.theory.getoor_mean_exit_time(0.0, 1.0, alpha)),
    )
    sigmas = np.array([0.3, 0.1, 0.03] if quick else [0.3, 0.17, 0.1, 0.05, 0.03, 0.02])
    means, errors = [], []
    for i, sigma in enumerate(sigmas):
        model = shld.LevyFlight(shld.DoubleWell(), alpha=alpha, sigma=float(sigma))
        exits = shld.first_passage(model, -1.0, (-np.inf, 0.0), 0.01, 500 if quick else 3_000, seed=10 + i)
        power_law = shld.theory.imkeller_pavlyukevich_time(model, -1.0, (-np.inf, 0.0))
        means.append(exits.mean())
        errors.append(exits.stderr())
        numbers[f"T / power law, sigma = {sigma:g}"] = means[-1] / power_law
        numbers[f"T / power law, sigma = {sigma:g}, standard error"] = errors[-1] / power_law
    reach = np.geomspace(sigmas.min(), sigmas.max(), 50)
    law = [
        shld.theory.imkeller_pavlyukevich_time(
            shld.LevyFlight(shld.DoubleWell(), alpha=alpha, sigma=float(s)), -1.0, (-np.inf, 0.0)
        )
        for s in reach
    ]
    lower_right.plot(reach, law, "--", lw=1.8, color="#404040", label=r"small noise: $\propto \sigma^{-\alpha}$")
    lower_right.errorbar(sigmas, means, errors, fmt="o", ms=6, capsize=3, color=colors[1], label="simulated")
    gaussian = np.geomspace(0.16, 0.3, 30)  # alpha = 2: D = sigma^2
    kramers = [
        shld.theory.mean_exit_time(shld.Langevin(shld.DoubleWell(), D=float(s) ** 2), -1.0, (-np.inf, 0.0))
        for s in gaussian
    ]
    lower_right.plot(gaussian, kramers, lw=1.8, color=colors[0], label=r"Gaussian noise, $D = \sigma^2$")
    lower_right.set_xscale("log")
    lower_right.set_yscale("log")
    plotting.finish(lower_right, r"$\sigma$", "mean exit time", r"double well, $-1 \to 0$, $\alpha = 1.5$")
    plotting.save(fig, out_dir / "04_levy_flights.png")
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
