"""Claims of "Geometric Levy dynamics": stable noise, its tails and exits, curvature, and the rules of its tracker."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import diagnostics, theory
from shld_sim._seeds import child
from shld_sim.claims.measure import mean, mean_share
from shld_sim.claims.measure import share as _share
from shld_sim.claims.registry import Evidence, Run, Table, claim
from shld_sim.claims.rules import HONEST, Test
from shld_sim.claims.trained import SOURCES, grokking_runs
from shld_sim.domains import Ball
from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.learning.experiments import Grokking
from shld_sim.models import Diffusion, LevyFlight
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, QuadraticForm, Quartic
from shld_sim.simulate import first_passage, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
STILL = QuadraticForm([1e-12, 1e-12])  # a plane with next to no slope


def _stable(rng: np.random.Generator, alpha: float, size: Any) -> Array:
    """Return numbers with ``E e^{ikX} = e^{-|k|^alpha}`` (Chambers, Mallows and Stuck)."""
    u, e = math.pi * (rng.random(size) - 0.5), rng.standard_exponential(size)
    if alpha == 1.0:
        return np.asarray(np.tan(u))
    return np.asarray(np.sin(alpha * u) / np.cos(u) ** (1 / alpha) * (np.cos((1 - alpha) * u) / e) ** (1 / alpha - 1))


# -- the equation ----


@claim(
    "levy.sde",
    "the equation: isotropic stable noise",
    formula=r"dX = -\nabla V(X)\,dt + \sigma\,dL^{\alpha},\quad \nu(dz) \propto |z|^{-(d + \alpha)}\,dz",
    statement="X follows the slope of V and stable noise whose jump measure is |z|^-(d + alpha).",
    definitions="L has E exp(ik.L_t) = exp(-t|k|^alpha); nu counts its jumps per time. A measure that depends on |z| alone "
    "makes the noise isotropic; independent stable coordinates, offered as well, have another one.",
    rule="Two coordinates, alpha = 1.2 and 1.5. Noise of unit time: E cos(k.X) at |k| = 1 along an axis and along the "
    "diagonal, both exp(-1); the share of paths beyond r = 30 sigma over the jump rate (numerical error 5 r^-alpha/2, above "
    "the second term of the tail's series), the share of these within 22.5 degrees of an axis, which must be 1/2. With V = "
    "|x|^2/2: E cos at t = 1 against exp(-(1 - e^-alpha)/alpha), error of the scheme dt (1 - e^-alpha)/2. Independent "
    "components: along the diagonal exp(-2^(1 - alpha/2)), and jumps along the axes, at twice the rate of one, but for second "
    "coordinates beyond 0.35 r. Scale 1 for mean cosines and shares. Samples for an alpha 0.1 larger to be seen.",
)
def sde(run: Run) -> Evidence:
    """Measure characteristic function and large jumps of both kinds of noise in the plane.

    L is sqrt(A) G with A positive alpha/2-stable and G normal: E exp(ik.L) = E exp(-A|k|^2) = exp(-|k|^alpha) in every
    direction. By Levy-Khinchin |k|^alpha = int (1 - cos k.z) nu(dz) with nu = c|z|^-(d + alpha) dz, which scales as it must;
    P(|L_t| > r) -> t nu(|z| > r). Independent coordinates have exp(-sum |k_i|^alpha) and the jump measure of one
    coordinate on each axis, where isotropic noise has no jumps at all. The second term of the series of the tail is c_2/c_1
    r^-alpha of the first: 0.54 and 2.1 for isotropic noise, 0.65 and 2.3 for independent components, alpha = 1.2 and 1.5.
    In V = |x|^2/2 the noise of time s is shrunk by
    e^-(t - s), so that the exponent is int_0^t e^-(alpha s) ds.
    """
    n, pulled_paths, far = run.pick("paths", 1_500_000, 4_000_000), run.pick("paths in a well", 10_000, 100_000), 30.0
    tests, rows, drawn = [], [], {}
    well = QuadraticForm([1.0, 1.0])
    waves = (("axis", np.array([1.0, 0.0])), ("diagonal", np.array([1.0, 1.0]) / math.sqrt(2.0)))
    for i, alpha in enumerate((1.2, 1.5)):
        for j, kind in enumerate(("isotropic", "independent")):
            model = LevyFlight(STILL, alpha, 1.0, components=kind)
            x = simulate(model, [0.0, 0.0], 1.0, n_steps=1, n_paths=n, seed=run.stream(4 * i + j), scheme="euler").final
            for name, wave in waves:
                found, error = mean(np.cos(x @ wave))
                exact = math.exp(-(1.0 if kind == "isotropic" else float(np.sum(np.abs(wave) ** alpha))))
                label = f"E cos(k.X), {name}, {kind}, alpha = {alpha:g}"
                tests.append(Test(label, found, exact, error, scale=1.0))
                rows.append((alpha, kind, f"E cos(k.X), {name}", found, error, exact))
            size, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
            beyond, error = _share(size > far)
            rate = float(theory.jump_rate(model, far))
            label = f"P(|X| > 30)/jump rate, {kind}, alpha = {alpha:g}"
            tests.append(Test(label, beyond / rate, 1.0, error / rate, numerical=2.5 * far**-alpha))
            rows.append((alpha, kind, "P(|X| > 30)", beyond, error, rate))
            near_axis = np.abs((4.0 * angle / math.pi + 1.0) % 2.0 - 1.0) < 0.5
            part, error = _share(near_axis[size > far])
            if kind == "isotropic":
                tests.append(Test(f"large jumps near an axis, alpha = {alpha:g}", part, 0.5, error, scale=1.0))
            else:  # the first coordinate is beyond r cos(22.5 degrees) and the second beyond r sin(22.5 degrees) = 0.38 r
                other = float(theory.jump_rate(LevyFlight(Harmonic(1.0), alpha, 1.0), far * 0.35))
                label = f"large jumps near an axis, independent, alpha = {alpha:g}"
                tests.append(Test(label, part, 1.0, error, scale=1.0, numerical=other))
            rows.append((alpha, kind, "share of these near an axis", part, error, 0.5 if kind == "isotropic" else 1.0))
            drawn[alpha, kind] = x[:20_000]
        # a step adds noise and then follows the slope: the integral of e^-(alpha s) becomes a sum, wrong by dt/2 of its ends
        dt, drop = 0.01, 1.0 - math.exp(-alpha)
        pulled = LevyFlight(well, alpha, 1.0)
        x = simulate(pulled, [0.0, 0.0], dt, 1.0, pulled_paths, seed=run.stream(20 + i)).final
        found, error = mean(np.cos(x @ waves[1][1]))
        exact = math.exp(-drop / alpha)
        label = f"E cos(k.X_1) in a well, alpha = {alpha:g}"
        tests.append(Test(label, found, exact, error, scale=1.0, numerical=0.5 * dt * drop))
        rows.append((alpha, "isotropic, in a well", "E cos(k.X), diagonal", found, error, exact))

    def figure(axes: Any) -> None:
        for ax, kind in zip(axes, ("isotropic", "independent"), strict=True):
            ax.plot(*drawn[1.5, kind].T, ".", ms=2, rasterized=True)  # many points: a picture inside the SVG
            ax.set(
                xlim=(-60, 60), ylim=(-60, 60), aspect="equal", xlabel="X_1", ylabel="X_2", title=f"{kind}, alpha = 1.5"
            )

    columns = ("alpha", "noise", "quantity", "measured", "stderr", "exact")
    return Evidence(tests, tables=[Table("Noise in the plane", columns, tuple(rows))], figure=figure, panels=2)


@claim(
    "levy.stationary",
    "stable noise: stationary laws",
    formula=r"\mathrm{E}\,e^{iqX} = \exp(-|q|^{\alpha}\sigma^{\alpha}/(\alpha k)),\quad "
    r"p(x) = \frac{\sigma}{\pi(x^4 - \sigma^{2/3}x^2 + \sigma^{4/3})}\ (V = x^4/4,\ \alpha = 1)",
    definitions="dX = -V'(X) dt + sigma dL with E exp(iqL_t) = exp(-t|q|^alpha); a law is stable with scale c when its "
    "characteristic function is exp(-|cq|^alpha).",
    statement="With stable noise the stationary law is not Gibbs: in a harmonic well it is stable with scale sigma (alpha "
    "k)^(-1/alpha); in x^4/4 it has tails x^-(alpha + 3) and two humps, for alpha = 1 the density sigma/(pi (x^4 - "
    "sigma^(2/3) x^2 + sigma^(4/3))).",
    rule="Harmonic well: characteristic function at wave numbers 0.5, 1, 2 over the chain's exact scale, whose distance from "
    "that of the law is k dt/2 (1 + k dt). Quartic well: P(|x| < 1/2) and P(|x| < 1) against the exact law, P(|x| > 2) over it, "
    "means over t = 4 to 10; a chain that is seen after the drift is half a step of it ahead, dt |V'| p at both edges, and a "
    "tenth for higher orders; a window of width 0.2 at a hump must hold more paths than one at 0. Scale 1 for mean cosines and "
    "probabilities. Samples for an alpha 0.1 larger to be seen.",
)
def stationary(run: Run) -> Evidence:
    """Compare stationary samples with the stable and the quartic law.

    In Fourier space the stationary equation is i q F[V' p] = -sigma^alpha |q|^alpha F[p]. For V' = k x it is k phi' =
    -sigma^alpha q^(alpha - 1) phi: phi = exp(-sigma^alpha q^alpha/(alpha k)). For V' = x^3 the third derivative of phi is
    sigma^alpha q^(alpha - 1) phi, for alpha = 1 with the bounded even solution whose transform is the density above. Its
    extrema lie at 0 and at x^2 = sigma^(2/3)/2: two humps. The tail follows from jumps: p(x) x^3 = sigma^alpha nu(z > x).
    """
    tests, rows = [], []
    n_paths, dt, coarse = run.pick("paths", 100_000, 500_000), 5e-3, 0.05
    for i, alpha in enumerate(run.pick("alpha, harmonic well", (1.0, 1.5), (0.8, 1.0, 1.2, 1.5, 1.8))):
        k, sigma = 1.0, 0.5
        model = LevyFlight(Harmonic(k), alpha, sigma)
        x = simulate(model, 0.0, coarse, 12.0, n_paths=n_paths, seed=run.stream(i)).final
        scale = float(theory.split_stable_scale(k, alpha, sigma, coarse))
        limit = float(theory.harmonic_stable_scale(model))
        for wave in (0.5, 1.0, 2.0):
            values = np.cos(wave * x / scale)
            found, error = float(values.mean()), float(values.std() / math.sqrt(n_paths))
            label = f"E cos(kX), alpha = {alpha:g}, k scale = {wave:g}"
            tests.append(Test(label, found, math.exp(-(wave**alpha)), error, scale=1.0))
        bias = 0.5 * k * coarse * (1.0 + k * coarse)
        tests.append(
            Test(f"scale of the chain over that of the law, alpha = {alpha:g}", scale / limit, 1.0, numerical=bias)
        )
        rows.append((f"k x^2/2, alpha = {alpha:g}", "scale of chain / of law", scale, limit, 0.0))
    drawn, n_quartic = [], run.pick("paths in the quartic well", 20_000, 80_000)
    for i, alpha in enumerate(run.pick("alpha, quartic well", (1.0,), (1.0, 1.5))):
        model = LevyFlight(Quartic(), alpha, 1.0)
        paths = simulate(model, 0.0, dt, 10.0, n_quartic, save_every=round(0.25 / dt), seed=run.stream(10 + i))
        x, cumulative, density = paths.x[16:], theory.quartic_stable_cdf(model), theory.quartic_stable_density(model)
        for label, inside, edge, exact in (
            ("P(|x| < 1/2)", np.abs(x) < 0.5, 0.5, 2 * float(cumulative(0.5)) - 1),
            ("P(|x| < 1)", np.abs(x) < 1.0, 1.0, 2 * float(cumulative(1.0)) - 1),
            ("P(|x| > 2)", np.abs(x) > 2.0, 2.0, 2 * (1 - float(cumulative(2.0)))),
        ):
            found, error = mean(inside.mean(axis=0))  # of each path over times
            bias = 1.1 * dt * edge**3 * float(density(edge))
            name = f"quartic, alpha = {alpha:g}"
            if edge == 2.0:
                tests.append(Test(f"{label}/theory, {name}", found / exact, 1.0, error / exact, numerical=bias / exact))
            else:
                tests.append(Test(f"{label}, {name}", found, exact, error, scale=1.0, numerical=bias))
            rows.append((f"x^4/4, alpha = {alpha:g}", label, found, exact, error))
        fine = np.linspace(0.0, 2.0, 401)
        hump = float(fine[np.argmax(density(fine))])
        excess = 0.5 * (np.abs(np.abs(x) - hump) < 0.1) - (np.abs(x) < 0.1)  # two windows at the humps, one at 0
        found, error = mean(excess.mean(axis=0))
        bias = 1.1 * dt * (hump + 0.1) ** 3 * float(density(hump))
        label = f"P(near a hump) - P(near 0), alpha = {alpha:g}"
        tests.append(Test(label, found, 0.0, error, "at least", 1.0, numerical=bias))
        drawn.append((alpha, x.ravel(), density))

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
    "levy.fractional-fp",
    "the fractional Fokker-Planck equation",
    formula=r"\partial_t p = \nabla\cdot(p\,\nabla V) + D_{\alpha}\left[-(-\Delta)^{\alpha/2}\right]p,\quad "
    r"D_{\alpha} = \sigma^{\alpha}",
    statement="The density of dX = -grad V dt + sigma dL obeys the fractional Fokker-Planck equation with D_a = sigma^alpha.",
    definitions="-(-lap)^(alpha/2) multiplies the Fourier transform by -|k|^alpha; E exp(ikL_t) = exp(-t|k|^alpha).",
    rule="Double well, sigma = 0.5, from x = -1: shares of paths below -1.5, -1, 0 and 1 at t = 0.5 and 2 against the grid "
    "solver. Numerical error: what twice as wide cells change, and dt |V'| p at the end of the range, as a chain that is seen "
    "after the drift is half a step of it ahead. Harmonic well from 0: shares of the grid below 0.5 and 1 at t = 1 against the "
    "stable law of scale sigma ((1 - e^-alpha)/alpha)^(1/alpha), within what twice as wide cells change. Scale 1 for shares. "
    "Samples for an alpha 0.1 larger to be seen.",
)
def fractional_fp(run: Run) -> Evidence:
    """Compare paths with the grid solver of the fractional equation, and the solver with what is known.

    Over a time h the noise multiplies the characteristic function by exp(-h sigma^alpha |k|^alpha), so that dp/dt has the term
    -sigma^alpha |k|^alpha in Fourier space; the drift transports p as ever. In V = x^2/2 the equation is of first order in k
    and solved by phi = exp(-sigma^alpha |k|^alpha (1 - e^-(alpha t))/alpha). Steps of noise and flow are steps that are
    symmetric in time, of second order, between half a flow backward at the start, where it is at rest, and one at the end.
    """
    n, sigma, dt, times = run.pick("paths", 100_000, 300_000), 0.5, 0.005, np.array([0.5, 2.0])
    tests, rows, drawn = [], [], []

    def below(solver: FokkerPlanck, p: Array, ends: tuple[float, ...]) -> Array:
        edges = solver.grid.x[0] - 0.5 * solver.grid.dx + solver.grid.dx * np.arange(solver.grid.size + 1)
        return np.interp(ends, edges, np.append(0.0, np.cumsum(p) * solver.grid.dx))

    for i, alpha in enumerate(run.pick("alpha", (1.2, 1.8), (1.2, 1.5, 1.8))):
        model = LevyFlight(DoubleWell(), alpha, sigma)
        solver, wide = (FokkerPlanck(model, Grid(-8.0, 8.0, cells)) for cells in (400, 200))
        density, rough = (s.propagate(-1.0, times) for s in (solver, wide))
        paths = simulate(model, -1.0, dt, float(times[-1]), n, seed=run.stream(i), save_every=round(0.5 / dt))
        ends = (-1.5, -1.0, 0.0, 1.0)
        # V' dt is the way of two half steps
        ahead = np.array([dt * abs(float(model.potential.gradient(end))) for end in ends])
        for t, p, q in zip(times, density, rough, strict=True):
            x, exact = paths.x[round(t / 0.5)], below(solver, p, ends)
            slips = np.abs(exact - below(wide, q, ends)) + ahead * np.interp(ends, solver.grid.x, p)
            for end, said, slip in zip(ends, exact, slips, strict=True):
                found, error = _share(x < end)
                label = f"P(X < {end:g}), alpha = {alpha:g}, t = {t:g}"
                tests.append(Test(label, found, float(said), error, scale=1.0, numerical=float(slip)))
                rows.append(("double well", alpha, float(t), f"P(X < {end:g})", found, error, float(said)))
            drawn.append((alpha, t, x, solver.grid.x, p))
        wells = [
            FokkerPlanck(LevyFlight(Harmonic(1.0), alpha, sigma), Grid(-20.0, 20.0, cells)) for cells in (640, 320)
        ]
        shares, others = (below(well, well.propagate(0.0, 1.0), (0.5, 1.0)) for well in wells)
        scale = sigma * ((1.0 - math.exp(-alpha)) / alpha) ** (1.0 / alpha)
        for end, found, other in zip((0.5, 1.0), shares, others, strict=True):
            said = float(theory.stable_cdf(end, alpha, scale))
            # paths beyond the box count as at its end, from where the drift does not bring them below 1 by t = 1
            label = f"grid, P(X < {end:g}) in x^2/2, alpha = {alpha:g}"
            tests.append(Test(label, float(found), said, scale=1.0, numerical=abs(float(found - other))))
            rows.append(("x^2/2, grid", alpha, 1.0, f"P(X < {end:g})", float(found), 0.0, said))

    def figure(ax: Axes) -> None:
        edges = np.linspace(-3.0, 3.0, 61)
        for alpha, t, x, z, p in drawn:
            if t == times[0]:
                line = ax.plot(z, p, label=f"alpha = {alpha:g}")[0]
                height = np.histogram(x, edges)[0] / len(x) / np.diff(edges)
                ax.plot(0.5 * (edges[1:] + edges[:-1]), height, "o", ms=3, color=line.get_color())
        ax.set(xlim=(-3, 3), ylim=(1e-3, 2), yscale="log", xlabel="x", ylabel="p(x, t = 0.5)")
        ax.set_title("Double well. Lines: fractional equation. Points: paths")

    columns = ("well", "alpha", "t", "quantity", "measured", "stderr", "equation")
    return Evidence(tests, tables=[Table("Paths and equation", columns, tuple(rows))], figure=figure)


@claim(
    "levy.first-passage",
    "Levy escape: power law, no barrier",
    formula=r"T \simeq \frac{\pi\,l^{\alpha}}{\Gamma(\alpha)\sin(\pi\alpha/2)\,\sigma^{\alpha}},\quad "
    r"T_{free} = \frac{(L^2 - x^2)^{\alpha/2}}{\Gamma(1 + \alpha)\,\sigma^{\alpha}}",
    definitions="T: mean exit time, l: distance from the minimum to the end of the well, sigma: noise scale with E "
    "exp(iqL_t) = exp(-t|q|^alpha); T_free: out of (-L, L) without drift.",
    statement="With stable noise the escape time is a power law of the noise, sigma^-alpha, without the exponential of a "
    "barrier height.",
    rule="Simulated mean exit times of the double well, alpha = 1.5, dt = 1/2: exponent between sigma = 0.04 and 0.02 against "
    "-alpha (rival -2, that of normal noise), the time at 0.02 over that of Imkeller and Pavlyukevich, and the effect of a "
    "barrier four times as high (Kramers at sigma^2 = D would give e^1875). Numerical error: how far the time on a grid is from "
    "this limit of small sigma, and what twice as wide cells change; and alpha sigma dt^(1/alpha), as paths are seen only after "
    "steps. Free motion out of (-1, 1) against Getoor's formula, two steps extrapolated with the monitoring exponent 1/alpha, "
    "within what that changes.",
)
def first_passages(run: Run) -> Evidence:
    """Measure escape times of stable noise against power laws.

    Between large jumps the path rests at the minimum; a jump longer than l carries it out at once. Such jumps to one side
    come at the rate int_l^inf c sigma^alpha z^-(1 + alpha) dz = c sigma^alpha l^-alpha/alpha, c = Gamma(1 + alpha)
    sin(pi alpha/2)/pi, whatever the height of the barrier; T is its inverse as sigma -> 0 (Imkeller and Pavlyukevich). Free
    motion: -(-lap)^(alpha/2) (L^2 - x^2)^(alpha/2) = -Gamma(1 + alpha) inside (Getoor).
    """
    alpha, low, n_paths, dt = 1.5, (-math.inf, 0.0), run.pick("exits", 20_000, 60_000), 0.5
    times: dict[tuple[float, float], tuple[float, float]] = {}
    limits: dict[tuple[float, float], float] = {}
    grids: dict[tuple[float, float], Array] = {}
    for i, (height, sigma) in enumerate(((0.25, 0.04), (0.25, 0.02), (1.0, 0.02))):
        model = LevyFlight(DoubleWell(height), alpha, sigma)
        # the path rests between its large jumps: the step need not resolve the way back
        exits = first_passage(model, -1.0, low, dt, n_paths, seed=run.stream(i))
        times[height, sigma] = exits.mean(), exits.stderr()
        limits[height, sigma] = float(theory.imkeller_pavlyukevich_time(model, -1.0, low))
        solvers = (FokkerPlanck(model, Grid(-3.0, 1.0, cells)) for cells in (800, 400))
        grids[height, sigma] = np.array([float(solver.mean_exit_time(low, x0=-1.0)) for solver in solvers])
    (a, ea), (b, eb), (high, eh) = times.values()
    fine, finer, steep = grids.values()
    late = alpha * dt ** (1.0 / alpha)  # of the logarithm of a time, over sigma

    def off(values: Array, limit: float) -> float:
        """Return the distance of the finer of two grids from the limit, and their difference."""
        return float(abs(values[0] - limit) + abs(values[0] - values[1]))

    predicted, halved = limits[0.25, 0.02], math.log(0.5)
    slope, spread = math.log(b / a) / halved, math.hypot(ea / a, eb / b) / math.log(2.0)
    tests = [
        Test(
            "d ln T/d ln sigma",
            slope,
            -alpha,
            spread,
            rival=-2.0,
            numerical=off(np.log(finer / fine) / halved, -alpha) + late * 0.02 / math.log(2.0),
        ),
        Test(
            "T/Imkeller-Pavlyukevich, sigma = 0.02",
            b / predicted,
            1.0,
            eb / predicted,
            numerical=off(finer / predicted, 1.0) + late * 0.02,
        ),
        Test(
            "T(4 x barrier)/T",
            high / b,
            1.0,
            high / b * math.hypot(eh / high, eb / b),
            numerical=off(steep / finer, 1.0) + late * 0.02,
        ),
    ]
    flat, steps = LevyFlight(Polynomial([0.0, 1e-12]), alpha, 1.0), (4e-3, 1e-3)
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
    tests.append(Test("free exit from (-1, 1)", limit, getoor, error, numerical=abs(limit - means[1].mean())))
    rows = (
        ("double well", 0.04, a, ea, limits[0.25, 0.04]),
        ("double well", 0.02, b, eb, predicted),
        ("4 x barrier", 0.02, high, eh, predicted),
        ("free, dt = 4e-3", 1.0, means[0].mean(), means[0].stderr(), getoor),
        ("free, dt = 1e-3", 1.0, means[1].mean(), means[1].stderr(), getoor),
        ("free, extrapolated", 1.0, limit, error, getoor),
    )

    def figure(ax: Axes) -> None:
        sigma = np.geomspace(0.015, 0.06, 30)
        models = [LevyFlight(DoubleWell(), alpha, float(s)) for s in sigma]
        ax.plot(sigma, [theory.imkeller_pavlyukevich_time(m, -1.0, low) for m in models], "--", label="power law")
        for height, marker, shift in ((0.25, "o", 0.98), (1.0, "s", 1.02)):  # side by side where they coincide
            found = [(s * shift, *value) for (h, s), value in times.items() if h == height]
            where, mean, error = (np.array(column) for column in zip(*found, strict=True))
            ax.errorbar(where, mean, 5 * error, fmt=marker, ms=5, label=f"simulated, barrier {height:g}")
        ax.set(xscale="log", yscale="log", xlabel="sigma", ylabel="mean exit time", title="Double well, alpha = 1.5")

    columns = ("system", "sigma", "mean exit time", "stderr", "formula")
    return Evidence(tests, tables=[Table("Exit times", columns, rows)], figure=figure)


# -- signal over noise ----


@claim(
    "levy.consolidation",
    "C_a = 1 is critical",
    formula=r"C_{\alpha} = \frac{|\nabla V|^2}{2 D_{\alpha} d},\quad D_{\alpha} = (\sigma_{\alpha}/|\nabla V|)^{\alpha}",
    statement="The consolidation ratio of stable noise, C_a = |grad V|^2/(2 D_a d) with D_a = (sigma_a/|grad V|)^alpha, is "
    "critical at 1.",
    definitions="sigma_a: the standard deviation of a window of gradient norms; d: number of parameters.",
    corrected="C_a is a squared gradient: in another unit of the loss 1 is another state. 1/D_a = (|grad V|/sigma_a)^alpha "
    "has no unit, and with sigma_a the scale of the stable noise it fixes the probability that a gradient points down, "
    "F_alpha(D_a^(-1/alpha)). That probability passes 3/4 at 1 without any threshold.",
    corrected_formula=r"P(g \cdot \nabla V > 0) = F_{\alpha}(D_{\alpha}^{-1/\alpha})",
    rule="C_a of one state in units L and 4L of the loss, ratio 1. Two states with C_a = 1, in unit L and in 4L: the "
    "probability that a gradient with stable noise points down must be the same (alpha = 1.5). The standard deviation of "
    "stable noise in windows of 10 000 over that of 100, logarithm of the medians, 0. Corrected: 1/D_a in both units, and the "
    "probability against F_alpha for alpha = 1, 1.5 and 2, |grad V|/sigma from 1/4 to 4. Scale 1 for probabilities and the "
    "logarithm. Samples for an alpha 0.1 larger to be seen.",
)
def levy_consolidation(run: Run) -> Evidence:
    """Follow C_a through a change of unit, and measure what 1/D_a decides.

    grad V and sigma_a are gradients: with the loss cL both are c times larger, D_a stays and C_a is c^2 times larger. The
    component of a noisy gradient along its mean is |grad V| + sigma_a xi, xi symmetric stable of unit scale (isotropic
    noise: every component is), positive with probability P(xi < |grad V|/sigma_a) = F_alpha. A variance of xi does not
    exist: the standard deviation of n of them grows as n^(1/alpha - 1/2).
    """
    n, alpha, d = run.pick("gradients", 100_000, 1_000_000), 1.5, 10.0
    in_unit = [diagnostics.levy_consolidation(2.0 * unit, unit, alpha, d) for unit in (1.0, 4.0)]
    stated = [Test("C_a in the unit 4L over C_a in L", in_unit[1] / in_unit[0], 1.0, numerical=1e-9)]

    def downhill(ratio: float, index: float, i: int) -> tuple[float, float]:
        return _share(ratio + _stable(run.generator(i), index, n) > 0.0)

    # C_a = |g|^2 (|g|/s)^alpha/(2d) = 1 for |g| = 2 (in L) and for |g| = 8 (in 4L, the same slope)
    (a, ea), (b, eb) = (downhill((2.0 * d / size**2) ** (1.0 / alpha), alpha, i) for i, size in enumerate((2.0, 8.0)))
    stated.append(Test("P(down) at C_a = 1 in L, less that in 4L", a - b, 0.0, math.hypot(ea, eb), scale=1.0))
    rng, windows = run.generator(2), run.pick("windows", 1000, 4000)
    spread = [np.log(np.std(_stable(rng, alpha, (windows, m)), axis=1)) for m in (100, 10_000)]
    # the median of n normal values has the error 1.25 sd/sqrt(n); these are skew: twice that
    error = 2.5 * math.hypot(*(float(v.std()) for v in spread)) / math.sqrt(windows)
    growth = float(np.median(spread[1]) - np.median(spread[0]))
    stated.append(Test("ln of sigma_a, window of 10 000 over 100", growth, 0.0, error, scale=1.0))
    same = (8.0 / 4.0) ** alpha / (2.0 / 1.0) ** alpha
    corrected = [Test("1/D_a in the unit 4L over 1/D_a in L", same, 1.0, numerical=1e-9)]
    rows = []
    ratios = (0.25, 0.5, 1.0, 2.0, 4.0)
    for i, index in enumerate((1.0, 1.5, 2.0)):
        for j, ratio in enumerate(ratios):
            found, error = downhill(ratio, index, 10 + 5 * i + j)
            exact = float(theory.downhill_probability(ratio, index))
            label = f"P(down), alpha = {index:g}, 1/D_a = {ratio**index:.3g}"
            corrected.append(Test(label, found, exact, error, scale=1.0))
            rows.append((index, ratio**index, found, error, exact))

    def figure(axes: Any) -> None:
        left, right = axes
        line = np.geomspace(0.1, 8.0, 100)
        for unit, name in ((1.0, "unit L"), (4.0, "unit 4L")):
            values = [diagnostics.levy_consolidation(unit * g, unit, alpha, d) for g in line]
            left.plot(line, values, label=name)
        left.axhline(1.0, ls=":", color="0.3", label="critical, as stated")
        left.set(
            xscale="log", yscale="log", xlabel="|grad V|/sigma", ylabel="C_a", title="The same states in two units"
        )
        for i, index in enumerate((1.0, 1.5, 2.0)):
            shown = right.plot(line, theory.downhill_probability(line, index), label=f"alpha = {index:g}")[0]
            points = np.array(rows[5 * i : 5 * i + 5])
            right.errorbar(ratios, points[:, 2], 5 * points[:, 3], fmt="o", ms=4, color=shown.get_color())
        right.set(xscale="log", xlabel="|grad V|/sigma = D_a^(-1/alpha)", ylabel="P(gradient points down)")
        right.set_title("What 1/D_a decides: no threshold")

    columns = ("alpha", "1/D_a", "P(down)", "stderr", "F_alpha")
    return Evidence(stated, corrected, [Table("Direction of noisy gradients", columns, tuple(rows))], figure, panels=2)


# -- tails ----


def _unequal(rng: np.random.Generator, n: int, d: int) -> Array:
    """Return (n, d) normal numbers whose d coordinates have scales over four decades."""
    return np.asarray(rng.standard_normal((n, d)) * np.geomspace(0.01, 100.0, d))


@claim(
    "levy.tail-index",
    "the tail index of gradient noise",
    formula=r"\hat\alpha = \frac{k}{\sum_{i \leq k}\ln(x_{(i)}/x_{(k+1)})},\quad n = 100,\ k = 10",
    statement="Hill's estimator on the largest tenth of 100 gradient norms gives alpha; estimates below 2, such as 1.4 to "
    "1.6 for deep networks, show heavy tails.",
    definitions="x_(i): the i-th largest value. Estimates of the literature come from sums of blocks: 1/alpha = (mean ln|Y| - "
    "mean ln|X|)/ln m, Y the sum of m values.",
    corrected="Hill's estimate from ten values has a standard error of alpha/sqrt(10) or more. The block-sum estimate is below 2 "
    "for all data more peaked than the normal, by (ln sd - E ln|X| - 0.635)/ln m in 1/alpha, and for normal coordinates of "
    "unequal scale. Maximum likelihood with its interval finds alpha of stable data; a shuffle tells unequal scales.",
    corrected_formula=r"\frac{1}{\alpha_{block}} = \frac{1}{2} + \frac{\ln\,\mathrm{sd} - (\gamma_E + \ln 2)/2 - "
    r"\mathrm{E}\ln|X|}{\ln m}",
    rule="Hill with k = 10 of 100 stable values of alpha = 1.5: the share of estimates within a tenth of 1.5, which must be "
    "0.95. Block sums, m = 100, of data that have all the moments an alpha below 2 denies (Student with five degrees, Laplace, "
    "lognormal of random sign, normal of unequal scale): 2 as stated. Corrected: block sums of normal, Student and Laplace data "
    "against the formula, and of the unequal scales sorted by coordinate (twice the first Edgeworth term as numerical error); "
    "the standard deviation of Hill's estimates at least alpha/sqrt(10); a permutation test tells the sorted scales, p at most "
    "0.05, and the shuffled ones agree with the mean of further shuffles; the share of 95 % intervals of maximum likelihood "
    "that hold alpha = 1.2, 1.5, 1.8, which must be 0.925. Scale 1 for shares. 500 values have a standard error of about 0.06, "
    "so that intervals about alpha + 0.1 hold alpha in 6 of 10 cases.",
)
def tail_index(run: Run) -> Evidence:
    """Measure the estimators on data whose tails are known.

    ln(x_(i)/x_(k+1)) of a power law are exponential of mean 1/alpha, so that 2 k alpha/estimate is chi-square with 2k
    degrees of freedom: relative error 1/sqrt(k). A sum of m values with variance is nearly normal with E ln|Y| = ln(sqrt(m)
    sd) - (gamma_E + ln 2)/2, up to -kurtosis/(12 m). Student, five degrees: E ln|X| = (ln 5 + psi(1/2) - psi(5/2))/2;
    Laplace: -gamma_E. A mixture of normals of scales s has ln sd - E ln|X| - 0.635 = ln(mean s^2)/2 - mean ln s > 0; with
    the values of each coordinate side by side every block has one scale and the difference is gone.
    """
    alpha, repeats = 1.5, run.pick("Hill, repeats", 4000, 40_000)
    sample = _stable(run.generator(0), alpha, (repeats, 100))
    hills = np.array([diagnostics.hill(row).alpha for row in sample])
    near, error = _share(np.abs(hills - alpha) < 0.1 * alpha)
    stated = [Test("share of Hill's estimates within 0.15", near, 0.95, error, "at least", 1.0)]
    m, blocks, rng = 100, run.pick("blocks", 4000, 40_000), run.generator(1)
    n, gamma = m * blocks, float(np.euler_gamma)
    unequal = _unequal(rng, n // 1000, 1000)
    ordered = "the same, sorted by coordinate"
    data = {
        "normal": rng.standard_normal(n),
        "Student, 5 degrees": rng.standard_t(5, n),
        "Laplace": rng.laplace(size=n),
        "lognormal, random sign": np.exp(1.5 * rng.standard_normal(n)) * rng.choice([-1.0, 1.0], n),
        "normal, unequal scales": rng.permutation(unequal.ravel()),
        ordered: unequal.T.ravel(),
    }
    normal = (1.0, -0.5 * (gamma + math.log(2.0)), 0.0)
    known = {  # sd, E ln|X|, excess kurtosis; psi(5/2) - psi(1/2) = 8/3
        "normal": normal,
        "Student, 5 degrees": (math.sqrt(5.0 / 3.0), 0.5 * (math.log(5.0) - 8.0 / 3.0), 6.0),
        "Laplace": (math.sqrt(2.0), -gamma, 3.0),
        ordered: normal,
    }
    corrected, estimates = [], {}
    rows: list[tuple[Any, ...]] = []
    for name, x in data.items():
        found = diagnostics.block_sum(x, m)
        estimates[name] = found
        limit = theory.block_sum_limit(*known[name][:2], m) if name in known else math.nan
        rows.append((name, found.alpha, found.stderr, f"{limit:.4g}" if name in known else ""))
        if name not in ("normal", ordered):
            stated.append(Test(f"block sums, {name}", found.alpha, 2.0, found.stderr))
        if name in known:
            bias = known[name][2] / (12.0 * m * math.log(m)) * limit**2  # of 1/alpha, by the first Edgeworth term
            label = f"block sums, {name}, formula"
            corrected.append(Test(label, found.alpha, limit, found.stderr, numerical=2.0 * bias))
    spread = float(hills.std())
    error = math.sqrt(float(np.var((hills - hills.mean()) ** 2)) / repeats) / (2.0 * spread)
    label = "standard deviation of Hill's estimates"
    corrected.append(Test(label, spread, alpha / math.sqrt(10.0), error, "at least"))
    draws, mixed = 100, "normal, unequal scales"
    checks = {
        name: diagnostics.shuffle_check(data[name][: n // 4], m, draws=draws, seed=run.stream(9))
        for name in (ordered, mixed)
    }
    corrected.append(Test(f"p-value of a shuffle, {ordered}", checks[ordered].p_value, 0.05, relation="at most"))
    null = checks[mixed].null
    # the spread is that of 100 draws: Student's t leaves 5.33 of it as seldom as the normal law 5
    error = 5.33 / 5.0 * float(null.std(ddof=1)) * math.sqrt(1.0 + 1.0 / draws)
    label = "block sums, normal, unequal scales, against shuffles"
    corrected.append(Test(label, checks[mixed].observed, float(null.mean()), error))
    rows += [(f"p-value of a shuffle: {name}", found.p_value, "", "") for name, found in checks.items()]
    fits, count = run.pick("fits", 300, 1000), 500
    for i, index in enumerate((1.2, 1.5, 1.8)):
        made = [diagnostics.stable_likelihood(row) for row in _stable(run.generator(2 + i), index, (fits, count))]
        held, error = _share(np.array([f.interval[0] <= index <= f.interval[1] for f in made]))
        label = f"coverage of likelihood, alpha = {index:g}"
        corrected.append(Test(label, held, HONEST, error, "at least", 1.0))
        values = np.array([f.alpha for f in made])
        rows.append(
            (f"stable: likelihood, {count} values", float(np.median(values)), float(values.std()), f"{index:g}")
        )
    rows.append(("stable: Hill, 10 of 100 values", float(hills.mean()), spread, "1.5"))

    def figure(axes: Any) -> None:
        left, right = axes
        for y, (name, found) in enumerate(estimates.items()):
            left.errorbar(found.alpha, y, xerr=5 * found.stderr, fmt="o", color="C0")
            if name in known:
                left.plot(theory.block_sum_limit(*known[name][:2], m), y, "|", ms=18, color="C1")
        left.plot([], [], "|", ms=18, color="C1", label="formula")
        left.axvline(2.0, ls=":", color="0.3", label="every variance is finite")
        left.set(yticks=range(len(data)), yticklabels=list(data), xlabel="alpha by sums of 100", ylim=(6.5, -0.5))
        edges = np.linspace(0.5, 4.0, 60).tolist()
        right.hist(hills, edges, density=True, histtype="step", lw=2, label="Hill, 10 of 100")
        likely = [diagnostics.stable_likelihood(row).alpha for row in sample[:200]]
        right.hist(likely, edges[:26], density=True, histtype="step", lw=2, label="likelihood, the same 100")
        right.axvline(alpha, ls=":", color="0.3", label="alpha")
        right.set(xlabel="estimate of alpha", ylabel="density", title="100 stable values")

    columns = ("data", "alpha", "error", "formula or truth")
    return Evidence(stated, corrected, [Table("Estimates", columns, tuple(rows))], figure, panels=2)


# -- the tracker's quantities ----


def _hessian(rng: np.random.Generator, d: int) -> Array:
    """Return a symmetric matrix with eigenvalues even on [0, 1] in random directions."""
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return np.asarray(Q * np.linspace(0.0, 1.0, d) @ Q.T)


@claim(
    "levy.stability-margin",
    "the margin 2/eta - lmax by five power steps",
    formula=r"S = \frac{2}{\eta} - \lambda_{\max}(H)",
    statement="Gradient descent is stable iff S > 0, with lmax from five power iterations.",
    definitions="eta: step, H: Hessian of the whole loss, lmax: its largest eigenvalue.",
    corrected="With lmax by Lanczos' iteration on products with H, and a bound on what it may miss, the sign of S tells growth "
    "from decay wherever the interval of S does not hold 0.",
    corrected_formula=r"\theta \leq \lambda_{\max} \leq \theta + \frac{\epsilon\,(\theta_1 - \theta_m)}{1 - 2\epsilon},\quad "
    r"\epsilon = \left(\frac{\ln(3.3\sqrt{d}/\delta)}{2m - 1}\right)^2",
    rule="Descent on random quadratics, 100 coordinates with eigenvalues even on [0, 1], 400 steps with eta lmax = 1.8 to 2.2: "
    "the share of runs in which S > 0 iff the gradient has decayed, which must be 1, with five power steps. Corrected: with 60 "
    "Lanczos products that share and the share of intervals of 99.9 % that hold lmax at least 0.999; the share where the "
    "interval decides, 1, as its width 0.008 is less than |2/eta - lmax| in all these runs. Scale 1 for shares.",
)
def stability_margin(run: Run) -> Evidence:
    """Compare the sign of S with what descent does.

    A step multiplies the coordinate along the eigenvector l by 1 - eta l, which lies in (-1, 1) iff eta l < 2. After j power
    steps from a random direction the Rayleigh quotient is the mean of l weighted by l^(2j): for eigenvalues even on [0, 1]
    (2j + 1)/(2j + 2), 0.92 for j = 5. The Krylov space of Lanczos' iteration holds all polynomials of degree m - 1 in place
    of the one power; the bound is that of Kuczynski and Wozniakowski for a random start.
    """
    d, problems, steps = 100, run.pick("quadratics", 60, 300), 400
    grid = (1.8, 1.9, 1.95, 1.98, 2.02, 2.05, 2.1, 2.2)
    right: dict[str, list[bool]] = {"power": [], "lanczos": []}
    decided, held, quotients = [], [], []
    for i in range(problems):
        rng = run.generator(i)
        H, x = _hessian(rng, d), rng.standard_normal(d)
        power = diagnostics.power_iteration(H, seed=run.stream(1000 + i))
        lanczos = diagnostics.largest_eigenvalue(H, steps=60, seed=run.stream(1000 + i))
        quotients.append((power.value, lanczos.value, lanczos.interval[1]))
        held.append(lanczos.interval[0] <= 1.0 <= lanczos.interval[1])
        # all steps at once: the gradient after n steps is (1 - eta H)^n H x
        values, vectors = np.linalg.eigh(H)
        first = vectors.T @ (H @ x)
        for eta in grid:
            last = (1.0 - eta * values) ** steps * first
            decays = bool(np.linalg.norm(last) < np.linalg.norm(first))
            right["power"].append((diagnostics.stability_margin(eta, power).value > 0.0) == decays)
            says = diagnostics.stability_margin(eta, lanczos).stable
            decided.append(says is not None)
            if says is not None:
                right["lanczos"].append(says == decays)
    shares = {name: _share(np.array(values)) for name, values in right.items()}
    count = problems * len(grid)
    value, error = shares["power"]
    stated = [Test("share right, five power steps", value, 1.0, error)]
    sure, kept = shares["lanczos"], _share(np.array(held))
    corrected = [
        Test("share right, Lanczos", sure[0], 0.999, sure[1], "at least", 1.0),
        Test("share decided by the interval", float(np.mean(decided)), 1.0),
        Test("share of intervals that hold lmax", kept[0], 0.999, kept[1], "at least", 1.0),
    ]
    found = np.array(quotients)
    rows = (
        ("five power steps", float(found[:, 0].mean()), float(found[:, 0].std()), shares["power"][0]),
        ("60 Lanczos products", float(found[:, 1].mean()), float(found[:, 1].std()), shares["lanczos"][0]),
        ("upper end of its interval", float(found[:, 2].mean()), float(found[:, 2].std()), ""),
        (f"runs: {count}", "", "", ""),
    )

    def figure(ax: Axes) -> None:
        H = _hessian(run.generator(0), d)
        counts = np.arange(2, 61, 2)
        power = [diagnostics.power_iteration(H, steps=int(m), seed=run.stream(1000)).value for m in counts]
        lanczos = [diagnostics.largest_eigenvalue(H, steps=int(m), seed=run.stream(1000)) for m in counts]
        ax.plot(counts + 1, power, "s", ms=4, label="power iteration")
        ax.plot(counts, [e.value for e in lanczos], "o", ms=4, label="Lanczos")
        upper = np.array([e.interval[1] for e in lanczos])
        ax.plot(counts, np.where(upper < 1.3, upper, np.nan), color="C1", label="upper bound, 99.9 %")
        ax.axhline(1.0, ls=":", color="0.3", label="lmax")
        ax.axvline(6, ls="--", lw=0.8, color="0.5", label="five steps, as stated")
        ax.set(xlabel="products with the Hessian", ylabel="estimate of lmax", ylim=(0.7, 1.3), title="100 coordinates")

    columns = ("method", "lmax (exact: 1)", "deviation", "share right")
    return Evidence(stated, corrected, [Table("Margins", columns, rows)], figure)


class _Network:
    """A network of two layers with tanh units: outputs and their derivatives by all parameters."""

    def __init__(self, rng: np.random.Generator, inputs: Array, width: int) -> None:
        self.inputs, self.width = inputs, width
        self.W = rng.standard_normal((width, inputs.shape[1]))
        self.a = rng.standard_normal(width)

    def jacobian(self) -> tuple[Array, Array]:
        """Return outputs (m,) and the Jacobian (m, parameters) of ``sum_j a_j tanh(w_j.x)/sqrt(width)``."""
        hidden = np.tanh(self.inputs @ self.W.T)
        slope = self.a * (1.0 - hidden**2)
        J = np.concatenate([hidden, (slope[:, :, None] * self.inputs[:, None, :]).reshape(len(hidden), -1)], axis=1)
        return hidden @ self.a / math.sqrt(self.width), J / math.sqrt(self.width)

    def move(self, step: Array) -> None:
        """Add ``step`` to the parameters."""
        self.a = self.a + step[: self.width]
        self.W = self.W + step[self.width :].reshape(self.W.shape)


@claim(
    "levy.metric-rate",
    "ln det G tells feature change",
    formula=r"\rho = \ln\,\det G,\quad G = J J^T,\quad |\Delta\rho| > \tau = 0.5",
    statement="The rate of rho = ln det G, G the empirical tangent kernel, tells when features change: critical above 0.5 "
    "per step, otherwise lazy.",
    definitions="J: derivatives of up to 32 outputs by the parameters; eigenvalues of G above 1e-6 count.",
    corrected="rho changes by 2 m ln c for outputs in another unit, by 13.8 when an eigenvalue crosses the cut, not at all when "
    "a kernel turns. The distance of kernels, sqrt(sum ln(l_i)^2) with l_i the eigenvalues of G_1^-1 G_2 and their mean taken "
    "out, is 0 iff they are proportional; |change of rho| <= sqrt(m) distance (mean left in).",
    corrected_formula=r"\Delta\rho = \sum_i \ln l_i,\quad \delta^2 = \sum_i (\ln l_i - \overline{\ln l})^2",
    rule="Seven pairs of kernels: whether |rate| > 0.5 agrees with whether the kernels, as G/|G|, differ by more than 5 %: "
    "share 1. Corrected: change of rho against sum ln l_i for a tanh network in training; |change of rho| at most sqrt(m) times "
    "the distance; the scale-free distance 0 for outputs in another unit, and above 0.05 in the pairs that differ. Logarithms "
    "have the scale 1; all errors are of rounding, that of ln l_i m^2 eps times the condition of the kernel.",
)
def metric_rate(run: Run) -> Evidence:
    """Follow rho and the distance of kernels through changes that are, and are not, changes of features.

    det(G_1^-1 G_2) is the product of the l_i, so that rho changes by the sum of their logarithms; by Cauchy and Schwarz that
    is at most sqrt(m) times the root of the sum of squares. Outputs cf have the kernel c^2 G: every ln l_i is 2 ln c. A
    rotation of G leaves det G. A linear model has a constant J. All exact: no statistical error.
    """
    rng, m = run.generator(0), 16
    inputs = rng.standard_normal((m, 6))
    net = _Network(rng, inputs, 64)
    f, J = net.jacobian()
    target = np.sign(inputs[:, 0] * inputs[:, 1])
    stretched = np.diag(np.concatenate([np.full(m // 2, 3.0), np.full(m // 2, 1.0 / 3.0)]))
    small = np.diag(np.concatenate([np.ones(m - 1), [1.05e-3]]))
    below = np.diag(np.concatenate([np.ones(m - 1), [0.95e-3]]))
    trained = [J]
    for _ in range(run.pick("steps of descent", 60, 400)):
        net.move(0.3 * J.T @ (target - f) / m * 4.0)
        f, J = net.jacobian()
        trained.append(J)
    wide = _Network(rng, inputs, 4000)
    g, K = wide.jacobian()
    wide.move(0.05 * K.T @ (target - g) / m)
    pairs = {
        "linear model, a step": (inputs, inputs),
        "outputs in another unit": (trained[0], 2.0 * trained[0]),
        "outputs 2 % larger": (trained[0], 1.02 * trained[0]),
        "kernel turned": (stretched, stretched[::-1, ::-1]),
        "an eigenvalue crosses the cut": (small, below),
        "network of width 64, trained": (trained[0], trained[-1]),
        "network of width 4000, a step": (K, wide.jacobian()[1]),
    }
    agree, corrected, rows = [], [], []
    for name, (before, after) in pairs.items():
        rate = diagnostics.metric_rate(diagnostics.tangent_kernel(before), diagnostics.tangent_kernel(after))
        shapes = [A @ A.T / np.linalg.norm(A @ A.T) for A in (before, after)]
        change = float(np.linalg.norm(shapes[1] - shapes[0]))
        agree.append(rate.critical == (change > 0.05))
        free = before.shape[1] >= m  # of rank m: the distance exists
        distance = diagnostics.kernel_distance(before, after, scale_free=True) if free else 0.0
        rows.append((name, rate.value, "yes" if rate.critical else "no", change, distance if free else "rank below m"))
        if name in ("outputs in another unit", "outputs 2 % larger"):
            corrected.append(Test(f"scale-free distance, {name}", distance, 0.0, scale=1.0, numerical=1e-9))
        elif free and change > 0.05:
            corrected.append(Test(f"scale-free distance, {name}", distance, 0.05, relation="at least"))
    rhos, distances = [], []
    for J in trained:
        kernel = diagnostics.tangent_kernel(J)
        rhos.append(kernel.log_det)
        distances.append(diagnostics.kernel_distance(trained[0], J))
    moved = np.array(rhos) - rhos[0]
    first = trained[0] @ trained[0].T
    factors = np.linalg.eigvals(np.linalg.solve(first, trained[-1] @ trained[-1].T)).real
    rounding = m**2 * float(np.finfo(float).eps * np.linalg.cond(first))
    gap = float(moved[-1] - np.log(factors).sum())
    corrected.append(Test("change of rho less sum of ln l_i", gap, 0.0, scale=1.0, numerical=rounding))
    excess = float((np.abs(moved) - math.sqrt(m) * np.array(distances))[1:].max())
    corrected.append(Test("|change of rho| less sqrt(m) distance", excess, 0.0, 0.0, "at most", 1.0, numerical=1e-9))
    stated = [Test("share of pairs in which rate and kernel agree", float(np.mean(agree)), 1.0)]

    def figure(axes: Any) -> None:
        left, right = axes
        left.plot(moved, label="change of rho")
        left.plot(distances, label="distance of kernels")
        left.set(xlabel="step of descent", title="A tanh network learns x_1 x_2")
        right.axvspan(-0.5, 0.5, color="0.9", label="lazy, as stated")
        for i, row in enumerate(rows):
            right.plot(
                max(-20.0, min(20.0, row[1])),
                i,
                "o" if row[3] > 0.05 else "x",
                color="C3" if not agree[i] else "C0",
                ms=8,
            )
        right.plot([], [], "o", color="0.3", label="kernel changed")
        right.plot([], [], "x", color="0.3", label="kernel the same")
        right.plot([], [], "s", color="C3", label="the rate is wrong")
        right.set(yticks=range(len(rows)), yticklabels=[r[0] for r in rows], xlabel="change of rho", ylim=(6.5, -0.5))

    columns = ("pair of kernels", "change of rho", "critical", "change of G/|G|", "scale-free distance")
    return Evidence(stated, corrected, [Table("Kernels", columns, tuple(rows))], figure, panels=2)


_CONDITIONS = ("C_a", "S", "rate", "all three")


def _descents(rng: np.random.Generator, runs: int, steps: int, eta: float, noise: float) -> tuple[Array, Array, Array]:
    """Return a, b and the norm of the noisy gradient, each (100 + steps, runs), of descents on (ab - 1)^2/2 from ab < 0.

    The first 100 gradients are taken at the start, to fill a window. Runs that leave |x| < 10 are left out.
    """
    x, norms = np.empty((100 + steps, 2, runs)), np.empty((100 + steps, runs))
    now = (0.3 + rng.random((2, runs))) * np.array([[1.0], [-0.3]])
    for i in range(100 + steps):
        g = (now[0] * now[1] - 1.0) * now[::-1] + noise * rng.standard_normal((2, runs))
        x[i], norms[i] = now, np.hypot(*g)
        if i >= 99:
            now = np.clip(now - eta * g, -100.0, 100.0)
    bounded = np.abs(x).max(axis=(0, 1)) < 10.0
    return x[:, 0, bounded], x[:, 1, bounded], norms[:, bounded]


@claim(
    "levy.criticality",
    "three critical conditions at once",
    formula=r"C_{\alpha} \in [0.8, 1.2],\quad S \in [-0.1, 0.1],\quad |\dot\rho| > \tau",
    statement="Generalisation jumps when C_a lies in [.8, 1.2], S in [-.1, .1] and the rate of rho exceeds tau = .5, together.",
    definitions="C_a = |g|^2/(2 D_a d), D_a = (sigma_a/|g|)^alpha from the last 100 gradient norms, alpha by Hill on the "
    "largest tenth, cut to [1.1, 1.9]; S = 2/eta - lmax; rho = ln det of the tangent kernel. A jump: accuracy up by more than "
    ".05 within 10 steps.",
    corrected="C_a and S have units: the same run with its loss in another unit meets other conditions. (|g|/sigma_a)^alpha and "
    "eta S are the same in every unit, and so is the rate. As written C_a divides by the length of the window in place of d. "
    "Whether they mark jumps in networks is for runs of networks to say.",
    corrected_formula=r"D_{\alpha}^{-1},\quad \eta S = 2 - \eta\lambda_{\max},\quad \dot\rho",
    rule="Noisy descents on (ab - 1)^2/2, the network x -> abx, from ab < 0, far from the edge (eta = 0.1) and at it "
    "(eta = 1, where S = 0 at the balanced minimum; runs that stay bounded), after 100 gradients at the start: the sign of ab, "
    "and with it the accuracy, jumps. Share of jumps with a critical step within 10 steps, which must be 1. The same runs in the "
    "units L and 4L (step eta/4): share of steps with the same conditions, 1. C_a by the window's length over C_a by d, ratio 1. "
    "Corrected: the largest relative difference between units of D_a^-1, eta S and the rate, 0; eta S of the tracker less that "
    "by the eigenvalues of the 2 x 2 Hessian, 0; scale 1 for these numbers without a unit, errors of rounding.",
)
def criticality(run: Run) -> Evidence:
    """Follow the rules through runs where every quantity is known.

    The loss (ab - 1)^2/2 has the gradient (ab - 1)(b, a), the Hessian ((b^2, 2ab - 1), (2ab - 1, a^2)) and the tangent
    kernel a^2 + b^2 of its one output. With the loss cL the step is eta/c, the iterates are the same; |g|, sigma_a and lmax are
    multiplied by c, so C_a by c^2 and S by c, while D_a, eta S and rho stay. Accuracy is the share of inputs with noise of
    standard deviation 0.2 in the output whose sign is right, Phi(ab/0.2).
    """
    from scipy.special import ndtr

    runs, steps, units = run.pick("runs", 25, 150), 240, (1.0, 4.0)
    near_jump, ratios, same, drawn, worst, exact = [], [], [], [], 0.0, 0.0
    rows: list[tuple[Any, ...]] = []
    for k, eta in enumerate((0.1, 1.0)):
        paths = _descents(run.generator(k), runs, steps, eta, 0.05)
        flags = []
        for r in range(paths[0].shape[1]):
            a, b, norms = (path[:, r] for path in paths)
            accuracy = ndtr((a * b)[99:] / 0.2)
            trackers = [diagnostics.CriticalityTracker(eta / c, dim=2.0) for c in units]
            written = diagnostics.CriticalityTracker(eta)
            seen = []
            for p, q, g in zip(a.tolist(), b.tolist(), norms.tolist(), strict=True):
                half, other = 0.5 * (p * p + q * q), 2.0 * p * q - 1.0
                lmax, rho = half + math.hypot(0.5 * (p * p - q * q), other), math.log(2.0 * half)
                states = [t.update(c * g, c * lmax, rho) for c, t in zip(units, trackers, strict=True)]
                first, second = states
                seen.append(states)
                plain = written.update(g, lmax, rho)
                if not math.isnan(first.C):
                    ratios.append(plain.C / first.C)
                    inverse = [s.C / (c * g) ** 2 for c, s in zip(units, states, strict=True)]  # 1/(2 D_a d)
                    changes = inverse[1] / inverse[0] - 1.0, (second.S / 4.0 - first.S) * eta, second.rate - first.rate
                    worst = max(worst, *map(abs, changes))
                    largest = float(np.linalg.eigvalsh([[q * q, other], [other, p * p]])[1])
                    exact = max(exact, eta * abs(first.S - (2.0 / eta - largest)))
            seen = seen[99:]
            same.append(np.mean([s[0].conditions == s[1].conditions for s in seen]))
            critical = np.array([s[0].critical for s in seen])
            flags.append([np.mean([s[0].conditions[j] for s in seen]) for j in range(3)] + [critical.mean()])
            jumps = np.flatnonzero(accuracy[10:] - accuracy[:-10] > 0.05)
            if len(jumps):
                near_jump.append(bool(critical[max(0, jumps[0] - 10) : jumps[0] + 21].any()))
            if r == 0:
                drawn.append((eta, accuracy, [s[0].phi for s in seen]))
        rows += [
            (eta, f"share of steps with {n} in its band", v)
            for n, v in zip(_CONDITIONS, np.mean(flags, axis=0), strict=True)
        ]
    part, error = _share(np.array(near_jump))
    agreed, spread = mean(np.array(same))
    stated = [
        Test("share of jumps with a critical step nearby", part, 1.0, error),
        Test("share of steps with the same conditions in L and 4L", agreed, 1.0, spread),
        Test("C_a by the window over C_a by d = 2", float(np.mean(ratios)), 1.0, numerical=1e-9),
    ]
    corrected = [
        Test("D_a^-1, eta S, rate: largest difference of units", worst, 0.0, scale=1.0, numerical=1e-9),
        Test("eta S of the tracker less that of the Hessian", exact, 0.0, scale=1.0, numerical=1e-9),
    ]
    rows += [
        ("both", "bounded runs", len(same) / (2 * runs)),
        ("both", "of these with a jump", len(near_jump) / len(same)),
        ("both", "jumps with a critical step nearby", part),
        ("both", "same conditions in L and 4L", agreed),
    ]

    def figure(axes: Any) -> None:
        left, right = axes
        for i, (eta, accuracy, phi) in enumerate(drawn):
            left.plot(accuracy, color=f"C{i}", label=f"accuracy, eta = {eta:g}")
            left.plot(phi, ":", color=f"C{i}", label=f"Phi, eta = {eta:g}")
            shares = [row[2] for row in rows[4 * i : 4 * i + 4]]
            right.bar(np.arange(4) + 0.4 * i - 0.2, shares, 0.4, color=f"C{i}", label=f"eta = {eta:g}")
        left.set(xlabel="step", title="Two runs", ylim=(-0.05, 1.05))
        right.set(xticks=range(4), xticklabels=_CONDITIONS, ylabel="share of steps", title="Conditions that hold")

    columns = ("step", "quantity", "value")
    return Evidence(stated, corrected, [Table("Toy runs", columns, tuple(rows))], figure, panels=2)


# -- the tracker on networks that grok ----

_UNITS = 2.0 ** np.arange(-10.0, 30.25, 0.25)  # of the loss; a step is less than the width of the band of C_a
_RATE = 0.0015  # of critical steps, in the middle of what the document reports
_CHANCE = 1.0 - (1.0 - _RATE) ** 41  # of a critical step at one of 41 lags, then


def _best_units(scores: Array) -> Array:
    """Return, for each run, the unit with the best mean score of all other runs, 1 where none is better than it.

    Scores have a row for each run and a column for each unit.
    """
    others = scores.sum(axis=0) - scores
    own = int(np.argmin(np.abs(_UNITS - 1.0)))
    best = np.argmax(others, axis=1)
    rows = np.arange(len(others))
    return np.asarray(_UNITS[np.where(others[rows, best] > others[:, own], best, own)])


@claim(
    "levy.precursor",
    "critical steps precede jumps",
    runs="grokking",
    formula=r"P(\mathrm{critical\ step\ at\ a\ lag\ in}\ [10, 50] \mid \mathrm{jump}) > 0.7",
    statement="A step at which the tracker is critical precedes a jump of the accuracy by 10 to 50 steps with probability "
    "above 0.7.",
    definitions="Jump: the test accuracy rises by more than 5 % within 10 steps; jumps do not overlap. Critical: C_a, S and "
    "the rate of the metric in their bands at once (levy.criticality), at any step; d is the number of parameters, the "
    "kernel has 32 outputs. Runs that grok, as in shld.grokking.",
    rule="A run is the unit; runs without a jump are left out. Share of jumps with a critical step at a lag of 10 to 50, at "
    "least 0.7: 0 where no step is ever critical, which fails. C_a depends on the unit of the loss, so a second test has, "
    "for each run, the unit that is best for the other runs, between 2^-10 and 2^30; there a signal may be on all the time: "
    "the share beyond chance, (share - null)/(1 - null), null by shifts of the signal around the run, must be at least what "
    "0.7 means with critical steps as rare as reported, 0.0015 a step: (0.7 - 0.06)/(1 - 0.06). Scale 1. Standard errors "
    "between runs, never below 1/runs; so 8 runs with jumps decide against a share of 0, and 13 for one of 1; 10 are made, "
    "or 16.",
    source=SOURCES["levy"],
)
def precursor(run: Run) -> Evidence:
    """Count the jumps that a critical step precedes, in the unit of the loss and in the best one."""
    found, _ = grokking_runs(run)
    jumped = [one for one in found if len(one.jumps)]
    draws = run.pick("shifts", 200, 1000)
    held = [[one.conditions_in(float(c)).all(axis=1) for c in _UNITS] for one in jumped]
    scores = np.array(
        [
            [_measured(one, critical, 20, 0).beyond_chance if critical.any() else 0.0 for critical in by_unit]
            for one, by_unit in zip(jumped, held, strict=True)
        ]
    )
    own, best, rows = [], [], []
    for i, (one, unit) in enumerate(zip(jumped, _best_units(scores), strict=True)):
        plain = _measured(one, one.conditions.all(axis=1), draws, run.stream(2 * i))
        tuned = _measured(one, one.conditions_in(float(unit)).all(axis=1), draws, run.stream(2 * i + 1))
        own.append(plain)
        best.append(tuned)
        rows.append(
            (one.seed, len(one.jumps), plain.share, *plain.interval, plain.p_value, float(np.log2(unit)))
            + (tuned.share, tuned.expected, tuned.p_value)
        )
    share, error = mean_share(np.array([f.share for f in own]))
    beyond, spread = mean_share(np.array([f.beyond_chance for f in best]))
    stated = [
        Test("share of jumps preceded", share, 0.7, error, "at least", scale=1.0),
        Test(
            "share beyond chance, best unit", beyond, (0.7 - _CHANCE) / (1.0 - _CHANCE), spread, "at least", scale=1.0
        ),
    ]

    def figure(axes: Any) -> None:
        left, right = axes
        one = jumped[0]
        every = np.arange(len(one.phi))
        left.plot(one.steps, one.test_accuracy, color="C0", label="share of the tests right")
        left.plot(every, one.phi / np.nanmax(one.phi), color="C1", lw=1, label="Phi over its largest value")
        for step in one.jumps:
            left.axvline(step, ls=":", lw=1, color="0.5")
        left.set(xlabel="step", title="A run and its jumps", ylim=(-0.05, 1.4))
        right.plot(np.log2(_UNITS), scores.mean(axis=0), color="C0", label="beyond chance")
        right.axhline(stated[1].bound, ls="--", color="C1", label="as stated")
        right.axvline(0.0, ls=":", color="0.5")
        right.set(
            xlabel="log2 of the unit of the loss", ylabel="share of jumps", title="Jumps preceded", ylim=(-0.3, 1.0)
        )

    columns = (
        *("seed", "jumps", "preceded", "low", "high", "p-value", "log2 of the best unit"),
        *("preceded, best unit", "by shifts", "p-value, best unit"),
    )
    return Evidence(stated, tables=[Table("Runs with jumps", columns, tuple(rows))], figure=figure, panels=2)


def _measured(one: Grokking, critical: Any, draws: int, seed: Any) -> diagnostics.Precursors:
    """Return the share of the jumps of a run that critical steps precede."""
    return diagnostics.precursors(
        np.flatnonzero(critical), one.jumps, (0, len(critical) - 1), lags=(10, 50), draws=draws, seed=seed
    )


@claim(
    "levy.rare-alignment",
    "critical steps are rare",
    runs="grokking",
    formula=r"P_{C S r} = 0.001\ldots 0.002,\quad \frac{1}{3} \leq P_{C S r}/(P_C P_S P_r) \leq 3",
    statement="The three conditions hold together at 0.001 to 0.002 of all steps, within a factor of three of the product "
    "of the probabilities of each.",
    definitions="Conditions: C_a in [.8, 1.2], S in [-.1, .1], |rate| > .5, at each step of runs that grok, as in "
    "levy.precursor. P: share of steps.",
    rule="A run is the unit. In the unit of the loss: the joint share at least 0.001 and at most 0.002; its standard error "
    "is that between runs, never below one window of the tracker in all of them, so that a share of 0 leaves these two "
    "undecided. What happens at one step in a thousand must be within reach: the nearest approach of C_a to 1 in a run, "
    "|log10 C_a|, mean over runs, at most log10 1.25, the edge of the band (scale 1). The statement names no unit: the "
    "joint share in the unit that makes it largest in the other runs, at most 0.002. There, if the product is not 0, |log10 "
    "of joint/product| of all runs together, jackknife over runs, at most log10 3 (scale 1).",
    source=SOURCES["levy"],
)
def rare_alignment(run: Run) -> Evidence:
    """Count steps at which the conditions hold, each and together, in the unit of the loss and in the one that favours them."""
    found, _ = grokking_runs(run)
    held = np.array([[one.conditions_in(float(c)).all(axis=1).mean() for c in _UNITS] for one in found])
    one_window = 1.0 / sum(len(one.norms) / 100.0 for one in found)
    plain = np.array([one.conditions.all(axis=1).mean() for one in found])
    tuned = np.array(
        [one.conditions_in(float(c)).all(axis=1).mean() for one, c in zip(found, _best_units(held), strict=True)]
    )
    shares = [(value, max(error, one_window)) for value, error in (mean(plain), mean(tuned))]
    nearest = np.array([np.nanmin(np.abs(np.log10(one.C_a))) for one in found])
    near, spread = mean(nearest)
    stated = [
        Test("nearest approach of C_a to 1, decades", near, math.log10(1.25), spread, "at most", scale=1.0),
        Test("joint share, lower end", shares[0][0], 0.001, shares[0][1], "at least"),
        Test("joint share, upper end", shares[0][0], 0.002, shares[0][1], "at most"),
        Test("joint share, best unit", shares[1][0], 0.002, shares[1][1], "at most"),
    ]
    rows = []
    best = float(_best_units(np.vstack([held, np.zeros(len(_UNITS))]))[-1])  # for a run more: that of all of these
    for name, unit in (("of the loss", 1.0), ("best", best)):
        conditions = [one.conditions_in(unit) for one in found]
        whole = diagnostics.alignment(conditions, draws=1000, seed=run.stream(0))
        rows.append(
            (
                name,
                math.log2(unit),
                *whole.marginals,
                whole.joint,
                *whole.joint_interval,
                whole.product,
                whole.ratio if whole.product > 0.0 else "none",
            )
        )
    if whole.joint > 0.0 and whole.product > 0.0:
        left_out = [
            diagnostics.alignment(conditions[:i] + conditions[i + 1 :], draws=10).ratio for i in range(len(conditions))
        ]
        logs, n = np.log10(np.maximum(np.nan_to_num(left_out), 1e-9)), len(conditions)
        error = math.sqrt((n - 1) / n * float(((logs - logs.mean()) ** 2).sum()))
        label = "|log10 of joint/product|, best unit"
        stated.append(Test(label, abs(math.log10(whole.ratio)), math.log10(3.0), error, "at most", scale=1.0))

    def figure(axes: Any) -> None:
        left, right = axes
        for i, one in enumerate(found):
            left.plot(np.log10(one.C_a), lw=1, color="C0", label="log10 C_a, all runs" if i == 0 else "")
        left.axhspan(math.log10(0.8), math.log10(1.2), color="C1", label="band")
        left.set(xlabel="step", ylabel="log10 C_a", title="In the unit of the loss")
        for j, name in enumerate(_CONDITIONS[:3]):
            marginal = [np.mean([one.conditions_in(float(c))[:, j].mean() for one in found]) for c in _UNITS]
            right.plot(np.log2(_UNITS), marginal, lw=1, color=f"C{j + 1}", label=name)
        right.plot(np.log2(_UNITS), held.mean(axis=0), color="C0", label="all three")
        right.axhspan(0.001, 0.002, color="0.7", label="as stated")
        right.set(yscale="log", ylim=(1e-6, 1.5), xlabel="log2 of the unit of the loss", ylabel="share of steps")
        right.set_title("Conditions that hold")

    columns = ("unit", "log2", "P_C", "P_S", "P_rate", "joint", "low", "high", "product", "ratio")
    return Evidence(stated, tables=[Table("Shares of steps", columns, tuple(rows))], figure=figure, panels=2)


@claim(
    "levy.tail-drop",
    "the tail index drops in critical windows",
    runs="grokking",
    formula=r"\hat\alpha_{\mathrm{elsewhere}} - \hat\alpha_{\mathrm{critical}} = 0.1\ldots 0.3",
    statement="In critical windows the tail index of the gradient norms drops by 0.1 to 0.3.",
    definitions="Index: Hill's, of the largest 10 of the last 100 norms, cut to [1.1, 1.9], as the tracker has it. Critical "
    "windows: those that end at the twentieth of the steps of a run with the largest Phi, the document's own measure of how "
    "near a step is to criticality.",
    corrected="One window cannot tell. From a power law Hill's estimate is 20 alpha/chi^2_20; a fall of the index from 1.5 "
    "by 0.1, 0.2, 0.3 makes it fall with probability 0.56, 0.62, 0.69 (0.5 by chance), and five standard errors take 1104, "
    "257, 106 pairs of independent windows.",
    corrected_formula=r"P(\hat\alpha_2 < \hat\alpha_1) = F_{20,20}(\alpha_1/\alpha_2),\quad "
    r"\mathrm{sd}\,\ln(\hat\alpha_1/\hat\alpha_2) = \sqrt{2\psi'(10)}",
    rule="Mean index at the steps with a full window of 100, elsewhere less in critical windows, a run the unit: at least "
    "0.1 (rival: 0, no drop) and at most 0.3. Corrected: windows of 100 Pareto numbers with index 1.5, then 1.5, 1.4, 1.3, "
    "1.2: share of pairs in which Hill's estimate falls (scale 1), standard deviation of the logarithm of their ratio, and "
    "its mean (scale 1, a logarithm), against the formulas.",
    source=SOURCES["levy"],
)
def tail_drop(run: Run) -> Evidence:
    """Compare the tracker's index in and out of critical windows, then ask what Hill's estimate could show.

    Above x_(k+1) the logarithms ln(x_(i)/x_(k+1)) of a power law are k ordered exponential times of rate alpha, so that the
    estimate is 2k alpha/chi^2 with 2k degrees of freedom. The ratio of two of them is alpha_2/alpha_1 times an F variable with 2k
    and 2k degrees, whose distribution function at alpha_1/alpha_2 is the probability of a fall; ln chi^2_2k has the variance
    psi'(k) = 0.105 at k = 10: against 0.07 to 0.22 in ln alpha a scatter of 0.46 for a pair.
    """
    found, _ = grokking_runs(run)
    drops, rows, drawn = [], [], []
    for one in found:
        full = np.arange(len(one.phi)) >= 99
        known = full & ~np.isnan(one.phi)
        order = np.flatnonzero(known)[np.argsort(one.phi[known], kind="stable")]
        near = np.zeros_like(known)
        near[order[-(len(order) // 20) :]] = True
        rest = known & ~near
        drops.append(float(one.alpha[rest].mean() - one.alpha[near].mean()))
        uncut = float(one.alpha_hill[rest].mean()), float(one.alpha_hill[near].mean())
        noise = np.interp(np.flatnonzero(near), one.at, one.alpha_noise).mean()
        rows.append(
            (one.seed, int(near.sum()), float(one.alpha[rest].mean()), float(one.alpha[near].mean()), *uncut)
            + (float(one.alpha_noise.mean()), float(noise))
        )
        drawn.append(one.alpha_hill)
    drop, error = mean(np.array(drops))
    stated = [
        Test("drop of the index, lower end", drop, 0.1, error, "at least", rival=0.0),
        Test("drop of the index, upper end", drop, 0.3, error, "at most"),
    ]
    # a share needs (5 * 0.5/0.1)^2 = 625 pairs, a standard deviation of 0.46 to a tenth 1250
    n, first, corrected, second = run.pick("pairs of windows", 2500, 25_000), 1.5, [], []
    for i, after in enumerate((1.5, 1.4, 1.3, 1.2)):
        rng = run.generator(i + 1)
        pairs = [rng.random((n, 100)) ** (-1.0 / alpha) for alpha in (first, after)]
        a, b = (np.array([diagnostics.hill(window).alpha for window in windows]) for windows in pairs)
        fell, spread = _share(b < a)
        logs = np.log(a / b)
        exact, wide = theory.hill_fall_probability(first, after), math.sqrt(2.0) * theory.hill_log_spread()
        deviation = float(logs.std(ddof=1))
        label = f"1.5 to {after:g}"
        # the kurtosis of the logarithm is near that of a normal number: 2 (1 + 1/10), rounded up
        corrected += [
            Test(f"share of pairs that fall, {label}", fell, exact, spread, scale=1.0),
            Test(f"scatter of ln of the ratio, {label}", deviation, wide, deviation * math.sqrt(1.25 / (2 * n))),
            Test(f"mean of ln of the ratio, {label}", *_mean_and(logs, math.log(first / after)), scale=1.0),
        ]
        cut = float(np.mean((a > 1.9) & (b > 1.9)))
        needed = (5.0 * wide / math.log(first / after)) ** 2 if after < first else "none"
        second.append((after, fell, exact, deviation, wide, needed, cut))

    def figure(axes: Any) -> None:
        left, right = axes
        for i, values in enumerate(drawn):
            left.plot(values, lw=1, color="C0", label="Hill, uncut, all runs" if i == 0 else "")
        left.axhspan(1.1, 1.9, color="C1", alpha=0.4, label="what the tracker lets through")
        left.set(yscale="log", ylim=(1.0, 400.0), xlabel="step", ylabel="index", title="Gradient norms, windows of 100")
        grid = np.linspace(0.0, 0.5, 51)
        right.plot(grid, [theory.hill_fall_probability(1.5, 1.5 - d) for d in grid], color="C0", label="F law")
        right.plot([1.5 - row[0] for row in second], [row[1] for row in second], "ok", ms=5, label="Pareto numbers")
        right.axvspan(0.1, 0.3, color="0.85", label="drops as stated")
        right.set(xlabel="drop of the index from 1.5", ylabel="share of windows whose estimate falls", ylim=(0.4, 1.0))
        right.set_title("What one window can tell")

    columns = (
        *("seed", "steps in critical windows", "elsewhere", "critical", "elsewhere, uncut", "critical, uncut"),
        *("noise, all", "noise, critical"),
    )
    tables = [
        Table("Index along the runs", columns, tuple(rows)),
        Table(
            "What Hill's estimate can tell",
            ("to", "fell", "F law", "scatter", "formula", "pairs for 5 errors", "both cut to 1.9"),
            tuple(second),
        ),
    ]
    return Evidence(stated, corrected, tables, figure, panels=2)


def _mean_and(values: Array, bound: float) -> tuple[float, float, float]:
    """Return mean, bound and standard error, as `Test` takes them."""
    value, error = mean(values)
    return value, bound, error


# -- curvature ----


def _still(x: float, y: float, p: Any) -> tuple[float, float]:
    return 0.0, 0.0


def _frozen(x: float, y: float, p: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    """Square root of the inverse metric of the Poincare disc, times ``p[0] = sqrt(2D) k/2``."""
    b = p[0] * (1.0 - x * x - y * y)
    return (b, 0.0), (0.0, b)


def _stable_exits(stream: np.random.SeedSequence, k: float, r: float, alpha: float, dt: float, n: int) -> Array:
    """Return times at which jumps with a frozen metric leave the geodesic disc of radius r; unit noise scale."""
    x, square, times, running, t = np.zeros((n, 2)), np.zeros(n), np.empty(n), np.arange(n), 0.0
    edge, free = math.tanh(0.5 * k * r) ** 2, LevyFlight(STILL, alpha, 1.0)
    settings: dict[str, Any] = {"scheme": "euler", "save_every": 1}
    seeds = (child(stream, i) for i in itertools.count())
    while len(running):
        steps = min(64, 1 + 200_000 // len(running))
        L = simulate(free, [0.0, 0.0], 1.0, n_steps=steps, n_paths=len(running), seed=next(seeds), **settings)
        jumps, places = 0.5 * k * dt ** (1.0 / alpha) * np.diff(L.x, axis=0), np.arange(len(running))
        for each in jumps:
            t += dt
            x = x + (1.0 - square)[:, None] * each[places]
            square = np.einsum("ij,ij->i", x, x)
            out = square >= edge
            if out.any():
                times[running[out]] = t
                x, square, running, places = x[~out], square[~out], running[~out], places[~out]
    return times


@claim(
    "levy.curvature",
    "escape in negative curvature",
    formula=r"1/T \sim e^{\sqrt{|R|}}",
    statement="Where the curvature R is negative the rate of escape grows as exp(sqrt|R|).",
    definitions="T: mean time to leave a geodesic disc of radius r from its centre. On a surface of Gaussian curvature -k^2 the "
    "scalar curvature is R = -2k^2: sqrt|R| is proportional to k.",
    corrected="On the hyperbolic plane T = (2/(D k^2)) ln cosh(kr/2): the rate is 4D/r^2 for small k and D k/r for large k, "
    "linear in sqrt|R|. Jumps with a frozen metric leave at a rate that grows no faster than k^alpha.",
    corrected_formula=r"T = \frac{2}{D k^2}\ln\,\cosh\frac{k r}{2}",
    rule="Brownian motion with a frozen metric in the Poincare disc, r = 1, k = 2, 11, 20, a decade and its middle: the second "
    "difference of ln(1/T), which is 0 for A exp(ck) with any A and c; the same for stable jumps, alpha = 1.5; scale 1, a "
    "logarithm. Corrected: T over the formula for k = 1, 2, 11, 20, two steps, 2 D k^2 dt = 0.08 and 0.02, of which the term "
    "linear in dt is extrapolated away; d ln(1/T)/d ln k of stable jumps from 2 to 11 and from 11 to 20 at most alpha; T at k = "
    "0.1 over Getoor's formula in the plane (error alpha (kr)^2/4 of the frozen metric besides). Numerical errors: what the "
    "extrapolation changes, and for the exponents what the larger step changes.",
)
def curvature(run: Run) -> Evidence:
    r"""Simulate exits from geodesic discs of the Poincare disc.

    In the disc |z| < 1 with ds^2 = 4|dz|^2/(k^2 (1 - |z|^2)^2) the geodesic disc of radius r about 0 is |z| < tanh(kr/2),
    and the Laplace-Beltrami operator is k^2 (1 - |z|^2)^2/4 times the plane one: no drift in the sense of Ito. Along the radius
    D (sinh(k rho) T')'/sinh(k rho) = -1 has T' = -tanh(k rho/2)/(D k); integrate. For jumps sqrt(A) G with the metric of the
    start of the step, time in units of k^-alpha leaves a motion in the unit disc that knows k from its edge alone: T =
    k^-alpha tau(tanh(kr/2)), tau growing with the radius, so that the rate grows no faster than k^alpha.
    """
    r, D, n = 1.0, 1.0, run.pick("exits", 12_000, 60_000)
    stated, corrected = [], []
    rows: list[tuple[Any, ...]] = []
    logs: dict[str, dict[float, tuple[float, float, float]]] = {"Brownian": {}, "stable": {}}
    for i, k in enumerate((1.0, 2.0, 11.0, 20.0)):
        model = Diffusion(_still, _frozen, params=(math.sqrt(2.0 * D) * k / 2.0,), dim=2)
        disc, coarse = Ball((0.0, 0.0), math.tanh(0.5 * k * r)), 0.08 / (2.0 * D * k**2)
        exits = [
            first_passage(model, [0.0, 0.0], disc, dt, n, seed=run.stream(2 * i + j))
            for j, dt in enumerate((coarse, coarse / 4.0))
        ]
        exact = float(theory.geodesic_exit_time(r, -(k**2), D))
        found = (4.0 * exits[1].mean() - exits[0].mean()) / 3.0 / exact
        error = math.hypot(4.0 * exits[1].stderr(), exits[0].stderr()) / 3.0 / exact
        change = abs(found - exits[1].mean() / exact)
        corrected.append(Test(f"T/formula, k = {k:g}", found, 1.0, error, numerical=change))
        rows.append(("Brownian", k, found * exact, error * exact, exact))
        logs["Brownian"][k] = -math.log(found * exact), error / found, change / found
    alpha = 1.5
    counts = run.pick("exits by jumps", 30_000, 100_000), run.pick("exits by jumps in the plane", 20_000, 60_000)
    for i, k in enumerate((0.1, 2.0, 11.0, 20.0)):
        plane = k < 1.0
        # the exit is seen late by about dt^(1/alpha): combine two steps so that this term cancels
        unit = k**-alpha * (math.tanh(0.5 * k * r) if plane else 1.0) ** alpha
        steps = (0.008 * unit, 0.002 * unit) if plane else (0.08 * unit, 0.02 * unit)
        m = counts[int(plane)]
        times = [_stable_exits(run.stream(20 + 2 * i + j), k, r, alpha, dt, m) for j, dt in enumerate(steps)]
        ratio = 4.0 ** (1.0 / alpha)
        (a, ea), (b, eb) = (mean(t) for t in times)
        if plane:
            found, error = (ratio * b - a) / (ratio - 1.0), math.hypot(ratio * eb, ea) / (ratio - 1.0)
            flat = float(theory.getoor_mean_exit_time(0.0, r, alpha, dim=2))
            # noise is weaker by up to (kr/2)^2 than at the centre, times longer by alpha of that
            slip = abs(found - b) / flat + alpha * (0.5 * k * r) ** 2
            corrected.append(Test(f"T of jumps/Getoor, k = {k:g}", found / flat, 1.0, error / flat, numerical=slip))
            rows.append(("jumps, alpha = 1.5", k, found, error, flat))
        else:
            logs["stable"][k] = -math.log(b), eb / b, math.log(a / b)
            rows.append(("jumps, alpha = 1.5", k, b, eb, ""))
    for name, values in logs.items():
        (a, ea, na), (b, eb, nb), (c, ec, nc) = (values[k] for k in (2.0, 11.0, 20.0))
        error = math.sqrt(ea**2 + 4.0 * eb**2 + ec**2)
        bias = na + 2.0 * nb + nc if name == "Brownian" else abs(na - 2.0 * nb + nc)
        stated.append(
            Test(f"second difference of ln(1/T), {name}", a - 2.0 * b + c, 0.0, error, scale=1.0, numerical=bias)
        )
        if name == "stable":
            for (u, eu, nu), (v, ev, nv), first, last in (
                ((a, ea, na), (b, eb, nb), 2.0, 11.0),
                ((b, eb, nb), (c, ec, nc), 11.0, 20.0),
            ):
                span = math.log(last / first)
                slope, spread, bias = (v - u) / span, math.hypot(eu, ev) / span, abs(nv - nu) / span
                label = f"d ln(1/T)/d ln k of jumps, k = {first:g} to {last:g}"
                corrected.append(Test(label, slope, alpha, spread, "at most", numerical=bias))

    def figure(ax: Axes) -> None:
        k = np.linspace(0.05, 21.0, 200)
        ax.plot(k, 1.0 / theory.geodesic_exit_time(r, -(k**2), D), label="exact, Brownian")
        first = math.exp(logs["Brownian"][1.0][0])
        ax.plot(k, first * np.exp(k - 1.0), "--", label="exp(k) through k = 1")
        for name, mark in (("Brownian", "o"), ("stable", "s")):
            where = np.array(list(logs[name]))
            rate, error, _ = np.array(list(logs[name].values())).T
            ax.errorbar(where, np.exp(rate), 5 * error * np.exp(rate), fmt=mark, ms=5, label=f"simulated, {name}")
        ax.set(
            yscale="log", ylim=(1, 100), xlabel="k, curvature -k^2", ylabel="1/T", title="Exit from a disc of radius 1"
        )

    columns = ("noise", "k", "T", "stderr", "formula")
    return Evidence(stated, corrected, [Table("Mean exit times", columns, tuple(rows))], figure)
