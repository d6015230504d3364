"""The spectrum against independent reference values, its order in dx, tiny gaps, and rings."""

import numpy as np
import pytest

from shld_sim.grid import FokkerPlanck, Grid
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, Polynomial, Prinz, Washboard

# First non-zero eigenvalues of -L. Independent: singular values of sqrt(D)(d/dx + V'/2D) in scaled Hermite functions
# (two bases), agreeing to 3e-12 with Richardson-extrapolated finite volumes of two kinds (ids dw.eig.*, h1.eig.*).
REFERENCE = {
    (0.25, 0.03): [0.0001026970305823, 0.8787857348403, 1.370114734776],
    (0.25, 0.1): [0.033545287308, 0.9273721026076, 1.680263767388, 2.5958205757, 3.733984956735],
    (1.0, 0.1): [7.83570919987e-05, 3.616972468413, 5.818107354344],
    (1.0, 0.5): [0.2272733010087, 4.078279891769, 7.604028342382],
}
# Prinz potential, D = 1, reflecting box [-2, 2]: sine-DVR of the Schroedinger form in three boxes (id prinz.eig).
PRINZ = [1.198993851767, 7.888502087797, 15.36139281649, 82.08166601835]


@pytest.mark.parametrize(("height", "D"), REFERENCE)
def test_double_well_converges_to_the_reference_at_second_order(height, D):
    reference = np.array(REFERENCE[height, D])
    errors, values = [], []
    for n in (400, 800, 1600):
        fp = FokkerPlanck(Langevin(DoubleWell(height), D), Grid(-2.5, 2.5, n))
        found = fp.eigenvalues(reference.size + 1)
        assert found[0] == 0.0
        values.append(found[1:])
        errors.append(np.abs(found[1:] / reference - 1))
    slope = np.log2(errors[0] / errors[1]), np.log2(errors[1] / errors[2])
    np.testing.assert_allclose(slope, 2.0, atol=0.06)  # the dx^4 term is 1 per cent of dx^2 at dx = V''-scale / 20
    # removing the dx^2 term leaves dx^4: about the square of the error at n = 800, times a number of order one
    richardson = (4 * values[2] - values[1]) / 3
    np.testing.assert_allclose(richardson, reference, rtol=20 * errors[1].max() ** 2)


def test_prinz():
    values = [FokkerPlanck(Langevin(Prinz(), 1.0), Grid(-2.0, 2.0, n)).eigenvalues(5)[1:] for n in (1000, 2000)]
    assert np.abs(values[1] / PRINZ - 1).max() < 2e-4  # raw second order, as the reference's own finite volumes
    np.testing.assert_allclose((4 * values[1] - values[0]) / 3, PRINZ, rtol=1e-6)


@pytest.mark.parametrize("D", [0.03, 0.01, 0.003, 0.001])
def test_tiny_gaps_keep_their_digits(D):
    """lambda_1 -> 1 / T(well -> barrier top), T with relative rounding only: down to 1e-109, beside eigenvalues 1e4.

    The two differ by the equilibration inside the well, O(lambda_1), and by O(dx^2), here with (V''/D) dx^2 < .03.
    """
    fp = FokkerPlanck(Langevin(DoubleWell(), D), Grid(-2.5, 2.5, 1000))
    gap = fp.eigenvalues(2)[1]
    # the rates on the grid: T(-1 -> 0) counts half of the well-to-well flux, and lambda_1 both directions
    assert gap * fp.mean_exit_time((-np.inf, 0.0), x0=-1.0) == pytest.approx(1.0, abs=4e-4)


def test_harmonic_spectrum():
    fp = FokkerPlanck(Langevin(Harmonic(2.0), 0.5), Grid(-4.0, 4.0, 800))
    # k, 2k, 3k exactly; relative error (V'/D)^2 dx^2 / 12 over the mode, |V'/D| <= 4 where the first modes live
    np.testing.assert_allclose(fp.eigenvalues(5), [0.0, 2.0, 4.0, 6.0, 8.0], rtol=3e-4)


