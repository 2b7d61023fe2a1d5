"""Measure time and peak memory over image size and network width, beside LiteRT.

    python -m benchmarks.scale    # benchmarks/results/scale.json, docs/images/scale.png

One thread, fp32. The size changes at PathoNet's own width; the width changes at 256 px, with random weights.
Both engines run the same network in turn, each in a process of its own, and their outputs are compared. Every
finished pair is kept in the cache folder, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np

from benchmarks import host, results
from benchmarks.contenders import Contender
from benchmarks.scale import networks, plot
from edgepatho.errors import UserError
from edgepatho.progress import progress
from edgepatho_runtime import _core

SIDES_PX = (64, 128, 256, 512, 1024, 2048)
WIDTHS = (Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2))
PATHONET = (256, Fraction(1))
ENGINES = (Contender("edgepatho", "fp32", "model.epb"), Contender("litert", "fp32", "fp32.tflite"))
ROUNDS, WARMUPS, RUNS = 3, 1, 5
TOLERANCE = 1e-4  # of the output's maximum
PICTURE = Path("docs/images/scale.png")


@dataclass(frozen=True)
class ScalePoint:
    """One network at one image size."""

    side_px: int
    width: Fraction


def points() -> list[ScalePoint]:
    """Return all sizes at PathoNet's width, then its own size at the other widths."""
    side, width = PATHONET
    return [ScalePoint(one, width) for one in SIDES_PX] + [
        ScalePoint(side, one) for one in WIDTHS if one != width
    ]


def depends_on(point: ScalePoint) -> list[bytes]:
    """Return all that the rows of a point depend on: network, engines, machine, method."""
    files = [Path(_core.__file__), host.ENGINE, Path(__file__), Path(networks.__file__)]
    facts = (point, host.processor(), sys.version, version("ai-edge-litert"), version("edgepatho-runtime"))
    return [repr(facts).encode(), *(file.read_bytes() for file in files)]


def measure(point: ScalePoint) -> list[dict[str, Any]]:
    """Return a row for each engine.

    Raises UserError if one of them fails, or if they did not compute the same network.
    """
    with tempfile.TemporaryDirectory(prefix="edgepatho-scale.") as name:
        folder = Path(name)
        command = [sys.executable, "-m", networks.__name__, name, str(point.side_px), str(point.width)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"the network could not be built: {done.stderr.strip()[-600:]}")
        records: list[list[dict[str, Any]]] = [[], []]
        empty = []
        for turn in range(ROUNDS):
            empty.append(host.empty_interpreter_bytes())
            for which in (0, 1) if turn % 2 else (1, 0):
                output = folder / f"{which}.f32"
                records[which].append(host.run(ENGINES[which], folder, 1, (WARMUPS, RUNS), output))
        ours, theirs = (np.fromfile(folder / f"{which}.f32", np.float32) for which in (0, 1))
        difference = float(np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs)))
        if not difference <= TOLERANCE:
            raise UserError(
                f"at {point.side_px} px and width {point.width} the outputs differ by {difference:.1e} of "
                f"their maximum, expected at most {TOLERANCE}: the engines did not compute the same network."
            )
        return [
            {
                "engine": who.engine,
                "side_px": point.side_px,
                "width": float(point.width),
                "threads": 1,
                "precision": who.precision,
                "median_ms": round(median(median(one["runs_ms"]) for one in of), 3),
                "peak_rss_over_python_bytes": round(
                    median(one["peak_rss_bytes"] for one in of) - median(empty)
                ),
                "arena_bytes": of[0]["arena_bytes"],
                "file_bytes": who.file_bytes(folder),
                "largest_difference": difference,
                "version": of[0]["version"],
                "processor": host.processor(),
                "python": sys.version.split()[0],
                "rounds": ROUNDS,
                "runs_per_round": RUNS,
                **who.network(folder),
            }
            for who, of in zip(ENGINES, records, strict=True)
        ]


def as_table(rows: list[dict[str, Any]]) -> str:
    """Return the printed table; its last columns are constant where time or memory is proportional."""
    header = ["engine", "side px", "width", "G multiply-adds", "ms", "peak MB", "ms per G", "bytes per pixel"]
    lines = []
    for row in rows:
        billions, peak = row["multiply_adds"] / 1e9, row["peak_rss_over_python_bytes"]
        lines.append(
            [
                *(row["engine"], str(row["side_px"]), f"{row['width']:g}", f"{billions:.2f}"),
                *(f"{row['median_ms']:.1f}", f"{peak / 1e6:.1f}"),
                *(f"{row['median_ms'] / billions:.1f}", f"{peak / row['side_px'] ** 2:.0f}"),
            ]
        )
    return results.table(header, lines)


@click.command()
@click.option("--output", type=click.Path(path_type=Path), default=results.RESULTS / "scale.json")
@click.option("--picture", type=click.Path(path_type=Path), default=PICTURE)
def main(output: Path, picture: Path) -> None:
    """Measure both engines at every point; table to stdout, rows to OUTPUT, plot to PICTURE."""
    rows: list[dict[str, Any]] = []
    try:
        with progress("bench-scale", len(points())) as bar:
            for point in points():
                bar.note(f"{point.side_px} px, width {point.width}")
                found = results.kept("bench-scale", depends_on(point), partial(measure, point))
                rows += found
                bar.advance()
    except UserError as error:
        raise click.ClickException(str(error)) from error
    results.save(rows, output)
    plot.draw(rows, picture)
    click.echo(f"{rows[0]['processor']}; PathoNet, one thread, fp32")
    click.echo(as_table(rows))


if __name__ == "__main__":
    main()
