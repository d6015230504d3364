"""Noise that changes in time on the grid: order, tolerance, mass, signs, and the Gaussian law of a driven harmonic well."""

import warnings

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import shld_sim as shld
from shld_sim.grid import FokkerPlanck, Grid, driven
from shld_sim.grid.generator import Landscape, assemble, matrix
from shld_sim.models import Langevin
from shld_sim.potentials import DoubleWell, Harmonic, TiltedDoubleWell, Washboard

GRID = Grid(-2.5, 2.5, 60)
SCHEDULES = [
    shld.Cosine(0.4, 0.05, 2.0),
    shld.Exponential(0.05, 0.5, 1.5),
    shld.Logarithmic(0.4, 0.3),
    shld.Table((0.2, 0.5, 0.6, 2.0), (0.1, 0.4, 0.05, 0.2)),
]


def driven_chain(schedule, rtol, grid=GRID, boundary=("reflecting", "reflecting"), V=None):
    V = V or TiltedDoubleWell()
    return driven.Driven(Landscape(V, float(schedule(0.0))), schedule, grid, boundary, rtol)


@pytest.mark.parametrize(
    "boundary", [("reflecting", "reflecting"), ("absorbing", "reflecting"), ("absorbing", "absorbing")]
)
def test_the_kernel_is_the_implicit_method_with_the_matrices_of_the_grid(boundary):
    chain = driven_chain(SCHEDULES[0], 1e-6, boundary=boundary)
    across, drops = chain._mesh()
    h, now = 0.05, 0.3
    D = chain.schedule(now + driven.NODES * h)
    rates = [driven._rates(float(d), across, drops, GRID.widths[0]) for d in D]
    right, left = np.stack([r for r, _ in rates]), np.stack([l for _, l in rates])
    generators = [matrix(assemble(Landscape(TiltedDoubleWell(), float(d)), GRID, boundary)).toarray() for d in D]
    m = np.random.default_rng(1).random(60)
    new, difference = driven._step(m, h, right, left, driven.STAGES, driven.COMPARISON)
    expected, distance = naive.implicit_step(m, h, generators, driven.STAGES, driven.COMPARISON)
    np.testing.assert_allclose(new, expected, rtol=1e-10)
    assert difference == pytest.approx(distance, rel=1e-8)


def test_coefficients_satisfy_the_order_conditions():
    """All eight of order 4 for the step and the four of order 3 for the comparison; L-stable: R(infinity) = 0."""
    A, b, c = driven.STAGES, driven.STAGES[-1], driven.NODES
    np.testing.assert_allclose(A.sum(axis=1), c, atol=1e-15)
    for weights, order in ((b, 4), (driven.COMPARISON, 3)):
        conditions = [(weights.sum(), 1), (weights @ c, 1 / 2), (weights @ c**2, 1 / 3), (weights @ A @ c, 1 / 6)]
        if order == 4:
            conditions += [(weights @ c**3, 1 / 4), (weights @ (c * (A @ c)), 1 / 8)]
            conditions += [(weights @ A @ c**2, 1 / 12), (weights @ A @ A @ c, 1 / 24)]
        for value, expected in conditions:
            assert value == pytest.approx(expected, abs=1e-14)
    stability = lambda z: 1 + z * b @ np.linalg.solve(np.eye(5) - z * A, np.ones(5))
    assert abs(stability(-1e8)) < 1e-7
    assert max(abs(stability(1j * y)) for y in np.geomspace(0.01, 1e4, 200)) <= 1.0 + 1e-12


def frozen(schedule, m, t_end, pieces):
    """The state at t_end with D held at its value in the middle of every piece: second order in the length of a piece."""
    h = t_end / pieces
    for k in range(pieces):
        fp = FokkerPlanck(Langevin(TiltedDoubleWell(), float(schedule((k + 0.5) * h))), GRID)
        m = fp.chain.evolve(m, np.array([h]))[0]
    return m


@pytest.mark.filterwarnings("ignore:the box ends")
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_against_frozen_noise(schedule):
    """Piecewise constant D with exact propagation: its error falls fourfold per halving, towards the driven solution."""
    chain = driven_chain(schedule, 1e-9)
    start = FokkerPlanck(Langevin(TiltedDoubleWell(), 0.2), GRID).steady_state() * GRID.dx
    m = chain.evolve(start, np.array([1.0]))[0]
    first, second = (frozen(schedule, start, 1.0, n) for n in (40, 80))
    errors = [np.abs(x - m).sum() for x in (first, second)]
    assert errors[0] > 3e-6  # something happens
    assert errors[0] / errors[1] == pytest.approx(4.0, abs=0.3)
    # without the term h^2 what is left is of higher order in h over the shortest ramp, 0.1 (kinks lie between pieces)
    assert np.abs((4 * second - first) / 3 - m).sum() < 0.2 * errors[1]


@pytest.mark.parametrize("rtol", [1e-5, 1e-7, 1e-9])
def test_tolerance(rtol):
    """Constant noise in a table: the error in total variation at all times, over hundreds of steps, is below 20 rtol."""
    chain = driven_chain(shld.Table((0.0, 1.0), (0.1, 0.1)), rtol)
    fp = FokkerPlanck(Langevin(TiltedDoubleWell(), 0.1), GRID)
    start = fp._initial(-1.0)
    t = np.array([0.01, 0.1, 1.0, 10.0, 100.0])
    error = np.abs(chain.evolve(start, t) - fp.chain.evolve(start, t)).sum(axis=1)
    assert error.max() < 20 * rtol
    assert error.max() > 1e-3 * rtol  # and is not free


