"""A picture in memory, and resizing it."""

from collections.abc import Iterator

from edgepatho_runtime import _vision

BAND_ROWS = 256  # converted at a time, so that a large picture is never held twice


class Image:
    """An RGB picture of 8 bits per channel. `note` says briefly what was converted or assumed."""

    def __init__(self, height: int, width: int, rgb: bytes | bytearray, note: str = "") -> None:
        """`rgb` is uint8 [height][width][3]."""
        self.height = height
        self.width = width
        self.note = note
        self._rgb = rgb

    def rows(self, first: int, end: int) -> bytes | bytearray | memoryview:
        """Return RGB uint8 [end - first][width][3] of some rows."""
        return memoryview(self._rgb)[3 * self.width * first : 3 * self.width * end]

    def bands(self) -> Iterator[tuple[int, bytes | bytearray | memoryview]]:
        """Yield all rows in bands: the number of the first row, RGB."""
        for first in range(0, self.height, BAND_ROWS):
            yield first, self.rows(first, min(first + BAND_ROWS, self.height))

    @property
    def rgb(self) -> bytes | bytearray | memoryview:
        """All pixels, uint8 [height][width][3]."""
        return self.rows(0, self.height)


def resize(image: Image, height: int, width: int) -> Image:
    """Return `image` resized by Pillow's antialiased bilinear filter, columns before rows."""
    if (height, width) == (image.height, image.width):
        return image
    narrow = bytearray(3 * image.height * width)
    for first, band in image.bands():
        rows = len(band) // (3 * image.width)
        narrow[3 * width * first : 3 * width * (first + rows)] = _vision.resize(
            band, rows, image.width, rows, width
        )
    return Image(height, width, _vision.resize(narrow, image.height, width, height, width), image.note)
