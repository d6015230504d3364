"""Elementary functions: errors in units of the last place, edge cases, and their substitution into user functions."""

import ast
import inspect
import math
import types

import compiled
import numba
import numpy as np
import pytest
from numpy import exp as numpy_exp

from shld_sim._compile import specialised
from shld_sim.engine import elementary
from shld_sim.engine.ensemble import OPTIONS

EXTENDED = np.finfo(np.longdouble).nmant > 60
RNG = np.random.default_rng(2024)
N = 200_000
NEAR_ZEROS = np.arange(1, 600_000, 3) * (0.5 * np.pi)  # up to 9.4e5; reduction must cancel almost all of them


def ulps(name, x):
    """Largest error of a function, compiled under the kernels' flags, in units of the last place of the exact value.

    The judge is extended precision (64 bits); where the platform has none, double precision, itself off by up to one.
    """
    judge = {"exp_bounded": "exp", "log_positive": "log", "sin_half": "sin"}.get(name, name)
    exact = getattr(np, judge)(x.astype(np.longdouble))
    got = compiled.mapped(getattr(elementary, name))(x)
    unit = np.spacing(np.abs(exact).astype(float)).astype(np.longdouble)
    return float(np.max(np.abs(got - exact) / unit)) - (0.0 if EXTENDED else 1.0)


# The bounds stated at the head of elementary.py; measured values are 0.95 to 2.4, and 3.4 near the zeros.
ACCURACY = {
    "exp, whole range": ("exp", RNG.uniform(-707.9, 709.7, N), 3.0),
    "exp, small": ("exp", RNG.uniform(-1.0, 1.0, N), 3.0),
    "exp_bounded": ("exp_bounded", RNG.uniform(-708.0, 709.0, N), 3.0),
    "log, whole range": ("log", np.exp(RNG.uniform(-708.0, 709.0, N)), 3.0),
    "log, near one": ("log", RNG.uniform(0.5, 2.0, N), 3.0),
    "log_positive, at one": ("log_positive", 1.0 + RNG.uniform(-1e-3, 1e-3, N), 3.0),
    "sin, a few turns": ("sin", RNG.uniform(-10.0, 10.0, N), 3.0),
    "sin, small": ("sin", RNG.uniform(-1e-3, 1e-3, N), 3.0),
    "sin, many turns": ("sin", RNG.uniform(-1e6, 1e6, N), 3.0),
    "sin, near zeros": ("sin", NEAR_ZEROS[1::2], 4.0),
    "cos, a few turns": ("cos", RNG.uniform(-10.0, 10.0, N), 3.0),
    "cos, many turns": ("cos", RNG.uniform(-1e6, 1e6, N), 3.0),
    "cos, near zeros": ("cos", NEAR_ZEROS[::2], 4.0),
    "sin_half": ("sin_half", RNG.uniform(-0.5 * np.pi, 0.5 * np.pi, N), 3.0),
}


@pytest.mark.parametrize("name, x, bound", ACCURACY.values(), ids=ACCURACY.keys())
def test_accuracy(name, x, bound):
    assert ulps(name, x) < bound


def test_a_shifted_argument_is_noticed():
    # the twin of test_accuracy: an argument wrong in its last place shows beyond the bound
    x = RNG.uniform(300.0, 700.0, N)
    exact = np.exp(x.astype(np.longdouble))
    got = compiled.mapped(elementary.exp)(np.nextafter(x, np.inf))
    assert float(np.max(np.abs(got - exact) / np.spacing(exact.astype(float)))) > 10.0


INF, NAN, TINY = math.inf, math.nan, 2.2250738585072014e-308
EDGES = {
    "exp": [(0.0, 1.0), (-0.0, 1.0), (5e-324, 1.0), (710.0, INF), (1e300, INF), (-708.1, 0.0), (INF, INF), (-INF, 0.0)],
    "log": [(1.0, 0.0), (0.0, -INF), (-0.0, -INF), (5e-324, -INF), (-1.0, NAN), (-INF, NAN), (INF, INF)],
    "sin": [(0.0, 0.0), (5e-324, 5e-324), (INF, NAN), (-INF, NAN)],
    "cos": [(0.0, 1.0), (TINY, 1.0), (INF, NAN), (-INF, NAN)],
}


@pytest.mark.parametrize("name", EDGES)
def test_edge_cases(name):
    x, expected = np.array([*EDGES[name], (NAN, NAN)]).T
    np.testing.assert_array_equal(compiled.mapped(getattr(elementary, name))(x), expected)


def test_ends_of_the_range():
    np.testing.assert_allclose(
        compiled.mapped(elementary.exp)([709.78, -707.99]), np.exp([709.78, -707.99]), rtol=1e-15
    )
    assert compiled.mapped(elementary.exp)([709.7828])[0] == INF
    largest = np.finfo(float).max
    np.testing.assert_allclose(compiled.mapped(elementary.log)([TINY, largest]), np.log([TINY, largest]), rtol=1e-15)
    lowest = compiled.mapped(elementary.exp_bounded)([-708.0, -1e4, -INF])
    np.testing.assert_allclose(lowest, math.exp(-708.0), rtol=1e-15)


