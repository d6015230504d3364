"""First passages with inertia and with noise that depends on the place: slow twins, exact laws, orders, planted errors.

Tolerances are 5 standard errors, or these and a measured bias. ``SHLD_TEST_SEED`` changes the random numbers.
"""

import functools
import os
import sys

import naive
import numpy as np
import pytest
from scipy import stats
from scipy.integrate import cumulative_simpson, simpson

import shld_sim as shld
from shld_sim import _work, theory

driver = sys.modules["shld_sim.simulate.passage"]
SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))
INF = np.inf
FREE = shld.Potential(lambda x, p: 0.0 * x, lambda x, p: 0.0 * x)


def accepts_mean(values, exact, bias=0.0):
    return abs(values.mean() - exact) <= bias + 5.0 * values.std() / np.sqrt(len(values))


def accepts_probability(hits, exact, bias=0.0):
    return abs(hits.mean() - exact) <= bias + 5.0 * np.sqrt(exact * (1.0 - exact) / len(hits))


def bits(exits, n=None):
    return tuple(getattr(exits, name)[:n].tobytes() for name in ("times", "censored", "exposure", "place", "which"))


# -- against the slow twin ----------------------------------------------------------------------------------------------


def ball(center, radius, sign=1.0):
    center = np.asarray(center, dtype=float)
    return (
        lambda x: sign * (radius - np.linalg.norm(x - center)),
        lambda x: center + radius * (x - center) / np.linalg.norm(x - center),
        lambda x: (x - center) / np.linalg.norm(x - center),
    )


def plane(normal, offset, sign=1.0):
    normal, offset = np.asarray(normal) / np.linalg.norm(normal), offset / np.linalg.norm(normal)
    return lambda x: sign * (offset - normal @ x), lambda x: x + (offset - normal @ x) * normal, lambda x: normal


def corner(low):
    """The set x > low in all coordinates, to enter."""
    beyond = lambda x: np.maximum(low - x, 0.0)
    return (
        lambda x: np.linalg.norm(beyond(x)) if (x < low).any() else np.max(low - x),
        lambda x: np.where(
            (x < low).any(), np.maximum(x, low), np.where(np.arange(len(x)) == np.argmin(x - low), low, x)
        ),
        lambda x: beyond(x) / np.linalg.norm(beyond(x)),
    )


def unwatched(function):
    return lambda x: 1.0 if function(x) > 0.0 else -1.0, None, None


def in_ellipse(x, y, p):
    return 1.0 - (x / p[0]) ** 2 - (y / p[1]) ** 2


def in_disc(x, y, p):
    return p[0] - np.sqrt(x * x + y * y)


D5 = np.array([1.0, 2.0, 0.5, 1.0, 4.0])
PLANAR = shld.Potential(
    lambda x, y, p: 0.25 * (x * x - 1.0) ** 2 + y * y, lambda x, y, p: (x * (x * x - 1.0), 2.0 * y), dim=2
)
INERTIA = {  # model, start, arguments, walls of the twin
    "interval": (
        *(shld.Underdamped(shld.DoubleWell(), 0.4, 1.0), -0.5, {"domain": (-1.2, 0.3)}),
        [plane([-1.0], 1.2), plane([1.0], 0.3)],
    ),
    "given momenta": (
        *(shld.Underdamped(shld.DoubleWell(), 0.4, 1.0), -0.5, {"domain": (-INF, 0.3), "p0": 0.6}),
        [plane([-1.0], INF), plane([1.0], 0.3)],
    ),
    "disc and ellipse": (
        shld.Underdamped(PLANAR, 0.4, 2.0),
        [0.6, 0.4],
        {"domain": shld.Ball([0.1, 0.0], 1.0), "targets": [shld.Region(in_ellipse, (0.5, 0.2), 2)]},
        [unwatched(lambda x: -in_ellipse(*x, (0.5, 0.2))), ball([0.1, 0.0], 1.0)],
    ),
    "vector": (
        *(shld.Underdamped(shld.QuadraticForm(D5), 0.3, 0.7), [0.4] * 5, {"domain": shld.Ball(np.zeros(5), 1.3)}),
        [ball(np.zeros(5), 1.3)],
    ),
}
PATHS = [0, 1, 2, 63, 126, 127, 128, 129, 255, 256, 300, 399]


