"""Richardson's extrapolation: the limit of numbers computed on finer and finer grids, with an estimate of its error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from shld_sim import _checks


class Limit(NamedTuple):
    """An extrapolated value and an estimate of its error.

    Parameters
    ----------
    value, error : float or ndarray
        As returned by `extrapolate`.
    """

    value: Any
    error: Any


def extrapolate(values: ArrayLike, widths: ArrayLike, exponents: Sequence[float] | None = None) -> Limit:
    """Return the limit of ``v(h) = v_0 + a_1 h^{q_1} + a_2 h^{q_2} + ...`` as ``h -> 0``.

    Parameters
    ----------
    values : array_like, shape (m,) or (m, ...)
        Values on ``m`` grids.
    widths : array_like, shape (m,)
        Cell widths ``h`` of these grids, all different; ``m`` at least one more than the exponents.
    exponents : sequence of float, optional
        ``q_1 < q_2 < ...``. Default: one exponent, fitted to the three finest grids (values must be numbers then).

    Returns
    -------
    Limit
        ``value`` and ``error``. The value comes from the finest grids that fix it. The error is its distance from the
        extrapolation with one exponent less; with a single exponent, from the finest value. With a smooth remainder this is
        rather too large.

    Raises
    ------
    ValueError
        If there are too few grids, or three values do not approach a limit.

    References
    ----------
    Richardson, Phil. Trans. R. Soc. A 210 (1911) 307.

    Examples
    --------
    >>> round(extrapolate([1.04, 1.01], [0.2, 0.1], exponents=[2.0]).value, 10)
    1.0
    """
    v, h = _checks.finite_array("values", values), _checks.finite_array("widths", widths)
    if h.ndim != 1 or v.shape[:1] != h.shape:
        raise ValueError(f"values must have one entry per width, got shapes {v.shape} and {h.shape}")
    if not (h > 0.0).all() or np.unique(h).size != h.size:
        raise ValueError(f"widths must be positive and all different, got {h.tolist()!r}")
    order = np.argsort(-h)
    v, h = v[order], h[order]
    if exponents is not None:
        q = np.asarray(exponents, dtype=np.float64)
        if q.ndim != 1 or q.size == 0 or not (q > 0.0).all() or np.unique(q).size != q.size:
            raise ValueError(f"exponents must be positive and all different, got {exponents!r}")
        if h.size < q.size + 1:
            raise ValueError(f"values must be given on {q.size + 1} grids for {q.size} exponents, got {h.size}")
        best, cruder = (_known(v, h, q[:k]) for k in (q.size, q.size - 1))
        return Limit(best[()], np.abs(best - cruder)[()])
    if v.ndim != 1 or v.size < 3:
        raise ValueError(f"values must be at least 3 numbers for a fitted exponent, got shape {v.shape}")
    value = _fitted(v[-3:], h[-3:])
    return Limit(value, abs(value - float(v[-1])))


def _known(v: NDArray[np.float64], h: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``v_0`` through the ``len(q) + 1`` finest values."""
    m = q.size + 1
    powers = (h[-m:, None] / h[-1]) ** np.concatenate([[0.0], q])
    share = np.linalg.solve(powers.T, np.eye(m)[0])
    return np.asarray(np.tensordot(share, v[-m:], axes=1))


def _fitted(v: NDArray[np.float64], h: NDArray[np.float64]) -> float:
    """Return ``v_0`` of ``v_0 + a h^q`` through three values."""
    first, second = float(v[0] - v[1]), float(v[1] - v[2])
    if second == 0.0:
        return float(v[2])

    def misfit(q: float) -> float:
        return (h[0] ** q - h[1] ** q) / (h[1] ** q - h[2] ** q) - first / second

    if misfit(0.05) * misfit(12.0) > 0.0:
        raise ValueError(f"values must approach a limit like a power of the width, got {v.tolist()!r}")
    q = brentq(misfit, 0.05, 12.0)
    return float(v[2] - second / math.expm1(q * math.log(h[1] / h[2])))
