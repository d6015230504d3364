"""Long runs: paths on disk, kills, running statistics, their standard errors, and what ends a run before its time."""

import dataclasses
import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import shld_sim as shld
from shld_sim import _work
from shld_sim.results import stores
from shld_sim.simulate import recording

ROOT = Path(__file__).resolve().parents[1]
driver = sys.modules["shld_sim.simulate.ensemble"]
WELL = shld.Langevin(shld.DoubleWell(), D=0.2)
VALLEY = shld.Langevin(shld.RescalingValley(), 0.1)
HEAVY = shld.Underdamped(shld.DoubleWell(), D=0.2, friction=0.7)
MODELS = {"1-D": (WELL, -1.0), "2-D": (VALLEY, [0.5, 1.0]), "momenta": (HEAVY, -1.0)}


def bits(run):
    momenta = b"" if run.momenta is None else run.momenta.tobytes()
    return run.x.tobytes(), momenta, run.t.tobytes(), run.words.tobytes(), run.status.tobytes(), run.final.tobytes()


def sums(run):
    """The bits of the statistics."""
    fields = [[getattr(r, f.name) for f in dataclasses.fields(r)[1:]] for r in run.statistics]
    return [[v.tobytes() if isinstance(v, np.ndarray) else v for v in record] for record in fields]


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


def stop_after(monkeypatch, pieces):
    """Make the team find itself interrupted after so many pieces of work."""
    done, original = [], _work.Team.run

    def run(self, calls):
        out = original(self, calls)
        done.append(1)
        self.interrupted = self.interrupted or len(done) >= pieces
        return out

    monkeypatch.setattr(_work.Team, "run", run)


class Killed(BaseException):
    pass


def kill_after(monkeypatch, pieces):
    """Make the process die, as far as the files can tell, after so many pieces of work."""
    done, original = [], recording.Recorder.rows

    def rows(self, *piece):
        done.append(1)
        if len(done) > pieces:
            raise Killed
        return original(self, *piece)

    monkeypatch.setattr(recording.Recorder, "rows", rows)


# -- stores -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save_every", [None, 1, 4, 7])
@pytest.mark.parametrize("name", MODELS)
def test_a_store_holds_the_bits_of_a_run_in_memory(name, save_every, tmp_path, monkeypatch):
    model, x0 = MODELS[name]
    options = {"n_steps": 30, "n_paths": 130, "seed": 3, "save_every": save_every}
    memory = shld.simulate(model, x0, 0.01, **options)
    for i, sizes in enumerate(([1000], [3, 4], [1])):
        small_pieces(monkeypatch, sizes)
        path = tmp_path / f"{i}.npy"
        run = shld.simulate(model, x0, 0.01, store=path, **options)
        assert bits(run) == bits(memory)
        assert isinstance(run.x, np.memmap) and not run.x.flags.writeable
        assert run.store == str(path) and not run.stopped
        array = np.load(path, mmap_mode="r")
        if name == "momenta":
            assert array.shape == (*memory.x.shape, 2)
            assert (array[..., 0] == memory.x).all() and (array[..., 1] == memory.p).all()
        else:
            assert array.shape == memory.x.shape and array.tobytes() == memory.x.tobytes()
        assert path.read_bytes() == (tmp_path / "0.npy").read_bytes()
        assert bits(shld.Ensemble.open(path)) == bits(memory)
        run.save(tmp_path / "run.npz")  # leaves the store behind
        loaded = shld.Ensemble.load(tmp_path / "run.npz")
        assert bits(loaded) == bits(memory) and loaded.store is None
        assert bits(pickle.loads(pickle.dumps(run))) == bits(memory)


@pytest.mark.parametrize("save_every", [None, 3, 5])
@pytest.mark.parametrize("name", MODELS)
def test_a_store_goes_on_in_its_file(name, save_every, tmp_path, monkeypatch):
    model, x0 = MODELS[name]
    options = {"n_paths": 140, "seed": 8, "save_every": save_every}
    whole = shld.simulate(model, x0, 0.01, n_steps=26, store=tmp_path / "whole.npy", **options)
    small_pieces(monkeypatch, [4, 3])
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.warns(UserWarning, match="interrupted at"):
            part = shld.simulate(model, x0, 0.01, n_steps=26, store=tmp_path / "run.npy", **options)
    assert part.stopped == "interrupted" and part.n_steps == 7
    assert len(np.load(tmp_path / "run.npy")) == len(part.t)
    part = shld.Ensemble.open(tmp_path / "run.npy")
    assert part.interrupted and part.n_steps == 7
    done = shld.resume(part, n_steps=26)
    assert not done.interrupted and not done.stopped
    assert bits(done) == bits(whole)
    assert (tmp_path / "run.npy").read_bytes() == (tmp_path / "whole.npy").read_bytes()
    with pytest.raises(ValueError, match=r"run must be where its store is, step 26, got step 7"):
        shld.resume(part, n_steps=26)


