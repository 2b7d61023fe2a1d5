"""The look of a picture, drawn at random: stains, background, sharpness, sensor noise and JPEG.

Augmentation by amounts of stain follows Tellez et al. 2018 (Whole-slide mitosis detection in H&E breast
histology using PHH3 as a reference to train distilled stain-invariant convolutional networks, IEEE Trans Med
Imaging 37:2126-2136) and 2019 (Quantifying the effects of data augmentation and stain color normalization in
convolutional neural networks for computational pathology, Med Image Anal 58:101544). The directions of the
stains turn as well, because laboratories differ in them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.stain import Float64, Staining, restained, unit

TURN_DEGREES = 12.0  # of a stain's vector, at most
MIN_ABSORBED = 0.15  # of a stain's vector, in every channel: less is a dye of pure colour
MAX_BLUE = 0.8  # of hematoxylin's density in red and in green: more is grey
BROWN = (0.35, 0.75)  # DAB's density in green, between red (0) and blue (1): less is olive, more is red
GAINS = (0.65, 1.6)  # of a stain's amount
BACKGROUND_LEVELS = (208.0, 250.0)
BACKGROUND_SATURATION = 0.13  # at most: white to cream, pink, bluish, greenish
DEGRADED_SHARE = 0.5  # of pictures, for each of blur, noise and JPEG
BLUR_PX = (0.3, 1.0)  # sigma in network pixels
NOISE_LEVELS = (0.5, 3.0)  # standard deviation, of 0..255
JPEG_QUALITIES = (60, 98)


@dataclass(frozen=True)
class Appearance:
    """A look: stains, gains of the amounts of hematoxylin and DAB, and what the camera does.

    `blur_px` is the sigma of a Gaussian in pixels, `noise` a standard deviation in levels of 0..255; 0 and
    None leave a step out.
    """

    stains: Staining
    gains: tuple[float, float] = (1.0, 1.0)
    blur_px: float = 0.0
    noise: float = 0.0
    jpeg_quality: int | None = None

    def of(self, image: NDArray[np.uint8], present: Staining, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Return `image` uint8 [h, w, 3] with this look, given its present stains; `rng` draws noise."""
        import cv2

        changed = restained(image, present, self.stains, self.gains)
        if self.blur_px:
            changed = cv2.GaussianBlur(changed, (0, 0), self.blur_px).astype(np.float32, copy=False)
        if self.noise:
            changed += np.float32(self.noise) * rng.standard_normal(changed.shape, np.float32)
        pixels = np.clip(np.rint(changed), 0, 255).astype(np.uint8)
        if self.jpeg_quality is None:
            return pixels
        encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality])[1]
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1].astype(np.uint8, copy=False)


def draw(present: Staining, rng: np.random.Generator) -> Appearance:
    """Return a random look near the `present` stains, within the bounds above.

    Hematoxylin absorbs least in blue, and DAB least in red and most in blue, so that nuclei stay violet to
    blue, and brown to black.
    """
    red, green, blue = _turned(present.hematoxylin, rng)
    hematoxylin = unit(np.array([red, green, min(blue, MAX_BLUE * min(red, green))]))
    red, green, blue = np.sort(_turned(present.dab, rng))
    dab = unit(np.array([red, np.clip(green, *(red + np.array(BROWN) * (blue - red))), blue]))
    low, high = np.log(GAINS)
    gains = np.exp(rng.uniform(low, high, 2))
    return Appearance(
        Staining(hematoxylin, dab, _background(rng)),
        gains=(float(gains[0]), float(gains[1])),
        blur_px=_sometimes(rng, BLUR_PX),
        noise=_sometimes(rng, NOISE_LEVELS),
        jpeg_quality=int(rng.integers(*JPEG_QUALITIES, endpoint=True)) if _degraded(rng) else None,
    )


def _turned(vector: Float64, rng: np.random.Generator) -> Float64:
    """The unit vector `vector` turned by up to TURN_DEGREES towards a random side."""
    side = rng.standard_normal(3)
    side = unit(side - (side @ vector) * vector)
    angle = np.radians(rng.uniform(0, TURN_DEGREES))
    return unit(np.maximum(np.cos(angle) * vector + np.sin(angle) * side, MIN_ABSORBED))


def _background(rng: np.random.Generator) -> Float64:
    """A background of random brightness and hue and low saturation."""
    hue = rng.uniform(0, 2 * np.pi) - np.array([0, 2, 4]) * np.pi / 3
    absorbed = rng.uniform(0, BACKGROUND_SATURATION) * (1 - np.cos(hue)) / 2
    colour: Float64 = rng.uniform(*BACKGROUND_LEVELS) * (1 - absorbed)
    return colour


def _degraded(rng: np.random.Generator) -> bool:
    return bool(rng.random() < DEGRADED_SHARE)


def _sometimes(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    return float(rng.uniform(*bounds)) if _degraded(rng) else 0.0
