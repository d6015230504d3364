"""Claims of "A theory of neural learning phase transitions": the ratio C and p of noisy gradients, bounds and rules on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import diagnostics, theory
from shld_sim.claims.measure import mean, mean_of_runs, share
from shld_sim.claims.registry import DOCUMENTS, SECTIONS, Evidence, Run, Table, claim
from shld_sim.claims.rules import HONEST, Test
from shld_sim.learning import Linear, experiments, random_features
from shld_sim.models import Langevin
from shld_sim.potentials import Harmonic, QuadraticForm
from shld_sim.simulate import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
DIM = 20  # dimension of the isotropic wells below
RULES_SOURCE = f"{DOCUMENTS['phase']}; sections {SECTIONS['phase']} and F of docs/claims.md"


def _changes(V: QuadraticForm, x: Array, eta: float, root: Any, pairs: int, rng: np.random.Generator) -> Array:
    """Return L(x - eta g) - L(x), averaged over each pair of opposite noises: g = grad V + root xi, xi normal."""
    z = rng.standard_normal((pairs, len(x))) * root
    g = V.gradient(x)
    return 0.5 * (V(x - eta * (g + z)) + V(x - eta * (g - z))) - V(x)


def _step(p: float, eta: float, pairs: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return the mean change of the loss |x|^2/2 over a step from |x| = 1 whose gradient has that p, and its error.

    The standard deviation of a pair is ``eta^2 (1 - p)/(2p) sqrt(2/d)``: the numbers of pairs below follow from it.
    """
    x = np.full(DIM, 1.0 / math.sqrt(DIM))
    return mean(_changes(QuadraticForm(np.ones(DIM)), x, eta, math.sqrt((1.0 - p) / (p * DIM)), pairs, rng))


