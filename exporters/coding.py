"""Compressed tensors in a bundle, with the codecs of Python's standard library (docs/bundle-format.md)."""

from __future__ import annotations

import lzma
import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.exporters import container
from edgepatho.exporters.limits import MAX_DECODED_BYTES, MAX_DICTIONARY_BYTES
from edgepatho.exporters.refusals import refused
from edgepatho.files import canonical_json

ENTRY = {"bytes", "codec", "dtype", "shape"}
BLOCKED_LANES_BYTES = (4, 8, 16, 32)  # eight output channels of 4, 8, 16 and 32 bits
INPUT_MAJOR = {"order": "input-major"}
CODECS = ("zlib", "lzma")
# (lc, lp, pb) of LZMA by element size: the best for kernels (neighbouring elements do not predict each
# other, but the bytes within an element differ in their statistics)
LZMA_SETTINGS = {1: (0, 0, 0), 2: (1, 1, 1), 4: (0, 2, 2)}


def encode(tensors: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """The tensors, each in its smallest form, and the `coding` entries of those that changed."""
    stored, entries = {}, {}
    for name, tensor in tensors.items():
        codec, stream, order = _smallest(tensor)
        entry = {
            "bytes": tensor.nbytes,
            "codec": codec,
            "dtype": container.type_name(tensor),
            "shape": list(tensor.shape),
            **order,
        }
        # inside the header, the entry's quotes are escaped
        cost = len(canonical_json(canonical_json({name: entry})))
        if len(stream) + cost < tensor.nbytes:
            stored[name], entries[name] = np.frombuffer(stream, np.uint8), entry
        else:
            stored[name] = tensor
    return stored, entries


def decode(stored: dict[str, NDArray[Any]], entries: dict[str, Any]) -> dict[str, NDArray[Any]]:
    """The tensors, with those in `entries` decoded; BundleError at the first that contradicts its entry."""
    tensors = dict(stored)
    left = MAX_DECODED_BYTES
    for name, entry in entries.items():
        if name not in stored or stored[name].dtype != np.uint8 or stored[name].ndim != 1:
            raise refused("UnknownCodedTensor", name=name)
        if not isinstance(entry, dict) or set(entry) - {"order"} != ENTRY:
            raise refused("InvalidCodingEntry", name=name)
        shape = container.checked_shape(name, entry["dtype"], entry["shape"])
        dtype, codec, size = container.TYPES[entry["dtype"]], entry["codec"], entry["bytes"]
        if codec not in CODECS:
            raise refused("UnknownCodec", name=name, codec=codec)
        blocked = len(shape) == 4 and shape[3] * dtype.itemsize in BLOCKED_LANES_BYTES
        if "order" in entry and (entry["order"] != "input-major" or not blocked):
            raise refused("InvalidOrder", name=name)
        expected = math.prod(shape) * dtype.itemsize
        if type(size) is not int or size != expected:
            raise refused("CodedSizeMismatch", name=name, claimed=size, expected=expected)
        left -= size
        if left < 0:
            raise refused("DecodedTooLarge", name=name)
        data = _inflated(codec, stored[name].tobytes(), size, name)
        if "order" in entry:
            blocks, *inner, lanes = shape
            tensors[name] = _blocks_first(np.frombuffer(data, dtype).reshape(*inner, blocks, lanes))
        else:
            tensors[name] = np.frombuffer(data, dtype).reshape(shape)
    return tensors


def _smallest(tensor: NDArray[Any]) -> tuple[str, bytes, dict[str, str]]:
    """The codec, stream and order with the fewest bytes; the same for the same input and library.

    Blocked kernels are also tried with the blocks next to the lanes: the weights of one input channel are
    similar for all output channels, above all where training has given up that channel.
    """
    candidates: list[tuple[str, bytes, dict[str, str]]] = []
    orders: list[tuple[NDArray[Any], dict[str, str]]] = [(tensor, {})]
    if tensor.ndim == 4 and tensor.shape[0] > 1:
        orders.append((tensor.transpose(1, 2, 0, 3), INPUT_MAJOR))
    for ordered, order in orders:
        data = ordered.tobytes()
        candidates.append(("zlib", zlib.compress(data, 9), order))
        candidates.append(("lzma", _lzma(data, *LZMA_SETTINGS[tensor.itemsize]), order))
    return min(candidates, key=lambda each: len(each[1]) + len(canonical_json(each[2])))


def _blocks_first(tensor: NDArray[Any]) -> NDArray[Any]:
    """[in, taps, blocks, lanes] as [blocks, in, taps, lanes]."""
    return np.ascontiguousarray(tensor.transpose(2, 0, 1, 3))


def _inflated(codec: str, stream: bytes, size: int, name: str) -> bytes:
    """The `size` bytes that `stream` decodes to; BundleError naming the tensor otherwise."""
    decoder: Any = zlib.decompressobj()
    if codec == "lzma":
        dictionary_bytes = int.from_bytes(stream[1:5], "little")  # follows one byte of lc, lp and pb
        if dictionary_bytes > MAX_DICTIONARY_BYTES:
            raise refused("DictionaryTooLarge", name=name, claimed=dictionary_bytes)
        decoder = lzma.LZMADecompressor(lzma.FORMAT_ALONE)
    try:
        data: bytes = decoder.decompress(stream, size + 1)
    except (lzma.LZMAError, zlib.error):
        data = b""
    if len(data) != size or not decoder.eof or decoder.unused_data:
        raise refused("DamagedStream", name=name, codec=codec, expected=size)
    return data


def _lzma(data: bytes, lc: int, lp: int, pb: int) -> bytes:
    dictionary = min(max(4096, 1 << (len(data) - 1).bit_length()), MAX_DICTIONARY_BYTES)
    settings = {"preset": 9 | lzma.PRESET_EXTREME, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary}
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, **settings}])
