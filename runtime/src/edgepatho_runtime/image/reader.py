"""Pictures from files: PNG and PPM by our own readers, JPEG and TIFF through Pillow where it is installed.

The result is RGB, 8 bits per channel, by fixed rules: the frame is the stored one, grey and palette become
their colours, alpha is composited on white, other colour spaces are converted by Pillow. More than 8 bits per
channel, channels as grey planes and damaged data are refused.
"""

import os
from pathlib import Path
from typing import BinaryIO

from edgepatho_runtime.errors import ImageError
from edgepatho_runtime.image import kinds, netpbm, png
from edgepatho_runtime.image.memory import Limits
from edgepatho_runtime.image.picture import Image

SUFFIXES = (".png", ".ppm", ".pgm", ".jpg", ".jpeg", ".tif", ".tiff")
MAX_PIXELS = 100_000_000


def read(
    path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS, memory_bytes: int | None = None
) -> Image:
    """Return the picture in a file, decoded in at most `memory_bytes`.

    ImageError gives the reason as a clause ("it ends early"), never with the file's name.
    """
    path = Path(path)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # opening a pipe waits for its writer
            raise ImageError("it is a pipe, socket or device, not a file")
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            picture = _read(file, before.st_size, Limits(max_pixels, memory_bytes))
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise ImageError("it changed while it was being read; wait until it is complete")
            return picture
    except OSError as error:
        raise ImageError(error.strerror or "the system gives no reason") from None
    except MemoryError:
        raise ImageError("it needs more memory than this device has free") from None


def _read(file: BinaryIO, size: int, limits: Limits) -> Image:
    head = file.read(kinds.HEAD_BYTES)
    if head.startswith(png.SIGNATURE):
        file.seek(len(png.SIGNATURE))
        return png.read(file, size, limits)
    if head[:2] in (b"P5", b"P6"):
        return netpbm.read(file, size, limits)
    name = "JPEG" if head.startswith(kinds.JPEG) else "TIFF" if head.startswith(kinds.TIFFS) else None
    if name is None:
        raise ImageError(kinds.foreign(head))
    from edgepatho_runtime.image import pillow

    return pillow.read(file, size, name, limits)
