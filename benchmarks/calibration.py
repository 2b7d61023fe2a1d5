"""What ten corrected pictures of an unseen laboratory do for its other fourteen.

    python -m benchmarks.calibration PREPARED LABORATORY...    # build/prepared build/laboratories/C ...

The bundle holds the shipped weights with thresholds chosen on the validation tiles of PREPARED, as `compress`
writes it. `edgepatho calibrate` gets the first ten tiles of a laboratory with their true labels as
corrections; F1 on its other tiles, of other patients but for two, is measured with the old and new bundle.
Synthetic tiles: the figures say nothing about real ones. Writes benchmarks/results/calibration.json.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.results import RESULTS, save, table
from edgepatho.classes import CLASSES
from edgepatho.data import corrections
from edgepatho.evaluate import cells, networks, patients, thresholds
from edgepatho.evaluate.calibration import calibrate
from edgepatho.evaluate.match import Counts, one_to_one
from edgepatho.evaluate.tiles import load
from edgepatho.exporters import bundle
from edgepatho.model.shared import SharedModel

CORRECTED = 10
CALIBRATION_TILES = 48


def original(prepared: Path, path: Path) -> None:
    """Write the shipped weights as a bundle with thresholds chosen on validation tiles."""
    (graph,) = networks.load(None).graphs.values()
    tiles = load(prepared, "validation", CALIBRATION_TILES)
    chosen = thresholds.choose_all(list(tiles.within(networks.heat(graph, tiles.images))), tiles.labelled)
    scoring = bundle.SCORING | {"thresholds": [int(each.threshold) for each in chosen]}
    bundle.write(path, SharedModel(graph), scoring=scoring, provenance={}, accuracy={})


def others(path: Path, pairs: list[tuple[Path, Path]]) -> dict[str, Any]:
    """Return F1 per class, thresholds and Ki-67 error in points of a bundle on pictures with labels."""
    content = networks.read_bundle(path)
    limits = content.scoring["thresholds"]
    pictures = [corrections.read(*pair, None) for pair in pairs]
    heat = networks.heat_of_pictures(bundle.network_of(content), [each.rgb for each in pictures])
    totals = [Counts()] * len(CLASSES)
    for each, picture in zip(heat, pictures, strict=True):
        found = zip(cells.find(each, limits), picture.cells, strict=True)
        totals = [total + one_to_one(*pair) for total, pair in zip(totals, found, strict=True)]
    index, truth = (
        patients.scores((numbers[0], numbers[1], numbers[2])).ki67
        for numbers in ([each.found for each in totals], [each.labelled for each in totals])
    )
    f1 = {name: round(each.f1, 4) for name, each in zip(CLASSES, totals, strict=True)}
    return {"thresholds": limits, "f1": f1, "ki67_error_points": round(100 * abs(index - truth), 2)}


def main(prepared: Path, folders: list[Path]) -> None:
    rows, lines = [], []
    with TemporaryDirectory() as room:
        old, new = Path(room) / "original.epb", Path(room) / "calibrated.epb"
        original(prepared, old)
        for folder in folders:
            pairs = corrections.find([folder]).pairs
            given, rest = pairs[:CORRECTED], pairs[CORRECTED:]
            record = calibrate(old, [file for pair in given for file in pair], new)
            before, after = others(old, rest), others(new, rest)
            rows.append(
                {
                    "laboratory": folder.name,
                    "corrected": len(given),
                    "others": len(rest),
                    "leave_one_out": record["f1"],
                    "threshold_ranges": record["threshold_ranges"],
                    "before": before,
                    "after": after,
                }
            )
            for at, name in enumerate(CLASSES):
                limits = [f"{each['thresholds'][at]:g}" for each in (before, after)]
                left_out = [f"{record['f1'][name][key]:.3f}" for key in ("before", "leave_one_out")]
                unseen = [f"{each['f1'][name]:.3f}" for each in (before, after)]
                lines.append([f"{folder.name} {name}", *limits, *left_out, *unseen])
            errors = [f"{each['ki67_error_points']:.1f}" for each in (before, after)]
            lines.append([f"{folder.name} Ki-67 error, points", "", "", "", "", *errors])
    save(rows, RESULTS / "calibration.json")
    header = ["laboratory", "old", "new", "F1 before", "left out", "others before", "after"]
    print(table(header, lines))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), [Path(folder) for folder in sys.argv[2:]])
