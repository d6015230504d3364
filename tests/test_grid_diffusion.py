"""State-dependent noise on a one-dimensional grid: hitting times, stationary laws and spectra in closed form."""

import math
import warnings

import numpy as np
import pytest
from scipy.integrate import quad

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid, scale

MU, S = 0.5, 0.6


def growth(interpretation="ito"):
    return shld.Diffusion(lambda x, p: p[0] * x, lambda x, p: p[1] * x, params=(MU, S), interpretation=interpretation)


def plain_solver(*arguments):
    """Boxes here end where they must, not where the law does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return FokkerPlanck(*arguments)


def rate_of_growth(interpretation):
    """ln X has the drift mu - s^2/2 in the sense of Ito, mu in that of Stratonovich."""
    return MU - 0.5 * S**2 if interpretation == "ito" else MU


@pytest.mark.parametrize("interpretation", ["ito", "stratonovich"])
def test_geometric_brownian_motion(interpretation):
    rate = rate_of_growth(interpretation)
    exact_time = math.log(2.0) / rate
    # u(x) = x^e is harmonic
    e = -2.0 * rate / S**2
    errors, shares = [], []
    for n in (200, 400):
        fp = plain_solver(growth(interpretation), Grid(np.geomspace(1e-8, 4.0, n + 1)))
        errors.append(fp.mean_exit_time((0.0, 2.0), 1.0) / exact_time - 1.0)
        q, x = fp.committor((0.1, 0.5), (2.0, 3.0)), fp.grid.x
        inside = (x > 0.5) & (x < 2.0)
        shares.append(np.abs(q - (x**e - 0.5**e) / (2.0**e - 0.5**e))[inside].max())
    assert abs(errors[1]) < 1e-3
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)
    assert shares[0] < 5e-4 and shares[1] < 1.25e-4


def test_the_other_interpretation_is_another_process():
    """The planted error: Ito's equation read in the sense of Stratonovich is off by 36 %, a hundred times the tolerance."""
    fp = plain_solver(growth("stratonovich"), Grid(np.geomspace(1e-8, 4.0, 401)))
    time = fp.mean_exit_time((0.0, 2.0), 1.0)
    assert abs(time / (math.log(2.0) / rate_of_growth("ito")) - 1.0) > 0.3
    # and converting it changes nothing (the conversion differentiates numerically: 1e-8)
    converted = plain_solver(growth("stratonovich").to_ito(), fp.grid)
    assert converted.mean_exit_time((0.0, 2.0), 1.0) == pytest.approx(time, rel=1e-7)


def test_a_box_that_starts_where_the_noise_vanishes():
    """From (0, 4) nothing leaves at 0, which a geometric Brownian motion never reaches, whatever the boundary is called."""
    exact = math.log(2.0) / rate_of_growth("ito")
    for boundary in ("reflecting", "absorbing"):
        fp = plain_solver(growth(), Grid(0.0, 4.0, 400), boundary)
        assert fp.mean_exit_time((0.0, 2.0), 1.0) == pytest.approx(exact, rel=2e-4)
        assert fp.chain.rates.exit_left == 0.0


def test_multiplicative_ornstein_uhlenbeck():
    r"""dX = -lam X dt + s X dW_1 + sqrt(2 D0) dW_2: density ~ (D0 + s^2 x^2/2)^(-1 - lam/s^2), moments E X^n close."""
    lam, s, D0 = 1.0, 0.4, 0.3
    model = shld.Diffusion(lambda x, p: -p[0] * x, lambda x, p: (p[1] * x, p[2]), params=(lam, s, math.sqrt(2.0 * D0)))
    values = []
    for n in (800, 1600):
        fp = FokkerPlanck(model, Grid.stretched(-200.0, 200.0, n))
        values.append(fp.eigenvalues(5))
    x = fp.grid.x
    exact = (D0 + 0.5 * s**2 * x**2) ** (-1.0 - lam / s**2)
    # to the tolerance of the integral of b/a, and rounding of its sum
    np.testing.assert_allclose(fp.steady_state(), exact / fp.grid.integrate(exact), rtol=1e-11)
    # discrete eigenvalues n lam - n (n - 1) s^2/2 belong to polynomials that are square integrable: n < 1/2 + lam/s^2
    spectrum = [n * lam - 0.5 * n * (n - 1) * s**2 for n in range(5)]
    np.testing.assert_allclose((4 * values[1] - values[0]) / 3, spectrum, atol=2e-6)
    assert (np.abs(values[1] - spectrum)[1:] < 0.3 * np.abs(values[0] - spectrum)[1:]).all()


