"""The figures of several models, on the same and on unseen laboratories, as lines of text."""

from __future__ import annotations

from typing import Any

from edgepatho.classes import CLASSES
from edgepatho.rates import rate

Row = dict[str, Any]
# Titles and widths of columns.
F1 = (("F1 +", 8), ("F1 -", 8), ("F1 TIL", 8))
CELLS = (("cells +", 11), ("cells -", 11), ("cells TIL", 11))
AGREEMENT = (("agree", 8), ("MSE", 9))
ERROR, CHANGE = ("Ki-67 error", 14), ("Ki-67 change", 14)


def lines(rows: list[Row], unseen: list[dict[str, Any]]) -> list[str]:
    """Return a header and a line per model, of the unseen laboratories after those of `rows`.

    Rows of tiles without labels have no F1, but the number of cells found.
    """
    named = [(row["model"], row) for row in rows]
    named += [(f"{each['laboratory']} {row['model']}", row) for each in unseen for row in each["rows"]]
    width = max(12, *(len(name) for name, _ in named))
    columns = (*CELLS, *AGREEMENT, CHANGE) if "cells" in rows[0] else (*F1, *AGREEMENT, ERROR, CHANGE)
    header = f"{'model':{width}s}" + "".join(f"{title:>{wide}s}" for title, wide in columns)
    return [header, *(f"{name:{width}s}{_figures(row)}" for name, row in named)]


def _figures(row: Row) -> str:
    if "cells" in row:
        classes, error = "".join(f"{row['cells'][name]:11,d}" for name in CLASSES), ""
    else:
        classes = "".join(f"{rate(row[name], 'f1', 4):>8s}" for name in CLASSES)
        error = f"{row['ki67_mae_points']:7.2f} points"
    agreement, mse = row.get("agreement", 1), row.get("mse_to_original", 0)
    change = row.get("ki67_change_points", 0)
    return f"{classes}{agreement:8.4f}{mse:{'9.3f' if mse < 1e5 else '9.2e'}}{error}{change:7.2f} points"
