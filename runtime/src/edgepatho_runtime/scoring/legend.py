"""The strip below an overlay that names the class of each ring colour."""

from edgepatho_runtime.image import Image

Colour = tuple[int, int, int]

PAPER, INK = b"\xff\xff\xff", b"\0\0\0"
LETTER_ROWS = 9  # 7, one below the baseline, one between lines
SWATCH_PX = 7
MARGIN_PX = 2
PICTURE_PX = 500  # letters grow with the picture: one letter pixel is drawn as 1 px per so many of width
# Letters of 5 x 8 px: their columns from left to right, the lowest bit at the top.
GLYPHS = (  # each letter and its columns
    "a2054545478 b7f28444438 c3844444428 d384444287f e3854545418 f00087e0902 g18a4a49c78 "
    "h7f08040478 i00447d4000 j20403d0000 k7f10284400 l00417f4000 m7c04780478 n7c08040478 "
    "o3844444438 pfc18242418 q18242418fc r7c08040408 s4854545424 t043f442000 u3c4040207c "
    "v1c2040201c w3c4030403c x4428102844 y4c9090907c z4464544c44 03e5149453e 100427f4000 "
    "24261514946 32141494d33 41814127f10 52745454539 63c4a494930 70171090503 83649494936 "
    "9064949291e -0808080808 _4040404040"
)
FONT = {glyph[0]: bytes.fromhex(glyph[1:]) for glyph in GLYPHS.split()}
UNKNOWN = bytes.fromhex("7f4141417f")  # a box, for a letter that is not in the font


class Legend(Image):
    """A line with a swatch and a name for each class, as wide as the picture; a longer name is cut off."""

    def __init__(self, colours: dict[str, Colour], width: int) -> None:
        self._scale = max(1, width // PICTURE_PX)
        lines = [row for name, colour in colours.items() for row in _line(name, bytes(colour))]
        gap = [b""] * MARGIN_PX
        self._rows = [self._wide(row, width) for row in (*gap, *lines, *gap)]
        super().__init__(self._scale * len(self._rows), width, b"")

    def rows(self, first: int, end: int) -> bytes:
        """Return RGB uint8 [end - first][width][3] of some rows."""
        return b"".join(self._rows[row // self._scale] for row in range(first, end))

    def _wide(self, row: bytes, width: int) -> bytes:
        pixels = [row[at : at + 3] * self._scale for at in range(0, len(row), 3)]
        return (PAPER * (MARGIN_PX * self._scale) + b"".join(pixels) + PAPER * width)[: 3 * width]


def _line(name: str, colour: bytes) -> list[bytes]:
    """Return the rows of one line, RGB."""
    letters = [bytes(5) if letter == " " else FONT.get(letter, UNKNOWN) for letter in name.lower()]
    border, inside = INK * SWATCH_PX, INK + colour * (SWATCH_PX - 2) + INK
    swatch = [border, *[inside] * (SWATCH_PX - 2), border, *[PAPER * SWATCH_PX] * (LETTER_ROWS - SWATCH_PX)]
    return [
        square
        + PAPER * MARGIN_PX
        + b"".join(
            b"".join(INK if column >> row & 1 else PAPER for column in letter) + PAPER for letter in letters
        )
        for row, square in enumerate(swatch)
    ]
