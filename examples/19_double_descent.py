"""Where does the test error peak when models grow -- and do C and p of the gradients show it?

Equations: least squares of least norm on n examples with N features, y = beta.x + 0.5 xi, |beta| = 1; features max(a.x, 0) of
20-dimensional x ("random"), or independent normal ones, for which the mean error is exactly 0.25 N/(n - N - 1) for n > N + 1 and
1 - n/N + 0.25 n/(N - n - 1) for N > n + 1. Training is descent from zero with the step 1/lmax. For the gradient g of an
example, C = |mu|^2/tr S and p = C/(1 + C). One states that C collapses at n ~ N and then recovers, that p ~ 1/2 at the peak, and
reports a peak of the error at n = 1247, a valley at 1580 and a second descent at 2100 (N is not given).

Expected:
1. With growing N the error falls, peaks at N = n, where it could be anything, and falls again; the training error ends at 0.
2. With growing n it peaks at n = N and falls from there on: behind the peak there is no valley.
3. C of the examples learned from falls towards n = N and goes on falling. With n < N it ends at a constant set by the
   smallest eigenvalue of the kernel, with n > N the mean gradient dies while single ones remain.
4. p cannot exceed lmax(K)/n, K the products of the unit vectors along the examples: 0.3 for random features, about
   (1/sqrt n + 1/sqrt N)^2 for independent ones. It is far below 1/2 at the peak, as everywhere. Of fresh examples with
   independent features p = R/((N + 2) R + N/4), R the error: it follows the error, and is at most 1/(N + 2).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shld_sim import plotting, theory
from shld_sim.learning import experiments, random_features

FIGURES = Path(__file__).resolve().parents[1] / "figures"
N, NOISE = 100, 0.5
STAGES = (1, 10, 100, 1000, 10_000)
COLORS = ("blue", "sky", "green", "orange", "vermilion")


def data_sets(count: int, n, features, kind: str, seed: int) -> list:
    """Return the experiment on so many data sets."""
    seeds = np.random.SeedSequence(seed).spawn(count)
    return [experiments.double_descent(n, features, seed=s, noise=NOISE, kind=kind, steps=STAGES) for s in seeds]


def compared(values: np.ndarray, exact: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of values, the standard error of their difference from theory, and the mean of theory."""
    spread = (values - exact).std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(spread), float(np.mean(exact))


def by_features(axes, numbers: dict, quick: bool) -> None:
    """Draw errors and p against the number of features."""
    left, right = axes
    n = 100
    sizes = np.array(
        [10, 20, 40, 60, 80, 90, 100, 111, 125, 167, 250, 400]
        if quick
        else [
            10,
            14,
            20,
            28,
            40,
            50,
            60,
            70,
            80,
            86,
            90,
            94,
            97,
            100,
            103,
            106,
            111,
            117,
            125,
            140,
            167,
            200,
            250,
            320,
            400,
        ]
    )
    found = data_sets(20 if quick else 60, n, sizes, "relu", 1)
    test, train = (np.array([getattr(d, name) for d in found]) for name in ("test_error", "train_error"))
    low, middle, high = np.quantile(test, (0.1, 0.5, 0.9), axis=0)
    left.fill_between(sizes, low, high, color=plotting.PALETTE["blue"], alpha=0.2, lw=0)
    left.plot(sizes, middle, lw=2, color=plotting.PALETTE["blue"], label="test (shaded: 80 % of data sets)")
    fits = sizes < n
    left.plot(
        sizes[fits],
        np.median(train, axis=0)[fits],
        "--",
        lw=2,
        color=plotting.PALETTE["green"],
        label="training: 0 from N = n on",
    )
    left.axvline(n, ls=":", lw=1, color=plotting.PALETTE["black"])
    left.set(xscale="log", yscale="log", ylim=(3e-3, 3e3))
    plotting.finish(left, "features N", "squared error", "1. Random features, n = 100 examples")
    numbers["N of the largest error"] = int(sizes[np.argmax(middle)])
    for k, color in zip(STAGES, COLORS, strict=True):
        p = np.array([d.p_during[d.steps == k][0] for d in found])
        line = np.median(p, axis=0)
        right.plot(
            sizes, line, lw=2, color=plotting.PALETTE[color], label=f"after {k:,} step{'s' * (k > 1)}".replace(",", " ")
        )
        numbers[f"p at the peak after {k} steps"] = float(line[sizes == n][0])
    bound = [theory.signal_share_bound(random_features(n, int(size), n_test=1, seed=1).inputs) for size in sizes]
    right.plot(sizes, bound, "--", lw=2, color=plotting.PALETTE["black"], label="largest possible")
    right.axhline(0.5, ls=":", lw=2, color=plotting.PALETTE["purple"], label="stated at the peak")
    right.axvline(n, ls=":", lw=1, color=plotting.PALETTE["black"])
    right.set(xscale="log", yscale="log", ylim=(1e-9, 3e3))
    plotting.finish(right, "features N", "p of an example", "4. p is far from 1/2 and has no peak", legend=False)
    right.legend(frameon=False, fontsize=9, ncols=2, loc="upper left")
    numbers["largest possible p at the peak"] = float(bound[list(sizes).index(n)])


