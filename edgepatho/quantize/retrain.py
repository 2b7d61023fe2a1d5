"""Retraining with regular validation: it keeps the best state and resumes after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import UsageError
from edgepatho.model import training_state
from edgepatho.model.training_state import TrainingState
from edgepatho.progress import Progress
from edgepatho.quantize.training import Training

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]
Feed = Callable[[int], Iterator[Batch]]  # first step -> its batch and all later ones


@dataclass(frozen=True)
class Budget:
    """How long to retrain: at most `steps`, with validation every `validate_every`; stop early after
    `patience` validations without a new best. Indices that can move are reassigned every `reassign_every`
    steps during the first two thirds; the last third trains the codebook alone. Patience counts only there,
    because each reassignment raises the error until later steps recover it."""

    steps: int = 60
    validate_every: int = 20
    patience: int = 5
    reassign_every: int = 10

    @property
    def last_reassignment(self) -> int:
        """The last step after which indices may change."""
        return 2 * self.steps // 3

    def reassigns_at(self, step: int) -> bool:
        """Whether indices that can move are reassigned after `step` steps."""
        return step % self.reassign_every == 0 and step <= self.last_reassignment


def retrain(
    training: Training,
    feed: Feed,
    validate: Callable[[], float],
    budget: Budget,
    *,
    state: Path | None = None,
    key: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> TrainingState:
    """Train until the budget is spent or validation no longer improves; leave the best state in `training`.

    The state before the first step counts too, so retraining never makes validation worse. With `state`, a
    file is written at every validation, and a later call with the same `key` resumes from it exactly as if
    it had not been interrupted; another key raises InputError.
    """
    progress, key = progress or Progress(), key or {}
    run = TrainingState()
    if state is not None:
        run, values = training_state.load(state, key)
        if values:
            training_state.restore(state, training.variables(), values)
    if state is not None and run.step:
        progress.say(f"Resuming at step {run.step} of {budget.steps}, from {state}.")
    if not run.history:
        progress.note("validating before the first step")
        _validate(run, training, validate, [])
    progress.advance(run.step)
    progress.note("making the first step")
    losses: list[float] = []
    batches = feed(run.step)
    settled = budget.last_reassignment if training.indices_move else 0
    while run.step < budget.steps and _waited(run, settled) < budget.patience:
        losses.append(float(training.step(*next(batches))))
        if not np.isfinite(losses[-1]):
            if state is not None:
                state.unlink(missing_ok=True)  # a run with other learning rates starts over
            raise UsageError(
                f"retraining diverged: the error is {losses[-1]} after {run.step + 1} steps; lower the "
                "learning rates."
            )
        run.step += 1
        progress.note(f"mse {losses[-1]:.1f}")
        progress.advance()
        if budget.reassigns_at(run.step):
            training.reassign()
        if run.step % budget.validate_every == 0 or run.step == budget.steps:
            _validate(run, training, validate, losses)
            losses = []
            progress.note(f"validation {run.history[-1]['validation_mse']:.2f}")
            if state is not None:
                training_state.save(state, run, training.variables(), key)
    for variable, value in zip(training.variables(), run.best, strict=True):
        variable.assign(value)
    return run


def _waited(run: TrainingState, start: int) -> int:
    """Validations since the best one, counting only those after step `start`."""
    return sum(entry["step"] > max(run.best_step, start) for entry in run.history)


def _validate(
    run: TrainingState, training: Training, validate: Callable[[], float], losses: list[float]
) -> None:
    mse = validate()
    entry = {"step": run.step, "validation_mse": mse}
    if losses:
        entry["train_mse"] = float(np.mean(losses))
    run.history.append(entry)
    if run.best_mse is None or mse < run.best_mse:
        run.best_mse, run.best_step = mse, run.step
        run.best = [np.array(variable) for variable in training.variables()]
