"""Pictures as the network sees them: read, downscaled by the rule of `edgepatho-run score`, cut into tiles.

The rules are in docs/device-cli.md; a test on each side checks its examples.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.density import NETWORK_PX
from edgepatho.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FORMATS = ("JPEG", "PNG", "TIFF")
MAX_PIXELS = 100_000_000
SOURCE_TILE_PX = 1228  # side of a SHIDC tile, which becomes NETWORK_PX
MIN_STRIP_PX = 16  # the network reduces this to one pixel; a narrower remainder makes no tile
# TIFF orientation -> the PIL.Image.Transpose that undoes Pillow's.
UNTURN = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
ORIENTATION, BITS_PER_SAMPLE, IMAGE_WIDTH, IMAGE_LENGTH = 274, 258, 256, 257  # EXIF and TIFF tags


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
    with _opened(path) as image:
        tags = getattr(image, "tag_v2", {})  # of a TIFF: from version 11 on, Pillow's size is already rotated
        return tags.get(IMAGE_LENGTH, image.height), tags.get(IMAGE_WIDTH, image.width)


def read(path: Path, scale: float | None = None) -> NDArray[np.uint8]:
    """Return a picture as the network sees it, uint8 RGB: as stored, alpha on white, antialiased bilinear."""
    from PIL import Image

    with _opened(path) as image:
        stored = _stored(image)
        if stored.has_transparency_data:
            ground, above = Image.new("RGB", stored.size, "white"), stored.convert("RGBA")
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
def _opened(path: Path) -> Iterator[ImageFile]:
    """An opened picture of 8 bits per channel and one page; decoder errors become an InputError."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, and about sizes, which are checked here
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise InputError(
                        f"{path} has {image.width} x {image.height} px, more than {MAX_PIXELS} px; cut it up."
                    )
                bits = max(getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,)))
                if bits > 8 or image.mode[0] in "IF":
                    raise InputError(f"{path} has more than 8 bits per channel; save it with 8.")
                pages = getattr(image, "n_frames", 1)
                if pages > 1:
                    raise InputError(f"{path} has {pages} pages; save the one to use as RGB.")
                yield image
    except InputError:
        raise
    except Image.DecompressionBombError:  # above twice its own limit Pillow does not open a picture
        raise InputError(f"{path} has more than {MAX_PIXELS} px; cut it up.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is not a readable JPEG, PNG or TIFF ({error}); copy it again.") from None
