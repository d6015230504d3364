"""Pictures of the plane: what is drawn is what was given."""

import numpy as np
import pytest

import shld_sim as shld
from shld_sim import plotting

GRID = shld.Grid((-2.0, 2.0, 40), (-1.5, 1.5, 30))


@pytest.fixture
def ax():
    return plotting.new_figure()[1]


@pytest.fixture(scope="module")
def fp():
    V = shld.Potential(
        energy=lambda x, y, p: 0.25 * (x * x - 1.0) ** 2 + y * y,
        gradient=lambda x, y, p: (x * (x * x - 1.0), 2.0 * y),
        params=(),
        dim=2,
    )
    return shld.FokkerPlanck(shld.Langevin(V, D=0.1), GRID)


def bar_label(ax):
    return ax.figure.axes[-1].get_ylabel()


def ticks(ax):
    return ax.figure.axes[-1].get_yticks()


def test_density(fp, ax):
    assert plotting.density_map(GRID, fp.steady_state(), ax, decades=4) is ax
    np.testing.assert_array_equal(ticks(ax), [-4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0])
    assert "max p" in bar_label(ax)
    assert ax.get_xlim() == (-2.0, 2.0) and ax.get_ylim() == (-1.5, 1.5)


def test_mode(fp, ax):
    pi, psi = fp.steady_state(), fp.eigenfunctions(2)[1]
    where = 1.0 - fp.model.potential(GRID.points)
    assert plotting.mode_map(GRID, psi / pi, ax, where=where) is ax
    most = np.abs(psi / pi)[where > 0].max()
    assert 0.8 * most < max(ticks(ax)) <= most and min(ticks(ax)) == -max(ticks(ax))
    zero = ax.collections[1].get_paths()[0].vertices  # the line of zeros is x = 0
    assert np.abs(zero[:, 0]).max() < 1e-6
    assert bar_label(ax) == r"$\psi_1 / \pi$"


def test_committor(fp, ax):
    q = fp.committor(shld.Ball((-1.0, 0.0), 0.3), shld.Ball((1.0, 0.0), 0.3))
    assert plotting.committor_map(GRID, q, ax, where=q > 0.1) is ax
    half = ax.collections[1].get_paths()[0].vertices
    assert np.abs(half[:, 0]).max() < 1e-6
    np.testing.assert_allclose(ticks(ax), np.arange(0.0, 1.01, 0.2))


def test_current(fp, ax):
    J = fp.reactive_current(shld.Ball((-1.0, 0.0), 0.3), shld.Ball((1.0, 0.0), 0.3))
    assert plotting.current_map(GRID, J, ax, arrows=10) is ax
    arrows = ax.collections[-1]
    u, v, shown = arrows.U, arrows.V, ~np.asarray(arrows.Umask)
    assert 3 < shown.sum() < u.size
    np.testing.assert_allclose(np.hypot(u, v)[shown], 0.4)  # the spacing: direction alone
    assert (u[shown] > 0.0).mean() > 0.8


def test_a_figure_of_its_own(fp):
    assert plotting.density_map(GRID, fp.steady_state()).figure is not None


def test_refused(ax):
    with pytest.raises(ValueError, match=r"values must have shape \(40, 30\)"):
        plotting.density_map(GRID, np.ones((30, 40)), ax)
    with pytest.raises(ValueError, match="two axes"):
        plotting.committor_map(shld.Grid(-1.0, 1.0, 4), np.ones(4), ax)
    with pytest.raises(ValueError, match=r"J must have shape \(40, 30, 2\)"):
        plotting.current_map(GRID, np.ones((40, 30)), ax)