def compare(exits, expected, dim, tolerance=1e-10):
    """400 paths on 128 lanes, so lanes are refilled; exits equal, times and places to 1e-10."""
    left = expected[:, -1] >= 0
    assert left.sum() >= 5
    assert (exits.which[PATHS] == expected[:, -1]).all()
    assert (exits.censored[PATHS] == ~left).all()
    np.testing.assert_allclose(exits.exposure[PATHS], expected[:, 0], rtol=tolerance)
    place = exits.place if dim > 1 else exits.place[:, None]
    np.testing.assert_allclose(place[PATHS], expected[:, 1:-1], rtol=tolerance, atol=tolerance)
    assert 0 < exits.censored.sum() < 400


@pytest.mark.parametrize("case", INERTIA)
def test_inertia_as_the_slow_twin(case):
    model, x0, options, walls = INERTIA[case]
    dt, limit = 0.05, 70
    exits = shld.first_passage(model, x0, dt=dt, n_paths=400, t_max=limit * dt, seed=7, **options)
    expected = naive.first_passage_inertial(
        model.potential, x0, [(phi, onto, None) for phi, onto, _ in walls], dt, limit, PATHS, 7, model.friction, model.D,
        options.get("p0"),
    )  # fmt: skip
    compare(exits, expected, model.dim)
    assert not exits.bridge and exits.scheme == "baoab"


def vector_drift(x, out, p):
    for i in range(4):
        out[i] = -p[0] * x[i]


def vector_noise(x, out, p):
    for i in range(4):
        for m in range(2):
            out[i, m] = p[1] * (1.0 + 0.3 * np.sin(x[i])) * (1.0 if (i + m) % 2 == 0 else 0.5)


def vector_matrix(x):
    pattern = np.array([[1.0 if (i + m) % 2 == 0 else 0.5 for m in range(2)] for i in range(4)])
    return 0.5 * (1.0 + 0.3 * np.sin(x))[:, :, None] * pattern


DIFFUSIONS = {  # model, start, arguments, walls of the twin, the drift and the matrix once more
    "number, Ito": (
        *(shld.Diffusion(lambda x, p: p[0] * x, lambda x, p: p[1] * x, (0.3, 0.6)), 1.0, {"domain": (0.6, 1.5)}),
        [plane([-1.0], -0.6), plane([1.0], 1.5)],
        *(lambda x: 0.3 * x, lambda x: 0.6 * x[:, :, None]),
    ),
    "two sources, Stratonovich": (
        shld.Diffusion(lambda x, p: -x, lambda x, p: (0.4, 0.3 * x), interpretation="stratonovich"),
        *(0.1, {"targets": [(0.5, INF)]}),
        [corner(0.5)],
        *(lambda x: -x, lambda x: np.stack([0.4 + 0.0 * x, 0.3 * x], axis=-1)),
    ),
    "diagonal, ball and corner": (
        shld.Diffusion(
            lambda x, y, p: (y, -x), lambda x, y, p: (0.5 + 0.2 * x * x, 0.4 + 0.2 * y), dim=2, diagonal=True
        ),
        [0.1, 0.2],
        {"domain": shld.Ball([0.0, 0.1], 0.9), "targets": [shld.Box([0.3, 0.2], [INF, INF])]},
        [corner(np.array([0.3, 0.2])), ball([0.0, 0.1], 0.9)],
        lambda x: np.stack([x[:, 1], -x[:, 0]], axis=-1),
        lambda x: np.eye(2) * np.stack([0.5 + 0.2 * x[:, 0] ** 2, 0.4 + 0.2 * x[:, 1]], axis=-1)[:, None, :],
    ),
    "disc by its distance, one source, Stratonovich": (
        shld.Diffusion(
            *(lambda x, y, p: (-x, -y), lambda x, y, p: ((0.6 + 0.2 * y,), (0.4 * x + 0.3,))),
            **{"dim": 2, "interpretation": "stratonovich"},
        ),
        [0.1, 0.2],
        {"domain": shld.Region(in_disc, (0.8,), 2, distance_function=True)},
        [ball([0.0, 0.0], 0.8)],
        *(lambda x: -x, lambda x: np.stack([0.6 + 0.2 * x[:, 1:], 0.4 * x[:, :1] + 0.3], axis=1)),
    ),
    "vector": (
        shld.Diffusion(vector_drift, vector_noise, (0.5, 0.5), 4, noise_dim=2),
        *([0.1] * 4, {"domain": shld.Ball(np.zeros(4), 0.9), "targets": [shld.HalfSpace([1.0, 1.0, 0.0, 0.0], -0.6)]}),
        [plane([1.0, 1.0, 0.0, 0.0], -0.6, -1.0), ball(np.zeros(4), 0.9)],
        *(lambda x: -0.5 * x, vector_matrix),
    ),
}


