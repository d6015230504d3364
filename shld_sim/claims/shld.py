"""Claims of "Stochastic harmonic learning dynamics": Langevin and Fokker-Planck, Gibbs, Kramers, bounds, consolidation."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import diagnostics, theory
from shld_sim.claims import euler
from shld_sim.claims.measure import mean as _mean
from shld_sim.claims.measure import normal_score as _normal_score
from shld_sim.claims.measure import share as _share
from shld_sim.claims.registry import Evidence, Run, Table, claim
from shld_sim.claims.rules import HONEST, Test
from shld_sim.claims.trained import SOURCES, grokking_runs
from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.learning import HarmonicLearner, experiments
from shld_sim.models import Diffusion, Langevin, Preconditioned, Underdamped
from shld_sim.potentials import (
    DoubleWell,
    Harmonic,
    MexicanHat,
    Polynomial,
    Potential,
    QuadraticForm,
    Quartic,
    TiltedDoubleWell,
)
from shld_sim.schedules import Cosine, Exponential, Logarithmic
from shld_sim.simulate import first_passage, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
LEFT = (-math.inf, 0.0)
ROUNDING = 1e-9  # relative error that rounding may leave in a computed number


# -- master equation ----


@claim(
    "shld.master-equation",
    "density obeys Fokker-Planck",
    formula=r"\partial_t p = \nabla\cdot(p\,\nabla V) + D\,\Delta p",
    statement="The density of dX = -V'(X) dt + sqrt(2D) dW obeys dp/dt = d/dx (p V') + D d2p/dx2 at every time.",
    definitions="p is the density of X at time t; the drift is minus the gradient of the loss V, D a constant. Here V = (x^2 - "
    "1)^2/4, D = 0.25.",
    rule="Ensemble in the double well from a point, at t = 0.5, 2, 8, against the grid solver: P(X > 0) (scale 1), E X^2, and "
    "the chi-square divergence of a histogram of 40 bins from the grid's, sum of (found - p)^2/p less its mean, at most 0 "
    "(scale 1; its error is such that it fails where the normal score of the chi-square exceeds 5). Numerical error: "
    "half the cells, and Euler's chain of twice the step, whose law is computed by quadrature.",
)
def master_equation(run: Run) -> Evidence:
    """Compare ensemble histograms with the grid solution at several times."""
    model = Langevin(DoubleWell(), D=0.25)
    # E X^2 has a standard deviation of at most its size: n > (5/0.1)^2
    times, dt, n_paths = (0.5, 2.0, 8.0), 1 / 512, run.pick("paths", 4_000, 40_000)
    paths = simulate(model, -1.0, dt, times[-1], n_paths, seed=run.stream(0), save_every=256)
    solver, coarse = (FokkerPlanck(model, Grid(-3.2, 3.2, cells)) for cells in (640, 320))
    density, other = (f.propagate(-1.0, np.array(times)) for f in (solver, coarse))
    inner = np.linspace(-2.0, 2.0, 41)
    edges = np.concatenate([[-np.inf], inner, [np.inf]])

    def numbers(x: Array, mass: Array) -> tuple[float, float, Array]:
        """Return P(X > 0), E X^2 and the probabilities of the bins, which are whole cells."""
        return float(mass[x > 0].sum()), float(mass @ (x * x)), np.histogram(x, edges, weights=mass)[0]

    tests, rows, drawn = [], [], []
    for t, p, q in zip(times, density, other, strict=True):
        x, y = paths.x[round(t / dt) // 256], coarse.grid.x
        p_right, p_square, bins = numbers(solver.grid.x, p * solver.grid.dx)
        c_right, c_square, c_bins = numbers(y, q * coarse.grid.dx)
        s_right, s_square, s_bins = numbers(y, euler.step_error(model, y, -1.0, dt, round(t / dt))[0])
        found, expected = np.histogram(x, edges)[0], bins * n_paths
        # bins where fewer than 20 are expected make one
        kept = expected > 20
        found_in, expected_in = (np.append(v[kept], v[~kept].sum()) for v in (found, expected))
        if expected_in[-1] < 5:
            found_in, expected_in = found_in[:-1], expected_in[:-1]
        chi2, degrees = float(((found_in - expected_in) ** 2 / expected_in).sum()), len(found_in) - 1
        unit = math.sqrt(2.0 * degrees) / n_paths  # standard error of chi-square over n
        amiss = [math.sqrt(float((e**2 / bins)[kept].sum())) for e in (bins - c_bins, s_bins)]
        right, right_error = _share(x > 0)
        square, square_error = _mean(x * x)
        wrong = abs(p_right - c_right) + abs(s_right), abs(p_square - c_square) + abs(s_square)
        tests += [
            Test(f"P(X > 0), t = {t:g}", right, p_right, right_error, scale=1.0, numerical=wrong[0]),
            Test(f"E X^2, t = {t:g}", square, p_square, square_error, numerical=wrong[1]),
            Test(
                f"divergence of the histogram, t = {t:g}",
                unit * _normal_score(chi2, degrees),
                0.0,
                unit,
                "at most",
                scale=1.0,
                numerical=sum(amiss) ** 2,
            ),
        ]
        rows.append((f"{t:g}", right, p_right, square, p_square, chi2, degrees))
        drawn.append((t, found[1:-1] / n_paths / np.diff(inner), p))

    def figure(ax: Axes) -> None:
        for t, histogram, p in drawn:
            line = ax.plot(solver.grid.x, p, label=f"t = {t:g}")[0]
            ax.plot(0.5 * (inner[1:] + inner[:-1]), histogram, "o", ms=3, color=line.get_color())
        ax.set(xlim=(-2.2, 2.2), xlabel="x", ylabel="p(x, t)", title="Lines: grid solver. Points: ensemble")

    columns = ("t", "P(X>0)", "grid", "E X^2", "grid", "chi-square", "degrees")
    return Evidence(tests, tables=[Table("Ensemble against grid", columns, tuple(rows))], figure=figure)


# -- Langevin: orders of convergence ----


@claim(
    "shld.langevin",
    "Euler-Maruyama follows the SDE",
    formula=r"x_{n+1} = x_n - \nabla V(x_n)\,dt + \sqrt{2 D\,dt}\,\xi_n",
    statement="Noisy gradient steps x - grad V dt + sqrt(2 D dt) xi follow the Langevin equation: with additive noise the "
    "error of the paths and of the averages falls like dt.",
    definitions="xi is standard normal. Strong error: E|X_dt - X| at t = 1 on the same Brownian path; weak error: that of E "
    "X^2.",
    rule="Double well, steps 2^-3 to 2^-7 coupled to 2^-10 on the same Brownian paths: slope of log E|X_dt - X| (strong) "
    "and of log |E X_dt^2 - E X^2| (weak) against log dt over the finest four steps, 1 and not 1/2, the order under "
    "noise that depends on the place; standard errors from 20 independent batches. Numerical error: the slope over steps "
    "twice as large less this one, and what the finest step is away from the limit, the slope of log(dt - 2^-10) less 1. "
    "And E X^2 of the finest step over that of the grid solver (error: half the cells, and the weak error at 2^-7).",
)
def langevin(run: Run) -> Evidence:
    """Measure the strong and weak order of Euler-Maruyama on coupled paths."""
    model, finest, levels = Langevin(DoubleWell(), D=0.25), 10, np.arange(3, 8)
    # batches of 500 paths gave the weak slope a spread of 0.1, and as much the change of it that bounds its curvature: five of
    # the one and three of the other leave 0.25 - 0.09 from 20 x 13 000 paths on
    n_batches, n_paths = 20, run.pick("paths of each of 20 batches", 20_000, 30_000)
    strong, weak, squares = np.empty((n_batches, len(levels))), np.empty((n_batches, len(levels))), np.empty(n_batches)
    free = Langevin(Polynomial([0.0, 0.0]), D=0.5)  # its paths are Brownian motion
    for batch in range(n_batches):
        W = simulate(free, 0.0, 2.0**-finest, 1.0, n_paths, seed=run.stream(batch), save_every=1).x
        exact = simulate(model, -0.5, 2.0**-finest, noise=np.diff(W, axis=0)).final
        squares[batch] = (exact**2).mean()
        for i, level in enumerate(levels):
            found = simulate(model, -0.5, 2.0**-level, noise=np.diff(W[:: 2 ** (finest - level)], axis=0)).final
            strong[batch, i] = np.abs(found - exact).mean()
            weak[batch, i] = (found**2 - exact**2).mean()
    dt = 2.0**-levels

    def slope(error: NDArray[Any], first: int) -> float:
        """Return the slope over four steps."""
        which = slice(first, first + 4)
        return float(np.polyfit(np.log(dt[which]), np.log(np.abs(error[which])), 1)[0])

    limit = slope(dt - 2.0**-finest, 1) - 1.0
    tests, slopes = [], {}
    for name, errors in (("strong", strong), ("weak", weak)):
        mean = errors.mean(axis=0)
        left_out = [slope(np.delete(errors, b, axis=0).mean(axis=0), 1) for b in range(n_batches)]
        spread = math.sqrt((n_batches - 1) * np.var(left_out))  # jackknife over batches
        slopes[name] = slope(mean, 1)
        bias = abs(slope(mean, 0) - slopes[name]) + limit
        tests.append(Test(f"{name} order", slopes[name], 1.0, spread, rival=0.5, numerical=bias))
    solvers = [FokkerPlanck(model, Grid(-3.2, 3.2, cells)) for cells in (640, 320)]
    target, other = (float(s.mean(s.propagate(-0.5, 1.0), np.square)) for s in solvers)
    value, error = _mean(squares)
    bias = (abs(target - other) + abs(float(weak[:, -1].mean()))) / target
    tests.append(Test("E X^2 at t = 1/grid", value / target, 1.0, error / target, numerical=bias))

    def figure(ax: Axes) -> None:
        for name, errors in (("strong", strong), ("weak", weak)):
            mean = errors.mean(axis=0)
            ax.errorbar(
                dt,
                np.abs(mean),
                2 * errors.std(axis=0) / math.sqrt(n_batches),
                fmt="o-",
                ms=4,
                label=f"{name}: slope {slopes[name]:.2f}",
            )
        ax.plot(dt, strong.mean(axis=0)[0] * dt / dt[0], ":", color="0.5", label="slope 1")
        ax.set(xscale="log", yscale="log", xlabel="dt", ylabel="error at t = 1", title="Orders of Euler-Maruyama")

    rows = tuple((f"2^-{k}", *pair) for k, *pair in zip(levels, strong.mean(axis=0), weak.mean(axis=0), strict=True))
    return Evidence(tests, tables=[Table("Errors at t = 1", ("dt", "strong", "weak"), rows)], figure=figure)


# -- Gibbs ----


@claim(
    "shld.gibbs",
    "stationary law is Gibbs",
    formula=r"p(x) = \frac{1}{Z}\,e^{-V(x)/D}",
    statement="The stationary density is exp(-V/D)/Z.",
    definitions="Z normalises; D is the constant of dX = -V' dt + sqrt(2D) dW, a temperature.",
    rule="Grid steady state over the Gibbs density by quadrature, the worst of all cells, ratio 1 (rounding 1e-9); total "
    "variation between that density and the grid's at t = 400 from a point, at most 0 (scale 1). Long simulation in the double "
    "well: E X^2 and E X^4 against quadrature; numerical error: twice Euler's bias at rest to first order, "
    "2 dt |Cov(f, V'^2/(4D) - V''/2)|. And Euler's chain on k x^2/2 at the coarse steps k dt = 1/4, 1/2, 1: its variance "
    "over the exact D/(k (1 - k dt/2)), up to twice D/k, ratio 1.",
)
def gibbs(run: Run) -> Evidence:
    """Compare steady states of the grid and of simulations with the Gibbs law."""
    model = Langevin(DoubleWell(), D=0.25)
    grid = FokkerPlanck(model, Grid(-3.0, 3.0, 600))
    density = theory.gibbs_density(model)
    target = np.asarray(density(grid.grid.x))
    ratio = grid.steady_state() / target
    late = 0.5 * float(np.abs(grid.propagate(1.0, 400.0) - target).sum() * grid.grid.dx)
    # even functions settle as exp(-1.5 t) (spectrum); variances of normal chains: n > (5 x 1.42/0.1)^2
    dt, n_paths = 1 / 256, run.pick("paths", 8_000, 80_000)
    x = simulate(model, 1.0, dt, 16.0, n_paths, seed=run.stream(0)).final * np.where(np.arange(n_paths) % 2, 1, -1)
    tests = [
        Test("grid steady state/Gibbs, worst cell", ratio[np.argmax(np.abs(ratio - 1.0))], 1.0, numerical=ROUNDING),
        Test("total variation, grid at t = 400", late, 0.0, 0.0, "at most", scale=1.0, numerical=ROUNDING),
    ]
    for power in (2, 4):
        f = np.polynomial.Polynomial([0.0] * power + [1.0])
        exact, (found, error) = float(theory.gibbs_expectation(model, f)), _mean(f(x))
        bias = euler.bias_at_rest(model, f, dt)
        tests.append(Test(f"E X^{power}, double well", found, exact, error, numerical=bias))
    rows = []
    k, D = 2.0, 0.5
    for i, coarse in enumerate((0.125, 0.25, 0.5)):
        final = simulate(Langevin(Harmonic(k), D), 0.0, coarse, 20.0, n_paths, seed=run.stream(1 + i)).final
        square, error = _mean(final**2)
        chain = float(theory.euler_variance(k, D, coarse))
        tests.append(
            Test(f"variance of Euler's chain/formula, k dt = {k * coarse:g}", square / chain, 1.0, error / chain)
        )
        rows.append((coarse, square, error, chain, D / k))
    edges = np.linspace(-2.2, 2.2, 56)
    histogram = np.histogram(x, edges)[0] / n_paths / np.diff(edges)

    def figure(ax: Axes) -> None:
        z = np.linspace(-2.2, 2.2, 400)
        ax.plot(z, density(z), label="exp(-V/D)/Z")
        ax.plot(0.5 * (edges[1:] + edges[:-1]), histogram, "o", ms=3, label="simulated")
        ax.set(xlabel="x", ylabel="p(x)", title="Double well, D = 0.25", ylim=(0, None))

    columns = ("dt", "variance", "stderr", "D/(k(1-k dt/2))", "D/k")
    table = Table("Euler's chain in the harmonic well, k = 2, D = 0.5", columns, tuple(rows))
    return Evidence(tests, tables=[table], figure=figure)


# -- Kramers ----


@claim(
    "shld.kramers",
    "Kramers rate with omega0/2pi",
    formula=r"k = \frac{\omega_0}{2\pi}\,e^{-\Delta E/D}",
    statement="A path leaves a well at the rate omega0/(2 pi) exp(-dE/D), omega0 the Hessian eigenvalue at the minimum, as "
    "D falls.",
    definitions="dE is the height of the saddle b over the minimum a; omega0 = V''(a) as stated (a Hessian eigenvalue, not its "
    "root). The rate is that from well to well, half of one over the mean time to the saddle.",
    corrected="Eyring-Kramers: sqrt(V''(a) |V''(b)|)/(2 pi) exp(-dE/D).",
    corrected_formula=r"k = \frac{1}{2\pi}\sqrt{V''(a)\,|V''(b)|}\;e^{-\Delta E/D}"
    "\n"
    r"k = \frac{|\lambda_-|}{2\pi}\sqrt{\frac{\det H_a}{|\det H_b|}}\;e^{-\Delta E/D}",
    rule="Both formulas over the exact rate 1/(2 T(minimum to saddle)) by quadrature at barrier/D = 25, ratio 1; the next term "
    "of the expansion in D is 3 D/2, and twice that, 3 D, is the numerical error. The exact rate itself must be reached by "
    "four routes: quadrature, backward equation on the grid (error: half the cells), spectral gap (the same, and exp(-dE/D)), "
    "and simulated exits (bridge-corrected, dt = 1/256; error V''(a) dt, eight times that of Kramers' formula for Euler's "
    "modified equation), D = 0.2, 0.1 and, in the full run, 0.05.",
)
def kramers(run: Run) -> Evidence:
    """Compare the stated and the Eyring-Kramers rate with the exact one, found by four routes.

    The mean time from the minimum a to the top b is T = (1/D) int_a^b exp(V(y)/D) int_-inf^y exp(-V(z)/D) dz dy, and half
    of the paths at b fall back: k = 1/(2T). For small D the inner integral is sqrt(2 pi D/V''(a)) exp(-V(a)/D) wherever the
    outer one counts, near b, where it is half of sqrt(2 pi D/|V''(b)|) exp(V(b)/D): 2T = (2 pi/sqrt(V''(a)|V''(b)|))
    exp(dE/D). The width of the top matters as much as that of the well. Here the quartic and cubic terms add 3 D/4 in the well
    and as much at the top: 2T k = 1 + 3 D/2. Euler's chain of step dt has 2T k = 1 + (|V''(b)| - V''(a)) dt/4.
    """
    potential = DoubleWell()

    def exact(D: float) -> float:
        return 0.5 / float(theory.mean_exit_time(Langevin(potential, D), -1.0, LEFT))

    low = Langevin(potential, D=0.01)
    ratios = [f(low, -1.0, 0.0) / exact(0.01) for f in (theory.kramers_rate_as_stated, theory.eyring_kramers_rate)]
    stated = [Test("stated rate/exact rate at barrier/D = 25", ratios[0], 1.0, numerical=0.03)]
    corrected = [Test("Eyring-Kramers rate/exact rate at barrier/D = 25", ratios[1], 1.0, numerical=0.03)]
    rows, dt = [], 1 / 256
    noise = run.pick("noise D", (0.2, 0.1), (0.2, 0.1, 0.05))
    n_paths = run.pick("exits", 5_000, 10_000)  # exponential times: n > (5/0.092)^2
    for i, D in enumerate(noise):
        model = Langevin(potential, D)
        solver, coarse = (FokkerPlanck(model, Grid(-2.5, 2.5, cells)) for cells in (400, 200))
        exits = first_passage(model, -1.0, LEFT, dt, n_paths, seed=run.stream(i))
        backward, other = (float(f.mean_exit_time(LEFT, x0=-1.0)) for f in (solver, coarse))
        quadrature = 0.5 / exact(D)
        value, error = exits.mean() / quadrature, exits.stderr() / quadrature
        wrong = abs(backward - other) / quadrature
        corrected += [
            Test(f"backward equation/quadrature, D = {D:g}", backward / quadrature, 1.0, numerical=wrong),
            Test(f"simulation/quadrature, D = {D:g}", value, 1.0, error, numerical=2.0 * dt),
        ]
        rows.append(
            (
                D,
                exact(D),
                0.5 / backward,
                0.5 * float(solver.eigenvalues(2)[1]),
                0.5 / exits.mean(),
                0.5 / exits.mean() * error / value,
                float(theory.eyring_kramers_rate(model, -1.0, 0.0)),
                float(theory.kramers_rate_as_stated(model, -1.0, 0.0)),
            )
        )
    # The gap is twice the rate up to terms that vanish exponentially: compare where they do.
    cold = Langevin(potential, D=0.025)
    gap, other = (float(FokkerPlanck(cold, Grid(-2.2, 2.2, cells)).eigenvalues(2)[1]) for cells in (800, 400))
    wrong = abs(gap - other) / gap + math.exp(-10.0)
    corrected.append(Test("half the gap/exact rate, D = 0.025", 0.5 * gap / exact(0.025), 1.0, numerical=wrong))
    columns = ("D", "quadrature", "backward", "gap/2", "simulated", "stderr", "Eyring-Kramers", "as stated")

    def figure(ax: Axes) -> None:
        inverse = 1.0 / np.linspace(0.05, 0.2, 40)
        curve = [Langevin(potential, 1.0 / b) for b in inverse]
        ax.plot(inverse, [exact(m.D) for m in curve], "-", label="exact (quadrature)")  # type: ignore[arg-type]
        ax.plot(inverse, [theory.eyring_kramers_rate(m, -1.0, 0.0) for m in curve], "--", label="Eyring-Kramers")
        ax.plot(inverse, [theory.kramers_rate_as_stated(m, -1.0, 0.0) for m in curve], ":", label="as stated")
        for row in rows:
            ax.errorbar(1 / row[0], row[4], 2 * row[5], fmt="o", ms=4, color="k")
        ax.plot([], [], "ok", ms=4, label="simulated")
        ax.set(yscale="log", xlabel="1/D", ylabel="rate", title="Escape from the double well")

    return Evidence(stated, corrected, [Table("Escape rate by four routes", columns, tuple(rows))], figure)


@claim(
    "shld.escape-time",
    "escape time exp(dE/D)",
    formula=r"\tau = e^{\Delta E/D}",
    statement="The time to escape over a barrier dE is tau = exp(dE/D).",
    definitions="dE is the height of the barrier over the minimum, tau the mean time to the other minimum.",
    corrected="tau = 2 pi/sqrt(V''(a) |V''(b)|) exp(dE/D) for the passage to the other well.",
    corrected_formula=r"\tau = \frac{2\pi}{\sqrt{V''(a)\,|V''(b)|}}\;e^{\Delta E/D}",
    rule="Mean time from one minimum to the other by quadrature at barrier/D = 25 over both formulas, ratio 1 (numerical error "
    "3 D, twice the next term of the expansion), and simulated at D = 0.1 over quadrature (dt = 1/256, error V''(a) dt, as "
    "in shld.kramers).",
)
def escape_time(run: Run) -> Evidence:
    """Compare the passage time between the minima with exp(dE/D) with and without its prefactor.

    The mean time to climb from a to the top b is 1/(2k) (see shld.kramers); from b it is as likely to fall back, so that the
    other minimum is reached after 1/k = (2 pi/sqrt(V''(a)|V''(b)|)) exp(dE/D). exp(dE/D) has no unit of time.
    """
    model = Langevin(DoubleWell(), D=0.01)
    domain = (-math.inf, 1.0)
    exact = float(theory.mean_exit_time(model, -1.0, domain))
    said = exact / theory.arrhenius_time(model, -1.0, 0.0)
    stated = Test("time/exp(dE/D) at barrier/D = 25", said, 1.0, numerical=0.03)
    rate = theory.eyring_kramers_rate(model, -1.0, 0.0)
    warm, dt = Langevin(DoubleWell(), D=0.1), 1 / 256
    # exponential times: n > (5/0.092)^2
    exits = first_passage(warm, -1.0, domain, dt, run.pick("exits", 5_000, 40_000), seed=run.stream(0))
    truth = float(theory.mean_exit_time(warm, -1.0, domain))
    value, error = exits.mean() / truth, exits.stderr() / truth
    corrected = [
        Test("time x Eyring-Kramers rate at barrier/D = 25", exact * rate, 1.0, numerical=0.03),
        Test("simulated/exact time, D = 0.1", value, 1.0, error, numerical=2.0 * dt),
    ]
    noise = np.geomspace(0.01, 0.2, 30)
    ratio = [
        float(theory.mean_exit_time(Langevin(DoubleWell(), D), -1.0, domain))
        / theory.arrhenius_time(Langevin(DoubleWell(), D), -1.0, 0.0)
        for D in noise
    ]

    def figure(ax: Axes) -> None:
        ax.plot(noise, ratio, label="exact")
        ax.axhline(2 * math.pi / math.sqrt(2.0), ls="--", color="0.4", label="2 pi/sqrt(2), Eyring-Kramers")
        ax.axhline(1.0, ls=":", color="0.4", label="1, as stated")
        ax.set(
            xscale="log", xlabel="D", ylabel="time / exp(dE/D)", title="From one minimum to the other", ylim=(0, None)
        )

    return Evidence([stated], corrected, figure=figure)


# -- uncertainty ----


@claim(
    "shld.uncertainty",
    "uncertainty product >= D/2",
    formula=r"\mathrm{sd}(x)\;\mathrm{sd}(V') \geq \frac{D}{2}",
    statement="For any density, sd(x) sd(V'(x)) >= D/2.",
    definitions="sd is the standard deviation under the density p of x; V' the gradient of the loss at x.",
    corrected="For the Gibbs law sd(x) sd(V') >= D, with equality iff V is quadratic, and in d dimensions "
    "sum_i Cov(x_i, d_i V) = D d. For every smooth density, sd(x) sqrt(E|D (ln p)'|^2) >= D.",
    corrected_formula=r"p = e^{-V/D}/Z:\quad \mathrm{sd}(x)\;\mathrm{sd}(V') \geq D,\quad "
    r"\sum_i\mathrm{Cov}(x_i,\partial_i V) = D\,d"
    "\n"
    r"\mathrm{sd}(x)\;\sqrt{\mathrm{E}\,|D\,\partial_x\ln p|^2} \geq D",
    rule="sd(x) sd(V')/D of normal densities of widths 1, 0.1 and 0.01 at the bottom of the double well, D = 0.1, by "
    "quadrature, at least 1/2. Corrected, over D: Gibbs products of four landscapes at D = 0.01, 0.1 and 1 by quadrature, at "
    "least 1, and 1 in the harmonic one; Cov(x, V') in the double well and the sum over coordinates on a Mexican hat by "
    "simulation, 1; the Cramer-Rao product of a normal density and of a mixture of two, at least 1. Numerical error: rounding "
    "(1e-9), and of the simulations that of Euler's chain at rest, dt E|grad V|^2/(2 D d), by exact balance of E|x|^2.",
)
def uncertainty(run: Run) -> Evidence:
    """Look for densities below the stated bound, and check the Gibbs and Cramer-Rao forms.

    For any smooth density E[(x - E x) (ln p)'] = -1, by parts. Schwarz: sd(x) sqrt(E|(ln p)'|^2) >= 1 (Cramer-Rao); times D. For
    p = exp(-V/D)/Z D (ln p)' = -V', whose mean is 0: Cov(x, V') = D, hence sd(x) sd(V') >= D, with equality iff V' is
    linear in x. In d dimensions each Cov(x_i, d_i V) = D. Without p = exp(-V/D)/Z the gradient has nothing to do with p: a
    narrow density at a minimum has both factors small. Euler's chain at rest keeps E|x|^2: 2 E x.grad V = 2 D d + dt E|grad V|^2.
    """
    D = 0.1
    stated = [
        Test(
            f"sd(x) sd(V')/D, normal density of width {s:g}",
            float(theory.gaussian_uncertainty_product(DoubleWell(), 1.0, s)) / D,
            0.5,
            0.0,
            "at least",
            numerical=ROUNDING,
        )
        for s in (1.0, 0.1, 0.01)
    ]
    corrected, rows = [], []
    for potential in (Harmonic(3.0), Quartic(), DoubleWell(), TiltedDoubleWell()):
        for d in (0.01, 0.1, 1.0):
            product = float(theory.uncertainty_product(Langevin(potential, d))) / d
            rows.append((repr(potential), d, product))
            relation = "equals" if isinstance(potential, Harmonic) else "at least"
            label = f"Gibbs product/D, {type(potential).__name__}, D = {d:g}"
            corrected.append(Test(label, product, 1.0, 0.0, relation, numerical=ROUNDING))
    # sd(x V')/D = 3.3 under Gibbs in the double well, 1.7 of the sum over d in the hat: n > (5 sd/0.097)^2; both settle as
    # exp(-1.5 t) or faster
    cases: tuple[tuple[str, Langevin, ArrayLike, float, float, int], ...] = (
        ("Cov(x, V')/D", Langevin(DoubleWell(), 0.25), 1.0, 1 / 256, 8.0, run.pick("paths", 45_000, 200_000)),
        (
            "sum Cov(x_i, d_i V)/(D d), hat, d = 3",
            Langevin(MexicanHat(3), 0.2),
            np.array([1.0, 0.0, 0.0]),
            1 / 128,
            16.0,
            run.pick("paths in the hat", 14_000, 140_000),
        ),
    )
    for i, (name, model, start, dt, length, n_paths) in enumerate(cases):
        x = simulate(model, start, dt, length, n_paths, seed=run.stream(i)).final.reshape(n_paths, -1)
        slope = np.asarray(model.potential.gradient(x.squeeze())).reshape(x.shape)
        unit = float(model.D) * x.shape[1]  # type: ignore[arg-type]
        # E dV/dx_i = 0 at rest
        value, error = _mean((x * slope).sum(axis=1) / unit)
        bias = 0.5 * dt * float((slope * slope).sum(axis=1).mean()) / unit
        corrected.append(Test(f"{name}, simulated", value, 1.0, error, numerical=bias))
    for weights, means, sds in (((1.0,), (1.0,), (0.1,)), ((0.5, 0.5), (-1.0, 1.0), (0.2, 0.4))):
        product = float(theory.cramer_rao_product(weights, means, sds, D)) / D
        name = "normal density" if len(weights) == 1 else "mixture of two"
        corrected.append(Test(f"Cramer-Rao product/D, {name}", product, 1.0, 0.0, "at least", numerical=ROUNDING))
    width = np.linspace(0.02, 0.8, 60)
    curve = [float(theory.gaussian_uncertainty_product(DoubleWell(), 1.0, s)) / D for s in width]

    def figure(ax: Axes) -> None:
        ax.plot(width, curve, label="normal density at x = 1")
        ax.axhline(0.5, ls=":", color="0.4", label="1/2, as stated")
        ax.axhline(1.0, ls="--", color="0.4", label="1, bound for Gibbs laws")
        ax.set(xlabel="width of the density", ylabel="sd(x) sd(V')/D", title="Double well, D = 0.1", ylim=(0, 6))

    return Evidence(stated, corrected, [Table("Gibbs laws", ("potential", "D", "product/D"), tuple(rows))], figure)


# -- convergence ----


def _rippled_energy(x, p):
    return x * x + p[0] * (np.cos(x) - 1.0)


def _rippled_gradient(x, p):
    return 2.0 * x - p[0] * np.sin(x)


@claim(
    "shld.convergence",
    "energy bound with floor D d/lmin",
    formula=r"\mathrm{E}\,V(t) - V^* \leq (V_0 - V^*)\,e^{-\lambda_{\min}t} + \frac{D\,d}{\lambda_{\min}}",
    statement="If H >= lmin then E V(t) - V* <= (V0 - V*) exp(-lmin t) + D d/lmin.",
    definitions="H is the Hessian of V, V* its least value, V0 = V(X_0), d the dimension.",
    corrected="If lmin <= H <= lmax: E V(t) - V* <= (V0 - V*) exp(-2 lmin t) + D d lmax/(2 lmin) (1 - exp(-2 lmin t)), and "
    "the stationary energy is at most D d (1 - lmin/(2 lmax)).",
    corrected_formula=r"\mathrm{E}\,V(t) - V^* \leq (V_0 - V^*)\,e^{-2\lambda_{\min}t} + "
    r"\frac{D\,d\,\lambda_{\max}}{2\lambda_{\min}}\,(1 - e^{-2\lambda_{\min}t})"
    "\n"
    r"\mathrm{E}\,V(\infty) - V^* \leq D\,d\,\left(1 - \frac{\lambda_{\min}}{2\lambda_{\max}}\right)",
    rule="Simulated E V in a quadratic well with k = 10, D = 1, whose floor is D/2, on an anisotropic one and on x^2 + cos x "
    "(1 <= V'' <= 3), at t = 0.05, 0.5, 5 (from the fastest relaxation to ten times the slowest), against the stated and the "
    "corrected bound, and at the last time against the stationary one, to which what the start leaves, "
    "(V0 - V*) exp(-2 lmin t), is numerical error. Euler's: on a quadratic the noise part is off by k dt/2, the decaying part by "
    "less; twice that, lmax dt times the larger of value and bound.",
)
def convergence(run: Run) -> Evidence:
    """Compare the mean energy of simulations with the stated and the corrected bound.

    Ito: (d/dt) E V = -E|grad V|^2 + D E lap V. With lmin <= H <= lmax, |grad V|^2 >= 2 lmin (V - V*) and lap V <= d lmax, so that
    (d/dt) E(V - V*) <= -2 lmin E(V - V*) + D d lmax; Gronwall. At rest E x.grad V = D d (x from the minimum); V - V* <= x.grad
    V - lmin |x|^2/2, |x|^2 >= x.grad V/lmax: E V - V* <= D d (1 - lmin/(2 lmax)). A quadratic rests at D d/2 whatever its
    curvature, above D d/lmin if lmin > 2.
    """
    # where the bound is attained V is the square of a normal number, and the chain's energy is k dt/2 higher: for all but 1e-4
    # of runs (5 + 3.7) x 1.42/sqrt(n) must stay below 0.1 - 0.03
    n_paths, dt, times = run.pick("paths", 40_000, 100_000), 1 / 500, (0.05, 0.5, 5.0)
    rippled = Potential(_rippled_energy, _rippled_gradient, (1.0,), minima=[0.0], saddles=[], name="x^2 + cos x - 1")
    cases: tuple[tuple[str, Langevin, ArrayLike, float, float, int], ...] = (
        ("k = 10", Langevin(QuadraticForm([10.0]), 1.0), 1.0, 10.0, 10.0, 1),
        ("k = 1, 10", Langevin(QuadraticForm([1.0, 10.0]), 0.5), np.array([2.0, 1.0]), 1.0, 10.0, 2),
        ("x^2 + cos x", Langevin(rippled, 0.5), 2.0, 1.0, 3.0, 1),
    )
    stated: list[Test] = []
    corrected: list[Test] = []
    rows, drawn = [], []
    for i, (name, model, x0, low, high, d) in enumerate(cases):
        paths = simulate(model, x0, dt, times[-1], n_paths, seed=run.stream(i), save_every=25)
        energies = [_mean(model.potential(x)) for x in paths.x[1:]]
        gap, D = float(model.potential(x0)), float(model.D)  # type: ignore[arg-type]
        for t in times:
            value, error = energies[round(t / dt) // 25 - 1]
            bounds = (
                float(theory.claimed_energy_bound(gap, low, D, d, t)),
                float(theory.corrected_energy_bound(gap, low, high, D, d, t)),
            )
            for tests, bound in zip((stated, corrected), bounds, strict=True):
                wrong = high * dt * max(value, bound)
                tests.append(Test(f"E V - V*, {name}, t = {t:g}", value, bound, error, "at most", numerical=wrong))
            rows.append((name, t, value, error, *bounds))
        value, error = energies[-1]
        floor = float(theory.stationary_energy_bound(low, high, D, d))
        wrong = high * dt * max(value, floor) + gap * math.exp(-2.0 * low * times[-1])
        corrected.append(Test(f"stationary E V, {name}", value, floor, error, "at most", numerical=wrong))
        drawn.append((name, paths.t[1:], np.array([e[0] for e in energies]), gap, low, high, D, d))

    def figure(ax: Axes) -> None:
        _, t, energy, gap, low, high, D, d = drawn[0]
        ax.plot(t, energy, "o-", ms=3, label="simulated")
        ax.plot(t, theory.claimed_energy_bound(gap, low, D, d, t), ":", label="bound as stated")
        ax.plot(t, theory.corrected_energy_bound(gap, low, high, D, d, t), "--", label="corrected bound")
        ax.set(xlabel="t", ylabel="E V - V*", title="Quadratic well, k = 10, D = 1", yscale="log")

    columns = ("well", "t", "E V - V*", "stderr", "stated bound", "corrected bound")
    return Evidence(stated, corrected, [Table("Mean energy", columns, tuple(rows))], figure)


# -- consolidation ----


@claim(
    "shld.consolidation",
    "C = 1 is critical everywhere",
    formula=r"C = \frac{|\nabla V|^2}{D\,d},\quad C\approx 1\ \mathrm{critical}",
    statement="The consolidation ratio C = |grad V|^2/(D d) marks the balance of drift and noise by C = 1, in every landscape.",
    definitions="d is the dimension. Regimes as stated: C >> 10 deterministic, 1 < C < 10 transitional, C ~ 1 critical, C < 1 "
    "diffusive; 1 to 5 is called optimal, and the step is to be multiplied by 1.5 below .5 and by .7 above 20. Grokking is "
    "called imminent when C < 2 and falling: this needs a trained network and is not tested here.",
    corrected="At balance, that is in the Gibbs law, E C equals the mean curvature E[lap V]/d of the landscape; scaling "
    "V -> cV, D -> cD leaves the law as it is and multiplies C by c.",
    corrected_formula=r"\mathrm{E}\,C = \frac{\mathrm{E}\,\Delta V}{d}"
    "\n"
    r"V\to cV,\ D\to cD:\quad p\to p,\quad C\to c\,C",
    rule="Stationary mean of C by simulation in three landscapes against 1, and over the mean curvature by quadrature, ratio 1; "
    "numerical error: twice Euler's bias at rest to first order, as in shld.gibbs. Scaling by c = 4, with a quarter of the "
    "step, which makes the chains the same and so leaves no error: the ratio of the C of both systems, 4, and of their "
    "stationary E X^2, 1.",
)
def consolidation(run: Run) -> Evidence:
    """Measure the consolidation ratio at equilibrium in several landscapes.

    By parts, E|grad V|^2 = int grad V.grad V exp(-V/D)/Z = D E lap V. Hence E C = E lap V/d, a curvature, which has a unit: with
    V -> cV and D -> cD the law exp(-V/D)/Z stays, time runs c times as fast, and C = |grad V|^2/(D d) becomes c^2/c = c
    times as large.
    """
    # C of the double well has a standard deviation of 3 times its mean: n > 2 (5 x 2.95/0.1)^2 for a ratio. What the start
    # leaves is below exp(-12) (spectrum)
    n_paths = run.pick("paths", 70_000, 300_000)
    cases = (
        ("k = 1", Langevin(Harmonic(1.0), 0.2), 0.0, 1 / 100, 800),
        ("k = 4", Langevin(Harmonic(4.0), 0.2), 0.0, 1 / 400, 800),
        ("double well", Langevin(DoubleWell(), 0.25), 1.0, 1 / 128, 1024),
        ("4 x double well", Langevin(DoubleWell(height=1.0), 1.0), 1.0, 1 / 512, 1024),
    )
    stated, corrected, rows = [], [], []
    ratios, squares = {}, {}
    for i, (name, model, x0, dt, n_steps) in enumerate(cases):
        x = simulate(model, x0, dt, n_steps=n_steps, n_paths=n_paths, seed=run.stream(i)).final
        value, error = _mean(theory.consolidation_ratio(model, x))
        curvature = float(theory.mean_curvature(model))
        bias = euler.bias_at_rest(model, partial(theory.consolidation_ratio, model), dt)
        stated.append(Test(f"E C, {name}", value, 1.0, error, numerical=bias))
        ratio = value / curvature, 1.0, error / curvature
        corrected.append(Test(f"E C/mean curvature, {name}", *ratio, numerical=bias / curvature))
        ratios[name], squares[name] = (value, error), _mean(x * x)
        rows.append((name, model.D, value, error, curvature))
    (a, ea), (b, eb) = ratios["double well"], ratios["4 x double well"]
    corrected.append(Test("C ratio after V -> 4V, D -> 4D", b / a, 4.0, b / a * math.hypot(ea / a, eb / b)))
    (a, ea), (b, eb) = squares["double well"], squares["4 x double well"]
    corrected.append(Test("E X^2 ratio after scaling", b / a, 1.0, b / a * math.hypot(ea / a, eb / b)))

    def figure(ax: Axes) -> None:
        place = np.arange(len(rows))
        ax.bar(place - 0.2, [r[2] for r in rows], 0.38, yerr=[5 * r[3] for r in rows], label="E C, simulated")
        ax.bar(place + 0.2, [r[4] for r in rows], 0.38, label="mean curvature")
        ax.axhline(1.0, ls=":", color="0.3", label="1, as stated")
        ax.set_xticks(place, [r[0] for r in rows])
        ax.set(ylabel="consolidation ratio", title="C at equilibrium")

    columns = ("landscape", "D", "E C", "stderr", "mean curvature")
    return Evidence(stated, corrected, [Table("Equilibrium", columns, tuple(rows))], figure)


# -- steps and their noise ----


def _best_step(
    V: QuadraticForm, x: Array, spread: float, pairs: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return the step that lowers the mean of V most, measured, its standard error, and the change there.

    Gradients are grad V + spread xi. Of each pair of opposite noises the change over a step is a parabola in the step,
    which two steps of the same noise tell: -A eta + B eta^2/2.
    """
    z, h = spread * rng.standard_normal((pairs, len(x))), 1.0 / float(np.linalg.norm(V.hessian(x), 2))
    g = V.gradient(x)
    one, two = (0.5 * (V(x - eta * (g + z)) + V(x - eta * (g - z))) - V(x) for eta in (h, 2.0 * h))
    A, B = (two - 4.0 * one) / (2.0 * h), (two - 2.0 * one) / h**2
    best = float(A.mean() / B.mean())
    return best, _mean(A - best * B)[1] / float(B.mean()), -0.5 * float(A.mean()) * best


