"""The stochastic differential equations: a potential and its noise, stated once for simulation, grid and theory."""

from __future__ import annotations

import hashlib
import inspect
import numbers
import types
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._compile import fingerprint, plain
from shld_sim._corrections import preconditioned, shifted_drift, valley_drift, valley_noise
from shld_sim.potentials import Potential, RescalingValley
from shld_sim.potentials.base import _parameters
from shld_sim.schedules import Schedule

COMPONENTS = ("isotropic", "independent")
INTERPRETATIONS = ("ito", "stratonovich")


@dataclass(frozen=True)
class Langevin:
    r"""Overdamped Langevin equation :math:`dX = -\nabla V(X)\,dt + \sqrt{2D}\,dW`.

    Its density obeys :math:`\partial_t p = \nabla\cdot(p \nabla V) + D \Delta p` and settles to the Gibbs law
    :math:`e^{-V/D}/Z` where that can be normalised.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``.
    D : float or Schedule
        Diffusion coefficient, positive; a schedule makes it a function of time.

    Examples
    --------
    >>> import shld_sim as shld
    >>> shld.Langevin(shld.DoubleWell(), D=0.1)
    Langevin(potential=DoubleWell(height=0.25, width=1.0), D=0.1)
    """

    potential: Potential
    D: float | Schedule

    def __post_init__(self) -> None:
        _check_potential(self.potential)
        object.__setattr__(self, "D", _strength("D", self.D))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.potential.dim


@dataclass(frozen=True)
class LevyFlight:
    r"""Stable equation :math:`dX = -\nabla V(X)\,dt + \sigma\,dL`, :math:`E e^{i k\cdot L_t} = e^{-t|k|^\alpha}`.

    At :math:`\alpha = 2` the noise has variance :math:`2\sigma^2 t` per coordinate, so ``sigma = sqrt(D)`` gives
    `Langevin`.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``.
    alpha : float
        Stability index, ``0 < alpha <= 2``.
    sigma : float or Schedule
        Noise scale, positive; a schedule makes it a function of time.
    components : {"isotropic", "independent"}
        In more than one dimension: a rotation-invariant stable vector, or independent stable coordinates with
        :math:`E e^{i k\cdot L_t} = e^{-t \sum_i |k_i|^\alpha}`.
    beta : float
        Skewness of the noise. Only 0, symmetric noise, is known here; anything else is refused.
    """

    potential: Potential
    alpha: float
    sigma: float | Schedule
    components: str = "isotropic"
    beta: InitVar[float] = 0.0

    def __post_init__(self, beta: float) -> None:
        if beta != 0.0:
            raise ValueError(f"beta must be 0: skewed stable noise is not supported, got {beta!r}")
        _check_potential(self.potential)
        object.__setattr__(self, "alpha", _checks.stability_index("alpha", self.alpha))
        object.__setattr__(self, "sigma", _strength("sigma", self.sigma))
        _checks.one_of("components", self.components, COMPONENTS)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.potential.dim


@dataclass(frozen=True)
class Underdamped:
    r"""Langevin equation with inertia :math:`dX = P\,dt,\ dP = -(\nabla V(X) + \gamma P)\,dt + \sqrt{2\gamma D}\,dW`.

    The mass is 1 and ``D`` the temperature: the stationary law is :math:`e^{-(V + |p|^2/2)/D}/Z`. For strong friction X
    follows `Langevin` with time slowed down by :math:`\gamma`.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``.
    D : float or Schedule
        Temperature, positive; a schedule makes it a function of time.
    friction : float
        ``gamma``, 1/time, positive.

    Examples
    --------
    >>> import shld_sim as shld
    >>> model = shld.Underdamped(shld.DoubleWell(), D=0.1, friction=0.5)
    >>> run = shld.simulate(model, x0=-1.0, dt=0.1, t_end=5.0, n_paths=4, seed=1)
    >>> run.x.shape, run.p.shape
    ((1, 4), (1, 4))
    """

    potential: Potential
    D: float | Schedule
    friction: float

    def __post_init__(self) -> None:
        _check_potential(self.potential)
        object.__setattr__(self, "D", _strength("D", self.D))
        object.__setattr__(self, "friction", _checks.positive("friction", self.friction))

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.potential.dim


