"""Claims of "Stochastic dynamics of symmetry and dimension": the generator of the energy and the threshold Gamma."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shld_sim import theory
from shld_sim.claims.registry import Evidence, Run, Table, claim
from shld_sim.claims.rules import Test
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, QuadraticForm
from shld_sim.simulate import simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]


def _energy_drift(model: Langevin, x: Array, dt: float, n_pairs: int, rng: np.random.Generator) -> tuple[float, float]:
    """Return (E V(x + dx) - V(x))/dt over one Euler step from ``x`` and its standard error, from antithetic pairs."""
    half = rng.standard_normal((n_pairs, len(x))) * math.sqrt(dt)
    increments = np.concatenate([half, -half])[None]
    after = model.potential(simulate(model, x, dt, noise=increments).final)
    change = (0.5 * (after[:n_pairs] + after[n_pairs:]) - float(model.potential(x))) / dt
    return float(change.mean()), float(change.std(ddof=1) / math.sqrt(n_pairs))


@claim(
    "sdsd.generator",
    "energy drift -|grad V|^2 + tr D",
    statement="The generator of the energy is -|grad V|^2 + tr D_s, so the mean energy is stationary at Gamma = |grad V|^2/tr "
    "D_s = 1.",
    corrected="It is -|grad V|^2 + tr(D_s H), so the sign of the energy's drift flips at Gamma_H = |grad V|^2/tr(D_s H) = 1.",
    rule="One-step conditional change of the energy on the quadratic form (1, 4), D = 0.5, antithetic pairs: at the point of a "
    "ray where Gamma = 1, where it should vanish as stated; at Gamma_H = 1; at three more points against the corrected "
    "generator; and the place along the ray where the measured drift vanishes. The step's bias |H grad V||grad V| dt/2 is "
    "bounded.",
)
def generator(run: Run) -> Evidence:
    """Measure the conditional one-step change of the energy and locate its zero."""
    model = Langevin(QuadraticForm([1.0, 4.0]), D=0.5)
    D, dt, n_pairs = 0.5, 1e-4, run.pick("antithetic pairs", 40_000, 400_000)
    ray = np.array([1.0, 0.5]) / math.hypot(1.0, 0.5)
    size = float((model.potential.gradient(ray) ** 2).sum())
    at_gamma, at_gamma_h = math.sqrt(2 * D / size), math.sqrt(5 * D / size)  # radii at which the two ratios are 1
    rng = run.generator(0)
    radii = np.array([0.5 * at_gamma, at_gamma, 0.5 * (at_gamma + at_gamma_h), at_gamma_h, 1.3 * at_gamma_h])
    found = []
    for r in radii:
        found.append(_energy_drift(model, r * ray, dt, n_pairs, rng))
    value, error = np.array(found).T
    bias = 4.0 * size * radii**2 * dt  # lmax |grad V|^2 dt, twice the second-order term
    expected = np.array([float(theory.energy_generator(model.potential, r * ray, D)) for r in radii])
    said = np.array([float(theory.energy_generator_as_stated(model.potential, r * ray, D)) for r in radii])
    stated = [
        Test("energy drift at Gamma = 1", value[1], 0.0, error[1], resolution=0.1, numerical=bias[1]),
        Test("energy drift at half that radius", value[0], said[0], error[0], resolution=0.1, numerical=bias[0]),
    ]
    corrected = [
        Test(f"energy drift at radius {r:.3g}", v, e, s, resolution=0.1, numerical=b)
        for r, v, e, s, b in zip(radii, value, expected, error, bias, strict=True)
    ]
    # -|grad V|^2 + const is a straight line in r^2: its zero by weighted least squares
    slope, intercept = np.polyfit(radii**2, value, 1, w=1.0 / error)
    covariance = np.polyfit(radii**2, value, 1, w=1.0 / error, cov="unscaled")[1]
    zero = -intercept / slope
    gradient = np.array([intercept / slope**2, -1.0 / slope])
    spread = math.sqrt(gradient @ covariance @ gradient)
    gamma_h = zero * size / (5 * D)
    corrected.append(
        Test(
            "Gamma_H where the drift vanishes", gamma_h, 1.0, spread * size / (5 * D), resolution=0.05, numerical=0.002
        )
    )
    rows = tuple(
        (float(r), float(r * r * size / (2 * D)), float(r * r * size / (5 * D)), float(v), float(s), float(e), float(c))
        for r, v, s, e, c in zip(radii, value, error, expected, said, strict=True)
    )

    def figure(ax: Axes) -> None:
        r = np.linspace(0, 1.35 * at_gamma_h, 100)
        ax.plot(r**2 * size / (5 * D), 5 * D - size * r**2, label="-|grad V|^2 + tr(D H)")
        ax.plot(r**2 * size / (5 * D), 2 * D - size * r**2, ":", label="-|grad V|^2 + tr D, as stated")
        ax.errorbar(radii**2 * size / (5 * D), value, 5 * error, fmt="ok", ms=4, label="measured")
        ax.axhline(0.0, color="0.6", lw=0.8)
        ax.set(xlabel="Gamma_H", ylabel="d E[V]/dt", title="Energy drift along a ray, H = diag(1, 4)")

    columns = ("radius", "Gamma", "Gamma_H", "drift", "stderr", "corrected", "as stated")
    return Evidence(stated, corrected, [Table("Conditional energy change", columns, rows)], figure)


def _chain_logs(eta: float, lam: float, s: float, n: int, rng: np.random.Generator) -> Array:
    """Return ``n`` samples of ln|1 - eta (lam + s xi)|, the growth of one step of x' = (1 - eta (lam + s xi)) x."""
    return np.log(np.abs(1.0 - eta * (lam + s * rng.standard_normal(n))))


