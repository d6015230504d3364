"""The Potential type: an energy landscape V stated once, as scalar functions that arrays and compiled kernels share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._compile import fingerprint, plain
from shld_sim.potentials import critical
from shld_sim.potentials.agreement import check_arguments, check_gradient, extrapolated
from shld_sim.potentials.evaluate import compiled_rows

Array = NDArray[np.float64]
Box = Sequence[float] | Sequence[Sequence[float]]


class ScalarFunctions(NamedTuple):
    """The functions that define a potential, in one of two calling styles.

    ``vector=False`` (one to three dimensions): ``energy(x, y, p)``, ``gradient(x, y, p) -> (gx, gy)``; in one dimension
    ``gradient(x, p) -> g``. ``vector=True`` (any dimension): ``energy(x, p)`` and ``gradient(x, out, p)`` on vectors.
    ``flow(x, t, p)``, where known, is the exact solution at time ``t`` of ``x' = -V'(x)`` started from ``x``.
    ``hessian`` returns the upper triangle, row by row, in the style of the gradient. ``residual``, where V = f^2/2, holds
    f and its gradient, in the styles of energy and gradient.
    """

    energy: Callable[..., Any]
    gradient: Callable[..., Any]
    hessian: Callable[..., Any] | None = None
    flow: Callable[..., Any] | None = None
    vector: bool = False
    residual: tuple[Callable[..., Any], Callable[..., Any]] | None = None


class Potential:
    r"""An energy landscape :math:`V : R^d \to R` given by its energy and its gradient.

    Parameters
    ----------
    energy : callable
        Scalar function that Numba can compile: ``energy(x, p)`` in one dimension, ``energy(x, y, p)`` and
        ``energy(x, y, z, p)`` in two and three, ``energy(x, p)`` with a vector ``x`` above.
    gradient : callable
        Its gradient: ``gradient(x, p) -> g``, ``gradient(x, y, p) -> (gx, gy)``, ``gradient(x, y, z, p) -> (gx, gy,
        gz)``, and above three dimensions ``gradient(x, out, p)``, which writes into the vector ``out``.
    params : tuple of float or array
        Passed to both functions as ``p``.
    dim : int
        Number of coordinates ``d``.
    minima, saddles : array_like, optional
        Known minima and index-one saddles, shape ``(m,)`` for ``dim=1``, else ``(m, dim)``. Searched for when needed.
    period : float, optional
        Period of the force, for one-dimensional periodic landscapes.
    check_at : array_like, optional
        Points at which the functions are compared when the potential is made. Default: 24 points in ``[-2, 2]^d``.
    name : str, optional
        Shown by ``repr``.

    Raises
    ------
    ValueError
        If the gradient disagrees with finite differences of the energy, a function does not compile, returns NaN, or
        takes or returns the wrong number of values for ``dim``.

    Examples
    --------
    >>> import shld_sim as shld
    >>> V = shld.Potential(energy=lambda x, p: p[0] * x**6, gradient=lambda x, p: 6 * p[0] * x**5, params=(2.0,))
    >>> float(V(1.0)), float(V.gradient(1.0))
    (2.0, 12.0)
    """

    dim: int
    params: tuple[Any, ...]
    functions: ScalarFunctions
    period: float | None
    plot_box: tuple[tuple[float, float], ...]

    def __init__(
        self,
        energy: Callable[..., Any],
        gradient: Callable[..., Any],
        params: Sequence[Any] = (),
        dim: int = 1,
        *,
        minima: ArrayLike | None = None,
        saddles: ArrayLike | None = None,
        period: float | None = None,
        check_at: ArrayLike | None = None,
        name: str | None = None,
    ) -> None:
        dim = _checks.integer("dim", dim)
        functions = ScalarFunctions(plain(energy), plain(gradient), vector=dim > 3)
        values = _parameters(params)
        self._state(
            functions,
            values,
            dim,
            period=None if period is None else _checks.positive("period", period),
            arguments={"energy": energy, "gradient": gradient, "params": values, "dim": dim},
            name=name,
        )
        known = {"minima": minima, "saddles": saddles}
        object.__setattr__(
            self, "_known", {key: _checks.points(key, v, dim) for key, v in known.items() if v is not None}
        )
        check_arguments(self)
        check_gradient(self, check_at)

    def _state(
        self,
        functions: ScalarFunctions,
        params: tuple[Any, ...],
        dim: int,
        *,
        arguments: dict[str, Any],
        period: float | None = None,
        plot_box: tuple[tuple[float, float], ...] | None = None,
        name: str | None = None,
    ) -> None:
        """Set the attributes; potentials do not change afterwards."""
        values = {
            "functions": functions,
            "params": params,
            "dim": dim,
            "period": period,
            "plot_box": plot_box or ((-2.0, 2.0),) * dim,
            "_arguments": arguments,
            "_name": name,
            "_known": {},
        }
        for key, value in values.items():
            object.__setattr__(self, key, value)

    @classmethod
    def from_expression(
        cls,
        expression: str,
        *,
        variables: Sequence[str] | None = None,
        check_at: ArrayLike | None = None,
        name: str | None = None,
        **params: float,
    ) -> Potential:
        """Make a potential from a formula; SymPy (an optional extra) finds its gradient and Hessian.

        Parameters
        ----------
        expression : str
            Numbers, names, ``pi``, ``+ - * / **`` and ``exp log sqrt sin cos tan sinh cosh tanh asin acos atan abs``.
            The gradient of ``abs`` is the sign of its argument (0 at the kink), and its second derivative counts as 0.
        variables : sequence of str, optional
            The coordinates, in order. Default: those of ``x, y, z`` that appear, or ``x1, x2, ...``; a name that is
            given as a parameter is no coordinate.
        check_at : array_like, optional
            Points at which the potential must be real and finite. Default: 24 points in ``[-2, 2]^d``.
        name : str, optional
            Shown by ``repr``.
        **params : float
            Values of all other names.

        Returns
        -------
        Potential
            With exact gradient and Hessian. Two are equal when SymPy writes their formulas alike, for the same
            coordinates and values.

        Raises
        ------
        ImportError
            Without SymPy.
        ValueError
            For a formula that is not one, a name without a value, a value without a name, or no coordinate.

        Examples
        --------
        >>> import shld_sim as shld
        >>> shld.Potential.from_expression("h*(x**2-1)**2", h=1)
        Potential.from_expression('h*(x**2 - 1)**2', h=1.0)
        """
        from shld_sim.potentials.formula import Formula

        return Formula(expression, variables, check_at, name, params)

    @classmethod
    def from_residual(
        cls,
        residual: Callable[..., Any],
        gradient: Callable[..., Any],
        params: Sequence[Any] = (),
        dim: int = 1,
        *,
        check_at: ArrayLike | None = None,
    ) -> Potential:
        r"""Make the potential :math:`V = f^2/2`, with :math:`\nabla V = f \nabla f`, of a residual f; see `LabelNoise`.

        Parameters
        ----------
        residual : callable
            ``f``, called as an energy is: ``residual(x, p)``, ``residual(x, y, p)``, ``residual(x, y, z, p)``, and above
            three dimensions ``residual(x, p)`` with a vector ``x``.
        gradient : callable
            The gradient of ``f``, called as that of an energy is; above three dimensions ``gradient(x, out, p)``.
        params : tuple of float or array
            Passed to both functions as ``p``.
        dim : int
            Number of coordinates.
        check_at : array_like, optional
            Points at which the functions are compared when the potential is made. Default: 24 points in ``[-2, 2]^d``.

        Returns
        -------
        Potential
            It knows ``f``: ``V.residual`` is f and its gradient on arrays, called as a potential is.

        Raises
        ------
        ValueError
            If the gradient disagrees with finite differences of the residual, or one of them is not as above.

        Examples
        --------
        >>> import shld_sim as shld
        >>> V = shld.Potential.from_residual(lambda x, y, p: x * y - p[0], lambda x, y, p: (y, x), (1.0,), dim=2)
        >>> float(V([2.0, 2.0])), float(V.residual([2.0, 2.0]))
        (4.5, 3.0)
        """
        from shld_sim.potentials.residual import SquaredResidual

        return SquaredResidual(residual, gradient, params, dim, check_at)

    # -- values on arrays ----

    @property
    def _one_by_one(self) -> bool:
        """Whether the functions are a user's, which take numbers only."""
        return type(self) is Potential

    def __call__(self, x: ArrayLike) -> Array:
        """Return the energy ``V(x)``.

        Parameters
        ----------
        x : array_like
            Points, shape ``(...)`` for ``dim == 1``, else ``(..., dim)``.

        Returns
        -------
        ndarray
            Shape ``(...)``.
        """
        return self._evaluate("energy", x)

    def gradient(self, x: ArrayLike) -> Array:
        """Return ``grad V(x)``, with the shape of ``x``."""
        return self._evaluate("gradient", x)

    def hessian(self, x: ArrayLike) -> Array:
        """Return the Hessian, shape ``(...)`` for ``dim == 1``, else ``(..., dim, dim)``.

        Exact for the library; for a user's potential, central differences of the gradient extrapolated once in the
        step (relative error about 1e-9).
        """
        x = _checks.points("x", x, self.dim)
        if self.functions.hessian is None:
            return self._hessian_by_differences(x)
        if self.dim == 1:
            return np.array(np.broadcast_to(self.functions.hessian(x, self.params), x.shape), dtype=np.float64)
        out = np.empty((*x.shape, self.dim))
        entries = iter(self.functions.hessian(*np.moveaxis(x, -1, 0), self.params))
        for i in range(self.dim):
            for j in range(i, self.dim):
                out[..., i, j] = out[..., j, i] = next(entries)
        return out

    def laplacian(self, x: ArrayLike) -> Array:
        """Return the Laplacian ``tr Hess V(x)``, shape ``(...)``."""
        hessian = self.hessian(x)
        return hessian if self.dim == 1 else np.trace(hessian, axis1=-2, axis2=-1)

    def _evaluate(self, which: str, x: ArrayLike) -> Array:
        x = _checks.points("x", x, self.dim)
        function = getattr(self.functions, which)
        if self._one_by_one or self.functions.vector:
            rows = compiled_rows(function, self.dim, which == "gradient", self.functions.vector)
            flat = np.ascontiguousarray(x.reshape(-1, self.dim))
            out = np.full((len(flat), self.dim if which == "gradient" else 1), np.nan)
            rows(flat, self.params, out)
            return out.reshape(x.shape if which == "gradient" or self.dim == 1 else x.shape[:-1])
        # The functions of the library are written with NumPy's names and so apply to whole arrays as they stand.
        if self.dim == 1:
            return np.array(np.broadcast_to(function(x, self.params), x.shape), dtype=np.float64)
        values = function(*np.moveaxis(x, -1, 0), self.params)
        if which == "gradient":
            return np.stack([np.broadcast_to(v, x.shape[:-1]) for v in values], axis=-1).astype(np.float64)
        return np.array(np.broadcast_to(values, x.shape[:-1]), dtype=np.float64)

    def _hessian_by_differences(self, x: Array) -> Array:
        step = 2e-3 * np.maximum(1.0, np.abs(x))
        if self.dim == 1:
            return extrapolated(lambda h: (self.gradient(x + h) - self.gradient(x - h)) / (2 * h), step)
        out = np.empty((*x.shape, self.dim))
        for i in range(self.dim):
            unit = np.eye(self.dim)[i]

            def slope(h: Array, unit: Array = unit, i: int = i) -> Array:
                return (self.gradient(x + h * unit) - self.gradient(x - h * unit)) / (2 * h[..., i, None])

            out[..., i, :] = extrapolated(slope, step)
        return 0.5 * (out + np.swapaxes(out, -1, -2))

    # -- critical points ----

    def minima(self, box: Box | None = None) -> Array:
        """Return the minima in ascending order of their coordinates, shape ``(m,)`` or ``(m, dim)``.

        Parameters
        ----------
        box : sequence, optional
            Where to search when they are not known: ``(low, high)``, or one such pair per coordinate. The default is
            ``plot_box``. Where minima form a continuum, one representative is returned (see the class).

        Returns
        -------
        ndarray
            The minima; empty when there is none.
        """
        return self._critical("minima", box)

    def saddles(self, box: Box | None = None) -> Array:
        """Return the index-one saddles (in one dimension, the maxima), ordered and shaped as `minima`.

        Parameters
        ----------
        box : sequence, optional
            As for `minima`.

        Returns
        -------
        ndarray
            The saddles; empty when there is none.
        """
        return self._critical("saddles", box)

    def _critical(self, which: str, box: Box | None) -> Array:
        if which in self._known:  # type: ignore[attr-defined]
            return self._known[which].copy()  # type: ignore[attr-defined]
        found = self._find_critical(None if box is None else critical.as_box(box, self.dim))
        return found[0] if which == "minima" else found[1]

    def _find_critical(self, box: tuple[tuple[float, float], ...] | None) -> tuple[Array, Array]:
        """Return ``(minima, saddles)``; potentials that know theirs in closed form override this."""
        return critical.search(self, box or self.plot_box)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that make this potential."""
        return dict(self._arguments)  # type: ignore[attr-defined]

    # -- identity ----

    def __repr__(self) -> str:
        if self._name is not None:  # type: ignore[attr-defined]
            return str(self._name)  # type: ignore[attr-defined]
        inside = ", ".join(f"{k}={_show(v)}" for k, v in self._arguments.items())  # type: ignore[attr-defined]
        return f"{type(self).__name__}({inside})"

    def _identity(self) -> tuple[Any, ...]:
        params = tuple((p.shape, *p.ravel().tolist()) if isinstance(p, np.ndarray) else p for p in self.params)
        return (type(self), self.dim, params, fingerprint(self.functions.energy), fingerprint(self.functions.gradient))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Potential) and self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"potentials are immutable; make a new one instead of setting {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        if type(self) is not Potential:
            return _rebuild, (type(self), self._arguments)  # type: ignore[attr-defined]
        extra = {"period": self.period, "name": self._name, "check_at": _checked_at(self)}  # type: ignore[attr-defined]
        return _rebuild, (Potential, {**self._arguments, **self._known, **extra})  # type: ignore[attr-defined]


def _rebuild(kind: type[Potential], arguments: dict[str, Any]) -> Potential:
    return kind(**arguments)


def _parameters(params: Any) -> tuple[Any, ...]:
    """Return the parameters as a tuple of floats and read-only float arrays."""
    if isinstance(params, (str, bytes)) or not isinstance(params, Sequence | np.ndarray):
        raise TypeError(f"params must be a tuple of numbers, got {params!r}")
    out: list[Any] = []
    for i, value in enumerate(params):
        array = _checks.finite_array(f"params[{i}]", value)
        if array.ndim > 0:
            array = array.copy()
            array.setflags(write=False)
        out.append(float(array) if array.ndim == 0 else array)
    return tuple(out)


def _show(value: Any) -> str:
    if callable(value):
        return getattr(plain(value), "__name__", repr(value))
    return repr(value)


def _checked_at(potential: Potential) -> Array:
    return potential._check_points  # type: ignore[attr-defined,no-any-return]