@pytest.mark.parametrize("every_checkpoint", [True, False])
@pytest.mark.parametrize("save_every", [None, 3, 5, 1])
@pytest.mark.parametrize("pieces", [0, 1, 2, 5])
def test_a_dead_run_is_continued_by_the_same_call_or_by_resume(
    pieces, save_every, every_checkpoint, tmp_path, monkeypatch
):
    """With a state after each piece, or the first alone: rows behind the state are written again."""
    options = {"n_paths": 9, "seed": 8, "save_every": save_every, "n_steps": 26}
    options["statistics"] = [shld.Moments(2), shld.Histogram([-2, -1, 0, 1, 2], 3, observable=np.sin)]
    whole = shld.simulate(WELL, -1.0, 0.01, store=tmp_path / "whole.npy", **options)
    small_pieces(monkeypatch, [4, 3])
    monkeypatch.setattr(recording.Store, "due", lambda self: every_checkpoint)
    for name in ("call", "resume"):
        path = tmp_path / f"{name}.npy"
        with monkeypatch.context() as patch:
            kill_after(patch, pieces)
            with pytest.raises(Killed):
                shld.simulate(WELL, -1.0, 0.01, store=path, **options)
        part = shld.Ensemble.open(path)
        steps = (0, 4, 7, 11, 14, 18)[pieces] if every_checkpoint else 0
        assert part.interrupted and part.n_steps == steps
        expected = shld.simulate(WELL, -1.0, 0.01, **{**options, "n_steps": steps, "statistics": None})
        assert bits(part)[-1] == bits(expected)[-1] and part.words.tobytes() == expected.words.tobytes()
        assert part.x.tobytes() == expected.x.tobytes()
        np.load(path, mmap_mode="r")
        if name == "call":
            done = shld.simulate(WELL, -1.0, 0.01, store=path, **options)
        else:
            if pieces == 5:
                with pytest.raises(ValueError, match=r"statistics= must be given again.*'sin' is not stored"):
                    shld.resume(part, n_steps=26)
                part = shld.Ensemble.open(path)
            done = shld.resume(part, n_steps=26, statistics=options["statistics"])
        assert bits(done) == bits(whole) and sums(done) == sums(whole)
        assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_a_row_written_over_after_the_last_state_is_not_shown(tmp_path, monkeypatch):
    """Ended at step 7 with a row of its own, continued to row 9, killed before the next state."""
    options = {"n_paths": 4, "seed": 8, "save_every": 3}
    path = tmp_path / "run.npy"
    seven = shld.simulate(WELL, -1.0, 0.01, n_steps=7, store=path, **options)
    assert len(seven.t) == 4
    end = seven.final.copy()
    small_pieces(monkeypatch, [3])
    with monkeypatch.context() as patch:
        kill_after(patch, 1)
        with pytest.raises(Killed):
            shld.resume(seven, n_steps=20)
    part = shld.Ensemble.open(path)
    assert part.n_steps == 7 and len(part.t) == len(part.x) == 3 and (part.final == end).all()
    part.save(tmp_path / "part.npz")
    loaded = shld.Ensemble.load(tmp_path / "part.npz")
    whole = shld.simulate(WELL, -1.0, 0.01, n_steps=20, **options)
    assert bits(shld.resume(loaded, n_steps=20)) == bits(whole)
    assert bits(shld.resume(part, n_steps=20)) == bits(whole)


@pytest.mark.parametrize("save_every", [None, 3])
@pytest.mark.parametrize("where", ["write_checkpoint", "write_archive", "npy_header", "row_count"])
def test_a_kill_while_the_state_is_written(where, save_every, tmp_path, monkeypatch):
    """Before the rows, the header or the state are written down: the state before it counts."""
    options = {"n_paths": 9, "seed": 8, "save_every": save_every, "n_steps": 26}
    whole = shld.simulate(WELL, -1.0, 0.01, store=tmp_path / "whole.npy", **options)
    small_pieces(monkeypatch, [4, 3])
    monkeypatch.setattr(recording.Store, "due", lambda self: True)
    original, path = getattr(stores, where), tmp_path / "run.npy"
    for count in range(2, 12):
        calls = []

        def dying(*args, count=count, calls=calls):
            calls.append(1)
            if len(calls) > count:
                raise Killed
            return original(*args)

        with monkeypatch.context() as patch:
            patch.setattr(stores, where, dying)
            try:
                shld.simulate(WELL, -1.0, 0.01, store=path, **options)
            except Killed:
                pass
            else:
                break
    run = shld.simulate(WELL, -1.0, 0.01, store=path, **options)
    assert bits(run) == bits(whole) and path.read_bytes() == (tmp_path / "whole.npy").read_bytes()


PROGRAM = """
import sys
import shld_sim as shld
from shld_sim.simulate import recording
recording.CHECKPOINT = 0.05
model = shld.Langevin(shld.DoubleWell(), D=0.2)
shld.simulate(model, -1.0, 1e-3, n_steps=int(sys.argv[2]), n_paths=300, seed=4, save_every=7, n_threads=1,
              store=sys.argv[1], statistics=shld.Moments(5, burn_in=1.0))
"""