@pytest.mark.parametrize(
    "schedule", [shld.Cosine(1.0, 0.1, 2.0), shld.Logarithmic(0.5, 0.2)], ids=lambda s: type(s).__name__
)
def test_driven_ornstein_uhlenbeck(schedule):
    """Gaussian with mean x0 exp(-k t) and dv/dt = -2 k v + 2 D(t): the errors are those of the grid, O(dx^2), and vanish."""
    k, x0, t = 1.5, 0.8, np.array([0.3, 1.0, 4.0])
    exact = solve_ivp(
        lambda s, v: -2 * k * v + 2 * schedule(s), (0.0, 4.0), [0.0], t_eval=t, rtol=1e-11, atol=1e-13, max_step=0.1
    ).y[0]
    errors = []
    for n in (101, 303):  # the start is the centre of a cell on both
        fp = FokkerPlanck(Langevin(Harmonic(k), schedule), Grid(x0 - 6.0, x0 + 6.0, n))
        p = fp.propagate(x0, t)
        mean = fp.mean(p, lambda x: x)
        variance = fp.mean(p, lambda x: x**2) - mean**2
        errors.append(np.r_[mean - x0 * np.exp(-k * t), variance - exact])
    assert np.abs(errors[1]).max() < 2e-3
    np.testing.assert_allclose(np.abs(errors[0]) > 7.0 * np.abs(errors[1]), True)
    limit = errors[1] + (errors[1] - errors[0]) / 8.0
    assert np.abs(limit).max() < 2e-5
    standing = solve_ivp(lambda s, v: -2 * k * v + 2 * schedule(0.0), (0.0, 4.0), [0.0], t_eval=t, rtol=1e-9).y[0]
    assert np.abs(standing - exact).max() > 0.02  # a planted error, D at time 0, is a thousand times larger


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from(SCHEDULES),
    st.floats(-2.4, 2.4),
    st.lists(st.floats(0.0, 30.0), min_size=1, max_size=4),
    st.sampled_from([1e-4, 1e-6, 1e-8]),
)
def test_mass_and_signs(schedule, start, times, rtol):
    chain = driven_chain(schedule, rtol)
    m0 = FokkerPlanck(Langevin(TiltedDoubleWell(), schedule), GRID)._initial(start)
    m = chain.evolve(m0, np.array(times))
    assert (m >= 0.0).all()
    np.testing.assert_allclose(m.sum(axis=1), 1.0, atol=1e-12)


def test_absorbing_ends_and_order_of_times():
    schedule = SCHEDULES[1]
    fp = FokkerPlanck(Langevin(DoubleWell(), schedule), Grid(-2.0, 0.0, 40), ("reflecting", "absorbing"))
    t = np.array([3.0, 0.0, 0.5, 3.0])
    p = fp.propagate(-1.0, t)
    mass = fp.grid.integrate(p)
    assert mass[1] == 1.0 and mass[0] == mass[3] < mass[2] < 1.0
    np.testing.assert_array_equal(p[1], fp.propagate(-1.0, 0.0))
    assert fp.relaxation(1.0, -1.0, 0.5) == pytest.approx(mass[2], abs=1e-8)
    assert mass[2] == pytest.approx(float(fp.grid.integrate(fp.propagate(-1.0, 0.5))), abs=1e-8)


def test_long_annealing_ends_in_the_final_gibbs_law():
    """3000 units of time, 1e8 jumps: the steps grow with the time scale of what still happens."""
    schedule = shld.Cosine(0.3, 0.1, 1000.0)
    fp = FokkerPlanck(Langevin(TiltedDoubleWell(), schedule), Grid(-2.5, 2.5, 200))
    still = FokkerPlanck(Langevin(TiltedDoubleWell(), 0.1), fp.grid)
    p = fp.propagate(-1.0, 3000.0)
    assert np.abs(p - still.steady_state()).sum() * fp.grid.dx < 1e-8


def test_what_needs_constant_noise_says_so():
    schedule = shld.Cosine(0.2, 0.1, 1.0)
    fp = FokkerPlanck(Langevin(DoubleWell(), schedule), GRID)
    p = fp.propagate(-1.0, 1.0)
    for call in (
        lambda: fp.steady_state(),
        lambda: fp.eigenvalues(),
        lambda: fp.eigenfunctions(),
        lambda: fp.mean_exit_time((-np.inf, 0.0)),
        lambda: fp.mean_exit_time((-np.inf, 0.0), x0=-1.0),
        lambda: fp.exit_distribution((-0.5, 0.5)),
        lambda: fp.exit_density((-0.5, 0.5), 0.0, 1.0),
        lambda: fp.survival((-np.inf, 0.0), -1.0, 1.0),
        lambda: fp.committor((-2.0, -1.0), (1.0, 2.0)),
        lambda: fp.autocorrelation(lambda x: x, 1.0),
        lambda: fp.current(p),
        lambda: fp.entropy_production(p),
        lambda: fp.free_energy(p),
        lambda: fp.fisher_information(p),
        lambda: fp.uncertainty_product(p),
        lambda: fp.cramer_rao_product(p),
        lambda: fp.detailed_balance(),
        lambda: fp.generator,
    ):
        with pytest.raises(ValueError, match=r"constant D, got Cosine\(start=0.2, end=0.1, duration=1.0\)"):
            call()
    with pytest.raises(ValueError, match="boundary must be 'reflecting' or 'absorbing'"):
        FokkerPlanck(Langevin(Washboard(), schedule), Grid(0.0, 2 * np.pi, 40), "periodic")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FokkerPlanck(Langevin(DoubleWell(), schedule), Grid(-1.2, 1.2, 20))  # no Gibbs law to be cut
