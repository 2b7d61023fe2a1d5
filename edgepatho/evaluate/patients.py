"""Scores per patient: Ki-67 index and TIL score, their errors, and the classes they fall in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

KI67_CUTOFFS = (0.16, 0.30)
TIL_CUTOFFS = (0.10, 0.60)
Cells = tuple[int, int, int]  # immunopositive, immunonegative, til


@dataclass(frozen=True)
class Scores:
    """Ki-67 index = immunopositive / tumour cells; TIL score = lymphocytes / all cells; 0 without cells."""

    ki67: float
    til: float


def scores(cells: Cells) -> Scores:
    """Return the scores of a patient with these numbers of cells."""
    positive, negative, til = cells
    tumour = positive + negative
    return Scores(positive / tumour if tumour else 0.0, til / (tumour + til) if tumour + til else 0.0)


def pooled(patients: Iterable[str], cells: Iterable[Cells]) -> dict[str, Cells]:
    """Return the numbers of cells of each patient, summed over tiles given in equal order."""
    sums: dict[str, Cells] = {}
    for patient, (positive, negative, til) in zip(patients, cells, strict=True):
        before = sums.get(patient, (0, 0, 0))
        sums[patient] = (before[0] + positive, before[1] + negative, before[2] + til)
    return sums


def ki67_class(index: float, cutoffs: tuple[float, float] = KI67_CUTOFFS) -> int:
    """Return 0 below the first cut-off, 2 above the second, else 1."""
    return int(index >= cutoffs[0]) + int(index > cutoffs[1])


def til_class(score: float, cutoffs: tuple[float, float] = TIL_CUTOFFS) -> int:
    """Return 0 up to the first cut-off, 2 from the second on, else 1."""
    return int(score > cutoffs[0]) + int(score >= cutoffs[1])


def compare(
    found: Mapping[str, Cells],
    truth: Mapping[str, Cells],
    ki67_cutoffs: tuple[float, float] = KI67_CUTOFFS,
    til_cutoffs: tuple[float, float] = TIL_CUTOFFS,
) -> dict[str, float]:
    """Return the errors of `found` against `truth`, both cells per patient, over the same patients.

    RMSE and mean absolute error of both scores (points are hundredths), and the shares of patients in the
    right class.
    """
    ours = [scores(found[patient]) for patient in truth]
    right = [scores(cells) for cells in truth.values()]
    ki67 = np.array([a.ki67 - b.ki67 for a, b in zip(ours, right, strict=True)])
    til = np.array([a.til - b.til for a, b in zip(ours, right, strict=True)])
    same_ki67 = [
        ki67_class(a.ki67, ki67_cutoffs) == ki67_class(b.ki67, ki67_cutoffs)
        for a, b in zip(ours, right, strict=True)
    ]
    same_til = [
        til_class(a.til, til_cutoffs) == til_class(b.til, til_cutoffs)
        for a, b in zip(ours, right, strict=True)
    ]
    return {
        "ki67_rmse": float(np.sqrt(np.mean(ki67**2))),
        "til_rmse": float(np.sqrt(np.mean(til**2))),
        "ki67_mae_points": 100 * float(np.mean(np.abs(ki67))),
        "til_mae_points": 100 * float(np.mean(np.abs(til))),
        "ki67_cutoff_accuracy": float(np.mean(same_ki67)),
        "til_cutoff_accuracy": float(np.mean(same_til)),
    }
