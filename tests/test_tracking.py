"""The tracker: what it computes, what it writes, what survives a kill or a torn line, and what it refuses."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import shld_sim as shld
from shld_sim import cli, diagnostics, learning, plotting, theory
from shld_sim.cli.tracking import Follower
from shld_sim.tracking import Log, Reader, Tracker, read_log

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


def rows(seed=0, n=24, d=10, signal=0.5):
    return signal + np.random.default_rng(seed).standard_normal((n, d))


def records(path):
    return [json.loads(line, parse_constant=lambda name: pytest.fail(name)) for line in path.read_bytes().splitlines()]


class Tensor:
    """What a tensor of PyTorch does: no array while it carries a gradient or lies elsewhere."""

    def __init__(self, values, attached=True, away=True):
        self.values, self.attached, self.away = np.asarray(values), attached, away

    def detach(self):
        return Tensor(self.values, False, self.away)

    def cpu(self):
        return Tensor(self.values, self.attached, False)

    def __array__(self, dtype=None, copy=None):
        if self.attached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.away:
            raise TypeError("can't convert device tensor to numpy.")
        return self.values if dtype is None else self.values.astype(dtype)


class Narrow(Tensor):
    """A tensor of bfloat16, which NumPy does not have."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Got unsupported ScalarType BFloat16")

    def detach(self):
        return self

    cpu = detach

    def float(self):
        return self.values.astype(np.float32)


# ---- in memory ----


def test_three_lines():
    tracker = shld.Tracker()
    for step in range(5):
        tracker.log(step, loss=1.0 / (step + 1), gradients=rows(step))
    steps, loss = tracker.series("loss")
    assert steps.tolist() == [0, 1, 2, 3, 4] and steps.dtype == np.int64
    np.testing.assert_array_equal(loss, 1.0 / np.arange(1, 6))
    assert len(tracker) == 5 and tracker.last_step == 4
    np.testing.assert_array_equal(tracker.series("time")[0], steps)
    assert np.diff(tracker.series("time")[1]).min() >= 0.0


def test_what_is_computed_is_what_diagnostics_say():
    eta, H = 0.2, np.diag([1.0, 2.0, 7.0])
    tracker, g = Tracker(batch=4), rows(3, 30, 3)
    found = tracker.log(0, gradients=g, learning_rate=eta, hvp=lambda v: H @ v)
    row = diagnostics.consolidation(g)
    p = row.with_batch(4).C / (1 + row.with_batch(4).C)
    assert found["C"] == 4 * row.C and found["p"] == p
    assert (found["C low"], found["C high"]) == (4 * row.interval[0], 4 * row.interval[1])
    assert found["Gamma"] == row.plug_in > row.C
    assert (found["noise scale"], found["signal"], found["noise"]) == (1 / row.C, row.signal, row.noise)
    assert found["lmax"] == pytest.approx(7.0)
    assert found["S"] == pytest.approx(10.0 - 7.0)
    assert found["S_p"] == pytest.approx(theory.noisy_margin(p, eta, 7.0))
    assert found["S_p"] == pytest.approx(2 * p / eta - 7.0)
    assert found["S_p low"] < found["S_p"] < found["S_p high"]
    assert found["p needed"] == pytest.approx(0.7)
    sizes = np.linalg.norm(g - g.mean(axis=0), axis=1)
    tail = diagnostics.hill(sizes)
    assert found["alpha"] == pytest.approx(tail.alpha)
    assert found["I"] == pytest.approx(diagnostics.intelligence(p, eta, 7.0, 3, tail.alpha))
    assert found["phase"] == diagnostics.phase(p, found["I"])
    # the guide is read at p/(eta lmax), and goes on to be when the curvature is not measured
    assert found["state"] == diagnostics.advice(min(1.0, p / (eta * found["lmax"]))).state
    later = tracker.log(1, gradients=g)
    assert later["state"] == found["state"] and "S" not in later
    assert Tracker(batch=4).log(0, gradients=g)["state"] == diagnostics.advice(p).state


def test_the_tail_index_looks_at_a_window_of_steps():
    tracker, sizes = Tracker(window=40), []
    for step in range(12):
        g = rows(step, 5, 4)
        found = tracker.log(step, gradients=g)
        sizes += np.linalg.norm(g - g.mean(axis=0), axis=1).tolist()
        assert ("alpha" in found) == (len(sizes) >= 20)
    assert found["alpha"] == pytest.approx(diagnostics.hill(sizes[-40:]).alpha)


