"""State-dependent noise: kernels against slow twins, Ito and Stratonovich told apart, thousands of dimensions.

Tolerances are 5 standard errors; every statistical check rejects a planted error.
"""

import math
import os
import pickle
import tracemalloc

import naive
import numpy as np
import pytest

import shld_sim as shld

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))


def accepts_mean(values, exact):
    return abs(values.mean() - exact) <= 5.0 * values.std() / np.sqrt(len(values))


# -- models of every form -------------------------------------------------------------------------------------------------


def growth(x, p):
    return p[0] * x


def growth_again(x, p):
    return p[0] * x


def growth_noise(x, p):
    return p[1] * x


def spiral(x, y, p):
    return -x + p[0] * y, -y - p[0] * x


def three(x, y, z, p):
    return -x, -y, y - z


def many(x, out, p):
    for c in range(5):
        out[c] = -p[0] * x[c]


def many_noise(x, out, p):
    for c in range(5):
        out[c, 0] = 0.3 * math.sin(x[c])
        out[c, 1] = 0.1 * x[(c + 1) % 5]


def many_each(x, out, p):
    for c in range(x.shape[0]):
        out[c] = 0.2 + 0.1 * x[c] * x[c]


def many_each_slope(x, out, p):
    for c in range(x.shape[0]):
        out[c] = 0.2 * x[c]


def swirl(x, y, p):
    return 0.3 * y, 0.4 * y


# the arguments, the drift and the matrix B on arrays (n, d), and the exact c_i = 1/2 sum_jk B_jk d_j B_ik there
FORMS = {
    "number": (
        dict(drift=growth, noise=growth_noise, params=(0.3, 0.5)),
        lambda x: 0.3 * x,
        lambda x: 0.5 * x[:, :, None],
        lambda x: 0.125 * x,
    ),
    "two noises": (
        dict(drift=lambda x, p: -x, noise=lambda x, p: (p[0] * x, 1), params=(0.5,)),
        lambda x: -x,
        lambda x: np.stack([0.5 * x, np.ones_like(x)], axis=-1),
        lambda x: 0.125 * x,
    ),
    "rows": (
        dict(drift=spiral, noise=lambda x, y, p: ((0.5 * y, 0), (0.3 * x, 0.2 * y)), params=(2.0,), dim=2),
        lambda x: np.stack([-x[:, 0] + 2 * x[:, 1], -x[:, 1] - 2 * x[:, 0]], axis=-1),
        lambda x: np.stack(
            [np.stack([0.5 * x[:, 1], 0 * x[:, 0]], -1), np.stack([0.3 * x[:, 0], 0.2 * x[:, 1]], -1)], 1
        ),
        # 2 c_1 = B_21 d_y B_11 = 0.3 x 0.5; 2 c_2 = B_11 d_x B_21 + B_22 d_y B_22 = 0.5 y 0.3 + 0.2 y 0.2
        lambda x: x * [0.075, 0.095],
    ),
    "diagonal": (
        dict(drift=spiral, noise=swirl, params=(2.0,), dim=2, diagonal=True),
        lambda x: np.stack([-x[:, 0] + 2 * x[:, 1], -x[:, 1] - 2 * x[:, 0]], axis=-1),
        lambda x: np.einsum("nd,de->nde", np.stack([0.3 * x[:, 1], 0.4 * x[:, 1]], -1), np.eye(2)),
        lambda x: np.stack([0 * x[:, 0], 0.08 * x[:, 1]], -1),
    ),
    "one noise in three dimensions": (
        dict(drift=three, noise=lambda x, y, z, p: ((0.3 * y,), (0.2 * z,), (0.1 * x,)), dim=3),
        lambda x: np.stack([-x[:, 0], -x[:, 1], x[:, 1] - x[:, 2]], axis=-1),
        lambda x: np.stack([0.3 * x[:, 1], 0.2 * x[:, 2], 0.1 * x[:, 0]], -1)[:, :, None],
        lambda x: 0.5 * np.stack([0.06 * x[:, 2], 0.02 * x[:, 0], 0.03 * x[:, 1]], -1),
    ),
    "diagonal in three dimensions": (
        dict(drift=three, noise=lambda x, y, z, p: (0.3 * x, 0.2, 0.1 * z), dim=3, diagonal=True),
        lambda x: np.stack([-x[:, 0], -x[:, 1], x[:, 1] - x[:, 2]], axis=-1),
        lambda x: np.einsum("nd,de->nde", np.stack([0.3 * x[:, 0], 0.2 + 0 * x[:, 1], 0.1 * x[:, 2]], -1), np.eye(3)),
        lambda x: 0.5 * np.stack([0.09 * x[:, 0], 0 * x[:, 1], 0.01 * x[:, 2]], -1),
    ),
    "vector": (
        dict(drift=many, noise=many_noise, params=(0.7,), dim=5, noise_dim=2),
        lambda x: -0.7 * x,
        lambda x: np.stack([0.3 * np.sin(x), 0.1 * np.roll(x, -1, axis=1)], -1),
        lambda x: 0.5 * (0.09 * np.sin(x) * np.cos(x) + 0.01 * np.roll(x, -2, axis=1)),
    ),
    "diagonal vector": (
        dict(drift=many, noise=many_each, params=(0.7,), dim=5, diagonal=True),
        lambda x: -0.7 * x,
        lambda x: np.einsum("nd,de->nde", 0.2 + 0.1 * x * x, np.eye(5)),
        lambda x: 0.5 * (0.2 + 0.1 * x * x) * 0.2 * x,
    ),
}


