"""Damage that decoders ignore: what libjpeg only warns of, and data replaced by zeros."""

import mmap
import re
import warnings
from itertools import product

from edgepatho_runtime.errors import ImageError

TAIL_BYTES = 4096  # a file system's page, the least that it allocates for a file being written
SECTOR_BYTES = 512
SECTORS = re.compile(rb"\0{512,}")
ZERO_RUN = bytes(256)  # more zeros than valid LZW, deflate or PackBits data holds
STILL_WRITTEN = "its pixels end in zeros, like those of a truncated file or one still being written"

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

SOS = 0xDA  # marker of a scan
SCAN, END = b"\xff\xda", b"\xff\xd9"
DHT = 0xC4  # marker of Huffman tables
FRAMES = {*range(0xC0, 0xD0)} - {DHT, 0xC8, 0xCC}  # markers of the frame's header
PROGRESSIVE = b"\xc2"  # marker of a progressive frame
AC_TABLE_0 = 0x10
END_OF_BLOCK = 0
IGNORED = {*range(0xE0, 0xF0), 0xFE}  # application segments and comments


def check_raw(data: bytes | mmap.mmap, start: int, end: int) -> None:
    """Raise ImageError if pixels without a checksum, at `start` to `end` of a file, were lost.

    Zeros at their end are preallocated space or lost pages. Zeros that begin and end with a disk's sector
    are a lost sector: black parts of a picture have no reason to.
    """
    if end - start >= TAIL_BYTES and not any(data[end - TAIL_BYTES : end]):
        raise ImageError(f"{STILL_WRITTEN}; if its lower edge is black, save it as PNG")
    first = data.find(bytes(SECTOR_BYTES), start, end)
    for run in SECTORS.finditer(data, first, end) if first >= 0 else ():
        if run.start() % SECTOR_BYTES == run.end() % SECTOR_BYTES == 0:
            raise ImageError("a whole disk sector of its pixels is zeros; copy it again, or save it as PNG")


def check_jpeg(data: bytes | mmap.mmap, tables: bytes = b"") -> str:
    """Return a note on a JPEG's harmless oddities, or raise ImageError if libjpeg reports damage.

    `tables` is a tables-only JPEG, as in TIFF's JPEGTables. libjpeg decodes the coefficients of every block
    but transforms them at an eighth of the size.
    """
    import simplejpeg

    header, scans_at, note = essential(data, tables)
    strict = header + data[scans_at:]
    end = strict.find(END)  # cannot occur inside a scan
    single = strict.find(SCAN, len(header) + 2, end) < 0
    if single and _zeros_have_meaning(header) and strict.find(ZERO_RUN, 0, end) >= 0:
        raise ImageError("it is a damaged JPEG: part of its data is zeros")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            simplejpeg.decode_jpeg(strict, colorspace="GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        reason = next((ours for theirs, ours in REASONS.items() if theirs in str(error)), None)
        raise ImageError("it is a damaged JPEG" + (f": {reason}" if reason else "")) from None
    if _lacks_scans(header, strict[len(header) : end]):
        raise ImageError("it is a damaged JPEG: scans are missing")
    return note


def _lacks_scans(header: bytes, scans: bytes) -> bool:
    """Return whether a progressive JPEG lacks coefficients, in whose place decoders put a guess.

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
    """Return whether zero bits would code coefficients in every luminance block.

    They do unless the first code of AC table 0 ends a block; then a run of zeros is a flat part of the
    picture. Holds only for a JPEG of one scan, in which the blocks are interleaved.
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


def essential(data: bytes | mmap.mmap, tables: bytes = b"") -> tuple[bytes, int, str]:
    """Return the parts of a JPEG's header that decoding needs, where its first scan begins, and a note.

    ImageError if it has no scan, or more than 8 bits per channel.

    Phones and cameras write application segments that libjpeg warns of, and bytes between segments; neither
    carries pixels.
    """
    needed = b"\xff\xd8" + (tables[2:-2] if tables else b"")
    at = 2
    stray = False
    while at + 4 <= len(data):
        marker = data.find(b"\xff", at)
        while marker >= 0 and data[marker + 1 : marker + 2] in (b"\0", b"\xff"):
            marker = data.find(b"\xff", marker + 1)
        if marker < 0:
            break
        stray = stray or data[at:marker].strip(b"\xff") != b""
        kind = data[marker + 1]
        if kind == SOS:
            return needed, marker, "stray bytes in its header" if stray else ""
        at = marker + 2 + int.from_bytes(data[marker + 2 : marker + 4], "big")
        if kind in FRAMES and data[marker + 4 : marker + 5] > b"\x08":
            raise ImageError(
                f"it has {data[marker + 4]} bits per channel; scale it yourself and save it with 8 bits"
            )
        if kind not in IGNORED:
            needed += data[marker:at]
    raise ImageError("it is a damaged JPEG: it has no pixels")
