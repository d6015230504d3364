"""The Fokker-Planck equation of a model on a grid: the public face of the grid solvers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.grid import arguments
from shld_sim.grid.balances import Balances
from shld_sim.grid.chain import Array
from shld_sim.grid.passages import Passages
from shld_sim.grid.refinement import Refined, refined


@dataclass(frozen=True, eq=False)
class FokkerPlanck(Passages, Balances):
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