def test_gradients_may_be_lists_of_parts_and_arrays_of_any_shape():
    g = rows(1, 6, 10)
    expected = Tracker().log(0, gradients=g)
    assert Tracker().log(0, gradients=g.reshape(6, 2, 5)) == expected
    assert Tracker().log(0, gradients=list(g)) == expected
    assert Tracker().log(0, gradients=[[row[:4].reshape(2, 2), row[4:]] for row in g]) == expected
    assert Tracker().log(0, gradients=[[Tensor(row[:4]), Tensor(row[4:])] for row in g]) == expected
    assert Tracker().log(0, gradients=g.tolist()) == expected


def test_tensors_are_numbers():
    tracker = Tracker()
    found = tracker.log(0, loss=Tensor(np.float32(0.1)), weights=Tensor([1.0, 2.0]), low=Narrow(np.float32(0.5)))
    assert found["loss"] == float(np.float32(0.1)) and found["low"] == 0.5
    np.testing.assert_array_equal(found["weights"], [1.0, 2.0])
    assert Tracker().log(0, gradients=Tensor(rows(2)))["C"] == Tracker().log(0, gradients=rows(2))["C"]


def test_only_every_tenth_step_and_nothing_costly_between():
    tracker, calls = Tracker(every=10), []

    def loss():
        calls.append(1)
        return 2.0

    for step in range(25):
        found = tracker.log(step, loss=loss, gradients=lambda: rows())
        assert bool(found) == tracker.due(step) == (step % 10 == 0)
    assert len(calls) == 3 and tracker.series("loss")[0].tolist() == [0, 10, 20]
    assert tracker.series("C")[0].tolist() == [0, 10, 20]


def test_calls_for_one_step_add_up():
    tracker = Tracker()
    tracker.log(3, loss=1.0, note="a")
    tracker.log(3, accuracy=0.5, loss=2.0, skipped=None)
    assert len(tracker) == 1 and tracker.names == ["loss", "note", "accuracy"]
    assert tracker.latest() == {"loss": 2.0, "note": "a", "accuracy": 0.5}


def test_a_run_that_diverges_is_recorded_and_not_ended():
    tracker, g = Tracker(), rows()
    g[2, 3] = np.nan
    found = tracker.log(0, loss=math.inf, gradients=g, learning_rate=0.1, hvp=lambda v: v * np.nan)
    assert found["loss"] == math.inf
    assert all(math.isnan(found[name]) for name in ("C", "p", "lmax", "S"))
    assert "state" not in found and "phase" not in found
    found = tracker.log(1, gradients=np.ones((4, 3)), learning_rate=0.0, curvature=2.0)  # no noise, no step
    assert (found["C"], found["p"]) == (math.inf, 1.0) and "S" not in found
    assert math.isnan(tracker.log(2, gradients=np.zeros((4, 3)))["C"])


def test_series_of_text_and_of_arrays():
    tracker = Tracker()
    for step, size in enumerate((2, 2, 3)):
        tracker.log(step, phase="a" * size, w=np.arange(size), same=np.arange(4.0))
    assert tracker.series("phase")[1].tolist() == ["aa", "aa", "aaa"]
    assert tracker.series("same")[1].shape == (3, 4)
    ragged = tracker.series("w")[1]
    assert ragged.dtype == object and [len(w) for w in ragged] == [2, 2, 3]
    assert tracker.numbers() == {}


def test_table_and_advice():
    tracker = Tracker()
    for step in range(12):
        tracker.log(step, loss=float(step), gradients=rows(0, signal=0.3), learning_rate=0.1, curvature=3.0)
    tracker.log(12, loss=-1.5)
    lines = tracker.table(3, ["loss", "C"]).splitlines()
    assert [line.split() for line in lines[:1]] == [["step", "loss", "C"]] and len(lines) == 5
    assert lines[-1].split() == ["12", "-1.5", "-"]
    assert len(tracker.table().splitlines()) == 12 and "C low" not in tracker.table()
    found = tracker.advice()
    assert found.startswith("p = ") and "at step 11" in found
    assert "S = 17" in found and "phase: " in found and "guide: " in found and "(the interval: " in found
    assert Tracker().advice() == ""


