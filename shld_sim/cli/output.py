"""What the commands say and how: exit statuses, tables, one-line messages, files that can be written."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

OK, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


def table(names: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = False) -> str:
    """Return a plain table; ``right`` aligns all columns to the right."""
    widths = [max(len(row[i]) for row in (names, *rows)) for i in range(len(names))]
    lines = [names, ["-" * width for width in widths], *rows]
    pad = str.rjust if right else str.ljust
    return "\n".join(
        "  ".join(pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def one_line(message: str) -> str:
    return " ".join(message.split())


def check_target(path: str, picture: bool = False) -> None:
    """Raise before any work is done if ``path`` cannot be written."""
    target = Path(path)
    if picture and target.suffix.lower() not in {".png", ".pdf", ".svg"}:
        raise ValueError(f"a picture must end in .png, .pdf or .svg, got {path!r}")
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {path!r}: it is a directory")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path!r}: there is no directory {str(target.parent)!r}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise PermissionError(f"cannot write {path!r}: permission denied")


@contextmanager
def warnings_in_one_line() -> Iterator[None]:
    """Show warnings as ``shld-sim: warning: ...`` on stderr."""

    def show(message: Warning | str, *rest: Any, **more: Any) -> None:
        sys.stderr.write(f"shld-sim: warning: {one_line(str(message))}\n")

    with warnings.catch_warnings():
        warnings.showwarning = show  # restored by catch_warnings
        yield


def plus_minus(value: float, error: float) -> str:
    """Return ``value +- error`` rounded to two digits of the error."""
    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return f"{value:.4g}" if math.isfinite(value) else "-"
    digits = 1 - math.floor(math.log10(error))
    if not -3 < digits < 8:
        return f"{value:.4g} +- {error:.1g}"
    return f"{value:.{max(digits, 0)}f} +- {error:.{max(digits, 0)}f}"
