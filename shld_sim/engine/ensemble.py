"""The ensemble kernel: blocks of lanes through a chunk of steps, put together from a noise, a step and a potential."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from numba.extending import register_jitable

from shld_sim._compile import OPTIONS, rebound, specialised
from shld_sim.engine import flows, steps, variates
from shld_sim.engine.elementary import inline, vectorisable, wide_vectors
from shld_sim.engine.memory import doubles, zeros
from shld_sim.engine.memory import words as memory_words
from shld_sim.engine.transpose import TILE, padded

B = variates.B
LONG_B = 32  # lanes of a block of long vectors: a block of noise in 100 dimensions is 25 kB
SPARE = TILE - 1  # rows behind a block of noise, which the last tile of a path may reach into
UNROLLED = 16  # dimensions up to here have kernels of their own; beyond, one serves all and loses little
BUFFER = 8 * B  # steps times coordinates times lanes of noise made at a time: it stays in the first-level cache


@inline
def lane_order(i, c, d):
    """Return the place of coordinate c of lane i where lanes lie side by side."""
    return c * B + i


@inline
def path_order(i, c, d):
    """Return the place of coordinate c of lane i where the coordinates of a path lie side by side."""
    return i * padded(d) + c


@inline
def nothing(y, v, d, params):
    pass


# Unless the kernel's maker says otherwise:
place = lane_order
prepare = nothing  # computes what the first step of a block needs in the rows behind its state
BEHIND = 0  # their number
ROWS = 0  # of d B numbers each that a step needs behind the other helpers


def _template(key):
    def run(x, words, begin_path, end_path, amplitudes, dt, alpha, params, source, first, saved, save_every):
        """Move the paths begin_path <= i < end_path of ``x``, shape (n, d), by len(amplitudes) steps.

        ``words``, shape (n, 4), holds their generators.

        ``first`` is the number of steps already made. After steps whose number is a multiple of ``save_every`` the
        paths are written to ``saved``, shape (m, n, d). ``source`` holds given increments, shape (len, n, d).
        """
        key
        wide_vectors()
        d = x.shape[1]
        n_steps = amplitudes.size
        room = max(1, BUFFER // (d * B))
        room += room % DRAWN
        z = doubles((room * d + SPARE) * B)
        s = memory_words(4 * B)
        y = zeros((padded(d) + BEHIND) * B)
        v = zeros((TILE + 2) * padded(d) + ROWS * d * B)
        # What lies beyond the last coordinate is moved along: zeros, as chance bits may be slow subnormal numbers.
        z[room * d * B :] = 0.0
        skip = first % DRAWN
        for low in range(begin_path, end_path, B):
            high = min(low + B, end_path)
            # Lanes beyond the last path run along with the words of the first: a fixed trip count keeps the bits of a
            # path the same wherever it sits.
            for i in range(B):
                path = low + i if low + i < high else low
                for w in range(4):
                    s[w * B + i] = words[path, w]
                for c in range(d):
                    y[place(i, c, d)] = x[path, c]
            prepare(y, v, d, params)
            row = 0
            # A draw serves DRAWN steps; a chunk that begins or ends inside one repeats it from its first step.
            begin = -skip
            while begin < n_steps:
                count = min(room, n_steps - begin)
                whole = count - count % DRAWN
                fill(z, s, whole, d, alpha, source[:, low:high], begin)
                if whole < count or begin + count == n_steps:
                    for i in range(high - low):
                        for w in range(4):
                            words[low + i, w] = s[w * B + i]
                if whole < count:
                    fill(z[whole * d * B :], s, DRAWN, d, alpha, source[:, low:high], begin + whole)
                for j in range(max(0, -begin), count):
                    advance(y, v, z, j, dt, amplitudes[begin + j], d, params)
                    if save_every > 0 and (first + begin + j + 1) % save_every == 0:
                        for i in range(high - low):
                            for c in range(d):
                                saved[row, low + i, c] = y[place(i, c, d)]
                        row += 1
                begin += count
            for i in range(high - low):
                for c in range(d):
                    x[low + i, c] = y[place(i, c, d)]

    return run


def noise_fill(noise: str, dim: int) -> Callable[..., None]:
    """Return the filler of a kind of noise: "normal", "stable", "isotropic" or "given"."""
    if noise == "normal":
        return variates.fill_normal_1d if dim == 1 else variates.fill_normal
    if noise == "isotropic":
        return variates.fill_stable if dim == 1 else variates.fill_isotropic
    return {"stable": variates.fill_stable, "given": variates.fill_given}[noise]


@functools.lru_cache(maxsize=256)
def ensemble_kernel(
    gradient: Callable[..., Any],
    flow: Callable[..., Any] | None,
    vector: bool,
    dim: int,
    noise: str,
    scheme: str,
    boundary: str = "",
) -> Callable[..., None]:
    """Return the compiled ``run`` for a potential's functions, a kind of noise and a scheme ("euler" or "split").

    With a ``boundary`` ("reflecting", "periodic" or "absorbing") the kernel takes (params, walls) in place of params.
    """
    fill = noise_fill(noise, dim)
    names: dict[str, Any] = {"DRAWN": variates.drawn_steps(fill, dim)}
    if vector:
        names |= {"B": LONG_B, "place": path_order if scheme == "euler" else inlined(lane_order, B=LONG_B)}
        fill = inlined(fill, B=LONG_B, fill_normal=inlined(variates.fill_normal, B=LONG_B))
    if scheme == "euler":
        advance = euler_step(gradient, vector, dim)
    else:
        known = lanes_flow(gradient, flow, vector, dim, LONG_B if vector else B)
        names["ROWS"], advance = known["ROWS"], inlined(steps.split, **known)
    if boundary:
        advance = walled(advance, boundary, **{name: names[name] for name in ("B", "place") if name in names})
    return specialised(_template, OPTIONS, fill=fill, advance=advance, **names)  # type: ignore[no-any-return]


def walled(advance: Callable[..., None], boundary: str, **names: Any) -> Callable[..., None]:
    """Return the step ``advance`` followed by what happens at the walls of a ``boundary``."""
    inner = {"advance": advance, "place": lane_order, **names}
    if boundary == "absorbing":
        return inlined(steps.absorbed, **inner)
    confined = {"reflecting": steps.reflected, "periodic": steps.wrapped}[boundary]
    return inlined(steps.bounded, **inner, confined=inlined(confined))


def euler_step(gradient: Callable[..., Any], vector: bool, dim: int) -> Callable[..., None]:
    """Return Euler's step of a block of lanes with the potential's gradient built in."""
    if vector:
        known = dim if dim <= UNROLLED else 0
        return inlined(steps.euler_vector, gradient=vectorisable(gradient, True), B=LONG_B, DIM=known)
    return inlined(getattr(steps, f"euler_{dim}"), gradient=vectorisable(gradient))


def descent(gradient: Callable[..., Any], vector: bool, dim: int) -> Callable[..., None]:
    """Return `flows.descend_alone` with the potential's gradient built in."""
    slope = point_slope(gradient, vector, dim)
    trial = inlined(flows.dormand_prince, slopes=called(flows.slopes_alone, slope=slope))
    return called(flows.descend_alone, slope=slope, trial=trial)


