"""The microscope and camera of a laboratory: light, lens, sensor, file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

STRAY_LIGHT = np.array([1.0, 0.6, 0.65])  # of R, G, B, relative
MOST_STRAY_LIGHT = 0.15
CLEAR = 0.6  # from here on there is none
# What a white balance leaves in empty glass, R, G, B in grey levels.
TINTS = {
    "white": (0, 0, 0),
    "cream": (4, -1, -36),
    "bluish": (-9, 0, 5),
    "greenish": (-10, 5, -6),
    "pink": (6, -8, -3),
}


@dataclass(frozen=True)
class Optics:
    """Lengths in pixels of the picture, light in grey levels or as a share of the background."""

    background_rgb: NDArray[Any]
    stray_light: NDArray[Any]
    blur_px: float
    sharpening: float
    noise: float  # grey levels before blurring
    colour_shift_px: float
    colour_shift_angle: float
    light: NDArray[Any]  # unevenness along x and y
    jpeg_quality: int


def optics(
    rng: np.random.Generator, *, sharpness: float, level: float, clarity: float, quality: float
) -> Optics:
    """Return a microscope and camera; the shares 0..1 run from soft to sharp, dark to bright, and so on.

    A sharp camera resolves, sharpens and also shows more noise.
    """
    tint = np.array(list(TINTS.values()), float)[rng.integers(len(TINTS))]
    background = 212 + 31 * level + rng.uniform(0.4, 1.0) * tint + rng.normal(0, 1.5, 3)
    stray = MOST_STRAY_LIGHT * max(0.0, 1 - clarity / CLEAR)
    return Optics(
        background_rgb=np.clip(background, 190, 250),
        stray_light=STRAY_LIGHT * stray + 0.004,
        blur_px=1.75 - 1.25 * sharpness + rng.uniform(-0.1, 0.1),
        sharpening=0.35 + 1.1 * sharpness * rng.uniform(0.6, 1.2),
        noise=2.5 + 12.0 * sharpness * rng.uniform(0.6, 1.0),
        colour_shift_px=rng.uniform(0.3, 1.8),
        colour_shift_angle=rng.uniform(0, 2 * np.pi),
        light=rng.uniform(-0.5, 0.5, 2),
        jpeg_quality=round(60 + 38 * quality),
    )
