"""Batches for training and retraining: random crops of prepared tiles, turned and, if wanted, augmented."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edgepatho.data import appearance, stain, symmetry
from edgepatho.data.density import WINDOW, density_map
from edgepatho.data.prepare import arrays, check_prepared, records
from edgepatho.errors import InputError, UsageError

SCALES = (0.8, 1.25)
# Cells beyond a tile's border are not in its record, but their Gaussians reach this far in, at any scale.
BORDER_PX = int(np.ceil(WINDOW // 2 / SCALES[0]))

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def batches(
    folder: Path,
    name: str,
    batch: int,
    *,
    seed: int,
    crop: int | None = None,
    symmetries: int = symmetry.COUNT,
    augment: bool = False,
    rare: float = 0.0,
    start: int = 0,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield random batches of a split forever, from batch number `start` on.

    Images float32 [batch, size, size, 3] in 0..1, density maps float32 in 0..255. Every epoch visits every
    tile once under a random one of `symmetries`; with `crop`, as a random square of that side. `augment`
    gives each a random appearance and crops, if labels are "true", a random scale. A share `rare` of the
    crops show a cell of the class that has the fewest, in place of the epoch's tile. A batch depends only on
    the arguments and its number, so a stream can resume anywhere.
    """
    images, labels = arrays(folder, name)
    if not len(images):
        raise InputError(
            f"{folder} has no {name} tiles, expected at least one; give another prepared folder."
        )
    size = images.shape[1]
    if crop is not None and not 0 < crop <= size:
        raise UsageError(f"a crop of {crop} px does not fit into tiles of {size} px.")
    edge = crop or size
    # Published maps depend on the picture's border and the order of cells; they cannot be drawn for a part.
    # Whole tiles keep the scale of inference.
    scaled = augment and edge < size - 2 * BORDER_PX and check_prepared(folder).get("labels") == "true"
    points = [_points(entry) for entry in records(folder, name)] if scaled or rare else []
    scarce = _rarest(points) if rare else {}
    stains = functools.cache(lambda tile: stain.estimate(images[tile]))
    number = start
    while True:
        rng = np.random.default_rng([seed, 1, number])
        x = np.empty((batch, edge, edge, 3), np.float32)
        y = np.empty_like(x)
        for slot in range(batch):
            epoch, place = divmod(number * batch + slot, len(images))
            tile = np.random.default_rng([seed, 0, epoch]).permutation(len(images))[place]
            at = None
            if scarce and rng.random() < rare:
                tile, at = _drawn(scarce, rng)
            if scaled:
                image, density = _scaled(images[tile], points[tile], edge, rng, at)
            else:
                if at is None:
                    top, left = rng.integers(0, size - edge + 1, 2)
                else:
                    left, top = _around(at, edge, size - edge, rng).astype(int)
                window = (tile, slice(top, top + edge), slice(left, left + edge))
                image, density = images[window], labels[window]
            turn = int(rng.integers(symmetries))
            if augment:
                present = stains(tile)
                image = appearance.draw(present, rng).of(image, present, rng)
            x[slot], y[slot] = symmetry.turned(image, turn), symmetry.turned(density, turn)
        yield x / 255, y
        number += 1


def _points(entry: dict[str, Any]) -> NDArray[np.float64]:
    return np.array(entry["points"], np.float64).reshape(-1, 3)


def _rarest(points: list[NDArray[np.float64]]) -> dict[int, NDArray[np.float64]]:
    """The positions, by tile, of the class with the fewest cells; tiles without one are left out."""
    labels, counts = np.unique(np.concatenate(points)[:, 2], return_counts=True)
    label = labels[counts.argmin()] if len(labels) else 0
    cells = {tile: entry[entry[:, 2] == label, :2] for tile, entry in enumerate(points)}
    return {tile: found for tile, found in cells.items() if len(found)}


def _drawn(
    cells: dict[int, NDArray[np.float64]], rng: np.random.Generator
) -> tuple[int, NDArray[np.float64]]:
    """A tile and one of its `cells`; tiles by the root of their number, so that no crowd prevails."""
    weights = np.sqrt([len(found) for found in cells.values()])
    tile = int(rng.choice(list(cells), p=weights / weights.sum()))
    return tile, cells[tile][rng.integers(len(cells[tile]))]


def _around(
    cell: NDArray[np.float64], side: float, room: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Left and top, in 0..`room`, of a random square of `side` with `cell` inside, if there is room."""
    return np.clip(cell - rng.uniform(0.1, 0.9, 2) * side, 0, room)


def _scaled(
    tile: NDArray[np.uint8],
    points: NDArray[np.float64],
    edge: int,
    rng: np.random.Generator,
    at: NDArray[np.float64] | None,
) -> Pair:
    """A random square of `tile` at a random scale, uint8 [edge, edge, 3], and its density map.

    It holds the cell `at`, if one is given that is not in the tile's border. The map is drawn from the cells'
    scaled positions: a Gaussian keeps its width at every scale.
    """
    inside = len(tile) - 2 * BORDER_PX
    scale = max(float(np.exp(rng.uniform(*np.log(SCALES)))), edge / inside)
    side = edge / scale
    room = inside - side
    corner = rng.uniform(0, room, 2) if at is None else _around(at - BORDER_PX, side, room, rng)
    left, top = BORDER_PX + corner
    image = Image.fromarray(tile).resize(
        (edge, edge), Image.Resampling.BICUBIC, (left, top, left + side, top + side)
    )
    moved = np.column_stack([(points[:, :2] + 0.5 - (left, top)) * scale - 0.5, points[:, 2]])
    near = ((moved[:, :2] > -WINDOW) & (moved[:, :2] < edge + WINDOW)).all(axis=1)
    return np.asarray(image), density_map(moved[near], edge)
