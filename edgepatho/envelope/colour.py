"""Stain of a picture at the network's scale: optical density, hue and strength (docs/envelope.md).

The device computes the same in C (runtime/vision/statistics.c); a test compares both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BACKGROUND_SHARE = 0.97  # of the pixels are at most as bright as the background
STAINED = 0.06  # optical density above which a pixel shows stain
BLUE = 0.05  # above this u, stain counts as hematoxylin, otherwise as DAB
STRENGTHS = (STAINED, 0.12, 0.25, 0.5, 1.0)  # lower ends of the levels of the colour table
HUE_STEPS, HUE_REACH = 32, 0.8  # the colour table's steps along u and along v, from -0.8 to 0.8
TABLE = (len(STRENGTHS), HUE_STEPS, HUE_STEPS)
FIRST_BLUE = round(
    (BLUE + HUE_REACH) / (2 * HUE_REACH) * HUE_STEPS
)  # step of u from which stain is hematoxylin

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Colour:
    """Every pixel's colour: `density` [h, w, 3], `strength` [h, w]; of the `stained` [h, w], `u` and `v` [n].

    `density` is the optical density of R, G, B over the `background` [3] (grey levels), `strength` its norm.
    Of its shares r, g, b, u = r - b runs from brown to blue and v = 2g - r - b from green to magenta.
    """

    background: Float64
    density: Float64
    strength: Float64
    stained: NDArray[np.bool_]
    u: Float64
    v: Float64

    @property
    def blue(self) -> NDArray[np.bool_]:
        """Which of the stained pixels count as hematoxylin [n]; the others count as DAB."""
        return self.u > BLUE

    @property
    def brown(self) -> NDArray[np.bool_]:
        """The pixels that count as DAB, [h, w]."""
        brown = np.zeros(self.stained.shape, bool)
        brown[self.stained] = ~self.blue
        return brown


def colour(picture: NDArray[np.uint8]) -> Colour:
    """Return the colours of `picture` uint8 [h, w, 3], means of 3 x 3 pixels against noise.

    Optical density: log10 of background over light, at least 0 (Beer and Lambert; Ruifrok & Johnston 2001).
    """
    height, width = picture.shape[:2]
    padded = np.pad(picture.astype(np.int64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    sums = sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3))
    light = np.maximum(sums, 9)
    order = np.sort(light.reshape(-1, 3), axis=0)
    brightest = order[int(np.ceil(BACKGROUND_SHARE * len(order))) - 1].astype(float)
    density = np.maximum(np.log10(brightest / light), 0.0)
    strength = np.sqrt((density**2).sum(axis=2))
    stained = strength > STAINED
    red, green, blue = density[stained].T
    total = red + green + blue
    u, v = (red - blue) / total, (2 * green - red - blue) / total
    return Colour(brightest / 9, density, strength, stained, u, v)


def table(seen: Colour) -> NDArray[np.int64]:
    """Return the stained pixels of a picture by strength, u and v, [5, 32, 32]; those beyond are left out."""
    step = 2 * HUE_REACH / HUE_STEPS
    level = np.searchsorted(STRENGTHS, seen.strength[seen.stained], side="left") - 1
    across, along = (np.floor((hue + HUE_REACH) / step).astype(int) for hue in (seen.u, seen.v))
    inside = (across >= 0) & (across < HUE_STEPS) & (along >= 0) & (along < HUE_STEPS)
    counts = np.zeros(TABLE, np.int64)
    np.add.at(counts, (level[inside], across[inside], along[inside]), 1)
    return counts


def direction(u: float, v: float) -> list[float]:
    """Return the unit vector of optical density of R, G, B with these u and v."""
    green = (1 + v) / 3
    vector = np.maximum([(1 - green + u) / 2, green, (1 - green - u) / 2], 0)
    return [float(share) for share in vector / np.linalg.norm(vector)]
