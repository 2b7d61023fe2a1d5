"""Damage that decoders pass over: what libjpeg only warns of, and data that ends in zeros."""

import mmap
import re
import warnings

from edgepatho_runtime.errors import ImageError

TAIL_BYTES = 4096  # a page of a file system: as much is claimed at once for a file that is being written
SECTOR_BYTES = 512
SECTORS = re.compile(rb"\0{512,}")
ZERO_RUN = bytes(256)  # no LZW, deflate or PackBits data holds as many zeros
STILL_WRITTEN = "its pixels end in zeros, as those of a file that is cut or still being written"

# libjpeg's words -> ours.
REASONS = {
    "bad Huffman code": "a code that does not exist",
    "bad arithmetic code": "a code that does not exist",
    "premature end of data": "pixels that end early",
    "Premature end of JPEG file": "an early end",
    "extraneous bytes": "bytes that belong to nothing",
    "instead of RST": "a restart marker that is missing",
    "progression": "scans that contradict each other",
    "JPEG datastream contains no image": "no pixels",
}

SOS = 0xDA  # marker of a scan
SCAN, END = b"\xff\xda", b"\xff\xd9"
DHT = 0xC4  # marker of Huffman tables
AC_TABLE_0 = 0x10
END_OF_BLOCK = 0
IGNORED = {*range(0xE0, 0xF0), 0xFE}  # application segments and comments


def check_raw(data: bytes | mmap.mmap, start: int, end: int) -> None:
    """Raise ImageError if pixels without a checksum, at `start` to `end` of a file, lost what was there.

    Zeros at their end are preallocated room, or lost pages. Zeros that begin and end with a disk's sector
    are one that was lost: what is black in a picture has no reason to.
    """
    if end - start >= TAIL_BYTES and not any(data[end - TAIL_BYTES : end]):
        raise ImageError(f"{STILL_WRITTEN}; if its lower edge is black, save it as PNG")
    first = data.find(bytes(SECTOR_BYTES), start, end)
    for run in SECTORS.finditer(data, first, end) if first >= 0 else ():
        if run.start() % SECTOR_BYTES == run.end() % SECTOR_BYTES == 0:
            raise ImageError(
                "zeros stand where pixels were, a sector's worth; copy it again, or save it as PNG"
            )


def check_jpeg(data: bytes | mmap.mmap, tables: bytes = b"") -> str:
    """Return a note on a JPEG's harmless oddities; ImageError if libjpeg reports anything in its scans.

    `tables` are a JPEG of tables alone, as TIFF keeps them (its JPEGTables). libjpeg decodes the
    coefficients of every block, but transforms them at an eighth of the size.
    """
    import simplejpeg

    header, scans_at, note = _essential(data, tables)
    strict = header + data[scans_at:]
    end = strict.find(END)  # where it is not in a scan, only behind it
    single = strict.find(SCAN, len(header) + 2, end) < 0
    if single and _zeros_have_meaning(header) and strict.find(ZERO_RUN, 0, end) >= 0:
        raise ImageError("it is a damaged JPEG: zeros stand where its pixels were")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            simplejpeg.decode_jpeg(strict, colorspace="GRAY", min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        found = next((ours for theirs, ours in REASONS.items() if theirs in str(error)), None)
        raise ImageError("it is a damaged JPEG" + (f": it holds {found}" if found else "")) from None
    return note


def _zeros_have_meaning(header: bytes) -> bool:
    """Return whether zero bits would code coefficients in each block of brightness.

    They do unless the first code of AC table 0 ends a block; then a run of them is a flat part of the
    picture. Only for a JPEG of one scan, where all blocks of a place stand together.
    """
    symbol = END_OF_BLOCK
    at = 2
    while at + 4 <= len(header):
        end = at + 2 + int.from_bytes(header[at + 2 : at + 4], "big")
        table = at + 4
        # Class and number of a table, 16 counts of codes, symbols in order of their codes; the next table.
        while header[at + 1] == DHT and table + 17 < min(end, len(header)):
            if header[table] == AC_TABLE_0:
                symbol = header[table + 17]
            table += 17 + sum(header[table + 1 : table + 17])
        at = end
    return symbol != END_OF_BLOCK


def _essential(data: bytes | mmap.mmap, tables: bytes) -> tuple[bytes, int, str]:
    """Return what decoding needs of a JPEG's header, where its first scan begins, and a note.

    Phones and cameras write application segments that libjpeg warns of, and bytes between segments; none
    of these carries pixels.
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
        if kind not in IGNORED:
            needed += data[marker:at]
    raise ImageError("it is a damaged JPEG: it holds no pixels")
