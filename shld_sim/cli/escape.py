"""shld-sim escape: rates over a barrier by five routes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from shld_sim.cli.equations import potential_of
from shld_sim.cli.output import INTERRUPTED, OK, check_target, table

if TYPE_CHECKING:
    from shld_sim import Langevin, Potential

COLUMNS = ("D", "exact", "kramers", "eyring_kramers", "gap", "simulated", "stderr")


def escape(arguments: Any) -> int:
    potential = potential_of(arguments.potential)
    minimum, saddle = passage(potential, arguments.minimum, arguments.saddle)
    barrier = float(potential(saddle) - potential(minimum))
    default = barrier / (np.array([2.0, 3.5, 5.0]) if arguments.quick else np.arange(2.0, 8.0))
    strengths = np.sort(arguments.D if arguments.D else default)[::-1]
    if arguments.csv:
        check_target(arguments.csv)
    if arguments.out:
        check_target(arguments.out, picture=True)
    paths = arguments.paths if arguments.paths is not None else 500 if arguments.quick else 4000
    if paths < 2:
        raise ValueError(f"--paths must be at least 2 for a standard error, got {paths}")
    sharpest = float(np.abs(potential.hessian(np.array([minimum, saddle]))).max())
    dt = arguments.dt if arguments.dt is not None else 0.005 / sharpest
    print(f"{potential!r}: from {minimum:.6g} over {saddle:.6g}, barrier {barrier:.6g}")
    columns: dict[str, list[float]] = {name: [] for name in COLUMNS}
    status = OK
    try:
        for i, D in enumerate(strengths):
            row = escape_row(potential, minimum, saddle, float(D), paths, dt, (arguments.seed, i))
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
    print(table(names, rows, right=True))
    print("rates to the far side, 1/(2 E tau) with tau the time to the saddle; +- is one standard error")
    if arguments.csv:
        lines = [
            ",".join(columns),
            *(",".join(f"{v:.10g}" for v in row) for row in zip(*columns.values(), strict=True)),
        ]
        Path(arguments.csv).write_text("\n".join(lines) + "\n", encoding="utf-8")
    if arguments.out:
        from shld_sim import plotting

        plotting.save(draw_escape(columns), arguments.out)
    return status


def passage(potential: Potential, minimum: float | None, saddle: float | None) -> tuple[float, float]:
    """Return the bottom of the well and the top of the barrier: what was asked for, or the first and the lowest."""
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


def escape_row(
    potential: Potential, minimum: float, saddle: float, D: float, paths: int, dt: float, seed: tuple[int, int]
) -> dict[str, float] | None:
    """Return one row of the table of escape rates, or None after Ctrl-C."""
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
        "gap": gap_rate(model, minimum, saddle),
        "simulated": 0.5 / mean,
        "stderr": 0.5 * exits.stderr() / mean**2,
    }


def gap_rate(model: Langevin, minimum: float, saddle: float) -> float:
    """Return ``lambda_1 pi(far side)``, the rate out of a well of two by the gap of the grid; NaN elsewhere.

    Two wells exchange probability at rates k, k': ``lambda_1 = k + k'`` and, by detailed balance,
    ``k pi(near) = k' pi(far)``, so ``k = lambda_1 pi(far)``.
    """
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


def draw_escape(columns: dict[str, list[float]]) -> Any:
    from shld_sim import plotting

    fig, (left, right) = plotting.new_figure(1, 2, size=(11.0, 4.4))
    plotting.escape(columns, left)
    plotting.escape(columns, right, relative=True)
    right.axhline(1.0, color="black", lw=1.8, zorder=1)
    right.get_legend().remove()
    bottom, top = right.get_ylim()
    right.set_ylim(min(bottom, 0.9), max(top, 1.1))
    return fig
