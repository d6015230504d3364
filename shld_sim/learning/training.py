"""Train a network on a task: batches, a record of losses and accuracies, watchers, files to continue from to the same bits."""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks
from shld_sim._seeds import child
from shld_sim._version import __version__
from shld_sim.diagnostics import consolidation
from shld_sim.learning.networks import Network
from shld_sim.learning.optimisers import Optimiser
from shld_sim.learning.tasks import Task

Array = NDArray[np.float64]

# Every random part of a training has a seed of its own, made from the seed given and one of these.
START, ORDER, SAMPLE, DRAW = 0, 1, 2, 3


class Objective:
    """What is minimised in place of the mean loss of the network, e.g. `SymmetryPrompting`. It must pickle."""

    def loss_and_gradient(
        self, network: Network, task: Task, theta: Array, inputs: Any, targets: Any, rng: np.random.Generator
    ) -> tuple[float, Array]:
        """Return the value and its gradient by the parameters.

        Parameters
        ----------
        network : Network
            What is trained.
        task : Task
            What is to be learned, with its symmetries.
        theta : ndarray, shape (n_parameters,)
            Parameters.
        inputs, targets : ndarray
            Examples of this step.
        rng : numpy.random.Generator
            For what is drawn at random, another one at every step.

        Returns
        -------
        loss : float
            Value.
        gradient : ndarray, shape (n_parameters,)
            Its gradient.
        """
        raise TypeError(f"{type(self).__name__} must define loss_and_gradient")


class EndTraining(Exception):
    """Raised by a watcher to end the training before its next step; what was trained so far is returned.

    Parameters
    ----------
    reason : str
        Why; for who reads the code.
    numbers : dict of str to float, optional
        Numbers to record, as a watcher returns them.
    """

    def __init__(self, reason: str = "", numbers: Mapping[str, float] | None = None) -> None:
        super().__init__(reason)
        self.numbers = numbers


@dataclass(frozen=True)
class Moment:
    """What a watcher sees of a training, before the step is made.

    Attributes
    ----------
    step : int
        Steps made.
    theta : ndarray, shape (n_parameters,)
        Parameters; a copy.
    loss : float
        Loss of the batch of this step (of all examples, without batches), or the objective.
    gradient : ndarray, shape (n_parameters,)
        Its gradient.
    per_sample : ndarray, shape (samples, n_parameters), or None
        Gradients of single examples, drawn at random, each from all those to learn from; if asked for.
    network : Network
        The network.
    task : Task
        The task.
    optimiser : Optimiser
        The optimiser that makes the next step; a watcher may change its learning rate.
    """

    step: int
    theta: Array
    loss: float
    gradient: Array
    per_sample: Array | None
    network: Network
    task: Task
    optimiser: Optimiser


@dataclass(frozen=True)
class Watch:
    """A function that is called every so many steps of `train`, and whose numbers are recorded.

    Parameters
    ----------
    function : callable
        ``function(moment)`` takes a `Moment` and returns names and numbers, or None; it may raise `EndTraining`.
    every : int
        Called at step 0 and every so many steps after it.
    samples : int
        Number of gradients of single examples that it needs, drawn with replacement; 0 for none.
    """

    function: Callable[[Moment], Mapping[str, float] | None]
    every: int = 100
    samples: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "every", _checks.integer("every", self.every))
        object.__setattr__(self, "samples", _checks.integer("samples", self.samples, 0))


@dataclass(frozen=True, eq=False)
class Series:
    """Numbers recorded by a watcher under one name.

    Attributes
    ----------
    steps : ndarray of int, shape (m,)
        Steps made.
    values : ndarray, shape (m,)
        Numbers.
    """

    steps: NDArray[np.int64]
    values: Array


