"""Can the labels be seen without colour? AUC of shape and texture between negatives and look-alikes.

    python -m benchmarks.sense_probe FOLDER...     # tiles that `edgepatho synth` made

Grey patches of 48 px (tiles at half their size, so a nucleus and its neighbours), each of mean 0 and
deviation 1: histograms of oriented gradients (Dalal & Triggs 2005, CVPR), local binary patterns (Ojala et
al. 2002, IEEE TPAMI 24) and radial profiles. Logistic regression learns on other patients than it is tested
on; the AUC is each patient's own. 1.0 is certain, 0.5 says that the labels mean nothing that can be seen.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import hog, local_binary_pattern
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.classical_detector import picture
from benchmarks.cue_probe import LEAST, Places, places, tiles_of_patients

PATCH_PX = 48
MOST = 100  # nuclei of each kind and patient
FOLDS = 8
BINARY_PATTERNS = ((8, 1), (16, 2))  # points, radius in px


def patches(path: Path) -> list[NDArray[Any]]:
    """Return the grey patches of a tile's negatives and of its look-alikes, float32 [n, 48, 48] each."""
    grey = cv2.cvtColor(picture(path), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half = PATCH_PX // 2
    padded = np.pad(small, half, mode="reflect").astype(np.float32)
    return [_cut(padded, where // 2) for where in places(path)]


def _cut(padded: NDArray[Any], where: Places) -> NDArray[Any]:
    cut = [padded[y : y + PATCH_PX, x : x + PATCH_PX] for x, y in where]
    stack = np.array(cut, np.float32).reshape(-1, PATCH_PX, PATCH_PX)
    mean, deviation = stack.mean((1, 2), keepdims=True), stack.std((1, 2), keepdims=True)
    normalized: NDArray[Any] = (stack - mean) / (deviation + 1e-3)
    return normalized


def features(patch: NDArray[Any]) -> NDArray[Any]:
    """Return what describes shape and texture of a patch, float64 [n]."""
    gradients = hog(patch, orientations=8, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
    grey = np.clip(128 + 40 * patch, 0, 255).astype(np.uint8)
    patterns = [
        np.bincount(
            local_binary_pattern(grey, points, radius, "uniform").astype(int).ravel(), minlength=points + 2
        )
        / patch.size
        for points, radius in BINARY_PATTERNS
    ]
    y, x = np.mgrid[:PATCH_PX, :PATCH_PX] - (PATCH_PX - 1) / 2
    ring = np.hypot(x, y).astype(int).ravel()
    inside = ring < PATCH_PX // 2
    count = np.bincount(ring[inside])
    means = np.bincount(ring[inside], patch.ravel()[inside]) / count
    squares = np.bincount(ring[inside], patch.ravel()[inside] ** 2) / count
    spread = np.sqrt(np.maximum(squares - means**2, 0))
    return np.concatenate([gradients, *patterns, means, spread])


def auc_of_texture(by_patient: dict[str, list[Path]]) -> NDArray[Any]:
    """Return the AUC of every patient with enough nuclei, tested on patients that were not learned from."""
    x: list[NDArray[Any]] = []
    y: list[int] = []
    groups: list[int] = []
    for number, tiles in enumerate(by_patient.values()):
        kinds = [np.concatenate(kind) for kind in zip(*map(patches, tiles), strict=True)]
        if min(map(len, kinds)) < LEAST:
            continue
        rng = np.random.default_rng(number)
        for label, kind in zip((1, 0), kinds, strict=True):
            chosen = rng.permutation(len(kind))[:MOST]
            x.extend(features(patch) for patch in kind[chosen])
            y.extend([label] * len(chosen))
            groups.extend([number] * len(chosen))
    truth, patient = np.array(y), np.array(groups)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.003, class_weight="balanced", max_iter=300)
    )
    folds = GroupKFold(min(FOLDS, len(set(groups))))
    scores = cross_val_predict(
        model, np.array(x), truth, groups=patient, cv=folds, method="decision_function"
    )
    return np.array([roc_auc_score(truth[patient == p], scores[patient == p]) for p in np.unique(patient)])


def main() -> None:
    auc = auc_of_texture(tiles_of_patients([Path(argument) for argument in sys.argv[1:]]))
    print(
        f"{len(auc)} patients: AUC of grey {PATCH_PX} px patches between immunonegative nuclei and "
        f"look-alikes, mean {auc.mean():.2f}, 10th percentile {np.percentile(auc, 10):.2f}"
    )


if __name__ == "__main__":
    main()
