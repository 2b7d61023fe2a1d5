"""Laboratories whose pictures a network was not trained on: their tiles, figures, and losses of agreement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgepatho.classes import CLASSES
from edgepatho.errors import UsageError
from edgepatho.evaluate.tiles import Tiles, load

MOST_AGREEMENT_LOST = 0.02  # against the same laboratories, before a sentence says so
BRIEF = ("average_f1", "ki67_mae_points", "agreement", "ki67_change_points")
Row = dict[str, Any]


@dataclass(frozen=True)
class UnseenTiles:
    """The test tiles of one laboratory; `sha256` identifies its prepared folder."""

    name: str
    tiles: Tiles
    synthetic: bool
    sha256: str

    def entry(self, rows: list[Row]) -> dict[str, Any]:
        """Return the laboratory's entry in a record, with the rows of all models."""
        return {
            "laboratory": self.name,
            "tiles": len(self.tiles.names),
            "patients": len(set(self.tiles.patients)),
            "synthetic": self.synthetic,
            "rows": rows,
        }


def laboratories(folders: Sequence[Path]) -> list[UnseenTiles]:
    """Return the laboratories of prepared folders, or of folders that hold prepared folders, by name.

    A laboratory is called by the name in its manifest, else as its folder. Raises InputError for any other
    folder, UsageError for two of one name.
    """
    found: dict[str, UnseenTiles] = {}
    for folder in folders:
        for each in _prepared(folder):
            laboratory = _laboratory(each)
            if laboratory.name in found:
                raise UsageError(f"--unseen gives two laboratories called {laboratory.name}; leave out one.")
            found[laboratory.name] = laboratory
    return [found[name] for name in sorted(found)]


def _prepared(folder: Path) -> list[Path]:
    from edgepatho.data.prepare import MARKER

    if folder.is_dir() and not (folder / MARKER).exists():
        return sorted(marker.parent for marker in folder.glob(f"*/{MARKER}")) or [folder]
    return [folder]


def _laboratory(folder: Path) -> UnseenTiles:
    from edgepatho.data.prepare import check_prepared

    about = check_prepared(folder)
    name = about.get("laboratory", folder.resolve().name)
    return UnseenTiles(name, load(folder, "test"), about["synthetic"], about["sha256"])


def brief(row: Row) -> Row:
    """Return the figures of a row that a sweep keeps."""
    return {f"{name}_f1": row[name]["f1"] for name in CLASSES} | {
        key: row[key] for key in BRIEF if row.get(key) is not None
    }


def losses(rows: Sequence[Row], unseen: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each laboratory where the compressed network agrees less with its original."""
    same = _agreement(rows)
    for entry in unseen:
        agreement = _agreement(entry["rows"])
        if same is not None and agreement is not None and agreement < same - MOST_AGREEMENT_LOST:
            (change,) = (row["ki67_change_points"] for row in entry["rows"] if row["model"] == "compressed")
            yield (
                f"On unseen laboratory {entry['laboratory']}, the compressed network agrees less with the "
                f"original ({agreement:.3f}; same laboratories: {same:.3f}) and changes a patient's Ki-67 "
                f"index by {change:.1f} points on average; compress less, or retrain on its pictures too."
            )


def _agreement(rows: Sequence[Row]) -> float | None:
    return next((row.get("agreement") for row in rows if row["model"] == "compressed"), None)
