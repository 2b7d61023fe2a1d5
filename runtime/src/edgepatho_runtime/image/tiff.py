"""TIFF (revision 6.0, and BigTIFF): its tags, and checks that decoders skip.

The pixels are decoded by Pillow. TIFF has no checksum; what can be verified is: deflate by its own
checksum, JPEG by a strict decoder, everything by runs of zeros that valid data does not have.
"""

import mmap
import re
import struct
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import damage

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION = 256, 257, 258, 259, 262, 270
STRIPS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, PLANAR = 273, 274, 277, 278, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES = 322, 323, 324, 325
EXTRA_SAMPLES, SAMPLE_FORMAT, JPEG_TABLES = 338, 339, 347
SEPARATE = 2  # PLANAR's value for one plane per channel
WANTED = frozenset(
    (WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, DESCRIPTION, STRIPS, ORIENTATION, SAMPLES, ROWS_PER_STRIP)
) | {
    STRIP_BYTES,
    PLANAR,
    TILE_WIDTH,
    TILE_HEIGHT,
    TILES,
    TILE_BYTES,
    EXTRA_SAMPLES,
    SAMPLE_FORMAT,
    JPEG_TABLES,
}
FIELDS = {1: "B", 2: "B", 3: "H", 4: "I", 7: "B", 16: "Q"}  # tag type -> struct format
MAX_PAGES = 1000
MAX_VALUES = 1 << 22
GREYS = (0, 1)  # PhotometricInterpretation
UNCOMPRESSED, JPEG, DEFLATES = 1, 7, (8, 32946)
SAVE_AS_RGB = "save it as one RGB picture (in ImageJ: Image > Type > RGB Color)"

Tags = dict[int, tuple[int, ...]]


@dataclass(frozen=True)
class Tiff:
    """The tags of a TIFF's first page and how many pages there are."""

    tags: Tags
    pages: int

    def first(self, tag: int, default: int = 0) -> int:
        """Return a tag's first value."""
        return (self.tags.get(tag) or (default,))[0]


def check(file: BinaryIO, size: int) -> Tiff:
    """Return a TIFF's tags, or raise ImageError if it is ambiguous or damaged."""
    try:
        tiff = _tags(file, size)
    except struct.error:
        raise ImageError("it is a damaged TIFF: its tags lie beyond its end") from None
    _check_kind(tiff)
    _check_data(file, size, tiff)
    return tiff


def _check_kind(tiff: Tiff) -> None:
    if tiff.first(SAMPLE_FORMAT, 1) == 3:
        raise ImageError("it is a TIFF of floating-point values; save it with 8 bits per channel")
    bits = max(tiff.tags.get(BITS, (1,)))
    if bits > 8:
        raise ImageError(f"it has {bits} bits per channel; scale it yourself and save it with 8 bits")
    samples, grey = tiff.first(SAMPLES, 1), tiff.first(PHOTOMETRIC, 1) in GREYS
    description = bytes(tiff.tags.get(DESCRIPTION, ())).decode("latin-1")
    declared = re.search(r"^ImageJ=[\s\S]*^channels=(\d+)", description, re.M) or re.search(
        r'<Pixels\b[^>]*\bSizeC="(\d+)"', description
    )
    channels = int(declared[1]) if declared and len(declared[1]) < 5 else 1
    if samples == 1 and channels > 1:
        raise ImageError(f"its {channels} colour channels are stored as grey planes; {SAVE_AS_RGB}")
    if grey and (samples > 2 or samples - len(tiff.tags.get(EXTRA_SAMPLES, ())) > 1):
        raise ImageError(f"its {samples} channels are not declared as red, green and blue; {SAVE_AS_RGB}")
    if grey and tiff.pages > 1:
        raise ImageError(
            f"its {tiff.pages} grey pages may be channels or a stack; {SAVE_AS_RGB}, or one page"
        )


