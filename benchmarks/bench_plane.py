"""Grid solver in the plane and in space: beside other packages and by hand, and each question against the number of cells.

Section ``beside``: one problem in all packages (py-pde, fipy, fplanck: the extra ``bench``) that can be imported, with CPU
milliseconds and distances from the exact density. Elsewhere processor time is printed beside the clock, so that a busy machine
does not mislead. BLAS is held to one thread. Options: ``--repeat N``, ``--only WORD``.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import exact
import numpy as np
from common import choose, compare, explicit_steps, fplanck, has, heading, others
from scipy import sparse
from scipy.sparse.linalg import expm_multiply, splu

import shld_sim as shld
from shld_sim.grid.elimination import Elimination

# -- one problem, beside others ----------------------------------------------------------------------------------------
#
# V = u^4/4 - u^2/2 + v^2/2 with u = C x + S y, v = C y - S x: the axes of the grid are not those of the wells, so that no
# scheme finds its variables separated, and yet the exact density is a product.

D, HALF, CELLS, END = 0.1, 2.2, 100, 1.0  # the box [-HALF, HALF]^2 leaves out 1e-7 of the probability
C, S = 0.8, 0.6
CENTRE, WIDTH = (-0.6, 0.9), 0.2  # the start: a Gaussian near the ridge between the wells
FOREVER = 1e6


def energy(x, y, p):
    u, v = C * x + S * y, C * y - S * x
    return 0.25 * u**4 - 0.5 * u * u + 0.5 * v * v


def gradient(x, y, p):
    u, v = C * x + S * y, C * y - S * x
    slope = u**3 - u
    return C * slope - S * v, S * slope + C * v


def turned(x, y, p):
    """Drift with a rotation along the contours of V, which keeps Gibbs stationary though a current flows."""
    gx, gy = gradient(x, y, p)
    return gy - gx, -gx - gy


def noise(x, y, p):
    return p[0], p[0]


def centres(n: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Coordinates of the cells, shape (n, n), and their width."""
    dx = 2.0 * HALF / n
    x = -HALF + (np.arange(n) + 0.5) * dx
    return *np.meshgrid(x, x, indexing="ij"), dx


