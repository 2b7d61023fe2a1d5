"""Tensors that a bundle stores compressed (docs/bundle-format.md, Coding)."""

import math
import zlib
from typing import Any

from edgepatho_runtime.container import ITEM_BYTES, Tensor, checked_shape
from edgepatho_runtime.errors import BundleError

MAX_DECODED_BYTES = 64 << 20
MAX_LZMA_BYTES = 32 << 20  # of the decoder's memory; a dictionary of 8 MiB needs a third of it


def decode(tensors: dict[str, Tensor], coding: dict[str, Any]) -> None:
    """Replace every tensor that `coding` names by its decoded form, or raise BundleError."""
    total = 0
    for name, entry in coding.items():
        stored = tensors.get(name)
        if stored is None or stored.dtype != "U8" or len(stored.shape) != 1:
            raise BundleError(f"Coding names {name!r:.80}, which is not a U8 tensor of one dimension here.")
        if type(entry) is not dict or sorted(entry) != ["bytes", "codec", "dtype", "shape"]:
            raise BundleError(f"The coding of {name} must have exactly bytes, codec, dtype and shape.")
        shape = checked_shape(name, entry["dtype"], entry["shape"])
        size = math.prod(shape) * ITEM_BYTES[entry["dtype"]]
        if entry["bytes"] != size or type(entry["bytes"]) is not int:
            raise BundleError(f"Coding claims {entry['bytes']!r:.40} bytes for {name}; its shape has {size}.")
        total += size
        if total > MAX_DECODED_BYTES:
            raise BundleError(f"The coded tensors decode to more than {MAX_DECODED_BYTES} bytes.")
        data = _decoded(name, entry["codec"], stored.data, size)
        tensors[name] = Tensor(entry["dtype"], shape, memoryview(data))


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
