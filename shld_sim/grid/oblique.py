r"""General diffusions in two coordinates (three with uncorrelated noise): positive jump rates to near, oblique neighbours.

Ito's generator ``A : D^2 f + b . grad f``, ``A = B B^T / 2``, in units of the cells. Selling's decomposition writes

``A = sum_k rho_k e_k e_k^T``, ``rho_k >= 0``, with at most three whole-numbered offsets ``e_k`` in the plane;

with ``b = A w`` and ``s_k = e_k . w`` the drift has the same directions, and

``L f = sum_k rho_k [B(-s_k) (f(x + e_k) - f(x)) + B(s_k) (f(x - e_k) - f(x))]``, ``B(s) = s / (exp(s) - 1)``,

has non-negative rates, which depend on the cell that is left alone: its transpose is the Fokker-Planck equation in Ito's
form, ``dp/dt = d_i d_j (A_ij p) - d_i (b_i p)``. Second order in the cell width.

References
----------
E. Selling, J. reine angew. Math. 77 (1874) 143; J. Bonnans & H. Zidani, SIAM J. Numer. Anal. 41 (2003) 1008; J. Fehrenbach &
J.-M. Mirebeau, J. Math. Imaging Vis. 49 (2014) 123; D. Scharfetter & H. Gummel, IEEE Trans. Electron Devices 16 (1969) 64.
"""

from __future__ import annotations

import warnings

import numpy as np

from shld_sim.grid.boundaries import Boundary
from shld_sim.grid.chain import Array
from shld_sim.grid.coefficients import coefficients
from shld_sim.grid.cuts import fraction_rate
from shld_sim.grid.generator import Landscape, bernoulli, work_per_turn
from shld_sim.grid.links import Links, Whole
from shld_sim.grid.mesh import Grid
from shld_sim.grid.network import Network
from shld_sim.grid.sparse import SparseChain
from shld_sim.models import Diffusion, Preconditioned

REACH = 5  # cells that an offset spans at most along an axis
SINGULAR = 1e-10  # ratio of eigenvalues of A below which the drift across is passed on upwind
REPEATS = 1e-8  # relative difference of coefficients at the two ends of a ring that counts as none


def oblique(model: Diffusion, grid: Grid, boundary: Boundary) -> SparseChain:
    """Return the chain of a general diffusion.

    At a reflecting end, jumps that would leave the box do not take place: no flux, as in the equation; oblique ones give up
    their motion along the wall with it. At an absorbing end they end on the face of the box, at their own point of it. With a
    metric (`Preconditioned`) the rates are those of the symmetric form, ``rho_k`` averaged over both cells of a link, in
    detailed balance with ``exp(-V/D)``.

    Raises
    ------
    ValueError
        If the axes are not uniform, a coefficient is not finite, noises are correlated in three dimensions, or drift and
        noise do not repeat along a periodic axis.
    """
    if not grid.uniform:
        raise ValueError(f"grid must have axes of equal cells for a general diffusion, got {grid!r}")
    points = grid.points.reshape(grid.size, grid.dim)
    h = np.array(grid.dx)
    b, A = _coefficients(model, points, grid, boundary)
    b, A = b / h, A / np.outer(h, h)
    offsets, rho = decompose(A, points)
    wrap = tuple(kinds[0] == "periodic" for kinds in boundary)
    for n, ring in zip(grid.shape, wrap, strict=True):
        if ring and n <= 2 * np.abs(offsets).max(initial=1):
            raise ValueError(f"grid must have more than {2 * REACH} cells along a periodic axis here, got {n}")
    if isinstance(model, Preconditioned):
        return _reversible(model, grid, boundary, wrap, offsets, rho)
    drift, upwind = _potential_slope(A, b, points)
    # to either side of every offset
    s = np.einsum("nki,ni->nk", offsets, drift)
    back, ahead = bernoulli(s)
    unit = np.broadcast_to(np.eye(grid.dim, dtype=np.int64), (grid.size, grid.dim, grid.dim))
    jumps = [
        (offsets, rho * ahead, rho * back),
        (-offsets, rho * back, rho * ahead),
        (unit, np.maximum(upwind, 0.0), np.zeros_like(upwind)),
        (-unit, np.maximum(-upwind, 0.0), np.zeros_like(upwind)),
    ]
    links = _links(grid, boundary, wrap, jumps)
    return SparseChain(grid, links, wrap)


