"""The words that the commands take."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from shld_sim._version import __version__
from shld_sim.cli.escape import escape
from shld_sim.cli.figures import figures
from shld_sim.cli.info import info
from shld_sim.cli.ledger import list_claims, verify_claims
from shld_sim.cli.output import WRONG, one_line
from shld_sim.cli.simulation import simulate_paths
from shld_sim.cli.tracking import track


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, keeps the examples as they are laid out, and reads -1e-3 as a number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)
        self._negative_number_matcher = re.compile(r"^-(\d|\.\d|inf$)")

    def error(self, message: str) -> NoReturn:
        help_of = self.prog if " " in self.prog else "shld-sim"
        sys.stderr.write(f"shld-sim: error: {one_line(message)} (see {help_of} --help)\n")
        raise SystemExit(WRONG)


def make_parser() -> Parser:
    parser = Parser(
        prog="shld-sim",
        description="A laboratory for stochastic dynamics: simulate, solve and check.",
        epilog="examples:\n  shld-sim verify --quick\n  shld-sim escape --potential DoubleWell height=0.5\n",
    )
    parser.add_argument("--version", action="version", version=f"shld_sim {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], int], summary: str, *examples: str) -> Parser:
        epilog = "examples:\n" + "".join(f"  shld-sim {example}\n" for example in examples)
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=epilog)
        sub.set_defaults(run=run)
        return sub

    sub = command(
        "verify",
        verify_claims,
        "check the claims and print the ledger",
        "verify --quick",
        "verify --only shld.kramers 'levy.*' --json ledger.json --report report",
        "verify --store results --report report",
    )
    sub.add_argument("--quick", action="store_true", help="small parameters, the same rules")
    sub.add_argument("--only", nargs="+", metavar="ID", help="ids of claims, or patterns such as 'levy.*'")
    sub.add_argument("--seed", type=int, default=0, help="default: 0")
    sub.add_argument("--jobs", type=int, metavar="N", help="claims checked side by side; default: one per processor")
    sub.add_argument("--store", metavar="DIR", help="keep each result there at once, and take up those that are there")
    sub.add_argument("--json", metavar="FILE", help="write the ledger as JSON")
    sub.add_argument("--report", metavar="DIR", help="write index.html, report.md, ledger.json and the figures")

    sub = command(
        "simulate",
        simulate_paths,
        "simulate an ensemble and summarise where its paths end",
        "simulate --potential DoubleWell height=0.5 --D 0.1 --x0 -1 --t-end 50 --paths 10000 --plot run.png",
        "simulate --potential Quartic --alpha 1.2 --sigma 0.5 --x0 0 --save-every 10 --out run.npz",
        "simulate --friction 0.5 --box -1.5 1.5 --boundary reflecting --histogram -1.5 1.5 30 --burn-in 5",
        "simulate --paths 100000 --t-end 1e4 --save-every 1000 --store run.npy --moments --time-limit 3600",
    )
    _add_potential(sub)
    sub.add_argument("--D", type=float, help="diffusion coefficient of Gaussian noise, or temperature; default: 0.1")
    sub.add_argument("--friction", type=float, help="friction of a particle with inertia, at temperature D")
    sub.add_argument("--alpha", type=float, help="stability index of stable noise, with --sigma")
    sub.add_argument("--sigma", type=float, help="scale of stable noise, with --alpha")
    sub.add_argument("--x0", type=float, nargs="+", metavar="X", help="start; default: the first minimum")
    sub.add_argument("--dt", type=float, default=0.01, help="time step; default: 0.01")
    sub.add_argument("--t-end", type=float, default=10.0, help="length of the run; default: 10")
    sub.add_argument("--paths", type=int, default=1000, help="number of paths; default: 1000")
    sub.add_argument("--seed", type=int, default=0, help="default: 0")
    sub.add_argument("--box", type=float, nargs="+", metavar="END", help="walls: LOW HIGH, or a pair per coordinate")
    sub.add_argument("--boundary", metavar="KIND", help="what the walls do: reflecting, periodic or absorbing")
    sub.add_argument("--save-every", type=int, metavar="N", help="keep every N-th step; default: the end only")
    sub.add_argument("--store", metavar="FILE.npy", help="keep the paths in a file, from which a killed run goes on")
    sub.add_argument("--moments", action="store_true", help="mean and variance of x over time and paths")
    sub.add_argument(
        "--histogram", type=float, nargs=3, metavar=("LOW", "HIGH", "BINS"), help="density of x over time and paths"
    )
    sub.add_argument("--sample-every", type=int, default=1, metavar="N", help="steps between samples of x; default: 1")
    sub.add_argument("--burn-in", type=float, default=0.0, metavar="T", help="time before the first sample; default: 0")
    sub.add_argument("--time-limit", type=float, metavar="SECONDS", help="end the run after so long")
    sub.add_argument("--out", metavar="FILE.npz", help="save the run, for shld_sim.Ensemble.load")
    sub.add_argument("--plot", metavar="FILE.png", help="draw the paths kept and where they end")

    sub = command(
        "escape",
        escape,
        "compare escape rates over a barrier, by five routes, for several D",
        "escape --quick",
        "escape --potential TiltedDoubleWell tilt=0.05 --D 0.05 0.07 0.1 --out escape.png --csv escape.csv",
    )
    _add_potential(sub)
    sub.add_argument("--minimum", type=float, help="bottom of the well to leave; default: the first")
    sub.add_argument("--saddle", type=float, help="top of the barrier; default: the lowest next to the well")
    sub.add_argument("--D", type=float, nargs="+", help="default: barrier / 2, 3, ... 7")
    sub.add_argument("--paths", type=int, help="simulated paths for each D; default: 4000, quick 500")
    sub.add_argument("--dt", type=float, help="time step; default: 0.005 / largest curvature of well and barrier")
    sub.add_argument("--seed", type=int, default=0, help="default: 0")
    sub.add_argument("--quick", action="store_true", help="fewer D and fewer paths")
    sub.add_argument("--out", metavar="FILE.png", help="draw the rates against 1/D")
    sub.add_argument("--csv", metavar="FILE.csv", help="write the table with all digits")

    sub = command(
        "claims", list_claims, "list the claims: id, title, document", "claims", "claims --only 'shld.*' --statements"
    )
    sub.add_argument("--only", nargs="+", metavar="ID", help="ids, or patterns such as 'levy.*'")
    sub.add_argument("--statements", action="store_true", help="with the statement of each")

    sub = command(
        "track",
        track,
        "show the log of a training: the last steps, what they say, a figure",
        "track run.jsonl",
        "track run.jsonl --columns loss,C,p --output run.png",
        "track run.jsonl --follow --output run.png",
    )
    sub.add_argument("file", metavar="FILE", help="log that shld_sim.Tracker writes")
    sub.add_argument("--follow", action="store_true", help="go on as the file grows, until Ctrl-C")
    sub.add_argument("--output", metavar="FIG.png", help="draw the log; with --follow again and again")
    sub.add_argument("--columns", metavar="NAME,NAME", help="names to show and draw; default: the main ones")
    sub.add_argument("--rows", type=int, default=10, metavar="N", help="steps to show; default: 10")
    sub.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between two looks; default: 1")

    sub = command("figures", figures, "draw the teaching pictures", "figures", "figures --out lecture")
    sub.add_argument("--out", default="figures", metavar="DIR", help="default: figures")

    command("info", info, "show versions, threads and the cache of compiled code", "info")
    return parser


def _add_potential(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--potential",
        nargs="+",
        default=["DoubleWell"],
        metavar=("NAME", "KEY=VALUE"),
        help="a landscape of the library and its arguments, lists as 1,2,3; default: DoubleWell",
    )
