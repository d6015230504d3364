"""Ranks, frequencies and circles of embeddings: characters exactly, random rows against their law."""

import numpy as np
import pytest

from shld_sim import diagnostics, theory


def character(p, k, axes=(1.0, 1.0), turn=0.0):
    """A wave of frequency k on Z_p in the plane, as an ellipse with these axes."""
    angle = 2 * np.pi * k * np.arange(p) / p + turn
    return np.stack([axes[0] * np.cos(angle), axes[1] * np.sin(angle)], axis=1)


def planes(d, n, seed=0):
    """n orthonormal vectors in d dimensions."""
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, n)))[0].T


@pytest.mark.parametrize(
    ("singular", "rank", "participation"),
    [
        ([1.0, 1.0, 1.0, 0.0], 3.0, 3.0),
        ([5.0, 0.0], 1.0, 1.0),
        # shares 2/3 and 1/3: exp(-(2/3) ln(2/3) - (1/3) ln(1/3)) = 3/2^(2/3); powers 4 and 1: 25/17
        ([2.0, 1.0], 3.0 / 2.0 ** (2 / 3), 25.0 / 17.0),
    ],
)
def test_ranks_of_known_singular_values(singular, rank, participation):
    n = len(singular)
    M = planes(n + 3, n, 1).T @ np.diag(singular) @ planes(n, n, 2)
    assert diagnostics.effective_rank(M) == pytest.approx(rank, rel=1e-12)
    assert diagnostics.participation_ratio(M) == pytest.approx(participation, rel=1e-12)


@pytest.mark.parametrize("p", [7, 12, 31])
def test_characters_have_one_frequency(p):
    for k in range(1, p // 2 + 1):
        E = character(p, k, turn=0.3) @ planes(5, 2, k) + 7.0
        shares = diagnostics.fourier_shares(E)
        assert np.argmax(shares) == k - 1
        assert diagnostics.fourier_concentration(E) == pytest.approx(1.0, abs=1e-12)
        assert diagnostics.effective_frequencies(E) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("p", [8, 9])
def test_shares_are_those_of_a_projection_on_the_waves(p):
    """A naive count: the squared length of the projection of each column on cosine and sine."""
    E = np.random.default_rng(3).standard_normal((p, 4))
    rest = E - E.mean(axis=0)
    naive = []
    for k in range(1, p // 2 + 1):
        waves = character(p, k)
        waves = waves[:, np.linalg.norm(waves, axis=0) > 1e-9]
        waves /= np.linalg.norm(waves, axis=0)
        naive.append(((waves.T @ rest) ** 2).sum())
    naive = np.array(naive)
    assert naive.sum() == pytest.approx((rest**2).sum(), rel=1e-12)  # Parseval
    np.testing.assert_allclose(diagnostics.fourier_shares(E), naive / naive.sum(), rtol=1e-10)


def test_two_waves_share_their_power():
    p, axes = 13, planes(6, 4)
    E = 2.0 * character(p, 3) @ axes[:2] + character(p, 5) @ axes[2:]
    assert diagnostics.fourier_concentration(E) == pytest.approx(0.8, abs=1e-12)
    assert diagnostics.fourier_concentration(E, 2) == pytest.approx(1.0, abs=1e-12)
    # exp(-.8 ln .8 - .2 ln .2) = 5/4^.8
    assert diagnostics.effective_frequencies(E) == pytest.approx(5.0 / 4.0**0.8, rel=1e-9)
    found = diagnostics.circle(E, 5)
    assert found.share == pytest.approx(0.2, abs=1e-12)
    assert (found.fit, found.roundness, found.closing, found.winding) == pytest.approx((1.0, 1.0, 1.0, 1), abs=1e-9)


def random_shares(p, d, n, scale, repeats=400, seed=5):
    rng = np.random.default_rng(seed)
    rows = scale(rng, (repeats, p, d))
    found = np.array(
        [(diagnostics.fourier_concentration(E, n), np.log(diagnostics.effective_frequencies(E))) for E in rows]
    )
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(repeats)


@pytest.mark.parametrize(("p", "d", "n"), [(13, 1, 1), (13, 4, 1), (31, 2, 3), (11, 8, 2)])
def test_random_rows_have_the_mean_of_theory(p, d, n):
    value, error = random_shares(p, d, n, lambda rng, shape: rng.standard_normal(shape))
    expected = theory.random_concentration(p, d, n), theory.random_frequency_entropy(p, d)
    assert (abs(value - expected) < 5 * error).all()


def test_rows_with_a_wave_are_told_from_random_ones():
    """A wave of amplitude 1 in 4 dimensions of noise 1: off by more than five standard errors."""
    wave = np.pad(character(13, 2), ((0, 0), (0, 2)))
    value, error = random_shares(13, 4, 1, lambda rng, shape: rng.standard_normal(shape) + wave)
    assert value[0] - theory.random_concentration(13, 4) > 5 * error[0]
    assert theory.random_frequency_entropy(13, 4) - value[1] > 5 * error[1]


def test_means_of_random_rows_in_closed_form():
    m = np.arange(1, 16)
    assert theory.random_concentration(31, 1) == pytest.approx((1 / m).sum() / 15, rel=1e-9)
    assert theory.random_concentration(31, 3, 15) == pytest.approx(1.0, rel=1e-9)
    # many columns: all frequencies alike
    assert theory.random_frequency_entropy(31, 10**7) == pytest.approx(np.log(15), abs=1e-6)
    # one frequency of d numbers and that of p/2 with d/2: Beta(2, 1), -2 int (x ln x + (1-x) ln(1-x)) x dx = 1/2
    assert theory.random_frequency_entropy(4, 2) == pytest.approx(0.5, rel=1e-12)


@pytest.mark.parametrize(("p", "k"), [(7, 3), (12, 4), (12, 5), (31, 11)])
def test_a_character_is_a_closed_circle(p, k):
    E = 3.0 * character(p, k, turn=1.0) @ planes(6, 2) + 1.0
    found = diagnostics.circle(E)
    assert found.frequency == k
    assert (found.share, found.fit, found.roundness, found.closing) == pytest.approx((1, 1, 1, 1), abs=1e-9)
    assert found.winding == 1
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), 3.0, rtol=1e-9)
    np.testing.assert_allclose(found.plane @ found.plane.T, np.eye(2), atol=1e-12)
    assert (np.diff(k * found.order % p) >= 0).all()


