"""Scores per patient: Ki-67 index and TIL score, their errors and their classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

KI67_CUTOFFS = (0.16, 0.30)
TIL_CUTOFFS = (0.10, 0.60)
MIN_TUMOUR_CELLS = 30  # with fewer there is no class: one cell more or less would change it
NO_CLASS = f"no class: under {MIN_TUMOUR_CELLS} tumour cells"
Cells = tuple[int, int, int]  # immunopositive, immunonegative, til


@dataclass(frozen=True)
class Scores:
    """Ki-67 index = immunopositive / tumour cells; TIL score = lymphocytes / all cells; 0 without cells."""

    ki67: float
    til: float


def scores(cells: Cells) -> Scores:
    """Return the scores of a patient with these cell counts."""
    positive, negative, til = cells
    tumour = positive + negative
    return Scores(positive / tumour if tumour else 0.0, til / (tumour + til) if tumour + til else 0.0)


def pooled(patients: Iterable[str], cells: Iterable[Cells]) -> dict[str, Cells]:
    """Return the cell counts of each patient, summed over tiles; both arguments are in tile order."""
    sums: dict[str, Cells] = {}
    for patient, (positive, negative, til) in zip(patients, cells, strict=True):
        before = sums.get(patient, (0, 0, 0))
        sums[patient] = (before[0] + positive, before[1] + negative, before[2] + til)
    return sums


def ki67_class(index: float, cutoffs: tuple[float, float] = KI67_CUTOFFS) -> int:
    """Return 0 below the first cut-off, 2 above the second, else 1."""
    return int(index >= cutoffs[0]) + int(index > cutoffs[1])


def til_class(score: float, cutoffs: tuple[float, float] = TIL_CUTOFFS) -> int:
    """Return 0 up to and including the first cut-off, 2 from the second, else 1."""
    return int(score > cutoffs[0]) + int(score >= cutoffs[1])


def classes(
    cells: Cells,
    ki67_cutoffs: tuple[float, float] = KI67_CUTOFFS,
    til_cutoffs: tuple[float, float] = TIL_CUTOFFS,
) -> tuple[int, int] | None:
    """Return the Ki-67 and TIL class of these cells; None under MIN_TUMOUR_CELLS tumour cells."""
    if cells[0] + cells[1] < MIN_TUMOUR_CELLS:
        return None
    found = scores(cells)
    return ki67_class(found.ki67, ki67_cutoffs), til_class(found.til, til_cutoffs)


def compare(
    found: Mapping[str, Cells],
    truth: Mapping[str, Cells],
    ki67_cutoffs: tuple[float, float] = KI67_CUTOFFS,
    til_cutoffs: tuple[float, float] = TIL_CUTOFFS,
) -> dict[str, float | None]:
    """Return the errors of `found` against `truth`, the cells of the same patients.

    RMSE and mean absolute error of both scores (points are hundredths); the number of patients with a class
    in `truth`, and the share of them in the right class (None if there is no such patient).
    """
    ours = [scores(found[patient]) for patient in truth]
    right = [scores(cells) for cells in truth.values()]
    ki67 = np.array([a.ki67 - b.ki67 for a, b in zip(ours, right, strict=True)])
    til = np.array([a.til - b.til for a, b in zip(ours, right, strict=True)])
    classed = {patient: cells for patient, cells in truth.items() if classes(cells) is not None}
    wrong = changed(found, classed, ki67_cutoffs, til_cutoffs)
    shares = [1 - number / len(classed) if classed else None for number in wrong]
    return {
        "ki67_rmse": float(np.sqrt(np.mean(ki67**2))),
        "til_rmse": float(np.sqrt(np.mean(til**2))),
        "ki67_mae_points": 100 * float(np.mean(np.abs(ki67))),
        "til_mae_points": 100 * float(np.mean(np.abs(til))),
        "patients_with_class": len(classed),
        "ki67_cutoff_accuracy": shares[0],
        "til_cutoff_accuracy": shares[1],
    }


def changed(
    found: Mapping[str, Cells],
    truth: Mapping[str, Cells],
    ki67_cutoffs: tuple[float, float],
    til_cutoffs: tuple[float, float],
) -> tuple[int, int]:
    """Return how many patients' Ki-67 and TIL classes differ between `truth` and `found`; no class counts."""
    pairs = [
        (classes(found[patient], ki67_cutoffs, til_cutoffs), classes(cells, ki67_cutoffs, til_cutoffs))
        for patient, cells in truth.items()
    ]
    ki67, til = (sum((a and a[at]) != (b and b[at]) for a, b in pairs) for at in (0, 1))
    return ki67, til
