"""Splits: validation tiles from training tiles, and test tiles from an undivided folder."""

from __future__ import annotations

import math
import random

from edgepatho.choices import SplitBy
from edgepatho.data.source import Picture, Source
from edgepatho.errors import InputError

SEED = 4
VALIDATION_SHARE = 0.2


def divided(
    given: Source, split_by: SplitBy, *, test_only: bool = False
) -> tuple[list[Picture], list[Picture], list[Picture]]:
    """Return the pictures for training, validation and testing.

    Validation is split off training; test pictures are split off by patient where the source is not divided,
    and are all of its pictures with `test_only`. Raises InputError if there are too few patients or images.
    """
    if given.test is None and test_only:
        return [], [], given.train
    undivided, test = by_patient(given.train) if given.test is None else (given.train, given.test)
    return *{"patient": by_patient, "image": by_image}[split_by](undivided), test


def by_patient(pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Return (the rest, held out): a fifth of the patients, rounded up, is held out.

    No patient is in both parts. Raises InputError if there are fewer than two patients.
    """
    patients = sorted({picture.patient for picture in pictures})
    if len(patients) < 2:
        raise InputError(
            f"There is {len(patients)} patient to split; a split by patient needs at least 2, "
            "or 3 without Train/ and Test/."
        )
    random.Random(SEED).shuffle(patients)  # noqa: S311 - a split, not a secret
    held_out = set(patients[: math.ceil(VALIDATION_SHARE * len(patients))])
    return (
        [picture for picture in pictures if picture.patient not in held_out],
        [picture for picture in pictures if picture.patient in held_out],
    )


def by_image(pictures: list[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Return (training, validation) split by image, exactly as in the published code.

    Crops of one patient end up in both parts, which is a leak; this is only for reproducing that work.
    Raises InputError if there are too few images to give one for validation.
    """
    shuffled = sorted(pictures, key=lambda picture: picture.image.name)
    random.Random(SEED).shuffle(shuffled)  # noqa: S311
    count = int(VALIDATION_SHARE * len(shuffled))
    if not count:
        raise InputError(f"There are {len(shuffled)} images to split; a split by image needs at least 5.")
    return shuffled[count:], shuffled[:count]


def shared_patients_warning(patients: list[str]) -> str | None:
    """Return the caveat for accuracy figures on tiles of patients who were also trained on."""
    if not patients:
        return None
    listed = ", ".join(patients[:8]) + (f" and {len(patients) - 8} more" if len(patients) > 8 else "")
    return (
        f"Not independent: {'patients' if len(patients) > 1 else 'patient'} {listed} "
        f"{'have' if len(patients) > 1 else 'has'} pictures both for training and for testing, "
        "so accuracy on the test tiles may be overstated."
    )
