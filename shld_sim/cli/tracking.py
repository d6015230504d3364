"""shld-sim track: the last steps of a training, what they say, a figure; and the same while it runs."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from shld_sim import _checks
from shld_sim.cli.output import OK, check_target

if TYPE_CHECKING:
    from shld_sim.tracking import Log, Reader

CALM = 5.0  # seconds between two figures, at least


def track(arguments: Any) -> int:
    """Print the table, the advice and the figure of a log; with --follow go on until Ctrl-C."""
    rows = _checks.integer("rows", arguments.rows)
    pause = _checks.positive("interval", arguments.interval)
    columns = None if arguments.columns is None else [name.strip() for name in arguments.columns.split(",")]
    if arguments.output:
        check_target(arguments.output, picture=True)
    from shld_sim.tracking import Reader, read_log

    if not arguments.follow:
        log = read_log(arguments.file)
        print(log.table(rows, columns) if len(log) else f"{os.fspath(arguments.file)}: no step yet")
        if log.advice():
            print(f"\n{log.advice()}")
        if arguments.output:
            log.plot(arguments.output, columns=columns)
            print(f"figure: {arguments.output}")
        return OK
    followed = Follower(Reader(arguments.file), rows, columns, arguments.output)
    try:
        while True:
            text = followed.look()
            if text:
                print(text, flush=True)
            time.sleep(pause)
    except KeyboardInterrupt:  # the way to end it
        print(flush=True)
    return OK


class Follower:
    """Says what is new in a growing log: steps, headings when names appear, advice when it changes; and draws it."""

    def __init__(self, reader: Reader, rows: int, columns: list[str] | None, output: str | None) -> None:
        self.reader, self.rows, self.columns, self.output = reader, rows, columns, output
        self._log: Log | None = None
        self._rewinds = 0
        self._names: list[str] = []
        self._step = -1
        self._guide = ""
        self._drawn, self._fresh = -CALM, False

    def look(self) -> str:
        """Read what was written since the last look; return what there is to say of it."""
        if self.reader.update():
            self._fresh = True
        log, said = self.reader.log, []
        if log is not self._log:  # the file was written anew
            self._log, self._rewinds, self._step = log, len(log.rewinds), -1
        for step in log.rewinds[self._rewinds :]:
            said.append(f"-- back to step {step} --")
            self._step = min(self._step, step - 1)
        self._rewinds = len(log.rewinds)
        new = [int(step) for step in log.series("time")[0] if step > self._step]
        if new:
            said += self._rows(log, new[-self.rows :] if self._step < 0 else new)
            self._step = new[-1]
            advice = log.advice()
            guide = advice.partition("guide:")[2].partition(" (")[0]
            if guide != self._guide:
                self._guide = guide
                said.append(f"-- {advice} --")
        if self.output and self._fresh and log.numbers() and time.monotonic() - self._drawn >= CALM:
            wanted = None if self.columns is None else _there(log, self.columns)
            log.plot(self.output, columns=wanted or None)
            self._drawn, self._fresh = time.monotonic(), False
        return "\n".join(said)

    def _rows(self, log: Log, steps: list[int]) -> list[str]:
        """Return lines of the table, under a heading if its names are new; widths stay, so that all lines are in line."""
        names = log.columns_of(self.columns if self.columns is None else _there(log, self.columns))
        lines = [log.row(step, names) for step in steps]
        if names != self._names:
            self._names = names
            lines[:0] = [["step", *names], ["-" * width for width in self._widths()]]
        widths = self._widths()
        return ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]

    def _widths(self) -> list[int]:
        return [max(len(name), 13 if name in ("phase", "state") else 9) for name in ("step", *self._names)]


def _there(log: Log, columns: list[str]) -> list[str]:
    """Return the names asked for that are there so far."""
    return [name for name in columns if name in log.names]
