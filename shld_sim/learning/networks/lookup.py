"""One-hot inputs without their matrices: a product with a one-hot vector is a row of a table, its transpose a sum by symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray


def symbols(inputs: ArrayLike, n_symbols: int, slots: int) -> NDArray[np.int64]:
    """Return inputs as symbols of shape (n, slots), or raise naming ``inputs``."""
    x = np.asarray(inputs)
    if x.ndim != 2 or x.shape[1] != slots or not np.issubdtype(x.dtype, np.integer):
        raise ValueError(f"inputs must be whole numbers of shape (n, {slots}), got {x.dtype} of shape {x.shape}")
    if len(x) and (x.min() < 0 or x.max() >= n_symbols):
        raise ValueError(f"inputs must be symbols from 0 to {n_symbols - 1}, got {x.min()} to {x.max()}")
    return x


def look_up(tables: Any, x: NDArray[np.int64], out: Any, spare: Any) -> Any:
    """Write the sum over slots s of ``tables[s, x[:, s]]`` to ``out``; ``spare`` has the same shape."""
    # mode="clip" lets NumPy write to `out` without a copy; the symbols are in range
    np.take(tables[0], x[:, 0], axis=0, out=out, mode="clip")
    for s in range(1, x.shape[1]):
        out += np.take(tables[s], x[:, s], axis=0, out=spare, mode="clip")
    return out


@njit(cache=True, nogil=True)
def collect(rows, x, tables):  # type: ignore[no-untyped-def]
    """Add row i of ``rows`` to ``tables[s, x[i, s]]`` for every slot s: the transpose of `look_up`."""
    for i in range(x.shape[0]):
        for s in range(x.shape[1]):
            row, total = rows[i], tables[s, x[i, s]]
            for j in range(row.size):
                total[j] += row[j]


def collect_each(rows: Any, x: NDArray[np.int64], tables: Any) -> None:
    """Add row i of ``rows`` to ``tables[i, s, x[i, s]]`` for every slot s: `collect`, one example at a time."""
    each = np.arange(len(x))
    for s in range(x.shape[1]):
        tables[each, s, x[:, s]] += rows
