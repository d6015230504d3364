"""Seeds of the parts of a piece of work: functions of its seed and the number of the part, whatever else is drawn."""

from __future__ import annotations

import numpy as np


def child(seed: int | np.random.SeedSequence, *parts: int) -> np.random.SeedSequence:
    """Return the seed of a part, named by numbers; `SeedSequence.spawn` would change the caller's object."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *parts))
