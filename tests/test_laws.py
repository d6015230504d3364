"""The laws of simulated ensembles: stationary and transient, Gaussian and stable, and how fast they are approached in dt.

Every check is a function of data that says whether it accepts them, at 5 standard errors or the same false-alarm rate,
5.7e-7. It must accept what the simulator makes and reject a planted error. ``SHLD_TEST_SEED`` changes the random numbers.
"""

import itertools
import os

import numpy as np
import pytest
from scipy import stats

import shld_sim as shld
from shld_sim import theory

SEED = int(os.environ.get("SHLD_TEST_SEED", "1"))
FALSE_ALARM = 2.0 * stats.norm.sf(5.0)


def accepts_mean(values, exact, bias=0.0):
    """Whether the mean of independent values is ``exact``, up to ``bias`` and 5 standard errors."""
    return abs(values.mean() - exact) <= bias + 5.0 * values.std() / np.sqrt(len(values))


def accepts_probability(hits, exact):
    return abs(hits.mean() - exact) <= 5.0 * np.sqrt(exact * (1.0 - exact) / len(hits))


def accepts_cdf(x, cdf):
    return stats.kstest(x, cdf).pvalue >= FALSE_ALARM


def accepts_gaussian(x, mean, variance):
    """Mean, variance (standard error sqrt(2/n) of its value) and shape of a Gaussian law."""
    n = len(x)
    deviation = (x - mean) ** 2
    return (
        abs(x.mean() - mean) <= 5.0 * np.sqrt(variance / n)
        and abs(deviation.mean() - variance) <= 5.0 * variance * np.sqrt(2.0 / n)
        and accepts_cdf(x, stats.norm(mean, np.sqrt(variance)).cdf)
    )


# -- harmonic wells and Gaussian noise ----------------------------------------------------------------------------------

# EM stationary variance over D on k x^2/2, closed form 1/(k(1 - k dt/2)) and summed series (reference ids em.ou.*)
EULER_VARIANCE = {
    (1.0, 0.1): 1.0526315789473684,
    (1.0, 0.01): 1.0050251256281406,
    (2.0, 0.1): 0.5555555555555556,
    (4.0, 0.25): 0.5,
}


def harmonic(k=1.0, D=0.3, dt=0.1, n=40_000, t_end=None, x0=0.0, **options):
    n_steps = round((t_end or 10.0 / k) / dt)
    model = shld.Langevin(shld.Harmonic(k), D)
    return shld.simulate(model, x0, dt, n_steps=n_steps, n_paths=n, seed=SEED, **options)


@pytest.mark.parametrize(("k", "dt"), EULER_VARIANCE)
def test_the_euler_chain_has_its_own_variance(k, dt):
    D, variance = 0.3, 0.3 * EULER_VARIANCE[k, dt]
    assert variance == pytest.approx(theory.euler_variance(k, D, dt), rel=1e-14)
    assert accepts_gaussian(harmonic(k, D, dt).final, 0.0, variance)
    assert not accepts_gaussian(harmonic(k, 1.44 * D, dt).final, 0.0, variance)  # noise x1.2
    assert not accepts_gaussian(harmonic(k, D * dt, dt).final, 0.0, variance)  # noise dt instead of sqrt(dt)
    if k * dt >= 0.1:
        assert not accepts_gaussian(harmonic(k, D, dt).final, 0.0, D / k)  # the law of the equation is another


def test_mean_and_variance_in_time():
    """Each of the chain at a coarse step, exactly; and of the equation at a fine one, with the O(dt) bias bounded."""
    k, D, x0, dt = 1.0, 0.1, 2.0, 0.2
    run = harmonic(k, D, dt, t_end=3.0, x0=x0, save_every=5)
    planted = harmonic(k, 1.44 * D, dt, t_end=3.0, x0=x0, save_every=5)
    for row in (1, 2, 3):
        decay = (1.0 - k * dt) ** (5 * row)
        mean, variance = x0 * decay, theory.euler_variance(k, D, dt) * (1.0 - decay**2)
        assert accepts_gaussian(run.x[row], mean, variance)
        assert not accepts_gaussian(planted.x[row], mean, variance)
        assert not accepts_gaussian(run.x[row], *theory.ornstein_uhlenbeck_moments(k, D, x0, run.t[row]))
    fine = harmonic(k, D, 1e-3, t_end=3.0, x0=x0, save_every=1000)
    for t, x in zip(fine.t[1:], fine.x[1:]):
        # relative dt bias of the mean k^2 t dt/2 <= 1.5e-3 and of the variance k dt/2 = 5e-4, below half a standard error
        assert accepts_gaussian(x, *theory.ornstein_uhlenbeck_moments(k, D, x0, t))
    # regression of consecutive states of the stationary chain: 1 - k dt, not exp(-k dt)
    x, y = harmonic(k, D, 0.5, t_end=15.0, save_every=1).x[-2:]
    assert accepts_mean((y - (1.0 - 0.5 * k) * x) * x, 0.0)
    assert not accepts_mean((y - np.exp(-0.5 * k) * x) * x, 0.0)


