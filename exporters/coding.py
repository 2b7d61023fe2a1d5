"""Compressed tensors inside a bundle, by the codecs of Python's standard library (docs/bundle-format.md)."""

from __future__ import annotations

import lzma
import zlib

from edgepatho.errors import InputError

MOST_LZMA_MEMORY = 16 << 20  # bytes a decoder may take: a dictionary of 8 MiB and its tables
# (lc, lp, pb) of LZMA by element size: what wins on kernels (neighbours tell nothing about each other,
# but the bytes of one element differ in kind)
LZMA_SETTINGS = {1: (0, 0, 0), 2: (1, 1, 1), 4: (0, 2, 2)}


def smallest(data: bytes, element_bytes: int) -> tuple[str, bytes]:
    """The (codec, stream) of the fewest bytes for `data`; the same bytes for the same input and library."""
    streams = [("zlib", zlib.compress(data, 9)), ("lzma", _lzma(data, *LZMA_SETTINGS[element_bytes]))]
    return min(streams, key=lambda pair: len(pair[1]))


def decode(codec: str, stream: bytes, size: int, name: str) -> bytes:
    """The `size` bytes that `stream` holds; InputError naming the tensor if it holds anything else."""
    try:
        decoder = _decoder(codec)
        data = decoder.decompress(stream, size + 1)
    except (lzma.LZMAError, zlib.error) as error:
        raise InputError(f"tensor {name}: its {codec} stream is damaged ({error}).") from None
    if len(data) != size or not decoder.eof or decoder.unused_data:
        raise InputError(
            f"tensor {name}: its {codec} stream does not give exactly the {size} bytes that are announced."
        )
    return data


def _decoder(codec: str) -> lzma.LZMADecompressor | zlib._Decompress:
    if codec == "zlib":
        return zlib.decompressobj()
    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MOST_LZMA_MEMORY)


def _lzma(data: bytes, lc: int, lp: int, pb: int) -> bytes:
    dictionary = min(max(4096, 1 << (len(data) - 1).bit_length()), 8 << 20)
    settings = {"preset": 9 | lzma.PRESET_EXTREME, "lc": lc, "lp": lp, "pb": pb, "dict_size": dictionary}
    return lzma.compress(data, lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, **settings}])
