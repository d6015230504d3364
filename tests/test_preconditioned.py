"""Langevin with a metric: kernels against slow twins, the Gibbs law kept, matrices, many dimensions, messages.

Tolerances are 5 standard errors; every statistical check rejects a planted error.
"""

import math
import os
import pickle

import naive
import numpy as np
import pytest
from scipy.integrate import quad

import shld_sim as shld

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))


def accepts_mean(values, exact):
    return abs(values.mean() - exact) <= 5.0 * values.std() / np.sqrt(len(values))


def values(function, x, params):
    """A model's drift at points x, in plain Python."""
    if x.shape[1] > 3:
        out = np.empty_like(x)
        for point, value in zip(x, out):
            function(point, value, params)
        return out
    return np.array([function(*map(float, point), params) for point in x]).reshape(x.shape)


# -- diagonal metrics -----------------------------------------------------------------------------------------------------


def metric(x, p):
    return 1.0 / (1.0 + p[0] * x * x)


def metric_slope(x, p):
    return -2.0 * p[0] * x / (1.0 + p[0] * x * x) ** 2


def settled(model, x0, n=20_000, dt=0.005, t_end=40.0):
    return shld.simulate(model, x0, dt, t_end=t_end, n_paths=n, seed=SEED).final


def test_the_metric_keeps_the_gibbs_law():
    """E x^2 by quadrature; the bias of the step, about dt/2 of it, is below a standard error (0.6 %)."""
    D, a = 0.5, 3.0
    V = shld.Harmonic(1.0)
    weight = lambda x, power: math.exp(-0.5 * x * x / D) * (1.0 + a * x * x) ** power
    moment = lambda power: (
        quad(lambda x: x * x * weight(x, power), -8, 8)[0] / quad(lambda x: weight(x, power), -8, 8)[0]
    )
    model = shld.Preconditioned(V, D, metric, (a,), derivative=metric_slope)
    assert moment(0) == pytest.approx(D)
    good = settled(model, 0.5)
    assert accepts_mean(good**2, D)
    # planted: without the drift D M' the law is e^(-V/D)/M
    bare = shld.Diffusion(
        lambda x, p: -x / (1.0 + p[0] * x * x), lambda x, p: np.sqrt(2.0 * p[1] / (1.0 + p[0] * x * x)), (a, D)
    )
    wrong = settled(bare, 0.5)
    assert not accepts_mean(wrong**2, D)
    assert accepts_mean(wrong**2, moment(1))
    # the derivative by differences
    x = np.linspace(-2.0, 2.0, 9)[:, None]
    by_differences = shld.Preconditioned(V, D, metric, (a,))
    expected = values(model.drift, x, model.params)
    np.testing.assert_allclose(values(by_differences.drift, x, model.params), expected, rtol=1e-7, atol=1e-8)
    m = metric(x, (a,))
    np.testing.assert_allclose(expected, -m * x + D * metric_slope(x, (a,)), rtol=1e-13)
    assert model.potential == V and repr(model).startswith(
        "Preconditioned(potential=Harmonic(k=1.0), D=0.5, metric_inv"
    )


def test_metrics_in_more_dimensions():
    """A metric of the other coordinate has no divergence; one of its own coordinate has."""
    V = shld.Potential(lambda x, y, p: 0.5 * x * x + y * y, lambda x, y, p: (x, 2.0 * y), dim=2)
    model = shld.Preconditioned(V, 0.5, lambda x, y, p: (1.0 / (1.0 + x * x), 1.0 + 0.5 * math.sin(x) ** 2))
    x = settled(model, [0.5, 0.5], t_end=15.0)
    assert accepts_mean(x[:, 0] ** 2, 0.5) and accepts_mean(x[:, 1] ** 2, 0.25)
    points = np.random.default_rng(SEED).normal(size=(50, 2))
    a, b = points.T
    m = np.stack([1.0 / (1.0 + a * a), 1.0 + 0.5 * np.sin(a) ** 2], -1)
    slope = np.stack([-2.0 * a / (1.0 + a * a) ** 2, 0.0 * b], -1)
    expected = -m * points * [1.0, 2.0] + 0.5 * slope
    np.testing.assert_allclose(values(model.drift, points, model.params), expected, rtol=1e-7, atol=1e-8)

    W = shld.Potential(lambda x, y, z, p: x * y * z, lambda x, y, z, p: (y * z, x * z, x * y), dim=3)
    model = shld.Preconditioned(W, 0.5, lambda x, y, z, p: (1.0 + x * x, 1.0 + y * y * z * z, math.exp(z)))
    points = np.random.default_rng(SEED).normal(size=(50, 3))
    a, b, c = points.T
    m, slope = np.stack([1 + a * a, 1 + (b * c) ** 2, np.exp(c)], -1), np.stack([2 * a, 2 * b * c * c, np.exp(c)], -1)
    expected = -m * np.stack([b * c, a * c, a * b], -1) + 0.5 * slope
    np.testing.assert_allclose(values(model.drift, points, model.params), expected, rtol=1e-7, atol=1e-7)


