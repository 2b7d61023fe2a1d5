"""The optional objects of version 2: cut-offs, envelope, image (docs/bundle-format.md, Optional objects)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from edgepatho.exporters.limits import MAX_RANGE_NUMBER, MAX_TEXT_CHARACTERS
from edgepatho.exporters.refusals import refused

CUTOFFS = ("high", "low", "name", "scope", "source")
OPERATORS = {"low": ("below", "at_most"), "high": ("above", "at_least")}
ENVELOPE = ("colours", "ranges", "stains", "trained_on")
STAINS = ("dab", "hematoxylin")
COLOUR_LEVELS = 5
COLOURS = re.compile("[0-9a-f]{256}")  # 32 x 32 bits
RANGES = (
    "background",
    "brown_core_dense",
    "brown_core_pale",
    "brown_rim",
    "dab_area",
    "dab_to_hematoxylin",
    "density",
    "doubtful_heat",
    "hematoxylin_area",
    "nucleus_px",
    "saturation",
    "sharpness",
    "tissue",
    "unseen_colours",
)


def check_parts(parts: Mapping[str, dict[str, Any]]) -> None:
    """BundleError unless every optional object is valid."""
    for name, check in CHECKS.items():
        if name in parts:
            check(parts[name])


def _cutoffs(cutoffs: dict[str, Any]) -> None:
    _check_keys("InvalidCutoffs", cutoffs, set(CUTOFFS), set(CUTOFFS))
    for key in ("name", "scope", "source"):
        _check_text("InvalidCutoffs", key, cutoffs[key])
    numbers = []
    for key, operators in OPERATORS.items():
        bound = cutoffs[key]
        whole = isinstance(bound, dict) and len(bound) == 1 and set(bound) <= set(operators)
        if not whole or not _is_number(*bound.values(), least=0, most=1):
            raise refused(
                "InvalidCutoffs",
                key=key,
                value=bound,
                expected=f"{' or '.join(operators)} with a number 0 to 1",
            )
        numbers += bound.values()
    if numbers[0] > numbers[1]:
        raise refused("InvalidCutoffs", key="low", value=numbers[0], expected="at most the number of high")


def _envelope(envelope: dict[str, Any]) -> None:
    _check_keys("InvalidEnvelope", envelope, set(ENVELOPE), set(ENVELOPE))
    colours = envelope["colours"]
    listed = isinstance(colours, list) and len(colours) == COLOUR_LEVELS
    if not listed or not all(isinstance(bits, str) and COLOURS.fullmatch(bits) for bits in colours):
        expected = f"{COLOUR_LEVELS} texts of 256 hexadecimal digits"
        raise refused("InvalidEnvelope", key="colours", value=colours, expected=expected)
    ranges = envelope["ranges"]
    if not isinstance(ranges, dict) or not ranges or not set(ranges) <= set(RANGES):
        raise refused("InvalidEnvelope", key="ranges", value=ranges, expected="an object of known statistics")
    for name, ends in ranges.items():
        if not _is_range(ends):
            raise refused(
                "InvalidEnvelope", key=name, value=ends, expected="[low, high], null for an open end"
            )
    stains = envelope["stains"]
    if not isinstance(stains, dict) or set(stains) != set(STAINS):
        raise refused("InvalidEnvelope", key="stains", value=stains, expected="dab and hematoxylin")
    for name, ends in stains.items():
        if not isinstance(ends, list) or len(ends) != 2 or not all(_is_colour(end) for end in ends):
            expected = "the lowest and the highest [red, green, blue], each 0 to 1"
            raise refused("InvalidEnvelope", key=name, value=ends, expected=expected)
    _check_text("InvalidEnvelope", "trained_on", envelope["trained_on"])


def _image(image: dict[str, Any]) -> None:
    _check_keys("InvalidImage", image, {"normalisation"}, {"micrometres_per_pixel", "normalisation"})
    if image["normalisation"] != "none":
        raise refused("InvalidImage", key="normalisation", value=image["normalisation"], expected="'none'")
    size = image.get("micrometres_per_pixel", 1)
    if not _is_number(size, least=0, most=1000) or size == 0:
        raise refused("InvalidImage", key="micrometres_per_pixel", value=size, expected="above 0 up to 1000")


CHECKS = {"cutoffs": _cutoffs, "envelope": _envelope, "image": _image}


def _check_keys(refusal: str, part: dict[str, Any], required: set[str], known: set[str]) -> None:
    if not required <= set(part) <= known:
        raise refused(refusal, key="keys", value=sorted(part), expected=", ".join(sorted(known)))


def _check_text(refusal: str, key: str, text: Any) -> None:
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_TEXT_CHARACTERS or not text.isprintable():
        expected = f"1 to {MAX_TEXT_CHARACTERS} printable characters"
        raise refused(refusal, key=key, value=text, expected=expected)


def _is_range(ends: Any) -> bool:
    if not isinstance(ends, list) or len(ends) != 2:
        return False
    given = [end for end in ends if end is not None]
    numbers = all(_is_number(end, least=0, most=MAX_RANGE_NUMBER) for end in given)
    return bool(given) and numbers and given == sorted(given)


def _is_colour(value: Any) -> bool:
    three = isinstance(value, list) and len(value) == 3
    return three and all(_is_number(share, least=0, most=1) for share in value)


def _is_number(value: Any, *, least: float, most: float) -> bool:
    return type(value) in (int, float) and least <= value <= most
