"""Precision, recall and F1 as printed."""

from __future__ import annotations

from collections.abc import Mapping

UNDEFINED = "–"
# The counts in the denominator of each rate: if all are 0, the rate is undefined.
DENOMINATORS = {"precision": ("tp", "fp"), "recall": ("tp", "fn"), "f1": ("tp", "fn")}


def rate(scores: Mapping[str, float | None], name: str, decimals: int) -> str:
    """Return precision, recall or F1 of a class; UNDEFINED where no cell was found or none is labelled."""
    counts = [scores.get(count) for count in DENOMINATORS[name]]
    value = scores[name]
    return UNDEFINED if value is None or all(count == 0 for count in counts) else f"{value:.{decimals}f}"
