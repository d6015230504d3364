"""Walls: reflecting, periodic and absorbing boxes against exact laws and the slow way."""

import math
import os

import naive
import numpy as np
import pytest
from scipy.stats import chisquare, norm

import shld_sim as shld

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))
FALSE_ALARM = 2.0 * norm.sf(5.0)
FLAT = shld.Langevin(shld.Potential(lambda x, p: 0.0 * x, lambda x, p: 0.0 * x), D=0.5)


def test_reflected_paths_are_folded_after_every_step():
    noise = np.random.default_rng(1).standard_normal((200, 50)) * 0.3
    inside = shld.simulate(FLAT, 0.25, 0.01, noise=noise, box=(0.0, 1.0), boundary="reflecting").final
    x = np.full(50, 0.25)
    for kick in noise:
        t = np.mod(x + kick, 2.0)
        x = np.where(t < 1.0, t, 2.0 - t)
    np.testing.assert_allclose(inside, x, atol=1e-11)


def test_periodic_paths_are_the_unbounded_ones_wrapped():
    noise = np.random.default_rng(2).standard_normal((200, 50)) * 0.3
    inside = shld.simulate(FLAT, 0.25, 0.01, noise=noise, box=(-1.0, 1.0), boundary="periodic").final
    free = shld.simulate(FLAT, 0.25, 0.01, noise=noise).final
    np.testing.assert_allclose(inside, np.mod(free + 1.0, 2.0) - 1.0, atol=1e-12)


def test_absorbed_paths_stay_where_they_came_to_lie():
    noise = np.random.default_rng(3).standard_normal((300, 80)) * 0.1
    run = shld.simulate(FLAT, 0.5, 0.01, noise=noise, box=(0.0, 1.0), boundary="absorbing", save_every=1)
    free = 0.5 + np.concatenate([np.zeros((1, 80)), np.cumsum(noise, axis=0)])
    outside = (free <= 0.0) | (free >= 1.0)
    first = np.where(outside.any(axis=0), outside.argmax(axis=0), 300)
    expected = free[np.minimum(np.arange(301)[:, None], first), np.arange(80)]
    np.testing.assert_allclose(run.x, expected, atol=1e-12)
    np.testing.assert_array_equal(run.status == shld.Status.EXITED, outside.any(axis=0))


BROWNIAN = shld.Diffusion(lambda x, p: 0.0 * x, lambda x, p: p[0], (1.0,))


# -- inertia ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "absorbing"])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_inertia_between_walls_as_the_slow_twin(boundary, dim):
    """Free flight ends at mirrors, which turn the momentum round, or goes on behind the ring's seam, inside the step."""
    V = {1: shld.DoubleWell(), 2: shld.RescalingValley(), 5: shld.QuadraticForm(np.arange(1.0, 6.0))}[dim]
    rng, dt = np.random.default_rng(4), 0.1
    shape = (60, 70) if dim == 1 else (60, 70, dim)
    dW, p0 = math.sqrt(dt) * rng.standard_normal(shape), 2.0 * rng.standard_normal(shape[1:])
    model, x0 = shld.Underdamped(V, 0.5, 0.7), 0.2 if dim == 1 else np.full(dim, 0.2)
    run = shld.simulate(model, x0, dt, noise=dW, p0=p0, box=(-0.3, 0.5), boundary=boundary, save_every=1)
    x, p = naive.baoab_path(V, x0, p0, dt, dW, 0.7, 0.5, (-0.3, 0.5), boundary)
    if boundary == "absorbing":
        outside = ((x <= -0.3) | (x >= 0.5)).reshape(61, 70, -1).any(axis=2)
        first = np.where(outside.any(axis=0), outside.argmax(axis=0), 60)
        rows = np.minimum(np.arange(61)[:, None], first), np.arange(70)
        x, p = x[rows], p[rows]
        np.testing.assert_array_equal(run.status == shld.Status.EXITED, outside.any(axis=0))
        assert outside.any(axis=0).sum() > 30
    else:
        assert run.x.min() >= -0.3 and run.x.max() <= 0.5
    np.testing.assert_allclose(run.x, x, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(run.p, p, rtol=1e-9, atol=1e-9)


def gibbs_moments(V, D, low, high):
    x = np.linspace(low, high, 20_001)
    weight = np.exp(-V(x) / D)
    return [(f @ weight) / weight.sum() for f in (x, x * x)]


def accepts(values, exact, bias=0.0):
    return abs(values.mean() - exact) <= bias + 5.0 * values.std() / math.sqrt(len(values))


def test_gibbs_law_with_inertia_between_mirrors():
    """Positions follow e^(-V/D) on the box and momenta Maxwell, up to O(dt^2): below 0.001 at dt = 0.2 (measured)."""
    V, D, box, n = shld.DoubleWell(), 0.3, (-1.2, 0.4), 100_000
    mean, square = gibbs_moments(V, D, *box)

    def final(D=D):
        model = shld.Underdamped(V, D, 1.0)
        run = shld.simulate(model, -0.5, 0.2, 20.0, n, seed=SEED, box=box, boundary="reflecting")
        return run.final, run.p[-1]

    x, p = final()
    assert accepts(x, mean, 1e-3) and accepts(x * x, square, 1e-3)
    assert accepts(p, 0.0) and accepts(p * p, D, 0.01)  # D (1 - dt^2 V''/4), V'' <= 3.3
    assert not accepts(final(1.2 * D)[0], mean, 1e-3)
    assert not accepts(x, gibbs_moments(V, D, -1.2, 0.45)[0], 1e-3)  # planted: a wall in another place


# -- noise that depends on the place ------------------------------------------------------------------------------------


def noise_1(x, p):
    return p[0] * (1.0 + 0.5 * math.cos(x))


def noise_1_slope(x, p):
    return -0.5 * p[0] * math.sin(x)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "absorbing"])