def test_kill_9_then_the_same_bytes(tmp_path):
    path = tmp_path / "run.npy"
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, path, "100000000"])
    try:
        deadline = time.monotonic() + 60.0
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if os.path.exists(stores.state_path(path)) and shld.Ensemble.open(path).n_steps > 5000:
                break  # opened while it is being written
        with pytest.raises(ValueError, match=r"store must not be in use, got .*run\.npy"):
            shld.resume(shld.Ensemble.open(path), n_steps=10**8, time_limit=0.1)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    part = shld.Ensemble.open(path)
    n = part.n_steps + 10_000
    assert part.interrupted and 5000 < part.n_steps < 10**8
    done = shld.resume(part, n_steps=n)
    options = {"n_paths": 300, "seed": 4, "save_every": 7, "statistics": shld.Moments(5, burn_in=1.0)}
    whole = shld.simulate(WELL, -1.0, 1e-3, n_steps=n, store=tmp_path / "whole.npy", **options)
    assert bits(done) == bits(whole) and sums(done) == sums(whole)
    assert path.read_bytes() == (tmp_path / "whole.npy").read_bytes()


DYING = """
import os, signal, sys
import numpy as np
import shld_sim as shld
from shld_sim.results import stores
from shld_sim.simulate import recording

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def half(file, **arrays):
    written = savez(file, **arrays)
    file.truncate(file.tell() // 2)
    file.flush()
    die()

def after(count, function, then):
    calls = []
    def call(*args, **kwargs):
        calls.append(1)
        return function(*args, **kwargs) if len(calls) <= count else then(*args, **kwargs)
    return call

model = shld.Langevin(shld.DoubleWell(), D=0.2)
savez, fsync, replace = np.savez, os.fsync, os.replace
recording.Store.due = lambda self: True
for what in ("save", "store"):
    for moment in ("half", "fsync", "replace"):
        pid = os.fork()  # no thread has been started yet
        if pid:
            print(os.WTERMSIG(os.waitpid(pid, 0)[1]))
            continue
        # the first file or state is written down, the next one is not; of the store itself there is a file besides
        count = 2 if what == "store" and moment != "half" else 1
        np.savez, os.fsync, os.replace = (
            after(count, function, then if moment == name else function)
            for name, function, then in (("half", savez, half), ("fsync", fsync, die), ("replace", replace, die))
        )
        path = os.path.join(sys.argv[1], what + "-" + moment)
        options = dict(n_paths=300, seed=4, save_every=7, n_threads=1)
        if what == "store":
            shld.simulate(model, -1.0, 1e-3, n_steps=10**8, store=path, **options)
        else:
            for n in (20, 30):
                shld.simulate(model, -1.0, 1e-3, n_steps=n, **options).save(path)
        os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="THE SYSTEM HAS NO fork")
def test_kill_9_in_the_middle_of_writing_leaves_a_readable_file(tmp_path):
    """Half of the file written, all of it written but not on the disk, on the disk but without its name."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, "-c", DYING, tmp_path], env=environment, capture_output=True, text=True, timeout=100
    )
    assert answer.stdout.split() == [str(int(signal.SIGKILL))] * 6, answer.stderr
    options = {"n_paths": 300, "seed": 4, "save_every": 7}
    whole = shld.simulate(WELL, -1.0, 1e-3, n_steps=20, **options)
    for moment in ("half", "fsync", "replace"):
        path = tmp_path / f"save-{moment}"
        assert path.with_name(path.name + ".partial").exists()  # died there indeed
        assert bits(shld.Ensemble.load(path)) == bits(whole)
        whole.save(path)  # what the dead left behind is in nobody's way
        assert not path.with_name(path.name + ".partial").exists()
        path = tmp_path / f"store-{moment}"
        part = shld.Ensemble.open(path)
        n = part.n_steps
        assert part.interrupted and n < 10**8
        expected = shld.simulate(WELL, -1.0, 1e-3, n_steps=n, **options)
        assert part.words.tobytes() == expected.words.tobytes()
        assert np.load(path, mmap_mode="r")[: len(part.t)].tobytes() == part.x.tobytes()
        done, more = shld.resume(part, n_steps=n + 50), shld.simulate(WELL, -1.0, 1e-3, n_steps=n + 50, **options)
        assert bits(done) == bits(more)


INTERRUPTED = """
import math, signal, sys, time, warnings
import shld_sim as shld
signal.signal(signal.SIGINT, signal.default_int_handler)
warnings.simplefilter("ignore")
model, seldom = shld.Langevin(shld.DoubleWell(), D=0.2), shld.Langevin(shld.DoubleWell(), D=0.002)
long = dict(n_steps=10**10, n_paths=1000, save_every=10**4)
CALLS = {
    "simulate": lambda: shld.simulate(model, -1.0, 1e-3, n_threads=1, **{**long, "save_every": None}),
    "two threads": lambda: shld.simulate(model, -1.0, 1e-3, n_threads=2, **{**long, "save_every": None}),
    "store": lambda: shld.simulate(model, -1.0, 1e-3, store=sys.argv[1], statistics=shld.Moments(100), **long),
    "first_passage": lambda: shld.first_passage(seldom, -1.0, (-math.inf, 0.0), 1e-3, 1000),
}
shld.simulate(model, -1.0, 1e-3, n_steps=1, statistics=shld.Moments())
shld.first_passage(model, -1.0, (-math.inf, 0.0), 1e-3, 1)  # compiled
for name in CALLS:
    print("begun", flush=True)
    result = CALLS[name]()
    print(time.monotonic(), result.interrupted, flush=True)
"""
INTERRUPTED_CALLS = ("simulate", "two threads", "store", "first_passage")


