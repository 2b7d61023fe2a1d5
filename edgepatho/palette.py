"""The colours of every picture and chart: Okabe and Ito's set, told apart by colour-blind eyes, too.

Okabe and Ito (2008), "Color Universal Design". The device draws cells in the same colours; a test holds both
together.
"""

from __future__ import annotations

from edgepatho.classes import CLASSES

RGB = tuple[int, int, int]

YELLOW, SKY_BLUE, PURPLE = "#f0e442", "#56b4e9", "#cc79a7"
ORANGE, GREEN, BLUE, VERMILION = "#e69f00", "#009e73", "#0072b2", "#d55e00"
GREY = "#8b8793"
EDGE: RGB = (0, 0, 0)  # around cells, so that they show on pale ground, too

CELLS = dict(zip(CLASSES, (YELLOW, SKY_BLUE, PURPLE), strict=True))
METHODS = {"cws": BLUE, "pws": PURPLE, "uq": GREEN, "ecsq": VERMILION}
SERIES = {"ours": BLUE, "baseline": ORANGE, "peer": GREY, "other": GREEN}  # style classes of charts
SERIES_ON_DARK = SERIES | {"ours": SKY_BLUE}


def rgb(colour: str) -> RGB:
    """Return #rrggbb as three numbers 0..255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
