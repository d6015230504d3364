"""The command line: shld-sim verify | simulate | escape | claims | track | figures | info."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from shld_sim.cli.output import INTERRUPTED, OK, WRONG, one_line, warnings_in_one_line
from shld_sim.cli.parser import make_parser

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments. Default: those of the process.

    Returns
    -------
    int
        0 when all went well, 1 when a claim came to no verdict, 2 for an error in what was asked, 130 after Ctrl-C.
    """
    try:
        arguments = make_parser().parse_args(argv)
    except SystemExit as leave:
        return int(leave.code or 0)
    from shld_sim.results import DivergenceError  # no more than NumPy, which every command needs

    try:
        with warnings_in_one_line():
            status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        sys.stderr.write("shld-sim: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, `head` perhaps, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (ValueError, TypeError, MemoryError, OSError, DivergenceError) as error:
        sys.stderr.write(f"shld-sim: error: {one_line(str(error) or type(error).__name__)}\n")
        return WRONG