@claim(
    "sdsd.almost-sure",
    "converges iff Gamma > 1",
    statement="Paths converge almost surely if and only if Gamma > 1.",
    corrected="For dX = -lam X dt + s X dW, Gamma_H = 2 lam/s^2 > 1 iff the mean square decays; almost surely it always does, "
    "with exponent -(lam + s^2/2). In discrete time the mean square decays iff eta < 2 lam/(lam^2 + s^2). With additive "
    "noise P(|X| > x) falls like x^-(1 + Gamma_H).",
    rule="Only if: simulated growth exponent of the linear equation with Gamma_H = 1/2, which must not be negative as stated. "
    "If: growth exponent of x' = (1 - eta(lam + s xi)) x with eta = 2.1, lam = 1, s = 0.1, whose Gamma is 95, which must not "
    "be positive as stated. Corrected: both exponents against theory, mean-square growth on either side of Gamma_H = 1 and "
    "of the discrete threshold, P(|X| > x) of the equation with additive noise, and the stationary average "
    "E|grad V|^2/(D E lap V) = 1 of a Gibbs law, whose Gamma vanishes at every minimum.",
)
def almost_sure(run: Run) -> Evidence:
    """Measure growth exponents of linear multiplicative dynamics against the threshold."""
    n = run.pick("factors", 1_000_000, 10_000_000)
    lam, s, dt = 1.0, 2.0, 1e-3
    # The Euler chain of the linear equation is the chain with eta = dt and noise s/sqrt(dt); its logs add up.
    growth = _chain_logs(dt, lam, s / math.sqrt(dt), n, run.generator(0)) / dt
    path, path_error = float(growth.mean()), float(growth.std() / math.sqrt(n))
    exact = float(theory.almost_sure_exponent(lam, s))
    logs = _chain_logs(2.1, 1.0, 0.1, n, run.generator(1))
    chain, chain_error = float(logs.mean()), float(logs.std() / math.sqrt(n))
    chain_exact = float(theory.chain_almost_sure_exponent(2.1, 1.0, 0.1))
    stated = [
        Test("exponent of the path, Gamma_H = 1/2", path, 0.0, path_error, "at least", numerical=0.05),
        Test("exponent of the chain, Gamma = 95", chain, 0.0, chain_error, "at most"),
    ]
    corrected = [
        # ln|1 - lam dt + s dW| has mean -(lam + s^2/2) dt + O(dt^2): the third and fourth cumulants add 12 dt at s = 2
        Test(
            "exponent of the path / theory", path / exact, 1.0, path_error / abs(exact), resolution=0.2, numerical=0.01
        ),
        Test("exponent of the chain, Gamma = 95", chain, chain_exact, chain_error, resolution=0.01),
    ]
    rows = []
    for i, strength in enumerate((1.0, 2.0)):  # Gamma_H = 2 and 1/2
        factors = (1.0 - dt * (lam + strength / math.sqrt(dt) * run.generator(2 + i).standard_normal(n))) ** 2
        rate, error = float(factors.mean() - 1.0) / dt, float(factors.std() / math.sqrt(n)) / dt
        expected = float(theory.mean_square_exponent(lam, strength))
        gamma = float(theory.gamma_linear(lam, strength))
        corrected.append(
            Test(
                f"mean-square growth, Gamma_H = {gamma:g}", rate, expected, error, resolution=1.0, numerical=lam**2 * dt
            )
        )
        rows.append((gamma, rate, error, expected, float(theory.almost_sure_exponent(lam, strength))))
    threshold = float(theory.chain_mean_square_threshold(1.0, 1.0))
    for i, part in enumerate((0.8, 1.2)):
        factors = (1.0 - part * threshold * (1.0 + run.generator(4 + i).standard_normal(n))) ** 2
        relation = "at most" if part < 1 else "at least"
        label = f"mean-square factor at {part:g} x threshold step"
        corrected.append(Test(label, float(factors.mean()), 1.0, float(factors.std() / math.sqrt(n)), relation))
    tail, tail_error, tail_exact = _additive_tail(run, lam=1.0, s=1.0, D0=0.5, beyond=2.0)
    corrected.append(
        Test(
            "P(|X| > 2), additive and multiplicative noise",
            tail,
            tail_exact,
            tail_error,
            resolution=0.02,
            numerical=0.003,
        )
    )
    model = Langevin(DoubleWell(), 0.1)
    balance = theory.gibbs_expectation(model, lambda x: model.potential.gradient(x) ** 2) / (
        0.1 * theory.gibbs_expectation(model, model.potential.laplacian)
    )
    corrected.append(Test("E|grad V|^2/(D E lap V), Gibbs", float(balance), 1.0, resolution=1e-8, numerical=1e-9))
    eta = np.linspace(0.05, 2.6, 150)
    exponents = [float(theory.chain_almost_sure_exponent(e, 1.0, 0.5)) for e in eta]
    squares = [0.5 * math.log(float(theory.chain_mean_square_factor(e, 1.0, 0.5))) for e in eta]

    def figure(ax: Axes) -> None:
        ax.plot(eta, exponents, label="almost sure: E ln|1 - eta(lam + s xi)|")
        ax.plot(eta, squares, "--", label="mean square: ln E(...)^2 / 2")
        ax.axhline(0.0, color="0.6", lw=0.8)
        threshold = float(theory.chain_mean_square_threshold(1.0, 0.5))
        ax.axvline(threshold, ls=":", color="0.4", label="2 lam/(lam^2 + s^2)")
        ax.set(xlabel="step eta", ylabel="growth exponent", title="Linear chain, lam = 1, s = 0.5", ylim=(-1.6, 1.6))

    columns = ("Gamma_H", "mean-square growth", "stderr", "-2 lam + s^2", "almost-sure exponent")
    return Evidence(stated, corrected, [Table("Linear equation, lam = 1", columns, tuple(rows))], figure)


def _additive_tail(run: Run, lam: float, s: float, D0: float, beyond: float) -> tuple[float, float, float]:
    """Return P(|X| > beyond) of dX = -lam X dt + s X dW + sqrt(2 D0) dB, its standard error, and the exact value.

    The stationary density is proportional to (D0 + s^2 x^2/2)^(-1 - lam/s^2): a Student law with 1 + 2 lam/s^2 degrees of
    freedom in units of sqrt(2 D0/(s^2 + 2 lam)).
    """
    from scipy.stats import t as student

    rng, dt, n = run.generator(9), 4e-3, run.pick("paths of the tail", 40_000, 200_000)
    x = np.zeros(n)
    for _ in range(int(5 / dt)):
        # One normal number serves both noises: their sum is normal with variance (s x)^2 + 2 D0.
        x = x - lam * x * dt + np.sqrt((s * s * x * x + 2.0 * D0) * dt) * rng.standard_normal(n)
    found = float((np.abs(x) > beyond).mean())
    degrees, scale = 1.0 + 2.0 * lam / s**2, math.sqrt(2.0 * D0 / (s**2 + 2.0 * lam))
    return found, math.sqrt(found * (1 - found) / n), float(2.0 * student.sf(beyond / scale, degrees))
