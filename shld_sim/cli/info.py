"""shld-sim info: versions, threads, and the cache of compiled code."""

from __future__ import annotations

import importlib.util
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shld_sim._version import __version__
from shld_sim.cli.output import OK


def info(arguments: Any) -> int:
    from shld_sim._work import thread_count

    def version_of(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "not installed" if importlib.util.find_spec(name) is None else "installed"

    cache, size = cache_of()
    rows = [("shld_sim", __version__), ("python", platform.python_version())]
    rows += [(name, version_of(name)) for name in ("numpy", "scipy", "numba", "matplotlib")]
    rows += [(f"{name} (optional)", version_of(name)) for name in ("tqdm", "sympy", "dask")]
    rows += [("threads", str(thread_count(None))), ("cache", str(cache)), ("cache size", f"{size / 2**20:.1f} MiB")]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name.ljust(width)}  {value}" for name, value in rows))
    return OK


def cache_of() -> tuple[Path, int]:
    """Return the directory in which Numba keeps the compiled kernels, and the size of what is in it."""
    import shld_sim
    from shld_sim.engine import streams

    package = Path(shld_sim.__file__).parent
    stats = getattr(streams.start_states, "stats", None)
    place = Path(getattr(stats, "cache_path", None) or package)
    inside = place.is_relative_to(package)  # beside the sources, one __pycache__ for each folder
    home = package if inside else place.parent
    size = sum(path.stat().st_size for path in home.rglob("*.nb[ci]"))
    return home, size
