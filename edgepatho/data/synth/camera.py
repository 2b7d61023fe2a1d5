"""From stain to picture: Beer-Lambert absorption, stray light, lens, sensor."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgepatho.data.synth.noise import smooth, smoothstep
from edgepatho.data.synth.nuclei import Stains
from edgepatho.data.synth.style import Style

CHANNEL_BLUR = (1.0, 0.95, 1.25)  # of R, G, B, relative
CHANNEL_SHIFT = (-0.5, 0.0, 0.9)  # lateral chromatic aberration, relative
NOISE, LUMINANCE_NOISE = 3.2, 3.6  # grey levels before blurring


def photograph(
    rng: np.random.Generator, field_rng: np.random.Generator, style: Style, stains: Stains
) -> NDArray[Any]:
    """Return the RGB picture uint8 [size, size, 3] of the stain maps."""
    size = len(stains.dab)
    blur = style.blur_px * float(np.exp(field_rng.normal(0, 0.12)))
    defocus = None
    if rng.random() < 0.30:  # part of the tile is out of focus
        coarse = size // 4 + 1
        defocus = smoothstep(smooth(rng, coarse, 70 if size > 400 else 20), 0.1, 1.4)
        defocus = cv2.resize(defocus, (size, size))
    elif rng.random() < 0.10:
        blur *= rng.uniform(1.4, 2.1)
    hematoxylin = stains.hematoxylin * (1 + 0.05 * _upscaled(smooth(rng, size // 8 + 2, 30), size))
    light = _illumination(rng, field_rng, style, size)
    background = style.background_rgb + field_rng.normal(0, 1.5) + field_rng.normal(0, 1.0, 3)
    vectors = [v.astype(np.float32) for v in (style.hematoxylin, style.dab, style.matrix)]
    picture = np.empty((size, size, 3), np.float32)
    for channel in range(3):
        density = sum(
            vector[channel] * stain
            for vector, stain in zip(vectors, (hematoxylin, stains.dab, stains.matrix), strict=True)
        )
        stray = style.stray_light[channel]
        seen = np.float32(stray) + np.float32(1 - stray) * np.power(np.float32(10), -density)
        sharp = cv2.GaussianBlur(seen, (0, 0), blur * CHANNEL_BLUR[channel])
        if defocus is not None:
            soft = cv2.GaussianBlur(seen, (0, 0), 2.3 * blur * CHANNEL_BLUR[channel])
            sharp = sharp * (1 - defocus) + soft * defocus
        picture[..., channel] = background[channel] * light * _shifted(sharp, style, CHANNEL_SHIFT[channel])
    picture += 0.85 * (picture - cv2.GaussianBlur(picture, (0, 0), 1.6))  # the camera sharpens
    colour = rng.standard_normal((size, size, 3)).astype(np.float32)
    luminance = rng.standard_normal((size, size)).astype(np.float32)
    picture += NOISE * cv2.GaussianBlur(colour, (0, 0), 0.75)
    picture += LUMINANCE_NOISE * cv2.GaussianBlur(luminance, (0, 0), 0.6)[..., None]
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8)


def _illumination(
    rng: np.random.Generator, field_rng: np.random.Generator, style: Style, size: int
) -> NDArray[Any]:
    edge = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(edge, edge)
    tilt = 0.012 * (style.light[0] * x + style.light[1] * y) + 0.010 * field_rng.normal() * x
    vignette = 0.018 * (x**2 + y**2)
    light: NDArray[Any] = 1 + tilt - vignette + 0.010 * _upscaled(smooth(rng, size // 16 + 2, 25), size)
    return light


def _shifted(channel: NDArray[Any], style: Style, share: float) -> NDArray[Any]:
    if not share:
        return channel
    dx = share * style.colour_shift_px * math.cos(style.colour_shift_angle)
    dy = share * style.colour_shift_px * math.sin(style.colour_shift_angle)
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REFLECT
    return cv2.warpAffine(channel, move, channel.shape[::-1], flags=flags, borderMode=border)


def _upscaled(field: NDArray[Any], size: int) -> NDArray[Any]:
    return cv2.resize(field, (size, size))
