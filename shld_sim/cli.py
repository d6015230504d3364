"""The command line: shld-sim verify | simulate | escape | claims | figures | info."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from shld_sim._version import __version__

if TYPE_CHECKING:
    from shld_sim import Ensemble, Langevin, LevyFlight, Potential

OK, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, keeps the examples as they are laid out, and reads -1e-3 as a number."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)
        self._negative_number_matcher = re.compile(r"^-(\d|\.\d|inf$)")

    def error(self, message: str) -> NoReturn:
        help_of = self.prog if " " in self.prog else "shld-sim"
        sys.stderr.write(f"shld-sim: error: {_one_line(message)} (see {help_of} --help)\n")
        raise SystemExit(WRONG)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments. Default: those of the process.

    Returns
    -------
    int
        0 when all went well, 1 when a claim came to no verdict, 2 for an error in what was asked, 130 after Ctrl-C.
    """
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit as leave:
        return int(leave.code or 0)
    from shld_sim.results import DivergenceError  # no more than NumPy, which every command needs

    try:
        with _warnings_in_one_line():
            status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        sys.stderr.write("shld-sim: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output, `head` perhaps, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (ValueError, TypeError, MemoryError, OSError, DivergenceError) as error:
        sys.stderr.write(f"shld-sim: error: {_one_line(str(error) or type(error).__name__)}\n")
        return WRONG


def _parser() -> _Parser:
    parser = _Parser(
        prog="shld-sim",
        description="A laboratory for stochastic dynamics: simulate, solve and check.",
        epilog="examples:\n  shld-sim verify --quick\n  shld-sim escape --potential DoubleWell height=0.5\n",
    )
    parser.add_argument("--version", action="version", version=f"shld_sim {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[Any], int], summary: str, *examples: str) -> _Parser:
        epilog = "examples:\n" + "".join(f"  shld-sim {example}\n" for example in examples)
        sub = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".", epilog=epilog)
        sub.set_defaults(run=run)
        return sub

    sub = command(
        "verify",
        _verify,
        "check the claims and print the ledger",
        "verify --quick",
        "verify --only shld.kramers 'levy.*' --json ledger.json --report report",
    )
    sub.add_argument("--quick", action="store_true", help="small parameters, the same rules")
    sub.add_argument("--only", nargs="+", metavar="ID", help="ids of claims, or patterns such as 'levy.*'")
    sub.add_argument("--seed", type=int, default=0, help="default: 0")
    sub.add_argument("--json", metavar="FILE", help="write the ledger as JSON")
    sub.add_argument("--report", metavar="DIR", help="write a report with figures")

    sub = command(
        "simulate",
        _simulate,
        "simulate an ensemble and summarise where its paths end",
        "simulate --potential DoubleWell height=0.5 --D 0.1 --x0 -1 --t-end 50 --paths 10000 --plot run.png",
        "simulate --potential Quartic --alpha 1.2 --sigma 0.5 --x0 0 --save-every 10 --out run.npz",
    )
    _add_potential(sub)
    sub.add_argument("--D", type=float, help="diffusion coefficient of Gaussian noise; default: 0.1")
    sub.add_argument("--alpha", type=float, help="stability index of stable noise, with --sigma")
    sub.add_argument("--sigma", type=float, help="scale of stable noise, with --alpha")
    sub.add_argument("--x0", type=float, nargs="+", metavar="X", help="start; default: the first minimum")
    sub.add_argument("--dt", type=float, default=0.01, help="time step; default: 0.01")
    sub.add_argument("--t-end", type=float, default=10.0, help="length of the run; default: 10")
    sub.add_argument("--paths", type=int, default=1000, help="number of paths; default: 1000")
    sub.add_argument("--seed", type=int, default=0, help="default: 0")
    sub.add_argument("--save-every", type=int, metavar="N", help="keep every N-th step; default: the end only")
    sub.add_argument("--out", metavar="FILE.npz", help="save the run, for shld_sim.Ensemble.load")
    sub.add_argument("--plot", metavar="FILE.png", help="draw the paths kept and where they end")

    sub = command(
        "escape",
        _escape,
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
        "claims", _claims, "list the claims: id, title, document", "claims", "claims --only 'shld.*' --statements"
    )
    sub.add_argument("--only", nargs="+", metavar="ID", help="ids, or patterns such as 'levy.*'")
    sub.add_argument("--statements", action="store_true", help="with the statement of each")

    sub = command("figures", _figures, "draw the teaching pictures", "figures", "figures --out lecture")
    sub.add_argument("--out", default="figures", metavar="DIR", help="default: figures")

    command("info", _info, "show versions, threads and the cache of compiled code", "info")
    return parser


def _add_potential(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--potential",
        nargs="+",
        default=["DoubleWell"],
        metavar=("NAME", "KEY=VALUE"),
        help="a landscape of the library and its arguments, lists as 1,2,3; default: DoubleWell",
    )


# -- the commands ------------------------------------------------------------------------------------------------------


def _verify(arguments: Any) -> int:
    if arguments.json:
        _check_target(arguments.json)
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


def _claims(arguments: Any) -> int:
    import fnmatch

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
        print(_table(("id", "title", "document"), [(claim.id, claim.title, claim.document) for claim in chosen]))
    return OK


def _simulate(arguments: Any) -> int:
    import numpy as np

    from shld_sim import simulate

    potential = _potential(arguments.potential)
    model = _model(arguments, potential)
    if arguments.x0 is None:
        minima = potential.minima()
        if not len(minima):
            raise ValueError(f"--x0 is needed: {potential!r} has no minimum to start from")
        x0 = minima[0]
    else:
        x0 = np.array(arguments.x0 if potential.dim > 1 or len(arguments.x0) > 1 else arguments.x0[0])
        if x0.size != potential.dim:
            raise ValueError(f"--x0 must have {potential.dim} coordinates for {potential!r}, got {x0.size}")
    if arguments.out:
        _check_target(arguments.out)
    if arguments.plot:
        _check_target(arguments.plot, picture=True)
    if arguments.plot and potential.dim > 2:
        raise ValueError(f"--plot needs one or two coordinates, got {potential.dim}: {potential!r}")
    run = simulate(
        model,
        x0,
        arguments.dt,
        t_end=arguments.t_end,
        n_paths=arguments.paths,
        seed=arguments.seed,
        save_every=arguments.save_every,
    )
    if arguments.out:
        run.save(arguments.out)
    print(_summary(run))
    if arguments.plot:
        from shld_sim import plotting

        plotting.save(_draw_run(run), arguments.plot)
    return INTERRUPTED if run.interrupted else OK


def _escape(arguments: Any) -> int:
    import numpy as np

    potential = _potential(arguments.potential)
    minimum, saddle = _passage(potential, arguments.minimum, arguments.saddle)
    barrier = float(potential(saddle) - potential(minimum))
    default = barrier / (np.array([2.0, 3.5, 5.0]) if arguments.quick else np.arange(2.0, 8.0))
    strengths = np.sort(arguments.D if arguments.D else default)[::-1]
    if arguments.csv:
        _check_target(arguments.csv)
    if arguments.out:
        _check_target(arguments.out, picture=True)
    paths = arguments.paths if arguments.paths is not None else 500 if arguments.quick else 4000
    if paths < 2:
        raise ValueError(f"--paths must be at least 2 for a standard error, got {paths}")
    sharpest = float(np.abs(potential.hessian(np.array([minimum, saddle]))).max())
    dt = arguments.dt if arguments.dt is not None else 0.005 / sharpest
    print(f"{potential!r}: from {minimum:.6g} over {saddle:.6g}, barrier {barrier:.6g}")
    columns: dict[str, list[float]] = {name: [] for name in _ESCAPE_COLUMNS}
    status = OK
    try:
        for i, D in enumerate(strengths):
            row = _escape_row(potential, minimum, saddle, float(D), paths, dt, (arguments.seed, i))
            if row is None:
                status = INTERRUPTED
                break
            for name, value in row.items():
                columns[name].append(value)
    except KeyboardInterrupt:
        status = INTERRUPTED
    if status == INTERRUPTED:
        sys.stderr.write(f"shld-sim: interrupted after {len(columns['D'])} of {len(strengths)} values of D\n")
    if not columns["D"]:
        return status
    rows = []
    for D, exact, kramers, eyring, gap, simulated, stderr in zip(*columns.values(), strict=True):
        ratios = [f"{value:.4g}" if value == value else "-" for value in (kramers, eyring, gap)]
        rows.append((f"{D:.4g}", f"{barrier / D:.3g}", f"{exact:.6g}", *ratios, f"{simulated:.4g} +- {stderr:.2g}"))
    names = ("D", "barrier/D", "exact", "Kramers as stated", "Eyring-Kramers", "spectral gap", "simulated")
    print(_table(names, rows, right=True))
    print("rates to the far side, 1/(2 E tau) with tau the time to the saddle; +- is one standard error")
    if arguments.csv:
        lines = [
            ",".join(columns),
            *(",".join(f"{v:.10g}" for v in row) for row in zip(*columns.values(), strict=True)),
        ]
        Path(arguments.csv).write_text("\n".join(lines) + "\n", encoding="utf-8")
    if arguments.out:
        from shld_sim import plotting

        plotting.save(_draw_escape(columns), arguments.out)
    return status


def _figures(arguments: Any) -> int:
    from shld_sim import plotting

    home = Path(arguments.out)
    home.mkdir(parents=True, exist_ok=True)
    for name, draw in _FIGURES.items():
        print(plotting.save(draw(), home / f"{name}.png", dpi=100), flush=True)
    return OK


def _info(arguments: Any) -> int:
    import importlib.util
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from shld_sim._work import thread_count

    def version_of(name: str) -> str:
        try:
            return version(name)
        except PackageNotFoundError:
            return "not installed" if importlib.util.find_spec(name) is None else "installed"

    cache, size = _cache()
    rows = [("shld_sim", __version__), ("python", platform.python_version())]
    rows += [(name, version_of(name)) for name in ("numpy", "scipy", "numba", "matplotlib")]
    rows += [(f"{name} (optional)", version_of(name)) for name in ("tqdm", "sympy", "dask")]
    rows += [("threads", str(thread_count(None))), ("cache", str(cache)), ("cache size", f"{size / 2**20:.1f} MiB")]
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name.ljust(width)}  {value}" for name, value in rows))
    return OK


