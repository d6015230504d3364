"""Time the grid solvers against a hand-written Scharfetter-Gummel scheme and other packages, all in one run.

Prints CPU milliseconds (medians of interleaved repeats), ratios and errors. Other packages (py-pde, fipy, fplanck: the extra
``bench``) are timed when they can be imported. Options: ``--repeat N``, ``--only WORD``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy import linalg

import shld_sim as shld

Work = Callable[[], np.ndarray]

D, LOW, HIGH, CELLS, END = 0.1, -3.0, 3.0, 512, 10.0
START = -1.0  # all probability at once in the cell that holds it


def cpu(work: Work) -> tuple[float, np.ndarray]:
    """CPU milliseconds of one call, and what it returned."""
    start = time.process_time()
    found = work()
    return (time.process_time() - start) * 1e3, found


def table(title: str, works: dict[str, Work | None], errors: dict[str, Callable], repeat: int) -> None:
    """Run the works in turn; print medians, ratios to the second, and the errors of each result."""
    print(f"\n{title}")
    print(f"  {'':44} {'ms':>9} {'min':>9}  {'ratio':>7}  " + "  ".join(f"{name:>12}" for name in errors))
    present = {name: work for name, work in works.items() if work is not None}
    times: dict[str, list[float]] = {name: [] for name in present}
    found = {name: work() for name, work in present.items()}  # compile, and warm up
    slow = {name for name, work in present.items() if cpu(work)[0] > 1000.0}
    for turn in range(repeat):
        for name, work in present.items():
            if turn == 0 or name not in slow:
                times[name].append(cpu(work)[0])
    unit = statistics.median(times[list(present)[1]])
    for name, values in times.items():
        middle = statistics.median(values)
        row = "  ".join(f"{error(found[name]):12.1e}" for error in errors.values())
        print(f"  {name:44} {middle:9.2f} {min(values):9.2f}  {middle / unit:7.2f}  {row}")
    for name in [name for name in works if name not in present]:
        print(f"  {name:44} not installed")


def has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def energy(x):
    return 0.25 * x**4 - 0.5 * x**2


# -- one dimension -----------------------------------------------------------------------------------------------------


def cell_start(n: int) -> np.ndarray:
    """Density of a unit mass in the cell that holds START."""
    dx = (HIGH - LOW) / n
    p = np.zeros(n)
    p[int((START - LOW) / dx)] = 1.0 / dx
    return p


def by_hand(n: int = CELLS, t: float = END) -> np.ndarray:
    """Scharfetter-Gummel rates and the eigenvectors of the symmetrised tridiagonal matrix, as one would write it."""
    dx = (HIGH - LOW) / n
    x = LOW + (np.arange(n) + 0.5) * dx
    u = np.diff(energy(x)) / D
    right = D / dx**2 * np.where(np.abs(u) < 1e-9, 1.0, u / np.expm1(np.where(u == 0, 1.0, u)))
    left = right * np.exp(u)
    main = -np.append(right, 0.0)
    main[1:] -= left
    weight = np.exp(-(energy(x) - energy(x).min()) / D)
    root = np.sqrt(weight / weight.sum())
    values, Q = linalg.eigh_tridiagonal(main, np.sqrt(right * left))
    start = cell_start(n)
    y = np.divide(start, root, out=np.zeros(n), where=start > 0.0)
    return root * (Q @ (np.exp(values * t) * (Q.T @ y)))


def reference_line() -> tuple[np.ndarray, np.ndarray]:
    """Densities at END, at the cell centres: the spectrum in Hermite functions, 160 of them; and Gibbs.

    The Schroedinger form ``D d^2/dx^2 - (V'^2/(4 D) - V''/2)`` is exact in the basis; the start is the uniform density of the
    starting cell, by Gauss quadrature.
    """
    dx = (HIGH - LOW) / CELLS
    x = LOW + (np.arange(CELLS) + 0.5) * dx
    first = LOW + int((START - LOW) / dx) * dx
    nodes, weights = np.polynomial.legendre.leggauss(20)
    inside = first + 0.5 * dx * (1.0 + nodes)
    size, scale = 240, 0.3
    kept = 160

    def functions(y: np.ndarray) -> np.ndarray:
        z = y / scale
        h = np.empty((size, y.size))
        h[0] = np.exp(-0.5 * z**2) / np.sqrt(scale * np.sqrt(np.pi))
        h[1] = np.sqrt(2.0) * z * h[0]
        for k in range(2, size):
            h[k] = np.sqrt(2.0 / k) * z * h[k - 1] - np.sqrt((k - 1.0) / k) * h[k - 2]
        return h

    k = np.arange(1.0, size)
    X = scale * (np.diag(np.sqrt(k / 2.0), 1) + np.diag(np.sqrt(k / 2.0), -1))
    P = (np.diag(np.sqrt(k / 2.0), 1) - np.diag(np.sqrt(k / 2.0), -1)) / scale  # d/dx
    X2 = X @ X
    force = X2 @ X - X
    H = -D * P @ P + force @ force / (4.0 * D) - 0.5 * (3.0 * X2 - np.eye(size))
    values, Q = np.linalg.eigh(H[:kept, :kept])
    modes = Q.T @ functions(x)[:kept]
    z_start = Q.T @ functions(inside)[:kept] * np.exp(energy(inside) / (2 * D))
    overlap = z_start @ weights / 2.0
    p = np.exp(-energy(x) / (2 * D)) * ((np.exp(-values * END) * overlap) @ modes)
    gibbs = np.exp(-energy(x) / D)
    return p, gibbs / (gibbs.sum() * dx)


def with_pypde() -> np.ndarray:
    import pde

    grid = pde.CartesianGrid([[LOW, HIGH]], CELLS)
    equation = pde.PDE({"p": f"{D} * laplace(p) + d_dx((x**3 - x) * p)"}, bc={"value": 0})
    state = pde.ScalarField(grid, cell_start(CELLS))
    dt = 0.2 * grid.discretization[0] ** 2 / D
    return np.asarray(equation.solve(state, t_range=END, dt=dt, tracker=None, solver="euler").data)


def with_fipy() -> np.ndarray:
    import fipy

    mesh = fipy.Grid1D(nx=CELLS, dx=(HIGH - LOW) / CELLS) + LOW
    p = fipy.CellVariable(mesh=mesh, value=cell_start(CELLS))
    x = mesh.faceCenters[0]
    velocity = fipy.FaceVariable(mesh=mesh, rank=1)
    velocity[0] = -(x**3 - x)
    velocity.setValue(0.0, where=mesh.exteriorFaces)
    equation = fipy.TransientTerm() + fipy.ExponentialConvectionTerm(velocity) == fipy.DiffusionTerm(D)
    for _ in range(200):
        equation.solve(var=p, dt=END / 200)
    return np.asarray(p.value)


def with_fplanck() -> np.ndarray:
    if not hasattr(np, "product"):
        vars(np)["product"] = np.prod  # fplanck 0.2 was written for NumPy 1
    import fplanck

    # drag and temperature for which k_B T / drag = D
    dx = (HIGH - LOW) / CELLS
    kT = 1.380649e-23 * 300.0
    box = fplanck.fokker_planck(
        temperature=300.0,
        drag=kT / D,
        extent=HIGH - LOW,
        resolution=dx,
        boundary=fplanck.boundary.reflecting,
        potential=lambda x: energy(x) * kT / D,
    )
    start = cell_start(CELLS) * dx
    return np.asarray(box.propagate(lambda x: start, END)) / dx


def line(repeat: int) -> None:
    p, gibbs = reference_line()
    dx = (HIGH - LOW) / CELLS
    model, grid = shld.Langevin(shld.DoubleWell(), D), shld.Grid(LOW, HIGH, CELLS)
    start = cell_start(CELLS)

    def ours() -> np.ndarray:
        return shld.FokkerPlanck(model, grid).propagate(start, END)

    def distance(found: np.ndarray) -> float:
        return float(np.abs(found - p).sum() * dx)

    table(
        f"Line: double well, D = {D}, {CELLS} cells on [{LOW:g}, {HIGH:g}], one cell to t = {END:g}; assembly included",
        {
            "shld_sim FokkerPlanck.propagate": ours,
            "by hand: Scharfetter-Gummel, eigenvectors": by_hand,
            "fipy, exponential scheme, 200 implicit steps": with_fipy if has("fipy") else None,
            "py-pde, explicit steps": with_pypde if has("pde") else None,
            "fplanck": with_fplanck if has("fplanck") else None,
        },
        {
            "error, L1": distance,
            "error, max": lambda found: float(np.abs(found - p).max()),
            "minimum": lambda found: float(found.min()),
            "mass - 1": lambda found: abs(float(found.sum()) * dx - 1.0),
        },
        repeat,
    )
    table(
        "Line: the same to t = 2000, where all is Gibbs",
        {
            "shld_sim": lambda: shld.FokkerPlanck(model, grid).propagate(start, 2000.0),
            "by hand": lambda: by_hand(t=2000.0),
        },
        {"Gibbs, max": lambda found: float(np.abs(found / gibbs - 1.0)[gibbs > 1e-12].max())},
        repeat,
    )
    fp = shld.FokkerPlanck(model, grid)
    fp.propagate(start, 1e4)
    exact = 30.82130247266569  # nested Gauss-Legendre quadrature, 16 digits
    gap = 0.033545287308  # Hermite functions, 12 digits
    coarse = shld.FokkerPlanck(model, shld.Grid(-2.5, 2.5, 200))
    table(
        "Line: other questions",
        {
            "100 times to t = 1e4, chain kept": lambda: fp.propagate(start, np.linspace(100.0, 1e4, 100))[-1],
            "six eigenvalues": lambda: fp.eigenvalues(6),
            "mean exit time": lambda: np.array([fp.mean_exit_time((-np.inf, 0.0), x0=-1.0)]),
            "mean exit time, refined, 4 levels": lambda: np.array(
                [coarse.refined(lambda q: q.mean_exit_time((-np.inf, 0.0), x0=-1.0), levels=4).value]
            ),
            "gap, refined, 4 levels": lambda: np.array([coarse.refined(lambda q: q.eigenvalues(2)[1], levels=4).value]),
        },
        {
            "T error": lambda found: abs(found[0] / exact - 1.0) if found.size == 1 and found[0] > 1.0 else np.nan,
            "gap error": lambda found: abs(found[-1] / gap - 1.0) if found.size == 1 and found[0] < 1.0 else np.nan,
        },
        repeat,
    )


SECTIONS = {f.__name__: f for f in (line,)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7, help="interleaved repeats (default 7)")
    parser.add_argument("--only", choices=SECTIONS, help="one section")
    options = parser.parse_args()
    print(f"shld_sim {shld.__version__}, Python {platform.python_version()}, NumPy {np.__version__}")
    others = [f"{name} {importlib.metadata.version(name)}" for name in ("py-pde", "fipy", "fplanck") if installed(name)]
    print("others: " + (", ".join(others) or "none installed (pip install 'shld_sim[bench]')"))
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            section(options.repeat)


def installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    main()
