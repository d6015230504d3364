"""Gradient descent on a squared residual with noisy labels, as an equation whose Euler step is the chain itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shld_sim import _checks
from shld_sim.models.additive import check_potential
from shld_sim.models.diffusion import Diffusion
from shld_sim.potentials import Potential

Function = Callable[..., Any]


class LabelNoise(Diffusion):
    r"""Gradient descent with noisy labels, :math:`V = f^2/2`: :math:`dX = -f \nabla f\,dt + s \nabla f\,dW` (Ito).

    Its Euler step of length h *is* the step of stochastic gradient descent at learning rate h with a label that is off by
    a normal number of standard deviation :math:`e = s/\sqrt{h}`:

    .. math:: x' = x - h\,(f(x) + e\,\xi)\,\nabla f(x), \qquad \xi \sim N(0, 1),

    so ``simulate(LabelNoise(V, e * sqrt(h)), x0, dt=h)`` makes that chain and not an approximation. In the valley
    ``f = x y - 1`` each step multiplies the imbalance :math:`x^2 - y^2` by :math:`1 - h^2 (f + e\xi)^2`.

    Parameters
    ----------
    potential : Potential
        The landscape ``V``, whose residual ``f`` is known: `RescalingValley`, or one of your own by
        `Potential.from_residual`.
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

    Three layers of one weight each, which should multiply to 1:

    >>> f, slope = (lambda x, y, z, p: x * y * z - 1.0), (lambda x, y, z, p: (y * z, x * z, x * y))
    >>> deep = shld.Potential.from_residual(f, slope, dim=3)
    >>> shld.simulate(shld.LabelNoise(deep, e * h**0.5), x0=[2.0, 1.0, 0.5], dt=h, n_steps=100, seed=1).final.shape
    (1, 3)
    """

    def __init__(self, potential: Potential, strength: float) -> None:
        check_potential(potential)
        if potential.functions.residual is None:
            raise TypeError(
                f"potential must have a known residual, as RescalingValley or Potential.from_residual, got {potential!r}"
            )
        strength, dim = _checks.positive("strength", strength), potential.dim
        noise = _noise(potential.functions.residual[1], dim)
        drift = _downhill(potential.functions.gradient, dim)
        given = {"potential": potential, "strength": strength}
        form = {1: "number", 2: "rows", 3: "rows"}.get(dim, "vector")
        self._state(drift, noise, (potential.params, strength), dim, "ito", form, 1, given)


# p holds the parameters of the residual, and s


def _downhill(gradient: Function, dim: int) -> Function:
    """Return -grad V."""

    def drift_1(x: Any, p: Any) -> Any:
        return -gradient(x, p[0])

    def drift_2(x: Any, y: Any, p: Any) -> Any:
        g1, g2 = gradient(x, y, p[0])
        return -g1, -g2

    def drift_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        g1, g2, g3 = gradient(x, y, z, p[0])
        return -g1, -g2, -g3

    def drift_vector(x: Any, out: Any, p: Any) -> None:
        gradient(x, out, p[0])
        for i in range(x.shape[0]):
            out[i] = -out[i]

    made: dict[int, Function] = {1: drift_1, 2: drift_2, 3: drift_3}
    return made.get(dim, drift_vector)


def _noise(slope: Function, dim: int) -> Function:
    """Return s grad f, a column that one Wiener process drives."""

    def noise_1(x: Any, p: Any) -> Any:
        return p[1] * slope(x, p[0])

    def noise_2(x: Any, y: Any, p: Any) -> Any:
        g1, g2 = slope(x, y, p[0])
        return (p[1] * g1,), (p[1] * g2,)

    def noise_3(x: Any, y: Any, z: Any, p: Any) -> Any:
        g1, g2, g3 = slope(x, y, z, p[0])
        return (p[1] * g1,), (p[1] * g2,), (p[1] * g3,)

    def noise_vector(x: Any, out: Any, p: Any) -> None:
        column = out.reshape(out.shape[0])
        slope(x, column, p[0])
        for i in range(x.shape[0]):
            column[i] *= p[1]

    made: dict[int, Function] = {1: noise_1, 2: noise_2, 3: noise_3}
    return made.get(dim, noise_vector)
