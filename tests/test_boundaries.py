"""Walls: reflecting, periodic and absorbing boxes against exact laws and the slow way."""

import math

import numpy as np
import pytest

import shld_sim as shld

FLAT = shld.Langevin(shld.Potential(lambda x, p: 0.0 * x, lambda x, p: 0.0 * x), D=0.5)


def test_reflected_paths_are_folded_after_every_step():
    noise = np.random.default_rng(1).standard_normal((200, 50)) * 0.3
    inside = shld.simulate(FLAT, 0.25, 0.01, noise=noise, box=(0.0, 1.0), boundary="reflecting").final
    x = np.full(50, 0.25)
    for kick in noise:
        t = np.mod(x + kick, 2.0)
        x = np.where(t < 1.0, t, 2.0 - t)
    np.testing.assert_allclose(inside, x, atol=1e-11)


def test_periodic_paths_are_the_unbounded_ones_wrapped():
    noise = np.random.default_rng(2).standard_normal((200, 50)) * 0.3
    inside = shld.simulate(FLAT, 0.25, 0.01, noise=noise, box=(-1.0, 1.0), boundary="periodic").final
    free = shld.simulate(FLAT, 0.25, 0.01, noise=noise).final
    np.testing.assert_allclose(inside, np.mod(free + 1.0, 2.0) - 1.0, atol=1e-12)


def test_absorbed_paths_stay_where_they_came_to_lie():
    noise = np.random.default_rng(3).standard_normal((300, 80)) * 0.1
    run = shld.simulate(FLAT, 0.5, 0.01, noise=noise, box=(0.0, 1.0), boundary="absorbing", save_every=1)
    free = 0.5 + np.concatenate([np.zeros((1, 80)), np.cumsum(noise, axis=0)])
    outside = (free <= 0.0) | (free >= 1.0)
    first = np.where(outside.any(axis=0), outside.argmax(axis=0), 300)
    expected = free[np.minimum(np.arange(301)[:, None], first), np.arange(80)]
    np.testing.assert_allclose(run.x, expected, atol=1e-12)
    np.testing.assert_array_equal(run.status == shld.Status.EXITED, outside.any(axis=0))


@pytest.mark.parametrize("factor", [1.0, 1.2])
def test_gibbs_law_between_mirrors(factor):
    """exp(-kx/D) on [0, 1]: the mean is known; noise 1.2 times too strong must be seen."""
    slope, D, n = 1.0, 0.5, 100_000
    model = shld.Langevin(shld.Polynomial([0.0, slope]), D * factor**2)
    x = shld.simulate(model, 0.5, 1e-3, 4.0, n, seed=5, box=(0.0, 1.0), boundary="reflecting").final
    r = slope / D
    exact = 1.0 / r - 1.0 / math.expm1(r)
    error = x.std() / math.sqrt(n)
    # The fold leaves a bias of O(sqrt dt) in a layer of that width: O(dt) in the mean.
    agrees = abs(x.mean() - exact) < 5 * error + slope * 1e-3
    assert agrees == (factor == 1.0)


def test_every_style_of_potential_has_walls():
    for potential, dim in ((shld.RescalingValley(), 2), (shld.QuadraticForm(np.ones(40)), 40), (shld.MexicanHat(3), 3)):
        for model in (shld.Langevin(potential, 0.5), shld.LevyFlight(potential, 1.5, 0.5)):
            for boundary in ("reflecting", "periodic"):
                run = shld.simulate(model, np.full(dim, 0.5), 0.01, 1.0, 200, seed=1, box=(0.0, 1.0), boundary=boundary)
                assert (run.final >= 0.0).all()
                assert (run.final <= 1.0).all()


def test_one_wall_is_enough_for_a_mirror():
    x = shld.simulate(FLAT, 1.0, 0.01, 4.0, 2000, seed=1, box=(0.0, math.inf), boundary="reflecting").final
    assert x.min() >= 0.0
    assert x.max() > 3.0


def test_resumed_and_saved_runs_keep_their_walls(tmp_path):
    model = shld.LevyFlight(shld.Harmonic(), 1.5, 0.5)
    asked = {"seed": 3, "box": (-1.0, 1.0), "boundary": "reflecting"}
    whole = shld.simulate(model, 0.0, 0.01, n_steps=155, n_paths=300, **asked)
    shld.simulate(model, 0.0, 0.01, n_steps=71, n_paths=300, **asked).save(tmp_path / "half.npz")
    half = shld.Ensemble.load(tmp_path / "half.npz")
    assert half.box == ((-1.0, 1.0),)
    np.testing.assert_array_equal(shld.resume(half, n_steps=155).final, whole.final)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"box": (0.0, 1.0)}, "box and boundary go together"),
        (
            {"box": (0.0, 1.0), "boundary": "open"},
            "boundary must be one of 'reflecting', 'periodic', 'absorbing', got 'open'",
        ),
        ({"box": (1.0, 0.0), "boundary": "periodic"}, "box must be"),
        ({"box": (0.0, math.inf), "boundary": "periodic"}, "box must be finite"),
        ({"box": (1.0, 2.0), "boundary": "reflecting"}, "x0 must lie inside box"),
        ({"box": [(0.0, 1.0)] * 3, "boundary": "reflecting"}, "box must give one pair"),
    ],
)
def test_wrong_walls_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        shld.simulate(FLAT, 0.5, 0.01, 1.0, **arguments)
