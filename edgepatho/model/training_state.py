"""Where a training stands, kept in a file so that it goes on after an interruption."""

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

FORMAT, VERSION = "edgepatho-training-state", 2


@dataclass
class TrainingState:
    """A training after `step` steps and `seconds`, what was logged, and the best of its validations.

    An entry of `history` has `step`, `validation_mse` and, where steps led to it, `train_mse`. `best` holds
    the variables as they were at `best_step`, for a training that keeps its best state.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best_mse: float | None = None
    best_step: int = 0
    best: list[NDArray[Any]] = field(default_factory=list)


def save(path: Path, state: TrainingState, variables: Sequence[Any], key: Mapping[str, Any]) -> None:
    """Write `state` and the values of `variables` to `path`; `key` is all that the run depends on."""
    about = {
        "format": FORMAT,
        "version": VERSION,
        "key": dict(key),
        "step": state.step,
        "seconds": round(state.seconds, 1),
        "history": state.history,
        "best_mse": state.best_mse,
        "best_step": state.best_step,
        "best": len(state.best),
    }
    arrays: dict[str, Any] = {f"now{at}": np.array(variable) for at, variable in enumerate(variables)}
    arrays |= {f"best{at}": value for at, value in enumerate(state.best)}
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, about=np.array(canonical_json(about)), **arrays)


def resume(path: Path, variables: Sequence[Any], key: Mapping[str, Any]) -> TrainingState:
    """Return the state in `path` and set `variables` to its values; a new state if there is no file.

    Raises InputError for a file that is damaged, of an earlier version, or of a run with another `key`,
    naming the parts of the key that differ.
    """
    if not path.exists():
        return TrainingState()
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if (about.get("format"), about.get("version")) != (FORMAT, VERSION):
                raise InputError(
                    f"{path} was written by another version, which alone can go on from it; remove it to "
                    "start anew."
                )
            known = about["key"]
            different = [name for name in key if canonical_json(key[name]) != canonical_json(known[name])]
            if different:
                raise InputError(
                    f"{path} belongs to a run with other {' and '.join(different)}; finish it with its own "
                    "command, or remove the file to start anew."
                )
            for at, variable in enumerate(variables):
                variable.assign(file[f"now{at}"])
            return TrainingState(
                about["step"],
                about["seconds"],
                about["history"],
                about["best_mse"],
                about["best_step"],
                [file[f"best{at}"] for at in range(about["best"])],
            )
    except (*UNREADABLE, AttributeError, KeyError, TypeError) as error:  # what it is about may be anything
        raise InputError(
            f"{path} is not the state of a training ({error}); remove it to start anew."
        ) from None
