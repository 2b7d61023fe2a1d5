"""The file form of a bundle: safetensors with less freedom and a checksum (docs/bundle-format.md)."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

import numpy as np

from edgepatho.errors import InputError
from edgepatho.files import canonical_json

MOST_FILE_BYTES = 64 << 20
MOST_HEADER_BYTES = 1 << 20
MOST_TENSORS = 4096
MOST_DIMENSIONS = 4
MOST_DIGITS = 16  # of an integer, its sign included
METADATA = ("accuracy", "coding", "file_sha256", "format", "graph", "provenance", "scoring", "version")
TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
}  # in file order
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?")
CHECKSUM = re.compile(rb'"file_sha256":"([0-9a-f]{64})"')
NO_CHECKSUM = "0" * 64

Tensors = dict[str, np.ndarray]


def build(tensors: Tensors, metadata: dict[str, str]) -> bytes:
    """The whole file for float32, uint16 and uint8 arrays and metadata without `file_sha256`."""
    order = list(TYPES)
    names = sorted(tensors, key=lambda name: (order.index(type_name(tensors[name])), name))
    header: dict[str, Any] = {"__metadata__": metadata | {"file_sha256": NO_CHECKSUM}}
    end = 0
    for name in names:
        begin, end = end, end + tensors[name].nbytes
        header[name] = {
            "data_offsets": [begin, end],
            "dtype": type_name(tensors[name]),
            "shape": list(tensors[name].shape),
        }
    text = canonical_json(header).encode()
    text += b" " * (-len(text) % 8)
    parts = (np.ascontiguousarray(tensors[name], TYPES[type_name(tensors[name])]) for name in names)
    data = len(text).to_bytes(8, "little") + text + b"".join(part.tobytes() for part in parts)
    return data.replace(NO_CHECKSUM.encode(), _checksum(data).encode(), 1)


def parse(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """The tensors of a file as stored, in file order, and its metadata; InputError at the first defect."""
    header, payload = _split(data)
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise InputError("the header has no __metadata__ of strings; this is not a bundle.")
    if metadata.get("format") != "edgepatho":
        raise InputError(
            f"the format is {metadata.get('format')!r}, expected 'edgepatho'; this is not a bundle."
        )
    if metadata.get("version") != "1":
        raise InputError(
            f"the version is {metadata.get('version')!r}; this edgepatho reads version '1' only."
        )
    if set(metadata) != set(METADATA):
        raise InputError(f"the metadata keys are {str(sorted(metadata))[:200]}, expected {sorted(METADATA)}.")
    _require_checksum(data, len(data) - len(payload), metadata["file_sha256"])
    if len(header) > MOST_TENSORS:
        raise InputError(f"the header lists {len(header)} tensors, at most {MOST_TENSORS} are read.")
    tensors, end = {}, 0
    for name, (dtype, shape, begin, stop) in sorted(_entries(header).items(), key=lambda item: item[1][2:]):
        if begin != end:
            raise InputError(f"tensor {name} starts at byte {begin}, expected {end}.")
        if stop - begin != math.prod(shape) * TYPES[dtype].itemsize or stop > len(payload):
            raise InputError(
                f"tensor {name}: bytes {begin} to {stop} of {len(payload)} do not fit {dtype} {list(shape)}."
            )
        tensors[name] = np.frombuffer(payload[begin:stop], TYPES[dtype]).reshape(shape)
        end = stop
    if end != len(payload):
        raise InputError(f"{len(payload) - end} bytes at the end belong to no tensor.")
    order = list(TYPES)
    keys = [(order.index(type_name(tensor)), name) for name, tensor in tensors.items()]
    if keys != sorted(keys):
        raise InputError("the tensors are not in the order F32, U16, U8 and by name.")
    return tensors, metadata


def strict_json(text: str | bytes, what: str) -> dict[str, Any]:
    """The JSON object in `text`; InputError for anything else, for doubled keys, NaN and infinities."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=_finite_number,
            parse_int=_short_integer,
        )
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON as a bundle may hold it ({error}).") from None
    if not isinstance(value, dict):
        raise InputError(f"{what} is not a JSON object.")
    return value


def type_name(tensor: np.ndarray) -> str:
    """F32, U16 or U8."""
    for name, dtype in TYPES.items():
        if tensor.dtype == dtype:
            return name
    raise TypeError(f"a bundle holds no {tensor.dtype}")


def _split(data: bytes) -> tuple[dict[str, Any], memoryview]:
    if len(data) > MOST_FILE_BYTES:
        raise InputError(f"{len(data)} bytes are too many for a bundle (at most {MOST_FILE_BYTES}).")
    if len(data) < 8:
        raise InputError(f"{len(data)} bytes are too few for a header; the file is cut or not a bundle.")
    length = int.from_bytes(data[:8], "little")
    if length > min(MOST_HEADER_BYTES, len(data) - 8):
        raise InputError(
            f"the header claims {length} bytes where {len(data) - 8} follow (at most {MOST_HEADER_BYTES}); "
            "the file is cut or not a bundle."
        )
    return strict_json(data[8 : 8 + length], "the header"), memoryview(data)[8 + length :]


def _entries(header: dict[str, Any]) -> dict[str, tuple[str, tuple[int, ...], int, int]]:
    entries = {}
    for name, entry in header.items():
        if not NAME.fullmatch(name):
            raise InputError(f"{name[:80]!r} is no name for a tensor.")
        if not isinstance(entry, dict) or set(entry) != {"data_offsets", "dtype", "shape"}:
            raise InputError(f"tensor {name} has an entry that is not data_offsets, dtype and shape.")
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        if not isinstance(dtype, str) or dtype not in TYPES:
            raise InputError(f"tensor {name} has the type {dtype!r}; a bundle holds {', '.join(TYPES)}.")
        if not is_shape(shape):
            raise InputError(f"tensor {name} has the shape {shape!r}, expected 1 to 4 positive integers.")
        if (
            not isinstance(offsets, list)
            or len(offsets) != 2
            or any(type(n) is not int or n < 0 for n in offsets)
        ):
            raise InputError(f"tensor {name} has the offsets {offsets!r}, expected two integers.")
        entries[name] = (dtype, tuple(shape), offsets[0], offsets[1])
    return entries


def is_shape(value: Any) -> bool:
    """Whether `value` is a JSON list of 1 to 4 positive integers."""
    return (
        isinstance(value, list)
        and 1 <= len(value) <= MOST_DIMENSIONS
        and all(type(size) is int and size >= 1 for size in value)
    )


def _require_checksum(data: bytes, header_end: int, stated: str) -> None:
    found = list(CHECKSUM.finditer(data, 8, header_end))
    if len(found) != 1 or found[0].group(1).decode() != stated:
        raise InputError("the header does not state file_sha256 exactly once.")
    begin, stop = found[0].span(1)
    blank = data[:begin] + NO_CHECKSUM.encode() + data[stop:]
    if _checksum(blank) != stated:
        raise InputError(
            "the file's SHA-256 is not the one it states; it is cut or damaged, copy or build it again."
        )


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _short_integer(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError(f"an integer of {len(text)} characters")
    return int(text)


def _finite_number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is too large")
    return number
