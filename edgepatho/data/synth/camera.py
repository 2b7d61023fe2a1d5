"""From stain to picture: Beer-Lambert absorption, stray light, lens, sensor."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgepatho.data.synth.hazards import bubble, pen
from edgepatho.data.synth.noise import smooth, smoothstep
from edgepatho.data.synth.nuclei import Stains
from edgepatho.data.synth.optics import Optics
from edgepatho.data.synth.stain import Stain

CHANNEL_BLUR = (1.0, 0.95, 1.2)  # of R, G, B, relative
CHANNEL_SHIFT = (-0.5, 0.0, 0.9)  # lateral chromatic aberration, relative


def photograph(
    rng: np.random.Generator, field_rng: np.random.Generator, stain: Stain, optics: Optics, stains: Stains
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the RGB picture uint8 [size, size, 3] of the stain maps, and where a hazard hides it, 0..1."""
    size = len(stains.dab)
    blur = optics.blur_px * float(np.exp(field_rng.normal(0, 0.12)))
    defocus = None
    if rng.random() < 0.25:  # part of the tile is out of focus
        coarse = size // 4 + 1
        defocus = smoothstep(smooth(rng, coarse, 70 if size > 400 else 20), 0.1, 1.4)
        defocus = cv2.resize(defocus, (size, size))
    elif rng.random() < 0.06:
        blur *= rng.uniform(1.4, 2.1)
    seen = _transmitted(rng, stain, optics, stains)
    hidden = np.maximum(pen(rng, seen), bubble(rng, seen))
    light = _illumination(rng, field_rng, optics, size)
    background = optics.background_rgb + field_rng.normal(0, 1.5) + field_rng.normal(0, 1.0, 3)
    picture = np.empty((size, size, 3), np.float32)
    for channel in range(3):
        plane = np.ascontiguousarray(seen[..., channel])
        sharp = cv2.GaussianBlur(plane, (0, 0), blur * CHANNEL_BLUR[channel])
        if defocus is not None:
            soft = cv2.GaussianBlur(plane, (0, 0), 2.5 * blur * CHANNEL_BLUR[channel] + 0.8)
            sharp = sharp + defocus * (soft - sharp)
        shifted = _shifted(sharp, optics, CHANNEL_SHIFT[channel])
        picture[..., channel] = np.float32(background[channel]) * light * shifted
    picture = picture + np.float32(optics.sharpening) * (picture - cv2.GaussianBlur(picture, (0, 0), 1.6))
    picture = picture + _noise(rng, optics.noise, size)
    return np.clip(picture + 0.5, 0, 255).astype(np.uint8), hidden


def _transmitted(rng: np.random.Generator, stain: Stain, optics: Optics, stains: Stains) -> NDArray[Any]:
    """The share of light that comes through, float32 [size, size, 3]."""
    size = len(stains.dab)
    hematoxylin = stains.hematoxylin * (1 + 0.05 * _upscaled(smooth(rng, size // 8 + 2, 30), size))
    amounts = np.stack([hematoxylin, stains.dab, stains.matrix], -1)
    vectors = np.stack([stain.hematoxylin, stain.dab, stain.matrix]).astype(np.float32)
    stray = optics.stray_light.astype(np.float32)
    seen: NDArray[Any] = stray + (1 - stray) * np.exp(amounts @ (vectors * np.float32(-math.log(10))))
    return seen


def _noise(rng: np.random.Generator, strength: float, size: int) -> NDArray[Any]:
    colour = rng.standard_normal((size, size, 3), np.float32)
    luminance = rng.standard_normal((size, size), np.float32)
    noise = cv2.GaussianBlur(colour, (0, 0), 0.75)
    noise = noise + cv2.GaussianBlur(luminance, (0, 0), 0.6)[..., None]
    return np.float32(strength) * noise


def _illumination(
    rng: np.random.Generator, field_rng: np.random.Generator, optics: Optics, size: int
) -> NDArray[Any]:
    edge = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(edge, edge)
    tilt = 0.012 * (optics.light[0] * x + optics.light[1] * y) + 0.010 * field_rng.normal() * x
    vignette = 0.018 * (x**2 + y**2)
    light: NDArray[Any] = 1 + tilt - vignette + 0.010 * _upscaled(smooth(rng, size // 16 + 2, 25), size)
    return light.astype(np.float32)


def _shifted(channel: NDArray[Any], optics: Optics, share: float) -> NDArray[Any]:
    if not share:
        return channel
    dx = share * optics.colour_shift_px * math.cos(optics.colour_shift_angle)
    dy = share * optics.colour_shift_px * math.sin(optics.colour_shift_angle)
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REFLECT
    return cv2.warpAffine(channel, move, channel.shape[::-1], flags=flags, borderMode=border)


def _upscaled(field: NDArray[Any], size: int) -> NDArray[Any]:
    return cv2.resize(field, (size, size))
