"""`edgepatho prepare`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import click

from edgepatho.choices import LabelMaps, SplitBy
from edgepatho.commands.options import FOLDER, Words, json_option


@click.command()
@click.argument("source", type=FOLDER)
@click.argument("folder", type=FOLDER)
@click.option(
    "--split",
    "split_by",
    type=click.Choice(get_args(SplitBy)),
    default="patient",
    show_default=True,
    help="How validation is split off training; image is the published split, which leaks patients.",
)
@click.option(
    "--labels",
    type=Words(get_args(LabelMaps), {"seed": "published"}),
    default="true",
    show_default=True,
    help="Density maps at true centres, or those of the published code, bit for bit.",
)
@click.option(
    "--scale",
    type=click.FloatRange(0, 16, min_open=True),
    help="Network pixels per pixel, for pictures at a different magnification from SHIDC's tiles.",
)
@json_option
def command(
    source: Path, folder: Path, split_by: SplitBy, labels: LabelMaps, scale: float | None, as_json: bool
) -> None:
    """Downscale the labelled pictures in SOURCE, cut them into tiles, and render density maps into FOLDER.

    SOURCE holds JPEG, PNG or TIFF pictures in Train/ and Test/, or all in one folder; then a fifth of the
    patients is held out for testing. Pictures are named as in SHIDC (p9_0219_9.jpg), or patients.csv in
    SOURCE assigns each to a patient. Each has a label file beside it: SHIDC's .json, QuPath's .geojson
    points, or the .cells.csv of `edgepatho-run score`.

    \b
    Example:
      edgepatho prepare tiles prepared
    """
    from edgepatho.data import source as sources
    from edgepatho.data.prepare import prepare
    from edgepatho.data.split import shared_patients_warning
    from edgepatho.progress import progress

    given = sources.find(source)
    with progress("preparing", len(given.train) + len(given.test or [])) as bar:
        about = prepare(source, folder, split_by=split_by, labels=labels, scale=scale, progress=bar)
    if warning := shared_patients_warning(about["shared_patients"]):
        click.echo(f"Warning: {warning}", err=True)
    click.echo(json.dumps(about) if as_json else _summary(folder, about))


def _summary(folder: Path, about: dict[str, Any]) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in about["tiles"].items())
    pictures = sum(about["pictures"].values())
    lines = [
        f"{folder}: {counts} tiles of {about['size_px']} px from {pictures} pictures, "
        f"split by {about['split_by']}, {about['labels']} labels"
    ]
    return "\n".join(lines + [f"  {count} x {what}" for what, count in about["adapted"].items()])