def point_slope(gradient: Callable[..., Any], vector: bool, dim: int) -> Callable[..., None]:
    """Return the gradient at one point, ``slope(x, out, params)``, of any style of potential."""
    style = "vector" if vector else str(dim)
    return inlined(getattr(flows, f"slope_{style}"), gradient=vectorisable(gradient, vector))


def lanes_flow(
    gradient: Callable[..., Any], flow: Callable[..., Any] | None, vector: bool, dim: int, lanes: int
) -> dict[str, Any]:
    """Return the ``flow_lanes`` of a potential, one of `flows`, its ``B`` and ``DIM`` (0: any), and the ``ROWS`` it needs."""
    size = {"B": lanes, "DIM": dim if dim <= UNROLLED else 0}
    if flow is not None:
        return {"flow_lanes": inlined(flows.exact_lanes, flow=vectorisable(flow), **size), "ROWS": 2, **size}
    move_lane = inlined(flows.move_lane, descend=descent(gradient, vector, dim), **size)
    if dim > UNROLLED:
        return {"flow_lanes": inlined(flows.single_lanes, move_lane=move_lane, **size), "ROWS": 2, **size}
    # called, not inlined, for the compiler's sake: seven slopes make a step
    of_lanes = getattr(flows, "slopes_vector" if vector else f"slopes_{dim}")
    slopes = called(of_lanes, gradient=vectorisable(gradient, vector), **size)
    known = {"slopes": slopes, "trial": inlined(flows.dormand_prince, slopes=slopes), "move_lane": move_lane, **size}
    return {"flow_lanes": inlined(flows.computed_lanes, **known), "ROWS": flows.ROWS, **size}


def called(function: Callable[..., Any], **names: Any) -> Callable[..., Any]:
    """Return a copy of ``function`` with the global ``names`` filled in, to be called: one piece of code for all its uses."""
    return register_jitable(rebound(function, {**function.__globals__, **names}))  # type: ignore[no-any-return]


def inlined(function: Callable[..., Any], **names: Any) -> Callable[..., Any]:
    """Return a copy of ``function`` with the global ``names`` filled in, to be inlined by a kernel."""
    return inline(rebound(function, {**function.__globals__, **names}))  # type: ignore[no-any-return]
