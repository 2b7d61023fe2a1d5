"""`edgepatho ls`"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from edgepatho.commands.options import json_option


@click.command()
@click.argument("host")
@json_option
def command(host: str, as_json: bool) -> None:
    """List the releases on HOST, newest first, each verified file by file."""
    from edgepatho.deploy.releases import list_releases
    from edgepatho.deploy.ssh import Remote

    with Remote(host, interactive=sys.stdin.isatty()) as remote:
        releases = list_releases(remote)
    if as_json:
        click.echo(json.dumps({"host": host, "releases": [asdict(release) for release in releases]}))
    elif releases:
        click.echo("\n".join(map(str, releases)))
    else:
        click.echo(f"{host} has no release; `edgepatho deploy {host} FOLDER` installs one.")
