"""The library of potentials and the potentials of users: values, derivatives, critical points, identity and errors."""

import itertools
import math
import pickle
import re

import numba
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from shld_sim import (
    DoubleWell,
    GeometricLoss,
    Harmonic,
    MexicanHat,
    MuellerBrown,
    Polynomial,
    Potential,
    Prinz,
    QuadraticForm,
    Quartic,
    RescalingValley,
    RingOfWells,
    Rosenbrock,
    TiltedDoubleWell,
    Washboard,
)
from shld_sim.potentials import __all__ as NAMES
from shld_sim.potentials.evaluate import compiled_rows

LIBRARY = [
    Harmonic(),
    Harmonic(k=2.5),
    DoubleWell(),
    DoubleWell(height=1.0, width=0.7),
    TiltedDoubleWell(),
    TiltedDoubleWell(height=0.5, width=1.3, tilt=-0.2),
    Quartic(),
    Quartic(a=3.0),
    Polynomial([0.25, 0.0, -0.5, 0.0, 0.25]),
    Polynomial(0.1 ** np.arange(13) * (-1.0) ** np.arange(13)),
    Washboard(),
    Washboard(amplitude=0.5, period=1.7, tilt=0.3),
    Prinz(),
    MuellerBrown(),
    MexicanHat(),
    MexicanHat(dim=1, height=0.7, radius=0.9),
    MexicanHat(dim=3, height=2.0, radius=1.5),
    MexicanHat(dim=6),
    RescalingValley(),
    GeometricLoss(2),
    GeometricLoss(3, lam=0.7, width=0.8, entropy=1.3),
    QuadraticForm([2.0]),
    QuadraticForm([1.0, 3.0]),
    QuadraticForm([3.0, -1.0, 0.5, 2.0, 0.0]),
    Rosenbrock(),
    Rosenbrock(a=-0.5, b=7.0),
    RingOfWells(),
    RingOfWells(n=2, height=1.0, barrier=0.5),
    RingOfWells(n=7, height=3.0, barrier=2.0),
]
each = pytest.mark.parametrize("V", LIBRARY, ids=repr)


def inside(V, n=40, seed=3):
    """Points in the plot box, with the shape the potential asks for."""
    low, high = np.array(V.plot_box).T
    x = np.random.default_rng(seed).uniform(low, high, (n, V.dim))
    return x if V.dim > 1 else x[:, 0]


def differences(f, x, dim):
    """Derivatives of f by the coordinates of x, the new axis last: central, extrapolated twice in the step."""
    out = []
    for i in range(dim):
        unit = np.eye(dim)[i] if dim > 1 else 1.0
        slopes = [(f(x + h * unit) - f(x - h * unit)) / (2 * h) for h in (4e-3, 2e-3, 1e-3)]
        slopes = [(4 * fine - coarse) / 3 for coarse, fine in itertools.pairwise(slopes)]
        out.append((16 * slopes[1] - slopes[0]) / 15)
    return np.stack(out, axis=-1)


def test_all_of_the_library_is_here():
    assert {type(V).__name__ for V in LIBRARY} == set(NAMES) - {"Potential"}


# The error of the differences is h^6 f^(7)/1575 with h = 1e-3 after extrapolation from 4e-3 (Prinz, with widths of 0.1:
# 1e-8), and eps V/h by rounding (Mueller-Brown: 1e-16 1e4/1e-3); the rest is a margin of ten.


@each
def test_gradient(V):
    x = inside(V)
    expected = differences(V, x, V.dim)
    expected = expected[..., 0] if V.dim == 1 else expected
    scale = 1.0 + np.abs(V(x)).max() + np.abs(expected).max()
    np.testing.assert_allclose(V.gradient(x), expected, rtol=1e-8, atol=1e-10 * scale)
    assert np.abs(1.001 * V.gradient(x) - expected).max() > 1e-9 * scale  # twin: a slope wrong by a thousandth


