"""Random textures, the source of everything irregular in a tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Field = NDArray[Any]  # float32 [n, n]


def smooth(rng: np.random.Generator, n: int, feature_px: float) -> Field:
    """Return a smooth random field of zero mean and unit variance with features of about `feature_px`."""
    coarse = max(4, int(np.ceil(n / feature_px)) + 4)
    seeds = rng.standard_normal((coarse, coarse)).astype(np.float32)
    field = cv2.resize(seeds, None, fx=feature_px, fy=feature_px, interpolation=cv2.INTER_CUBIC)
    y, x = rng.integers(0, int(feature_px) + 1, 2)
    field = field[y : y + n, x : x + n]
    normalized: Field = (field - field.mean()) / (field.std() + 1e-6)
    return normalized


def fractal(
    rng: np.random.Generator, n: int, features_px: Sequence[float], weights: Sequence[float]
) -> Field:
    """Return a weighted sum of smooth fields, scaled to about unit variance."""
    total = sum(w * smooth(rng, n, feature) for feature, w in zip(features_px, weights, strict=True))
    return np.asarray(total) / np.float32(np.sqrt(np.sum(np.square(weights))))


def grain(rng: np.random.Generator, n: int, sigma_px: float) -> Field:
    """Return white noise blurred by `sigma_px`, of unit variance, that repeats seamlessly."""
    field: Field = ndimage.gaussian_filter(
        rng.standard_normal((n, n)).astype(np.float32), sigma_px, mode="wrap"
    )
    normalized: Field = field / field.std()
    return normalized


def smoothstep(x: Field, low: float, high: float) -> Field:
    """Return 0 below `low`, 1 above `high`, and a smooth ramp between."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def bump(x: Field, width: float) -> Field:
    """Return exp(-(x / width)^2)."""
    height: Field = np.exp(-((x / width) ** 2))
    return height
