"""Decision thresholds: for each class the one with the best F1 on labelled tiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate import cells
from edgepatho.evaluate.cells import Points
from edgepatho.evaluate.match import Counts, one_to_one

COARSE = tuple(range(20, 161, 20))  # heat units, 0..255
FINE_STEP = 5


def thresholds(
    heat: NDArray[np.float32], labelled: list[list[Points]], note: Callable[[], None] = lambda: None
) -> tuple[float, ...]:
    """Return one threshold per class of `heat` [n, height, width, classes], a multiple of 5.

    The best of a coarse grid is refined on a finer one around it; ties go to the lower threshold. `note` is
    called after every class.
    """
    chosen = []
    for at in range(heat.shape[-1]):
        maps, labels = heat[..., at], [tile[at] for tile in labelled]
        scores = {level: _f1(maps, labels, level) for level in COARSE}
        best = max(scores, key=lambda level: scores[level])
        for level in range(best - 20 + FINE_STEP, best + 20, FINE_STEP):
            scores.setdefault(level, _f1(maps, labels, level))
        chosen.append(float(max(sorted(scores), key=lambda level: scores[level])))
        note()
    return tuple(chosen)


def _f1(maps: NDArray[np.float32], labelled: list[Points], threshold: float) -> float:
    found = (cells.centroids(cells.regions(tile >= threshold)) for tile in maps)
    counts = (one_to_one(*pair) for pair in zip(found, labelled, strict=True))
    return sum(counts, Counts()).f1
