"""Do the tiles span the laboratories? Stain directions and strengths, background and sharpness beside theirs.

    python -m benchmarks.stain_range FOLDER...     # every .jpg with a .json beside it, at any depth

The laboratories: six tiles of another laboratory than SHIDC's, four scanners or staining runs, measured
outside this repository, which may not hold them, and SHIDC-B-Ki-67. Percentiles 5 to 95 are over tiles;
directions and densities are a tile's medians over the labelled nuclei, the optical density in a disc of 5
px over the background (97th percentile): its norm, and its direction of unit length in red, green, blue.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.classical_detector import picture
from benchmarks.cue_probe import background, colours, optical_density

NEGATIVE, POSITIVE = 2, 1
LEAST = 3  # nuclei of a class, for a tile's median
NAMES = (
    *(f"hematoxylin of immunonegative nuclei, {channel}" for channel in ("red", "green", "blue")),
    "optical density of immunonegative nuclei",
    *(f"DAB of immunopositive nuclei, {channel}" for channel in ("red", "green", "blue")),
    "optical density of immunopositive nuclei",
    *(f"background, {channel}" for channel in ("red", "green", "blue")),
    "variance of the Laplacian",
)
NOT_MEASURED = (None,) * 4
LABORATORIES: dict[str, tuple[float | None, ...]] = {
    "1": (0.81, 0.54, 0.22, 0.25, 0.27, 0.51, 0.82, 2.01, 223, 220, 212, 95),
    "2": (0.81, 0.54, 0.25, 0.16, 0.30, 0.53, 0.78, 1.75, 221, 217, 209, 164),
    "3": (0.73, 0.57, 0.38, 0.13, 0.30, 0.59, 0.73, 1.67, 224, 220, 212, 247),
    "4": (0.75, 0.56, 0.35, 0.08, 0.30, 0.55, 0.78, 1.05, 226, 223, 215, 59),
    "5": (0.76, 0.58, 0.29, 0.26, 0.46, 0.55, 0.68, 0.92, 212, 224, 213, 132),
    "6": (0.75, 0.58, 0.31, 0.24, 0.54, 0.57, 0.62, 0.51, 218, 230, 221, 157),
    "SHIDC": (0.60, 0.72, 0.36, 0.25, *NOT_MEASURED, 235, 231, 204, 30),
}


def measures(path: Path) -> NDArray[Any]:
    """Return a tile's values of `NAMES`; nan where it holds too few nuclei."""
    rgb = picture(path)
    light = background(rgb)
    density = optical_density(rgb, light)
    cells = json.loads(path.with_suffix(".json").read_text())
    values: list[float] = []
    for label in (NEGATIVE, POSITIVE):
        where = np.array([(c["x"], c["y"]) for c in cells if c["label_id"] == label], np.int64).reshape(-1, 2)
        disc = colours(density, where)[:, 3:]
        norm = np.linalg.norm(disc, axis=1)
        if len(disc) < LEAST:
            values += [np.nan] * 4
            continue
        direction = np.median(disc / np.maximum(norm, 1e-3)[:, None], axis=0)
        values += [*(direction / np.linalg.norm(direction)), float(np.median(norm))]
    sharpness = cv2.Laplacian(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var()
    return np.array([*values, *light, sharpness])


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:]]
    tiles = sorted(p for folder in folders for p in folder.rglob("*.jpg") if p.with_suffix(".json").exists())
    if not tiles:
        sys.exit("give folders with tiles in the SHIDC layout, e.g. what `edgepatho synth tiles` made")
    low, high = np.nanpercentile([measures(path) for path in tiles], [5, 95], axis=0)
    print(f"| {len(tiles)} tiles, percentiles 5 and 95 | these | laboratories | |\n|---|---|---|---|")
    for number, name in enumerate(NAMES):
        theirs = [values[number] for values in LABORATORIES.values()]
        known = [value for value in theirs if value is not None]
        decimals = 0 if max(known) > 10 else 2
        shown = ", ".join("-" if value is None else f"{value:.{decimals}f}" for value in theirs)
        covered = low[number] <= min(known) and max(known) <= high[number]
        ours = f"{low[number]:.{decimals}f} to {high[number]:.{decimals}f}"
        print(f"| {name} | {ours} | {shown} | {'covered' if covered else 'NOT covered'} |")


if __name__ == "__main__":
    main()
