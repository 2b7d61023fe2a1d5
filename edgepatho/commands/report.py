"""`edgepatho report`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgepatho.commands.options import FILE, json_option

RECORD = click.Path(path_type=Path)


@click.command()
@click.argument(
    "records",
    nargs=-1,
    required=True,
    type=RECORD,
    metavar="[COMPRESS_FOLDER] [FRONTIER.json] [BENCH.json]...",
)
@click.option(
    "-o",
    "--output",
    type=FILE,
    default=Path("report.html"),
    show_default=True,
    help="The page to write.",
)
@json_option
def command(records: tuple[Path, ...], output: Path, as_json: bool) -> None:
    """Render compress and benchmark records as one self-contained HTML page.

    COMPRESS_FOLDER is written by `edgepatho compress` (or give the compress.json in it), FRONTIER.json by
    `edgepatho sweep`, and each BENCH.json by `edgepatho-run bench`. A damaged record gives exit code 3 and
    leaves an earlier page unchanged.

    \b
    Examples:
      edgepatho report compressed -o report.html
      edgepatho report compressed pi4.json pi5.json -o report.html
      edgepatho report sweep/frontier.json -o frontier.html
    """
    from edgepatho.errors import UsageError
    from edgepatho.report.html import FRONTIER, render

    folders = [path for path in records if path.is_dir() or path.name == "compress.json"]
    if len(folders) > 1:
        raise UsageError(
            f"{folders[0]} and {folders[1]} are both compress folders; a report shows one compression."
        )
    frontiers = [path for path in records if path.name == FRONTIER]
    if len(frontiers) > 1:
        raise UsageError(f"{frontiers[0]} and {frontiers[1]} are both sweep records; a report shows one.")
    benches = [path for path in records if path not in (*folders, *frontiers)]
    shown = render(folders[0] if folders else None, benches, output, frontiers[0] if frontiers else None)
    click.echo(json.dumps({"report": str(output)} | shown) if as_json else output)