def test_harmonic_in_several_dimensions():
    """QuadraticForm: every axis has the variance of its own chain, and the axes are uncorrelated."""
    eigenvalues, D, dt, n = np.array([0.5, 1.0, 2.0]), 0.3, 0.25, 40_000
    model = shld.Langevin(shld.QuadraticForm(eigenvalues), D)
    x = shld.simulate(model, np.zeros(3), dt, n_steps=80, n_paths=n, seed=SEED).final
    for i, k in enumerate(eigenvalues):
        assert accepts_gaussian(x[:, i], 0.0, theory.euler_variance(k, D, dt))
        assert accepts_mean(x[:, i] * x[:, i - 1], 0.0)
        assert not accepts_mean(x[:, i] * (x[:, i - 1] + 0.1 * x[:, i]), 0.0)


# -- double well --------------------------------------------------------------------------------------------------------

# E x^2 and E x^4 of exp(-V/D)/Z, V = x^4/4 - x^2/2, D = 0.25: quadrature with 30 digits (reference id dw.gibbs.D=0.25)
GIBBS_MOMENTS = {2: 0.832745487128380072, 4: 1.08274548712838007}


def double_well(D=0.25, dt=0.005, n=40_000):
    """From both wells alike, so that only the relaxation inside the wells, of rate about 1, must be waited for."""
    start = np.tile([-1.0, 1.0], n // 2)
    return shld.simulate(shld.Langevin(shld.DoubleWell(), D), start, dt, n_steps=round(12.0 / dt), seed=SEED).final


def test_double_well_settles_to_the_gibbs_law():
    """The dt bias of E x^2, at most 0.15 dt, is 0.2 standard errors."""
    cdf = theory.gibbs_cdf(shld.Langevin(shld.DoubleWell(), 0.25))

    def accepts(x):
        return accepts_cdf(x, cdf) and all(accepts_mean(x**m, exact) for m, exact in GIBBS_MOMENTS.items())

    assert accepts(double_well())
    assert not accepts(double_well(1.44 * 0.25))
    assert not accepts(double_well(0.25 * np.sqrt(0.005)))
    # the odd moments tell the wells apart: starts in one well must not pass
    x = double_well()
    assert accepts_mean(x, 0.0) and not accepts_mean(np.abs(x), 0.0)


def accepts_histogram(x, grid, density, n_bins=24):
    """Chi-square of about equally likely bins of whole cells, at a false-alarm rate of 5.7e-7."""
    cumulated = np.cumsum(density) * grid.dx
    ends = np.unique(np.searchsorted(cumulated, np.arange(1, n_bins) / n_bins))
    edges = np.concatenate([[-np.inf], grid.edges[ends + 1], [np.inf]])
    expected = len(x) * np.diff(np.concatenate([[0.0], cumulated[ends], [1.0]]))
    observed = np.histogram(x, edges)[0]
    assert expected.min() > 200.0
    return stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), len(expected) - 1) >= FALSE_ALARM


def test_histograms_follow_the_fokker_planck_equation():
    """The tilted well from a Gaussian start; errors of the grid (dx^2) and the scheme (dt), 1e-3 of p, shift chi2 by 0.1."""
    D, dt, n = 0.2, 1e-3, 40_000
    model, louder = (shld.Langevin(shld.TiltedDoubleWell(), d) for d in (D, 1.44 * D))
    start = -0.5 + 0.3 * np.random.default_rng(SEED).standard_normal(n)
    fp = shld.FokkerPlanck(model, shld.Grid(-3.0, 3.0, 1200))
    times = np.array([0.2, 1.0, 4.0])
    densities = fp.propagate(stats.norm(-0.5, 0.3).pdf, times)
    run, planted = (shld.simulate(m, start, dt, t_end=4.0, seed=SEED, save_every=200) for m in (model, louder))
    for t, density in zip(times, densities):
        row = int(np.argmin(np.abs(run.t - t)))
        assert accepts_histogram(run.x[row], fp.grid, density)
        assert not accepts_histogram(planted.x[row], fp.grid, density)
    assert not accepts_histogram(run.x[5], fp.grid, densities[0])  # and time matters