# -- simulate: reading the model, summing up the run -------------------------------------------------------------------


def _potential(words: Sequence[str]) -> Potential:
    """Return the potential named by ``["DoubleWell", "height=0.5", ...]``."""
    import inspect

    from shld_sim import potentials

    library = sorted(set(potentials.__all__) - {"Potential"})
    name, *settings = words
    found = {known.lower(): known for known in library}.get(name.lower())
    if found is None:
        raise ValueError(f"--potential must be one of {', '.join(library)}, got {name!r}")
    kind = getattr(potentials, found)
    parameters = inspect.signature(kind).parameters
    known = list(parameters)
    takes = ", ".join(known) if known else "no arguments"
    arguments: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--potential takes arguments as key=value, got {setting!r}")
        if key not in known:
            raise ValueError(f"{found} takes {takes}, got {key!r}")
        try:
            numbers = [float(part) for part in value.split(",") if part.strip()]
        except ValueError:
            numbers = []
        if not numbers:
            raise ValueError(f"{key} must be a number or a list such as 1,2,3, got {value!r}")
        arguments[key] = numbers if "," in value else numbers[0]
    missing = [name for name, p in parameters.items() if p.default is p.empty and name not in arguments]
    if missing:
        raise ValueError(f"{found} needs {', '.join(f'{name}=...' for name in missing)}")
    return kind(**arguments)


