"""Compressed tensors inside a bundle, by the codecs of Python's standard library (docs/bundle-format.md)."""

from __future__ import annotations

import lzma
import math
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from edgepatho.errors import InputError
from edgepatho.exporters import container
from edgepatho.files import canonical_json

ENTRY = {"bytes", "codec", "dtype", "shape"}
MOST_LZMA_MEMORY = 16 << 20  # bytes a decoder may take: a dictionary of 8 MiB and its tables
DECODERS: dict[str, Callable[[], Any]] = {
    "zlib": zlib.decompressobj,
    "lzma": partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, MOST_LZMA_MEMORY),
}
# (lc, lp, pb) of LZMA by element size: what wins on kernels (neighbours tell nothing about each other,
# but the bytes of one element differ in kind)
LZMA_SETTINGS = {1: (0, 0, 0), 2: (1, 1, 1), 4: (0, 2, 2)}


def encode(tensors: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The tensors with each in its smallest form, and the `coding` entries of those that changed."""
    stored, entries = {}, {}
    for name, tensor in tensors.items():
        codec, stream = _smallest(tensor.tobytes(), tensor.itemsize)
        entry = {
            "bytes": tensor.nbytes,
            "codec": codec,
            "dtype": container.type_name(tensor),
            "shape": list(tensor.shape),
        }
        # inside the header, the entry's quotes are escaped
        cost = len(canonical_json(canonical_json({name: entry})))
        if len(stream) + cost < tensor.nbytes:
            stored[name], entries[name] = np.frombuffer(stream, np.uint8), entry
        else:
            stored[name] = tensor
    return stored, entries


def decode(stored: dict[str, np.ndarray], entries: dict[str, Any]) -> dict[str, np.ndarray]:
    """The tensors with those of `entries` decoded; InputError names the first that does not fit its entry."""
    tensors = dict(stored)
    left = container.MOST_FILE_BYTES
    for name, entry in entries.items():
        if name not in stored or stored[name].dtype != np.uint8 or stored[name].ndim != 1:
            raise InputError(f"coding: {name[:80]} is no U8 tensor of one dimension.")
        if not isinstance(entry, dict) or set(entry) != ENTRY or not container.is_shape(entry["shape"]):
            raise InputError(f"coding: the entry of {name} is not bytes, codec, dtype and a shape.")
        codec, size, shape = str(entry["codec"]), entry["bytes"], entry["shape"]
        dtype = container.TYPES.get(str(entry["dtype"]))
        if codec not in DECODERS or dtype is None:
            raise InputError(
                f"coding: {name} is {codec[:40]} of {str(entry['dtype'])[:40]}; one is not known."
            )
        if type(size) is not int or size != math.prod(shape) * dtype.itemsize:
            raise InputError(f"coding: {size!r} bytes of {name} do not fit {entry['dtype']} {shape}.")
        left -= size
        if left < 0:
            raise InputError(f"coding: {name} takes the tensors beyond {container.MOST_FILE_BYTES} bytes.")
        data = _inflated(codec, stored[name].tobytes(), size, name)
        tensors[name] = np.frombuffer(data, dtype).reshape(shape)
    return tensors


def _smallest(data: bytes, element_bytes: int) -> tuple[str, bytes]:
    """The (codec, stream) of the fewest bytes for `data`; the same bytes for the same input and library."""
    streams = [("zlib", zlib.compress(data, 9)), ("lzma", _lzma(data, *LZMA_SETTINGS[element_bytes]))]
    return min(streams, key=lambda pair: len(pair[1]))


def _inflated(codec: str, stream: bytes, size: int, name: str) -> bytes:
    """The `size` bytes that `stream` holds; InputError naming the tensor if it holds anything else."""
    try:
        decoder = DECODERS[codec]()
        data = decoder.decompress(stream, size + 1)
    except (lzma.LZMAError, zlib.error) as error:
        raise InputError(f"tensor {name}: its {codec} stream is damaged ({error}).") from None
    if len(data) != size or not decoder.eof or decoder.unused_data:
        raise InputError(
            f"tensor {name}: its {codec} stream does not give exactly the {size} bytes that are announced."
        )
    return data


def _lzma(data: bytes, lc: int, lp: int, pb: int) -> bytes:
    dictionary = min(max(4096, 1 << (len(data) - 1).bit_length()), 8 << 20)
    settings = {"preset": 9 | lzma.PRESET_EXTREME, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary}
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, **settings}])