@pytest.mark.parametrize("kind", ["square root", "Jacobi"])
def test_spectra_of_polynomial_diffusions(kind):
    if kind == "square root":  # Cox, Ingersoll, Ross: dX = k (1 - X) dt + s sqrt(X) dW, eigenvalues n k
        model = shld.Diffusion(lambda x, p: p[0] * (1.0 - x), lambda x, p: p[1] * math.sqrt(x), params=(1.3, 0.7))
        box, exact = (0.0, 9.0), 1.3 * np.arange(5)
    else:  # dX = k (0.4 - X) dt + s sqrt(X (1 - X)) dW, eigenvalues n k + n (n - 1) s^2/2
        model = shld.Diffusion(
            lambda x, p: p[0] * (0.4 - x), lambda x, p: p[1] * math.sqrt(x * (1.0 - x)), params=(1.0, 0.5)
        )
        n = np.arange(5)
        box, exact = (0.0, 1.0), n + 0.125 * n * (n - 1)
    values = [FokkerPlanck(model, Grid(*box, n)).eigenvalues(5) for n in (100, 200, 400)]
    errors = [np.abs(v - exact)[1:] for v in values]
    np.testing.assert_allclose(np.log2(errors[1] / errors[2]), 2.0, atol=0.05)
    np.testing.assert_allclose((4 * values[2] - values[1]) / 3, exact, atol=3e-4)


def test_a_metric_keeps_the_gibbs_law_and_changes_the_times():
    V, D = shld.DoubleWell(), 0.1
    metric = lambda x, p: 1.0 / (1.0 + x * x)
    model = shld.Preconditioned(V, D, metric)
    exact = quad(
        lambda y: (
            np.exp(V(np.array(y)) / D)
            * (1.0 + y * y)
            / D
            * quad(lambda z: np.exp(-V(np.array(z)) / D), -3.0, y, epsabs=1e-14)[0]
        ),
        -1.0,
        0.0,
    )[0]
    errors = []
    for n in (200, 400):
        fp = FokkerPlanck(model, Grid(-2.5, 2.5, n))
        gibbs = np.exp(-V(fp.grid.x) / D)
        np.testing.assert_allclose(fp.steady_state(), gibbs / fp.grid.integrate(gibbs), rtol=1e-13)
        errors.append(fp.mean_exit_time((-np.inf, 0.0), -1.0) / exact - 1.0)
    assert abs(errors[1]) < 2e-4 and errors[0] / errors[1] == pytest.approx(4.0, rel=0.2)
    # planted: without the drift D M' the law is exp(-V/D)/M
    wrong = shld.Diffusion(
        lambda x, p: -(x**3 - x) / (1.0 + x * x), lambda x, p: math.sqrt(2.0 * p[0] / (1.0 + x * x)), params=(D,)
    )
    law = FokkerPlanck(wrong, fp.grid).steady_state()
    assert np.abs(law / fp.steady_state() - 1.0)[100:300].max() > 0.1
    biased = gibbs * (1.0 + fp.grid.x**2)
    np.testing.assert_allclose(law, biased / fp.grid.integrate(biased), rtol=1e-10)
    # and written out as a general model, its potential found by quadrature, it is the same chain
    general = shld.Diffusion(
        lambda x, p: -(x**3 - x) / (1.0 + x * x) - 2.0 * p[0] * x / (1.0 + x * x) ** 2,
        lambda x, p: math.sqrt(2.0 * p[0] / (1.0 + x * x)),
        params=(D,),
    )
    np.testing.assert_allclose(FokkerPlanck(general, fp.grid).eigenvalues(5), fp.eigenvalues(5), rtol=1e-9)


