"""Two-dimensional landscapes: Mueller-Brown, the rescaling valley (xy-1)^2/2, Rosenbrock, and a ring of wells."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.potentials import critical
from shld_sim.potentials.base import Potential, ScalarFunctions

Array = NDArray[np.float64]
NO_POINTS = np.empty((0, 2))


def _mueller_brown_terms(x, y):
    """Return the four terms A exp(a u^2 + b u v + c v^2), u = x - x0, v = y - y0."""
    t0 = -200.0 * np.exp(-(x - 1.0) * (x - 1.0) - 10.0 * y * y)
    t1 = -100.0 * np.exp(-x * x - 10.0 * (y - 0.5) * (y - 0.5))
    u, v = x + 0.5, y - 1.5
    t2 = -170.0 * np.exp(-6.5 * u * u + 11.0 * u * v - 6.5 * v * v)
    u, v = x + 1.0, y - 1.0
    t3 = 15.0 * np.exp(0.7 * u * u + 0.6 * u * v + 0.7 * v * v)
    return t0, t1, t2, t3


def _mueller_brown_slopes(x, y):
    """Return the derivatives of the four exponents by x and by y."""
    sx = (-2.0 * (x - 1.0), -2.0 * x, -13.0 * (x + 0.5) + 11.0 * (y - 1.5), 1.4 * (x + 1.0) + 0.6 * (y - 1.0))
    sy = (-20.0 * y, -20.0 * (y - 0.5), 11.0 * (x + 0.5) - 13.0 * (y - 1.5), 0.6 * (x + 1.0) + 1.4 * (y - 1.0))
    return sx, sy


def _mueller_brown_energy(x, y, p):
    t = _mueller_brown_terms(x, y)
    return t[0] + t[1] + t[2] + t[3]


def _mueller_brown_gradient(x, y, p):
    t = _mueller_brown_terms(x, y)
    sx, sy = _mueller_brown_slopes(x, y)
    gx = t[0] * sx[0] + t[1] * sx[1] + t[2] * sx[2] + t[3] * sx[3]
    gy = t[0] * sy[0] + t[1] * sy[1] + t[2] * sy[2] + t[3] * sy[3]
    return gx, gy


def _mueller_brown_hessian(x, y, p):
    t = _mueller_brown_terms(x, y)
    sx, sy = _mueller_brown_slopes(x, y)
    second = ((-2.0, 0.0, -20.0), (-2.0, 0.0, -20.0), (-13.0, 11.0, -13.0), (1.4, 0.6, 1.4))
    hxx = sum(t[i] * (sx[i] * sx[i] + second[i][0]) for i in range(4))
    hxy = sum(t[i] * (sx[i] * sy[i] + second[i][1]) for i in range(4))
    hyy = sum(t[i] * (sy[i] * sy[i] + second[i][2]) for i in range(4))
    return hxx, hxy, hyy


class MuellerBrown(Potential):
    r"""Mueller-Brown surface: three wells joined by a curved path,
    :math:`V = \sum_{i=1}^4 A_i \exp(a_i (x-x_i)^2 + b_i (x-x_i)(y-y_i) + c_i (y-y_i)^2)`.

    Barriers are of order 100; ``D`` of 5 to 20 is usual.

    References
    ----------
    K. Mueller, L. D. Brown, Theor. Chim. Acta 53, 75 (1979).
    """

    def __init__(self) -> None:
        functions = ScalarFunctions(_mueller_brown_energy, _mueller_brown_gradient, _mueller_brown_hessian)
        self._state(functions, (), 2, arguments={}, plot_box=((-1.5, 1.2), (-0.3, 2.1)))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        starts = np.array([(-0.56, 1.44), (0.62, 0.03), (-0.05, 0.47), (-0.82, 0.62), (0.21, 0.29)])
        return critical.classify(self, critical.polish(self, starts, self.plot_box))


def _rescaling_residual(x, y, p):
    return x * y - 1.0


def _rescaling_residual_gradient(x, y, p):
    return y, x


def _rescaling_energy(x, y, p):
    e = x * y - 1.0
    return 0.5 * e * e


def _rescaling_gradient(x, y, p):
    e = x * y - 1.0
    return e * y, e * x


def _rescaling_hessian(x, y, p):
    return y * y, 2.0 * x * y - 1.0, x * x


class RescalingValley(Potential):
    r"""Rescaling valley :math:`V(x, y) = (xy - 1)^2/2`: the smallest deep linear network.

    It is invariant under :math:`(x, y) \to (c x, y/c)`. Its minima fill the hyperbola :math:`xy = 1`; `minima` returns
    the two of least norm, (-1, -1) and (1, 1). The saddle is the origin. :math:`e^{-V/D}` cannot be normalised.
    """

    def __init__(self) -> None:
        residual = _rescaling_residual, _rescaling_residual_gradient
        functions = ScalarFunctions(_rescaling_energy, _rescaling_gradient, _rescaling_hessian, residual=residual)
        self._state(functions, (), 2, arguments={}, plot_box=((-3.0, 3.0), (-3.0, 3.0)))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        return np.array([[-1.0, -1.0], [1.0, 1.0]]), np.zeros((1, 2))


def _rosenbrock_energy(x, y, p):
    u, v = p[0] - x, y - x * x
    return u * u + p[1] * v * v


def _rosenbrock_gradient(x, y, p):
    u, v = p[0] - x, y - x * x
    return -2.0 * u - 4.0 * p[1] * x * v, 2.0 * p[1] * v


def _rosenbrock_hessian(x, y, p):
    return 2.0 - 4.0 * p[1] * (y - 3.0 * x * x), -4.0 * p[1] * x, 2.0 * p[1] + 0.0 * y


class Rosenbrock(Potential):
    r"""Rosenbrock's curved valley :math:`V(x, y) = (a - x)^2 + b (y - x^2)^2`, minimum at :math:`(a, a^2)`.

    Parameters
    ----------
    a : float
        Position of the minimum.
    b : float
        Stiffness across the valley, positive.

    References
    ----------
    H. H. Rosenbrock, Comput. J. 3, 175 (1960).
    """

    def __init__(self, a: float = 1.0, b: float = 100.0) -> None:
        a, b = _checks.number("a", a), _checks.positive("b", b)
        functions = ScalarFunctions(_rosenbrock_energy, _rosenbrock_gradient, _rosenbrock_hessian)
        self._state(functions, (a, b), 2, arguments={"a": a, "b": b}, plot_box=((-2.0, 2.0), (-1.0, 3.0)))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        a = self.params[0]
        return np.array([[a, a * a]]), NO_POINTS


def _ring_energy(x, y, p):
    r2 = x * x + y * y
    petals = (4.0 * r2 / ((1.0 + r2) * (1.0 + r2))) ** (0.5 * p[0]) * np.cos(p[0] * np.arctan2(y, x))
    return p[1] * (r2 - 1.0) * (r2 - 1.0) + p[2] * (1.0 - petals)


def _ring_gradient(x, y, p):
    r2 = x * x + y * y + 1e-300  # the angle is undefined at the origin, where the petals vanish like r^n
    angle = p[0] * np.arctan2(y, x)
    q = p[2] * p[0] * (4.0 * r2 / ((1.0 + r2) * (1.0 + r2))) ** (0.5 * p[0]) / r2
    radial = 4.0 * p[1] * (r2 - 1.0) - q * np.cos(angle) * (1.0 - r2) / (1.0 + r2)
    around = q * np.sin(angle)
    return radial * x - around * y, radial * y + around * x


def _ring_hessian(x, y, p):
    n, h = p[0], p[1]
    r2 = x * x + y * y + 1e-300
    theta = np.arctan2(y, x)
    s2, m = 4.0 * r2 / ((1.0 + r2) * (1.0 + r2)), (1.0 - r2) / (1.0 + r2)
    q = p[2] * n * s2 ** (0.5 * n) / r2
    # second derivatives along the radius, mixed and along the circle
    rr = 4.0 * h * (3.0 * r2 - 1.0) - q * np.cos(n * theta) * (n * m * m - m - s2)
    rt = q * np.sin(n * theta) * (n * m - 1.0)
    tt = 4.0 * h * (r2 - 1.0) + q * np.cos(n * theta) * (n - m)
    c, s = np.cos(theta), np.sin(theta)
    mixed = c * s * (rr - tt) + (c * c - s * s) * rt
    return c * c * rr - 2.0 * c * s * rt + s * s * tt, mixed, s * s * rr + 2.0 * c * s * rt + c * c * tt


class RingOfWells(Potential):
    r"""Equal wells on the unit circle, with the symmetry of a regular polygon.

    .. math:: V = h (r^2 - 1)^2 + a \left(1 - \left(\frac{2r}{1 + r^2}\right)^n \cos n\theta\right)

    The wells lie at angles :math:`2\pi j/n`, the saddles half-way between; the barrier is :math:`2a`.

    Parameters
    ----------
    n : int
        Number of wells, at least 2.
    height : float
        ``h``, stiffness of the ring: the curvature across it is ``8 h`` plus ``a n`` at wells, minus that at saddles.
    barrier : float
        Barrier between neighbours, ``2 a``, positive and below ``16 h/n`` so that the saddles lie on the ring.
    """

    def __init__(self, n: int = 5, height: float = 2.0, barrier: float = 1.0) -> None:
        n = _checks.integer("n", n, 2)
        height, barrier = _checks.positive("height", height), _checks.positive("barrier", barrier)
        if barrier >= 16.0 * height / n:
            raise ValueError(f"barrier must be below 16 height/n = {16.0 * height / n:g}, got {barrier:g}")
        functions = ScalarFunctions(_ring_energy, _ring_gradient, _ring_hessian)
        arguments = {"n": n, "height": height, "barrier": barrier}
        self._state(functions, (float(n), height, 0.5 * barrier), 2, arguments=arguments, plot_box=((-1.8, 1.8),) * 2)

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        n = int(self.params[0])
        angles = 2.0 * math.pi * np.arange(n) / n
        wells, saddles = (np.stack([np.cos(a), np.sin(a)], axis=-1) for a in (angles, angles + math.pi / n))
        return tuple(z[np.lexsort(z.T[::-1])] for z in (wells, saddles))  # type: ignore[return-value]
