"""Sets that paths leave or enter: distances against brute force, identity, and what is refused."""

import math
import pickle

import numpy as np
import pytest

import shld_sim as shld
from shld_sim.domains import as_domain


def in_ellipse(x, y, p):
    return 1.0 - (x / p[0]) ** 2 - (y / p[1]) ** 2


def in_shell(x, p):
    r = 0.0
    for i in range(x.shape[0]):
        r += x[i] * x[i]
    r = math.sqrt(r)
    return min(r - p[0], p[1] - r)


SETS = {
    "interval": shld.Interval(-1.0, 0.5),
    "half-line": shld.Interval(-np.inf, 0.5),
    "ball": shld.Ball([0.2, -0.1], 0.8),
    "ball in 4 dimensions": shld.Ball(np.zeros(4), 1.0),
    "half-space": shld.HalfSpace([3.0, 4.0], 2.5),
    "box": shld.Box([-1.0, -0.5], [0.5, 0.7]),
    "strip": shld.Box([-np.inf, -0.5, 0.0], [np.inf, np.inf, 0.6]),
    "ellipse": shld.Region(in_ellipse, (1.2, 0.7), 2),
    "shell": shld.Region(in_shell, (0.3, 1.1), 5, distance_function=True),
}


@pytest.mark.parametrize("name", SETS)
def test_sets_are_values(name):
    item = SETS[name]
    copy = pickle.loads(pickle.dumps(item))
    assert copy == item and hash(copy) == hash(item) and repr(copy) == repr(item)
    assert all(item != other for key, other in SETS.items() if key != name)
    assert type(item).__name__ in repr(item)
    with pytest.raises(AttributeError):
        item.radius = 3.0


@pytest.mark.parametrize("name", ["interval", "half-line", "ball", "half-space", "box", "strip"])
def test_the_distance_is_the_distance(name):
    """Moving by less than the distance never changes sides; the nearest point on the boundary is at the distance."""
    item, rng = SETS[name], np.random.default_rng(3)
    x = rng.uniform(-2.0, 2.0, (300, item.dim))
    public = lambda z: z[..., 0] if item.dim == 1 else z
    distance = item.distance(public(x))
    inside = item.contains(public(x))
    assert 20 < inside.sum() < 290 and ((distance > 0) == inside).all()
    away = rng.standard_normal((300, 200, item.dim))
    away *= 0.999 * np.abs(distance)[:, None, None] / np.linalg.norm(away, axis=-1, keepdims=True)
    assert (item.contains(public(x[:, None] + away)) == inside[:, None]).all()
    touched = item.onto(x, -1)
    np.testing.assert_allclose(item.distance(public(touched)), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(touched - x, axis=1), np.abs(distance), rtol=1e-9, atol=1e-12)
    # planted: another set
    assert not (shld.Ball(np.zeros(item.dim), 0.9).contains(public(x)) == inside).all()


def test_faces_of_a_box():
    box = SETS["box"]
    x = np.array([[-0.9, 0.1], [0.6, 0.9]])
    assert box.onto(x, 0).tolist() == [[-1.0, 0.1], [-1.0, 0.7]]
    assert box.onto(x, 3).tolist() == [[-0.9, 0.7], [0.5, 0.7]]


def test_regions_evaluate_the_users_function():
    x = np.random.default_rng(1).uniform(-1.5, 1.5, (7, 3, 2))
    expected = in_ellipse(x[..., 0], x[..., 1], (1.2, 0.7))
    np.testing.assert_allclose(SETS["ellipse"].distance(x), expected, rtol=1e-13)
    assert SETS["shell"].distance(np.full(5, 0.2)) == pytest.approx(math.sqrt(0.2) - 0.3)
    y = np.random.default_rng(2).normal(size=(50, 5))
    y *= (1.1 + 0.1 * np.random.default_rng(3).normal(size=50) / 2)[:, None] / np.linalg.norm(y, axis=1)[:, None]
    np.testing.assert_allclose(np.linalg.norm(SETS["shell"].onto(y, -1), axis=1), 1.1, rtol=1e-8)
    line = shld.Region(lambda x, p: p[0] - x * x, (2.0,))
    assert line.contains([0.0, 1.0, 1.5]).tolist() == [True, True, False]
    assert line == shld.Region(lambda x, p: p[0] - x * x, (2.0,)) != shld.Region(lambda x, p: p[0] - x * x, (3.0,))


def test_pairs_are_intervals():
    assert as_domain("domain", (-1, np.inf), 1) == shld.Interval(-1.0, np.inf)
    assert as_domain("domain", [0.0, 1.0], 1) == shld.Interval(0.0, 1.0)


REFUSED = {
    "radius must be positive, got 0.0": lambda: shld.Ball([0.0, 0.0], 0.0),
    "radius must be positive, got -1.0": lambda: shld.Ball([0.0, 0.0], -1.0),
    "center must be finite, got nan": lambda: shld.Ball([0.0, math.nan], 1.0),
    "center must be a list of numbers": lambda: shld.Ball([[0.0, 1.0]], 1.0),
    "normal must not be zero": lambda: shld.HalfSpace([0.0, 0.0], 1.0),
    "offset must be a finite number": lambda: shld.HalfSpace([1.0], math.inf),
    "low must lie below high": lambda: shld.Box([0.0, 1.0], [1.0, 1.0]),
    "one number per coordinate": lambda: shld.Box([0.0, 1.0], [1.0]),
    "low and high must have a finite end": lambda: shld.Box([-np.inf] * 2, [np.inf] * 2),
    "low < high": lambda: shld.Interval(1.0, math.nan),
    "interval must have a finite end": lambda: shld.Interval(-np.inf, np.inf),
    "inside must be a function": lambda: shld.Region(3.0),
    r"inside must take \(x, y, p\) for dim=2": lambda: shld.Region(lambda x, p: x, dim=2),
    r"inside must take \(x, p\) for dim=4": lambda: shld.Region(in_ellipse, dim=4),
    "inside does not compile or fails: .*undefined": lambda: shld.Region(lambda x, p: undefined(x)),  # noqa: F821
    "params must be a tuple": lambda: shld.Region(lambda x, p: x, "two"),
    "domain must be a pair": lambda: as_domain("domain", 3.0, 1),
    "domain must have 2 coordinates, as the model": lambda: as_domain("domain", (0.0, 1.0), 2),
    "domain must have 1 coordinate, as the model": lambda: as_domain("domain", shld.Ball([0.0, 0.0], 1.0), 1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(message):
    with pytest.raises((ValueError, TypeError), match=message):
        REFUSED[message]()
