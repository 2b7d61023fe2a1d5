"""The tissue around the nuclei: fibres, membranes, cytoplasm, necrosis."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from edgepatho.data.synth.noise import bump, fractal, grain, smooth, smoothstep
from edgepatho.data.synth.style import Style
from edgepatho.data.synth.tissue import Tissue

USUAL_DENSITY = 0.20  # of a negative nucleus, at which the ground has its written strength


def ground(
    rng: np.random.Generator, style: Style, tissue: Tissue, nuclei: list[tuple[float, float]], radius: float
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return the hematoxylin, DAB and matrix maps [size, size] without cells.

    `nuclei` are the centres of the tumour cells, with cytoplasm around them; `radius` is typical, in px.
    Tumour and stroma have the same hues, so that the background of a nucleus does not identify it.
    """
    n, tumour, solid, necrosis = tissue.n, tissue.tumour, tissue.solid, tissue.necrosis
    mottled = fractal(rng, n, [40, 14, 6, 3], [0.6, 0.7, 0.55, 0.4])
    cytoplasm = _cytoplasm(rng, tissue, nuclei, radius, mottled)
    fibres = _fibres(rng, n) * smoothstep(smooth(rng, n, 45), -1.2, 0.8)
    loose = smoothstep(smooth(rng, n, 120), -0.9, 1.1)
    strands = np.clip(0.25 + 0.75 * mottled, 0, 2.5)
    collagen = 0.014 + 0.03 * loose + 0.05 * fibres * (0.4 + 0.6 * loose) + 0.012 * strands
    cells = style.cytoplasm * (0.25 + 0.85 * cytoplasm + 0.18 * strands * loose)
    matrix = solid * (tumour * cells + (1 - tumour - necrosis).clip(0) * collagen)
    matrix += 0.05 * _membranes(rng, n) * solid * (1 - tumour) * (0.3 + 0.7 * loose)
    matrix += necrosis * solid * (0.05 + 0.05 * np.clip(mottled, -0.6, 3) + 0.03 * _crisp(rng, n))
    matrix += solid * (0.004 + 0.14 * matrix) * _crisp(rng, n)
    edge = cv2.GaussianBlur(tissue.empty, (0, 0), 2.5)
    matrix += 0.025 * np.clip(4 * edge * (1 - edge), 0, 1) * solid * np.clip(0.5 + 0.7 * mottled, 0, 2)
    strength = style.stain.negative_density / USUAL_DENSITY
    hematoxylin = solid * 0.010 * np.clip(1 + mottled, 0, None) + necrosis * 0.02 * np.clip(mottled, 0, 3)
    dab = np.clip(0.6 + 0.5 * smooth(rng, n, 130) + 0.25 * mottled, 0, None) * style.diffuse_dab * solid
    maps = (strength * hematoxylin, dab * (0.6 + 0.4 * tumour), strength * matrix)
    return tuple(_enlarge(np.clip(m, 0, None), tissue.size) for m in maps)  # type: ignore


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
