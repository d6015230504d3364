"""Results as files: arrays and JSON in one .npz, whole or not at all; models, sets and seeds as JSON values."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from shld_sim import domains, potentials, schedules
from shld_sim.domains import Domain
from shld_sim.models import Diffusion, Langevin, LevyFlight, Model, Underdamped
from shld_sim.potentials import Potential
from shld_sim.schedules import Schedule


def write_archive(target: Path, header: dict[str, Any], arrays: dict[str, Any]) -> None:
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


def read_archive(path: str | os.PathLike[str], form: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return header and arrays of an archive; None for a file that is not of the format ``form``."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            header = json.loads(str(file["header"][()]))
            if header.pop("format") != form:
                return None, {}
            return header, {name: file[name] for name in file.files if name != "header"}
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile, AttributeError, TypeError):
        return None, {}


def describe_model(model: Model) -> dict[str, Any]:
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


def rebuild_model(description: dict[str, Any], given: Model | None) -> Model:
    if given is not None:
        if json.loads(json.dumps(describe_model(given))) != description:
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


def describe_set(item: Domain | tuple[float, float] | None) -> Any:
    """Return a set as JSON values."""
    if item is None or isinstance(item, tuple):
        return item
    plain = {f.name: getattr(item, f.name) for f in dataclasses.fields(item)}  # type: ignore[arg-type]
    return {"kind": type(item).__name__, "arguments": repr(item) if isinstance(item, domains.Region) else plain}


def rebuild_set(name: str, description: Any, given: Domain | None) -> Any:
    if given is not None:
        if json.loads(json.dumps(describe_set(given))) != description:
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
