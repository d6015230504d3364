"""The general equation dX = b(X) dt + B(X) dW, read in the sense of Ito or of Stratonovich."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from shld_sim import _checks
from shld_sim._compile import fingerprint, plain
from shld_sim.models.conversion import shifted_drift
from shld_sim.models.functions import check_point, noise_form, numbers_of, tried
from shld_sim.potentials import Potential
from shld_sim.potentials.base import _parameters

INTERPRETATIONS = ("ito", "stratonovich")


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
        three a tuple of rows of m numbers each; above, it writes into the matrix ``out``, shape ``(dim, noise_dim)``; or
        the diagonal alone, see ``diagonal``. Up to three dimensions m is at most 4.
    params : tuple of float or array
        Passed to both functions as ``p``.
    dim : int
        Number of coordinates.
    interpretation : {"ito", "stratonovich"}
        What the integral against W means.
    diagonal : bool
        In two or more dimensions: ``noise`` returns the diagonal of B, one Wiener process per coordinate; above three it
        writes it into the vector ``out``. In high dimensions this saves time and memory: a matrix has dim^2 numbers.
    noise_dim : int, optional
        Number m of Wiener processes; needed above three dimensions where it is not ``dim``, else found out.
    noise_derivative : callable, optional
        For `to_ito` and `to_stratonovich`: in one dimension ``B'(x, p)``, for diagonal noise the :math:`\partial_i B_{ii}`,
        returned or written as ``noise`` does. Default: central differences, relative error about 1e-8, which look a
        distance ``1e-4 max(1, |x|)`` to either side and cost ``2 dim`` calls of ``noise``.
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

    A thousand of them, each with its own noise:

    >>> def drift(x, out, p):
    ...     for i in range(x.shape[0]):
    ...         out[i] = p[0] * x[i]
    >>> def noise(x, out, p):
    ...     for i in range(x.shape[0]):
    ...         out[i] = p[1] * x[i]
    >>> many = shld.Diffusion(drift, noise, params=(0.1, 0.5), dim=1000, diagonal=True)
    >>> shld.simulate(many, x0=[1.0] * 1000, dt=0.01, n_steps=10, n_paths=2, seed=1).final.shape
    (2, 1000)
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
        if diagonal and dim == 1:
            raise ValueError(f"diagonal must be False for dim=1, where noise returns a number, got {diagonal!r}")
        point = check_point(check_at, dim)
        given_functions = {"drift": drift, "noise": noise, "noise_derivative": noise_derivative}
        functions = {k: plain(f) for k, f in given_functions.items() if f is not None}
        values = {name: tried(name, f, point, params, call=dim <= 3) for name, f in functions.items()}
        form, m = noise_form(values["noise"], dim, diagonal, noise_dim)
        if dim <= 3:
            numbers_of("drift", values["drift"], dim)
        if noise_derivative is not None:
            if form not in ("number", "diagonal"):
                raise ValueError("noise_derivative must be None unless noise is one number or diagonal=True")
            if dim <= 3:
                numbers_of("noise_derivative", values["noise_derivative"], dim)
        given = {
            **{"drift": drift, "noise": noise, "params": params, "dim": dim, "interpretation": interpretation},
            **({"diagonal": True} if diagonal else {}),
            **({"noise_dim": m} if form == "vector" else {}),
            **({"noise_derivative": noise_derivative} if noise_derivative is not None else {}),
            **({"check_at": point.tolist()} if check_at is not None else {}),
        }
        self._state(functions["drift"], functions["noise"], params, dim, interpretation, form, m, given)
        object.__setattr__(self, "_slope", functions.get("noise_derivative"))

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


def _rebuild(kind: type[Diffusion], arguments: dict[str, Any]) -> Diffusion:
    if "converted" in arguments:
        model: Diffusion = arguments["converted"]
        return model.to_ito() if arguments["interpretation"] == "ito" else model.to_stratonovich()
    return kind(**arguments)


def _hashable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.ravel().tolist()
    return tuple(map(_hashable, value)) if isinstance(value, tuple) else value