# ---- the file ----


def test_what_is_read_is_what_was_logged(tmp_path):
    path, rng = tmp_path / "run.jsonl", np.random.default_rng(0)
    with Tracker(path, metadata={"lr": 0.1, "bad": [math.nan, None], "deep": {"w": np.arange(2)}}) as tracker:
        for step in range(20):
            tracker.log(
                step,
                loss=rng.random(),
                single=np.float32(0.1),
                whole=2**60 + step,
                yes=step > 3,
                note="Umlaut ä\n",
                odd=[math.nan, math.inf, -math.inf][step % 3],
                weights=np.array([[1.5, math.nan], [-math.inf, 0.0]], dtype=np.float32),
                counts=np.array([1, 2], dtype=np.uint8),
                empty=np.zeros((0, 3)),
                gradients=rows(step),
            )
        found = [read_log(path), Tracker.load(path)]  # while it is open
    for log in found:
        assert log.names == tracker.names and len(log) == 20
        assert log.metadata["lr"] == 0.1 and math.isnan(log.metadata["bad"][0]) and log.metadata["bad"][1] is None
        np.testing.assert_array_equal(log.metadata["deep"]["w"], [0, 1])
        for name in log.names:
            np.testing.assert_array_equal(log.series(name)[0], tracker.series(name)[0])
            np.testing.assert_array_equal(log.series(name)[1], tracker.series(name)[1])
            assert log.series(name)[1].dtype == tracker.series(name)[1].dtype
    assert log.series("empty")[1].shape == (20, 0, 3)
    assert log.table() == tracker.table() and log.advice() == tracker.advice()
    first, *rest = records(path)  # valid JSON: no NaN, no Infinity
    assert first["format"] == "shld_sim log 1" and first["version"] == shld.__version__
    assert [record["step"] for record in rest] == list(range(20))


@pytest.mark.parametrize("bits", [0x7FEFFFFFFFFFFFFF, 1, 0x8000000000000000, 0x3FF0000000000001])
def test_doubles_keep_their_bits(tmp_path, bits):
    value = np.array([bits], dtype=np.uint64).view(np.float64)
    with Tracker(tmp_path / "a.jsonl") as tracker:
        tracker.log(0, x=value[0], array=value)
    log = read_log(tmp_path / "a.jsonl")
    for name in ("x", "array"):
        assert log.series(name)[1].view(np.uint64).ravel().tolist() == [bits]


KILLED = """
import sys, numpy as np, shld_sim as shld
tracker = shld.Tracker(sys.argv[1])
print("begun", flush=True)
for step in range(10**9):
    tracker.log(step, loss=float(step), weights=np.arange(200.0) + step)
"""


def test_a_kill_leaves_all_but_the_line_being_written(tmp_path):
    path = tmp_path / "run.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begun\n"
    deadline = time.monotonic() + 30.0
    while path.stat().st_size < 2e5 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        log = read_log(path)
    assert len(caught) <= 1
    assert len(log) >= 50
    steps, loss = log.series("loss")
    np.testing.assert_array_equal(steps, np.arange(len(log)))  # none is missing
    np.testing.assert_array_equal(loss, steps)
    with warnings.catch_warnings(record=True), Tracker(path) as tracker:  # and it goes on
        warnings.simplefilter("always")
        tracker.log(len(log), loss=-1.0)
    again = read_log(path)
    np.testing.assert_array_equal(again.series("loss")[1], [*loss, -1.0])


@pytest.fixture
def short(tmp_path):
    """A log of three steps."""
    path = tmp_path / "run.jsonl"
    with Tracker(path, metadata={"a": 1}) as tracker:
        for step in range(3):
            tracker.log(step, loss=1.0 + step)
    return path


def test_wherever_the_last_line_is_torn(short):
    whole = short.read_bytes()
    last = len(whole) - len(whole.splitlines(True)[-1])
    for end in range(last, len(whole) + 1):
        short.write_bytes(whole[:end])
        torn = last < end < len(whole) - 1  # the end of the line alone may be missing
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            log = read_log(short)
        assert [("torn" in str(w.message), w.filename) for w in caught] == [(True, __file__)] * torn
        assert len(log) == (2 if end <= last or torn else 3)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with Tracker(short) as tracker:
                tracker.log(7, loss=0.5)
        assert len(caught) == torn
        again = read_log(short)  # no warning: the torn line is gone
        assert again.series("loss")[0].tolist() == [*log.series("loss")[0].tolist(), 7]


