"""Prepared folders whose tiles are normalised to one stain: Macenko et al. (2009) or Reinhard et al. (2001).

Macenko, A method for normalizing histology slides for quantitative analysis, ISBI 2009, 1107-1110; Reinhard,
Color transfer between images, IEEE CG&A 21(5):34-41, 2001. Both as in torchstain. The target is the median of
the training tiles.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgepatho.data.prepare import MARKER, SPLITS, arrays, check_prepared
from edgepatho.files import canonical_json, folder_aside

Tile = NDArray[np.uint8]
Normaliser = Callable[[Tile], Tile | None]  # None for a tile that has too little to measure

INCIDENT, LEAST_DENSITY = 240, 0.15  # Macenko's Io and beta
LEAST_STAINED = 0.01  # of the pixels: below, a tile is as good as empty
LEAST_ANGLE_DEGREES = 15.0  # between the two vectors: below, there is one stain
REFERENCE_TILES = 64


def normaliser(kind: str, training: NDArray[np.uint8]) -> Normaliser:
    """Return the normalisation "macenko" or "reinhard" to the median of tiles uint8 [n, h, w, 3]."""
    chosen = np.unique(np.linspace(0, len(training) - 1, min(REFERENCE_TILES, len(training))).astype(int))
    return {"macenko": _macenko, "reinhard": _reinhard}[kind](training[chosen])


def write(source: Path, output: Path, kind: str, training: NDArray[np.uint8]) -> int:
    """Write the prepared folder `source` with normalised tiles to `output`, if it is not there yet.

    Return the number of tiles that were kept as they are.
    """
    about = check_prepared(source)
    target = hashlib.sha256(np.ascontiguousarray(training).tobytes()).hexdigest()
    sha256 = hashlib.sha256(canonical_json([about["sha256"], kind, target]).encode()).hexdigest()
    if output.exists() and (found := check_prepared(output))["sha256"] == sha256:
        return int(found["kept_as_they_are"])
    normalise, kept = normaliser(kind, training), 0
    with folder_aside(output, MARKER) as aside:
        for name in SPLITS:
            for file in (f"{name}.json", f"{name}_labels.npy"):
                shutil.copyfile(source / file, aside / file)
            tiles = np.array(arrays(source, name)[0])
            for tile in tiles:
                normalised = normalise(tile)
                kept += normalised is None
                if normalised is not None:
                    tile[...] = normalised
            np.save(aside / f"{name}_images.npy", tiles)
        about |= {"sha256": sha256, "normalised": kind, "kept_as_they_are": kept}
        (aside / MARKER).write_text(json.dumps(about, indent=1) + "\n")
    return kept


def _macenko(training: NDArray[np.uint8]) -> Normaliser:
    from torchstain.numpy.normalizers import NumpyMacenkoNormalizer

    def measured(tile: Tile) -> Any | None:
        """The tile's own vectors and strengths, or None if it has no two stains."""
        if not _is_stained(tile):
            return None
        own = NumpyMacenkoNormalizer()
        try:
            own.fit(tile, Io=INCIDENT, beta=LEAST_DENSITY)
        except (np.linalg.LinAlgError, IndexError, ValueError):
            return None
        vectors, strengths = own.HERef, own.maxCRef
        if not (np.isfinite(vectors).all() and np.isfinite(strengths).all() and (strengths > 0).all()):
            return None
        apart = np.degrees(np.arccos(np.clip(vectors[:, 0] @ vectors[:, 1], -1, 1)))
        return own if LEAST_ANGLE_DEGREES <= apart <= 180 - LEAST_ANGLE_DEGREES else None

    found = [own for tile in training if (own := measured(tile)) is not None]
    reference = NumpyMacenkoNormalizer()
    if found:
        vectors = np.median([own.HERef for own in found], axis=0)
        reference.HERef = vectors / np.linalg.norm(vectors, axis=0)
        reference.maxCRef = np.median([own.maxCRef for own in found], axis=0)

    def normalise(tile: Tile) -> Tile | None:
        if measured(tile) is None:
            return None
        normalised: Tile = reference.normalize(tile, Io=INCIDENT, beta=LEAST_DENSITY, stains=False)[0]
        return normalised

    return normalise


def _reinhard(training: NDArray[np.uint8]) -> Normaliser:
    from torchstain.numpy.normalizers import NumpyReinhardNormalizer

    found = []
    for tile in filter(_is_stained, training):
        own = NumpyReinhardNormalizer()
        own.fit(tile)
        found.append(own)
    reference = NumpyReinhardNormalizer()
    reference.target_means = np.median([own.target_means for own in found], axis=0)
    reference.target_stds = np.median([own.target_stds for own in found], axis=0)

    def normalise(tile: Tile) -> Tile | None:
        if not _is_stained(tile) or (tile == tile[0, 0]).all():
            return None
        normalised: Tile = reference.normalize(tile)
        return normalised

    return normalise


def _is_stained(tile: Tile) -> bool:
    """Whether enough pixels have a density that Macenko's method measures."""
    densities = -np.log((tile.reshape(-1, 3).astype(float) + 1) / INCIDENT)
    return bool((densities >= LEAST_DENSITY).all(axis=1).mean() >= LEAST_STAINED)
