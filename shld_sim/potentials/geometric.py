"""The geometric loss of n labelled points in the plane: blurred union volume plus entropy of the orbit under relabelling."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.potentials.base import Potential, ScalarFunctions

Array = NDArray[np.float64]

# p = (lam 2 pi w^2, weight of the entropy, 1/w^2, members (2^n - 1, n) of the subsets, orders (n!, n))


def _within(x, member):
    """Return the size of a subset of the points and the sum of its squared distances, over pairs."""
    size, spread = 0.0, 0.0
    for i in range(member.shape[0]):
        size += member[i]
        for j in range(i):
            u, v = x[2 * i] - x[2 * j], x[2 * i + 1] - x[2 * j + 1]
            spread += member[i] * member[j] * (u * u + v * v)
    return size, spread


def _moved(x, order):
    """Return the squared distance between the configuration and itself in another order."""
    spread = 0.0
    for i in range(order.shape[0]):
        j = int(order[i])
        u, v = x[2 * i] - x[2 * j], x[2 * i + 1] - x[2 * j + 1]
        spread += u * u + v * v
    return spread


def _geometric_energy(x, p):
    total = 0.0
    for s in range(p[3].shape[0]):
        size, spread = _within(x, p[3][s])
        # integral of the product of the bumps in S: (2 pi w^2/|S|) exp(-sum_{i<j} |c_i - c_j|^2/(2 w^2 |S|))
        total += p[0] * (2.0 * (size % 2.0) - 1.0) / size * math.exp(-0.5 * p[2] * spread / size)
    if p[1] != 0.0:
        kept = 0.0
        for s in range(p[4].shape[0]):
            kept += math.exp(-0.25 * p[2] * _moved(x, p[4][s]))
        # H_G = -ln (1/n!) sum_g exp(-|s - g s|^2/(4 w^2))
        total -= p[1] * math.log(kept / p[4].shape[0])
    return total


def _geometric_gradient(x, out, p):
    n = p[3].shape[1]
    for i in range(2 * n):
        out[i] = 0.0
    for s in range(p[3].shape[0]):
        size, spread = _within(x, p[3][s])
        pull = p[0] * p[2] * (2.0 * (size % 2.0) - 1.0) / (size * size) * math.exp(-0.5 * p[2] * spread / size)
        for i in range(n):
            for j in range(n):
                both = pull * p[3][s, i] * p[3][s, j]
                out[2 * i] -= both * (x[2 * i] - x[2 * j])
                out[2 * i + 1] -= both * (x[2 * i + 1] - x[2 * j + 1])
    if p[1] != 0.0:
        kept = 0.0
        for s in range(p[4].shape[0]):
            kept += math.exp(-0.25 * p[2] * _moved(x, p[4][s]))
        for s in range(p[4].shape[0]):
            # an order and its inverse weigh the same: of the two pulls on a point one is counted, twice
            pull = p[1] * p[2] * math.exp(-0.25 * p[2] * _moved(x, p[4][s])) / kept
            for i in range(n):
                j = int(p[4][s, i])
                out[2 * i] += pull * (x[2 * i] - x[2 * j])
                out[2 * i + 1] += pull * (x[2 * i + 1] - x[2 * j + 1])


def _sum_of_exponentials(x: Array, forms: Array, rates: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return ``f = sum_k a_k exp(-b_k c.Q_k c)``, its gradient and its Hessian; Q_k acts on each of the two axes."""
    value = np.zeros(x.shape[:-1])
    gradient, hessian = np.zeros(x.shape), np.zeros((*x.shape, x.shape[-1]))
    for form, rate, weight in zip(np.kron(forms, np.eye(2)), rates, weights, strict=True):
        pull = x @ form
        part = weight * np.exp(-rate * (pull * x).sum(axis=-1))
        value += part
        gradient -= 2.0 * rate * part[..., None] * pull
        curved = 4.0 * rate**2 * pull[..., :, None] * pull[..., None, :] - 2.0 * rate * form
        hessian += part[..., None, None] * curved
    return value, gradient, hessian


