"""One picture and its labels as tiles of the network's size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.choices import LabelMaps
from edgepatho.data import labels, pictures
from edgepatho.data.density import NETWORK_PX, density_map, published_density_map
from edgepatho.data.pictures import Cut
from edgepatho.data.source import Picture

LEFT_OUT = "cells left out, in strips too narrow for a tile"


@dataclass(frozen=True)
class Tile:
    """Image and density map uint8 [NETWORK_PX, NETWORK_PX, 3]; `entry` is its entry in `<split>.json`."""

    image: NDArray[np.uint8]
    density: NDArray[np.uint8]
    entry: dict[str, Any]


def count(picture: Picture, scale: float | None) -> int:
    """Return the number of tiles of a picture, from its header."""
    return len(pictures.cuts(*pictures.network_size(*pictures.size(picture.image), scale)))


def cut_up(picture: Picture, scale: float | None, maps: LabelMaps, adapted: Counter[str]) -> Iterator[Tile]:
    """Yield the tiles of a picture with density maps at true centres ("true") or the published ones.

    Without a label file there are no cells. Accepted irregularities are counted in `adapted`. Raises
    InputError for an unusable picture or label.
    """
    height, width = pictures.size(picture.image)
    cells = np.empty((0, 3))
    if picture.labels is not None:
        cells = labels.read(picture.labels, width, height, adapted)
    reduced = pictures.read(picture.image, scale)
    points = to_network(cells, (height, width), reduced.shape[:2])
    cuts = pictures.cuts(*reduced.shape[:2])
    adapted[LEFT_OUT] += len(cells)
    for cut in cuts:
        own = (np.floor((points[:, :2] + 0.5) / NETWORK_PX) == (cut.column, cut.row)).all(axis=1)
        adapted[LEFT_OUT] -= np.count_nonzero(own)
        if maps == "published":
            density = _published_map(cells[own], cut, height / reduced.shape[0], width / reduced.shape[1])
        else:  # a neighbouring cell at the border extends into the tile
            density = density_map(points - (cut.left, cut.top, 0))
        entry = {
            "name": f"{picture.name}-{cut.row + 1}-{cut.column + 1}" if len(cuts) > 1 else picture.name,
            "patient": picture.patient,
            "height": cut.height,
            "width": cut.width,
            "points": np.round(points[own] - (cut.left, cut.top, 0), 4).tolist(),
        }
        yield Tile(pictures.tile(reduced, cut), density, entry)


def to_network(
    cells: NDArray[np.float64], size: tuple[int, int], reduced: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return cells [n, 3] of a picture of `size` (height, width) in pixels of the `reduced` picture.

    Pixel centres are whole numbers in both.
    """
    ratio = np.array([reduced[1] / size[1], reduced[0] / size[0]])
    return np.column_stack([(cells[:, :2] + 0.5) * ratio - 0.5, cells[:, 2]])


def _published_map(cells: NDArray[np.float64], cut: Cut, down: float, across: float) -> NDArray[np.uint8]:
    """The published map of a tile; `down` and `across` are picture pixels per network pixel."""
    own = cells - (cut.left * across, cut.top * down, 0)
    return published_density_map(own, NETWORK_PX * across, NETWORK_PX * down)
