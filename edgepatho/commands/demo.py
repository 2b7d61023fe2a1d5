"""`edgepatho demo`"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from edgepatho.classes import CLASSES
from edgepatho.commands.options import FOLDER, json_option


@click.command()
@click.argument("folder", type=FOLDER, default="demo")
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Run the whole pipeline: synthetic tiles, compression of the shipped weights, benchmark, report.

    Writes FOLDER (default: demo): tiles, prepared, compressed, scores, bench.json, report.html. It takes
    a few minutes on two cores. Its figures come from a few synthetic tiles and a short retraining.
    """
    from edgepatho.demo import run

    records = run(folder, jobs=os.cpu_count() or 1, say=lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps(records))
        return
    rows = {row["model"]: row for row in records["compress"]["accuracy"]["rows"]}
    files = records["compress"]["files"]
    click.echo(f"{'':24s}{'original':>12s}{'compressed':>12s}   synthetic tiles, research use only")
    for name in CLASSES:
        scores = (rows[model][name]["f1"] for model in ("original", "compressed"))
        click.echo(f"{'F1 ' + name:24s}" + "".join(f"{score:12.3f}" for score in scores))
    sizes = (files[name]["bytes"] / 1e6 for name in ("baseline.epb", "model.epb"))
    click.echo(f"{'bundle, MB':24s}" + "".join(f"{size:12.2f}" for size in sizes))
    click.echo("")
    click.echo(f"{'engine':32s}{'median ms':>10s}{'peak MB':>10s}{'file MB':>10s}   this machine")
    for row in records["bench"]["rows"]:
        if row["error"]:
            click.echo(f"{row['name']:32s}{row['error']}")
            continue
        peak, size = row["peak_rss_over_python_bytes"] / 1e6, row["file_bytes"] / 1e6
        click.echo(f"{row['name']:32s}{row['median_ms']:10.1f}{peak:10.1f}{size:10.2f}")
    click.echo("")
    click.echo(f"report: {records['report']}")
