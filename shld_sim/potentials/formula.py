"""Potentials from a typed formula: SymPy differentiates it once, and plain scalar functions are written from the result."""

from __future__ import annotations

import ast
import functools
import hashlib
import linecache
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim.potentials.base import Potential, ScalarFunctions

Array = NDArray[np.float64]

# Names that a formula may call, and what they are in SymPy.
FUNCTIONS = {name: name for name in ("exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh")}
FUNCTIONS |= {"asin": "asin", "acos": "acos", "atan": "atan", "abs": "Abs", "Abs": "Abs"}
# SymPy functions that may stand in the result, and what they are in NumPy.
WRITTEN = {name: name for name in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sign")}
WRITTEN |= {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "Abs": "abs"}
NAME = re.compile(r"[a-z]\w*(\[\d+\])?")
LONGEST = 10_000  # characters
LARGEST_EXPONENT = 1000


def sympy_module() -> Any:
    """Return SymPy, or raise in one line."""
    try:
        import sympy
    except ImportError:
        raise ImportError("Potential.from_expression needs SymPy: pip install shld_sim[symbolic]") from None
    return sympy


class Formula(Potential):
    r"""A potential given by a formula; made by `Potential.from_expression`, where it is described.

    Parameters
    ----------
    expression : str
        The formula.
    variables : sequence of str, optional
        The coordinates, in order.
    check_at : array_like, optional
        Points at which the functions must be finite.
    name : str, optional
        Shown by ``repr``.
    params : dict
        Values of the other names.
    """

    def __init__(
        self,
        expression: str,
        variables: Sequence[str] | None = None,
        check_at: ArrayLike | None = None,
        name: str | None = None,
        params: dict[str, Any] | None = None,
    ) -> None:
        sympy_module()
        values = {key: _checks.number(key, value) for key, value in (params or {}).items()}
        tree = parse(expression)
        used = names_in(tree)
        coordinates = coordinates_of(used, variables, values)
        _check_names(used, coordinates, values)
        canonical = canonical_text(ast.unparse(tree))
        functions = written(ast.unparse(tree), coordinates, tuple(sorted(values)))
        self._state(
            functions,
            tuple(values[key] for key in sorted(values)),
            len(coordinates),
            arguments={
                "expression": expression,
                "variables": None if variables is None else coordinates,
                "check_at": check_at,
                "name": name,
                "params": values,
            },
            name=name,
        )
        object.__setattr__(self, "_text", (canonical, coordinates))
        self._check_finite(check_at)

    def _check_finite(self, check_at: ArrayLike | None) -> None:
        dim = self.dim
        if check_at is None:
            x = np.random.default_rng(20).uniform(-2.0, 2.0, (24, dim))
        else:
            x = _checks.points("check_at", check_at, dim).reshape(-1, dim)
        points = x if dim > 1 else x[:, 0]
        with np.errstate(all="ignore"):
            for which, values in (("energy", self(points)), ("gradient", self.gradient(points))):
                bad = ~np.isfinite(values.reshape(len(x), -1)).all(axis=1)
                if bad.any():
                    k = int(np.argmax(bad))
                    raise ValueError(
                        f"expression must be real and finite, got {which} {values[k]} at "
                        f"x={points[k].tolist()}; pass check_at= with points where the potential is defined"
                    )

    def _identity(self) -> tuple[Any, ...]:
        return (type(self), self._text, self.params, tuple(sorted(self._arguments["params"])))  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        arguments, name = self._arguments, self._name  # type: ignore[attr-defined]
        if name is not None:
            return str(name)
        text, coordinates = self._text  # type: ignore[attr-defined]
        if names_in(parse(text)) != names_in(parse(arguments["expression"])):
            text = arguments["expression"]  # a name that cancels stays, so that the repr can be evaluated
        inside = [repr(text)]
        inside += [f"variables={list(coordinates)!r}"] if arguments["variables"] is not None else []
        inside += [f"{key}={value!r}" for key, value in arguments["params"].items()]
        return f"Potential.from_expression({', '.join(inside)})"


# -- reading ----------------------------------------------------------------------------------------------------------


def parse(expression: str) -> ast.expr:
    """Return the syntax tree of a formula; raise unless it holds arithmetic and known functions alone.

    Nothing is evaluated: the tree is translated to SymPy node by node (`to_sympy`).
    """
    if not isinstance(expression, str):
        raise TypeError(f"expression must be a string such as 'h*(x**2 - 1)**2', got {expression!r}")
    text = expression.strip()
    if not text:
        raise ValueError("expression must be a formula such as 'h*(x**2 - 1)**2', got an empty string")
    if len(text) > LONGEST:
        raise ValueError(f"expression must have at most {LONGEST} characters, got {len(text)}")
    try:
        tree = ast.parse(text, mode="eval").body
        for node in ast.walk(tree):
            _check_node(node)
    except SyntaxError as error:
        where = error.offset or len(text) + 1
        raise ValueError(f"expression has a syntax error at character {where}: {error.msg}, in {text!r}") from None
    except (RecursionError, MemoryError):
        raise ValueError(f"expression must be nested less deeply, got {len(text)} characters") from None
    return tree


def _check_node(node: ast.AST) -> None:
    arithmetic = (ast.BinOp, ast.UnaryOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow, ast.UAdd, ast.USub, ast.Load)
    if isinstance(node, arithmetic):
        return
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and math.isfinite(float(str(node.value))):
        return
    if isinstance(node, ast.Name) and not node.id.startswith("_"):
        return
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.func.id.startswith("_"):
        if node.func.id not in FUNCTIONS:
            raise ValueError(f"expression calls {node.func.id!r}, which is not one of {', '.join(sorted(FUNCTIONS))}")
        if len(node.args) != 1 or node.keywords or isinstance(node.args[0], ast.Starred):
            raise ValueError(f"{node.func.id} must be called with one argument, got {ast.unparse(node)!r}")
        return
    if isinstance(node, ast.BitXor):
        raise ValueError("expression must write powers with **, got ^")
    shown = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    raise ValueError(
        f"expression may hold numbers, names, + - * / ** and calls of {', '.join(sorted(FUNCTIONS))}; got {shown!r}"
    )


def names_in(tree: ast.expr) -> set[str]:
    """Return the names of a formula, without those of functions and pi."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called}
    return names - {"pi"}


def coordinates_of(used: set[str], variables: Sequence[str] | None, params: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of the coordinates, in order."""
    if variables is not None:
        names = [variables] if isinstance(variables, str) else list(variables)
        if not names or not all(isinstance(v, str) and v.isidentifier() for v in names) or len(set(names)) < len(names):
            raise ValueError(f"variables must be a list of different names such as ['x', 'y'], got {variables!r}")
        return tuple(names)
    free = used - params.keys()
    letters = [name for name in "xyz" if name in free]
    numbered = sorted(int(name[1:]) for name in free if re.fullmatch(r"x[1-9]\d*", name))
    if letters and numbered:
        raise ValueError(f"expression uses both {letters[0]!r} and 'x{numbered[0]}' as coordinates: give variables=")
    if numbered and numbered != list(range(1, len(numbered) + 1)):
        missing = min(set(range(1, numbered[-1])) - set(numbered))
        raise ValueError(f"expression uses 'x{numbered[-1]}', but not 'x{missing}': give variables=")
    return tuple(letters or [f"x{i}" for i in numbered])


def _check_names(used: set[str], coordinates: tuple[str, ...], params: dict[str, Any]) -> None:
    for name in ("pi", *coordinates):
        if name in params:
            raise ValueError(f"parameters must not have the name of a {'number' if name == 'pi' else 'coordinate'}, "
                             f"got {name}={params[name]!r}")  # fmt: skip
    unknown = sorted(used - set(coordinates) - params.keys())
    if unknown:
        raise ValueError(f"expression uses {unknown[0]!r}, which is neither a coordinate nor a given parameter")
    unused = sorted(params.keys() - used)
    if unused:
        raise ValueError(f"parameter {unused[0]!r} is given, but the expression does not use it")
    if not used & set(coordinates):
        raise ValueError("expression must use a coordinate (x, y, z; x1, x2, ...; or those named by variables=)")


def to_sympy(tree: ast.expr) -> Any:
    """Return the checked tree as a SymPy expression of real symbols; decimal numbers become exact fractions."""
    sympy = sympy_module()

    def number_power(base: Any, exponent: Any) -> Any:
        if exponent.is_number:
            if abs(float(exponent)) > LARGEST_EXPONENT:
                raise ValueError(
                    f"exponents must lie between -{LARGEST_EXPONENT} and {LARGEST_EXPONENT}, got {exponent}"
                )
            if base.is_number and base != 0 and abs(float(exponent)) * abs(float(sympy.log(abs(base)))) > 700.0:
                raise ValueError(
                    f"numbers must lie in the range of floating point, got {str(base)[:20]}...**{exponent}"
                )
        return base**exponent

    def visit(node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return sympy.Rational(repr(node.value))
        if isinstance(node, ast.Name):
            return sympy.pi if node.id == "pi" else sympy.Symbol(node.id, real=True)
        if isinstance(node, ast.UnaryOp):
            return -visit(node.operand) if isinstance(node.op, ast.USub) else visit(node.operand)
        if isinstance(node, ast.Call):
            return getattr(sympy, FUNCTIONS[node.func.id])(visit(node.args[0]))  # type: ignore[attr-defined]
        assert isinstance(node, ast.BinOp)
        left, right = visit(node.left), visit(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        return left / right if isinstance(node.op, ast.Div) else number_power(left, right)

    try:
        result = visit(tree)
    except (TypeError, OverflowError, RecursionError):
        result = None  # a complex number or one beyond all range met a comparison
    if result is None or result.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise ValueError(f"expression must be real and finite, got {ast.unparse(tree)!r}")
    return result


@functools.lru_cache(maxsize=256)
def canonical_text(expression: str) -> str:
    """Return the formula as SymPy writes it; formulas that SymPy finds equal have one text."""
    return str(to_sympy(parse(expression)))


# -- writing ----------------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=256)
def written(expression: str, coordinates: tuple[str, ...], params: tuple[str, ...]) -> ScalarFunctions:
    """Return energy, gradient and Hessian of a formula as compiled plain functions."""
    sympy = sympy_module()
    V, dim = to_sympy(parse(expression)), len(coordinates)
    symbols = [sympy.Symbol(name, real=True) for name in coordinates]
    slopes = [_derivative(V, symbol) for symbol in symbols]
    curvatures = [_derivative(slopes[i], symbols[j]) for i in range(dim) for j in range(i, dim)]
    arguments = ["x", "y", "z"][:dim] if dim <= 3 else [f"x{i}" for i in range(dim)]
    parameters = {sympy.Symbol(name, real=True): f"p[{i}]" for i, name in enumerate(params)}
    scalars = {**dict(zip(symbols, arguments, strict=True)), **parameters}
    vectors = {**{symbol: f"x[{i}]" for i, symbol in enumerate(symbols)}, **parameters}
    inside = ", ".join(arguments)
    if dim <= 3:
        energy = _source(f"energy({inside}, p)", [V], scalars, "return {}")
        gradient = _source(f"gradient({inside}, p)", slopes, scalars, "return {}")
    else:
        energy = _source("energy(x, p)", [V], vectors, "return {}")
        gradient = _source("gradient(x, out, p)", slopes, vectors, "out[{i}] = {}")
    one = "return {}" if dim == 1 else "return {},"
    hessian = _source(f"hessian({inside}, p)", curvatures, scalars, one)
    source = "\n\n".join((f"# {expression}", energy, gradient, hessian)) + "\n"
    namespace = _compiled(source)
    return ScalarFunctions(namespace["energy"], namespace["gradient"], namespace["hessian"], vector=dim > 3)


def _compiled(source: str) -> dict[str, Any]:
    """Run ``source``, which this module wrote, where tracebacks find its lines."""
    filename = f"<formula {hashlib.sha256(source.encode()).hexdigest()[:16]}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"np": np, "__name__": __name__}
    exec(compile(source, filename, "exec"), namespace)
    return namespace


def _derivative(expression: Any, symbol: Any) -> Any:
    """Return the derivative, kinks of absolute values left out: d|u| = sign(u) du, d sign(u) = 0."""
    sympy = sympy_module()
    slope = sympy.diff(expression, symbol)
    slope = slope.replace(sympy.DiracDelta, lambda *arguments: sympy.Integer(0))
    if any(not power.exp.is_number for power in slope.atoms(sympy.Pow)):
        slope = sympy.powsimp(slope)  # |x|^k/|x| -> |x|^(k - 1), finite at 0
    return slope


def _source(head: str, results: Sequence[Any], names: dict[Any, str], form: str) -> str:
    """Return the text of a function with common subexpressions computed once."""
    sympy = sympy_module()
    shared, results = sympy.cse(list(results), symbols=sympy.numbered_symbols("s", cls=sympy.Dummy), order="canonical")
    writer = Writer(dict(names))
    for symbol, value in shared:
        writer.names[symbol] = writer.named(value)
    texts = [writer.text(result) for result in results]
    if "{i}" in form:
        end = [form.replace("{i}", str(i)).format(text) for i, text in enumerate(texts)]
    else:
        end = [form.format(", ".join(texts))]
    return "\n".join([f"def {head}:", *(f"    {line}" for line in writer.lines + end)])


class Writer:
    """Writes SymPy expressions as Python: multiplications for whole powers, NumPy's names for functions."""

    def __init__(self, names: dict[Any, str]) -> None:
        self.names, self.lines = names, []  # type: tuple[dict[Any, str], list[str]]
        self.kept: dict[str, str] = {}
        self.powers: dict[tuple[str, int], str] = {}

    def keep(self, text: str) -> str:
        """Return a name that holds the value of ``text``."""
        if text not in self.kept:
            self.kept[text] = f"t{len(self.lines)}"
            self.lines.append(f"{self.kept[text]} = {text}")
        return self.kept[text]

    def named(self, e: Any) -> str:
        """Return a name, or an entry of a vector, that holds the value of ``e``."""
        text = self.text(e)
        return text if NAME.fullmatch(text) else self.keep(text)

    def text(self, e: Any) -> str:
        """Return Python for ``e``; what must be computed before goes to ``lines``."""
        if e in self.names:
            return self.names[e]
        if e.is_Rational:
            try:
                return repr(int(e.p) / int(e.q))
            except OverflowError:
                raise ValueError("expression must hold numbers in the range of floating point") from None
        if e.is_number and not e.args:
            return repr(float(e))
        if e.is_Add:
            return self.total(e.as_ordered_terms())
        if e.is_Mul:
            return self.product(e.as_ordered_factors())
        if e.is_Pow:
            return self.power(e.base, e.exp)
        function = WRITTEN.get(type(e).__name__)
        if function is None:
            raise ValueError(f"expression must be real and smooth (kinks of abs excepted), its derivatives hold {e}")
        return f"np.{function}({self.text(e.args[0])})"

    def factor(self, e: Any) -> str:
        """Return Python for ``e`` that may stand in a product."""
        text = self.text(e)
        return f"({text})" if (e.is_Add and e not in self.names) or text.startswith("-") else text

    def total(self, terms: Iterable[Any]) -> str:
        out = ""
        for term in terms:
            negative = term.could_extract_minus_sign()
            text = self.factor(-term) if negative else self.text(term)
            out += (" - " if out else "-") + text if negative else (" + " if out else "") + text
        return out

    def product(self, factors: Iterable[Any]) -> str:
        above, below, sign = [], [], ""
        for e in factors:
            if e == -1:
                sign = "-"
            elif e.is_Pow and e.exp.is_number and e.exp.is_negative:
                below.append(self.factor(1 / e))
            else:
                above.append(self.factor(e))
        text = sign + (" * ".join(above) or "1.0")
        if not below:
            return text
        return f"{text} / {below[0] if len(below) == 1 else '(' + ' * '.join(below) + ')'}"

    def power(self, base: Any, exponent: Any) -> str:
        if exponent.is_Integer or (exponent.is_Rational and exponent.q == 2):
            if exponent.is_negative:
                return f"1.0 / {self.power_of(base, -exponent)}"
            return self.power_of(base, exponent)
        # other powers are what they are: pow does not vectorise
        return f"({self.text(base)}) ** ({self.text(exponent)})"

    def power_of(self, base: Any, exponent: Any) -> str:
        text, whole = self.named(base), int(exponent)
        if exponent.q == 1:
            return self.whole_power(text, whole)
        root = f"np.sqrt({text})"
        return root if whole == 0 else self.keep(f"{self.whole_power(text, whole)} * {root}")

    def whole_power(self, name: str, n: int) -> str:
        """Return the name of ``name**n``, by squaring."""
        if n == 1:
            return name
        if (name, n) not in self.powers:
            half = self.whole_power(name, n // 2)
            square = (
                self.keep(f"{half} * {half}") if n % 2 == 0 else self.keep(f"{self.whole_power(name, n - 1)} * {name}")
            )
            self.powers[name, n] = square
        return self.powers[name, n]
