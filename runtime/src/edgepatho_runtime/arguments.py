"""The command line of `edgepatho-run`: commands, options and their valid values."""

import argparse
from collections.abc import Callable
from pathlib import Path

from edgepatho_runtime import __version__, commands, device

MAX_THREADS = 16
MAX_HEAT = 255  # of a density map
JSON_HELP = "print one JSON object and nothing else"


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="edgepatho-run", description=f"Run PathoNet bundles on this device. {commands.NOTICE}"
    )
    root.add_argument("--version", action="version", version=f"edgepatho-run {__version__}")
    names = root.add_subparsers(required=True, metavar="COMMAND")

    command = _command(names, "score", commands.score, "find cells and report the Ki-67 index and TIL score")
    add = command.add_argument
    add("images", nargs="+", type=Path, metavar="IMAGE", help="PNG, PPM, JPEG or TIFF, or a folder of them")
    add("--bundle", required=True, type=Path, help="the .epb file")
    add("-o", "--output", type=Path, metavar="DIR", help="folder for overlays, GeoJSON, CSV and JSON")
    add(
        "--scale", type=_scale, metavar="S", help="network pixels per picture pixel, for other magnifications"
    )
    add("--thresholds", type=_thresholds, metavar="T,T,T", help="a threshold per class for once, 0 to 255")
    add("--max-pixels", type=_count, default=100_000_000, metavar="N", help="refuse larger pictures")
    add("--anonymize", action="store_true", help="number the pictures instead of printing file names")
    add("--json", action="store_true", help=JSON_HELP)

    command = _command(names, "info", commands.info, "describe a bundle")
    command.add_argument("bundle", type=Path, help="the .epb file")
    command.add_argument("--plan", action="store_true", help="also print the steps as this device runs them")
    command.add_argument("--json", action="store_true", help=JSON_HELP)

    command = _command(
        names, "selftest", commands.selftest, "check that this device computes the golden output"
    )
    command.add_argument("bundle", type=Path, help="the .epb file")
    command.add_argument("--json", action="store_true", help=JSON_HELP)

    command = _command(names, "bench", commands.bench, "measure latency and memory against TFLite")
    add = command.add_argument
    add("paths", nargs="+", type=Path, metavar="PATH", help=".epb and .tflite files, or a folder of them")
    add(
        "--tflite",
        action="append",
        default=[],
        metavar="FILE[@SHA256]",
        help="one more, with its expected hash",
    )
    add("--image", type=Path, help="picture to use instead of the golden one")
    add("--runs", "--num_runs", type=_count, default=30, metavar="N", help="timed runs (30)")
    add("--warmup", "--warmup_runs", type=_natural, default=5, metavar="N", help="warm-up runs (5)")
    add(
        "--profile",
        action="store_true",
        help="measure each step of the bundles instead, on one thread and on --threads",
    )
    add("--json", metavar="FILE", help="write the full record to FILE; - for stdout")
    return root


def _command(
    names: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = names.add_parser(name, help=text, description=text)
    command.set_defaults(command=run)
    default = min(4, device.cores())
    threads = f"1 to {MAX_THREADS}; default on this device: {default}"
    command.add_argument(
        "--threads", "--num_threads", type=_threads, default=default, metavar="N", help=threads
    )
    precision = "fp16 is faster but approximate; the processor must support it"
    command.add_argument("--precision", choices=("fp32", "fp16"), default="fp32", help=precision)
    return command


def _natural(text: str) -> int:
    if not text.isdecimal() or len(text) > 12:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 0")
    return int(text)


def _count(text: str) -> int:
    if _natural(text) == 0:
        raise argparse.ArgumentTypeError("0 given, expected at least 1")
    return int(text)


def _threads(text: str) -> int:
    if not 1 <= _natural(text) <= MAX_THREADS:
        raise argparse.ArgumentTypeError(f"{text} threads given, expected 1 to {MAX_THREADS}")
    return int(text)


def _thresholds(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 < value <= MAX_HEAT for value in values):
        expected = f"numbers above 0 and up to {MAX_HEAT}, separated by commas"
        raise argparse.ArgumentTypeError(f"{text!r} given, expected {expected}")
    return values


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0.01 <= scale <= 10:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0.01 to 10")
    return scale
