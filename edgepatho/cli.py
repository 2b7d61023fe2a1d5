"""The command line: a command parses, calls one function, prints.

Commands are imported when they are called, so that `edgepatho --help` does not wait for TensorFlow.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from edgepatho import __version__
from edgepatho.errors import INTERRUPTED, UserError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before anything imports TensorFlow

COMMANDS = {
    "demo": "The whole road once: tiles, compression, exports, benchmark, report.",
    "synth": "Make synthetic Ki-67 tiles in the SHIDC layout.",
    "prepare": "Resize tiles and render density maps for training and evaluation.",
    "train": "Train PathoNet; resumes where it stopped.",
    "compress": "Share PathoNet's weights, retrain the codebook, export and evaluate.",
    "sweep": "Compress over a grid of settings; resumes, and shares its storage.",
    "evaluate": "Precision, recall, F1 and patient scores of a model or a compress folder.",
    "score": "Find cells in pictures on this computer: counts, Ki-67 index, TIL score.",
    "inspect": "Show what a bundle holds: layers, codebook use, sizes, provenance.",
    "export": "Make the exports of a compress folder again.",
    "deploy": "Put runtime and bundle on devices over SSH: verified, atomic, with rollback.",
    "ls": "List the releases on a device.",
    "rollback": "Switch a device back to its previous release.",
    "rm": "Remove a release from a device.",
    "bench": "Benchmark a device and bring the record home.",
    "report": "Render compress and benchmark records as one HTML page.",
}


class Commands(click.Group):
    """A click group that imports `edgepatho.commands.<name>` only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"edgepatho.commands.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(INTERRUPTED)
        except OSError as error:
            if error.errno in (None, errno.EPIPE):  # click ends quietly when a reader has left
                raise
            click.echo(f"Error: {error.filename or 'reading or writing'}: {error.strerror}.", err=True)
            sys.exit(UserError.exit_code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="edgepatho")
def main() -> None:
    """PathoNet, compressed by weight sharing, on a Raspberry Pi.

    Counts Ki-67 immunopositive and immunonegative tumour nuclei and lymphocytes (TILs). For research
    use only.

    Exit codes: 0 done, 1 unexpected, 2 usage, 3 bad input file, 4 device unreachable, 5 device unfit,
    6 deployed but rolled back, 130 interrupted.
    """