def _model(arguments: Any, potential: Potential) -> Langevin | LevyFlight:
    from shld_sim import Langevin, LevyFlight

    if arguments.alpha is None and arguments.sigma is None:
        return Langevin(potential, D=0.1 if arguments.D is None else arguments.D)
    if arguments.D is not None:
        raise ValueError("give --D for Gaussian noise, or --alpha and --sigma for stable noise, not both")
    if arguments.alpha is None or arguments.sigma is None:
        raise ValueError("stable noise needs both --alpha and --sigma")
    return LevyFlight(potential, alpha=arguments.alpha, sigma=arguments.sigma)


def _summary(run: Ensemble) -> str:
    """Return where the paths ended: mean, standard deviation and quantiles, each with its standard error."""
    import numpy as np

    from shld_sim import LevyFlight

    final = run.final.reshape(run.n_paths, -1)
    n = run.n_paths
    heavy = isinstance(run.model, LevyFlight) and run.model.alpha < 2.0
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    names = ["", *([] if heavy else ["mean", "sd"]), *(f"q{100 * level:g}%" for level in levels)]
    rows = []
    for i, x in enumerate(final.T):
        cells = ["x" if final.shape[1] == 1 else f"x[{i}]"]
        if not heavy:
            sd = float(x.std(ddof=1)) if n > 1 else float("nan")
            # Var(s) = (m4 - s^4)/(4 n s^2)
            fourth = float(np.mean((x - x.mean()) ** 4))
            of_sd = np.sqrt(max(fourth - sd**4, 0.0) / (4.0 * n)) / sd if sd > 0 else float("nan")
            cells += [_pm(float(x.mean()), sd / np.sqrt(n)), _pm(sd, float(of_sd))]
        ordered = np.sort(x)
        for level in levels:
            # the rank of a quantile is binomial: its value one standard deviation to either side gives the error
            half = np.sqrt(level * (1.0 - level) / n)
            low, middle, high = np.quantile(ordered, np.clip([level - half, level, level + half], 0.0, 1.0))
            cells.append(_pm(float(middle), 0.5 * float(high - low)))
        rows.append(tuple(cells))
    head = f"{run.model!r}\n{n} path{'s' * (n > 1)} at t={run.t[-1]:g}, dt={run.dt:g}, scheme {run.scheme}"
    tail = "+- is one standard error"
    if heavy:
        tail += "; mean and sd are left out, stable noise may have none"
    return "\n".join([head, _table(tuple(names), rows, right=True), tail])


