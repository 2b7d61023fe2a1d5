"""`edgepatho synth`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgepatho.classes import CLASSES
from edgepatho.commands.options import FOLDER, json_option
from edgepatho.errors import UsageError


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--patients",
    default=32,
    show_default=True,
    help="Patients; a quarter of them, at least one, is for testing.",
)
@click.option("--tiles", default=12, show_default=True, help="Tiles per patient.")
@click.option(
    "--size", default=1228, show_default=True, help="Edge of a tile in pixels; cells keep their size."
)
@click.option(
    "--seed", default=101, show_default=True, help="Random seed; the default gives the default set."
)
@click.option(
    "--laboratory",
    type=click.Choice(list("ABCDEF")),
    help="Instead, the 24 tiles of a laboratory that training never sees.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    help="Processes; the result does not depend on their number.",
)
@json_option
def command(
    folder: Path,
    patients: int,
    tiles: int,
    size: int,
    seed: int,
    laboratory: str | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Make synthetic Ki-67 tiles in FOLDER, in the layout of SHIDC-B-Ki-67.

    They stand in for a data set that may not be redistributed; measurements on them say nothing about
    clinical accuracy.

    \b
    Examples:
      edgepatho synth tiles
      edgepatho synth small --patients 4 --tiles 2 --size 512
      edgepatho synth unseen --laboratory A
    """
    from edgepatho.data.synth import dataset, generate, generate_laboratory, laboratories
    from edgepatho.progress import progress

    if laboratory:
        if (patients, tiles, seed) != (dataset.PATIENTS, dataset.TILES, dataset.SEED):
            raise UsageError("a laboratory's patients, tiles and seed are fixed; leave these options out.")
        patients, tiles = laboratories.PATIENTS, laboratories.TILES
    with progress("synthetic tiles", patients * tiles) as bar:
        if laboratory:
            manifest = generate_laboratory(folder, laboratory, size=size, jobs=jobs, progress=bar)
        else:
            manifest = generate(
                folder, patients=patients, tiles=tiles, size=size, seed=seed, jobs=jobs, progress=bar
            )
    if as_json:
        click.echo(json.dumps(manifest))
        return
    images = manifest["images"]
    means = ", ".join(f"{sum(i[name] for i in images) / len(images):.1f} {name}" for name in CLASSES)
    click.echo(
        f"{len(images)} synthetic tiles of {patients} patients in {folder}; a tile has {means} on average"
    )
