"""JSON from a file that may be hostile: no duplicate keys, no NaN, no huge numbers, no deep nesting."""

import json
import math
from typing import Any

from edgepatho_runtime.errors import BundleError

MAX_DIGITS = 16  # in an integer; every count in a bundle has fewer


def loads(text: str, what: str) -> dict[str, Any]:
    """Return the object that `text` holds; anything else raises BundleError, which calls the text `what`."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{what} is not strict JSON: {error}.") from None
    if type(value) is not dict:
        raise BundleError(f"{what} holds {_kind(value)}, expected an object.")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"key {key!r:.80} occurs twice")
            seen.add(key)
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits:.40} is not a finite number")
    return value


def _constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")


def _kind(value: Any) -> str:
    return {list: "a list", str: "a string", type(None): "null"}.get(type(value), "a number")
