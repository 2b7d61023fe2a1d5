"""`edgepatho rm`"""

from __future__ import annotations

import json
import sys

import click

from edgepatho.commands.options import json_option


@click.command()
@click.argument("host")
@click.argument("release")
@json_option
def command(host: str, release: str, as_json: bool) -> None:
    """Remove RELEASE, an id from `edgepatho ls`, from HOST; never the current or the previous one."""
    from edgepatho.deploy.ssh import Remote

    with Remote(host, interactive=sys.stdin.isatty()) as remote:
        remote.run("remove", release)
    click.echo(json.dumps({"host": host, "removed": release}) if as_json else f"{host}  removed {release}")
