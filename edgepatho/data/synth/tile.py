"""One tile: picture and labels."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgepatho.data.shidc import IMMUNONEGATIVE, IMMUNOPOSITIVE
from edgepatho.data.synth.camera import photograph
from edgepatho.data.synth.cells import Cell, populate
from edgepatho.data.synth.nuclei import Chromatin, Stains, chromatin, paint
from edgepatho.data.synth.style import Style
from edgepatho.data.synth.tissue import ground, lay_out

ANNOTATOR_JITTER_PX = 2.5


def make_tile(seed: int, style: Style, field: int, crop: int, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the picture, uint8 RGB [size, size, 3], and the labels, int64 [cells, 3] of x, y, label_id.

    A pure function of its arguments; cells have the same size in pixels whatever `size` is.
    """
    cv2.setNumThreads(1)
    rng = np.random.default_rng([seed, 7, style.patient, field, crop])
    field_rng = np.random.default_rng([seed, 9, style.patient, field])  # shared by the field's crops
    tissue = lay_out(rng, style, size)
    cells = populate(rng, field_rng, style, tissue)
    tumour = [(c.x, c.y) for c in cells if c.label in (IMMUNOPOSITIVE, IMMUNONEGATIVE)]
    radii = [c.radius for c in cells if c.label in (IMMUNOPOSITIVE, IMMUNONEGATIVE)]
    radius = float(np.median(radii)) if radii else style.diameter_px / 2
    stains = Stains(*ground(rng, style, tissue, tumour, radius))
    for cell in cells:
        paint(stains, cell, style, rng, _textures(seed))
    return photograph(rng, field_rng, style, stains), _labels(rng, cells, size)


def _labels(rng: np.random.Generator, cells: list[Cell], size: int) -> NDArray[Any]:
    """Points as an annotator would set them: integers, slightly off the centre, inside the tile."""
    counted = np.array([(c.x, c.y, c.label) for c in cells if c.label], float).reshape(-1, 3)
    counted[:, :2] += rng.normal(0, ANNOTATOR_JITTER_PX, (len(counted), 2))
    inside = ((counted[:, :2] >= 0) & (counted[:, :2] < size)).all(1)
    return rng.permutation(counted[inside].astype(np.int64))


@lru_cache(maxsize=2)
def _textures(seed: int) -> Chromatin:
    return chromatin(seed)