def test_a_drift_that_jumps():
    """Dry friction, dX = -sign(X) dt + dW: density exp(-2 |x|), exit from (-2, 2) after (e^4 - 5)/2."""
    model = shld.Diffusion(lambda x, p: -np.sign(x), lambda x, p: 1.0)
    fp = FokkerPlanck(model, Grid(-12.0, 12.0, 961))
    exact = np.exp(-2.0 * np.abs(fp.grid.x))
    np.testing.assert_allclose(fp.steady_state(), exact / fp.grid.integrate(exact), rtol=1e-10)
    assert fp.mean_exit_time((-2.0, 2.0), 0.0) == pytest.approx(0.5 * (math.exp(4.0) - 5.0), rel=1e-3)


def test_rings():
    """Noise and drift of one period: with constant a, the tilted ring of Langevin; a non-zero current."""
    a, tilt, D = 1.0, 0.7, 0.3  # V = -a cos(pi x) + tilt x
    langevin = FokkerPlanck(shld.Langevin(shld.Washboard(a, 2.0, tilt), D), Grid(-1.0, 1.0, 60), "periodic")
    slope = lambda x, p: -(p[0] * math.pi * math.sin(math.pi * x) + p[1])
    general = shld.Diffusion(slope, lambda x, p: math.sqrt(2.0 * p[2]), params=(a, tilt, D))
    ring = FokkerPlanck(general, langevin.grid, "periodic")
    np.testing.assert_allclose(ring.steady_state(), langevin.steady_state(), rtol=1e-10)
    stretched = shld.Preconditioned(shld.Washboard(a, 2.0), D, lambda x, p: 2.0 + x)
    with pytest.raises(ValueError, match="needs the same noise at both ends, got a = "):
        FokkerPlanck(stretched, langevin.grid, "periodic")


def test_integrals():
    f = lambda x: np.where(x < 0.3, 1.0, np.cos(x)) / np.sqrt(1.0 + 1e4 * x * x)
    exact = quad(f, -1.0, 0.3, points=[0.0], epsabs=1e-13)[0] + quad(f, 0.3, 2.0, epsabs=1e-13)[0]
    found = scale.integrals(f, np.array([-1.0, 2.0, 0.5]), np.array([2.0, -1.0, 0.5]))
    np.testing.assert_allclose(found, [exact, -exact, 0.0], rtol=1e-11)
    with pytest.raises(ValueError, match="pole near x = "):
        scale.integrals(lambda x: 1.0 / x, np.array([-1.0]), np.array([1.0]))  # although halves cancel


@pytest.mark.parametrize(
    ("model", "grid", "boundary", "match"),
    [
        (growth(), (-1.0, 1.0, 10), "reflecting", "noise must not vanish inside the box, got 0 at x = 0.0"),
        (growth(), (-1.0, 1.0, 11), "reflecting", "noise must not vanish inside the box, got 0 at x = 0.0"),
        (
            shld.Diffusion(lambda x, p: 1.0 - x, lambda x, p: math.sqrt(x)),
            (0.0, 4.0, 40),
            "absorbing",
            "noise vanishes at x = 0.0, where paths may arrive",
        ),
        (
            shld.Diffusion(lambda x, p: 1.0 / x, lambda x, p: 1.0),
            (-1.0, 1.0, 11),
            "reflecting",
            "drift must be finite in the box, got",
        ),
        (
            shld.Diffusion(lambda x, p: 1.0 / (x - 0.01), lambda x, p: 1.0),
            (-1.0, 1.0, 10),
            "reflecting",
            "got a pole near x = 0.0",
        ),
        (
            shld.Diffusion(lambda x, p: -x, lambda x, p: math.sqrt(x)),
            (-1.0, 1.0, 10),
            "reflecting",
            "noise must be finite in the box, got nan at x = -0.9",
        ),
        (shld.LabelNoise(shld.RescalingValley(), 0.1), (-1.0, 1.0, 10), "reflecting", "as many axes"),
    ],
)
def test_refusals(model, grid, boundary, match):
    with pytest.raises(ValueError, match=match):
        plain_solver(model, Grid(*grid), boundary)
