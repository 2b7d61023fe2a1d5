"""Fill the tables and figures of README.md, docs/measurements.md and docs/model-card.md from the records.

    python -m benchmarks.readme_tables    # after a benchmark

A test checks the pages against the records in benchmarks/results and those of the shipped weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks import accuracy_tables, results
from benchmarks.results import markdown
from edgepatho.files import write_aside
from edgepatho.model.weights import SHIPPED

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "measurements.md", ROOT / "docs" / "model-card.md")
Row = dict[str, Any]
MISSING = "–"


def headline(rows: list[Row]) -> str:
    """Return file size, memory and latency next to tflite-runtime fp32 on one thread, and the machine."""
    of = {_name(row): row for row in _measured(rows) if row["threads"] == 1}
    ours, peer = of["edgepatho fp32"], of["tflite-runtime fp32"]
    quantities = {
        "file, MB": [row["file_bytes"] / 1e6 for row in (ours, peer)],
        "peak memory, MB": [row["peak_rss_over_python_bytes"] / 1e6 for row in (ours, peer)],
        "one inference of 256 x 256 px, ms": [row["median_ms"] for row in (ours, peer)],
    }
    lines = [
        [name, f"**{mine:.1f}**", f"{theirs:.1f}", f"{theirs / mine:.1f} times less"]
        for name, (mine, theirs) in quantities.items()
    ]
    table = markdown(["", "edgepatho", "TensorFlow Lite", ""], lines)
    return f"{table}\n\n*{ours['processor']}, x86-64, one thread, fp32, k = 256 (`make bench`).*"


def host_table(rows: list[Row]) -> str:
    """Return latency on one and two threads, time to the first result, memory and size on one machine."""
    header = [
        "engine",
        "1 thread, ms",
        "2 threads, ms",
        "relative to tflite-runtime, twice",
        "load to first result, ms",
    ]
    header += ["peak memory, MB", "file, MB"]
    lines = []
    rows = _measured(rows)
    for row in rows:
        if row["threads"] != 1:
            continue
        two = next((other for other in rows if _name(other) == _name(row) and other["threads"] == 2), None)
        lines.append(
            [
                _name(row),
                f"{row['median_ms']:.1f}",
                f"{two['median_ms']:.1f}" if two else MISSING,
                " and ".join(_ratio(ratio) for ratio in row["ratio_to_tflite_runtime_fp32"]),
                f"{row['load_to_first_ms']:.0f}",
                f"{row['peak_rss_over_python_bytes'] / 1e6:.1f}",
                f"{row['file_bytes'] / 1e6:.2f}",
            ]
        )
    return markdown(header, lines)


def arm_table(rows: list[Row]) -> str:
    """Return estimated cycles on the two boards with a model, instructions on the third, and traffic."""
    header = ["engine", "A72, Mcycles", "A76, Mcycles", "A53, Minstructions", "A72, MB beyond L2"]
    rows = _measured(rows)
    reference = {row["cpu"]: row["mcycles"] for row in rows if _name(row) == "tflite-runtime fp32"}
    lines = []
    for name in dict.fromkeys(_name(row) for row in rows):
        of = {row["cpu"]: row for row in rows if _name(row) == name}
        cycles = [
            f"{of[cpu]['mcycles']:.0f} ({_times_fewer(of[cpu], reference)})" if cpu in of else MISSING
            for cpu in ("a72", "a76")
        ]
        instructions = f"{of['a53']['instructions'] / 1e6:.0f}" if "a53" in of else MISSING
        traffic = f"{of['a72']['beyond_l2_bytes'] / 1e6:.0f}" if "a72" in of else MISSING
        lines.append([name, *cycles, instructions, traffic])
    return markdown(header, lines)


def scale_table(rows: list[Row]) -> str:
    """Return time and peak memory of both engines for each image size and network width, and the plot."""
    header = ["image, px", "network width", "edgepatho, ms", "LiteRT, ms", "edgepatho, MB", "LiteRT, MB"]
    lines = []
    for side, width in dict.fromkeys((row["side_px"], row["width"]) for row in rows):
        of = {row["engine"]: row for row in rows if (row["side_px"], row["width"]) == (side, width)}
        both = [of["edgepatho"], of["litert"]]
        times = [f"{row['median_ms']:.1f}" for row in both]
        memory = [f"{row['peak_rss_over_python_bytes'] / 1e6:.1f}" for row in both]
        lines.append([str(side), f"{width:g}", *times, *memory])
    picture = "![Time and peak memory against image size and network width](images/scale.png)"
    return f"{markdown(header, lines)}\n\n{picture}"


def parity_table(rows: list[Row]) -> str:
    """Return the worst figures over all thread counts for each processor and instruction set."""
    header = [
        "processor, instruction set",
        "threads",
        "tiles",
        "cells",
        "largest difference",
        "cells that differ",
        "Ki-67 index, points",
        "bit-identical for all thread counts",
    ]
    lines = []
    for where in dict.fromkeys((row["processor"], row["level"]) for row in rows):
        of = [row for row in rows if (row["processor"], row["level"]) == where]
        lines.append(
            [
                ", ".join(where),
                ", ".join(str(row["threads"]) for row in of),
                str(of[0]["tiles"]),
                str(of[0]["cells"]),
                f"{max(row['largest_difference'] for row in of):.1e}",
                str(max(row["cells_that_differ"] for row in of)),
                f"{max(row['largest_ki67_change_points'] for row in of):.2f}",
                "yes" if all(row["same_bits_as_one_thread"] for row in of) else "no",
            ]
        )
    return markdown(header, lines)


def _times_fewer(row: Row, reference: dict[str, float]) -> str:
    return f"{reference[row['cpu']] / row['mcycles']:.2f}x" if row["cpu"] in reference else MISSING


def _measured(rows: list[Row]) -> list[Row]:
    """Return the rows of engines that could be measured."""
    return [row for row in rows if row.get("error") is None]


def _ratio(ratio: float | None) -> str:
    return MISSING if ratio is None else f"{ratio:.2f}"  # tflite-runtime exists only for Python 3.11


def _name(row: Row) -> str:
    return f"{row['engine']} {row['precision']}"


# Place in a page, record in benchmarks/results or its path, text.
FILLED: list[tuple[str, str, Callable[[Any], str]]] = [
    ("headline", "host", headline),
    ("host", "host", host_table),
    ("arm", "arm", arm_table),
    ("scale", "scale", scale_table),
    ("parity", "parity", parity_table),
    ("original", "frontier", accuracy_tables.original_sentence),
    ("frontier", "frontier", accuracy_tables.frontier_table),
    ("unseen", "frontier", accuracy_tables.unseen_tables),
    ("weights", str(SHIPPED.with_suffix("")), accuracy_tables.weights_table),
    ("generalisation", "generalisation", accuracy_tables.generalisation_table),
]


def filled(text: str, folder: Path) -> str:
    """Return `text` with the tables from the records between its `<!-- PLACE -->` and `<!-- /PLACE -->`."""
    for place, name, write in FILLED:
        record = folder / f"{name}.json"
        begin, end = f"<!-- {place} -->\n", f"<!-- /{place} -->"
        if record.exists() and begin in text:
            before, rest = text.split(begin)
            after = rest.split(end)[1]
            text = f"{before}{begin}{write(json.loads(record.read_text()))}\n{end}{after}"
    return text


@click.command()
def main() -> None:
    """Update the pages from the records in benchmarks/results."""
    for page in PAGES:
        with write_aside(page) as aside:
            aside.write_text(filled(page.read_text(), results.RESULTS))


if __name__ == "__main__":
    main()
