"""Draw energy landscapes with their critical points, and paths over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from shld_sim.plotting.style import LABEL, LAND, PALETTE, TEXT, axes_of, finish
from shld_sim.potentials import Potential

if TYPE_CHECKING:
    from shld_sim.results import Ensemble

Array = NDArray[np.float64]


def potential(V: Potential, ax: Axes | None = None, box: Any = None, levels: int | ArrayLike | None = None) -> Axes:
    """Draw an energy landscape with its minima (full circles) and saddles (open circles).

    One dimension: the curve V(x). Two dimensions: filled contours of V(x, y). Energies far above the saddles, which
    would hide everything else, are cut.

    Parameters
    ----------
    V : Potential
        One or two coordinates.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    box : sequence, optional
        ``(low, high)`` in one dimension, a pair of them in two. Default: ``V.plot_box``.
    levels : int or array_like, optional
        Two dimensions: number of contours, or their energies. Default: 14 up to somewhat above the saddles.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        If V has more than two coordinates.
    """
    if V.dim > 2:
        raise ValueError(f"V must have one or two coordinates to be drawn, got {V.dim}: {V!r}")
    sides = np.array(V.plot_box if box is None else box, dtype=np.float64).reshape(-1, 2)
    if len(sides) != V.dim or not (sides[:, 0] < sides[:, 1]).all():
        raise ValueError(f"box must hold low < high for each of {V.dim} coordinates, got {box!r}")
    ax = axes_of(ax)
    minima, saddles = (points[_inside(points, sides)] for points in (V.minima(), V.saddles()))
    if V.dim == 1:
        x = np.linspace(sides[0, 0], sides[0, 1], 801)
        energy = V(x)
        ax.plot(x, energy, color=PALETTE["blue"], lw=2)
        for points, name, face in ((minima, "minimum", PALETTE["blue"]), (saddles, "saddle", "white")):
            if points.size:
                ax.plot(
                    points,
                    V(points),
                    "o",
                    ms=7,
                    mfc=face,
                    mec=PALETTE["blue"],
                    mew=1.5,
                    label=name,
                    zorder=3,
                    clip_on=False,
                )
        low, high = float(energy.min()), _ceiling(V, energy, minima, saddles)
        ax.set_ylim(low - 0.06 * (high - low), high)
        ax.set_xlim(*sides[0])
        return finish(ax, "x", "V(x)")
    x, y = (np.linspace(side[0], side[1], 241) for side in sides)
    energy = V(np.stack(np.meshgrid(x, y, indexing="xy"), axis=-1))
    low, high = float(np.nanmin(energy)), _ceiling(V, energy, minima, saddles)
    if levels is None or np.ndim(levels) == 0:
        steps = np.linspace(0.0, 1.0, 15 if levels is None else int(np.asarray(levels)))
        edges = low + (high - low) * (
            steps if saddles.size else steps**2
        )  # a valley without saddle: finer at its bottom
    else:
        edges = np.asarray(levels, dtype=np.float64)
    drawn = ax.contourf(x, y, energy, edges, cmap=LAND, extend="max")
    ax.contour(x, y, energy, edges, colors="white", linewidths=0.5, linestyles="solid")
    ticks = MaxNLocator(6).tick_values(edges[0], edges[-1])
    shown = ticks[(ticks >= edges[0]) & (ticks <= edges[-1])]
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.85, ticks=shown, spacing="proportional")
    bar.set_label("V(x, y)", fontsize=LABEL)
    bar.ax.tick_params(labelsize=TEXT)
    for points, name, face in ((minima, "minimum", "black"), (saddles, "saddle", "white")):
        if points.size:
            ax.plot(*points.T, "o", ms=6, mfc=face, mec="black", mew=1.2, ls="", label=name, zorder=4)
    ax.set_xlim(*sides[0])
    ax.set_ylim(*sides[1])
    return finish(ax, "x", "y", legend=False)


def paths(run: Ensemble, ax: Axes | None = None, n: int = 8, *, box: Any = None) -> Axes:
    """Draw the first paths of an ensemble: x against t in one dimension, curves over the contours of V in two.

    Parameters
    ----------
    run : Ensemble
        Saved over time (``save_every=``).
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    n : int
        Number of paths, at most.
    box : sequence, optional
        Two dimensions: as in `potential`.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        If the run was saved at one time only, or has more than two coordinates.
    """
    if len(run.t) < 2:
        raise ValueError("run must hold several times to show paths, got one: simulate with save_every=")
    V, n = run.model.potential, min(n, run.n_paths)
    if V.dim > 2:
        raise ValueError(f"run must have one or two coordinates to be drawn, got {V.dim}")
    ax = axes_of(ax)
    if V.dim == 1:
        colors = list(PALETTE.values()) if n <= len(PALETTE) else [PALETTE["blue"]]
        for i in range(n):
            ax.plot(run.t, run.x[:, i], lw=0.9, color=colors[i % len(colors)], alpha=1.0 if n <= 3 else 0.7)
        ax.set_xlim(run.t[0], run.t[-1])
        return finish(ax, "t", "x")
    potential(V, ax, box)
    colors = [PALETTE[name] for name in ("vermilion", "purple", "green", "orange")]
    for i in range(n):
        ax.plot(*run.x[:, i].T, lw=0.7, alpha=0.7, color=colors[i % len(colors)], zorder=3)
    return ax


def _inside(points: Array, sides: Array) -> NDArray[np.bool_]:
    """Return which critical points lie in the box."""
    columns = points.reshape(len(points), len(sides))
    return np.asarray(((columns >= sides[:, 0]) & (columns <= sides[:, 1])).all(axis=1))


def _ceiling(V: Potential, energy: Array, minima: Array, saddles: Array) -> float:
    """Return the energy at which to cut: above the saddles as far again as 0.8 of the highest barrier."""
    low, high = float(np.nanmin(energy)), float(np.nanmax(energy))
    if saddles.size:
        top = float(V(saddles).max())
        return min(high, top + 0.8 * (top - low))
    return high if V.dim == 1 else float(np.nanquantile(energy, 0.5))
