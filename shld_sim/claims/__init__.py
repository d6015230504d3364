"""The ledger: claims of the theory documents, measured, with verdicts that come from rules fixed beforehand."""

from shld_sim.claims.ledger import Ledger, Result
from shld_sim.claims.registry import Claim, Evidence, Run, Table, registry
from shld_sim.claims.rules import Outcome, Test, Verdict, decide
from shld_sim.claims.running import verify

__all__ = [
    "Claim",
    "Evidence",
    "Ledger",
    "Outcome",
    "Result",
    "Run",
    "Table",
    "Test",
    "Verdict",
    "decide",
    "registry",
    "verify",
]