# -- matrices -------------------------------------------------------------------------------------------------------------


def turning(x, y, p):
    """The eigenvalues 1 and 0.2, in directions that turn with x + y."""
    c, s = 0.4 * math.cos(p[0] * (x + y)), 0.4 * math.sin(p[0] * (x + y))
    return (0.6 + c, s), (s, 0.6 - c)


def turning_divergence(x, y, p):
    c, s = 0.4 * p[0] * math.cos(p[0] * (x + y)), 0.4 * p[0] * math.sin(p[0] * (x + y))
    return c - s, c + s


def turning_on_arrays(x, q):
    c, s = 0.4 * np.cos(q * x.sum(axis=1)), 0.4 * np.sin(q * x.sum(axis=1))
    return np.stack([np.stack([0.6 + c, s], -1), np.stack([s, 0.6 - c], -1)], 1), q * np.stack([c - s, c + s], -1)


def swirling(x, y, z, p):
    """diag(1 + 0.3 x_i^2) + 0.2 u u^T with u = (sin y, cos z, sin x)."""
    u, v, w = math.sin(y), math.cos(z), math.sin(x)
    return (
        (1.0 + 0.3 * x * x + 0.2 * u * u, 0.2 * u * v, 0.2 * u * w),
        (0.2 * v * u, 1.0 + 0.3 * y * y + 0.2 * v * v, 0.2 * v * w),
        (0.2 * w * u, 0.2 * w * v, 1.0 + 0.3 * z * z + 0.2 * w * w),
    )


def swirling_on_arrays(x):
    u = np.stack([np.sin(x[:, 1]), np.cos(x[:, 2]), np.sin(x[:, 0])], -1)
    m = np.einsum("nd,de->nde", 1.0 + 0.3 * x * x, np.eye(3)) + 0.2 * u[:, :, None] * u[:, None, :]
    # div u = 0, so that (div u u^T)_i = (u . grad) u_i
    along = np.stack([u[:, 1] * np.cos(x[:, 1]), -u[:, 2] * np.sin(x[:, 2]), u[:, 0] * np.cos(x[:, 0])], -1)
    return m, 0.6 * x + 0.2 * along


def bowl(x, y, p):
    return 0.5 * x * x + y * y + 0.5 * x * y


def bowl_slope(x, y, p):
    return x + 0.5 * y, 2.0 * y + 0.5 * x


BOWL = shld.Potential(bowl, bowl_slope, dim=2)
CUBE = shld.Potential(
    lambda x, y, z, p: 0.25 * (x * x + y * y + z * z) ** 2 - x * y * z,
    lambda x, y, z, p: (
        (x * x + y * y + z * z) * x - y * z,
        (x * x + y * y + z * z) * y - x * z,
        (x * x + y * y + z * z) * z - x * y,
    ),
    dim=3,
)


