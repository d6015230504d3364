"""One-dimensional landscapes of many wells: the periodic washboard and the four wells of Prinz et al."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.potentials import critical
from shld_sim.potentials.base import Potential, ScalarFunctions

Array = NDArray[np.float64]


def _washboard_energy(x, p):
    return p[2] * x - p[0] * np.cos((2.0 * math.pi / p[1]) * x)


def _washboard_gradient(x, p):
    return p[2] + (2.0 * math.pi / p[1]) * p[0] * np.sin((2.0 * math.pi / p[1]) * x)


def _washboard_hessian(x, p):
    return (2.0 * math.pi / p[1]) ** 2 * p[0] * np.cos((2.0 * math.pi / p[1]) * x)


class Washboard(Potential):
    r"""Washboard :math:`V(x) = -a \cos(2\pi x/\ell) + s x`, whose force has period :math:`\ell`.

    Wells exist while :math:`|s| < 2\pi a/\ell`. Minima and saddles are those with :math:`-\ell/2 \le x < \ell/2`.

    Parameters
    ----------
    amplitude : float
        ``a``, positive: without tilt the barrier is ``2 a``.
    period : float
        ``l``, positive.
    tilt : float
        Slope ``s``; the mean force is ``-s``.
    """

    def __init__(self, amplitude: float = 1.0, period: float = 2.0 * math.pi, tilt: float = 0.0) -> None:
        amplitude, period = _checks.positive("amplitude", amplitude), _checks.positive("period", period)
        tilt = _checks.number("tilt", tilt)
        functions = ScalarFunctions(_washboard_energy, _washboard_gradient, _washboard_hessian)
        self._state(
            functions,
            (amplitude, period, tilt),
            1,
            period=period,
            arguments={"amplitude": amplitude, "period": period, "tilt": tilt},
            plot_box=((-period, period),),
        )

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        amplitude, period, tilt = self.params
        wave = 2.0 * math.pi / period
        sine = -tilt / (amplitude * wave)  # V' = 0
        if abs(sine) >= 1.0:
            return np.empty(0), np.empty(0)
        minimum = math.asin(sine) / wave
        saddle = 0.5 * period - minimum
        return np.array([minimum]), np.array([(saddle + 0.5 * period) % period - 0.5 * period])


def _prinz_energy(x, p):
    a, b = x - 0.5, x + 0.5
    x2 = x * x
    bumps = 0.8 * np.exp(-80.0 * x2) + 0.2 * np.exp(-80.0 * a * a) + 0.5 * np.exp(-40.0 * b * b)
    return 4.0 * (x2 * x2 * x2 * x2 + bumps)


def _prinz_gradient(x, p):
    a, b = x - 0.5, x + 0.5
    x2 = x * x
    bumps = -128.0 * x * np.exp(-80.0 * x2) - 32.0 * a * np.exp(-80.0 * a * a) - 40.0 * b * np.exp(-40.0 * b * b)
    return 4.0 * (8.0 * x2 * x2 * x2 * x + bumps)


def _prinz_hessian(x, p):
    a, b = x - 0.5, x + 0.5
    x2 = x * x
    bumps = (
        128.0 * (160.0 * x2 - 1.0) * np.exp(-80.0 * x2)
        + 32.0 * (160.0 * a * a - 1.0) * np.exp(-80.0 * a * a)
        + 40.0 * (80.0 * b * b - 1.0) * np.exp(-40.0 * b * b)
    )
    return 4.0 * (56.0 * x2 * x2 * x2 + bumps)


class Prinz(Potential):
    r"""Four wells on a line, the test case of Markov state models.

    .. math:: V(x) = 4\left(x^8 + 0.8\,e^{-80x^2} + 0.2\,e^{-80(x-1/2)^2} + 0.5\,e^{-40(x+1/2)^2}\right)

    References
    ----------
    J.-H. Prinz et al., J. Chem. Phys. 134, 174105 (2011).
    """

    def __init__(self) -> None:
        functions = ScalarFunctions(_prinz_energy, _prinz_gradient, _prinz_hessian)
        self._state(functions, (), 1, arguments={}, plot_box=((-1.2, 1.2),))

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        return critical.search(self, self.plot_box)
