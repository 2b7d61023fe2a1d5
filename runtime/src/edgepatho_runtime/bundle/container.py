"""The container of a bundle: a strict reader of its safetensors layout (docs/bundle-format.md)."""

import math
import re
from typing import Any

from edgepatho_runtime.bundle import strictjson
from edgepatho_runtime.bundle.limits import MAX_HEADER_BYTES, MAX_RANK, MAX_TENSORS
from edgepatho_runtime.bundle.refusals import refused
from edgepatho_runtime.digest import sha256

ITEM_BYTES = {"F32": 4, "U16": 2, "U8": 1}  # in the order of their tensors in the file
TEXTS = ("accuracy", "coding", "graph", "provenance", "scoring")  # metadata whose values are JSON objects
METADATA = sorted((*TEXTS, "file_sha256", "format", "version"))
PARTS = ("cutoffs", "envelope", "image")  # which version 2 adds, at least one of them
TENSOR_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?", re.ASCII)


class Tensor:
    """A typed array: `data` is a view of the file's bytes, little-endian and row-major."""

    __slots__ = ("data", "dtype", "shape")

    def __init__(self, dtype: str, shape: tuple[int, ...], data: memoryview) -> None:
        self.dtype = dtype
        self.shape = shape
        self.data = data


def parse(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors as stored and the metadata of a whole file, or raise BundleError."""
    if len(data) < 8:
        raise refused("FileTooShort", bytes=len(data))
    length = int.from_bytes(data[:8], "little")
    if length > MAX_HEADER_BYTES:
        raise refused("HeaderTooLarge", claimed=length)
    if length > len(data) - 8:
        raise refused("HeaderBeyondFile", claimed=length, left=len(data) - 8)
    try:
        text = data[8 : 8 + length].decode()
    except UnicodeDecodeError as error:
        raise refused("InvalidUtf8", why=error) from None
    header = strictjson.loads(text, "The header")
    metadata = _metadata(header.pop("__metadata__", None))
    _check_digest(data, length, metadata["file_sha256"])
    return _tensors(header, memoryview(data)[8 + length :]), metadata


def checked_shape(name: str, dtype: Any, shape: Any) -> tuple[int, ...]:
    """Return `shape` as a tuple if it and `dtype` are valid for a tensor, or raise BundleError."""
    if type(dtype) is not str or dtype not in ITEM_BYTES:
        raise refused("UnknownType", name=name, dtype=dtype)
    sized = type(shape) is list and 1 <= len(shape) <= MAX_RANK
    if not sized or not all(_is_count(side) and side > 0 for side in shape):
        raise refused("InvalidShape", name=name, shape=shape)
    return tuple(shape)


def _metadata(value: Any) -> dict[str, str]:
    keys = ", ".join(METADATA)
    if type(value) is not dict or not all(type(text) is str for text in value.values()):
        raise refused("InvalidMetadata", keys=keys)
    if value.get("format") != "edgepatho":
        raise refused("UnknownFormat", format=value.get("format"))
    version = value.get("version")
    if version not in ("1", "2"):
        raise refused("UnknownVersion", version=version)
    added = [key for key in value if key in PARTS] if version == "2" else []
    if sorted(value) != sorted((*METADATA, *added)) or (version == "2" and not added):
        more = f" and one or more of {', '.join(PARTS)}" if version == "2" else ""
        raise refused("InvalidMetadata", keys=keys + more)
    return value


def _check_digest(data: bytes, length: int, digest: str) -> None:
    """Raise BundleError unless `digest` is the SHA-256 of `data` with its own 64 digits read as '0'."""
    mark = b'"file_sha256":"'
    begin = data.find(mark, 8, 8 + length) + len(mark)
    end = begin + 64
    named = re.fullmatch("[0-9a-f]{64}", digest) and data[begin : end + 1] == digest.encode() + b'"'
    if not named or data.count(mark, 8, 8 + length) != 1:
        raise refused("InvalidChecksum")
    actual = sha256(memoryview(data)[:begin])
    actual.update(b"0" * 64)
    actual.update(memoryview(data)[end:])
    if actual.hexdigest() != digest:
        raise refused("ChecksumMismatch")


def _tensors(header: dict[str, Any], payload: memoryview) -> dict[str, Tensor]:
    if len(header) > MAX_TENSORS:
        raise refused("TooManyTensors", count=len(header))
    tensors: dict[str, Tensor] = {}
    end = 0
    previous = (-1, "")
    entries = [_entry(name, value) for name, value in header.items()]
    for name, dtype, shape, begin, stop in sorted(entries, key=lambda entry: entry[3:]):
        expected = math.prod(shape) * ITEM_BYTES[dtype]
        if begin != end or stop - begin != expected or stop > len(payload):
            raise refused(
                "MisplacedTensor",
                name=name,
                begin=begin,
                end=stop,
                payload=len(payload),
                begin_expected=end,
                end_expected=end + expected,
            )
        place = (list(ITEM_BYTES).index(dtype), name)
        if place < previous:
            raise refused("UnorderedTensor", name=name)
        tensors[name] = Tensor(dtype, shape, payload[begin:stop])
        end, previous = stop, place
    if end != len(payload):
        raise refused("TrailingBytes", count=len(payload) - end)
    return tensors


def _entry(name: str, entry: Any) -> tuple[str, str, tuple[int, ...], int, int]:
    """Return the name, type, shape, begin and end of one header entry."""
    if not TENSOR_NAME.fullmatch(name):
        raise refused("InvalidTensorName", name=name)
    if type(entry) is not dict or sorted(entry) != ["data_offsets", "dtype", "shape"]:
        raise refused("InvalidTensorEntry", name=name)
    shape, offsets = checked_shape(name, entry["dtype"], entry["shape"]), entry["data_offsets"]
    if type(offsets) is not list or len(offsets) != 2 or not all(_is_count(n) for n in offsets):
        raise refused("InvalidOffsets", name=name, offsets=offsets)
    return name, entry["dtype"], shape, offsets[0], offsets[1]


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
