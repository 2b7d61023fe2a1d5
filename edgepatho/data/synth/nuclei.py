"""Painting cells into stain maps: outline, chromatin, rings, halos."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.synth.cells import Cell
from edgepatho.data.synth.noise import bump, grain
from edgepatho.data.synth.style import Style

GRAIN_PX = 512
CLUMPS = {"solid": 0.40, "til": 0.20, "spindle": 0.25}  # contrast of chromatin


@dataclass
class Stains:
    """Stain concentration (optical density) of every pixel, float32 [size, size] each."""

    hematoxylin: NDArray[Any]
    dab: NDArray[Any]
    matrix: NDArray[Any]


@dataclass
class Patch:
    """The part of a tile covered by one cell."""

    window: tuple[slice, slice]
    inside: NDArray[Any]  # 0..1
    distance: NDArray[Any]  # px from the outline, > 0 inside
    u: NDArray[Any]  # along the long axis
    v: NDArray[Any]
    fine: NDArray[Any]  # chromatin textures of unit variance
    coarse: NDArray[Any]
    ring: NDArray[Any]  # 1 along the membrane


@dataclass(frozen=True)
class Chromatin:
    """Two textures from which every nucleus takes a random piece."""

    fine: NDArray[Any]
    coarse: NDArray[Any]


def chromatin(seed: int) -> Chromatin:
    """Return the grain of nuclei, a fine and a coarse one, equal for equal seeds."""
    rng = np.random.default_rng([seed, 5])
    fine = 0.55 * grain(rng, GRAIN_PX, 1.6) + 0.45 * grain(rng, GRAIN_PX, 3.2)
    return Chromatin(fine, 0.5 * grain(rng, GRAIN_PX, 4.0) + 0.5 * grain(rng, GRAIN_PX, 8.0))


def paint(stains: Stains, cell: Cell, style: Style, rng: np.random.Generator, textures: Chromatin) -> None:
    """Add one cell to the stain maps."""
    patch = _patch(cell, rng, len(stains.dab), textures)
    if patch is None:
        return
    if cell.kind == "vesicular":
        _vesicular(stains, cell, style, rng, patch)
    elif cell.kind in CLUMPS:
        _solid(stains, cell, style, patch)
    elif cell.kind == "positive":
        _positive(stains, cell, style, rng, patch)
    elif cell.kind == "ghost":
        density = cell.density * style.hematoxylin_gain
        stains.hematoxylin[patch.window] += density * patch.inside * (1 + 0.15 * patch.coarse)
    else:  # a speck of pigment or a smear
        stains.dab[patch.window] += cell.density * patch.inside * (1 + 0.3 * patch.fine)
        stains.hematoxylin[patch.window] += cell.density * cell.hematoxylin_share * patch.inside


def _vesicular(stains: Stains, cell: Cell, style: Style, rng: np.random.Generator, patch: Patch) -> None:
    """A pale nucleus: membrane ring, sparse chromatin, nucleoli."""
    base = cell.density * style.hematoxylin_gain
    density = base * (0.55 + 0.42 * patch.coarse + 0.36 * patch.fine)
    density += patch.ring * base * rng.uniform(0.45, 1.1) * (1 + 0.35 * patch.coarse)
    for _ in range(rng.integers(0, 3)):
        density += base * rng.uniform(0.5, 1.3) * _dot(cell, rng, patch, 0.3, (0.10, 0.17))
    blue = stains.hematoxylin[patch.window]
    blue += np.maximum(density, 0.02) * patch.inside
    blue *= 1 - 0.35 * patch.inside * (blue > 3 * base)  # what is below is partly hidden
    stains.dab[patch.window] += cell.blush * patch.inside * (1 + 0.5 * patch.coarse)


def _solid(stains: Stains, cell: Cell, style: Style, patch: Patch) -> None:
    """A dark nucleus: tumour cell, lymphocyte or fibroblast."""
    base = cell.density * style.hematoxylin_gain
    contrast = CLUMPS[cell.kind]
    shade = 1 + 0.16 * _slope(cell, patch)
    density = base * (0.92 + contrast * patch.coarse + 0.5 * contrast * patch.fine) * shade
    density += 0.28 * base * patch.ring
    blue = stains.hematoxylin[patch.window]
    hidden = np.maximum(blue * (1 - 0.55 * patch.inside), blue * 0.25)
    stains.hematoxylin[patch.window] = hidden + np.maximum(density, 0.03) * patch.inside
    stains.dab[patch.window] += cell.blush * patch.inside * (1 + 0.5 * patch.coarse)
    if cell.kind == "til":
        stains.matrix[patch.window] += 0.03 * bump(np.minimum(patch.distance, 0), 5) * (patch.distance < 0)


def _positive(stains: Stains, cell: Cell, style: Style, rng: np.random.Generator, patch: Patch) -> None:
    """A brown nucleus with clumps, sometimes uneven, and a halo of DAB."""
    base = cell.density * style.dab_gain
    contrast = 0.20 + 0.35 * rng.random()
    density = base * (0.86 + contrast * patch.coarse + 0.9 * contrast * patch.fine) + 0.22 * base * patch.ring
    if rng.random() < 0.6:
        for _ in range(rng.integers(1, 5)):
            density += base * rng.uniform(0.35, 1.0) * _dot(cell, rng, patch, 0.55, (0.08, 0.17))
    if rng.random() < 0.25:
        density *= 1 + 0.35 * _slope(cell, patch)
    over = 1 - 0.5 * patch.inside
    stains.dab[patch.window] = stains.dab[patch.window] * over + np.maximum(density, 0.05) * patch.inside
    blue = (0.05 + 0.20 * base * cell.hematoxylin_share) * style.hematoxylin_gain
    stains.hematoxylin[patch.window] *= over
    stains.hematoxylin[patch.window] += blue * patch.inside * (1 + 0.2 * patch.coarse)
    halo = bump(np.minimum(patch.distance, 0), cell.halo * cell.radius) * (1 - patch.inside)
    stains.dab[patch.window] += 0.075 * min(base, 1.2) * halo * (1 + 0.3 * patch.coarse)


def _dot(
    cell: Cell, rng: np.random.Generator, patch: Patch, spread: float, width: tuple[float, float]
) -> NDArray[Any]:
    """A nucleolus or clump at a random place inside the nucleus; `spread` is the share of its area."""
    angle, away = rng.uniform(0, 2 * np.pi), cell.radius * math.sqrt(rng.uniform(0, spread))
    square = (patch.u - away * math.cos(angle)) ** 2 + (patch.v - away * math.sin(angle)) ** 2
    dot: NDArray[Any] = np.exp(-square / (cell.radius * rng.uniform(*width)) ** 2)
    return dot


def _slope(cell: Cell, patch: Patch) -> NDArray[Any]:
    return (patch.u * math.cos(cell.lit_from) + patch.v * math.sin(cell.lit_from)) / cell.radius


def _patch(cell: Cell, rng: np.random.Generator, size: int, textures: Chromatin) -> Patch | None:
    placed = _outline(cell, rng, size, 10 + (0.8 * cell.radius if cell.kind == "positive" else 0))
    if placed is None:
        return None
    rows, columns, distance, u, v = placed
    inside = 1 / (1 + np.exp(np.clip(-distance / cell.softness, -30, 30)))
    fine, coarse = (_piece(rng, bank, distance.shape) for bank in (textures.fine, textures.coarse))
    return Patch((rows, columns), inside, distance, u, v, fine, coarse, bump(distance - 2.2, 2.4))


def _piece(rng: np.random.Generator, bank: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    y, x = rng.integers(0, GRAIN_PX - shape[0]), rng.integers(0, GRAIN_PX - shape[1])
    piece = bank[y : y + shape[0], x : x + shape[1]]
    return piece[::-1] if rng.random() < 0.5 else piece


def _outline(cell: Cell, rng: np.random.Generator, size: int, padding: float) -> tuple[Any, ...] | None:
    """Return (rows, columns), signed distance (px, > 0 inside), and the two axes' coordinates around `cell`.

    The outline is an ellipse with five random harmonics and a bend. None if it lies outside the tile.
    """
    reach = min(int(np.ceil(cell.radius * max(cell.aspect, 1) ** 0.5 * 1.3 + padding)), 250)
    left, right = int(max(0, cell.x - reach)), int(min(size, cell.x + reach + 1))
    top, bottom = int(max(0, cell.y - reach)), int(min(size, cell.y + reach + 1))
    if right - left < 3 or bottom - top < 3:
        return None
    x, y = np.meshgrid(
        np.arange(left, right, dtype=np.float32) - np.float32(cell.x),
        np.arange(top, bottom, dtype=np.float32) - np.float32(cell.y),
    )
    cos, sin = math.cos(cell.angle), math.sin(cell.angle)
    u, v = cos * x + sin * y, -sin * x + cos * y
    if cell.bend:
        v = v - np.float32(cell.bend) * (u * u / (cell.radius * cell.aspect) - 0.25 * cell.radius)
    long, short = cell.radius * math.sqrt(cell.aspect), cell.radius / math.sqrt(cell.aspect)
    theta = np.arctan2(v / short, u / long)
    rho = np.sqrt((u / long) ** 2 + (v / short) ** 2) + 1e-6
    border = np.ones_like(rho)
    for harmonic in range(1, 6):
        amplitude = np.float32(cell.roughness * rng.normal(0, 1.0 / harmonic**0.9))
        border += amplitude * np.cos(harmonic * theta + np.float32(rng.uniform(0, 2 * np.pi)))
    distance = np.where(rho > 1e-3, (border / rho - 1) * np.hypot(x, y), cell.radius)
    rows, columns = slice(top, bottom), slice(left, right)
    return rows, columns, np.clip(distance, -4 * cell.radius, cell.radius), u, v
