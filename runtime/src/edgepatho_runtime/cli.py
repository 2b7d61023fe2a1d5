"""`edgepatho-run`: score pictures, describe and test a bundle, measure this device (docs/device-cli.md)."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgepatho_runtime import __version__, device, errors
from edgepatho_runtime.errors import BundleError, BusyError, ImageError, UnfitError
from edgepatho_runtime.files import json_text, printable

MAX_THREADS = 16
JSON_HELP = "print one JSON object and nothing else"
NOTICE = "Research use only, not for diagnosis."
EXIT_CODES = {BundleError: errors.BAD_INPUT, ImageError: errors.BAD_INPUT, UnfitError: errors.UNFIT}


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file's name must not end a batch
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except (BundleError, ImageError, UnfitError, BusyError) as error:
        return _fail(EXIT_CODES.get(type(error), errors.FAILED), str(error))
    except MemoryError:
        return _fail(errors.UNFIT, "This device has not enough free memory for that.")
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has left; end quietly
        return errors.FAILED
    except OSError as error:
        missing = isinstance(error, FileNotFoundError | IsADirectoryError | PermissionError)
        code = errors.BAD_INPUT if missing and _is_input(error.filename, options) else errors.FAILED
        where = error.filename2 or error.filename or "This device"  # of two, what a file was to be called
        return _fail(code, f"{where}: {error.strerror or error}.")
    except KeyboardInterrupt:
        return _fail(errors.INTERRUPTED, "Interrupted.")


def score(options: argparse.Namespace) -> int:
    """Score pictures one by one; bad files are told and left behind."""
    from edgepatho_runtime import bundle, tables
    from edgepatho_runtime.scoring import batch, folders
    from edgepatho_runtime.scoring.score import Scorer

    _check_precision(options.precision)
    pictures = folders.expand(options.images, options.anonymize)
    paths = pictures.paths
    for sentence in pictures.notes:
        print(f"Warning: {printable(sentence)}", file=sys.stderr)
    scorer = Scorer(bundle.read(options.bundle), options.threads, options.precision, options.scale)
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)
    work = batch.Batch(scorer, options.output, options.anonymize, options.max_pixels)
    with work, batch.stoppable() as stopped:
        for path in paths:
            try:
                entry = work.score(path)
            except OSError:  # a full disk: keep the record of what is done if that still fits
                if options.output is not None:
                    with suppress(OSError):
                        batch.write_record(options.output, work.record(complete=False))
                raise
            if entry["error"] is not None:
                print(f"Error: {tables.field_line(entry)}", file=sys.stderr)
            elif not options.json:
                print(tables.field_line(entry), flush=True)
            if stopped:
                break
    if work.taken_over:
        text = f"{work.taken_over} of {len(work.images)} pictures were done before with the same settings."
        print(f"Note: {text}", file=sys.stderr)
    record = work.record(complete=len(work.images) == len(paths))
    if options.output is not None:
        batch.write_record(options.output, record)
    if options.json:
        print(json_text(record), end="")
    else:
        if record["pooled"]["fields"] > 1:
            print(tables.pooled_line(record["pooled"]))
        print(_notice(record["bundle"]["trained_on"]))
    if stopped and not record["complete"]:
        return _fail(errors.INTERRUPTED, f"Interrupted after {len(work.images)} of {len(paths)} pictures.")
    return errors.BAD_INPUT if any(entry["error"] for entry in work.images) else errors.DONE


def info(options: argparse.Namespace) -> int:
    """Describe a bundle and, if asked, how this device runs it."""
    from edgepatho_runtime import bundle, tables
    from edgepatho_runtime import info as bundle_info

    loaded = bundle.read(options.bundle)
    facts = bundle_info.describe(loaded)
    if not options.plan:
        text = json_text(facts) if options.json else tables.info_text(str(options.bundle), facts) + "\n"
        print(text, end="")
        return errors.DONE
    _check_precision(options.precision)
    totals, rows = bundle_info.plan_of(loaded, options.threads, options.precision)
    if options.json:
        print(json_text({**facts, "plan": {**totals, "rows": rows}}), end="")
    else:
        print(tables.info_text(str(options.bundle), facts) + "\n\n" + tables.plan_text(totals, rows))
    return errors.DONE


def selftest(options: argparse.Namespace) -> int:
    """Run a bundle's golden picture and compare with its golden answer."""
    from edgepatho_runtime import bundle
    from edgepatho_runtime import selftest as golden

    _check_precision(options.precision)
    result = golden.run(bundle.read(options.bundle), options.threads, options.precision)
    if options.json:
        print(json_text(result), end="")
    else:
        print(
            f"self-test {'passed' if result['passed'] else 'FAILED'}: "
            f"largest error {result['max_error']:.3g} of at most {result['limit']:.3g}, "
            f"answer up to {result['largest_magnitude']:.4g}; "
            f"{result['precision']}, {result['isa']}, {result['threads']} threads, "
            f"{result['height']} x {result['width']} px in {result['seconds']:.3f} s"
        )
    if not result["passed"]:
        raise UnfitError("This device does not compute the bundle's golden answer; do not use its results.")
    return errors.DONE


