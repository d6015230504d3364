"""Draw the record of a training: losses, C, p with the bands of the guide, margins, tail index, and the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from shld_sim.diagnostics import GUIDE
from shld_sim.plotting.style import INK, PALETTE, TEXT, finish

Series = Mapping[str, tuple[ArrayLike, ArrayLike]]

MOST = 2000  # points of a line
HEIGHT = 2.0  # inches of a panel
COLORS = tuple(PALETTE.values())
FILES_ONLY = frozenset(
    {"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"}
)  # Matplotlib's backends without a window
HIDDEN = frozenset({"Gamma", "signal", "noise", "noise scale", "I", "step factor"})  # unless asked for
# Panels of what the tracker computes: label, names.
KNOWN = (
    ("signal/noise C", ("C", "C all", "Gamma")),
    ("p", ("p", "p all")),
    ("margin", ("S", "S_p")),
    ("largest curvature", ("lmax",)),
    ("tail index", ("alpha",)),
)
LOGARITHMIC = frozenset({"loss", "signal/noise C", "tail index", "learning_rate"})  # where values are positive
REFERENCE = {"signal/noise C": 1.0, "margin": 0.0, "tail index": 2.0}
SHOWN = {"S": r"$S = 2/\eta - \lambda_{max}$", "S_p": r"$S_p = 2p/\eta - \lambda_{max}$"}

SHORT = {"S": "margin $S$", "S_p": "margin $S_p$"}


def training(series: Series, fig: Figure | None = None, *, columns: Iterable[str] | None = None) -> Figure:
    """Draw series of numbers in stacked panels over the step: losses, shares, C, p, margins, curvature, tail index, the rest.

    Names that end in " low" and " high" are the ends of an interval and become a band. The bands behind p are those of the
    decision guide, which hold at ``eta lmax = 1``; "needed" is the p at which S_p is zero, for any step. Lines of more than
    2000 points are drawn by the least and the largest value of each of a thousand stretches.

    Parameters
    ----------
    series : mapping of str to (array_like, array_like)
        Steps and values by name, as `Log.numbers` returns them; NaN and infinity leave gaps.
    fig : matplotlib.figure.Figure, optional
        Where to draw; it is cleared. Default: a new figure.
    columns : iterable of str, optional
        Names to draw, with their bands. Default: all but secondary ones.

    Returns
    -------
    matplotlib.figure.Figure
        The figure.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    """
    chosen = list(series) if columns is None else list(columns)
    ends = {f"{name} {end}" for name in series for end in ("low", "high")}
    names = [name for name in chosen if name in series and (columns is not None or name not in ends | HIDDEN)]
    if columns is None:  # a step that never changes needs no panel
        names = [
            name for name in names if name != "learning_rate" or len(set(np.asarray(series[name][1]).tolist())) > 1
        ]
    panels = _panels(names)
    if not panels:
        raise ValueError(f"series must hold numbers to draw, got {sorted(series)} with columns {chosen}")
    if fig is None:
        fig = Figure(layout="constrained")
    else:
        fig.clear()
    if fig.canvas.manager is None:  # the size of a window is its user's
        fig.set_size_inches(7.6, 0.5 + HEIGHT * len(panels))
    axes = np.atleast_1d(fig.subplots(len(panels), 1, sharex=True))
    for ax, (label, members) in zip(axes, panels, strict=True):
        _panel(ax, label, members, series)
        ax.tick_params(labelbottom=ax is axes[-1])
        if len(members) == 1 and label in ("loss", "accuracy", "margin"):
            label = SHORT.get(members[0], members[0])
        finish(ax, "step" if ax is axes[-1] else "", label)
        legend = ax.get_legend()
        if legend is not None and len(ax.get_legend_handles_labels()[1]) == 1:
            legend.remove()
    return fig


def window() -> Figure:
    """Open an empty figure in a window that does not wait.

    Returns
    -------
    matplotlib.figure.Figure
        For `training` and `show_now`.

    Raises
    ------
    ValueError
        If Matplotlib's backend has no windows.
    """
    from matplotlib import get_backend, pyplot

    if get_backend().lower() in FILES_ONLY:
        raise ValueError(f"live must be a file such as 'run.png': the backend {get_backend()!r} has no windows")
    fig = pyplot.figure(figsize=(7.6, 8.0), layout="constrained")
    pyplot.show(block=False)
    return fig


def show_now(fig: Figure) -> None:
    """Let a window show what was drawn on its figure.

    Parameters
    ----------
    fig : matplotlib.figure.Figure
        From `window`.
    """
    fig.canvas.draw_idle()
    fig.canvas.flush_events()


def _panels(names: list[str]) -> list[tuple[str, list[str]]]:
    """Return labels and names of the panels: what belongs together lies in one, all else has its own."""
    groups: dict[str, list[str]] = {"loss": [], "accuracy": []}
    groups |= {label: [] for label, _ in KNOWN}
    known = {name: label for label, members in KNOWN for name in members}
    for name in names:
        words = name.lower().replace("_", " ").replace("-", " ").split()
        if name in known:
            groups[known[name]].append(name)
        elif "loss" in words:
            groups["loss"].append(name)
        elif "accuracy" in words or "acc" in words:
            groups["accuracy"].append(name)
        elif name != "p needed":
            groups.setdefault(name, []).append(name)
    return [(label, members) for label, members in groups.items() if members]


def _panel(ax: Axes, label: str, members: list[str], series: Series) -> None:
    lines = {name: _numbers(series[name]) for name in members}
    finite = np.concatenate([values[np.isfinite(values)] for _, values in lines.values()])
    logarithmic = label in LOGARITHMIC and (finite > 0.0).any() and (label != "loss" or (finite > 0.0).all())
    for color, (name, (steps, values)) in zip(cycle(COLORS), lines.items()):
        if logarithmic:
            values = np.where(values > 0.0, values, np.nan)  # estimates of C may be negative
        if f"{name} low" in series and f"{name} high" in series:
            (at, low), (_, high) = _numbers(series[f"{name} low"]), _numbers(series[f"{name} high"])
            if len(low) == len(high):
                ax.fill_between(at, low, high, color=color, alpha=0.18, lw=0)
        ax.plot(*_thinned(steps, values), lw=1.6, color=color, label=SHOWN.get(name, name))
        alone = _alone(values)
        ax.plot(steps[alone], values[alone], "o", ms=3.5, color=color)
    if logarithmic:
        positive = finite[finite > 0.0]
        ax.set_yscale("log")
        ax.set_ylim(0.6 * max(positive.min(), 1e-5 * positive.max()), 1.6 * positive.max())
    elif finite.size:
        room = 0.08 * float(np.ptp(finite)) or 0.08 * abs(float(finite[0])) or 1.0
        ax.set_ylim(float(finite.min()) - room, float(finite.max()) + room)
    if label == "p":
        _guide(ax, series)
    elif label in REFERENCE:
        ax.axhline(REFERENCE[label], color=INK, lw=0.8, ls=":")


def _alone(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell the points that a line does not show, those between two gaps; all of them where they are few."""
    seen = np.concatenate([[False], np.isfinite(values), [False]])
    return seen[1:-1] & ((seen.sum() < 40) | (~seen[:-2] & ~seen[2:]))