# -- stable noise -------------------------------------------------------------------------------------------------------


def accepts_characteristic(x, scale, alpha, factors=(0.3, 0.6, 1.0, 1.5, 2.5)):
    """E cos(qX) = exp(-(scale q)^alpha); the variance of cos(qX) is (1 + phi(2q))/2 - phi(q)^2."""
    phi = lambda q: np.exp(-((scale * q) ** alpha))
    for q in np.array(factors) / scale:
        error = np.sqrt((0.5 * (1.0 + phi(2 * q)) - phi(q) ** 2) / len(x))
        if abs(np.cos(q * x).mean() - phi(q)) > 5.0 * error:
            return False
    return abs(np.sin(x / scale).mean()) <= 5.0 / np.sqrt(len(x))


def stable_chain(alpha, sigma=0.5, scheme=None, n=100_000, dt=0.25):
    model = shld.LevyFlight(shld.Harmonic(), alpha, sigma)
    n_steps = round(20.0 / (min(alpha, 1.5) * dt))  # the start is forgotten as exp(-alpha k t)
    return shld.simulate(model, 0.0, dt, n_steps=n_steps, n_paths=n, seed=SEED, scheme=scheme).final


@pytest.mark.parametrize("alpha", [0.8, 1.2, 1.5, 1.9])
def test_stable_noise_in_a_harmonic_well(alpha):
    """At the coarse step 0.25 the split chain, the Euler chain and the equation have different scales."""
    dt, sigma = 0.25, 0.5
    scale = theory.split_stable_scale(1.0, alpha, sigma, dt)
    x = stable_chain(alpha)
    assert accepts_characteristic(x, scale, alpha)
    assert not accepts_characteristic(x, theory.euler_stable_scale(1.0, alpha, sigma, dt), alpha)
    assert not accepts_characteristic(x, sigma * alpha ** (-1.0 / alpha), alpha)
    assert not accepts_characteristic(stable_chain(alpha, 1.2 * sigma), scale, alpha)
    assert not accepts_characteristic(stable_chain(min(alpha + 0.1, 2.0)), scale, alpha)
    wrong = sigma * dt ** (0.5 - 1.0 / alpha)  # noise of dt^(1/2) for every alpha
    assert not accepts_characteristic(stable_chain(alpha, wrong), scale, alpha)
    euler = stable_chain(alpha, scheme="euler")
    assert accepts_characteristic(euler, theory.euler_stable_scale(1.0, alpha, sigma, dt), alpha)
    assert not accepts_characteristic(euler, scale, alpha)


# Scale of the Euler chain at k = 1, sigma = 0.5, dt = 0.1: closed form and series (reference ids levy.ou.*)
EULER_SCALE = {1.2: 0.4332365799704525, 1.5: 0.3881814101746177, 1.8: 0.36903741176057214}


@pytest.mark.parametrize("alpha", EULER_SCALE)
def test_stable_euler_chain_against_reference_values(alpha):
    x = stable_chain(alpha, scheme="euler", dt=0.1, n=40_000)
    assert accepts_characteristic(x, EULER_SCALE[alpha], alpha)
    assert not accepts_characteristic(1.2 * x, EULER_SCALE[alpha], alpha)


def test_isotropic_and_independent_noise_in_the_plane():
    """Along the axes the two laws agree; along the diagonal independent coordinates are wider by 2^(1/alpha - 1/2)."""
    alpha, sigma, dt = 1.2, 0.5, 0.25
    scale = theory.split_stable_scale(1.0, alpha, sigma, dt)
    wide = scale * 2.0 ** (1.0 / alpha - 0.5)
    for components, diagonal, other in (("isotropic", scale, wide), ("independent", wide, scale)):
        model = shld.LevyFlight(shld.QuadraticForm([1.0, 1.0]), alpha, sigma, components)
        x = shld.simulate(model, np.zeros(2), dt, n_steps=40, n_paths=20_000, seed=SEED).final
        for direction in ([1.0, 0.0], [0.0, 1.0]):
            assert accepts_characteristic(x @ direction, scale, alpha)
            assert not accepts_characteristic(1.2 * x @ direction, scale, alpha)
        for direction in ([1.0, 1.0], [1.0, -1.0]):
            slanted = x @ direction / np.sqrt(2.0)
            assert accepts_characteristic(slanted, diagonal, alpha)
            assert not accepts_characteristic(slanted, other, alpha)
        # independent coordinates have independent signs and sizes; isotropic ones share their large jumps
        both = (np.abs(x) > 3.0 * scale).mean(axis=0), (np.abs(x) > 3.0 * scale).all(axis=1)
        assert accepts_probability(both[1], both[0].prod()) == (components == "independent")