@claim(
    "shld.learning-rate",
    "optimal step 2D/lmax",
    formula=r"\eta^* \approx \frac{2 D}{\lambda_{\max}}",
    statement="The optimal learning rate is about 2D/lmax.",
    definitions="D is measured as the document says, half the variance of minibatch gradients per coordinate; lmax is the "
    "largest eigenvalue of the Hessian. Reported: for ResNet-50 on ImageNet .092 by grid search, .087 by the formula. Not "
    "testable here: the data (1.2 million images) and the weeks of training on accelerators that the search takes are not "
    "at hand, and the document gives no D and no lmax for it.",
    corrected="The step that lowers the expected loss most is p/lam, with p = |mu|^2/E|g|^2, for curvature lam; in general "
    "|mu|^2/(mu.H mu + tr(H S)). More noise asks for a smaller step, and the step scales like one over the curvature.",
    corrected_formula=r"\eta^* = \frac{|\mu|^2}{\mu^T H\mu + \mathrm{tr}(H S)} = \frac{p}{\lambda}"
    "\n"
    r"\mathrm{loss\ falls}\ \Leftrightarrow\ \eta\lambda < 2 p",
    rule="Best step of a noisy gradient step in the well lam |x|^2/2, d = 20, from the measured parabola of the mean change: "
    "over 2D/lmax, for p = 0.2, 0.5, 0.8 and lam = 1, and for the same losses in another unit, 4L: ratio 1; "
    "and the change of 4L over the step 2D/lmax at p = 0.2 must be a fall (scale: the gain of the best step, "
    "|mu|^2 p/(2 lam)). Corrected: the best step over p/lam, "
    "ratio 1, in both units; the same with curvatures 1 to 8; and with noise that is injected and not part of the "
    "gradient, which does not scale with the step, 1/lam whatever its D. Quadratic losses: no numerical error but rounding.",
)
def learning_rate(run: Run) -> Evidence:
    """Locate the best step and compare it with 2D/lmax.

    E L(x - eta g) - L(x) = -eta |mu|^2 + (eta^2/2)(mu.H mu + tr(H S)), with E g = mu and covariance S: a parabola in eta
    with its lowest point at eta* = |mu|^2/(mu.H mu + tr(H S)); for H = lam I this is p/lam. Units: measure the loss in
    another unit, cL. Then mu -> c mu, S -> c^2 S, H -> cH and eta* -> eta*/c, as every step must; D = Var(g)/2 -> c^2 D and
    2D/lmax -> c (2D/lmax), which goes the wrong way. It vanishes without noise, where 1/lmax is best. Injected noise of
    variance 2 D dt adds D dt lam d to the loss whatever eta is, so that it moves no optimum.
    """
    # of a pair the slope is exact and the curvature scatters by (1 - p) sqrt(2/d): n > (5 x 0.8 x 0.32/0.1)^2
    pairs, d = run.pick("pairs of steps", 300, 3_000), 20
    stated, corrected, rows, drawn = [], [], [], []
    for i, (p, c) in enumerate((p, c) for c in (1.0, 4.0) for p in (0.2, 0.5, 0.8)):
        V, x = QuadraticForm(np.full(d, c)), np.full(d, 1.0 / math.sqrt(d))  # |mu| = c
        spread = c * math.sqrt((1.0 - p) / (p * d))
        best, error, gain = _best_step(V, x, spread, pairs, run.generator(i))
        said = spread**2 / c
        exact = theory.best_step(V.gradient(x), spread**2, c)
        label = f"p = {p:g}, {'L' if c == 1.0 else '4L'}"
        stated.append(Test(f"best step/(2D/lmax), {label}", best / said, 1.0, error / said))
        corrected.append(Test(f"best step/(p/lam), {label}", best / exact, 1.0, error / exact))
        rows.append((label, best, error, exact, said, gain))
        drawn.append((p, c, best, error))
    rng, V, x = run.generator(10), QuadraticForm(np.full(d, 4.0)), np.full(d, 1.0 / math.sqrt(d))
    z = 4.0 * math.sqrt(0.8 / (0.2 * d)) * rng.standard_normal((pairs, d))
    eta, g = float(np.mean(z * z)) / 4.0, V.gradient(x)  # 2D/lmax, D from the gradients themselves
    change, error = _mean(0.5 * (V(x - eta * (g + z)) + V(x - eta * (g - z))) - V(x))
    gain = 0.5 * float(g @ g) * 0.2 / 4.0
    stated.append(Test("change of 4L over the step 2D/lmax, p = 0.2", change, 0.0, error, "at most", scale=gain))
    scale, mixed = np.geomspace(1.0, 8.0, d), QuadraticForm(np.geomspace(1.0, 8.0, d))
    best, error, _ = _best_step(mixed, x, 0.5, pairs, run.generator(11))
    exact = theory.best_step(mixed.gradient(x), 0.25, scale)
    corrected.append(Test("best step, curvatures 1 to 8", best / exact, 1.0, error / exact))
    V = QuadraticForm(np.full(d, 2.0))
    for D in (0.1, 1.0):
        z = math.sqrt(2.0 * D * 0.01) * run.generator(12).standard_normal((pairs, d))
        one, two = (
            0.5 * (V(x - eta * V.gradient(x) + z) + V(x - eta * V.gradient(x) - z)) - V(x) for eta in (0.25, 0.75)
        )
        none = 0.5 * (V(x + z) + V(x - z)) - V(x)
        B = (two - none - 3.0 * (one - none)) / (0.5 * (0.75**2 - 3.0 * 0.25**2))
        A = (0.5 * B * 0.0625 - (one - none)) / 0.25
        best = float(A.mean() / B.mean())
        error = _mean(A - best * B)[1] / float(B.mean())
        corrected.append(Test(f"best step x lam, injected D = {D:g}", 2.0 * best, 1.0, 2.0 * error, numerical=ROUNDING))

    def figure(ax: Axes) -> None:
        p = np.linspace(0.05, 0.98, 200)
        for c, color in ((1.0, "C0"), (4.0, "C1")):
            unit = "L" if c == 1.0 else "4L"
            ax.plot(p, p / c, color=color, label=f"p/lam, loss {unit}")
            ax.plot(p, c * (1.0 - p) / (p * d), ":", color=color, label=f"2D/lmax, as stated, loss {unit}")
            points = np.array([(row[0], *row[2:]) for row in drawn if row[1] == c])
            ax.errorbar(points[:, 0], points[:, 1], 5 * points[:, 2], fmt="o", ms=5, color=color)
        ax.plot([], [], "ok", ms=5, label="measured")
        ax.set(yscale="log", ylim=(3e-3, 30), xlabel="p: signal in the gradient", ylabel="best step")
        ax.set(title="The same loss in two units")

    columns = ("loss", "best step", "stderr", "p/lam", "2D/lmax", "gain at best")
    return Evidence(stated, corrected, [Table("Best step", columns, tuple(rows))], figure)


