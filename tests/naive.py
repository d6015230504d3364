"""Slow, obvious NumPy versions of the compiled kernels: streams, variates, steps, ensembles and first passages.

Nothing here uses the engine. Words are uint64 arrays with one entry per path, noise has the shape (n_steps, n_paths,
d), and a potential is asked only for its values on arrays, so every formula can be read off and compared.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import solve_ivp

GOLDEN = 0x9E3779B97F4A7C15
RUNNING, EXITED, CENSORED = 0, 1, 2


def u64(value) -> np.ndarray:
    """Return ``value`` as an array of 64-bit words, which NumPy multiplies and adds modulo 2^64."""
    return np.atleast_1d(np.asarray(value, dtype=np.uint64))


# -- streams ----------------------------------------------------------------------------------------------------------


def mix(z) -> np.ndarray:
    """SplitMix64 finaliser."""
    z = u64(z)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def keys(seed) -> np.ndarray:
    """The two words of a seed."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return sequence.generate_state(2, np.uint64)


def start_words(key0, key1, paths) -> np.ndarray:
    """First states of the given paths, shape (n_paths, 4)."""
    path_word = mix(u64(key0) + u64(paths) * np.uint64(GOLDEN))
    place_words = [mix(u64(key1) + u64(w) * np.uint64(GOLDEN)) for w in range(4)]
    return np.stack([mix(path_word ^ place) for place in place_words], axis=1)


def rotl(x, k: int) -> np.ndarray:
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


class Streams:
    """One xoshiro256++ generator per path."""

    def __init__(self, states) -> None:
        self.a, self.b, self.c, self.d = np.array(states, dtype=np.uint64).T.copy()

    @classmethod
    def of(cls, seed, paths) -> Streams:
        """The streams of the given paths of a seed."""
        return cls(start_words(*keys(seed), paths))

    @property
    def states(self) -> np.ndarray:
        return np.stack([self.a, self.b, self.c, self.d], axis=1)

    def word(self) -> np.ndarray:
        """The next word of every path, shape (n_paths,)."""
        a, b, c, d = self.a, self.b, self.c, self.d
        word = rotl(a + d, 23) + a
        t = b << np.uint64(17)
        c, d = c ^ a, d ^ b
        b, a = b ^ c, a ^ d
        c, d = c ^ t, rotl(d, 45)
        self.a, self.b, self.c, self.d = a, b, c, d
        return word


def unit_open_zero(word) -> np.ndarray:
    """Uniform in (0, 1]: 1 - m 2^-52 with m the upper 52 bits."""
    return 1.0 - (u64(word) >> np.uint64(12)).astype(float) * 2.0**-52


def unit_open(word) -> np.ndarray:
    """Uniform in (0, 1): (m + 1/2) 2^-52 with m the upper 52 bits."""
    return ((u64(word) >> np.uint64(12)).astype(float) + 0.5) * 2.0**-52


# -- variates ---------------------------------------------------------------------------------------------------------


def normal_pair(word1, word2) -> tuple[np.ndarray, np.ndarray]:
    """Box-Muller: two standard normal numbers; the angle is counted from the middle of a quadrant."""
    radius = np.sqrt(-2.0 * np.log(unit_open_zero(word1)))
    quadrant = (u64(word2) >> np.uint64(62)).astype(float)
    inside = ((u64(word2) << np.uint64(2)) >> np.uint64(12)).astype(float) * 2.0**-52 - 0.5
    # Turning by whole quadrants exchanges and negates sine and cosine without rounding.
    s, c = np.sin(0.5 * np.pi * inside), np.cos(0.5 * np.pi * inside)
    sine = np.choose(quadrant.astype(int), [s, c, -s, -c])
    cosine = np.choose(quadrant.astype(int), [c, -s, -c, s])
    return radius * cosine, radius * sine


def sin_pi(u) -> np.ndarray:
    """sin(pi u) for 0 <= u <= 1, accurate near both ends."""
    return np.sin(np.pi * np.minimum(u, 1.0 - u))