# -- coefficients ----


def _coefficients(model: Diffusion, points: Array, grid: Grid, boundary: Boundary) -> tuple[Array, Array]:
    """Return Ito's drift and ``A`` at the cell centres, after checks."""
    ito = model.to_ito()
    b, A = coefficients(ito, points)
    for name, values in (("drift", b), ("noise", A.reshape(len(points), -1))):
        bad = ~np.isfinite(values).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{name} must be finite in the box, got {values[bad][0].tolist()} at x = {points[bad][0].tolist()}"
            )
    for axis, (kinds, side) in enumerate(zip(boundary, grid.sides, strict=True)):
        if kinds[0] == "periodic":
            turn = np.zeros(grid.dim)
            turn[axis] = side.high - side.low
            for name, here, there in zip(("drift", "noise"), (b, A), coefficients(ito, points + turn), strict=True):
                if np.abs(there - here).max() > REPEATS * np.abs(here).max():
                    raise ValueError(
                        f"boundary 'periodic' needs a {name} of period {float(turn[axis])!r} in coordinate {axis}, "
                        f"got a difference of {np.abs(there - here).max():.2e}"
                    )
    return b, A


def _potential_slope(A: Array, b: Array, points: Array) -> tuple[Array, Array]:
    """Return ``w`` with ``A w`` the part of ``b`` that is in the range of ``A``, and the rest of ``b``."""
    size, axes = np.linalg.eigh(A)
    inside = size > SINGULAR * size[:, -1:]
    along = np.einsum("nij,ni->nj", axes, b)
    slope = np.divide(along, size, out=np.zeros_like(along), where=inside)
    w = np.einsum("nij,nj->ni", axes, slope)
    rest = np.einsum("nij,nj->ni", axes, np.where(inside, 0.0, along))
    small = np.abs(rest) <= 1e-12 * np.abs(b).max(axis=1, keepdims=True)
    rest[small] = 0.0
    moved = np.flatnonzero(rest.any(axis=1))
    if moved.size:
        warnings.warn(
            f"at {moved.size} of {len(b)} cells, the first at x = {points[moved[0]].tolist()}, the drift moves paths where there "
            "is no noise: upwind there, with an error of first order in the cell width",
            UserWarning,
            stacklevel=6,
        )
    return w, rest


# -- Selling's decomposition ----


def decompose(A: Array, points: Array) -> tuple[Whole, Array]:
    """Return offsets, shape ``(n, K, dim)``, and weights ``(n, K)`` with ``A = sum_k rho_k e_k e_k^T``.

    Parameters
    ----------
    A : ndarray, shape (n, dim, dim)
        Symmetric and not negative, in units of the cells.
    points : ndarray, shape (n, dim)
        Where they belong, for messages.
    """
    n, dim = A.shape[:2]
    diagonal = np.einsum("nii->ni", A)
    mixed = np.abs(A[:, *np.triu_indices(dim, 1)]).max(axis=1, initial=0.0)
    plain = mixed <= 1e-14 * diagonal.max(axis=1)
    if dim != 2 or plain.all():
        if not plain.all():
            at = points[~plain][0].tolist()
            raise ValueError(
                f"noises of different coordinates must not be correlated in {dim} dimensions, got x = {at}"
            )
        return np.broadcast_to(np.eye(dim, dtype=np.int64), (n, dim, dim)), diagonal
    offsets, rho = selling(A)
    reach = _reach(offsets, rho)
    if (reach > REACH).any():
        offsets, rho = _clipped(A, points, offsets, rho, reach)
    return offsets, rho


