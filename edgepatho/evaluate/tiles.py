"""Labelled tiles of a prepared folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgepatho.choices import Split, check_choice
from edgepatho.errors import InputError
from edgepatho.evaluate.cells import Points

CellsPerTile = list[list[Points]]  # per tile, per class


@dataclass(frozen=True)
class Tiles:
    """Labelled tiles: `images` and density maps uint8 [n, 256, 256, 3]; per tile cells, patient, name, size.

    Without labels, `maps` and `labelled` are empty. `sizes` are the height and width of the part that shows
    the picture; beyond it, a tile repeats its edge.
    """

    images: NDArray[np.uint8]
    maps: NDArray[np.uint8]
    labelled: CellsPerTile
    patients: list[str]
    names: list[str]
    sizes: list[tuple[int, int]]
    are_labelled: bool = True

    def first(self, number: int) -> Tiles:
        """Return at most `number` tiles, evenly spaced so that every patient is represented."""
        chosen = np.unique(np.linspace(0, len(self.names) - 1, min(number, len(self.names))).astype(int))
        return Tiles(
            self.images[chosen],
            self.maps[chosen],
            [self.labelled[i] for i in chosen],
            [self.patients[i] for i in chosen],
            [self.names[i] for i in chosen],
            [self.sizes[i] for i in chosen],
            self.are_labelled,
        )

    def within(self, heat: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return heat maps [n, height, width, classes] of these tiles, set to 0 where they show no picture.

        The device crops its maps there; cells in the repeated edge would have no labels.
        """
        for tile, (height, width) in zip(heat, self.sizes, strict=True):
            tile[height:] = 0
            tile[:, width:] = 0
        return heat


def load(prepared: Path, split: Split, most: int | None = None) -> Tiles:
    """Return the tiles of a split ("train", "validation", "test") of a prepared folder, at most `most`.

    Raises InputError for a folder that `edgepatho prepare` did not make or a split without tiles.
    """
    from edgepatho.data.prepare import UNLABELLED, arrays, check_prepared, records

    check_choice("split", split, Split)
    about = check_prepared(prepared)
    images, labels = arrays(prepared, split)
    entries = records(prepared, split)
    if not entries:
        raise InputError(
            f"{prepared} has no {split} tiles, expected at least one; give another prepared folder."
        )
    tiles = Tiles(
        images,
        labels,
        [_by_class(entry["points"]) for entry in entries],
        [entry["patient"] for entry in entries],
        [entry["name"] for entry in entries],
        [(entry["height"], entry["width"]) for entry in entries],
        about.get("labels") != UNLABELLED,
    )
    return tiles if most is None else tiles.first(most)


def _by_class(points: list[list[float]]) -> list[Points]:
    """Labels 1, 2, 3 are the classes 0, 1, 2."""
    cells = np.array(points, np.float64).reshape(-1, 3)
    return [cells[cells[:, 2] == label, :2] for label in (1, 2, 3)]
