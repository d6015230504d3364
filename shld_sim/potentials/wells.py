"""One-dimensional wells: harmonic, quartic, double well, tilted double well, and any polynomial."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.potentials.base import Potential, ScalarFunctions

Array = NDArray[np.float64]
NONE = np.empty(0)


def _harmonic_energy(x, p):
    return 0.5 * p[0] * x * x


def _harmonic_gradient(x, p):
    return p[0] * x


def _harmonic_hessian(x, p):
    return p[0] + 0.0 * x


def _harmonic_flow(x, t, p):
    return x * np.exp(-p[0] * t)


HARMONIC = ScalarFunctions(_harmonic_energy, _harmonic_gradient, _harmonic_hessian, _harmonic_flow)


class Harmonic(Potential):
    r"""Harmonic well :math:`V(x) = k x^2/2`.

    Parameters
    ----------
    k : float
        Stiffness, positive.
    """

    def __init__(self, k: float = 1.0) -> None:
        k = _checks.positive("k", k)
        self._state(HARMONIC, (k,), 1, arguments={"k": k}, plot_box=((-3.0, 3.0),))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        return np.zeros(1), NONE


def _quartic_energy(x, p):
    return 0.25 * p[0] * x * x * x * x


def _quartic_gradient(x, p):
    return p[0] * x * x * x


def _quartic_hessian(x, p):
    return 3.0 * p[0] * x * x


def _quartic_flow(x, t, p):
    # x' = -a x^3 has (1/x^2)' = 2 a
    return x / np.sqrt(1.0 + 2.0 * p[0] * t * (x * x))


class Quartic(Potential):
    r"""Quartic well :math:`V(x) = a x^4/4`.

    Parameters
    ----------
    a : float
        Strength, positive.
    """

    def __init__(self, a: float = 1.0) -> None:
        a = _checks.positive("a", a)
        functions = ScalarFunctions(_quartic_energy, _quartic_gradient, _quartic_hessian, _quartic_flow)
        self._state(functions, (a,), 1, arguments={"a": a})

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        return np.zeros(1), NONE


def _double_well_energy(x, p):
    u = x * (1.0 / p[1])
    v = u * u - 1.0
    return p[0] * v * v


def _double_well_gradient(x, p):
    u = x * (1.0 / p[1])
    return (4.0 * p[0] / p[1]) * (u * u - 1.0) * u


def _double_well_hessian(x, p):
    u = x * (1.0 / p[1])
    return (4.0 * p[0] / (p[1] * p[1])) * (3.0 * u * u - 1.0)


def _double_well_flow(x, t, p):
    # u = x/width obeys u' = c (u - u^3): 1/u^2 - 1 decays like exp(-2 c t)
    u = x * (1.0 / p[1])
    growth = np.exp(4.0 * p[0] / (p[1] * p[1]) * t)
    return x * growth / np.sqrt(1.0 + u * u * (growth * growth - 1.0))


DOUBLE_WELL = ScalarFunctions(_double_well_energy, _double_well_gradient, _double_well_hessian, _double_well_flow)


class DoubleWell(Potential):
    r"""Symmetric double well :math:`V(x) = h\,((x/w)^2 - 1)^2`, minima at :math:`\pm w`, barrier :math:`h` at 0.

    The default is :math:`x^4/4 - x^2/2 + 1/4`.

    Parameters
    ----------
    height : float
        Barrier height ``h``, positive.
    width : float
        Distance ``w`` of the minima from the barrier, positive.
    """

    def __init__(self, height: float = 0.25, width: float = 1.0) -> None:
        height, width = _checks.positive("height", height), _checks.positive("width", width)
        arguments = {"height": height, "width": width}
        self._state(DOUBLE_WELL, (height, width), 1, arguments=arguments, plot_box=((-2.0 * width, 2.0 * width),))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        width = self.params[1]
        return np.array([-width, width]), np.zeros(1)


def _tilted_energy(x, p):
    return _double_well_energy(x, p) + p[2] * x


def _tilted_gradient(x, p):
    return _double_well_gradient(x, p) + p[2]


class TiltedDoubleWell(Potential):
    r"""Tilted double well :math:`V(x) = h\,((x/w)^2 - 1)^2 + s x`.

    Both wells exist while :math:`|s| < 8 h/(3 \sqrt 3 w)`.

    Parameters
    ----------
    height : float
        Barrier height ``h`` without the tilt, positive.
    width : float
        Half the distance ``w`` of the minima without the tilt, positive.
    tilt : float
        Slope ``s``.
    """

    def __init__(self, height: float = 0.25, width: float = 1.0, tilt: float = 0.1) -> None:
        height, width = _checks.positive("height", height), _checks.positive("width", width)
        tilt = _checks.number("tilt", tilt)
        functions = ScalarFunctions(_tilted_energy, _tilted_gradient, _double_well_hessian)
        arguments = {"height": height, "width": width, "tilt": tilt}
        self._state(functions, (height, width, tilt), 1, arguments=arguments, plot_box=((-2.0 * width, 2.0 * width),))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        height, width, tilt = self.params
        c = 4.0 * height / width  # V' = c (u^3 - u) + s with u = x/w
        return _real_critical(self, width * np.roots([c, 0.0, -c, tilt]))


MAX_DEGREE = 12


def _polynomial_energy(x, p):
    s = p[12]
    s = s * x + p[11]
    s = s * x + p[10]
    s = s * x + p[9]
    s = s * x + p[8]
    s = s * x + p[7]
    s = s * x + p[6]
    s = s * x + p[5]
    s = s * x + p[4]
    s = s * x + p[3]
    s = s * x + p[2]
    s = s * x + p[1]
    return s * x + p[0]


def _polynomial_gradient(x, p):
    s = 12.0 * p[12]
    s = s * x + 11.0 * p[11]
    s = s * x + 10.0 * p[10]
    s = s * x + 9.0 * p[9]
    s = s * x + 8.0 * p[8]
    s = s * x + 7.0 * p[7]
    s = s * x + 6.0 * p[6]
    s = s * x + 5.0 * p[5]
    s = s * x + 4.0 * p[4]
    s = s * x + 3.0 * p[3]
    s = s * x + 2.0 * p[2]
    return s * x + p[1]


def _polynomial_hessian(x, p):
    return np.polynomial.polynomial.polyval(x, np.polynomial.polynomial.polyder(p, 2))


class Polynomial(Potential):
    r"""Polynomial landscape :math:`V(x) = \sum_k c_k x^k`.

    Parameters
    ----------
    coefficients : array_like of float
        ``c_0, c_1, ...`` in ascending order, at most degree 12.

    Notes
    -----
    The sum is unrolled by Horner's rule up to degree 12, without a loop, so that kernels vectorise it. Critical points
    at which the second derivative vanishes too are neither minima nor saddles here.
    """

    def __init__(self, coefficients: ArrayLike) -> None:
        given = _checks.finite_array("coefficients", coefficients)
        if given.ndim != 1 or not 2 <= len(given) <= MAX_DEGREE + 1:
            raise ValueError(
                f"coefficients must be a list of 2 to {MAX_DEGREE + 1} numbers, got an array of shape {given.shape}"
            )
        padded = tuple(float(c) for c in given) + (0.0,) * (MAX_DEGREE + 1 - len(given))
        functions = ScalarFunctions(_polynomial_energy, _polynomial_gradient, _polynomial_hessian)
        self._state(functions, padded, 1, arguments={"coefficients": [float(c) for c in given]})

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        derivative = np.polynomial.polynomial.polyder(np.trim_zeros(self.params, "b") or (0.0,))
        roots = np.polynomial.polynomial.polyroots(np.trim_zeros(derivative, "b")) if derivative.any() else NONE
        return _real_critical(self, roots)


def _real_critical(potential: Potential, roots: Array) -> tuple[Array, Array]:
    """Return the minima and maxima among the real ``roots`` of the gradient, polished by two Newton steps."""
    x = np.sort(roots[np.abs(roots.imag) < 1e-7 * (1.0 + np.abs(roots))].real)
    for _ in range(2):
        curvature = potential.hessian(x)
        x = np.where(curvature == 0.0, x, x - potential.gradient(x) / np.where(curvature == 0.0, 1.0, curvature))
    curvature = potential.hessian(x)
    return np.unique(x[curvature > 0]), np.unique(x[curvature < 0])
