"""One-hot inputs without their matrices: a product with a one-hot vector is a row of a table, its transpose a sum by symbol."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

SMALL = 500_000  # multiplications up to which a full matrix is faster than a sparse one


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


def collect(rows: Any, x: NDArray[np.int64], tables: Any) -> None:
    """Add row i of ``rows`` to ``tables[s, x[i, s]]`` for every slot s: the transpose of `look_up`."""
    slots, n_symbols, width = tables.shape
    places, size = x + n_symbols * np.arange(slots), slots * n_symbols
    flat = tables.reshape(size, width)
    one_hot: Any
    if len(x) * size * width <= SMALL:
        one_hot = np.zeros((len(x), size))
        one_hot[np.arange(len(x))[:, None], places] = 1.0
    else:
        ends = np.arange(0, places.size + 1, slots)
        one_hot = sparse.csr_matrix((np.ones(places.size), places.ravel(), ends), shape=(len(x), size))
    flat += one_hot.T @ rows


def collect_each(rows: Any, x: NDArray[np.int64], tables: Any) -> None:
    """Add row i of ``rows`` to ``tables[i, s, x[i, s]]`` for every slot s: `collect`, one example at a time."""
    each = np.arange(len(x))
    for s in range(x.shape[1]):
        tables[each, s, x[:, s]] += rows
