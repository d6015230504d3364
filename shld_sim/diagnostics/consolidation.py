"""Signal against noise in stochastic gradients: the consolidation ratio C, the probability p, Gamma and the noise scale.

One quantity under four names. With mean ``mu`` and covariance ``S`` of a gradient, ``C = |mu|^2/tr S``; the documents also
call it ``Gamma`` (squared norm of the mean of some minibatch gradients over their summed variance) and use ``p = C/(1 + C)``;
``1/C`` of single examples is the "simple" gradient noise scale, the batch size at which ``C`` becomes 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from shld_sim import _checks

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Consolidation:
    """Consolidation ratio ``C = |mu|^2/tr S`` of a stochastic gradient, estimated, with its interval.

    Attributes
    ----------
    C : float
        Estimate without the bias of ``plug_in``. It may be negative when the mean is hidden by the noise.
    interval : tuple of float
        Confidence interval of C, cut at 0. It is (0, 0) when even ``C = 0`` would rarely give so small a mean.
    stderr : float
        Standard error of C.
    plug_in : float
        Squared norm of the sample mean over the summed sample variance: C plus 1/n on average, for n gradients.
    signal : float
        Unbiased estimate of ``|mu|^2``, squared gradient units.
    noise : float
        Unbiased estimate of ``tr S``, squared gradient units.
    n : int
        Number of gradients, or of pairs of norms.
    confidence : float
        Confidence level of the interval.
    """

    C: float
    interval: tuple[float, float]
    stderr: float
    plug_in: float
    signal: float
    noise: float
    n: int
    confidence: float

    @property
    def p(self) -> float:
        """``p = C/(1 + C) = |mu|^2/E|g|^2``, the part of the squared gradient that is signal; 0 where C is negative."""
        return _share(self.C)

    @property
    def p_interval(self) -> tuple[float, float]:
        """Confidence interval of p."""
        return _share(self.interval[0]), _share(self.interval[1])

    @property
    def odds(self) -> float:
        """``p/(1 - p)``, which is C where C is not negative."""
        return max(self.C, 0.0)

    @property
    def noise_scale(self) -> float:
        """``tr S/|mu|^2 = 1/C``, in batches such as those given; infinite where C is not positive.

        For gradients of single examples, ``B_simple`` of McCandlish et al. (2018).
        """
        return 1.0 / self.C if self.C > 0.0 else math.inf

    def with_batch(self, size: float) -> Consolidation:
        """Return the same of the mean of ``size`` such gradients: C is ``size`` times larger, the noise as much smaller."""
        B = _checks.positive("size", size)
        return replace(
            self,
            C=B * self.C,
            interval=(B * self.interval[0], B * self.interval[1]),
            stderr=B * self.stderr,
            plug_in=B * self.plug_in,
            noise=self.noise / B,
        )


def consolidation(gradients: ArrayLike, *, confidence: float = 0.95, noise: str = "any") -> Consolidation:
    """Estimate ``C = |mu|^2/tr S`` from n independent stochastic gradients with mean ``mu`` and covariance ``S``.

    With ``A = |mean g|^2 - T/n`` and ``T`` the summed sample variance, A and T are unbiased for ``|mu|^2`` and ``tr S``
    whatever the law of g. The document's ``Gamma``, ``|mean g|^2/T``, is ``plug_in``.

    Parameters
    ----------
    gradients : array_like, shape (n, d)
        One gradient a row, n >= 3: of single examples, or of minibatches (whose C is larger by the size of the batch).
    confidence : float
        Level of the interval, in (0, 1).
    noise : {"any", "isotropic"}
        ``"any"``: C = A/T, which leaves a relative bias of the order ``tr S^2/(n (tr S)^2)``; its interval is a jackknife
        with Student's t, taken of ``sqrt(C + 1/n)``, where the spread hardly depends on C (coverage measured between 0.93
        and 0.99 for n >= 20 and d >= 2, above at C = 0). ``"isotropic"``: for normal noise with ``S = s^2 I``
        ``n |mean g|^2/T`` is noncentral F with d and (n - 1) d degrees of freedom and noncentrality ``n d C``: estimate
        without bias and exact interval.

    Returns
    -------
    Consolidation
        Estimate, interval and what they rest on.

    Raises
    ------
    ValueError
        If the shape is not (n, d) with n >= 3, the gradients are all the same, or ``noise`` or ``confidence`` is wrong.

    References
    ----------
    S. McCandlish, J. Kaplan, D. Amodei and the OpenAI Dota team, "An empirical model of large-batch training", 2018,
    arXiv:1812.06162, section 2.2. B. Efron, C. Stein, "The jackknife estimate of variance", Annals of Statistics 9 (1981) 586.
    """
    g = _checks.finite_array("gradients", gradients)
    if g.ndim != 2 or g.shape[0] < 3 or g.shape[1] < 1:
        raise ValueError(f"gradients must have shape (n, d) with n >= 3 gradients as rows, got {g.shape}")
    level = _checks.probability("confidence", confidence)
    _checks.one_of("noise", noise, ("any", "isotropic"))
    n, d = g.shape
    middle = g.mean(axis=0)
    rest = g - middle
    square = float(middle @ middle)
    parts = np.einsum("ij,ij->i", rest, rest)
    total = float(parts.sum()) / (n - 1)
    if total <= 1e-28 * square or total == 0.0:
        raise ValueError("gradients must differ from one another: their variance is zero")
    if noise == "isotropic":
        C, stderr, interval = _noncentral_f(n, d, n * square / total, level)
    else:
        # Without gradient i: |mean|^2 and summed variance follow from r_i = g_i - mean.
        less = square - 2.0 * (rest @ middle) / (n - 1) + parts / (n - 1) ** 2
        spread = (total * (n - 1) - parts * n / (n - 1)) / (n - 2)
        C, stderr, interval = _jackknife(
            square / total, less / np.maximum(spread, 1e-300), 1.0 / n, 1.0 / (n - 1), level
        )
    return Consolidation(C, interval, stderr, square / total, square - total / n, total, n, level)


def consolidation_two_batches(
    small: ArrayLike, large: ArrayLike, sizes: tuple[float, float], *, confidence: float = 0.95
) -> Consolidation:
    """Estimate C of single examples from squared norms of the gradients of small and large batches.

    ``E|G_b|^2 = |mu|^2 + tr S/b``. With averages over repeats, ``|mu|^2`` is estimated by
    ``(B |G_B|^2 - b |G_b|^2)/(B - b)`` and ``tr S`` by ``(|G_b|^2 - |G_B|^2)/(1/b - 1/B)``, both without bias. With b = 1,
    B = n and the same n gradients this is `consolidation`.

    Parameters
    ----------
    small : array_like, shape (n,)
        Squared norms of gradients of small batches, n >= 3 independent repeats.
    large : array_like, shape (n,)
        Squared norms of gradients of large batches, which may hold the small ones.
    sizes : tuple of float
        ``(b, B)`` with ``0 < b < B``.
    confidence : float
        Level of the interval, in (0, 1); jackknife over the repeats, taken of ``sqrt(C + 1/B)``.

    Returns
    -------
    Consolidation
        For single examples: ``noise_scale`` is ``B_simple``, a batch size; ``plug_in`` is ``|G_B|^2/tr S``, with the bias 1/B.

    Raises
    ------
    ValueError
        If the shapes differ or n < 3, the sizes are out of order, a norm is negative, or the norms of small batches do not
        exceed those of large ones (more repeats are needed).

    References
    ----------
    McCandlish et al., "An empirical model of large-batch training", 2018, arXiv:1812.06162, appendix A.1.
    """
    low, high = _checks.finite_array("small", small), _checks.finite_array("large", large)
    level = _checks.probability("confidence", confidence)
    b, B = _checks.interval("sizes", sizes)
    if b <= 0.0 or not math.isfinite(B):
        raise ValueError(f"sizes must be positive and finite, got {sizes!r}")
    if low.ndim != 1 or low.shape != high.shape or len(low) < 3:
        raise ValueError(f"small and large must be lists of the same n >= 3 repeats, got {low.shape} and {high.shape}")
    if min(low.min(), high.min()) < 0.0:
        raise ValueError(
            f"small and large must be squared norms, not negative, got {float(min(low.min(), high.min()))!r}"
        )
    n = len(low)
    noise = float(low.mean() - high.mean()) / (1.0 / b - 1.0 / B)
    if noise <= 0.0:
        raise ValueError(
            f"small must exceed large on average, got means {float(low.mean())!r} and {float(high.mean())!r}: take more repeats"
        )
    left_low, left_high = (low.sum() - low) / (n - 1), (high.sum() - high) / (n - 1)
    spread = np.maximum(left_low - left_high, 1e-300) / (1.0 / b - 1.0 / B)
    plug_in = float(high.mean()) / noise
    C, stderr, interval = _jackknife(plug_in, left_high / spread, 1.0 / B, 1.0 / B, level)
    return Consolidation(C, interval, stderr, plug_in, C * noise, noise, n, level)


def _share(C: float) -> float:
    if math.isinf(C):
        return 1.0
    return max(C, 0.0) / (1.0 + max(C, 0.0))


def _jackknife(plug_in: float, without: Array, bias: float, bias_without: float, level: float) -> Any:
    """Return C, its standard error and its interval from ``C + bias`` and from the same with each observation left out."""
    n = len(without)
    # sqrt(C + 1/n) is the length of the mean in units of the noise; ``without`` is brought to the same n.
    root, roots = math.sqrt(plug_in), np.sqrt(np.maximum(without - bias_without + bias, 0.0))
    spread = math.sqrt((n - 1) / n * float(((roots - roots.mean()) ** 2).sum()))
    reach = float(stdtrit(n - 1, 0.5 * (1.0 + level))) * spread  # quantile of Student's t
    ends = max(root - reach, 0.0) ** 2 - bias, (root + reach) ** 2 - bias
    values = without - bias_without
    stderr = math.sqrt((n - 1) / n * float(((values - values.mean()) ** 2).sum()))
    return plug_in - bias, stderr, (max(ends[0], 0.0), max(ends[1], 0.0))


def _noncentral_f(n: int, d: int, f: float, level: float) -> Any:
    """Return C, its standard error and its interval from ``f = n |mean g|^2/T``, noncentral F for isotropic normal noise."""
    from scipy.stats import ncf

    # n |mean g|^2/s^2 is noncentral chi-square with d degrees, (n - 1) T/s^2 chi-square with (n - 1) d.
    first, second = d, (n - 1) * d
    if second <= 4:
        raise ValueError(f"gradients must have (n - 1) d > 4 for isotropic noise, got n = {n}, d = {d}")
    C = ((second - 2) / second * f - 1.0) / n  # E f = second/(second - 2) (1 + n C)
    shift = n * d * max(C, 0.0)
    variance = 2.0 * ((first + shift) ** 2 + (first + 2.0 * shift) * (second - 2)) / ((second - 4) * first**2 * n**2)

    def excess(noncentrality: float, share: float) -> float:
        return float(ncf.cdf(f, first, second, noncentrality)) - share

    ends = [_root(excess, 0.5 * (1.0 + sign * level), n * d * (abs(C) + 1.0)) / (n * d) for sign in (1.0, -1.0)]
    return C, math.sqrt(variance), (ends[0], ends[1])


def _root(excess: Callable[[float, float], float], share: float, scale: float) -> float:
    """Return the noncentrality at which a distribution function, which falls with it, equals ``share``; 0 if it never does."""
    from scipy.optimize import brentq

    if excess(0.0, share) <= 0.0:
        return 0.0
    high = scale
    while excess(high, share) > 0.0:
        high *= 2.0
    return float(brentq(excess, 0.0, high, args=(share,), xtol=1e-10 * high, rtol=1e-12))
