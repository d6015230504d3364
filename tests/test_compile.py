"""Compilation at run time: fingerprints that change when the function does, and code found again on disk."""

import json
import math
import os
import subprocess
import sys
import types
from pathlib import Path

import numba
import numpy as np
import pytest

from shld_sim._compile import fingerprint, plain, rebound, specialised

ROOT = Path(__file__).resolve().parents[1]

SOURCE = """
import math
import numpy as np
import constants

K = 2.0
TABLE = (1.0, 2.0)
VECTOR = np.array([1.0, 2.0])

def helper(x):
    return 3.0 * x

def other(x):
    return 3.0 * x + 1.0

def closing(k):
    return lambda x: k * x

def with_inner(x):
    def inner(y):
        return K * y
    return inner(x)

def function(x, offset=0.5):
    return BODY

result = WHICH
"""


def made(body="x", which="function", *, constant=4.0, old="", new=""):
    """Run SOURCE afresh, with one replacement, and return the fingerprint of its result."""
    source = SOURCE.replace("BODY", body).replace("WHICH", which)
    assert old in source
    source = source.replace(old, new) if old else source
    module = types.ModuleType("constants")
    module.C = constant
    names: dict = {}
    sys.modules["constants"] = module
    try:
        exec(source, names)
    finally:
        del sys.modules["constants"]
    return fingerprint(names["result"])


CHANGES = {
    "constant in the body": (dict(body="2.0 * x"), dict(body="2.5 * x")),
    "operation": (dict(body="x + x"), dict(body="x - x")),
    "integer for a float": (dict(body="2.0 * x"), dict(body="2 * x")),
    "name of a function of a module": (dict(body="math.sin(x)"), dict(body="math.cos(x)")),
    "default argument": (dict(), dict(old="offset=0.5", new="offset=0.6")),
    "closure": (dict(which="closing(2.0)"), dict(which="closing(2.5)")),
    "closure over a function": (dict(which="closing(helper)"), dict(which="closing(other)")),
    "global number": (dict(body="K * x"), dict(body="K * x", old="K = 2.0", new="K = 2.5")),
    "global tuple": (dict(body="TABLE[1] * x"), dict(body="TABLE[1] * x", old="(1.0, 2.0)\nV", new="(1.0, 2.5)\nV")),
    "global array": (dict(body="VECTOR[1] * x"), dict(body="VECTOR[1] * x", old="[1.0, 2.0]", new="[1.0, 2.5]")),
    "helper": (
        dict(body="helper(x)"),
        dict(body="helper(x)", old="return 3.0 * x\n\ndef o", new="return 3.5 * x\n\ndef o"),
    ),
    "helper of the same name": (
        dict(body="helper(x)"),
        dict(body="helper(x)", old="result", new="helper = other\nresult"),
    ),
    "global of an inner function": (dict(which="with_inner"), dict(which="with_inner", old="K = 2.0", new="K = 2.5")),
    "constant of another module": (dict(body="constants.C * x"), dict(body="constants.C * x", constant=5.0)),
}


@pytest.mark.parametrize("before, after", CHANGES.values(), ids=CHANGES.keys())
def test_fingerprint(before, after):
    assert made(**before) == made(**before)
    assert made(**before) != made(**after)


def test_fingerprint_ignores_what_does_not_matter():
    assert made("K * x") == made("K * x", old="TABLE = (1.0, 2.0)", new="TABLE = (7.0,)")
    assert made("x") == made("x", old="import math", new="# a line of comment\n\n\nimport math")
    assert made("x", which="numba.njit(function)", old="import math", new="import math, numba") == made("x")


def test_fingerprint_of_recursive_functions_ends():
    names: dict = {}
    exec("def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)", names)
    assert fingerprint(names["even"]) != fingerprint(names["odd"])


def test_plain_and_rebound():
    def function(x, scale=2.0):
        return scale * math.floor(x)

    assert plain(function) is function
    assert plain(numba.njit(function)) is function
    copy = rebound(function, {**function.__globals__, "math": types.SimpleNamespace(floor=math.ceil)})
    assert (copy(1.5), function(1.5)) == (4.0, 2.0)
    assert (copy.__name__, copy.__module__, copy.__qualname__) == (
        function.__name__,
        function.__module__,
        function.__qualname__,
    )


