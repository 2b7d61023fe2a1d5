"""The command line: a command parses its arguments, calls one function and prints the result.

Commands are imported when called, so that `edgepatho --help` does not wait for TensorFlow.
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
    "demo": "Run the whole pipeline once: tiles, compression, exports, benchmark, report.",
    "synth": "Make synthetic Ki-67 tiles in the SHIDC layout.",
    "prepare": "Downscale and tile labelled pictures for training and evaluation.",
    "train": "Train PathoNet; resumes after an interruption.",
    "compress": "Share PathoNet's weights, retrain the codebook, export and evaluate.",
    "sweep": "Compress over a grid of settings; resumable, with several workers.",
    "evaluate": "Print precision, recall, F1 and patient scores of a model or a compress folder.",
    "score": "Find cells in pictures on this computer: counts, Ki-67 index, TIL score.",
    "calibrate": "Choose a bundle's thresholds on a few corrected pictures.",
    "inspect": "Show the contents of a bundle: layers, codebook use, sizes, provenance.",
    "export": "Write the exports of a compress folder again.",
    "deploy": "Install runtime and bundle on devices over SSH: verified, atomic, with rollback.",
    "ls": "List the releases on a device.",
    "rollback": "Switch a device back to its previous release.",
    "rm": "Remove a release from a device.",
    "bench": "Benchmark a device and save the record on this computer.",
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
            if error.errno in (None, errno.EPIPE):  # click exits quietly when the reader of a pipe has gone
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