@pytest.mark.parametrize(
    ("V", "metric", "params", "derivative", "on_arrays"),
    [
        (BOWL, turning, (0.7,), turning_divergence, lambda x: turning_on_arrays(x, 0.7)),
        (CUBE, swirling, (), None, swirling_on_arrays),
        # a potential that writes its gradient into a vector, though of two coordinates
        (shld.QuadraticForm([1.0, 2.0]), turning, (0.7,), None, lambda x: turning_on_arrays(x, 0.7)),
    ],
    ids=["2", "3", "vector 2"],
)
def test_steps_with_a_matrix_on_given_noise(V, metric, params, derivative, on_arrays):
    model = shld.Preconditioned(V, 0.3, metric, params, derivative=derivative)
    rng = np.random.default_rng(SEED)
    dW, x0 = math.sqrt(0.02) * rng.standard_normal((21, 131, V.dim)), rng.uniform(-1.0, 1.0, (131, V.dim))
    m, divergence = (lambda x: on_arrays(x)[0]), (lambda x: on_arrays(x)[1])
    expected = naive.preconditioned_path(V.gradient, m, divergence, 0.3, x0, 0.02, dW)
    run = shld.simulate(model, x0, 0.02, noise=dW, save_every=1)
    exact = derivative is not None  # differences: 1e-9 of the third derivative in each step
    np.testing.assert_allclose(run.x, expected, rtol=1e-10 if exact else 1e-7, atol=1e-12 if exact else 1e-8)
    without = naive.preconditioned_path(V.gradient, m, lambda x: 0.0 * x, 0.3, x0, 0.02, dW)
    assert np.abs(run.x - without).max() > 1e-3  # planted: no divergence


def test_the_equation_of_a_matrix_in_three_dimensions():
    """Drift and Cholesky factor as functions, also for a potential that writes its gradient into a vector."""
    x = np.random.default_rng(SEED).uniform(-1.5, 1.5, (20, 3))
    m, divergence = swirling_on_arrays(x)
    for V in (CUBE, shld.MexicanHat(3)):
        model = shld.Preconditioned(V, 0.3, swirling)
        expected = 0.3 * divergence - np.einsum("nij,nj->ni", m, V.gradient(x))
        np.testing.assert_allclose(values(model.drift, x, model.params), expected, rtol=1e-7, atol=1e-8)
        factors = np.array([model.noise(*map(float, point), model.params) for point in x])
        np.testing.assert_allclose(factors, math.sqrt(0.6) * np.linalg.cholesky(m), rtol=1e-13, atol=1e-15)


def test_a_matrix_keeps_the_gibbs_law():
    """Paths that begin in e^(-V/D), normal with covariance D H^-1, stay there, while the metric turns."""
    D, n, H = 0.5, 10_000, np.array([[1.0, 0.5], [0.5, 2.0]])
    covariance = D * np.linalg.inv(H)
    rng = np.random.default_rng(SEED)
    start = rng.multivariate_normal([0.0, 0.0], covariance, n)

    def kept(x):
        squares = [accepts_mean(x[:, i] * x[:, j], covariance[i, j]) for i, j in ((0, 0), (0, 1), (1, 1))]
        return [accepts_mean(x[:, 0], 0.0), accepts_mean(x[:, 1], 0.0), *squares]

    def after(diffusion):
        return shld.simulate(
            shld.Preconditioned(BOWL, diffusion, turning, (2.0,)), start, 0.01, t_end=2.0, seed=SEED
        ).final

    assert all(kept(after(D)))
    assert not all(kept(after(1.44 * D)))  # planted: noise times 1.2
    # planted: the divergence dropped, as if the metric did not depend on the place
    m = lambda x: turning_on_arrays(x, 2.0)[0]
    dW = 0.1 * rng.standard_normal((200, n, 2))
    dropped = kept(naive.preconditioned_path(lambda x: x @ H, m, lambda x: 0.0 * x, D, start, 0.01, dW)[-1])
    assert not dropped[0] and not dropped[1]


# -- above three dimensions -----------------------------------------------------------------------------------------------


def each(x, out, p):
    for i in range(x.shape[0]):
        out[i] = 1.0 / (1.0 + p[0] * x[i] * x[i])


def each_slope(x, out, p):
    for i in range(x.shape[0]):
        m = 1.0 / (1.0 + p[0] * x[i] * x[i])
        out[i] = -2.0 * p[0] * x[i] * m * m


