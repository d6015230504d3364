"""Rare exits: unbiased against exact laws and a NumPy twin of the chain, honest intervals, bits, planted errors.

Tolerances are 5 standard errors or the same false-alarm rate, 5.7e-7. ``SHLD_TEST_SEED`` changes the random numbers.
"""

import dataclasses
import inspect
import math
import os

import numpy as np
import pytest
from numba import njit
from scipy import sparse, stats
from scipy.interpolate import RegularGridInterpolator
from scipy.sparse.linalg import spsolve

import shld_sim as shld
from shld_sim import _work, rare, theory
from shld_sim._compile import rebound
from shld_sim.engine import splitting

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))
FALSE_ALARM = 2.0 * stats.norm.sf(5.0)
INF = np.inf
HEIGHT = 0.25


def well(ratio):
    """A double well whose barrier is ``ratio`` times D."""
    return shld.Langevin(shld.DoubleWell(height=HEIGHT), HEIGHT / ratio)


def escape(ratio, seed=SEED, **options):
    """From -1 to the saddle."""
    settings = {"home": -1.0, "dt": 0.02, "n_replicas": 250, "n_runs": 32, "seed": seed, **options}
    return rare.rare_exit(well(ratio), -1.0, 0.0, **settings)


def accepts(measured, error, exact, extra_error=0.0):
    return abs(measured - exact) <= 5.0 * math.hypot(error, extra_error)


def bits(exits):
    names = ("probabilities", "loops", "reactive", "first", "rounds")
    return tuple(getattr(exits, name).tobytes() for name in names), exits.cost, exits.surface


# -- against exact laws -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratio", "x0", "n_kill"), [(3.0, -0.6, 1), (4.0, -0.8, 30), (10.0, -0.8, 1), (25.0, -0.9, 1)])
def test_probabilities_are_the_committor(ratio, x0, n_kill):
    """From 0.1 to 1e-11."""
    options = {"home": -1.0, "dt": 0.02, "n_replicas": 200, "n_runs": 60, "seed": SEED, "n_kill": n_kill}
    exits = rare.rare_exit(well(ratio), x0, 0.0, **options)
    exact = theory.exit_probability(well(ratio), x0, (-1.0, 0.0))
    assert accepts(exits.probability(), exits.probability_stderr(), exact)
    assert not accepts(1.5 * exits.probability(), exits.probability_stderr(), exact)
    low, high = exits.probability_interval(1.0 - FALSE_ALARM)
    assert low < exact < high
    assert exact < (1e-8 if ratio == 25.0 else 1.0)
    # the variance of ideal splitting is -log(p)/N, so that one in a thousand paths is enough
    if n_kill == 1:
        spread = np.log(exits.probabilities).var(ddof=1) / (-math.log(exact) / 200)
        assert stats.chi2.ppf(FALSE_ALARM, 59) / 59 < spread < 1.3 * stats.chi2.isf(FALSE_ALARM, 59) / 59


def test_mean_times_agree_with_theory_and_with_direct_simulation():
    exits = escape(3.5, n_runs=100, dt=0.01)
    exact = theory.mean_exit_time(well(3.5), -1.0, (-INF, 0.0))
    assert accepts(exits.mean(), exits.stderr(), exact)
    direct = shld.first_passage(well(3.5), -1.0, (-INF, 0.0), 0.01, 2000, seed=SEED)
    assert accepts(exits.mean(), exits.stderr(), direct.mean(), direct.stderr())
    assert exits.rate() == 1.0 / exits.mean()
    assert exits.stderr() < 0.03 * exact


@pytest.mark.parametrize("surface", [-0.9, -0.5])
def test_the_surface_does_not_matter(surface):
    exits = escape(6.0, surface=surface)
    assert exits.surface == surface
    assert accepts(exits.mean(), exits.stderr(), theory.mean_exit_time(well(6.0), -1.0, (-INF, 0.0)))


def test_downwards_and_from_behind_home():
    """From 1.4 over home at 1.1 to the far side of the saddle: mirrored, with a start that is not the boundary of home."""
    model = well(5.0)
    exits = rare.rare_exit(model, 1.4, -0.3, home=1.1, dt=0.02, n_replicas=250, n_runs=32, seed=SEED)
    assert -0.3 < exits.surface < 1.1
    assert accepts(exits.mean(), exits.stderr(), theory.mean_exit_time(model, 1.4, (-0.3, INF)))


