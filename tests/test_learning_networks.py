"""Networks: outputs, gradients and Hessians against slow twins and finite differences, and weights known from a paper."""

import pickle

import naive
import numpy as np
import pytest

import shld_sim as shld
from shld_sim import learning
from shld_sim.learning.networks import base

SQUARED, ENTROPY = learning.SquaredError(), learning.CrossEntropy()


def draw(n, slots, symbols, labels, seed=3):
    rng = np.random.default_rng(seed)
    return rng.integers(symbols, size=(n, slots)), rng.integers(labels, size=n)


# name -> network, inputs, targets
CASES = {
    "quadratic, squared": (learning.QuadraticNetwork(5, 6), *draw(9, 2, 5, 5)),
    "quadratic, scaled": (
        learning.QuadraticNetwork(5, 6, 3, loss_function=learning.SquaredError(4.0)),
        *draw(9, 2, 5, 3),
    ),
    "quadratic, entropy": (learning.QuadraticNetwork(5, 6, spread=3.0, loss_function=ENTROPY), *draw(9, 2, 5, 5)),
    "perceptron": (learning.Perceptron(5, 4, 3, (7,)), *draw(9, 2, 5, 4)),
    "perceptron, deep": (learning.Perceptron(4, 3, 2, (6, 5), slots=3, loss_function=SQUARED), *draw(9, 3, 4, 3)),
    "linear": (learning.Linear(4, 2, spread=1.0), *np.split(np.random.default_rng(1).normal(size=(9, 6)), [4], axis=1)),
    "linear, entropy": (
        learning.Linear(4, 3, spread=1.0, loss_function=ENTROPY),
        np.random.default_rng(1).normal(size=(9, 4)),
        draw(9, 1, 2, 3)[1],
    ),
    "product": (learning.Product(3), *np.random.default_rng(1).normal(size=(2, 9, 1))),
    "bowl": (learning.Bowl((1.0, 4.0)), np.empty((9, 0)), np.random.default_rng(1).normal(size=(9, 2))),
}


def slow_outputs(network, w, x):
    """Outputs for one example, the obvious way."""
    if isinstance(network, learning.QuadraticNetwork):
        return naive.quadratic_outputs(w["first"], w["second"], x)
    if isinstance(network, learning.Perceptron):
        return naive.perceptron_outputs(w, x)
    if isinstance(network, learning.Linear):
        return w["weight"] @ x
    if isinstance(network, learning.Product):
        return x * w["factors"][0] * w["factors"][1] * w["factors"][2]
    return np.array([w["theta"][0], 2.0 * w["theta"][1]])


def slow_loss(network, theta, x, y):
    """Loss of one example, for real or complex parameters."""
    f = slow_outputs(network, network.views(theta), x)
    if isinstance(network.loss_function, learning.CrossEntropy):
        return naive.cross_entropy(f, y)
    return naive.squared_loss(f, y, network.loss_function.scale)


def point(network):
    """Parameters away from anything special: rectifiers have biases."""
    rng = np.random.default_rng(5)
    return network.initial(2) + 0.3 * rng.standard_normal(network.n_parameters)


@pytest.fixture(params=CASES)
def case(request):
    network, x, y = CASES[request.param]
    return network, point(network), x, y


def test_outputs_and_losses(case):
    network, theta, x, y = case
    f = [slow_outputs(network, network.views(theta), row) for row in x]
    np.testing.assert_allclose(network.outputs(theta, x), f, rtol=1e-10, atol=1e-14)
    losses = [slow_loss(network, theta, *pair) for pair in zip(x, y)]
    np.testing.assert_allclose(network.losses(theta, x, y), losses, rtol=1e-10)
    assert network.loss(theta, x, y) == pytest.approx(np.mean(losses), rel=1e-12)


def test_gradients(case):
    network, theta, x, y = case
    each = np.array([naive.complex_step(lambda t, p=pair: slow_loss(network, t, *p), theta) for pair in zip(x, y)])
    size = np.abs(each).max()
    np.testing.assert_allclose(network.per_sample_gradients(theta, x, y), each, rtol=1e-10, atol=1e-13 * size)
    g = network.gradient(theta, x, y)
    np.testing.assert_allclose(g, each.mean(axis=0), rtol=1e-10, atol=1e-13 * size)
    loss, same = network.loss_and_gradient(theta, x, y)
    assert np.array_equal(same, g)
    assert loss == pytest.approx(network.loss(theta, x, y), rel=1e-13)
    mean, square = network.gradient_moments(theta, x, y)
    np.testing.assert_allclose(mean, g, rtol=1e-10, atol=1e-13 * size)
    assert square == pytest.approx((each**2).sum() / len(each), rel=1e-10)


