"""Strict JSON for hostile files: valid Unicode, no duplicate keys, no NaN, nothing huge or deeply nested."""

import json
import math
from typing import Any

from edgepatho_runtime.bundle.limits import MAX_INTEGER_CHARACTERS
from edgepatho_runtime.bundle.refusals import refused


def loads(text: str, what: str) -> dict[str, Any]:
    """Return the object in `text`, or raise a BundleError that names it `what`."""
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_number, parse_constant=_constant
        )
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates
    except (ValueError, RecursionError) as error:
        raise refused("InvalidJson", what=what, why=error) from None
    if type(value) is not dict:
        raise refused("NotAnObject", what=what, kind=_kind(value))
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
    if len(digits) > MAX_INTEGER_CHARACTERS:
        raise ValueError(f"an integer has {len(digits)} characters")
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
