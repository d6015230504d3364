"""General diffusions on a grid of two axes: positive rates, Ito's form, closed forms of the linear equation, simulation."""

import math
import os
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.stats import chi2

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid, oblique

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))

# dX = -M X dt + B dW: rotation, correlated noise
M = np.array([[1.0, 1.5], [-1.5, 0.7]])
B = np.array([[1.0, 0.0], [0.5, 0.8]])


def linear():
    return shld.Diffusion(
        lambda x, y, p: (-x - p[0] * y, p[0] * x - 0.7 * y), lambda x, y, p: ((1.0, 0.0), (0.5, 0.8)), (1.5,), dim=2
    )


def plane(n):
    return Grid((-4.5, 4.5, n), (-4.0, 4.0, n))


# -- the decomposition ----


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(0.0, math.pi), st.floats(0.0, 1.9), st.floats(-6.0, 6.0))
def test_selling(angle, decades, size):
    c, s = math.cos(angle), math.sin(angle)
    R = np.array([[c, -s], [s, c]])
    A = 10.0**size * R @ np.diag([1.0, 10.0**-decades]) @ R.T
    A = 0.5 * (A + A.T)
    offsets, rho = oblique.selling(A[None])
    assert np.isfinite(rho).all() and (rho >= 0.0).all()
    made = np.einsum("k,ki,kj->ij", rho[0], offsets[0], offsets[0])
    np.testing.assert_allclose(made, A, atol=1e-12 * np.trace(A))
    # an obtuse superbase has |e|^2 bounded by the ratio of the eigenvalues
    assert (np.abs(offsets[0][rho[0] > 1e-13 * np.trace(A)]) ** 2).sum(axis=1).max(
        initial=0
    ) <= 2.0 * 10.0**decades + 2.0


def test_diagonal_and_singular_matrices():
    A = np.array(
        [[[2.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]], [[4.0, 2.0], [2.0, 1.0]]]
    )
    offsets, rho = oblique.decompose(A, np.zeros((4, 2)))
    np.testing.assert_allclose(np.einsum("nk,nki,nkj->nij", rho, offsets, offsets), A, atol=1e-14)
    assert ((rho > 1e-12).sum(axis=1) == [1, 1, 0, 1]).all()


def test_matrices_that_are_too_one_sided_are_clipped_with_a_warning():
    e = np.array([1.0, math.sqrt(3.0)])
    A = np.array([np.eye(2), np.outer(e, e)])
    expected = r"at 1 of 2 cells the noise is too one-sided .*reduced, by 0.3% at most, at x = \[3.0, 4.0\]"
    with pytest.warns(UserWarning, match=expected):
        offsets, rho = oblique.decompose(A, np.array([[0.0, 0.0], [3.0, 4.0]]))
    made = np.einsum("nk,nki,nkj->nij", rho, offsets, offsets)
    np.testing.assert_allclose(made[0], A[0], atol=1e-14)
    assert np.abs(offsets).max() <= oblique.REACH
    np.testing.assert_allclose(np.diag(made[1]), np.diag(A[1]), rtol=1e-12)  # the strength of either coordinate is kept
    assert 0.0 < 1.0 - made[1, 0, 1] / A[1, 0, 1] < 0.02


coefficient = st.floats(-2.0, 2.0)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.lists(coefficient, min_size=10, max_size=10),
    st.sampled_from(["reflecting", "absorbing", "periodic", ("reflecting", "absorbing")]),
    st.floats(-3.0, 2.0),
)
def test_positive_and_conserving(c, boundary, exponent):
    """Any coefficients with the period of the box: rates are non-negative, mass is kept or leaves, densities are positive."""

    def drift(x, y, p):
        return p[0] * math.cos(x) + p[1] * math.sin(y), p[2] * math.sin(x - y) + p[3]

    def noise(x, y, p):
        return (p[4] + p[5] * math.sin(x), p[6]), (p[7] * math.cos(y), p[8] + p[9] * math.sin(x + y))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # matrices are clipped at random
        model = shld.Diffusion(drift, noise, tuple(c), dim=2)
        fp = FokkerPlanck(model, Grid((-math.pi, math.pi, 13), (-math.pi, math.pi, 11)), boundary)
    L = fp.generator.toarray()
    assert (L - np.diag(np.diag(L)) >= 0.0).all()
    columns = L.sum(axis=0)
    assert (columns <= 1e-12 * np.abs(L).max()).all()
    if fp.chain.conserving:
        np.testing.assert_allclose(columns, 0.0, atol=1e-12 * max(np.abs(L).max(), 1e-300))
    p = fp.propagate((0.3, -0.2), 10.0**exponent)
    assert (p >= 0.0).all()
    assert fp.grid.integrate(p) <= 1.0 + 1e-10
    exact = (expm(L * 10.0**exponent) @ (fp.propagate((0.3, -0.2), 0.0) * fp.grid.volumes).ravel()).reshape(p.shape)
    np.testing.assert_allclose(p * fp.grid.volumes, exact, atol=1e-8)


