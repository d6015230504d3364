"""The command line: what it prints and writes, its exit status, and errors in one line."""

import csv
import dataclasses
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import shld_sim as shld
from shld_sim import cli
from shld_sim.cli import equations, escape, figures, parser

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"
COMMANDS = ("verify", "simulate", "escape", "claims", "track", "figures", "info")


def run(*words, **options):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "shld_sim.cli", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, **options)


def refused(capsys, *words):
    """The message of a command line that must fail with status 2 and one line."""
    assert cli.main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"shld-sim: error: [^\n]+\n", err), err
    return err


# ---- help and start-up ----


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(capsys, command):
    assert cli.main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"examples:\n  shld-sim {command}" in out


def test_examples_in_the_help_can_be_parsed(capsys):
    import shlex

    for command in COMMANDS:
        cli.main([command, "--help"])
        examples = capsys.readouterr().out.split("examples:\n")[1].strip().splitlines()
        for example in examples:
            name, *words = shlex.split(example)
            assert name == "shld-sim"
            assert parser.make_parser().parse_args(words).command == command


def test_help_is_fast_and_loads_nothing_heavy():
    code = (
        "import sys\nfrom shld_sim.cli import main\nstatus = main(['--help'])\n"
        "heavy = {'numba', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(status or sorted(heavy) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert all(command in done.stdout for command in COMMANDS)


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert shld.__version__ in capsys.readouterr().out


# ---- errors ----


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "COMMAND"),
        (["bogus"], "bogus"),
        (["simulate", "--dt", "fast"], "--dt"),
        (["simulate", "--potential", "Cubic"], "DoubleWell"),
        (["simulate", "--potential", "Quartic", "b=2"], "takes a"),
        (["simulate", "--potential", "Quartic", "a"], "key=value"),
        (["simulate", "--potential", "Quartic", "a=two"], "number"),
        (["simulate", "--potential", "Quartic", "a=-1"], "positive"),
        (["simulate", "--potential", "Polynomial"], "coefficients"),
        (["simulate", "--alpha", "1.5"], "--sigma"),
        (["simulate", "--alpha", "1.5", "--sigma", "1", "--D", "1"], "not both"),
        (["simulate", "--D", "-1"], "D must be positive"),
        (["simulate", "--x0", "1", "2"], "--x0"),
        (["simulate", "--t-end", "1.005"], "whole number of steps"),
        (["simulate", "--plot", "no-such-directory/run.png"], "no-such-directory"),
        (["simulate", "--potential", "MexicanHat", "dim=3", "--plot", "x.png"], "--plot"),
        (["simulate", "--potential", "Quartic", "--x0", "30", "--dt", "0.5"], "left the finite numbers"),
        (["simulate", "--friction", "0"], "friction must be positive"),
        (["simulate", "--friction", "1", "--alpha", "1.5", "--sigma", "1"], "--friction goes with --D"),
        (["simulate", "--box", "-1", "1"], "--box and --boundary go together"),
        (["simulate", "--box", "-2", "1", "3", "--boundary", "periodic"], "pairs LOW HIGH, got 3"),
        (["simulate", "--box", "-2", "1", "--boundary", "open"], "boundary must be one of"),
        (["simulate", "--histogram", "1", "0", "10"], "LOW < HIGH"),
        (["simulate", "--histogram", "0", "1", "2.5"], "number of bins"),
        (["simulate", "--burn-in", "1"], "need --moments or --histogram"),
        (["simulate", "--moments", "--burn-in", "-1"], "burn_in"),
        (["simulate", "--time-limit", "0"], "time_limit must be positive"),
        (["simulate", "--store", "no-such-directory/run.npy"], "no-such-directory"),
        (
            ["simulate", "--potential", "RingOfWells", "n=3", "--x0", "1", "0", "--histogram", "0", "1", "2"],
            "observable",
        ),
        (["escape", "--potential", "Harmonic"], "barrier"),
        (["escape", "--potential", "MuellerBrown"], "one-dimensional"),
        (["simulate", "--plot", "run.gif"], ".png"),
        (["escape", "--paths", "1"], "--paths"),
    ],
)
def test_errors_are_one_line_and_status_2(capsys, words, says):
    assert says in refused(capsys, *words)


