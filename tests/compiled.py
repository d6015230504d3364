"""Compiled loops around the small functions of the engine, so that tests can apply them to arrays."""

from __future__ import annotations

import functools

import numpy as np

from shld_sim._compile import specialised
from shld_sim.engine import elementary, streams, variates
from shld_sim.engine.ensemble import OPTIONS

B = variates.B


def _map_template(key):
    def run(x, out):
        key  # noqa: B018
        for i in range(x.size):
            out[i] = function(x[i])  # noqa: F821

    return run


@functools.cache
def mapped(function):
    """Return ``apply(x)``: the inlined ``function`` of one double on an array, under the flags of the kernels."""
    run = specialised(_map_template, OPTIONS, function=elementary.inline(function))

    def apply(x):
        x = np.ascontiguousarray(np.atleast_1d(x))
        out = np.empty(x.shape)
        run(x, out)
        return out

    return apply


def _word_template(key):
    def run(states, out):
        key  # noqa: B018
        for i in range(states.shape[0]):
            a, b, c, d = states[i, 0], states[i, 1], states[i, 2], states[i, 3]
            for j in range(out.shape[0]):
                out[j, i], a, b, c, d = next_word(a, b, c, d)  # noqa: F821
            states[i, 0], states[i, 1], states[i, 2], states[i, 3] = a, b, c, d

    return run


def words(states, n: int) -> np.ndarray:
    """Draw n words from every state, shape (n, n_paths); the states, shape (n_paths, 4), move on."""
    out = np.empty((n, len(states)), np.uint64)
    specialised_words()(states, out)
    return out


@functools.cache
def specialised_words():
    return specialised(_word_template, OPTIONS, next_word=streams.next_word)


def _fill_template(key):
    def run(states, out, alpha, source, step):
        key  # noqa: B018
        n, n_paths, d = out.shape
        z = np.empty((n * d + 1) * B)
        s = np.empty(4 * B, np.uint64)
        for low in range(0, n_paths, B):
            lanes = min(B, n_paths - low)
            for i in range(B):
                for w in range(4):
                    s[w * B + i] = states[low + i % lanes, w]
            fill(z, s, n, d, alpha, source, step)  # noqa: F821
            for i in range(lanes):
                for w in range(4):
                    states[low + i, w] = s[w * B + i]
                for j in range(n):
                    for c in range(d):
                        out[j, low + i, c] = z[(j * d + c) * B + i]

    return run


@functools.cache
def specialised_fill(fill):
    return specialised(_fill_template, OPTIONS, fill=fill, B=B)


def filled(fill, states, n: int, d: int, alpha: float = 2.0, source=None, step: int = 0) -> np.ndarray:
    """Return n steps of noise from a filler of `engine.variates`, shape (n, n_paths, d); the states move on."""
    out = np.empty((n, len(states), d))
    source = np.empty((1, 1, 1)) if source is None else source
    specialised_fill(fill)(states, out, alpha, source, step)
    return out


def start(seed, n_paths: int, first: int = 0) -> np.ndarray:
    """Return the first states of the paths first, first + 1, ..., shape (n_paths, 4)."""
    states = np.empty((n_paths, 4), np.uint64)
    streams.start_states(*streams.keys(seed), first, states)
    return states