def cauchy_quartic(alpha=1.0, sigma=1.0, dt=0.01, n=400_000):
    """States of the quartic well under stable noise, seen half a drift step before the end of each step.

    Between noise and half a flow the split scheme is the symmetric one, whose law is exact to O(dt^2): at dt = 0.01 less
    than half a standard error of 400,000 paths. (At the end of the step P(|x| > 3) is about 19 % low, O(dt).)
    """
    x = shld.simulate(
        shld.LevyFlight(shld.Quartic(), alpha, sigma), 0.0, dt, n_steps=round(3.0 / dt), n_paths=n, seed=SEED
    )
    return x.final / np.sqrt(1.0 - dt * x.final**2)


def test_cauchy_noise_in_a_quartic_well():
    """p = 1/(pi (1 - x^2 + x^4)) for alpha = sigma = 1."""
    cdf = theory.quartic_stable_cdf(shld.LevyFlight(shld.Quartic(), 1.0, 1.0))
    # the same distribution function by integrating the closed form on a grid that is not the library's
    y = np.linspace(-3.0, 3.0, 6001)
    p = 1.0 / (np.pi * (1.0 - y**2 + y**4))
    inside = ((p[1:] + p[:-1]) / 2).sum() * 1e-3
    tail = 2.0 * float(cdf(-3.0))
    assert tail == pytest.approx(1.0 - inside, abs=1e-6) and tail == pytest.approx(0.00838, abs=5e-6)

    def accepts(x):
        """Kolmogorov-Smirnov, and the tails, which see alpha + 0.1 at 14 standard errors (at 1.8)."""
        return accepts_cdf(x, cdf) and all(accepts_probability(np.abs(x) > c, 2.0 * float(cdf(-c))) for c in (1.8, 3.0))

    assert accepts(cauchy_quartic())
    assert not accepts(cauchy_quartic(1.1))
    assert not accepts(cauchy_quartic(0.9))
    assert not accepts(cauchy_quartic(1.0, 1.2))
    assert not accepts(cauchy_quartic(1.0, 0.01 ** (0.5 - 1.0), n=100_000))  # noise of dt^(1/2)
    coarse = cauchy_quartic(1.0, 1.0, 0.02)  # and the check does not depend on the step
    assert accepts_cdf(coarse, cdf) and accepts_probability(np.abs(coarse) > 1.8, 2.0 * float(cdf(-1.8)))


def test_the_end_of_a_split_step_approaches_the_law_of_the_equation():
    """`final` itself: the bias of P(|x| > 2), all of first order, is less than a standard error at dt = 0.002."""
    cdf = theory.quartic_stable_cdf(shld.LevyFlight(shld.Quartic(), 1.0, 1.0))
    model = shld.LevyFlight(shld.Quartic(), 1.0, 1.0)
    x = shld.simulate(model, 0.0, 0.002, t_end=3.0, n_paths=20_000, seed=SEED).final
    assert accepts_cdf(x, cdf) and accepts_probability(np.abs(x) > 2.0, 2.0 * float(cdf(-2.0)))
    assert not accepts_cdf(1.2 * x, cdf)


def test_quartic_well_of_index_one_and_a_half():
    # E X^2: closed form and a shooting solution (reference id levy.quartic.alpha=1.5.sigma=1)
    model = shld.LevyFlight(shld.Quartic(), 1.5, 1.0)
    cdf = theory.quartic_stable_cdf(model)
    assert theory.quartic_second_moment(model) == pytest.approx(0.768822796086683, rel=1e-12)
    x = cauchy_quartic(1.5, 1.0, n=100_000)
    assert accepts_cdf(x, cdf)
    assert not accepts_cdf(cauchy_quartic(1.5, 1.2, n=100_000), cdf)


