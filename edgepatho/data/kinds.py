"""Kinds of pictures that are not read, by their first bytes and their tags.

The rules and sentences are those of `edgepatho-run score`; a test gives both sides the same files.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from edgepatho.errors import InputError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# (offset, bytes there) -> what the file is.
FOREIGN = {
    (0, b"\x00\x00\x00\x0cjP  "): "a JPEG 2000",
    (0, b"\xff\x4f\xff\x51"): "a JPEG 2000",
    (0, b"\x00\x00\x00\x0cJXL "): "a JPEG XL",
    (0, b"\xff\x0a"): "a JPEG XL",
    (8, b"WEBP"): "a WebP",
    (4, b"ftypavif"): "an AVIF",
    (4, b"ftyphei"): "a HEIC",
    (4, b"ftypmif1"): "a HEIC",
    (0, b"GIF8"): "a GIF",
    (0, b"BM"): "a BMP",
    (0, b"ZISRAWFILE"): "a Zeiss CZI",
    (0, b"%PDF"): "a PDF",
}
APPLE_DOUBLE = b"\x00\x05\x16\x07"
READ = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG"} | dict.fromkeys(
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "TIFF",  # the last two are BigTIFF
)
PNG_DEPTH, PNG_INTERLACE = 24, 28  # where a PNG's header has them
BITS, PHOTOMETRIC, DESCRIPTION, SAMPLES, EXTRA_SAMPLES, SAMPLE_FORMAT = 258, 262, 270, 277, 338, 339
GREYS = (0, 1)  # values of PHOTOMETRIC
MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "RGBA", "RGBa", "LA", "La", "PA")
DEEP = "it has {} bits per channel; scale it yourself and save it with 8 bits"
SAVE_AS_RGB = "save it as one RGB picture (in ImageJ: Image > Type > RGB Color)"


def unreadable(data: bytes) -> str:
    """Return what a file is that Pillow cannot open or decode, and what to do."""
    if not data.strip(b"\0"):
        return "it is empty" if not data else "it begins with zeros, like a file still being written"
    if data.startswith(APPLE_DOUBLE):
        return "it is an AppleDouble file, which macOS leaves beside a picture and which holds none"
    for (at, start), name in FOREIGN.items():
        if data[at:].startswith(start):
            return (
                f"it is {name}, which is not supported; open it in the program that made it and save it as "
                "PNG or TIFF, 8 bits per channel"
            )
    kind = next((name for start, name in READ.items() if data.startswith(start)), None)
    return (
        f"it is a damaged {kind}, or one that Pillow cannot decode"
        if kind
        else "it is not a JPEG, PNG or TIFF"
    )


def check(picture: ImageFile, data: bytes) -> None:
    """Raise InputError, the end of a sentence, for a picture that could be read in more ways than one."""
    if picture.format == "PNG":
        if data[PNG_DEPTH] == 16:
            raise InputError(DEEP.format(16))
        if data[PNG_INTERLACE]:
            raise InputError("it is interlaced; save it without interlacing")
    if picture.format == "TIFF":
        _check_tiff(dict(picture.tag_v2), getattr(picture, "n_frames", 1))  # type: ignore[attr-defined]
    if picture.mode not in MODES:
        raise InputError(f"its colours are {picture.mode}; save it as RGB, 8 bits per channel")


def _check_tiff(tags: dict[int, Any], pages: int) -> None:
    if max(_values(tags, SAMPLE_FORMAT, 1)) == 3:
        raise InputError("it is a TIFF of floating-point values; save it with 8 bits per channel")
    bits = max(_values(tags, BITS, 1))
    if bits > 8:
        raise InputError(DEEP.format(bits))
    samples, grey = _values(tags, SAMPLES, 1)[0], _values(tags, PHOTOMETRIC, 1)[0] in GREYS
    declared = re.search(
        r"^ImageJ=[\s\S]*^channels=(\d+)", str(tags.get(DESCRIPTION, "")), re.M
    ) or re.search(r'<Pixels\b[^>]*\bSizeC="(\d+)"', str(tags.get(DESCRIPTION, "")))
    channels = int(declared[1]) if declared and len(declared[1]) < 5 else 1
    if samples == 1 and channels > 1:
        raise InputError(f"its {channels} colour channels are stored as grey planes; {SAVE_AS_RGB}")
    if grey and (samples > 2 or samples - len(_values(tags, EXTRA_SAMPLES)) > 1):
        raise InputError(f"its {samples} channels are not declared as red, green and blue; {SAVE_AS_RGB}")
    if grey and pages > 1:
        raise InputError(f"its {pages} grey pages may be channels or a stack; {SAVE_AS_RGB}, or one page")


def _values(tags: dict[int, Any], tag: int, *default: int) -> tuple[int, ...]:
    """Return a tag's values; Pillow gives a single one without a tuple."""
    value = tags.get(tag, default)
    return value if isinstance(value, tuple) else (value,)
