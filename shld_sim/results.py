"""What simulations return: Ensemble and Exits, with all that is needed to reproduce, continue, save and judge them."""

from __future__ import annotations

import dataclasses
import enum
import io
import json
import math
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shld_sim import _checks, domains, potentials, records, schedules
from shld_sim.domains import Domain
from shld_sim.models import Diffusion, Langevin, LevyFlight, Model, Underdamped
from shld_sim.potentials import Potential
from shld_sim.records import Record
from shld_sim.schedules import Schedule

Array = NDArray[np.float64]
FORMAT = "shld_sim ensemble 2"
STORE_FORMAT = "shld_sim store 1"
NPY_HEADER = 128  # bytes before the rows of a store
EXITS_FORMAT = "shld_sim exits 1"


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
        Largest step that is stable at the curvature where the paths started, ``2/lambda_max``, with
        inertia ``2/sqrt(lambda_max)``; NaN for a `Diffusion`, where it is not known.
    """

    def __init__(self, path: int, time: float, dt: float, stable_dt: float, scheme: str) -> None:
        self.path, self.time, self.stable_dt = path, time, stable_dt
        advice = f"take dt below {stable_dt:.2g}" if dt > 0.5 * stable_dt else f"take a smaller dt than {dt:g}"
        if scheme == "euler" and not math.isnan(stable_dt):  # a potential, and so a flow
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
        header, arrays = _pack(self)
        _write_archive(Path(path), {"format": FORMAT, **header}, arrays)

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
        header, arrays = _read_archive(path, FORMAT)
        if header is None or not {"t", "x", "status", "words"} <= arrays.keys():
            raise ValueError(f"path must be a file written by Ensemble.save, got {os.fspath(path)!r}")
        return _unpack(header, arrays, model)

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
        return open_store(path, model)[0]


def _pack(run: Ensemble) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return ``run`` as JSON values and arrays; what is saved no longer depends on a store."""
    header = {f.name: getattr(run, f.name) for f in dataclasses.fields(run)}
    arrays = {name: header.pop(name) for name in ("t", "x", "status", "words", "momenta", "last")}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    header["model"] = _describe_model(run.model)
    header["statistics"], more = records.pack(run.statistics)
    return {**header, "store": None}, {**arrays, **more}


def _unpack(header: dict[str, Any], arrays: dict[str, Any], model: Model | None) -> Ensemble:
    own = {name: array for name, array in arrays.items() if not name.startswith("statistics_")}
    statistics = records.unpack(header["statistics"], arrays)
    return Ensemble(**{**header, "model": _rebuild_model(header["model"], model), "statistics": statistics}, **own)


