"""One tile: picture, labels, and the positions of look-alikes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edgepatho.data.shidc import LookAlike
from edgepatho.data.synth.camera import photograph
from edgepatho.data.synth.cells import Cell, crowd, tils, tumour
from edgepatho.data.synth.ground import ground
from edgepatho.data.synth.hazards import fold
from edgepatho.data.synth.look_alikes import look_alikes
from edgepatho.data.synth.nuclei import Stains, paint
from edgepatho.data.synth.outline import Chromatin, chromatin
from edgepatho.data.synth.style import Style
from edgepatho.data.synth.tissue import lay_out

ANNOTATOR_JITTER_PX = 2.5
HIDDEN = 0.3  # of a hazard's mask, from which on a cell is not annotated
# Painted in this order, the deepest first.
DEPTH = (
    *(
        "out of focus",
        "brown, out of focus",
        "fibroblast",
        "endothelium",
        "vesicular",
        "solid",
        "til",
        "positive",
    ),
    *("brown stroma", "smear", "debris"),
)


class PaintedTile(NamedTuple):
    """A picture, uint8 RGB [size, size, 3], labels, int64 [cells, 3] of x, y, label_id, and look-alikes."""

    image: NDArray[Any]
    labels: NDArray[Any]
    look_alikes: list[LookAlike]


def make_tile(seed: int, style: Style, field: int, crop: int, size: int) -> PaintedTile:
    """Return a tile, a pure function of the arguments; cells have the same size whatever `size` is."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 7, style.patient, field, crop])
    field_rng = np.random.default_rng([seed, 9, style.patient, field])  # shared by the field's crops
    canvas = round(size / style.magnification)
    wanted = crowd(rng, field_rng, style, canvas)
    tissue = lay_out(rng, style, canvas, wanted.share(style, canvas))
    own = tumour(rng, style, tissue, wanted)
    cells = own + tils(rng, style, tissue, own)
    cells += look_alikes(rng, style, tissue, cells)
    cells.sort(key=lambda cell: (DEPTH.index(cell.kind), cell.y))
    radius = float(np.median([c.radius for c in own])) if own else style.diameter_px / 2
    stains = Stains(*ground(rng, style, tissue, [(c.x, c.y) for c in own], radius))
    for cell in cells:
        paint(stains, cell, style, rng, _textures(seed))
    folded = fold(rng, stains)
    for name, plane in vars(stains).items():
        setattr(stains, name, cv2.resize(plane, (size, size), interpolation=cv2.INTER_LINEAR))
    image, hidden = photograph(rng, field_rng, style.stain, style.optics, stains)
    hidden = np.maximum(hidden, cv2.resize(folded, (size, size)))
    places, kept = _annotated(rng, cells, size / canvas, hidden)
    labels = np.array([(*place, cell.label) for place, cell in zip(places, kept, strict=True) if cell.label])
    return PaintedTile(
        image,
        rng.permutation(labels.reshape(-1, 3).astype(np.int64)),
        [(x, y, cell.kind) for (x, y), cell in zip(places.tolist(), kept, strict=True) if not cell.label],
    )


def _annotated(
    rng: np.random.Generator, cells: list[Cell], scale: float, hidden: NDArray[Any]
) -> tuple[NDArray[Any], list[Cell]]:
    """Points int64 [n, 2] as an annotator would set them, slightly off the centre, and the visible cells."""
    places = scale * np.array([(cell.x, cell.y) for cell in cells], float).reshape(-1, 2)
    places = np.floor(places + rng.normal(0, ANNOTATOR_JITTER_PX, places.shape)).astype(np.int64)
    inside = ((places >= 0) & (places < len(hidden))).all(1)
    clipped = places.clip(0, len(hidden) - 1)
    inside &= hidden[clipped[:, 1], clipped[:, 0]] < HIDDEN
    return places[inside], [cell for cell, is_inside in zip(cells, inside, strict=True) if is_inside]


@lru_cache(maxsize=2)
def _textures(seed: int) -> Chromatin:
    return chromatin(seed)
