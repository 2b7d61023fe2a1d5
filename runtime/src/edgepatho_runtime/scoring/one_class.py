"""One cell, one class: of cells of several classes at one place, the most certain one is kept."""

import math
from collections import defaultdict
from typing import Any

RADIUS_PX = 3.0  # cells of two classes at most this far apart are one
RULE = f"the class of the highest heat / threshold within {RADIUS_PX:g} px"

Place = tuple[float, float, int]  # x, y, channel


def keep(found: list[Place], heat: Any, width: int, thresholds: list[float]) -> list[Place]:
    """Return `found` without cells that have a more certain one of another class within RADIUS_PX.

    `heat` is float32 [height, width, classes], in whose pixels `found` is. Certainty is the heat of a cell's
    class at its centre, divided by the class' threshold. The most certain cell is kept first, of equal ones
    the earlier; a cell that was left out excludes no other. Plain Python computes in doubles without fused
    operations, so every processor decides alike.
    """
    values = memoryview(heat).cast("B").cast("f")
    classes = len(thresholds)

    def certainty(place: Place) -> float:
        x, y, channel = place
        limit = thresholds[channel]
        at = (math.floor(y + 0.5) * width + math.floor(x + 0.5)) * classes + channel
        return values[at] / limit if limit > 0 else math.inf

    kept: dict[tuple[int, int], list[int]] = defaultdict(list)  # by square of RADIUS_PX
    for at in sorted(range(len(found)), key=lambda at: -certainty(found[at])):
        x, y, channel = found[at]
        column, row = int(x // RADIUS_PX), int(y // RADIUS_PX)
        around = [(column + right, row + down) for right in (-1, 0, 1) for down in (-1, 0, 1)]
        near = (found[other] for square in around for other in kept.get(square, ()))
        if not any(
            of != channel and (x - x_of) * (x - x_of) + (y - y_of) * (y - y_of) <= RADIUS_PX * RADIUS_PX
            for x_of, y_of, of in near
        ):
            kept[column, row].append(at)
    return [found[at] for at in sorted(at for square in kept.values() for at in square)]
