"""JPEG and TIFF, decoded by Pillow, in the stored frame."""

from __future__ import annotations

import mmap
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO

from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import damage, png, tiff
from edgepatho_runtime.image.memory import Limits
from edgepatho_runtime.image.picture import Image

if TYPE_CHECKING:
    import PIL.Image

ORIENTATION = 274  # of EXIF and TIFF; 1 is upright
# Orientation -> the PIL.Image.Transpose that undoes it.
UNTURN = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
STORED = "stored frame: its orientation {} is not applied"
ALPHA = ("RGBA", "RGBa", "LA", "La", "PA")
MODES = ("1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", *ALPHA)
HELD_BYTES = {"1": 1, "L": 1, "P": 1}  # per pixel, by mode; 4 for all others
NARROW_BYTES = 1  # per pixel, of the picture resized in one direction
NEEDED = (
    "it is a {}, which needs Pillow and simplejpeg (`pip install edgepatho-runtime[images]`, or an "
    "`edgepatho deploy` that carries them); PNG and PPM need nothing"
)


class Decoded(Image):
    """A picture held by Pillow, converted to RGB row by row."""

    def __init__(self, picture: PIL.Image.Image, note: str) -> None:
        super().__init__(picture.height, picture.width, b"", note)
        self._picture = picture

    def rows(self, first: int, end: int) -> bytes:
        """Return RGB uint8 [end - first][width][3] of some rows, composited on white."""
        import PIL.Image

        band = self._picture.crop((0, first, self.width, end))
        if band.mode not in ALPHA:
            return band.convert("RGB").tobytes()
        with_alpha = band.convert("RGBA")
        opaque = PIL.Image.new("RGB", band.size, "white")
        opaque.paste(with_alpha, mask=with_alpha.getchannel("A"))
        return opaque.tobytes()


def read(file: BinaryIO, size: int, name: str, limits: Limits) -> Image:
    """Return the picture in `file`, a JPEG or TIFF of `size` bytes, or raise ImageError."""
    try:
        import PIL.Image
        import simplejpeg  # noqa: F401 - if it is missing, say so here
    except ImportError:
        raise ImageError(NEEDED.format(name)) from None
    PIL.Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before decoding
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; damaged pixels are errors
            return _jpeg(file, limits) if name == "JPEG" else _tiff(file, size, limits)
    except (ImageError, MemoryError):
        raise
    except Exception:  # on hostile files decoders raise anything; their message may hold a path
        raise ImageError(f"it is a damaged {name}, or one that Pillow cannot decode") from None


def _jpeg(file: BinaryIO, limits: Limits) -> Image:
    import PIL.Image

    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        damage.essential(data)  # refuses what Pillow would call damaged
        file.seek(0)
        picture = PIL.Image.open(file, formats=("JPEG",))
        held = HELD_BYTES.get(picture.mode, 4) + NARROW_BYTES
        limits.check(picture.height, picture.width, held + _coefficient_bytes(picture))
        oddity = damage.check_jpeg(data)
    return _decoded(picture, _orientation(picture), [oddity])


def _tiff(file: BinaryIO, size: int, limits: Limits) -> Image:
    import PIL.Image

    header = tiff.check(file, size)
    height, width = header.first(tiff.HEIGHT), header.first(tiff.WIDTH)
    samples = header.first(tiff.SAMPLES, 1)
    strip = min(header.first(tiff.ROWS_PER_STRIP, height), height) / max(1, height)  # share of all rows
    orientation = header.first(tiff.ORIENTATION, 1)
    held = (1 if samples == 1 else 4) * (3 if orientation in UNTURN else 1)
    limits.check(height, width, held + NARROW_BYTES + samples * strip)
    file.seek(0)
    picture: PIL.Image.Image = PIL.Image.open(file, formats=("TIFF",))
    if orientation in UNTURN:  # Pillow always applies a TIFF's orientation
        picture = picture.transpose(PIL.Image.Transpose(UNTURN[orientation]))
    notes = [f"first of {header.pages} pages"] if header.pages > 1 else []
    return _decoded(picture, orientation, notes)


def _decoded(picture: Any, orientation: int, notes: list[str]) -> Image:
    if picture.mode not in MODES:
        raise ImageError(f"its colours are {picture.mode}; save it as RGB, 8 bits per channel")
    picture.load()
    if picture.mode in ALPHA and picture.convert("RGBA").getchannel("A").getextrema()[1] == 0:
        raise ImageError(png.TRANSPARENT)
    if picture.mode != "RGB":
        notes.insert(0, picture.mode)
    if orientation in UNTURN:
        notes.append(STORED.format(orientation))
    return Decoded(picture, ", ".join(note for note in notes if note))


def _orientation(picture: PIL.Image.Image) -> int:
    """Return a JPEG's EXIF orientation, 1 if it has none that is readable."""
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata; the pixels do not depend on it
        return 1
    return value if isinstance(value, int) else 1


def _coefficient_bytes(picture: Any) -> float:
    """Return the bytes of coefficients that libjpeg holds per pixel: of a progressive JPEG all, else few."""
    if "progressive" not in picture.info:
        return 0
    samplings = [(across, down) for _, across, down, _ in picture.layer]
    largest = max(across for across, _ in samplings) * max(down for _, down in samplings)
    return float(sum(2 * across * down / largest for across, down in samplings))