@each
def test_hessian_and_laplacian(V):
    x = inside(V)
    expected = differences(V.gradient, x, V.dim)
    expected = expected[..., 0] if V.dim == 1 else expected
    scale = 1.0 + np.abs(V.gradient(x)).max() + np.abs(expected).max()
    hessian = V.hessian(x)
    assert V.functions.hessian is not None or "hessian" in vars(type(V))  # analytic, as the docstring says
    np.testing.assert_allclose(hessian, expected, rtol=1e-7, atol=1e-9 * scale)
    if V.dim == 1:
        np.testing.assert_array_equal(V.laplacian(x), hessian)
    else:
        np.testing.assert_array_equal(hessian, np.swapaxes(hessian, -1, -2))
        np.testing.assert_allclose(V.laplacian(x), np.trace(expected, axis1=-2, axis2=-1), rtol=1e-7, atol=1e-8 * scale)


@each
def test_compiled_rows_equal_arrays(V):
    x = inside(V)
    rows = x.reshape(-1, V.dim)
    for which, expected in (("energy", V(x)), ("gradient", V.gradient(x))):
        out = np.empty((len(rows), V.dim if which == "gradient" else 1))
        function = getattr(V.functions, which)
        compiled_rows(function, V.dim, which == "gradient", V.functions.vector)(rows, V.params, out)
        np.testing.assert_allclose(
            out.reshape(expected.shape), expected, rtol=1e-13, atol=1e-13 * np.abs(expected).max()
        )


@each
def test_shapes(V):
    d = V.dim
    point = (d,) if d > 1 else ()
    for shape in ((), (1,), (3,), (0,), (2, 1), (2, 3), (1, 1, 1)):
        x = np.full((*shape, *point), 0.3)
        assert V(x).shape == shape
        assert V.gradient(x).shape == x.shape
        assert V.hessian(x).shape == (shape if d == 1 else (*x.shape, d))
        assert V.laplacian(x).shape == shape
        assert all(f(x).dtype == np.float64 for f in (V, V.gradient, V.hessian, V.laplacian))
    whole = np.ones((2, *point), dtype=int)
    np.testing.assert_array_equal(V(whole), V(whole.astype(float)))
    x = inside(V, 6)
    np.testing.assert_allclose(V.gradient(x[::2]), V.gradient(x)[::2], rtol=1e-14, atol=1e-14)
    if d > 1:
        with pytest.raises(
            ValueError, match=re.escape(f"x must have {d} coordinates on its last axis, got shape (7,)")
        ):
            V(np.zeros(7))
    with pytest.raises(ValueError, match="x must be finite, got nan"):
        V.gradient(np.full((2, *point), np.nan))


@each
def test_critical_points(V):
    minima, saddles = V.minima(), V.saddles()
    assert minima.ndim == saddles.ndim == (1 if V.dim == 1 else 2)
    for points, negative in ((minima, 0), (saddles, 1)):
        assert points.shape[1:] == ((V.dim,) if V.dim > 1 else ())
        if len(points) == 0:
            continue
        hessian = V.hessian(points).reshape(-1, V.dim, V.dim)
        assert np.abs(V.gradient(points)).max() < 1e-12 * (1.0 + np.abs(hessian).max())
        eigenvalues = np.linalg.eigvalsh(hessian)
        assert ((eigenvalues < -1e-9 * np.abs(hessian).max()).sum(axis=1) == negative).all()
        order = np.lexsort(points.reshape(-1, V.dim).T[::-1])
        np.testing.assert_array_equal(order, np.arange(len(points)))


@each
def test_identity(V):
    again = eval(repr(V))
    assert again == V and hash(again) == hash(V) and repr(again) == repr(V)
    copy = pickle.loads(pickle.dumps(V))
    assert copy == V and hash(copy) == hash(V) and type(copy) is type(V)
    np.testing.assert_array_equal(copy(inside(V)), V(inside(V)))
    assert sum(other == V for other in LIBRARY) == 1
    assert V != "V"
    for name in ("dim", "params", "anything"):
        with pytest.raises(AttributeError, match=f"immutable; make a new one instead of setting '{name}'"):
            setattr(V, name, 3)
    assert len(V.plot_box) == V.dim
    assert all(low < high for low, high in V.plot_box)
    for array in (p for p in V.params if isinstance(p, np.ndarray)):
        assert not array.flags.writeable


