"""The Fokker-Planck equation of a model on a grid: the public face of the grid solvers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.domains import Domain
from shld_sim.grid import arguments, scale, thermodynamics
from shld_sim.grid.boundaries import Boundary, checked_boundary
from shld_sim.grid.chain import Array, Chain
from shld_sim.grid.covering import covering
from shld_sim.grid.driven import Driven
from shld_sim.grid.fractional import ExitPlaces, StableChain
from shld_sim.grid.generator import Landscape
from shld_sim.grid.kramers import Kramers
from shld_sim.grid.line import Line
from shld_sim.grid.mesh import Grid
from shld_sim.grid.network import Network, network
from shld_sim.grid.oblique import oblique
from shld_sim.grid.refinement import Refined, refined
from shld_sim.models import Diffusion, Langevin, LevyFlight, Model, Preconditioned, Underdamped, require
from shld_sim.schedules import Schedule

Set = Domain | tuple[float, float]


@dataclass(frozen=True, eq=False)
class FokkerPlanck:
    r"""``dp/dt = div (p grad V + D grad p)`` on a grid, for ``dX = -grad V dt + sqrt(2 D) dW``; other noise: see the notes.

    One matrix with Scharfetter-Gummel fluxes answers every question: off-diagonals are non-negative, probability is
    conserved, and ``exp(-V(x_i) / D)`` is stationary to rounding. Everything else is second order in the cell width.

    Parameters
    ----------
    model : Langevin, Diffusion, LevyFlight or Underdamped
        With constant noise. `Langevin`: one to three coordinates; in one, a schedule for ``D`` is propagated, while all else
        needs a constant. `Diffusion`, in the sense of Ito or Stratonovich, and `Preconditioned`: one or two, in three with
        uncorrelated noise. `LevyFlight`: one. `Underdamped`: one, on an axis of ``x`` and one of the momentum.
    grid : Grid or int
        The box and its cells. With reflecting ends it should reach far enough that the Gibbs weight there
        is negligible: a ``UserWarning`` says when it does not. In one dimension a number of cells will do: the box is then
        that of `covering`.
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
        If the noise is not constant where it must be, model and grid differ in dimension, a boundary is unknown, or the
        potential is not finite in the box or not periodic in a periodic one.

    Notes
    -----
    Valid while ``exp(-V/D)`` varies by less than about a factor ``e`` per cell where probability lives; beyond that
    the solution stays positive and conserving, but diffusion is overestimated as by an upwind scheme.

    A `LevyFlight` has ``dp/dt = d/dx (V' p) - sigma^alpha (-d^2/dx^2)^(alpha/2) p``, for every ``0 < alpha <= 2``: long jumps
    at positive rates between equal cells, of second order in ``dx`` (exits with a drift across the end: between first and
    second). Domains absorb on their whole complement. Jumps beyond a
    reflecting end stop there, so that densities are those of the path while it is in the box: `mass_beyond` tells what is
    missing, and a ``UserWarning`` comes with the density when that is more than a hundredth. Up to 1000 cells `propagate` is
    exact in time, above within 1e-7.

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
    10 (inertia); Huang & Oberman, SIAM J. Numer. Anal. 52 (2014) 3056, and `shld_sim.grid.fractional_operator` (stable noise).

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
    grid: Any
    boundary: Any = "reflecting"
    chain: Chain = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.grid, int | np.integer) and not isinstance(self.grid, bool):
            object.__setattr__(self, "grid", covering(self.model, int(self.grid)))
        if not isinstance(self.grid, Grid):
            raise TypeError(f"grid must be a Grid or a number of cells, got {self.grid!r}")
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
        """Return ``p(t) = exp(L t) p0``, the solution on the cells, exact in time to rounding (1e-11 at worst).

        With ``D(t)`` (a schedule; one dimension), by implicit steps from time 0 with errors of 1e-8 in total variation each.

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
        times, single = arguments.times(t)
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

    def autocorrelation(self, f: Any, t: float | ArrayLike, g: Any = None) -> Any:
        """Return ``E f(X_0) g(X_t) - E f E g`` in the stationary state.

        Parameters
        ----------
        f : callable, float or ndarray of shape (*shape)
            The observable at time 0, as in `mean`.
        t : float or ndarray of shape (m,)
            Non-negative times.
        g : callable, float or ndarray of shape (*shape), optional
            The observable at time ``t``; ``f`` by default.

        Returns
        -------
        float, or ndarray of shape (m,)
            At ``t = 0`` the variance (covariance); rounding is that of ``max |f| max |g|``. With detailed balance
            it is ``sum_j exp(-lambda_j t) mean(psi_j, f) mean(psi_j, g)`` over the `eigenfunctions` but the first.

        Raises
        ------
        ValueError
            If an end is absorbing.
        """
        self._conserving("a stationary state")
        times, single = arguments.times(t)
        pi = self.chain.stationary()
        values = [arguments.observable(self.grid, "f", f), arguments.observable(self.grid, "g", f if g is None else g)]
        first, later = (np.broadcast_to(v, self.grid.shape).ravel() for v in values)
        above = first - first.min()  # probabilities pi (f - min f), none of them negative
        found = self.chain.evolve(pi * above, times) @ (later - pi @ later)
        return float(found[0]) if single else found

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
        if start is not None:
            return self.chain.exit_time_from(inside, start)
        return self.chain.exit_time(inside).reshape(self.grid.shape)

    def survival(self, domain: Set | None, p0: Any, t: float | ArrayLike) -> Any:
        """Return the probability not to have left ``domain`` by the time ``t``.

        Parameters
        ----------
        domain : (float, float), Interval, Ball, HalfSpace, Box, Region or None
            Where the path runs, as in `mean_exit_time`.
        p0 : ndarray, callable or point
            The start, as in `propagate`; what of it lies outside the domain has left at once. In one dimension a point is taken
            where it is, not shared by two cells.
        t : float or ndarray of shape (m,)
            Non-negative times.

        Returns
        -------
        float, or ndarray of shape (m,)
        """
        times, single = arguments.times(t)
        inside, point = self._domain("domain", domain), self._as_point(p0)
        if point is None or not self._contains(inside, point):
            alive = self.chain.survival(inside, self._initial(p0), times)
        else:
            alive = self.chain.survival_from(inside, point, self._initial(p0), times)
        return float(alive[0]) if single else alive

    def exit_distribution(self, domain: Set | None, p0: Any = None) -> Array:
        """Return the probabilities to leave an interval through its low and through its high end.

        Parameters
        ----------
        domain : (float, float), Interval or None
            Where the path runs, as in `mean_exit_time`; one dimension only. Through a reflecting end nothing leaves.
        p0 : ndarray, callable or point, optional
            The start, as in `propagate`; what of it lies outside the domain is left out.

        Returns
        -------
        ndarray, shape (2,) or (2, n)
            From ``p0``, or from every cell centre, with 0 for cells outside the domain. They sum to 1, or the probability
            of the domain under ``p0``, to rounding.

        Raises
        ------
        TypeError
            If there is more than one coordinate.
        ValueError
            As `mean_exit_time`.
        """
        inside = self._domain("domain", domain)
        if p0 is not None and arguments.is_point(self.grid, p0):
            return self.chain.exit_shares(inside, self._start("p0", p0, inside))
        profile = self.chain.exit_shares(inside, None)
        return profile if p0 is None else np.asarray(profile @ self._initial(p0))

    def exit_places(self, domain: Set | None, p0: Any) -> ExitPlaces:
        r"""Return where paths with stable noise are right after they have left ``domain``.

        The density of the place ``y`` is ``int g(x) c sigma^alpha / |y - x|^(1 + alpha) dx``, where ``g(x) dx`` is the mean time
        spent near ``x`` before. From ``x`` in ``(-L, L)``, without drift, it is [1]_

        ``sin(pi alpha/2) / pi ((L^2 - x^2) / (y^2 - L^2))^(alpha/2) / |x - y|``.

        Parameters
        ----------
        domain : (float, float), Interval, Box or None
            Where the path runs, as in `mean_exit_time`.
        p0 : ndarray, callable or point
            The start, as in `propagate`; what of it lies outside the domain is left out.

        Returns
        -------
        ExitPlaces
            Probabilities by cell and beyond the box, and the density at any point.

        Raises
        ------
        TypeError
            If the noise is Gaussian: paths then leave through the ends, with the probabilities of `exit_distribution`.
        ValueError
            If the domain cannot be left, or the start lies outside.

        References
        ----------
        .. [1] R. M. Blumenthal, R. K. Getoor, D. B. Ray, Trans. Amer. Math. Soc. 99, 540 (1961).
        """
        return self._stable("exit_places").exit_places(self._domain("domain", domain), self._initial(p0))

    def exit_density(self, domain: Set | None, p0: Any, t: float | ArrayLike) -> Array:
        """Return the density of the exit time through the low and through the high end of an interval.

        Their sum is ``-dS/dt`` of `survival`, exactly on the grid.

        Parameters
        ----------
        domain : (float, float), Interval or None
            Where the path runs, as in `mean_exit_time`; one dimension only.
        p0 : ndarray, callable or point
            The start, as in `survival`.
        t : float or ndarray of shape (m,)
            Non-negative times.

        Returns
        -------
        ndarray, shape (2,) or (m, 2)
            Probability per unit time.
        """
        times, single = arguments.times(t)
        inside, point = self._domain("domain", domain), self._as_point(p0)
        if point is not None and not self._contains(inside, point):
            point = None
        density = self.chain.exit_density(inside, point, self._initial(p0), times)
        return density[0] if single else density

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

    # -- in the limit of small cells ----

    def refined(
        self, quantity: Callable[[FokkerPlanck], Any], levels: int = 3, orders: Sequence[float] | None = None
    ) -> Refined:
        """Return a number in the limit of small cells: ``quantity`` on grids of halved cells, extrapolated (Romberg).

        Parameters
        ----------
        quantity : callable
            Function of a `FokkerPlanck` that returns a number or an array of fixed shape, such as
            ``lambda fp: fp.eigenvalues(6)`` or ``lambda fp: fp.mean_exit_time((-np.inf, 0.0), x0=-1.0)``; not values per
            cell. It is given this problem on this grid, on ``grid.refined(2)``, on ``grid.refined(4)``, ...
        levels : int
            Number of grids, at least 2; from 3 on the order of convergence is checked.
        orders : sequence of float, optional
            Powers of the cell width in the error, ascending, ``levels - 1`` or more; by default those of the solver, in
            one dimension 2, 4, 6, ...

        Returns
        -------
        Refined
            With ``value``, ``error``, ``values``, ``cells``, ``order`` and ``regular``.

        Raises
        ------
        TypeError
            If ``quantity`` is not callable or returns no numbers.
        ValueError
            If there are fewer than 2 levels, too few ``orders`` or they do not ascend, or if the shape of ``quantity`` changes
            with the grid.

        Warns
        -----
        UserWarning
            Where the observed order is lower than expected: then the cells are too wide, the potential has kinks, or
            ``quantity`` depends on where points fall within a cell, as a density at a point does.

        Notes
        -----
        Eigenvalues, mean exit times and exit probabilities from a point, wherever it and the ends of the domain lie, have
        errors of even order. Four levels from cells of a tenth of the narrowest well give ten digits and more.

        Examples
        --------
        >>> from shld_sim.models import Langevin
        >>> from shld_sim.potentials import DoubleWell
        >>> fp = FokkerPlanck(Langevin(DoubleWell(), D=0.1), Grid(-2.5, 2.5, 200))
        >>> found = fp.refined(lambda fp: fp.mean_exit_time((-np.inf, 0.0), x0=-1.0), levels=4)
        >>> round(found.value, 9), found.error < 1e-9
        (30.821302473, True)
        """
        if not callable(quantity):
            raise TypeError(f"quantity must be a function of a FokkerPlanck, got {quantity!r}")
        levels = _checks.integer("levels", levels, minimum=2)
        powers = _checks.finite_array("orders", self.chain.orders[: levels - 1] if orders is None else orders)
        if powers.ndim != 1 or len(powers) < levels - 1 or powers[0] <= 0.0 or (np.diff(powers) <= 0.0).any():
            raise ValueError(f"orders must be {levels - 1} or more positive ascending powers, got {powers.tolist()!r}")
        problems = [self]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the box: given for the first grid
            for level in range(1, levels):
                problems.append(FokkerPlanck(self.model, self.grid.refined(2**level), self.boundary))
        shapes = [problem.grid.shape for problem in problems]
        cells = tuple(shape[0] if self.grid.dim == 1 else shape for shape in shapes)
        return refined([quantity(problem) for problem in problems], cells, tuple(powers.tolist()))

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

    def mass_beyond(self, p: Array | None = None, f: Callable[[Array], Any] | None = None) -> float:
        r"""Return the probability beyond the reflecting ends of the box, or the integral of ``f`` over it; stable noise.

        In the steady state the jumps over a point ``y`` beyond the box equal the drift back,
        ``|V'(y)| p(y) = Gamma(alpha) sin(pi alpha/2) / pi sigma^alpha E |y - X|^(-alpha)``, relative error about the mass itself.
        Of the whole line, ``E f = (1 - mass_beyond(p)) mean(p, f) + mass_beyond(p, f)``.

        Parameters
        ----------
        p : ndarray, shape (n,), optional
            Density at the cell centres. Default: the steady state. Of other densities it is right where the drift back is fast.
        f : callable, optional
            Function of an array of points. Default: 1.

        Returns
        -------
        float
            Infinite where the potential does not confine.

        Raises
        ------
        TypeError
            If the noise is Gaussian: the box then cuts the Gibbs law.
        """
        chain = self._stable("mass_beyond")
        return chain.beyond(chain.settled() if p is None else self._density("p", p) * chain.volumes, f)

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

    def fisher_information(self, p: Array) -> float:
        """Return ``I = int p |d/dx ln(p / pi)|^2 dx`` with the Gibbs density ``pi``; 0 for ``p = pi`` alone.

        On the grid it is ``sigma / D`` of `entropy_production`, so ``dF/dt = -D^2 I`` holds exactly there. Where noise depends on
        the state the integrand has the factor ``a(x) / D``.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Non-negative density at the cell centres.

        Raises
        ------
        TypeError
            If the model has no Gibbs law.
        ValueError
            If an end is absorbing.
        """
        return self.entropy_production(p) / self.chain.energy()[1]

    def detailed_balance(self) -> float:
        """Return the largest relative difference of the stationary flows to and fro over an edge, in [0, 1].

        Rounding for a chain in detailed balance; 1 where a step is never undone. Edges over which less than 1e-200 flows
        do not count.

        Raises
        ------
        ValueError
            If an end is absorbing.
        """
        self._conserving("detailed balance")
        return thermodynamics.imbalance(*self.chain.flows(self.chain.stationary()))

    def cramer_rao_product(self, p: Array) -> float:
        """Return ``sd(x) sqrt(E |D d/dx ln p|^2)``, at least ``D`` for every smooth density, with equality for Gaussians.

        In ``d`` dimensions ``sd(x)^2`` is the sum of the variances, and the bound ``D d``. On equal cells the bound holds
        exactly when ``p`` vanishes at the ends of the box.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Density at the cell centres. The product is infinite when a cell with probability has an empty neighbour.

        Raises
        ------
        TypeError
            If the model has no potential and constant ``D``.
        """
        self._overdamped("the product of Cramer and Rao")
        density, D = self._density("p", p), self.chain.energy()[1]
        spread = thermodynamics.total_variance(self.grid, density, self.grid.points)
        return float(D * np.sqrt(spread * thermodynamics.score_information(self.grid, density)))

    def uncertainty_product(self, p: Array) -> float:
        """Return ``sd(x) sd(V'(x))``: at least ``D`` for the Gibbs density, without a bound for others.

        In ``d`` dimensions ``sd^2`` is the sum of the variances of the coordinates, and the bound ``D d``. For a bound
        that every density obeys see `cramer_rao_product`.

        Parameters
        ----------
        p : ndarray, shape (*shape)
            Density at the cell centres.

        Raises
        ------
        TypeError
            If the model has no potential and constant ``D``.
        """
        self._overdamped("the uncertainty product")
        density = self._density("p", p)
        self.chain.energy()
        force = self.model.potential.gradient(self.grid.points)
        spreads = [thermodynamics.total_variance(self.grid, density, v) for v in (self.grid.points, force)]
        return float(np.sqrt(spreads[0] * spreads[1]))

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
            shape = " x ".join(map(str, grid.shape))
            raise ValueError(f"p must have {shape} cells on its last axis, got shape {density.shape}")
        return grid.integrate(density * arguments.observable(grid, "f", f))

    # -- arguments ----

    def _reactive(self, a: Set, b: Set) -> tuple[Array, float]:
        self._conserving("a reactive current")
        return self.chain.reactive(self._set("a", a), self._set("b", b))

    def _overdamped(self, what: str) -> None:
        if isinstance(self.model, Diffusion | Underdamped) and not isinstance(self.model, Preconditioned):
            raise TypeError(f"{what} needs a model with a Gibbs law of its positions, got {self.model!r}")

    def _stable(self, what: str) -> StableChain:
        if not isinstance(self.chain, StableChain):
            raise TypeError(f"{what} needs a LevyFlight with alpha < 2, got {self.model!r}")
        return self.chain

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
        return arguments.domain(self.grid, name, value, self.chain.coordinates)

    def _set(self, name: str, value: Any) -> Domain:
        """Return ``value`` as a domain of positions, or of all coordinates of the grid."""
        return arguments.as_set(self.grid, name, value, self.chain.coordinates)

    def _start(self, name: str, value: Any, inside: Domain | None) -> Array:
        return arguments.start(self.grid, name, value, inside)

    def _as_point(self, p0: Any) -> Array | None:
        """Return a start that is a point, shape ``(dim,)``; None for a density."""
        return self._start("p0", p0, None) if arguments.is_point(self.grid, p0) else None

    def _contains(self, inside: Domain | None, point: Array) -> bool:
        return inside is None or bool(inside._distance(point[None, : inside.dim])[0] >= 0.0)

    def _density(self, name: str, p: Any) -> Array:
        return arguments.density(self.grid, name, p, self.chain.signed)

    def _initial(self, p0: Any) -> Array:
        return arguments.initial(self.grid, checked_boundary(self.boundary, self.grid), p0, self.chain.signed)

    def _density_of(self, m: NDArray[Any]) -> NDArray[Any]:
        """Return the densities of probabilities per cell, the cells on the last axis of ``m``."""
        return np.asarray(m / self.chain.volumes).reshape(*m.shape[:-1], *self.grid.shape)


def _chain(model: Model, grid: Grid, kinds: Boundary) -> Chain:
    """Return the solver for a model."""
    if isinstance(model, Underdamped):
        return Kramers(model, grid, kinds)
    if grid.dim != getattr(model, "dim", grid.dim):
        raise ValueError(f"grid must have as many axes as the model has coordinates, {model.dim}, got {grid!r}")
    if isinstance(model, Langevin) and model.dim == 1 and isinstance(model.D, Schedule):
        return Driven(Landscape(model.potential, float(model.D(0.0))), model.D, grid, kinds[0])
    if isinstance(model, LevyFlight):
        return _stable_chain(require(model, LevyFlight, dim=1), grid, kinds[0])
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


def _stable_chain(model: LevyFlight, grid: Grid, kinds: tuple[str, str]) -> Chain:
    """Return the solver for stable noise; at ``alpha = 2`` that of the Langevin equation with ``D = sigma^2``."""
    sigma = _checks.positive("sigma", model.sigma)
    if model.alpha == 2.0:
        return _chain(Langevin(model.potential, sigma**2), grid, (kinds,))
    return StableChain(model.potential, model.alpha, sigma, grid, kinds)


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
