"""Pictures as the network sees them: read, reduced by the rule of `edgepatho-run score`, cut into tiles.

The rules are those of docs/device-cli.md; a test holds both sides to its examples.
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
LEAST_STRIP_PX = 16  # what the network halves to one pixel; a narrower remainder is no tile
# TIFF orientation -> the PIL.Image.Transpose that undoes what it asks for.
UNTURN = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
ORIENTATION, BITS_PER_SAMPLE, IMAGE_WIDTH, IMAGE_LENGTH = 274, 258, 256, 257  # EXIF and TIFF tags


@dataclass(frozen=True)
class Cut:
    """One tile of a reduced picture: its corner and the part of it that shows the picture, network px."""

    row: int
    column: int
    top: int
    left: int
    height: int
    width: int


def network_size(height: int, width: int, scale: float | None = None) -> tuple[int, int]:
    """Return the height and width at which the network sees a picture of `height` x `width` pixels.

    A picture of at most NETWORK_PX on both sides is taken as it is, a larger one reduced as SHIDC's tiles
    were; `scale` (network pixels per pixel) overrides both.
    """
    if scale is None:
        scale = 1.0 if max(height, width) <= NETWORK_PX else NETWORK_PX / SOURCE_TILE_PX
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def cuts(height: int, width: int) -> list[Cut]:
    """Return the tiles of a reduced picture in rows, none overlapping.

    A remainder narrower than LEAST_STRIP_PX is left out.
    """
    return [
        Cut(row, column, top, left, min(NETWORK_PX, height - top), min(NETWORK_PX, width - left))
        for row, top in enumerate(_starts(height))
        for column, left in enumerate(_starts(width))
    ]


def tile(picture: NDArray[np.uint8], cut: Cut) -> NDArray[np.uint8]:
    """Return a tile uint8 [NETWORK_PX, NETWORK_PX, 3]; what lies beyond the picture repeats its edge."""
    part = picture[cut.top : cut.top + cut.height, cut.left : cut.left + cut.width]
    return np.pad(part, ((0, NETWORK_PX - cut.height), (0, NETWORK_PX - cut.width), (0, 0)), "edge")


def size(path: Path) -> tuple[int, int]:
    """Return the height and width of a picture, as stored, from its header; InputError if it is unfit."""
    with _opened(path) as image:
        tags = getattr(image, "tag_v2", {})  # of a TIFF, whose size Pillow gives turned already from 11 on
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
    """Return a picture in the frame that is stored, as labels are: Pillow turns TIFFs by itself."""
    from PIL.Image import Transpose

    orientation = image.tag_v2.get(ORIENTATION, 1) if image.format == "TIFF" else 1  # type: ignore[attr-defined]
    copied = image.copy()
    return copied.transpose(Transpose(UNTURN[orientation])) if orientation in UNTURN else copied


def _starts(side: int) -> range:
    return range(0, max(1, side - LEAST_STRIP_PX + 1), NETWORK_PX)


@contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """An opened picture of 8 bits a channel and one page; what its decoder says becomes a sentence."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata, and sizes that are checked here
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise InputError(
                        f"{path} has {image.width} x {image.height} px, more than {MAX_PIXELS}; cut it up."
                    )
                bits = max(getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (8,)))
                if bits > 8 or image.mode[0] in "IF":
                    raise InputError(f"{path} has more than 8 bits a channel; save it with 8.")
                pages = getattr(image, "n_frames", 1)
                if pages > 1:
                    raise InputError(f"{path} has {pages} pages; save the one to use as RGB.")
                yield image
    except InputError:
        raise
    except Image.DecompressionBombError:  # at twice its own limit Pillow does not even open a picture
        raise InputError(f"{path} has more than {MAX_PIXELS} px; cut it up.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path} is not a readable JPEG, PNG or TIFF ({error}); copy it again.") from None