def _check_data(file: BinaryIO, size: int, tiff: Tiff) -> None:
    """Raise ImageError if a strip or tile lies outside the file or is damaged."""
    tags, compression = tiff.tags, tiff.first(COMPRESSION, 1)
    starts = tags.get(TILES) or tags.get(STRIPS, ())
    lengths = tags.get(TILE_BYTES) or tags.get(STRIP_BYTES, ())
    if not starts or len(starts) != len(lengths):
        raise ImageError("it is a damaged TIFF: its tags do not locate the pixels")
    if len(starts) < _parts(tiff) or not all(lengths):
        raise ImageError("it is a damaged TIFF: part of its pixels is missing")
    tables = bytes(tags.get(JPEG_TABLES, ()))
    for start, length in zip(starts, lengths, strict=True):
        if start + length > size:
            raise ImageError("it is a damaged TIFF: it ends early")
        if compression == UNCOMPRESSED:
            continue
        file.seek(start)
        data = file.read(length)
        if compression == JPEG:
            damage.check_jpeg(data, tables)
        elif damage.ZERO_RUN in data:
            raise ImageError("it is a damaged TIFF: part of its data is zeros")
        elif compression in DEFLATES:
            _check_deflate(data)
    if compression == UNCOMPRESSED and TILES not in tags:  # edge tiles are padded with zeros
        last = max(start + length for start, length in zip(starts, lengths, strict=True))
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as everything:
            damage.check_raw(everything, min(starts), last)


def _parts(tiff: Tiff) -> int:
    """Return how many strips or tiles the picture has."""
    height, width = tiff.first(HEIGHT), tiff.first(WIDTH)
    if TILES in tiff.tags:
        down, across = tiff.first(TILE_HEIGHT), tiff.first(TILE_WIDTH)
    else:
        down, across = tiff.first(ROWS_PER_STRIP, height), width
    planes = tiff.first(SAMPLES, 1) if tiff.first(PLANAR, 1) == SEPARATE else 1
    return -(-height // max(1, down)) * -(-width // max(1, across)) * planes


def _check_deflate(data: bytes) -> None:
    decoder = zlib.decompressobj()
    try:
        while data and not decoder.eof:
            decoder.decompress(data, 1 << 20)
            data = decoder.unconsumed_tail
    except zlib.error:
        raise ImageError("it is a damaged TIFF: its pixels do not match their checksum") from None
    if not decoder.eof:
        raise ImageError("it is a damaged TIFF: its pixels end early")


def _tags(file: BinaryIO, size: int) -> Tiff:
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    count, entry, word = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    (at,) = struct.unpack_from(order + word, head, 8 if big else 4)
    pages: list[Tags] = []
    seen: set[int] = set()
    while at and at not in seen and len(seen) < MAX_PAGES:
        seen.add(at)
        (entries,) = _unpacked(file, at, order + count)
        at += struct.calcsize(order + count)
        each = struct.calcsize(order + entry)
        if entries * each > size:
            raise ImageError("it is a damaged TIFF: its tags lie beyond its end")
        if not pages:
            pages.append(_page(file, at, entries, order, entry, word))
        (at,) = _unpacked(file, at + entries * each, order + word)
    if not pages:
        raise ImageError("it is a damaged TIFF: it has no pages")
    return Tiff(pages[0], len(seen))


def _page(file: BinaryIO, at: int, entries: int, order: str, entry: str, word: str) -> Tags:
    tags: Tags = {}
    each = struct.calcsize(order + entry)
    for number in range(entries):
        tag, kind, values, inline = _unpacked(file, at + number * each, order + entry)
        if tag not in WANTED or kind not in FIELDS or values > MAX_VALUES:
            continue
        form = f"{order}{values}{FIELDS[kind]}"
        if struct.calcsize(form) <= len(inline):
            tags[tag] = struct.unpack_from(form, inline)
        else:
            tags[tag] = _unpacked(file, struct.unpack(order + word, inline)[0], form)
    return tags


def _unpacked(file: BinaryIO, at: int, form: str) -> tuple[Any, ...]:
    file.seek(at)
    return struct.unpack(form, file.read(struct.calcsize(form)))
