"""Largest eigenvalue, tangent kernel, and the rules of the tracker on Levy dynamics."""

import math

import numpy as np
import pytest

from shld_sim import diagnostics


def matrix(rng, values):
    Q = np.linalg.qr(rng.standard_normal((len(values), len(values))))[0]
    return Q * values @ Q.T


# -- curvature ----


def test_lanczos_against_a_full_diagonalisation():
    rng = np.random.default_rng(1)
    for values in (np.linspace(-1, 2, 80), np.concatenate([np.zeros(70), np.arange(10.0)]), -np.linspace(1, 2, 80)):
        H = matrix(rng, values)
        found = diagnostics.largest_eigenvalue(H, steps=60)
        assert found.value == pytest.approx(values.max(), abs=1e-6)
        assert found.interval[0] <= values.max() <= found.interval[1]
        assert np.linalg.norm(H @ found.vector - found.value * found.vector) <= found.residual + 1e-9
        assert np.abs(values - found.value).min() <= found.residual


def test_lanczos_on_a_function_and_all_of_the_space():
    H = matrix(np.random.default_rng(2), np.array([1.0, 2.0, 5.0]))
    found = diagnostics.largest_eigenvalue(lambda v: H @ v, 3)
    assert found.value == pytest.approx(5.0, rel=1e-13) and found.products == 3
    assert found.interval[1] - found.interval[0] < 1e-12
    one = diagnostics.largest_eigenvalue(np.eye(50))  # the Krylov space ends at once
    assert one.value == pytest.approx(1.0) and one.products == 1


def test_the_upper_end_holds_and_would_fail_without_its_margin():
    """100 starts, one eigenvalue apart, few steps: the bound holds in all, the Ritz value alone in less than half."""
    rng, held, above = np.random.default_rng(3), 0, 0
    H = np.diag(np.concatenate([np.linspace(0, 1, 199), [1.002]]))
    for _ in range(100):
        found = diagnostics.largest_eigenvalue(H, steps=40, seed=rng.integers(2**32), confidence=0.99)
        held += found.interval[1] >= 1.002
        above += found.value >= 1.002 - 1e-6
    assert held == 100
    assert above < 50


def test_five_power_steps_underestimate():
    """Eigenvalues even on [0, 1]: the Rayleigh quotient of H^5 v is 11/12 on average over v, up to 1/d."""
    H = np.diag(np.linspace(0, 1, 300))
    found = [diagnostics.power_iteration(H, seed=i).value for i in range(20)]
    assert np.mean(found) == pytest.approx(11 / 12, abs=5 * np.std(found) / math.sqrt(20) + 4e-3)
    assert diagnostics.power_iteration(H, steps=1000).value == pytest.approx(1.0, abs=2e-3)
    assert diagnostics.power_iteration(np.diag([1.0, -3.0])).value == pytest.approx(-3.0, abs=0.1)  # the largest |l|