def test_index_two_is_langevin():
    """The same numbers from the same seed with sigma = sqrt(D); from another seed the same law; alpha = 1.9 is another."""
    D, dt = 0.25, 0.01
    gauss = shld.Langevin(shld.DoubleWell(), D)
    start = np.tile([-1.0, 1.0], 20_000)

    def run(model, seed, scheme="euler", n_steps=800):
        return shld.simulate(model, start, dt, n_steps=n_steps, seed=seed, scheme=scheme).final

    stable = shld.LevyFlight(shld.DoubleWell(), 2.0, np.sqrt(D))
    np.testing.assert_allclose(run(stable, SEED, n_steps=50), run(gauss, SEED, n_steps=50), rtol=1e-9, atol=1e-12)

    def same_law(x, y):
        return stats.ks_2samp(x, y).pvalue >= FALSE_ALARM

    x = run(gauss, SEED)
    assert same_law(run(stable, SEED + 1000), x)
    assert not same_law(
        run(shld.LevyFlight(shld.DoubleWell(), 2.0, np.sqrt(2 * D)), SEED + 1000), x
    )  # variance 2 sigma^2
    assert accepts_cdf(run(stable, SEED + 2000, "split"), theory.gibbs_cdf(gauss))


# -- orders of convergence ----------------------------------------------------------------------------------------------


