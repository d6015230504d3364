"""Pictures of the solvers on a line: what is drawn is what was given."""

import numpy as np
import pytest

import shld_sim as shld
from shld_sim import plotting


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


@pytest.fixture(scope="module")
def fp():
    return shld.FokkerPlanck(shld.Langevin(shld.DoubleWell(), 0.1), shld.Grid(-2.5, 2.5, 100))


def test_eigenfunctions(fp, ax):
    psi, rates = fp.eigenfunctions(3), fp.eigenvalues(3)
    assert plotting.eigenfunctions(fp.grid, psi, rates, ax) is ax
    curves = [line for line in ax.get_lines() if len(line.get_xdata()) == 100]
    for j, (line, mode) in enumerate(zip(curves, psi)):
        np.testing.assert_allclose(line.get_ydata(), j + 0.45 * mode / np.abs(mode).max())
    assert [text.get_text().split("= ")[1] for text in ax.texts] == [f"{rate:.6g}" for rate in rates]


def test_profiles(fp, ax):
    times = fp.mean_exit_time((-np.inf, 0.0))
    line = plotting.exit_profile(fp.grid, times, ax, label="T").get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), fp.grid.x[:50])
    np.testing.assert_array_equal(line.get_ydata(), times[:50])
    assert ax.get_yscale() == "log"
    ax = plotting.new_figure()[1]
    q = fp.committor((-np.inf, -1.0), (1.0, np.inf))
    np.testing.assert_array_equal(plotting.committor(fp.grid, q, ax).get_lines()[0].get_ydata(), q)


def test_current(fp, ax):
    J = fp.current(fp.propagate(-1.0, 1.0))
    zero, line = plotting.current(fp.grid, J, ax).get_lines()
    np.testing.assert_array_equal(line.get_xdata(), fp.grid.edges)
    np.testing.assert_array_equal(line.get_ydata(), J)
    assert set(zero.get_ydata()) == {0.0}
    plotting.current(fp.grid, 2.0 * J, ax)
    assert len(ax.get_lines()) == 3  # one line at zero


def test_survival(fp, ax):
    t = np.linspace(0.0, 200.0, 41)
    alive = fp.survival((-np.inf, 0.0), -1.0, t)
    rate = 1.0 / fp.mean_exit_time((-np.inf, 0.0), -1.0)
    line, exponential = plotting.survival(t, alive, ax, rate=rate, label="S").get_lines()
    np.testing.assert_array_equal(line.get_ydata(), alive)
    assert exponential.get_ydata()[-1] == pytest.approx(alive[-1])
    np.testing.assert_allclose(np.diff(np.log(exponential.get_ydata())), -rate * 5.0)
    assert ax.get_legend_handles_labels()[1] == ["S", f"rate {rate:.4g}"]


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (
            lambda fp, ax: plotting.eigenfunctions(fp.grid, np.ones((2, 3)), [0.0, 1.0], ax),
            "psi must have 100 cells",
        ),
        (lambda fp, ax: plotting.committor(fp.grid, np.ones(3), ax), "q must have 100 cells"),
        (lambda fp, ax: plotting.exit_profile(fp.grid, np.ones(3), ax), "times must have 100 cells"),
        (lambda fp, ax: plotting.current(fp.grid, np.ones(100), ax), "J must have one value per edge, 101"),
        (lambda fp, ax: plotting.survival(np.ones(3), np.ones(4), ax), "t and alive"),
    ],
)
def test_refused(fp, ax, call, match):
    with pytest.raises(ValueError, match=match):
        call(fp, ax)