def test_errors_from_a_shell():
    done = run("simulate", "--D", "0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "shld-sim: error: D must be positive, got 0.0\n"


def test_memory_is_refused_in_one_line(capsys, monkeypatch):
    def full(*args, **kwargs):
        raise MemoryError("no room")

    monkeypatch.setattr(shld, "simulate", full)
    assert "no room" in refused(capsys, "simulate")


def test_the_unexpected_keeps_its_traceback(monkeypatch):
    def broken(*args, **kwargs):
        raise KeyError("a bug")

    monkeypatch.setattr(shld, "simulate", broken)
    with pytest.raises(KeyError):
        cli.main(["simulate"])


def test_a_reader_that_goes_away_is_no_error():
    command = f"{sys.executable} -m shld_sim.cli info | head -n 1; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_warnings_are_one_line(capsys, monkeypatch):
    def warned(*args, **kwargs):
        warnings.warn("mind the\n gap", stacklevel=1)
        return simulate(*args, **kwargs)

    simulate = shld.simulate
    monkeypatch.setattr(shld, "simulate", warned)
    assert cli.main(["simulate", "--paths", "2", "--t-end", "0.1"]) == 0
    assert capsys.readouterr().err == "shld-sim: warning: mind the gap\n"


# ---- simulate ----


def test_simulate_sums_up_and_saves(capsys, tmp_path):
    out, plot = tmp_path / "run.npz", tmp_path / "run.png"
    line = (
        "simulate --potential harmonic k=2 --D 0.5 --x0 -1e0 --dt 0.01 --t-end 3 --paths 4000 --seed 3 --save-every 50"
    )
    assert cli.main([*line.split(), "--out", str(out), "--plot", str(plot)]) == 0
    text, err = capsys.readouterr()
    assert err == ""
    saved = shld.Ensemble.load(out)
    model = shld.Langevin(shld.Harmonic(k=2.0), D=0.5)
    same = shld.simulate(model, -1.0, 0.01, t_end=3.0, n_paths=4000, seed=3, save_every=50)
    np.testing.assert_array_equal(saved.x, same.x)
    assert plot.read_bytes().startswith(PNG)
    # mean, sd and median with their standard errors, against the Gaussian law of the chain
    cells = [float(value) for value in re.findall(r"-?\d+\.\d+(?:e-\d+)?", text.splitlines()[4])]
    mean, of_mean, sd, of_sd = cells[:4]
    median, of_median = cells[8:10]
    variance = shld.theory.euler_variance(2.0, 0.5, 0.01)
    assert abs(mean - same.final.mean()) < 1e-3
    assert of_mean == pytest.approx(math.sqrt(variance / 4000), rel=0.1)
    assert abs(sd - math.sqrt(variance)) < 5 * of_sd
    assert of_sd == pytest.approx(math.sqrt(variance / 8000), rel=0.2)
    assert abs(median) < 5 * of_median + 0.01  # the start is forgotten up to exp(-6)
    assert of_median == pytest.approx(math.sqrt(math.pi / 2 * variance / 4000), rel=0.3)


def test_simulate_leaves_moments_out_where_there_may_be_none(capsys, tmp_path):
    plot = tmp_path / "run.png"
    assert cli.main(["simulate", "--alpha", "1.2", "--sigma", "0.3", "--paths", "200", "--plot", str(plot)]) == 0
    text = capsys.readouterr().out
    assert "mean " not in text.splitlines()[2]
    assert "q50%" in text
    assert plot.read_bytes().startswith(PNG)


def test_simulate_in_the_plane(capsys, tmp_path):
    plot = tmp_path / "run.png"
    line = "simulate --potential RingOfWells n=3 --x0 1 0 --paths 50 --t-end 0.5 --save-every 10"
    assert cli.main([*line.split(), "--plot", str(plot)]) == 0
    assert "x[1]" in capsys.readouterr().out
    assert plot.read_bytes().startswith(PNG)


@pytest.mark.parametrize("line", ["--paths 1", "--t-end 0", "--paths 3 --t-end 0.1 --save-every 7"])
def test_small_runs_have_a_summary(capsys, line):
    assert cli.main(["simulate", *line.split()]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "q50%" in out


def test_lists_and_names_of_potentials():
    assert equations.potential_of(["polynomial", "coefficients=0,0,-1,0,1"]) == shld.Polynomial([0, 0, -1, 0, 1])
    assert equations.potential_of(["QuadraticForm", "eigenvalues=1,2,3"]) == shld.QuadraticForm([1, 2, 3])
    assert equations.potential_of(["MexicanHat", "dim=3", "radius=2"]) == shld.MexicanHat(dim=3, radius=2.0)


def table_below(text, heading):
    """Rows of numbers of the table below a line that begins with ``heading``."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(heading)) + 3
    rows = []
    for line in lines[first:]:
        if not line.strip():
            break
        rows.append([float(value) for value in re.findall(r"(?<![\w.])-?\d+\.?\d*(?:e[-+]?\d+)?", line)])
    return rows


def test_simulate_between_walls_with_inertia(capsys):
    """The density over time is the Gibbs law on the box; the same numbers as from Python."""
    line = "simulate --friction 1 --D 0.3 --x0 0.5 --dt 0.1 --t-end 40 --paths 1000 --seed 2 --burn-in 10 --moments"
    walls = "--box -0.5 1.2 --boundary reflecting --histogram -0.5 1.2 8 --sample-every 5"
    assert cli.main([*line.split(), *walls.split()]) == 0
    text, err = capsys.readouterr()
    assert err == "" and "reflecting walls [-0.5, 1.2]" in text and "scheme baoab" in text
    model = shld.Underdamped(shld.DoubleWell(), 0.3, 1.0)
    sampling = {"every": 5, "burn_in": 10.0}
    statistics = [shld.Moments(**sampling), shld.Histogram(np.linspace(-0.5, 1.2, 9), **sampling)]
    options = {"seed": 2, "box": (-0.5, 1.2), "boundary": "reflecting", "statistics": statistics}
    moments, histogram = shld.simulate(model, 0.5, 0.1, 40.0, 1000, **options).statistics
    assert "over time, 61 samples of each path" in text and "100 % inside" in text
    ((mean, of_mean, variance, of_variance),) = table_below(text, "over time")
    expected = (moments.mean, moments.stderr, moments.variance, moments.variance_stderr)
    np.testing.assert_allclose((mean, of_mean, variance, of_variance), expected, atol=2e-3)
    rows = np.array(table_below(text, "density over time"))
    np.testing.assert_allclose(rows[:, 2], histogram.density, atol=5e-3)
    x = np.linspace(-0.5, 1.2, 8001)
    gibbs = np.exp(-shld.DoubleWell()(x) / 0.3)
    exact = np.array([part[:-1].mean() for part in np.split(gibbs[:-1], 8)]) / gibbs.mean() / 1.7
    # 0.01: the law of BAOAB is that far from Gibbs at this step at most, dt^2 V''^2/(8 D) of it
    assert (np.abs(rows[:, 2] - exact) < 5.0 * rows[:, 3] + 0.01).all()
    assert not (np.abs(rows[::-1, 2] - exact) < 5.0 * rows[:, 3] + 0.01).all()


def test_simulate_counts_absorbed_paths(capsys):
    line = "simulate --x0 0 --dt 0.01 --t-end 1 --paths 500 --seed 4 --box -0.5 0.5 --boundary absorbing"
    assert cli.main(line.split()) == 0
    run = shld.simulate(
        shld.Langevin(shld.DoubleWell(), 0.1), 0.0, 0.01, 1.0, 500, seed=4, box=(-0.5, 0.5), boundary="absorbing"
    )
    assert f"[-0.5, 0.5]: {(run.status == shld.Status.EXITED).sum()} paths absorbed" in capsys.readouterr().out


def test_simulate_into_a_store(capsys, tmp_path):
    """The same call goes on where a run ended; the file holds what Python would have made."""
    store = tmp_path / "run.npy"
    line = "simulate --potential RingOfWells n=3 --x0 1 0 --dt 0.1 --paths 7 --seed 5 --save-every 4 --moments"
    words = line.split()
    assert cli.main([*words, "--t-end", "2", "--store", str(store)]) == 0
    assert cli.main([*words, "--t-end", "4", "--store", str(store)]) == 0
    out, err = capsys.readouterr()
    assert err == "" and "40 samples" in out and out.count("x[1]") == 4
    same = shld.simulate(
        shld.Langevin(shld.RingOfWells(3), 0.1),
        [1.0, 0.0],
        0.1,
        4.0,
        7,
        seed=5,
        save_every=4,
        statistics=shld.Moments(),
    )
    np.testing.assert_array_equal(shld.Ensemble.open(store).x, same.x)
    assert "another x0" in refused(capsys, *words, "--t-end", "4", "--store", str(store), "--x0", "0", "1")


def test_simulate_ends_at_a_time_limit(capsys, tmp_path):
    begun, out = time.monotonic(), tmp_path / "part.npz"
    line = "simulate --paths 2000 --dt 1e-4 --t-end 1e6 --time-limit 0.5"
    assert cli.main([*line.split(), "--out", str(out)]) == 0
    assert "ended by the time limit" in capsys.readouterr().out
    assert time.monotonic() - begun < 60.0
    run = shld.Ensemble.load(out)
    assert run.stopped == "time_limit" and 0 < run.n_steps < 10**10


def test_interrupted_runs_are_kept(capsys, monkeypatch, tmp_path):
    simulate = shld.simulate
    monkeypatch.setattr(shld, "simulate", lambda *a, **k: dataclasses.replace(simulate(*a, **k), interrupted=True))
    assert cli.main(["simulate", "--paths", "20", "--t-end", "1", "--out", str(tmp_path / "part.npz")]) == 130
    assert "20 paths" in capsys.readouterr().out
    assert shld.Ensemble.load(tmp_path / "part.npz").interrupted


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c():
    words = ["simulate", "--paths", "5000", "--dt", "1e-4", "--t-end", "1e6"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "shld_sim.cli", *words], env=environment, stdout=-1, stderr=-1, text=True
    )
    time.sleep(3.0)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "interrupted" in err
    assert "5000 paths" in out or out == ""  # "" when the kernel was still being compiled


# ---- escape ----


def test_escape_compares_five_routes(capsys, tmp_path):
    table, picture = tmp_path / "escape.csv", tmp_path / "escape.png"
    words = ["escape", "--D", "0.0625", "0.1", "--paths", "2000", "--csv", str(table), "--out", str(picture)]
    assert cli.main(words) == 0
    text, err = capsys.readouterr()
    assert err == ""
    assert "Kramers as stated" in text
    assert len(re.findall(r"\+- \d", text)) == 2
    rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(table.open())]
    assert [row["D"] for row in rows] == [0.1, 0.0625]
    for row in rows:
        model = shld.Langevin(shld.DoubleWell(), D=row["D"])
        exact = 0.5 / shld.theory.mean_exit_time(model, -1.0, (-np.inf, 0.0))
        assert row["exact"] == pytest.approx(exact, rel=1e-9)
        assert abs(row["simulated"] - exact) < 5 * row["stderr"]
        assert row["gap"] == pytest.approx(exact, rel=0.05)  # they meet as D -> 0
        assert row["kramers"] / row["eyring_kramers"] == pytest.approx(math.sqrt(2.0), rel=1e-9)
    assert rows[1]["gap"] / rows[1]["exact"] < rows[0]["gap"] / rows[0]["exact"]
    assert picture.read_bytes().startswith(PNG)


def test_escape_from_either_well_of_a_tilted_one(capsys):
    words = ["escape", "--potential", "TiltedDoubleWell", "tilt=0.05", "--D", "0.04", "--paths", "10", "--minimum"]
    rates = {}
    for side in ("-1", "1"):
        assert cli.main([*words, side]) == 0
        cells = capsys.readouterr().out.splitlines()[3].split()
        exact, gap = float(cells[2]), float(cells[5])
        assert gap == pytest.approx(exact, rel=0.03)
        rates[side] = exact
    assert rates["1"] > 5 * rates["-1"]  # out of the upper well


def test_no_gap_where_there_are_not_two_wells():
    assert math.isnan(escape.gap_rate(shld.Langevin(shld.Prinz(), D=0.5), 0.27, 0.0))


def test_escape_keeps_the_rows_it_has(capsys, monkeypatch):
    first_passage, calls = shld.first_passage, []

    def stopped(*args, **kwargs):
        calls.append(1)
        return dataclasses.replace(first_passage(*args, **kwargs), interrupted=len(calls) > 1)

    monkeypatch.setattr(shld, "first_passage", stopped)
    assert cli.main(["escape", "--quick", "--paths", "50"]) == 130
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5  # heading, names, rule, one row, legend
    assert "after 1 of 3" in err


# ---- claims and verify, on a stand-in ----


@dataclasses.dataclass
class Ledger:
    passed: bool = True
    interrupted: bool = False

    def table(self):
        return "the table"

    def to_json(self):
        return json.dumps({"results": []})

    def write_report(self, directory):
        Path(directory).mkdir()
        page = Path(directory) / "index.html"
        page.write_text("<h1>report</h1>")
        return str(page)


@pytest.fixture
def claims(monkeypatch):
    seen = types.SimpleNamespace(ledger=Ledger(), arguments=None)

    def verify(only=None, *, quick=False, seed=0, jobs=1, store=None, figures=True, progress=None):
        if only and "nonsense" in only:
            raise ValueError("no claim is called 'nonsense'")
        seen.arguments = (only, quick, seed)
        seen.settings = (jobs, store, figures)
        return seen.ledger

    def registry():
        claim = types.SimpleNamespace
        return (
            claim(
                id="shld.kramers", title="Kramers' rate", statement="rate = omega0/(2 pi)\n exp(-dE/D)", document="SHLD"
            ),
            claim(id="levy.sde", title="The equation", statement="dX = ...", document="Levy"),
        )

    monkeypatch.setitem(sys.modules, "shld_sim.claims", types.SimpleNamespace(verify=verify, registry=registry))
    return seen


def test_verify_prints_the_table_and_writes_files(capsys, claims, tmp_path):
    words = ["verify", "--quick", "--only", "shld.kramers", "levy.*", "--seed", "7"]
    words += ["--jobs", "3", "--store", str(tmp_path / "store")]
    assert cli.main([*words, "--json", str(tmp_path / "l.json"), "--report", str(tmp_path / "report")]) == 0
    assert claims.arguments == (["shld.kramers", "levy.*"], True, 7)
    assert claims.settings == (3, str(tmp_path / "store"), True)
    page = tmp_path / "report" / "index.html"
    assert capsys.readouterr().out == f"the table\nreport: {page}\n"
    assert json.loads((tmp_path / "l.json").read_text()) == {"results": []}
    assert page.exists()
    assert cli.main(["verify"]) == 0
    assert claims.settings[1:] == (None, False)
    assert capsys.readouterr().out == "the table\n"
    assert "jobs" in refused(capsys, "verify", "--jobs", "0")


def test_status_of_verify(capsys, claims):
    claims.ledger = Ledger(passed=False)
    assert cli.main(["verify"]) == 1
    claims.ledger = Ledger(passed=False, interrupted=True)
    assert cli.main(["verify"]) == 130
    out, err = capsys.readouterr()
    assert out == "the table\nthe table\n"
    assert err == "shld-sim: interrupted\n"


def test_verify_names_what_it_does_not_know(capsys, claims, tmp_path):
    assert "nonsense" in refused(capsys, "verify", "--only", "nonsense")
    assert "no directory" in refused(capsys, "verify", "--json", str(tmp_path / "none" / "l.json"))


def test_claims_are_listed(capsys, claims):
    assert cli.main(["claims"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["shld.kramers", "Kramers'", "rate", "SHLD"]
    assert len(lines) == 4
    assert cli.main(["claims", "--only", "shld.*", "--statements"]) == 0
    assert capsys.readouterr().out.splitlines()[1].strip() == "rate = omega0/(2 pi) exp(-dE/D)"
    assert "nothing.*" in refused(capsys, "claims", "--only", "nothing.*")


# ---- figures and info ----


def test_figures(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(figures, "FIGURES", {name: figures.FIGURES[name] for name in ("potential", "gamma")})
    assert cli.main(["figures", "--out", str(tmp_path / "new" / "figures")]) == 0
    written = capsys.readouterr().out.split()
    assert [Path(path).name for path in written] == ["potential.png", "gamma.png"]
    assert all(Path(path).read_bytes().startswith(PNG) for path in written)


def test_every_figure_draws():
    for name, draw in figures.FIGURES.items():
        figure = draw()
        assert all(ax.has_data() for ax in figure.axes), name


def test_info(capsys):
    import numba

    assert cli.main(["info"]) == 0
    rows = dict(re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert rows["shld_sim"] == shld.__version__
    assert rows["numpy"] == np.__version__
    assert rows["numba"] == numba.__version__
    assert int(rows["threads"]) >= 1
    assert Path(rows["cache"]).exists()
    assert {"scipy", "matplotlib", "tqdm (optional)", "sympy (optional)", "dask (optional)", "cache size"} <= set(rows)