def bench(options: argparse.Namespace) -> int:
    """Measure bundles and TFLite files, each in a process of its own."""
    from edgepatho_runtime import tables
    from edgepatho_runtime.bench import record as benchmark
    from edgepatho_runtime.files import write_text

    _check_precision(options.precision)
    settings = benchmark.Settings(options.threads, options.warmup, options.runs, options.precision)
    todo = benchmark.tasks(options.paths, options.tflite)
    if options.json not in (None, "-"):  # before the work, which must not be lost for a missing folder
        Path(options.json).parent.mkdir(parents=True, exist_ok=True)
    record = benchmark.run(todo, settings, options.image, lambda text: print(text, file=sys.stderr))
    if options.json == "-":
        print(json_text(record), end="")
    else:
        print(tables.bench_text(record))
        if options.json is not None:
            write_text(Path(options.json), json_text(record))
    for sentence in record["warnings"]:
        print(f"Warning: {printable(sentence)}", file=sys.stderr)
    own = [row for row in record["rows"] if row["engine"].startswith("edgepatho")]
    return errors.FAILED if any(row["error"] for row in own) else errors.DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgepatho-run", description=f"Run PathoNet bundles on this device. {NOTICE}"
    )
    parser.add_argument("--version", action="version", version=f"edgepatho-run {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(commands, "score", score, "find cells, give Ki-67 index and TIL score")
    add = command.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, PPM, JPEG, TIFF, or a folder of them")
    add("--bundle", required=True, type=Path, help="the .epb file")
    add("-o", "--output", type=Path, metavar="DIR", help="write overlays, GeoJSON, CSV and JSON there")
    add("--scale", type=_scale, metavar="S", help="network pixels per pixel, for another magnification")
    add("--max-pixels", type=_count, default=100_000_000, metavar="N", help="refuse larger pictures")
    add("--anonymize", action="store_true", help="number the pictures instead of naming their files")
    add("--json", action="store_true", help=JSON_HELP)

    command = _command(commands, "info", info, "describe a bundle")
    command.add_argument("bundle", type=Path)
    command.add_argument("--plan", action="store_true", help="with the steps in which this device runs it")
    command.add_argument("--json", action="store_true", help=JSON_HELP)

    command = _command(commands, "selftest", selftest, "check that this device computes the golden answer")
    command.add_argument("bundle", type=Path)
    command.add_argument("--json", action="store_true", help=JSON_HELP)

    command = _command(commands, "bench", bench, "measure latency and memory beside TFLite")
    add = command.add_argument
    add("paths", nargs="+", type=Path, metavar="PATH", help=".epb and .tflite files, or a folder of them")
    add("--tflite", action="append", default=[], metavar="FILE[@SHA256]", help="one more, with its hash")
    add("--image", type=Path, help="instead of the bundle's golden picture")
    add("--runs", "--num_runs", type=_count, default=30, metavar="N")
    add("--warmup", "--warmup_runs", type=_natural, default=5, metavar="N")
    add("--json", metavar="FILE", help="write the record with all runs; - for stdout")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    command.set_defaults(command=run)
    default = min(4, device.cores())
    command.add_argument("--threads", "--num_threads", type=_threads, default=default, metavar="N")
    command.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    return command


def _is_input(name: object, options: argparse.Namespace) -> bool:
    """Return whether the file or folder `name` was given to be read; all else is where results go."""
    given = vars(options)
    read = [*given.get("images", []), *given.get("paths", []), given.get("bundle"), given.get("image")]
    path = Path(str(name))
    return path in read or path.suffix in (".epb", ".tflite")  # these lie in folders too, and are not written


def _check_precision(precision: str) -> None:
    """Raise UnfitError before any work if this processor lacks what was asked for."""
    from edgepatho_runtime.network import isa_for

    try:
        isa_for(precision)
    except ValueError as error:
        raise UnfitError(str(error)) from None


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _count(text: str) -> int:
    if _natural(text) == 0:
        raise argparse.ArgumentTypeError("0 is too few")
    return int(text)


def _threads(text: str) -> int:
    if not 1 <= _natural(text) <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text} threads; 1 to {MAX_THREADS} are possible")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0.01 <= scale <= 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.01 to 10")
    return scale


def _notice(trained_on: object) -> str:
    return f"Network trained on {printable(trained_on)}. {NOTICE}" if trained_on else NOTICE


def _fail(code: int, sentence: str) -> int:
    print(f"Error: {printable(sentence)}", file=sys.stderr)
    return code