def test_torn_in_the_first_line(short):
    whole = short.read_bytes()
    for end in (0, 5, 30, whole.index(b"\n")):
        short.write_bytes(whole[:end])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert len(read_log(short)) == 0
            with Tracker(short) as tracker:
                tracker.log(0, loss=2.0)
        assert read_log(short).series("loss")[1].tolist() == [2.0]


def test_nonsense_between_is_left_out_with_a_warning(short):
    lines = short.read_bytes().splitlines(True)
    odd = [b"garbage\n", b"[1, 2]\n", b'{"step": 1}\n', b'{"step":0,"time":1.0,"values":{"loss":9.0}}\n', b"\xff\n"]
    short.write_bytes(b"".join([*lines[:3], *odd, *lines[3:]]))
    with pytest.warns(UserWarning, match=r"line 4 and 4 more is no record"):
        log = read_log(short)
    assert log.series("loss")[1].tolist() == [1.0, 2.0, 3.0]


def test_a_run_goes_on(short):
    with Tracker(short, metadata={"b": 2}) as tracker:
        assert tracker.series("loss")[1].tolist() == [1.0, 2.0, 3.0]
        tracker.log(3, loss=4.0)
    log = read_log(short)
    assert log.series("loss")[1].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert log.metadata == tracker.metadata == {"a": 1, "b": 2}


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_run_that_returns_to_a_checkpoint_replaces_what_came_after(short, first):
    before = short.read_bytes()
    with Tracker(short) as tracker:
        with pytest.warns(UserWarning, match=f"goes to step 2, the run continues at {first}") as caught:
            tracker.log(first, loss=-1.0)
        assert caught[0].filename == __file__
        tracker.log(first + 1, loss=-2.0)
    assert short.read_bytes().startswith(before)  # nothing is erased
    for log in (read_log(short), tracker):
        assert log.series("loss")[1].tolist() == [1.0, 2.0, 3.0][:first] + [-1.0, -2.0]


def test_going_back_within_a_run_must_be_said(tmp_path):
    path = tmp_path / "run.jsonl"
    with Tracker(path, every=2) as tracker:
        for step in range(9):
            tracker.log(step, loss=float(step))
        with pytest.raises(ValueError, match=r"step must not go back, got 4 after 8; rewind\(4\)"):
            tracker.log(4, loss=0.0)
        tracker.rewind(4)
        tracker.log(4, other=1)
    for log in (tracker, read_log(path)):
        assert log.series("loss")[0].tolist() == [0, 2]
        assert log.series("other")[0].tolist() == [4] and log.last_step == 4 and log.rewinds == [4]


def test_beginning_anew(short):
    with Tracker(short, overwrite=True) as tracker:
        tracker.log(0, loss=5.0)
    assert read_log(short).series("loss")[1].tolist() == [5.0] and read_log(short).metadata == {}


def test_other_files_are_left_alone(tmp_path):
    other = tmp_path / "thesis.txt"
    for text in (b"once upon a time\n", b'{"format":"shld_sim log 2","metadata":{}}\n', b"{}", b"\x00\xff"):
        other.write_bytes(text)
        for overwrite in (False, True):
            with pytest.raises(
                ValueError, match=r"path must be a file of Tracker, 'shld_sim log 1', got '.*thesis.txt'"
            ):
                Tracker(other, overwrite=overwrite)
        with pytest.raises(ValueError, match="path must be"):
            read_log(other)
        assert other.read_bytes() == text
    with pytest.raises(FileNotFoundError):
        Tracker(tmp_path / "nowhere" / "run.jsonl")
    with pytest.raises(FileNotFoundError):
        read_log(tmp_path / "nothing.jsonl")


