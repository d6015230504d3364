"""Mean exit time of a one-dimensional diffusion whose drift and noise are given as tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]


def tabulated_exit_time(x: ArrayLike, drift: ArrayLike, variance: ArrayLike) -> Array:
    r"""Return the mean time to reach the last point of a table, from each of its points, for ``dX = b dt + sqrt(a) dW`` (Ito).

    With a mirror at the first point,

    .. math:: T(x) = \int_x^{x_m} dy\,e^{\Phi(y)} \int_{x_0}^y \frac{2\,dz}{a(z)}\,e^{-\Phi(z)},\quad \Phi' = -2b/a,

    by the trapezoidal rule, carried from point to point without exponentials of Phi itself: error of second order in the spacing.

    Parameters
    ----------
    x : array_like, shape (m,)
        Points, ascending; the first so far out that paths hardly get there, or a mirror.
    drift : array_like, shape (m,)
        ``b``.
    variance : array_like, shape (m,)
        ``a``, positive: the square of the noise, twice the diffusion constant.

    Returns
    -------
    ndarray, shape (m,)
        Mean times, 0 at the end.

    Raises
    ------
    ValueError
        If the shapes differ, points do not ascend, or a variance is not positive.

    References
    ----------
    Gardiner, Stochastic Methods, 4th ed., Springer 2009, section 5.5.
    """
    points, b, a = (_checks.finite_array(name, v) for name, v in (("x", x), ("drift", drift), ("variance", variance)))
    if points.ndim != 1 or len(points) < 2 or not points.shape == b.shape == a.shape:
        raise ValueError(f"x, drift, variance must be lists of one length, got {points.shape}, {b.shape}, {a.shape}")
    step = np.diff(points)
    if np.any(step <= 0.0):
        raise ValueError(f"x must ascend, got steps down to {float(step.min())!r}")
    if np.any(a <= 0.0):
        raise ValueError(f"variance must be positive, got {float(a.min())!r}")
    force = -2.0 * b / a
    rise = 0.5 * step * (force[1:] + force[:-1])
    inner = np.zeros_like(points)
    # J(y) = e^Phi(y) int^y 2/a e^-Phi: J_{i+1} = e^rise (J_i + h/a_i) + h/a_{i+1}
    for i, (h, up) in enumerate(zip(step, np.exp(rise), strict=True)):
        inner[i + 1] = up * (inner[i] + h / a[i]) + h / a[i + 1]
    parts = 0.5 * step * (inner[1:] + inner[:-1])
    return np.append(np.cumsum(parts[::-1])[::-1], 0.0)