def test_hessian(case):
    """Columns of the Hessian against central differences of the gradient, error of the order h^2; and it is symmetric."""
    network, theta, x, y = case
    unit, h = np.eye(theta.size), 1e-5
    H = np.array([network.hessian_vector_product(theta, e, x, y) for e in unit])
    size = np.abs(H).max()
    np.testing.assert_allclose(H, H.T, rtol=0, atol=1e-12 * size)
    rough = [(network.gradient(theta + h * e, x, y) - network.gradient(theta - h * e, x, y)) / (2 * h) for e in unit]
    np.testing.assert_allclose(H, rough, rtol=0, atol=1e-7 * size)


def test_blocks_do_not_show(case, monkeypatch):
    """Seven examples at a time, nine in one go: the same sums in another order."""
    network, theta, x, y = case
    whole = [f(theta, x, y) for f in (network.gradient, network.losses, network.per_sample_gradients)]
    v = np.random.default_rng(4).standard_normal(theta.size)
    whole.append(network.hessian_vector_product(theta, v, x, y))
    monkeypatch.setattr(base, "BLOCK", 7)
    parts = [f(theta, x, y) for f in (network.gradient, network.losses, network.per_sample_gradients)]
    parts.append(network.hessian_vector_product(theta, v, x, y))
    for one, other in zip(whole, parts):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13 * np.abs(one).max())


def test_a_wrong_gradient_is_found():
    """Dropping the factor 2 of the square is far outside the tolerance."""
    network, x, y = CASES["quadratic, squared"]
    theta = point(network)
    g = network.gradient(theta, x, y)
    wrong = g.copy()
    network.views(wrong)["first"][:] /= 2.0
    step, h = np.random.default_rng(0).standard_normal(theta.size), 1e-5
    rough = (network.loss(theta + h * step, x, y) - network.loss(theta - h * step, x, y)) / (2 * h)
    assert abs(g @ step - rough) < 1e-8 < 1e-3 < abs(wrong @ step - rough)


def test_views_write_through(case):
    network, theta, _, _ = case
    parts = network.views(theta)
    assert {name: part.shape for name, part in parts.items()} == network.shapes
    assert sum(part.size for part in parts.values()) == network.n_parameters
    for i, part in enumerate(parts.values()):
        part[:] = i
    assert np.array_equal(theta, np.repeat(np.arange(len(parts)), [part.size for part in parts.values()]))
    assert network.views(np.zeros((4, theta.size)))[next(iter(parts))].shape[0] == 4


def test_networks_are_values(case):
    network = case[0]
    assert pickle.loads(pickle.dumps(network)) == network
    assert np.array_equal(network.initial(1), network.initial(1))
    assert not np.array_equal(network.initial(1), network.initial(2))


@pytest.mark.parametrize("p", [7, 31])
def test_the_known_weights_add(p):
    """Gromov, arXiv:2301.02679, section 3: waves of every frequency, phases that add up; all p^2 sums are right."""
    network, task = learning.QuadraticNetwork(p, 500), learning.modular_addition(p)
    theta = network.addition_weights(1)
    for x, y in ((task.inputs, task.targets), (task.test_inputs, task.test_targets)):
        assert network.accuracy(theta, x, y) == 1.0
    # with one sign of a phase wrong nothing is in phase
    wrong = theta.copy()
    w = network.views(wrong)
    w["second"][:] = w["second"][::-1]
    assert network.accuracy(wrong, task.inputs, task.targets) < 0.5


def test_output_of_the_known_weights():
    """Mean over phases at the sum: A^3/2; A = 2^(1/3) makes it 1."""
    network = learning.QuadraticNetwork(5, 100)
    x, y = np.array([[2, 4]]), 1
    for A, expected in ((2.0 ** (1 / 3), 1.0), (2.0, 4.0)):
        found = [network.outputs(network.addition_weights(seed, A), x)[0, y] for seed in range(200)]
        assert abs(np.mean(found) - expected) < 5 * np.std(found) / np.sqrt(200)
        assert abs(np.mean(found) - 1.2 * expected) > 5 * np.std(found) / np.sqrt(200)


