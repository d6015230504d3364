"""Label noise: the Euler step is the chain of stochastic gradient descent, for any residual; what it conserves.

Tolerances are rounding; every check rejects a planted error.
"""

import math
import os
import pickle
import re

import naive
import numpy as np
import pytest

import shld_sim as shld

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))


def test_each_step_of_label_noise_shrinks_the_imbalance():
    """x' = x - h r y, y' = y - h r x: (x^2 - y^2)' = (x^2 - y^2)(1 - h^2 r^2) with r = f + e xi, to rounding."""
    h, e = 0.05, 0.5
    xi = np.random.default_rng(SEED).standard_normal((200, 50))
    model = shld.LabelNoise(shld.RescalingValley(), e * math.sqrt(h))
    # W falls where the label rises: s dW = -e h xi
    run = shld.simulate(model, [2.0, 0.4], h, noise=-math.sqrt(h) * xi, save_every=1)
    x, y = run.x[..., 0], run.x[..., 1]
    r = (x * y - 1.0)[:-1] + e * xi
    imbalance = x**2 - y**2
    size = (x**2 + y**2)[:-1]
    step = imbalance[1:] - imbalance[:-1] * (1.0 - h * h * r * r)
    assert np.abs(step / size).max() < 1e-14
    assert not np.abs((imbalance[1:] - imbalance[:-1] * (1.0 - h * r * r)) / size).max() < 1e-14  # planted: power of h
    assert (np.abs(imbalance[-1]) < np.abs(imbalance[0])).all()
    # the chain, by hand
    u = np.array([2.0, 0.4])
    for k in range(200):
        u = u - h * (u[0] * u[1] - 1.0 + e * xi[k, 0]) * u[::-1]
    np.testing.assert_allclose(run.final[0], u, rtol=1e-10)


def test_label_noise_as_an_equation():
    """d(x^2 - y^2) = -s^2 (x^2 - y^2) dt without noise of its own (Ito): it decays as e^(-s^2 t) on every path."""
    s, t = 0.5, 2.0
    model = shld.LabelNoise(shld.RescalingValley(), s)
    gaps = []
    for dt in (4e-3, 1e-3):
        x = shld.simulate(model, [1.5, 0.5], dt, t_end=t, n_paths=2000, seed=SEED).final
        gaps.append(np.sqrt((((x[:, 0] ** 2 - x[:, 1] ** 2) / 2.0 - math.exp(-s * s * t)) ** 2).mean()))
    assert gaps[1] < 0.65 * gaps[0] and gaps[1] < 0.02  # the fluctuation of a sum of s^2 dW^2: order 1/2
    heun = shld.simulate(model.to_stratonovich(), [1.5, 0.5], 4e-3, t_end=t, n_paths=2000, seed=SEED).final
    np.testing.assert_allclose(heun[:, 0] ** 2 - heun[:, 1] ** 2, 2.0 * math.exp(-s * s * t), rtol=0.02)


# -- residuals of every form ----------------------------------------------------------------------------------------------


def product(x, y, z, p):
    return x * y * z - p[0]


def product_slope(x, y, z, p):
    return y * z, x * z, x * y


def pairs(x, p):
    """Two layers of three weights each, of which the products add up to one number."""
    return x[0] * x[3] + x[1] * x[4] + x[2] * x[5] - p[0]


def pairs_slope(x, out, p):
    for i in range(6):
        out[i] = x[(i + 3) % 6]


RESIDUALS = {
    "one": (
        shld.Potential.from_residual(lambda x, p: math.sin(p[0] * x), lambda x, p: p[0] * math.cos(p[0] * x), (2.0,)),
        lambda x: np.sin(2.0 * x[:, 0]),
        lambda x: 2.0 * np.cos(2.0 * x),
    ),
    "two": (
        shld.Potential.from_residual(lambda x, y, p: x * y - 1.0, lambda x, y, p: (y, x), dim=2),
        lambda x: x[:, 0] * x[:, 1] - 1.0,
        lambda x: x[:, ::-1],
    ),
    "three": (
        shld.Potential.from_residual(product, product_slope, (1.0,), dim=3),
        lambda x: x.prod(axis=1) - 1.0,
        lambda x: np.stack([x[:, 1] * x[:, 2], x[:, 0] * x[:, 2], x[:, 0] * x[:, 1]], -1),
    ),
    "six": (
        shld.Potential.from_residual(pairs, pairs_slope, (1.5,), dim=6),
        lambda x: (x[:, :3] * x[:, 3:]).sum(axis=1) - 1.5,
        lambda x: np.roll(x, 3, axis=1),
    ),
}


