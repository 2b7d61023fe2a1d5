"""PathoNet's published evaluation, with its `DEFECTS`, kept for comparison; never the default.

Reimplemented from PathoNet's pipeline.py and evaluation.py (Negahbani et al. 2021; Gliozzo's patient scores).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate.cells import Points, regions
from edgepatho.evaluate.match import Counts

THRESHOLDS = (60.0, 55.0, 40.0)  # of upstream's U-Net; the published PathoNet figures use them
RADIUS_PX = 20.0
DEFECTS = (
    "a cell counts as found within 20 px of 256, where random points already reach an F1 of 0.28 to 0.42",
    "every label takes its nearest cell; labels that share one count once and no other cell replaces it",
    "a cell's place is the centre of the smallest circle around its region, not its centroid",
    "tiles without any found cell are left out, so their labels are never missed",
    "thresholds 60/55/40 belong to another network",
)


def find(heat: NDArray[np.float32], thresholds: Sequence[float] = THRESHOLDS) -> list[Points]:
    """Return the cells of each class in `heat` [height, width, classes] at enclosing-circle centres."""
    return [_circle_centres(regions(heat[..., at] >= threshold)) for at, threshold in enumerate(thresholds)]


def nearest(found: Points, labelled: Points) -> Counts:
    """Return the counts when every label takes the nearest found cell closer than RADIUS_PX."""
    if len(found) == 0 or len(labelled) == 0:
        return Counts(0, len(found), len(labelled))
    distance = np.linalg.norm(found[:, None] - labelled[None], axis=-1)
    taken = np.argmin(distance, axis=0)[np.min(distance, axis=0) < RADIUS_PX]
    tp = np.unique(taken).size
    return Counts(tp, len(found) - tp, len(labelled) - tp)


def tile(found: Sequence[Points], labelled: Sequence[Points]) -> list[Counts] | None:
    """Return the counts of each class on one tile; None for a tile without any found cell."""
    if not any(len(points) for points in found):
        return None
    return [nearest(*pair) for pair in zip(found, labelled, strict=True)]


def _circle_centres(labels: NDArray[np.int32]) -> Points:
    import cv2

    centres = []
    for label in range(1, int(np.max(labels)) + 1):
        contours, _ = cv2.findContours(
            (labels == label).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        centre, _ = cv2.minEnclosingCircle(max(contours, key=cv2.contourArea))
        centres.append(centre)
    return np.array(centres, np.float64).reshape(-1, 2)
