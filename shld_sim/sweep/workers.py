"""What runs in the workers of a sweep, and how a function gets there."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import pickle
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from shld_sim._compile import plain
from shld_sim.sweep.points import name_of


def call(function: Callable[..., Any], arguments: dict[str, Any], home: int, attempt: str) -> tuple[str, Any]:
    """Return ("value", value) or ("error", (kind, message, traceback)). ``attempt`` makes every call a different one."""
    with _deaf_to_interrupts() if os.getpid() != home else contextlib.nullcontext():
        try:
            return "value", plain_result(function(**arguments))
        except (Exception, SystemExit) as error:
            return "error", (type(error).__name__, str(error), traceback.format_exc())


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Leave Ctrl-C, which a terminal sends to all its processes, to the process that sweeps.

    Otherwise a simulation would end early and pass for a finished one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def plain_result(value: Any) -> Any:
    """Return what the function returned as Python numbers, arrays, or a dict of them."""
    if isinstance(value, Mapping):
        if not value or not all(isinstance(name, str) for name in value):
            raise TypeError(f"function must return a dict with names as keys, got {value!r}")
        return {name: plain_number(item) for name, item in value.items()}
    return plain_number(value)


def plain_number(value: Any) -> Any:
    array = np.asarray(value)
    if array.dtype.kind not in "biufc":
        raise TypeError(f"function must return a number, an array or a dict of them, got {value!r}")
    return array.item() if array.ndim == 0 else array


def ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def load(blob: bytes) -> str:
    """Try in a worker whether it finds the function; return what is wrong."""
    try:
        pickle.loads(blob)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


class FromFile:
    """A function of a file that no import would find, as of a script loaded by its path; workers load the file too."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name

    def __call__(self, **arguments: Any) -> Any:
        return getattr(_module_of(self.path), self.name)(**arguments)


@functools.cache
def _module_of(path: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(f"_sweep_{Path(path).stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def portable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return ``function``, or a stand-in, that pickle can send to other processes."""
    try:
        pickle.dumps(function)
        return function
    except Exception as error:
        code = getattr(plain(function), "__code__", None)
        name = getattr(function, "__qualname__", "")
        if code is not None and name.isidentifier() and name != "<lambda>" and os.path.isfile(code.co_filename):
            if function.__module__ not in sys.modules:
                return FromFile(os.path.abspath(code.co_filename), name)
        raise TypeError(
            f"function must be defined at the top level of a module or script to reach other processes, got "
            f"{name_of(function)}: give it a name there by def, or use a ThreadPoolExecutor ({error})"
        ) from None