@pytest.mark.parametrize("case", DIFFUSIONS)
def test_local_noise_as_the_slow_twin(case):
    model, x0, options, walls, drift, matrix = DIFFUSIONS[case]
    dt, limit = 0.05, 35
    exits = shld.first_passage(model, x0, dt=dt, n_paths=400, t_max=limit * dt, seed=7, **options)
    expected = naive.first_passage_diffusion(drift, matrix, x0, walls, dt, limit, PATHS, 7, exits.scheme)
    # the distance of a region is differentiated by central differences
    compare(exits, expected, model.dim, 1e-7 if "distance" in case else 1e-10)
    assert exits.bridge
    plain = shld.first_passage(model, x0, dt=dt, n_paths=400, t_max=limit * dt, seed=7, bridge=False, **options)
    watched = [(phi, onto, None) for phi, onto, _ in walls]
    expected = naive.first_passage_diffusion(drift, matrix, x0, watched, dt, limit, PATHS, 7, exits.scheme)
    assert (plain.which[PATHS] == expected[:, -1]).all() and not plain.bridge


# -- the same bits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["interval", "vector", "diagonal, ball and corner"])
def test_bits_depend_on_seed_and_path_alone(case, monkeypatch):
    model, x0, options, *_ = INERTIA.get(case) or DIFFUSIONS[case]

    def run(n_paths=600, n_threads=1, seed=3):
        return shld.first_passage(
            model, x0, dt=0.01, n_paths=n_paths, t_max=0.6, seed=seed, n_threads=n_threads, **options
        )

    reference = run()
    assert 5 < reference.censored.sum() < 595
    assert bits(run(n_threads=2)) == bits(reference)
    assert bits(run(seed=4)) != bits(reference)
    for n_paths in (1, 100, 1000):
        assert bits(run(n_paths), 600) == bits(reference, n_paths)
    for amount in (1, 8, 50):
        pace = type("Pace", (), {"__init__": lambda *_: None, "begin": lambda _, n=amount: n, "end": lambda _: None})
        monkeypatch.setattr(driver, "Pace", pace)
        assert bits(run()) == bits(reference), amount


@pytest.mark.parametrize("case", ["interval", "vector", "diagonal, ball and corner"])
def test_ctrl_c_keeps_what_was_done(case, monkeypatch):
    model, x0, options, *_ = INERTIA.get(case) or DIFFUSIONS[case]
    run = functools.partial(shld.first_passage, model, x0, dt=0.01, n_paths=400, seed=3, n_threads=1, **options)
    whole, original, done = run(), _work.Team.run, []

    def stopped(self, calls):
        results = original(self, calls)
        done.append(1)
        self.interrupted = len(done) >= 3
        return results

    pace = type("Pace", (), {"__init__": lambda *_: None, "begin": lambda _: 40, "end": lambda _: None})
    monkeypatch.setattr(driver, "Pace", pace)
    monkeypatch.setattr(_work.Team, "run", stopped)
    with pytest.warns(UserWarning, match="interrupted"):
        part = run()
    left = ~part.censored
    assert part.interrupted and 0 < left.sum() < 400
    assert (part.times[left] == whole.times[left]).all() and (part.which[left] == whole.which[left]).all()
    assert (part.exposure[~left] <= whole.times[~left]).all() and part.exposure[399] == 0.0
    domain = shld.Interval(*options["domain"]) if model.dim == 1 else options["domain"]
    assert domain.contains(part.place[~left]).all()


# -- inertia ------------------------------------------------------------------------------------------------------------


def test_a_particle_that_nothing_stops():
    """Without force and hardly any friction: it leaves at the first step at which p t >= 1."""
    exits = shld.first_passage(
        shld.Underdamped(FREE, 1e-6, 1e-9), 0.0, (-1.0, 1.0), 0.03, p0=[0.7, -1.3], n_paths=2, seed=1
    )
    steps = np.ceil(1.0 / (np.array([0.7, 1.3]) * 0.03))
    np.testing.assert_allclose(exits.times, 0.03 * steps)
    np.testing.assert_allclose(exits.place, np.array([0.7, -1.3]) * exits.times, rtol=1e-5)
    assert exits.side.tolist() == [1, -1] and exits.which.tolist() == [1, 0]


