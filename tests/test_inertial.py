"""Underdamped dynamics: BAOAB against its slow twin, exact laws at coarse steps, order, and relaxation over a barrier.

Tolerances are 5 standard errors; every statistical check rejects a planted error.
"""

import os
import pickle
import sys

import naive
import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov
from scipy.stats import norm

import shld_sim as shld

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))
STYLES = {
    "one": (shld.DoubleWell(), -1.0),
    "two": (shld.MuellerBrown(), [-0.5, 1.4]),
    "three": (shld.QuadraticForm([1.0, 2.0, 3.0]), [1.0, 0.0, -1.0]),
    "vector": (shld.MexicanHat(5), [1.0, 0.0, 0.5, 0.0, 0.0]),
    "scalars in three dimensions": (
        shld.Potential(
            lambda x, y, z, p: 0.5 * (x * x + y * y) + p[0] * z**4,
            lambda x, y, z, p: (x, y, 4.0 * p[0] * z**3),
            (0.5,),
            dim=3,
        ),
        [1.0, 0.0, -1.0],
    ),
}


def accepts_mean(values, exact):
    return abs(values.mean() - exact) <= 5.0 * values.std() / np.sqrt(len(values))


# -- the kernel against its slow twin -----------------------------------------------------------------------------------


@pytest.mark.parametrize("style", STYLES)
def test_baoab_on_given_noise(style):
    V, x0 = STYLES[style]
    dt, D = (1e-3, 15.0) if style == "two" else (0.05, 0.3)
    rng = np.random.default_rng(SEED)
    shape = (37, 131) if V.dim == 1 else (37, 131, V.dim)
    dW, p0 = np.sqrt(dt) * rng.standard_normal(shape), rng.standard_normal(shape[1:])
    run = shld.simulate(shld.Underdamped(V, D, 0.7), x0, dt, noise=dW, p0=p0, save_every=1)
    x, p = naive.baoab_path(V, x0, p0, dt, dW, 0.7, D)
    np.testing.assert_allclose(run.x, x, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.p, p, rtol=1e-10, atol=1e-10)
    assert run.x.shape == run.p.shape and run.scheme == "baoab" and run.seed is None


