"""How does the density of a Levy flight spread, settle and leave, without a single path?

Equation: dp/dt = d/dx (V' p) - sigma^alpha (-d^2/dx^2)^(alpha/2) p, the Fokker-Planck equation of dX = -V'(X) dt + sigma dL with
L symmetric alpha-stable, E exp(ikL_t) = exp(-t |k|^alpha).

Expected:
1. In the quartic well x^4/4 with Cauchy noise a density that starts in the middle becomes two peaks: it settles to
   1/(pi (1 - x^2 + x^4)). Simulated paths have the same law at every time.
2. The tails of the stationary law are those of single jumps and of the drift back, p ~ Gamma(alpha) sin(pi alpha/2)/pi
   sigma^alpha/(|x|^alpha |V'|), |x|^-(alpha + 3) here; at alpha = 2 they would be Gaussian in x^2. What lies beyond the box
   follows from the same balance.
3. A free path leaves (-1, 1) by a jump over the end. From x it lands at y with the density
   sin(pi alpha/2)/pi ((1 - x^2)/(y^2 - 1))^(alpha/2)/|x - y| (Blumenthal, Getoor and Ray), after
   (1 - x^2)^(alpha/2)/(Gamma(1 + alpha) sigma^alpha) on average (Getoor).
4. Escape from a well of the double well takes a time that tends to the power law
   pi/(Gamma(alpha) sin(pi alpha/2) sigma^alpha) of Imkeller and Pavlyukevich from below, the slower the nearer alpha is to 2.

Numbers are extrapolated from three grids; the error is the step of the extrapolation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting
from shld_sim.grid import extrapolate

FIGURES = Path(__file__).resolve().parents[1] / "figures"


def share(hits: np.ndarray) -> tuple[float, float]:
    """Return the share of true values and its binomial standard error."""
    p = float(hits.mean())
    return p, float(np.sqrt(p * (1.0 - p) / hits.size))


def limit(value, model, low: float, high: float, sizes: tuple[int, ...]) -> tuple[float, float]:
    """Return ``value(fp)`` for vanishing cell width, and an estimate of its error."""
    fps = [shld.FokkerPlanck(model, shld.Grid(low, high, n)) for n in sizes]
    found = extrapolate([value(fp) for fp in fps], [fp.grid.dx for fp in fps], (2.0,))
    return float(found.value), float(found.error)


def centre(fp) -> float:
    """Density at the middle of the box, of the law on the whole line."""
    p = fp.steady_state()
    return float((1.0 - fp.mass_beyond(p)) * p[fp.grid.size // 2])


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    colors = list(plotting.PALETTE.values())
    fig, axes = plotting.new_figure(2, 2, size=(9.6, 7.2))
    (upper_left, upper_right), (lower_left, lower_right) = axes
    sizes = (301, 451, 601) if quick else (601, 901, 1201)

    # 1. Spreading and settling in the quartic well.
    cauchy = shld.LevyFlight(shld.Quartic(), alpha=1.0, sigma=1.0)
    fp = shld.FokkerPlanck(cauchy, shld.Grid(-12.0, 12.0, 599 if quick else 999))
    times = np.array([0.1, 0.3, 1.0, 4.0])
    densities = fp.propagate(0.0, times)
    run = shld.simulate(cauchy, 0.0, dt=1e-3, t_end=1.0, save_every=100, n_paths=20_000 if quick else 100_000, seed=1)
    for time, p, color in zip(times, densities, colors):
        upper_left.plot(fp.grid.x, p, lw=2, color=color, label=f"t = {time:g}")
        if time <= 1.0:
            x = run.x[int(np.argmin(np.abs(run.t - time)))]
            for edge in (0.5, 2.0):
                inside = np.interp(edge, fp.grid.edges[1:], np.cumsum(p)) - np.interp(
                    -edge, fp.grid.edges[1:], np.cumsum(p)
                )
                numbers[f"P(|X| > {edge:g}), t = {time:g}"] = (
                    *share(np.abs(x) > edge),
                    1.0 - float(inside) * fp.grid.dx,
                )
            counts, edges = np.histogram(x, bins=np.arange(-3.1, 3.15, 0.2))
            middle = 0.5 * (edges[1:] + edges[:-1])
            upper_left.plot(middle, counts / (0.2 * x.size), "o", ms=3.5, color=color, mfc="white", mew=1.0)
    line = np.linspace(-3.0, 3.0, 601)
    upper_left.plot(
        line, shld.theory.quartic_stable_density(cauchy)(line), "--", lw=1.3, color="#202020", label="settled"
    )
    upper_left.set_xlim(-3.0, 3.0)
    upper_left.set_ylim(0.0, 1.6)
    plotting.finish(upper_left, "x", "p(x, t)", r"quartic well, $\alpha = 1$: grid and paths (dots)")
    numbers["p(0), alpha = 1"] = (
        *limit(centre, cauchy, -12.0, 12.0, sizes),
        shld.theory.quartic_density_at_zero(cauchy),
    )

    # 2. Tails, and what lies beyond the box.
    for alpha, color in zip((0.5, 1.0, 1.5, 1.9), colors):
        model = shld.LevyFlight(shld.Quartic(), alpha=alpha, sigma=1.0)
        wide = shld.FokkerPlanck(model, shld.Grid(-20.0, 20.0, 1000 if quick else 4000))
        p = wide.steady_state()
        beyond = wide.mass_beyond(p)
        outside = 2.0 * float(shld.theory.quartic_stable_cdf(model)(-20.0))
        numbers[f"mass beyond 20 / exact, alpha = {alpha:g}"] = beyond / outside
        right = wide.grid.x > 0.3
        upper_right.loglog(
            wide.grid.x[right], (1.0 - beyond) * p[right], lw=2, color=color, label=rf"$\alpha$ = {alpha:g}"
        )
        reach = np.geomspace(0.3, 60.0, 200)
        exact = shld.theory.quartic_stable_density(model)(reach)
        upper_right.loglog(reach, exact, "--", lw=1.0, color="#202020", label="theory" if alpha == 1.9 else None)
    gibbs = shld.theory.quartic_stable_density(shld.LevyFlight(shld.Quartic(), alpha=2.0, sigma=1.0))
    upper_right.loglog(reach, gibbs(reach), ":", lw=1.8, color="#808080", label=r"$\alpha$ = 2 (Gibbs)")
    upper_right.axvline(20.0, lw=0.8, color="#b0b0b0")
    upper_right.text(19.0, 0.3, "box", ha="right", fontsize=11, color="#808080")
    upper_right.set_xlim(0.3, 60.0)
    upper_right.set_ylim(1e-9, 1.0)
    plotting.finish(upper_right, "x", "p(x)", r"the same, settled: tails $x^{-\alpha-3}$", legend=False)
    upper_right.legend(frameon=False, fontsize=11, loc="lower left")

    # 3. Where a free path leaves (-1, 1).
    start = 0.5
    for alpha, color in zip((0.8, 1.5), (colors[0], colors[1])):
        free = shld.LevyFlight(shld.QuadraticForm([0.0]), alpha=alpha, sigma=1.0)
        box = shld.FokkerPlanck(free, shld.Grid(-4.0, 4.0, 800 if quick else 3200))
        places = box.exit_places((-1.0, 1.0), start)
        for side in (-1.0, 1.0):
            y = side * np.linspace(1.01, 3.5, 300)
            law = np.sin(np.pi * alpha / 2) / np.pi * ((1 - start**2) / (y**2 - 1)) ** (alpha / 2) / np.abs(y - start)
            label = rf"$\alpha$ = {alpha:g}" if side > 0 else None
            lower_left.plot(y, places.density(y), lw=2, color=color, label=label)
            lower_left.plot(y, law, "--", lw=1.0, color="#202020", label="theory" if side > 0 and alpha > 1 else None)
        exits = shld.first_passage(
            free, start, (-1.0, 1.0), 2e-4 if quick else 5e-5, 10_000 if quick else 40_000, seed=3
        )
        counts, edges = np.histogram(
            exits.place, bins=np.concatenate([np.arange(-3.5, -0.9, 0.25), np.arange(1.0, 3.6, 0.25)])
        )
        middle, width = 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)
        shown = np.abs(middle) > 1.25  # nearer, the density varies too much over a bin
        lower_left.plot(
            middle[shown], (counts / (width * exits.place.size))[shown], "o", ms=4, color=color, mfc="white", mew=1.0
        )
        far = float(places.probability[box.grid.x > 2.0].sum() + places.above)
        numbers[f"P(Y > 2), alpha = {alpha:g}"] = (*share(exits.place > 2.0), far)
        numbers[f"mean exit time from {start:g}, alpha = {alpha:g}"] = (
            *limit(lambda fp: fp.mean_exit_time((-1.0, 1.0), x0=start), free, -1.2, 1.2, (132, 192, 264)),
            float(shld.theory.getoor_mean_exit_time(start, 1.0, alpha)),
        )
    lower_left.set_yscale("log")
    lower_left.set_xlim(-3.5, 3.5)
    lower_left.axvspan(-1.0, 1.0, color="#f0f0f0", lw=0)
    plotting.finish(
        lower_left, "y, first point outside (-1, 1)", "density", "free exit from 1/2: grid and paths (dots)"
    )

    # 4. Escape at small noise.
    sigmas = np.geomspace(0.02, 0.5, 6 if quick else 15)
    for alpha, color in zip((0.8, 1.2, 1.5, 1.8), colors):
        ratio = []
        for sigma in sigmas:
            model = shld.LevyFlight(shld.DoubleWell(), alpha=alpha, sigma=float(sigma))
            fp = shld.FokkerPlanck(model, shld.Grid(-8.0, 1.0, 900 if quick else 3600))
            power_law = shld.theory.imkeller_pavlyukevich_time(model, -1.0, (-np.inf, 0.0))
            ratio.append(fp.mean_exit_time((-np.inf, 0.0), x0=-1.0) / power_law)
        lower_right.semilogx(sigmas, ratio, "o-", ms=4, lw=1.8, color=color, label=rf"$\alpha$ = {alpha:g}")
        numbers[f"T / power law, alpha = {alpha:g}, sigma = {sigmas[0]:g}"] = ratio[0]
    lower_right.axhline(1.0, ls="--", lw=1.0, color="#202020")
    lower_right.set_ylim(0.0, 1.1)
    plotting.finish(lower_right, r"$\sigma$", "T / power law", r"double well, $-1 \to 0$, from the grid")
    lower_right.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"])
    lower_right.minorticks_off()
    # from -1 at sigma = 0.05: finite elements on graded meshes, 8 digits
    model = shld.LevyFlight(shld.DoubleWell(), alpha=1.5, sigma=0.05)
    cells = (1080, 1440, 1800) if quick else (1800, 2700, 3600)
    numbers["T(-1 -> 0), alpha = 1.5, sigma = 0.05"] = (
        *limit(lambda fp: fp.mean_exit_time((-np.inf, 0.0), x0=-1.0), model, -8.0, 1.0, cells),
        411.8588211,
    )
    plotting.save(fig, out_dir / "08_fractional_fokker_planck.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:44s} {value[0]:12.7g} +- {value[1]:<9.2g} theory {value[2]:.7g}")
        else:
            print(f"{name:44s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