@pytest.mark.parametrize("kind", ["Ito", "Stratonovich", "rows"])
def test_local_noise_between_walls_as_the_slow_twin(boundary, kind):
    rng, dt, low, high = np.random.default_rng(5), 0.02, -0.6, 0.9
    if kind == "rows":  # three sources for two coordinates: states are padded
        model = shld.Diffusion(
            lambda x, y, p: (-y, x), lambda x, y, p: ((0.5, 0.2 * x, 0.1), (0.1 * y, 0.4, 0.3)), dim=2
        )
        drift = lambda x: np.stack([-x[:, 1], x[:, 0]], axis=-1)
        one = lambda a: np.full(len(a), 1.0)
        matrix = lambda x: np.stack(
            [
                np.stack([0.5 * one(x), 0.2 * x[:, 0], 0.1 * one(x)], axis=-1),
                np.stack([0.1 * x[:, 1], 0.4 * one(x), 0.3 * one(x)], axis=-1),
            ],
            axis=1,
        )
    else:
        model = shld.Diffusion(lambda x, p: -x, noise_1, (0.8,), interpretation=kind.lower())
        drift, matrix = lambda x: -x, lambda x: 0.8 * (1.0 + 0.5 * np.cos(x))[:, :, None]
    d, m = model.dim, model.noise_dim
    dW = math.sqrt(dt) * rng.standard_normal((80, 70, m))
    noise = dW[..., 0] if m == 1 else dW
    x0 = 0.1 if d == 1 else [0.1, 0.1]
    run = shld.simulate(model, x0, dt, noise=noise, box=(low, high), boundary=boundary, save_every=1)
    confine = {
        "reflecting": lambda x: naive.fold(x, low, high)[0],
        "periodic": lambda x: low + np.mod(x - low, high - low),
        "absorbing": None,
    }[boundary]
    x = naive.diffusion_path(drift, matrix, np.full((70, d), 0.1), dt, dW, run.scheme, confine)
    if boundary == "absorbing":
        outside = ((x <= low) | (x >= high)).any(axis=2)
        first = np.where(outside.any(axis=0), outside.argmax(axis=0), 80)
        x = x[np.minimum(np.arange(81)[:, None], first), np.arange(70)]
        np.testing.assert_array_equal(run.status == shld.Status.EXITED, outside.any(axis=0))
        assert outside.any(axis=0).sum() > 10
    np.testing.assert_allclose(run.x, x if d > 1 else x[..., 0], rtol=1e-9, atol=1e-10)


def preconditioned(D=0.3):
    return shld.Preconditioned(
        shld.DoubleWell(), D, lambda x, p: 1.0 / (1.0 + x * x), derivative=lambda x, p: -2.0 * x / (1.0 + x * x) ** 2
    )