@pytest.mark.parametrize("V", [V for V in LIBRARY if V.functions.flow is not None], ids=repr)
def test_exact_flows(V):
    for x in (-1.7, -0.4, 0.0, 1e-3, 2.3):
        for t in (0.01, 0.7, 3.0):
            # dense steps of a method of order 8: an error of about 1e-12
            end = solve_ivp(lambda t, y: -V.gradient(y), (0.0, t), [x], method="DOP853", rtol=1e-13, atol=1e-15).y[
                0, -1
            ]
            got = V.functions.flow(x, t, V.params)
            assert got == pytest.approx(end, rel=1e-11, abs=1e-14)
            if x == 2.3 and t == 0.01:  # twin: a time wrong by a hundredth
                assert V.functions.flow(x, 1.01 * t, V.params) != pytest.approx(end, rel=1e-5)
    x = np.array([-1e8, 1e8])  # from far out
    half = V.functions.flow(x, 0.5, V.params)
    np.testing.assert_allclose(V.functions.flow(half, 0.5, V.params), V.functions.flow(x, 1.0, V.params), rtol=1e-12)


def test_flows_are_known_where_expected():
    assert {type(V).__name__ for V in LIBRARY if V.functions.flow} == {
        "DoubleWell",
        "Harmonic",
        "MexicanHat",
        "QuadraticForm",
        "Quartic",
    }
    assert all(V.dim == 1 for V in LIBRARY if V.functions.flow)


# -- reference values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "V, depth, top, bottom_curvature, top_curvature",
    # x^4/4 - x^2/2 without its constant, and (x^2 - 1)^2: roots of the polynomials in 30 digits
    [
        (Polynomial([0.0, 0.0, -0.5, 0.0, 0.25]), -0.25, 0.0, 2.0, -1.0),
        (DoubleWell(), 0.0, 0.25, 2.0, -1.0),
        (DoubleWell(height=1.0), 0.0, 1.0, 8.0, -4.0),
        (Polynomial([1.0, 0.0, -2.0, 0.0, 1.0]), 0.0, 1.0, 8.0, -4.0),
    ],
)
def test_double_wells(V, depth, top, bottom_curvature, top_curvature):
    np.testing.assert_allclose(V.minima(), [-1.0, 1.0], rtol=1e-15)
    np.testing.assert_allclose(V.saddles(), [0.0], atol=1e-15)
    np.testing.assert_allclose(V(V.minima()), depth, atol=1e-15)
    np.testing.assert_allclose(V(V.saddles()), top, atol=1e-15)
    np.testing.assert_allclose(V.hessian(V.minima()), bottom_curvature, rtol=1e-14)
    np.testing.assert_allclose(V.hessian(V.saddles()), top_curvature, rtol=1e-14)


# Zeros of V' from 30-digit root finding, in ascending order: minima and maxima alternate.
PRINZ_X = [
    -0.7394301781606636,
    -0.5015979524335832,
    -0.22373757819512757,
    -7.095394444496321e-06,
    0.26914935131897205,
    0.5020093813164574,
    0.6732963547775697,
]
PRINZ_V = [
    0.5593797724412055,
    2.0158247254022577,
    0.15281100172071316,
    3.200090814393196,
    0.02110380155780261,
    0.8158761083245882,
    0.24132226185163075,
]
PRINZ_CURVATURE = [
    94.53938335054569,
    -156.38328892855685,
    104.03047953332876,
    -511.8619326915069,
    30.138991446332877,
    -124.29071610764285,
    64.94055106977845,
]


