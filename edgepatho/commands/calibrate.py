"""`edgepatho calibrate`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgepatho.classes import CLASSES
from edgepatho.commands.options import FILE, json_option


@click.command()
@click.argument("bundle", type=FILE)
@click.argument("corrected", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=FILE, help="The new bundle, an .epb file.")
@click.option(
    "--scale",
    type=click.FloatRange(0.01, 10),
    help="Network pixels per picture pixel, as given to score; default: its rule.",
)
@json_option
def command(
    bundle: Path, corrected: tuple[Path, ...], output: Path, scale: float | None, as_json: bool
) -> None:
    """Choose the thresholds of BUNDLE anew on a few CORRECTED pictures and write a new bundle.

    CORRECTED are folders or files: pictures, and points of the same name as QuPath (NAME.geojson) or `score`
    (NAME.cells.csv) writes them, beside the pictures or in a folder of their own. GeoJSON comes before a
    table. At least five pictures and five cells of each class are needed.

    \b
    Example: score, correct the points in QuPath, then
      edgepatho calibrate model.epb pictures scores -o ours.epb
    """
    from edgepatho.evaluate.calibration import calibrate
    from edgepatho.model.reproducible import seed_everything
    from edgepatho.progress import progress

    seed_everything(0, deterministic=False)
    with progress("calibrating") as bar:
        record = calibrate(bundle, corrected, output, scale=scale, progress=bar)
    click.echo(json.dumps(record) if as_json else _table(record))
    if any(each["leave_one_out"] < each["before"] for each in record["f1"].values()):
        click.echo(
            "Warning: for a class above, F1 is lower on pictures left out of the choice; with so few "
            "pictures its old threshold is as good.",
            err=True,
        )


def _table(record: dict[str, Any]) -> str:
    lines = [
        f"{record['bundle']}: thresholds from {record['pictures']} pictures",
        f"{'':16s}{'cells':>7s}{'threshold':>11s}{'new':>5s}{'range':>12s}"
        f"{'F1 before':>11s}{'left out':>10s}",
    ]
    for at, name in enumerate(CLASSES):
        low, high = record["threshold_ranges"][at] or (record["thresholds"][at],) * 2
        f1 = record["f1"][name]
        lines.append(
            f"{name:16s}{record['cells'][name]:7d}{record['thresholds_before'][at]:11g}"
            f"{record['thresholds'][at]:5g}{f'{low:g} to {high:g}':>12s}{f1['before']:11.4f}"
            f"{f1['leave_one_out']:10.4f}"
        )
    index = {key: f"{100 * value:.1f} %" for key, value in record["ki67_index"].items()}
    lines.append(
        f"Ki-67 index {index['corrected']} by the corrected points, {index['before']} before, "
        f"{index['leave_one_out']} after"
    )
    lines.append("left out: each picture with thresholds chosen on the others")
    return "\n".join(lines)
