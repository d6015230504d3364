"""Sweeps: one result on every executor, seeds of the points' own, stores that continue, failures that cost one point."""

import concurrent.futures
import functools
import importlib.util
import json
import os
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import shld_sim as shld
from shld_sim.sweep import PointError
from shld_sim.sweep.points import canonical_key, point_seed
from shld_sim.sweep.store import function_digest

ROOT = Path(__file__).resolve().parents[1]
HAS_DASK = importlib.util.find_spec("distributed") is not None


class SerialExecutor(Executor):
    """Runs each call when it is submitted."""

    def __init__(self):
        self.closed = False

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, wait=True, *, cancel_futures=False):
        self.closed = True


# -- functions to sweep; those for other processes must stand at the top level ----


def paths(D, height, seed):
    """The ends of a few paths: their bits tell whether the seed arrived."""
    model = shld.Langevin(shld.DoubleWell(height=height), D=D)
    run = shld.simulate(model, -1.0, 0.01, n_steps=50, n_paths=4, seed=seed, n_threads=1, progress=False)
    return {"ends": run.final, "mean": float(run.final.mean()), "count": run.n_paths}


def draw(k, seed):
    return np.random.default_rng(seed).random(3) + 0.0 * k


def logged(k, folder):
    """Leave one file per call."""
    Path(folder, f"{k}-{time.monotonic_ns()}").touch()
    return 10.0 * k


def broken_at_two(k):
    if k == 2:
        raise ValueError(f"k must not be 2, got {k}")
    return k


def flaky(k, folder):
    """Fail once at k = 1."""
    if k == 1 and not Path(folder, "tried").exists():
        Path(folder, "tried").touch()
        raise OSError("once")
    return k


def deadly(k, folder, always):
    """Kill the worker at k = 3, once or always."""
    if k == 3 and (always or not Path(folder, "died").exists()):
        Path(folder, "died").touch()
        os._exit(1)
    time.sleep(0.02)
    return 2 * k


def square(k):
    return k * k