def test_a_failed_write_spoils_no_later_line(short, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file, self.left = file, 10

        def write(self, data):
            if not self.left:
                raise OSError("no space left")
            part, self.left = data[: self.left], self.left - len(data[: self.left])
            return self.file.write(part)

        def close(self):
            self.file.close()

    tracker = Tracker(short)
    good, tracker._file = tracker._file, Full(tracker._file)
    with pytest.raises(OSError, match="no space"):
        tracker.log(3, loss=4.0)
    assert tracker.last_step == 2
    tracker._file = good
    tracker.log(4, loss=5.0)
    tracker.close()
    with pytest.warns(UserWarning, match="line 6 is no record"):
        assert read_log(short).series("loss")[0].tolist() == [0, 1, 2, 4]


def test_a_reader_follows(tmp_path):
    path = tmp_path / "run.jsonl"
    tracker = Tracker(path)
    reader = Reader(path)
    assert reader.update() == 1 and len(reader.log) == 0
    tracker.log(0, loss=1.0)
    tracker.log(1, loss=2.0)
    assert reader.update() == 2 and reader.update() == 0
    with open(path, "ab") as file:
        file.write(b'{"step":2,"time":0.0,')
    assert reader.update() == 0  # half a line waits for the other half
    with open(path, "ab") as file:
        file.write(b'"values":{"loss":3.0}}\n')
    assert reader.update() == 1 and reader.log.series("loss")[1].tolist() == [1.0, 2.0, 3.0]
    tracker.close()
    for n in (1, 50):  # shorter and longer than what was read
        time.sleep(0.002)  # the header tells milliseconds
        with Tracker(path, overwrite=True) as tracker:
            for step in range(n):
                tracker.log(step, loss=9.0)
        reader.update()
        assert reader.log.series("loss")[1].tolist() == [9.0] * n


# ---- refusals ----


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Tracker(every=0), ValueError, "every must be at least 1, got 0"),
        (lambda: Tracker(batch=0), ValueError, "batch must be positive, got 0"),
        (lambda: Tracker(confidence=1), ValueError, "confidence must lie strictly between 0 and 1"),
        (lambda: Tracker(window=5), ValueError, "window must be at least 20, got 5"),
        (lambda: Tracker(products=0), ValueError, "products must be at least 1"),
        (lambda: Tracker(dim=0), ValueError, "dim must be at least 1"),
        (lambda: Tracker(redraw=0), ValueError, "redraw must be positive"),
        (lambda: Tracker(live="run.txt"), ValueError, "live must be True or a file that ends in .png, .pdf or .svg"),
        (lambda: Tracker(live="nowhere/run.png"), ValueError, "live must lie in a directory that exists"),
        (lambda: Tracker().log(-1, loss=1), ValueError, "step must be at least 0, got -1"),
        (lambda: Tracker().log(0.5, loss=1), TypeError, "step must be a whole number, got 0.5"),
        (lambda: Tracker().log(7), TypeError, "log needs something to record at step 7"),
        (lambda: Tracker().log(0, loss={"a": 1}), TypeError, r"loss must be a number, text or an array.*\{'a': 1\}"),
        (lambda: Tracker().log(0, loss=1j), TypeError, "loss must be a number.*1j"),
        (lambda: Tracker().log(0, loss=[[1], [1, 2]]), TypeError, "loss must be a number"),
        (lambda: Tracker().log(0, time=1.0), ValueError, "a value must not be named 'time', got 1.0"),
        (lambda: Tracker().log(0, C=1.0, gradients=rows()), ValueError, "'C' is computed from the other.*got 1.0"),
        (lambda: Tracker().log(0, gradients=np.ones(5)), ValueError, r"gradients must hold three.*got shape \(5,\)"),
        (lambda: Tracker().log(0, gradients=np.ones((2, 5))), ValueError, r"gradients must hold.*got shape \(2, 5\)"),
        (lambda: Tracker().log(0, gradients=[1.0, 2.0, 3.0]), ValueError, r"gradients must hold.*got shape \(3,\)"),
        (lambda: Tracker().log(0, gradients=[[1, 2], [1]]), ValueError, r"gradients must be of one size.*\[1, 2\]"),
        (lambda: Tracker().log(0, gradients=["a", "b", "c"]), TypeError, "gradients must be a number"),
        (lambda: Tracker().log(0, learning_rate=-1), ValueError, "learning_rate must be a finite.*got -1.0"),
        (lambda: Tracker().log(0, learning_rate=[1, 2]), TypeError, r"learning_rate must be a single.*\(2,\)"),
        (lambda: Tracker().log(0, curvature=np.eye(2)), TypeError, r"curvature must be a single.*\(2, 2\)"),
        (lambda: Tracker().log(0, curvature=1, hvp=abs), ValueError, "curvature and hvp say the same"),
        (lambda: Tracker().log(0, hvp=3), TypeError, "hvp must be a function of a vector, got 3"),
        (lambda: Tracker().log(0, hvp=abs), ValueError, r"hvp needs gradients beside it, or Tracker\(dim"),
        (lambda: Tracker(dim=3).log(0, hvp=lambda v: v[:2]), ValueError, r"hessian\(v\) must have shape \(3,\)"),
        (lambda: Tracker().series("loss"), ValueError, "name must be one of 'time', got 'loss'"),
        (lambda: Tracker().table(0), ValueError, "rows must be at least 1"),
        (lambda: Tracker().table(5, ["x"]), ValueError, "columns must be one of.*got 'x'"),
        (lambda: Tracker().plot(), ValueError, "series must hold numbers to draw"),
        (lambda: Tracker().rewind(-1), ValueError, "step must be at least 0"),
    ],
)
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_metadata_that_no_file_can_hold(tmp_path):
    with pytest.raises(TypeError, match=r"metadata\['deep'\]\['f'\] must be a number"):
        Tracker(tmp_path / "a.jsonl", metadata={"deep": {"f": abs}})


