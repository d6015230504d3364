"""Share compiled work among threads in pieces of bounded length, so that progress, Ctrl-C and checks fit in between."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from shld_sim import _checks

PIECE = 0.2  # seconds that a piece of work should take
MOST = 10**9  # of anything in a piece


def thread_count(n_threads: int | None) -> int:
    """Return ``n_threads``, else what the environment's SHLD_SIM_NUM_THREADS says, else the processors of this process."""
    if n_threads is not None:
        return _checks.integer("n_threads", n_threads)
    said = os.environ.get("SHLD_SIM_NUM_THREADS")
    if said:
        if not said.isdecimal() or int(said) == 0:
            raise ValueError(f"SHLD_SIM_NUM_THREADS must be a whole number of at least 1, got {said!r}")
        return int(said)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Team:
    """Threads that run calls side by side. Inside its context Ctrl-C is remembered; a second one interrupts at once."""

    def __init__(self, n_threads: int) -> None:
        self.pool = ThreadPoolExecutor(n_threads)
        self.interrupted = False
        self.previous: Any = None

    def __enter__(self) -> Team:
        handler = signal.getsignal(signal.SIGINT)
        if handler is signal.default_int_handler and threading.current_thread() is threading.main_thread():
            self.previous = signal.signal(signal.SIGINT, self._remember)
        return self

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.previous is not None:
            signal.signal(signal.SIGINT, self.previous)
        self.pool.shutdown(wait=True)

    def run(self, calls: Iterable[Callable[[], Any]]) -> list[Any]:
        """Run the calls and return their results in order."""
        return [future.result() for future in [self.pool.submit(call) for call in calls]]


class Pace:
    """Chooses how much work to do at a time, from how long the last piece took."""

    def __init__(self, first: int) -> None:
        self.amount = first
        self.start = time.perf_counter()

    def begin(self) -> int:
        """Return the amount for the next piece and start its clock."""
        self.start = time.perf_counter()
        return self.amount

    def end(self) -> None:
        """Adjust the amount after a piece, by at most a factor of 4."""
        taken = max(time.perf_counter() - self.start, 1e-6)
        # A piece may be cut short for other reasons and look quick each time: the amount must stay bounded.
        self.amount = min(MOST, max(2, int(self.amount * min(4.0, max(0.25, PIECE / taken)))))


def cuts(n_paths: int, n_threads: int, block: int) -> list[tuple[int, int]]:
    """Return ranges of paths, one per thread, cut between blocks."""
    blocks = -(-n_paths // block)
    edges = np.unique(np.linspace(0, blocks, min(n_threads, blocks) + 1).astype(int)) * block
    return [(int(a), int(min(b, n_paths))) for a, b in itertools.pairwise(edges)]


def check_memory(what: str, size: int, advice: str) -> None:
    """Raise MemoryError when ``size`` bytes are more than the machine has free."""
    free = free_memory()
    if free is not None and size > 0.9 * free:
        raise MemoryError(f"{what} take {size / 2**30:.1f} GiB, but {free / 2**30:.1f} GiB are free: {advice}")


def check_disk(what: str, path: str, size: int, advice: str) -> None:
    """Raise OSError when ``size`` bytes are more than the file system of ``path`` has free."""
    try:
        free = shutil.disk_usage(os.path.dirname(os.path.abspath(path))).free
    except OSError:
        return
    if size > free:
        need = f"{what} take {size / 2**30:.1f} GiB, but {free / 2**30:.1f} GiB are free where store={path!r} lies"
        raise OSError(errno.ENOSPC, f"{need}: {advice}")


def free_memory() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
