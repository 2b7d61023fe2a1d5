"""Tensors that a bundle stores compressed (docs/bundle-format.md, Coding)."""

import math
import zlib
from typing import Any, Literal

from edgepatho_runtime.bundle.container import ITEM_BYTES, Tensor, checked_shape
from edgepatho_runtime.errors import BundleError

MAX_DECODED_BYTES = 64 << 20
BLOCKED_LANES_BYTES = (4, 8, 16, 32)  # eight output channels of 4, 8, 16 and 32 bits
MAX_LZMA_BYTES = 32 << 20  # of the decoder's memory; a dictionary of 8 MiB needs a third of it


def decode(tensors: dict[str, Tensor], coding: dict[str, Any]) -> None:
    """Replace every tensor that `coding` names by its decoded form, or raise BundleError."""
    total = 0
    for name, entry in coding.items():
        stored = tensors.get(name)
        if stored is None or stored.dtype != "U8" or len(stored.shape) != 1:
            raise BundleError(f"Coding names {name!r:.80}, which is not a U8 tensor of one dimension here.")
        if type(entry) is not dict or sorted(entry.keys() - {"order"}) != [
            "bytes",
            "codec",
            "dtype",
            "shape",
        ]:
            raise BundleError(f"The coding of {name} must have bytes, codec, dtype, shape and at most order.")
        shape = checked_shape(name, entry["dtype"], entry["shape"])
        lanes_bytes = shape[-1] * ITEM_BYTES[entry["dtype"]]
        blocked = len(shape) == 4 and lanes_bytes in BLOCKED_LANES_BYTES
        if "order" in entry and (entry["order"] != "input-major" or not blocked):
            raise BundleError(f"The order of {name} is not 'input-major' of a blocked tensor.")
        size = math.prod(shape) * ITEM_BYTES[entry["dtype"]]
        if entry["bytes"] != size or type(entry["bytes"]) is not int:
            raise BundleError(f"Coding claims {entry['bytes']!r:.40} bytes for {name}; its shape has {size}.")
        total += size
        if total > MAX_DECODED_BYTES:
            raise BundleError(f"The coded tensors decode to more than {MAX_DECODED_BYTES} bytes.")
        data: bytes | bytearray = _decoded(name, entry["codec"], stored.data, size)
        if "order" in entry:
            data = _blocks_first(data, shape[0], lanes_bytes)
        tensors[name] = Tensor(entry["dtype"], shape, memoryview(data).toreadonly())


def _decoded(name: str, codec: Any, coded: memoryview, size: int) -> bytes:
    """Return the `size` bytes that the stream `coded` holds, asking it for at most one byte more."""
    if codec == "zlib":
        data, complete = _inflate(coded, size)
    elif codec == "lzma":
        data, complete = _unlzma(coded, size)
    else:
        raise BundleError(f"Tensor {name} is coded by {codec!r:.40}, expected 'zlib' or 'lzma'.")
    if not complete or len(data) != size:
        raise BundleError(f"Tensor {name} does not decode to exactly {size} bytes.")
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

    decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MAX_LZMA_BYTES)
    try:
        data = decoder.decompress(coded, size + 1)
    except (lzma.LZMAError, MemoryError):
        return b"", False
    return data, decoder.eof and not decoder.unused_data
