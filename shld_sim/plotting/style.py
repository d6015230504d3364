"""The common look of all pictures: colours, sizes, new figures, files whose bytes depend on the picture alone."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

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

INK = "#404040"  # curves of reference, notes
LABEL, TEXT = 13, 11  # points
LAND = LinearSegmentedColormap.from_list("land", ["#4A88B8", "#A9CBE3", "#FFFFFF"]).with_extremes(over="white")


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
        fig.savefig(out, format="svg", dpi=150, bbox_inches="tight", metadata={"Date": None})
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
    ax.tick_params(labelsize=TEXT)
    ax.set_xlabel(ax.get_xlabel() if xlabel is None else xlabel, fontsize=LABEL)
    ax.set_ylabel(ax.get_ylabel() if ylabel is None else ylabel, fontsize=LABEL)
    if title is not None:
        ax.set_title(title, fontsize=LABEL, loc="left")
    for side, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if (ax.get_xscale() if side == "x" else ax.get_yscale()) == "log":
            low, high = ax.get_xlim() if side == "x" else ax.get_ylim()
            short = high < 30.0 * low  # hardly more than a decade: label 1, 2, 5 as well
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short else (1.0,), numticks=8))
            if short:
                axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    if legend and ax.get_legend_handles_labels()[1]:
        ax.legend(frameon=False, fontsize=TEXT)
    return ax


def axes_of(ax: Axes | None) -> Axes:
    """Return ``ax``, or the axes of a new figure that interactive sessions show."""
    if ax is not None:
        if not isinstance(ax, Axes):
            raise TypeError(f"ax must be a Matplotlib Axes, got {ax!r}")
        return ax
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")[1]


def next_color(ax: Axes) -> str:
    """Return the first colour of the palette that no labelled artist of ``ax`` has."""
    used = {str(line.get_color()) for line in ax.get_lines()}
    free = [color for color in PALETTE.values() if color not in used]
    return free[0] if free else PALETTE["black"]
