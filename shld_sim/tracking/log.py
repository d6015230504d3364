"""What a tracker has recorded: a value per name and step, as arrays, as a table, as a figure, in words."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Left out of the table unless they are asked for.
MINOR = frozenset(
    {"Gamma", "signal", "noise", "noise scale", "p needed", "action", "step factor", "I", "learning_rate"}
)
WIDEST = 10  # columns of a table


class Log:
    """A record of a training: for each name the steps at which it was measured, ascending, and its values.

    Parameters
    ----------
    metadata : mapping, optional
        Whatever belongs to the run; `Tracker` writes it on the first line of its file.

    Attributes
    ----------
    metadata : dict
        The same.
    rewinds : list of int
        Steps to which the run went back; what was recorded from there on is forgotten.
    """

    def __init__(self, metadata: Mapping[str, Any] | None = None) -> None:
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.rewinds: list[int] = []
        self._columns: dict[str, tuple[list[int], list[Any]]] = {}
        self._seen: tuple[list[int], list[float]] = ([], [])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} steps, {', '.join(self.names) or 'empty'})"

    def __len__(self) -> int:
        return len(self._seen[0])

    @property
    def names(self) -> list[str]:
        """Names recorded, in the order in which they appeared."""
        return list(self._columns)

    @property
    def last_step(self) -> int | None:
        """The last step recorded; None while there is none."""
        return self._seen[0][-1] if self._seen[0] else None

    def series(self, name: str) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return the steps at which a name was recorded, and its values there.

        Parameters
        ----------
        name : str
            One of ``names``, or ``"time"``: seconds since 1970 at which each step was recorded.

        Returns
        -------
        steps : ndarray of int, shape (m,)
            Steps, ascending.
        values : ndarray, shape (m, ...)
            Values; text as an array of ``str``, arrays stacked where their shapes agree, else an array of objects.

        Raises
        ------
        ValueError
            If nothing has that name.
        """
        if name == "time":
            steps, values = self._seen[0], list(self._seen[1])
        else:
            _checks.one_of("name", name, (*self._columns, "time"))
            steps, values = self._columns[name]
        if len({np.shape(value) for value in values}) > 1:
            array = np.empty(len(values), dtype=object)
            array[:] = values
            return np.array(steps, np.int64), array
        return np.array(steps, np.int64), np.array(values)

    def numbers(self) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Return the series of single numbers by name, as `plotting.training` takes them."""
        found = {}
        for name, (steps, values) in self._columns.items():
            kept = [i for i, value in enumerate(values) if isinstance(value, (int, float))]
            if kept:
                found[name] = np.array([steps[i] for i in kept], np.int64), np.array([float(values[i]) for i in kept])
        return found

    def latest(self) -> dict[str, Any]:
        """Return the last value of every name."""
        return {name: values[-1] for name, (_, values) in self._columns.items()}

    def table(self, rows: int = 10, columns: Iterable[str] | None = None) -> str:
        """Return the last steps as a plain table.

        Parameters
        ----------
        rows : int
            Number of steps.
        columns : iterable of str, optional
            Names. Default: up to ten, without ends of intervals and secondary numbers.

        Returns
        -------
        str
            Heading, rule, one line a step; a dash where a name was not recorded.

        Raises
        ------
        ValueError
            If nothing has one of the names.
        """
        rows, names = _checks.integer("rows", rows), self.columns_of(columns)
        cells = [["step", *names]] + [self.row(step, names) for step in self._seen[0][-rows:]]
        widths = [max(len(line[j]) for line in cells) for j in range(len(cells[0]))]
        cells.insert(1, ["-" * width for width in widths])
        return "\n".join(
            "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in cells
        )

    def columns_of(self, columns: Iterable[str] | None = None) -> list[str]:
        """Return the names that a table shows.

        Parameters
        ----------
        columns : iterable of str, optional
            Names asked for.

        Returns
        -------
        list of str
            The same, or the default of `table`.

        Raises
        ------
        ValueError
            If nothing has one of the names.
        """
        if columns is None:
            ends = {f"{name} {end}" for name in self._columns for end in ("low", "high")}
            whole = [name for name in self._columns if name not in MINOR and name not in ends]
            return [name for name in whole if np.shape(self._columns[name][1][-1]) == ()][:WIDEST]
        names = [columns] if isinstance(columns, str) else list(columns)
        for name in names:
            _checks.one_of("columns", name, self._columns)
        return names

    def row(self, step: int, names: Iterable[str]) -> list[str]:
        """Return the line of a table: the step, and the values recorded there as short text.

        Parameters
        ----------
        step : int
            A step.
        names : iterable of str
            Names.

        Returns
        -------
        list of str
            One entry more than there are names.
        """
        found = [str(step)]
        for name in names:
            steps, values = self._columns[name]
            i = bisect_left(steps, step)
            found.append(_text(values[i]) if i < len(steps) and steps[i] == step else "-")
        return found

    def advice(self) -> str:
        """Return in a few words what the last p, the margins and the decision guide say.

        Returns
        -------
        str
            Parts for what was recorded, with the step where it is not the last; empty if none of it was. Where the interval of p
            reaches into other rows of the guide, they are named: so much is left open by the number of gradients.
        """
        now, parts = self.latest(), []
        for name in ("p", "S", "S_p"):
            if name in now:
                low, high = (now.get(f"{name} {end}", now[name]) for end in ("low", "high"))
                reach = f" ({_text(low)} to {_text(high)})" if low < high else ""
                parts.append(f"{name} = {_text(now[name])}{reach}{self._age(name)}")
        if "p needed" in now:
            parts.append(f"p needed: {_text(now['p needed'])}{self._age('p needed')}")
        if "phase" in now:
            parts.append(f"phase: {now['phase']}{self._age('phase')}")
        if "state" in now:
            low, high = now.get("state low", now["state"]), now.get("state high", now["state"])
            reach = f" (the interval: {low} to {high})" if low != high else ""
            parts.append(f"guide: {now['state']}, {now['action']}{reach}{self._age('state')}")
        return "; ".join(parts)

    def _age(self, name: str) -> str:
        step = self._columns[name][0][-1]
        return "" if step == self.last_step else f" at step {step}"

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        columns: Iterable[str] | None = None,
        figure: Figure | None = None,
    ) -> Figure:
        """Draw what was recorded in stacked panels; see `plotting.training`.

        Parameters
        ----------
        path : path-like, optional
            File to write, .png, .pdf or .svg; it is replaced in one move.
        columns : iterable of str, optional
            Names to draw. Default: all single numbers.
        figure : matplotlib.figure.Figure, optional
            Where to draw; it is cleared. Default: a new one.

        Returns
        -------
        matplotlib.figure.Figure
            The figure.

        Raises
        ------
        ValueError
            If there is no number to draw, or nothing has one of the names.
        """
        from shld_sim import plotting

        chosen = None if columns is None else self.columns_of(columns)
        drawn = plotting.training(self.numbers(), figure, columns=chosen)
        if path is not None:
            target = Path(path)
            partial = target.with_name(f".{target.stem}.partial{target.suffix}")
            try:
                plotting.save(drawn, partial)
                os.replace(partial, target)
            finally:
                partial.unlink(missing_ok=True)
        return drawn

    def _add(self, step: int, time: float, values: Mapping[str, Any]) -> None:
        """Record values of a step not before the last; of two values of one name and step the later stays."""
        _append(*self._seen, step, time)
        for name, value in values.items():
            _append(*self._columns.setdefault(name, ([], [])), step, value)

    def _forget_from(self, step: int) -> None:
        """Forget what was recorded at ``step`` and after it."""
        columns: list[tuple[list[int], list[Any]]] = [self._seen, *self._columns.values()]
        for steps, kept in columns:
            i = bisect_left(steps, step)
            del steps[i:], kept[i:]
        self._columns = {name: column for name, column in self._columns.items() if column[0]}
        self.rewinds.append(step)


def _append(steps: list[int], values: list[Any], step: int, value: Any) -> None:
    """Append a value, or replace the one of the same step."""
    if steps and steps[-1] == step:
        values[-1] = value
    else:
        steps.append(step)
        values.append(value)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, np.ndarray):
        return f"array {value.shape}"
    return str(value)
