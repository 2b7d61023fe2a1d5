"""Fill the tables and figures of README.md and docs/measurements.md from the records in benchmarks/results.

    python -m benchmarks.readme_tables    # after a benchmark

A test checks both pages against the records.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from benchmarks import results
from edgepatho.classes import CLASSES
from edgepatho.files import write_aside

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "measurements.md")
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


def original_sentence(frontier: dict[str, Any]) -> str:
    """Return the F1 of the uncompressed network on the tiles of the frontier."""
    f1 = [f"{frontier['original'][name]['f1']:.3f}" for name in CLASSES]
    return (
        f"The original finds immunopositive, immunonegative and TIL cells with an F1 of {f1[0]}, {f1[1]} and "
        f"{f1[2]}, one to one within 6 px of 256."
    )


def frontier_table(frontier: dict[str, Any]) -> str:
    """Return the published methods at k = 256, the smallest bundles, and those at four bits per weight."""
    header = ["compression", "bundle, kB", "weights in memory, kB", "agreement before", "agreement after"]
    header += ["average F1, points", "Ki-67 index, points"]
    lines = [
        [
            _compression(row),
            f"{row['bundle_bytes'] / 1e3:.0f}",
            f"{row['weights_ram_bytes'] / 1e3:.0f}",
            f"{row['agreement_before']:.3f}",
            f"{row['agreement']:.3f}",
            f"{row['f1_delta_points']:+.2f}",
            f"{row['ki67_change_points']:.2f}",
        ]
        for row in _shown(frontier)
    ]
    return markdown(header, lines)


def unseen_tables(frontier: dict[str, Any]) -> str:
    """Return the original on laboratories that training did not see, and what compression changes there.

    Empty if the record was measured without them.
    """
    original = frontier["original"]
    if not original.get("unseen"):
        return ""
    same = {f"{name}_f1": original[name]["f1"] for name in CLASSES} | original
    of = {"same laboratories": same} | original["unseen"]
    lines = [
        [name, *(f"{row[f'{kind}_f1']:.3f}" for kind in CLASSES), f"{row['ki67_mae_points']:.1f}"]
        for name, row in of.items()
    ]
    header = ["original", "F1 immunopositive", "F1 immunonegative", "F1 TIL", "Ki-67 error, points"]
    compressed = [
        [
            _compression(row),
            *(
                f"{figures['agreement']:.3f} ({figures['ki67_change_points']:.1f})"
                for figures in (row, *row["unseen"].values())
            ),
        ]
        for row in _shown(frontier)
    ]
    second = ["agreement (change of the Ki-67 index, points)", "same", *original["unseen"]]
    return f"{markdown(header, lines)}\n\n{markdown(second, compressed)}"


def _shown(frontier: dict[str, Any]) -> list[Row]:
    """The rows that the pages show, the largest bundle first."""
    return [
        row
        for row in sorted(frontier["rows"], key=lambda row: -row["bundle_bytes"])
        if (row["k"] == 256 and row["bits"] is None and not row["prune"])
        or (row["scale"] == "output" and not row["index_rate"])
        or (row["levels"] <= 16 and row["index_rate"])
    ]


def _compression(row: Row) -> str:
    size = f"{row['bits']:g} bits per weight" if row["bits"] else f"k = {row['k']}"
    return f"{row['method'].upper()}, {size}" + (", indices moved" if row["index_rate"] else "")


def markdown(header: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])


def _times_fewer(row: Row, reference: dict[str, float]) -> str:
    return f"{reference[row['cpu']] / row['mcycles']:.2f}x" if row["cpu"] in reference else MISSING


def _measured(rows: list[Row]) -> list[Row]:
    """Return the rows of engines that could be measured."""
    return [row for row in rows if row.get("error") is None]


def _ratio(ratio: float | None) -> str:
    return MISSING if ratio is None else f"{ratio:.2f}"  # tflite-runtime exists only for Python 3.11


def _name(row: Row) -> str:
    return f"{row['engine']} {row['precision']}"


FILLED: list[tuple[str, str, Callable[[Any], str]]] = [  # place in a page, record, text
    ("headline", "host", headline),
    ("host", "host", host_table),
    ("arm", "arm", arm_table),
    ("scale", "scale", scale_table),
    ("parity", "parity", parity_table),
    ("original", "frontier", original_sentence),
    ("frontier", "frontier", frontier_table),
    ("unseen", "frontier", unseen_tables),
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