def bump(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the density of the start."""
    r2 = (x - CENTRE[0]) ** 2 + (y - CENTRE[1]) ** 2
    return np.exp(-r2 / (2.0 * WIDTH**2)) / (2.0 * np.pi * WIDTH**2)


def exact_density() -> np.ndarray:
    """Density at END at the cell centres: double well times harmonic well; the start by Gauss quadrature."""
    x, y, _ = centres(CELLS)
    u, v = C * x + S * y, C * y - S * x
    nodes, weights = np.polynomial.hermite.hermgauss(40)
    u0, v0 = C * CENTRE[0] + S * CENTRE[1], C * CENTRE[1] - S * CENTRE[0]
    along = exact.double_well(u.ravel(), END, D, u0 + np.sqrt(2.0) * WIDTH * nodes, weights / np.sqrt(np.pi))
    return along.reshape(u.shape) * exact.harmonic(v, END, D, v0, WIDTH**2)


def rates(n: int = CELLS) -> sparse.csc_array:
    """Scharfetter-Gummel rates on n x n cells, as one would write them."""
    x, y, dx = centres(n)
    V = energy(x, y, ()).ravel() / D
    cells = np.arange(n * n).reshape(n, n)
    rows, columns, entries = [], [], []
    for a, b in ((cells[:-1], cells[1:]), (cells[:, :-1], cells[:, 1:])):
        a, b = a.ravel(), b.ravel()
        step = V[b] - V[a]
        there = D / dx**2 * np.where(np.abs(step) < 1e-9, 1.0, step / np.expm1(np.where(step == 0.0, 1.0, step)))
        back = there * np.exp(step)
        rows += [b, a, a, b]
        columns += [a, a, b, b]
        entries += [there, -there, back, -back]
    indices = np.concatenate(rows), np.concatenate(columns)
    return sparse.coo_array((np.concatenate(entries), indices), shape=(n * n, n * n)).tocsc()


def by_hand() -> np.ndarray:
    """Return the exponential of the rates, applied by SciPy."""
    return expm_multiply(rates() * END, bump(*centres(CELLS)[:2]).ravel()).reshape(CELLS, CELLS)


def by_hand_midpoint(steps: int) -> np.ndarray:
    """Return the solution by implicit midpoint steps and one sparse LU."""
    lu = splu(sparse.eye_array(CELLS**2, format="csc") - 0.5 * END / steps * rates())
    p = bump(*centres(CELLS)[:2]).ravel()
    for _ in range(steps):
        p = 2.0 * lu.solve(p) - p
    return p.reshape(CELLS, CELLS)


def steady_by_hand() -> np.ndarray:
    """Return the null vector of the rates, by one implicit step from the uniform density."""
    size, dx = CELLS**2, 2.0 * HALF / CELLS
    lu = splu(sparse.eye_array(size, format="csc") - FOREVER * rates())
    p = lu.solve(np.full(size, 1.0))
    return (p / (p.sum() * dx**2)).reshape(CELLS, CELLS)


def with_fipy(start: np.ndarray, steps: int, dt: float, midpoint: bool = False, drift: Callable | None = None) -> Any:
    """Exponential scheme; implicit Euler steps, or half of one and as much again, which is of second order."""
    import fipy

    dx = 2.0 * HALF / CELLS
    mesh = fipy.Grid2D(nx=CELLS, ny=CELLS, dx=dx, dy=dx) + ((-HALF,), (-HALF,))
    p = fipy.CellVariable(mesh=mesh, value=start.T.ravel())
    x, y = np.asarray(mesh.faceCenters)
    b = -np.array(gradient(x, y, ())) if drift is None else np.array(drift(x, y, ()))
    velocity = fipy.FaceVariable(mesh=mesh, rank=1, value=b)
    velocity.setValue(0.0, where=mesh.exteriorFaces)
    equation = fipy.TransientTerm() + fipy.ExponentialConvectionTerm(velocity) == fipy.DiffusionTerm(D)
    for _ in range(steps):
        before = np.array(p.value)
        equation.solve(var=p, dt=0.5 * dt if midpoint else dt)
        if midpoint:
            p.setValue(2.0 * np.asarray(p.value) - before)
    return np.asarray(p.value).reshape(CELLS, CELLS).T


def pypde_problem() -> tuple[Any, Any]:
    """Return py-pde's equation and start."""
    import pde

    x, y, _ = centres(CELLS)
    grid = pde.CartesianGrid([[-HALF, HALF]] * 2, CELLS)
    slopes = (pde.ScalarField(grid, g) for g in gradient(x, y, ()))
    right = f"{D} * laplace(p) + d_dx(gx * p) + d_dy(gy * p)"
    equation = pde.PDE({"p": right}, bc={"value": 0}, consts=dict(zip(("gx", "gy"), slopes)))
    return equation, pde.ScalarField(grid, bump(x, y))


def with_fplanck(drift: Callable | None = None) -> Any:
    """Return its solver: with the potential, or with a force where there is none."""
    package = fplanck()
    kT = 1.380649e-23 * 300.0  # drag and temperature for which k_B T / drag = D
    if drift is None:
        push = {"potential": lambda x, y: energy(x, y, ()) * kT / D}
    else:
        push = {"force": lambda x, y: np.array(drift(x, y, ())) * kT / D}
    extent, resolution, walls = [2.0 * HALF] * 2, 2.0 * HALF / CELLS, package.boundary.reflecting
    return package.fokker_planck(
        temperature=300.0, drag=kT / D, extent=extent, resolution=resolution, boundary=walls, **push
    )


def beside(repeat: int) -> None:
    """Compare with other packages: a density in time, and steady states without and with a current."""
    others()
    x, y, dx = centres(CELLS)
    start, flat = bump(x, y), np.full((CELLS, CELLS), 1.0 / (2.0 * HALF) ** 2)
    p = exact_density()
    gibbs = np.exp(-energy(x, y, ()) / D)
    gibbs /= gibbs.sum() * dx**2
    model = shld.Langevin(shld.Potential(energy, gradient, dim=2), D)
    whirl = shld.Diffusion(turned, noise, params=(math.sqrt(2.0 * D),), dim=2, diagonal=True)

    def ours(model: Any = model, n: int = CELLS) -> shld.FokkerPlanck:
        return shld.FokkerPlanck(model, shld.Grid((-HALF, HALF, n), (-HALF, HALF, n)))

    def finer(times: int) -> np.ndarray:
        """Return the density on cells that are smaller by an odd factor, at the centres of the large ones."""
        middle = slice(times // 2, None, times)
        n = times * CELLS
        return ours(n=n).propagate(bump(*centres(n)[:2]), END)[middle, middle]

    def errors(right: np.ndarray) -> dict[str, Callable]:
        return {
            "error, L1": lambda found: float(np.abs(found - right).sum() * dx**2),
            "error, max": lambda found: float(np.abs(found - right).max()),
            "minimum": lambda found: float(found.min()),
            "mass - 1": lambda found: abs(float(found.sum()) * dx**2 - 1.0),
        }

    fipy, pypde, fp = has("fipy"), has("pde"), has("fplanck")
    box = f"{CELLS} x {CELLS} cells on [{-HALF:g}, {HALF:g}]^2"
    compare(
        f"Plane: double well across the axes, D = {D}, {box}, a Gaussian to t = {END:g}; assembly included",
        {
            "shld_sim FokkerPlanck.propagate": lambda: ours().propagate(start, END),
            "by hand: Scharfetter-Gummel, expm_multiply": by_hand,
            "by hand: the same, LU, 50 midpoint steps": lambda: by_hand_midpoint(50),
            "py-pde, 1000 explicit steps, compiled before": explicit_steps(pypde_problem, END, END / 1000)
            if pypde
            else None,
            "fplanck": (lambda: with_fplanck().propagate(bump, END) / dx**2) if fp else None,
            "fipy, exponential scheme, 25 midpoint steps": (lambda: with_fipy(start, 25, END / 25, True))
            if fipy
            else None,
            "fipy, the same, 50 implicit steps": (lambda: with_fipy(start, 50, END / 50)) if fipy else None,
            "shld_sim, 300 x 300 cells": lambda: finer(3),
        },
        errors(p),
        repeat,
    )
    compare(
        "Plane: its steady state; py-pde has no solver for that",
        {
            "shld_sim (Gibbs is exact)": lambda: ours().steady_state(),
            "by hand: one implicit step": steady_by_hand,
            "fipy, one implicit step": (lambda: with_fipy(flat, 1, FOREVER)) if fipy else None,
            "fplanck": (lambda: with_fplanck().steady_state() / dx**2) if fp else None,
        },
        errors(gibbs),
        repeat,
    )
    compare(
        "Plane: the steady state with a rotation along the contours, where Gibbs is not built in",
        {
            "shld_sim": lambda: ours(whirl).steady_state(),
            "shld_sim, 300 x 300 cells": lambda: ours(whirl, 3 * CELLS).steady_state()[1::3, 1::3],
            "fipy, one implicit step": (lambda: with_fipy(flat, 1, FOREVER, drift=turned)) if fipy else None,
            "fplanck": (lambda: with_fplanck(turned).steady_state() / dx**2) if fp else None,
        },
        errors(gibbs),
        repeat,
    )


# -- every question, against the number of cells -----------------------------------------------------------------------


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Run, print clock and processor time, and return the result."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    print(f"  {name:46s} {time.perf_counter() - clock:8.3f} s   processor {time.process_time() - processor:8.3f} s")
    return result


def mueller_brown(n: int) -> shld.FokkerPlanck:
    """Return the surface at D = 15 on n x n cells."""
    model = shld.Langevin(shld.MuellerBrown(), D=15.0)
    return shld.FokkerPlanck(model, shld.Grid((-2.0, 1.5, n), (-0.9, 2.5, n)))


def plane(n: int) -> None:
    """Time everything on n x n cells."""
    print(f"Mueller-Brown, D = 15, {n} x {n} cells")
    fp = timed("assembly", lambda: mueller_brown(n))
    timed("steady state", fp.steady_state)
    values = timed("six eigenpairs", lambda: (fp.eigenvalues(6), fp.eigenfunctions(6)))[0]
    A, _, B = fp.model.potential.minima()
    a, b = shld.Ball(A, 0.2), shld.Ball(B, 0.2)
    timed("committor", lambda: fp.committor(a, b))
    timed("reactive current", lambda: fp.reactive_current(a, b))
    timed("mean exit time, half-plane", lambda: fp.mean_exit_time(shld.HalfSpace((1.0, -1.0), -0.9)))
    if n <= 200:
        timed("propagation from a point to t = 0.01 and 0.5", lambda: fp.propagate(A, [0.01, 0.5]))
    print(f"    lambda_1 = {values[1]:.6f}")


def elimination(n: int) -> None:
    """Compare the elimination with SciPy's sparse LU in its three orders."""
    print(f"factors and one solution, {n} x {n} cells")
    chain = mueller_brown(n).chain
    g = np.ones(chain.size)
    factors = timed(
        "elimination by nested dissection: factors", lambda: Elimination(chain.links, (n, n), (False, False), extra=1.0)
    )
    timed("  one solution", lambda: factors.forward(g))
    print(f"    {factors.nbytes / 1e6:.0f} MB")
    A = -chain.generator.copy()
    A.setdiag(A.diagonal() + 1.0)
    for order in ("COLAMD", "MMD_AT_PLUS_A", "MMD_ATA"):
        lu = timed(
            f"SuperLU, {order}: factors",
            lambda order=order: splu(
                A, permc_spec=order, diag_pivot_thresh=0.0, options={"SymmetricMode": order != "COLAMD"}
            ),
        )
        timed("  one solution", lambda lu=lu: lu.solve(g))
        print(f"    {(lu.L.nnz + lu.U.nnz) * 12 / 1e6:.0f} MB")


def space(n: int) -> None:
    """Time a harmonic well on n^3 cells."""
    print(f"harmonic well, {n}^3 cells")
    V = shld.QuadraticForm((1.0, 2.0, 3.5))
    axes = (-4.5, 4.5, n), (-3.2, 3.2, n), (-2.5, 2.5, n)
    fp = timed("assembly", lambda: shld.FokkerPlanck(shld.Langevin(V, D=0.5), shld.Grid(*axes)))
    timed("five eigenpairs", lambda: fp.eigenvalues(5))
    timed("mean exit time from a ball", lambda: fp.mean_exit_time(shld.Ball((0.0, 0.0, 0.0), 1.5)))
    timed("propagation from a point to t = 1", lambda: fp.propagate((0.5, 0.5, 0.5), 1.0))


def sizes(repeat: int) -> None:
    """Compile on a small grid first, then time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        small = mueller_brown(24)
        small.eigenvalues(2)
        small.mean_exit_time(shld.Ball((0.0, 0.5), 0.5))
        small.propagate((0.0, 0.5), 1.0)
        print()
        for n in (100, 200, 400):
            plane(n)
        elimination(200)
        space(30)


SECTIONS = {f.__name__: f for f in (beside, sizes)}


def main() -> None:
    sections, repeat = choose(__doc__, SECTIONS, 5, "interleaved repeats of the comparison")
    heading()
    for section in sections:
        section(repeat)


if __name__ == "__main__":
    main()
