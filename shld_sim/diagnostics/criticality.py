"""The tracker of the document on Levy dynamics: C_a, the margin S and the rate of the metric, its rules as they stand."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from shld_sim import _checks
from shld_sim.diagnostics.tail import TailIndex, hill

C_BAND = (0.8, 1.2)
S_BAND = (-0.1, 0.1)
TAU = 0.5


@dataclass(frozen=True)
class Criticality:
    """What the tracker says of one step.

    Attributes
    ----------
    C : float
        ``C_a = |g|^2/(2 D_a d)`` with ``D_a = (sigma_a/|g|)^alpha``; nan until the window holds 20 norms.
    S : float
        ``2/eta - lmax``.
    rate : float
        ``rho`` less that of the step before; nan at the first.
    alpha : float
        Hill's estimate on the largest tenth of the window, cut to [1.1, 1.9].
    tail : TailIndex or None
        The same without the cut, with its interval.
    phi : float
        ``exp(-[(C - 1)^2/(2 s1^2) + S^2/(2 s2^2) + (|rate| - 1)^2/(2 s3^2)])``, s = .3, .15, .5.
    conditions : tuple of bool
        Whether C, S and the rate are in their bands.
    """

    C: float
    S: float
    rate: float
    alpha: float
    tail: TailIndex | None
    phi: float
    conditions: tuple[bool, bool, bool]

    @property
    def critical(self) -> bool:
        """Whether all three are."""
        return all(self.conditions)


def levy_consolidation(gradient_norm: float, sigma: float, alpha: float, dim: float) -> float:
    """Return ``C_a = |g|^2/(2 D_a d)`` with ``D_a = (sigma/|g|)^alpha``, as the document states it.

    **It has a unit**: D_a is a ratio of two gradients and has none, so that C_a is a squared gradient, and "C_a = 1" is another
    state for the loss in another unit. ``1/D_a`` has none; see `theory.downhill_probability`.

    Parameters
    ----------
    gradient_norm : float
        ``|g|``, positive.
    sigma : float
        Scale of the noise of the gradient, in the same unit.
    alpha : float
        Tail index in (0, 2].
    dim : float
        d, number of parameters.

    Returns
    -------
    float
        C_a, gradient**2.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    """
    size, noise = _checks.positive("gradient_norm", gradient_norm), _checks.positive("sigma", sigma)
    D = (noise / size) ** _checks.stability_index("alpha", alpha)
    return size**2 / (2.0 * D * _checks.positive("dim", dim))


def criticality_phi(C: float, S: float, rate: float) -> float:
    """Return ``exp(-[(C - 1)^2/(2 s1^2) + S^2/(2 s2^2) + (|rate| - 1)^2/(2 s3^2)])`` with s = .3, .15, .5.

    Parameters
    ----------
    C, S, rate : float
        C_a, margin, rate of the metric. The document writes r for the rate; here it is taken without its sign, as in
        the rule on tau.

    Returns
    -------
    float
        In [0, 1]; nan if one of them is.
    """
    return math.exp(
        -((C - 1.0) ** 2 / (2.0 * 0.3**2) + S**2 / (2.0 * 0.15**2) + (abs(rate) - 1.0) ** 2 / (2.0 * 0.5**2))
    )


class CriticalityTracker:
    """The document's tracker; it sees one step after the other.

    Critical when ``C_a in [.8, 1.2]``, ``S in [-.1, .1]`` and ``|rate| > tau`` at once.

    Parameters
    ----------
    eta : float
        Step of the descent, 1/curvature.
    dim : float, optional
        Number of parameters d in C_a. Default: the length of the window, which is what the document's program divides by:
        its C_a is larger than its formula says by d/100.
    window : int
        Gradient norms kept, 20 or more.
    tau : float
        Threshold of the rate.

    References
    ----------
    Hill, Ann. Statist. 3 (1975) 1163 (the tail index).
    """

    def __init__(self, eta: float, dim: float | None = None, window: int = 100, tau: float = TAU) -> None:
        self.eta, self.tau = _checks.positive("eta", eta), _checks.positive("tau", tau)
        self.window = _checks.integer("window", window, 20)
        self.dim = None if dim is None else _checks.positive("dim", dim)
        self._norms: deque[float] = deque(maxlen=self.window)
        self._rho = math.nan

    def __repr__(self) -> str:
        return f"CriticalityTracker(eta={self.eta!r}, dim={self.dim!r}, window={self.window!r}, tau={self.tau!r})"

    def update(self, gradient_norm: float, lmax: float, rho: float) -> Criticality:
        """Take the norm of a minibatch gradient, the largest curvature and ln det G of one step; return its state.

        Parameters
        ----------
        gradient_norm : float
            ``|g|``, positive.
        lmax : float
            Largest eigenvalue of the Hessian.
        rho : float
            Logarithm of the determinant of the tangent kernel.

        Returns
        -------
        Criticality
            The three numbers, Phi and which conditions hold.

        Raises
        ------
        ValueError
            If the norm is not positive or a number is not finite.
        """
        size = _checks.positive("gradient_norm", gradient_norm)
        margin, rho = 2.0 / self.eta - _checks.number("lmax", lmax), _checks.number("rho", rho)
        rate, self._rho = rho - self._rho, rho
        self._norms.append(size)
        C = alpha = phi = math.nan
        tail = None
        norms = np.sort(self._norms)
        sigma = float(norms.std())
        if len(norms) >= 20 and norms[-1] > norms[-len(norms) // 10 - 1]:  # Hill's largest tenth must differ
            tail = hill(norms)
            alpha = tail.clipped()
            C = levy_consolidation(size, sigma, alpha, float(self.window) if self.dim is None else self.dim)
            phi = criticality_phi(C, margin, rate)
        conditions = (
            C_BAND[0] <= C <= C_BAND[1],
            S_BAND[0] <= margin <= S_BAND[1],
            abs(rate) > self.tau,
        )
        return Criticality(C, margin, rate, alpha, tail, phi, conditions)
