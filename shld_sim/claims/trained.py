"""Trained networks that several claims look at: trained once in a process, with seeds that all of them share."""

from __future__ import annotations

from shld_sim.claims.registry import DOCUMENTS, SECTIONS, Run
from shld_sim.learning.experiments import Grokking, grokking

# statements of a document and the figures and rules that it reports
SOURCES = {key: f"{title}; sections {SECTIONS[key]} and F of docs/claims.md" for key, title in DOCUMENTS.items()}


def grokking_runs(run: Run) -> tuple[list[Grokking], int]:
    """Return the runs on modular addition that grokked, and how many were made.

    Parameters
    ----------
    run : Run
        Size and seed of the ledger; which claim asks makes no difference.

    Returns
    -------
    list of Grokking
        Runs that came to 95 %, having known all by heart in the first half of the way.
    int
        Number of runs made, those that diverged among them.
    """
    made = run.pick("runs", 10, 16)
    p, width, part = run.pick("modulus, hidden units, share to learn from", (19, 64, 0.65), (31, 128, 0.5))
    shared, found = Run("experiments.grokking", run.quick, run.seed), []
    for i in range(made):
        seed = int(shared.stream(i).generate_state(1)[0])
        try:
            one = grokking(p, width, part, steps=4000, every=20, seed=seed)
        except FloatingPointError:
            continue
        if one.grokked:
            found.append(one)
    return found, made