def test_nothing_is_recorded_by_a_call_that_fails_or_after_the_end(tmp_path):
    tracker = Tracker(tmp_path / "a.jsonl")
    tracker.log(0, loss=1.0)
    with pytest.raises(TypeError):
        tracker.log(1, loss=2.0, bad=object())
    assert tracker.last_step == 0 and len(records(tmp_path / "a.jsonl")) == 2
    tracker.close()
    tracker.close()
    with pytest.raises(ValueError, match="tracker is closed, got step 1"):
        tracker.log(1, loss=1.0)
    assert tracker.series("loss")[1].tolist() == [1.0]


# ---- pictures ----


@pytest.fixture
def full():
    tracker = Tracker()
    for step in range(50):
        tracker.log(
            step,
            loss=1.0 / (step + 1),
            test_loss=2.0 / (step + 1),
            accuracy=step / 50,
            extra=-float(step),
            gradients=rows(step, signal=1.0 / (1 + step)),
            learning_rate=0.5,
            curvature=1.0 + step / 50,
        )
    return tracker


def test_panels(full):
    fig = full.plot()
    labels = [ax.get_ylabel() for ax in fig.axes]
    assert labels == ["loss", "accuracy", "signal/noise C", "p", "margin", "largest curvature", "tail index", "extra"]
    loss, _, C, p, margin, *_ = fig.axes
    named = {line.get_label(): line for ax in fig.axes for line in ax.get_lines() if line.get_label()[0] != "_"}
    assert loss.get_legend_handles_labels()[1] == ["loss", "test_loss"]
    np.testing.assert_array_equal(named["test_loss"].get_ydata(), full.series("test_loss")[1])
    assert C.get_yscale() == loss.get_yscale() == "log" and p.get_ylim() == (0.0, 1.0)
    states = [text.get_text() for text in p.texts]
    assert states == [row.state for row in diagnostics.GUIDE]  # each in the middle of its band
    assert [text.xy[1] for text in p.texts] == [0.5 * (row.low + row.high) for row in diagnostics.GUIDE]
    np.testing.assert_allclose(named["needed"].get_ydata(), 0.25 * (1 + np.arange(50) / 50))
    label = margin.get_legend_handles_labels()[1][1]
    assert "2p" in label
    np.testing.assert_array_equal(named[label].get_ydata(), full.series("S_p")[1])
    assert fig.axes[-1].get_xlabel() == "step"
    few = full.plot(columns=["extra", "S_p", "test_loss"], figure=fig)
    assert few is fig and [ax.get_ylabel() for ax in few.axes] == ["test_loss", "margin $S_p$", "extra"]


