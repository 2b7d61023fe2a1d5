"""The overlay: a picture with a ring around every cell, and a legend below it."""

from edgepatho_runtime.image import Image
from edgepatho_runtime.scoring.cell import Cell
from edgepatho_runtime.scoring.legend import Legend

RADIUS_NETWORK_PX = 5  # roughly a nucleus
# Okabe and Ito's yellow, sky blue and reddish purple: bright enough on stained tissue, distinct for
# colour-blind readers. The host's report uses the same. Further classes reuse them in turn.
COLOURS = ((240, 228, 66), (86, 180, 233), (204, 121, 167))
COLOUR_NAMES = ("yellow", "sky blue", "purple")
WARNING_COLOUR = (213, 94, 0)  # Okabe and Ito's vermillion
EDGE = (0, 0, 0)  # a dark edge, so that rings show on a pale background too

Run = tuple[int, int, int]  # row, first column, end column; relative to the centre


def legend(classes: list[str]) -> str:
    """Return the meaning of the ring colours, in words."""
    return ", ".join(f"{COLOUR_NAMES[at % len(COLOURS)]} {name}" for at, name in enumerate(classes))


class Drawn(Image):
    """A picture with rings over it and the legend below, drawn as rows are requested."""

    def __init__(
        self, picture: Image, cells: list[Cell], classes: list[str], radius: int, warning: str
    ) -> None:
        self._colours = {name: COLOURS[at % len(COLOURS)] for at, name in enumerate(classes)}
        below = self._colours | ({warning: WARNING_COLOUR} if warning else {})
        self._legend = Legend(below, picture.width)
        super().__init__(picture.height + self._legend.height, picture.width, b"")
        line = max(1, radius // 8)
        self._picture = picture
        self._cells = cells
        self._reach = radius + line
        self._edge, self._ring = _ring(radius, radius + line), _ring(radius - line, radius)

    def rows(self, first: int, end: int) -> bytearray:
        """Return RGB uint8 [end - first][width][3] of some rows."""
        below = self._picture.height
        if end > below:
            rgb = self.rows(first, below) if first < below else bytearray()
            return rgb + self._legend.rows(max(0, first - below), end - below)
        rgb = bytearray(self._picture.rows(first, end))
        for cell in self._cells:
            if not first - self._reach <= round(cell.y_px) < end + self._reach:
                continue
            for runs, value in ((self._edge, EDGE), (self._ring, self._colours[cell.name])):
                for down, start, stop in runs:
                    row = round(cell.y_px) + down
                    left = max(0, round(cell.x_px) + start)
                    right = min(self.width, round(cell.x_px) + stop)
                    if first <= row < end and left < right:
                        at = 3 * (row - first) * self.width
                        rgb[at + 3 * left : at + 3 * right] = bytes(value) * (right - left)
        return rgb


def draw(
    picture: Image, cells: list[Cell], classes: list[str], network_width: int, warning: str = ""
) -> Image:
    """Return `picture` with a ring around each cell, coloured by class; a `warning` follows the legend."""
    radius = max(2, round(RADIUS_NETWORK_PX * picture.width / network_width))
    return Drawn(picture, cells, classes, radius, warning)


def _ring(inner: int, outer: int) -> list[Run]:
    """Return the pixels whose distance d from the centre has inner < d <= outer, as runs along rows."""
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
