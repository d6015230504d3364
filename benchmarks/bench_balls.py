"""Exits from balls: the error that is left when a Brownian bridge treats the sphere as flat, beside the exact mean time."""

from __future__ import annotations

import argparse

import numpy as np
from common import heading

import shld_sim as shld


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--paths", type=int, default=4_000_000, help="exits per number (default four million)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    heading()
    print(
        "\nBrownian motion from the centre, mean exit time over R^2/(2 d D), less 1, in per cent, by s = sqrt(2 D dt)/R"
    )
    print(f"{'d':>3} " + "".join(f"{f's = {s:g}':>18}" for s in (0.1, 0.2, 0.4)) + f"{'0.4, no bridge':>18}")
    for dim in (2, 3, 4, 5):
        cells = []
        for s, bridge in ((0.1, True), (0.2, True), (0.4, True), (0.4, False)):
            flat = shld.QuadraticForm(np.full(dim, 1e-9))  # as good as free
            model = shld.Langevin(flat, 0.5)
            ball = shld.Ball(np.zeros(dim), 1.0)
            exits = shld.first_passage(
                model, np.zeros(dim), ball, s * s, options.paths, bridge=bridge, seed=options.seed, progress=False
            )
            exact = 1.0 / dim  # R^2/(2 d D)
            cells.append(f"{100 * (exits.mean() / exact - 1):+9.3f} +- {100 * exits.stderr() / exact:.3f}")
        print(f"{dim:3d} " + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