class Diffusion:
    r"""General equation :math:`dX = b(X)\,dt + B(X)\,dW` with noise that depends on the state.

    Read in the sense of Ito, or of Stratonovich, :math:`dX = b(X)\,dt + B(X)\circ dW`: two different processes. The
    Ito drift is the Stratonovich drift plus :math:`c_i = \frac12 \sum_{jk} B_{jk}\,\partial_j B_{ik}`.

    Parameters
    ----------
    drift : callable
        ``b``, a function that Numba can compile: ``drift(x, p)``, ``drift(x, y, p) -> (bx, by)``, ``drift(x, y, z, p)``,
        and above three dimensions ``drift(x, out, p)``, which writes into the vector ``out``.
    noise : callable
        ``B``, called likewise. In one dimension a number, or a tuple of m numbers for m Wiener processes; in two and
        three a tuple of rows of m numbers each, or the diagonal alone, see ``diagonal``; above, it writes into the
        matrix ``out``, shape ``(dim, noise_dim)``. Up to three dimensions m is at most 4.
    params : tuple of float or array
        Passed to both functions as ``p``.
    dim : int
        Number of coordinates.
    interpretation : {"ito", "stratonovich"}
        What the integral against W means.
    diagonal : bool
        In two or three dimensions: ``noise`` returns the diagonal of B, one Wiener process per coordinate.
    noise_dim : int, optional
        Number m of Wiener processes; needed above three dimensions where it is not ``dim``, else found out.
    noise_derivative : callable, optional
        In one dimension ``B'(x, p)``, for `to_ito` and `to_stratonovich`. Default: central differences, relative error
        about 1e-8, which look a distance ``1e-4 max(1, |x|)`` to either side.
    check_at : array_like, optional
        Point at which the functions are tried. Default: 0.5 for every coordinate.

    Raises
    ------
    ValueError, TypeError
        If a function takes or returns the wrong number of values, naming it.

    Examples
    --------
    Geometric Brownian motion:

    >>> import shld_sim as shld
    >>> model = shld.Diffusion(lambda x, p: p[0] * x, lambda x, p: p[1] * x, params=(0.1, 0.5), interpretation="ito")
    >>> run = shld.simulate(model, x0=1.0, dt=0.01, t_end=1.0, n_paths=4, seed=1)
    >>> run.scheme, model.to_stratonovich().interpretation
    ('euler', 'stratonovich')
    """

    drift: Callable[..., Any]
    noise: Callable[..., Any]
    params: tuple[Any, ...]
    dim: int
    interpretation: str
    noise_dim: int
    form: str

    def __init__(
        self,
        drift: Callable[..., Any],
        noise: Callable[..., Any],
        params: Sequence[Any] = (),
        dim: int = 1,
        interpretation: str = "ito",
        *,
        diagonal: bool = False,
        noise_dim: int | None = None,
        noise_derivative: Callable[..., Any] | None = None,
        check_at: ArrayLike | None = None,
    ) -> None:
        dim, params = _checks.integer("dim", dim), _parameters(params)
        _checks.one_of("interpretation", interpretation, INTERPRETATIONS)
        if diagonal and dim not in (2, 3):
            raise ValueError(f"diagonal must be False unless dim is 2 or 3, got {diagonal!r} with dim={dim}")
        if noise_derivative is not None and dim > 1:
            raise ValueError(f"noise_derivative must be None unless dim=1, got {noise_derivative!r} with dim={dim}")
        point = _checks.points("check_at", np.full(dim, 0.5) if check_at is None else check_at, dim).reshape(-1)
        if point.shape != (dim,):
            raise ValueError(f"check_at must be one point of {dim} coordinates, got {check_at!r}")
        functions = {"drift": drift, "noise": noise, "noise_derivative": noise_derivative}
        tried = {k: plain(f) for k, f in functions.items() if f is not None}
        values = {name: _tried(name, function, point, params, dim) for name, function in tried.items()}
        form, m = _noise_form(values["noise"], dim, diagonal, noise_dim)
        _numbers("drift", values["drift"], dim)
        if noise_derivative is not None:
            if form != "number":
                raise ValueError(f"noise_derivative needs a noise that is one number, got {values['noise']!r}")
            _numbers("noise_derivative", values["noise_derivative"], 1)
        given = {
            **{"drift": drift, "noise": noise, "params": params, "dim": dim, "interpretation": interpretation},
            **({"diagonal": True} if diagonal else {}),
            **({"noise_dim": m} if dim > 3 else {}),
            **({"noise_derivative": noise_derivative} if noise_derivative is not None else {}),
            **({"check_at": point.tolist()} if check_at is not None else {}),
        }
        self._state(tried["drift"], tried["noise"], params, dim, interpretation, form, m, given)
        object.__setattr__(self, "_slope", tried.get("noise_derivative"))

    def _state(
        self,
        drift: Callable[..., Any],
        noise: Callable[..., Any],
        params: tuple[Any, ...],
        dim: int,
        interpretation: str,
        form: str,
        noise_dim: int,
        arguments: dict[str, Any],
    ) -> None:
        """Set the attributes; models do not change afterwards."""
        values = {"drift": drift, "noise": noise, "params": params, "dim": dim, "interpretation": interpretation}
        for key, value in {
            **values,
            "form": form,
            "noise_dim": noise_dim,
            "_arguments": arguments,
            "_slope": None,
        }.items():
            object.__setattr__(self, key, value)

    @property
    def potential(self) -> Potential:
        """The landscape, for the models that have one; AttributeError for a plain `Diffusion`."""
        V = self._arguments.get("potential")  # type: ignore[attr-defined]
        if V is None:
            raise AttributeError(f"potential exists for models made from one, got {self!r}")
        return V  # type: ignore[no-any-return]

    def to_ito(self) -> Diffusion:
        """Return the same process as an Ito equation.

        Returns
        -------
        Diffusion
            With the drift ``b + c``; the model itself if it is one.
        """
        return self._converted("ito", 0.5)

    def to_stratonovich(self) -> Diffusion:
        """Return the same process as a Stratonovich equation.

        Returns
        -------
        Diffusion
            With the drift ``b - c``; the model itself if it is one.
        """
        return self._converted("stratonovich", -0.5)

    def _converted(self, interpretation: str, factor: float) -> Diffusion:
        if self.interpretation == interpretation:
            return self
        if "converted" in self._arguments:  # type: ignore[attr-defined]
            return self._arguments["converted"]  # type: ignore[attr-defined,no-any-return]
        slope = self._slope  # type: ignore[attr-defined]
        drift = shifted_drift(self.drift, self.noise, self.form, self.dim, self.noise_dim, factor, slope)
        other = object.__new__(Diffusion)
        described = {"converted": self, "interpretation": interpretation}
        fixed = (self.params, self.dim, interpretation, self.form, self.noise_dim, described)
        other._state(drift, self.noise, *fixed)
        object.__setattr__(other, "_slope", slope)
        return other

    # -- identity ----

    def __repr__(self) -> str:
        if "converted" in self._arguments:  # type: ignore[attr-defined]
            return f"{self._arguments['converted']!r}.to_{self.interpretation}()"  # type: ignore[attr-defined]
        inside = ", ".join(
            f"{k}={getattr(plain(v), '__name__', repr(v)) if callable(v) and not isinstance(v, Potential) else repr(v)}"
            for k, v in self._arguments.items()  # type: ignore[attr-defined]
        )
        return f"{type(self).__name__}({inside})"

    def digest(self) -> str:
        """Return a hexadecimal digest of all that the model computes.

        Returns
        -------
        str
            Equal for models that are equal.
        """
        parts = [type(self).__name__, repr(_hashable(self.params)), str(self.dim), self.interpretation, self.form]
        parts += [str(self.noise_dim), fingerprint(self.drift), fingerprint(self.noise)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Diffusion) and self.digest() == other.digest()

    def __hash__(self) -> int:
        return hash(self.digest())

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"models are immutable; make a new one instead of setting {name!r}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._arguments)  # type: ignore[attr-defined]


