r"""The Kramers equation on equal cells of a strip of phase space: fourth order, exact Gibbs law, exact mass.

With the Gibbs weights ``W`` of the cells and ``u = m / W``:

- the Hamiltonian part has the current ``(p, -V') exp(-H/D) u``. It has the stream function ``D exp(-H/D)``, whose differences
  between the ends of a face are the exact flux for ``u = 1``, without divergence; times the mean of ``u`` to either side, they
  make a matrix that is antisymmetric in ``m / sqrt(W)``, of second order. Links between next neighbours, with the faces of cells
  twice as wide, are of second order too: 4/3 of the ones less 1/3 of the others leave fourth order. In steep outskirts, where
  the energy rises by more than 2 or 3 D per cell, the correction would turn the force around: it fades away, as a factor of
  the stream function, and gives place to upwind differences, positive and of first order. All that is said stays exact;
- friction is a Dirichlet form, ``gamma D int W (du/dp)^2``, in fourth order likewise;
- waves as short as a cell run backwards under central differences, in the potential turned upside down, and would escape over
  *its* barriers: a false slow mode. They are damped by a sixth difference, ``|p| dx^5 / 256``;
- at the box ends in p the stream function is put to 0 (nothing leaves; Gibbs stays exact).

At an end where paths leave, only ``p`` outwards does; nothing comes in. The last two columns are of second order, for the
equation and for its adjoint (summation by parts): with the end at the distance ``theta dx`` from the last centre, fluxes are
continued to it, or taken to be zero there, and the last two columns are ``(1 + theta)^2 / 2`` and ``1 - theta^2 / 2`` cells wide.

References
----------
H. Risken, The Fokker-Planck Equation (1989), chapter 10; A. Arakawa, J. Comput. Phys. 1 (1966) 119 (brackets that keep what they
should); D. Del Rey Fernandez, P. Boom & D. Zingg, J. Comput. Phys. 266 (2014) 214 (summation by parts, ends between points).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from shld_sim.grid import signed
from shld_sim.grid.mesh import Grid
from shld_sim.models import Underdamped

Array = NDArray[np.float64]
Whole = NDArray[np.int64]

SMOOTHING = 1.0 / 256.0
RESOLVED = (
    2.0,
    3.5,
)  # rises of the energy per cell, in units of D, up to which the order is four, and beyond which it is one
EDGE = 4.0  # rows at the ends in p over which the order falls to one
DEEPEST = 600.0  # energy of a cell in units of D, above the lowest, that double precision can hold
HALF = (
    0.5 - 1e-9
)  # cells: a column whose centre lies less than this beyond an end is the last (its outer part is empty)


@dataclass(frozen=True, eq=False)
class Strip:
    """The equation on neighbouring columns of cells, for ``f = m / sqrt(W)``.

    Attributes
    ----------
    grid : Grid
        The box.
    columns : slice
        The columns of cells that take part.
    friction, D : float
        Of the model.
    matrix : sparse array, shape (M, M)
        ``A`` in ``df/dt = A f``.
    log_weight : ndarray, shape (M,)
        ``ln W``, up to a constant.
    rates : tuple of two ndarrays, shape (M,)
        Probability per unit time that leaves by the left and the right end, per unit of probability in a cell; may be
        negative in the last column but one.
    inside : ndarray of bool, shape (M,)
        Which cells have their centre in the strip: those of the last column may not.
    """

    grid: Grid
    columns: slice
    friction: float
    D: float
    matrix: sparse.csc_array
    log_weight: Array
    rates: tuple[Array, Array]
    inside: NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Number of cells."""
        return self.log_weight.size

    @property
    def open(self) -> bool:
        """Whether an end can be left."""
        return bool(self.rates[0].any() or self.rates[1].any())

    @property
    def cells(self) -> slice:
        """The cells among those of the box."""
        n = self.grid.shape[1]
        return slice(self.columns.start * n, self.columns.stop * n)

    def whole(self, values: Array) -> Array:
        """Return values on the cells of the box, 0 outside of the strip."""
        all_values = np.zeros(self.grid.size)
        all_values[self.cells] = np.where(self.inside, values, 0.0)
        return all_values

    def gibbs(self) -> Array:
        """Return the Gibbs weights, the largest 1."""
        return np.asarray(np.exp(self.log_weight - self.log_weight.max()))

    def root(self) -> Array:
        """Return ``sqrt(W)``."""
        return np.asarray(np.exp(0.5 * self.log_weight))

    def generator(self) -> sparse.csc_array:
        """Return ``L = sqrt(W) A / sqrt(W)``."""
        return self._scaled(self.matrix, 0.5)

    def _scaled(self, A: sparse.csc_array, power: float) -> sparse.csc_array:
        """Return ``W^power A W^-power`` without forming the powers."""
        coo = A.tocoo()
        row, column = coo.coords
        values = coo.data * np.exp(power * (self.log_weight[row] - self.log_weight[column]))
        return sparse.csc_array(sparse.coo_array((values, (row, column)), shape=A.shape))

    def evolve(self, m0: Array, times: Array) -> Array:
        """Return ``exp(L t) m0``, shape ``(len(times), M)``."""
        root = self.root()
        return signed.evolve(self.matrix, m0 / root, times) * root

    def backward(self, g: Array) -> Array:
        """Return ``T`` of ``L^T T = g``."""
        adjoint = self._scaled(sparse.csc_array(self.matrix.T), -0.5)
        return np.asarray(linalg.splu(adjoint).solve(g))

    def slope(self, density: Array) -> Array:
        """Return ``W d(density / W)/dp`` at the cell centres, by fourth-order differences; 0 in the last two rows."""
        shape, dp = self.grid.shape, self.grid.dx[1]
        log_weight, density = self.log_weight.reshape(shape), density.reshape(shape)
        total = np.zeros(shape)
        inner = slice(2, shape[1] - 2)
        for shift, factor in ((-2, 1.0), (-1, -8.0), (1, 8.0), (2, -1.0)):
            there = slice(2 + shift, shape[1] - 2 + shift)
            ratio = np.exp(log_weight[:, inner] - log_weight[:, there])
            total[:, inner] += factor / (12.0 * dp) * density[:, there] * ratio
        return total


