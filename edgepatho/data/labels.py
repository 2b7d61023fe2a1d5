"""Labelled cells from SHIDC's JSON, QuPath's GeoJSON points, or the cells.csv of `edgepatho-run score`."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.shidc import IMMUNONEGATIVE, IMMUNOPOSITIVE, LABELS, TIL
from edgepatho.errors import InputError

MAX_BYTES = 1 << 24
# QuPath's class names and our own, in lower case
CLASSES = LABELS | {
    "positive": IMMUNOPOSITIVE,
    "negative": IMMUNONEGATIVE,
    "tumor: positive": IMMUNOPOSITIVE,
    "tumor: negative": IMMUNONEGATIVE,
    "immune cells": TIL,
    "lymphocyte": TIL,
    "lymphocytes": TIL,
}
MAX_COORDINATE_PX = 1 << 31  # far beyond the side of any picture
AT_EDGE, AS_TEXT, AS_DECIMAL = "on the far edge", "numbers as text", "whole numbers with a decimal point"
Cell = tuple[float, float, int]


def read(path: Path, width: int, height: int, adapted: Counter[str]) -> NDArray[np.float64]:
    """Return the cells [n, 3] of x, y, label_id in a label file of a picture of `width` x `height` pixels.

    Pixel centres are whole numbers. Irregular values that the published code accepts (x on the far edge,
    "512", 512.0) are accepted too and counted in `adapted`. Raises InputError naming the file and the entry.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path} has more than {MAX_BYTES} bytes, too many for a label file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        cells = list(_csv(path, text)) if path.suffix.lower() == ".csv" else list(_json(path, text, adapted))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error}); copy it again.") from None
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV table ({error}); copy it again.") from None
    inside = [_inside(path, number, cell, width, height, adapted) for number, cell in enumerate(cells)]
    return np.array(inside, np.float64).reshape(-1, 3)


def _inside(path: Path, number: int, cell: Cell, width: int, height: int, adapted: Counter[str]) -> Cell:
    x, y, label = cell
    if not (-0.5 <= x <= width and -0.5 <= y <= height):
        raise InputError(
            f"{path}: entry {number} lies at ({x:g}, {y:g}), outside the {width} x {height} px of the "
            "picture; correct or remove it."
        )
    beyond_x, beyond_y = x >= width - 0.5, y >= height - 0.5
    adapted[AT_EDGE] += beyond_x or beyond_y
    return width - 1 if beyond_x else x, height - 1 if beyond_y else y, label


def _json(path: Path, text: str, adapted: Counter[str]) -> Iterator[Cell]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}); copy it again from the data set.") from None
    if isinstance(value, dict) and value.get("type") == "FeatureCollection":
        value = value.get("features")
    elif isinstance(value, dict) and value.get("type") == "Feature":
        value = [value]
    if not isinstance(value, list):
        raise InputError(
            f"{path} does not hold a list; expected [{{x, y, label_id}}, ...] or GeoJSON features."
        )
    if any(isinstance(entry, dict) and entry.get("type") == "Feature" for entry in value):
        for number, feature in enumerate(value):
            yield from _feature(path, number, feature if isinstance(feature, dict) else {})
        return
    for number, entry in enumerate(value):
        fields = entry if isinstance(entry, dict) else {}
        x, y, label = (_whole(fields.get(key), adapted) for key in ("x", "y", "label_id"))
        if x is None or y is None or label is None:
            raise InputError(f"{path}: entry {number} is not {{x, y, label_id}} of integers.")
        if label not in LABELS.values():
            raise InputError(f"{path}: entry {number} has label_id {label}; expected 1, 2 or 3.")
        if x < 0 or y < 0:
            raise InputError(
                f"{path}: entry {number} lies at ({x}, {y}), outside the picture; correct or remove it."
            )
        yield x, y, label


def _whole(value: Any, adapted: Counter[str]) -> int | None:
    """The integer in a JSON value, None if it is not one; true is not 1."""
    if type(value) is int:
        return value if abs(value) < MAX_COORDINATE_PX else None
    kind = AS_TEXT if isinstance(value, str) else AS_DECIMAL
    try:
        number = float(value) if type(value) in (str, float) else math.nan
    except ValueError:
        return None
    if not number.is_integer() or abs(number) >= MAX_COORDINATE_PX:
        return None
    adapted[kind] += 1
    return int(number)


def _feature(path: Path, number: int, feature: dict[str, Any]) -> Iterator[Cell]:
    """The cells of a GeoJSON feature; QuPath's first pixel has its centre at (0.5, 0.5), ours at (0, 0)."""
    geometry, about = feature.get("geometry"), feature.get("properties")
    geometry = geometry if isinstance(geometry, dict) else {}
    about = about if isinstance(about, dict) else {}
    kind, points = geometry.get("type"), geometry.get("coordinates")
    if kind not in ("Point", "MultiPoint"):
        raise InputError(
            f"{path}: feature {number} is a {kind}, and only points are labels; export the points alone."
        )
    label = _label(path, f"feature {number}", _classification(about.get("classification")))
    for point in [points] if kind == "Point" else points if isinstance(points, list) else [None]:
        numbers = point[:2] if isinstance(point, list) and len(point) in (2, 3) else []
        if not numbers or any(type(each) not in (int, float) for each in numbers):
            raise InputError(f"{path}: feature {number} has a point that is not [x, y]; export it again.")
        x, y = numbers
        yield x - 0.5, y - 0.5, label


def _classification(value: Any) -> str | None:
    """QuPath writes the name of a class, or the list of names of a derived class."""
    value = value if isinstance(value, dict) else {}
    names = value.get("names")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return ": ".join(names)
    name = value.get("name")
    return name if isinstance(name, str) else None


def _csv(path: Path, text: str) -> Iterator[Cell]:
    rows = csv.DictReader(io.StringIO(text))
    if not {"x_px", "y_px", "class"} <= set(rows.fieldnames or ()):
        raise InputError(
            f"{path} has no columns x_px, y_px and class; give a file that `edgepatho-run score` wrote."
        )
    for row in rows:
        label = _label(path, f"line {rows.line_num}", row["class"])
        try:
            x, y = float(row["x_px"]), float(row["y_px"])
        except (TypeError, ValueError):
            raise InputError(
                f"{path}: line {rows.line_num} has no numbers x_px and y_px; correct it."
            ) from None
        yield x, y, label


def _label(path: Path, where: str, name: str | None) -> int:
    label = CLASSES.get((name or "").strip().lower())
    if label is None:
        known = "Positive, Negative, Immune cells, immunopositive, immunonegative, til"
        given = f"the class {name!r}" if name else "no class"
        raise InputError(f"{path}: {where} has {given}; expected one of {known}.")
    return label
