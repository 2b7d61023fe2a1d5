"""`edgepatho-run`: score pictures, describe and test a bundle, measure this device (docs/device-cli.md)."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from edgepatho_runtime import arguments, errors
from edgepatho_runtime.errors import BundleError, BusyError, ImageError, UnfitError, UsageError
from edgepatho_runtime.files import printable

EXIT_CODES = {
    UsageError: errors.USAGE,
    BundleError: errors.BAD_INPUT,
    ImageError: errors.BAD_INPUT,
    UnfitError: errors.UNFIT,
}


def main(words: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # an odd file name must not abort a batch
    options = arguments.parser().parse_args(words)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (UsageError, BundleError, ImageError, UnfitError, BusyError) as error:
        return _fail(EXIT_CODES.get(type(error), errors.FAILED), str(error))
    except MemoryError:
        return _fail(errors.UNFIT, "This device does not have enough free memory.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader is gone; end quietly
        return errors.FAILED
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError)
        code = errors.BAD_INPUT if missing and _is_input(error.filename, options) else errors.FAILED
        where = error.filename2 or error.filename or "This device"  # of a rename, the new name
        return _fail(code, f"{where}: {error.strerror or error}.")
    except KeyboardInterrupt:
        return _fail(errors.INTERRUPTED, "Interrupted.")


def _is_input(name: object, options: argparse.Namespace) -> bool:
    """Return whether the file or folder `name` was given as input; all others are outputs."""
    given = vars(options)
    read = [*given.get("images", []), *given.get("paths", []), given.get("bundle"), given.get("image")]
    path = Path(str(name))
    return path in read or path.suffix in (".epb", ".tflite")  # found in given folders too, and never written


def _fail(code: int, sentence: str) -> int:
    print(f"Error: {printable(sentence)}", file=sys.stderr)
    return code
