"""When does a training stop making progress, and can one see it from inside, while it runs?

Equations: descent theta' = theta - eta g with the gradient g of a batch of b examples. With mean mu and covariance S of g,
p = |mu|^2/(|mu|^2 + tr S), the mean loss falls while the margin S_p = 2p/eta - lmax is positive, whatever the Hessian, and only
then where all its eigenvalues are lmax. Without noise the margin is S = 2/eta - lmax. A `Tracker` takes the loss, eight gradients
of batches, the step and products of the Hessian with vectors, and does the rest; each run is also on file, a line of JSON a step.

Expected:
1. On a bowl of curvature 1 the loss falls until S_p is about zero, and falls again each time the step is cut to a quarter.
   At rest E|mu|^2/E|g|^2 = eta lmax/2 exactly, and the excess loss is d eta s^2/(2b (2 - eta)), s^2 the variance of an example.
2. S says nothing of that: it is positive all the time.
3. A perceptron that learns which of two numbers is larger: p falls as it learns, far below the guide's 1/2, while the loss goes
   on falling; S_p < 0 is no proof against progress where most curvatures are small.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import learning, plotting, theory

FIGURES = Path(__file__).resolve().parents[1] / "figures"
BATCHES = 8  # whose gradients the tracker sees


def gradients(network, task, theta: np.ndarray, batch: int, rng: np.random.Generator) -> np.ndarray:
    """Return the gradients of eight batches drawn at random, one a row."""
    chosen = rng.integers(len(task.inputs), size=BATCHES * batch)
    each = network.per_sample_gradients(theta, task.inputs[chosen], task.targets[chosen])
    return each.reshape(BATCHES, batch, -1).mean(axis=1)


def ratio(part: np.ndarray, whole: np.ndarray, blocks: int = 20) -> tuple[float, float]:
    """Return the ratio of two means and its standard error from means of blocks."""
    value = float(part.mean() / whole.mean())
    rest = np.array([block.mean() for block in np.array_split(part - value * whole, blocks)])
    return value, float(rest.std(ddof=1) / np.sqrt(blocks) / whole.mean())


def bowl(numbers: dict, out_dir: Path, folder: Path, steps: int) -> None:
    """Descend into a bowl with three steps, watch, and compare each rest with theory."""
    d, b, rng = 20, 4, np.random.default_rng(1)
    network, task = learning.Bowl((1.0,) * d), learning.noisy_quadratic([1.0] * d, noise=1.0, n=1000)
    theta = np.full(d, 6.0)
    least = network.loss(task.targets.mean(axis=0), task.inputs, task.targets)
    spread = task.targets.var(axis=0)  # diagonal of S of an example
    with shld.Tracker(folder / "bowl.jsonl", metadata={"batch": b, "d": d}) as tracker:
        for step in range(3 * steps):
            eta = 0.8 / 4.0 ** (step // steps)
            g = gradients(network, task, theta, b, rng)
            excess = network.loss(theta, task.inputs, task.targets) - least
            tracker.log(step, **{"excess loss": excess}, gradients=g, learning_rate=eta, curvature=1.0)
            theta = theta - eta * g[0]
    log = shld.read_log(folder / "bowl.jsonl")
    numbers["steps on file, bowl"] = len(log)
    signal, noise, loss = (log.series(name)[1] for name in ("signal", "noise", "excess loss"))
    for i in range(3):
        eta = 0.8 / 4.0**i
        rest = slice(i * steps + steps // 4, (i + 1) * steps)  # after the descent
        numbers[f"E|mu|^2/E|g|^2 at rest, eta = {eta:g}"] = (*ratio(signal[rest], (signal + noise)[rest]), 0.5 * eta)
        variance = spread * theory.descent_variance(1.0, 1.0, eta, b)
        # normal coordinates, whose squares are correlated as (1 - eta)^(2k)
        times = (1 + (1 - eta) ** 2) / (1 - (1 - eta) ** 2)
        error = float(np.sqrt(0.5 * (variance**2).sum() * times / loss[rest].size))
        numbers[f"excess loss at rest, eta = {eta:g}"] = float(loss[rest].mean()), error, float(0.5 * variance.sum())
        early = log.series("S_p")[1][i * steps : i * steps + 3].mean()
        numbers[f"S_p at rest, eta = {eta:g}"] = float(log.series("S_p")[1][rest].mean())
        numbers[f"S_p after the step was changed to {eta:g}"] = float(early)
    numbers["smallest S, bowl"] = float(log.series("S")[1].min())
    # the first 150 steps with each eta, one after the other: what follows is rest, and hides them
    shown = np.concatenate([np.arange(i * steps, i * steps + 150) for i in range(3)])
    every = (pair for pair in log.numbers().items() if len(pair[1][0]) == 3 * steps)
    series = {name: (np.arange(450), values[shown]) for name, (_, values) in every}
    fig = plotting.training(series, columns=["excess loss", "learning_rate", "C", "p", "S_p"])
    plotting.save(fig, out_dir / "15_watch_a_training.png")


def perceptron(numbers: dict, out_dir: Path, folder: Path, steps: int) -> None:
    """Let a perceptron learn to compare, with the curvature from products with vectors."""
    task, rng = learning.comparison(16, 0.6), np.random.default_rng(2)
    network = learning.Perceptron(16, 2, embedding=6, hidden=(24,))
    theta, eta, b = network.initial(3), 0.3, 16

    def hvp(v: np.ndarray) -> np.ndarray:
        return network.hessian_vector_product(theta, v, task.inputs, task.targets)

    with shld.Tracker(folder / "perceptron.jsonl", every=10, products=20) as tracker:
        for step in range(steps + 1):
            g = gradients(network, task, theta, b, rng)
            if tracker.due(step):
                tracker.log(
                    step,
                    loss=network.loss(theta, task.inputs, task.targets),
                    test_loss=network.loss(theta, task.test_inputs, task.test_targets),
                    test_accuracy=network.accuracy(theta, task.test_inputs, task.test_targets),
                    gradients=g,
                    learning_rate=eta,
                    hvp=hvp,
                )
            if step < steps:
                theta = theta - eta * g[0]
    now = tracker.latest()
    H = np.array([hvp(row) for row in np.eye(theta.size)])
    numbers["lmax by 20 products / by the whole Hessian"] = now["lmax"] / float(np.linalg.eigvalsh(0.5 * (H + H.T))[-1])
    for name in ("p", "loss"):
        values = tracker.series(name)[1]
        numbers[f"{name} at the start, perceptron"] = float(values[0])
        numbers[f"{name} at the end, perceptron"] = float(values[-5:].mean())
    numbers["tests right, perceptron"] = now["test_accuracy"]
    numbers["share of steps with S_p < 0, perceptron"] = float((tracker.series("S_p")[1] < 0.0).mean())
    tracker.plot(out_dir / "15_watch_a_perceptron.png")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        bowl(numbers, out_dir, Path(folder), 1000 if quick else 10_000)
        perceptron(numbers, out_dir, Path(folder), 200 if quick else 1000)
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:48s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:48s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
