"""JSON without freedom: no duplicate key, no NaN or infinity, no number that a float or int64 cannot hold."""

from __future__ import annotations

import json
import math
from typing import Any

from edgepatho.text import printable

MAX_DIGITS = 19  # of an integer of 64 bits


def loads(text: str | bytes, *, max_digits: int = MAX_DIGITS) -> Any:
    """Return the value in `text` (bytes: UTF-8), whose strings are all valid Unicode.

    An integer has at most `max_digits` characters, its sign included. Raises ValueError saying what it holds
    and what was expected.
    """

    def integer(digits: str) -> int:
        if len(digits) > max_digits:
            raise ValueError(f"it holds the number {digits[:20]}..., expected at most {max_digits} digits")
        return int(digits)

    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value = json.loads(
            text, parse_constant=_refused, parse_float=_finite, parse_int=integer, object_pairs_hook=_object
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates
    return value


def _refused(name: str) -> None:
    raise ValueError(f"it holds {name}, expected a finite number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"it holds {text[:40]}, expected a finite number")
    return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"it holds the field {printable(twice)[:80]} twice")
    return value
