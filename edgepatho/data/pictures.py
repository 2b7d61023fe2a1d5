"""Pictures as the network sees them: read, downscaled by the rule of `edgepatho-run score`, cut into tiles.

The rules are in docs/device-cli.md; a test on each side checks its examples.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgepatho.data import damage, kinds
from edgepatho.data.density import NETWORK_PX
from edgepatho.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FORMATS = ("JPEG", "PNG", "TIFF")
TRANSPARENT = "it is entirely transparent; flatten it onto a background and save it again"
MAX_PIXELS = 100_000_000
SOURCE_TILE_PX = 1228  # side of a SHIDC tile, which becomes NETWORK_PX
MIN_STRIP_PX = 16  # the network reduces this to one pixel; a narrower remainder makes no tile
# TIFF orientation -> the PIL.Image.Transpose that undoes Pillow's.
UNTURN = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
ORIENTATION, IMAGE_WIDTH, IMAGE_LENGTH = 274, 256, 257  # EXIF and TIFF tags


@dataclass(frozen=True)
class Cut:
    """One tile of a downscaled picture: its corner and the part inside the picture, in network pixels."""

    row: int
    column: int
    top: int
    left: int
    height: int
    width: int


def network_size(height: int, width: int, scale: float | None = None) -> tuple[int, int]:
    """Return the height and width at which the network sees a picture of `height` x `width` pixels.

    A picture of at most NETWORK_PX on both sides is used as it is, a larger one downscaled like SHIDC's
    tiles; `scale` (network pixels per pixel) overrides both.
    """
    if scale is None:
        scale = 1.0 if max(height, width) <= NETWORK_PX else NETWORK_PX / SOURCE_TILE_PX
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def cuts(height: int, width: int) -> list[Cut]:
    """Return the tiles of a downscaled picture row by row, without overlap.

    A remainder narrower than MIN_STRIP_PX is left out.
    """
    return [
        Cut(row, column, top, left, min(NETWORK_PX, height - top), min(NETWORK_PX, width - left))
        for row, top in enumerate(_starts(height))
        for column, left in enumerate(_starts(width))
    ]


def tile(picture: NDArray[np.uint8], cut: Cut) -> NDArray[np.uint8]:
    """Return a tile uint8 [NETWORK_PX, NETWORK_PX, 3]; beyond the picture its edge is repeated."""
    part = picture[cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]
    return np.pad(part, ((0, NETWORK_PX - cut.height), (0, NETWORK_PX - cut.width), (0, 0)), "edge")


def size(path: Path) -> tuple[int, int]:
    """Return the stored height and width of a picture from its header; InputError if it is not usable."""
    with _opened(path) as (image, _):
        tags = getattr(image, "tag_v2", {})  # of a TIFF: from version 11 on, Pillow's size is already rotated
        return tags.get(IMAGE_LENGTH, image.height), tags.get(IMAGE_WIDTH, image.width)


def read(path: Path, scale: float | None = None) -> NDArray[np.uint8]:
    """Return a picture as the network sees it, uint8 RGB: as stored, alpha on white, antialiased bilinear.

    Raises InputError for what is damaged, as `damage.check` finds it, or of another kind.
    """
    from PIL import Image

    with _opened(path) as (image, data):
        damage.check(image, data)
        stored = _stored(image)
        if stored.has_transparency_data:
            ground, above = Image.new("RGB", stored.size, "white"), stored.convert("RGBA")
            if above.getchannel("A").getextrema()[1] == 0:
                raise InputError(TRANSPARENT)
            ground.paste(above, mask=above.getchannel("A"))
            stored = ground
        height, width = network_size(stored.height, stored.width, scale)
        resized = stored.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized)


def _stored(image: ImageFile) -> Image:
    """Return a picture in its stored frame, like the labels: Pillow rotates TIFFs by itself."""
    from PIL.Image import Transpose

    orientation = image.tag_v2.get(ORIENTATION, 1) if image.format == "TIFF" else 1  # type: ignore[attr-defined]
    copied = image.copy()
    return copied.transpose(Transpose(UNTURN[orientation])) if orientation in UNTURN else copied


def _starts(side: int) -> range:
    return range(0, max(1, side - MIN_STRIP_PX + 1), NETWORK_PX)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ImageFile, bytes]]:
    """An opened picture, its first page if it has several, and the bytes of its file.

    Decoder errors become an InputError without their text, which may contain anything.
    """
    from PIL import Image

    data = b""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe waits for its writer
            raise InputError("it is a pipe, socket or device, not a file")
        data = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, and sizes that are checked here
            with Image.open(BytesIO(data), formats=FORMATS) as image:
                _check_size(image)
                kinds.check(image, data)
                yield image, data
    except InputError as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    except Image.DecompressionBombError:  # at twice its own limit Pillow does not even open a picture
        raise InputError(f"{path} cannot be read: it has more than {MAX_PIXELS} pixels; cut it up.") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        reason = (isinstance(error, OSError) and error.strerror) or kinds.unreadable(data)
        raise InputError(f"{path} cannot be read: {reason}.") from None


def _check_size(image: ImageFile) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(f"it has {image.width} x {image.height} pixels, more than {MAX_PIXELS}; cut it up")
