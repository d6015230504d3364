"""Docstrings tell the truth: the numpydoc Parameters section of every public name repeats its signature."""

import ast
import dataclasses
import enum
import importlib
import inspect
import textwrap
import types
from collections.abc import Callable

import pytest

NAMESPACES = (
    "shld_sim",
    "shld_sim.potentials",
    "shld_sim.grid",
    "shld_sim.theory",
    "shld_sim.diagnostics",
    "shld_sim.learning",
    "shld_sim.learning.experiments",
    "shld_sim.plotting",
    "shld_sim.claims",
)


def sections(docstring: str) -> dict[str, list[str]]:
    """Split a docstring at its underlined headings: heading -> lines."""
    lines = inspect.cleandoc(docstring).splitlines()
    found, heading = {"": []}, ""
    for i, line in enumerate(lines):
        below = lines[i + 1].rstrip() if i + 1 < len(lines) else ""
        if line and not line[0].isspace() and len(below) >= 3 and set(below) == {"-"}:
            heading = line.strip()
            found[heading] = []
        elif set(line.rstrip()) != {"-"}:
            found[heading].append(line)
    return found


def documented(lines: list[str]) -> list[str]:
    """Names in a Parameters section: the lines without indentation, `a, b : float` counting as two."""
    heads = [line.split(" :")[0] for line in lines if line and not line[0].isspace()]
    return [name.strip().lstrip("*") for head in heads for name in head.split(",")]


def signature_of(thing: Callable) -> list[str]:
    """Names of the parameters; `self` is absent from a class, and dropped from a function taken out of its class."""
    names = list(inspect.signature(thing).parameters)
    return names[1:] if names[:1] == ["self"] else names


def returns_something(function: Callable) -> bool:
    """By its annotation; without one, by a `return value` or `yield` of its own in its source."""
    annotation = inspect.signature(function).return_annotation
    if annotation is not inspect.Signature.empty:
        return annotation not in {None, "None", "NoReturn", "Never"}
    todo = list(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body)
    while todo:
        node = todo.pop()
        if (isinstance(node, ast.Return) and node.value is not None) or isinstance(node, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            todo.extend(ast.iter_child_nodes(node))
    return False


def own_docstring(thing: Callable) -> str:
    """The docstring written for this very object: neither inherited nor made up by @dataclass."""
    text = (vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__) or ""
    return "" if isinstance(thing, type) and text.startswith(thing.__name__ + "(") else text


def faults(thing: Callable, name: str) -> list[str]:
    """What is wrong with the docstring of a public function or class and, for a class, of its public methods."""
    thing = getattr(thing, "py_func", thing)
    text = own_docstring(thing)
    if not text.strip():
        return [f"{name}: no docstring"]
    found, parts = [], sections(text)
    is_class = isinstance(thing, type)
    if not (is_class and issubclass(thing, BaseException | enum.Enum)):
        expected = signature_of(thing)
        # Results are made by the library, not by the user: their fields may stand under Attributes.
        key = "Attributes" if "Parameters" not in parts and dataclasses.is_dataclass(thing) else "Parameters"
        listed = documented(parts.get(key, []))
        listed = listed[: len(expected)] if key == "Attributes" else listed
        if listed != expected:
            found.append(f"{name}: {key} lists {listed}, the signature has {expected}")
    if not is_class and returns_something(thing) and not {"Returns", "Yields"} & set(parts):
        found.append(f"{name}: returns something, but has no Returns section")
    mro = reversed(thing.__mro__) if is_class else ()
    ours = [base for base in mro if base is thing or base.__module__.startswith("shld_sim")]
    members = {key: member for base in ours for key, member in vars(base).items()}
    for key, member in members.items():
        member = getattr(member, "__func__", member)
        if key.startswith("_") or not isinstance(member, types.FunctionType):
            continue
        text = inspect.getdoc(getattr(thing, key)) or ""  # a method may inherit its docstring
        if not text:
            found.append(f"{name}.{key}: no docstring")
        listed, expected = documented(sections(text).get("Parameters", [])), list(inspect.signature(member).parameters)
        expected = expected[1:] if expected[:1] in (["self"], ["cls"]) else expected
        if listed and listed != expected:  # short methods may do without the section
            found.append(f"{name}.{key}: Parameters lists {listed}, the signature has {expected}")
    return found


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_docstrings_repeat_the_signatures(namespace):
    module = importlib.import_module(namespace)
    names = module.__all__
    assert len(set(names)) == len(names)
    things = {name: getattr(module, name) for name in names}
    found = [fault for name, thing in things.items() if callable(thing) for fault in faults(thing, name)]
    assert any(callable(thing) for thing in things.values())
    assert not found, "\n" + "\n".join(found)


# ---- proof that the checker bites ----

PARAMETERS = """Rate over a barrier.

    Parameters
    ----------
    {}

    Returns
    -------
    float
        The rate.
    """


def written(parameters: str, returns: bool = True) -> Callable:
    def rate(x0, domain, *, D=0.1, **options):
        return x0

    text = PARAMETERS.format(parameters)
    rate.__doc__ = text if returns else text.split("    Returns")[0]
    return rate


PROPER = "x0, domain : float\n        Where: here.\n    D : float, default 0.1\n    **options"


def test_a_true_docstring_passes():
    assert faults(written(PROPER), "rate") == []


@pytest.mark.parametrize(
    "parameters",
    [
        "x0 : float\n    domain : tuple\n    D : float",  # one missing
        "domain : tuple\n    x0 : float\n    D : float\n    **options",  # order
        "x0 : float\n    domain : tuple\n    D : float\n    seed : int\n    **options",  # one too many
        "x0 : float\n    domain : tuple\n    d : float\n    **options",  # another name
        "",
    ],
)
def test_a_planted_mismatch_is_found(parameters):
    assert any("signature" in fault for fault in faults(written(parameters), "rate"))


def test_a_missing_returns_section_and_a_missing_docstring_are_found():
    assert any("Returns" in fault for fault in faults(written(PROPER, returns=False), "rate"))
    bare = written(PROPER)
    bare.__doc__ = None
    assert faults(bare, "rate") == ["rate: no docstring"]


def test_classes_answer_for_their_constructor_and_their_methods():
    class Well:
        """A well.

        Parameters
        ----------
        depth : float
        """

        def __init__(self, depth, width=1.0):
            self.depth, self.width = depth, width

        def energy(self, x):
            return x

    class Child(Well):
        def __init__(self):
            super().__init__(1.0)

    @dataclasses.dataclass
    class Result:
        time: float

    assert [fault.split(":")[0] for fault in faults(Well, "Well")] == ["Well", "Well.energy"]
    assert faults(Child, "Child") == ["Child: no docstring"]
    assert faults(Result, "Result") == ["Result: no docstring"]