@pytest.mark.skipif(os.name != "posix", reason="THE SYSTEM HAS NO SIGINT")
def test_ctrl_c_returns_within_a_second(tmp_path):
    """The clock is the system's, the same for both processes; beside other work the best of three rounds counts."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for attempt in range(3):
        command = [sys.executable, "-c", INTERRUPTED, tmp_path / f"{attempt}.npy"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            late = {}
            for name in INTERRUPTED_CALLS:
                assert process.stdout.readline() == "begun\n"
                time.sleep(1.5)  # pieces of work have grown to their length
                process.send_signal(signal.SIGINT)
                sent = time.monotonic()
                returned, interrupted = process.stdout.readline().split()
                assert interrupted == "True", name
                if float(returned) - sent >= 1.0:
                    late[name] = float(returned) - sent
        assert process.returncode == 0
        if not late:
            return
    raise AssertionError(f"later than a second in three rounds, at last {late}")


# RLIMIT_DATA counts what a process may write to: heap, anonymous mappings, stacks of threads, and Numba's code. It does not
# count a file mapped for reading, which the pages of a store are. RLIMIT_AS counts these too, so that a store larger than
# the limit could not even be opened, although it takes no memory.
LIMITED = """
import os, resource, sys
import numpy as np
import shld_sim as shld

def data():
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmData:"))

path, extra, n_steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
model = shld.Langevin(shld.DoubleWell(), D=0.2)
options = dict(n_paths=2000, seed=4, save_every=1, n_threads=2)
shld.simulate(model, -1.0, 0.01, n_steps=50, store=path + ".small", statistics=shld.Moments(), **options)  # compiled
resource.setrlimit(resource.RLIMIT_DATA, (data() + extra, resource.RLIM_INFINITY))
try:
    shld.simulate(model, -1.0, 0.01, n_steps=n_steps, **options)
    print("fits")
except MemoryError:
    print("too much")
run = shld.simulate(model, -1.0, 0.01, n_steps=n_steps, store=path, statistics=shld.Moments(), **options)
print(run.x.shape, run.interrupted, run.statistics[0].n_samples, os.path.getsize(path) > 2 * extra)
print(float(np.abs(run.x[::1000]).max()))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="THE SYSTEM DOES NOT LIMIT DATA")
def test_a_store_much_larger_than_the_memory_allowed(tmp_path):
    """1.6 GB of paths by a process that may write to 600 MB more than it had; the run in memory fails there."""
    path, n_steps = tmp_path / "run.npy", 100_000
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    try:
        command = [sys.executable, "-c", LIMITED, path, str(600 * 10**6), str(n_steps)]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
        assert answer.returncode == 0, answer.stderr
        lines = answer.stdout.splitlines()
        assert lines[0] == "too much"  # the limit is one
        assert lines[1] == f"({n_steps + 1}, 2000) False {n_steps} True"
        stored = np.load(path, mmap_mode="r")
        assert stored.shape == (n_steps + 1, 2000)
        assert path.stat().st_size == stores.NPY_HEADER + stored.nbytes > 1.6e9
        few = shld.simulate(WELL, -1.0, 0.01, n_steps=n_steps, n_paths=3, seed=4, save_every=997)
        assert (few.x[:-1] == stored[::997, :3]).all() and (few.x[-1] == stored[-1, :3]).all()
        last = shld.simulate(WELL, -1.0, 0.01, n_steps=n_steps, n_paths=2000, seed=4)
        assert (last.x[-1] == stored[-1]).all()
        assert float(lines[2]) == np.abs(stored[::1000]).max()
    finally:
        path.unlink(missing_ok=True)


def test_a_run_in_memory_moves_to_a_store(tmp_path):
    options = {"n_paths": 5, "seed": 2, "save_every": 3}
    whole = shld.simulate(WELL, -1.0, 0.01, n_steps=20, **options)
    part = shld.simulate(WELL, -1.0, 0.01, n_steps=10, **options)
    done = shld.resume(part, n_steps=20, store=tmp_path / "run.npy")
    assert bits(done) == bits(whole) and isinstance(done.x, np.memmap)
    again = shld.simulate(WELL, -1.0, 0.01, n_steps=22, store=tmp_path / "run.npy", **options)  # known for the same run
    assert bits(again) == bits(shld.simulate(WELL, -1.0, 0.01, n_steps=22, **options))


