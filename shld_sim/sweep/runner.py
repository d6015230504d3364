"""Hands points to an executor, takes back what becomes of them, and survives the death of workers."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import threading
import types
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from typing import Any

from shld_sim._work import thread_count
from shld_sim.sweep.result import PointError
from shld_sim.sweep.workers import call, ignore_interrupts, load, portable

WINDOW = 10_000  # points handed to a given executor at a time


class Run:
    """Hands points to an executor, takes their results as they come, and gives failed ones another chance."""

    def __init__(
        self,
        function: Callable[..., Any],
        calls: dict[int, dict[str, Any]],
        done: Callable[[int, Any], None],
        executor: Executor | None,
        retries: int,
        tick: Callable[[], None],
    ) -> None:
        from concurrent.futures import ProcessPoolExecutor

        self.own = executor is None
        self.function = portable(function) if self.own or isinstance(executor, ProcessPoolExecutor) else function
        self.calls, self.done, self.retries, self.tick = calls, done, retries, tick
        self.errors: dict[int, PointError] = {}
        self.attempts = dict.fromkeys(calls, 0)
        self.waiting, self.alone = deque(calls), deque[int]()
        self.outstanding: dict[Future[Any], int] = {}
        self.arrived: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self.workers = min(thread_count(None), len(calls))
        self.executor = executor
        self.label = uuid.uuid4().hex

    def go(self) -> bool:
        """Run to the end; return whether Ctrl-C ended it before."""
        finished = False
        try:
            with interrupts_raise():
                try:
                    self._loop()
                    finished = True
                    return False
                except KeyboardInterrupt:
                    for future in list(self.outstanding):
                        future.cancel()
                    for future in self._finished():
                        self._take(future)
                    return True
        finally:
            if not finished:
                for future in self.outstanding:
                    future.cancel()
            if self.own and self.executor is not None:
                self._close(self.executor, finished)

    def _loop(self) -> None:
        if self.executor is None:
            self.executor = self._pool()
        while self.waiting or self.alone or self.outstanding:
            # Few points are under way in the own pool, so that it is known which ones a dying worker may have killed.
            room = 1 if self.alone else self.workers if self.own else WINDOW
            source = self.alone or self.waiting
            if source and len(self.outstanding) < room:
                self._submit(source)
                with contextlib.suppress(queue.Empty):
                    while True:
                        self._receive(self.arrived.get_nowait())
            elif self.outstanding:
                self._receive(self.arrived.get())

    def _submit(self, source: deque[int]) -> None:
        assert self.executor is not None
        i = source[0]
        label = f"{self.label}-{i}-{self.attempts[i]}"
        try:
            future = self.executor.submit(call, self.function, self.calls[i], os.getpid(), label)
        except BrokenExecutor as error:
            self._broken(error)
            return
        source.popleft()
        self.outstanding[future] = i
        future.add_done_callback(self.arrived.put)

    def _receive(self, future: Future[Any]) -> None:
        if future not in self.outstanding:
            return
        error = None if future.cancelled() else future.exception()
        if isinstance(error, BrokenExecutor):
            self._broken(error)
        else:
            self._take(future)

    def _take(self, future: Future[Any]) -> None:
        """Record what became of a point."""
        i = self.outstanding[future]
        try:
            kind, result = future.result()
        except Exception as error:  # lost on the way: the executor's own trouble
            kind, result = "error", (type(error).__name__, str(error), "")
        if kind == "value":
            self.done(i, result)
        else:
            self._failed(i, *result)
        del self.outstanding[future]
        self.tick()

    def _finished(self) -> list[Future[Any]]:
        """Return the calls that have come back and wait to be taken."""
        return [f for f in self.outstanding if f.done() and not f.cancelled() and f.exception() is None]

    def _failed(self, i: int, kind: str, message: str, trace: str) -> None:
        self.attempts[i] += 1
        if self.attempts[i] <= self.retries:
            (self.alone if kind == "BrokenProcessPool" else self.waiting).append(i)
        else:
            self.errors[i] = PointError(kind, message, self.attempts[i], trace)

    def _broken(self, error: BrokenExecutor) -> None:
        """A worker died and took the executor with it: start another, and find out whose fault it was."""
        wait(self.outstanding, timeout=60.0)
        for future in self._finished():
            self._take(future)
        suspects = list(self.outstanding.values())
        self.outstanding.clear()
        message = "a worker process ended abruptly (killed, out of memory, or os._exit)"
        if not self.own:
            for i in [*suspects, *self.alone, *self.waiting]:
                self.attempts[i] += 1
                reason = f"the given executor is broken, {error}"
                self.errors[i] = PointError(type(error).__name__, reason, self.attempts[i])
            self.alone.clear()
            self.waiting.clear()
            self.tick()
            return
        if len(suspects) == 1:
            self._failed(suspects[0], "BrokenProcessPool", message, "")
        else:
            self.alone.extend(suspects)
        self.tick()
        assert self.executor is not None
        self._close(self.executor, False)
        self.executor = self._pool() if self.alone or self.waiting else None

    def _pool(self) -> Executor:
        """Return a pool whose workers have been seen to start and to find the function."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(self.workers, context, ignore_interrupts)
        try:
            with interrupts_wait():
                trial = pool.submit(load, pickle.dumps(self.function))
            problem = trial.result()
        except BrokenExecutor:
            self._close(pool, False)
            raise RuntimeError(
                'worker processes cannot start: a script must call sweep under `if __name__ == "__main__":`, '
                "and its top level must run in a worker without errors"
            ) from None
        except BaseException:
            self._close(pool, False)
            raise
        if problem:
            self._close(pool, True)
            raise TypeError(f"function must be one that worker processes can import, got {self.function!r}: {problem}")
        return pool

    def _close(self, pool: Executor, finished: bool) -> None:
        processes = dict(getattr(pool, "_processes", None) or {})
        pool.shutdown(wait=finished, cancel_futures=True)
        if not finished:  # points under way are given up
            for process in processes.values():
                process.terminate()
            for process in processes.values():
                process.join(5.0)


@contextlib.contextmanager
def interrupts_raise() -> Iterator[None]:
    """Let Ctrl-C raise here, also while a simulation in this thread would rather end by itself and return a part."""
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Block Ctrl-C for a moment: processes started meanwhile stay deaf to it, from their first instruction on."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
