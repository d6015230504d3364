"""Stores: saved rows in a file of NumPy's .npy, and beside it an archive with the state to go on from."""

from __future__ import annotations

import dataclasses
import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shld_sim.models import Model
from shld_sim.results.archives import read_archive, write_archive
from shld_sim.results.ensemble import Ensemble, pack, unpack

Array = NDArray[np.float64]
STORE_FORMAT = "shld_sim store 1"
NPY_HEADER = 128  # bytes before the rows of a store


def state_path(path: str | os.PathLike[str]) -> str:
    """Return the name of the archive beside a store."""
    return os.fspath(path) + ".state.npz"


def row_count(n_steps: int, save_every: int | None) -> tuple[int, int]:
    """Return the number of rows at multiples of ``save_every``, and of those (0 or 1) kept only for being the end."""
    if save_every is None:
        return 0, 1
    return n_steps // save_every + 1, int(n_steps % save_every > 0)


def saved_steps(n_steps: int, save_every: int | None) -> NDArray[np.int64]:
    """Return the numbers of the saved steps."""
    rows, extra = row_count(n_steps, save_every)
    return np.append(np.arange(rows) * (save_every or 0), [n_steps] * extra).astype(np.int64)


def npy_header(rows: int, n_paths: int, width: int) -> bytes:
    """Return the beginning of an .npy file; its length does not depend on the number of rows."""
    buffer = io.BytesIO()
    shape = (rows, n_paths) if width == 1 else (rows, n_paths, width)
    descr = np.lib.format.dtype_to_descr(np.dtype(np.float64))
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    header = buffer.getvalue()
    # The text ends with a line feed after blanks: more of them put the rows where they are expected.
    size = NPY_HEADER - 10
    return header[:8] + size.to_bytes(2, "little") + header[10:].rstrip().ljust(size - 1) + b"\n"


def write_checkpoint(path: str, run: Ensemble, state: Array, planned: int, start: str) -> None:
    """Write the archive beside a store: ``state`` of all paths, and the run but for its rows."""
    header, arrays = pack(run)
    for name in ("t", "x", "momenta", "last"):
        arrays.pop(name, None)
    header = {"format": STORE_FORMAT, "planned": planned, "start": start, **header}
    write_archive(Path(state_path(path)), header, {**arrays, "state": state})


def open_store(path: str | os.PathLike[str], model: Model | None = None, name: str = "path") -> tuple[Ensemble, str]:
    """Return the run of a store, and what tells its start from others; ``name`` is the argument to blame."""
    path = os.fspath(path)
    header, arrays = read_archive(state_path(path), STORE_FORMAT)
    if header is None:
        raise ValueError(f"{name} must be a file written by simulate(store=...), got {path!r}")
    planned, start, state = header.pop("planned"), header.pop("start"), arrays.pop("state")
    done, every = header["n_steps"], header["save_every"]
    rows, extra = row_count(done, every)
    n, width = state.shape
    try:
        x: Array = np.memmap(path, np.float64, "r", NPY_HEADER, (rows + extra, n, width))
    except ValueError:
        raise ValueError(f"{name} must be a whole store, got {path!r}, which is shorter than its state says") from None
    steps, last = saved_steps(done, every), None
    if extra and x[-1].tobytes() != state.tobytes():  # killed after going on from here: the row was written over
        if rows:
            x, steps, last = x[:rows], steps[:rows], state
        else:
            x = state[None]
    if done < planned and not header["stopped"]:
        header.update(interrupted=True, stopped="interrupted")
    run = unpack({**header, "store": path}, {**arrays, "t": header["dt"] * steps, "x": x, "last": last}, model)
    dim = run.model.dim
    x.flags.writeable = False
    momenta = None
    if width > dim:
        momenta = x[..., 1] if dim == 1 else x[..., dim:]
    return dataclasses.replace(run, x=x[..., 0] if dim == 1 else x[..., :dim], momenta=momenta), start
