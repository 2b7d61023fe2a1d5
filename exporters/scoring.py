"""How heat maps become cells, as stored in a bundle (docs/bundle-format.md, Scoring)."""

from __future__ import annotations

from typing import Any

from edgepatho.exporters.limits import (
    MAX_CLASSES,
    MAX_MIN_DISTANCE_PX,
    MAX_NETWORK_SIZE_PX,
    MAX_SCORING_NUMBER,
)
from edgepatho.exporters.refusals import refused
from edgepatho.exporters.schema import NAME

KEYS = ("classes", "ki67_cutoffs", "min_distance_px", "network_size_px", "thresholds", "til_cutoffs")


def check_scoring(scoring: dict[str, Any], channels: int) -> None:
    """BundleError unless `scoring` defines how heat maps of `channels` classes become cells."""
    if set(scoring) != set(KEYS):
        raise refused("InvalidScoring", keys=sorted(scoring), expected=", ".join(KEYS))
    classes = scoring["classes"]
    named = isinstance(classes, list) and all(isinstance(one, str) and NAME.fullmatch(one) for one in classes)
    if not named or not len(set(classes)) == len(classes) == channels <= MAX_CLASSES:
        raise refused("InvalidClasses", classes=classes, channels=channels)
    for key, count in (("thresholds", channels), ("ki67_cutoffs", 2), ("til_cutoffs", 2)):
        numbers = scoring[key]
        listed = isinstance(numbers, list) and len(numbers) == count
        if not listed or not all(_is_number(number) for number in numbers):
            expected = f"{count} numbers from 0 to {MAX_SCORING_NUMBER}"
            raise refused("InvalidScoringNumbers", key=key, value=numbers, expected=expected)
    for key, most in (("min_distance_px", MAX_MIN_DISTANCE_PX), ("network_size_px", MAX_NETWORK_SIZE_PX)):
        if type(scoring[key]) is not int or not 1 <= scoring[key] <= most:
            raise refused("InvalidScoringNumbers", key=key, value=scoring[key], expected=f"1 to {most}")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= MAX_SCORING_NUMBER
