"""shld-sim verify and claims: the ledger, and what there is to check."""

from __future__ import annotations

import fnmatch
import sys
from pathlib import Path
from typing import Any

from shld_sim.cli.output import FAILED, INTERRUPTED, OK, check_target, table


def verify_claims(arguments: Any) -> int:
    if arguments.json:
        check_target(arguments.json)
    from shld_sim.claims import verify

    ledger = verify(only=arguments.only, quick=arguments.quick, seed=arguments.seed)
    print(ledger.table(), flush=True)
    if arguments.json:
        Path(arguments.json).write_text(ledger.to_json() + "\n", encoding="utf-8")
    if arguments.report:
        ledger.write_report(arguments.report)
    if getattr(ledger, "interrupted", False):
        sys.stderr.write("shld-sim: interrupted\n")
        return INTERRUPTED
    return OK if ledger.passed else FAILED


def list_claims(arguments: Any) -> int:
    from shld_sim.claims import registry

    chosen = registry()
    if arguments.only:
        for pattern in arguments.only:
            if not any(fnmatch.fnmatchcase(claim.id, pattern) for claim in chosen):
                raise ValueError(f"--only must name claims, got {pattern!r}: `shld-sim claims` lists them")
        chosen = tuple(c for c in chosen if any(fnmatch.fnmatchcase(c.id, pattern) for pattern in arguments.only))
    if arguments.statements:
        for claim in chosen:
            print(f"{claim.id}  {claim.title}  ({claim.document})\n    {' '.join(claim.statement.split())}")
    else:
        print(table(("id", "title", "document"), [(claim.id, claim.title, claim.document) for claim in chosen]))
    return OK
