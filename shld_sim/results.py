"""What simulations return: Ensemble and Exits, with all that is needed to reproduce, continue, save and judge them."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import _checks, potentials, schedules
from shld_sim.models import Langevin, LevyFlight, Model
from shld_sim.potentials import Potential
from shld_sim.schedules import Schedule

Array = NDArray[np.float64]
FORMAT = "shld_sim ensemble 1"


class Status(enum.IntEnum):
    """State of a path when its simulation ended."""

    OK = 0
    EXITED = 1
    CENSORED = 2
    DIVERGED = 3


class DivergenceError(ArithmeticError):
    """A path left the finite numbers.

    Attributes
    ----------
    path : int
        Number of the path.
    time : float
        End of the step in which it happened.
    stable_dt : float
        Largest step that is stable at the curvature where the paths started, ``2/lambda_max``.
    """

    def __init__(self, path: int, time: float, dt: float, stable_dt: float, scheme: str) -> None:
        self.path, self.time, self.stable_dt = path, time, stable_dt
        advice = f"take dt below {stable_dt:.2g}" if dt > 0.5 * stable_dt else f"take a smaller dt than {dt:g}"
        if scheme == "euler":
            advice += ", or scheme='split'"
        super().__init__(f"path {path} left the finite numbers at t={time:g} with dt={dt:g}: {advice}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _divergence, (self.path, self.time, self.stable_dt, str(self))


def _divergence(path: int, time: float, stable_dt: float, message: str) -> DivergenceError:
    error = DivergenceError.__new__(DivergenceError)
    ArithmeticError.__init__(error, message)
    error.path, error.time, error.stable_dt = path, time, stable_dt
    return error


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Paths of a stochastic equation at the saved times.

    Attributes
    ----------
    t : ndarray
        Saved times, shape ``(n_saved,)``.
    x : ndarray
        Paths, shape ``(n_saved, n_paths)`` for ``dim == 1``, else ``(n_saved, n_paths, dim)``.
    status : ndarray of uint8
        `Status` of each path: ``OK`` or ``DIVERGED``.
    model : Langevin or LevyFlight
        The equation.
    dt : float
        Time step.
    n_steps : int
        Steps made since time 0.
    scheme : str
        ``"euler"`` or ``"split"``.
    save_every : int or None
        Steps between saved times; None when only the end was kept.
    seed : dict or None
        Entropy and spawn key of the seed; None when the increments were given.
    words : ndarray of uint64
        State of each path's generator, shape ``(n_paths, 4)``.
    interrupted : bool
        True when the run was stopped before its end; `resume` continues it.
    version : str
        Version of shld_sim that made it.
    """

    t: Array
    x: Array
    status: NDArray[np.uint8]
    model: Model
    dt: float
    n_steps: int
    scheme: str
    save_every: int | None
    seed: dict[str, Any] | None
    words: NDArray[np.uint64]
    interrupted: bool
    version: str

    @property
    def final(self) -> Array:
        """The paths at the last time, shape ``(n_paths,)`` or ``(n_paths, dim)``."""
        return self.x[-1]

    @property
    def n_paths(self) -> int:
        """Number of paths."""
        return int(self.x.shape[1])

    def __repr__(self) -> str:
        flags = ", interrupted" if self.interrupted else ""
        diverged = int((self.status == Status.DIVERGED).sum())
        flags += f", {diverged} diverged" if diverged else ""
        return (
            f"<Ensemble of {self.n_paths} paths at {len(self.t)} times up to t={self.t[-1]:g}, "
            f"dt={self.dt:g}, scheme={self.scheme!r}{flags}: {self.model!r}>"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ensemble to ``path`` (NumPy's .npz), whole or not at all.

        Parameters
        ----------
        path : str or path-like
            File to write; an existing one is replaced.
        """
        target = Path(path)
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        arrays = {name: settings.pop(name) for name in ("t", "x", "status", "words")}
        settings["model"] = _describe_model(self.model)
        header = json.dumps({"format": FORMAT, **settings})
        partial = target.with_name(target.name + ".partial")
        try:
            with open(partial, "wb") as file:
                np.savez(file, header=np.array(header), **arrays)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str], model: Model | None = None) -> Ensemble:
        """Read an ensemble that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.
        model : Langevin or LevyFlight, optional
            The equation, needed when its potential is the user's own: functions are not stored.

        Returns
        -------
        Ensemble
            Equal to the one saved.

        Raises
        ------
        ValueError
            If the file is not an ensemble, or needs ``model``, or ``model`` is another one.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(str(file["header"][()]))
                if header.pop("format") != FORMAT:
                    raise KeyError("format")
                arrays = {name: file[name] for name in ("t", "x", "status", "words")}
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
            raise ValueError(f"path must be a file written by Ensemble.save, got {os.fspath(path)!r}") from None
        header["model"] = _rebuild_model(header["model"], model)
        return cls(**header, **arrays)


def _describe_model(model: Model) -> dict[str, Any]:
    """Return ``model`` as JSON values: class names and arguments."""
    out: dict[str, Any] = {"kind": type(model).__name__}
    for field in dataclasses.fields(model):
        value = getattr(model, field.name)
        if isinstance(value, Potential):
            library = type(value).__name__ in potentials.__all__ and type(value) is not Potential
            value = {"kind": type(value).__name__, "arguments": value.arguments if library else repr(value)}
        elif isinstance(value, Schedule):
            value = {"kind": type(value).__name__, "arguments": dataclasses.asdict(value)}  # type: ignore[call-overload]
        out[field.name] = value
    return out


def _rebuild_model(description: dict[str, Any], given: Model | None) -> Model:
    if given is not None:
        if json.loads(json.dumps(_describe_model(given))) != description:
            raise ValueError(f"model must be the one of the file, {_summary(description)}; got {given!r}")
        return given
    arguments = dict(description)
    kind = {"Langevin": Langevin, "LevyFlight": LevyFlight}[arguments.pop("kind")]
    for name, value in arguments.items():
        if isinstance(value, dict):
            if isinstance(value["arguments"], str):
                raise ValueError(f"model= is needed to load this file: its potential is {value['arguments']}")
            home = potentials if name == "potential" else schedules
            arguments[name] = getattr(home, value["kind"])(**value["arguments"])
    return kind(**arguments)


def _summary(description: dict[str, Any]) -> str:
    inside = ", ".join(
        f"{k}={v['kind'] if isinstance(v, dict) else v!r}" for k, v in description.items() if k != "kind"
    )
    return f"{description['kind']}({inside})"


@dataclass(frozen=True, eq=False)
class Exits:
    """First passages out of a domain.

    Attributes
    ----------
    times : ndarray
        Exit times, shape ``(n_paths,)``; NaN for paths that did not leave.
    censored : ndarray of bool
        True for the paths that had not left when they were last seen.
    exposure : ndarray
        Time each path was watched: its exit time, or the time at which it was last seen.
    side : ndarray of int8
        1 for the upper end of the domain, -1 for the lower, 0 for no exit.
    place : ndarray
        Position at the exit: the end of the domain for Gaussian noise with bridge correction, else the point behind it
        where the path landed; the last position for censored paths.
    model, domain, dt, t_max, scheme, bridge, seed, interrupted, version
        How they were made.
    """

    times: Array
    censored: NDArray[np.bool_]
    exposure: Array
    side: NDArray[np.int8]
    place: Array
    model: Model
    domain: tuple[float, float]
    dt: float
    t_max: float
    scheme: str
    bridge: bool
    seed: dict[str, Any]
    interrupted: bool
    version: str

    @property
    def status(self) -> NDArray[np.uint8]:
        """`Status` of each path: ``EXITED`` or ``CENSORED``."""
        return np.where(self.censored, Status.CENSORED, Status.EXITED).astype(np.uint8)

    def _uncensored(self, what: str) -> Array:
        if self.censored.any():
            raise ValueError(
                f"{what} needs every path to leave, but {int(self.censored.sum())} of {len(self.times)} are censored "
                f"(t_max={self.t_max:g}): raise t_max, or use rate(), which counts them as exposure"
            )
        return self.times

    def mean(self) -> float:
        """Return the mean exit time; raises ValueError when paths are censored."""
        return float(self._uncensored("mean()").mean())

    def stderr(self) -> float:
        """Return the standard error of the mean exit time; raises ValueError when paths are censored."""
        times = self._uncensored("stderr()")
        if len(times) < 2:
            raise ValueError(f"stderr() needs at least 2 paths, got {len(times)}")
        return float(times.std(ddof=1) / math.sqrt(len(times)))

    def rate(self) -> float:
        """Return the maximum-likelihood rate, exits per exposure, of an exponential law with censoring."""
        total = float(self.exposure.sum())
        if total == 0.0:
            raise ValueError("rate() needs paths that were watched for some time, got total exposure 0")
        return float((~self.censored).sum()) / total

    def rate_interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the confidence interval of the rate from the law of the number of exits.

        With n exits in total exposure E, the bounds are the quantiles chi2(2n)/(2E) and chi2(2n + 2)/(2E); with no exit
        the lower one is 0.

        Parameters
        ----------
        level : float
            Coverage.

        Returns
        -------
        tuple of float
            Lower and upper bound.
        """
        from scipy.stats import chi2

        tail = 0.5 * (1.0 - _checks.probability("level", level))
        self.rate()
        n, total = int((~self.censored).sum()), float(self.exposure.sum())
        low = chi2.ppf(tail, 2 * n) / (2.0 * total) if n else 0.0
        return float(low), float(chi2.isf(tail, 2 * n + 2) / (2.0 * total))

    def __repr__(self) -> str:
        left = int((~self.censored).sum())
        flags = ", interrupted" if self.interrupted else ""
        return f"<Exits: {left} of {len(self.times)} paths left {self.domain}, dt={self.dt:g}{flags}: {self.model!r}>"


def describe_seed(seed: int | np.random.SeedSequence) -> dict[str, Any]:
    """Return a seed as JSON values."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    entropy = sequence.entropy
    entropy = list(map(int, entropy)) if isinstance(entropy, (list, tuple, np.ndarray)) else int(entropy)  # type: ignore[arg-type]
    return {"entropy": entropy, "spawn_key": list(map(int, sequence.spawn_key))}
