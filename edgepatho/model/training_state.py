"""The state of a training run, kept in a file so that it can be resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError
from edgepatho.files import canonical_json, write_aside
from edgepatho.model.weight_files import UNREADABLE

FORMAT, VERSION = "edgepatho-training-state", 3


@dataclass
class TrainingState:
    """A training run after `step` steps and `seconds`, its log, and its best validation.

    An entry of `history` has `step`, `validation_mse` and `train_mse`, over the steps since the last entry if
    any. `best` holds the variables at `best_step`, for a run that keeps its best state.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_mse: float | None = None
    best_step: int = 0
    best: list[NDArray[Any]] = field(default_factory=list)


def save(path: Path, state: TrainingState, variables: Sequence[Any], key: Mapping[str, Any]) -> None:
    """Write `state` and the values of `variables` to `path`; `key` is everything the run depends on."""
    about = {
        "format": FORMAT,
        "version": VERSION,
        "key": dict(key),
        "step": state.step,
        "seconds": round(state.seconds, 1),
        "history": state.history,
        "best_mse": state.best_mse,
        "best_step": state.best_step,
        "now": len(variables),
        "best": len(state.best),
    }
    arrays: dict[str, Any] = {f"now{at}": np.array(variable) for at, variable in enumerate(variables)}
    arrays |= {f"best{at}": value for at, value in enumerate(state.best)}
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, about=np.array(canonical_json(about)), **arrays)


def load(path: Path, key: Mapping[str, Any]) -> tuple[TrainingState, list[NDArray[Any]]]:
    """Return the state in `path` with the values of the variables it was saved with.

    Without a file: a new state and no values. Raises InputError for a file that is damaged, from another
    version, or from a run with another `key`, naming the parts of the key that differ.
    """
    if not path.exists():
        return TrainingState(), []
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if (about.get("format"), about.get("version")) != (FORMAT, VERSION):
                raise InputError(
                    f"{path} was written by another version of edgepatho, which alone can resume it; remove "
                    "it to start over."
                )
            known = about["key"]
            different = [name for name in key if canonical_json(key[name]) != canonical_json(known[name])]
            if different:
                raise InputError(
                    f"{path} belongs to a run with other {' and '.join(different)}; finish it with its own "
                    "command, or remove the file to start over."
                )
            state = TrainingState(
                about["step"],
                about["seconds"],
                about["history"],
                about["best_mse"],
                about["best_step"],
                [file[f"best{at}"] for at in range(about["best"])],
            )
            return state, [file[f"now{at}"] for at in range(about["now"])]
    except (*UNREADABLE, AttributeError, KeyError, TypeError) as error:  # `about` may be anything
        raise InputError(
            f"{path} is not the state of a training run ({error}); remove it to start over."
        ) from None


def restore(path: Path, variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    """Set `variables` to the `values` read from `path`; InputError if they belong to another network."""
    if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
        raise InputError(f"{path} holds the variables of another network; remove it to start over.")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