def test_long_lines_are_thinned_to_their_extremes():
    y = np.random.default_rng(0).standard_normal(30_000)
    y[[777, 20_000]] = 50.0, -60.0
    y[5000:6000] = np.nan
    fig = plotting.training({"y": (np.arange(30_000), y)})
    line = fig.axes[0].get_lines()[0]
    x, drawn = line.get_xdata(), line.get_ydata()
    assert len(x) <= 2000 and np.nanmax(drawn) == 50.0 and np.nanmin(drawn) == -60.0
    np.testing.assert_array_equal(drawn, y[x.astype(int)])
    assert np.isnan(drawn[(x >= 5030) & (x < 5970)]).all()


def test_points_that_stand_alone_are_seen():
    y = np.full(100, np.nan)
    y[::7] = y[60:90] = 1.0
    _, points = plotting.training({"y": (np.arange(100), y)}).axes[0].get_lines()
    assert points.get_marker() == "o"
    assert points.get_xdata().tolist() == [*range(0, 57, 7), 91, 98]
    _, points = plotting.training({"y": (np.arange(100), np.ones(100))}).axes[0].get_lines()
    assert len(points.get_xdata()) == 0
    _, points = plotting.training({"y": (np.arange(30), np.ones(30))}).axes[0].get_lines()
    assert len(points.get_xdata()) == 30  # few, and so all of them


def test_files_are_replaced_in_one_move(full, tmp_path):
    target = tmp_path / "run.png"
    full.plot(target)
    first = target.read_bytes()
    assert first.startswith(PNG) and [path.name for path in tmp_path.iterdir()] == ["run.png"]
    full.plot(target)
    assert target.read_bytes() == first


def test_live_drawing_is_thinned_by_time(monkeypatch, tmp_path):
    """A clock that stands still but for the drawings, which take two seconds each, and ten milliseconds a step."""
    now, drawings = [0.0], []
    monkeypatch.setattr("shld_sim.tracking.tracker.time.monotonic", lambda: now[0])

    def plot(self, path=None, *, columns=None, figure=None):
        drawings.append((now[0], len(self)))
        now[0] += 2.0

    monkeypatch.setattr(Log, "plot", plot)
    with Tracker(live=tmp_path / "run.png", redraw=1.0) as tracker:
        for step in range(20_000):
            now[0] += 0.01
            tracker.log(step, loss=1.0)
        begun = [at for at, _ in drawings]
        assert len(begun) == 5 and begun[0] == pytest.approx(1.0, abs=0.02)
        # after the first, whose cost nobody knew: at most 5 % of the time
        assert all(2.0 * (i + 2) <= 0.05 * at + 1e-6 for i, at in enumerate(begun[1:]))
    assert drawings[-1][1] == 20_000  # the last one shows the end


def test_live_pictures_never_end_a_training(monkeypatch, tmp_path):
    with Tracker(live=tmp_path / "run.png", redraw=1e-9) as tracker:
        tracker.log(0, note="nothing to draw")
        assert not (tmp_path / "run.png").exists()
        tracker.log(1, loss=1.0)
    assert (tmp_path / "run.png").read_bytes().startswith(PNG)

    def fails(*_, **__):
        raise OSError("no space left")

    monkeypatch.setattr(plotting, "save", fails)
    with Tracker(live=tmp_path / "run.png", redraw=1e-9) as tracker, pytest.warns(UserWarning, match="no space left"):
        tracker.log(0, loss=1.0)


def test_live_in_a_window(monkeypatch):
    from matplotlib import pyplot

    pyplot.switch_backend("agg")
    with pytest.raises(ValueError, match=r"live must be a file.*backend 'agg' has no windows"):
        Tracker(live=True)
    monkeypatch.setattr("shld_sim.plotting.trainings.FILES_ONLY", frozenset())
    monkeypatch.setattr(pyplot, "show", lambda block: None)
    shown = []
    monkeypatch.setattr("matplotlib.backends.backend_agg.FigureCanvasAgg.flush_events", lambda self: shown.append(self))
    with Tracker(live=True, redraw=1e-9) as tracker:
        tracker.log(0, loss=1.0)
        tracker.log(1, loss=0.5)
    assert len(shown) == 2 and shown[0] is shown[1] and len(shown[0].figure.axes) == 1
    pyplot.close("all")


# ---- with networks, and from a shell ----


