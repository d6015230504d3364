"""Grid solver in the plane and in space: assembly, steady state, eigenpairs, exits and propagation; one core.

Processor time is printed beside the clock, so that a busy machine does not mislead. BLAS is held to one thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse.linalg import splu

import shld_sim as shld
from shld_sim.grid.elimination import Elimination


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
        timed("propagation from a point to t = 0.01 and 1", lambda: fp.propagate(A, [0.01, 1.0]))
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


def main() -> None:
    """Compile on a small grid first, then time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        small = mueller_brown(24)
        small.eigenvalues(2)
        small.mean_exit_time(shld.Ball((0.0, 0.5), 0.5))
        small.propagate((0.0, 0.5), 1.0)
        for n in (100, 200, 400):
            plane(n)
        elimination(200)
        space(30)


if __name__ == "__main__":
    main()