@pytest.mark.parametrize("which", RESIDUALS)
def test_the_euler_step_is_the_chain(which):
    V, f, slope = RESIDUALS[which]
    h, e, n = 0.05, 0.4, 131
    rng = np.random.default_rng(SEED)
    x0, xi = rng.uniform(0.5, 1.5, (n, V.dim)), rng.standard_normal((40, n))
    model = shld.LabelNoise(V, e * math.sqrt(h))
    start = x0[:, 0] if V.dim == 1 else x0
    run = shld.simulate(model, start, h, noise=-math.sqrt(h) * xi, save_every=1)
    x = run.x[..., None] if V.dim == 1 else run.x
    expected = naive.label_noise_chain(f, slope, x0, h, e * xi)
    np.testing.assert_allclose(x, expected, rtol=1e-10, atol=1e-12)
    for planted in (1.2 * e * xi, e * math.sqrt(h) * xi, -e * xi):
        assert np.abs(x - naive.label_noise_chain(f, slope, x0, h, planted)).max() > 1e-3
    if which != "six":
        return
    # the noise that simulate draws: one number a step, also where the state has many
    own = shld.simulate(model, start, h, n_steps=9, seed=SEED).final
    z = naive.noise(naive.Streams.of(SEED, np.arange(n)), "normal", 9, 1)[..., 0]
    np.testing.assert_allclose(own, naive.label_noise_chain(f, slope, x0, h, -e * z)[-1], rtol=1e-9, atol=1e-11)


def test_imbalances_of_three_layers():
    """x^2 - y^2 of x y z = 1 is multiplied by 1 - h^2 r^2 z^2 in a step, likewise for the other pairs."""
    h, e = 0.05, 0.4
    xi = np.random.default_rng(SEED).standard_normal((100, 30))
    model = shld.LabelNoise(RESIDUALS["three"][0], e * math.sqrt(h))
    x = shld.simulate(model, [1.8, 1.0, 0.5], h, noise=-math.sqrt(h) * xi, save_every=1).x
    r = (x.prod(axis=-1) - 1.0)[:-1] + e * xi
    size = (x**2).sum(axis=-1)[:-1]
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        gap = x[..., i] ** 2 - x[..., j] ** 2
        shrunk = lambda power, gap=gap, k=k: gap[:-1] * (1.0 - h**power * r * r * x[:-1, :, k] ** 2)
        assert np.abs((gap[1:] - shrunk(2)) / size).max() < 1e-13
        assert not np.abs((gap[1:] - shrunk(1)) / size).max() < 1e-13  # planted: power of h


def test_one_residual_two_ways():
    """The valley of the library and the same residual typed in make the same paths."""
    options = dict(x0=[2.0, 0.4], dt=0.05, n_steps=50, n_paths=20, seed=SEED)
    ours = shld.simulate(shld.LabelNoise(shld.RescalingValley(), 0.1), **options).final
    own = shld.simulate(shld.LabelNoise(RESIDUALS["two"][0], 0.1), **options).final
    np.testing.assert_allclose(own, ours, rtol=1e-12)


