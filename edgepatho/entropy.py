"""Entropy of indices: the bits an ideal coder of independent symbols would need."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def entropy_bits(index: NDArray[np.unsignedinteger[Any]]) -> float:
    """Return the entropy of `index` (unsigned integers of any shape) in bits per weight.

    The empirical Shannon entropy, -sum(p * log2(p)) over the values that occur.
    """
    counts = np.bincount(index.ravel())
    share = counts[counts > 0] / index.size
    return float(-np.sum(share * np.log2(share)) + 0.0)
