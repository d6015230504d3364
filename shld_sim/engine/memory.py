"""Buffers that begin on a cache line, so that a vector of 64 bytes never lies across two lines, and views of them."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

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


@intrinsic
def window(typing_context, array, begin, length):
    """Return ``array[begin : begin + length]`` of contiguous doubles; no bounds are checked."""

    def codegen(context, builder, signature, arguments):
        source = context.make_array(signature.args[0])(context, builder, arguments[0])
        view = context.make_array(signature.return_type)(context, builder)
        size = context.get_constant(types.intp, 8)
        data = builder.gep(source.data, [arguments[1]])
        populate_array(view, data=data, shape=[arguments[2]], strides=[size], itemsize=size, meminfo=None)
        return view._getvalue()

    return types.Array(types.float64, 1, "C")(array, types.int64, types.int64), codegen