@pytest.mark.parametrize("dim", [6, pytest.param(2000, marks=pytest.mark.slow)])  # 3 s: it compiles
def test_many_dimensions_on_given_noise(dim):
    rates = np.linspace(1.0, 2.0, dim)
    model = shld.Preconditioned(shld.QuadraticForm(rates), 0.3, each, (0.5,), derivative=each_slope)
    rng = np.random.default_rng(SEED)
    dW, x0 = math.sqrt(0.02) * rng.standard_normal((7, 11, dim)), rng.uniform(-1.0, 1.0, (11, dim))
    run = shld.simulate(model, x0, 0.02, noise=dW)
    x = x0
    for step in dW:
        m = 1.0 / (1.0 + 0.5 * x * x)
        x = x + (0.3 * (-x * m * m) - m * rates * x) * 0.02 + np.sqrt(2.0 * 0.3 * m) * step
    np.testing.assert_allclose(run.final, x, rtol=1e-10, atol=1e-13)
    if dim == 6:
        by_differences = shld.Preconditioned(shld.QuadraticForm(rates), 0.3, each, (0.5,))
        drifts = [values(each_way.drift, x0, model.params) for each_way in (model, by_differences)]
        np.testing.assert_allclose(*drifts, rtol=1e-7, atol=1e-9)


def test_the_gibbs_law_in_six_dimensions():
    D, n, rates = 0.5, 4000, np.linspace(1.0, 2.0, 6)
    rng = np.random.default_rng(SEED)
    start = rng.normal(size=(n, 6)) * np.sqrt(D / rates)
    kept = lambda x: [accepts_mean(x[:, i] ** 2, D / rates[i]) for i in range(6)]
    model = shld.Preconditioned(shld.QuadraticForm(rates), D, each, (1.0,), derivative=each_slope)
    assert all(kept(shld.simulate(model, start, 0.01, t_end=2.0, seed=SEED).final))
    # planted: no divergence
    m = lambda x: np.einsum("nd,de->nde", 1.0 / (1.0 + x * x), np.eye(6))
    dW = 0.1 * rng.standard_normal((200, n, 6))
    dropped = naive.preconditioned_path(lambda x: rates * x, m, lambda x: 0.0 * x, D, start, 0.01, dW)[-1]
    assert not any(kept(dropped))


# -- identity and messages ------------------------------------------------------------------------------------------------


def test_identity():
    plain = lambda x, y, p: (1.0 + x * x, 1.0)
    models = [
        shld.Preconditioned(BOWL, 0.3, turning, (0.7,)),
        shld.Preconditioned(BOWL, 0.3, turning, (0.8,)),
        shld.Preconditioned(BOWL, 0.4, turning, (0.7,)),
        shld.Preconditioned(BOWL, 0.3, turning, (0.7,), derivative=turning_divergence),
        shld.Preconditioned(shld.QuadraticForm([1.0, 2.0]), 0.3, turning, (0.7,)),
        shld.Preconditioned(shld.QuadraticForm(np.arange(1.0, 7.0)), 0.3, each, (0.7,)),
        shld.Preconditioned(BOWL, 0.3, plain),
    ]
    for model in models[:-1]:
        copy = pickle.loads(pickle.dumps(model))
        assert copy == model and hash(copy) == hash(model) and repr(copy) == repr(model)
        assert copy.digest() == model.digest() and copy.potential == model.potential
    assert len({model.digest() for model in models}) == len(set(models)) == len(models)
    assert [model.form for model in models[3:]] == ["rows", "rows", "diagonal", "diagonal"]
    assert repr(models[4]) == (
        "Preconditioned(potential=QuadraticForm(eigenvalues=[1.0, 2.0]), D=0.3, metric_inverse=turning, params=(0.7,))"
    )
    # the same matrix by another function
    again = lambda x, y, p: turning(x, y, p)
    assert shld.Preconditioned(BOWL, 0.3, again, (0.7,)) != models[0]
    other = models[0].to_stratonovich()
    assert other.interpretation == "stratonovich" and other.to_ito() is models[0]


def test_whole_numbers_in_a_matrix():
    model = shld.Preconditioned(BOWL, 0.5, lambda x, y, p: ((2, 1), (1, 2.0)))
    run = shld.simulate(model, [1.0, 0.0], 0.1, noise=[[[1.0, 1.0]]])
    # x - M grad V dt + L dW with L = ((sqrt 2, 0), (1/sqrt 2, sqrt(3/2)))
    expected = [1.0 - 0.1 * 2.5 + math.sqrt(2.0), -0.1 * 2.0 + math.sqrt(0.5) + math.sqrt(1.5)]
    np.testing.assert_allclose(run.final[0], expected, rtol=1e-14)


V1, V6 = shld.DoubleWell(), shld.QuadraticForm(np.ones(6))