@dataclass(frozen=True, eq=False)
class Training:
    """A training as far as it went, and all that is needed to continue it to the same bits.

    Attributes
    ----------
    network, task : Network, Task
        What was trained, and on what.
    optimiser : Optimiser
        The optimiser after the last step.
    theta : ndarray, shape (n_parameters,)
        Parameters after the last step.
    n_steps : int
        Steps made.
    batch : int or None
        Examples per step; None for all.
    seed : int or numpy.random.SeedSequence
        Seed of first parameters, batches and samples.
    every : int
        Steps between records.
    steps : ndarray of int, shape (m,)
        Steps made at each record, from 0.
    train_loss, test_loss : ndarray, shape (m,)
        Mean losses.
    train_accuracy, test_accuracy : ndarray, shape (m,), or None
        Shares of labels found; None for a task without labels.
    watched : dict of str to Series
        What the watchers recorded.
    version : str
        Version of the package.
    objective : Objective or None
        What was minimised; None for the mean loss of the network.
    """

    network: Network
    task: Task
    optimiser: Optimiser
    theta: Array
    n_steps: int
    batch: int | None
    seed: int | np.random.SeedSequence
    every: int
    steps: NDArray[np.int64]
    train_loss: Array
    test_loss: Array
    train_accuracy: Array | None
    test_accuracy: Array | None
    watched: dict[str, Series]
    version: str = __version__
    objective: Objective | None = None

    def first_step(self, accuracy: float = 0.95, of: str = "test") -> int | None:
        """Return the first recorded step with at least this accuracy.

        Parameters
        ----------
        accuracy : float
            Share of labels found, from 0 to 1.
        of : {"test", "train"}
            Of which examples.

        Returns
        -------
        int or None
            Steps made, a multiple of ``every``; None if it was never reached.

        Raises
        ------
        ValueError
            If the task has no labels.
        """
        _checks.one_of("of", of, ("test", "train"))
        values = self.test_accuracy if of == "test" else self.train_accuracy
        if values is None:
            raise ValueError(f"task must have labels for an accuracy, got {self.task!r}")
        reached = np.flatnonzero(values >= _checks.number("accuracy", accuracy))
        return int(self.steps[reached[0]]) if len(reached) else None

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the training to a file, whole or not at all.

        Parameters
        ----------
        path : path-like
            File; an existing one is replaced in one move.

        Returns
        -------
        Path
            The file.
        """
        target = Path(path)
        partial = target.with_name(target.name + ".partial")
        try:
            with open(partial, "wb") as file:
                pickle.dump(self, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
        return target

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Training:
        """Read what `save` wrote. The file is a pickle, which can run code: load only what you trust.

        Parameters
        ----------
        path : path-like
            File.

        Returns
        -------
        Training
            The training.

        Raises
        ------
        ValueError
            If the file holds something else.
        """
        with open(path, "rb") as file:
            try:
                found = pickle.load(file)
            except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError) as error:
                raise ValueError(f"path must be a file written by Training.save, got {os.fspath(path)!r}") from error
        if not isinstance(found, Training):
            raise ValueError(f"path must be a file written by Training.save, got a {type(found).__name__}")
        return found


def train(
    network: Network,
    task: Task,
    optimiser: Optimiser,
    steps: int,
    *,
    batch: int | None = None,
    seed: int | np.random.SeedSequence = 0,
    theta: ArrayLike | None = None,
    every: int = 100,
    callbacks: Iterable[Watch] = (),
    goal: float | None = None,
    objective: Objective | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1000,
) -> Training:
    """Train a network and record how it goes.

    Parameters
    ----------
    network : Network
        What is trained.
    task : Task
        Examples.
    optimiser : Optimiser
        Makes the steps; it is copied, and the one given is left as it is.
    steps : int
        Number of steps.
    batch : int, optional
        Examples per step, from a new random order in every epoch (what is left at the end of one is not used);
        all of them if not given. The batch of a step depends on the seed and the number of the step alone.
    seed : int or numpy.random.SeedSequence
        Seed of first parameters, batches and samples.
    theta : array_like, shape (n_parameters,), optional
        First parameters; ``network.initial`` if not given.
    every : int
        Losses and accuracies of all examples are recorded at step 0 and every so many steps after it.
    callbacks : iterable of Watch
        Functions that watch, with what they need.
    goal : float, optional
        End early once a recorded test accuracy is at least this.
    objective : Objective, optional
        What is minimised in place of the mean loss of the network, e.g. `SymmetryPrompting`. The losses and accuracies that are
        recorded, and gradients of single examples, are those of the network all the same.
    checkpoint : path-like, optional
        File to which the training is saved every ``checkpoint_every`` steps and at the end; continue with
        ``resume(Training.load(path), ...)``.
    checkpoint_every : int
        Steps between saves.

    Returns
    -------
    Training
        Record, parameters, and all that is needed to continue.

    Raises
    ------
    ValueError, TypeError
        For an argument that makes no sense.
    FloatingPointError
        If the parameters leave the finite numbers.

    Examples
    --------
    >>> from shld_sim import learning
    >>> task = learning.noisy_quadratic([1.0, 4.0], noise=0.1)
    >>> run = learning.train(learning.Bowl((1.0, 4.0)), task, learning.Descent(0.1), 100, every=50)
    >>> run.steps.tolist(), bool(run.test_loss[-1] < 0.03)
    ([0, 50, 100], True)
    """
    if theta is None:
        start = network.initial(child(seed, START))
    else:
        start = _checks.finite_array("theta", theta).copy()
        if start.shape != (network.n_parameters,):
            raise ValueError(f"theta must have shape ({network.n_parameters},), got {start.shape}")
    if batch is not None:
        batch = _checks.integer("batch", batch)
        if batch > len(task.inputs):
            raise ValueError(f"batch must be at most {len(task.inputs)}, the number of examples, got {batch}")
    empty = np.empty(0)
    accuracy = empty if task.has_labels else None
    begun = Training(
        network=network,
        task=task,
        optimiser=copy.deepcopy(optimiser),
        theta=start,
        n_steps=0,
        batch=batch,
        seed=seed,
        every=_checks.integer("every", every),
        steps=np.empty(0, np.int64),
        train_loss=empty,
        test_loss=empty,
        train_accuracy=accuracy,
        test_accuracy=accuracy,
        watched={},
        objective=objective,
    )
    return resume(
        begun, steps, callbacks=callbacks, goal=goal, checkpoint=checkpoint, checkpoint_every=checkpoint_every
    )


def resume(
    run: Training,
    steps: int,
    *,
    callbacks: Iterable[Watch] = (),
    goal: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 1000,
) -> Training:
    """Continue a training by more steps, to the same bits as if it had never been interrupted.

    The products of matrices are those of NumPy's BLAS, whose last bits depend on the machine and on its number of threads
    (``OPENBLAS_NUM_THREADS``, ``OMP_NUM_THREADS``): keep these for the same bits. One thread is best for networks so small.

    Parameters
    ----------
    run : Training
        What `train`, `resume` or `Training.load` returned; it is left as it is.
    steps : int
        Number of further steps.
    callbacks : iterable of Watch
        Functions that watch, as for `train`: they are not kept in a training.
    goal : float, optional
        End early once a recorded test accuracy is at least this.
    checkpoint : path-like, optional
        File to save to, as for `train`.
    checkpoint_every : int
        Steps between saves.

    Returns
    -------
    Training
        The longer training.

    Raises
    ------
    ValueError, TypeError
        For an argument that makes no sense.
    FloatingPointError
        If the parameters leave the finite numbers.
    """
    steps, save_every = _checks.integer("steps", steps), _checks.integer("checkpoint_every", checkpoint_every)
    watchers = tuple(callbacks)
    for watch in watchers:
        if not isinstance(watch, Watch):
            raise TypeError(f"callbacks must be Watch(function, every, samples), got {watch!r}")
    if goal is not None:
        _checks.number("goal", goal)
        if not run.task.has_labels:
            raise ValueError(f"goal is an accuracy and needs a task with labels, got {run.task!r}")
    work, end = _Work(run), run.n_steps + steps
    while True:
        k = work.n_steps
        fresh = k > run.n_steps or len(run.steps) == 0  # what stands at the seam has been recorded already
        due = [watch for watch in watchers if fresh and k % watch.every == 0]
        if fresh and k % run.every == 0:
            work.record()
        ended = k == end or (goal is not None and work.reached(goal))
        if due or not ended:
            with np.errstate(over="ignore", invalid="ignore"):  # the next step says what went wrong
                loss, g = work.loss_and_gradient()
            for watch in due:
                ended = work.show(watch, loss, g) or ended
        if ended:
            break
        if checkpoint is not None and k % save_every == 0 and k > run.n_steps:
            work.frozen().save(checkpoint)
        work.theta = work.optimiser.step(work.theta, g)
        work.n_steps += 1
    done = work.frozen()
    if checkpoint is not None:
        done.save(checkpoint)
    return done


def consolidation_watch(every: int = 100, samples: int | None = 64, *, confidence: float = 0.95) -> Watch:
    """Return a watcher of ``C = |mu|^2/tr S`` and ``p = C/(1 + C)`` of an example drawn at random.

    With a number of samples, `diagnostics.consolidation` estimates C from so many examples, as one would during a training;
    recorded are ``C``, ``p``, ``signal``, ``noise`` and the ends of the interval of C, ``C low`` and ``C high``. With ``None``
    all examples to learn from are taken, and there is nothing to estimate; recorded are ``C all``, ``p all``, ``signal all``,
    ``noise all``. A batch of b has C b times larger. Where all gradients are the same nothing is recorded.

    Parameters
    ----------
    every : int
        Steps between measurements.
    samples : int or None
        Number of examples, 3 at least, or all.
    confidence : float
        Level of the interval, in (0, 1).

    Returns
    -------
    Watch
        For ``callbacks`` of `train`.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    level = _checks.probability("confidence", confidence)
    if samples is None:
        return Watch(_consolidation_of_all, every)
    return Watch(_Consolidation(level), every, _checks.integer("samples", samples, 3))