@pytest.mark.parametrize("style", STYLES)
def test_the_streams_of_a_run(style):
    """First the momenta, two from two words, then the noise of the steps."""
    V, x0 = STYLES[style]
    dt, D, n_steps, n_paths = (1e-3, 15.0, 21, 130) if style == "two" else (0.05, 0.3, 21, 130)
    streams = naive.Streams.of(SEED, np.arange(n_paths))
    p0 = np.sqrt(D) * naive.normal_vector(streams, V.dim)
    dW = np.sqrt(dt) * naive.noise(streams, "normal", n_steps, V.dim)
    if V.dim == 1:
        p0, dW = p0[:, 0], dW[..., 0]
    run = shld.simulate(shld.Underdamped(V, D, 0.7), x0, dt, n_steps=n_steps, n_paths=n_paths, seed=SEED, save_every=1)
    x, p = naive.baoab_path(V, x0, p0, dt, dW, 0.7, D)
    np.testing.assert_allclose(run.p[0], p0, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(run.x, x, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(run.p, p, rtol=1e-9, atol=1e-9)


def test_a_schedule_acts_with_its_value_at_the_beginning_of_each_step():
    V, dt, D = shld.DoubleWell(), 0.1, shld.Exponential(0.5, 0.05, 2.0)
    dW = np.sqrt(dt) * np.random.default_rng(SEED).standard_normal((20, 3))
    run = shld.simulate(shld.Underdamped(V, D, 0.7), -1.0, dt, noise=dW, p0=0.0)
    x, _ = naive.baoab_path(V, -1.0, 0.0, dt, dW, 0.7, D(dt * np.arange(20)))
    np.testing.assert_allclose(run.final, x[-1], rtol=1e-10)


# -- bits, shapes, files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["one", "three", "vector"])
def test_bits_depend_on_seed_and_path_alone(style, tmp_path):
    V, x0 = STYLES[style]
    model = shld.Underdamped(V, 0.3, 0.7)
    options = dict(x0=x0, dt=0.05, seed=SEED, save_every=3)
    run = shld.simulate(model, n_steps=23, n_paths=300, n_threads=1, **options)
    few = shld.simulate(model, n_steps=23, n_paths=131, n_threads=2, **options)
    assert (run.x[:, :131] == few.x).all() and (run.p[:, :131] == few.p).all()
    part = shld.simulate(model, n_steps=11, n_paths=300, **options)
    part.save(tmp_path / "run.npz")
    for begun in (part, shld.Ensemble.load(tmp_path / "run.npz"), pickle.loads(pickle.dumps(part))):
        assert begun.model == model and (begun.p == part.p).all()
        whole = shld.resume(begun, n_steps=23)
        assert (whole.x == run.x).all() and (whole.p == run.p).all() and (whole.words == run.words).all()
        assert whole.x.flags.c_contiguous and whole.p.flags.c_contiguous


@pytest.mark.parametrize("style", STYLES)
def test_bits_do_not_depend_on_where_a_run_is_cut(style, monkeypatch):
    """The slope kept from the last step and the one computed anew at the start of a piece are the same number."""
    V, x0 = STYLES[style]
    dt, D = (1e-3, 15.0) if style == "two" else (0.05, 0.3)
    options = dict(x0=x0, dt=dt, n_steps=203, n_paths=300, seed=SEED, n_threads=1)
    model = shld.Underdamped(V, D, 0.7)
    whole = shld.simulate(model, **options)
    driver = sys.modules["shld_sim.simulate.ensemble"]
    for amount in (1, 2, 7, 100):
        pace = type("Pace", (), {"__init__": lambda *_: None, "begin": lambda _, n=amount: n, "end": lambda _: None})
        monkeypatch.setattr(driver, "Pace", pace)
        cut = shld.simulate(model, **options)
        assert (cut.final == whole.final).all() and (cut.p == whole.p).all(), amount


def test_momenta_exist_for_inertia_alone():
    run = shld.simulate(shld.Langevin(shld.DoubleWell(), 0.1), 0.0, 0.1, n_steps=1)
    with pytest.raises(AttributeError, match=r"p exists for Underdamped models, got Langevin\("):
        _ = run.p
    assert not hasattr(run, "p")


def test_first_momenta_one_for_all_or_one_each():
    two = shld.Underdamped(shld.RescalingValley(), 0.3, 0.7)
    run = shld.simulate(two, [1.0, 1.0], 0.1, n_steps=0, n_paths=3, p0=[2.0, 3.0])
    assert run.p.tolist() == [[[2.0, 3.0]] * 3]
    each = shld.simulate(two, [1.0, 1.0], 0.1, n_steps=0, n_paths=2, p0=[[2.0, 3.0], [4.0, 5.0]])
    assert each.p.tolist() == [[[2.0, 3.0], [4.0, 5.0]]]


ONE = shld.Underdamped(shld.DoubleWell(), 0.1, 1.0)
WRONG = {
    "friction zero": (lambda: shld.Underdamped(shld.DoubleWell(), 0.1, 0.0), ["friction", "positive", "0.0"]),
    "D negative": (lambda: shld.Underdamped(shld.DoubleWell(), -1.0, 1.0), ["D", "positive", "-1.0"]),
    "scheme": (lambda: shld.simulate(ONE, 0.0, 0.1, 1.0, scheme="euler"), ["scheme", "'baoab'", "'euler'"]),
    "p0 of another model": (
        lambda: shld.simulate(shld.Langevin(shld.DoubleWell(), 0.1), 0.0, 0.1, 1.0, p0=1.0),
        ["p0", "None", "1.0"],
    ),
    "p0 of wrong number": (lambda: shld.simulate(ONE, 0.0, 0.1, 1.0, 3, p0=[1.0, 2.0]), ["p0", "3 paths", "(2,)"]),
    "p0 infinite": (lambda: shld.simulate(ONE, 0.0, 0.1, 1.0, p0=np.inf), ["p0", "finite", "inf"]),
    "given noise without p0": (lambda: shld.simulate(ONE, 0.0, 0.1, noise=np.zeros((2, 3))), ["p0", "noise="]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_in_one_line(case):
    call, words = WRONG[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), str(caught.value)


def test_divergence_names_the_stable_step():
    """In a harmonic well BAOAB is stable for dt < 2/sqrt(k)."""
    model = shld.Underdamped(shld.Harmonic(4.0), 0.1, 1e-3)
    with pytest.raises(shld.DivergenceError, match="take dt below 1") as caught:
        shld.simulate(model, 1.0, 1.1, n_steps=4000, p0=0.0)
    assert caught.value.stable_dt == pytest.approx(1.0)
    assert np.isfinite(shld.simulate(model, 1.0, 0.99, n_steps=4000, p0=0.0).final).all()


# -- exact laws ---------------------------------------------------------------------------------------------------------


def covariance(k, D, friction, dt):
    """Stationary covariance of (x, p) in a harmonic well: the kernel's own linear map, put into Lyapunov's equation."""
    model = shld.Underdamped(shld.Harmonic(k), D, friction)
    run = shld.simulate(model, [1.0, 0.0, 0.0], dt, p0=[0.0, 1.0, 0.0], noise=[[0.0, 0.0, np.sqrt(dt)]])
    state = np.stack([run.final, run.p[-1]])
    return solve_discrete_lyapunov(state[:, :2], np.outer(state[:, 2], state[:, 2]))


@pytest.mark.parametrize(("k", "friction", "dt"), [(1.0, 0.3, 0.1), (1.0, 1.0, 1.5), (4.0, 5.0, 0.95)])
def test_the_harmonic_law_is_exact_in_space_at_any_stable_step(k, friction, dt):
    """x has variance D/k; p has D (1 - k dt^2/4), by the same algebra (Leimkuhler & Matthews 2013)."""
    expected = np.diag([0.3 / k, 0.3 * (1.0 - 0.25 * k * dt * dt)])
    np.testing.assert_allclose(covariance(k, 0.3, friction, dt), expected, rtol=1e-11, atol=1e-12)


def test_the_simulated_harmonic_law_at_a_coarse_step():
    k, D, dt, n = 1.0, 0.3, 1.2, 100_000

    def accepts(x, variance):
        return accepts_mean(x, 0.0) and accepts_mean(x**2, variance)

    run = shld.simulate(shld.Underdamped(shld.Harmonic(k), D, 1.0), 0.0, dt, n_steps=40, n_paths=n, seed=SEED)
    assert accepts(run.final, D / k)
    assert accepts(run.p[-1], D * (1.0 - 0.25 * k * dt * dt))
    hot = shld.simulate(shld.Underdamped(shld.Harmonic(k), 1.44 * D, 1.0), 0.0, dt, n_steps=40, n_paths=n, seed=SEED)
    assert not accepts(hot.final, D / k)
    x, p = np.zeros(n), np.zeros(n)
    rng = np.random.default_rng(SEED)
    for _ in range(60):  # an Euler-type scheme: kick, friction to first order and noise, drift
        p = p - dt * (k * x + 0.5 * p) + np.sqrt(D * dt) * rng.standard_normal(n)
        x = x + dt * p
    assert not accepts(x, D / k)


def test_maxwell_and_the_velocity_autocorrelation_without_a_force():
    """E p_0 p_t = D e^(-friction t) and E (x_t - x_0)^2 at any step: O is exact, x is its trapezoidal sum."""
    D, friction, dt, n = 0.7, 0.8, 0.5, 100_000
    free = shld.Potential(lambda x, p: 0.0 * x, lambda x, p: 0.0 * x)

    def run(friction=friction, D=D):
        return shld.simulate(
            shld.Underdamped(free, D, friction), 0.0, dt, n_steps=6, n_paths=n, seed=SEED, save_every=1
        )

    def accepts(run):
        products = run.p[0] * run.p
        return all(accepts_mean(c, D * np.exp(-friction * t)) for c, t in zip(products, run.t))

    good = run()
    assert accepts(good) and accepts_mean(good.p[-1] ** 2, D)
    assert not accepts(run(friction=1.1 * friction)) and not accepts(run(D=1.2 * D))
    # x_t = dt sum (p_j + p_{j+1})/2: the drifts before and after O
    np.testing.assert_allclose(good.final, dt * (0.5 * (good.p[1:] + good.p[:-1])).sum(axis=0), rtol=1e-10, atol=1e-12)
    lags = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    weights = np.array([0.5, 1, 1, 1, 1, 1, 0.5]) * dt
    assert accepts_mean(good.final**2, D * weights @ np.exp(-friction * dt * lags) @ weights)
    assert (np.abs(good.p[0] / np.sqrt(D)) > norm.isf(1e-3)).any()


# -- the order of the stationary law in space -----------------------------------------------------------------------------


def mean_square(dt, friction=0.2, D=0.1, cells=80, exact_friction=True):
    """E x^2 of the chain's stationary law in the double well: its transfer operator on a grid, by Fourier shears.

    Spectrally accurate: 80 and 192 cells agree to 1e-9. Iterated from the Gibbs law, whose even part is off by O(dt^2).
    """
    x = np.linspace(-2.4, 2.4, cells, endpoint=False)  # positions and momenta alike
    k = 2.0 * np.pi * np.fft.rfftfreq(cells, x[1] - x[0])
    kick = np.exp(0.5j * dt * np.outer(shld.DoubleWell().gradient(x), k))
    drift = np.exp(-0.5j * dt * np.outer(k, x))
    decay = np.exp(-friction * dt) if exact_friction else 1.0 - friction * dt
    variance = D * (1.0 - decay**2) if exact_friction else 2.0 * friction * D * dt
    noise = norm.pdf(x[:, None], decay * x[None, :], np.sqrt(variance)) * (x[1] - x[0])
    f = np.exp(-(shld.DoubleWell()(x)[:, None] + 0.5 * x**2) / D)
    value, before = 0.0, np.inf
    for _ in range(4000):
        for letter in "BAOAB":
            if letter == "B":
                f = np.fft.irfft(np.fft.rfft(f, axis=1) * kick, cells, axis=1)
            elif letter == "A":
                f = np.fft.irfft(np.fft.rfft(f, axis=0) * drift, cells, axis=0)
            else:
                f = f @ noise.T
        before, value = value, float((x**2 @ f).sum() / f.sum())
        if abs(value - before) < 1e-11 * dt:
            break
    return value


def test_second_order_in_space():
    """Slope 2 of the error of E x^2 by quadrature; a simulation follows the law of the chain, not Gibbs, at a coarse step."""
    D, dts = 0.1, np.array([0.5, 0.4, 0.28, 0.2, 0.14])
    x = np.linspace(-2.4, 2.4, 2001)
    gibbs = np.exp(-shld.DoubleWell()(x) / D)
    exact = (x**2 @ gibbs) / gibbs.sum()

    def slopes(errors):
        return np.diff(np.log(np.abs(errors))) / np.diff(np.log(dts[-len(errors) :]))

    errors = np.array([mean_square(dt) - exact for dt in dts])
    # the next order is O(dt^2) of it: below 0.1 where dt^2 V'' < 0.2, and less at each finer step
    assert (np.abs(slopes(errors)[1:] - 2.0) < 0.1).all() and abs(slopes(errors)[-1] - 2.0) < 0.05, slopes(errors)
    assert abs(errors[-1]) < 1e-4
    # planted: friction and noise to first order in dt
    first = slopes([mean_square(dt, exact_friction=False) - exact for dt in dts[-3:]])
    assert not (np.abs(first - 2.0) < 0.1).any(), first

    starts = [-1.0, 1.0] * 50_000
    run = shld.simulate(
        shld.Underdamped(shld.DoubleWell(), D, 0.2), starts, 0.5, n_steps=3960, save_every=36, seed=SEED
    )
    squares = (run.x[4:] ** 2).mean(axis=0)
    assert accepts_mean(squares, exact + errors[0])
    assert not accepts_mean(squares, exact)  # planted: the law of the equation is another


# -- over the barrier -----------------------------------------------------------------------------------------------------

# Spectral gap of the Kramers operator of DoubleWell() at D = 0.05: Hermite x Hermite spectral expansion, two truncations.
GAP = {0.1: 0.00149194, 0.3: 0.00225382778, 1.0: 0.00178535019763, 3.0: 0.00085307837308, 10.0: 0.000275371951}


def relaxation(friction, D=0.05, n=50_000, gap=None):
    """Rate of log E sign(-x) between two times, of paths from the left well, with its standard error.

    BAOAB slows or speeds up diffusion by O((friction dt)^2/12): below 0.4 %.
    """
    dt = {3.0: 0.05, 10.0: 0.02}.get(friction, 0.1)
    gap = gap or GAP[friction]
    every = round(100.0 / dt)  # local equilibrium takes a few 1/friction, and friction at a strong one
    steps = every * (1 + round(0.7 / gap / 100.0))
    model = shld.Underdamped(shld.DoubleWell(), D, friction)
    run = shld.simulate(model, -1.0, dt, n_steps=steps, n_paths=n, save_every=every, seed=SEED)
    early, late = -np.sign(run.x[1]), -np.sign(run.x[-1])
    time = run.t[-1] - run.t[1]
    influence = (early / early.mean() - late / late.mean()) / time
    return np.log(early.mean() / late.mean()) / time, influence.std() / np.sqrt(n)


@pytest.mark.parametrize(
    "friction", [0.1, 0.3, 1.0, pytest.param(3.0, marks=pytest.mark.slow), pytest.param(10.0, marks=pytest.mark.slow)]
)
def test_relaxation_over_the_barrier(friction):
    rate, error = relaxation(friction)
    assert error < 0.02 * rate
    assert abs(rate - GAP[friction]) <= 5.0 * error, (rate, GAP[friction], error)


def test_the_turnover_is_seen():
    """Planted: half the friction, or noise x1.1, is told from the right gap, which has a maximum in between."""
    for friction, D in ((0.15, 0.05), (0.3, 0.0605)):
        rate, error = relaxation(friction, D, n=20_000, gap=GAP[0.3])
        assert abs(rate - GAP[0.3]) > 5.0 * error
    assert max(GAP, key=GAP.get) == 0.3
