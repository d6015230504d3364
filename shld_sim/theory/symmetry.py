"""Noise along symmetry orbits: law of the radius, spreading over the sphere, shrinking imbalance, unions that diffuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.models import Langevin, require
from shld_sim.theory._panels import Panels
from shld_sim.theory._strength import strength

Array = NDArray[np.float64]

_DROP = 100.0  # the law is cut where its logarithm lies this far below the highest value scanned


def _radial(model: Langevin) -> tuple[Panels, Array, float, float]:
    """Return panels, the weight r^(d-1) exp(-V/D) at their nodes, its largest logarithm and its integral."""
    require(model, Langevin)
    V, D = model.potential, strength(model)
    if V.dim < 2:
        raise ValueError(f"potential must have two or more dimensions, got {V!r}")
    turned = np.random.default_rng(0).standard_normal((6, V.dim))
    turned /= np.linalg.norm(turned, axis=1)[:, None]
    axis, places = np.eye(V.dim)[0], np.array([0.3, 0.9, 1.7])
    seen, along = V(places[:, None, None] * turned), V(places[:, None] * axis)
    if not np.allclose(seen, along[:, None], rtol=1e-9, atol=1e-12):
        raise ValueError(f"potential must be the same in every direction, got {V!r}")

    def log_weight(r: Array) -> Array:
        # the radius feels V - D (d - 1) ln r
        return (V.dim - 1) * np.log(r) - V(r[..., None] * axis) / D

    scan = np.geomspace(1e-6, 1e6, 4000)
    with np.errstate(over="ignore", invalid="ignore"):
        logs = log_weight(scan)
    kept = np.flatnonzero(logs > np.nanmax(logs) - _DROP)
    if kept[-1] == len(scan) - 1:
        raise ValueError(f"potential must confine: exp(-V/D) is not integrable for {V!r} at D={D!r}")
    low = 0.0 if kept[0] == 0 else float(scan[kept[0] - 1])
    panels = Panels(np.linspace(low, float(scan[kept[-1] + 1]), 257))
    logs = log_weight(panels.nodes)
    top = float(logs.max())
    weight = np.exp(logs - top)
    return panels, weight, top, float(panels.integrals(weight).sum())


def radial_density(model: Langevin) -> Callable[[ArrayLike], Any]:
    """Return the density of ``r = |X|`` under the Gibbs law of a landscape that is the same in every direction.

    ``p(r) ~ r^(d-1) exp(-V(r)/D)``: the radius feels ``V - D (d - 1) ln r``, while the direction is uniform.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D in two or more dimensions.

    Returns
    -------
    callable
        ``p(r)`` for r > 0 of any shape, 1/length.

    Raises
    ------
    ValueError
        If V depends on the direction, does not confine, or d = 1.
    """
    _, _, top, total = _radial(model)
    V, D = model.potential, strength(model)

    def density(r: ArrayLike) -> Any:
        r = _checks.finite_array("r", r)
        if np.any(r <= 0.0):
            raise ValueError(f"r must be positive, got {float(r.min())!r}")
        return (np.exp((V.dim - 1) * np.log(r) - V(r[..., None] * np.eye(V.dim)[0]) / D - top) / total)[()]

    return density


def radial_cdf(model: Langevin) -> Callable[[ArrayLike], Any]:
    """Return the distribution function of ``r = |X|`` under the Gibbs law; see `radial_density`.

    Parameters
    ----------
    model : Langevin
        Overdamped dynamics with constant D in two or more dimensions.

    Returns
    -------
    callable
        ``F(r)`` for r of any shape, values in [0, 1].

    Raises
    ------
    ValueError
        As `radial_density`.
    """
    panels, weight, _, total = _radial(model)
    start = np.concatenate([[0.0], np.cumsum(panels.integrals(weight))])

    def cdf(r: ArrayLike) -> Any:
        inside = np.clip(_checks.finite_array("r", r), panels.edges[0], panels.edges[-1])
        return np.clip((start[panels.locate(inside)] + panels.left_part(weight, inside)) / total, 0.0, 1.0)[()]

    return cdf


def direction_coherence(dim: int, D: float, t: ArrayLike, radius: float = 1.0) -> Any:
    """Return ``E cos(angle) = exp(-(d - 1) D t/r^2)`` after Brownian motion on the sphere of radius r.

    In the plane the angle is normal with variance ``2 D t/r^2``. On a rotation-invariant landscape the direction moves
    like this with ``int dt/r^2`` in the place of ``t/r^2``.

    Parameters
    ----------
    dim : int
        Dimension d of the space, at least 2.
    D : float
        Noise strength, length**2/time, not negative.
    t : array_like
        Time, not negative.
    radius : float
        Radius r, length, positive.

    Returns
    -------
    float or ndarray
        Mean cosine of the angle between start and end.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    dim, D, radius = _checks.integer("dim", dim, 2), _checks.nonnegative("D", D), _checks.positive("radius", radius)
    return np.exp(-(dim - 1) * D * _times(t) / radius**2)[()]


