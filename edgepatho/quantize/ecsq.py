"""ECSQ: entropy-constrained scalar quantization.

Chou, Lookabaugh and Gray, "Entropy-constrained vector quantization", IEEE Trans. ASSP 37 (1989), in one
dimension: minimise squared error + multiplier * entropy. For given levels, the cheapest one for a weight w is
on the lower envelope of the lines -2 c w + c^2 + multiplier * code length, so every cell is an interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepatho.errors import UsageError
from edgepatho.quantize import kmeans
from edgepatho.quantize.quantized import MAX_LEVELS, Quantized
from edgepatho.quantize.sorted_weights import Floats, Integers, SortedWeights, sort

ROUNDS_TIMES_LEVELS = 2**17  # bounds the work of one descent
TOLERANCE = 1e-6  # a descent has converged when the cost falls by less than this, relative
HALVINGS = 40  # of the multiplier's interval, on a logarithmic scale
RATE_SLACK = 1e-3  # bits per weight by which the rate may stay below its target
START_OVER_WANTED = 3  # initial levels per level wanted, as in Marinò et al.


@dataclass(frozen=True)
class Cells:
    """Rising `levels` f64 [m], the `edges` [m + 1] of their intervals and the entropy in bits."""

    levels: Floats
    edges: Integers
    bits: float


def quantize(
    weights: NDArray[np.float32], k: int = 256, *, bits: float | None = None, keep_zero: bool = False
) -> Quantized:
    """Return `weights` [n] on at most `k` levels, or at an index entropy of at most `bits` per weight.

    With `bits`, the descent starts from k levels. Zero is always a level; with `keep_zero`, zero weights stay
    zero. Raises UsageError for a rate higher than k levels need.
    """
    if bits is not None:
        (quantized,) = quantize_jointly([weights], [k], bits=bits, keep_zero=keep_zero)
        return quantized
    view = sort(weights)
    start = _start(view, min(START_OVER_WANTED * k, MAX_LEVELS))
    (cells,) = _least_multiplier(
        [view],
        [start],
        _start(view, k),
        lambda cells: np.union1d(cells[0].levels, [0]).size <= k,
        lambda _: False,
    )
    return _assign(weights, view, cells, keep_zero)


def quantize_jointly(
    groups: list[NDArray[np.float32]], ks: list[int], *, bits: float, keep_zero: bool = False
) -> list[Quantized]:
    """Return each of `groups` with its own codebook, at `bits` per weight over all of them.

    All share one multiplier, so bits go where they reduce the squared error most.
    """
    views = [sort(weights) for weights in groups]
    starts = [_start(view, k) for view, k in zip(views, ks, strict=True)]
    total = sum(view.total for view in views)

    def rate(cells: list[Cells]) -> float:
        return sum(each.bits * view.total for each, view in zip(cells, views, strict=True)) / total

    finest = [settle(view, start, 0.0) for view, start in zip(views, starts, strict=True)]
    lossless = all(each.levels.size == view.values.size for each, view in zip(finest, views, strict=True))
    if rate(finest) < bits - RATE_SLACK and not lossless:
        raise UsageError(
            f"a rate of {bits:g} bits per weight cannot be met: {max(ks)} levels need at most "
            f"{rate(finest):.2f} bits for these weights; give fewer bits or a larger -k."
        )
    settled = _least_multiplier(
        views,
        starts,
        np.zeros(1),
        lambda cells: rate(cells) <= bits,
        lambda cells: rate(cells) > bits - RATE_SLACK,
    )
    return [_assign(*each, keep_zero) for each in zip(groups, views, settled, strict=True)]


def settle(view: SortedWeights, start: Floats, multiplier: float) -> Cells:
    """Return the cells that the descent from `start` converges to; a level at zero stays there.

    `multiplier` weighs bits against squared error per weight.
    """
    levels, lengths, cost = start, np.zeros(start.size), np.inf
    for _ in range(max(4, ROUNDS_TIMES_LEVELS // start.size)):
        levels, borders = _envelope(levels, lengths, multiplier)
        edges = np.concatenate(([0], np.searchsorted(view.values, borders), [view.values.size]))
        held = np.diff(edges) > 0
        levels, edges = levels[held], np.append(edges[:-1][held], view.values.size)
        number, total = view.interval(edges)
        levels = np.where(levels == 0, 0.0, total / number)
        share = number / view.total
        lengths = -np.log2(share)
        bits = float(share @ lengths)
        before, cost = cost, view.squared_error(edges, levels) / view.total + multiplier * bits
        if before - cost <= TOLERANCE * cost:
            break
    return Cells(levels, edges, bits)


def _envelope(levels: Floats, lengths: Floats, multiplier: float) -> tuple[Floats, Floats]:
    """Return the levels that are cheapest for some weight, and the borders between them.

    A line that crosses its right neighbour no later than its left one is never the lowest of the three. All
    such lines can be dropped at once, and again until none is left.
    """
    while True:
        borders = (levels[1:] + levels[:-1] + multiplier * np.diff(lengths) / np.diff(levels)) / 2
        shown = np.ones(levels.size, bool)
        shown[1:-1] = borders[1:] > borders[:-1]
        if shown.all():
            return levels, borders
        levels, lengths = levels[shown], lengths[shown]


def _start(view: SortedWeights, k: int) -> Floats:
    """Companded levels, with the one nearest to zero moved to zero."""
    levels = kmeans.companded(view, k) if view.values.size > k else view.values.copy()
    levels[np.argmin(np.abs(levels))] = 0.0
    return levels


def _least_multiplier(
    views: list[SortedWeights],
    starts: list[Floats],
    coarsest: Floats,
    fits: Callable[[list[Cells]], bool],
    close: Callable[[list[Cells]], bool],
) -> list[Cells]:
    """Return the cells at the smallest multiplier that `fits`, by bisection; stop early when `close`.

    Levels that hold equally many weights survive any multiplier; the descent then starts from `coarsest`.
    """

    def at(multiplier: float) -> list[Cells]:
        return [settle(view, start, multiplier) for view, start in zip(views, starts, strict=True)]

    best = at(0.0)
    if fits(best):
        return best
    spread = max(float(np.ptp(view.values)) for view in views) ** 2
    low, high = spread * 1e-15, spread * 10  # at the upper end one level is left
    best = at(high)
    if not fits(best):
        return [settle(view, coarsest, 0.0) for view in views]
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        cells = at(middle)
        if fits(cells):
            best, high = cells, middle
            if close(cells):
                break
        else:
            low = middle
    return best


def _assign(weights: NDArray[np.float32], view: SortedWeights, cells: Cells, keep_zero: bool) -> Quantized:
    codebook = np.union1d(cells.levels.astype(np.float32), np.float32(0))
    positions = np.searchsorted(codebook, cells.levels.astype(np.float32))
    firsts = view.values[cells.edges[1:-1]]  # the first weight of each later cell
    index = positions[np.searchsorted(firsts, weights, side="right")]
    if keep_zero:
        index[weights == 0] = np.searchsorted(codebook, 0)
    return Quantized(codebook, index.astype(np.uint16))
