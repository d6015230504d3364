"""Grokking on modular addition, with everything that is said to foretell it recorded along the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks
from shld_sim.diagnostics import (
    CriticalityTracker,
    consolidation,
    jumps,
    largest_eigenvalue,
    stable_characteristic,
    tangent_kernel,
)
from shld_sim.diagnostics.criticality import C_BAND, S_BAND
from shld_sim.learning.networks import QuadraticNetwork
from shld_sim.learning.optimisers import Descent
from shld_sim.learning.tasks import Task, modular_addition
from shld_sim.learning.training import Moment, Watch, resume, train
from shld_sim.theory import noisy_margin

Array = NDArray[np.float64]
Steps = NDArray[np.int64]

OUTPUTS = 32  # of which the tangent kernel is made; the document takes up to so many
SAMPLES = 32  # gradients of single examples for the estimate of C
DIRECTIONS = 16  # random directions onto which they are projected for the index of the noise
PRODUCTS = 8  # with the Hessian, for each largest eigenvalue
RECORD = 2  # steps between accuracies


@dataclass(frozen=True, eq=False)
class Grokking:
    """A run on a + b mod p by descent with batches, and what was measured along it. Arrays are read-only.

    Attributes
    ----------
    p, width, batch : int
        Modulus, hidden units, examples per step.
    eta : float
        Step of the descent.
    n_parameters : int
        Number of parameters.
    seed : int
        Seed of task, first parameters, batches and samples.
    steps : ndarray of int, shape (n,)
        Steps of losses and accuracies.
    train_loss, test_loss, train_accuracy, test_accuracy : ndarray, shape (n,)
        Of all examples.
    at : ndarray of int, shape (m,)
        Steps of what follows, down to ``alpha_noise``.
    C, p_success : ndarray, shape (m,)
        ``|mu|^2/tr S`` of a batch and ``C/(1 + C)``, from the gradients of all examples: no error of sampling.
    C_estimate, C_plug_in : ndarray, shape (m,)
        C of a batch from 32 gradients, without bias and as the document has it (too large by batch/32 on average).
    lmax : ndarray, shape (m,)
        Largest eigenvalue of the Hessian of all examples, by Lanczos.
    S_p : ndarray, shape (m,)
        ``2 p/eta - lmax``.
    alpha_noise : ndarray, shape (m,)
        Index of the stable law that fits the noise of gradients along 16 random directions.
    norms : ndarray, shape (k,)
        Norm of the gradient of the batch, at every step from 0 to the last; so are all that follow.
    S : ndarray, shape (k,)
        ``2/eta - lmax``, between measurements interpolated.
    rho, rate : ndarray, shape (k,)
        ln det of the tangent kernel of 32 outputs, and its change over the last step; nan at step 0.
    alpha, alpha_hill : ndarray, shape (k,)
        Hill's index of the last 100 norms, cut to [1.1, 1.9] as the tracker does, and as it is; nan at first.
    C_a, phi : ndarray, shape (k,)
        The tracker's ``C_a`` with the number of parameters as d, and its Phi; nan at first.
    conditions : ndarray of bool, shape (k, 3)
        Whether the tracker's bands hold C_a, S and the rate.
    """

    p: int
    width: int
    batch: int
    eta: float
    n_parameters: int
    seed: int
    steps: Steps
    train_loss: Array
    test_loss: Array
    train_accuracy: Array
    test_accuracy: Array
    at: Steps
    C: Array
    p_success: Array
    C_estimate: Array
    C_plug_in: Array
    lmax: Array
    S_p: Array
    alpha_noise: Array
    norms: Array
    S: Array
    rho: Array
    rate: Array
    alpha: Array
    alpha_hill: Array
    C_a: Array
    phi: Array
    conditions: NDArray[np.bool_]

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False

    def first_step(self, accuracy: float, of: str = "test") -> int | None:
        """Return the first recorded step with at least this accuracy of ``"test"`` or ``"train"``; None if there is none."""
        _checks.one_of("of", of, ("test", "train"))
        reached = np.flatnonzero((self.test_accuracy if of == "test" else self.train_accuracy) >= accuracy)
        return int(self.steps[reached[0]]) if len(reached) else None

    @property
    def by_heart(self) -> int | None:
        """First step at which all examples are right; None if there is none."""
        return self.first_step(1.0, "train")

    @property
    def understood(self) -> int | None:
        """First step at which 95 % of the tests are right; None if there is none."""
        return self.first_step(0.95)

    @property
    def grokked(self) -> bool:
        """Whether all was known by heart, with less than half of the tests right, in the first half of the way to 95 %."""
        heart, end = self.by_heart, self.understood
        if heart is None or end is None:
            return False
        return 2 * heart <= end and bool(self.test_accuracy[self.steps == heart][0] < 0.5)

    @property
    def jumps(self) -> Steps:
        """Steps at which the test accuracy jumps, by more than 5 % within 10 steps."""
        return jumps(self.steps, self.test_accuracy)

    def conditions_in(self, unit: float) -> NDArray[np.bool_]:
        """Return the tracker's conditions for the loss in another unit, in which it is ``unit`` times as large.

        The same run, with the step ``eta/unit``: ``C_a`` is multiplied by ``unit^2``, S by ``unit``, while the tangent
        kernel, of outputs, stays.

        Parameters
        ----------
        unit : float
            Positive.

        Returns
        -------
        ndarray of bool, shape (k, 3)
            Conditions.
        """
        c = _checks.positive("unit", unit)
        with np.errstate(invalid="ignore"):
            inside = [
                (low <= values) & (values <= high)
                for values, (low, high) in ((c**2 * self.C_a, C_BAND), (c * self.S, S_BAND))
            ]
        return np.column_stack([*inside, self.conditions[:, 2]])


@lru_cache(maxsize=128)
def grokking(
    p: int = 19,
    width: int = 64,
    train_fraction: float = 0.65,
    *,
    learning_rate: float = 0.7,
    batch: int = 32,
    steps: int = 2000,
    after: float = 0.25,
    every: int = 10,
    seed: int = 0,
) -> Grokking:
    r"""Train a `QuadraticNetwork` on a + b mod p by plain descent with batches, and record what is said to foretell grokking.

    :math:`\theta' = \theta - \eta\,g`, eta = ``learning_rate`` times ``width``, g the gradient of half the squared error
    of a batch; no momentum, nothing that regularises, so that 2/eta is the edge of stability. The run ends ``after`` times
    as many steps after 95 % of the tests are right, or after ``steps``. Runs are kept: the same arguments give the same object.

    Parameters
    ----------
    p : int
        Modulus.
    width : int
        Hidden units.
    train_fraction : float
        Share of the pairs to learn from.
    learning_rate : float
        Step over width; 0.7 is near the largest that does not diverge.
    batch : int
        Examples per step, below the number of examples.
    steps : int
        Most steps to 95 %.
    after : float
        How much longer it goes on, over the steps to 95 %.
    every : int
        Steps between measurements of C and of the curvature; norms and the tangent kernel are recorded at every step.
    seed : int
        Seed of everything.

    Returns
    -------
    Grokking
        The run.

    Raises
    ------
    ValueError
        If an argument is out of range.
    FloatingPointError
        If the parameters leave the finite numbers.
    """
    every, extra = _checks.integer("every", every), _checks.nonnegative("after", after)
    task, network = modular_addition(p, train_fraction, seed), QuadraticNetwork(p, width)
    eta = _checks.positive("learning_rate", learning_rate) * width
    meter = _Meter(network, task, batch, seed)
    watches = (Watch(meter.at_every_step, 1), Watch(meter.measure, every, SAMPLES))
    settings: dict[str, Any] = {"batch": batch, "seed": seed, "every": RECORD, "callbacks": watches, "goal": 0.95}
    run = train(network, task, Descent(eta), steps, **settings)
    more = math.ceil(extra * run.n_steps)
    if more:
        run = resume(run, more, callbacks=watches)
    seen = {name: series.values for name, series in run.watched.items()}
    at, tracker = run.watched["C"].steps, CriticalityTracker(eta, dim=network.n_parameters)
    curvature = np.interp(np.arange(run.n_steps + 1), at, seen["lmax"])
    states = [
        tracker.update(*values)
        for values in zip(seen["norm"].tolist(), curvature.tolist(), seen["rho"].tolist(), strict=True)
    ]
    assert run.train_accuracy is not None and run.test_accuracy is not None
    share = seen["C"] / (1.0 + seen["C"])
    return Grokking(
        p=p,
        width=width,
        batch=batch,
        eta=eta,
        n_parameters=network.n_parameters,
        seed=seed,
        steps=run.steps,
        train_loss=run.train_loss,
        test_loss=run.test_loss,
        train_accuracy=run.train_accuracy,
        test_accuracy=run.test_accuracy,
        at=at,
        C=seen["C"],
        p_success=share,
        C_estimate=seen["C estimate"],
        C_plug_in=seen["C plug-in"],
        lmax=seen["lmax"],
        S_p=np.array([noisy_margin(p, eta, lmax) for p, lmax in zip(share, seen["lmax"], strict=True)]),
        alpha_noise=seen["alpha noise"],
        norms=seen["norm"],
        S=np.array([state.S for state in states]),
        rho=seen["rho"],
        rate=np.array([state.rate for state in states]),
        alpha=np.array([state.alpha for state in states]),
        alpha_hill=np.array([math.nan if state.tail is None else state.tail.alpha for state in states]),
        C_a=np.array([state.C for state in states]),
        phi=np.array([state.phi for state in states]),
        conditions=np.array([state.conditions for state in states]),
    )


class _Meter:
    """What is measured along a run; it holds what stays the same: probes, directions, seeds."""

    def __init__(self, network: QuadraticNetwork, task: Task, batch: int, seed: int) -> None:
        self.network, self.batch = network, batch
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(17,)))
        self.probes = task.inputs[np.sort(rng.choice(len(task.inputs), min(OUTPUTS, len(task.inputs)), replace=False))]
        self.places = rng.integers(network.n_symbols, size=len(self.probes))
        self.directions = rng.standard_normal((network.n_parameters, DIRECTIONS))
        self.start = int(rng.integers(2**31))

    def at_every_step(self, moment: Moment) -> Mapping[str, float]:
        """Return the norm of the gradient and rho."""
        return {"norm": float(np.linalg.norm(moment.gradient)), "rho": self.log_det(moment.theta)}

    def log_det(self, theta: Array) -> float:
        """Return ln det of the tangent kernel of one output of each probe."""
        rows = np.arange(len(self.probes))
        residual = self.network.outputs(theta, self.probes)
        residual[rows, self.places] -= 1.0
        # half the squared error of these targets has the residual 1 at one output: its gradient is that of the output
        jacobian = self.network.per_sample_gradients(theta, self.probes, residual)
        # L L^T = J J^T: the small L has the singular values of J
        return tangent_kernel(np.linalg.cholesky(jacobian @ jacobian.T)).log_det

    def measure(self, moment: Moment) -> Mapping[str, float]:
        """Return C, the curvature and the index of the noise."""
        network, task, theta, each = self.network, moment.task, moment.theta, moment.per_sample
        assert each is not None
        mean, square = network.gradient_moments(theta, task.inputs, task.targets)
        signal = float(mean @ mean)
        estimate = consolidation(each)
        top = largest_eigenvalue(
            lambda v: network.hessian_vector_product(theta, v, task.inputs, task.targets),
            theta.size,
            steps=PRODUCTS,
            seed=self.start,
        )
        return {
            # C = |mu|^2/tr S of a batch
            "C": self.batch * signal / (square - signal),
            "C estimate": estimate.with_batch(self.batch).C,
            "C plug-in": self.batch * estimate.plug_in,
            "lmax": top.value,
            "alpha noise": stable_characteristic((each - each.mean(axis=0)) @ self.directions, location=0.0).alpha,
        }
