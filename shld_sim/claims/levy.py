"""Claims of "Geometric Levy dynamics": stable noise, its tails and exits, curvature, and the rules of its tracker."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import diagnostics, theory
from shld_sim.claims.measure import mean
from shld_sim.claims.measure import share as _share
from shld_sim.claims.registry import Evidence, Run, Table, claim
from shld_sim.claims.rules import Test
from shld_sim.domains import Ball
from shld_sim.models import Diffusion, LevyFlight
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, QuadraticForm, Quartic
from shld_sim.simulate import first_passage, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


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
    "diagonal, both exp(-1); the share of paths beyond 20 sigma against the jump rate (next order of the tail as "
    "numerical error), the share of these within 22.5 degrees of an axis, which must be 1/2. With V = |x|^2/2: E cos at "
    "t = 1 against exp(-(1 - e^-alpha)/alpha), error of the scheme dt^2. Independent components: along the diagonal "
    "exp(-2^(1 - alpha/2)), and jumps along the axes, twice the rate of one.",
)
def sde(run: Run) -> Evidence:
    """Measure characteristic function and large jumps of both kinds of noise in the plane.

    L is sqrt(A) G with A positive alpha/2-stable and G normal: E exp(ik.L) = E exp(-A|k|^2) = exp(-|k|^alpha) in every
    direction. By Levy-Khinchin |k|^alpha = int (1 - cos k.z) nu(dz) with nu = c|z|^-(d + alpha) dz, which scales as it must;
    P(|L_t| > r) -> t nu(|z| > r). Independent coordinates have exp(-sum |k_i|^alpha) and the jump measure of one
    coordinate on each axis, where isotropic noise has no jumps at all. In V = |x|^2/2 the noise of time s is shrunk by
    e^-(t - s), so that the exponent is int_0^t e^-(alpha s) ds.
    """
    n, far = run.pick("paths", 200_000, 2_000_000), 20.0
    tests, rows, drawn = [], [], {}
    still, well = QuadraticForm([1e-12, 1e-12]), QuadraticForm([1.0, 1.0])
    waves = (("axis", np.array([1.0, 0.0])), ("diagonal", np.array([1.0, 1.0]) / math.sqrt(2.0)))
    for i, alpha in enumerate((1.2, 1.5)):
        for j, kind in enumerate(("isotropic", "independent")):
            model = LevyFlight(still, alpha, 1.0, components=kind)
            x = simulate(model, [0.0, 0.0], 1.0, n_steps=1, n_paths=n, seed=run.stream(4 * i + j)).final
            for name, wave in waves:
                found, error = mean(np.cos(x @ wave))
                exact = math.exp(-(1.0 if kind == "isotropic" else float(np.sum(np.abs(wave) ** alpha))))
                label = f"E cos(k.X), {name}, {kind}, alpha = {alpha:g}"
                tests.append(Test(label, found, exact, error, resolution=0.02))
                rows.append((alpha, kind, f"E cos(k.X), {name}", found, error, exact))
            size, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
            beyond, error = _share(size > far)
            rate = float(theory.jump_rate(model, far))
            # the next order of the tail series is smaller by about far^-alpha; two jumps are of the order rate^2
            tests.append(
                Test(
                    f"P(|X| > 20)/jump rate, {kind}, alpha = {alpha:g}",
                    beyond / rate,
                    1.0,
                    error / rate,
                    resolution=0.25,
                    numerical=2.0 * far**-alpha + rate,
                )
            )
            rows.append((alpha, kind, "P(|X| > 20)", beyond, error, rate))
            near_axis = np.abs((4.0 * angle / math.pi + 1.0) % 2.0 - 1.0) < 0.5
            part, error = _share(near_axis[size > far])
            if kind == "isotropic":
                tests.append(Test(f"large jumps near an axis, alpha = {alpha:g}", part, 0.5, error, resolution=0.12))
            else:  # a jump that is not near an axis needs a second coordinate beyond 20 tan(22.5 degrees)/1.1
                other = float(theory.jump_rate(LevyFlight(Harmonic(1.0), alpha, 1.0), far * 0.37))
                label = f"large jumps near an axis, independent, alpha = {alpha:g}"
                tests.append(Test(label, part, 1.0, error, resolution=0.12, numerical=other))
            rows.append((alpha, kind, "share of these near an axis", part, error, 0.5 if kind == "isotropic" else 1.0))
            drawn[alpha, kind] = x
        # a step adds noise and then follows the slope: the integral of e^-(alpha s) becomes a sum, wrong by dt/2 of its ends
        dt, drop = 0.01, 1.0 - math.exp(-alpha)
        pulled = LevyFlight(well, alpha, 1.0)
        x = simulate(pulled, [0.0, 0.0], dt, 1.0, n // 4, seed=run.stream(20 + i)).final
        found, error = mean(np.cos(x @ waves[1][1]))
        exact = math.exp(-drop / alpha)
        tests.append(
            Test(
                f"E cos(k.X_1) in a well, alpha = {alpha:g}",
                found,
                exact,
                error,
                resolution=0.02,
                numerical=0.5 * dt * drop,
            )
        )
        rows.append((alpha, "isotropic, in a well", "E cos(k.X), diagonal", found, error, exact))

    def figure(axes: Any) -> None:
        for ax, kind in zip(axes, ("isotropic", "independent"), strict=True):
            x = drawn[1.5, kind][:20_000]
            ax.plot(*x.T, ".", ms=2)
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
    rule="Harmonic well: characteristic function at wave numbers 0.5, 1, 2 over the scale, against the chain's exact scale. "
    "Quartic well: P(|x| < 1/2), P(|x| < 1), P(|x| > 3) against the exact law, with the step's bias bounded by dt; a "
    "window of width 0.2 at a hump must hold more paths than one at 0.",
)
def stationary(run: Run) -> Evidence:
    """Compare stationary samples with the stable and the quartic law.

    In Fourier space the stationary equation is i q F[V' p] = -sigma^alpha |q|^alpha F[p]. For V' = k x it is the first-order
    equation k phi' = -sigma^alpha q^(alpha - 1) phi: phi = exp(-sigma^alpha q^alpha/(alpha k)). For V' = x^3 it is the third derivative of phi =
    sigma^alpha q^(alpha - 1) phi, for alpha = 1 with the bounded even solution whose transform is the density above. Its
    extrema lie at 0 and at x^2 = sigma^(2/3)/2: two humps. The tail follows from jumps: p(x) x^3 = sigma^alpha nu(z > x).
    """
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
    formula=r"T \simeq \frac{\pi\,l^{\alpha}}{\Gamma(\alpha)\sin(\pi\alpha/2)\,\sigma^{\alpha}},\quad "
    r"T_{free} = \frac{(L^2 - x^2)^{\alpha/2}}{\Gamma(1 + \alpha)\,\sigma^{\alpha}}",
    definitions="T: mean exit time, l: distance from the minimum to the end of the well, sigma: noise scale with E "
    "exp(iqL_t) = exp(-t|q|^alpha); T_free: out of (-L, L) without drift.",
    statement="With stable noise the escape time is a power law of the noise, sigma^-alpha, without the exponential of a "
    "barrier height.",
    rule="Simulated mean exit times of the double well, alpha = 1.5: exponent between sigma = 0.05 and 0.02 against -alpha "
    "(corrections to the power law bounded by 0.1), the time at 0.02 against Imkeller-Pavlyukevich (within 5 %), and the "
    "effect of a barrier four times as high (Kramers at sigma^2 = D would give e^1875); free motion out of (-1, 1) "
    "against Getoor's formula, two steps extrapolated with the monitoring exponent 1/alpha.",
)
def first_passages(run: Run) -> Evidence:
    """Measure escape times of stable noise against power laws.

    Between large jumps the path rests at the minimum; a jump longer than l carries it out at once. Such jumps to one side
    come at the rate int_l^inf c sigma^alpha z^-(1 + alpha) dz = c sigma^alpha l^-alpha/alpha, c = Gamma(1 + alpha)
    sin(pi alpha/2)/pi, whatever the height of the barrier; T is its inverse as sigma -> 0 (Imkeller and Pavlyukevich). Free
    motion: -(-lap)^(alpha/2) (L^2 - x^2)^(alpha/2) = -Gamma(1 + alpha) inside (Getoor).
    """
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
    "stable noise in windows of 10 000 over that of 100, medians, ratio 1. Corrected: 1/D_a in both units, and the "
    "probability against F_alpha for alpha = 1, 1.5 and 2, |grad V|/sigma from 1/4 to 4.",
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
    stated = [Test("C_a in the unit 4L over C_a in L", in_unit[1] / in_unit[0], 1.0, resolution=0.1)]

    def downhill(ratio: float, index: float, i: int) -> tuple[float, float]:
        return _share(ratio + _stable(run.generator(i), index, n) > 0.0)

    # C_a = |g|^2 (|g|/s)^alpha/(2d) = 1 for |g| = 2 (in L) and for |g| = 8 (in 4L, the same slope)
    (a, ea), (b, eb) = (downhill((2.0 * d / size**2) ** (1.0 / alpha), alpha, i) for i, size in enumerate((2.0, 8.0)))
    stated.append(Test("P(down) at C_a = 1 in L, less that in 4L", a - b, 0.0, math.hypot(ea, eb), resolution=0.02))
    rng, windows = run.generator(2), run.pick("windows", 400, 2000)
    spread = [np.log(np.std(_stable(rng, alpha, (windows, m)), axis=1)) for m in (100, 10_000)]
    # the median of n normal values has the error 1.25 sd/sqrt(n); these are skew: twice that
    error = 2.5 * math.hypot(*(float(v.std()) for v in spread)) / math.sqrt(windows)
    growth = float(np.median(spread[1]) - np.median(spread[0]))
    stated.append(Test("ln of sigma_a, window of 10 000 over 100", growth, 0.0, error, resolution=0.5))
    same = (8.0 / 4.0) ** alpha / (2.0 / 1.0) ** alpha
    corrected = [Test("1/D_a in the unit 4L over 1/D_a in L", same, 1.0, resolution=1e-9)]
    rows = []
    ratios = (0.25, 0.5, 1.0, 2.0, 4.0)
    for i, index in enumerate((1.0, 1.5, 2.0)):
        for j, ratio in enumerate(ratios):
            found, error = downhill(ratio, index, 10 + 5 * i + j)
            exact = float(theory.downhill_probability(ratio, index))
            label = f"P(down), alpha = {index:g}, 1/D_a = {ratio**index:.3g}"
            corrected.append(Test(label, found, exact, error, resolution=0.02))
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
    definitions="x_(i): the i-th largest value. The estimates of the literature come from sums of blocks: 1/alpha = (mean ln|Y| - "
    "mean ln|X|)/ln m, Y the sum of m values.",
    corrected="Hill's estimate from ten values has a standard error of alpha/sqrt(10) or more. The block-sum estimate is below 2 "
    "for all data more peaked than the normal, by (ln sd - E ln|X| - 0.635)/ln m in 1/alpha, and for normal coordinates of "
    "unequal scale. Maximum likelihood with its interval finds alpha of stable data; a shuffle tells unequal scales.",
    corrected_formula=r"\frac{1}{\alpha_{block}} = \frac{1}{2} + \frac{\ln\,\mathrm{sd} - (\gamma_E + \ln 2)/2 - "
    r"\mathrm{E}\ln|X|}{\ln m}",
    rule="Hill with k = 10 of 100 stable values of alpha = 1.5: the share of estimates within 0.15 of 1.5, which must be "
    "0.95. Block sums, m = 100, of data that have all the moments an alpha below 2 denies (Student with five degrees, Laplace, "
    "lognormal of random sign, normal of unequal scale): 2 as stated. Corrected: block sums of normal, Student and Laplace data "
    "against the formula, and of the unequal scales sorted by coordinate (first Edgeworth term as numerical error); the "
    "standard deviation of Hill's estimates at least alpha/sqrt(10); a permutation test that tells the sorted from the shuffled; "
    "the share of 95 % intervals of maximum likelihood that hold alpha = 1.2, 1.5, 1.8, which must be 0.92.",
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
    near, error = _share(np.abs(hills - alpha) < 0.15)
    stated = [Test("share of Hill's estimates within 0.15", near, 0.95, error, "at least", resolution=0.02)]
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
    corrected, rows, estimates = [], [], {}
    for name, x in data.items():
        found = diagnostics.block_sum(x, m)
        estimates[name] = found
        limit = theory.block_sum_limit(*known[name][:2], m) if name in known else math.nan
        rows.append((name, found.alpha, found.stderr, f"{limit:.4g}" if name in known else ""))
        if name not in ("normal", ordered):
            stated.append(Test(f"block sums, {name}", found.alpha, 2.0, found.stderr, resolution=0.1))
        if name in known:
            bias = known[name][2] / (12.0 * m * math.log(m)) * limit**2  # of 1/alpha, by the first Edgeworth term
            label = f"block sums, {name}, formula"
            corrected.append(Test(label, found.alpha, limit, found.stderr, resolution=0.1 + bias, numerical=2.0 * bias))
    spread = float(hills.std())
    error = math.sqrt(float(np.var((hills - hills.mean()) ** 2)) / repeats) / (2.0 * spread)
    label = "standard deviation of Hill's estimates"
    corrected.append(Test(label, spread, alpha / math.sqrt(10.0), error, "at least", resolution=0.05))
    for name, relation, bound in ((ordered, "at most", 0.05), ("normal, unequal scales", "at least", 1e-3)):
        p_value = diagnostics.shuffle_check(data[name][: n // 4], m, draws=40, seed=run.stream(9)).p_value
        corrected.append(Test(f"p-value of a shuffle, {name}", p_value, bound, relation=relation))
        rows.append((f"p-value of a shuffle: {name}", p_value, "", ""))
    fits, count = run.pick("fits", 150, 1500), 200
    for i, index in enumerate((1.2, 1.5, 1.8)):
        made = [diagnostics.stable_likelihood(row) for row in _stable(run.generator(2 + i), index, (fits, count))]
        held, error = _share(np.array([f.interval[0] <= index <= f.interval[1] for f in made]))
        label = f"coverage of likelihood, alpha = {index:g}"
        corrected.append(Test(label, held, 0.92, error, "at least", resolution=0.2))
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
