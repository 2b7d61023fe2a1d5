"""`edgepatho score`"""

from __future__ import annotations

import os
import sys

import click


class Verbatim(click.Command):
    """A click command that passes all arguments, even --help, to another program."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return ctx.args


@click.command(cls=Verbatim)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Replace this process with `edgepatho-run score` and the same arguments.

    So signals, output and exit code need no forwarding.
    """
    from edgepatho.device_command import device_command

    start = device_command()
    sys.stdout.flush()
    os.execv(start[0], [*start, "score", *ctx.args])  # noqa: S606 - a list of arguments, no shell
