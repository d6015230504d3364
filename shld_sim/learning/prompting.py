"""Symmetry prompting: a loss that asks for equal predictions where a symmetry makes inputs equivalent, with its gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.learning.networks import CrossEntropy, Network
from shld_sim.learning.networks.losses import row_maxima
from shld_sim.learning.tasks import Task
from shld_sim.learning.training import Objective

Array = NDArray[np.float64]
KINDS = ("mirror", "relations")


def symmetric_divergence(first: Any, second: Any) -> tuple[Array, Array, Array]:
    r"""Return the symmetric divergence of predictions, :math:`J = \sum_c (p_c - q_c)(\ln p_c - \ln q_c)`, and its derivatives.

    It is KL(p|q) + KL(q|p) of the softmax p and q of two outputs, in nats.

    Parameters
    ----------
    first, second : ndarray, shape (n, k)
        Outputs f and g, up to a constant a row.

    Returns
    -------
    values : ndarray, shape (n,)
        ``J``.
    by_first, by_second : ndarray, shape (n, k)
        Derivatives by f and by g.

    References
    ----------
    H. Jeffreys, "An invariant form for the prior probability in estimation problems", Proc. Roy. Soc. A 186 (1946) 453.
    """
    (p, log_p), (q, log_q) = _softmax(first), _softmax(second)
    change, ratio = p - q, log_p - log_q
    # dJ/df = p (l - <l>_p) + p - q with l = ln p - ln q, and the same with p and q exchanged
    by_first = p * (ratio - (p * ratio).sum(axis=1, keepdims=True)) + change
    by_second = q * ((q * ratio).sum(axis=1, keepdims=True) - ratio) - change
    return (change * ratio).sum(axis=1), by_first, by_second


def symmetry_gap(network: Network, theta: ArrayLike, task: Task, kind: str = "mirror") -> float:
    """Return the mean symmetric divergence between predictions that a symmetry of the task makes equal, over all examples.

    Parameters
    ----------
    network : Network
        Network.
    theta : array_like, shape (n_parameters,)
        Parameters.
    task : Task
        Task. With ``kind="mirror"`` its examples, to learn from and to be tested on, are compared with their mirror images;
        with ``"relations"`` the prediction for (a, c) is compared with what those for (a, b) and (b, c) compose to.
    kind : {"mirror", "relations"}
        Which symmetry.

    Returns
    -------
    float
        Mean divergence, in nats; 0 if all predictions agree.

    Raises
    ------
    ValueError
        If the task has no such symmetry.
    """
    symmetry, inputs = _Symmetry(task, kind), np.concatenate([task.inputs, task.test_inputs])
    more, places = symmetry.drawn(inputs, None, None)
    values, _ = symmetry.divergence(network.outputs(theta, np.concatenate([inputs, more]))[places])
    return float(values.mean())


@dataclass(frozen=True)
class SymmetryPrompting(Objective):
    r"""An objective for `train`: the loss of the network, a price on predictions that break a symmetry, and regularisers.

    .. math:: L = \overline{-\ln p_y(x)} + w\,\overline{J\bigl(p(x), p'(x)\bigr)} + a\sum_i\sqrt{\sigma_i(E)^2 + \epsilon^2}
       + b\,\overline{H(p(x))} + c\prod_l\|W_l\|_2

    p' is what the symmetry says of p(x). With ``kind="mirror"`` it is the prediction for the mirror image of x with the labels
    renamed accordingly: a + b = b + a. With ``"relations"``, x = (a, c) and p' is composed of the predictions for (a, b) and
    (b, c), :math:`p'_k \propto \sum_{i\circ j = k} p_i(a, b)\,p_j(b, c)`, with the ``composition`` of the task: distances add
    along a shortest path, and a < b, b < c decide a < c. J is the `symmetric_divergence`; both sides are differentiated. Labels
    are used by the first term alone. But the relations are all those of the task, with pairs to be tested on among them, and that
    b lies between a and c is itself knowledge of the order. Prompting acts in training only; the network stays as it is.

    A step evaluates the n examples and, for m sampled symmetries, m more inputs (mirror) or 3 m (relations): its cost is linear
    in m.

    Parameters
    ----------
    weight : float
        ``w``, not negative.
    samples : int, optional
        Number m of symmetries drawn at every step, without replacement, from the mirror images of the examples of the step or
        from all relations; all of them if not given or if there are fewer.
    kind : {"mirror", "relations"}
        Which symmetry of the task.
    nuclear : float
        ``a``, weight of the nuclear norm of the part ``embedding`` of the parameters, smoothed; not negative.
    entropy : float
        ``b``, weight of the entropy H of the predictions for the examples; positive for confident predictions, negative for broad
        ones.
    lipschitz : float
        ``c``, weight of the product of the spectral norms of all weights, which bounds the Lipschitz constant of the map from
        embeddings to outputs; not negative.
    smoothing : float
        ``epsilon`` of the nuclear norm, positive.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    arXiv:2603.01968. The subgradient of the nuclear norm is U V^T: B. Recht, M. Fazel, P. Parrilo, SIAM Review 52 (2010) 471.

    Examples
    --------
    >>> from shld_sim import learning
    >>> task, network = learning.modular_addition(11, 0.6), learning.Perceptron(11, 11, 8, (16,))
    >>> prompting = learning.SymmetryPrompting(weight=1.0, samples=32)
    >>> run = learning.train(network, task, learning.AdamW(0.01), 50, objective=prompting)
    >>> gap = [learning.symmetry_gap(network, theta, task) for theta in (network.initial(0), run.theta)]
    >>> gap[1] < gap[0]
    True
    """

    weight: float = 1.0
    samples: int | None = None
    kind: str = "mirror"
    nuclear: float = 0.0
    entropy: float = 0.0
    lipschitz: float = 0.0
    smoothing: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("weight", "nuclear", "lipschitz"):
            object.__setattr__(self, name, _checks.nonnegative(name, getattr(self, name)))
        object.__setattr__(self, "entropy", _checks.number("entropy", self.entropy))
        object.__setattr__(self, "smoothing", _checks.positive("smoothing", self.smoothing))
        if self.samples is not None:
            object.__setattr__(self, "samples", _checks.integer("samples", self.samples))
        _checks.one_of("kind", self.kind, KINDS)

    def loss_and_gradient(
        self, network: Network, task: Task, theta: Array, inputs: Any, targets: Any, rng: np.random.Generator
    ) -> tuple[float, Array]:
        """Return the objective and its gradient by the parameters.

        Parameters
        ----------
        network : Network
            Network with `CrossEntropy`.
        task : Task
            Task with the symmetry.
        theta : ndarray, shape (n_parameters,)
            Parameters.
        inputs : ndarray, shape (n, slots)
            Examples.
        targets : ndarray of int, shape (n,)
            Labels.
        rng : numpy.random.Generator
            Draws the symmetries.

        Returns
        -------
        loss : float
            Value.
        gradient : ndarray, shape (n_parameters,)
            Its gradient.

        Raises
        ------
        ValueError
            If the loss of the network is not the cross-entropy, it has not the parts that a term asks for, or the task not the
            symmetry.
        """
        if not isinstance(network.loss_function, CrossEntropy):
            raise ValueError(f"network must have the loss CrossEntropy(), got {network.loss_function!r}")
        n, everything = len(inputs), inputs
        symmetry = _Symmetry(task, self.kind) if self.weight > 0.0 else None
        places = np.empty((0, 0), np.int64)
        if symmetry is not None:
            more, places = symmetry.drawn(inputs, self.samples, rng)
            everything = np.concatenate([inputs, more])

        def of_outputs(F: Array) -> tuple[float, Array]:
            (p, log_p), R = _softmax(F[:n]), np.zeros_like(F)
            # -ln p_y, and p - [c = y]
            value = -log_p[np.arange(n), targets].mean()
            R[:n] = p
            R[np.arange(n), targets] -= 1.0
            if self.entropy != 0.0:
                H = -(p * log_p).sum(axis=1, keepdims=True)
                value += self.entropy * H.mean()
                # dH/df = -p (ln p + H)
                R[:n] -= self.entropy * p * (log_p + H)
            R[:n] /= n
            if symmetry is not None:
                J, slopes = symmetry.divergence(F[places])
                value += self.weight * J.mean()
                # no input stands at two places of one column
                for column, slope in zip(places.T, np.moveaxis(slopes, 1, 0), strict=True):
                    R[column] += self.weight / len(places) * slope
            return float(value), R

        value, g = network.value_and_gradient(theta, everything, of_outputs)
        parts, into = network.views(theta), network.views(g)
        if self.nuclear > 0.0:
            value += self._add_nuclear(parts, into)
        if self.lipschitz > 0.0:
            value += self._add_lipschitz(parts, into)
        return value, g

    def _add_nuclear(self, parts: dict[str, Any], into: dict[str, Any]) -> float:
        if "embedding" not in parts:
            raise ValueError(f"nuclear needs a network with an embedding, got one with {', '.join(parts)}")
        U, sigma, Vt = np.linalg.svd(parts["embedding"], full_matrices=False)
        root = np.sqrt(sigma**2 + self.smoothing**2)
        # U diag(sigma/sqrt(sigma^2 + epsilon^2)) V^T
        into["embedding"] += self.nuclear * (U * (sigma / root)) @ Vt
        return self.nuclear * float(root.sum())

    def _add_lipschitz(self, parts: dict[str, Any], into: dict[str, Any]) -> float:
        names = [name for name in parts if name.startswith("weight")]
        if not names:
            raise ValueError(f"lipschitz needs a network with weights, got one with {', '.join(parts)}")
        tops = {}
        for name in names:
            U, sigma, Vt = np.linalg.svd(parts[name], full_matrices=False)
            tops[name] = float(sigma[0]), np.outer(U[:, 0], Vt[0])
        for name, (_, slope) in tops.items():
            others = math.prod(norm for other, (norm, _) in tops.items() if other != name)
            # d|W|_2/dW = u v^T
            into[name] += self.lipschitz * others * slope
        return self.lipschitz * math.prod(norm for norm, _ in tops.values())


class _Symmetry:
    """Groups of inputs whose predictions a symmetry ties together, and by how much they break it."""

    def __init__(self, task: Task, kind: str) -> None:
        self.task, self.kind = task, _checks.one_of("kind", kind, KINDS)
        if not task.has_labels:
            raise ValueError(f"task must have labels for predictions, got {task!r}")
        if kind == "mirror":
            if task.mirror is None:
                raise ValueError(f"task must have a mirror, got {task!r}")
            blank = np.zeros((task.n_outputs, task.inputs.shape[1]), np.int64)
            # label c of an example is label renamed[c] of its mirror image
            self.renamed = np.asarray(task.mirror(blank, np.arange(task.n_outputs))[1])
        else:
            if task.relations is None or task.composition is None:
                raise ValueError(f"task must have relations and their composition, got {task!r}")
            table = task.composition.ravel()
            order = np.argsort(table, kind="stable")
            # pairs of labels (i, j) in the order of the label that they compose to
            self.order = order[table[order] >= 0]
            self.label = table[self.order]
            self.starts = np.searchsorted(self.label, np.arange(task.n_outputs))

    def drawn(
        self, inputs: Any, samples: int | None, rng: np.random.Generator | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return further inputs to evaluate, and the groups as places in ``inputs`` and these: shape (m, 2 or 3).

        A group is an example and its mirror image, or (a, b), (b, c) and (a, c).
        """
        rows: Any = inputs if self.kind == "mirror" else self.task.relations
        chosen = np.arange(len(rows))
        if samples is not None and samples < len(rows) and rng is not None:
            chosen = rng.choice(len(rows), samples, replace=False)
        n, m = len(inputs), len(chosen)
        if self.kind == "mirror":
            image, _ = self.task.mirror(rows[chosen], np.zeros(m, np.int64))  # type: ignore[misc]
            return image, np.stack([chosen, n + np.arange(m)], axis=1)
        groups = rows[chosen][:, [[0, 1], [1, 2], [0, 2]]]
        return groups.reshape(3 * m, 2), n + np.arange(3 * m).reshape(m, 3)

    def divergence(self, outputs: Array) -> tuple[Array, Array]:
        """Return the divergence in each group and its derivative by the outputs, shape (m, 2 or 3, k)."""
        slopes = np.empty_like(outputs)
        if self.kind == "mirror":
            values, slopes[:, 0], by_image = symmetric_divergence(outputs[:, 0], outputs[:, 1][:, self.renamed])
            slopes[:, 1][:, self.renamed] = by_image
            return values, slopes
        composed, parts = self._compose(outputs[:, 0], outputs[:, 1])
        values, slopes[:, 2], by_composed = symmetric_divergence(outputs[:, 2], composed)
        k = outputs.shape[2]
        flat = np.zeros((len(outputs), k * k))
        # d composed_c/df_i = sum of the parts of c with this i
        flat[:, self.order] = by_composed[:, self.label] * parts
        each = flat.reshape(-1, k, k)
        slopes[:, 0], slopes[:, 1] = each.sum(axis=2), each.sum(axis=1)
        return values, slopes

    def _compose(self, first: Array, second: Array) -> tuple[Array, Array]:
        """Return ln sum_(i o j = c) e^(f_i + g_j) for each label c, and the part of each pair (i, j) in its sum."""
        joint = (first[:, :, None] + second[:, None, :]).reshape(len(first), -1)[:, self.order]
        top = np.maximum.reduceat(joint, self.starts, axis=1)
        weights = np.exp(joint - top[:, self.label])
        total = np.add.reduceat(weights, self.starts, axis=1)
        return top + np.log(total), weights / total[:, self.label]


def _softmax(outputs: Any) -> tuple[Array, Array]:
    """Return e^f/sum e^f and its logarithm, one row for each."""
    rest = outputs - row_maxima(outputs)
    p = np.exp(rest)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    rest -= np.log(total)
    return p, rest