def _minibatch_descent(
    lam: float, eta: float, batch: int, x: Array, n_steps: int, rng: np.random.Generator
) -> tuple[Array, tuple[float, float]]:
    """Descend on lam x^2/2 with gradients of minibatches; return x, the mean square of the random part of a step, its error.

    Examples have the gradient lam x + e - 1, e exponential (skewed, variance 1): the mean of a batch has a gamma law.
    """
    total = np.zeros(x.shape)
    for _ in range(n_steps):
        noise = rng.standard_gamma(batch, x.shape) / batch - 1.0
        total += (eta * noise) ** 2
        x = x - eta * (lam * x + noise)
    return x, _mean(total / max(n_steps, 1))


@claim(
    "shld.d-eff",
    "lr ~ sqrt(B) keeps the dynamics",
    formula=r"D_{\mathrm{eff}} = \frac{\eta^2\sigma^2}{B},\quad \eta\sim\sqrt{B}",
    statement="Minibatch noise acts as D_eff = lr^2 sigma^2/B; with lr proportional to sqrt(B) it stays fixed, and so do the "
    "dynamics. (The document calls this the linear scaling rule; it is the square-root rule.)",
    definitions="lr is the step, B the batch size, sigma^2 the variance of the gradient of one example. Dynamics: the "
    "stationary law, and the decay per step.",
    corrected="What stays fixed is the mean square of the random part of one step. A step also moves the drift by lr: the "
    "stationary variance is lr sigma^2/(B lam (2 - lr lam)), so that it is lr/B, the linear rule, that keeps the "
    "stationary law, up to a factor 1/(1 - lr lam/2), and the decay per example seen.",
    corrected_formula=r"\mathrm{Var}\,x = \frac{\eta\,\sigma^2}{B\,\lambda\,(2 - \eta\lambda)}"
    "\n"
    r"\frac{\eta}{B}\ \mathrm{fixed}",
    rule="Descent on x^2/2 with minibatches of examples whose gradients scatter exponentially, until stationary, from x = 1. The "
    "square-root rule, lr = 0.05, 0.1, 0.2 with B = 1, 4, 16: over B = 1, lr^2 sigma^2/B per step must stay (it does), and the "
    "stationary variance must; and the mean after 20 steps, less that at B = 1, is 0 (scale: the start, 1). Corrected: the "
    "variance over its formula, ratio 1, for these and for the linear rule lr = 0.05, 0.2, 0.8 (error: what the start leaves); "
    "variances times 1 - lr lam/2 over that at B = 1 under the linear rule, ratio 1; and the mean after 16 "
    "examples, B = 4 less B = 1, 0 (scale 1), up to the difference of (1 - lr)^n and exp(-n lr), exp(-n lr) n lr^2/(2 (1 - lr)).",
)
def d_eff(run: Run) -> Evidence:
    """Measure the stationary variance of minibatch descent under two scaling rules.

    With x' = (1 - lr lam) x - lr e, E e^2 = sigma^2/B: v = (1 - lr lam)^2 v + lr^2 sigma^2/B, hence v = lr sigma^2/(B lam
    (2 - lr lam)). In time t = lr times the number of steps the equation is dx = -lam x dt + sqrt(2D) dW with D = lr
    sigma^2/(2B), which sets the stationary law D/lam. B examples advance t by lr, that is lr/B each.
    """
    # ratios of two variances of nearly normal numbers: n > 2 (5 x 1.42/0.1)^2
    n_paths, lam, start = run.pick("paths", 20_000, 200_000), 1.0, 1.0
    rules = {"square root": ((1, 0.05), (4, 0.1), (16, 0.2)), "linear": ((1, 0.05), (4, 0.2), (16, 0.8))}
    stated, corrected, rows = [], [], []
    variance, decay, steps = {}, {}, {}
    for i, (B, eta) in enumerate(dict.fromkeys((*rules["square root"], *rules["linear"]))):
        rng, x, examples = run.generator(i), np.full(n_paths, start), 16 // B
        x, _ = _minibatch_descent(lam, eta, B, x, examples, rng)
        decay[B, eta, "16 examples"] = _mean(x)
        x, _ = _minibatch_descent(lam, eta, B, x, 20 - examples, rng)
        decay[B, eta, "20 steps"] = _mean(x)
        last = math.ceil(6.0 / (eta * lam))
        x, steps[B, eta] = _minibatch_descent(lam, eta, B, x, last, rng)
        value, error = variance[B, eta] = _mean(x * x)
        exact = theory.descent_variance(lam, 1.0, eta, B)
        left = (1.0 - eta * lam) ** (2 * (20 + last)) * (1.0 + start**2 / exact)
        label = f"variance/formula, B = {B}, lr = {eta:g}"
        corrected.append(Test(label, value / exact, 1.0, error / exact, numerical=left))
        means = (decay[B, eta, when][0] for when in ("20 steps", "16 examples"))
        rows.append((B, eta, steps[B, eta][0], value, error, exact, *means))

    def ratio(numbers: dict[Any, tuple[float, float]], B: int, eta: float) -> tuple[float, float]:
        """Return a number over that at B = 1, and its standard error."""
        (value, error), (one, of_one) = numbers[B, eta], numbers[1, 0.05]
        return value / one, value / one * math.hypot(error / value, of_one / one)

    def change(B: int, eta: float, when: str) -> tuple[float, float]:
        """Return a mean less that at B = 1, and its standard error."""
        (value, error), (one, of_one) = decay[B, eta, when], decay[1, 0.05, when]
        return value - one, math.hypot(error, of_one)

    for B, eta in rules["square root"][1:]:
        for name, numbers in (("lr^2 sigma^2/B", steps), ("variance", variance)):
            value, error = ratio(numbers, B, eta)
            stated.append(Test(f"{name}, B = {B}, over B = 1", value, 1.0, error))
        value, error = change(B, eta, "20 steps")
        stated.append(Test(f"mean after 20 steps, B = {B}, less B = 1", value, 0.0, error, scale=start))
    for B, eta in rules["linear"][1:]:
        value, error = ratio(variance, B, eta)
        factor = (1.0 - 0.5 * eta * lam) / (1.0 - 0.5 * 0.05 * lam)
        label = f"linear rule, variance x (1 - lr lam/2), B = {B}, over B = 1"
        corrected.append(Test(label, value * factor, 1.0, error * factor))
    value, error = change(4, 0.2, "16 examples")
    bias = sum(math.exp(-n * lr) * n * lr**2 / (2.0 * (1.0 - lr)) for n, lr in ((4, 0.2), (16, 0.05)))
    label = "linear rule, mean after 16 examples, B = 4, less B = 1"
    corrected.append(Test(label, value, 0.0, error, scale=start, numerical=bias))
    v1 = variance[1, 0.05][0]

    def figure(ax: Axes) -> None:
        B = np.geomspace(1.0, 20.0, 60)
        for name, power, color in (("square root", 0.5, "C1"), ("linear", 1.0, "C0")):
            line = [theory.descent_variance(lam, 1.0, 0.05 * float(b) ** power, float(b)) for b in B]
            ax.plot(B, line, color=color, label=f"{name} rule, formula")
            points = np.array([(b, *variance[b, eta]) for b, eta in rules[name]])
            ax.errorbar(points[:, 0], points[:, 1], 5 * points[:, 2], fmt="o", ms=5, color=color)
        ax.axhline(v1, ls=":", color="0.4", label="fixed, as stated for the square root")
        ax.plot([], [], "ok", ms=5, label="measured")
        ax.set(xscale="log", ylim=(0, None), xlabel="batch size B", ylabel="stationary variance")
        ax.set(title="lr = 0.05 at B = 1")

    columns = (
        "B",
        "lr",
        "lr^2 sigma^2/B",
        "variance",
        "stderr",
        "formula",
        "mean, 20 steps",
        "mean, 16 examples",
    )
    return Evidence(stated, corrected, [Table("Minibatch descent on x^2/2", columns, tuple(rows))], figure)


