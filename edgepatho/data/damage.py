"""Damage that Pillow passes over: what libjpeg only warns of, unread checksums, data replaced by zeros.

The rules and sentences are those of `edgepatho-run score`; a test gives both sides the same damaged files.
"""

from __future__ import annotations

import re
import warnings
import zlib
from itertools import product
from typing import TYPE_CHECKING, Any

from edgepatho.errors import InputError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

TAIL_BYTES = 4096  # a file system's page, the least that it allocates for a file being written
SECTOR_BYTES = 512
SECTORS = re.compile(rb"\0{512,}")
ZERO_RUN = bytes(256)  # more zeros than valid LZW, deflate or PackBits data holds
PNG_SIGNATURE_BYTES = 8
# TIFF tags, and values of COMPRESSION.
WIDTH, HEIGHT, COMPRESSION, STRIPS, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES = 256, 257, 259, 273, 277, 278, 279
PLANAR, TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, JPEG_TABLES = 284, 322, 323, 324, 325, 347
SEPARATE = 2  # PLANAR's value for one plane per channel
UNCOMPRESSED, JPEG, DEFLATES = 1, 7, (8, 32946)
# Markers of JPEG (ITU-T T.81): a scan, Huffman tables, and segments without pixels.
SOS, DHT, IGNORED = 0xDA, 0xC4, {*range(0xE0, 0xF0), 0xFE}
PROGRESSIVE = b"\xc2"  # marker of a progressive frame
AC_TABLE_0, END_OF_BLOCK = 0x10, 0

# Part of libjpeg's message -> the end of ours.
REASONS = {
    "bad Huffman code": "invalid Huffman code",
    "bad arithmetic code": "invalid arithmetic code",
    "premature end of data": "its pixels end early",
    "Premature end of JPEG file": "it ends early",
    "extraneous bytes": "unexpected bytes in a scan",
    "instead of RST": "a restart marker is missing",
    "progression": "its scans contradict each other",
    "JPEG datastream contains no image": "it has no pixels",
}


def check(picture: ImageFile, data: bytes) -> None:
    """Raise InputError, the end of a sentence, if `data`, opened by Pillow as `picture`, is damaged."""
    if picture.format == "TIFF":
        _check_tiff(dict(picture.tag_v2), data)  # type: ignore[attr-defined]
    elif picture.format == "PNG":
        _check_png(data)
    else:  # also "MPO", a JPEG followed by others
        _check_jpeg(data)


