"""Read the file of a tracker, whole or as it grows; a line that is torn is left out with a warning."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

from shld_sim.tracking.log import Log
from shld_sim.tracking.values import decoded, decoded_tree

FORMAT = "shld_sim log 1"
START = b'{"format":"shld_sim log '  # of the first line, whatever the version


class Reader:
    """A log that follows its file: each `update` takes up what has been written since.

    Parameters
    ----------
    path : path-like
        File that a `Tracker` writes.

    Attributes
    ----------
    log : Log
        What has been read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.log = Log()
        self._end = 0  # of the last whole line
        self._lines = 0
        self._rest = b""
        self._first = b""

    def update(self) -> int:
        """Take up new lines; a last line without its end waits for it. A file that was written anew is read anew.

        Returns
        -------
        int
            Number of lines taken up.

        Raises
        ------
        ValueError
            If the file is no log of this format.
        OSError
            If the file cannot be read.
        """
        lines, skipped = self._update()
        self._warn(skipped, 3)
        return lines

    def _update(self) -> tuple[int, list[int]]:
        """Return the number of lines taken up and the numbers of the lines that make no sense."""
        with open(self.path, "rb") as file:
            # the first line names the moment at which the file was begun
            if file.read(len(self._first)) != self._first or os.fstat(file.fileno()).st_size < self._end:
                self.log, self._end, self._lines, self._first = Log(), 0, 0, b""
            file.seek(self._end)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        if self._end == 0:
            self._check_start(whole or text, bool(whole))
            self._first = whole[: whole.find(b"\n") + 1]
        self._end += len(whole)
        self._rest = text[len(whole) :]
        skipped = []
        lines = whole.splitlines()
        for line in lines:
            self._lines += 1
            if line.strip() and not self._take(line):
                skipped.append(self._lines)
        return len(lines), skipped

    def _check_start(self, text: bytes, whole: bool) -> None:
        first = text.split(b"\n", 1)[0]
        if whole:
            try:
                header = json.loads(first)
            except ValueError:
                header = None
            if isinstance(header, dict) and header.get("format") == FORMAT:
                return
        elif START.startswith(first[: len(START)]):  # killed while it wrote its first line
            return
        shown = first[:60].decode("utf-8", "replace")
        raise ValueError(f"path must be a file of Tracker, {FORMAT!r}, got {str(self.path)!r}, which begins {shown!r}")

    def _take(self, line: bytes) -> bool:
        """Apply a line to the log; return whether it made sense."""
        try:
            record: Any = json.loads(line)
            if "format" in record:
                self.log.metadata.update(decoded_tree(record["metadata"]))
            elif "rewind" in record:
                self.log._forget_from(int(record["rewind"]))
            else:
                step, time = record["step"], float(record["time"])
                values = {str(name): decoded(value) for name, value in record["values"].items()}
                last = self.log.last_step
                if not isinstance(step, int) or (last is not None and step < last):
                    return False
                self.log._add(step, time, values)
        except (ValueError, KeyError, TypeError, AttributeError):
            return False
        return True

    def _finish(self, level: int) -> bool:
        """Take up a last line that is whole but for its end; warn if it is torn and return whether it is."""
        if not self._rest or self._take(self._rest):
            return False
        warnings.warn(
            f"{self.path.name}: the last line is torn, its {len(self._rest)} bytes are left out", stacklevel=level
        )
        return True

    def _warn(self, skipped: list[int], level: int) -> None:
        if skipped:
            more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
            warnings.warn(
                f"{self.path.name}: line {skipped[0]}{more} is no record of a log, left out", stacklevel=level
            )


def read_log(path: str | os.PathLike[str]) -> Log:
    """Read the file of a tracker, also while it grows or after its program was killed.

    Parameters
    ----------
    path : path-like
        File that a `Tracker` wrote.

    Returns
    -------
    Log
        What was recorded.

    Raises
    ------
    ValueError
        If the file is no log of this format.
    OSError
        If it cannot be read.

    Warns
    -----
    UserWarning
        If a line is torn or no record; it is left out.
    """
    reader = Reader(path)
    _, skipped = reader._update()
    reader._warn(skipped, 3)
    reader._finish(3)
    return reader.log
