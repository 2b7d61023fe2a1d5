"""The tiles that calibrate int8: the same for every peer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FILE = "calibration.npy"


def tiles(folder: Path) -> NDArray[np.uint8]:
    """Return the tiles that `benchmarks.models` left in its folder: uint8 RGB [n, height, width, 3]."""
    stored: NDArray[np.uint8] = np.load(folder / FILE, allow_pickle=False)
    return stored


def inputs(folder: Path) -> Iterator[NDArray[Any]]:
    """Yield them as inputs of the ONNX network: float32 [1, 3, height, width], RGB / 255."""
    for tile in tiles(folder):
        yield np.ascontiguousarray(tile.transpose(2, 0, 1)[None] / np.float32(255))
