"""Trainings with or without symmetry prompting, several seeds: accuracy, symmetry gap and geometry as they learn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.diagnostics import effective_frequencies, effective_rank, fourier_concentration
from shld_sim.learning.networks import Perceptron
from shld_sim.learning.optimisers import AdamW, Optimiser
from shld_sim.learning.prompting import KINDS, SymmetryPrompting, symmetry_gap
from shld_sim.learning.tasks import Task
from shld_sim.learning.training import Moment, Training, Watch, train

Array = NDArray[np.float64]
Seed = int | np.random.SeedSequence


@dataclass(frozen=True, eq=False)
class Prompting:
    """Trainings of one kind, one for each seed.

    Attributes
    ----------
    weight : float
        Weight of the symmetric divergence; 0 is without prompting.
    kind : {"mirror", "relations"}
        Symmetry that is prompted, and whose gap is recorded.
    steps : ndarray of int, shape (m,)
        Steps made at each record.
    train_accuracy, test_accuracy : ndarray, shape (n, m)
        Shares of labels found, one training a row.
    gap : ndarray, shape (n, m)
        `symmetry_gap` over all examples, in nats.
    rank : ndarray, shape (n, m)
        `effective_rank` of the embedding.
    frequencies : ndarray, shape (n, m)
        `effective_frequencies` of the embedding, its rows taken for Z_p.
    concentration : ndarray, shape (n, m)
        Share of the strongest frequency in the embedding.
    trainings : tuple of Training
        The trainings.
    """

    weight: float
    kind: str
    steps: NDArray[np.int64]
    train_accuracy: Array
    test_accuracy: Array
    gap: Array
    rank: Array
    frequencies: Array
    concentration: Array
    trainings: tuple[Training, ...]

    @property
    def embeddings(self) -> tuple[Array, ...]:
        """Embedding at the end of each training, shape (n_symbols, embedding)."""
        return tuple(run.network.views(run.theta)["embedding"] for run in self.trainings)

    def first_steps(self, accuracy: float = 0.95, of: str = "test") -> Array:
        """Return the first recorded step of each training with at least this accuracy, nan where it was never reached.

        Parameters
        ----------
        accuracy : float
            Share of labels found, from 0 to 1.
        of : {"test", "train"}
            Of which examples.

        Returns
        -------
        ndarray, shape (n,)
            Steps made, or nan.
        """
        found = [run.first_step(accuracy, of) for run in self.trainings]
        return np.array([np.nan if step is None else step for step in found], dtype=float)


def prompting(
    task: Callable[[Seed], Task],
    weight: float,
    seeds: Sequence[Seed],
    *,
    kind: str = "mirror",
    samples: int | None = 128,
    steps: int = 600,
    every: int = 10,
    batch: int | None = None,
    network: Callable[[Task], Perceptron] | None = None,
    optimiser: Optimiser | None = None,
) -> Prompting:
    """Train once for each seed, with a weight on the symmetry of the task, and record what is learned.

    A seed draws the split of the task, the first parameters and the batches, the same ones whatever the weight: trainings of
    the same seed with and without prompting are pairs.

    Parameters
    ----------
    task : callable
        ``task(seed) -> Task`` with labels.
    weight : float
        Weight of the symmetric divergence, not negative; with 0 nothing but the loss of the network is minimised.
    seeds : sequence of int or numpy.random.SeedSequence
        One for each training.
    kind : {"mirror", "relations"}
        Symmetry of the task.
    samples : int or None
        Symmetries drawn at every step, or all.
    steps : int
        Steps of every training.
    every : int
        Steps between records.
    batch : int or None
        Examples per step, or all.
    network : callable, optional
        ``network(task) -> Perceptron``; 16 numbers for a symbol and 64 hidden units if not given.
    optimiser : Optimiser, optional
        `AdamW` with learning rate .03 and weight decay 2 if not given.

    Returns
    -------
    Prompting
        Records.

    Raises
    ------
    ValueError
        If an argument is out of range or the task has not the symmetry.
    """
    weight = _checks.nonnegative("weight", weight)
    _checks.one_of("kind", kind, KINDS)
    if not seeds:
        raise ValueError("seeds must name one training at least, got none")
    watch = Watch(_Geometry(kind), _checks.integer("every", every))
    objective = SymmetryPrompting(weight, samples, kind) if weight > 0.0 else None
    runs = []
    for seed in seeds:
        root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
        of_split, of_training = (int(state) for state in root.generate_state(2, np.uint64))
        examples = task(of_split)
        size = examples.n_symbols, examples.n_outputs
        runs.append(
            train(
                Perceptron(*size, 16, (64,)) if network is None else network(examples),
                examples,
                AdamW(0.03, 2.0) if optimiser is None else optimiser,
                steps,
                batch=batch,
                seed=of_training,
                every=every,
                callbacks=(watch,),
                objective=objective,
            )
        )
    columns = {name: np.array([run.watched[name].values for run in runs]) for name in runs[0].watched}
    return Prompting(
        weight=weight,
        kind=kind,
        steps=runs[0].steps,
        train_accuracy=np.array([run.train_accuracy for run in runs]),
        test_accuracy=np.array([run.test_accuracy for run in runs]),
        trainings=tuple(runs),
        **columns,
    )


@dataclass(frozen=True)
class _Geometry:
    kind: str

    def __call__(self, moment: Moment) -> dict[str, float]:
        E = moment.network.views(moment.theta)["embedding"]
        return {
            "gap": symmetry_gap(moment.network, moment.theta, moment.task, self.kind),
            "rank": effective_rank(E),
            "frequencies": effective_frequencies(E),
            "concentration": fourier_concentration(E),
        }
