"""Pictures from files: PNG and PPM by ourselves, JPEG and TIFF through Pillow where it is installed.

What comes out is RGB, 8 bits a channel, by fixed rules: grey and palette become their colours, alpha is
composited on white, a JPEG's or TIFF's EXIF orientation is applied, other colour spaces are converted by
Pillow, a file of several pages gives its first. More than 8 bits a channel are refused.
"""

import os
import re
import warnings
from pathlib import Path
from typing import Any, BinaryIO

from edgepatho_runtime import _vision, png
from edgepatho_runtime.errors import ImageError

SUFFIXES = (".png", ".ppm", ".pgm", ".jpg", ".jpeg", ".tif", ".tiff")
MAX_PIXELS = 100_000_000
PILLOW_FORMATS = {b"\xff\xd8\xff": "JPEG", b"II*\0": "TIFF", b"MM\0*": "TIFF"}


class Image:
    """A picture: `rgb` uint8 [height][width][3]. `note` says in a few words what was converted."""

    __slots__ = ("height", "note", "rgb", "width")

    def __init__(self, height: int, width: int, rgb: bytes | bytearray, note: str = "") -> None:
        self.height = height
        self.width = width
        self.rgb = rgb
        self.note = note


def read(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> Image:
    """Return the picture in a file; ImageError says in one sentence why it cannot be read."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read(file, path, max_pixels)
    except OSError as error:
        raise ImageError(f"{path} cannot be read: {error.strerror or error}.") from None
    except MemoryError:
        raise ImageError(f"{path} needs more memory than this device has free.") from None
    except ImageError as error:
        raise ImageError(f"{path} cannot be read: {error}.") from None


def resize(image: Image, height: int, width: int) -> Image:
    """Return `image` resized by Pillow's antialiased bilinear filter, columns before rows."""
    if (height, width) == (image.height, image.width):
        return image
    rgb = _vision.resize(image.rgb, image.height, image.width, height, width)
    return Image(height, width, rgb, image.note)


def _read(file: BinaryIO, path: Path, max_pixels: int) -> Image:
    head = file.read(len(png.SIGNATURE))
    size = path.stat().st_size
    if head == png.SIGNATURE:
        return Image(*png.read(file, size, max_pixels))
    if head[:2] in (b"P5", b"P6"):
        file.seek(0)
        return _read_netpbm(file, size, max_pixels)
    for start, name in PILLOW_FORMATS.items():
        if head.startswith(start):
            return _read_with_pillow(path, name, max_pixels)
    raise ImageError("it is empty" if not head else "it is no PNG, PPM, PGM, JPEG or TIFF")


def _read_netpbm(file: BinaryIO, size: int, max_pixels: int) -> Image:
    start = file.read(1024)
    space = rb"(?:\s|#[^\n]*\n)+"
    header = re.match(rb"P([56])%b(\d{1,7})%b(\d{1,7})%b(\d{1,5})\s" % (space, space, space), start)
    if header is None:
        raise ImageError("it does not begin like a PPM or PGM")
    channels = 3 if header[1] == b"6" else 1
    width, height, most = int(header[2]), int(header[3]), int(header[4])
    if not (0 < height <= png.MAX_SIDE and 0 < width <= png.MAX_SIDE) or height * width > max_pixels:
        raise ImageError(f"it has {width} x {height} pixels, more than the {max_pixels} that are read")
    if most != 255:
        raise ImageError(f"its largest value is {most}; save it with 8 bits a channel, up to 255")
    expected = height * width * channels
    if size - header.end() < expected:
        raise ImageError("it ends early")
    file.seek(header.end())
    pixels = file.read(expected)
    note = "first of several pages" if size > header.end() + expected else ""
    if channels == 3:
        return Image(height, width, pixels, note)
    rgb = bytearray(3 * expected)
    rgb[0::3] = rgb[1::3] = rgb[2::3] = pixels
    return Image(height, width, rgb, note or "grey")


def _read_with_pillow(path: Path, name: str, max_pixels: int) -> Image:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError:
        raise ImageError(
            f"it is a {name}, which needs Pillow (`pip install edgepatho-runtime[images]`, or an `edgepatho "
            "deploy` that carries it); PNG and PPM need nothing"
        ) from None
    PIL.Image.MAX_IMAGE_PIXELS = None  # the limit here is ours, and it is checked before decoding
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; damaged pixels are errors
            with PIL.Image.open(path, formats=(name,)) as picture:
                return _from_pillow(picture, max_pixels)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # a decoder of hostile files fails in every way there is
        raise ImageError(f"it is a damaged {name} ({error})") from None


def _from_pillow(picture: Any, max_pixels: int) -> Image:
    import PIL.Image
    import PIL.ImageOps

    if picture.width * picture.height > max_pixels or max(picture.size) > png.MAX_SIDE:
        size = f"{picture.width} x {picture.height}"
        raise ImageError(f"it has {size} pixels, more than the {max_pixels} that are read")
    bits = max(getattr(picture, "tag_v2", {}).get(258, (8,)))  # TIFF's BitsPerSample
    if bits > 8 or picture.mode[0] in "IF":
        raise ImageError("it has more than 8 bits a channel; save it with 8, so that the scaling is yours")
    notes = [] if picture.mode == "RGB" else [picture.mode]
    if getattr(picture, "n_frames", 1) > 1 and picture.format == "TIFF":
        notes.append(f"first of {picture.n_frames} pages")
    upright = PIL.ImageOps.exif_transpose(picture)
    if picture.getexif().get(274, 1) != 1:
        notes.append("rotated as its EXIF says")
    if upright.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        opaque = PIL.Image.new("RGB", upright.size, "white")
        with_alpha = upright.convert("RGBA")
        opaque.paste(with_alpha, mask=with_alpha.getchannel("A"))
    else:
        opaque = upright.convert("RGB")
    return Image(opaque.height, opaque.width, opaque.tobytes(), ", ".join(notes))
