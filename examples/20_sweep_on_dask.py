"""Do exit times at many noises and barriers, computed on a cluster, fall on one curve?

Equation: dX = -V'(X) dt + sqrt(2 D) dW, V = h ((x/w)^2 - 1)^2 with w = 1, from the minimum -1 to the saddle 0.

Expected: in units of its own time 1/h the equation holds D and h in the ratio h/D alone, so that h T is one function of
h/D whatever the two are. Exact quadrature gives that function; Eyring-Kramers, h T = pi/(4 sqrt(2)) exp(h/D), is what it
tends to. The points are worked out on a Dask cluster of this machine (on plain processes where Dask is not installed);
the numbers are the same bits on either, because the seed of a point depends on its parameters alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
DOMAIN = (-np.inf, 0.0)


def escape(D: float, height: float, n_paths: int, accuracy: float, seed: np.random.SeedSequence) -> dict:
    """Return the mean exit time and its standard error: the function that the workers run."""
    model = shld.Langevin(shld.DoubleWell(height=height), D=D)
    dt = accuracy / (8.0 * height)  # V''(-1) = 8 h
    exits = shld.first_passage(model, -1.0, DOMAIN, dt, n_paths, seed=seed, n_threads=1, progress=False)
    return {"T": exits.mean(), "stderr": exits.stderr(), "steps": float(exits.times.sum() / dt)}


@contextlib.contextmanager
def cluster() -> Iterator[Executor | None]:
    """Give the executor of a Dask cluster on this machine; None, for processes of our own, without Dask."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        print("Dask is not installed (pip install shld_sim[distributed]): using a pool of processes")
        yield None
        return
    # on the loopback interface, without the dashboard; elsewhere: Client("scheduler:8786"), see docs/cluster.md
    local = LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None)
    with local, Client(local) as client:
        yield client.get_executor()


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    strengths = [0.06, 0.1] if quick else [0.06, 0.07, 0.085, 0.1, 0.14]
    heights = [0.15, 0.3] if quick else [0.15, 0.25, 0.35]
    fixed = {"n_paths": [1_000 if quick else 8_000], "accuracy": [0.01 if quick else 0.005]}
    with cluster() as executor:
        result = shld.sweep(escape, {"height": heights, "D": strengths, **fixed}, seed=20, executor=executor)
    if result.errors:
        raise RuntimeError(f"points failed: {result.errors}")

    numbers: dict = {}
    exact = np.empty(len(result))
    for i, (point, value) in enumerate(result):
        model = shld.Langevin(shld.DoubleWell(height=point["height"]), D=point["D"])
        exact[i] = shld.theory.mean_exit_time(model, -1.0, DOMAIN)
        numbers[f"T, h = {point['height']:g}, D = {point['D']:g}"] = (value["T"], value["stderr"], exact[i])
    with ThreadPoolExecutor(1) as here:
        one = shld.sweep(escape, [result.parameters[0]], seed=20, executor=here)
    numbers["difference from a run without a cluster"] = one.values[0]["T"] - result.values[0]["T"]
    numbers["path-steps, millions"] = float(result.array("steps").sum()) / 1e6

    # rows: heights
    T, error = result.array("T")[..., 0, 0], result.array("stderr")[..., 0, 0]
    ratio, exact = np.divide.outer(heights, strengths), exact.reshape(T.shape)
    x = np.linspace(0.9 * ratio.min(), 1.06 * ratio.max(), 100)
    unit = shld.DoubleWell(height=1.0)
    curve = np.array([shld.theory.mean_exit_time(shld.Langevin(unit, D=1.0 / r), -1.0, DOMAIN) for r in x])
    colours = [plotting.PALETTE[name] for name in ("blue", "vermilion", "green")]
    markers = ("o", "s", "^")
    fig, (left, middle, right) = plotting.new_figure(1, 3, size=(14.0, 4.4))
    for k, h in enumerate(heights):
        style = dict(fmt=markers[k], ms=7, color=colours[k], capsize=3)
        left.errorbar(strengths, T[k], error[k], label=f"h = {h:g}", **style)
        D = np.linspace(0.95 * min(strengths), 1.05 * max(strengths), 60)
        left.plot(D, np.interp(h / D, x, curve, left=np.nan, right=np.nan) / h, color=colours[k], lw=1.2)
        middle.errorbar(ratio[k], h * T[k], h * error[k], label=f"h = {h:g}", **style)
        right.errorbar(ratio[k], T[k] / exact[k], error[k] / exact[k], label=f"h = {h:g}", **style)
    kramers = np.pi / (4.0 * np.sqrt(2.0)) * np.exp(x)
    middle.plot(x, curve, color="black", lw=1.5, label="exact (quadrature)", zorder=0)
    middle.plot(x, kramers, "--", color="#606060", lw=1.5, label="Eyring-Kramers", zorder=0)
    right.axhline(1.0, color="black", lw=1.5, zorder=0)
    right.plot(x, kramers / curve, "--", color="#606060", lw=1.5, zorder=0)
    right.annotate("Eyring-Kramers", (x[60], kramers[60] / curve[60] - 0.012), color="#606060", va="top", fontsize=11)
    for ax in (left, middle):
        ax.set_yscale("log")
    plotting.finish(left, "D", "mean exit time T", "each barrier its own curve")
    plotting.finish(middle, "h / D", "h T", "one curve in units of 1/h")
    plotting.finish(right, "h / D", "T / exact", "against exact quadrature", legend=False)
    right.set_ylim(0.84, 1.1)
    plotting.save(fig, out_dir / "20_sweep_on_dask.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:40s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:40s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
