"""Potentials from formulas: the library's own to rounding, on every path the same, and nothing but formulas accepted."""

import inspect
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import shld_sim as shld

pytest.importorskip("sympy", reason="FORMULAS ARE NOT TESTED: pip install shld_sim[symbolic]")

ROOT = Path(__file__).resolve().parents[1]
formula = shld.Potential.from_expression

MUELLER_BROWN = (
    "-200*exp(-(x-1)**2 - 10*y**2) - 100*exp(-x**2 - 10*(y-0.5)**2)"
    " - 170*exp(-6.5*(x+0.5)**2 + 11*(x+0.5)*(y-1.5) - 6.5*(y-1.5)**2)"
    " + 15*exp(0.7*(x+1)**2 + 0.6*(x+1)*(y-1) + 0.7*(y-1)**2)"
)
PAIRS = {
    "double well": (lambda: formula("h*((x/w)**2 - 1)**2", h=0.25, w=1.3), shld.DoubleWell(0.25, 1.3)),
    "tilted": (lambda: formula("(x**2 - 1)**2/4 + s*x", s=0.1), shld.TiltedDoubleWell(0.25, 1.0, 0.1)),
    "quartic": (lambda: formula("a*x**4/4", a=2), shld.Quartic(2.0)),
    "polynomial": (lambda: formula("1 - 2*x + 0.3*x**3 + x**7/9"), shld.Polynomial([1, -2, 0, 0.3, 0, 0, 0, 1 / 9])),
    "Mueller-Brown": (lambda: formula(MUELLER_BROWN), shld.MuellerBrown()),
    "valley": (lambda: formula("(x*y - 1)**2/2"), shld.RescalingValley()),
    "Rosenbrock": (lambda: formula("(a - x)**2 + b*(y - x**2)**2", a=1, b=100), shld.Rosenbrock()),
    "five dimensions": (
        lambda: formula("(x1**2 + 2*x2**2 + 3*x3**2 + 4*x4**2 + 5*x5**2)/2"),
        shld.QuadraticForm([1.0, 2.0, 3.0, 4.0, 5.0]),
    ),
}


def points(V, n=200, seed=1):
    low, high = np.array(V.plot_box).T
    return np.random.default_rng(seed).uniform(low, high, (n, V.dim)).reshape((n,) if V.dim == 1 else (n, V.dim))


@pytest.mark.parametrize("name", PAIRS)
def test_formulas_are_the_library(name):
    make, library = PAIRS[name]
    V, x = make(), points(library)
    assert V.dim == library.dim
    for ours, theirs in (
        (V(x), library(x)),
        (V.gradient(x), library.gradient(x)),
        (V.hessian(x), library.hessian(x)),
        (V.laplacian(x), library.laplacian(x)),
    ):
        assert ours.shape == theirs.shape
        # sums of terms that cancel are as exact as their largest term
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13 * np.abs(theirs).max())


def test_a_wrong_formula_differs():
    x = np.linspace(-2.0, 2.0, 9)
    assert np.abs(formula("h*(x**2 - 1.001)**2", h=1)(x) - shld.DoubleWell(1.0)(x)).max() > 1e-4


def test_critical_points():
    V = formula("h*(x**2 - 1)**2", h=1)
    np.testing.assert_allclose(V.minima(), [-1.0, 1.0], atol=1e-14)
    np.testing.assert_allclose(V.saddles(), [0.0], atol=1e-14)
    M, library = formula(MUELLER_BROWN), shld.MuellerBrown()
    np.testing.assert_allclose(M.minima(box=library.plot_box), library.minima(), atol=1e-9)
    np.testing.assert_allclose(M.saddles(box=library.plot_box), library.saddles(), atol=1e-9)


@pytest.mark.parametrize("name", ["double well", "valley", "five dimensions"])
@pytest.mark.parametrize("scheme", ["euler", "split"])
def test_paths_are_the_same(name, scheme):
    make, library = PAIRS[name]
    V, shape = make(), (60, 7) if library.dim == 1 else (60, 7, library.dim)
    noise = 0.1 * np.random.default_rng(2).standard_normal(shape)
    start = 0.8 if library.dim == 1 else np.full(library.dim, 0.8)
    ours, theirs = (
        shld.simulate(shld.Langevin(potential, 0.2), start, 0.01, noise=noise, scheme=scheme)
        for potential in (V, library)
    )
    # the library knows the exact flow of the double well; the formula is integrated to 1e-7
    exact = scheme == "euler" or library.functions.flow is None
    np.testing.assert_allclose(ours.final, theirs.final, rtol=1e-10 if exact else 1e-5, atol=0.0 if exact else 1e-5)