MILNE = 1.4603545088095868  # -zeta(1/2): Marshall & Watson, J. Phys. A 18, 3531 (1985), in thermal lengths


def free_exits(friction, dt, n=40_000, D=1.0):
    return shld.first_passage(shld.Underdamped(FREE, D, friction), 0.0, (-1.0, 1.0), dt, n, seed=SEED).times


def test_a_free_particle_sees_its_walls_a_milne_length_away():
    """E T = friction (1 + z l)^2/(2 D), l = sqrt(D)/friction, up to O(l^2): below friction l^2/(2 D) (measured: half of it).

    The step makes exits late by dt/2, and diffusion faster by (friction dt)^2/12 = 0.08 %.
    """
    friction, dt = 10.0, 0.01
    length = 1.0 / friction
    exact = 0.5 * friction * (1.0 + MILNE * length) ** 2 + 0.5 * dt
    bias = 0.5 * friction * length**2 + 0.001 * exact
    times = free_exits(friction, dt)
    assert accepts_mean(times, exact, bias)
    assert not accepts_mean(times, 0.5 * friction + 0.5 * dt, bias)  # walls where the overdamped particle has them
    assert not accepts_mean(free_exits(friction, dt, D=1.2), exact, bias)
    assert not accepts_mean(free_exits(1.2 * friction, dt), exact, bias)


def test_exits_with_inertia_are_late_by_half_a_step():
    """dt/2 from looking at multiples of dt, and 0.19 dt^(5/4) here (measured, 2 10^6 paths) from unseen turns.

    A path that crosses slowly may turn back within a step: the momentum of first exits has a density like v^(3/2) at 0
    (McKean 1963), noise turns those below sqrt(dt), a share of dt^(5/4).
    """
    n, dts = 200_000, np.array([0.2, 0.0125])
    coarse, fine = (free_exits(1.0, dt, n) for dt in dts)
    error = np.hypot(coarse.std(), fine.std()) / np.sqrt(n)
    late = coarse.mean() - fine.mean()
    turns = -np.diff(0.19 * dts**1.25)[0]
    assert abs(late - 0.5 * (0.2 - 0.0125) - turns) < 5.0 * error + 0.005
    assert not abs(late - turns) < 5.0 * error + 0.005  # planted: no such delay
    assert not abs(late - (0.2 - 0.0125) - turns) < 5.0 * error + 0.005  # planted: a whole step


def test_strong_friction_slows_the_overdamped_particle_down():
    """friction E T of `Langevin` to a saddle a Milne length farther; the rest is O(V''/friction^2) = 0.2 %."""
    D, friction, dt, n = 0.1, 30.0, 0.01, 1000
    length = np.sqrt(D) / friction
    langevin = shld.Langevin(shld.DoubleWell(), D)
    exact = friction * theory.mean_exit_time(langevin, -1.0, (-INF, MILNE * length)) + 0.5 * dt
    bias = ((friction * dt) ** 2 / 12.0 + 2.0 / friction**2) * exact

    def times(D=D, friction=friction):
        model = shld.Underdamped(shld.DoubleWell(), D, friction)
        return shld.first_passage(model, -1.0, (-INF, 0.0), dt, n, seed=SEED).times

    good = times()
    assert accepts_mean(good, exact, bias)
    assert not accepts_mean(times(D=1.2 * D), exact, bias)
    assert not accepts_mean(good / friction, exact, bias)  # planted: time that is not slowed down


def test_inertia_leaves_a_well_as_the_twin_does_on_average():
    """D = 0.1, friction 1, to x > 0: the kernel against vectorised NumPy on noise of its own, coarse steps."""
    model, dt, n = shld.Underdamped(shld.DoubleWell(), 0.1, 1.0), 0.2, 4000

    def slow(scale=1.0):
        rng = np.random.default_rng(SEED)
        x, p, out = np.full(n, -1.0), np.sqrt(0.1) * rng.standard_normal(n), np.zeros(n)
        running, step = np.arange(n), 0
        while running.size:
            dW = scale * np.sqrt(dt) * rng.standard_normal(running.size)
            x, p = naive.baoab_step(model.potential, x, p, dW, dt, 1.0, 0.1)
            step += 1
            out[running[x >= 0.0]] = step * dt
            running, x, p = running[x < 0.0], x[x < 0.0], p[x < 0.0]
        return out

    fast = shld.first_passage(model, -1.0, (-INF, 0.0), dt, n, seed=SEED).times

    def agree(other):
        return abs(fast.mean() - other.mean()) < 5.0 * np.hypot(fast.std(), other.std()) / np.sqrt(n)

    assert agree(slow())
    assert not agree(slow(1.2))