def _pm(value: float, error: float) -> str:
    """Return ``value +- error`` rounded to two digits of the error."""
    import math

    if not (math.isfinite(value) and math.isfinite(error) and error > 0.0):
        return f"{value:.4g}" if math.isfinite(value) else "-"
    digits = 1 - math.floor(math.log10(error))
    if not -3 < digits < 8:
        return f"{value:.4g} +- {error:.1g}"
    return f"{value:.{max(digits, 0)}f} +- {error:.{max(digits, 0)}f}"


def _draw_run(run: Ensemble) -> Any:
    """Return a picture of the run: its paths, if they were kept, and where they end."""
    import numpy as np

    from shld_sim import Langevin, plotting, theory

    dim = run.model.dim
    kept = len(run.t) > 1
    fig, axes = plotting.new_figure(1, 2 if kept else 1)
    panels = list(np.atleast_1d(axes))
    if kept:
        plotting.paths(run, panels[0], n=3 if dim == 2 else 6)
    if dim == 2:
        ax = plotting.potential(run.model.potential, panels[-1])
        ax.plot(*run.final[:5000].T, ".", ms=2, color=plotting.PALETTE["vermilion"], alpha=0.5, zorder=3)
        return fig
    reference = None
    if isinstance(run.model, Langevin) and run.model.potential.period is None:
        try:
            reference = theory.gibbs_density(run.model)
        except (ValueError, TypeError):  # there is no stationary law to show
            reference = None
    x = run.final[np.isfinite(run.final)]
    span = None
    if not isinstance(run.model, Langevin):
        low, high = np.quantile(x, [0.01, 0.99])
        span = (float(low - 0.1 * (high - low)), float(high + 0.1 * (high - low)))
    bins = int(np.clip(np.sqrt(x.size), 5, 60))
    ax = plotting.histogram(x, panels[-1], bins, range=span, label=f"paths at t = {run.t[-1]:g}")
    if reference is not None:
        plotting.density(np.linspace(*ax.get_xlim(), 600), reference, ax, color="#404040", label="Gibbs", lw=1.5)
    return fig