def harmonic_on_one_path(levels, n, rng, k=1.0, D=0.5, t_end=1.0):
    """Exact ends of the harmonic well and the Brownian increments of every level of steps, on the same Brownian paths.

    Over a step h the increment and I = int e^{-k(h-s)} dW are Gaussian with variances h and (1 - e^{-2kh})/2k and
    covariance (1 - e^{-kh})/k.
    """
    finest = levels[-1]
    h = t_end / finest
    covariance = np.array([[h, -np.expm1(-k * h) / k], [0.0, -np.expm1(-2 * k * h) / (2 * k)]])
    covariance[1, 0] = covariance[0, 1]
    draws = rng.standard_normal((finest, n, 2)) @ np.linalg.cholesky(covariance).T
    exact = np.ones(n)
    for step in draws[..., 1]:
        exact = exact * np.exp(-k * h) + np.sqrt(2 * D) * step
    return exact, {m: draws[..., 0].reshape(m, finest // m, n).sum(axis=1) for m in levels}


def slope_and_error(dts, errors, deviations):
    """Least-squares slope of log(errors), and a bound on its standard error whatever the correlation of the levels."""
    x = np.log(dts) - np.log(dts).mean()
    weights = x / (x**2).sum()
    return float(weights @ np.log(errors)), float(np.abs(weights) @ (deviations / errors))


def test_strong_order_one_for_additive_noise():
    """Against the exact solution on the same Brownian path: slope, size at the finest step, and limit.

    The error at the end is Gaussian: mean (1 - k dt)^m - e^{-kT}, variance 2 D int (e^{-k(T-s)} - (1 - k dt)^{..})^2 ds.
    """
    k, D, n, levels = 1.0, 0.5, 4000, (8, 16, 32, 64, 128, 256)
    rng = np.random.default_rng(SEED)
    exact, increments = harmonic_on_one_path(levels, n, rng)
    model = shld.Langevin(shld.Harmonic(k), D)

    def mean_square(m):
        """Exact E (X - exact)^2 with m steps."""
        dt = 1.0 / m
        kept = (1.0 - k * dt) ** np.arange(m)  # of a step that ends j dt before the end
        j = np.arange(m)
        squares = (np.exp(-2 * k * j * dt) - np.exp(-2 * k * (j + 1) * dt)) / (2 * k)
        cross = kept * (np.exp(-k * j * dt) - np.exp(-k * (j + 1) * dt)) / k
        return ((1.0 - k * dt) ** m - np.exp(-k)) ** 2 + 2 * D * (squares - 2 * cross + kept**2 * dt).sum()

    def errors(change=lambda m, noise: noise):
        squares = []
        for m in levels:
            run = shld.simulate(model, 1.0, 1.0 / m, noise=change(m, increments[m]))
            squares.append((run.final - exact) ** 2)
        return np.array(squares)

    def accepts(squares):
        rms = np.sqrt(squares.mean(axis=1))
        deviations = squares.std(axis=1) / np.sqrt(n) / (2 * rms)
        slope, error = slope_and_error(1.0 / np.array(levels), rms, deviations)
        expected, _ = slope_and_error(1.0 / np.array(levels), np.sqrt([mean_square(m) for m in levels]), deviations)
        return (
            abs(slope - expected) <= 5 * error
            and abs(slope - 1.0) < 0.1
            and accepts_mean(squares[-1], mean_square(256))
        )

    assert accepts(errors())
    assert np.sqrt(mean_square(256)) < 0.003  # the bound on the finest error: 0.4 % of the unit of length
    # limit: the error vanishes against the exact solution as it does against finer steps, not against a shifted one
    assert not accepts(errors(lambda m, noise: 1.2 * noise))
    assert not accepts(errors(lambda m, noise: noise * (1.0 / m) ** 0.1))
    assert not accepts(errors(lambda m, noise: np.roll(noise, 1, axis=0)))  # order 1/2


def brownian(n_steps, n, rng):
    """Brownian increments over [0, 1] for n_steps steps and every halving of their number."""
    noise = rng.standard_normal((n_steps, n)) / np.sqrt(n_steps)
    out = {n_steps: noise}
    while n_steps % 2 == 0:
        n_steps, noise = n_steps // 2, noise.reshape(n_steps // 2, 2, n).sum(axis=1)
        out[n_steps] = noise
    return out


def test_strong_and_weak_order_one_in_the_double_well():
    """Differences of consecutive levels on one Brownian path, of the state (strong) and of E X^2 (weak)."""
    n, levels = 8000, (16, 32, 64, 128, 256, 512)
    increments = brownian(512, n, np.random.default_rng(SEED + 7))
    model = shld.Langevin(shld.DoubleWell(), 0.2)

    def ends(change=lambda m, noise: noise):
        return np.array([shld.simulate(model, 1.4, 1.0 / m, noise=change(m, increments[m])).final for m in levels])

    def strong(x):
        squares = np.diff(x, axis=0) ** 2
        rms = np.sqrt(squares.mean(axis=1))
        return slope_and_error(1.0 / np.array(levels[:-1]), rms, squares.std(axis=1) / np.sqrt(n) / (2 * rms))

    def weak(x):
        gaps = np.diff(x**2, axis=0)
        means = np.abs(gaps.mean(axis=1))
        return slope_and_error(1.0 / np.array(levels[:-1]), means, gaps.std(axis=1) / np.sqrt(n))

    def accepts(answer):
        """Order one, up to 5 standard errors and the next order: dt V'' <= 5/16 at the coarsest level."""
        slope, error = answer
        return error < 0.06 and abs(slope - 1.0) <= 5 * error + 0.1

    x = ends()
    assert accepts(strong(x)), strong(x)
    assert accepts(weak(x)), weak(x)
    rolled = ends(lambda m, noise: np.roll(noise, 1, axis=0))
    assert not accepts(strong(rolled)), strong(rolled)
    powered = ends(lambda m, noise: noise * (1.0 / m) ** 0.05)
    assert not accepts(weak(powered)), weak(powered)

    # The limit, apart from the slope: Y = X - sqrt(2D) W obeys y' = -V'(y + sqrt(2D) W(t)), solved here by Heun's
    # method on the broken line through W; its distance to X is O(dt).
    W = np.concatenate([np.zeros((1, n)), np.cumsum(increments[512], axis=0)]) * np.sqrt(0.4)
    y, h, slope = np.full(n, 1.4), 1.0 / 512, model.potential.gradient
    for a, b in itertools.pairwise(W):
        first = slope(y + a)
        y = y - 0.5 * h * (first + slope(y - h * first + b))
    gaps = np.sqrt(((x - (y + W[-1])) ** 2).mean(axis=1))
    assert (gaps < 1.0 / np.array(levels)).all() and gaps[-1] < 2e-3
    assert not np.sqrt(((powered[-1] - (y + W[-1])) ** 2).mean()) < 2e-3


def test_weak_order_one_against_the_known_variance():
    """E X^2 of the stationary harmonic chain minus D/k is D dt/2 to first order: slope over six steps, by exact law."""
    k, D, n = 1.0, 0.5, 100_000
    dts = np.array([1.0, 0.5, 0.25, 0.125])
    values = [harmonic(k, D, dt, n=n, t_end=12.0).final ** 2 for dt in dts]
    gaps = np.array([v.mean() - D / k for v in values])
    deviations = np.array([v.std() / np.sqrt(n) for v in values])
    exact = np.array([theory.euler_variance(k, D, dt) - D / k for dt in dts])
    assert (np.abs(gaps - exact) <= 5 * deviations).all()
    slope, error = slope_and_error(dts, gaps, deviations)
    expected, _ = slope_and_error(dts, exact, deviations)
    assert abs(slope - expected) <= 5 * error
    assert not (np.abs(1.44 * (gaps + D / k) - D / k - exact) <= 5 * deviations).any()
