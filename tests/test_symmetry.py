"""Groups, orbits, entropies, unions of sets, the geometric loss, and the closed forms on symmetry and returns."""

import itertools
import math
import pickle

import numpy as np
import pytest
from scipy import integrate, stats

import shld_sim as shld
from shld_sim import diagnostics, theory
from shld_sim.potentials.agreement import check_gradient

# -- groups and orbits ----


@pytest.mark.parametrize(
    ("group", "size"),
    [
        (diagnostics.permutations(4), 24),
        (diagnostics.permutations(3, block=2), 6),
        (diagnostics.sign_flips(3), 8),
        (diagnostics.rotations(7), 7),
    ],
)
def test_finite_groups_are_groups(group, size):
    assert len(group) == size
    d = group.shape[1]
    np.testing.assert_array_equal(group[0], np.eye(d))
    np.testing.assert_allclose(np.swapaxes(group, 1, 2) @ group, np.broadcast_to(np.eye(d), group.shape), atol=1e-15)
    products = (group[:, None] @ group[None]).reshape(-1, 1, d * d)
    found = np.abs(products - group.reshape(1, size, d * d)).max(axis=-1) < 1e-12
    assert (found.sum(axis=1) == 1).all()  # each product is one element


def test_permutations_move_blocks():
    images = diagnostics.orbit([1.0, 2.0, 3.0, 4.0], diagnostics.permutations(2, block=2))
    np.testing.assert_array_equal(images, [[1, 2, 3, 4], [3, 4, 1, 2]])


def test_random_rotations_are_uniform():
    turns = diagnostics.random_rotations(3, 4000, seed=1)
    np.testing.assert_allclose(np.linalg.det(turns), 1.0, rtol=1e-12)
    np.testing.assert_allclose(np.swapaxes(turns, 1, 2) @ turns, np.broadcast_to(np.eye(3), turns.shape), atol=1e-14)
    # each entry is uniform in (-1, 1) (Archimedes), and the trace of the rotation angle has mean 0, variance 1
    for i, j in itertools.product(range(3), repeat=2):
        assert stats.kstest(turns[:, i, j], stats.uniform(-1, 2).cdf).pvalue > 1e-6
    trace = np.trace(turns, axis1=1, axis2=2)
    assert abs(trace.mean()) < 5 / math.sqrt(4000)
    # twin: rotations by QR without the signs are not uniform
    q = np.linalg.qr(np.random.default_rng(1).standard_normal((4000, 3, 3)))[0]
    assert stats.kstest(q[:, 0, 0], stats.uniform(-1, 2).cdf).pvalue < 1e-6


def test_rescalings_keep_the_valley():
    x = np.random.default_rng(2).normal(size=(5, 2))
    images = diagnostics.orbit(x, diagnostics.rescalings([0.5, 3.0, -1.0]))
    assert images.shape == (3, 5, 2)
    V = shld.RescalingValley()
    np.testing.assert_allclose(V(images), np.broadcast_to(V(x), (3, 5)), rtol=1e-12)


def test_functions_and_matrices_make_the_same_orbit():
    x = np.random.default_rng(3).normal(size=(4, 2))
    functions = [lambda p: p, lambda p: p[..., ::-1]]
    np.testing.assert_array_equal(diagnostics.orbit(x, functions), diagnostics.orbit(x, diagnostics.permutations(2)))


# -- entropies ----


@pytest.mark.parametrize(
    ("x", "group", "entropy"),
    [
        # ln(|G|/|stabiliser|)
        ([1.0, 1.0, 1.0, 2.0], diagnostics.permutations(4), math.log(4)),
        ([1.0, 1.0, 2.0, 2.0], diagnostics.permutations(4), math.log(6)),
        ([1.0, 2.0, 3.0, 4.0], diagnostics.permutations(4), math.log(24)),
        ([0.0, 2.0, 0.0], diagnostics.sign_flips(3), math.log(2)),
        ([0.0, 0.0], diagnostics.rotations(6), 0.0),
        ([1e-8, 0.0], diagnostics.rotations(6), math.log(6)),
        # two of three sampled elements agree: Shannon entropy of (2/3, 1/3)
        ([1.0, 0.0], diagnostics.rotations(4)[[0, 0, 1]], math.log(3) - 2 / 3 * math.log(2)),
    ],
)
def test_exact_orbit_entropy(x, group, entropy):
    found = diagnostics.orbit_entropy(x, group)
    assert found.value == pytest.approx(entropy, rel=1e-12, abs=1e-12)
    assert (found.stderr, found.elements, found.interval) == (0.0, len(group), (found.value, found.value))


