"""The store of a sweep: a directory with one file per finished point, and the digest that tells functions apart."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import types
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from shld_sim._compile import plain
from shld_sim._version import __version__
from shld_sim.sweep.points import name_of
from shld_sim.sweep.workers import plain_number

FORMAT = "shld_sim sweep 1"
HEADER = "sweep.json"


class Store:
    """A directory with a header, ``sweep.json``, and one file per finished point; every file is whole or absent."""

    def __init__(
        self, folder: str | os.PathLike[str], function: Callable[..., Any], seed: dict[str, Any] | None
    ) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        header = {
            "format": FORMAT,
            "version": __version__,
            "function": name_of(function),
            "fingerprint": function_digest(function),
            "seed": seed,
        }
        path = self.folder / HEADER
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            strangers = [entry.name for entry in self.folder.iterdir() if not entry.name.endswith(".partial")]
            if strangers:
                raise ValueError(
                    f"store must be an empty directory or one that sweep made, got {str(folder)!r} with {strangers[0]!r}"
                ) from None
            self._replace(path, json.dumps(header, indent=1).encode())
            return
        except ValueError:
            found = {}
        different = [key for key in header if not isinstance(found, dict) or found.get(key) != header[key]]
        if different:
            key = different[0]
            was = found.get(key) if isinstance(found, dict) else None
            what = "code of the function" if key == "fingerprint" else key
            raise ValueError(
                f"store must be of this sweep, got {str(folder)!r}, whose {what} is another "
                f"({str(was)[:60]!r}, now {str(header[key])[:60]!r}): give a new directory"
            )

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"

    def _replace(self, path: Path, data: bytes) -> None:
        partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
        try:
            partial.write_bytes(data)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)

    def write(self, key: str, value: Any) -> None:
        """Keep the value of the point with canonical ``key``."""
        entries = value if isinstance(value, dict) else {"": value}
        header = {"key": key, "names": list(entries), "dict": isinstance(value, dict)}
        arrays: dict[str, Any] = {f"v{i}": np.asarray(entry) for i, entry in enumerate(entries.values())}
        buffer = io.BytesIO()
        np.savez(buffer, header=np.array(json.dumps(header)), **arrays)
        self._replace(self._path(key), buffer.getvalue())

    def read(self, key: str) -> Any:
        """Return the value of a point, or None when it is not there or not readable."""
        try:
            with open(self._path(key), "rb") as raw, np.load(raw, allow_pickle=False) as file:
                header = json.loads(str(file["header"][()]))
                if header["key"] != key:
                    return None
                entries = {name: plain_number(file[f"v{i}"]) for i, name in enumerate(header["names"])}
            return entries if header["dict"] else entries[""]
        except (FileNotFoundError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
            return None


def function_digest(function: Callable[..., Any]) -> str:
    """Return a digest of the function's code and of what it names in its own module, not of the libraries it calls."""
    digest = hashlib.sha256()
    if isinstance(function, functools.partial):
        digest.update(repr((function.args, sorted(function.keywords.items()))).encode())
        return digest.hexdigest() + function_digest(function.func)
    start = plain(function)
    if not isinstance(start, types.FunctionType):
        start = vars(type(start)).get("__call__", start)
    todo: list[Any] = [start]
    seen: set[int] = set()
    while todo:
        value = plain(todo.pop())
        if not isinstance(value, types.FunctionType) or id(value) in seen:
            continue
        seen.add(id(value))
        digest.update(repr((value.__defaults__, sorted((value.__kwdefaults__ or {}).items()))).encode())
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        named = {f"cell {i}": cell for i, cell in enumerate(cells)}
        codes = [value.__code__]
        for code in codes:
            digest.update(code.co_code + repr(code.co_names).encode())
            for constant in code.co_consts:
                if isinstance(constant, types.CodeType):
                    codes.append(constant)
                else:
                    digest.update(_shown(constant).encode())
            named.update({name: value.__globals__[name] for name in code.co_names if name in value.__globals__})
        for name in sorted(named):
            other = plain(named[name])
            if isinstance(other, types.FunctionType) and other.__module__ == start.__module__:
                todo.append(other)
            digest.update(f"{name}={_shown(other)};".encode())
    return digest.hexdigest()


def _shown(value: Any) -> str:
    """Return a text for a value that is the same in every process."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{value.shape}{value.tobytes().hex()}"
    if isinstance(value, (set, frozenset)):
        return f"set{sorted(map(_shown, value))}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({','.join(map(_shown, value))})"
    if isinstance(value, dict):
        return f"dict({','.join(f'{_shown(k)}:{_shown(v)}' for k, v in value.items())})"
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.generic)):
        return repr(value)
    return str(getattr(value, "__qualname__", getattr(value, "__name__", type(value).__qualname__)))
