"""Elementary functions that LLVM can vectorise: exp, log, sin, cos as branch-free polynomials, inlined everywhere.

``math.exp`` and its kind compile to calls, and one call left in a loop keeps the whole loop scalar. The polynomials
below are interpolated at Chebyshev nodes of the reduced interval in 60-digit arithmetic by tests/make_coefficients.py.
Measured errors are below 3 units in the last place, below 4 for sines and cosines near their zeros beyond 10^5.

`vectorisable` gives a user's function these in place of the functions of ``math`` and ``numpy``.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types as nbtypes
from numba.extending import intrinsic, register_jitable

from shld_sim._compile import prepared

inline = register_jitable(forceinline=True)
U = np.uint64

ONE_BITS = 0x3FF0000000000000  # bits of 1.0
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD  # bits of sqrt(1/2)
MANTISSA = 0x000FFFFFFFFFFFFF
TWO_52_BITS = 0x4330000000000000  # bits of 2^52: or-ing an integer below 2^52 in makes the double 2^52 + integer
ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the nearest integer in the low bits
LN2 = 0.6931471805599453
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# pi/2 in three parts whose products with integers up to 2^20 are exact
HALF_PI_1, HALF_PI_2, HALF_PI_3 = 1.57079632673412561417e00, 6.07710050630396597660e-11, 2.02226624879595063154e-21


@intrinsic
def as_double(typing_context, bits):
    """Return the double with the given bits."""

    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return nbtypes.float64(nbtypes.uint64), codegen


@intrinsic
def as_bits(typing_context, value):
    """Return the bits of a double."""

    def codegen(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return nbtypes.uint64(nbtypes.float64), codegen


@intrinsic
def wide_vectors(typing_context):
    """Let the compiler use the widest vectors of the processor for the loops of the function that calls this.

    Loops are vectorised before functions are inlined, so that each function with loops must say so. On Intel's processors
    with AVX-512 LLVM uses half of their width unless told otherwise, as C compilers do without
    ``-mprefer-vector-width=512``. Nothing changes where vectors are narrower, nor does a bit of the results.
    """

    def codegen(context, builder, signature, arguments):
        attributes = builder.function.attributes
        if isinstance(attributes, set):  # llvmlite knows no attributes with values, but writes what is in the set
            set.add(attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return nbtypes.void(), codegen


@inline
def log_positive(x):
    """Return log(x) for normal positive x."""
    # x = 2^k m with m in [sqrt(1/2), sqrt(2)); log m = 2 artanh(s), s = (m - 1)/(m + 1)
    shifted = as_bits(x) + U(ONE_BITS - SQRT_HALF_BITS)
    k = as_double((shifted >> U(52)) | U(TWO_52_BITS)) - (4503599627370496.0 + 1023.0)
    f = as_double((shifted & U(MANTISSA)) + U(SQRT_HALF_BITS)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = 0.666666666666667 + w * (0.28571428625975487 + w * (0.18182889125261723 + w * 0.14616449685043406))
    odd = 0.39999999999899505 + w * (0.2222221113479508 + w * 0.15331721600556042)
    return k * LN2 + s * (2.0 + z * (even + z * odd))


@inline
def log(x):
    """Return log(x): -inf at 0, NaN below, inf at inf; subnormal numbers count as 0."""
    x = 1.0 * x
    value = log_positive(x)
    value = value if x < math.inf else x
    value = value if x >= 2.2250738585072014e-308 else -math.inf
    return value if x >= 0.0 else math.nan


@inline
def _exp_parts(x):
    """Return exp(r) and the bits of 1.5 2^52 + k, where exp(x) = 2^k exp(r), |r| <= ln(2)/2."""
    rounded = x * 1.4426950408889634 + ROUND
    k = rounded - ROUND
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    s = r * r
    t = s * s
    low = 0.5 + r * 0.1666666666666667 + s * (0.04166666666666667 + r * 0.008333333333326141)
    middle = (
        0.0013888888888883752 + r * 0.00019841269874800493 + s * (2.4801587325533363e-05 + r * 2.7557255425746435e-06)
    )
    high = 2.7557273661348637e-07 + r * 2.510520637395701e-08 + s * 2.0914679376583935e-09
    return 1.0 + (r + s * (low + t * (middle + t * high))), as_bits(rounded)


@inline
def exp_bounded(x):
    """Return exp(x) for -708 <= x <= 709; smaller x count as -708."""
    q, k = _exp_parts(x if x > -708.0 else -708.0)
    return q * as_double((k + U(1023)) << U(52))


@inline
def exp(x):
    """Return exp(x): inf above 709.78, 0 below -708, NaN for NaN."""
    x = 1.0 * x
    # comparisons that are false for NaN, so that it goes through
    bounded = -708.0 if x < -708.0 else x
    bounded = 709.79 if bounded > 709.79 else bounded
    q, k = _exp_parts(bounded)
    value = 2.0 * (q * as_double((k + U(1022)) << U(52)))  # 2^k in two factors: k may be 1024
    value = 0.0 if x < -708.0 else value
    return math.inf if x > 709.782712893384 else value


@inline
def _sin_quarter(y):
    """Return sin(y) for |y| <= pi/4."""
    z = y * y
    w = z * z
    even = -0.16666666666666666 + w * (-0.00019841269836758574 + w * -2.5051131845003624e-08)
    odd = 0.008333333333330948 + w * (2.755731610255244e-06 + w * 1.5918129294866608e-10)
    return y + y * z * (even + z * odd)


@inline
def _cos_quarter(y):
    """Return cos(y) for |y| <= pi/4."""
    z = y * y
    w = z * z
    even = 0.041666666666666664 + w * (2.480158729876569e-05 + w * 2.08761462684032e-09)
    odd = -0.0013888888888887398 + w * (-2.7557317271729793e-07 + w * -1.1382632425521717e-11)
    return 1.0 - z * (0.5 - z * (even + z * odd))


@inline
def sin_half(y):
    """Return sin(y) for |y| <= pi/2."""
    z = y * y
    q = 2.8104687777073216e-15 + z * -8.006069886350886e-18
    q = -7.647139121983424e-13 + z * q
    q = 1.605904347941901e-10 + z * q
    q = -2.5052108382391406e-08 + z * q
    q = 2.7557319223971264e-06 + z * q
    q = -0.00019841269841269806 + z * q
    q = 0.008333333333333333 + z * q
    q = -0.16666666666666666 + z * q
    return y + y * z * q


@inline
def sincos_turns(bits):
    """Return sin and cos of the angle whose fraction of a full turn is bits/2^64, to 54 bits."""
    quadrant = bits >> U(62)
    y = (as_double(((bits << U(2)) >> U(12)) | U(ONE_BITS)) - 1.5) * 1.5707963267948966
    return _rotated(_sin_quarter(y), _cos_quarter(y), quadrant)


@inline
def _rotated(s, c, quadrant):
    """Return (s, c) turned by ``quadrant`` right angles."""
    odd = (quadrant & U(1)) != U(0)
    sine = c if odd else s
    cosine = s if odd else c
    sine = as_double(as_bits(sine) ^ ((quadrant & U(2)) << U(62)))
    return sine, as_double(as_bits(cosine) ^ (((quadrant + U(1)) & U(2)) << U(62)))


@inline
def _sincos(x):
    """Return sin(x) and cos(x), full accuracy for |x| up to about 10^6."""
    rounded = x * 0.6366197723675814 + ROUND
    k = rounded - ROUND
    y = ((x - k * HALF_PI_1) - k * HALF_PI_2) - k * HALF_PI_3
    return _rotated(_sin_quarter(y), _cos_quarter(y), as_bits(rounded))


@inline
def sin(x):
    """Return sin(x), full accuracy for |x| up to about 10^6."""
    return _sincos(x)[0]


@inline
def cos(x):
    """Return cos(x), full accuracy for |x| up to about 10^6."""
    return _sincos(x)[1]


REPLACED: dict[Any, Callable[..., Any]] = {
    math.exp: exp,
    math.log: log,
    math.sin: sin,
    math.cos: cos,
    np.exp: exp,
    np.log: log,
    np.sin: sin,
    np.cos: cos,
}
_NAMES = {"exp": exp, "log": log, "sin": sin, "cos": cos}


def _module_with_replacements(module: types.ModuleType) -> types.ModuleType:
    """Return a namespace like ``module`` whose exp, log, sin and cos are the vectorisable ones."""
    twin = types.ModuleType(f"{__name__}.{module.__name__}")
    twin.__dict__.update({k: v for k, v in vars(module).items() if not k.startswith("__")})
    twin.__dict__.update(_NAMES)
    return twin


MATH, NUMPY = _module_with_replacements(math), _module_with_replacements(np)


@functools.lru_cache(maxsize=1024)
def vectorisable(function: Callable[..., Any], arrays: bool = False) -> Callable[..., Any]:
    """Return a copy of ``function``, ready to be inlined by a kernel, that calls the elementary functions above.

    Follows the plain Python functions that ``function`` calls. With ``arrays``, NumPy's own functions stay, because they
    may be applied to whole vectors.
    """

    def replace(value: Any) -> Any:
        if value is math:
            return MATH
        if isinstance(value, types.FunctionType) and value.__module__ == __name__:
            return value
        if value is np and not arrays:
            return NUMPY
        if isinstance(value, types.BuiltinFunctionType) or (isinstance(value, np.ufunc) and not arrays):
            return REPLACED.get(value)
        return None

    return prepared(function, inline, replace)  # type: ignore[no-any-return]
