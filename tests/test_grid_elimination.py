"""Elimination by nested dissection: the order is one, solutions agree with a slow twin, and small rates keep their digits."""

import numpy as np
import pytest
from naive import eliminated, poisson_sum

from shld_sim.grid import steps
from shld_sim.grid.elimination import Elimination, dissect
from shld_sim.grid.links import Links, product_links, vector_field
from shld_sim.grid.mesh import Grid

# shape, rings, whether cells are linked over corners
CHAINS = [
    ((17,), (False,), False),
    ((40,), (True,), False),
    ((13, 17), (False, False), False),
    ((23, 17), (False, False), True),
    ((13, 17), (True, False), False),
    ((14, 15), (True, True), True),
    ((3, 3), (True, True), False),
    ((100, 3), (True, False), False),
    ((7, 8, 9), (False, True, False), False),
]


def chain(shape, wrap, corners, spread=2.0, exits=False):
    """Random rates, without detailed balance."""
    rng = np.random.default_rng(sum(shape))
    size, dim = int(np.prod(shape)), len(shape)
    inner = []
    for axis in range(dim):
        tail, head = product_links(shape, axis, wrap[axis])
        step = np.zeros((tail.size, dim), dtype=np.int64)
        step[:, axis] = 1
        inner.append((tail, head, *np.exp(spread * rng.standard_normal((2, tail.size))), step))
    if corners:
        cells = np.arange(size).reshape(shape)
        tail, head = cells[:-1, :-1].ravel(), cells[1:, 1:].ravel()
        inner.append((tail, head, *rng.random((2, tail.size)), np.ones((tail.size, 2), dtype=np.int64)))
    outward = np.zeros((1, dim), dtype=np.int64)
    outward[0, 0] = -1
    return Links.gathered(size, dim, inner, [(np.array([0]), np.array([0.3]), outward)] if exits else [])


def rates_of(links):
    """Element (i, j): the rate from i to j."""
    rates = np.array(links.matrix().toarray().T)
    np.fill_diagonal(rates, 0.0)
    return rates


@pytest.mark.parametrize(("shape", "wrap", "corners"), CHAINS)
def test_order_of_dissection(shape, wrap, corners):
    """Every active cell is eliminated once; what it is linked to is in its front, or gone before."""
    links = chain(shape, wrap, corners)
    rng = np.random.default_rng(1)
    for active in (np.ones(links.size, dtype=bool), rng.random(links.size) < 0.6):
        plan = dissect(shape, wrap, (1,) * len(shape), not corners, active)
        fronts = [plan.cells[s : s + p + b] for s, p, b in zip(plan.start, plan.pivots, plan.border)]
        own = np.concatenate([f[:p] for f, p in zip(fronts, plan.pivots)])
        assert sorted(own) == list(np.flatnonzero(active))
        assert (plan.front[own] == np.repeat(np.arange(len(fronts)), plan.pivots)).all()
        assert (plan.front[~active] == -1).all()
        assert all(len(set(f)) == len(f) for f in fronts)
        assert all((plan.front[f[p:]] > k).all() for k, (f, p) in enumerate(zip(fronts, plan.pivots)))
        both = active[links.tail] & active[links.head]
        first = np.minimum(plan.front[links.tail], plan.front[links.head])[both]
        assert all({i, j} <= set(fronts[k]) for i, j, k in zip(links.tail[both], links.head[both], first))


@pytest.mark.parametrize(("shape", "wrap", "corners"), CHAINS)
def test_solutions(shape, wrap, corners):
    links = chain(shape, wrap, corners)
    rng = np.random.default_rng(2)
    g, kill = rng.random(links.size), rng.random(links.size)
    R = rates_of(links)
    A = np.diag(R.sum(axis=1) + kill) - R
    factors = Elimination(links, shape, wrap, extra=kill)
    np.testing.assert_allclose(factors.backward(g), eliminated(R, kill, g), rtol=1e-12)
    np.testing.assert_allclose(factors.backward(g), np.linalg.solve(A, g), rtol=1e-8)
    np.testing.assert_allclose(factors.forward(g), np.linalg.solve(A.T, g), rtol=1e-8)
    np.testing.assert_allclose(factors.forward(g) @ kill, g.sum(), rtol=1e-12)  # whatever comes in leaves
    signed = g - 0.5
    np.testing.assert_allclose(factors.backward(signed), np.linalg.solve(A, signed), rtol=1e-8, atol=1e-10)
    m = Elimination(links, shape, wrap, singular=True).null()
    assert (m > 0.0).all() and abs(m.sum() - 1.0) < 1e-14
    assert (np.abs(links.matrix() @ m) < 1e-13 * links.outflow * m).all()
    # cells that take no part end the path
    active = rng.random(links.size) < 0.7
    part = Elimination(links, shape, wrap, extra=kill, active=active)
    expected = np.zeros(links.size)
    expected[active] = np.linalg.solve(A[np.ix_(active, active)], g[active])
    np.testing.assert_allclose(part.backward(g), expected, rtol=1e-8)


