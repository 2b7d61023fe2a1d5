"""`edgepatho calibrate`: a bundle's thresholds chosen anew on a few corrected pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.classes import CLASSES
from edgepatho.data import corrections
from edgepatho.errors import InputError
from edgepatho.evaluate import cells, networks, patients, thresholds
from edgepatho.evaluate.cells import Points
from edgepatho.evaluate.match import Counts, one_to_one
from edgepatho.evaluate.thresholds import MIN_CELLS, Chosen
from edgepatho.progress import Progress

MIN_PICTURES = 5
Heat = NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """Thresholds chosen on all pictures, and counts per class: before, and after by leave-one-out."""

    choices: list[Chosen]
    before: list[Counts]
    after: list[Counts]


def calibrate(
    bundle_file: Path,
    paths: Sequence[Path],
    output: Path,
    *,
    scale: float | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write the bundle with thresholds chosen on the corrected pictures in `paths`; return the record.

    Everything else in the new bundle is the old one's, except that `provenance` and `accuracy` have an entry
    `calibration`. Raises InputError for fewer than MIN_PICTURES pictures or MIN_CELLS cells of a class.
    """
    from edgepatho.exporters import bundle

    progress = progress or Progress()
    if output.suffix != ".epb" or output.resolve() == bundle_file.resolve():
        raise InputError(f"{output} cannot be the new bundle; give the name of another .epb file.")
    old = networks.read_bundle(bundle_file)
    found = corrections.find(paths)
    for note in found.notes:
        progress.say(f"Note: {note}")
    if len(found.pairs) < MIN_PICTURES:
        raise InputError(
            f"{len(found.pairs)} pictures have corrected points, and thresholds need at least "
            f"{MIN_PICTURES}; correct more, and give the pictures' folder and the one with the points."
        )
    pictures = [corrections.read(*pair, scale) for pair in found.pairs]
    labelled = {name: sum(len(each.cells[at]) for each in pictures) for at, name in enumerate(CLASSES)}
    for name, number in labelled.items():
        if number < MIN_CELLS:
            raise InputError(
                f"The {len(pictures)} pictures show {number} {name} cells, and a threshold needs at least "
                f"{MIN_CELLS}; correct pictures that show more."
            )
    progress.note("running the network")
    heat = networks.heat_of_pictures(bundle.network_of(old), [each.rgb for each in pictures])
    result = measure(heat, [each.cells for each in pictures], old.scoring["thresholds"], progress)
    about = {
        "pictures": len(pictures),
        "cells": labelled,
        "bundle_sha256": old.file_sha256,
        "thresholds_before": old.scoring["thresholds"],
        "threshold_ranges": [choice.range and list(choice.range) for choice in result.choices],
    }
    f1 = {name: _rounded(result, at) for at, name in enumerate(CLASSES)}
    chosen = [int(choice.threshold) for choice in result.choices]
    bundle.revise(
        bundle_file,
        output,
        scoring=old.scoring | {"thresholds": chosen},
        provenance=old.provenance | {"calibration": about},
        accuracy=old.accuracy | {"calibration": f1},
    )
    return {
        "format": "edgepatho-calibration",
        "version": 1,
        "bundle": str(output),
        "thresholds": chosen,
        **about,
        "f1": f1,
        "ki67_index": _indices(result),
    }


def measure(
    heat: Sequence[Heat], labelled: Sequence[list[Points]], before: Sequence[float], progress: Progress
) -> Calibration:
    """Return the thresholds chosen on `heat`, each [height, width, classes], and what they change.

    For the counts after, the cells of each picture are found with thresholds chosen on all others.
    """
    tables = []  # per picture, class and level
    for each, own in zip(heat, labelled, strict=True):
        tables.append([thresholds.counts(each[..., at], own[at]) for at in range(len(CLASSES))])
        progress.advance()
    choices = _choices(tables, before)
    old, new = ([Counts()] * len(CLASSES) for _ in range(2))
    for at, (each, own) in enumerate(zip(heat, labelled, strict=True)):
        others = _choices(tables[:at] + tables[at + 1 :], before)
        old = _added(old, cells.find(each, before), own)
        new = _added(new, cells.find(each, [choice.threshold for choice in others]), own)
    return Calibration(choices, old, new)


def _choices(tables: Sequence[list[list[Counts]]], before: Sequence[float]) -> list[Chosen]:
    return [thresholds.choose([table[at] for table in tables], default) for at, default in enumerate(before)]


def _added(sums: list[Counts], found: list[Points], labelled: list[Points]) -> list[Counts]:
    pairs = zip(found, labelled, strict=True)
    return [total + one_to_one(*pair) for total, pair in zip(sums, pairs, strict=True)]


def _rounded(result: Calibration, at: int) -> dict[str, float]:
    return {"before": round(result.before[at].f1, 4), "leave_one_out": round(result.after[at].f1, 4)}


def _indices(result: Calibration) -> dict[str, float]:
    """The pooled Ki-67 index of the labels, and of the cells before and after by leave-one-out."""

    def index(numbers: list[int]) -> float:
        return patients.scores((numbers[0], numbers[1], numbers[2])).ki67

    return {
        "corrected": index([each.labelled for each in result.before]),
        "before": index([each.found for each in result.before]),
        "leave_one_out": index([each.found for each in result.after]),
    }
