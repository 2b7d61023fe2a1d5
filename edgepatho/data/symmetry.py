"""Symmetries of the square: a tissue section has no up and no left."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

COUNT = 8


def turned(image: NDArray[Any], number: int) -> NDArray[Any]:
    """Return image [h, w, c] under symmetry 0..7.

    0 identity, 1 upside down, 2 left to right, 3-5 quarter turns counterclockwise: the six of the published
    work in its order; 6 and 7 the transpositions along both diagonals.
    """
    match number:
        case 0:
            return image
        case 1:
            return image[::-1]
        case 2:
            return image[:, ::-1]
        case 3 | 4 | 5:
            return np.rot90(image, number - 2)
        case 6:
            return image.swapaxes(0, 1)
        case 7:
            return np.rot90(image, 2).swapaxes(0, 1)
    raise ValueError(f"symmetry {number} is outside 0..7")
