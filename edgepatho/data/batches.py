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
    start: int = 0,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield random batches of a split forever, from batch number `start` on.

    Images float32 [batch, size, size, 3] in 0..1, density maps float32 in 0..255. Every epoch visits every
    tile once under a random one of `symmetries`; with `crop`, as a random square of that side. `augment`
    gives each a random appearance and crops, if labels are "true", a random scale. A batch depends only on
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
    points = [_points(entry) for entry in records(folder, name)] if scaled else []
    stains = functools.cache(lambda tile: stain.estimate(images[tile]))
    number = start
    while True:
        rng = np.random.default_rng([seed, 1, number])
        x = np.empty((batch, edge, edge, 3), np.float32)
        y = np.empty_like(x)
        for slot in range(batch):
            epoch, place = divmod(number * batch + slot, len(images))
            tile = np.random.default_rng([seed, 0, epoch]).permutation(len(images))[place]
            if scaled:
                image, density = _scaled(images[tile], points[tile], edge, rng)
            else:
                top, left = rng.integers(0, size - edge + 1, 2)
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


def _scaled(
    tile: NDArray[np.uint8], points: NDArray[np.float64], edge: int, rng: np.random.Generator
) -> Pair:
    """A random square of `tile` at a random scale, uint8 [edge, edge, 3], and its density map.

    The map is drawn from the cells' scaled positions: a Gaussian keeps its width at every scale.
    """
    inside = len(tile) - 2 * BORDER_PX
    scale = max(float(np.exp(rng.uniform(*np.log(SCALES)))), edge / inside)
    side = edge / scale
    left, top = BORDER_PX + rng.uniform(0, inside - side, 2)
    image = Image.fromarray(tile).resize(
        (edge, edge), Image.Resampling.BICUBIC, (left, top, left + side, top + side)
    )
    moved = np.column_stack([(points[:, :2] + 0.5 - (left, top)) * scale - 0.5, points[:, 2]])
    near = ((moved[:, :2] > -WINDOW) & (moved[:, :2] < edge + WINDOW)).all(axis=1)
    return np.asarray(image), density_map(moved[near], edge)