def noise_of(model, n_steps, n_paths, dt, rng):
    return np.sqrt(dt) * rng.standard_normal((n_steps, n_paths, model.noise_dim))


@pytest.mark.parametrize(
    ("form", "scheme"),
    [
        *(
            (form, "euler")
            for form in ("two noises", "diagonal", "diagonal in three dimensions", "vector", "diagonal vector")
        ),
        *((form, "heun") for form in ("number", "rows", "one noise in three dimensions", "vector", "diagonal vector")),
    ],
)
def test_steps_on_given_noise(form, scheme):
    arguments, drift, matrix, _ = FORMS[form]
    model = shld.Diffusion(**arguments, interpretation="ito" if scheme == "euler" else "stratonovich")
    rng = np.random.default_rng(SEED)
    dW, x0 = noise_of(model, 31, 131, 0.05, rng), rng.uniform(0.5, 1.5, (131, model.dim))
    expected = naive.diffusion_path(drift, matrix, x0, 0.05, dW, scheme)
    outward = lambda a, d: a[..., 0] if d == 1 else a
    run = shld.simulate(
        model, outward(x0, model.dim), 0.05, noise=outward(dW, model.noise_dim), scheme=scheme, save_every=1
    )
    np.testing.assert_allclose(run.x, outward(expected, model.dim), rtol=1e-10, atol=1e-12)
    assert run.scheme == scheme


@pytest.mark.parametrize("form", ["number", "two noises", "vector"])
def test_streams_bits_and_files(form, tmp_path):
    """The words of a path serve its Wiener processes in order; bits do not depend on threads, company, or a pause."""
    arguments, drift, matrix, _ = FORMS[form]
    model = shld.Diffusion(**arguments)
    n_paths, n_steps, dt = 300, 23, 0.05
    x0 = 1.0 if model.dim == 1 else np.ones(model.dim)
    options = dict(seed=SEED, save_every=3)
    run = shld.simulate(model, x0, dt, n_steps=n_steps, n_paths=n_paths, n_threads=1, **options)
    z = naive.noise(naive.Streams.of(SEED, np.arange(n_paths)), "normal", n_steps, model.noise_dim)
    expected = naive.diffusion_path(drift, matrix, np.ones((n_paths, model.dim)), dt, np.sqrt(dt) * z)[-1]
    np.testing.assert_allclose(run.final, expected[:, 0] if model.dim == 1 else expected, rtol=1e-9, atol=1e-11)
    few = shld.simulate(model, x0, dt, n_steps=n_steps, n_paths=131, n_threads=2, **options)
    assert (run.x[:, :131] == few.x).all()
    part = shld.simulate(model, x0, dt, n_steps=11, n_paths=n_paths, **options)
    part.save(tmp_path / "run.npz")
    whole = shld.resume(shld.Ensemble.load(tmp_path / "run.npz", model), n_steps=n_steps)
    assert (whole.x == run.x).all() and (whole.words == run.words).all()
    with pytest.raises(ValueError, match=r"model= is needed.*Diffusion\(drift="):
        shld.Ensemble.load(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="model must be the one of the file"):
        shld.Ensemble.load(tmp_path / "run.npz", model.to_stratonovich())