@claim(
    "shld.estimate-d",
    "D from variances",
    formula=r"D\approx\frac{1}{2}\mathrm{Var}(g)\quad D\approx\frac{1}{T}\mathrm{Var}(\theta_1\ldots\theta_T)",
    statement="D is estimated (1) by half the variance of minibatch gradients or (2) by the variance of the parameters along "
    "a path of T steps, over T.",
    definitions="D is that of the step theta' = theta - lr grad + sqrt(2 D dt) xi, with dt = 1, the document's default, for "
    "(2); for (1) the noise is that of the gradients, with which theta moves at random by lr^2 Var(g) in the time lr.",
    corrected="Quadratic variation: the sum of squared increments over 2dT, less the known drift; exact chi-square intervals. "
    "From gradients lr Var(g)/2. (2) is D (1 + 1/T)/3 on average for a free path and falls to 0 for a confined one.",
    corrected_formula=r"\hat D = \frac{1}{2 d T}\sum|\Delta x|^2,\quad D = \frac{\eta}{2}\mathrm{Var}(g)",
    rule="Paths of T = 10, 100 and 1000 steps with D = 0.25: free, and in the well k = 0.1, at rest. Mean of (2) over D on both, "
    "ratio 1; and (1) from 20 gradients at lr = 0.1 over the D with which descent with these gradients spreads, by the "
    "variance of 20 free steps. Corrected, for each T: mean quadratic variation over D, free, and confined with the drift "
    "taken off, ratio 1; confined without that, 1/(1 - k dt/2); the mean of (2) on free paths over D (1 + 1/T)/3. Coverage of "
    "95 % intervals, 0.925 or more (scale 1); lr Var(g)/2 over the spread; and (2)/D on the longest confined path, 0 "
    "(scale 1, as if it were right) up to 1/(k (1 - k/2) T), its stationary variance over T. Nothing else is in error but "
    "rounding: the laws of the chains are exact.",
)
def estimate_d(run: Run) -> Evidence:
    """Compare estimators of the diffusion constant on free and confined paths.

    On a random walk with steps of variance 2D, x_t - x_s has variance 2D|t - s|. The sample variance of T points is the
    mean of (x_t - x_s)^2/2 over pairs, D times the mean distance (T + 1)/3: over T, D (1 + 1/T)/3. It does not settle as T
    grows, for the path has one largest excursion. In a well it tends to D/k, over T to 0. Squared increments have the mean
    2 D dt + dt^2 E|b|^2 each, are independent up to the drift b, and n of them in d dimensions over 2 D dt are chi-square.
    """
    D, k, lengths = 0.25, 0.1, (10, 100, 1000)
    # (2) on a free path has a standard deviation of 0.9 of its mean: n > (5 x 0.9/0.1)^2
    n_paths, rng = run.pick("paths", 4_000, 20_000), run.generator(0)
    free = np.cumsum(math.sqrt(2.0 * D) * rng.standard_normal((lengths[-1], n_paths)), axis=0)
    rest = math.sqrt(theory.euler_variance(k, D, 1.0)) * run.generator(4).standard_normal(n_paths)
    well = Langevin(Harmonic(k), D)
    held = simulate(well, rest, 1.0, n_steps=lengths[-1] - 1, seed=run.stream(1), save_every=1).x
    found: dict[str, list[tuple[float, float]]] = {}
    for name, paths in (("free", free), ("confined", held)):
        found[f"Var/T, {name}"] = [_mean(paths[:t].var(axis=0, ddof=1) / t / D) for t in lengths]
        found[f"sum, {name}"] = [
            _mean((np.diff(paths[:t], axis=0) ** 2).sum(axis=0) / (2.0 * (t - 1)) / D) for t in lengths
        ]
    stated, corrected = [], []
    for i, T in enumerate(lengths):
        for name in ("free", "confined"):
            value, error = found[f"Var/T, {name}"][i]
            stated.append(Test(f"(2)/D, {name} path of {T}", value, 1.0, error))
        (value, error), factor = found["Var/T, free"][i], 3.0 / (1.0 + 1.0 / T)
        corrected.append(Test(f"(2)/(D (1 + 1/T)/3), free path of {T}", value * factor, 1.0, error * factor))
        value, error = found["sum, free"][i]
        corrected.append(Test(f"quadratic variation/D, free path of {T}", value, 1.0, error))
        (value, error), factor = found["sum, confined"][i], 1.0 - 0.5 * k
        label = f"quadratic variation (1 - k dt/2)/D, confined path of {T}"
        corrected.append(Test(label, value * factor, 1.0, error * factor))
        estimates = [diagnostics.diffusion_constant(x, 1.0, drift=-k * x) for x in held[:T, : n_paths // 4].T]
        value, error = _mean(np.array([e.D for e in estimates]) / D)
        corrected.append(Test(f"without the drift/D, confined path of {T}", value, 1.0, error))
        covered, error = _share(np.array([e.interval[0] <= D <= e.interval[1] for e in estimates]))
        corrected.append(
            Test(f"coverage of 95 % intervals, path of {T}", covered, HONEST, error, "at least", scale=1.0)
        )
    value, error = found["Var/T, confined"][-1]
    left = theory.euler_variance(k, D, 1.0) / (D * lengths[-1])
    corrected.append(Test("(2)/D, longest confined path", value, 0.0, error, scale=1.0, numerical=left))
    # descent with noisy gradients on a flat loss: 20 steps of size 0.1 take the time 2
    eta, scatter, d = 0.1, 2.0, 10
    # the squares scatter by sqrt(2/190) of their mean in a set, by sqrt(2/10) in a descent
    g = scatter * run.generator(2).standard_normal((run.pick("sets of gradients", 160, 1_600), 20, d))
    moved, rng = np.zeros((run.pick("descents", 1_600, 16_000), d)), run.generator(3)
    for _ in range(20):
        moved -= eta * scatter * rng.standard_normal(moved.shape)
    spread, spread_error = _mean((moved**2).mean(axis=1) / (2.0 * 20 * eta))
    said, said_error = _mean(np.array([diagnostics.diffusion_from_gradients_as_stated(s) for s in g]))
    right, right_error = _mean(np.array([diagnostics.diffusion_from_gradients(s, eta).D for s in g]))
    for tests, label, (value, error) in (
        (stated, "(1)/D at lr = 0.1", (said, said_error)),
        (corrected, "lr Var(g)/2 over D of the steps", (right, right_error)),
    ):
        ratio = value / spread
        tests.append(Test(label, ratio, 1.0, ratio * math.hypot(error / value, spread_error / spread)))

    def figure(ax: Axes) -> None:
        for name, fmt, ls in (("free", "o", "-"), ("confined", "s", "--")):
            for what, color, said in (("sum", "C0", "sum |dx|^2/(2T)"), ("Var/T", "C1", "Var/T, as stated")):
                value, error = np.array(found[f"{what}, {name}"]).T
                ax.errorbar(
                    lengths, value, 5 * error, fmt=fmt + ls, ms=5, mfc="none", color=color, label=f"{said}, {name}"
                )
        ax.axhline(1.0, lw=0.8, color="0.5")
        ax.axhline(1 / 3, ls=":", lw=0.8, color="0.5")
        ax.set(xscale="log", ylim=(0, 1.4), xlabel="steps T", ylabel="estimate/D", title="Mean over paths")

    rows = tuple((name, *(v for v, _ in values)) for name, values in found.items())
    columns = ("estimate/D", *(f"T = {t}" for t in lengths))
    return Evidence(stated, corrected, [Table("Mean over paths", columns, rows)], figure)


# -- noise that is raised ----


def _escapes(V: Potential, n_learners: int, n_steps: int, seed: Any, **settings: Any) -> tuple[Array, HarmonicLearner]:
    """Return the step at which each learner first stood beyond x = 0, from x = -1 (infinite if it did not), and the learners."""
    learner = HarmonicLearner(np.full((n_learners, 1), -1.0), seed=seed, **settings)
    record = learner.run(
        lambda x: V.gradient(x[:, 0])[:, None], n_steps, stop=lambda x: x[:, 0] > 0.0, save_every=n_steps
    )
    return np.where(record.stopped < 0, np.inf, record.stopped), learner


@claim(
    "shld.noise-assisted-escape",
    "ten times the noise, out at once",
    formula=r"C < \frac{1}{2}:\ D \to 10\,D",
    statement="In a double well, multiplying D by 10 when C < 0.5 turns 'stuck for more than 5000 steps in 90 % of runs' into "
    "'out within 100 steps in 95 % of runs'.",
    definitions="V = (x^2 - 1)^2/4, start at -1, out: beyond the saddle 0 after a step. lr = 0.01, D = 0.01 (the defaults), C = "
    "V'^2/D; from step 51 on D is raised for 10 steps, then restored. Two readings of the noise sqrt(2 D dt): dt = 1 as "
    "typed, and dt = lr, which makes D the temperature. 'Within 100 steps' is counted from step 50, where the rule begins.",
    corrected="With dt = 1 the temperature is D dt/lr = 1, four times the barrier, and nothing is ever stuck; with dt = lr "
    "everything is, and the rule does not help: it raises the noise at the bottom and at the top, where V' is small, and "
    "not on the slope between, which has to be climbed. Raised for good, ten times the noise divides the escape time by "
    "about exp(0.9 dE/D), and the time is still exp(0.1 dE/D)/(k0 lr) steps: at lr = 0.01 no D does both. The rule as "
    "written multiplies again at every step: it gets 95 % out by a factor of thousands, not of ten.",
    corrected_formula=r"\frac{\tau(D)}{\tau(10 D)} \approx e^{0.9\,\Delta E/D},\quad T = \frac{D\,dt}{\eta}",
    rule="Shares of learners, 'stuck' at least 0.9 and 'out' at least 0.95 (scale 1, as for all shares), in both readings. "
    "Corrected: the share out after 150 and 1000 steps, for both readings with and without the rule, for D = 0.03 with it and "
    "for D = 0.1 for good, against the exact law of the chain (quadrature on an interval with a far end at temperature T: error "
    "n exp(-V/T)); with the rule at D = 0.01 at most 0.1 out after 5000 steps, by that law: stuck, as the document counts; mean "
    "exit time at D = 0.1 simulated over quadrature, ratio 1 (error V''(a) dt, as in shld.kramers), and at D = 0.01 "
    "quadrature over half the Kramers time, ratio 1 (error 3 D); over D = 0.01, 0.02, ..., 0.32 at lr = 0.01, with the noise "
    "raised tenfold for good, the better of the two sentences misses, by exact law: the lesser excess is at most 0; and as "
    "written, at least 0.95 out by step 150, and the mean of log10 of the factor on D at the exit is at least 3 (scale 1), a "
    "thousand.",
)
def noise_assisted_escape(run: Run) -> Evidence:
    """Measure escapes with and without the boost, and find out when both sentences can hold.

    Kramers: tau = (1/k0) exp(dE/D) with k0 = sqrt(V''(a)|V''(b)|)/(2 pi), in steps tau/lr. Ten times the noise gives the
    exponent dE/(10 D): the ratio is exp(0.9 dE/D). 'Stuck for 5000 steps in 90 %' needs 5000 lr k0 exp(-dE/D) < 0.105, 'out
    within 100 steps in 95 %' 100 lr k0 exp(-dE/(10 D)) > 3: since k0 = 0.225 here the second needs lr > 0.13 even
    without a barrier. With D(x) the exponent is the integral of V'/D(x) (Ito), to which the parts of the slope
    with V'^2 > D/2 contribute V'/D: almost all of dE.
    """
    V, eta, D = DoubleWell(), 0.01, 0.01
    # shares: n > (5 x 0.5/0.1)^2, and 0.3 for the share stuck
    n, many = run.pick("learners", 1_000, 10_000), run.pick("learners for 5000 steps", 400, 4_000)
    kinds: dict[str, dict[str, Any]] = {
        "dt = 1, no boost": {"D": D, "dt": 1.0},
        "dt = 1, boost": {"D": D, "dt": 1.0, "boost": 10.0},
        "dt = lr, no boost": {"D": D, "dt": eta},
        "dt = lr, boost": {"D": D, "dt": eta, "boost": 10.0},
        "dt = lr, D = 0.03, boost": {"D": 0.03, "dt": eta, "boost": 10.0},
        "dt = lr, 10 D for good": {"D": 10 * D, "dt": eta},
    }
    law, seen, ends = {}, {}, {}
    for i, (name, kind) in enumerate(kinds.items()):
        low = -7.0 if kind["dt"] == 1.0 else -2.5 if kind["D"] == 0.03 else -2.0
        ends[name] = math.exp(-float(V(low)) * eta / (kind["D"] * kind["dt"] * kind.get("boost", 1.0)))
        length = 1000 if "0.03" in name else 5000
        law[name] = 1.0 - theory.descent_survival(V, -1.0, (low, 0.0), eta, n_steps=length, **kind)
        seen[name] = _escapes(V, n, 1000, run.stream(i), learning_rate=eta, **kind)[0]
    stated, corrected = [], []
    rows: list[tuple[Any, ...]] = []
    for i, reading in enumerate(("dt = 1", "dt = lr")):
        late = _escapes(V, many, 5000, run.stream(10 + i), learning_rate=eta, **kinds[f"{reading}, no boost"])[0]
        label = f"{reading}: stuck after 5000 steps, no boost"
        stuck, error = _share(late > 5000)
        stated.append(Test(label, stuck, 0.9, error, "at least", scale=1.0))
        out, error = _share(seen[f"{reading}, boost"] <= 150)
        stated.append(Test(f"{reading}: out within 100 steps, boost", out, 0.95, error, "at least", scale=1.0))
    for name in kinds:
        for steps in (150, 1000):
            share, p = float((seen[name] <= steps).mean()), min(max(float(law[name][steps]), 0.0), 1.0)
            error = max(math.sqrt(p * (1.0 - p) / n), 1.0 / n)  # of the exact law: counts may be small
            rows.append((name, steps, share, error, p))
            label, wrong = f"out by step {steps}, {name}", steps * ends[name]
            corrected.append(Test(label, share, law[name][steps], error, scale=1.0, numerical=wrong))
    out, wrong = float(law["dt = lr, boost"][5000]), 5000 * ends["dt = lr, boost"]
    label = "out by step 5000, D = 0.01, boost, exact law"
    corrected.append(Test(label, out, 0.1, 0.0, "at most", scale=1.0, numerical=wrong))
    step = 1 / 256
    # exponential times: n > (5/0.092)^2
    exits = first_passage(Langevin(V, 10 * D), -1.0, LEFT, step, run.pick("exits", 5_000, 40_000), seed=run.stream(20))
    times = {s: float(theory.mean_exit_time(Langevin(V, s), -1.0, LEFT)) for s in (D, 10 * D)}
    value, error = exits.mean() / times[10 * D], exits.stderr() / times[10 * D]
    corrected.append(Test("mean exit time at 10 D, simulated/quadrature", value, 1.0, error, numerical=2.0 * step))
    value = 2.0 * times[D] * theory.eyring_kramers_rate(Langevin(V, D), -1.0, 0.0)
    corrected.append(Test("mean exit time at D, quadrature x 2 x Kramers rate", value, 1.0, numerical=3.0 * D))
    excess, wrong = [], 0.0
    for s in D * 2.0 ** np.arange(6):
        stuck = float(theory.descent_survival(V, -1.0, (-2.5, 0.0), eta, s, 5000)[-1])
        out = 1.0 - float(theory.descent_survival(V, -1.0, (-7.0, 0.0), eta, 10 * s, 100)[-1])
        excess.append(min(stuck - 0.9, out - 0.95))
        wrong = max(wrong, 5000 * math.exp(-float(V(-2.5)) / s), 100 * math.exp(-float(V(-7.0)) / (10 * s)))
    label = "best of both sentences at lr = 0.01, any D"
    corrected.append(Test(label, max(excess), 0.0, 0.0, "at most", scale=1.0, numerical=wrong))
    written, learner = _escapes(
        V, n, 150, run.stream(30), learning_rate=eta, D=D, dt=eta, boost=10.0, rule="as written"
    )
    value, error = _mean(np.log10(learner.D[np.isfinite(written)] / D))
    label = "as written: log10 of the factor at the exit"
    corrected.append(Test(label, value, 3.0, error, "at least", scale=1.0))
    share, error = _share(written <= 150)
    corrected.append(Test("as written: out within 100 steps", share, 0.95, error, "at least", scale=1.0))
    rows.append(("dt = lr, boost as written", 150, share, error, "-"))

    def figure(axes: Any) -> None:
        left, right = axes
        steps = np.arange(1, 5001)
        for name, color, label in (
            ("dt = 1, no boost", "C3", "dt = 1, no boost"),
            ("dt = lr, no boost", "C0", "dt = lr, no boost"),
            ("dt = lr, boost", "C2", "dt = lr, boost where C < 1/2"),
            ("dt = lr, 10 D for good", "C1", "dt = lr, 10 D for good"),
        ):
            left.plot(steps, law[name][1:], color=color, label=label)
            at = np.array([60, 100, 200, 400, 1000])
            left.plot(at, [(seen[name] <= k).mean() for k in at], "o", ms=4, color=color)
        at = np.arange(55, 151, 8)
        left.plot(at, [(written <= k).mean() for k in at], "x:", color="0.4", label="boost as written")
        left.plot([150], [0.95], "k^", ms=8, label="stated with boost: above")
        left.plot([5000], [0.1], "kv", ms=8, label="stated without: below")
        left.set(xscale="log", xlim=(0.4, 6500), ylim=(-0.03, 1.03), xlabel="step", ylabel="share out of the well")
        left.set_title("Lines: exact law. Points: learners")
        x = np.linspace(-1.45, 0.25, 400)
        right.plot(x, V(x), color="0.2")
        low = V.gradient(x) ** 2 / D < 0.5
        right.fill_between(x, 0.0, 0.45, where=low, color="C2", alpha=0.3, label="noise is raised: C < 1/2")
        right.set(xlabel="x", ylabel="V", ylim=(-0.01, 0.45), title="Where the rule raises the noise, D = 0.01")

    columns = ("learners", "step", "share out", "stderr", "exact law")
    return Evidence(stated, corrected, [Table("Out of the well", columns, tuple(rows))], figure, panels=2)


@claim(
    "shld.optimizer",
    "the optimiser restores its noise",
    formula=r"\theta' = \theta - \eta\,g + \sqrt{2 D\,dt}\,\xi,\quad C < \frac{1}{2}:\ D \to 5\,D",
    statement="Stochastic harmonic learning is noisy descent that multiplies D by 5 when C < 0.5 and restores it after about "
    "10 steps.",
    definitions="Defaults: dt = 1, lr = .01, D = .01, threshold .5, after step 50. As written the rule multiplies at every "
    "step with C < 0.5 and then restores the value that it has multiplied. Usage example: d = 10, lr = .01, D = .001.",
    corrected="An optimiser (HarmonicLearner) that opens one window at a time and restores D to the bit after it. Its "
    "temperature is D dt/lr, not D: with the defaults a hundred times D. Descent on k x^2/2 has the variance D dt/(lr k (1 - "
    "lr k/2)), and with noise raised at all times five times that; the rule ends between the two.",
    corrected_formula=r"\mathrm{Var}\,x = \frac{D\,dt}{\eta\,k\,(1 - \eta k/2)},\quad T = \frac{D\,dt}{\eta}",
    rule="Usage example on |x|^2/2, dt = lr, with the rule as written, 120 steps: D over D at the start must be 1 or, in an open "
    "window, 5: the largest over learners at most 5. Corrected, same settings: that largest value is 5; D after a window "
    "over D is 1, to the bit, and 5 within (rounding 1e-9); runs of raised steps are multiples of 10 long: the "
    "remainder is 0 (scale 1); stationary E x^2 without boost over its formula, ratio 1, for dt = lr and dt = 1, and with "
    "momentum 0.5; and with the rule, E x^2 over that formula is at least 1 and at most 5. The laws of the chains are exact; "
    "the start leaves max((1 - lr k)^2, momentum)^n.",
)
def optimizer(run: Run) -> Evidence:
    """Follow D through windows, as written and restored, and compare stationary variances.

    x' = (1 - lr k) x + sqrt(2 D dt) xi has the stationary variance v = (1 - lr k)^2 v + 2 D dt, v = D dt/(lr k (1 - lr
    k/2)): Euler's chain at the temperature T = D dt/lr. When D varies between D and 5 D as the past alone decides, the noises
    still are uncorrelated, so that v is the formula with a weighted mean of the D of each step, between D and 5 D.
    """
    n = run.pick("learners", 500, 5_000)
    V = QuadraticForm(np.ones(10))
    usage: dict[str, Any] = {"learning_rate": 0.01, "D": 0.001, "boost": 5.0}
    start = np.full((n, 10), 0.01)
    factors, learners = {}, {}
    for i, rule in enumerate(("as written", "restored")):
        learner = HarmonicLearner(start, rule=rule, seed=run.stream(i), dt=0.01, **usage)
        record = learner.run(V.gradient, 120)
        factors[rule], learners[rule] = record.D / 0.001, learner
    largest = {rule: float(factor.max()) for rule, factor in factors.items()}
    stated = [Test("largest D/D_0, as written", largest["as written"], 5.0, 0.0, "at most", numerical=5.0 * ROUNDING)]
    # at rest C = 0: a window opens at once, for ten steps; with a large gradient the next step opens none
    learner = HarmonicLearner([0.0], 0.1, 0.3, dt=0.1, boost=5.0, warm_up=-1, seed=run.stream(2))
    inside = []
    for _ in range(10):
        learner.step([0.0])
        inside.append(learner.D)
    after = inside[-1]
    edges = np.diff(np.pad(factors["restored"] > 1.0, ((1, 1), (0, 0))).astype(int), axis=0).T
    lengths = [
        end - start
        for e in edges
        for start, end in zip(np.flatnonzero(e == 1), np.flatnonzero(e == -1), strict=True)
        if end < 120
    ]
    corrected = [
        Test("largest D/D_0, restored", largest["restored"], 5.0, numerical=5.0 * ROUNDING),
        Test("D after the window/D_0", after / 0.3, 1.0),
        Test("D within the window/D_0, least", min(inside[:9]) / 0.3, 5.0, numerical=5.0 * ROUNDING),
        Test("steps raised in a row, remainder of 10, largest", float(max(n % 10 for n in lengths)), 0.0, scale=1.0),
    ]
    # variances of normal numbers: n > (5 x 1.42/0.1)^2
    rows, many = [], run.pick("learners for variances", 8_000, 80_000)
    descents: tuple[tuple[str, float, dict[str, Any]], ...] = (
        ("dt = lr, k = 4", 4.0, {"learning_rate": 0.1, "D": 0.1, "dt": 0.1}),
        ("dt = 1, k = 1", 1.0, {"learning_rate": 0.05, "D": 0.01, "dt": 1.0}),
        ("momentum 0.5, k = 4", 4.0, {"learning_rate": 0.05, "D": 0.1, "dt": 0.05, "momentum": 0.5}),
        ("rule, k = 4", 4.0, {"learning_rate": 0.1, "D": 0.1, "dt": 0.1, "boost": 5.0}),
    )
    for i, (name, k, settings) in enumerate(descents):
        well = QuadraticForm(np.array([k]))
        learner = HarmonicLearner(np.zeros((many, 1)), seed=run.stream(3 + i), **settings)
        x = learner.run(well.gradient, 160, save_every=160).final[:, 0]
        value, error = _mean(x * x)
        # the noise lr s xi of gradient descent is sqrt(2 D dt) xi
        s = math.sqrt(2.0 * settings["D"] * settings["dt"]) / settings["learning_rate"]
        exact = theory.descent_variance(k, s, settings["learning_rate"], momentum=settings.get("momentum", 0.0))
        rows.append((name, value, error, exact, float(settings["D"])))
        ratio, error = value / exact, error / exact
        left = max((1.0 - settings["learning_rate"] * k) ** 2, settings.get("momentum", 0.0)) ** 160
        if "boost" not in settings:
            corrected.append(Test(f"E x^2/formula, {name}", ratio, 1.0, error, numerical=left))
        else:
            for relation, bound in (("at least", 1.0), ("at most", 5.0)):
                label = f"E x^2/formula without the rule, {name}"
                corrected.append(Test(label, ratio, bound, error, relation, numerical=left))

    def figure(ax: Axes) -> None:
        for rule, color in (("as written", "C1"), ("restored", "C0")):
            ax.plot(factors[rule][:, 0], color=color, label=f"{rule}, one learner")
            ax.plot(factors[rule].mean(axis=1), "--", color=color, label=f"{rule}, mean of {n}")
        ax.axvline(50, ls=":", color="0.5")
        ax.set(yscale="log", xlabel="step", ylabel="D/D_0", title="Noise of the optimiser, d = 10", ylim=(0.7, 1e4))

    columns = ("descent", "E x^2", "stderr", "formula", "D")
    return Evidence(stated, corrected, [Table("Stationary variance", columns, tuple(rows))], figure)


# -- free energy ----


def _two_basins_energy(x, p):
    left, right = 0.5 * p[0] * (x + p[2]) ** 2, 0.5 * p[1] * (x - p[2]) ** 2
    least = min(left, right)
    return least - p[3] * np.log(np.exp((least - left) / p[3]) + np.exp((least - right) / p[3]))


def _two_basins_gradient(x, p):
    left, right = 0.5 * p[0] * (x + p[2]) ** 2, 0.5 * p[1] * (x - p[2]) ** 2
    least = min(left, right)
    a, b = np.exp((least - left) / p[3]), np.exp((least - right) / p[3])
    return (a * p[0] * (x + p[2]) + b * p[1] * (x - p[2])) / (a + b)


@claim(
    "shld.entropy-sign",
    "plus entropy favours broad basins",
    formula=r"L[p] = \mathrm{E}_p V + \lambda\,S[p],\quad S[p] = -\int p\,\ln p",
    statement="Adding +lambda times the entropy to the loss favours broad basins.",
    definitions="The loss is minimised. Basins: two wells of equal depth, curvatures 16 and 1; the laws compared are normal, of "
    "the widths that the noise D gives them, and any mixture of the two. lambda = D.",
    corrected="The sign is minus. The Gibbs law minimises the free energy E V - D S, which falls along every solution of the "
    "Fokker-Planck equation (H-theorem), down to -D ln Z; a basin of curvature k gets weight in proportion to 1/sqrt(k).",
    corrected_formula=r"F[p] = \mathrm{E}_p V - D\,S[p]"
    "\n"
    r"\frac{dF}{dt} = -\int p\,|\nabla V + D\,\nabla\ln p|^2 \leq 0",
    rule="E V + lambda S of the broad less that of the narrow basin, at most 0 as stated. Corrected: the same with -D S; the "
    "share beyond the barrier of a simulation from either well, against the grid at t = 1 and 10, and the grid's at t = 100 "
    "against the exact share of the mixture, 0.8 but for the tails (scale 1 for shares); F of the Gibbs law over -D ln Z, "
    "ratio 1; F of four other laws less F of Gibbs, at least 0; the largest rise of F over 60 times along a solution, at most "
    "0; and the slope of F over -D times the entropy production of the grid, ratio 1, at t = 0.1, 1, 10. Scale of differences "
    "of F: (D/2) ln 16, what the entropy is worth. Numerical error: half the cells, for slopes times twice as far apart, "
    "rounding (1e-9), and for the simulation Euler's chain of twice the step, whose law is computed by quadrature.",
)
def entropy_sign(run: Run) -> Evidence:
    """Compare both signs on two basins and follow the free energy in time.

    dF/dt with p' = div(p grad V + D grad p) = div(p grad mu), mu = V + D ln p: dF/dt = int mu p' = -int p |grad mu|^2. It
    vanishes for constant mu only, p = exp(-V/D)/Z, where F = -D ln Z. The normal law of width s = sqrt(D/k) in a well k has
    E V = D/2 whatever k is, and S = ln(2 pi e D/k)/2: with +S the narrow one is lower, with -S the broad one, by (D/2)
    ln(k1/k2). V = -D ln(exp(-k1 (x + c)^2/2D) + exp(-k2 (x - c)^2/2D)) makes the Gibbs law exactly a mixture, with
    weights 1/sqrt(k): 0.2 and 0.8.
    """
    D, narrow, broad, c = 0.1, 16.0, 1.0, 0.5
    V = Potential(_two_basins_energy, _two_basins_gradient, (narrow, broad, c, D), name="two basins")
    model = Langevin(V, D)
    gain, top = 0.5 * D * math.log(narrow / broad), -0.6 * c
    exact = 0.8 * (1.0 - _cdf((top - c) / math.sqrt(D / broad))) + 0.2 * (1.0 - _cdf((top + c) / math.sqrt(D / narrow)))
    fine, coarse = (_TwoBasins(model, narrow, broad, c, top, cells) for cells in (500, 250))
    wrong = {name: abs(value - coarse.numbers[name]) + ROUNDING * abs(value) for name, value in fine.numbers.items()}
    numbers, solver = fine.numbers, fine.solver
    x = solver.grid.x

    def below(name: str) -> Test:
        return Test(f"{name}, broad less narrow", numbers[name], 0.0, 0.0, "at most", scale=gain, numerical=wrong[name])

    stated, corrected = [below("E V + D S")], [below("E V - D S")]
    n_paths, dt = run.pick("paths from each well", 1_000, 10_000), 1 / 512  # shares: n > (5 x 0.5/0.1)^2
    start = np.repeat([-c, c], n_paths)
    paths = simulate(model, start, dt, 10.0, seed=run.stream(0), save_every=512).x
    for length in (1, 10):
        bias = np.abs(euler.step_error(model, x, [-c, c], dt, 512 * length)[:, x > top].sum(axis=1))
        for i, name in enumerate(("narrow", "broad")):
            share, error = _share(paths[length, i * n_paths : (i + 1) * n_paths] > top)
            number = f"P(broad) at t = {length}, from the {name} well"
            amiss = wrong[number] + float(bias[i])
            corrected.append(Test(number, share, numbers[number], error, scale=1.0, numerical=amiss))
    number = "P(broad) at t = 100, from the narrow well"
    corrected.append(Test(f"{number}, grid", numbers[number], exact, scale=1.0, numerical=wrong[number]))
    least = -D * float(theory.log_partition_function(model))
    value, amiss = numbers["F of Gibbs"] / least, wrong["F of Gibbs"] / abs(least)
    corrected.append(Test("F of Gibbs/(-D ln Z)", value, 1.0, numerical=amiss))
    for name in fine.laws:
        label = f"F of {name} less F of Gibbs"
        corrected.append(Test(label, numbers[label], 0.0, 0.0, "at least", scale=gain, numerical=wrong[label]))
    times = np.geomspace(0.02, 100.0, 60)
    F = np.array([float(solver.free_energy(p)) for p in solver.propagate(-c, times)])
    rise, amiss = float(np.diff(F).max()), ROUNDING * float(np.abs(F).max())
    corrected.append(Test("largest rise of F in time", rise, 0.0, 0.0, "at most", scale=gain, numerical=amiss))
    rows = []
    for t in (0.1, 1.0, 10.0):
        ends = solver.propagate(-c, t * (1.0 + 1e-3 * np.array([-1.0, -0.5, 0.0, 0.5, 1.0])))
        energy = [float(solver.free_energy(p)) for p in ends]
        slope, closer = (energy[4] - energy[0]) / (2e-3 * t), (energy[3] - energy[1]) / (1e-3 * t)
        loss = -D * float(solver.entropy_production(ends[2]))
        amiss = (abs(slope - closer) + ROUNDING * abs(energy[2]) / (1e-3 * t)) / abs(loss)
        corrected.append(Test(f"dF/dt over its formula, t = {t:g}", closer / loss, 1.0, numerical=amiss))
        rows.append((t, energy[2], closer, loss))
    gibbs, laws, parts = solver.steady_state(), fine.laws, fine.parts
    (e1, s1), (e2, s2) = parts(laws["narrow"]), parts(laws["broad"])

    def figure(axes: Any) -> None:
        left, right = axes
        left.plot(x, V(x), color="0.2", label="V")
        left.fill_between(x, 0.0, 0.3 * gibbs, color="C0", alpha=0.4, label="Gibbs law x 0.3")
        left.set(xlim=(-1.0, 2.0), ylim=(-0.1, 0.8), xlabel="x", ylabel="V", title="Broad basin: weight 0.8")
        w = np.linspace(0.0, 1.0, 101)
        laws_of = [parts((1 - s) * laws["narrow"] + s * laws["broad"]) for s in w]
        for sign, label, color in ((1.0, "E V + D S, as stated", "C1"), (-1.0, "E V - D S", "C0")):
            value = np.array([e + sign * D * s for e, s in laws_of])
            right.plot(w, value - value[0], color=color, label=label)
            right.plot(w[value.argmin()], value.min() - value[0], "o", ms=8, color=color)
        right.plot([], [], "ok", label="minimum")
        right.set(xlabel="weight of the broad basin", ylabel="less that of the narrow one", title="What is minimised")

    table = Table("Free energy from the narrow well", ("t", "F", "dF/dt", "-D x entropy production"), tuple(rows))
    gains = Table(
        "Normal laws", ("basin", "E V", "S"), (("narrow", e1, s1), ("broad", e2, s2), ("D/2 ln(16)", gain, 0.0))
    )
    return Evidence(stated, corrected, [table, gains], figure, panels=2)


class _TwoBasins:
    """Laws on a grid over the narrow and the broad basin, and the numbers of them that the claim is about."""

    def __init__(self, model: Langevin, narrow: float, broad: float, c: float, top: float, cells: int) -> None:
        self.solver = solver = FokkerPlanck(model, Grid(-2.0, 3.0, cells))
        self.D = float(model.D)  # type: ignore[arg-type]
        x, dx = solver.grid.x, float(solver.grid.dx)
        weights = {
            "narrow": np.exp(-0.5 * narrow * (x + c) ** 2 / self.D),
            "broad": np.exp(-0.5 * broad * (x - c) ** 2 / self.D),
            "Gibbs at 2D": np.exp(-model.potential(x) / (2.0 * self.D)),
        }
        self.laws: dict[str, Array] = {name: np.asarray(p / (p.sum() * dx)) for name, p in weights.items()}
        self.laws["half and half"] = 0.5 * self.laws["narrow"] + 0.5 * self.laws["broad"]
        (e1, s1), (e2, s2) = self.parts(self.laws["narrow"]), self.parts(self.laws["broad"])
        least = float(solver.free_energy(solver.steady_state()))
        self.numbers = {
            "E V + D S": e2 - e1 + self.D * (s2 - s1),
            "E V - D S": e2 - e1 - self.D * (s2 - s1),
            "F of Gibbs": least,
        }
        for name, p in self.laws.items():
            self.numbers[f"F of {name} less F of Gibbs"] = float(solver.free_energy(p)) - least
        for name, start in (("narrow", -c), ("broad", c)):
            for t in (1, 10, 100):
                inside = np.asarray(solver.propagate(start, float(t)))[x > top]
                self.numbers[f"P(broad) at t = {t}, from the {name} well"] = float(inside.sum()) * dx

    def parts(self, p: Array) -> tuple[float, float]:
        """Return E V and S of a density."""
        energy = float(self.solver.mean(p, self.solver.model.potential))
        return energy, (energy - float(self.solver.free_energy(p))) / self.D


def _cdf(z: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


# -- metrics and momentum ----


def _inverse_metric(x, p):
    return 1.0 / (1.0 + 3.0 * x * x)


def _inverse_metric_slope(x, p):
    m = 1.0 / (1.0 + 3.0 * x * x)
    return -6.0 * x * m * m


def _natural_drift(x, p):
    return -p[0] * x * x * x / (1.0 + 3.0 * x * x)


def _natural_noise(x, p):
    return np.sqrt(2.0 * p[1] / (1.0 + 3.0 * x * x))


@claim(
    "shld.natural-gradient",
    "natural gradient keeps C stable",
    formula=r"d\theta = -G^{-1}\nabla V\,dt + \sqrt{2 D\,G^{-1}}\,dW,\quad C = \frac{|\nabla V|^2}{D\,d}",
    statement="Preconditioning by a metric G keeps the consolidation ratio C stable.",
    definitions="Stable: the same in every parametrisation, and with the same law as without the metric. Here V = x^4/4, D = "
    "0.25, G = 1 + 3 x^2; charts y = sinh x, and a linear one in three dimensions.",
    corrected="C is the same in every chart only if the metric enters it: grad V.G^-1 grad V/(D d). Preconditioned noise "
    "needs the drift D div G^-1 (Ito), else the law is not Gibbs; with it the law of C is that without the metric: "
    "preconditioning makes it neither larger nor steadier.",
    corrected_formula=r"C_G = \frac{\nabla V\cdot G^{-1}\nabla V}{D\,d},\quad "
    r"dX = -G^{-1}\nabla V\,dt + D\,\nabla\cdot G^{-1}\,dt + \sqrt{2 D\,G^{-1}}\,dW",
    rule="C in the chart over C in x, at five points, must be 1 (the worst counts); and the stationary E x^2 and E C of the "
    "natural-gradient equation as stated over those of the Gibbs law, 1. Corrected: C_G in the chart over C_G in x at the same "
    "points, in one and three dimensions (rounding 1e-9); E x^2, E x^4, E C with the drift over Gibbs; E C_G over E[(G^-1 "
    "V')'] by quadrature; all ratios 1. Numerical error of these means: Euler's chain of twice the step, whose law is computed "
    "by quadrature.",
)
def natural_gradient(run: Run) -> Evidence:
    """Compare C in two charts, and the stationary laws of the preconditioned equation with and without its drift.

    In y = f(x) with Jacobian J the gradient is J^-T grad V and G^-1 becomes J G^-1 J^T: the quadratic form C_G stays, |grad
    V|^2 does not. The density of dX = -M V' dt + sqrt(2 D M) dW (Ito) solves M V' p + D (M p)' = 0, p = exp(-V/D)/M; the drift
    D M' turns the second term into M D p', and p = exp(-V/D). Parts: E[V' M V'] = D E[(M V')'], so that E C_G is that mean.
    """
    D, dt = 0.25, 1 / 128
    V = Quartic()
    model = Langevin(V, D)
    points = np.array([-1.5, -0.6, 0.3, 0.9, 2.0])
    M = _inverse_metric(points, ())
    plain, metric = theory.consolidation_ratio(model, points), theory.metric_consolidation_ratio(model, points, M)
    # y = sinh x: V(arsinh y), by the chain rule V'/f', and M f'^2
    chart = Langevin(Potential(_chart_energy, _chart_gradient, (), minima=[0.0], saddles=[], name="chart"), D)
    y, stretch = np.sinh(points), np.cosh(points)
    plain_ratio = theory.consolidation_ratio(chart, y) / plain
    metric_ratio = theory.metric_consolidation_ratio(chart, y, M * stretch**2) / metric
    worst = [float(r[np.argmax(np.abs(r - 1.0))]) for r in (plain_ratio, metric_ratio)]
    stated = [Test("C in the chart/C, worst of five points", worst[0], 1.0, numerical=ROUNDING)]
    corrected = [Test("C_G in the chart/C_G, worst of five points", worst[1], 1.0, numerical=ROUNDING)]
    # three dimensions, y = A x: H -> A^-T H A^-1, M -> A M A^T
    rng, H = np.random.default_rng(7), np.array([1.0, 2.0, 5.0])
    A, point = np.eye(3) + 0.5 * rng.standard_normal((3, 3)), np.array([1.0, -0.5, 0.3])
    g, weights = H * point, np.diag([1.0, 0.4, 0.1])
    there = np.linalg.solve(A.T, g)
    before = float(theory.metric_consolidation_ratio(Langevin(QuadraticForm(H), D), point, weights))
    after = float(there @ (A @ weights @ A.T) @ there) / (3 * D)
    corrected.append(Test("C_G in a linear chart/C_G, d = 3", after / before, 1.0, numerical=ROUNDING))
    # C has a standard deviation of 3.2 times its mean: n > (5 x 3.2/(0.1 - 0.02))^2. What the start leaves is below exp(-14)
    # (spectrum)
    n_paths, length = run.pick("paths", 60_000, 200_000), 16.0
    right = Preconditioned(V, D, _inverse_metric, derivative=_inverse_metric_slope)
    naive = Diffusion(_natural_drift, _natural_noise, (1.0, D), interpretation="ito")
    half = Diffusion(_natural_drift, _natural_noise, (1.0, D), interpretation="stratonovich")
    ends = {
        name: simulate(m, 0.5, dt, length, n, seed=run.stream(i)).final
        for i, (name, m, n) in enumerate(
            (("stated", naive, n_paths), ("with drift", right, n_paths), ("Stratonovich", half, n_paths // 10))
        )
    }
    square, fourth = (float(theory.gibbs_expectation(model, f)) for f in (lambda x: x**2, lambda x: x**4))
    curvature = float(theory.mean_curvature(model))
    average = float(
        theory.gibbs_expectation(model, lambda x: 3 * x**2 / (1 + 3 * x**2) - 6 * x**4 / (1 + 3 * x**2) ** 2)
    )
    z = np.linspace(-2.6, 2.6, 521)
    drifts = {
        "stated": lambda y: _natural_drift(y, (1.0, D)),
        "with drift": lambda y: _natural_drift(y, (1.0, D)) + D * _inverse_metric_slope(y, ()),
    }
    amiss = {}
    for name, b in drifts.items():
        of_step, of_two = (
            euler.law(b, lambda y: _natural_noise(y, (1.0, D)), z, 0.5, h, round(length / h))[0] for h in (dt, 2.0 * dt)
        )
        amiss[name] = of_step - of_two

    def means(x: Array) -> dict[str, tuple[Any, float]]:
        """Return what the claim averages, and the averages under Gibbs."""
        return {
            "E x^2": (x**2, square),
            "E x^4": (x**4, fourth),
            "E C": (theory.consolidation_ratio(model, x), curvature),
            "E C_G": (theory.metric_consolidation_ratio(model, x, _inverse_metric(x, ())), average),
        }

    rows, on_nodes = [], means(z)
    for name, x in ends.items():
        for what, (sample, exact) in means(x).items():
            ratio, error = _mean(sample / exact)
            rows.append((name, what, ratio, error))
            if name not in amiss:
                continue
            bias = abs(float(amiss[name] @ on_nodes[what][0])) / exact
            if name == "with drift":
                corrected.append(Test(f"{what} with the drift/Gibbs", ratio, 1.0, error, numerical=bias))
            elif what in ("E x^2", "E C"):
                stated.append(Test(f"{what} as stated/Gibbs", ratio, 1.0, error, numerical=bias))

    def figure(axes: Any) -> None:
        left, other = axes
        z = np.linspace(-2.4, 2.4, 300)
        density = theory.gibbs_density(model)
        weight = np.asarray(density(z)) * (1 + 3 * z**2)
        left.plot(z, density(z), color="C0", label="Gibbs")
        left.plot(z, weight / (weight.sum() * (z[1] - z[0])), ":", color="C1", label="exp(-V/D) G")
        edges = np.linspace(-2.4, 2.4, 49)
        for name, color, marker in (("with drift", "C0", "o"), ("stated", "C1", "s")):
            counts = np.histogram(ends[name], edges)[0] / n_paths / np.diff(edges)
            left.plot(0.5 * (edges[1:] + edges[:-1]), counts, marker, ms=3, color=color, label=f"simulated, {name}")
        left.set(xlabel="x", ylabel="p(x)", ylim=(0, 0.8), title="V = x^4/4, G = 1 + 3x^2")
        line = np.linspace(-2.0, 2.0, 200)
        other.plot(line, 1 / np.cosh(line) ** 2, ":", color="C1", label="C, as stated")
        other.plot(line, np.ones_like(line), color="C0", label="C with the metric")
        other.plot(points, plain_ratio, "s", color="C1", ms=6)
        other.plot(points, metric_ratio, "o", color="C0", ms=6)
        other.set(
            xlabel="x", ylabel="value in y = sinh x / value in x", ylim=(0, 1.2), title="The same point, two charts"
        )

    table = Table("Stationary means over those of Gibbs", ("equation", "mean", "ratio", "stderr"), tuple(rows))
    return Evidence(stated, corrected, [table], figure, panels=2)


def _chart_energy(y, p):
    return 0.25 * np.arcsinh(y) ** 4


def _chart_gradient(y, p):
    return np.arcsinh(y) ** 3 / np.sqrt(1.0 + y * y)


def _inertial_rate(
    V: Potential, D: float, friction: float, dt: float, guess: float, n_paths: int, seed: Any
) -> tuple[float, float]:
    """Return the rate from well to well of paths with inertia, and its standard error.

    E sign(-X_t) falls as exp(-2 k t) once motion within a well has died: two times tell k. The later is 0.2/k by the guess,
    where the standard error is 2.8 k/sqrt(n).
    """
    settle = math.ceil((20.0 + 3.0 / friction + 2.0 * friction) / dt)
    pieces = 1 + math.ceil(0.2 / guess / dt / settle)
    model = Underdamped(V, D, friction)
    run = simulate(model, -1.0, dt, n_steps=pieces * settle, n_paths=n_paths, save_every=settle, seed=seed)
    early, late = -np.sign(run.x[1]), -np.sign(run.x[-1])  # all start on the left
    # where nothing is left of the sign, the rate is bounded from below: three standard errors stand for it
    first, last = (max(float(s.mean()), 3.0 / math.sqrt(n_paths)) for s in (early, late))
    spread = (late / last - early / first).std() / math.sqrt(n_paths)
    duration = (pieces - 1) * settle * dt
    return 0.5 * math.log(first / last) / duration, 0.5 * float(spread) / duration


def _inertial_rate_by_grid(
    V: Potential, D: float, friction: float, reach: tuple[float, float], cells: tuple[int, int]
) -> tuple[float, float]:
    """Return half the spectral gap of the Klein-Kramers equation, and its change on half the cells."""
    (x, p), model = reach, Underdamped(V, D, friction)
    value, other = (
        0.5 * float(FokkerPlanck(model, Grid((-x, x, cells[0] // k), (-p, p, cells[1] // k))).eigenvalues(2)[1].real)
        for k in (1, 2)
    )
    return value, abs(value - other)


@claim(
    "shld.momentum",
    "momentum crosses barriers faster",
    formula=r"v' = \beta v - \eta\,\nabla L,\quad \theta' = \theta + v'",
    statement="Momentum crosses barriers more efficiently.",
    definitions="With h = sqrt(lr), P = v/h and beta = exp(-gamma h) the rule is a step h of dX = P dt, dP = -(V' + gamma P) dt "
    "+ noise. Efficiently: (a) at a rate per unit of time that is no lower than without inertia at the same temperature "
    "and friction; (b) at a rate per gradient that is no lower than that of plain noisy descent with the same lr, h^2, and "
    "temperature. lr = 0.01, the document's default: h = 0.1. Double well with dE/D = 5.",
    corrected="Kramers' rate with inertia: lower than without at every friction, per unit of time; it turns over, falling in "
    "proportion to friction when beta is close to 1; and it never exceeds transition state theory. Per gradient momentum "
    "wins by up to 1/(1 - beta) until the turnover, where it begins to lose.",
    corrected_formula=r"k = \frac{\sqrt{\gamma^2/4 + \omega_b^2} - \gamma/2}{\omega_b}\,\frac{\omega_a}{2\pi}\,"
    r"e^{-\Delta E/D}\,\Upsilon(\gamma)\leq k_{\mathrm{TST}}",
    rule="Rates from the decay of E sign(X), simulated (BAOAB, step h = 0.1; error h^2 (gamma^2/12 + V''(a)/4) of the rate: "
    "friction and frequencies of the scheme) at beta = 0.9, 0.99, 0.999, 0.9999; the rate without inertia by quadrature. As "
    "stated: (a) the ratio, (b) the ratio per gradient, at least 1; (b) not at 0.999, where the formula gives 1 within its own "
    "error. Corrected: simulated rate over that of the Klein-Kramers equation on the grid (half the gap; error: half the "
    "cells) at 0.9 and 0.99, ratio 1; the formula over the grid's rate at dE/D = 20 for beta = 0.5, 0.9, 0.99, ratio 1 up to "
    "D/dE, the order of its error (gamma S/D is 10 and more: above the turnover); the rate over that without inertia, and over "
    "transition state theory, at most 1, also at beta = 0.5 by the grid; it turns over: the rate at 0.99 exceeds those at 0.5 "
    "and 0.9999 (differences over the former, scale 1), and from 0.999 to 0.9999 it falls as friction to the power 1, not 0 "
    "(error: the next term, 0.48 sqrt(gamma S/D), over ln 10). Per gradient the gain is at most 1/(1 - beta), at least 1 at "
    "0.9 and 0.99, and at most 1 at 0.9999.",
)
def momentum(run: Run) -> Evidence:
    """Measure rates with inertia against friction.

    Linearised at the top, y'' + gamma y' - wb^2 y = 0 grows at lam = sqrt(gamma^2/4 + wb^2) - gamma/2; Kramers' rate is
    (lam/wb) times that of transition state theory. For gamma -> infinity lam -> wb^2/gamma, the rate without inertia over
    gamma; at any gamma lam < wb^2/gamma. For gamma -> 0 leaving takes energy that friction alone restores: k ~ gamma S/(2D)
    times transition state theory (Melnikov and Meshkov interpolate, factor Upsilon). Per gradient: k h against k0 h^2, in
    the overdamped range k = k0/gamma, gain 1/(gamma h) = 1/(1 - beta). For small delta = gamma S/D, ln A = ln delta - 0.824
    sqrt(delta) and Upsilon = A^2(delta)/A(2 delta) = (delta/2)(1 - 0.48 sqrt(delta)).
    """
    V, D, dt = DoubleWell(), 0.05, 0.1
    calm = Langevin(V, D)
    plain = 0.5 / float(theory.mean_exit_time(calm, -1.0, LEFT))
    # flux of the Gibbs law through the top, one way, per path of the left well: sqrt(D/(2 pi)) p(0)/P(left)
    limit = math.sqrt(D / (2.0 * math.pi)) * float(theory.gibbs_density(calm)(np.array(0.0))) / 0.5
    each = plain * dt  # per gradient: k h over k0 h^2
    stated: list[Test] = []
    corrected: list[Test] = []
    rows = []
    friction = {beta: -math.log(beta) / dt for beta in (0.5, 0.9, 0.99, 0.999, 0.9999)}
    # ratios of rates: n > (5 x 2.8/0.09)^2, and (5 x 2.8/0.073)^2 where the grid is off by 0.02; far below the bounds, (5 x
    # 2.8 x 0.13/0.09)^2; and for the power, an error of 0.08 ln 10 of both rates
    counts = {
        0.9: run.pick("paths, beta = 0.9", 38_000, 120_000),
        0.99: run.pick("paths, beta = 0.99", 54_000, 120_000),
        0.999: run.pick("paths, beta = 0.999", 1_000, 10_000),
        0.9999: run.pick("paths, beta = 0.9999", 800, 5_000),
    }
    box, cells = (1.8, 1.4), (96, 72)
    exact, change = _inertial_rate_by_grid(V, D, friction[0.5], box, cells)
    rates, wrong = {0.5: (exact, 0.0)}, {0.5: change / exact}
    for i, (beta, count) in enumerate(counts.items()):
        gamma = friction[beta]
        formula = float(theory.underdamped_kramers_rate(Underdamped(V, D, gamma), -1.0, 0.0))
        rates[beta] = rate, error = _inertial_rate(V, D, gamma, dt, formula, count, run.stream(i))
        wrong[beta] = dt**2 * (gamma**2 / 12.0 + 0.5)
        if beta < 0.995:
            exact, change = _inertial_rate_by_grid(V, D, gamma, box, cells)
            amiss = wrong[beta] * rate / exact + change / exact
            label = f"simulated rate/grid, beta = {beta:g}"
            corrected.append(Test(label, rate / exact, 1.0, error / exact, numerical=amiss))
    cold, box, cells = 0.0125, (1.5, 0.72), run.pick("cells at dE/D = 20", (120, 72), (240, 144))
    for beta in (0.5, 0.9, 0.99):
        exact, change = _inertial_rate_by_grid(V, cold, friction[beta], box, cells)
        formula = float(theory.underdamped_kramers_rate(Underdamped(V, cold, friction[beta]), -1.0, 0.0))
        amiss = cold / 0.25 + change / exact
        corrected.append(Test(f"formula/grid at dE/D = 20, beta = {beta:g}", formula / exact, 1.0, numerical=amiss))

    def ratio(label: str, beta: float, unit: float, relation: str, bound: float = 1.0) -> Test:
        """Return the test of a rate over a unit."""
        value, error = (number / unit for number in rates[beta])
        return Test(f"{label}, beta = {beta:g}", value, bound, error, relation, numerical=wrong[beta] * value)

    for beta, (rate, error) in rates.items():
        gamma = friction[beta]
        formula = float(theory.underdamped_kramers_rate(Underdamped(V, D, gamma), -1.0, 0.0))
        rows.append((beta, gamma, rate, error, formula, plain / gamma, rate / each))
        stated.append(ratio("rate with/without inertia", beta, plain / gamma, "at least"))
        if beta != 0.999:
            stated.append(ratio("per gradient, with/without", beta, each, "at least"))
        corrected += [
            ratio("rate with/without inertia", beta, plain / gamma, "at most"),
            ratio("rate/transition state", beta, limit, "at most"),
            ratio("per gradient, with/without", beta, each, "at most", 1.0 / (1.0 - beta)),
        ]
    corrected += [ratio("per gradient, with/without", beta, each, "at least") for beta in (0.9, 0.99)]
    corrected.append(ratio("per gradient, with/without", 0.9999, each, "at most"))
    best, spread = rates[0.99]
    for beta in (0.5, 0.9999):
        rate, error = rates[beta]
        error = math.hypot(error, rate * spread / best) / best
        label, amiss = (
            f"rate at beta = 0.99 less at {beta:g}, over the former",
            (wrong[0.99] + wrong[beta]) * rate / best,
        )
        corrected.append(Test(label, 1.0 - rate / best, 0.0, error, "at least", scale=1.0, numerical=amiss))
    (rate, error), (other, of_other) = rates[0.999], rates[0.9999]
    decades = math.log(friction[0.999] / friction[0.9999])
    power, error = math.log(rate / other) / decades, math.hypot(error / rate, of_other / other) / decades
    # S = 2 int sqrt(2 (V(0) - V)) dx = 4/3
    amiss = 0.48 * math.sqrt(friction[0.999] * 4.0 / 3.0 / D) / decades
    corrected.append(Test("power of friction, 0.999 to 0.9999", power, 1.0, error, rival=0.0, numerical=amiss))

    def figure(ax: Axes) -> None:
        gamma = np.geomspace(0.0006, 30.0, 80)
        line = [float(theory.underdamped_kramers_rate(Underdamped(V, D, float(g)), -1.0, 0.0)) for g in gamma]
        ax.plot(gamma, line, color="C0", label="with inertia (Kramers, Melnikov-Meshkov)")
        ax.plot(gamma, plain / gamma, ":", color="C1", label="without inertia")
        ax.axhline(limit, ls="--", lw=1, color="0.4", label="transition state theory")
        ax.axhline(each, ls="-.", lw=1, color="C3", label="plain descent, per gradient, lr = 0.01")
        for beta, (value, spread) in rates.items():
            ax.errorbar(friction[beta], value, 5 * spread, fmt="ok", ms=5, mfc="w" if beta == 0.5 else "k")
        ax.plot([], [], "ok", ms=5, label="simulated (open: grid)")
        ax.set(xscale="log", yscale="log", ylim=(2e-7, 0.01), xlabel="friction: -ln(beta)/h", ylabel="rate")
        ax.set_title("Double well, barrier 5 D")

    columns = ("beta", "friction", "rate", "stderr", "formula", "without inertia", "per gradient/plain")
    return Evidence(stated, corrected, [Table("Rate from well to well", columns, tuple(rows))], figure)


# -- annealing ----


@claim(
    "shld.annealing",
    "start hot, cool down",
    formula=r"D(0)\ \mathrm{high},\quad D(t)\ \mathrm{decreasing}",
    statement="Start with high D and decrease it: this finds the deeper minimum more often than constant D.",
    definitions="V = (x^2 - 1)^2/4 + 0.1 x: the deeper well is the left one, by 0.2; start in the other. Success: left of "
    "the saddle at the end, t = 50 or 200. Schedules from D = 0.3: cosine and exponential to 0.02, and 0.3 ln 2/ln(2 + t). "
    "Constant: the best of all D between 0.02 and 0.5, by the grid.",
    rule="Share of simulated paths in the deeper well less that of the best constant D on the grid, at least 0 (scale 1), for "
    "each schedule and both times. Numerical error: half the cells, and Euler's chain of twice the step (dt = 0.01), whose law "
    "is computed by quadrature, at constant D = 0.1 or 0.3, whichever differs more. The table also has the mean loss at the "
    "end, which decides nothing.",
)
def annealing(run: Run) -> Evidence:
    """Compare schedules with constant noise: success, and loss at the end.

    At constant D the weight of the wrong well is about exp(-dV/D), dV the difference of the depths; the wells exchange
    at a rate exp(-dE/D), so that the best D for the time t is about dE/ln t and fails with about exp(-dV/D) = t^(-dV/dE). Slow
    cooling keeps the weights of the current D until the rate is 1/t, at the same D, and freezes there: about the same
    power, so that cooling gains nothing in the share. Afterwards it cools within the well, down to D/2 at its last D, which
    constant noise cannot: a lower loss at the end is what it does give, but that is not what the statement says.
    """
    V = TiltedDoubleWell(tilt=0.1)
    top, right = float(np.ravel(V.saddles())[0]), float(np.max(np.ravel(V.minima())))
    lowest = float(V(np.min(np.ravel(V.minima()))))
    grid = Grid(-2.6, 2.6, run.pick("cells", 260, 520))
    # shares: n > (5 x 0.5/0.1)^2 would do; at constant D = 0.3 noise that is wrong by a fifth, a share off by 0.047, takes
    # (8.7 x 0.4/(0.047 - 0.005))^2, where 0.005 bounds Euler's bias
    n_paths, dt = run.pick("paths", 10_000, 24_000), 0.01
    constants = np.geomspace(0.02, 0.5, run.pick("constant D tried", 20, 40))
    coarse = Grid(grid.low, grid.high, len(grid.x) // 2)
    stated, rows, drawn = [], [], []
    index = 0
    for length in (50.0, 200.0):
        schedules: dict[str, Any] = {
            "cosine": Cosine(0.3, 0.02, length),
            "exponential": Exponential(0.3, 0.02, length),
            "logarithmic": Logarithmic(0.3),
            "constant 0.02": 0.02,
            "constant 0.3": 0.3,
        }
        shares, losses = np.array([_ends(Langevin(V, float(D)), grid, top, right, length) for D in constants]).T
        best, least = float(shares.max()), float(losses.min()) - lowest
        at_best = Langevin(V, float(constants[shares.argmax()]))
        bias = abs(best - _ends(at_best, coarse, top, right, length)[0]) + max(
            abs(float(euler.step_error(Langevin(V, D), grid.x, right, dt, round(length / dt))[0, grid.x < top].sum()))
            for D in (0.1, 0.3)
        )
        found, cold = {}, {}
        for name, D in schedules.items():
            x = simulate(Langevin(V, D), right, dt, length, n_paths, seed=run.stream(index)).final
            found[name], cold[name] = _share(x < top), _mean(V(x) - lowest)
            rows.append((length, name, *found[name], best, *cold[name], least))
            index += 1
        for name in ("cosine", "exponential", "logarithmic"):
            (value, error), label = found[name], f"{name}, t = {length:g}"
            label = f"success, {label}, less best constant"
            stated.append(Test(label, value - best, 0.0, error, "at least", scale=1.0, numerical=bias))
        drawn.append((length, shares, losses - lowest, found, cold))

    def figure(axes: Any) -> None:
        styles = (("cosine", "--"), ("exponential", "-."), ("logarithmic", ":"))
        for (length, shares, losses, found, cold), color in zip(drawn, ("C1", "C0"), strict=True):
            for ax, curve, values in zip(axes, (shares, losses), (found, cold), strict=True):
                ax.plot(
                    constants, curve, "-", color=color, label=f"constant D, t = {length:g}" if ax is axes[0] else ""
                )
                for name, ls in styles:
                    ax.axhline(values[name][0], ls=ls, lw=1.2, color=color)
        for name, ls in styles:
            axes[0].plot([], [], ls=ls, color="0.3", label=f"{name}, same colours")
        axes[0].set(
            xscale="log", ylim=(0, 1.02), xlabel="constant D", ylabel="share in the deeper well", title="Success"
        )
        axes[1].set(xscale="log", ylim=(0, 0.26), xlabel="constant D", ylabel="E V - V*", title="Mean loss at the end")

    columns = ("t", "noise", "share", "stderr", "best constant", "E V - V*", "stderr", "best constant")
    return Evidence(stated, tables=[Table("At the end", columns, tuple(rows))], figure=figure, panels=2)


def _ends(model: Langevin, grid: Grid, top: float, start: float, t: float) -> tuple[float, float]:
    """Return the probability to be left of the saddle at time t, from a point, and the mean energy, by the grid."""
    solver = FokkerPlanck(model, grid)
    p = np.asarray(solver.propagate(start, t))
    edges = np.linspace(grid.low, grid.high, p.size + 1)
    mass = np.append(0.0, np.cumsum(p)) * float(grid.dx)
    return float(np.interp(top, edges, mass)), float(solver.mean(p, model.potential))


# -- grokking ----


@claim(
    "shld.grokking",
    "C foretells grokking",
    runs="grokking",
    formula=r"C \approx 8\ \mathrm{before},\quad C < 1\ \mathrm{after},\quad 1 - t_{C}/t_{g} \approx 0.1\ldots 0.2",
    statement="C drops sharply 10-20 % of the training before a network groks, from about 8 (reported: 8.2) to below 1 "
    "(0.9); 'C < 2 and falling' warns of it, about 200 of 2340 epochs ahead.",
    definitions="t_g: step at which 95 % of the tests are right. C = |mu|^2/tr S of a batch, of 32; the document does not "
    "say of which, and C is proportional to it, but falls and times are the same for every batch. Quadratic network, sums "
    "modulo a small prime (113 in the document), plain descent. A run counts if all examples were right, with less than "
    "half of the tests, before t_g/2. Warning: the first measurement since then with C below 2 and below the one before.",
    rule="A run is the unit, C of all examples every 20 steps, means of log10 C over shares of the way to t_g. Before, "
    "60-80 % of it: log10 8.2. After, 100-120 %: at most 0. Their difference: log10(8.2/0.9). Sharp drop: C at 80 % (75-85) "
    "over C at 90 % (85-95), at least 2. Step of the warning over t_g: 1 - 200/2340 (1 without a warning). Scale 1 for "
    "logarithms and shares. Few runs, 10 or 16: a scatter above 0.06 between runs leaves a test undecided unless it fails.",
    source=SOURCES["shld"],
)
def grokking_claim(run: Run) -> Evidence:
    """Measure C along runs that grok, in units of the time that they take."""
    found, made = grokking_runs(run)
    names = ("before", "after", "at 80 %", "at 90 %")
    windows = ((0.6, 0.8), (1.0, 1.2), (0.75, 0.85), (0.85, 0.95))
    logs, warned, rows, curves = [], [], [], []
    for one in found:
        heart, end = one.by_heart, one.understood
        assert heart is not None and end is not None
        way, level = one.at / end, np.log10(one.C)
        logs.append([float(level[(way >= a) & (way <= b)].mean()) for a, b in windows])
        falling = np.append(False, one.C[1:] < one.C[:-1])
        alarm = one.at[(one.at >= heart) & (one.C < 2.0) & falling]
        warned.append(min(int(alarm[0]) / end, 1.0) if len(alarm) else 1.0)
        rows.append((one.seed, heart, end, *(10.0**v for v in logs[-1]), warned[-1]))
        curves.append((one.steps / end, one.test_accuracy, way, one.C))
    before, after, early, late = np.array(logs).T
    stated = [
        Test("log10 C, 60-80 % of the way", *_bounded(before, math.log10(8.2)), scale=1.0),
        Test("log10 C, after", *_bounded(after, 0.0), "at most", scale=1.0),
        Test("log10 of the whole fall", *_bounded(before - after, math.log10(8.2 / 0.9)), scale=1.0),
        Test("log10 of the fall from 80 to 90 %", *_bounded(early - late, math.log10(2.0)), "at least", scale=1.0),
        Test("step of the warning/t_g", *_bounded(np.array(warned), 1.0 - 200.0 / 2340.0), scale=1.0),
    ]

    def figure(axes: Any) -> None:
        left, right = axes
        for i, (way, right_share, at, C) in enumerate(curves):
            left.plot(way, right_share, color="C0", lw=1, label="share of the tests right" if i == 0 else "")
            right.plot(at, C, color="C1", lw=1, label=f"C of a batch, {len(curves)} runs" if i == 0 else "")
        right.plot([0.0, 0.8, 0.9, 1.25], [8.2, 8.2, 0.9, 0.9], "--", color="C2", label="as stated")
        left.set(xlabel="step/t_g", ylabel="accuracy", title=f"{len(found)} of {made} runs grokked")
        right.set(yscale="log", xlabel="step/t_g", ylabel="C", title="Signal over noise")

    columns = ("seed", "known by heart", "t_g", *(f"C {name}" for name in names), "warning/t_g")
    return Evidence(stated, tables=[Table("Runs that grokked", columns, tuple(rows))], figure=figure, panels=2)


def _bounded(values: Array, bound: float) -> tuple[float, float, float]:
    """Return mean, bound and standard error, as `Test` takes them."""
    value, error = _mean(values)
    return value, bound, error


# -- many dimensions ----


def _gain(over: Array, under: Array) -> tuple[float, float]:
    """Return the mean over data sets of log10(over/under) and its standard error."""
    return _mean(np.log10(over) - np.log10(under))


@claim(
    "shld.double-descent",
    "C collapses at the threshold",
    formula=r"C(n \approx N) \ll C(n < N),\ C(n > N)",
    statement="C collapses at the interpolation threshold n ~ N, then recovers. Reported for n: peak of the test error "
    "predicted at 1247 (observed at 1203), valley at 1580 (1621), second descent at 2100 (2089).",
    definitions="n examples of a linear teacher with noise 0.5, N = 100 features: max(a.x, 0) of 20-dimensional normal x, or "
    "independent normal ones. Training is descent from zero with the step 1/lmax; C = |mu|^2/tr S of an example, one of "
    "those learned from after 1, 10, ... 10^4 steps, or a fresh one at the minimum. Collapses and recovers: at n = N/2 and "
    "at n = 2N C is at least twice what it is at n = N. The N of the report is not known: what can be tried is the "
    "ratio of its predictions, a valley at 1580/1247 = 1.27 of the peak that ends in a descent at 1.68.",
    corrected="The test error peaks at n = N and falls from there on; there is no valley. Of the examples learned from, C falls "
    "towards n = N and does not recover: with n < N all gradients die together and p = C/(1 + C) tends to a constant set by "
    "the smallest eigenvalue, with n > N residuals remain, the mean gradient dies and C with it. Of fresh examples with "
    "independent features C is a rising function of the error R: it peaks at n = N.",
    corrected_formula=r"p\to\frac{\lambda_{\min}}{n\sum v_i^2|x_i|^2}\ (n<N),\quad p\sim(1-\eta\lambda_{\min})^{2k}\ (n>N)"
    "\n"
    r"p_{\mathrm{fresh}}=\frac{R}{(N+2)R+N\sigma^2}",
    rule="Means over data sets. Stated, for both kinds of features, examples learned from, at the stage of training (1, 10, "
    "100, 1000 steps, and 10^4 for the first kind) that is best for the statement: the lesser of the means of "
    "log10 C(N/2)/C(N) and log10 C(2N)/C(N) is at least log10 2 (scale 1, a logarithm). Fresh examples: mean C at N "
    "at most half of that at 2N. Valley: log10 of the error at n = 1.68 N less that at 1.27 N at least 0 (scale 1). "
    "Corrected: log10 error at N less that at 0.75 N and at 1.27 N at least 0 (scale 1); the mean error of independent "
    "features at N/2 and 2N over its exact value; log10 C(N)/C(N/2) and log10 C(2N)/C(N) after 10^4 steps at most 0 "
    "(scale 1); at n = N/2 p after 10^4 steps over its limit, error as the difference to 5000 steps; at n = 2N the fall of ln p "
    "from 1000 to 2000 steps over 2000 ln(1 - lmin/lmax), error as the difference to 500 to 1000; the mean of p of fresh "
    "examples at N/2, N, 2N over the mean of its formula at the error measured on 500 inputs, which moves it by 2/500 at "
    "most; and mean p of fresh examples at N over those at N/2 and 2N at least 1. Data sets: relative sd 0.25 of an error "
    "of independent features, 150 for a tenth.",
)
def double_descent(run: Run) -> Evidence:
    """Measure errors and C around n = N.

    The gradient of an example is r x, with residual r. On the examples learned from mu = X^T r/n and, after k steps from
    zero, u_j.r = (1 - lambda_j/lambda_max)^k u_j.y in the eigenvectors u_j of X X^T, lambda_j >= 0: p is the mean eigenvalue,
    weighted with the residual that is left, over the mean squared length. For n < N what is left at last is the smallest
    eigenvalue, about (sqrt N - sqrt n)^2, and 0 at n = N. For n > N the part of y out of reach stays, of size sigma^2 (1 -
    N/n), with eigenvalue 0, and p falls as the square of the slowest decay. A fresh example has r = x.delta - sigma xi: for
    independent features mu = delta, E|g|^2 = (N + 2)|delta|^2 + N sigma^2.
    """
    N, m = 100, 500
    counts = run.pick("data sets", 60, 600), run.pick("data sets of independent features", 150, 600)
    n = {"relu": (50, 75, 100, 127, 168, 200), "isotropic": (50, 100, 200)}
    steps = {"relu": (1, 10, 100, 1000, 10_000), "isotropic": (1, 10, 100, 500, 1000, 2000, 5000, 10_000)}
    names = {"relu": "random features", "isotropic": "independent features"}
    stages = {"relu": steps["relu"], "isotropic": (1, 10, 100, 1000)}
    seeds = {kind: run.stream(i).spawn(counts[i]) for i, kind in enumerate(n)}
    found = {
        kind: [
            experiments.double_descent(n[kind], N, seed=s, noise=0.5, kind=kind, steps=steps[kind], n_test=m)
            for s in seeds[kind]
        ]
        for kind in n
    }
    C = {
        (kind, k, size): np.array([d.C_during[steps[kind].index(k), n[kind].index(size)] for d in found[kind]])
        for kind in n
        for k in steps[kind]
        for size in n[kind]
    }
    error = {
        (kind, size): np.array([d.test_error[i] for d in found[kind]]) for kind in n for i, size in enumerate(n[kind])
    }
    fresh = {
        (kind, size): np.array([d.p_fresh[i] for d in found[kind]]) for kind in n for i, size in enumerate(n[kind])
    }
    stated, corrected = [], []
    for kind in n:
        dips = [min(_gain(C[kind, k, side], C[kind, k, N]) for side in (N // 2, 2 * N)) for k in stages[kind]]
        value, spread = max(dips)
        label = f"depth of the dip of log10 C at n = N, best stage, {names[kind]}"
        stated.append(Test(label, value, math.log10(2.0), spread, "at least", scale=1.0))
    at, after = (np.array([d.C_fresh[n["relu"].index(size)] for d in found["relu"]]) for size in (N, 2 * N))
    value = float(at.mean() / after.mean())
    spread = _mean((at - value * after) / after.mean())[1]
    stated.append(Test("C of fresh examples, n = N over n = 2N, random features", value, 0.5, spread, "at most"))
    value, spread = _gain(error["relu", 168], error["relu", 127])
    stated.append(Test("log10 error, n = 1.68 N over n = 1.27 N", value, 0.0, spread, "at least", scale=1.0))
    for size in (75, 127):
        value, spread = _gain(error["relu", N], error["relu", size])
        corrected.append(Test(f"log10 error, n = N over n = {size / N:g} N", value, 0.0, spread, "at least", scale=1.0))
    for size in (N // 2, 2 * N):
        exact = theory.ridgeless_excess(size, N, 0.5)
        value, spread = _mean(error["isotropic", size] / exact)
        corrected.append(Test(f"error/exact, n = {size / N:g} N, independent features", value, 1.0, spread))
    for over, under in ((N, N // 2), (2 * N, N)):
        value, spread = _gain(C["relu", 10_000, over], C["relu", 10_000, under])
        label = f"log10 C after 10^4 steps, n = {over / N:g} N over n = {under / N:g} N"
        corrected.append(Test(label, value, 0.0, spread, "at most", scale=1.0))
    # limits of p on both sides of the threshold
    ends, slopes = [], []
    for i, seed in enumerate(seeds["isotropic"]):
        short, long = (
            experiments.isotropic_features(size, N, noise=0.5, n_test=1, seed=seed).inputs for size in (50, 200)
        )
        before = found["isotropic"][i].p_during[:, 0]
        ends.append(before[[-2, -1]] / theory.final_signal_share(short))
        spectrum = np.linalg.eigvalsh(long.T @ long)
        late = np.log(found["isotropic"][i].p_during[3:6, 2])
        slopes.append(np.diff(late) / (2.0 * np.array([500.0, 1000.0]) * math.log1p(-spectrum[0] / spectrum[-1])))
    for label, values in (
        ("p after 10^4 steps/limit, n = N/2", np.array(ends)),
        ("fall of ln p/slowest decay, n = 2N", np.array(slopes)),
    ):
        (first, _), (value, spread) = _mean(values[:, 0]), _mean(values[:, 1])
        corrected.append(Test(label, value, 1.0, spread, numerical=abs(value - first)))
    for size in n["isotropic"]:
        p, law = fresh["isotropic", size], theory.fresh_signal_share(error["isotropic", size], N, 0.5)
        value = float(p.mean() / law.mean())
        spread = _mean((p - value * law) / law.mean())[1]
        label = f"p of fresh examples/formula, n = {size / N:g} N, independent features"
        corrected.append(Test(label, value, 1.0, spread, numerical=2.0 / m))
    for size in (N // 2, 2 * N):
        p, other = fresh["isotropic", N], fresh["isotropic", size]
        value = float(p.mean() / other.mean())
        spread = _mean((p - value * other) / other.mean())[1]
        label = f"p of fresh examples, n = N over n = {size / N:g} N, independent features"
        corrected.append(Test(label, value, 1.0, spread, "at least"))

    def figure(axes: Any) -> None:
        left, right = axes
        for kind, color in (("relu", "C0"), ("isotropic", "C1")):
            middle = [np.median(error[kind, size]) for size in n[kind]]
            left.plot(
                n[kind], middle, "o-" if kind == "relu" else "s", ms=5, color=color, label=f"{names[kind]}, median"
            )
        for line in (np.arange(30, 98), np.arange(103, 220)):
            exact = [theory.ridgeless_excess(int(size), N, 0.5) for size in line]
            left.plot(line, exact, "--", lw=1, color="0.4", label="exact mean, independent" if line[0] < N else None)
        for ratio, name in ((1580 / 1247, "valley"), (2100 / 1247, "second descent")):
            left.axvline(ratio * N, ls=":", lw=1, color="0.4")
            left.text(ratio * N + 1, 400, f"{name},\nas stated", fontsize=8, va="top")
        left.set(
            yscale="log", ylim=(0.003, 500), xlabel="examples n, N = 100 features", ylabel="test error", title="Error"
        )
        for i, k in enumerate(steps["relu"]):
            middle = [np.exp(np.log(C["relu", k, size]).mean()) for size in n["relu"]]
            right.plot(n["relu"], middle, "o-", ms=4, color=f"C{i}", label=f"after {k:,} steps")
        middle = [fresh["relu", size].mean() for size in n["relu"]]
        right.plot(n["relu"], middle, "k^--", ms=5, label="fresh, at the minimum")
        right.set(yscale="log", xlabel="examples n", ylabel="C of an example", title="Random features")

    rows = [
        (
            names[kind],
            size,
            float(np.median(error[kind, size])),
            *(float(np.median(C[kind, k, size])) for k in stages[kind][:4]),
        )
        + (float(np.median(C[kind, 10_000, size])), float(fresh[kind, size].mean()))
        for kind in n
        for size in n[kind]
    ]
    columns = ("features", "n", "error", *(f"C, {k} steps" for k in (1, 10, 100, 1000, 10_000)), "p, fresh")
    reported = (("peak", 1247, 1203), ("valley", 1580, 1621), ("second descent", 2100, 2089))
    report = Table(
        "As reported; N is not known",
        ("what", "predicted n", "observed n", "predicted/peak", "observed/peak"),
        tuple((what, a, b, a / 1247, b / 1203) for what, a, b in reported),
    )
    return Evidence(
        stated, corrected, [Table("Medians over data sets", columns, tuple(rows)), report], figure, panels=2
    )


@claim(
    "shld.high-dim",
    "D and d scale as stated",
    formula=r"\mathrm{E}\,V = \frac{D\,d}{2},\quad \mathrm{E}\,C = \frac{\mathrm{tr} H}{d}",
    statement="In a d-dimensional quadratic, d = 1, 10, 100, 1000, the equilibrium energy is D d/2, whatever the curvatures, and "
    "the mean of C is the mean curvature.",
    definitions="C = |grad V|^2/(D d). Usage example of the document: d = 10, lr = .01, D = .001.",
    rule="Euler's chain, dt = 0.05, in wells with curvatures 0.5 to 2 (geometric), D = 0.2, until stationary: E V/(D d/2) and "
    "E C over the mean curvature, ratio 1; the chain's bias is known exactly, the mean of 1/(1 - k dt/2), and taken as "
    "numerical error; over that factor the ratio is 1 without. And the usage example.",
)
def high_dim(run: Run) -> Evidence:
    """Measure energy and consolidation ratio in 1 to 1000 dimensions.

    Each mode of curvature k has the variance D/k, energy D/2 and mean square gradient k D: sums of d of them. On Euler's
    chain each is multiplied by 1/(1 - k dt/2).
    """
    dt, D, stated, rows = 0.05, 0.2, [], []
    # squares of normal numbers, a fifth fewer where curvatures weigh: n d > 1.25 (5 x 1.42/(0.1 - 0.035))^2; 200 paths are normal
    total = run.pick("coordinates in all", 30_000, 300_000)
    cases: list[tuple[str, Array, float, float]] = [
        (f"d = {d}", np.geomspace(0.5, 2.0, d) if d > 1 else np.array([1.0]), D, dt) for d in (1, 10, 100, 1000)
    ]
    cases.append(("usage example", np.ones(10), 0.001, 0.01))
    for i, (name, k, noise, step) in enumerate(cases):
        V, n_paths, d = QuadraticForm(k), max(total // len(k), 200), len(k)
        start = 0.0 if d == 1 else np.zeros(d)
        x = simulate(Langevin(V, noise), start, step, 10.0, n_paths, seed=run.stream(i)).final
        kept = 1.0 - np.exp(2.0 * 10.0 / step * np.log1p(-k * step))  # from 0: part of the variance that is there
        wide = kept / (1.0 - 0.5 * k * step)
        energy, ratio = float(wide.mean()), float(np.mean(k * wide)) / float(k.mean())
        C = theory.consolidation_ratio(Langevin(V, noise), x) / float(k.mean())
        values = V(x) / (0.5 * noise * d)
        for label, sample, chain in (
            (f"E V/(D d/2), {name}", values, energy),
            (f"E C/mean curvature, {name}", C, ratio),
        ):
            value, error = _mean(sample)
            stated += [
                Test(label, value, 1.0, error, numerical=abs(chain - 1.0)),
                Test(f"{label}, over the chain's", value / chain, 1.0, error / chain),
            ]
            rows.append((label, value, error, chain))

    def figure(ax: Axes) -> None:
        d = np.array([1, 10, 100, 1000])
        energy = np.array([row[1:3] for row in rows[0:8:2]])
        C = np.array([row[1:3] for row in rows[1:8:2]])
        ax.axhline(1.0, lw=0.8, color="0.5")
        ax.plot(d, [row[3] for row in rows[0:8:2]], "--", color="C0", label="Euler's chain, exact")
        ax.plot(d, [row[3] for row in rows[1:8:2]], "--", color="C1")
        ax.errorbar(d, energy[:, 0], 5 * energy[:, 1], fmt="o", ms=6, color="C0", label="E V/(D d/2)")
        ax.errorbar(d, C[:, 0], 5 * C[:, 1], fmt="s", ms=6, color="C1", label="E C/mean curvature")
        ax.set(xscale="log", ylim=(0.9, 1.15), xlabel="dimension d", ylabel="measured/stated")
        ax.set_title("Curvatures 1/2 to 2, D = 0.2, dt = 0.05")

    columns = ("quantity", "ratio", "stderr", "Euler's chain")
    return Evidence(stated, tables=[Table("Equilibrium in d dimensions", columns, tuple(rows))], figure=figure)