def coverage(ratio, seeds, **options):
    """Which of the intervals of 95 % hold the exact value, of the mean time and of the probability from the surface."""
    exact = theory.mean_exit_time(well(ratio), -1.0, (-INF, 0.0))
    times, chances, results = [], [], []
    for seed in seeds:
        exits = rare.rare_exit(well(ratio), -1.0, 0.0, home=-1.0, dt=0.02, seed=seed, **options)
        low, high = exits.interval()
        times.append(low <= exact <= high)
        low, high = exits.probability_interval()
        chances.append(low <= theory.exit_probability(well(ratio), exits.surface, (-1.0, 0.0)) <= high)
        results.append(exits)
    return np.array(times), np.array(chances), results, exact


def quantile(n_runs, level=0.95):
    """Half an interval over its error: the normal quantile, and the scatter at its upper limit."""
    return stats.norm.ppf(0.5 + 0.5 * level) * math.sqrt((n_runs - 1) / stats.chi2.ppf(1.0 - level, n_runs - 1))


@pytest.mark.parametrize("ratio", [10.0, pytest.param(25.0, marks=pytest.mark.slow)])
def test_intervals_cover_with_few_runs(ratio):
    """Few runs show best what is wrong with an interval; at least 95 % of 200 seeds to 5 standard errors."""
    seeds = [np.random.SeedSequence((SEED, k)) for k in range(200)]
    times, chances, results, exact = coverage(ratio, seeds, n_replicas=50, n_runs=8)
    least = stats.binom.ppf(FALSE_ALARM, 200, 0.95)
    assert times.sum() >= least and chances.sum() >= least
    logs = np.array([math.log(exits.mean() / exact) for exits in results])
    error = np.array([exits.stderr() / exits.mean() for exits in results])
    # the estimate of T is about 1/p, whose logarithm is on average half a variance above
    assert abs(logs.mean()) < 5.0 * logs.std() / math.sqrt(200) + 0.5 * logs.var()
    # the scatter between seeds, known to 5 %, is what the results say of themselves: errors half as large are seen
    said = math.sqrt(np.mean(error**2))
    assert 0.75 * said < logs.std() < 1.25 * said
    assert (np.abs(logs) < 0.3 * quantile(8) * error).sum() < least  # planted: too narrow
    assert (np.abs(logs + 0.9) < quantile(8) * error).sum() < least  # planted: about another number


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [10.0, 15.0, 20.0, 25.0])
def test_nineteen_of_twenty(ratio):
    """At default settings, seeds 0 to 19."""
    times, chances, results, exact = coverage(ratio, range(20))
    assert times.sum() >= 19
    assert chances.sum() >= 19
    middle = theory.exit_probability(well(ratio), -0.9, (-1.0, 0.0))
    bounds = [
        rare.rare_exit(well(ratio), -0.9, 0.0, home=-1.0, dt=0.02, seed=seed).probability_interval()
        for seed in range(20)
    ]
    assert sum(low <= middle <= high for low, high in bounds) >= 19
    assert max(exits.stderr() for exits in results) < 0.1 * exact
    for exits in results:
        # direct simulation to the same error takes E T/dt steps for each of (T/error)^2 exits
        assert exits.cost < 1e-2 * (exact / 0.02) * (exact / exits.stderr()) ** 2


def test_the_error_is_not_below_that_of_ideal_splitting():
    """Runs that agree by chance: their scatter says little, -log(p)/N per run is the least."""
    exits = escape(10.0, n_replicas=50, n_runs=6)
    same = dataclasses.replace(exits, probabilities=np.full(6, exits.probability()))
    least = math.sqrt(-math.log(exits.probability()) / (50 * 6))
    assert same.probability_stderr() == pytest.approx(least * exits.probability(), rel=1e-12)
    assert same.stderr() > 0.98 * least * same.mean()
    low, high = same.probability_interval()
    assert math.log(high / low) == pytest.approx(2.0 * quantile(6) * least, rel=1e-12)
    scattered = dataclasses.replace(exits, probabilities=exits.probability() * np.array([0.1, 0.2, 0.3, 0.4, 1.0, 4.0]))
    scatter = scattered.probabilities.std(ddof=1) / math.sqrt(6)
    assert scattered.probability_stderr() == scatter
    assert scatter > 2.0 * least * exits.probability()


