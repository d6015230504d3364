"""Run the checks: one after another or on several processes, each kept as soon as it is done."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.claims.ledger import Ledger, Result, plain_value
from shld_sim.claims.registry import Claim, Evidence, Run, Table, select
from shld_sim.claims.rules import Test, Verdict, decide
from shld_sim.sweep import sweep


def verify(
    only: str | Iterable[str] | None = None,
    *,
    quick: bool = False,
    seed: int = 0,
    jobs: int = 1,
    store: str | os.PathLike[str] | None = None,
    figures: bool = True,
    progress: bool | None = None,
) -> Ledger:
    """Check claims and return the ledger of their verdicts.

    Parameters
    ----------
    only : str or iterable of str, optional
        Ids of claims, or patterns such as ``"levy.*"``. Default: all.
    quick : bool
        Use small parameters. The rules are the same.
    seed : int
        Seed; each claim draws from streams of its own, whatever else is checked and on how many processes.
    jobs : int
        Processes that work side by side. With more than one a script must call this under
        ``if __name__ == "__main__":``.
    store : str or path-like, optional
        Directory that keeps each result as soon as it is there. A later call with the same settings, of the same code,
        takes up what it finds.
    figures : bool
        Draw the figure of each claim, for the report.
    progress : bool, optional
        Show progress on stderr. Default: on a terminal.

    Returns
    -------
    Ledger
        Results; ``passed`` says whether every claim came to a verdict. Ctrl-C returns the results so far; the claims
        under way are left out.

    Raises
    ------
    ValueError
        If ``only`` matches no claim.
    """
    seed, jobs = _checks.integer("seed", seed, 0), _checks.integer("jobs", jobs)
    chosen = select(only)
    groups: dict[str, list[str]] = {}
    for c in chosen:
        groups.setdefault(c.runs or c.id, []).append(c.id)
    # claims that share trained runs go together, and first: they take longest
    tasks = sorted((" ".join(ids) for ids in groups.values()), key=lambda ids: " " not in ids)
    points = [{"ids": ids, "quick": quick, "seed": seed, "figures": figures} for ids in tasks]
    folder = None if store is None else Path(store) / code_digest()
    with _one_blas_thread(jobs > 1), _executor(jobs) as executor:
        found = sweep(checked, points, executor=executor, store=folder, retries=0, progress=progress)
    texts, lost = {}, {}
    for _, value in found:
        if value is not None:
            texts.update({entry["id"]: entry for entry in json.loads(bytes(value).decode())})
    for i, error in found.errors.items():
        lost.update(dict.fromkeys(tasks[i].split(), str(error)))
    results = []
    for claim in chosen:
        if claim.id in texts:
            results.append(_restored(claim, texts[claim.id]))
        elif claim.id in lost:
            results.append(Result(claim, Verdict.CRASHED, error=lost[claim.id]))
    return Ledger(tuple(results), quick, seed, interrupted=found.interrupted)


def checked(ids: str, quick: bool, seed: int, figures: bool) -> NDArray[np.uint8]:
    """Return the results of checks, one after another, as JSON text in bytes; ``ids`` are separated by blanks."""
    if multiprocessing.parent_process() is not None:
        os.environ["SHLD_SIM_NUM_THREADS"] = "1"  # the other processors are for the other checks
    found = []
    for claim in select(ids.split()):
        result = check(claim, Run(claim.id, quick, seed), figures)
        found.append({**result.as_dict(), "picture": result.picture, "given": result.parameters})
    return np.frombuffer(json.dumps(found, default=plain_value).encode(), dtype=np.uint8)


def check(claim: Claim, run: Run, figures: bool = False) -> Result:
    """Run one check.

    Parameters
    ----------
    claim : Claim
        The claim.
    run : Run
        Size and seeds.
    figures : bool
        Whether to draw its figure.

    Returns
    -------
    Result
        With the verdict "crashed" and the traceback when the check raised.
    """
    start = time.perf_counter()
    try:
        evidence = claim.check(run)
        verdict = decide(evidence.stated, evidence.corrected)
        picture = drawn(evidence) if figures else ""
    except Exception:
        seconds = time.perf_counter() - start
        return Result(claim, Verdict.CRASHED, parameters=run.parameters, seconds=seconds, error=traceback.format_exc())
    found = tuple(evidence.stated), tuple(evidence.corrected), tuple(evidence.tables)
    return Result(claim, verdict, *found, picture, run.parameters, time.perf_counter() - start)


def drawn(evidence: Evidence) -> str:
    """Return the figure of the evidence as SVG; an empty string when it has none."""
    if evidence.figure is None:
        return ""
    from shld_sim import plotting

    figure, axes = plotting.new_figure(1, evidence.panels)
    for ax in np.atleast_1d(axes):
        ax.set_prop_cycle(color=[color for name, color in plotting.PALETTE.items() if name != "black"])
    evidence.figure(axes)
    for ax in np.atleast_1d(axes):
        title = ax.get_title()
        ax.set_title("")
        plotting.finish(ax, title=title)
    return plotting.svg(figure)


def code_digest() -> str:
    """Return a digest of the source of the package: results of other code are not taken up again."""
    home = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(home.rglob("*.py")):
        digest.update(str(path.relative_to(home)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _restored(claim: Claim, data: dict[str, Any]) -> Result:
    """Return the result that `checked` wrote."""
    tests: dict[str, list[Test]] = {"stated": [], "corrected": []}
    for entry in data["tests"]:
        names = ("label", "value", "bound", "stderr", "relation", "scale", "rival", "numerical")
        tests[entry["role"]].append(Test(**{name: entry[name] for name in names}))
    tables = tuple(
        Table(t["title"], tuple(t["columns"]), tuple(tuple(row) for row in t["rows"])) for t in data["tables"]
    )
    given = {name: _pair(pair) for name, pair in data["given"].items()}
    verdict, picture, seconds, error = Verdict(data["verdict"]), data["picture"], data["seconds"], data["error"]
    return Result(
        claim, verdict, tuple(tests["stated"]), tuple(tests["corrected"]), tables, picture, given, seconds, error
    )


def _pair(values: list[Any]) -> tuple[Any, Any]:
    quick, full = (tuple(v) if isinstance(v, list) else v for v in values)
    return quick, full


@contextlib.contextmanager
def _one_blas_thread(wanted: bool) -> Iterator[None]:
    """Let processes that are started meanwhile multiply matrices on one thread: the other processors have their own checks."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS") if wanted else ()
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _executor(jobs: int) -> Executor:
    if jobs == 1:
        return ThreadPoolExecutor(1)
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
