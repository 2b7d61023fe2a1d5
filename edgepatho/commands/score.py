"""`edgepatho score`"""

from __future__ import annotations

import os
import sys

import click


class Verbatim(click.Command):
    """A click command that reads no argument itself, not even --help: another program does."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = list(args)
        return ctx.args


@click.command(cls=Verbatim)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Become `edgepatho-run score` with the same arguments.

    The process is replaced, not waited for: signals, output and exit code are then its own.
    """
    from edgepatho.device_command import device_command

    start = device_command()
    sys.stdout.flush()
    os.execv(start[0], [*start, "score", *ctx.args])  # noqa: S606 - a list of arguments, no shell
