"""Models and schedules: values, errors, identity, and what the solvers require of them."""

import dataclasses
import math
import pickle
import re

import numpy as np
import pytest

import shld_sim as shld
from shld_sim import Cosine, DoubleWell, Exponential, Langevin, LevyFlight, Logarithmic, MuellerBrown, Schedule, Table
from shld_sim.models import noise_strength, require

SCHEDULES = [
    Cosine(start=0.5, end=0.1, duration=20.0),
    Exponential(start=0.5, end=0.1, duration=20.0),
    Logarithmic(start=0.5, scale=3.0),
    Table(times=[0.0, 5.0, 10.0], values=[0.5, 0.2, 0.1]),
]
MODELS = [
    Langevin(DoubleWell(), D=0.1),
    Langevin(DoubleWell(), D=0.2),
    Langevin(MuellerBrown(), D=15.0),
    Langevin(DoubleWell(), D=SCHEDULES[0]),
    LevyFlight(DoubleWell(), alpha=1.5, sigma=0.3),
    LevyFlight(DoubleWell(), alpha=1.6, sigma=0.3),
    LevyFlight(DoubleWell(), alpha=1.5, sigma=SCHEDULES[3]),
    LevyFlight(MuellerBrown(), alpha=1.5, sigma=0.3, components="independent"),
]


def test_values_of_schedules():
    cosine, exponential, logarithmic, table = SCHEDULES
    t = np.array([0.0, 5.0, 10.0, 20.0, 100.0])
    # halfway a cosine is at the arithmetic mean, a geometric sequence at the geometric one
    np.testing.assert_allclose(cosine(t), [0.5, 0.3 + 0.2 * math.sqrt(0.5), 0.3, 0.1, 0.1], rtol=1e-14)
    np.testing.assert_allclose(exponential(t), [0.5, 0.5 * 0.2**0.25, math.sqrt(0.05), 0.1, 0.1], rtol=1e-14)
    np.testing.assert_allclose(logarithmic([0.0, 6.0, 42.0]), [0.5, 0.25, 0.125], rtol=1e-14)  # ln 2/ln(2 + t/3)
    np.testing.assert_allclose(table([-1.0, 0.0, 2.5, 5.0, 7.5, 10.0, 99.0]), [0.5, 0.5, 0.35, 0.2, 0.15, 0.1, 0.1])


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_schedules_keep_shapes(schedule):
    for shape in ((), (0,), (3,), (2, 3)):
        value = schedule(np.full(shape, 2.0))
        assert np.shape(value) == shape
        assert np.asarray(value).dtype == np.float64
    assert (schedule(np.linspace(0.0, 100.0, 50)) > 0).all()


def test_a_schedule_must_say_its_value():
    class Silent(Schedule):
        pass

    with pytest.raises(TypeError, match=r"Silent must define __call__\(t\)"):
        Silent()(0.0)


@pytest.mark.parametrize("thing", [*SCHEDULES, *MODELS], ids=repr)
def test_identity(thing):
    again = eval(repr(thing), vars(shld).copy())
    copy = pickle.loads(pickle.dumps(thing))
    for other in (again, copy):
        assert other == thing and hash(other) == hash(thing) and repr(other) == repr(thing)
        assert type(other) is type(thing)
    assert sum(thing == other for other in [*SCHEDULES, *MODELS]) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(thing, dataclasses.fields(thing)[0].name, 1.0)


def test_repr():
    assert repr(MODELS[0]) == "Langevin(potential=DoubleWell(height=0.25, width=1.0), D=0.1)"
    assert repr(MODELS[7]) == "LevyFlight(potential=MuellerBrown(), alpha=1.5, sigma=0.3, components='independent')"
    assert repr(SCHEDULES[3]) == "Table(times=(0.0, 5.0, 10.0), values=(0.5, 0.2, 0.1))"


def test_numbers_become_floats():
    model = LevyFlight(DoubleWell(), alpha=np.float32(1.5), sigma=np.int64(2))
    assert (type(model.alpha), type(model.sigma)) == (float, float)
    assert model == LevyFlight(DoubleWell(), alpha=1.5, sigma=2.0)
    assert type(Langevin(DoubleWell(), D=np.array(1)).D) is float
    assert [model.dim for model in (MODELS[0], MODELS[2], MODELS[4], MODELS[7])] == [1, 2, 1, 2]
    assert noise_strength(MODELS[0]) == 0.1
    assert noise_strength(MODELS[4]) == 0.3
    assert noise_strength(MODELS[3]) is SCHEDULES[0]


