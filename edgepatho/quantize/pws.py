"""PWS: probabilistic weight sharing, unbiased random rounding to quantiles.

Marinò, Ghidoli, Frasca and Malchiodi, ICPR 2020, after the probabilistic quantization of Konečný et al.,
"Federated learning: strategies for improving communication efficiency" (2016): a weight between the levels
a < b becomes b with probability (w - a) / (b - a), so that its expected value is w.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepatho.quantize.quantized import Quantized
from edgepatho.quantize.sorted_weights import sort


def quantize(weights: NDArray[np.float32], k: int, *, keep_zero: bool = False, seed: int = 0) -> Quantized:
    """Return `weights` [n] on the i/(k-1)-quantiles, i = 0 .. k-1; equal quantiles count once.

    `keep_zero` makes zero one more level and takes the other k - 1 as quantiles of the non-zero weights.
    """
    sort(weights)  # refuses NaN, infinity and emptiness
    kept = weights[weights != 0] if keep_zero else weights
    if kept.size == 0:
        return Quantized(np.zeros(1, np.float32), np.zeros(weights.size, np.uint16))
    levels = np.quantile(kept, np.linspace(0, 1, k - keep_zero)).astype(np.float32)
    codebook = np.unique(np.append(levels, np.float32(0)) if keep_zero else levels)
    below = np.clip(np.searchsorted(codebook, weights, side="right") - 1, 0, max(codebook.size - 2, 0))
    above = np.minimum(below + 1, codebook.size - 1)
    gap = codebook[above] - codebook[below]
    rise = np.divide(weights - codebook[below], gap, out=np.zeros_like(weights), where=gap > 0)
    up = np.random.default_rng(seed).random(weights.size, np.float32) < rise
    return Quantized(codebook, np.where(up, above, below).astype(np.uint16))