# -- geometric Brownian motion ------------------------------------------------------------------------------------------

MU, S = 0.5, 0.6


@functools.cache
def geometric(interpretation, s=S):
    model = shld.Diffusion(lambda x, p: p[0] * x, lambda x, p: p[1] * x, (MU, s), noise_derivative=lambda x, p: p[1])
    return model if interpretation == "ito" else model.to_stratonovich()


@pytest.mark.parametrize("interpretation", ["ito", "stratonovich"])
def test_geometric_brownian_motion_hits_a_level(interpretation):
    """ln X is Brownian motion with drift mu - s^2/2: E T = ln(b/x)/(mu - s^2/2); late by less than 0.5 dt (measured, 10^6
    paths)."""
    exact, dt, n = np.log(2.0) / (MU - 0.5 * S**2), 0.05, 40_000

    def times(model, **options):
        return shld.first_passage(model, 1.0, (-INF, 2.0), dt, n, seed=SEED, **options).times

    model = geometric(interpretation)
    good = times(model)
    assert accepts_mean(good, exact, 0.6 * dt)
    assert not accepts_mean(times(model, bridge=False), exact, 0.6 * dt)
    assert not accepts_mean(times(geometric(interpretation, 1.2 * S)), exact, 0.6 * dt)
    assert not accepts_mean(good, np.log(2.0) / MU, 0.6 * dt)  # planted: the drift read in the other sense


@pytest.mark.parametrize("interpretation", ["ito", "stratonovich"])
def test_geometric_brownian_motion_between_two_levels(interpretation):
    """P(b before a) = (x^k - a^k)/(b^k - a^k), k = 1 - 2 mu/s^2; the bias is of order dt, below 0.25 dt (measured)."""
    k, dt, n = 1.0 - 2.0 * MU / S**2, 0.02, 40_000
    exact = (1.0 - 0.6**k) / (1.8**k - 0.6**k)
    exits = shld.first_passage(geometric(interpretation), 1.0, (0.6, 1.8), dt, n, seed=SEED)
    assert accepts_probability(exits.which == 1, exact, 0.25 * dt)
    np.testing.assert_array_equal(exits.place, np.where(exits.which == 1, 1.8, 0.6))
    hot = shld.first_passage(geometric(interpretation, 1.2 * S), 1.0, (0.6, 1.8), dt, n, seed=SEED)
    assert not accepts_probability(hot.which == 1, exact, 0.25 * dt)
    flat = np.log(1.0 / 0.6) / np.log(1.8 / 0.6)  # planted: ln X without drift
    assert not accepts_probability(exits.which == 1, flat, 0.25 * dt)


def bridged_chain(dt, bridge=True, low=0.6, high=1.8, cells=600):
    """P(high before low) of Euler's chain from 1, steps and bridges, by quadrature on a grid of midpoints."""
    h = (high - low) / cells
    x = low + h * (np.arange(cells) + 0.5)
    mean, spread = x * (1.0 + MU * dt), S * x * np.sqrt(dt)
    step = stats.norm.pdf(x, mean[:, None], spread[:, None]) * h
    up = stats.norm.sf((high - mean) / spread)
    if bridge:
        touch = [np.exp(-2.0 * np.outer(a, a) / spread[:, None] ** 2) for a in (x - low, high - x)]
        up += (step * touch[1]).sum(axis=1)  # touches of both ends in one step do not count here
        step *= (1.0 - touch[0]) * (1.0 - touch[1])
    return np.interp(1.0, x, np.linalg.solve(np.eye(cells) - step, up))