def _check_jpeg(data: bytes, tables: bytes = b"") -> None:
    """`tables` is a tables-only JPEG, as in TIFF's JPEGTables.

    libjpeg decodes the coefficients of every block but transforms them at an eighth of the size.
    """
    import simplejpeg

    header, scans = _essential(data, tables)
    end = scans.find(b"\xff\xd9")  # cannot occur inside a scan
    single = scans.find(b"\xff\xda", 2, end) < 0
    if single and _zeros_have_meaning(header) and scans.find(ZERO_RUN, 0, end) >= 0:
        raise InputError("it is a damaged JPEG: part of its data is zeros")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            simplejpeg.decode_jpeg(header + scans, colorspace="GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        reason = next((ours for theirs, ours in REASONS.items() if theirs in str(error)), None)
        raise InputError("it is a damaged JPEG" + (f": {reason}" if reason else "")) from None
    if _lacks_scans(header, scans[:end]):
        raise InputError("it is a damaged JPEG: scans are missing")


def _essential(data: bytes, tables: bytes) -> tuple[bytes, bytes]:
    """The parts of a JPEG's header that decoding needs, and its scans.

    Cameras write application segments that libjpeg warns of, and bytes between segments; neither has pixels.
    """
    needed = b"\xff\xd8" + tables[2:-2]
    at = 2
    while marker := re.compile(rb"\xff[^\0\xff]").search(data, at):
        at, kind = marker.start(), data[marker.start() + 1]
        if kind == SOS:
            return needed, data[at:]
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if kind not in IGNORED:
            needed += data[at:end]
        at = end
    raise InputError("it is a damaged JPEG: it has no pixels")


def _lacks_scans(header: bytes, scans: bytes) -> bool:
    """Whether a progressive JPEG lacks coefficients, in whose place decoders put a guess.

    A scan names its components, a band of their coefficients and the lowest bit it holds (T.81, G.1.1).
    """
    at = 2
    while header[at + 1 : at + 2] not in (PROGRESSIVE, b""):
        at += 2 + int.from_bytes(header[at + 2 : at + 4], "big")
    if not header[at:]:
        return False
    components = header[at + 10 : at + 10 + 3 * header[at + 9] : 3]
    lowest_bits = dict.fromkeys(product(components, range(64)), None)
    for scan in re.finditer(rb"\xff\xda..(.)", scans, re.DOTALL):
        band = scan.end() + 2 * scan[1][0]
        first, last, bits = scans[band : band + 3]
        names = scans[scan.end() : band : 2]
        lowest_bits.update(dict.fromkeys(product(names, range(first, last + 1)), bits & 15))
    return any(lowest_bits.values()) or None in lowest_bits.values()


def _zeros_have_meaning(header: bytes) -> bool:
    """Whether zero bits would code coefficients in every luminance block of a JPEG of one scan.

    They do unless the first code of AC table 0 ends a block; then a run of zeros is a flat part.
    """
    symbol = END_OF_BLOCK
    at = 2
    while at + 4 <= len(header):
        end = at + 2 + int.from_bytes(header[at + 2 : at + 4], "big")
        table = at + 4
        # Each table: class and number, 16 counts of codes, symbols in code order.
        while header[at + 1] == DHT and table + 17 < min(end, len(header)):
            if header[table] == AC_TABLE_0:
                symbol = header[table + 17]
            table += 17 + sum(header[table + 1 : table + 17])
        at = end
    return symbol != END_OF_BLOCK


def _check_png(data: bytes) -> None:
    at, kind = PNG_SIGNATURE_BYTES, b""
    while kind != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        body, kind = data[at + 4 : at + 8 + length], data[at + 4 : at + 8]
        if at + 12 + length > len(data):
            raise InputError("it ends early")
        if zlib.crc32(body) != int.from_bytes(data[at + 8 + length : at + 12 + length], "big"):
            raise InputError(f"its chunk {kind.decode('latin-1')!r} is damaged")
        at += 12 + length


def _check_tiff(tags: dict[int, Any], data: bytes) -> None:
    compression = tags.get(COMPRESSION, UNCOMPRESSED)
    starts = tags.get(TILES) or tags.get(STRIPS, ())
    lengths = tags.get(TILE_BYTES) or tags.get(STRIP_BYTES, ())
    if not starts or len(starts) != len(lengths):
        raise InputError("it is a damaged TIFF: its tags do not locate the pixels")
    if len(starts) < _parts(tags) or not all(lengths):
        raise InputError("it is a damaged TIFF: part of its pixels is missing")
    for start, length in zip(starts, lengths, strict=True):
        part = data[start : start + length]
        if len(part) < length:
            raise InputError("it is a damaged TIFF: it ends early")
        if compression == JPEG:
            _check_jpeg(part, bytes(tags.get(JPEG_TABLES, b"")))
        elif compression != UNCOMPRESSED and ZERO_RUN in part:
            raise InputError("it is a damaged TIFF: part of its data is zeros")
        elif compression in DEFLATES:
            _check_deflate(part)
    if compression == UNCOMPRESSED and TILES not in tags:  # edge tiles are padded with zeros
        _check_raw(
            data, min(starts), max(start + length for start, length in zip(starts, lengths, strict=True))
        )


def _parts(tags: dict[int, Any]) -> int:
    """How many strips or tiles the picture has."""
    height, width = tags[HEIGHT], tags[WIDTH]
    down, across = (
        (tags[TILE_HEIGHT], tags[TILE_WIDTH]) if TILES in tags else (tags.get(ROWS_PER_STRIP, height), width)
    )
    planes = tags.get(SAMPLES, 1) if tags.get(PLANAR) == SEPARATE else 1
    return int(-(-height // max(1, down)) * -(-width // max(1, across)) * planes)


def _check_raw(data: bytes, start: int, end: int) -> None:
    if end - start >= TAIL_BYTES and not any(data[end - TAIL_BYTES : end]):
        raise InputError(
            "its pixels end in zeros, like those of a truncated file or one still being written; if its "
            "lower edge is black, save it as PNG"
        )
    for run in SECTORS.finditer(data, start, end):
        if run.start() % SECTOR_BYTES == run.end() % SECTOR_BYTES == 0:
            raise InputError("a whole disk sector of its pixels is zeros; copy it again, or save it as PNG")


def _check_deflate(data: bytes) -> None:
    decoder = zlib.decompressobj()
    try:
        decoder.decompress(data)
    except zlib.error:
        raise InputError("it is a damaged TIFF: its pixels do not match their checksum") from None
    if not decoder.eof:
        raise InputError("it is a damaged TIFF: its pixels end early")