def imbalance_factor(h: float, residual: ArrayLike) -> Any:
    """Return ``1 - h^2 e_t^2``, the factor of ``x^2 - y^2`` over a step ``(x, y) - h e_t (y, x)``.

    That is the step of gradient descent on ``(x y - 1)^2/2`` with the residual ``e_t = x y - 1`` plus the error of the label.

    Parameters
    ----------
    h : float
        Learning rate, positive.
    residual : array_like
        ``e_t``, the residual that the step used.

    Returns
    -------
    float or ndarray
        The factor, whatever x and y.

    Raises
    ------
    ValueError
        If ``h`` is not positive.
    """
    h = _checks.positive("h", h)
    # (x - h e y)^2 - (y - h e x)^2 = (1 - h^2 e^2)(x^2 - y^2)
    return (1.0 - (h * _checks.finite_array("residual", residual)) ** 2)[()]


def imbalance_decay(s: float, t: ArrayLike) -> Any:
    """Return ``exp(-s^2 t)``, the factor of ``x^2 - y^2`` on every path of ``dX = -f grad f dt + s grad f dW``, f = x y - 1.

    Gradient flow, s = 0, keeps it.

    Parameters
    ----------
    s : float
        Strength of the noise, as in `LabelNoise`: ``e sqrt(h)``; not negative.
    t : array_like
        Time, not negative.

    Returns
    -------
    float or ndarray
        The factor.

    Raises
    ------
    ValueError
        If an argument is negative.
    """
    return np.exp(-(_checks.nonnegative("s", s) ** 2) * _times(t))[()]


def imbalance_change(first: ArrayLike, second: ArrayLike, gradient: ArrayLike, h: float) -> Any:
    r"""Return the change of ``W2^T W2 - W1 W1^T`` over a step of gradient descent on a linear network ``f(x) = W2 W1 x``.

    With the gradient G by the product, ``W1' = W1 - h W2^T G`` and ``W2' = W2 - h G W1^T``: what is linear in h cancels, and

    .. math:: \Delta' - \Delta = -h^2\,(W_2^T G G^T W_2 - W_1 G^T G W_1^T).

    Gradient flow keeps the imbalance; for numbers it is `imbalance_factor`.

    Parameters
    ----------
    first : array_like, shape (m, d)
        ``W1``.
    second : array_like, shape (k, m)
        ``W2``.
    gradient : array_like, shape (k, d)
        ``G``.
    h : float
        Learning rate, positive.

    Returns
    -------
    ndarray, shape (m, m)
        Change of the imbalance.

    Raises
    ------
    ValueError
        If ``h`` is not positive or the shapes do not fit.

    References
    ----------
    S. Arora, N. Cohen, E. Hazan, ICML 2018, arXiv:1802.06509, theorem 1 (for gradient flow).
    """
    h = _checks.positive("h", h)
    W1, W2, G = (
        _checks.finite_array(name, w) for name, w in zip(("first", "second", "gradient"), (first, second, gradient))
    )
    if any(w.ndim != 2 for w in (W1, W2, G)) or W1.shape[0] != W2.shape[1] or G.shape != (W2.shape[0], W1.shape[1]):
        raise ValueError(
            f"first, second, gradient must have shapes (m, d), (k, m), (k, d), got {W1.shape}, {W2.shape}, {G.shape}"
        )
    up, down = W2.T @ G, W1 @ G.T
    return -(h**2) * (up @ up.T - down @ down.T)


