"""What every quantizer returns, and its distortion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_LEVELS = 65_536  # an index has at most 16 bits


@dataclass(frozen=True)
class Quantized:
    """An ascending `codebook` f32 [levels] without duplicates and an `index` uint16 [weights] into it."""

    codebook: NDArray[np.float32]
    index: NDArray[np.uint16]

    @property
    def values(self) -> NDArray[np.float32]:
        """The quantized weights, f32 [weights]."""
        return self.codebook[self.index]

    @property
    def levels_used(self) -> int:
        return int(np.count_nonzero(np.bincount(self.index, minlength=self.codebook.size)))


def nearest(weights: NDArray[np.float32], levels: ArrayLike) -> Quantized:
    """Return `weights` [n] with each replaced by the nearest of `levels` (any order, duplicates allowed)."""
    codebook = np.unique(np.asarray(levels, np.float32))
    borders = (codebook[1:].astype(np.float64) + codebook[:-1]) / 2
    return Quantized(codebook, np.searchsorted(borders, weights).astype(np.uint16))


def distortion(weights: NDArray[np.float32], values: NDArray[np.float32]) -> float:
    """Return the mean squared error over the variance of `weights` (0 for constant weights kept exactly)."""
    error = np.mean((weights.astype(np.float64) - values) ** 2)
    variance = np.var(weights, dtype=np.float64)
    return float(error / variance) if variance > 0 else float(error)
