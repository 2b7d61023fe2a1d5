"""Density maps, PathoNet's training targets: one channel per class, 0..255."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

NETWORK_PX = 256
WINDOW = 9
SIGMA_PX = 2.0
PEAK = 255


def density_map(points: NDArray[Any], size: int = NETWORK_PX) -> NDArray[Any]:
    """Return the maps uint8 [size, size, 3] of `points` float [cells, 3] (x, y in network pixels, label_id).

    A cell is a Gaussian of 2 px with its peak of 255 at its true centre, cut off at the 9 px window of the
    published work, clipped by the border, and combined by maximum where cells overlap.
    """
    maps = np.zeros((size, size, 3), np.float64)
    reach = WINDOW // 2
    for x, y, label in points.tolist():
        top, left = max(0, math.ceil(y) - reach), max(0, math.ceil(x) - reach)
        rows = np.arange(top, min(size, math.floor(y) + reach + 1))
        columns = np.arange(left, min(size, math.floor(x) + reach + 1))
        square = (rows[:, None] - y) ** 2 + (columns[None, :] - x) ** 2
        window = maps[top : top + len(rows), left : left + len(columns), int(label) - 1]
        np.maximum(window, PEAK * np.exp(-square / (2 * SIGMA_PX**2)), out=window)
    return maps.astype(np.uint8)


def published_density_map(
    labels: NDArray[Any], width: float, height: float, size: int = NETWORK_PX
) -> NDArray[Any]:
    """Return the maps uint8 [size, size, 3] that the published code renders, bit for bit.

    `labels` [cells, 3] of x, y in pixels of a `width` x `height` picture and label_id. Windows overwrite
    each other, the last row and column stay empty, and at a border the middle of the Gaussian is pasted
    instead of the matching part: `density_map` corrects these defects.
    """
    axis = np.linspace(-1, 1, WINDOW)
    radius = np.sqrt(axis[None, :] ** 2 + axis[:, None] ** 2)
    gaussian = (PEAK * np.exp(-(radius**2) / (2 * 0.5**2))).astype(int)
    maps = np.zeros((size, size, 3), np.uint8)

    def window(coordinate: float, source_px: float) -> tuple[slice, slice]:
        """The pixels along one axis, and the matching part of the Gaussian."""
        centre = min(max(int(coordinate * (size / source_px)), 0), size)
        start, stop = max(centre - WINDOW // 2, 0), min(centre + WINDOW // 2 + 1, size - 1)
        skipped = (WINDOW - (stop - start)) // 2
        return slice(start, stop), slice(skipped, skipped + stop - start)

    for x, y, label in labels:
        (rows, gaussian_rows), (columns, gaussian_columns) = window(y, height), window(x, width)
        maps[rows, columns, int(label) - 1] = gaussian[gaussian_rows, gaussian_columns]
    return maps
