"""Losses of one example: half the squared distance to a target, and the cross-entropy of a softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks

Array = NDArray[np.float64]


def row_maxima(values: Any) -> Any:
    """Return the largest number of each row, shape (n, 1), column by column: NumPy is slow along short rows."""
    return np.ascontiguousarray(values.T).max(axis=0)[:, None]


class Loss:
    """A function of the outputs for one example and its target; `Network` takes the mean over examples."""

    def values(self, outputs: Any, targets: Any) -> Any:
        """Return the loss of each example.

        Parameters
        ----------
        outputs : ndarray, shape (n, k)
            Outputs of the network.
        targets : ndarray
            Labels, int of shape (n,), or values of shape (n, k).

        Returns
        -------
        ndarray, shape (n,)
            One loss per example.
        """
        raise TypeError(f"{type(self).__name__} must define values(outputs, targets)")

    def slope(self, outputs: Any, targets: Any) -> Any:
        """Return the derivative of each loss by the outputs, written over ``outputs``.

        Parameters
        ----------
        outputs : ndarray, shape (n, k)
            Outputs of the network; overwritten.
        targets : ndarray
            As for `values`.

        Returns
        -------
        ndarray, shape (n, k)
            ``outputs``, now the derivative.
        """
        raise TypeError(f"{type(self).__name__} must define slope(outputs, targets)")


@dataclass(frozen=True)
class SquaredError(Loss):
    r"""Half the squared distance, :math:`\frac12\sum_q (f_q - y_q)^2`; a label c stands for ``scale`` at c and 0 elsewhere.

    The sum over outputs is not divided by their number: with k outputs, ``torch.nn.MSELoss`` is 2/k times this one.

    Parameters
    ----------
    scale : float
        Height of the one-hot targets, positive.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _checks.positive("scale", self.scale))

    def values(self, outputs: Any, targets: Any) -> Any:
        r = self.slope(outputs.copy(), targets)
        return 0.5 * (r * r).sum(axis=1)

    def slope(self, outputs: Any, targets: Any) -> Any:
        # f - y
        if targets.ndim == 1:
            outputs[np.arange(len(targets)), targets] -= self.scale
        else:
            outputs -= targets
        return outputs


@dataclass(frozen=True)
class CrossEntropy(Loss):
    r"""Cross-entropy of the softmax, :math:`\ln\sum_q e^{f_q} - f_c` for the label c, in nats."""

    def values(self, outputs: Any, targets: Any) -> Any:
        top = row_maxima(outputs.real)
        # ln sum_q e^f_q - f_c
        return np.log(np.exp(outputs - top).sum(axis=1)) + top[:, 0] - outputs[np.arange(len(targets)), targets]

    def slope(self, outputs: Any, targets: Any) -> Any:
        # e^f_q/sum e^f - [q = c]
        outputs -= row_maxima(outputs.real)
        np.exp(outputs, out=outputs)
        outputs /= outputs.sum(axis=1, keepdims=True)
        outputs[np.arange(len(targets)), targets] -= 1.0
        return outputs
