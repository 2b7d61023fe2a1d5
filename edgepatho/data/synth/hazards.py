"""Artefacts of slides: folds of the section, pen marks, air bubbles. Nothing under them is labelled."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edgepatho.data.synth.noise import bump, smooth, smoothstep
from edgepatho.data.synth.nuclei import Stains

FOLD, PEN, BUBBLE = 0.05, 0.03, 0.04  # shares of tiles that have one
PENS = {"blue": (0.75, 0.35, 0.05), "green": (0.6, 0.1, 0.55), "black": (0.6, 0.6, 0.58)}  # optical density


def fold(rng: np.random.Generator, stains: Stains) -> NDArray[Any]:
    """Lay the section double along a band; return where, 0..1 [size, size]."""
    size = len(stains.dab)
    if rng.random() >= FOLD:
        return np.zeros((size, size), np.float32)
    band = _band(rng, size, rng.uniform(25, 70))
    shift = tuple(int(s) for s in rng.integers(20, 120, 2))
    for name in ("hematoxylin", "dab", "matrix"):
        stain = getattr(stains, name)
        setattr(stains, name, stain + band * (np.roll(stain, shift, (0, 1)) + 0.15 * stain))
    stains.matrix += 0.12 * band
    return band


def pen(rng: np.random.Generator, seen: NDArray[Any]) -> NDArray[Any]:
    """Draw a felt pen's edge over transmitted light [size, size, 3]; return where, 0..1 [size, size]."""
    size = len(seen)
    if rng.random() >= PEN:
        return np.zeros((size, size), np.float32)
    name = list(PENS)[rng.integers(len(PENS))]
    mark = _band(rng, size, rng.uniform(60, 260))
    ink = np.array(PENS[name], np.float32) * np.float32(rng.uniform(0.7, 1.8))
    uneven = np.clip(1 + 0.2 * _field(rng, size, 60), 0.3, 1.7)
    seen *= np.exp(np.float32(-2.3026) * (mark * uneven)[..., None] * ink)
    return mark


def bubble(rng: np.random.Generator, seen: NDArray[Any]) -> NDArray[Any]:
    """Put air under the glass: a dark rim, a bright line, blur within; return where, 0..1 [size, size]."""
    size = len(seen)
    if rng.random() >= BUBBLE:
        return np.zeros((size, size), np.float32)
    x, y = rng.uniform(-0.1, 1.1, 2) * size
    radius = rng.uniform(0.08, 0.35) * size
    across, down = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    depth = np.float32(radius) - np.hypot(across - np.float32(x), down - np.float32(y))
    depth += np.float32(0.03 * radius) * _field(rng, size, 150)
    inside = smoothstep(depth, -2, 4)
    blurred = cv2.GaussianBlur(seen, (0, 0), 7)
    seen += inside[..., None] * (blurred - seen)
    rim = bump(depth - 7, 7) * np.float32(rng.uniform(0.4, 0.8)) - 0.25 * bump(depth - 24, 5)
    seen *= (1 - rim)[..., None]
    return smoothstep(depth, -16, -6)


def _band(rng: np.random.Generator, size: int, width_px: float) -> NDArray[Any]:
    """A wavy band across the tile."""
    angle = rng.uniform(0, np.pi)
    along = np.linspace(-size / 2, size / 2, size, dtype=np.float32)
    x, y = np.meshgrid(along, along)
    off = (
        np.cos(angle) * x + np.sin(angle) * y - rng.uniform(-0.45, 0.45) * size + 18 * _field(rng, size, 200)
    )
    return smoothstep(width_px / 2 - np.abs(off), -4, 4).astype(np.float32)


def _field(rng: np.random.Generator, size: int, feature_px: float) -> NDArray[Any]:
    return cv2.resize(smooth(rng, size // 4 + 2, feature_px / 4), (size, size))
