"""Draw potentials, densities, paths, exits and tails on a given axes: results as they look, never how they are made."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from shld_sim.potentials import Potential
from shld_sim.results import kaplan_meier

if TYPE_CHECKING:
    from shld_sim.grid import Grid
    from shld_sim.results import Ensemble, Exits

__all__ = [
    "PALETTE",
    "density",
    "escape",
    "exit_times",
    "finish",
    "formula_svg",
    "histogram",
    "new_figure",
    "paths",
    "potential",
    "save",
    "svg",
    "tails",
]

Array = NDArray[np.float64]
Curve = Callable[[Any], Any]

# Okabe and Ito's colours, told apart by colour-blind readers and in grey; their yellow is too pale for lines.
PALETTE = {
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "green": "#009E73",
    "orange": "#E69F00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "black": "#000000",
}

_INK = "#404040"  # curves of reference, notes
_LABEL, _TEXT = 13, 11  # points
_LAND = LinearSegmentedColormap.from_list("land", ["#4A88B8", "#A9CBE3", "#FFFFFF"]).with_extremes(over="white")

# How `escape` draws each column: label, colour, line style, marker.
_ESCAPE = {
    "exact": ("exact (quadrature)", PALETTE["black"], "-", ""),
    "kramers": (r"Kramers as stated, $\frac{\omega_0}{2\pi}e^{-\Delta E/D}$", PALETTE["vermilion"], "--", ""),
    "eyring_kramers": ("Eyring-Kramers", PALETTE["blue"], "-.", ""),
    "gap": ("spectral gap (grid)", PALETTE["green"], "", "s"),
    "simulated": ("simulated", PALETTE["orange"], "", "o"),
}


def new_figure(
    rows: int = 1,
    columns: int = 1,
    *,
    size: tuple[float, float] | None = None,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, Any]:
    """Return a new figure and its axes, which need no display and belong to no window.

    Parameters
    ----------
    rows, columns : int
        Number of panels.
    size : tuple of float, optional
        Width and height in inches. Default: 6.4 x 4.2 for one panel, 5.2 x 4.0 for each of several.
    sharex, sharey : bool
        Whether the panels share an axis.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure, for `save`.
    axes : matplotlib.axes.Axes or ndarray of Axes
        One axes, or an array shaped like the panels, without axes of length 1.
    """
    one = rows == columns == 1
    new = Figure(figsize=size or ((6.4, 4.2) if one else (5.2 * columns, 4.0 * rows)), layout="constrained")
    return new, new.subplots(rows, columns, sharex=sharex, sharey=sharey)


def save(fig: Figure | Axes, path: str | os.PathLike[str], dpi: int = 120) -> Path:
    """Write a figure to a file whose bytes depend on the picture alone (no date, no program name).

    Parameters
    ----------
    fig : matplotlib.figure.Figure or Axes
        What to write; an axes stands for its figure.
    path : str or path-like
        File; the ending chooses the format (png, pdf, svg). An existing file is replaced.
    dpi : int
        Dots per inch.

    Returns
    -------
    pathlib.Path
        The file.
    """
    target = Path(path)
    drawn = fig.get_figure(root=True) if isinstance(fig, Axes) else fig
    assert isinstance(drawn, Figure)
    undated: dict[str, dict[str, Any]] = {
        ".png": {"Software": None},
        ".pdf": {"CreationDate": None},
        ".svg": {"Date": None},
    }
    drawn.savefig(target, dpi=dpi, bbox_inches="tight", metadata=undated.get(target.suffix.lower()))
    return target


def svg(fig: Figure) -> str:
    """Return a figure as SVG text that depends on the picture alone.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        What to write; letters become outlines, so that no font is needed.

    Returns
    -------
    str
    """
    from matplotlib import rc_context

    out = io.StringIO()
    with rc_context({"svg.hashsalt": "shld_sim", "svg.fonttype": "path"}):
        fig.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    return out.getvalue()


def formula_svg(tex: str, size: float = 13.0) -> str:
    """Return a formula as SVG text.

    Parameters
    ----------
    tex : str
        In the TeX that Matplotlib knows, without dollar signs.
    size : float
        Size of the letters in points.

    Returns
    -------
    str
    """
    from matplotlib import rc_context
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import math_to_image

    out = io.StringIO()
    with rc_context({"svg.hashsalt": "shld_sim", "svg.fonttype": "path", "mathtext.fontset": "cm"}):
        math_to_image(f"${tex}$", out, prop=FontProperties(size=size), format="svg")
    return out.getvalue()


def finish(
    ax: Axes, xlabel: str | None = None, ylabel: str | None = None, title: str | None = None, *, legend: bool = True
) -> Axes:
    """Give an axes the common look: no box, labels and ticks large enough for a lecture room, a plain legend.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The axes.
    xlabel, ylabel, title : str, optional
        Texts; those not given stay.
    legend : bool
        Whether to show a legend, if anything is labelled.

    Returns
    -------
    matplotlib.axes.Axes
        The same axes.
    """
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=_TEXT)
    ax.set_xlabel(ax.get_xlabel() if xlabel is None else xlabel, fontsize=_LABEL)
    ax.set_ylabel(ax.get_ylabel() if ylabel is None else ylabel, fontsize=_LABEL)
    if title is not None:
        ax.set_title(title, fontsize=_LABEL, loc="left")
    for side, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if (ax.get_xscale() if side == "x" else ax.get_yscale()) == "log":
            low, high = ax.get_xlim() if side == "x" else ax.get_ylim()
            short = high < 30.0 * low  # hardly more than a decade: label 1, 2, 5 as well
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short else (1.0,), numticks=8))
            if short:
                axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize=_TEXT)
    return ax


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
    ax = _axes(ax)
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
    drawn = ax.contourf(x, y, energy, edges, cmap=_LAND, extend="max")
    ax.contour(x, y, energy, edges, colors="white", linewidths=0.5, linestyles="solid")
    ticks = MaxNLocator(6).tick_values(edges[0], edges[-1])
    shown = ticks[(ticks >= edges[0]) & (ticks <= edges[-1])]
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.85, ticks=shown, spacing="proportional")
    bar.set_label("V(x, y)", fontsize=_LABEL)
    bar.ax.tick_params(labelsize=_TEXT)
    for points, name, face in ((minima, "minimum", "black"), (saddles, "saddle", "white")):
        if points.size:
            ax.plot(*points.T, "o", ms=6, mfc=face, mec="black", mew=1.2, ls="", label=name, zorder=4)
    ax.set_xlim(*sides[0])
    ax.set_ylim(*sides[1])
    return finish(ax, "x", "y", legend=False)


def density(
    x: Grid | ArrayLike,
    p: ArrayLike | Curve,
    ax: Axes | None = None,
    *,
    label: str | None = None,
    color: str | None = None,
    fill: bool = False,
    **style: Any,
) -> Axes:
    """Draw a probability density p(x) as a curve, or p(x, y) on a two-dimensional grid as a map.

    Parameters
    ----------
    x : Grid or array_like
        The points, shape ``(n,)``, or the grid with them.
    p : array_like or callable
        Density at the points, shape ``(n,)`` or ``(n, m)``, or a function that gives it.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    label : str, optional
        For the legend.
    color : str, optional
        Default: the next colour of the palette that the axes does not use yet.
    fill : bool
        Whether to tint the area below the curve.
    **style
        Passed on to ``Axes.plot``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        If ``p`` does not match the points.
    """
    axes = getattr(x, "axes", None)
    places = [np.asarray(place, dtype=np.float64) for place in ([x] if axes is None else axes)]
    values = np.asarray(p(places[0]) if callable(p) else p, dtype=np.float64)
    if values.shape != tuple(place.size for place in places):
        raise ValueError(f"p must have one value per point, {tuple(q.size for q in places)}, got shape {values.shape}")
    ax = _axes(ax)
    if len(places) == 2:
        drawn = ax.pcolormesh(*places, values.T, cmap=_LAND.reversed(), shading="nearest", rasterized=True)
        ax.figure.colorbar(drawn, ax=ax, shrink=0.85).set_label("p(x, y)", fontsize=_LABEL)
        return finish(ax, "x", "y")
    color = color or _next_color(ax)
    ax.plot(places[0], values, color=color, label=label, **{"lw": 2, **style})
    if fill:
        ax.fill_between(places[0], values, color=color, alpha=0.15, lw=0)
    if ax.get_yscale() == "linear":
        ax.set_ylim(bottom=0.0, auto=None)
    return finish(ax, "x", "p(x)")


def histogram(
    samples: ArrayLike,
    ax: Axes | None = None,
    bins: int | ArrayLike = 60,
    *,
    range: tuple[float, float] | None = None,
    reference: Curve | None = None,
    label: str | None = None,
    color: str | None = None,
) -> Axes:
    r"""Draw the histogram of samples as a density, with its Poisson errors :math:`\sqrt{n_i}/(N\,\Delta x)`.

    The heights are normalised by all samples, also those outside ``range``, so that they compare with a density on the
    whole line; the share outside is written in the corner.

    Parameters
    ----------
    samples : array_like
        Numbers; those that are not finite (diverged paths) count as outside.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    bins : int or array_like
        Number of bins, or their edges.
    range : tuple of float, optional
        ``(low, high)`` to show, for heavy tails. Default: from the smallest sample to the largest.
    reference : callable, optional
        Density p(x) to compare with.
    label : str, optional
        For the legend. Default: the number of samples.
    color : str, optional
        Default: the next colour of the palette that the axes does not use yet.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        If there is no finite sample.
    """
    x = np.asarray(samples, dtype=np.float64).ravel()
    finite = x[np.isfinite(x)]
    if finite.size == 0:
        raise ValueError(f"samples must hold finite numbers, got {x.size} of which none is")
    count, edges = np.histogram(finite, bins=bins, range=range)  # type: ignore[arg-type]
    width, centre = np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    # p_i = n_i/(N dx), with standard error sqrt(n_i)/(N dx)
    height, error = count / (x.size * width), np.sqrt(count) / (x.size * width)
    ax = _axes(ax)
    color = color or _next_color(ax)
    ax.stairs(height, edges, fill=True, color=color, alpha=0.2, lw=0)
    shown = count > 0
    name = label if label is not None else f"{x.size:,} samples".replace(",", " ")
    if len(count) <= 80:
        ax.errorbar(centre[shown], height[shown], error[shown], fmt="o", ms=3, lw=1.2, color=color, label=name)
    else:
        ax.stairs(height + error, edges, baseline=height - error, fill=True, color=color, alpha=0.5, lw=0, label=name)
    if reference is not None:
        fine = np.linspace(edges[0], edges[-1], 1001)
        ax.plot(fine, reference(fine), color=_INK, lw=1.5, label="theory", zorder=3)
    outside = 1.0 - count.sum() / x.size
    if outside > 0.5 / x.size:
        note = f"{100 * outside:.2g} % outside" if outside >= 1e-4 else f"{round(outside * x.size)} samples outside"
        ax.annotate(note, (0.01, 0.98), xycoords="axes fraction", va="top", fontsize=_TEXT - 1, color=_INK)
    ax.set_xlim(edges[0], edges[-1])
    ax.margins(y=0.28)  # room for the legend
    ax.set_ylim(bottom=0.0, auto=None)
    finish(ax, "x", "p(x)")
    ax.legend(frameon=False, fontsize=_TEXT, loc="upper right")
    return ax


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
    ax = _axes(ax)
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


def exit_times(exits: Exits, ax: Axes | None = None, *, label: str | None = None, color: str | None = None) -> Axes:
    r"""Draw the survival curve P(tau > t) on a logarithmic axis, beside the exponential of the fitted rate.

    Kaplan-Meier's product :math:`\prod_{t_i \le t} (1 - 1/n_i)`, n_i paths at risk, takes censored paths into account;
    the band is its standard error by Greenwood's formula. The straight line is :math:`e^{-kt}`, k = ``exits.rate()``.

    Parameters
    ----------
    exits : Exits
        First passages.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    label : str, optional
        For the legend. Default: the number of paths.
    color : str, optional
        Default: the next colour of the palette that the axes does not use yet.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        If no path left.
    """
    left = ~np.asarray(exits.censored)
    if not left.any():
        raise ValueError(f"exits must hold at least one exit, got {len(left)} censored paths")
    t, survival, spread = kaplan_meier(exits.exposure, exits.censored)
    keep = np.flatnonzero(survival > 0.0)
    thin = keep[_thinned(len(keep), 2000)]
    t, survival, spread = t[thin], survival[thin], spread[thin]
    ax = _axes(ax)
    color = color or _next_color(ax)
    name = label if label is not None else f"simulated, {len(left)} paths"
    ax.fill_between(
        t, survival * np.exp(-spread), survival * np.exp(spread), step="post", color=color, alpha=0.25, lw=0
    )
    ax.step(t, survival, where="post", color=color, lw=1.8, label=name)
    rate = exits.rate()
    error = rate / math.sqrt(int(left.sum()))
    line = np.linspace(0.0, float(t[-1]), 50)
    shown = _with_error(rate, error)
    ax.plot(line, np.exp(-rate * line), "--", color=_INK, lw=1.5, label=rf"$e^{{-kt}}$, k = {shown}")
    ax.set_yscale("log")
    ax.set_ylim(0.6 * float(survival[-1]), 1.4)
    ax.set_xlim(0.0, float(t[-1]))
    return finish(ax, "t", r"P($\tau$ > t)")


def escape(table: Mapping[str, ArrayLike], ax: Axes | None = None, *, relative: bool = False) -> Axes:
    """Draw escape rates against 1/D: straight lines on a logarithmic axis where Arrhenius holds.

    Parameters
    ----------
    table : mapping of str to array_like
        Columns of equal length: ``D``, and any of ``exact``, ``kramers`` (as stated), ``eyring_kramers``, ``gap``,
        ``simulated`` with its standard error ``stderr``. NaN leaves a point out.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    relative : bool
        Draw the ratios to ``exact`` on a linear axis instead: prefactors show there.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        If ``D`` is missing, or ``exact`` with ``relative``.
    """
    columns = {
        name: np.asarray(values, dtype=np.float64)
        for name, values in table.items()
        if name in {*_ESCAPE, "D", "stderr"}
    }
    for name in ("D", "exact") if relative else ("D",):
        if name not in columns:
            raise ValueError(f"table must have a column {name!r}, got {sorted(table)}")
    order = np.argsort(1.0 / columns["D"])
    x = (1.0 / columns["D"])[order]
    unit = columns["exact"][order] if relative else np.ones(len(x))
    ax = _axes(ax)
    for name, (label, color, line, marker) in _ESCAPE.items():
        if name not in columns:
            continue
        y = columns[name][order] / unit
        if name == "simulated" and "stderr" in columns:
            ax.errorbar(
                x, y, columns["stderr"][order] / unit, fmt="o", ms=5, capsize=3, color=color, label=label, zorder=4
            )
        else:
            open_face: dict[str, Any] = {"mfc": "none", "mew": 1.5} if marker else {}
            ax.plot(x, y, ls=line or "none", marker=marker, ms=8, lw=1.8, color=color, label=label, **open_face)
    if relative:
        return finish(ax, "1/D", "rate / exact rate")
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    ax.set_ylim(low / (high / low) ** 0.4, high)  # room for the legend below the falling lines
    finish(ax, "1/D", "escape rate (1/time)")
    ax.legend(frameon=False, fontsize=_TEXT, loc="lower left")
    return ax


def tails(
    samples: ArrayLike,
    ax: Axes | None = None,
    *,
    reference: Curve | None = None,
    label: str | None = None,
    color: str | None = None,
) -> Axes:
    r"""Draw the tail probability :math:`P(|X| > x)` on two logarithmic axes, where a power law is a straight line.

    The band is the binomial standard error :math:`\sqrt{S(1-S)/n}`.

    Parameters
    ----------
    samples : array_like
        Numbers; those that are not finite are left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Default: a new figure.
    reference : callable, optional
        Function that gives :math:`P(|X| > x)`.
    label : str, optional
        For the legend. Default: the number of samples.
    color : str, optional
        Default: the next colour of the palette that the axes does not use yet.

    Returns
    -------
    matplotlib.axes.Axes
        The axes.

    Raises
    ------
    ValueError
        If fewer than two samples are finite and not zero.
    """
    x = np.abs(np.asarray(samples, dtype=np.float64).ravel())
    x = np.sort(x[np.isfinite(x)])
    n, zero = x.size, int((x == 0.0).sum())
    if n - zero < 2:
        raise ValueError(f"samples must hold at least two finite numbers other than 0, got {n - zero}")
    # S(x_(i)) = (n - i)/n just before the i-th of n sorted samples, i = 0 .. n - 1
    level = (n - np.arange(n)) / n
    most = max(2, min(n - zero, int(0.9 * n)))  # from the lowest tenth on: below it the curve is flat
    pick = np.unique(n - np.unique(np.geomspace(1.0, most, 400).astype(int)))  # evenly spaced in log S
    x, level = x[pick], level[pick]
    error = np.sqrt(level * (1.0 - level) / n)
    ax = _axes(ax)
    color = color or _next_color(ax)
    name = label if label is not None else f"{n:,} samples".replace(",", " ")
    ax.fill_between(x, np.maximum(level - error, 0.2 / n), level + error, color=color, alpha=0.25, lw=0)
    ax.plot(x, level, color=color, lw=1.8, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    if reference is not None:
        line = np.geomspace(x[0], x[-1], 300)
        ax.plot(line, reference(line), "--", color=_INK, lw=1.5, label="theory")
    ax.set_ylim(0.5 / n, 1.5)
    return finish(ax, "x", "P(|X| > x)")


# -- helpers ----------------------------------------------------------------------------------------------------------


def _axes(ax: Axes | None) -> Axes:
    """Return ``ax``, or the axes of a new figure that interactive sessions show."""
    if ax is not None:
        if not isinstance(ax, Axes):
            raise TypeError(f"ax must be a Matplotlib Axes, got {ax!r}")
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")[1]


def _next_color(ax: Axes) -> str:
    """Return the first colour of the palette that no labelled artist of ``ax`` has."""
    used = {str(line.get_color()) for line in ax.get_lines()}
    free = [color for color in PALETTE.values() if color not in used]
    return free[0] if free else PALETTE["black"]


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


def _thinned(n: int, most: int) -> Sequence[int] | NDArray[np.int64]:
    """Return at most about ``most`` of the indices 0 .. n - 1, every one of the last 200 among them."""
    if n <= most:
        return np.arange(n)
    return np.unique(np.concatenate([np.linspace(0, n - 1, most - 200).astype(np.int64), np.arange(n - 200, n)]))


def _with_error(value: float, error: float) -> str:
    """Return ``value ± error`` rounded to two digits of the error; powers of ten taken out of very small ones."""
    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return f"{value:.4g}"
    power = math.floor(math.log10(abs(value))) if value else 0
    if -4 < power < 5:
        digits = max(0, 1 - math.floor(math.log10(error)))
        return f"{value:.{digits}f} ± {error:.{digits}f}"
    unit = 10.0**power
    digits = max(0, 1 - math.floor(math.log10(error / unit)))
    return rf"({value / unit:.{digits}f} ± {error / unit:.{digits}f})$\cdot 10^{{{power}}}$"