def negative_fourth(x, out, p):
    for i in range(6):
        out[i] = 1.0 if i != 3 else -1.0


def ones(x, out, p):
    for i in range(6):
        out[i] = 1.0


WRONG = {
    "negative": (lambda: shld.Preconditioned(V1, 0.1, lambda x, p: -1.0), ["metric_inverse must be positive", "-1.0"]),
    "negative on the diagonal": (
        lambda: shld.Preconditioned(BOWL, 0.1, lambda x, y, p: (1.0, -x)),
        ["metric_inverse[1] must be positive", "-0.5", "x=[0.5, 0.5]"],
    ),
    "negative in six dimensions": (
        lambda: shld.Preconditioned(V6, 0.1, negative_fourth),
        ["metric_inverse[3] must be positive", "-1.0"],
    ),
    "not written": (
        lambda: shld.Preconditioned(V6, 0.1, lambda x, out, p: None),
        ["metric_inverse[0] must be positive", "nan"],
    ),
    "not symmetric": (
        lambda: shld.Preconditioned(BOWL, 0.1, lambda x, y, p: ((1.0, 0.2), (0.3, 1.0))),
        ["metric_inverse", "symmetric", "((1.0, 0.2), (0.3, 1.0))"],
    ),
    "not positive definite": (
        lambda: shld.Preconditioned(BOWL, 0.1, lambda x, y, p: ((1.0, 2.0), (2.0, 1.0))),
        ["metric_inverse", "positive definite", "((1.0, 2.0), (2.0, 1.0))"],
    ),
    "NaN in a matrix": (
        lambda: shld.Preconditioned(BOWL, 0.1, lambda x, y, p: ((math.nan, 0.0), (0.0, 1.0)), check_at=[1.0, 2.0]),
        ["metric_inverse", "nan", "x=[1.0, 2.0]"],
    ),
    "a number": (
        lambda: shld.Preconditioned(shld.MuellerBrown(), 0.1, lambda x, y, p: 1.0),
        ["metric_inverse", "a tuple of 2 numbers", "2 rows of 2 numbers", "1.0"],
    ),
    "two rows of three": (
        lambda: shld.Preconditioned(BOWL, 0.1, lambda x, y, p: ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))),
        ["metric_inverse", "2 rows of 2 numbers"],
    ),
    "scalars above three dimensions": (
        lambda: shld.Preconditioned(V6, 0.1, lambda x, p: 1.0),
        ["metric_inverse", "(x, out, p)", "dim=6"],
    ),
    "wrong derivative": (
        lambda: shld.Preconditioned(V1, 0.1, metric, (3.0,), derivative=lambda x, p: -metric_slope(x, p)),
        ["derivative disagrees", "metric_inverse", "x=[0.5]"],
    ),
    "derivative of the diagonal of a matrix": (
        lambda: shld.Preconditioned(
            BOWL, 0.1, lambda x, y, p: ((2.0, x), (x, 2.0 + y)), derivative=lambda x, y, p: (0.0, 1.0)
        ),
        ["derivative[1] disagrees", "got 1, expected 2"],
    ),
    "derivative of one number": (
        lambda: shld.Preconditioned(BOWL, 0.1, turning, (0.7,), derivative=lambda x, y, p: 0.0),
        ["derivative", "a tuple of 2 numbers"],
    ),
    "derivative not written": (
        lambda: shld.Preconditioned(V6, 0.1, ones, derivative=lambda x, out, p: None),
        ["derivative[0] disagrees", "got nan, expected 0"],
    ),
    "undefined at the point": (
        lambda: shld.Preconditioned(V1, 0.1, lambda x, p: math.sqrt(x - 1.0)),
        ["metric_inverse failed at x=[0.5]", "check_at="],
    ),
    "two points": (
        lambda: shld.Preconditioned(V1, 0.1, metric, (3.0,), check_at=[1.0, 2.0]),
        ["check_at", "one point", "[1.0, 2.0]"],
    ),
    "potential": (lambda: shld.Preconditioned(metric, 0.1, V1), ["potential must be a Potential"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_in_one_line(case):
    call, words = WRONG[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), str(caught.value)


def test_another_point_to_check_at():
    model = shld.Preconditioned(V1, 0.1, lambda x, p: math.sqrt(x - 1.0), check_at=2.0)
    assert "check_at=[2.0]" in repr(model)