def _guide(ax: Axes, series: Series) -> None:
    """Shade the rows of the decision guide, name them at the right, and draw the p that the step needs."""
    for i, row in enumerate(GUIDE):
        ax.axhspan(row.low, row.high, color="#808080", alpha=0.05 + 0.05 * (i % 2), lw=0)
        ax.annotate(
            row.state,
            (1.005, 0.5 * (row.low + row.high)),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=TEXT - 3,
            color=INK,
        )
    if "p needed" in series:
        steps, values = _numbers(series["p needed"])
        ax.plot(*_thinned(steps, np.minimum(values, 2.0)), ls="--", lw=1.4, color=PALETTE["vermilion"], label="needed")
    ax.set_ylim(0.0, 1.0)


def _numbers(pair: tuple[Any, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return steps and values as floats, infinity as a gap."""
    steps, values = (np.array(part, dtype=np.float64) for part in pair)
    values[~np.isfinite(values)] = np.nan
    return steps, values


def _thinned(
    steps: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a line as it is, or the places of the least and the largest value of each of a thousand stretches."""
    if len(steps) <= MOST:
        return steps, values
    kept: set[int] = set()
    for part in np.array_split(np.arange(len(steps)), MOST // 2):
        inside = part[np.isfinite(values[part])]
        kept |= (
            {int(i) for i in (inside[values[inside].argmin()], inside[values[inside].argmax()])}
            if len(inside)
            else {int(part[0])}
        )
    order = sorted(kept)
    return steps[order], values[order]
