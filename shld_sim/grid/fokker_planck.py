"""The Fokker-Planck equation of a model on a grid: the public face of the grid solvers."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.domains import Domain, as_domain
from shld_sim.grid import scale, thermodynamics
from shld_sim.grid.boundaries import Boundary, checked_boundary
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.generator import Landscape
from shld_sim.grid.kramers import Kramers
from shld_sim.grid.line import Line
from shld_sim.grid.mesh import Grid
from shld_sim.grid.network import Network, network
from shld_sim.grid.oblique import oblique
from shld_sim.models import Diffusion, Langevin, Model, Underdamped, require

Set = Domain | tuple[float, float]


@dataclass(frozen=True, eq=False)
class FokkerPlanck:
    r"""``dp/dt = div (p grad V + D grad p)`` on a grid, for ``dX = -grad V dt + sqrt(2 D) dW``.

    One matrix with Scharfetter-Gummel fluxes answers every question: off-diagonals are non-negative, probability is
    conserved, and ``exp(-V(x_i) / D)`` is stationary to rounding. Everything else is second order in the cell width.

    Parameters
    ----------
    model : Langevin, Diffusion or Underdamped
        With constant noise. `Langevin`: one to three coordinates. `Diffusion`, in the sense of Ito or Stratonovich, and
        `Preconditioned`: one or two, in three with uncorrelated noise. `Underdamped`: one, on an axis of ``x`` and one of
        the momentum.
    grid : Grid
        The box and its cells. With reflecting ends it should reach far enough that the Gibbs weight there
        is negligible: a ``UserWarning`` says when it does not.
    boundary : str or pair of str
        ``"reflecting"`` (no flux), ``"absorbing"`` (``p = 0`` on the edge of the box), a pair of these for the left
        and right end, or ``"periodic"`` (the potential must repeat with the box, up to a constant tilt). In more than one
        dimension one name for all, or one entry per coordinate.

    Attributes
    ----------
    generator : scipy.sparse.csc_array, shape (N, N)
        ``L`` in ``dm/dt = L m`` for the probabilities ``m`` of the cells, and for densities where cells are equal.
    chain : Chain
        The solver.

    Raises
    ------
    TypeError
        If the model is of no kind that has a solver, ``grid`` not a ``Grid``, or ``boundary`` neither a name nor a pair.
    ValueError
        If the noise is not constant, model and grid differ in dimension, a boundary is unknown, or the potential is
        not finite in the box or not periodic in a periodic one.

    Notes
    -----
    Valid while ``exp(-V/D)`` varies by less than about a factor ``e`` per cell where probability lives; beyond that
    the solution stays positive and conserving, but diffusion is overestimated as by an upwind scheme.

    Every `Diffusion` on the line has a potential, ``ln a - int b/a dx`` with ``a = B^2/2`` and Ito's drift ``b``, which is
    found by quadrature: all that is said above and below holds with ``D = 1``. The noise may vanish at an end of the box, not
    inside. In the plane, on equal cells, jumps go along oblique offsets where noises are correlated; rates are positive for
    any drift, densities follow Ito's form, and a warning tells where noise is too one-sided for that.

    With inertia, ``dp/dt = -P dp/dx + d/dP ((V' + gamma P + gamma D d/dP) p)``, on equal cells, of fourth order. Gibbs and the
    mass are kept to rounding, but densities may fall below zero where cells do not resolve them: a warning says so. Domains are
    intervals of ``x``: a path leaves when its position does. Choose a box of 6 ``sqrt(D)`` in the momentum and cells of at most
    a third of ``sqrt(D)``, smaller for weak friction, whose layers are as thin as ``sqrt(gamma)``. Times from energies more than
    30 D above the wells, where no path goes, mean nothing.

    References
    ----------
    Scharfetter & Gummel, IEEE Trans. Electron Devices 16 (1969) 64; Chang & Cooper, J. Comput. Phys. 6 (1970) 1;
    Heida, Kantner & Stephan, ESAIM: M2AN 55 (2021) 3017; Eymard, Gallouet & Herbin, Finite volume methods, Handbook of
    Numerical Analysis VII (2000). Karlin & Taylor, A Second Course in Stochastic Processes (1981), chapter 15 (the line);
    Bonnans & Zidani, SIAM J. Numer. Anal. 41 (2003) 1008 (the plane); Risken, The Fokker-Planck Equation (1989), chapter
    10 (inertia).

    Examples
    --------
    >>> from shld_sim.models import Langevin
    >>> from shld_sim.potentials import DoubleWell
    >>> fp = FokkerPlanck(Langevin(DoubleWell(), D=0.1), Grid(-2.5, 2.5, 400))
    >>> round(fp.mean_exit_time((-np.inf, 0.0), x0=-1.0), 1)
    30.8

    Two coordinates:

    >>> from shld_sim.potentials import MexicanHat
    >>> fp = FokkerPlanck(Langevin(MexicanHat(dim=2), D=0.1), Grid((-2, 2, 80), (-2, 2, 80)))
    >>> fp.steady_state().shape
    (80, 80)
    >>> fp.eigenvalues(3).round(2)
    array([0.  , 0.13, 0.13])

    Inertia; the rate from well to well is half of the gap:

    >>> from shld_sim.models import Underdamped
    >>> fp = FokkerPlanck(Underdamped(DoubleWell(), D=0.05, friction=1.0), Grid((-1.8, 1.8, 80), (-1.4, 1.4, 64)))
    >>> round(0.5 * fp.eigenvalues(2)[1].real, 6)
    0.000893
    """

    model: Model
    grid: Grid
    boundary: Any = "reflecting"
    chain: Chain = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.grid, Grid):
            raise TypeError(f"grid must be a Grid, got {self.grid!r}")
        kinds = checked_boundary(self.boundary, self.grid)
        object.__setattr__(self, "chain", _chain(self.model, self.grid, kinds))

    @property
    def generator(self) -> Any:
        """The matrix ``L`` in ``dm/dt = L m``."""
        return self.chain.generator

    # -- densities in time ----

    def steady_state(self) -> Array:
        """Return the density with ``L p = 0``: Gibbs, ``exp(-V/D) / Z``, unless a tilted ring carries a current.

        Returns
        -------
        ndarray, shape (*shape)
            Density at the cell centres; ``grid.integrate(p) == 1``.

        Raises
        ------
        ValueError
            If an end is absorbing: everything leaves in the end.
        """
        self._conserving("a steady state")
        return self._density_of(self.chain.stationary())

    def propagate(self, p0: Any, t: float | ArrayLike) -> Array:
        """Return ``p(t) = exp(L t) p0``, the solution on the cells, exact in time to rounding.

        In more than one coordinate, long times are passed in steps whose error is below 1e-10 of the probability each.

        Parameters
        ----------
        p0 : ndarray of shape (*shape), callable or point
            A density on the grid (non-negative, integral within 1e-6 of 1, used as it is); a density function,
            evaluated at the cell centres and normalised; or a point in the box, whose unit mass is shared by the
            nearest cells so that the mean is kept (within half a cell of an end: all in the last cell).
        t : float or ndarray of shape (m,)
            Non-negative times, in any order.

        Returns
        -------
        ndarray, shape (*shape) or (m, *shape)
            Never negative. Between conserving ends the mass of ``p0`` is kept to rounding; with an absorbing end the
            rest of it is the probability to have left. Elements below about 1e-150 may be flushed to zero.

        Raises
        ------
        TypeError
            If ``p0`` or ``t`` is not of these kinds.
        ValueError
            If ``p0`` is negative, of the wrong shape, not normalised, or a point outside the box; if ``t`` is
            negative or not finite.
        """
        times, single = _times(t)
        m = self.chain.evolve(self._initial(p0), times)
        return self._density_of(m[0] if single else m)

    def relaxation(self, f: Any, p0: Any, t: float | ArrayLike) -> Any:
        """Return the mean ``E f(X_t)`` of an observable from the start ``p0``.

        Parameters
        ----------
        f : callable, float or ndarray of shape (*shape)
            The observable, as in `mean`.
        p0 : ndarray, callable or point
            The start, as in `propagate`.
        t : float or ndarray of shape (m,)
            Non-negative times.

        Returns
        -------
        float, or ndarray of shape (m,)
        """
        return self.mean(self.propagate(p0, t), f)

    # -- spectrum ----

    def eigenvalues(self, k: int = 6) -> NDArray[Any]:
        """Return the ``k`` smallest eigenvalues of ``-L``: ``L psi = -lambda psi``, relaxation rates (1/time).

        Parameters
        ----------
        k : int
            How many, from 1 to the number of cells.

        Returns
        -------
        ndarray, shape (k,)
            Ascending; the first is exactly 0 when the ends conserve probability. Every one has nearly full *relative*
            accuracy as an eigenvalue of the matrix (its distance to the equation's is ``O(dx^2)``); on an
            untilted ring the error is about ``1e-14 sqrt(lambda lambda_max)``. Without detailed balance they are complex,
            ascending in the real part.

        Warns
        -----
        UserWarning
            In more than one dimension, if a mode lives at a reflecting end of the box where the Gibbs law does not: its
            eigenvalue is a property of the box.

        Raises
        ------
        ValueError
            If ``k`` is not between 1 and the number of cells.
        """
        return self.chain.eigenvalues(self._count(k))

    def eigenfunctions(self, k: int = 6) -> NDArray[Any]:
        """Return densities ``psi_j`` with ``L psi_j = -lambda_j psi_j`` and ``int psi_j psi_l / pi dx = delta_jl``.

        ``pi`` is the Gibbs density (with an absorbing end: of the closed box). The sign makes the last element
        that is not small positive. Modes closer to one another than 1e-12 of the largest rate may mix.

        Parameters
        ----------
        k : int
            How many, from 1 to the number of cells.

        Returns
        -------
        ndarray, shape (k, *shape)

        Raises
        ------
        ValueError
            If ``k`` is not between 1 and the number of cells, or there is no detailed balance in one dimension.
        """
        psi = self.chain.eigenfunctions(self._count(k))
        scaled = np.abs(psi) / np.sqrt(np.maximum(self.chain.stationary(), 1e-300))
        big = scaled > 1e-3 * scaled.max(axis=1, keepdims=True)
        last = psi.shape[1] - 1 - np.argmax(big[:, ::-1], axis=1)
        chosen = psi[np.arange(len(psi)), last]
        return self._density_of(psi * (np.abs(chosen) / chosen)[:, None])

    # -- exits ----

    def mean_exit_time(self, domain: Set | None, x0: ArrayLike | None = None) -> Any:
        """Return the mean time to leave ``domain``: ``D T'' - V' T' = -1``, ``T = 0`` on its boundary.

        Parameters
        ----------
        domain : (float, float), Interval, Ball, HalfSpace, Box, Region or None
            Where the path runs; in one dimension a pair ``low < high``, infinite allowed. What of it lies beyond the box is
            replaced by the box with its boundary condition; None means the box. Its boundary absorbs wherever it falls
            within a cell. Along a periodic axis it is a set of the coordinates of the box, and not repeated.
        x0 : float or array_like of shape (dim,), optional
            Start, in the domain and the box.

        Returns
        -------
        float, or ndarray of shape (*shape)
            The time from ``x0``, or from every cell centre, with 0 for cells outside the domain. Error ``O(dx^2)``;
            rounding is relative however large the time.

        Raises
        ------
        ValueError
            If the domain does not overlap the box, holds no cell centre, or cannot be left; if ``x0`` lies
            outside; if the boundary is periodic in one dimension; if the time exceeds the floating-point range.
        """
        inside = self._domain("domain", domain)
        start = None if x0 is None else self._start("x0", x0, inside)
        times = self.chain.exit_time(inside)
        return times.reshape(self.grid.shape) if start is None else self.chain.interpolate(times, start, inside)

    def survival(self, domain: Set | None, p0: Any, t: float | ArrayLike) -> Any:
        """Return the probability not to have left ``domain`` by the time ``t``.

        Parameters
        ----------
        domain : (float, float), Interval, Ball, HalfSpace, Box, Region or None
            Where the path runs, as in `mean_exit_time`.
        p0 : ndarray, callable or point
            The start, as in `propagate`; what of it lies outside the domain has left at once.
        t : float or ndarray of shape (m,)
            Non-negative times.

        Returns
        -------
        float, or ndarray of shape (m,)
        """
        times, single = _times(t)
        alive = self.chain.survival(self._domain("domain", domain), self._initial(p0), times)
        return float(alive[0]) if single else alive

    def committor(self, a: Set, b: Set) -> Array:
        """Return the probability to reach ``b`` before ``a``: ``D q'' - V' q' = 0``, 0 on ``a``, 1 on ``b``.

        Parameters
        ----------
        a, b : (float, float), Interval, Ball, HalfSpace, Box or Region
            Sets that overlap the box but not each other; in one dimension intervals ``low < high``, infinite ends allowed.
            Their ends are taken where they are, also within a cell.

        Returns
        -------
        ndarray, shape (*shape)
            At the cell centres. A path that leaves through an absorbing end of the box reaches neither.

        Raises
        ------
        ValueError
            If the sets overlap or lie outside the box, or the boundary is periodic in one dimension.
        """
        q = self.chain.committor(self._set("a", a), self._set("b", b))
        return q.reshape(self.grid.shape)

    def reactive_current(self, a: Set, b: Set) -> Array:
        """Return the current of the stationary paths on their way from ``a`` to ``b``: ``J = D pi grad q``.

        ``pi`` is the steady state and ``q`` the `committor`. Between the sets its divergence vanishes; through any surface
        that parts them flows the `reactive_rate`. Without detailed balance ``q`` is accompanied by the probability to
        have come from ``a``.

        Parameters
        ----------
        a, b : (float, float), Interval, Ball, HalfSpace, Box or Region
            The sets, as in `committor`.

        Returns
        -------
        ndarray
            As of `current`: shape ``(n + 1,)`` in one dimension, else ``(*shape, dim)``.

        Raises
        ------
        ValueError
            If the sets overlap or lie outside the box, or an end is absorbing.
        TypeError
            If the solver has no reactive current.

        References
        ----------
        E & Vanden-Eijnden, J. Stat. Phys. 123 (2006) 503; Annu. Rev. Phys. Chem. 61 (2010) 391.
        """
        return self._reactive(a, b)[0]

    def reactive_rate(self, a: Set, b: Set) -> float:
        """Return how often per unit time a stationary path goes from ``a`` to ``b``: ``k = D int pi |grad q|^2 dx``.

        As many go back. Divided by the share of time since ``a`` was last visited, ``int pi (1 - q) dx``, it is the rate
        constant of the transition.

        Parameters
        ----------
        a, b : (float, float), Interval, Ball, HalfSpace, Box or Region
            The sets, as in `committor`.

        Raises
        ------
        ValueError
            If the sets overlap or lie outside the box, or an end is absorbing.
        TypeError
            If the solver has no reactive current.
        """
        return self._reactive(a, b)[1]

    # -- of densities ----

    def current(self, p: Array) -> Array:
        """Return the flux ``J = -V' p - D dp/dx``, positive to the right.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.

        Returns
        -------
        ndarray
            In one dimension through the cell edges, shape ``(n + 1,)``; else the vector at the cell centres, shape
            ``(*shape, dim)``.
        """
        return self.chain.current(self._density("p", p).ravel() * self.chain.volumes)

    def free_energy(self, p: Array) -> float:
        """Return ``F = int (V p + D p ln p) dx``; the Gibbs density minimises it, at ``-D ln int exp(-V/D) dx``.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.
        """
        energy, D = self.chain.energy()
        return thermodynamics.free_energy(energy, D, self._density("p", p).ravel(), self.chain.volumes)

    def entropy_production(self, p: Array) -> float:
        """Return ``sigma = (1/D) int J^2 / p dx >= 0``, a rate (1/time, entropy in units of ``k_B``).

        Without tilt and with conserving ends ``dF/dt = -D sigma`` exactly on the grid (H-theorem). In the steady
        state of a tilted ring ``sigma = -J (V(x + period) - V(x)) / D > 0``. Infinite when a cell with probability
        has an empty neighbour, as at a point start.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.

        Raises
        ------
        ValueError
            If an end is absorbing: a one-way step has no finite entropy production.
        """
        self._conserving("the entropy production")
        flows = self.chain.flows(self._density("p", p).ravel() * self.chain.volumes)
        return thermodynamics.entropy_production(*flows)

    def mean(self, p: Array, f: Any) -> Any:
        """Return ``E f = sum_i f(x_i) p_i vol_i`` for a function or its values.

        Parameters
        ----------
        p : ndarray, shape (*shape) or (m, *shape)
            Densities, the cells on the last axes.
        f : callable, float or ndarray of shape (*shape)
            What to average: a function of the cell centres, shape ``(n,)`` or ``(*shape, dim)``, or its values there.

        Returns
        -------
        float, or ndarray of shape (m,)
        """
        grid = self.grid
        density = _checks.finite_array("p", p)
        if density.shape[density.ndim - grid.dim :] != grid.shape:
            raise ValueError(f"p must have {_cells(grid)} cells on its last axis, got shape {density.shape}")
        values = _checks.finite_array("f", f(grid.points) if callable(f) else f)
        if values.shape not in ((), grid.shape):
            raise ValueError(f"f must give one value per cell, shape {grid.shape}, got {values.shape}")
        return grid.integrate(density * values)

    # -- arguments ----

    def _reactive(self, a: Set, b: Set) -> tuple[Array, float]:
        self._conserving("a reactive current")
        return self.chain.reactive(self._set("a", a), self._set("b", b))

    def _conserving(self, what: str) -> None:
        if not self.chain.conserving:
            raise ValueError(f"{what} needs ends that conserve probability, got boundary {self.boundary!r}")

    def _count(self, k: int) -> int:
        k = _checks.integer("k", k)
        if k > self.grid.size:
            raise ValueError(f"k must not exceed the number of cells, {self.grid.size}, got {k}")
        return k

    def _domain(self, name: str, value: Any) -> Domain | None:
        """Return ``value`` as a domain; None for the whole box."""
        if value is None or (
            self.chain.coordinates == 1 and not isinstance(value, Domain) and _everything(name, value)
        ):
            return None
        return self._set(name, value)

    def _set(self, name: str, value: Any) -> Domain:
        """Return ``value`` as a domain of positions, or of all coordinates of the grid."""
        whole = isinstance(value, Domain) and value.dim == self.grid.dim
        return as_domain(name, value, self.grid.dim if whole else self.chain.coordinates)

    def _start(self, name: str, value: Any, inside: Domain | None) -> Array:
        """Return a point in the box and in the closure of a domain, shape ``(dim,)``."""
        grid = self.grid
        point = _checks.points(name, value, grid.dim).reshape(-1)
        if point.shape != (grid.dim,):
            raise ValueError(f"{name} must be one point of {grid.dim} coordinates, got {value!r}")
        in_box = all(side.low <= c <= side.high for side, c in zip(grid.sides, point, strict=True))
        if not in_box or (inside is not None and float(inside._distance(point[None, : inside.dim])[0]) < 0.0):
            where = "" if inside is None else f"the domain {inside!r} and in "
            raise ValueError(f"{name} must lie in {where}the box ({grid.low!r}, {grid.high!r}), got {value!r}")
        return point

    def _density_of(self, m: NDArray[Any]) -> NDArray[Any]:
        """Return the densities of probabilities per cell, the cells on the last axis of ``m``."""
        return np.asarray(m / self.chain.volumes).reshape(*m.shape[:-1], *self.grid.shape)

    def _density(self, name: str, p: Any) -> Array:
        """Return ``p`` as a non-negative array on the cells, or raise naming ``name``."""
        density = _checks.finite_array(name, p)
        if density.shape != self.grid.shape:
            raise ValueError(f"{name} must have shape {self.grid.shape}, one value per cell, got {density.shape}")
        allowed = 1e-3 * float(density.max()) if self.chain.signed else 0.0
        if (density < -allowed).any():
            raise ValueError(f"{name} must not be negative, got {float(density.min())!r}")
        return density

    def _initial(self, p0: Any) -> Array:
        """Return the initial probabilities of the cells, shape ``(N,)``."""
        grid = self.grid
        if callable(p0):
            density = self._density("p0", p0(grid.points))
            mass = grid.integrate(density)
            if mass <= 0.0:
                raise ValueError("p0 must have probability in the box, got 0 at every cell centre")
            return (density * grid.volumes / mass).ravel()
        if np.shape(p0) == (() if grid.dim == 1 else (grid.dim,)):
            return self._point(p0)
        density = self._density("p0", p0)
        mass = grid.integrate(density)
        if abs(mass - 1.0) > 1e-6:
            raise ValueError(f"p0 must integrate to 1 on the grid, got {mass!r}")
        return (density * grid.volumes).ravel()

    def _point(self, x0: Any) -> Array:
        """Return unit mass at ``x0``, shared multilinearly by the nearest cell centres."""
        point = self._start("p0", x0, None)
        near = [
            _neighbours(axis, side.low, side.high, float(c), kinds == ("periodic", "periodic"))
            for axis, side, c, kinds in zip(
                self.grid.axes, self.grid.sides, point, checked_boundary(self.boundary, self.grid), strict=True
            )
        ]
        m = np.zeros(self.grid.shape)
        for corner in product((0, 1), repeat=self.grid.dim):
            cell = tuple(n[0][side] for n, side in zip(near, corner, strict=True))
            m[cell] += float(np.prod([n[1][side] for n, side in zip(near, corner, strict=True)]))
        return m.ravel()


def _chain(model: Model, grid: Grid, kinds: Boundary) -> Chain:
    """Return the solver for a model."""
    if isinstance(model, Underdamped):
        return Kramers(model, grid, kinds)
    if grid.dim != getattr(model, "dim", grid.dim):
        raise ValueError(f"grid must have as many axes as the model has coordinates, {model.dim}, got {grid!r}")
    if grid.dim > 3:
        raise ValueError(f"grid must have at most 3 axes, got {grid!r}")
    if isinstance(model, Diffusion):
        one = grid.dim == 1
        chain: Chain = Line(scale.landscape(model, grid), grid, kinds[0]) if one else oblique(model, grid, kinds)
    else:
        model = require(model, Langevin)
        landscape = Landscape(model.potential, _checks.positive("D", model.D))
        chain = Line(landscape, grid, kinds[0]) if grid.dim == 1 else network(landscape, grid, kinds)
    if isinstance(chain, Line | Network):
        _warn_of_cut(chain, kinds)
    return chain


def _times(t: Any) -> tuple[Array, bool]:
    """Return the times as a vector, and whether one number was given."""
    times = _checks.finite_array("t", t)
    if times.ndim > 1:
        raise ValueError(f"t must be a number or one-dimensional, got shape {times.shape}")
    if (times < 0.0).any():
        raise ValueError(f"t must not be negative, got {float(times.min())!r}")
    return np.atleast_1d(times), times.ndim == 0


def _everything(name: str, value: Any) -> bool:
    """Return whether a pair is the whole line."""
    low, high = _checks.interval(name, value)
    return bool(np.isinf(low) and np.isinf(high))


def _cells(grid: Grid) -> str:
    return " x ".join(map(str, grid.shape))


def _neighbours(
    x: Array, low: float, high: float, c: float, periodic: bool
) -> tuple[tuple[int, int], tuple[float, float]]:
    """Return the cells to the left and right of ``c`` and the shares of a unit mass there that keep its mean."""
    right = int(np.searchsorted(x, c, side="right"))
    if 0 < right < x.size:
        share = (c - x[right - 1]) / (x[right] - x[right - 1])
        return (right - 1, right), (1.0 - share, share)
    if not periodic:
        edge = min(right, x.size - 1)
        return (edge, edge), (1.0, 0.0)
    beyond = c - x[-1] if right else c + high - low - x[-1]
    share = beyond / (x[0] + high - low - x[-1])
    return (x.size - 1, 0), (1.0 - share, share)


def _warn_of_cut(chain: Chain, kinds: Boundary) -> None:
    """Warn when a reflecting end stands where a confining potential still leaves noticeable Gibbs weight."""
    grid = chain.grid
    energy, D = chain.energy()
    energy = energy.reshape(grid.shape)
    w = np.exp(-(energy - energy.min()) / D)
    for axis, (side, pair) in enumerate(zip(grid.sides, kinds, strict=True)):
        for kind, name, edge, inner in ((pair[0], "low", 0, 1), (pair[1], "high", -1, -2)):
            if isinstance(chain, Line) and not chain.landscape.diffusivity(grid.edges[[edge]])[0] > 0.0:
                continue  # without noise there paths end by themselves
            rises = energy.take(edge, axis) > energy.take(inner, axis)
            most = float(w.take(edge, axis)[rises].max(initial=0.0))
            if kind == "reflecting" and most > 1e-6:
                where = f"{name}={getattr(side, name)!r}" + (f" of coordinate {axis}" if grid.dim > 1 else "")
                warnings.warn(
                    f"the box ends at {where} where the Gibbs weight is still {most:.1e} of its "
                    "maximum: unless a wall is meant there, use a wider Grid",
                    UserWarning,
                    stacklevel=5,
                )
