"""Ensembles: the kernels against slow NumPy twins, shapes, bits, continuation, interruption, and what wrong input says."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time

import naive
import numpy as np
import pytest

import shld_sim as shld
from shld_sim import _work
from shld_sim.results import Status

driver = sys.modules["shld_sim.simulate.ensemble"]


def _bowl_energy(x, y, z, p):
    return 0.25 * (x * x + y * y + z * z) ** 2 + p[0] * x * y


def _bowl_gradient(x, y, z, p):
    r2 = x * x + y * y + z * z
    return r2 * x + p[0] * y, r2 * y + p[0] * x, r2 * z


def _sextic_energy(x, p):
    return p[0] * x**6 / 6.0 + np.cos(x)


def _sextic_gradient(x, p):
    return p[0] * x**5 - np.sin(x)


def _chain_energy(x, p):
    total = 0.0
    for i in range(x.shape[0]):
        total += 0.25 * x[i] ** 4
        if i > 0:
            total += 0.5 * p[0] * (x[i] - x[i - 1]) ** 2
    return total


def _chain_gradient(x, out, p):
    for i in range(x.shape[0]):
        out[i] = x[i] ** 3
        if i > 0:
            out[i] += p[0] * (x[i] - x[i - 1])
        if i + 1 < x.shape[0]:
            out[i] += p[0] * (x[i] - x[i + 1])


SEXTIC = shld.Potential(_sextic_energy, _sextic_gradient, (0.5,))
BOWL = shld.Potential(_bowl_energy, _bowl_gradient, (0.3,), dim=3)
CHAIN = shld.Potential(_chain_energy, _chain_gradient, (0.7,), dim=5)
STYLES = {
    "library 1-D": shld.TiltedDoubleWell(),
    "user 1-D": SEXTIC,
    "2-D": shld.RescalingValley(),
    "user 3-D": BOWL,
    "user vector": CHAIN,
    "50 dimensions": shld.QuadraticForm(np.linspace(0.1, 5.0, 50)),
}
WELL = shld.Langevin(shld.DoubleWell(), D=0.2)


def bits(run):
    return run.x.tobytes(), run.t.tobytes(), run.words.tobytes(), run.status.tobytes()


def small_pieces(monkeypatch, sizes):
    """Make every piece of work as long as the next of ``sizes``, over and over."""

    class Pace:
        def __init__(self, first):
            self.i = -1

        def begin(self):
            self.i += 1
            return sizes[self.i % len(sizes)]

        def end(self):
            pass

    monkeypatch.setattr(driver, "Pace", Pace)


# -- the kernel against its slow twin -----------------------------------------------------------------------------------


def increments(rng, potential, n_steps, n_paths, dt):
    shape = (n_steps, n_paths) if potential.dim == 1 else (n_steps, n_paths, potential.dim)
    return np.sqrt(dt) * rng.standard_normal(shape)


@pytest.mark.parametrize("style", STYLES)
def test_euler_on_given_noise(style):
    """13 steps of 131 paths: more than a block of lanes, and an odd number of steps."""
    V, dt = STYLES[style], 0.02
    rng = np.random.default_rng(1)
    noise = increments(rng, V, 13, 131, dt)
    x0 = rng.uniform(-1.0, 1.0, noise.shape[1:])
    run = shld.simulate(shld.Langevin(V, D=0.3), x0, dt, noise=noise, save_every=1)
    np.testing.assert_allclose(run.x, naive.path(V, x0, dt, np.sqrt(0.6) * noise), rtol=1e-10, atol=1e-13)
    flight = shld.simulate(shld.LevyFlight(V, 1.5, sigma=0.7), x0, dt, noise=noise, scheme="euler")
    np.testing.assert_allclose(flight.final, naive.path(V, x0, dt, 0.7 * noise)[-1], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dim", [2, 7, 8, 9, 17])
def test_vectors_around_a_tile_on_given_noise(dim):
    """The kernel moves eight paths by eight coordinates at a time; 35 paths are more than a block of lanes."""
    V, dt = shld.MexicanHat(dim), 0.02
    rng = np.random.default_rng(6)
    noise = increments(rng, V, 13, 35, dt)
    x0 = rng.uniform(-1.0, 1.0, noise.shape[1:])
    run = shld.simulate(shld.Langevin(V, D=0.3), x0, dt, noise=noise, save_every=1)
    np.testing.assert_allclose(run.x, naive.path(V, x0, dt, np.sqrt(0.6) * noise), rtol=1e-10, atol=1e-13)
    turned = naive.path(V, x0, dt, np.sqrt(0.6) * noise[..., ::-1])
    assert np.abs(turned - run.x).max() > 1e-2  # the noise of other coordinates makes other paths


@pytest.mark.parametrize("potential", [shld.Harmonic(2.0), shld.Quartic(1.5), shld.DoubleWell(0.7, 1.2)], ids=repr)
def test_split_with_an_exact_flow_on_given_noise(potential):
    rng = np.random.default_rng(2)
    noise = rng.standard_cauchy((21, 131))
    run = shld.simulate(shld.LevyFlight(potential, 1.2, 0.5), 0.3, 0.1, noise=noise, save_every=1)
    expected = naive.path(potential, 0.3, 0.1, 0.5 * noise, "split")
    np.testing.assert_allclose(run.x, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("style", ["library 1-D", "user 1-D", "2-D", "user 3-D", "user vector"])
def test_split_with_a_computed_flow_on_given_noise(style):
    """The flow is computed to 1e-7 of 1 + |x| in each descent; the wells contract, so three steps stay below 1e-6."""
    V, dt = STYLES[style], 0.05
    rng = np.random.default_rng(3)
    noise = 10.0 * increments(rng, V, 3, 2, dt)
    x0 = rng.uniform(-1.0, 1.0, noise.shape[1:])
    run = shld.simulate(shld.LevyFlight(V, 1.5, 0.6), x0, dt, noise=noise, save_every=1)
    np.testing.assert_allclose(run.x, naive.path(V, x0, dt, 0.6 * noise, "split"), rtol=1e-6, atol=1e-6)


def test_the_computed_flow_agrees_with_the_exact_one():
    """The same quartic well with and without a flow of its own, under Cauchy noise with jumps of thousands."""
    Q = shld.Quartic()
    user = shld.Potential(lambda x, p: 0.25 * x * x * x * x, lambda x, p: x * x * x)
    noise = np.random.default_rng(4).standard_cauchy((40, 200))
    assert np.abs(noise).max() > 1000.0
    exact, computed = (
        shld.simulate(shld.LevyFlight(V, 1.0, 1.0), 0.0, 0.05, noise=noise, save_every=1).x for V in (Q, user)
    )
    np.testing.assert_allclose(computed, exact, rtol=2e-6, atol=2e-6)


def test_one_step_of_the_computed_flow_is_of_fifth_order():
    """Its error falls with the sixth power of the step, by 64: a wrong coefficient leaves the fourth power or less."""
    user = shld.Potential(lambda x, p: 0.25 * x * x * x * x - 0.5 * x * x, lambda x, p: x * x * x - x)
    x0 = np.array([-1.6, -1.3, 1.2, 1.4])
    errors = []
    for dt in (0.02, 0.01):
        flows = [
            shld.simulate(shld.LevyFlight(V, 1.5, 0.1), x0, dt, noise=np.zeros((1, 4))).final
            for V in (user, shld.DoubleWell())
        ]
        errors.append(np.abs(flows[0] - flows[1]))
    ratio = errors[0] / errors[1]
    assert np.all((ratio > 45.0) & (ratio < 130.0)), ratio


OWN_NOISE = {
    "normal 1-D": (WELL, "normal", "euler", 2.0, np.sqrt(2 * 0.2)),
    "normal 2-D": (shld.Langevin(shld.RescalingValley(), 0.1), "normal", "euler", 2.0, np.sqrt(0.2)),
    "normal 3-D": (shld.Langevin(BOWL, 0.1), "normal", "euler", 2.0, np.sqrt(0.2)),
    "normal 50-D": (shld.Langevin(STYLES["50 dimensions"], 0.1), "normal", "euler", 2.0, np.sqrt(0.2)),
    "stable 1-D": (shld.LevyFlight(shld.DoubleWell(), 1.3, 0.4), "stable", "split", 1.3, 0.4),
    "stable alpha=2": (shld.LevyFlight(shld.DoubleWell(), 2.0, 0.4), "normal", "split", 2.0, 0.4 * np.sqrt(2.0)),
    "isotropic 2-D": (shld.LevyFlight(shld.RescalingValley(), 1.7, 0.01), "isotropic", "euler", 1.7, 0.01),
    "independent 3-D": (shld.LevyFlight(BOWL, 1.7, 0.01, "independent"), "stable", "euler", 1.7, 0.01),
}


@pytest.mark.parametrize("case", OWN_NOISE)
def test_the_streams_of_a_run(case):
    model, kind, scheme, alpha, strength = OWN_NOISE[case]
    V, dt, n_steps, n_paths = model.potential, 0.01, 11, 140
    start = 0.5 if V.dim == 1 else np.full(V.dim, 0.5)
    run = shld.simulate(model, start, dt, n_steps=n_steps, n_paths=n_paths, seed=2024, save_every=1, scheme=scheme)
    paths = [0, 1, 127, 128, 139]
    amplitude = strength * dt ** (1.0 / alpha)
    expected = naive.ensemble(V, start, dt, n_steps, paths, 2024, amplitude, kind, alpha, scheme)
    np.testing.assert_allclose(run.x[:, paths], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "schedule",
    [
        shld.Cosine(0.5, 0.1, 0.3),
        shld.Exponential(0.5, 0.01, 0.2),
        shld.Logarithmic(0.3, 0.05),
        shld.Table((0.0, 0.1), (1, 2)),
    ],
    ids=repr,
)
def test_a_schedule_acts_with_its_value_at_the_beginning_of_each_step(schedule, monkeypatch):
    small_pieces(monkeypatch, [3, 4])
    V, dt, n = shld.DoubleWell(), 0.02, 17
    noise = increments(np.random.default_rng(5), V, n, 9, dt)
    strength = schedule(dt * np.arange(n))[:, None]
    run = shld.simulate(shld.Langevin(V, schedule), -1.0, dt, noise=noise, save_every=1)
    np.testing.assert_allclose(run.x, naive.path(V, -1.0, dt, np.sqrt(2.0 * strength) * noise), rtol=1e-10)
    run = shld.simulate(shld.LevyFlight(V, 1.5, schedule), -1.0, dt, noise=noise, save_every=1)
    np.testing.assert_allclose(run.x, naive.path(V, -1.0, dt, strength * noise, "split"), rtol=1e-10)
    late = naive.path(V, -1.0, dt, schedule(dt * np.arange(1, n + 1))[:, None] * noise, "split")
    assert np.abs(late / run.x - 1.0).max() > 1e-4  # the value at the end of each step is another process


# -- shapes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_paths", [1, 3])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_shapes_are_never_squeezed(dim, n_paths):
    model = shld.Langevin(shld.QuadraticForm(np.ones(dim)), 0.1)
    tail = () if dim == 1 else (dim,)
    for n_steps, save_every, n_saved in (
        (4, None, 1),
        (4, 2, 3),
        (5, 2, 4),
        (5, 10, 2),
        (0, None, 1),
        (0, 2, 1),
        (1, 1, 2),
    ):
        run = shld.simulate(model, np.zeros(tail), 0.1, n_steps=n_steps, n_paths=n_paths, save_every=save_every)
        assert run.x.shape == (n_saved, n_paths, *tail)
        assert run.t.shape == (n_saved,)
        assert run.final.shape == (n_paths, *tail)
        assert run.status.shape == (n_paths,) and (run.status == Status.OK).all()
        assert run.n_paths == n_paths
        if save_every is not None:
            steps = sorted({*range(0, n_steps + 1, save_every), n_steps})
            np.testing.assert_allclose(run.t, 0.1 * np.array(steps), rtol=1e-15)
            assert (run.x[0] == 0.0).all()
        else:
            assert run.t.tolist() == [n_steps * 0.1]


def test_starts_one_for_all_or_one_each():
    model = shld.Langevin(shld.RescalingValley(), 0.1)
    one = shld.simulate(model, [0.5, 2.0], 0.01, n_steps=0)
    assert one.x.tolist() == [[[0.5, 2.0]]]
    each = shld.simulate(model, [[0.5, 2.0], [1.0, 1.0]], 0.01, n_steps=0)
    assert each.final.tolist() == [[0.5, 2.0], [1.0, 1.0]]
    assert shld.simulate(WELL, [0.1, 0.2, 0.3], 0.01, n_steps=0).final.tolist() == [0.1, 0.2, 0.3]
    assert shld.simulate(WELL, [0.1], 0.01, n_steps=0).final.shape == (1,)


def test_saving_changes_no_bit_of_the_paths():
    whole = shld.simulate(WELL, 0.0, 0.01, n_steps=60, n_paths=5, seed=3, save_every=1)
    for every in (7, 20, 60, 100):
        some = shld.simulate(WELL, 0.0, 0.01, n_steps=60, n_paths=5, seed=3, save_every=every)
        steps = np.rint(some.t / 0.01).astype(int)
        assert (some.x == whole.x[steps]).all()
    assert (shld.simulate(WELL, 0.0, 0.01, t_end=0.6, n_paths=5, seed=3).final == whole.final).all()


# -- the same bits ------------------------------------------------------------------------------------------------------

SAME_BITS = {
    "normal 1-D": WELL,
    "stable 1-D": shld.LevyFlight(shld.DoubleWell(), 1.3, 0.4),
    "normal 3-D": shld.Langevin(BOWL, 0.1),
    "isotropic 2-D": shld.LevyFlight(shld.RescalingValley(), 1.7, 0.01),
    "schedule": shld.Langevin(shld.DoubleWell(), shld.Cosine(0.5, 0.1, 0.3)),
}


@pytest.mark.parametrize("case", SAME_BITS)
def test_bits_depend_on_seed_and_path_alone(case, monkeypatch):
    model = SAME_BITS[case]
    scheme = "euler" if model.dim > 1 else None
    start = np.full(model.dim, 0.5) if model.dim > 1 else 0.5

    def run(n_paths=300, **options):
        return shld.simulate(
            model, start, 0.01, n_steps=45, n_paths=n_paths, seed=77, save_every=6, scheme=scheme, **options
        )

    reference = run(n_threads=1)
    assert bits(run(n_threads=2)) == bits(reference)
    for n_paths in (1, 1000):
        other, n = run(n_paths, n_threads=2), min(n_paths, 300)
        assert other.x[:, :n].tobytes() == reference.x[:, :n].tobytes()
        assert other.words[:n].tobytes() == reference.words[:n].tobytes()
    for sizes in ([1], [2], [3], [1, 2, 5, 4], [44, 1], [1000]):
        small_pieces(monkeypatch, sizes)
        assert bits(run()) == bits(reference), sizes


@pytest.mark.parametrize("save_every", [None, 1, 4, 7])
@pytest.mark.parametrize("case", ["normal 1-D", "isotropic 2-D", "schedule"])
def test_resume_gives_the_same_bits_at_any_step(case, save_every):
    model = SAME_BITS[case]
    start = np.full(model.dim, 0.5) if model.dim > 1 else 0.5
    options = {"n_paths": 130, "seed": 5, "save_every": save_every, "scheme": "euler"}
    whole = shld.simulate(model, start, 0.01, n_steps=31, **options)
    for stops in ((0,), (1,), (3, 4, 9), (7, 14), (30,), (31,)):
        run = shld.simulate(model, start, 0.01, n_steps=stops[0], **options)
        for stop in (*stops[1:], 31):
            run = shld.resume(run, n_steps=stop)
        assert bits(run) == bits(whole), stops
        assert run.n_steps == 31
    by_time = shld.resume(shld.simulate(model, start, 0.01, n_steps=8, **options), t_end=0.31)
    assert bits(by_time) == bits(whole)


def test_resume_leaves_the_run_as_it_is():
    run = shld.simulate(WELL, 0.0, 0.01, n_steps=5, n_paths=3, save_every=2)
    before = bits(run)
    shld.resume(run, n_steps=20)
    assert bits(run) == before and run.n_steps == 5


def test_seeds():
    def run(seed):
        return shld.simulate(WELL, 0.0, 0.01, n_steps=10, n_paths=4, seed=seed).x.tobytes()

    sequence = np.random.SeedSequence(9)
    assert run(9) == run(sequence) == run(np.int64(9)) == run(np.random.SeedSequence(9))
    children = np.random.SeedSequence(9).spawn(3)
    large = 2**127 + 1
    assert len({run(s) for s in (0, 1, 9, large, *children, np.random.SeedSequence([9, 1]))}) == 8


def test_paths_and_seeds_are_uncorrelated():
    """400 paths of two seeds: correlations of the first displacements have standard error 1/sqrt(n)."""
    a, b = (shld.simulate(WELL, 0.0, 1e-3, n_steps=1, n_paths=100_000, seed=s).final for s in (0, 1))
    for x, y in ((a, b), (a[1:], a[:-1]), (a[128:], a[:-128])):
        assert abs(np.corrcoef(x, y)[0, 1]) * np.sqrt(len(x)) < 5.0


def test_results_are_frozen():
    run = shld.simulate(WELL, 0.0, 0.01, n_steps=2, n_paths=2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.x = np.zeros(3)
    assert run.model == WELL and run.dt == 0.01 and run.scheme == "euler" and run.version == shld.__version__
    assert run.seed == {"entropy": 0, "spawn_key": []}
    assert "2 paths" in repr(run)


# -- limits of memory and of numbers ------------------------------------------------------------------------------------


def test_memory_is_checked_before_anything_is_allocated(monkeypatch):
    monkeypatch.setattr(_work, "free_memory", lambda: 10_000_000)
    with pytest.raises(MemoryError, match=r"1001 saved times of 2000 paths take 0\.0 GiB.*save_every"):
        shld.simulate(WELL, 0.0, 0.01, n_steps=1000, n_paths=2000, save_every=1)
    monkeypatch.setattr(_work, "free_memory", lambda: None)  # unknown: go on
    assert shld.simulate(WELL, 0.0, 0.01, n_steps=10, n_paths=20, save_every=1).x.shape == (11, 20)
    monkeypatch.undo()
    with pytest.raises(MemoryError, match="1000000000001 saved times of 1000 paths"):
        shld.simulate(WELL, 0.0, 0.01, n_steps=10**12, n_paths=1000, save_every=1)


def divergence(sizes, monkeypatch, **options):
    small_pieces(monkeypatch, sizes)
    x0 = np.full(200, 0.1)
    x0[150] = 4.0
    return shld.simulate(shld.Langevin(shld.Quartic(), D=1e-6), x0, 0.2, n_steps=60, seed=1, **options)


@pytest.mark.parametrize("sizes", [[1000], [5], [2, 3], [60]])
def test_divergence_names_path_step_and_stable_step(sizes, monkeypatch):
    """Quartic well from x = 4, dt = 0.2: stable below 2/V''(4) = 2/48."""
    noise = np.sqrt(2e-6 * 0.2) * naive.noise(naive.Streams.of(1, [150]), "normal", 20, 1)[:, 0, 0]
    x, step = np.array(4.0), 0
    with np.errstate(over="ignore"):
        while np.isfinite(x):
            x, step = naive.euler_step(shld.Quartic(), x, noise[step], 0.2), step + 1
    assert step > 3
    with pytest.raises(shld.DivergenceError) as caught:
        divergence(sizes, monkeypatch)
    error = caught.value
    assert error.path == 150
    assert error.time == pytest.approx(step * 0.2, rel=1e-14)
    assert error.stable_dt == pytest.approx(2.0 / 48.0, rel=1e-9)
    assert f"path 150 left the finite numbers at t={step * 0.2:g} with dt=0.2: take dt below 0.042" in str(error)
    assert "\n" not in str(error) and "split" in str(error)


def test_divergence_of_a_resumed_run_at_an_odd_step(monkeypatch):
    model = shld.Langevin(shld.Quartic(), D=1e-6)
    start = shld.simulate(model, [0.1, 4.0], 0.2, n_steps=3, seed=1)
    with pytest.raises(shld.DivergenceError) as whole:
        shld.simulate(model, [0.1, 4.0], 0.2, n_steps=60, seed=1)
    with pytest.raises(shld.DivergenceError) as resumed:
        shld.resume(start, n_steps=60)
    assert (resumed.value.path, resumed.value.time) == (whole.value.path, whole.value.time)


def test_divergence_can_be_marked(monkeypatch):
    run = divergence([1000], monkeypatch, on_divergence="mark")
    assert np.flatnonzero(run.status == Status.DIVERGED).tolist() == [150]
    good = np.delete(np.arange(200), 150)
    assert np.isfinite(run.final[good]).all() and not np.isfinite(run.final[150])
    assert "1 diverged" in repr(run)
    alone = shld.simulate(shld.Langevin(shld.Quartic(), D=1e-6), 0.1, 0.2, n_steps=60, n_paths=150, seed=1)
    assert (run.final[:150] == alone.final).all()
    again = shld.resume(run, n_steps=70)  # known: not raised again
    assert again.status[150] == Status.DIVERGED


# -- interruption -------------------------------------------------------------------------------------------------------


def interrupt_after(monkeypatch, pieces):
    """Make the team find itself interrupted after so many pieces of work."""
    done = []
    original = _work.Team.run

    def run(self, calls):
        results = original(self, calls)
        done.append(1)
        self.interrupted = self.interrupted or len(done) >= pieces
        return results

    monkeypatch.setattr(_work.Team, "run", run)


@pytest.mark.parametrize("save_every", [None, 3, 5])
@pytest.mark.parametrize("sizes", [[4], [3], [5, 2]])
def test_an_interrupted_run_is_flagged_and_can_be_completed(sizes, save_every, monkeypatch):
    options = {"n_paths": 140, "seed": 8, "save_every": save_every}
    whole = shld.simulate(WELL, -1.0, 0.01, n_steps=25, **options)
    with monkeypatch.context() as patch:
        small_pieces(patch, sizes)
        interrupt_after(patch, 2)
        with pytest.warns(UserWarning, match=r"interrupted at t=.*resume\(\) continues"):
            part = shld.simulate(WELL, -1.0, 0.01, n_steps=25, **options)
    made = sizes[0] + sizes[-1]
    assert part.interrupted and part.n_steps == made
    assert part.t[-1] == pytest.approx(made * 0.01) and "interrupted" in repr(part)
    completed = shld.resume(part, n_steps=25)
    assert not completed.interrupted
    assert bits(completed) == bits(whole)


def test_a_keyboard_interrupt_waits_for_the_work_under_way():
    """A real SIGINT while the threads are working is remembered, and the work is finished."""
    begun, finished = threading.Event(), []

    def call():
        begun.set()
        threading.Event().wait(0.3)
        finished.append(1)
        return 5

    def press():
        begun.wait()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    presser = threading.Thread(target=press)
    try:
        with _work.Team(1) as team:
            presser.start()
            assert team.run([call]) == [5]
    finally:
        presser.join()
        signal.signal(signal.SIGINT, old)
    assert team.interrupted and finished == [1]


def test_a_keyboard_interrupt_between_two_pieces_of_work_is_remembered(monkeypatch):
    """SIGINT outside the waiting for threads, too, ends the run with what was done."""

    class Pace:
        def __init__(self, first):
            self.pieces = 0

        def begin(self):
            return 5

        def end(self):
            self.pieces += 1
            if self.pieces == 2:
                signal.raise_signal(signal.SIGINT)

    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    monkeypatch.setattr(driver, "Pace", Pace)
    try:
        with pytest.warns(UserWarning, match=r"interrupted at t=0\.1"):
            run = shld.simulate(WELL, -1.0, 0.01, n_steps=25, n_paths=3)
    except KeyboardInterrupt:  # pytest would stop here
        pytest.fail("the interrupt was not remembered")
    finally:
        after = signal.signal(signal.SIGINT, old)
    assert run.interrupted and run.n_steps == 10
    assert after is signal.default_int_handler  # the handler is put back


PROGRAM = """
import os, signal, threading, warnings
import shld_sim as shld
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.simplefilter("ignore")
model = shld.Langevin(shld.DoubleWell(), D=0.2)
shld.simulate(model, 0.0, 0.01, n_steps=1, n_paths=2)  # compiled
threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
part = shld.simulate(model, 0.0, 1e-3, n_steps=10**9, n_paths=1000, seed=6, n_threads=1)
n = part.n_steps
whole = shld.simulate(model, 0.0, 1e-3, n_steps=n + 3, n_paths=1000, seed=6)
done = shld.resume(part, n_steps=n + 3)
print(part.interrupted, 0 < n < 10**9, done.x.tobytes() == whole.x.tobytes(), done.interrupted)
"""


def test_sigint_to_a_program_returns_what_was_done():
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100)
    assert answer.stdout.split() == ["True", "True", "True", "False"], answer.stderr


# -- wrong input --------------------------------------------------------------------------------------------------------

V = shld.DoubleWell()


def sim(model=WELL, x0=-1.0, dt=0.01, **options):
    options = {"n_paths": 3, "n_steps": 5, **options}
    return shld.simulate(model, x0, dt, **{k: v for k, v in options.items() if v is not ...})


def passage(x0=-1.0, domain=(-np.inf, 0.0), dt=0.01, model=WELL, **options):
    return shld.first_passage(model, x0, domain, dt, **{"n_paths": 3, **options})


def nan_potential():
    return shld.Potential(lambda x, p: x * np.nan, lambda x, p: x * np.nan)


def log_potential():
    """Finite where it was checked, NaN at negative x."""
    return shld.Potential(
        lambda x, p: x - np.log(x), lambda x, p: 1.0 - np.sqrt(x) / (x * np.sqrt(x)), check_at=[0.5, 1.0, 2.0]
    )


WRONG = {
    "negative D": (lambda: shld.Langevin(V, D=-0.1), ["D", "positive", "-0.1"]),
    "alpha 0": (lambda: shld.LevyFlight(V, 0, 0.1), ["alpha", "(0, 2]", "0"]),
    "alpha 2.5": (lambda: shld.LevyFlight(V, 2.5, 0.1), ["alpha", "(0, 2]", "2.5"]),
    "negative sigma": (lambda: shld.LevyFlight(V, 1.5, -1.0), ["sigma", "positive", "-1.0"]),
    "no potential": (lambda: shld.Langevin("V", 0.1), ["potential", "'V'"]),
    "no model": (lambda: sim(model=V), ["model", "Langevin", "DoubleWell"]),
    "dt zero": (lambda: sim(dt=0.0), ["dt", "positive", "0.0"]),
    "dt negative": (lambda: sim(dt=-0.1), ["dt", "positive", "-0.1"]),
    "dt text": (lambda: sim(dt="a"), ["dt", "number", "'a'"]),
    "start NaN": (lambda: sim(x0=np.nan), ["x0", "finite", "nan"]),
    "start NaN among others": (lambda: sim(x0=[0.0, np.nan, 1.0]), ["x0", "finite", "nan", "index 1"]),
    "start of wrong dimension": (
        lambda: sim(shld.Langevin(shld.RescalingValley(), 1.0), [1.0, 2.0, 3.0]),
        ["x0", "2", "(3,)"],
    ),
    "start a number in 2-D": (
        lambda: sim(shld.Langevin(shld.RescalingValley(), 1.0), 1.0),
        ["x0", "2 coordinates", "()"],
    ),
    "start a matrix in 1-D": (lambda: sim(x0=np.zeros((2, 2))), ["x0", "(2, 2)"]),
    "starts and n_paths": (lambda: sim(x0=[0.0, 1.0]), ["x0", "n_paths=3", "2"]),
    "no starts": (lambda: sim(x0=[], n_paths=...), ["x0", "none"]),
    "domain without the start": (lambda: passage(x0=0.5), ["x0", "domain", "0.5"]),
    "start on the boundary": (lambda: passage(x0=0.0), ["x0", "domain", "0.0"]),
    "domain reversed": (lambda: passage(domain=(0.0, -2.0)), ["domain", "low < high", "(0.0, -2.0)"]),
    "domain NaN": (lambda: passage(domain=(np.nan, 0.0)), ["domain", "nan"]),
    "domain no pair": (lambda: passage(domain=3.0), ["domain", "pair", "3.0"]),
    "domain infinite": (lambda: passage(domain=(-np.inf, np.inf)), ["domain", "finite end", "inf"]),
    "passage in 2-D": (
        lambda: passage(model=shld.Langevin(shld.RescalingValley(), 1.0)),
        ["domain", "2 coordinates", "Interval"],
    ),
    "passage with a schedule": (
        lambda: passage(model=shld.Langevin(V, shld.Cosine(1, 2, 3))),
        ["D", "constant", "Cosine"],
    ),
    "bridge for stable noise": (
        lambda: passage(model=shld.LevyFlight(V, 1.5, 0.1), bridge=True),
        ["bridge", "Gaussian", "True"],
    ),
    "t_max negative": (lambda: passage(t_max=-1.0), ["t_max", "positive", "-1.0"]),
    "t_max NaN": (lambda: passage(t_max=np.nan), ["t_max", "positive", "nan"]),
    "t_max no multiple": (lambda: passage(t_max=0.015), ["t_max", "whole number of steps", "0.015"]),
    "unknown scheme": (lambda: sim(scheme="milstein"), ["scheme", "'euler', 'split'", "'milstein'"]),
    "unknown on_divergence": (lambda: sim(on_divergence="stop"), ["on_divergence", "'raise', 'mark'", "'stop'"]),
    "potential NaN": (nan_potential, ["energy", "finite", "nan"]),
    "potential NaN at the start": (lambda: sim(shld.Langevin(log_potential(), 1.0), -1.0), ["potential", "x0", "nan"]),
    "noise of wrong shape": (lambda: sim(noise=np.zeros((4, 3))), ["noise", "5 steps of 3 paths", "got 4 steps of 3"]),
    "noise of wrong rank": (lambda: sim(noise=np.zeros(5)), ["noise", "(n_steps, n_paths)", "(5,)"]),
    "noise NaN": (lambda: sim(noise=np.full((5, 3), np.nan)), ["noise", "finite", "nan"]),
    "noise of wrong dimension": (
        lambda: sim(shld.Langevin(shld.RescalingValley(), 1.0), [1.0, 1.0], noise=np.zeros((5, 3, 3))),
        ["noise", "2", "(5, 3, 3)"],
    ),
    "t_end no multiple": (lambda: sim(n_steps=..., t_end=0.055), ["t_end", "whole number of steps", "0.055", "5.5"]),
    "t_end negative": (lambda: sim(n_steps=..., t_end=-1.0), ["t_end", "negative", "-1.0"]),
    "t_end and n_steps": (lambda: sim(t_end=0.05), ["t_end", "n_steps"]),
    "neither t_end nor n_steps": (lambda: sim(n_steps=...), ["t_end", "n_steps"]),
    "n_steps negative": (lambda: sim(n_steps=-1), ["n_steps", "at least 0", "-1"]),
    "n_paths zero": (lambda: sim(n_paths=0), ["n_paths", "at least 1", "0"]),
    "n_paths broken": (lambda: sim(n_paths=2.5), ["n_paths", "whole number", "2.5"]),
    "seed negative": (lambda: sim(seed=-1), ["seed", "at least 0", "-1"]),
    "seed broken": (lambda: sim(seed=1.5), ["seed", "whole number", "1.5"]),
    "seed None": (lambda: sim(seed=None), ["seed", "whole number", "None"]),
    "save_every zero": (lambda: sim(save_every=0), ["save_every", "at least 1", "0"]),
    "n_threads zero": (lambda: sim(n_threads=0), ["n_threads", "at least 1", "0"]),
    "resume before the end": (lambda: shld.resume(sim(), n_steps=4), ["n_steps", "step 5", "step 4"]),
    "resume to a time before the end": (lambda: shld.resume(sim(), t_end=0.04), ["t_end", "step 5", "step 4"]),
    "resume of something else": (lambda: shld.resume("run.npz", n_steps=4), ["run", "Ensemble", "'run.npz'"]),
    "resume of given noise": (lambda: shld.resume(sim(noise=np.zeros((5, 3))), n_steps=9), ["noise="]),
    "resume without an end": (lambda: shld.resume(sim()), ["t_end", "n_steps"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_in_one_line(case):
    call, words = WRONG[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300, message
    for word in words:
        assert word in message, message
