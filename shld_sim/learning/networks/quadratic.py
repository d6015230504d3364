"""Gromov's network: two layers, squares between them, one-hot symbols in; its weights for modular addition are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.learning.networks.base import Network, Weights, Workspace
from shld_sim.learning.networks.lookup import collect, collect_each, look_up, symbols
from shld_sim.learning.networks.losses import Loss, SquaredError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class QuadraticNetwork(Network):
    r"""Two layers with squares, :math:`f_q(a, b) = \frac{1}{N}\sum_{k=1}^N V_{qk}\,(U_{ak} + W_{bk})^2`.

    The input is two symbols; their one-hot vectors would only pick rows of the first layer. Parameters: ``first``, shape
    (2, p, N), holds U and W; ``second``, shape (k, N), holds V. The factor 1/N makes weights of order 1 give outputs of order 1
    (mean-field scaling): step sizes grow with the width, and with plain descent ``learning_rate`` = N/4 and ``spread`` = 1/2
    are a good beginning. The larger the spread of the first weights, the longer grokking is delayed.

    Parameters
    ----------
    n_symbols : int
        Number p of symbols.
    width : int
        Number N of hidden units.
    n_outputs : int, optional
        Number of outputs, ``n_symbols`` if not given.
    spread : float
        Standard deviation of the first parameters, positive.
    loss_function : Loss
        `SquaredError` or `CrossEntropy`.

    References
    ----------
    A. Gromov, "Grokking modular arithmetic", 2023, arXiv:2301.02679.

    Examples
    --------
    >>> from shld_sim import learning
    >>> task = learning.modular_addition(7)
    >>> network = learning.QuadraticNetwork(7, width=200)
    >>> theta = network.addition_weights()
    >>> network.accuracy(theta, task.test_inputs, task.test_targets)
    1.0
    """

    n_symbols: int
    width: int = 128
    n_outputs: int | None = None
    spread: float = 0.5
    loss_function: Loss = field(default_factory=SquaredError)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_symbols", _checks.integer("n_symbols", self.n_symbols, 2))
        object.__setattr__(self, "width", _checks.integer("width", self.width))
        k = self.n_symbols if self.n_outputs is None else _checks.integer("n_outputs", self.n_outputs)
        object.__setattr__(self, "n_outputs", k)
        object.__setattr__(self, "spread", _checks.positive("spread", self.spread))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {"first": (2, self.n_symbols, self.width), "second": (self._n_outputs, self.width)}

    def initial(self, seed: int | np.random.SeedSequence = 0) -> Array:
        return self.spread * np.random.default_rng(seed).standard_normal(self.n_parameters)

    def addition_weights(self, seed: int | np.random.SeedSequence = 0, amplitude: float = 2.0 ** (1 / 3)) -> Array:
        r"""Return Gromov's weights for addition modulo p, waves of random frequency and phase.

        .. math:: U_{ak} = A\cos(2\pi\sigma_k a/p + \phi_k),\quad W_{bk} = A\cos(2\pi\sigma_k b/p + \psi_k),\quad
           V_{qk} = A\cos(2\pi\sigma_k q/p + \phi_k + \psi_k)

        Of the square only :math:`\cos(2\pi\sigma_k(a + b)/p + \phi_k + \psi_k)` is in phase with V, so that the sum over units is
        :math:`\frac{A^3}{2}` at q = a + b mod p and noise of the order :math:`1/\sqrt N` elsewhere.

        Parameters
        ----------
        seed : int or numpy.random.SeedSequence
            Seed of the phases.
        amplitude : float
            ``A``, positive; 2^(1/3) makes the output at the sum about 1.

        Returns
        -------
        ndarray, shape (n_parameters,)
            Parameters.

        Raises
        ------
        ValueError
            If the network has not p outputs, or the amplitude is not positive.
        """
        p, N = self.n_symbols, self.width
        if self._n_outputs != p:
            raise ValueError(f"n_outputs must be n_symbols = {p} for sums modulo {p}, got {self._n_outputs}")
        A, rng = _checks.positive("amplitude", amplitude), np.random.default_rng(seed)
        # frequencies 1 ... p // 2, each as often as any other
        sigma = 1 + rng.permutation(N) % (p // 2)
        phi, psi = rng.uniform(0.0, 2.0 * np.pi, (2, N))
        wave = 2.0 * np.pi / p * np.outer(np.arange(p), sigma)
        theta = np.empty(self.n_parameters)
        w = self.views(theta)
        w["first"][0], w["first"][1] = A * np.cos(wave + phi), A * np.cos(wave + psi)
        w["second"][:] = A * np.cos(wave + phi + psi)
        return theta

    @property
    def _n_outputs(self) -> int:
        assert self.n_outputs is not None
        return self.n_outputs

    def _checked_inputs(self, inputs: ArrayLike) -> NDArray[np.int64]:
        return symbols(inputs, self.n_symbols, 2)

    def _forward(self, ready: Weights, x: Any, room: Workspace) -> tuple[Any, Any]:
        n, N = len(x), self.width
        z, h = room("z", n, N), room("h", n, N)
        look_up(ready["first"], x, z, h)
        # f = V z^2/N
        np.multiply(z, z, out=h)
        F = np.matmul(h, ready["second"].T, out=room("F", n, self._n_outputs))
        F /= N
        return F, (z, h)

    def _backward(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights, room: Workspace) -> None:
        z, h = memory
        R *= 1.0 / self.width
        # dL/dV = R^T z^2/N
        g["second"] += np.matmul(R.T, h, out=room("second", *ready["second"].shape))
        # dL/dz = 2 z (R V)/N, and each row belongs to the symbols of its example
        R *= 2.0
        np.matmul(R, ready["second"], out=h)
        h *= z
        collect(h, x, g["first"])

    def _each(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights) -> None:
        z, h = memory
        R *= 1.0 / self.width
        np.multiply(R[:, :, None], h[:, None, :], out=g["second"])
        collect_each(2.0 * z * (R @ ready["second"]), x, g["first"])
