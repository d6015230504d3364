/* The yardstick of the ensemble engine: its algorithm written by hand in C, for the compiler to vectorise.
 *
 * One xoshiro256++ stream per path, Box-Muller normals, Chambers-Mallows-Stuck stable numbers, polynomial log, sin, cos
 * and exp; lanes of B paths stay in the first-level cache. Prints nanoseconds per path-step and the mean of |x|.
 *
 *   cc -O3 -march=native -ffast-math yardstick.c -o yardstick -lm      (gcc: also -mprefer-vector-width=512)
 *   ./yardstick gauss|stable N_PATHS N_STEPS
 *
 * gauss:  double well x^4/4 - x^2/2, D = 0.1, dt = 1e-3, from -1.   stable: harmonic well, alpha = 1.5, sigma = 1. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { B = 256 };
#define TURN 6.283185307179586476925
#define PI 3.14159265358979323846

typedef union { double d; uint64_t u; } bits;
typedef struct { uint64_t a[B], b[B], c[B], d[B]; double x[B]; } lanes;

static inline double as_double(uint64_t u) { bits v; v.u = u; return v.d; }
static inline uint64_t as_bits(double d) { bits v; v.d = d; return v.u; }
static inline uint64_t turn(uint64_t v, int n) { return v << n | v >> (64 - n); }

static inline uint64_t draw(lanes *s, int i) {
    uint64_t out = turn(s->a[i] + s->d[i], 23) + s->a[i], t = s->b[i] << 17;
    s->c[i] ^= s->a[i];
    s->d[i] ^= s->b[i];
    s->b[i] ^= s->c[i];
    s->a[i] ^= s->d[i];
    s->c[i] ^= t;
    s->d[i] = turn(s->d[i], 45);
    return out;
}

/* numbers in (0, 1] */
static inline double unit(uint64_t w) { return 2.0 - as_double(w >> 12 | 0x3ff0000000000000u); }

