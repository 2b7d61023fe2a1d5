"""`edgepatho report`"""

from __future__ import annotations

from pathlib import Path

import click

from edgepatho.commands.options import FILE

RECORD = click.Path(path_type=Path)


@click.command()
@click.argument("records", nargs=-1, required=True, type=RECORD, metavar="[COMPRESS_FOLDER] [BENCH.json]...")
@click.option(
    "-o",
    "--output",
    type=FILE,
    default=Path("report.html"),
    show_default=True,
    help="The page to write.",
)
def command(records: tuple[Path, ...], output: Path) -> None:
    """Render compress and benchmark records as one HTML page that needs no network.

    COMPRESS_FOLDER is what `edgepatho compress` wrote (or the compress.json in it), each BENCH.json what
    `edgepatho-run bench` wrote. Damaged records end with exit code 3 and leave an earlier page alone.

    \b
    Examples:
      edgepatho report compressed -o report.html
      edgepatho report compressed pi4.json pi5.json -o report.html
    """
    from edgepatho.errors import UsageError
    from edgepatho.report.html import render

    folders = [path for path in records if path.is_dir() or path.name == "compress.json"]
    if len(folders) > 1:
        raise UsageError(
            f"{folders[0]} and {folders[1]} are both compress folders; a report shows one compression."
        )
    benches = [path for path in records if path not in folders]
    render(folders[0] if folders else None, benches, output)
    click.echo(output)
