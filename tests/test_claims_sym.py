"""Planted errors in the claims on symmetry prompting: each must turn the verdict."""

import dataclasses

import numpy as np
import pytest

from shld_sim import learning, theory, verify
from shld_sim.claims import decide, measure, sym
from shld_sim.claims.registry import Run
from shld_sim.claims.rules import Outcome, Test


def verdict(id):
    return str(verify(only=id, quick=True, figures=False, progress=False)[id].verdict)


def records(weight, times, n=20, decay=True):
    """Trainings as they might be: numbers that cross their half-way points at the times given, with a spread of a tenth."""
    rng, steps = np.random.default_rng(7), np.arange(0, sym.STEPS + 1, sym.EVERY)
    late = np.exp(0.1 * rng.standard_normal((3, n, 1)))
    known, gap, number = (1.0 / (1.0 + (np.maximum(steps, 1) / (t * late[i])) ** 6) for i, t in enumerate(times))
    accuracy = 1.0 - known
    return sym.experiments.Prompting(
        weight,
        "mirror",
        steps,
        accuracy,
        accuracy,
        gap + 1e-3,
        14.0 - steps / 200 + 0.0 * gap,
        4.0 * 2.6**number,
        0.4 + 0.0 * gap,
        (),
    )


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((40, 80, 160), "supported"),  # examples, symmetry, geometry, as stated
        ((80, 40, 160), "refuted"),
        ((40, 160, 80), "refuted"),
        ((40, 40, 40), "refuted"),  # all at once
    ],
)
def test_stages_are_told_by_their_order(times, expected, monkeypatch):
    monkeypatch.setattr(sym, "_runs", lambda run: (records(1.0, times), records(0.0, times)))
    evidence = sym.stages(Run("sym.stages", True, 0))
    assert str(sym_verdict(evidence)) == expected


def sym_verdict(evidence):
    return decide(evidence.stated, evidence.corrected)


@dataclasses.dataclass
class Embedded:
    """Embeddings alone, in the shape of trainings."""

    embeddings: tuple

    @property
    def concentration(self):
        return np.array([[sym.diagnostics.fourier_concentration(E)] for E in self.embeddings])

    @property
    def frequencies(self):
        return np.array([[sym.diagnostics.effective_frequencies(E)] for E in self.embeddings])


