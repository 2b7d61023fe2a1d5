"""Training PathoNet on density maps, resumable at any step.

As in the paper's code, the loss is the mean squared error of maps in 0..255 units plus L2 on the kernels, and
the optimizer is Adam. Most steps see random crops at a quarter of a whole tile's cost, which allows more
steps; some of them seek the rarest class. The last ones see whole tiles, so batch normalization settles on
what inference will see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.classes import CLASSES
from edgepatho.model import training_state
from edgepatho.model.training_state import TrainingState
from edgepatho.progress import Progress

if TYPE_CHECKING:
    import keras

STATE = "state.npz"
SAVE_EVERY_S = 120.0
VALIDATION_TILES = 32
# Between these shares of the crop steps, half of the crops show the rarest class, and classes with few cells
# weigh more in the loss. One cell in 40 is a lymphocyte: without this, the network took them for
# immunonegative nuclei after two thirds of the steps. Afterwards crops are as the tiles are, so that heat
# keeps its meaning, a probability.
RARE_FROM, RARE_TO, RARE = 0.7, 0.9, 0.5


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training run; the learning rate decays along a cosine from `rate` to 1 % of it.

    `augment`: random scale and appearance, see `data.batches`.
    """

    crop_steps: int = 3000
    whole_steps: int = 200
    batch: int = 8
    crop_px: int = 128
    rate: float = 2e-3
    l2: float = 5e-4
    seed: int = 4
    augment: bool = True

    @property
    def steps(self) -> int:
        return self.crop_steps + self.whole_steps

    def rate_at(self, step: int) -> float:
        """Return the learning rate of `step`, after a linear warm-up over the first 50 steps."""
        cosine = 0.5 * (1 + np.cos(np.pi * step / max(self.steps, 1)))
        return float(self.rate * min(1.0, (step + 1) / 50) * (0.01 + 0.99 * cosine))


def train(
    prepared: Path,
    work: Path,
    settings: TrainingSettings,
    *,
    progress: Progress | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[keras.Model, TrainingState]:
    """Train PathoNet on a prepared folder to the last step, saving `work`/state.npz as it goes.

    An interrupted run resumes at its last saved step, exactly as if it had not been interrupted. `stop` is
    called after every step. Raises InputError if `work` holds a run with other settings or other tiles, or a
    damaged state.
    """
    from edgepatho.data.prepare import check_prepared

    file = work / STATE
    key = {"settings": asdict(settings), "tiles": check_prepared(prepared)["sha256"]}
    state, values = training_state.load(file, key)
    model, optimizer = _network(settings)
    variables = [*model.variables, *optimizer.variables]
    if values:
        training_state.restore(file, variables, values)
    progress = progress or Progress()
    if state.step:
        progress.say(f"Resuming at step {state.step} of {settings.steps}, from {file}.")
    progress.advance(state.step)
    progress.note("making the first step")
    step_of = _training_step(model, optimizer)
    saved = time.monotonic()
    while state.step < settings.steps and not stop():
        begun, until = time.monotonic(), saved + SAVE_EVERY_S
        losses = []
        for loss in _steps(prepared, settings, state.step, optimizer, step_of):
            losses.append(loss)
            progress.advance()
            progress.note(f"mse {loss:.1f}")
            if stop() or time.monotonic() >= until:
                break
        state.step += len(losses)
        entry = {"step": state.step, "train_mse": round(float(np.mean(losses)), 3)}
        entry["validation_mse"] = round(validation_mse(model, prepared), 3)
        state.history.append(entry)
        state.seconds += time.monotonic() - begun
        training_state.save(file, state, variables, key)
        saved = time.monotonic()
    return model, state


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


def _steps(
    prepared: Path,
    settings: TrainingSettings,
    first: int,
    optimizer: Any,
    step_of: Callable[[Any, Any, Any], Any],
) -> Iterator[float]:
    """Train from step `first` to the end of its phase; yield each step's loss."""
    from edgepatho.data.batches import batches

    end, crop, rare = _phase(settings, first)
    feed = batches(
        prepared,
        "train",
        settings.batch,
        seed=settings.seed,
        crop=crop,
        augment=settings.augment,
        rare=rare,
        start=first,
    )
    weights = _class_weights(prepared) if rare else np.ones(len(CLASSES), np.float32)
    for step in range(first, end):
        optimizer.learning_rate.assign(settings.rate_at(step))
        yield float(step_of(*next(feed), weights))


def _phase(settings: TrainingSettings, step: int) -> tuple[int, int | None, float]:
    """The end of the phase of `step`, the side of its crops, and how many of them seek the rarest class."""
    crops = settings.crop_steps
    for end, rare in ((round(RARE_FROM * crops), 0.0), (round(RARE_TO * crops), RARE), (crops, 0.0)):
        if step < end:
            return end, settings.crop_px, rare
    return settings.steps, None, 0.0


def _class_weights(prepared: Path) -> NDArray[np.float32]:
    """The root of how many times fewer training cells a class has than the most frequent one; at least 1."""
    from edgepatho.data.prepare import records

    labels = [int(label) for entry in records(prepared, "train") for _, _, label in entry["points"]]
    counts = np.bincount(labels, minlength=len(CLASSES) + 1)[1:].clip(min=1)
    weights: NDArray[np.float32] = np.sqrt(counts.max() / counts).astype(np.float32)
    return weights


def _training_step(model: keras.Model, optimizer: Any) -> Callable[[Any, Any, Any], Any]:
    import tensorflow as tf

    def step(images: Any, labels: Any, weights: Any) -> Any:
        with tf.GradientTape() as tape:
            errors = tf.square(model(images, training=True) - labels)
            loss = tf.add_n([tf.reduce_mean(errors * weights), *model.losses])
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return tf.reduce_mean(errors)

    traced: Callable[[Any, Any, Any], Any] = tf.function(step, reduce_retracing=True)
    return traced


def _forward(model: keras.Model, images: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(model(images.astype(np.float32) / 255, training=False))


def _network(settings: TrainingSettings) -> tuple[keras.Model, Any]:
    """PathoNet with its optimizer, all variables created."""
    import keras

    from edgepatho.model import pathonet

    model = pathonet.build(size=None, l2=settings.l2)
    optimizer = keras.optimizers.Adam(settings.rate)
    optimizer.build(model.trainable_variables)
    return model, optimizer
