"""Claims of "Geometric Levy dynamics": stationary laws and first passages of stable noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shld_sim import theory
from shld_sim.claims.measure import share as _share
from shld_sim.claims.registry import Evidence, Run, Table, claim
from shld_sim.claims.rules import Test
from shld_sim.models import LevyFlight
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, Quartic
from shld_sim.simulate import first_passage, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


@claim(
    "levy.stationary",
    "stable noise: stationary laws",
    statement="With stable noise the stationary law is not Gibbs: in a harmonic well it is stable with scale sigma (alpha "
    "k)^(-1/alpha); in x^4/4 it has tails x^-(alpha + 3) and two humps, for alpha = 1 the density sigma/(pi (x^4 - "
    "sigma^(2/3) x^2 + sigma^(4/3))).",
    rule="Harmonic well: characteristic function at wave numbers 0.5, 1, 2 over the scale, against the chain's exact scale. "
    "Quartic well: P(|x| < 1/2), P(|x| < 1), P(|x| > 3) against the exact law, with the step's bias bounded by dt; a "
    "window of width 0.2 at a hump must hold more paths than one at 0.",
)
def stationary(run: Run) -> Evidence:
    """Compare stationary samples with the stable and the quartic law."""
    tests, rows = [], []
    n_paths, dt = run.pick("paths", 100_000, 1_000_000), 5e-3
    for i, alpha in enumerate(run.pick("alpha, harmonic well", (1.0, 1.5), (0.8, 1.0, 1.2, 1.5, 1.8))):
        k, sigma = 1.0, 0.5
        model = LevyFlight(Harmonic(k), alpha, sigma)
        x = simulate(model, 0.0, 0.02, n_steps=round(12 / 0.02), n_paths=n_paths, seed=run.stream(i)).final
        scale = float(theory.split_stable_scale(k, alpha, sigma, 0.02))
        limit = float(theory.harmonic_stable_scale(model))
        for wave in (0.5, 1.0, 2.0):
            values = np.cos(wave * x / scale)
            found, error = float(values.mean()), float(values.std() / math.sqrt(n_paths))
            label = f"E cos(kX), alpha = {alpha:g}, k scale = {wave:g}"
            tests.append(Test(label, found, math.exp(-(wave**alpha)), error, resolution=0.02))
        rows.append((f"k x^2/2, alpha = {alpha:g}", "scale of chain / of law", scale, limit, 0.0))
    drawn = []
    for i, alpha in enumerate(run.pick("alpha, quartic well", (1.0,), (1.0, 1.5))):
        model = LevyFlight(Quartic(), alpha, 1.0)
        paths = simulate(model, 0.0, dt, 8.0, 2 * n_paths, seed=run.stream(10 + i))
        x, cumulative, density = paths.final, theory.quartic_stable_cdf(model), theory.quartic_stable_density(model)
        for label, inside, exact in (
            ("P(|x| < 1/2)", np.abs(x) < 0.5, 2 * float(cumulative(0.5)) - 1),
            ("P(|x| < 1)", np.abs(x) < 1.0, 2 * float(cumulative(1.0)) - 1),
            ("P(|x| > 3)", np.abs(x) > 3.0, 2 * (1 - float(cumulative(3.0)))),
        ):
            found, error = _share(inside)
            test = Test(
                f"{label}, quartic, alpha = {alpha:g}",
                found,
                exact,
                error,
                resolution=0.02,
                numerical=dt * max(exact, 0.1),
            )
            tests.append(test)
            rows.append((f"x^4/4, alpha = {alpha:g}", label, found, exact, error))
        fine = np.linspace(0.0, 2.0, 401)
        hump = float(fine[np.argmax(density(fine))])
        excess = 0.5 * (np.abs(np.abs(x) - hump) < 0.1) - (np.abs(x) < 0.1)  # two windows at the humps, one at 0
        spread = float(excess.std()) / math.sqrt(len(x))
        tests.append(
            Test(f"P(near a hump) - P(near 0), alpha = {alpha:g}", float(excess.mean()), 0.0, spread, "at least")
        )
        drawn.append((alpha, x, density))

    def figure(ax: Axes) -> None:
        edges = np.linspace(-4.0, 4.0, 81)
        z = np.linspace(-4.0, 4.0, 400)
        for alpha, x, density in drawn:
            line = ax.plot(z, density(z), label=f"exact, alpha = {alpha:g}")[0]
            ax.plot(
                0.5 * (edges[1:] + edges[:-1]),
                np.histogram(x, edges)[0] / len(x) / np.diff(edges),
                "o",
                ms=3,
                color=line.get_color(),
            )
        ax.set(xlabel="x", ylabel="p(x)", yscale="log", ylim=(1e-3, 1), title="Quartic well, stable noise, sigma = 1")

    columns = ("well", "quantity", "measured", "exact", "stderr")
    return Evidence(tests, tables=[Table("Stationary laws", columns, tuple(rows))], figure=figure)


@claim(
    "levy.first-passage",
    "Levy escape: power law, no barrier",
    statement="With stable noise the escape time is a power law of the noise, sigma^-alpha, without the exponential of a "
    "barrier height.",
    rule="Simulated mean exit times of the double well, alpha = 1.5: exponent between sigma = 0.05 and 0.02 against -alpha "
    "(corrections to the power law bounded by 0.1), the time at 0.02 against Imkeller-Pavlyukevich (within 5 %), and the "
    "effect of a barrier four times as high (Kramers at sigma^2 = D would give e^1875); free motion out of (-1, 1) "
    "against Getoor's formula, two steps extrapolated with the monitoring exponent 1/alpha.",
)
def first_passages(run: Run) -> Evidence:
    """Measure escape times of stable noise against power laws."""
    alpha, low, n_paths = 1.5, (-math.inf, 0.0), run.pick("exits", 4_000, 40_000)
    times: dict[tuple[float, float], tuple[float, float]] = {}
    for i, (height, sigma) in enumerate(((0.25, 0.05), (0.25, 0.02), (1.0, 0.02))):
        model = LevyFlight(DoubleWell(height), alpha, sigma)
        exits = first_passage(model, -1.0, low, 0.02, n_paths, seed=run.stream(i))
        times[height, sigma] = exits.mean(), exits.stderr()
    (a, ea), (b, eb) = times[0.25, 0.05], times[0.25, 0.02]
    slope, spread = math.log(b / a) / math.log(0.02 / 0.05), math.hypot(ea / a, eb / b) / math.log(2.5)
    predicted = float(theory.imkeller_pavlyukevich_time(LevyFlight(DoubleWell(), alpha, 0.02), -1.0, low))
    high, eh = times[1.0, 0.02]
    tests = [
        Test("d ln T/d ln sigma", slope, -alpha, spread, resolution=0.3, numerical=0.1),
        Test(
            "T/Imkeller-Pavlyukevich, sigma = 0.02", b / predicted, 1.0, eb / predicted, resolution=0.2, numerical=0.05
        ),
        # The higher well is also stiffer and returns faster, so the limit is approached from the other side.
        Test(
            "T(4 x barrier)/T", high / b, 1.0, high / b * math.hypot(eh / high, eb / b), resolution=0.3, numerical=0.1
        ),
    ]
    flat, steps = LevyFlight(Polynomial([0.0, 1e-12]), alpha, 1.0), (1e-3, 2.5e-4)
    means = [
        first_passage(
            flat, 0.0, (-1.0, 1.0), dt, run.pick("exits of free motion", 20_000, 200_000), seed=run.stream(5 + j)
        )
        for j, dt in enumerate(steps)
    ]
    # The exit is seen late by about c dt^(1/alpha): combine the two steps so that this term cancels.
    ratio = (steps[0] / steps[1]) ** (1.0 / alpha)
    limit = (ratio * means[1].mean() - means[0].mean()) / (ratio - 1.0)
    error = math.hypot(ratio * means[1].stderr(), means[0].stderr()) / (ratio - 1.0)
    getoor = float(theory.getoor_mean_exit_time(0.0, 1.0, alpha))
    tests.append(Test("free exit from (-1, 1)", limit, getoor, error, resolution=0.1, numerical=0.005))
    rows = (
        (
            "double well",
            0.05,
            a,
            ea,
            float(theory.imkeller_pavlyukevich_time(LevyFlight(DoubleWell(), alpha, 0.05), -1.0, low)),
        ),
        ("double well", 0.02, b, eb, predicted),
        ("4 x barrier", 0.02, high, eh, predicted),
        ("free, dt = 1e-3", 1.0, means[0].mean(), means[0].stderr(), getoor),
        ("free, dt = 2.5e-4", 1.0, means[1].mean(), means[1].stderr(), getoor),
        ("free, extrapolated", 1.0, limit, error, getoor),
    )

    def figure(ax: Axes) -> None:
        sigma = np.geomspace(0.015, 0.07, 30)
        models = [LevyFlight(DoubleWell(), alpha, float(s)) for s in sigma]
        ax.plot(sigma, [theory.imkeller_pavlyukevich_time(m, -1.0, low) for m in models], "--", label="power law")
        for height, marker, shift in ((0.25, "o", 0.98), (1.0, "s", 1.02)):  # side by side where they coincide
            found = [(s * shift, *value) for (h, s), value in times.items() if h == height]
            where, mean, error = (np.array(column) for column in zip(*found, strict=True))
            ax.errorbar(where, mean, 5 * error, fmt=marker, ms=5, label=f"simulated, barrier {height:g}")
        ax.set(xscale="log", yscale="log", xlabel="sigma", ylabel="mean exit time", title="Double well, alpha = 1.5")

    columns = ("system", "sigma", "mean exit time", "stderr", "formula")
    return Evidence(tests, tables=[Table("Exit times", columns, rows)], figure=figure)
