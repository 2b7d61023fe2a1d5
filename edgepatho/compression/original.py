"""The original network on one set of tiles, the reference for any number of compressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate import accuracy, thresholds
from edgepatho.evaluate.tiles import CellsPerTile, Tiles, load
from edgepatho.evaluate.unseen import UnseenTiles
from edgepatho.model import graph as graphs
from edgepatho.model.shared import other_variables
from edgepatho.model.weights import variables_of
from edgepatho.progress import Progress
from edgepatho.quantize import sensitivity
from edgepatho.quantize.training import Training, ordinary

if TYPE_CHECKING:
    import keras

Arrays = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Measuring:
    """Numbers of tiles: test tiles for the figures, validation tiles for thresholds and early stopping."""

    test_tiles: int | None = None
    calibration_tiles: int = 48
    validation_tiles: int = 16
    thresholds: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Reference:
    """What the original makes of some tiles: heat maps, cells and row of figures."""

    tiles: Tiles
    heat: NDArray[np.float32]
    cells: CellsPerTile
    row: dict[str, Any]

    def judge(self, heat: NDArray[np.float32], protocol: accuracy.Protocol) -> dict[str, Any]:
        """Return the row of figures of another network from its heat maps of these tiles."""
        return accuracy.row(heat, self.tiles, protocol, (self.heat, self.cells))


@dataclass(frozen=True)
class Original:
    """A network before compression with its thresholds and its figures on the test tiles.

    `unseen` are those on laboratories beyond the prepared folder, by name. `model` is the one that is
    retrained: its variables hold the state of the last training. `teacher` is an unchanged copy. `variables`
    are all values of the original, `others` those that are not kernels. `traced` caches traced training
    steps, by kind and mode, for the next retraining.
    """

    model: keras.Model
    graph: graphs.Graph
    variables: Arrays
    others: Arrays
    teacher: Training
    prepared: Path
    validation: Tiles
    protocol: accuracy.Protocol
    test: Reference
    unseen: Mapping[str, Reference]
    traced: dict[tuple[type[Training], bool], Training] = field(default_factory=dict)

    @cached_property
    def sensitivity(self) -> dict[str, float]:
        """The output's sensitivity to the weights of each layer, on the validation tiles."""
        return sensitivity.of_layers(self.teacher.model, self.validation.images)

    def heat_of(self, training: Training) -> NDArray[np.float32]:
        """Return the heat maps of the test tiles by the network that `training` trains."""
        return self.test.tiles.within(training.heat(self.test.tiles.images))

    def judge(self, heat: NDArray[np.float32]) -> dict[str, Any]:
        """Return the row of figures of another network from its heat maps of the test tiles."""
        return self.test.judge(heat, self.protocol)

    def judge_unseen(self, training: Training) -> dict[str, dict[str, Any]]:
        """Return the rows of the network that `training` trains on the unseen laboratories, by name."""
        return {
            name: reference.judge(
                reference.tiles.within(training.heat(reference.tiles.images)), self.protocol
            )
            for name, reference in self.unseen.items()
        }


def measure(
    model: keras.Model,
    prepared: Path,
    measuring: Measuring,
    progress: Progress | None = None,
    unseen: Sequence[UnseenTiles] = (),
) -> Original:
    """Return `model`, any Keras model of supported layers from tiles to heat maps, measured on `prepared`.

    It is measured on the tiles of `unseen` laboratories too.
    """
    progress = progress or Progress()
    tiles = load(prepared, "test", measuring.test_tiles)
    validation = load(prepared, "validation", measuring.validation_tiles)
    variables = {name: np.array(variable) for name, variable in variables_of(model).items()}
    graph, others = graphs.from_keras(model), other_variables(model)
    teacher, training = ordinary(_copy(model), 0.0), ordinary(model, 0.0)
    protocol = accuracy.Protocol(measuring.thresholds or ())
    if measuring.thresholds is None:
        progress.note("choosing thresholds")
        labelled = load(prepared, "validation", measuring.calibration_tiles)
        maps = labelled.within(training.heat(labelled.images))
        protocol = protocol.chosen(thresholds.choose_all(list(maps), labelled.labelled))
    progress.note("measuring the original")
    return Original(
        model,
        graph,
        variables,
        others,
        teacher,
        prepared,
        validation,
        protocol,
        _reference(training, tiles, protocol),
        {laboratory.name: _reference(training, laboratory.tiles, protocol) for laboratory in unseen},
        {(Training, False): training},
    )


def _reference(training: Training, tiles: Tiles, protocol: accuracy.Protocol) -> Reference:
    heat = tiles.within(training.heat(tiles.images))
    cells = accuracy.find(heat, protocol.thresholds)
    return Reference(tiles, heat, cells, accuracy.row(heat, tiles, protocol))


def _copy(model: keras.Model) -> keras.Model:
    """The same network with its own variables."""
    import keras

    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy
