"""Watchers that act: they end a training, or change its step, by the rules of the document on phase transitions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shld_sim import _checks
from shld_sim.diagnostics import EarlyStop, consolidation, step_factor
from shld_sim.learning.training import EndTraining, Moment, Watch
from shld_sim.schedules import Schedule


def early_stop_watch(batch: int, every: int = 100, samples: int = 64, *, rule: EarlyStop | None = None) -> Watch:
    """Return a watcher that ends a training when `diagnostics.EarlyStop` finds a reason.

    p is that of a gradient of ``batch`` examples, ``p/(1 - p) = batch C``, with C of one example estimated from ``samples``. The
    interval of p counts too. What the rule has seen is kept in the watcher: take a new one for another training.

    Parameters
    ----------
    batch : int
        Examples per step.
    every : int
        Steps between measurements.
    samples : int
        Gradients of single examples per measurement, 3 at least.
    rule : EarlyStop, optional
        The rule; the document's if not given.

    Returns
    -------
    Watch
        For ``callbacks`` of `train`; it records ``p``.
    """
    stop = _EarlyStop(_checks.integer("batch", batch), EarlyStop() if rule is None else rule)
    return Watch(stop, every, _checks.integer("samples", samples, 3))


def adaptive_step_watch(
    batch: int, every: int = 100, samples: int = 64, *, factor: Callable[[float], float] = step_factor
) -> Watch:
    """Return a watcher that sets the learning rate to ``factor(p)`` times what it was when the watcher was first called.

    `diagnostics.step_factor`, the document's rule, does not do what it promises; see there and `diagnostics.best_step_factor`.

    Parameters
    ----------
    batch, every, samples
        As for `early_stop_watch`.
    factor : callable
        Factor on the first learning rate by p.

    Returns
    -------
    Watch
        For ``callbacks`` of `train`; it records ``p`` and ``learning rate``. The optimiser must have a number for its rate.
    """
    return Watch(_Step(_checks.integer("batch", batch), factor), every, _checks.integer("samples", samples, 3))


def _p(moment: Moment, batch: int) -> tuple[float, tuple[float, float]]:
    """Return p of a batch and its interval."""
    g = moment.per_sample
    assert g is not None
    if (g == g[0]).all():  # no noise at all
        return 1.0, (1.0, 1.0)
    found = consolidation(g).with_batch(batch)
    return found.p, found.p_interval


@dataclass(frozen=True)
class _EarlyStop:
    batch: int
    rule: EarlyStop

    def __call__(self, moment: Moment) -> Mapping[str, float]:
        p, interval = _p(moment, self.batch)
        reasons = self.rule.update(p, p_interval=interval)
        if reasons:
            raise EndTraining(", ".join(reasons), {"p": p})
        return {"p": p}


@dataclass
class _Step:
    batch: int
    factor: Callable[[float], float]
    first: float = math.nan

    def __call__(self, moment: Moment) -> Mapping[str, float]:
        rate = moment.optimiser.learning_rate
        if isinstance(rate, Schedule):
            raise TypeError(f"optimiser must have a number for its learning rate to be steered, got {rate!r}")
        if math.isnan(self.first):
            self.first = rate
        p, _ = _p(moment, self.batch)
        moment.optimiser.learning_rate = self.first * self.factor(p)
        return {"p": p, "learning rate": moment.optimiser.learning_rate}
