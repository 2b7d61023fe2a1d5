"""`edgepatho prepare`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

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
    help="How validation is split off Train/; image is what the published work did, and leaks.",
)
@click.option(
    "--labels",
    type=Words(get_args(LabelMaps), {"seed": "published"}),
    default="true",
    show_default=True,
    help="Density maps at true centres, or bit for bit those of the published code.",
)
@json_option
def command(source: Path, folder: Path, split_by: SplitBy, labels: LabelMaps, as_json: bool) -> None:
    """Resize the tiles of SOURCE (SHIDC layout) and render density maps into FOLDER.

    \b
    Example:
      edgepatho prepare tiles prepared
    """
    from edgepatho.data.prepare import prepare
    from edgepatho.progress import progress

    total = sum(1 for part in ("Train", "Test") for _ in (source / part).glob("*.jpg"))
    with progress("preparing", total) as bar:
        about = prepare(source, folder, split_by=split_by, labels=labels, progress=bar)
    if as_json:
        click.echo(json.dumps(about))
        return
    counts = ", ".join(f"{count} {name}" for name, count in about["tiles"].items())
    click.echo(f"{folder}: {counts} tiles of {about['size_px']} px, split by {split_by}, {labels} labels")
