"""UQ: uniform quantization, Q(w) = step * round(w / step), with the smallest step possible with k levels.

Marinò, Petrini, Malchiodi and Frasca, "Deep neural networks compression: a comparative survey",
Neurocomputing 520 (2023). Zero is always a level, so pruned weights stay zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepatho.quantize.quantized import Quantized
from edgepatho.quantize.sorted_weights import SortedWeights, sort

COARSE = 2**0.25  # ratio of neighbouring steps in the first pass
GIVE_UP = 8  # first-pass steps in a row that need too many levels: a factor of 4
CELLS_TRIED = 2**21  # bounds the steps tried in each of the two later passes, at most 256


def quantize(weights: NDArray[np.float32], k: int) -> Quantized:
    """Return `weights` [n] rounded to multiples of a step; at most `k` levels, zero included."""
    view = sort(weights)
    step = smallest_step(view, k) or 1.0
    multiples = np.rint(weights.astype(np.float64) / step).astype(np.int64)
    used = np.union1d(multiples, [0])
    return Quantized((used * step).astype(np.float32), np.searchsorted(used, multiples).astype(np.uint16))


def smallest_step(view: SortedWeights, k: int) -> float:
    """Return the smallest step found that uses at most `k` of its multiples, zero included.

    The number of used levels is not monotone in the step where cells in the tails are empty, so steps are
    tried from coarse to fine, then on two finer grids below the smallest that fits. Returns 0 if all weights
    are zero.
    """
    largest = float(np.abs(view.values[[0, -1]]).max())
    if largest == 0:
        return 0.0
    fits = step = 2.5 * largest  # everything rounds to zero
    failed = 0
    while failed < GIVE_UP:
        step /= COARSE
        if _levels(view, step) <= k:
            fits, failed = step, 0
        else:
            failed += 1
        if fits < largest * 2**-24:  # fewer distinct weights than levels: finer steps do not help
            return fits
    low = fits / 2
    for _ in range(2):
        tried = np.linspace(low, fits, int(np.clip(CELLS_TRIED / k, 8, 256)), endpoint=False)
        fitting = [at for at, step in enumerate(tried) if _levels(view, step) <= k]
        if fitting:
            fits = tried[fitting[0]]
        low = fits - (tried[1] - tried[0])
    return float(fits)


def _levels(view: SortedWeights, step: float) -> int:
    """Number of distinct multiples of `step` that the weights round to, zero included."""
    low, high = (int(np.rint(end / step)) for end in view.values[[0, -1]])
    if high - low > view.values.size // 16:  # many cells: cheaper to round every weight
        multiples = np.rint(view.values / step)
        return int(np.count_nonzero(np.diff(multiples))) + 1 + int(not (multiples == 0).any())
    borders = (np.arange(low, high) + 0.5) * step
    edges = np.searchsorted(view.values, borders)
    used = np.diff(np.concatenate(([0], edges, [view.values.size]))) > 0
    zero_used = low <= 0 <= high and used[-low]
    return int(np.count_nonzero(used)) + int(not zero_used)
