"""Paths that were simulated, with all that is needed to reproduce, continue and save them."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shld_sim import records
from shld_sim.models import Model
from shld_sim.records import Record
from shld_sim.results.archives import describe_model, read_archive, rebuild_model, write_archive
from shld_sim.results.status import Status

Array = NDArray[np.float64]
FORMAT = "shld_sim ensemble 2"


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
        `Status` of each path: ``OK``, ``DIVERGED``, or ``EXITED`` for one that an absorbing wall has stopped.
    model : Langevin, LevyFlight, Underdamped or Diffusion
        The equation.
    dt : float
        Time step.
    n_steps : int
        Steps made since time 0.
    scheme : str
        ``"euler"``, ``"split"``, ``"baoab"`` or ``"heun"``.
    save_every : int or None
        Steps between saved times; None when only the end was kept.
    seed : dict or None
        Entropy and spawn key of the seed; None when the increments were given.
    words : ndarray of uint64
        State of each path's generator, shape ``(n_paths, 4)``.
    interrupted : bool
        True when the run was stopped before its end by Ctrl-C or a kill; `resume` continues it.
    version : str
        Version of shld_sim that made it.
    momenta : ndarray or None
        Momenta of an `Underdamped` model, with the shape of ``x``; None for others. See ``p``.
    stopped : str
        What ended the run before its end: ``"interrupted"``, ``"time_limit"`` or ``"target_stderr"``; empty if nothing did.
    statistics : tuple
        `MomentsRecord` and `HistogramRecord`, in the order of ``simulate(statistics=...)``.
    store : str or None
        File that holds the paths.
    boundary : str
        What happens at the walls of ``box``: ``"reflecting"``, ``"periodic"``, ``"absorbing"``; empty without walls.
    box : tuple or None
        The walls, one pair (low, high) per coordinate.
    last : ndarray or None
        State at step ``n_steps``, where a store was left without a row for it. See ``final``.
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
    momenta: Array | None = None
    stopped: str = ""
    statistics: tuple[Record, ...] = ()
    store: str | None = None
    boundary: str = ""
    box: tuple[tuple[float, float], ...] | None = None
    last: Array | None = None

    def __post_init__(self) -> None:
        if self.box is not None:  # a list when it comes from a file
            object.__setattr__(self, "box", tuple((float(low), float(high)) for low, high in self.box))
        if self.interrupted and not self.stopped:
            object.__setattr__(self, "stopped", "interrupted")

    @property
    def p(self) -> Array:
        """The momenta, with the shape of ``x``; AttributeError for a model without."""
        if self.momenta is None:
            raise AttributeError(f"p exists for Underdamped models, got {self.model!r}")
        return self.momenta

    @property
    def final(self) -> Array:
        """The paths at step ``n_steps``, shape ``(n_paths,)`` or ``(n_paths, dim)``."""
        if self.last is None:
            return self.x[-1]
        return self.last[:, 0] if self.model.dim == 1 else self.last[:, : self.model.dim]

    @property
    def n_paths(self) -> int:
        """Number of paths."""
        return int(self.x.shape[1])

    def __repr__(self) -> str:
        flags = ", interrupted" if self.interrupted else f", stopped by {self.stopped}" if self.stopped else ""
        diverged = int((self.status == Status.DIVERGED).sum())
        flags += f", {diverged} diverged" if diverged else ""
        return (
            f"<Ensemble of {self.n_paths} paths at {len(self.t)} times up to t={self.n_steps * self.dt:g}, "
            f"dt={self.dt:g}, scheme={self.scheme!r}{flags}: {self.model!r}>"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ensemble to ``path`` (NumPy's .npz), whole or not at all.

        Parameters
        ----------
        path : str or path-like
            File to write; an existing one is replaced.
        """
        header, arrays = pack(self)
        write_archive(Path(path), {"format": FORMAT, **header}, arrays)

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
        header, arrays = read_archive(path, FORMAT)
        if header is None or not {"t", "x", "status", "words"} <= arrays.keys():
            raise ValueError(f"path must be a file written by Ensemble.save, got {os.fspath(path)!r}")
        return unpack(header, arrays, model)

    @classmethod
    def open(cls, path: str | os.PathLike[str], model: Model | None = None) -> Ensemble:
        """Open the store of a run, complete or not, also while it is being written.

        A run that was killed is flagged ``interrupted`` and ends where its state was last written down; `resume`
        continues it in its file. Observables are functions and not stored: give ``statistics`` to `resume` again.

        Parameters
        ----------
        path : str or path-like
            The file named as ``store`` in `simulate`; beside it lies its state, ``path + ".state.npz"``.
        model : Langevin, LevyFlight or Underdamped, optional
            The equation, needed when its potential is the user's own: functions are not stored.

        Returns
        -------
        Ensemble
            Its ``x`` is mapped from the file, read-only.

        Raises
        ------
        ValueError
            If the file is not a store, or needs ``model``, or ``model`` is another one.
        """
        from shld_sim.results.stores import open_store  # stores hold ensembles

        return open_store(path, model)[0]


def pack(run: Ensemble) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ``run`` as JSON values and arrays; what is saved no longer depends on a store."""
    header = {f.name: getattr(run, f.name) for f in dataclasses.fields(run)}
    arrays = {name: header.pop(name) for name in ("t", "x", "status", "words", "momenta", "last")}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    header["model"] = describe_model(run.model)
    header["statistics"], more = records.pack(run.statistics)
    return {**header, "store": None}, {**arrays, **more}


def unpack(header: dict[str, Any], arrays: dict[str, Any], model: Model | None) -> Ensemble:
    own = {name: array for name, array in arrays.items() if not name.startswith("statistics_")}
    statistics = records.unpack(header["statistics"], arrays)
    return Ensemble(**{**header, "model": rebuild_model(header["model"], model), "statistics": statistics}, **own)
