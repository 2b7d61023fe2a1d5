"""Decision thresholds: for each class the middle of those whose F1 on labelled tiles is nearly the best.

The single best threshold jumps: where F1 is flat, one cell more or less moves it across the whole flat part.
Here F1 is measured at LEVELS and interpolated between them. The range is the run of thresholds around the
best whose F1 is less than a tolerance below it: TOLERANCE, or what one labelled cell is worth if that is
more. The threshold is their mean, each weighted by how far its F1 is above that bound, so that one that
enters or leaves the range weighs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate import cells, published_protocol
from edgepatho.evaluate.cells import Points
from edgepatho.evaluate.match import Counts, one_to_one

LEVELS = (5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 95, 110, 130, 160)  # heat units, 0..255
TOLERANCE = 0.01  # of F1
MIN_CELLS = 5  # of a class; with fewer labels its threshold is not chosen
DEFAULT = published_protocol.THRESHOLDS


@dataclass(frozen=True)
class Chosen:
    """A class' threshold and the range of those with nearly the best F1; no range: a default."""

    threshold: float
    range: tuple[float, float] | None = None


def choose_all(
    heat: Sequence[NDArray[np.float32]],
    labelled: Sequence[Sequence[Points]],
    note: Callable[[], None] = lambda: None,
) -> list[Chosen]:
    """Return the choice for each class of the maps `heat`, each [height, width, classes].

    A class with fewer than MIN_CELLS labels, or never found, keeps its DEFAULT. `note` is called after every
    class.
    """
    choices = []
    for at, default in enumerate(DEFAULT):
        tiles = [counts(tile[..., at], labels[at]) for tile, labels in zip(heat, labelled, strict=True)]
        choices.append(choose(tiles, default))
        note()
    return choices


def counts(heat: NDArray[np.float32], labelled: Points) -> list[Counts]:
    """Return the counts of one class on one tile at each of LEVELS, cells of other classes ignored."""
    return [one_to_one(cells.centroids(cells.regions(heat >= level)), labelled) for level in LEVELS]


def choose(tiles: Iterable[Sequence[Counts]], default: float) -> Chosen:
    """Return the choice for one class from the counts of each tile at each of LEVELS, a whole number."""
    totals = [sum(level, Counts()) for level in zip(*tiles, strict=True)]
    labelled = totals[0].labelled
    candidates = np.arange(LEVELS[0], LEVELS[-1] + 1)
    f1 = np.interp(candidates, LEVELS, [each.f1 for each in totals])
    best = int(np.argmax(f1))
    if labelled < MIN_CELLS or f1[best] == 0:
        return Chosen(default)
    above = f1 - (f1[best] - max(TOLERANCE, 1 / labelled))
    outside = np.flatnonzero(above <= 0)
    first = int(outside[outside < best].max(initial=-1)) + 1
    end = int(outside[outside > best].min(initial=len(candidates)))
    run = slice(first, end)
    middle = float(np.average(candidates[run], weights=above[run]))
    return Chosen(float(round(middle)), (float(candidates[first]), float(candidates[end - 1])))