def test_the_order_of_exits_with_local_noise():
    """By quadrature: the error of the exit probability has slope 1 with the bridge, 1/2 without; simulated at the coarsest."""
    k, dts = 1.0 - 2.0 * MU / S**2, np.array([0.1, 0.05, 0.025, 0.0125, 0.00625])
    exact = (1.0 - 0.6**k) / (1.8**k - 0.6**k)

    def slopes(errors):
        return np.diff(np.log(np.abs(errors))) / np.diff(np.log(dts))

    errors = np.array([bridged_chain(dt) - exact for dt in dts])
    plain = np.array([bridged_chain(dt, bridge=False) - exact for dt in dts])
    assert abs(slopes(errors)[-1] - 1.0) < 0.05 and abs(errors[-1]) < 1e-3, slopes(errors)
    assert (np.abs(slopes(plain) - 0.5) < 0.05).all()
    for bridge, expected in ((None, exact + errors[0]), (False, exact + plain[0])):
        exits = shld.first_passage(geometric("ito"), 1.0, (0.6, 1.8), dts[0], 200_000, seed=SEED, bridge=bridge)
        assert accepts_probability(exits.which == 1, expected, 1e-3)
        assert not accepts_probability(exits.which == 1, exact, 1e-3)  # planted: no error of the step


# -- preconditioned Langevin --------------------------------------------------------------------------------------------


def metric(x, p):
    return 1.0 / (1.0 + x * x)


def metric_slope(x, p):
    return -2.0 * x / (1.0 + x * x) ** 2


@pytest.mark.parametrize("well", [shld.DoubleWell(), shld.TiltedDoubleWell(tilt=0.1)])
def test_preconditioned_exits_by_the_speed_measure(well):
    """E T = int_x^0 dy e^(V/D)/(D M) int_-oo^y e^(-V/D), as the generator is D e^(V/D) (M e^(-V/D) f')'."""
    D, dt, n = 0.3, 0.01, 20_000
    y = np.linspace(-4.0, 0.0, 40_001)
    inner = cumulative_simpson(np.exp(-well(y) / D), x=y, initial=0.0)

    def quadrature(M):
        outer = np.exp(well(y) / D) / (D * M) * inner
        return simpson(outer[y >= -1.0 - 1e-9], x=y[y >= -1.0 - 1e-9])

    exact = quadrature(metric(y, ()))
    langevin = theory.mean_exit_time(shld.Langevin(well, D), -1.0, (-INF, 0.0))
    assert quadrature(np.ones_like(y)) == pytest.approx(langevin, rel=1e-6)

    def times(D=D, **options):
        model = shld.Preconditioned(well, D, metric, derivative=metric_slope)
        return shld.first_passage(model, -1.0, (-INF, 0.0), dt, n, seed=SEED, **options).times

    good = times()
    assert accepts_mean(good, exact, 0.005 * exact)  # at this step -0.2 to -0.25 % (measured with 10^6 paths)
    assert not accepts_mean(good, langevin, 0.005 * exact)  # planted: M = 1
    assert not accepts_mean(times(1.2 * D), exact, 0.005 * exact)
    assert not accepts_mean(times(bridge=False), exact, 0.005 * exact)
    bare = shld.Diffusion(  # planted: without the drift D M'
        lambda x, p: -(x**3 - x + p[1]) / (1.0 + x * x), lambda x, p: np.sqrt(2.0 * p[0] / (1.0 + x * x)),
        (D, getattr(well, "tilt", 0.0)),
    )  # fmt: skip
    bare_times = shld.first_passage(bare, -1.0, (-INF, 0.0), dt, n, seed=SEED).times
    assert not accepts_mean(bare_times, exact, 0.005 * exact)


def test_label_noise_leaves_a_disc():
    """The noise points along grad f only: the exits lie on the circle, and the interpolated imbalance hardly moves."""
    model = shld.LabelNoise(shld.RescalingValley(), 0.4)
    exits = shld.first_passage(model, [1.2, 0.8], shld.Ball([1.0, 1.0], 0.6), 0.002, 2000, 50.0, seed=SEED)
    assert exits.bridge and (~exits.censored).sum() > 1000
    away = np.linalg.norm(exits.place[~exits.censored] - 1.0, axis=1)
    np.testing.assert_allclose(away, 0.6, rtol=1e-12)


# -- edges of the domain of noise, errors -------------------------------------------------------------------------------


def test_noise_that_dies_at_a_wall_does_not_cross_it():
    """dX = X dW stays positive: with a wall at 0 nobody leaves, by the bridge or otherwise."""
    model = shld.Diffusion(lambda x, p: 0.0 * x, lambda x, p: p[0] * x, (0.5,), interpretation="stratonovich")
    exits = shld.first_passage(model, 1.0, (0.0, INF), 0.01, 500, 2.0, seed=SEED)
    assert exits.censored.all()