class Preconditioned(Diffusion):
    r"""Langevin equation with a metric :math:`dX = -M \nabla V\,dt + D\,\nabla\cdot M\,dt + \sqrt{2 D M}\,dW` (Ito).

    ``M(x)`` is the inverse of the metric, positive. The drift :math:`D\,\nabla\cdot M` makes the stationary law the
    Gibbs law :math:`e^{-V/D}/Z` for every M [1]_; without it, it is :math:`e^{-V/D}/M` in one dimension.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``, of one to three coordinates.
    D : float
        Diffusion coefficient, positive.
    metric_inverse : callable
        ``M``, called as a gradient is: ``metric_inverse(x, p)`` a number, ``metric_inverse(x, y, p)`` the tuple of the
        diagonal of M. Positive.
    params : tuple of float or array
        Passed to ``metric_inverse`` and ``derivative`` as ``p``.
    derivative : callable, optional
        ``M'(x, p)``, in more dimensions the tuple of :math:`\partial_i M_{ii}`. Default: central differences, relative
        error about 1e-8.

    References
    ----------
    .. [1] M. Girolami, B. Calderhead, J. R. Stat. Soc. B 73, 123 (2011); Y.-A. Ma, T. Chen, E. Fox, NeurIPS (2015).

    Examples
    --------
    >>> import shld_sim as shld
    >>> shld.Preconditioned(shld.DoubleWell(), 0.1, lambda x, p: 1.0 / (1.0 + x * x)).interpretation
    'ito'
    """

    def __init__(
        self,
        potential: Potential,
        D: float,
        metric_inverse: Callable[..., Any],
        params: Sequence[Any] = (),
        *,
        derivative: Callable[..., Any] | None = None,
    ) -> None:
        _check_potential(potential)
        dim, D, params = potential.dim, _checks.positive("D", D), _parameters(params)
        if potential.functions.vector:
            raise ValueError(
                f"potential must be given by scalar functions of 1 to 3 coordinates here, got {potential!r}"
            )
        point = np.full(dim, 0.5)
        value = _tried("metric_inverse", plain(metric_inverse), point, params, dim)
        for number in _numbers("metric_inverse", value, dim):
            if not number > 0.0:
                raise ValueError(f"metric_inverse must be positive, got {value!r} at x={point.tolist()}")
        slope = None if derivative is None else plain(derivative)
        if slope is not None:
            _numbers("derivative", _tried("derivative", slope, point, params, dim), dim)
        drift, noise = preconditioned(potential.functions.gradient, plain(metric_inverse), slope, dim)
        given = {"potential": potential, "D": D, "metric_inverse": metric_inverse, "params": params}
        given |= {} if derivative is None else {"derivative": derivative}
        form = "number" if dim == 1 else "diagonal"
        self._state(drift, noise, (potential.params, params, D), dim, "ito", form, dim, given)