@pytest.mark.parametrize("boundary", ["reflecting", "absorbing", ("reflecting", "absorbing")])
def test_all_eigenvalues_agree_with_a_dense_solver(boundary):
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.2), Grid(-2.5, 2.5, 24), boundary)
    dense = np.sort(np.linalg.eigvals(-fp.generator.toarray()).real)
    found = fp.eigenvalues(24)
    # the dense non-symmetric solver errs by eps |L| times the condition of the eigenvectors, max sqrt(pi_i / pi_j)
    np.testing.assert_allclose(found, dense, atol=1e-7)
    assert (found[0] == 0.0) == (boundary == "reflecting")


def test_absorbing_interval():
    """Brownian motion killed at 0 and 1: D (j pi)^2, discrete value D (2/dx)^2 sin^2(j pi dx / 2) on this grid."""
    fp = FokkerPlanck(Langevin(Polynomial([0.0, 0.0]), 0.7), Grid(0.0, 1.0, 60), "absorbing")
    j, dx = np.arange(1, 6), fp.grid.dx
    np.testing.assert_allclose(fp.eigenvalues(5), 0.7 * (2 / dx * np.sin(j * np.pi * dx / 2)) ** 2, rtol=1e-12)


def test_survival_decays_with_the_first_eigenvalue():
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.1), Grid(-2.5, 0.0, 100), ("reflecting", "absorbing"))
    t = np.array([20.0, 60.0])
    survival = fp.propagate(-1.0, t).sum(axis=1) * fp.grid.dx
    first, second = fp.eigenvalues(2)
    decay = -np.log(survival[1] / survival[0]) / 40.0
    assert np.exp(-second * 20.0) < 1e-9  # the next mode has gone
    assert decay == pytest.approx(first, rel=1e-8)


def test_rings():
    D, length, n = 0.6, 2.0, 48
    flat = FokkerPlanck(Langevin(Washboard(1e-12, length), D), Grid(0.0, length, n), "periodic")
    dx = flat.grid.dx
    exact = D * (2 / dx * np.sin(np.pi * np.array([0, 1, 1, 2, 2]) / n)) ** 2  # the ring of n equal cells
    np.testing.assert_allclose(flat.eigenvalues(5), exact, atol=1e-11)  # the wells of height 1e-12
    tilted = FokkerPlanck(Langevin(Washboard(1e-12, length, 0.9), D), Grid(0.0, length, n), "periodic")
    found = tilted.eigenvalues(3)
    # drift 0.9 turns the first pair: D k^2 +- i 0.9 k, k = 2 pi / length; k^2 dx^2 / 12 and SG's u^2 / 12 are 2e-3
    k = 2 * np.pi / length
    assert found[0] == 0.0
    np.testing.assert_allclose(found[1:], [D * k**2 - 0.9j * k, D * k**2 + 0.9j * k], rtol=4e-3)
    with pytest.raises(ValueError, match="detailed balance"):
        tilted.eigenfunctions(2)


@pytest.mark.parametrize("boundary", ["reflecting", "absorbing", "periodic"])
def test_eigenfunctions(boundary):
    V = Washboard(0.5, 4.0) if boundary == "periodic" else DoubleWell()
    fp = FokkerPlanck(Langevin(V, 0.12), Grid(-2.0, 2.0, 60), boundary)
    psi, values = fp.eigenfunctions(4), fp.eigenvalues(4)
    pi = np.exp(-V(fp.grid.x) / 0.12)
    pi /= pi.sum() * fp.grid.dx
    np.testing.assert_allclose((psi / pi) @ psi.T * fp.grid.dx, np.eye(4), atol=1e-11)
    np.testing.assert_allclose(-(fp.generator @ psi.T).T, values[:, None] * psi, atol=1e-10)
    if boundary != "absorbing":
        np.testing.assert_allclose(psi[0], pi, atol=1e-11)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (61, ValueError), (1.5, TypeError)])
def test_number_of_eigenvalues_is_checked(k, error):
    fp = FokkerPlanck(Langevin(DoubleWell(), 0.15), Grid(-2.5, 2.5, 60))
    with pytest.raises(error, match="k must"):
        fp.eigenvalues(k)