def test_a_store_needs_room_on_the_disk_and_none_in_memory(tmp_path, monkeypatch):
    options = {"n_steps": 1000, "n_paths": 2000, "save_every": 1}
    monkeypatch.setattr(_work, "free_memory", lambda: 12_000_000)  # the run takes 16 MB
    with pytest.raises(MemoryError):
        shld.simulate(WELL, 0.0, 0.01, **options)
    monkeypatch.setattr(recording, "BUFFER", 2**18)
    assert shld.simulate(WELL, 0.0, 0.01, store=tmp_path / "run.npy", **options).x.shape == (1001, 2000)
    usage = type(shutil.disk_usage(tmp_path))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**8, 9 * 10**7, 10**7))
    with pytest.raises(OSError, match=r"1001 saved times of 2000 paths take 0\.0 GiB.*store='.*new\.npy'") as caught:
        shld.simulate(WELL, 0.0, 0.01, store=tmp_path / "new.npy", **options)
    assert caught.value.errno == errno.ENOSPC
    assert not (tmp_path / "new.npy").exists()
    monkeypatch.undo()
    with pytest.raises(OSError, match=r"1000000000001 saved times of 1000 paths take .* GiB"):
        shld.simulate(WELL, 0.0, 0.01, n_steps=10**12, n_paths=1000, save_every=1, store=tmp_path / "new.npy")


