"""Claims of "A theory of neural learning phase transitions": the ratio C and p of noisy gradients, bounds and rules on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import diagnostics, theory
from shld_sim.claims.measure import mean, mean_of_runs, share
from shld_sim.claims.registry import Evidence, Run, Table, claim
from shld_sim.claims.rules import Test
from shld_sim.learning import experiments
from shld_sim.models import Langevin
from shld_sim.potentials import Harmonic, QuadraticForm
from shld_sim.simulate import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
DIM = 20  # dimension of the isotropic wells below


def _changes(V: QuadraticForm, x: Array, eta: float, root: Any, pairs: int, rng: np.random.Generator) -> Array:
    """Return L(x - eta g) - L(x), averaged over each pair of opposite noises: g = grad V + root xi, xi normal."""
    z = rng.standard_normal((pairs, len(x))) * root
    g = V.gradient(x)
    return 0.5 * (V(x - eta * (g + z)) + V(x - eta * (g - z))) - V(x)


def _step(p: float, eta: float, pairs: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the mean change of the loss |x|^2/2 over a step from |x| = 1 whose gradient has that p, and its error."""
    x = np.full(DIM, 1.0 / math.sqrt(DIM))
    return mean(_changes(QuadraticForm(np.ones(DIM)), x, eta, math.sqrt((1.0 - p) / (p * DIM)), pairs, rng))


def _descent(x: Array, eta: Any, noise: Any, rng: np.random.Generator) -> Array:
    """Return ``x - eta (x + noise xi)`` for the paths in the rows of x: a step in the well |x|^2/2."""
    return x - eta * (x + noise * rng.standard_normal(x.shape))


# -- the ratio ----


