"""The figures of several models, on the same and on unseen laboratories, as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edgepatho.classes import CLASSES
from edgepatho.rates import rate

Row = dict[str, Any]


def lines(rows: list[Row], unseen: list[dict[str, Any]]) -> list[str]:
    """Return a header and a line per model, of the unseen laboratories after those of `rows`."""
    named = [(row["model"], row) for row in rows]
    named += [(f"{each['laboratory']} {row['model']}", row) for each in unseen for row in each["rows"]]
    width = max(12, *(len(name) for name, _ in named))
    header = f"{'model':{width}s}" + "".join(f"{title:>{wide}s}" for title, wide in _columns())
    return [header, *(f"{name:{width}s}{_figures(row)}" for name, row in named)]


def _columns() -> Iterator[tuple[str, int]]:
    yield from (("F1 +", 8), ("F1 -", 8), ("F1 TIL", 8))
    yield from (("agree", 8), ("MSE", 9), ("Ki-67 error", 14), ("Ki-67 change", 14))


def _figures(row: Row) -> str:
    f1_of_classes = "".join(f"{rate(row[name], 'f1', 4):>8s}" for name in CLASSES)
    agreement, mse, change = (
        row.get("agreement", 1),
        row.get("mse_to_original", 0),
        row.get("ki67_change_points", 0),
    )
    return (
        f"{f1_of_classes}{agreement:8.4f}{mse:{'9.3f' if mse < 1e5 else '9.2e'}}"
        f"{row['ki67_mae_points']:7.2f} points{change:7.2f} points"
    )
