"""Training PathoNet on density maps, resumable at any step.

Loss as in the paper's code: mean squared error of maps in 0..255 units plus L2 on the kernels; Adam. Most
steps see random crops, which costs a quarter of a whole tile and so buys more steps; the last ones see
whole tiles, so that batch normalization settles on what inference will see.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgepatho.errors import InputError
from edgepatho.files import write_aside
from edgepatho.progress import Progress

if TYPE_CHECKING:
    import keras

SAVE_EVERY_S = 120.0
VALIDATION_TILES = 32


@dataclass(frozen=True)
class Schedule:
    """What a training run is made of; the learning rate falls as a cosine from `rate` to 1 % of it."""

    crop_steps: int = 3000
    whole_steps: int = 200
    batch: int = 8
    crop_px: int = 128
    rate: float = 2e-3
    l2: float = 5e-4
    seed: int = 4

    @property
    def steps(self) -> int:
        return self.crop_steps + self.whole_steps

    def rate_at(self, step: int) -> float:
        """Return the learning rate of `step`, after a linear warm-up over the first 50 steps."""
        cosine = 0.5 * (1 + np.cos(np.pi * step / max(self.steps, 1)))
        return float(self.rate * min(1.0, (step + 1) / 50) * (0.01 + 0.99 * cosine))


@dataclass
class Run:
    """A training run between two steps: the network, its optimizer, and what was logged so far."""

    model: keras.Model
    optimizer: Any
    step: int
    seconds: float
    log: list[dict[str, float]]


def train(
    prepared: Path,
    work: Path,
    schedule: Schedule,
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Run:
    """Train PathoNet on a prepared folder until the schedule ends, saving `work`/state.npz as it goes.

    A run that was interrupted goes on from its last saved step; its other steps are the same as without the
    interruption. `stop` is asked after every step. Raises InputError if `work` holds a run of another
    schedule or other tiles, or a damaged state.
    """
    from edgepatho.data.prepare import check_prepared

    tiles = check_prepared(prepared)["sha256"]
    run = _resume(work, schedule, tiles)
    progress = progress or Progress()
    progress.advance(run.step)
    step_of = _training_step(run.model, run.optimizer)
    saved = time.monotonic()
    while run.step < schedule.steps and not stop():
        run.step, spent = _some_steps(run, prepared, schedule, step_of, progress, stop, saved + SAVE_EVERY_S)
        run.seconds += spent
        _save(work, schedule, tiles, run)
        saved = time.monotonic()
    return run


def validation_mse(model: keras.Model, prepared: Path, tiles: int = VALIDATION_TILES) -> float:
    """Return the mean squared error (0..255 units) over the first `tiles` whole validation tiles."""
    from edgepatho.data.prepare import arrays

    images, labels = arrays(prepared, "validation")
    errors = [
        np.mean(
            (_forward(model, images[i : i + 4]) - labels[i : i + 4].astype(np.float32)) ** 2, axis=(1, 2, 3)
        )
        for i in range(0, min(tiles, len(images)), 4)
    ]
    return float(np.concatenate(errors).mean())


def _some_steps(
    run: Run,
    prepared: Path,
    schedule: Schedule,
    step_of: Callable[[Any, Any], Any],
    progress: Progress,
    stop: Callable[[], bool],
    until: float,
) -> tuple[int, float]:
    """Train until a phase or the time to save ends; return the step reached and the seconds spent."""
    from edgepatho.data.prepare import batches

    begun, step = time.monotonic(), run.step
    cropped = step < schedule.crop_steps
    end = schedule.crop_steps if cropped else schedule.steps
    feed = batches(
        prepared,
        "train",
        schedule.batch,
        seed=schedule.seed,
        crop=schedule.crop_px if cropped else None,
        start=step,
    )
    losses = []
    for images, labels in feed:
        run.optimizer.learning_rate.assign(schedule.rate_at(step))
        losses.append(float(step_of(images, labels)))
        step += 1
        progress.advance()
        progress.note(f"mse {losses[-1]:.1f}")
        if step >= end or stop() or time.monotonic() >= until:
            break
    entry = {"step": step, "train_mse": round(float(np.mean(losses)), 3)}
    entry["validation_mse"] = round(validation_mse(run.model, prepared), 3)
    run.log.append(entry)
    return step, time.monotonic() - begun


def _training_step(model: keras.Model, optimizer: Any) -> Callable[[Any, Any], Any]:
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def step(images: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape:
            mse = tf.reduce_mean(tf.square(model(images, training=True) - labels))
            loss = mse + tf.add_n(model.losses) if model.losses else mse
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return mse

    return step


def _forward(model: keras.Model, images: np.ndarray) -> np.ndarray:
    return np.asarray(model(images.astype(np.float32) / 255, training=False))


def _resume(work: Path, schedule: Schedule, tiles: str) -> Run:
    import keras

    from edgepatho.model import pathonet
    from edgepatho.model.weights import UNREADABLE

    model = pathonet.build(size=None, l2=schedule.l2)
    optimizer = keras.optimizers.Adam(schedule.rate)
    optimizer.build(model.trainable_variables)
    state = work / "state.npz"
    if not state.exists():
        return Run(model, optimizer, 0, 0.0, [])
    try:
        with state.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if about["schedule"] != asdict(schedule):
                raise InputError(
                    f"{state} belongs to a run with {about['schedule']}, this one has {asdict(schedule)}; "
                    "use the same settings to resume it or another folder."
                )
            if about["tiles"] != tiles:
                raise InputError(
                    f"{state} belongs to a run on other tiles; give those or another work folder."
                )
            for index, variable in enumerate([*model.variables, *optimizer.variables]):
                variable.assign(stored[f"v{index}"])
    except UNREADABLE as error:
        raise InputError(
            f"{state} is not the state of a training run ({error}); remove it or use another folder."
        ) from None
    return Run(model, optimizer, about["step"], about["seconds"], about["log"])


def _save(work: Path, schedule: Schedule, tiles: str, run: Run) -> None:
    values: dict[str, Any] = {
        f"v{i}": np.asarray(v) for i, v in enumerate([*run.model.variables, *run.optimizer.variables])
    }
    about = {"schedule": asdict(schedule), "tiles": tiles, "step": run.step, "log": run.log}
    about["seconds"] = round(run.seconds, 1)
    with write_aside(work / "state.npz") as aside, aside.open("wb") as file:
        np.savez(file, about=np.array(json.dumps(about)), **values)
