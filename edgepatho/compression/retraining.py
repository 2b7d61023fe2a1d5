"""Sharing and retraining the weights of an original; for the control, training all its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.compression.hyperparameters import Hyperparameters
from edgepatho.compression.original import Arrays, Original
from edgepatho.errors import UserError
from edgepatho.model.shared import SharedModel
from edgepatho.model.training_state import TrainingState
from edgepatho.model.weights import variables_of
from edgepatho.progress import Progress
from edgepatho.quantize import prune, quantizer
from edgepatho.quantize.latent import LatentTraining
from edgepatho.quantize.quantizer import Quantizer
from edgepatho.quantize.retrain import Batch, Budget, retrain
from edgepatho.quantize.shared_training import MIN_CAPACITY, SharedTraining
from edgepatho.quantize.training import Training, ordinary

Heat = NDArray[np.float32]


@dataclass(frozen=True)
class Retrained:
    """A shared model after retraining, its heat maps of the test tiles before and after, and the history.

    `unseen` are the rows of figures after retraining on unseen laboratories, by name.
    """

    model: SharedModel
    heat_before: Heat
    heat: Heat
    unseen: dict[str, dict[str, Any]]
    state: TrainingState


@dataclass(frozen=True)
class Control:
    """The same of the original after ordinary training."""

    heat: Heat
    unseen: dict[str, dict[str, Any]]
    state: TrainingState


def share(original: Original, settings: Quantizer) -> SharedModel:
    """Return the original with its weights shared, biases and batch normalization as they are."""
    return _shared(original, original.graph.kernels, settings)


def retrain_shared(
    original: Original,
    shared: SharedModel,
    settings: Quantizer,
    budget: Budget,
    hyperparameters: Hyperparameters,
    *,
    state: Path | None = None,
    key: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Retrained:
    """Return `shared`, the original shared by `settings`, retrained within `budget`.

    With `state`, an interrupted retraining with an equal `key` resumes from that file. Raises UserError
    before any step if the shared network's output is not finite.
    """
    training = _training(original, shared, settings, hyperparameters)
    before = original.heat_of(training)
    if not np.isfinite(before).all():
        raise UserError(
            f"Shared by {settings.method} with k = {settings.k}, the network's output is not finite; "
            "use more levels (-k) or another --method."
        )
    run = retrain(
        training,
        _feed(original, hyperparameters),
        _validation(original, training, hyperparameters),
        budget,
        state=state,
        key=key,
        progress=progress,
    )
    unseen = original.judge_unseen(training)
    return Retrained(training.trained(), before, original.heat_of(training), unseen, run)


def retrain_control(
    original: Original,
    budget: Budget,
    hyperparameters: Hyperparameters,
    *,
    progress: Progress | None = None,
) -> Control:
    """Return the original after ordinary training of all its weights."""
    _restore(original)
    training = original.traced.get((Training, hyperparameters.training))
    if training is None:
        training = ordinary(original.model, hyperparameters.rate, hyperparameters.training)
        original.traced[Training, hyperparameters.training] = training
    training.restart(hyperparameters.rate)
    run = retrain(
        training,
        _feed(original, hyperparameters),
        _validation(original, training, hyperparameters),
        budget,
        progress=progress,
    )
    control = Control(original.heat_of(training), original.judge_unseen(training), run)
    _restore(original)
    return control


def _shared(original: Original, kernels: Arrays, settings: Quantizer) -> SharedModel:
    sensitivity = original.sensitivity if settings.scale == "output" else None
    graph = replace(original.graph, kernels=dict(kernels))
    return replace(quantizer.share(graph, settings, sensitivity), variables=dict(original.others))


def _training(
    original: Original, shared: SharedModel, settings: Quantizer, hyperparameters: Hyperparameters
) -> SharedTraining:
    """A training of `shared`, ready to start; reuses a traced one if it fits."""
    rates = [hyperparameters.codebook_rate, hyperparameters.rate]
    kind: type[SharedTraining] = SharedTraining
    if hyperparameters.index_rate:
        rates, kind = [*rates, hyperparameters.index_rate], LatentTraining
    # As many levels as any reassignment of indices may need, not only the first.
    capacity = max(settings.k, MIN_CAPACITY, *(k for k in settings.layers.values() if k is not None))
    training = original.traced.get((kind, hyperparameters.training))
    if isinstance(training, SharedTraining) and training.fits(shared, capacity):
        training.load(shared, *rates)
    else:
        mode = hyperparameters.training
        training = kind(original.model, shared, *rates, training=mode, capacity=capacity)
        original.traced[kind, mode] = training
    if isinstance(training, LatentTraining):
        kernels = {layer: original.graph.kernels[layer] for layer in shared.indices}
        training.choose(
            prune.pruned(kernels, settings.prune, settings.prune_scope),
            lambda latent: _shared(original, {**original.graph.kernels, **latent}, settings),
        )
    return training


def _feed(original: Original, hyperparameters: Hyperparameters) -> Callable[[int], Iterator[Batch]]:
    """Batches of the training split from a given step on, labelled with the target of retraining."""
    from edgepatho.data.batches import batches

    def feed(start: int) -> Iterator[Batch]:
        labelled = batches(
            original.prepared,
            "train",
            hyperparameters.batch,
            seed=hyperparameters.seed,
            crop=hyperparameters.crop_px,
            symmetries=hyperparameters.symmetries,
            start=start,
        )
        if hyperparameters.target == "labels":
            return labelled
        return ((images, np.asarray(original.teacher.infer(images))) for images, _ in labelled)

    return feed


def _validation(
    original: Original, training: Training, hyperparameters: Hyperparameters
) -> Callable[[], float]:
    """The mean squared error on the validation tiles against the target of retraining."""
    validation = original.validation
    by_labels = hyperparameters.target == "labels"
    maps = validation.maps if by_labels else original.teacher.heat(validation.images)
    return lambda: training.mse(validation.images, maps)


def _restore(original: Original) -> None:
    for name, variable in variables_of(original.model).items():
        variable.assign(original.variables[name])
