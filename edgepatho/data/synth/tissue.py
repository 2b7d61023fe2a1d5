"""The layout of a tile: tumour, stroma, necrosis and empty space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from edgepatho.data.synth.noise import bump, fractal, smooth, smoothstep
from edgepatho.data.synth.style import Style

FULL_PX = 1228  # edge of a SHIDC tile: a field of 4912 x 3684 px cut 4 x 3
BORDER_WIDTH = {"sheet": 0.18, "nest": 0.10, "discohesive": 0.5, "cords": 0.12}
EMPTINESS = {"sheet": (1.9, 3.0), "nest": (1.2, 2.4), "discohesive": (0.45, 1.5), "cords": (1.0, 2.0)}
NECROSIS_SHARE = 0.06  # of tiles

Masks = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]  # tumour, lumen, direction of the nuclei


@dataclass
class Tissue:
    """Soft masks (0..1) on a grid of half the tile's resolution, [n, n]."""

    size: int  # of the tile, px
    tumour: NDArray[Any]
    empty: NDArray[Any]
    necrosis: NDArray[Any]
    flow: NDArray[Any]  # direction of the nuclei, radians

    @property
    def n(self) -> int:
        return len(self.tumour)

    @property
    def solid(self) -> NDArray[Any]:
        return 1 - self.empty

    @property
    def stroma(self) -> NDArray[Any]:
        stroma: NDArray[Any] = (1 - self.tumour) * (1 - self.necrosis) * self.solid
        return stroma

    @property
    def area(self) -> float:
        """The tile's area in full tiles."""
        return (self.size / FULL_PX) ** 2

    def at(self, field: NDArray[Any], places: list[tuple[float, float]]) -> NDArray[Any]:
        """Return a grid field's values at tile coordinates (x, y)."""
        points = (np.array(places) * self.n / self.size).astype(int).clip(0, self.n - 1)
        values: NDArray[Any] = field[points[:, 1], points[:, 0]]
        return values


def lay_out(rng: np.random.Generator, style: Style, size: int, share: float) -> Tissue:
    """Return a tissue whose tumour takes about `share` of the tile's area."""
    n = size // 2 + 1
    grow = GROWTH.get(style.architecture, _solid)
    tumour, lumen, flow = grow(rng, style, n, size, float(np.clip(share, 0.01, 0.97)))
    gaps = fractal(rng, n, [170, 70, 26, 9], [1, 0.65, 0.40, 0.16])
    emptiness = rng.uniform(*EMPTINESS.get(style.architecture, (1.2, 2.4)))
    if rng.random() < 0.10:  # fat or a lumen fills the tile
        emptiness = rng.uniform(-0.3, 0.4)
    empty = np.maximum(lumen, smoothstep(gaps, emptiness, emptiness + rng.uniform(0.25, 0.9)))
    necrosis = np.zeros_like(tumour)
    if rng.random() < NECROSIS_SHARE:
        necrosis = smoothstep(fractal(rng, n, [220, 60, 14], [1, 0.5, 0.15]), 0.2, 0.9)
    return Tissue(size, tumour * (1 - necrosis), empty, necrosis, flow)


def _solid(rng: np.random.Generator, style: Style, n: int, size: int, share: float) -> Masks:
    """Sheets, nests and cords, or cells that lost their neighbours."""
    feature = max(260 * min(size / FULL_PX, 1), 24)
    base = fractal(rng, n, [feature, 110, 48], [1, 0.6, 0.22])
    if style.architecture == "nest":
        base = fractal(rng, n, [0.6 * feature, 60, 24], [1, 0.5, 0.15])
    elif style.architecture == "cords":
        base = 1.0 - 1.6 * np.abs(fractal(rng, n, [190, 80], [1, 0.4]))
    border, width = float(np.quantile(base, 1 - share)), BORDER_WIDTH[style.architecture]
    tumour = smoothstep(base, border - width, border + width)
    lumen = np.zeros_like(tumour)
    if style.architecture in ("nest", "cords") and rng.random() < 0.6:  # retraction clefts
        cleft = bump(base - (border - 1.8 * width), 0.09) * smoothstep(smooth(rng, n, 60), -0.2, 0.6)
        lumen = 0.95 * cleft
    return tumour, lumen, rng.uniform(0, np.pi) + 0.7 * smooth(rng, n, 130)


def _glands(rng: np.random.Generator, style: Style, n: int, size: int, share: float) -> Masks:
    """Tubules: one or two rows of nuclei that stand upright around a lumen."""
    row = style.diameter_px * n / size
    lumen_radius = rng.uniform(1.0, 2.2) * row
    wall = rng.uniform(1.5, 2.3) * row
    pitch = 2.15 * (lumen_radius + wall) / np.sqrt(np.clip(share * 2.2, 0.25, 1))
    grid = np.mgrid[-pitch : n + pitch : pitch, -pitch : n + pitch : pitch].reshape(2, -1).T[:, ::-1]
    centres = grid + rng.normal(0, 0.16 * pitch, grid.shape)
    reach = np.exp(rng.normal(0, 0.2, len(centres)))
    y, x = np.mgrid[0:n, 0:n].astype(np.float32)
    warp = (smooth(rng, n, 60) * 0.25 * row, smooth(rng, n, 60) * 0.25 * row)
    points = np.stack([(x + warp[0]).ravel(), (y + warp[1]).ravel()], 1)
    distance, which = cKDTree(centres).query(points)
    away = (points - centres[which]).reshape(n, n, 2)
    radius = (distance / reach[which]).reshape(n, n).astype(np.float32)
    lumen = 1 - smoothstep(radius, lumen_radius - 2, lumen_radius + 2)
    tumour = (1 - lumen) * (1 - smoothstep(radius, lumen_radius + wall - 2, lumen_radius + wall + 2))
    return tumour, 0.97 * lumen, np.arctan2(away[..., 1], away[..., 0])


def _files(rng: np.random.Generator, style: Style, n: int, size: int, share: float) -> Masks:
    """Single files: rows one nucleus wide through dense stroma."""
    field = fractal(rng, n, [150, 60], [1, 0.35])
    across, along = (cv2.Sobel(field, cv2.CV_32F, dx, 1 - dx, ksize=3) / 8 for dx in (1, 0))
    spacing = 3.2 * style.diameter_px * n / size / np.sqrt(np.clip(2 * share, 0.4, 1.4))
    steepness = float(np.median(np.hypot(across, along))) * spacing
    phase = field / steepness - np.round(field / steepness)  # level lines, one a spacing
    off_px = np.abs(phase) * steepness / (np.hypot(across, along) + 0.2 * steepness / spacing)
    tumour = bump(off_px, 0.30 * style.diameter_px * n / size)
    return tumour, np.zeros_like(tumour), np.arctan2(along, across) + np.pi / 2


# Architectures beside the solid ones; training shows neither.
GROWTH: dict[str, Callable[[np.random.Generator, Style, int, int, float], Masks]] = {
    "glands": _glands,
    "files": _files,
}
