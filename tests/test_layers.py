"""Imports run downwards only: the table of layers, a checker over source text, and proof that it bites."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "shld_sim"

# From the bottom to the top. A module may import what stands before it. Private modules (_checks, _version, ...)
# lie below everything, the package itself and __main__ above.
ORDER = (
    *("potentials", "schedules", "models", "domains", "engine", "records", "results", "simulate", "rare"),
    *("grid", "theory"),
    *("diagnostics", "learning", "sweep", "plotting", "tracking", "claims", "cli"),
)
# Where the order alone would allow too much: the only layers that these may see.
ONLY = {
    "engine": set(),
    "records": set(),
    "results": {"potentials", "schedules", "models", "domains", "records"},
    "simulate": {"potentials", "schedules", "models", "domains", "engine", "records", "results"},
    "grid": {"potentials", "schedules", "models", "domains"},
    "theory": {"potentials", "schedules", "models"},
}
# Draws results, never makes them; it may name their types under TYPE_CHECKING.
NEVER = {"plotting": {"engine", "simulate", "rare", "sweep"}}
FACADE = {"claims", "cli", "__init__", "__main__"}  # may say `from shld_sim import name`, as a user does

ENGINE_HELPER = "shld_sim._compile"  # puts kernels together; llvmlite is Numba's own way to name an instruction

EVERYWHERE = {"numpy", "scipy", "numba"}
OPTIONAL = {"sympy", "tqdm", "dask", "distributed"}  # extras: imported inside the function that needs them


def layer_of(module: str) -> str:
    """First component below the package; "" for the package itself and for private modules "_"."""
    name = module.split(".")[1] if "." in module else ""
    return "_" if name.startswith("_") and not name.startswith("__") else name


def imported(source: str, package: str):
    """Yield (line, dotted names, in_function, type_checking) for every import; `package` resolves relative ones."""

    def visit(node, in_function, typing_only):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, [alias.name], in_function, typing_only
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            base = ".".join(base + ([node.module] if node.module else []))
            names = [f"{base}.{alias.name}" for alias in node.names] if base == PACKAGE else [base]
            yield node.lineno, names, in_function, typing_only
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0] if node.args else None
            if called in {"import_module", "__import__", "_import_module"} and isinstance(first, ast.Constant):
                name = str(first.value)
                yield node.lineno, [package + name if name.startswith(".") else name], in_function, typing_only
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                yield from visit(child, in_function, True)
            for child in node.orelse:
                yield from visit(child, in_function, typing_only)
            return
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside, typing_only)

    yield from visit(ast.parse(source), False, False)


def breaches(source: str, module: str, is_package: bool = False) -> list[str]:
    """What the imports of `module` (dotted name) do against the rules; an empty list when all is well."""
    layer = layer_of(module) or "__init__"
    found = []
    if layer not in {"_", "__init__", "__main__", *ORDER}:
        found.append(f"{module}: no place in ORDER of tests/test_layers.py")
    below = set(ORDER[: ORDER.index(layer)]) if layer in ORDER else set() if layer == "_" else set(ORDER)
    below = (ONLY.get(layer, below) & below) - NEVER.get(layer, set())
    below.add("_")
    for line, names, in_function, typing_only in imported(
        source, module if is_package else module.rpartition(".")[0] or PACKAGE
    ):
        for name in names:
            where = f"{module}:{line}: imports {name}"
            top = name.split(".")[0]
            if top == PACKAGE:
                target = layer_of(name)
                if layer == "engine" and target == "_" and name != ENGINE_HELPER:
                    found.append(f"{where}: of the private modules the engine uses {ENGINE_HELPER} alone")
                    continue
                if target in {layer, *below} or (layer == "plotting" and typing_only):
                    continue
                if target in {"_", *ORDER}:
                    found.append(f"{where}: {layer} may see only {sorted(below)}")
                elif layer not in FACADE:
                    found.append(f"{where}: only {sorted(FACADE)} import from the package itself")
            elif top in sys.stdlib_module_names or (layer == "engine" and top in {"numpy", "numba", "llvmlite"}):
                continue
            elif layer == "engine":
                found.append(f"{where}: the engine knows numpy, numba, _compile and itself")
            elif top in EVERYWHERE or (top == "matplotlib" and (layer == "plotting" or typing_only)):
                continue
            elif top == "matplotlib":
                found.append(f"{where}: only plotting does")
            elif top in OPTIONAL:
                if not (in_function or typing_only):
                    found.append(f"{where}: an optional extra is imported inside the function that needs it")
            else:
                found.append(f"{where}: not a dependency")
    return found


def modules():
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield path, ".".join(parts[:-1] if is_package else parts), is_package


def test_imports_run_downwards():
    found = [
        problem
        for path, name, is_package in modules()
        for problem in breaches(path.read_text(encoding="utf-8"), name, is_package)
    ]
    assert not found, "\n" + "\n".join(found)


BAD = [
    ("potentials.library", "from shld_sim.models import Langevin"),
    ("potentials.library", "from ..models import Langevin"),
    ("potentials.library", "from .. import models"),
    ("potentials.library", "from shld_sim import theory"),
    ("models.diffusion", "def f():\n    from shld_sim.engine import streams"),
    ("models", "from shld_sim import simulate"),
    ("_checks", "from shld_sim.potentials import Potential"),
    ("engine.kernels", "from shld_sim._checks import positive"),
    ("engine.kernels", "from .._checks import positive"),
    ("engine.kernels", "from shld_sim.potentials import Potential"),
    ("engine.kernels", "import scipy.special"),
    ("engine.kernels", "def f():\n    import tqdm"),
    ("simulate", "from shld_sim.grid import FokkerPlanck"),
    ("simulate", "from shld_sim import theory"),
    ("grid.operator", "from shld_sim.engine import streams"),
    ("grid.operator", "from shld_sim.theory import gibbs_density"),
    ("theory.kramers", "import shld_sim.simulate"),
    ("theory.kramers", "from ..engine import streams"),
    ("theory.kramers", "from ..grid import FokkerPlanck as judge"),
    ("theory.kramers", "import importlib\ngrid = importlib.import_module('shld_sim.grid')"),
    ("theory.kramers", "if TYPE_CHECKING:\n    from shld_sim.grid import FokkerPlanck"),
    ("theory.kramers", "from shld_sim import FokkerPlanck"),
    ("plotting", "from shld_sim.simulate import simulate"),
    ("plotting", "def f():\n    from shld_sim import simulate"),
    ("plotting", "if TYPE_CHECKING:\n    pass\nelse:\n    from shld_sim.simulate import Ensemble"),
    ("diagnostics.tails", "import matplotlib.pyplot as plt"),
    ("claims.kramers", "def f():\n    import matplotlib.pyplot as plt"),
    ("claims.kramers", "from shld_sim.cli import main"),
    ("learning.tasks", "import torch"),
    ("learning.tasks", "def f():\n    import jax.numpy as jnp"),
    ("potentials.symbolic", "import sympy"),
    ("sweep", "try:\n    import dask\nexcept ImportError:\n    dask = None"),
    ("novelty", "import numpy as np"),
    ("__init__", "import matplotlib"),
]
GOOD = [
    (
        "potentials.library",
        "import math\nimport numpy as np\nfrom .base import Potential\nfrom .._checks import finite",
    ),
    ("potentials.symbolic", "def f():\n    import sympy"),
    (
        "models.label_noise",
        "from shld_sim.models.diffusion import Diffusion\nfrom shld_sim.potentials import Potential",
    ),
    ("engine.kernels", "import numpy as np\nimport numba\nfrom numba import njit\nfrom .streams import seed_lanes"),
    ("engine.kernels", "from shld_sim.engine.streams import seed_lanes\nfrom . import streams"),
    ("simulate", "from shld_sim.engine import kernels\nfrom shld_sim import engine, models\nimport scipy.stats"),
    ("grid.operator", "from shld_sim.models import Langevin\nfrom shld_sim._checks import finite"),
    ("theory.kramers", "from shld_sim.potentials import Potential\nfrom shld_sim import _checks"),
    (
        "plotting",
        "import matplotlib\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import shld_sim.simulate",
    ),
    ("claims.kramers", "import shld_sim as shld\nfrom shld_sim import theory, simulate, plotting, Langevin"),
    ("sweep", "def f():\n    import dask"),
    (
        "__init__",
        "from shld_sim.potentials import DoubleWell\nfrom . import theory, cli\nfrom ._version import __version__",
    ),
]


@pytest.mark.parametrize(("module", "source"), BAD)
def test_a_planted_bad_import_is_found(module, source):
    name = PACKAGE if module == "__init__" else f"{PACKAGE}.{module}"
    assert breaches(source, name, module == "__init__")


@pytest.mark.parametrize(("module", "source"), GOOD)
def test_proper_imports_pass(module, source):
    name = PACKAGE if module == "__init__" else f"{PACKAGE}.{module}"
    assert breaches(source, name, module == "__init__") == []


def test_relative_imports_in_a_package_resolve_from_the_package():
    assert breaches("from . import base\nfrom .base import Potential", "shld_sim.potentials", True) == []
    assert breaches("from ..models import Langevin", "shld_sim.potentials", True)


def test_importing_the_package_stays_cheap():
    code = f"import sys, {PACKAGE}; print(*sorted({{'matplotlib', *{sorted(OPTIONAL)}}} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "", f"loaded by `import {PACKAGE}`: {run.stdout}"
