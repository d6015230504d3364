"""The program that made the polynomial coefficients of shld_sim/engine/elementary.py; needs mpmath, run it by hand.

    python tests/make_coefficients.py

Each function is freed of its leading terms so that what remains is smooth and of order one, interpolated at the
Chebyshev nodes of its reduced interval in 60-digit arithmetic, and written in powers of the variable, lowest first. The
error printed is that of the rounded coefficients, relative to the interpolated remainder.
"""

from mpmath import atanh, cos, exp, log, lu_solve, matrix, mp, mpf, nstr, pi, sin, sqrt

mp.dps = 60


def interpolate(function, low, high, degree):
    """Return the coefficients, rounded to doubles, and their largest relative error on 501 points."""
    low, high = mpf(low), mpf(high)
    nodes = [
        (low + high) / 2 + (high - low) / 2 * cos(pi * (2 * k + 1) / (2 * (degree + 1))) for k in range(degree + 1)
    ]
    powers, values = matrix(degree + 1, degree + 1), matrix(degree + 1, 1)
    for i, x in enumerate(nodes):
        values[i] = function(x)
        for j in range(degree + 1):
            powers[i, j] = x**j
    exact = lu_solve(powers, values)
    coefficients = [float(exact[j]) for j in range(degree + 1)]
    points = [low + (high - low) * mpf(k) / 500 for k in range(501)]
    errors = [abs(sum(mpf(c) * x**j for j, c in enumerate(coefficients)) / function(x) - 1) for x in points]
    return coefficients, max(errors)


# Near 0 the closed forms divide 0 by 0: the first terms of their series serve there.


def sine_rest(z):
    """Return (sin y/y - 1)/z with z = y^2."""
    return (sin(sqrt(z)) / sqrt(z) - 1) / z if z > mpf("1e-12") else -mpf(1) / 6 + z / 120


def cosine_rest(z):
    """Return (cos y - 1 + z/2)/z^2 with z = y^2."""
    return (cos(sqrt(z)) - 1 + z / 2) / z**2 if z > mpf("1e-12") else mpf(1) / 24 - z / 720


def artanh_rest(z):
    """Return 2 (artanh(s)/s - 1)/z with z = s^2."""
    return 2 * (atanh(sqrt(z)) / sqrt(z) - 1) / z if z > mpf("1e-20") else mpf(2) / 3


def exponential_rest(r):
    """Return (exp(r) - 1 - r)/r^2."""
    return (exp(r) - 1 - r) / r**2 if abs(r) > mpf("1e-12") else mpf(1) / 2 + r / 6


LARGEST_S = (sqrt(2) - 1) / (sqrt(2) + 1)  # of s = (m - 1)/(m + 1) for m in [sqrt(1/2), sqrt(2)]
TABLES = {
    "log_positive": (artanh_rest, 0, LARGEST_S**2, 6),
    "_exp_parts": (exponential_rest, -log(2) / 2, log(2) / 2, 10),
    "_sin_quarter": (sine_rest, 0, (pi / 4) ** 2, 5),
    "_cos_quarter": (cosine_rest, 0, (pi / 4) ** 2, 5),
    "sin_half": (sine_rest, 0, (pi / 2) ** 2, 8),
}

if __name__ == "__main__":
    for name, table in TABLES.items():
        found, error = interpolate(*table)
        print(f"{name}: relative error {nstr(error, 3)}")
        for coefficient in found:
            print(f"    {coefficient!r}")