def test_a_store_of_another_run_is_not_touched(tmp_path):
    path = tmp_path / "run.npy"
    options = {"n_steps": 6, "n_paths": 3, "seed": 1, "save_every": 2, "statistics": shld.Moments()}
    shld.simulate(WELL, -1.0, 0.01, store=path, **options)
    before = path.read_bytes(), Path(stores.state_path(path)).read_bytes()
    others = {
        "seed": lambda: shld.simulate(WELL, -1.0, 0.01, store=path, **{**options, "seed": 2}),
        "dt=0.01 instead of 0.02": lambda: shld.simulate(WELL, -1.0, 0.02, store=path, **options),
        "save_every=2 instead of 3": lambda: shld.simulate(
            WELL, -1.0, 0.01, store=path, **{**options, "save_every": 3}
        ),
        "n_paths": lambda: shld.simulate(WELL, -1.0, 0.01, store=path, **{**options, "n_paths": 4}),
        "another x0": lambda: shld.simulate(WELL, -1.1, 0.01, store=path, **options),
        "model must be": lambda: shld.simulate(VALLEY, [1.0, 1.0], 0.01, store=path, **options),
        "statistics must be": lambda: shld.simulate(WELL, -1.0, 0.01, store=path, **{**options, "statistics": None}),
        "up to step 6, beyond step 4": lambda: shld.simulate(WELL, -1.0, 0.01, store=path, **{**options, "n_steps": 4}),
        "noise=": lambda: shld.simulate(WELL, np.zeros(3), 0.01, noise=np.zeros((5, 3)), store=path),
        "new file": lambda: shld.resume(shld.simulate(WELL, -1.0, 0.01, n_steps=2), n_steps=4, store=path),
    }
    for words, call in others.items():
        with pytest.raises(ValueError, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert before == (path.read_bytes(), Path(stores.state_path(path)).read_bytes()), words
    other = tmp_path / "notes.txt"
    other.write_text("precious")
    with pytest.raises(ValueError, match=r"store must be a new file or the store of this run, got .*notes\.txt"):
        shld.simulate(WELL, -1.0, 0.01, store=other, **options)
    assert other.read_text() == "precious"


def test_what_is_no_store(tmp_path):
    path = tmp_path / "run.npy"
    shld.simulate(WELL, -1.0, 0.01, n_steps=6, n_paths=3, save_every=2, store=path)
    with pytest.raises(FileNotFoundError):
        shld.Ensemble.open(tmp_path / "none.npy")
    with pytest.raises(FileNotFoundError, match="store must lie in an existing directory"):
        shld.simulate(WELL, -1.0, 0.01, n_steps=6, store=tmp_path / "none" / "run.npy")
    os.truncate(path, 150)
    with pytest.raises(ValueError, match=r"path must be a whole store, got .*shorter"):
        shld.Ensemble.open(path)
    Path(stores.state_path(path)).write_bytes(b"0123456789")
    with pytest.raises(ValueError, match=r"path must be a file written by simulate\(store="):
        shld.Ensemble.open(path)


# -- running statistics -------------------------------------------------------------------------------------------------

EDGES = np.linspace(-1.6, 1.6, 24)


def square(x):
    return x * x


def test_statistics_are_those_of_the_saved_paths():
    asked = [
        shld.Moments(2, burn_in=0.1),
        shld.Histogram(EDGES, 3, burn_in=0.055),
        shld.Moments(5, observable=square),
        shld.Histogram([0.0, 0.3, 2.0], burn_in=0.055, observable=np.abs),
        shld.Histogram(np.geomspace(0.01, 2.0, 30), observable=np.abs),
    ]
    run = shld.simulate(WELL, -1.0, 0.01, n_steps=60, n_paths=150, seed=2, save_every=1, statistics=asked)
    x = run.x
    for record, values in zip(run.statistics, (x[10::2], x[6::3], x[5::5] ** 2, np.abs(x[6:]), np.abs(x[1:]))):
        assert record.n_samples == len(values) and record.kept.all()
        if isinstance(record, shld.MomentsRecord):
            means = values.mean(axis=0)
            squares = ((values - values.mean()) ** 2).mean(axis=0)
            np.testing.assert_allclose(record.mean, values.mean(), rtol=1e-12)
            np.testing.assert_allclose(record.variance, values.var(), rtol=1e-12)
            np.testing.assert_allclose(record.stderr, means.std(ddof=1) / np.sqrt(150), rtol=1e-12)
            np.testing.assert_allclose(record.variance_stderr, squares.std(ddof=1) / np.sqrt(150), rtol=1e-12)
        else:
            counts = np.array([np.histogram(path, record.edges)[0] for path in values.T])
            assert (record.counts == counts).all()
            densities = counts / (len(values) * np.diff(record.edges))
            np.testing.assert_allclose(record.density, densities.mean(axis=0), rtol=1e-12)
            np.testing.assert_allclose(record.stderr, densities.std(axis=0, ddof=1) / np.sqrt(150), rtol=1e-12)
    assert "150 paths" in repr(run.statistics[0]) and "23 bins" in repr(run.statistics[1])
    quiet = shld.simulate(WELL, -1.0, 0.01, n_steps=60, n_paths=150, seed=2, statistics=asked)
    assert sums(quiet) == sums(run) and len(quiet.t) == 1
    assert (quiet.final == run.final).all()


def test_a_bin_holds_its_lower_edge_and_the_last_one_its_upper():
    noise = np.array([[-1.0, 0.5], [1.0, 0.5], [1.0, 1.0], [0.5, 0.25], [0.5, -9.0]])
    flat = shld.Langevin(shld.Polynomial([0.0, 0.0, 1e-300]), D=0.5)
    x = np.cumsum(noise, axis=0)
    edges = [-1.0, 0.0, 1.0, 2.0]
    run = shld.simulate(flat, 0.0, 1.0, noise=noise, n_paths=2, statistics=shld.Histogram(edges))
    assert run.statistics[0].counts.tolist() == [np.histogram(path, edges)[0].tolist() for path in x.T]


def test_coordinates_have_moments_each():
    model = shld.Underdamped(shld.RescalingValley(), 0.1, 1.0)
    options = {"n_steps": 40, "n_paths": 7, "seed": 1, "p0": [0.1, 0.2]}
    asked = [shld.Moments(4), shld.Histogram(EDGES, observable=lambda x: x[:, 0] - x[:, 1])]
    run = shld.simulate(model, [0.5, 1.0], 0.01, save_every=1, statistics=asked, **options)
    values = run.x[4::4]
    record = run.statistics[0]
    np.testing.assert_allclose(record.mean, values.mean(axis=(0, 1)), rtol=1e-12)
    np.testing.assert_allclose(record.variance, values.var(axis=(0, 1)), rtol=1e-12)
    assert record.path_means.shape == (7, 2) and record.stderr.shape == (2,)
    assert run.statistics[1].counts.sum() == np.histogram(run.x[1:, :, 0] - run.x[1:, :, 1], EDGES)[0].sum()


def test_statistics_do_not_depend_on_pieces_threads_or_stops(monkeypatch, tmp_path):
    asked = [
        shld.Moments(2, burn_in=0.05),
        shld.Histogram(EDGES, 3, observable=np.sin),
        shld.Moments(observable=np.exp),
    ]
    options = {"n_paths": 300, "seed": 5, "save_every": 7}
    whole = shld.simulate(WELL, -1.0, 0.01, n_steps=45, n_threads=1, statistics=asked, **options)
    for sizes in ([1], [2], [3, 4], [44, 1], [1000]):
        small_pieces(monkeypatch, sizes)
        for buffer in (2**24, 1, 5 * 300 * 8):
            monkeypatch.setattr(recording, "BUFFER", buffer)
            run = shld.simulate(WELL, -1.0, 0.01, n_steps=45, n_threads=2, statistics=asked, **options)
            assert bits(run) == bits(whole) and sums(run) == sums(whole), (sizes, buffer)
    run = shld.simulate(WELL, -1.0, 0.01, n_steps=13, statistics=asked, **options)
    run.save(tmp_path / "run.npz")
    loaded = shld.Ensemble.load(tmp_path / "run.npz")
    assert sums(loaded) == sums(run) and loaded.statistics[0].statistic == asked[0]
    for part in (run, dataclasses.replace(loaded)):
        done = shld.resume(part, n_steps=45, statistics=asked)
        assert sums(done) == sums(whole) and bits(done) == bits(whole)
    assert sums(shld.resume(run, n_steps=45)) == sums(whole)  # functions in memory are still known


def test_memory_does_not_grow_with_the_length_of_the_run(monkeypatch):
    """12 MB are said to be free, and the rows would take 160 MB."""
    import tracemalloc

    monkeypatch.setattr(_work, "free_memory", lambda: 12_000_000)
    monkeypatch.setattr(recording, "BUFFER", 2**20)
    asked = [shld.Moments(), shld.Histogram(EDGES)]
    shld.simulate(WELL, 0.0, 0.01, n_steps=10, n_paths=2000, statistics=asked)
    tracemalloc.start()
    run = shld.simulate(WELL, 0.0, 0.01, n_steps=10_000, n_paths=2000, statistics=asked)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert run.statistics[0].n_samples == 10_000
    assert peak < 12e6, peak


def test_diverged_paths_are_left_out():
    x0 = np.full(20, 0.1)
    x0[5] = 4.0
    model = shld.Langevin(shld.Quartic(), D=1e-6)
    asked = [shld.Moments(), shld.Histogram([-1.0, 0.0, 1.0])]
    run = shld.simulate(model, x0, 0.2, n_steps=60, statistics=asked, on_divergence="mark", save_every=1)
    good = np.delete(run.x[1:], 5, axis=1)
    for record in run.statistics:
        assert np.flatnonzero(~record.kept).tolist() == [5]
    np.testing.assert_allclose(run.statistics[0].mean, good.mean(), rtol=1e-12)
    np.testing.assert_allclose(run.statistics[1].density, np.histogram(good, [-1.0, 0.0, 1.0])[0] / good.size)


def test_too_little_gives_nan_and_no_warning():
    one = shld.simulate(WELL, 0.0, 0.01, n_steps=5, statistics=[shld.Moments(), shld.Histogram(EDGES)])
    assert np.isfinite(one.statistics[0].mean) and np.isnan(one.statistics[0].stderr)
    assert np.isnan(one.statistics[1].stderr).all()
    none = shld.simulate(WELL, 0.0, 0.01, n_steps=5, n_paths=3, statistics=[shld.Moments(9), shld.Histogram(EDGES, 9)])
    assert none.statistics[0].n_samples == 0
    assert np.isnan(none.statistics[0].mean) and np.isnan(none.statistics[0].variance)
    assert np.isnan(none.statistics[1].density).all()


# -- standard errors ----------------------------------------------------------------------------------------------------

REPEATS, PATHS = 200, 40


def coverage(kind):
    """How often |mean - truth| < 2 stderr for x, x^2 and one bin; correlated in time, and stationary from the start.

    Euler on x^2/2 with D = 1/2: stationary variance D/(1 - dt/2), mean 0.
    """
    dt = 0.05
    deviation = np.sqrt(0.5 / (1.0 - 0.5 * dt))
    truth = (0.0, deviation**2, (stats.norm.cdf(0.8 / deviation) - stats.norm.cdf(0.3 / deviation)) / 0.5)
    asked = [shld.Moments(), shld.Moments(observable=square), shld.Histogram([0.3, 0.8])]
    model, hits = shld.Langevin(shld.Harmonic(), D=0.5), np.zeros(3)
    rng = np.random.default_rng(12)
    for repeat in range(REPEATS):
        x0 = deviation * rng.standard_normal(PATHS)
        found = shld.simulate(model, x0, dt, n_steps=200, seed=repeat, n_threads=1, statistics=asked).statistics
        for i, record in enumerate(found):
            mean = record.density[0] if i == 2 else record.mean
            error = record.stderr[0] if i == 2 else record.stderr
            if kind == "samples":  # planted: samples taken for independent
                variance = record.variance if i < 2 else mean / 0.5 - mean**2
                error = np.sqrt(variance / (PATHS * record.n_samples))
            hits[i] += abs(mean - truth[i]) < 2.0 * error
    return hits / REPEATS


def honest(share):
    """Student's law with n - 1 degrees, to 5 standard errors of a share of 200."""
    level = 1.0 - 2.0 * stats.t.sf(2.0, PATHS - 1)
    return np.abs(share - level) < 5.0 * np.sqrt(level * (1.0 - level) / REPEATS)


def test_standard_errors_are_honest():
    assert honest(coverage("paths")).all()
    assert not honest(coverage("samples")).any()


# -- the end before the end ---------------------------------------------------------------------------------------------


def test_a_time_limit_ends_the_run(tmp_path):
    shld.simulate(WELL, -1.0, 0.01, n_steps=9, n_paths=200)  # compiled
    begun = time.monotonic()
    options = {"n_paths": 200, "seed": 8, "save_every": 1000}
    part = shld.simulate(WELL, -1.0, 0.01, n_steps=10**8, time_limit=0.3, store=tmp_path / "run.npy", **options)
    assert 0.3 <= time.monotonic() - begun < 20.0
    assert part.stopped == "time_limit" and not part.interrupted and 0 < part.n_steps < 10**8
    assert "stopped by time_limit" in repr(part) and shld.Ensemble.open(tmp_path / "run.npy").stopped == "time_limit"
    done = shld.resume(part, n_steps=part.n_steps + 1500)
    assert done.stopped == "" and bits(done) == bits(shld.simulate(WELL, -1.0, 0.01, n_steps=done.n_steps, **options))
    full = shld.simulate(WELL, -1.0, 0.01, n_steps=9, time_limit=1e-9)  # one piece is always made
    assert full.stopped == "" and full.n_steps == 9


def test_a_target_ends_the_run(monkeypatch):
    """Variance of the mean of OU over T: 2 D/(n T) for T long, so stderr 0.02 takes T = 2 * 0.5/(50 * 4e-4) = 50."""
    small_pieces(monkeypatch, [100])
    model = shld.Langevin(shld.Harmonic(), D=0.5)
    options = {"t_end": 1000.0, "n_paths": 50, "seed": 1}
    run = shld.simulate(model, 0.0, 0.05, statistics=shld.Moments(2, burn_in=5.0), target_stderr=0.02, **options)
    assert run.stopped == "target_stderr" and not run.interrupted
    assert 0.0 < run.statistics[0].stderr < 0.02
    # The estimate of the variance from 50 paths is chi-squared: T spreads by sqrt(2/49), 5 times that is 1
    assert 5.0 < run.n_steps * 0.05 < 2.0 * 50.0 + 5.0
    assert abs(run.statistics[0].mean) < 5.0 * 0.02
    before = shld.simulate(
        model, 0.0, 0.05, n_steps=run.n_steps - 100, n_paths=50, seed=1, statistics=shld.Moments(2, 5.0)
    )
    assert not before.statistics[0].stderr < 0.02  # not earlier than it could
    more = shld.resume(run, t_end=1000.0, target_stderr=0.01)
    assert more.stopped == "target_stderr" and more.n_steps > 2 * run.n_steps and more.statistics[0].stderr < 0.01
    end = shld.resume(run, n_steps=run.n_steps + 200, target_stderr=1e-9)
    assert end.stopped == "" and end.statistics[0].stderr > 1e-9
    both = [shld.Histogram(EDGES), shld.Moments(2, burn_in=5.0)]
    same = shld.simulate(model, 0.0, 0.05, statistics=both, target_stderr=0.02, **options)
    assert same.n_steps == run.n_steps


def test_the_amount_of_work_in_a_piece_stays_bounded():
    pace = _work.Pace(2)
    for _ in range(2000):
        pace.begin()
        pace.end()
    assert pace.amount <= 10**9


# -- wrong input --------------------------------------------------------------------------------------------------------


def sim(model=WELL, x0=0.5, **options):
    return shld.simulate(model, x0, 0.01, **{"n_paths": 3, "n_steps": 5, **options})


LATE = shld.Moments(burn_in=1.0)
WRONG = {
    "every": (lambda: shld.Moments(0), ["every", "at least 1", "0"]),
    "burn_in": (lambda: shld.Moments(burn_in=-1.0), ["burn_in", "negative", "-1.0"]),
    "observable": (lambda: shld.Moments(observable="x"), ["observable", "function", "'x'"]),
    "edges one": (lambda: shld.Histogram([1.0]), ["edges", "two or more", "[1.0]"]),
    "edges fall": (lambda: shld.Histogram([1.0, 0.0]), ["edges", "increasing", "[1.0, 0.0]"]),
    "edges infinite": (lambda: shld.Histogram([0.0, np.inf]), ["edges", "finite", "inf"]),
    "statistics": (lambda: sim(statistics="mean"), ["statistics", "Moments", "'m'"]),
    "statistics number": (lambda: sim(statistics=3), ["statistics", "Moments", "3"]),
    "observable shape": (lambda: sim(statistics=shld.Moments(observable=np.sum)), ["observable", "3 numbers", "1.5"]),
    "observable complex": (lambda: sim(statistics=shld.Moments(observable=lambda x: 1j * x)), ["observable", "real"]),
    "histogram in 2-D": (
        lambda: sim(VALLEY, [1.0, 1.0], statistics=shld.Histogram([0.0, 1.0])),
        ["observable", "2 dimensions", "None"],
    ),
    "time_limit": (lambda: sim(time_limit=0.0), ["time_limit", "positive", "0.0"]),
    "target": (lambda: sim(statistics=LATE, target_stderr=-1.0), ["target_stderr", "positive", "-1.0"]),
    "target without": (lambda: sim(target_stderr=0.1), ["target_stderr", "exactly one Moments", "0"]),
    "target of two": (lambda: sim(statistics=[LATE, LATE], target_stderr=0.1), ["target_stderr", "one", "2"]),
    "target of one path": (lambda: sim(statistics=LATE, target_stderr=0.1, n_paths=1), ["target_stderr", "paths", "1"]),
    "target at once": (lambda: sim(statistics=shld.Moments(), target_stderr=0.1), ["target_stderr", "burn_in", "0"]),
    "other statistics": (
        lambda: shld.resume(sim(statistics=LATE), n_steps=9, statistics=shld.Moments()),
        ["statistics", "burn_in=1.0", "burn_in=0.0"],
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_in_one_line(case):
    call, words = WRONG[case]
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 400, message
    for word in words:
        assert word in message, message


def test_statistics_compare_and_travel():
    assert shld.Histogram([0, 1, 2]) == shld.Histogram(np.array([0.0, 1.0, 2.0])) != shld.Histogram([0, 1, 3])
    assert shld.Moments(2, 1) == shld.Moments(every=2.0, burn_in=1.0)
    for statistic in (shld.Histogram([0, 1, 2], 3, 1.0, square), shld.Moments(observable=square)):
        assert pickle.loads(pickle.dumps(statistic)) == statistic
        assert eval(repr(dataclasses.replace(statistic, observable=None)), vars(shld)).every == statistic.every
