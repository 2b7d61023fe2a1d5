"""The part of a tile covered by one nucleus: outline and chromatin texture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.synth.cells import Cell
from edgepatho.data.synth.noise import bump, grain

GRAIN_PX = 512
LONGEST_PX = 250


@dataclass
class Patch:
    """The part of a tile covered by one cell; fields are float32 [rows, columns]."""

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
    fine = 0.6 * grain(rng, GRAIN_PX, 1.3) + 0.4 * grain(rng, GRAIN_PX, 2.6)
    return Chromatin(fine, 0.5 * grain(rng, GRAIN_PX, 4.0) + 0.5 * grain(rng, GRAIN_PX, 8.0))


def patch(
    cell: Cell, rng: np.random.Generator, size: int, textures: Chromatin, padding: float
) -> Patch | None:
    """Return the patch of a cell, `padding` px wider than its nucleus; None outside the tile."""
    placed = _outline(cell, rng, size, padding)
    if placed is None:
        return None
    rows, columns, distance, u, v = placed
    inside = 1 / (1 + np.exp(np.clip(-distance / np.float32(cell.softness), -30, 30)))
    fine, coarse = (_piece(rng, bank, distance.shape) for bank in (textures.fine, textures.coarse))
    return Patch((rows, columns), inside, distance, u, v, fine, coarse, bump(distance - np.float32(2.2), 2.0))


def _piece(rng: np.random.Generator, bank: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    y, x = rng.integers(0, GRAIN_PX - shape[0]), rng.integers(0, GRAIN_PX - shape[1])
    piece = bank[y : y + shape[0], x : x + shape[1]]
    return piece[::-1] if rng.random() < 0.5 else piece


def _outline(cell: Cell, rng: np.random.Generator, size: int, padding: float) -> tuple[Any, ...] | None:
    """Return (rows, columns), signed distance (px, > 0 inside), and the two axes' coordinates around `cell`.

    The outline is an ellipse with five random harmonics and a bend. None if it lies outside the tile.
    """
    reach = min(int(np.ceil(cell.radius * max(cell.aspect, 1) ** 0.5 * 1.3 + padding)), LONGEST_PX)
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
