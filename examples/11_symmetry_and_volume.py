"""Does noise along the orbits of a symmetry destroy all but the smallest representatives, and does volume only fall?

Equations: dX = -grad V dt + sqrt(2 D) dW on the Mexican hat V = h (|x|^2 - 1)^2 and in the valley V = (x y - 1)^2/2;
gradient descent with noisy labels in the valley, (x, y) - h e (y, x) with e = x y - 1 + xi; and three points in the plane
on the geometric loss L = H_G + V, the entropy of their orbit under relabelling plus the volume of a union.

Expected:
1. On the hat isotropic noise spreads the angle evenly: E cos(angle) = exp(-D t E r^-2), the variance 2 D t/r^2 at first.
2. The radius feels V - D (d - 1) ln r: the more dimensions, the further out.
3. In the valley isotropic noise keeps the mean of the imbalance x^2 - y^2, noisy labels multiply it by 1 - h^2 e^2 a step:
   they lead to the point of least norm, x = y. Without noise nothing moves along the valley.
4. The volume of a union rises under diffusion alone; on L it falls while the drift dominates, at the mean rate
   -grad V.grad L + D lap V, and rises when D exceeds grad V.grad L/lap V.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import shld_sim as shld
from shld_sim import diagnostics, plotting

FIGURES = Path(__file__).resolve().parents[1] / "figures"
TRIANGLE = np.array([[0.0, 1.0], [-(0.75**0.5), -0.5], [0.75**0.5, -0.5]])


def mean_of(values: np.ndarray) -> tuple[float, float]:
    """Return the mean and its standard error."""
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(values.size))


def angle(ax, numbers: dict, quick: bool) -> None:
    """Draw how fast the angle is forgotten on the hat."""
    D, height, paths = 0.1, 5.0, 1000 if quick else 20_000
    model = shld.Langevin(shld.MexicanHat(2, height=height), D)
    run = shld.simulate(model, [1.0, 0.0], dt=2.5e-3, t_end=40.0, n_paths=paths, save_every=800, seed=1)
    cosine = run.x[..., 0] / np.linalg.norm(run.x, axis=-1)
    line = np.linspace(0.4, 1.8, 1401)
    inverse = float(np.trapezoid(shld.theory.radial_density(model)(line) / line**2, line))
    for i in (1, 5):
        exact = float(shld.theory.direction_coherence(2, D * inverse, run.t[i]))
        numbers[f"E cos(angle) at D t = {D * run.t[i]:g}"] = (*mean_of(cosine[i]), exact)
    angles = np.arctan2(run.x[-1, :, 1], run.x[-1, :, 0])
    found = diagnostics.cell_entropy(np.histogram(angles, np.linspace(-np.pi, np.pi, 13))[0])
    numbers["entropy of the angle over 12 cells, D t = 4"] = (found.value, found.stderr, float(np.log(12)))
    line = np.linspace(0, 40, 200)
    ax.plot(
        D * line, shld.theory.direction_coherence(2, D, line), lw=2, color=plotting.PALETTE["blue"], label="exp(-D t)"
    )
    ax.plot(D * run.t, cosine.mean(axis=1), "o", ms=6, color=plotting.PALETTE["orange"], label="measured")
    plotting.finish(ax, r"$Dt/r^2$", r"$E\cos$(angle)", "1. Hat: the angle becomes uniform")


def radius(ax, numbers: dict, quick: bool) -> None:
    """Draw laws of the radius in two and ten dimensions."""
    paths, edges = 1500 if quick else 20_000, np.linspace(0.5, 1.9, 43)
    for dim, color in ((2, "blue"), (10, "vermilion")):
        model = shld.Langevin(shld.MexicanHat(dim, height=2.5), 0.5)
        end = shld.simulate(model, np.eye(dim)[0], dt=2e-4, t_end=1.0, n_paths=paths, seed=dim).final
        r = np.linalg.norm(end, axis=1)
        line = np.linspace(0.4, 2.0, 1601)
        law = shld.theory.radial_density(model)(line)
        numbers[f"E r, d = {dim}"] = (*mean_of(r), float(np.trapezoid(line * law, line)))
        ax.hist(r, edges, density=True, histtype="stepfilled", alpha=0.3, color=plotting.PALETTE[color])
        ax.plot(line, law, lw=2, color=plotting.PALETTE[color], label=f"d = {dim}")
    ax.axvline(1.0, ls=":", lw=1.5, color="#404040", label="minimum of V")
    plotting.finish(ax, "radius", "density", r"2. It feels $V - D(d-1)\,\ln r$")


def valley(ax, numbers: dict, quick: bool) -> None:
    """Draw the imbalance in the valley under isotropic noise, noisy labels, and none."""
    V, paths, h, e = shld.RescalingValley(), 500 if quick else 10_000, 0.02, 1.0
    start, t_end = [2.0, 0.5], 60.0
    models = {
        "isotropic, D = 0.02": (shld.Langevin(V, 0.02), None, "blue"),
        "noisy labels": (shld.LabelNoise(V, e * h**0.5), None, "vermilion"),
        "none": (shld.Langevin(V, 1.0), np.zeros((round(t_end / h), 1, 2)), "green"),
    }
    for name, (model, noise, color) in models.items():
        n = None if noise is not None else paths
        run = shld.simulate(model, start, dt=h, t_end=t_end, n_paths=n, noise=noise, save_every=100, seed=3)
        imbalance = (run.x[..., 0] ** 2 - run.x[..., 1] ** 2) / 3.75
        value = imbalance.mean(axis=1)
        ax.plot(run.t, value, lw=2, color=plotting.PALETTE[color], label=name)
        if name == "noisy labels":
            ax.plot(run.t, shld.theory.imbalance_decay(e * h**0.5, run.t), ":", color="#404040", label=r"$e^{-s^2t}$")
            numbers["|x|^2 of least norm, noisy labels"] = float((run.x[-1] ** 2).sum(axis=-1).mean())
        elif name != "none":
            # each step multiplies by 1 - h^2 f^2 on average, and E f^2 is about D
            numbers["imbalance left, isotropic noise"] = (*mean_of(imbalance[-1]), float(np.exp(-h * t_end * model.D)))
        else:
            numbers["imbalance left, no noise"] = float(value[-1])
    plotting.finish(ax, "time", "mean imbalance/first", "3. Valley: only noisy labels balance")


def diffusion(ax, numbers: dict, quick: bool) -> None:
    """Draw the volume of a union of three sets that diffuse from one point."""
    D, paths = 0.5, 400 if quick else 4000
    free, loss = shld.Langevin(shld.QuadraticForm(np.zeros(6)), D), shld.GeometricLoss(3)
    run = shld.simulate(free, np.zeros(6), dt=0.25, t_end=5.0, n_paths=paths, save_every=4, seed=4)
    unit = 2.0 * np.pi
    for i in (1, 5):
        exact = float(shld.theory.diffusing_union_volume(3, D, run.t[i])) / unit
        numbers[f"volume of three bumps, t = {run.t[i]:g}"] = (*mean_of(loss.volume(run.x[i]) / unit), exact)
    discs = [np.mean([diagnostics.union_of_balls(c.reshape(3, 2), 1.0).value for c in x[:200]]) for x in run.x]
    line = np.linspace(0, 5, 100)
    ax.plot(
        line, shld.theory.diffusing_union_volume(3, D, line) / unit, lw=2, color=plotting.PALETTE["blue"], label="bumps"
    )
    ax.plot(run.t, [loss.volume(x).mean() / unit for x in run.x], "o", ms=6, color=plotting.PALETTE["blue"])
    ax.plot(run.t, np.array(discs) / np.pi, "s--", ms=6, color=plotting.PALETTE["orange"], label="discs, exact area")
    plotting.finish(ax, "time", "mean volume/that of one", "4. Diffusion alone: volume rises")


def descent(ax, numbers: dict, quick: bool) -> None:
    """Draw the rate of the volume on the geometric loss against D, over one step."""
    loss, V = shld.GeometricLoss(3), shld.GeometricLoss(3, entropy=0.0)
    x, dt, pairs = (0.6 * TRIANGLE).ravel(), 1e-4, 4000 if quick else 100_000
    rng, strengths, found = np.random.default_rng(5), np.array([0.2, 0.6, 1.0, 1.4, 1.8]), []
    for D in strengths:
        half = np.sqrt(dt) * rng.standard_normal((1, pairs, 6))
        end = shld.simulate(shld.Langevin(loss, D), x, dt, noise=np.concatenate([half, -half], axis=1)).final
        rate, error = mean_of((0.5 * (V(end[:pairs]) + V(end[pairs:])) - V(x)) / dt)
        exact = float(shld.theory.observable_generator(V, loss, x, D))
        numbers[f"d E[V]/dt on L, D = {D:g}"] = (rate, error, exact)
        found.append((rate, error))
    value, error = np.array(found).T
    line = np.linspace(0, 2, 50)
    pull, curve = float(V.gradient(x) @ loss.gradient(x)), float(V.laplacian(x))
    numbers["critical D"] = pull / curve
    ax.plot(
        line,
        -pull + line * curve,
        lw=2,
        color=plotting.PALETTE["blue"],
        label=r"$-\nabla V\cdot\nabla L + D\,\Delta V$",
    )
    ax.errorbar(strengths, value, 5 * error, fmt="o", ms=6, color=plotting.PALETTE["orange"], label="one step")
    ax.axhline(0.0, lw=1, color="#404040")
    plotting.finish(ax, "D", r"$d\,E[V]/dt$", r"5. Descent of $L = H_G + V$")


def main(out_dir: Path = FIGURES, quick: bool = False) -> dict:
    """Run, draw, and return name -> number, or name -> (measured, standard error, theory)."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    numbers: dict = {}
    fig, axes = plotting.new_figure(2, 3, size=(16.0, 9.0))
    panels = (angle, radius, valley, diffusion, descent)
    for ax, draw in zip(axes.ravel()[:5], panels, strict=True):
        draw(ax, numbers, quick)
    axes.ravel()[5].set_axis_off()
    plotting.save(fig, out_dir / "11_symmetry_and_volume.png")
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
