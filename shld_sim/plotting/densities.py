"""Draw densities, histograms with their errors, and tail probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from shld_sim.plotting.style import INK, LABEL, LAND, TEXT, axes_of, finish, next_color

if TYPE_CHECKING:
    from shld_sim.grid import Grid

Curve = Callable[[Any], Any]


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
    ax = axes_of(ax)
    if len(places) == 2:
        drawn = ax.pcolormesh(*places, values.T, cmap=LAND.reversed(), shading="nearest", rasterized=True)
        ax.figure.colorbar(drawn, ax=ax, shrink=0.85).set_label("p(x, y)", fontsize=LABEL)
        return finish(ax, "x", "y")
    color = color or next_color(ax)
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
    ax = axes_of(ax)
    color = color or next_color(ax)
    ax.stairs(height, edges, fill=True, color=color, alpha=0.2, lw=0)
    shown = count > 0
    name = label if label is not None else f"{x.size:,} samples".replace(",", " ")
    if len(count) <= 80:
        ax.errorbar(centre[shown], height[shown], error[shown], fmt="o", ms=3, lw=1.2, color=color, label=name)
    else:
        ax.stairs(height + error, edges, baseline=height - error, fill=True, color=color, alpha=0.5, lw=0, label=name)
    if reference is not None:
        fine = np.linspace(edges[0], edges[-1], 1001)
        ax.plot(fine, reference(fine), color=INK, lw=1.5, label="theory", zorder=3)
    outside = 1.0 - count.sum() / x.size
    if outside > 0.5 / x.size:
        note = f"{100 * outside:.2g} % outside" if outside >= 1e-4 else f"{round(outside * x.size)} samples outside"
        ax.annotate(note, (0.01, 0.98), xycoords="axes fraction", va="top", fontsize=TEXT - 1, color=INK)
    ax.set_xlim(edges[0], edges[-1])
    ax.margins(y=0.28)  # room for the legend
    ax.set_ylim(bottom=0.0, auto=None)
    finish(ax, "x", "p(x)")
    ax.legend(frameon=False, fontsize=TEXT, loc="upper right")
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
    ax = axes_of(ax)
    color = color or next_color(ax)
    name = label if label is not None else f"{n:,} samples".replace(",", " ")
    ax.fill_between(x, np.maximum(level - error, 0.2 / n), level + error, color=color, alpha=0.25, lw=0)
    ax.plot(x, level, color=color, lw=1.8, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    if reference is not None:
        line = np.geomspace(x[0], x[-1], 300)
        ax.plot(line, reference(line), "--", color=INK, lw=1.5, label="theory")
    ax.set_ylim(0.5 / n, 1.5)
    return finish(ax, "x", "P(|X| > x)")