class GeometricLoss(Potential):
    r"""Geometric loss :math:`L = a H_G + \lambda V` of n labelled points in the plane, which can be descended with noise.

    The points are the centres :math:`c_i` of n sets, blurred to bumps :math:`\varphi_i(x) = \exp(-|x - c_i|^2/2w^2)`, and

    .. math::

        V = \int \Bigl(1 - \prod_i (1 - \varphi_i)\Bigr) dx
          = 2\pi w^2 \sum_S \frac{(-1)^{|S|+1}}{|S|} \exp\Bigl(-\sum_{i<j \in S} \frac{|c_i - c_j|^2}{2 w^2 |S|}\Bigr)

    is the volume of their union, over all nonempty subsets S: :math:`2\pi w^2 n` where they lie far apart and
    :math:`2\pi w^2 (1 + 1/2 + ... + 1/n)`, its least value, where they coincide. :math:`H_G` is the entropy of the orbit of
    the configuration under relabelling, seen with the resolution w: 0 where the points coincide, :math:`\ln n!` far apart,

    .. math:: H_G = -\ln \frac{1}{n!} \sum_{g \in S_n} \exp\Bigl(-\sum_i \frac{|c_i - c_{g(i)}|^2}{4 w^2}\Bigr),

    which is `shld_sim.diagnostics.orbit_entropy` of that group. Both are flat at large distances and along common shifts
    and rotations, so that :math:`e^{-L/D}` cannot be normalised.

    Parameters
    ----------
    n : int
        Number of points, 2 to 6; the coordinates are ``(x_1, y_1, ..., x_n, y_n)``.
    lam : float
        ``lambda``, energy per area, not negative.
    width : float
        ``w``, positive.
    entropy : float
        ``a``, energy, not negative.

    Examples
    --------
    >>> import shld_sim as shld
    >>> loss = shld.GeometricLoss(n=2, lam=0.5)
    >>> together, apart = [0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 9.0, 0.0]
    >>> [round(float(f), 4) for f in (*loss.orbit_entropy([together, apart]), *loss.volume([together, apart]))]
    [0.0, 0.6931, 9.4248, 12.5664]
    >>> shld.simulate(shld.Langevin(loss, D=0.01), apart, dt=0.01, n_steps=10, n_paths=3, seed=1).final.shape
    (3, 4)
    """

    def __init__(self, n: int = 3, lam: float = 1.0, width: float = 1.0, entropy: float = 1.0) -> None:
        n = _checks.integer("n", n, 2)
        if n > 6:
            raise ValueError(f"n must be at most 6, as the sums run over 2^n subsets and n! orders, got {n}")
        lam, width = _checks.nonnegative("lam", lam), _checks.positive("width", width)
        entropy = _checks.nonnegative("entropy", entropy)
        members = np.array([s for s in itertools.product((0.0, 1.0), repeat=n) if any(s)])
        orders = np.array(list(itertools.permutations(range(n))), dtype=np.float64)
        members.setflags(write=False)
        orders.setflags(write=False)
        params = (lam * 2.0 * math.pi * width**2, entropy, width**-2, members, orders)
        functions = ScalarFunctions(_geometric_energy, _geometric_gradient, vector=True)
        arguments = {"n": n, "lam": lam, "width": width, "entropy": entropy}
        self._state(functions, params, 2 * n, arguments=arguments, plot_box=((-4.0 * width, 4.0 * width),) * (2 * n))

    def volume(self, x: ArrayLike) -> Array:
        """Return the volume ``V`` of the union of the bumps, area; shape ``(...)`` for points of shape ``(..., 2 n)``."""
        given = self.arguments
        return GeometricLoss(given["n"], 1.0, given["width"], 0.0)(x)

    def orbit_entropy(self, x: ArrayLike) -> Array:
        """Return the entropy ``H_G`` of the orbit under relabelling; shape ``(...)`` for points of shape ``(..., 2 n)``."""
        given = self.arguments
        return GeometricLoss(given["n"], 0.0, given["width"], 1.0)(x)

    def hessian(self, x: ArrayLike) -> Array:
        """Return the Hessian, shape ``(..., 2 n, 2 n)``: V and ``exp(-H_G)`` are sums of exponentials of quadratic forms."""
        x = _checks.points("x", x, self.dim)
        area, weight, scale, members, orders = self.params
        size = members.sum(axis=1)
        # sum_{i<j in S} |c_i - c_j|^2 = c.Q c with Q = |S| 1_S - m m^T
        within = size[:, None, None] * members[:, :, None] * np.eye(members.shape[1])
        within -= members[:, :, None] * members[:, None, :]
        signs = area * (2.0 * (size % 2.0) - 1.0) / size
        total = _sum_of_exponentials(x, within, 0.5 * scale / size, signs)[2]
        if weight != 0.0:
            moved = np.eye(members.shape[1])[orders.astype(int)] - np.eye(members.shape[1])
            forms, rates = np.swapaxes(moved, 1, 2) @ moved, np.full(len(orders), 0.25 * scale)
            kept, slope, bend = _sum_of_exponentials(x, forms, rates, np.ones(len(orders)))
            slope = slope / kept[..., None]
            total += weight * (slope[..., :, None] * slope[..., None, :] - bend / kept[..., None, None])
        return 0.5 * (total + np.swapaxes(total, -1, -2))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        return np.zeros((1, self.dim)), np.empty((0, self.dim))
