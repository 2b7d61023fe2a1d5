"""Retraining: steps with validation between them, the best state kept, resumable after an interruption."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import InputError, UsageError
from edgepatho.files import canonical_json, write_aside
from edgepatho.progress import Progress
from edgepatho.quantize.training import Training

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
Feed = Callable[[int], Iterator[Batch]]  # first step -> its batch and all later ones
Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class Schedule:
    """How long to retrain: at most `steps`, with validation every `validate_every`; stop early after
    `patience` validations without a new best. Indices that can move are chosen anew every `reassign_every`
    steps of the first two thirds; the last third is the codebook's alone, and patience begins with it: every
    new choice costs error that the steps after it win back."""

    steps: int = 60
    validate_every: int = 20
    patience: int = 5
    reassign_every: int = 10

    @property
    def last_reassignment(self) -> int:
        """The last step after which indices may change."""
        return 2 * self.steps // 3

    def reassigns_at(self, step: int) -> bool:
        """Whether indices that can move are chosen anew after `step` steps."""
        return step % self.reassign_every == 0 and step <= self.last_reassignment


@dataclass
class Run:
    """Where a retraining stands: its history, and the best validation error with the state that had it."""

    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    best_mse: float = np.inf
    best_step: int = 0
    best: Arrays = field(default_factory=list)

    def waited(self, start: int) -> int:
        """Validations since the best one, those after step `start` alone."""
        return sum(entry["step"] > max(self.best_step, start) for entry in self.history)


def retrain(
    training: Training,
    feed: Feed,
    validate: Callable[[], float],
    schedule: Schedule,
    *,
    state: Path | None = None,
    key: str = "",
    progress: Progress | None = None,
) -> Run:
    """Train until the schedule ends or validation no longer improves; leave the best state in `training`.

    The state before the first step competes too, so that retraining never makes validation worse. With
    `state`, a file is written at every validation and a later call with the same `key` goes on from it,
    step for step as without the interruption; another key raises InputError.
    """
    progress = progress or Progress()
    run = _resume(training, state, key) if state is not None and state.exists() else Run()
    if not run.history:
        _validate(run, training, validate, [])
    progress.advance(run.step)
    losses: list[float] = []
    batches = feed(run.step)
    settled = schedule.last_reassignment if training.indices_move else 0
    while run.step < schedule.steps and run.waited(settled) < schedule.patience:
        losses.append(float(training.step(*next(batches))))
        if not np.isfinite(losses[-1]):
            if state is not None:
                state.unlink(missing_ok=True)  # other learning rates start anew
            raise UsageError(
                f"retraining diverged: the error is {losses[-1]} after {run.step + 1} steps; lower the "
                "learning rates."
            )
        run.step += 1
        progress.advance()
        if schedule.reassigns_at(run.step):
            training.reassign()
        if run.step % schedule.validate_every == 0 or run.step == schedule.steps:
            _validate(run, training, validate, losses)
            losses = []
            progress.note(f"validation {run.history[-1]['validation_mse']:.2f}")
            if state is not None:
                _save(run, training, state, key)
    _put(training.variables(), run.best)
    return run


def _validate(run: Run, training: Training, validate: Callable[[], float], losses: list[float]) -> None:
    mse = validate()
    entry = {"step": run.step, "validation_mse": mse}
    if losses:
        entry["train_mse"] = float(np.mean(losses))
    run.history.append(entry)
    if mse < run.best_mse:
        run.best_mse, run.best_step = mse, run.step
        run.best = [np.array(variable) for variable in training.variables()]


def _put(variables: list[Any], arrays: Arrays) -> None:
    for variable, value in zip(variables, arrays, strict=True):
        variable.assign(value)


def _save(run: Run, training: Training, path: Path, key: str) -> None:
    about = {"key": key, "step": run.step, "history": run.history, "best_mse": run.best_mse}
    arrays: dict[str, Any] = {
        f"now{at}": np.array(variable) for at, variable in enumerate(training.variables())
    }
    arrays |= {f"best{at}": value for at, value in enumerate(run.best)}
    with write_aside(path) as aside, aside.open("wb") as file:
        np.savez(file, about=np.array(canonical_json(about | {"best_step": run.best_step})), **arrays)


def _resume(training: Training, path: Path, key: str) -> Run:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["key"] != key:
                raise InputError(
                    f"{path} belongs to a retraining with other settings; finish that one with its own "
                    "command or remove the file to start anew."
                )
            number = len(training.variables())
            _put(training.variables(), [file[f"now{at}"] for at in range(number)])
            best = [file[f"best{at}"] for at in range(number)]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is no state of a retraining ({error}); remove it to start anew.") from None
    return Run(about["step"], about["history"], about["best_mse"], about["best_step"], best)
