"""Euler's step of paths whose coordinates lie side by side, with noise whose lanes do: eight by eight in registers."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from shld_sim.engine.elementary import inline

TILE = 8
# Exchange blocks of 4, then of 2, then of 1: which numbers of two rows make the new first and the new second row.
STAGES = (
    (4, (0, 1, 2, 3, 8, 9, 10, 11), (4, 5, 6, 7, 12, 13, 14, 15)),
    (2, (0, 1, 8, 9, 4, 5, 12, 13), (2, 3, 10, 11, 6, 7, 14, 15)),
    (1, (0, 8, 2, 10, 4, 12, 6, 14), (1, 9, 3, 11, 5, 13, 7, 15)),
)
FLAGS = ("nsz", "arcp", "contract", "afn")  # of the kernels


@inline
def padded(d):
    """Return the room of a path of d coordinates: a whole number of tiles."""
    return (d + (TILE - 1)) // TILE * TILE


@intrinsic
def euler_tile(typing_context, y, slope, z, begin, low, width, first, pitch, dt, amplitude):
    """Move the coordinates k < 8 of the lanes i < 8: ``y[begin + i width + k]`` by Euler's step with the gradient
    ``slope[low + i width + k]`` and the noise ``z[first + k pitch + i]``. No bounds are checked.
    """

    def codegen(context, builder, signature, arguments):
        row = ir.VectorType(ir.DoubleType(), TILE)
        y, slope, z, begin, low, width, first, pitch, dt, amplitude = arguments

        def pointer(array, number, start, step, i):
            data = context.make_array(signature.args[number])(context, builder, array).data
            place = builder.add(start, builder.mul(step, step.type(i)))
            return builder.bitcast(builder.gep(data, [place]), row.as_pointer())

        def repeated(value):
            one = builder.insert_element(ir.Constant(row, ir.Undefined), value, ir.IntType(32)(0))
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), TILE), [0] * TILE))

        def chosen(a, b, numbers):
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), TILE), list(numbers)))

        rows = [builder.load(pointer(z, 2, first, pitch, k), align=8) for k in range(TILE)]
        for distance, upper, lower in STAGES:
            for i in range(TILE):
                if not i & distance:
                    a, b = rows[i], rows[i + distance]
                    rows[i], rows[i + distance] = chosen(a, b, upper), chosen(a, b, lower)
        dt, amplitude = repeated(dt), repeated(amplitude)
        # x - dV/dx dt + amplitude z
        for i in range(TILE):
            point = pointer(y, 0, begin, width, i)
            drift = builder.fmul(builder.load(pointer(slope, 1, low, width, i), align=8), dt, flags=FLAGS)
            moved = builder.fsub(builder.load(point, align=8), drift, flags=FLAGS)
            kick = builder.fmul(rows[i], amplitude, flags=FLAGS)
            builder.store(builder.fadd(moved, kick, flags=FLAGS), point, align=8)
        return context.get_dummy_value()

    integers, reals = [types.int64] * 5, [types.float64] * 2
    return types.void(y, slope, z, *integers, *reals), codegen