class LabelNoise(Diffusion):
    r"""Gradient descent with noisy labels, :math:`V = f^2/2`: :math:`dX = -f \nabla f\,dt + s \nabla f\,dW` (Ito).

    Its Euler step of length h *is* the step of stochastic gradient descent at learning rate h with a label that is off by
    a normal number of standard deviation :math:`e = s/\sqrt{h}`:

    .. math:: x' = x - h\,(f(x) + e\,\xi)\,\nabla f(x), \qquad \xi \sim N(0, 1),

    so ``simulate(LabelNoise(V, e * sqrt(h)), x0, dt=h)`` makes that chain and not an approximation. In the valley
    ``f = x y - 1`` each step multiplies the imbalance :math:`x^2 - y^2` by :math:`1 - h^2 (f + e\xi)^2`.

    Parameters
    ----------
    potential : RescalingValley
        The landscape ``V``, whose residual ``f`` is known.
    strength : float
        ``s``, positive.

    References
    ----------
    G. Blanc, N. Gupta, G. Valiant, P. Valiant, COLT (2020), arXiv:1904.09080: label noise as implicit regularisation.

    Examples
    --------
    >>> import shld_sim as shld
    >>> h, e = 0.05, 0.5
    >>> model = shld.LabelNoise(shld.RescalingValley(), strength=e * h**0.5)
    >>> shld.simulate(model, x0=[2.0, 0.5], dt=h, n_steps=100, seed=1).final.shape
    (1, 2)
    """

    def __init__(self, potential: Potential, strength: float) -> None:
        if not isinstance(potential, RescalingValley):
            raise TypeError(f"potential must be a RescalingValley, whose residual is known, got {potential!r}")
        strength = _checks.positive("strength", strength)
        given = {"potential": potential, "strength": strength}
        self._state(valley_drift, valley_noise, (strength,), 2, "ito", "rows", 1, given)


def _rebuild(kind: type[Diffusion], arguments: dict[str, Any]) -> Diffusion:
    if "converted" in arguments:
        model: Diffusion = arguments["converted"]
        return model.to_ito() if arguments["interpretation"] == "ito" else model.to_stratonovich()
    return kind(**arguments)


