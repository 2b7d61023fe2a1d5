"""Check a bundle's scoring parameters (docs/bundle-format.md, Scoring)."""

from typing import Any

from edgepatho_runtime.bundle.limits import (
    MAX_CLASSES,
    MAX_MIN_DISTANCE_PX,
    MAX_NETWORK_SIZE_PX,
    MAX_SCORING_NUMBER,
)
from edgepatho_runtime.bundle.refusals import refused
from edgepatho_runtime.bundle.schema import NAME

KEYS = ["classes", "ki67_cutoffs", "min_distance_px", "network_size_px", "thresholds", "til_cutoffs"]


def check_scoring(scoring: dict[str, Any], channels: int) -> None:
    """Raise BundleError unless `scoring` is valid for heat maps of `channels` channels."""
    if sorted(scoring) != KEYS:
        raise refused("InvalidScoring", keys=", ".join(KEYS))
    classes = scoring["classes"]
    listed = type(classes) is list and len(classes) == channels <= MAX_CLASSES
    named = listed and all(type(name) is str and NAME.fullmatch(name) for name in classes)
    if not named or len(set(classes)) != channels:
        raise refused("InvalidClasses", classes=classes, channels=channels)
    for key, count in (("thresholds", channels), ("ki67_cutoffs", 2), ("til_cutoffs", 2)):
        if not _are_numbers(scoring[key], count):
            expected = f"{count} numbers from 0 to {MAX_SCORING_NUMBER}"
            raise refused("InvalidScoringNumbers", key=key, value=scoring[key], expected=expected)
    for key, most in (("min_distance_px", MAX_MIN_DISTANCE_PX), ("network_size_px", MAX_NETWORK_SIZE_PX)):
        if type(scoring[key]) is not int or not 1 <= scoring[key] <= most:
            raise refused("InvalidScoringNumbers", key=key, value=scoring[key], expected=f"1 to {most}")


def _are_numbers(values: Any, count: int) -> bool:
    if type(values) is not list or len(values) != count:
        return False
    return all(type(value) in (int, float) and 0 <= value <= MAX_SCORING_NUMBER for value in values)