def selling(A: Array) -> tuple[Whole, Array]:
    """Return the three offsets, shape ``(n, 3, 2)``, and weights, ``(n, 3)``, of matrices in the plane.

    From a superbase ``e_0 + e_1 + e_2 = 0`` whose angles under ``A`` are all obtuse, ``e_i . A e_j <= 0``, follow the offsets
    ``e_k`` turned by a right angle with the weights ``-e_i . A e_j``; an acute pair is replaced by ``(-e_i, e_j, e_i - e_j)``.
    """
    n = len(A)
    base = np.tile(np.array([[1, 0], [0, 1], [-1, -1]]), (n, 1, 1))
    scale = np.trace(A, axis1=1, axis2=2)
    pairs = np.array([(1, 2), (0, 2), (0, 1)])
    for _ in range(4 * REACH):
        acute = np.einsum("npi,nij,npj->np", base[:, pairs[:, 0]], A, base[:, pairs[:, 1]])
        worst = np.argmax(acute, axis=1)
        turn = np.flatnonzero(acute[np.arange(n), worst] > 1e-14 * scale)
        if turn.size == 0:
            break
        i, j = pairs[worst[turn]].T
        first, second = base[turn, i], base[turn, j]
        base[turn, i], base[turn, j], base[turn, worst[turn]] = -first, second, first - second
    acute = np.einsum("npi,nij,npj->np", base[:, pairs[:, 0]], A, base[:, pairs[:, 1]])
    offsets = np.stack([-base[..., 1], base[..., 0]], axis=-1)
    return offsets, np.where(acute > 1e-14 * scale[:, None], np.inf, np.maximum(-acute, 0.0))


def _reach(offsets: Whole, rho: Array) -> Whole:
    """Return how many cells the offsets in use span at most; more than allowed if the decomposition did not end."""
    span = np.where(
        rho > 1e-14 * np.nan_to_num(rho, posinf=0.0).max(axis=1, keepdims=True), np.abs(offsets).max(axis=2), 0
    )
    return np.where(np.isfinite(rho).all(axis=1), span.max(axis=1), REACH + 1)


def _clipped(A: Array, points: Array, offsets: Whole, rho: Array, reach: Whole) -> tuple[Whole, Array]:
    """Reduce the correlation of matrices that need far offsets, by as little as will do, with a warning."""
    offsets, rho = offsets.copy(), rho.copy()
    lost = np.zeros(len(A))
    far, share = np.flatnonzero(reach > REACH), 1e-3
    total = far.size
    while far.size:
        lost[far] = share
        nearer = A[far].copy()
        nearer[:, [0, 1], [1, 0]] *= 1.0 - share
        offsets[far], rho[far] = selling(nearer)
        far = far[_reach(offsets[far], rho[far]) > REACH]
        share = min(1.25 * share, 1.0)
    at = int(np.argmax(lost))
    warnings.warn(
        f"at {total} of {len(A)} cells the noise is too one-sided for jumps of at most {REACH} cells; there the correlation of "
        f"its coordinates is reduced, by {lost[at]:.1%} at most, at x = {points[at].tolist()}. Smaller cells do not help; axes "
        "along the noise would, or cells of another shape",
        UserWarning,
        stacklevel=7,
    )
    return offsets, rho


# -- links ----


def _links(grid: Grid, boundary: Boundary, wrap: tuple[bool, ...], jumps: list[tuple[Whole, Array, Array]]) -> Links:
    """Return the links of jumps (offsets, rates there, rates back) from every cell."""
    size, dim = grid.size, grid.dim
    index = np.stack(np.unravel_index(np.arange(size), grid.shape), axis=1)
    cell = np.concatenate([np.repeat(np.arange(size), step.shape[1]) for step, _, _ in jumps])
    step = np.concatenate([step.reshape(-1, dim) for step, _, _ in jumps])
    rate = np.concatenate([out.ravel() for _, out, _ in jumps])
    back = np.concatenate([other.ravel() for _, _, other in jumps])
    used = (rate > 0.0) | (back > 0.0)
    cell, step, rate, back = cell[used], step[used], rate[used], back[used]
    head, crossed, theta = _targets(grid, wrap, index[cell], step)
    inside = crossed < 0
    exits = []
    for axis, kinds in enumerate(boundary):
        for end, kind in enumerate(kinds):
            gone = np.flatnonzero(crossed == 2 * axis + end)
            if kind == "absorbing" and gone.size:
                out = fraction_rate(rate[gone], back[gone], theta[gone])
                exits.append((cell[gone], out, step[gone]))
    paired = _paired(size, cell[inside], head[inside], step[inside], rate[inside])
    return Links.gathered(size, dim, [paired], exits)