def _hashable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.ravel().tolist()
    return tuple(map(_hashable, value)) if isinstance(value, tuple) else value


def _tried(name: str, function: Any, point: NDArray[np.float64], params: tuple[Any, ...], dim: int) -> Any:
    """Return the value of a user's function at a point; above three dimensions it writes, and the value is None."""
    expected = [*"xyz"[:dim], "p"] if dim <= 3 else ["x", "out", "p"]
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{name} must be a function made by def, lambda or numba.njit, got {function!r}")
    got = list(inspect.signature(function).parameters)
    if len(got) != len(expected):
        raise ValueError(
            f"{name} must take ({', '.join(expected)}) for dim={dim}, got a function of ({', '.join(got)})"
        )
    if dim > 3:
        return None
    try:
        with np.errstate(all="ignore"):
            return function(*map(float, point), params)
    except Exception as error:  # the user's own function failed: say where, keep its message
        hint = "; pass check_at= with a point where it is defined" if name in {"drift", "noise"} else ""
        raise ValueError(f"{name} failed at x={point.tolist()}: {type(error).__name__}: {error}{hint}") from error


def _numbers(name: str, value: Any, count: int) -> tuple[Any, ...]:
    """Return the ``count`` numbers that a user's function returned; raise if it did not."""
    if value is None and count > 3:
        return ()
    values = value if isinstance(value, tuple) and count > 1 else (value,)
    if len(values) != count or not all(isinstance(v, numbers.Real) for v in values):
        expected = "a number" if count == 1 else f"a tuple of {count} numbers"
        raise ValueError(f"{name} must return {expected}, got {value!r}")
    return values


def _noise_form(value: Any, dim: int, diagonal: bool, noise_dim: int | None) -> tuple[str, int]:
    """Return what a noise function returns, as the engine calls it, and the number of Wiener processes."""
    m = None if noise_dim is None else _checks.integer("noise_dim", noise_dim)
    if dim > 3:
        return "vector", m or dim
    rows = (value,) if dim == 1 else value
    if dim == 1 and isinstance(value, numbers.Real):
        form, found = "number", 1
    elif diagonal:
        _numbers("noise", value, dim)
        form, found = "diagonal", dim
    else:
        good = isinstance(rows, tuple) and len(rows) == dim and all(isinstance(row, tuple) for row in rows)
        good = good and len({len(row) for row in rows}) == 1 and 1 <= len(rows[0]) <= 4
        if not (good and all(isinstance(v, numbers.Real) for row in rows for v in row)):
            one = "a number or a tuple of 1 to 4 numbers"
            several = f"a tuple of {dim} rows, each a tuple of 1 to 4 numbers, all as long"
            hint = "" if dim == 1 else f"; pass diagonal=True to return {dim} numbers"
            raise ValueError(f"noise must return {one if dim == 1 else several}, got {value!r}{hint}")
        form, found = "rows", len(rows[0])
    if m not in (None, found):
        raise ValueError(f"noise_dim must be {found}, what noise returns, got {m}")
    return form, found


Model = Langevin | LevyFlight | Underdamped | Diffusion
M = TypeVar("M", Langevin, LevyFlight, Underdamped)


def noise_strength(model: Langevin | LevyFlight | Underdamped) -> float | Schedule:
    """Return the strength of the noise of ``model``: ``D`` or ``sigma``."""
    return model.sigma if isinstance(model, LevyFlight) else model.D


def require(model: object, kind: type[M], dim: int | None = None) -> M:
    """Return ``model`` if it is a ``kind`` with constant noise (and ``dim`` coordinates); raise otherwise."""
    if not isinstance(model, kind):
        raise TypeError(f"model must be a {kind.__name__}, got {model!r}")
    if dim is not None and model.dim != dim:
        raise ValueError(f"model must have {dim} coordinate{'s' * (dim > 1)}, got {model.dim}: {model!r}")
    strength = noise_strength(model)
    if isinstance(strength, Schedule):
        name = "sigma" if isinstance(model, LevyFlight) else "D"
        raise ValueError(f"{name} must be constant here, got the schedule {strength!r}")
    return model


def _check_potential(potential: object) -> None:
    if not isinstance(potential, Potential):
        raise TypeError(f"potential must be a Potential, got {potential!r}")


def _strength(name: str, value: float | Schedule) -> float | Schedule:
    return value if isinstance(value, Schedule) else _checks.positive(name, value)
