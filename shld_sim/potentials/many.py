"""Landscapes in any number of dimensions: the Mexican hat and the quadratic form."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.potentials import wells
from shld_sim.potentials.base import Potential, ScalarFunctions

Array = NDArray[np.float64]


def _hat_energy(x, p):
    r2 = 0.0
    for i in range(x.shape[0]):
        r2 += x[i] * x[i]
    v = r2 / (p[1] * p[1]) - 1.0
    return p[0] * v * v


def _hat_gradient(x, out, p):
    r2 = 0.0
    for i in range(x.shape[0]):
        r2 += x[i] * x[i]
    slope = 4.0 * p[0] / (p[1] * p[1]) * (r2 / (p[1] * p[1]) - 1.0)
    for i in range(x.shape[0]):
        out[i] = slope * x[i]


class MexicanHat(Potential):
    r"""Mexican hat :math:`V(x) = h\,(|x|^2/R^2 - 1)^2`, invariant under rotations.

    Its minima fill the sphere :math:`|x| = R`; `minima` returns the one on the first axis. The origin is a maximum:
    from two dimensions on there is no index-one saddle.

    Parameters
    ----------
    dim : int
        Number of dimensions.
    height : float
        Height ``h`` of the centre, positive.
    radius : float
        Radius ``R`` of the brim, positive.
    """

    def __init__(self, dim: int = 2, height: float = 0.25, radius: float = 1.0) -> None:
        dim = _checks.integer("dim", dim)
        height, radius = _checks.positive("height", height), _checks.positive("radius", radius)
        functions = wells.DOUBLE_WELL if dim == 1 else ScalarFunctions(_hat_energy, _hat_gradient, vector=True)
        arguments = {"dim": dim, "height": height, "radius": radius}
        box = ((-2.0 * radius, 2.0 * radius),) * dim
        self._state(functions, (height, radius), dim, arguments=arguments, plot_box=box)

    def hessian(self, x: ArrayLike) -> Array:
        """Return the Hessian ``(4h/R^2) ((r^2/R^2 - 1) I + 2 x x^T/R^2)``, shape ``(..., dim, dim)``."""
        x = _checks.points("x", x, self.dim)
        if self.dim == 1:
            return super().hessian(x)
        height, radius = self.params
        scale = 4.0 * height / radius**2
        isotropic = ((x * x).sum(axis=-1) / radius**2 - 1.0)[..., None, None] * np.eye(self.dim)
        return scale * (isotropic + 2.0 * x[..., :, None] * x[..., None, :] / radius**2)

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        radius = self.params[1]
        if self.dim == 1:
            return np.array([-radius, radius]), np.zeros(1)
        return radius * np.eye(self.dim)[:1], np.empty((0, self.dim))


def _quadratic_energy(x, p):
    total = 0.0
    for i in range(x.shape[0]):
        total += p[0][i] * x[i] * x[i]
    return 0.5 * total


def _quadratic_gradient(x, out, p):
    for i in range(x.shape[0]):
        out[i] = p[0][i] * x[i]


class QuadraticForm(Potential):
    r"""Quadratic form :math:`V(x) = \frac12 \sum_i \lambda_i x_i^2` along its principal axes.

    Parameters
    ----------
    eigenvalues : array_like of float
        ``lambda_i``, one per dimension; negative values make a saddle, zero a flat direction.
    """

    def __init__(self, eigenvalues: ArrayLike) -> None:
        values = np.atleast_1d(_checks.finite_array("eigenvalues", eigenvalues)).copy()
        if values.ndim != 1 or values.size == 0:
            raise ValueError(f"eigenvalues must be a list of numbers, got an array of shape {values.shape}")
        values.setflags(write=False)
        dim = len(values)
        if dim == 1:
            functions, params = wells.HARMONIC, (float(values[0]),)  # type: tuple[ScalarFunctions, tuple[object, ...]]
        else:
            functions, params = ScalarFunctions(_quadratic_energy, _quadratic_gradient, vector=True), (values,)
        self._state(functions, params, dim, arguments={"eigenvalues": values.tolist()})

    def hessian(self, x: ArrayLike) -> Array:
        """Return the Hessian ``diag(lambda)``, shape ``(...)`` for ``dim == 1``, else ``(..., dim, dim)``."""
        x = _checks.points("x", x, self.dim)
        if self.dim == 1:
            return super().hessian(x)
        return np.broadcast_to(np.diag(self.params[0]), (*x.shape, self.dim)).copy()

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        origin, none = np.zeros((1, self.dim)), np.empty((0, self.dim))
        if self.dim == 1:
            origin, none = origin[:, 0], none[:, 0]
        values = np.atleast_1d(self.params[0])
        return origin if (values > 0).all() else none, origin if (values < 0).sum() == 1 else none