# -- escape ------------------------------------------------------------------------------------------------------------

_ESCAPE_COLUMNS = ("D", "exact", "kramers", "eyring_kramers", "gap", "simulated", "stderr")


def _passage(potential: Potential, minimum: float | None, saddle: float | None) -> tuple[float, float]:
    """Return the bottom of the well and the top of the barrier: what was asked for, or the first and the lowest."""
    import numpy as np

    if potential.dim != 1:
        raise ValueError(f"--potential must be one-dimensional here, got {potential!r}")
    minima, saddles = potential.minima(), potential.saddles()
    if not minima.size or not saddles.size:
        raise ValueError(f"--potential must have a well and a barrier, got {potential!r}")
    well = float(minima[0] if minimum is None else minima[np.argmin(np.abs(minima - minimum))]) + 0.0
    if saddle is not None:
        return well, float(saddles[np.argmin(np.abs(saddles - saddle))])
    beside = [*saddles[saddles < well][-1:], *saddles[saddles > well][:1]]
    return well, float(min(beside, key=potential))


def _escape_row(
    potential: Potential, minimum: float, saddle: float, D: float, paths: int, dt: float, seed: tuple[int, int]
) -> dict[str, float] | None:
    """Return one row of the table of escape rates, or None after Ctrl-C."""
    import numpy as np

    from shld_sim import Langevin, first_passage, theory

    model = Langevin(potential, D=D)
    domain = (-np.inf, saddle) if minimum < saddle else (saddle, np.inf)
    # E tau to the saddle is half the time to the far side: rate = 1/(2 E tau)
    exact = 0.5 / theory.mean_exit_time(model, minimum, domain)
    seeds = np.random.SeedSequence(entropy=seed[0], spawn_key=(seed[1],))
    exits = first_passage(model, minimum, domain, dt, paths, seed=seeds)
    if exits.interrupted:
        return None
    mean = exits.mean()
    return {
        "D": D,
        "exact": exact,
        "kramers": theory.kramers_rate_as_stated(model, minimum, saddle),
        "eyring_kramers": theory.eyring_kramers_rate(model, minimum, saddle),
        "gap": _gap_rate(model, minimum, saddle),
        "simulated": 0.5 / mean,
        "stderr": 0.5 * exits.stderr() / mean**2,
    }


def _gap_rate(model: Langevin, minimum: float, saddle: float) -> float:
    """Return ``lambda_1 pi(far side)``, the rate out of a well of two by the gap of the grid; NaN elsewhere.

    Two wells exchange probability at rates k, k': ``lambda_1 = k + k'`` and, by detailed balance,
    ``k pi(near) = k' pi(far)``, so ``k = lambda_1 pi(far)``.
    """
    import numpy as np

    from shld_sim import FokkerPlanck, Grid, theory

    potential = model.potential
    if len(potential.minima()) != 2 or potential.period is not None:
        return float("nan")
    assert isinstance(model.D, float)
    low, high = potential.plot_box[0]
    lowest, width = float(potential(potential.minima()).min()), high - low
    # wide enough for the Gibbs weight exp(-V/D) to be 1e-14 of its largest at both ends
    while float(potential(low)) < lowest + 32.0 * model.D:
        low -= 0.05 * width
    while float(potential(high)) < lowest + 32.0 * model.D:
        high += 0.05 * width
    gap = float(FokkerPlanck(model, Grid(low, high, 2000)).eigenvalues(2)[1])
    near = float(np.asarray(theory.gibbs_cdf(model)(saddle)))
    return gap * (1.0 - near if minimum < saddle else near)


def _draw_escape(columns: dict[str, list[float]]) -> Any:
    from shld_sim import plotting

    fig, (left, right) = plotting.new_figure(1, 2, size=(11.0, 4.4))
    plotting.escape(columns, left)
    plotting.escape(columns, right, relative=True)
    right.axhline(1.0, color="black", lw=1.8, zorder=1)
    right.get_legend().remove()
    bottom, top = right.get_ylim()
    right.set_ylim(min(bottom, 0.9), max(top, 1.1))
    return fig


