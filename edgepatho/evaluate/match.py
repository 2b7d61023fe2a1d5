"""Matching of found cells with labelled ones, one to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepatho.evaluate.cells import Points

RADIUS_PX = 6.0  # of a 256 px tile: a cell found this close to a label matches it
AGREEMENT_PX = 3.0  # the same for two models on one tile


@dataclass(frozen=True)
class Counts:
    """True positives, false positives and false negatives of one class; `+` sums over tiles."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def found(self) -> int:
        return self.tp + self.fp

    @property
    def labelled(self) -> int:
        return self.tp + self.fn

    @property
    def precision(self) -> float:
        """Share of found cells that are correct; 1 if none was found."""
        return self.tp / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of labelled cells that were found; 1 if there are none."""
        return self.tp / self.labelled if self.labelled else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 1 if there are neither labelled nor found cells."""
        total = self.found + self.labelled
        return 2 * self.tp / total if total else 1.0

    def as_json(self) -> dict[str, float]:
        """Return counts, precision, recall and F1, JSON-ready."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1} | self.__dict__


def one_to_one(found: Points, labelled: Points, radius_px: float = RADIUS_PX) -> Counts:
    """Return the counts of the best one-to-one assignment (`pairs`)."""
    tp = len(pairs(found, labelled, radius_px))
    return Counts(tp, len(found) - tp, len(labelled) - tp)


def alone(found: Points, others: Points, radius_px: float = AGREEMENT_PX) -> Points:
    """Return the cells of `found` without a partner in `others`."""
    return np.delete(found, pairs(found, others, radius_px)[:, 0], axis=0)


def pairs(found: Points, labelled: Points, radius_px: float) -> NDArray[np.intp]:
    """Return the best assignment of indices, [pairs, 2]: most pairs within the radius, then least distance.

    Each found cell pairs with at most one label and each label with at most one cell (Hungarian method).
    """
    from scipy.optimize import linear_sum_assignment

    fewer = min(len(found), len(labelled))
    if fewer == 0:
        return np.empty((0, 2), np.intp)
    distance = np.linalg.norm(found[:, None] - labelled[None], axis=-1)
    too_far = radius_px * (fewer + 1)  # costs more than all pairs together, so pairs come first
    rows, columns = linear_sum_assignment(np.where(distance <= radius_px, distance, too_far))
    near: NDArray[np.intp] = np.column_stack([rows, columns])[distance[rows, columns] <= radius_px]
    return near
