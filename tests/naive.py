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


def baoab_step(potential, x, p, increment, dt: float, friction: float, D: float):
    """BAOAB with the increment of W over the step."""
    p = p - 0.5 * dt * potential.gradient(x)
    x = x + 0.5 * dt * p
    decay = math.exp(-friction * dt)
    p = decay * p + math.sqrt(D * (1.0 - decay**2) / dt) * increment
    x = x + 0.5 * dt * p
    return x, p - 0.5 * dt * potential.gradient(x)


def baoab_path(potential, x0, p0, dt: float, increments, friction: float, D) -> tuple[np.ndarray, np.ndarray]:
    """Every position and momentum driven by given increments; ``D`` is a number or one per step."""
    x, p = (np.broadcast_to(np.asarray(v, dtype=float), increments.shape[1:]).copy() for v in (x0, p0))
    xs, ps = [x], [p]
    for increment, temperature in zip(increments, np.broadcast_to(D, len(increments))):
        x, p = baoab_step(potential, x, p, increment, dt, friction, temperature)
        xs.append(x)
        ps.append(p)
    return np.stack(xs), np.stack(ps)


# -- first passage through walls ---------------------------------------------------------------------------------------


def first_passage_walls(
    potential, x0, walls, dt: float, limit: int, paths, seed, amplitude, kind="normal", alpha=2.0, scheme="euler"
):
    """First passage through walls in any dimension, one path after the other.

    A wall is (phi, onto, rate): ``phi(x)`` is positive where paths run, ``onto(x)`` moves a point near the wall onto it,
    and ``rate`` is 1/(D dt), or None for a wall that is watched at the ends of steps only. Words are used as in
    `first_passage`. Returns the rows (time, place, wall), shape (n_paths, d + 2), with wall -1 for none.
    """
    d = potential.dim
    rows = np.empty((len(paths), d + 2))
    values = lambda x: [phi(x) for phi, _, _ in walls]
    shaped = lambda x: x if d > 1 else x[0]
    for row, number in enumerate(paths):
        streams = Streams.of(seed, [number])
        words = [streams.word() for _ in range(4)]
        level, uniform = float(unit_open(words[0])[0]), float(unit_open(words[3])[0])
        normal = float(normal_pair(words[1], words[2])[0][0])
        z = noise(streams, kind, limit, d, alpha)[:, 0]
        v, stay = np.atleast_1d(np.asarray(x0, dtype=float)), 1.0
        for step in range(limit):
            increment = amplitude * z[step]
            if scheme == "euler":
                w = np.atleast_1d(euler_step(potential, shaped(v), shaped(increment), dt))
            else:
                w = v + increment  # a path that has left by its jump needs no flow
                if min(values(w)) > 0.0:
                    w = np.atleast_1d(flow(potential, shaped(w), dt))
            before, after = values(v), values(w)
            for a, b, (_, _, rate) in zip(before, after, walls):
                stay *= 0.0 if b <= 0.0 else 1.0 if rate is None else 1.0 - math.exp(-rate * a * b)
            if stay < level:
                behind = [k for k, b in enumerate(after) if b <= 0.0]
                # behind walls: the first one on the straight line; else the nearest one
                rank = [a / (a - b) if b <= 0.0 else a * b for a, b in zip(before, after)]
                k = min(behind or range(len(walls)), key=rank.__getitem__)
                time, place = (step + 1) * dt, w
                if walls[k][2] is not None:
                    a, b = abs(before[k]), abs(after[k])
                    mean = a / b if b > 1e-12 * a else math.inf
                    y = inverse_gaussian(normal, uniform, mean, 0.5 * walls[k][2] * a * a)
                    part = y / (1.0 + y)
                    time, place = (step + part) * dt, walls[k][1](v + part * (w - v))
                rows[row] = time, *place, k
                break
            v = w
        else:
            rows[row] = limit * dt, *v, -1
    return rows


# -- state-dependent noise --------------------------------------------------------------------------------------------


def diffusion_path(drift, matrix, x0, dt: float, increments, scheme: str = "euler") -> np.ndarray:
    """Every state of dX = b dt + B dW: ``drift`` gives (n_paths, d), ``matrix`` (n_paths, d, m); all with these axes."""
    x = np.array(x0, dtype=float)
    states = [x]
    for dW in increments:
        step = drift(x) * dt + np.einsum("ndm,nm->nd", matrix(x), dW)
        if scheme == "heun":
            u = x + step
            step = 0.5 * (step + drift(u) * dt + np.einsum("ndm,nm->nd", matrix(u), dW))
        x = x + step
        states.append(x)
    return np.stack(states)


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
