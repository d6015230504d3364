"""How is a training in PyTorch watched -- and does the tracker say of its tensors what it says of arrays?

Equations: y = beta.x + noise xi, |beta| = 1, is learned by a small network with torch.optim.SGD on the mean squared error. The
tracker gets the gradients of eight batches as lists of tensors, the step, and products of the Hessian with vectors by
differentiating twice; C = |mu|^2/tr S, S_p = 2p/eta - lmax.

Expected:
1. A linear layer: the gradient and its covariance are known in NumPy, and so are C of the first step, from eight batches on
   average, and lmax, that of the Hessian 2 X^T X/n.
2. The network: the loss falls, p with it.

PyTorch is not needed by shld_sim; where it is missing the example says so and ends.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

import shld_sim as shld

FIGURES = Path(__file__).resolve().parents[1] / "figures"
BATCHES, SIZE, DIM = 8, 16, 10


def examples(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of a noisy linear teacher."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, DIM))
    return x, x @ np.full(DIM, DIM**-0.5) + 0.5 * rng.standard_normal(n)


def loss_of(model, x, y):
    """Return the mean squared error."""
    return ((model(x)[:, 0] - y) ** 2).mean()


def gradients(model, x, y, rng: np.random.Generator) -> list:
    """Return the gradients of eight batches, each a list of tensors as the parameters are."""
    import torch

    chosen = rng.integers(len(x), size=(BATCHES, SIZE))
    return [torch.autograd.grad(loss_of(model, x[batch], y[batch]), list(model.parameters())) for batch in chosen]


def product_of(model, x, y):
    """Return the function v -> H v of the loss of all examples."""
    import torch

    parameters = list(model.parameters())
    first = torch.autograd.grad(loss_of(model, x, y), parameters, create_graph=True)
    flat = torch.cat([part.reshape(-1) for part in first])

    def product(v: np.ndarray):
        found = torch.autograd.grad(flat @ torch.as_tensor(v, dtype=flat.dtype), parameters, retain_graph=True)
        return torch.cat([part.reshape(-1) for part in found])

    return product


def linear(numbers: dict, repeats: int) -> None:
    """Compare C and lmax of a linear layer at zero with NumPy."""
    import torch

    x, y = examples(400)
    model = torch.nn.Linear(DIM, 1, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(model.weight)
    X, Y, rng = torch.as_tensor(x), torch.as_tensor(y), np.random.default_rng(1)
    tracker = shld.Tracker()
    for step in range(repeats):
        tracker.log(step, gradients=gradients(model, X, Y, rng))
    found = tracker.log(repeats, gradients=gradients(model, X, Y, rng), hvp=product_of(model, X, Y))
    each = -2.0 * y[:, None] * x  # of single examples, at zero
    mean = each.mean(axis=0)
    for name, exact in (("signal", mean @ mean), ("noise", each.var(axis=0).sum() / SIZE)):
        values = tracker.series(name)[1]
        numbers[f"{name}, linear"] = float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5), float(exact)
    numbers["lmax / NumPy, linear"] = found["lmax"] / float(np.linalg.eigvalsh(2.0 * x.T @ x / len(x))[-1])


def network(numbers: dict, out_dir: Path, steps: int) -> None:
    """Train a network of two layers and watch it."""
    import torch

    torch.manual_seed(0)
    X, Y = (torch.as_tensor(part, dtype=torch.float32) for part in examples(400))
    model = torch.nn.Sequential(torch.nn.Linear(DIM, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    optimiser, rng = torch.optim.SGD(model.parameters(), lr=0.1), np.random.default_rng(2)
    with shld.Tracker(every=5) as tracker:
        for step in range(steps + 1):
            if tracker.due(step):
                tracker.log(
                    step,
                    loss=loss_of(model, X, Y),  # a tensor that carries a gradient will do
                    gradients=gradients(model, X, Y, rng),
                    learning_rate=optimiser.param_groups[0]["lr"],
                    hvp=product_of(model, X, Y),
                )
            batch = rng.integers(len(X), size=SIZE)
            optimiser.zero_grad()
            loss_of(model, X[batch], Y[batch]).backward()
            optimiser.step()
    for name in ("loss", "p"):
        values = tracker.series(name)[1]
        numbers[f"{name} at the start"], numbers[f"{name} at the end"] = (
            float(values[:3].mean()),
            float(values[-5:].mean()),
        )
    tracker.plot(out_dir / "16_watch_pytorch.png")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory); nothing without PyTorch."""
    if importlib.util.find_spec("torch") is None:
        print("this example needs PyTorch, which is not installed: pip install torch")
        return {}
    import torch

    torch.set_num_threads(1)
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    linear(numbers, 100 if quick else 1000)
    network(numbers, out_dir, 100 if quick else 500)
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:32s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:32s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