def label_noise_sizes(
    second: float, n_inputs: int, n_outputs: int, rate: float, t: ArrayLike, length: float = 1.0
) -> Any:
    r"""Return ``|a|^2`` along the slow flow of label noise on ``f(x) = a (w.x)``, one hidden unit between d inputs and k outputs.

    On the solutions, :math:`|a||w| = s`, noise of strength :math:`\sigma` in batches of B changes the mean of
    :math:`|a|^2 - |w|^2` by :math:`-\kappa(d|a|^2 - k|w|^2)` a step, :math:`\kappa = \eta^2\sigma^2/B`, for inputs whose mean
    square matrix is the unit matrix. With :math:`z = |a|^4` this is :math:`\dot z = -2\kappa z (d z - k s^2)/(z + s^2)`,

    .. math:: (1 + d/k)\ln|d z - k s^2|/d - \ln z/k = -2\kappa t + \mathrm{const};

    it ends at :math:`|a|^2/|w|^2 = k/d`, where the trace of the Hessian, :math:`d|a|^2 + k|w|^2`, is smallest. All up to
    :math:`O(\eta)`.

    Parameters
    ----------
    second : float
        ``|a|^2`` at the start, on the solutions; positive.
    n_inputs, n_outputs : int
        d and k.
    rate : float
        ``kappa``, positive: in units of 1/t.
    t : array_like
        Steps, or time; not negative.
    length : float
        ``s``, length of the product, positive.

    Returns
    -------
    float or ndarray
        ``|a|^2``; ``|w|^2 = s^2/|a|^2``.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    G. Blanc, N. Gupta, G. Valiant, P. Valiant, COLT 2020, arXiv:1904.09080: the implicit regulariser is the trace of the Hessian.
    """
    from scipy.optimize import brentq

    start, s2 = _checks.positive("second", second) ** 2, _checks.positive("length", length) ** 2
    d, k, kappa = (
        _checks.integer("n_inputs", n_inputs),
        _checks.integer("n_outputs", n_outputs),
        _checks.positive("rate", rate),
    )
    end = k * s2 / d
    gap = math.log(start / end)
    if gap == 0.0:
        return np.full(np.shape(_times(t)), math.sqrt(end))[()]

    def clock(v: float) -> float:
        # of z = end exp(gap e^-v): (1 + d/k) ln|z/end - 1|/d - ln z/k, up to a constant
        x = gap * math.exp(-v)
        near = math.log(abs(gap)) - v + math.log(math.expm1(x) / x if x else 1.0)
        return (1.0 / d + 1.0 / k) * near - x / k

    def at(time: float) -> float:
        wanted = clock(0.0) - 2.0 * kappa * time
        high = 1.0
        while clock(high) > wanted:
            high *= 2.0
        return math.sqrt(
            end * math.exp(gap * math.exp(-float(brentq(lambda v: clock(v) - wanted, 0.0, high, xtol=1e-13))))
        )

    return np.vectorize(at, otypes=[float])(_times(t))[()]


def diffusing_union_volume(n: int, D: float, t: ArrayLike, width: float = 1.0) -> Any:
    r"""Return the mean volume of the union of n bumps in the plane that start at one point and diffuse.

    With ``dc_i = sqrt(2D) dW_i`` and the volume of `GeometricLoss`,

    .. math:: E V = 2\pi w^2 \sum_{k=1}^n \binom{n}{k} \frac{(-1)^{k+1}}{k} (1 + 2 D t/w^2)^{-(k-1)},

    since the sum of squared distances of k points from their centre is ``2 D t`` times chi-square with ``2(k - 1)`` degrees.
    It increases from its least to its largest value.

    Parameters
    ----------
    n : int
        Number of bumps.
    D : float
        Noise strength, length**2/time, not negative.
    t : array_like
        Time, not negative.
    width : float
        Width w of the bumps, length, positive.

    Returns
    -------
    float or ndarray
        Mean area.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n, D, width = _checks.integer("n", n), _checks.nonnegative("D", D), _checks.positive("width", width)
    spread = 1.0 + 2.0 * D * _times(t) / width**2
    parts = [math.comb(n, k) * (-1.0) ** (k + 1) / k * spread ** (1 - k) for k in range(1, n + 1)]
    return (2.0 * math.pi * width**2 * np.sum(parts, axis=0))[()]


def _times(t: ArrayLike) -> Array:
    times = _checks.finite_array("t", t)
    if np.any(times < 0.0):
        raise ValueError(f"t must not be negative, got {float(times.min())!r}")
    return times
