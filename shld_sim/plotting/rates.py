"""Draw survival curves of exits, and escape rates against 1/D."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from shld_sim.plotting.style import INK, PALETTE, TEXT, axes_of, finish, next_color
from shld_sim.results.exits import kaplan_meier

if TYPE_CHECKING:
    from shld_sim.results import Exits

# How `escape` draws each column: label, colour, line style, marker.
_ESCAPE = {
    "exact": ("exact (quadrature)", PALETTE["black"], "-", ""),
    "kramers": (r"Kramers as stated, $\frac{\omega_0}{2\pi}e^{-\Delta E/D}$", PALETTE["vermilion"], "--", ""),
    "eyring_kramers": ("Eyring-Kramers", PALETTE["blue"], "-.", ""),
    "gap": ("spectral gap (grid)", PALETTE["green"], "", "s"),
    "simulated": ("simulated", PALETTE["orange"], "", "o"),
}


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
    ax = axes_of(ax)
    color = color or next_color(ax)
    name = label if label is not None else f"simulated, {len(left)} paths"
    ax.fill_between(
        t, survival * np.exp(-spread), survival * np.exp(spread), step="post", color=color, alpha=0.25, lw=0
    )
    ax.step(t, survival, where="post", color=color, lw=1.8, label=name)
    rate = exits.rate()
    error = rate / math.sqrt(int(left.sum()))
    line = np.linspace(0.0, float(t[-1]), 50)
    shown = _with_error(rate, error)
    ax.plot(line, np.exp(-rate * line), "--", color=INK, lw=1.5, label=rf"$e^{{-kt}}$, k = {shown}")
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
    ax = axes_of(ax)
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
    ax.legend(frameon=False, fontsize=TEXT, loc="lower left")
    return ax


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