def test_prinz():
    V = Prinz()
    np.testing.assert_allclose(V.minima(), PRINZ_X[::2], rtol=1e-12)
    np.testing.assert_allclose(V.saddles(), PRINZ_X[1::2], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(V(np.array(PRINZ_X)), PRINZ_V, rtol=1e-12)
    np.testing.assert_allclose(V.hessian(np.array(PRINZ_X)), PRINZ_CURVATURE, rtol=1e-12)


# x, y, V, eigenvalues of the Hessian: Newton's method with 30 digits, 14 of them printed.
MUELLER_BROWN = {
    "minima": [
        (-0.5582236346330243, 1.441725841804669, -146.6995172099540, 410.5311346928894, 4068.198955026486),
        (-0.05001082299820606, 0.4666941048719721, -80.76781812965903, 221.0374728723212, 1479.197022012834),
        (0.6234994049308765, 0.02803775852868567, -108.1667241168524, 543.8361890186197, 3005.395864532676),
    ],
    "saddles": [
        (-0.8220015587327321, 0.6243128028148714, -40.66484350865740, -750.8626628392774, 490.2407080596307),
        (0.2124865820006620, 0.2929883251073678, -72.24894011232521, -735.2472621113645, 510.8865654725472),
    ],
}


@pytest.mark.parametrize("which", MUELLER_BROWN)
def test_mueller_brown(which):
    V, table = MuellerBrown(), np.array(MUELLER_BROWN[which])
    points = getattr(V, which)()
    np.testing.assert_allclose(points, table[:, :2], rtol=1e-12)
    np.testing.assert_allclose(V(points), table[:, 2], rtol=1e-12)
    np.testing.assert_allclose(np.linalg.eigvalsh(V.hessian(points)), table[:, 3:], rtol=1e-12)


def test_search_finds_what_is_known_in_closed_form():
    known = MuellerBrown()
    V = Potential(*known.functions[:2], dim=2, check_at=known.minima())
    for which in ("minima", "saddles"):
        found = getattr(V, which)(box=known.plot_box)
        np.testing.assert_allclose(found, getattr(known, which)(), rtol=1e-9)
    assert len(V.minima(box=[(0.0, 1.2), (-0.3, 0.3)])) == 1
    line = Potential(lambda x, p: x**4 / 4 - x**2 / 2, lambda x, p: x**3 - x)
    np.testing.assert_allclose(line.minima(), [-1.0, 1.0], rtol=1e-12)
    np.testing.assert_allclose(line.saddles(), [0.0], atol=1e-12)
    np.testing.assert_allclose(line.minima(box=(0.5, 3.0)), [1.0], rtol=1e-12)
    for box, message in (
        (3.0, "box must be a pair"),
        ((2.0, 1.0), "low < high"),
        ([(0, 1), (0, 1), (0, 1)], "box must give one"),
        ((0.0, math.inf), "box must be finite"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            line.minima(box=box)


def test_special_cases():
    ring = RingOfWells(n=2, height=1.0, barrier=0.5)
    # at the origin V = h (1 - 2 r^2) + a (1 - 4 (x^2 - y^2)) + O(r^4), a = barrier/2
    np.testing.assert_allclose(ring.hessian([0.0, 0.0]), np.diag([-4.0 - 8 * 0.25, -4.0 + 8 * 0.25]), rtol=1e-14)
    for n in (2, 3, 7):
        ring = RingOfWells(n=n)
        assert len(ring.minima()) == len(ring.saddles()) == n
        np.testing.assert_allclose(ring(ring.saddles()) - ring(ring.minima()), 1.0, rtol=1e-12)
        np.testing.assert_array_equal(ring.gradient([0.0, 0.0]), 0.0)
    board = Washboard(amplitude=0.5, period=1.7, tilt=0.3)
    assert board.period == 1.7
    np.testing.assert_allclose(board.gradient([0.3 + 1.7]), board.gradient([0.3]), rtol=1e-13)
    assert Washboard(amplitude=0.1, tilt=1.0).minima().size == 0
    assert TiltedDoubleWell(tilt=1.0).minima().size == 1
    assert TiltedDoubleWell(tilt=1.0).saddles().size == 0
    assert QuadraticForm([1.0, -1.0, 2.0]).saddles().shape == (1, 3)
    assert QuadraticForm([1.0, -1.0, -2.0]).saddles().shape == (0, 3)
    assert Polynomial([1.0, 2.0]).minima().size == 0
    np.testing.assert_allclose(MexicanHat(3).minima(), [[1.0, 0.0, 0.0]])
    assert MexicanHat(dim=1) != DoubleWell()
    assert Polynomial([0, 0, 0.5]) == Polynomial((0.0, 0.0, 0.5))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Harmonic(k=-1.0), ValueError, "k must be positive, got -1.0"),
        (lambda: Harmonic(k="1"), TypeError, "k must be a number, got '1'"),
        (lambda: DoubleWell(height=0.0), ValueError, "height must be positive, got 0.0"),
        (lambda: DoubleWell(width=math.nan), ValueError, "width must be a finite number, got nan"),
        (lambda: TiltedDoubleWell(tilt=math.inf), ValueError, "tilt must be a finite number, got inf"),
        (lambda: Quartic(a=0), ValueError, "a must be positive, got 0.0"),
        (
            lambda: Polynomial([1.0]),
            ValueError,
            "coefficients must be a list of 2 to 13 numbers, got an array of shape (1,)",
        ),
        (lambda: Polynomial([1.0] * 14), ValueError, "got an array of shape (14,)"),
        (lambda: Polynomial(["a", "b"]), TypeError, "coefficients must be an array of numbers, got ['a', 'b']"),
        (lambda: Polynomial([0.0, math.nan]), ValueError, "coefficients must be finite, got nan at index 1"),
        (lambda: Washboard(period=-2.0), ValueError, "period must be positive, got -2.0"),
        (lambda: MexicanHat(dim=0), ValueError, "dim must be at least 1, got 0"),
        (lambda: MexicanHat(dim=1.5), TypeError, "dim must be a whole number, got 1.5"),
        (
            lambda: QuadraticForm([[1.0]]),
            ValueError,
            "eigenvalues must be a list of numbers, got an array of shape (1, 1)",
        ),
        (lambda: QuadraticForm([]), ValueError, "eigenvalues must be a list of numbers, got an array of shape (0,)"),
        (lambda: Rosenbrock(b=0.0), ValueError, "b must be positive, got 0.0"),
        (lambda: RingOfWells(n=1), ValueError, "n must be at least 2, got 1"),
        (lambda: RingOfWells(n=5, height=0.3), ValueError, "barrier must be below 16 height/n = 0.96, got 1"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        make()
    assert "\n" not in str(caught.value)


# -- potentials of users ----------------------------------------------------------------------------------------------

STIFFNESS = 3.0


def spring_energy(x, p):
    return 0.5 * STIFFNESS * x * x


def spring_gradient(x, p):
    return STIFFNESS * x


@numba.njit
def compiled_spring_energy(x, p):
    return 0.5 * STIFFNESS * x * x


def plane_energy(x, y, p):
    return p[0] * x**2 + math.exp(-(y**2)) + math.sin(x * y)


def plane_gradient(x, y, p):
    return 2 * p[0] * x + y * math.cos(x * y), -2 * y * math.exp(-(y**2)) + x * math.cos(x * y)


def space_energy(x, y, z, p):
    return x * y * z + np.cos(z)


def space_gradient(x, y, z, p):
    return y * z, x * z, x * y - np.sin(z)


def chain_energy(x, p):
    total = 0.0
    for i in range(x.size - 1):
        total += 0.5 * p[0][i] * (x[i + 1] - x[i]) ** 2
    return total


def chain_gradient(x, out, p):
    out[:] = 0.0
    for i in range(x.size - 1):
        pull = p[0][i] * (x[i + 1] - x[i])
        out[i] -= pull
        out[i + 1] += pull


def square(x):
    return x * x


def with_helper_energy(x, p):
    return 0.5 * STIFFNESS * square(x)


def springs(k):
    """Functions that close over their constant."""
    return (lambda x, p: 0.5 * k * x * x), (lambda x, p: k * x)


def test_user_potentials_in_one_dimension():
    x = np.linspace(-2.0, 2.0, 7).reshape(7, 1)
    for energy, gradient in (
        (spring_energy, spring_gradient),
        (compiled_spring_energy, spring_gradient),
        springs(3.0),
        (with_helper_energy, spring_gradient),
        (lambda x, p: 1.5 * x * x, lambda x, p: 3.0 * x),
    ):
        V = Potential(energy=energy, gradient=gradient)
        np.testing.assert_allclose(V(x), 1.5 * x * x, rtol=1e-15)
        np.testing.assert_allclose(V.gradient(x), 3.0 * x, rtol=1e-15)
        np.testing.assert_allclose(V.hessian(x), np.full_like(x, 3.0), rtol=1e-9)
        np.testing.assert_allclose(V.minima(), [0.0], atol=1e-12)
        assert V(1.0).shape == () and V([[1.0]]).shape == (1, 1)


@pytest.mark.parametrize(
    "energy, gradient, params, dim",
    [
        (plane_energy, plane_gradient, (0.7,), 2),
        (space_energy, space_gradient, (), 3),
        (chain_energy, chain_gradient, ([1.0, 2.0, 3.0, 4.0],), 5),
    ],
)
def test_user_potentials_in_more_dimensions(energy, gradient, params, dim):
    V = Potential(energy=energy, gradient=gradient, params=params, dim=dim)
    x = np.random.default_rng(1).uniform(-1.0, 1.0, (2, 3, dim))
    assert V(x).shape == (2, 3) and V.gradient(x).shape == x.shape and V.hessian(x).shape == (*x.shape, dim)
    assert V(x[0, 0]).shape == () and V(np.empty((0, dim))).shape == (0,)
    if dim < 5:
        assert V(x[0, 0]) == pytest.approx(energy(*x[0, 0], params), rel=1e-14)
    np.testing.assert_allclose(V.gradient(x), differences(V, x, dim), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(V.hessian(x), differences(V.gradient, x, dim), rtol=1e-7, atol=1e-8)
    copy = pickle.loads(pickle.dumps(V))
    assert copy == V and hash(copy) == hash(V)
    np.testing.assert_array_equal(copy.gradient(x), V.gradient(x))


def test_identity_of_user_potentials():
    V = Potential(*springs(3.0))
    assert Potential(*springs(3.0)) == V and hash(V) == hash(Potential(*springs(3.0)))
    assert Potential(*springs(2.0)) != V
    assert Potential(spring_energy, spring_gradient, params=(1.0,)) != Potential(spring_energy, spring_gradient)
    named = Potential(spring_energy, spring_gradient, name="Spring", minima=[0.0], saddles=[], period=None)
    assert repr(named) == "Spring"
    assert repr(Potential(spring_energy, spring_gradient)) == (
        "Potential(energy=spring_energy, gradient=spring_gradient, params=(), dim=1)"
    )
    copy = pickle.loads(pickle.dumps(named))
    assert copy == named and repr(copy) == "Spring"
    np.testing.assert_array_equal(copy.minima(), [0.0])
    assert copy.saddles().shape == (0,)
    with pytest.raises(AttributeError, match="immutable"):
        V.dim = 2


def test_array_parameters_are_copied():
    strengths = np.array([1.0, 2.0, 3.0, 4.0])
    V = Potential(chain_energy, chain_gradient, params=(strengths,), dim=5)
    before, x = hash(V), np.arange(5.0) ** 2
    energy = V(x)
    strengths[:] = 0.0
    assert V(x) == energy and hash(V) == before
    assert not V.params[0].flags.writeable
    grid = Potential(
        lambda x, p: p[0][0, 0] * x, lambda x, p: p[0][0, 0] + 0.0 * x, params=([[1.0, 2.0], [3.0, 4.0]],)
    )  # fmt: skip
    assert hash(grid) == hash(grid) and grid == grid


LOOKUP = {"k": 1.0}


def good(x, p):
    return x * x


def slope(x, p):
    return 2.0 * x


class Callable:
    def __call__(self, x, p):
        return x * x


BAD_USER_POTENTIALS = {
    "wrong gradient": (
        dict(energy=good, gradient=lambda x, p: 2.1 * x),
        ValueError,
        "gradient disagrees with finite diff",
    ),
    "wrong sign": (dict(energy=good, gradient=lambda x, p: -2.0 * x), ValueError, "gradient disagrees"),
    "wrong component": (
        dict(energy=lambda x, y, p: x * y, gradient=lambda x, y, p: (y, 2 * x), dim=2),
        ValueError,
        "gradient[1] disagrees with finite differences of energy at x=[",
    ),
    "nan energy": (
        dict(energy=lambda x, p: np.sqrt(x), gradient=lambda x, p: 0.5 / np.sqrt(x)),
        ValueError,
        "energy must be finite, got nan at x=-",
    ),
    "inf gradient": (
        dict(energy=lambda x, p: abs(x), gradient=lambda x, p: x / abs(x), check_at=[0.0, 1.0]),
        ValueError,
        "gradient failed at x=0.0: ZeroDivisionError: float division by zero; pass check_at=",
    ),
    "domain error": (
        dict(energy=lambda x, p: math.log(x), gradient=lambda x, p: 1 / x, check_at=[-1.0]),
        ValueError,
        "energy failed at x=-1.0: ValueError: math domain error; pass check_at=",
    ),
    "not defined": (
        dict(energy=lambda x, p: undefined * x, gradient=slope),  # noqa: F821
        ValueError,
        "NameError: name 'undefined' is not defined",
    ),
    "dictionary": (
        dict(energy=lambda x, p: LOOKUP["k"] * x * x, gradient=slope),
        ValueError,
        "energy does not compile: Untyped global name 'LOOKUP': Cannot determine Numba type of <class 'dict'>",
    ),
    "parameter by name": (
        dict(energy=lambda x, out: x[0], gradient=lambda x, out, p: np.linalg.no_such(x), dim=4),
        ValueError,
        "gradient does not compile: ",
    ),
    "generator": (
        dict(energy=lambda x, p: sum(x**i for i in range(2)), gradient=slope),
        ValueError,
        "energy does not compile: The use of yield in a closure is unsupported",
    ),
    "missing parameter": (
        dict(energy=lambda x, p: p[0] * x, gradient=slope),
        ValueError,
        "IndexError: tuple index out",
    ),
    "missing parameter in a vector": (
        dict(energy=lambda x, p: p[0] * x[0], gradient=chain_gradient, dim=4),
        ValueError,
        "energy does not compile: ",
    ),
    "too few arguments": (
        dict(energy=lambda x: x, gradient=slope),
        ValueError,
        "energy must take (x, p) for dim=1, got a function of (x)",
    ),
    "too many arguments": (
        dict(energy=good, gradient=lambda x, y, p: (x, y)),
        ValueError,
        "gradient must take (x, p) for dim=1, got a function of (x, y, p)",
    ),
    "no room for the result": (
        dict(energy=lambda x, p: x[0], gradient=lambda x, p: x, dim=4),
        ValueError,
        "gradient must take (x, out, p) for dim=4, got a function of (x, p)",
    ),
    "tuple in one dimension": (
        dict(energy=good, gradient=lambda x, p: (2 * x,)),
        ValueError,
        "gradient must return a number for dim=1, got (",
    ),
    "one number in two dimensions": (
        dict(energy=lambda x, y, p: x, gradient=lambda x, y, p: 1.0, dim=2),
        ValueError,
        "gradient must return a tuple of 2 numbers for dim=2, got 1.0",
    ),
    "array in two dimensions": (
        dict(energy=lambda x, y, p: x, gradient=lambda x, y, p: np.array([1.0, 0.0]), dim=2),
        ValueError,
        "gradient must return a tuple of 2 numbers for dim=2, got array([1., 0.])",
    ),
    "nothing returned": (
        dict(energy=lambda x, p: None, gradient=slope),
        ValueError,
        "energy must return a number for dim=1",
    ),
    "complex": (dict(energy=good, gradient=lambda x, p: 1j * x), ValueError, "gradient must return a number for dim=1"),
    "nothing written": (
        dict(energy=lambda x, p: x[0], gradient=lambda x, out, p: None, dim=4),
        ValueError,
        "gradient must be finite, got [nan nan nan nan] at x=[",
    ),
    "not a function": (dict(energy=3.0, gradient=slope), TypeError, "energy must be a function made by def, lambda or"),
    "builtin": (dict(energy=good, gradient=math.sin), TypeError, "gradient must be a function made by def, lambda or"),
    "object": (dict(energy=Callable(), gradient=slope), TypeError, "energy must be a function made by def, lambda or"),
    "params a number": (
        dict(energy=good, gradient=slope, params=3.0),
        TypeError,
        "params must be a tuple of numbers, got 3.0",
    ),
    "params a string": (
        dict(energy=good, gradient=slope, params="ab"),
        TypeError,
        "params must be a tuple of numbers, got 'ab'",
    ),
    "params a word": (
        dict(energy=good, gradient=slope, params=("a",)),
        TypeError,
        "params[0] must be an array of numbers",
    ),
    "params nan": (
        dict(energy=good, gradient=slope, params=(1.0, math.nan)),
        ValueError,
        "params[1] must be finite, got nan",
    ),
    "dim zero": (dict(energy=good, gradient=slope, dim=0), ValueError, "dim must be at least 1, got 0"),
    "dim a half": (dict(energy=good, gradient=slope, dim=1.5), TypeError, "dim must be a whole number, got 1.5"),
    "period": (dict(energy=good, gradient=slope, period=-1.0), ValueError, "period must be positive, got -1.0"),
    "minima": (
        dict(energy=lambda x, y, p: x, gradient=lambda x, y, p: (1.0, 0.0), dim=2, minima=[1.0, 2.0, 3.0]),
        ValueError,
        "minima must have 2 coordinates on its last axis, got shape (3,)",
    ),
}


@pytest.mark.parametrize("arguments, error, message", BAD_USER_POTENTIALS.values(), ids=BAD_USER_POTENTIALS.keys())
def test_bad_user_potentials(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        Potential(**arguments)
    text = str(caught.value)
    assert "\n" not in text
    assert not text.endswith(": "), text


def test_check_at_lets_a_half_line_be_used():
    V = Potential(lambda x, p: np.log(x), lambda x, p: 1.0 / x, check_at=np.linspace(0.5, 3.0, 9))
    assert V(2.0) == pytest.approx(math.log(2.0), rel=1e-15)
    assert pickle.loads(pickle.dumps(Prinz())) == Prinz()


def test_probing_is_silent(recwarn):
    with pytest.raises(ValueError, match="must be finite"):
        Potential(lambda x, p: np.log(np.float64(x) - 9.0), lambda x, p: np.float64(1.0) / (x - 9.0))
    assert len(recwarn) == 0


def test_a_function_that_raises_later_says_so():
    def energy(x, p):
        if x > 5.0:
            raise ValueError("too far out")
        return x * x

    V = Potential(energy, slope)
    with pytest.raises(ValueError, match="energy failed: ValueError: too far out"):
        V(6.0)


def test_no_search_above_two_dimensions():
    V = Potential(space_energy, space_gradient, dim=3)
    with pytest.raises(ValueError, match="searched for up to dim=2, got dim=3"):
        V.minima()