# -- the linear equation ----


def test_rotating_ornstein_uhlenbeck_process():
    """Stationary covariance by Lyapunov's equation, sums of eigenvalues of M, current -(M - A C^-1) x pi: second order."""
    A = 0.5 * B @ B.T
    C = solve_continuous_lyapunov(M, B @ B.T)
    mu = np.linalg.eigvals(M)
    spectrum = np.array([0.0, *sorted(mu, key=lambda z: z.imag), mu.sum(), *sorted(2.0 * mu, key=lambda z: z.imag)])
    errors = []
    for n in (40, 80):
        fp = FokkerPlanck(linear(), plane(n))
        p, x = fp.steady_state(), fp.grid.points
        covariance = np.array([[fp.mean(p, x[..., i] * x[..., j]) for i in (0, 1)] for j in (0, 1)])
        exact = np.exp(-0.5 * np.einsum("abi,ij,abj->ab", x, np.linalg.inv(C), x))
        exact /= 2.0 * math.pi * math.sqrt(np.linalg.det(C))
        current = np.einsum("ij,abj->abi", A @ np.linalg.inv(C) - M, x) * exact[..., None]
        found = fp.eigenvalues(6)
        distance = np.abs(found[:, None] - spectrum).min(axis=0)
        errors.append(
            [
                np.abs(covariance - C).max() / C.max(),
                np.abs(p - exact).max() / exact.max(),
                np.abs(fp.current(p) - current).max() / np.abs(current).max(),
                distance[1],
                distance[3],
            ]
        )
        assert found[0] == 0.0
    errors = np.array(errors)
    assert (errors[1] < [0.02, 0.02, 0.03, 1e-4, 0.06]).all()
    ratio = errors[0] / errors[1]
    np.testing.assert_allclose(ratio[:3], 4.0, rtol=0.1)
    np.testing.assert_allclose(ratio[4], 4.0, rtol=0.25)
    # planted: without the rotation the current vanishes and the covariance is another
    still = shld.Diffusion(lambda x, y, p: (-x, -0.7 * y), lambda x, y, p: ((1.0, 0.0), (0.5, 0.8)), dim=2)
    p = FokkerPlanck(still, plane(80)).steady_state()
    assert abs(fp.mean(p, x[..., 0] * x[..., 1]) - C[0, 1]) > 5.0 * errors[1, 0] * C.max()


def test_mean_and_variance_in_time():
    fp = FokkerPlanck(linear(), plane(100))
    x0, t = np.array([1.2, -0.4]), 0.8
    p, x = fp.propagate(x0, t), fp.grid.points
    mean = np.array([fp.mean(p, x[..., i]) for i in (0, 1)])
    np.testing.assert_allclose(mean, expm(-M * t) @ x0, atol=2e-4)  # the drift is exact in the mean, away from the ends
    C = solve_continuous_lyapunov(M, B @ B.T)
    exact = C - expm(-M * t) @ C @ expm(-M * t).T
    found = np.array([[fp.mean(p, x[..., i] * x[..., j]) - mean[i] * mean[j] for i in (0, 1)] for j in (0, 1)])
    np.testing.assert_allclose(found, exact, atol=0.02 * exact.max())  # relative s^2/12, s = |w| dx = 0.5 along the way


# -- Ito and Stratonovich ----


def growth(interpretation="ito"):
    """Two assets with one source of noise in common; ln X is Gaussian."""
    return shld.Diffusion(
        lambda x, y, p: (0.1 * x, -0.2 * y),
        lambda x, y, p: ((0.4 * x, 0.0), (0.2 * y, 0.3 * y)),
        dim=2,
        interpretation=interpretation,
    )


