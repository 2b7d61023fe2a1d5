"""What do labels add to a compression? The same training pictures with and without them.

    python -m benchmarks.unlabelled TILES PREPARED    # writes benchmarks/results/unlabelled.json

TILES is a folder with Train/ (`edgepatho synth`), PREPARED what `edgepatho prepare` made of it. ECSQ at 1 bit
per weight is retrained towards the labels, towards the original's output, and with `compress --pictures` on
the pictures of Train/ alone, one sub-folder for each patient. All three are judged on PREPARED's test tiles
and on --unseen laboratories, with the same thresholds. Finished compressions in --work are not repeated.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from benchmarks.results import RESULTS, save, table

QUANTIZER = ("--method", "ecsq", "--bits", "1", "--codebook", "per-layer", "--scale", "output")
Row = dict[str, Any]


def main(
    tiles: Path, prepared: Path, unseen: tuple[Path, ...], work: Path, more: list[str], output: Path
) -> None:
    """Compress what is missing, judge all, and print the table."""
    pictures = work / "pictures"
    by_patient(tiles / "Train", pictures)
    labelled = _compressed(work / "labels", [str(prepared), "--no-control", "--target", "labels", *more])
    thresholds = tuple(labelled["scoring"]["thresholds"])
    original = [str(prepared), "--no-control", "--target", "original", *more]
    _compressed(work / "original", original)
    given = ",".join(f"{each:g}" for each in thresholds)
    _compressed(work / "pictures-only", ["--pictures", str(pictures), "--thresholds", given, *more])
    names = {"labels": "labels", "original": "labelled tiles", "pictures-only": "pictures without labels"}
    rows = [{"way": way} | judged(work / name, prepared, unseen, thresholds) for name, way in names.items()]
    save(rows, output)
    print(as_table(rows))


def by_patient(train: Path, pictures: Path) -> None:
    """Link the pictures of `train` into a sub-folder of `pictures` for each patient."""
    from edgepatho.data.source import find

    for each in find(train).train:
        link = pictures / each.patient / each.image.name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(each.image.resolve())


def judged(folder: Path, prepared: Path, unseen: tuple[Path, ...], thresholds: tuple[float, ...]) -> Row:
    """Return sizes and agreement of a compress folder, and its change of F1 and of the Ki-67 index."""
    from edgepatho.evaluate.evaluation import Request, evaluate

    found = evaluate(folder, Request(prepared, thresholds=thresholds, unseen=unseen))
    record = json.loads((folder / "compress.json").read_text())
    before, after = found["rows"]
    return {
        "original_sha256": record["original"]["sha256"],
        "synthetic": found["synthetic"],
        "tiles": found["tiles"],
        "steps": record["training"]["steps"],
        "bundle_bytes": record["files"]["model.epb"]["bytes"],
        "agreement": after["agreement"],
        "ki67_change_points": after["ki67_change_points"],
        "f1_delta_points": 100 * (after["average_f1"] - before["average_f1"]),
        "unseen_agreement": {each["laboratory"]: each["rows"][1]["agreement"] for each in found["unseen"]},
    }


def as_table(rows: list[Row]) -> str:
    """Return a line for each way of retraining."""
    laboratories = list(rows[0]["unseen_agreement"])
    header = ["retrained with", "bundle, kB", "agreement", "Ki-67 change", "F1 points", *laboratories]
    lines = [
        [
            row["way"],
            f"{row['bundle_bytes'] / 1e3:.0f}",
            f"{row['agreement']:.4f}",
            f"{row['ki67_change_points']:.2f}",
            f"{row['f1_delta_points']:+.2f}",
            *(f"{row['unseen_agreement'][name]:.4f}" for name in laboratories),
        ]
        for row in rows
    ]
    return table(header, lines)


def _compressed(folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Return the record of a compress folder, which is made unless the same original made it before."""
    from edgepatho.model import weights

    file = folder / "compress.json"
    current = weights.sha256(weights.load_shipped(None))
    if file.exists() and json.loads(file.read_text())["original"]["sha256"] == current:
        record: dict[str, Any] = json.loads(file.read_text())
        return record
    command = [sys.executable, "-m", "edgepatho", "compress", *arguments, *QUANTIZER]
    subprocess.run([*command, "--deterministic", "-o", str(folder)], check=True, stdout=sys.stderr)
    record = json.loads(file.read_text())
    return record


@click.command()
@click.argument("tiles", type=click.Path(file_okay=False, path_type=Path))
@click.argument("prepared", type=click.Path(file_okay=False, path_type=Path))
@click.option("--unseen", multiple=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--steps", default=60, show_default=True)
@click.option("--work", type=click.Path(file_okay=False, path_type=Path), default=Path("build/unlabelled"))
@click.option("--output", type=click.Path(path_type=Path), default=RESULTS / "unlabelled.json")
def command(
    tiles: Path, prepared: Path, unseen: tuple[Path, ...], steps: int, work: Path, output: Path
) -> None:
    """Compress with and without the labels of TILES, whose prepared folder is PREPARED."""
    main(tiles, prepared, unseen, work, ["--steps", str(steps)], output)


if __name__ == "__main__":
    command()
