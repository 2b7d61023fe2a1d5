"""`edgepatho export`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgepatho.commands.options import FOLDER, json_option


@click.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--tiles",
    "prepared",
    type=FOLDER,
    help="Prepared folder; up to 16 of its validation tiles calibrate the ranges of int8.tflite.",
)
@json_option
def command(folder: Path, prepared: Path | None, as_json: bool) -> None:
    """Write the exports of a compress FOLDER again.

    Bundles and .tflite files are written from shared.npz, baseline.epb and compress.json, and compress.json
    is updated. Without --tiles, int8.tflite is left as it is.

    \b
    Example:
      edgepatho export compressed --tiles prepared
    """
    from edgepatho.exporters import folder as exports

    tiles = None
    if prepared is not None:
        from edgepatho.evaluate.tiles import load
        from edgepatho.exporters.tflite import MAX_TILES

        tiles = load(prepared, "validation", MAX_TILES).images
    files = exports.rebuild(folder, tiles)["files"]
    if as_json:
        click.echo(json.dumps(files))
        return
    for name, facts in files.items():
        click.echo(f"{name:18} {facts['bytes']:>12,} bytes {facts['deflated_bytes']:>12,} deflated")
    if prepared is None:
        click.echo("int8.tflite was left as it is; give --tiles to write it again.", err=True)
