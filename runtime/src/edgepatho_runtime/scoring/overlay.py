"""The overlay: a picture with a ring around every cell."""

from edgepatho_runtime.image import Image
from edgepatho_runtime.scoring.score import Cell

RADIUS_NETWORK_PX = 5  # a nucleus, roughly
# Bright enough on stained tissue, apart for colour-blind eyes; further classes start again.
COLOURS = ((255, 225, 25), (70, 240, 240), (240, 50, 230))
EDGE = (0, 0, 0)  # a dark edge, so that rings show on pale ground too

Run = tuple[int, int, int]  # row, first column, column behind the last; from the centre


def draw(picture: Image, cells: list[Cell], classes: list[str], network_width: int) -> Image:
    """Return a copy of `picture` with a ring around each cell, coloured by class."""
    radius = max(2, round(RADIUS_NETWORK_PX * picture.width / network_width))
    line = max(1, radius // 8)
    edge, ring = _ring(radius, radius + line), _ring(radius - line, radius)
    rgb = bytearray(picture.rgb)
    for cell in cells:
        colour = COLOURS[classes.index(cell.name) % len(COLOURS)]
        for runs, value in ((edge, EDGE), (ring, colour)):
            for down, first, end in runs:
                row = round(cell.y_px) + down
                left = max(0, round(cell.x_px) + first)
                right = min(picture.width, round(cell.x_px) + end)
                if 0 <= row < picture.height and left < right:
                    at = 3 * row * picture.width
                    rgb[at + 3 * left : at + 3 * right] = bytes(value) * (right - left)
    return Image(picture.height, picture.width, rgb)


def _ring(inner: int, outer: int) -> list[Run]:
    """Return the pixels whose distance d from the centre has inner < d <= outer, in runs along rows."""
    runs: list[Run] = []
    for y in range(-outer, outer + 1):
        for x in range(-outer, outer + 1):
            if not inner**2 < y * y + x * x <= outer**2:
                continue
            if runs and runs[-1][0] == y and runs[-1][2] == x:
                runs[-1] = (y, runs[-1][1], x + 1)
            else:
                runs.append((y, x, x + 1))
    return runs