def test_sincos_turns():
    # counted from the middle of the first quadrant; the lowest ten bits, an angle of 3.5e-16, are left out
    words = np.concatenate([RNG.integers(0, 2**64, N, dtype=np.uint64), np.arange(4, dtype=np.uint64) << np.uint64(62)])
    cosine = compiled.mapped(lambda word: elementary.sincos_turns(word)[1])(words)
    sine = compiled.mapped(lambda word: elementary.sincos_turns(word)[0])(words)
    angle = (words.astype(np.longdouble) / np.longdouble(2.0**64) - np.longdouble(0.125)) * (
        8 * np.arctan(np.longdouble(1))
    )
    np.testing.assert_allclose(sine, np.sin(angle).astype(float), rtol=0, atol=7e-16)
    np.testing.assert_allclose(cosine, np.cos(angle).astype(float), rtol=0, atol=7e-16)
    np.testing.assert_allclose(sine**2 + cosine**2, 1.0, rtol=1e-15)


def test_coefficients_are_those_of_the_program():
    pytest.importorskip("mpmath")
    import make_coefficients

    for name, table in make_coefficients.TABLES.items():
        made, error = make_coefficients.interpolate(*table)
        tree = ast.parse(inspect.getsource(getattr(elementary, name)))
        written = {abs(node.value) for node in ast.walk(tree) if isinstance(getattr(node, "value", None), float)}
        assert {abs(c) for c in made} <= written, name
        assert error < 3e-15


# -- substitution into user functions ---------------------------------------------------------------------------------


def helper(x):
    return math.exp(x)


@numba.njit
def compiled_helper(x):
    return math.exp(x)


def helper_of_helper(x):
    return 2.0 * helper(x)


def closing_over(inner, factor):
    def function(x):
        return factor * inner(x)

    return function


VARIANTS = {
    "math.exp": lambda x: math.exp(x),
    "np.exp": lambda x: np.exp(x),
    "from numpy import exp": lambda x: numpy_exp(x),
    "helper": lambda x: helper(x),
    "helper of a helper": helper_of_helper,
    "compiled helper": lambda x: compiled_helper(x),
    "closure over math.exp": closing_over(math.exp, 3.0),
    "closure over a helper": closing_over(helper, 3.0),
    "inner function": lambda x: (lambda y: math.exp(y))(x),
}


def _variants_template(key):
    def run(x, out):
        key  # noqa: B018
        out[0] = f0(x)  # noqa: F821
        out[1] = f1(x)  # noqa: F821
        out[2] = f2(x)  # noqa: F821
        out[3] = f3(x)  # noqa: F821
        out[4] = f4(x)  # noqa: F821
        out[5] = f5(x)  # noqa: F821
        out[6] = f6(x)  # noqa: F821
        out[7] = f7(x)  # noqa: F821
        out[8] = f8(x)  # noqa: F821

    return run


def test_user_functions_meet_the_vectorisable_exp():
    # exp(-720) is 2e-313 to math and numpy, and 0 to elementary.exp: this tells which of them was compiled
    functions = {f"f{i}": elementary.vectorisable(f) for i, f in enumerate(VARIANTS.values())}
    run, out = specialised(_variants_template, OPTIONS, **functions), np.full(len(VARIANTS), np.nan)
    run(-720.0, out)
    assert dict(zip(VARIANTS, out)) == dict.fromkeys(VARIANTS, 0.0)
    run(0.5, out)
    np.testing.assert_allclose(out, [f(0.5) for f in VARIANTS.values()], rtol=1e-15)


def test_the_original_is_left_as_it_is():
    for name, function in VARIANTS.items():
        before = dict(function.__globals__), function.__closure__, function.__code__
        elementary.vectorisable(function)
        assert (dict(function.__globals__), function.__closure__, function.__code__) == before, name
        assert function(-720.0) > 0.0, name


def test_other_functions_replaced_and_kept():
    def function(x):
        return math.log(x) + np.log(x) + math.sin(x) + np.sin(x) + math.cos(x) + np.cos(x) + math.sqrt(x) + np.arctan(x)

    names = elementary.vectorisable(function).__globals__
    for module, original in ((names["math"], math), (names["np"], np)):
        assert isinstance(module, types.ModuleType) and module is not original
        assert [getattr(module, name) for name in ("exp", "log", "sin", "cos")] == [
            elementary.exp,
            elementary.log,
            elementary.sin,
            elementary.cos,
        ]
        assert module.sqrt is original.sqrt
        assert module.pi == math.pi
    x = np.array([0.3, 2.0])
    np.testing.assert_allclose(
        compiled.mapped(elementary.vectorisable(function))(x), [function(v) for v in x], rtol=1e-14
    )


def test_functions_of_whole_vectors_keep_numpy():
    def function(x, out, p):
        out[:] = np.exp(x) * math.exp(p[0])

    names = elementary.vectorisable(function, arrays=True).__globals__
    assert names["np"] is np
    assert names["math"].exp is elementary.exp


def test_integer_arguments():
    assert compiled.mapped(elementary.vectorisable(lambda x: math.exp(2) + np.log(3) + 0.0 * x))([1.0])[
        0
    ] == pytest.approx(math.exp(2) + math.log(3), rel=1e-15)


def test_wide_vectors_are_asked_for():
    """llvmlite has no word for it: the attribute must still arrive, and a function without it stay as it was."""

    def doubled(x):
        for i in range(x.size):
            x[i] += x[i]

    def wide(x):
        elementary.wide_vectors()
        for i in range(x.size):
            x[i] += x[i]

    found = []
    for function in (doubled, wide):
        compiled, x = numba.njit(function), np.arange(5.0)
        compiled(x)
        np.testing.assert_array_equal(x, [0.0, 2.0, 4.0, 6.0, 8.0])
        found.append('"prefer-vector-width"="512"' in compiled.inspect_llvm(compiled.signatures[0]))
    assert found == [False, True]
