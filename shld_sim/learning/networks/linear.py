"""Models that are understood: linear regression, a product of numbers, a bowl with random centres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.learning.networks.base import Network, Weights, Workspace
from shld_sim.learning.networks.losses import Loss, SquaredError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Linear(Network):
    r"""Linear outputs :math:`f = W x`, of any features; with those of `random_features` a random-features model.

    Parameters of the network: ``weight``, shape (n_outputs, n_features).

    Parameters
    ----------
    n_features : int
        Length of an input.
    n_outputs : int
        Number of outputs.
    spread : float
        Standard deviation of the first parameters; 0 starts at zero, from where descent finds the solution of least norm.
    loss_function : Loss
        `SquaredError` or `CrossEntropy`.
    """

    n_features: int
    n_outputs: int = 1
    spread: float = 0.0
    loss_function: Loss = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        for name in ("n_features", "n_outputs"):
            object.__setattr__(self, name, _checks.integer(name, getattr(self, name)))
        object.__setattr__(self, "spread", _checks.nonnegative("spread", self.spread))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.n_outputs, self.n_features)}

    def initial(self, seed: int | np.random.SeedSequence = 0) -> Array:
        return self.spread * np.random.default_rng(seed).standard_normal(self.n_parameters)

    def least_squares(self, inputs: ArrayLike, targets: ArrayLike, ridge: float = 0.0) -> Array:
        r"""Return the minimum of :math:`\frac1n\sum\frac12|W x - y|^2 + \frac{r}{2}|W|^2`; for r = 0 the one of least norm.

        It is where descent from zero ends: for n < n_features the interpolation that double descent is about.

        Parameters
        ----------
        inputs : array_like, shape (n, n_features)
            Features.
        targets : array_like, shape (n, n_outputs)
            Values.
        ridge : float
            ``r``, not negative.

        Returns
        -------
        ndarray, shape (n_parameters,)
            Parameters.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        r = _checks.nonnegative("ridge", ridge)
        x, y = self._checked_inputs(inputs), _checks.finite_array("targets", targets)
        if y.shape != (len(x), self.n_outputs):
            raise ValueError(f"targets must have shape ({len(x)}, {self.n_outputs}), got {y.shape}")
        if r > 0.0:
            # (X^T X + n r) W^T = X^T Y as a least-squares problem with n_features more rows
            x = np.vstack([x, np.sqrt(len(x) * r) * np.eye(self.n_features)])
            y = np.vstack([y, np.zeros((self.n_features, self.n_outputs))])
        return np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], np.float64).T.ravel()

    @property
    def _n_outputs(self) -> int:
        return self.n_outputs

    def _checked_inputs(self, inputs: ArrayLike) -> Array:
        return _features(inputs, self.n_features)

    def _forward(self, ready: Weights, x: Any, room: Workspace) -> tuple[Any, Any]:
        return np.matmul(x, ready["weight"].T, out=room("F", len(x), self.n_outputs)), None

    def _backward(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights, room: Workspace) -> None:
        g["weight"] += R.T @ x

    def _each(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights) -> None:
        np.multiply(R[:, :, None], x[:, None, :], out=g["weight"])


@dataclass(frozen=True)
class Product(Network):
    r"""A deep linear network one unit wide, :math:`f(u) = u\,\theta_1\theta_2\cdots\theta_d`.

    With depth 2, u = 1 and targets 1 + noise its loss is that of `RescalingValley`, :math:`(xy - 1)^2/2`, whose minima
    are joined by the rescaling :math:`(x, y) \to (cx, y/c)`, and stochastic gradients move along them.
    Parameters of the network: ``factors``, shape (depth,).

    Parameters
    ----------
    depth : int
        Number of factors.
    spread : float
        Standard deviation of the first parameters around 1.
    loss_function : Loss
        `SquaredError`.
    """

    depth: int = 2
    spread: float = 0.1
    loss_function: Loss = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", _checks.integer("depth", self.depth))
        object.__setattr__(self, "spread", _checks.nonnegative("spread", self.spread))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"factors": (self.depth,)}

    def initial(self, seed: int | np.random.SeedSequence = 0) -> Array:
        return 1.0 + self.spread * np.random.default_rng(seed).standard_normal(self.depth)

    @property
    def _n_outputs(self) -> int:
        return 1

    def _checked_inputs(self, inputs: ArrayLike) -> Array:
        return _features(inputs, 1)

    def _forward(self, ready: Weights, x: Any, room: Workspace) -> tuple[Any, Any]:
        return x * ready["factors"].prod(), None

    def _others(self, factors: Any) -> Any:
        """Product of all factors but one, for each."""
        return np.array([np.delete(factors, i).prod() for i in range(self.depth)])

    def _backward(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights, room: Workspace) -> None:
        g["factors"] += (R * x).sum() * self._others(ready["factors"])

    def _each(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights) -> None:
        g["factors"][:] = (R * x) * self._others(ready["factors"])


@dataclass(frozen=True)
class Bowl(Network):
    r"""A quadratic with a random centre for every example, :math:`\ell(\theta; c) = \frac12\sum_i \lambda_i(\theta_i - c_i)^2`.

    Written as outputs :math:`\sqrt{\lambda_i}\,\theta_i` with targets :math:`\sqrt{\lambda_i}\,c_i`, as `noisy_quadratic` makes
    them. A gradient has the mean :math:`\lambda_i(\theta_i - \bar c_i)` and the covariance :math:`\lambda_i\lambda_j\,
    \mathrm{Cov}(c_i, c_j)`, so that C, p and the edge of stability are known.
    Parameters of the network: ``theta``, shape (d,). Inputs have no columns: shape (n, 0).

    Parameters
    ----------
    curvatures : tuple of float
        ``lambda``, positive.
    spread : float
        Standard deviation of the first parameters.
    loss_function : Loss
        `SquaredError`.
    """

    curvatures: tuple[float, ...]
    spread: float = 1.0
    loss_function: Loss = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        values = tuple(_checks.positive("curvatures", value) for value in self.curvatures)
        if not values:
            raise ValueError("curvatures must name one value at least, got ()")
        object.__setattr__(self, "curvatures", values)
        object.__setattr__(self, "spread", _checks.nonnegative("spread", self.spread))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"theta": (len(self.curvatures),)}

    def initial(self, seed: int | np.random.SeedSequence = 0) -> Array:
        return self.spread * np.random.default_rng(seed).standard_normal(self.n_parameters)

    @property
    def _n_outputs(self) -> int:
        return len(self.curvatures)

    def _checked_inputs(self, inputs: ArrayLike) -> Array:
        return _features(inputs, 0)

    def _forward(self, ready: Weights, x: Any, room: Workspace) -> tuple[Any, Any]:
        F = room("F", len(x), self._n_outputs)
        F[:] = np.sqrt(self.curvatures) * ready["theta"]
        return F, None

    def _backward(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights, room: Workspace) -> None:
        g["theta"] += np.sqrt(self.curvatures) * R.sum(axis=0)

    def _each(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights) -> None:
        g["theta"][:] = np.sqrt(self.curvatures) * R


def _features(inputs: ArrayLike, columns: int) -> Array:
    x = _checks.finite_array("inputs", inputs)
    if x.ndim != 2 or x.shape[1] != columns:
        raise ValueError(f"inputs must have shape (n, {columns}), got {x.shape}")
    return x
