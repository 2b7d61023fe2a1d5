"""`edgepatho rollback`"""

from __future__ import annotations

import json
import sys

import click

from edgepatho.commands.options import json_option


@click.command()
@click.argument("host")
@json_option
def command(host: str, as_json: bool) -> None:
    """Switch HOST back to its previous release; a second rollback switches forward again.

    The release is verified and health-checked first, like a new one.
    """
    from edgepatho.deploy.releases import rollback
    from edgepatho.deploy.ssh import Remote

    with Remote(host, interactive=sys.stdin.isatty()) as remote:
        left, now = rollback(remote)
    if as_json:
        click.echo(json.dumps({"host": host, "release": now, "previous": left}))
    else:
        click.echo(f"{host}  {left} -> {now}")
