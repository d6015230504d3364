"""Normal and stable variates: compiled fills against naive ones, and their laws against exact ones."""

import math

import compiled
import naive
import numpy as np
import pytest
from scipy import special, stats

from shld_sim.engine import variates

ALPHAS = (0.5, 0.8, 1.0, 1.2, 1.5, 1.8, 1.99)
FALSE_ALARM = 5.7e-7  # two-sided probability of 5 standard errors
N = 200_000

# -- compiled against naive -------------------------------------------------------------------------------------------


def both(fill, slow, d, n=6, n_paths=300, alpha=2.0):
    """Noise from the compiled and from the naive filler, whose generators must end in the same state."""
    states, generator = compiled.start(7, n_paths), naive.Streams.of(7, np.arange(n_paths))
    fast = compiled.filled(fill, states, n, d, alpha)
    expected = slow(generator)
    np.testing.assert_array_equal(states, generator.states)
    # Rounding in sin(alpha V) is relative to its argument, not to a value near 0: hence the absolute part.
    np.testing.assert_allclose(fast, expected, rtol=1e-12, atol=1e-14)
    return fast


def test_fill_normal_1d():
    both(variates.fill_normal_1d, lambda s: naive.fill_normal_1d(s, 6), 1)


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_fill_normal(d):
    both(variates.fill_normal, lambda s: naive.fill_normal(s, 6, d), d)


@pytest.mark.parametrize("alpha", [*ALPHAS, 0.1, 2.0])
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_fill_stable(d, alpha):
    both(variates.fill_stable, lambda s: naive.fill_stable(s, 6, d, alpha), d, alpha=alpha)


@pytest.mark.parametrize("alpha", [*ALPHAS, 0.1, 2.0])
@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_fill_isotropic(d, alpha):
    both(variates.fill_isotropic, lambda s: naive.fill_isotropic(s, 6, d, alpha), d, alpha=alpha)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_fill_given(d):
    source = np.random.default_rng(1).normal(size=(9, 100, d))
    states = compiled.start(7, 100)
    got = compiled.filled(variates.fill_given, states, 6, d, source=source, step=5)
    np.testing.assert_array_equal(got[:4], source[5:])
    np.testing.assert_array_equal(got[4:], 0.0)  # past the last increment
    np.testing.assert_array_equal(states, compiled.start(7, 100))


@pytest.mark.parametrize("fill", [variates.fill_normal, variates.fill_stable, variates.fill_isotropic])
def test_two_draws_are_one(fill):
    one, two = compiled.start(3, 200), compiled.start(3, 200)
    whole = compiled.filled(fill, one, 6, 3, 1.5)
    halves = [compiled.filled(fill, two, n, 3, 1.5) for n in (2, 4)]
    np.testing.assert_array_equal(whole, np.concatenate(halves))
    np.testing.assert_array_equal(one, two)


def test_drawn_steps():
    assert variates.drawn_steps(variates.fill_normal_1d, 1) == 2
    assert {variates.drawn_steps(f, 2) for f in (variates.fill_normal, variates.fill_stable, variates.fill_given)} == {
        1
    }


@pytest.mark.parametrize("alpha", [0.05, 1.5])
def test_extreme_words_stay_finite(alpha):
    # W = 0 and W = 52 ln 2, V next to both ends: all zeros and all ones in each of the two words
    U = np.uint64
    corners = np.arange(4, dtype=np.uint64)
    symmetric = compiled.mapped(lambda k: variates.symmetric_stable(U(0) - (k & U(1)), U(0) - (k >> U(1)), alpha))
    positive = compiled.mapped(lambda k: variates.positive_stable(U(0) - (k & U(1)), U(0) - (k >> U(1)), 0.5 * alpha))
    ones, zeros = naive.u64([2**64 - 1]), naive.u64([0])
    words = [(ones if k & 1 else zeros, ones if k >> 1 else zeros) for k in range(4)]
    expected = [naive.symmetric_stable(*pair, alpha)[0] for pair in words]
    assert np.isfinite(symmetric(corners)).all() and np.isfinite(positive(corners)).all()
    np.testing.assert_allclose(symmetric(corners), expected, rtol=1e-12)