def folded_chain(dt, D=0.3, low=0.2, high=1.3, cells=500):
    """Stationary law of Euler's folded chain of `preconditioned`: probabilities of cells, their centres, and Gibbs' law."""
    edges = np.linspace(low, high, cells + 1)
    x = 0.5 * (edges[1:] + edges[:-1])
    drift = -(x**3 - x) / (1.0 + x * x) - 2.0 * D * x / (1.0 + x * x) ** 2
    mean, spread = (x + drift * dt)[:, None], np.sqrt(2.0 * D * dt / (1.0 + x * x))[:, None]
    law = np.zeros((cells, cells))
    for k in range(-2, 3):  # images of the cells behind the mirrors
        shift = 2.0 * k * (high - low)
        law += np.diff(norm.cdf((edges + shift - mean) / spread), axis=1)
        law -= np.diff(norm.cdf((2.0 * low - edges + shift - mean) / spread), axis=1)
    gibbs = np.exp(-shld.DoubleWell()(x) / D)
    p = gibbs / gibbs.sum()
    for _ in range(9):  # 2^9 steps
        law = law @ law
    p = p @ law
    return p / p.sum(), x, gibbs / gibbs.sum()


def test_preconditioned_between_mirrors():
    """e^(-V/D) on the box; averages are wrong by O(dt), as those of the folded chain by quadrature; M or its drift shows."""
    D, dt, n = 0.3, 0.02, 400_000
    chain, x, gibbs = folded_chain(dt)

    def final(model=None):
        model = preconditioned() if model is None else model
        return shld.simulate(model, 0.8, dt, 4.0, n, seed=SEED, box=(0.2, 1.3), boundary="reflecting").final

    good = final()
    assert accepts(good, chain @ x) and accepts(good**2, chain @ x**2)
    assert accepts(good, gibbs @ x, 0.06 * dt)
    assert not accepts(final(preconditioned(1.2 * D)), gibbs @ x, 0.06 * dt)
    bare = shld.Diffusion(lambda x, p: -(x**3 - x) / (1.0 + x * x), lambda x, p: math.sqrt(0.6 / (1.0 + x * x)))
    assert not accepts(final(bare), gibbs @ x, 0.06 * dt)  # planted: without the drift D M'


def test_the_order_of_a_folded_chain():
    """By quadrature: averages with slope 1, the density at the wall with slope 1/2."""
    dts = np.array([0.16, 0.08, 0.04, 0.02, 0.01])
    averages, edges = [], []
    for dt in dts:
        p, x, gibbs = folded_chain(dt)
        averages.append((p - gibbs) @ x)
        edges.append(p[-1] / gibbs[-1] - 1.0)
    slope = lambda errors: np.diff(np.log(np.abs(errors))) / np.diff(np.log(dts))
    assert abs(slope(averages)[-1] - 1.0) < 0.1 and abs(averages[-1]) < 1e-3
    assert abs(slope(edges)[-1] - 0.5) < 0.1
    assert not abs(slope(averages)[-1] - 0.5) < 0.1


def ring_chisquare(model, density, dt=0.01, t_end=30.0, bins=40):
    """Probability of deviations as large from a density on the ring [-pi, pi) after a long time."""
    x = shld.simulate(model, 0.5, dt, t_end, 40_000, seed=SEED, box=(-np.pi, np.pi), boundary="periodic").final
    assert x.min() >= -np.pi and x.max() < np.pi
    fine = np.linspace(-np.pi, np.pi, bins * 50 + 1)
    weight = density(0.5 * (fine[1:] + fine[:-1])).reshape(bins, 50).sum(axis=1)
    counts = np.histogram(x, np.linspace(-np.pi, np.pi, bins + 1))[0]
    return chisquare(counts, weight * (len(x) / weight.sum())).pvalue


def test_a_ring_fills_up():
    """Brownian motion evenly; dX = B(X) o dW as 1/B (Stratonovich, B dW a clock's change of a uniform walk), Ito as 1/B^2."""
    B = lambda x: 1.0 + 0.5 * np.cos(x)
    even = lambda x: np.ones_like(x)
    free = lambda kind: shld.Diffusion(lambda x, p: 0.0, noise_1, (1.0,), interpretation=kind)
    assert ring_chisquare(BROWNIAN, even) > FALSE_ALARM
    assert not ring_chisquare(BROWNIAN, even, t_end=2.0) > FALSE_ALARM  # planted: not yet there
    for kind, power in (("stratonovich", 1.0), ("ito", 2.0)):
        assert ring_chisquare(free(kind), lambda x, power=power: B(x) ** -power) > FALSE_ALARM
        assert not ring_chisquare(free(kind), even) > FALSE_ALARM
        assert not ring_chisquare(free(kind), lambda x, power=power: B(x) ** (power - 3.0)) > FALSE_ALARM