# -- figures -----------------------------------------------------------------------------------------------------------


def _figure_potential() -> Any:
    """Two landscapes, with paths of the second."""
    from shld_sim import DoubleWell, Langevin, MuellerBrown, plotting, simulate

    fig, (left, right) = plotting.new_figure(1, 2, size=(9.6, 3.9))
    plotting.potential(DoubleWell(), left)
    left.set_title("double well", fontsize=13, loc="left")
    model = Langevin(MuellerBrown(), D=15.0)
    run = simulate(model, x0=(0.62, 0.03), dt=1e-4, t_end=0.3, n_paths=2, seed=3, save_every=10)
    plotting.paths(run, right, n=1)
    right.set_title("Mueller-Brown, D = 15", fontsize=13, loc="left")
    return fig


def _figure_ensemble() -> Any:
    """An ensemble that starts at one point of the double well, against the Fokker-Planck equation."""
    import numpy as np

    from shld_sim import DoubleWell, FokkerPlanck, Grid, Langevin, plotting, simulate

    model = Langevin(DoubleWell(), D=0.1)
    run = simulate(model, x0=-1.0, dt=0.005, t_end=100.0, n_paths=20_000, seed=1, save_every=100)
    fp = FokkerPlanck(model, Grid(-2.5, 2.5, 500))
    fig, axes = plotting.new_figure(1, 3, size=(12.0, 3.8), sharey=True)
    for ax, t in zip(axes, (0.5, 10.0, 100.0), strict=True):
        i = int(np.argmin(np.abs(run.t - t)))
        plotting.histogram(run.x[i], ax, 50, range=(-2.0, 2.0), label="20 000 paths")
        plotting.density(fp.grid, fp.propagate(-1.0, t), ax, color="black", lw=1.5, label="Fokker-Planck")
        plotting.finish(ax, "x", "p(x, t)" if ax is axes[0] else "", f"t = {t:g}", legend=ax is axes[0])
        ax.set_xlim(-2.0, 2.0)
        if ax is not axes[0] and ax.get_legend():
            ax.get_legend().remove()
    return fig


def _figure_escape() -> Any:
    """Escape rates of the double well by five routes."""
    from shld_sim import DoubleWell

    columns: dict[str, list[float]] = {name: [] for name in _ESCAPE_COLUMNS}
    for i, ratio in enumerate((2.0, 3.0, 4.0, 5.0, 6.0)):
        row = _escape_row(DoubleWell(), -1.0, 0.0, 0.25 / ratio, 4000, 0.01, (0, i))
        if row is None:
            raise KeyboardInterrupt
        for name, value in row.items():
            columns[name].append(value)
    return _draw_escape(columns)


def _figure_levy() -> Any:
    """Cauchy noise in a quartic well: the bimodal stationary density and its tail."""
    import numpy as np

    from shld_sim import LevyFlight, Quartic, plotting, simulate, theory

    model = LevyFlight(Quartic(), alpha=1.0, sigma=1.0)
    dt = 0.002
    run = simulate(model, x0=0.0, dt=dt, t_end=8.0, n_paths=50_000, seed=1)
    x = run.final / np.sqrt(1.0 - dt * run.final**2)  # half a step of the flow back: symmetric, second order in dt
    cdf = theory.quartic_stable_cdf(model)
    fig, (left, right) = plotting.new_figure(1, 2, size=(11.0, 4.4))
    plotting.histogram(x, left, 70, range=(-3.5, 3.5), reference=theory.quartic_stable_density(model))
    plotting.tails(x, right, reference=lambda y: 2.0 * cdf(-y))
    return fig


