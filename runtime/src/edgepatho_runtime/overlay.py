"""The overlay: a picture with a ring around every cell."""

from edgepatho_runtime.image import Image
from edgepatho_runtime.score import Cell

RADIUS_NETWORK_PX = 5  # a nucleus, roughly
# Bright enough on stained tissue, apart for colour-blind eyes; further classes start again.
COLOURS = ((255, 225, 25), (70, 240, 240), (240, 50, 230))
EDGE = (0, 0, 0)  # a dark edge, so that rings show on pale ground too


def draw(picture: Image, cells: list[Cell], classes: list[str], network_width: int) -> Image:
    """Return a copy of `picture` with a ring around each cell, coloured by class."""
    radius = max(2, round(RADIUS_NETWORK_PX * picture.width / network_width))
    line = max(1, radius // 8)
    parts = ((_ring(radius, radius + line), EDGE), (_ring(radius - line, radius), None))
    rgb = bytearray(picture.rgb)
    for cell in cells:
        column, row = round(cell.x_px), round(cell.y_px)
        for ring, colour in parts:
            value = bytes(colour or COLOURS[classes.index(cell.name) % len(COLOURS)])
            for down, right in ring:
                y, x = row + down, column + right
                if 0 <= y < picture.height and 0 <= x < picture.width:
                    at = 3 * (y * picture.width + x)
                    rgb[at : at + 3] = value
    return Image(picture.height, picture.width, rgb)


def _ring(inner: int, outer: int) -> list[tuple[int, int]]:
    """Return the offsets (down, right) whose distance d has inner < d <= outer."""
    reach = range(-outer, outer + 1)
    return [(y, x) for y in reach for x in reach if inner**2 < y * y + x * x <= outer**2]
