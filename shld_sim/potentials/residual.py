"""Half the square of a function that should vanish: the loss of a model that fits one number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import ArrayLike

from shld_sim.potentials.base import Potential, ScalarFunctions, _checked_at, _show

Function = Callable[..., Any]


class SquaredResidual(Potential):
    """See `Potential.from_residual`. The attribute ``residual`` is f and its gradient on arrays."""

    residual: Potential

    def __init__(
        self, residual: Function, gradient: Function, params: Sequence[Any], dim: int, check_at: ArrayLike | None
    ) -> None:
        try:
            f = Potential(residual, gradient, params, dim, check_at=check_at)
        except (ValueError, TypeError) as error:
            raise type(error)(str(error).replace("energy", "residual")) from error
        own, slope, dim = f.functions.energy, f.functions.gradient, f.dim
        functions = ScalarFunctions(*_half_square(own, slope, dim), vector=dim > 3, residual=(own, slope))
        given = {"residual": residual, "gradient": gradient, "params": f.params, "dim": dim}
        points = None if check_at is None else _checked_at(f).tolist()
        self._state(functions, f.params, dim, arguments={**given, "check_at": points})
        object.__setattr__(self, "residual", f)

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={_show(v)}" for k, v in self.arguments.items() if v is not None)
        return f"Potential.from_residual({inside})"

    @property
    def _one_by_one(self) -> bool:
        return True


def _half_square(residual: Function, slope: Function, dim: int) -> tuple[Function, Function]:
    """Return f^2/2 and f grad f."""

    def energy_1(x: Any, p: Any) -> Any:  # of a vector, too
        f = residual(x, p)
        return 0.5 * f * f

    def gradient_1(x: Any, p: Any) -> Any:
        return residual(x, p) * slope(x, p)

    def energy_2(x: Any, y: Any, p: Any) -> Any:
        f = residual(x, y, p)
        return 0.5 * f * f

    def gradient_2(x: Any, y: Any, p: Any) -> Any:
        f, (g1, g2) = residual(x, y, p), slope(x, y, p)
        return f * g1, f * g2

    def energy_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        f = residual(x, y, z, p)
        return 0.5 * f * f

    def gradient_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        f, (g1, g2, g3) = residual(x, y, z, p), slope(x, y, z, p)
        return f * g1, f * g2, f * g3

    def gradient_vector(x: Any, out: Any, p: Any) -> None:
        slope(x, out, p)
        f = residual(x, p)
        for i in range(x.shape[0]):
            out[i] *= f

    made: dict[int, tuple[Function, Function]] = {
        1: (energy_1, gradient_1),
        2: (energy_2, gradient_2),
        3: (energy_3, gradient_3),
    }
    return made.get(dim, (energy_1, gradient_vector))
