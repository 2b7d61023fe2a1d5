"""Does colour give the label away? AUC of colour alone between negatives and look-alikes of one patient.

    python -m benchmarks.cue_probe FOLDER...     # tiles that `edgepatho synth` made

Logistic regression on the optical density of red, green and blue at the centre and in a disc of 5 px around
it, cross-validated within each patient, tells labelled immunonegative nuclei from unlabelled nuclei without
DAB (fibroblasts, endothelium, nuclei out of focus). 0.5 is blind; a network trained on tiles of a high
value learns a hue that real tissue does not keep to.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.classical_detector import picture
from edgepatho.data.shidc import IMMUNONEGATIVE, LOOK_ALIKES, patient_of

NUCLEI = {"fibroblast", "endothelium", "out of focus"}  # look-alikes of immunonegative nuclei
DISC_PX = 5
FOLDS = 5
LEAST = 20  # of each kind, for a patient to be measured

Places = NDArray[np.int64]  # [n, 2] of x, y


def tiles_of_patients(folders: list[Path]) -> dict[str, list[Path]]:
    """Return the tiles that have a file of look-alikes, by patient."""
    tiles = defaultdict(list)
    for path in sorted(p for folder in folders for p in folder.rglob("*.jpg")):
        if path.with_suffix(LOOK_ALIKES).exists():
            tiles[f"{path.parent}/{patient_of(path.stem)}"].append(path)
    if not tiles:
        sys.exit("give folders with tiles that `edgepatho synth` made, which lists look-alikes beside them")
    return dict(tiles)


def places(path: Path) -> tuple[Places, Places]:
    """Return a tile's labelled immunonegative nuclei and its look-alikes."""
    labels = json.loads(path.with_suffix(".json").read_text())
    others = json.loads(path.with_suffix(LOOK_ALIKES).read_text())
    negatives = [(cell["x"], cell["y"]) for cell in labels if cell["label_id"] == IMMUNONEGATIVE]
    look_alikes = [(other["x"], other["y"]) for other in others if other["kind"] in NUCLEI]
    return (np.array(found, np.int64).reshape(-1, 2) for found in (negatives, look_alikes))  # type: ignore


def background(rgb: NDArray[Any]) -> NDArray[Any]:
    """Return the light where no tissue is, the 97th percentile of red, green and blue, float32 [3]."""
    light: NDArray[Any] = np.percentile(rgb.reshape(-1, 3), 97, axis=0).astype(np.float32)
    return light


def optical_density(rgb: NDArray[Any], light: NDArray[Any]) -> NDArray[Any]:
    """Return -log10 of a picture over its background, float32 [height, width, 3]."""
    density: NDArray[Any] = -np.log10(np.maximum(rgb, 1) / light)
    return density


def colours(density: NDArray[Any], where: Places) -> NDArray[Any]:
    """Return the mean density at the centre (3 x 3 px) and in the disc of every place, [n, 6]."""
    y, x = np.mgrid[-DISC_PX : DISC_PX + 1, -DISC_PX : DISC_PX + 1]
    disc, centre = np.hypot(x, y) <= DISC_PX, np.maximum(abs(x), abs(y)) <= 1
    height, width = density.shape[:2]
    features = []
    for mask in (centre, disc):
        rows = (where[:, 1:] + y[mask]).clip(0, height - 1)
        columns = (where[:, :1] + x[mask]).clip(0, width - 1)
        features.append(density[rows, columns].mean(1))
    return np.hstack(features)


def auc_of_colour(tiles: list[Path]) -> tuple[float, int, int]:
    """Return (AUC, negatives, look-alikes) of one patient's tiles; nan where either is rare."""
    found: list[list[NDArray[Any]]] = [[], []]
    for path in tiles:
        rgb = picture(path)
        density = optical_density(rgb, background(rgb))
        for features, where in zip(found, places(path), strict=True):
            features.append(colours(density, where))
    negatives, look_alikes = (np.concatenate(features) for features in found)
    if min(len(negatives), len(look_alikes)) < LEAST:
        return float("nan"), len(negatives), len(look_alikes)
    x = np.concatenate([negatives, look_alikes])
    y = np.repeat([1, 0], [len(negatives), len(look_alikes)])
    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(model, x, y, cv=folds, method="decision_function")
    return float(roc_auc_score(y, scores)), len(negatives), len(look_alikes)


def main() -> None:
    by_patient = tiles_of_patients([Path(argument) for argument in sys.argv[1:]])
    measured = np.array([auc_of_colour(tiles) for tiles in by_patient.values()])
    auc = measured[~np.isnan(measured[:, 0]), 0]
    negatives, look_alikes = measured[:, 1:].sum(0)
    print(
        f"{len(auc)} patients: AUC of colour alone between immunonegative nuclei and look-alikes, "
        f"mean {auc.mean():.2f}, 90th percentile {np.percentile(auc, 90):.2f}; "
        f"{look_alikes / negatives:.2f} look-alikes a negative"
    )


if __name__ == "__main__":
    main()
