"""Symmetric laws from the Mellin transform of their characteristic function: density and distribution function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, loggamma

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]

_TERMS = 40
_TINY = 1e-17


class SymmetricLaw:
    """A symmetric law on the line given by ``Phi(s) = int_0^inf k^(s-1) phi(k) dk``, phi its characteristic function.

    The density has the Mellin transform ``P(s) = int_0^inf x^(s-1) p dx = Gamma(s) cos(pi s/2) Phi(1 - s)/pi``, so with
    ``c`` between the poles at 1 and at the first tail exponent

        p(x) = (1/2 pi) int P(c+it) x^(-c-it) dt,    P(X > x) = (1/2 pi) int P(c+it) x^(1-c-it)/(c-1+it) dt.

    The trapezoidal rule converges exponentially, and on its equidistant nodes the sum is a polynomial in ``x^(-ih)``
    (Horner). Small and large x use the residues: ``p = (1/pi) sum_j (-1)^j Phi(2j+1) x^(2j)/(2j)!`` and, for
    ``phi = sum_n b_n k^(nu_n)`` at 0, ``p ~ (1/pi) sum_n b_n Gamma(nu_n + 1) cos(pi(nu_n + 1)/2) x^(-nu_n - 1)``.

    Parameters
    ----------
    log_phi, sine : callable
        Complex functions: ``Phi(s) = exp(log_phi(s)) sine(s)``; the second factor may vanish and change sign.
    sector : float
        phi is analytic for ``|arg k| < sector``: ``|Phi(c + it)| ~ exp(-sector |t|)``.
    gap : float
        The first power in the tail is ``x^(-1-gap)``.
    powers, log_size, sign : ndarray
        ``nu_n``, ``log|b_n|`` and the sign of ``b_n``, ``nu_n > 0`` ascending.
    """

    def __init__(
        self,
        log_phi: Callable[[Complex], Complex],
        sine: Callable[[Complex], Complex],
        sector: float,
        gap: float,
        powers: Array,
        log_size: Array,
        sign: Array,
    ) -> None:
        # Taylor series at 0: sum a_j x^(2j)
        j = np.arange(_TERMS)
        log_a = log_phi(2.0 * j + 1.0 + 0.0j).real - gammaln(2.0 * j + 1.0) - math.log(math.pi)
        tried = np.geomspace(1e-9, 30.0, 400)
        sizes = log_a + 2.0 * j * np.log(tried)[:, None] - log_a[0]
        good = (sizes.min(axis=1) < math.log(_TINY)) & (_peak(sizes) < math.log(3.0))
        self.small = float(tried[good][-1]) if good.any() else 0.0
        stop = int(np.argmin(sizes[good][-1])) + 1 if good.any() else 1
        self.taylor = (-1.0) ** j[:stop] * sine(2.0 * j[:stop] + 1.0 + 0.0j).real * np.exp(log_a[:stop])

        # tail series: sum_n t_n x^(-nu_n - 1)
        log_t = log_size + gammaln(powers + 1.0) - math.log(math.pi)
        tried = np.geomspace(0.1, 1e9, 1200)
        sizes = log_t - (powers + 1.0) * np.log(tried)[:, None]
        relative = sizes - sizes[:, :1]
        good = (relative.min(axis=1) < math.log(_TINY)) & (_peak(relative) < math.log(3.0))
        self.large = float(tried[good][0])
        stop = int(np.argmin(relative[good][0])) + 1
        cosine = np.cos(0.5 * math.pi * (powers[:stop] + 1.0))
        self.tail_powers, self.tail = powers[:stop], sign[:stop] * cosine * np.exp(log_t[:stop])

        # trapezoidal rule on the vertical line through c, half-way between the poles (but not next to s = 3, where
        # a pole of Phi and a zero of the cosine cancel)
        self.c = 1.0 + 0.5 * gap
        if abs(self.c - 3.0) < 0.15:
            self.c = 2.85
        strip = min(self.c - 1.0, 1.0 + gap - self.c)
        self.step = 2.0 * math.pi * strip / 36.0  # error exp(-2 pi strip/step) = 2e-16
        t = self.step * np.arange(int(46.0 / sector / self.step) + 2)  # exp(-sector t) t^c below rounding
        s = self.c + 1j * t
        log_cos = -0.5j * math.pi * s - math.log(2.0) + np.log1p(np.exp(1j * math.pi * s))  # Im s >= 0
        values = np.exp(loggamma(s) + log_cos + log_phi(1.0 - s)) * sine(1.0 - s) * self.step / math.pi**2
        values[0] *= 0.5
        self.line, self.line_survival = values, values / (s - 1.0)

    def pdf(self, x: Array) -> Array:
        """Return the density at ``x >= 0``."""
        return self._piecewise(x, lambda u: _even(self.taylor, u), self.line, 0.0, self.tail)

    def survival(self, x: Array) -> Array:
        """Return ``P(X > x)`` at ``x >= 0``."""
        odd = self.taylor / (2.0 * np.arange(self.taylor.size) + 1.0)
        tail = self.tail / self.tail_powers
        return self._piecewise(x, lambda u: 0.5 - u * _even(odd, u), self.line_survival, 1.0, tail)

    def _piecewise(
        self,
        x: Array,
        near: Callable[[Array], Array],
        line: Complex,
        raised: float,
        tail: Array,
    ) -> Array:
        result = np.empty_like(x)
        small, large = x <= self.small, x >= self.large
        result[small] = near(x[small])
        middle = x[~(small | large)]
        w = np.exp(-1j * self.step * np.log(middle))
        total = np.zeros_like(w)
        for value in line[::-1]:
            total = total * w + value
        result[~(small | large)] = middle ** (raised - self.c) * total.real
        y = x[large]
        far = np.zeros_like(y)
        for power, value in zip(self.tail_powers[::-1], tail[::-1]):
            far += value * y ** (raised - power - 1.0)
        result[large] = far
        return result


def _peak(log_terms: Array) -> Array:
    """Largest term before the smallest one: what rounding is measured against."""
    upto = np.arange(log_terms.shape[1]) <= np.argmin(log_terms, axis=1)[:, None]
    return np.asarray(np.where(upto, log_terms, -np.inf).max(axis=1))


def _even(coefficients: Array, x: Array) -> Array:
    return np.asarray(np.polynomial.polynomial.polyval(x * x, coefficients))
