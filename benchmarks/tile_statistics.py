"""How similar are tiles in the SHIDC layout to real ones? Cell counts, distances, colours, sharpness.

    python -m benchmarks.tile_statistics FOLDER...     # every .jpg with a .json beside it, at any depth

The real column was measured on SHIDC-B-Ki-67, whose images may not be redistributed: counts and distances on
the 700 label files of its test set (TIL: Negahbani et al. 2021), the rest on 26 images of two patients.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from benchmarks.classical_detector import picture

CLASSES = {1: "immunopositive", 2: "immunonegative", 3: "TIL"}
REAL = {
    "immunopositive a tile, mean and sd": "22.5, 23.0",
    "immunonegative a tile, mean and sd": "46.6, 47.0",
    "TIL a tile, mean": "2.0",
    "tumour cells a tile, percentiles 5, 50, 95": "3, 54, 174",
    "nearest tumour cell, percentiles 5, 50, px": "34, 54",
    "background, RGB": "235, 231, 204",
    "mean colour, RGB": "210, 202, 182",
    "optical density of immunopositive, RGB": "0.17, 0.26, 0.25",
    "optical density of immunonegative, RGB": "0.15, 0.18, 0.09",
    "optical density of TIL, RGB": "0.21, 0.25, 0.11",
    "variance of the Laplacian, percentiles 10, 50, 90": "15, 30, 59",
}


def statistics(tiles: list[Path]) -> dict[str, str]:
    """Return the measures of `REAL` for pictures with label files beside them, as text."""
    counts, nearest, background, colour, sharpness = [], [], [], [], []
    density: dict[int, list[Any]] = {label: [] for label in CLASSES}
    for path in tiles:
        cells = json.loads(path.with_suffix(".json").read_text())
        points = np.array([(c["x"], c["y"], c["label_id"]) for c in cells], int).reshape(-1, 3)
        counts.append([(points[:, 2] == label).sum() for label in CLASSES])
        tumour = points[points[:, 2] < 3, :2]
        if len(tumour) > 1:
            nearest.extend(cKDTree(tumour).query(tumour, k=2)[0][:, 1])
        rgb = picture(path)
        light = np.percentile(rgb.reshape(-1, 3), 97, axis=0)
        background.append(light)
        colour.append(rgb.reshape(-1, 3).mean(0))
        sharpness.append(cv2.Laplacian(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())
        for x, y, label in points:
            around = rgb[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4].reshape(-1, 3).mean(0)
            density[label].append(-np.log10(np.maximum(around, 1) / light))
    a_tile = np.array(counts)
    means, deviations = a_tile.mean(0), a_tile.std(0)
    values = [
        _numbers([means[0], deviations[0]], 1),
        _numbers([means[1], deviations[1]], 1),
        _numbers([means[2]], 1),
        _numbers(np.percentile(a_tile[:, :2].sum(1), [5, 50, 95]), 0),
        _numbers(np.percentile(nearest or [np.nan], [5, 50]), 0),
        _numbers(np.mean(background, 0), 0),
        _numbers(np.mean(colour, 0), 0),
        *(_numbers(np.median(density[label] or [[np.nan] * 3], 0), 2) for label in CLASSES),
        _numbers(np.percentile(sharpness, [10, 50, 90]), 0),
    ]
    return dict(zip(REAL, values, strict=True))


def _numbers(values: NDArray[Any] | list[float], decimals: int) -> str:
    return ", ".join(f"{value:.{decimals}f}" for value in values)


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:]]
    tiles = sorted(p for folder in folders for p in folder.rglob("*.jpg") if p.with_suffix(".json").exists())
    if not tiles:
        sys.exit("give folders with tiles in the SHIDC layout, e.g. what `edgepatho synth tiles` made")
    print(f"| {len(tiles)} tiles in {', '.join(map(str, folders))} | these | real |\n|---|---|---|")
    for name, value in statistics(tiles).items():
        print(f"| {name} | {value} | {REAL[name]} |")


if __name__ == "__main__":
    main()
