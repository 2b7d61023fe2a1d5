"""Benchmark results: a JSON list of rows, a printed table, and finished rows of an interrupted run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.arm.tools import cache
from edgepatho.files import write_aside

RESULTS = Path(__file__).with_name("results")


def save(rows: list[dict[str, Any]], path: Path) -> None:
    """Write the rows as a JSON list, one per line, so that two runs can be compared line by line."""
    with write_aside(path) as aside:
        lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
        aside.write_text(f"[\n{lines}\n]\n")


def kept(benchmark: str, depends_on: Iterable[bytes], measure: Callable[[], Any]) -> Any:
    """Return what `measure` returns, from the cache folder if the same was measured before.

    `depends_on` is everything that decides the result: files, versions, settings.
    """
    digest = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in depends_on)).hexdigest()
    file = cache() / benchmark / f"{digest[:20]}.json"
    if file.exists():
        return json.loads(file.read_text())
    found = measure()
    file.parent.mkdir(parents=True, exist_ok=True)
    with write_aside(file) as aside:
        aside.write_text(json.dumps(found))
    return found


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return aligned columns: the first left-aligned, figures right-aligned."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = []
    for row in [header, ["-" * width for width in widths], *rows]:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        cells[0] = row[0].ljust(widths[0])
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(header: list[str], lines: list[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *lines])
