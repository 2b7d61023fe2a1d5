"""One original network on one set of tiles, against which any number of compressions are measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import UsageError
from edgepatho.evaluate import accuracy, calibrate
from edgepatho.evaluate.tiles import Tiles, load
from edgepatho.model import graph as graphs
from edgepatho.model.shared import SharedModel, other_variables, variables_of
from edgepatho.progress import Progress
from edgepatho.quantize import prune, retrain, sensitivity
from edgepatho.quantize.latent import LatentTraining
from edgepatho.quantize.quantizer import Quantizer, share
from edgepatho.quantize.retrain import Run, Schedule
from edgepatho.quantize.training import SMALLEST_CAPACITY, SharedTraining, Training, ordinary

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Measuring:
    """How many tiles: of the test split for every figure, of validation for thresholds and for stopping."""

    test_tiles: int | None = None
    calibration_tiles: int = 48
    validation_tiles: int = 16
    thresholds: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Steps:
    """What a retraining step is made of: learning rates of Adam, batches and what they aim at.

    `rate` is that of biases and batch normalization, and of all weights in the control; `index_rate` that of
    the latent weights that choose the indices, 0 for indices that stay. A batch holds random crops of
    `crop_px`, or whole tiles, each in a random one of the first `symmetries`. The target is the labels, or
    the output of the original; then no label is looked at. Without `statistics` a step computes what
    inference does: batch normalization keeps its running statistics and nothing is dropped out. With them,
    a short retraining ends with statistics that lag behind its weights.
    """

    codebook_rate: float = 1e-4
    rate: float = 1e-4
    batch: int = 8
    crop_px: int | None = 128
    symmetries: int = 8
    seed: int = 0
    index_rate: float = 0
    target: str = "labels"
    statistics: bool = False

    def check(self) -> None:
        """Raise UsageError for a learning rate that trains nothing."""
        rates = {"codebook-rate": self.codebook_rate, "rate": self.rate, "index-rate": self.index_rate}
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise UsageError(f"--{name} is {rate:g}; expected a learning rate from 0 to 1.")


@dataclass(frozen=True)
class Compression:
    """A shared model before and after retraining, each with its row of figures, and the run between."""

    before: SharedModel
    after: SharedModel
    row_before: dict[str, Any]
    row_after: dict[str, Any]
    run: Run
    heat: NDArray[np.float32]


class Experiment:
    """The original's weights, thresholds, heat maps and cells; `row` is its row of figures.

    `model` is any Keras model of supported layers that maps prepared tiles to their heat maps. It is used
    up: its variables hold whatever was trained last.
    """

    def __init__(
        self,
        model: keras.Model,
        prepared: Path,
        measuring: Measuring,
        steps: Steps,
        progress: Progress | None = None,
    ) -> None:
        progress = progress or Progress()
        self.graph = graphs.from_keras(model)
        self.tiles: Tiles = load(prepared, "test", measuring.test_tiles)
        self.prepared, self.steps = prepared, steps
        self._model = model
        self._original = {name: np.array(variable) for name, variable in variables_of(model).items()}
        self._others = other_variables(model)
        self._teacher = ordinary(_copy(model), 0.0)
        self._ordinary: Training = ordinary(model, steps.rate, steps.statistics)
        self._shared: dict[tuple[type[SharedTraining], bool], SharedTraining] = {}
        self._sensitivity: dict[str, float] | None = None
        self.validation = load(prepared, "validation", measuring.validation_tiles)
        thresholds = measuring.thresholds
        if thresholds is None:
            progress.note("thresholds")
            tiles = load(prepared, "validation", measuring.calibration_tiles)
            thresholds = calibrate.thresholds(self._ordinary.heat(tiles.images), tiles.labelled)
        self.settings = accuracy.Settings(thresholds)
        progress.note("original")
        self.heat = self._ordinary.heat(self.tiles.images)
        self.found = accuracy.find(self.heat, thresholds)
        self.row = accuracy.row(self.heat, self.tiles, self.settings)

    def row_of(self, heat: NDArray[np.float32]) -> dict[str, Any]:
        """Return the figures of another network's heat maps of the test tiles."""
        return accuracy.row(heat, self.tiles, self.settings, (self.heat, self.found))

    def share(self, quantizer: Quantizer) -> SharedModel:
        """Return the original with its weights shared, biases and batch normalization as they are."""
        return self._shared_of(self.graph.kernels, quantizer)

    def _shared_of(self, kernels: dict[str, NDArray[np.float32]], quantizer: Quantizer) -> SharedModel:
        if quantizer.scale == "output" and self._sensitivity is None:
            self._sensitivity = sensitivity.of_layers(self._teacher.model, self.validation.images)
        shared = share(replace(self.graph, kernels=kernels), quantizer, self._sensitivity)
        shared.variables = dict(self._others)
        return shared

    def compress(
        self,
        quantizer: Quantizer,
        schedule: Schedule,
        steps: Steps | None = None,
        *,
        state: Path | None = None,
        key: str = "",
        progress: Progress | None = None,
    ) -> Compression:
        """Return the network shared and retrained, with figures before and after."""
        steps = steps or self.steps
        shared = self.share(quantizer)
        training = self._training(shared, quantizer, steps)
        before = self.row_of(training.heat(self.tiles.images))
        run = self._retrain(training, schedule, steps, state=state, key=key, progress=progress)
        heat = training.heat(self.tiles.images)
        return Compression(shared, training.trained(), before, self.row_of(heat), run, heat)

    def control(
        self, schedule: Schedule, steps: Steps | None = None, *, progress: Progress | None = None
    ) -> tuple[dict[str, Any], Run]:
        """Return the row of the original after the same steps of ordinary training of all its weights."""
        steps = steps or self.steps
        self._restore(self._original)
        self._ordinary.restart(steps.rate)
        run = self._retrain(self._ordinary, schedule, steps, progress=progress)
        row = self.row_of(self._ordinary.heat(self.tiles.images))
        self._restore(self._original)
        return row, run

    def _training(self, shared: SharedModel, quantizer: Quantizer, steps: Steps) -> SharedTraining:
        """A training of `shared`, ready to begin; one that was traced before if it fits."""
        rates = [steps.codebook_rate, steps.rate]
        kind: type[SharedTraining] = SharedTraining
        if steps.index_rate:
            rates, kind = [*rates, steps.index_rate], LatentTraining
        # As many levels as any choice of indices may need, not only the first.
        own = (k for k in quantizer.layers.values() if k is not None)
        capacity = max(quantizer.k, SMALLEST_CAPACITY, *own)
        training = self._shared.get((kind, steps.statistics))
        if training is not None and training.fits(shared, capacity):
            training.load(shared, *rates)
        else:
            training = kind(self._model, shared, *rates, statistics=steps.statistics, capacity=capacity)
            self._shared[kind, steps.statistics] = training
        if isinstance(training, LatentTraining):
            kernels = {layer: self.graph.kernels[layer] for layer in shared.indices}
            training.choose(
                prune.pruned(kernels, quantizer.prune, quantizer.prune_scope),
                lambda latent: self._shared_of({**self.graph.kernels, **latent}, quantizer),
            )
        return training

    def _retrain(self, training: Training, schedule: Schedule, steps: Steps, **options: Any) -> Run:
        from edgepatho.data.prepare import batches

        def feed(start: int) -> Iterator[retrain.Batch]:
            found = batches(
                self.prepared,
                "train",
                steps.batch,
                seed=steps.seed,
                crop=steps.crop_px,
                symmetries=steps.symmetries,
                start=start,
            )
            return found if steps.target == "labels" else ((x, self._teacher.infer(x)) for x, _ in found)

        images = self.validation.images
        maps = self.validation.maps if steps.target == "labels" else self._teacher.heat(images)

        def validate() -> float:
            return training.mse(images, maps)

        return retrain.retrain(training, feed, validate, schedule, **options)

    def _restore(self, values: Mapping[str, NDArray[Any]]) -> None:
        for name, variable in variables_of(self._model).items():
            variable.assign(values[name])


def _copy(model: keras.Model) -> keras.Model:
    """The same network in variables of its own."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
