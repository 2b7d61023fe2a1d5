"""The outer form of a bundle: a strict reader of its safetensors layout (docs/bundle-format.md)."""

import math
import re
from typing import Any

from edgepatho_runtime.bundle import strictjson
from edgepatho_runtime.digest import sha256
from edgepatho_runtime.errors import BundleError

MAX_HEADER_BYTES = 1 << 20
MAX_TENSORS = 4096
MAX_RANK = 4

ITEM_BYTES = {"F32": 4, "U16": 2, "U8": 1}  # in the order in which their tensors lie
TEXTS = ("accuracy", "coding", "graph", "provenance", "scoring")  # metadata that hold JSON objects
METADATA = sorted((*TEXTS, "file_sha256", "format", "version"))
TENSOR_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})?", re.ASCII)


class Tensor:
    """Values of one type: `data` is a view of the file's bytes, little-endian, row-major over `shape`."""

    __slots__ = ("data", "dtype", "shape")

    def __init__(self, dtype: str, shape: tuple[int, ...], data: memoryview) -> None:
        self.dtype = dtype
        self.shape = shape
        self.data = data


def parse(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors as stored and the metadata of a whole file, or raise BundleError."""
    if len(data) < 8:
        raise BundleError(f"{len(data)} bytes are too few for a bundle.")
    length = int.from_bytes(data[:8], "little")
    if length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise BundleError(
            f"The header claims {length} bytes; {len(data) - 8} follow and {MAX_HEADER_BYTES} are allowed."
        )
    try:
        text = data[8 : 8 + length].decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"The header is not UTF-8 text: {error}.") from None
    header = strictjson.loads(text, "The header")
    metadata = _metadata(header.pop("__metadata__", None))
    _check_digest(data, length, metadata["file_sha256"])
    return _tensors(header, memoryview(data)[8 + length :]), metadata


def checked_shape(name: str, dtype: Any, shape: Any) -> tuple[int, ...]:
    """Return `shape` as a tuple if it and `dtype` are ones that a tensor may have, or raise BundleError."""
    if type(dtype) is not str or dtype not in ITEM_BYTES:
        raise BundleError(f"Tensor {name} has type {dtype!r:.40}; known are {', '.join(ITEM_BYTES)}.")
    sized = type(shape) is list and 1 <= len(shape) <= MAX_RANK
    if not sized or not all(_is_count(side) and side > 0 for side in shape):
        raise BundleError(f"Tensor {name} has shape {shape!r:.80}, expected 1 to {MAX_RANK} counts.")
    return tuple(shape)


def _metadata(value: Any) -> dict[str, str]:
    if type(value) is not dict or sorted(value) != METADATA:
        raise BundleError(f"The metadata must hold exactly {', '.join(METADATA)}.")
    for key, text in value.items():
        if type(text) is not str:
            raise BundleError(f"Metadata {key} must be a string.")
    if value["format"] != "edgepatho":
        raise BundleError(f"The format is {value['format']!r:.40}, expected 'edgepatho'.")
    if value["version"] != "1":
        raise BundleError(
            f"The bundle has version {value['version']!r:.40}, this runtime reads version '1'; "
            "use a runtime of the bundle's own release."
        )
    return value


def _check_digest(data: bytes, length: int, digest: str) -> None:
    """Raise BundleError unless `digest` is the SHA-256 of `data` with these 64 digits read as '0'."""
    mark = b'"file_sha256":"'
    begin = data.find(mark, 8, 8 + length) + len(mark)
    end = begin + 64
    named = re.fullmatch("[0-9a-f]{64}", digest) and data[begin : end + 1] == digest.encode() + b'"'
    if not named or data.count(mark, 8, 8 + length) != 1:
        raise BundleError("The header does not hold file_sha256 as 64 hexadecimal digits, once.")
    actual = sha256(memoryview(data)[:begin])
    actual.update(b"0" * 64)
    actual.update(memoryview(data)[end:])
    if actual.hexdigest() != digest:
        raise BundleError("The file is damaged: its SHA-256 is not the one that it names; copy it again.")


def _tensors(header: dict[str, Any], payload: memoryview) -> dict[str, Tensor]:
    if len(header) > MAX_TENSORS:
        raise BundleError(f"The header lists {len(header)} tensors, {MAX_TENSORS} are allowed.")
    tensors: dict[str, Tensor] = {}
    end = 0
    previous = (-1, "")
    for name, entry in sorted(header.items(), key=_begin):
        if not TENSOR_NAME.fullmatch(name):
            raise BundleError(f"{name!r:.80} is not a tensor's name.")
        if type(entry) is not dict or sorted(entry) != ["data_offsets", "dtype", "shape"]:
            raise BundleError(f"Tensor {name} must have exactly data_offsets, dtype and shape.")
        shape = checked_shape(name, entry["dtype"], entry["shape"])
        begin, stop = _offsets(name, entry["data_offsets"])
        expected = math.prod(shape) * ITEM_BYTES[entry["dtype"]]
        if begin != end or stop - begin != expected or stop > len(payload):
            raise BundleError(
                f"Tensor {name} lies at bytes {begin} to {stop} of {len(payload)}; "
                f"its place is {end} to {end + expected}."
            )
        place = (list(ITEM_BYTES).index(entry["dtype"]), name)
        if place < previous:
            raise BundleError(f"Tensor {name} lies out of order: {', '.join(ITEM_BYTES)}, then by name.")
        tensors[name] = Tensor(entry["dtype"], shape, payload[begin:stop])
        end, previous = stop, place
    if end != len(payload):
        raise BundleError(f"{len(payload) - end} bytes behind the last tensor belong to none.")
    return tensors


def _begin(item: tuple[str, Any]) -> tuple[int, int]:
    """Sort key: tensors as they lie in the file; malformed entries first, to be refused first."""
    name, entry = item
    return _offsets(name, entry.get("data_offsets") if type(entry) is dict else None)


def _offsets(name: str, value: Any) -> tuple[int, int]:
    if type(value) is not list or len(value) != 2 or not all(_is_count(n) for n in value):
        raise BundleError(f"Tensor {name!r:.80} has offsets {value!r:.80}, expected [begin, end].")
    return value[0], value[1]


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