def _template(key):
    def run(x):
        key  # noqa: B018
        return inner(x) + SHIFT  # noqa: F821

    return run


def test_specialised_kernels_of_one_template_are_kept_apart():
    def inner(x):
        return 2.0 * x

    doubled = specialised(_template, {}, inner=numba.extending.register_jitable(inner), SHIFT=1.0)
    shifted = specialised(_template, {}, inner=numba.extending.register_jitable(inner), SHIFT=2.0)
    assert (doubled(3.0), shifted(3.0)) == (7.0, 8.0)


# -- the cache on disk ------------------------------------------------------------------------------------------------

SCRIPT = """
import json, sys
import numpy as np
import shld_sim as shld
from shld_sim.engine.ensemble import ensemble_kernel
from shld_sim.potentials.evaluate import compiled_rows

STRENGTH = 2.0

def helper(x):
    return x * x

def energy(x, p):
    return 0.5 * STRENGTH * helper(x) + p[0]

def gradient(x, p):
    return STRENGTH * x

own = shld.Potential(energy=energy, gradient=gradient, params=(1.0,))
report = {"value": float(own(2.0)), "slope": float(own.gradient(2.0))}
for name, kernel in {
    "energy": compiled_rows(own.functions.energy, 1, False, False).__wrapped__,
    "gradient": compiled_rows(own.functions.gradient, 1, True, False).__wrapped__,
}.items():
    report[name] = [sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values())]
if "ensemble" in sys.argv:
    for name, V in {"library ensemble": shld.DoubleWell(), "own ensemble": own}.items():
        kernel = ensemble_kernel(V.functions.gradient, None, False, 1, "normal", "euler")
        x, words = np.zeros((1, 1)), np.ones((1, 4), np.uint64)
        kernel(x, words, 0, 1, np.ones(2), 0.1, 2.0, V.params, np.empty((1, 1, 1)), 0, np.empty((0, 1, 1)), 0)
        report[name] = [sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values())]
print(json.dumps(report))
"""
HIT, MISS = [1, 0], [0, 1]


def run_script(folder, *arguments, **replacements):
    """Run SCRIPT, with replacements, from ``folder`` in a process of its own with its own cache; return its report."""
    source = SCRIPT
    for old, new in replacements.values():
        assert old in source
        source = source.replace(old, new)
    script = folder / "script.py"
    script.write_text(source)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script, *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_code_is_found_again_by_the_next_process(tmp_path):
    first = run_script(tmp_path, "ensemble")
    kernels = ("energy", "gradient", "library ensemble", "own ensemble")
    assert [first[name] for name in kernels] == [MISS] * 4
    assert (first["value"], first["slope"]) == (5.0, 4.0)
    second = run_script(
        tmp_path, "ensemble", comment=("STRENGTH = 2.0", "# a comment moves every line\n\nSTRENGTH = 2.0")
    )
    assert [second[name] for name in kernels] == [HIT] * 4
    assert (second["value"], second["slope"]) == (5.0, 4.0)
    # a constant of the script, then the body of a helper: new code, right values
    third = run_script(tmp_path, constant=("STRENGTH = 2.0", "STRENGTH = 3.0"))
    assert (third["value"], third["slope"], third["energy"], third["gradient"]) == (7.0, 6.0, MISS, MISS)
    fourth = run_script(tmp_path, helper=("return x * x", "return x * x + 1.0"))
    assert (fourth["value"], fourth["slope"], fourth["energy"], fourth["gradient"]) == (6.0, 4.0, MISS, HIT)
    fifth = run_script(
        tmp_path, energy=("0.5 * STRENGTH", "STRENGTH"), gradient=("return STRENGTH * x", "return 2.0 * STRENGTH * x")
    )
    assert (fifth["value"], fifth["slope"], fifth["energy"], fifth["gradient"]) == (9.0, 8.0, MISS, MISS)


def test_numpy_scalars_and_arrays_have_fingerprints():
    values = [np.float64(1.0), 1.0, np.array([1.0]), np.array([1.0, 1.0]), (1.0,), [1.0], None, "1.0"]
    functions = [(lambda v: lambda x: v)(value) for value in values]
    assert len({fingerprint(f) for f in functions}) == len(values)