def test_product_is_the_rescaling_valley():
    V, network, task = shld.RescalingValley(), learning.Product(2), learning.noisy_product(3)
    theta = np.array([0.7, -1.9])
    assert network.loss(theta, task.inputs, task.targets) == pytest.approx(float(V(theta)), rel=1e-14)
    np.testing.assert_allclose(network.gradient(theta, task.inputs, task.targets), V.gradient(theta), rtol=1e-13)
    columns = [network.hessian_vector_product(theta, e, task.inputs, task.targets) for e in np.eye(2)]
    np.testing.assert_allclose(columns, V.hessian(theta), rtol=1e-13)


def test_least_squares():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    network = learning.Linear(4, 2)
    theta = network.least_squares(x, y)
    assert np.abs(network.gradient(theta, x, y)).max() < 1e-14
    theta = network.least_squares(x, y, ridge=0.3)
    np.testing.assert_allclose(network.gradient(theta, x, y), -0.3 * theta, atol=1e-14)
    # fewer examples than features: interpolation, and the shortest: in the span of the inputs
    theta = network.least_squares(x[:3], y[:3])
    assert network.loss(theta, x[:3], y[:3]) < 1e-28
    w, span = network.views(theta)["weight"], np.linalg.qr(x[:3].T)[0]
    np.testing.assert_allclose(w @ span @ span.T, w, atol=1e-13)


def test_cross_entropy_of_large_outputs():
    f, y = np.array([[1000.0, 0.0], [0.0, -1000.0]]), np.array([1, 0])
    assert ENTROPY.values(f, y).tolist() == [1000.0, 0.0]
    assert ENTROPY.slope(f.copy(), y).tolist() == [[1.0, -1.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(theta=np.zeros(3)), r"theta must have shape \(90,\), got \(3,\)"),
        (dict(x=np.zeros((2, 3), int)), r"inputs must be whole numbers of shape \(n, 2\)"),
        (dict(x=np.zeros((2, 2))), "inputs must be whole numbers .* got float64"),
        (dict(x=np.array([[0, 5]])), "inputs must be symbols from 0 to 4, got 0 to 5"),
        (dict(x=np.zeros((0, 2), int)), "inputs must have at least one row"),
        (dict(y=np.array([7, 0])), "targets must be labels from 0 to 4, got 0 to 7"),
        (dict(y=np.zeros((2, 4))), r"values of shape \(2, 5\), got float64 \(2, 4\)"),
    ],
)
def test_errors(change, message):
    network = learning.QuadraticNetwork(5, 6)
    given = dict(theta=np.zeros(90), x=np.zeros((2, 2), int), y=np.zeros(2, int)) | change
    with pytest.raises(ValueError, match=message):
        network.gradient(given["theta"], given["x"], given["y"])


def test_more_errors():
    with pytest.raises(ValueError, match="n_symbols must be at least 2, got 1"):
        learning.QuadraticNetwork(1)
    with pytest.raises(ValueError, match="hidden must name one layer"):
        learning.Perceptron(3, 3, hidden=())
    with pytest.raises(ValueError, match="curvatures must be positive, got -1"):
        learning.Bowl((1.0, -1.0))
    with pytest.raises(ValueError, match="n_outputs must be n_symbols = 5"):
        learning.QuadraticNetwork(5, 6, 3).addition_weights()
    with pytest.raises(ValueError, match="targets must be whole labels"):
        learning.QuadraticNetwork(5, 6, loss_function=ENTROPY).loss(
            np.zeros(90), np.zeros((2, 2), int), np.zeros((2, 5))
        )
    with pytest.raises(ValueError, match=r"v must have the shape of theta, \(2,\), got \(3,\)"):
        learning.Product().hessian_vector_product(np.ones(2), np.ones(3), np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(ValueError, match="theta must have 2 parameters on its last axis"):
        learning.Product().views(np.ones(3))
    with pytest.raises(ValueError, match="labels must be whole numbers"):
        learning.Product().accuracy(np.ones(2), np.ones((1, 1)), np.ones((1, 1)))
