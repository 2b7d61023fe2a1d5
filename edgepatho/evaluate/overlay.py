"""Pictures of tiles with the cells that a model found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate.cells import Points

ZOOM = 2
FOUND_RADIUS_PX = 9  # of the zoomed picture
COLOURS = ((214, 40, 40), (29, 95, 224), (20, 140, 60))  # immunopositive, immunonegative, til (RGB)


def write(image: NDArray[np.uint8], found: Sequence[Points], labelled: Sequence[Points], path: Path) -> None:
    """Write a PNG of `image` [height, width, 3]: found cells as circles, labels as dots, in class colours."""
    import cv2

    picture = cv2.resize(image, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    for colour, circles, dots in zip(COLOURS, found, labelled, strict=True):
        for x, y in circles:
            cv2.circle(picture, _zoomed(x, y), FOUND_RADIUS_PX, colour, 2, cv2.LINE_AA)
        for x, y in dots:
            cv2.circle(picture, _zoomed(x, y), 2, colour, -1, cv2.LINE_AA)
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path} could not be written")


def _zoomed(x: float, y: float) -> tuple[int, int]:
    """Pixel centres are integers, so half a pixel moves with the zoom."""
    return round((x + 0.5) * ZOOM - 0.5), round((y + 0.5) * ZOOM - 0.5)
