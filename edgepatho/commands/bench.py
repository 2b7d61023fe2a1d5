"""`edgepatho bench`"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from edgepatho.commands.options import AT_LEAST_1, FILE, FOLDER, json_option

FILE = FILE


@click.command()
@click.argument("host")
@click.argument("folder", required=False, type=FOLDER)
@click.option(
    "-o", "--output", type=FILE, default="bench.json", show_default=True, help="The record to write."
)
@click.option(
    "--threads", type=click.IntRange(1, 16), help="Threads of every engine; default: all cores, at most 4."
)
@click.option("--runs", type=AT_LEAST_1, help="Measured runs of every engine.")
@click.option("--warmup", type=click.IntRange(0), help="Warm-up runs before those.")
@click.option("--with-tflite", is_flag=True, help="Also deploy the TFLite interpreter and its models.")
@click.option("--wheel", type=FILE, help="Runtime wheel to use instead of the one in this package.")
@json_option
def command(
    host: str,
    folder: Path | None,
    output: Path,
    threads: int | None,
    runs: int | None,
    warmup: int | None,
    with_tflite: bool,
    wheel: Path | None,
    as_json: bool,
) -> None:
    """Measure latency and memory on HOST; write the record, and a report next to it.

    Measures the contents of HOST's current release: the bundle, the uncompressed baseline and, if
    deployed, the TFLite models. With FOLDER, a compress folder, what HOST lacks of it is deployed first.

    \b
    Examples:
      edgepatho bench pi@pi5.local
      edgepatho bench pi@pi5.local compressed --with-tflite -o pi5.json
    """
    from edgepatho.deploy import bench
    from edgepatho.deploy.job import Job
    from edgepatho.deploy.ssh import Remote
    from edgepatho.errors import UsageError, UserError

    if folder is None and (with_tflite or wheel):
        raise UsageError("--with-tflite and --wheel say what to deploy; give the compress FOLDER too.")
    settings = {"threads": threads, "runs": runs, "warmup": warmup}
    given = {name: value for name, value in settings.items() if value is not None}
    with Remote(host, interactive=sys.stdin.isatty()) as remote:
        if folder is not None:
            deployed = bench.bring_what_is_missing(remote, Job(folder, wheel, tflite=with_tflite))
            if deployed is not None:
                click.echo(deployed, err=True)
        record = bench.measure(remote, output, given)
    if as_json:
        click.echo(output.read_text(encoding="utf-8"), nl=False)
    else:
        page = output.with_suffix(".html")
        bench.render(output, page, folder)
        click.echo("\n".join([*bench.lines(record), str(output), str(page)]))
    if bench.failed(record):
        sys.exit(UserError.exit_code)
