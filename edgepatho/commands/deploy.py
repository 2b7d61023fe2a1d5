"""`edgepatho deploy`"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import click

from edgepatho.commands.options import FILE, FOLDER, json_option

FILE = FILE


@click.command()
@click.argument("hosts", nargs=-1, metavar="HOST...")
@click.argument("folder", type=FOLDER)
@click.option("--inventory", type=FILE, help="TOML file with more hosts: hosts = [...].")
@click.option("--wheel", type=FILE, help="Runtime wheel to use instead of the one in this package.")
@click.option("--no-images", is_flag=True, help="Leave out Pillow and simplejpeg: only PNG and PPM are read.")
@click.option(
    "--no-baseline", is_flag=True, help="Leave out the uncompressed network that bench compares with."
)
@click.option("--with-tflite", is_flag=True, help="Add the TFLite interpreter and its models, for bench.")
@click.option(
    "--sign",
    "signing_key",
    type=FILE,
    help="Sign the release with this SSH key (the public one if an agent holds it).",
)
@click.option("--dry-run", is_flag=True, help="Check the devices and print every step; change nothing.")
@json_option
def command(
    hosts: tuple[str, ...],
    folder: Path,
    inventory: Path | None,
    wheel: Path | None,
    no_images: bool,
    no_baseline: bool,
    with_tflite: bool,
    signing_key: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Install the runtime and the bundle in FOLDER, written by `edgepatho compress`, on devices over SSH.

    HOST is what you would give to ssh. Whenever a deploy is interrupted, the device is on a complete
    release, old or new, and the next deploy succeeds.

    \b
    Examples:
      edgepatho deploy pi@pi5.local compressed
      edgepatho deploy --inventory lab.toml compressed --dry-run
    """
    from edgepatho.deploy import fleet
    from edgepatho.deploy.job import Job, Result, run
    from edgepatho.deploy.ssh import Remote
    from edgepatho.errors import UsageError

    everyone = list(dict.fromkeys([*hosts, *(fleet.read_inventory(inventory) if inventory else [])]))
    if not everyone:
        raise UsageError("No host given; put one before the folder, or give --inventory FILE.")
    job = Job(folder, wheel, not no_images, not no_baseline, with_tflite, signing_key)
    interactive = len(everyone) == 1 and sys.stdin.isatty()

    def work(result: Result, on_step: Callable[[str], None]) -> None:
        with Remote(result.host, interactive=interactive) as remote:
            run(result, job, remote, dry_run=dry_run, on_step=on_step)

    results: list[Result] = []
    for result in fleet.run_all(everyone, work):
        results.append(result)
        if not as_json:
            click.echo(result, err=bool(result.error))
    if as_json:
        click.echo(json.dumps({"hosts": [result.to_json() for result in results]}))
    sys.exit(fleet.exit_code(results))