V = DoubleWell()


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: Langevin(V, D=0.0), ValueError, "D must be positive, got 0.0"),
        (lambda: Langevin(V, D=-1), ValueError, "D must be positive, got -1.0"),
        (lambda: Langevin(V, D=math.nan), ValueError, "D must be a finite number, got nan"),
        (lambda: Langevin(V, D=math.inf), ValueError, "D must be a finite number, got inf"),
        (lambda: Langevin(V, D="0.1"), TypeError, "D must be a number, got '0.1'"),
        (lambda: Langevin(V, D=None), TypeError, "D must be a number, got None"),
        (lambda: Langevin(V, D=True), TypeError, "D must be a number, got True"),
        (lambda: Langevin(V, D=1j), TypeError, "D must be a number, got 1j"),
        (lambda: Langevin(V, D=[0.1]), TypeError, "D must be a number, got [0.1]"),
        (lambda: Langevin(0.1, V), TypeError, "potential must be a Potential, got 0.1"),
        (lambda: Langevin(DoubleWell, 0.1), TypeError, "potential must be a Potential, got <class"),
        (lambda: LevyFlight(V, alpha=0.0, sigma=1.0), ValueError, "alpha must lie in (0, 2], got 0.0"),
        (lambda: LevyFlight(V, alpha=2.1, sigma=1.0), ValueError, "alpha must lie in (0, 2], got 2.1"),
        (lambda: LevyFlight(V, alpha=1.5, sigma=-1.0), ValueError, "sigma must be positive, got -1.0"),
        (
            lambda: LevyFlight(V, alpha=1.5, sigma=1.0, components="both"),
            ValueError,
            "components must be one of 'isotropic', 'independent', got 'both'",
        ),
        (lambda: LevyFlight(None, alpha=1.5, sigma=1.0), TypeError, "potential must be a Potential, got None"),
        (lambda: Cosine(0.0, 1.0, 1.0), ValueError, "start must be positive, got 0.0"),
        (lambda: Cosine(1.0, -1.0, 1.0), ValueError, "end must be positive, got -1.0"),
        (lambda: Exponential(1.0, 1.0, 0.0), ValueError, "duration must be positive, got 0.0"),
        (lambda: Logarithmic(1.0, scale=0.0), ValueError, "scale must be positive, got 0.0"),
        (
            lambda: Table([0.0, 1.0], [1.0]),
            ValueError,
            "times and values must be lists of equal length, got (2,) and (1,)",
        ),
        (lambda: Table([], []), ValueError, "times and values must be lists of equal length, got (0,) and (0,)"),
        (lambda: Table(0.0, 1.0), ValueError, "times and values must be lists of equal length, got () and ()"),
        (lambda: Table([0.0, 0.0], [1.0, 1.0]), ValueError, "times must ascend, got [0.0, 0.0]"),
        (lambda: Table([0.0, 1.0], [1.0, 0.0]), ValueError, "values must be positive, got [1.0, 0.0]"),
        (lambda: Table([0.0, math.nan], [1.0, 1.0]), ValueError, "times must be finite, got nan at index 1"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=re.escape(message)) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_require():
    langevin, planar, annealed, levy = MODELS[0], MODELS[2], MODELS[3], MODELS[4]
    assert require(langevin, Langevin) is langevin
    assert require(langevin, Langevin, dim=1) is langevin
    assert require(planar, Langevin, dim=2) is planar
    assert require(levy, LevyFlight, 1) is levy
    for model, kind, dim, error, message in (
        (levy, Langevin, None, TypeError, "model must be a Langevin, got LevyFlight(potential="),
        (V, Langevin, None, TypeError, "model must be a Langevin, got DoubleWell("),
        (planar, Langevin, 1, ValueError, "model must have 1 coordinate, got 2: Langevin("),
        (langevin, Langevin, 2, ValueError, "model must have 2 coordinates, got 1: Langevin("),
        (annealed, Langevin, None, ValueError, "D must be constant here, got the schedule Cosine(start=0.5"),
        (MODELS[6], LevyFlight, None, ValueError, "sigma must be constant here, got the schedule Table("),
    ):
        with pytest.raises(error, match=re.escape(message)):
            require(model, kind, dim)


def test_skewed_noise_is_refused():
    with pytest.raises(ValueError, match=r"beta must be 0: skewed stable noise is not supported, got 0\.5"):
        shld.LevyFlight(shld.Harmonic(), alpha=1.5, sigma=1.0, beta=0.5)
    assert shld.LevyFlight(shld.Harmonic(), 1.5, 1.0, beta=0.0) == shld.LevyFlight(shld.Harmonic(), 1.5, 1.0)
