"""The file format of a bundle: a stricter safetensors with a checksum (docs/bundle-format.md)."""

from __future__ import annotations

import hashlib
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho import strictjson
from edgepatho.exporters.limits import (
    MAX_FILE_BYTES,
    MAX_HEADER_BYTES,
    MAX_INTEGER_CHARACTERS,
    MAX_RANK,
    MAX_TENSORS,
)
from edgepatho.exporters.refusals import refused
from edgepatho.files import canonical_json

METADATA = ("accuracy", "coding", "file_sha256", "format", "graph", "provenance", "scoring", "version")
PARTS = ("cutoffs", "envelope", "image")  # which version 2 adds, at least one of them
TYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
}  # in file order
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?")
CHECKSUM = b'"file_sha256":"'
NO_CHECKSUM = "0" * 64

Tensors = dict[str, NDArray[Any]]
Entry = tuple[str, str, tuple[int, ...], int, int]  # name, type, shape, first byte, byte after the last


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
    blank = CHECKSUM + NO_CHECKSUM.encode()  # 64 zeros alone may occur in other metadata
    return data.replace(blank, CHECKSUM + _checksum(data).encode(), 1)


def parse(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """The tensors of a file as stored, in file order, and its metadata; InputError at the first defect."""
    header, payload = _split(data)
    metadata = _metadata(header.pop("__metadata__", None))
    _require_checksum(data, len(data) - len(payload), metadata["file_sha256"])
    if len(header) > MAX_TENSORS:
        raise refused("TooManyTensors", count=len(header))
    tensors: Tensors = {}
    end, previous, order = 0, (-1, ""), list(TYPES)
    entries = [_entry(name, entry) for name, entry in header.items()]
    for name, dtype, shape, begin, stop in sorted(entries, key=lambda entry: entry[3:]):
        expected = end + math.prod(shape) * TYPES[dtype].itemsize
        if (begin, stop) != (end, expected) or stop > len(payload):
            place = {"begin": begin, "end": stop, "expected": end, "expected_end": expected}
            form = {"name": name, "dtype": dtype, "shape": list(shape)}
            raise refused("MisplacedTensor", **form, **place, payload=len(payload))
        if (order.index(dtype), name) < previous:
            raise refused("UnorderedTensor", name=name)
        tensors[name] = np.frombuffer(payload[begin:stop], TYPES[dtype]).reshape(shape)
        end, previous = stop, (order.index(dtype), name)
    if end != len(payload):
        raise refused("TrailingBytes", count=len(payload) - end)
    return tensors, metadata


def json_object(text: str, what: str) -> dict[str, Any]:
    """The JSON object in `text`; BundleError for anything else, duplicate keys, NaN and infinities."""
    try:
        value = strictjson.loads(text, max_digits=MAX_INTEGER_CHARACTERS)
    except ValueError as error:
        raise refused("InvalidJson", what=what, why=error) from None
    if not isinstance(value, dict):
        raise refused("NotAnObject", what=what)
    return value


def checked_shape(name: str, dtype: Any, shape: Any) -> tuple[int, ...]:
    """`shape` as a tuple; BundleError unless a tensor may have it and `dtype`."""
    if not isinstance(dtype, str) or dtype not in TYPES:
        raise refused("UnknownType", name=name, dtype=dtype)
    sized = isinstance(shape, list) and 1 <= len(shape) <= MAX_RANK
    if not sized or not all(type(size) is int and size >= 1 for size in shape):
        raise refused("InvalidShape", name=name, shape=shape)
    return tuple(shape)


def type_name(tensor: NDArray[Any]) -> str:
    """F32, U16 or U8."""
    for name, dtype in TYPES.items():
        if tensor.dtype == dtype:
            return name
    raise TypeError(f"a bundle cannot hold {tensor.dtype}")


def _split(data: bytes) -> tuple[dict[str, Any], memoryview]:
    if len(data) > MAX_FILE_BYTES:
        raise refused("FileTooLarge", bytes=len(data))
    if len(data) < 8:
        raise refused("FileTooShort", bytes=len(data))
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise refused("HeaderTooLarge", claimed=length)
    if length > len(data) - 8:
        raise refused("HeaderBeyondFile", claimed=length, left=len(data) - 8)
    try:
        text = data[8 : 8 + length].decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused("InvalidUtf8", why=error) from None
    return json_object(text, "the header"), memoryview(data)[8 + length :]


def _metadata(metadata: Any) -> dict[str, str]:
    whole = isinstance(metadata, dict) and all(isinstance(text, str) for text in metadata.values())
    if whole and metadata.get("format") != "edgepatho":
        raise refused("UnknownFormat", format=metadata.get("format"))
    version = metadata.get("version") if whole else None
    if whole and version not in ("1", "2"):
        raise refused("UnknownVersion", version=version)
    added = set(metadata) - set(METADATA) if whole else set()
    allowed = not added if version == "1" else bool(added) and added <= set(PARTS)
    if not whole or not allowed or not set(METADATA) <= set(metadata):
        keys = sorted(metadata) if isinstance(metadata, dict) else metadata
        more = f" and one or more of {', '.join(PARTS)}" if version == "2" else ""
        raise refused("InvalidMetadata", keys=keys, expected=", ".join(METADATA) + more)
    return dict(metadata)


def _entry(name: str, entry: Any) -> Entry:
    if not NAME.fullmatch(name):
        raise refused("InvalidTensorName", name=name)
    if not isinstance(entry, dict) or set(entry) != {"data_offsets", "dtype", "shape"}:
        raise refused("InvalidTensorEntry", name=name)
    shape, offsets = checked_shape(name, entry["dtype"], entry["shape"]), entry["data_offsets"]
    pair = isinstance(offsets, list) and len(offsets) == 2
    if not pair or any(type(n) is not int or n < 0 for n in offsets):
        raise refused("InvalidOffsets", name=name, offsets=offsets)
    return name, entry["dtype"], shape, offsets[0], offsets[1]


def _require_checksum(data: bytes, header_end: int, stated: str) -> None:
    begin = data.find(CHECKSUM, 8, header_end) + len(CHECKSUM)
    place = slice(begin, begin + len(NO_CHECKSUM))
    whole = re.fullmatch("[0-9a-f]{64}", stated) and data[place] == stated.encode()
    if not whole or data.count(CHECKSUM, 8, header_end) != 1:
        raise refused("InvalidChecksum")
    if _checksum(data[: place.start] + NO_CHECKSUM.encode() + data[place.stop :]) != stated:
        raise refused("ChecksumMismatch")


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
