"""Compile functions that are put together at run time, and keep the code on disk under a digest of what they compute."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable
from typing import Any

import numpy as np

# Flags of all code that calls users' functions. Without nnan and ninf, so that divergence can be seen; without reassoc, which
# would undo the rounding tricks of `engine.elementary`. The same everywhere: Numba compiles the helper behind x**3 once a
# process, with the flags of whoever needs it first, and with other flags the bits of a path would depend on that.
OPTIONS = {"fastmath": {"nsz", "arcp", "contract", "afn"}, "error_model": "numpy", "nogil": True}
LIBRARIES = {"math", "numba", "numpy", "scipy"}


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the Python function behind ``function``, which may already be compiled by Numba."""
    return getattr(function, "py_func", function)


def rebound(
    function: Callable[..., Any], namespace: dict[str, Any], closure: tuple[Any, ...] | None = None
) -> Callable[..., Any]:
    """Return a copy of ``function`` whose global names are looked up in ``namespace``."""
    copy = types.FunctionType(
        function.__code__,
        namespace,
        function.__name__,
        function.__defaults__,
        function.__closure__ if closure is None else closure,
    )
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return copy


def prepared(
    function: Callable[..., Any],
    register: Callable[[Callable[..., Any]], Any],
    replace: Callable[[Any], Any] = lambda value: None,
) -> Any:
    """Return a copy of ``function`` that compiled code can call, with all that it calls; the original stays as it is.

    Plain Python functions among its global names and in its closure are prepared likewise. ``register`` makes a function
    known to Numba. ``replace(value)`` gives what should stand in place of an object that is named; None leaves it.
    """

    def substitute(named: Any) -> Any:
        value = plain(named)
        other = replace(value)
        if other is not None:
            return other
        ours = isinstance(value, types.FunctionType) and value is not function
        return prepared(value, register, replace) if ours else named

    namespace = dict(function.__globals__)
    for name in _names_used(function.__code__) & namespace.keys():
        namespace[name] = substitute(namespace[name])
    cells = function.__closure__ and tuple(types.CellType(substitute(c.cell_contents)) for c in function.__closure__)
    copy = rebound(function, namespace, cells)
    copy.__module__ = __name__  # code from the disk cache imports the module of what it calls; the user's may be gone
    return register(copy)


def _names_used(code: types.CodeType) -> set[str]:
    return set(code.co_names).union(*(_names_used(c) for c in code.co_consts if isinstance(c, types.CodeType)))


def specialised(template: Callable[[str], Callable[..., Any]], options: dict[str, Any], **names: Any) -> Any:
    """Compile ``template(key)`` with the given global ``names`` by ``numba.njit(**options)``, cached on disk.

    ``template`` returns a function that refers to its argument ``key`` and to the ``names``. Numba's file cache keys on
    the bytecode and the closure, and cannot see what the names stand for; so the closure holds the fingerprint of the
    finished function, everything it calls included. A process that meets the same function again finds its code.
    """
    from numba import njit

    draft = template("")
    namespace = {**draft.__globals__, **{name: plain(value) for name, value in names.items()}}
    key = fingerprint(rebound(draft, namespace))
    return njit(cache=True, **options)(rebound(draft, namespace, (types.CellType(key),)))


def fingerprint(function: Callable[..., Any]) -> str:
    """Return a hexadecimal digest of everything that decides what ``function`` computes.

    The digest covers the bytecode, its constants, default arguments, closure cells and the module-level names the code
    refers to, followed through other Python functions. It changes when the source changes in a way that matters, and
    does not need a source file, so functions typed at a prompt have one too.
    """
    digest = hashlib.sha256()
    _feed(digest, plain(function), set())
    return digest.hexdigest()


def _feed(digest: Any, value: Any, seen: set[int]) -> None:
    """Add ``value`` to the digest; functions are opened up, other objects are named by type and value."""
    if isinstance(value, types.FunctionType):
        if id(value) in seen:
            return
        seen.add(id(value))
        _feed_code(digest, value.__code__, value.__globals__, seen)
        _feed(digest, value.__defaults__, seen)
        _feed(digest, tuple(sorted((value.__kwdefaults__ or {}).items())), seen)
        for cell in value.__closure__ or ():
            _feed(digest, plain(cell.cell_contents), seen)
    elif isinstance(value, types.ModuleType):
        digest.update(value.__name__.encode())
    elif isinstance(value, np.ndarray):
        digest.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, (tuple, list, frozenset)):
        digest.update(f"{type(value).__name__}{len(value)}".encode())
        for item in sorted(value, key=repr) if isinstance(value, frozenset) else value:
            _feed(digest, plain(item), seen)
    elif isinstance(value, (int, float, complex, str, bytes, type(None), np.generic)):
        digest.update(f"{type(value).__name__}:{value!r};".encode())
    else:
        digest.update(f"{type(value).__module__}.{getattr(value, '__qualname__', type(value).__qualname__)};".encode())


def _feed_code(digest: Any, code: types.CodeType, namespace: dict[str, Any], seen: set[int]) -> None:
    digest.update(f"{code.co_argcount},{code.co_posonlyargcount},{code.co_kwonlyargcount};".encode())
    digest.update(code.co_code)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _feed_code(digest, constant, namespace, seen)  # an inner function sees the same global names
        else:
            _feed(digest, constant, seen)
    for name in code.co_names:
        digest.update(name.encode())
        if name in namespace:
            _feed(digest, plain(namespace[name]), seen)
            _feed_attributes(digest, namespace[name], code.co_names, seen)


def _feed_attributes(digest: Any, module: Any, names: tuple[str, ...], seen: set[int]) -> None:
    """Add what ``module.name`` stands for; installed libraries count by their names alone."""
    if not isinstance(module, types.ModuleType) or module.__name__.partition(".")[0] in LIBRARIES:
        return
    for name in names:
        if name in vars(module) and vars(module)[name] is not module:
            _feed(digest, plain(vars(module)[name]), seen)
            _feed_attributes(digest, vars(module)[name], names, seen)