def test_a_training_watched_through_a_watch(tmp_path):
    task = learning.noisy_quadratic([1.0, 4.0], noise=0.3)
    tracker = Tracker(tmp_path / "run.jsonl", batch=8)

    def record(moment):
        tracker.log(moment.step, loss=moment.loss, gradients=moment.per_sample, learning_rate=0.1, curvature=4.0)

    run = learning.train(
        learning.Bowl((1.0, 4.0)),
        task,
        learning.Descent(0.1),
        100,
        batch=8,
        seed=1,
        callbacks=[learning.Watch(record, 10, 64), learning.consolidation_watch(10, 64)],
    )
    tracker.close()
    log, watched = read_log(tmp_path / "run.jsonl"), run.watched["C"]
    steps, C = log.series("C")
    np.testing.assert_array_equal(steps, watched.steps)
    np.testing.assert_allclose(C, 8 * watched.values)  # of a batch of 8


def refused(capsys, *words):
    assert cli.main(["track", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and re.fullmatch(r"shld-sim: error: [^\n]+\n", err)
    return err


def test_track_from_a_shell(capsys, tmp_path):
    path, picture = tmp_path / "run.jsonl", tmp_path / "run.png"
    with Tracker(path) as tracker:
        for step in range(30):
            tracker.log(step, loss=1.0 / (step + 1), gradients=rows(step))
    assert cli.main(["track", str(path), "--columns", "loss, C", "--rows", "4", "--output", str(picture)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(tracker.table(4, ["loss", "C"]) + "\n\n" + tracker.advice())
    assert picture.read_bytes().startswith(PNG)
    assert cli.main(["track", str(path)]) == 0
    assert capsys.readouterr().out == f"{tracker.table()}\n\n{tracker.advice()}\n"
    with open(path, "ab") as file:
        file.write(b'{"step":')
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert cli.main(["track", str(path)]) == 0
    assert "shld-sim: warning: run.jsonl: the last line is torn" in capsys.readouterr().err


def test_track_refuses(capsys, short, tmp_path):
    (tmp_path / "other.txt").write_text("text\n")
    assert "nothing.jsonl" in refused(capsys, tmp_path / "nothing.jsonl")
    assert "path must be a file of Tracker" in refused(capsys, tmp_path / "other.txt")
    assert "columns must be one of 'loss', got 'nope'" in refused(capsys, short, "--columns", "nope")
    assert "rows must be at least 1, got 0" in refused(capsys, short, "--rows", "0")
    assert "interval must be positive, got 0.0" in refused(capsys, short, "--interval", "0")
    assert "a picture must end in" in refused(capsys, short, "--output", "run.txt")


def test_following_says_what_is_new(tmp_path):
    path, picture = tmp_path / "run.jsonl", tmp_path / "run.png"
    tracker = Tracker(path)
    follower = Follower(Reader(path), 3, None, str(picture))
    assert follower.look() == "" and not picture.exists()
    for step in range(5):
        tracker.log(step, loss=float(step))
    assert [line.split()[0] for line in follower.look().splitlines()] == ["step", "---------", "2", "3", "4"]
    assert picture.read_bytes().startswith(PNG)
    assert follower.look() == ""
    tracker.log(5, loss=5.0)
    assert follower.look().split() == ["5", "5"]
    tracker.rewind(2)
    tracker.log(2, loss=-1.0)
    assert follower.look().splitlines()[0] == "-- back to step 2 --"
    tracker.log(3, loss=1.0, gradients=rows(signal=3.0))
    said = follower.look().splitlines()
    assert said[0].split() == ["step", "loss", "C", "p", "alpha", "state"] and said[-1].startswith("-- p = ")
    assert len({len(line) for line in said[:3]}) == 1  # columns in line
    tracker.close()


def test_follow_until_ctrl_c(tmp_path):
    path = tmp_path / "run.jsonl"
    tracker = Tracker(path)
    tracker.log(0, loss=0.25)
    command = [sys.executable, "-u", "-m", "shld_sim.cli", "track", str(path), "--follow", "--interval", "0.05"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True)
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[2].split() == ["0", "0.25"]
    tracker.log(1, loss=0.125)
    assert process.stdout.readline().split() == ["1", "0.125"]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out.strip(), err) == (0, "", "")
    tracker.close()