def test_cost_is_far_below_that_of_direct_simulation():
    exits = escape(20.0)
    assert exits.stderr() < 0.08 * exits.mean()
    assert exits.cost < 1e-4 * exits.direct_cost()
    middle = rare.rare_exit(well(20.0), -0.9, 0.0, home=-1.0, dt=0.02, n_replicas=100, n_runs=8)
    assert middle.cost < 1e-3 * middle.direct_cost()


# -- the chain of a user's coordinate, whose levels may tie -------------------------------------------------------------


def steps_of(x, p):
    """Position rounded down to multiples of p[0]: replicas tie all the time."""
    return math.floor(x / p[0]) * p[0]


CHAIN = {"home": -1.0, "dt": 0.05, "coordinate": steps_of, "params": (0.125,), "n_replicas": 60, "n_runs": 400}
CHAIN_START, CHAIN_MODEL = -0.7, shld.Langevin(shld.DoubleWell(), HEIGHT / 4.0)


def chain_probability(n_paths=200_000):
    """Direct simulation of the Heun chain in NumPy: reach the levels at or above 0 before those at or below -1."""
    rng = np.random.default_rng(SEED)
    x, hits = np.full(n_paths, CHAIN_START), 0
    V, D, dt = CHAIN_MODEL.potential, CHAIN_MODEL.D, CHAIN["dt"]
    while x.size:
        noise = math.sqrt(2.0 * D * dt) * rng.standard_normal(x.size)
        g = V.gradient(x)
        x = x - 0.5 * dt * (g + V.gradient(x - g * dt + noise)) + noise
        level = np.floor(x / 0.125) * 0.125
        hits += int((level >= 0.0).sum())
        x = x[(level > -1.0) & (level < 0.0)]
    return hits / n_paths, math.sqrt(hits) / n_paths


@pytest.fixture(scope="module")
def chain():
    return chain_probability()


@pytest.mark.parametrize("n_kill", [1, 9])
def test_the_estimate_is_unbiased_for_the_chain_with_ties(chain, n_kill):
    exits = rare.rare_exit(CHAIN_MODEL, CHAIN_START, 0.0, **CHAIN, n_kill=n_kill, seed=SEED)
    assert accepts(exits.probability(), exits.probability_stderr(), chain[0], chain[1])
    assert exits.rounds.max() <= 7  # a round for each level there is


def planted(monkeypatch, old, new):
    """Make `rare_exit` use a splitting kernel with an error in it."""
    source = inspect.getsource(splitting._splitting_template)
    assert source.count(old) == 1
    namespace = dict(vars(splitting))
    exec(source.replace(old, new), namespace)
    proper = splitting.splitting_kernels

    def kernels(*arguments):
        loops, split = proper(*arguments)
        names = {name: split.py_func.__globals__[name] for name in ("walk", "place")}
        return loops, njit(**splitting.STRICT)(rebound(namespace["_splitting_template"](""), {**namespace, **names}))

    monkeypatch.setattr(splitting, "splitting_kernels", kernels)


def test_a_weight_that_forgets_ties_is_found(monkeypatch, chain):
    planted(monkeypatch, "v[WEIGHT] *= 1.0 - dead / n_replicas", "v[WEIGHT] *= 1.0 - n_kill / n_replicas")
    exits = rare.rare_exit(CHAIN_MODEL, CHAIN_START, 0.0, **CHAIN, seed=SEED)
    assert not accepts(exits.probability(), exits.probability_stderr(), chain[0], chain[1])


def test_ties_that_survive_are_found(monkeypatch):
    """A replica left at the killing level has no point above it to branch from."""
    planted(monkeypatch, "if level[i] <= z:", "if level[i] < z or (level[i] == z and dead < n_kill):")
    with pytest.raises(RuntimeError, match="repeated"):
        rare.rare_exit(CHAIN_MODEL, CHAIN_START, 0.0, **CHAIN, seed=SEED)


def test_replicas_that_all_die_count_as_zero():
    """With three replicas and steps as wide as the way, most runs die out; the mean over many is still right."""
    options = {**CHAIN, "params": (0.5,), "n_replicas": 3, "n_runs": 4000}
    exits = rare.rare_exit(CHAIN_MODEL, -0.5, 0.0, **options, seed=SEED)
    assert (exits.probabilities == 0.0).mean() > 0.2
    many = rare.rare_exit(CHAIN_MODEL, -0.5, 0.0, **{**options, "n_replicas": 400, "n_runs": 100}, seed=SEED + 1)
    assert accepts(exits.probability(), exits.probability_stderr(), many.probability(), many.probability_stderr())


