"""Tensors that a bundle stores compressed (docs/bundle-format.md, Coding)."""

import math
import zlib
from typing import Any, Literal

from edgepatho_runtime.bundle.container import ITEM_BYTES, Tensor, checked_shape
from edgepatho_runtime.bundle.limits import MAX_DECODED_BYTES, MAX_DICTIONARY_BYTES
from edgepatho_runtime.bundle.refusals import refused

BLOCKED_LANES_BYTES = (4, 8, 16, 32)  # eight output channels of 4, 8, 16 and 32 bits
ENTRY = ["bytes", "codec", "dtype", "shape"]


def decode(tensors: dict[str, Tensor], coding: dict[str, Any]) -> None:
    """Replace every tensor named in `coding` by its decoded form, or raise BundleError."""
    total = 0
    for name, entry in coding.items():
        stored = tensors.get(name)
        if stored is None or stored.dtype != "U8" or len(stored.shape) != 1:
            raise refused("UnknownCodedTensor", name=name)
        if type(entry) is not dict or sorted(entry.keys() - {"order"}) != ENTRY:
            raise refused("InvalidCodingEntry", name=name)
        shape = checked_shape(name, entry["dtype"], entry["shape"])
        if entry["codec"] not in ("zlib", "lzma"):
            raise refused("UnknownCodec", name=name, codec=entry["codec"])
        lanes_bytes = shape[-1] * ITEM_BYTES[entry["dtype"]]
        blocked = len(shape) == 4 and lanes_bytes in BLOCKED_LANES_BYTES
        if "order" in entry and (entry["order"] != "input-major" or not blocked):
            raise refused("InvalidOrder", name=name)
        size = math.prod(shape) * ITEM_BYTES[entry["dtype"]]
        if entry["bytes"] != size or type(entry["bytes"]) is not int:
            raise refused("CodedSizeMismatch", name=name, claimed=entry["bytes"], expected=size)
        total += size
        if total > MAX_DECODED_BYTES:
            raise refused("DecodedTooLarge")
        data: bytes | bytearray = _decoded(name, entry["codec"], stored.data, size)
        if "order" in entry:
            data = _blocks_first(data, shape[0], lanes_bytes)
        tensors[name] = Tensor(entry["dtype"], shape, memoryview(data).toreadonly())


def _decoded(name: str, codec: str, coded: memoryview, size: int) -> bytes:
    """Return the `size` bytes of the stream `coded`, decoding at most one byte more."""
    if codec == "lzma":
        dictionary_bytes = int.from_bytes(coded[1:5], "little")  # after one byte of lc, lp and pb
        if dictionary_bytes > MAX_DICTIONARY_BYTES:
            raise refused("DictionaryTooLarge", name=name, claimed=dictionary_bytes)
    data, complete = (_inflate if codec == "zlib" else _unlzma)(coded, size)
    if not complete or len(data) != size:
        raise refused("DamagedStream", name=name, expected=size)
    return data


def _blocks_first(data: bytes | bytearray, blocks: int, lanes_bytes: int) -> bytearray:
    """Return the lanes of `data`, [rows][blocks], as [blocks][rows]."""
    rows = len(data) // (blocks * lanes_bytes)
    ordered = bytearray(len(data))
    word: Literal["I", "Q"] = "I" if lanes_bytes == 4 else "Q"
    source, target = memoryview(data).cast(word), memoryview(ordered).cast(word)
    words = lanes_bytes // source.itemsize  # of one block's lanes
    for block in range(blocks):
        begin = block * rows * words
        for at in range(words):
            target[begin + at : begin + rows * words : words] = source[block * words + at :: blocks * words]
    return ordered


def _inflate(coded: memoryview, size: int) -> tuple[bytes, bool]:
    decoder = zlib.decompressobj()
    try:
        data = decoder.decompress(coded, size + 1)
    except zlib.error:
        return b"", False
    return data, decoder.eof and not decoder.unused_data


def _unlzma(coded: memoryview, size: int) -> tuple[bytes, bool]:
    import lzma  # few bundles need it

    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    try:
        data = decoder.decompress(coded, size + 1)
    except (lzma.LZMAError, MemoryError):
        return b"", False
    return data, decoder.eof and not decoder.unused_data
