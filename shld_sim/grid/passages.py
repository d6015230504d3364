"""Questions about leaving and arriving: exit times and laws, survival, committors, reactive currents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim.grid import arguments
from shld_sim.grid.chain import Array
from shld_sim.grid.fractional import ExitPlaces
from shld_sim.grid.problem import Problem, Set


class Passages(Problem):
    """What `FokkerPlanck` answers about paths that leave a domain or reach a set."""

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

    def _reactive(self, a: Set, b: Set) -> tuple[Array, float]:
        self._conserving("a reactive current")
        return self.chain.reactive(self._set("a", a), self._set("b", b))
