"""Ensembles on disk, the statistics of exits, and the status of paths."""

import dataclasses
import json
import pickle

import numpy as np
import pytest
from scipy import stats

import shld_sim as shld
from shld_sim.results import Ensemble, Exits, Status

FALSE_ALARM = 2.0 * stats.norm.sf(5.0)

POTENTIALS = [
    shld.Harmonic(2.0),
    shld.DoubleWell(0.3, 1.2),
    shld.TiltedDoubleWell(0.3, 1.2, 0.05),
    shld.Quartic(0.5),
    shld.Polynomial([0.0, 0.1, 1.0]),
    shld.Washboard(),
    shld.Prinz(),
    shld.MuellerBrown(),
    shld.MexicanHat(3),
    shld.RescalingValley(),
    shld.QuadraticForm([1.0, 2.0, 3.0, 4.0]),
    shld.Rosenbrock(),
    shld.RingOfWells(3),
    shld.GeometricLoss(2),
]
STRENGTHS = [
    0.25,
    shld.Cosine(0.5, 0.1, 3.0),
    shld.Exponential(0.5, 0.1, 3.0),
    shld.Logarithmic(0.5, 2.0),
    shld.Table((0.0, 1.0, 2.0), (0.5, 0.2, 0.1)),
]


def user_potential(k=1.0):
    return shld.Potential(lambda x, p: 0.5 * p[0] * x * x, lambda x, p: p[0] * x, (k,))


def started(model, **options):
    """An ensemble at time 0: nothing is compiled."""
    x0 = np.zeros(model.dim) if model.dim > 1 else 0.0
    return shld.simulate(model, x0, 0.01, n_steps=0, n_paths=3, **options)


def same(a, b):
    for field in dataclasses.fields(Ensemble):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes(), (
                field.name
            )
        else:
            assert left == right and type(left) is type(right), field.name
    return True


# -- files --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("potential", POTENTIALS, ids=lambda V: type(V).__name__)
def test_every_potential_of_the_library_survives_the_disk(potential, tmp_path):
    for model in (shld.Langevin(potential, 0.25), shld.LevyFlight(potential, 1.5, 0.25, "independent")):
        run = started(model, seed=2**100 + 1, save_every=4)
        run.save(tmp_path / "run.npz")
        assert same(run, Ensemble.load(tmp_path / "run.npz"))
        assert same(run, Ensemble.load(tmp_path / "run.npz", model))


def test_every_potential_of_the_library_is_tried():
    from shld_sim import potentials

    assert {type(V).__name__ for V in POTENTIALS} == set(potentials.__all__) - {"Potential"}


@pytest.mark.parametrize("strength", STRENGTHS, ids=lambda s: type(s).__name__)
def test_every_schedule_survives_the_disk(strength, tmp_path):
    """With the model given, too: it must be recognised as the one of the file."""
    user = user_potential()
    for model in (
        shld.Langevin(shld.DoubleWell(), strength),
        shld.LevyFlight(shld.DoubleWell(), 1.5, strength),
        shld.Langevin(user, strength),
    ):
        run = started(model)
        run.save(tmp_path / "run.npz")
        assert same(run, Ensemble.load(tmp_path / "run.npz", model))
        if model.potential is not user:
            assert same(run, Ensemble.load(tmp_path / "run.npz"))


def test_a_loaded_run_continues_with_the_same_bits(tmp_path):
    model = shld.Langevin(shld.DoubleWell(), shld.Cosine(0.5, 0.1, 0.3))
    seed = np.random.SeedSequence([3, 4]).spawn(2)[1]
    options = {"n_paths": 5, "seed": seed, "save_every": 4}
    whole = shld.simulate(model, 0.0, 0.01, n_steps=30, **options)
    run = shld.simulate(model, 0.0, 0.01, n_steps=13, **options)
    run.save(str(tmp_path / "run"))  # NumPy would add .npz; the name given is the name used
    assert [f.name for f in tmp_path.iterdir()] == ["run"]
    assert same(shld.resume(Ensemble.load(tmp_path / "run"), n_steps=30), whole)
    assert same(pickle.loads(pickle.dumps(run)), run)


def test_flags_and_given_noise_survive_the_disk(tmp_path):
    model = shld.Langevin(shld.Harmonic(), 0.1)
    given = shld.simulate(model, 0.0, 0.01, noise=np.ones((3, 2)))
    assert given.seed is None
    status = np.array([Status.OK, Status.DIVERGED], np.uint8)
    run = dataclasses.replace(given, interrupted=True, status=status, x=np.array([[1.0, np.nan]]))
    run.save(tmp_path / "run.npz")
    assert same(run, Ensemble.load(tmp_path / "run.npz"))


def test_a_users_potential_must_be_given_again(tmp_path):
    model = shld.Langevin(user_potential(), 0.25)
    run = started(model)
    run.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match=r"model= is needed.*Potential\(") as caught:
        Ensemble.load(tmp_path / "run.npz")
    assert "\n" not in str(caught.value)
    assert same(run, Ensemble.load(tmp_path / "run.npz", model))