def waves(n_waves, noise=0.02, n=20):
    """Embeddings on so many circles with a little noise."""
    found = []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        axes = np.linalg.qr(rng.standard_normal((16, 2 * n_waves)))[0].T
        k = rng.choice(np.arange(1, (sym.P + 1) // 2), n_waves, replace=False)
        angle = 2.0 * np.pi * np.outer(np.arange(sym.P), k) / sym.P
        rows = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
        found.append(rows @ axes + noise * rng.standard_normal((sym.P, 16)))
    return Embedded(tuple(found))


@pytest.mark.parametrize(
    ("embedded", "expected"),
    [
        (waves(1), "supported"),  # one circle, as stated
        (waves(3), "corrected"),
        (waves(8), "refuted"),  # nearly all frequencies
        (waves(1, noise=30.0), "refuted"),  # random rows
    ],
    ids=["one circle", "three", "eight", "random"],
)
def test_circles_are_counted(embedded, expected, monkeypatch):
    monkeypatch.setattr(sym, "_runs", lambda run: (embedded, embedded))
    assert str(sym_verdict(sym.circle(Run("sym.circle", True, 0)))) == expected


def test_another_law_of_random_rows_is_noticed(monkeypatch):
    """The entropy of random rows a nat too large or too small moves what is asked of three circles and of eight."""
    right = theory.random_frequency_entropy
    for n, shift, expected in ((3, -1.0, "refuted"), (8, 1.0, "corrected")):
        monkeypatch.setattr(sym, "_runs", lambda run, n=n: (waves(n), waves(n)))
        monkeypatch.setattr(theory, "random_frequency_entropy", lambda p, d, shift=shift: right(p, d) + shift)
        assert str(sym_verdict(sym.circle(Run("sym.circle", True, 0)))) == expected


class Short(Run):
    """A check with few draws: enough for gradients and counts, which are not drawn."""

    def pick(self, name, quick, full):
        return super().pick(name, 40 if name == "draws" else quick, full)


def failing():
    return [test.label for test in sym.loss(Short("sym.loss", True, 0)).stated if test.outcome is Outcome.FAILS]


def test_nothing_fails_unspoiled():
    assert failing() == []


def spoil(monkeypatch, change):
    import shld_sim.learning.prompting as prompting

    right = prompting.symmetric_divergence
    monkeypatch.setattr(prompting, "symmetric_divergence", lambda f, g: change(*right(f, g)))


@pytest.mark.parametrize(
    "change",
    [
        lambda values, by_first, by_second: (values, by_first, 0.0 * by_second),  # one side alone
        lambda values, by_first, by_second: (values, 1.01 * by_first, 1.01 * by_second),
        lambda values, by_first, by_second: (0.5 * values, by_first, by_second),  # half of the divergence
    ],
)
def test_a_wrong_gradient_is_noticed(change, monkeypatch):
    spoil(monkeypatch, change)
    terms, tasks = ("divergence", "all together"), ("sums", "order", "distances")
    assert {f"gradient less differences, {task}, {term}" for task in tasks for term in terms} <= set(failing())


@pytest.mark.parametrize("term", ["_add_nuclear", "_add_lipschitz"])
def test_a_wrong_gradient_of_a_regulariser_is_noticed(term, monkeypatch):
    right = getattr(learning.SymmetryPrompting, term)

    def wrong(self, parts, into):
        before = {name: part.copy() for name, part in into.items()}
        value = right(self, parts, into)
        for name, part in into.items():
            part[:] = before[name] + 1.01 * (part - before[name])
        return value

    monkeypatch.setattr(learning.SymmetryPrompting, term, wrong)
    name = {"_add_nuclear": "nuclear norm", "_add_lipschitz": "Lipschitz"}[term]
    assert {f"gradient less differences, sums, {each}" for each in (name, "all together")} <= set(failing())


def test_a_cost_with_the_square_is_noticed(monkeypatch):
    """Every drawn symmetry evaluated as often as there are drawn ones."""
    import shld_sim.learning.prompting as prompting

    right = prompting._Symmetry.drawn

    def wasteful(self, inputs, samples, rng):
        more, places = right(self, inputs, samples, rng)
        return np.concatenate([more] * len(places)), places

    monkeypatch.setattr(prompting._Symmetry, "drawn", wasteful)
    assert {f"exponent of the cost, {task}" for task in ("sums", "order", "distances")} <= set(failing())


def test_a_biased_draw_is_noticed(monkeypatch):
    """The first symmetries in place of random ones."""
    import shld_sim.learning.prompting as prompting

    right = prompting._Symmetry.drawn

    class First:
        def choice(self, n, samples, replace):
            return np.arange(samples)

    monkeypatch.setattr(prompting._Symmetry, "drawn", lambda self, x, m, rng: right(self, x, m, rng and First()))
    assert verdict("sym.loss") == "refuted"


def test_few_values_are_as_rarely_wrong_as_many():
    """A part of the interval of few values leaves out as much as the same part of Student's quantile; of normal ones, more."""
    from scipy.stats import norm, t

    rng, n, repeats = np.random.default_rng(1), 3, 1500
    rows, part = rng.standard_normal((repeats, n)), 5.0 / 500.0
    expected = 2.0 * t.sf(t.isf(norm.sf(5.0), n - 1) / 500.0, n - 1)
    spread = np.sqrt(expected * (1.0 - expected) / repeats)

    def left_out(estimate):
        return np.mean([abs(value) > part * error for value, error in map(estimate, rows)])

    assert abs(left_out(measure.mean_of_runs) - expected) < 5.0 * spread
    assert abs(left_out(measure.mean) - expected) > 5.0 * spread


def test_equal_values_are_not_taken_for_certain():
    value, error = measure.mean_of_runs(np.zeros(12), unit=0.1)
    assert value == 0.0 and error > 0.1 / np.sqrt(12)
    assert Test("q", value, 0.2, error, "at least", scale=1.0).outcome is Outcome.UNDECIDED
    assert measure.mean_of_runs(np.zeros(12))[1] == 0.0


def test_restricted_times_count_the_end_for_what_was_never_reached():
    class Found:
        def first_steps(self, accuracy):
            return np.array([100.0, np.nan])

    assert sym._restricted(Found()).tolist() == [100.0, sym.STEPS]


class Knowing:
    """A network that is right for the pairs that it knows and wrong for the others, in the shape of a training."""

    def __init__(self, task, known, step):
        self.task, self.network, self.theta, self.step = task, self, None, step
        self.known = known(task)
        self.n_parameters = 1

    def outputs(self, theta, x):
        right = np.isin(x @ [sym.P, 1], self.known)
        return np.eye(sym.P)[(x.sum(axis=1) + ~right) % sym.P]

    def first_step(self, accuracy, of):
        return self.step


def of_nothing(task):
    return np.empty(0, int)


def of_images(task):
    return task.inputs @ [1, sym.P]


def of_all(task):
    return np.arange(sym.P**2)


def fake(known, step):
    """In place of `prompting`: prompted networks know these pairs and are done at the step given, the others never."""

    def made(task, weight, seeds, **settings):
        runs = tuple(
            Knowing(task(i), known if weight else of_nothing, step if weight else None) for i in range(len(seeds))
        )
        right = [
            (run.outputs(None, run.task.test_inputs).argmax(axis=1) == run.task.test_targets).mean() for run in runs
        ]
        columns = np.repeat(np.array(right)[:, None], 2, axis=1)
        return sym.experiments.Prompting(weight, "mirror", np.array([0, 400]), *[columns] * 6, runs)

    return made


@pytest.mark.parametrize(
    ("known", "step", "expected"),
    [(of_all, 100, "supported"), (of_images, None, "corrected"), (of_nothing, None, "refuted")],
)
def test_speedup_is_told_from_mirror_images_and_from_nothing(known, step, expected, monkeypatch):
    monkeypatch.setattr(sym.experiments, "prompting", fake(known, step))
    sym._trained.cache_clear()
    try:
        assert str(sym_verdict(sym.speedup(Run("sym.speedup", True, 0)))) == expected
    finally:
        sym._trained.cache_clear()


@pytest.mark.parametrize(
    ("right", "broken", "expected"),
    [(0.99, False, "supported"), (0.6, False, "corrected"), (0.6, True, "refuted")],
)
def test_tasks_are_told_by_their_tests(right, broken, expected, monkeypatch):
    """Distances at a share of right tests; and a gap that equal predictions have, by a slip in the renaming of labels."""
    rng = np.random.default_rng(2)
    real = {
        kind: sym.experiments.prompting(task, 0.0, (0,), kind=kind, steps=1)
        for kind, task in (("mirror", sym._sums), ("relations", sym._distances))
    }

    def made(task, weight, seeds, *, kind="mirror", **settings):
        share = right if task is sym._distances else 0.99
        columns = np.clip(share + 0.02 * rng.standard_normal((len(seeds), 2)), 0, 1)
        return dataclasses.replace(
            real[kind],
            weight=weight,
            steps=np.array([0, 1]),
            test_accuracy=columns,
            train_accuracy=columns,
            gap=columns,
            rank=columns,
        )

    monkeypatch.setattr(sym.experiments, "prompting", made)
    if broken:
        gap = learning.symmetry_gap
        monkeypatch.setattr(learning, "symmetry_gap", lambda *about: gap(*about) + 1e-6)
    sym._trained.cache_clear()
    try:
        assert str(sym_verdict(sym.tasks(Run("sym.tasks", True, 0)))) == expected
    finally:
        sym._trained.cache_clear()
