"""`edgepatho prepare`"""

from __future__ import annotations

import json
from pathlib import Path

import click

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("source", type=FOLDER)
@click.argument("folder", type=FOLDER)
@click.option(
    "--split",
    "split_by",
    type=click.Choice(["patient", "image"]),
    default="patient",
    show_default=True,
    help="How validation is split off Train/; image is what the published work did, and leaks.",
)
@click.option(
    "--labels",
    type=click.Choice(["true", "seed"]),
    default="true",
    show_default=True,
    help="Density maps at true centres, or bit for bit those of the published code.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object, nothing else.")
def command(source: Path, folder: Path, split_by: str, labels: str, as_json: bool) -> None:
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