# -- the potential f^2/2 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", RESIDUALS)
def test_the_potential(which):
    V, f, slope = RESIDUALS[which]
    x = np.random.default_rng(SEED).uniform(-1.5, 1.5, (7, V.dim))
    public = x[:, 0] if V.dim == 1 else x
    np.testing.assert_allclose(V(public), 0.5 * f(x) ** 2, rtol=1e-13)
    np.testing.assert_allclose(V.gradient(public).reshape(x.shape), f(x)[:, None] * slope(x), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(V.residual(public), f(x), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(V.residual.gradient(public).reshape(x.shape), slope(x), rtol=1e-13)
    assert shld.LabelNoise(V, 0.1).potential is V and V.dim == x.shape[1]
    # Hessian grad f grad f^T + f Hess f: where f = 0 the first alone
    root = {"one": np.zeros(1), "two": np.ones(2), "three": np.ones(3), "six": np.full(6, math.sqrt(0.5))}[which]
    g = slope(root[None])[0]
    hessian = V.hessian(root[0] if V.dim == 1 else root)
    np.testing.assert_allclose(np.reshape(hessian, (V.dim, V.dim)), np.outer(g, g), rtol=1e-7, atol=1e-7)


def test_the_potential_in_langevin(tmp_path):
    V = RESIDUALS["three"][0]
    model = shld.Langevin(V, 0.1)
    run = shld.simulate(model, [1.0, 1.0, 1.0], 0.01, n_steps=5, seed=SEED)
    run.save(tmp_path / "run.npz")
    assert shld.Ensemble.load(tmp_path / "run.npz", model).model == model
    with pytest.raises(ValueError, match=r"model= is needed.*Potential.from_residual\(residual=product"):
        shld.Ensemble.load(tmp_path / "run.npz")


def test_identity():
    V = shld.Potential.from_residual(product, product_slope, (1.0,), dim=3)
    other = shld.Potential.from_residual(product, product_slope, (2.0,), dim=3)
    checked = shld.Potential.from_residual(product, product_slope, (1.0,), dim=3, check_at=[0.0, 1.0, 2.0])
    assert V == checked != other and hash(V) == hash(checked)
    text = "Potential.from_residual(residual=product, gradient=product_slope, params=(1.0,), dim=3"
    assert repr(V) == text + ")" and repr(checked) == text + ", check_at=[[0.0, 1.0, 2.0]])"
    six = shld.Potential.from_residual(pairs, pairs_slope, (1.5,), dim=6)
    for potential in (V, other, checked, six):
        copy = pickle.loads(pickle.dumps(potential))
        assert copy == potential and repr(copy) == repr(potential) and copy.residual == potential.residual
    models = [shld.LabelNoise(p, s) for p in (V, other, six, shld.RescalingValley()) for s in (0.1, 0.2)]
    for model in models:
        copy = pickle.loads(pickle.dumps(model))
        assert copy == model and hash(copy) == hash(model) and repr(copy) == repr(model)
        assert copy.digest() == model.digest() and copy.potential == model.potential
    assert len({model.digest() for model in models}) == len(models)
    assert repr(models[0]) == f"LabelNoise(potential={V!r}, strength=0.1)"
    assert [model.form for model in models[::2]] == ["rows", "rows", "vector", "rows"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: shld.LabelNoise(shld.DoubleWell(), 0.1),
            TypeError,
            "potential must have a known residual, as RescalingValley or Potential.from_residual, got DoubleWell(",
        ),
        (lambda: shld.LabelNoise(product, 0.1), TypeError, "potential must be a Potential, got <function product"),
        (lambda: shld.LabelNoise(shld.RescalingValley(), 0.0), ValueError, "strength must be positive, got 0.0"),
        (
            lambda: shld.Potential.from_residual(product, lambda x, y, z, p: (y * z, x * z, y * z), (1.0,), dim=3),
            ValueError,
            "gradient[2] disagrees with finite differences of residual at x=",
        ),
        (
            lambda: shld.Potential.from_residual(product, product_slope, (1.0,), dim=2),
            ValueError,
            "residual must take (x, y, p) for dim=2, got a function of (x, y, z, p)",
        ),
        (
            lambda: shld.Potential.from_residual(lambda x, p: (x, x), lambda x, p: 1.0),
            ValueError,
            "residual must return a number for dim=1, got (",
        ),
        (
            lambda: shld.Potential.from_residual(lambda x, p: 0.0 * x, lambda x, p: math.sqrt(x), check_at=-1.0),
            ValueError,
            "gradient failed at x=-1.0",
        ),
        (lambda: shld.Potential.from_residual(3.0, lambda x, p: 1.0), TypeError, "residual must be a function"),
    ],
)
def test_wrong_input_is_named_in_one_line(make, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        make()
    assert "\n" not in str(caught.value)