# -- two dimensions -----------------------------------------------------------------------------------------------------


def valley_energy(x, y, p):
    return 0.25 * (x * x - 1.0) ** 2 + 0.5 * p[0] * (y - x) ** 2


def valley_gradient(x, y, p):
    return x * (x * x - 1.0) - p[0] * (y - x), p[0] * (y - x)


def position(x, y, p):
    return x


def sheared(x, y, p):
    return 0.7 * x + 0.3 * y


def along(x, y, p):
    """Progress on the way of Mueller-Brown from its deepest minimum (0) over the saddle (3) to the other well (9)."""
    w0 = math.exp(-10.0 * ((x + 0.558) ** 2 + (y - 1.442) ** 2))
    w1 = math.exp(-10.0 * ((x + 0.70) ** 2 + (y - 1.17) ** 2))
    w2 = math.exp(-10.0 * ((x + 0.80) ** 2 + (y - 0.90) ** 2))
    w3 = math.exp(-10.0 * ((x + 0.822) ** 2 + (y - 0.624) ** 2))
    w4 = math.exp(-10.0 * ((x + 0.58) ** 2 + (y - 0.55) ** 2))
    w5 = math.exp(-10.0 * ((x + 0.32) ** 2 + (y - 0.52) ** 2))
    w6 = math.exp(-10.0 * ((x + 0.05) ** 2 + (y - 0.467) ** 2))
    w7 = math.exp(-10.0 * ((x - 0.212) ** 2 + (y - 0.293) ** 2))
    w8 = math.exp(-10.0 * ((x - 0.42) ** 2 + (y - 0.16) ** 2))
    w9 = math.exp(-10.0 * ((x - 0.623) ** 2 + (y - 0.028) ** 2))
    total = w0 + w1 + w2 + w3 + w4 + w5 + w6 + w7 + w8 + w9 + 1e-300
    return (w1 + 2 * w2 + 3 * w3 + 4 * w4 + 5 * w5 + 6 * w6 + 7 * w7 + 8 * w8 + 9 * w9) / total


def grid_times(model, box, inside, start, sizes=(140, 280)):
    """Mean time to the points where ``inside``, from the backward equation on two grids, and the Gibbs weights.

    Rates between neighbours D/h^2 exp(-(V_j - V_i)/(2D)): detailed balance holds exactly, the error is O(h^2).
    """
    times = []
    for n in sizes:
        x, y = (np.linspace(*side, n) for side in box)
        X, Y = np.meshgrid(x, y, indexing="ij")
        E = model.potential(np.stack([X, Y], -1)) / model.D
        E = np.minimum(E - E.min(), 80.0)
        number = np.arange(n * n).reshape(n, n)
        rows, columns, rates = [], [], []
        for axis, side in enumerate((x, y)):
            low, high = (np.take(number, k, axis).ravel() for k in (range(n - 1), range(1, n)))
            rise = 0.5 * (E.ravel()[high] - E.ravel()[low])
            rows += [low, high]
            columns += [high, low]
            rates += [model.D / (side[1] - side[0]) ** 2 * np.exp(s * rise) for s in (-1.0, 1.0)]
        Q = sparse.coo_matrix((np.concatenate(rates), (np.concatenate(rows), np.concatenate(columns)))).tocsr()
        free = np.flatnonzero(~inside(X, Y).ravel())
        A = (sparse.diags(np.asarray(Q.sum(1)).ravel()) - Q)[free][:, free].tocsc()
        T = np.zeros(n * n)
        T[free] = spsolve(A, np.ones(free.size))
        times.append(float(RegularGridInterpolator((x, y), T.reshape(n, n))(start)[0]))
    return (4.0 * times[1] - times[0]) / 3.0, abs(times[1] - times[0]), (X, Y, np.exp(-E))


@pytest.mark.parametrize("coordinate", [position, sheared])
def test_mean_time_in_two_dimensions(coordinate):
    """A valley with coupled coordinates; both coordinates aim at the same far basin, so that they give the same time."""
    potential = shld.Potential(valley_energy, valley_gradient, params=(2.0,), dim=2)
    model = shld.Langevin(potential, 0.25 / 6.0)
    start, shift = np.array([-1.0, -1.0]), 0.5826 * math.sqrt(2.0 * model.D * 0.02)
    exact, error, _ = grid_times(
        model, ((-2.0, 2.0), (-2.2, 2.2)), lambda x, y: coordinate(x, y, ()) >= 0.5 + shift, start, (100, 200)
    )
    options = {"home": -0.9, "dt": 0.02, "n_replicas": 250, "n_runs": 48, "seed": SEED}
    exits = rare.rare_exit(model, start, 0.5, coordinate=coordinate, **options)
    assert accepts(exits.mean(), exits.stderr(), exact, error)
    assert exits.stderr() < 0.06 * exact
    assert not accepts(1.5 * exits.mean(), exits.stderr(), exact, error)


