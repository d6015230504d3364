"""Which solver belongs to which model."""

from __future__ import annotations

import warnings

import numpy as np

from shld_sim import _checks
from shld_sim.grid import scale
from shld_sim.grid.boundaries import Boundary
from shld_sim.grid.chain import Chain
from shld_sim.grid.driven import Driven
from shld_sim.grid.fractional import StableChain
from shld_sim.grid.generator import Landscape
from shld_sim.grid.kramers import Kramers
from shld_sim.grid.line import Line
from shld_sim.grid.mesh import Grid
from shld_sim.grid.network import Network, network
from shld_sim.grid.oblique import oblique
from shld_sim.models import Diffusion, Langevin, LevyFlight, Model, Underdamped, require
from shld_sim.schedules import Schedule


def chain_of(model: Model, grid: Grid, kinds: Boundary) -> Chain:
    """Return the solver for a model."""
    if isinstance(model, Underdamped):
        return Kramers(model, grid, kinds)
    if grid.dim != getattr(model, "dim", grid.dim):
        raise ValueError(f"grid must have as many axes as the model has coordinates, {model.dim}, got {grid!r}")
    if isinstance(model, Langevin) and model.dim == 1 and isinstance(model.D, Schedule):
        return Driven(Landscape(model.potential, float(model.D(0.0))), model.D, grid, kinds[0])
    if isinstance(model, LevyFlight):
        return _stable_chain(require(model, LevyFlight, dim=1), grid, kinds[0])
    if grid.dim > 3:
        raise ValueError(f"grid must have at most 3 axes, got {grid!r}")
    if isinstance(model, Diffusion):
        one = grid.dim == 1
        chain: Chain = Line(scale.landscape(model, grid), grid, kinds[0]) if one else oblique(model, grid, kinds)
    else:
        model = require(model, Langevin)
        landscape = Landscape(model.potential, _checks.positive("D", model.D))
        chain = Line(landscape, grid, kinds[0]) if grid.dim == 1 else network(landscape, grid, kinds)
    if isinstance(chain, Line | Network):
        _warn_of_cut(chain, kinds)
    return chain


def _stable_chain(model: LevyFlight, grid: Grid, kinds: tuple[str, str]) -> Chain:
    """Return the solver for stable noise; at ``alpha = 2`` that of the Langevin equation with ``D = sigma^2``."""
    sigma = _checks.positive("sigma", model.sigma)
    if model.alpha == 2.0:
        return chain_of(Langevin(model.potential, sigma**2), grid, (kinds,))
    return StableChain(model.potential, model.alpha, sigma, grid, kinds)


def _warn_of_cut(chain: Chain, kinds: Boundary) -> None:
    """Warn when a reflecting end stands where a confining potential still leaves noticeable Gibbs weight."""
    grid = chain.grid
    energy, D = chain.energy()
    energy = energy.reshape(grid.shape)
    w = np.exp(-(energy - energy.min()) / D)
    for axis, (side, pair) in enumerate(zip(grid.sides, kinds, strict=True)):
        for kind, name, edge, inner in ((pair[0], "low", 0, 1), (pair[1], "high", -1, -2)):
            if isinstance(chain, Line) and not chain.landscape.diffusivity(grid.edges[[edge]])[0] > 0.0:
                continue  # without noise there paths end by themselves
            rises = energy.take(edge, axis) > energy.take(inner, axis)
            most = float(w.take(edge, axis)[rises].max(initial=0.0))
            if kind == "reflecting" and most > 1e-6:
                where = f"{name}={getattr(side, name)!r}" + (f" of coordinate {axis}" if grid.dim > 1 else "")
                warnings.warn(
                    f"the box ends at {where} where the Gibbs weight is still {most:.1e} of its "
                    "maximum: unless a wall is meant there, use a wider Grid",
                    UserWarning,
                    stacklevel=5,
                )
