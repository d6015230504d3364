"""What every network can do: loss, gradient, gradients of single examples, Hessian times a vector, over blocks of examples."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.learning.networks.losses import CrossEntropy, Loss

Array = NDArray[np.float64]
Weights = dict[str, Any]

BLOCK = 256  # examples at a time: the arrays of a block stay in the second-level cache
TINY = 1e-30  # step of the complex-step derivative


class Workspace:
    """Arrays that are made once and used again for every block of one evaluation."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self._arrays: dict[str, Any] = {}

    def __call__(self, name: str, *shape: int) -> Any:
        """Return an array of this shape with arbitrary contents, the same memory each time."""
        size = math.prod(shape)
        held = self._arrays.get(name)
        if held is None or held.size < size:
            held = self._arrays[name] = np.empty(size, self.dtype)
        return held[:size].reshape(shape)


class Network:
    """A function of parameters and inputs: the mean of a `Loss` over examples, and its derivatives.

    Parameters are one flat vector of float64; `views` names its parts. Networks are immutable and compare by value. A network is
    derived from this class by `shapes`, `initial` and four functions of a block of examples: ``_prepare``, ``_forward``,
    ``_backward`` (with ``_close``) and ``_each``.
    """

    loss_function: Loss

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the parts of the parameters, in the order in which they lie."""
        raise TypeError(f"{type(self).__name__} must define shapes")

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return self._parts[-1][3]

    def initial(self, seed: int | np.random.SeedSequence = 0) -> Array:
        """Draw first parameters.

        Parameters
        ----------
        seed : int or numpy.random.SeedSequence
            Seed of the draw.

        Returns
        -------
        ndarray, shape (n_parameters,)
            Parameters.
        """
        raise TypeError(f"{type(self).__name__} must define initial(seed)")

    def views(self, theta: Any) -> Weights:
        """Return the named parts of a vector of parameters, without copying: writing to them writes to ``theta``.

        Parameters
        ----------
        theta : ndarray, shape (..., n_parameters)
            Parameters, or a gradient, or one of these a row.

        Returns
        -------
        dict of str to ndarray
            Parts, of the shapes in `shapes` behind the leading axes of ``theta``.

        Raises
        ------
        ValueError
            If the last axis has another length.
        """
        if theta.ndim == 0 or theta.shape[-1] != self.n_parameters:
            raise ValueError(f"theta must have {self.n_parameters} parameters on its last axis, got {theta.shape}")
        lead = theta.shape[:-1]
        return {name: theta[..., a:b].reshape(lead + shape) for name, shape, a, b in self._parts}

    @functools.cached_property
    def _parts(self) -> tuple[tuple[str, tuple[int, ...], int, int], ...]:
        """Name, shape, start and stop of each part."""
        ends = np.cumsum([0, *(math.prod(shape) for shape in self.shapes.values())]).tolist()
        return tuple((*part, a, b) for part, a, b in zip(self.shapes.items(), ends[:-1], ends[1:], strict=True))

    def outputs(self, theta: ArrayLike, inputs: ArrayLike) -> Array:
        """Return the outputs of the network.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.

        Returns
        -------
        ndarray, shape (n, k)
            Outputs.

        Raises
        ------
        ValueError, TypeError
            For parameters or inputs of the wrong shape or range.
        """
        theta, x, _ = self._checked(theta, inputs, None)
        found = [F.copy() for F, *_ in self._blocks(self._prepare(self.views(theta)), x, Workspace(float))]
        return np.concatenate(found)

    def losses(self, theta: ArrayLike, inputs: ArrayLike, targets: ArrayLike) -> Array:
        """Return the loss of each example.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        targets : array_like, shape (n,) or (n, k)
            Labels (int) or values.

        Returns
        -------
        ndarray, shape (n,)
            Losses.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        theta, x, y = self._checked(theta, inputs, targets)
        return self.loss_function.values(self.outputs(theta, x), y)

    def loss(self, theta: ArrayLike, inputs: ArrayLike, targets: ArrayLike) -> float:
        """Return the mean loss over the examples.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        targets : array_like, shape (n,) or (n, k)
            Labels (int) or values.

        Returns
        -------
        float
            Mean loss.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        return float(self.losses(theta, inputs, targets).mean())

    def accuracy(self, theta: ArrayLike, inputs: ArrayLike, labels: ArrayLike) -> float:
        """Return the share of examples whose largest output is at the label.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        labels : array_like of int, shape (n,)
            Labels.

        Returns
        -------
        float
            Share, from 0 to 1.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        theta, x, y = self._checked(theta, inputs, labels)
        if y.ndim != 1:
            raise ValueError(f"labels must be whole numbers of shape (n,), got shape {y.shape}")
        return float((self.outputs(theta, x).argmax(axis=1) == y).mean())

    def loss_and_gradient(self, theta: ArrayLike, inputs: ArrayLike, targets: ArrayLike) -> tuple[float, Array]:
        """Return the mean loss and its gradient, for little more than the gradient alone.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        targets : array_like, shape (n,) or (n, k)
            Labels (int) or values.

        Returns
        -------
        loss : float
            Mean loss.
        gradient : ndarray, shape (n_parameters,)
            Its gradient.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        theta, x, y = self._checked(theta, inputs, targets)
        total, g = self._total(theta, x, y, with_loss=True)
        return float(total), g

    def gradient(self, theta: ArrayLike, inputs: ArrayLike, targets: ArrayLike) -> Array:
        """Return the gradient of the mean loss.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        targets : array_like, shape (n,) or (n, k)
            Labels (int) or values.

        Returns
        -------
        ndarray, shape (n_parameters,)
            Gradient.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        theta, x, y = self._checked(theta, inputs, targets)
        return self._total(theta, x, y, with_loss=False)[1]

    def value_and_gradient(
        self, theta: ArrayLike, inputs: ArrayLike, function: Callable[[Array], tuple[float, Array]]
    ) -> tuple[float, Array]:
        r"""Return any function of the outputs for all these inputs together, and its gradient by the parameters.

        .. math:: \nabla_\theta\,\phi(f(x_1), \dots, f(x_n)) = \sum_i J_i^T\,\partial\phi/\partial f(x_i)

        A mean of losses of single examples is cheaper by `loss_and_gradient`, block by block; this one holds the hidden units of
        all inputs.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        function : callable
            ``function(outputs) -> (value, slope)`` with the outputs, shape (n, k), which it may overwrite, and the derivative of
            the value by each of them, of the same shape.

        Returns
        -------
        value : float
            Value of the function.
        gradient : ndarray, shape (n_parameters,)
            Its gradient.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        theta, x, _ = self._checked(theta, inputs, None)
        ready, g, room = self._prepare(self.views(theta)), np.zeros_like(theta), Workspace(float)
        into = self._opened(self.views(g))
        F, memory = self._forward(ready, x, room)
        value, R = function(F)
        if np.shape(R) != (len(x), self._n_outputs):
            raise ValueError(f"function must return slopes of shape {(len(x), self._n_outputs)}, got {np.shape(R)}")
        self._backward(ready, x, memory, R, into, room)
        self._close(ready, into)
        return float(value), g

    def per_sample_gradients(self, theta: ArrayLike, inputs: ArrayLike, targets: ArrayLike) -> Array:
        """Return the gradient of the loss of each example; their mean is `gradient`.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        targets : array_like, shape (n,) or (n, k)
            Labels (int) or values.

        Returns
        -------
        ndarray, shape (n, n_parameters)
            One gradient a row: 8 n n_parameters bytes.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        theta, x, y = self._checked(theta, inputs, targets)
        ready, G = self._prepare(self.views(theta)), np.zeros((len(x), theta.size))
        for F, memory, xb, rows in self._blocks(ready, x, Workspace(float)):
            self._each(ready, xb, memory, self.loss_function.slope(F, y[rows]), self.views(G[rows]))
        return G

    def gradient_moments(self, theta: ArrayLike, inputs: ArrayLike, targets: ArrayLike) -> tuple[Array, float]:
        r"""Return the mean of the gradients of single examples and the mean of their squared norms.

        They give the consolidation ratio of an example drawn at random from these without any error of sampling,
        :math:`C = |\bar g|^2/(\overline{|g|^2} - |\bar g|^2)`, with the memory of 256 gradients.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        inputs : array_like, shape (n, ...)
            One example a row.
        targets : array_like, shape (n,) or (n, k)
            Labels (int) or values.

        Returns
        -------
        mean : ndarray, shape (n_parameters,)
            Mean gradient.
        square : float
            Mean squared norm.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.
        """
        theta, x, y = self._checked(theta, inputs, targets)
        ready, held = self._prepare(self.views(theta)), np.empty((min(len(x), BLOCK), theta.size))
        total, square = np.zeros_like(theta), 0.0
        for F, memory, xb, rows in self._blocks(ready, x, Workspace(float)):
            G = held[: len(xb)]
            G[:] = 0.0
            self._each(ready, xb, memory, self.loss_function.slope(F, y[rows]), self.views(G))
            total += G.sum(axis=0)
            square += float(np.einsum("ij,ij->", G, G))
        return total / len(x), square / len(x)

    def hessian_vector_product(self, theta: ArrayLike, v: ArrayLike, inputs: ArrayLike, targets: ArrayLike) -> Array:
        r"""Return the Hessian of the mean loss times a vector, :math:`\mathrm{Im}\,\nabla L(\theta + i\epsilon v)/\epsilon`.

        The gradient is an analytic function of the parameters (a ReLU is so between its kinks), and nothing is subtracted: with
        ``epsilon = 1e-30`` the product is exact but for rounding. It costs about four gradients.

        Parameters
        ----------
        theta : array_like, shape (n_parameters,)
            Parameters.
        v : array_like, shape (n_parameters,)
            Vector.
        inputs : array_like, shape (n, ...)
            One example a row.
        targets : array_like, shape (n,) or (n, k)
            Labels (int) or values.

        Returns
        -------
        ndarray, shape (n_parameters,)
            Product.

        Raises
        ------
        ValueError, TypeError
            For arguments of the wrong shape or range.

        References
        ----------
        W. Squire, G. Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 40 (1998) 110.
        """
        theta, x, y = self._checked(theta, inputs, targets)
        direction = _checks.finite_array("v", v)
        if direction.shape != theta.shape:
            raise ValueError(f"v must have the shape of theta, {theta.shape}, got {direction.shape}")
        # Im grad L(theta + i e v)/e
        return self._total(theta + 1j * TINY * direction, x, y, with_loss=False)[1].imag / TINY

    def _total(self, theta: Any, x: Any, y: Any, with_loss: bool) -> tuple[Any, Any]:
        ready, g, total = self._prepare(self.views(theta)), np.zeros_like(theta), 0.0
        room, into = Workspace(theta.dtype), self._opened(self.views(g))
        for F, memory, xb, rows in self._blocks(ready, x, room):
            if with_loss:
                total += self.loss_function.values(F, y[rows]).sum()
            R = self.loss_function.slope(F, y[rows])
            R /= len(x)
            self._backward(ready, xb, memory, R, into, room)
        self._close(ready, into)
        return total / len(x), g

    def _blocks(self, ready: Weights, x: Any, room: Workspace) -> Iterator[tuple[Any, Any, Any, slice]]:
        for start in range(0, len(x), BLOCK):
            rows = slice(start, start + BLOCK)
            F, memory = self._forward(ready, x[rows], room)
            yield F, memory, x[rows], rows

    def _checked(self, theta: ArrayLike, inputs: ArrayLike, targets: Any) -> tuple[Array, Any, Any]:
        vector = np.ascontiguousarray(theta, dtype=np.float64)
        if vector.shape != (self.n_parameters,):
            raise ValueError(f"theta must have shape ({self.n_parameters},), got {vector.shape}")
        x = self._checked_inputs(inputs)
        if len(x) == 0:
            raise ValueError("inputs must have at least one row")
        if targets is None:
            return vector, x, None
        y = np.asarray(targets)
        if y.shape == (len(x),) and np.issubdtype(y.dtype, np.integer):
            if y.min() < 0 or y.max() >= self._n_outputs:
                raise ValueError(f"targets must be labels from 0 to {self._n_outputs - 1}, got {y.min()} to {y.max()}")
            return vector, x, y
        y = np.asarray(targets, dtype=np.float64)
        if y.shape != (len(x), self._n_outputs) or not self._takes_values:
            wanted = f" or values of shape ({len(x)}, {self._n_outputs})" if self._takes_values else ""
            raise ValueError(f"targets must be whole labels of shape ({len(x)},){wanted}, got {y.dtype} {y.shape}")
        return vector, x, y

    @property
    def _takes_values(self) -> bool:
        return not isinstance(self.loss_function, CrossEntropy)

    @property
    def _n_outputs(self) -> int:
        raise TypeError(f"{type(self).__name__} must define _n_outputs")

    def _checked_inputs(self, inputs: ArrayLike) -> Any:
        raise TypeError(f"{type(self).__name__} must define _checked_inputs(inputs)")

    def _prepare(self, w: Weights) -> Weights:
        """Return what the other functions need of the parameters: work that is done once, not for every block."""
        return w

    def _opened(self, g: Weights) -> Weights:
        """Return the arrays to which ``_backward`` adds."""
        return g

    def _forward(self, ready: Weights, x: Any, room: Workspace) -> tuple[Any, Any]:
        """Return the outputs of a block, which may be overwritten, and what ``_backward`` needs."""
        raise TypeError(f"{type(self).__name__} must define _forward")

    def _backward(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights, room: Workspace) -> None:
        """Add the gradient of a block to ``g``, given the derivative R of the loss by the outputs."""
        raise TypeError(f"{type(self).__name__} must define _backward")

    def _close(self, ready: Weights, g: Weights) -> None:
        """Finish what ``_backward`` has collected, once after all blocks."""

    def _each(self, ready: Weights, x: Any, memory: Any, R: Any, g: Weights) -> None:
        """Write the gradient of each example of a block to the rows of ``g``, which come as zeros."""
        raise TypeError(f"{type(self).__name__} must define _each")
