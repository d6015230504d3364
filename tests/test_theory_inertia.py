"""Kramers' rate with inertia: reference values, limits, and the walls it needs."""

import math

import numpy as np
import pytest

from shld_sim import DoubleWell, Langevin, Polynomial, TiltedDoubleWell, Underdamped, theory
from shld_sim.theory import kramers

# x^4/4 - x^2/2 at D = 0.05, by friction: Kramers' formula for moderate to strong friction, and Melnikov and Meshkov's with
# the action 4/3 of either well. Independent: closed form and quadrature, 16 digits.
REFERENCE = {
    0.03: (0.0014939929462229303, 0.00038592106528374874),
    0.1: (0.0014426368902002917, 0.0008478877805454735),
    0.3: (0.0013060517862952222, 0.0011920211976466611),
    1.0: (0.0009372923657440151, 0.0009368037332086216),
    3.0: (0.00045918072297851815, 0.0004591807227452885),
    10.0: (0.00015017011335886408, 0.00015017011335886408),
    30.0: (5.049631868787121e-05, 5.049631868787121e-05),
}


@pytest.mark.parametrize("friction", REFERENCE)
def test_reference(friction):
    model = Underdamped(DoubleWell(), 0.05, friction)
    strong, turnover = REFERENCE[friction]
    for minimum in (-1.0, 1.0):
        assert theory.underdamped_kramers_rate(model, minimum, 0.0, depopulation=False) == pytest.approx(
            strong, rel=1e-12
        )
        assert theory.underdamped_kramers_rate(model, minimum, 0.0) == pytest.approx(turnover, rel=1e-10)


def test_actions():
    # 2 int x sqrt(1 - x^2/2) dx = 4/3; 2 int sqrt(2 (1/6 - x^2/2 + x^3/3)) dx from -1/2 to 1 = 6/5
    assert kramers._action(DoubleWell(), 0.0, -1.0, 1.0) == pytest.approx(4.0 / 3.0, rel=1e-13)
    assert kramers._action(Polynomial([0.0, 0.0, 0.5, -1.0 / 3.0]), 1.0, -1.0, 1.0) == pytest.approx(1.2, rel=1e-13)


def test_limits():
    V = DoubleWell()
    strong = theory.underdamped_kramers_rate(Underdamped(V, 0.05, 1e4), -1.0, 0.0)
    assert strong * 1e4 == pytest.approx(theory.eyring_kramers_rate(Langevin(V, 0.05), -1.0, 0.0), rel=1e-7)
    # weak friction, one way: A = delta, k = gamma S omega_0 / (2 pi D) exp(-dE/D); next order |zeta(1/2)| sqrt(delta/pi)
    cubic = Polynomial([0.0, 0.0, 0.5, -1.0 / 3.0])
    for friction in (1e-6, 1e-8):
        weak = theory.underdamped_kramers_rate(Underdamped(cubic, 0.01, friction), 0.0, 1.0, returning=False)
        delta = friction * 1.2 / 0.01
        limit = delta / (2.0 * math.pi) * math.exp(-1.0 / 6.0 / 0.01)
        assert weak / limit == pytest.approx(1.0 - 1.4603545 * math.sqrt(delta / math.pi), abs=2.0 * delta)
    # a second well alike halves it: half of those at the top return
    model = Underdamped(V, 0.05, 1e-7)
    both, one = (theory.underdamped_kramers_rate(model, -1.0, 0.0, returning=flag) for flag in (True, False))
    assert both / one == pytest.approx(0.5, abs=1e-3)


def test_wells_of_different_depth():
    """Forward and back are in detailed balance: k_1 Z_1 = k_2 Z_2, with harmonic Z up to O(D)."""
    V = TiltedDoubleWell(0.25, 1.0, 0.05)
    model = Underdamped(V, 0.02, 0.1)
    left, right = np.sort(V.minima())
    top = float(V.saddles()[0])
    k = [theory.underdamped_kramers_rate(model, float(m), top) for m in (left, right)]
    weight = [math.exp(-float(V(m)) / 0.02) / math.sqrt(float(V.hessian(m))) for m in (left, right)]
    assert k[0] * weight[0] == pytest.approx(k[1] * weight[1], rel=1e-10)


def test_refusals():
    cubic = Underdamped(Polynomial([0.0, 0.0, 0.5, -1.0 / 3.0]), 0.01, 0.1)
    with pytest.raises(ValueError, match="pass returning=False if it is the far side"):
        theory.underdamped_kramers_rate(cubic, 0.0, 1.0)
    with pytest.raises(TypeError, match="model must be a Underdamped"):
        theory.underdamped_kramers_rate(Langevin(DoubleWell(), 0.1), -1.0, 0.0)
    with pytest.raises(ValueError, match="saddle must have one negative"):
        theory.underdamped_kramers_rate(Underdamped(DoubleWell(), 0.1, 1.0), -1.0, 1.0)
