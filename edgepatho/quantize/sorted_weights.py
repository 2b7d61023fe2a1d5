"""A sorted view of the weights: distinct values, how often each occurs, and running sums.

In one dimension every cell of a quantizer is an interval of the sorted weights, so all that a quantizer
needs (number of weights, sum, squared error) is the difference of two running sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgepatho.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class SortedWeights:
    """Distinct `values` in ascending order; running sums start with 0, so they are one longer."""

    values: Floats
    counts: Floats
    running_count: Floats
    running_sum: Floats
    running_square: Floats

    @property
    def total(self) -> float:
        """Number of weights."""
        return float(self.running_count[-1])

    def interval(self, edges: Integers) -> tuple[Floats, Floats]:
        """Return (number of weights, their sum) of each interval between consecutive `edges`."""
        return np.diff(self.running_count[edges]), np.diff(self.running_sum[edges])

    def squared_error(self, edges: Integers, levels: Floats) -> float:
        """Return the total squared error if the weights between edges j and j+1 become levels[j]."""
        number, total = self.interval(edges)
        square = np.diff(self.running_square[edges])
        return float(max(np.sum(square - 2 * levels * total + levels**2 * number), 0.0))


def sort(weights: ArrayLike, counts: Floats | None = None) -> SortedWeights:
    """Return the sorted view of `weights` (any shape, any float type).

    Raises InputError for NaN or infinite weights, and if there are none.
    """
    if counts is None:
        ordered = np.sort(np.asarray(weights), axis=None)
        if ordered.size == 0:
            raise InputError("there are no weights to quantize.")
        if not np.isfinite(ordered[[0, -1]]).all():  # NaN sorts last
            raise InputError("the weights hold NaN or infinite values; all must be finite numbers.")
        first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
        values = ordered[first].astype(np.float64)
        counts = np.diff(np.append(first, ordered.size)).astype(np.float64)
    else:
        values = np.asarray(weights, np.float64)
    return SortedWeights(
        values, counts, _running(counts), _running(counts * values), _running(counts * values**2)
    )


def _running(numbers: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(numbers)))
