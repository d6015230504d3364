"""Uncertainty products between position and force: under Gibbs, under any Gaussian, and for any smooth density."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.polynomial import hermite_e
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.models import Langevin, require
from shld_sim.potentials import Potential
from shld_sim.theory._panels import integrate
from shld_sim.theory.gibbs import gibbs_expectation

Array = NDArray[np.float64]


def uncertainty_bound(D: float) -> float:
    """Return D, the lower bound of ``sd(x) sd(V')`` under the Gibbs law in 1-D (the document claims D/2).

    Integration by parts gives ``Cov(x, V') = D``; Cauchy-Schwarz gives ``sd(x) sd(V') >= D``, with equality iff V' is
    linear.

    Parameters
    ----------
    D : float
        Diffusion constant.

    Returns
    -------
    float
        The bound, in the unit of D.

    Raises
    ------
    ValueError
        If D is not positive.
    """
    return _checks.positive("D", D)


def uncertainty_product(model: Langevin) -> float:
    """Return ``sd(x) sd(V'(x))`` under the Gibbs law of a 1-D model; it is at least D.

    Parameters
    ----------
    model : Langevin
        One-dimensional overdamped dynamics with constant D, not on a circle.

    Returns
    -------
    float
        The product, in the unit of D; relative error about 1e-13.

    Raises
    ------
    ValueError
        If d is not 1, V is periodic or ``exp(-V/D)`` is not integrable.
    """
    require(model, Langevin, dim=1)
    potential = model.potential
    if potential.period is not None:
        raise ValueError(f"potential must not be periodic (sd(x) has no meaning on a circle), got {potential!r}")
    mean = gibbs_expectation(model, lambda x: x)
    variance = gibbs_expectation(model, lambda x: (x - mean) ** 2)
    force = gibbs_expectation(model, lambda x: potential.gradient(x) ** 2)  # E V' = 0 exactly
    return math.sqrt(variance * force)


def gaussian_uncertainty_product(potential: Potential, mean: float, sd: float) -> float:
    """Return ``sd(x) sd(V'(x))`` for ``x ~ N(mean, sd^2)``: no lower bound, the counterexample to the general claim.

    In a harmonic well it is ``k sd^2``, as small as one likes. Gauss-Hermite rule with 100 nodes: exact when V is a
    polynomial of degree up to 100.

    Parameters
    ----------
    potential : Potential
        One-dimensional landscape.
    mean, sd : float
        Of the Gaussian density; ``sd > 0``.

    Returns
    -------
    float
        The product, in the unit of D.

    Raises
    ------
    ValueError
        If the potential is not 1-D or ``sd`` is not positive.
    """
    mean, sd = _checks.number("mean", mean), _checks.positive("sd", sd)
    if potential.dim != 1:
        raise ValueError(f"potential must be one-dimensional, got {potential.dim} dimensions")
    nodes, weights = hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    force = np.asarray(potential.gradient(mean + sd * nodes))
    return sd * math.sqrt(float(weights @ (force - weights @ force) ** 2))


def cramer_rao_product(weights: ArrayLike, means: ArrayLike, sds: ArrayLike, D: float) -> float:
    """Return ``sd(x) sqrt(E |D d ln p/dx|^2)`` for a Gaussian mixture p; it is at least D (Cramer-Rao).

    This is the form of the uncertainty relation that holds for *every* smooth density; equality iff p is Gaussian.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Positive; they are normalised to sum 1.
    means, sds : array_like, shape (n,)
        Of the components; ``sds > 0``.
    D : float
        Diffusion constant.

    Returns
    -------
    float
        The product, in the unit of D; relative error about 1e-12.

    Raises
    ------
    ValueError
        If shapes differ, or a weight, a standard deviation or D is not positive.
    """
    w = np.atleast_1d(_checks.finite_array("weights", weights))
    m = np.atleast_1d(_checks.finite_array("means", means))
    s = np.atleast_1d(_checks.finite_array("sds", sds))
    D = _checks.positive("D", D)
    if not (w.ndim == 1 and w.shape == m.shape == s.shape):
        raise ValueError(f"means and sds must have the shape of weights, {w.shape}, got {m.shape} and {s.shape}")
    for name, array in (("weights", w), ("sds", s)):
        if np.any(array <= 0.0):
            raise ValueError(f"{name} must be positive, got {float(array.min())!r}")
    w = w / w.sum()
    mean = float(w @ m)
    variance = float(w @ (s**2 + (m - mean) ** 2))

    def integrand(x: Array) -> Any:  # p (d ln p/dx)^2, with the largest component factored out
        z = (x[..., None] - m) / s
        log_parts = np.log(w / s) - 0.5 * z**2
        top = log_parts.max(axis=-1, keepdims=True)
        parts = np.exp(log_parts - top)
        score = -(parts * z / s).sum(axis=-1) / parts.sum(axis=-1)
        return np.exp(top[..., 0]) * parts.sum(axis=-1) * score**2 / math.sqrt(2.0 * math.pi)

    edges = np.unique((m[:, None] + s[:, None] * np.linspace(-13.0, 13.0, 27)).ravel())
    return D * math.sqrt(variance * integrate(integrand, edges))