def test_an_ellipse_and_a_line():
    found = diagnostics.circle(character(17, 4, (2.0, 0.5)) @ planes(5, 2))
    assert (found.roundness, found.winding) == (pytest.approx(0.25, rel=1e-9), 1)
    flat = diagnostics.circle(np.arange(17.0)[:, None])  # all elements on a line, in order
    assert flat.roundness == 0.0
    assert flat.closing == pytest.approx(16.0)
    assert flat.winding == 0


def test_errors_of_representations():
    with pytest.raises(ValueError, match="matrix must not be zero"):
        diagnostics.effective_rank(np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"matrix must have shape \(m, n\), got \(3,\)"):
        diagnostics.participation_ratio(np.ones(3))
    with pytest.raises(ValueError, match=r"embedding must have shape \(p, d\) with p >= 3, got \(2, 2\)"):
        diagnostics.fourier_shares(np.eye(2))
    with pytest.raises(ValueError, match="embedding must have rows that differ"):
        diagnostics.fourier_shares(np.ones((4, 2)))
    with pytest.raises(ValueError, match="n_frequencies must be at most 2 for 5 rows, got 3"):
        diagnostics.fourier_concentration(np.eye(5), 3)
    with pytest.raises(ValueError, match="frequency must be at most 2 for 5 rows, got 3"):
        diagnostics.circle(np.eye(5), 3)
    with pytest.raises(ValueError, match="frequency must be one that the embedding has, got 2 with no power"):
        diagnostics.circle(character(9, 1), 2)
    with pytest.raises(ValueError, match="p must be odd, got 4"):
        theory.random_concentration(4, 2)
    with pytest.raises(ValueError, match="n_frequencies must be at most 2 for p = 5, got 3"):
        theory.random_concentration(5, 2, 3)