def test_centre_of_a_ball_has_no_direction():
    model = shld.Diffusion(lambda x, y, p: (0.0, 0.0), lambda x, y, p: ((1.0, 0.0), (0.0, 1.0)), dim=2)
    exits = shld.first_passage(model, [0.0, 0.0], shld.Ball([0.0, 0.0], 2.0), 0.1, 20_000, seed=SEED)
    assert accepts_mean(exits.times, 2.0, 0.004)  # R^2/2; the curvature's bias is below 0.2 %


def test_extrapolation_knows_the_order():
    flat = shld.Underdamped(FREE, 1.0, 2.0)
    _, stderr, table = shld.extrapolate_exit_time(flat, 0.0, (-1.0, 1.0), [0.1, 0.05], 20_000, seed=SEED)
    assert table["order"] == (1.0,) and abs(table["slopes"][0] - 0.5) < 5.0 * stderr / 0.05 + 0.1
    run = functools.partial(shld.extrapolate_exit_time, geometric("ito"), 1.0, (0.6, 1.8), [0.1, 0.05], 200, seed=SEED)
    assert run().table["order"] == (1.0,) and run(bridge=False).table["order"] == (0.5,)


REFUSED = {
    "bridge must be False with inertia": lambda: shld.first_passage(
        shld.Underdamped(FREE, 1.0, 1.0), 0.0, (-1.0, 1.0), 0.1, bridge=True
    ),
    "p0 must be None for a model without momenta": lambda: shld.first_passage(
        shld.Langevin(FREE, 1.0), 0.0, (-1.0, 1.0), 0.1, p0=1.0
    ),
    "p0 must be one momentum or one for each of 3 paths": lambda: shld.first_passage(
        shld.Underdamped(FREE, 1.0, 1.0), 0.0, (-1.0, 1.0), 0.1, 3, p0=[1.0, 2.0]
    ),
    "D must be constant here": lambda: shld.first_passage(
        shld.Underdamped(FREE, shld.Exponential(1.0, 0.1, 1.0), 1.0), 0.0, (-1.0, 1.0), 0.1
    ),
    "scheme must be 'euler' for an Ito equation": lambda: shld.first_passage(
        geometric("ito"), 1.0, (0.5, 2.0), 0.1, scheme="heun"
    ),
    "model must be a Langevin, a LevyFlight, an Underdamped or a Diffusion": lambda: shld.first_passage(
        FREE, 0.0, (-1.0, 1.0), 0.1
    ),
    "noise must be finite at x0": lambda: shld.first_passage(
        shld.Diffusion(lambda x, p: x, lambda x, p: 1.0 / x), 0.0, (-1.0, 1.0), 0.1
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message):
    with pytest.raises((ValueError, TypeError), match=message):
        REFUSED[message]()


@pytest.mark.parametrize("kind", ["inertia", "diffusion"])
def test_a_path_that_runs_away_is_named(kind):
    if kind == "inertia":
        model = shld.Underdamped(shld.Polynomial([0.0, 0.0, 0.0, 0.0, 0.25]), 0.1, 1.0)
    else:
        model = shld.Diffusion(lambda x, p: -(x**3), lambda x, p: 1.0)
    starts = [0.1, 90.0, 0.1]
    with pytest.raises(shld.DivergenceError, match="path 1 ") as caught:
        shld.first_passage(model, starts, dt=0.05, targets=[(5.0, 5.001)], t_max=100.0, seed=1)
    assert caught.value.path == 1


def test_exits_of_every_model_to_a_file(tmp_path):
    inertia = shld.first_passage(shld.Underdamped(shld.DoubleWell(), 0.3, 1.0), -1.0, (-INF, 0.0), 0.1, 20, seed=1)
    inertia.save(tmp_path / "inertia.npz")
    back = shld.Exits.load(tmp_path / "inertia.npz")
    assert back.model == inertia.model and bits(back) == bits(inertia)
    mine = shld.first_passage(geometric("ito"), 1.0, (0.5, 2.0), 0.1, 20, seed=1)
    mine.save(tmp_path / "mine.npz")
    with pytest.raises(ValueError, match="model= is needed"):
        shld.Exits.load(tmp_path / "mine.npz")
    assert bits(shld.Exits.load(tmp_path / "mine.npz", model=geometric("ito"))) == bits(mine)
