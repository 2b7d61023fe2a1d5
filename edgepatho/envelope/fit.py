"""The envelope of training pictures, in the form of a bundle's object (docs/envelope.md)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.envelope import colour, statistics
from edgepatho.envelope.colour import Colour, Float64
from edgepatho.evaluate import cells as cell_finder
from edgepatho.evaluate.tiles import load

Heat = NDArray[np.float32]

SHARES = (
    "tissue",
    "hematoxylin_area",
    "dab_area",
    "brown_core_pale",
    "brown_core_dense",
    "brown_rim",
    "doubtful_heat",
)
# Which ends of a statistic's range matter.
ENDS = {
    "background": "low",
    "density": "both",
    "tissue": "low",
    "hematoxylin_area": "low",
    "dab_area": "low",
    "saturation": "low",
    "dab_to_hematoxylin": "low",
    "brown_core_pale": "low",
    "brown_core_dense": "low",
    "brown_rim": "high",
    "sharpness": "both",
    "nucleus_px": "both",
    "doubtful_heat": "high",
}
TAIL = 0.005  # of the tiles may lie beyond an end before it is widened
WIDENING = 0.5  # by this much of the distance from the median, as ratios, of shares as odds
LEAST = 1e-6  # so that logarithms are finite
SEEN_SHARE = 0.001  # of a tile's stain that makes a colour, and its neighbours, known
UNSEEN_TAIL = 0.02  # of the tiles of a patient left out may have more stain of colours that the others lack
LEAST_UNSEEN = 0.05
HEATED = 96  # tiles that the network is run on
DIGITS = 4


def of_prepared(
    prepared: Path, heat_of: Callable[[NDArray[np.uint8]], Heat], thresholds: Sequence[float], synthetic: bool
) -> dict[str, Any]:
    """Return the envelope of the training and validation tiles of a prepared folder.

    `heat_of` is the network, from tiles uint8 [n, h, w, 3] to heat maps [n, h, w, classes].
    """
    pictures: list[NDArray[np.uint8]] = []
    patients: list[str] = []
    heat: dict[int, Heat] = {}
    for split in ("train", "validation"):
        tiles = load(prepared, split)
        for number in _spread(len(tiles.names), HEATED // 2):
            height, width = tiles.sizes[number]
            heat[len(pictures) + number] = heat_of(tiles.images[number][None])[0, :height, :width]
        pictures += [
            image[:height, :width] for image, (height, width) in zip(tiles.images, tiles.sizes, strict=True)
        ]
        patients += tiles.patients
    kind = "synthetic tiles" if synthetic else "tiles"
    return fit(
        pictures, patients, heat, thresholds, f"{len(pictures)} {kind} of {len(set(patients))} patients"
    )


def fit(
    pictures: Sequence[NDArray[np.uint8]],
    patients: Sequence[str],
    heat: dict[int, Heat],
    thresholds: Sequence[float],
    trained_on: str,
) -> dict[str, Any]:
    """Return the envelope of `pictures` uint8 [h, w, 3] at the network's scale.

    `heat` holds the heat maps of some of them, by number.
    """
    rows, tables, pixels = [], [], []
    for number, picture in enumerate(pictures):
        seen = colour.colour(picture)
        row = statistics.of_picture(picture, seen)
        if number in heat:
            row |= _of_heat(seen, heat[number], thresholds)
        rows.append(row)
        tables.append(colour.table(seen))
        pixels.append(statistics.stain_pixels(seen))
    counts = np.array(tables)
    shown = counts > SEEN_SHARE * np.maximum(counts.sum(axis=(1, 2, 3), keepdims=True), 1)
    ranges = {name: ends for name in ENDS if (ends := _range(name, rows)) is not None}
    ranges["unseen_colours"] = [None, _unseen(counts, np.array(pixels), shown, np.array(patients))]
    bits = np.packbits(_known(shown).reshape(len(colour.STRENGTHS), -1), axis=1)
    return {
        "colours": [level.tobytes().hex() for level in bits],
        "ranges": ranges,
        "stains": {name: _stain([row[name] for row in rows]) for name in ("hematoxylin", "dab")},
        "trained_on": trained_on,
    }


def _spread(count: int, most: int) -> list[int]:
    """At most `most` numbers below `count`, evenly spread."""
    return [int(at) for at in np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))]


def _of_heat(seen: Colour, heat: Heat, thresholds: Sequence[float]) -> dict[str, float | None]:
    centres = np.concatenate(cell_finder.find(heat, thresholds))
    doubtful = {"doubtful_heat": statistics.doubtful_heat(heat, thresholds)}
    return statistics.of_cells(seen, centres) | doubtful


def _range(name: str, rows: list[dict[str, Any]]) -> list[float | None] | None:
    """The range of a statistic: its outer percentiles, widened; None if no picture has it."""
    values = np.array([row[name] for row in rows if row.get(name) is not None])
    if not values.size:
        return None
    ratios = values / (1 - np.minimum(values, 1 - LEAST)) if name in SHARES else values
    scale = np.log(np.maximum(ratios, LEAST))
    ends = np.quantile(scale, [TAIL, 1 - TAIL])
    wide = np.exp(ends + WIDENING * (ends - np.median(scale)))
    low, high = map(_rounded, wide / (1 + wide) if name in SHARES else wide)
    return [None if ENDS[name] == "high" else low, None if ENDS[name] == "low" else high]


def _known(shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The colours [5, 32, 32] that any tile has `shown` [n, 5, 32, 32], and their neighbours."""
    seen = np.pad(shown.any(axis=0), ((0, 0), (1, 1), (1, 1)))
    middle = slice(1, -1)
    sides = [
        (slice(2, None), middle),
        (slice(None, -2), middle),
        (middle, slice(2, None)),
        (middle, slice(None, -2)),
    ]
    known: NDArray[np.bool_] = seen[:, middle, middle].copy()
    for rows, columns in sides:
        known |= seen[:, rows, columns]
    return known


def _unseen(
    counts: NDArray[np.int64], pixels: Float64, shown: NDArray[np.bool_], patients: NDArray[np.str_]
) -> float:
    """The share of a stain in unknown colours that is usual on patients the others were not fitted on."""
    beyond = [
        np.nan_to_num(statistics.unseen_shares(counts[own], pixels[own], _known(shown[~own]))).max(axis=1)
        for patient in np.unique(patients)
        if not (own := patients == patient).all()
    ]
    usual = np.quantile(np.concatenate(beyond), 1 - UNSEEN_TAIL) if beyond else 0.0
    return _rounded(max(LEAST_UNSEEN, float(usual)))


def _stain(directions: list[list[float] | None]) -> list[list[float]]:
    """The percentiles 5 and 95 of each channel of a stain's direction."""
    measured = [direction for direction in directions if direction is not None] or [[0, 0, 0], [1, 1, 1]]
    ends = np.quantile(np.array(measured), [0.05, 0.95], axis=0)
    return [[round(float(share), 2) for share in end] for end in ends]


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
