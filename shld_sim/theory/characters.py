"""What random rows leave in the characters of Z_p: mean shares of the strongest frequencies, and the mean entropy of all."""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import quad
from scipy.special import psi
from scipy.stats import binom, gamma

from shld_sim import _checks


def random_concentration(p: int, d: int, n_frequencies: int = 1) -> float:
    r"""Return the mean share of the strongest frequencies in p rows of d independent normal numbers, the mean row removed.

    The powers of the m = (p - 1)/2 frequencies are independent gamma variables G of shape d, and their shares are independent of
    their sum, so that

    .. math:: \mathrm{E} = \frac{1}{m d}\,m\int_0^\infty x f(x)\,\mathrm{P}\bigl(\mathrm{Bin}(m - 1, 1 - F(x)) < n\bigr)\,dx

    with density f and distribution function F of G. For n = 1, d = 1 it is :math:`H_m/m` with the harmonic sum.

    Parameters
    ----------
    p : int
        Number of rows, odd, 3 at least.
    d : int
        Dimension of a row.
    n_frequencies : int
        Number n of frequencies, (p - 1)/2 at most.

    Returns
    -------
    float
        Mean share.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    p, d, n = _checks.integer("p", p, 3), _checks.integer("d", d), _checks.integer("n_frequencies", n_frequencies)
    m = (p - 1) // 2
    if p % 2 == 0:
        raise ValueError(f"p must be odd, got {p}")
    if n > m:
        raise ValueError(f"n_frequencies must be at most {m} for p = {p}, got {n}")
    power = gamma(d)

    def among_strongest(x: float) -> float:
        # x f(x) P(Bin(m - 1, 1 - F(x)) < n)
        return float(x * power.pdf(x) * binom.cdf(n - 1, m - 1, power.sf(x)))

    top = d + 40.0 * math.sqrt(d) + 60.0
    value, _ = quad(among_strongest, 0.0, top, points=[d, d + 4.0 * math.sqrt(d)], epsabs=1e-12, limit=400)
    return value / d


def random_frequency_entropy(p: int, d: int) -> float:
    r"""Return the mean entropy of the shares of the frequencies in p rows of d independent normal numbers, mean row removed.

    .. math:: \mathrm{E}\Bigl[-\sum_k q_k\ln q_k\Bigr] = \psi(A + 1) - \sum_k\frac{a_k}{A}\psi(a_k + 1)

    The shares follow Dirichlet's law with :math:`a_k = d`, and d/2 for the frequency p/2; A is the sum of all :math:`a_k`.

    Parameters
    ----------
    p : int
        Number of rows, 3 at least.
    d : int
        Dimension of a row.

    Returns
    -------
    float
        Mean entropy, in nats.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    p, d = _checks.integer("p", p, 3), _checks.integer("d", d)
    a = np.full(p // 2, float(d))
    if p % 2 == 0:
        a[-1] /= 2.0
    # psi(A + 1) - sum_k a_k/A psi(a_k + 1)
    return float(psi(a.sum() + 1.0) - (a / a.sum() * psi(a + 1.0)).sum())
