"""One-dimensional k-means: exact where affordable, otherwise Lloyd's algorithm from a good start.

Exact: dynamic programming over the sorted values (Wang and Song, "Ckmeans.1d.dp", R Journal 3(2), 2011);
the best last border never moves left as values are added, so each row is solved by divide and conquer.
Started at mid-quantiles, Lloyd gets stuck on heavy-tailed weights; the start here spaces levels by the cube
root of the density (Panter and Dite, Proc. IRE 39, 1951), which also gives the tails their share.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgepatho.quantize.sorted_weights import Floats, Integers, SortedWeights, sort

Cost = Callable[[Integers, Integers], Floats]

EXACT_VALUES = 4096  # dynamic programming up to this many distinct values
BINNED_LEVELS = 1024  # and up to this many levels on that many bins
ROUNDS_TIMES_LEVELS = 2**22  # bounds Lloyd's work; up to k = 1,024 it converges long before


def levels(weights: SortedWeights, k: int) -> Floats:
    """Return at most `k` ascending levels of minimum (for large inputs, locally minimum) squared error."""
    if weights.values.size <= k:
        return weights.values
    if weights.values.size <= EXACT_VALUES:
        return _means(weights, exact_edges(weights, k))
    if k <= BINNED_LEVELS:
        edges = companded_edges(weights, EXACT_VALUES)
        number, total = weights.interval(edges)
        bins = sort(total / number, number)
        start = _means(bins, exact_edges(bins, min(k, bins.values.size)))
    else:
        start = companded(weights, k)
    return lloyd(weights, start)


def companded(weights: SortedWeights, k: int) -> Floats:
    """Return the means of at most `k` intervals whose widths follow density^(-1/3)."""
    return _means(weights, companded_edges(weights, min(k, weights.values.size)))


def lloyd(weights: SortedWeights, start: Floats, pinned: float = np.nan) -> Floats:
    """Return the levels that Lloyd's iteration from `start` converges to.

    A level without weights is dropped, except `pinned`, a member of `start` that never moves.
    """
    centres, edges = start, np.zeros(0, np.int64)
    for _ in range(max(16, ROUNDS_TIMES_LEVELS // start.size)):
        before = edges
        borders = np.searchsorted(weights.values, (centres[1:] + centres[:-1]) / 2)
        edges = np.concatenate(([0], borders, [weights.values.size]))
        if np.array_equal(edges, before):
            break
        number, total = weights.interval(edges)
        held = (number > 0) | (centres == pinned)
        centres = np.where(centres == pinned, pinned, total / np.maximum(number, 1))[held]
    return centres


def _means(weights: SortedWeights, edges: Integers) -> Floats:
    number, total = weights.interval(edges)
    return total / number


def companded_edges(weights: SortedWeights, k: int) -> Integers:
    """Return the edges of at most `k` non-empty intervals whose widths follow density^(-1/3)."""
    gaps = np.diff(weights.values)
    crowd = (weights.counts[1:] + weights.counts[:-1]) / 2
    position = np.concatenate(([0.0], np.cumsum(np.cbrt(crowd * gaps**2))))
    position *= (1 - 1e-12) / position[-1]

    def edges(bins: int) -> Integers:
        number = (position * bins).astype(np.int64)
        starts = np.flatnonzero(np.diff(number)) + 1
        return np.concatenate(([0], starts, [weights.values.size]))

    few, many = k, 16 * k  # wide gaps leave bins empty: ask for more bins until k of them are used
    while many - few > max(1, k // 256):
        middle = (few + many) // 2
        few, many = (middle, many) if edges(middle).size - 1 <= k else (few, middle)
    return edges(few)


def exact_edges(weights: SortedWeights, k: int) -> Integers:
    """Return the k + 1 edges of the partition into k intervals with the least summed squared error.

    Needs k <= number of distinct values; memory k x n, time k x n log n.
    """
    size = weights.values.size
    centred = sort(weights.values - np.average(weights.values, weights=weights.counts), weights.counts)
    count, total, square = centred.running_count, centred.running_sum, centred.running_square

    def cost(begin: Integers, end: Integers) -> Floats:
        number, summed = count[end] - count[begin], total[end] - total[begin]
        return square[end] - square[begin] - summed**2 / number

    ends = np.arange(1, size + 1)
    best = np.concatenate(([0.0], cost(np.zeros(size, np.int64), ends)))  # best[i]: the first i values
    last_border = np.zeros((k, size + 1), np.int64)
    for row in range(1, k):
        best, last_border[row] = _next_row(best, cost, row, last_border[row - 1])
    edges = [size]
    for row in range(k - 1, 0, -1):
        edges.append(int(last_border[row, edges[-1]]))
    return np.array([0, *reversed(edges)], np.int64)


def _next_row(best: Floats, cost: Cost, row: int, floor: Integers) -> tuple[Floats, Integers]:
    """Return (least cost, last border) of the first i values in row + 1 intervals, for every i.

    `best` and `floor` are those for one interval fewer. A border lies between those of its neighbours, so
    each sweep solves the positions midway between solved ones, halving the stride.
    """
    size = best.size - 1
    positions = size - row  # position t stands for the first row + t values
    border = np.zeros(positions + 2, np.int64)
    border[0], border[-1] = row, size - 1
    costs = np.full(size + 1, np.inf)
    stride = 1 << (positions.bit_length() - 1)
    while stride:
        here = np.arange(stride, positions + 1, 2 * stride)
        end = here + row
        high = np.minimum(border[np.minimum(here + stride, positions + 1)], end - 1)
        low = np.minimum(np.maximum(border[here - stride], floor[end]), high)
        length = high - low + 1
        first = np.cumsum(length) - length
        begin = np.arange(length.sum()) + np.repeat(low - first, length)
        price = best[begin] + cost(begin, np.repeat(end, length))
        least = np.minimum.reduceat(price, first)
        hits = np.flatnonzero(price == np.repeat(least, length))
        border[here] = begin[hits[np.searchsorted(hits, first)]]
        costs[end] = least
        stride >>= 1
    return costs, np.concatenate((np.full(row + 1, row), border[1:-1]))