@pytest.mark.slow
@pytest.mark.parametrize(("D", "eigenvalue"), [(15.0, 1.5544181154827987), (7.0, 0.013220852604)])
def test_mueller_brown(D, eigenvalue):
    """The eigenvalues come from a grid-free expansion; lambda_1 = k_AB + k_BA, so that k_AB = lambda_1 times B's weight."""
    model = shld.Langevin(shld.MuellerBrown(), D)
    start = model.potential.minima()[0]
    value = np.vectorize(lambda x, y: along(x, y, ()))
    box = ((-1.7, 1.4), (-0.6, 2.2))
    exact, error, (X, Y, weight) = grid_times(model, box, lambda x, y: value(x, y) >= 8.0, start)
    options = {"home": 0.8, "coordinate": along, "dt": 4e-5, "n_replicas": 400, "n_runs": 64, "seed": SEED}
    exits = rare.rare_exit(model, start, 8.0, **options)
    assert accepts(exits.mean(), exits.stderr(), exact, error)
    assert exits.stderr() < 0.06 * exact
    share = float(weight[value(X, Y) > 3.05].sum() / weight.sum())
    # T_AB lambda_1 share = 1 up to the ratio of times within and between the wells, 2 % at D = 7
    assert abs(exits.rate() / (eigenvalue * share) - 1.0) < 5.0 * exits.stderr() / exits.mean() + 0.3 * D / 15.0


def short_of_target(x, y, p):
    return 8.0 - along(x, y, p)


@pytest.mark.slow
@pytest.mark.parametrize(("D", "n_paths"), [(15.0, 500), (12.0, 100)])
def test_mueller_brown_beside_direct_simulation(D, n_paths):
    """Another scheme (Euler), another kernel, no levels. Both see the target at the times of the chain alone."""
    model = shld.Langevin(shld.MuellerBrown(), D)
    start, dt = model.potential.minima()[0], 2e-5
    region = shld.Region(short_of_target, dim=2)
    direct = shld.first_passage(model, start, region, dt, n_paths, seed=SEED)
    options = {"home": 0.8, "coordinate": along, "dt": dt, "n_replicas": 400, "n_runs": 32, "seed": SEED}
    exits = rare.rare_exit(model, start, 8.0, **options)
    assert not direct.censored.any()
    assert accepts(exits.mean(), exits.stderr(), direct.mean(), direct.stderr())
    assert not accepts(2.0 * exits.mean(), exits.stderr(), direct.mean(), direct.stderr())
    low, high = exits.interval(1.0 - FALSE_ALARM)
    assert low < direct.mean() + 5.0 * direct.stderr() and high > direct.mean() - 5.0 * direct.stderr()


# -- bits, pieces, interruption -----------------------------------------------------------------------------------------


def small_pieces(monkeypatch, size):
    class Pace:
        def __init__(self, first):
            pass

        def begin(self):
            return size

        def end(self):
            pass

    monkeypatch.setattr(rare, "Pace", Pace)


def test_threads_and_pieces_do_not_change_the_bits(monkeypatch):
    one = escape(8.0, n_threads=1, n_runs=5, n_replicas=40)
    three = escape(8.0, n_threads=3, n_runs=5, n_replicas=40)
    assert bits(one) == bits(three)
    assert bits(one) != bits(escape(8.0, n_runs=5, n_replicas=40, seed=SEED + 1))
    more = escape(8.0, n_runs=7, n_replicas=40)
    assert (more.surface == one.surface) == (more.probabilities[:5] == one.probabilities).all()
    small_pieces(monkeypatch, 777)
    pieces = escape(8.0, n_threads=2, n_runs=5, n_replicas=40)
    assert bits(pieces)[0] == bits(one)[0]


