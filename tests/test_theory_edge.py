"""One noisy gradient step in closed form: by enumeration of the noise, by hand, by limits."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats

from shld_sim import theory

H = np.array([[3.0, 1.0, 0.0], [1.0, 2.0, 0.5], [0.0, 0.5, 0.4]])
X = np.array([0.7, -1.1, 2.0])
ROOT = np.array([[0.8, 0.0, 0.0], [0.3, 0.5, 0.0], [-0.2, 0.1, 1.2]])  # S = ROOT ROOT^T
MU, S = H @ X, ROOT @ ROOT.T
CORNERS = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))  # eight equally likely noises of covariance I


def loss(x):
    return 0.5 * np.einsum("...i,ij,...j", x, H, x)


def mean_change(eta):
    """E L(x - eta g) - L(x) by enumeration of a noise that is not normal."""
    return float(loss(X - eta * (MU + CORNERS @ ROOT.T)).mean() - loss(X))


@pytest.mark.parametrize("eta", [0.0, 0.05, 0.3, 1.0])
def test_one_step_change_by_enumeration(eta):
    assert theory.one_step_change(MU, S, H, eta) == pytest.approx(mean_change(eta), rel=1e-12, abs=1e-15)


def test_threshold_and_best_step():
    edge, best = theory.step_threshold(MU, S, H), theory.best_step(MU, S, H)
    assert mean_change(edge) == pytest.approx(0.0, abs=1e-12)
    assert mean_change(best) == pytest.approx(-0.5 * best * (MU @ MU))
    assert mean_change(best) < min(mean_change(0.99 * best), mean_change(1.01 * best))
    C = theory.gradient_consolidation(MU, S)
    p, lmax = C / (1 + C), float(np.linalg.eigvalsh(H)[-1])
    assert edge > 2 * p / lmax  # eta lmax < 2p suffices


def test_threshold_where_the_curvature_is_one_number():
    """C = 4 / (3 * 0.5): p = 8/11, threshold 2p/lam, best step p/lam."""
    mean, p = [2.0, 0.0, 0.0], 8 / 11
    assert theory.gradient_consolidation(mean, 0.5) == pytest.approx(8 / 3)
    assert theory.step_threshold(mean, 0.5, 5.0) == pytest.approx(2 * p / 5)
    assert theory.best_step(mean, [0.5, 0.5, 0.5], np.diag([5.0, 5.0, 5.0])) == pytest.approx(p / 5)
    assert theory.noisy_margin(p, 2 * p / 5, 5.0) == pytest.approx(0.0, abs=1e-12)
    assert theory.noisy_margin(1.0, 0.01, 150.0) == 50.0  # 2/eta - lmax
    assert theory.step_threshold([1.0], 0.0, -1.0) == math.inf


def test_progress_factor_is_attained_and_bounds():
    eta, p, lam = 0.2, 0.6, 3.0
    # normal gradient of lam x^2/2 at x = 1 in one dimension: E g^2 = lam^2/p
    exact = 1 - 2 * eta * lam + eta**2 * lam**2 / p
    assert theory.progress_factor(eta, p, lam, lam) == pytest.approx(exact)
    assert theory.progress_factor(p / 3.0, p, 0.3, 3.0) == pytest.approx(1 - p * 0.1)
    C = theory.gradient_consolidation(MU, S)
    p, (low, *_, high) = C / (1 + C), np.linalg.eigvalsh(H)
    for eta in np.array([0.3, 1.0, 1.7]) * p / high:
        assert 1 + mean_change(eta) / loss(X) <= theory.progress_factor(eta, p, low, high) + 1e-12


def test_claimed_progress_factor_is_no_factor():
    assert theory.claimed_progress_factor(0.1, 0.5, 1.0) == pytest.approx(0.9)
    assert theory.claimed_progress_factor(0.1, 0.95, 1.0) == pytest.approx(-0.9)


def test_metric_makes_c_independent_of_the_chart():
    rng = np.random.default_rng(1)
    J, G = rng.standard_normal((3, 3)), ROOT @ ROOT.T + np.eye(3)
    same = theory.metric_consolidation(J.T @ MU, J.T @ S @ J, J.T @ G @ J)
    assert same == pytest.approx(theory.metric_consolidation(MU, S, G), rel=1e-10)
    assert theory.metric_consolidation(MU, S, 7.0) == pytest.approx(theory.gradient_consolidation(MU, S))
    # E g = (1, 0), covariance I: 1/2, but 0.00990099 in the chart (10 a, b) and 0.990099 in (a, 10 b), by hand
    for stretch, expected in (([0.1, 1.0], 0.00990099009900990), ([1.0, 0.1], 0.990099009900990)):
        J = np.diag(stretch)
        assert theory.gradient_consolidation(J @ [1.0, 0.0], J @ J) == pytest.approx(expected, rel=1e-12)
        assert theory.metric_consolidation(J @ [1.0, 0.0], J @ J, J @ J) == pytest.approx(0.5)


def test_pruning():
    mean, noise, kept = [3.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0], [True, False, True, False]
    # C: 12/10 of all, 10/4 of the kept
    assert theory.pruned_consolidation_ratio(mean, noise, kept) == pytest.approx(2.5 / 1.2)
    assert theory.pruned_consolidation_ratio_as_stated(mean, kept) == pytest.approx(2 * 12 / 10)
    assert theory.pruned_consolidation_ratio(mean, noise, [True] * 4) == pytest.approx(1.0)


def test_descent_probability():
    assert theory.descent_probability(0.0, 10) == 0.5
    assert theory.descent_probability([0.25, 1.0], 4) == pytest.approx(stats.norm.cdf([1.0, 2.0]))


@pytest.mark.parametrize("snr", [0.1, 1.0, 9.0])
def test_gaussian_information_by_quadrature_of_entropies(snr):
    def surprise(scale):
        law = stats.norm(scale=scale)
        return integrate.quad(lambda x: -law.pdf(x) * law.logpdf(x), -12 * scale, 12 * scale)[0]

    assert theory.gaussian_information(snr) == pytest.approx(surprise(math.sqrt(1 + snr)) - surprise(1.0), rel=1e-8)
    assert theory.gaussian_information([snr, 2.0]) == pytest.approx(0.5 * math.log((1 + snr) * 3.0))


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"covariance must be a number, \(3,\) or \(3, 3\), got shape \(2,\)"):
        theory.one_step_change(MU, [1.0, 2.0], H, 0.1)
    with pytest.raises(ValueError, match="hessian must be symmetric"):
        theory.step_threshold([1.0, 0.0], 1.0, [[1.0, 2.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"eta must be at most 2p/lmax = 0\.4, got 0\.5"):
        theory.progress_factor(0.5, 0.6, 1.0, 3.0)
    with pytest.raises(ValueError, match=r"lmax must be at least pl = 2\.0, got 1\.0"):
        theory.progress_factor(0.1, 0.6, 2.0, 1.0)
    with pytest.raises(ValueError, match=r"p must lie in \(0, 1\], got 0\.0"):
        theory.noisy_margin(0.0, 0.1, 1.0)
    with pytest.raises(ValueError, match="covariance must have a positive trace"):
        theory.gradient_consolidation([1.0], 0.0)
    with pytest.raises(ValueError, match="metric must be positive definite"):
        theory.metric_consolidation([1.0, 0.0], 1.0, [1.0, -1.0])
    with pytest.raises(ValueError, match="kept must be 2 truth values"):
        theory.pruned_consolidation_ratio([1.0, 0.0], 1.0, [0, 1])
    with pytest.raises(ValueError, match=r"C must not be negative, got -1\.0"):
        theory.descent_probability(-1.0, 3)
    with pytest.raises(ValueError, match=r"snr must not be negative, got -0\.5"):
        theory.gaussian_information(-0.5)
    with pytest.raises(ValueError, match="mean must not vanish on the kept parameters"):
        theory.pruned_consolidation_ratio_as_stated([1.0, 0.0], [False, True])
    with pytest.raises(ValueError, match="mean must not be zero"):
        theory.pruned_consolidation_ratio([0.0, 0.0], 1.0, [False, True])