@claim(
    "phase.consolidation",
    "C, p and odds from n gradients",
    formula=r"C = \frac{|\mu|^2}{\mathrm{tr}\,S},\quad p = \frac{C}{1 + C},\quad \frac{p}{1-p} = C",
    statement="Signal over noise of a stochastic gradient, C = |mu|^2/tr S, is measured by the squared norm of the "
    "mean of 20 minibatch gradients over their summed variance. p = C/(1 + C) is a probability with odds p/(1 - p) = "
    "C.",
    definitions="mu and S are mean and covariance of the gradient. Gamma of the document on symmetry and dimension is "
    "the same number.",
    corrected="That ratio is C + 1/n on average, whatever the dimension; subtracting |variance|/n from the squared "
    "norm removes the bias, and a jackknife gives an interval. 1/C is the gradient noise scale, which two batch sizes "
    "give as well.",
    corrected_formula=r"\hat C = \frac{|\bar g|^2}{T} - \frac{1}{n},\quad "
    r"|\mu|^2 \approx \frac{B|G_B|^2 - b|G_b|^2}{B - b}",
    rule="Mean of the ratio over repeats of n = 20 normal gradients in 50 dimensions, isotropic and with variances 1 "
    "to 100, against C = 0.1 and 2 (resolution half of 1/n). Corrected: the mean of the estimate without bias against "
    "C, where the bias of the quotient is bounded by (C + 1/n)(2 + 2) tr S^2/((n - 1)(tr S)^2); the share of 95 % "
    "intervals that hold C, which must be 0.93 or more; C from batches of 4 and 64; and the odds of p.",
)
def consolidation(run: Run) -> Evidence:
    """Measure the bias of the plug-in ratio and of its correction, and the coverage of the interval.

    E|mean g|^2 = |mu|^2 + tr S/n, so that |mean g|^2/T, with the summed sample variance T, has the mean C + 1/n up
    to the small fluctuations of T. T is unbiased for tr S, and |mean g|^2 - T/n, the average of g_i.g_j over i !=
    j, for |mu|^2. With batches of b and B examples E|G_b|^2 = |mu|^2 + tr S/b, two equations for |mu|^2 and tr S.
    """
    n, d, repeats = 20, 50, run.pick("repeats", 2000, 20_000)
    stated, corrected, rows, drawn = [], [], [], []
    cases = (("isotropic", np.ones(d)), ("variances 1 to 100", np.geomspace(1.0, 10.0, d)))
    for i, (name, scale) in enumerate(cases):
        for j, C in enumerate((0.1, 2.0)):
            rng, total = run.generator(2 * i + j), float(np.sum(scale**2))
            middle = np.zeros(d)
            middle[d // 2] = math.sqrt(C * total)
            found = [diagnostics.consolidation(middle + scale * rng.standard_normal((n, d))) for _ in range(repeats)]
            plug_in, plug_error = mean(np.array([e.plug_in for e in found]))
            value, error = mean(np.array([e.C for e in found]))
            held, held_error = share(np.array([e.interval[0] <= C <= e.interval[1] for e in found]))
            # 1/T is too large on average by the relative variance of T, 2 tr S^2/((n - 1)(tr S)^2)
            bias = 4.0 * (C + 1.0 / n) * float(np.sum(scale**4)) / ((n - 1) * total**2)
            label = f"C = {C:g}, {name}"
            stated.append(Test(f"mean ratio, {label}", plug_in, C, plug_error, resolution=0.5 / n, numerical=bias))
            corrected += [
                Test(f"mean estimate, {label}", value, C, error, resolution=0.03 + 0.02 * C, numerical=bias),
                Test(f"coverage, {label}", held, 0.93, held_error, "at least", resolution=0.03),
            ]
            rows.append((name, C, plug_in, value, error, held))
            drawn.append(([e.plug_in for e in found], [e.C for e in found]))
    C, rng, m = 0.25, run.generator(10), run.pick("pairs of batches", 4000, 40_000)
    middle = np.full(10, math.sqrt(C))
    batches = {b: middle + rng.standard_normal((m, 10)) / math.sqrt(b) for b in (4, 64)}
    small, large = ((g**2).sum(axis=1) for g in batches.values())
    two = diagnostics.consolidation_two_batches(small, large, (4, 64))
    corrected.append(Test("C from two batch sizes / C", two.C / C, 1.0, two.stderr / C, resolution=0.1))
    p = found[0].p
    corrected.append(Test("odds p/(1 - p) over C, one estimate", p / (1 - p) / found[0].C, 1.0, resolution=1e-9))

    def figure(ax: Axes) -> None:
        edges = [float(e) for e in np.linspace(0.0, 0.35, 50)]
        for values, label in zip(drawn[0], ("ratio, as stated", "without bias"), strict=True):
            ax.hist(values, edges, histtype="step", lw=2, density=True, label=label)
        ax.axvline(0.1, ls=":", color="0.3", label="C")
        ax.set(xlabel="estimate of C", ylabel="density", title="20 gradients, d = 50, C = 0.1")

    columns = ("noise", "C", "ratio", "without bias", "stderr", "coverage of 95 %")
    return Evidence(stated, corrected, [Table("Means over repeats", columns, tuple(rows))], figure)


# -- the edge ----


def _least_squares(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return inputs (64, 4) of unequal scale, targets and parameters of a small least-squares problem."""
    inputs = rng.standard_normal((64, 4)) * np.array([1.0, 0.7, 0.4, 0.2])
    return inputs, inputs @ np.ones(4) + rng.standard_normal(64), np.array([2.5, -0.5, 1.5, 3.0])


@claim(
    "phase.edge",
    "learning iff p > 1/2",
    formula=r"\mathrm{E}\,L(x - \eta g) < L(x)\ \Leftrightarrow\ p > \frac{1}{2}",
    statement="A network learns if and only if p > 1/2, that is C > 1.",
    definitions="p = C/(1 + C), C = |mu|^2/tr S; learning: a step lowers the expected loss.",
    corrected="With curvature lam the expected loss falls iff eta lam < 2p, fastest at eta = p/lam: p is the factor by "
    "which noise shrinks the edge of stability, and p > 1/2 is the threshold at eta lam = 1 alone. For any Hessian "
    "eta lmax < 2p suffices, and the exact threshold is eta = 2|mu|^2/(mu.H mu + tr(H S)).",
    corrected_formula=r"\eta\lambda < 2p,\quad \eta^* = \frac{p}{\lambda},\quad "
    r"\eta_c = \frac{2|\mu|^2}{\mu^T H\mu + \mathrm{tr}(H S)}",
    rule="Mean change of the loss over a noisy step in the well |x|^2/2, d = 20: at p = 0.4, eta = 0.5, where it must "
    "not fall as stated, and at p = 0.6, eta = 1.5, where it must. Corrected, for p = 0.2 to 0.9: no change at eta = "
    "2p, a fall at 0.9 times that and a rise at 1.1 times; at eta = p the change -p|mu|^2/2, the largest fall of "
    "three steps. And minibatches of 2 of 64 examples of a least-squares problem: no change at the exact threshold, a "
    "fall at 2p/lmax. Quadratic losses: no numerical error.",
)
def edge(run: Run) -> Evidence:
    """Locate the step at which the expected loss stops falling.

    L(x - eta g) - L(x) = -eta mu.g + (eta^2/2) g.H g for a quadratic L. With E g = mu and E g g^T = mu mu^T + S its
    mean is -eta |mu|^2 + (eta^2/2)(mu.H mu + tr(H S)), a parabola in eta with its second zero at eta_c. For H = lam
    I the bracket is lam E|g|^2 = lam |mu|^2/p; for any H it is at most lmax |mu|^2/p.
    """
    pairs, rng = run.pick("pairs of steps", 20_000, 200_000), run.generator(0)
    low, low_error = _step(0.4, 0.5, pairs, rng)
    high, high_error = _step(0.6, 1.5, pairs, rng)
    stated = [
        Test("change at p = 0.4, eta lam = 0.5", low, 0.0, low_error, "at least", resolution=0.01),
        Test("change at p = 0.6, eta lam = 1.5", high, 0.0, high_error, "at most", resolution=0.01),
    ]
    corrected, rows, drawn = [], [], []
    for p in (0.2, 0.4, 0.6, 0.8, 0.9):
        found = {f: _step(p, f * p, pairs, rng) for f in (0.5, 1.0, 1.5, 1.8, 2.0, 2.2)}
        gain, error = found[1.0]
        corrected += [
            Test(f"change at eta lam = 2p, p = {p:g}", found[2.0][0], 0.0, found[2.0][1], resolution=0.02),
            Test(f"change at eta lam = 1.8p, p = {p:g}", found[1.8][0], 0.0, found[1.8][1], "at most"),
            Test(f"change at eta lam = 2.2p, p = {p:g}", found[2.2][0], 0.0, found[2.2][1], "at least"),
            Test(f"change at the best step, p = {p:g}", gain, -0.5 * p, error, resolution=0.02),
        ]
        for f in (0.5, 1.5):
            other, spread = found[f]
            label = f"best step against {f:g} times it, p = {p:g}"
            corrected.append(Test(label, gain - other, 0.0, math.hypot(error, spread), "at most"))
        rows += [("isotropic", p, f * p, *found[f], -f * p * (1.0 - 0.5 * f)) for f in found]
        drawn.append((p, found))
    inputs, targets, theta = _least_squares(run.generator(1))
    examples = inputs * (inputs @ theta - targets)[:, None]  # gradients of (a.theta - b)^2/2
    H, mu, S = inputs.T @ inputs / 64, examples.mean(axis=0), np.cov(examples.T, bias=True) / 2
    m, rng = run.pick("minibatches", 50_000, 400_000), run.generator(2)
    g = 0.5 * (examples[rng.integers(64, size=m)] + examples[rng.integers(64, size=m)])
    C = theory.gradient_consolidation(mu, S)
    steps = (theory.step_threshold(mu, S, H), 2.0 * C / (1.0 + C) / float(np.linalg.eigvalsh(H)[-1]))
    for eta, name, relation in zip(steps, ("the exact threshold", "2p/lmax"), ("equals", "at most"), strict=True):
        # mean loss of all 64 examples after the step, less the loss before
        parts = [np.mean((inputs @ (theta - eta * part).T - targets[:, None]) ** 2, axis=0) for part in np.split(g, 50)]
        change, error = mean(0.5 * (np.concatenate(parts) - np.mean((inputs @ theta - targets) ** 2)))
        corrected.append(
            Test(f"least squares, change at {name}", change, 0.0, error, relation, resolution=0.05 * float(mu @ mu))
        )
        rows.append(("least squares", C / (1 + C), eta, change, error, theory.one_step_change(mu, S, H, eta)))

    def figure(axes: Any) -> None:
        left, right = axes
        eta = np.linspace(0.0, 2.0, 100)
        for p, found in drawn[:4]:
            line = left.plot(eta, -eta + eta**2 / (2 * p), label=f"p = {p:g}")[0]
            values = np.array([(f * p, *v) for f, v in found.items()])
            left.errorbar(values[:, 0], values[:, 1], 5 * values[:, 2], fmt="o", ms=4, color=line.get_color())
        left.axhline(0.0, lw=0.8, color="0.6")
        left.set(xlabel="step eta lam", ylabel="change of the loss/|mu|^2", ylim=(-0.6, 0.6), title="One step")
        for p, found in drawn:
            for f, (value, _) in found.items():
                if f != 2.0:
                    right.plot(p, f * p, "^" if value > 0 else "v", ms=6, color="C1" if value > 0 else "C0")
        right.plot([0, 1], [0, 2], color="0.2", label="eta lam = 2p")
        right.axvline(0.5, ls=":", color="0.4", label="p = 1/2, as stated")
        right.plot([], [], "^", color="C1", label="loss rises")
        right.plot([], [], "v", color="C0", label="loss falls")
        right.set(xlabel="p", ylabel="step eta lam", ylim=(0, 2.9), title="Where steps lower the loss")

    columns = ("problem", "p", "step", "change", "stderr", "theory")
    return Evidence(stated, corrected, [Table("Change of the loss", columns, tuple(rows))], figure, panels=2)


@claim(
    "phase.intelligence",
    "I = p S/d_H with bands",
    formula=r"I = \frac{p\,S}{d_H},\quad S = 2\eta - \lambda_{\max},\quad d_H = \min(d, \alpha)",
    statement="The intelligence coefficient I = p S/d_H tells the phases: I < 0 divergence; p < .5, I < .1 "
    "exploration; p about .5, .1 <= I < .5 transition; p > .5, I > .5 generalisation.",
    definitions="S = 2 eta - lmax as typed; by its units it must be 2/eta - lmax. alpha is the tail index, d the "
    "dimension.",
    corrected="2/eta - lmax tells divergence without noise; with noise it is the margin S_p = 2p/eta - lmax whose sign "
    "decides, and eta S_p, unlike I, is the same number in every unit of the loss, so that bands of it mean "
    "something.",
    corrected_formula=r"\eta S_p = 2p - \eta\lambda_{\max}",
    rule="Gradient descent, 200 steps, on eight quadratics: share in which I as typed is negative iff the iterates "
    "grow, which must be 1; I with 2/eta - lmax for the same system in two units of the loss (L and 4L), ratio 1; and "
    "the change of the loss over a noisy step at p = 0.6, lam = 10, eta = 0.15, where I = 1.3 says generalisation and "
    "the loss must fall. Corrected: the share with 2/eta - lmax; eta S_p in both units; and the change of the loss "
    "over steps with eta S_p = -0.3, 0, 0.3 for two p, against -(eta S_p) eta |mu|^2/(2p).",
)
def intelligence(run: Run) -> Evidence:
    """Compare the sign of I with what descent does, and its value in two units of the loss.

    In the unit in which the loss is cL, curvatures are c lmax and steps eta/c: 2/eta - lmax is multiplied by c, eta
    lmax stays. The expected loss changes by -eta |mu|^2 (1 - eta lam/(2p)) = -(eta S_p) eta |mu|^2/(2p).
    """
    typed, right, rows = [], [], []
    for eta, lam in ((0.01, 150), (0.01, 250), (0.1, 0.15), (0.1, 19), (0.5, 3.9), (0.5, 4.1), (3.0, 1.0), (1.0, 1.5)):
        iterate = 1.0
        for _ in range(200):
            iterate -= eta * lam * iterate
        values = [f(0.6, eta, lam, 100, 1.5) for f in (diagnostics.intelligence_as_stated, diagnostics.intelligence)]
        grows = abs(iterate) > 1.0
        typed.append((values[0] < 0.0) == grows)
        right.append((values[1] < 0.0) == grows)
        rows.append((eta, float(lam), "grows" if grows else "decays", *values))
    pairs, rng = run.pick("pairs of steps", 20_000, 200_000), run.generator(0)
    units = [diagnostics.intelligence(0.6, 0.15 / c, 10.0 * c, 100, 1.5) for c in (1.0, 4.0)]
    V, x = QuadraticForm(np.full(DIM, 10.0)), np.full(DIM, 0.1 / math.sqrt(DIM))  # |mu| = 1
    label = diagnostics.phase(0.6, units[0])
    change, error = mean(_changes(V, x, 0.15, math.sqrt(0.4 / (0.6 * DIM)), pairs, rng))
    stated = [
        Test("agreement of I < 0 with divergence, as typed", float(np.mean(typed)), 1.0),
        Test("I of 4L over I of L", units[1] / units[0], 1.0, resolution=1e-9),
        Test(f"change of the loss in the phase of {label}", change, 0.0, error, "at most", resolution=0.01),
    ]
    margins = [0.15 / c * theory.noisy_margin(0.6, 0.15 / c, 10.0 * c) for c in (1.0, 4.0)]
    corrected = [
        Test("agreement of 2/eta < lmax with divergence", float(np.mean(right)), 1.0),
        Test("eta S_p of 4L over that of L", margins[1] / margins[0], 1.0, resolution=1e-9),
    ]
    drawn = []
    for p in (0.3, 0.7):
        for margin in (-0.3, 0.0, 0.3):
            eta = 2.0 * p - margin
            value, error = _step(p, eta, pairs, rng)
            exact = -eta * theory.noisy_margin(p, eta, 1.0) * eta / (2.0 * p)
            corrected.append(
                Test(f"change at p = {p:g}, eta S_p = {margin:g}", value, exact, error, resolution=0.02 * eta / p)
            )
            drawn.append((p, margin, 2 * p * value / eta, 2 * p * error / eta))

    def figure(axes: Any) -> None:
        left, other = axes
        for i, (_, _, state, wrong, good) in enumerate(rows):
            color = "C1" if state == "grows" else "C0"
            left.plot(np.arcsinh(wrong), i, "x", ms=8, color=color)
            left.plot(np.arcsinh(good), i, "o", ms=6, color=color)
        left.plot([], [], "xk", label="2 eta - lmax, as typed")
        left.plot([], [], "ok", label="2/eta - lmax")
        left.axvline(0.0, lw=0.8, color="0.5")
        left.set_yticks(range(len(rows)), [f"{r[0]:g}, {r[1]:g}" for r in rows])
        left.set(xlabel="arcsinh I  (orange: diverges)", ylabel="eta, lmax", ylim=(-0.5, 10.5), title="Sign of I")
        other.plot([-0.4, 0.4], [0.4, -0.4], color="0.3", label="theory")
        for p, marker, size in ((0.3, "s", 9), (0.7, "o", 5)):
            points = np.array([row[1:] for row in drawn if row[0] == p])
            other.errorbar(
                points[:, 0], points[:, 1], 5 * points[:, 2], fmt=marker, ms=size, mfc="none", label=f"p = {p:g}"
            )
        other.axhline(0.0, lw=0.8, color="0.6")
        other.set(xlabel="eta S_p", ylabel="2p change/(eta |mu|^2)", title="One noisy step")

    table = Table("Gradient descent", ("eta", "lmax", "iterates", "I as typed", "I with 2/eta - lmax"), tuple(rows))
    return Evidence(stated, corrected, [table], figure, panels=2)


@claim(
    "phase.bound",
    "convergence bound with p/(1 - p)",
    formula=r"\mathrm{E}[L' - L^*] \leq \left(1 - \eta\,\frac{p}{1-p}\,\mu_{d_H}\right)(L - L^*)",
    statement="Each step takes off the part eta p/(1 - p) mu of the excess loss at least.",
    definitions="mu is the Polyak-Lojasiewicz constant, for a quadratic the smallest curvature.",
    corrected="The factor is at most 1 - eta mu (2 - eta lmax/p) while eta lmax <= 2p; equality for an isotropic "
    "quadratic.",
    corrected_formula=r"\mathrm{E}[L' - L^*] \leq \left(1 - \eta\mu\left(2 - \frac{\eta\lambda_{\max}}{p}\right)\right)(L - L^*)",
    rule="Measured E L'/L in the well |x|^2/2 against the stated bound at p = 0.95, eta = 0.1, where it is -0.9, and "
    "at p = 0.4, eta = 0.7. Corrected: equality in that well for five p at half of the largest step and over ten "
    "steps; the bound in the well of curvatures 1 to 4 at three steps, from a point along the softest direction and "
    "from a mixed one. Noise with constant C; no numerical error.",
)
def bound(run: Run) -> Evidence:
    """Measure the factor of the excess loss per step.

    E L' - L <= -eta |mu|^2 + eta^2 lmax E|g|^2/2 with E|g|^2 = |mu|^2/p, and |mu|^2 >= 2 mu_PL (L - L*): together
    the factor 1 - 2 eta mu_PL (1 - eta lmax/(2p)). The stated one falls below zero when p/(1 - p) exceeds 1/(eta
    mu), while L' cannot.
    """
    pairs, rng = run.pick("pairs of steps", 20_000, 200_000), run.generator(0)
    stated, corrected, drawn = [], [], []
    for p, eta in ((0.95, 0.1), (0.4, 0.7)):
        change, error = _step(p, eta, pairs, rng)
        said = theory.claimed_progress_factor(eta, p, 1.0)
        stated.append(
            Test(f"E L'/L, p = {p:g}, eta lam = {eta:g}", 1 + 2 * change, said, 2 * error, "at most", resolution=0.02)
        )
    for p in (0.2, 0.4, 0.6, 0.8, 0.95):
        change, error = _step(p, p, pairs, rng)
        exact = theory.progress_factor(p, p, 1.0, 1.0)
        corrected.append(Test(f"E L'/L at eta lam = p = {p:g}", 1 + 2 * change, exact, 2 * error, resolution=0.03))
    V, (low, high), p = QuadraticForm(np.array([1.0, 2.0, 4.0])), (1.0, 4.0), 0.6
    for name, x in (("softest direction", np.array([1.0, 0.0, 0.0])), ("mixed", np.array([1.0, 0.5, 0.3]))):
        size = float(np.sum(V.gradient(x) ** 2))
        for part in (0.3, 1.0, 1.7):
            eta = part * p / high
            change, error = mean(_changes(V, x, eta, math.sqrt(size * (1 - p) / (p * 3)), pairs, rng))
            factor, error = 1 + change / float(V(x)), error / float(V(x))
            limit = theory.progress_factor(eta, p, low, high)
            label = f"E L'/L, curvatures 1 to 4, {name}, eta lmax/p = {part:g}"
            corrected.append(Test(label, factor, limit, error, "at most", resolution=0.02))
    x, p, eta = np.full((pairs, DIM), 1.0 / math.sqrt(DIM)), 0.8, 0.4
    for _ in range(10):
        x = _descent(x, eta, np.linalg.norm(x, axis=1, keepdims=True) * math.sqrt((1 - p) / (p * DIM)), rng)
    value, error = mean(np.sum(x * x, axis=1) / theory.progress_factor(eta, p, 1.0, 1.0) ** 10)
    corrected.append(Test("E L after ten steps / factor^10", value, 1.0, error, resolution=0.2))
    for C in np.geomspace(0.1, 30.0, 9):
        p = C / (1 + C)
        change, error = _step(p, 0.1, 2000, rng)
        said = theory.claimed_progress_factor(0.1, p, 1.0)
        drawn.append((float(C), 1 + 2 * change, 2 * error, theory.progress_factor(0.1, p, 1.0, 1.0), said))

    def figure(ax: Axes) -> None:
        C, value, error, exact, said = np.array(drawn).T
        ax.errorbar(C, value, 5 * error, fmt="ok", ms=5, label="measured")
        ax.plot(C, exact, label="1 - eta mu (2 - eta lmax/p)")
        ax.plot(C, said, ":", label="1 - eta mu p/(1 - p), as stated")
        ax.axhline(0.0, lw=0.8, color="0.6")
        ax.set(xscale="log", xlabel="C", ylabel="E L'/L", ylim=(-1, 1.2), title="One step, eta lam = 0.1")

    columns = ("C", "E L'/L", "stderr", "corrected", "as stated")
    return Evidence(stated, corrected, [Table("Factor per step, eta lam = 0.1", columns, tuple(drawn))], figure)


@claim(
    "phase.lyapunov",
    "generator negative iff C > 1",
    formula=r"\mathcal{L}V < 0\ \Leftrightarrow\ C = \frac{|\nabla V|^2}{\mathrm{tr}\,D} > 1,\quad "
    r"d\theta = -\nabla V\,dt + 2D\,dW",
    statement="The loss is a Lyapunov function: its generator is negative iff C > 1. The equation of motion is d theta "
    "= -grad V dt + 2D dW.",
    definitions="In the first part C is taken with the diffusion matrix D of d theta = -grad V dt + sqrt(2D) dW.",
    corrected="The generator is -|grad V|^2 + tr(D H), negative iff C exceeds tr(D H)/tr D, the mean curvature seen by "
    "the noise. The factor of the noise is sqrt(2D): with it the stationary variance of a well k is D/k.",
    corrected_formula=r"\mathcal{L}V = -|\nabla V|^2 + \mathrm{tr}(D H)",
    rule="Conditional change of the energy over an Euler step, pairs of opposite noises, curvatures 0.25, 1, 4 and D = "
    "diag(0.2, 0.3, 0.5): at C = 1 it must vanish as stated; the stationary variance of the equation as typed in a "
    "well k = 1, D = 0.25 must be D/k. Corrected: no change at C = tr(D H)/tr D, a fall at 1.2 and a rise at 0.8 "
    "times that; -|grad V|^2 + tr(D H) at C = 1; the variance with sqrt(2D). The step's bias |H||grad V|^2 dt/2, at "
    "most 4 |grad V|^2 dt, and k dt D/k of the variance are bounded.",
)
def lyapunov(run: Run) -> Evidence:
    """Measure the drift of the energy and the stationary variance.

    Ito: d V = grad V.dx + tr(D H) dt, so that the mean changes at the rate -|grad V|^2 + tr(D H); tr D has another
    unit. The noise 2D dW has the diffusion matrix 2 D^2, and the variance of k x^2/2 becomes 2 D^2/k.
    """
    V, D = QuadraticForm(np.array([0.25, 1.0, 4.0])), np.array([0.2, 0.3, 0.5])
    dt, pairs, rng = 1e-4, run.pick("pairs of steps", 40_000, 400_000), run.generator(0)
    unit = np.array([1.0, 0.8, 0.4])
    unit = unit * math.sqrt(float(D.sum()) / float(np.sum(V.gradient(unit) ** 2)))  # C = 1
    critical = float(np.sum(D * np.array([0.25, 1.0, 4.0])) / D.sum())
    found = {}
    for C in (1.0, critical, 0.8 * critical, 1.2 * critical):
        x = unit * math.sqrt(C)
        value, error = mean(_changes(V, x, dt, np.sqrt(2.0 * D / dt), pairs, rng) / dt)
        found[C] = value, error, float(theory.energy_generator(V, x, D)), 4.0 * C * float(D.sum()) * dt
    value, error, exact, bias = found[1.0]
    stated = [Test("energy drift at C = 1", value, 0.0, error, resolution=0.1, numerical=bias)]
    corrected = [Test("energy drift at C = 1, tr(D H) - |grad V|^2", value, exact, error, "equals", 0.1, bias)]
    value, error, _, bias = found[critical]
    corrected.append(Test("energy drift at C = tr(D H)/tr D", value, 0.0, error, "equals", 0.1, bias))
    for part, relation in ((0.8, "at least"), (1.2, "at most")):
        value, error, _, bias = found[part * critical]
        corrected.append(Test(f"energy drift at {part:g} times that C", value, 0.0, error, relation, numerical=bias))
    n_paths, strength, squares = run.pick("paths", 20_000, 200_000), 0.25, []
    for i, used in enumerate((2.0 * strength**2, strength)):  # 2D dW is sqrt(2 D') dW with D' = 2 D^2
        x = simulate(Langevin(Harmonic(1.0), used), 0.0, 0.01, 8.0, n_paths, seed=run.stream(1 + i)).final
        squares.append(mean(x * x))
    for tests, (value, error), name in zip((stated, corrected), squares, ("2D dW", "sqrt(2D) dW"), strict=True):
        tests.append(
            Test(f"variance with {name} / (D/k)", value / strength, 1.0, error / strength, "equals", 0.1, 0.01)
        )
    rows = tuple((C, *row[:3]) for C, row in sorted(found.items()))

    def figure(ax: Axes) -> None:
        C, value, error = np.array(rows).T[:3]
        total = float(D.sum())
        line = np.array([0.8, 3.0])
        ax.plot(line, total * (critical - line), label="-|grad V|^2 + tr(D H)")
        ax.plot(line, total * (1.0 - line), ":", label="-|grad V|^2 + tr D: zero at C = 1, as stated")
        ax.errorbar(C, value, 5 * error, fmt="ok", ms=5, label="measured")
        ax.axhline(0.0, lw=0.8, color="0.6")
        ax.set(xlabel="C = |grad V|^2/tr D", ylabel="d E[V]/dt", title="Curvatures 1/4, 1, 4")

    columns = ("C", "energy drift", "stderr", "-|grad V|^2 + tr(D H)")
    return Evidence(stated, corrected, [Table("Conditional energy change", columns, rows)], figure)


# -- what C does not know ----


@claim(
    "phase.invariance",
    "C is invariant in every chart",
    formula=r"C_\varphi = C_\theta\ \mathrm{for\ every}\ \varphi(\theta)",
    statement="C is invariant under any reparametrisation of the network.",
    corrected="Under similarities only. With a metric G of the parameters, mu.G^-1 mu/tr(G^-1 S) is invariant.",
    corrected_formula=r"C_G = \frac{\mu^T G^{-1}\mu}{\mathrm{tr}(G^{-1}S)}",
    definitions="A chart phi changes gradients to J^T g with J = d theta/d phi, and the metric to J^T G J.",
    rule="Per-example losses |theta - z|^2/2 in the plane, gradients by central differences in four charts of the same "
    "point: C of the chart over C, which must be 1 in each as stated. Corrected: 1 for a rotation with change of "
    "scale; 1 with the metric of the chart in each. Differences are good to 1e-7.",
)
def invariance(run: Run) -> Evidence:
    """Measure C of the same examples in several charts.

    g becomes J^T g, S becomes J^T S J, G becomes J^T G J, so that mu.G^-1 mu and tr(G^-1 S) keep their values,
    while |mu|^2 and tr S keep their ratio for every mu and S only if J J^T is a multiple of the identity.
    """
    n, point = run.pick("examples", 4000, 40_000), np.array([2.0, 1.0])
    targets = run.generator(0).standard_normal((n, 2)) + np.array([1.0, 0.5])
    turn = 2.0 * np.array([[math.cos(0.3), -math.sin(0.3)], [math.sin(0.3), math.cos(0.3)]])
    charts: dict[str, tuple[Any, Array]] = {  # theta of phi, and phi of the point
        "rotation and scale": (lambda f: f @ turn.T, np.linalg.solve(turn, point)),
        "first axis x 10": (lambda f: f * np.array([0.1, 1.0]), point * np.array([10.0, 1.0])),
        "shear": (lambda f: np.stack([f[..., 0] + 2 * f[..., 1], f[..., 1]], axis=-1), np.array([0.0, 1.0])),
        "polar": (
            lambda f: np.stack([f[..., 0] * np.cos(f[..., 1]), f[..., 0] * np.sin(f[..., 1])], axis=-1),
            np.array([math.hypot(2.0, 1.0), math.atan2(1.0, 2.0)]),
        ),
    }
    reference = diagnostics.consolidation(point - targets)
    stated, corrected, rows = [], [], []
    for name, (theta, phi) in charts.items():
        J, g = np.empty((2, 2)), np.empty((n, 2))
        for i in range(2):
            step = np.zeros(2)
            step[i] = 1e-5
            ahead, behind = theta(phi + step), theta(phi - step)
            J[:, i] = (ahead - behind) / 2e-5
            # (|a - z|^2 - |b - z|^2)/2 as a product, which loses no digits
            g[:, i] = ((ahead - behind) * (0.5 * (ahead + behind) - targets)).sum(axis=1) / 2e-5
        found = diagnostics.consolidation(g)
        ratio = found.plug_in / reference.plug_in
        error = (
            0.0 if name == "rotation and scale" else ratio * (found.stderr / found.C + reference.stderr / reference.C)
        )
        covariant = theory.metric_consolidation(g.mean(axis=0), np.cov(g.T), J.T @ J) / reference.plug_in
        stated.append(Test(f"C of chart / C, {name}", ratio, 1.0, error, resolution=0.5, numerical=1e-6))
        corrected.append(Test(f"C with metric / C, {name}", covariant, 1.0, resolution=1e-5, numerical=1e-6))
        rows.append((name, ratio, covariant))
    corrected.append(Test("C of chart / C, similarity", rows[0][1], 1.0, resolution=1e-5, numerical=1e-6))

    def figure(ax: Axes) -> None:
        place = np.arange(len(rows))
        ax.bar(place - 0.2, [r[1] for r in rows], 0.38, label="|mu|^2/tr S of the chart")
        ax.bar(place + 0.2, [r[2] for r in rows], 0.38, label="with the metric of the chart")
        ax.axhline(1.0, ls=":", color="0.3", label="invariant")
        ax.set_xticks(place, [r[0] for r in rows])
        ax.set(ylabel="C of the chart/C", title="The same examples in four charts")

    table = Table("Charts", ("chart", "C of the chart/C", "with metric"), tuple(rows))
    return Evidence(stated, corrected, [table], figure)


@claim(
    "phase.pruning",
    "pruning multiplies C",
    formula=r"\frac{C_\mathrm{pruned}}{C_\mathrm{full}} = \frac{d}{d_H}\,\frac{|\mu|^2}{|\mu_\mathrm{sub}|^2}",
    statement="Pruning to d_H of d parameters multiplies C by (d/d_H) |mu|^2/|mu_sub|^2.",
    corrected="It multiplies C by (|mu_sub|^2/|mu|^2)(tr S/tr S_sub): by d/d_H at most for isotropic noise, and only "
    "where the pruned parameters carry no signal.",
    corrected_formula=r"\frac{C_\mathrm{pruned}}{C_\mathrm{full}} = "
    r"\frac{|\mu_\mathrm{sub}|^2}{|\mu|^2}\,\frac{\mathrm{tr}\,S}{\mathrm{tr}\,S_\mathrm{sub}}",
    rule="Normal gradients of 100 parameters with means falling like exp(-i/20) and variances from 1 to 4: C of the "
    "kept over C of all, from the same gradients, when the 20 of largest, of smallest mean and every fifth are kept, "
    "against both formulas (errors by a bound on the sum of the two standard errors).",
)
def pruning(run: Run) -> Evidence:
    """Measure C before and after pruning.

    C_sub = |mu_sub|^2/tr S_sub by definition; divide by |mu|^2/tr S. The stated form has the two norms upside down.
    """
    d, n, rng = 100, run.pick("gradients", 20_000, 100_000), run.generator(0)
    middle, variance = np.exp(-np.arange(d) / 20.0), rng.uniform(1.0, 4.0, d)
    g = middle + np.sqrt(variance) * rng.standard_normal((n, d))
    whole = diagnostics.consolidation(g)
    place = np.arange(d)
    cases = {"20 largest": place < 20, "every fifth": place % 5 == 0, "20 smallest": place >= 80}
    stated, corrected, rows = [], [], []
    for name, kept in cases.items():
        part = diagnostics.consolidation(g[:, kept])
        ratio = part.C / whole.C
        error = part.stderr / whole.C + ratio * whole.stderr / whole.C  # a bound: the two are not independent
        said = theory.pruned_consolidation_ratio_as_stated(middle, kept)
        exact = theory.pruned_consolidation_ratio(middle, variance, kept)
        stated.append(Test(f"C kept / C, {name}", ratio, said, error, resolution=0.2 * said))
        corrected.append(Test(f"C kept / C, {name}", ratio, exact, error, resolution=0.6))
        rows.append((name, ratio, error, exact, said))

    def figure(ax: Axes) -> None:
        count = np.arange(5, d + 1)
        for name, order in (("largest", place), ("smallest", place[::-1])):
            masks = [np.isin(place, order[:k]) for k in count]
            line = ax.plot(count, [theory.pruned_consolidation_ratio(middle, variance, m) for m in masks])[0]
            color = line.get_color()
            ax.plot(count, [theory.pruned_consolidation_ratio_as_stated(middle, m) for m in masks], ":", color=color)
            line.set_label(f"{name} kept, corrected")
            ax.plot([], [], ":", color=color, label=f"{name} kept, as stated")
        for k, row in ((20, rows[0]), (20, rows[2])):
            ax.errorbar(k, max(row[1], 1e-3), 5 * row[2], fmt="ok", ms=5)
        ax.plot([], [], "ok", label="measured")
        ax.set(yscale="log", ylim=(1e-3, 1e7), xlabel="parameters kept of 100", ylabel="C kept/C", title="Pruning")

    columns = ("kept", "C kept/C", "stderr", "corrected", "as stated")
    return Evidence(stated, corrected, [Table("Pruning to 20 of 100", columns, tuple(rows))], figure)


@claim(
    "phase.hypothesis-test",
    "a step is a test with power p",
    formula=r"P(g\cdot\mu > 0) = p",
    statement="Each gradient step tests the hypothesis of a signal, with power p: the step goes the right way with "
    "probability p.",
    corrected="With isotropic normal noise in d dimensions the step goes downhill with probability Phi(sqrt(C d)).",
    corrected_formula=r"P(g\cdot\mu > 0) = \Phi(\sqrt{C\,d})",
    rule="Share of normal gradients with g.mu > 0 for C = 1/4 and 1 in d = 1, 10, 100 dimensions against p = C/(1 + C) "
    "and against Phi(sqrt(C d)); where that share is within 1e-3 of one, the error of a share of one event is used.",
)
def hypothesis_test(run: Run) -> Evidence:
    """Count gradients that point downhill.

    g.mu is normal with mean |mu|^2 and variance s^2 |mu|^2, so it is positive with probability Phi(|mu|/s); C =
    |mu|^2/(d s^2).
    """
    m = run.pick("gradients", 20_000, 200_000)
    stated, corrected, rows = [], [], []
    for i, (C, d) in enumerate((C, d) for C in (0.25, 1.0) for d in (1, 10, 100)):
        middle = np.full(d, math.sqrt(C))  # s = 1
        g = middle + run.generator(i).standard_normal((m, d))
        value, error = share(g @ middle > 0.0)
        exact = float(theory.descent_probability(C, d))
        label = f"P(g.mu > 0), C = {C:g}, d = {d}"
        stated.append(Test(label, value, C / (1 + C), error, resolution=0.02))
        corrected.append(Test(label, value, exact, error, resolution=0.02))
        rows.append((C, d, value, error, exact, C / (1 + C)))

    def figure(ax: Axes) -> None:
        line = np.geomspace(1e-3, 5.0, 200)
        for d in (1, 10, 100):
            drawn = ax.plot(line, theory.descent_probability(line, d), label=f"Phi(sqrt(C d)), d = {d}")[0]
            points = np.array([r for r in rows if r[1] == d])
            ax.errorbar(points[:, 0], points[:, 2], 5 * points[:, 3], fmt="o", ms=5, color=drawn.get_color())
        ax.plot(line, line / (1 + line), "k:", label="p, as stated")
        ax.set(xscale="log", xlabel="C", ylabel="P(g.mu > 0)", ylim=(0, 1.05), title="How often a step goes downhill")

    columns = ("C", "d", "share", "stderr", "Phi(sqrt(C d))", "p")
    return Evidence(stated, corrected, [Table("Steps downhill", columns, tuple(rows))], figure)


def _information(signal: Array, snr: float, m: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the mutual information of a signal, drawn from equally likely values of mean square 1, and itself in
    noise.

    Mean of ln p(g|signal)/p(g) over m samples; the noise has the variance 1/snr, and p(g) is the average over all
    values.
    """
    chosen = signal[rng.integers(len(signal), size=m)]
    g = chosen + rng.standard_normal(m) / math.sqrt(snr)
    every = np.exp(-0.5 * snr * (g[:, None] - signal) ** 2).mean(axis=1)
    return mean(-0.5 * snr * (g - chosen) ** 2 - np.log(every))


@claim(
    "phase.information",
    "C proportional to information",
    formula=r"I(\mu; g) \propto C",
    statement="C is proportional to the mutual information between the signal and the stochastic gradient.",
    corrected="In each direction the information is ln(1 + SNR)/2 for a normal signal, the most for that power. It "
    "grows like the logarithm of C and depends on how the power is spread, which C does not know.",
    corrected_formula=r"I(\mu; g) = \frac{1}{2}\,\sum_i \ln(1 + \mathrm{SNR}_i)",
    definitions="SNR of a direction: variance of the signal over that of the noise. C = sum of signal variances over "
    "sum of noise variances.",
    rule="Mutual information by Monte Carlo of ln p(g|mu)/p(g), a signal of 400 normal quantiles of mean square 1: at "
    "SNR = 1 and 4, ratio 4 as stated; a signal +-1 the same. Two directions with noise variances (1, 1) and (0.2, "
    "1.8), the same C = 1: equal information, as stated. Corrected: ln(1 + SNR)/2 at four SNR, no more for +-1, and "
    "the sum over two directions. 400 quantiles carry less than a normal law by at most 0.01.",
)
def information(run: Run) -> Evidence:
    """Measure mutual information against the signal-to-noise ratio.

    The entropy of a normal variable of variance v is ln(2 pi e v)/2; I = entropy(g) - entropy(g|mu) = ln((t +
    s)/s)/2 with the variances t of the signal and s of the noise. Independent directions add; for given variance
    the normal law has the largest entropy.
    """
    from scipy.special import ndtri

    normal = ndtri((np.arange(400) + 0.5) / 400)
    normal, signs = normal / math.sqrt(float(np.mean(normal**2))), np.array([-1.0, 1.0])
    m = run.pick("samples", 20_000, 100_000)
    found, rows, corrected = {}, [], []
    for i, snr in enumerate((0.25, 1.0, 4.0, 5.0, 1.0 / 1.8)):
        found[snr] = _information(normal, snr, m, run.generator(i))
        exact = theory.gaussian_information(snr)
        test = Test(f"information, SNR = {snr:.3g}", found[snr][0], exact, found[snr][1], "equals", 0.05, 0.01)
        corrected.append(test)
        rows.append(("normal", snr, *found[snr], exact))
    binary = {}
    for i, snr in enumerate((1.0, 4.0, 16.0)):
        binary[snr] = _information(signs, snr, m, run.generator(10 + i))
        exact = theory.gaussian_information(snr)
        corrected.append(
            Test(f"information of +-1, SNR = {snr:g}", binary[snr][0], exact, binary[snr][1], "at most", 0.02)
        )
        rows.append(("+-1", snr, *binary[snr], exact))
    stated = []
    for name, values in (("normal", found), ("+-1", binary)):
        (a, ea), (b, eb) = values[1.0], values[4.0]
        spread = b / a * math.hypot(ea / a, eb / b)
        stated.append(Test(f"information at SNR = 4 over 1, {name}", b / a, 4.0, spread, resolution=0.5))
    apart = found[5.0][0] + found[1 / 1.8][0], math.hypot(found[5.0][1], found[1 / 1.8][1])
    alike = 2 * found[1.0][0], 2 * found[1.0][1]
    spread = apart[0] / alike[0] * math.hypot(apart[1] / apart[0], alike[1] / alike[0])
    stated.append(
        Test("information at the same C, (0.2, 1.8) over (1, 1)", apart[0] / alike[0], 1.0, spread, resolution=0.1)
    )
    both = theory.gaussian_information([5.0, 1 / 1.8])
    corrected.append(Test("information, noise (0.2, 1.8)", apart[0], both, apart[1], "equals", 0.08, 0.02))

    def figure(ax: Axes) -> None:
        line = np.linspace(0.0, 17.0, 200)
        ax.plot(line, 0.5 * np.log1p(line), label="ln(1 + SNR)/2")
        ax.plot(line[:60], 0.5 * math.log(2.0) * line[:60], ":", label="proportional, as stated")
        for name, values in (("normal signal", found), ("signal +-1", binary)):
            ax.errorbar(
                list(values), [v[0] for v in values.values()], [5 * v[1] for v in values.values()], fmt="o", label=name
            )
        ax.set(
            xlabel="C = SNR, one direction", ylabel="mutual information (nats)", ylim=(0, 1.6), title="Signal in noise"
        )

    columns = ("signal", "SNR", "information", "stderr", "ln(1 + SNR)/2")
    return Evidence(stated, corrected, [Table("One direction", columns, tuple(rows))], figure)


@claim(
    "phase.pl",
    "C > 1 gives linear convergence",
    formula=r"C > 1\ \Rightarrow\ \mathrm{E}[L_t - L^*] \leq e^{-ct}\,(L_0 - L^*)",
    statement="If C > 1 the loss converges linearly (exponentially in the number of steps).",
    corrected="It takes a Polyak-Lojasiewicz landscape, |grad L|^2 >= 2 mu (L - L*), and a step below 2p/lmax; C need "
    "not exceed 1. On x^4/4 with C = 4 everywhere the loss falls like 1/t^2.",
    corrected_formula=r"\mathrm{E}[L'-L^*] \leq \left(1 - \eta\mu\left(2 - \frac{\eta\lambda_{\max}}{p}\right)\right)(L-L^*)",
    rule="Noisy descent on x^4/4 from 1 with C = 4 at every point, step 0.1: decay of E ln L a step, between steps "
    "2000 and 4000, over that between 0 and 20, which must be 1 as stated; E L'/L in the well |x|^2/2 with C = 4 at "
    "eta lam = 1.8, at most 1. Corrected: the slope of E ln L against ln t there is -2 (corrections bounded by 0.02); "
    "E L'/L in the well |x|^2/2 with C = 4 and C = 1/4 against the factor.",
)
def pl(run: Run) -> Evidence:
    """Measure how the loss falls on x^4/4 and in a quadratic well.

    x' = x - eta x^3 (1 + xi/2) gives 1/x'^2 = 1/x^2 + 2 eta (1 + xi/2) + O(eta^2 x^2): 1/x^2 grows like 2 eta t up
    to a logarithm, so L = x^4/4 falls like 1/(16 eta^2 t^2). There |grad L|^2/L = 4 x^2 has no lower bound. In a
    quadratic the factor of `phase.bound` holds for every C.
    """
    paths, eta, rng = run.pick("paths", 500, 5000), 0.1, run.generator(0)
    x = np.ones(paths)
    logs = {0: np.zeros(paths)}
    for t in range(1, 4001):
        x = x - eta * x**3 * (1.0 + 0.5 * rng.standard_normal(paths))
        if t % 20 == 0:
            logs[t] = 4.0 * np.log(np.abs(x))  # ln(L/L_0)
    early, early_error = mean(-logs[20] / 20)
    late, late_error = mean((logs[2000] - logs[4000]) / 2000)
    ratio = late / early
    stated = [
        Test(
            "decay rate late / early on x^4/4, C = 4",
            ratio,
            1.0,
            ratio * math.hypot(late_error / late, early_error / early),
            resolution=0.2,
        )
    ]
    pairs = run.pick("pairs of steps", 20_000, 200_000)
    change, error = _step(0.8, 1.8, pairs, rng)
    stated.append(
        Test("E L'/L in a well, C = 4, eta lam = 1.8", 1 + 2 * change, 1.0, 2 * error, "at most", resolution=0.02)
    )
    slope, error = mean((logs[4000] - logs[2000]) / math.log(2.0))
    corrected = [Test("slope of E ln L against ln t", slope, -2.0, error, resolution=0.1, numerical=0.02)]
    for C, step in ((4.0, 0.8), (0.25, 0.2)):
        p = C / (1 + C)
        change, error = _step(p, step, pairs, rng)
        exact = theory.progress_factor(step, p, 1.0, 1.0)
        corrected.append(Test(f"E L'/L in a well, C = {C:g}", 1 + 2 * change, exact, 2 * error, resolution=0.02))

    def figure(ax: Axes) -> None:
        t = np.array(sorted(logs))[1:]
        ax.plot(t, [0.25 * math.exp(float(logs[k].mean())) for k in t], label="x^4/4, C = 4, simulated")
        ax.plot(t, 0.25 * np.exp(-early * t), ":", label="linear convergence, as stated")
        ax.plot(t, 1.0 / (16 * eta**2 * t**2), "--", color="0.4", label="1/(16 eta^2 t^2)")
        ax.plot(t, 0.5 * theory.progress_factor(0.2, 0.2, 1.0, 1.0) ** t, label="|x|^2/2, C = 1/4, theory")
        ax.set(xscale="log", yscale="log", ylim=(1e-9, 1), xlabel="step", ylabel="loss", title="How the loss falls")

    rows = tuple((t, float(logs[t].mean()), mean(logs[t])[1]) for t in (20, 200, 2000, 4000))
    return Evidence(stated, corrected, [Table("x^4/4", ("step", "E ln(L/L_0)", "stderr"), rows)], figure)


# -- rules ----


@claim(
    "phase.decision-guide",
    "decision guide by p",
    statement="p < .40 (C < .67) failing: stop, change hyper-parameters; .40-.50 sub-threshold: lower the step, "
    "enlarge the batch; .50-.60 critical; .60-.75 (C 1.5-3) learning: continue; above .75 strong: raise the step or "
    "stop early.",
    definitions="Failing and learning are taken as: a step raises, or lowers, the expected loss.",
    corrected="Read the guide at p' = p/(eta lmax): p' = 1/2 divides rising from falling loss at every step, and p' is "
    "the factor to the best step, so that the step should be raised iff p' > 1.",
    corrected_formula=r"p' = \frac{p}{\eta\lambda_{\max}}",
    rule="Rows of the guide at their bounds in C, .67, 1, 1.5 and 3, to two digits. Change of the loss over a step in "
    "the well |x|^2/2: at p = 0.3, eta = 0.2 (failing: must rise), at p = 0.7, eta = 1.7 (learning: must fall), and "
    "at p = 0.8, eta = 1 that a step twice as long, as advised, does not do worse. Corrected, at steps 0.3, 0.8 and "
    "1.5: a rise at p' = 0.45, a fall at p' = 0.55; a longer step (x1.1) gains at p' = 1.2, a shorter one at p' = "
    "0.8.",
)
def decision_guide(run: Run) -> Evidence:
    """Compare the guide with what steps do to the loss.

    The change is -eta |mu|^2 (1 - 1/(2p')), which changes sign at p' = 1/2 and whose derivative in eta, -|mu|^2 (1
    - 1/p'), at p' = 1.
    """
    pairs, rng = run.pick("pairs of steps", 20_000, 200_000), run.generator(0)
    bounds = [round(row.low / (1 - row.low), 2) for row in diagnostics.GUIDE[1:]]
    stated = [
        Test(f"bound of the guide in C, {row.state}", found, said, resolution=1e-9)
        for row, found, said in zip(diagnostics.GUIDE[1:], bounds, (0.67, 1.0, 1.5, 3.0), strict=True)
    ]
    rows = []
    for p, eta, relation in ((0.3, 0.2, "at least"), (0.7, 1.7, "at most")):
        value, error = _step(p, eta, pairs, rng)
        state = diagnostics.advice(p).state
        stated.append(Test(f"change when {state}, p = {p:g}, eta lam = {eta:g}", value, 0.0, error, relation, 0.01))
        rows.append((p, eta, diagnostics.best_step_factor(p, eta, 1.0), state, value, error))
    (now, now_error), (raised, raised_error) = _step(0.8, 1.0, pairs, rng), _step(0.8, 2.0, pairs, rng)
    worse = math.hypot(now_error, raised_error)
    stated.append(Test("raised minus present step, p = 0.8, eta lam = 1", raised - now, 0.0, worse, "at most", 0.01))
    corrected = []
    for eta in (0.3, 0.8, 1.5):
        for factor, relation in ((0.45, "at least"), (0.55, "at most")):
            p = factor * eta
            value, error = _step(p, eta, pairs, rng)
            corrected.append(Test(f"change at p' = {factor:g}, eta lam = {eta:g}", value, 0.0, error, relation))
            rows.append((p, eta, factor, diagnostics.advice(p).state, value, error))
    for factor, longer in ((1.2, 1.1), (0.8, 1 / 1.1)):
        p, eta = factor * 0.5, 0.5
        (a, ea), (b, eb) = _step(p, eta, pairs, rng), _step(p, eta * longer, pairs, rng)
        label = f"step x {longer:.2g} minus present step, p' = {factor:g}"
        corrected.append(Test(label, b - a, 0.0, math.hypot(ea, eb), "at most", resolution=1e-3))

    def figure(axes: Any) -> None:
        left, right = axes
        p = np.linspace(0.05, 0.99, 100)
        for eta in (0.2, 1.0, 1.7):
            left.plot(p, -eta + eta**2 / (2 * p), label=f"eta lam = {eta:g}")
            right.plot(p / eta, -1 + eta / (2 * p))
        for row in diagnostics.GUIDE[1:]:
            left.axvline(row.low, ls=":", lw=1, color="0.4")
            right.axvline(row.low, ls=":", lw=1, color="0.4")
        for p_used, eta, relative, _, value, _ in rows:
            if eta in (0.2, 1.7):
                left.plot(p_used, value, "ok", ms=5)
            right.plot(relative, value / eta, "ok", ms=4)
        left.plot(0.8, now, "ok", ms=5, label="measured")
        for ax in axes:
            ax.axhline(0.0, lw=0.8, color="0.6")
        left.set(xlabel="p (dots: bounds of the guide)", ylabel="change/|mu|^2", ylim=(-1, 1.5), title="As stated")
        right.set(
            xlabel="p' = p/(eta lam)", ylabel="change/(eta |mu|^2)", xlim=(0, 1.5), ylim=(-1, 1), title="Corrected"
        )

    columns = ("p", "eta lam", "p'", "guide at p", "change", "stderr")
    return Evidence(stated, corrected, [Table("Steps and the guide", columns, tuple(rows))], figure, panels=2)


def _stopped(
    paths: int, steps: int, eta: float, relative: bool, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Train |x|^2/2 with noise 1 per coordinate; return loss at the stop, loss 200 steps later, and the mean loss a
    step."""
    rules = [diagnostics.EarlyStop(low=0.5 if relative else 0.45) for _ in range(paths)]
    x, curve = np.full((paths, DIM), 20.0), []
    stop, losses = np.full(paths, -1), np.empty((steps, paths))
    for t in range(steps):
        size = np.sum(x * x, axis=1)
        losses[t] = 0.5 * size
        p = size / (size + DIM)
        for i in np.flatnonzero(stop < 0):
            reading = min(1.0, diagnostics.best_step_factor(p[i], eta, 1.0)) if relative else p[i]
            if "p low" in rules[i].update(reading):
                stop[i] = t
        x = _descent(x, eta, 1.0, rng)
        curve.append(losses[t].mean())
    if stop.min() < 0 or stop.max() + 200 >= steps:
        raise RuntimeError(
            f"every path must stop 200 steps before the end, got stops from {stop.min()} to {stop.max()}"
        )
    columns = np.arange(paths)
    return losses[stop, columns], losses[stop + 200, columns], np.array([stop.mean(), *curve])


@claim(
    "phase.early-stopping",
    "early stopping by p, C and I",
    statement="Stop when p < .45 ten measurements in a row, when C falls twenty times in a row, when the interval for "
    "p lies entirely below .5, or when I < 0: learning has then ended.",
    definitions="Measurements are taken at every step. Learning has ended when further steps lower the loss no more.",
    corrected="Stop when p' = p/(eta lmax) < 1/2 ten times in a row: on average the loss falls no more. Test an "
    "interval seen N times at the level 1 - 0.05/N.",
    corrected_formula=r"p' = \frac{p}{\eta\lambda_{\max}} < \frac{1}{2}",
    rule="Noisy descent in |x|^2/2, d = 20, noise 1, step 0.05, p known: loss 200 steps after the stop by p < .45 over "
    "that at the stop, which must not be below 1; share of 100-measurement runs at constant p = 1/2 (20 gradients "
    "each, isotropic normal, exact 95 % interval) stopped by the interval, at most 0.05; share of runs stopped by "
    "twenty falls when C falls by 2 % a measurement for 100 measurements, at least 1/2. Corrected: the loss after the "
    "stop by p'; the share with intervals at 1 - 0.05/100.",
)
def early_stopping(run: Run) -> Evidence:
    """Measure what stopping gives away, how often it is false, and how often it is missed.

    E|x|^2 settles where |x|^2 (2 - eta) = eta d, that is where 2p = eta lmax: p' = 1/2. Below p = .45 but above
    that floor the loss still falls. Of N intervals at level 1 - a, each lies below a true p by chance a/2, so one
    of N does with probability 1 - (1 - a/2)^N.
    """
    from scipy.stats import ncf

    paths, steps, eta = run.pick("paths", 100, 1000), 700, 0.05
    stated: list[Test] = []
    corrected: list[Test] = []
    curves = {}
    for i, relative in enumerate((False, True)):
        at, after, curve = _stopped(paths, steps, eta, relative, run.generator(i))
        ratio = float(after.mean() / at.mean())
        left_out = ((after.sum() - after) / (paths - 1)) / ((at.sum() - at) / (paths - 1))
        error = math.sqrt((paths - 1) * float(np.var(left_out)))
        test = Test("loss 200 steps later / at the stop", ratio, 1.0, error, "at least", resolution=0.02)
        (corrected if relative else stated).append(test)
        curves["p' < .5" if relative else "p < .45"] = curve
    n, m, rng = 20, run.pick("measurements", 400_000, 4_000_000), run.generator(2)
    first, second, shift = DIM, (n - 1) * DIM, n * DIM  # n |mean|^2/T at C = 1 is noncentral F
    ratios = rng.noncentral_f(first, second, shift, m)
    rows = []
    for level, tests in ((0.95, stated), (1.0 - 0.05 / 100, corrected)):
        # the upper end of the interval lies below C = 1 iff the ratio lies below this quantile
        single, spread = share(ratios < float(ncf.ppf(0.5 * (1.0 - level), first, second, shift)))
        ever = 1.0 - (1.0 - single) ** 100
        label = f"false stops at p = 1/2, intervals at {level:g}"
        tests.append(Test(label, ever, 0.05, 100 * spread, "at most", resolution=0.02))
        rows.append((f"interval at {level:g}", single, ever))
    runs = run.pick("runs with falling C", 200, 1000)
    true = 2.0 * 0.98 ** np.arange(100)
    seen = (
        np.maximum((1.0 - 2.0 / second) * rng.noncentral_f(first, second, n * DIM * true, (runs, 100)) - 1.0, 0.0) / n
    )
    missed = []
    for series in seen:
        rule = diagnostics.EarlyStop(patience=1000)
        missed.append(not any("C falling" in rule.update(c / (1.0 + c)) for c in series))
    power, spread = share(~np.array(missed))
    stated.append(Test("stopped while C falls 2 % a measurement", power, 0.5, spread, "at least", resolution=0.1))
    rows.append(("twenty falls in a row", power, power))

    def figure(ax: Axes) -> None:
        ax.plot(np.arange(300), curves["p < .45"][1:301], label="mean loss")
        for (name, curve), style in zip(curves.items(), (":", "--"), strict=True):
            ax.axvline(curve[0], ymax=0.6, ls=style, color="0.3", label=f"mean time of the stop by {name}")
        ax.axhline(0.5 * DIM * eta / (2 - eta), lw=1, color="C1", label="floor, where 2p = eta lam")
        ax.set(yscale="log", xlabel="step", ylabel="loss", title="Noisy descent, eta lam = 0.05, d = 20")

    table = Table("Stops", ("rule", "one measurement (last row: one run)", "100 measurements"), tuple(rows))
    return Evidence(stated, corrected, [table], figure)


@claim(
    "phase.adaptive-lr",
    "step factor by p",
    statement="Adapt the step by p: below .4 times .1, below .5 times .5, below .6 times 1, below .75 times 1.5, else "
    "times 2.",
    definitions="The factor multiplies a base step. The base is taken where the document's threshold p > 1/2 holds, "
    "eta lmax = 1.",
    corrected="The best step is p/lmax, the factor p/(eta lmax): at eta lmax = 1 never above one.",
    corrected_formula=r"\eta^* = \frac{p}{\lambda_{\max}}",
    rule="Well |x|^2/2, base step 1: change of the loss with the factor minus that without, which must not be above 0 "
    "as stated, at p = 0.2, 0.45, 0.55, 0.7, 0.9, and with a base step of 1/4 at p = 0.2, 0.45; and the mean loss "
    "after 60 steps of descent with known p, from |x|^2 = 2000, noise 1, over that with the base step, at most 1. "
    "Corrected: the same comparisons for p/lmax, whose change is -p|mu|^2/2, and its loss over that of the rule with "
    "a base step of 1/4.",
)
def adaptive_lr(run: Run) -> Evidence:
    """Compare the factors with the base step and with the best step.

    The change -eta |mu|^2 (1 - eta lam/(2p)) is smallest at eta = p/lam. At eta lam = 1.5 it is positive for every
    p < .75, at eta lam = 2 for every p < 1: the bands that the document calls learning and strong.
    """
    pairs, rng = run.pick("pairs of steps", 20_000, 200_000), run.generator(0)
    stated, corrected, rows = [], [], []
    for p in (0.2, 0.45, 0.55, 0.7, 0.9):
        factor = diagnostics.step_factor(p)
        (base, eb), (ruled, er), (best, ep) = (_step(p, eta, pairs, rng) for eta in (1.0, factor, p))
        stated.append(
            Test(f"rule minus base step, p = {p:g}", ruled - base, 0.0, math.hypot(eb, er), "at most", resolution=0.03)
        )
        corrected += [
            Test(f"best minus base step, p = {p:g}", best - base, 0.0, math.hypot(eb, ep), "at most", resolution=0.03),
            Test(f"change at the best step, p = {p:g}", best, -0.5 * p, ep, resolution=0.02),
        ]
        rows.append((p, factor, base, ruled, best, -0.5 * p))
    for p in (0.2, 0.45):  # where the base is a quarter, the rule is too shy
        (base, eb), (ruled, er) = (_step(p, 0.25 * f, pairs, rng) for f in (1.0, diagnostics.step_factor(p)))
        label = f"rule minus base step 1/4, p = {p:g}"
        stated.append(Test(label, ruled - base, 0.0, math.hypot(eb, er), "at most", resolution=0.01))
    paths = run.pick("paths", 400, 4000)
    policies: dict[str, Callable[[Array], Array]] = {
        "base step 1": np.ones_like,
        "rule, base 1": lambda p: np.array([diagnostics.step_factor(v) for v in p]),
        "rule, base 1/4": lambda p: 0.25 * np.array([diagnostics.step_factor(v) for v in p]),
        "best step p/lam": lambda p: p,
    }
    curves, ends = {}, {}
    for i, (name, policy) in enumerate(policies.items()):
        x, rng, curve = np.full((paths, DIM), 10.0), run.generator(1 + i), []
        for _ in range(61):
            size = np.sum(x * x, axis=1)
            curve.append(0.5 * float(size.mean()))
            x = _descent(x, policy(size / (size + DIM))[:, None], 1.0, rng)
        curves[name], ends[name] = curve, mean(0.5 * size)
    for tests, name, other in (
        (stated, "rule, base 1", "base step 1"),
        (corrected, "best step p/lam", "base step 1"),
        (corrected, "best step p/lam", "rule, base 1/4"),
    ):
        (a, ea), (b, eb) = ends[name], ends[other]
        spread = a / b * math.hypot(ea / a, eb / b)
        tests.append(Test(f"loss after 60 steps, {name} / {other}", a / b, 1.0, spread, "at most", resolution=0.05))

    def figure(axes: Any) -> None:
        left, right = axes
        p = np.linspace(0.05, 0.999, 400)
        factor = np.array([diagnostics.step_factor(v) for v in p])
        left.plot(p, -p / 2, label="best step, p/lam")
        left.plot(p, -1 + 1 / (2 * p), "--", color="0.4", label="base step, eta lam = 1")
        left.plot(p, -factor + factor**2 / (2 * p), ":", lw=2, label="rule, as stated")
        left.plot([r[0] for r in rows], [r[3] for r in rows], "ok", ms=4, label="measured")
        left.axhline(0.0, lw=0.8, color="0.6")
        left.set(xlabel="p", ylabel="change/|mu|^2", ylim=(-0.7, 2.2), title="One step")
        for name, curve in curves.items():
            right.plot(curve, label=name)
        right.set(yscale="log", xlabel="step", ylabel="mean loss", ylim=(0.1, 1e6), title="Sixty steps, known p")

    columns = ("p", "factor", "change, base step", "change, rule", "change, best step", "theory")
    return Evidence(stated, corrected, [Table("One step at eta lam = 1", columns, tuple(rows))], figure, panels=2)


# -- trained networks ----

SIZES = (2, 32, 512)  # of batches whose odds are compared with B C_1


def _p(C: Array) -> Array:
    """Return p = C/(1 + C)."""
    return np.asarray(C / (1.0 + C))


def _odds_law(kind: str, odds: Array, C: Array) -> list[Test]:
    """Return tests of odds p/(1 - p) = B C_1, for the odds (runs, sizes) of batches drawn where one example has C (runs,)."""
    tests = []
    for size, column in zip(SIZES, odds.T, strict=True):
        value, error = mean_of_runs(column / (size * C))
        tests.append(Test(f"odds over B C_1, {kind}, B = {size}", value, 1.0, error))
    return tests


@claim(
    "phase.lottery",
    "winning tickets p .65-.70",
    formula=r"p_{\mathrm{winning}} \in [0.65, 0.70],\quad p_{\mathrm{random}} \in [0.35, 0.40]",
    statement="Winning lottery tickets have p = .65-.70, random subnetworks of the same sparsity p = .35-.40.",
    definitions="A ticket keeps 20 % of the weights of every layer and all biases of a perceptron that learns to compare "
    "integers: those that are largest at the end of training (winning) or any (random), with their first "
    "values, trained again alike. p depends on the size of the batch and on the stage; the document names "
    "neither. Here p is that of batches of 32, as used in training, of the gradient by the weights that are "
    "there, averaged over the beginning and ten equally distant steps of the second training. C_1 is C of one"
    " example.",
    corrected="p/(1 - p) = B C_1: the size of the batch puts p of any ticket anywhere. Random tickets with large "
    "batches have the larger p, winning ones with small batches the smaller.",
    corrected_formula=r"\frac{p}{1-p} = B\,C_1",
    rule="Independent trainings, mean over runs, error widened by Student's t. As stated: p of winning tickets at "
    "least .65 and at most .70, of random ones at least .35 and at most .40, the difference at least .25, and "
    "test accuracy of winning less that of random tickets at least 0 (scale 1 for all: shares). Corrected, for "
    "both: odds |mu|^2/E|g_B - mu|^2 of batches of 2, 32 and 512 drawn at the end over B C_1; and p of random "
    "tickets in batches of 512 less p of winning ones in batches of 2 at least 0 (scale 1). A first version, of "
    "whose random numbers none is used here, had also predicted that p falls during the training of both; of "
    "random tickets that was undecided (-0.03 +- 0.41), and it does not follow from the equations: dropped.",
)
def lottery(run: Run) -> Evidence:
    """Train networks, winning and random tickets, and measure p along the second training.

    A batch of B examples drawn with replacement has the gradient's mean mu and the covariance S/B, so that C_B =
    |mu|^2/tr(S/B) = B C_1 and p_B = B C_1/(1 + B C_1), which takes every value between 0 and 1.
    """
    n = run.pick("runs", 16, 64)
    found = [experiments.lottery(sizes=SIZES, seed=run.stream(100 + i)) for i in range(n)]
    kinds = {"winning": [f.winning for f in found], "random": [f.random for f in found]}
    p = {name: np.array([k.signals.p(32) for k in tickets]) for name, tickets in kinds.items()}
    right = {name: np.array([k.test_accuracy for k in tickets]) for name, tickets in kinds.items()}
    C = {name: np.array([k.signals.C[-1] for k in tickets]) for name, tickets in kinds.items()}
    average = {name: values.mean(axis=1) for name, values in p.items()}
    said = {"winning": (0.65, 0.70), "random": (0.35, 0.40)}
    stated, corrected, rows = [], [], []
    for name, (low, high) in said.items():
        value, error = mean_of_runs(average[name])
        stated += [
            Test(f"p of {name} tickets", value, low, error, "at least", 1.0),
            Test(f"p of {name} tickets", value, high, error, "at most", 1.0),
        ]
        corrected += _odds_law(f"{name} tickets", np.array([k.odds for k in kinds[name]]), C[name])
        by_size = [float(_p(s * C[name]).mean()) for s in SIZES]
        ends = (float(p[name][:, 0].mean()), float(average[name].mean()), float(p[name][:, -1].mean()))
        rows.append((name, float(right[name].mean()), *ends, *by_size))
    value, error = mean_of_runs(average["winning"] - average["random"])
    stated.append(Test("p of winning less p of random tickets", value, 0.25, error, "at least", 1.0))
    value, error = mean_of_runs(right["winning"] - right["random"])
    stated.append(Test("test accuracy of winning less random tickets", value, 0.0, error, "at least", 1.0))
    value, error = mean_of_runs(_p(512 * C["random"]) - _p(2 * C["winning"]))
    corrected.append(Test("p of random, B = 512, less p of winning, B = 2", value, 0.0, error, "at least", 1.0))
    full = [f.full for f in found]
    C_full = np.array([k.signals.C[-1] for k in full])
    p_full = np.array([k.signals.p(32) for k in full]).mean(axis=0)
    ends = (float(p_full[0]), float(p_full.mean()), float(p_full[-1]))
    by_size = [float(_p(s * C_full).mean()) for s in SIZES]
    rows.append(("whole network", float(np.mean([k.test_accuracy for k in full])), *ends, *by_size))

    def figure(axes: Any) -> None:
        left, right_ax = axes
        steps, B = found[0].winning.signals.steps, np.geomspace(1.0, 1000.0, 100)
        for name, (low, high) in said.items():
            line = left.plot(steps, p[name].mean(axis=0), "o-", ms=4, label=name)[0]
            left.axhspan(low, high, color=line.get_color(), alpha=0.2, lw=0)
            right_ax.plot(B, _p(B[:, None] * C[name]).mean(axis=1), color=line.get_color(), label=name)
        left.set(xlabel="step", ylabel="p, batches of 32", ylim=(0, 1), title="Mean p; bands: as stated")
        right_ax.set(
            xscale="log", ylim=(0, 1), title="Any p, by the batch", xlabel="size of the batch", ylabel="p, end"
        )

    columns = ("ticket", "test accuracy", "p, beginning", "p, mean", "p, end", *(f"p, end, B = {s}" for s in SIZES))
    table = Table("Means over runs; batches of 32", columns, tuple(rows))
    return Evidence(stated, corrected, [table], figure, panels=2)


@claim(
    "phase.flatness",
    "flat minima p .75, sharp .52",
    formula=r"p_{\mathrm{flat}} = 0.75,\quad p_{\mathrm{sharp}} = 0.52,\quad \mathrm{corr}(p, -\mathrm{gap}) = 0.87",
    statement="Flat minima, which small batches find, have p about .75, sharp ones, which large batches find, .52; over"
    " trainings p and minus the generalisation gap have the correlation .87.",
    definitions="A perceptron learns to compare integers by descent on half the squared error with batches of 8 (flat) or"
    " of all examples (sharp), the same step and number of steps, in pairs with the same task and first "
    "parameters. p depends on the size of the batch and on the stage; the document names neither. Here p is "
    "that of batches of 32 after the last step, for both. Gap: accuracy on the examples less that on the "
    "tests. Sharpness: largest eigenvalue lmax of the Hessian of the whole loss.",
    corrected="p/(1 - p) = B C_1: at one and the same minimum p takes any value, by the size of the batch. At a minimum"
    " of the whole loss mu = 0, so that p falls to 0 on the way: it says where training stopped.",
    corrected_formula=r"\frac{p}{1-p} = B\,C_1,\quad \mu \to 0",
    rule="Pairs of trainings, mean over pairs, error widened by Student's t. As stated: p with small batches "
    "against .75, with large ones against .52, ln of lmax with small over large batches at most 0, and the "
    "correlation of p and minus the gap over all trainings against .87, error by leaving out one pair at a "
    "time (scale 1 for all). Corrected, for both: odds |mu|^2/E|g_B - mu|^2 of batches of 2, 32 and 512 drawn"
    " at the end over B C_1; p of batches of 32 at the beginning less that at the end at least 0; and p of "
    "large-batch minima in batches of 512 less p of small-batch ones in batches of 2 at least 0 (scale 1).",
)
def flatness(run: Run) -> Evidence:
    """Train with small and large batches and compare sharpness, p and generalisation.

    C_B = B C_1 as for `lottery`. At a minimum of the mean loss of all examples mu = 0, whatever the Hessian; descent stops
    before, and |mu|^2 there measures how long before. So p is no property of a minimum.
    """
    n = run.pick("pairs of runs", 32, 128)
    kinds = {"small batches": 8, "large batches": None}
    found = {
        name: [experiments.flatness(batch, stages=1, sizes=SIZES, seed=run.stream(i)) for i in range(n)]
        for name, batch in kinds.items()
    }
    p = {name: np.array([m.signals.p(32) for m in minima]) for name, minima in found.items()}
    C = {name: np.array([m.signals.C[-1] for m in minima]) for name, minima in found.items()}
    gap = {name: np.array([m.gap for m in minima]) for name, minima in found.items()}
    lmax = {name: np.array([m.lmax for m in minima]) for name, minima in found.items()}
    small, large = kinds
    stated, corrected, rows = [], [], []
    for name, said in ((small, 0.75), (large, 0.52)):
        value, error = mean_of_runs(p[name][:, -1])
        stated.append(Test(f"p of batches of 32, {name}", value, said, error, scale=1.0))
        corrected += _odds_law(name, np.array([m.odds for m in found[name]]), C[name])
        value, error = mean_of_runs(p[name][:, 0] - p[name][:, -1])
        corrected.append(Test(f"p at the beginning less p at the end, {name}", value, 0.0, error, "at least", 1.0))
        loss, trace = [m.loss[-1] for m in found[name]], [m.trace for m in found[name]]
        columns = loss, gap[name], lmax[name], trace, p[name][:, 0], p[name][:, -1], C[name]
        rows.append((name, *(float(np.mean(v)) for v in columns)))
    value, error = mean_of_runs(np.log(lmax[small] / lmax[large]))
    stated.append(Test("ln of lmax, small over large batches", value, 0.0, error, "at most", 1.0))
    last, gaps = np.stack([p[name][:, -1] for name in kinds]), np.stack([gap[name] for name in kinds])
    value, error = _correlation(last, -gaps)
    stated.append(Test("correlation of p and minus the gap", value, 0.87, error, scale=1.0))
    beside = [("p", "- gap", value, error)]
    value, error = mean_of_runs(_p(512 * C[large]) - _p(2 * C[small]))
    corrected.append(Test("p of sharp, B = 512, less p of flat, B = 2", value, 0.0, error, "at least", 1.0))
    sharp = np.log(np.stack([lmax[name] for name in kinds]))
    losses = np.log([[m.loss[-1] for m in found[name]] for name in kinds])
    for one, a in (("ln lmax", sharp), ("ln loss", losses)):
        beside += [(one, other, *_correlation(a, b)) for other, b in (("- gap", -gaps), ("p", last))]

    def figure(axes: Any) -> None:
        left, right = axes
        for i, name in enumerate(kinds):
            left.plot(lmax[name], last[i], "o", ms=5, label=name)
            right.plot(last[i], -gaps[i], "o", ms=5, label=name)
        for level in (0.75, 0.52):
            left.axhline(level, ls=":", color="0.4")
        left.set(xlabel="lmax", ylabel="p, batches of 32", ylim=(0, 1), title="Dotted: p as stated, flat and sharp")
        right.set(xlabel="p, batches of 32", ylabel="minus generalisation gap", title="One training a point")

    names = ("minima", "loss", "gap", "lmax", "trace", "p, beginning", "p, end", "C_1, end")
    tables = [
        Table("Means over runs; batches of 32", names, tuple(rows)),
        Table("Correlations over all trainings", ("of", "and", "value", "error"), tuple(beside)),
    ]
    return Evidence(stated, corrected, tables, figure, panels=2)


def _correlation(x: Array, y: Array) -> tuple[float, float]:
    """Return the correlation of x and y, both (kinds, pairs), and an error from leaving out one pair at a time."""
    n = x.shape[1]
    whole = float(np.corrcoef(x.ravel(), y.ravel())[0, 1])
    less = [np.corrcoef(np.delete(x, i, 1).ravel(), np.delete(y, i, 1).ravel())[0, 1] for i in range(n)]
    # pseudo-values of the jackknife: their mean and its error, widened as for any few runs
    return whole, mean_of_runs(n * whole - (n - 1) * np.array(less))[1]
