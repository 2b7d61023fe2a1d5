"""The tissue around the cells: tumour, stroma, empty space, fibres, membranes, cytoplasm."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from edgepatho.data.synth.noise import bump, fractal, grain, smooth, smoothstep
from edgepatho.data.synth.style import Style

FULL_PX = 1228  # edge of a SHIDC tile: a field of 4912 x 3684 px cut 4 x 3
TUMOUR_BORDER = {
    "sheet": (-1.6, -0.5),
    "nest": (-0.5, 0.35),
    "discohesive": (-1.2, -0.2),
    "cords": (-0.2, 0.4),
}
BORDER_WIDTH = {"sheet": 0.25, "nest": 0.12, "discohesive": 0.5, "cords": 0.15}
EMPTINESS = {"sheet": (1.9, 3.0), "nest": (1.2, 2.4), "discohesive": (0.45, 1.5), "cords": (1.0, 2.0)}


@dataclass
class Tissue:
    """Soft masks (0..1) on a grid of half the tile's resolution, [n, n]."""

    size: int  # of the tile, px
    tumour: NDArray[Any]
    empty: NDArray[Any]

    @property
    def n(self) -> int:
        return len(self.tumour)

    @property
    def solid(self) -> NDArray[Any]:
        return 1 - self.empty

    @property
    def area(self) -> float:
        """The tile's area in full tiles."""
        return (self.size / FULL_PX) ** 2

    def at(self, field: NDArray[Any], places: list[tuple[float, float]]) -> NDArray[Any]:
        """Return a grid field's values at tile coordinates (x, y)."""
        points = (np.array(places) * self.n / self.size).astype(int).clip(0, self.n - 1)
        values: NDArray[Any] = field[points[:, 1], points[:, 0]]
        return values


def lay_out(rng: np.random.Generator, style: Style, size: int) -> Tissue:
    """Return where there is tumour and where there is empty space."""
    n = size // 2 + 1
    feature = max(260 * min(size / FULL_PX, 1), 24)
    base = fractal(rng, n, [feature, 110, 48], [1, 0.6, 0.22])
    if style.architecture == "cords":
        base = 1.0 - 1.6 * np.abs(fractal(rng, n, [190, 80], [1, 0.4]))
    border, width = rng.uniform(*TUMOUR_BORDER[style.architecture]), BORDER_WIDTH[style.architecture]
    tumour = smoothstep(base, border - width, border + width)
    gaps = fractal(rng, n, [170, 70, 26, 9], [1, 0.65, 0.40, 0.16])
    emptiness = rng.uniform(*EMPTINESS[style.architecture])
    if rng.random() < 0.12:  # fat or a lumen fills the tile
        emptiness = rng.uniform(-0.3, 0.4)
    empty = smoothstep(gaps, emptiness, emptiness + rng.uniform(0.25, 0.9))
    if style.architecture in ("nest", "cords") and rng.random() < 0.7:  # retraction clefts
        cleft = bump(base - (border - 0.18), 0.10) * smoothstep(smooth(rng, n, 60), -0.2, 0.6)
        empty = np.maximum(empty, 0.95 * cleft)
    return Tissue(size, tumour, empty)


