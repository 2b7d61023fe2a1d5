"""The stain domain: which hues and strengths of hematoxylin and DAB a laboratory may have.

Hues are on or near the great circle between two directions of optical density, so that the domain spans
what was measured at six laboratories' nuclei, and somewhat more: the next laboratory is a seventh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[Any]  # optical density of R, G, B, float64 [3], of unit length

HOLE_DEGREES = 3.0


@dataclass(frozen=True)
class Interval:
    """Values between `low` and `high`, evenly spread or, `logarithmic`, evenly spread in their logarithm."""

    low: float
    high: float
    logarithmic: bool = False

    def at(self, share: float) -> float:
        """Return the value at `share` of the range: 0 is low, 1 high, 1.2 lies 20 % beyond."""
        if self.logarithmic:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)


# What training shows. Hues: 0 and 1 are the ends below. Tilts: degrees off the circle between them.
# Densities: the norm of a median nucleus.
DOMAIN = {
    "hematoxylin_hue": Interval(-0.35, 1.45),
    "hematoxylin_tilt": Interval(-7.0, 5.0),
    "dab_hue": Interval(-0.55, 1.12),
    "dab_tilt": Interval(-4.0, 3.5),
    "negative_density": Interval(0.036, 0.36, logarithmic=True),
    "positive_density": Interval(0.42, 4.2, logarithmic=True),
}


def unit(red: float, green: float, blue: float) -> Vector:
    """Return the direction of an optical density."""
    vector = np.array([red, green, blue], float)
    return vector / float(np.linalg.norm(vector))


VIOLET, BLUE = unit(0.60, 0.72, 0.36), unit(0.81, 0.54, 0.22)
ORANGE, BLACK = unit(0.27, 0.51, 0.82), unit(0.54, 0.57, 0.62)
BEIGE = unit(0.46, 0.58, 0.67)  # of cytoplasm and stroma that took no hematoxylin
# Two laboratories, (hematoxylin, DAB), that training is not to see: what is near both directions is redrawn.
HELD_OUT = {
    "A": (unit(0.81, 0.54, 0.25), unit(0.30, 0.53, 0.78)),
    "B": (unit(0.75, 0.58, 0.31), unit(0.54, 0.57, 0.62)),
}


@dataclass(frozen=True)
class Stain:
    """What a laboratory's stains look like: directions, and the density of a median nucleus."""

    hematoxylin: Vector
    dab: Vector
    matrix: Vector  # cytoplasm, collagen: between beige and the hematoxylin's hue
    negative_density: float  # of nuclei without DAB; lymphocytes are denser
    positive_density: float


def stain(values: dict[str, float], blueness: float) -> Stain:
    """Return the stain of a value for each name of `DOMAIN`; `blueness` 0..1 is the matrix's hue."""
    hematoxylin = between(VIOLET, BLUE, values["hematoxylin_hue"], values["hematoxylin_tilt"])
    return Stain(
        hematoxylin,
        between(ORANGE, BLACK, values["dab_hue"], values["dab_tilt"]),
        unit(*((1 - blueness) * BEIGE + blueness * hematoxylin)),
        values["negative_density"],
        values["positive_density"],
    )


def between(start: Vector, end: Vector, share: float, tilt_degrees: float = 0.0) -> Vector:
    """Return the direction at `share` of the arc from `start` to `end`, tilted out of their plane."""
    normal = unit(*np.cross(start, end))
    arc, tilt = share * np.arccos(start @ end), np.radians(tilt_degrees)
    on_circle = np.cos(arc) * start + np.sin(arc) * np.cross(normal, start)
    direction: Vector = np.cos(tilt) * on_circle + np.sin(tilt) * normal
    return direction


def degrees_between(one: Vector, other: Vector) -> float:
    """Return the angle between two directions in degrees."""
    return float(np.degrees(np.arccos(np.clip(one @ other, -1, 1))))


def held_out(one: Stain) -> bool:
    """Return whether both directions of `one` are within 3 degrees of those of a held-out laboratory."""
    return any(
        degrees_between(one.hematoxylin, hematoxylin) < HOLE_DEGREES
        and degrees_between(one.dab, dab) < HOLE_DEGREES
        for hematoxylin, dab in HELD_OUT.values()
    )
