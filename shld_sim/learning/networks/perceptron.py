"""A perceptron on symbols: embeddings, hidden layers of rectified units, linear outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.learning.networks.base import Network, Weights, Workspace
from shld_sim.learning.networks.lookup import collect, collect_each, look_up, symbols
from shld_sim.learning.networks.losses import CrossEntropy, Loss

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Perceptron(Network):
    r"""Embeddings of ``slots`` symbols, one after the other, then hidden layers of :math:`\max(z, 0)`, then linear outputs.

    .. math:: h_0 = (E_{x_1}, \dots, E_{x_s}),\quad h_l = \max(W_l h_{l-1} + b_l, 0),\quad f = W_{out} h_L + b_{out}

    Parameters of the network: ``embedding``, shape (n_symbols, embedding); ``weight1``, shape (hidden[0], slots * embedding),
    ``bias1``, ..., and ``weight_out``, ``bias_out``. The first layer is a table of n_symbols rows for every slot.

    Parameters
    ----------
    n_symbols : int
        Number of symbols.
    n_outputs : int
        Number of outputs.
    embedding : int
        Length of the embedding of a symbol, the same for all slots.
    hidden : tuple of int
        Units of the hidden layers, one at least.
    slots : int
        Number of symbols of an input.
    spread : float
        Factor on the first parameters: weights are normal with variance ``2 spread^2/(inputs of the layer)`` (outputs: 1 in place
        of 2), embeddings with standard deviation ``spread``, biases 0.
    loss_function : Loss
        `CrossEntropy` or `SquaredError`.
    """

    n_symbols: int
    n_outputs: int
    embedding: int = 32
    hidden: tuple[int, ...] = (128,)
    slots: int = 2
    spread: float = 1.0
    loss_function: Loss = field(default_factory=CrossEntropy)

    def __post_init__(self) -> None:
        for name in ("n_symbols", "n_outputs", "embedding", "slots"):
            object.__setattr__(self, name, _checks.integer(name, getattr(self, name)))
        hidden = tuple(_checks.integer("hidden", units) for units in self.hidden)
        if not hidden:
            raise ValueError("hidden must name one layer at least, got ()")
        object.__setattr__(self, "hidden", hidden)
        object.__setattr__(self, "spread", _checks.positive("spread", self.spread))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {"embedding": (self.n_symbols, self.embedding)}
        size = self.slots * self.embedding
        for name, units in zip(self._layers, (*self.hidden, self.n_outputs), strict=True):
            found[f"weight{name}"], found[f"bias{name}"] = (units, size), (units,)
            size = units
        return found

    def initial(self, seed: int | np.random.SeedSequence = 0) -> Array:
        rng, theta = np.random.default_rng(seed), np.zeros(self.n_parameters)
        for name, part in self.views(theta).items():
            if name == "embedding":
                part[:] = self.spread * rng.standard_normal(part.shape)
            elif name.startswith("weight"):
                gain = 1.0 if name == "weight_out" else 2.0
                part[:] = self.spread * np.sqrt(gain / part.shape[1]) * rng.standard_normal(part.shape)
        return theta

    @property
    def _layers(self) -> tuple[str, ...]:
        return (*(str(i + 1) for i in range(len(self.hidden))), "_out")

    @property
    def _n_outputs(self) -> int:
        return self.n_outputs

    def _checked_inputs(self, inputs: ArrayLike) -> NDArray[np.int64]:
        return symbols(inputs, self.n_symbols, self.slots)

    def _by_slot(self, first: Any) -> Any:
        """Return the first weights as one matrix (units, embedding) for every slot: a view."""
        return first.reshape(*first.shape[:-1], self.slots, self.embedding).swapaxes(-2, -3)

    def _prepare(self, w: Weights) -> Weights:
        # table[s] = E W1_s^T
        return {**w, "table": w["embedding"] @ np.swapaxes(self._by_slot(w["weight1"]), 1, 2)}

    def _opened(self, g: Weights) -> Weights:
        shape = (self.slots, self.n_symbols, self.hidden[0])
        return {**g, "table": np.zeros(shape, g["embedding"].dtype)}

    def _forward(self, ready: Weights, x: Any, room: Workspace) -> tuple[Any, Any]:
        n, layers = len(x), []
        h = look_up(ready["table"], x, room("h1", n, self.hidden[0]), room("spare", n, self.hidden[0]))
        for name in self._layers[:-1]:
            if name != "1":
                h = np.matmul(h, ready[f"weight{name}"].T, out=room(f"h{name}", n, len(ready[f"bias{name}"])))
            h += ready[f"bias{name}"]
            # max(z, 0), by the real part
            h *= h.real > 0.0
            layers.append(h)
        F = np.matmul(h, ready["weight_out"].T, out=room("F", n, self.n_outputs))
        F += ready["bias_out"]
        return F, layers

    def _backward(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights, room: Workspace) -> None:
        for i in range(len(self.hidden), 0, -1):
            name, h = self._layers[i], memory[i - 1]
            g[f"weight{name}"] += R.T @ h
            g[f"bias{name}"] += R.sum(axis=0)
            R = np.matmul(R, ready[f"weight{name}"], out=room(f"back{i}", *h.shape))
            R *= h.real > 0.0
        g["bias1"] += R.sum(axis=0)
        collect(R, x, g["table"])

    def _close(self, ready: Weights, g: Weights) -> None:
        # dL/dE = sum_s T_s W1_s, dL/dW1_s = T_s^T E with the derivative T by the tables
        by_slot, into = self._by_slot(ready["weight1"]), self._by_slot(g["weight1"])
        g["embedding"] += (g["table"] @ by_slot).sum(axis=0)
        into += np.swapaxes(g["table"], 1, 2) @ ready["embedding"]

    def _each(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights) -> None:
        for i in range(len(self.hidden), 0, -1):
            name, h = self._layers[i], memory[i - 1]
            np.multiply(R[:, :, None], h[:, None, :], out=g[f"weight{name}"])
            g[f"bias{name}"][:] = R
            R = R @ ready[f"weight{name}"]
            R *= h > 0.0
        g["bias1"][:] = R
        placed = ready["embedding"][x].reshape(len(x), -1)
        np.multiply(R[:, :, None], placed[:, None, :], out=g["weight1"])
        for s in range(self.slots):
            part = R @ ready["weight1"][:, s * self.embedding : (s + 1) * self.embedding]
            collect_each(part, x[:, s : s + 1], g["embedding"][:, None])
