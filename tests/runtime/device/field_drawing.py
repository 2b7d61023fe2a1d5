"""Pictures whose cells are known: discs, one colour channel per class."""

from __future__ import annotations

import numpy as np

CELL_PX = 4  # radius of a drawn cell
Centres = dict[int, list[tuple[int, int]]]  # channel -> (x, y)

CENTRES: Centres = {0: [(20, 30), (60, 31), (100, 90)], 1: [(20, 80)], 2: [(110, 20), (64, 110)]}


def drawn(height: int, width: int, centres: Centres) -> np.ndarray:
    """A black picture with a disc at each centre, bright in the channel of its class."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3), np.uint8)
    for channel, points in centres.items():
        for x, y in points:
            picture[(rows - y) ** 2 + (columns - x) ** 2 <= CELL_PX**2, channel] = 255
    return picture
