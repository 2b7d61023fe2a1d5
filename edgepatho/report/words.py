"""The entries of records in plain words and units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from edgepatho.files import canonical_json

NAMES = {"immunopositive": "immunopositive", "immunonegative": "immunonegative", "til": "TIL"}


def facts(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the entries of a record as readable pairs of name and value.

    A value of an unexpected kind is shown as is.
    """
    pairs = []
    for key, value in sorted(values.items()):
        name, shown = KNOWN.get(key, (key.replace("_", " "), plain))
        try:
            pairs.append((name, shown(value)))
        except (TypeError, ValueError, IndexError):
            pairs.append((key.replace("_", " "), plain(value)))
    return pairs


def plain(value: Any) -> str:
    """Return a value of any kind as text."""
    if isinstance(value, list):
        return "; ".join(plain(item) for item in value)
    return value if isinstance(value, str) else canonical_json(value)


def _thresholds(value: list[float]) -> str:
    return ", ".join(f"{name} {each:g}" for name, each in zip(NAMES.values(), value, strict=True)) + " of 255"


def _ki67_cutoffs(value: list[float]) -> str:
    return f"low below {100 * value[0]:g} %, high above {100 * value[1]:g} %, middle between"


def _til_cutoffs(value: list[float]) -> str:
    return f"low up to {100 * value[0]:g} %, high from {100 * value[1]:g} % on, middle between"


def _ranges(value: list[list[float] | None]) -> str:
    ranges = (f"{each[0]:g} to {each[1]:g}" if each else "not chosen" for each in value)
    return ", ".join(f"{text} {name}" for text, name in zip(ranges, NAMES.values(), strict=True))


def _px_of_256(value: float) -> str:
    return f"{value:g} px of a 256 px tile"


def _classes(value: list[str]) -> str:
    return ", ".join(NAMES.get(name, name) for name in value)


KNOWN: dict[str, tuple[str, Callable[[Any], str]]] = {
    "agreement_radius_px_of_256": ("two networks agree on a cell within", _px_of_256),
    "classes": ("classes", _classes),
    "ki67_cutoffs": ("class of the Ki-67 index", _ki67_cutoffs),
    "machine": ("processor architecture", plain),
    "matching": ("matching of cells with labels", plain),
    "min_distance_px": ("minimum distance between two cells", _px_of_256),
    "one_cell_one_class": ("of cells of several classes at one place, kept is", plain),
    "network_size_px": ("size of a tile", lambda value: f"{value:g} px"),
    "published_defects": ("known defects of the published protocol", plain),
    "published_protocol_defects": ("known defects of the published protocol", plain),
    "seed_protocol_defects": ("known defects of the published protocol", plain),
    "radius_px_of_256": ("a cell counts as found within", _px_of_256),
    "thresholds": ("heat at which a pixel belongs to a cell", _thresholds),
    "threshold_ranges": ("thresholds whose F1 is nearly the best", _ranges),
    "til_cutoffs": ("class of the TIL score", _til_cutoffs),
}