# -- Gibbs and flights --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1.0, 1.2])
def test_gibbs_law_between_mirrors(factor):
    """exp(-kx/D) on [0, 1]: the mean is known; noise 1.2 times too strong must be seen."""
    slope, D, n = 1.0, 0.5, 100_000
    model = shld.Langevin(shld.Polynomial([0.0, slope]), D * factor**2)
    x = shld.simulate(model, 0.5, 1e-3, 4.0, n, seed=5, box=(0.0, 1.0), boundary="reflecting").final
    r = slope / D
    exact = 1.0 / r - 1.0 / math.expm1(r)
    error = x.std() / math.sqrt(n)
    # The fold leaves a bias of O(sqrt dt) in a layer of that width: O(dt) in the mean.
    agrees = abs(x.mean() - exact) < 5 * error + slope * 1e-3
    assert agrees == (factor == 1.0)


def test_every_style_of_potential_has_walls():
    for potential, dim in ((shld.RescalingValley(), 2), (shld.QuadraticForm(np.ones(40)), 40), (shld.MexicanHat(3), 3)):
        for model in (shld.Langevin(potential, 0.5), shld.LevyFlight(potential, 1.5, 0.5)):
            for boundary in ("reflecting", "periodic"):
                run = shld.simulate(model, np.full(dim, 0.5), 0.01, 1.0, 200, seed=1, box=(0.0, 1.0), boundary=boundary)
                assert (run.final >= 0.0).all()
                assert (run.final <= 1.0).all()


def test_one_wall_is_enough_for_a_mirror():
    for model in (FLAT, shld.Underdamped(FLAT.potential, 2.0, 2.0), BROWNIAN):
        for box, sign in (((0.0, math.inf), 1.0), ((-math.inf, 0.0), -1.0)):
            x = sign * shld.simulate(model, sign, 0.01, 4.0, 2000, seed=1, box=box, boundary="reflecting").final
            assert x.min() >= 0.0
            assert x.max() > 3.0


@pytest.mark.parametrize("boundary", ["reflecting", "absorbing"])
@pytest.mark.parametrize(
    "model",
    [
        shld.LevyFlight(shld.Harmonic(), 1.5, 0.5),
        shld.Underdamped(shld.Harmonic(), 0.5, 1.0),
        shld.Preconditioned(shld.Harmonic(), 0.5, lambda x, p: 1.0 / (1.0 + x * x)),
    ],
    ids=lambda model: type(model).__name__,
)
def test_resumed_and_saved_runs_keep_their_walls(tmp_path, model, boundary):
    asked = {"seed": 3, "box": (-1.0, 1.0), "boundary": boundary}
    whole = shld.simulate(model, 0.0, 0.01, n_steps=155, n_paths=300, **asked)
    shld.simulate(model, 0.0, 0.01, n_steps=71, n_paths=300, **asked).save(tmp_path / "half.npz")
    known = None if isinstance(model, shld.LevyFlight | shld.Underdamped) else model
    half = shld.Ensemble.load(tmp_path / "half.npz", model=known)
    assert half.box == ((-1.0, 1.0),)
    again = shld.resume(half, n_steps=155)
    np.testing.assert_array_equal(again.final, whole.final)
    np.testing.assert_array_equal(again.status, whole.status)
    assert (whole.status == shld.Status.EXITED).any() == (boundary == "absorbing")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"box": (0.0, 1.0)}, "box and boundary go together"),
        (
            {"box": (0.0, 1.0), "boundary": "open"},
            "boundary must be one of 'reflecting', 'periodic', 'absorbing', got 'open'",
        ),
        ({"box": (1.0, 0.0), "boundary": "periodic"}, "box must be"),
        ({"box": (0.0, math.inf), "boundary": "periodic"}, "box must be finite"),
        ({"box": (1.0, 2.0), "boundary": "reflecting"}, "x0 must lie inside box"),
        ({"box": [(0.0, 1.0)] * 3, "boundary": "reflecting"}, "box must give one pair"),
    ],
)
def test_wrong_walls_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        shld.simulate(FLAT, 0.5, 0.01, 1.0, **arguments)
