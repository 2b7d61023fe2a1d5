"""How hard are these tiles? F1 of a classical detector on tiles in the SHIDC layout.

    python -m benchmarks.classical_detector FOLDER...     # every .jpg with a .json beside it, at any depth

Laplacian of Gaussian on the total optical density finds nuclei; the ratio of DAB to hematoxylin (colour
deconvolution, Ruifrok & Johnston 2001, Anal Quant Cytol Histol 23) separates positive from negative; matching
is one to one within 25 px of 1228. Lymphocytes are ignored. A lower F1 means harder tiles; real SHIDC tiles
give .57 immunopositive and .55 immunonegative.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

STAINS = np.array([[0.62, 0.725, 0.295], [0.28, 0.55, 0.79], [0.3, 0.3, 0.3]], np.float32)  # H, DAB, matrix
UNMIX = np.linalg.inv(STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True))
SHRINK = 4
NUCLEUS_SIGMAS_PX = (3.2, 4.5, 6.5)  # after shrinking
MIN_BLOB = 0.075
MATCH_PX = 25
CLASSES = {1: "immunopositive", 2: "immunonegative"}


def picture(path: Path) -> NDArray[Any]:
    """Return a picture, uint8 RGB [height, width, 3]; exit with an error if the file is not one."""
    stored = cv2.imread(str(path))
    if stored is None:
        sys.exit(f"{path} cannot be read as a picture.")
    return cv2.cvtColor(stored, cv2.COLOR_BGR2RGB)


def detect(path: Path) -> NDArray[Any]:
    """Return the nuclei of a picture, float [n, 3]: x, y in its own pixels, label_id."""
    rgb = picture(path).astype(np.float32)
    background = np.percentile(rgb.reshape(-1, 3), 97, axis=0)
    density = np.maximum(-np.log10(np.clip(rgb, 1, 255) / background), 0)
    small = cv2.resize(density, None, fx=1 / SHRINK, fy=1 / SHRINK, interpolation=cv2.INTER_AREA)
    stains = small @ UNMIX
    total = np.minimum(small.sum(2), 0.9)
    blobs = np.max([-s * s * ndimage.gaussian_laplace(total, s) for s in NUCLEUS_SIGMAS_PX], axis=0)
    peaks = (blobs == ndimage.maximum_filter(blobs, 7)) & (blobs > MIN_BLOB)
    places = []
    for y, x in zip(*np.nonzero(peaks), strict=True):
        around = stains[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4]
        hematoxylin, dab, _ = around.reshape(-1, 3).mean(0)
        label = 1 if dab > 0.75 * hematoxylin + 0.06 else 2
        places.append((x * SHRINK + SHRINK / 2, y * SHRINK + SHRINK / 2, label))
    return np.array(places, float).reshape(-1, 3)


def matches(found: NDArray[Any], truth: NDArray[Any]) -> int:
    """Return how many of `found` [n, 2] pair one to one with `truth` [m, 2] within 25 px."""
    if not len(found) or not len(truth):
        return 0
    distance = cdist(found, truth)
    distance[distance > MATCH_PX] = 1e4
    rows, columns = linear_sum_assignment(distance)
    return int((distance[rows, columns] < 1e4).sum())


def scores(folders: list[Path]) -> tuple[int, dict[str, float]]:
    """Return the number of tiles and the F1 of both classes, pooled."""
    tiles = sorted(p for folder in folders for p in folder.rglob("*.jpg") if p.with_suffix(".json").exists())
    counts = {label: np.zeros(3, int) for label in CLASSES}  # matched, found, true
    for path in tiles:
        cells = json.loads(path.with_suffix(".json").read_text())
        truth = np.array([(c["x"], c["y"], c["label_id"]) for c in cells], float).reshape(-1, 3)
        found = detect(path)
        for label, total in counts.items():
            ours, theirs = found[found[:, 2] == label, :2], truth[truth[:, 2] == label, :2]
            total += (matches(ours, theirs), len(ours), len(theirs))
    f1 = {CLASSES[label]: 2 * hit / max(1, found + true) for label, (hit, found, true) in counts.items()}
    return len(tiles), f1


def main() -> None:
    folders = [Path(argument) for argument in sys.argv[1:]]
    if not folders or not all(folder.is_dir() for folder in folders):
        sys.exit("give folders with tiles in the SHIDC layout, e.g. what `edgepatho synth tiles` made")
    count, f1 = scores(folders)
    figures = ", ".join(f"{name} {value:.2f}" for name, value in f1.items())
    print(f"{count} tiles: F1 of the classical detector {figures}")


if __name__ == "__main__":
    main()
