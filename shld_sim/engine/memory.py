"""Buffers that begin on a cache line, so that a vector of 64 bytes never lies across two lines."""

from __future__ import annotations

import numpy as np

from shld_sim.engine.elementary import inline

LINE = 64  # bytes


@inline
def doubles(n):
    """Return room for n doubles."""
    room = np.empty(n + LINE // 8)
    first = (-room.ctypes.data % LINE) // 8
    return room[first : first + n]


@inline
def zeros(n):
    """Return room for n doubles, all zero."""
    room = np.zeros(n + LINE // 8)
    first = (-room.ctypes.data % LINE) // 8
    return room[first : first + n]


@inline
def words(n):
    """Return room for n 64-bit words."""
    room = np.empty(n + LINE // 8, np.uint64)
    first = (-room.ctypes.data % LINE) // 8
    return room[first : first + n]
