"""The memory that decoding a picture takes, checked beforehand."""

import math
from dataclasses import dataclass

from edgepatho_runtime.errors import ImageError

MAX_SIDE = 65535
SPARE_BYTES = 16 << 20  # for everything that does not grow with the picture


@dataclass(frozen=True)
class Limits:
    """The most pixels to read, and the memory available for them, None if unknown."""

    pixels: int
    memory_bytes: int | None = None

    def check(self, height: int, width: int, bytes_per_pixel: float) -> None:
        """Raise ImageError for a picture that is empty, has too many pixels or needs too much memory."""
        size = f"{width} x {height} pixels"
        if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
            raise ImageError(f"it has {size}, expected sides of 1 to {MAX_SIDE}")
        if height * width > self.pixels:
            raise ImageError(f"it has {size}, more than the limit of {self.pixels} (--max-pixels)")
        if self.memory_bytes is None:
            return
        needed = int(height * width * bytes_per_pixel) + SPARE_BYTES
        if needed > self.memory_bytes:
            share = max(0.0, (self.memory_bytes - SPARE_BYTES) / (height * width * bytes_per_pixel))
            side = math.sqrt(share)
            raise ImageError(
                f"its {size} need about {needed >> 20} MiB to decode and {self.memory_bytes >> 20} MiB are "
                f"free; cut it into fields ({int(width * side)} x {int(height * side)} pixels would fit)"
            )
