"""Splits of Train/ into training and validation."""

from __future__ import annotations

import math
import random

from edgepatho.data.shidc import Tile
from edgepatho.errors import InputError

SEED = 4
VALIDATION_SHARE = 0.2


def by_patient(tiles: list[Tile]) -> tuple[list[Tile], list[Tile]]:
    """Return (training, validation): a fifth of the patients, rounded up, are validation.

    No patient is on both sides. Raises InputError if there are fewer than two patients.
    """
    patients = sorted({tile.patient for tile in tiles})
    if len(patients) < 2:
        raise InputError(f"Train/ holds {len(patients)} patient; a split by patient needs at least 2.")
    random.Random(SEED).shuffle(patients)  # noqa: S311 - a split, not a secret
    held_out = set(patients[: math.ceil(VALIDATION_SHARE * len(patients))])
    return [t for t in tiles if t.patient not in held_out], [t for t in tiles if t.patient in held_out]


def by_image(tiles: list[Tile]) -> tuple[list[Tile], list[Tile]]:
    """Return (training, validation) exactly as the published code base split: by image.

    Crops of one patient land on both sides, which is a leak; it is here to reproduce that work.
    Raises InputError if there are too few images for one of validation.
    """
    shuffled = sorted(tiles, key=lambda tile: tile.image.name)
    random.Random(SEED).shuffle(shuffled)  # noqa: S311
    count = int(VALIDATION_SHARE * len(shuffled))
    if not count:
        raise InputError(f"Train/ holds {len(shuffled)} images; a split by image needs at least 5.")
    return shuffled[count:], shuffled[:count]