def _consolidation_of_all(moment: Moment) -> Mapping[str, float] | None:
    mean, square = moment.network.gradient_moments(moment.theta, moment.task.inputs, moment.task.targets)
    signal = float(mean @ mean)
    noise = square - signal
    if noise <= 1e-14 * square:
        return None
    # C = |mu|^2/tr S, p = |mu|^2/E|g|^2
    return {"C all": signal / noise, "p all": signal / square, "signal all": signal, "noise all": noise}


@dataclass(frozen=True)
class _Consolidation:
    confidence: float

    def __call__(self, moment: Moment) -> Mapping[str, float] | None:
        g = moment.per_sample
        assert g is not None
        if (g == g[0]).all():
            return None
        found = consolidation(g, confidence=self.confidence)
        low, high = found.interval
        return {"C": found.C, "p": found.p, "signal": found.signal, "noise": found.noise, "C low": low, "C high": high}


class _Work:
    """A training while it runs: the parts of `Training` that grow."""

    def __init__(self, run: Training) -> None:
        self.run, self.network, self.task = run, run.network, run.task
        self.theta, self.n_steps, self.optimiser = run.theta, run.n_steps, copy.deepcopy(run.optimiser)
        self.rows: list[tuple[int, float, float, float, float]] = []
        self.series: dict[str, list[tuple[int, float]]] = {}
        self._epoch, self._order = -1, np.empty(0, np.int64)

    def examples(self, step: int) -> tuple[Any, Any]:
        """Return the batch of a step, a function of the seed and the step alone."""
        x, y, size = self.task.inputs, self.task.targets, self.run.batch
        if size is None:
            return x, y
        epoch, place = divmod(step, len(x) // size)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng(child(self.run.seed, ORDER, epoch)).permutation(len(x))
        chosen = self._order[place * size : (place + 1) * size]
        return x[chosen], y[chosen]

    def loss_and_gradient(self) -> tuple[float, Array]:
        """Return what is minimised, and its gradient, for the batch of this step."""
        x, y = self.examples(self.n_steps)
        objective = self.run.objective
        if objective is None:
            return self.network.loss_and_gradient(self.theta, x, y)
        rng = np.random.default_rng(child(self.run.seed, DRAW, self.n_steps))
        return objective.loss_and_gradient(self.network, self.task, self.theta, x, y, rng)

    def record(self) -> None:
        """Record losses and accuracies of all examples."""
        row: list[float] = []
        for x, y in (
            (self.task.inputs, self.task.targets),
            (self.task.test_inputs, self.task.test_targets),
        ):
            with np.errstate(over="ignore", invalid="ignore"):  # the next step says what went wrong
                F = self.network.outputs(self.theta, x)
                losses = self.network.loss_function.values(F, y)
            right = float((F.argmax(axis=1) == y).mean()) if self.task.has_labels else np.nan
            row += [float(losses.mean()), right]
        train_loss, train_right, test_loss, test_right = row
        self.rows.append((self.n_steps, train_loss, test_loss, train_right, test_right))

    def show(self, watch: Watch, loss: float, g: Any) -> bool:
        """Call a watcher, record what it returns, and say whether it wants to end."""
        each = None
        if watch.samples:
            n = len(self.task.inputs)
            rng = np.random.default_rng(child(self.run.seed, SAMPLE, self.n_steps))
            chosen = rng.integers(n, size=watch.samples)
            each = self.network.per_sample_gradients(self.theta, self.task.inputs[chosen], self.task.targets[chosen])
        moment = Moment(self.n_steps, self.theta.copy(), loss, g, each, self.network, self.task, self.optimiser)
        ended = False
        try:
            numbers = watch.function(moment)
        except EndTraining as end:
            numbers, ended = end.numbers, True
        for name, value in (numbers or {}).items():
            self.series.setdefault(name, []).append((self.n_steps, float(value)))
        return ended

    def reached(self, goal: float) -> bool:
        """Whether the last record, made at this step, has the test accuracy that ends the run."""
        return bool(self.rows) and self.rows[-1][0] == self.n_steps and self.rows[-1][4] >= goal

    def frozen(self) -> Training:
        """Return the training as it stands."""
        old, columns = self.run, np.array(self.rows, dtype=float).reshape(-1, 5).T
        labels = old.task.has_labels
        watched = dict(old.watched)
        for name, pairs in self.series.items():
            steps, values = np.array([k for k, _ in pairs], np.int64), np.array([value for _, value in pairs])
            if name in watched:
                steps = np.concatenate([watched[name].steps, steps])
                values = np.concatenate([watched[name].values, values])
            watched[name] = Series(steps, values)
        return dataclasses.replace(
            old,
            optimiser=copy.deepcopy(self.optimiser),
            theta=self.theta.copy(),
            n_steps=self.n_steps,
            steps=np.concatenate([old.steps, columns[0].astype(np.int64)]),
            train_loss=np.concatenate([old.train_loss, columns[1]]),
            test_loss=np.concatenate([old.test_loss, columns[2]]),
            train_accuracy=np.concatenate([old.train_accuracy, columns[3]]) if labels else None,
            test_accuracy=np.concatenate([old.test_accuracy, columns[4]]) if labels else None,
            watched=watched,
        )
