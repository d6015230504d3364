"""The tracker: it takes the numbers of a training loop, keeps them, writes them down and draws them while it runs."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from shld_sim import _checks
from shld_sim._version import __version__
from shld_sim.tracking.log import Log
from shld_sim.tracking.measures import Measures, Settings
from shld_sim.tracking.reader import FORMAT, Reader, read_log
from shld_sim.tracking.values import RESERVED, encoded, encoded_tree, line, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHARE = 0.05  # of the time that drawing may take
PICTURES = (".png", ".pdf", ".svg")


class Tracker(Log):
    """Record any training loop, in memory and, given a file, as a line of JSON a step that survives the loop.

    Of ``gradients`` it makes ``C`` without bias and ``p`` by `consolidation`, with intervals (``C low``, ``C high``, ...), the
    document's ``Gamma``, which is biased by 1/n, the noise scale and a tail index ``alpha``. With ``learning_rate`` and
    ``curvature`` or ``hvp`` there are also ``lmax``, the margin ``S`` (`stability_margin`) and that with noise, ``S_p``
    (`theory.noisy_margin`), the p that is needed for S_p > 0, the coefficient ``I`` and the ``phase``. The decision guide
    (``state``, ``action``) is read at `best_step_factor` of the last known step and curvature, or at p where these are not known.

    Every line is handed to the system at once: after a kill the file holds all steps but, at worst, the one being written.
    A file that exists is continued. Where a continued run begins at a step that the file has already, as after the return to a
    checkpoint, the steps from there on are replaced, with a warning (in the file they stay, and `read_log` passes over them).

    Parameters
    ----------
    path : path-like, optional
        File to write, by custom ``.jsonl``. Default: memory only.
    every : int
        Only steps that are multiples of this are recorded; see `due`.
    metadata : mapping, optional
        Numbers, text and lists of them that belong to the run.
    batch : float
        Number of rows of ``gradients`` that a step averages: 1 if they are those of batches, the batch size if they are those
        of examples. ``C`` and ``p`` are those of a step; ``Gamma``, ``signal``, ``noise`` and the noise scale those of a row.
    confidence : float
        Level of all intervals but that of lmax, which holds with 0.999.
    window : int
        Number of norms of the noise, ``|g_i - mean g|`` of the last rows, from whose largest tenth `hill` takes ``alpha``, from
        20 on. Where the noise changes its size within the window, it looks heavy-tailed.
    products : int
        Products with the Hessian spent on lmax, when ``hvp`` is given.
    dim : int, optional
        Number of parameters, for ``hvp`` without gradients.
    overwrite : bool
        Begin an existing log anew. Any other file is refused.
    live : bool or path-like
        Draw while the loop runs: in a window (True), or to a .png, .pdf or .svg that is replaced in one move.
    redraw : float
        Seconds between two drawings at least; more where drawing would take above 5 % of the time since the start.

    Raises
    ------
    ValueError, TypeError
        For an argument that makes no sense, or a file that is no log.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> tracker = Tracker()
    >>> for step in range(3):
    ...     recorded = tracker.log(step, loss=0.5**step)
    >>> tracker.series("loss")[1].tolist()
    [1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        every: int = 1,
        metadata: Mapping[str, Any] | None = None,
        batch: float = 1.0,
        confidence: float = 0.95,
        window: int = 100,
        products: int = 20,
        dim: int | None = None,
        overwrite: bool = False,
        live: bool | str | os.PathLike[str] = False,
        redraw: float = 10.0,
    ) -> None:
        super().__init__(metadata)
        self.every = _checks.integer("every", every)
        self._measures = Measures(
            Settings(
                _checks.positive("batch", batch),
                _checks.probability("confidence", confidence),
                _checks.integer("window", window, 20),
                _checks.integer("products", products),
                None if dim is None else _checks.integer("dim", dim),
            )
        )
        self.live = _live(live)
        self._redraw = _checks.positive("redraw", redraw)
        self._start, self._spent = time.monotonic(), 0.0  # seconds on drawings
        self._next_drawing = self._start + self._redraw
        self._figure: Figure | None = _window() if self.live is True else None
        self._undrawn = self._begun = self._closed = self._torn = False
        self.path = None if path is None else Path(path)
        self._file = None if self.path is None else self._opened(self.path, overwrite)

    def _opened(self, path: Path, overwrite: bool) -> Any:
        """Take up what is in the file, cut off a torn last line, and write the first line of this run."""
        header = {
            "format": FORMAT,
            "version": __version__,
            "time": round(time.time(), 3),
            "metadata": encoded_tree("metadata", self.metadata),
        }
        if path.exists():
            given, reader = self.metadata, Reader(path)
            reader.update()  # raises if it is no log
            if not overwrite:
                whole = reader._end
                torn = reader._finish(4)
                self.metadata = {**reader.log.metadata, **given}
                self._columns, self._seen, self.rewinds = reader.log._columns, reader.log._seen, reader.log.rewinds
                if torn:
                    os.truncate(path, whole)
                self._torn = bool(reader._rest) and not torn
        file = open(path, "wb" if overwrite else "ab", buffering=0)  # noqa: SIM115 -- open as long as the tracker
        try:
            self._write(header, file)
        except BaseException:
            file.close()
            raise
        return file

    def log(
        self,
        step: int,
        /,
        *,
        gradients: Any = None,
        learning_rate: Any = None,
        curvature: Any = None,
        hvp: Any = None,
        **values: Any,
    ) -> dict[str, Any]:
        """Record a step. Calls for the same step add up; of one name the later value stays.

        Parameters
        ----------
        step : int
            Number of the step, not below that of the last call.
        gradients : array_like, shape (n, ...), optional
            n >= 3 gradients of single examples or batches at the same parameters, one a row. They are not kept.
        learning_rate : float, optional
            Step eta of the descent.
        curvature : float or TopEigenvalue, optional
            Largest eigenvalue of the Hessian.
        hvp : callable, optional
            ``hvp(v)`` is the product of the Hessian with a vector of the parameters, from which lmax is estimated.
        **values : float, str, array_like or callable
            What else to record: numbers, text, arrays, tensors; NaN and infinity are kept, None is passed over. A function
            without arguments, also for ``gradients``, is called only if the step is recorded.

        Returns
        -------
        dict
            What was recorded, derived numbers included; empty where ``every`` leaves the step out.

        Raises
        ------
        ValueError, TypeError
            For an argument that makes no sense, or a step before the last.
        OSError
            If the line cannot be written.
        """
        if self._closed:
            raise ValueError(f"tracker is closed, got step {step!r}")
        step = _checks.integer("step", step, 0)
        if not (values or any(given is not None for given in (gradients, learning_rate, curvature, hvp))):
            raise TypeError(f"log needs something to record at step {step}, such as loss=...")
        self._order(step)
        if not self.due(step):
            return {}
        recorded: dict[str, Any] = {}
        for name, value in values.items():
            if name in RESERVED or not name:
                raise ValueError(f"a value must not be named {name!r}, got {value!r}")
            value = value() if callable(value) else value
            if value is not None:
                recorded[name] = plain(name, value)
        derived = self._measures.of(gradients() if callable(gradients) else gradients, learning_rate, curvature, hvp)
        twice = sorted(recorded.keys() & derived.keys())
        if twice:
            raise ValueError(f"{twice[0]!r} is computed from the other arguments, got {recorded[twice[0]]!r} as well")
        recorded |= derived
        now = time.time()
        if self._file is not None:
            written = {name: encoded(value) for name, value in recorded.items()}
            self._write({"step": step, "time": round(now, 3), "values": written}, self._file)
        self._add(step, now, recorded)
        self._undrawn = True
        if self.live is not False and time.monotonic() >= self._next_drawing:
            self._draw()
        return recorded

    def due(self, step: int) -> bool:
        """Return whether a step is recorded, so that nothing costly is computed for one that is not.

        Parameters
        ----------
        step : int
            Number of the step.

        Returns
        -------
        bool
            Whether it is a multiple of ``every``.
        """
        return step % self.every == 0

    def rewind(self, step: int) -> None:
        """Forget what was recorded from a step on, because the training returns to it.

        Parameters
        ----------
        step : int
            First step to forget; the next to be recorded may be this one.

        Raises
        ------
        ValueError
            If the tracker is closed or the step negative.
        """
        if self._closed:
            raise ValueError(f"tracker is closed, got step {step!r}")
        step = _checks.integer("step", step, 0)
        if self._file is not None:
            self._write({"rewind": step}, self._file)
        self._forget_from(step)

    def _order(self, step: int) -> None:
        """Let a continued run replace what the file has from its first step on; refuse other steps backwards."""
        last, begun, self._begun = self.last_step, self._begun, True
        if last is None or step > last:
            return
        if not begun:
            warnings.warn(
                f"the log goes to step {last}, the run continues at {step}: steps from {step} on are replaced",
                stacklevel=3,
            )
            self.rewind(step)
        elif step < last:
            raise ValueError(f"step must not go back, got {step} after {last}; rewind({step}) forgets what came after")

    def _write(self, record: dict[str, Any], file: Any) -> None:
        """Hand a line to the system; after a failure the next line begins on its own."""
        rest = (b"\n" if self._torn else b"") + line(record)
        self._torn = True
        while rest:
            rest = rest[file.write(rest) :]
        self._torn = False

    def _draw(self) -> None:
        """Draw now, and fix when to draw next: when one more such drawing leaves all of them with their share of the time."""
        if not self.numbers():
            return
        begun = time.monotonic()
        try:
            if isinstance(self.live, Path):
                self._figure = self.plot(self.live, figure=self._figure)
            else:
                from shld_sim import plotting

                plotting.show_now(self.plot(figure=self._figure))
        except Exception as error:  # no picture is worth the end of a training
            warnings.warn(f"live: the picture was not drawn ({type(error).__name__}: {error})", stacklevel=3)
        self._undrawn = False
        now = time.monotonic()
        self._spent += now - begun
        self._next_drawing = max(now + self._redraw, self._start + (self._spent + now - begun) / SHARE)

    def close(self) -> None:
        """Draw what was not drawn yet and close the file; what was recorded can still be read."""
        if self._closed:
            return
        if self.live is not False and self._undrawn:
            self._draw()
        self._closed = True
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Log:
        """Read a file that a tracker wrote; the same as `read_log`.

        Parameters
        ----------
        path : path-like
            File.

        Returns
        -------
        Log
            What was recorded.

        Raises
        ------
        ValueError
            If the file is no log of this format.
        """
        return read_log(path)


def _live(live: Any) -> bool | Path:
    if isinstance(live, bool):
        return live
    target = Path(live)
    if target.suffix.lower() not in PICTURES:
        raise ValueError(f"live must be True or a file that ends in .png, .pdf or .svg, got {str(live)!r}")
    if not target.parent.is_dir():
        raise ValueError(f"live must lie in a directory that exists, got {str(live)!r}")
    return target


def _window() -> Figure:
    from shld_sim import plotting

    return plotting.window()
