"""Pictures that no network for Ki-67 tiles should be believed on, made from synthetic tiles or painted.

Each function takes a tile at the network's scale, uint8 [256, 256, 3], its labelled cells [n, 3] of x, y and
label, a share 0..1 that is the picture's place in its set, and a random generator; it returns a picture of
the same size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from edgepatho.data.stain import Staining, estimate, unit

Picture = NDArray[np.uint8]
Cells = NDArray[np.float64]

EOSIN = np.array([0.072, 0.990, 0.105])  # optical density of R, G, B (Ruifrok & Johnston 2001)
HUE_DEGREES = (40, 320)


def inverted(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """The negative."""
    return np.bitwise_not(tile)


def hue_rotated(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """The hue turned by 40 to 320 degrees, evenly over the set."""
    return _turned(tile, HUE_DEGREES[0] + share * (HUE_DEGREES[1] - HUE_DEGREES[0]))


def hue_rotated_40(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """The hue turned by exactly 40 degrees."""
    return _turned(tile, 40)


def hue_rotated_minus_40(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """The hue turned by exactly -40 degrees."""
    return _turned(tile, 320)


def grey(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """Black and white."""
    return np.repeat(cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def empty(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """Glass without tissue: uneven light, noise, a few grains of dust."""
    size = len(tile)
    y, x = np.mgrid[:size, :size]
    light = (rng.uniform(205, 250) + rng.uniform(-8, 8, 3)) * np.ones((size, size, 1))
    light *= 1 - rng.uniform(0, 0.04) * (np.hypot(x - size / 2, y - size / 2) / size)[..., None]
    for _ in range(rng.integers(4)):
        grain_x, grain_y = rng.uniform(0, size, 2)
        grain = np.exp(-((x - grain_x) ** 2 + (y - grain_y) ** 2) / rng.uniform(1, 3) ** 2)
        light *= 1 - 0.4 * grain[..., None]
    return _levels(light + rng.uniform(0.5, 3) * rng.standard_normal(light.shape))


def h_and_e(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """Hematoxylin and eosin: all nuclei blue, cytoplasm and stroma pink."""
    blue, brown, stains = _amounts(tile)
    nuclei = blue + 0.6 * brown
    tissue = cv2.GaussianBlur(blue + brown, (0, 0), 4)
    fibres = cv2.GaussianBlur(rng.standard_normal(tissue.shape), (0, 0), 1.5)
    texture = np.clip(1 + 0.3 * fibres / fibres.std(), 0, 2)
    pink = rng.uniform(0.15, 0.5) * np.minimum(tissue / np.percentile(tissue, 70), 1) * texture
    return _stained(stains, (nuclei, stains.hematoxylin), (pink * np.exp(-2 * nuclei), unit(EOSIN)))


def membrane(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """A membrane marker (as HER2): DAB along the borders of tumour cells, their nuclei blue."""
    blue, brown, stains = _amounts(tile)
    nuclei = blue + 0.4 * brown
    nuclei = np.minimum(nuclei, np.percentile(nuclei, 99))
    rims = _borders(cells[cells[:, 2] < 3, :2], len(tile), rng)
    return _stained(stains, (nuclei, stains.hematoxylin), (rims, stains.dab))


def fluorescence(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """Immunofluorescence: blue and green nuclei on black."""
    blue, brown, _ = _amounts(tile)
    light = np.stack([60 * brown, 250 * brown, 300 * blue], axis=-1) + 8
    return _levels(light + 3 * rng.standard_normal(light.shape))


def hematoxylin_only(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """The DAB taken away, as if it had never been applied."""
    blue, _, stains = _amounts(tile)
    return _stained(stains, (blue, stains.hematoxylin))


def dab_only(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """The counterstain taken away."""
    _, brown, stains = _amounts(tile)
    return _stained(stains, (brown, stains.dab))


def out_of_focus(tile: Picture, cells: Cells, share: float, rng: np.random.Generator) -> Picture:
    """Blurred by a Gaussian of 2 network pixels, about a third of a nucleus."""
    return np.asarray(cv2.GaussianBlur(tile, (0, 0), 2), np.uint8)


SETS: dict[str, Callable[[Picture, Cells, float, np.random.Generator], Picture]] = {
    "inverted": inverted,
    "hue rotated by 40 to 320 degrees": hue_rotated,
    "hue rotated by 40 degrees": hue_rotated_40,
    "hue rotated by -40 degrees": hue_rotated_minus_40,
    "H&E-like": h_and_e,
    "grey": grey,
    "empty": empty,
    "membrane stain": membrane,
    "fluorescence": fluorescence,
    "hematoxylin only": hematoxylin_only,
    "DAB only": dab_only,
    "out of focus": out_of_focus,
}


def _turned(tile: Picture, degrees: float) -> Picture:
    hsv = cv2.cvtColor(tile, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] = (hsv[..., 0].astype(int) + round(degrees * 256 / 360)) % 256
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL), np.uint8)


def _amounts(tile: Picture) -> tuple[NDArray[Any], NDArray[Any], Staining]:
    """The amounts of hematoxylin and of DAB, at least 0, [256, 256] each, and the stains of a tile."""
    stains = estimate(tile)
    density = np.log(stains.background / np.maximum(tile, 0.5))
    amounts = np.maximum(density @ np.linalg.inv(stains.matrix()), 0)
    return amounts[..., 0], amounts[..., 1], stains


def _stained(stains: Staining, *layers: tuple[NDArray[Any], NDArray[Any]]) -> Picture:
    """The picture of amounts of stain, each with its vector."""
    density = sum(amount[..., None] * vector for amount, vector in layers)
    return _levels(stains.background * np.exp(-density))


def _borders(centres: Cells, size: int, rng: np.random.Generator) -> NDArray[Any]:
    """The amount of DAB on the borders of cells: between neighbours, else around each; some are unstained."""
    if len(centres) < 2:
        return np.zeros((size, size))
    y, x = np.mgrid[:size, :size]
    distance, nearest = cKDTree(centres).query(np.column_stack([x.ravel(), y.ravel()]), k=2)
    first, second = (distance[:, at].reshape(size, size) for at in (0, 1))
    radius, width = rng.uniform(7, 10), rng.uniform(0.6, 1.1)
    to_border = np.minimum((second - first) / 2, radius - first)
    strength = rng.uniform(0.4, 1.3, len(centres)) * (rng.random(len(centres)) < rng.uniform(0.6, 1))
    line = np.exp(-0.5 * (to_border / width) ** 2) * (first < radius + 2)
    cytoplasm = rng.uniform(0.02, 0.2) * (first < radius)
    amount = rng.uniform(0.5, 1.6) * strength[nearest[:, 0].reshape(size, size)] * (line + cytoplasm)
    return np.asarray(cv2.GaussianBlur(amount, (0, 0), 0.5))


def _levels(light: NDArray[Any]) -> Picture:
    levels: Picture = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    return levels