def test_blurred_orbit_entropy_by_integration():
    """Renyi entropy of order two of the orbit-averaged density less that of one Gaussian, both on a grid."""
    x, w, group = np.array([0.7, 0.2]), 0.4, diagnostics.rotations(3)
    line = np.linspace(-4, 4, 401)
    place = np.stack(np.meshgrid(line, line), axis=-1)
    bumps = [np.exp(-((place - g @ x) ** 2).sum(axis=-1) / (2 * w * w)) for g in group]
    collision = (np.mean(bumps, axis=0) ** 2).sum() / (bumps[0] ** 2).sum()
    assert diagnostics.orbit_entropy(x, group, w).value == pytest.approx(-math.log(collision), rel=1e-9)


def test_a_narrow_blur_is_the_exact_entropy():
    x = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 1.0, 3.0, 4.0], [1.0, 1.0, 4.0, 4.0]])
    sharp, blurred = (diagnostics.orbit_entropy(x, diagnostics.permutations(4), w) for w in (0.0, 1e-3))
    np.testing.assert_allclose(blurred.each, sharp.each, rtol=1e-12)


def test_interval_of_the_mean_orbit_entropy():
    """Coverage over repeats, binomial at 5 standard errors; the truth from a large sample."""
    group, rng = diagnostics.rotations(3), np.random.default_rng(5)
    truth = diagnostics.orbit_entropy(rng.normal(size=(40_000, 2)), group, 0.5).value
    found = [diagnostics.orbit_entropy(rng.normal(size=(100, 2)), group, 0.5).interval for _ in range(400)]
    inside = [low <= truth <= high for low, high in found]
    assert abs(np.mean(inside) - 0.95) < 5 * math.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize("p", [np.full(12, 1 / 12), np.array([0.5, 0.25, 0.125, 0.125])])
def test_cell_entropy(p):
    rng, n = np.random.default_rng(6), 150
    found = [diagnostics.cell_entropy(rng.multinomial(n, p)) for _ in range(2000)]
    truth = -float((p * np.log(p)).sum())
    values = np.array([f.value for f in found])
    # the correction leaves a bias of order 1/n^2; without it the mean is 5 standard errors off
    error = values.std() / math.sqrt(len(values))
    assert abs(values.mean() - truth) < 5 * error + (sum(1 / p)) / (12 * n * n)
    assert abs(values.mean() - 0.5 * (len(p) - 1) / n - truth) > 5 * error
    assert np.mean([f.stderr for f in found]) == pytest.approx(values.std(), rel=0.3)
    assert np.mean([f.interval[0] <= truth <= f.interval[1] + 1e-12 for f in found]) > 0.9


# -- volumes ----


def test_exact_unions_by_counting_points():
    rng = np.random.default_rng(7)
    line = (np.arange(2000) + 0.5) / 2000 * 3 - 1
    x, y = np.meshgrid(line, line)
    low, size = rng.uniform(-0.7, 1, (9, 2)), rng.uniform(0, 0.8, (9, 2))
    inside = [(a[0] <= x) & (x <= b[0]) & (a[1] <= y) & (y <= b[1]) for a, b in zip(low, low + size, strict=True)]
    cell = 1.5e-3**2
    counted = diagnostics.union_of_cells(inside, cell)
    found = diagnostics.union_of_boxes(low, low + size)
    assert found.value == pytest.approx(counted.value, abs=9 * 4 * 0.8 * 1.5e-3)  # cells along the sides
    assert (found.stderr, found.samples, counted.stderr) == (0.0, 0, 0.0)
    r = rng.uniform(0, 0.5, 9)
    discs = [(x - c[0]) ** 2 + (y - c[1]) ** 2 <= s * s for c, s in zip(low, r, strict=True)]
    found = diagnostics.union_of_balls(low, r)
    assert found.value == pytest.approx(
        diagnostics.union_of_cells(discs, cell).value, abs=9 * 2 * math.pi * 0.5 * 1.5e-3
    )