# -- laws -------------------------------------------------------------------------------------------------------------


def stable(alpha, seed, n=N):
    return compiled.filled(variates.fill_stable, compiled.start(seed, n // 20), 20, 1, alpha).ravel()


def isotropic(alpha, d, seed, n=N):
    return compiled.filled(variates.fill_isotropic, compiled.start(seed, n // 20), 20, d, alpha).reshape(-1, d)


def characteristic_errors(projection, alpha, wavenumbers=(0.1, 0.3, 1.0, 2.0)):
    """Errors of the mean of cos(kX), in standard errors, against E cos(kX) = exp(-|k|^alpha)."""
    errors = []
    for k in wavenumbers:
        phi, phi2 = math.exp(-(k**alpha)), math.exp(-((2 * k) ** alpha))
        deviation = math.sqrt((0.5 * (1.0 + phi2) - phi * phi) / len(projection))
        errors.append(abs(np.cos(k * projection).mean() - phi) / deviation)
    return np.array(errors)


@pytest.mark.parametrize("alpha", [*ALPHAS, 2.0])
def test_characteristic_function(alpha):
    x = stable(alpha, seed=1)
    assert (characteristic_errors(x, alpha) < 5.0).all()
    # twins: noise x 1.2, alpha + 0.1
    assert (characteristic_errors(1.2 * x, alpha) > 5.0).any()
    assert (characteristic_errors(stable(alpha - 0.1, seed=1), alpha) > 5.0).any()


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.5])
def test_sum_of_small_steps_is_a_large_one(alpha):
    # increments over dt scale as dt^(1/alpha): the sum of 20 over 1/20 has the law of one over 1
    x = compiled.filled(variates.fill_stable, compiled.start(2, N // 5), 20, 1, alpha)[:, :, 0]
    assert (characteristic_errors((0.05 ** (1 / alpha) * x).sum(axis=0), alpha) < 5.0).all()
    # twin: the power of dt that belongs to Gaussian noise
    assert (characteristic_errors((0.05**0.5 * x).sum(axis=0), alpha) > 5.0).any()


def survival(alpha, x):
    """P(|X| > x) by its series in x^-alpha, with the size of the first term left out."""
    k = np.arange(1, 9)
    terms = (-1.0) ** (k + 1) * special.gamma(k * alpha) / special.factorial(k) * np.sin(0.5 * k * math.pi * alpha)
    terms *= 2.0 / math.pi * x ** (-k * alpha)
    best = int(np.argmin(np.abs(terms))) if alpha > 1 else len(k) - 1  # asymptotic above 1, convergent below
    return terms[:best].sum(), abs(terms[best])


@pytest.mark.parametrize("alpha", ALPHAS[:-1])
def test_tails(alpha):
    sizes = np.abs(stable(alpha, seed=3, n=5 * N))
    quantile = lambda p: (2.0 / math.pi * math.gamma(alpha) * math.sin(0.5 * math.pi * alpha) / p) ** (1.0 / alpha)
    for p in (1e-2, 1e-3):
        x = quantile(p)  # where the leading term is p
        exact, rest = survival(alpha, x)
        slack = 5 * math.sqrt(exact / len(sizes)) + rest
        assert abs((sizes > x).mean() - exact) < slack
        # twin: alpha + 0.1
        assert abs((np.abs(stable(alpha + 0.1, seed=3, n=5 * N)) > x).mean() - exact) > slack
        if p == 1e-2:  # twin: noise x 1.2, which changes the count by 1.2^alpha; farther out it is within the slack
            assert abs((1.2 * sizes > x).mean() - exact) > slack


def test_cauchy():
    x = stable(1.0, seed=4)
    assert stats.kstest(x, "cauchy").pvalue > FALSE_ALARM
    assert stats.kstest(1.2 * x, "cauchy").pvalue < FALSE_ALARM
    assert stats.kstest(stable(1.1, seed=4), "cauchy").pvalue < FALSE_ALARM


def test_alpha_two_is_normal_with_variance_two():
    x = stable(2.0, seed=5)
    assert stats.kstest(x / math.sqrt(2.0), "norm").pvalue > FALSE_ALARM
    assert stats.kstest(x, "norm").pvalue < FALSE_ALARM
    z = isotropic(2.0, 2, seed=5)
    assert stats.kstest(z.ravel() / math.sqrt(2.0), "norm").pvalue > FALSE_ALARM


@pytest.mark.parametrize("alpha", [0.5, 1.2, 1.8])
def test_positive_stable_laplace_transform(alpha):
    # the radius of a long isotropic vector: E exp(-s A) = exp(-s^a), a = alpha/2, from words as the filler draws them
    generator = naive.Streams.of(6, np.arange(N))
    a = 0.5 * alpha
    A = naive.positive_stable(generator.word(), generator.word(), a)
    for s in (0.2, 1.0, 3.0):
        mean, second = math.exp(-(s**a)), math.exp(-((2 * s) ** a))
        slack = 5 * math.sqrt((second - mean * mean) / N)
        assert abs(np.exp(-s * A).mean() - mean) < slack
        assert abs(np.exp(-1.2 * s * A).mean() - mean) > slack


DIRECTIONS = {
    2: [(1.0, 0.0), (0.0, 1.0), (0.6, 0.8), (-0.8, 0.6)],
    3: [(1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (2 / 3, -2 / 3, 1 / 3), (0.6, 0.0, 0.8)],
    5: [(1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 1.0), (0.2, 0.4, 0.4, 0.4, 0.69282032302755)],
}


@pytest.mark.parametrize("alpha", [0.8, 1.5])
@pytest.mark.parametrize("d", DIRECTIONS)
def test_isotropic_vectors(d, alpha):
    x = isotropic(alpha, d, seed=8)
    # E cos(k.X) = exp(-|k|^alpha) in every direction
    for direction in DIRECTIONS[d]:
        assert (characteristic_errors(x @ np.array(direction), alpha) < 5.0).all()
        assert (characteristic_errors(1.2 * x @ np.array(direction), alpha) > 5.0).any()
    # twin: independent stable coordinates have the law only along the axes
    independent = compiled.filled(variates.fill_stable, compiled.start(8, N // 20), 20, d, alpha).reshape(-1, d)
    assert (characteristic_errors(independent @ np.array(DIRECTIONS[d][0]), alpha) < 5.0).all()
    assert (characteristic_errors(independent @ np.array(DIRECTIONS[d][2]), alpha) > 5.0).any()


def test_directions_are_uniform():
    uniform_angle = stats.uniform(-math.pi, 2 * math.pi).cdf
    angle = lambda x: np.arctan2(x[:, 1], x[:, 0])
    height = lambda x: x[:, 2] / np.linalg.norm(x, axis=1)  # uniform on the sphere (Archimedes)
    independent = compiled.filled(variates.fill_stable, compiled.start(9, N // 20), 20, 3, 1.2).reshape(-1, 3)
    plane, space = isotropic(1.2, 2, seed=9), isotropic(1.2, 3, seed=9)
    assert stats.kstest(angle(plane), uniform_angle).pvalue > FALSE_ALARM
    assert stats.kstest(angle(space), uniform_angle).pvalue > FALSE_ALARM
    assert stats.kstest(height(space), stats.uniform(-1, 2).cdf).pvalue > FALSE_ALARM
    assert stats.kstest(angle(independent), uniform_angle).pvalue < FALSE_ALARM
    assert stats.kstest(height(independent), stats.uniform(-1, 2).cdf).pvalue < FALSE_ALARM