def test_correlated_geometric_brownian_motion():
    """E X_i = x_i exp(mu_i t), E XY = x y exp((mu_1 + mu_2 + rho) t), rho = 0.4 * 0.2; Stratonovich: mu + |row|^2/2."""
    grid, t = Grid((0.0, 4.0, 120), (0.0, 4.0, 120)), 0.5
    for interpretation, shift in (("ito", (0.0, 0.0)), ("stratonovich", (0.08, 0.065))):
        with pytest.warns(UserWarning, match="too one-sided"):  # next to the axes, where nobody is
            fp = FokkerPlanck(growth(interpretation), grid)
        p, x, y = fp.propagate((1.0, 1.2), t), grid.points[..., 0], grid.points[..., 1]
        rates = 0.1 + shift[0], -0.2 + shift[1]
        exact = math.exp(rates[0] * t), 1.2 * math.exp(rates[1] * t), 1.2 * math.exp((sum(rates) + 0.08) * t)
        np.testing.assert_allclose([fp.mean(p, f) for f in (x, y, x * y)], exact, rtol=1e-3)
        other = 1.0 * math.exp((0.1 + 0.08 - shift[0]) * t)
        assert abs(fp.mean(p, x) / other - 1.0) > 0.03


def spread(model, t, bins):
    """Return counts of 20 000 simulated paths in coarse bins."""
    run = shld.simulate(model, x0=[1.0, 1.2], dt=0.005, t_end=t, n_paths=20_000, seed=SEED)
    return np.histogram2d(*run.final.T, bins=bins)[0].ravel()


@pytest.mark.parametrize("interpretation", ["ito", "stratonovich"])
def test_histogram_of_simulated_paths(interpretation):
    """Chi-square at a false-alarm rate of 1e-6; the other interpretation fails. Bias of grid and step: below 1 % a bin."""
    t, grid = 0.5, Grid((0.0, 4.0, 120), (0.0, 4.0, 120))
    edges = np.array(
        [0.0, 0.7, 0.9, 1.1, 1.4, 6.0]
    )  # edges of cells: multiples of 1/30, hence whole cells in every bin
    counts = spread(growth(interpretation), t, [edges, edges])

    def statistic(kind):
        with pytest.warns(UserWarning, match="too one-sided"):
            fp = FokkerPlanck(growth(kind), grid)
        p = fp.propagate((1.0, 1.2), t) * grid.volumes
        cuts = np.round(edges * 30).astype(int)
        expected = np.add.reduceat(np.add.reduceat(p, cuts[:-1], axis=0), cuts[:-1], axis=1).ravel() * counts.sum()
        return float(((counts - expected) ** 2 / expected).sum())

    assert statistic(interpretation) < chi2.isf(1e-6, 24)
    assert statistic("stratonovich" if interpretation == "ito" else "ito") > chi2.isf(1e-6, 24)


# -- a metric ----


def valley():
    return shld.Potential(
        energy=lambda x, y, p: 0.25 * (x * x - 1.0) ** 2 + 0.5 * (y - 0.5 * x) ** 2,
        gradient=lambda x, y, p: (x * (x * x - 1.0) - 0.5 * (y - 0.5 * x), y - 0.5 * x),
        dim=2,
    )


def metric(x, y, p):
    return 1.0 / (1.0 + x * x), 0.5 + y * y


def test_a_metric_keeps_the_gibbs_law():
    V, D = valley(), 0.2
    fp = FokkerPlanck(shld.Preconditioned(V, D, metric), Grid((-2.5, 2.5, 60), (-3.5, 3.5, 60)))
    gibbs = np.exp(-V(fp.grid.points) / D)
    np.testing.assert_allclose(fp.steady_state(), gibbs / fp.grid.integrate(gibbs), rtol=1e-12)
    assert np.isrealobj(fp.eigenvalues(3)) and fp.chain.reversible
    # the same equation written out, in Ito's form: the law and the gap agree to second order
    general = shld.Diffusion(
        lambda x, y, p: (
            -(x * (x * x - 1.0) - 0.5 * (y - 0.5 * x)) / (1.0 + x * x) - 0.4 * x / (1.0 + x * x) ** 2,
            -(0.5 + y * y) * (y - 0.5 * x) + 0.4 * y,
        ),
        lambda x, y, p: (math.sqrt(0.4 / (1.0 + x * x)), math.sqrt(0.4 * (0.5 + y * y))),
        dim=2,
        diagonal=True,
    )
    gaps, laws = [], []
    for n in (30, 60):
        grid = Grid((-2.5, 2.5, n), (-3.5, 3.5, n))
        other = FokkerPlanck(general, grid)
        weights = np.exp(-V(grid.points) / D)
        laws.append(np.abs(other.steady_state() - weights / grid.integrate(weights)).max())
        gaps.append(
            abs(other.eigenvalues(2)[1] / FokkerPlanck(shld.Preconditioned(V, D, metric), grid).eigenvalues(2)[1] - 1.0)
        )
    assert laws[1] < 0.02 and laws[0] / laws[1] > 3.0
    assert gaps[1] < 0.02 and gaps[0] / gaps[1] > 2.5