def ground(
    rng: np.random.Generator, style: Style, tissue: Tissue, nuclei: list[tuple[float, float]], radius: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the hematoxylin, DAB and matrix maps [size, size] without cells.

    `nuclei` are the centres of the tumour cells, with cytoplasm around them; `radius` is typical, in px.
    """
    n, tumour, solid = tissue.n, tissue.tumour, tissue.solid
    mottled = fractal(rng, n, [40, 14, 6, 3], [0.6, 0.7, 0.55, 0.4])
    cytoplasm = _cytoplasm(rng, tissue, nuclei, radius, mottled)
    fibres = _fibres(rng, n) * smoothstep(smooth(rng, n, 45), -1.2, 0.8)
    loose = smoothstep(smooth(rng, n, 120), -0.9, 1.1)
    strands = np.clip(0.25 + 0.75 * mottled, 0, 2.5)
    stroma = 0.008 + 0.026 * loose + 0.07 * fibres * (0.4 + 0.6 * loose) + 0.016 * strands * (1 - 0.5 * loose)
    cells = style.cytoplasm * tumour * (0.10 + 1.25 * cytoplasm + 0.22 * strands * loose)
    matrix = solid * (cells + (1 - tumour) * stroma)
    membranes = _membranes(rng, n)
    where = solid * (0.25 + 0.75 * (1 - tumour)) * (0.45 + 0.55 * loose)
    matrix += style.membranes * membranes * where
    matrix += solid * (0.006 + 0.16 * matrix) * _crisp(rng, n)
    edge = cv2.GaussianBlur(tissue.empty, (0, 0), 2.5)
    matrix += 0.025 * np.clip(4 * edge * (1 - edge), 0, 1) * solid * np.clip(0.5 + 0.7 * mottled, 0, 2)
    hematoxylin = where * style.membranes * 0.7 * membranes
    hematoxylin += solid * (
        (1 - tumour) * 0.03 * np.clip(fibres, 0, 3) + 0.010 * np.clip(1 + mottled, 0, None)
    )
    dab = (
        np.clip(0.6 + 0.5 * smooth(rng, n, 130) + 0.25 * mottled, 0, None)
        * style.diffuse_dab
        * solid
        * tumour
    )
    return tuple(_enlarge(np.clip(m, 0, None), tissue.size) for m in (hematoxylin, dab, matrix))  # type: ignore


def _cytoplasm(
    rng: np.random.Generator,
    tissue: Tissue,
    nuclei: list[tuple[float, float]],
    radius: float,
    mottled: NDArray[Any],
) -> NDArray[Any]:
    """Bodies around the nuclei and membranes halfway between them, like a Voronoi diagram."""
    n = tissue.n
    if len(nuclei) < 4:
        return np.zeros((n, n), np.float32)
    y, x = np.mgrid[0:n:2, 0:n:2]
    wobble = smooth(rng, n, 24)[::2, ::2] * 3.0
    points = np.stack([(x + wobble).ravel(), (y + wobble.T).ravel()], 1)
    distances, _ = cKDTree(np.array(nuclei, np.float32) * n / tissue.size).query(points, k=2)
    nearest, second = (
        cv2.resize(d.reshape(x.shape).astype(np.float32), (n, n), interpolation=cv2.INTER_CUBIC)
        for d in distances.T
    )
    reach = radius * n / tissue.size
    body = np.exp(-((nearest / (reach * 2.15)) ** 4))
    membrane = bump(second - nearest, 2.6) * (nearest < 2.3 * reach) * np.clip(0.75 + 0.6 * mottled, 0, 2)
    cytoplasm: NDArray[Any] = body * (0.8 + 0.22 * mottled) + 0.55 * membrane
    return cytoplasm


def _fibres(rng: np.random.Generator, n: int) -> NDArray[Any]:
    """Wavy strands: ridges of noise stretched along a warped direction."""
    angle = rng.uniform(0, np.pi)
    y, x = np.mgrid[0:n, 0:n].astype(np.float32)
    warp_x, warp_y = (smooth(rng, n, 150) * 42 + smooth(rng, n, 50) * 9 for _ in range(2))
    along = math.cos(angle) * x + math.sin(angle) * y + warp_x
    across = -math.sin(angle) * x + math.cos(angle) * y + warp_y
    total = np.zeros((n, n), np.float32)
    for width, length, weight in ((6, 60, 1.0), (14, 150, 0.8)):
        noise = ndimage.gaussian_filter(rng.standard_normal((256, 256)).astype(np.float32), 0.8, mode="wrap")
        noise /= noise.std()
        u, v = np.mod(along / length, 256), np.mod(across / width, 256)
        total += weight * bump(cv2.remap(noise, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP), 0.42)
    return total


def _membranes(rng: np.random.Generator, n: int) -> NDArray[Any]:
    """Thin curved lines of nearly constant width: the zero level of a random field."""

    def lines(features: list[int], width: float) -> NDArray[Any]:
        field = fractal(rng, n, features, [1, 0.55, 0.25])
        slopes = [cv2.Sobel(field, cv2.CV_32F, dx, 1 - dx, ksize=3) for dx in (1, 0)]
        return bump(field / (np.hypot(*slopes) / 8 + 1e-3), width)

    thin = lines([56, 22, 8], rng.uniform(1.0, 1.7)) * smoothstep(smooth(rng, n, 34), -0.3, 1.2)
    fine = lines([34, 15, 7], rng.uniform(1.0, 1.6)) * smoothstep(smooth(rng, n, 45), 0.2, 1.5)
    return (thin + 0.5 * fine) * np.clip(0.55 + 0.45 * smooth(rng, n, 6), 0, 1.6)


def _crisp(rng: np.random.Generator, n: int) -> NDArray[Any]:
    piece = 0.5 * grain(rng, 512, 1.1) + 0.5 * grain(rng, 512, 2.2)
    return np.tile(piece, (n // 512 + 1, n // 512 + 1))[:n, :n]


def _enlarge(field: NDArray[Any], size: int) -> NDArray[Any]:
    return cv2.resize(field.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