def _targets(grid: Grid, wrap: tuple[bool, ...], index: Whole, step: Whole) -> tuple[Whole, Whole, Array]:
    """Return where jumps end, the face of the box they cross first (-1: none), and the fraction of the way to it."""
    target = index + step
    crossed = np.full(len(step), -1)
    theta = np.full(len(step), np.inf)
    for axis, (n, ring) in enumerate(zip(grid.shape, wrap, strict=True)):
        if ring:
            target[:, axis] %= n
            continue
        for end, beyond, gap in (
            (0, target[:, axis] < 0, index[:, axis] + 0.5),
            (1, target[:, axis] >= n, n - 0.5 - index[:, axis]),
        ):
            fraction = np.divide(gap, np.abs(step[:, axis]), out=np.full(len(step), np.inf), where=beyond)
            first = fraction < theta
            crossed[first], theta[first] = 2 * axis + end, fraction[first]
    flat = np.ravel_multi_index(np.clip(target, 0, np.array(grid.shape) - 1).T, grid.shape)
    return flat, crossed, theta


def _paired(size: int, cell: Whole, head: Whole, step: Whole, rate: Array) -> tuple[Whole, Whole, Array, Array, Whole]:
    """Return one link per pair of cells from the jumps to and fro."""
    leading = step[np.arange(len(step)), np.argmax(step != 0, axis=1)]
    positive = leading > 0
    tail, tip = np.where(positive, cell, head), np.where(positive, head, cell)
    key = tail.astype(np.int64) * size + tip
    _, first, number = np.unique(key, return_index=True, return_inverse=True)
    forward = np.bincount(number, np.where(positive, rate, 0.0), len(first)).astype(np.float64)
    backward = np.bincount(number, np.where(positive, 0.0, rate), len(first)).astype(np.float64)
    along = np.where(positive[:, None], step, -step)[first]
    return tail[first], tip[first], forward, backward, along


def _reversible(
    model: Preconditioned, grid: Grid, boundary: Boundary, wrap: tuple[bool, ...], offsets: Whole, rho: Array
) -> Network:
    """Return the chain of ``div(D M exp(-V/D) grad(p exp(V/D)))`` with ``rho`` averaged over the cells of a link."""
    D = float(model.params[2])
    landscape = Landscape(model.potential, D)
    points = grid.points.reshape(grid.size, grid.dim)
    V = landscape.energy(points)
    half = 0.5 * rho
    plain = _links(grid, boundary, wrap, [(offsets, half, half), (-offsets, half, half)])
    # both cells contributed half of theirs
    conductance = plain.forward + plain.backward
    rise = V[plain.head] - V[plain.tail]
    tail = np.stack(np.unravel_index(plain.tail, grid.shape), axis=1)
    turns, tilted = (tail + plain.step) // np.array(grid.shape), False
    for axis, (ring, side) in enumerate(zip(wrap, grid.sides, strict=True)):
        if ring:
            work = work_per_turn(landscape, points, np.eye(grid.dim)[axis] * (side.high - side.low), V)
            rise += turns[:, axis] * work
            tilted |= work != 0.0
    uphill, downhill = bernoulli(rise / D)
    inner = (plain.tail, plain.head, conductance * uphill, conductance * downhill, plain.step)
    face = points[plain.exit_cell]
    exits = (plain.exit_cell, plain.exit_rate, plain.exit_step)
    if face.size:
        theta = _targets(grid, wrap, np.stack(np.unravel_index(plain.exit_cell, grid.shape), axis=1), plain.exit_step)[
            2
        ]
        ahead = face + theta[:, None] * plain.exit_step * np.array(grid.dx)
        out, _ = bernoulli((landscape.energy(ahead) - V[plain.exit_cell]) / D)
        exits = (plain.exit_cell, 2.0 * plain.exit_rate * out, plain.exit_step)
    links = Links.gathered(grid.size, grid.dim, [inner], [exits])
    weights = None if tilted else grid.volumes.ravel() * np.exp(-(V - V.min()) / D)
    return Network(grid, links, wrap, weights, landscape=landscape, potential=V)
