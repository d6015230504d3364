"""The Fokker-Planck equation of a model on a grid: the public face of the grid solvers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shld_sim import _checks
from shld_sim.grid import evolution, exits, generator, spectrum, thermodynamics
from shld_sim.grid.mesh import Grid
from shld_sim.models import Langevin, require

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FokkerPlanck:
    r"""``dp/dt = d/dx (V' p + D dp/dx)`` on a grid, for ``dX = -V' dt + sqrt(2 D) dW``.

    One matrix with Scharfetter-Gummel fluxes answers every question: off-diagonals are non-negative, probability is
    conserved, and ``exp(-V(x_i) / D)`` is stationary to rounding. Everything else is second order in ``dx``.

    Parameters
    ----------
    model : Langevin
        One-dimensional model with constant ``D``.
    grid : Grid
        The box and its cells. With reflecting ends it should reach far enough that the Gibbs weight there
        is negligible: a ``UserWarning`` says when it does not.
    boundary : str or pair of str
        ``"reflecting"`` (no flux), ``"absorbing"`` (``p = 0`` on the edge of the box), a pair of these for the left
        and right end, or ``"periodic"`` (the potential must repeat with the box, up to a constant tilt).

    Attributes
    ----------
    generator : scipy.sparse.csc_array, shape (n, n)
        ``L`` in ``dp/dt = L p``, for densities and for probabilities per cell alike.

    Raises
    ------
    TypeError
        If the model is not a ``Langevin``, ``grid`` not a ``Grid``, or ``boundary`` neither a name nor a pair.
    ValueError
        If the noise is not constant, the model is not one-dimensional, a boundary is unknown, or the potential is
        not finite in the box or not periodic in a periodic one.

    Notes
    -----
    Valid while ``exp(-V/D)`` varies by less than about a factor ``e`` per cell where probability lives; beyond that
    the solution stays positive and conserving, but diffusion is overestimated as by an upwind scheme.

    References
    ----------
    Scharfetter & Gummel, IEEE Trans. Electron Devices 16 (1969) 64; Chang & Cooper, J. Comput. Phys. 6 (1970) 1;
    Heida, Kantner & Stephan, ESAIM: M2AN 55 (2021) 3017.

    Examples
    --------
    >>> from shld_sim.models import Langevin
    >>> from shld_sim.potentials import DoubleWell
    >>> fp = FokkerPlanck(Langevin(DoubleWell(), D=0.1), Grid(-2.5, 2.5, 400))
    >>> round(fp.mean_exit_time((-np.inf, 0.0), x0=-1.0), 1)
    30.8
    """

    model: Langevin
    grid: Grid
    boundary: str | tuple[str, str] = "reflecting"
    generator: sparse.csc_array = field(init=False, repr=False)
    rates: generator.Rates = field(init=False, repr=False)

    def __post_init__(self) -> None:
        model = require(self.model, Langevin, dim=1)
        if not isinstance(self.grid, Grid):
            raise TypeError(f"grid must be a Grid, got {self.grid!r}")
        kinds = generator.ends(self.boundary)
        if kinds[0] == "periodic" and self.grid.x.size < 3:
            raise ValueError(f"grid must have at least 3 cells when boundary is 'periodic', got {self.grid.x.size}")
        D = _checks.positive("D", model.D)
        rates = generator.assemble(model.potential, D, self.grid, kinds)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "generator", generator.matrix(rates))
        _warn_of_cut(rates, self.grid, kinds)

    def steady_state(self) -> Array:
        """Return the density with ``L p = 0``: Gibbs, ``exp(-V/D) / Z``, unless a tilted ring carries a current.

        Returns
        -------
        ndarray, shape (n,)
            Density at the cell centres; ``sum(p) dx == 1``.

        Raises
        ------
        ValueError
            If an end is absorbing: everything leaves in the end.
        """
        self._conserving("a steady state")
        return thermodynamics.stationary(self.rates, self.grid.dx)

    def propagate(self, p0: Array | Callable[[Array], Array] | float, t: float | Array) -> Array:
        """Return ``p(t) = exp(L t) p0``, the solution on the cells, exact in time to rounding.

        Parameters
        ----------
        p0 : ndarray of shape (n,), callable or float
            A density on the grid (non-negative, integral within 1e-6 of 1, used as it is); a density function,
            evaluated at the cell centres and normalised; or a point in the box, whose unit mass is shared by the two
            nearest cells so that the mean is kept (within half a cell of an end: all in the last cell).
        t : float or ndarray of shape (m,)
            Non-negative times, in any order.

        Returns
        -------
        ndarray, shape (n,) or (m, n)
            Never negative. Between conserving ends the mass of ``p0`` is kept to rounding; with an absorbing end the
            rest of it is the probability to have left. Elements below about 1e-150 may be flushed to zero.

        Raises
        ------
        TypeError
            If ``p0`` or ``t`` is not of these kinds.
        ValueError
            If ``p0`` is negative, of the wrong length, not normalised, or a point outside the box; if ``t`` is
            negative or not finite.
        """
        times = _checks.finite_array("t", t)
        if times.ndim > 1:
            raise ValueError(f"t must be a number or one-dimensional, got shape {times.shape}")
        if (times < 0.0).any():
            raise ValueError(f"t must not be negative, got {float(times.min())!r}")
        p = evolution.evolve(self.rates, self._initial(p0), np.atleast_1d(times))
        return p[0] if times.ndim == 0 else p

    def eigenvalues(self, k: int = 6) -> NDArray[Any]:
        """Return the ``k`` smallest eigenvalues of ``-L``: ``L psi = -lambda psi``, relaxation rates (1/time).

        Parameters
        ----------
        k : int
            How many, from 1 to the number of cells.

        Returns
        -------
        ndarray, shape (k,)
            Ascending; the first is exactly 0 when the ends conserve probability. In a box every one has nearly full
            *relative* accuracy as an eigenvalue of the matrix (its distance to the equation's is ``O(dx^2)``); on an
            untilted ring the error is about ``1e-14 sqrt(lambda lambda_max)``. On a tilted ring they are complex,
            ascending in the real part, from a dense non-symmetric solver.

        Raises
        ------
        ValueError
            If ``k`` is not between 1 and the number of cells.
        """
        return spectrum.eigenvalues(self.rates, self.generator, self._count(k))

    def eigenfunctions(self, k: int = 6) -> Array:
        """Return densities ``psi_j`` with ``L psi_j = -lambda_j psi_j`` and ``sum_i psi_j psi_l / pi dx = delta_jl``.

        ``pi`` is the Gibbs density (with an absorbing end: of the closed box). The sign makes the last element
        that is not small positive. Modes closer to one another than 1e-12 of the largest rate may mix.

        Parameters
        ----------
        k : int
            How many, from 1 to the number of cells.

        Returns
        -------
        ndarray, shape (k, n)

        Raises
        ------
        ValueError
            If ``k`` is not between 1 and the number of cells, or the ring is tilted (no detailed balance).
        """
        if not self.rates.reversible:
            raise ValueError("eigenfunctions need detailed balance, got a tilted potential with boundary 'periodic'")
        v = spectrum.eigenfunctions(self.rates, self._count(k))
        big = np.abs(v) > 1e-3 * np.abs(v).max(axis=1, keepdims=True)
        last = v.shape[1] - 1 - np.argmax(big[:, ::-1], axis=1)
        sign = np.sign(v[np.arange(v.shape[0]), last])
        pi = thermodynamics.stationary(self.rates, self.grid.dx)
        return np.asarray(v * sign[:, None] * np.sqrt(pi / self.grid.dx))

    def mean_exit_time(self, domain: tuple[float, float], x0: float | None = None) -> Any:
        """Return the mean time to leave ``domain``: ``D T'' - V' T' = -1``, ``T = 0`` at its ends.

        Parameters
        ----------
        domain : (float, float)
            ``low < high``, infinite allowed. An end beyond the box is replaced by the box with its boundary condition;
            an end in the box, or on its edge, absorbs, wherever it falls within a cell.
        x0 : float, optional
            Start, in the domain and the box.

        Returns
        -------
        float, or ndarray of shape (n,)
            The time from ``x0``, or from every cell centre, with 0 for cells outside the domain. Error ``O(dx^2)``;
            rounding is relative however large the time.

        Raises
        ------
        ValueError
            If the domain does not overlap the box, holds no cell centre, or has no absorbing end; if ``x0`` lies
            outside; if the boundary is periodic; if the time exceeds the floating-point range.
        """
        pair = exits.checked_interval("domain", domain, self.rates)
        start = None if x0 is None else _checks.number("x0", x0)
        return exits.mean_exit_time(self.rates, self.grid, self.model.potential, pair, start)

    def committor(self, a: tuple[float, float], b: tuple[float, float]) -> Array:
        """Return the probability to reach ``b`` before ``a``: ``D q'' - V' q' = 0``, 0 on ``a``, 1 on ``b``.

        Parameters
        ----------
        a, b : (float, float)
            Intervals ``low < high``, infinite ends allowed, overlapping the box but not each other. Their ends are
            taken where they are, also within a cell.

        Returns
        -------
        ndarray, shape (n,)
            At the cell centres. A path that leaves through an absorbing end of the box reaches neither.

        Raises
        ------
        ValueError
            If the intervals overlap or lie outside the box, or the boundary is periodic.
        """
        a, b = (exits.checked_interval(name, value, self.rates) for name, value in (("a", a), ("b", b)))
        return exits.committor(self.rates, self.grid, self.model.potential, a, b)

    def current(self, p: Array) -> Array:
        """Return the flux ``J = -V' p - D dp/dx`` through the cell edges, shape ``(n + 1,)``, positive to the right.

        Parameters
        ----------
        p : ndarray, shape (n,)
            Non-negative density at the cell centres.
        """
        return thermodynamics.current(self.rates, self._density("p", p), self.grid.dx)

    def free_energy(self, p: Array) -> float:
        """Return ``F = int (V p + D p ln p) dx``; the Gibbs density minimises it, at ``-D ln int exp(-V/D) dx``.

        Parameters
        ----------
        p : ndarray, shape (n,)
            Non-negative density at the cell centres.
        """
        return thermodynamics.free_energy(self.rates, self._density("p", p), self.grid.dx)

    def entropy_production(self, p: Array) -> float:
        """Return ``sigma = (1/D) int J^2 / p dx >= 0``, a rate (1/time, entropy in units of ``k_B``).

        Without tilt and with conserving ends ``dF/dt = -D sigma`` exactly on the grid (H-theorem). In the steady
        state of a tilted ring ``sigma = -J (V(x + period) - V(x)) / D > 0``. Infinite when a cell with probability
        has an empty neighbour, as at a point start.

        Parameters
        ----------
        p : ndarray, shape (n,)
            Non-negative density at the cell centres.

        Raises
        ------
        ValueError
            If an end is absorbing: a one-way step has no finite entropy production.
        """
        self._conserving("the entropy production")
        return thermodynamics.entropy_production(self.rates, self._density("p", p), self.grid.dx)

    def mean(self, p: Array, f: Array | Callable[[Array], Array]) -> Any:
        """Return ``E f = sum_i f(x_i) p_i dx`` for a function or its values.

        Parameters
        ----------
        p : ndarray, shape (n,) or (m, n)
            Densities, the cells on the last axis.
        f : callable, float or ndarray of shape (n,)
            What to average: a function of the cell centres, or its values there.

        Returns
        -------
        float, or ndarray of shape (m,)
        """
        x = self.grid.x
        density = _checks.finite_array("p", p)
        if density.shape[-1:] != x.shape:
            raise ValueError(f"p must have {x.size} cells on its last axis, got shape {density.shape}")
        values = _checks.finite_array("f", f(x) if callable(f) else f)
        if values.shape not in ((), x.shape):
            raise ValueError(f"f must give one value per cell, shape {x.shape}, got {values.shape}")
        result = (density * values).sum(axis=-1) * self.grid.dx
        return float(result) if density.ndim == 1 else result

    def _conserving(self, what: str) -> None:
        if not self.rates.conserving:
            raise ValueError(f"{what} needs ends that conserve probability, got boundary {self.boundary!r}")

    def _count(self, k: int) -> int:
        k = _checks.integer("k", k)
        if k > self.grid.x.size:
            raise ValueError(f"k must not exceed the number of cells, {self.grid.x.size}, got {k}")
        return k

    def _density(self, name: str, p: Any) -> Array:
        """Return ``p`` as a non-negative array on the cells, or raise naming ``name``."""
        density = _checks.finite_array(name, p)
        if density.shape != self.grid.shape:
            raise ValueError(f"{name} must have shape {self.grid.shape}, one value per cell, got {density.shape}")
        if (density < 0.0).any():
            raise ValueError(f"{name} must not be negative, got {float(density.min())!r}")
        return density

    def _initial(self, p0: Any) -> Array:
        """Return the initial density on the cells."""
        grid = self.grid
        if callable(p0):
            density = self._density("p0", p0(grid.x))
            mass = float(density.sum() * grid.dx)
            if mass <= 0.0:
                raise ValueError("p0 must have probability in the box, got 0 at every cell centre")
            return density / mass
        if np.ndim(p0) == 0:
            return self._point(_checks.number("p0", p0))
        density = self._density("p0", p0)
        mass = float(density.sum() * grid.dx)
        if abs(mass - 1.0) > 1e-6:
            raise ValueError(f"p0 must integrate to 1 on the grid, got {mass!r}")
        return density

    def _point(self, x0: float) -> Array:
        """Return unit mass at ``x0``, shared linearly by the two nearest cell centres."""
        grid = self.grid
        if not grid.low <= x0 <= grid.high:
            raise ValueError(f"p0 must lie in the box ({grid.low!r}, {grid.high!r}), got {x0!r}")
        n = grid.x.size
        place = (x0 - grid.low) / grid.dx - 0.5
        if not self.rates.periodic:
            place = min(max(place, 0.0), n - 1.0)
        cell = int(np.floor(place))
        density = np.zeros(n)
        density[cell % n] += (1.0 - (place - cell)) / grid.dx
        density[(cell + 1) % n] += (place - cell) / grid.dx
        return density


def _warn_of_cut(rates: generator.Rates, grid: Grid, kinds: tuple[str, str]) -> None:
    """Warn when a reflecting end stands where a confining potential still leaves noticeable Gibbs weight."""
    w = generator.gibbs_weights(rates.energy, rates.D)
    for kind, side, edge, inner in ((kinds[0], "low", 0, 1), (kinds[1], "high", -1, -2)):
        if kind == "reflecting" and w[edge] > 1e-6 and rates.energy[edge] > rates.energy[inner]:
            warnings.warn(
                f"the box ends at {side}={getattr(grid, side)!r} where the Gibbs weight is still {w[edge]:.1e} of its "
                "maximum: unless a wall is meant there, use a wider Grid",
                UserWarning,
                stacklevel=4,
            )
