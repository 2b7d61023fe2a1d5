"""Benchmark results: a JSON list of rows, and a printed table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgepatho.files import write_aside

RESULTS = Path(__file__).with_name("results")


def save(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the rows as a JSON list, one per line, so that two runs can be compared line by line."""
    with write_aside(path) as aside:
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
        aside.write_text(f"[\n{lines}\n]\n")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return aligned columns: the first left-aligned, figures right-aligned."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = []
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
