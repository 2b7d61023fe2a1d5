"""PNG (ISO/IEC 15948) read into RGB and written from it, with zlib alone.

Read: 8 bits per channel or fewer, not interlaced; alpha is composited on white. Colour profiles, gamma and
orientation are not applied.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from edgepatho_runtime import _vision
from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image.memory import Limits
from edgepatho_runtime.image.picture import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
TRANSPARENT = "it is entirely transparent; flatten it onto a background and save it again"
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGB_ALPHA: 4}
WRITE_BYTES = 1 << 20  # of compressed pixels per chunk
LEVEL = 3  # of zlib when writing: time matters more than size on a Pi


class SupportsWrite(Protocol):
    """A binary file, or anything with its `write`."""

    def write(self, data: Any, /) -> Any:
        """Write all of `data`."""


def read(file: BinaryIO, size: int, limits: Limits) -> Image:
    """Return the picture, or raise ImageError.

    `file` is positioned after the signature and has `size` bytes in all. Nothing is decoded unless the
    header's size is within `limits`.
    """
    chunks = _chunks(file, size - len(SIGNATURE))
    kind, header = next(chunks, (b"", b""))
    if kind != b"IHDR" or len(header) != 13:
        raise ImageError("its first chunk is not a PNG header")
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    if colour not in CHANNELS or compression or filtering or interlace > 1:
        raise ImageError("its header is not that of any kind of PNG")
    if depth == 16:
        raise ImageError("it has 16 bits per channel; scale it yourself and save it with 8 bits")
    if depth not in ((1, 2, 4, 8) if colour in (GREY, PALETTE) else (8,)):
        raise ImageError(f"it has {depth} bits per channel, which PNG does not allow for its colour type")
    if interlace:
        raise ImageError("it is interlaced; save it without interlacing")

    limits.check(height, width, depth * CHANNELS[colour] / 8 + 3)
    row_bytes = (width * depth * CHANNELS[colour] + 7) // 8
    rows, palette, transparent = _scanlines(chunks, height * (1 + row_bytes))
    if not _vision.png_unfilter(rows, height, row_bytes, max(1, depth * CHANNELS[colour] // 8)):
        raise ImageError("a row has an invalid filter type")
    if colour in (GREY, PALETTE):
        table = _colours(palette, transparent) if colour == PALETTE else _greys(depth, transparent)
        rgb = _vision.rgb_from_indices(rows, height, width, depth, table)
        if rgb is None:
            raise ImageError("a pixel has a colour beyond the palette")
    else:
        if transparent:
            raise ImageError(
                "one of its colours is transparent; save it with an alpha channel or without transparency"
            )
        if colour in (GREY_ALPHA, RGB_ALPHA) and _is_transparent(rows, height, row_bytes, CHANNELS[colour]):
            raise ImageError(TRANSPARENT)
        rgb = _vision.rgb_from_pixels(rows, height, width, CHANNELS[colour])
    kinds = {GREY: "grey", PALETTE: "palette", GREY_ALPHA: "grey and alpha", RGB_ALPHA: "alpha"}
    return Image(height, width, rgb, kinds.get(colour, ""))


def write(file: SupportsWrite, image: Image, comment: str = "") -> None:
    """Write a picture as an unfiltered PNG, band by band; `comment` becomes its Comment text."""
    file.write(SIGNATURE)
    _write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", image.width, image.height, 8, RGB, 0, 0, 0))
    if comment:
        _write_chunk(file, b"iTXt", b"Comment\0\0\0\0\0" + comment.encode())
    encoder = zlib.compressobj(LEVEL)
    data = bytearray()
    for _, band in image.bands():
        pixels = memoryview(band)
        for at in range(0, len(pixels), 3 * image.width):
            data += encoder.compress(b"\0") + encoder.compress(pixels[at : at + 3 * image.width])
        if len(data) > WRITE_BYTES:
            _write_chunk(file, b"IDAT", data)
            data = bytearray()
    _write_chunk(file, b"IDAT", data + encoder.flush())
    _write_chunk(file, b"IEND", b"")


def _write_chunk(file: SupportsWrite, kind: bytes, body: bytes | bytearray) -> None:
    file.write(struct.pack(">I", len(body)) + kind)
    file.write(body)
    file.write(struct.pack(">I", zlib.crc32(body, zlib.crc32(kind))))


def _is_transparent(rows: bytearray, height: int, row_bytes: int, channels: int) -> bool:
    """Return whether every pixel of unfiltered scanlines, alpha last, is fully transparent."""
    starts = range(0, height * (1 + row_bytes), 1 + row_bytes)
    return not any(any(rows[at + channels : at + 1 + row_bytes : channels]) for at in starts)


def _chunks(file: BinaryIO, left: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk up to IEND; ImageError for a bad length or checksum."""
    kind = b""
    while kind != b"IEND":
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        left -= 12 + length
        if len(head) < 8 or left < 0:
            raise ImageError("it ends early")
        kind, body = head[4:], file.read(length)
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(file.read(4), "big"):
            raise ImageError(f"its chunk {kind.decode('latin-1')!r} is damaged")
        yield kind, body


def _scanlines(chunks: Iterator[tuple[bytes, bytes]], size: int) -> tuple[bytearray, bytes, bytes]:
    """Return the `size` bytes of all scanlines, still filtered, the palette and the transparent colours."""
    rows, filled = bytearray(size), 0
    palette = transparent = b""
    decoder = zlib.decompressobj()
    for kind, body in chunks:
        if kind == b"IDAT":
            try:
                part = decoder.decompress(body, size - filled + 1)
            except zlib.error:
                raise ImageError("its pixels are damaged") from None
            if decoder.unconsumed_tail or filled + len(part) > size:
                raise ImageError("it holds more pixels than its header states")
            rows[filled : filled + len(part)] = part
            filled += len(part)
        elif kind == b"PLTE":
            palette = body
        elif kind == b"tRNS":
            transparent = body
        elif kind[0] & 0x20 == 0 and kind != b"IEND":
            raise ImageError(f"its critical chunk {kind.decode('latin-1')!r} is unknown")
    if filled < size or not decoder.eof:
        raise ImageError("it holds fewer pixels than its header states")
    return rows, palette, transparent


def _greys(depth: int, transparent: bytes) -> bytes:
    """Return the colours uint8 [levels][3] of a grey image; a transparent level is white."""
    white = (1 << depth) - 1
    levels = [255 * level // white for level in range(white + 1)]
    if len(transparent) == 2 and (level := int.from_bytes(transparent, "big")) <= white:
        levels[level] = 255
    return bytes(level for level in levels for _ in range(3))


def _colours(palette: bytes, transparent: bytes) -> bytes:
    """Return the colours uint8 [colours][3] of a palette, composited on white."""
    if not 0 < len(palette) <= 3 * 256 or len(palette) % 3 or len(transparent) > len(palette) // 3:
        raise ImageError("its palette is missing or has an invalid size")
    if transparent and not any(transparent) and len(transparent) == len(palette) // 3:
        raise ImageError(TRANSPARENT)
    alphas = transparent + b"\xff" * (len(palette) // 3 - len(transparent))
    return bytes(
        (value * alpha + 255 * (255 - alpha) + 127) // 255
        for colour, alpha in enumerate(alphas)
        for value in palette[3 * colour : 3 * colour + 3]
    )
