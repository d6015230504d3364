"""Least squares without a penalty: the error that peaks where examples are as many as features, and C of its gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks


def ridgeless_excess(n: int, n_features: int, noise: float, signal: float = 1.0) -> float:
    r"""Return the mean excess error of least squares of least norm, on n examples with N independent normal features.

    For :math:`y = \beta\cdot x + \sigma\xi` with x standard normal in N dimensions the error is
    :math:`E(x\cdot(\hat\theta - \beta))^2 = |\hat\theta - \beta|^2`, whose mean over data sets is, exactly at every size,

    .. math:: \frac{\sigma^2 N}{n - N - 1}\quad (n > N + 1),\qquad
       |\beta|^2\Bigl(1 - \frac nN\Bigr) + \frac{\sigma^2 n}{N - n - 1}\quad (N > n + 1),

    and infinite between, where the smallest eigenvalue of :math:`X^T X` comes too near to zero.

    Parameters
    ----------
    n : int
        Number of examples.
    n_features : int
        Number N of features.
    noise : float
        Standard deviation of the noise on the targets, not negative.
    signal : float
        Length of ``beta``, not negative.

    Returns
    -------
    float
        Mean squared error of the function, without the noise of the targets.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    T. Hastie, A. Montanari, S. Rosset, R. J. Tibshirani, Annals of Statistics 50 (2022) 949, section 3 (for large n, N);
    L. Breiman, D. Freedman, J. Am. Stat. Assoc. 78 (1983) 131. At every size by the mean of an inverse Wishart matrix.
    """
    n, N = _checks.integer("n", n), _checks.integer("n_features", n_features)
    noise, signal = _checks.nonnegative("noise", noise), _checks.nonnegative("signal", signal)
    if abs(n - N) <= 1:
        return math.inf if noise > 0.0 else signal**2 * max(0.0, 1.0 - n / N)
    if n > N:
        return noise**2 * N / (n - N - 1)
    return signal**2 * (1.0 - n / N) + noise**2 * n / (N - n - 1)


def fresh_signal_share(excess: ArrayLike, n_features: int, noise: float) -> Any:
    r"""Return ``p = |mu|^2/E|g|^2 = R/((N + 2) R + N s^2)`` of examples that were not learned from.

    The gradient of an example is :math:`g = (x\cdot\delta - \sigma\xi)\,x` with :math:`\delta = \theta - \beta`. For standard
    normal x in N dimensions :math:`\mu = \delta` and :math:`E|g|^2 = (N + 2)|\delta|^2 + N\sigma^2`: p depends on the excess
    error :math:`R = |\delta|^2` alone and rises with it, to 1/(N + 2).

    Parameters
    ----------
    excess : array_like
        R, not negative.
    n_features : int
        Number N of features.
    noise : float
        Standard deviation of the noise on the targets, not negative.

    Returns
    -------
    float or ndarray
        p = C/(1 + C).

    Raises
    ------
    ValueError
        If an argument is negative, or both error and noise are zero.
    """
    R, N = _checks.finite_array("excess", excess), _checks.integer("n_features", n_features)
    square = (N + 2) * R + N * _checks.nonnegative("noise", noise) ** 2
    if np.any(R < 0.0) or np.any(square == 0.0):
        raise ValueError(f"excess must be positive, or zero where there is noise, got {float(R.min())!r}")
    return (R / square)[()]


def signal_share_bound(inputs: ArrayLike) -> float:
    r"""Return ``lmax(K)/n``, which p of the gradients of a linear model does not exceed, whatever parameters and targets.

    Gradients are :math:`g_i = r_i x_i`, with residuals r. With unit vectors :math:`u_i = x_i/|x_i|` and weights
    :math:`w_i = r_i|x_i|`: :math:`p = |\sum w_i u_i|^2/(n\sum w_i^2) \le \lambda_{\max}(K)/n`, :math:`K_{ij} = u_i\cdot u_j`.
    It is near 1 only for examples that point the same way; for n vectors in random directions in N dimensions about
    :math:`(1/\sqrt n + 1/\sqrt N)^2`.

    Parameters
    ----------
    inputs : array_like, shape (n, n_features)
        Features, one example a row, not all of them zero.

    Returns
    -------
    float
        Bound on p = C/(1 + C) of one example drawn from these.

    Raises
    ------
    ValueError
        If the shape is wrong or all inputs are zero.
    """
    x = _rows(inputs)
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    u = x / np.where(lengths > 0.0, lengths, 1.0)  # an example without features has no gradient
    products = u @ u.T if u.shape[0] <= u.shape[1] else u.T @ u
    return float(np.linalg.eigvalsh(products)[-1]) / len(u)


def final_signal_share(inputs: ArrayLike) -> float:
    r"""Return the limit of p along gradient descent on least squares with fewer examples than features.

    The last residual to die is the eigenvector v of the smallest eigenvalue :math:`\lambda` of :math:`X X^T`:
    :math:`p \to \lambda/(n\sum_i v_i^2|x_i|^2)`, for isotropic features about :math:`(1/\sqrt n - 1/\sqrt N)^2`. It
    vanishes where n = N. With more examples than features residuals remain, the mean gradient dies and p tends to 0.

    Parameters
    ----------
    inputs : array_like, shape (n, n_features)
        Features, one example a row, n < n_features.

    Returns
    -------
    float
        Limit of p = C/(1 + C) of one example drawn from these.

    Raises
    ------
    ValueError
        If the shape is wrong or there are as many examples as features.
    """
    x = _rows(inputs)
    n, N = x.shape
    if n >= N:
        raise ValueError(f"inputs must have fewer rows than columns, got {x.shape}")
    values, vectors = np.linalg.eigh(x @ x.T)
    return float(values[0] / (n * (vectors[:, 0] ** 2 @ np.sum(x * x, axis=1))))


def marchenko_pastur_edges(n: int, n_features: int) -> tuple[float, float]:
    r"""Return :math:`(1 \mp \sqrt{N/n})^2`, between which the eigenvalues of :math:`X^T X/n` other than zero lie for large n, N.

    Parameters
    ----------
    n : int
        Number of examples, standard normal.
    n_features : int
        Number N of features.

    Returns
    -------
    low, high : float
        Edges of the spectrum.

    Raises
    ------
    ValueError
        If an argument is not positive.

    References
    ----------
    V. A. Marchenko, L. A. Pastur, Math. USSR Sbornik 1 (1967) 457.
    """
    root = math.sqrt(_checks.integer("n_features", n_features) / _checks.integer("n", n))
    return (1.0 - root) ** 2, (1.0 + root) ** 2


def _rows(inputs: ArrayLike) -> Any:
    x = _checks.finite_array("inputs", inputs)
    if x.ndim != 2 or not x.any():
        raise ValueError(f"inputs must have shape (n, n_features) and not be zero, got {x.shape}")
    return x