def values(function, x, params):
    """A model's drift at points x, in plain Python."""
    if x.shape[1] > 3:
        out = np.empty_like(x)
        for point, value in zip(x, out):
            function(point, value, params)
        return out
    return np.array([function(*map(float, point), params) for point in x]).reshape(x.shape)


@pytest.mark.parametrize("form", FORMS)
def test_the_correction_drift(form):
    """Ito drift = Stratonovich drift + c, either way."""
    arguments, drift, _, correction = FORMS[form]
    ito = shld.Diffusion(**arguments)
    stratonovich = shld.Diffusion(**arguments, interpretation="stratonovich")
    x = np.random.default_rng(SEED).uniform(0.5, 1.5, (20, ito.dim))
    close = dict(rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(values(ito.drift, x, ito.params), drift(x), rtol=1e-14)
    np.testing.assert_allclose(values(stratonovich.to_ito().drift, x, ito.params) - drift(x), correction(x), **close)
    np.testing.assert_allclose(values(ito.to_stratonovich().drift, x, ito.params) - drift(x), -correction(x), **close)
    assert ito.to_ito() is ito and ito.to_stratonovich().to_ito() is ito
    assert stratonovich.to_stratonovich() is stratonovich and stratonovich.to_ito().to_stratonovich() is stratonovich


@pytest.mark.parametrize(
    ("form", "slope"),
    [
        ("number", lambda x, p: p[1]),
        ("diagonal", lambda x, y, p: (0.0, 0.4)),
        ("diagonal in three dimensions", lambda x, y, z, p: (0.3, 0.0, 0.1)),
        ("diagonal vector", many_each_slope),
    ],
)
def test_the_correction_from_the_users_derivative(form, slope):
    arguments, drift, _, correction = FORMS[form]
    model = shld.Diffusion(**arguments, noise_derivative=slope)
    x = np.random.default_rng(SEED).uniform(0.5, 1.5, (20, model.dim))
    shifted = values(model.to_stratonovich().drift, x, model.params)
    np.testing.assert_allclose(shifted, drift(x) - correction(x), rtol=1e-13)


def test_the_users_derivative_is_used():
    with_it = shld.Diffusion(growth, growth_noise, (0.3, 0.5), noise_derivative=lambda x, p: p[1])
    run = shld.simulate(with_it.to_stratonovich(), 2.0, 1.0, noise=[[0.0]])
    f = 0.3 - 0.125  # Heun for x' = f x
    assert run.final[0] == pytest.approx(2.0 * (1.0 + f + 0.5 * f * f), rel=1e-14)
    wrong = shld.Diffusion(growth, growth_noise, (0.3, 0.5), noise_derivative=lambda x, p: 2.0 * p[1])
    assert shld.simulate(wrong.to_stratonovich(), 2.0, 1.0, noise=[[0.0]]).final[0] != pytest.approx(run.final[0])


# -- identity and messages ------------------------------------------------------------------------------------------------


def test_identity():
    a, b = (shld.Diffusion(growth, growth_noise, (0.3, s)) for s in (0.5, 0.6))
    again = shld.Diffusion(growth_again, growth_noise, (0.3, 0.5))
    assert a == again and hash(a) == hash(again) and a != b
    assert a != shld.Diffusion(growth, growth_noise, (0.3, 0.5), interpretation="stratonovich")
    assert repr(a) == ("Diffusion(drift=growth, noise=growth_noise, params=(0.3, 0.5), dim=1, interpretation='ito')")
    assert repr(a.to_stratonovich()) == repr(a) + ".to_stratonovich()"
    many_of = shld.Diffusion(many, many_each, (0.7,), 5, diagonal=True, noise_derivative=many_each_slope)
    for model in (a, a.to_stratonovich(), many_of, many_of.to_stratonovich()):
        copy = pickle.loads(pickle.dumps(model))
        assert copy == model and repr(copy) == repr(model)
    with pytest.raises(AttributeError, match="immutable"):
        a.dim = 2
    with pytest.raises(AttributeError, match="potential exists for models made from one"):
        _ = a.potential


GBM = shld.Diffusion(growth, growth_noise, (0.1, 0.5))
V = shld.DoubleWell()
WRONG = {
    "heun for Ito": (lambda: shld.simulate(GBM, 1.0, 0.1, 1.0, scheme="heun"), ["scheme", "Ito", "to_stratonovich()"]),
    "euler for Stratonovich": (
        lambda: shld.simulate(GBM.to_stratonovich(), 1.0, 0.1, 1.0, scheme="euler"),
        ["scheme", "Stratonovich", "to_ito()"],
    ),
    "unknown scheme": (lambda: shld.simulate(GBM, 1.0, 0.1, 1.0, scheme="split"), ["scheme", "'euler'", "'split'"]),
    "interpretation": (
        lambda: shld.Diffusion(growth, growth_noise, interpretation="Ito"),
        ["interpretation", "'ito', 'stratonovich'", "'Ito'"],
    ),
    "drift no function": (lambda: shld.Diffusion(1.0, growth_noise), ["drift", "function", "1.0"]),
    "drift of two": (lambda: shld.Diffusion(spiral, growth_noise, (1.0, 1.0)), ["drift", "(x, p)", "(x, y, p)"]),
    "drift returns two": (
        lambda: shld.Diffusion(lambda x, p: (x, x), lambda x, p: x),
        ["drift", "a number", "(0.5, 0.5)"],
    ),
    "noise a flat tuple": (
        lambda: shld.Diffusion(spiral, lambda x, y, p: (x, y), (1.0,), dim=2),
        ["noise", "2 rows", "(0.5, 0.5)", "diagonal=True"],
    ),
    "noise rows of two lengths": (
        lambda: shld.Diffusion(spiral, lambda x, y, p: ((x,), (x, y)), (1.0,), dim=2),
        ["noise", "all as long"],
    ),
    "diagonal in one dimension": (
        lambda: shld.Diffusion(growth, growth_noise, (1.0, 1.0), diagonal=True),
        ["diagonal", "False", "dim=1"],
    ),
    "noise_dim of a diagonal": (
        lambda: shld.Diffusion(many, many_each, (1.0,), dim=5, diagonal=True, noise_dim=2),
        ["noise_dim must be 5", "diagonal", "2"],
    ),
    "derivative of a matrix": (
        lambda: shld.Diffusion(many, many_noise, (1.0,), dim=5, noise_derivative=many),
        ["noise_derivative must be None", "diagonal=True"],
    ),
    "derivative of wrong number": (
        lambda: shld.Diffusion(spiral, swirl, (1.0,), dim=2, diagonal=True, noise_derivative=lambda x, y, p: 1.0),
        ["noise_derivative", "a tuple of 2 numbers"],
    ),
    "noise_dim": (lambda: shld.Diffusion(growth, growth_noise, (1.0, 1.0), noise_dim=2), ["noise_dim", "1", "2"]),
    "a function that fails": (
        lambda: shld.Diffusion(growth, lambda x, p: math.sqrt(-x), (1.0,)),
        ["noise", "failed", "check_at="],
    ),
    "not finite at the start": (
        lambda: shld.simulate(shld.Diffusion(lambda x, p: 1 / x, lambda x, p: 1.0), [1.0, 0.0], 0.1, 1.0),
        ["drift", "x0", "inf", "x=0.0"],
    ),
    "noise not finite at the start": (
        lambda: shld.simulate(shld.Diffusion(lambda x, p: x, lambda x, p: np.sqrt(x)), [1.0, -1.0], 0.1, 1.0),
        ["noise", "x0", "nan", "x=-1.0"],
    ),
    "drift does not compile": (
        lambda: shld.simulate(shld.Diffusion(lambda x, p: float(str(x)), lambda x, p: x), 1.0, 0.1, 1.0),
        ["drift", "does not compile"],
    ),
    "noise does not compile": (
        lambda: shld.simulate(shld.Diffusion(lambda x, p: x, lambda x, p: float(repr(x))), 1.0, 0.1, 1.0),
        ["noise", "does not compile"],
    ),
    "noise of wrong shape": (
        lambda: shld.simulate(shld.LabelNoise(shld.RescalingValley(), 1.0), [1.0, 1.0], 0.1, noise=np.zeros((2, 3, 2))),
        ["noise", "(n_steps, n_paths)", "(2, 3, 2)"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_in_one_line(case):
    call, words = WRONG[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), str(caught.value)


def test_divergence_advises_a_smaller_step_and_no_scheme_that_is_not_there():
    steep = shld.Diffusion(lambda x, p: -(x**3), lambda x, p: 1.0)
    with pytest.raises(shld.DivergenceError, match=r"with dt=0.5: take a smaller dt than 0.5$") as caught:
        shld.simulate(steep, 10.0, 0.5, n_steps=50, seed=SEED)
    assert math.isnan(caught.value.stable_dt)


# -- geometric Brownian motion --------------------------------------------------------------------------------------------


def test_the_two_readings_have_their_own_means():
    """E X = x0 e^(mu t) for Ito, x0 e^((mu + s^2/2) t) for Stratonovich (dt: Euler's mean is (1 + mu dt)^n exactly)."""
    mu, s, dt, n = 0.2, 0.6, 0.01, 200_000

    def ends(interpretation):
        model = shld.Diffusion(growth, growth_noise, (mu, s), interpretation=interpretation)
        return shld.simulate(model, 1.0, dt, n_steps=100, n_paths=n, seed=SEED).final

    a = mu * dt + s * s * dt / 2  # Heun's factor per step is 1 + f + f^2/2 with f = mu dt + s dW
    means = {"ito": (1.0 + mu * dt) ** 100, "stratonovich": (1.0 + a + 0.5 * (mu * dt) ** 2) ** 100}
    assert means["ito"] == pytest.approx(math.exp(mu), rel=mu * mu * dt)
    assert means["stratonovich"] == pytest.approx(math.exp(mu + s * s / 2), rel=0.1 * dt)
    x = {kind: ends(kind) for kind in means}
    for kind, other in (("ito", "stratonovich"), ("stratonovich", "ito")):
        assert accepts_mean(x[kind], means[kind])
        assert not accepts_mean(x[other], means[kind])  # planted: the other convention
        assert not accepts_mean(1.2 * (x[kind] - 1.0) + 1.0, means[kind])


LEVELS = (16, 32, 64, 128, 256, 512)


def strong_errors(interpretation, change=lambda noise: noise, n=6000):
    """Root mean square distances at t = 1 to the exact solution on the same path, and their standard errors."""
    mu, s = 0.2, 0.6
    dW = np.random.default_rng(SEED).standard_normal((512, n)) / np.sqrt(512)
    model = shld.Diffusion(growth, growth_noise, (mu, s), interpretation=interpretation)
    exact = np.exp(mu - (0.5 * s * s if interpretation == "ito" else 0.0) + s * dW.sum(axis=0))
    squares = []
    for m in LEVELS:
        noise = change(dW.reshape(m, 512 // m, n).sum(axis=1))
        squares.append((shld.simulate(model, 1.0, 1.0 / m, noise=noise).final - exact) ** 2)
    rms = np.sqrt(np.mean(squares, axis=1))
    return rms, np.std(squares, axis=1) / np.sqrt(n) / (2.0 * rms)


@pytest.mark.parametrize(("interpretation", "order"), [("ito", 0.5), ("stratonovich", 1.0)])
def test_strong_order(interpretation, order):
    def accepts(rms, error):
        """Slope over six levels, and the finest error below the next order's size."""
        t = np.log(1.0 / np.array(LEVELS))
        t = (t - t.mean()) / ((t - t.mean()) ** 2).sum()
        slope, deviation = t @ np.log(rms), np.sqrt((t**2) @ (error / rms) ** 2)
        return abs(slope - order) <= 5.0 * deviation + 0.05 and rms[-1] < 0.7 * (1.0 / 512) ** order

    good = strong_errors(interpretation)
    assert accepts(*good), good
    assert not accepts(*strong_errors(interpretation, lambda noise: 1.2 * noise))
    other = "ito" if interpretation == "stratonovich" else "stratonovich"
    assert not accepts(*strong_errors(other))  # planted: the order of the other scheme


def test_the_converted_equation_is_the_same_process():
    """Pathwise: Heun on the converted equation tends to the exact Ito solution; unconverted it does not."""
    mu, s, n = 0.2, 0.6, 2000
    dW = np.random.default_rng(SEED).standard_normal((512, n)) / np.sqrt(512)
    ito = shld.Diffusion(growth, growth_noise, (mu, s))
    exact = np.exp(mu - 0.5 * s * s + s * dW.sum(axis=0))
    rms = lambda model: float(np.sqrt(((shld.simulate(model, 1.0, 1.0 / 512, noise=dW).final - exact) ** 2).mean()))
    assert rms(ito.to_stratonovich()) < 2e-3
    assert not rms(shld.Diffusion(growth, growth_noise, (mu, s), interpretation="stratonovich")) < 2e-3


# -- thousands of dimensions ----------------------------------------------------------------------------------------------


def each_down(x, out, p):
    for c in range(x.shape[0]):
        out[c] = -p[0][c] * x[c]


def test_a_diagonal_in_2000_dimensions():
    d = 2000
    rates = np.linspace(1.0, 2.0, d)
    model = shld.Diffusion(each_down, many_each, (rates,), d, diagonal=True)
    rng = np.random.default_rng(SEED)
    dW, x0 = 0.1 * rng.standard_normal((4, 11, d)), rng.uniform(0.5, 1.5, (11, d))
    x = x0
    for step in dW:  # without the matrices of 32 MB that `naive.diffusion_path` would make
        x = x - rates * x * 0.01 + (0.2 + 0.1 * x * x) * step
    np.testing.assert_allclose(shld.simulate(model, x0, 0.01, noise=dW).final, x, rtol=1e-10, atol=1e-13)


@pytest.mark.slow  # 4 s: it compiles, and B of one path has four million entries
def test_a_matrix_in_2000_dimensions_is_tried_at_few_points():
    d = 2000

    def full(x, out, p):
        for i in range(d):
            for k in range(d):
                out[i, k] = p[1] / (1.0 + i + k)

    model = shld.Diffusion(each_down, full, (np.ones(d), 0.1), d)
    dW = 0.1 * np.random.default_rng(SEED).standard_normal((2, 40, d))
    tracemalloc.start()
    try:
        run = shld.simulate(model, np.ones(d), 0.01, noise=dW)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300e6  # 40 matrices take 1280e6
    entries = 0.1 / (1.0 + np.add.outer(np.arange(d), np.arange(d)))
    x = np.ones((40, d))
    for step in dW:
        x = x - 0.01 * x + step @ entries.T
    np.testing.assert_allclose(run.final, x, rtol=1e-10, atol=1e-13)


def test_langevin_in_2000_dimensions():
    d = 2000
    rates = np.linspace(1.0, 2.0, d)
    dW = 0.1 * np.random.default_rng(SEED).standard_normal((4, 11, d))
    x = np.ones((11, d))
    for step in dW:
        x = x - 0.01 * rates * x + math.sqrt(0.2) * step
    run = shld.simulate(shld.Langevin(shld.QuadraticForm(rates), D=0.1), np.ones(d), 0.01, noise=dW)
    np.testing.assert_allclose(run.final, x, rtol=1e-10, atol=1e-13)


@pytest.mark.slow  # 2 s: the eigenvalues of one Hessian
def test_divergence_in_2000_dimensions_looks_at_few_hessians():
    d = 2000
    model = shld.Langevin(shld.QuadraticForm(np.linspace(1.0, 2.0, d)), D=0.1)
    tracemalloc.start()
    try:
        with pytest.raises(shld.DivergenceError, match="take dt below 1,"):
            shld.simulate(model, np.full((40, d), 1e300), 100.0, n_steps=10, seed=SEED)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300e6  # 40 Hessians take 1280e6
