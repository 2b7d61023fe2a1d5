"""The tables of accuracy in README.md and docs, from the records in benchmarks/results."""

from __future__ import annotations

from typing import Any

from benchmarks.results import markdown
from edgepatho.classes import CLASSES

Row = dict[str, Any]


def original_sentence(frontier: dict[str, Any]) -> str:
    """Return the F1 of the uncompressed network on the tiles of the frontier."""
    f1 = [f"{frontier['original'][name]['f1']:.3f}" for name in CLASSES]
    return (
        f"The original finds immunopositive, immunonegative and TIL cells with an F1 of {f1[0]}, {f1[1]} and "
        f"{f1[2]}, one to one within 6 px of 256."
    )


def frontier_table(frontier: dict[str, Any]) -> str:
    """Return the published methods at k = 256, the smallest bundles, and those at four bits per weight."""
    header = ["compression", "bundle, kB", "weights in memory, kB", "agreement before", "agreement after"]
    header += ["average F1, points", "Ki-67 index, points"]
    lines = [
        [
            _compression(row),
            f"{row['bundle_bytes'] / 1e3:.0f}",
            f"{row['weights_ram_bytes'] / 1e3:.0f}",
            f"{row['agreement_before']:.3f}",
            f"{row['agreement']:.3f}",
            f"{row['f1_delta_points']:+.2f}",
            f"{row['ki67_change_points']:.2f}",
        ]
        for row in _shown(frontier)
    ]
    return markdown(header, lines)


def unseen_tables(frontier: dict[str, Any]) -> str:
    """Return the original on laboratories that training did not see, and what compression changes there.

    Empty if the record was measured without them.
    """
    original = frontier["original"]
    if not original.get("unseen"):
        return ""
    same = {f"{name}_f1": original[name]["f1"] for name in CLASSES} | original
    of = {"same laboratories": same} | original["unseen"]
    lines = [
        [name, *(f"{row[f'{kind}_f1']:.3f}" for kind in CLASSES), f"{row['ki67_mae_points']:.1f}"]
        for name, row in of.items()
    ]
    header = ["original", "F1 immunopositive", "F1 immunonegative", "F1 TIL", "Ki-67 error, points"]
    compressed = [
        [
            _compression(row),
            *(
                f"{figures['agreement']:.3f} ({figures['ki67_change_points']:.1f})"
                for figures in (row, *row["unseen"].values())
            ),
        ]
        for row in _shown(frontier)
    ]
    second = ["agreement (change of the Ki-67 index, points)", "same", *original["unseen"]]
    return f"{markdown(header, lines)}\n\n{markdown(second, compressed)}"


def weights_table(about: dict[str, Any]) -> str:
    """Return how the shipped weights were trained."""
    schedule = about["schedule"]
    lines = [
        ["command", f"`{about['command']}`"],
        ["steps", f"{schedule['crop_steps']} on crops, {schedule['whole_steps']} on whole tiles"],
        ["batch", f"{schedule['batch']} tiles or crops of {schedule['crop_px']} px"],
        ["hours", f"{about['hours']:.2f}"],
        ["processor", about["processor"]],
        ["mean squared error on the validation tiles", f"{about['validation_mse']:.1f}"],
        ["SHA-256", f"`{about['sha256']}`"],
    ]
    return markdown(["", ""], lines)


def generalisation_table(rows: list[Row]) -> str:
    """Return every network's F1 and error of the index on each laboratory."""
    header = ["weights", "laboratory", "tiles", *(f"F1 {name}" for name in CLASSES), "Ki-67 error, points"]
    lines = [
        [
            row["weights"],
            row["laboratory"],
            str(row["tiles"]),
            *(f"{row[f'{name}_f1']:.3f}" for name in CLASSES),
            f"{row['ki67_mae_points']:.1f}",
        ]
        for row in rows
    ]
    return markdown(header, lines)


def _shown(frontier: dict[str, Any]) -> list[Row]:
    """The rows that the pages show, the largest bundle first."""
    return [
        row
        for row in sorted(frontier["rows"], key=lambda row: -row["bundle_bytes"])
        if (row["k"] == 256 and row["bits"] is None and not row["prune"])
        or (row["scale"] == "output" and not row["index_rate"])
        or (row["levels"] <= 16 and row["index_rate"])
    ]


def _compression(row: Row) -> str:
    size = f"{row['bits']:g} bits per weight" if row["bits"] else f"k = {row['k']}"
    return f"{row['method'].upper()}, {size}" + (", indices moved" if row["index_rate"] else "")
