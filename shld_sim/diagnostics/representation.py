"""What a matrix of embeddings has arranged: its effective rank, its concentration in few characters of Z_p, its circles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks

Array = NDArray[np.float64]


def effective_rank(matrix: ArrayLike) -> float:
    r"""Return :math:`\exp(-\sum_i q_i\ln q_i)` with the shares :math:`q_i = \sigma_i/\sum_j\sigma_j` of the singular values.

    It lies between 1 and the rank, and is the rank where all singular values are equal.

    Parameters
    ----------
    matrix : array_like, shape (m, n)
        Matrix, not zero.

    Returns
    -------
    float
        Effective rank.

    Raises
    ------
    ValueError
        If the matrix is zero, not finite, or no matrix.

    References
    ----------
    O. Roy, M. Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007, definition 1.

    Examples
    --------
    >>> from shld_sim import diagnostics
    >>> round(diagnostics.effective_rank([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), 12)
    2.0
    """
    return _effective_number(_singular_values(matrix))


def participation_ratio(matrix: ArrayLike) -> float:
    r"""Return :math:`(\sum_i\sigma_i^2)^2/\sum_i\sigma_i^4` of the singular values, the directions that share the power.

    With the mean of the rows removed beforehand it is that of the eigenvalues of their covariance. It lies between 1 and the
    rank, and weighs small singular values less than `effective_rank` does.

    Parameters
    ----------
    matrix : array_like, shape (m, n)
        Matrix, not zero.

    Returns
    -------
    float
        Participation ratio.

    Raises
    ------
    ValueError
        If the matrix is zero, not finite, or no matrix.
    """
    power = _singular_values(matrix) ** 2
    return float(power.sum() ** 2 / (power**2).sum())


def fourier_shares(embedding: ArrayLike) -> Array:
    r"""Return the share of each frequency in the power of an embedding of Z_p, cosine and sine together, mean removed.

    .. math:: P_k \propto w_k\Bigl|\sum_a E_a e^{-2\pi i k a/p}\Bigr|^2,\quad k = 1 \dots \lfloor p/2\rfloor

    with the weight 2, as k and p - k are one frequency, and 1 for k = p/2. The shares add to 1.

    Parameters
    ----------
    embedding : array_like, shape (p, d)
        One row for every element of Z_p, in order; p is 3 at least.

    Returns
    -------
    ndarray, shape (p // 2,)
        Shares of the frequencies 1, 2, ...

    Raises
    ------
    ValueError
        If the rows are all the same, not finite, or fewer than three.
    """
    E = _embedding(embedding)
    # w_k |sum_a E_a e^{-2 pi i k a/p}|^2
    power = 2.0 * (np.abs(np.fft.rfft(E, axis=0)[1:]) ** 2).sum(axis=1)
    if len(E) % 2 == 0:
        power[-1] /= 2.0
    return power / power.sum()


def fourier_concentration(embedding: ArrayLike, n_frequencies: int = 1) -> float:
    """Return the share of the ``n_frequencies`` strongest frequencies in the power of an embedding of Z_p, mean removed.

    It is 1 for a character, whose rows lie on a circle. Of p rows drawn at random in d dimensions it is
    `theory.random_concentration` on average.

    Parameters
    ----------
    embedding : array_like, shape (p, d)
        One row for every element of Z_p, in order; p is 3 at least.
    n_frequencies : int
        Number of frequencies, p // 2 at most.

    Returns
    -------
    float
        Share, from 0 to 1.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    shares = fourier_shares(embedding)
    n = _checks.integer("n_frequencies", n_frequencies)
    if n > len(shares):
        raise ValueError(f"n_frequencies must be at most {len(shares)} for {len(np.asarray(embedding))} rows, got {n}")
    return float(np.sort(shares)[-n:].sum())


def effective_frequencies(embedding: ArrayLike) -> float:
    """Return the exponential of the entropy of `fourier_shares`: the number of frequencies that share the power.

    It is 1 for one circle and p // 2 where all frequencies are equally strong; `theory.random_frequency_entropy` is the mean of
    its logarithm for rows drawn at random.

    Parameters
    ----------
    embedding : array_like, shape (p, d)
        One row for every element of Z_p, in order; p is 3 at least.

    Returns
    -------
    float
        Effective number of frequencies.

    Raises
    ------
    ValueError
        If the rows are all the same, not finite, or fewer than three.
    """
    return _effective_number(fourier_shares(embedding))


@dataclass(frozen=True, eq=False)
class Circle:
    """An embedding of Z_p, seen in the plane of one frequency.

    Attributes
    ----------
    frequency : int
        The frequency k.
    points : ndarray, shape (p, 2)
        The embedding without its mean, in the plane that the cosine and the sine of this frequency span.
    order : ndarray of int, shape (p,)
        Elements of Z_p in the order of their phase k a mod p: the way around.
    plane : ndarray, shape (2, d)
        Orthonormal axes of the plane, the longer axis of the ellipse first; the second is zero for rows on a line.
    share : float
        Share of the frequency in the power of the embedding.
    fit : float
        Share of the frequency in the power of ``points``: 1 where they lie on the ellipse, evenly in phase.
    roundness : float
        Ratio of the axes of the ellipse: 1 for a circle, 0 for a line.
    winding : int
        Turns around the mean while the phase makes one; 1 for a closed circle (positive, as the axes have no sense of their own).
    closing : float
        Step from the last phase back to the first over the mean of the others: 1 for a circle, p - 1 for an open line.
    """

    frequency: int
    points: Array
    order: NDArray[np.int64]
    plane: Array
    share: float
    fit: float
    roundness: float
    winding: int
    closing: float


def circle(embedding: ArrayLike, frequency: int | None = None) -> Circle:
    r"""Return an embedding of Z_p in the plane of a frequency, and how closed and how round it is there.

    The wave of frequency k in the embedding is the ellipse
    :math:`\frac{w_k}{p}\mathrm{Re}\bigl(c_k e^{2\pi i k a/p}\bigr)` with :math:`c_k = \sum_a E_a e^{-2\pi i k a/p}`; it lies
    in the plane of :math:`\mathrm{Re}\,c_k` and :math:`\mathrm{Im}\,c_k`. Where p and k have a common divisor, elements of the
    same phase are averaged for ``winding`` and ``closing``.

    Parameters
    ----------
    embedding : array_like, shape (p, d)
        One row for every element of Z_p, in order; p is 3 at least.
    frequency : int, optional
        Frequency, 1 to p // 2; the strongest one if not given.

    Returns
    -------
    Circle
        Points and measures.

    Raises
    ------
    ValueError
        If an argument is out of range, or the embedding has nothing of the frequency.
    """
    E, shares = _embedding(embedding), fourier_shares(embedding)
    p = len(E)
    k = int(np.argmax(shares)) + 1 if frequency is None else _checks.integer("frequency", frequency)
    if k > p // 2:
        raise ValueError(f"frequency must be at most {p // 2} for {p} rows, got {k}")
    phase = k * np.arange(p) % p
    c = np.exp(-2j * np.pi * phase / p) @ E
    if not np.abs(c).max() > 1e-12 * np.abs(E).sum():
        raise ValueError(f"frequency must be one that the embedding has, got {k} with no power")
    # wave = (w/p)(Re c cos - Im c sin): axes of the ellipse and its plane
    _, axes, plane = np.linalg.svd(np.stack([c.real, c.imag]), full_matrices=False)
    if len(axes) < 2:
        axes, plane = np.append(axes, 0.0), np.concatenate([plane, np.zeros((1, 1))])
    points = E @ plane.T
    steps = np.unique(phase)
    around = np.stack([points[phase == step].mean(axis=0) for step in steps])
    angle = np.unwrap(np.arctan2(*np.append(around, around[:1], axis=0).T[::-1]))
    gaps = np.linalg.norm(np.roll(around, -1, axis=0) - around, axis=1)
    return Circle(
        frequency=k,
        points=points,
        order=np.argsort(phase, kind="stable"),
        plane=plane,
        share=float(shares[k - 1]),
        fit=float(fourier_shares(points)[k - 1]),
        roundness=float(axes[1] / axes[0]),
        winding=abs(round(float(angle[-1] - angle[0]) / (2.0 * np.pi))),
        closing=float(gaps[-1] / gaps[:-1].mean()),
    )


def _effective_number(parts: Array) -> float:
    q = parts[parts > 0.0] / parts.sum()
    # exp(-sum q ln q)
    return float(np.exp(-(q * np.log(q)).sum()))


def _singular_values(matrix: ArrayLike) -> Array:
    M = _checks.finite_array("matrix", matrix)
    if M.ndim != 2 or M.size == 0:
        raise ValueError(f"matrix must have shape (m, n), got {M.shape}")
    sigma = np.asarray(np.linalg.svd(M, compute_uv=False), dtype=np.float64)
    if sigma[0] == 0.0:
        raise ValueError("matrix must not be zero")
    return sigma


def _embedding(embedding: ArrayLike) -> Array:
    """Return the rows without their mean, or raise naming ``embedding``."""
    E = _checks.finite_array("embedding", embedding)
    if E.ndim != 2 or len(E) < 3 or E.shape[1] == 0:
        raise ValueError(f"embedding must have shape (p, d) with p >= 3, got {E.shape}")
    rest = E - E.mean(axis=0)
    if np.abs(rest).max() <= 1e-14 * np.abs(E).max():
        raise ValueError("embedding must have rows that differ")
    return rest