def _fade(rise: Array) -> Array:
    """Return 1 up to ``RESOLVED[0]`` and 0 beyond ``RESOLVED[1]``, smoothly in between."""
    low, high = RESOLVED
    t = np.clip((high - rise) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


@dataclass(frozen=True, eq=False)
class _End:
    """An end where paths leave: last column and the one before, outward sign, distance from the last centre in cells.

    The distance is at most a half, and negative when the end falls short of the centre.
    """

    last: int
    before: int
    sign: int
    theta: float
    at: float

    @property
    def widths(self) -> tuple[float, float]:
        """Widths of the last column and of the one before, in cells."""
        return 0.5 * (1.0 + self.theta) ** 2, 1.0 - 0.5 * self.theta**2


def strip(
    model: Underdamped,
    grid: Grid,
    kinds: tuple[str, str],
    low: float = -np.inf,
    high: float = np.inf,
    name: str = "domain",
) -> Strip:
    """Return the equation on the columns of the box with ``low < x < high``.

    Parameters
    ----------
    model : Underdamped
        One coordinate.
    grid : Grid
        The box.
    kinds : (str, str)
        Kinds of its ends in x; those of the momentum are closed.
    low, high : float
        Where paths leave; beyond the box, its own ends count.
    name : str
        Argument that errors name.
    """
    x, edges, dx = grid.axes[0], grid.edge_axes[0], grid.dx[0]
    near = HALF * dx
    first, stop = int(np.searchsorted(x, low - near, side="right")), int(np.searchsorted(x, high + near, side="left"))
    if stop - first < 8:
        raise ValueError(
            f"{name} must leave room for 8 columns of cells (dx = {dx!r}), got {max(stop - first, 0)} of them "
            f"in ({low!r}, {high!r})"
        )
    n = stop - first
    ends = []
    if low > edges[0] or kinds[0] == "absorbing":
        at = max(low, float(edges[0]))
        ends.append(_End(0, 1, -1, (x[first] - at) / dx, at))
    if high < edges[-1] or kinds[1] == "absorbing":
        at = min(high, float(edges[-1]))
        ends.append(_End(n - 1, n - 2, 1, (at - x[stop - 1]) / dx, at))
    return _Assembly(model, grid, first, stop, kinds, ends).strip()


class _Assembly:
    """Collects the elements of the matrix; everything is in exponents, so that no weight underflows on its own."""

    def __init__(
        self, model: Underdamped, grid: Grid, first: int, stop: int, kinds: tuple[str, str], ends: list[_End]
    ) -> None:
        self.V, self.D, self.friction = model.potential, float(model.D), model.friction  # type: ignore[arg-type]
        self.grid, self.first, self.stop, self.kinds, self.ends = grid, first, stop, kinds, ends
        self.n, self.rows = stop - first, grid.shape[1]
        self.index = np.arange(self.n * self.rows).reshape(self.n, self.rows)
        self.p, self.p_edges = grid.axes[1], grid.edge_axes[1]
        self.area = grid.dx[0] * grid.dx[1]
        self.x, self.sides = grid.axes[0][first:stop], grid.edge_axes[0][first : stop + 1].copy()
        energy = self.V(grid.axes[0])
        bad = ~np.isfinite(energy)
        if bad.any():
            raise ValueError(
                f"model.potential must be finite in the box, got {float(energy[bad][0])!r} "
                f"at x = {float(grid.axes[0][bad][0])!r}"
            )
        self.lowest = float(energy.min())
        deepest = (float(energy.max()) - self.lowest + 0.5 * float(self.p[-1]) ** 2) / self.D
        if deepest > DEEPEST:
            raise ValueError(
                f"grid must not reach energies above {DEEPEST:.0f} D in phase space, got {deepest:.0f} D: use a smaller box"
            )
        self.width = np.ones(self.n)
        for end in ends:
            self.width[[end.last, end.before]] = end.widths
            # the edge between the last two columns
            moved = self.x[end.before] + end.sign * 0.5 * (1.0 - end.theta**2) * grid.dx[0]
            self.sides[max(end.last, end.before)] = moved
            self.sides[end.last + (end.sign > 0)] = end.at
        self.log_weight = self.stream(self.x, self.p) + np.log(self.width)[:, None]
        self.parts: list[tuple[Array, Whole, Whole]] = []

    def stream(self, x: Array, p: Array) -> Array:
        """Return ``-H/D``, the logarithm of the stream function over ``D``, shape ``(len(x), len(p))``."""
        return np.asarray((self.lowest - self.V(x)[:, None] - 0.5 * p * p) / self.D)

    def resolved(self, x: Array, p: Array) -> Array:
        """Return ``chi``: 1 where the energy rises by little from cell to cell, 0 where by much and at the ends in p."""
        dx, dp = self.grid.dx
        ramp = np.clip((self.p_edges[-1] - np.abs(p)) / (EDGE * dp), 0.0, 1.0)
        return np.asarray(
            _fade(np.abs(self.V.gradient(x))[:, None] * dx / self.D) * (_fade(np.abs(p) * dp / self.D) * ramp)
        )

    def bracket(self, x: Array, p: Array, spread: int) -> Array:
        """Return the logarithms of what links between cells ``spread`` apart take as stream function, over ``D``.

        ``w (1 + chi/3)`` between neighbours and ``w chi`` beyond: of fourth order where ``chi`` is 1.
        """
        chi = self.resolved(x, p)
        with np.errstate(divide="ignore"):
            return np.asarray(self.stream(x, p) + (np.log1p(chi / 3.0) if spread == 1 else np.log(chi)))

    def add(self, values: Array, row: Whole, column: Whole) -> None:
        self.parts.append((values.ravel(), row.ravel(), column.ravel()))

    def link(self, a: Whole, b: Whole, high: Array, low: Array, factor: float, upwind: Array | None = None) -> None:
        """Add the flux ``F (u_a + u_b) / 2``, ``F = factor D (exp(high) - exp(low))``, from cells ``a`` to ``b``.

        Its parts on the diagonal cancel over the faces of a cell. A share of it may be taken ``upwind``.
        """
        middle = 0.5 * (self.log_weight.ravel()[a] + self.log_weight.ravel()[b])
        half = 0.5 * factor * self.D / self.area * (np.exp(high - middle) - np.exp(low - middle))
        self.add(half, b, a)
        self.add(-half, a, b)
        if upwind is not None and upwind.any():
            spread = np.abs(half) * upwind
            ratio = np.exp(0.5 * (self.log_weight.ravel()[b] - self.log_weight.ravel()[a]))
            self.add(spread, b, a)
            self.add(spread, a, b)
            self.add(-spread * ratio, a, a)
            self.add(-spread / ratio, b, b)

    def strip(self) -> Strip:
        self.across()
        self.along()
        self.dissipate()
        self.smooth()
        rates = (np.zeros(self.index.size), np.zeros(self.index.size))
        for end in self.ends:
            rates[end.sign > 0][:] = self.leave(end)
        values, row, column = (np.concatenate(parts) for parts in zip(*self.parts, strict=True))
        A = sparse.csc_array(sparse.coo_array((values, (row, column)), shape=(self.index.size, self.index.size)))
        columns = slice(self.first, self.stop)
        inside = np.ones(self.n, dtype=np.bool_)
        for end in self.ends:
            inside[end.last] = end.theta >= 0.0
        fixed = (self.log_weight.ravel(), rates, np.repeat(inside, self.rows))
        return Strip(self.grid, columns, self.friction, self.D, A, *fixed)

    def flux(
        self,
        source: Whole | None,
        target: Whole | None,
        terms: list[tuple[Whole, Array | float]],
        high: Array,
        low: Array,
    ) -> None:
        """Add the flux ``D (exp(high) - exp(low)) sum of factor u`` out of ``source`` and into ``target``."""
        weight = self.log_weight.ravel()
        for row, sign in ((source, -1.0), (target, 1.0)):
            if row is None:
                continue
            for cell, factor in terms:
                middle = 0.5 * (weight[row] + weight[cell])
                self.add(sign * factor * self.D / self.area * (np.exp(high - middle) - np.exp(low - middle)), row, cell)

    # -- the Hamiltonian part ----

    def faces(self, x: Array, spread: int, plain: bool = False) -> tuple[Array, Array]:
        """Return the logarithms of the stream function below and above the faces at ``x`` of all rows of cells.

        The flux to the right is the former less the latter; it vanishes at the ends of the momentum. ``plain`` is for faces
        of second order.
        """
        p = self.p_edges if spread == 1 else self.p
        values = self.stream(x, p) if plain else self.bracket(x, p, spread)
        values[:, [0, -1]] = -np.inf
        if spread == 2:
            values = np.pad(values, ((0, 0), (1, 1)), constant_values=-np.inf)
        return values[:, :-spread], values[:, spread:]

    def across(self) -> None:
        """Add the links between columns, neighbours and next but one."""
        n, closing = self.n, self.closing
        for spread, factor in ((1, 1.0), (2, -1.0 / 12.0)):
            a = np.arange(n - spread)
            b = a + spread
            at = self.sides[1:-1] if spread == 1 else self.x[1:-1]
            plain = ~closing[a] & ~closing[b]
            self.couple(a[plain], b[plain], at[plain], spread, factor)
            last = np.arange(n - spread, n)
            if self.kinds[0] == "periodic":
                seam = self.sides[-1:] if spread == 1 else self.x[[-1, 0]]
                self.couple(last, (last + spread) % n, seam, spread, factor)
                continue
            # a wall: the path goes on in the mirror image, with the opposite momentum; every such link is met twice
            if not any(end.sign > 0 for end in self.ends):
                wall = self.sides[-1] if spread == 1 else self.x[-1]
                self.couple(last, 2 * n - 1 - last - spread, np.full(spread, wall), spread, 0.5 * factor, mirrored=True)
            if not any(end.sign < 0 for end in self.ends):
                wall, near = self.sides[0] if spread == 1 else self.x[0], np.arange(spread)
                self.couple(near, spread - 1 - near, np.full(spread, wall), spread, -0.5 * factor, mirrored=True)

    def couple(self, a: Whole, b: Whole, at: Array, spread: int, factor: float, mirrored: bool = False) -> None:
        high, low = self.faces(at, spread)
        there = self.index[b][:, ::-1] if mirrored else self.index[b]
        upwind = 1.0 - self.resolved(at, self.p) if spread == 1 else None
        self.link(self.index[a], there, high, low, factor, upwind)

    def along(self) -> None:
        """Add the links within a column, where the force drives the momentum."""
        inner = np.flatnonzero(~self.closing)
        high, low = (self.bracket(x, self.p_edges[1:-1], 1) for x in (self.sides[1:], self.sides[:-1]))
        i = self.index[inner]
        upwind = 1.0 - self.resolved(self.x[inner], self.p_edges[1:-1])
        self.link(i[:, :-1], i[:, 1:], high[inner], low[inner], 1.0, upwind)
        around = np.pad(
            self.x, 1, mode="wrap" if self.kinds[0] == "periodic" else "edge"
        )  # in a mirror: the same column
        right, left = (self.bracket(x, self.p[1:-1], 2) for x in (around[2:], around[:-2]))
        self.link(i[:, :-2], i[:, 2:], right[inner], left[inner], -1.0 / 12.0)
        outer = np.flatnonzero(self.closing)
        a, b = self.index[outer][:, :-1], self.index[outer][:, 1:]
        high, low = (self.stream(x, self.p_edges[1:-1]) for x in (self.sides[1:][outer], self.sides[:-1][outer]))
        self.flux(a, b, [(a, 0.5), (b, 0.5)], high, low)

    def leave(self, end: _End) -> Array:
        """Add the columns next to an end where paths leave; return the rate at which they do, per unit of probability."""
        sign, last, before = end.sign, self.index[end.last], self.index[end.before]
        inner = [self.index[end.before - sign * k] for k in (1, 2)]
        ordered = lambda pair: pair if sign > 0 else pair[::-1]  # noqa: E731 - fluxes count outwards
        # the face between fourth and second order: what the inner columns lose, the outer receive
        for a, b, to, spread, factor, at in (
            (inner[0], before, before, 1, 1.0, 0.5 * (self.x[end.before] + self.x[end.before - sign])),
            (inner[1], before, before, 2, -1.0 / 12.0, self.x[end.before - sign]),
            (inner[0], last, before, 2, -1.0 / 12.0, self.x[end.before]),
        ):
            high, low = (f[0] for f in ordered(self.faces(np.array([at]), spread)))
            self.flux(a, None, [(b, 0.5 * factor)], high, low)  # its own part of u cancels with its other faces
            self.flux(None, to, [(a, 0.5 * factor), (b, 0.5 * factor)], high, low)
        theta = end.theta
        edge = self.sides[max(end.last, end.before)]
        high, low = (f[0] for f in ordered(self.faces(np.array([edge]), 1, plain=True)))
        out = sign * self.p > 0.0
        # u at the edge between the two: interpolated, or on the line to 0 at the end
        to_last = np.where(out, 0.5 * (1.0 - theta**2), 0.5 * (1.0 + theta) ** 2)
        to_before = np.where(out, 0.5 * (1.0 + theta**2), 0.5 * (1.0 - theta**2))
        self.flux(before, last, [(last, to_last), (before, to_before)], high, low)
        high, low = (f[0] for f in ordered(self.faces(np.array([end.at]), 1, plain=True)))
        self.flux(
            last, None, [(last, np.where(out, 1.0 + theta, 0.0)), (before, np.where(out, -theta, 0.0))], high, low
        )
        rates, weight = np.zeros(self.index.size), self.log_weight.ravel()
        for cell, factor in ((last, 1.0 + theta), (before, -theta)):
            flow = self.D / self.area * (np.exp(high - weight[cell]) - np.exp(low - weight[cell]))
            rates[cell] = np.where(out, factor * flow, 0.0)
        return rates

    @property
    def closing(self) -> NDArray[np.bool_]:
        """Which columns are the last two before an end where paths leave."""
        columns = np.zeros(self.n, dtype=np.bool_)
        for end in self.ends:
            columns[[end.last, end.before]] = True
        return columns

    # -- friction, and what keeps waves of the length of a cell in check ----

    def dissipate(self) -> None:
        """Add ``-gamma D int W (du/dp)^2`` in fourth order."""
        rate = self.friction * self.D / self.grid.dx[1] ** 2
        width = np.log(self.width)[:, None]
        for spread, factor, at in ((1, 1.0, self.p_edges[1:-1]), (2, -1.0 / 12.0, self.p[1:-1])):
            a, b = self.index[:, :-spread], self.index[:, spread:]
            chi = _fade(np.abs(at) * self.grid.dx[1] / self.D)
            share = factor * rate * (1.0 + chi / 3.0 if spread == 1 else chi)
            between = self.stream(self.x, at) + width
            here, there = self.log_weight[:, :-spread], self.log_weight[:, spread:]
            across = share * np.exp(between - 0.5 * (here + there))
            self.add(across, a, b)
            self.add(across, b, a)
            self.add(-share * np.exp(between - here), a, a)
            self.add(-share * np.exp(between - there), b, b)

    def smooth(self) -> None:
        """Add ``-|p|/(256 dx)`` times the square of the third difference of ``u`` along x."""
        ring = self.kinds[0] == "periodic"
        first = np.arange(self.n if ring else self.n - 3)
        cells = [self.index[(first + k) % self.n] for k in range(4)]
        weights = [self.log_weight[(first + k) % self.n] for k in range(4)]
        mean = 0.25 * np.sum(weights, axis=0)
        root = np.sqrt(SMOOTHING * np.abs(self.p) / self.grid.dx[0])
        third = [c * root * np.exp(0.5 * (mean - w)) for c, w in zip((-1.0, 3.0, -3.0, 1.0), weights, strict=True)]
        for row, left in zip(cells, third, strict=True):
            for column, right in zip(cells, third, strict=True):
                self.add(-left * right, row, column)