def test_small_rates_keep_their_digits():
    """Rates from 1e-26 to 1e26 beside an exit at 1e-30: every element as in the slow twin, which subtracts nothing."""
    shape, wrap = (12, 11), (False, False)
    links = chain(shape, wrap, False, spread=20.0)
    kill = np.zeros(links.size)
    kill[37] = 1e-30
    T = Elimination(links, shape, wrap, extra=kill).backward(np.ones(links.size))
    np.testing.assert_allclose(T, eliminated(rates_of(links), kill, np.ones(links.size)), rtol=1e-11)
    assert T.max() > 1e30


def test_a_cell_that_cannot_be_left():
    links = chain((6, 6), (False, False), False)
    with pytest.raises(ValueError, match="exceeds the floating-point range near cell"):
        Elimination(links, (6, 6), (False, False))


@pytest.mark.parametrize(("ratio", "fits"), [(1e8, True), (1e14, True), (1e25, False)])
def test_laws_that_span_many_orders(ratio, fits):
    """Weights ratio^-|i - 5| on 40 cells: the cell eliminated last is the last one."""
    n = 40
    tail, head = product_links((n,), 0, False)
    up = np.where(tail < 5, ratio, 1.0)
    links = Links.gathered(n, 1, [(tail, head, up, ratio / up, np.ones((n - 1, 1), dtype=np.int64))])
    factors = Elimination(links, (n,), (False,), singular=True)
    if fits:
        np.testing.assert_allclose(factors.null()[3:8], ratio ** -np.abs(np.arange(-2.0, 3.0)), rtol=1e-7)
    else:
        with pytest.raises(ValueError, match="spans more than the floating-point range"):
            factors.null()


@pytest.mark.parametrize(("shape", "wrap", "corners"), CHAINS[2:6])
def test_series_and_rational_steps(shape, wrap, corners, monkeypatch):
    """Both evaluations of exp(L t) m against the slow series: relative, and to the tolerance of the steps."""
    links = chain(shape, wrap, corners, spread=0.5, exits=True)
    rng = np.random.default_rng(3)
    m0, times = rng.random(links.size), np.array([3.0, 0.02, 0.0])
    L = links.matrix()
    expected = np.array([poisson_sum(L, m0, t) for t in times])

    def factors(of, extra):
        return Elimination(of, shape, wrap, extra=extra)

    np.testing.assert_allclose(steps.evolve(links, factors, m0, times), expected, rtol=1e-10)
    monkeypatch.setattr(steps, "_worth", lambda *_: 0.0)
    monkeypatch.setattr(steps, "JUMPS", 4.0)
    found = steps.evolve(links, factors, m0, times)
    assert (np.abs(found - expected).sum(axis=1) < 1e-8 * expected.sum(axis=1)).all()
    assert (found >= 0.0).all() and not (found == expected).all()


def test_rational_approximation():
    """R(z) = sum_n c_n (1 - u)^n, u = 1 / (1 - gamma z): order 12, at most 1 where it must be, 0 at infinity."""

    def R(z):
        return sum(c * (1.0 - 1.0 / (1.0 - steps.GAMMA * z)) ** n for n, c in enumerate(steps.COEFFICIENTS))

    x = np.logspace(-3, 8, 2000)
    assert np.abs(R(-x)).max() <= 1.0
    assert np.abs(R(1j * x)).max() <= 1.0 + 1e-6
    assert abs(R(-1e14)) < 1e-11
    numerators = [abs(R(z) - np.exp(z)) * (1.0 - steps.GAMMA * z) ** 12 for z in (-1.0, -0.5)]
    assert np.log2(numerators[0] / numerators[1]) == pytest.approx(13.0, abs=0.5)


def test_current_of_a_uniform_flow():
    """A flux of 2 per area and time along x through cells of any width is the vector (2, 0) everywhere inside."""
    grid = Grid(np.array([0.0, 0.5, 0.7, 1.5, 2.0]), (0.0, 3.0, 5))
    tail, head = product_links(grid.shape, 0, False)
    step = np.zeros((tail.size, 2), dtype=np.int64)
    step[:, 0] = 1
    one = np.ones(tail.size)
    links = Links.gathered(grid.size, 2, [(tail, head, one, one, step)])
    J = vector_field(grid, links, 2.0 * 0.6 * one, np.zeros(0))
    np.testing.assert_allclose(J[1:-1], np.broadcast_to([2.0, 0.0], (2, 5, 2)))
    np.testing.assert_allclose(J[0], np.broadcast_to([1.0, 0.0], (5, 2)))
