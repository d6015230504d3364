"""Progress of long work on stderr: tqdm where it is installed, a plain line otherwise, nothing off a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType

DELAY = 2.0  # seconds before anything is shown


class Progress:
    """Shows how much of ``total`` is done; a context manager.

    Parameters
    ----------
    total : float
        Amount of work.
    label : str
        What is being done.
    shown : bool or None
        Whether to show; None shows on a terminal, for work longer than two seconds.
    """

    def __init__(self, total: float, label: str, shown: bool | None = None) -> None:
        self.total, self.label = total, label
        self.shown = sys.stderr.isatty() if shown is None else shown
        self.start = time.monotonic()
        self.last = 0.0
        self.bar = None

    def __enter__(self) -> Progress:
        if self.shown:
            try:
                from tqdm import tqdm

                form = "{l_bar}{bar}| {elapsed}<{remaining}"
                self.bar = tqdm(total=self.total, desc=self.label, delay=DELAY, leave=False, bar_format=form)
            except ImportError:
                pass
        return self

    def update(self, done: float) -> None:
        """Say that ``done`` of the total is done."""
        if not self.shown:
            return
        if self.bar is not None:
            self.bar.update(done - self.bar.n)
            return
        now = time.monotonic()
        if now - self.start > DELAY and now - self.last > 0.5:
            self.last = now
            left = (now - self.start) * (self.total / done - 1.0) if done > 0 else float("inf")
            sys.stderr.write(f"\r{self.label}: {100 * done / self.total:3.0f} %, {left:.0f} s left   ")
            sys.stderr.flush()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.last:
            sys.stderr.write("\r" + " " * 60 + "\r")