def _figure_gamma() -> Any:
    """The uncertainty product under Gibbs, and the two thresholds of linear multiplicative noise."""
    import numpy as np

    from shld_sim import DoubleWell, Harmonic, Langevin, Quartic, plotting, theory

    colors = plotting.PALETTE
    fig, (left, right) = plotting.new_figure(1, 2, size=(11.0, 4.4))
    D = np.geomspace(0.02, 2.0, 40)
    wells: list[tuple[str, Potential, str]] = [
        ("harmonic", Harmonic(), "blue"),
        ("quartic", Quartic(), "green"),
        ("double well", DoubleWell(), "vermilion"),
    ]
    for name, well, color in wells:
        product = [theory.uncertainty_product(Langevin(well, D=float(d))) / d for d in D]
        left.plot(D, product, lw=2, color=colors[color], label=name)
    left.axhline(0.5, ls="--", color="#404040", lw=1.5)
    left.annotate("as stated: 1/2", (0.02, 0.53), va="bottom", fontsize=11, color="#404040")
    left.set_xscale("log")
    left.set_yscale("log")
    plotting.finish(left, "D", "sd(x) sd(V') / D", "Gibbs law: never below 1")
    ratio = np.linspace(0.2, 3.0, 200)  # Gamma_H = 2 lam/s^2 at lam = 1
    noise = np.sqrt(2.0 / ratio)
    right.plot(ratio, [theory.almost_sure_exponent(1.0, float(s)) for s in noise], lw=2, color=colors["blue"])
    right.plot(
        ratio, [0.5 * theory.mean_square_exponent(1.0, float(s)) for s in noise], lw=2, color=colors["vermilion"]
    )
    right.axhline(0.0, color="#404040", lw=1)
    right.axvline(1.0, ls=":", color="#404040", lw=1.5)
    right.annotate("root mean square", (1.1, 0.9), fontsize=12, color=colors["vermilion"])
    right.annotate("almost every path", (1.1, -3.0), fontsize=12, color=colors["blue"])
    right.set_ylim(-5.0, 3.0)
    plotting.finish(right, r"$\Gamma_H = 2\lambda/s^2$", r"growth rate / $\lambda$", r"$dX = -\lambda X dt + sX dW$")
    return fig


_FIGURES: dict[str, Callable[[], Any]] = {
    "potential": _figure_potential,
    "ensemble": _figure_ensemble,
    "escape": _figure_escape,
    "levy": _figure_levy,
    "gamma": _figure_gamma,
}


# -- helpers -----------------------------------------------------------------------------------------------------------


def _table(names: Sequence[str], rows: Sequence[Sequence[str]], *, right: bool = False) -> str:
    """Return a plain table; ``right`` aligns all columns to the right."""
    widths = [max(len(row[i]) for row in (names, *rows)) for i in range(len(names))]
    lines = [names, ["-" * width for width in widths], *rows]
    pad = str.rjust if right else str.ljust
    return "\n".join(
        "  ".join(pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _one_line(message: str) -> str:
    return " ".join(message.split())


def _check_target(path: str, picture: bool = False) -> None:
    """Raise before any work is done if ``path`` cannot be written."""
    target = Path(path)
    if picture and target.suffix.lower() not in {".png", ".pdf", ".svg"}:
        raise ValueError(f"a picture must end in .png, .pdf or .svg, got {path!r}")
    if target.is_dir():
        raise IsADirectoryError(f"cannot write {path!r}: it is a directory")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path!r}: there is no directory {str(target.parent)!r}")
    if not os.access(target if target.exists() else target.parent, os.W_OK):
        raise PermissionError(f"cannot write {path!r}: permission denied")


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Show warnings as ``shld-sim: warning: ...`` on stderr."""

    def show(message: Warning | str, *rest: Any, **more: Any) -> None:
        sys.stderr.write(f"shld-sim: warning: {_one_line(str(message))}\n")

    with warnings.catch_warnings():
        warnings.showwarning = show  # restored by catch_warnings
        yield


def _cache() -> tuple[Path, int]:
    """Return the directory in which Numba keeps the compiled kernels, and the size of what is in it."""
    import shld_sim
    from shld_sim.engine import streams

    package = Path(shld_sim.__file__).parent
    stats = getattr(streams.start_states, "stats", None)
    place = Path(getattr(stats, "cache_path", None) or package)
    inside = place.is_relative_to(package)  # beside the sources, one __pycache__ for each folder
    home = package if inside else place.parent
    size = sum(path.stat().st_size for path in home.rglob("*.nb[ci]"))
    return home, size


if __name__ == "__main__":
    raise SystemExit(main())
