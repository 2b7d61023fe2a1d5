"""A detected cell."""

from typing import NamedTuple


class Cell(NamedTuple):
    """A cell's centre in pixels of the picture and of the network; (0, 0) is the first pixel's centre."""

    x_px: float
    y_px: float
    name: str  # of its class
    x_network_px: float
    y_network_px: float