# -- boundaries ----


def test_oblique_noise_and_absorbing_ends():
    """Brownian motion on a ring in y leaves |x| < 1 after (1 - x^2) / (2 A_11), whatever y does in the meantime."""
    model = shld.Diffusion(lambda x, y, p: (0.0, 0.0), lambda x, y, p: ((1.0, 0.0), (0.8, 0.6)), dim=2)
    fp = FokkerPlanck(model, Grid((-1.0, 1.0, 40), (0.0, 1.0, 20)), ["absorbing", "periodic"])
    x = fp.grid.axes[0]
    exact = np.repeat((1.0 - x**2)[:, None], 20, axis=1)
    found = fp.mean_exit_time(None)
    np.testing.assert_allclose(found, exact, atol=2e-3)
    free = FokkerPlanck(model, Grid((-2.0, 2.0, 80), (0.0, 1.0, 20)), ["reflecting", "periodic"])
    strip = shld.Box([-1.0, -np.inf], [1.0, np.inf])
    np.testing.assert_allclose(free.mean_exit_time(strip)[20:60], exact, atol=2e-3)


def test_uniform_law_between_reflecting_ends():
    """Driftless noise with constant A keeps the uniform law, also with oblique jumps at the walls."""
    model = shld.Diffusion(lambda x, y, p: (0.0, 0.0), lambda x, y, p: ((1.0, 0.0), (0.8, 0.6)), dim=2)
    fp = FokkerPlanck(model, Grid((0.0, 1.0, 20), (0.0, 2.0, 25)))
    np.testing.assert_allclose(fp.steady_state(), 0.5, rtol=1e-12)


def test_drift_without_noise_is_upwind():
    """dX = dt, dY = dW: the error of first order is announced, the mean is right."""
    model = shld.Diffusion(lambda x, y, p: (1.0, 0.0), lambda x, y, p: ((0.0,), (0.5,)), dim=2)
    with pytest.warns(UserWarning, match=r"at 800 of 800 cells, the first at x = .*upwind there"):
        fp = FokkerPlanck(model, Grid((0.0, 4.0, 40), (-2.0, 2.0, 20)))
    p = fp.propagate((1.05, 0.1), 1.0)
    assert fp.mean(p, lambda z: z[..., 0]) == pytest.approx(2.05, abs=1e-6)
    variance = fp.mean(p, lambda z: z[..., 0] ** 2) - 2.05**2
    assert variance == pytest.approx(0.1, rel=1e-4)  # t dx: what upwinding adds


@pytest.mark.parametrize(
    ("model", "grid", "boundary", "match"),
    [
        (linear(), Grid(np.linspace(0.0, 1.0, 11), (0.0, 1.0, 10)), "reflecting", "axes of equal cells"),
        (linear(), Grid((0.0, 1.0, 30), (0.0, 1.0, 30)), "periodic", "needs a drift of period 1.0 in coordinate 0"),
        (
            shld.Diffusion(lambda x, y, p: (1.0 / x, 0.0), lambda x, y, p: (1.0, 1.0), dim=2, diagonal=True),
            Grid((-1.0, 1.0, 11), (0.0, 1.0, 10)),
            "reflecting",
            "drift must be finite in the box",
        ),
        (
            shld.Diffusion(
                lambda x, y, z, p: (-x, -y, -z),
                lambda x, y, z, p: ((1.0, 0.5, 0.0), (0.5, 1.0, 0.0), (0.0, 0.0, 1.0)),
                dim=3,
            ),
            Grid((-1.0, 1.0, 5), (-1.0, 1.0, 5), (-1.0, 1.0, 5)),
            "reflecting",
            "must not be correlated in 3 dimensions",
        ),
    ],
)
def test_refusals(model, grid, boundary, match):
    with pytest.raises(ValueError, match=match):
        FokkerPlanck(model, grid, boundary)


def test_independent_coordinates_in_three_dimensions():
    model = shld.Diffusion(
        lambda x, y, z, p: (-x, -2.0 * y, -3.0 * z), lambda x, y, z, p: (1.0, 1.0, 1.0), dim=3, diagonal=True
    )
    fp = FokkerPlanck(model, Grid((-3.0, 3.0, 24), (-2.0, 2.0, 20), (-2.0, 2.0, 20)))
    p = fp.propagate((0.5, 0.5, 0.5), 0.3)
    means = [fp.mean(p, lambda u, i=i: u[..., i]) for i in range(3)]
    np.testing.assert_allclose(means, 0.5 * np.exp(-0.3 * np.array([1.0, 2.0, 3.0])), atol=2e-3)