@pytest.mark.parametrize(
    "other",
    [
        shld.Langevin(shld.DoubleWell(), 0.3),
        shld.Langevin(shld.DoubleWell(0.3), 0.25),
        shld.Langevin(shld.Harmonic(), 0.25),
        shld.LevyFlight(shld.DoubleWell(), 1.5, 0.25),
        shld.Langevin(shld.DoubleWell(), shld.Cosine(0.25, 0.25, 1.0)),
        shld.Langevin(user_potential(), 0.25),
    ],
    ids=repr,
)
def test_another_model_is_refused(other, tmp_path):
    for model in (shld.Langevin(shld.DoubleWell(), 0.25), shld.Langevin(user_potential(2.0), 0.25)):
        started(model).save(tmp_path / "run.npz")
        with pytest.raises(ValueError, match=r"model must be the one of the file, Langevin\(.*got ") as caught:
            Ensemble.load(tmp_path / "run.npz", other)
        assert "\n" not in str(caught.value)


def write_text(path):
    path.write_text("t,x\n0,1\n")


def write_empty(path):
    path.write_bytes(b"")


def write_array(path):
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))


def write_archive(path):
    with open(path, "wb") as file:
        np.savez(file, t=np.zeros(3))


def write_other_format(path):
    with open(path, "wb") as file:
        np.savez(file, header=np.array(json.dumps({"format": "other"})), t=np.zeros(1))


def write_number_as_header(path):
    with open(path, "wb") as file:
        np.savez(file, header=np.array("3"))


def write_objects(path):
    with open(path, "wb") as file:
        np.savez(file, header=np.array([{}], dtype=object))


def truncated(share):
    def write(path):
        run = shld.simulate(shld.Langevin(shld.Harmonic(), 0.1), 0.0, 0.01, n_steps=0, n_paths=500)
        run.save(path)
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))])

    write.__name__ = f"truncated_{share}"
    return write


