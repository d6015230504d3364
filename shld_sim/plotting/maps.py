"""Draw what the grid solver finds in the plane: densities, modes, committors and currents on a given axes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim.plotting.style import PALETTE, finish, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from shld_sim.grid import Grid

__all__ = ["committor_map", "current_map", "density_map", "mode_map"]

Array = NDArray[np.float64]

_STEPS = sorted(mantissa * 10.0**power for mantissa in (1.0, 2.0, 5.0) for power in range(-12, 12))  # between ticks


def density_map(grid: Grid, p: ArrayLike, ax: Axes | None = None, *, decades: int = 6) -> Axes:
    """Draw a density in the plane: filled contours of ``log10 p``, from its maximum down.

    Parameters
    ----------
    grid : Grid
        Two axes.
    p : array_like, shape (*shape)
        Density at the cell centres.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    decades : int
        Powers of ten shown; what is smaller stays white.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    density = _values(grid, p)
    top = float(density.max())
    exponent = np.log10(np.maximum(density / top, 10.0 ** -(decades + 3)))
    return _surface(grid, exponent, ax, np.arange(-decades, 0.1, 0.5), "Blues", "$\\log_{10} (p / \\max p)$")


def mode_map(
    grid: Grid,
    psi: ArrayLike,
    ax: Axes | None = None,
    *,
    where: ArrayLike | None = None,
    label: str = r"$\psi_1 / \pi$",
) -> Axes:
    """Draw a function that changes sign: red above and blue below 0, the line of zeros black.

    Parameters
    ----------
    grid : Grid
        Two axes.
    psi : array_like, shape (*shape)
        For example an eigenfunction divided by the stationary density.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    where : array_like, shape (*shape), optional
        Positive at the cells to show, for example an energy minus V; where hardly a path comes, a mode says little.
    label : str
        Text at the colour bar.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    values = _values(grid, psi)
    most = float(np.abs(values if where is None else values[_values(grid, where) > 0.0]).max())
    values = np.clip(values, -most, most)
    ax = _surface(grid, values, ax, np.linspace(-most, most, 21), "RdBu_r", label)
    ax.contour(*grid.axes, values.T, [0.0], colors="black", linewidths=1.5)
    return _covered(ax, grid, where)


def committor_map(grid: Grid, q: ArrayLike, ax: Axes | None = None, *, where: ArrayLike | None = None) -> Axes:
    """Draw a committor: filled contours from 0 to 1 and the line ``q = 1/2``.

    Parameters
    ----------
    grid : Grid
        Two axes.
    q : array_like, shape (*shape)
        Probability to reach b before a.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    where : array_like, shape (*shape), optional
        Positive at the cells to show.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    values = _values(grid, q)
    ax = _surface(grid, values, ax, np.linspace(0.0, 1.0, 21), "PuOr", "committor q")
    ax.contour(*grid.axes, values.T, [0.5], colors="black", linewidths=1.5)
    return _covered(ax, grid, where)


def current_map(grid: Grid, J: ArrayLike, ax: Axes | None = None, *, arrows: int = 28) -> Axes:
    """Draw a current in the plane: its strength in colour, its direction by arrows where it is not weak.

    Parameters
    ----------
    grid : Grid
        Two axes.
    J : array_like, shape (*shape, 2)
        Current density at the cell centres.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    arrows : int
        Arrows along the longer side of the box.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    field = np.asarray(J, dtype=np.float64)
    if field.shape != (*grid.shape, 2):
        raise ValueError(f"J must have shape {(*grid.shape, 2)}, one vector per cell, got {field.shape}")
    strength = np.linalg.norm(field, axis=-1)
    most = float(strength.max())
    share = strength / most if most > 0.0 else strength
    ax = _surface(grid, share, ax, np.r_[0.02, 0.1:1.01:0.1], "YlOrBr", "$|J| / \\max |J|$")
    spacing = max(side.high - side.low for side in grid.sides) / arrows
    x, y = (np.arange(low + 0.5 * spacing, high, spacing) for low, high in zip(grid.low, grid.high, strict=True))
    i, j = (np.clip(np.searchsorted(a, c), 0, len(a) - 1) for a, c in zip(grid.axes, (x, y), strict=True))
    at = np.ix_(i, j)
    unit = field[at] / np.maximum(strength[at], 1e-300)[..., None]
    shown = share[at] > 0.05
    u, v = (np.where(shown, unit[..., axis], np.nan) for axis in (0, 1))
    ax.quiver(
        *np.meshgrid(x, y, indexing="ij"),
        u * spacing,
        v * spacing,
        angles="xy",
        scale_units="xy",
        scale=1.15,
        pivot="mid",
        width=0.0045,
        color=PALETTE["black"],
        zorder=3,
    )
    return ax


def _surface(grid: Grid, values: Array, ax: Axes | None, levels: Array, cmap: str, label: str) -> Axes:
    """Draw filled contours with a colour bar."""
    ax = new_figure()[1] if ax is None else ax
    drawn = ax.contourf(*grid.axes, values.T, levels, cmap=cmap)
    low, high = float(levels[0]), float(levels[-1])
    step = next(s for s in _STEPS if (high - low) / s <= 8.0)
    ticks = step * np.arange(np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9) + 1.0)
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.85, ticks=ticks)
    bar.set_label(label, fontsize=13)
    bar.ax.tick_params(labelsize=11)
    ax.set_xlim(grid.low[0], grid.high[0])
    ax.set_ylim(grid.low[1], grid.high[1])
    return finish(ax, "x", "y", legend=False)


def _covered(ax: Axes, grid: Grid, where: ArrayLike | None) -> Axes:
    """Put white over the places that are not to be shown."""
    if where is not None:
        shown = _values(grid, where) - (0.5 if np.asarray(where).dtype == np.bool_ else 0.0)
        ax.contourf(*grid.axes, shown.T, [min(float(shown.min()), -1.0) - 1.0, 0.0], colors="white", zorder=2)
        ax.contour(*grid.axes, shown.T, [0.0], colors="#808080", linewidths=0.6, zorder=2)
    return ax


def _values(grid: Any, values: ArrayLike) -> Array:
    """Return values on the cells of a plane grid, or raise."""
    array = np.asarray(values, dtype=np.float64)
    if grid.dim != 2:
        raise ValueError(f"grid must have two axes to be drawn, got {grid!r}")
    if array.shape != grid.shape:
        raise ValueError(f"values must have shape {grid.shape}, one per cell, got {array.shape}")
    return array
