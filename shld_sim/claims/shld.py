"""Claims of "Stochastic harmonic learning dynamics": Langevin and Fokker-Planck, Gibbs, Kramers, bounds, consolidation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import theory
from shld_sim.claims.measure import mean as _mean
from shld_sim.claims.measure import normal_score as _normal_score
from shld_sim.claims.registry import Evidence, Run, Table, claim
from shld_sim.claims.rules import Test, Z
from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.models import Langevin
from shld_sim.potentials import (
    DoubleWell,
    Harmonic,
    MexicanHat,
    Potential,
    QuadraticForm,
    Quartic,
    TiltedDoubleWell,
)
from shld_sim.simulate import first_passage, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
LEFT = (-math.inf, 0.0)


# -- master equation ----


@claim(
    "shld.master-equation",
    "density obeys Fokker-Planck",
    formula=r"\partial_t p = \nabla\cdot(p\,\nabla V) + D\,\Delta p",
    statement="The density of dX = -V'(X) dt + sqrt(2D) dW obeys dp/dt = d/dx (p V') + D d2p/dx2 at every time.",
    rule="Ensemble in the double well from a point, at three times, against the grid solver: P(X > 0), E X^2 and the "
    "chi-square of a 40-bin histogram (as a normal score, at most 5). Euler and grid bias is bounded by 0.002.",
)
def master_equation(run: Run) -> Evidence:
    """Compare ensemble histograms with the grid solution at several times."""
    model = Langevin(DoubleWell(), D=0.25)
    times, dt, n_paths = (0.5, 2.0, 8.0), 1 / 512, run.pick("paths", 50_000, 500_000)
    paths = simulate(model, -1.0, dt, times[-1], n_paths, seed=run.stream(0), save_every=256)
    solver = FokkerPlanck(model, Grid(-3.2, 3.2, 640))
    density = solver.propagate(-1.0, np.array(times))
    edges = np.linspace(-2.0, 2.0, 41)
    tests, rows, drawn = [], [], []
    for t, p in zip(times, density, strict=True):
        x = paths.x[round(t / dt) // 256]
        mass = np.append(0.0, np.cumsum(p) * solver.grid.dx)
        cumulative = np.interp(edges, np.linspace(-3.2, 3.2, 641), mass)
        expected = np.diff(np.concatenate([[0.0], cumulative, [1.0]])) * n_paths
        found = np.histogram(x, np.concatenate([[-np.inf], edges, [np.inf]]))[0]
        kept = expected > 20
        rest = (found[~kept].sum(), expected[~kept].sum())
        chi2 = float((((found - expected) ** 2 / expected)[kept]).sum())
        degrees = int(kept.sum()) - 1
        if rest[1] > 5:
            chi2, degrees = chi2 + float((rest[0] - rest[1]) ** 2 / rest[1]), degrees + 1
        right, right_error = _mean((x > 0).astype(float))
        square, square_error = _mean(x * x)
        p_right = 1.0 - float(np.interp(0.0, np.linspace(-3.2, 3.2, 641), mass))
        p_square = float((p * solver.grid.x**2).sum() * solver.grid.dx)
        tests += [
            Test(f"P(X > 0), t = {t:g}", right, p_right, right_error, resolution=0.02, numerical=0.002),
            Test(f"E X^2, t = {t:g}", square, p_square, square_error, resolution=0.03, numerical=0.002),
            Test(f"chi-square score, t = {t:g}", _normal_score(chi2, degrees), Z, relation="at most"),
        ]
        rows.append((f"{t:g}", right, p_right, square, p_square, chi2, degrees))
        drawn.append((t, found[1:-1] / n_paths / np.diff(edges), p))

    def figure(ax: Axes) -> None:
        for t, histogram, p in drawn:
            line = ax.plot(solver.grid.x, p, label=f"t = {t:g}")[0]
            ax.plot(0.5 * (edges[1:] + edges[:-1]), histogram, "o", ms=3, color=line.get_color())
        ax.set(xlim=(-2.2, 2.2), xlabel="x", ylabel="p(x, t)", title="Lines: grid solver. Points: ensemble")

    columns = ("t", "P(X>0)", "grid", "E X^2", "grid", "chi-square", "degrees")
    return Evidence(tests, tables=[Table("Ensemble against grid", columns, tuple(rows))], figure=figure)


# -- Langevin: orders of convergence ----


@claim(
    "shld.langevin",
    "Euler-Maruyama follows the SDE",
    statement="Noisy gradient steps x - grad V dt + sqrt(2 D dt) xi follow the Langevin equation: with additive noise the "
    "error of the paths and of the averages falls like dt.",
    rule="Double well, steps 2^-3 to 2^-7 coupled to 2^-11 on the same Brownian paths: slope of log E|X_dt - X| (strong) "
    "and of log |E X_dt^2 - E X^2| (weak) against log dt, standard errors from 20 independent batches, curvature of the "
    "error curve bounded by 0.15; and the finest strong error, at most 0.01.",
)
def langevin(run: Run) -> Evidence:
    """Measure the strong and weak order of Euler-Maruyama on coupled paths."""
    model, finest, levels = Langevin(DoubleWell(), D=0.25), 11, np.arange(3, 8)
    n_batches, n_paths = 20, run.pick("paths of each of 20 batches", 5000, 10_000)
    rng = run.generator(0)
    strong, weak = np.empty((n_batches, len(levels))), np.empty((n_batches, len(levels)))
    for batch in range(n_batches):
        increments = rng.standard_normal((2**finest, n_paths)) * 2.0 ** (-finest / 2)
        exact = simulate(model, -0.5, 2.0**-finest, noise=increments).final
        for i, level in enumerate(levels):
            coarse = increments.reshape(2**level, -1, n_paths).sum(axis=1)
            found = simulate(model, -0.5, 2.0**-level, noise=coarse).final
            strong[batch, i] = np.abs(found - exact).mean()
            weak[batch, i] = (found**2 - exact**2).mean()
    dt = 2.0**-levels
    tests, slopes = [], {}
    for name, errors in (("strong", strong), ("weak", weak)):
        mean = np.abs(errors.mean(axis=0))
        slope = np.polyfit(np.log(dt), np.log(mean), 1)[0]
        left_out = [
            np.polyfit(np.log(dt), np.log(np.abs(np.delete(errors, b, axis=0).mean(axis=0))), 1)[0]
            for b in range(n_batches)
        ]
        spread = math.sqrt((n_batches - 1) * np.var(left_out))  # jackknife over batches
        slopes[name] = slope
        tests.append(Test(f"{name} order", slope, 1.0, spread, resolution=0.4, numerical=0.15))
    finest_error, finest_spread = _mean(strong[:, -1])
    tests.append(Test("E|X_dt - X| at dt = 2^-7", finest_error, 0.01, finest_spread, relation="at most"))

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
    statement="The stationary density is exp(-V/D)/Z.",
    rule="Grid steady state against quadrature (largest relative difference, at most 1e-10); long simulation in the double "
    "well: E X^2 and E X^4 against quadrature with the Euler bias bounded by dt; and the Euler chain on k x^2/2 at the "
    "coarse step k dt = 0.4 against its exact variance D/(k (1 - k dt/2)), 25 % above D/k.",
)
def gibbs(run: Run) -> Evidence:
    """Compare steady states of the grid and of simulations with the Gibbs law."""
    model = Langevin(DoubleWell(), D=0.25)
    grid = FokkerPlanck(model, Grid(-3.0, 3.0, 600))
    density = theory.gibbs_density(model)
    steady = grid.steady_state()
    bulk = np.abs(grid.grid.x) < 2.0
    distance = float(np.abs(steady / density(grid.grid.x) - 1.0)[bulk].max())
    dt, n_paths = 1 / 256, run.pick("paths", 40_000, 400_000)
    x = simulate(model, 1.0, dt, 40.0, n_paths, seed=run.stream(0)).final * np.where(np.arange(n_paths) % 2, 1, -1)
    tests = [Test("|grid steady state/Gibbs - 1|", distance, 1e-10, relation="at most")]
    for power in (2, 4):
        exact = float(theory.gibbs_expectation(model, np.polynomial.Polynomial([0.0] * power + [1.0])))
        found, error = _mean(x**power)
        tests.append(
            Test(f"E X^{power}, double well", found, exact, error, resolution=0.04 * exact, numerical=dt * exact)
        )
    k, coarse, D = 2.0, 0.2, 0.5
    final = simulate(Langevin(Harmonic(k), D), 0.0, coarse, 20.0, n_paths, seed=run.stream(1)).final
    square, error = _mean(final**2)
    chain = float(theory.euler_variance(k, D, coarse))
    tests.append(Test("variance of the Euler chain, k dt = 0.4", square, chain, error, resolution=0.05 * chain))
    edges = np.linspace(-2.2, 2.2, 56)
    histogram = np.histogram(x, edges)[0] / n_paths / np.diff(edges)

    def figure(ax: Axes) -> None:
        z = np.linspace(-2.2, 2.2, 400)
        ax.plot(z, density(z), label="exp(-V/D)/Z")
        ax.plot(0.5 * (edges[1:] + edges[:-1]), histogram, "o", ms=3, label="simulated")
        ax.set(xlabel="x", ylabel="p(x)", title="Double well, D = 0.25", ylim=(0, None))

    rows = (("Euler chain", square, error, chain, D / k),)
    table = Table("Harmonic well, k = 2, dt = 0.2, D = 0.5", ("", "variance", "stderr", "D/(k(1-k dt/2))", "D/k"), rows)
    return Evidence(tests, tables=[table], figure=figure)


# -- Kramers ----


@claim(
    "shld.kramers",
    "Kramers rate with omega0/2pi",
    statement="A path leaves a well at the rate omega0/(2 pi) exp(-dE/D), omega0 the Hessian eigenvalue at the minimum, as "
    "D falls.",
    corrected="Eyring-Kramers: sqrt(V''(a) |V''(b)|)/(2 pi) exp(-dE/D).",
    rule="Exact rate 1/(2 T(minimum to saddle)) by quadrature at barrier/D = 25, where Eyring-Kramers is within 3 D, "
    "against both formulas. The exact rate itself must be reached by four routes: quadrature, backward equation on the "
    "grid (400 cells), spectral gap, and simulated exits (dt = 1e-3, bridge-corrected).",
)
def kramers(run: Run) -> Evidence:
    """Compare the stated and the Eyring-Kramers rate with the exact one, found by four routes."""
    potential = DoubleWell()

    def exact(D: float) -> float:
        return 0.5 / float(theory.mean_exit_time(Langevin(potential, D), -1.0, LEFT))

    low = Langevin(potential, D=0.01)
    truth = exact(0.01)
    stated = [
        Test(
            "stated rate / exact rate at barrier/D = 25",
            theory.kramers_rate_as_stated(low, -1.0, 0.0) / truth,
            1.0,
            resolution=0.1,
            numerical=0.03,
        )
    ]
    corrected = [
        Test(
            "Eyring-Kramers rate / exact rate at barrier/D = 25",
            theory.eyring_kramers_rate(low, -1.0, 0.0) / truth,
            1.0,
            resolution=0.1,
            numerical=0.03,
        )
    ]
    rows = []
    noise = run.pick("noise D", (0.1, 0.06), (0.15, 0.1, 0.075, 0.06, 0.05))
    for i, D in enumerate(noise):
        model = Langevin(potential, D)
        solver = FokkerPlanck(model, Grid(-2.5, 2.5, 400))
        n_paths = run.pick(f"exits at D = {D:g}", 20_000 if D == 0.1 else 4_000, 20_000)
        exits = first_passage(model, -1.0, LEFT, 1e-3, n_paths, seed=run.stream(i))
        backward, gap = float(solver.mean_exit_time(LEFT, x0=-1.0)), float(solver.eigenvalues(2)[1])
        quadrature = 1.0 / (2.0 * exact(D))
        relative = exits.mean() / quadrature
        error = exits.stderr() / quadrature
        corrected += [
            Test(
                f"backward equation / quadrature, D = {D:g}",
                backward / quadrature,
                1.0,
                0,
                resolution=1e-3,
                numerical=1e-3,
            ),
            Test(f"simulation / quadrature, D = {D:g}", relative, 1.0, error, resolution=0.1, numerical=0.003),
        ]
        rows.append(
            (
                D,
                exact(D),
                0.5 / backward,
                0.5 * gap,
                0.5 / exits.mean(),
                0.5 / exits.mean() * error / relative,
                float(theory.eyring_kramers_rate(model, -1.0, 0.0)),
                float(theory.kramers_rate_as_stated(model, -1.0, 0.0)),
            )
        )
    # The gap is twice the rate up to terms that vanish exponentially: compare where they do.
    cold = Langevin(potential, D=0.025)
    gap = float(FokkerPlanck(cold, Grid(-2.2, 2.2, 800)).eigenvalues(2)[1])
    corrected.append(
        Test(
            "half the spectral gap / exact rate, D = 0.025",
            0.5 * gap / exact(0.025),
            1.0,
            0,
            resolution=2e-3,
            numerical=2e-3,
        )
    )
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
    statement="The time to escape over a barrier dE is tau = exp(dE/D).",
    corrected="tau = 2 pi/sqrt(V''(a) |V''(b)|) exp(dE/D) for the passage to the other well.",
    rule="Mean time from one minimum to the other by quadrature at barrier/D = 25 (asymptotics good to 3 D) against both, "
    "and simulated at D = 0.1 against quadrature.",
)
def escape_time(run: Run) -> Evidence:
    """Compare the passage time between the minima with exp(dE/D) with and without its prefactor."""
    model = Langevin(DoubleWell(), D=0.01)
    domain = (-math.inf, 1.0)
    exact = float(theory.mean_exit_time(model, -1.0, domain))
    stated = Test(
        "time / exp(dE/D) at barrier/D = 25",
        exact / theory.arrhenius_time(model, -1.0, 0.0),
        1.0,
        resolution=0.1,
        numerical=0.03,
    )
    rate = theory.eyring_kramers_rate(model, -1.0, 0.0)
    warm = Langevin(DoubleWell(), D=0.1)
    exits = first_passage(warm, -1.0, domain, 1e-3, run.pick("exits", 8_000, 40_000), seed=run.stream(0))
    truth = float(theory.mean_exit_time(warm, -1.0, domain))
    corrected = [
        Test("time x Eyring-Kramers rate at barrier/D = 25", exact * rate, 1.0, resolution=0.1, numerical=0.03),
        Test(
            "simulated / exact time, D = 0.1",
            exits.mean() / truth,
            1.0,
            exits.stderr() / truth,
            resolution=0.1,
            numerical=0.003,
        ),
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
    statement="For any density, sd(x) sd(V'(x)) >= D/2.",
    corrected="For the Gibbs law sd(x) sd(V') >= D, with equality iff V is quadratic, and in d dimensions "
    "sum_i Cov(x_i, d_i V) = D d. For every smooth density, sd(x) sqrt(E|D (ln p)'|^2) >= D.",
    rule="A normal density of width 0.1 at the bottom of the double well, D = 0.1, by quadrature. Corrected: Gibbs products "
    "of four landscapes at three D by quadrature and one by simulation, the covariance sum on a Mexican hat by simulation, "
    "and the Cramer-Rao product of mixtures of normal densities.",
)
def uncertainty(run: Run) -> Evidence:
    """Look for densities below the stated bound, and check the Gibbs and Cramer-Rao forms."""
    D = 0.1
    narrow = float(theory.gaussian_uncertainty_product(DoubleWell(), 1.0, 0.1))
    stated = [Test("sd(x) sd(V')/D, normal density at the minimum", narrow / D, 0.5, 0, "at least", numerical=1e-9)]
    corrected, rows = [], []
    for potential in (Harmonic(3.0), Quartic(), DoubleWell(), TiltedDoubleWell()):
        for d in (0.05, 0.25, 1.0):
            product = float(theory.uncertainty_product(Langevin(potential, d))) / d
            rows.append((repr(potential), d, product))
            relation = "equals" if isinstance(potential, Harmonic) else "at least"
            label = f"Gibbs product/D, {type(potential).__name__}, D = {d:g}"
            corrected.append(Test(label, product, 1.0, 0.0, relation, resolution=1e-8, numerical=1e-9))
    model, n_paths = Langevin(DoubleWell(), 0.25), run.pick("paths", 40_000, 400_000)
    x = simulate(model, 1.0, 1 / 256, 30.0, n_paths, seed=run.stream(0)).final
    x = x * np.where(np.arange(n_paths) % 2, 1, -1)
    slope = model.potential.gradient(x)
    squares, error = _mean((x * slope) / 0.25)  # E x V' = D: both have mean zero
    corrected.append(Test("Cov(x, V')/D, simulated", squares, 1.0, error, resolution=0.12, numerical=1 / 128))
    hat = Langevin(MexicanHat(3), 0.2)
    n_hat = run.pick("paths in the hat", 20_000, 200_000)
    y = simulate(hat, np.array([1.0, 0.0, 0.0]), 1 / 128, 15.0, n_hat, seed=run.stream(1)).final
    total, error = _mean((y * hat.potential.gradient(y)).sum(axis=1) / (0.2 * 3))
    corrected.append(
        Test("sum Cov(x_i, d_i V)/(D d), hat, d = 3", total, 1.0, error, resolution=0.12, numerical=1 / 64)
    )
    for weights, means, sds in (((1.0,), (1.0,), (0.1,)), ((0.5, 0.5), (-1.0, 1.0), (0.2, 0.4))):
        product = float(theory.cramer_rao_product(weights, means, sds, D)) / D
        name = "normal density" if len(weights) == 1 else "mixture of two"
        corrected.append(
            Test(f"Cramer-Rao product/D, {name}", product, 1.0, 0, "at least", resolution=1e-7, numerical=1e-8)
        )
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
    statement="If H >= lmin then E V(t) - V* <= (V0 - V*) exp(-lmin t) + D d/lmin.",
    corrected="If lmin <= H <= lmax: E V(t) - V* <= (V0 - V*) exp(-2 lmin t) + D d lmax/(2 lmin) (1 - exp(-2 lmin t)), and "
    "the stationary energy is at most D d (1 - lmin/(2 lmax)).",
    rule="Simulated E V in a quadratic well with k = 10, D = 1, whose floor is D/2, at t = 2 against the stated bound 0.1. "
    "Corrected bounds at three times on that well, on an anisotropic one and on x^2 + cos x (1 <= V'' <= 3).",
)
def convergence(run: Run) -> Evidence:
    """Compare the mean energy of simulations with the stated and the corrected bound."""
    n_paths, dt = run.pick("paths", 20_000, 200_000), 1e-3
    rippled = Potential(_rippled_energy, _rippled_gradient, (1.0,), minima=[0.0], saddles=[], name="x^2 + cos x - 1")
    cases: tuple[tuple[str, Langevin, ArrayLike, float, float, int], ...] = (
        ("k = 10", Langevin(QuadraticForm([10.0]), 1.0), 1.0, 10.0, 10.0, 1),
        ("k = 1, 10", Langevin(QuadraticForm([1.0, 10.0]), 0.5), np.array([2.0, 1.0]), 1.0, 10.0, 2),
        ("x^2 + cos x", Langevin(rippled, 0.5), 2.0, 1.0, 3.0, 1),
    )
    stated, corrected, rows, drawn = [], [], [], []
    for i, (name, model, x0, low, high, d) in enumerate(cases):
        paths = simulate(model, x0, dt, 2.0, n_paths, seed=run.stream(i), save_every=100)
        energies = [_mean(model.potential(x)) for x in paths.x[1:]]
        gap, D = float(model.potential(x0)), float(model.D)  # type: ignore[arg-type]
        for t in (0.1, 0.5, 2.0):
            value, error = energies[round(t * 10) - 1]
            bound = float(theory.corrected_energy_bound(gap, low, high, D, d, t))
            said = float(theory.claimed_energy_bound(gap, low, D, d, t))
            # the Euler chain is hotter by a factor of up to 1/(1 - lmax dt/2)
            numerical = bound * high * dt
            corrected.append(
                Test(f"E V - V*, {name}, t = {t:g}", value, bound, error, "at most", 0.15 * bound, numerical)
            )
            if i == 0 and t == 2.0:
                stated.append(
                    Test(f"E V - V*, {name}, t = {t:g}", value, said, error, "at most", 0.15 * said, numerical)
                )
            rows.append((name, t, value, error, said, bound))
        value, error = energies[-1]
        floor = float(theory.stationary_energy_bound(low, high, D, d))
        corrected.append(
            Test(f"stationary E V, {name}", value, floor, error, "at most", 0.15 * floor, floor * (high * dt + 0.02))
        )
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
    statement="The consolidation ratio C = |grad V|^2/(D d) marks the balance of drift and noise by C = 1, in every landscape.",
    corrected="At balance, that is in the Gibbs law, E C equals the mean curvature E[lap V]/d of the landscape; scaling "
    "V -> cV, D -> cD leaves the law as it is and multiplies C by c.",
    rule="Stationary mean of C by simulation in three landscapes against 1, and against the mean curvature by quadrature. "
    "Scaling by c = 4: the stationary E X^2 of both systems and the ratio of their C.",
)
def consolidation(run: Run) -> Evidence:
    """Measure the consolidation ratio at equilibrium in several landscapes."""
    n_paths = run.pick("paths", 80_000, 400_000)
    cases = (
        ("k = 1", Langevin(Harmonic(1.0), 0.2), 0.0, 0.01),
        ("k = 4", Langevin(Harmonic(4.0), 0.2), 0.0, 0.0025),
        ("double well", Langevin(DoubleWell(), 0.25), 1.0, 1 / 256),
        ("4 x double well", Langevin(DoubleWell(height=1.0), 1.0), 1.0, 1 / 1024),
    )
    stated, corrected, rows = [], [], []
    ratios, squares = {}, {}
    for i, (name, model, x0, dt) in enumerate(cases):
        x = simulate(model, x0, dt, n_steps=round(8 / dt), n_paths=n_paths, seed=run.stream(i)).final
        value, error = _mean(theory.consolidation_ratio(model, x))
        curvature = float(theory.mean_curvature(model))
        numerical = 3 * dt * curvature**2  # first-order bias of the Euler chain
        stated.append(Test(f"E C, {name}", value, 1.0, error, resolution=0.1, numerical=numerical))
        corrected.append(
            Test(
                f"E C/mean curvature, {name}",
                value / curvature,
                1.0,
                error / curvature,
                "equals",
                0.1,
                numerical / curvature,
            )
        )
        ratios[name], squares[name] = (value, error), _mean(x * x)
        rows.append((name, model.D, value, error, curvature))
    (a, ea), (b, eb) = ratios["double well"], ratios["4 x double well"]
    corrected.append(
        Test(
            "C ratio after V -> 4V, D -> 4D",
            b / a,
            4.0,
            b / a * math.hypot(ea / a, eb / b),
            resolution=0.6,
            numerical=0.1,
        )
    )
    (a, ea), (b, eb) = squares["double well"], squares["4 x double well"]
    corrected.append(
        Test("E X^2 ratio after scaling", b / a, 1.0, math.hypot(ea, eb) / a, resolution=0.05, numerical=0.01)
    )

    def figure(ax: Axes) -> None:
        place = np.arange(len(rows))
        ax.bar(place - 0.2, [r[2] for r in rows], 0.38, yerr=[5 * r[3] for r in rows], label="E C, simulated")
        ax.bar(place + 0.2, [r[4] for r in rows], 0.38, label="mean curvature")
        ax.axhline(1.0, ls=":", color="0.3", label="1, as stated")
        ax.set_xticks(place, [r[0] for r in rows])
        ax.set(ylabel="consolidation ratio", title="C at equilibrium")

    columns = ("landscape", "D", "E C", "stderr", "mean curvature")
    return Evidence(stated, corrected, [Table("Equilibrium", columns, tuple(rows))], figure)