def _gain(p: float) -> float:
    """Return what the best step takes off the loss from there, p/2: a tenth of it matters where a change should vanish."""
    return 0.5 * p


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
    "to 100, against C = 0.1 and 2. Corrected: the mean of the estimate without bias against C; the share of 95 % "
    "intervals that hold C, which must be 0.925 or more (scale 1); C from batches of 4 and 64; and the odds of p, to "
    "rounding. Numerical errors: the quotient with T is biased by (C + 1/n) 2 tr S^2/((n - 1)(tr S)^2), and twice that "
    "is allowed; that from two batch sizes by less than the part 1/m of C, for m pairs.",
)
def consolidation(run: Run) -> Evidence:
    """Measure the bias of the plug-in ratio and of its correction, and the coverage of the interval.

    E|mean g|^2 = |mu|^2 + tr S/n, so that |mean g|^2/T, with the summed sample variance T, has the mean C + 1/n up
    to the small fluctuations of T. T is unbiased for tr S, and |mean g|^2 - T/n, the average of g_i.g_j over i !=
    j, for |mu|^2. With batches of b and B examples E|G_b|^2 = |mu|^2 + tr S/b, two equations for |mu|^2 and tr S.
    """
    # sd of the ratio 0.024 at C = 0.1: 190 repeats; 830 to tell 80 % from HONEST
    n, d, repeats = 20, 50, run.pick("repeats", 1000, 10_000)
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
            # 1/T is too large on average by the relative variance of T, 2 tr S^2/((n - 1)(tr S)^2); twice that
            bias = 4.0 * (C + 1.0 / n) * float(np.sum(scale**4)) / ((n - 1) * total**2)
            label = f"C = {C:g}, {name}"
            stated.append(Test(f"mean ratio, {label}", plug_in, C, plug_error, numerical=bias))
            corrected += [
                Test(f"mean estimate, {label}", value, C, error, numerical=bias),
                Test(f"coverage, {label}", held, HONEST, held_error, "at least", scale=1.0),
            ]
            rows.append((name, C, plug_in, value, error, held))
            drawn.append(([e.plug_in for e in found], [e.C for e in found]))
    # relative sd 0.94 by that of |g|^2: 2200 pairs
    C, rng, m = 0.25, run.generator(10), run.pick("pairs of batches", 4000, 40_000)
    middle = np.full(10, math.sqrt(C))
    batches = {b: middle + rng.standard_normal((m, 10)) / math.sqrt(b) for b in (4, 64)}
    small, large = ((g**2).sum(axis=1) for g in batches.values())
    two = diagnostics.consolidation_two_batches(small, large, (4, 64))
    corrected.append(Test("C from two batch sizes / C", two.C / C, 1.0, two.stderr / C, numerical=1.0 / m))
    p = found[0].p
    corrected.append(Test("odds p/(1 - p) over C, one estimate", p / (1 - p) / found[0].C, 1.0, numerical=1e-9))

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
    "not fall as stated, and at p = 0.6, eta = 1.5, where it must. Corrected, for p = 0.1 to 0.9: no change at eta = "
    "2p, a fall at 0.9 times that and a rise at 1.1 times; at eta = p the change -p|mu|^2/2, the largest fall of "
    "three steps. And the mean over all minibatches of 2 of 64 examples of a least-squares problem, computed: no change "
    "at the exact threshold, a fall at 2p/lmax. Scale of every change: what the best step takes off. No numerical error "
    "but rounding.",
)
def edge(run: Run) -> Evidence:
    """Locate the step at which the expected loss stops falling.

    L(x - eta g) - L(x) = -eta mu.g + (eta^2/2) g.H g for a quadratic L. With E g = mu and E g g^T = mu mu^T + S its
    mean is -eta |mu|^2 + (eta^2/2)(mu.H mu + tr(H S)), a parabola in eta with its second zero at eta_c. For H = lam
    I the bracket is lam E|g|^2 = lam |mu|^2/p; for any H it is at most lmax |mu|^2/p.
    """
    # p = 0.1, eta = 2.2p decides: 4800 pairs
    pairs, rng = run.pick("pairs of steps", 10_000, 100_000), run.generator(0)
    low, low_error = _step(0.4, 0.5, pairs, rng)
    high, high_error = _step(0.6, 1.5, pairs, rng)
    stated = [
        Test("change at p = 0.4, eta lam = 0.5", low, 0.0, low_error, "at least", scale=_gain(0.4)),
        Test("change at p = 0.6, eta lam = 1.5", high, 0.0, high_error, "at most", scale=_gain(0.6)),
    ]
    corrected, rows, drawn = [], [], []
    for p in (0.1, 0.3, 0.5, 0.7, 0.9):
        found = {f: _step(p, f * p, pairs, rng) for f in (0.5, 1.0, 1.5, 1.8, 2.0, 2.2)}
        gain, error = found[1.0]
        corrected += [
            Test(f"change at eta lam = {f:g}p, p = {p:g}", *(found[f][0], 0.0, found[f][1], relation), scale=_gain(p))
            for f, relation in ((2.0, "equals"), (1.8, "at most"), (2.2, "at least"))
        ]
        corrected.append(Test(f"change at the best step, p = {p:g}", gain, -_gain(p), error))
        for f in (0.5, 1.5):
            other, spread = found[f]
            label = f"best step against {f:g} times it, p = {p:g}"
            corrected.append(Test(label, gain - other, 0.0, math.hypot(error, spread), "at most", scale=_gain(p)))
        rows += [("isotropic", p, f * p, *found[f], -f * p * (1.0 - 0.5 * f)) for f in found]
        drawn.append((p, found))
    inputs, targets, theta = _least_squares(run.generator(1))
    examples = inputs * (inputs @ theta - targets)[:, None]  # gradients of (a.theta - b)^2/2
    H, mu, S = inputs.T @ inputs / 64, examples.mean(axis=0), np.cov(examples.T, bias=True) / 2
    C = theory.gradient_consolidation(mu, S)
    # every minibatch of 2, drawn with replacement
    g = 0.5 * (examples[:, None] + examples).reshape(-1, 4)
    before = float(np.mean((inputs @ theta - targets) ** 2))
    steps = (theory.step_threshold(mu, S, H), 2.0 * C / (1.0 + C) / float(np.linalg.eigvalsh(H)[-1]))
    gain = -theory.one_step_change(mu, S, H, 0.5 * steps[0])
    for eta, name, relation in zip(steps, ("the exact threshold", "2p/lmax"), ("equals", "at most"), strict=True):
        # mean loss of all 64 examples after the step, less the loss before
        change = 0.5 * (float(np.mean((inputs @ (theta - eta * g).T - targets[:, None]) ** 2)) - before)
        label = f"least squares, change at {name}"
        corrected.append(Test(label, change, 0.0, 0.0, relation, scale=gain, numerical=1e-9 * before))
        rows.append(("least squares", C / (1 + C), eta, change, 0.0, theory.one_step_change(mu, S, H, eta)))

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
    "over steps with eta S_p = -1/4, 0, 1/4 for p = 1/4 and 3/4, against -(eta S_p) eta |mu|^2/(2p). The quadratics have "
    "steps from 0.01 to 10 and eta lmax = 1.8 and 2.2. Scale of a change of the loss: what the best step takes off. The "
    "units agree to rounding.",
)
def intelligence(run: Run) -> Evidence:
    """Compare the sign of I with what descent does, and its value in two units of the loss.

    In the unit in which the loss is cL, curvatures are c lmax and steps eta/c: 2/eta - lmax is multiplied by c, eta
    lmax stays. The expected loss changes by -eta |mu|^2 (1 - eta lam/(2p)) = -(eta S_p) eta |mu|^2/(2p).
    """
    typed, right = [], []
    rows: list[tuple[Any, ...]] = []
    for eta, lam in ((eta, edge / eta) for eta in (0.01, 0.1, 1.0, 10.0) for edge in (1.8, 2.2)):
        iterate = 1.0
        for _ in range(200):
            iterate -= eta * lam * iterate
        values = [f(0.6, eta, lam, 100, 1.5) for f in (diagnostics.intelligence_as_stated, diagnostics.intelligence)]
        grows = abs(iterate) > 1.0
        typed.append((values[0] < 0.0) == grows)
        right.append((values[1] < 0.0) == grows)
        rows.append((eta, lam, "grows" if grows else "decays", *values))
    # p = 1/4, eta = 3/4 decides: 11,400 pairs
    pairs, rng = run.pick("pairs of steps", 20_000, 200_000), run.generator(0)
    units = [diagnostics.intelligence(0.6, 0.15 / c, 10.0 * c, 100, 1.5) for c in (1.0, 4.0)]
    V, x = QuadraticForm(np.full(DIM, 10.0)), np.full(DIM, 0.1 / math.sqrt(DIM))  # |mu| = 1
    label = diagnostics.phase(0.6, units[0])
    change, error = mean(_changes(V, x, 0.15, math.sqrt(0.4 / (0.6 * DIM)), pairs, rng))
    stated = [
        Test("agreement of I < 0 with divergence, as typed", float(np.mean(typed)), 1.0),
        Test("I of 4L over I of L", units[1] / units[0], 1.0, numerical=1e-9),
        Test(f"change of the loss in the phase of {label}", change, 0.0, error, "at most", scale=_gain(0.6) / 10.0),
    ]
    margins = [0.15 / c * theory.noisy_margin(0.6, 0.15 / c, 10.0 * c) for c in (1.0, 4.0)]
    corrected = [
        Test("agreement of 2/eta < lmax with divergence", float(np.mean(right)), 1.0),
        Test("eta S_p of 4L over that of L", margins[1] / margins[0], 1.0, numerical=1e-9),
    ]
    drawn = []
    for p in (0.25, 0.75):
        for margin in (-0.25, 0.0, 0.25):
            eta = 2.0 * p - margin
            value, error = _step(p, eta, pairs, rng)
            exact = 0.0 - eta * theory.noisy_margin(p, eta, 1.0) * eta / (2.0 * p)
            corrected.append(Test(f"change at p = {p:g}, eta S_p = {margin:g}", value, exact, error, scale=_gain(p)))
            drawn.append((p, margin, 2 * p * value / eta, 2 * p * error / eta))

    def figure(axes: Any) -> None:
        left, other = axes
        for i, (_, _, state, wrong, good) in enumerate(rows):
            color = "C1" if state == "grows" else "C0"
            left.plot(np.arcsinh(100.0 * wrong), i, "x", ms=8, color=color)
            left.plot(np.arcsinh(100.0 * good), i, "o", ms=6, color=color)
        left.plot([], [], "xk", label="2 eta - lmax, as typed")
        left.plot([], [], "ok", label="2/eta - lmax")
        left.axvline(0.0, lw=0.8, color="0.5")
        left.set_yticks(range(len(rows)), [f"{r[0]:g}, {r[1]:g}" for r in rows])
        left.set(xlabel="arcsinh 100 I  (orange: diverges)", ylabel="eta, lmax", ylim=(-0.5, 10.5), title="Sign of I")
        other.plot([-0.4, 0.4], [0.4, -0.4], color="0.3", label="theory")
        for p, marker, size in ((0.25, "s", 9), (0.75, "o", 5)):
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
    rule="Part of the loss that a step takes off, 1 - E L'/L, in the well |x|^2/2 at the document's p = 0.5, 0.6, 0.75 and "
    "0.9, eta = 0.1 and 1, against the stated part. Corrected: equality in that well for p = 0.1 to 0.9 at half of the "
    "largest step; E L over ten steps at p = 0.8; the bound in the well of curvatures 1, 2, 4 at a half, one and three "
    "halves of p/lmax, from (1, 0, 0) and from (1, 1, 1). The part itself is the scale. Noise with constant C; no "
    "numerical error.",
)
def bound(run: Run) -> Evidence:
    """Measure the factor of the excess loss per step.

    E L' - L <= -eta |mu|^2 + eta^2 lmax E|g|^2/2 with E|g|^2 = |mu|^2/p, and |mu|^2 >= 2 mu_PL (L - L*): together
    the factor 1 - 2 eta mu_PL (1 - eta lmax/(2p)). The stated one falls below zero when p/(1 - p) exceeds 1/(eta
    mu), while L' cannot.
    """
    # the point (1, 1, 1) at eta lmax/p = 3/2 decides: 9500 pairs
    pairs, rng = run.pick("pairs of steps", 20_000, 200_000), run.generator(0)
    stated, corrected, drawn = [], [], []
    for p, eta in ((p, eta) for p in (0.5, 0.6, 0.75, 0.9) for eta in (0.1, 1.0)):
        change, error = _step(p, eta, pairs, rng)
        said = 1.0 - theory.claimed_progress_factor(eta, p, 1.0)
        stated.append(Test(f"1 - E L'/L, p = {p:g}, eta lam = {eta:g}", -2 * change, said, 2 * error, "at least"))
    for p in (0.1, 0.3, 0.5, 0.7, 0.9):
        change, error = _step(p, p, pairs, rng)
        exact = 1.0 - theory.progress_factor(p, p, 1.0, 1.0)
        corrected.append(Test(f"1 - E L'/L at eta lam = p = {p:g}", -2 * change, exact, 2 * error))
    V, (low, high), p = QuadraticForm(np.array([1.0, 2.0, 4.0])), (1.0, 4.0), 0.6
    for x in (np.array([1.0, 0.0, 0.0]), np.ones(3)):
        size = float(np.sum(V.gradient(x) ** 2))
        for part in (0.5, 1.0, 1.5):
            eta = part * p / high
            change, error = mean(_changes(V, x, eta, math.sqrt(size * (1 - p) / (p * 3)), pairs, rng))
            loss, least = float(V(x)), 1.0 - theory.progress_factor(eta, p, low, high)
            label = f"1 - E L'/L, curvatures 1 to 4, ({', '.join(f'{v:g}' for v in x)}), eta lmax/p = {part:g}"
            corrected.append(Test(label, -change / loss, least, error / loss, "at least"))
    # relative sd 0.46: 520 paths
    paths, p, eta = run.pick("paths of ten steps", 1000, 10_000), 0.8, 0.4
    x = np.full((paths, DIM), 1.0 / math.sqrt(DIM))
    for _ in range(10):
        x = _descent(x, eta, np.linalg.norm(x, axis=1, keepdims=True) * math.sqrt((1 - p) / (p * DIM)), rng)
    value, error = mean(np.sum(x * x, axis=1) / theory.progress_factor(eta, p, 1.0, 1.0) ** 10)
    corrected.append(Test("E L after ten steps / factor^10", value, 1.0, error))
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
    "times that; -|grad V|^2 + tr(D H) at C = 1; the variance with sqrt(2D). Scale of a drift that should vanish: "
    "|grad V|^2, the fall without noise. Numerical errors: the step adds at most lmax |grad V|^2 dt/2 to the drift, and "
    "less than the part k dt to the variance, which is D/(k(1 - k dt/2)) for Euler's steps.",
)
def lyapunov(run: Run) -> Evidence:
    """Measure the drift of the energy and the stationary variance.

    Ito: d V = grad V.dx + tr(D H) dt, so that the mean changes at the rate -|grad V|^2 + tr(D H); tr D has another
    unit. The noise 2D dW has the diffusion matrix 2 D^2, and the variance of k x^2/2 becomes 2 D^2/k.
    """
    V, D = QuadraticForm(np.array([0.25, 1.0, 4.0])), np.array([0.2, 0.3, 0.5])
    # sd sqrt(2 tr (D H)^2) = 2.9 at C = 1: 20,600 pairs
    dt, pairs, rng = 1e-4, run.pick("pairs of steps", 40_000, 400_000), run.generator(0)
    unit = np.array([1.0, 0.8, 0.4])
    unit = unit * math.sqrt(float(D.sum()) / float(np.sum(V.gradient(unit) ** 2)))  # C = 1
    critical = float(np.sum(D * np.array([0.25, 1.0, 4.0])) / D.sum())
    found = {}
    for C in (1.0, critical, 0.8 * critical, 1.2 * critical):
        x, fall = unit * math.sqrt(C), C * float(D.sum())
        value, error = mean(_changes(V, x, dt, np.sqrt(2.0 * D / dt), pairs, rng) / dt)
        found[C] = value, error, float(theory.energy_generator(V, x, D)), fall, 0.5 * 4.0 * fall * dt
    value, error, exact, fall, bias = found[1.0]
    stated = [Test("energy drift at C = 1", value, 0.0, error, scale=fall, numerical=bias)]
    corrected = [Test("energy drift at C = 1, tr(D H) - |grad V|^2", value, exact, error, numerical=bias)]
    for part, relation in ((1.0, "equals"), (0.8, "at least"), (1.2, "at most")):
        value, error, _, fall, bias = found[part * critical]
        label = f"energy drift at C = {part:g} tr(D H)/tr D"
        corrected.append(Test(label, value, 0.0, error, relation, scale=fall, numerical=bias))
    # sd sqrt(2) of a square over its mean: 6200 paths
    n_paths, strength, squares = run.pick("paths", 12_000, 120_000), 0.25, []
    for i, used in enumerate((2.0 * strength**2, strength)):  # 2D dW is sqrt(2 D') dW with D' = 2 D^2
        x = simulate(Langevin(Harmonic(1.0), used), 0.0, 0.01, 8.0, n_paths, seed=run.stream(1 + i)).final
        squares.append(mean(x * x))
    for tests, (value, error), name in zip((stated, corrected), squares, ("2D dW", "sqrt(2D) dW"), strict=True):
        label = f"variance with {name} / (D/k)"
        tests.append(Test(label, value / strength, 1.0, error / strength, numerical=0.01))
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
    "scale; 1 with the metric of the chart in each. The examples are all there is: nothing is estimated. Differences with "
    "the step h = 1e-4 leave the part h^2/6 of a derivative, 2 h^2 of the ratio at most.",
)
def invariance(run: Run) -> Evidence:
    """Measure C of the same examples in several charts.

    g becomes J^T g, S becomes J^T S J, G becomes J^T G J, so that mu.G^-1 mu and tr(G^-1 S) keep their values,
    while |mu|^2 and tr S keep their ratio for every mu and S only if J J^T is a multiple of the identity.
    """
    n, point, h = run.pick("examples", 1000, 10_000), np.array([2.0, 1.0]), 1e-4
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
            step[i] = h
            ahead, behind = theta(phi + step), theta(phi - step)
            J[:, i] = (ahead - behind) / (2.0 * h)
            # (|a - z|^2 - |b - z|^2)/2 as a product, which loses no digits
            g[:, i] = ((ahead - behind) * (0.5 * (ahead + behind) - targets)).sum(axis=1) / (2.0 * h)
        ratio = diagnostics.consolidation(g).plug_in / reference.plug_in
        covariant = theory.metric_consolidation(g.mean(axis=0), np.cov(g.T), J.T @ J) / reference.plug_in
        error = 2.0 * h**2 * max(1.0, ratio)
        stated.append(Test(f"C of chart / C, {name}", ratio, 1.0, numerical=error))
        corrected.append(Test(f"C with metric / C, {name}", covariant, 1.0, numerical=error))
        rows.append((name, ratio, covariant))
    corrected.append(Test("C of chart / C, similarity", rows[0][1], 1.0, numerical=2.0 * h**2))

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
    rule="Normal gradients of 100 parameters, whose means fall by a decade while their variances rise from 1 to 4, with C "
    "= 1 in all: C of the kept over C of all, from the same gradients, when the 20 of largest, of smallest mean and every "
    "fifth are kept, against both formulas. Standard error: the sum of those of the two, which are not independent.",
)
def pruning(run: Run) -> Evidence:
    """Measure C before and after pruning.

    C_sub = |mu_sub|^2/tr S_sub by definition; divide by |mu|^2/tr S. The stated form has the two norms upside down.
    """
    # relative sd 2.2 for the 20 smallest: 12,100 gradients; a full run is limited by memory
    d, n, rng = 100, run.pick("gradients", 25_000, 100_000), run.generator(0)
    middle, variance = np.geomspace(1.0, 0.1, d), np.linspace(1.0, 4.0, d)
    middle *= math.sqrt(float(variance.sum() / np.sum(middle**2)))  # C = 1
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
        stated.append(Test(f"C kept / C, {name}", ratio, said, error))
        corrected.append(Test(f"C kept / C, {name}", ratio, exact, error))
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
        ax.set(yscale="log", ylim=(5e-3, 2e4), xlabel="parameters kept of 100", ylabel="C kept/C", title="Pruning")

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
    rule="Share of normal gradients with g.mu > 0 for C = 1/4, 1 and 4 in d = 1, 10, 100 dimensions against p = C/(1 + C) "
    "and against Phi(sqrt(C d)), scale 1. The standard error is never less than that of a share of one event.",
)
def hypothesis_test(run: Run) -> Evidence:
    """Count gradients that point downhill.

    g.mu is normal with mean |mu|^2 and variance s^2 |mu|^2, so it is positive with probability Phi(|mu|/s); C =
    |mu|^2/(d s^2).
    """
    # a share of 1/2: 625 gradients
    m = run.pick("gradients", 1250, 12_500)
    stated, corrected, rows = [], [], []
    for i, (C, d) in enumerate((C, d) for C in (0.25, 1.0, 4.0) for d in (1, 10, 100)):
        middle = np.full(d, math.sqrt(C))  # s = 1
        g = middle + run.generator(i).standard_normal((m, d))
        value, error = share(g @ middle > 0.0)
        exact = float(theory.descent_probability(C, d))
        label = f"P(g.mu > 0), C = {C:g}, d = {d}"
        stated.append(Test(label, value, C / (1 + C), error, scale=1.0))
        corrected.append(Test(label, value, exact, error, scale=1.0))
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


