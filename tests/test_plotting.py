"""Pictures: what is drawn is what was given, nothing global changes, no display is needed."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from test_docstrings import faults

import shld_sim as shld
from shld_sim import plotting

ROOT = Path(__file__).resolve().parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


@pytest.fixture(scope="module")
def run():
    model = shld.Langevin(shld.DoubleWell(), D=0.1)
    return shld.simulate(model, x0=-1.0, dt=0.01, t_end=2.0, n_paths=500, seed=1, save_every=20)


@pytest.fixture(scope="module")
def exits():
    model = shld.Langevin(shld.DoubleWell(), D=0.2)
    return shld.first_passage(model, -1.0, (-np.inf, 0.0), dt=0.01, n_paths=400, t_max=15.0, seed=1)


def labels(ax):
    return ax.get_legend_handles_labels()[1]


def test_docstrings_repeat_the_signatures():
    things = {name: getattr(plotting, name) for name in plotting.__all__}
    assert not [fault for name, thing in things.items() if callable(thing) for fault in faults(thing, name)]


def test_the_potential_and_its_critical_points(ax):
    V = shld.TiltedDoubleWell()
    assert plotting.potential(V, ax) is ax
    curve, minima, saddles = ax.get_lines()
    np.testing.assert_allclose(curve.get_ydata(), V(curve.get_xdata()))
    np.testing.assert_array_equal(minima.get_xdata(), V.minima())
    np.testing.assert_array_equal(saddles.get_xdata(), V.saddles())
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "V(x)")
    top = float(V(V.saddles()).max())
    assert top < ax.get_ylim()[1] < float(V(2.0)), "walls must not hide the wells"


@pytest.mark.parametrize(
    "V",
    [shld.MuellerBrown(), shld.Rosenbrock(), shld.RescalingValley(), shld.MexicanHat(), shld.RingOfWells(3)],
    ids=repr,
)
def test_contours(ax, V):
    plotting.potential(V, ax)
    assert (ax.get_xlim(), ax.get_ylim()) == V.plot_box
    assert ax.collections


def test_contours_where_asked(ax):
    plotting.potential(shld.MuellerBrown(), ax, box=((-1.0, 0.0), (1.0, 2.0)), levels=[-140.0, -100.0, -50.0])
    assert ax.get_xlim() == (-1.0, 0.0)
    [minimum] = [line for line in ax.get_lines() if line.get_label() == "minimum"]
    assert len(minimum.get_xdata()) == 1, "points outside the box are not drawn"


def test_what_cannot_be_drawn_is_refused(ax, run):
    with pytest.raises(ValueError, match="one or two coordinates"):
        plotting.potential(shld.MexicanHat(dim=3), ax)
    with pytest.raises(ValueError, match="box"):
        plotting.potential(shld.DoubleWell(), ax, box=(1.0, -1.0))
    with pytest.raises(TypeError, match="ax"):
        plotting.potential(shld.DoubleWell(), plotting.new_figure()[0])
    with pytest.raises(ValueError, match="save_every"):
        plotting.paths(shld.simulate(run.model, -1.0, 0.01, t_end=0.1), ax)
    with pytest.raises(ValueError, match="p must"):
        plotting.density(np.arange(3.0), np.arange(4.0), ax)
    with pytest.raises(ValueError, match="samples"):
        plotting.histogram([np.nan], ax)
    with pytest.raises(ValueError, match="samples"):
        plotting.tails([0.0, 0.0, 1.0], ax)
    with pytest.raises(ValueError, match="'D'"):
        plotting.escape({"exact": [1.0]}, ax)
    with pytest.raises(ValueError, match="'exact'"):
        plotting.escape({"D": [1.0]}, ax, relative=True)


def test_density_from_values_a_function_and_a_grid(ax, run):
    grid = shld.Grid(-2.0, 2.0, 50)
    p = shld.theory.gibbs_density(run.model)
    for x, values in ((grid, p), (grid, p(grid.x)), (grid.x, p)):
        plotting.density(x, values, ax, fill=True)
    for line in ax.get_lines():
        np.testing.assert_allclose(line.get_ydata(), p(grid.x))
    assert len({line.get_color() for line in ax.get_lines()}) == 3
    assert ax.get_ylim()[0] == 0.0


def test_a_later_higher_curve_is_not_cut(ax, run):
    plotting.histogram(run.final, ax)
    plotting.density(np.linspace(-2.0, 2.0, 11), np.full(11, 50.0), ax)
    assert ax.get_ylim()[1] >= 50.0


@pytest.mark.parametrize("bins", [20, 200])
def test_histogram_is_normalised_by_all_samples(ax, bins):
    samples = np.concatenate([np.random.default_rng(1).uniform(0.0, 1.0, 900), np.full(90, 50.0), np.full(10, np.nan)])
    plotting.histogram(samples, ax, bins, range=(0.0, 1.0), reference=lambda x: 0.9 + 0.0 * x)
    heights, edges, _ = ax.patches[0].get_data()
    assert np.sum(heights * np.diff(edges)) == pytest.approx(0.9, rel=1e-12)
    assert any("10 % outside" in text.get_text() for text in ax.texts)
    assert "theory" in labels(ax)


def test_histogram_errors_are_poisson(ax):
    samples = np.repeat([0.5, 1.5], [16, 84])
    plotting.histogram(samples, ax, [0.0, 1.0, 2.0])
    [bars] = ax.containers
    low, high = np.array([[segment[0][1], segment[1][1]] for segment in bars.lines[2][0].get_segments()]).T
    np.testing.assert_allclose((high - low) / 2, np.sqrt([16, 84]) / 100)


def test_paths_in_one_and_two_dimensions(ax, run):
    plotting.paths(run, ax, n=3)
    assert [line.get_ydata().tolist() for line in ax.get_lines()] == run.x[:, :3].T.tolist()
    plane = shld.simulate(
        shld.Langevin(shld.MuellerBrown(), D=10.0), (-0.56, 1.44), 1e-4, t_end=0.01, n_paths=2, save_every=10
    )
    other = plotting.new_figure()[1]
    plotting.paths(plane, other)
    drawn = [line for line in other.get_lines() if len(line.get_xdata()) == len(plane.t)]
    np.testing.assert_array_equal(drawn[1].get_ydata(), plane.x[:, 1, 1])


def test_survival_counts_censored_paths(ax, exits):
    assert exits.censored.any()
    plotting.exit_times(exits, ax)
    curve, line = ax.get_lines()
    # nobody is censored before t_max, so the last level is the share of the survivors
    assert curve.get_ydata()[-1] == pytest.approx(exits.censored.mean(), rel=1e-12)
    np.testing.assert_allclose(line.get_ydata(), np.exp(-exits.rate() * line.get_xdata()))
    assert ax.get_yscale() == "log"


def test_survival_by_hand(ax):
    # Kaplan-Meier, four paths: exit at 1 (4 at risk), censored at 2, exit at 3 (2 at risk), censored at 4
    class Four:
        exposure = np.array([3.0, 1.0, 4.0, 2.0])
        censored = np.array([False, False, True, True])

        def rate(self):
            return 0.2

    plotting.exit_times(Four(), ax)
    curve = ax.get_lines()[0]
    assert dict(zip(curve.get_xdata(), curve.get_ydata())) == {0.0: 1.0, 1.0: 0.75, 2.0: 0.75, 3.0: 0.375, 4.0: 0.375}


def test_escape_draws_the_columns_it_is_given(ax):
    table = {"D": [0.1, 0.2], "exact": [1.0, 2.0], "gap": [1.1, np.nan], "simulated": [1.0, 2.1], "stderr": [0.1, 0.2]}
    plotting.escape(table, ax)
    assert labels(ax) == ["exact (quadrature)", "spectral gap (grid)", "simulated"]
    np.testing.assert_allclose(ax.get_lines()[0].get_data(), [[5.0, 10.0], [2.0, 1.0]])
    assert ax.get_yscale() == "log"
    ratio = plotting.escape(table, plotting.new_figure()[1], relative=True)
    np.testing.assert_allclose(ratio.get_lines()[0].get_ydata(), 1.0)


def test_tails_are_the_survival_function(ax):
    samples = np.arange(1.0, 101.0) * np.where(np.arange(100) % 2, 1.0, -1.0)
    plotting.tails(samples, ax, reference=lambda x: 1.0 - (x - 1.0) / 100.0)
    x, level = ax.get_lines()[0].get_data()
    np.testing.assert_allclose(level, (101.0 - x) / 100.0)  # P(|X| >= k) = (101 - k)/100
    np.testing.assert_allclose(ax.get_lines()[1].get_ydata()[[0, -1]], level[[0, -1]])


def test_text_is_large_enough_for_a_lecture(ax, run):
    plotting.histogram(run.final, ax, range=(-1.0, 0.0), reference=shld.theory.gibbs_density(run.model))
    ax.figure.canvas.draw()
    texts = [*ax.get_xticklabels(), *ax.texts, *ax.get_legend().get_texts(), ax.xaxis.label, ax.yaxis.label]
    assert min(text.get_fontsize() for text in texts) >= 10


def test_files_do_not_depend_on_the_day(tmp_path, ax, run):
    plotting.histogram(run.final, ax)
    first, second = plotting.save(ax, tmp_path / "a.png"), plotting.save(ax.figure, tmp_path / "b.png")
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().startswith(PNG)
    assert b"Matplotlib" not in first.read_bytes()
    assert plotting.save(ax, tmp_path / "c.pdf").stat().st_size > 0


def test_nothing_global_changes(ax, run, exits):
    before = dict(matplotlib.rcParams)
    plotting.potential(run.model.potential, ax)
    plotting.paths(run, plotting.new_figure()[1])
    plotting.exit_times(exits, plotting.new_figure()[1])
    assert dict(matplotlib.rcParams) == before


def test_a_figure_of_its_own_without_a_display(tmp_path):
    code = (
        "import shld_sim as shld, sys\n"
        "from shld_sim import plotting\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "ax = plotting.potential(shld.DoubleWell())\n"
        f"plotting.save(ax, {str(tmp_path / 'own.png')!r})\n"
    )
    environment = {
        key: value for key, value in os.environ.items() if key not in {"DISPLAY", "WAYLAND_DISPLAY", "MPLBACKEND"}
    }
    environment["PYTHONPATH"] = str(ROOT)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, cwd=tmp_path)
    assert (tmp_path / "own.png").read_bytes().startswith(PNG)
