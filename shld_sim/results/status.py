"""How a path ended, and the error when one left the finite numbers."""

from __future__ import annotations

import enum
import math
from typing import Any


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
