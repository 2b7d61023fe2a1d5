"""PPM (P6) and PGM (P5), 8 bits per channel."""

import mmap
import re
from typing import BinaryIO

from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import damage
from edgepatho_runtime.image.memory import Limits
from edgepatho_runtime.image.picture import Image


def read(file: BinaryIO, size: int, limits: Limits) -> Image:
    """Return the picture in `file`, which has `size` bytes, or raise ImageError."""
    file.seek(0)
    start = file.read(1024)
    space = rb"(?:\s|#[^\n]*\n)+"
    header = re.match(rb"P([56])%b(\d{1,7})%b(\d{1,7})%b(\d{1,5})\s" % (space, space, space), start)
    if header is None:
        raise ImageError("its header is not that of a PPM or PGM")
    channels = 3 if header[1] == b"6" else 1
    width, height, largest = int(header[2]), int(header[3]), int(header[4])
    limits.check(height, width, 3 if channels == 3 else 4)
    if largest != 255:
        raise ImageError(f"its largest value is {largest}; save it with 8 bits per channel, up to 255")
    expected = height * width * channels
    if size - header.end() < expected:
        raise ImageError("it ends early")
    file.seek(header.end())
    pixels = file.read(expected)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        damage.check_raw(data, header.end(), header.end() + expected)
    note = "first of several pages" if size > header.end() + expected else ""
    if channels == 3:
        return Image(height, width, pixels, note)
    rgb = bytearray(3 * expected)
    rgb[0::3] = rgb[1::3] = rgb[2::3] = pixels
    return Image(height, width, rgb, note or "grey")
