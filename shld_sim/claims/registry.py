"""The list of claims: what a document states, how it is measured, and the function that measures it."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from shld_sim.claims.rules import EDITION, Test

DOCUMENTS = {
    "shld": "Stochastic harmonic learning dynamics",
    "sdsd": "Stochastic dynamics of symmetry and dimension",
    "levy": "Geometric Levy dynamics",
    "phase": "A theory of neural learning phase transitions",
    "sym": "Symmetry prompting (a review of arXiv 2603.01968)",
}
MODULES = ("shld", "sdsd", "levy", "phase", "sym")  # one file per document
# of docs/claims.md, whose section F has the documents' rules and tables
SECTIONS = dict(zip(MODULES, "ABCDE", strict=True))
T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """Numbers behind a verdict.

    Attributes
    ----------
    title : str
        What they are.
    columns : tuple of str
        Names of the columns.
    rows : tuple of tuple
        Numbers and strings.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Evidence:
    """What a check returns.

    Parameters
    ----------
    stated : sequence of Test
        Tests of the statement as the document makes it.
    corrected : sequence of Test
        Tests of the corrected form, if there is one.
    tables : sequence of Table
        The numbers behind them.
    figure : callable, optional
        ``figure(ax)`` draws the evidence, or ``figure(axes)`` with as many panels as ``panels`` says.
    panels : int
        Panels side by side.
    """

    stated: Sequence[Test]
    corrected: Sequence[Test] = ()
    tables: Sequence[Table] = ()
    figure: Callable[[Any], object] | None = None
    panels: int = 1


@dataclass(frozen=True)
class Run:
    """Settings of one check: quick or full, and its own seeds.

    Parameters
    ----------
    claim : str
        Id of the claim; its seeds depend on it and on ``seed`` alone.
    quick : bool
        Whether to use the small parameters.
    seed : int
        Seed of the whole ledger.
    parameters : dict
        What `pick` was asked for: name to (quick, full). The report prints it.
    """

    claim: str
    quick: bool
    seed: int
    parameters: dict[str, tuple[Any, Any]] = field(default_factory=dict, compare=False)

    def pick(self, name: str, quick: T, full: T) -> T:
        """Return the value of the parameter ``name`` for this size of run, and note both."""
        self.parameters[name] = (quick, full)
        return quick if self.quick else full

    def stream(self, i: int) -> np.random.SeedSequence:
        """Return the seed of the i-th random ingredient of the check, another one for each edition of the rules."""
        return np.random.SeedSequence(self.seed, spawn_key=(EDITION, zlib.crc32(self.claim.encode()), i))

    def generator(self, i: int) -> np.random.Generator:
        """Return a NumPy generator for the i-th random ingredient of the check."""
        return np.random.default_rng(self.stream(i))


@dataclass(frozen=True)
class Claim:
    """A claim of a document and its check.

    Parameters
    ----------
    id : str
        Name, ``document.topic``.
    title : str
        A few words.
    statement : str
        What the document says.
    rule : str
        What is measured and compared, and what decides.
    check : callable
        Measures it: ``check(run) -> Evidence``. Its docstring holds the derivation of the corrected form.
    corrected : str
        The corrected form that is measured too; empty when there is none.
    formula, corrected_formula : str
        The statement and the corrected form in mathematics, TeX without dollar signs; may be empty.
    definitions : str
        What the symbols and words of the statement mean.
    source : str
        Where it comes from: the document and the section of docs/claims.md that lists it.
    runs : str
        Name of trained runs that it shares with other claims: these are checked in one process, which makes the runs once.
    """

    id: str
    title: str
    statement: str
    rule: str
    check: Callable[[Run], Evidence] = field(repr=False)
    corrected: str = ""
    formula: str = ""
    corrected_formula: str = ""
    definitions: str = ""
    source: str = ""
    runs: str = ""

    @property
    def document(self) -> str:
        """Title of the document that makes the claim."""
        return DOCUMENTS[self.id.split(".")[0]]

    @property
    def derivation(self) -> str:
        """Why the corrected form holds: the docstring of the check."""
        return inspect.getdoc(self.check) or ""


_REGISTRY: dict[str, Claim] = {}


def claim(id: str, title: str, **about: str) -> Callable[[Callable[[Run], Evidence]], Callable[[Run], Evidence]]:
    """Register the decorated function as the check of a claim.

    Parameters
    ----------
    id, title : str
        As in `Claim`.
    **about : str
        ``statement`` and ``rule``; ``corrected``, ``formula``, ``corrected_formula``, ``definitions``, ``source`` and ``runs``
        of a `Claim`; the source is the document and its section of docs/claims.md by default.
    """

    def register(check: Callable[[Run], Evidence]) -> Callable[[Run], Evidence]:
        if id in _REGISTRY:
            raise ValueError(f"id must be new, got {id!r} again")
        document = id.split(".")[0]
        if document not in DOCUMENTS:
            raise ValueError(f"id must begin with one of {', '.join(DOCUMENTS)}, got {id!r}")
        source = f"{DOCUMENTS[document]}; section {SECTIONS[document]} of docs/claims.md"
        _REGISTRY[id] = Claim(id, title, check=check, **{"source": source, **about})
        return check

    return register


def registry() -> tuple[Claim, ...]:
    """Return all claims in the order of the documents.

    Returns
    -------
    tuple of Claim
        With ``id``, ``title``, ``statement``, ``corrected``, ``rule`` and ``document``.
    """
    for module in MODULES:
        importlib.import_module(f"shld_sim.claims.{module}")
    # whoever imported one of the modules alone has registered its claims first
    return tuple(sorted(_REGISTRY.values(), key=lambda entry: MODULES.index(entry.id.split(".")[0])))


def select(only: str | Iterable[str] | None) -> tuple[Claim, ...]:
    """Return the claims whose id matches one of the patterns in ``only``, or all.

    Raises
    ------
    ValueError
        If a pattern matches none.
    """
    claims = registry()
    if only is None:
        return claims
    patterns = [only] if isinstance(only, str) else list(only)
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(c.id, pattern) for c in claims):
            raise ValueError(f"only must name claims or patterns such as 'levy.*', got {pattern!r}, which matches none")
    return tuple(c for c in claims if any(fnmatch.fnmatchcase(c.id, pattern) for pattern in patterns))