def test_exact_unions_in_closed_form():
    assert diagnostics.union_of_boxes([0.0, 0.5, 3.0, 3.0], [1.0, 2.0, 3.0, 4.0]).value == pytest.approx(3.0, rel=1e-15)
    assert diagnostics.union_of_balls([0.0, 1.0], 1.0).value == pytest.approx(3.0, rel=1e-15)
    # two unit discs at distance a: 2 pi less the lens 2 acos(a/2) - (a/2) sqrt(4 - a^2)
    for a in (0.0, 1e-9, 0.3, 1.0, 1.99, 2.0, 5.0):
        lens = 2 * math.acos(a / 2) - a / 2 * math.sqrt(4 - a * a) if a < 2 else 0.0
        for turn in np.linspace(0, 6, 7):
            centre = [[1.0, -2.0], [1.0 + a * math.cos(turn), -2.0 + a * math.sin(turn)]]
            assert diagnostics.union_of_balls(centre, 1.0).value == pytest.approx(2 * math.pi - lens, rel=1e-8)
    # a disc inside another, and two copies of each
    nested = diagnostics.union_of_balls([[0, 0], [0.1, 0.2], [0, 0], [0.1, 0.2]], [1.0, 0.3, 1.0, 0.3])
    assert nested.value == pytest.approx(math.pi, rel=1e-14)
    # three unit discs through a common point: by inclusion and exclusion with the Reuleaux-like triple lens
    corner = [[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]]
    lens, triple = 2 * math.pi / 3 - math.sqrt(3) / 2, (math.pi - math.sqrt(3)) / 2
    assert diagnostics.union_of_balls(corner, 1.0).value == pytest.approx(3 * math.pi - 3 * lens + triple, rel=1e-13)


def test_monte_carlo_unions_and_their_error():
    # unit boxes shifted by 1/2 along the diagonal in d = 4: 2 - 1/16; unit balls at distance 1 in d = 3: caps
    low = np.zeros((2, 4)) + [[0.0], [0.5]]
    boxes = [diagnostics.union_of_boxes(low, low + 1, samples=400, seed=s) for s in range(300)]
    balls = [diagnostics.union_of_balls([[0.0, 0, 0], [1.0, 0, 0]], 1.0, samples=400, seed=s) for s in range(300)]
    for found, truth in ((boxes, 2 - 1 / 16), (balls, 8 * math.pi / 3 - 5 * math.pi / 12)):
        values = np.array([f.value for f in found])
        assert abs(values.mean() - truth) < 5 * values.std() / math.sqrt(300)
        assert np.mean([f.stderr for f in found]) == pytest.approx(
            values.std(), rel=0.25
        )  # 5 errors of a spread of 300
        assert values.std() < truth * math.sqrt(1 / 400)
    assert diagnostics.union_of_balls(np.zeros((1, 5)), 2.0).value == pytest.approx(8 * math.pi**2 / 15 * 32, rel=1e-12)


# -- the geometric loss ----


@pytest.mark.parametrize("n", [2, 3, 5])
def test_gradient_of_the_geometric_loss(n):
    check_gradient(shld.GeometricLoss(n, lam=0.7, width=0.8, entropy=1.3), None)


def test_geometric_loss_by_integration_and_by_the_group():
    loss = shld.GeometricLoss(3, lam=0.6, width=0.8, entropy=1.7)
    x = np.random.default_rng(8).normal(size=(4, 6))
    line = np.linspace(-9, 9, 601)
    place = np.stack(np.meshgrid(line, line), axis=-1)
    for point, volume in zip(x, loss.volume(x), strict=True):
        bumps = [np.exp(-((place - c) ** 2).sum(axis=-1) / (2 * 0.64)) for c in point.reshape(3, 2)]
        naive = (1 - np.prod([1 - b for b in bumps], axis=0)).sum() * 0.03**2
        assert volume == pytest.approx(naive, rel=1e-9)
    entropy = diagnostics.orbit_entropy(x, diagnostics.permutations(3, block=2), 0.8).each
    np.testing.assert_allclose(loss.orbit_entropy(x), entropy, rtol=1e-10)
    np.testing.assert_allclose(loss(x), 1.7 * entropy + 0.6 * loss.volume(x), rtol=1e-12)
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert loss.minima().shape == (1, 6)


