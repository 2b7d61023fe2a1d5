"""The accuracy rows of compress.json, written by `edgepatho.evaluate.accuracy`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from edgepatho.report.decode import Choice
from edgepatho.report.quantities import Count, Figure, Fraction, Percent

ModelName = Annotated[str, Choice(("original", "control", "compressed"))]


@dataclass(frozen=True)
class Score:
    """Detection of one class of cells: rates, and the counts behind them."""

    precision: Fraction
    recall: Fraction
    f1: Fraction
    tp: Count | None = None
    fp: Count | None = None
    fn: Count | None = None


@dataclass(frozen=True)
class CellCounts:
    """Cells of each class."""

    immunopositive: Count
    immunonegative: Count
    til: Count


@dataclass(frozen=True, kw_only=True)
class PatientErrors:
    """Errors of the scores per patient; points are hundredths of a score.

    Cut-off accuracies are over `patients_with_class`: those with enough labelled tumour cells for a class.
    """

    ki67_rmse: Fraction | None = None
    til_rmse: Fraction | None = None
    ki67_mae_points: Percent | None = None
    til_mae_points: Percent | None = None
    patients_with_class: Count | None = None
    ki67_cutoff_accuracy: Fraction | None = None
    til_cutoff_accuracy: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class PublishedScores(PatientErrors):
    """Scores under the published protocol, which leaves out tiles where no cell is found, possibly all."""

    tiles_left_out: Count | None = None
    immunopositive: Score | None = None
    immunonegative: Score | None = None
    til: Score | None = None
    average_f1: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class ModelScores(PatientErrors):
    """One model on the test tiles; comparisons with the original are null for the original itself.

    Without labels there are `cells` found instead of scores. Average F1 excludes TILs; agreement is the F1
    against the original's cells.
    """

    model: ModelName
    immunopositive: Score | None = None
    immunonegative: Score | None = None
    til: Score | None = None
    average_f1: Fraction | None = None
    cells: CellCounts | None = None
    agreement: Fraction | None = None
    agreement_cells: Count | None = None
    mse_to_original: Figure | None = None
    ki67_change_points: Percent | None = None
    patients_changing_ki67_class: Count | None = None
    patients_changing_til_class: Count | None = None
    seed_protocol: PublishedScores | None = None


@dataclass(frozen=True)
class UnseenLaboratory:
    """The same on the tiles of a laboratory that training did not see."""

    laboratory: str
    tiles: Count
    patients: Count
    synthetic: bool
    rows: list[ModelScores]


@dataclass(frozen=True)
class Accuracy:
    """Accuracy before and after, on the same tiles under the same protocol; notes are warnings."""

    tiles: Count
    patients: Count
    synthetic: bool
    protocol: dict[str, Any]
    rows: list[ModelScores]
    labelled: bool = True
    shared_patients: list[str] = field(default_factory=list)
    unseen: list[UnseenLaboratory] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, model: str) -> ModelScores | None:
        """Return the row of `model`: original, control or compressed."""
        return next((row for row in self.rows if row.model == model), None)
