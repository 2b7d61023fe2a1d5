"""Overlays: tiles with the cells that a model found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate.cells import Points
from edgepatho.palette import CELLS, EDGE, rgb

ZOOM = 2
FOUND_RADIUS_PX, DOT_RADIUS_PX, FRAME_PX = 9, 3, 14  # of the zoomed picture
COLOURS = tuple(rgb(colour) for colour in CELLS.values())


def write(
    image: NDArray[np.uint8],
    found: Sequence[Points],
    labelled: Sequence[Points],
    framed: Sequence[Points],
    path: Path,
) -> None:
    """Write a PNG of `image` [height, width, 3] with cells in the colours of their classes.

    Found cells are rings, labels are dots, and `framed` cells get a square around their ring.
    """
    import cv2

    picture = cv2.resize(image, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC)
    for colour, rings, dots, squares in zip(COLOURS, found, labelled, framed, strict=True):
        for value, wider in ((EDGE, 2), (colour, 0)):
            for x, y in rings:
                cv2.circle(picture, _zoomed(x, y), FOUND_RADIUS_PX, value, 2 + wider, cv2.LINE_AA)
            for x, y in dots:
                cv2.circle(picture, _zoomed(x, y), DOT_RADIUS_PX + wider // 2, value, -1, cv2.LINE_AA)
            for x, y in squares:
                (across, down), reach = _zoomed(x, y), FRAME_PX
                corners = (across - reach, down - reach), (across + reach, down + reach)
                cv2.rectangle(picture, *corners, value, 2 + wider)
    if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)):
        raise OSError(f"{path} could not be written")


def _zoomed(x: float, y: float) -> tuple[int, int]:
    """Pixel centres have integer coordinates, hence the half pixel."""
    return round((x + 0.5) * ZOOM - 0.5), round((y + 0.5) * ZOOM - 0.5)
