"""Benchmark results: a JSON list of rows, and a table for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgepatho.files import write_aside

RESULTS = Path(__file__).with_name("results")


def save(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the rows as a JSON list, one row a line, so that two runs compare line by line."""
    with write_aside(path) as aside:
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
        aside.write_text(f"[\n{lines}\n]\n")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return aligned columns: the first to the left, figures to the right."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = []
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
