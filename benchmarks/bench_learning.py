"""Time full-batch steps of the quadratic network on a + b mod 97 against its three matrix products alone, in one run.

Prints CPU milliseconds per step (medians of interleaved repeats) and the ratio: one-hot inputs are table look-ups, so that little
should remain beside the products. The dense first layer, which multiplies by one-hot matrices, is timed for comparison.
One BLAS thread, unless OPENBLAS_NUM_THREADS (or that of another BLAS) says otherwise.
Options: ``--repeat N``, ``--p P``, ``--width N``, ``--steps N``.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # read when NumPy is loaded
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

from shld_sim import learning  # noqa: E402


def products(task: learning.Task, width: int) -> Callable[[], None]:
    """The three products that no way of computing the gradient can avoid: outputs, and back to both layers."""
    n, p, rng = len(task.inputs), task.n_symbols, np.random.default_rng(0)
    h, V, R = rng.standard_normal((n, width)), rng.standard_normal((p, width)), rng.standard_normal((n, p))
    F, gV, z = np.empty((n, p)), np.empty((p, width)), np.empty((n, width))

    def work() -> None:
        np.matmul(h, V.T, out=F)
        np.matmul(R.T, h, out=gV)
        np.matmul(R, V, out=z)

    return work


def dense(network: learning.QuadraticNetwork, task: learning.Task, theta: np.ndarray) -> Callable[[], None]:
    """The gradient as one writes it first: one-hot matrices, whole arrays, temporaries."""
    p, w = task.n_symbols, network.views(theta)
    X = np.concatenate([np.eye(p)[task.inputs[:, s]] for s in (0, 1)], axis=1)
    Y, W, V = np.eye(p)[task.targets], w["first"].reshape(2 * p, -1), w["second"]

    def work() -> None:
        z = X @ W
        h = z**2
        R = (h @ V.T / network.width - Y) / len(X)
        R.T @ h / network.width
        X.T @ (2 * z * (R @ V) / network.width)

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--p", type=int, default=97)
    parser.add_argument("--width", type=int, default=500)
    parser.add_argument("--steps", type=int, default=10, help="steps per repeat")
    chosen = parser.parse_args()
    task = learning.modular_addition(chosen.p)
    network = learning.QuadraticNetwork(chosen.p, chosen.width)
    theta = network.initial()
    optimiser = learning.Descent(chosen.width / 4)

    def training(steps: int) -> None:
        learning.train(network, task, optimiser, steps, theta=theta, every=10**9)

    def once(work: Callable[[], None]) -> Callable[[int], None]:
        return lambda steps: [work() for _ in range(steps)] and None

    works = {
        "matrix products alone": once(products(task, chosen.width)),
        "loss_and_gradient": once(lambda: network.loss_and_gradient(theta, task.inputs, task.targets)),
        "train, with one record": training,
        "one-hot matrices, whole arrays": once(dense(network, task, theta)),
    }
    print(f"NumPy {np.__version__}, {platform.machine()}, p = {chosen.p}, width {chosen.width}, {task!r}")
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(chosen.repeat + 1):
        for name, work in works.items():
            start = time.process_time()
            work(chosen.steps)
            if turn:  # the first warms up
                times[name].append((time.process_time() - start) / chosen.steps * 1e3)
    unit = statistics.median(times["matrix products alone"])
    print(f"  {'':34} {'ms/step':>9} {'min':>9} {'ratio':>7}")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"  {name:34} {middle:9.2f} {min(values):9.2f} {middle / unit:7.2f}")


if __name__ == "__main__":
    main()
