"""Painting cells into stain maps: chromatin, rims, nucleoli, halos."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.synth.cells import Cell
from edgepatho.data.synth.noise import bump
from edgepatho.data.synth.outline import Chromatin, Patch, patch
from edgepatho.data.synth.style import Style

CLUMPS = {"solid": 0.30, "til": 0.38, "fibroblast": 0.28, "endothelium": 0.24, "out of focus": 0.1}
BROWN_KINDS = ("positive", "brown stroma", "brown, out of focus")
COVER = 0.85  # share of the ground that a nucleus hides


@dataclass
class Stains:
    """Stain concentration (optical density) of every pixel, float32 [size, size] each."""

    hematoxylin: NDArray[Any]
    dab: NDArray[Any]
    matrix: NDArray[Any]


def paint(stains: Stains, cell: Cell, style: Style, rng: np.random.Generator, textures: Chromatin) -> None:
    """Add one cell to the stain maps."""
    halo = bool(cell.halo) or cell.brown == "halo"
    covered = patch(cell, rng, len(stains.dab), textures, 10 + (0.8 * cell.radius if halo else 0))
    if covered is None:
        return
    if cell.kind in ("smear", "debris"):
        stains.dab[covered.window] += cell.density * covered.inside * (1 + 0.3 * covered.fine)
        stains.hematoxylin[covered.window] += cell.hematoxylin * covered.inside
        return
    stains.matrix[covered.window] *= 1 - COVER * covered.inside
    if cell.kind in BROWN_KINDS:
        _positive(stains, cell, rng, covered)
        return
    texture = TEXTURES[style.texture] if cell.kind in ("vesicular", "solid") else None
    profile = (texture or (_vesicular if cell.kind == "vesicular" else _solid))(cell, rng, covered)
    blue = stains.hematoxylin[covered.window]
    over = 1 - 0.45 * covered.inside * (blue > 0.5 * cell.density)  # what is below is partly hidden
    stains.hematoxylin[covered.window] = (
        blue * over + cell.density * np.maximum(profile, 0.1) * covered.inside
    )
    if cell.brown:
        stains.dab[covered.window] += _brown(cell, style, rng, covered)


def _vesicular(cell: Cell, rng: np.random.Generator, patch: Patch) -> NDArray[Any]:
    """A pale nucleus: membrane, cleared and clumped chromatin, nucleoli."""
    profile = 0.86 + 0.22 * patch.coarse + 0.20 * patch.fine
    profile += patch.ring * rng.uniform(0.5, 1.3) * (1 + 0.3 * patch.coarse)
    for _ in range(rng.integers(0, 4)):
        profile += rng.uniform(0.6, 1.6) * _dot(cell, rng, patch, 0.4, (0.09, 0.17))
    return profile


def _solid(cell: Cell, rng: np.random.Generator, patch: Patch) -> NDArray[Any]:
    """A nucleus of even chromatin: tumour cell, lymphocyte, fibroblast or endothelium."""
    contrast = CLUMPS[cell.kind]
    profile = 1.0 + contrast * (0.8 * patch.coarse + 0.5 * patch.fine) + 0.22 * patch.ring
    profile *= 1 + 0.14 * _slope(cell, patch)
    return profile


def _punctate(cell: Cell, rng: np.random.Generator, patch: Patch) -> NDArray[Any]:
    """Salt and pepper: even ground with many small dark grains, no nucleoli."""
    grains = np.clip(1.6 * patch.fine + 0.5 * patch.coarse - 0.6, 0, 2.5)
    profile: NDArray[Any] = 0.7 + 0.75 * grains + 0.25 * patch.ring
    return profile


def _vacuolated(cell: Cell, rng: np.random.Generator, patch: Patch) -> NDArray[Any]:
    """Smudged chromatin pushed aside by one clear inclusion, and a groove along the nucleus."""
    angle, away = rng.uniform(0, 2 * np.pi), cell.radius * rng.uniform(0.35, 0.6)
    square = (patch.u - away * math.cos(angle)) ** 2 + (patch.v - away * math.sin(angle)) ** 2
    hole = np.exp(-((square / (cell.radius * rng.uniform(0.3, 0.42)) ** 2) ** 2))
    groove = bump(patch.v - 0.15 * cell.radius, 0.07 * cell.radius)
    profile: NDArray[Any] = (1.1 + 0.10 * patch.coarse) * (1 - 0.8 * hole) + 0.5 * groove * (1 - hole)
    return profile


# Of tumour negatives; None is what training shows: vesicular or solid.
TEXTURES: dict[str, Callable[[Cell, np.random.Generator, Patch], NDArray[Any]] | None] = {
    "plain": None,
    "punctate": _punctate,
    "vacuolated": _vacuolated,
}


def _brown(cell: Cell, style: Style, rng: np.random.Generator, patch: Patch) -> NDArray[Any]:
    """The DAB of a nucleus that is not immunopositive: faint, a rim, specks or a halo."""
    strength = min(style.stain.positive_density, 1.2) * rng.uniform(0.2, 0.7)
    if cell.brown == "blush":
        brown = 0.25 * cell.density * patch.inside * (1 + 0.5 * patch.coarse)
    elif cell.brown == "rim":
        brown = 0.6 * strength * patch.ring * np.clip(0.5 + _slope(cell, patch), 0, 1)
    elif cell.brown == "specks":
        dots = (_dot(cell, rng, patch, 0.9, (0.06, 0.12)) for _ in range(rng.integers(1, 5)))
        brown = strength * np.asarray(sum(dots))
    else:
        brown = 0.3 * strength * _halo(cell.radius * rng.uniform(0.2, 0.5), patch)
    return np.asarray(brown, np.float32)


def _positive(stains: Stains, cell: Cell, rng: np.random.Generator, patch: Patch) -> None:
    """A brown nucleus with clumps, sometimes uneven, and a halo of DAB."""
    contrast = 0.10 + 0.35 * rng.random()
    profile = 0.92 + contrast * (patch.coarse + 0.8 * patch.fine) + 0.18 * patch.ring
    if rng.random() < 0.5:
        for _ in range(rng.integers(1, 5)):
            profile += rng.uniform(0.3, 0.9) * _dot(cell, rng, patch, 0.55, (0.08, 0.17))
    if rng.random() < 0.25:
        profile *= 1 + 0.35 * _slope(cell, patch)
    over = 1 - 0.5 * patch.inside
    brown = cell.density * np.maximum(profile, 0.25) * patch.inside
    stains.dab[patch.window] = stains.dab[patch.window] * over + brown
    blue = cell.hematoxylin * patch.inside * (1 + 0.2 * patch.coarse)
    stains.hematoxylin[patch.window] = stains.hematoxylin[patch.window] * over + blue
    if cell.halo:
        stains.dab[patch.window] += 0.075 * min(cell.density, 1.2) * _halo(cell.halo * cell.radius, patch)


def _halo(width: float, patch: Patch) -> NDArray[Any]:
    near = bump(np.minimum(patch.distance, 0), width) * (1 - patch.inside)
    halo: NDArray[Any] = near * (1 + 0.3 * patch.coarse)
    return halo


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