def test_geometric_loss_can_be_descended_with_noise():
    loss = shld.GeometricLoss(2, width=1.0)
    start = [-0.8, 0.0, 0.8, 0.0]
    run = shld.simulate(shld.Langevin(loss, 0.01), start, dt=0.01, t_end=1.0, n_paths=200, seed=1)
    assert loss.volume(run.final).mean() < 0.9 * float(loss.volume(start))


# -- closed forms ----


@pytest.mark.parametrize("dim", [2, 3, 7])
def test_radius_of_a_gaussian_is_chi(dim):
    model = shld.Langevin(shld.QuadraticForm(np.full(dim, 4.0)), D=0.8)
    law, r = stats.chi(dim, scale=math.sqrt(0.2)), np.linspace(0.02, 4.0, 50)
    np.testing.assert_allclose(theory.radial_density(model)(r), law.pdf(r), rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(theory.radial_cdf(model)(r), law.cdf(r), rtol=1e-11)


def test_radius_on_the_hat():
    """The most likely radius solves V' = D (d - 1)/r: here 20 r^2 (r^2 - 1) = 0.3."""
    model = shld.Langevin(shld.MexicanHat(4, height=5.0), D=0.1)
    r = np.linspace(0.9, 1.1, 20_001)
    assert r[np.argmax(theory.radial_density(model)(r))] == pytest.approx(
        math.sqrt(0.5 * (1 + math.sqrt(1.06))), abs=1e-5
    )
    mass = integrate.quad(theory.radial_density(model), 0.3, 1.7, epsabs=1e-12)[0]
    assert mass == pytest.approx(1.0, rel=1e-10)


def test_direction_and_imbalance():
    # one small rotation: 1 - E cos = E angle^2/2 = (d - 1) D t/r^2
    assert 1 - theory.direction_coherence(3, 0.2, 1e-6, 2.0) == pytest.approx(2 * 0.2 * 1e-6 / 4, rel=1e-5)
    rng = np.random.default_rng(9)
    x, y, e = rng.normal(size=(3, 50))
    after = (x - 0.1 * e * y) ** 2 - (y - 0.1 * e * x) ** 2
    np.testing.assert_allclose(after, theory.imbalance_factor(0.1, e) * (x * x - y * y), rtol=1e-9)
    steps = 100_000  # (1 - h^2 e^2)^(t/h) with h e^2 = s^2
    assert theory.imbalance_factor(2.0 / steps, 0.7 / math.sqrt(2.0 / steps)) ** steps == pytest.approx(
        theory.imbalance_decay(0.7, 2.0), rel=1e-4
    )


def test_diffusing_unions():
    w, D, t = 0.7, 0.4, 1.3
    loss = shld.GeometricLoss(3, width=w, entropy=0.0)
    x = math.sqrt(2 * D * t) * np.random.default_rng(10).standard_normal((40_000, 6))
    volume = loss.volume(x)
    error = volume.std() / math.sqrt(len(volume))
    exact = theory.diffusing_union_volume(3, D, t, w)
    assert abs(volume.mean() - exact) < 5 * error
    assert abs(volume.mean() - theory.diffusing_union_volume(3, D / 1.44, t, w)) > 5 * error  # twin: noise x 1.2
    area = 2 * math.pi * w * w
    assert theory.diffusing_union_volume(4, D, 0.0, w) == pytest.approx(area * (1 + 1 / 2 + 1 / 3 + 1 / 4), rel=1e-12)
    assert theory.diffusing_union_volume(4, D, 1e12, w) == pytest.approx(4 * area, rel=1e-9)


def test_returns_of_linear_noise():
    # twice the start, by the scale function x^(1 + 2 lam/s^2)
    assert theory.return_probability(1.0, math.sqrt(2.0), 2.0) == pytest.approx(0.25, rel=1e-14)
    assert theory.return_probability(-0.5, 1.0, 2.0) == theory.return_probability(-0.5, 1.0, 0.5) == 1.0
    assert theory.return_probability(-2.0, 1.0, 0.5) == pytest.approx(0.5**3, rel=1e-14)
    for s, D0, x0 in ((1.0, 0.5, 2.0), (0.7, 2.0, -5.0)):
        far = math.asinh(s * abs(x0) / math.sqrt(2 * D0))
        found = theory.mean_return_time(0.5 * s * s, s, D0, x0)
        assert found == pytest.approx((far + 0.5 * (1 - math.exp(-2 * far))) / s**2, rel=1e-9)
    # by scale and speed, the double integral as it stands
    lam, s, D0 = 0.3, 1.1, 0.4

    def a(y):
        return D0 + 0.5 * s * s * y * y

    def beyond(y):
        return a(y) ** (lam / s**2) * integrate.quad(lambda z: a(z) ** (-1 - lam / s**2), y, np.inf, epsrel=1e-11)[0]

    slow = integrate.quad(beyond, 0, 1.7, epsabs=0, epsrel=1e-10)[0]
    assert theory.mean_return_time(lam, s, D0, 1.7) == pytest.approx(slow, rel=1e-8)
    assert theory.mean_return_time(lam, s, D0, 0.0) == 0.0


def test_observable_generator():
    V, f, x, D = shld.MexicanHat(2), shld.QuadraticForm([1.0, 3.0]), np.array([[0.3, 0.4], [1.0, -0.2]]), [0.5, 0.2]
    gradient = V.gradient(x)
    expected = -x[:, 0] * gradient[:, 0] - 3 * x[:, 1] * gradient[:, 1] + 0.5 + 3 * 0.2
    np.testing.assert_allclose(theory.observable_generator(f, V, x, D), expected)
    assert theory.observable_generator(V, V, x[0], 0.1) == pytest.approx(theory.energy_generator(V, x[0], 0.1))
    W = shld.DoubleWell()
    assert theory.observable_generator(W, W, 0.4, 0.1) == pytest.approx(theory.energy_generator(W, 0.4, 0.1))


# -- messages ----


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: diagnostics.permutations(8), "n must be at most 7"),
        (lambda: diagnostics.sign_flips(13), "n must be at most 12"),
        (lambda: diagnostics.rescalings([1.0, 0.0]), "factors must not be 0"),
        (lambda: diagnostics.orbit(1.0, diagnostics.rotations(3)), "points must have their coordinates on the last axis"),
        (lambda: diagnostics.orbit([1.0, 2.0, 3.0], diagnostics.rotations(3)), r"group must be matrices of shape \(m, 3, 3\)"),
        (lambda: diagnostics.orbit([1.0, 2.0], [lambda x: x[:1]]), r"group\[0\] must return points of shape \(2,\), got \(1,\)"),
        (lambda: diagnostics.orbit_entropy(np.ones((2, 2, 2)), diagnostics.rotations(3)), r"points must have shape"),
        (lambda: diagnostics.orbit_entropy([1.0, 2.0], diagnostics.rotations(3), -1.0), "width must not be negative"),
        (lambda: diagnostics.cell_entropy([0, 0]), "counts must be a list"),
        (lambda: diagnostics.union_of_boxes([0.0, 1.0], [1.0, 0.5]), "low must not exceed high"),
        (lambda: diagnostics.union_of_boxes([0.0], [[1.0]]), "low and high must have the same shape"),
        (lambda: diagnostics.union_of_balls([0.0, 1.0], [1.0, 1.0, 1.0]), "radii must be one number or one for each of the 2"),
        (lambda: diagnostics.union_of_balls([0.0], -1.0), "radii must not be negative, got -1.0"),
        (lambda: diagnostics.union_of_cells(True), "inside must have the sets on its first axis"),
        (lambda: diagnostics.union_of_cells([True], -1.0), "volumes must not be negative"),
        (lambda: shld.GeometricLoss(7), "n must be at most 6"),
        (lambda: shld.GeometricLoss(3, lam=-1.0), "lam must not be negative"),
        (lambda: theory.radial_density(shld.Langevin(shld.Rosenbrock(), 0.1)), "potential must be the same in every direction"),
        (lambda: theory.radial_cdf(shld.Langevin(shld.DoubleWell(), 0.1)), "two or more dimensions"),
        (lambda: theory.radial_cdf(shld.Langevin(shld.QuadraticForm([-1.0, -1.0]), 0.1)), "potential must confine"),
        (lambda: theory.radial_density(shld.Langevin(shld.MexicanHat(), 0.1))(0.0), "r must be positive"),
        (lambda: theory.direction_coherence(2, 0.1, -1.0), "t must not be negative"),
        (lambda: theory.mean_return_time(-1.0, 1.0, 1.0, 1.0), "lam must exceed"),
        (lambda: theory.observable_generator(shld.DoubleWell(), shld.MexicanHat(), [0.0, 1.0], 0.1), "must have the 2 dim"),
    ],
)  # fmt: skip
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
