"""Stain in optical density: the stains of a picture, and the picture in other stains.

Light falls exponentially with the amount of stain (Beer and Lambert), so optical densities of stains add: a
pixel's density is its amounts of stain times the stains' vectors (Ruifrok & Johnston 2001, Quantification of
histochemical staining by color deconvolution, Anal Quant Cytol Histol 23:291-299).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

HEMATOXYLIN = np.array([0.650, 0.704, 0.286])  # optical density of R, G, B (Ruifrok & Johnston 2001)
DAB = np.array([0.268, 0.570, 0.776])
BACKGROUND_PERCENTILE = 97
STAINED = 0.1  # optical density above which a pixel shows a stain's direction
STAINED_SHARE = 0.003  # of the pixels a stain must have to be measured
DOMINANCE = 1.25  # of red over blue in hematoxylin, of blue over red in DAB; between, they are mixed
MIN_ANGLE_DEGREES = 15.0  # between the stains; vectors closer than this cannot be separated


@dataclass(frozen=True)
class Staining:
    """Stain vectors [3] of unit length, optical density of R, G, B; `background` [3] is R, G, B of 0..255."""

    hematoxylin: Float64
    dab: Float64
    background: Float64

    def matrix(self) -> Float64:
        """Return the vectors of hematoxylin, DAB and the direction normal to both as rows [3, 3]."""
        rows = np.stack([self.hematoxylin, self.dab, np.cross(self.hematoxylin, self.dab)])
        matrix: Float64 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return matrix


def estimate(tile: NDArray[np.uint8]) -> Staining:
    """Return the stains of `tile` uint8 [h, w, 3], measured on every fourth row and column.

    The background is a high percentile of each channel. A stain's vector is the sum of the densities of its
    pixels, each times its strength; hematoxylin absorbs clearly more red than blue, DAB more blue than red. A
    stain with too few pixels gets the vector of Ruifrok & Johnston; so do both if they are hardly apart.
    """
    pixels = tile[::4, ::4].reshape(-1, 3)
    background = np.maximum(np.percentile(pixels, BACKGROUND_PERCENTILE, axis=0), 1)
    densities = np.log(background / np.maximum(pixels, 1))
    strength = np.linalg.norm(densities, axis=1)
    red, blue = densities[:, 0], densities[:, 2]
    published = unit(HEMATOXYLIN), unit(DAB)
    vectors = []
    for vector, own in zip(published, (red > DOMINANCE * blue, blue > DOMINANCE * red), strict=True):
        chosen = own & (strength > STAINED)
        enough = np.count_nonzero(chosen) >= STAINED_SHARE * len(pixels)
        vectors.append(unit((densities[chosen] * strength[chosen, None]).sum(axis=0)) if enough else vector)
    if vectors[0] @ vectors[1] > np.cos(np.radians(MIN_ANGLE_DEGREES)):
        vectors = list(published)
    return Staining(vectors[0], vectors[1], background)


def restained(
    image: NDArray[np.uint8], old: Staining, new: Staining, gains: tuple[float, float] = (1.0, 1.0)
) -> Float32:
    """Return `image` [h, w, 3] with stains `new` instead of `old`, in amounts times `gains`.

    What neither stain explains keeps its amount. Float32 in levels of 0..255, neither rounded nor clipped.
    """
    import cv2

    change = cv2.invert(old.matrix())[1] @ (np.array([*gains, 1.0])[:, None] * new.matrix())
    levels = np.maximum(np.arange(256), 0.5)[:, None]  # black has no logarithm
    table = np.log(old.background / levels).astype(np.float32)
    densities = cv2.LUT(np.ascontiguousarray(image), table[None])
    transmitted = np.exp(cv2.transform(densities, -change.T.astype(np.float32)))
    return np.asarray(transmitted * new.background.astype(np.float32), np.float32)


def unit(vector: Float64) -> Float64:
    """Return `vector` at length 1."""
    scaled: Float64 = vector / np.linalg.norm(vector)
    return scaled
