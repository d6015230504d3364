"""The equation and its start from the words of a command line."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from shld_sim import Langevin, LevyFlight, Potential, Underdamped
    from shld_sim.records import Statistic


def potential_of(words: Sequence[str]) -> Potential:
    """Return the potential named by ``["DoubleWell", "height=0.5", ...]``."""
    from shld_sim import potentials

    library = sorted(set(potentials.__all__) - {"Potential"})
    name, *settings = words
    found = {known.lower(): known for known in library}.get(name.lower())
    if found is None:
        raise ValueError(f"--potential must be one of {', '.join(library)}, got {name!r}")
    kind = getattr(potentials, found)
    parameters = inspect.signature(kind).parameters
    known = list(parameters)
    takes = ", ".join(known) if known else "no arguments"
    arguments: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"--potential takes arguments as key=value, got {setting!r}")
        if key not in known:
            raise ValueError(f"{found} takes {takes}, got {key!r}")
        try:
            numbers = [float(part) for part in value.split(",") if part.strip()]
        except ValueError:
            numbers = []
        if not numbers:
            raise ValueError(f"{key} must be a number or a list such as 1,2,3, got {value!r}")
        arguments[key] = numbers if "," in value else numbers[0]
    missing = [name for name, p in parameters.items() if p.default is p.empty and name not in arguments]
    if missing:
        raise ValueError(f"{found} needs {', '.join(f'{name}=...' for name in missing)}")
    return kind(**arguments)


def model_of(arguments: Any, potential: Potential) -> Langevin | LevyFlight | Underdamped:
    """Return the equation that ``--D``, ``--friction``, ``--alpha`` and ``--sigma`` describe."""
    from shld_sim import Langevin, LevyFlight, Underdamped

    if arguments.alpha is None and arguments.sigma is None:
        D = 0.1 if arguments.D is None else arguments.D
        return Langevin(potential, D) if arguments.friction is None else Underdamped(potential, D, arguments.friction)
    if arguments.D is not None:
        raise ValueError("give --D for Gaussian noise, or --alpha and --sigma for stable noise, not both")
    if arguments.friction is not None:
        raise ValueError("--friction goes with --D: stable noise with inertia is not known here")
    if arguments.alpha is None or arguments.sigma is None:
        raise ValueError("stable noise needs both --alpha and --sigma")
    return LevyFlight(potential, alpha=arguments.alpha, sigma=arguments.sigma)


def start_of(arguments: Any, potential: Potential) -> Any:
    """Return ``--x0``, or the first minimum."""
    if arguments.x0 is None:
        minima = potential.minima()
        if not len(minima):
            raise ValueError(f"--x0 is needed: {potential!r} has no minimum to start from")
        return minima[0]
    x0 = np.array(arguments.x0 if potential.dim > 1 or len(arguments.x0) > 1 else arguments.x0[0])
    if x0.size != potential.dim:
        raise ValueError(f"--x0 must have {potential.dim} coordinates for {potential!r}, got {x0.size}")
    return x0


def box_of(arguments: Any) -> list[list[float]] | None:
    """Return ``--box`` as pairs of walls."""
    ends = arguments.box
    if (ends is None) != (arguments.boundary is None):
        raise ValueError("--box and --boundary go together")
    if ends is not None and len(ends) % 2:
        raise ValueError(f"--box takes pairs LOW HIGH, got {len(ends)} numbers")
    return None if ends is None else [ends[i : i + 2] for i in range(0, len(ends), 2)]


def statistics_of(arguments: Any) -> list[Statistic]:
    """Return what ``--moments`` and ``--histogram`` ask for."""
    from shld_sim import Histogram, Moments

    sampling = {"every": arguments.sample_every, "burn_in": arguments.burn_in}
    asked: list[Statistic] = [Moments(**sampling)] if arguments.moments else []
    if arguments.histogram is not None:
        low, high, bins = arguments.histogram
        if not (low < high and bins >= 1 and bins == int(bins)):
            raise ValueError(f"--histogram takes LOW < HIGH and a number of bins, got {low:g} {high:g} {bins:g}")
        asked.append(Histogram(np.linspace(low, high, int(bins) + 1), **sampling))
    if not asked and (arguments.sample_every != 1 or arguments.burn_in != 0.0):
        raise ValueError("--sample-every and --burn-in need --moments or --histogram")
    return asked