def symmetric_stable(word1, word2, alpha: float) -> np.ndarray:
    """Chambers-Mallows-Stuck: E exp(ikL) = exp(-|k|^alpha)."""
    w = -np.log(unit_open_zero(word1)) + 1e-300
    u = unit_open(word2)
    v = np.pi * (u - 0.5)
    logarithm = (1.0 - alpha) / alpha * np.log(np.cos((1.0 - alpha) * v) / w) - np.log(sin_pi(u)) / alpha
    return np.sin(alpha * v) * np.exp(np.minimum(logarithm, 340.0))


def positive_stable(word1, word2, a: float) -> np.ndarray:
    """Kanter: E exp(-sA) = exp(-s^a), 0 < a < 1; A = 1 at a = 1."""
    w = -np.log(unit_open_zero(word1)) + 1e-300
    u = unit_open(word2)
    if a == 1.0:
        return np.ones_like(u)
    logarithm = (1.0 - a) / a * np.log(sin_pi((1.0 - a) * u) / w) - np.log(sin_pi(u)) / a
    return sin_pi(a * u) * np.exp(np.minimum(logarithm, 340.0))


def normal_vector(streams: Streams, d: int) -> np.ndarray:
    """Normal vectors, two coordinates from two words, shape (n_paths, d); in odd dimensions the last is dropped."""
    pairs = [normal_pair(streams.word(), streams.word()) for _ in range((d + 1) // 2)]
    return np.stack([z for pair in pairs for z in pair], axis=1)[:, :d]


def fill_normal_1d(streams: Streams, n: int) -> np.ndarray:
    """Normal numbers, two steps from two words, shape (n, n_paths, 1); n is even."""
    pairs = [normal_pair(streams.word(), streams.word()) for _ in range(n // 2)]
    return np.stack([z for pair in pairs for z in pair])[:, :, None]


def fill_normal(streams: Streams, n: int, d: int) -> np.ndarray:
    return np.stack([normal_vector(streams, d) for _ in range(n)])


def fill_stable(streams: Streams, n: int, d: int, alpha: float) -> np.ndarray:
    """Independent stable coordinates, one from two words."""
    row = lambda: np.stack([symmetric_stable(streams.word(), streams.word(), alpha) for _ in range(d)], axis=1)
    return np.stack([row() for _ in range(n)])


def fill_isotropic(streams: Streams, n: int, d: int, alpha: float) -> np.ndarray:
    """Isotropic stable vectors sqrt(2A) N."""
    rows = []
    for _ in range(n):
        radius = np.sqrt(2.0 * positive_stable(streams.word(), streams.word(), 0.5 * alpha))
        rows.append(radius[:, None] * normal_vector(streams, d))
    return np.stack(rows)


def noise(streams: Streams, kind: str, n: int, d: int, alpha: float = 2.0) -> np.ndarray:
    """Noise of a kind ("normal", "stable", "isotropic") for n steps, shape (n, n_paths, d)."""
    if kind == "normal":
        return fill_normal_1d(streams, n + n % 2)[:n] if d == 1 else fill_normal(streams, n, d)
    if kind == "stable" or d == 1:
        return fill_stable(streams, n, d, alpha)
    return fill_isotropic(streams, n, d, alpha)


# -- steps ------------------------------------------------------------------------------------------------------------


def euler_step(potential, x, increment, dt: float) -> np.ndarray:
    return x - potential.gradient(x) * dt + increment


def descended(potential, x, dt: float) -> np.ndarray:
    """Solution at time dt of x' = -grad V(x), every point by itself, to about 1e-11."""
    points = np.asarray(x, dtype=float).reshape(-1, potential.dim)
    out = np.empty_like(points)

    def slope(t, y):
        return -np.atleast_1d(potential.gradient(y if potential.dim > 1 else y[0]))

    for i, point in enumerate(points):
        out[i] = solve_ivp(slope, (0.0, dt), point, method="Radau", rtol=1e-11, atol=1e-12).y[:, -1]
    return out.reshape(np.shape(x))


def flow(potential, x, dt: float) -> np.ndarray:
    """The drift alone over dt: in closed form where the potential has one, else by a stiff solver."""
    if potential.functions.flow is not None:
        return np.asarray(potential.functions.flow(x, dt, potential.params))
    return descended(potential, x, dt)


def split_step(potential, x, increment, dt: float) -> np.ndarray:
    return flow(potential, x + increment, dt)


STEP = {"euler": euler_step, "split": split_step}


# -- ensembles --------------------------------------------------------------------------------------------------------


def path(potential, x0, dt: float, increments, scheme: str = "euler") -> np.ndarray:
    """Every state of an ensemble driven by given increments.

    ``increments`` has the shape (n_steps, n_paths) for ``dim == 1``, else (n_steps, n_paths, dim); the result has one
    row more, the first of which is ``x0``.
    """
    increments = np.asarray(increments, dtype=float)
    states = [np.broadcast_to(np.asarray(x0, dtype=float), increments.shape[1:]).copy()]
    for increment in increments:
        states.append(STEP[scheme](potential, states[-1], increment, dt))
    return np.stack(states)


def ensemble(
    potential, x0, dt: float, n_steps: int, paths, seed, amplitude, kind="normal", alpha=2.0, scheme="euler"
) -> np.ndarray:
    """Every state of the given paths of a seed; ``amplitude`` (a number, or one per step) multiplies the noise."""
    z = noise(Streams.of(seed, paths), kind, n_steps, potential.dim, alpha)
    increments = np.broadcast_to(amplitude, n_steps)[:, None, None] * z
    return path(potential, x0, dt, increments[..., 0] if potential.dim == 1 else increments, scheme)


# -- first passage ----------------------------------------------------------------------------------------------------


def inverse_gaussian(normal: float, uniform: float, mean: float, shape: float) -> float:
    """Inverse Gaussian number by Michael, Schucany and Haas; an infinite mean gives the Levy law."""
    square = normal * normal
    if math.isinf(mean):
        return shape / square
    half = mean * square / (2.0 * shape)
    y = mean / (1.0 + half + math.sqrt(half * half + 2.0 * half))
    return y if uniform <= mean / (mean + y) else mean * mean / y


def first_passage(
    potential, x0, low, high, dt: float, limit: int, paths, seed, amplitude, rate=None, kind="normal", alpha=2.0,
    scheme="euler",
):  # fmt: skip
    """First passage of one-dimensional paths out of (low, high), one path after the other.

    ``rate`` is 1/(D dt) and switches the Brownian bridge on; without it a path leaves by ending a step, or its jump, on
    or beyond a boundary. The first word of a path decides when it leaves, the next three draw the moment inside the
    step, and its noise follows. Returns the rows (time, place, side), shape (n_paths, 3), and the status of each path.
    """
    rows, status = np.empty((len(paths), 3)), np.empty(len(paths), dtype=int)
    for row, number in enumerate(paths):
        streams = Streams.of(seed, [number])
        words = [streams.word() for _ in range(4)]
        level, uniform = float(unit_open(words[0])[0]), float(unit_open(words[3])[0])
        normal = float(normal_pair(words[1], words[2])[0][0])
        z = noise(streams, kind, limit, 1, alpha)[:, 0, 0]
        v, stay = float(np.broadcast_to(x0, len(paths))[row]), 1.0
        rows[row], status[row] = (limit * dt, math.nan, 0.0), CENSORED
        for step in range(limit):
            u = v + amplitude * z[step]
            if scheme == "euler":
                visited = [float(euler_step(potential, v, amplitude * z[step], dt))]
            elif low < u < high:
                visited = [u, float(flow(potential, u, dt))]
            else:
                visited = [u]  # a path that has left by its jump needs no flow
            w = visited[-1]
            product = min(min((v - low) * (y - low), (high - v) * (high - y)) for y in visited)
            touch = 1.0 if product <= 0.0 else math.exp(-rate * product) if rate is not None else 0.0
            stay *= 1.0 - touch
            if stay < level:
                upper = (high - v) * (high - w) < (v - low) * (w - low)
                edge = high if upper else low
                time, place = (step + 1) * dt, w
                if rate is not None:
                    before, after = abs(v - edge), abs(w - edge)
                    mean = before / after if after > 1e-12 * before else math.inf
                    y = inverse_gaussian(normal, uniform, mean, 0.5 * rate * before * before)
                    time, place = (step + y / (1.0 + y)) * dt, edge
                rows[row], status[row] = (time, place, 1.0 if upper else -1.0), EXITED
                break
            v = w
        else:
            rows[row, 1] = v
    return rows, status


# -- inertia ----------------------------------------------------------------------------------------------------------


def fold(x, low, high) -> tuple[np.ndarray, np.ndarray]:
    """Points folded into [low, high], one bounce after the other, and the sign that a momentum has then."""
    x, sign = np.array(x, dtype=float), np.ones(np.shape(x))
    while ((x < low) | (x > high)).any():
        sign = np.where((x < low) | (x > high), -sign, sign)
        x = np.where(x < low, 2.0 * low - x, x)
        x = np.where(x > high, 2.0 * high - x, x)
    return x, sign


def flight(x, p, t: float, box=None, boundary: str = ""):
    """Free flight over a time, with mirrors at the walls or on a ring; ``box`` is (low, high), numbers or vectors."""
    x = x + t * p
    if boundary == "reflecting":
        x, sign = fold(x, *box)
        return x, sign * p
    if boundary == "periodic":
        low, high = np.asarray(box[0]), np.asarray(box[1])
        return low + np.mod(x - low, high - low), p
    return x, p


def baoab_step(potential, x, p, increment, dt: float, friction: float, D: float, box=None, boundary: str = ""):
    """BAOAB with the increment of W over the step."""
    p = p - 0.5 * dt * potential.gradient(x)
    x, p = flight(x, p, 0.5 * dt, box, boundary)
    decay = math.exp(-friction * dt)
    p = decay * p + math.sqrt(D * (1.0 - decay**2) / dt) * increment
    x, p = flight(x, p, 0.5 * dt, box, boundary)
    return x, p - 0.5 * dt * potential.gradient(x)


def baoab_path(
    potential, x0, p0, dt: float, increments, friction: float, D, box=None, boundary: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Every position and momentum driven by given increments; ``D`` is a number or one per step."""
    x, p = (np.broadcast_to(np.asarray(v, dtype=float), increments.shape[1:]).copy() for v in (x0, p0))
    xs, ps = [x], [p]
    for increment, temperature in zip(increments, np.broadcast_to(D, len(increments))):
        x, p = baoab_step(potential, x, p, increment, dt, friction, temperature, box, boundary)
        xs.append(x)
        ps.append(p)
    return np.stack(xs), np.stack(ps)


# -- first passage through walls ---------------------------------------------------------------------------------------


def watched(start, advance, walls, dt: float, limit: int, level: float, normal: float, uniform: float, d: int):
    """First passage of one path through walls, as the row (time, place, wall), with wall -1 for none.

    ``advance(state, step)`` gives the next state, whose first d numbers are the place. A wall is (phi, onto, rate):
    ``phi(x)`` is positive where paths run, ``onto(x)`` moves a point near the wall onto it, and ``rate`` is 2/(s^2 dt), s^2
    the variance of phi per time, a number or a function of the place at the start of the step; None for a wall that is
    watched at the ends of steps only.
    """
    values = lambda state: [phi(state[:d]) for phi, _, _ in walls]
    v, stay = np.atleast_1d(np.asarray(start, dtype=float)), 1.0
    for step in range(limit):
        w = advance(v, step)
        before, after = values(v), values(w)
        rates = [rate(v[:d]) if callable(rate) else rate for _, _, rate in walls]
        for a, b, rate in zip(before, after, rates):
            stay *= 0.0 if b <= 0.0 else 1.0 if rate is None else 1.0 - math.exp(-rate * a * b)
        if stay < level:
            behind = [k for k, b in enumerate(after) if b <= 0.0]
            # behind walls: the first one on the straight line; else the likeliest one
            rank = [
                a / (a - b) if b <= 0.0 else math.inf if rate is None else rate * a * b
                for a, b, rate in zip(before, after, rates)
            ]
            k = min(behind or range(len(walls)), key=rank.__getitem__)
            time, place = (step + 1) * dt, w[:d]
            if rates[k] is not None:
                a, b = abs(before[k]), abs(after[k])
                mean = a / b if b > 1e-12 * a else math.inf
                y = inverse_gaussian(normal, uniform, mean, 0.5 * rates[k] * a * a)
                part = y / (1.0 + y)
                time, place = (step + part) * dt, walls[k][1](v[:d] + part * (w[:d] - v[:d]))
            return np.array([time, *place, k])
        v = w
    return np.array([limit * dt, *v[:d], -1])


def opening(seed, number: int) -> tuple[Streams, float, float, float]:
    """The stream of a path after its first four words, and what they give: when it leaves, and a normal and a uniform
    number for the moment inside the step."""
    streams = Streams.of(seed, [number])
    words = [streams.word() for _ in range(4)]
    normal = float(normal_pair(words[1], words[2])[0][0])
    return streams, float(unit_open(words[0])[0]), normal, float(unit_open(words[3])[0])


def first_passage_walls(
    potential, x0, walls, dt: float, limit: int, paths, seed, amplitude, kind="normal", alpha=2.0, scheme="euler"
):
    """First passage through walls in any dimension, one path after the other: the rows of `watched`."""
    d = potential.dim
    shaped = lambda x: x if d > 1 else x[0]

    def row(number):
        streams, *drawn = opening(seed, number)
        z = noise(streams, kind, limit, d, alpha)[:, 0]

        def advance(v, step):
            increment = amplitude * z[step]
            if scheme == "euler":
                return np.atleast_1d(euler_step(potential, shaped(v), shaped(increment), dt))
            w = v + increment  # a path that has left by its jump needs no flow
            left = min(phi(w) for phi, _, _ in walls) <= 0.0
            return w if left else np.atleast_1d(flow(potential, shaped(w), dt))

        return watched(x0, advance, walls, dt, limit, *drawn, d)

    return np.array([row(number) for number in paths])


def first_passage_inertial(potential, x0, walls, dt: float, limit: int, paths, seed, friction, D, p0=None):
    """The same with inertia, the state being the place and then the momentum; that is drawn where ``p0`` is None."""
    d = potential.dim
    shaped = lambda x: x if d > 1 else x[0]

    def row(number):
        streams, *drawn = opening(seed, number)
        p = np.sqrt(D) * normal_vector(streams, d)[0] if p0 is None else np.atleast_1d(p0)
        dW = math.sqrt(dt) * noise(streams, "normal", limit, d)[:, 0]

        def advance(v, step):
            parts = [shaped(v[:d]), shaped(v[d:]), shaped(dW[step])]
            return np.hstack(baoab_step(potential, *parts, dt, friction, D))

        return watched(np.hstack([np.atleast_1d(x0), p]), advance, walls, dt, limit, *drawn, d)

    return np.array([row(number) for number in paths])


def first_passage_diffusion(drift, matrix, x0, walls, dt: float, limit: int, paths, seed, scheme="euler"):
    """The same for dX = b dt + B dW; a wall's third entry is its normal, a function of the place, or None."""
    x0 = np.atleast_1d(np.asarray(x0, dtype=float))
    m = matrix(x0[None]).shape[2]

    def rated(normal):
        across = lambda x: ((normal(x) @ matrix(x[None])[0]) ** 2).sum()
        return None if normal is None else lambda x: 2.0 / (across(x) * dt)

    rated_walls = [(phi, onto, rated(normal)) for phi, onto, normal in walls]

    def row(number):
        streams, *drawn = opening(seed, number)
        dW = math.sqrt(dt) * noise(streams, "normal", limit, m)[:, 0]
        advance = lambda v, step: diffusion_path(drift, matrix, v[None], dt, dW[step][None, None], scheme)[-1, 0]
        return watched(x0, advance, rated_walls, dt, limit, *drawn, len(x0))

    return np.array([row(number) for number in paths])


# -- state-dependent noise --------------------------------------------------------------------------------------------


def diffusion_path(drift, matrix, x0, dt: float, increments, scheme: str = "euler", confine=None) -> np.ndarray:
    """Every state of dX = b dt + B dW: ``drift`` gives (n_paths, d), ``matrix`` (n_paths, d, m); all with these axes.

    ``confine`` is what walls do to the points after each step.
    """
    x = np.array(x0, dtype=float)
    states = [x]
    for dW in increments:
        step = drift(x) * dt + np.einsum("ndm,nm->nd", matrix(x), dW)
        if scheme == "heun":
            u = x + step
            step = 0.5 * (step + drift(u) * dt + np.einsum("ndm,nm->nd", matrix(u), dW))
        x = x + step if confine is None else confine(x + step)
        states.append(x)
    return np.stack(states)


def preconditioned_path(gradient, metric, divergence, D: float, x0, dt: float, increments) -> np.ndarray:
    """Every state of dX = (D div M - M grad V) dt + sqrt(2 D) L dW with the Cholesky factor L of M, (n_paths, d, d)."""
    drift = lambda x: D * divergence(x) - np.einsum("nij,nj->ni", metric(x), gradient(x))
    return diffusion_path(drift, lambda x: math.sqrt(2.0 * D) * np.linalg.cholesky(metric(x)), x0, dt, increments)


def label_noise_chain(residual, gradient, x0, h: float, errors) -> np.ndarray:
    """Every state of x' = x - h (f(x) + e) grad f(x) with the errors e of the labels, shape (n_steps, n_paths)."""
    states = [np.array(x0, dtype=float)]
    for e in errors:
        x = states[-1]
        states.append(x - h * (residual(x) + e)[:, None] * gradient(x))
    return np.stack(states)


def implicit_step(m, h, generators, stages, comparison):
    """One diagonally implicit Runge-Kutta step of dm/dt = L(t) m with the matrix of every stage; step and distance."""
    gains = []
    for row, L in zip(stages, generators):
        base = m + sum((a * k for a, k in zip(row, gains)), np.zeros_like(m))
        state = np.linalg.solve(np.eye(m.size) - row[len(gains)] * h * L, base)
        gains.append(h * L @ state)
    new = m + stages[-1] @ np.array(gains)
    return new, np.abs(new - m - comparison @ np.array(gains)).sum()


# -- chains on a grid -------------------------------------------------------------------------------------------------


def eliminated(rates, kill, g) -> np.ndarray:
    """T of (all rates out of i) T_i = g_i + sum_j rates[i, j] T_j, cell by cell and without a subtraction (GTH)."""
    q, k, g = np.array(rates, dtype=float), np.array(kill, dtype=float), np.array(g, dtype=float)
    n = len(k)
    for i in range(n - 1, -1, -1):
        s = q[i, :i].sum() + k[i]
        k[:i] += q[:i, i] * k[i] / s
        g[:i] += q[:i, i] * g[i] / s
        q[:i, :i] += np.outer(q[:i, i], q[i, :i]) / s
        k[i] = s
    T = np.zeros(n)
    for i in range(n):
        T[i] = (g[i] + q[i, :i] @ T[:i]) / k[i]
    return T


def poisson_sum(L, m, t: float) -> np.ndarray:
    """exp(L t) m = sum_k Poisson(k; a t) (1 + L/a)^k m with a the largest rate out of a cell."""
    a = -L.diagonal().min()
    weight, term, total, k = math.exp(-a * t), np.array(m, dtype=float), np.zeros(len(m)), 0
    while weight > 1e-30 or k < a * t:
        total = total + weight * term
        term = term + L @ term / a
        k += 1
        weight *= a * t / k
    return total


# -- stable noise on a grid -------------------------------------------------------------------------------------------


def zeta_below_one(s: float, terms: int = 60) -> float:
    """Riemann's zeta function for s < 1 by the alternating series, summed by Euler's transformation (Hasse 1930)."""
    total = sum(
        sum((-1) ** k * math.comb(n, k) * (k + 1.0) ** -s for k in range(n + 1)) / 2.0 ** (n + 1) for n in range(terms)
    )
    return total / (1.0 - 2.0 ** (1.0 - s))


def stable_jump(k: int, alpha: float) -> float:
    """Rate to jump by k cells of width 1 where |theta|^alpha is the symbol."""
    c = math.gamma(1.0 + alpha) * math.sin(math.pi * alpha / 2.0) / math.pi
    return c / k ** (1.0 + alpha) - (c * zeta_below_one(alpha - 1.0) if k == 1 else 0.0)


def stable_generator(potential, x, alpha: float, sigma: float, spared: int) -> np.ndarray:
    """Generator between reflecting ends, entry by entry: jumps, drift, and up to `spared` cells long jumps left out."""
    n, h = len(x), x[1] - x[0]
    scale = (sigma / h) ** alpha
    w = [0.0] + [scale * stable_jump(k, alpha) for k in range(1, 3 * n)]
    c = math.gamma(1.0 + alpha) * math.sin(math.pi * alpha / 2.0) / math.pi
    # what is not summed: Euler and Maclaurin
    m = 3.0 * n
    rest = scale * c * (m**-alpha / alpha + 0.5 * m ** (-1 - alpha) + (1 + alpha) / 12 * m ** (-2 - alpha))
    L = np.zeros((n, n))

    def move(source, target, rate):
        L[target, source] += rate
        L[source, source] -= rate

    for i in range(n):
        for j in range(n):
            if i != j:
                move(i, j, w[abs(i - j)])
        move(i, 0, sum(w[i + 1 :]) + rest)
        move(i, n - 1, sum(w[n - i :]) + rest)
    surplus = []
    for i in range(n - 1):
        u = (potential(x[i + 1]) - potential(x[i])) / (w[1] * h * h)
        with np.errstate(over="ignore"):
            forth, back = (1.0, 1.0) if u == 0.0 else (u / np.expm1(u), -u / np.expm1(-u))
        move(i, i + 1, w[1] * (forth - 1.0))
        move(i + 1, i, w[1] * (back - 1.0))
        surplus.append(w[1] * (0.5 * (forth + back) - 1.0))
    for i in range(n):
        for j in range(i + 2, min(n, i + spared + 1)):
            k = j - i
            left, right = (i + j - 1) // 2, (i + j) // 2  # edges about the middle
            owed = 0.5 * (surplus[left] + surplus[right]) if k % 2 == 0 else surplus[left]
            paid = sum(q * q * w[q] for q in range(2, k))
            gone = min(max(owed - paid, 0.0) / (k * k), w[k])
            move(i, j, -gone)
            move(j, i, -gone)
    return L


# -- networks ---------------------------------------------------------------------------------------------------------


def one_hot(symbol: int, n: int) -> np.ndarray:
    return (np.arange(n) == symbol).astype(float)


def quadratic_outputs(first, second, x) -> np.ndarray:
    """V (U^T e_a + W^T e_b)^2/N for one pair of symbols, with the one-hot vectors written out."""
    z = sum(table.T @ one_hot(symbol, len(table)) for table, symbol in zip(first, x))
    return second @ (z * z) / second.shape[1]


def perceptron_outputs(w, x) -> np.ndarray:
    """Embeddings one after the other, hidden layers of max(z, 0), linear outputs, for one example."""
    E = w["embedding"]
    h = np.concatenate([E.T @ one_hot(symbol, len(E)) for symbol in x])
    for name in [name for name in w if name.startswith("weight") and name != "weight_out"]:
        z = w[name] @ h + w[name.replace("weight", "bias")]
        h = np.array([value if value.real > 0 else 0.0 for value in z])
    return w["weight_out"] @ h + w["bias_out"]


def squared_loss(f, y, scale: float = 1.0):
    """Half the squared distance to values y, or to ``scale`` at the label y."""
    r = f - (y if np.ndim(y) else scale * one_hot(y, len(f)))
    return sum(0.5 * value * value for value in r)


def cross_entropy(f, label: int):
    return np.log(sum(np.exp(value - f[label]) for value in f))


def complex_step(loss, theta) -> np.ndarray:
    """Gradient of an analytic function, Im loss(theta + i e)/e along each coordinate: exact but for rounding."""
    columns = np.eye(len(theta))
    return np.array([np.imag(loss(theta + 1e-30j * column)) / 1e-30 for column in columns])


def adamw(theta, gradients, eta, decay, b1, b2, epsilon) -> np.ndarray:
    """Algorithm 2 of Loshchilov and Hutter, one number after the other."""
    theta = [float(value) for value in theta]
    m, s = [0.0] * len(theta), [0.0] * len(theta)
    for k, g in enumerate(gradients, start=1):
        for i, slope in enumerate(g):
            m[i] = b1 * m[i] + (1 - b1) * slope
            s[i] = b2 * s[i] + (1 - b2) * slope**2
            step = (m[i] / (1 - b1**k)) / (math.sqrt(s[i] / (1 - b2**k)) + epsilon)
            theta[i] = theta[i] - eta * (step + decay * theta[i])
    return np.array(theta)