def test_margin_bands_and_sign():
    bands = [diagnostics.stability_margin(1.0, lmax).band for lmax in (1.4, 1.7, 1.95, 2.05, 2.2)]
    assert bands == ["stable", "none", "edge", "edge", "diverging"]
    exact = diagnostics.stability_margin(0.1, 15.0)
    assert (exact.value, exact.relative, exact.stable) == (5.0, 0.5, True)
    lmax = diagnostics.largest_eigenvalue(np.diag(np.linspace(0, 1, 200)), steps=40)
    assert diagnostics.stability_margin(2.0 / 1.001, lmax).stable is None
    assert diagnostics.stability_margin(2.5, lmax).stable is False


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.largest_eigenvalue(lambda v: v), "dim must be given"),
        (lambda: diagnostics.largest_eigenvalue(np.ones((2, 3))), "hessian must be a square matrix"),
        (lambda: diagnostics.largest_eigenvalue([[0.0, 1.0], [0.0, 0.0]]), "hessian must be symmetric"),
        (lambda: diagnostics.power_iteration(lambda v: v[:1], 2), r"hessian\(v\) must have shape \(2,\), got \(1,\)"),
        (lambda: diagnostics.stability_margin(0.0, 1.0), "eta must be positive"),
        (lambda: diagnostics.tangent_kernel(np.ones(3)), r"jacobian must have shape \(m, d\)"),
        (lambda: diagnostics.tangent_kernel(1e-9 * np.eye(2)), "squared singular value above cut"),
        (lambda: diagnostics.kernel_distance(np.ones((2, 3)), np.eye(2)), "before must have rank m = 2"),
        (lambda: diagnostics.CriticalityTracker(0.1, window=5), "window must be at least 20, got 5"),
        (lambda: diagnostics.levy_consolidation(1.0, 0.0, 1.5, 2), "sigma must be positive"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# -- metric ----


def test_log_det_from_either_side():
    J = np.random.default_rng(4).standard_normal((5, 30))
    kernel = diagnostics.tangent_kernel(J)
    assert kernel.log_det == pytest.approx(np.linalg.slogdet(J @ J.T)[1], rel=1e-13)
    assert diagnostics.tangent_kernel(J.T).log_det == pytest.approx(kernel.log_det, rel=1e-13)
    assert kernel.rank == 5
    assert diagnostics.tangent_kernel(np.vstack([J, J[:1]])).rank == 5  # an output twice: one eigenvalue below the cut


def test_rate_and_its_names():
    J = np.random.default_rng(5).standard_normal((4, 9))
    before, after = diagnostics.tangent_kernel(J), diagnostics.tangent_kernel(1.1 * J)
    rate = diagnostics.metric_rate(before, after, 2.0)
    assert rate.value == pytest.approx(4 * math.log(1.1**2) / 2.0)
    assert (rate.critical, rate.state, rate.rank_change) == (False, "lazy", 0)
    assert diagnostics.metric_rate(before, after).state == "expanding"
    assert diagnostics.metric_rate(after, before).state == "contracting"


def test_distance_of_kernels():
    rng = np.random.default_rng(6)
    A, B, C = rng.standard_normal((3, 4, 9))
    logs = np.log(np.linalg.eigvals(np.linalg.solve(A @ A.T, B @ B.T)).real)
    assert diagnostics.kernel_distance(A, B) == pytest.approx(math.sqrt(logs @ logs), rel=1e-10)
    assert diagnostics.kernel_distance(A, B) == pytest.approx(diagnostics.kernel_distance(B, A), rel=1e-10)
    assert diagnostics.kernel_distance(A, C) <= diagnostics.kernel_distance(A, B) + diagnostics.kernel_distance(B, C)
    turned = np.linalg.qr(rng.standard_normal((9, 9)))[0]
    assert diagnostics.kernel_distance(A, A @ turned) < 1e-10  # other parameters, the same kernel
    assert diagnostics.kernel_distance(A, 3.0 * A, scale_free=True) < 1e-10


# -- tracker ----


def test_tracker_on_numbers_that_are_known():
    rng = np.random.default_rng(7)
    tracker, written = diagnostics.CriticalityTracker(0.5, dim=7), diagnostics.CriticalityTracker(0.5)
    norms = 1.0 + rng.random(150)
    for i, g in enumerate(norms):
        state, plain = tracker.update(g, 3.95, 0.6 * i), written.update(g, 3.95, 0.6 * i)
        if i == 10:
            assert math.isnan(state.C) and not state.critical
    last = norms[-100:]
    alpha = min(max(diagnostics.hill(last).alpha, 1.1), 1.9)
    D = (last.std() / last[-1]) ** alpha
    assert state.alpha == pytest.approx(alpha)
    assert pytest.approx(last[-1] ** 2 / (2 * D * 7)) == state.C
    assert pytest.approx(state.C * 7 / 100) == plain.C  # the length of the window in place of d
    assert pytest.approx(0.05) == state.S and state.rate == pytest.approx(0.6)
    assert state.conditions[1:] == (True, True)
    assert state.phi == pytest.approx(diagnostics.criticality_phi(state.C, state.S, state.rate))


def test_all_three_conditions_and_phi():
    state = diagnostics.Criticality(1.0, 0.0, -1.0, 1.5, None, 1.0, (True, True, True))
    assert state.critical
    assert diagnostics.criticality_phi(1.0, 0.0, -1.0) == 1.0
    assert diagnostics.criticality_phi(1.3, 0.15, 1.5) == pytest.approx(math.exp(-1.5))


def test_ratio_moves_with_the_unit():
    assert diagnostics.levy_consolidation(6.0, 3.0, 1.5, 4) == pytest.approx(
        9.0 * diagnostics.levy_consolidation(2.0, 1.0, 1.5, 4)
    )