def by_examples(axes, numbers: dict, quick: bool) -> None:
    """Draw errors and C against the number of examples."""
    left, right = axes
    sizes = np.array(
        [50, 90, 100, 111, 200] if quick else [20, 40, 50, 60, 80, 90, 97, 100, 103, 111, 125, 150, 200, 250]
    )
    for kind, name, color in (("isotropic", "independent", "vermilion"), ("relu", "random", "blue")):
        found = data_sets((60 if kind == "isotropic" else 15) if quick else 200, sizes, N, kind, 2)
        test, fresh = (np.array([getattr(d, what) for d in found]) for what in ("test_error", "p_fresh"))
        far = np.abs(sizes - N) > 5
        value, error = test.mean(axis=0), test.std(axis=0, ddof=1) / np.sqrt(len(test))
        left.errorbar(
            sizes[far],
            value[far],
            5 * error[far],
            fmt="o",
            ms=5,
            color=plotting.PALETTE[color],
            label=f"{name} features",
        )
        left.plot(sizes[~far], np.median(test, axis=0)[~far], "x", ms=7, color=plotting.PALETTE[color])
        C = np.median([d.C for d in found], axis=0)
        right.plot(
            sizes,
            C,
            "o-",
            ms=4,
            lw=2,
            color=plotting.PALETTE[color],
            label=f"{name}, after 10 000 steps",
        )
        if kind == "isotropic":
            for n in (50, 200):
                exact = theory.ridgeless_excess(n, N, NOISE)
                numbers[f"error, n = {n}, N = {N}"] = compared(test[:, sizes == n][:, 0], exact * np.ones(len(test)))
            for n in (50, 100, 200):
                at = int(np.flatnonzero(sizes == n)[0])
                law = theory.fresh_signal_share(test[:, at], N, NOISE)
                numbers[f"p of fresh examples, n = {n}, N = {N}"] = compared(fresh[:, at], law)
            right.plot(
                sizes,
                fresh.mean(axis=0),
                "s--",
                ms=4,
                lw=1.5,
                color=plotting.PALETTE["orange"],
                label=f"{name}, fresh examples",
            )
            below = np.arange(20, 98)
            limit = (1 / np.sqrt(below) - 1 / np.sqrt(N)) ** 2
            right.plot(below, limit, ":", lw=2, color=plotting.PALETTE["black"], label=r"$(1/\sqrt{n} - 1/\sqrt{N})^2$")
        for n in (50, 100, 200):
            numbers[f"C after 10^4 steps, n = {n}, {name}"] = float(C[sizes == n][0])
    for line in (np.arange(20, 98), np.arange(103, 251)):
        exact = [theory.ridgeless_excess(int(n), N, NOISE) for n in line]
        left.plot(
            line, exact, lw=1.5, color=plotting.PALETTE["black"], label="independent, exact" if line[0] < N else None
        )
    for n, name in ((1580, "valley"), (2100, "second descent")):
        left.axvline(n / 1247 * N, ls=":", lw=1.5, color=plotting.PALETTE["purple"])
        left.text(n / 1247 * N + 1, 300, f"{name},\nas stated", fontsize=9, va="top", color=plotting.PALETTE["purple"])
    left.set(yscale="log", ylim=(0.03, 500))
    plotting.finish(left, "examples n", "squared error", "2. N = 100 features (crosses: medians)")
    left.legend(frameon=False, fontsize=9, loc="upper left")
    right.axvline(N, ls=":", lw=1, color=plotting.PALETTE["black"])
    right.set(yscale="log", ylim=(1e-13, 1e4))
    plotting.finish(
        right, "examples n", "C of an example", "3. C falls towards n = N and does not recover", legend=False
    )
    right.legend(frameon=False, fontsize=9, ncols=2, loc="upper right")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 2, size=(13.0, 9.0))
    by_features((axes[0, 0], axes[1, 1]), numbers, quick)
    by_examples((axes[0, 1], axes[1, 0]), numbers, quick)
    plotting.save(fig, out_dir / "19_double_descent.png")
    return numbers


def show(numbers: dict) -> None:
    """Print the numbers, measured against theory."""
    for name, value in numbers.items():
        if isinstance(value, tuple):
            print(f"{name:44s} {value[0]:12.6g} +- {value[1]:<9.2g} theory {value[2]:.6g}")
        else:
            print(f"{name:44s} {value:12.6g}")


if __name__ == "__main__":
    show(main())