/* log x = k log 2 + 2 artanh((m - 1)/(m + 1)), x = 2^k m, 1/sqrt 2 <= m < sqrt 2 */
static inline double log_of(double x) {
    uint64_t w = as_bits(x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    double k = (double)((int64_t)(w >> 52) - 1023);
    double f = as_double((w & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
    double s = f / (2.0 + f), z = s * s;
    double q = 0.666666666666667 + z * (0.39999999999899505 + z * (0.28571428625975487 + z * (0.2222221113479508
             + z * (0.18182889125261723 + z * (0.15331721600556042 + z * 0.14616449685043406)))));
    return k * 0.69314718055994530942 + s * (2.0 + z * q);
}

static inline double exp_of(double x) {
    double k = floor(x * 1.4426950408889634 + 0.5), r = x - k * 0.69314718055994530942;
    double q = 0.5 + r * (0.1666666666666667 + r * (0.04166666666666667 + r * (0.008333333333326141
             + r * (0.0013888888888883752 + r * (0.00019841269874800493 + r * (2.4801587325533363e-05
             + r * (2.7557255425746e-06 + r * (2.7557273661349e-07 + r * 2.5105206373957e-08))))))));
    return (1.0 + r + r * r * q) * as_double((uint64_t)((int64_t)k + 1023) << 52);
}

/* sin y for |y| <= pi/2 */
static inline double sin_of(double y) {
    double z = y * y;
    double q = -0.16666666666666666 + z * (0.008333333333333333 + z * (-0.00019841269841269806
             + z * (2.7557319223971264e-06 + z * (-2.5052108382391406e-08 + z * (1.605904347941901e-10
             + z * (-7.647139121983424e-13 + z * 2.8104687777073216e-15))))));
    return y + y * z * q;
}

/* sin and cos of the turn w/2^64: a quarter turn by polynomials, then a rotation */
static inline void sincos_of(uint64_t w, double *sine, double *cosine) {
    uint64_t quarter = w >> 62;
    double y = (as_double(w << 2 >> 12 | 0x3ff0000000000000u) - 1.5) * (TURN / 4), z = y * y;
    double s = y + y * z * (-0.16666666666666666 + z * (0.008333333333330948 + z * (-0.00019841269836758574
             + z * (2.755731610255244e-06 + z * (-2.5051131845003624e-08 + z * 1.5918129294866608e-10)))));
    double c = 1.0 - z * (0.5 - z * (0.041666666666666664 + z * (-0.0013888888888887398 + z * (2.480158729876569e-05
             + z * (-2.7557317271729793e-07 + z * (2.08761462684032e-09 + z * -1.1382632425521717e-11))))));
    double p = quarter & 1 ? c : s, q = quarter & 1 ? s : c;
    *sine = as_double(as_bits(p) ^ (quarter & 2) << 62);
    *cosine = as_double(as_bits(q) ^ ((quarter + 1) & 2) << 62);
}

static __attribute__((noinline)) void gauss(lanes *restrict s, long n, double dt, double amplitude) {
    for (long j = 0; j < n; j += 2)
        for (int i = 0; i < B; i++) {
            uint64_t v = draw(s, i), w = draw(s, i);
            double radius = amplitude * sqrt(-2.0 * log_of(unit(v))), sine, cosine, x = s->x[i];
            sincos_of(w, &sine, &cosine);
            x += (x - x * x * x) * dt + radius * cosine;
            x += (x - x * x * x) * dt + radius * sine;
            s->x[i] = x;
        }
}

static __attribute__((noinline)) void stable(lanes *restrict s, long n, double dt, double amplitude, double alpha) {
    double inverse = 1.0 / alpha, power = (1.0 - alpha) / alpha;
    for (long j = 0; j < n; j++)
        for (int i = 0; i < B; i++) {
            double w = -log_of(unit(draw(s, i))) + 1e-300;
            double v = PI * (unit(draw(s, i)) - 0.5 - 1.1e-16), a = fabs(alpha * v);
            double top = copysign(sin_of(a < PI / 2 ? a : PI - a), v);
            double size = power * log_of(sin_of(PI / 2 - fabs((1.0 - alpha) * v)) / w)
                        - inverse * log_of(sin_of(PI / 2 - fabs(v)));
            s->x[i] += amplitude * top * exp_of(size) - s->x[i] * dt;
        }
}

static uint64_t mix(uint64_t z) {
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

int main(int count, char **word) {
    int heavy = count > 1 && !strcmp(word[1], "stable");
    long n_paths = count > 2 ? atol(word[2]) : 10240, n_steps = count > 3 ? atol(word[3]) : 2000;
    long blocks = (n_paths + B - 1) / B;
    double dt = 1e-3, alpha = 1.5, total = 0.0;
    lanes *s = malloc(sizeof *s);
    struct timespec t0, t1;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
    for (long k = 0; k < blocks; k++) {
        for (int i = 0; i < B; i++) {
            uint64_t z = mix((uint64_t)(k * B + i) * 0x9E3779B97F4A7C15u + 1);
            s->a[i] = mix(z), s->b[i] = mix(z + 1), s->c[i] = mix(z + 2), s->d[i] = mix(z + 3);
            s->x[i] = heavy ? 0.0 : -1.0;
        }
        if (heavy)
            stable(s, n_steps, dt, pow(dt, 1.0 / alpha), alpha);
        else
            gauss(s, n_steps, dt, sqrt(2.0 * 0.1 * dt));
        for (int i = 0; i < B; i++)
            total += fabs(s->x[i]);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
    double seconds = (double)(t1.tv_sec - t0.tv_sec) + 1e-9 * (double)(t1.tv_nsec - t0.tv_nsec);
    printf("%.4f %.6f\n", seconds / (double)(blocks * B) / (double)n_steps * 1e9, total / (double)(blocks * B));
    free(s);
    return 0;
}