def _information(
    signals: tuple[Array, ...], snr: float, m: int, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return the mutual information of a signal and itself in noise, its standard error and its numerical error.

    Mean of ln p(g|signal)/p(g) over m samples; the noise has the variance 1/snr. Each signal has equally likely values
    of mean square 1, in rising order, and p(g) is the average over all of them. The difference between the first two,
    drawn with the same numbers, is the numerical error.
    """
    share, noise, found = rng.random(m), rng.standard_normal(m) / math.sqrt(snr), []
    for values in signals:
        chosen = values[(share * len(values)).astype(int)]
        g = np.array_split(chosen + noise, max(1, m // 2000))
        every = np.concatenate([np.exp(-0.5 * snr * (part[:, None] - values) ** 2).mean(axis=1) for part in g])
        found.append(mean(-0.5 * snr * noise**2 - np.log(every)))
    return *found[0], abs(found[0][0] - found[1][0]) if len(found) > 1 else 0.0


def _normal_values(count: int) -> Array:
    """Return ``count`` equally likely values of a normal signal: quantiles of mean square 1, in rising order."""
    from scipy.special import ndtri

    values = ndtri((np.arange(count) + 0.5) / count)
    return values / math.sqrt(float(np.mean(values**2)))


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
    rule="Mutual information by Monte Carlo of ln p(g|mu)/p(g), a signal of 200 normal quantiles of mean square 1: at "
    "SNR = 1 and 4, ratio 4 as stated; a signal +-1 the same. Two directions with noise variances (1, 1) and (0.2, "
    "1.8), the same C = 1: equal information, as stated. Corrected: ln(1 + SNR)/2 at five SNR, no more for +-1, and "
    "the sum over two directions. The information itself is the scale. Numerical error of the 200 values: the "
    "difference from 100, drawn with the same numbers.",
)
def information(run: Run) -> Evidence:
    """Measure mutual information against the signal-to-noise ratio.

    The entropy of a normal variable of variance v is ln(2 pi e v)/2; I = entropy(g) - entropy(g|mu) = ln((t +
    s)/s)/2 with the variances t of the signal and s of the noise. Independent directions add; for given variance
    the normal law has the largest entropy.
    """
    normal, signs = (_normal_values(200), _normal_values(100)), (np.array([-1.0, 1.0]),)
    # sd 0.45 at SNR = 1/4, where 0.011 matters: 41,000 samples
    m = run.pick("samples", 80_000, 800_000)
    found, rows, corrected = {}, [], []
    for i, snr in enumerate((0.25, 1.0, 4.0, 5.0, 1.0 / 1.8)):
        found[snr] = _information(normal, snr, m, run.generator(i))
        exact = theory.gaussian_information(snr)
        value, error, rough = found[snr]
        corrected.append(Test(f"information, SNR = {snr:.3g}", value, exact, error, numerical=rough))
        rows.append(("normal", snr, value, error, exact))
    binary = {}
    for i, snr in enumerate((1.0, 4.0, 16.0)):
        binary[snr] = _information(signs, snr, m, run.generator(10 + i))
        exact = theory.gaussian_information(snr)
        corrected.append(Test(f"information of +-1, SNR = {snr:g}", binary[snr][0], exact, binary[snr][1], "at most"))
        rows.append(("+-1", snr, *binary[snr][:2], exact))
    (a, ea, ra), (b, eb, rb) = found[5.0], found[1 / 1.8]
    apart = a + b, math.hypot(ea, eb), ra + rb
    stated = []
    for label, (b, eb, rb), (a, ea, ra), said in (
        ("information at SNR = 4 over 1, normal", found[4.0], found[1.0], 4.0),
        ("information at SNR = 4 over 1, +-1", binary[4.0], binary[1.0], 4.0),
        ("information at the same C, (0.2, 1.8) over (1, 1)", apart, tuple(2.0 * v for v in found[1.0]), 1.0),
    ):
        ratio = b / a
        spread, rough = ratio * math.hypot(ea / a, eb / b), ratio * (ra / a + rb / b)
        stated.append(Test(label, ratio, said, spread, numerical=rough))
    both = theory.gaussian_information([5.0, 1 / 1.8])
    corrected.append(Test("information, noise (0.2, 1.8)", apart[0], both, apart[1], numerical=apart[2]))

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
    "1000 and 10,000, over that between 0 and 10, which must be 1 as stated; the change of the loss in the well |x|^2/2 "
    "with C = 4 at eta lam = 1.8, which must be a fall (scale: what the best step takes off). Corrected: the slope of E ln "
    "L against ln t between steps 1000 and 10,000 is -2; 1 - E L'/L in the well with C = 1/4, 1 and 4 at the best step "
    "against the factor. Numerical error of the slope: with 1/x^2 = 2 eta t + R, R(t) = 1 + (15 eta/8) ln(1 + 2 eta t), "
    "at most 2 R(1000)/(2 eta 1000 ln 10).",
)
def pl(run: Run) -> Evidence:
    """Measure how the loss falls on x^4/4 and in a quadratic well.

    x' = x - eta x^3 (1 + xi/2) gives 1/x'^2 = 1/x^2 + 2 eta (1 + xi/2) + 3 eta^2 x^2 (1 + xi/2)^2 + ...: 1/x^2 grows
    like 2 eta t + R up to the noise, where x^2 = 1/(1 + 2 eta t) in the third term, of mean 15 eta^2 x^2/4, gives R a
    logarithm. So L = x^4/4 falls like 1/(16 eta^2 t^2). There |grad L|^2/L = 4 x^2 has no lower bound. In a
    quadratic the factor of `phase.bound` holds for every C.
    """
    # relative sd of the early rate 0.1: 25 paths
    paths, eta, rng = run.pick("paths", 100, 1000), 0.1, run.generator(0)
    x = np.ones(paths)
    logs = {0: np.zeros(paths)}
    for t in range(1, 10_001):
        x = x - eta * x**3 * (1.0 + 0.5 * rng.standard_normal(paths))
        if t % 10 == 0:
            logs[t] = 4.0 * np.log(np.abs(x))  # ln(L/L_0)
    early, early_error = mean(-logs[10] / 10)
    late, late_error = mean((logs[1000] - logs[10_000]) / 9000)
    ratio = late / early
    spread = ratio * math.hypot(late_error / late, early_error / early)
    stated = [Test("decay rate late / early on x^4/4, C = 4", ratio, 1.0, spread)]
    # eta lam = 1.8 decides: 260 pairs
    pairs = run.pick("pairs of steps", 500, 5000)
    change, error = _step(0.8, 1.8, pairs, rng)
    stated.append(Test("change in a well, C = 4, eta lam = 1.8", change, 0.0, error, "at most", scale=_gain(0.8)))
    slope, error = mean((logs[10_000] - logs[1000]) / math.log(10.0))
    start = 2.0 * eta * 1000.0
    rest = 2.0 * (1.0 + 15.0 * eta / 8.0 * math.log1p(start)) / (start * math.log(10.0))
    corrected = [Test("slope of E ln L against ln t", slope, -2.0, error, numerical=rest)]
    for C in (0.25, 1.0, 4.0):
        p = C / (1 + C)
        change, error = _step(p, p, pairs, rng)
        exact = 1.0 - theory.progress_factor(p, p, 1.0, 1.0)
        corrected.append(Test(f"1 - E L'/L in a well, C = {C:g}", -2 * change, exact, 2 * error))

    def figure(ax: Axes) -> None:
        t = np.array(sorted(logs))[1:]
        ax.plot(t, [0.25 * math.exp(float(logs[k].mean())) for k in t], label="x^4/4, C = 4, simulated")
        ax.plot(t, 0.25 * np.exp(-early * t), ":", label="linear convergence, as stated")
        ax.plot(t, 1.0 / (16 * eta**2 * t**2), "--", color="0.4", label="1/(16 eta^2 t^2)")
        ax.plot(t, 0.5 * theory.progress_factor(0.2, 0.2, 1.0, 1.0) ** t, label="|x|^2/2, C = 1/4, theory")
        ax.set(xscale="log", yscale="log", ylim=(1e-10, 1), xlabel="step", ylabel="loss", title="How the loss falls")

    rows = tuple((t, float(logs[t].mean()), mean(logs[t])[1]) for t in (10, 100, 1000, 10_000))
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
    rule="Rows of the guide at their bounds in C, .67, 1, 1.5 and 3, to half of the last digit. Change of the loss over a "
    "step in the well |x|^2/2: at p = 0.2, eta = 0.1 (failing: must rise), at p = 0.7, eta = 1.7 (learning: must fall), "
    "and at p = 0.9, eta = 1 that a step twice as long, as advised, does not do worse. Corrected, at steps 0.5, 1 and "
    "1.5: a rise at p' = 0.45, a fall at p' = 0.55; at p = 1/2 a doubled step gains at p' = 2 and loses at p' = 1/2, a "
    "halved one the other way round. Scale of a change: what the best step takes off.",
    source=RULES_SOURCE,
)
def decision_guide(run: Run) -> Evidence:
    """Compare the guide with what steps do to the loss.

    The change is -eta |mu|^2 (1 - 1/(2p')), which changes sign at p' = 1/2 and whose derivative in eta, -|mu|^2 (1
    - 1/p'), at p' = 1.
    """
    # p = 1/2, eta = 2 decides: 16,000 pairs
    pairs, rng = run.pick("pairs of steps", 30_000, 300_000), run.generator(0)
    stated = [
        Test(f"bound of the guide in C, {row.state}", row.low / (1 - row.low), said, numerical=0.005)
        for row, said in zip(diagnostics.GUIDE[1:], (0.67, 1.0, 1.5, 3.0), strict=True)
    ]
    rows = []
    for p, eta, relation in ((0.2, 0.1, "at least"), (0.7, 1.7, "at most")):
        value, error = _step(p, eta, pairs, rng)
        state = diagnostics.advice(p).state
        label = f"change when {state}, p = {p:g}, eta lam = {eta:g}"
        stated.append(Test(label, value, 0.0, error, relation, scale=_gain(p)))
        rows.append((p, eta, diagnostics.best_step_factor(p, eta, 1.0), state, value, error))
    (now, now_error), (raised, raised_error) = _step(0.9, 1.0, pairs, rng), _step(0.9, 2.0, pairs, rng)
    label, worse = "doubled minus present step, p = 0.9, eta lam = 1", math.hypot(now_error, raised_error)
    stated.append(Test(label, raised - now, 0.0, worse, "at most", scale=_gain(0.9)))
    corrected = []
    for eta in (0.5, 1.0, 1.5):
        for factor, relation in ((0.45, "at least"), (0.55, "at most")):
            p = factor * eta
            value, error = _step(p, eta, pairs, rng)
            label = f"change at p' = {factor:g}, eta lam = {eta:g}"
            corrected.append(Test(label, value, 0.0, error, relation, scale=_gain(p)))
            rows.append((p, eta, factor, diagnostics.advice(p).state, value, error))
    for factor, better, worse_factor in ((2.0, 2.0, 0.5), (0.5, 0.5, 2.0)):
        present, error = _step(0.5, 0.5 / factor, pairs, rng)
        for times, relation in ((better, "at most"), (worse_factor, "at least")):
            value, other = _step(0.5, times * 0.5 / factor, pairs, rng)
            label = f"step x {times:g} minus present step, p' = {factor:g}"
            spread = math.hypot(error, other)
            corrected.append(Test(label, value - present, 0.0, spread, relation, scale=_gain(0.5)))

    def figure(axes: Any) -> None:
        left, right = axes
        p = np.linspace(0.05, 0.99, 100)
        for eta in (0.1, 1.0, 1.7):
            left.plot(p, -eta + eta**2 / (2 * p), label=f"eta lam = {eta:g}")
            right.plot(p / eta, -1 + eta / (2 * p))
        for row in diagnostics.GUIDE[1:]:
            left.axvline(row.low, ls=":", lw=1, color="0.4")
            right.axvline(row.low, ls=":", lw=1, color="0.4")
        for p_used, eta, relative, _, value, _ in rows:
            if eta in (0.1, 1.7):
                left.plot(p_used, value, "ok", ms=5)
            right.plot(relative, value / eta, "ok", ms=4)
        left.plot(0.9, now, "ok", ms=5, label="measured")
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
    x, curve = np.full((paths, DIM), 10.0), []
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
        if stop.min() >= 0 and t > max(300, stop.max() + 200):  # all is seen, and drawn
            break
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
    rule="Noisy descent in |x|^2/2, d = 20, noise 1, step 0.05, from |x|^2 = 2000, p known: loss 200 steps (20 relaxation "
    "times) after the stop by p < .45 over that at the stop, which must not be below 1; share of 100-measurement runs at "
    "constant p = 1/2 (20 gradients each, isotropic normal, exact 95 % interval) stopped by the interval, at most 0.05; "
    "share of runs stopped by twenty falls when C halves every 20 of 100 measurements, from 2, at least 1/2. Corrected: "
    "the loss after the stop by p'; the share with intervals at 1 - 0.05/100. Scale of a share: 1.",
    source=RULES_SOURCE,
)
def early_stopping(run: Run) -> Evidence:
    """Measure what stopping gives away, how often it is false, and how often it is missed.

    E|x|^2 settles where |x|^2 (2 - eta) = eta d, that is where 2p = eta lmax: p' = 1/2. Below p = .45 but above
    that floor the loss still falls. Of N intervals at level 1 - a, each lies below a true p by chance a/2, so one
    of N does with probability 1 - (1 - a/2)^N.
    """
    from scipy.stats import ncf

    # relative sd of the ratio about 0.5: 600 paths
    paths, steps, eta = run.pick("paths", 1200, 10_000), 1000, 0.05
    stated: list[Test] = []
    corrected: list[Test] = []
    curves = {}
    for i, relative in enumerate((False, True)):
        at, after, curve = _stopped(paths, steps, eta, relative, run.generator(i))
        ratio = float(after.mean() / at.mean())
        left_out = ((after.sum() - after) / (paths - 1)) / ((at.sum() - at) / (paths - 1))
        error = math.sqrt((paths - 1) * float(np.var(left_out)))
        test = Test("loss 200 steps later / at the stop", ratio, 1.0, error, "at least")
        (corrected if relative else stated).append(test)
        curves["p' < .5" if relative else "p < .45"] = curve
    # 100 times a share of 0.00025: 6300 measurements
    n, m, rng = 20, run.pick("measurements", 12_500, 125_000), run.generator(2)
    first, second, shift = DIM, (n - 1) * DIM, n * DIM  # n |mean|^2/T at C = 1 is noncentral F
    ratios = rng.noncentral_f(first, second, shift, m)
    rows = []
    for level, tests in ((0.95, stated), (1.0 - 0.05 / 100, corrected)):
        # the upper end of the interval lies below C = 1 iff the ratio lies below this quantile
        single, spread = share(ratios < float(ncf.ppf(0.5 * (1.0 - level), first, second, shift)))
        ever = 1.0 - (1.0 - single) ** 100
        label, error = f"false stops at p = 1/2, intervals at {level:g}", 100 * (1.0 - single) ** 99 * spread
        tests.append(Test(label, ever, 0.05, error, "at most", scale=1.0))
        rows.append((f"interval at {level:g}", single, ever))
    # a share of 1/2: 625 runs
    runs = run.pick("runs with falling C", 1250, 12_500)
    true = 2.0 * 0.5 ** (np.arange(100) / 20.0)
    seen = (
        np.maximum((1.0 - 2.0 / second) * rng.noncentral_f(first, second, n * DIM * true, (runs, 100)) - 1.0, 0.0) / n
    )
    missed = []
    for series in seen:
        rule = diagnostics.EarlyStop(patience=1000)
        missed.append(not any("C falling" in rule.update(c / (1.0 + c)) for c in series))
    power, spread = share(~np.array(missed))
    stated.append(Test("stopped while C halves every 20 measurements", power, 0.5, spread, "at least", scale=1.0))
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
    "as stated, at one p in each band, 0.3, 0.45, 0.55, 0.7, 0.9, and with a base step of 1/4 at p = 0.3, 0.45 (scale: "
    "what the best step takes off); and the mean loss after 100 steps of descent with known p, from |x|^2 = 2000, noise "
    "1, over that with the base step, at most 1. Corrected: the same comparisons for p/lmax, also with the rule, its "
    "change, which is -p|mu|^2/2, and its loss over that of the rule with a base step of 1/4.",
    source=RULES_SOURCE,
)
def adaptive_lr(run: Run) -> Evidence:
    """Compare the factors with the base step and with the best step.

    The change -eta |mu|^2 (1 - eta lam/(2p)) is smallest at eta = p/lam. At eta lam = 1.5 it is positive for every
    p < .75, at eta lam = 2 for every p < 1: the bands that the document calls learning and strong.
    """
    # p = 0.3, eta = 1 decides: 15,200 pairs
    pairs, rng = run.pick("pairs of steps", 30_000, 300_000), run.generator(0)
    stated: list[Test] = []
    corrected: list[Test] = []
    rows = []
    for p in (0.3, 0.45, 0.55, 0.7, 0.9):
        factor = diagnostics.step_factor(p)
        (base, eb), (ruled, er), (best, ep) = (_step(p, eta, pairs, rng) for eta in (1.0, factor, p))
        for tests, name, difference, error in (
            (stated, "rule minus base step", ruled - base, math.hypot(eb, er)),
            (corrected, "best minus base step", best - base, math.hypot(eb, ep)),
            (corrected, "best step minus rule", best - ruled, math.hypot(er, ep)),
        ):
            tests.append(Test(f"{name}, p = {p:g}", difference, 0.0, error, "at most", scale=_gain(p)))
        corrected.append(Test(f"change at the best step, p = {p:g}", best, -_gain(p), ep))
        rows.append((p, factor, base, ruled, best, -_gain(p)))
    for p in (0.3, 0.45):  # where the base is a quarter, the rule is too shy
        (base, eb), (ruled, er) = (_step(p, 0.25 * f, pairs, rng) for f in (1.0, diagnostics.step_factor(p)))
        label = f"rule minus base step 1/4, p = {p:g}"
        stated.append(Test(label, ruled - base, 0.0, math.hypot(eb, er), "at most", scale=_gain(p)))
    # relative sd of a ratio about 0.5: 600 paths
    paths = run.pick("paths", 1250, 12_500)
    policies: dict[str, Callable[[Array], Array]] = {
        "base step 1": np.ones_like,
        "rule, base 1": lambda p: np.array([diagnostics.step_factor(v) for v in p]),
        "rule, base 1/4": lambda p: 0.25 * np.array([diagnostics.step_factor(v) for v in p]),
        "best step p/lam": lambda p: p,
    }
    curves, ends = {}, {}
    for i, (name, policy) in enumerate(policies.items()):
        x, rng, curve = np.full((paths, DIM), 10.0), run.generator(1 + i), []
        for _ in range(101):
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
        tests.append(Test(f"loss after 100 steps, {name} / {other}", a / b, 1.0, spread, "at most"))

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
        right.set(yscale="log", xlabel="step", ylabel="mean loss", ylim=(0.05, 1e6), title="A hundred steps, known p")

    columns = ("p", "factor", "change, base step", "change, rule", "change, best step", "theory")
    return Evidence(stated, corrected, [Table("One step at eta lam = 1", columns, tuple(rows))], figure, panels=2)


@claim(
    "phase.double-descent",
    "the peak is where p is 1/2",
    formula=r"p(N = n) \approx \frac{1}{2}",
    statement="The test error of double descent peaks where p ~ .5.",
    definitions="n = 100 examples of a linear teacher with noise 0.5, N features: max(a.x, 0) of 20-dimensional normal x, or "
    "independent normal ones. p = C/(1 + C) of the gradient of one example, of those learned from along descent from zero "
    "with the step 1/lmax, or of a fresh one at the minimum.",
    corrected="The error peaks at N = n, where p of an example is far below 1/2 at every stage: p cannot exceed lmax(K)/n, K the "
    "products of the unit vectors along the examples, (1/sqrt n + 1/sqrt N)^2 for independent features. Late in training "
    "p rises with N and passes N = n without a maximum. A batch of B has C B times larger: B = 1/C puts p = 1/2 at any N.",
    corrected_formula=r"p \leq \frac{\lambda_{\max}(K)}{n} \approx \left(\frac{1}{\sqrt{n}} + \frac{1}{\sqrt{N}}\right)^2",
    rule="Means over data sets at N = n: the largest p of the stages 0, 1, 10, ... 10^4 for both kinds of features, and p of "
    "fresh examples for the first, must be 0.5 (scale 1, a probability). Corrected: log10 of the error at N = n less that "
    "at 3n/4 and 4n/3 at least 0 (scale 1, a logarithm); the largest p/bound over N = 50 to 200, stages, and the first data sets "
    "at most 1 up to rounding; the bound for independent features, N = n, over its limit 4/n at most 1 (of finite size it "
    "stays below on average); log10 of p after 10^4 steps at n over n/2 and 2n over n at least 0 (scale 1), "
    "random features; and |mu|^2/E|g|^2 of batches of the whole number next to 1/C, drawn with replacement at theta = 0, N = 50, "
    "100, 200, is 0.5 (scale 1), up to C/8 for rounding B.",
)
def double_descent(run: Run) -> Evidence:
    """Follow p around N = n and compare it with what it can be at most.

    Gradients r_i x_i are weights w_i = r_i |x_i| times unit vectors u_i: p = |sum w_i u_i|^2/(n sum w_i^2), a Rayleigh quotient
    of K/n. Its trace is 1: p above 1/2 takes a direction that more than half of all squared lengths share. For max(a.x, 0)
    the common direction has 1/pi of them.
    """
    n, sizes, steps = 100, (50, 75, 100, 133, 200), (0, 1, 10, 100, 1000, 10_000)
    names = {"relu": "random features", "isotropic": "independent features"}
    counts = {
        "relu": run.pick("data sets", 60, 600),
        "isotropic": run.pick("data sets of independent features", 30, 150),
    }
    middle, stated, corrected = sizes.index(n), [], []
    found, bounds, excess = {}, {}, 0.0
    for i, kind in enumerate(names):
        seeds = run.stream(i).spawn(counts[kind])
        chosen = [experiments.double_descent(n, sizes, seed=s, noise=0.5, kind=kind, steps=steps) for s in seeds]
        make = random_features if kind == "relu" else experiments.isotropic_features
        limit = np.array(
            [
                [theory.signal_share_bound(make(n, N, noise=0.5, n_test=1, seed=s).inputs) for N in sizes]
                for s in seeds[: run.pick("data sets with bounds", 20, 100)]
            ]
        )
        p = np.array([d.p_during for d in chosen])  # (data sets, stages, sizes)
        excess = max(excess, float((p[: len(limit)] / limit[:, None, :]).max()))
        found[kind], bounds[kind] = p, limit
        value, error = mean(p[:, :, middle].max(axis=1))
        stated.append(Test(f"largest p of the stages at N = n, {names[kind]}", value, 0.5, error, scale=1.0))
        if kind == "relu":
            value, error = mean(np.array([d.p_fresh[middle] for d in chosen]))
            stated.append(Test("p of fresh examples at N = n, random features", value, 0.5, error, scale=1.0))
            errors = np.log10([d.test_error for d in chosen])
    for j in (middle - 1, middle + 1):
        value, error = mean(errors[:, middle] - errors[:, j])
        corrected.append(Test(f"log10 error, N = n over N = {sizes[j]}", value, 0.0, error, "at least", scale=1.0))
    corrected.append(Test("largest p/bound", excess, 1.0, 0.0, "at most", numerical=1e-9))
    value, error = mean(bounds["isotropic"][:, middle] / (4.0 / n))
    corrected.append(Test("bound/(4/n), N = n, independent features", value, 1.0, error, "at most"))
    late = np.log10(found["relu"][:, -1, :])
    for over, under in ((middle, 0), (len(sizes) - 1, middle)):
        value, error = mean(late[:, over] - late[:, under])
        label = f"log10 p after 10^4 steps, N = {sizes[over]} over N = {sizes[under]}"
        corrected.append(Test(label, value, 0.0, error, "at least", scale=1.0))
    rows = []
    for j, N in enumerate((50, 100, 200)):
        shares, batches, numerical = [], [], 0.0
        for k, seed in enumerate(run.stream(2 + j).spawn(run.pick("data sets for batches", 10, 40))):
            task, network = random_features(n, N, noise=0.5, n_test=1, seed=seed), Linear(N)
            g = network.per_sample_gradients(np.zeros(N), task.inputs, task.targets)
            signal = float(np.sum(g.mean(axis=0) ** 2))
            C = signal / (float(np.mean(np.sum(g * g, axis=1))) - signal)
            B, rng = max(round(1.0 / C), 1), run.generator(100 * (j + 1) + k)
            drawn = rng.multinomial(B, np.full(n, 1.0 / n), 400) @ g / B
            shares.append(signal / float(np.mean(np.sum(drawn * drawn, axis=1))))
            batches.append(B)
            numerical = max(numerical, C / 8.0)
        value, error = mean(np.array(shares))
        label = f"p of a batch of 1/C at the start, N = {N}"
        corrected.append(Test(label, value, 0.5, error, scale=1.0, numerical=numerical))
        rows.append((N, float(np.mean(batches)), value, error))

    def figure(axes: Any) -> None:
        left, right = axes
        left.plot(sizes, 10 ** errors.mean(axis=0), "o-", ms=5)
        left.set(
            yscale="log", xlabel="features N, n = 100 examples", ylabel="test error", title="The error peaks at N = n"
        )
        for i, k in enumerate(steps):
            line = np.exp(np.log(found["relu"][:, i, :]).mean(axis=0))
            right.plot(sizes, line, "o-", ms=4, color=f"C{i}", label=f"after {k:g} steps")
        right.plot(sizes, bounds["relu"].mean(axis=0), "k--", lw=1.5, label="largest possible")
        right.axhline(0.5, ls=":", color="0.4", label="stated")
        right.set(yscale="log", xlabel="features N", ylabel="p of an example", title="Random features")

    table = [
        (names[kind], N, *(float(v) for v in np.median(found[kind][:, :, j], axis=0)), float(bounds[kind][:, j].mean()))
        for kind in names
        for j, N in enumerate(sizes)
    ]
    tables = [
        Table("p of an example, medians", ("features", "N", *(f"{k} steps" for k in steps), "bound"), tuple(table)),
        Table("Batches of 1/C at the start", ("N", "mean B", "p", "stderr"), tuple(rows)),
    ]
    return Evidence(stated, corrected, tables, figure, panels=2)


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
    "random tickets that was undecided, and it does not follow from the equations: dropped.",
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
