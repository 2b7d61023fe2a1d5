"""Differences of heat maps, cells and scores from the expected ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate import match, patients

SAME_CELL_PX = 1.0
Cells = list[list[list[list[float]]]]
"""[tile][class][cell]: x, y"""


def of_heat_maps(found: list[bytes], expected: list[NDArray[Any]]) -> float:
    """Return the largest difference of any value over the largest value expected."""
    pairs = zip(found, expected, strict=True)
    largest = max(float(np.max(np.abs(tile))) for tile in expected)
    return (
        max(float(np.max(np.abs(np.frombuffer(bits, np.float32) - tile))) for bits, tile in pairs) / largest
    )


def of_cells(found: Cells, expected: Cells) -> int:
    """Return the number of cells, on either side, without a partner of their class within a pixel."""
    count = 0
    for ours, theirs in zip(found, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            counts = match.one_to_one(np.reshape(a, (-1, 2)), np.reshape(b, (-1, 2)), SAME_CELL_PX)
            count += counts.fp + counts.fn
    return count


def of_ki67(found: Cells, expected: Cells, patient_of: list[str]) -> float:
    """Return the largest change of a Ki-67 index in points; `patient_of` names the patient of each tile."""
    indices = []
    for tiles in (found, expected):
        counts = [(len(tile[0]), len(tile[1]), len(tile[2])) for tile in tiles]
        pooled = patients.pooled(patient_of, counts)
        indices.append(np.array([patients.scores(cells).ki67 for cells in pooled.values()]))
    return 100 * float(np.max(np.abs(indices[0] - indices[1])))
