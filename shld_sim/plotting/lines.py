"""Draw what the grid solvers find on a line: modes, committors, exit times, currents, survival."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from shld_sim.plotting.style import PALETTE, axes_of, finish, next_color

if TYPE_CHECKING:
    from shld_sim.grid import Grid

__all__ = ["committor", "current", "eigenfunctions", "exit_profile", "survival"]


def eigenfunctions(grid: Grid, psi: ArrayLike, rates: ArrayLike, ax: Axes | None = None) -> Axes:
    """Draw eigenfunctions one above the other, each with its rate; probability moves between where they differ in sign.

    Parameters
    ----------
    grid : Grid
        One axis.
    psi : array_like, shape (k, n)
        From `FokkerPlanck.eigenfunctions`; each is scaled to a height of 0.9.
    rates : array_like, shape (k,)
        Eigenvalues, for the labels.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax)
    modes, values = _checked(grid, psi, "psi"), np.asarray(rates, dtype=np.float64)
    colors = list(PALETTE.values())
    for j, (mode, rate) in enumerate(zip(modes, values, strict=True)):
        curve = j + 0.45 * mode / np.abs(mode).max()
        color = colors[j % len(colors)]
        ax.axhline(j, color="#B0B0B0", lw=0.8)
        ax.plot(grid.x, curve, color=color, lw=2)
        ax.fill_between(grid.x, j, curve, color=color, alpha=0.15, lw=0)
        ax.annotate(
            rf"$\lambda_{{{j}}}$ = {rate:.6g}",
            (1.0, j),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=11,
            color=color,
        )
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    return finish(ax, "x", "")


def committor(grid: Grid, q: ArrayLike, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw the probability to reach ``b`` before ``a``.

    Parameters
    ----------
    grid : Grid
        One axis.
    q : array_like, shape (n,)
        From `FokkerPlanck.committor`.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    label : str, optional
        For the legend.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax)
    ax.plot(grid.x, _checked(grid, q, "q"), lw=2, color=next_color(ax), label=label)
    ax.set_ylim(-0.02, 1.02)
    return finish(ax, "x", "P(b before a)")


def exit_profile(grid: Grid, times: ArrayLike, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw the mean time to leave a domain against the start, on a logarithmic axis.

    Parameters
    ----------
    grid : Grid
        One axis.
    times : array_like, shape (n,)
        From `FokkerPlanck.mean_exit_time`; cells outside the domain, with 0, are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    label : str, optional
        For the legend.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax)
    values = _checked(grid, times, "times")
    inside = values > 0.0
    ax.plot(grid.x[inside], values[inside], lw=2, color=next_color(ax), label=label)
    ax.set_yscale("log")
    return finish(ax, "x", "mean exit time")


def current(grid: Grid, J: ArrayLike, ax: Axes | None = None, *, label: str | None = None) -> Axes:
    """Draw the flux through the edges, positive to the right.

    Parameters
    ----------
    grid : Grid
        One axis.
    J : array_like, shape (n + 1,)
        From `FokkerPlanck.current`.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    label : str, optional
        For the legend.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax)
    values = np.asarray(J, dtype=np.float64)
    if values.shape != grid.edges.shape:
        raise ValueError(f"J must have one value per edge, {grid.edges.size}, got shape {values.shape}")
    if not ax.get_lines():
        ax.axhline(0.0, color="#B0B0B0", lw=0.8)
    ax.plot(grid.edges, values, lw=2, color=next_color(ax), label=label)
    return finish(ax, "x", "J(x)")


def survival(
    t: ArrayLike, alive: ArrayLike, ax: Axes | None = None, *, rate: float | None = None, label: str | None = None
) -> Axes:
    """Draw the probability not to have left, on a logarithmic axis, with the exponential it ends in.

    Parameters
    ----------
    t, alive : array_like, shape (m,)
        Times, and `FokkerPlanck.survival` there.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    rate : float, optional
        Rate of an exponential through the last point, drawn dashed.
    label : str, optional
        For the legend.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.
    """
    ax = axes_of(ax)
    times, values = np.asarray(t, dtype=np.float64), np.asarray(alive, dtype=np.float64)
    if times.shape != values.shape or times.ndim != 1:
        raise ValueError(f"t and alive must be lists of equal length, got shapes {times.shape} and {values.shape}")
    ax.plot(times, values, lw=2, color=next_color(ax), label=label)
    if rate is not None:
        line = values[-1] * np.exp(-rate * (times - times[-1]))
        ax.plot(times, line, "--", lw=1.5, color="#404040", label=f"rate {rate:.4g}")
    ax.set_yscale("log")
    return finish(ax, "t", r"P($\tau$ > t)")


def _checked(grid: Grid, values: ArrayLike, name: str) -> np.ndarray:
    """Return values whose last axis is the cells, or raise."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape[-1:] != grid.shape:
        raise ValueError(f"{name} must have {grid.shape[0]} cells on its last axis, got shape {array.shape}")
    return array
