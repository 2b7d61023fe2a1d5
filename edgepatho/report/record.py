"""The contents of compress.json and frontier.json (docs/report.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from edgepatho.errors import InputError
from edgepatho.report.accuracy import Accuracy, CellCounts
from edgepatho.report.decode import Choice, Range, decode, read_json, read_json_of
from edgepatho.report.quantities import (
    Bits,
    Bytes,
    Count,
    Figure,
    Fraction,
    Points,
    Sha256,
    Value,
)


@dataclass(frozen=True)
class OriginalModel:
    """The network before compression; the hash covers its fp32 values."""

    name: str
    sha256: Sha256
    parameters: Count


@dataclass(frozen=True)
class QuantizerFigures:
    """The result of sharing the weights; distortion is a mean squared error in squared weight units."""

    method: str
    k: Count | None
    levels_used: Count
    entropy_bits: Bits
    distortion: Figure
    mse_to_original: Figure | None = None


@dataclass(frozen=True)
class TrainingStep:
    """One entry of the retraining's history."""

    step: Count
    train_mse: Figure | None = None
    validation_mse: Figure | None = None


@dataclass(frozen=True)
class RetrainingHistory:
    """The retraining of the codebook."""

    steps: Count
    history: list[TrainingStep]


@dataclass(frozen=True)
class ExportedFile:
    """One file of the compress folder."""

    bytes: Bytes
    sha256: Sha256
    deflated_bytes: Bytes | None = None


@dataclass(frozen=True)
class Space:
    """Compression ratios: by the published formula, and of the files."""

    seed_ratio: Figure
    measured_ratio: Figure


@dataclass(frozen=True)
class Codebook:
    """The shared values and how many weights have each."""

    values: list[Value]
    counts: list[Count]


@dataclass(frozen=True)
class Layer:
    """Codebook use of one layer, or the reason why it was skipped."""

    name: str
    parameters: Count
    levels_used: Count | None = None
    entropy_bits: Bits | None = None
    skipped: str | None = None


@dataclass(frozen=True)
class OverlayCounts:
    """Cells that both models found in one overlay tile, the labelled ones, and what only one model found."""

    original: CellCounts
    compressed: CellCounts
    labels: CellCounts | None = None
    only_original: CellCounts | None = None
    only_compressed: CellCounts | None = None


@dataclass(frozen=True)
class CompressRecord:
    """compress.json"""

    format: Annotated[str, Choice(("edgepatho-compress",))]
    version: Annotated[int, Range(1, 2)]
    command: dict[str, Any]
    versions: dict[str, Any]
    original: OriginalModel
    quantizer: QuantizerFigures
    training: RetrainingHistory
    accuracy: Accuracy
    files: dict[str, ExportedFile]
    space: Space | None = None
    scoring: dict[str, Any] = field(default_factory=dict)
    envelope: dict[str, Any] | None = None
    codebook: Codebook | None = None
    layers: list[Layer] = field(default_factory=list)
    overlays: dict[str, OverlayCounts] = field(default_factory=dict)


@dataclass(frozen=True)
class FrontierRow:
    """One point of a sweep; f1_delta_points is compressed minus original, a loss is negative."""

    ignores_unknown: ClassVar[bool] = True

    method: str
    bundle_bytes: Bytes
    f1_delta_points: Points
    k: Count | None = None
    bits: Bits | None = None
    prune: Fraction | None = None


@dataclass(frozen=True)
class Frontier:
    """frontier.json"""

    ignores_unknown: ClassVar[bool] = True

    rows: list[FrontierRow]


def read_compress(path: Path) -> CompressRecord:
    """Return the record of a compress folder, or of its compress.json; raises InputError."""
    file = path / "compress.json" if path.is_dir() else path
    record = decode(CompressRecord, read_json_of(file, "edgepatho-compress"), file)
    for model in ("original", "compressed"):
        if record.accuracy.of(model) is None:
            raise InputError(f"{file}: accuracy.rows has no row for the {model} model; expected one.")
    rows = [*record.accuracy.rows, *(row for each in record.accuracy.unseen for row in each.rows)]
    for row in rows if record.accuracy.labelled else ():
        if None in (row.immunopositive, row.immunonegative, row.til, row.average_f1):
            raise InputError(
                f"{file}: a row of the {row.model} model lacks a class or average_f1, expected of tiles with "
                "labels; write the record again."
            )
    if record.codebook and len(record.codebook.values) != len(record.codebook.counts):
        raise InputError(
            f"{file}: codebook has {len(record.codebook.values)} values and "
            f"{len(record.codebook.counts)} counts; expected one count per value."
        )
    return record


def read_frontier(path: Path) -> Frontier:
    """Return the sweep's rows in `path`, a list or an object with `rows`; raises InputError."""
    value = read_json(path)
    return decode(Frontier, {"rows": value} if isinstance(value, list) else value, path)