def test_interruption_keeps_the_runs_that_were_finished(monkeypatch):
    whole = escape(8.0, n_threads=1, n_runs=6, n_replicas=40)
    original = _work.Team.run

    def run(self, calls):
        results = original(self, calls)
        self.calls = getattr(self, "calls", 0) + 1
        self.interrupted = self.calls >= 8
        return results

    monkeypatch.setattr(_work.Team, "run", run)
    small_pieces(monkeypatch, whole.cost // 20)
    with pytest.warns(UserWarning, match="of 6 runs"):
        part = escape(8.0, n_threads=1, n_runs=6, n_replicas=40)
    n = len(part.probabilities)
    assert part.interrupted and not whole.interrupted and "interrupted" in repr(part)
    assert 1 <= n < 6
    assert (part.probabilities == whole.probabilities[:n]).all()
    assert part.cost < whole.cost


def test_an_interruption_before_the_first_run_ends_says_so(monkeypatch):
    def run(self, calls):
        self.interrupted = True

    monkeypatch.setattr(_work.Team, "run", run)
    with pytest.warns(UserWarning, match="0 of 4 runs"):
        part = escape(8.0, n_runs=4)
    with pytest.raises(ValueError, match="needs at least 1 finished runs, got 0"):
        part.mean()
    assert "0 runs" in repr(part)


# -- what wrong input says ----------------------------------------------------------------------------------------------

BASE = {"model": well(5.0), "x0": -1.0, "target": 0.0, "home": -1.0, "dt": 0.02, "n_replicas": 4, "n_runs": 2}
FLAT = shld.Langevin(shld.QuadraticForm([1.0, 1.0]), 1.0)
WRONG = [
    ({"model": 3}, TypeError, "model"),
    ({"model": shld.LevyFlight(shld.DoubleWell(), 1.5, 0.1)}, TypeError, "model"),
    ({"model": shld.Langevin(shld.DoubleWell(), shld.Exponential(1.0, 0.5, 1.0))}, ValueError, "D"),
    ({"x0": 0.0}, ValueError, "x0"),
    ({"x0": [-1.0, -1.0]}, ValueError, "x0"),
    ({"x0": math.nan}, ValueError, "x0"),
    ({"target": -1.0}, ValueError, "target"),
    ({"target": math.inf}, ValueError, "target"),
    ({"home": "left"}, TypeError, "home"),
    ({"dt": 0.0}, ValueError, "dt"),
    ({"surface": 0.5}, ValueError, "surface"),
    ({"x0": -0.5, "surface": -0.2}, ValueError, "surface"),
    ({"n_replicas": 1}, ValueError, "n_replicas"),
    ({"n_kill": 4}, ValueError, "n_kill"),
    ({"n_kill": 0}, ValueError, "n_kill"),
    ({"n_runs": 0}, ValueError, "n_runs"),
    ({"n_threads": 0}, ValueError, "n_threads"),
    ({"seed": -1}, ValueError, "seed"),
    ({"coordinate": 3}, TypeError, "coordinate"),
    ({"coordinate": lambda x: x}, ValueError, "coordinate"),
    ({"coordinate": lambda x, p: x.real_part}, ValueError, "coordinate"),
    ({"coordinate": lambda x, p: x, "home": 1.0}, ValueError, "target"),
    ({"coordinate": lambda x, p: math.nan * x}, ValueError, "coordinate"),
    ({"coordinate": lambda x, p: x, "params": ("a",)}, TypeError, r"params\[0\]"),
    ({"model": FLAT, "x0": (0.0, 0.0)}, ValueError, "coordinate"),
]


@pytest.mark.parametrize(("change", "error", "name"), WRONG)
def test_wrong_input_is_named(change, error, name):
    with pytest.raises(error, match=rf"^{name} ") as caught:
        rare.rare_exit(**{**BASE, **change})
    assert "\n" not in str(caught.value)


def test_a_probability_has_no_mean_time():
    exits = rare.rare_exit(**{**BASE, "x0": -0.5})
    for method in (exits.mean, exits.stderr, exits.interval, exits.rate):
        with pytest.raises(ValueError, match="x0 at home"):
            method()
    alone = rare.rare_exit(**{**BASE, "n_runs": 1})
    assert alone.mean() > 0.0
    with pytest.raises(ValueError, match="at least 2"):
        alone.interval()


def test_a_path_that_diverges_is_reported():
    model = shld.Langevin(shld.DoubleWell(), 0.05)
    with pytest.raises(shld.DivergenceError):
        rare.rare_exit(model, -3.0, 0.0, home=-2.9, dt=2.0, n_replicas=4, n_runs=2, surface=-2.8)
