"""Time the grid solvers against a hand-written Scharfetter-Gummel scheme and other packages, all in one run.

Prints CPU milliseconds (medians of interleaved repeats), ratios and errors. Other packages (py-pde, fipy, fplanck: the extra
``bench``) are timed when they can be imported. BLAS is held to one thread: a second one that waits costs processor time too.
Options: ``--repeat N``, ``--only WORD``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from typing import Any

import exact
import numpy as np
from common import choose, compare, explicit_steps, fplanck, has, heading, others
from scipy import linalg

import shld_sim as shld

D, LOW, HIGH, CELLS, END = 0.1, -3.0, 3.0, 512, 10.0
START = -1.0  # all probability at once in the cell that holds it


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
    """Densities at END and of Gibbs, at the cell centres; the start is uniform in its cell, by Gauss quadrature."""
    dx = (HIGH - LOW) / CELLS
    x = LOW + (np.arange(CELLS) + 0.5) * dx
    first = LOW + int((START - LOW) / dx) * dx
    nodes, weights = np.polynomial.legendre.leggauss(20)
    p = exact.double_well(x, END, D, first + 0.5 * dx * (1.0 + nodes), 0.5 * weights)
    gibbs = np.exp(-energy(x) / D)
    return p, gibbs / (gibbs.sum() * dx)


def pypde_problem() -> tuple[Any, Any]:
    """Return py-pde's equation and start."""
    import pde

    grid = pde.CartesianGrid([[LOW, HIGH]], CELLS)
    equation = pde.PDE({"p": f"{D} * laplace(p) + d_dx((x**3 - x) * p)"}, bc={"value": 0})
    return equation, pde.ScalarField(grid, cell_start(CELLS))


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
    # drag and temperature for which k_B T / drag = D
    dx = (HIGH - LOW) / CELLS
    kT = 1.380649e-23 * 300.0
    package = fplanck()
    box = package.fokker_planck(
        temperature=300.0,
        drag=kT / D,
        extent=HIGH - LOW,
        resolution=dx,
        boundary=package.boundary.reflecting,
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

    pypde = explicit_steps(pypde_problem, END, 0.2 * dx**2 / D)

    def distance(found: np.ndarray) -> float:
        return float(np.abs(found - p).sum() * dx)

    compare(
        f"Line: double well, D = {D}, {CELLS} cells on [{LOW:g}, {HIGH:g}], one cell to t = {END:g}; assembly included",
        {
            "shld_sim FokkerPlanck.propagate": ours,
            "by hand: Scharfetter-Gummel, eigenvectors": by_hand,
            "fipy, exponential scheme, 200 implicit steps": with_fipy if has("fipy") else None,
            "py-pde, explicit steps, compiled before": pypde if has("pde") else None,
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
    compare(
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
    time = 30.82130247266569  # nested Gauss-Legendre quadrature, 16 digits
    gap = 0.033545287308  # Hermite functions, 12 digits
    coarse = shld.FokkerPlanck(model, shld.Grid(-2.5, 2.5, 200))
    compare(
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
            "T error": lambda found: abs(found[0] / time - 1.0) if found.size == 1 and found[0] > 1.0 else np.nan,
            "gap error": lambda found: abs(found[-1] / gap - 1.0) if found.size == 1 and found[0] < 1.0 else np.nan,
        },
        repeat,
    )


SECTIONS = {f.__name__: f for f in (line,)}


def main() -> None:
    sections, repeat = choose(__doc__, SECTIONS, 7, "interleaved repeats")
    heading()
    others()
    for section in sections:
        section(repeat)


if __name__ == "__main__":
    main()