def _write_archive(target: Path, header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Write ``header`` and ``arrays`` to ``target``, whole or not at all."""
    partial = target.with_name(target.name + ".partial")
    try:
        with open(partial, "wb") as file:
            np.savez(file, header=np.array(json.dumps(header)), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _read_archive(path: str | os.PathLike[str], form: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return header and arrays of an archive; None for a file that is not of the format ``form``."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            header = json.loads(str(file["header"][()]))
            if header.pop("format") != form:
                return None, {}
            return header, {name: file[name] for name in file.files if name != "header"}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
        return None, {}


# -- stores: rows in a file of NumPy's .npy, and beside it an archive with the state to go on from ----


def state_path(path: str | os.PathLike[str]) -> str:
    """Return the name of the archive beside a store."""
    return os.fspath(path) + ".state.npz"


def row_count(n_steps: int, save_every: int | None) -> tuple[int, int]:
    """Return the number of rows at multiples of ``save_every``, and of those (0 or 1) kept only for being the end."""
    if save_every is None:
        return 0, 1
    return n_steps // save_every + 1, int(n_steps % save_every > 0)


def saved_steps(n_steps: int, save_every: int | None) -> NDArray[np.int64]:
    """Return the numbers of the saved steps."""
    rows, extra = row_count(n_steps, save_every)
    return np.append(np.arange(rows) * (save_every or 0), [n_steps] * extra).astype(np.int64)


def npy_header(rows: int, n_paths: int, width: int) -> bytes:
    """Return the beginning of an .npy file; its length does not depend on the number of rows."""
    buffer = io.BytesIO()
    shape = (rows, n_paths) if width == 1 else (rows, n_paths, width)
    descr = np.lib.format.dtype_to_descr(np.dtype(np.float64))
    np.lib.format.write_array_header_1_0(buffer, {"descr": descr, "fortran_order": False, "shape": shape})
    header = buffer.getvalue()
    # The text ends with a line feed after blanks: more of them put the rows where they are expected.
    size = NPY_HEADER - 10
    return header[:8] + size.to_bytes(2, "little") + header[10:].rstrip().ljust(size - 1) + b"\n"


def write_checkpoint(path: str, run: Ensemble, state: Array, planned: int, start: str) -> None:
    """Write the archive beside a store: ``state`` of all paths, and the run but for its rows."""
    header, arrays = _pack(run)
    for name in ("t", "x", "momenta", "last"):
        arrays.pop(name, None)
    header = {"format": STORE_FORMAT, "planned": planned, "start": start, **header}
    _write_archive(Path(state_path(path)), header, {**arrays, "state": state})


def open_store(path: str | os.PathLike[str], model: Model | None = None, name: str = "path") -> tuple[Ensemble, str]:
    """Return the run of a store, and what tells its start from others; ``name`` is the argument to blame."""
    path = os.fspath(path)
    header, arrays = _read_archive(state_path(path), STORE_FORMAT)
    if header is None:
        raise ValueError(f"{name} must be a file written by simulate(store=...), got {path!r}")
    planned, start, state = header.pop("planned"), header.pop("start"), arrays.pop("state")
    done, every = header["n_steps"], header["save_every"]
    rows, extra = row_count(done, every)
    n, width = state.shape
    try:
        x: Array = np.memmap(path, np.float64, "r", NPY_HEADER, (rows + extra, n, width))
    except ValueError:
        raise ValueError(f"{name} must be a whole store, got {path!r}, which is shorter than its state says") from None
    steps, last = saved_steps(done, every), None
    if extra and x[-1].tobytes() != state.tobytes():  # killed after going on from here: the row was written over
        if rows:
            x, steps, last = x[:rows], steps[:rows], state
        else:
            x = state[None]
    if done < planned and not header["stopped"]:
        header.update(interrupted=True, stopped="interrupted")
    run = _unpack({**header, "store": path}, {**arrays, "t": header["dt"] * steps, "x": x, "last": last}, model)
    dim = run.model.dim
    x.flags.writeable = False
    momenta = None
    if width > dim:
        momenta = x[..., 1] if dim == 1 else x[..., dim:]
    return dataclasses.replace(run, x=x[..., 0] if dim == 1 else x[..., :dim], momenta=momenta), start


def _describe_model(model: Model) -> dict[str, Any]:
    """Return ``model`` as JSON values: class names and arguments; of a model made of functions, what tells it from others."""
    if isinstance(model, Diffusion):
        return {"kind": type(model).__name__, "made of functions": repr(model), "digest": model.digest()}
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
    if "digest" in arguments:
        raise ValueError(f"model= is needed to load this file: its model is {arguments['made of functions']}")
    kind = {"Langevin": Langevin, "LevyFlight": LevyFlight, "Underdamped": Underdamped}[arguments.pop("kind")]
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
        In one dimension 1 for an exit above the start, by the upper end of an interval, -1 for one below; 0 for no exit and
        in more dimensions.
    place : ndarray
        Position at the exit, shape ``(n_paths,)`` for ``dim == 1``, else ``(n_paths, dim)``; the last position for censored
        paths. With bridge correction it lies on the boundary: along the boundary it is interpolated between the ends of
        the step, which leaves out a variance of at most D dt/2 in each direction (a quarter of the variance of the step).
        Else it is the point behind the boundary where the path landed.
    model, domain, dt, t_max, scheme, bridge, seed, interrupted, version
        How they were made. ``bridge`` tells that some boundary was watched between the steps.
    which : ndarray of int8
        Number of the exit, -1 for none: first the targets are counted in their order, then the faces of the domain, which
        are ``2 i`` and ``2 i + 1`` for the lower and upper end of coordinate i of an interval or a `Box`, and 0 of others.
    targets : tuple of sets
        The sets that stopped paths that entered them.
    """

    times: Array
    censored: NDArray[np.bool_]
    exposure: Array
    side: NDArray[np.int8]
    place: Array
    model: Model
    domain: Domain | tuple[float, float] | None
    dt: float
    t_max: float
    scheme: str
    bridge: bool
    seed: dict[str, Any]
    interrupted: bool
    version: str
    which: NDArray[np.int8] = dataclasses.field(default_factory=lambda: np.empty(0, np.int8))
    targets: tuple[Domain, ...] = ()

    def __post_init__(self) -> None:
        if self.which.size == 0:  # of an interval it follows from the side
            object.__setattr__(self, "which", np.where(self.side == 0, -1, self.side > 0).astype(np.int8))

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

    def fraction(self, which: int) -> float:
        """Return the share of exit number ``which`` among the paths that left."""
        hits, left = self._hits(which)
        return hits / left

    def fraction_interval(self, which: int, level: float = 0.95) -> tuple[float, float]:
        """Return Wilson's confidence interval of the probability of exit number ``which``.

        Its bounds are the probabilities p with ``(hits - n p)^2 = z^2 n p (1 - p)``, z the normal quantile.

        Parameters
        ----------
        which : int
            Number of the exit, as in ``which``.
        level : float
            Coverage.

        Returns
        -------
        tuple of float
            Lower and upper bound.
        """
        from scipy.stats import norm

        hits, n = self._hits(which)
        z = float(norm.isf(0.5 * (1.0 - _checks.probability("level", level))))
        middle = (hits + 0.5 * z * z) / (n + z * z)
        half = z / (n + z * z) * math.sqrt(hits * (n - hits) / n + 0.25 * z * z)
        return max(0.0, middle - half), min(1.0, middle + half)

    def _hits(self, which: int) -> tuple[int, int]:
        which, left = _checks.integer("which", which, 0), ~self.censored
        if not left.any():
            raise ValueError(f"fractions need at least one exit, got {len(left)} censored paths")
        return int((self.which[left] == which).sum()), int(left.sum())

    def survival(self, t: ArrayLike | None = None, level: float = 0.95) -> Survival:
        """Return the survival function P(tau > t) of Kaplan and Meier, which takes censored paths into account.

        Parameters
        ----------
        t : array_like, optional
            Times. Default: 0 and then the time of every path, in ascending order.
        level : float
            Coverage of the interval at each time.

        Returns
        -------
        Survival
            ``t``, ``value``, ``low``, ``high``: bounds by Greenwood's formula for the logarithm. After the last path has
            left, the value and the lower bound are 0 and the upper bound is the one before.
        """
        from scipy.stats import norm

        z = float(norm.isf(0.5 * (1.0 - _checks.probability("level", level))))
        times, value, spread = kaplan_meier(self.exposure, self.censored)
        with np.errstate(over="ignore", invalid="ignore"):
            low = np.where(value > 0.0, value * np.exp(-z * spread), 0.0)
            high = np.minimum(1.0, value * np.exp(z * spread))
        high = np.where(value > 0.0, high, high[value > 0.0][-1])
        if t is None:
            return Survival(times, value, low, high)
        wanted = _checks.finite_array("t", t)
        if (wanted < 0.0).any():
            raise ValueError(f"t must not be negative, got {float(wanted.min())!r}")
        at = np.searchsorted(times, wanted, side="right") - 1
        return Survival(wanted, value[at], low[at], high[at])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the exits to ``path`` (NumPy's .npz), whole or not at all.

        Parameters
        ----------
        path : str or path-like
            File to write; an existing one is replaced.
        """
        settings = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        arrays = {name: settings.pop(name) for name in _EXIT_ARRAYS}
        settings["model"] = _describe_model(self.model)
        settings["domain"] = _describe_set(self.domain)
        settings["targets"] = [_describe_set(item) for item in self.targets]
        header = json.dumps({"format": EXITS_FORMAT, **settings})
        target = Path(path)
        partial = target.with_name(target.name + ".partial")
        try:
            with open(partial, "wb") as file:
                np.savez(file, header=np.array(header), **arrays)
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        model: Model | None = None,
        domain: Domain | None = None,
        targets: tuple[Domain, ...] | None = None,
    ) -> Exits:
        """Read exits that `save` wrote.

        Parameters
        ----------
        path : str or path-like
            The file.
        model : Langevin or LevyFlight, optional
            The equation, needed when its potential is the user's own: functions are not stored.
        domain : Region, optional
            The domain, needed when it is a `Region`, for the same reason.
        targets : tuple of sets, optional
            The targets, needed when a `Region` is among them.

        Returns
        -------
        Exits
            Equal to those saved.

        Raises
        ------
        ValueError
            If the file does not hold exits, or needs an argument, or the argument is not the one of the file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                header = json.loads(str(file["header"][()]))
                if header.pop("format") != EXITS_FORMAT:
                    raise KeyError("format")
                arrays = {name: file[name] for name in _EXIT_ARRAYS}
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
            raise ValueError(f"path must be a file written by Exits.save, got {os.fspath(path)!r}") from None
        header["model"] = _rebuild_model(header["model"], model)
        header["domain"] = _rebuild_set("domain", header["domain"], domain)
        given = targets or (None,) * len(header["targets"])
        if len(given) != len(header["targets"]):
            raise ValueError(f"targets must be the {len(header['targets'])} sets of the file, got {len(given)}")
        header["targets"] = tuple(_rebuild_set("targets", a, b) for a, b in zip(header["targets"], given, strict=True))
        return cls(**header, **arrays)

    def __repr__(self) -> str:
        left = int((~self.censored).sum())
        flags = ", interrupted" if self.interrupted else ""
        how = [f"left {self.domain}"] if self.domain is not None else []
        how += [f"entered {self.targets}"] if self.targets else []
        return f"<Exits: {left} of {len(self.times)} paths {' or '.join(how)}, dt={self.dt:g}{flags}: {self.model!r}>"


_EXIT_ARRAYS = ("times", "censored", "exposure", "side", "place", "which")


class Survival(NamedTuple):
    """P(tau > t) at times t, with an interval for each: ``t``, ``value``, ``low``, ``high``, arrays of one shape."""

    t: Array
    value: Array
    low: Array
    high: Array


def kaplan_meier(exposure: Array, censored: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Return times, 0 and then in ascending order those at which paths were last seen, P(tau > t), and its relative error.

    Of paths seen last at the same time, those that left come before those that were censored.

    References
    ----------
    E. L. Kaplan, P. Meier, J. Am. Stat. Assoc. 53, 457 (1958).
    M. Greenwood, Rep. Public Health Med. Subj. 33 (1926).
    """
    order = np.lexsort((censored, exposure))
    gone = ~np.asarray(censored)[order]
    at_risk = np.arange(len(gone), 0, -1)
    # S(t) = prod (1 - 1/n_i);  Var S/S^2 = sum 1/(n_i (n_i - 1))
    survival = np.cumprod(1.0 - gone / at_risk)
    spread = np.sqrt(np.cumsum(gone / (at_risk * np.maximum(at_risk - 1.0, 1.0))))
    t, survival, spread = (
        np.concatenate([[first], a]) for first, a in ((0.0, exposure[order]), (1.0, survival), (0.0, spread))
    )
    return np.asarray(t), np.asarray(survival), np.asarray(spread)


def _describe_set(item: Domain | tuple[float, float] | None) -> Any:
    """Return a set as JSON values."""
    if item is None or isinstance(item, tuple):
        return item
    plain = {f.name: getattr(item, f.name) for f in dataclasses.fields(item)}  # type: ignore[arg-type]
    return {"kind": type(item).__name__, "arguments": repr(item) if isinstance(item, domains.Region) else plain}


def _rebuild_set(name: str, description: Any, given: Domain | None) -> Any:
    if given is not None:
        if json.loads(json.dumps(_describe_set(given))) != description:
            raise ValueError(f"{name} must be the one of the file, {description}; got {given!r}")
        return given
    if description is None or isinstance(description, list):
        return None if description is None else tuple(description)
    if isinstance(description["arguments"], str):
        raise ValueError(f"{name}= is needed to load this file: it holds {description['arguments']}")
    return getattr(domains, description["kind"])(**description["arguments"])


def describe_seed(seed: int | np.random.SeedSequence) -> dict[str, Any]:
    """Return a seed as JSON values."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    entropy = sequence.entropy
    entropy = list(map(int, entropy)) if isinstance(entropy, (list, tuple, np.ndarray)) else int(entropy)  # type: ignore[arg-type]
    return {"entropy": entropy, "spawn_key": list(map(int, sequence.spawn_key))}