def test_generated_code_is_plain_and_shared():
    V = formula("h*(x**2 - 1)**2", h=1)
    source = inspect.getsource(V.functions.gradient)
    assert "**" not in source and "pow" not in source
    assert inspect.getsource(V.functions.energy).startswith("def energy(x, p):")
    # the four exponentials of Mueller-Brown are computed once
    assert inspect.getsource(formula(MUELLER_BROWN).functions.gradient).count("np.exp") == 4
    assert formula("h*(x**2-1)**2", h=5).functions.gradient is V.functions.gradient  # one kernel for all values


def test_functions_of_all_kinds():
    text = "exp(-x**2) + log(x**2 + 1) + sqrt(x**2 + 2) + sin(x)*cos(x) + tan(x/4) + cosh(x) - sinh(x/2) + tanh(x)"
    text += (
        " + asin(x/4) + acos(x/5) + atan(x) + abs(x + 7) + pi*x + (x**2 + 1)**-2 + (x**2 + 1)**(3/2) + (x**2 + 1)**k"
    )
    text += " + x/(x**2 + 3)/(x + 9) + 2**x + (x**2 + 1)**(-1/3) - (-x)**3 + (x**2 + 4)**(-1.5)"
    V, x, h = formula(text, k=0.3), np.linspace(-1.9, 1.9, 7), 1e-4
    k, pi, sqrt, log, exp = 0.3, np.pi, np.sqrt, np.log, np.exp
    expected = exp(-(x**2)) + log(x**2 + 1) + sqrt(x**2 + 2) + np.sin(x) * np.cos(x) + np.tan(x / 4) + np.cosh(x)
    expected += -np.sinh(x / 2) + np.tanh(x) + np.arcsin(x / 4) + np.arccos(x / 5) + np.arctan(x) + abs(x + 7) + pi * x
    expected += (x**2 + 1) ** -2.0 + (x**2 + 1) ** 1.5 + (x**2 + 1) ** k + x / (x**2 + 3) / (x + 9) + 2**x
    expected += (x**2 + 1) ** (-1 / 3) + x**3 + (x**2 + 4) ** -1.5
    np.testing.assert_allclose(V(x), expected, rtol=1e-13)
    np.testing.assert_allclose(V.gradient(x), (V(x + h) - V(x - h)) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(V.hessian(x), (V.gradient(x + h) - V.gradient(x - h)) / (2 * h), rtol=1e-6, atol=1e-6)
    run = shld.simulate(shld.Langevin(V, 0.1), 0.5, 0.01, n_steps=20, n_paths=3, seed=1)
    assert np.isfinite(run.final).all()


def test_absolute_values_have_the_sign_as_gradient():
    V = formula("a*abs(x) + x**2/2", a=2)
    np.testing.assert_array_equal(V.gradient([-1.0, 0.0, 3.0]), [-3.0, 0.0, 5.0])
    np.testing.assert_array_equal(V.hessian([-1.0, 0.0, 3.0]), [1.0, 1.0, 1.0])
    np.testing.assert_allclose(formula("abs(x)**k", k=1.5).gradient([-1.0, 0.0, 4.0]), [-1.5, 0.0, 3.0])
    np.testing.assert_array_equal(formula("abs(x*y)").gradient([-1.0, 3.0]), [-3.0, 1.0])


def test_coordinates():
    assert formula("x*y*z").dim == 3
    assert formula("y**2").dim == 1
    assert formula("x1*x2").dim == 2
    flat = formula("x**2", variables=["x", "y"])
    np.testing.assert_array_equal(flat.gradient([3.0, 5.0]), [6.0, 0.0])
    np.testing.assert_array_equal(flat.hessian([3.0, 5.0]), [[2.0, 0.0], [0.0, 0.0]])
    swapped = formula("q - p**2", variables=["p", "q"])
    np.testing.assert_array_equal(swapped.gradient([3.0, 5.0]), [-6.0, 1.0])
    assert formula("(x - x1)**2 + y0*x", x1=0.5, y0=1).dim == 1  # a name with a value is no coordinate
    six = formula("a*u**2 + v*w + c**3 + d + e", variables=list("uvwcde"), a=2)
    x = np.arange(1.0, 7.0)
    np.testing.assert_array_equal(six.gradient(x), [4.0, 3.0, 2.0, 48.0, 1.0, 1.0])
    np.testing.assert_array_equal(np.diag(six.hessian(x)), [4.0, 0.0, 0.0, 24.0, 0.0, 0.0])
    assert six.hessian(x)[1, 2] == six.hessian(x)[2, 1] == 1.0


def test_identity():
    V = formula("h*(x**2-1)**2", h=1)
    assert repr(V) == "Potential.from_expression('h*(x**2 - 1)**2', h=1.0)"
    assert eval(repr(V), {"Potential": shld.Potential}) == V
    same = formula(" (x*x - 1.0)**2 * h", h=1.0)
    assert same == V and hash(same) == hash(V)
    for other in (formula("h*(x**2-1)**2", h=2), formula("h*(x**2-2)**2", h=1), formula("h*(y**2-1)**2", h=1),
                  formula("k*(x**2-1)**2", k=1), shld.DoubleWell(1.0)):  # fmt: skip
        assert other != V
    two = formula("a*x + b*y", b=1, a=2)
    assert two == formula("a*x + b*y", a=2, b=1)
    assert two.gradient([0.0, 0.0]).tolist() == [2.0, 1.0]
    for W in (V, two, formula("x**2 + a*y", variables=["x", "y"], a=1), formula("log(x)", check_at=[1.0, 2.0]),
              formula("x1*x2*x3*x4"), formula("x + y - y", name="slope")):  # fmt: skip
        back = pickle.loads(pickle.dumps(W))
        assert back == W and repr(back) == repr(W)
        x = np.full(W.dim, 1.5) if W.dim > 1 else 1.5
        assert np.array_equal(back.gradient(x), W.gradient(x))
    assert repr(formula("x", name="slope")) == "slope"
    assert "variables=['x', 'y']" in repr(formula("x", variables=["x", "y"]))
    cancels = formula("x**2 + y - y")
    assert cancels.dim == 2 and eval(repr(cancels), {"Potential": shld.Potential}) == cancels


def test_other_parts_take_formulas(tmp_path):
    V = formula("h*(x**2 - 1)**2", h=0.25)
    model, library = shld.Langevin(V, 0.1), shld.Langevin(shld.DoubleWell(), 0.1)
    domain = (-np.inf, 0.0)
    assert shld.theory.mean_exit_time(model, -1.0, domain) == pytest.approx(
        shld.theory.mean_exit_time(library, -1.0, domain), rel=1e-12
    )
    run = shld.simulate(model, -1.0, 0.01, n_steps=5, n_paths=3, seed=1)
    run.save(tmp_path / "run.npz")
    assert shld.Ensemble.load(tmp_path / "run.npz", model=model).model == model


REFUSED = [
    ("__import__('os').system('touch owned')", "calls of .*; got"),
    ("().__class__", "got '\\(\\).__class__'"),
    ("x.real", "got 'x.real'"),
    ("exp.__call__(x)", "got 'exp.__call__\\(x\\)'"),
    ("__x", "got '__x'"),
    ("__import__(x)", "got '__import__\\(x\\)'"),
    ("eval(x)", "expression calls 'eval', which is not one of Abs, abs, acos"),
    ("(lambda: x)()", "got '\\(lambda: x\\)\\(\\)'"),
    ("[x for x in y]", "got"),
    ("x[0]", "got 'x\\[0\\]'"),
    ("f'{x}'", "got"),
    ("'a'*x", "got \"'a'\""),
    ("(y := x)", "got"),
    ("x if x else y", "got"),
    ("x > 0", "got 'x > 0'"),
    ("x, y", "got"),
    ("1j*x", "got '1j'"),
    ("True*x", "got 'True'"),
    ("x % 2", "got 'Mod'"),
    ("x^2", r"must write powers with \*\*, got \^"),
    ("exp(x, y)", r"exp must be called with one argument, got 'exp\(x, y\)'"),
    ("exp(*x)", "exp must be called with one argument"),
    ("sign(x)", "expression calls 'sign'"),
    ("k*x", "^expression uses 'k', which is neither a coordinate nor a given parameter$"),
    ("exp*x", "expression uses 'exp', which is neither"),
    ("x**", r"syntax error at character 4: .* in 'x\*\*'"),
    ("x*(1 +", "syntax error at character 3"),
    ("2x", "syntax error at character 1"),
    ("x\n+ y", "syntax error"),
    ("x = 2", "syntax error"),
    ("", "got an empty string"),
    ("3", "expression must use a coordinate"),
    ("sqrt(-1)*x", r"must be real and finite, got 'sqrt\(-1\) \* x'"),
    ("x/0", "must be real and finite, got 'x / 0'"),
    ("1e999*x", "got '1e309'"),
    ("9**9**9*x", "exponents must lie between -1000 and 1000, got 387420489"),
    ("((9**300)**300)**300*x", "range of floating point, got 1873.*300"),
    ("(1e300)*(1e300)*x", "range of floating point"),
    ("log(x)", "got energy nan at x=-.*pass check_at="),
    ("exp(exp(x**4))", "got energy inf at x="),
    ("x + x1", "uses both 'x' and 'x1' as coordinates: give variables="),
    ("x1 + x3", "uses 'x3', but not 'x2': give variables="),
    ("abs(log(x))", "must be real and smooth"),
    ("-" * 3000 + "x", "nested less deeply"),
    ("(" * 300 + "x" + ")" * 300, "syntax error"),
    ("x" + "+x" * 6000, "at most 10000 characters, got 12001"),
]


@pytest.mark.parametrize("text, message", REFUSED, ids=[text[:25] for text, _ in REFUSED])
def test_what_is_not_a_formula_is_refused(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message) as caught:
        formula(text)
    assert not list(tmp_path.iterdir())  # nothing was executed
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        (dict(expression=3), TypeError, "expression must be a string such as .*, got 3"),
        (dict(expression="x", k=1), ValueError, "parameter 'k' is given, but the expression does not use it"),
        (dict(expression="x*k", k="a"), TypeError, "k must be a number, got 'a'"),
        (dict(expression="x*k", k=np.inf), ValueError, "k must be a finite number"),
        (dict(expression="x*y", variables=["x", "y"], y=2), ValueError, "the name of a coordinate, got y=2"),
        (dict(expression="x*pi", pi=3), ValueError, "the name of a number, got pi=3"),
        (dict(expression="x", variables=[]), ValueError, r"variables must be a list of different names .* got \[\]"),
        (dict(expression="x", variables=["x", "x"]), ValueError, "variables must be a list of different names"),
        (dict(expression="x", variables=["y"]), ValueError, "expression uses 'x', which is neither"),
        (dict(expression="log(x)", check_at=[-1.0]), ValueError, "got energy nan at x=-1.0"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        formula(**arguments)


def test_without_sympy(monkeypatch):
    monkeypatch.setitem(sys.modules, "sympy", None)
    with pytest.raises(ImportError, match=r"^Potential.from_expression needs SymPy: pip install shld_sim\[symbolic\]$"):
        formula("x**2 + 1")


def test_tracebacks_show_the_generated_lines():
    import traceback

    try:
        formula("log(x)", check_at=[1.0]).functions.energy("text", ())
    except TypeError:
        assert "np.log(x)" in traceback.format_exc()
    else:
        raise AssertionError


SCRIPT = """
import json
import numpy as np
import shld_sim as shld
from shld_sim.simulate.arguments import ensemble_plan
from shld_sim.potentials.evaluate import compiled_rows

report = {}
V = shld.Potential.from_expression("h*(x**2 - 1)**2 + exp(-b*x**2)*cos(x)", h=0.3, b=1)
kernel = ensemble_plan(shld.Langevin(V, 0.1), "euler", 0.01, False).run
run = shld.simulate(shld.Langevin(V, 0.1), -1.0, 0.01, n_steps=5, n_paths=2, seed=1)
W = shld.Potential.from_expression("x1**2 + x2**2*x3**2 + k*cos(x4*x5)", k=2)
rows = compiled_rows(W.functions.gradient, 5, True, True).__wrapped__
report["value"] = float(run.final[0])
for name, code in {"ensemble": kernel, "rows": rows}.items():
    report[name] = [sum(code.stats.cache_hits.values()), sum(code.stats.cache_misses.values())]
print(json.dumps(report))
"""


def test_code_is_found_again_by_the_next_process(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    reports = []
    for hash_seed in ("1", "2"):  # the generated text does not depend on the order of sets
        environment["PYTHONHASHSEED"] = hash_seed
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        reports.append(json.loads(done.stdout))
    assert reports[0]["ensemble"] == reports[0]["rows"] == [0, 1]
    assert reports[1]["ensemble"] == reports[1]["rows"] == [1, 0]
    assert reports[0]["value"] == reports[1]["value"]
