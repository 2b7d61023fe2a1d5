"""ECSQ: entropy-constrained scalar quantization.

Chou, Lookabaugh and Gray, "Entropy-constrained vector quantization", IEEE Trans. ASSP 37 (1989), in one
dimension: minimise squared error + multiplier * entropy. At given levels a weight w costs least on the
lower envelope of the lines -2 c w + c^2 + multiplier * code length, so that every cell is an interval.
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
TOLERANCE = 1e-6  # relative fall of the cost below which a descent is at rest
HALVINGS = 40  # of the multiplier's interval, on a logarithmic scale
RATE_SLACK = 1e-3  # bits per weight by which the rate may stay below its target
START_OVER_WANTED = 3  # levels at the start for each one wanted, as in Marinò et al.


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

    With `bits`, k levels are where the descent starts. Zero is always a level, and with `keep_zero` a
    weight that is zero keeps it. Raises UsageError for a rate that k levels do not reach.
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
    """Return each of `groups` with a codebook of its own, at `bits` per weight over all of them.

    One multiplier serves all, so that bits go where they lower the squared error most.
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
            f"{rate(finest):.2f} bits for these weights; ask for fewer bits or give a larger -k."
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
    """Return the cells where the descent from `start` comes to rest; a level at zero stays there.

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
    """Return the levels that are cheapest somewhere and the borders between them.

    A line whose crossing with its right neighbour is not right of that with its left one is nowhere the
    lowest of the three; such lines can be dropped all at once, until none is left.
    """
    while True:
        borders = (levels[1:] + levels[:-1] + multiplier * np.diff(lengths) / np.diff(levels)) / 2
        shown = np.ones(levels.size, bool)
        shown[1:-1] = borders[1:] > borders[:-1]
        if shown.all():
            return levels, borders
        levels, lengths = levels[shown], lengths[shown]


def _start(view: SortedWeights, k: int) -> Floats:
    """Companded levels, the one nearest to zero moved there."""
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
    """Return the cells of the smallest multiplier, by bisection, that `fits`; stop early when `close`.

    Levels that share the weights equally stay under any multiplier; the descent then starts at `coarsest`.
    """

    def at(multiplier: float) -> list[Cells]:
        return [settle(view, start, multiplier) for view, start in zip(views, starts, strict=True)]

    best = at(0.0)
    if fits(best):
        return best
    spread = max(float(np.ptp(view.values)) for view in views) ** 2
    low, high = spread * 1e-15, spread * 10  # at the top one level is left
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
