"""JSON files as dataclasses, or one sentence naming the file, the field and what was expected.

The dataclass is the schema: a field without a default is required, an unknown one is refused, and
`Annotated` bounds what a number or a string may be. Records come from other machines, so nothing in them is
trusted before it is checked.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from edgepatho import strictjson
from edgepatho.errors import InputError
from edgepatho.text import printable

MAX_FILE_BYTES = 32 * 2**20
MAX_TEXT = 4000
MAX_ITEMS = 200_000

Record = TypeVar("Record")


@dataclass(frozen=True)
class Range:
    """Inclusive bounds of a number."""

    low: float
    high: float


@dataclass(frozen=True)
class Choice:
    """The strings a field may hold."""

    options: tuple[str, ...]


@dataclass(frozen=True)
class Hexadecimal:
    """A string of lower-case hexadecimal digits."""

    digits: int


def read_json(path: Path) -> Any:
    """Return the JSON value in `path`, with every number finite and every string valid Unicode.

    Raises InputError for a missing, oversized, malformed or ambiguous (duplicate keys) file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); expected a JSON record.") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path} is larger than {MAX_FILE_BYTES} bytes, the limit for a record.")
    try:
        return strictjson.loads(data)
    except ValueError as error:
        raise InputError(f"{path} is not a valid JSON record: {_first_line(error)}.") from None


def read_json_of(path: Path, name: str) -> Any:
    """Return the JSON value in `path`, whose field `format` must be `name`; raises InputError.

    A file of another kind is refused as such, rather than for its first unknown field.
    """
    value = read_json(path)
    stated = value.get("format") if isinstance(value, dict) else None
    if stated != name:
        raise InputError(
            f"{path} is not an {name} record (its field format is "
            f"{'missing' if stated is None else repr(stated)[:80]}); give the file that edgepatho wrote."
        )
    return value


def decode(kind: type[Record], value: Any, path: Path) -> Record:
    """Return `value`, the parsed JSON of the file `path`, as the dataclass `kind`; raises InputError."""
    record: Record = _decode(kind, value, path, "")
    return record


def _decode(kind: Any, value: Any, path: Path, field: str) -> Any:
    origin = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if kind is Any:
        return value
    if origin is types.UnionType or origin is typing.Union:
        if value is None:
            return None
        return _decode(next(a for a in arguments if a is not type(None)), value, path, field)
    if origin is typing.Annotated:
        return _bounded_by(arguments[1], _decode(arguments[0], value, path, field), path, field)
    if origin is list:
        items = _expect(list, "a list", value, path, field)
        _check_length(items, path, field)
        return [_decode(arguments[0], item, path, f"{field}[{i}]") for i, item in enumerate(items)]
    if origin is dict:
        pairs = _expect(dict, "an object", value, path, field)
        _check_length(pairs, path, field)
        return {
            _decode(str, key, path, f"a key of {field}"): _decode(arguments[1], item, path, _join(field, key))
            for key, item in pairs.items()
        }
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, path, field)
    if kind is float:
        return float(_expect((int, float), "a number", value, path, field))
    if kind is int:
        return _expect(int, "an integer", value, path, field)
    if kind is bool:
        return _expect(bool, "true or false", value, path, field)
    text = _expect(str, "a string", value, path, field)
    if len(text) > MAX_TEXT:
        raise _wrong(path, field, f"a string of {len(text)} characters", f"at most {MAX_TEXT}")
    return text


def _dataclass(kind: Any, value: Any, path: Path, field: str) -> Any:
    value = _expect(dict, "an object", value, path, field)
    hints = typing.get_type_hints(kind, include_extras=True)
    members = {member.name: member for member in dataclasses.fields(kind)}
    if getattr(kind, "ignores_unknown", False):
        value = {key: item for key, item in value.items() if key in members}
    for key in value:
        if key not in members:
            near = difflib.get_close_matches(key, members, n=1)
            hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(members)}."
            raise InputError(f"{path}: the field {_shown(_join(field, key))} is unknown; {hint}")
    for name, member in members.items():
        required = member.default is dataclasses.MISSING and member.default_factory is dataclasses.MISSING
        if required and name not in value:
            where = f" in {field}" if field else ""
            raise InputError(f"{path}: the field {name} is missing{where}; write the record again.")
    return kind(**{key: _decode(hints[key], item, path, _join(field, key)) for key, item in value.items()})


def _bounded_by(rule: Range | Choice | Hexadecimal, value: Any, path: Path, field: str) -> Any:
    if isinstance(rule, Range):
        if not rule.low <= value <= rule.high:
            to = f"to {rule.high:g}" if math.isfinite(rule.high) else "up"
            raise _wrong(path, field, _shown(value), f"a number from {rule.low:g} {to}")
    elif isinstance(rule, Choice):
        if value not in rule.options:
            raise _wrong(path, field, _shown(value), " or ".join(rule.options))
    elif len(value) != rule.digits or set(value) - set("0123456789abcdef"):
        raise _wrong(path, field, _shown(value), f"{rule.digits} hexadecimal digits")
    return value


def _expect(kind: Any, name: str, value: Any, path: Path, field: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(path, field, _shown(value), name)
    return value


def _check_length(items: list[Any] | dict[str, Any], path: Path, field: str) -> None:
    if len(items) > MAX_ITEMS:
        raise _wrong(path, field, f"{len(items)} entries", f"at most {MAX_ITEMS}")


def _wrong(path: Path, field: str, found: str, expected: str) -> InputError:
    return InputError(f"{path}: {_shown(field or 'the record')} is {found}, expected {expected}.")


def _join(field: str, key: str) -> str:
    return f"{field}.{key}" if field else key


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
