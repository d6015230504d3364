"""shld-sim simulate: run an ensemble, sum up where its paths end, draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shld_sim.cli.equations import box_of, model_of, potential_of, start_of, statistics_of
from shld_sim.cli.output import INTERRUPTED, OK, check_target, plus_minus, table

if TYPE_CHECKING:
    from shld_sim import Ensemble
    from shld_sim.records import Record


def simulate_paths(arguments: Any) -> int:
    from shld_sim import simulate

    potential = potential_of(arguments.potential)
    model = model_of(arguments, potential)
    x0 = start_of(arguments, potential)
    options = {"box": box_of(arguments), "boundary": arguments.boundary, "statistics": statistics_of(arguments)}
    if arguments.out:
        check_target(arguments.out)
    if arguments.store:
        check_target(arguments.store)
    if arguments.plot:
        check_target(arguments.plot, picture=True)
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
        store=arguments.store,
        time_limit=arguments.time_limit,
        **options,
    )
    if arguments.out:
        run.save(arguments.out)
    print(summary(run))
    if arguments.plot:
        from shld_sim import plotting

        plotting.save(draw_run(run), arguments.plot)
    return INTERRUPTED if run.interrupted else OK


def summary(run: Ensemble) -> str:
    """Return where the paths ended: mean, standard deviation and quantiles, each with its standard error.

    Behind it, what was asked for over time.
    """
    from shld_sim import LevyFlight
    from shld_sim.results import Status

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
            cells += [plus_minus(float(x.mean()), sd / np.sqrt(n)), plus_minus(sd, float(of_sd))]
        ordered = np.sort(x)
        for level in levels:
            # the rank of a quantile is binomial: its value one standard deviation to either side gives the error
            half = np.sqrt(level * (1.0 - level) / n)
            low, middle, high = np.quantile(ordered, np.clip([level - half, level, level + half], 0.0, 1.0))
            cells.append(plus_minus(float(middle), 0.5 * float(high - low)))
        rows.append(tuple(cells))
    head = f"{run.model!r}\n{n} path{'s' * (n > 1)} at t={run.n_steps * run.dt:g}, dt={run.dt:g}, scheme {run.scheme}"
    if run.stopped == "time_limit":
        head += ", ended by the time limit"
    if run.boundary:
        head += f"\n{run.boundary} walls {', '.join(f'[{low:g}, {high:g}]' for low, high in run.box or ())}"
    if run.boundary == "absorbing":
        head += f": {int((run.status == Status.EXITED).sum())} paths absorbed"
    tail = "+- is one standard error"
    if heavy:
        tail += "; mean and sd are left out, stable noise may have none"
    over_time = [text for record in run.statistics for text in ("", statistic(record))]
    return "\n".join([head, table(tuple(names), rows, right=True), tail, *over_time])


def statistic(record: Record) -> str:
    """Return a statistic over time and paths as a table, with standard errors."""
    from shld_sim.records import MomentsRecord

    sampled = f"{record.n_samples} samples of each path"
    if isinstance(record, MomentsRecord):
        columns = (record.mean, record.stderr, record.variance, record.variance_stderr)
        values = np.stack([np.atleast_1d(column) for column in columns], axis=-1)
        names = ["x"] if len(values) == 1 else [f"x[{i}]" for i in range(len(values))]
        rows = [(name, plus_minus(*row[:2]), plus_minus(*row[2:])) for name, row in zip(names, values, strict=True)]
        return f"over time, {sampled}\n" + table(("", "mean", "variance"), rows, right=True)
    edges, density, stderr = record.edges, record.density, record.stderr
    bins = zip(edges[:-1], edges[1:], density, stderr, strict=True)
    rows = [(f"{low:.6g}", f"{high:.6g}", plus_minus(p, error)) for low, high, p, error in bins]
    share = float(density @ np.diff(edges))
    return f"density over time, {sampled}, {100 * share:.4g} % inside\n" + table(
        ("from", "to", "p(x)"), rows, right=True
    )


def draw_run(run: Ensemble) -> Any:
    """Return a picture of the run: its paths, if they were kept, and where they end."""
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
