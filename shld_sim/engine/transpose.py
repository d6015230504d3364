"""Turn blocks of noise from lane order to path order, eight by eight numbers at a time in registers."""

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


@intrinsic
def transpose_tile(typing_context, source, first, pitch, target, begin, step):
    """Set ``target[begin + k step + i] = source[first + i pitch + k]`` for i and k below 8; no bounds are checked."""

    def codegen(context, builder, signature, arguments):
        row = ir.VectorType(ir.DoubleType(), TILE)

        def pointer(array, kind, offset):
            data = context.make_array(kind)(context, builder, array).data
            return builder.bitcast(builder.gep(data, [offset]), row.as_pointer())

        def chosen(a, b, numbers):
            return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), TILE), list(numbers)))

        source, first, pitch, target, begin, step = arguments
        rows = []
        for i in range(TILE):
            offset = builder.add(first, builder.mul(pitch, pitch.type(i)))
            rows.append(builder.load(pointer(source, signature.args[0], offset), align=8))
        for distance, upper, lower in STAGES:
            for i in range(TILE):
                if not i & distance:
                    a, b = rows[i], rows[i + distance]
                    rows[i], rows[i + distance] = chosen(a, b, upper), chosen(a, b, lower)
        for k in range(TILE):
            offset = builder.add(begin, builder.mul(step, step.type(k)))
            builder.store(rows[k], pointer(target, signature.args[3], offset), align=8)
        return context.get_dummy_value()

    signature = types.void(source, types.int64, types.int64, target, types.int64, types.int64)
    return signature, codegen


@inline
def to_path_order(z, first, pitch, d, out):
    """Set ``out[i d + c] = z[first + c pitch + i]`` for eight lanes i and the coordinates c < d."""
    if d < TILE:
        for c in range(d):
            for i in range(TILE):
                out[i * d + c] = z[first + c * pitch + i]
        return
    for c in range(0, d - d % TILE, TILE):
        transpose_tile(z, first + c * pitch, pitch, out, c, d)
    if d % TILE:  # the last tile overlaps the one before
        transpose_tile(z, first + (d - TILE) * pitch, pitch, out, d - TILE, d)