def same(a, b):
    assert a.parameters == b.parameters
    assert not a.errors and not b.errors
    for left, right in zip(a.values, b.values, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            assert type(left[name]) is type(right[name])
            np.testing.assert_array_equal(left[name], right[name])


GRID = {"D": [0.1, 0.2, 0.4], "height": np.array([0.25, 0.5])}


@pytest.fixture(scope="module")
def serial():
    return shld.sweep(paths, GRID, seed=7, executor=SerialExecutor())


@pytest.fixture(scope="module")
def dask_executor():
    """A cluster of two processes that listens on the loopback interface alone."""
    if not HAS_DASK:
        pytest.skip("DASK IS NOT TESTED: pip install shld_sim[distributed]")
    from distributed import Client, LocalCluster

    options = dict(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        yield client.get_executor()


# -- the same bits everywhere ----


def test_threads_give_the_same_bits(serial):
    with ThreadPoolExecutor(3) as pool:
        same(serial, shld.sweep(paths, GRID, seed=7, executor=pool))
        assert pool.submit(square, 3).result() == 9  # left open


def test_own_processes_give_the_same_bits(serial):
    same(serial, shld.sweep(paths, GRID, seed=7))


def test_given_processes_give_the_same_bits(serial):
    import multiprocessing

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        same(serial, shld.sweep(paths, GRID, seed=7, executor=pool))
        with pytest.raises(TypeError, match=r"top level of a module or script.*<lambda>"):
            shld.sweep(lambda k: k, {"k": [1]}, executor=pool)


def test_dask_gives_the_same_bits(serial, dask_executor, tmp_path):
    same(serial, shld.sweep(paths, GRID, seed=7, executor=dask_executor))
    assert shld.sweep(lambda k: k + 1, {"k": [1, 2]}, executor=dask_executor).values == (2, 3)  # pickled by value
    failed = shld.sweep(broken_at_two, {"k": [1, 2, 3]}, executor=dask_executor)
    assert (failed.values, failed.errors[2 - 1].attempts) == ((1, None, 3), 2)
    assert shld.sweep(flaky, {"k": [0, 1], "folder": [str(tmp_path)]}, executor=dask_executor).values == (0, 1)
    assert dask_executor.submit(square, 3).result() == 9  # left open


def test_a_store_gives_the_same_bits(serial, tmp_path):
    same(serial, shld.sweep(paths, GRID, seed=7, executor=SerialExecutor(), store=tmp_path))
    same(serial, shld.sweep(paths, GRID, seed=7, executor=SerialExecutor(), store=tmp_path))


def test_other_seeds_give_other_bits(serial):
    other = shld.sweep(paths, GRID, seed=8, executor=SerialExecutor())
    assert all((a["ends"] != b["ends"]).all() for a, b in zip(serial.values, other.values))
    assert serial.seed == {"entropy": 7, "spawn_key": []}


def test_seeds_depend_on_the_point_alone():
    points = [{"k": k} for k in (1, 2, 3)]
    run = functools.partial(shld.sweep, draw, executor=SerialExecutor())
    forward, backward, one = run(points), run(points[::-1]), run({"k": [2.0]})
    np.testing.assert_array_equal(forward.array(), backward.array()[::-1])
    np.testing.assert_array_equal(forward.values[1], one.values[0])
    assert len(np.unique(forward.array())) == 9
    child = run(points, seed=np.random.SeedSequence(0).spawn(1)[0])
    assert not np.intersect1d(child.array(), forward.array()).size
    # a seed among the parameters is the user's own
    given = run([{"k": 1, "seed": 5}])
    np.testing.assert_array_equal(given.values[0], np.random.default_rng(5).random(3))
    assert given.seed is None


def test_seeds_stay_what_they_are():
    """Stores of years ago continue: the seed of a point is a fixed function of the sweep's seed and the parameters."""
    key = canonical_key({"height": np.float64(0.25), "D": 0.1, "n": np.int64(3)})
    assert key == '{"D":0.1,"height":0.25,"n":3}'
    child = point_seed(np.random.SeedSequence(7), key)
    # python -c "import hashlib, struct; print(struct.unpack('<8I', hashlib.sha256(KEY).digest()))"
    import hashlib
    import struct

    assert child.spawn_key == struct.unpack("<8I", hashlib.sha256(key.encode()).digest())
    assert child.entropy == 7


def test_equal_numbers_have_one_key():
    assert canonical_key({"a": 1.0, "b": (1, 2)}) == canonical_key({"b": np.array([1.0, 2.0]), "a": np.int32(1)})
    keys = {canonical_key({"a": value}) for value in (1, 1.5, "1", True, None, [1], float("inf"), {"b": 1})}
    assert len(keys) == 8


# -- results ----


def test_grid():
    result = shld.sweep(lambda a, b: {"sum": a + b, "pair": [a, b]}, {"a": [1, 2, 3], "b": [10.0, 20.0]},
                        executor=SerialExecutor())  # fmt: skip
    assert result.shape == (3, 2)
    assert result.parameters[1] == {"a": 1, "b": 20.0}
    np.testing.assert_array_equal(result.array("sum"), [[11, 21], [12, 22], [13, 23]])
    np.testing.assert_array_equal(result.array("pair")[2, 1], [3, 20])
    np.testing.assert_array_equal(result.array("a"), [[1, 1], [2, 2], [3, 3]])
    table = result.table()
    assert list(table) == ["a", "b", "sum", "pair"]
    assert [len(column) for column in table.values()] == [6] * 4
    assert len(result) == 6
    assert next(iter(result)) == ({"a": 1, "b": 10.0}, {"sum": 11.0, "pair": pytest.approx([1, 10])})
    assert "6 of 6" in repr(result)
    with pytest.raises(ValueError, match="name must be one of"):
        result.array("product")


def test_list_of_points():
    result = shld.sweep(lambda a, b="none": a, [{"a": 1}, {"a": 2, "b": "word"}], executor=SerialExecutor())
    assert (result.shape, result.values, result.axes) == ((2,), (1, 2), None)
    assert result.table()["b"].tolist() == [None, "word"]


def test_missing_values_are_nan():
    result = shld.sweep(broken_at_two, {"k": [1, 2, 3]}, executor=SerialExecutor(), retries=0)
    np.testing.assert_array_equal(result.array(), [1.0, np.nan, 3.0])


@pytest.mark.parametrize("value", [3, 2.5, True, 1 + 2j, np.arange(3), {"a": np.eye(2), "file": 1.5}, np.zeros(0)])
def test_values_come_back_from_the_store_as_they_were(tmp_path, value):
    first = shld.sweep(lambda k: value, {"k": [1]}, executor=SerialExecutor(), store=tmp_path).values[0]
    second = shld.sweep(lambda k: value, {"k": [1]}, executor=SerialExecutor(), store=tmp_path).values[0]
    for a, b in zip(*([v.values() if isinstance(v, dict) else [v] for v in (first, second)]), strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b)


# -- stores ----


def test_a_store_continues(tmp_path):
    calls, store = tmp_path / "calls", tmp_path / "store"
    calls.mkdir()
    run = functools.partial(shld.sweep, logged, executor=SerialExecutor(), store=store)
    assert run({"k": [1, 2], "folder": [str(calls)]}).values == (10.0, 20.0)
    assert len(list(calls.iterdir())) == 2
    assert run({"k": [3, 2, 1], "folder": [str(calls)]}).values == (30.0, 20.0, 10.0)
    assert len(list(calls.iterdir())) == 3
    # a file cut short, as after a failing disk, is made again; leftovers of a killed process do not matter
    path = max(store.glob("*.npz"))
    path.write_bytes(path.read_bytes()[:100])
    (store / "x.npz.0.partial").touch()
    assert run({"k": [3, 2, 1], "folder": [str(calls)]}).values == (30.0, 20.0, 10.0)
    assert len(list(calls.iterdir())) == 4


def test_failed_points_are_not_stored(tmp_path):
    run = functools.partial(shld.sweep, broken_at_two, {"k": [1, 2]}, executor=SerialExecutor(), store=tmp_path)
    assert run().errors.keys() == run().errors.keys() == {1}
    assert len(list(tmp_path.glob("*.npz"))) == 1


def test_a_foreign_store_is_refused(tmp_path, monkeypatch):
    run = functools.partial(shld.sweep, parameters={"k": [1]}, executor=SerialExecutor(), store=tmp_path)
    run(draw)
    with pytest.raises(ValueError, match=r"store must be of this sweep.*whose function is another"):
        run(square)
    with pytest.raises(ValueError, match="whose seed is another"):
        run(draw, seed=1)
    changed = {"draw": None}
    exec("def draw(k, seed): return 1.0 * k", changed)
    with pytest.raises(ValueError, match="whose code of the function is another"):
        run(changed["draw"])
    monkeypatch.setattr(sys.modules["shld_sim.sweep.store"], "__version__", "9.9")
    with pytest.raises(ValueError, match="whose version is another"):
        run(draw)
    with pytest.raises(ValueError, match="empty directory"):
        shld.sweep(square, {"k": [1]}, executor=SerialExecutor(), store=ROOT / "tests")
    assert not (ROOT / "tests" / "sweep.json").exists()


def test_digests_see_what_a_function_computes():
    def made(source):
        names = {"np": np, "shld": shld, "__name__": "made"}
        exec(source, names)
        return function_digest(names["f"])

    base = "K = 2.0\ndef g(x): return K * x\ndef f(x): return g(x) + 1.0"
    assert made(base) == made("# moved\n" + base)
    for old, new in (("2.0", "3.0"), ("+ 1.0", "+ 2.0"), ("K * x", "K + x")):
        assert made(base) != made(base.replace(old, new))
    # what else has been imported meanwhile does not matter
    names = "def f(x): return shld.theory.gibbs_density(x), x in {'a', 'b', 'c'}"
    code = (
        f"import shld_sim as shld; from shld_sim.sweep.store import function_digest\n{names}\nprint(function_digest(f))"
    )
    out = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip(),
        made("X = shld.theory\n" + names),
    }
    assert len(out) == 1
    assert function_digest(functools.partial(logged, folder="a")) != function_digest(
        functools.partial(logged, folder="b")
    )


# -- failures ----


def test_exceptions_are_reported_and_the_rest_is_kept():
    result = shld.sweep(broken_at_two, {"k": [1, 2, 3]}, executor=SerialExecutor())
    assert result.values == (1, None, 3)
    error = result.errors[1]
    assert isinstance(error, PointError)
    assert (error.kind, error.message, error.attempts) == ("ValueError", "k must not be 2, got 2", 2)
    assert "broken_at_two" in error.traceback
    assert str(error) == "ValueError: k must not be 2, got 2 (tried 2 times)"
    assert "1 failed" in repr(result)


def test_exceptions_are_retried(tmp_path):
    parameters = {"k": [0, 1], "folder": [str(tmp_path)]}
    assert shld.sweep(flaky, parameters, executor=SerialExecutor(), retries=0).values == (0, None)
    (tmp_path / "tried").unlink()
    assert shld.sweep(flaky, parameters, executor=SerialExecutor(), retries=1).values == (0, 1)


def test_a_result_of_the_wrong_kind_is_an_error():
    for value in ("text", object(), {}, {1: 2.0}, [1, "a"]):
        result = shld.sweep(lambda k: value, {"k": [1]}, executor=SerialExecutor(), retries=0)  # noqa: B023
        assert result.errors[0].kind == "TypeError"
        assert "function must return" in result.errors[0].message


@pytest.mark.parametrize("always", [False, True])
def test_a_worker_that_dies(tmp_path, always):
    parameters = {"k": [1, 2, 3, 4, 5, 6], "folder": [str(tmp_path)], "always": [always]}
    result = shld.sweep(deadly, parameters, retries=0 if always else 1)
    assert result.values == (2, 4, None if always else 6, 8, 10, 12)
    if always:
        assert result.errors[2].kind == "BrokenProcessPool"
        assert result.errors[2].attempts == 1
        assert result.errors.keys() == {2}
    else:
        assert not result.errors


def test_a_dask_worker_that_dies(tmp_path, dask_executor):
    parameters = {"k": [1, 2, 3, 4], "folder": [str(tmp_path)], "always": [False]}
    assert shld.sweep(deadly, parameters, retries=0, executor=dask_executor).values == (2, 4, 6, 8)


def test_a_given_executor_that_breaks():
    class Breaking(SerialExecutor):
        def submit(self, fn, /, *args, **kwargs):
            if args[1]["k"] == 2:
                raise concurrent.futures.BrokenExecutor("gone")
            return super().submit(fn, *args, **kwargs)

    result = shld.sweep(square, {"k": [1, 2, 3]}, executor=Breaking())
    assert result.values == (1, None, None)
    assert "the given executor is broken" in result.errors[2].message


def test_ctrl_c_keeps_what_was_done(tmp_path):
    def interrupted(k):
        if k == 3:
            raise KeyboardInterrupt
        return k

    with pytest.warns(UserWarning, match="interrupted: 2 of 4 points are done"):
        result = shld.sweep(interrupted, {"k": [1, 2, 3, 4]}, executor=SerialExecutor(), store=tmp_path)
    assert (result.values, result.interrupted, result.errors) == ((1, 2, None, None), True, {})
    assert "interrupted" in repr(result)
    assert len(list(tmp_path.glob("*.npz"))) == 2


SCRIPT = """
import json, os, signal, sys, threading, time, warnings
import shld_sim as shld

def slow(k, seed):
    time.sleep(0.01 if k < 5 else 60.0)
    return k

def watch():
    while len([f for f in os.listdir("store") if f.endswith(".npz")]) < 4:
        time.sleep(0.05)
    time.sleep(0.2)
    os.killpg(0, sys.argv[1] == "kill" and signal.SIGKILL or signal.SIGINT)  # as a terminal does

if __name__ == "__main__":
    os.makedirs("store", exist_ok=True)
    threading.Thread(target=watch, daemon=True).start()
    warnings.simplefilter("ignore")
    start = time.monotonic()
    result = shld.sweep(slow, {"k": [1, 2, 3, 4, 5, 6, 7]}, store="store")
    print(json.dumps([result.values, result.interrupted, len(result.errors)]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes")
def test_a_script_interrupted_or_killed(tmp_path):
    """The function stands in __main__; the signal reaches the workers too; the store continues."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = functools.partial(subprocess.run, cwd=tmp_path, env=environment, capture_output=True, text=True,
                            start_new_session=True, timeout=60)  # fmt: skip
    killed = run([sys.executable, "script.py", "kill"])
    assert killed.returncode == -9
    assert len(list((tmp_path / "store").glob("*.npz"))) == 4
    begin = time.monotonic()
    done = run([sys.executable, "script.py", "interrupt"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[1, 2, 3, 4, None, None, None], True, 0]
    assert "Traceback" not in done.stderr
    assert time.monotonic() - begin < 30.0  # points under way are given up


@pytest.mark.parametrize(
    "body, message",
    [
        ("shld.sweep(f, {'k': [1]})", "if __name__ =="),
        ("if __name__ == '__main__': shld.sweep(lambda k: k, {'k': [1]})", "function must be defined at the top level"),
    ],
)
def test_mistakes_in_scripts_are_explained(tmp_path, body, message):
    script = tmp_path / "script.py"
    script.write_text(f"import shld_sim as shld\ndef f(k): return k\n{body}\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert message in done.stderr.strip().splitlines()[-1]


def test_a_function_of_a_file_loaded_by_path(tmp_path):
    """As examples are in their tests: no import finds the module, its file is found all the same."""
    path = tmp_path / "loaded.py"
    path.write_text("def cube(k):\n    return k**3\n")
    spec = importlib.util.spec_from_file_location("loaded_by_path", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert shld.sweep(module.cube, {"k": [1, 2]}).values == (1, 8)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (dict(function=3), TypeError, "function must be callable, got 3"),
        (dict(parameters={"k": 0.1}), TypeError, r"parameters\['k'\] must be a list of values, got 0.1"),
        (dict(parameters={"k": "abc"}), TypeError, r"parameters\['k'\] must be a list of values, got 'abc'"),
        (dict(parameters={"k": []}), ValueError, "at least one point"),
        (dict(parameters=[]), ValueError, "at least one point"),
        (dict(parameters=7), TypeError, "a dict of lists or a list of dicts, got 7"),
        (dict(parameters={"q": [1]}), TypeError, r"parameters must fit square\(k\), got {'q': 1}"),
        (dict(parameters=[{"k": 1}, {"k": 1.0}]), ValueError, 'hold each point once, got {"k":1} twice'),
        (dict(parameters={"k": [object()]}), TypeError, "make other objects inside the function"),
        (
            dict(function=draw, parameters=[{"k": 1}, {"k": 2, "seed": 1}]),
            ValueError,
            "a seed at all points or at none",
        ),
        (dict(retries=-1), ValueError, "retries must be at least 0, got -1"),
        (dict(executor="dask"), TypeError, "executor must be a concurrent.futures.Executor, got 'dask'"),
        (dict(seed="x"), TypeError, "seed must be a whole number"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        shld.sweep(**{"function": square, "parameters": {"k": [1]}, "executor": SerialExecutor(), **arguments})


def test_lambdas_are_refused_by_name():
    with pytest.raises(TypeError, match=r"function must be defined at the top level .* got .*<lambda>"):
        shld.sweep(lambda k: k, {"k": [1]})