@pytest.mark.parametrize(
    "write",
    [
        write_text, write_empty, write_array, write_archive, write_other_format, write_number_as_header, write_objects,
        truncated(0.01), truncated(0.5), truncated(0.99),
    ],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_other_files_are_refused(write, tmp_path):
    path = tmp_path / "thing.npz"
    write(path)
    with pytest.raises(ValueError, match=r"path must be a file written by Ensemble.save, got '.*thing\.npz'$"):
        Ensemble.load(path)


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        Ensemble.load(tmp_path / "none.npz")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    model = shld.Langevin(shld.Harmonic(), 0.1)
    run, target = started(model), tmp_path / "run.npz"
    run.save(target)
    before = target.read_bytes()

    def broken(file, **arrays):
        file.write(b"half of it")
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", broken)
        for path in (target, tmp_path / "new.npz"):
            with pytest.raises(OSError, match="disk full"):
                run.save(path)
    assert [f.name for f in tmp_path.iterdir()] == ["run.npz"]
    assert target.read_bytes() == before
    dataclasses.replace(run, dt=0.02).save(target)  # replaces
    assert Ensemble.load(target).dt == 0.02


# -- exits --------------------------------------------------------------------------------------------------------------


def exits_of(times, t_max=np.inf):
    """Exits at the given times, watched until ``t_max``."""
    times = np.asarray(times, dtype=float)
    left = times <= t_max
    return Exits(
        times=np.where(left, times, np.nan),
        censored=~left,
        exposure=np.minimum(times, t_max),
        side=left.astype(np.int8),
        place=np.zeros(len(times)),
        model=shld.Langevin(shld.Harmonic(), 1.0),
        domain=(-np.inf, 1.0),
        dt=0.1,
        t_max=t_max,
        scheme="euler",
        bridge=True,
        seed={"entropy": 0, "spawn_key": []},
        interrupted=False,
        version=shld.__version__,
    )


def test_exit_statistics_by_hand():
    exits = exits_of([1.0, 2.0, 6.0])
    assert exits.mean() == 3.0
    assert exits.stderr() == pytest.approx(np.sqrt(7.0 / 3.0))  # variance (4 + 1 + 9)/2 = 7 of 3 values
    assert exits.rate() == pytest.approx(3 / 9)
    low, high = exits.rate_interval(0.9)
    # n = 3 exits in exposure 9: Poisson bounds for the count 3 at 90 %, 0.8177 and 7.7537 (Garwood's table)
    assert low * 9 == pytest.approx(0.8177, abs=1e-4) and high * 9 == pytest.approx(7.7537, abs=1e-4)
    assert exits.status.tolist() == [Status.EXITED] * 3
    assert "3 of 3 paths left" in repr(exits)


def test_censored_exits():
    exits = exits_of([1.0, 2.0, 6.0, 7.0], t_max=4.0)
    assert exits.rate() == pytest.approx(2 / 11)
    assert exits.status.tolist() == [Status.EXITED, Status.EXITED, Status.CENSORED, Status.CENSORED]
    for refuse in (exits.mean, exits.stderr):
        with pytest.raises(ValueError, match=r"2 of 4 are censored \(t_max=4\): raise t_max, or use rate\(\)"):
            refuse()
    none = exits_of([6.0, 7.0], t_max=4.0)
    assert none.rate() == 0.0
    low, high = none.rate_interval(0.95)
    assert low == 0.0 and high == pytest.approx(-np.log(0.025) / 8.0)


def test_exit_statistics_that_make_no_sense():
    with pytest.raises(ValueError, match="at least 2 paths, got 1"):
        exits_of([1.0]).stderr()
    for level in (0.0, 1.0, 95, np.nan):
        with pytest.raises(ValueError, match="level must"):
            exits_of([1.0, 2.0]).rate_interval(level)
    with pytest.raises(ValueError, match="exposure 0"):
        exits_of([]).rate()
    with pytest.raises(dataclasses.FrozenInstanceError):
        exits_of([1.0]).dt = 3.0


def coverage(t_max, interval, n=20, rate=0.7, trials=4000, seed=11):
    """How often ``interval(exits)`` holds the true rate."""
    rng = np.random.default_rng(seed)
    samples = rng.exponential(1.0 / rate, (trials, n))
    bounds = np.array([interval(exits_of(row, t_max)) for row in samples])
    return ((bounds[:, 0] <= rate) & (rate <= bounds[:, 1])).mean()


def covers(share, level, trials=4000, excess=0.0):
    """Whether a measured coverage agrees with one between ``level`` and ``level + excess``, to 5 standard errors."""
    margin = 5.0 * np.sqrt(level * (1.0 - level) / trials)
    return level - margin <= share <= level + excess + margin


@pytest.mark.parametrize("level", [0.68, 0.95])
def test_the_interval_of_the_rate_covers(level):
    """Without censoring the lower bound is exact and the upper one safe: coverage is level plus at most one count."""
    share = coverage(np.inf, lambda e: e.rate_interval(level))
    # exposure is Gamma(n)/rate, so P(rate > high) = P(chi2(2n) > chi2.isf(tail, 2n + 2)), below tail
    tail = 0.5 * (1.0 - level)
    excess = tail - stats.chi2.sf(stats.chi2.isf(tail, 42), 40)
    assert 0.0 < excess < 0.06
    assert covers(share, level, excess=excess)
    assert abs(share - level - excess) < 5.0 * np.sqrt(level * (1.0 - level) / 4000)  # exactly known
    # an interval for twice or half the number of exits must be found out
    assert not covers(coverage(np.inf, lambda e: tuple(1.2 * b for b in e.rate_interval(level))), level, excess=excess)


@pytest.mark.parametrize(("level", "t_max"), [(0.68, 1.0), (0.95, 1.0), (0.95, 0.2)])
def test_the_interval_of_the_rate_covers_with_censoring(level, t_max):
    """Mostly censored, too: never below the level, and above it by no more than the weight of one count."""
    share = coverage(t_max, lambda e: e.rate_interval(level))
    exits = 20 * -np.expm1(-0.7 * t_max)
    assert covers(share, level, excess=min(1.0 - level, 1.0 / np.sqrt(2 * np.pi * exits)))

    # planted: censored paths dropped instead of counted as exposure
    def dropped(e):
        return exits_of(e.times[~e.censored]).rate_interval(level) if not e.censored.all() else (0.0, np.inf)

    assert not covers(coverage(t_max, dropped), level, excess=1.0)


def test_the_rate_is_the_maximum_likelihood_estimate():
    rng = np.random.default_rng(3)
    exits = exits_of(rng.exponential(2.0, 50), t_max=1.5)
    rates = exits.rate() * np.linspace(0.5, 2.0, 3001)
    likelihood = np.log(rates) * (~exits.censored).sum() - rates * exits.exposure.sum()
    assert rates[likelihood.argmax()] == pytest.approx(exits.rate(), rel=1e-3)


def test_status_values_are_the_ones_of_the_kernel():
    from shld_sim.engine import exits as kernel

    assert (Status.EXITED, Status.CENSORED) == (kernel.EXITED, kernel.CENSORED)
    assert [s.name for s in Status] == ["OK", "EXITED", "CENSORED", "DIVERGED"]
    assert Status(3) is Status.DIVERGED


def test_divergence_errors_travel_between_processes():
    error = shld.DivergenceError(3, 0.4, 0.1, 0.04, "euler")
    again = pickle.loads(pickle.dumps(error))
    assert (again.path, again.time, again.stable_dt, str(again)) == (3, 0.4, 0.04, str(error))
    assert isinstance(error, ArithmeticError)
